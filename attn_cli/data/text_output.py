"""Write text to files, gzip files and standard output."""

import contextlib
import errno
import gzip
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from attn_cli.errors import DataError

_DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_UNWRITTEN = _DISK_FULL | {errno.EIO, errno.EPIPE}  # the data was not written


@contextlib.contextmanager
def open_output(path: Path | str, *, stdout: BinaryIO | None = None) -> Iterator[TextIO]:
    """Open a text stream to a file, a `*.gz` or, for "-", `stdout`; its `buffer` accepts bytes.

    A temporary file is renamed at the end of the block, and removed if the block fails. A device or
    a named pipe is written in place. Raises DataError if the folder is missing or not writable, or
    the disk is full.
    """
    if str(path) == "-":
        if stdout is None:
            raise DataError("standard output is closed", "Name a file to write to.")
        wrapper = io.TextIOWrapper(stdout, encoding="utf-8", newline="\n")
        try:
            yield wrapper
        finally:
            wrapper.detach()  # flushes, and leaves `stdout` open
        return
    in_place = os.path.exists(path) and not os.path.isfile(path)
    final = Path(path) if in_place else Path(os.path.realpath(path))
    part = final if in_place else final.with_name(f".attn-{os.urandom(8).hex()}.part")
    try:  # before the file is created, since a signal may arrive at once
        try:
            raw = open(part, "wb" if in_place else "xb")  # noqa: SIM115
        except OSError as error:
            raise write_error(path, error) from error
        with raw, _compressed(raw, path) as stream, _encoded(stream) as text:
            yield text
        if not in_place:
            _rename(part, final, called=path)
    except BaseException as error:
        if not in_place:
            with contextlib.suppress(OSError):
                part.unlink()
        if isinstance(error, OSError) and error.errno in _UNWRITTEN:
            raise write_error(path, error) from error
        raise


def is_gzip(path: Path | str) -> bool:
    """Whether a path names a gzip file, by its ending."""
    return str(path).endswith(".gz")


def _compressed(raw: BinaryIO, path: Path | str) -> contextlib.AbstractContextManager[BinaryIO]:
    if not is_gzip(path):
        return contextlib.nullcontext(raw)
    # Without name and time: the same text gives the same bytes.
    return cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=raw, mtime=0))


def _encoded(stream: BinaryIO) -> TextIO:
    return io.TextIOWrapper(stream, encoding="utf-8", newline="\n")


def _rename(part: Path, final: Path, *, called: Path | str) -> None:
    try:
        if final.exists():
            shutil.copymode(final, part)
        os.replace(part, final)
    except OSError as error:
        raise write_error(called, error) from error


def write_error(path: Path | str, error: OSError) -> DataError:
    """Return the error for a file that cannot be written."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            reason, hint = "its folder does not exist", "Make the folder first."
        case IsADirectoryError():
            reason, hint = "it is a folder", "Name a file in it."
        case _ if error.errno in _DISK_FULL:
            reason, hint = "no space is left", "Free some, or write elsewhere."
        case BrokenPipeError():
            reason, hint = "the program that read it has ended", "Start it again."
        case _:
            reason = error.strerror or str(error)
            hint = "Check that you may write there."
    return DataError(f"cannot write {path}: {reason}", hint)
