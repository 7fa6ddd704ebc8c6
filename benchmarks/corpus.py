"""Measure the preparation of a corpus: time, memory and disk, for 10,000 to 10 million generated
pairs.

    python benchmarks/corpus.py [--pairs 10000,100000,1000000,10000000] [--sampling 0.5]
                                [--variants] [--output runs/corpus]

Each text is read, split, segmented and stored as `attn train` does it, in a process of its own;
another process generates the text while it is read. Words are Zipfian, their vocabulary grows with
the text as that of the web does, and a sentence has about 20 of them. A further process then opens
the stored text and draws batches from it.

Memory has two values. *Peak* is the kernel's value for the whole process. It includes the pages of
mapped files, which the system can reclaim and which several processes share. *Private* is the peak
of the process's own memory, sampled 20 times a second (on Linux; 0 elsewhere). The row of 0 pairs
is a process that only imports what `attn train` imports, torch included.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measuring import (
    MEBI,
    Skipped,
    cost_of,
    describe_conditions,
    exit_on_sigterm,
    report,
    say,
    table,
)
from measuring.charts import curves

PAIRS = (10_000, 100_000, 1_000_000, 10_000_000)
CONSONANTS, VOWELS = "bcdfghjklmnprstvz", "aeiouéà"

#: The text: words per sentence; P(rank > r) = (1 + r / SHIFT) ** (1 - EXPONENT); sentences at once.
WORDS, SHIFT, EXPONENT, TOGETHER = 20, 2.7, 1.4, 20_000

#: All ranks above this are one word.
RAREST = 1 << 40

BATCHES = 1000

STAGES = ("read", "split", "vocabulary", "pieces", "store")


def main() -> None:
    options = _options()
    exit_on_sigterm()
    if options.stage:
        {"write": _write, "prepare": _prepare, "draw": _draw}[options.stage](options)
        return
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for pairs in (0, *map(int, options.pairs.split(","))):
            try:
                rows.append(_measure(pairs, Path(name), options))
            except Skipped as error:
                say(f"{pairs:,} pairs: {error}")
    settings = (
        f"sampling {options.sampling:g}, {'with' if options.variants else 'without'} variants"
    )
    markdown = f"{_table(rows)}\n{describe_conditions(settings)}\n"
    report(markdown, {"conditions": describe_conditions(settings), "rows": rows}, options.output)
    if options.output:
        for name, picture in _charts(rows).items():
            Path(f"{options.output}-{name}.svg").write_text(picture, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("--pairs", default=",".join(map(str, PAIRS)), help="the sizes, separated by commas")
    add("--sampling", type=float, default=0.0, help="as tokenizer.subword_alpha")
    add("--variants", action="store_true", help="with all of data.augmentation")
    add("--folder", type=Path, help="folder of text and arrays [the temporary folder]")
    add("--output", type=Path, help="also write OUTPUT.md, OUTPUT.json and two pictures")
    add("--stage", help=argparse.SUPPRESS)
    add("--count", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(pairs: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    def run(stage: str) -> dict[str, Any]:
        command = [sys.executable, __file__, f"--stage={stage}", f"--count={pairs}"]
        command += [f"--folder={folder}", f"--sampling={options.sampling}"]
        command += ["--variants"] if options.variants else []
        cost = cost_of(command, stdout=folder / "told")
        result = json.loads((folder / "told").read_text() or "{}")
        return {**result, "cpu_seconds": cost.cpu_seconds, "peak": cost.mebibytes}

    run("write")
    say(f"{pairs:,} pairs of text")
    row = {"pairs": pairs, "prepare": run("prepare")}
    say(f"{pairs:,} pairs prepared: {row['prepare']}")
    if pairs:
        row["draw"] = run("draw")
        say(f"{pairs:,} pairs drawn from: {row['draw']}")
    return row


def _table(rows: list[dict[str, Any]]) -> str:
    titles = ("pairs", "word forms", *(f"{stage}, CPU s" for stage in STAGES), "all, CPU s")
    titles += ("wall s", "peak MiB", "private MiB", "on disk MiB")
    titles += (f"{BATCHES:,} batches, CPU s", "private MiB of a reader")
    cells = []
    for row in rows:
        preparation = row["prepare"]
        cell = [f"{row['pairs']:,}", f"{preparation.get('forms', 0):,}"]
        cell += [f"{preparation.get('stages', {}).get(stage, 0):.1f}" for stage in STAGES]
        cell += [
            f"{preparation['cpu_seconds']:.1f}",
            f"{preparation['seconds']:.0f}",
            f"{preparation['peak']:.0f}",
        ]
        cell += [f"{preparation['private']:.0f}", f"{preparation.get('disk', 0):.0f}"]
        draw = row.get("draw", {"batches": 0, "private": 0})
        cells.append([*cell, f"{draw['batches']:.1f}", f"{draw['private']:.0f}"])
    return table(titles, cells)


def _charts(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the pictures: memory by pairs, and CPU time of a million pairs, by powers of ten of
    pairs."""
    rows = [row for row in rows if row["pairs"]]
    at = [math.log10(row["pairs"]) for row in rows]
    ticks = {place: f"{row['pairs']:,}" for place, row in zip(at, rows, strict=True)}

    def series(values: Iterable[float]) -> list[tuple[float, float]]:
        return list(zip(at, values, strict=True))

    preparations = [row["prepare"] for row in rows]
    memory = {
        "peak": series(each["peak"] for each in preparations),
        "its own": series(each["private"] for each in preparations),
        "a reader's own": series(row["draw"]["private"] for row in rows),
        "on disk": series(each["disk"] for each in preparations),
    }
    time_of = {
        stage: series(1e6 * row["prepare"]["stages"][stage] / row["pairs"] for row in rows)
        for stage in STAGES
    }
    return {
        "memory": curves("Preparing a corpus: memory", memory, x="pairs", y="MiB", ticks=ticks),
        "time": curves(
            "Preparing a corpus: CPU time of a million pairs",
            time_of,
            x="pairs",
            y="seconds",
            ticks=ticks,
        ),
    }


# The text


def _write(options: argparse.Namespace) -> None:
    import numpy as np

    for seed, language in enumerate(("source", "target")):
        rng = np.random.default_rng(seed)
        words = _Words()
        with open(options.folder / language, "w", encoding="utf-8", newline="\n") as out:
            for start in range(0, options.count, TOGETHER):
                count = min(TOGETHER, options.count - start)
                lengths = rng.integers(WORDS // 2, WORDS * 3 // 2 + 1, count)
                ranks = SHIFT * (rng.random(lengths.sum()) ** (1 / (1 - EXPONENT)) - 1)
                ranks = np.minimum(ranks, RAREST).astype(np.int64)
                distinct, place = np.unique(ranks, return_inverse=True)
                text = np.array([words[rank] for rank in distinct.tolist()], object)[place]
                for sentence in np.split(text, np.cumsum(lengths)[:-1]):
                    out.write(" ".join(sentence) + ".\n")


class _Words(dict[int, str]):
    """A word of syllables for each rank; frequent words are short, and are cached."""

    def __missing__(self, rank: int) -> str:
        syllables, number = [], rank
        while True:
            number, vowel = divmod(number, len(VOWELS))
            number, consonant = divmod(number, len(CONSONANTS))
            syllables.append(CONSONANTS[consonant] + VOWELS[vowel])
            if not number:
                break
            number -= 1
        word = "".join(syllables)
        if rank % 50 == 7:
            word = word.capitalize()  # a name
        if rank < 1 << 17:
            self[rank] = word
        return word


# The work


def _prepare(options: argparse.Namespace) -> None:
    began = time.perf_counter()
    from attn_cli import config
    from attn_cli.data import corpus_reader, store
    from attn_cli.data.arrays import Storage
    from attn_cli.data.augmentation import augment
    from attn_cli.data.segmentation import segment_corpus
    from attn_cli.training.vocabulary import train_tokenizers

    stages: dict[str, float] = {}
    memory: dict[str, float] = {}
    text = options.folder / "text"
    forms = 0
    if options.count:
        every = config.AugmentationConfig(**dict.fromkeys(asdict(config.AugmentationConfig()), 0.2))
        data = config.DataConfig(
            augmentation=every if options.variants else config.AugmentationConfig()
        )
        recipe = replace(config.Recipe(), data=data)
        with _stage("read", stages, memory):
            corpus, _ = corpus_reader.read_parallel(
                options.folder / "source",
                options.folder / "target",
                corpus_reader.CorpusOptions(storage=Storage.create(text)),
            )
        with _stage("split", stages, memory):
            train, valid = corpus.split(data.valid_size, seed=1)
        del corpus
        with _stage("vocabulary", stages, memory):
            augmented, variants = augment(train, data.augmentation, seed=1)
            tokenizers = train_tokenizers(recipe, augmented, variants)
        forms = len(augmented.source.forms) + len(augmented.target.forms)
        with _stage("pieces", stages, memory):
            training, _ = segment_corpus(
                augmented, *tokenizers, sampling=options.sampling, augmentation=variants
            ).filter_lengths(max_length=data.max_length, max_ratio=data.max_ratio)
            validating = segment_corpus(valid, *tokenizers)
        with _stage("store", stages, memory):
            store.save(text, training, validating)
    disk = sum(path.stat().st_size for path in text.glob("*")) / MEBI if options.count else 0
    seconds = time.perf_counter() - began
    result = {"seconds": seconds, "stages": stages, "forms": forms, "disk": disk}
    private = max(memory.values(), default=0.0)
    print(json.dumps({**result, "private_of_stages": memory, "private": private}))


def _draw(options: argparse.Namespace) -> None:
    from attn_cli.data import store
    from attn_cli.data.batching import BatchIterator

    stages: dict[str, float] = {}
    memory: dict[str, float] = {}
    with _stage("open", stages, memory):
        text = store.load(options.folder / "text")
    with _stage("batches", stages, memory):
        batches = BatchIterator(text.train, tokens=2000, seed=1)
        pieces = sum(int(next(batches).target_length.sum()) for _ in range(BATCHES))
    print(json.dumps({**stages, "pieces": pieces, "private": max(memory.values())}))


@contextmanager
def _stage(name: str, stages: dict[str, float], memory: dict[str, float]) -> Iterator[None]:
    """Measure the block as a stage: CPU seconds, and the peak of private memory in MiB."""
    watch = _Watch()
    began = time.process_time()
    yield
    stages[name] = time.process_time() - began
    memory[name] = watch.end()


class _Watch:
    """Measures the peak of this process's private memory, from another process."""

    _CODE = """
import re, select, sys
most, pattern = 0, re.compile(r"RssAnon:\\s*(\\d+)")
while not select.select([sys.stdin], [], [], 0.05)[0]:
    with open(f"/proc/{sys.argv[1]}/status") as status:
        most = max(most, int(pattern.search(status.read())[1]))
print(most)
"""

    def __init__(self) -> None:
        self._process = None
        if sys.platform == "linux":
            command = [sys.executable, "-S", "-c", self._CODE, str(os.getpid())]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def end(self) -> float:
        """Stop, and return the peak in MiB."""
        return int(self._process.communicate()[0]) / 1024 if self._process else 0.0


if __name__ == "__main__":
    main()
