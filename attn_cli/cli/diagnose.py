"""--diagnostics and --flag-below: the aligner to compare with, and the lines that are flagged."""

import math
from collections.abc import Sequence
from dataclasses import replace

from attn_cli.bundles.bundle import Bundle
from attn_cli.choices import Level
from attn_cli.cli.documents import LineResult
from attn_cli.cli.model_loading import ModelLoader
from attn_cli.console import Console
from attn_cli.errors import UsageError
from attn_cli.inference.pair_aligner import PairAligner

#: The formats that hold diagnostics.
FORMATS = ("jsonl", "tsv")


def check_format(format: str) -> None:
    """Raises UsageError if the format does not hold diagnostics."""
    if format not in FORMATS:
        raise UsageError(
            f"--diagnostics are fields of jsonl and columns of tsv; the format is {format}",
            "Choose one of these with --format.",
        )


def check_flag(threshold: float | None) -> None:
    """Raises UsageError if --flag-below is not a number."""
    if threshold is not None and math.isnan(threshold):
        raise UsageError("--flag-below cannot be nan", "Give a number from 0 to 1.")


def other_aligner(
    loader: ModelLoader, bundle: Bundle, *, by_aligner: bool, tokenized: bool, level: Level
) -> PairAligner | None:
    """Return an aligner by the kind of weights that is not shown; None if the model has no other.

    `by_aligner` says that the word aligner's weights are shown.
    """
    if by_aligner and bundle.can_translate and bundle.has_attention:
        return PairAligner(
            bundle.source,
            bundle.target,
            stepper=loader.decoder(bundle),
            tokenized=tokenized,
            level=level,
        )
    if not by_aligner and bundle.can_align:
        return PairAligner(
            bundle.source,
            bundle.target,
            matcher=loader.aligner(bundle),
            tokenized=tokenized,
            level=level,
        )
    return None


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
