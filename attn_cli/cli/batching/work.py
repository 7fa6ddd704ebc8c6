"""Chunks of records become results, by the pipelines of translate and align. Knows no Ray."""

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
from attn_cli.cli.documents import Found
from attn_cli.cli.input import CHUNK, Reader, cost_of_request, one_line
from attn_cli.cli.output import Writer
from attn_cli.cli.translate_with_model import TranslateOptions, translator_from_model
from attn_cli.console import Console
from attn_cli.data.text_io import Line, chunked
from attn_cli.errors import ModelError
from attn_cli.types import InputLine

Find = Callable[[Sequence[InputLine]], list[Found]]


@dataclass(frozen=True)
class Task:
    """What to do with each record: translate it, or align its two sides.

    Files are cut into chunks of `records`. `writer` says how links are read off and written when
    pairs are aligned.
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
        """The version of attn, and the models as they are here. Raises ModelError without one."""
        return [f"attn {__version__}", *map(digest_of_model, self.models)]

    def format(self, kind: Kind) -> OutputFormat:
        """How records of a kind of file are written: as they came."""
        if kind == "jsonl":
            return "jsonl"
        return "pharaoh" if self.pairs else "text"

    def open(self, console: Console, kind: Kind) -> tuple[Find, Writer]:
        """A function that finds what is wanted of records, and the writer of what it finds.

        Raises ModelError and UsageError as translate and align do.
        """
        format, options = self.format(kind), self.options
        if isinstance(options, TranslateOptions):
            return translator_from_model(console, replace(options, format=format))
        assert self.writer is not None
        linker, writer = linker_from_models(console, options, replace(self.writer, format=format))

        def link(requests: Sequence[InputLine]) -> list[Found]:
            linked = linker.link(requests)
            return [(request, *each) for request, each in zip(requests, linked, strict=True)]

        return link, writer

    def job(self) -> dict[str, Any]:
        """All that its results depend on, as JSON. Raises ModelError without a model."""
        given: dict[str, Any] = {
            each.name: getattr(self.options, each.name)
            for each in fields(self.options)
            if each.name not in ("model", "reverse", "threads", "format")
        }
        if self.writer is not None:
            names = ("extraction", "threshold", "scores")
            given |= {name: getattr(self.writer, name) for name in names}
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
                for name, value in given.items()
                if value is not None and value is not False and value != ()
            },
        }


def digest_of_model(name: str | None) -> str:
    """The name of a model and a digest of its files. Raises ModelError where there is none."""
    facts = manifest.checked_manifest(registry.find(name))
    sums = sorted((file, entry["sha256"]) for file, entry in facts["files"].items())
    return f"{facts['name']} {hashlib.sha256(json.dumps(sums).encode()).hexdigest()[:16]}"


class _Notes(Console):
    """A console in memory, whose warnings are kept."""

    notes: list[str]

    def warn(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Worker:
    """A task with its models loaded, once for each format that is written."""

    task: Task
    digests: Sequence[str]
    _console: _Notes = field(init=False)
    _open: dict[OutputFormat, tuple[Find, Writer]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ModelError where the models are missing here, or others than the driver's."""
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
                f"a worker has {', '.join(here)} where {', '.join(self.digests)} is wanted",
                "Install the same version and the same model at the same path on every machine.",
            )

    def results(self, file: InputFile, first: int, payload: bytes) -> tuple[bytes, list[str]]:
        """The result of a chunk that begins with record `first`, and what was wrong with lines.

        Raises DataError for a record that cannot be read.
        """
        self._console.notes = []
        kind = file.kind
        format = self.task.format(kind)
        if format not in self._open:
            self._open[format] = self.task.open(self._console, kind)
        find, writer = self._open[format]
        if kind == "parquet":
            result = self._table(find, writer, first, json.loads(payload))
        else:
            result = self._lines(find, writer, file, first, payload)
        return result, self._console.notes

    def _lines(
        self, find: Find, writer: Writer, file: InputFile, first: int, payload: bytes
    ) -> bytes:
        form: InputFormat = "jsonl" if file.kind == "jsonl" else "text"
        read = Reader(str(file.path), form, self.task.pairs)
        lines = map(Line, count(first), payload.decode().split("\n"))
        found = (
            each
            for group in chunked(map(read, lines), CHUNK, cost=cost_of_request)
            for each in find(group)
        )
        data = "".join(writer.record(*each) + "\n" for each in found).encode("utf-8", "replace")
        return pack(data) if file.is_gzip else data

    def _table(
        self, find: Find, writer: Writer, first: int, rows: Sequence[Sequence[str | None]]
    ) -> bytes:
        requests = (
            InputLine(number, one_line(row[0] or ""), one_line(row[1] or "") if row[1:] else "")
            for number, row in zip(count(first), rows, strict=False)
        )
        found = (
            each for group in chunked(requests, CHUNK, cost=cost_of_request) for each in find(group)
        )
        records = [
            None if None in row else writer.record(*each)
            for row, each in zip(rows, found, strict=True)
        ]
        return json.dumps(records).encode()
