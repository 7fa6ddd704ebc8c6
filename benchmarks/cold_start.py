"""Measure the start-up of attn's short commands, compared with `import torch`, in cold processes.

    python benchmarks/cold_start.py                       # the default model, 11 rounds
    python benchmarks/cold_start.py --model runs/mine --output runs/cold-start
    python benchmarks/cold_start.py --where               # and where the time goes

In each round every command runs once, in another order than in the round before, so that a machine
that slows down slows them all. Wall and CPU time are medians over the rounds; memory is the
maximum. Ratios to the import of torch are computed within a round. A first round is not counted:
it loads files into the system's cache and verifies checksums.

The targets: a translation takes at most a quarter of the import, --help 0.12 of it.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from measuring import (
    ATTN,
    ROOT,
    Cost,
    Skipped,
    cost_of,
    describe_conditions,
    exit_on_sigterm,
    output_of,
    report,
    say,
    table,
)

PYTHON = sys.executable
TORCH = "import torch"
BARE = "python -c pass"
TEXT, PAIR = ("I love you",), ("I love you", "Je t'aime")

#: Each command of attn, and its target relative to the import of torch.
TRANSLATE, HELP, ALIGN = 'attn translate "I love you"', "attn --help", "attn align …"
TARGETS = {TRANSLATE: 0.25, HELP: 0.12}

#: The smallest share of a package or phase that has a row of its own.
WORTH = 0.01

Costs = dict[str, list[Cost]]


def main() -> int:
    options = _options()
    exit_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="attn-cold-") as home:
        environment = {"ATTN_HOME": home, **_threads(options.threads)}
        try:
            costs, missing = measure(commands(options.model), options.rounds, environment)
            profile = {}
            if options.where:
                profile = profile_translation(options.model, options.rounds, environment)
        except Skipped as reason:
            say(f"skipped: {reason}")
            return 0
    about = describe_conditions(
        f"{options.rounds} rounds", f"model {options.model or 'by default'}", *missing
    )
    text = f"{format_summary(costs)}\n* {about}\n"
    text += "".join(f"\n{title}\n\n{format_times(times)}" for title, times in profile.items())
    report(
        text, {"conditions": about, "commands": _record(costs), "where": profile}, options.output
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", "-m", help="a registered name or a folder [attn's default]")
    add("--rounds", type=int, default=11, help="runs of each command [11]")
    add("--threads", type=int, help="threads of NumPy and torch [their default]")
    add(
        "--where",
        action="store_true",
        help="also tables of the phases and imports of a translation",
    )
    add("--output", "-o", type=Path, help="also write OUTPUT.json and OUTPUT.md")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


def _threads(threads: int | None) -> dict[str, str]:
    return {} if threads is None else {"OMP_NUM_THREADS": str(threads)}


def commands(model: str | None) -> dict[str, list[str]]:
    """Return the commands by their names in the table."""
    model_options = [] if model is None else ["--model", model]
    return {
        TORCH: [PYTHON, "-c", TORCH],
        BARE: [PYTHON, "-c", "pass"],
        HELP: [*ATTN, "--help"],
        TRANSLATE: [*ATTN, "translate", *model_options, *TEXT],
        ALIGN: [*ATTN, "align", *model_options, *PAIR],
    }


def measure(
    runs: dict[str, list[str]], rounds: int, environment: dict[str, str]
) -> tuple[Costs, list[str]]:
    """Return the costs of each command, round by round, and the commands that do not run.

    Raises Skipped if no translation works, or if torch is missing.
    """
    missing: list[str] = []
    for name, command in list(runs.items()):  # this round is not counted
        try:
            output_of(*command, environment=environment)
        except Skipped as reason:
            if name in (TORCH, TRANSLATE):
                raise
            missing.append(f"skipped {name}: {reason}")
            del runs[name]
    costs: Costs = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            costs[name].append(cost_of(runs[name], environment=environment))
    return costs, missing


def format_summary(costs: Costs) -> str:
    """Return the table of all commands."""
    titles = (
        *("command", "wall s", "minimum", "CPU s", "MiB"),
        *("wall / torch's", "CPU / torch's", "target"),
    )
    return table(titles, [_row(name, costs) for name in costs])


def _row(name: str, costs: Costs) -> tuple[str, ...]:
    walls = [cost.seconds for cost in costs[name]]
    wall, cpu = ratios(name, costs)
    verdict = ""
    if target := TARGETS.get(name):
        verdict = f"≤ {target:.2f}: {'met' if wall <= target else 'missed'}"
    return (
        f"`{name}`",
        f"{median(walls):.3f}",
        f"{min(walls):.3f}",
        f"{median(cost.cpu_seconds for cost in costs[name]):.3f}",
        f"{max(cost.mebibytes for cost in costs[name]):.0f}",
        f"{wall:.3f}",
        f"{cpu:.3f}",
        verdict,
    )


def ratios(name: str, costs: Costs) -> tuple[float, float]:
    """Return wall and CPU time relative to the import of torch: medians of the rounds' ratios."""
    pairs = list(zip(costs[name], costs[TORCH], strict=True))
    wall = median(command.seconds / torch.seconds for command, torch in pairs)
    return wall, median(command.cpu_seconds / torch.cpu_seconds for command, torch in pairs)


def _record(costs: Costs) -> dict[str, dict[str, object]]:
    record: dict[str, dict[str, object]] = {}
    for name, runs in costs.items():
        wall, cpu = ratios(name, costs)
        record[name] = {
            "wall": median(cost.seconds for cost in runs),
            "cpu": median(cost.cpu_seconds for cost in runs),
            "mebibytes": max(cost.mebibytes for cost in runs),
            "wall_of_torch": wall,
            "cpu_of_torch": cpu,
            "target": TARGETS.get(name),
            "walls": [round(cost.seconds, 4) for cost in runs],
        }
    return record


# Where the time goes

_IMPORT = re.compile(r"import time:\s*(\d+) \|\s*\d+ \| *(\S+)")


def profile_translation(
    model: str | None, rounds: int, environment: dict[str, str]
) -> dict[str, dict[str, float]]:
    """Return two tables of milliseconds, the phases of a translation and its imports: minima of all
    rounds."""
    say("where the time goes")
    translate = [*ATTN[1:], *commands(model)[TRANSLATE][len(ATTN) :]]
    imports = [time_imports(translate, environment) for _ in range(rounds)]
    modules = [
        name
        for name in imports[0]
        if name.startswith("attn_cli") or ("." not in name and not _standard(name))
    ]
    phases = [time_phases(modules, model, environment) for _ in range(rounds)]
    packages = [_by_package(times) for times in imports]
    return {
        f"Phases of `{TRANSLATE}`, ms, each the least of {rounds} rounds": _least(phases),
        f"Imports of `{TRANSLATE}`, ms by package (-X importtime), likewise": _least(packages),
    }


def time_imports(arguments: Sequence[str], environment: dict[str, str]) -> dict[str, float]:
    """Return the milliseconds of each module's own import, in the order of the imports."""
    command = [PYTHON, "-X", "importtime", *arguments]
    with tempfile.NamedTemporaryFile() as log:
        cost_of(command, stderr=Path(log.name), environment=environment)
        lines = Path(log.name).read_text(encoding="utf-8").splitlines()
    matches = filter(None, map(_IMPORT.match, lines))
    return {match[2]: int(match[1]) / 1000 for match in matches}


def time_phases(
    modules: Sequence[str], model: str | None, environment: dict[str, str]
) -> dict[str, float]:
    """Return the milliseconds of each phase of a translation, with Python's own start and end."""
    program = ROOT / "benchmarks" / "measuring" / "phases.py"
    arguments = commands(model)[TRANSLATE][len(ATTN) :]
    command = [PYTHON, str(program), ",".join(modules), *arguments]
    with tempfile.NamedTemporaryFile() as log:
        before = time.time()
        cost = cost_of(command, stderr=Path(log.name), environment=environment)
        seconds = json.loads(Path(log.name).read_text(encoding="utf-8").splitlines()[-1])
    start, end = seconds.pop("start") - before, seconds.pop("end") - before
    times = {"Python's start": start, **seconds, "Python's end": cost.seconds - end}
    return {name: 1000 * value for name, value in times.items()}


def _by_package(times: dict[str, float]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for module, milliseconds in times.items():
        name = module.split(".")[0]
        name = "the standard library" if _standard(name) else name
        totals[name] = totals.get(name, 0.0) + milliseconds
    return totals


def _standard(module: str) -> bool:
    return module in sys.stdlib_module_names or module.startswith("_")


def _least(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the minimum of each value, largest first; without values that a round lacks."""
    names = dict.fromkeys(name for times in rounds for name in times)
    least = {name: min(times[name] for times in rounds if name in times) for name in names}
    return dict(sorted(least.items(), key=lambda item: -item[1]))


def format_times(times: dict[str, float]) -> str:
    """Return a table of milliseconds and shares; small values share one row."""
    total = sum(times.values())
    large = {name: time for name, time in times.items() if time >= WORTH * total}
    if len(large) < len(times):
        large["others"] = total - sum(large.values())
    large["total"] = total
    return table(
        ("what", "ms", "%"),
        [(name, f"{time:.1f}", f"{100 * time / total:.0f}") for name, time in large.items()],
    )


if __name__ == "__main__":
    sys.exit(main())
