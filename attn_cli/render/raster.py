"""Turn an SVG of `render.svg` into PNG or PDF with Typst, which draws by resvg and embeds fonts.

Imports nothing of the package. Fonts are those of the system, then those of Typst (Latin, Greek and
Cyrillic with all accents); text is shaped, and runs from right to left where it should.
"""

from collections.abc import Iterable
from typing import Any, Literal

_PICTURE = """
#set page(width: auto, height: auto, margin: 0pt, fill: none)
#set document(title: sys.inputs.title)
#image(bytes(sys.inputs.svg), alt: sys.inputs.title)
"""

#: Of a PNG, for slides: two pixels for each of the SVG's, of which an inch has 96.
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

#: A code point that no script has: every font draws it as a missing glyph.
_UNASSIGNED = "\u0378"

#: Letters from here on, after extended Latin, may be in no font.
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
    """Return the letters that no font at hand has, in order, for a warning.

    A letter has no glyph if it is drawn as an unassigned code point is.
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
