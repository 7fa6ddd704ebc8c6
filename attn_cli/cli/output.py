"""Write translations and alignments: one record a line, tables, pages or pictures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from attn_cli.alignment.extraction import DEFAULT_THRESHOLD, extract
from attn_cli.choices import Extraction, OutputFormat, View
from attn_cli.cli.input import Shard
from attn_cli.cli.output_file import Write, open_writer
from attn_cli.console import Console, is_stdout
from attn_cli.errors import get_choice
from attn_cli.inference.from_bundle import link_threshold
from attn_cli.render import text_formats
from attn_cli.types import InputLine, LineResult, TableKind, Translation, WordAlignment

if TYPE_CHECKING:
    from rich.console import RenderableType

    from attn_cli.bundles.bundle import Bundle
    from attn_cli.cli.documents import ReadGold
    from attn_cli.inference.other_tables import OtherTables
    from attn_cli.render.html.page import Page


@dataclass(frozen=True)
class Writer:
    """Writes translations in one format. `has_given_targets` if the targets are the input's.

    A `page` is written in the format html: `others` adds tables to its pairs, and `read_gold` gives
    their gold links once all are aligned.
    """

    format: OutputFormat
    model: str = ""
    has_given_targets: bool = False
    n_best: int = 1
    extraction: Extraction = "threshold"
    threshold: float | None = None
    scores: bool = False
    marks_unsure: bool = False
    unsure_below: float = 0.0
    view: View = "auto"
    page: "Page | None" = None
    read_gold: "ReadGold | None" = None
    others: "OtherTables | None" = None
    has_header: bool = True
    diagnostics: bool = False
    caption: Callable[[Translation], str] | None = None  # above each table

    def for_shard(self, shard: Shard | None) -> "Writer":
        """Return the writer of a part of a file; only the first part has a header."""
        return replace(self, has_header=shard is None or shard.number == 1)

    def for_model(self, model: "Bundle", *, by_head: bool) -> "Writer":
        """Return the writer for a model, with the threshold of its word aligner by default."""
        threshold = link_threshold(model, self.threshold, self.extraction, by_aligner=by_head)
        writer = replace(self, model=model.name, threshold=threshold)
        if self.format != "html":
            return writer
        return writer.with_page(
            "alignment" if by_head else "attention",
            languages=(model.recipe.source, model.recipe.target),
            aligner_threshold=model.recipe.model.word_aligner.threshold,
        )

    def with_page(
        self,
        kind: TableKind,
        *,
        languages: tuple[str, str] = ("", ""),
        aligner_threshold: float = DEFAULT_THRESHOLD,
    ) -> "Writer":
        """Return the writer of a page whose links come from weights of this kind.

        `aligner_threshold` is that of a word aligner's links, if they are not the page's own.
        """
        from attn_cli.render.html.page import Page

        minimum: dict[TableKind, float] = {
            kind: DEFAULT_THRESHOLD,
            "attention": DEFAULT_THRESHOLD,
            "alignment": aligner_threshold,
        }
        if self.threshold is not None:
            minimum[kind] = self.threshold
        elif self.extraction != "threshold":
            minimum[kind] = 0.0
        return replace(self, page=Page(self.model, kind, languages, self.extraction, minimum))

    @contextmanager
    def open(
        self, console: Console, output: Path | None, *, is_live: bool = False
    ) -> Iterator[Callable[[list[LineResult]], None]]:
        """Yield a function that writes a chunk of results; on stdout it also flushes them.

        On a terminal, a pager shows tables that are longer than the screen, unless the input
        `is_live`, since no result may wait for the next line.
        """
        if self.format == "html":
            from attn_cli.cli.documents import write_page

            assert self.page is not None
            with write_page(self.page, console, output, self.others, self.read_gold) as add:
                yield add
        elif self.format in ("svg", "png", "pdf"):
            from attn_cli.cli.documents import write_picture

            with write_picture(self.format, console, output) as add:
                yield add
        else:
            on_stdout = is_stdout(output)
            is_paged = on_stdout and self.format == "table" and not is_live
            with (
                console.paged() if is_paged else nullcontext(),
                open_writer(console, output) as write,
                self.writing(write, console if on_stdout else None) as add,
            ):
                yield add

    @contextmanager
    def writing(
        self, write: Write, console: Console | None
    ) -> Iterator[Callable[[list[LineResult]], None]]:
        """Yield a function that writes a chunk by `write`, after a header if the format has one."""
        names = text_formats.DIAGNOSTICS_HEADER if self.diagnostics else text_formats.TSV_HEADER
        header = names + "\n"
        if self.format != "tsv" or not self.has_header:
            header = ""

        def add(results: list[LineResult]) -> None:
            nonlocal header
            if header and results:
                write(header)
                header = ""
            self._write(results, write, console)

        yield add
        if header:
            write(header)

    def _write(self, results: list[LineResult], write: Write, console: Console | None) -> None:
        if self.format == "table":
            for _, translation, _ in results:
                self._table(translation, write, console)
        elif results:
            write(*(self.record(*each) + "\n" for each in results))

    def record(self, line: InputLine, translation: Translation, links: WordAlignment) -> str:
        """Return the record of one line in a text format, without its final newline."""
        if self.marks_unsure:
            translation = text_formats.mark_unsure(translation)
        write = get_choice(_RECORDS, self.format, "a format of records")
        return write(self, line, translation, links)

    def links(self, translation: Translation) -> WordAlignment:
        """Extract the links of a translation by --extract and --threshold."""
        if translation.alignment is None:
            return WordAlignment(frozenset(), 0, 0)
        return extract(translation.alignment, self.extraction, self.threshold)

    def _table(self, translation: Translation, write: Write, console: Console | None) -> None:
        from attn_cli.render.small_multiples import HeadGrid
        from attn_cli.render.table import alignment_table
        from attn_cli.render.terminal import PLAIN_WIDTH, plain
        from attn_cli.render.views import view_of

        if translation.alignment is None or not translation.alignment.target:
            write("\n")
            return
        if self.caption is not None:
            write(self.caption(translation) + "\n")
        source, target = translation.source, translation.text
        weights = alignment_table(
            translation.alignment,
            source=source,
            target=target,
            unsure=translation.unsure,
            unsure_below=self.unsure_below,
        )
        table: RenderableType = weights
        if translation.heads:
            table = HeadGrid(translation.heads, source, target)
        elif self.view != "auto" or (console is not None and console.stdout_is_terminal):
            width = console.width if console is not None else PLAIN_WIDTH
            table = view_of(weights, self.view, width=width)
        if console is not None:
            console.show(table, end="\n")
            return
        write(plain(table) + "\n")


def _pharaoh(
    writer: Writer, line: InputLine, translation: Translation, links: WordAlignment
) -> str:
    if writer.has_given_targets:
        return text_formats.pharaoh(links, scores=writer.scores)
    return text_formats.translated_pharaoh(translation, links, scores=writer.scores)


def _jsonl(writer: Writer, line: InputLine, translation: Translation, links: WordAlignment) -> str:
    return text_formats.jsonl(
        translation, links, model=writer.model, n_best=writer.n_best, extra=line.extra
    )


def _tsv(writer: Writer, line: InputLine, translation: Translation, links: WordAlignment) -> str:
    if writer.diagnostics:
        return text_formats.diagnostics_tsv(translation)
    return text_formats.tsv(translation)


def _gloss(writer: Writer, line: InputLine, translation: Translation, links: WordAlignment) -> str:
    from attn_cli.render import gloss

    return gloss.gloss(translation, links)


def _gb4e(writer: Writer, line: InputLine, translation: Translation, links: WordAlignment) -> str:
    from attn_cli.render import gloss

    return gloss.gb4e(translation, links)


def _text(writer: Writer, line: InputLine, translation: Translation, links: WordAlignment) -> str:
    if writer.n_best > 1:
        return text_formats.nbest(translation, writer.n_best)
    if writer.scores and translation.confidence is not None:
        return text_formats.scored_text(translation)
    return text_formats.text(translation)


#: The formats of one record a line, each without its final newline.
_RECORDS: dict[str, Callable[[Writer, InputLine, Translation, WordAlignment], str]] = {
    "text": _text,
    "pharaoh": _pharaoh,
    "jsonl": _jsonl,
    "tsv": _tsv,
    "gloss": _gloss,
    "gb4e": _gb4e,
}
