"""Compare all attention mechanisms on the demo corpus: BLEU, AER, equal graphs, speed.

    python benchmarks/attention_demo.py                     # trains, measures, updates the page
    python benchmarks/attention_demo.py --only dot,rnn --threads 1

The systems are those of attention_study.py, with the demo's widths and settings, not guided. For
each: BLEU on the demo's test set, AER of attention against its exact gold links, the largest
difference between graphs and network, the number of translations that are equal in both engines,
and the speed of training. Finished trainings are not repeated. Updates docs/attention.md.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from attention_study import BAHDANAU, SYSTEMS, read_events
from measuring import ROOT, Skipped, aer_of_attention, attn, describe_conditions, say, table

DEMO = ROOT / "data" / "demo"
AS_HERE = (
    *("model.word_aligner=false", "train.guided_alignment=none", "train.export=fp32"),
    *BAHDANAU,
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "attention-demo")
    parser.add_argument("--only", default="", help="names of systems, separated by commas")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="[docs]")
    options = parser.parse_args()
    out, only = options.out.absolute(), set(filter(None, options.only.split(",")))
    for name, system in SYSTEMS.items():
        if system.guided or (only and name not in only):
            continue
        try:
            measure(name, system.settings, out / name, threads=options.threads)
        except Skipped as reason:
            say(f"skipped {name}: {reason}")
    write(out, options.docs)
    return 0


def measure(name: str, settings: tuple[str, ...], folder: Path, *, threads: int) -> None:
    """Train and measure a system, unless measured.json is in its folder; write that file."""
    if (folder / "measured.json").is_file():
        return
    say(f"{name}: training")
    folder.parent.mkdir(parents=True, exist_ok=True)
    changes = [part for setting in (*AS_HERE, *settings) for part in ("--set", setting)]
    training_options = ("--out", folder, "--force", "--threads", threads)
    attn("train", DEMO / "recipe.toml", *training_options, *changes)
    rows = read_events(folder)
    rates = [row["tokens_per_second"] for row in rows if row["event"] == "progress"]
    record: dict[str, Any] = {
        "parameters": next(row["parameters"] for row in rows if row["event"] == "training_started"),
        "pieces_per_second": statistics.median(rates),
        "seconds": next(row["seconds"] for row in rows if row["event"] == "training_finished"),
        "apart": next(row["difference"] for row in rows if row["event"] == "graphs_exported"),
        "conditions": describe_conditions(f"threads: {threads}"),
    }
    outputs = {
        (engine, beam): attn(
            *("translate", "-m", folder, "--engine", engine, "--beam", beam),
            *("-i", DEMO / "test.en"),
        )
        for engine in ("torch", "onnx")
        for beam in (1, 5)
    }
    same = [
        one == other
        for beam in (1, 5)
        for one, other in zip(
            outputs["torch", beam].splitlines(), outputs["onnx", beam].splitlines(), strict=True
        )
    ]
    record["same"] = [sum(same), len(same)]
    with tempfile.TemporaryDirectory() as scratch:
        hypothesis = Path(scratch, "hyp")
        hypothesis.write_text(outputs["onnx", 5], encoding="utf-8")
        output = attn("score", "-r", DEMO / "test.fr", hypothesis, "--format", "json")
    record["bleu"] = json.loads(output)["bleu"]
    if name != "none":
        text = (DEMO / f"test.{part}" for part in ("en", "fr", "gold"))
        record["aer"] = aer_of_attention(folder, *text)
    say(f"{name}: {record}")
    (folder / "measured.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write(out: Path, docs: Path) -> None:
    """Update the table of docs/attention.md with all systems that were measured."""
    from measuring.study_report import fill

    results = {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name in SYSTEMS
        if (file := out / name / "measured.json").is_file()
    }
    if not results:
        return
    titles = (
        "system",
        "parameters",
        "BLEU",
        "AER",
        "graph difference",
        "equal translations",
        "pieces/s",
    )
    rows = [
        [
            name,
            f"{row['parameters'] / 1e6:.2f}M",
            f"{row['bleu']['score']:.1f}",
            f"{row['aer']['score']:.1f}" if "aer" in row else "",
            f"{row['apart']:.0e}",
            "{} of {}".format(*row["same"]),
            f"{row['pieces_per_second']:,.0f}",
        ]
        for name, row in results.items()
    ]
    first = next(iter(results.values()))
    conditions = f"\n{first['conditions']}; BLEU `{first['bleu']['signature']}`.\n"
    fill(docs / "attention.md", {"demo": table(titles, rows) + conditions})


if __name__ == "__main__":
    sys.exit(main())
