"""The files of a recipe's vocabulary, and the tokenizers in them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from attn_cli.config import Recipe
from attn_cli.data.literals import LiteralRules
from attn_cli.data.sentencepiece_model import read_model
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.data.word_rules import recipe_rules
from attn_cli.errors import UsageError

if TYPE_CHECKING:
    from attn_cli.data.sentencepiece_tokenizer import SentencePieceTokenizer

#: SentencePiece models: of both languages together, or of each.
JOINT, SOURCE, TARGET = "joint.spm", "source.spm", "target.spm"

#: Pieces in the order of their ids, of models that were imported; the names are CTranslate2's.
SHARED_PIECES = "shared_vocabulary.json"
SOURCE_PIECES, TARGET_PIECES = "source_vocabulary.json", "target_vocabulary.json"

FILES = (JOINT, SOURCE, TARGET, SHARED_PIECES, SOURCE_PIECES, TARGET_PIECES)

Tokenizers = tuple[SubwordTokenizer, SubwordTokenizer]


class VocabularyFile(NamedTuple):
    """The content of a file, and its path for an error."""

    path: str
    data: bytes


def vocabulary_files(recipe: Recipe) -> tuple[str, ...]:
    """Return the names of the files of a recipe's vocabulary."""
    if recipe.tokenizer.pretokenization == "words":
        return (JOINT,) if recipe.tokenizer.joint else (SOURCE, TARGET)
    pieces = (SHARED_PIECES,) if recipe.tokenizer.joint else (SOURCE_PIECES, TARGET_PIECES)
    return (SOURCE, TARGET, *pieces)


def load_tokenizers(files: Sequence[Path], recipe: Recipe) -> Tokenizers:
    """Return the source's and the target's tokenizer from the files of `vocabulary_files`.

    Both are one object if one vocabulary and the same word rules serve both languages. Raises
    ModelError if a file cannot be read or is of another kind.
    """
    return read_tokenizers([VocabularyFile(str(file), read_model(file)) for file in files], recipe)


def read_tokenizers(files: Sequence[VocabularyFile], recipe: Recipe) -> Tokenizers:
    """Return the tokenizers from the contents of the files. Raises as `load_tokenizers`."""
    settings = recipe.tokenizer
    source_rules, target_rules = recipe_rules(recipe)
    if settings.pretokenization == "words":
        literals = LiteralRules.from_recipe(recipe)
        loaded = [
            Tokenizer.from_bytes(
                file.data,
                where=file.path,
                normalize_quotes=settings.normalize_quotes,
                detach_opening_marks=settings.detach_opening_marks,
                literals=literals,
            )
            for file in files
        ]
        return loaded[0].with_rules(source_rules), loaded[-1].with_rules(target_rules)
    from attn_cli.data.sentencepiece_tokenizer import SentencePieceTokenizer, read_pieces

    source, target, *lists = files
    pieces = [read_pieces(each.data, each.path) for each in lists]
    return (
        SentencePieceTokenizer(
            source.data,
            pieces[0],
            target_token=settings.target_token,
            where=source.path,
            rules=source_rules,
        ),
        SentencePieceTokenizer(target.data, pieces[-1], where=target.path, rules=target_rules),
    )


def with_target_token(source: SubwordTokenizer, token: str) -> "SentencePieceTokenizer":
    """Return the source's tokenizer with that token of a target language.

    Raises UsageError if its vocabulary has no such token.
    """
    from attn_cli.data.sentencepiece_tokenizer import SentencePieceTokenizer

    if not isinstance(source, SentencePieceTokenizer):
        raise UsageError(
            f"the model has one target language, and no token {token}", "Leave --target-token out."
        )
    return source.with_target_token(token)


def vocabulary_contents(
    recipe: Recipe, source: SubwordTokenizer, target: SubwordTokenizer
) -> dict[str, bytes]:
    """Return the content of each of the files of `vocabulary_files`."""
    names = vocabulary_files(recipe)
    contents = dict(zip(names, (source.to_bytes(), target.to_bytes()), strict=False))
    for name, tokenizer in zip(names[2:], (source, target), strict=False):
        pieces = [tokenizer.piece(id) for id in range(tokenizer.vocab_size)]
        contents[name] = json.dumps(pieces, ensure_ascii=False, indent=0).encode()
    return contents
