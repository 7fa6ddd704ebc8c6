"""--diagnostics and --flag-below: the formats that hold them, and the lines that are flagged."""

import math
from collections.abc import Sequence
from dataclasses import replace

from attn_cli.console import Console
from attn_cli.errors import UsageError
from attn_cli.types import LineResult

#: The formats that hold diagnostics.
FORMATS = ("jsonl", "tsv")


def check_format(format: str) -> None:
    """Raises UsageError if the format does not hold diagnostics."""
    if format not in FORMATS:
        raise UsageError(
            f"--diagnostics needs the format jsonl or tsv, not {format}",
            "Choose one of these with --format.",
        )


def check_flag(threshold: float | None) -> None:
    """Raises UsageError if --flag-below is not a number."""
    if threshold is not None and math.isnan(threshold):
        raise UsageError("--flag-below cannot be nan", "Give a number from 0 to 1.")


def flag(
    records: Sequence[LineResult], threshold: float, console: Console, *, format: str
) -> list[LineResult]:
    """Mark the translations of a confidence below `threshold`.

    The records of jsonl have a field; for other formats a line on stderr names each.
    """
    flagged = []
    for request, translation, links in records:
        confidence = translation.confidence
        is_low = confidence is not None and confidence < threshold
        if is_low and format != "jsonl":
            console.info(
                f"attn: line {translation.line}: the confidence {confidence:.2f} is below "
                f"{threshold:g}"
            )
        flagged.append((request, replace(translation, is_flagged=is_low), links))
    return flagged
