"""A process killed before its n-th change of a folder, as the file system would be left.

Every change of a name or a file is an audit event of the interpreter, whoever makes it. The n-th
does not happen, and neither does any later one, so that no clean-up can hide what a kill leaves.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_NAMES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Killed(BaseException):
    """The process is no more."""


@dataclass
class _Disk:
    """The changes made under `folder`, and after how many of them the process is killed."""

    folder: str
    allowed: float
    torn: bool = False
    changes: int = 0
    dead: bool = False
    error: int = 0  # an errno that one change fails with, instead of a kill
    written: list[str] = field(default_factory=list)


_disk: _Disk | None = None


@contextmanager
def killed_after(changes: float, folder: Path, *, torn: bool = False) -> Iterator[_Disk]:
    """Within the block, raise Killed in place of all changes of `folder` after so many.

    With `torn` half of the file that was written last is lost, if it has no other name yet.
    """
    global _disk
    _disk = disk = _Disk(os.path.realpath(folder), changes, torn)
    try:
        yield disk
    finally:
        _disk = None
        if disk.dead and torn and disk.written and os.path.isfile(disk.written[-1]):
            last = disk.written[-1]
            os.truncate(last, os.path.getsize(last) // 2)


@contextmanager
def failing_at(change: float, folder: Path, error: int) -> Iterator[_Disk]:
    """Within the block, let one change of `folder` fail with an errno: the one after so many."""
    global _disk
    _disk = disk = _Disk(os.path.realpath(folder), change, error=error)
    try:
        yield disk
    finally:
        _disk = None


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _disk is None or not (event == "open" or event in _NAMES):
        return
    path = arguments[0]
    if event == "open" and not _writes(*arguments[1:3]):
        return
    if isinstance(path, int) or not (_is_within(path) or _is_relative(event, arguments)):
        return
    if _disk.error and _disk.changes == _disk.allowed:
        _disk.changes += 1
        raise OSError(_disk.error, os.strerror(_disk.error))
    if not _disk.error and (_disk.dead or _disk.changes >= _disk.allowed):
        _disk.dead = True
        raise Killed
    _disk.changes += 1
    if event == "open":
        _disk.written.append(os.path.abspath(os.fsdecode(path)))


def _writes(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(flags, int) and bool(flags & _WRITING)


def _is_within(path: object) -> bool:
    assert _disk is not None
    assert isinstance(path, str | bytes | os.PathLike)
    return os.path.abspath(os.fsdecode(path)).startswith(_disk.folder)


def _is_relative(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether the path is relative to an open folder, as those of `shutil.rmtree` are."""
    return event in ("os.remove", "os.rmdir") and arguments[-1] != -1


sys.addaudithook(_hook)
