"""A model on disk: the one place that knows the files of a bundle and their names.

Knows recipes and tokenizers; no torch: weights are a path here.

    recipe.toml          the model's whole definition
    joint.spm            the vocabulary (or source.spm and target.spm)
    model.safetensors    the weights
    bundle.json          format, languages, size and sha256 of each file, scores
"""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.config import Recipe
from attn_cli.errors import AttnError, ModelError, TrainingError
from attn_cli.text.tokenizer import Tokenizer

#: The format this program writes, and the newest it reads.
FORMAT = 1

RECIPE, WEIGHTS, FACTS, CARD = "recipe.toml", "model.safetensors", "bundle.json", "MODEL_CARD.md"
JOINT, SOURCE, TARGET = "joint.spm", "source.spm", "target.spm"


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
    def name(self) -> str:
        """What the model is called."""
        return self.recipe.name


def open_bundle(path: Path) -> Bundle:
    """The bundle in that folder.

    Raises ModelError when it is missing, lacks a file, holds one of another size than its
    bundle.json says, or is of a newer format.
    """
    facts = read_facts(path)
    for name, entry in facts["files"].items():
        file = path / name
        if not file.is_file():
            raise ModelError(f"the model {path} lacks its file {name}", _DAMAGED)
        if file.stat().st_size != entry["bytes"]:
            sizes = f"{file.stat().st_size} bytes where {entry['bytes']} were written"
            raise ModelError(f"the model {path} is damaged: {name} has {sizes}", _DAMAGED)
    try:
        recipe = config.load(path / RECIPE)
    except ModelError:
        raise
    except AttnError as error:
        raise ModelError(f"the model {path} is unfit: {error.problem}", error.hint) from error
    source, target = load_tokenizers(path, recipe)
    return Bundle(path, recipe, source, target, facts)


def read_facts(path: Path) -> dict[str, Any]:
    """The bundle.json of the folder `path`, its format checked."""
    try:
        facts = json.loads((path / FACTS).read_text(encoding="utf-8"))
        known = isinstance(facts["format"], int) and isinstance(facts["files"], dict)
    except OSError as error:
        hint = "Train one with attn train, or name one that attn models list shows."
        raise ModelError(f"{path} holds no model: there is no {FACTS} in it", hint) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the model {path} is damaged: {FACTS} cannot be read", _DAMAGED
        ) from error
    if not known:
        raise ModelError(f"the model {path} is damaged: {FACTS} cannot be read", _DAMAGED)
    if facts["format"] > FORMAT:
        newer = f"the model {path} is of format {facts['format']}, this program reads {FORMAT}"
        raise ModelError(newer, "Upgrade attn.")
    return dict(facts)


def load_tokenizers(path: Path, recipe: Recipe) -> tuple[Tokenizer, Tokenizer]:
    """The source's and the target's tokenizer; one and the same where the vocabulary is joint."""
    if recipe.tokenizer.joint:
        joint = Tokenizer.load(path / JOINT)
        return joint, joint
    return Tokenizer.load(path / SOURCE), Tokenizer.load(path / TARGET)


def write_definition(path: Path, recipe: Recipe, source: Tokenizer, target: Tokenizer) -> None:
    """Begin a bundle: the recipe and the vocabulary, before there are weights."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_recipe(path, recipe)
        if recipe.tokenizer.joint:
            source.save(path / JOINT)
        else:
            source.save(path / SOURCE)
            target.save(path / TARGET)
    except OSError as error:
        raise TrainingError(
            f"cannot write into {path}: {error.strerror}", "Choose another --out."
        ) from error


def write_recipe(path: Path, recipe: Recipe) -> None:
    """The recipe, as the file a person edits to get another model."""
    heading = f"attn train {RECIPE} --out ../another"
    _write_text(path / RECIPE, config.to_toml(recipe, helps=True, heading=heading))


def seal(path: Path, recipe: Recipe, *, version: str, scores: dict[str, Any]) -> None:
    """Write bundle.json over the files that are there now, which makes the folder a model."""
    names = [RECIPE, WEIGHTS, *([JOINT] if recipe.tokenizer.joint else [SOURCE, TARGET])]
    facts = {
        "format": FORMAT,
        "name": recipe.name,
        "source": recipe.source,
        "target": recipe.target,
        "written_by": f"attn {version}",
        "scores": scores,
        "files": {name: _entry(path / name) for name in names},
    }
    _write_text(path / FACTS, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def relocated(recipe: Recipe, base: Path, folder: Path) -> Recipe:
    """The recipe with its data paths, relative to `base` so far, made relative to `folder`."""
    moved = {
        name: os.path.relpath(base / value, folder)
        for name in config.DATA_FILES
        if (value := getattr(recipe.data, name))
    }
    return config.with_files(recipe, moved)


def started_from(recipe: Recipe, start: Bundle) -> Recipe:
    """`recipe` with the vocabulary and the network of `start`, which training is to begin from."""
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
    )


def _entry(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _write_text(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


_DAMAGED = "Copy or train the model again; attn models list shows the others."
