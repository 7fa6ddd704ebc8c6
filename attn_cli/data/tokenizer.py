"""A SentencePiece vocabulary, applied to one word at a time.

SentencePiece segments the *form* of a word: its text, with a space in front unless it touches the
word before (`words.surface_forms`). So no piece crosses a word boundary, and the word of each piece
is exact. Every vocabulary starts with PAD BOS EOS UNK (`types`), the placeholders of literals if it
has any, and the 256 bytes: a character without a piece is encoded as bytes, so nothing is UNK.
"""

import copy
import functools
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli import config
from attn_cli.choices import Case
from attn_cli.data import casing, words
from attn_cli.data import literals as literal_text
from attn_cli.data.literal_search import DIGIT_PATTERN, LiteralSpan
from attn_cli.data.literals import N_FIGURES, LiteralRules, NumberedLiteral
from attn_cli.data.piece_words import group_decoded
from attn_cli.data.sentencepiece_model import SPACE, Processor, load_processor, read_model
from attn_cli.data.spelling import TextBuilder, decode_utf8
from attn_cli.data.tokenized_lines import line_of_segments, line_of_tokens
from attn_cli.data.tokenizer_interface import DecodedText
from attn_cli.data.unknown_words import UnknownWordDetector
from attn_cli.data.vocabulary_layout import FIRST_PLACEHOLDER, has_layout
from attn_cli.data.word_rules import ALL_LANGUAGES, WordRules
from attn_cli.data.word_segmenter import WordSegmenter
from attn_cli.data.words import Span
from attn_cli.errors import ModelError
from attn_cli.types import BOS, EOS, PAD, UNK, CopiedLiteral, IntArray, TokenizedLine, Word


class Tokenizer(WordSegmenter):
    """One vocabulary: words → pieces, and pieces → text."""

    def __init__(
        self,
        processor: Processor,
        *,
        normalize_quotes: bool = False,
        detach_opening_marks: bool = False,
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> None:
        """Make a tokenizer of a processor whose vocabulary has the layout of `vocabulary_layout`.

        `train`, `load` and `from_bytes` check the layout. With `normalize_quotes`, typographic
        quotes and apostrophes are segmented as straight ones; with `detach_opening_marks`, words
        that touch an opening quote or bracket as behind a space (`words.surface_forms`). With
        `literals`, and a vocabulary with placeholders, the literals of a line are copied.
        """
        super().__init__(processor, normalize_quotes=normalize_quotes)
        self.rules = rules
        self._detach_opening_marks = detach_opening_marks
        self.literals = literals if self.placeholders else None

    def with_rules(self, rules: WordRules) -> "Tokenizer":
        """Return a tokenizer of the same vocabulary for text that other rules split into words."""
        if rules is self.rules:
            return self
        other = copy.copy(self)
        other.rules = rules
        return other

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        settings: config.TokenizerConfig,
        *,
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> "Tokenizer":
        """Train a tokenizer on the word forms of raw lines."""
        counts: Counter[str] = Counter()
        for line in lines:
            line_words = words.split(line, rules=rules)
            counts.update(
                words.surface_forms(line_words, detach_opening_marks=settings.detach_opening_marks)
            )
        return cls.train_on_counts(counts, settings, literals=literals, rules=rules)

    @classmethod
    def train_on_counts(
        cls,
        counts: Mapping[str, int],
        settings: config.TokenizerConfig,
        *,
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> "Tokenizer":
        """Train a tokenizer on word forms and their counts.

        See `train_model`. The vocabulary is smaller than `settings.vocab_size` if the forms have
        fewer pieces. Raises DataError if no form has a visible character, UsageError if
        `settings.vocab_size` is too small for the characters of the forms.
        """
        from attn_cli.data.tokenizer_training import train_model

        return cls.from_bytes(
            train_model(counts, settings),
            normalize_quotes=settings.normalize_quotes,
            detach_opening_marks=settings.detach_opening_marks,
            literals=literals,
            rules=rules,
        )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        normalize_quotes: bool = False,
        detach_opening_marks: bool = False,
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> "Tokenizer":
        """Load a tokenizer from a file. Raises ModelError if it is missing or of another kind."""
        return cls.from_bytes(
            read_model(path),
            where=str(path),
            normalize_quotes=normalize_quotes,
            detach_opening_marks=detach_opening_marks,
            literals=literals,
            rules=rules,
        )

    def save(self, path: Path) -> None:
        """Write the SentencePiece model, which SentencePiece itself can use too."""
        path.write_bytes(self.to_bytes())

    @classmethod
    def from_bytes(
        cls,
        model: bytes,
        *,
        where: str = "the tokenizer",
        normalize_quotes: bool = False,
        detach_opening_marks: bool = False,
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> "Tokenizer":
        """Load a serialized SentencePiece model; `where` names it in a ModelError."""
        processor = load_processor(model, where, "Copy the model again, or train another.")
        if not has_layout(processor):
            raise ModelError(
                f"{where} is a SentencePiece model of another program: "
                "it lacks the special ids, the 256 bytes or the space",
                "Train a tokenizer with attn train.",
            )
        return cls(
            processor,
            normalize_quotes=normalize_quotes,
            detach_opening_marks=detach_opening_marks,
            literals=literals,
            rules=rules,
        )

    def encode(
        self,
        raw: str,
        *,
        case: Case = "original",
        literals: Sequence[NumberedLiteral] | None = None,
    ) -> TokenizedLine:
        """Return a line as the network reads it: the pieces of its words, then EOS.

        Words and spans are those of `raw`; pieces spell its normalized form in that `case`. The
        `literals` have placeholders: by default those of `find_literals`, up to one without.
        """
        if literals is None:
            analysis = self._analyze(raw, case)
            numbered = literal_text.assign_placeholders(analysis.literals)
            return self._line(raw, numbered, case, analysis)
        return self._line(raw, literals, case)

    def encode_parts(
        self, raw: str, *, case: Case = "original", is_whole: bool = True
    ) -> list[TokenizedLine]:
        """Return the same in as many parts as are needed for every literal to have a placeholder.

        A line of literals alone is one part if it `is_whole`, not a part of another.
        """
        if self.literals is None:
            return [self.encode(raw, case=case)]
        analysis = self._analyze(raw, case)
        literals = analysis.literals
        numbered = literal_text.assign_placeholders(literals)
        line = self._line(raw, numbered, case, analysis)
        if len(numbered) == len(literals) or (is_whole and line.has_only_literals):
            return [line]
        parts: list[TokenizedLine] = []
        start = 0
        for cut in [*literal_text.cut_points(raw, literals), len(raw)]:
            parts += self.encode_parts(raw[start:cut].strip(), case=case, is_whole=False)
            start = cut
        return [part for part in parts if part.words]

    def find_literals(self, raw: str, *, case: Case = "original") -> list[LiteralSpan]:
        """Return what of a line is copied: its literals and its unknown words.

        Unknown are words in a script that the vocabulary lacks, and names of three pieces or more.
        """
        return self._analyze(raw, case).literals

    def unknown_share(self, raw: str, *, case: Case = "original") -> float:
        """Return the share of a line's letters in words unknown to the vocabulary, from 0 to 1.

        It segments them into bytes, into pieces of fewer than two letters on average, or has no
        longer piece in their script. Literals are left out; 0 for a line without a word.
        """
        literals = self.literals.find(raw) if self.literals is not None else []
        line_words = self._split(raw, literals)
        forms = self._forms(raw, line_words, case)
        starts = {literal.start for literal in literals}
        return self._unknown_words.share(zip(line_words, forms, strict=True), starts)

    def truecase(self, raw: str) -> str:
        """Return a line in true case, as `encode` reads it; literals and spaces as they are."""
        literals = self.literals.find(raw) if self.literals is not None else []
        line_words = self._split(raw, literals)
        forms = self._forms(raw, line_words, "truecase")
        starts = {literal.start for literal in literals}
        text = list(raw)
        for word, form in zip(line_words, forms, strict=True):
            if word.start not in starts:
                text[word.start : word.end] = form[-len(word.text) :]
        return "".join(text)

    def _forms(self, raw: str, line_words: Sequence[Word], case: Case) -> list[str]:
        """Return the forms of the words of a line in that case."""
        forms = words.surface_forms(line_words, detach_opening_marks=self._detach_opening_marks)
        if case == "lowercase":
            return casing.lowercase_forms(raw, line_words, forms)
        if case == "truecase":
            count = self._unknown_words.n_pieces
            return casing.truecase_forms(
                raw, line_words, forms, lambda form: count(self.segment(form))
            )
        return forms

    def _split(
        self, raw: str, literals: Sequence[LiteralSpan | NumberedLiteral]
    ) -> tuple[Word, ...]:
        spans = [(literal.start, literal.end) for literal in literals]
        return words.split(raw, spans, rules=self.rules)

    def _analyze(self, raw: str, case: Case) -> "_Analysis":
        """Find what of a line is copied: nothing without placeholders."""
        if self.literals is None:
            return _Analysis([], None)
        literals = self.literals.find(raw)
        line_words = self._split(raw, literals)
        lowercase = case == "lowercase"
        spans = self._unknown_words.spans(
            zip(line_words, self._forms(raw, line_words, "original"), strict=True),
            {literal.start for literal in literals},
            capitals=None if lowercase else self.literals.capital_places(raw, line_words),
        )
        if not (literals or spans):
            return _Analysis([], line_words)
        unknown = [LiteralSpan(*span, raw[slice(*span)], is_figure=False) for span in spans]
        return _Analysis(sorted([*literals, *unknown]), None)

    @functools.cached_property
    def _unknown_words(self) -> UnknownWordDetector:
        last = self._bytes[-1]
        return UnknownWordDetector(
            self._pieces, last_byte=last, space_id=self._space_id, segment=self.segment
        )

    @functools.cached_property
    def forbidden_pieces(self) -> NDArray[np.bool_]:
        """(V,) pieces that a translation with copied literals may not contain: digits and bytes."""
        never = np.zeros(self.vocab_size, bool)
        never[list(self._bytes)] = True
        never[[PAD, BOS, UNK]] = True
        ends = np.cumsum([len(piece) + 1 for piece in self._pieces])
        digits = re.finditer(DIGIT_PATTERN, "\n".join(self._pieces))
        never[np.searchsorted(ends, [digit.start() for digit in digits], "right")] = True
        never[list(self.placeholders)] = False
        return never

    @property
    def fallback_pieces(self) -> IntArray:
        """Pieces that any translation may need: EOS, placeholders, and bytes without literals."""
        bytes = () if self.literals else self._bytes
        return np.array([EOS, *self.placeholders, *bytes], np.int32)

    def _line(
        self,
        raw: str,
        numbered: Sequence[NumberedLiteral],
        case: Case,
        analysis: "_Analysis | None" = None,
    ) -> TokenizedLine:
        """Return the line with placeholders for the `numbered` ones of its literals."""
        line_words = analysis.words if analysis else None
        if line_words is None:
            line_words = self._split(raw, numbered)
        forms = self._forms(raw, line_words, case)
        if not numbered:
            segments = [self.segment(form) for form in forms]
            line = line_of_segments(raw, line_words, segments, self._pieces)
        else:
            assert self.literals is not None
            numbers = {literal.start: literal.number for literal in numbered}
            segments = []
            copied: list[CopiedLiteral] = []
            for index, (word, form) in enumerate(zip(line_words, forms, strict=True)):
                if (number := numbers.get(word.start)) is None:
                    segments.append(self.segment(form))
                    continue
                has_space = words.spaced_form(form).startswith(" ")
                segments.append(self.placeholder(number, has_space=has_space))
                text = self.literals.rewrite(word.text, is_figure=number < N_FIGURES)
                copied.append(CopiedLiteral(self.placeholders[number], index, text))
            line = replace(
                line_of_segments(raw, line_words, segments, self._pieces), literals=tuple(copied)
            )
        if self.literals and analysis and literal_text.covers_line(raw, analysis.literals):
            return replace(line, has_only_literals=True)
        return line

    def encode_tokens(self, tokens: Sequence[str]) -> TokenizedLine:
        """See `SubwordTokenizer.encode_tokens` and `line_of_tokens`."""
        return line_of_tokens(tokens, self.segment, self._pieces)

    def decode(
        self, ids: Sequence[int] | IntArray, source: TokenizedLine | None = None
    ) -> DecodedText:
        """Return the text of any ids of the vocabulary, and the word of each id.

        A placeholder becomes its literal of the `source`, or nothing if the source has none.

        Each piece is assigned to a word as in `words_of_pieces`. Any ids are valid: specials have
        no text, a byte that is not UTF-8 becomes U+FFFD as in SentencePiece, and the text is one
        line without space at either end.
        """
        id_list = np.asarray(ids, np.int64).tolist()
        text, spans, literals = self._spell(id_list, source)
        is_special = np.array([id <= UNK for id in id_list], bool)
        return group_decoded(text, spans, is_special, literals=literals, rules=self.rules)

    def _spell(
        self, ids: list[int], source: TokenizedLine | None
    ) -> tuple[str, list[Span], list[Span]]:
        """Return the text of ids, the span of each id in it, and the spans of literals."""
        copied = {each.id: each for each in source.literals} if source else {}
        text = TextBuilder(
            source.raw if source else "",
            source.words if source else (),
            attach_opening_marks=self._detach_opening_marks,
        )
        spans: list[Span] = []
        for is_byte, run in itertools.groupby(ids, self._bytes.__contains__):
            if is_byte:
                characters, sizes = decode_utf8(bytes(id - self._bytes[0] for id in run))
                for start, size in enumerate(sizes, text.add(characters)):
                    spans += [(start, start + 1)] * size
                continue
            for id in run:
                start = text.length
                if id in copied:
                    is_figure = id - FIRST_PLACEHOLDER < N_FIGURES
                    start = text.add_literal(copied[id], is_figure=is_figure)
                elif id > UNK and id not in self.placeholders:
                    start = text.add(self._pieces[id].replace(SPACE, " "))
                spans.append((start, text.length))
        return "".join(text.fragments), spans, text.literals


class _Analysis(NamedTuple):
    """What of a line is copied, and its words if nothing is."""

    literals: list[LiteralSpan]
    words: tuple[Word, ...] | None
