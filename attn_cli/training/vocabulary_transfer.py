"""Initialize the parameters of a new vocabulary from those of another."""

from collections.abc import Mapping

import torch
from torch import Tensor

from attn_cli.bundles.bundle import Bundle
from attn_cli.data.tokenizer_interface import SubwordTokenizer, is_same_vocabulary
from attn_cli.nn.state_dict import with_current_names

_SPACE = "\u2581"  # SentencePiece's symbol for a space

#: Prefixes of parameters with a row for each source piece, and for each target piece.
_SOURCE, _TARGET = ("source_embedding.",), ("target_embedding.", "output_projection.")


def transfer_vocabulary(
    tensors: Mapping[str, Tensor],
    start: Bundle,
    tokenizers: tuple[SubwordTokenizer, SubwordTokenizer],
) -> dict[str, Tensor]:
    """Return the tensors of `start` with a row for each piece of other tokenizers.

    A piece of both vocabularies keeps its row. Any other is the mean of the rows of the pieces that
    the former tokenizer splits it into; a placeholder is the mean of all rows (Aji et al. 2020
    compare such methods). With the tokenizers of `start` nothing changes.
    """
    tensors = with_current_names(tensors)
    source_rows = _old_rows(start.source, tokenizers[0])
    is_joint = is_same_vocabulary(start.source, start.target) and is_same_vocabulary(*tokenizers)
    target_rows = source_rows if is_joint else _old_rows(start.target, tokenizers[1])
    transferred = dict(tensors)
    for prefixes, rows in ((_SOURCE, source_rows), (_TARGET, target_rows)):
        for name, tensor in tensors.items():
            if rows is not None and name.startswith(prefixes):
                transferred[name] = _average_rows(tensor, rows)
    return transferred


def _old_rows(old: SubwordTokenizer, new: SubwordTokenizer) -> list[list[int]] | None:
    """Return for each piece of `new` the ids of `old` to average; None for equal vocabularies."""
    if old.to_bytes() == new.to_bytes():
        return None
    ids = {old.piece(id): id for id in range(old.vocab_size)}
    every_id = list(range(old.vocab_size))
    rows = []
    for id in range(new.vocab_size):
        piece = new.piece(id)
        if piece in ids:
            rows.append([ids[piece]])
        elif id in new.placeholders:
            rows.append(every_id)
        else:
            rows.append(list(old.segment(piece.replace(_SPACE, " "))))
    return rows


def _average_rows(tensor: Tensor, rows: list[list[int]]) -> Tensor:
    """tensor (V, …) → (len(rows), …): the means of the rows with these ids."""
    return torch.stack([tensor[ids].float().mean(0) for ids in rows])
