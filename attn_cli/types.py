"""The immutable values that the packages exchange. Read this file first.

Letters used here and in every shape comment of the project:
    B batch rows   K beam   N live rows (at most B·K)   S source positions   T target positions
    D width        V vocabulary   C candidates a row
Batch first everywhere; masks are bool and True means a real token.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.choices import Level

#: The kinds of tables: a `MatrixKind`, or the self-attention of one side.
TableKind = Literal["attention", "alignment", "encoder self-attention", "decoder self-attention"]

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

DecodingMode = Literal["decoded", "forced"]

#: The first four ids of every vocabulary.
PAD, BOS, EOS, UNK = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class InputLine:
    """A line to translate, or a pair of lines to align; `line` is its number, from 1.

    `extra` are the fields of its JSONL record, copied to the output.
    """

    line: int
    source: str
    target: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its span in the text: `text == raw[start:end]`."""

    text: str
    start: int
    end: int


class CopiedLiteral(NamedTuple):
    """A literal of a line: its placeholder piece, its word, and its form in the target."""

    id: int
    word: int
    text: str


class Crossing(NamedTuple):
    """A piece that crosses words: its index, the index of a word, and its share in this word.

    The shares of a piece sum to 1.
    """

    piece: int
    word: int
    share: float


@dataclass(frozen=True, slots=True)
class TokenizedLine:
    """One line as the pieces that a network reads, and the word of each piece.

    `ids` (n,) int32 ends with EOS; `pieces` (n,) are their printable forms; `word_ids` (n,) int32
    are the indices of their words in `words`, -1 for EOS; the pieces of a word are adjacent. In a
    decoded text or a line of a tokenizer of raw lines, a piece may belong to several words,
    `crossing`, and of the latter a word may have no piece. `literals` are the words that
    placeholders replace; with `has_only_literals`, no other word is translated.
    """

    raw: str
    ids: IntArray
    pieces: tuple[str, ...]
    word_ids: IntArray
    words: tuple[Word, ...]
    literals: tuple[CopiedLiteral, ...] = ()
    has_only_literals: bool = False
    crossing: tuple[Crossing, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.pieces) == len(self.word_ids)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One target sentence, from a search or from forced decoding.

    `ids` (T,) end with EOS; `token_logp` (T,) are natural logarithms; `score` is the
    length-normalized log-probability that ranks hypotheses in a search; `weights` (T, S) are
    attention weights over source pieces, EOS included.
    """

    ids: IntArray
    score: float
    token_logp: FloatArray
    weights: FloatArray | None = None

    @property
    def mean_logp(self) -> float:
        """The log-probability per piece, EOS included: the `score` of a JSONL record."""
        return float(self.token_logp.mean()) if len(self.token_logp) else 0.0


@dataclass(frozen=True, slots=True)
class SoftAlignment:
    """A matrix of weights: a row for each target word, a column for each source word.

    `weights` (T, S) and `unaligned` (T,): each row and its unaligned share (the mass on EOS or on
    NULL) sum to 1. `kind` is the decoder's `attention` or the `alignment` of a word aligner; `mode`
    is `decoded` for a translation, `forced` for a known target. `link_probs` (T, S), if known, are
    the probabilities of links, from both directions; unlike weights they do not sum to 1.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: FloatArray
    unaligned: FloatArray
    kind: TableKind = "attention"
    level: Level = "word"
    mode: DecodingMode = "decoded"
    link_probs: FloatArray | None = None

    @classmethod
    def without_links(
        cls,
        source: tuple[str, ...],
        target: tuple[str, ...],
        *,
        kind: TableKind,
        level: Level,
        mode: DecodingMode,
    ) -> "SoftAlignment":
        """Return a table whose target words are all unaligned."""
        weights, unaligned = np.zeros((len(target), len(source)), np.float32), np.ones(len(target))
        probs = np.zeros_like(weights) if kind == "alignment" else None
        return cls(source, target, weights, unaligned.astype(np.float32), kind, level, mode, probs)

    def is_masked(self, row: int, column: int) -> bool:
        """Return whether the cell is masked: of a later word, in the decoder's self-attention."""
        return self.kind == "decoder self-attention" and column > row

    @property
    def link_scores(self) -> FloatArray:
        """The probability (T, S) of a link in each cell if known, else the weight."""
        return self.weights if self.link_probs is None else self.link_probs

    def __post_init__(self) -> None:
        shape = (len(self.target), len(self.source))
        assert self.weights.shape == shape, (self.weights.shape, shape)
        if self.link_probs is not None:
            assert self.link_probs.shape == shape, (self.link_probs.shape, shape)
        assert self.unaligned.shape == (len(self.target),), self.unaligned.shape


class HeadId(NamedTuple):
    """An attention head: its `layer` and its number `head` in it, both from 1."""

    layer: int
    head: int


@dataclass(frozen=True, slots=True)
class HeadAlignment:
    """The matrix of one attention head: its `layer` and its number `head` in it, both from 1."""

    layer: int
    head: int
    alignment: SoftAlignment


@dataclass(frozen=True, slots=True)
class WordAlignment:
    """Hard word alignment of one pair: `links` are (source, target) indices, 0-based.

    `scores` are the known scores of links: probabilities, weights or shares of votes. A link
    outside the sentence fails an assertion; readers of files raise `DataError` with the line number
    before.
    """

    links: frozenset[tuple[int, int]]
    n_source: int
    n_target: int
    scores: dict[tuple[int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert all(0 <= s < self.n_source and 0 <= t < self.n_target for s, t in self.links)

    def sorted_links(self) -> list[tuple[int, int]]:
        """Return the links in the order of output: by target word, then by source word."""
        return sorted(self.links, key=lambda link: (link[1], link[0]))


@dataclass(frozen=True, slots=True)
class GoldAlignment:
    """Human links of one pair, 0-based: `sure` is a subset of `possible` (Och & Ney 2003)."""

    sure: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]

    @classmethod
    def from_links(
        cls, sure: Iterable[tuple[int, int]], possible: Iterable[tuple[int, int]]
    ) -> "GoldAlignment":
        """Return the gold alignment of two sets of links; adds sure links to the possible ones."""
        sure_links = frozenset(sure)
        return cls(sure_links, sure_links | frozenset(possible))


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Signs of translation errors in a table of weights. Larger numbers are worse.

    `coverage_deviation` is the mean deviation from 1 of the total weights of source words.
    `target_entropy` and `source_entropy`, in nats, are the mean entropies of the weights of target
    words and on source words. `unlinked_source` are the indices of source words without a link,
    `repeated_target` those of target words that repeat preceding words. `disagreement`, from 0 to
    1, is the distance of attention and word aligner; None if the model has only one of them.
    """

    coverage_deviation: float
    target_entropy: float
    source_entropy: float
    unlinked_source: tuple[int, ...]
    repeated_target: tuple[int, ...]
    disagreement: float | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """The result for one input line.

    `line` counts from 1. `hypotheses` are best first and `texts` are their plain forms;
    `alignment` belongs to the best. A blank line has no hypotheses and the text "".
    `source_words` are the words of `source` in order; `target_words` those of the best text.
    `word_logp` (T_words,) is the log-probability of each target word: the sum over its pieces.
    `unsure` are the indices of the target words of low probability, in order. `confidence`, from 0
    to 1, estimates the sentence chrF of `text`; None if the model is not calibrated.
    If requested, `heads` are the tables of the decoder's heads, layer by layer, `others` the tables
    of the model's other kinds of weights, and `is_flagged` is whether the confidence is too low;
    `diagnostics` and `is_flagged` are None if not requested.
    """

    line: int
    source: str
    text: str
    source_words: tuple[str, ...] = ()
    target_words: tuple[str, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    texts: tuple[str, ...] = ()
    alignment: SoftAlignment | None = None
    word_logp: tuple[float, ...] = ()
    unsure: tuple[int, ...] = ()
    confidence: float | None = None
    heads: tuple[HeadAlignment, ...] = ()
    others: tuple[SoftAlignment, ...] = ()
    diagnostics: Diagnostics | None = None
    is_flagged: bool | None = None


#: A line, its translation or pair, and the links of its words.
LineResult = tuple[InputLine, Translation, WordAlignment]


@dataclass(frozen=True, slots=True)
class ScoreFunction:
    """The function by which a head scores a key k_j against a query q_i.

    additive: e_ij = vᵀ g(q_i + k_j + w C_ij), where g is the `activation`, v (A,) the `vector`, and
    w (A,) the `coverage_vector`, None without coverage. dot: e_ij = `scale` · q_iᵀ k_j.
    """

    kind: Literal["additive", "dot"]
    scale: float = 1.0
    activation: str = ""
    vector: FloatArray | None = None
    coverage_vector: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class HeadSteps:
    """Steps 2 to 7 of one head, for each of T target pieces over S source pieces, ends included.

    energies (T, S) are the `score` of queries (T, A) and keys (S, A), with `coverage` (T, S) as its
    third argument, None without coverage. `bias` (T, S), of local attention, is added to the
    energies. probs (T, S) are the normalized energies; weights (T, S) are the same, or one-hot of
    hard attention. contexts (T, D) are weights times values (S, D). `layer` and `head` count from
    1.
    """

    layer: int
    head: int
    score: ScoreFunction
    queries: FloatArray
    keys: FloatArray
    values: FloatArray
    energies: FloatArray
    probs: FloatArray
    weights: FloatArray
    contexts: FloatArray
    coverage: FloatArray | None = None
    bias: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class AttentionSteps:
    """All steps of a network along a known target of T pieces.

    embeddings (S, E) and encoder states (S, D) of the source; `heads`, layer by layer; contexts
    (L, T, D), the output of each layer's attention; logp (T, V), natural logarithms.
    """

    embeddings: FloatArray
    states: FloatArray
    heads: tuple[HeadSteps, ...]
    contexts: FloatArray
    logp: FloatArray


@dataclass(frozen=True, slots=True)
class Explanation:
    """The eight steps of attention on one sentence, and its table.

    `source` and `target` are the lines in pieces. `head_indices` select the heads of `steps`
    whose mean weights, merged over words, are the `table`. `candidates` are the most probable
    pieces and their probabilities at each of T target pieces; probs (T,) are the probabilities of
    the target pieces. `formulas` are those of the eight steps, in the paper's symbols.
    """

    model: str
    attention: str
    normalizer: str
    formulas: tuple[str, ...]
    source: TokenizedLine
    target: TokenizedLine
    steps: AttentionSteps
    head_indices: tuple[int, ...]
    table: SoftAlignment
    candidates: tuple[tuple[tuple[str, float], ...], ...]
    probs: tuple[float, ...]
