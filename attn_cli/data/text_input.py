"""Read lines of text from files, gzip files, pipes and terminals.

A line ends with a line feed, and a carriage return before it goes too; U+2028, U+0085 and form feed
are characters like any other. Text is UTF-8. Lines count from 1.
"""

import codecs
import contextlib
import gzip
import itertools
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, cast

from attn_cli.data.chunks import chunked, cost_of_text
from attn_cli.data.read_ahead import read_ahead
from attn_cli.data.text_output import is_gzip
from attn_cli.errors import DataError

NOT_UTF8 = "not valid UTF-8, read with U+FFFD"
STANDARD_INPUT = "standard input"

WarningCallback = Callable[[int, str], None]

_BLOCK = 1 << 16  # maximum bytes of a read; a pipe returns those that it has
_BAR = re.compile(r"(?:^| )\|\|\|(?= |$)")  # `|||` between spaces, as in fast_align and Moses


class Line(NamedTuple):
    """One line without its end; `problem` is what is wrong with its bytes, or ""."""

    number: int
    text: str
    problem: str = ""


class Lines:
    """Iterates over the lines of an open stream, once; errors contain its `name`.

    `on_problem(number, problem)` is called in the consumer's thread, just before a line with a
    problem is yielded. Raises DataError if the stream cannot be read to its end.
    """

    def __init__(
        self, stream: BinaryIO, *, name: str, on_problem: WarningCallback | None = None
    ) -> None:
        self.name = name
        self._stream = stream
        self._on_problem = on_problem
        self._count = 0
        self._rest = b""  # bytes that `skip` has read

    @property
    def position(self) -> int:
        """Bytes of the stream read so far, of a `*.gz` the compressed ones."""
        raw = self._stream.fileobj if isinstance(self._stream, gzip.GzipFile) else self._stream
        return raw.tell() if raw else 0

    def count(self) -> int:
        """Read to the end and return the number of the last line, decoding nothing."""
        last = b""
        for block in self._blocks():
            self._count += block.count(b"\n")
            last = block if b"\n" in block else last[-len(codecs.BOM_UTF8) :] + block
        rest = last.rpartition(b"\n")[2]
        self._count += bool(rest) and not (self._count == 0 and rest == codecs.BOM_UTF8)
        return self._count

    def skip(self, lines: int) -> None:
        """Pass over the next `lines` lines, decoding nothing and reporting nothing."""
        remaining = lines
        for block in self._blocks() if lines else ():
            if (ends := block.count(b"\n")) < remaining:
                remaining -= ends
                continue
            place = -1
            for _ in range(remaining):
                place = block.index(b"\n", place + 1)
            self._rest = block[place + 1 :]
            break
        self._count += lines

    def __iter__(self) -> Iterator[Line]:
        return itertools.chain.from_iterable(self._bursts(self._blocks()))

    def chunks(self, size: int, *, interactive: bool = False) -> Iterator[list[Line]]:
        """Yield lists of lines, cut as `chunked` cuts them.

        With `interactive`, for a pipe or a terminal, a list has the lines that have arrived so far:
        it does not wait for more.
        """
        blocks = read_ahead(self._blocks()) if interactive else self._blocks()
        with contextlib.closing(blocks):
            lines = (
                line for burst in self._bursts(blocks) for line in (burst if burst else (None,))
            )
            yield from chunked(lines, size, cost=lambda line: cost_of_text(line.text))

    def _blocks(self) -> Generator[bytes, None, None]:
        # read1 returns what a pipe has now, and read waits for a whole block; the read of an
        # unbuffered stream is like read1.
        read: Callable[[int], bytes] = getattr(self._stream, "read1", self._stream.read)
        rest, self._rest = self._rest, b""
        try:
            if rest:
                yield rest
            while block := read(_BLOCK):
                yield block
        except (OSError, EOFError, zlib.error) as error:
            raise read_error(self.name, error) from error

    def _bursts(self, blocks: Iterable[bytes]) -> Iterator[Iterable[Line]]:
        """Yield the lines that each block completes; none for the empty block of a pause."""
        parts: list[bytes] = []
        for block in blocks:
            complete, newline, rest = block.rpartition(b"\n")
            if newline:
                yield self._decoded(b"".join([*parts, complete]))
                parts = [rest]
            elif block:
                parts.append(block)
            else:
                yield ()
        last = b"".join(parts)
        if last and not (self._count == 0 and last == codecs.BOM_UTF8):
            yield self._decoded(last)

    def _decoded(self, data: bytes) -> Iterable[Line]:
        """Return the lines in `data`, whose last one has no line feed."""
        if self._count == 0:
            data = data.removeprefix(codecs.BOM_UTF8)
        first = self._count + 1
        try:
            texts = data.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            raw_lines = data.split(b"\n")
            self._count += len(raw_lines)
            return (self._repaired(number, raw) for number, raw in enumerate(raw_lines, first))
        self._count += len(texts)
        return [Line(number, text.removesuffix("\r")) for number, text in enumerate(texts, first)]

    def _repaired(self, number: int, raw: bytes) -> Line:
        raw = raw.removesuffix(b"\r")
        try:
            return Line(number, raw.decode("utf-8"))
        except UnicodeDecodeError:
            if self._on_problem:
                self._on_problem(number, NOT_UTF8)
            return Line(number, raw.decode("utf-8", errors="replace"), NOT_UTF8)


@contextlib.contextmanager
def open_lines(
    path: Path | str, *, stdin: BinaryIO | None = None, on_problem: WarningCallback | None = None
) -> Iterator[Lines]:
    """Open the lines of a file, of a `*.gz`, or of `stdin` for "-".

    Raises DataError, here or during iteration, if they cannot be read.
    """
    if str(path) == "-":
        if stdin is None:
            raise DataError("standard input is closed", "Name a file, or pipe text in.")
        yield Lines(_unshared(stdin), name=STANDARD_INPUT, on_problem=on_problem)
        return
    try:
        stream = gzip.open(path) if is_gzip(path) else open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise read_error(str(path), error) from error
    with stream:
        yield Lines(cast(BinaryIO, stream), name=str(path), on_problem=on_problem)


def count_lines(path: Path | str) -> int:
    """Return the number of lines of a file or a `*.gz`. Raises DataError if it cannot be read."""
    with open_lines(path) as lines:
        return lines.count()


def zip_lines(source: Lines, target: Lines) -> Iterator[tuple[Line, Line]]:
    """Yield line n of one file with line n of the other.

    Raises DataError with both names and counts, after the last pair, if one file is longer.
    """
    source_lines, target_lines = iter(source), iter(target)
    pairs = 0
    for pairs, line in enumerate(source_lines, 1):
        other = next(target_lines, None)
        if other is None:
            n_source = pairs + sum(1 for _ in source_lines)
            raise_length_mismatch(source.name, n_source, target.name, pairs - 1)
        yield line, other
    if surplus := sum(1 for _ in target_lines):
        raise_length_mismatch(source.name, pairs, target.name, pairs + surplus)


def parse_pair(text: str) -> tuple[str, str] | None:
    """Return the two sides of a line, or None for a line without a separator.

    The separator is a TAB, and further columns are ignored; without a TAB, `|||` with a space or
    the line's end on either side.
    """
    if "\t" in text:
        source, target, *_ = text.split("\t", 2)
        return source, target
    source, *rest = _BAR.split(text, 2)
    return (source.strip(" "), rest[0].strip(" ")) if rest else None


def _unshared(stream: BinaryIO) -> BinaryIO:
    """Open the stream's descriptor again; return the stream if it has none.

    At exit Python aborts if a daemon thread that waits for input holds the lock of `sys.stdin`.
    """
    try:
        return open(stream.fileno(), "rb", buffering=0, closefd=False)
    except (AttributeError, OSError):  # such as BytesIO
        return stream


def raise_length_mismatch(source: str, n_source: int, target: str, n_target: int) -> NoReturn:
    """Raise DataError: two files that belong together differ in length."""
    raise DataError(
        f"{source} has {n_source} lines but {target} has {n_target}",
        "Line n of one must belong to line n of the other: give files of equal length.",
    )


def read_error(name: str, error: Exception) -> DataError:
    """Return the error for a file that cannot be read."""
    match error:
        case EOFError():
            reason, hint = "its compressed data ends too early", "Fetch or compress it again."
        case gzip.BadGzipFile() | zlib.error():
            reason = "it is not a gzip file, or a damaged one"
            hint = "Fetch or compress it again; text that isn't compressed has no .gz in its name."
        case FileNotFoundError():
            reason, hint = "there is no such file", "Check its name and folder."
        case IsADirectoryError():
            reason, hint = "it is a folder", "Name a file in it."
        case _:
            reason = str(getattr(error, "strerror", None) or error)
            hint = "Check that it is a file you may read."
    return DataError(f"cannot read {name}: {reason}", hint)
