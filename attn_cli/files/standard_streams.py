"""Standard streams that are closed, have no reader, or are interrupted by a signal."""

import bisect
import contextlib
import errno
import io
import itertools
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, BinaryIO

#: Bytes that a writable pipe accepts without blocking (POSIX: at least 512).
_BLOCK = getattr(select, "PIPE_BUF", 512)

#: Timeout of `select`, so that a signal that arrived just before it is handled.
_POLL_SECONDS = 0.5

#: Seconds that a signal waits until the rest of a record is written.
PATIENCE_SECONDS = 5.0


class StdoutClosedError(Exception):
    """The reader of stdout has closed it: the command ends without a message."""


class ClosedStream(io.RawIOBase):
    """Replaces a standard stream that is closed; raises OSError."""

    def readable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raise OSError."""
        raise OSError(errno.EBADF, "it is closed")

    def write(self, data: Any) -> int:
        """Raise OSError."""
        raise OSError(errno.EBADF, "it is closed")


def reserve_descriptors() -> None:
    """Open the null device as each of the descriptors 0, 1 and 2 that is closed.

    Else the next opened file would have that number, and libraries would write messages into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # uses the lowest free number


def write_records(stream: BinaryIO, records: Sequence[bytes]) -> None:
    """Write records and flush; a SIGINT or SIGTERM takes effect between two of them.

    A record is written to its end, unless its reader blocks for `PATIENCE_SECONDS` or a second
    signal arrives. Raises OSError as the stream does, and the exceptions of signal handlers. On
    Windows, without a descriptor, and outside of the main thread signals take effect at once.
    """
    descriptor = _descriptor(stream)
    if descriptor is None:
        stream.write(b"".join(records))
        stream.flush()
        return
    stream.flush()
    data = memoryview(b"".join(records))
    ends = list(itertools.accumulate(map(len, records)))
    written = 0
    with _DeferredSignals() as signals:
        while written < len(data):
            stop = len(data)
            if signals.deadline is not None:
                stop = 0 if written == 0 else ends[bisect.bisect_left(ends, written)]
                if written >= stop or time.monotonic() > signals.deadline:
                    break
            _, writable, _ = select.select([], [descriptor], [], _POLL_SECONDS)
            if writable:
                with contextlib.suppress(BlockingIOError):  # another process has filled the pipe
                    written += os.write(descriptor, data[written : min(stop, written + _BLOCK)])


def _descriptor(stream: BinaryIO) -> int | None:
    """Return the descriptor to write records to; None if the stream must write them."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return None
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


class _DeferredSignals:
    """Defers the first SIGINT or SIGTERM: it sets `deadline`, and its handler runs after the block.

    A second one runs its handler at once.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None  # in time.monotonic
        self._pending: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "_DeferredSignals":
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._defer)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._pending is not None:
            self._handlers[self._pending](self._pending, None)

    def _defer(self, number: int, frame: FrameType | None) -> None:
        if self._pending is not None:
            self._pending = None
            self._handlers[number](number, frame)
        self._pending = number
        self.deadline = time.monotonic() + PATIENCE_SECONDS
