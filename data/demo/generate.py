"""Write the demo corpus: `python data/demo/generate.py [--out DIR]`.

The grammar in this folder writes it with one seed: the same files, byte for byte, each time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from grammar.corpus import Corpus, corpus
from grammar.tokens import Pair

SEED = 20260
N_TRAIN = 8000
N_HELD_OUT = 300
HERE = Path(__file__).resolve().parent


def demo_corpus() -> Corpus:
    """Return the corpus as it is in the repository."""
    return corpus(SEED, n_train=N_TRAIN, n_held_out=N_HELD_OUT)


def write(pairs: Sequence[Pair], stem: str, folder: Path) -> None:
    """Write one part as three parallel files: a sentence or its links on each line."""
    columns = {
        "en": [pair.english for pair in pairs],
        "fr": [pair.french for pair in pairs],
        "gold": [pair.gold for pair in pairs],
    }
    for suffix, lines in columns.items():
        text = "".join(line + "\n" for line in lines)
        (folder / f"{stem}.{suffix}").write_text(text, encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the corpus and write its nine files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the nine files")
    folder = parser.parse_args(arguments).out
    folder.mkdir(parents=True, exist_ok=True)
    parts = demo_corpus()
    for stem in ("train", "valid", "test"):
        write(getattr(parts, stem), stem, folder)


if __name__ == "__main__":
    main()
