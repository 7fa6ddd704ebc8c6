"""A lexicon from word links: how often two words are linked, and two conditional probabilities.

The maximum likelihood estimates of Koehn, Och & Marcu 2003, section 4:
p(t | s) = c(s, t) / Σ_t' c(s, t'), from the links of a corpus. Words without links do not count.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from attn_cli.types import WordAlignment


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """Two words that are linked `count` times, p(target | source) and p(source | target)."""

    source: str
    target: str
    count: int
    target_given_source: float
    source_given_target: float


class Lexicon:
    """Counts of linked words. Its memory grows with the number of different pairs of words."""

    def __init__(self) -> None:
        self._pairs: Counter[tuple[str, str]] = Counter()

    def add(
        self,
        source: Sequence[str],
        target: Sequence[str],
        links: WordAlignment,
        *,
        threshold: float = 0.0,
    ) -> None:
        """Count the links of a pair of sentences whose score, if any, is at least `threshold`.

        Raises IndexError for a link to a word outside of the sentences.
        """
        for link in links.links:
            if links.scores.get(link, 1.0) >= threshold:
                s, t = link
                self._pairs[source[s], target[t]] += 1

    def entries(self, *, min_count: int = 1, min_prob: float = 0.0) -> Iterator[LexiconEntry]:
        """Yield the entries, most frequent first, then in alphabetical order.

        `min_prob` is a minimum for the larger of both probabilities. Entries that are left out
        count in the probabilities of the others.
        """
        sources: Counter[str] = Counter()
        targets: Counter[str] = Counter()
        for (source, target), count in self._pairs.items():
            sources[source] += count
            targets[target] += count
        for (source, target), count in sorted(
            self._pairs.items(), key=lambda item: (-item[1], item[0])
        ):
            entry = LexiconEntry(
                source, target, count, count / sources[source], count / targets[target]
            )
            prob = max(entry.target_given_source, entry.source_given_target)
            if count >= min_count and prob >= min_prob:
                yield entry
