"""A model on disk: the one place that knows the files of a bundle and their names.

Knows recipes and tokenizers; no torch: weights are a path here.

    recipe.toml          the model's whole definition
    joint.spm            the vocabulary (or source.spm and target.spm; see `vocabularies`)
    model.safetensors    the weights of the network that translates
    alignment_head.safetensors    those of the word aligner, where there is one
    encoder.onnx step.onnx forced.onnx alignment_head.onnx    the same as graphs, for ONNX Runtime
    graphs.bin           the weights that these share, but for the last one's
    shortlist.bin        the target pieces that a sentence may use, where links have told
    select.onnx shortlist_step.onnx    graphs for these pieces alone
    confidence.json      how its translations' confidence is computed, where it was calibrated
    bundle.json          format, languages, licence, size and sha256 of each file, scores
    MODEL_CARD.md        for readers, where somebody has written one
    .staging/            new files, `staged` in bundle.json until they have their own names

A folder changes from one model to the next when its bundle.json is replaced, and at no other
moment: new files are written into `.staging/`, then bundle.json names them `staged`, then they take
their own names, then bundle.json is written without `staged`. A process killed in between leaves
the old model or the new one; the next write completes or discards the rest. `load_stable` loads
again what was replaced meanwhile.

Nothing in the folder is trusted: `Bundle.file` compares the checksum of each file before it is
loaded, symbolic links that lead out of the folder are refused, and so are JSON, recipes and cards
that are no regular files of a moderate size.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from attn_cli import config
from attn_cli.bundles import vocabularies
from attn_cli.bundles.vocabularies import vocabulary_files
from attn_cli.config import Recipe
from attn_cli.data.shortlist import Shortlist
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.errors import AttnError, ModelError, TrainingError, UsageError
from attn_cli.files import atomic
from attn_cli.files.reading import leads_outside, read_small

#: The format this program writes, and the newest it reads.
FORMAT = 1

RECIPE, FACTS, CARD = "recipe.toml", "bundle.json", "MODEL_CARD.md"
WEIGHTS, HEAD = "model.safetensors", "alignment_head.safetensors"
ENCODER, STEP, FORCED = "encoder.onnx", "step.onnx", "forced.onnx"
HEAD_GRAPH = "alignment_head.onnx"
SHORTLIST, SELECT, SHORTLIST_STEP = "shortlist.bin", "select.onnx", "shortlist_step.onnx"
GRAPH_WEIGHTS = "graphs.bin"
CONFIDENCE = "confidence.json"
GRAPHS = (ENCODER, STEP, FORCED, GRAPH_WEIGHTS, HEAD_GRAPH)
SHORTLIST_GRAPHS = (SELECT, SHORTLIST_STEP)

#: Folder of new files until they are renamed.
STAGING = ".staging"

#: Files that are removed when bundle.json no longer names them.
_OWN = (
    *(WEIGHTS, HEAD, SHORTLIST, *GRAPHS, *SHORTLIST_GRAPHS),
    *(CONFIDENCE, *vocabularies.FILES),
)

#: Maximum attempts to load a model that is being replaced.
_ATTEMPTS = 10

#: Scores of at least this, infinity and NaN are ignored.
_NO_SCORE = 1e6

#: Maximum bytes of bundle.json, and of a card or recipe.
_MAX_MANIFEST, _MAX_TEXT = 1 << 22, 1 << 20

#: Terminal control sequences; control characters but TAB and line feed; and what turns the
#: direction of writing, in which text can be disguised.
_UNPRINTED = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]",
    re.DOTALL,
)

#: Seconds before the checksums of a damaged model are checked again.
_A_MOMENT = 0.3


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. `facts` is the content of its bundle.json."""

    path: Path
    recipe: Recipe
    source: SubwordTokenizer
    target: SubwordTokenizer
    facts: dict[str, Any]
    _verified: set[str] = field(default_factory=set, repr=False, compare=False)

    def file(self, name: str) -> Path:
        """Return the path of one of its files, after comparing its checksum once.

        Raises ModelError if that does not match.
        """
        if name not in self._verified:
            _require_files(self.path, self.facts, name)
            _verify_file(self.path, self.facts, name)
            self._verified.add(name)
        return locate(self.path, self.facts, name)

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.file(WEIGHTS)

    @property
    def head(self) -> Path:
        """The file of the word aligner's weights."""
        return self.file(HEAD)

    @property
    def can_align(self) -> bool:
        """Whether there is a word aligner."""
        return self.has_files(HEAD) or self.has_files(HEAD_GRAPH)

    @property
    def can_translate(self) -> bool:
        """Whether the bundle has a translation network."""
        return self.has_files(WEIGHTS) or self.has_files(STEP)

    @property
    def has_attention(self) -> bool:
        """Whether its network has attention."""
        return self.can_translate and self.recipe.model.has_attention

    @property
    def precision(self) -> str | None:
        """Precision of its graphs, int8 or fp32; None without graphs."""
        precision: str | None = self.facts.get("precision")
        return precision

    @property
    def shortlist(self) -> Shortlist | None:
        """The pieces that its translations may be made of, if it has such a file.

        Raises ModelError where that is damaged, or of another vocabulary.
        """
        if not self.has_files(SHORTLIST):
            return None
        source, target = self.source.vocab_size, self.target.vocab_size
        return Shortlist.load(self.file(SHORTLIST), source_vocab=source, target_vocab=target)

    def has_files(self, *names: str) -> bool:
        """Whether all these files belong to the bundle."""
        return all(name in self.facts["files"] for name in names)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.recipe.name


T = TypeVar("T")


def open_bundle(path: Path) -> Bundle:
    """Open the bundle in that folder; the checksum of a file is compared when it is loaded.

    Raises ModelError when it is missing, lacks a file, holds one of another size than its
    bundle.json says, or is of a newer format; and for a damaged recipe or vocabulary.
    """
    return load_stable(path, lambda bundle: bundle)


def load_stable(path: Path, load: Callable[[Bundle], T]) -> T:
    """Open the model in that folder and load of it what `load` does, all from one model.

    Where its bundle.json was replaced meanwhile, as by a training that goes on, begins again.
    Raises as `open_bundle` and `load`.
    """
    for attempt in range(_ATTEMPTS):
        facts = read_manifest(path)
        try:
            loaded = load(_open(path, facts))
        except ModelError:
            if attempt + 1 < _ATTEMPTS and _is_replaced(path, facts):
                continue
            raise
        if not _is_replaced(path, facts):
            break
    return loaded


def _is_replaced(path: Path, facts: dict[str, Any]) -> bool:
    try:
        return read_manifest(path) != facts
    except ModelError:
        return True


def _open(path: Path, facts: dict[str, Any]) -> Bundle:
    _check_sizes(path, facts)
    _require_files(path, facts, RECIPE)
    _verify_file(path, facts, RECIPE)
    try:
        recipe = config.load(locate(path, facts, RECIPE), legacy_defaults=True)
    except ModelError:
        raise
    except AttnError as error:
        raise ModelError(f"the model {path} is unfit: {error.problem}", error.hint) from error
    names = vocabulary_files(recipe)
    _require_files(path, facts, *names)
    for name in names:
        _verify_file(path, facts, name)
    files = [locate(path, facts, name) for name in names]
    return Bundle(path, recipe, *vocabularies.load_tokenizers(files, recipe), facts)


def locate(path: Path, facts: dict[str, Any], name: str) -> Path:
    """Where a file of the model in the folder `path` lies, whose bundle.json is `facts`."""
    return (path / STAGING if name in facts.get("staged", ()) else path) / name


def verify_checksums(path: Path) -> dict[str, Any]:
    """Read every file of the model and compare its sha256; returns the bundle.json.

    What differs is read a second time, since a training that goes on may have replaced it. Raises
    ModelError as `open_bundle` does, and for a file that was altered.
    """
    try:
        return _verify_checksums(path)
    except ModelError:
        time.sleep(_A_MOMENT)
        return _verify_checksums(path)


def _verify_checksums(path: Path) -> dict[str, Any]:
    facts = checked_manifest(path)
    for name in facts["files"]:
        _verify_file(path, facts, name)
    return facts


def _verify_file(path: Path, facts: dict[str, Any], name: str) -> None:
    """Raise ModelError unless the file has the checksum that bundle.json gives."""
    if _checksum(locate(path, facts, name)) != facts["files"][name]["sha256"]:
        raise _altered(path, name)


def checked_manifest(path: Path) -> dict[str, Any]:
    """The bundle.json of the folder `path`, each of its files there and of the size it says."""
    facts = read_manifest(path)
    _check_sizes(path, facts)
    return facts


def _check_sizes(path: Path, facts: dict[str, Any]) -> None:
    for name, entry in facts["files"].items():
        _refuse_link_outside(path, locate(path, facts, name))
        size = _size(locate(path, facts, name))
        if size is None:
            raise ModelError(f"the model {path} lacks its file {name}", _DAMAGED)
        if size != entry["bytes"]:
            sizes = f"{size} bytes instead of {entry['bytes']}"
            raise ModelError(f"the model {path} is damaged: {name} has {sizes}", _DAMAGED)


def read_manifest(path: Path) -> dict[str, Any]:
    """The bundle.json of the folder `path`, its format and its form checked."""
    unreadable = ModelError(f"the model {path} is damaged: {FACTS} cannot be read", _DAMAGED)
    _refuse_link_outside(path, path / FACTS)
    try:
        facts = json.loads(read_small(path / FACTS, limit=_MAX_MANIFEST).decode("utf-8"))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EFBIG, errno.EIO):
            problem = f"the model {path} is damaged: {FACTS} cannot be read: {error.strerror}"
            raise ModelError(problem, _DAMAGED) from error
        hint = "Train one with attn train, or name one that attn models list shows."
        raise ModelError(f"{path} holds no model: it has no {FACTS}", hint) from error
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
            outside = f"{FACTS} names {name!r}, which is outside its folder"
            raise ModelError(f"the model {path} is damaged: {outside}", _DAMAGED)
    return dict(facts)


def read_for_display(path: Path, facts: dict[str, Any], name: str) -> str | None:
    """Return a text file of a model without control sequences; None where there is none.

    Raises ModelError for one that is damaged, no regular file, or outside of the folder.
    """
    if name not in facts["files"] and not os.path.lexists(locate(path, facts, name)):
        return None
    return printable(read_text_file(path, facts, name).decode("utf-8", "replace"))


def read_text_file(path: Path, facts: dict[str, Any], name: str) -> bytes:
    """Return the content of a small file of a model. Raises ModelError as `read_for_display`."""
    file = locate(path, facts, name)
    _refuse_link_outside(path, file)
    try:
        content = read_small(file, limit=_MAX_TEXT)
    except FileNotFoundError as error:
        raise ModelError(f"the model {path} lacks its file {name}", _DAMAGED) from error
    except OSError as error:
        problem = f"the model {path} is damaged: {name} cannot be read: {error.strerror}"
        raise ModelError(problem, _DAMAGED) from error
    if name in facts["files"] and entry_of(content)["sha256"] != facts["files"][name]["sha256"]:
        raise _altered(path, name)
    return content


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey instead of showing it."""
    return _UNPRINTED.sub("", text)


def score_of(facts: dict[str, Any], metric: str) -> float | None:
    """The score of that name in a bundle.json, if there is one."""
    entry = facts["scores"].get(metric)
    score = entry.get("score") if isinstance(entry, dict) else None
    return float(score) if isinstance(score, int | float) and abs(score) < _NO_SCORE else None


def _is_well_formed(facts: dict[str, Any]) -> bool:
    """Whether `facts` has all the fields of format 1, with their types."""
    files, scores, staged = facts.get("files"), facts.get("scores"), facts.get("staged", [])
    texts = (*map(facts.get, ("name", "source", "target")), facts.get("licence", ""))
    return (
        all(isinstance(text, str) for text in texts)
        and isinstance(scores, dict)
        and all(isinstance(score, dict) for name, score in scores.items() if name == "bleu")
        and isinstance(files, dict)
        and all(map(_is_entry, files.values()))
        and isinstance(staged, list)
        and all(isinstance(name, str) and name in files for name in staged)
    )


def _is_entry(entry: Any) -> bool:
    """Whether `entry` has the size and the checksum of a file."""
    size, digest = map(entry.get, ("bytes", "sha256")) if isinstance(entry, dict) else (None, None)
    return isinstance(size, int) and 0 <= size < 1 << 63 and isinstance(digest, str)


def _is_inside(name: str) -> bool:
    """Whether `name` is a plain file name, so that it cannot leave the folder."""
    return name not in ("", os.curdir, os.pardir) and not set(name) & set("/\\:\0")


def _refuse_link_outside(path: Path, file: Path) -> None:
    if leads_outside(file, path):
        problem = f"the model {path} is refused: {file.name} is a link that leads out of its folder"
        raise ModelError(problem, "Copy the file itself into the folder.")


def _require_files(path: Path, facts: dict[str, Any], *names: str) -> None:
    """Raise ModelError unless bundle.json lists these files."""
    for name in names:
        if name not in facts["files"]:
            raise ModelError(f"the model {path} is damaged: {FACTS} lacks {name}", _DAMAGED)


def _size(file: Path) -> int | None:
    """Return the size in bytes; None if there is no such regular file."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _checksum(file: Path) -> str:
    """The sha256 of a model's file."""
    try:
        return str(_entry(file)["sha256"])
    except OSError as error:
        raise ModelError(
            f"the model {file.parent} is damaged: {file.name} cannot be read: {error.strerror}",
            _DAMAGED,
        ) from error


def _altered(path: Path, name: str) -> ModelError:
    what = f"the checksum (sha256) of {name} does not match"
    return ModelError(f"the model {path} is damaged: {what}", _DAMAGED)


def load_tokenizers(path: Path, recipe: Recipe) -> tuple[SubwordTokenizer, SubwordTokenizer]:
    """The source's and the target's tokenizer; one and the same where the vocabulary is joint.

    `path` may be a training's folder, which is no model yet.
    """
    files = [path / name for name in vocabulary_files(recipe)]
    return vocabularies.load_tokenizers(files, recipe)


def copy(bundle: Bundle, folder: Path, *, graphs: bool = True) -> None:
    """Copy a bundle into an empty folder: its own files and its card, bundle.json last.

    What else lies beside them, a training's log and checkpoints, is left out. Without `graphs` it
    becomes a model that has none. Raises ModelError when a file of the copy is not what was
    written, OSError when the disk will not take it.
    """
    facts = {key: value for key, value in bundle.facts.items() if key != "staged"}
    if not graphs:
        facts = _without_graphs(facts)
    for name, entry in facts["files"].items():
        with suppress(FileNotFoundError):  # then `_checksum` says which
            shutil.copyfile(locate(bundle.path, bundle.facts, name), folder / name)
        if _checksum(folder / name) != entry["sha256"]:
            raise _altered(bundle.path, name)
    if os.path.lexists(bundle.path / CARD) and not bundle.has_files(CARD):
        card = read_text_file(bundle.path, bundle.facts, CARD)
        (folder / CARD).write_bytes(card)
        facts["files"] = facts["files"] | {CARD: entry_of(card)}
    _write_json(folder / FACTS, facts)


def _without_graphs(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of the same model without graphs."""
    graphs = {*GRAPHS, *SHORTLIST_GRAPHS}
    files = {name: entry for name, entry in facts["files"].items() if name not in graphs}
    return {key: value for key, value in facts.items() if key != "precision"} | {"files": files}


def write_definition(
    path: Path, recipe: Recipe, source: SubwordTokenizer, target: SubwordTokenizer
) -> None:
    """Begin a bundle: the recipe and the vocabulary, before there are weights.

    Removes the model that was there. Raises TrainingError if the disk will not take it.
    """
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True)
        (path / FACTS).unlink(missing_ok=True)  # first: without it nothing else counts
        _settle(path)
        for name in _OWN:
            (path / name).unlink(missing_ok=True)
        write_recipe(path, recipe)
        contents = vocabularies.vocabulary_contents(recipe, source, target)
        for name, data in contents.items():
            (path / name).write_bytes(data)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write the recipe, as the file a person edits to get another model.

    A model that is there already is sealed with it.
    """
    heading = f"attn train {RECIPE} --out ../another"
    add_file(path, RECIPE, config.to_toml(recipe, helps=True, heading=heading).encode("utf-8"))


def write_manifest(
    path: Path,
    recipe: Recipe,
    *,
    version: str,
    scores: dict[str, Any],
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Make the folder a model: of its recipe, vocabulary and weights, and of these new `files`.

    Graphs and a calibration do not belong to it: they are those of other weights. Raises
    TrainingError if the disk will not take it.
    """
    new = dict(files or {})
    with _writing(path):
        _settle(path)
        weights = (name for name in (WEIGHTS, HEAD) if name in new or (path / name).is_file())
        kept = (name for name in (RECIPE, *vocabulary_files(recipe), *weights) if name not in new)
        facts = {
            "format": FORMAT,
            "name": recipe.name,
            "source": recipe.source,
            "target": recipe.target,
            "licence": recipe.license,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "written_by": f"attn {version}",
            "scores": scores,
            "files": {name: _entry(path / name) for name in kept},
        }
        _replace(path, facts, new)


def add_file(path: Path, name: str, data: bytes | None = None) -> None:
    """Write the file `name` (or take it as it is on disk) and update its checksum in the manifest.

    Without a manifest, only write the file. Raises TrainingError if it cannot be written.
    """
    with _writing(path):
        if data is not None and not (path / FACTS).is_file():
            atomic.write(path / name, data)
            return
        _settle(path)
        facts = read_manifest(path)
        if data is None:
            facts["files"][name] = _entry(path / name)
        _replace(path, facts, {} if data is None else {name: data})


def add_graphs(path: Path, files: Mapping[str, bytes], *, precision: str) -> None:
    """Replace the graphs of a model, and weights that change with them, at one instant.

    Raises TrainingError if the disk will not take them.
    """
    with _writing(path):
        _settle(path)
        facts = _without_graphs(read_manifest(path)) | {"precision": precision}
        _replace(path, facts, files)


def _replace(path: Path, facts: dict[str, Any], files: Mapping[str, bytes]) -> None:
    """Make `facts`, with these new files, the model in the folder.

    Raises OSError before that has happened, and the model is what it was.
    """
    staging = path / STAGING
    entries = {}
    try:
        for name, data in files.items():
            atomic.write(staging / name, data)
            entries[name] = entry_of(data)
        staged = {"staged": list(entries)} if entries else {}
        _write_json(path / FACTS, facts | {"files": facts["files"] | entries} | staged)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    with suppress(OSError):  # files with other names make no other model
        _settle(path)
        for name in _OWN:
            if name not in facts["files"] and name not in entries:
                (path / name).unlink(missing_ok=True)


def recover(path: Path) -> None:
    """Complete a replacement of files that a killed process began, or discard what it left.

    Raises TrainingError if the disk will not take it; the model is the same then.
    """
    with _writing(path):
        atomic.remove_parts(path)
        _settle(path)


def _settle(path: Path) -> None:
    try:
        facts = read_manifest(path)
    except ModelError:
        facts = {}
    if staged := facts.pop("staged", []):
        for name in staged:
            _place(path / STAGING / name, path / name)
        _write_json(path / FACTS, facts)
    if (path / STAGING).exists():
        shutil.rmtree(path / STAGING, ignore_errors=True)


def _place(file: Path, name: Path) -> None:
    """Replace `name` by a hard link to `file`, or by a copy if links are not supported."""
    part = name.with_name(name.name + atomic.PART)
    part.unlink(missing_ok=True)
    try:
        os.link(file, part)
    except OSError:
        shutil.copyfile(file, part)
    os.replace(part, name)


def rebase_paths(
    recipe: Recipe, base: Path, folder: Path, *, absolute_outside: bool = False
) -> Recipe:
    """The recipe with its files, relative to `base` so far, made relative to `folder`.

    "-", standard input, is nowhere. Links to folders are followed, since a path that goes up
    from behind one would leave it elsewhere. With `absolute_outside`, files that are not below
    `folder` get absolute paths, for people.
    """

    def moved(file: str) -> str:
        if file == "-":
            return file
        real = _real(base / file)
        if absolute_outside and not real.is_relative_to(os.path.realpath(folder)):
            return str(real)
        return os.path.relpath(real, os.path.realpath(folder))

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


def finetuning_recipe(recipe: Recipe, start: Bundle) -> Recipe:
    """`recipe` with the vocabulary and the network of `start`, which training is to begin from.

    With `train.new_vocabulary` the vocabulary is that of `recipe`, but joint or not as before.
    Raises ModelError if `start` is of other languages, or aligns alone; UsageError if its word
    aligner were to be kept with another vocabulary.
    """
    if not start.has_files(WEIGHTS):
        lacks = "graphs but no weights" if start.can_translate else "no decoder"
        raise ModelError(
            f"the model {start.name} cannot be fine-tuned: it has {lacks}",
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
    tokenizer = start.recipe.tokenizer
    if recipe.train.new_vocabulary:
        if recipe.train.freeze_aligner and start.has_files(HEAD):
            raise UsageError(
                "train.freeze_aligner and train.new_vocabulary exclude each other: the word "
                "aligner has embeddings for the pieces of the former vocabulary only",
                "Add --set train.freeze_aligner=false.",
            )
        tokenizer = replace(recipe.tokenizer, joint=tokenizer.joint)
    return replace(
        recipe,
        source=start.recipe.source,
        target=start.recipe.target,
        tokenizer=tokenizer,
        model=start.recipe.model,
        decode=start.recipe.decode if recipe.decode == config.DecodeConfig() else recipe.decode,
    )


def _entry(path: Path) -> dict[str, Any]:
    """Return the entry of bundle.json for a file: its size and sha256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def entry_of(data: bytes) -> dict[str, Any]:
    """Return the entry of bundle.json for a file with that content."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"cannot write into {path}: {error.strerror}",
            "Free some space there, or choose another --out.",
        ) from error


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    atomic.write_text(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


_DAMAGED = "Copy or train the model again; attn models list shows the others."
