"""Read small files that are not trusted: no pipes, no devices, a limited size."""

import errno
import os
import stat
from pathlib import Path


def read_small(path: Path, *, limit: int, pipes: bool = False) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; with `pipes`, of a pipe too.

    Raises OSError for anything else.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    if not pipes:  # opening a pipe would wait for its writer
        flags |= getattr(os, "O_NONBLOCK", 0)
    with open(os.open(path, flags), "rb") as file:
        if not pipes and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes")
    return content


def leads_outside(path: Path, folder: Path) -> bool:
    """Return whether `path` is a symbolic link, or in one, that leads out of `folder`."""
    if not path.is_symlink() and not (path.parent != folder and path.parent.is_symlink()):
        return False
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
