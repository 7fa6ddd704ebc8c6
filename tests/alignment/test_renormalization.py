"""Rows without the weight of the end of the sentence sum to 1 and keep their proportions."""

import numpy as np

from attn_cli.alignment.renormalization import renormalize, renormalize_tables
from attn_cli.types import HeadAlignment, SoftAlignment, Translation


def table(*rows: list[float]) -> SoftAlignment:
    weights = np.array(rows, np.float32)
    source = tuple("abc"[: weights.shape[1]])
    return SoftAlignment(source, tuple("xyz"[: len(rows)]), weights, 1 - weights.sum(1))


def test_rows_sum_to_1_and_keep_their_proportions():
    renormalized = renormalize(table([0.25, 0.25], [0.1, 0.3]))
    np.testing.assert_allclose(renormalized.weights, [[0.5, 0.5], [0.25, 0.75]], rtol=1e-6)
    assert not renormalized.unaligned.any()


def test_a_row_of_zeros_stays_as_it_is():
    renormalized = renormalize(table([0.0, 0.0], [0.5, 0.0]))
    np.testing.assert_array_equal(renormalized.weights, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(renormalized.unaligned, [1, 0])


def test_link_probabilities_do_not_change():
    link_probs = np.array([[0.9, 0.2]], np.float32)
    alignment = table([0.2, 0.2])
    renormalized = renormalize(
        SoftAlignment(
            alignment.source,
            alignment.target,
            alignment.weights,
            alignment.unaligned,
            "alignment",
            link_probs=link_probs,
        )
    )
    assert renormalized.link_probs is link_probs


def test_the_tables_of_heads_change_too():
    alignment = table([0.25, 0.25])
    translation = Translation(
        1, "a b", "x", alignment=alignment, heads=(HeadAlignment(1, 1, alignment),)
    )
    renormalized = renormalize_tables(translation)
    np.testing.assert_allclose(renormalized.heads[0].alignment.weights, [[0.5, 0.5]])
    assert renormalize_tables(Translation(1, "", "")).alignment is None
