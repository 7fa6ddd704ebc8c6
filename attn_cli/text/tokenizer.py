"""Words ↔ pieces: SentencePiece, trained and applied one word at a time.

Knows `words` and nothing of networks, batches or bundles; no other file imports sentencepiece.

A word is given to SentencePiece as its *form*: its text, with a space in front unless it is glued
to the word before (`words.forms`). So no piece ever crosses a word boundary, and which word a piece
belongs to is known by construction rather than guessed from the pieces. Every vocabulary starts
with PAD BOS EOS UNK (`values`), the placeholders of literals if it has any, and the 256 bytes: a
character without a piece is spelt in bytes, so nothing is ever UNK.

Unigram: Kudo 2018, "Subword Regularization". BPE: Sennrich et al. 2016, "Neural Machine Translation
of Rare Words with Subword Units"; its sampling: Provilkov et al. 2020, "BPE-Dropout".
"""

import functools
import io
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Literal as OneOf

import numpy as np
import sentencepiece

from attn_cli import config
from attn_cli.errors import DataError, ModelError, UsageError
from attn_cli.text import capitals, words
from attn_cli.text import literals as literal_text
from attn_cli.text.literals import FIGURES, PLACEHOLDERS, Literals
from attn_cli.values import BOS, EOS, PAD, UNK, Encoded, IntArray, Word

#: SentencePiece's mark of a space.
_SPACE = "\u2581"
_FIRST_PLACEHOLDER = UNK + 1
_PLACEHOLDER_PIECES = [
    f"<num{number}>" if number < FIGURES else f"<lit{number - FIGURES}>"
    for number in range(PLACEHOLDERS)
]

#: Stand between two forms in a row of training, where no piece may cross them. A delimiter must
#: survive normalisation, be in no form, and cost no piece of its own.
_TWO_SPACES = "  "

#: A form longer than this (in characters) teaches by its beginning, is not cached, and has one
#: segmentation: text that long between two spaces is no word.
_LONG = 256
_CACHED_FORMS = 1 << 16

_LOWEST_COVERAGE = 0.98
_DROPOUT = 0.1
_DRAWS_PER_CANDIDATE = 4
_ONLY_ERRORS_THAT_KILL = 3

#: Typographic quotes and apostrophes as the straight ones of a keyboard; guillemets stay.
PLAIN = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
)

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a sequence of ids says.

    `word_of` (n,) int32 gives each id's index in `words`, -1 for PAD, BOS, EOS and UNK (and for all
    ids of a text without a word); it never decreases from one piece to the next.
    """

    text: str
    words: tuple[Word, ...]
    word_of: IntArray


class Tokenizer:
    """One vocabulary, and the way from words to its pieces and back."""

    def __init__(
        self,
        processor: sentencepiece.SentencePieceProcessor,
        *,
        plain_quotes: bool = False,
        literals: Literals | None = None,
    ) -> None:
        """From a processor with our vocabulary; `train`, `load` and `from_bytes` see to that.

        With `plain_quotes` typographic quotes and apostrophes are spelt as straight ones. With
        `literals`, and a vocabulary that has placeholders, what they find is copied.
        """
        self._processor = processor
        self._plain_quotes = plain_quotes
        every_id = list(range(processor.vocab_size()))
        self._pieces: list[str] = processor.id_to_piece(every_id)
        self._scores: list[float] = processor.get_score(every_id)
        self._space_id: int = processor.piece_to_id(_SPACE)
        first_byte = processor.piece_to_id(_byte_piece(0))
        self._bytes = range(first_byte, first_byte + 256)
        #: The ids of the placeholders, by number; none in a vocabulary without.
        self.placeholders = range(_FIRST_PLACEHOLDER, first_byte)
        self.literals = literals if self.placeholders else None
        self._cached = functools.lru_cache(maxsize=_CACHED_FORMS)(self._segment)

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        settings: config.Tokenizer,
        *,
        literals: Literals | None = None,
    ) -> "Tokenizer":
        """A tokenizer learned from raw lines: from how often each of their forms occurs."""
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(words.forms(words.split(line)))
        return cls.train_on_counts(counts, settings, literals=literals)

    @classmethod
    def train_on_counts(
        cls,
        counts: Mapping[str, int],
        settings: config.Tokenizer,
        *,
        literals: Literals | None = None,
    ) -> "Tokenizer":
        """A tokenizer learned from word forms and how often each occurs, and from nothing else.

        It has placeholders where `settings.literals` says so; forms of `literals.mark` are none of
        its text.

        No random number is drawn, and SentencePiece is given one thread, since its sums of floats,
        hence its bytes, differ with their number. The vocabulary is smaller than
        `settings.vocab_size` where the forms do not hold that many pieces.

        Raises DataError if there is no form with something to see, UsageError if the settings
        leave no room for the characters of the forms.
        """
        if settings.character_coverage < _LOWEST_COVERAGE:
            raise UsageError(
                f"tokenizer.character_coverage = {settings.character_coverage} is too low "
                "for SentencePiece",
                f"Set it between {_LOWEST_COVERAGE} and 1.",
            )
        counts = {f: n for f, n in counts.items() if literal_text.number_of(f) is None}
        if settings.plain_quotes:
            plain: Counter[str] = Counter()
            for form, count in counts.items():
                plain[form.translate(PLAIN)] += count
            counts = plain
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=_rows(counts, settings.kind),
                input_format="tsv",
                pretokenization_delimiter=2 * _SPACE,  # what is left of _TWO_SPACES
                model_writer=model,
                model_type=settings.kind,
                vocab_size=settings.vocab_size,
                hard_vocab_limit=False,
                character_coverage=settings.character_coverage,
                required_chars=_SPACE,
                control_symbols=_PLACEHOLDER_PIECES if settings.literals else [],
                normalization_rule_name=settings.normalization,
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                split_by_unicode_script=False,  # or no piece could hold an apostrophe: l' n't -t-il
                byte_fallback=True,
                pad_id=PAD,
                bos_id=BOS,
                eos_id=EOS,
                unk_id=UNK,
                num_threads=1,
                minloglevel=_ONLY_ERRORS_THAT_KILL,
            )
        except RuntimeError as error:
            raise _training_problem(str(error), settings) from error
        return cls.from_bytes(
            model.getvalue(), plain_quotes=settings.plain_quotes, literals=literals
        )

    @classmethod
    def load(
        cls, path: Path, *, plain_quotes: bool = False, literals: Literals | None = None
    ) -> "Tokenizer":
        """The tokenizer in a file. Raises ModelError if it is missing or not one of ours."""
        try:
            model = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"cannot read the tokenizer {path}: {error.strerror}",
                "Check the name, or copy the model again.",
            ) from error
        return cls.from_bytes(model, where=str(path), plain_quotes=plain_quotes, literals=literals)

    def save(self, path: Path) -> None:
        """Write what `load` reads: a SentencePiece model, usable by SentencePiece itself."""
        path.write_bytes(self.to_bytes())

    @classmethod
    def from_bytes(
        cls,
        model: bytes,
        *,
        where: str = "the tokenizer",
        plain_quotes: bool = False,
        literals: Literals | None = None,
    ) -> "Tokenizer":
        """The tokenizer in a serialised SentencePiece model; `where` names it in a ModelError."""
        sentencepiece.set_min_log_level(_ONLY_ERRORS_THAT_KILL)
        processor = sentencepiece.SentencePieceProcessor()
        try:
            processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise ModelError(
                f"{where} is not a SentencePiece model", "Copy the model again, or train another."
            ) from error
        if not _ours(processor):
            raise ModelError(
                f"{where} is a SentencePiece model of another make: "
                "it lacks our special ids, the 256 bytes or the space",
                "Train a tokenizer with attn train.",
            )
        return cls(processor, plain_quotes=plain_quotes, literals=literals)

    def to_bytes(self) -> bytes:
        """The serialised SentencePiece model."""
        model: bytes = self._processor.serialized_model_proto()
        return model

    @property
    def vocab_size(self) -> int:
        """How many ids there are: at most what the settings asked for."""
        return len(self._pieces)

    def piece(self, id: int) -> str:
        """An id's printable form: `▁aime`, `<0xE2>`, `</s>`."""
        return self._pieces[id]

    def segment(self, form: str) -> tuple[int, ...]:
        """The ids of one word form (`" aime"`, or `"aime"` where glued); never empty, never UNK."""
        return self._cached(form) if len(form) <= _LONG else self._segment(form)

    def candidates(self, form: str, n: int) -> list[tuple[tuple[int, ...], float]]:
        """At most `n` segmentations of a form, likeliest first, to sample from while training.

        Each has its natural log-probability, normalised over those returned. Unigram: the n best
        under the model (Kudo 2018, section 3.2). BPE has no probabilities: the distinct outcomes of
        4·n draws of BPE-dropout (p = 0.1) with their relative frequencies, from the same random
        numbers for each form. Deterministic; a list of one where there is nothing to choose.
        """
        best = self.segment(form)
        if literal_text.number_of(form) is not None:
            return [(best, 0.0)]
        if (
            n <= 1
            or len(form) > _LONG
            or all(id in self._bytes or id == self._space_id for id in best)
        ):
            return [(best, 0.0)]
        return self._n_best(form, n) if self._has_n_best else self._drawn(form, n)

    def encode(self, raw: str, *, spoken: bool = False) -> Encoded:
        """A line as the network reads it: the pieces of its words, then EOS.

        Words and spans are those of `raw`; pieces spell its normalised form, and with `spoken`, for
        a line in capitals, that of `capitals.spoken`.
        """
        found = words.split(raw)
        forms = capitals.spoken(raw, found) if spoken else words.forms(found)
        return self._encoded(raw, found, [self.segment(form) for form in forms])

    def encode_tokens(self, tokens: Sequence[str]) -> Encoded:
        """Tokens that another program has split, as they are: each is one word.

        Whether a token was glued to the one before is not told; where it needs fewer pieces that
        way, it was (`.` after a word, `n't`). The first never is.
        """
        found: list[Word] = []
        pieces: list[tuple[int, ...]] = []
        end = 0
        for token in tokens:
            found.append(Word(token, end, end + len(token)))
            end += len(token) + 1
            apart, glued = self.segment(" " + token), self.segment(token)
            pieces.append(glued if pieces and len(glued) < len(apart) else apart)
        return self._encoded(" ".join(tokens), tuple(found), pieces)

    def _encoded(
        self, raw: str, found: tuple[Word, ...], pieces: Sequence[tuple[int, ...]]
    ) -> Encoded:
        """The line whose words are `found`, with the pieces of each."""
        ids = [*itertools.chain.from_iterable(pieces), EOS]
        lengths = [len(own) for own in pieces]
        word_of = np.append(np.repeat(np.arange(len(found)), lengths), -1)
        return Encoded(
            raw=raw,
            ids=np.array(ids, np.int32),
            pieces=tuple([self._pieces[id] for id in ids]),
            word_of=word_of.astype(np.int32),
            words=found,
        )

    def decode(self, ids: Sequence[int] | IntArray) -> Decoded:
        """The text that any ids of the vocabulary say, and the word each of them belongs to.

        A piece belongs to the word that holds its first visible character; one without (a space,
        the first bytes of a character) to the word it leads up to, or at the end to the last one.
        Total: specials say nothing wherever they stand, a byte that is not UTF-8 says U+FFFD as in
        SentencePiece, and the text is one line without space at either end.
        """
        said = np.asarray(ids, np.int64).tolist()
        text, starts = self._spell(said)
        lead = len(text) - len(text.lstrip())
        text = text.strip()
        found = words.split(text)
        # The first word to end behind a piece's start: white space belongs to no word.
        word_of = np.searchsorted([word.end for word in found], np.array(starts) - lead, "right")
        word_of = np.minimum(word_of, len(found) - 1)
        word_of[[id <= UNK for id in said]] = -1
        return Decoded(text, found, word_of.astype(np.int32))

    def _spell(self, ids: list[int]) -> tuple[str, list[int]]:
        """The text of ids, and where in it each one's first character is."""
        fragments: list[str] = []
        starts: list[int] = []
        length = 0
        for in_bytes, run in itertools.groupby(ids, self._bytes.__contains__):
            if in_bytes:
                characters, sizes = _utf8_characters(bytes(id - self._bytes[0] for id in run))
                fragments.append(characters)
                for size in sizes:
                    starts += [length] * size
                    length += 1
                continue
            for id in run:
                starts.append(length)
                if id > UNK:
                    fragments.append(self._pieces[id].replace(_SPACE, " "))
                    length += len(fragments[-1])
        return "".join(fragments), starts

    def _read(self, form: str) -> str:
        """A form as SentencePiece is given it."""
        form = _valid(form)
        return form.translate(PLAIN) if self._plain_quotes else form

    def _segment(self, form: str) -> tuple[int, ...]:
        if self.placeholders and (number := literal_text.number_of(form)) is not None:
            return self._placeholder(number, apart=form.startswith(" "))
        form = self._read(form)
        if _SPACE not in form:  # which SentencePiece could not tell from a space
            ids: list[int] = self._processor.encode_as_ids(form)
            if any(id != self._space_id for id in ids):
                return tuple(ids)
        # Normalisation leaves nothing to see (U+200B, a control character): as it stands, then.
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

    def _n_best(self, form: str, n: int) -> list[tuple[tuple[int, ...], float]]:
        found = self._processor.nbest_encode_as_ids(self._read(form), nbest_size=n)
        distinct = dict.fromkeys(tuple(ids) for ids in found)
        logp = {ids: math.fsum(self._scores[id] for id in ids) for ids in distinct}
        highest = max(logp.values())
        total = highest + math.log(math.fsum(math.exp(each - highest) for each in logp.values()))
        return [(ids, each - total) for ids, each in _likeliest(logp, n)]

    def _drawn(self, form: str, n: int) -> list[tuple[tuple[int, ...], float]]:
        sentencepiece.set_random_generator_seed(1)
        counts: Counter[tuple[int, ...]] = Counter()
        for _ in range(_DRAWS_PER_CANDIDATE * n):
            drawn = self._processor.encode(
                self._read(form), out_type=int, enable_sampling=True, alpha=_DROPOUT, nbest_size=-1
            )
            counts[tuple(drawn)] += 1
        kept = _likeliest(counts, n)
        total = sum(count for _, count in kept)
        return [(ids, math.log(count / total)) for ids, count in kept]


def _rows(counts: Mapping[str, int], kind: OneOf["unigram", "bpe"]) -> Iterator[str]:
    """The forms and their counts as SentencePiece's training rows: text, tab, count.

    Unigram takes its first candidates from what stands at least twice in the rows, whatever their
    counts: given once, a form as frequent as " l'" or " wearing" would never be a piece. So one of
    a form's occurrences is traded for a row that holds it twice. On Multi30k en+fr, 8,000 pieces,
    a validation line takes 14.7 pieces and 94.7 nats; with forms given once, 17.7 and 107.2; with
    whole lines as rows and the delimiter between their words, 17.1 and 112.3.
    """
    for form, count in sorted(counts.items()):
        text = _valid(form[:_LONG])
        if kind == "unigram" and count > 1:
            yield f"{text}{_TWO_SPACES}{text}\t1"
            count -= 2
        if count:
            yield f"{text}\t{count}"


def _likeliest(scores: dict[tuple[int, ...], Any], n: int) -> list[tuple[tuple[int, ...], Any]]:
    return sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))[:n]


def _valid(form: str) -> str:
    """The form with lone surrogates, which UTF-8 cannot spell, replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", form)


def _utf8_characters(run: bytes) -> tuple[str, list[int]]:
    """The characters of a run of bytes, and each one's size in bytes.

    A byte that is not UTF-8 is a U+FFFD of its own, as in SentencePiece; white space is a space,
    for no form holds any other, and a line end said in bytes would break the reader's lines.
    """
    escaped = run.decode("utf-8", "surrogateescape")
    sizes = [len(character.encode("utf-8", "surrogateescape")) for character in escaped]
    spaced = "".join(" " if character.isspace() else character for character in escaped)
    return _valid(spaced), sizes


def _ours(processor: sentencepiece.SentencePieceProcessor) -> bool:
    """Whether a model has our four special ids, behind them all placeholders or none, then all
    bytes, and the space."""
    specials = (processor.pad_id(), processor.bos_id(), processor.eos_id(), processor.unk_id())
    first = processor.piece_to_id(_byte_piece(0))
    placeholders = list(range(_FIRST_PLACEHOLDER, first))
    return (
        specials == (PAD, BOS, EOS, UNK)
        and first >= _FIRST_PLACEHOLDER
        and processor.id_to_piece(placeholders) in ([], _PLACEHOLDER_PIECES)
        and processor.vocab_size() > first + 255
        and all(processor.is_byte(list(range(first, first + 256))))
        and processor.piece_to_id(_SPACE) != UNK
    )


def _byte_piece(byte: int) -> str:
    return f"<0x{byte:02X}>"


def _training_problem(reason: str, settings: config.Tokenizer) -> DataError | UsageError:
    """SentencePiece's refusal as a sentence to act on."""
    if found := re.search(r"required_chars\. \d+ vs (\d+)", reason):
        needed = found.group(1)
        return UsageError(
            f"tokenizer.vocab_size = {settings.vocab_size} has no room for the bytes "
            f"and the characters of the text, which take {needed}",
            f"Set it to {needed} or more, or lower tokenizer.character_coverage.",
        )
    if "sentences_.empty" in reason or "seed_sentencepieces.empty" in reason:
        return DataError(
            "no tokenizer can be learned from a text without words", "Check the training files."
        )
    return DataError(
        f"SentencePiece cannot learn from this text: {reason}", "Check the training files."
    )
