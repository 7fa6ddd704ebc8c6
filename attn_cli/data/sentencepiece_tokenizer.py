"""SentencePiece over raw lines, as in imported models; pieces are mapped to words by spans.

Unlike in `tokenizer`, which segments one word at a time, pieces may cross words: `▁don't` is the
words `do` and `n't`. SentencePiece (Kudo & Richardson 2018) returns the span of each piece in the
raw line, before normalization. A piece's id is its index in a separate vocabulary, as in Marian.
"""

import copy
import functools
import itertools
import json
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from attn_cli.choices import Case
from attn_cli.data import casing, words
from attn_cli.data.literal_search import LiteralSpan
from attn_cli.data.literals import LiteralRules, NumberedLiteral
from attn_cli.data.piece_words import group_decoded, words_of_pieces
from attn_cli.data.sentencepiece_model import (
    SPACE,
    Processor,
    load_processor,
    normalize_scores,
    with_spaces,
)
from attn_cli.data.spelling import decode_utf8, replace_surrogates
from attn_cli.data.tokenized_lines import line_of_tokens
from attn_cli.data.tokenizer_interface import DecodedText, ScoredSegmentations
from attn_cli.data.word_rules import ALL_LANGUAGES, WordRules
from attn_cli.data.words import Span
from attn_cli.errors import ModelError, UsageError
from attn_cli.types import BOS, EOS, PAD, UNK, IntArray, TokenizedLine, Word

#: The names of the first four ids.
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")

#: A token at the start of a source line that names the target language, such as `>>fra<<`.
_LANGUAGE_TOKEN = re.compile(">>[^<>]+<<")
_BYTE = re.compile("<0x([0-9A-F]{2})>")
_CACHED_FORMS = 1 << 16
_IMPORT_AGAIN = "Import the model again from its folder."


class SentencePieceTokenizer:
    """A SentencePiece model that segments raw lines, and a vocabulary of its pieces.

    A piece outside of the vocabulary is UNK. With a `target_token`, such as `>>fra<<`, lines begin
    with it unless they begin with another of the vocabulary.
    """

    def __init__(
        self,
        model: bytes,
        pieces: Sequence[str],
        *,
        target_token: str = "",
        where: str = "it",
        rules: WordRules = ALL_LANGUAGES,
    ) -> None:
        """Make a tokenizer of a serialized model and the pieces in the order of their ids.

        Raises ModelError, naming `where`, for another kind of file, and if `pieces` do not begin
        with `SPECIALS` or one occurs twice.
        """
        self._model = model
        self._processor = load_processor(model, where)
        self._pieces = list(pieces)
        self._ids = {piece: id for id, piece in enumerate(self._pieces)}
        if tuple(self._pieces[: len(SPECIALS)]) != SPECIALS or len(self._ids) < len(self._pieces):
            raise ModelError(f"{where} has no vocabulary of {', '.join(SPECIALS)} …", _IMPORT_AGAIN)
        if target_token and target_token not in self._ids:
            raise ModelError(
                f"{where} has no token {target_token}", _language_hint(self.language_tokens)
            )
        self.target_token = target_token
        self.rules = rules
        self.placeholders = range(0)
        self.literals: LiteralRules | None = None
        self._bytes = {
            id: int(byte[1], 16)
            for id, piece in enumerate(self._pieces)
            if (byte := _BYTE.fullmatch(piece)) and self._is_byte(piece)
        }
        self.segment = functools.lru_cache(maxsize=_CACHED_FORMS)(self._segment)

    def with_target_token(self, token: str) -> "SentencePieceTokenizer":
        """Return the same tokenizer with this `target_token`, such as `>>fra<<` or `fra`.

        Raises UsageError, which lists the tokens, if the vocabulary has none of that name.
        """
        names = (token, f">>{token}<<")
        named = next((name for name in names if name in self.language_tokens), None)
        if named is None:
            raise UsageError(
                f"the model has no token {token} of a target language",
                _language_hint(self.language_tokens),
            )
        other = copy.copy(self)
        other.target_token = named
        return other

    @property
    def prefix_ids(self) -> tuple[int, ...]:
        """See `SubwordTokenizer.prefix_ids`."""
        return (self._ids[self.target_token],) if self.target_token else ()

    @functools.cached_property
    def language_tokens(self) -> list[str]:
        """The tokens of the vocabulary that name a target language, in order."""
        return sorted(piece for piece in self._pieces if _LANGUAGE_TOKEN.fullmatch(piece))

    @property
    def vocab_size(self) -> int:
        """See `SubwordTokenizer.vocab_size`."""
        return len(self._pieces)

    @property
    def pieces(self) -> Sequence[str]:
        """The pieces in the order of their ids."""
        return self._pieces

    @property
    def forbidden_pieces(self) -> NDArray[np.bool_]:
        """See `SubwordTokenizer.forbidden_pieces`."""
        never = np.zeros(self.vocab_size, bool)
        never[[PAD, BOS, UNK]] = True
        return never

    @property
    def fallback_pieces(self) -> IntArray:
        """See `SubwordTokenizer.fallback_pieces`."""
        return np.array([EOS, UNK, *sorted(self._bytes)], np.int32)

    def piece(self, id: int) -> str:
        """See `SubwordTokenizer.piece`."""
        return self._pieces[id]

    def to_bytes(self) -> bytes:
        """Return the serialized SentencePiece model."""
        return self._model

    def encode(
        self,
        raw: str,
        *,
        case: Case = "original",
        literals: Sequence[NumberedLiteral] | None = None,
    ) -> TokenizedLine:
        """See `SubwordTokenizer.encode`. A language token belongs to no word; no truecase."""
        token = self._language_token(raw)
        start = len(token)
        line_words = tuple(
            Word(word.text, word.start + start, word.end + start)
            for word in words.split(raw[start:], rules=self.rules)
        )
        text, text_words = raw, line_words
        if case == "lowercase":
            text, text_words = _lowercase(raw, line_words)
        pieces, spans = self._pieces_of(text[start:])
        spans = [(first + start, last + start) for first, last in spans]
        word_ids, crossing = words_of_pieces(text, spans, text_words)
        ids = [self._ids.get(piece, UNK) for piece in pieces]
        if token := token or self.target_token:
            pieces, ids = [token, *pieces], [self._ids[token], *ids]
            word_ids = np.concatenate([[-1], word_ids])
            crossing = tuple(each._replace(piece=each.piece + 1) for each in crossing)
        return TokenizedLine(
            raw=raw,
            ids=np.array([*ids, EOS], np.int32),
            pieces=(*pieces, self._pieces[EOS]),
            word_ids=np.append(word_ids, -1).astype(np.int32),
            words=line_words,
            crossing=crossing,
        )

    def encode_parts(
        self, raw: str, *, case: Case = "original", is_whole: bool = True
    ) -> list[TokenizedLine]:
        """See `SubwordTokenizer.encode_parts`: one part, for there are no placeholders."""
        return [self.encode(raw, case=case)]

    def encode_tokens(self, tokens: Sequence[str]) -> TokenizedLine:
        """See `SubwordTokenizer.encode_tokens` and `line_of_tokens`."""
        return line_of_tokens(tokens, self.segment, self._pieces, prefix=self.prefix_ids)

    def find_literals(self, raw: str, *, case: Case = "original") -> list[LiteralSpan]:
        """See `SubwordTokenizer.find_literals`: none are copied."""
        return []

    def unknown_share(self, raw: str, *, case: Case = "original") -> float:
        """See `SubwordTokenizer.unknown_share`: the letters of words with an unknown piece."""
        line = self.encode(raw, case=case)
        unknown = set(line.word_ids[line.ids == UNK].tolist())
        letters = [sum(map(str.isalpha, word.text)) for word in line.words]
        total = sum(letters)
        return sum(letters[word] for word in unknown if word >= 0) / total if total else 0.0

    def candidates(self, form: str, n: int) -> ScoredSegmentations:
        """See `SubwordTokenizer.candidates`: the n best of a unigram model, else the best alone."""
        best = self.segment(form)
        try:
            lists = self._unprefixed.nbest_encode_as_pieces(replace_surrogates(form), nbest_size=n)
        except RuntimeError:  # BPE has no n best
            return [(best, 0.0)]
        logp: dict[tuple[int, ...], float] = {}
        for pieces in lists:
            score = sum(self._processor.get_score(self._processor.piece_to_id(p)) for p in pieces)
            logp.setdefault(tuple(self._ids.get(piece, UNK) for piece in pieces) or best, score)
        return normalize_scores(logp)

    def decode(
        self, ids: Sequence[int] | IntArray, source: TokenizedLine | None = None
    ) -> DecodedText:
        """See `SubwordTokenizer.decode`. Special ids and language tokens have no text."""
        id_list = np.asarray(ids, np.int64).tolist()
        has_no_text = np.array([self._has_no_text(id) for id in id_list], bool)
        return group_decoded(*self._spell(id_list), has_no_text, rules=self.rules)

    def _spell(self, ids: Sequence[int]) -> tuple[str, list[Span]]:
        """Return the text of ids, and the span of each in it."""
        text, spans = "", []
        for is_byte, run in itertools.groupby(ids, self._bytes.__contains__):
            if is_byte:
                characters, sizes = decode_utf8(bytes(self._bytes[id] for id in run))
                for start, size in enumerate(sizes, start=len(text)):
                    spans += [(start, start + 1)] * size
                text += characters
                continue
            for id in run:
                fragment = "" if self._has_no_text(id) else self._pieces[id].replace(SPACE, " ")
                spans.append((len(text), len(text) + len(fragment)))
                text += fragment
        return text, spans

    def _has_no_text(self, id: int) -> bool:
        return id <= UNK or bool(_LANGUAGE_TOKEN.fullmatch(self._pieces[id]))

    def _is_byte(self, piece: str) -> bool:
        is_byte: bool = self._processor.is_byte(self._processor.piece_to_id(piece))
        return is_byte

    def _language_token(self, raw: str) -> str:
        """Return the language token of the vocabulary that a line begins with, or ""."""
        token = _LANGUAGE_TOKEN.match(raw)
        return token.group() if token and token.group() in self._ids else ""

    def _pieces_of(self, text: str) -> tuple[list[str], list[Span]]:
        """Return the pieces of a text, and the span of each in it."""
        mapping = self._processor.encode_as_offset_mapping(replace_surrogates(text))
        return list(mapping["pieces"]), list(mapping["offsets"])

    def _segment(self, form: str) -> tuple[int, ...]:
        pieces = self._unprefixed.encode_as_pieces(replace_surrogates(form))
        return tuple(self._ids.get(piece, UNK) for piece in pieces) or (UNK,)

    @functools.cached_property
    def _unprefixed(self) -> Processor:
        """The same model, which adds no space at the start of a text."""
        return load_processor(with_spaces(self._model, normalized=False), "the tokenizer")


def read_pieces(data: bytes, where: str) -> list[str]:
    """Return the pieces of a vocabulary file. Raises ModelError, naming `where`, for another."""
    try:
        pieces = json.loads(data)
    except (ValueError, RecursionError):
        pieces = None
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ModelError(f"{where} is not a list of pieces", _IMPORT_AGAIN)
    return pieces


def _lowercase(raw: str, line_words: Sequence[Word]) -> tuple[str, tuple[Word, ...]]:
    """Return a line in capitals in lower case, and its words with their spans there."""
    text, end, lower_words = "", 0, []
    forms = casing.lowercase_forms(raw, line_words, words.surface_forms(line_words))
    for word, form in zip(line_words, forms, strict=True):
        text += raw[end : word.start]
        form = form.removeprefix(" ")
        lower_words.append(Word(form, len(text), len(text) + len(form)))
        text, end = text + form, word.end
    return text + raw[end:], tuple(lower_words)


def _language_hint(tokens: Sequence[str]) -> str:
    if not tokens:
        return "Leave --target-token out: the model has one target language."
    listed = ", ".join(tokens[:20]) + (" …" if len(tokens) > 20 else "")
    return f"It has: {listed}."
