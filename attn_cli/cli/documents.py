"""Write the formats that are one document: a page of many pairs, a picture of one."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from attn_cli.cli.output_file import open_writer
from attn_cli.console import Console
from attn_cli.errors import UsageError
from attn_cli.types import GoldAlignment, LineResult, SoftAlignment, Translation

if TYPE_CHECKING:
    from attn_cli.inference.other_tables import OtherTables
    from attn_cli.render.html.page import Page

Add = Callable[[list[LineResult]], None]
Picture = Literal["svg", "png", "pdf"]
ReadGold = Callable[[], Sequence[GoldAlignment]]

_NO_WEIGHTS = SoftAlignment((), (), np.zeros((0, 0), np.float32), np.zeros(0, np.float32))

#: Letters that a warning names.
_LETTERS_NAMED = 8


@contextmanager
def write_page(
    page: "Page",
    console: Console,
    output: Path | None,
    others: "OtherTables | None",
    read_gold: ReadGold | None,
) -> Iterator[Add]:
    """A function that adds pairs, with their `others`, to a page; `read_gold` ends it."""
    from attn_cli.render.html.page import PageWriter

    with open_writer(console, output) as write:
        writer = PageWriter(replace(page, has_gold=read_gold is not None))
        write(writer.begin())

        def add(results: list[LineResult]) -> None:
            translations = [each for _, each, _ in results]
            if others is not None:
                translations = others.add(translations)
            parts = [
                writer.pair(translation, links)
                for translation, (_, _, links) in zip(translations, results, strict=True)
            ]
            write("".join(parts))

        yield add
        write(writer.end(read_gold() if read_gold else None))


@contextmanager
def write_picture(format: Picture, console: Console, output: Path | None) -> Iterator[Add]:
    """A function that takes one pair, and draws it at the end.

    A second pair raises UsageError before anything is written.
    """
    if format != "svg" and console.is_on_terminal(output):
        raise UsageError(
            f"{format} cannot be shown on a terminal", f"Name a file: -o table.{format}"
        )
    shown: list[Translation] = []

    def add(results: list[LineResult]) -> None:
        shown.extend(each for _, each, _ in results if each.source.strip())
        if len(shown) > 1:
            raise UsageError(
                f"{format} shows one sentence, but there are several lines",
                "Give one TEXT, or write a page of all: --format html.",
            )

    yield add
    translation = shown[0] if shown else Translation(1, "", "")
    picture = _draw(translation)
    data = picture.encode("utf-8", "replace")
    if format != "svg":
        data = _rasterize(picture, translation, console, format)
    with open_writer(console, output) as write:
        write(data)


def _draw(translation: Translation) -> str:
    from attn_cli.render.svg import svg, svg_of_heads

    lines = {"source": translation.source, "target": translation.text}
    if translation.heads:
        return svg_of_heads(translation.heads, **lines)
    return svg(translation.alignment or _NO_WEIGHTS, **lines)


def _rasterize(
    picture: str, translation: Translation, console: Console, format: Literal["png", "pdf"]
) -> bytes:
    from attn_cli.render.raster import find_missing_glyphs, rasterize

    missing = find_missing_glyphs([*translation.source_words, *translation.target_words])
    if missing:
        letters = ", ".join(missing[:_LETTERS_NAMED]) + ", …" * (len(missing) > _LETTERS_NAMED)
        console.warn(
            f"no font on this machine has {letters}; install one that does, such as Noto Sans"
        )
    return rasterize(picture, format, title=f"{translation.source} → {translation.text}")
