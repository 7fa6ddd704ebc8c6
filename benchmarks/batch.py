"""Measure attn batch: lines per second by the number of workers, and recovery from killed
processes.

    python benchmarks/batch.py                                      # en-fr on the demo's sentences
    python benchmarks/batch.py --text captions.en --workers 1,2
    python benchmarks/batch.py --lines 1000000 --model tests/fixtures/bundle_v1 --beam 1 \\
        --workers 2 --kill 10 --kill-driver 2

Writes `--lines` lines, sampled from `--distinct` sentences of `--text`, into `--files` files, one
of them compressed, and translates them with each number of workers. With `--kill N` it kills a
random worker every N seconds, with `--kill-driver N` the command itself N times, and runs it again.
Then every file must have as many lines as its input, each the translation of the line in its place.
Prints wall seconds from start to exit, and CPU seconds of all processes.
"""

import argparse
import gzip
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from batch_workers import descendants, kill, workers_below  # noqa: E402

ATTN = [sys.executable, "-m", "attn_cli"]
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    options = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        inputs = Path(name) / "in"
        inputs.mkdir()
        sentences = _sentences(options.text, options.distinct, chance)
        _write_inputs(inputs, sentences, options, chance)
        expected = _expected(Path(name), sentences, options)
        print(
            "| workers | kills | seconds | lines/s | CPU seconds | peak MiB |",
            flush=True,
        )
        print("|---|---|---|---|---|---|", flush=True)
        good = True
        for workers in map(int, options.workers.split(",")):
            out = Path(name) / f"out{workers}"
            run = Run(inputs, out, workers, options, chance)
            run.to_the_end()
            rate = options.lines / run.seconds
            print(
                f"| {workers} | {run.kills} | {run.seconds:.1f} | {rate:.0f} | {run.cpu:.1f} "
                f"| {run.peak >> 20} |",
                flush=True,
            )
            good &= _check(inputs, out, expected)
    return 0 if good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--text", type=Path, default=ROOT / "data" / "demo" / "train.en")
    parser.add_argument("--distinct", type=int, default=2048, help="number of different sentences")
    parser.add_argument("--model", default="en-fr")
    parser.add_argument("--beam", type=int, help="[the recipe's]")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--kill", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--kill-driver", type=int, default=0, metavar="TIMES")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _sentences(path: Path, distinct: int, chance: random.Random) -> list[str]:
    """Return `distinct` sentences of a text, sampled at random."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    sentences = sorted({line.rstrip("\r") for line in text.decode().split("\n")})
    return chance.sample(sentences, min(distinct, len(sentences)))


def _write_inputs(
    folder: Path, sentences: list[str], options: argparse.Namespace, chance: random.Random
) -> None:
    for number in range(options.files):
        count = (
            options.lines * (number + 1) // options.files - options.lines * number // options.files
        )
        name = "z.en.gz" if number == options.files - 1 else f"{number}.en"
        lines = (f"{chance.choice(sentences)}\n".encode() for _ in range(count))
        with (gzip.open if name.endswith(".gz") else open)(folder / name, "wb") as file:
            file.writelines(lines)


def _expected(folder: Path, sentences: list[str], options: argparse.Namespace) -> dict[str, str]:
    """Return the translation of each sentence by attn translate."""
    (folder / "text").write_text("".join(f"{each}\n" for each in sentences))
    command = [*ATTN, "translate", "-i", str(folder / "text"), *_how(options)]
    process = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return dict(zip(sentences, process.stdout.decode().split("\n"), strict=False))


def _how(options: argparse.Namespace) -> list[str]:
    beam = ["--beam", str(options.beam)] if options.beam else []
    return ["--model", options.model, *beam]


def _check(inputs: Path, out: Path, expected: dict[str, str]) -> bool:
    """Return whether each line of each output is the translation of the input line in its place."""
    count, wrong = 0, 0
    for path in sorted(inputs.iterdir()):
        for source, target in zip(_lines(path), _lines(out / path.name), strict=True):
            count += 1
            wrong += expected[source] != target
    print(f"{count:,} lines in, {count:,} out, {wrong} not the translation of their line")
    return not wrong


def _lines(path: Path) -> Iterator[str]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        for line in file:
            yield line.decode().removesuffix("\n")


class Run:
    """One batch from start to end, with the processes that are killed."""

    def __init__(
        self,
        inputs: Path,
        out: Path,
        workers: int,
        options: argparse.Namespace,
        chance: random.Random,
    ) -> None:
        options_of_batch = ["--output", str(out), "--workers", str(workers), *_how(options)]
        self.command = [*ATTN, "batch", str(inputs), *options_of_batch]
        self.options, self.chance = options, chance
        self.kills, self.seconds, self.peak = 0, 0.0, 0
        self._cpu: dict[tuple[int, str], float] = {}

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes."""
        return sum(self._cpu.values())

    def to_the_end(self) -> None:
        start = time.monotonic()
        for _ in range(self.options.kill_driver):
            self._once(until=self.chance.uniform(15, 40))
        if self._once(until=None):
            raise SystemExit("attn batch failed")
        self.seconds = time.monotonic() - start

    def _once(self, until: float | None) -> int:
        with subprocess.Popen(self.command) as process:
            has_ended = threading.Event()
            watcher = threading.Thread(target=self._watch, args=(process.pid, has_ended, until))
            watcher.start()
            status = process.wait()
            has_ended.set()
            watcher.join()
        return status

    def _watch(self, process: int, has_ended: threading.Event, until: float | None) -> None:
        """Count the CPU time of the processes, and kill some."""
        start = last_kill = time.monotonic()
        while not has_ended.wait(0.5):
            self._count(process)
            now = time.monotonic()
            workers = workers_below(process)
            if self.options.kill and now - last_kill > self.options.kill and workers:
                kill(self.chance.choice(workers))
                self.kills += 1
                last_kill = now
            if until is not None and now - start > until:
                kill(process)
                self.kills += 1
                return

    def _count(self, process: int) -> None:
        resident = 0
        for each in [process, *descendants(process)]:
            try:
                fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            self._cpu[each, fields[19]] = (int(fields[11]) + int(fields[12])) / TICKS
            if each == process or each in workers_below(process):
                resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        self.peak = max(self.peak, resident)


if __name__ == "__main__":
    sys.exit(main())
