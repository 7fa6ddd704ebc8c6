"""The layout of a vocabulary: special ids, placeholders of literals, the 256 bytes, pieces."""

from attn_cli.data.literals import N_FIGURES, N_PLACEHOLDERS
from attn_cli.data.sentencepiece_model import SPACE, Processor
from attn_cli.types import BOS, EOS, PAD, UNK

FIRST_PLACEHOLDER = UNK + 1
PLACEHOLDER_PIECES = [
    f"<num{number}>" if number < N_FIGURES else f"<lit{number - N_FIGURES}>"
    for number in range(N_PLACEHOLDERS)
]

#: Characters of a form that are trained on; a longer one is also not cached by a `Tokenizer`.
MAX_FORM_LENGTH = 256


def first_byte_id(processor: Processor) -> int:
    """Return the id of the byte 0; those of the others follow."""
    id: int = processor.piece_to_id("<0x00>")
    return id


def has_layout(processor: Processor) -> bool:
    """Return whether a model begins with PAD BOS EOS UNK, all placeholders or none, and all bytes,
    and has a piece for the space."""
    specials = (processor.pad_id(), processor.bos_id(), processor.eos_id(), processor.unk_id())
    first = first_byte_id(processor)
    placeholders = list(range(FIRST_PLACEHOLDER, first))
    return (
        specials == (PAD, BOS, EOS, UNK)
        and first >= FIRST_PLACEHOLDER
        and processor.id_to_piece(placeholders) in ([], PLACEHOLDER_PIECES)
        and processor.vocab_size() > first + 255
        and all(processor.is_byte(list(range(first, first + 256))))
        and processor.piece_to_id(SPACE) != UNK
    )
