"""Write the tables and pictures of the study, from results.json into docs/attention.md.

Each table replaces what is between `<!-- begin: NAME -->` and `<!-- end -->`; the rest of the page
does not change.
"""

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measuring import Skipped, say, table
from measuring.charts import curves
from measuring.charts import tables as side_by_side

Results = Mapping[str, Any]

#: The systems whose attention tables are drawn, if they were measured.
TABLE_SYSTEMS = (
    *("additive", "after", "dot", "general", "luong", "local", "hard", "sparsemax", "coverage"),
    *("multihead", "transformer", "additive-guided", "transformer-guided"),
)

#: The systems in the picture of BLEU by length, and in that of the learning curves.
LENGTHS = ("additive", "none", "transformer", "local", "rnn")
LEARNING = ("additive", "none", "dot", "after", "luong", "hard", "transformer")


def write(results: Results, docs: Path) -> None:
    """Update the tables of docs/attention.md and draw its pictures.

    Raises Skipped if the page does not exist.
    """
    parts = {
        "systems": format_systems(results),
        "alignments": format_alignments(results),
        "lengths": format_lengths(results),
        "weights": format_weights(results),
        "moved": format_interventions(results),
        "full": format_recipes(results),
        "speed": format_speed(results),
        "conditions": format_conditions(results),
    }
    fill(docs / "attention.md", parts)
    folder = docs / "attention"
    folder.mkdir(exist_ok=True)
    for name, picture in draw_pictures(results).items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")


def fill(page: Path, parts: Mapping[str, str]) -> None:
    """Replace the part of each name in the page. Raises Skipped if the page does not exist."""
    if not page.is_file():
        raise Skipped(f"there is no {page}")
    text = page.read_text(encoding="utf-8")
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- begin: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            say(f"{page} has no part {name}")
        text = pattern.sub(lambda match, part=part: f"{match[1]}\n{part}\n{match[2]}", text)
    page.write_text(text, encoding="utf-8")


# Values of the results


def runs(results: Results, system: str) -> list[dict[str, Any]]:
    """Return the runs of a system, one for each seed."""
    return [row for row in results["systems"].values() if row["system"] == system]


def names(results: Results, *, recipes: bool = False) -> list[str]:
    """Return the names of the systems of the study, or of the unchanged recipes, in order."""
    systems = dict.fromkeys(
        row["system"] for row in results["systems"].values() if bool(row["recipe"]) == recipes
    )
    return list(systems)


def get_nested(row: Mapping[str, Any], *path: Any) -> Any:
    """Return the value at these keys, one below the other, or None."""
    value: Any = row
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def mean(rows: Sequence[Mapping[str, Any]], *path: Any, digits: int = 1) -> str:
    """Return the mean over seeds, with half the range if there are several."""
    values = [value for row in rows if (value := get_nested(row, *path)) is not None]
    if not values:
        return ""
    middle = f"{statistics.mean(values):.{digits}f}"
    if len(values) < 2:
        return middle
    return f"{middle} ±{(max(values) - min(values)) / 2:.{digits}f}"


# Tables


def format_systems(results: Results) -> str:
    titles = (
        *("system", "parameters", "updates", "BLEU, beam 5", "greedy", "chrF", "AER"),
        "AER, best head",
        *("45 BLEU after", "minutes"),
    )
    rows = []
    for name in names(results):
        seeds = runs(results, name)
        aer = "aer", "hansards"
        rows.append(
            [
                f"{name} ({len(seeds)} seeds)" if len(seeds) > 1 else name,
                f"{seeds[0]['training']['parameters'] / 1e6:.2f}M",
                str(min(row["training"]["updates"] for row in seeds)),
                mean(seeds, "beam5", "bleu", "score"),
                mean(seeds, "greedy", "bleu", "score"),
                mean(seeds, "beam5", "chrf", "score"),
                mean(seeds, *aer, "shown", "argmax", "score"),
                mean(seeds, *aer, "best_head", "argmax", "score"),
                mean(seeds, "training", "to_45", "update", digits=0),
                mean(seeds, "training", "minutes"),
            ]
        )
    return table(titles, rows)


def format_alignments(results: Results) -> str:
    titles = (
        *("system", "AER", "P", "R", "AER, weights ≥ 0.3", "best head", "second half", "captions"),
        "captions, best head",
    )
    rows = []
    for name in names(results):
        seeds = runs(results, name)
        if get_nested(seeds[0], "aer") is None:
            continue
        aer = "aer", "hansards"
        best = get_nested(seeds[0], *aer, "best")
        half = "best_second_half" if best else "shown_second_half"
        rows.append(
            [
                name,
                *(
                    mean(seeds, *aer, "shown", "argmax", x)
                    for x in ("score", "precision", "recall")
                ),
                mean(seeds, *aer, "shown", "threshold", "score"),
                f"layer {best[0]}, head {best[1]}" if best else "",
                mean(seeds, *aer, half, "argmax", "score"),
                mean(seeds, "aer", "silver", "shown", "argmax", "score"),
                mean(seeds, "aer", "silver", "best_head", "argmax", "score"),
            ]
        )
    return table(titles, rows)


def format_lengths(results: Results) -> str:
    buckets = [_bucket(bucket) for bucket in results["buckets"]]
    rows = []
    for name in (*names(results), *names(results, recipes=True)):
        seeds = runs(results, name)
        by_length = [mean(seeds, "by_length", n, "bleu") for n in range(len(buckets))]
        rows.append([name, *by_length, *(mean(seeds, "joined", n, "bleu") for n in ("2", "3"))])
    first = next(iter(results["systems"].values()))
    titles = [f"{n} joined ({first['joined'][n]['words']:.0f})" for n in ("2", "3")]
    return table(["system", *(f"{bucket} words" for bucket in buckets), *titles], rows)


def _bucket(bucket: Sequence[int]) -> str:
    low, high = bucket
    return f"{low}–{high}" if high < 1000 else f"{low} and more"


def format_weights(results: Results) -> str:
    titles = (
        *("system", "entropy, nats", "relative entropy", "largest", "end of sentence"),
        "unevenness",
    )
    rows = []
    for name in names(results):
        seeds = runs(results, name)
        if get_nested(seeds[0], "shape") is not None:
            keys = ("entropy", "share", "peak", "unaligned", "unevenness")
            rows.append([name, *(mean(seeds, "shape", key, digits=2) for key in keys)])
    return table(titles, rows)


def format_interventions(results: Results) -> str:
    changes = ("largest", "another", "permuted", "uniform")
    rows = []
    for name in names(results):
        seeds = runs(results, name)
        if get_nested(seeds[0], "moved") is not None:
            cells = [
                mean(seeds, "moved", change, key, digits=digits)
                for key, digits in (("tvd", 3), ("changed", 1))
                for change in changes
            ]
            rows.append([name, *cells])
    titles = ["system", *(f"TVD, {c}" for c in changes), *(f"changed %, {c}" for c in changes)]
    return table(titles, rows)


def format_recipes(results: Results) -> str:
    titles = (
        *("recipe", "parameters", "updates", "minutes", "BLEU, beam 5", "greedy", "chrF"),
        "BLEU, lower case, words",
    )
    rows = []
    for name in names(results, recipes=True):
        seeds = runs(results, name)
        rows.append(
            [
                name,
                f"{seeds[0]['training']['parameters'] / 1e6:.2f}M",
                mean(seeds, "training", "updates", digits=0),
                mean(seeds, "training", "minutes"),
                mean(seeds, "beam5", "bleu", "score"),
                mean(seeds, "greedy", "bleu", "score"),
                mean(seeds, "beam5", "chrf", "score"),
                mean(seeds, "beam5", "bleu_small", "score"),
            ]
        )
    return table(titles, rows)


def format_speed(results: Results) -> str:
    speed = results.get("speed")
    if not speed:
        return "Not measured yet.\n"
    rows = [[name, f"{rate:,}"] for name, rate in speed["systems"].items()]
    return table(["system", "target pieces/s"], rows) + f"\n{speed['how']}.\n"


def format_conditions(results: Results) -> str:
    rows = list(results["systems"].values())
    first = next(row for row in rows if not row["recipe"])
    train = first["train"]
    bleu, chrf, small = (first["beam5"][key]["signature"] for key in ("bleu", "chrf", "bleu_small"))
    seeds = sorted({row["seed"] for row in rows})
    machines: dict[str, list[str]] = {}
    for name, row in results["systems"].items():
        machine = f"{row['training']['device']} in {row['training']['precision']}"
        machines.setdefault(machine, []).append(name)
    most = max(machines, key=lambda machine: len(machines[machine]))
    others = [
        f"{', '.join(names)} on {machine}" for machine, names in machines.items() if machine != most
    ]
    return "\n".join(
        [
            f"* {results['conditions']}; trained on {most}, many at a time"
            + "".join(f"; {other}" for other in others)
            + ".",
            f"* {train['max_steps']} updates of {train['batch_tokens']} target pieces, "
            f"{first['vocabulary']} pieces in one vocabulary; seeds {', '.join(map(str, seeds))}.",
            f"* BLEU `{bleu}`, chrF `{chrf}`; in lower case over the words of attn `{small}`. "
            f"Test: {results['test']}.",
            f"* AER: {_aer_signature(rows)}.\n",
        ]
    )


def _aer_signature(rows: Sequence[Mapping[str, Any]]) -> str:
    signatures = (
        get_nested(row, "aer", "hansards", "shown", "argmax", "signature") for row in rows
    )
    return next(filter(None, signatures), "")


# Pictures


def draw_pictures(results: Results) -> dict[str, str]:
    """Return the pictures by the names of their files, without their suffix."""
    buckets = [_bucket(bucket) for bucket in results["buckets"]]
    ticks = {float(n): name for n, name in enumerate(buckets)}
    ticks |= {float(len(buckets) + n): f"{n + 2} joined" for n in range(2)}
    by_length: dict[str, list[tuple[float, float]]] = {}
    learning: dict[str, list[tuple[float, float]]] = {}
    for name in LENGTHS:
        rows = runs(results, name)
        points = []
        for n in range(len(buckets) + 2):
            place = ("by_length", n) if n < len(buckets) else ("joined", str(n - len(buckets) + 2))
            values = [v for row in rows if (v := get_nested(row, *place, "bleu")) is not None]
            if values:
                points.append((float(n), statistics.mean(values)))
        if points:
            by_length[name] = points
    for name in LEARNING:
        for row in runs(results, name)[:1]:
            curve = row["training"]["curve"]
            learning[name] = [(point["update"], point["bleu"]) for point in curve]
    images = {}
    if by_length:
        title = "BLEU against the length of the source"
        images["lengths"] = curves(title, by_length, x="source words", y="BLEU", ticks=ticks)
    if learning:
        title = "Greedy BLEU on validation pairs during training"
        images["learning"] = curves(title, learning, x="updates", y="BLEU")
    tables = {
        name: rows[0]["table"]
        for name in TABLE_SYSTEMS
        if (rows := runs(results, name)) and "table" in rows[0]
    }
    if tables:
        images["tables"] = side_by_side("The same pair in each system", tables)
    return images
