"""Tables of heads side by side: as many as fit, whole layers together, never too wide."""

import re

import numpy as np
import pytest
from drawing import draw
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from attn_cli.render.small_multiples import HeadGrid
from attn_cli.types import HeadAlignment, SoftAlignment

SOURCE, TARGET = ("I", "love", "strawberries"), ("J'", "aime", "les", "fraises")


def head(layer, number, source=SOURCE, target=TARGET, unaligned=0.0):
    weights = np.random.default_rng(10 * layer + number).dirichlet(
        np.full(len(source), 0.3), len(target)
    )
    table = SoftAlignment(
        tuple(source),
        tuple(target),
        ((1 - unaligned) * weights).astype(np.float32),
        np.full(len(target), unaligned, np.float32),
        mode="forced",
    )
    return HeadAlignment(layer, number, table)


def heads(layers, of_each, **options):
    return [head(n, k, **options) for n in range(1, layers + 1) for k in range(1, of_each + 1)]


def drawn(tables, **terminal):
    return draw(HeadGrid(tables, "I love strawberries", "J'aime les fraises"), **terminal)


def titles(text):
    """What stands above the tables, band by band: (layer, head) of each."""
    lines = [re.findall(r"layer (\d+) head (\d+)", line) for line in text.split("\n")]
    return [[tuple(map(int, found)) for found in line] for line in lines if line]


def test_every_head_has_a_title_and_stands_beside_the_next():
    assert titles(drawn(heads(1, 3))) == [[(1, 1), (1, 2), (1, 3)]]


def test_target_words_stand_once_a_band():
    assert drawn(heads(1, 3)).count("fraises") == 2  # in the sentence, and in its row


@pytest.mark.parametrize(
    ("layers", "of_each", "width", "sizes"),
    [
        (2, 2, 100, [4]),  # both layers in a band
        (2, 2, 60, [2, 2]),
        (2, 4, 62, [2, 2, 2, 2]),  # three fit, but four are better halved
        (3, 2, 100, [4, 2]),
        (4, 2, 140, [4, 4]),  # six fit, but eight are better halved
        (3, 1, 100, [3]),
        (1, 3, 30, [1, 1, 1]),
    ],
)
def test_bands_are_of_whole_layers_or_even_parts_of_one(layers, of_each, width, sizes):
    assert [len(band) for band in titles(drawn(heads(layers, of_each), width=width))] == sizes


def test_weights_are_percent_and_shades_where_there_is_no_color():
    table = SoftAlignment(
        ("a", "b", "c"),
        ("x", "y"),
        np.array([[1, 0, 0], [0.05, 0.45, 0.5]], np.float32),
        np.zeros(2, np.float32),
    )
    *_, first, second = drawn([HeadAlignment(1, 1, table)]).rstrip("\n").split("\n")
    assert first.split() == ["x", "100█", "·", "·"]
    assert second.split() == ["y", "5", "45▒", "50▒"]


def test_words_are_whole_where_there_is_room_and_lose_their_end_where_not():
    crowded, roomy = drawn(heads(1, 2, source=SOURCE * 2), width=60), drawn(heads(1, 2), width=70)
    assert " I  lov str  I  lov str " in crowded
    assert " love " in roomy
    assert " strawber " in roomy


def test_what_is_left_over_has_a_column_where_it_matters():
    assert "end" not in drawn(heads(1, 2))
    assert drawn(heads(1, 2, unaligned=0.3)).count("30") >= 8


def test_heavy_cells_have_a_background():
    weights = np.array([[0.67, 0.33]], np.float32)  # of no other test: Rich keeps a style's codes
    table = SoftAlignment(("a", "b"), ("x",), weights, np.zeros(1, np.float32))
    text = drawn([HeadAlignment(1, 1, table)], colors="truecolor")
    heated = [part.split()[-1] for part in text.split("\x1b[") if "48;2;" in part]
    assert heated == ["67", "33"]


def test_without_colors_there_are_no_codes_and_without_unicode_it_is_ascii():
    assert "\x1b" not in drawn(heads(2, 2))
    assert "layer 2 head 2" in drawn(heads(2, 2), encoding="ascii")


words = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=30
)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(words, words, st.integers(1, 3), st.integers(1, 4), st.integers(20, 200))
def test_no_line_is_wider_than_the_screen(source, target, layers, of_each, width):
    text = drawn(heads(layers, of_each, source=source, target=target, unaligned=0.2), width=width)
    assert all(cell_len(line) <= width for line in text.split("\n"))


def test_a_sentence_too_long_for_one_table_is_drawn_one_below_the_other():
    text = drawn(heads(1, 2, source=[f"w{n}" for n in range(30)]), width=60)
    assert titles(text) == [[(1, 1)], [(1, 2)]]
    assert text.count("w29") == 2
