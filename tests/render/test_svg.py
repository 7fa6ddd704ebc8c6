"""The SVG is well-formed, describes its content, and escapes its words."""

import xml.etree.ElementTree as ET
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from pages import CROSSING_PAIR, table

from attn_cli.render.svg import svg

NS = "{http://www.w3.org/2000/svg}"


#: The pair of the README as an alignment.
CROSSED = replace(CROSSING_PAIR.alignment, kind="alignment", mode="forced")


def texts(picture):
    return [element.text for element in ET.fromstring(picture).iter(f"{NS}text")]


def test_every_word_and_weight_is_text():
    elements = texts(svg(CROSSED))
    assert {"I", "love", "you", "Je", "t'", "aime", "0.94", "0.88", "0.91"} <= set(elements)


def test_the_svg_is_an_image_with_a_title_and_a_description():
    root = ET.fromstring(svg(CROSSED, source="I love you", target="Je t'aime"))
    assert root.get("role") == "img"
    assert root.findtext(f"{NS}title") == "I love you → Je t'aime"
    assert "aime ← love 0.91" in str(root.findtext(f"{NS}desc"))


def test_each_cell_has_a_title_with_its_words_and_weight():
    titles = [
        element.findtext(f"{NS}title") for element in ET.fromstring(svg(CROSSED)).iter(f"{NS}g")
    ]
    assert "love → aime: 0.91" in titles
    assert len(titles) == 9


def test_the_svg_contains_the_kind_of_its_weights():
    assert "alignment, forced — which words correspond" in texts(svg(CROSSED))


def test_the_svg_refers_to_no_other_file():
    picture = svg(CROSSED)
    assert picture.count("http") == 1  # the namespace
    assert "prefers-color-scheme: dark" in picture


def test_hostile_words_are_drawn_as_text():
    hostile = ["<script>alert(1)</script>", "\x00\x1b[31m", "]]>&amp;", '"onload="x', "\ud800"]
    picture = svg(table(hostile, hostile))
    assert "<script" not in picture
    assert hostile[0] in texts(picture)
    assert hostile[2] in texts(picture)
    picture.encode()


def test_a_large_unaligned_weight_is_shown():
    assert "(end)" in texts(svg(table("ab", "x", [[0.4, 0.3]], [0.3])))
    assert "(end)" not in texts(svg(table("ab", "x", [[0.5, 0.48]], [0.02])))


def test_long_words_are_rotated():
    assert "rotate(-45)" in svg(table(["Donaudampfschifffahrt", "ist"], ["x"]))
    assert "rotate(" not in svg(CROSSED)


def test_an_empty_table_is_a_valid_svg():
    ET.fromstring(svg(table([], [])))
    ET.fromstring(svg(table([], ["x"], unaligned=[1.0])))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text(min_size=1), max_size=5), st.lists(st.text(min_size=1), max_size=5))
def test_any_words_give_well_formed_xml(source, target):
    ET.fromstring(svg(table(source, target)).encode())
