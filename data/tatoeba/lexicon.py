# python data/tatoeba/lexicon.py LINKS
"""Adds a small dictionary to the training text: words alone beside the word they are linked to.

Hardly any sentence of Tatoeba is one word, but people ask a translator for one. Each word of a
language stands beside the word of the other that it is linked to most often: as it is, and as a
sentence with either mark. Reads train.en and train.fr beside itself, and their links as attn prints
them. Writes that text and behind it the words: of English in en-fr.en and en-fr.fr, of French in
fr-en.fr and fr-en.en; and in en-fr.links and fr-en.links what is linked to what.

    attn align --fit --source data/tatoeba/train.en --target data/tatoeba/train.fr \\
        --format pharaoh --scores --output data/tatoeba/train.links
    python data/tatoeba/lexicon.py data/tatoeba/train.links
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from attn_cli.alignment.pharaoh import parse_links
from attn_cli.data.words import split, surface_forms

HERE = Path(__file__).resolve().parent
OFTEN = 3  # times that two words are linked at least
SURE = 0.3  # score of a link that counts
ENOUGH = 0.2  # share of a word's links

#: The links of the pairs that `said` makes of a word and its translation.
LINKS_OF_SAID = ("0-0", "0-0 1-1", "0-0 1-1")

Pair = tuple[str, str]


def linked(lines: Iterator[tuple[str, str, str]]) -> Counter[Pair]:
    """How often a word of letters inside a sentence is linked to one inside the other."""
    found: Counter[Pair] = Counter()
    for number, (english, french, text) in enumerate(lines, start=1):
        words = [
            [form.strip() for form in surface_forms(split(side))] for side in (english, french)
        ]
        links = parse_links(text, where=f"line {number}")
        sure = [link for link in links.links if links.scores.get(link, 1.0) >= SURE]
        sources, targets = Counter(s for s, _ in sure), Counter(t for _, t in sure)
        for s, t in sure:
            pair = words[0][s], words[1][t]
            alone = sources[s] == targets[t] == 1  # part of no phrase
            if s and t and alone and all(word.isalpha() for word in pair):
                found[pair] += 1
    return found


def dictionary(found: Counter[Pair], *, of: int, often: int = OFTEN) -> list[Pair]:
    """Each word of that side and what it is linked to most, and so often at least."""
    totals: Counter[str] = Counter()
    best: dict[str, Pair] = {}
    for pair, count in found.most_common():
        totals[pair[of]] += count
        best.setdefault(pair[of], pair)
    return [
        pair
        for word, pair in sorted(best.items())
        if found[pair] >= often and found[pair] >= ENOUGH * totals[word]
    ]


def turned(links: str) -> str:
    """Links of target and source."""
    return re.sub(r"(\d+)-(\d+)", r"\2-\1", links)


def said(word: str, side: int) -> list[str]:
    """The word alone, and as a sentence of English or French."""
    sentence = word[:1].upper() + word[1:]
    return [word, f"{sentence}.", f"{sentence}{('!', ' !')[side]}"]


def main() -> None:
    languages = ("en", "fr")
    text = [(HERE / f"train.{side}").read_text("utf-8").splitlines() for side in languages]
    links = Path(sys.argv[1]).read_text("utf-8").splitlines()
    found = linked(zip(*text, links, strict=True))
    for of, name in enumerate(("en-fr", "fr-en")):
        words = dictionary(found, of=of)
        for side, language in enumerate(languages):
            lines = [*text[side], *(line for pair in words for line in said(pair[side], side))]
            out = HERE / f"{name}.{language}"
            out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        known = links if of == 0 else [turned(line) for line in links]
        alone = LINKS_OF_SAID * len(words)
        text_of_links = "".join(f"{line}\n" for line in [*known, *alone])
        (HERE / f"{name}.links").write_text(text_of_links, encoding="utf-8")
        print(f"{name}: {len(words)} words beside {len(links)} sentences")


if __name__ == "__main__":
    main()
