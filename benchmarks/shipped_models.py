"""Measure shipped models: scores, alignment error rates, the effect of int8, file sizes.

    python benchmarks/shipped_models.py                               # every model of models/
    python benchmarks/shipped_models.py --model en-fr --write         # also into its bundle.json
    python benchmarks/shipped_models.py --model runs/mine --limit 50  # a quick try

For each model, with int8 graphs, fp32 graphs and torch: BLEU and chrF on its Tatoeba test
(data/tatoeba/split.py makes it, with several references), on Multi30k's test_2016_flickr, on the
first 1,000 lines of newstest2013 and on the 970 of TICO-19's development part, and the alignment
error rate of its attention and of its word aligner on the 224 Hansards pairs en-fr.dev, reversed
for a model of the other direction. Then the agreement of int8 and torch in translations and links,
text as people type it, the sizes of the bundle's files, and a few sentences.

Graphs that the bundle does not have are exported into a copy. Prints Markdown for a model card.
--write writes the scores of the default engine into bundle.json.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import ROOT, Skipped, describe_conditions, exit_on_sigterm, report, say, table
from measuring.shipped import (
    CAPTIONS,
    ENGINES,
    HANSARDS,
    TATOEBA,
    Measurements,
    Model,
    Score,
    measure_model,
)

#: Files that only training or an engine other than the default needs.
NOT_AT_RUNTIME = ("model.safetensors", "word_aligner.safetensors", "alignment_head.safetensors")


def main() -> int:
    options = _options()
    exit_on_sigterm()
    texts, records = [], []
    with tempfile.TemporaryDirectory(prefix="attn-models-") as scratch:
        os.environ["ATTN_HOME"] = str(Path(scratch) / "home")
        default_models = (path for path in sorted((ROOT / "models").iterdir()) if path.is_dir())
        for number, path in enumerate(options.model or default_models):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            try:
                model = Model.read(
                    path, folder, options.limit, options.threads, options.engine or ENGINES
                )
            except Skipped as reason:
                say(f"skipped {path}: {reason}")
                continue
            result = measure_model(model)
            texts.append(format_model(result))
            records.append(result.record())
            if options.write:
                if options.limit:
                    say(f"{path}: --write needs the whole texts; nothing is written")
                else:
                    write_scores(result)
    about = describe_conditions()
    text = "\n".join([*texts, f"* {about}\n"])
    report(text, {"conditions": about, "models": records}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", "-m", action="append", type=_path, help="a name in models/, or a folder [all]")
    add("--write", action="store_true", help="write the scores into each bundle.json")
    add("--engine", action="append", choices=ENGINES, help="an engine to run it with [all]")
    add("--threads", type=int, default=1, help="[1]")
    add("--limit", type=int, help="the number of lines of each text, for a quick try")
    add("--output", "-o", type=Path, help="also write OUTPUT.json and OUTPUT.md")
    return parser.parse_args()


def _path(name: str) -> Path:
    folder = ROOT / "models" / name
    return folder if folder.is_dir() and os.sep not in name else Path(name).absolute()


# Report


def format_model(result: Measurements) -> str:
    """Return the Markdown of a model."""
    model = result.model
    parts = [f"## {model.facts['name']}\n", _format_scores(result)]
    if result.equal_translations or result.equal_links:
        parts += ["int8 compared with torch:\n", _format_agreement(result)]
    if result.variants:
        parts += [
            f"Text as people type it, with {model.default_engine}, {result.texts[0].on}, chrF "
            f"({result.signature}) of translations and references in lower case:\n",
            _format_variants(result),
        ]
    parts += [_format_sizes(result)]
    if result.samples:
        parts += [f"With {model.default_engine}:\n", f"```\n{result.samples}```\n"]
    if result.skipped:
        parts += ["".join(f"* skipped {reason}\n" for reason in result.skipped)]
    return "\n".join(parts)


def _format_scores(result: Measurements) -> str:
    titles = ["engine"]
    for text in result.texts:
        titles += [f"{text.on}: BLEU", "chrF"]
    titles += [f"AER, {name}" for name in result.model.weights if result.pairs]
    rows = []
    notes: dict[str, None] = {}
    for engine, scores in result.scores.items():
        row = [f"{engine} (default)" if engine == result.model.default_engine else engine]
        for text in result.texts:
            for metric in ("bleu", "chrf"):
                score = scores[text.on][metric]
                row.append(f"{score['score']:.1f}")
                on = f"{text.on}, {text.count:,} lines"
                notes[f"{on}: {'BLEU' if metric == 'bleu' else 'chrF'} {score['signature']}"] = None
        for aer in result.error_rates.get(engine, {}).values():
            row.append(f"{aer['score']:.1f} (P {aer['precision']:.1f} R {aer['recall']:.1f})")
            notes[f"{HANSARDS}, {result.pairs} pairs: AER {aer['signature']}"] = None
        rows.append(row + [""] * (len(titles) - len(row)))
    return table(titles, rows) + "\n" + "".join(f"* {note}\n" for note in notes)


def _format_agreement(result: Measurements) -> str:
    rows = []
    for text in result.texts:
        int8, torch = (
            result.scores[engine][text.on]["bleu"]["score"] for engine in ("int8", "torch")
        )
        rows.append((text.on, "difference in BLEU", f"{int8 - torch:+.2f}"))
        rows.append((text.on, "equal translations", f"{result.equal_translations[text.on]:.1f} %"))
    for on, name, agreement in result.equal_links:
        rows.append((on, f"F1 of the links by {name}", f"{agreement.f1:.2f} %"))
        rows.append((on, f"pairs with equal links by {name}", f"{agreement.pairs:.1f} %"))
    return table(("text", "measure", "int8, torch"), rows)


def _format_variants(result: Measurements) -> str:
    rows = [
        (name, f"{chrf:.1f}", f"{without_punctuation:.1f}")
        for name, (chrf, without_punctuation) in result.variants.items()
    ]
    return table(("typed", "chrF", "chrF without final punctuation"), rows)


def _format_sizes(result: Measurements) -> str:
    names = list(dict.fromkeys(name for files in result.sizes.values() for name in files))
    engines = [engine for engine in result.sizes if engine != "torch"] or list(result.sizes)

    def megabytes(engine: str, file_names: Sequence[str]) -> str:
        sizes = result.sizes[engine]
        total = sum(sizes[name] for name in file_names if name in sizes)
        return f"{total / 1e6:.2f}" if total else ""

    rows = [(name, *(megabytes(engine, [name]) for engine in engines)) for name in names]
    runtime = [name for name in names if name not in NOT_AT_RUNTIME]
    rows.append(("all", *(megabytes(engine, names) for engine in engines)))
    rows.append(("without parameters", *(megabytes(engine, runtime) for engine in engines)))
    return table(("MB", *engines), rows)


# The manifest


def write_scores(result: Measurements) -> None:
    """Write the scores of the default engine into bundle.json, atomically."""
    from attn_cli.bundles.manifest import CARD, FACTS, read_manifest
    from attn_cli.bundles.storage import add_file
    from attn_cli.files import atomic

    path = result.model.path
    facts = read_manifest(path)
    scores = manifest_scores(result)
    facts["scores"] = {**facts["scores"], **scores}
    atomic.write_text(path / FACTS, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    if (path / CARD).is_file():
        add_file(path, CARD)
    say(f"{path / FACTS}: {', '.join(scores)}")


def manifest_scores(result: Measurements) -> dict[str, Score]:
    """Return the scores of the default engine for a manifest, each with its signature."""
    engine = result.model.default_engine
    scores: dict[str, Score] = {}
    for text in result.texts:
        is_tatoeba, is_captions = text.on.startswith(TATOEBA), text.on == CAPTIONS
        suffix = "" if is_tatoeba else "_multi30k" if is_captions else f"_{text.on}"
        for metric in ("bleu", "chrf"):
            score = result.scores[engine][text.on][metric]
            scores[metric + suffix] = {**score, "on": f"{text.on}, {text.count} lines, {engine}"}
    for name, aer in result.error_rates.get(engine, {}).items():
        key = "aer" if name == result.model.weights[0] else f"aer_{name}"
        scores[key] = {
            "score": aer["score"],
            "signature": aer["signature"],
            "on": f"{HANSARDS}, {result.pairs} pairs, {name}, {engine}",
        }
    return scores


if __name__ == "__main__":
    sys.exit(main())
