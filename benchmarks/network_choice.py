"""Compare networks for a general translator at equal training time.

    python benchmarks/network_choice.py --minutes 45 --output runs/network-choice
    python benchmarks/network_choice.py TEXT --networks gru-12k,transformer

TEXT has en-fr.tsv and en-fr.valid.tsv; by default it is the text of data/general/train.sh. Each
network starts from random parameters and is trained by `attn train --max-minutes` on one core,
without a word aligner, so that only its own time counts; the learning rate of each is that of its
recipe. Then it is exported to int8 and translates the first lines of each test with a beam of 5.
The time of a sentence is CPU time without the start-up.

Every row is written to OUTPUT.json at once; the same command again measures the missing rows. Two
commands with other --networks and --output can run at the same time on two cores (taskset).
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from attention_study import read_events
from measuring import (
    ATTN,
    MEBI,
    ONE_THREAD,
    ROOT,
    Skipped,
    cost_of,
    describe_conditions,
    exit_on_sigterm,
    format_notes,
    report,
    report_skips,
    require_file,
    say,
    table,
)
from measuring.options import names_of
from measuring.rows import Row, SavedRows
from measuring.shipped import GENERAL, Model, TestText, read_lines, score_translations, write_lines

TEXT = ROOT / "data" / "general" / "text" / "everyday"

TRANSFORMER_ENCODER = (
    *("encoder.kind=transformer", "encoder.width=256", "encoder.heads=8"),
    *("encoder.feed_forward=1024", "embedding=256"),
)
TRANSFORMER_RATE = ("train.learning_rate=1e-3", "train.warmup_steps=400")


def _model(*settings: str) -> tuple[str, ...]:
    return tuple(f"model.{setting}" for setting in settings)


#: The changes to the default recipe, by the name of a network.
NETWORKS: dict[str, tuple[str, ...]] = {
    "gru-8k": ("tokenizer.vocab_size=8000",),
    "gru-12k": ("tokenizer.vocab_size=12000",),
    "gru-16k": ("tokenizer.vocab_size=16000",),
    "gru-encoder-3": (
        "tokenizer.vocab_size=12000",
        *_model("encoder.layers=3", "layer_norm=true"),
    ),
    "transformer-encoder-4": (
        "tokenizer.vocab_size=12000",
        *_model(*TRANSFORMER_ENCODER, "encoder.layers=4"),
        *TRANSFORMER_RATE,
    ),
    "transformer": (
        "tokenizer.vocab_size=12000",
        *_model(*TRANSFORMER_ENCODER, "encoder.layers=4"),
        *_model("attention.kind=multihead", "attention.heads=8"),
        *_model("decoder.kind=transformer", "decoder.layers=4", "decoder.width=256"),
        *_model("decoder.feed_forward=1024"),
        *TRANSFORMER_RATE,
    ),
}
ALL = (
    *("name=network", "source=en", "target=fr", "model.word_aligner=false", "train.export=none"),
    *("tokenizer.literals=true", "tokenizer.normalize_quotes=true", "data.max_length=120"),
    *("data.augmentation.lowercase=0.15", "data.augmentation.drop_final_punctuation=0.2"),
    *(f"model.dropout.{part}=0.1" for part in ("embedding", "states", "output")),
    *("train.batch_tokens=2500", "train.sampled_softmax=1500", "train.patience=0"),
    *("train.max_steps=100000", "train.validate_every=1000", "train.log_every=20"),
)


def main() -> int:
    options = _options()
    exit_on_sigterm()
    skipped: list[str] = []
    settings = {"text": str(options.text), "minutes": options.minutes, "limit": options.limit}
    rows = SavedRows(options.output, settings)
    for name in options.networks:
        if not rows.has(network=name):
            with report_skips(name, skipped), tempfile.TemporaryDirectory() as folder:
                rows.add(measure(name, options, Path(folder)))
    about = describe_conditions(f"{options.minutes:g} minutes each, one thread")
    text = _table(rows.rows) + format_notes(about, skipped)
    report(text, {"conditions": about, **rows.record(), "skipped": skipped}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("text", nargs="?", type=Path, default=TEXT, help="[data/general/text/everyday]")
    add("--networks", type=names_of(NETWORKS), default=tuple(NETWORKS), help="[all]")
    add("--minutes", type=float, default=45.0, help="minutes of each training [45]")
    add("--limit", type=int, default=500, help="lines of each test [500]")
    add("--output", "-o", type=Path, help="also write OUTPUT.json and OUTPUT.md")
    return parser.parse_args()


def measure(name: str, options: argparse.Namespace, folder: Path) -> Row:
    """Train a network and translate the tests; return its row. Raises Skipped if that fails."""
    model = folder / "model"
    changes = (*ALL, *NETWORKS[name])
    say(f"{name}: training for {options.minutes:g} minutes")
    train = ("train", "--pairs", require_file(options.text / "en-fr.tsv"), "--out", model)
    train += ("--valid-pairs", require_file(options.text / "en-fr.valid.tsv"))
    train += ("--max-minutes", options.minutes, "--workers", 1, "--threads", 1, "--device", "cpu")
    run(*train, *(part for change in changes for part in ("--set", change)))
    progress = [row for row in read_events(model) if row["event"] == "progress"]
    if not progress:
        raise Skipped("too few updates: give it more --minutes")
    run("export", model, "--precision", "int8")
    measured = Model.read(model, folder, options.limit, 1, ("int8",))
    return {
        "network": name,
        "parameters": measured.facts["files"]["model.safetensors"]["bytes"] // 4,
        "mebibytes": (model / "graphs.bin").stat().st_size / MEBI,
        "updates": progress[-1]["step"],
        "pieces_per_second": median(row["tokens_per_second"] for row in progress),
        **translate_tests(measured),
    }


def translate_tests(model: Model) -> dict[str, Any]:
    """Translate the tests; return their scores, and the CPU seconds a sentence of the first."""
    tests = [text for text in model.texts() if text.on in GENERAL]
    if not tests:
        raise Skipped("there is no test of general text")
    scores, seconds = {}, 0.0
    for text in tests:
        output = model.output("int8", text)
        cost = translate(model, text, output)
        if text is tests[0]:
            first = write_lines(model.folder / "first", read_lines(text.source)[:1])
            start = translate(model, TestText("", first, (), 1), model.folder / "first.output")
            seconds = (cost - start) / (text.count - 1)
        scores[text.on] = {
            metric: score_translations(output, text.references)[metric]["score"]
            for metric in ("bleu", "chrf")
        }
    return {"scores": scores, "seconds_a_sentence": seconds}


def translate(model: Model, text: TestText, output: Path) -> float:
    """Translate a text with a beam of 5; return the CPU seconds."""
    options = (*model.options("int8"), "--beam", 5, "-i", text.source, "-o", output)
    return cost_of((*ATTN, "translate", *options), environment=ONE_THREAD).cpu_seconds


def run(*arguments: object) -> None:
    """Run an attn command on one thread. Raises Skipped if it fails."""
    cost_of((*ATTN, *arguments), environment=ONE_THREAD)


def _table(rows: Sequence[Row]) -> str:
    tests = list(GENERAL)
    titles = ["network", "parameters", "MiB, int8", "updates", "target pieces/s"]
    titles += [f"{test}: BLEU; chrF" for test in tests] + ["ms a sentence"]
    order = list(NETWORKS)
    cells = []
    for row in sorted(rows, key=lambda row: order.index(row["network"])):
        scores = (row["scores"].get(test) for test in tests)
        cells.append([
            row["network"],
            f"{row['parameters'] / 1e6:.1f}M",
            f"{row['mebibytes']:.1f}",
            f"{row['updates']:,}",
            f"{row['pieces_per_second']:.0f}",
            *(f"{each['bleu']:.1f}; {each['chrf']:.1f}" if each else "" for each in scores),
            f"{1000 * row['seconds_a_sentence']:.1f}",
        ])  # fmt: skip
    return table(titles, cells)


if __name__ == "__main__":
    sys.exit(main())
