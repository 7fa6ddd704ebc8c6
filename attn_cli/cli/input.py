"""Read the lines of translate and align from arguments, files or a pipe, as text or JSONL."""

import itertools
import json
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from attn_cli.choices import InputFormat
from attn_cli.console import Console
from attn_cli.data.chunks import chunked, cost_of_text
from attn_cli.data.text_input import (
    Line,
    Lines,
    count_lines,
    open_lines,
    parse_pair,
    raise_length_mismatch,
    zip_lines,
)
from attn_cli.errors import DataError, UsageError
from attn_cli.types import InputLine

#: Lines of a chunk, so that lines of similar length can share a batch.
CHUNK = 1024

#: Lines of a chunk if a user waits for the first result.
INTERACTIVE_CHUNK = 32


@dataclass(frozen=True)
class Shard:
    """Part `number`, from 1, of `count` consecutive parts of a file.

    Parts begin at multiples of CHUNK lines, so that the same lines share a batch as without parts,
    and the concatenated outputs of all parts are the output of the whole file.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse `K/N`. Raises UsageError for anything else."""
        number, slash, count = text.partition("/")
        if slash and all(each.isascii() and each.isdecimal() for each in (number, count)):
            shard = cls(int(number), int(count))
            if 1 <= shard.number <= shard.count:
                return shard
        raise UsageError(f"--shard cannot be {text}", "Give K/N, such as 1/8 to 8/8.")

    def lines(self, total: int) -> range:
        """Return the lines of this part, from 0, of a file of `total` lines."""
        blocks = -(-total // CHUNK)
        start, end = (
            blocks * part // self.count * CHUNK for part in (self.number - 1, self.number)
        )
        return range(min(start, total), min(end, total))

    def of(self, console: Console, *paths: Path | None) -> range:
        """Return the lines of this part of a file, or of two parallel files.

        Raises UsageError if one is no regular file, DataError if their lengths differ.
        """
        counts = []
        for path in paths:
            if path is None or str(path) == "-" or (path.exists() and not path.is_file()):
                raise UsageError(
                    "--shard needs a file, since it counts the lines first",
                    "Name a file with --input.",
                )
            counts.append(count_lines(path))
        if len(set(counts)) > 1:
            raise_length_mismatch(str(paths[0]), counts[0], str(paths[1]), counts[1])
        lines = self.lines(counts[0])
        if counts[0] and not lines:
            console.info(
                f"shard {self.number}/{self.count} of {paths[0]} is empty: its {counts[0]:,} lines "
                f"are cut at every {CHUNK:,}"
            )
        return lines


def reads_live(console: Console, path: Path | None) -> bool:
    """Whether lines come from a terminal or a pipe that may still be written to."""
    return str(path or "-") == "-" and console.stdin_is_live


@contextmanager
def open_input(
    console: Console,
    texts: list[str],
    path: Path | None,
    input_format: InputFormat,
    *,
    pairs: bool,
    shard: Shard | None = None,
    skip: int = 0,
    to_file: bool = False,
) -> Iterator[Iterator[list[InputLine]]]:
    """Yield chunks of lines from `texts`, else from `path` or stdin; with `pairs`, of two sides.

    With a `shard`, only its lines; `skip` leaves out the first of them. Chunks are small if stdout
    is a terminal, unless results go `to_file`.
    """
    if texts and path is not None:
        raise UsageError("text was given both as arguments and with --input", "Give one of them.")
    if texts and shard is not None:
        raise UsageError(
            "--shard selects a part of a file, not of arguments", "Leave one of them out."
        )
    if texts:
        yield iter([_of_arguments(console, texts, pairs=pairs)])
        return
    part = shard.of(console, path) if shard else None
    name = "-" if path is None else path
    with open_text(console, name) as lines:
        live = str(name) == "-" and console.stdin_is_live
        if str(name) == "-" and console.stdin_is_terminal:
            console.info("attn: reading lines from the terminal; ^D ends them")
        size = INTERACTIVE_CHUNK if console.stdout_is_terminal and not to_file else CHUNK
        read = LineParser(lines.name, input_format, pairs)
        if part is None:
            if skip:
                lines.skip(skip)
            chunks: Iterator[list[Line]] = lines.chunks(size, interactive=live)
        else:
            lines.skip(part.start + skip)
            part_lines = islice(lines, max(0, len(part) - skip))
            chunks = chunked(part_lines, size, cost=lambda line: cost_of_text(line.text))
        yield ([read(line) for line in chunk] for chunk in chunks)


@contextmanager
def open_parallel_input(
    console: Console, source: Path, target: Path, *, shard: Shard | None = None
) -> Iterator[Iterator[list[InputLine]]]:
    """Yield chunks of pairs from two parallel files: line n of one with line n of the other.

    With a `shard`, only those of its lines.
    """
    part = shard.of(console, source, target) if shard else None
    with ExitStack() as stack:
        source_lines, target_lines = (
            stack.enter_context(open_text(console, path, name=str(path)))
            for path in (source, target)
        )
        size = INTERACTIVE_CHUNK if console.stdout_is_terminal else CHUNK
        pairs: Iterator[tuple[Line, Line]] = zip_lines(source_lines, target_lines)
        if part is not None:
            source_lines.skip(part.start)
            target_lines.skip(part.start)
            pairs = islice(pairs, len(part))
        each = (InputLine(a.number, a.text, b.text) for a, b in pairs)
        yield chunked(each, size, cost=line_cost)


def line_cost(request: InputLine) -> int:
    """See `cost_of_text`."""
    return cost_of_text(max(request.source, request.target, key=len))


def _of_arguments(console: Console, texts: list[str], *, pairs: bool) -> list[InputLine]:
    lines = [_clean(console, number, text) for number, text in enumerate(texts, start=1)]
    if not pairs:
        return [InputLine(number, text) for number, text in enumerate(lines, start=1)]
    if len(lines) != 2:
        raise UsageError(
            f"align takes two texts, a SOURCE and a TARGET, but got {len(lines)}",
            'Write attn align "I love you" "Je t\'aime", or pipe pairs in.',
        )
    return [InputLine(1, lines[0], lines[1])]


def _clean(console: Console, number: int, text: str) -> str:
    """Return an argument as one line of valid text."""
    repaired = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if repaired != text:
        console.warn(f"text {number} is not valid UTF-8; read with U+FFFD")
    return one_line(repaired)


def open_text(
    console: Console, path: Path | str, *, name: str = ""
) -> AbstractContextManager[Lines]:
    """Open the lines of a file, or of stdin for "-"; warnings about a line have `name` before it.

    Raises as `open_lines`.
    """
    return open_lines(path, stdin=console.stdin, on_problem=warning_callback(console, name))


def warning_callback(console: Console, name: str = "") -> Callable[[int, str], None]:
    """Return a callback that warns about a line, by its number and the file's `name`."""
    where = f"{name}: " if name else ""

    def report(number: int, problem: str) -> None:
        console.warn(f"{where}line {number}: {problem}")

    return report


class LineParser:
    """Parses a line. Raises DataError, with file and line number, for an invalid one."""

    def __init__(self, name: str, input_format: InputFormat, pairs: bool) -> None:
        self.name, self.input_format, self.pairs = name, input_format, pairs

    def __call__(self, line: Line) -> InputLine:
        if self.input_format == "jsonl":
            return self._record(line)
        if not self.pairs:
            return InputLine(line.number, line.text)
        if not line.text.strip():
            return InputLine(line.number, "", "")
        pair = parse_pair(line.text)
        if pair is None:
            raise DataError(
                f"{self.name} line {line.number} has no TAB and no ' ||| ' between two sides",
                "Write source<TAB>target on each line.",
            )
        return InputLine(line.number, *pair)

    def _record(self, line: Line) -> InputLine:
        if not line.text.strip():
            return InputLine(line.number, "", "")
        record = self._object(line)
        source = self._text(line, record, "source")
        target = self._text(line, record, "target") if self.pairs else ""
        return InputLine(line.number, one_line(source), one_line(target), record)

    def _object(self, line: Line) -> dict[str, Any]:
        try:
            record = json.loads(line.text, parse_constant=_refuse_constant, parse_float=_finite)
            reason = "" if isinstance(record, dict) else f"it is {_json_type(record)}"
        except json.JSONDecodeError as error:
            reason = f"{error.msg} at column {error.colno}"
        except RecursionError:
            reason = "it is nested too deeply"
        except ValueError as error:  # a number of too many digits, NaN
            reason = str(error)
        if reason:
            raise self._bad_record(f"line {line.number} is not a JSON object: {reason}")
        assert isinstance(record, dict)
        return record

    def _text(self, line: Line, record: dict[str, Any], key: str) -> str:
        text = record.get(key)
        if isinstance(text, str):
            return text
        if key in record:
            raise self._bad_record(f'line {line.number}: "{key}" is {_json_type(text)}, not a text')
        keys = ", ".join(f'"{each}"' for each in itertools.islice(record, _MOST_KEYS))
        more = f" and {len(record) - _MOST_KEYS} more" if len(record) > _MOST_KEYS else ""
        others = f", but {keys}{more}" if keys else " and no other key"
        raise self._bad_record(f'line {line.number} has no "{key}"{others}')

    def _bad_record(self, problem: str) -> DataError:
        example = '{"source": "…", "target": "…"}' if self.pairs else '{"source": "…"}'
        return DataError(f"{self.name} {problem}", f"Write one record a line, such as {example}.")


#: The most keys of a record that an error names.
_MOST_KEYS = 8


def _json_type(value: Any) -> str:
    """Return what JSON calls the value, with its article."""
    names = {bool: "true or false", str: "a string", list: "an array", dict: "an object"}
    return "null" if value is None else names.get(type(value), "a number")


def one_line(text: str) -> str:
    """Return `text` with spaces in place of line ends."""
    return text.replace("\r\n", " ").replace("\n", " ")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def language_of(path: Path | None) -> str:
    """Return the language in a file's extension: 'en' for a.en and a.en.gz; else ''."""
    suffix = Path(str(path or "").removesuffix(".gz")).suffix[1:]
    return suffix if 2 <= len(suffix) <= 3 and suffix.isalpha() and suffix != "txt" else ""
