"""Read the vocabulary of a Marian model, renumbered so that PAD BOS EOS UNK come first."""

import json
from pathlib import Path
from typing import NamedTuple

from attn_cli.data.sentencepiece_tokenizer import SPECIALS
from attn_cli.errors import ModelError
from attn_cli.importing.marian_config import LAYOUT, MarianConfig

VOCABULARY, TARGET_VOCABULARY = "vocab.json", "target_vocab.json"
_UNK = SPECIALS[-1]
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_AGAIN = "Copy the folder again."


class Vocabulary(NamedTuple):
    """`pieces` in the order of attn's ids; `rows` are their ids in Marian.

    BOS is the token that decoding starts with. It has no name in Marian; its row occurs twice if it
    is that of another token, such as PAD.
    """

    pieces: list[str]
    rows: list[int]


def read_vocabularies(folder: Path, config: MarianConfig) -> tuple[Vocabulary, Vocabulary]:
    """Return the source's and the target's vocabulary, which are the same if it is shared.

    Raises ModelError if a file is missing, is of another kind or size, or lacks a special token.
    """
    source = _read(folder / VOCABULARY, config.vocab_size, config)
    if config.share_embeddings:
        return source, source
    name = TARGET_VOCABULARY if (folder / TARGET_VOCABULARY).is_file() else VOCABULARY
    return source, _read(folder / name, config.decoder_vocab_size, config)


def _read(path: Path, size: int, config: MarianConfig) -> Vocabulary:
    try:
        ids = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{path.parent} has no {path.name}", LAYOUT) from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", LAYOUT) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON", _AGAIN) from error
    if not isinstance(ids, dict) or sorted(map(str, ids.values())) != sorted(map(str, range(size))):
        raise ModelError(f"{path} does not number {size} pieces from 0 to {size - 1}", _AGAIN)
    if _UNK not in ids:
        raise ModelError(f"{path} has no piece {_UNK}", _AGAIN)
    special = [config.pad, config.start, config.eos, int(ids[_UNK])]
    for id in special:
        if id >= size:
            raise ModelError(f"{path} has no piece {id}, which config.json names", _AGAIN)
    special_ids = {config.pad, config.eos, int(ids[_UNK])}
    others = [(int(id), piece) for piece, id in ids.items() if int(id) not in special_ids]
    others.sort()
    pieces = [_distinct(piece) for _, piece in others]
    return Vocabulary([*SPECIALS, *pieces], [*special, *(id for id, _ in others)])


def original_piece(piece: str) -> str:
    """Return the piece as the folder of an imported model has it."""
    name = piece.removeprefix(_MARK)
    return name if name in SPECIALS else piece


def _distinct(piece: str) -> str:
    """Return the piece, changed if it has the name of a special id."""
    return f"{_MARK}{piece}" if piece in SPECIALS else piece
