"""Bytes to lines, for every command: files, gzip, pipes, terminals; and text back to a file.

Standard input and output are arguments.

A line ends with a line feed, and a carriage return before it goes too; U+2028, U+0085 and form feed
are characters like any other. Text is UTF-8. Lines count from 1.
"""

import codecs
import contextlib
import errno
import gzip
import io
import itertools
import os
import queue
import re
import shutil
import threading
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, TextIO, TypeVar, cast

from attn_cli.errors import DataError

NOT_UTF8 = "not valid UTF-8, read with U+FFFD"
STANDARD_INPUT = "standard input"

#: What the lines of a chunk may cost together: 1,024 lines of 200 characters, or 4 of 8,000.
MAX_CHUNK_COST = 1 << 18

T = TypeVar("T")
WarningCallback = Callable[[int, str], None]

_BLOCK = 1 << 16  # bytes asked of a stream at a time; a pipe gives what it has
_BLOCKS_AHEAD = 16  # blocks a live stream is read ahead of its consumer
_MAX_TABLE_LENGTH = 8192  # characters of a line that a table may show
_PATIENCE = 1.0  # seconds: on Windows a waiting thread sees ^C only between two waits
_DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_UNWRITTEN = _DISK_FULL | {errno.EIO, errno.EPIPE}  # the data did not get to the file
_BAR = re.compile(r"(?:^| )\|\|\|(?= |$)")  # `|||` standing alone, as fast_align and Moses write it


class Line(NamedTuple):
    """One line without its end; `problem` says what was wrong with its bytes, "" for nothing."""

    number: int
    text: str
    problem: str = ""


class Lines:
    """The lines of one open stream, once, in order; `name` is what errors call it.

    `on_problem(number, problem)` is called in the consumer's thread, just before such a line is
    handed over. Raises DataError when the stream cannot be read to its end.
    """

    def __init__(
        self, stream: BinaryIO, *, name: str, on_problem: WarningCallback | None = None
    ) -> None:
        self.name = name
        self._stream = stream
        self._on_problem = on_problem
        self._count = 0
        self._rest = b""  # read already, by `skip`

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

        With `interactive` (a pipe or a terminal: something may be waiting for our answer) a list
        holds what is there by now and is never kept waiting for more.
        """
        blocks = _read_ahead(self._blocks()) if interactive else self._blocks()
        with contextlib.closing(blocks):
            lines = (
                line for burst in self._bursts(blocks) for line in (burst if burst else (None,))
            )
            yield from chunked(lines, size, cost=lambda line: cost_of_text(line.text))

    def _blocks(self) -> Generator[bytes, None, None]:
        # read1 gives what a pipe holds now, where read would wait for a whole block; an unbuffered
        # stream has only read, which behaves the same.
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
        """The lines completed by each block; nothing for the empty block that marks a pause."""
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
        """The lines in `data`, whose last one has no line feed any more."""
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
    """The lines of a file, of a `*.gz`, or of `stdin` for "-".

    Raises DataError, here or while the lines are read, if they cannot be.
    """
    if str(path) == "-":
        if stdin is None:
            raise DataError("standard input is closed", "Name a file, or pipe text in.")
        yield Lines(_unshared(stdin), name=STANDARD_INPUT, on_problem=on_problem)
        return
    try:
        stream = gzip.open(path) if _is_gzip(path) else open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise read_error(str(path), error) from error
    with stream:
        yield Lines(cast(BinaryIO, stream), name=str(path), on_problem=on_problem)


def count_lines(path: Path | str) -> int:
    """The number of lines of a file or a `*.gz`. Raises DataError if it cannot be read."""
    with open_lines(path) as lines:
        return lines.count()


def zip_lines(source: Lines, target: Lines) -> Iterator[tuple[Line, Line]]:
    """Line n of one file with line n of the other.

    Raises DataError, after the last pair, when one file is longer; it names both and their counts.
    """
    ours, theirs = iter(source), iter(target)
    pairs = 0
    for pairs, line in enumerate(ours, 1):
        other = next(theirs, None)
        if other is None:
            raise_length_mismatch(source.name, pairs + sum(1 for _ in ours), target.name, pairs - 1)
        yield line, other
    if surplus := sum(1 for _ in theirs):
        raise_length_mismatch(source.name, pairs, target.name, pairs + surplus)


def parse_pair(text: str) -> tuple[str, str] | None:
    """The two sides of a line, or None where nothing separates them.

    A TAB separates, and further columns are ignored; without any, `|||` with a space or the line's
    end on either side does.
    """
    if "\t" in text:
        source, target, *_ = text.split("\t", 2)
        return source, target
    source, *rest = _BAR.split(text, 2)
    return (source.strip(" "), rest[0].strip(" ")) if rest else None


def cost_of_text(text: str) -> int:
    """Return the share of `MAX_CHUNK_COST` that a line takes: its table grows with its square."""
    return len(text) + len(text) * min(len(text), _MAX_TABLE_LENGTH) // 1024


def chunked(items: Iterable[T | None], size: int, *, cost: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield lists of items, which end at every `size` items of all and at `MAX_CHUNK_COST`.

    None among them ends a list too. The ends depend on the items since the last multiple of `size`
    alone, so that parts which begin there are cut like the whole.
    """
    chunk: list[T] = []
    total = count = 0
    for item in items:
        if item is not None:
            chunk.append(item)
            count += 1
            total += cost(item)
        if chunk and (item is None or count % size == 0 or total >= MAX_CHUNK_COST):
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items, the last one shorter."""
    remaining = iter(items)
    while group := list(itertools.islice(remaining, size)):
        yield group


@contextlib.contextmanager
def open_output(path: Path | str, *, stdout: BinaryIO | None = None) -> Iterator[TextIO]:
    """A text stream to a file, a `*.gz` or, for "-", `stdout`; its `buffer` takes bytes.

    The file appears under its name when the block ends well, and not at all when it fails: it is
    written beside and renamed. A device or a named pipe is written in place. Raises DataError if
    the folder is missing or may not be written to, or the disk is full.
    """
    if str(path) == "-":
        if stdout is None:
            raise DataError("standard output is closed", "Name a file to write to.")
        wrapper = io.TextIOWrapper(stdout, encoding="utf-8", newline="\n")
        try:
            yield wrapper
        finally:
            wrapper.detach()  # flushes, and leaves `stdout` open
        return
    in_place = os.path.exists(path) and not os.path.isfile(path)
    final = Path(path) if in_place else Path(os.path.realpath(path))
    part = final if in_place else final.with_name(f".attn-{os.urandom(8).hex()}.part")
    try:  # from before the file is there, since a signal may come as soon as it is
        try:
            raw = open(part, "wb" if in_place else "xb")  # noqa: SIM115
        except OSError as error:
            raise write_error(path, error) from error
        with raw, _compressed(raw, path) as stream, _encoded(stream) as text:
            yield text
        if not in_place:
            _rename(part, final, called=path)
    except BaseException as error:
        if not in_place:
            with contextlib.suppress(OSError):
                part.unlink()
        if isinstance(error, OSError) and error.errno in _UNWRITTEN:
            raise write_error(path, error) from error
        raise


def _read_ahead(blocks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """`blocks`, read by a thread of its own; an empty one says that no more is there by now.

    An error while reading is raised here. The thread ends with its consumer, or with the process
    if it is waiting for input then.
    """
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_BLOCKS_AHEAD)
    stopped = threading.Event()

    def read() -> None:
        try:
            for block in blocks:
                ready.put(block)
                if stopped.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # whatever it is, the consumer is who must hear of it
            ready.put(error)

    threading.Thread(target=read, name="attn-read-ahead", daemon=True).start()
    try:
        while True:
            if ready.empty():
                yield b""
            item = _wait(ready)
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        with contextlib.suppress(queue.Empty):  # room for the block the thread may be holding
            while True:
                ready.get_nowait()


def _wait(ready: "queue.Queue[T]") -> T:
    while True:
        with contextlib.suppress(queue.Empty):
            return ready.get(timeout=_PATIENCE)


def _unshared(stream: BinaryIO) -> BinaryIO:
    """A reader of our own on the stream's descriptor, or the stream where it has none.

    At exit Python aborts if a daemon thread, waiting for input, holds the lock of `sys.stdin`.
    """
    try:
        return open(stream.fileno(), "rb", buffering=0, closefd=False)
    except (AttributeError, OSError):  # a stand-in, as a test's BytesIO
        return stream


def _is_gzip(path: Path | str) -> bool:
    return str(path).endswith(".gz")


def _compressed(raw: BinaryIO, path: Path | str) -> contextlib.AbstractContextManager[BinaryIO]:
    if not _is_gzip(path):
        return contextlib.nullcontext(raw)
    # Neither name nor time inside: the same text gives the same bytes.
    return cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=raw, mtime=0))


def _encoded(stream: BinaryIO) -> TextIO:
    return io.TextIOWrapper(stream, encoding="utf-8", newline="\n")


def _rename(part: Path, final: Path, *, called: Path | str) -> None:
    try:
        if final.exists():
            shutil.copymode(final, part)
        os.replace(part, final)
    except OSError as error:
        raise write_error(called, error) from error


def raise_length_mismatch(source: str, n_source: int, target: str, n_target: int) -> NoReturn:
    """Raise DataError: two files that belong together differ in length."""
    raise DataError(
        f"{source} has {n_source} lines but {target} has {n_target}",
        "Line n of one must belong to line n of the other: give files of equal length.",
    )


def read_error(name: str, error: Exception) -> DataError:
    """The sentence for a file that cannot be read."""
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


def write_error(path: Path | str, error: OSError) -> DataError:
    """The sentence for a file that cannot be written."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            reason, hint = "its folder does not exist", "Make the folder first."
        case IsADirectoryError():
            reason, hint = "it is a folder", "Name a file in it."
        case _ if error.errno in _DISK_FULL:
            reason, hint = "no space is left", "Free some, or write elsewhere."
        case BrokenPipeError():
            reason, hint = "the program that read it has ended", "Start it again."
        case _:
            reason = error.strerror or str(error)
            hint = "Check that you may write there."
    return DataError(f"cannot write {path}: {reason}", hint)
