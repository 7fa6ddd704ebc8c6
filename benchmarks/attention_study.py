"""Compare all attention mechanisms on one text, with equal updates and about equal size.

    python benchmarks/attention_study.py                        # everything, then the page
    python benchmarks/attention_study.py train --only additive,none --updates 300
    python benchmarks/attention_study.py measure                # what is trained and not measured
    python benchmarks/attention_study.py all --device cuda --jobs 20 --batch 6000 --updates 1500
    python benchmarks/attention_study.py speed                  # pieces/s, each system alone
    python benchmarks/attention_study.py write                  # results.json → docs/attention.md

Trains SYSTEMS on Multi30k, English to French, each in a process of its own into runs/study/NAME,
and those of FULL, which are unchanged recipes. Finished trainings are not repeated, interrupted
ones continue. Then it measures each system: BLEU and chrF on test_2016_flickr, BLEU by length of
the source, AER of its attention on Hansards en-fr.dev, the distribution of its weights, and the
change of its output when they are changed. runs/study/results.json has all values and the seeds.
Looks for the corpora in ../shared/data.
"""

import argparse
import dataclasses
import gzip
import importlib.util
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import (
    DATA,
    ONE_THREAD,
    ROOT,
    Skipped,
    describe_conditions,
    last_line,
    require_file,
    say,
)

#: The attention of all SYSTEMS, unless their settings change it.
BAHDANAU = ("model.attention.kind=additive", "model.decoder.input_feeding=false")

#: The settings of all SYSTEMS; a system's own settings follow them.
BASE = (
    *BAHDANAU,
    "tokenizer.vocab_size=4000",
    "model.embedding=128",
    "model.layer_norm=true",
    "model.attention.width=128",
    "model.word_aligner=false",
    "model.dropout.embedding=0.1",
    "model.dropout.states=0.2",
    "model.dropout.output=0.2",
    "train.learning_rate=3e-3",
    "train.patience=0",
    "train.export=none",
)


@dataclass(frozen=True)
class System:
    """Recipe settings on top of BASE.

    `width` is that of each direction of the encoder and half of the decoder's, so that each network
    has about as many parameters as `transformer`, 2.37 million.
    """

    settings: tuple[str, ...] = ()
    width: int = 0
    seeds: tuple[int, ...] = (1,)
    guided: bool = False

    def all_settings(self) -> list[str]:
        widths = ()
        if self.width:
            widths = (f"model.encoder.width={self.width}", f"model.decoder.width={2 * self.width}")
        return [*BASE, *widths, *self.settings]


def _attention(kind: str, *more: str) -> tuple[str, ...]:
    return (f"model.attention.kind={kind}", *(f"model.attention.{setting}" for setting in more))


def _cells(cell: str) -> tuple[str, ...]:
    return (f"model.encoder.cell={cell}", f"model.decoder.cell={cell}")


LUONG = (*_attention("general"), "model.decoder.input_feeding=true")
MULTIHEAD = _attention("multihead", "scorer=scaled_dot", "heads=4")
TRANSFORMER = (
    *_attention("multihead", "heads=4"),
    *(
        f"model.{part}.{setting}"
        for part in ("encoder", "decoder")
        for setting in ("kind=transformer", "layers=4", "width=128", "feed_forward=512")
    ),
    "model.encoder.heads=4",
    "model.dropout.output=0",
    "train.learning_rate=2e-3",
)
THRICE = (1, 2, 3)

SYSTEMS = {
    "none": System(_attention("none"), 192, THRICE),
    "additive": System(_attention("additive"), 192, THRICE),
    "relu": System(_attention("additive", "activation=relu"), 192),
    "sigmoid": System(_attention("additive", "activation=sigmoid"), 192),
    "dot": System(_attention("dot"), 192),
    "general": System(_attention("general"), 184),
    "scaled_dot": System(_attention("scaled_dot"), 184),
    "local": System(_attention("local", "scorer=general"), 176),
    "hard": System(_attention("hard"), 192),
    "multihead": System(MULTIHEAD, 176),
    "coverage": System(_attention("additive", "coverage=true"), 192),
    "luong": System(LUONG, 184, THRICE),
    "sparsemax": System((*LUONG, "model.attention.normalizer=sparsemax"), 184),
    "entmax": System((*LUONG, "model.attention.normalizer=entmax"), 184),
    "after": System((*_attention("additive"), "model.decoder.input_feeding=true"), 184),
    "intra": System(("model.encoder.self_attention=true",), 160),
    "lstm": System(_cells("lstm"), 160),
    "rnn": System((*_cells("rnn"), "train.learning_rate=1e-3"), 296),
    "transformer": System(TRANSFORMER),
    "additive-guided": System(_attention("additive"), 192, guided=True),
    "dot-guided": System(_attention("dot"), 192, guided=True),
    "multihead-guided": System(MULTIHEAD, 176, guided=True),
    "hard-guided": System(_attention("hard"), 192, guided=True),
    "transformer-guided": System(TRANSFORMER, guided=True),
}

#: Recipes of the package with their own updates and settings: name → recipe, settings.
FULL = {
    "gru-full": ("gru", ("train.max_steps=3600", "train.validate_every=300")),
    "transformer-tiny": (
        "transformer-tiny",
        (
            *("train.max_steps=9000", "train.batch_tokens=2500", "train.learning_rate=3e-3"),
            *("train.warmup_steps=800", "train.validate_every=500"),
        ),
    ),
}

AS_HERE = ("model.word_aligner=false", "train.export=none", "train.patience=0")

TEST = "test_2016_flickr"

#: The number of validation pairs, the first of Multi30k's, which saves time.
VALID = 400
BUCKETS = ((1, 8), (9, 12), (13, 16), (17, 20), (21, 10**6))

#: A pair like a caption, written for the study: its tables are drawn side by side.
EXAMPLE_PAIR = (
    "A little girl in a red dress is eating an apple on a wooden bench.",
    "Une petite fille en robe rouge mange une pomme sur un banc en bois.",
)


@dataclass(frozen=True)
class Plan:
    """One training: its name, the command's arguments, its seed, and its system."""

    name: str
    system: str
    seed: int
    settings: tuple[str, ...]
    recipe: str = ""
    guided: bool = False


@dataclass(frozen=True)
class Options:
    """The options of the command, without its verb."""

    out: Path
    data: Path
    only: frozenset[str]
    jobs: int
    device: str
    threads: int
    updates: int
    batch: int
    precision: str
    links: Path
    limit: int | None
    minutes: float | None
    docs: Path


def main() -> int:
    verb, options = _options()
    try:
        if verb == "write":
            from measuring.study_report import write

            write(
                json.loads(require_file(options.out / "results.json").read_text("utf-8")),
                options.docs,
            )
            return 0
        require_file(options.data / "multi30k" / "train.en.gz")
        if verb == "one":  # started by `measure`, one process for each system
            (plan,) = (plan for plan in make_plans(options) if plan.name in options.only)
            measure_plan(plan, options)
            return 0
        if verb in ("all", "links", "train") and any(plan.guided for plan in make_plans(options)):
            make_links(options)
        if verb == "speed":
            measure_speeds(options)
        elif verb != "links":
            run(options, train=verb in ("all", "train"), measure=verb in ("all", "measure"))
        gather_results(options)
        if verb == "all":
            from measuring.study_report import write

            write(json.loads((options.out / "results.json").read_text("utf-8")), options.docs)
    except Skipped as reason:
        print(f"skipped: {reason}")
    return 0


def _options() -> tuple[str, Options]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    verbs = ("all", "links", "train", "measure", "speed", "write", "one")
    add("verb", nargs="?", default="all", choices=verbs, help=argparse.SUPPRESS)
    add("--out", type=Path, default=ROOT / "runs" / "study", help="[runs/study]")
    add("--data", type=Path, default=DATA, help="holds multi30k/ and alignment/ [../shared/data]")
    add("--only", default="", help="names of systems or runs, such as additive,none-2")
    add("--jobs", type=int, default=1, help="processes at a time [1]")
    add("--device", default="cpu", help="[cpu]")
    add("--threads", type=int, help="threads of each process [cores divided by jobs]")
    add("--updates", type=int, default=700, help="updates of each of SYSTEMS [700]")
    add("--batch", type=int, default=2000, help="target pieces in a batch [2000]")
    add("--precision", default="fp32", help="[fp32]")
    add("--links", type=Path, help="links of the training text [OUT/links.gz; made with sil-thot]")
    add("--limit", type=int, help="number of lines of each test, for a quick try")
    add("--minutes", type=float, help="limit of each training; the table has its updates")
    add("--docs", type=Path, default=ROOT / "docs", help="[docs]")
    options = vars(parser.parse_args())
    verb = options.pop("verb")
    options["only"] = frozenset(filter(None, options["only"].split(",")))
    options["out"], options["data"] = options["out"].absolute(), options["data"].absolute()
    options["links"] = (options["links"] or options["out"] / "links.gz").absolute()
    options["threads"] = options["threads"] or max(1, (os.cpu_count() or 1) // options["jobs"])
    return verb, Options(**options)


def make_plans(options: Options) -> list[Plan]:
    """Return the selected trainings, the longest first, so that none runs alone at the end."""
    plans = [
        Plan(name, name, 1, (*settings, *AS_HERE), recipe)
        for name, (recipe, settings) in FULL.items()
    ]
    warm = ("train.warmup_steps=" + str(min(400, max(1, options.updates // 6))),)
    every = (f"train.validate_every={max(1, options.updates // 15)}", "train.log_every=25")
    size = (f"train.max_steps={options.updates}", f"train.batch_tokens={options.batch}")
    for name, system in SYSTEMS.items():
        for seed in system.seeds:
            settings = (*system.all_settings(), *size, *warm, *every)
            run_name = name if seed == system.seeds[0] else f"{name}-{seed}"
            plans.append(Plan(run_name, name, seed, settings, guided=system.guided))
    slow = ("transformer", "multihead", "hard", "sparsemax", "entmax")
    plans.sort(key=lambda plan: plan.name not in FULL and not plan.system.startswith(slow))
    if unknown := options.only - {plan.name for plan in plans} - {plan.system for plan in plans}:
        raise Skipped(f"there is no system {', '.join(sorted(unknown))}")
    only = options.only
    return [plan for plan in plans if not only or plan.name in only or plan.system in only]


# Links, training


def make_links(options: Options) -> None:
    """Write the statistical links of the training text, unless they exist. Needs sil-thot."""
    if options.links.is_file():
        return
    if not importlib.util.find_spec("thot"):
        say(f"{options.links} is missing, and sil-thot too: guided systems are left out")
        return
    options.links.parent.mkdir(parents=True, exist_ok=True)
    new = options.links.with_name("new-" + options.links.name)
    say("linking the training text")
    source, target = (options.data / "multi30k" / f"train.{side}.gz" for side in ("en", "fr"))
    _attn(
        *("align", "--fit", "--source", source, "--target", target, "--format", "pharaoh"),
        *("--scores", "--threshold", "0.25", "--output", new),
    )
    new.rename(options.links)


def write_validation(options: Options) -> None:
    """Write the validation pairs into the folder of the trainings."""
    options.out.mkdir(parents=True, exist_ok=True)
    for language in ("en", "fr"):
        with gzip.open(options.data / "multi30k" / f"val.{language}.gz", "rb") as lines:
            first = b"".join(itertools.islice(lines, VALID))
        (options.out / f"valid.{language}").write_bytes(first)


def run(options: Options, *, train: bool, measure: bool) -> None:
    """Train and measure `options.jobs` systems at a time; results.json grows with each."""
    write_validation(options)

    def done(plan: Plan) -> str:
        if train and (outcome := train_unfinished(plan, options)):
            say(f"{plan.name}: {outcome}")
        if measure and not read_reason(options.out / plan.name):
            raise Skipped("its training is not finished")
        if measure and not (options.out / plan.name / "measured.json").is_file():
            _measure_in_process(plan, options)
        return plan.name

    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(done, plan): plan for plan in make_plans(options)}
        for future in as_completed(waiting):
            try:
                say(f"{future.result()}: done")
            except Skipped as reason:
                say(f"skipped {waiting[future].name}: {reason}")
            gather_results(options)


def train_unfinished(plan: Plan, options: Options) -> str:
    """Train unless that was done; continue an interrupted training. Return a message."""
    folder = options.out / plan.name
    if read_reason(folder) == "steps":
        return ""
    if plan.guided and not options.links.is_file():
        raise Skipped(f"there is no {options.links}")
    (folder / "measured.json").unlink(missing_ok=True)
    machine_options = ["--device", options.device, "--threads", str(options.threads)]
    machine_options += ["--max-minutes", str(options.minutes)] if options.minutes else []
    if (folder / "checkpoints" / "last.safetensors").is_file():
        _attn("train", "--resume", folder, *machine_options, log=folder.with_suffix(".log"))
        return "continued, and is trained"
    settings = [*plan.settings, f"train.precision={options.precision}", f"name={plan.name}"]
    if plan.guided:
        settings.append(f"train.guided_alignment={options.links}")
    files: list[object] = []
    for side, language in (("source", "en"), ("target", "fr")):
        files += [f"--{side}", options.data / "multi30k" / f"train.{language}.gz"]
        files += [f"--valid-{side}", options.out / f"valid.{language}"]
    recipe_options = ["--recipe-name", plan.recipe] if plan.recipe else []
    changes = [part for setting in settings for part in ("--set", setting)]
    _attn(
        *("train", *recipe_options, *files, "--out", folder, "--force", "--seed", str(plan.seed)),
        *(*changes, *machine_options),
        log=folder.with_suffix(".log"),
    )
    return "trained"


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a training's log, none if there is no log."""
    log = folder / "log.jsonl"
    if not log.is_file():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line]


def read_reason(folder: Path) -> str:
    """Return why the last training of a folder ended: "steps", or "minutes" with --minutes.

    It is empty if the training is not finished.
    """
    rows = [
        row
        for row in read_events(folder)
        if row["event"] in ("training_started", "training_finished")
    ]
    reason = rows[-1].get("reason", "") if rows else ""
    return "" if reason == "interrupted" else str(reason)


def _attn(*arguments: object, log: Path | None = None) -> None:
    """Run attn with its messages in `log`. Raises Skipped with its last line if it fails."""
    command = [sys.executable, "-m", "attn_cli", *map(str, arguments)]
    _run(command, log)


def _run(command: Sequence[str], log: Path | None) -> None:
    environment = {**os.environ, "PYTHONPATH": _with_root()}
    if log is not None:
        environment |= ONE_THREAD
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(process.stderr)
    if process.returncode:
        raise Skipped(last_line(process.stderr) or f"it ended with {process.returncode}")


def _with_root() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def _measure_in_process(plan: Plan, options: Options) -> None:
    arguments = [
        *("one", "--only", plan.name, "--out", options.out, "--data", options.data),
        *("--device", options.device, "--threads", options.threads, "--links", options.links),
        *(("--limit", options.limit) if options.limit else ()),
    ]
    _run(
        [sys.executable, str(Path(__file__).resolve()), *map(str, arguments)],
        options.out / f"{plan.name}.log",
    )


# Speed


def measure_speeds(options: Options) -> None:
    """Measure target pieces per second of each system alone, into speed.json.

    The value is the median over the intervals after the first, of 60 updates with the selected
    batch.
    """
    path = options.out / "speed.json"
    write_validation(options)
    speeds = json.loads(path.read_text("utf-8")) if path.is_file() else {"systems": {}}
    speeds["how"] = describe_conditions(
        f"{options.device}, threads: {options.threads}, {options.precision}, one system at a time",
        f"batches of {options.batch} target pieces",
    )
    for plan in make_plans(options):
        if plan.seed != 1 or plan.guided or plan.name in speeds["systems"] or plan.name in FULL:
            continue
        with tempfile.TemporaryDirectory() as folder:
            short = dataclasses.replace(
                plan,
                settings=(
                    *plan.settings,
                    *("train.max_steps=61", "train.log_every=10", "train.validate_every=100"),
                ),
            )
            short_options = dataclasses.replace(options, out=Path(folder))
            write_validation(short_options)
            try:
                train_unfinished(short, short_options)
            except Skipped as reason:
                say(f"skipped {plan.name}: {reason}")
                continue
            rows = [
                row
                for row in read_events(short_options.out / plan.name)
                if row["event"] == "progress"
            ]
        rate = statistics.median(row["tokens_per_second"] for row in rows[1:])
        say(f"{plan.name}: {rate:.0f} pieces/s")
        speeds["systems"][plan.name] = round(rate)
        path.write_text(json.dumps(speeds, indent=1) + "\n", encoding="utf-8")


# Measuring


def read_history(folder: Path) -> dict[str, Any]:
    """Return parameters, updates, minutes, the learning curve, and the point of 45 BLEU from a
    log."""
    rows = read_events(folder)
    start = next(row for row in rows if row["event"] == "training_started")
    rates = [row["tokens_per_second"] for row in rows if row["event"] == "progress"]
    end = [row for row in rows if row["event"] == "training_finished"][-1]
    curve = [
        {
            "update": row["step"],
            "minutes": round((row["time"] - start["time"]) / 60, 3),
            "bleu": round(row["bleu"], 2),
            "loss": round(row["loss"], 4),
        }
        for row in rows
        if row["event"] == "validation_finished"
    ]
    return {
        "parameters": start["parameters"],
        "device": start["device"],
        "precision": start["precision"],
        "updates": end["step"],
        "ended_by": end["reason"],
        "skipped": end["skipped"],
        "minutes": round(end["seconds"] / 60, 3),
        "pieces_per_second": round(statistics.median(rates)) if rates else None,
        "resumed": sum(row["event"] == "training_started" for row in rows) - 1,
        "curve": curve,
        "to_45": next((point for point in curve if point["bleu"] >= 45), None),
    }


def measure_plan(plan: Plan, options: Options) -> None:
    """Measure one trained system; write measured.json into its folder."""
    folder = options.out / plan.name
    record: dict[str, Any] = {
        "system": plan.system,
        "seed": plan.seed,
        "guided": plan.guided,
        "recipe": plan.recipe,
        "training": read_history(folder),
    }
    from measuring.study import Measurer

    measurer = Measurer(
        folder,
        options.data,
        device=options.device,
        threads=options.threads,
        limit=options.limit,
        links=options.links if options.links.is_file() else None,
    )
    record |= measurer.measure(TEST, BUCKETS, EXAMPLE_PAIR)
    new = folder / "measured.json.new"
    new.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    new.rename(folder / "measured.json")


def gather_results(options: Options) -> None:
    """Write results.json from all systems that were measured."""
    speed = options.out / "speed.json"
    record = {
        "conditions": describe_conditions(),
        "test": TEST,
        "buckets": [list(bucket) for bucket in BUCKETS],
        "systems": dict(_records(options.out)),
        "speed": json.loads(speed.read_text("utf-8")) if speed.is_file() else None,
    }
    if not record["systems"]:
        return
    path = options.out / "results.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    shutil.move(new, path)


def _records(out: Path) -> Iterator[tuple[str, Any]]:
    runs = [
        name if seed == system.seeds[0] else f"{name}-{seed}"
        for name, system in SYSTEMS.items()
        for seed in system.seeds
    ]
    for name in (*runs, *FULL):
        file = out / name / "measured.json"
        if file.is_file():
            yield name, json.loads(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
