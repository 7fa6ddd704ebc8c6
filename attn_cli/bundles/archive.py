"""A model as one file, a ZIP archive: written from a folder, and read without trusting it.

An archive holds bundle.json, the files that it names and the card, at its top, without folders.
Reading accepts nothing else: no path, no link, no file twice, none that unpacks to another size
than bundle.json says, and no more than `_MAX_RATIO` times the size of the archive in all.
Checksums are verified in the folder that it was unpacked into, by `manifest.verify_checksums`.
"""

import json
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from attn_cli.bundles.bundle import Bundle
from attn_cli.bundles.manifest import CARD, FACTS, entry_of, parse_manifest, read_text_file
from attn_cli.errors import ModelError

SUFFIX = ".zip"

#: Maximum files of an archive, and bytes of its directory: a model has some fifteen files.
_MAX_FILES = 64
_MAX_DIRECTORY = 1 << 16

#: Maximum bytes of bundle.json, and of the card.
_MAX_TEXT = 1 << 22

#: Maximum size of the unpacked files, as a multiple of the archive's. Weights hardly compress;
#: DEFLATE reaches 1,032.
_MAX_RATIO = 20

_BLOCK = 1 << 20
_DAMAGED = "Get the archive again, or make it again: attn models pack."

# APPNOTE.TXT 4.3.16: the end of the central directory, then a comment of at most 65,535 bytes.
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\5\6"


def pack(bundle: Bundle, stream: BinaryIO) -> None:
    """Write a bundle as an archive: the same bytes for the same model.

    Raises OSError where the stream cannot be written.
    """
    facts = {key: value for key, value in bundle.facts.items() if key != "staged"}
    names = sorted(facts["files"])
    card = b""
    if os.path.lexists(bundle.path / CARD) and CARD not in names:
        card = read_text_file(bundle.path, facts, CARD)
        facts["files"] = facts["files"] | {CARD: entry_of(card)}
    text = json.dumps(facts, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"
    with zipfile.ZipFile(stream, "w") as archive:
        with archive.open(_entry(FACTS), "w") as target:
            target.write(text)
        for name in names:
            with (
                open(bundle.file(name), "rb") as source,
                archive.open(_entry(name), "w") as target,
            ):
                shutil.copyfileobj(source, target, _BLOCK)
        if card:
            archive.writestr(_entry(CARD), card)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return the entry of a regular file, without a time."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry


@dataclass(frozen=True)
class PackedModel:
    """An opened archive, whose entries and bundle.json have been checked."""

    file: Path
    archive: zipfile.ZipFile
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.facts["name"])

    def unpack(self, folder: Path) -> None:
        """Write its files into an empty folder.

        Raises ModelError where one of them is missing, damaged or of another size, OSError where
        the folder cannot be written.
        """
        for entry in self.archive.infolist():
            with open(folder / entry.filename, "xb") as target:
                for block in _read(self.file, self.archive, entry):
                    target.write(block)


def is_archive(path: Path) -> bool:
    """Return whether the path is a file that begins, or is named, as an archive."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(4) == b"PK\3\4" or path.suffix.lower() == SUFFIX
    except (OSError, ValueError):
        return False


@contextmanager
def open_archive(path: Path) -> Iterator[PackedModel]:
    """Open an archive and check all that can be checked before anything is unpacked.

    Raises ModelError for another file, and for an archive with other files.
    """
    with ExitStack() as stack:
        yield _open(path, stack)


#: What `zipfile` raises for a damaged archive; RuntimeError for a feature that it does not have.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
)


def _open(path: Path, stack: ExitStack) -> PackedModel:
    try:
        file = stack.enter_context(open(path, "rb"))  # noqa: SIM115
        _check_directory(path, file)
        archive = stack.enter_context(zipfile.ZipFile(file))
        entries = _checked_entries(path, archive, size=os.fstat(file.fileno()).st_size)
    except _ZIP_ERRORS as error:
        raise _refusal(path, f"it is damaged: {error}") from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", "Check its name.") from error
    facts = _read_facts(path, archive, entries)
    _check_sizes(path, entries, facts)
    return PackedModel(path, archive, facts)


def _check_directory(path: Path, file: IO[bytes]) -> None:
    """Refuse an archive with a long directory, which `zipfile` would read into memory at once."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size - 0xFFFF))
    tail = file.read()
    start = tail.rfind(_END_SIGNATURE)
    if start < 0 or start + _END.size > len(tail):
        raise _refusal(path, "it is no ZIP archive, or cut off")
    _, _, _, _, files, directory, _, _ = _END.unpack_from(tail, start)
    if files > _MAX_FILES or directory > _MAX_DIRECTORY:
        raise _refusal(path, f"it has more than {_MAX_FILES} files")
    file.seek(0)


def _checked_entries(
    path: Path, archive: zipfile.ZipFile, *, size: int
) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name. Raises ModelError for one that no packed model has."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
        if name != entry.orig_filename or set(name) & set("/\\:\0") or name in ("", ".", ".."):
            raise _refusal(path, f"its file {entry.orig_filename!r} would be outside its folder")
        if kind not in (0, stat.S_IFREG):
            raise _refusal(path, f"its file {name!r} is a link or a device")
        if name.lower() in map(str.lower, entries):
            raise _refusal(path, f"it has the file {name!r} twice")
        if entry.flag_bits & 1:
            raise _refusal(path, f"its file {name!r} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refusal(path, f"its file {name!r} is compressed by another method than DEFLATE")
        entries[name] = entry
    packed = sum(entry.compress_size for entry in entries.values())
    if packed > size:
        raise _refusal(path, "its files overlap")
    if sum(entry.file_size for entry in entries.values()) > _MAX_RATIO * size:
        raise _refusal(path, f"it would unpack to more than {_MAX_RATIO} times its size")
    return entries


def _read_facts(
    path: Path, archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]
) -> dict[str, Any]:
    """Return its bundle.json, checked as that of a folder."""
    if FACTS not in entries:
        raise _refusal(path, f"it has no {FACTS}")
    for name in (FACTS, CARD):
        if name in entries and entries[name].file_size > _MAX_TEXT:
            raise _refusal(path, f"its {name} is too large")
    return parse_manifest(b"".join(_read(path, archive, entries[FACTS])), path)


def _check_sizes(path: Path, entries: dict[str, zipfile.ZipInfo], facts: dict[str, Any]) -> None:
    """Raise ModelError unless the entries are the files of bundle.json, with their sizes."""
    files = facts["files"]
    for name in entries.keys() - files.keys() - {FACTS, CARD}:
        raise _refusal(path, f"its file {name!r} is not in its {FACTS}")
    for name, file in files.items():
        if name not in entries:
            raise _refusal(path, f"it lacks the file {name}")
        if entries[name].file_size != file["bytes"]:
            sizes = f"{entries[name].file_size} bytes instead of {file['bytes']}"
            raise _refusal(path, f"its file {name} has {sizes}")
    if facts.get("staged"):
        raise _refusal(path, f"its {FACTS} has files that are still staged")


def _read(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of an entry. Raises ModelError if it has another size than declared."""
    left = entry.file_size
    try:
        with archive.open(entry) as source:
            while block := source.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    break
                yield block
    except (*_ZIP_ERRORS, OSError) as error:
        raise _refusal(path, f"its file {entry.filename} is damaged: {error}") from error
    if left:
        raise _refusal(path, f"its file {entry.filename} has another size than it says")


def _refusal(path: Path, reason: str) -> ModelError:
    return ModelError(f"{path} is not the archive of a model: {reason}", _DAMAGED)
