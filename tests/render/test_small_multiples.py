"""Tables of heads side by side: as many as fit, by whole layers, within the width."""

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


def heads(layers, per_layer, **options):
    return [head(n, k, **options) for n in range(1, layers + 1) for k in range(1, per_layer + 1)]


def draw_heads(tables, **terminal):
    return draw(HeadGrid(tables, "I love strawberries", "J'aime les fraises"), **terminal)


def titles(text):
    """Return the (layer, head) titles of the tables of each band."""
    lines = [re.findall(r"layer (\d+) head (\d+)", line) for line in text.split("\n")]
    return [[tuple(map(int, numbers)) for numbers in line] for line in lines if line]


def test_the_tables_of_heads_are_side_by_side_with_titles():
    assert titles(draw_heads(heads(1, 3))) == [[(1, 1), (1, 2), (1, 3)]]


def test_each_band_has_its_target_words_once():
    assert draw_heads(heads(1, 3)).count("fraises") == 2  # in the sentence, and in its row


@pytest.mark.parametrize(
    ("layers", "per_layer", "width", "sizes"),
    [
        (2, 2, 100, [4]),  # both layers in a band
        (2, 2, 60, [2, 2]),
        (2, 4, 62, [2, 2, 2, 2]),  # three fit, but two bands of two are more even
        (3, 2, 100, [4, 2]),
        (4, 2, 140, [4, 4]),  # six fit, but two bands of four are more even
        (3, 1, 100, [3]),
        (1, 3, 30, [1, 1, 1]),
    ],
)
def test_bands_contain_whole_layers_or_equal_parts_of_a_layer(layers, per_layer, width, sizes):
    assert [
        len(band) for band in titles(draw_heads(heads(layers, per_layer), width=width))
    ] == sizes


def test_weights_without_color_are_percentages_and_shades():
    table = SoftAlignment(
        ("a", "b", "c"),
        ("x", "y"),
        np.array([[1, 0, 0], [0.05, 0.45, 0.5]], np.float32),
        np.zeros(2, np.float32),
    )
    *_, first, second = draw_heads([HeadAlignment(1, 1, table)]).rstrip("\n").split("\n")
    assert first.split() == ["x", "100█", "·", "·"]
    assert second.split() == ["y", "5", "45▒", "50▒"]


def test_source_words_are_truncated_only_if_the_table_is_narrow():
    narrow, wide = (
        draw_heads(heads(1, 2, source=SOURCE * 2), width=60),
        draw_heads(heads(1, 2), width=70),
    )
    assert " I  lov str  I  lov str " in narrow
    assert " love " in wide
    assert " strawber " in wide


def test_a_large_unaligned_weight_has_a_column():
    assert "end" not in draw_heads(heads(1, 2))
    text = draw_heads(heads(1, 2, unaligned=0.3))
    assert text.count("end") == 2
    assert len(re.findall(r"\b30\b", text)) >= 8


def test_heavy_cells_have_a_background():
    weights = np.array([[0.67, 0.33]], np.float32)  # in no other test: Rich caches its codes
    table = SoftAlignment(("a", "b"), ("x",), weights, np.zeros(1, np.float32))
    text = draw_heads([HeadAlignment(1, 1, table)], colors="truecolor")
    colored = [part.split()[-1] for part in text.split("\x1b[") if "48;2;" in part]
    assert colored == ["67", "33"]


def test_output_has_no_escape_codes_without_colors_and_is_ascii_without_unicode():
    assert "\x1b" not in draw_heads(heads(2, 2))
    assert "layer 2 head 2" in draw_heads(heads(2, 2), encoding="ascii")


words = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=30
)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(words, words, st.integers(1, 3), st.integers(1, 4), st.integers(20, 200))
def test_no_line_is_wider_than_the_screen(source, target, layers, per_layer, width):
    text = draw_heads(
        heads(layers, per_layer, source=source, target=target, unaligned=0.2), width=width
    )
    assert all(cell_len(line) <= width for line in text.split("\n"))


def test_tables_of_a_long_sentence_are_folded_and_below_each_other():
    text = draw_heads(heads(1, 2, source=[f"w{n}" for n in range(30)]), width=60)
    assert titles(text) == [[(1, 1)], [(1, 2)]]
    assert text.count("w29") == 2
