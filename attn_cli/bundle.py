"""A model on disk: the one place that knows the files of a bundle and their names.

Knows recipes and tokenizers; no torch: weights are a path here.

    recipe.toml          the model's whole definition
    joint.spm            the vocabulary (or source.spm and target.spm)
    model.safetensors    the weights of the network that translates
    alignment_head.safetensors    those of the alignment head, where there is one
    encoder.onnx step.onnx forced.onnx alignment_head.onnx    the same as graphs, for ONNX Runtime
    graphs.bin           the weights that the first three graphs share
    bundle.json          format, languages, licence, size and sha256 of each file, scores
    MODEL_CARD.md        for readers, where somebody has written one
"""

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.config import Recipe
from attn_cli.errors import AttnError, ModelError, TrainingError
from attn_cli.text.tokenizer import Tokenizer

#: The format this program writes, and the newest it reads.
FORMAT = 1

RECIPE, FACTS, CARD = "recipe.toml", "bundle.json", "MODEL_CARD.md"
WEIGHTS, HEAD = "model.safetensors", "alignment_head.safetensors"
ENCODER, STEP, FORCED = "encoder.onnx", "step.onnx", "forced.onnx"
HEAD_GRAPH = "alignment_head.onnx"
GRAPH_WEIGHTS = "graphs.bin"
GRAPHS = (ENCODER, STEP, FORCED, GRAPH_WEIGHTS, HEAD_GRAPH)
JOINT, SOURCE, TARGET = "joint.spm", "source.spm", "target.spm"

#: What is not below this, infinity and what is no number among it, measures nothing.
_NO_SCORE = 1e6

#: Seconds until a file that differs from its sum is looked at once more.
_A_MOMENT = 0.3


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. `facts` is the content of its bundle.json."""

    path: Path
    recipe: Recipe
    source: Tokenizer
    target: Tokenizer
    facts: dict[str, Any]

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.path / WEIGHTS

    @property
    def head(self) -> Path:
        """The file of the alignment head's weights."""
        return self.path / HEAD

    @property
    def aligns(self) -> bool:
        """Whether there is an alignment head."""
        return self.holds(HEAD) or self.holds(HEAD_GRAPH)

    @property
    def translates(self) -> bool:
        """Whether there is a network that translates; else it aligns alone."""
        return self.holds(WEIGHTS) or self.holds(STEP)

    @property
    def attends(self) -> bool:
        """Whether its network looks at the source: one without attention has no weights to show."""
        return self.translates and self.recipe.model.attends

    @property
    def precision(self) -> str | None:
        """That of its graphs, int8 or fp32, if it has any."""
        precision: str | None = self.facts.get("precision")
        return precision

    def holds(self, *names: str) -> bool:
        """Whether all these files belong to the bundle."""
        return all(name in self.facts["files"] for name in names)

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.recipe.name


def open_bundle(path: Path) -> Bundle:
    """The bundle in that folder. Its sums are not taken: `check_sums` does that.

    Raises ModelError when it is missing, lacks a file, holds one of another size than its
    bundle.json says, or is of a newer format.
    """
    facts = sealed_facts(path)
    _demand(path, facts, RECIPE)
    try:
        recipe = config.load(path / RECIPE, of_a_model=True)
    except ModelError:
        raise
    except AttnError as error:
        raise ModelError(f"the model {path} is unfit: {error.problem}", error.hint) from error
    _demand(path, facts, *_vocabulary(recipe))
    source, target = load_tokenizers(path, recipe)
    return Bundle(path, recipe, source, target, facts)


def check_sums(path: Path) -> dict[str, Any]:
    """Read every file of the model and compare its sha256; returns the bundle.json.

    What differs is looked at twice, since a training that goes on writes its weights a moment
    before their sums. Raises ModelError as `open_bundle` does, and for a file that was altered.
    """
    for patience in (_A_MOMENT, 0):
        facts = sealed_facts(path)
        files = facts["files"].items()
        altered = [name for name, entry in files if _sum(path / name) != entry["sha256"]]
        if not altered:
            return facts
        time.sleep(patience)
    raise _altered(path, altered[0])


def sealed_facts(path: Path) -> dict[str, Any]:
    """The bundle.json of the folder `path`, each of its files there and of the size it says."""
    facts = read_facts(path)
    for name, entry in facts["files"].items():
        size = _size(path / name)
        if size is None:
            raise ModelError(f"the model {path} lacks its file {name}", _DAMAGED)
        if size != entry["bytes"]:
            sizes = f"{size} bytes where {entry['bytes']} were written"
            raise ModelError(f"the model {path} is damaged: {name} has {sizes}", _DAMAGED)
    return facts


def read_facts(path: Path) -> dict[str, Any]:
    """The bundle.json of the folder `path`, its format and its form checked."""
    unreadable = ModelError(f"the model {path} is damaged: {FACTS} cannot be read", _DAMAGED)
    try:
        facts = json.loads((path / FACTS).read_text(encoding="utf-8"))
    except OSError as error:
        hint = "Train one with attn train, or name one that attn models list shows."
        raise ModelError(f"{path} holds no model: there is no {FACTS} in it", hint) from error
    except (ValueError, RecursionError) as error:
        raise unreadable from error
    format = facts.get("format") if isinstance(facts, dict) else None
    if not isinstance(format, int):
        raise unreadable
    if format > FORMAT:
        newer = f"the model {path} is of format {format}, this program reads {FORMAT}"
        raise ModelError(newer, "Upgrade attn.")
    if not _is_well_formed(facts):
        raise unreadable
    for name in facts["files"]:
        if not _is_inside(name):
            outside = f"{FACTS} names {name!r}, which is no file of its folder"
            raise ModelError(f"the model {path} is damaged: {outside}", _DAMAGED)
    return dict(facts)


def score_of(facts: dict[str, Any], metric: str) -> float | None:
    """The score of that name in a bundle.json, if there is one."""
    entry = facts["scores"].get(metric)
    score = entry.get("score") if isinstance(entry, dict) else None
    return float(score) if isinstance(score, int | float) and abs(score) < _NO_SCORE else None


def _is_well_formed(facts: dict[str, Any]) -> bool:
    """Whether bundle.json says of format 1 what the program asks of it."""
    files, scores = facts.get("files"), facts.get("scores")
    texts = (*map(facts.get, ("name", "source", "target")), facts.get("licence", ""))
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(scores, dict)
        and all(isinstance(score, dict) for name, score in scores.items() if name == "bleu")
        and isinstance(files, dict)
        and all(map(_is_entry, files.values()))
    )


def _is_entry(entry: Any) -> bool:
    """Whether that tells the size and the sum of a file."""
    size, digest = map(entry.get, ("bytes", "sha256")) if isinstance(entry, dict) else (None, None)
    return isinstance(size, int) and 0 <= size < 1 << 63 and isinstance(digest, str)


def _is_inside(name: str) -> bool:
    """Whether that is the plain name of a file: no path that could lead out of the folder."""
    return name not in ("", os.curdir, os.pardir) and not set(name) & set("/\\:\0")


def _demand(path: Path, facts: dict[str, Any], *names: str) -> None:
    """Make sure that bundle.json speaks for these files."""
    for name in names:
        if name not in facts["files"]:
            raise ModelError(f"the model {path} is damaged: {FACTS} lacks {name}", _DAMAGED)


def _size(file: Path) -> int | None:
    """Its bytes; None where there is no such regular file."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _sum(file: Path) -> str:
    """The sha256 of a model's file."""
    try:
        return str(_entry(file)["sha256"])
    except OSError as error:
        raise ModelError(
            f"the model {file.parent} is damaged: {file.name} cannot be read: {error.strerror}",
            _DAMAGED,
        ) from error


def _altered(path: Path, name: str) -> ModelError:
    what = f"{name} is not what was written (its sha256 differs)"
    return ModelError(f"the model {path} is damaged: {what}", _DAMAGED)


def load_tokenizers(path: Path, recipe: Recipe) -> tuple[Tokenizer, Tokenizer]:
    """The source's and the target's tokenizer; one and the same where the vocabulary is joint."""
    plain = recipe.tokenizer.plain_quotes
    if recipe.tokenizer.joint:
        joint = Tokenizer.load(path / JOINT, plain_quotes=plain)
        return joint, joint
    return (
        Tokenizer.load(path / SOURCE, plain_quotes=plain),
        Tokenizer.load(path / TARGET, plain_quotes=plain),
    )


def copy(bundle: Bundle, folder: Path) -> None:
    """Copy a bundle into an empty folder: its own files and its card, bundle.json last.

    What else lies beside them, a training's log and checkpoints, is left out. Raises ModelError
    when a file of the copy is not what was written, OSError when the disk will not take it.
    """
    for name, entry in bundle.facts["files"].items():
        shutil.copyfile(bundle.path / name, folder / name)
        if _sum(folder / name) != entry["sha256"]:
            raise _altered(bundle.path, name)
    if (bundle.path / CARD).is_file() and not bundle.holds(CARD):
        shutil.copyfile(bundle.path / CARD, folder / CARD)
    _write_json(folder / FACTS, bundle.facts)


def write_definition(path: Path, recipe: Recipe, source: Tokenizer, target: Tokenizer) -> None:
    """Begin a bundle: the recipe and the vocabulary, before there are weights.

    A model that was there is one no longer. Raises TrainingError if the disk will not take it.
    """
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True)
        for name in (FACTS, WEIGHTS, HEAD, *GRAPHS):
            (path / name).unlink(missing_ok=True)
        write_recipe(path, recipe)
        if recipe.tokenizer.joint:
            source.save(path / JOINT)
        else:
            source.save(path / SOURCE)
            target.save(path / TARGET)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """The recipe, as the file a person edits to get another model.

    A model that is there already is sealed with it.
    """
    heading = f"attn train {RECIPE} --out ../another"
    with _writing(path):
        _write_text(path / RECIPE, config.to_toml(recipe, helps=True, heading=heading))
        if (path / FACTS).is_file():
            include(path, RECIPE)


def seal(path: Path, recipe: Recipe, *, version: str, scores: dict[str, Any]) -> None:
    """Write bundle.json over the files that are there now, which makes the folder a model.

    Raises TrainingError if the disk will not take it.
    """
    weights = (name for name in (WEIGHTS, HEAD) if (path / name).is_file())
    names = [RECIPE, *_vocabulary(recipe), *weights]
    with _writing(path):
        facts = {
            "format": FORMAT,
            "name": recipe.name,
            "source": recipe.source,
            "target": recipe.target,
            "licence": recipe.licence,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "written_by": f"attn {version}",
            "scores": scores,
            "files": {name: _entry(path / name) for name in names},
        }
        _write_json(path / FACTS, facts)


def include(path: Path, name: str) -> None:
    """Seal the model anew with its file `name`, which has been written or changed.

    Raises TrainingError if the disk will not take it.
    """
    facts = read_facts(path)
    with _writing(path):
        facts["files"][name] = _entry(path / name)
        _write_json(path / FACTS, facts)


def include_graphs(path: Path, files: dict[str, bytes], *, precision: str) -> None:
    """Write the graphs of a model, and weights that change with them, and seal it with them.

    All are written beside before the first is put in its place. Raises TrainingError if the disk
    will not take them.
    """
    facts = read_facts(path)
    with _writing(path):
        for name, data in files.items():
            (path / f"{name}.part").write_bytes(data)
        for name in GRAPHS:
            facts["files"].pop(name, None)
        _write_json(path / FACTS, facts)  # graphs are nobody's while they change
        for name in files:
            os.replace(path / f"{name}.part", path / name)
            facts["files"][name] = _entry(path / name)
        facts["precision"] = precision
        _write_json(path / FACTS, facts)


def relocated(recipe: Recipe, base: Path, folder: Path) -> Recipe:
    """The recipe with its files, relative to `base` so far, made relative to `folder`.

    "-", standard input, is nowhere. Links to folders are followed, since a path that goes up
    from behind one would leave it elsewhere.
    """

    def moved(file: str) -> str:
        return (
            file if file == "-" else os.path.relpath(_real(base / file), os.path.realpath(folder))
        )

    texts = {name: file for name in config.DATA_FILES if (file := getattr(recipe.data, name))}
    recipe = config.with_files(recipe, {name: moved(file) for name, file in texts.items()})
    if not (links := config.file_of_links(recipe)):
        return recipe
    links = moved(links)
    if links in (config.UNGUIDED, config.STATISTICAL):
        links = os.path.join(os.curdir, links)  # a file, whatever it is called
    return replace(recipe, train=replace(recipe.train, guided_alignment=links))


def _real(path: Path) -> Path:
    """The path without links to folders; the file keeps its own name, which may say `.gz`."""
    return Path(os.path.realpath(path.parent)) / path.name


def started_from(recipe: Recipe, start: Bundle) -> Recipe:
    """`recipe` with the vocabulary and the network of `start`, which training is to begin from.

    Raises ModelError if that is of other languages, or aligns alone.
    """
    if not start.holds(WEIGHTS):
        lacks = "graphs but no weights" if start.translates else "no decoder"
        raise ModelError(
            f"the model {start.name} has {lacks} to begin with",
            "Start from a model that attn train made.",
        )
    if (recipe.source, recipe.target) != ("", "") and (recipe.source, recipe.target) != (
        start.recipe.source,
        start.recipe.target,
    ):
        raise ModelError(
            f"the model {start.name} translates {start.recipe.source}-{start.recipe.target}, "
            f"not {recipe.source}-{recipe.target}",
            "Start from a model of the same languages.",
        )
    return replace(
        recipe,
        source=start.recipe.source,
        target=start.recipe.target,
        tokenizer=start.recipe.tokenizer,
        model=start.recipe.model,
        decode=start.recipe.decode if recipe.decode == config.Decode() else recipe.decode,
    )


def _vocabulary(recipe: Recipe) -> tuple[str, ...]:
    """The files of a recipe's vocabulary."""
    return (JOINT,) if recipe.tokenizer.joint else (SOURCE, TARGET)


def _entry(path: Path) -> dict[str, Any]:
    """What bundle.json says of a file, which is read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"cannot write into {path}: {error.strerror}",
            "Make room there, or choose another --out.",
        ) from error


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    _write_text(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


_DAMAGED = "Copy or train the model again; attn models list shows the others."
