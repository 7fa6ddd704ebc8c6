"""Compare word aligners on the same text: alignment error rate, time and memory.

    python benchmarks/alignment.py                             # everything, in about an hour
    python benchmarks/alignment.py --pairs 29k --systems eflomal,fit --output runs/alignment
    python benchmarks/alignment.py --pairs 29k --systems eflomal,attention,head --model runs/mine

Each aligner learns from one of these texts and links its words; the links of the pairs that have
gold links are scored. `29k` is Multi30k, `169k` is Multi30k and Tatoeba, English to French, both
after 224 pairs of the Hansards; `ro-en` is 248 Romanian-English pairs alone. A --model is scored on
the Hansards pairs without training on them.

All aligners get the same file, the words of attn in lower case; a --model gets the original case.
The other systems run in their own environment, --rivals, which is made if it is missing (eflomal
needs a C compiler). Time and memory are those of linking the whole text, both directions and
start-up included, without the symmetrization of other systems' links by `attn symmetrize`.

The module imports attn only where it is needed, since the environment of the other systems, which
has no attn, runs this file too.
"""

import argparse
import datetime
import gzip
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice, product
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import MEBI, PROC, memory

if TYPE_CHECKING:
    from thot.alignment import AlignmentModel
    from thot.common import WordAlignmentMatrix

    from attn_cli.alignment.aer import AlignmentScore

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ATTN = (sys.executable, "-m", "attn_cli")

#: Each text: its pairs with gold links, and the corpora after them.
TEXTS = {
    "29k": ("en-fr.dev", ("multi30k",)),
    "169k": ("en-fr.dev", ("multi30k", "tatoeba")),
    "ro-en": ("ro-en", ()),
}
CORPORA = {
    "multi30k": ("multi30k/train.en.gz", "multi30k/train.fr.gz"),
    "tatoeba": ("tatoeba/en-fr.tsv.gz",),  # source<TAB>target
}
OF_MODELS = "en-fr.dev"  # what a --model aligns

#: Each other system, its module, and the package of the module.
RIVALS = {
    "eflomal": ("eflomal", "eflomal==2.0.0"),
    "thot-fastalign": ("thot", "sil-thot==3.5.3"),
    "thot-hmm": ("thot", "sil-thot==3.5.3"),
    "thot-ibm4": ("thot", "sil-thot==3.5.3"),
    "thot-eflomal": ("thot", "sil-thot==3.5.3"),
}
FIT = {"fit": ("--fit",), "quick": ("--fit", "--quick")}
#: The tables of a --model and their options: its decoder's attention, its word aligner.
WEIGHTS = {"attention": "attention", "head": "alignment"}
SYSTEMS = (*RIVALS, *FIT, *WEIGHTS)
SYMMETRIZATIONS = ("intersection", "grow-diag-final-and")

ROUNDS = 5  # of each of thot's models, also of those that initialize the next; not of Eflomal
SEED = 1  # of thot's Eflomal; the program eflomal takes none
TICK, LOOK = 0.02, 0.2  # seconds between two checks: of the end of a process, of its memory
BATCH = 10_000  # pairs that thot links in one call

Words = list[str]
Pair = tuple[Words, Words]
Link = tuple[int, int]


class Skipped(Exception):  # noqa: N818 - not an error
    """Something is missing, or a system does not run; the other measurements continue."""


def main() -> int:
    options = _options()
    report = Report(options.threads, options.output)
    status = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends child processes too
    if hasattr(os, "sched_setaffinity"):  # on Linux: some use more threads than their option says
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    try:
        with tempfile.TemporaryDirectory(prefix="attn-alignment-") as folder:
            _measure_all(options, Path(folder), report)
    except KeyboardInterrupt:
        status = 130
    print(report.markdown(), end="")
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--pairs", choices=(*TEXTS, "all"), default="all", help="the text to learn from [all]")
    add("--systems", type=_systems, default=SYSTEMS, help=f"some of {','.join(SYSTEMS)} [all]")
    add("--model", type=Path, action="append", default=[], help="a bundle; may be repeated")
    add("--threads", type=int, default=2, help="threads and cores of a system [2]")
    add("--output", "-o", type=Path, help="also write OUTPUT.json and OUTPUT.md")
    add("--data", type=Path, default=DATA, help="folder of the corpora [../shared/data]")
    add("--rivals", type=Path, default=ROOT / ".bench" / "rivals", help="[.bench/rivals]")
    add("--limit", type=int, help="number of pairs of each corpus, for a quick try")
    options = parser.parse_args()
    if options.threads < 1:
        parser.error("--threads: at least 1")
    return options


def _systems(text: str) -> tuple[str, ...]:
    systems = tuple(text.split(","))
    if unknown := set(systems) - set(SYSTEMS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not a system")
    return systems


def _measure_all(options: argparse.Namespace, folder: Path, report: "Report") -> None:
    names = list(TEXTS) if options.pairs == "all" else [options.pairs]
    rivals = Rivals(options.rivals)
    for name in names:
        with report.note_skips(name):
            text = write_text(name, options.data, folder, limit=options.limit)
            for system in options.systems:
                if system not in WEIGHTS:
                    with report.note_skips(f"{system} on {name}"):
                        report.add(measure_aligner(system, text, rivals, options.threads))
    if options.model and any(TEXTS[name][0] == OF_MODELS for name in names):
        with report.note_skips("the models"):
            gold = Gold.read(OF_MODELS, options.data)
            text = write(OF_MODELS, gold, folder, gold.pairs)
            for model, system in product(options.model, options.systems):
                if system in WEIGHTS:
                    with report.note_skips(f"{system} of {model.name}"):
                        report.add(measure_model(system, model, text, options.threads))


# The texts


@dataclass(frozen=True)
class Gold:
    """The pairs that have gold links: their words in the original case, and the file of their
    links."""

    name: str
    pairs: list[Pair]
    links: Path

    @classmethod
    def read(cls, name: str, data: Path) -> "Gold":
        """Read the pairs of that name. Raises Skipped if a file is missing."""
        links = _present(data / "alignment" / f"{name}.gold")
        lines = _lines(_present(data / "alignment" / f"{name}.src-tgt"))
        sides = [line.split(" ||| ") for line in lines]
        return cls(name, [(source.split(), target.split()) for source, target in sides], links)

    def score(self, links: Path) -> "AlignmentScore":
        """Score the links of these pairs, the first lines of a file. Raises Skipped without the
        file."""
        from attn_cli.alignment.aer import score_alignment
        from attn_cli.alignment.pharaoh import read_gold, read_links

        lengths = [(len(source), len(target)) for source, target in self.pairs]
        lines = islice(_lines(_present(links)), len(lengths))
        truth, base = read_gold(_lines(self.links), name=self.links.name, base=1, lengths=lengths)
        predicted, _ = read_links(lines, name=links.name, base=0, lengths=lengths)
        return score_alignment(truth, predicted, gold_base=base)


@dataclass(frozen=True)
class Text:
    """A text on disk, a file for each side: words and spaces, the pairs with gold links first."""

    name: str
    gold: Gold
    source: Path
    target: Path
    pairs: int

    def file(self, suffix: str) -> Path:
        """Return the path of a file in the text's folder."""
        return self.source.with_suffix(f".{suffix}")


def write_text(name: str, data: Path, folder: Path, *, limit: int | None) -> Text:
    """Write the text of that name into the folder. Raises Skipped if a corpus is missing."""
    of_gold, corpora = TEXTS[name]
    gold = Gold.read(of_gold, data)
    files = [_present(data / file) for corpus in corpora for file in CORPORA[corpus]]
    _say(f"{name}: {of_gold} {' '.join(file.name for file in files)}")
    pairs = (pair for corpus in corpora for pair in islice(_split(corpus, data), limit))
    return write(name, gold, folder, (_lower(pair) for pair in chain(gold.pairs, pairs)))


def write(name: str, gold: Gold, folder: Path, pairs: Iterable[Pair]) -> Text:
    """Write the text of these pairs into the folder."""
    languages = gold.name.split(".")[0].split("-")
    paths = source, target = [folder / f"{name}.{language}" for language in languages]
    count = 0
    with ExitStack() as stack:
        sides = [stack.enter_context(open(path, "w", encoding="utf-8")) for path in paths]
        for pair in pairs:
            count += 1
            for side, words in zip(sides, pair, strict=True):
                side.write(" ".join(words) + "\n")
    return Text(name, gold, source, target, count)


def _lower(pair: Pair) -> Pair:
    source, target = ([word.lower() for word in side] for side in pair)
    return source, target


def _split(corpus: str, data: Path) -> Iterator[Pair]:
    """Yield the words of each pair of a corpus, without pairs that have an empty side."""
    from attn_cli.data.words import split

    for raw in _raw(corpus, data):
        source, target = ([word.text for word in split(side)] for side in raw)
        if source and target:
            yield source, target


def _raw(corpus: str, data: Path) -> Iterator[tuple[str, str]]:
    paths = [data / file for file in CORPORA[corpus]]
    if len(paths) == 2:
        yield from zip(_lines(paths[0]), _lines(paths[1]), strict=True)
        return
    for line in _lines(paths[0]):
        source, target, *_ = line.split("\t")
        yield source, target


def _lines(path: Path) -> Iterator[str]:
    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield line.rstrip("\r\n")


def _present(path: Path) -> Path:
    if not path.is_file():
        raise Skipped(f"there is no {path}")
    return path


# The systems


class Rivals:
    """The environment of the other systems, made at the first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._tried: set[str] = set()
        self.python = self._folder / "bin" / "python"

    def version(self, rival: str) -> str:
        """Return the version of a system, installed if it is missing. Raises Skipped if that
        fails."""
        module, package = RIVALS[rival]
        name = package.split("==")[0]
        code = f"import {module}, importlib.metadata as m; print(m.version({name!r}))"
        if not self.python.exists():
            _say(f"making {self._folder}")
            _output(sys.executable, "-m", "venv", self._folder)
            (self._folder / ".gitignore").write_text("*\n", encoding="utf-8")
        try:
            return f"{name} {_output(self.python, '-c', code)}"
        except Skipped:
            if package in self._tried:
                raise
            self._tried.add(package)
            _say(f"installing {package}")
            _output(self.python, "-m", "pip", "install", "--quiet", "numpy", package)
            return f"{name} {_output(self.python, '-c', code)}"


def _output(*command: object) -> str:
    """Return the output of a command. Raises Skipped with the last line on stderr if it fails."""
    process = subprocess.run(list(map(str, command)), cwd=ROOT, text=True, capture_output=True)
    if process.returncode:
        raise Skipped(_last_line(process.stderr) or f"{command[0]} ended with {process.returncode}")
    return process.stdout.strip()


def measure_aligner(system: str, text: Text, rivals: Rivals, threads: int) -> "list[Row]":
    """Return the rows of an aligner that learns from the text. Raises Skipped if it fails."""
    if system in FIT:
        return _measure_fit(system, text, threads)
    version = rivals.version(system)
    _say(f"{text.name}: {system}")
    forward, reverse = (text.file(f"{system}.{way}") for way in ("forward", "reverse"))
    command = [rivals.python, __file__, "--rival", system, text.source, text.target]
    runs: list[tuple[object, object]] = [(forward, "-"), ("-", reverse)]
    if system == "eflomal":  # which does both at once
        runs = [(forward, reverse)]
    cost = measure_cost([[*command, *files] for files in runs], text.file("log"), threads=threads)
    by_method = [
        (method, _score_symmetrized(forward, reverse, method, text)) for method in SYMMETRIZATIONS
    ]
    scores = [
        ("forward", text.gold.score(forward)),
        ("reverse", text.gold.score(reverse)),
        min(by_method, key=lambda each: each[1].aer),
    ]
    return [Row.of(text, system, links, score, cost, version) for links, score in scores]


def _score_symmetrized(forward: Path, reverse: Path, method: str, text: Text) -> "AlignmentScore":
    """Score the links of both directions combined by `attn symmetrize`."""
    heads = [path.with_suffix(f"{path.suffix}.head") for path in (forward, reverse)]
    for path, head in zip((forward, reverse), heads, strict=True):
        lines = islice(_lines(path), len(text.gold.pairs))
        head.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    out = forward.with_suffix(f".{method}")
    _output(*ATTN, "symmetrize", *heads, f"--method={method}", "--reverse-order=st", "-o", out)
    return text.gold.score(out)


def _measure_fit(system: str, text: Text, threads: int) -> "list[Row]":
    _say(f"{text.name}: {system}")
    cost = _attn_align(text, threads, *FIT[system])
    return [Row.of(text, system, "", text.gold.score(text.file("links")), cost, _attn_version())]


def measure_model(system: str, model: Path, text: Text, threads: int) -> "list[Row]":
    """Return the row of a model that aligns a text without training on it. Raises Skipped if it
    fails."""
    name = f"{system} of {model.name}"
    _say(f"{text.name}: {name}")
    options = (f"--model={model.absolute()}", f"--weights={WEIGHTS[system]}")
    cost = _attn_align(text, threads, *options)
    return [Row.of(text, name, "", text.gold.score(text.file("links")), cost, _attn_version())]


def _attn_align(text: Text, threads: int, *how: str) -> "Cost":
    """Measure the cost of `attn align` on a text."""
    files = ("--source", text.source, "--target", text.target, "--output", text.file("links"))
    command = [*ATTN, "align", "--tokenized", f"--threads={threads}", *how, *files]
    return measure_cost([command], text.file("log"), threads=threads)


def _attn_version() -> str:
    from attn_cli import __version__

    return f"attn-cli {__version__}"


# Another system, run by its own Python


def run_rival(name: str, source: str, target: str, forward: str, reverse: str) -> None:
    """Write two files of links of two files of words; in `forward` each target word has at most
    one.

    Both files of links are source-target. All systems but eflomal compute one direction; the other
    path is `-`.
    """
    if name == "eflomal":
        _run_eflomal(source, target, forward, reverse)
        return
    is_reverse = forward == "-"
    first, second = ([line.split() for line in _lines(Path(path))] for path in (source, target))
    if is_reverse:
        first, second = second, first
    with open(reverse if is_reverse else forward, "w", encoding="ascii") as out:
        for links in _run_thot(name, first, second):
            places = [(t, s) for s, t in links] if is_reverse else links
            out.write(" ".join(f"{s}-{t}" for s, t in places) + "\n")


def _run_eflomal(source: str, target: str, forward: str, reverse: str) -> None:
    import eflomal

    with (
        open(source, encoding="utf-8") as source_file,
        open(target, encoding="utf-8") as target_file,
    ):
        aligner = eflomal.Aligner()
        aligner.align(
            source_file, target_file, links_filename_fwd=forward, links_filename_rev=reverse
        )


def _run_thot(name: str, source: list[Words], target: list[Words]) -> Iterator[list[Link]]:
    """Yield the links of each pair by the last model of a chain; all models share the text."""
    import numpy as np
    from thot.alignment import EflomalAlignmentModel

    *_, last = models = _chain(name)
    for source_line, target_line in zip(source, target, strict=True):
        last.add_sentence_pair(source_line, target_line)
    for model in models:
        model.start_training()
        rounds = model.scheduled_iterations if isinstance(model, EflomalAlignmentModel) else ROUNDS
        for _ in range(rounds):
            model.train()
        model.end_training()
    if isinstance(last, EflomalAlignmentModel):  # its samples are the links
        matrices: Iterator[tuple[float, WordAlignmentMatrix]] = map(
            last.get_training_alignment, range(len(source))
        )
    else:
        batches = (slice(first, first + BATCH) for first in range(0, len(source), BATCH))
        matrices = chain.from_iterable(
            last.get_best_alignments(source[batch], target[batch]) for batch in batches
        )
    for _, matrix in matrices:
        yield [(s, t) for s, t in np.argwhere(matrix.to_numpy()).tolist()]


def _chain(name: str) -> "list[AlignmentModel]":
    """Return untrained models, each of which starts from the parameters of the one before."""
    from thot import alignment

    if name == "thot-eflomal":
        eflomal = alignment.EflomalAlignmentModel()
        eflomal.seed, eflomal.deterministic, eflomal.emit_training_alignments = SEED, True, True
        return [eflomal]
    if name == "thot-fastalign":
        return [alignment.FastAlignModel()]
    ibm1 = alignment.Ibm1AlignmentModel()
    hmm = alignment.HmmAlignmentModel(ibm1)
    if name == "thot-hmm":
        return [ibm1, hmm]
    ibm3 = alignment.Ibm3AlignmentModel(hmm)
    return [ibm1, hmm, ibm3, alignment.Ibm4AlignmentModel(ibm3)]


# Time and memory


@dataclass(frozen=True)
class Cost:
    """The cost of commands: wall seconds, CPU seconds of all cores, and the peak of their
    memory."""

    seconds: float
    cpu_seconds: float
    mebibytes: float


def measure_cost(commands: Sequence[Sequence[object]], log: Path, *, threads: int) -> Cost:
    """Run commands, as many at once as there are threads, and return their total cost.

    Raises Skipped with the last line of the first one that fails.
    """
    width = min(threads, len(commands))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads // width)}
    costs = []
    for first in range(0, len(commands), width):
        with ProcessGroup(log, environment) as together:
            for command in commands[first : first + width]:
                together.start(command)
            costs.append(together.wait())
    return Cost(
        sum(cost.seconds for cost in costs),
        sum(cost.cpu_seconds for cost in costs),
        max(cost.mebibytes for cost in costs),
    )


class ProcessGroup:
    """Processes that run at the same time. They are killed at the end of the `with` block."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self._log, self._environment = log, environment
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._began = time.monotonic()
        self._cpu = self._peak = 0.0

    def __enter__(self) -> "ProcessGroup":
        self._log.unlink(missing_ok=True)
        return self

    def __exit__(self, *raised: object) -> None:
        for process in self._running.values():
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def start(self, command: Sequence[object]) -> None:
        """Start another process; its output goes into the log."""
        with open(self._log, "ab") as log:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[process.pid] = process

    def wait(self) -> Cost:
        """Wait until all have ended. Raises Skipped if one has failed."""
        last_check = -LOOK
        while self._running:
            if time.monotonic() - last_check >= LOOK:
                last_check = time.monotonic()
                self._peak = max(self._peak, memory(self._running) / MEBI)
            for pid in list(self._running):
                self._reap(pid)
            time.sleep(TICK)
        return Cost(time.monotonic() - self._began, self._cpu, self._peak)

    def _reap(self, pid: int) -> None:
        ended_pid, status, usage = os.wait4(pid, os.WNOHANG)
        if not ended_pid:
            return
        process = self._running.pop(pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        self._cpu += usage.ru_utime + usage.ru_stime
        if not PROC.is_dir():  # else `memory` is better: this is at least our own peak
            largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            self._peak = max(self._peak, largest / MEBI)
        if process.returncode:
            line = _last_line(self._log.read_text(encoding="utf-8", errors="replace"))
            raise Skipped(line or f"it ended with {process.returncode}")


# The report


@dataclass(frozen=True)
class Row:
    """The scores of one kind of links of a system, and the cost of all its links."""

    text: str
    pairs: int
    gold: str
    system: str
    links: str  # the direction, or the method of combination; empty if there is one kind only
    aer: float  # percentages
    precision: float
    recall: float
    seconds: float
    cpu_seconds: float
    mebibytes: float
    version: str
    signature: str

    @classmethod
    def of(
        cls, text: Text, system: str, links: str, score: "AlignmentScore", cost: Cost, version: str
    ) -> "Row":
        return cls(
            text=text.name,
            pairs=text.pairs,
            gold=text.gold.name,
            system=system,
            links=links,
            aer=score.aer,
            precision=score.precision,
            recall=score.recall,
            **asdict(cost),
            version=version,
            signature=score.signature,
        )


class Report:
    """The rows so far and what was skipped, written to disk after each change."""

    def __init__(self, threads: int, output: Path | None) -> None:
        self._rows: list[Row] = []
        self._skipped: list[str] = []
        self._output = output
        self._conditions = (
            f"{datetime.date.today()}, --threads {threads} on {os.cpu_count()} cores "
            f"({platform.machine()}), Python {platform.python_version()}"
        )

    def add(self, rows: Iterable[Row]) -> None:
        self._rows += rows
        self._write()

    @contextmanager
    def note_skips(self, title: str) -> Iterator[None]:
        """Note what the block skips, and continue after it."""
        try:
            yield
        except Skipped as reason:
            _say(f"skipped {title}: {reason}")
            self._skipped.append(f"{title}: {reason}")
            self._write()

    def markdown(self) -> str:
        """Return the table and the conditions of its numbers."""
        titles = ("text", "system", "links", "AER", "P", "R", "wall s", "CPU s", "MiB", "AER below")
        cells = [titles, *map(self._cells, self._rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        notes = (
            "; ".join([self._conditions, *dict.fromkeys(row.version for row in self._rows)]),
            *dict.fromkeys(
                f"{row.text}: {row.pairs:,} pairs, scored on {row.gold} ({row.signature})"
                for row in self._rows
            ),
            *(f"skipped {reason}" for reason in self._skipped),
        )
        return "\n".join([*lines, "", *(f"* {note}" for note in notes)]) + "\n"

    def _cells(self, row: Row) -> tuple[str, ...]:
        costs = (row.seconds, row.cpu_seconds, row.mebibytes)
        below = self._below(row)
        return (
            *(row.text, row.system, row.links),
            *(f"{percent:.1f}" for percent in (row.aer, row.precision, row.recall)),
            *(f"{cost:.1f}" if cost < 10 else f"{cost:.0f}" for cost in costs),
            f"eflomal's best on {', '.join(below)}" if below else "",
        )

    def _below(self, row: Row) -> list[str]:
        """Return the texts on which eflomal's best error rate is higher than that of the row.

        A row is compared with eflomal on its own text; a model trained elsewhere with eflomal on
        each text.
        """
        best: dict[str, float] = {}
        for other in self._rows:
            if other.system == "eflomal" and other.gold == row.gold:
                best[other.text] = min(other.aer, best.get(other.text, 100.0))
        of_model = row.text == row.gold
        return [
            text for text, aer in best.items() if row.aer < aer and (of_model or text == row.text)
        ]

    def _write(self) -> None:
        if self._output is None:
            return
        self._output.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "conditions": self._conditions,
            "rows": [{**asdict(row), "below_eflomal_on": self._below(row)} for row in self._rows],
            "skipped": self._skipped,
        }
        text = json.dumps(record, indent=2, ensure_ascii=False)
        Path(f"{self._output}.json").write_text(text + "\n", encoding="utf-8")
        Path(f"{self._output}.md").write_text(self.markdown(), encoding="utf-8")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rival"]:
        run_rival(*sys.argv[2:])
    else:
        sys.exit(main())
