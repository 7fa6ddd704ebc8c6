"""Compact tables and link lists: content, width, and the view that auto selects."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import CROSSING_PAIR, table
from rich.cells import cell_len
from rich.console import Console

from attn_cli.render.compact import CompactTable
from attn_cli.render.link_list import LinkList
from attn_cli.render.table import AlignmentTable, alignment_table
from attn_cli.render.views import view_of


def draw_lines(renderable, *, width=80, encoding="utf-8"):
    """Return the lines on a terminal; like the program, replace letters that it cannot show."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    Console(file=file, width=width, color_system=None, _environ={}).print(renderable)
    file.seek(0)
    return file.read().rstrip("\n").split("\n")


def body(renderable, **options):
    """Return the lines below the heading."""
    lines = draw_lines(renderable, **options)
    return lines[lines.index("") + 1 :]


def compact(alignment, unsure=()):
    return CompactTable(alignment, "s", "t", frozenset(unsure))


def links(alignment, unsure=()):
    return LinkList(alignment, "s", "t", frozenset(unsure))


def test_a_compact_table_has_two_columns_a_word_and_shades():
    assert body(compact(CROSSING_PAIR.alignment)) == [
        "           e",
        "          v u",
        "         o o",
        "      I l y",
        "  Je  ██",
        "  t'  ·   ██",
        "aime  · ██",
    ]


def test_source_words_of_a_compact_table_are_written_diagonally():
    words = ["nothing", "is", "lost", "here"]
    lines = body(compact(table(words, ["x"])))[:-1][::-1]
    start = len("x") + 2
    for number, word in enumerate(words):
        letters = [lines[k][start + 2 * number + k] for k in range(len(word))]
        assert "".join(letters) == word


def test_a_compact_table_of_60_by_60_words_fits_120_columns():
    words = [f"w{n}xyzxyzxyz" for n in range(60)]
    alignment = table(words, words)
    assert compact(alignment).fits(120)
    lines = body(compact(alignment), width=120)
    assert max(map(len, lines)) <= 120
    assert len(lines) == 60 + 12


def test_a_compact_table_wider_than_the_terminal_is_folded():
    words = [f"w{n}" for n in range(60)]
    lines = body(compact(table(words, words)), width=40)
    assert max(map(len, lines)) <= 40
    assert sum(line.split()[:1] == ["w0"] for line in lines) == 2


def test_a_compact_table_has_a_column_for_a_large_unaligned_weight():
    assert body(compact(table("ab", "x", [[0.2, 0.2]], [0.6])))[-1] == "x  ░░░░▓▓"


def test_ascii_terminals_have_ascii_shades():
    lines = body(compact(table("ab", "x", [[0.9, 0.1]])), encoding="ascii")
    assert lines[-1] == "x  ##."


def test_unsure_words_are_marked_in_compact_tables_and_link_lists():
    assert body(compact(CROSSING_PAIR.alignment, [1]))[-2].startswith("  t'?")
    assert body(links(CROSSING_PAIR.alignment, [1]))[1].startswith("  t'?")


def test_a_link_list_has_a_line_for_each_target_word():
    assert body(links(CROSSING_PAIR.alignment)) == [
        "  Je ← I .94",
        "  t' ← you .88  I .11",
        "aime ← love .91",
    ]


def test_a_link_list_has_the_unaligned_weight_and_words_without_partners():
    alignment = table("ab", "xy", [[0.4, 0], [0.05, 0.05]], [0.6, 0.02])
    assert body(links(alignment)) == ["x ← (end) .60  a .40", "y ←"]


def test_a_weight_of_1_has_the_width_of_other_weights():
    assert body(links(table("a", "x"))) == ["x ← a 1.0"]


def square_table(count):
    words = [f"word{n}" for n in range(count)]
    return alignment_table(table(words, words))


@pytest.mark.parametrize(
    ("count", "kind"),
    [(3, AlignmentTable), (20, CompactTable), (60, CompactTable), (150, LinkList)],
)
def test_auto_selects_the_first_view_that_fits(count, kind):
    assert isinstance(view_of(square_table(count), "auto", width=100), kind)


@pytest.mark.parametrize(
    ("view", "kind"), [("table", AlignmentTable), ("compact", CompactTable), ("links", LinkList)]
)
def test_a_named_view_is_used_at_any_width(view, kind):
    assert isinstance(view_of(square_table(3), view, width=10), kind)


words = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=12)


@settings(derandomize=True, deadline=None)
@given(words, words, st.integers(24, 90), st.sampled_from(["utf-8", "ascii"]))
def test_no_line_is_wider_than_the_terminal(source, target, width, encoding):
    weights = np.full((len(target), len(source)), 0.9 / len(source))
    alignment = table(source, target, weights, np.full(len(target), 0.1))
    for view in (compact(alignment), links(alignment)):
        lines = draw_lines(view, width=width, encoding=encoding)
        assert all(cell_len(line) <= width for line in lines)
