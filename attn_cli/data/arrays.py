"""Arrays in memory, or in `.npy` files that every process maps: one copy a machine.

Pages of a mapped file are the system's cache: all processes share them, and the system frees them
when memory is short.
"""

import io
import itertools
import mmap
import shutil
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from attn_cli.errors import ModelError, TrainingError
from attn_cli.types import IntArray

LongArray = NDArray[np.int64]
A = TypeVar("A", bound=NDArray[Any])

_BLOCK = 1 << 14  # rows processed together: bounds the memory
_FAR = 1 << 7  # mean distance of rows from which blocks are smaller
_BLOCKS_MAPPED = 16  # blocks after which mapped pages are released
_STRINGS = 1 << 16  # strings decoded together
_DECODED = 1 << 16  # strings of an array that are cached


# Storage of arrays


class Storage:
    """Stores arrays in memory, or in the files of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> "Storage":
        """Empty a folder and store arrays there. Raises TrainingError as `open`."""
        shutil.rmtree(folder, ignore_errors=True)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "Storage":
        """Store arrays in a folder, created if missing. Raises TrainingError if it cannot be."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        return cls(folder)

    def column(self, name: str, dtype: type[np.generic]) -> "Column":
        """Return a one-dimensional array to append to."""
        return Column(dtype, self._path(name))

    def store(self, name: str, values: A) -> A:
        """Store an array, unless it is stored here already, and return it as it is stored.

        Raises TrainingError if it cannot be written.
        """
        path = self._path(name)
        mapped = mapped_file(values)
        if path is None or (mapped is not None and mapped.parent == self.folder):
            return values
        try:
            with open(path, "wb") as file:
                npy.write_array(file, values, allow_pickle=False)
        except OSError as error:
            raise write_error(path, error) from error
        return open_array(path)  # type: ignore[return-value]

    def _path(self, name: str) -> Path | None:
        """Return the path of a new file, or None in memory."""
        if self.folder is None:
            return None
        numbered = (f"{name}-{number}" if number else name for number in itertools.count())
        paths = (self.folder / f"{each}.npy" for each in numbered)
        return next(path for path in paths if not path.exists())


class Column:
    """A one-dimensional array that grows at its end.

    With a file, values are in memory and the file is open only while they are appended.
    """

    def __init__(self, dtype: type[np.generic], path: Path | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._path = path
        self._bytes = bytearray()
        self._written = 0
        if path is not None:
            self._write(path, "wb", self._header())

    def append(self, values: "NDArray[Any] | array[Any] | bytes") -> None:
        """Add values of its type. Raises TrainingError if the disk is full."""
        data = values if isinstance(values, bytes) else values.tobytes()
        if self._path is None:
            self._bytes += data
            return
        self._write(self._path, "ab", data)
        self._written += len(data)

    def finish(self) -> NDArray[Any]:
        """Return the whole array, read-only; nothing can be appended afterwards."""
        if self._path is None:
            values = np.frombuffer(self._bytes, self._dtype)
            values.flags.writeable = False
            return values
        self._write(self._path, "r+b", self._header())
        return open_array(self._path)

    def _header(self) -> bytes:
        """Return the header of the file; its size does not depend on the number of values."""
        shape = (self._written // self._dtype.itemsize,)
        header = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        buffer = io.BytesIO()
        npy.write_array_header_1_0(buffer, header)
        return buffer.getvalue()

    def _write(self, path: Path, mode: str, data: bytes) -> None:
        try:
            with open(path, mode) as file:
                file.write(data)
        except OSError as error:
            raise write_error(path, error) from error


def open_array(path: Path) -> NDArray[Any]:
    """Return the array in a file, mapped and read-only.

    Raises ModelError if the file is missing or damaged, or contains Python objects.
    """
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"cannot read the prepared text in {path}: {error}", "Prepare the text again."
        ) from error
    return mapped.view(np.ndarray)  # without memmap's slow indexing


def mapped_file(values: NDArray[Any]) -> Path | None:
    """Return the file that an array maps, or None for one in memory."""
    base: Any = values
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return Path(base.filename) if base.filename else None
        base = base.base
    return None


def release_pages(*arrays: NDArray[Any]) -> None:
    """Unmap the pages of mapped arrays that were read; they are mapped again when needed."""
    for values in arrays:
        base: Any = values
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            base.madvise(mmap.MADV_DONTNEED)


def blocks(rows: IntArray, size: int = _BLOCK) -> Iterator[IntArray]:
    """Return the rows in runs of `size`, which bounds the memory."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def slices(values: A, size: int = _BLOCK * _BLOCKS_MAPPED) -> Iterator[A]:
    """Yield the array in runs of `size`; release the pages of a mapped one."""
    for start in range(0, len(values), size):
        yield values[start : start + size]  # type: ignore[misc]
        release_pages(values)


def write_error(path: Path, error: OSError) -> TrainingError:
    """Return the error for an array that cannot be written."""
    return TrainingError(
        f"cannot write {path}: {error.strerror or error}",
        "Free some space on the disk, then try again.",
    )


# Arrays of rows and of strings


@dataclass(frozen=True, eq=False, slots=True)
class RaggedArray:
    """Rows of unequal length in one array: row r is `values[starts[r]:starts[r + 1]]`."""

    values: IntArray
    starts: LongArray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> IntArray:
        return self.values[self.starts[row] : self.starts[row + 1]]

    @property
    def lengths(self) -> LongArray:
        """(rows,) values in each row."""
        return np.diff(self.starts)

    def lengths_of(self, rows: NDArray[np.integer]) -> LongArray:
        """(n,) values in each of these rows."""
        lengths: LongArray = self.starts[rows + 1] - self.starts[rows]
        return lengths

    def gather(self, rows: NDArray[np.integer]) -> "RaggedArray":
        """Return these rows, in that order."""
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        positions = np.arange(starts[-1]) + np.repeat(first - starts[:-1], lengths)
        return RaggedArray(self.values[positions], starts)

    def blocks(self, rows: IntArray) -> Iterator[tuple[IntArray, "RaggedArray"]]:
        """Yield ascending rows in blocks, each with its values; release mapped pages.

        Blocks of rows that are far apart are smaller, since each row maps its own pages.
        """
        span = int(rows[-1]) - int(rows[0]) + 1 if len(rows) else 0
        size = _BLOCK if len(rows) * _FAR >= span else _BLOCK // _FAR
        mapped = 0
        for block in blocks(rows, size):
            yield block, self.gather(block)
            mapped += 1
            if mapped == _BLOCKS_MAPPED or size < _BLOCK:
                self.release()
                mapped = 0
        self.release()

    def release(self) -> None:
        """Unmap the pages that were read."""
        release_pages(self.values, self.starts)


class StringArray:
    """Strings without a line feed, decoded when they are needed.

    `text` is their UTF-8, each with a line feed behind it; string n starts at `starts[n]` (n + 1,).
    """

    def __init__(self, text: NDArray[np.uint8], starts: LongArray) -> None:
        self.text, self.starts = text, starts
        self._decoded: dict[int, str] = {}

    @classmethod
    def from_strings(cls, strings: Iterable[str], storage: Storage, *, name: str) -> "StringArray":
        """Store strings in `storage`."""
        text = storage.column(f"{name}.text", np.uint8)
        starts = storage.column(f"{name}.starts", np.int64)
        starts.append(np.zeros(1, np.int64))
        size = 0
        remaining = iter(strings)
        while block := list(itertools.islice(remaining, _STRINGS)):
            data = ("\n".join(block) + "\n").encode()
            ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
            text.append(data)
            starts.append((ends + size).astype(np.int64))
            size += len(data)
        return cls(text.finish(), starts.finish())

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> str:
        string = self._decoded.get(number)
        if string is None:
            string = self.text[self.starts[number] : self.starts[number + 1] - 1].tobytes().decode()
            if len(self._decoded) >= _DECODED:
                self._decoded.clear()
            self._decoded[number] = string
        return string

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _STRINGS):
            last = min(first + _STRINGS, len(self))
            text = self.text[self.starts[first] : self.starts[last] - 1]
            yield from text.tobytes().decode().split("\n")
        release_pages(self.text, self.starts)
