"""The table in the terminal: aligned, within the width, and legible with and without colors."""

import io
import re

import numpy as np
import pytest
from drawing import draw
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pages import CROSSING_PAIR, table
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.style import Style

from attn_cli.render.heat import COLORED_FROM, COLORMAP, contrasting_color, heat
from attn_cli.render.table import alignment_table
from attn_cli.render.terminal import printable

CROSSED = CROSSING_PAIR.alignment


def draw_table(alignment, *, width=80, colors=None, encoding="utf-8", **options):
    terminal = {"width": width, "colors": colors, "encoding": encoding}
    return draw(alignment_table(alignment, **options), **terminal)


def rows(alignment, **options):
    return draw_table(alignment, heading=False, **options).rstrip("\n").split("\n")


def panels(alignment, **options):
    text = draw_table(alignment, heading=False, **options)
    return [panel.split("\n") for panel in re.split(r"\n *\n", text.rstrip("\n"))]


def test_rows_are_target_words_and_columns_source_words():
    header, *body = rows(CROSSED)
    assert header.split() == ["I", "love", "you"]
    assert [line.split()[0] for line in body] == ["Je", "t'", "aime"]


def test_without_colors_the_weights_are_digits_and_shades():
    assert rows(table(["I", "you"], ["Je", "t'"], [[0.94, 0.06], [0.001, 0.999]])) == [
        "     I    you  ",
        "Je  0.94█ 0.06 ",
        "t'   ·    1.00█",
    ]


def test_without_colors_the_table_has_no_escape_codes():
    assert "\x1b" not in draw_table(CROSSED)


def test_without_unicode_the_table_is_ascii():
    text = draw_table(CROSSED, encoding="ascii")
    assert "0.94" in text
    assert text.isascii()


def test_no_color_removes_all_colors_on_a_terminal():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="truecolor", no_color=True)
    console.print(alignment_table(CROSSED))
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|38|48)", file.getvalue())


@pytest.mark.parametrize(
    ("colors", "code", "weight"),
    [("truecolor", "48;2;", 0.97), ("256", "48;5;", 0.96), ("standard", "41", 0.95)],
)
def test_heavy_cells_have_a_background_in_any_number_of_colors(colors, code, weight):
    # Rich caches the codes of a style at its first use, with the colors of that time.
    for cached_function in (Style._add, Style.parse):
        cached_function.cache_clear()
    text = draw_table(table("ab", "x", [[weight, 1 - weight]]), colors=colors)
    colored = [part.split()[-1] for part in text.split("\x1b[") if code in part]
    assert colored == [f"{weight:.2f}"]


def test_light_cells_have_no_background():
    light = table(["a"], ["x"], [[COLORED_FROM - 0.01]], [1 - COLORED_FROM])
    assert "48;2" not in draw_table(light, colors="truecolor")


@pytest.mark.parametrize("weight", np.linspace(COLORED_FROM, 1, 33))
def test_text_has_enough_contrast_on_every_color_of_the_colormap(weight):
    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    background = heat(float(weight))
    light, dark = sorted(
        (luminance(np.array(color) / 255) for color in (background, contrasting_color(background))),
        reverse=True,
    )
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG AA for text


def test_a_weight_above_1_has_the_last_color_of_the_colormap():
    assert heat(1.0) == heat(1.00001) == COLORMAP[-1][1]


def test_the_heading_has_the_kind_and_mode_of_the_weights_with_an_explanation():
    first, second, *_ = draw_table(CROSSED).split("\n")
    assert first == "attention, decoded — attention weights of each decoded word"
    assert second == "I love you → Je t' aime"


def test_the_heading_has_the_raw_lines_if_they_are_passed():
    assert "→ Je t'aime\n" in draw_table(CROSSED, source="I love you", target="Je t'aime")


def test_unaligned_has_a_column_only_if_a_weight_is_large():
    assert "(end)" in draw_table(table("a", "xy", [[0.9], [0.99]], [0.1, 0.01]))
    assert "(end)" not in draw_table(table("a", "xy", [[0.96], [0.99]], [0.04, 0.01]))
    assert "(none)" in draw_table(table("a", "x", [[0.9]], [0.1], kind="alignment"))


def test_a_long_sentence_folds_into_panels_that_repeat_the_target_words():
    source = [f"word{n}" for n in range(30)]
    folded = panels(table(source, ["un", "deux"]))
    assert [word for panel in folded for word in panel[0].split()] == source
    assert all([line.split()[0] for line in panel[1:]] == ["un", "deux"] for panel in folded)


def test_panels_are_about_equally_wide():
    widths = [cell_len(panel[0]) for panel in panels(table(["word"] * 14, ["x"]))]
    assert max(widths) - min(widths) <= 6


def test_only_a_word_wider_than_the_table_is_truncated():
    word = "Donaudampfschifffahrtsgesellschaft"
    assert word in rows(table([word], ["x"]), width=80)[0]
    assert rows(table([word], ["x"]), width=20)[0].strip() == "Donaudampfschif…"


@pytest.mark.parametrize("end", ["", "\u200d"])
def test_markup_and_escape_codes_in_words_are_printed_as_text(end):
    text = draw_table(table([f"[red]a{end}", "\x1b[31mb", ":smile:"], ["x"]), colors="truecolor")
    assert "[red]a" in text
    assert "\ufffd[31mb" in text
    assert ":smile:" in text


@pytest.mark.parametrize("hostile", ["\x1b", "\n", "\t", "\x9b", "\u202e", "\u2028", "\ud800"])
def test_control_characters_in_a_word_are_replaced(hostile):
    assert printable(f"a{hostile}b") == "a\ufffdb"


def test_a_combining_mark_without_a_letter_is_printed_on_a_dotted_circle():
    assert printable("\u0301") == "◌\u0301"


def test_a_table_without_words_is_only_a_heading():
    assert rows(table([], [])) == [""]


def test_without_source_words_all_weights_are_unaligned():
    assert [line.split() for line in rows(table([], ["x"], unaligned=[1.0]))] == [
        ["(end)"],
        ["x", "1.00█"],
    ]


def test_a_table_can_be_shown_in_a_live_display():
    console = Console(file=io.StringIO(), force_terminal=True, width=60)
    with Live(alignment_table(CROSSED), console=console, auto_refresh=False) as live:
        live.update(alignment_table(table(["yes"], ["oui"])), refresh=True)
    text = console.file.getvalue()
    assert text.index("aime") < text.index("oui")


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
def test_no_line_exceeds_the_width_and_rows_of_a_panel_are_equally_wide(source, target, width):
    alignment = table(source, target, unaligned=np.full(len(target), 0.1))
    assert all(cell_len(line) <= width for line in draw_table(alignment, width=width).split("\n"))
    for panel in panels(alignment, width=width):
        assert len({cell_len(line) for line in panel}) == 1
        assert len(panel) == len(target) + 1


@settings(derandomize=True, deadline=None)
@given(_SENTENCE, st.integers(20, 100))
def test_no_cell_is_split_over_lines(source, width):
    alignment = table(source, ["x"], np.full((1, len(source)), 0.5))
    assert draw_table(alignment, width=width, heading=False).count("0.50") == len(source)


# Unsure words


def test_unsure_words_have_a_mark_that_the_heading_explains():
    text = draw_table(CROSSED, unsure=[1], unsure_below=0.1)
    assert "? a word with a probability below 0.1" in text
    marked_lines = [line.split()[:2] for line in text.splitlines() if "?" in line]
    assert marked_lines[1:] == [["t'", "?"]]


def test_a_table_without_unsure_words_has_no_marks():
    assert draw_table(CROSSED, unsure=[]) == draw_table(CROSSED)
    assert "?" not in draw_table(CROSSED)


@pytest.mark.parametrize("width", [16, 20, 40, 80])
def test_a_table_with_marks_is_not_wider_than_the_terminal(width):
    words = ["incomprehensible", "b", "c"]
    for line in rows(table(words, words), unsure=[0, 2], width=width):
        assert cell_len(line) <= width


def test_the_mark_is_ascii_and_colored_on_a_terminal_with_colors():
    assert draw_table(CROSSED, unsure=[0], encoding="ascii").count("?") == 2
    assert "\x1b[1;33m?" in draw_table(CROSSED, unsure=[0], colors="truecolor")
