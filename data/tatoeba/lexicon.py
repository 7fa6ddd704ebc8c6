# python data/tatoeba/lexicon.py LINKS
"""Add a small dictionary to the training text: single words and their translations.

Few sentences of Tatoeba are one word, but users translate single words. Each word of a language is
paired with the word of the other that it is linked to most often: alone, and as a sentence with
either mark. Reads train.en and train.fr in this folder, and their links as attn prints them. Writes
that text and then the words: of English in en-fr.en and en-fr.fr, of French in fr-en.fr and
fr-en.en; and their links in en-fr.links and fr-en.links.

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
OFTEN = 3  # minimum links of two words
SURE = 0.3  # minimum score of a link
MIN_SHARE = 0.2  # of a word's links

#: The links of the pairs that `examples` makes of a word and its translation.
EXAMPLE_LINKS = ("0-0", "0-0 1-1", "0-0 1-1")

Pair = tuple[str, str]


def count_links(lines: Iterator[tuple[str, str, str]]) -> Counter[Pair]:
    """Count how often two words of letters are linked, except the first of a sentence."""
    counts: Counter[Pair] = Counter()
    for number, (english, french, text) in enumerate(lines, start=1):
        words = [
            [form.strip() for form in surface_forms(split(side))] for side in (english, french)
        ]
        links = parse_links(text, where=f"line {number}")
        sure = [link for link in links.links if links.scores.get(link, 1.0) >= SURE]
        sources, targets = Counter(s for s, _ in sure), Counter(t for _, t in sure)
        for s, t in sure:
            pair = words[0][s], words[1][t]
            alone = sources[s] == targets[t] == 1  # not part of a phrase
            if s and t and alone and all(word.isalpha() for word in pair):
                counts[pair] += 1
    return counts


def dictionary(counts: Counter[Pair], *, of: int, often: int = OFTEN) -> list[Pair]:
    """Return the words of side `of` with the word each is linked to most, at least `often`."""
    totals: Counter[str] = Counter()
    best: dict[str, Pair] = {}
    for pair, count in counts.most_common():
        totals[pair[of]] += count
        best.setdefault(pair[of], pair)
    return [
        pair
        for word, pair in sorted(best.items())
        if counts[pair] >= often and counts[pair] >= MIN_SHARE * totals[word]
    ]


def transpose(links: str) -> str:
    """Exchange source and target of links."""
    return re.sub(r"(\d+)-(\d+)", r"\2-\1", links)


def examples(word: str, side: int) -> list[str]:
    """Return the word alone, and as a sentence of English (side 0) or French (1)."""
    sentence = word[:1].upper() + word[1:]
    return [word, f"{sentence}.", f"{sentence}{('!', ' !')[side]}"]


def main() -> None:
    languages = ("en", "fr")
    text = [(HERE / f"train.{side}").read_text("utf-8").splitlines() for side in languages]
    links = Path(sys.argv[1]).read_text("utf-8").splitlines()
    counts = count_links(zip(*text, links, strict=True))
    for of, name in enumerate(("en-fr", "fr-en")):
        words = dictionary(counts, of=of)
        for side, language in enumerate(languages):
            lines = [*text[side], *(line for pair in words for line in examples(pair[side], side))]
            out = HERE / f"{name}.{language}"
            out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        text_links = links if of == 0 else [transpose(line) for line in links]
        alone = EXAMPLE_LINKS * len(words)
        text_of_links = "".join(f"{line}\n" for line in [*text_links, *alone])
        (HERE / f"{name}.links").write_text(text_of_links, encoding="utf-8")
        print(f"{name}: {len(words)} words added to {len(links)} sentences")


if __name__ == "__main__":
    main()
