"""Measure how well confidence and log-probability rank the translations of a model.

    python benchmarks/confidence.py --pairs newstest2013.tsv.gz --pairs tico19-dev.tsv.gz
    python benchmarks/confidence.py --model runs/mine --pairs mine.tsv --languages en,de

--pairs names files of two columns in the languages of --languages; each model translates the
column of its own source language. For each model and file: Spearman's rank correlation of the
confidence with the chrF of each sentence, that of the mean log-probability per piece, and the mean
absolute difference of confidence and chrF. The text must not be part of the training or the
calibration text. A model without a calibration is skipped.

Then the share of lines with a note about a wrong language: of the lines of the source language
(false alarms), and of those of the target language.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Skipped, describe_conditions, report, table
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
from attn_cli.data import languages, words
from attn_cli.inference.confidence import rank_correlation


def main() -> int:
    options = _options()
    models, files = options.model or ["en-fr", "fr-en"], options.pairs or TEST_PAIRS
    records = measure_each(product(models, files), partial(_measure, options))
    if not records:
        return 0
    ranks = table(
        (
            *("model", "text", "lines", "chrF", "mean confidence", "mean absolute error"),
            *("rank correlation: confidence", "mean log-probability"),
        ),
        [_row(record) for record in records],
    )
    notes = table(
        ("model", "text", "lines", "false alarms", "noted"),
        [_alarm_row(record) for record in records],
    )
    report(f"{ranks}\n{notes}\n{describe_conditions()}\n", {"results": records}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", help="a name or a folder; may be repeated")
    add_pair_options(parser, limit=500)
    return parser.parse_args()


def _measure(options: argparse.Namespace, model: str, file: Path) -> dict[str, Any]:
    """Return the figures of one model on one file. Raises Skipped."""
    facts = read_manifest(registry.find(model))
    sources, references = read_pairs(file, facts, languages=options.languages, limit=options.limit)
    records = translate_to_records(model, sources)
    if records[0]["confidence"] is None:
        raise Skipped(f"it is not calibrated: attn models calibrate {model} --pairs FILE")
    chrf = evaluation.sentence_chrf([each["target"] for each in records], references)
    confidence = [each["confidence"] for each in records]
    wrong = np.abs(np.array(confidence) - np.array(chrf) / 100)
    return {
        "model": model,
        "text": file.name.split(".")[0],
        "lines": len(sources),
        "chrf": float(np.mean(chrf)),
        "confidence": float(np.mean(confidence)),
        "absolute_error": float(wrong.mean()),
        "rank_correlation": rank_correlation(confidence, chrf),
        "rank_correlation_of_logp": rank_correlation([each["score"] for each in records], chrf),
        "false_alarms": _share_of_target_language(sources, facts),
        "noted": _share_of_target_language(references, facts),
    }


def _share_of_target_language(lines: Sequence[str], facts: dict[str, Any]) -> float:
    """Return the share of lines that look like the target language of a model."""
    flags = [
        languages.looks_like(
            (word.text for word in words.split(line)), facts["target"], expected=facts["source"]
        )
        for line in lines
    ]
    return float(np.mean(flags))


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    return (
        *(record["model"], record["text"], f"{record['lines']:,}", f"{record['chrf'] / 100:.3f}"),
        *(f"{record['confidence']:.3f}", f"{record['absolute_error']:.3f}"),
        *(f"{record['rank_correlation']:.3f}", f"{record['rank_correlation_of_logp']:.3f}"),
    )


def _alarm_row(record: dict[str, Any]) -> tuple[str, ...]:
    return (
        *(record["model"], record["text"], f"{record['lines']:,}"),
        *(f"{100 * record['false_alarms']:.2f} %", f"{100 * record['noted']:.1f} %"),
    )


if __name__ == "__main__":
    sys.exit(main())
