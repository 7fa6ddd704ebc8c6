"""How well diagnostics and confidence rank translations: correlation with sentence chrF.

    python benchmarks/diagnostics.py --pairs newstest2013.tsv.gz
    python benchmarks/diagnostics.py --model runs/mine --pairs mine.tsv --languages en,de

--pairs names files of two columns, whose languages --languages tells; each model translates the
column of its own source language with `attn translate --diagnostics`. For each model and file:
Spearman's rank correlation of each diagnostic, of the confidence and of the mean log-probability
with the chrF of each sentence. Diagnostics count what is wrong, so their correlation should be
negative. Counts of words are divided by the number of words.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from measuring import DATA, Skipped, attn, conditions, present, report, say, table

from attn_cli import evaluation
from attn_cli.bundles import registry
from attn_cli.bundles.manifest import read_manifest
from attn_cli.data.text_io import open_lines, parse_pair
from attn_cli.inference.confidence import rank_correlation

_TESTS = [DATA / "general" / "test" / f"{name}.tsv.gz" for name in ("newstest2013", "tico19-dev")]

Record = dict[str, Any]


def _share(field: str, words: str) -> Callable[[Record], float]:
    return lambda record: len(record["diagnostics"][field]) / max(1, len(record[words]))


def _value(field: str) -> Callable[[Record], float]:
    return lambda record: record["diagnostics"][field] or 0.0


#: What is correlated with chrF, and how it is read from a record.
MEASURES: dict[str, Callable[[Record], float]] = {
    "confidence": lambda record: record["confidence"] or 0.0,
    "mean log-probability": lambda record: record["score"] or 0.0,
    "coverage deviation": _value("coverage_deviation"),
    "target entropy": _value("target_entropy"),
    "source entropy": _value("source_entropy"),
    "disagreement": _value("disagreement"),
    "unlinked source words": _share("unlinked_source", "source_words"),
    "repeated target words": _share("repeated_target", "target_words"),
}


def main() -> int:
    options = _options()
    records = []
    for model in options.model or ["en-fr", "fr-en"]:
        for file in options.pairs or _TESTS:
            try:
                records.append(_measure(model, Path(file), options.languages, options.limit))
            except Skipped as reason:
                say(f"{model} on {file}: skipped, {reason}")
    if not records:
        say("nothing was measured")
        return 1
    rows = [
        (
            *(record["model"], record["text"], f"{record['lines']:,}"),
            *(f"{record['correlations'][name]:+.3f}" for name in MEASURES),
        )
        for record in records
    ]
    ranks = table(("model", "text", "lines", *MEASURES), rows)
    report(f"{ranks}\n{conditions()}\n", {"results": records}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", help="a name or a folder; may be repeated")
    parser.add_argument("--pairs", action="append", help="a file of pairs; may be repeated")
    parser.add_argument("--languages", default="en,fr", help="of the columns of the pairs")
    parser.add_argument("--limit", type=int, default=500, help="lines of each file")
    parser.add_argument("--output", type=Path, help="write OUTPUT.md and OUTPUT.json too")
    return parser.parse_args()


def _measure(model: str, file: Path, columns: str, limit: int) -> Record:
    """The correlations of one model on one file. Raises Skipped."""
    facts = read_manifest(registry.find(model))
    order = columns.split(",")
    if sorted(order) != sorted((facts["source"], facts["target"])):
        raise Skipped(f"it translates {facts['source']}-{facts['target']}, the text is {columns}")
    pairs = _read(present(file), limit, is_turned=order[0] != facts["source"])
    sources, references = zip(*pairs, strict=True)
    translated = _translate(model, sources)
    chrf = evaluation.sentence_chrf([each["target"] for each in translated], references)
    return {
        "model": model,
        "text": file.name.split(".")[0],
        "lines": len(pairs),
        "correlations": {
            name: rank_correlation([measure(each) for each in translated], chrf)
            for name, measure in MEASURES.items()
        },
    }


def _read(file: Path, limit: int, *, is_turned: bool) -> list[tuple[str, str]]:
    with open_lines(file) as lines:
        pairs = [pair for line in lines if (pair := parse_pair(line.text))][:limit]
    pairs = [pair for pair in pairs if all(map(str.strip, pair))]
    return [(target, source) for source, target in pairs] if is_turned else pairs


def _translate(model: str, sources: Sequence[str]) -> list[Record]:
    """The records of the translations, with their diagnostics."""
    with tempfile.TemporaryDirectory() as folder:
        text, records = Path(folder, "source"), Path(folder, "records.jsonl")
        text.write_text("".join(f"{source}\n" for source in sources), encoding="utf-8")
        how = ("-q", "-m", model, "-f", "jsonl", "--diagnostics")
        attn("translate", *how, "-i", text, "-o", records)
        return [json.loads(line) for line in records.read_text(encoding="utf-8").split("\n")[:-1]]


if __name__ == "__main__":
    sys.exit(main())
