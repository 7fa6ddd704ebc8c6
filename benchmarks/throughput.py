"""Measure the speed of translation on one core: attn's engines, Joey NMT and OpenNMT-py.

    python benchmarks/throughput.py --model runs/multi30k-en-fr --output runs/throughput
    python benchmarks/throughput.py --systems int8,fp32,torch          # no other programs
    python benchmarks/throughput.py --systems int8,fp32 --where        # and where the time goes
    python benchmarks/throughput.py --no-shortlist                     # with the whole vocabulary
    python benchmarks/throughput.py --limit 50 --rounds 1 --rival-minutes 1     # a quick try

All translate Multi30k's test_2016_flickr, raw text in and out, greedily and with a beam of 5, each
in a process of its own on one core. A run of the first line alone measures the start-up, which
sentences per second exclude. Systems take turns; values are medians over the rounds.

int8 and fp32 are graphs that `attn export` makes of --model, torch is the same network in PyTorch.
The other programs have networks of the same kind and size: one vocabulary of 8,000 SentencePiece
pieces, embeddings of 256, a bidirectional GRU of 2x256, a GRU of 512 with additive attention. They
are trained for --rival-minutes, at the same time if there are enough cores, and stored. Their
training does not change the time of a step, but it changes the length of their translations. So the
table counts pieces too, and compares by sentences and by pieces.

Their recipes are joeynmt.yaml and opennmt.yaml in this folder. They are in --rivals with their
environment, which is made if it is missing.
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from measuring import (
    ONE_THREAD,
    ROOT,
    Cost,
    Skipped,
    describe_conditions,
    exit_on_sigterm,
    format_notes,
    output_of,
    report,
    report_skips,
    say,
    table,
    use_one_core,
)
from measuring.options import names_of, whole_numbers
from measuring.translators import (
    ATTN_SYSTEMS,
    RIVALS,
    TEST,
    Lines,
    Rivals,
    System,
    attn_system,
    bleu,
)

MODEL = ROOT / "runs" / "multi30k-en-fr"
BEAMS = (1, 5)
NOISE = 0.05  # the smallest share of a run, without its start-up, that can be measured


def main() -> int:
    options = _options()
    exit_on_sigterm()
    skipped: list[str] = []
    rows: list[Row] = []
    profiles: dict[str, Any] = {}
    text = ""
    with tempfile.TemporaryDirectory(prefix="attn-throughput-") as scratch:
        os.environ["ATTN_HOME"] = str(Path(scratch) / "home")
        with report_skips("", skipped):
            lines = Lines.of_model(options.model, options.limit, Path(scratch))
            systems = prepare_systems(options, lines, Path(scratch), skipped)
            use_one_core()
            rows = measure(systems, lines, options, Path(scratch), skipped)
            text = format_summary(rows)
            if options.where:
                graphs = [system for system in systems if system.name in ("int8", "fp32")]
                profiles = {
                    f"{system.name}, beam {beam}": profile_engine(system, beam, lines)
                    for system, beam in itertools.product(graphs, options.beams)
                }
                text += format_products(profiles)
                text += "".join(
                    f"\n### {title}\n\n{format_profile(profile)}"
                    for title, profile in profiles.items()
                )
    about = describe_conditions(f"model {options.model}", f"{options.rounds} rounds")
    text += format_notes(about, skipped)
    record = {"conditions": about, "rows": [row.record() for row in rows], "where": profiles}
    report(text, {**record, "skipped": skipped}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", "-m", type=Path, default=MODEL, help="a bundle [runs/multi30k-en-fr]")
    add(
        "--systems",
        type=names_of(ATTN_SYSTEMS + RIVALS),
        default=ATTN_SYSTEMS + RIVALS,
        help="some of int8,…,opennmt [all]",
    )
    add("--beams", type=whole_numbers, default=BEAMS, help="[1,5]")
    add("--rounds", type=int, default=3, help="[3]")
    add("--limit", type=int, help="number of lines, for a quick try")
    add("--no-shortlist", action="store_true", help="attn scores the whole vocabulary")
    add("--where", action="store_true", help="also profile the graphs")
    add(
        "--rival-minutes", type=float, default=10.0, help="training time of the other programs [10]"
    )
    add("--rivals", type=Path, default=ROOT / ".bench" / "translators", help="[.bench/translators]")
    add("--output", "-o", type=Path, help="also write OUTPUT.json and OUTPUT.md")
    options = parser.parse_args()
    options.model, options.rivals = options.model.absolute(), options.rivals.absolute()
    return options


# The systems


def prepare_systems(
    options: argparse.Namespace, lines: Lines, scratch: Path, skipped: list[str]
) -> list[System]:
    """Return the selected systems that are available."""
    systems = []
    for name in options.systems:
        if name in ATTN_SYSTEMS:
            with report_skips(name, skipped):
                system = attn_system(
                    name, options.model, scratch, shortlist=not options.no_shortlist
                )
                systems.append(system)
    names = [name for name in RIVALS if name in options.systems]
    if names:
        with report_skips(", ".join(names), skipped):
            rivals = Rivals(options.rivals, lines)
            rivals.install()
            rivals.train(names, (options.rival_minutes,))
            systems += [rivals.system(name, options.rival_minutes) for name in names]
    return systems


# Measuring


@dataclass(frozen=True)
class Row:
    """The result of one system with one beam. Seconds and rates are medians over the rounds."""

    system: str
    version: str
    parameters: int
    trained: str
    beam: int
    lines: int
    seconds: float  # wall time of all lines, start-up included
    startup_seconds: float  # wall time of the first line alone
    core_seconds: float  # of all lines, start-up included
    mebibytes: float
    pieces: int  # of all translations, EOS included
    bleu: float
    signature: str
    all_seconds: list[float]

    @property
    def sentences_per_second(self) -> float | None:
        """The rate without start-up; None if the run is too short to measure it."""
        seconds = self.seconds - self.startup_seconds
        return (self.lines - 1) / seconds if seconds > NOISE * self.seconds else None

    @property
    def pieces_per_second(self) -> float | None:
        """The rate without start-up."""
        rate = self.sentences_per_second
        return None if rate is None else rate * self.pieces / self.lines

    def record(self) -> dict[str, Any]:
        """Return all values as JSON."""
        rates = {"sentences_per_second": self.sentences_per_second}
        return {**asdict(self), **rates, "pieces_per_second": self.pieces_per_second}


def measure(
    systems: Sequence[System],
    lines: Lines,
    options: argparse.Namespace,
    scratch: Path,
    skipped: list[str],
) -> list[Row]:
    """Return a row for each system and beam; they take turns."""
    costs: dict[tuple[str, int], list[tuple[Cost, Cost]]] = {}
    failures = set()
    for system in systems:  # loads files that were not read before
        with report_skips(system.name, []):
            system.translate(lines.first, scratch / "first.out", options.beams[0], threads=1)
    for number in range(options.rounds):
        for beam, system in itertools.product(options.beams, systems):
            if (system.name, beam) in failures:
                continue
            say(f"round {number + 1}: {system.name}, beam {beam}")
            out = scratch / f"{system.name}.{beam}.{lines.target}"
            try:
                first = system.translate(lines.first, scratch / "first.out", beam, threads=1)
                complete = system.translate(lines.all, out, beam, threads=1)
            except Skipped as reason:
                failures.add((system.name, beam))
                skipped.append(f"{system.name}, beam {beam}: {reason}")
                continue
            costs.setdefault((system.name, beam), []).append((first, complete))
    by_name = {system.name: system for system in systems}
    rows = []
    for (name, beam), runs in sorted(costs.items(), key=lambda item: item[0][1]):
        with report_skips(f"{name}, beam {beam}", skipped):
            out = scratch / f"{name}.{beam}.{lines.target}"
            rows.append(_row(by_name[name], beam, runs, out, lines))
    return rows


def _row(
    system: System, beam: int, runs: Sequence[tuple[Cost, Cost]], output: Path, lines: Lines
) -> Row:
    score = bleu(lines.reference, output)
    return Row(
        system=system.name,
        version=system.version,
        parameters=system.parameters,
        trained=system.trained,
        beam=beam,
        lines=lines.count,
        seconds=median(complete.seconds for _, complete in runs),
        startup_seconds=median(first.seconds for first, _ in runs),
        core_seconds=median(complete.cpu_seconds for _, complete in runs),
        mebibytes=max(complete.mebibytes for _, complete in runs),
        pieces=system.pieces(output),
        bleu=score["score"],
        signature=score["signature"],
        all_seconds=[round(complete.seconds, 3) for _, complete in runs],
    )


def format_summary(rows: Sequence[Row]) -> str:
    """Return the table and the conditions of its numbers."""
    if not rows:
        return ""
    rivals = [name for name in RIVALS if any(row.system == name for row in rows)]
    titles = ["system", "parameters", "beam", "sentences/s", "with start-up", "start-up s"]
    titles += ["core-seconds", "MiB", "BLEU", "pieces a line", "pieces/s"]
    titles += [f"× {name}, sentences (pieces)" for name in rivals]
    notes = dict.fromkeys(
        f"{row.system}: {row.version}{', ' + row.trained if row.trained else ''}" for row in rows
    )
    notes |= dict.fromkeys(f"{row.lines} lines of {TEST}, BLEU {row.signature}" for row in rows)
    text = table(titles, [_cells(row, rows, rivals) for row in rows])
    return "\n".join([text, *(f"* {note}" for note in notes)]) + "\n"


def _cells(row: Row, rows: Sequence[Row], rivals: Sequence[str]) -> list[str]:
    cells = [
        row.system,
        f"{row.parameters / 1e6:.1f}M",
        str(row.beam),
        _rate(row.sentences_per_second),
        f"{row.lines / row.seconds:.1f}",
        f"{row.startup_seconds:.2f}",
        f"{row.core_seconds:.1f}",
        f"{row.mebibytes:.0f}",
        f"{row.bleu:.1f}",
        f"{row.pieces / row.lines:.1f}",
        _rate(row.pieces_per_second),
    ]
    for name in rivals:
        rival = next((each for each in rows if (each.system, each.beam) == (name, row.beam)), None)
        if rival is None or row.system in RIVALS:
            cells.append("")
            continue
        rates = (row.sentences_per_second, row.pieces_per_second)
        other = (rival.sentences_per_second, rival.pieces_per_second)
        sentences, pieces = map(_times, rates, other)
        cells.append(f"{sentences} ({pieces})")
    return cells


def _rate(rate: float | None) -> str:
    return "?" if rate is None else f"{rate:.1f}" if rate < 1000 else f"{rate:.0f}"


def _times(rate: float | None, other: float | None) -> str:
    return "?" if rate is None or other is None else f"{rate / other:.1f}"


# Where the time goes


def profile_engine(system: System, beam: int, lines: Lines) -> dict[str, Any]:
    """Profile an engine in a process of its own: see `measuring/runtime.py`."""
    say(f"where the time of {system.name} goes, beam {beam}")
    program = ROOT / "benchmarks" / "measuring" / "runtime.py"
    output = output_of(
        sys.executable, program, system.folder, beam, lines.all, environment=ONE_THREAD
    )
    profile: dict[str, Any] = json.loads(output.splitlines()[-1])
    return profile


def format_products(profiles: dict[str, dict[str, Any]]) -> str:
    """Return the table of the time of the matrix products alone, for each run."""
    rows = []
    for title, profile in profiles.items():
        total, products = sum(profile["phases"].values()), _alone(profile)
        rows.append((title, f"{total:.3f}", f"{products:.3f}", f"{100 * products / total:.0f}"))
    titles = ("graphs", "translation s", "matrix products alone s", "%")
    return "\n" + table(titles, rows) if rows else ""


def _alone(profile: dict[str, Any]) -> float:
    return sum(each["seconds"] for each in profile["products"].values())


def format_profile(profile: dict[str, Any]) -> str:
    """Return the tables of a profile."""
    whole = sum(profile["phases"].values())
    phases = [_share(name, seconds, whole) for name, seconds in profile["phases"].items()]
    text = table(("what", "s", "%"), [*phases, _share("total", whole, whole)])
    kernels = profile["kernels"]
    within = sum(kernels.values())
    text += "\nThe graphs by operator, profiled, which takes a little longer:\n\n"
    text += table(("operator", "s", "%"), [_share(k, s, within) for k, s in kernels.items()])
    text += "\nThe matrix products of that run, nothing else:\n\n"
    products = [
        (name, f"{each['count']}", f"{each['seconds']:.3f}", f"{each['gflops']:.0f}")
        for name, each in profile["products"].items()
    ]
    return text + table(("products", "calls", "s", "GFLOP/s"), products)


def _share(name: str, seconds: float, whole: float) -> tuple[str, str, str]:
    return name, f"{seconds:.3f}", f"{100 * seconds / whole:.0f}"


if __name__ == "__main__":
    sys.exit(main())
