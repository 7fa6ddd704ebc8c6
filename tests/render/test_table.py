"""The table in the terminal: aligned, never too wide, legible with colors and without."""

import io
import re

import numpy as np
import pytest
from drawing import draw
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.style import Style

from attn_cli.render.heat import COLORED_FROM, COLORMAP, contrasting_color, heat
from attn_cli.render.table import alignment_table
from attn_cli.render.terminal import printable
from attn_cli.types import SoftAlignment

LOVE = [[0.94, 0.04, 0.02], [0.11, 0.001, 0.889], [0.05, 0.91, 0.04]]


def table(source, target, weights=None, unaligned=None, **options):
    shape = (len(target), len(source))
    if weights is None:
        weights = np.random.default_rng(0).dirichlet(np.full(max(shape[1], 1), 0.2), shape[0])
        weights = weights[:, : shape[1]]
    if unaligned is None:
        unaligned = np.zeros(shape[0])
    return SoftAlignment(
        tuple(source),
        tuple(target),
        np.array(weights, np.float32).reshape(shape),
        np.array(unaligned, np.float32),
        **options,
    )


CROSSED = table(["I", "love", "you"], ["Je", "t'", "aime"], LOVE)


def drawn(alignment, *, width=80, colors=None, encoding="utf-8", **options):
    terminal = {"width": width, "colors": colors, "encoding": encoding}
    return draw(alignment_table(alignment, **options), **terminal)


def rows(alignment, **options):
    return drawn(alignment, heading=False, **options).rstrip("\n").split("\n")


def panels(alignment, **options):
    text = drawn(alignment, heading=False, **options)
    return [panel.split("\n") for panel in re.split(r"\n *\n", text.rstrip("\n"))]


def test_rows_are_target_words_and_columns_source_words():
    header, *body = rows(CROSSED)
    assert header.split() == ["I", "love", "you"]
    assert [line.split()[0] for line in body] == ["Je", "t'", "aime"]


def test_without_colors_the_weights_are_digits_and_shades():
    assert rows(CROSSED)[1:] == [
        "  Je  0.94█ 0.04  0.02 ",
        "  t'  0.11   ·    0.89█",
        "aime  0.05  0.91█ 0.04 ",
    ]


def test_without_colors_there_are_no_codes():
    assert "\x1b" not in drawn(CROSSED)


def test_without_unicode_the_table_is_ascii():
    assert "0.94" in drawn(CROSSED, encoding="ascii")


def test_no_color_on_a_terminal_leaves_no_color():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="truecolor", no_color=True)
    console.print(alignment_table(CROSSED))
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|38|48)", file.getvalue())


@pytest.mark.parametrize(
    ("colors", "code", "weight"),
    [("truecolor", "48;2;", 0.97), ("256", "48;5;", 0.96), ("standard", "41", 0.95)],
)
def test_heavy_cells_have_a_background_in_any_number_of_colors(colors, code, weight):
    # Rich keeps a style with the codes that it was first written with, in whatever colors.
    for keeps in (Style._add, Style.parse):
        keeps.cache_clear()
    text = drawn(table("ab", "x", [[weight, 1 - weight]]), colors=colors)
    heated = [part.split()[-1] for part in text.split("\x1b[") if code in part]
    assert heated == [f"{weight:.2f}"]


def test_light_cells_have_no_background():
    light = table(["a"], ["x"], [[COLORED_FROM - 0.01]], [1 - COLORED_FROM])
    assert "48;2" not in drawn(light, colors="truecolor")


@pytest.mark.parametrize("weight", np.linspace(COLORED_FROM, 1, 33))
def test_what_is_written_on_heat_contrasts_with_it(weight):
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    behind = heat(float(weight))
    light, dark = sorted(
        (luminance(np.array(colour) / 255) for colour in (behind, contrasting_color(behind))),
        reverse=True,
    )
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG AA for text


def test_heat_ends_where_the_ramp_ends():
    assert heat(1.0) == heat(1.00001) == COLORMAP[-1][1]


def test_the_title_says_kind_and_origin_and_what_that_means():
    first, second, *_ = drawn(CROSSED).split("\n")
    assert first == "attention, decoded — attention weights of each decoded word"
    assert second == "I love you → Je t' aime"


def test_the_heading_shows_the_raw_lines_where_they_are_given():
    assert "→ Je t'aime\n" in drawn(CROSSED, source="I love you", target="Je t'aime")


def test_a_column_for_the_unaligned_is_shown_only_when_it_matters():
    assert "(end)" in drawn(table("a", "xy", [[0.9], [0.99]], [0.1, 0.01]))
    assert "(end)" not in drawn(table("a", "xy", [[0.96], [0.99]], [0.04, 0.01]))
    assert "(none)" in drawn(table("a", "x", [[0.9]], [0.1], kind="alignment"))


def test_a_long_sentence_folds_into_panels_that_repeat_the_target_words():
    source = [f"word{n}" for n in range(30)]
    folded = panels(table(source, ["un", "deux"]))
    assert [word for panel in folded for word in panel[0].split()] == source
    assert all([line.split()[0] for line in panel[1:]] == ["un", "deux"] for panel in folded)


def test_panels_are_about_equally_wide():
    widths = [cell_len(panel[0]) for panel in panels(table(["word"] * 14, ["x"]))]
    assert max(widths) - min(widths) <= 6


def test_only_a_word_that_cannot_fit_is_shortened():
    word = "Donaudampfschifffahrtsgesellschaft"
    assert word in rows(table([word], ["x"]), width=80)[0]
    assert rows(table([word], ["x"]), width=20)[0].strip() == "Donaudampfschif…"


@pytest.mark.parametrize("end", ["", "\u200d"])
def test_markup_codes_and_joiners_in_words_are_shown_not_obeyed(end):
    text = drawn(table([f"[red]a{end}", "\x1b[31mb", ":smile:"], ["x"]), colors="truecolor")
    assert "[red]a" in text
    assert "\ufffd[31mb" in text
    assert ":smile:" in text


@pytest.mark.parametrize("hostile", ["\x1b", "\n", "\t", "\x9b", "\u202e", "\u2028", "\ud800"])
def test_nothing_in_a_word_steers_the_terminal(hostile):
    assert printable(f"a{hostile}b") == "a\ufffdb"


def test_a_combining_mark_alone_gets_a_circle_to_sit_on():
    assert printable("\u0301") == "◌\u0301"


def test_a_sentence_of_no_words_is_a_heading_alone():
    assert rows(table([], [])) == [""]


def test_where_there_is_no_source_all_is_unaligned():
    assert [line.split() for line in rows(table([], ["x"], unaligned=[1.0]))] == [
        ["(end)"],
        ["x", "1.00█"],
    ]


def test_it_lives_in_a_live_panel():
    console = Console(file=io.StringIO(), force_terminal=True, width=60)
    with Live(alignment_table(CROSSED), console=console, auto_refresh=False) as live:
        live.update(alignment_table(CROSSED), refresh=True)


_LETTERS = st.one_of(
    st.sampled_from(
        [
            "é",
            "e\u0301",
            "日",
            "本",
            "한",
            "❤\ufe0f",
            "👨\u200d👩\u200d👧",
            "👩🏽",
            "🇫🇷",
            "ก",
            "ำ",
            "\u0301",
        ]
    ),
    st.sampled_from("abcdefg'-"),
    st.characters(),
)
_WORDS = st.lists(_LETTERS, min_size=1, max_size=14).map("".join)
_SENTENCE = st.lists(_WORDS, min_size=1, max_size=24)


@settings(derandomize=True, deadline=None)
@given(_SENTENCE, st.lists(_WORDS, min_size=1, max_size=4), st.integers(20, 200))
@example(["日本語" * 20] * 3, ["👨\u200d👩\u200d👧" * 30], 20)
def test_no_line_is_wider_than_asked_and_rows_of_a_panel_are_equally_wide(source, target, width):
    alignment = table(source, target, unaligned=np.full(len(target), 0.1))
    assert all(cell_len(line) <= width for line in drawn(alignment, width=width).split("\n"))
    for panel in panels(alignment, width=width):
        assert len({cell_len(line) for line in panel}) == 1
        assert len(panel) == len(target) + 1


@settings(derandomize=True, deadline=None)
@given(_SENTENCE, st.integers(20, 100))
def test_no_cell_is_broken(source, width):
    alignment = table(source, ["x"], np.full((1, len(source)), 0.5))
    assert drawn(alignment, width=width, heading=False).count("0.50") == len(source)


# Unsure words


def test_unsure_words_have_a_mark_behind_them_and_the_heading_says_what_it_means():
    text = drawn(CROSSED, unsure=[1], unsure_below=0.1)
    assert "? a word with a probability below 0.1" in text
    marked = [line.split()[:2] for line in text.splitlines() if "?" in line]
    assert marked[1:] == [["t'", "?"]]


def test_a_table_without_unsure_words_is_as_ever():
    assert drawn(CROSSED, unsure=[]) == drawn(CROSSED)
    assert "?" not in drawn(CROSSED)


@pytest.mark.parametrize("width", [16, 20, 40, 80])
def test_the_mark_takes_no_more_room_than_there_is(width):
    words = ["incomprehensible", "b", "c"]
    for line in rows(table(words, words), unsure=[0, 2], width=width):
        assert cell_len(line) <= width


def test_the_mark_is_ascii_and_colored_where_there_are_colors():
    assert drawn(CROSSED, unsure=[0], encoding="ascii").count("?") == 2
    assert "\x1b[1;33m?" in drawn(CROSSED, unsure=[0], colors="truecolor")
