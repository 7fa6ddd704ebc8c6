"""Write files completely or not at all.

A killed process leaves the old content or the new one, and perhaps a file named `*.part` in the
same folder, which the next write replaces.
"""

import contextlib
import errno
import os
import sys
from pathlib import Path

PART = ".part"


def write(path: Path, data: bytes) -> None:
    """Replace the content of a file by `data`, once all of it is on the disk.

    Creates the folder. Raises OSError; the file is then unchanged.
    """
    part = path.with_name(path.name + PART)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8. Raises as `write`."""
    write(path, text.encode("utf-8"))


def remove_parts(folder: Path) -> None:
    """Remove the files that killed writes have left in a folder."""
    for part in folder.glob(f"*{PART}"):
        with contextlib.suppress(OSError):
            part.unlink()


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two files or folders at one instant.

    Return False, without a change, if the system or the file system does not support it (Linux has
    renameat2, macOS renamex_np). Raises OSError if it fails.
    """
    import ctypes

    names = os.fsencode(one), os.fsencode(other)
    sys.audit("os.rename", one, other, -1, -1)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            failed = library.renamex_np(*names, 2)  # RENAME_SWAP
        else:
            here = -100  # AT_FDCWD
            failed = library.renameat2(here, names[0], here, names[1], 2)  # RENAME_EXCHANGE
    except (AttributeError, OSError, TypeError):
        return False
    if failed:
        number = ctypes.get_errno()
        if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
            return False
        raise OSError(number, os.strerror(number))
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable (fsync), if the system supports it."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
