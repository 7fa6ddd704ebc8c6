# python data/general/prepare.py FOLDER --out DIR --test FILE --test FILE
"""Make the training text of a general translator: read, clean, join, split.

Read every English-French file of FOLDER, clean the pairs source by source, add the pairs of
`everyday/`, and write

    DIR/train.tsv    English TAB French TAB source, in random order (one seed)
    DIR/valid.tsv    the same: pairs that share no sentence with train.tsv

A source is a file: NAME.tsv or NAME.txt (English TAB French; without --all, a third column 0
excludes a pair), NAME.en and NAME.fr (parallel lines, as in OPUS), NAME.po (gettext: msgid is
English), each also as NAME.gz, and the zip files of manythings.org/anki and of OPUS.

A pair that shares a sentence of four words or more, in either language, with a --test file is left
out. Test files are text, or TSV of which every column is read. A second run with the same files
writes the same bytes.
"""

import argparse
import csv
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "demo")]

from cleaning import LEFT_OUT, clean, key, problem, sentence_keys  # noqa: E402
from everyday.corpus import Pair as Phrase  # noqa: E402
from everyday.corpus import everyday  # noqa: E402
from sources import Pair, columns, read_folder  # noqa: E402

SEED = 2013
N_VALID = 2000
SHORTEST_SHARED = 4  # words of a sentence that counts as shared with a test

EVERYDAY = "everyday"

Row = tuple[str, str, str]


@dataclass
class Tally:
    """Counts of the pairs of each source: read, kept, left out by reason."""

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)

    def leave_out(self, source: str, reason: str) -> None:
        self.left_out.setdefault(source, Counter())[reason] += 1

    def rows(self) -> Iterator[list[str]]:
        """Yield a table: a source on each row, a reason in each column, and their sums."""
        yield ["source", "read", *LEFT_OUT, "kept"]
        for source in self.read:
            out = self.left_out.get(source, Counter())
            numbers = [self.read[source], *(out[reason] for reason in LEFT_OUT), self.kept[source]]
            yield [source, *map(str, numbers)]
        total: Counter[str] = Counter()
        for out in self.left_out.values():
            total += out
        numbers = [
            self.read.total(),
            *(total[reason] for reason in LEFT_OUT),
            self.kept.total(),
        ]
        yield ["all", *map(str, numbers)]


def test_sentences(files: Iterable[Path]) -> set[str]:
    """Return the keys of the sentences of the test files that have four words or more."""
    return {
        sentence
        for path in files
        for row in columns(path)
        for cell in row
        for sentence in sentence_keys(cell, shortest=SHORTEST_SHARED)
    }


def select(pairs: Iterable[tuple[str, Pair]], tests: set[str], tally: Tally) -> list[Row]:
    """Return the cleaned pairs for training, each once, in their order."""
    known: set[tuple[str, str]] = set()
    rows = []
    for source, raw in pairs:
        tally.read[source] += 1
        english, french = clean(*raw)
        reason = problem(english, french)
        if not reason and tests and not tests.isdisjoint(_sentences((english, french, source))):
            reason = "in a test"
        if not reason:
            same = key(english), key(french)
            reason = "duplicate" if same in known and any(same) else ""
            known.add(same)
        if reason:
            tally.leave_out(source, reason)
        else:
            tally.kept[source] += 1
            rows.append((english, french, source))
    return rows


def select_everyday(tests: set[str], tally: Tally) -> list[Phrase]:
    """Return the everyday phrases, except those of a test."""
    phrases = []
    for pair in everyday():
        tally.read[EVERYDAY] += 1
        if tests.isdisjoint(_sentences((pair.english, pair.french, EVERYDAY))):
            tally.kept[EVERYDAY] += 1
            phrases.append(pair)
        else:
            tally.leave_out(EVERYDAY, "in a test")
    return phrases


def split(rows: Sequence[Row], rng: random.Random, *, n_valid: int) -> tuple[list[Row], list[Row]]:
    """Split into training and validation pairs that share no sentence.

    Validation pairs are sampled from those whose sides occur once; training pairs that share a
    sentence with them are left out.
    """
    keys = [(key(english), key(french)) for english, french, _ in rows]
    english, french = (Counter(pair[side] for pair in keys) for side in (0, 1))
    fit = [
        place
        for place, (source, target) in enumerate(keys)
        if english[source] == french[target] == 1 and len(source.split()) >= SHORTEST_SHARED
    ]
    held_out = set(rng.sample(fit, min(n_valid, len(fit) // 10)))
    valid = [rows[place] for place in sorted(held_out)]
    sentences = {sentence for row in valid for sentence in _sentences(row)}
    train = [
        row
        for place, row in enumerate(rows)
        if place not in held_out and sentences.isdisjoint(_sentences(row))
    ]
    return train, valid


def _sentences(row: Row) -> set[str]:
    """Return the keys of a pair's sentences of four words or more, in both languages."""
    english, french, _ = row
    of_english = sentence_keys(english, shortest=SHORTEST_SHARED)
    return of_english | sentence_keys(french, shortest=SHORTEST_SHARED)


def write(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write TSV; no cell has a character that would need escaping."""
    text = "".join("\t".join(row) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of English-French files")
    parser.add_argument("--out", type=Path, required=True, help="folder of train.tsv and valid.tsv")
    parser.add_argument("--test", type=Path, action="append", default=[], nargs="+",
                        help="files whose sentences stay out of the text")  # fmt: skip
    parser.add_argument("--all", action="store_true",
                        help="pairs outside of the balanced selection too")  # fmt: skip
    parser.add_argument("--valid", type=int, default=N_VALID, help="validation pairs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if not options.folder.is_dir():
        raise SystemExit(f"there is no folder {options.folder}: name one with English-French files")
    tests = [path for group in options.test for path in group]
    if missing := [path for path in tests if not path.is_file()]:
        raise SystemExit(f"there is no file {missing[0]}: name the tests with --test")
    test_keys = test_sentences(tests)
    tally = Tally()
    rows = select(read_folder(options.folder, everything=options.all), test_keys, tally)
    if not rows:
        raise SystemExit(f"no English-French pairs in {options.folder}: see the README beside this")

    rng = random.Random(SEED)
    train, valid = split(rows, rng, n_valid=options.valid)
    phrases = select_everyday(test_keys, tally)
    train += [(pair.english, pair.french, EVERYDAY) for pair in phrases for _ in range(pair.times)]
    rng.shuffle(train)

    options.out.mkdir(parents=True, exist_ok=True)
    write(options.out / "train.tsv", train)
    write(options.out / "valid.tsv", valid)
    csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows(tally.rows())
    print(f"{len(train)} training and {len(valid)} validation pairs")


if __name__ == "__main__":
    main()
