"""A training's plan on disk, from which `--resume` goes on or begins again. Loads no torch.

    checkpoints/plan.next.json    a training whose text has not been read yet: resolved recipe,
                                  options, the model it starts from
    checkpoints/plan.json         a training whose recipe and vocabulary are in the folder, with the
                                  digests of its text
    checkpoints/start-*/          a copy of the model it starts from

`plan.next.json` is written before anything slow. While it is there, all else in the folder belongs
to an earlier training, or is half written: resuming begins again. Then the text has been read, the
recipe and the vocabulary are written, `plan.json` is, and `plan.next.json` goes.
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

#: The folder in it of the prepared text, which is there while a training runs.
TEXT_FOLDER = "text"


@dataclass(frozen=True)
class Plan:
    """What a training needs to begin again: its recipe, whose files are relative to its folder.

    `start` is the folder in `checkpoints` of the model that it starts from, `text` the digest of
    each text that has been read, `finished` why training ended, when it has.
    """

    recipe: Recipe
    start: str = ""
    text: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    finished: str = ""

    def save(self, out: Path, name: str = PLAN) -> None:
        """Write it into the checkpoints of a folder. Raises TrainingError if that cannot be."""
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
        """The copy of the model that it starts from, if it does."""
        return bundle.open_bundle(out / CHECKPOINTS / self.start) if self.start else None


@dataclass(frozen=True)
class ResumePlan:
    """The plan of a training that stopped; with `restart`, nothing of it can be gone on with."""

    plan: Plan
    restart: bool


def write_plan(
    out: Path, recipe: Recipe, start: Bundle | None = None, options: Mapping[str, Any] | None = None
) -> Plan:
    """Write the plan of a training that begins in `out`, with a copy of the model to start from.

    What is there stays until `commit_plan`. Raises TrainingError if the disk will not take it.
    """
    name = _copy_start(out / CHECKPOINTS, start) if start else ""
    plan = Plan(recipe, name, options=options or {})
    plan.save(out, NEXT_PLAN)
    return plan


def remove_plan(out: Path) -> None:
    """Remove the plan that `write_plan` wrote: the folder is then what it was."""
    checkpoints = out / CHECKPOINTS
    (checkpoints / NEXT_PLAN).unlink(missing_ok=True)
    if not (checkpoints / PLAN).exists():
        for folder in checkpoints.glob(f"{START_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)
    if checkpoints.is_dir() and not any(checkpoints.iterdir()):
        checkpoints.rmdir()


def clear_checkpoints(out: Path, plan: Plan, *, keep: tuple[str, ...] = ()) -> None:
    """Remove an earlier training's checkpoints; those named `keep` stay."""
    for path in (out / CHECKPOINTS).glob("*"):
        if path.name in (NEXT_PLAN, plan.start, *keep) or path.name.startswith(TEXT_FOLDER):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def commit_plan(out: Path, plan: Plan) -> None:
    """Make the plan that of the folder, whose recipe and vocabulary have been written."""
    plan.save(out)
    (out / CHECKPOINTS / NEXT_PLAN).unlink(missing_ok=True)


def read_plan(out: Path) -> ResumePlan:
    """The training that lies in `out`.

    Raises UsageError when there is none, ModelError when its plan cannot be read.
    """
    checkpoints = out / CHECKPOINTS
    if (checkpoints / NEXT_PLAN).is_file():
        return ResumePlan(_load_plan(checkpoints / NEXT_PLAN), restart=True)
    if not any((checkpoints / name).is_file() for name in (PLAN, LAST_CHECKPOINT)):
        raise UsageError(
            f"{out} holds no training to go on with",
            "Name the --out folder of an earlier attn train.",
        )
    recipe = config.load(out / manifest.RECIPE, legacy_defaults=True)
    if not (checkpoints / PLAN).is_file():  # made before there were plans
        return ResumePlan(Plan(recipe), restart=False)
    return ResumePlan(replace(_load_plan(checkpoints / PLAN), recipe=recipe), restart=False)


def recover(out: Path) -> None:
    """Complete or remove what a killed training left half done.

    Raises TrainingError if the disk will not take it.
    """
    storage.recover(out)
    atomic.remove_parts(out / CHECKPOINTS)


def check_digests(
    before: Mapping[str, str], now: Mapping[str, str], names: Mapping[str, str]
) -> None:
    """Raises DataError, naming it by `names`, for a text that is not what training began with."""
    changed = [key for key, digest in before.items() if now.get(key, digest) != digest]
    if changed:
        raise DataError(
            f"{names[changed[0]]} has changed since this training began",
            "Put back what it was, or go on with it as it is: --accept-new-data.",
        )


def _load_plan(path: Path) -> Plan:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        recipe, start, finished = texts = facts["recipe"], facts["start"], facts["finished"]
        if not all(isinstance(text, str) for text in texts) or os.path.basename(start) != start:
            raise ValueError("a text is none, or names a folder elsewhere")
        parsed = config.parse(recipe, where=str(path))
        return Plan(parsed, start, facts["text"], facts["options"], finished)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, UsageError) as error:
        raise ModelError(
            f"the training's {path} cannot be read", "Train again with --force."
        ) from error


def _copy_start(checkpoints: Path, start: Bundle) -> str:
    """Copy a model into the checkpoints; the name of its folder there."""
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
    hint = "Make room there, or choose another --out."
    return TrainingError(f"cannot write {path}: {error.strerror}", hint)
