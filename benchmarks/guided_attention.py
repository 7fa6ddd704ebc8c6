"""Measure the effect of guided attention on BLEU and AER: python benchmarks/guided_attention.py

Trains the same recipe with and without `train.guided_alignment`, with the same number of updates,
on 5,000 and 29,000 pairs of Multi30k and 140,000 of Tatoeba. Prints greedy validation BLEU (on
Multi30k's validation pairs, or on 1,000 held-out pairs of Tatoeba) and the alignment error rate of
the attention on Hansards en-fr.dev. Looks for the corpora in ../shared/data.
"""

import argparse
import gzip
import itertools
import json
import tempfile
from pathlib import Path

from measuring import ATTN, DATA, ROOT, Skipped, cost_of, require_file, say

#: Number of pairs → number of updates.
UPDATES = {"5k": 600, "29k": 700, "140k": 400}
GUIDES = ("none", "statistical")


def main() -> None:
    """Train, score and print one row for each text and each guide."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="*", default=list(UPDATES), choices=list(UPDATES))
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "guided")
    options = parser.parse_args()
    print("| text | updates | guided by | BLEU, greedy | AER of attention |\n|---|---|---|---|---|")
    for text, guide in itertools.product(options.texts, GUIDES):
        model = options.out / f"{text}-{guide}"
        try:
            bleu = train(model, text, guide)
            aer = error_rate(model)
        except Skipped as reason:
            say(f"{model.name}: skipped, {reason}")
            continue
        print(f"| {text} | {UPDATES[text]} | {guide} | {bleu:.1f} | {aer} |", flush=True)


def train(model: Path, text: str, guide: str) -> float:
    """Train the model unless it exists; return its last greedy BLEU on the validation pairs."""
    if not (model / "bundle.json").is_file():
        settings = (
            f"train.max_steps={UPDATES[text]}",
            f"train.guided_alignment={guide}",
            "train.validate_every=200",
            "model.word_aligner=false",
            f"name={model.name}",
        )
        recipe = ROOT / "benchmarks" / "multi30k-en-fr.toml"
        with tempfile.TemporaryDirectory() as folder:
            set_options = itertools.chain.from_iterable(("--set", setting) for setting in settings)
            attn("train", recipe, *files(text, Path(folder)), "--out", model, *set_options)
    rows = map(json.loads, (model / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [float(row["bleu"]) for row in rows if row["event"] == "validation_finished"][-1]


def files(text: str, folder: Path) -> list[str | Path]:
    """Return the options that name the text, and Multi30k's validation pairs for Multi30k."""
    if text == "140k":
        no_validation = ("--set", "data.valid_source=", "--set", "data.valid_target=")
        return ["--pairs", require_file(DATA / "tatoeba" / "en-fr.tsv.gz"), *no_validation]
    captions = DATA / "multi30k"
    options: list[str | Path] = []
    for option, language in (("source", "en"), ("target", "fr")):
        part = folder / f"train.{language}"
        with gzip.open(require_file(captions / f"train.{language}.gz"), "rb") as lines:
            part.write_bytes(b"".join(itertools.islice(lines, 5_000 if text == "5k" else None)))
        options += [f"--{option}", part, f"--valid-{option}", captions / f"val.{language}.gz"]
    return options


def error_rate(model: Path) -> str:
    """Return the AER line of the model's attention on the development pairs of the Hansards."""
    pairs, gold = (DATA / "alignment" / f"en-fr.dev.{end}" for end in ("src-tgt", "gold"))
    options = ("--weights", "attention", "--tokenized", "--index-base", "1", "--gold", gold)
    messages = attn("align", "-m", model, "--input", pairs, *options)
    return messages.splitlines()[-1].removeprefix("AER ").partition(",")[0] + ")"


def attn(*arguments: str | Path) -> str:
    """Run attn; return its messages on stderr. Raises Skipped with the last one if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        messages = Path(folder, "stderr")
        cost_of([*ATTN, *arguments], stderr=messages)
        return messages.read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
