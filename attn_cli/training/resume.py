"""Write and read a training's plan, from which `--resume` continues or restarts it.

Imports no torch.

    checkpoints/plan.next.json    of a training that has not read its text yet: resolved recipe,
                                  options, the model it starts from
    checkpoints/plan.json         of a training whose recipe and vocabulary are in the folder: also
                                  the digests of its text
    checkpoints/start-*/          a copy of the model it starts from

`plan.next.json` is written first. While it exists, all other files of the folder belong to an
earlier training or are incomplete, and resuming restarts the training. After the text has been
read, the recipe, the vocabulary and `plan.json` are written, and `plan.next.json` is deleted.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.bundles import bundle, manifest, storage
from attn_cli.bundles.bundle import Bundle
from attn_cli.config import Recipe
from attn_cli.errors import DataError, ModelError, TrainingError, UsageError
from attn_cli.files import atomic

CHECKPOINTS, LAST_CHECKPOINT = "checkpoints", "last.safetensors"
PLAN, NEXT_PLAN, START_PREFIX = "plan.json", "plan.next.json", "start-"

#: The folder of the prepared text in the checkpoints, during training.
TEXT_FOLDER = "text"


@dataclass(frozen=True)
class Plan:
    """All that a restart of a training needs; the recipe's files are relative to its folder.

    `start` is the folder in `checkpoints` of the model it starts from, `text` the digest of each
    text read, `finished` the reason why a finished training ended.
    """

    recipe: Recipe
    start: str = ""
    text: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    finished: str = ""

    def save(self, out: Path, name: str = PLAN) -> None:
        """Write the plan into the checkpoints of a folder. Raises TrainingError if it cannot."""
        path = out / CHECKPOINTS / name
        facts = {
            "recipe": config.to_toml(self.recipe),
            "start": self.start,
            "text": dict(self.text),
            "options": dict(self.options),
            "finished": self.finished,
        }
        try:
            atomic.write_text(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise _write_error(path, error) from error

    def start_model(self, out: Path) -> Bundle | None:
        """Open the copy of the model that the training starts from, if there is one."""
        return bundle.open_bundle(out / CHECKPOINTS / self.start) if self.start else None


@dataclass(frozen=True)
class ResumePlan:
    """The plan of an interrupted training; with `restart` it must start again."""

    plan: Plan
    restart: bool


def write_plan(
    out: Path, recipe: Recipe, start: Bundle | None = None, options: Mapping[str, Any] | None = None
) -> Plan:
    """Write the plan of a new training in `out`, with a copy of the model it starts from.

    Other files stay until `commit_plan`. Raises TrainingError if it cannot be written.
    """
    name = _copy_start(out / CHECKPOINTS, start) if start else ""
    plan = Plan(recipe, name, options=options or {})
    plan.save(out, NEXT_PLAN)
    return plan


def remove_plan(out: Path) -> None:
    """Undo `write_plan`."""
    checkpoints = out / CHECKPOINTS
    remove_file(checkpoints / NEXT_PLAN)
    if not (checkpoints / PLAN).exists():
        for folder in checkpoints.glob(f"{START_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)
    if checkpoints.is_dir() and not any(checkpoints.iterdir()):
        checkpoints.rmdir()


def remove_file(path: Path) -> None:
    """Remove a file of a training's folder, if it exists. Raises TrainingError if it stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(
            f"cannot remove {path}: {error.strerror}",
            "Make its folder writable, or choose another --out.",
        ) from error


def clear_checkpoints(out: Path, plan: Plan, *, keep: tuple[str, ...] = ()) -> None:
    """Remove an earlier training's checkpoints, except those named in `keep`."""
    for path in (out / CHECKPOINTS).glob("*"):
        if path.name in (NEXT_PLAN, plan.start, *keep) or path.name.startswith(TEXT_FOLDER):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove_file(path)


def commit_plan(out: Path, plan: Plan) -> None:
    """Make it the folder's plan, once the recipe and the vocabulary have been written."""
    plan.save(out)
    remove_file(out / CHECKPOINTS / NEXT_PLAN)


def read_plan(out: Path) -> ResumePlan:
    """Read the plan of the training in `out`.

    Raises UsageError if there is none, ModelError if its plan cannot be read.
    """
    checkpoints = out / CHECKPOINTS
    if (checkpoints / NEXT_PLAN).is_file():
        return ResumePlan(_load_plan(checkpoints / NEXT_PLAN), restart=True)
    if not any((checkpoints / name).is_file() for name in (PLAN, LAST_CHECKPOINT)):
        raise UsageError(
            f"{out} has no training to resume",
            "Name the --out folder of an earlier attn train.",
        )
    recipe = config.load(out / manifest.RECIPE, legacy_defaults=True)
    if not (checkpoints / PLAN).is_file():  # of a version without plans
        return ResumePlan(Plan(recipe), restart=False)
    return ResumePlan(replace(_load_plan(checkpoints / PLAN), recipe=recipe), restart=False)


def recover(out: Path) -> None:
    """Complete or remove the partial files of a killed training.

    Raises TrainingError if files cannot be written.
    """
    storage.recover(out)
    atomic.remove_parts(out / CHECKPOINTS)


def check_digests(
    before: Mapping[str, str], now: Mapping[str, str], names: Mapping[str, str]
) -> None:
    """Raise DataError, with its name in `names`, if a text has changed since training started."""
    changed = [key for key, digest in before.items() if now.get(key, digest) != digest]
    if changed:
        raise DataError(
            f"{names[changed[0]]} has changed since this training began",
            "Restore the former text, or use the new one: --accept-new-data.",
        )


def _load_plan(path: Path) -> Plan:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        recipe, start, finished = texts = facts["recipe"], facts["start"], facts["finished"]
        if not all(isinstance(text, str) for text in texts) or os.path.basename(start) != start:
            raise ValueError("a field is not text, or names another folder")
        parsed = config.parse(recipe, where=str(path))
        return Plan(parsed, start, facts["text"], facts["options"], finished)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, UsageError) as error:
        raise ModelError(
            f"the training's {path} cannot be read", "Train again with --force."
        ) from error


def _copy_start(checkpoints: Path, start: Bundle) -> str:
    """Copy a model into the checkpoints; return the name of its folder."""
    files = json.dumps(start.facts["files"], sort_keys=True)
    name = START_PREFIX + hashlib.sha256(files.encode()).hexdigest()[:12]
    if (checkpoints / name).is_dir():
        return name
    part = checkpoints / (name + atomic.PART)

    def copy(opened: Bundle) -> None:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        storage.copy(opened, part, graphs=False)

    try:
        bundle.load_stable(start.path, copy)
        os.rename(part, checkpoints / name)
    except OSError as error:
        raise _write_error(checkpoints / name, error) from error
    return name


def _write_error(path: Path, error: OSError) -> TrainingError:
    hint = "Free some space there, or choose another --out."
    return TrainingError(f"cannot write {path}: {error.strerror}", hint)
