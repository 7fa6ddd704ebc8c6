"""Measure how well diagnostics and confidence rank translations: correlation with sentence chrF.

    python benchmarks/diagnostics.py --pairs newstest2013.tsv.gz
    python benchmarks/diagnostics.py --model runs/mine --pairs mine.tsv --languages en,de

--pairs names files of two columns in the languages of --languages; each model translates the
column of its own source language with `attn translate --diagnostics`. For each model and file:
Spearman's rank correlation of each diagnostic, of the confidence and of the mean log-probability
with the chrF of each sentence. Diagnostics measure errors, so their correlation should be
negative. Counts of words are divided by the number of words.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from measuring import describe_conditions, report, table
from measuring.pairs import (
    TEST_PAIRS,
    add_pair_options,
    measure_each,
    read_pairs,
    translate_to_records,
)

from attn_cli import evaluation
from attn_cli.bundles import registry
from attn_cli.bundles.manifest import read_manifest
from attn_cli.inference.confidence import rank_correlation

Record = dict[str, Any]


def _share(field: str, words: str) -> Callable[[Record], float]:
    return lambda record: len(record["diagnostics"][field]) / max(1, len(record[words]))


def _value(field: str) -> Callable[[Record], float]:
    return lambda record: record["diagnostics"][field] or 0.0


#: The values that are correlated with chrF, and how each is read from a record.
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
    models, files = options.model or ["en-fr", "fr-en"], options.pairs or TEST_PAIRS
    records = measure_each(product(models, files), partial(_measure, options))
    if not records:
        return 0
    rows = [
        (
            *(record["model"], record["text"], f"{record['lines']:,}"),
            *(f"{record['correlations'][name]:+.3f}" for name in MEASURES),
        )
        for record in records
    ]
    ranks = table(("model", "text", "lines", *MEASURES), rows)
    report(f"{ranks}\n{describe_conditions()}\n", {"results": records}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", help="a name or a folder; may be repeated")
    add_pair_options(parser, limit=500)
    return parser.parse_args()


def _measure(options: argparse.Namespace, model: str, file: Path) -> Record:
    """Return the correlations of one model on one file. Raises Skipped."""
    facts = read_manifest(registry.find(model))
    sources, references = read_pairs(file, facts, languages=options.languages, limit=options.limit)
    records = translate_to_records(model, sources, "--diagnostics")
    chrf = evaluation.sentence_chrf([each["target"] for each in records], references)
    return {
        "model": model,
        "text": file.name.split(".")[0],
        "lines": len(sources),
        "correlations": {
            name: rank_correlation([measure(each) for each in records], chrf)
            for name, measure in MEASURES.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
