"""attn translate --resume-output: continue the output of an interrupted command.

The records are in `OUTPUT.part`, and `OUTPUT.part.json` says how many input lines they answer, in
how many bytes, and from which model, options and input they are. It is written after each chunk, so
that what a killed process wrote behind it is written again. At the end the output has its name.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from attn_cli.choices import OutputFormat
from attn_cli.cli.output_format import DOCUMENTS
from attn_cli.console import Console, is_stdout
from attn_cli.errors import DataError, UsageError
from attn_cli.files import atomic

if TYPE_CHECKING:
    from attn_cli.cli.translate_with_model import TranslateOptions

Origin = dict[str, Any]

#: Options that do not change what is written.
_NOT_OF_THE_ORIGIN = ("threads", "device")


def check_resumable(
    input: Path | None, output: Path | None, format: OutputFormat
) -> tuple[Path, Path]:
    """Return both files. Raises UsageError where an output cannot go on."""
    if input is None or not input.is_file():
        raise UsageError("--resume-output needs a file to read again", "Name it with --input.")
    if output is None or is_stdout(output) or output.name.endswith(".gz"):
        raise UsageError(
            "--resume-output needs an output file that is not compressed", "Name it with --output."
        )
    if format in DOCUMENTS:
        raise UsageError(
            f"--resume-output adds records, and {format} is one document",
            "Choose another format, or leave --resume-output out.",
        )
    return input, output


def origin_of(
    options: "TranslateOptions", input: Path, *, input_format: str, shard: str | None
) -> Origin:
    """Return what an output is made of, as JSON has it. Raises ModelError without a model."""
    from attn_cli import __version__
    from attn_cli.bundles import registry
    from attn_cli.bundles.manifest import read_manifest

    status = input.stat()
    manifest = json.dumps(read_manifest(registry.find(options.model)), sort_keys=True)
    origin = {
        "attn": __version__,
        "input": [os.path.realpath(input), status.st_size, status.st_mtime_ns],
        "model files": hashlib.sha256(manifest.encode()).hexdigest()[:16],
        "input format": input_format,
        "shard": shard,
        **{name: v for name, v in asdict(options).items() if name not in _NOT_OF_THE_ORIGIN},
    }
    as_json: Origin = json.loads(json.dumps(origin))
    return as_json


@dataclass
class ResumableFile:
    """An output in progress: `lines` input lines are answered in it."""

    file: BinaryIO
    state: Path
    origin: Origin
    lines: int = 0

    def write(self, *records: str) -> None:
        """Write records, each with its final newline."""
        self.file.write("".join(records).encode("utf-8", "replace"))

    def commit(self, lines: int) -> None:
        """Make what has been written, the records of so many more lines, last."""
        self.lines += lines
        self.file.flush()
        os.fsync(self.file.fileno())
        state = {"lines": self.lines, "bytes": self.file.tell(), "origin": self.origin}
        atomic.write_text(self.state, json.dumps(state, ensure_ascii=False) + "\n")


@contextmanager
def open_resumable(console: Console, output: Path, origin: Origin) -> Iterator[ResumableFile]:
    """Open an output that goes on where a former command of the same origin stopped.

    Raises UsageError where that was of another origin, DataError where it cannot be written.
    """
    part, state = (output.with_name(f"{output.name}.part{end}") for end in ("", ".json"))
    lines, size = _read_state(part, state, origin)
    if lines:
        console.info(f"attn: {part} has {lines:,} lines; continuing with line {lines + 1:,}")
    target = None
    try:
        with open(part, "r+b" if lines else "wb") as file:
            file.seek(size)
            file.truncate()
            target = ResumableFile(file, state, origin, lines)
            yield target
        os.replace(part, output)
        state.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write {output}: {error.strerror}",
            "Free some space, and run the same command again to continue.",
        ) from error
    except BaseException:
        if target is not None and target.lines:
            console.info(
                f"attn: {target.lines:,} lines are in {part}; "
                "run the same command again to continue"
            )
        else:
            for path in (part, state):
                with contextlib.suppress(OSError):
                    path.unlink()
        raise


def _read_state(part: Path, state: Path, origin: Origin) -> tuple[int, int]:
    """Return the lines and the bytes of an output in progress; 0 and 0 where there is none."""
    try:
        known = json.loads(state.read_text(encoding="utf-8"))
        lines, size, before = known["lines"], known["bytes"], known["origin"]
        is_whole = type(lines) is int and lines > 0 and 0 <= size <= part.stat().st_size
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0, 0
    if not is_whole or not isinstance(before, dict):
        return 0, 0
    for name, value in origin.items():
        if before.get(name) != value:
            raise UsageError(
                f"{part} was written by another command: {name} was {before.get(name)}, "
                f"and is {value}",
                f"Repeat that command, or delete {part} to begin again.",
            )
    return lines, size
