"""PNG and PDF of the picture: size, fonts and letters that no font contains."""

import re
import struct

import pytest
from pages import CROSSING_PAIR

from attn_cli.render.svg import svg

pytest.importorskip("typst", reason="typst is not installed: pip install 'attn-cli[pictures]'")

from attn_cli.render.raster import find_missing_glyphs, rasterize

PICTURE = svg(CROSSING_PAIR.alignment)


def test_a_png_has_twice_the_width_and_height_of_the_svg():
    png = rasterize(PICTURE, "png")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    size = re.search(r'width="(\d+)" height="(\d+)"', PICTURE)
    assert struct.unpack(">2I", png[16:24]) == tuple(2 * int(each) for each in size.groups())


def test_a_pdf_embeds_its_fonts():
    pdf = rasterize(PICTURE, "pdf", title="I love you")
    assert pdf.startswith(b"%PDF-")
    assert b"/FontFile" in pdf


def test_the_same_picture_is_the_same_png():
    assert rasterize(PICTURE, "png") == rasterize(PICTURE, "png")


def test_no_glyphs_are_missing_for_accents_greek_and_cyrillic():
    assert find_missing_glyphs(["naïve œuf", "λόγος", "слово", "e\u0301"]) == []


def test_a_letter_that_hardly_any_font_contains_is_reported_as_missing():
    khitan = "\U00018b00"
    assert find_missing_glyphs([f"a{khitan}", "b"]) == [khitan]


def test_words_with_typst_markup_are_drawn():
    hostile = '#panic("x") \\ $ "quoted" *bold*'
    assert rasterize(svg(CROSSING_PAIR.alignment, source=hostile), "pdf", title=hostile)
