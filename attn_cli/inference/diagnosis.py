"""Add diagnostics to linked pairs, from their tables and those of a second aligner."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from attn_cli.alignment.diagnostics import diagnose
from attn_cli.inference.linkers import AlignerProtocol
from attn_cli.types import InputLine, SoftAlignment, Translation, WordAlignment

Linked = tuple[Translation, WordAlignment]


class LinkerProtocol(Protocol):
    """Adds a table and links to pairs."""

    def link(self, pairs: Sequence[InputLine]) -> list[Linked]:
        """Return each pair with its links, in order."""


@dataclass(frozen=True)
class DiagnosingLinker:
    """A linker whose translations have diagnostics; `other` aligns by another kind of weights."""

    linker: LinkerProtocol
    other: AlignerProtocol | None = None

    def link(self, pairs: Sequence[InputLine]) -> list[Linked]:
        """Return each pair with its links, in order."""
        linked = self.linker.link(pairs)
        return with_diagnostics(linked, self.other, pairs)


def with_diagnostics(
    linked: Sequence[Linked],
    other: AlignerProtocol | None,
    pairs: Sequence[InputLine] | None = None,
) -> list[Linked]:
    """Add the diagnostics of each translation; `pairs` are its lines, by default its own texts."""
    tables: Sequence[SoftAlignment | None] = [None] * len(linked)
    if other is not None:
        pairs = pairs or [InputLine(each.line, each.source, each.text) for each, _ in linked]
        tables = [each.alignment for each in other.align(pairs)]
    return [
        (_add_diagnostics(translation, links, table), links)
        for (translation, links), table in zip(linked, tables, strict=True)
    ]


def _add_diagnostics(
    translation: Translation, links: WordAlignment, other: SoftAlignment | None
) -> Translation:
    if translation.alignment is None:
        return translation
    return replace(translation, diagnostics=diagnose(translation.alignment, links, other))
