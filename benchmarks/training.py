"""Measure the speed of training: attn with threads and workers, Joey NMT and OpenNMT-py.

    python benchmarks/training.py --output runs/training              # pieces/s, memory
    python benchmarks/training.py profile [--before CHECKOUT]         # where an update's time goes
    python benchmarks/training.py minutes --limits 5,15,45            # BLEU after N minutes
    python benchmarks/training.py --systems "1 thread,2 workers" --updates 100 --rounds 1

All learn Multi30k, English to French, with networks of one kind and size: 8,000 pieces, embeddings
of 256, a bidirectional GRU of 2x256, a GRU of 512 with attention and input feeding, batches of
2,000 target pieces. attn trains its default recipe without a word aligner. The other programs are
installed into --rivals (benchmarks/measuring/translators.py); their rates are those of their logs.
One system runs at a time, in turns; values are medians.

`minutes` trains attn once for each limit, since its schedule fits the time, and the other programs
once; their network at each limit is stored. With --rival-threads 1 the other programs train at the
same time, each on a core of its own. Every row is written to OUTPUT.json at once; the same
command again measures the missing rows.

Memory is the peak of all processes of a system together, with shared memory counted once.
`profile` measures CPU time, so other work on the machine matters less. --before also profiles
another checkout of this project in the same way.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from measuring import (
    ATTN,
    DATA,
    MEBI,
    ONE_THREAD,
    ROOT,
    Skipped,
    attn,
    cost_of,
    describe_conditions,
    exit_on_sigterm,
    format_notes,
    memory,
    output_of,
    report,
    report_skips,
    require_file,
    say,
    table,
)
from measuring.options import names_of, numbers
from measuring.rows import SavedRows
from measuring.translators import RIVALS, Lines, Rivals, bleu

ATTN_SYSTEMS = {"1 thread": (1, 1), "2 threads": (2, 1), "2 workers": (2, 2)}  # threads, workers
SOURCE, TARGET = "en", "fr"
INTERVALS = 8  # parts of a run, each with its rate
WARM = 3  # parts left out at the start, while caches fill
LOOK = 1.0  # seconds between two measurements of memory
BEAMS = (1, 5)


def main() -> int:
    options = _options()
    exit_on_sigterm()
    skipped: list[str] = []
    with tempfile.TemporaryDirectory(prefix="attn-training-") as scratch:
        measure = {"speed": speed, "profile": profile, "minutes": minutes}[options.mode]
        text, record = "", dict[str, Any]()
        with report_skips("", skipped):
            text, record = measure(options, Path(scratch), skipped)
    about = describe_conditions(f"batches of {options.tokens}, {options.vocabulary} pieces")
    text += format_notes(about, skipped)
    report(text, {"conditions": about, **record, "skipped": skipped}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("mode", nargs="?", choices=("speed", "profile", "minutes"), default="speed")
    add(
        "--systems",
        type=names_of((*ATTN_SYSTEMS, *RIVALS)),
        default=(*ATTN_SYSTEMS, *RIVALS),
        help="names of systems [all]",
    )
    add("--corpus", type=Path, default=DATA / "multi30k", help="[../shared/data/multi30k]")
    add(
        "--updates",
        type=int,
        default=400,
        help="updates of each run of attn, or of a profile [400]",
    )
    add("--rounds", type=int, default=3, help="[3]")
    add(
        "--rival-minutes",
        type=float,
        default=3.0,
        help="minutes of each run of another program in `speed` [3]",
    )
    add(
        "--rival-threads",
        type=int,
        default=os.cpu_count() or 1,
        help="threads of the other programs [all cores]",
    )
    add("--limits", type=numbers, default=(5.0, 15.0, 45.0), help="minutes in `minutes` [5,15,45]")
    add("--tokens", type=int, default=2000, help="target pieces in a batch [2000]")
    add("--vocabulary", type=int, default=8000, help="pieces [8000]")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of attn's recipe",
    )
    add("--before", type=Path, help="another checkout to profile too")
    add("--rivals", type=Path, default=ROOT / ".bench" / "translators", help="[.bench/translators]")
    add("--output", "-o", type=Path, help="also write OUTPUT.json and OUTPUT.md")
    options = parser.parse_args()
    options.rivals = options.rivals.absolute()
    return options


def recipe(options: argparse.Namespace, folder: Path, **train: object) -> Path:
    """Return attn's default recipe for that text, without a word aligner."""
    files = {
        f"{valid}{side}": require_file(options.corpus / f"{part}.{language}.gz")
        for valid, part in (("", "train"), ("valid_", "val"))
        for side, language in (("source", SOURCE), ("target", TARGET))
    }
    lines = ['name = "training"', f'source = "{SOURCE}"', f'target = "{TARGET}"', "[data]"]
    lines += [f"{key} = {json.dumps(str(path.absolute()))}" for key, path in files.items()]
    lines += ["[tokenizer]", f"vocab_size = {options.vocabulary}"]
    lines += ["[model.word_aligner]", "enabled = false", "[train]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in train.items()]
    path = folder / "recipe.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# Pieces a second


def speed(
    options: argparse.Namespace, scratch: Path, skipped: list[str]
) -> tuple[str, dict[str, Any]]:
    """Measure target pieces per second and memory of each system, in turns."""
    rates: dict[str, list[float]] = {name: [] for name in options.systems}
    memory: dict[str, list[float]] = {name: [] for name in options.systems}
    failed: set[str] = set()
    path = recipe(
        options,
        scratch,
        max_steps=options.updates,
        batch_tokens=options.tokens,
        validate_every=10 * options.updates,
        log_every=max(1, options.updates // INTERVALS),
        export="none",
    )
    for number in range(options.rounds):
        for name in options.systems:
            if name in failed:
                continue
            say(f"round {number + 1}: {name}")
            run = read_attn_rate if name in ATTN_SYSTEMS else read_rival_rate
            failed.add(name)  # removed below if it succeeds
            with report_skips(name, skipped):
                rate, mebibytes = run(name, options, path, scratch)
                rates[name].append(rate)
                memory[name].append(mebibytes)
                failed.remove(name)
    rows = [
        (name, median(rates[name]), max(memory[name])) for name in options.systems if rates[name]
    ]
    titles = ["system", "target pieces/s", "MiB"]
    bases = [row for row in rows if row[0] in ("1 thread", *RIVALS)]
    titles += [f"× {name}" for name, _, _ in bases]
    cells = [
        [name, f"{rate:.0f}", f"{mib:.0f}", *(f"{rate / base:.2f}" for _, base, _ in bases)]
        for name, rate, mib in rows
    ]
    return table(titles, cells), {"rates": rates, "mebibytes": memory}


def read_attn_rate(
    name: str, options: argparse.Namespace, path: Path, scratch: Path
) -> tuple[float, float]:
    """Return the median of the rates of a training's log, and its memory."""
    threads, workers = ATTN_SYSTEMS[name]
    out = scratch / "run"
    sizes = ("--threads", threads, "--workers", workers, "--device", "cpu")
    changes = [part for setting in options.set for part in ("--set", setting)]
    command = (*ATTN, "train", path, "--out", out, "--force", *sizes, *changes)
    mebibytes = run_with_memory(list(map(str, command)))
    return median(read_logged(out / "log.jsonl", "progress", "tokens_per_second")[WARM:]), mebibytes


def read_logged(log: Path, event: str, key: str) -> list[float]:
    """Return a value of each event of that name in a log. Raises Skipped if there are too few."""
    rows = map(json.loads, log.read_text(encoding="utf-8").splitlines())
    values = [float(row[key]) for row in rows if row["event"] == event]
    if event == "progress" and len(values) <= WARM:
        raise Skipped(f"too few updates: at least {INTERVALS} are needed")
    return values


def run_with_memory(command: Sequence[str]) -> float:
    """Run a command; return the peak in MiB of it and its processes. Raises Skipped if it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        most = 0.0
        try:
            while process.poll() is None:
                most = max(most, memory([process.pid]) / MEBI)
                time.sleep(LOOK)
        finally:
            process.terminate()
            process.wait()
        if process.returncode:
            errors.seek(0)
            lines = errors.read().strip().splitlines()
            raise Skipped(lines[-1] if lines else f"ended with {process.returncode}")
    return most


def rivals(options: argparse.Namespace, lines: Lines, work: str) -> Rivals:
    """Return the other programs, installed, with the same text and batches."""
    sizes = (options.tokens, options.vocabulary, options.rival_threads)
    programs = Rivals(
        options.rivals,
        lines,
        corpus=options.corpus.absolute(),
        work="-".join(map(str, (work, options.corpus.resolve().name, *sizes))),
        threads=options.rival_threads,
        tokens=options.tokens,
        vocabulary=options.vocabulary,
    )
    programs.install()
    return programs


def read_rival_rate(
    name: str, options: argparse.Namespace, path: Path, scratch: Path
) -> tuple[float, float]:
    """Return the median of the rates of a program's log, and its memory at the end."""
    lines = Lines.read(options.corpus, (SOURCE, TARGET), None, scratch)
    programs = rivals(options, lines, "speed")
    programs.delete_trained(name)
    programs.train([name], (options.rival_minutes,))
    rates = programs.rates(name)
    if len(rates) < 2:
        raise Skipped("it logged too little; give it more --rival-minutes")
    return median(rates[1:]), programs.mebibytes(name)


# Where the time goes


def profile(
    options: argparse.Namespace, scratch: Path, skipped: list[str]
) -> tuple[str, dict[str, Any]]:
    """Measure the CPU time of an update by phase, and that of its matrix products alone."""
    path = recipe(options, scratch, max_steps=3600, batch_tokens=options.tokens)
    checkouts = {"now": ROOT} if options.before is None else {"before": options.before, "now": ROOT}
    profiles: dict[str, list[dict[str, Any]]] = {name: [] for name in checkouts}
    for number in range(options.rounds):
        for name, checkout in checkouts.items():
            say(f"round {number + 1}: {name}")
            program = ROOT / "benchmarks" / "measuring" / "update.py"
            paths = {"PYTHONPATH": str(checkout.absolute())}
            output = output_of(
                *(sys.executable, program, path, options.updates),
                environment={**ONE_THREAD, **paths},
            )
            profiles[name].append(json.loads(output.splitlines()[-1]))
    titles = ["phase", *(f"{name}: {unit}" for name in profiles for unit in ("ms", "%"))]
    phases = list(next(iter(profiles.values()))[0]["phases"])
    rows = []
    for phase in phases:
        cells = [phase]
        for runs in profiles.values():
            cells += _share(runs, lambda run, phase=phase: run["phases"][phase] / run["updates"])
        rows.append(cells)
    ways: dict[str, Callable[[dict[str, Any]], float]] = {
        "total": lambda run: run["seconds"] / run["updates"],
        "products alone": lambda run: run["products"]["seconds"] / run["products"]["updates"],
    }
    for title, way in ways.items():
        rows.append([title, *(cell for runs in profiles.values() for cell in _share(runs, way))])
    return table(titles, rows), {"profiles": profiles}


def _share(
    runs: Sequence[dict[str, Any]], seconds: Callable[[dict[str, Any]], float]
) -> tuple[str, str]:
    """Return milliseconds of an update and their share: medians of the runs."""
    total = median(run["seconds"] / run["updates"] for run in runs)
    part = median(map(seconds, runs))
    return f"{1000 * part:.1f}", f"{100 * part / total:.0f}"


# BLEU after so many minutes


def minutes(
    options: argparse.Namespace, scratch: Path, skipped: list[str]
) -> tuple[str, dict[str, Any]]:
    """Measure BLEU on the test text after each limit in minutes."""
    lines = Lines.read(options.corpus, (SOURCE, TARGET), None, scratch)
    settings = {name: getattr(options, name) for name in ("tokens", "vocabulary", "set")}
    rows_file = SavedRows(options.output, settings | {"corpus": str(options.corpus)})
    systems = [name for name in options.systems if name in RIVALS]
    if set(options.systems) & set(ATTN_SYSTEMS):
        systems.insert(0, "attn")
    for name in systems:
        cores = options.rival_threads if name in RIVALS else os.cpu_count() or 1
        of_system = {"system": name, "cores": cores}
        limits = [m for m in options.limits if not rows_file.has(**of_system, minutes=m)]
        translate = translate_with_attn if name == "attn" else translate_with_rival
        for limit in limits:
            with report_skips(f"{name}, {limit:g} minutes", skipped):
                say(f"{name}: {limit:g} minutes")
                seconds, outputs = translate(name, limit, limits, options, lines, scratch)
                scores = [bleu(lines.reference, output)["score"] for output in outputs]
                rows_file.add({**of_system, "minutes": limit, "seconds": seconds, "bleu": scores})
    order = ("attn", *RIVALS)
    rows = sorted(rows_file.rows, key=lambda row: (row["minutes"], order.index(row["system"])))
    cells = [
        [
            f"{row['minutes']:g}",
            row["system"],
            str(row["cores"]),
            f"{row['seconds']:.0f}",
            *(f"{score:.1f}" for score in row["bleu"]),
        ]
        for row in rows
    ]
    titles = ["minutes", "system", "cores", "seconds from start to end"]
    titles += [f"beam {beam}" for beam in BEAMS]
    return table(titles, cells), rows_file.record()


def translate_with_attn(
    name: str,
    limit: float,
    limits: Sequence[float],
    options: argparse.Namespace,
    lines: Lines,
    scratch: Path,
) -> tuple[float, list[Path]]:
    """Train for `limit` minutes; return the seconds from start to end, and the translations by
    beam."""
    path = recipe(options, scratch, batch_tokens=options.tokens)
    out = scratch / f"minutes-{limit:g}"
    changes = [part for setting in options.set for part in ("--set", setting)]
    cost = cost_of((*ATTN, "train", path, "--out", out, "--max-minutes", limit, *changes))
    outputs = []
    for beam in BEAMS:
        outputs.append(scratch / f"attn-{limit:g}-{beam}")
        attn("translate", "-m", out, "--beam", beam, "-i", lines.all, "-o", outputs[-1])
    return cost.seconds, outputs


def translate_with_rival(
    name: str,
    limit: float,
    limits: Sequence[float],
    options: argparse.Namespace,
    lines: Lines,
    scratch: Path,
) -> tuple[float, list[Path]]:
    """Do the same with another program, which has no schedule: one training for all `limits`."""
    trained = rivals(options, lines, "minutes")
    if limit == limits[0]:
        trained.train([each for each in options.systems if each in RIVALS], limits)
    system = trained.system(name, limit)
    outputs = []
    for beam in BEAMS:
        outputs.append(scratch / f"{name}-{limit:g}-{beam}")
        system.translate(lines.all, outputs[-1], beam, threads=trained.threads)
    return 60 * limit, outputs


if __name__ == "__main__":
    sys.exit(main())
