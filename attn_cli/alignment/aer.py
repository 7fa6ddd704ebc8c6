"""Alignment error rate, precision, recall and F1, from the counts of a whole corpus.

Links and gold are 0-based.

Och & Ney (2003), "A Systematic Comparison of Various Statistical Alignment Models", section 6: with
A the proposed links, S the sure and P ⊇ S the possible gold links,

    recall = |A ∩ S| / |S|     precision = |A ∩ P| / |A|
    AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from attn_cli.types import GoldAlignment, WordAlignment


@dataclass(frozen=True, slots=True)
class AlignmentScore:
    """Agreement of links with gold, in percent, and the counts behind it.

    Without sure gold links recall is 100. Without proposed links precision is 0, or 100 if there
    are no gold links either.
    """

    pairs: int  # sentence pairs
    proposed: int  # |A|
    in_sure: int  # |A ∩ S|
    in_possible: int  # |A ∩ P|
    sure: int  # |S|
    possible: int  # |P|, the sure ones included
    gold_base: int = 0
    links_base: int = 0

    @property
    def aer(self) -> float:
        total = self.proposed + self.sure
        return 100 * (1 - (self.in_sure + self.in_possible) / total) if total else 0.0

    @property
    def precision(self) -> float:
        if not self.proposed:
            return 0.0 if self.sure else 100.0
        return 100 * self.in_possible / self.proposed

    @property
    def recall(self) -> float:
        return 100 * self.in_sure / self.sure if self.sure else 100.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def signature(self) -> str:
        """The data of the figures. As in the literature, `possible` excludes the sure links."""
        return (
            f"{self.pairs} pairs, {self.sure} sure, {self.possible - self.sure} possible, "
            f"base gold {self.gold_base} links {self.links_base}"
        )

    def summary(self) -> str:
        """Return one line of text: `AER 5.9 (P 97.5 R 89.7, 447 pairs, 4038 sure, …)`."""
        return f"AER {self.aer:.1f} (P {self.precision:.1f} R {self.recall:.1f}, {self.signature})"

    def record(self) -> dict[str, float | int | str]:
        """Return the fields of the JSON object, percentages to two decimals."""
        return {
            "score": round(self.aer, 2),
            "precision": round(self.precision, 2),
            "recall": round(self.recall, 2),
            "f1": round(self.f1, 2),
            "pairs": self.pairs,
            "signature": self.signature,
        }


def score_alignment(
    gold: Sequence[GoldAlignment],
    links: Sequence[WordAlignment],
    *,
    gold_base: int = 0,
    links_base: int = 0,
) -> AlignmentScore:
    """Score `links` against `gold`; both have an item for each pair.

    The bases are those of the files: they change no count, only the signature.
    """
    rows = list(zip(gold, links, strict=True))
    return AlignmentScore(
        pairs=len(rows),
        proposed=sum(len(proposed.links) for _, proposed in rows),
        in_sure=sum(len(proposed.links & pair.sure) for pair, proposed in rows),
        in_possible=sum(len(proposed.links & pair.possible) for pair, proposed in rows),
        sure=sum(len(pair.sure) for pair, _ in rows),
        possible=sum(len(pair.possible) for pair, _ in rows),
        gold_base=gold_base,
        links_base=links_base,
    )
