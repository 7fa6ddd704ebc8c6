"""A lock on a folder, so that one process at a time writes into it.

The system releases it when the process ends for any reason.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attn_cli.errors import UsageError

LOCK = ".lock"

#: Descriptors of the locks that this process holds, which a forked child must not keep alive.
_HELD: set[int] = set()


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of an existing folder.

    Raises UsageError naming another process that holds it. Without effect if the file system has no
    locks, or the folder cannot be written.
    """
    path = folder / LOCK
    descriptor = _acquire(path)
    if descriptor is None:
        yield
        return
    _HELD.add(descriptor)
    try:
        yield
    finally:
        try:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: `_acquire` rejects a file that has lost its name
        finally:
            _HELD.discard(descriptor)
            os.close(descriptor)


def _acquire(path: Path) -> int | None:
    """Return the descriptor of the locked file, which has the process id; None without locks.

    Raises UsageError if another process holds the lock.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None
        try:
            _lock(descriptor)
            if not _has_name(descriptor, path):  # its last holder has removed it
                os.close(descriptor)
                continue
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {_host()}\n".encode())
        except BlockingIOError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise UsageError(
                f"{path.parent} is in use: {holder} is writing into it",
                "Wait until it has ended, or choose another folder.",
            ) from error
        except OSError:
            os.close(descriptor)
            return None
        return descriptor


def _has_name(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def _host() -> str:
    import socket  # only for locks

    return socket.gethostname()


def _holder(descriptor: int) -> str:
    """Return the process whose id is in the file."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        process, host = os.read(descriptor, 500).decode("utf-8", "replace").split()
    except (OSError, ValueError):
        return "another process"
    elsewhere = "" if host == _host() else f" on {host}"
    return f"process {process}{elsewhere}"


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        """Lock a byte far behind the text, which others may read. Raises BlockingIOError."""
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        """Raise BlockingIOError if another process holds the lock."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _close_in_child() -> None:
        for descriptor in _HELD:
            os.close(descriptor)
        _HELD.clear()

    os.register_at_fork(after_in_child=_close_in_child)
