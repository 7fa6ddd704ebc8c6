"""Rows without mass on the end sum to 1 and keep their proportions."""

import numpy as np

from attn_cli.alignment.renormalization import renormalize, renormalize_tables
from attn_cli.types import HeadAlignment, SoftAlignment, Translation


def table(*rows: list[float]) -> SoftAlignment:
    weights = np.array(rows, np.float32)
    source = tuple("abc"[: weights.shape[1]])
    return SoftAlignment(source, tuple("xyz"[: len(rows)]), weights, 1 - weights.sum(1))


def test_rows_sum_to_1_in_their_old_proportions():
    found = renormalize(table([0.25, 0.25], [0.1, 0.3]))
    np.testing.assert_allclose(found.weights, [[0.5, 0.5], [0.25, 0.75]], rtol=1e-6)
    assert not found.unaligned.any()


def test_a_row_of_zeros_stays_as_it_is():
    found = renormalize(table([0.0, 0.0], [0.5, 0.0]))
    np.testing.assert_array_equal(found.weights, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(found.unaligned, [1, 0])


def test_link_probabilities_do_not_change():
    links = np.array([[0.9, 0.2]], np.float32)
    one = table([0.2, 0.2])
    found = renormalize(
        SoftAlignment(
            one.source, one.target, one.weights, one.unaligned, "alignment", link_probs=links
        )
    )
    assert found.link_probs is links


def test_the_tables_of_heads_change_too():
    one = table([0.25, 0.25])
    translation = Translation(1, "a b", "x", alignment=one, heads=(HeadAlignment(1, 1, one),))
    found = renormalize_tables(translation)
    np.testing.assert_allclose(found.heads[0].alignment.weights, [[0.5, 0.5]])
    assert renormalize_tables(Translation(1, "", "")).alignment is None
