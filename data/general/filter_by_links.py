# python data/general/filter_by_links.py DIR
"""Leave out pairs whose words find no partners, and add words alone, by the votes of aligners.

Reads what `prepare.py` wrote into DIR, and DIR/train.links: the links of its training text as attn
writes them, with the share of the votes of each. Where there is no such file, the aligners of
`attn align --fit` vote on the text first, which takes longest, and their links are left there.
Writes for each direction, in the order of its languages,

    DIR/en-fr.tsv DIR/en-fr.valid.tsv    source TAB target
    DIR/fr-en.tsv DIR/fr-en.valid.tsv
    DIR/en-fr.links DIR/fr-en.links      the links of the training text, for guided alignment

A pair stays where at least `SHARE` of its words have a link of `SURE` votes. Behind the pairs stand
the words of the source language that are linked often, each beside the word that it is linked to
most: alone and as a sentence, as in data/tatoeba/lexicon.py.
"""

import argparse
import bisect
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tatoeba")]

from lexicon import LINKS_OF_SAID, dictionary, linked, said, turned  # noqa: E402

from attn_cli.alignment import statistical  # noqa: E402
from attn_cli.alignment.pharaoh import parse_links  # noqa: E402
from attn_cli.data.literals import LiteralRules  # noqa: E402
from attn_cli.data.words import split  # noqa: E402
from attn_cli.files import atomic  # noqa: E402
from attn_cli.types import WordAlignment  # noqa: E402

SURE = 0.7  # share of the votes of a link that counts
SHARE = 0.26  # of the words of a pair
FEWEST = 5  # words of a side that are evidence of anything
OURS = "everyday"  # the source that needs no check
OFTEN = 20  # times that two words of the dictionary are linked at least

Row = tuple[str, str, str]


def share_linked(english: str, french: str, links: WordAlignment) -> float:
    """The share of the words with a sure link, the mean of both sides.

    Marks count for nothing, nor does a side of few words; it is 1 where neither has enough.
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
    """English, French and source of each line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(english, french, source) for english, french, source in (x.split("\t") for x in lines)]


def votes(pairs: Sequence[Row], *, workers: int) -> list[str]:
    """The links that the committee of aligners votes for, a line a pair."""
    sides = ([[word.text for word in split(row[side])] for row in pairs] for side in (0, 1))
    table = statistical.collect_votes(*sides, seed=1, workers=workers)
    return [
        " ".join(f"{s}-{t}:{weight:.4g}" for (s, t), weight in sorted(table.links(pair).items()))
        for pair in range(len(table))
    ]


def with_partners(
    pairs: Sequence[Row], links: Sequence[str], *, share: float = SHARE
) -> Iterator[tuple[Row, str]]:
    """The pairs whose words have partners, and our own, with their links."""
    for number, (row, text) in enumerate(zip(pairs, links, strict=True), start=1):
        found = parse_links(text, where=f"line {number}")
        if row[2] == OURS or share_linked(row[0], row[1], found) >= share:
            yield row, text


def over_literals(source: str, target: str, links: str, literals: LiteralRules) -> str:
    """Links over plain words as links over words of which each literal is one.

    So `train.guided_alignment` wants them where `tokenizer.literals` is on. A word of several plain
    ones has the surest of their links.
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
    """For each plain word the index of the word that holds it where literals are words."""
    ends = [word.end for word in split(text, literals)]
    return [bisect.bisect_right(ends, word.start) for word in split(text)]


def write(path: Path, pairs: Sequence[tuple[str, str]], *, reverse: bool) -> None:
    lines = (f"{b}\t{a}\n" if reverse else f"{a}\t{b}\n" for a, b in pairs)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="what prepare.py wrote")
    parser.add_argument("--share", type=float, default=SHARE, help="words of a pair with a link")
    parser.add_argument("--workers", type=int, default=2, help="aligners that run at a time")
    options = parser.parse_args(arguments)
    folder = options.folder

    train = rows(folder / "train.tsv")
    voted = folder / "train.links"
    if not voted.exists():
        lines = votes(train, workers=options.workers)
        atomic.write_text(voted, "".join(f"{line}\n" for line in lines))
    links = voted.read_text(encoding="utf-8").splitlines()
    if len(links) != len(train):
        raise SystemExit(f"{voted} has other pairs than {folder / 'train.tsv'}: remove it")
    kept = list(with_partners(train, links, share=options.share))
    lost = Counter(row[2] for row in train) - Counter(row[2] for row, _ in kept)
    for source, number in lost.most_common():
        print(f"{source}\t{number}")
    print(f"{len(kept)} of {len(train)} pairs have partners")

    found = linked(iter([(english, french, text) for (english, french, _), text in kept]))
    pairs = [(english, french) for (english, french, _), _ in kept]
    valid = [(english, french) for english, french, _ in rows(folder / "valid.tsv")]
    for of, name in enumerate(("en-fr", "fr-en")):
        words = dictionary(found, of=of, often=OFTEN)
        alone = [pair for en, fr in words for pair in zip(said(en, 0), said(fr, 1), strict=True)]
        write(folder / f"{name}.tsv", pairs + alone, reverse=of == 1)
        write(folder / f"{name}.valid.tsv", valid, reverse=of == 1)
        literals = LiteralRules(*name.split("-"))
        of_pairs = [
            over_literals(
                *((row[1], row[0], turned(text)) if of else (row[0], row[1], text)), literals
            )
            for row, text in kept
        ]
        lines = [*of_pairs, *(LINKS_OF_SAID * len(words))]
        atomic.write_text(folder / f"{name}.links", "".join(f"{line}\n" for line in lines))
        print(f"{name}: {len(words)} words beside {len(pairs)} pairs")


if __name__ == "__main__":
    main()
