"""Train the vocabulary of a training, and broadcast it to all workers."""

import base64
from collections.abc import Callable

from attn_cli.bundles.vocabularies import VocabularyFile, read_tokenizers, vocabulary_contents
from attn_cli.config import Recipe
from attn_cli.data import corpus
from attn_cli.data.augmentation import Augmentation
from attn_cli.data.literals import LiteralRules
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.data.word_rules import recipe_rules
from attn_cli.errors import UsageError
from attn_cli.training.group import Group

#: The most words to train a vocabulary on: SentencePiece needs some 80 bytes for each. Of a longer
#: text an even share is used.
MAX_WORDS = 5_000_000


def broadcast_tokenizers(
    recipe: Recipe,
    group: Group,
    make_tokenizers: Callable[[], tuple[SubwordTokenizer, SubwordTokenizer]],
) -> tuple[SubwordTokenizer, SubwordTokenizer]:
    """Return the tokenizers that `make_tokenizers` returns on the main worker, on every worker."""
    local = make_tokenizers() if group.is_main else None
    if group.size == 1:
        assert local is not None
        return local
    contents = vocabulary_contents(recipe, *local).values() if local else ()
    received = group.broadcast([base64.b64encode(data).decode("ascii") for data in contents])
    if local is not None:
        return local
    files = [VocabularyFile("the main worker's", base64.b64decode(data)) for data in received]
    return read_tokenizers(files, recipe)


def train_tokenizers(
    recipe: Recipe, text: corpus.Corpus, variants: Augmentation | None = None
) -> tuple[Tokenizer, Tokenizer]:
    """Train the tokenizer of each side on the text, or one joint tokenizer for both.

    Raises UsageError for a recipe whose vocabulary was imported.
    """
    if recipe.tokenizer.pretokenization == "none":
        raise UsageError(
            'a vocabulary with tokenizer.pretokenization = "none" can be imported, but not learned',
            "Fine-tune the imported model with --from, or set tokenizer.pretokenization=words.",
        )
    literals, rules = LiteralRules.from_recipe(recipe), recipe_rules(recipe)
    share = min(1.0, MAX_WORDS / text.n_words)
    source, target = text.source_counts(share=share), text.target_counts(share=share)
    if variants is not None:
        source = variants.add_lowercase_counts(source)
    if recipe.tokenizer.joint:
        counts = dict(source)
        for form, count in target.items():
            counts[form] = counts.get(form, 0) + count
        joint = Tokenizer.train_on_counts(counts, recipe.tokenizer, literals=literals)
        return joint.with_rules(rules[0]), joint.with_rules(rules[1])
    return (
        Tokenizer.train_on_counts(source, recipe.tokenizer, literals=literals, rules=rules[0]),
        Tokenizer.train_on_counts(target, recipe.tokenizer, literals=literals, rules=rules[1]),
    )
