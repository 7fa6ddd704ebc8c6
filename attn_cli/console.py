"""The standard streams of the process and their properties, as one object."""

import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from attn_cli.errors import DataError
from attn_cli.files.pager import PagedStream, pager_command, screen_height
from attn_cli.files.standard_streams import (
    ClosedStream,
    StdoutClosedError,
    reserve_descriptors,
    write_records,
)

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType

#: When to write colors: `auto` is on a terminal.
Color = Literal["auto", "always", "never"]

#: $TERM of terminals that cannot move the cursor.
_DUMB_TERMINALS = ("dumb", "unknown")


@dataclass
class Console:
    """Results go to stdout, messages to stderr, both in UTF-8 regardless of the locale."""

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: BinaryIO
    stdin_is_live: bool  # a terminal or a pipe: more may come later
    stdin_is_terminal: bool
    stdout_is_terminal: bool
    stderr_is_terminal: bool
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()  # the command line, without the program
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    color: Color | None = None  # of the command line, which precedes the environment
    default_color: Color = "auto"  # without --color and without a variable
    default_threads: int | None = None  # of commands without --threads; None for all cores
    started: float = field(default_factory=time.monotonic)  # of the command, in time.monotonic

    @classmethod
    def of_process(cls) -> "Console":
        """Return the console of this process."""
        reserve_descriptors()
        stdin = _binary(sys.stdin)
        return cls(
            stdin=stdin,
            stdout=_binary(sys.stdout),
            stderr=_binary(sys.stderr),
            stdin_is_live=_is_live(stdin),
            stdin_is_terminal=bool(sys.stdin) and sys.stdin.isatty(),
            stdout_is_terminal=bool(sys.stdout) and sys.stdout.isatty(),
            stderr_is_terminal=bool(sys.stderr) and sys.stderr.isatty(),
            environment=dict(os.environ),
            started=time.monotonic() - time.process_time(),  # imports before us took so long
        )

    def write(self, *records: str | bytes) -> None:
        """Write records of the result to stdout, and flush; a signal cuts none of them.

        Text is written as UTF-8, bytes as they are.

        Raises StdoutClosedError if the reader is gone, DataError if stdout cannot be written.
        """
        try:
            write_records(self.stdout, [to_bytes(each) for each in records])
        except BrokenPipeError as error:
            raise StdoutClosedError from error
        except OSError as error:
            raise DataError(
                f"cannot write standard output: {error.strerror}",
                "Free some space, or write to a file with --output.",
            ) from error

    def info(self, text: str) -> None:
        """Write a line to stderr, unless --quiet."""
        if not self.quiet:
            self._write_message(text)

    def verbose_info(self, text: str) -> None:
        """Write a line to stderr with --verbose."""
        if self.verbose:
            self._write_message(text)

    def warn(self, text: str) -> None:
        """Write a warning about the input to stderr, also with --quiet."""
        self._write_message(f"attn: {text}")

    def raw(self, text: str) -> None:
        """Write text to stderr without a prefix, also with --quiet."""
        self._write_message(text)

    def fail(self, problem: str, hint: str) -> None:
        """Write an error to stderr: the problem and where, then what to do."""
        message = f"attn: {_sentence(problem)}" + (f" {_sentence(hint)}" if hint else "")
        self._write_message(message)

    def show(self, renderable: "RenderableType", *, end: str = "") -> None:
        """Write a table or a panel and then `end` to stdout, in color if supported."""
        console = self.rich(stderr=False)
        with console.capture() as captured:
            console.print(renderable)
        self.write(captured.get() + end)

    @contextlib.contextmanager
    def paged(self) -> Iterator[None]:
        """Show what is written in the pager if it is longer than the screen of a terminal."""
        height = screen_height(self.stdout) if self.stdout_is_terminal else None
        command = pager_command(self.environment)
        if height is None or command is None or not self.width:
            yield
            return
        stdout, stream = self.stdout, PagedStream(self.stdout, command, height, self.environment)
        self.stdout = cast(BinaryIO, stream)
        try:
            yield
        finally:
            self.stdout = stdout
            stream.close()

    @cached_property
    def width(self) -> int:
        """Columns of the terminal; 80 without one."""
        columns = self.environment.get("COLUMNS", "")
        if columns.isdecimal() and int(columns):
            return int(columns)
        for stream in (self.stdout, self.stderr, self.stdin):
            try:
                if size := os.get_terminal_size(stream.fileno()).columns:
                    return size
            except (OSError, ValueError, AttributeError):
                continue
        return 80

    def is_on_terminal(self, output: Path | None) -> bool:
        """Whether results for --output are written to the terminal."""
        return self.stdout_is_terminal and is_stdout(output)

    @property
    def draws_progress(self) -> bool:
        """Whether stderr is a terminal on which progress can be drawn, without --quiet."""
        is_dumb = self.environment.get("TERM", "") in _DUMB_TERMINALS
        return self.stderr_is_terminal and not self.quiet and not is_dumb

    @property
    def reads_keys(self) -> bool:
        """Whether single keys can be read, and a screen drawn for them."""
        import importlib.util

        is_terminal = self.stdin_is_terminal and self.stdout_is_terminal
        return is_terminal and importlib.util.find_spec("termios") is not None

    @contextlib.contextmanager
    def keys(self) -> Iterator[Iterator[str]]:
        """Yield the keys that are pressed, until the input ends: "a", "right", "enter", "escape".

        The terminal neither waits for a line nor shows the keys within the block.
        """
        from attn_cli.files.terminal_keys import pressed_keys

        with pressed_keys(self.stdin.fileno()) as keys:
            yield keys

    @property
    def cores(self) -> int:
        """CPU cores that this process may use."""
        if self.default_threads is not None:
            return self.default_threads
        return available_cores()

    def has_color(self, *, stderr: bool) -> bool:
        """Whether stdout, or stderr, gets colors.

        The first of these that says always or never: --color, NO_COLOR (https://no-color.org),
        FORCE_COLOR (https://force-color.org), CLICOLOR_FORCE and CLICOLOR
        (https://bixense.com/clicolors), the default.
        """
        variables = self.environment.get
        if self.color in ("always", "never"):
            color: str = self.color
        elif variables("NO_COLOR"):
            color = "never"
        elif any(
            variables(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")
        ):
            color = "always"
        elif variables("CLICOLOR") == "0":
            color = "never"
        else:
            color = self.color or self.default_color
        if color == "auto":
            return self.stderr_is_terminal if stderr else self.stdout_is_terminal
        return color == "always"

    def rich(self, *, stderr: bool) -> "RichConsole":
        """Return a Rich console on stdout or stderr, with the colors that the stream supports."""
        from rich.console import Console as RichConsole

        stream: Any = io.TextIOWrapper(
            _Messages(self.stderr) if stderr else _Unbuffered(self.stdout),
            encoding="utf-8",
            errors="replace",
        )
        terminal = self.stderr_is_terminal if stderr else self.stdout_is_terminal
        color = self.has_color(stderr=stderr)
        system: Any = "auto" if color else None
        if color and not terminal and self.environment.get("TERM", "dumb") in _DUMB_TERMINALS:
            system = "standard"  # forced, for a reader of unknown colors
        return RichConsole(
            file=stream,
            width=None if stderr and terminal else self.width,  # a live panel follows the window
            force_terminal=terminal or color,
            no_color=not color,
            color_system=system,
            highlight=False,
            emoji=False,
            markup=False,
            _environ=self.environment,
        )

    def set_environment(self, **variables: str) -> None:
        """Set environment variables of this process and its children, unless they are set."""
        for name, value in variables.items():
            os.environ.setdefault(name, value)

    @contextlib.contextmanager
    def divert(self, log: Path) -> Iterator[None]:
        """Append what libraries and processes write on stdout and stderr to the file `log`.

        The console itself still writes to the former streams.
        """
        descriptors: dict[int, int] = {}
        stdout, stderr = self.stdout, self.stderr
        with open(log, "ab") as file:
            try:
                for number, stream in ((1, sys.stdout), (2, sys.stderr)):
                    with contextlib.suppress(OSError, ValueError, AttributeError):
                        stream.flush()
                    with contextlib.suppress(OSError):  # closed
                        descriptors[number] = os.dup(number)
                        os.dup2(file.fileno(), number)
                self.stdout, self.stderr = (
                    _undiverted(stdout, descriptors),
                    _undiverted(stderr, descriptors),
                )
                yield
            finally:
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(OSError, ValueError, AttributeError):
                        stream.flush()
                self.stdout, self.stderr = stdout, stderr
                for number, copy in descriptors.items():
                    os.dup2(copy, number)
                    os.close(copy)

    def _write_message(self, text: str) -> None:
        _Messages(self.stderr).write((text + "\n").encode("utf-8", "replace"))


def available_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


class _Unbuffered(io.BufferedIOBase):
    """An unbuffered stream that stays open when its wrapper is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(data)
        self._stream.flush()
        return len(data)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class _Messages(_Unbuffered):
    """A stream on stderr that ignores write errors."""

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError, ValueError):  # closed, full, or without a reader
            super().write(data)
        return len(data)


def is_stdout(output: Path | None) -> bool:
    """Return whether --output is standard output: left out, or `-`."""
    return str(output or "-") == "-"


def to_bytes(record: str | bytes) -> bytes:
    """Return a record as bytes; text as UTF-8, with ? for what UTF-8 cannot encode."""
    return record if isinstance(record, bytes) else record.encode("utf-8", "replace")


def _binary(stream: Any) -> BinaryIO:
    """Return the binary stream of a standard stream, which is None if it is closed."""
    return stream.buffer if stream else cast("BinaryIO", ClosedStream())


def _undiverted(stream: BinaryIO, descriptors: dict[int, int]) -> BinaryIO:
    """Return a stream on the saved descriptor of `stream`, or `stream` if it is not diverted."""
    try:
        return open(descriptors[stream.fileno()], "wb", buffering=0, closefd=False)
    except (KeyError, OSError, ValueError, AttributeError):
        return stream


def _is_live(stream: BinaryIO) -> bool:
    """Whether `stream` is a pipe, a socket or a terminal."""
    import stat

    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return not stat.S_ISREG(mode)


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else text + "."
