"""A SentencePiece vocabulary, applied to one word at a time.

SentencePiece segments the *form* of a word: its text, with a space in front unless it touches the
word before (`words.surface_forms`). So no piece crosses a word boundary, and the word of each piece
is exact. Every vocabulary starts with PAD BOS EOS UNK (`types`), the placeholders of literals if it
has any, and the 256 bytes: a character without a piece is encoded as bytes, so nothing is UNK.

BPE's subword sampling: Provilkov et al. 2020, "BPE-Dropout".
"""

import copy
import functools
import itertools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from attn_cli import config
from attn_cli.data import casing, words
from attn_cli.data import literals as literal_text
from attn_cli.data.literal_search import DIGIT_PATTERN, LiteralSpan
from attn_cli.data.literals import (
    N_FIGURES,
    LiteralRules,
    NumberedLiteral,
)
from attn_cli.data.sentencepiece_model import (
    SPACE,
    load_processor,
    normalize_scores,
)
from attn_cli.data.spelling import STRAIGHT_QUOTES, TextBuilder, decode_utf8, replace_surrogates
from attn_cli.data.tokenizer_interface import DecodedText, ScoredSegmentations, segment_tokens
from attn_cli.data.tokenizer_training import (
    FIRST_PLACEHOLDER,
    MAX_FORM_LENGTH,
    PLACEHOLDER_PIECES,
    train_model,
)
from attn_cli.data.word_rules import ALL_LANGUAGES, WordRules
from attn_cli.errors import ModelError
from attn_cli.types import BOS, EOS, PAD, UNK, CopiedLiteral, IntArray, TokenizedLine, Word

_CACHED_FORMS = 1 << 16

#: A name is unknown that has as many letters and pieces, of fewer letters than this on average.
_SHORTEST_NAME, _FEWEST_PIECES, _LETTERS_PER_PIECE = 5, 3, 2.0
_LAST_LATIN = "\u02ff"

_DROPOUT = 0.1
_DRAWS_PER_CANDIDATE = 4


class Tokenizer:
    """One vocabulary: words → pieces, and pieces → text."""

    prefix_ids: tuple[int, ...] = ()

    def __init__(
        self,
        processor: sentencepiece.SentencePieceProcessor,
        *,
        normalize_quotes: bool = False,
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> None:
        """From a processor with our vocabulary; `train`, `load` and `from_bytes` see to that.

        With `normalize_quotes` typographic quotes and apostrophes are spelt as straight ones. With
        `literals`, and a vocabulary that has placeholders, what they find is copied.
        """
        self._processor = processor
        self._normalize_quotes = normalize_quotes
        self.rules = rules
        every_id = list(range(processor.vocab_size()))
        self._pieces: list[str] = processor.id_to_piece(every_id)
        self._scores: list[float] = processor.get_score(every_id)
        self._space_id: int = processor.piece_to_id(SPACE)
        first_byte = processor.piece_to_id(_byte_piece(0))
        self._bytes = range(first_byte, first_byte + 256)
        #: The ids of the placeholders, by number; none in a vocabulary without.
        self.placeholders = range(FIRST_PLACEHOLDER, first_byte)
        self.literals = literals if self.placeholders else None
        self._cached = functools.lru_cache(maxsize=_CACHED_FORMS)(self._segment)

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
            counts.update(words.surface_forms(words.split(line, rules=rules)))
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

        It has placeholders if `settings.literals` says so; marked forms are left out.

        No random number is drawn, and SentencePiece is given one thread, since its sums of floats,
        hence its bytes, differ with their number. The vocabulary is smaller than
        `settings.vocab_size` where the forms do not hold that many pieces.

        Raises DataError if there is no form with something to see, UsageError if the settings
        leave no room for the characters of the forms.
        """
        return cls.from_bytes(
            train_model(counts, settings),
            normalize_quotes=settings.normalize_quotes,
            literals=literals,
            rules=rules,
        )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        normalize_quotes: bool = False,
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> "Tokenizer":
        """Load a tokenizer from a file. Raises ModelError if it is missing or of another kind."""
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"cannot read the tokenizer {path}: {error.strerror}",
                "Check the name, or copy the model again.",
            ) from error
        return cls.from_bytes(
            model,
            where=str(path),
            normalize_quotes=normalize_quotes,
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
        literals: LiteralRules | None = None,
        rules: WordRules = ALL_LANGUAGES,
    ) -> "Tokenizer":
        """Load a serialized SentencePiece model; `where` names it in a ModelError."""
        processor = load_processor(model, where, "Copy the model again, or train another.")
        if not _has_our_special_tokens(processor):
            raise ModelError(
                f"{where} is a SentencePiece model of another program: "
                "it lacks the special ids, the 256 bytes or the space",
                "Train a tokenizer with attn train.",
            )
        return cls(processor, normalize_quotes=normalize_quotes, literals=literals, rules=rules)

    def to_bytes(self) -> bytes:
        """Return the serialized SentencePiece model."""
        model: bytes = self._processor.serialized_model_proto()
        return model

    @property
    def vocab_size(self) -> int:
        """Number of ids, at most `vocab_size` of the settings."""
        return len(self._pieces)

    def piece(self, id: int) -> str:
        """Return an id's printable form: `▁aime`, `<0xE2>`, `</s>`."""
        return self._pieces[id]

    def segment(self, form: str) -> tuple[int, ...]:
        """Return the ids of one word form (`" aime"`, or `"aime"`); never empty, never UNK."""
        return self._cached(form) if len(form) <= MAX_FORM_LENGTH else self._segment(form)

    def candidates(self, form: str, n: int) -> ScoredSegmentations:
        """Return at most `n` segmentations of a form, most probable first, for subword sampling.

        Each has its natural log-probability, normalized over those returned. Unigram: the n best
        under the model (Kudo 2018, section 3.2). BPE has no probabilities: the distinct outcomes of
        4·n draws of BPE-dropout (p = 0.1) with their relative frequencies, from the same random
        numbers for each form. Deterministic; a list of one where there is nothing to choose.
        """
        best = self.segment(form)
        if literal_text.placeholder_number(form) is not None:
            return [(best, 0.0)]
        if (
            n <= 1
            or len(form) > MAX_FORM_LENGTH
            or all(id in self._bytes or id == self._space_id for id in best)
        ):
            return [(best, 0.0)]
        return self._n_best(form, n) if self._has_n_best else self._sample(form, n)

    def encode(
        self,
        raw: str,
        *,
        lowercase: bool = False,
        literals: Sequence[NumberedLiteral] | None = None,
    ) -> TokenizedLine:
        """A line as the network reads it: the pieces of its words, then EOS.

        Words and spans are those of `raw`; pieces spell its normalized form, and with
        `lowercase`, for a line in capitals, that of `casing.lowercase_forms`. The `literals`
        have placeholders: by default those of the line that `find_literals` finds, as many as there
        are placeholders for.
        """
        if literals is None:
            survey = self._survey(raw, lowercase)
            return self._line(
                raw, literal_text.assign_placeholders(survey.literals), lowercase, survey
            )
        return self._line(raw, literals, lowercase)

    def encode_parts(
        self, raw: str, *, lowercase: bool = False, is_whole: bool = True
    ) -> list[TokenizedLine]:
        """The same in as many parts as are needed for every literal to have a placeholder.

        A whole line without anything to translate needs none: it is one part.
        """
        if self.literals is None:
            return [self.encode(raw, lowercase=lowercase)]
        survey = self._survey(raw, lowercase)
        literals = survey.literals
        placed = literal_text.assign_placeholders(literals)
        line = self._line(raw, placed, lowercase, survey)
        if len(placed) == len(literals) or (is_whole and line.has_only_literals):
            return [line]
        parts: list[TokenizedLine] = []
        start = 0
        for cut in [*literal_text.cut_points(raw, literals), len(raw)]:
            parts += self.encode_parts(raw[start:cut].strip(), lowercase=lowercase, is_whole=False)
            start = cut
        return [part for part in parts if part.words]

    def find_literals(self, raw: str, *, lowercase: bool = False) -> list[LiteralSpan]:
        """Return what of a line is copied: its literals and its unknown words.

        Unknown are words in a script that the vocabulary lacks, and names that it segments into
        pieces of one or two letters.
        """
        return self._survey(raw, lowercase).literals

    def unknown_share(self, raw: str, *, lowercase: bool = False) -> float:
        """The share of a line's letters in words that the vocabulary does not know, from 0 to 1.

        It spells them in bytes, in a script of which it knows no word, or in bits of fewer than two
        letters on average. Literals are left out; 0 for a line without a word.
        """
        literals = self.literals.find(raw) if self.literals is not None else []
        found = words.split(
            raw, [(literal.start, literal.end) for literal in literals], rules=self.rules
        )
        starts = {literal.start for literal in literals}
        letters = unknown = 0
        forms = casing.lowercase_forms(raw, found) if lowercase else words.surface_forms(found)
        for word, form in zip(found, forms, strict=True):
            count = sum(map(str.isalpha, word.text))
            if not count or word.start in starts:
                continue
            pieces = self.segment(form)
            spelt = len(pieces) - (pieces[0] == self._space_id)
            letters += count
            if (count < _LETTERS_PER_PIECE * spelt and spelt > 1) or self._is_unknown(
                word.text, pieces, is_name=False
            ):
                unknown += count
        return unknown / letters if letters else 0.0

    def _survey(self, raw: str, lowercase: bool) -> "_Survey":
        """The literals of a line, none without placeholders, and its words where it has none."""
        if self.literals is None:
            return _Survey([], None)
        literals = self.literals.find(raw)
        found = words.split(
            raw, [(literal.start, literal.end) for literal in literals], rules=self.rules
        )
        starts = {literal.start for literal in literals}
        runs: list[list[int]] = []  # [start, end]
        goes_on = False
        for word, form in zip(found, words.surface_forms(found), strict=True):
            if word.start in starts:
                goes_on = False
            elif self._is_unknown(word.text, self.segment(form), is_name=not lowercase):
                if goes_on:
                    runs[-1][1] = word.end
                else:
                    runs.append([word.start, word.end])
                goes_on = True
            elif any(map(str.isalnum, word.text)):
                goes_on = False
        if not (literals or runs):
            return _Survey([], found)
        unknown = [LiteralSpan(start, end, raw[start:end], is_figure=False) for start, end in runs]
        return _Survey(sorted([*literals, *unknown]), None)

    def _is_unknown(self, word: str, pieces: tuple[int, ...], *, is_name: bool) -> bool:
        if min(pieces) <= self._bytes[-1]:
            return any(map(str.isprintable, word))
        if is_name and self._is_spelt(word, pieces) and word[0].isupper() and word.isalpha():
            small = word.lower()
            if self._is_spelt(small, self.segment(f" {small}")):  # no word at all, in any case
                return True
        return max(word) > _LAST_LATIN and any(
            sign > _LAST_LATIN and sign.isalpha() and sign not in self._known_letters
            # In parts, since its time is quadratic in a run of combining marks.
            for start in range(0, len(word), MAX_FORM_LENGTH)
            for sign in unicodedata.normalize("NFKC", word[start : start + MAX_FORM_LENGTH])
        )

    def _is_spelt(self, word: str, pieces: tuple[int, ...]) -> bool:
        """Return whether a word is long and its pieces have one or two letters."""
        count = len(pieces) - (pieces[0] == self._space_id)
        return (
            count >= _FEWEST_PIECES
            and len(word) >= _SHORTEST_NAME
            and len(word) < _LETTERS_PER_PIECE * count
        )

    @functools.cached_property
    def _known_letters(self) -> frozenset[str]:
        """The letters beyond Latin that occur with others in a piece."""
        spelt = (piece for piece in self._pieces if len(piece.strip(SPACE)) > 1)
        return frozenset(itertools.chain.from_iterable(spelt))

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
        placed: Sequence[NumberedLiteral],
        lowercase: bool,
        survey: "_Survey | None" = None,
    ) -> TokenizedLine:
        """The line with placeholders for those that are `placed` of its literals."""
        found = survey.found if survey else None
        if found is None:
            found = words.split(
                raw, [(literal.start, literal.end) for literal in placed], rules=self.rules
            )
        forms = casing.lowercase_forms(raw, found) if lowercase else words.surface_forms(found)
        if not placed:
            line = self._encoded(raw, found, [self.segment(form) for form in forms])
        else:
            assert self.literals is not None
            number = {literal.start: literal.number for literal in placed}
            pieces: list[tuple[int, ...]] = []
            copied: list[CopiedLiteral] = []
            for place, (word, form) in enumerate(zip(found, forms, strict=True)):
                if (own := number.get(word.start)) is None:
                    pieces.append(self.segment(form))
                    continue
                pieces.append(self._placeholder(own, apart=form.startswith(" ")))
                text = self.literals.rewrite(word.text, is_figure=own < N_FIGURES)
                copied.append(CopiedLiteral(self.placeholders[own], place, text))
            line = replace(self._encoded(raw, found, pieces), literals=tuple(copied))
        if self.literals and survey and _is_covered(raw, survey.literals):
            return replace(line, has_only_literals=True)
        return line

    def encode_tokens(self, tokens: Sequence[str]) -> TokenizedLine:
        """See `SubwordTokenizer.encode_tokens` and `segment_tokens`."""
        return self._encoded(" ".join(tokens), *segment_tokens(tokens, self.segment))

    def _encoded(
        self, raw: str, found: tuple[Word, ...], pieces: Sequence[tuple[int, ...]]
    ) -> TokenizedLine:
        """The line whose words are `found`, with the pieces of each."""
        ids = [*itertools.chain.from_iterable(pieces), EOS]
        lengths = [len(own) for own in pieces]
        word_of = np.append(np.repeat(np.arange(len(found)), lengths), -1)
        return TokenizedLine(
            raw=raw,
            ids=np.array(ids, np.int32),
            pieces=tuple([self._pieces[id] for id in ids]),
            word_ids=word_of.astype(np.int32),
            words=found,
        )

    def decode(
        self, ids: Sequence[int] | IntArray, source: TokenizedLine | None = None
    ) -> DecodedText:
        """Return the text of any ids of the vocabulary, and the word of each id.

        A placeholder becomes its literal of the `source`, or nothing if the source has none.

        A piece belongs to the word that holds its first visible character; one without (a space,
        the first bytes of a character) to the word it leads up to, or at the end to the last one.
        Any ids are valid: specials have no text, a byte that is not UTF-8 becomes U+FFFD as in
        SentencePiece, and the text is one line without space at either end.
        """
        id_list = np.asarray(ids, np.int64).tolist()
        text, starts, literals = self._spell(id_list, source)
        lead = len(text) - len(text.lstrip())
        text = text.strip()
        found = words.split(
            text, [(start - lead, end - lead) for start, end in literals], rules=self.rules
        )
        # The first word to end behind a piece's start: white space belongs to no word.
        word_of = np.searchsorted([word.end for word in found], np.array(starts) - lead, "right")
        word_of = np.minimum(word_of, len(found) - 1)
        word_of[[id <= UNK for id in id_list]] = -1
        return DecodedText(text, found, word_of.astype(np.int32))

    def _spell(
        self, ids: list[int], source: TokenizedLine | None
    ) -> tuple[str, list[int], list[tuple[int, int]]]:
        """The text of ids, where in it each one's first character is, and where literals are."""
        copied = {each.id: each for each in source.literals} if source else {}
        text = TextBuilder(source.raw if source else "", source.words if source else ())
        starts: list[int] = []
        for in_bytes, run in itertools.groupby(ids, self._bytes.__contains__):
            if in_bytes:
                characters, sizes = decode_utf8(bytes(id - self._bytes[0] for id in run))
                place = text.add(characters)
                for size in sizes:
                    starts += [place] * size
                    place += 1
                continue
            for id in run:
                if id in copied:
                    starts.append(
                        text.add_literal(copied[id], is_figure=id - FIRST_PLACEHOLDER < N_FIGURES)
                    )
                elif id > UNK and id not in self.placeholders:
                    starts.append(text.add(self._pieces[id].replace(SPACE, " ")))
                else:
                    starts.append(text.length)
        return "".join(text.fragments), starts, text.literals

    def _read(self, form: str) -> str:
        """Return a form as the input of SentencePiece."""
        form = replace_surrogates(form)
        return form.translate(STRAIGHT_QUOTES) if self._normalize_quotes else form

    def _segment(self, form: str) -> tuple[int, ...]:
        if self.placeholders and (number := literal_text.placeholder_number(form)) is not None:
            return self._placeholder(number, apart=form.startswith(" "))
        form = self._read(form)
        if SPACE not in form:  # which SentencePiece could not tell from a space
            ids: list[int] = self._processor.encode_as_ids(form)
            if any(id != self._space_id for id in ids):
                return tuple(ids)
        # Normalization leaves nothing to see (U+200B, a control character): as it stands, then.
        space = (self._space_id,) if form.startswith(" ") else ()
        text = form.removeprefix(" ") or form
        return (*space, *(self._bytes[byte] for byte in text.encode()))

    def _placeholder(self, number: int, *, apart: bool) -> tuple[int, ...]:
        """The pieces of a literal, with a space in front where it stands apart."""
        id = self.placeholders[number]
        return (self._space_id, id) if apart else (id,)

    @functools.cached_property
    def _has_n_best(self) -> bool:
        """Whether the model is unigram, which SentencePiece does not tell without protobuf."""
        try:
            self._processor.nbest_encode_as_ids(" ", nbest_size=1)
        except RuntimeError:
            return False
        return True

    def _n_best(self, form: str, n: int) -> ScoredSegmentations:
        best = self._processor.nbest_encode_as_ids(self._read(form), nbest_size=n)
        distinct = dict.fromkeys(tuple(ids) for ids in best)
        return normalize_scores(
            {ids: math.fsum(self._scores[id] for id in ids) for ids in distinct}
        )

    def _sample(self, form: str, n: int) -> ScoredSegmentations:
        sentencepiece.set_random_generator_seed(1)
        counts: Counter[tuple[int, ...]] = Counter()
        for _ in range(_DRAWS_PER_CANDIDATE * n):
            drawn = self._processor.encode(
                self._read(form), out_type=int, enable_sampling=True, alpha=_DROPOUT, nbest_size=-1
            )
            counts[tuple(drawn)] += 1
        most_frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]
        total = sum(count for _, count in most_frequent)
        return [(ids, math.log(count / total)) for ids, count in most_frequent]


class _Survey(NamedTuple):
    """The literals of a line, and its words if it has no literals."""

    literals: list[LiteralSpan]
    found: tuple[Word, ...] | None


def _is_covered(raw: str, literals: Sequence[LiteralSpan]) -> bool:
    """Return whether all letters and digits of a line, which is not blank, are in its literals."""
    end = 0
    for literal in [*literals, LiteralSpan(len(raw), len(raw), "", is_figure=False)]:
        if any(map(str.isalnum, raw[end : literal.start])):
            return False
        end = literal.end
    return bool(raw.strip())


def _has_our_special_tokens(processor: sentencepiece.SentencePieceProcessor) -> bool:
    """Whether a model has our four special ids, behind them all placeholders or none, then all
    bytes, and the space."""
    specials = (processor.pad_id(), processor.bos_id(), processor.eos_id(), processor.unk_id())
    first = processor.piece_to_id(_byte_piece(0))
    placeholders = list(range(FIRST_PLACEHOLDER, first))
    return (
        specials == (PAD, BOS, EOS, UNK)
        and first >= FIRST_PLACEHOLDER
        and processor.id_to_piece(placeholders) in ([], PLACEHOLDER_PIECES)
        and processor.vocab_size() > first + 255
        and all(processor.is_byte(list(range(first, first + 256))))
        and processor.piece_to_id(SPACE) != UNK
    )


def _byte_piece(byte: int) -> str:
    return f"<0x{byte:02X}>"
