"""The settings of a loaded model, and the bounds of the arguments that set them."""

import math
from dataclasses import dataclass

from attn_cli.choices import (
    MAX_BEAM,
    MAX_COVERAGE_PENALTY,
    MAX_LENGTH_PENALTY,
    MAX_THREADS,
    Extraction,
    Level,
    MatrixKind,
)
from attn_cli.errors import UsageError
from attn_cli.inference.engines.registry import AUTO, EngineOptions
from attn_cli.inference.head_request import HeadRequest


@dataclass(frozen=True)
class ModelSettings:
    """Settings of a loaded model that are not its recipe's. See `load`."""

    weights: MatrixKind | None = None
    level: Level = "word"
    extraction: Extraction = "threshold"
    threshold: float | None = None
    n_best: int = 1
    engine: EngineOptions = AUTO
    heads: HeadRequest | None = None
    diagnostics: bool = False


def check_bounds(
    beam: int | None,
    n_best: int,
    length_penalty: float | None,
    coverage_penalty: float | None,
    threshold: float | None,
    threads: int | None,
) -> None:
    """Raises UsageError for an argument of `load` out of its bounds."""
    bounds: tuple[tuple[str, float | None, float, float], ...] = (
        ("beam", beam, 1, MAX_BEAM),
        ("n_best", n_best, 1, MAX_BEAM),
        ("threads", threads, 1, MAX_THREADS),
        ("length_penalty", length_penalty, 0, MAX_LENGTH_PENALTY),
        ("coverage_penalty", coverage_penalty, 0, MAX_COVERAGE_PENALTY),
        ("threshold", threshold, 0, 1),
    )
    for name, value, low, high in bounds:
        if value is not None and not (low <= value <= high and math.isfinite(value)):
            upper = "" if high == math.inf else f" to {high:g}"
            raise UsageError(f"{name} cannot be {value}", f"Give a number from {low:g}{upper}.")
