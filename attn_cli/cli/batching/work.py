"""Process chunks of records by the pipelines of translate and align. Imports no Ray."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import count
from pathlib import Path
from typing import Any

from attn_cli import __version__
from attn_cli.bundles import manifest, registry
from attn_cli.choices import InputFormat, OutputFormat
from attn_cli.cli.align_options import AlignOptions
from attn_cli.cli.align_with_models import linker_from_models
from attn_cli.cli.batching.files import Columns, InputFile, Kind, pack
from attn_cli.cli.input import CHUNK, LineParser, line_cost, one_line
from attn_cli.cli.output import Writer
from attn_cli.cli.translate_with_model import TranslateOptions, translator_from_model
from attn_cli.console import Console
from attn_cli.data.chunks import chunked
from attn_cli.data.text_input import Line
from attn_cli.errors import ModelError
from attn_cli.types import InputLine, LineResult

ProcessLines = Callable[[Sequence[InputLine]], list[LineResult]]


@dataclass(frozen=True)
class Task:
    """What to do with each record: translate it, or align its two sides.

    Files are cut into chunks of `records`. `writer` extracts and writes links if pairs are aligned.
    """

    options: TranslateOptions | AlignOptions
    columns: Columns
    records: int
    writer: Writer | None = None

    @property
    def pairs(self) -> bool:
        """Whether a record has two sides."""
        return isinstance(self.options, AlignOptions)

    @property
    def models(self) -> list[str | None]:
        """The names of its models."""
        options = self.options
        if isinstance(options, AlignOptions) and options.reverse is not None:
            return [options.model, options.reverse]
        return [options.model]

    def digests(self) -> list[str]:
        """Return the version of attn and a digest of each model. Raises ModelError without one."""
        return [f"attn {__version__}", *map(digest_of_model, self.models)]

    def format(self, kind: Kind) -> OutputFormat:
        """Return the output format of a kind of file, which is its input format."""
        if kind == "jsonl":
            return "jsonl"
        return "pharaoh" if self.pairs else "text"

    def open(self, console: Console, kind: Kind) -> tuple[ProcessLines, Writer]:
        """Return a function that processes records, and the writer of its results.

        Raises ModelError and UsageError as translate and align do.
        """
        format, options = self.format(kind), self.options
        if isinstance(options, TranslateOptions):
            return translator_from_model(console, replace(options, format=format))
        assert self.writer is not None
        linker, writer = linker_from_models(console, options, replace(self.writer, format=format))

        def link(lines: Sequence[InputLine]) -> list[LineResult]:
            linked = linker.link(lines)
            return [(line, *each) for line, each in zip(lines, linked, strict=True)]

        return link, writer

    def job(self) -> dict[str, Any]:
        """Return all that the results depend on, as JSON. Raises ModelError without a model."""
        values: dict[str, Any] = {
            each.name: getattr(self.options, each.name)
            for each in fields(self.options)
            if each.name not in ("model", "reverse", "threads", "format")
        }
        if self.writer is not None:
            names = ("extraction", "threshold", "scores")
            values |= {name: getattr(self.writer, name) for name in names}
        models = {"model": self.models[0]}
        if len(self.models) > 1:
            models["reverse model"] = self.models[1]
        return {
            "attn": __version__,
            "command": "align" if self.pairs else "translate",
            **{name: digest_of_model(each) for name, each in models.items()},
            "records of a chunk": self.records,
            "columns": [*self.columns.texts, self.columns.result],
            **{
                name: str(value) if isinstance(value, Path) else value
                for name, value in values.items()
                if value is not None and value is not False and value != ()
            },
        }


def digest_of_model(name: str | None) -> str:
    """Return the name of a model and a digest of its files. Raises ModelError if there is none."""
    facts = manifest.checked_manifest(registry.find(name))
    sums = sorted((file, entry["sha256"]) for file, entry in facts["files"].items())
    return f"{facts['name']} {hashlib.sha256(json.dumps(sums).encode()).hexdigest()[:16]}"


class _Notes(Console):
    """A console in memory that collects its warnings."""

    notes: list[str]

    def warn(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Worker:
    """A task with its models loaded, once for each format that is written."""

    task: Task
    digests: Sequence[str]
    _console: _Notes = field(init=False)
    _open: dict[OutputFormat, tuple[ProcessLines, Writer]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ModelError if the models are missing here, or differ from the driver's."""
        self._console = _Notes(
            stdin=io.BytesIO(),
            stdout=io.BytesIO(),
            stderr=io.BytesIO(),
            stdin_is_live=False,
            stdin_is_terminal=False,
            stdout_is_terminal=False,
            stderr_is_terminal=False,
            environment={},
            quiet=True,
        )
        self._console.notes = []
        here = self.task.digests()
        if here != list(self.digests):
            raise ModelError(
                f"a worker has {', '.join(here)}, but the command has {', '.join(self.digests)}",
                "Install the same version and the same model at the same path on every machine.",
            )

    def results(self, file: InputFile, first: int, payload: bytes) -> tuple[bytes, list[str]]:
        """Return the result of a chunk that begins with record `first`, and its warnings.

        Raises DataError for a record that cannot be read.
        """
        self._console.notes = []
        kind = file.kind
        format = self.task.format(kind)
        if format not in self._open:
            self._open[format] = self.task.open(self._console, kind)
        process, writer = self._open[format]
        if kind == "parquet":
            result = self._table(process, writer, first, json.loads(payload))
        else:
            result = self._lines(process, writer, file, first, payload)
        return result, self._console.notes

    def _lines(
        self, process: ProcessLines, writer: Writer, file: InputFile, first: int, payload: bytes
    ) -> bytes:
        form: InputFormat = "jsonl" if file.kind == "jsonl" else "text"
        read = LineParser(str(file.path), form, self.task.pairs)
        lines = map(Line, count(first), payload.decode().split("\n"))
        results = (
            each
            for group in chunked(map(read, lines), CHUNK, cost=line_cost)
            for each in process(group)
        )
        data = "".join(writer.record(*each) + "\n" for each in results).encode("utf-8", "replace")
        return pack(data) if file.is_gzip else data

    def _table(
        self,
        process: ProcessLines,
        writer: Writer,
        first: int,
        rows: Sequence[Sequence[str | None]],
    ) -> bytes:
        lines = (
            InputLine(number, one_line(row[0] or ""), one_line(row[1] or "") if row[1:] else "")
            for number, row in zip(count(first), rows, strict=False)
        )
        results = (
            each for group in chunked(lines, CHUNK, cost=line_cost) for each in process(group)
        )
        records = [
            None if None in row else writer.record(*each)
            for row, each in zip(rows, results, strict=True)
        ]
        return json.dumps(records).encode()
