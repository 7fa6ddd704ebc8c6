"""Read trainings from their folders: logs, recipes, checkpoints. Imports no torch.

A log may end within a line, as that of a running or killed training.
"""

import json
import math
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attn_cli import config
from attn_cli.bundles.manifest import RECIPE
from attn_cli.errors import AttnError
from attn_cli.files.folder_lock import LOCK
from attn_cli.training.resume import CHECKPOINTS, LAST_CHECKPOINT

LOG = "log.jsonl"

#: Without a lock, a training with a log that is not older counts as running.
RUNNING_SECONDS = 120.0

#: The greatest depth of a run's folder below the searched one.
MAX_DEPTH = 3

Point = tuple[float, float]


@dataclass(frozen=True)
class Run:
    """One training. `state` is running, finished, interrupted or crashed.

    `loss`, in nats per piece, and `bleu` are those of the best validation, or of the average if it
    is better; `losses` and `bleus` those of all validations, by update. `recipe` has flat keys such
    as `data.source`; its paths are relative to the working directory.
    """

    folder: Path
    state: str
    updates: int
    minutes: float
    loss: float | None
    bleu: float | None
    losses: list[Point]
    bleus: list[Point]
    recipe: dict[str, Any]
    resumable: bool


def find_runs(folder: Path) -> Iterator[Path]:
    """Yield `folder` if it has a run, else the folders of the runs below it, sorted by name."""
    if (folder / LOG).is_file():
        yield folder
        return
    for where, folders, files in os.walk(folder):
        folders.sort()
        depth = len(Path(where).relative_to(folder).parts)
        if LOG in files or depth >= MAX_DEPTH:
            folders.clear()
        if LOG in files:
            yield Path(where)


def read_run(folder: Path, *, now: float | None = None) -> Run:
    """Read the run in a folder; `now` is the current time in seconds since 1970."""
    log = _Log()
    for row in _rows(folder / LOG):
        log.add(row)
    state = log.state
    if _is_running(folder, log.time, time.time() if now is None else now, ended=bool(state)):
        state = "running"
    best = max(log.validations, key=lambda result: (result.bleu, -result.loss), default=None)
    bleu = best.bleu if best else None
    return Run(
        folder,
        state or "crashed",
        log.step,
        log.seconds / 60,
        best.loss if best else None,
        max(bleu, log.average) if bleu is not None else None,
        [(result.step, result.loss) for result in log.validations],
        [(result.step, result.bleu) for result in log.validations],
        _recipe(folder),
        (folder / CHECKPOINTS / LAST_CHECKPOINT).is_file(),
    )


@dataclass(frozen=True)
class _Validation:
    step: float
    loss: float
    bleu: float


@dataclass
class _Log:
    """The summary of the rows of a log. Rows with invalid fields are ignored."""

    state: str = ""
    step: int = 0
    time: float = 0.0
    seconds: float = 0.0
    average: float = -math.inf
    validations: list[_Validation] = field(default_factory=list)

    def add(self, row: dict[str, Any]) -> None:
        """Add the next row."""
        name = row["event"]
        now = _number(row, "time") or self.time
        if not self.time or (name == "phase" and row.get("number") == 1):
            self.state = ""  # a new command continues the training
        else:
            self.seconds += max(0.0, now - self.time)
        if name == "data_prepared":
            self.state = ""
        self.time = now
        step, bleu = _number(row, "step"), _number(row, "bleu")
        if name == "training_finished":
            self.state = "interrupted" if row.get("reason") == "interrupted" else "finished"
            self.average = bleu if bleu is not None else self.average
        if step is None or name == "aligner_training_progress":
            return
        if name == "training_started":  # later validations were lost with the last process
            self.validations = [result for result in self.validations if result.step <= step]
        self.step = int(step)
        loss = _number(row, "loss")
        if name == "validation_finished" and loss is not None and bleu is not None:
            self.validations.append(_Validation(step, loss, bleu))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the valid rows of a log."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("event"), str):
            yield row


def _number(row: dict[str, Any], key: str) -> float | None:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _is_running(folder: Path, log_time: float, now: float, *, ended: bool) -> bool:
    """Whether a process trains in the folder, by its lock, or by the age of the log."""
    try:
        process, host = (folder / LOCK).read_text("utf-8", "replace").split()
    except (OSError, ValueError):
        return not ended and abs(now - log_time) <= RUNNING_SECONDS
    if host != socket.gethostname() or sys.platform == "win32" or not process.isdecimal():
        return not ended and abs(now - log_time) <= RUNNING_SECONDS
    try:
        os.kill(int(process), 0)  # signal 0 only checks
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _recipe(folder: Path) -> dict[str, Any]:
    """Return the recipe with flat keys, empty if it cannot be read."""
    try:
        recipe = config.load(folder / RECIPE, legacy_defaults=True)
    except AttnError:
        return {}
    flat = dict(_flatten(config.to_dict(recipe), ""))
    for key in config.DATA_FILES:
        path = flat.get(f"data.{key}")
        if path and path != "-":
            flat[f"data.{key}"] = os.path.relpath(folder / path)
    return flat


def _flatten(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def recipe_differences(runs: list[Run]) -> list[dict[str, Any]]:
    """Return for result run the values of its recipe in which the recipes of the runs differ.

    A key is shortened to its last part if that is unambiguous. A run without a recipe has none.
    """
    recipes = [run.recipe for run in runs if run.recipe]
    keys = {key: None for recipe in recipes for key in recipe if key != "name"}
    differing = [key for key in keys if len({str(recipe.get(key)) for recipe in recipes}) > 1]
    names = [key.rpartition(".")[2] for key in differing]
    short = {
        key: name if names.count(name) == 1 else key
        for key, name in zip(differing, names, strict=True)
    }
    return [{short[key]: run.recipe[key] for key in differing if key in run.recipe} for run in runs]
