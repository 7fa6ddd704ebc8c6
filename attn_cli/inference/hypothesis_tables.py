"""Build the table of a hypothesis, and the log-probabilities of its rows."""

from collections.abc import Sequence

import numpy as np

from attn_cli.alignment.merge import UnitLabels, build_alignment
from attn_cli.choices import Level
from attn_cli.inference.engines.interface import AlignmentModel
from attn_cli.inference.neural_alignment import align_batch
from attn_cli.types import DecodingMode, Hypothesis, SoftAlignment, TokenizedLine


def build_tables(
    sources: Sequence[TokenizedLine],
    targets: Sequence[TokenizedLine],
    hypotheses: Sequence[Hypothesis | None],
    *,
    aligner: AlignmentModel | None,
    mode: DecodingMode,
    level: Level,
) -> list[SoftAlignment]:
    """Return the table of each pair: the weights of the `aligner`, else of its hypothesis.

    Without a `aligner` each pair has a hypothesis with its attention weights.
    """
    if aligner is not None:
        return align_batch(aligner, sources, targets, mode=mode, level=level)
    tables = []
    for source, target, hypothesis in zip(sources, targets, hypotheses, strict=True):
        assert hypothesis is not None
        assert hypothesis.weights is not None
        weights = hypothesis.weights
        tables.append(
            build_alignment(weights, source, target, kind="attention", mode=mode, level=level)
        )
    return tables


def sum_logp(hypothesis: Hypothesis, rows: UnitLabels) -> tuple[float, ...]:
    """Return the log-probability of each row: the sum over its pieces, or its shares of them."""
    total = hypothesis.token_logp.astype(np.float64) @ rows.shares
    return tuple(total.tolist())
