"""Train on Multi30k, English to French or German, and score test_2016_flickr.

    python benchmarks/multi30k.py fr de     # trains runs/multi30k-en-XX unless it exists

Prints validation BLEU by wall time from the training's log, then sacrebleu's scores of the test
set, greedy and with a beam of 5. Needs the corpus in ../shared/data/multi30k.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "data" / "multi30k"
TEST = "test_2016_flickr"


def attn(*arguments: object) -> str:
    """Run attn with its messages on stderr; return its output."""
    command = [sys.executable, "-m", "attn_cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def curve(log: Path) -> None:
    """Print greedy validation BLEU by minutes since the first update, from a log."""
    start = 0.0
    for row in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
        if row["event"] == "training_started":
            start = row["time"]
        elif row["event"] == "validation_finished":
            minutes = (row["time"] - start) / 60
            print(f"{minutes:6.1f} min   update {row['step']:6}   BLEU {row['bleu']:.1f}")
        elif row["event"] == "training_finished":
            print(f"{(row['time'] - start) / 60:6.1f} min   finished: {row['reason']}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help="fr, de [both]")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", help="folder of the models")
    options = parser.parse_args()
    if not CORPUS.is_dir():
        print(f"skipped: no Multi30k in {CORPUS.relative_to(ROOT.parent)}; see data/README.md")
        return 0
    for target in options.targets or ["fr", "de"]:
        measure(target, options.runs)
    return 0


def measure(target: str, runs: Path) -> None:
    """Train unless the model exists, then print the curve and the scores."""
    name = f"multi30k-en-{target}"
    out = runs / name
    print(name)
    if not (out / "bundle.json").is_file():
        attn("train", ROOT / "benchmarks" / f"{name}.toml", "--out", out)
    curve(out / "log.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        for beam in (1, 5):
            output = Path(folder) / f"beam{beam}"
            began = time.monotonic()
            source = CORPUS / f"{TEST}.en.gz"
            attn("translate", "-m", out, "--beam", beam, "-i", source, "-o", output)
            print(f"beam {beam} ({time.monotonic() - began:.0f} s for the process)")
            print(attn("score", "--reference", CORPUS / f"{TEST}.{target}.gz", output), end="")


if __name__ == "__main__":
    sys.exit(main())
