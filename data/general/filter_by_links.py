# python data/general/filter_by_links.py DIR
"""Leave out pairs with few linked words, and add single words, by the votes of aligners.

Reads the files of `prepare.py` in DIR, and DIR/train.links: the links of the training text as attn
writes them, with their shares of the votes. If that file is missing, the aligners of `attn align
--fit` write it first, which takes most of the time. Writes for each direction, in the order of its
languages,

    DIR/en-fr.tsv DIR/en-fr.valid.tsv    source TAB target
    DIR/fr-en.tsv DIR/fr-en.valid.tsv
    DIR/en-fr.links DIR/fr-en.links      the links of the training text, for guided alignment

A pair stays if at least `SHARE` of its words have a link of `SURE` votes. After the pairs follow
the words of the source language that are linked often, with the word that each is linked to most:
alone and as a sentence, as in data/tatoeba/lexicon.py.

--repeat SOURCE=TIMES writes each pair of the sources whose names begin so that many times, for a
model that writes more of what they have. --truecase MODEL writes the source side of the direction
of MODEL in true case, for its vocabulary: as a model with `decode.truecase` reads it. --out writes
into another folder than DIR.
"""

import argparse
import bisect
import functools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tatoeba")]

from lexicon import EXAMPLE_LINKS, count_links, dictionary, examples, transpose  # noqa: E402

from attn_cli.alignment import statistical  # noqa: E402
from attn_cli.alignment.pharaoh import parse_links  # noqa: E402
from attn_cli.bundles.bundle import open_bundle  # noqa: E402
from attn_cli.data.literals import LiteralRules  # noqa: E402
from attn_cli.data.tokenizer import Tokenizer  # noqa: E402
from attn_cli.data.words import split  # noqa: E402
from attn_cli.files import atomic  # noqa: E402
from attn_cli.types import WordAlignment  # noqa: E402

SURE = 0.7  # share of the votes of a link that counts
SHARE = 0.26  # of the words of a pair
FEWEST = 5  # minimum words of a side that counts
TRUSTED = "everyday"  # the source that is not checked
OFTEN = 20  # minimum links of two words of the dictionary

Row = tuple[str, str, str]


def share_linked(english: str, french: str, links: WordAlignment) -> float:
    """Return the share of the words with a sure link, the mean of both sides.

    Punctuation does not count, nor does a side of few words; 1 if both sides have few.
    """
    sure = [link for link in links.links if links.scores.get(link, 1.0) >= SURE]
    shares = []
    for side, text in enumerate((english, french)):
        words = {
            place for place, word in enumerate(split(text)) if any(map(str.isalnum, word.text))
        }
        if len(words) >= FEWEST:
            shares.append(len(words & {link[side] for link in sure}) / len(words))
    return sum(shares) / len(shares) if shares else 1.0


def rows(path: Path) -> list[Row]:
    """Read the English, French and source of each line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(english, french, source) for english, french, source in (x.split("\t") for x in lines)]


def votes(pairs: Sequence[Row], *, workers: int) -> list[str]:
    """Return the links of the committee of aligners, a line for each pair."""
    sides = ([[word.text for word in split(row[side])] for row in pairs] for side in (0, 1))
    table = statistical.collect_votes(*sides, seed=1, workers=workers)
    return [
        " ".join(f"{s}-{t}:{weight:.4g}" for (s, t), weight in sorted(table.links(pair).items()))
        for pair in range(len(table))
    ]


def select_linked(
    pairs: Sequence[Row], links: Sequence[str], *, share: float = SHARE
) -> Iterator[tuple[Row, str]]:
    """Yield the pairs with enough linked words, and those of `TRUSTED`, with their links."""
    for number, (row, text) in enumerate(zip(pairs, links, strict=True), start=1):
        alignment = parse_links(text, where=f"line {number}")
        if row[2] == TRUSTED or share_linked(row[0], row[1], alignment) >= share:
            yield row, text


def repeat(pairs: Sequence[tuple[Row, str]], times: Mapping[str, int]) -> Iterator[tuple[Row, str]]:
    """Yield each pair `times[prefix]` times if its source has a prefix in `times`, else once."""
    for row, text in pairs:
        counts = [count for prefix, count in times.items() if row[2].startswith(prefix)]
        yield from [(row, text)] * (counts[0] if counts else 1)


def _repeated(argument: str) -> tuple[str, int]:
    source, _, times = argument.partition("=")
    if not (source and times.isascii() and times.isdigit() and int(times)):
        raise argparse.ArgumentTypeError(f"{argument!r} is not SOURCE=TIMES, such as tatoeba=4")
    return source, int(times)


def merge_literals(source: str, target: str, links: str, literals: LiteralRules) -> str:
    """Convert links between plain words to links between words of which each literal is one.

    `train.guided_alignment` needs these with `tokenizer.literals`. A literal of several words has
    the link of the most votes.
    """
    sides = literals.match_for_training(source, target)
    if not any(sides):
        return links
    places = [
        _places(text, [(literal.start, literal.end) for literal in side])
        for text, side in zip((source, target), sides, strict=True)
    ]
    votes: dict[tuple[int, int], float] = {}
    for link in links.split():
        ends, vote = link.split(":")
        s, t = map(int, ends.split("-"))
        pair = places[0][s], places[1][t]
        votes[pair] = max(votes.get(pair, 0.0), float(vote))
    return " ".join(f"{s}-{t}:{vote:.4g}" for (s, t), vote in sorted(votes.items()))


def _places(text: str, literals: list[tuple[int, int]]) -> list[int]:
    """Return for each plain word the index of its word in a text with literals as words."""
    ends = [word.end for word in split(text, literals)]
    return [bisect.bisect_right(ends, word.start) for word in split(text)]


def _truecase(model: Path) -> tuple[str, Callable[[str], str]]:
    """Return the direction of a model, as en-fr, and the function from a line to its true case."""
    bundle = open_bundle(model)
    if not isinstance(bundle.source, Tokenizer):
        raise SystemExit(f"{model} has a vocabulary of another program")
    name = f"{bundle.recipe.source}-{bundle.recipe.target}"
    return name, functools.cache(bundle.source.truecase)  # many lines are repeated


def write(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    lines = (f"{source}\t{target}\n" for source, target in pairs)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="output folder of prepare.py")
    parser.add_argument("--share", type=float, default=SHARE, help="words of a pair with a link")
    parser.add_argument("--workers", type=int, default=2, help="aligners that run at a time")
    parser.add_argument("--repeat", type=_repeated, action="append", default=[],
                        metavar="SOURCE=TIMES", help="repeat the pairs of a source")  # fmt: skip
    parser.add_argument("--truecase", type=Path, action="append", default=[],
                        metavar="MODEL", help="write its source texts in true case")  # fmt: skip
    parser.add_argument("--out", type=Path, help="output folder [the folder itself]")
    options = parser.parse_args(arguments)
    folder, out = options.folder, options.out or options.folder
    out.mkdir(parents=True, exist_ok=True)

    train = rows(folder / "train.tsv")
    links_file = folder / "train.links"
    if not links_file.exists():
        lines = votes(train, workers=options.workers)
        atomic.write_text(links_file, "".join(f"{line}\n" for line in lines))
    links = links_file.read_text(encoding="utf-8").splitlines()
    if len(links) != len(train):
        raise SystemExit(f"{links_file} has other pairs than {folder / 'train.tsv'}: remove it")
    linked_pairs = list(select_linked(train, links, share=options.share))
    left_out = Counter(row[2] for row in train) - Counter(row[2] for row, _ in linked_pairs)
    for source, number in left_out.most_common():
        print(f"{source}\t{number}")
    print(f"{len(linked_pairs)} of {len(train)} pairs have linked words")

    counts = count_links((english, french, text) for (english, french, _), text in linked_pairs)
    linked_pairs = list(repeat(linked_pairs, dict(options.repeat)))
    truecase = dict(map(_truecase, options.truecase))
    valid = [(english, french) for english, french, _ in rows(folder / "valid.tsv")]
    for of, name in enumerate(("en-fr", "fr-en")):
        words = dictionary(counts, of=of, often=OFTEN)
        alone = [
            pair for en, fr in words for pair in zip(examples(en, 0), examples(fr, 1), strict=True)
        ]
        in_case = truecase.get(name, str)
        pairs = [(in_case(row[of]), row[1 - of]) for row, _ in linked_pairs]
        alone = [(in_case(pair[of]), pair[1 - of]) for pair in alone]
        write(out / f"{name}.tsv", pairs + alone)
        write(out / f"{name}.valid.tsv", [(pair[of], pair[1 - of]) for pair in valid])
        literals = LiteralRules(*name.split("-"))
        lines = [
            merge_literals(*pair, transpose(text) if of else text, literals)
            for pair, (_, text) in zip(pairs, linked_pairs, strict=True)
        ]
        lines += EXAMPLE_LINKS * len(words)
        atomic.write_text(out / f"{name}.links", "".join(f"{line}\n" for line in lines))
        print(f"{name}: {len(words)} words added to {len(pairs)} pairs")


if __name__ == "__main__":
    main()
