"""Pairs become tables of weights and links: from one aligner, or from one for each direction.

Knows no file and no terminal, and of an aligner only that it aligns.
"""

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
from attn_cli.types import HeadAlignment, InputLine, Translation, WordAlignment

#: How the links of a pair are read off its table.
Extract = Callable[[Translation], WordAlignment]


class AlignerProtocol(Protocol):
    """Whatever gives each pair a table of weights."""

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Each pair with its `alignment`, in order."""


@dataclass(frozen=True)
class DirectionalLinker:
    """The tables of one aligner, and their links."""

    aligner: AlignerProtocol
    extract: Extract

    def link(self, pairs: Sequence[InputLine]) -> list[tuple[Translation, WordAlignment]]:
        """Each pair with its links, in order."""
        return [(found, self.extract(found)) for found in self.aligner.align(pairs)]


@dataclass(frozen=True)
class SymmetrizedLinker:
    """Two aligners, the second of which reads targets and is forced along sources.

    With `harmonic_mean` their tables become one, and links are read off that. With any other method
    the table stays the first aligner's, and the links of both tables are symmetrised.
    """

    forward: AlignerProtocol
    reverse: AlignerProtocol
    extract: Extract
    method: Symmetrization

    def link(self, pairs: Sequence[InputLine]) -> list[tuple[Translation, WordAlignment]]:
        """Each pair with the links of both directions, in order."""
        there = self.forward.align(pairs)
        back = self.reverse.align(
            [InputLine(pair.line, pair.target, pair.source) for pair in pairs]
        )
        return [self._linked(*both) for both in zip(there, back, strict=True)]

    def _linked(self, there: Translation, back: Translation) -> tuple[Translation, WordAlignment]:
        if self.method == "soft":
            assert there.alignment is not None
            assert back.alignment is not None
            combined = replace(there, alignment=harmonic_mean(there.alignment, back.alignment))
            return combined, self.extract(combined)
        links = self.extract(there), transpose(self.extract(back))
        return there, symmetrize(*links, self.method)


@dataclass(frozen=True)
class RenormalizingAligner:
    """An aligner whose tables give all weight to words."""

    aligner: AlignerProtocol

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Each pair with its `alignment`, in order."""
        return [renormalize_tables(each) for each in self.aligner.align(pairs)]


@dataclass(frozen=True)
class PerHeadAligner:
    """An aligner, with the tables of a decoder's heads beside its own.

    `heads` are the layer and the number of each, and who aligns by it alone.
    """

    aligner: AlignerProtocol
    heads: Sequence[tuple[int, int, AlignerProtocol]]

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Each pair with its `alignment` and its `heads`, in order."""
        alone = [(layer, head, aligner.align(pairs)) for layer, head, aligner in self.heads]
        return [
            replace(
                found,
                heads=tuple(
                    HeadAlignment(layer, head, table)
                    for layer, head, tables in alone
                    if (table := tables[place].alignment) is not None
                ),
            )
            for place, found in enumerate(self.aligner.align(pairs))
        ]


@dataclass(frozen=True)
class VoteInterpolatedAligner:
    """The tables of an aligner, joined by the votes of a committee on pairs that it has seen.

    `votes` are of pairs by number, and `pair_of_line` says which pair a line is. A link weighs the
    mean of what both say of it. With `alone` the votes are all there is: they are the links, and
    the weights of a row are its votes, divided by their sum where that is more than 1.
    """

    aligner: AlignerProtocol
    votes: LinkTable
    pair_of_line: dict[int, int]
    alone: bool = False

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Each pair with its `alignment`, in order."""
        return [self._joined(found) for found in self.aligner.align(pairs)]

    def _joined(self, found: Translation) -> Translation:
        table, number = found.alignment, self.pair_of_line.get(found.line)
        if table is None or number is None:
            return found
        shape = {"n_target": len(table.target), "n_source": len(table.source)}
        votes = self.votes.to_matrices(np.array([number]), **shape)[0]
        if not votes.any():  # nobody voted on it, as on what is too long
            return found
        if not self.alone:
            links = (table.link_scores + votes) / 2
            return replace(found, alignment=replace(table, link_probs=links))
        weights = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
        unaligned = 1 - weights.sum(axis=1)
        voted = replace(table, weights=weights, unaligned=unaligned, link_probs=votes)
        return replace(found, alignment=voted)


def check_opposite(forward: Recipe, reverse: Recipe) -> None:
    """Raises ModelError where the two models are known not to go opposite ways."""
    wanted, given = (forward.target, forward.source), (reverse.source, reverse.target)
    if any(a and b and a != b for a, b in zip(wanted, given, strict=True)):
        raise ModelError(
            f"the reverse model {reverse.name} goes from {_named(given)}, "
            f"but the way back of {forward.name} is from {_named(wanted)}",
            "Name a model for the other direction.",
        )


def _named(languages: tuple[str, str]) -> str:
    return " to ".join(language or "?" for language in languages)
