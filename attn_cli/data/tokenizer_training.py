"""Train a SentencePiece model on word forms and their counts.

Unigram: Kudo 2018, "Subword Regularization". BPE: Sennrich et al. 2016, "Neural Machine Translation
of Rare Words with Subword Units".
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal

import sentencepiece

from attn_cli import config
from attn_cli.data import words
from attn_cli.data.literals import placeholder_number
from attn_cli.data.sentencepiece_model import LOG_LEVEL, SPACE
from attn_cli.data.spelling import STRAIGHT_QUOTES, replace_surrogates
from attn_cli.data.vocabulary_layout import MAX_FORM_LENGTH, PLACEHOLDER_PIECES
from attn_cli.errors import DataError, UsageError
from attn_cli.types import BOS, EOS, PAD, UNK

#: Separates two forms in a row of training: no piece crosses it. It must survive normalization,
#: occur in no form, and need no piece of its own.
_DELIMITER = "  "

_MIN_COVERAGE = 0.98


def train_model(counts: Mapping[str, int], settings: config.TokenizerConfig) -> bytes:
    """Return the serialized SentencePiece model trained on word forms and their counts.

    It has placeholders with `settings.literals`; marked forms are left out. Deterministic:
    one thread, since the order of SentencePiece's float sums depends on their number. Raises as
    `Tokenizer.train_on_counts`.
    """
    if settings.character_coverage < _MIN_COVERAGE:
        raise UsageError(
            f"tokenizer.character_coverage = {settings.character_coverage} is too low "
            "for SentencePiece",
            f"Set it between {_MIN_COVERAGE} and 1.",
        )
    counts = {f: n for f, n in counts.items() if placeholder_number(f) is None}
    if settings.normalize_quotes or settings.detach_opening_marks:
        plain: Counter[str] = Counter()
        for form, count in counts.items():
            text = words.spaced_form(form)
            plain[text.translate(STRAIGHT_QUOTES) if settings.normalize_quotes else text] += count
        counts = plain
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_training_rows(counts, settings.kind),
            input_format="tsv",
            pretokenization_delimiter=2 * SPACE,  # _DELIMITER after normalization
            model_writer=model,
            model_type=settings.kind,
            vocab_size=settings.vocab_size,
            hard_vocab_limit=False,
            character_coverage=settings.character_coverage,
            required_chars=SPACE,
            control_symbols=PLACEHOLDER_PIECES if settings.literals else [],
            normalization_rule_name=settings.normalization,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_unicode_script=False,  # else no piece has an apostrophe: l' n't -t-il
            byte_fallback=True,
            pad_id=PAD,
            bos_id=BOS,
            eos_id=EOS,
            unk_id=UNK,
            num_threads=1,
            minloglevel=LOG_LEVEL,
        )
    except RuntimeError as error:
        raise _training_problem(str(error), settings) from error
    return model.getvalue()


def _training_rows(counts: Mapping[str, int], kind: Literal["unigram", "bpe"]) -> Iterator[str]:
    """Yield the forms and their counts as SentencePiece's training rows: text, tab, count.

    Unigram takes its first candidates from strings that occur twice or more in the rows, without
    regard to counts: in one row, a form as frequent as " l'" or " wearing" would never be a piece.
    So two of a form's occurrences are one row that has it twice.
    """
    for form, count in sorted(counts.items()):
        text = replace_surrogates(form[:MAX_FORM_LENGTH])
        if kind == "unigram" and count > 1:
            yield f"{text}{_DELIMITER}{text}\t1"
            count -= 2
        if count:
            yield f"{text}\t{count}"


def _training_problem(reason: str, settings: config.TokenizerConfig) -> DataError | UsageError:
    """Return the error for a message of SentencePiece, with a hint."""
    if sizes := re.search(r"required_chars\. \d+ vs (\d+)", reason):
        needed = sizes.group(1)
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
