"""Divide the weights of each target word by their sum, so that no mass is left without a word."""

from dataclasses import replace

import numpy as np

from attn_cli.types import SoftAlignment, Translation


def renormalize(table: SoftAlignment) -> SoftAlignment:
    """Return the table with rows that sum to 1, without mass on the end, the start or NULL.

    A row of zeros stays as it is. Link probabilities, which are no distribution, do not change.
    """
    sums = table.weights.sum(axis=1, keepdims=True)  # (T, 1)
    is_positive = sums > 0
    weights = np.divide(table.weights, sums, out=table.weights.copy(), where=is_positive)
    rest = np.where(is_positive[:, 0], np.float32(0), table.unaligned)
    return replace(table, weights=weights, unaligned=rest)


def renormalize_tables(translation: Translation) -> Translation:
    """Return the translation with all its tables renormalized."""
    if translation.alignment is None:
        return translation
    return replace(
        translation,
        alignment=renormalize(translation.alignment),
        heads=tuple(
            replace(each, alignment=renormalize(each.alignment)) for each in translation.heads
        ),
        others=tuple(map(renormalize, translation.others)),
    )
