"""^C and SIGTERM: the work is saved, or left at once, and the process ends within seconds."""

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from attn_cli.errors import ExitStatus

#: Seconds after the first signal until the process ends, whatever it is doing.
GRACE_SECONDS = 9.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """^C and SIGTERM request a stop; a second one, or any within `abandonable`, stops at once.

    `on_request` is called when the first arrives, between any two instructions. A process that
    still runs `GRACE_SECONDS` later, as in a long call of a library, is ended as by a kill: what
    has been saved is safe.
    """

    def __init__(self, on_request: Callable[[], None] = lambda: None) -> None:
        self.signal: int | None = None
        self._on_request = on_request
        self._abandonable = False
        self._before: dict[int, Any] = {}
        self._watchdog: _Watchdog | None = None

    def is_set(self) -> bool:
        """Whether either has arrived."""
        return self.signal is not None

    @property
    def status(self) -> ExitStatus:
        """The exit status for the signal."""
        return _status(self.signal)

    @contextmanager
    def abandonable(self) -> Iterator[None]:
        """Let a signal end the block by an exception, since nothing of it needs to be saved."""
        if self.signal is not None:
            self._end(self.signal, None)
        self._abandonable = True
        try:
            yield
        finally:
            self._abandonable = False

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            self._watchdog = _Watchdog()
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._watchdog is not None:
            self._watchdog.close()

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        first, self.signal = self.signal is None, number
        if first and not self._abandonable:
            self._on_request()
        else:
            self._end(number, frame)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Call the handler that the signal had before."""
        handler = self._before.get(number)
        if callable(handler):
            handler(number, frame)


def _status(number: int | None) -> ExitStatus:
    return ExitStatus.TERMINATED if number == signal.SIGTERM else ExitStatus.INTERRUPTED


class _Watchdog:
    """A thread that ends the process some seconds after the first signal.

    The interpreter calls a handler between two of its own instructions, which may be long after the
    signal; it writes the signal's number into a socket at once.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._before = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._wait, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        signal.set_wakeup_fd(self._before)
        self._sender.close()
        self._thread.join()
        self._receiver.close()

    def _wait(self) -> None:
        while numbers := self._receiver.recv(1):
            if numbers[0] in _SIGNALS:
                self._give_up_after(GRACE_SECONDS, numbers[0])

    def _give_up_after(self, seconds: float, number: int) -> None:
        """End the process unless this is closed, or another signal arrives, within that time."""
        readable, _, _ = select.select([self._receiver], [], [], seconds)
        if readable:
            return
        with contextlib.suppress(OSError):
            os.write(2, b"\nattn: stopped by force; the last saved state is intact\n")
        os._exit(_status(number))
