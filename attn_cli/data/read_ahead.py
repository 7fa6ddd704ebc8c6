"""Read a stream in a thread, so that its consumer sees when there is no more data yet."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

_BLOCKS_AHEAD = 16  # blocks read before the consumer needs them
_PATIENCE = 1.0  # seconds: on Windows a waiting thread sees ^C only between two waits


def read_ahead(blocks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield `blocks`, read by a thread; an empty one means that no more has arrived yet.

    Errors of the thread are raised here. It ends with its consumer, or with the process if it waits
    for input.
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
        except BaseException as error:  # raised in the consumer
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
        with contextlib.suppress(queue.Empty):  # lets the thread put its last block
            while True:
                ready.get_nowait()


def _wait(ready: "queue.Queue[T]") -> T:
    while True:
        with contextlib.suppress(queue.Empty):
            return ready.get(timeout=_PATIENCE)
