"""Link the words of pairs by the tables of one aligner, or of one for each direction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.pharaoh import transpose
from attn_cli.alignment.renormalization import renormalize_tables
from attn_cli.alignment.symmetrization import harmonic_mean, symmetrize
from attn_cli.choices import Symmetrization
from attn_cli.config import Recipe
from attn_cli.errors import ModelError
from attn_cli.types import HeadAlignment, HeadId, InputLine, Translation, WordAlignment

#: Extracts the links of a pair from its table.
Extract = Callable[[Translation], WordAlignment]


class AlignerProtocol(Protocol):
    """Adds a table of weights to pairs."""

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Return each pair with its `alignment`, in order."""


@dataclass(frozen=True)
class DirectionalLinker:
    """A linker by the tables of one aligner."""

    aligner: AlignerProtocol
    extract: Extract

    def link(self, pairs: Sequence[InputLine]) -> list[tuple[Translation, WordAlignment]]:
        """Return each pair with its links, in order."""
        return [(each, self.extract(each)) for each in self.aligner.align(pairs)]


@dataclass(frozen=True)
class SymmetrizedLinker:
    """A linker by two aligners, the second of which has targets as its sources.

    With the method `soft` the links are extracted from the harmonic mean of both tables, which is
    the table of the pair. With any other method the table is that of the first aligner, and the
    links of both tables are symmetrized.
    """

    forward: AlignerProtocol
    reverse: AlignerProtocol
    extract: Extract
    method: Symmetrization

    def link(self, pairs: Sequence[InputLine]) -> list[tuple[Translation, WordAlignment]]:
        """Return each pair with the links of both directions, in order."""
        forward = self.forward.align(pairs)
        reverse = self.reverse.align(
            [InputLine(pair.line, pair.target, pair.source) for pair in pairs]
        )
        return [self._combine(*both) for both in zip(forward, reverse, strict=True)]

    def _combine(
        self, forward: Translation, reverse: Translation
    ) -> tuple[Translation, WordAlignment]:
        if self.method == "soft":
            assert forward.alignment is not None
            assert reverse.alignment is not None
            mean = harmonic_mean(forward.alignment, reverse.alignment)
            combined = replace(forward, alignment=mean)
            return combined, self.extract(combined)
        links = self.extract(forward), transpose(self.extract(reverse))
        return forward, symmetrize(*links, self.method)


@dataclass(frozen=True)
class RenormalizingAligner:
    """An aligner whose tables have no unaligned weight."""

    aligner: AlignerProtocol

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Return each pair with its `alignment`, in order."""
        return [renormalize_tables(each) for each in self.aligner.align(pairs)]


@dataclass(frozen=True)
class PerHeadAligner:
    """An aligner that adds the tables of single attention heads to its own.

    `heads` are the heads, each with an aligner by that head alone.
    """

    aligner: AlignerProtocol
    heads: Sequence[tuple[HeadId, AlignerProtocol]]

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Return each pair with its `alignment` and its `heads`, in order."""
        by_head = [(head, aligner.align(pairs)) for head, aligner in self.heads]
        return [
            replace(
                each,
                heads=tuple(
                    HeadAlignment(*head, table)
                    for head, aligned in by_head
                    if (table := aligned[index].alignment) is not None
                ),
            )
            for index, each in enumerate(self.aligner.align(pairs))
        ]


@dataclass(frozen=True)
class VoteInterpolatedAligner:
    """An aligner interpolated with the votes of a committee of statistical aligners.

    `votes` are of pairs by index, and `pair_of_line` has the index of a line. The probability of a
    link is the mean of the aligner's and its share of votes. With `alone` it is its share of votes,
    and the weights of a row are its votes, divided by their sum where that is more than 1.
    """

    aligner: AlignerProtocol
    votes: LinkTable
    pair_of_line: dict[int, int]
    alone: bool = False

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Return each pair with its `alignment`, in order."""
        return [self._interpolate(each) for each in self.aligner.align(pairs)]

    def _interpolate(self, aligned: Translation) -> Translation:
        table, number = aligned.alignment, self.pair_of_line.get(aligned.line)
        if table is None or number is None:
            return aligned
        shape = {"n_target": len(table.target), "n_source": len(table.source)}
        votes = self.votes.to_matrices(np.array([number]), **shape)[0]
        if not votes.any():  # as of a pair that is too long to vote on
            return aligned
        if not self.alone:
            links = (table.link_scores + votes) / 2
            return replace(aligned, alignment=replace(table, link_probs=links))
        weights = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
        unaligned = 1 - weights.sum(axis=1)
        voted = replace(table, weights=weights, unaligned=unaligned, link_probs=votes)
        return replace(aligned, alignment=voted)


def check_opposite(forward: Recipe, reverse: Recipe) -> None:
    """Raise ModelError if the recipes name languages and these are not opposite directions."""
    opposite, actual = (forward.target, forward.source), (reverse.source, reverse.target)
    if any(a and b and a != b for a, b in zip(opposite, actual, strict=True)):
        raise ModelError(
            f"the reverse model {reverse.name} goes from {_direction(actual)}, "
            f"but the reverse of {forward.name} is from {_direction(opposite)}",
            "Name a model for the other direction.",
        )


def _direction(languages: tuple[str, str]) -> str:
    return " to ".join(language or "?" for language in languages)
