"""How translate and align write what they found: one record a line, or a table, or a picture."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, assert_never

import numpy as np

from attn_cli.alignment.extraction import extract
from attn_cli.choices import Extraction, OutputFormat
from attn_cli.cli.input import Request, Shard
from attn_cli.console import Console
from attn_cli.data.text_io import open_output
from attn_cli.errors import UsageError
from attn_cli.inference.from_bundle import link_threshold
from attn_cli.render import text_formats
from attn_cli.types import Links, SoftAlignment, Translation

if TYPE_CHECKING:
    from rich.console import RenderableType

    from attn_cli.bundles.bundle import Bundle

Found = tuple[Request, Translation, Links]
Write = Callable[..., None]  # takes records, each with its final newline


@dataclass(frozen=True)
class Writer:
    """Writes translations in one format. `given` when the targets were given, not found."""

    format: OutputFormat
    model: str = ""
    given: bool = False
    n_best: int = 1
    extraction: Extraction = "threshold"
    threshold: float | None = None
    scores: bool = False
    marks_unsure: bool = False
    unsure_below: float = 0.0
    has_header: bool = True
    diagnostics: bool = False

    def for_shard(self, shard: Shard | None) -> "Writer":
        """The writer of a part of a file: the first part alone has a header."""
        return replace(self, has_header=shard is None or shard.number == 1)

    def for_model(self, model: "Bundle", *, by_head: bool) -> "Writer":
        """The writer for what this model finds, which says how sure a link of its word aligner
        must be unless the user does."""
        threshold = link_threshold(model, self.threshold, self.extraction, by_aligner=by_head)
        return replace(self, model=model.name, threshold=threshold)

    @contextmanager
    def open(
        self, console: Console, output: Path | None
    ) -> Iterator[Callable[[list[Found]], None]]:
        """A function that writes a chunk of what was found, flushed before it returns."""
        if self.format == "svg":
            with self._pictures(console, output) as add:
                yield add
        elif output is None or str(output) == "-":
            with self._writing(console.write, console) as add:
                yield add
        else:
            with (
                open_output(output) as file,
                self._writing(lambda *each: _put(file, *each), None) as add,
            ):
                yield add

    @contextmanager
    def _writing(
        self, write: Write, console: Console | None
    ) -> Iterator[Callable[[list[Found]], None]]:
        """The function that writes a chunk; a header precedes the first, or the end."""
        names = text_formats.DIAGNOSTICS_HEADER if self.diagnostics else text_formats.TSV_HEADER
        header = names + "\n"
        if self.format != "tsv" or not self.has_header:
            header = ""

        def add(found: list[Found]) -> None:
            nonlocal header
            if header and found:
                write(header)
                header = ""
            self._write(found, write, console)

        yield add
        if header:
            write(header)

    def _write(self, found: list[Found], write: Write, console: Console | None) -> None:
        if self.format == "table":
            for _, translation, _ in found:
                self._table(translation, write, console)
        elif found:
            write(*(self.record(*each) + "\n" for each in found))

    def record(self, request: Request, translation: Translation, links: Links) -> str:
        """The record of one request in a text format, without its final newline."""
        if self.marks_unsure:
            translation = text_formats.mark_unsure(translation)
        match self.format:
            case "pharaoh" if self.given:
                return text_formats.pharaoh(links, scores=self.scores)
            case "pharaoh":
                return text_formats.translated_pharaoh(translation, links, scores=self.scores)
            case "jsonl":
                return text_formats.jsonl(
                    translation,
                    links,
                    model=self.model,
                    n_best=self.n_best,
                    extra=request.extra,
                )
            case "tsv" if self.diagnostics:
                return text_formats.diagnostics_tsv(translation)
            case "tsv":
                return text_formats.tsv(translation)
            case "text" if self.n_best > 1:
                return text_formats.nbest(translation, self.n_best)
            case "text" if self.scores and translation.confidence is not None:
                return text_formats.scored_text(translation)
            case "text":
                return text_formats.text(translation)
            case "table" | "svg":
                raise AssertionError(f"{self.format} is not written record by record")
        assert_never(self.format)

    def links(self, translation: Translation) -> Links:
        """The links of a translation's own table, as --extract and --threshold want them."""
        if translation.alignment is None:
            return Links(frozenset(), 0, 0)
        return extract(translation.alignment, self.extraction, self.threshold)

    def _table(self, translation: Translation, write: Write, console: Console | None) -> None:
        from attn_cli.render.small_multiples import HeadGrid
        from attn_cli.render.table import alignment_table, plain

        if translation.alignment is None or not translation.alignment.target:
            write("\n")
            return
        source, target = translation.source, translation.text
        table: RenderableType = alignment_table(
            translation.alignment,
            source=source,
            target=target,
            unsure=translation.unsure,
            unsure_below=self.unsure_below,
        )
        if translation.heads:
            table = HeadGrid(translation.heads, source, target)
        if console is not None:
            console.show(table, end="\n")
            return
        write(plain(table) + "\n")

    @contextmanager
    def _pictures(
        self, console: Console, output: Path | None
    ) -> Iterator[Callable[[list[Found]], None]]:
        """One SVG document, so one line: a second one is refused before anything is written."""
        from attn_cli.render.svg import svg, svg_of_heads

        kept: list[Translation] = []

        def add(found: list[Found]) -> None:
            kept.extend(t for _, t, _ in found if t.source.strip())
            if len(kept) > 1:
                raise UsageError(
                    "an SVG shows one sentence, but there are several lines",
                    "Give one TEXT, or write --format jsonl.",
                )

        yield add
        translation = kept[0] if kept else Translation(1, "", "")
        said = {"source": translation.source, "target": translation.text}
        if translation.heads:
            picture = svg_of_heads(translation.heads, **said)
        else:
            picture = svg(translation.alignment or _NO_WEIGHTS, **said)
        if output is None or str(output) == "-":
            console.write(picture)
        else:
            with open_output(output) as file:
                _put(file, picture)


_NO_WEIGHTS = SoftAlignment((), (), np.zeros((0, 0), np.float32), np.zeros(0, np.float32))


def _put(file: TextIO, *records: str) -> None:
    file.write("".join(records).encode("utf-8", "replace").decode("utf-8"))
