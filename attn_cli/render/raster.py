"""Convert SVG to PNG or PDF with Typst, which draws by resvg and embeds fonts.

Fonts are those of the system, then those of Typst (Latin, Greek and Cyrillic with all accents).
Text is shaped, and bidirectional.
"""

from collections.abc import Iterable
from typing import Any, Literal

_PICTURE = """
#set page(width: auto, height: auto, margin: 0pt, fill: none)
#set document(title: sys.inputs.title)
#image(bytes(sys.inputs.svg), alt: sys.inputs.title)
"""

#: Resolution of a PNG: two pixels for each pixel of the SVG, which has 96 per inch.
_PIXELS_PER_INCH = 2 * 96

_GLYPHS = """
#set page(width: 40pt, height: 40pt, margin: 0pt)
#for letter in sys.inputs.letters.split(" ") {
  page(image(bytes(
    "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'>"
    + "<text x='5' y='28' font-size='24' font-family='sans-serif'>" + letter + "</text></svg>"
  )))
}
"""

#: An unassigned code point, which every font draws as a missing glyph.
_UNASSIGNED = "\u0378"

#: First code point after extended Latin; such letters may be in no font.
_UNCOMMON_FROM = 0x250


def rasterize(svg: str, format: Literal["png", "pdf"], *, title: str = "") -> bytes:
    """Return the picture as PNG, with two pixels for each of the SVG's, or as PDF.

    `title` is its alternative text.
    """
    import typst

    inputs = {"svg": svg, "title": title}
    result = typst.compile(
        _PICTURE.encode(), format=format, ppi=_PIXELS_PER_INCH, sys_inputs=inputs
    )
    assert isinstance(result, bytes)
    return result


def find_missing_glyphs(texts: Iterable[str]) -> list[str]:
    """Return the letters without a glyph in the available fonts, in order.

    A letter has no glyph if its drawing is that of an unassigned code point.
    """
    import typst

    letters = sorted(
        {
            letter
            for text in texts
            for letter in text
            if ord(letter) >= _UNCOMMON_FROM and letter.isalnum()
        }
    )
    if not letters:
        return []
    inputs = {"letters": " ".join([*letters, _UNASSIGNED])}
    # a list of at least two pages, though its annotation says bytes
    pages: Any = typst.compile(_GLYPHS.encode(), format="png", ppi=72, sys_inputs=inputs)
    *drawn, missing = pages
    return [letter for letter, page in zip(letters, drawn, strict=True) if page == missing]
