"""Read the log of a training."""

import json
from pathlib import Path
from typing import Any

import numpy as np


def read_events(folder: Path, *names: str) -> list[dict[str, Any]]:
    """Return the rows of log.jsonl in order; with names only the rows of these events."""
    rows = map(json.loads, (folder / "log.jsonl").read_text("utf-8").splitlines())
    return [row for row in rows if not names or row["event"] in names]


def losses_of(folder: Path, *names: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the loss of each event of these names."""
    return np.array([row["loss"] for row in read_events(folder, *names)])
