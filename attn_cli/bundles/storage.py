"""Write a bundle: completely or not at all, whenever the process ends.

A folder changes from one model to the next when its bundle.json is replaced, and at no other
moment: new files are written into `.staging/`, then bundle.json lists them as `staged`, then they
are renamed, then bundle.json is written without `staged`. A process killed in between leaves the
old model or the new one; the next write completes or discards the rest.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.bundles import vocabularies
from attn_cli.bundles.bundle import Bundle
from attn_cli.bundles.manifest import (
    ALL_GRAPHS,
    CARD,
    FACTS,
    FORMAT,
    FORMER_NAMES,
    OWN_FILES,
    RECIPE,
    STAGING,
    WEIGHTS,
    WORD_ALIGNER,
    altered,
    checksum,
    entry_of,
    file_entry,
    locate,
    read_manifest,
    read_text_file,
)
from attn_cli.bundles.vocabularies import vocabulary_files
from attn_cli.config import Recipe
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.errors import ModelError, TrainingError
from attn_cli.files import atomic


def copy(bundle: Bundle, folder: Path, *, graphs: bool = True) -> None:
    """Copy the files of a bundle and its card into an empty folder, bundle.json last.

    Logs and checkpoints of its training are not copied, nor are graphs without `graphs`. Raises
    ModelError if a copied file has another checksum, OSError if the disk cannot be written.
    """
    facts = {key: value for key, value in bundle.facts.items() if key != "staged"}
    if not graphs:
        facts = _without_graphs(facts)
    for name, entry in facts["files"].items():
        with suppress(FileNotFoundError):  # then `checksum` raises
            shutil.copyfile(locate(bundle.path, bundle.facts, name), folder / name)
        if checksum(folder / name) != entry["sha256"]:
            raise altered(bundle.path, name)
    if os.path.lexists(bundle.path / CARD) and not bundle.has_files(CARD):
        card = read_text_file(bundle.path, bundle.facts, CARD)
        (folder / CARD).write_bytes(card)
        facts["files"] = facts["files"] | {CARD: entry_of(card)}
    _write_json(folder / FACTS, facts)


def _without_graphs(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the content of bundle.json without graphs."""
    files = {name: entry for name, entry in facts["files"].items() if name not in ALL_GRAPHS}
    return {key: value for key, value in facts.items() if key != "precision"} | {"files": files}


def write_definition(
    path: Path, recipe: Recipe, source: SubwordTokenizer, target: SubwordTokenizer
) -> None:
    """Write the recipe and the vocabulary of a new bundle, which has no parameters yet.

    Removes an existing model. Raises TrainingError if the disk cannot be written.
    """
    with _writing(path):
        path.mkdir(parents=True, exist_ok=True)
        (path / FACTS).unlink(missing_ok=True)  # first: it invalidates the rest
        _settle(path)
        for name in OWN_FILES:
            (path / name).unlink(missing_ok=True)
        write_recipe(path, recipe)
        contents = vocabularies.vocabulary_contents(recipe, source, target)
        for name, data in contents.items():
            (path / name).write_bytes(data)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write the recipe, with help for each key, and update bundle.json if it exists."""
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
    """Write bundle.json: the recipe, the vocabulary, the parameters and these new `files`.

    Graphs and a calibration are left out, since they belong to other parameters. Raises
    TrainingError if the disk cannot be written.
    """
    new = dict(files or {})
    with _writing(path):
        _settle(path)
        parameters = (WEIGHTS, WORD_ALIGNER, FORMER_NAMES[WORD_ALIGNER])
        weights = (name for name in parameters if name in new or (path / name).is_file())
        unchanged = (
            name for name in (RECIPE, *vocabulary_files(recipe), *weights) if name not in new
        )
        facts = {
            "format": FORMAT,
            "name": recipe.name,
            "source": recipe.source,
            "target": recipe.target,
            "license": recipe.license,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "written_by": f"attn {version}",
            "scores": scores,
            "files": {name: file_entry(path / name) for name in unchanged},
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
            facts["files"][name] = file_entry(path / name)
        _replace(path, facts, {} if data is None else {name: data})


def add_graphs(path: Path, files: Mapping[str, bytes], *, precision: str) -> None:
    """Replace the graphs of a model, and parameters that change with them, atomically.

    Raises TrainingError if the disk cannot be written.
    """
    with _writing(path):
        _settle(path)
        facts = _without_graphs(read_manifest(path)) | {"precision": precision}
        _replace(path, facts, files)


def _replace(path: Path, facts: dict[str, Any], files: Mapping[str, bytes]) -> None:
    """Replace bundle.json and these files atomically.

    Raises OSError if that fails; the model is then unchanged.
    """
    staging = path / STAGING
    entries = {}
    try:
        for name, data in files.items():
            atomic.write(staging / name, data)
            entries[name] = entry_of(data)
        former = {FORMER_NAMES[name] for name in entries if name in FORMER_NAMES}
        listed = {name: entry for name, entry in facts["files"].items() if name not in former}
        facts = facts | {"format": FORMAT, "files": listed}
        staged = {"staged": list(entries)} if entries else {}
        _write_json(path / FACTS, facts | {"files": facts["files"] | entries} | staged)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    with suppress(OSError):  # the model is complete without this
        _settle(path)
        for name in OWN_FILES:
            if name not in facts["files"] and name not in entries:
                (path / name).unlink(missing_ok=True)


def recover(path: Path) -> None:
    """Complete a replacement that a killed process began, or discard its files.

    Raises TrainingError if the disk cannot be written; the model is then unchanged.
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
