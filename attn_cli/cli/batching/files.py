"""Input files of a batch, read in chunks of records, and output files joined from the results.

Handles text, JSONL, Parquet and gzip; imports no model and no Ray.
"""

import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from attn_cli.cli.input import CHUNK
from attn_cli.data.chunks import batched
from attn_cli.data.text_input import open_lines, read_error
from attn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Kind = Literal["text", "jsonl", "parquet"]

#: Records of a chunk, the unit of work: a multiple of the lines that share a batch, so that the
#: batches are those of `attn translate`.
RECORDS = 2 * CHUNK

#: Chunks of a Parquet file that become one row group.
_ROW_GROUP = 32

_BLOCK = 1 << 20


@dataclass(frozen=True)
class InputFile:
    """A file to read: its path, its name relative to the output folder, and its state on disk."""

    path: Path
    name: str
    size: int
    modified: int  # ns

    @property
    def kind(self) -> Kind:
        """The format, by the name."""
        name = self.name.removesuffix(".gz")
        if name.endswith(".parquet") and not self.is_gzip:
            return "parquet"
        return "jsonl" if name.endswith((".jsonl", ".ndjson")) else "text"

    @property
    def is_gzip(self) -> bool:
        """Whether it is compressed as a whole."""
        return self.name.endswith(".gz")

    def digest(self) -> str:
        """The sha256 of its bytes. Raises DataError if it cannot be read."""
        try:
            with open(self.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise read_error(str(self.path), error) from error

    def has_changed(self) -> bool:
        """Whether it is no longer what it was when it was found."""
        try:
            status = self.path.stat()
        except OSError:
            return True
        return (status.st_size, status.st_mtime_ns) != (self.size, self.modified)


@dataclass(frozen=True)
class Columns:
    """Columns of Parquet files: the texts that are read, and the results that are added."""

    texts: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of a file, the unit of work.

    `payload` is lines joined by line feeds, of a Parquet file a JSON list of texts. `read` is how
    many bytes of the file it took, `notes` is what was wrong with its lines.
    """

    number: int
    first: int  # the number of its first record in the file, from 1
    payload: bytes
    records: int
    read: int
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What names its result: its place in the file and a digest of its text."""
        digest = hashlib.sha256(self.payload).hexdigest()
        return f"{self.number:08d}-{self.records}-{digest[:32]}"


def records_of(key: str) -> int:
    """The records of the chunk with that key."""
    return int(key.split("-")[1])


# Finding files


def find_files(inputs: Sequence[str], output: Path) -> list[InputFile]:
    """The files that `inputs` name: files, folders with all below them, and glob patterns.

    Hidden files below a folder and what lies in `output` are left out. Raises DataError for what
    is not there, UsageError where two files would have one output, or an output is an input.
    """
    files: dict[str, InputFile] = {}
    for argument in inputs:
        for path, name in _named(argument, output):
            other = files.get(name)
            if other and not os.path.samefile(other.path, path):
                raise UsageError(
                    f"{other.path} and {path} would both become {output / name}",
                    "Name the folder that both are in, or translate them into two folders.",
                )
            if (output / name).exists() and os.path.samefile(output / name, path):
                raise UsageError(
                    f"the output of {path} would replace it", "Choose another --output folder."
                )
            status = path.stat()
            files[name] = InputFile(path, name, status.st_size, status.st_mtime_ns)
    for name in files:
        if parent := next((str(p) for p in Path(name).parents if str(p) in files), None):
            raise UsageError(
                f"{output / parent} cannot be the output of {files[parent].path} and a folder "
                f"for that of {files[name].path}",
                "Translate them into two folders.",
            )
    return list(files.values())


def _named(argument: str, output: Path) -> Iterator[tuple[Path, str]]:
    """The files that one input names, sorted, each with its relative name."""
    path = Path(argument)
    if path.is_dir():
        names = sorted(
            each.relative_to(path)
            for each in path.rglob("*")
            if each.is_file() and not _is_inside(each, output)
        )
        names = [name for name in names if not any(part[0] == "." for part in name.parts)]
        if not names:
            raise DataError(
                f"there is no file in the folder {argument}", "Name one with files in it."
            )
        yield from ((path / name, name.as_posix()) for name in names)
    elif path.exists():
        if not path.is_file():
            raise UsageError(
                f"{argument} is not a file: batch reads its inputs more than once",
                "Use attn translate in a pipe.",
            )
        yield path, path.name
    elif glob.has_magic(argument):
        base = next(p for p in path.parents if not glob.has_magic(str(p)))
        matches = [Path(each) for each in sorted(glob.glob(argument, recursive=True))]
        files = [each for each in matches if each.is_file() and not _is_inside(each, output)]
        if not files:
            raise DataError(f"no file matches {argument}", "Check the pattern and its folder.")
        yield from ((each, each.relative_to(base).as_posix()) for each in files)
    else:
        raise read_error(argument, FileNotFoundError())


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


# Reading chunks


def read_chunks(file: InputFile, columns: Columns, size: int) -> Iterator[Chunk]:
    """The chunks of a file, of `size` records, in order. Raises DataError if it cannot be read."""
    if file.kind == "parquet":
        return _table_chunks(file, columns, size)
    return _line_chunks(file, size)


def _line_chunks(file: InputFile, size: int) -> Iterator[Chunk]:
    with open_lines(file.path) as lines:
        before = 0
        for number, chunk in enumerate(lines.chunks(size)):
            payload = "\n".join(line.text for line in chunk).encode()
            notes = tuple(f"line {line.number}: {line.problem}" for line in chunk if line.problem)
            position = lines.position
            read = position - before
            yield Chunk(number, chunk[0].number, payload, len(chunk), read, notes)
            before = position


def _table_chunks(file: InputFile, columns: Columns, size: int) -> Iterator[Chunk]:
    with _open_table(file) as table:
        _check_columns(file, table, columns)
        total, before = max(1, table.metadata.num_rows), 0
        rows: Iterator[tuple[str | None, ...]] = (
            row
            for batch in _batches(file, table, list(columns.texts))
            for row in zip(*(batch[name].to_pylist() for name in columns.texts), strict=True)
        )
        for number, group in enumerate(batched(rows, size)):
            payload = json.dumps(group, ensure_ascii=False).encode("utf-8", "replace")
            done = number * size
            position = (done + len(group)) * file.size // total
            yield Chunk(number, done + 1, payload, len(group), position - before)
            before = position


def _open_table(file: InputFile) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file.path)
    except OSError as error:
        raise read_error(str(file.path), error) from error
    except pa.ArrowException as error:
        raise _damaged_table(file) from error


def _batches(
    file: InputFile, table: "pq.ParquetFile", columns: list[str] | None = None
) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    batches = table.iter_batches(batch_size=RECORDS, columns=columns)
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise _damaged_table(file) from error
        if batch is None:
            return
        yield batch


def _damaged_table(file: InputFile) -> DataError:
    return DataError(
        f"cannot read {file.path}: it is not a Parquet file, or a damaged one",
        "Fetch or write it again.",
    )


def _check_columns(file: InputFile, table: "pq.ParquetFile", columns: Columns) -> None:
    """Raises DataError where a column is missing, holds no text, or would be there twice."""
    import pyarrow as pa

    schema = table.schema_arrow
    for name in columns.texts:
        if name not in schema.names:
            raise DataError(
                f"{file.path} has no column {name}",
                f"Name one with --source-column or --target-column: {', '.join(schema.names)}.",
            )
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise DataError(
                f"the column {name} of {file.path} holds {kind}, not text", "Name another."
            )
    if columns.result in schema.names:
        raise DataError(
            f"{file.path} has a column {columns.result} already",
            "Name the column to add with --result-column.",
        )


# Joining results


def join_results(file: InputFile, columns: Columns, parts: Sequence[Path], out: BinaryIO) -> None:
    """Write the output of `file` from the results of its chunks, in order."""
    if file.kind == "parquet":
        _join_table(file, columns, parts, out)
    else:
        if file.is_gzip and not parts:
            out.write(pack(b""))
        for part in parts:
            with open(part, "rb") as results:
                while block := results.read(_BLOCK):
                    out.write(block)


def _join_table(file: InputFile, columns: Columns, parts: Sequence[Path], out: BinaryIO) -> None:
    """The columns of `file` and that of the results, in its own compression."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _open_table(file) as table:
        schema = table.schema_arrow.append(pa.field(columns.result, pa.string()))
        results = (each for part in parts for each in json.loads(part.read_bytes()))
        with pq.ParquetWriter(out, schema, compression=_compression(table)) as writer:
            for group in batched(_batches(file, table), _ROW_GROUP):
                rows = pa.Table.from_batches(group)
                added: list[Any] = [next(results, None) for _ in range(len(rows))]
                rows = rows.append_column(
                    schema.field(columns.result), pa.array(added, pa.string())
                )
                writer.write_table(rows, row_group_size=max(1, len(rows)))


def _compression(table: "pq.ParquetFile") -> str:
    metadata = table.metadata
    if not metadata.num_row_groups or not metadata.num_columns:
        return "snappy"
    name = str(metadata.row_group(0).column(0).compression).lower()
    return "none" if name == "uncompressed" else name


def pack(data: bytes) -> bytes:
    """`data` as one member of a gzip file; members follow each other in one file."""
    import gzip

    return gzip.compress(data, mtime=0)


def total_size(files: Iterable[InputFile]) -> int:
    """The bytes of all these files."""
    return sum(file.size for file in files)
