"""What the benchmarks share: what a process costs, tables, and where results go.

Imports the standard library alone and little of it: a process that is started is never said to need
less memory than the one that starts it.
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

#: What runs attn in this environment: its script, as a user does, where there is one.
_SCRIPT = Path(sys.executable).with_name("attn")
ATTN: tuple[str, ...] = (
    (sys.executable, str(_SCRIPT)) if _SCRIPT.is_file() else (sys.executable, "-m", "attn_cli")
)

MEBI = 1 << 20
PROC = Path("/proc")

#: One thread for whatever counts its threads by itself.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1"
)


class Skipped(Exception):  # noqa: N818 - nothing went wrong here
    """Something is not there, or would not run; the rest is measured all the same."""


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds by the clock and of all cores, and its memory at most."""

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
    """Run a command to its end. Raises Skipped with the last it says if it fails."""
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
    """Bytes that processes and all they started hold; what several share is divided among them.

    0 where there is no /proc; the largest process is counted then, when it has ended.
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
    """What a command prints. Raises Skipped with the last it says on stderr if it fails."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise Skipped(last_line(done.stderr) or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def attn(*arguments: object) -> str:
    """What an attn command prints. Raises Skipped as `output_of`."""
    return output_of(*ATTN, *arguments)


def aer_of_attention(model: Path, source: Path, target: Path, gold: Path) -> dict[str, Any]:
    """How far a model's attention, each target word's heaviest, is from gold links. Raises Skipped
    as `output_of`."""
    how = ("--weights", "attention", "--format", "pharaoh", "--extract", "argmax")
    with tempfile.TemporaryDirectory() as folder:
        links = Path(folder, "links")
        attn("align", "-m", model, "--source", source, "--target", target, *how, "-o", links)
        scored = attn("score", "--gold", gold, "--links", links, "--format", "json")
    score: dict[str, Any] = json.loads(scored)["aer"]
    return score


def on_one_core() -> None:
    """Keep this process, and those it starts, on one core where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])


def ending_on_signals() -> None:
    """End as a Python program does when told to, so that what it has started ends too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def last_line(text: str) -> str:
    """The last line that is not blank, or nothing."""
    return (text.strip().splitlines() or [""])[-1]


def say(what: str) -> None:
    """A line for whoever is waiting."""
    print(what, file=sys.stderr, flush=True)


def present(path: Path) -> Path:
    """The file, if it is there. Raises Skipped where it is not."""
    if not path.is_file():
        raise Skipped(f"there is no {path}")
    return path


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are in line."""
    cells = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


@contextmanager
def excusing(what: str, skipped: list[str]) -> Iterator[None]:
    """Where the block raises Skipped, say so, add the reason to `skipped` and go on behind it."""
    try:
        yield
    except Skipped as reason:
        line = f"{what}: {reason}" if what else str(reason)
        say(f"skipped {line}")
        skipped.append(line)


def conditions(*more: str) -> str:
    """The day, the machine and the Python of a measurement, and what else there is to say."""
    parts = (
        str(datetime.date.today()),
        f"{os.cpu_count()} cores ({platform.machine()})",
        f"Python {platform.python_version()}",
        *more,
    )
    return ", ".join(parts)


def notes(about: str, skipped: Iterable[str]) -> str:
    """The conditions of a measurement and what was skipped, as a list below its tables."""
    lines = (about, *(f"skipped {what}" for what in skipped))
    return "".join(["\n", *(f"* {line}\n" for line in lines)])


def report(markdown: str, record: Mapping[str, Any], output: Path | None) -> None:
    """Print the tables; with an output write them and the record, OUTPUT.md and OUTPUT.json."""
    print(markdown, end="", flush=True)
    if output is None:
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{output}.md").write_text(markdown, encoding="utf-8")
    text = json.dumps(record, indent=2, ensure_ascii=False)
    Path(f"{output}.json").write_text(text + "\n", encoding="utf-8")
