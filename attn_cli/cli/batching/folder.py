"""The output folder of a batch: what is finished in it, and the results of chunks until then.

    NAME                        the output of the input file NAME, whole
    .attn-batch/job.json        the command, the model and the options that made the outputs
    .attn-batch/.lock           held while a batch runs
    .attn-batch/done/NAME       the input and the output of a finished file: sizes, digest, records
    .attn-batch/parts/NAME/KEY  the result of a chunk, under the digest of its text
    .attn-batch/ray.log         messages of Ray

Each appears whole or not at all. Imports no model and no Ray.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attn_cli.cli.batching.files import Columns, InputFile, join_results, records_of
from attn_cli.data.text_output import write_error
from attn_cli.errors import DataError, UsageError
from attn_cli.files.atomic import PART, remove_parts, write
from attn_cli.files.folder_lock import lock_folder

HIDDEN = ".attn-batch"

Job = dict[str, Any]


@contextmanager
def open_folder(path: Path, job: Job, *, force: bool) -> Iterator["OutputFolder"]:
    """The output folder for `job`, locked until the block ends.

    Raises UsageError where another batch runs in it, or it holds the outputs of another job;
    with `force` these are made again.
    """
    hidden = path / HIDDEN
    with _writing(path):
        hidden.mkdir(parents=True, exist_ok=True)
    with lock_folder(hidden):
        with _writing(path):
            _settle_job(path, job, force=force)
            remove_parts(hidden)
        yield OutputFolder(path)


def _settle_job(folder: Path, job: Job, *, force: bool) -> None:
    """Write job.json, or compare it with the one that is there."""
    path = folder / HIDDEN / "job.json"
    known = _read_json(path)
    results = [folder / HIDDEN / name for name in ("done", "parts")]
    if known is not None and not force and any(map(_holds_files, results)):
        if differences := list(_differences(known, job)):
            raise UsageError(
                f"{folder} holds the outputs of another job: {'; '.join(differences)}",
                "Choose another --output folder, or make them again with --force.",
            )
        return
    for each in results:
        shutil.rmtree(each, ignore_errors=True)
    write(path, json.dumps(job, indent=1).encode() + b"\n")


def _holds_files(folder: Path) -> bool:
    return any(names for _, _, names in os.walk(folder))


def _differences(old: Job, new: Job) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield f"{name.replace('_', ' ')} was {_shown(old, name)} and is {_shown(new, name)}"


def _shown(job: Job, name: str) -> str:
    value = job.get(name)
    return "the default" if value is None else str(value)[:24]


@dataclass(frozen=True)
class Finished:
    """What is known of a finished file."""

    size: int
    modified: int
    digest: str
    records: int
    output: int  # bytes


class OutputFolder:
    """An open output folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / HIDDEN / "ray.log"

    def finished(self, file: InputFile) -> Finished | None:
        """What is known of the output of `file`, if it was finished and is there."""
        try:
            known = Finished(**(_read_json(self._entry(file)) or {}))
            if (self.path / file.name).stat().st_size == known.output:
                return known
        except (TypeError, OSError):
            pass
        return None

    def confirm(self, file: InputFile, known: Finished) -> None:
        """Note the time of a finished file that was touched and holds what it held."""
        entry = {**vars(known), "modified": file.modified, "size": file.size}
        self._write_entry(file, entry)

    def check_foreign(self, file: InputFile) -> None:
        """Raises UsageError where the output of `file` is there and no batch has made it."""
        output = self.path / file.name
        if os.path.lexists(output) and not self._entry(file).exists():
            raise UsageError(
                f"{output} exists, and was not written by attn batch",
                "Choose another --output folder, or replace it with --force.",
            )

    def keys(self, file: InputFile) -> frozenset[str]:
        """The keys of the chunks of `file` whose results are there."""
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(self._parts(file))
            return frozenset(name for name in names if not name.endswith(PART))
        return frozenset()

    def add(self, file: InputFile, key: str, result: bytes) -> None:
        """Keep the result of a chunk."""
        with _writing(self.path):
            write(self._parts(file) / key, result)

    def finish(self, file: InputFile, columns: Columns, keys: Sequence[str], digest: str) -> int:
        """Join the results of all chunks to the output of `file`; returns its records.

        Raises DataError where the file is no longer what was read.
        """
        parts = [self._parts(file) / key for key in keys]
        output = self.path / file.name
        records = sum(map(records_of, keys))

        part = self.path / HIDDEN / f"output{PART}"
        with _writing(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as out:
                join_results(file, columns, parts, out)
                out.flush()
                os.fsync(out.fileno())
                size = out.tell()
            if file.has_changed():
                raise changed(file)
            facts = {"size": file.size, "modified": file.modified, "digest": digest}
            # The entry first: an output without one would not be known as ours.
            self._write_entry(file, {**facts, "records": records, "output": size})
            os.replace(part, output)
        self.remove_parts(file)
        return records

    def remove_parts(self, file: InputFile) -> None:
        """Remove the results of the chunks of a finished file."""
        shutil.rmtree(self._parts(file), ignore_errors=True)

    def _entry(self, file: InputFile) -> Path:
        return self.path / HIDDEN / "done" / f"{file.name}.json"

    def _parts(self, file: InputFile) -> Path:
        return self.path / HIDDEN / "parts" / f"{file.name}.parts"

    def _write_entry(self, file: InputFile, entry: dict[str, Any]) -> None:
        with _writing(self.path):
            write(self._entry(file), json.dumps(entry).encode())


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raises DataError where something cannot be written."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def changed(file: InputFile) -> DataError:
    """The sentence for a file that changes while it is read."""
    return DataError(
        f"{file.path} changed while it was read",
        "Run the same command again when nothing writes to it.",
    )


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
