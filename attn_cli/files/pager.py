"""A stream to a terminal that starts a pager once more is written than the screen has lines."""

import contextlib
import io
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any, BinaryIO

#: Of less, unless $LESS says others: end if all fits, keep colors, leave the text on the screen.
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
    """Holds what is written until it is longer than `height` lines, then pipes it to a pager.

    What is shorter is written to `stdout` when the stream is closed. A pager that the user left
    raises BrokenPipeError at the next write.
    """

    def __init__(
        self, stdout: BinaryIO, command: list[str], height: int, environment: Mapping[str, str]
    ) -> None:
        self._stdout, self._command, self._height = stdout, command, height
        self._environment = {"LESS": _LESS_OPTIONS, **environment}
        self._held = bytearray()
        self._pager: subprocess.Popen[bytes] | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("what is written may go to a pager")

    def write(self, data: Any) -> int:
        if self._pager is None:
            self._held += data
            if self._held.count(b"\n") < self._height:
                return len(data)
            self._start()
            data, self._held = bytes(self._held), bytearray()
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
        """Write what is held, or wait until the user leaves the pager."""
        if self.closed:
            return
        super().close()
        if self._pager is None:
            self._stdout.write(bytes(self._held))
            self._stdout.flush()
            return
        assert self._pager.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._pager.stdin.close()
        while True:
            try:
                self._pager.wait()
                return
            except KeyboardInterrupt:  # ^C is the pager's: it stops a search
                continue


def screen_height(stdout: BinaryIO) -> int | None:
    """Return the lines of the terminal that `stdout` is, None if it is none."""
    try:
        return os.get_terminal_size(stdout.fileno()).lines or None
    except (OSError, ValueError, AttributeError):
        return None
