"""Time and peak memory of reading and segmenting a million pairs.

    python benchmarks/corpus_memory.py [--pairs 1000000] [--words 20] [--types 200000]

Writes made-up text (Zipfian words in a temporary folder), then reads and segments it in a process
of its own, so that the peak is that of the work alone, and prints one line a stage. The tokenizer
is trained on a thousandth of the text, outside the process that is measured.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from attn_cli import config
from attn_cli.text.batching import Batches
from attn_cli.text.corpus import read_parallel
from attn_cli.text.pieces import segmented
from attn_cli.text.tokenizer import Tokenizer

CONSONANTS, VOWELS = "bcdfghjklmnprstvz", "aeiouéà"
SENTENCES_AT_ONCE = 20_000


def main() -> None:
    options = _options()
    if options.measure:
        _measure(Path(options.measure), sampling=options.sampling)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(1)
        for language in ("source", "target"):
            _write_text(folder / language, rng, options)
        with open(folder / "source", encoding="utf-8") as lines:
            sample = [
                line for _, line in zip(range(options.pairs // 1000 + 100), lines, strict=False)
            ]
        Tokenizer.train(sample, config.Tokenizer()).save(folder / "tokenizer")
        sampling = f"--sampling={options.sampling}"
        subprocess.run([sys.executable, __file__, f"--measure={folder}", sampling], check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=20, help="a sentence, on average")
    parser.add_argument("--types", type=int, default=200_000, help="distinct words a language")
    parser.add_argument("--sampling", type=float, default=0.0, help="as tokenizer.sampling")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_text(path: Path, rng: np.random.Generator, options: argparse.Namespace) -> None:
    """Sentences of words whose rank r has a frequency in proportion to 1 / r (Zipf)."""
    vocabulary = np.array([_word(number) for number in range(options.types)], dtype=object)
    share = np.cumsum(1 / np.arange(1, options.types + 1))
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for start in range(0, options.pairs, SENTENCES_AT_ONCE):
            lengths = rng.integers(
                options.words // 2,
                options.words * 3 // 2 + 1,
                min(SENTENCES_AT_ONCE, options.pairs - start),
            )
            ranks = np.searchsorted(share, rng.random(lengths.sum()) * share[-1])
            for words in np.split(vocabulary[ranks], np.cumsum(lengths)[:-1]):
                out.write(" ".join(words) + ".\n")


def _word(number: int) -> str:
    """A word of syllables, another one for each number; the commoner ones are shorter."""
    syllables = []
    while True:
        number, vowel = divmod(number, len(VOWELS))
        number, consonant = divmod(number, len(CONSONANTS))
        syllables.append(CONSONANTS[consonant] + VOWELS[vowel])
        if not number:
            return "".join(syllables)
        number -= 1


def _measure(folder: Path, *, sampling: float) -> None:
    tokenizer = Tokenizer.load(folder / "tokenizer")
    begin = time.perf_counter()
    _tell("start", begin)
    corpus, _ = read_parallel(folder / "source", folder / "target")
    forms = len(corpus.source.forms) + len(corpus.target.forms)
    _tell(f"read {len(corpus):,} pairs of {forms:,} word forms", begin)
    train, valid = corpus.split(1000, seed=1)
    _tell(f"split {len(valid)} off", begin)
    data = segmented(train, tokenizer, tokenizer, sampling=sampling)
    data, _ = data.limited(max_length=128, max_ratio=6.0)
    _tell(f"segmented {len(data):,} pairs into {data.source_lengths.sum():,} source pieces", begin)
    batches = Batches(data, tokens=4000, seed=1)
    next(batches)
    _tell("first batch", begin)
    for _ in range(500):
        next(batches)
    _tell("500 more", begin)


def _tell(stage: str, begin: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    megabytes = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(f"{time.perf_counter() - begin:6.1f} s  {megabytes:4.0f} MiB peak  {stage}", flush=True)


if __name__ == "__main__":
    main()
