"""Flat arrays of the links of many pairs return the links unchanged."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attn_cli.alignment.link_table import LinkTable

positions = st.tuples(st.integers(0, 9), st.integers(0, 7))
pairs = st.lists(st.dictionaries(positions, st.sampled_from([0.25, 0.5, 1.0])), max_size=5)


@given(pairs)
def test_a_link_table_returns_the_links_of_each_pair_unchanged(
    rows: list[dict[tuple[int, int], float]],
) -> None:
    table = LinkTable.from_links(rows)
    assert len(table) == len(rows)
    assert [table.links(pair) for pair in range(len(rows))] == rows


@given(pairs)
def test_a_matrix_has_each_link_at_its_target_and_source(
    rows: list[dict[tuple[int, int], float]],
) -> None:
    order = np.arange(len(rows), dtype=np.int32)[::-1]
    matrices = LinkTable.from_links(rows).to_matrices(order, n_target=8, n_source=10)
    assert matrices.shape == (len(rows), 8, 10)
    for matrix, row in zip(matrices, reversed(rows), strict=True):
        links = {(int(s), int(t)): float(matrix[t, s]) for t, s in np.argwhere(matrix)}
        assert links == row


def test_a_link_beyond_a_truncated_sentence_is_omitted() -> None:
    table = LinkTable.from_links([{(0, 0): 1.0, (5, 0): 1.0, (0, 5): 1.0}])
    matrix = table.to_matrices(np.array([0], np.int32), n_target=2, n_source=3)[0]
    assert matrix.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@given(pairs, st.randoms())
def test_arrays_of_links_in_any_order_are_grouped_by_pair(
    rows: list[dict[tuple[int, int], float]], random: Random
) -> None:
    links = [(pair, *link, weight) for pair, row in enumerate(rows) for link, weight in row.items()]
    random.shuffle(links)
    pair, source, target, weight = (np.array([f[n] for f in links], float) for n in range(4))
    table = LinkTable.from_arrays(
        pair.astype(int), source.astype(int), target.astype(int), weight, n_pairs=len(rows)
    )
    assert [table.links(number) for number in range(len(rows))] == rows
