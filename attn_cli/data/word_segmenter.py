"""Segment word forms by a SentencePiece model."""

import functools
from typing import TYPE_CHECKING

from attn_cli.data import words
from attn_cli.data.literals import placeholder_number
from attn_cli.data.sentencepiece_model import SPACE, Processor
from attn_cli.data.spelling import STRAIGHT_QUOTES, replace_surrogates
from attn_cli.data.tokenizer_interface import ScoredSegmentations
from attn_cli.data.vocabulary_layout import FIRST_PLACEHOLDER, MAX_FORM_LENGTH, first_byte_id

if TYPE_CHECKING:
    from attn_cli.data.subword_sampling import SegmentationSampler

_CACHED_FORMS = 1 << 16

#: The straight quotes of guillemets. Behind a space a closing one is French: the quote has none.
_STRAIGHT_GUILLEMETS = {" «": ' "', "«": '"', " »": '"', "»": '"'}


class WordSegmenter:
    """A vocabulary that segments one word form at a time into ids.

    Its layout is that of `vocabulary_layout`. With `normalize_quotes`, typographic quotes and
    apostrophes are segmented as straight ones, and guillemets if the vocabulary lacks one.
    """

    prefix_ids: tuple[int, ...] = ()

    def __init__(self, processor: Processor, *, normalize_quotes: bool) -> None:
        self._processor = processor
        self._normalize_quotes = normalize_quotes
        every_id = list(range(processor.vocab_size()))
        self._pieces: list[str] = processor.id_to_piece(every_id)
        self._space_id: int = processor.piece_to_id(SPACE)
        first_byte = first_byte_id(processor)
        self._bytes = range(first_byte, first_byte + 256)
        #: The ids of the placeholders, by number; empty in a vocabulary without.
        self.placeholders = range(FIRST_PLACEHOLDER, first_byte)
        self._cached = functools.lru_cache(maxsize=_CACHED_FORMS)(self._segment)

    def to_bytes(self) -> bytes:
        """Return the serialized SentencePiece model."""
        model: bytes = self._processor.serialized_model_proto()
        return model

    @property
    def vocab_size(self) -> int:
        """Number of ids, at most `tokenizer.vocab_size` of the recipe."""
        return len(self._pieces)

    def piece(self, id: int) -> str:
        """Return an id's printable form: `▁aime`, `<0xE2>`, `</s>`."""
        return self._pieces[id]

    def segment(self, form: str) -> tuple[int, ...]:
        """Return the ids of one word form (`" aime"`, or `"aime"`); never empty, never UNK."""
        return self._cached(form) if len(form) <= MAX_FORM_LENGTH else self._segment(form)

    def candidates(self, form: str, n: int) -> ScoredSegmentations:
        """Return at most `n` segmentations of a form, as `SegmentationSampler.candidates`.

        Deterministic. A placeholder, a form in bytes and a very long form have one.
        """
        best = self.segment(form)
        if (
            n <= 1
            or len(form) > MAX_FORM_LENGTH
            or placeholder_number(form) is not None
            or all(id in self._bytes or id == self._space_id for id in best)
        ):
            return [(best, 0.0)]
        return self._sampler.candidates(self._normalize(form), n)

    def _normalize(self, form: str) -> str:
        """Return a form as the input of SentencePiece."""
        form = replace_surrogates(words.spaced_form(form))
        if not self._normalize_quotes:
            return form
        if form in _STRAIGHT_GUILLEMETS and not self._has_guillemets:
            return _STRAIGHT_GUILLEMETS[form]
        return form.translate(STRAIGHT_QUOTES)

    @functools.cached_property
    def _has_guillemets(self) -> bool:
        return {"«", "»"} <= {piece.removeprefix(SPACE) for piece in self._pieces}

    def _segment(self, form: str) -> tuple[int, ...]:
        if self.placeholders and (number := placeholder_number(form)) is not None:
            return self.placeholder(number, has_space=words.spaced_form(form).startswith(" "))
        form = self._normalize(form)
        if SPACE not in form:  # SentencePiece would segment it as a space
            ids: list[int] = self._processor.encode_as_ids(form)
            if any(id != self._space_id for id in ids):
                return tuple(ids)
        # Normalization deletes all of it (U+200B, a control character): return its bytes.
        space = (self._space_id,) if form.startswith(" ") else ()
        text = form.removeprefix(" ") or form
        return (*space, *(self._bytes[byte] for byte in text.encode()))

    def placeholder(self, number: int, *, has_space: bool) -> tuple[int, ...]:
        """Return the ids of a literal, with that of a space in front if it `has_space` there."""
        id = self.placeholders[number]
        return (self._space_id, id) if has_space else (id,)

    @functools.cached_property
    def _sampler(self) -> "SegmentationSampler":
        from attn_cli.data.subword_sampling import SegmentationSampler

        scores: list[float] = self._processor.get_score(list(range(self.vocab_size)))
        return SegmentationSampler(self._processor, scores)
