"""Simulate a process that is killed before its n-th change of a folder.

Every change of a name or a file is an audit event of the interpreter. The n-th change and all later
ones raise an exception instead, so that no clean-up hides the state after a kill.
"""

import builtins
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

_NAMES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Killed(BaseException):
    """The simulated process has been killed."""


@dataclass
class _Disk:
    """Counts the changes under `folder`, and kills the process after a number of them."""

    folder: str
    allowed: float
    torn: bool = False
    changes: int = 0
    is_killed: bool = False
    error: int = 0  # an errno that one change fails with, instead of a kill
    written_paths: list[str] = field(default_factory=list)


_disk: _Disk | None = None


@contextmanager
def killed_after(changes: float, folder: Path, *, torn: bool = False) -> Iterator[_Disk]:
    """Raise Killed in the block instead of every change of `folder` after the first `changes`.

    With `torn` the last written file loses its second half, if it still has its temporary name.
    """
    global _disk
    _disk = disk = _Disk(os.path.realpath(folder), changes, torn)
    try:
        yield disk
    finally:
        _disk = None
        if (
            disk.is_killed
            and torn
            and disk.written_paths
            and os.path.isfile(disk.written_paths[-1])
        ):
            last = disk.written_paths[-1]
            os.truncate(last, os.path.getsize(last) // 2)


@contextmanager
def failing_at(change: float, folder: Path, error: int) -> Iterator[_Disk]:
    """Let one change of `folder` in the block fail with an errno: the one after the first `change`.

    Each write of a file and each fsync is a change too. A full disk stays full: after ENOSPC all
    later writes and new files fail, but renames and removals do not.
    """
    global _disk
    _disk = disk = _Disk(os.path.realpath(folder), change, error=error)
    try:
        with (
            mock.patch.object(builtins, "open", _open),
            mock.patch.object(io, "open", _open),
            mock.patch.object(os, "fsync", _fsync),
        ):
            yield disk
    finally:
        _disk = None


_real_open, _real_fsync = open, os.fsync


class _WatchedFile(io.FileIO):
    """A file whose writes are changes of its folder."""

    def write(self, data: object) -> int:
        if _disk is not None:
            _change("write")
        return super().write(data)  # type: ignore[arg-type]


def _open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, **options):
    """Python's `open`, which returns a _WatchedFile for writing a file of the folder."""
    text_options = {"encoding": encoding, "errors": errors, "newline": newline}
    if _disk is None or isinstance(file, int) or not _writes(mode, 0) or not _is_within(file):
        return _real_open(file, mode, buffering, **text_options, **options)
    raw = _WatchedFile(file, mode.replace("b", "").replace("t", ""), **options)
    if buffering == 0:
        return raw
    buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, **text_options)


def _fsync(descriptor: int) -> None:
    if _disk is not None:
        _change("fsync")
    _real_fsync(descriptor)


def _change(event: str) -> None:
    """Count a change, or raise the error that it fails with."""
    assert _disk is not None
    number = _disk.changes
    _disk.changes += 1
    is_full = _disk.error == errno.ENOSPC and number > _disk.allowed and event in _NEEDS_SPACE
    if number == _disk.allowed or is_full:
        raise OSError(_disk.error, os.strerror(_disk.error))


_NEEDS_SPACE = ("open", "write", "fsync", "os.mkdir", "os.link", "os.symlink")


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _disk is None or not (event == "open" or event in _NAMES):
        return
    path = arguments[0]
    if event == "open" and not _writes(*arguments[1:3]):
        return
    if isinstance(path, int) or not (_is_within(path) or _is_relative(event, arguments)):
        return
    if _disk.error:
        _change(event)
        return
    if _disk.is_killed or _disk.changes >= _disk.allowed:
        _disk.is_killed = True
        raise Killed
    _disk.changes += 1
    if event == "open":
        _disk.written_paths.append(os.path.abspath(os.fsdecode(path)))


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
