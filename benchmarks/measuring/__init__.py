"""Shared by the benchmarks: the cost of processes, tables, and files of results.

Imports only a part of the standard library, since the peak memory of a started process is at least
that of its parent.
"""

import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"

#: The command that runs attn in this environment: its script, if there is one.
_SCRIPT = Path(sys.executable).with_name("attn")
ATTN: tuple[str, ...] = (
    (sys.executable, str(_SCRIPT)) if _SCRIPT.is_file() else (sys.executable, "-m", "attn_cli")
)

MEBI = 1 << 20
PROC = Path("/proc")

#: One thread for libraries that choose their number of threads.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
)


class Skipped(Exception):  # noqa: N818 - not an error
    """Something is missing or does not run; the other measurements continue."""


@dataclass(frozen=True)
class Cost:
    """The cost of a process: wall seconds, CPU seconds of all cores, and the peak of its memory."""

    seconds: float
    cpu_seconds: float
    mebibytes: float


def cost_of(
    command: Sequence[object],
    *,
    stdin: Path | None = None,
    stdout: Path | None = None,
    stderr: Path | None = None,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> Cost:
    """Run a command to its end. Raises Skipped with its last line on stderr if it fails."""
    with (
        open(stderr, "w+b") if stderr else tempfile.TemporaryFile() as errors,
        open(stdin or os.devnull, "rb") as source,
        open(stdout or os.devnull, "wb") as target,
    ):
        began = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=source,
            stdout=target,
            stderr=errors,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            line = last_line(errors.read().decode("utf-8", "replace"))
            raise Skipped(line or f"{command[0]} ended with {process.returncode}")
    largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, largest / MEBI)


def memory(roots: Iterable[int]) -> int:
    """Return the bytes of processes and all their children, with shared memory divided among them.

    0 without /proc; the peak of the largest process is used then.
    """
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(stat.parent.name))
    total, family = 0, list(roots)
    while family:
        pid = family.pop()
        family += children.get(pid, [])
        with suppress(OSError):
            rollup = (PROC / str(pid) / "smaps_rollup").read_text()
            total += 1024 * int(rollup.partition("\nPss:")[2].split()[0])
    return total


def output_of(
    *command: object,
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return the output of a command. Raises Skipped with its last line on stderr if it fails."""
    process = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if process.returncode:
        raise Skipped(last_line(process.stderr) or f"{command[0]} ended with {process.returncode}")
    return process.stdout


def attn(*arguments: object) -> str:
    """Return the output of an attn command. Raises Skipped as `output_of` does."""
    return output_of(*ATTN, *arguments)


def aer_of_attention(model: Path, source: Path, target: Path, gold: Path) -> dict[str, Any]:
    """Return the AER of a model's attention; each target word is linked to its largest weight.

    Raises Skipped as `output_of` does.
    """
    options = ("--weights", "attention", "--format", "pharaoh", "--extract", "argmax")
    with tempfile.TemporaryDirectory() as folder:
        links = Path(folder, "links")
        attn("align", "-m", model, "--source", source, "--target", target, *options, "-o", links)
        output = attn("score", "--gold", gold, "--links", links, "--format", "json")
    score: dict[str, Any] = json.loads(output)["aer"]
    return score


def use_one_core() -> None:
    """Run this process and its children on one core, where the system supports it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])


def exit_on_sigterm() -> None:
    """Exit on SIGTERM as on an exception, so that child processes are ended too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def last_line(text: str) -> str:
    """Return the last line that is not blank, or ""."""
    return (text.strip().splitlines() or [""])[-1]


def say(message: str) -> None:
    """Write a line to stderr."""
    print(message, file=sys.stderr, flush=True)


def require_file(path: Path) -> Path:
    """Return the file. Raises Skipped if it is missing."""
    if not path.is_file():
        raise Skipped(f"there is no {path}")
    return path


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns."""
    cells = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


@contextmanager
def report_skips(title: str, skipped: list[str]) -> Iterator[None]:
    """If the block raises Skipped, print it, add the reason to `skipped`, and continue after the
    block."""
    try:
        yield
    except Skipped as reason:
        line = f"{title}: {reason}" if title else str(reason)
        say(f"skipped {line}")
        skipped.append(line)


def describe_conditions(*more: str) -> str:
    """Return the date, the machine, the Python version and `more`."""
    parts = (
        str(datetime.date.today()),
        f"{os.cpu_count()} cores ({platform.machine()})",
        f"Python {platform.python_version()}",
        *more,
    )
    return ", ".join(parts)


def format_notes(about: str, skipped: Iterable[str]) -> str:
    """Return the conditions of a measurement and what was skipped, as a list."""
    lines = (about, *(f"skipped {reason}" for reason in skipped))
    return "".join(["\n", *(f"* {line}\n" for line in lines)])


def report(markdown: str, record: Mapping[str, Any], output: Path | None) -> None:
    """Print the tables; with an output also write OUTPUT.md and OUTPUT.json."""
    print(markdown, end="", flush=True)
    if output is None:
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{output}.md").write_text(markdown, encoding="utf-8")
    text = json.dumps(record, indent=2, ensure_ascii=False)
    Path(f"{output}.json").write_text(text + "\n", encoding="utf-8")
