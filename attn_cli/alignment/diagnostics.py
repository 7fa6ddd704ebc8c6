"""Diagnostics of a sentence from its table of weights: signs of errors without a reference.

Coverage deviation and entropies follow Rikters & Fishel 2017, "Confidence through Attention",
section 3, with a positive sign: larger is worse.
"""

from collections.abc import Sequence

import numpy as np

from attn_cli.types import Diagnostics, FloatArray, SoftAlignment, WordAlignment

#: Words in the longest sequence whose immediate repetition is reported.
MAX_REPEATED = 4


def diagnose(
    table: SoftAlignment, links: WordAlignment, other: SoftAlignment | None = None
) -> Diagnostics:
    """Return the diagnostics of a table and its links.

    `other` is a table of another kind for the same words, from which `disagreement` is measured; it
    is ignored if its words are others.
    """
    linked = {s for s, _ in links.links}
    is_same = other is not None and (other.source, other.target) == (table.source, table.target)
    return Diagnostics(
        coverage_deviation=coverage_deviation(table.weights),
        target_entropy=mean_entropy(np.column_stack([table.weights, table.unaligned])),
        source_entropy=mean_entropy(_normalize(table.weights.T)),
        unlinked_source=tuple(
            s
            for s, word in enumerate(table.source)
            if s not in linked and any(map(str.isalnum, word))
        ),
        repeated_target=repeated_words(table.target),
        disagreement=disagreement(table, other) if other is not None and is_same else None,
    )


def coverage_deviation(weights: FloatArray) -> float:
    """Return the mean over source words of log(1 + (1 - Σ_t a_ts)²) of (T, S) weights.

    0 if each source word receives a total weight of 1, and without source words.
    """
    if not weights.shape[1]:
        return 0.0
    coverage = weights.sum(0, dtype=np.float64)  # (S,)
    return float(np.log1p((1 - coverage) ** 2).mean())


def mean_entropy(rows: FloatArray) -> float:
    """Return the mean entropy in nats of (N, K) distributions; a row of zeros has 0."""
    if not rows.size:
        return 0.0
    probs = np.asarray(rows, np.float64)
    logs = np.log(probs, out=np.zeros_like(probs), where=probs > 0)
    return float(-(probs * logs).sum(1).mean())


def _normalize(rows: FloatArray) -> FloatArray:
    """Divide rows by their sums; a row of zeros does not change."""
    sums = rows.sum(1, keepdims=True)
    normalized: FloatArray = np.divide(rows, sums, out=np.zeros_like(rows), where=sums > 0)
    return normalized


def repeated_words(words: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of words in a sequence of at most four that repeats the one before it.

    Case does not count, and a sequence without letters or digits is no repetition.
    """
    folded = [word.casefold() for word in words]
    repeated: set[int] = set()
    for size in range(1, MAX_REPEATED + 1):
        for start in range(size, len(folded) - size + 1):
            sequence = folded[start : start + size]
            has_letters = any(character.isalnum() for word in sequence for character in word)
            if has_letters and sequence == folded[start - size : start]:
                repeated |= set(range(start, start + size))
    return tuple(sorted(repeated))


def disagreement(one: SoftAlignment, other: SoftAlignment) -> float:
    """Return the mean total variation distance of the rows of two tables, from 0 to 1."""
    if not one.target:
        return 0.0
    difference = np.abs(one.weights - other.weights).sum(1) + np.abs(
        one.unaligned - other.unaligned
    )
    return float(difference.mean() / 2)
