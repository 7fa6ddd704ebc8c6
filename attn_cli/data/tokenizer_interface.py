"""The interface of tokenizers: lines ↔ subword ids, and the word of each subword."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attn_cli.choices import Case
from attn_cli.data.literal_search import LiteralSpan
from attn_cli.data.literals import LiteralRules, NumberedLiteral
from attn_cli.types import Crossing, IntArray, TokenizedLine, Word

#: Segmentations of a word form, each with its natural log-probability.
ScoredSegmentations = list[tuple[tuple[int, ...], float]]


@dataclass(frozen=True, slots=True)
class DecodedText:
    """The text of a sequence of ids.

    `word_ids` (n,) int32 gives each id's index in `words`, -1 for PAD, BOS, EOS and UNK (and for
    all ids of a text without a word); it never decreases from one piece to the next. `crossing`
    holds the shares of the pieces that cross words.
    """

    text: str
    words: tuple[Word, ...]
    word_ids: IntArray
    crossing: tuple[Crossing, ...] = ()


class SubwordTokenizer(Protocol):
    """One vocabulary: lines → ids, and ids → text.

    Ids begin with PAD BOS EOS UNK (`types`). `placeholders` are the ids that stand for `literals`,
    which are copied; an empty range and None in a vocabulary without. `prefix_ids` begin every
    source line and belong to no word: the token of a target language, or none.
    """

    placeholders: range
    literals: LiteralRules | None

    @property
    def prefix_ids(self) -> tuple[int, ...]:
        """The ids that every source line begins with."""
        ...

    @property
    def vocab_size(self) -> int:
        """The number of ids."""
        ...

    @property
    def forbidden_pieces(self) -> NDArray[np.bool_]:
        """(V,) bool, the pieces that a translation with copied literals may not contain."""
        ...

    @property
    def fallback_pieces(self) -> IntArray:
        """The ids that a translation of any source may need."""
        ...

    def piece(self, id: int) -> str:
        """Return an id's printable form."""
        ...

    def segment(self, form: str) -> tuple[int, ...]:
        """Return the ids of one word form: `" love"`, or `"love"` without a space in front."""
        ...

    def candidates(self, form: str, n: int) -> ScoredSegmentations:
        """Return at most `n` segmentations of a form with their log-probabilities, best first."""
        ...

    def encode(
        self,
        raw: str,
        *,
        case: Case = "original",
        literals: Sequence[NumberedLiteral] | None = None,
    ) -> TokenizedLine:
        """Return a line as the network reads it in that `case`, EOS last."""
        ...

    def encode_parts(
        self, raw: str, *, case: Case = "original", is_whole: bool = True
    ) -> list[TokenizedLine]:
        """Return the same in as many parts as its literals need."""
        ...

    def encode_tokens(self, tokens: Sequence[str]) -> TokenizedLine:
        """Return a line of tokens that another program has split."""
        ...

    def find_literals(self, raw: str, *, case: Case = "original") -> list[LiteralSpan]:
        """Return what of a line is copied."""
        ...

    def unknown_share(self, raw: str, *, case: Case = "original") -> float:
        """Return the share of a line's letters in words unknown to the vocabulary, 0 to 1."""
        ...

    def decode(
        self, ids: Sequence[int] | IntArray, source: TokenizedLine | None = None
    ) -> DecodedText:
        """Return the text of any ids, and the word of each; literals of `source` are copied."""
        ...

    def to_bytes(self) -> bytes:
        """Return the serialized SentencePiece model."""
        ...


def is_same_vocabulary(one: SubwordTokenizer, other: SubwordTokenizer) -> bool:
    """Return whether both tokenizers have the same pieces under the same ids."""
    return one is other or (
        one.vocab_size == other.vocab_size
        and all(one.piece(id) == other.piece(id) for id in range(one.vocab_size))
        and one.to_bytes() == other.to_bytes()
    )
