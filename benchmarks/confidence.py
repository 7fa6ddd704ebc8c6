"""How well the confidence of a model ranks its translations, beside the plain log-probability.

    python benchmarks/confidence.py --pairs newstest2013.tsv.gz --pairs tico19-dev.tsv.gz
    python benchmarks/confidence.py --model runs/mine --pairs mine.tsv --languages en,de

--pairs names files of two columns, whose languages --languages tells; each model translates the
column of its own source language. For each model and file: Spearman's rank correlation of the
confidence with the chrF of each sentence, that of the mean log-probability a piece, and how far the
confidence is from the chrF on average. The text must be neither what the model has learned from nor
what it was calibrated on. A model without a calibration is skipped.

Then how often a line is said to be in the wrong language: of the lines of the source language
(false alarms), and of those of the target language.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import DATA, Skipped, attn, conditions, present, report, say, table

from attn_cli import evaluation
from attn_cli.bundles import registry
from attn_cli.bundles.manifest import read_manifest
from attn_cli.data import languages, words
from attn_cli.data.text_io import open_lines, parse_pair
from attn_cli.inference.confidence import rank_correlation

_TESTS = [DATA / "general" / "test" / f"{name}.tsv.gz" for name in ("newstest2013", "tico19-dev")]


def main() -> int:
    options = _options()
    rows, alarms, records = [], [], []
    for model in options.model or ["en-fr", "fr-en"]:
        for file in options.pairs or _TESTS:
            try:
                record = _measure(model, Path(file), options.languages, options.limit)
            except Skipped as reason:
                say(f"{model} on {file}: skipped, {reason}")
                continue
            records.append(record)
            rows.append(_row(record))
            alarms.append(_alarm_row(record))
    if not records:
        say("nothing was measured")
        return 1
    ranks = table(
        (
            *("model", "text", "lines", "chrF", "mean confidence", "mean absolute error"),
            *("rank correlation: confidence", "mean log-probability"),
        ),
        rows,
    )
    notes = table(("model", "text", "lines", "false alarms", "noted"), alarms)
    report(f"{ranks}\n{notes}\n{conditions()}\n", {"results": records}, options.output)
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


def _measure(model: str, file: Path, columns: str, limit: int) -> dict[str, Any]:
    """The figures of one model on one file. Raises Skipped."""
    facts = read_manifest(registry.find(model))
    order = columns.split(",")
    if sorted(order) != sorted((facts["source"], facts["target"])):
        raise Skipped(f"it translates {facts['source']}-{facts['target']}, the text is {columns}")
    pairs = _read(present(file), limit, is_turned=order[0] != facts["source"])
    sources, references = zip(*pairs, strict=True)
    found = _translate(model, sources)
    if found[0]["confidence"] is None:
        raise Skipped(f"it is not calibrated: attn models calibrate {model} --pairs FILE")
    chrf = evaluation.sentence_chrf([each["target"] for each in found], references)
    confidence = [each["confidence"] for each in found]
    wrong = np.abs(np.array(confidence) - np.array(chrf) / 100)
    return {
        "model": model,
        "text": file.name.split(".")[0],
        "lines": len(pairs),
        "chrf": float(np.mean(chrf)),
        "confidence": float(np.mean(confidence)),
        "absolute_error": float(wrong.mean()),
        "rank_correlation": rank_correlation(confidence, chrf),
        "rank_correlation_of_logp": rank_correlation([each["score"] for each in found], chrf),
        "false_alarms": _share_noted(sources, facts),
        "noted": _share_noted(references, facts),
    }


def _read(file: Path, limit: int, *, is_turned: bool) -> list[tuple[str, str]]:
    with open_lines(file) as lines:
        pairs = [pair for line in lines if (pair := parse_pair(line.text))][:limit]
    pairs = [pair for pair in pairs if all(map(str.strip, pair))]
    return [(target, source) for source, target in pairs] if is_turned else pairs


def _translate(model: str, sources: Sequence[str]) -> list[dict[str, Any]]:
    """The records of the translations. Raises Skipped."""
    with tempfile.TemporaryDirectory() as folder:
        text, records = Path(folder, "source"), Path(folder, "records.jsonl")
        text.write_text("".join(f"{source}\n" for source in sources), encoding="utf-8")
        attn("translate", "-q", "-m", model, "-f", "jsonl", "-i", text, "-o", records)
        return [json.loads(line) for line in records.read_text(encoding="utf-8").split("\n")[:-1]]


def _share_noted(lines: Sequence[str], facts: dict[str, Any]) -> float:
    """The share of lines that look like the target language of a model."""
    noted = [
        languages.looks_like(
            (word.text for word in words.split(line)), facts["target"], expected=facts["source"]
        )
        for line in lines
    ]
    return float(np.mean(noted))


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
