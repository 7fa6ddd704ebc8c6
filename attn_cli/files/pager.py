"""Pipe output of more lines than the terminal has to a pager."""

import contextlib
import io
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any, BinaryIO

#: Default of $LESS: quit if all fits on the screen, keep colors, do not clear the screen.
_LESS_OPTIONS = "FRX"


def pager_command(environment: Mapping[str, str]) -> list[str] | None:
    """Return the pager's command: $ATTN_PAGER, $PAGER, or less.

    None if it is empty, `cat`, or not installed.
    """
    named = environment.get("ATTN_PAGER", environment.get("PAGER", "less"))
    try:
        command = shlex.split(named)
    except ValueError:  # an open quote
        return None
    if not command or command == ["cat"] or shutil.which(command[0]) is None:
        return None
    return command


class PagedStream(io.BufferedIOBase):
    """Buffers output until it has `height` lines, then pipes it to a pager.

    Shorter output is written to `stdout` when the stream is closed. After the user quits the pager,
    the next write raises BrokenPipeError.
    """

    def __init__(
        self, stdout: BinaryIO, command: list[str], height: int, environment: Mapping[str, str]
    ) -> None:
        self._stdout, self._command, self._height = stdout, command, height
        self._environment = {"LESS": _LESS_OPTIONS, **environment}
        self._buffer = bytearray()
        self._pager: subprocess.Popen[bytes] | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("output may go to a pager")

    def write(self, data: Any) -> int:
        if self._pager is None:
            self._buffer += data
            if self._buffer.count(b"\n") < self._height:
                return len(data)
            self._start()
            data, self._buffer = bytes(self._buffer), bytearray()
        assert self._pager is not None
        assert self._pager.stdin is not None
        self._pager.stdin.write(data)
        self._pager.stdin.flush()
        return len(data)

    def _start(self) -> None:
        self._stdout.flush()
        self._pager = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=self._stdout, env=self._environment
        )

    def close(self) -> None:
        """Write the buffer, or wait until the user quits the pager."""
        if self.closed:
            return
        super().close()
        if self._pager is None:
            self._stdout.write(bytes(self._buffer))
            self._stdout.flush()
            return
        assert self._pager.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._pager.stdin.close()
        while True:
            try:
                self._pager.wait()
                return
            except KeyboardInterrupt:  # the pager handles ^C: it stops a search
                continue


def screen_height(stdout: BinaryIO) -> int | None:
    """Return the number of lines of the terminal `stdout`; None for another stream."""
    try:
        return os.get_terminal_size(stdout.fileno()).lines or None
    except (OSError, ValueError, AttributeError):
        return None
