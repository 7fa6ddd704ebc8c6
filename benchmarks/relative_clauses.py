"""Measure the effect of sentence length on attention, with nested relative clauses.

    python benchmarks/relative_clauses.py                   # trains, measures, updates the page
    python benchmarks/relative_clauses.py --only none,general --threads 1

*I know the woman who sees the man who reads the letter that I wrote*: every system learns from
the demo corpus and from sentences with relative clauses of up to 24 words, and is tested on
sentences of up to twice that length. Finished trainings are not repeated, interrupted ones
continue. Updates docs/attention.md.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import ROOT, Skipped, aer_of_attention, attn, describe_conditions, say, table

DEMO = ROOT / "data" / "demo"
sys.path.insert(0, str(DEMO))

from grammar.corpus import key  # noqa: E402
from grammar.phrases import Draw  # noqa: E402
from grammar.relatives import relative  # noqa: E402
from grammar.tokens import Pair, finish, linked  # noqa: E402

SEED = 7

#: Lengths in English words, the full stop included, and the number of test sentences of each.
BUCKETS = ((6, 9), (10, 14), (15, 19), (20, 24), (25, 29), (30, 36), (37, 48))
TEST_SENTENCES = 100

#: The number of lengths in the training text, and of their sentences added to the demo's pairs.
TRAINING_BUCKETS, ADDED_SENTENCES = 4, 1000

#: The greatest depth of nested clauses.
MAX_DEPTH = 12

AS_HERE = (
    *("model.word_aligner=false", "train.guided_alignment=none", "train.export=none"),
    *("train.batch_tokens=1500", "train.patience=0"),
)
SYSTEMS = {
    "none": ("model.attention.kind=none", "model.decoder.input_feeding=false"),
    "additive": ("model.attention.kind=additive", "model.decoder.input_feeding=false"),
    "general, after": ("model.attention.kind=general", "model.decoder.input_feeding=true"),
}

#: The rows of the table: name → value of a measurement.
TABLE_ROWS = {
    "BLEU": lambda row: f"{row['bleu']['score']:.1f}",
    "exact match": lambda row: f"{row['right']:.0%}".replace("%", " %"),
    "AER": lambda row: f"{row['aer']:.1f}",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "relative-clauses")
    parser.add_argument("--only", default="", help="names of systems, separated by commas")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="[docs]")
    options = parser.parse_args()
    out: Path = options.out.absolute()
    tests = write_texts(out)
    only = set(filter(None, options.only.split(",")))
    for name, settings in SYSTEMS.items():
        if not only or name in only or name.split(",")[0] in only:
            try:
                measure(name, settings, out, tests, threads=options.threads)
            except Skipped as reason:
                say(f"skipped {name}: {reason}")
    write(out, options.docs)
    return 0


def write_texts(out: Path) -> list[list[Pair]]:
    """Write the training text; return test sentences of each of BUCKETS that are not in it."""
    draw = Draw(SEED)
    sides = {
        side: (DEMO / f"train.{side}").read_text(encoding="utf-8").splitlines()
        for side in ("en", "fr")
    }
    excluded = {key(line) for line in sides["en"]}
    for bucket in BUCKETS[:TRAINING_BUCKETS]:
        for pair in sample_nested(draw, excluded, ADDED_SENTENCES, bucket):
            sides["en"].append(pair.english)
            sides["fr"].append(pair.french)
    out.mkdir(parents=True, exist_ok=True)
    for side, lines in sides.items():
        text = "".join(f"{line}\n" for line in lines)
        (out / f"train.{side}").write_text(text, encoding="utf-8")
    return [sample_nested(draw, excluded, TEST_SENTENCES, bucket) for bucket in BUCKETS]


def sample_nested(draw: Draw, excluded: set[str], count: int, words: tuple[int, int]) -> list[Pair]:
    """Return `count` new sentences with a number of words in the range; add them to `excluded`."""
    pairs: list[Pair] = []
    while len(pairs) < count:
        phrase = relative(draw, depth=draw.pick(range(1, MAX_DEPTH + 1)))
        pair = finish(phrase + linked(".=."), "relative clause")
        if words[0] <= len(pair.en) <= words[1] and key(pair.english) not in excluded:
            excluded.add(key(pair.english))
            pairs.append(pair)
    return pairs


def measure(
    name: str, settings: Sequence[str], out: Path, tests: Sequence[Sequence[Pair]], *, threads: int
) -> None:
    """Train a system and measure it on each length, unless that was done; write measured.json."""
    folder = out / name.split(",")[0]
    machine_options = ("--threads", threads)
    if (folder / "measured.json").is_file():
        return
    say(f"{name}: training")
    if (folder / "checkpoints" / "last.safetensors").is_file():
        attn("train", "--resume", folder, *machine_options)
    else:
        text = ("--source", out / "train.en", "--target", out / "train.fr")
        valid = ("--valid-source", DEMO / "valid.en", "--valid-target", DEMO / "valid.fr")
        changes = [part for setting in (*AS_HERE, *settings) for part in ("--set", setting)]
        attn(
            "train",
            DEMO / "recipe.toml",
            *text,
            *valid,
            "--out",
            folder,
            *changes,
            *machine_options,
        )
    rows = [evaluate(name, pairs, folder) for pairs in tests]
    record = {
        "settings": settings,
        "conditions": describe_conditions(f"threads: {threads}"),
        "rows": rows,
    }
    (folder / "measured.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def evaluate(name: str, pairs: Sequence[Pair], folder: Path) -> dict[str, Any]:
    """Return BLEU with a beam of 5, the share of exact matches, and AER of attention to the
    reference."""
    from measuring.study import scores

    with tempfile.TemporaryDirectory() as scratch:
        files = {side: Path(scratch, side) for side in ("en", "fr", "gold")}
        columns = {"en": [p.english for p in pairs], "fr": [p.french for p in pairs]}
        columns["gold"] = [p.gold for p in pairs]
        for side, lines in columns.items():
            files[side].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        translations = attn("translate", "-m", folder, "--beam", 5, "-i", files["en"]).splitlines()
        row = {
            "lines": len(pairs),
            "words": sum(len(pair.en) for pair in pairs) / len(pairs),
            "bleu": scores(translations, columns["fr"])["bleu"],
            "right": sum(map(str.__eq__, translations, columns["fr"])) / len(pairs),
        }
        if name != "none":
            row["aer"] = aer_of_attention(folder, *files.values())["score"]
    say(f"{name}, {row['words']:.0f} words: {row}")
    return row


def write(out: Path, docs: Path) -> None:
    """Update the table and the picture of docs/attention.md with all systems that were measured."""
    from measuring.charts import curves
    from measuring.study_report import fill

    records = {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name in SYSTEMS
        if (file := out / name.split(",")[0] / "measured.json").is_file()
    }
    if not records:
        return
    names = {float(n): f"{low}–{high}" for n, (low, high) in enumerate(BUCKETS)}
    points = {
        name: [(float(n), row["bleu"]["score"]) for n, row in enumerate(record["rows"])]
        for name, record in records.items()
    }
    title = "BLEU against the length of the source, relative clauses"
    picture = curves(title, points, x="source words", y="BLEU", ticks=names)
    (docs / "attention" / "clauses.svg").write_text(picture, encoding="utf-8")
    rows = [
        [f"{name}, {measure_name}", *(format_row(row) for row in record["rows"])]
        for measure_name, format_row in TABLE_ROWS.items()
        for name, record in records.items()
        if measure_name != "AER" or name != "none"
    ]
    record = next(iter(records.values()))
    signature = record["rows"][0]["bleu"]["signature"]
    conditions = f"{record['conditions']}; BLEU `{signature}`"
    conditions_line = f"\n{TEST_SENTENCES} sentences of each length; {conditions}.\n"
    fill(docs / "attention.md", {"clauses": table(["", *names.values()], rows) + conditions_line})


if __name__ == "__main__":
    sys.exit(main())
