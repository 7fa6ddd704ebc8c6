"""The pairs of the files that a command names, all of them."""

from typing import BinaryIO

from attn_cli.config import DataConfig, Recipe
from attn_cli.data.corpus import Corpus
from attn_cli.data.corpus_reader import CorpusOptions, read_pairs, read_parallel
from attn_cli.data.corpus_report import CorpusReport
from attn_cli.data.literals import LiteralRules
from attn_cli.data.word_rules import recipe_rules


def read_training_pairs(
    data: DataConfig, recipe: Recipe, *, stdin: BinaryIO | None = None
) -> tuple[Corpus, CorpusReport]:
    """Return the training pairs that `data` names, relative to the working directory.

    Words and literals are those of the model of `recipe`. Raises DataError for text that cannot be
    used.
    """
    options = CorpusOptions(
        literals=LiteralRules.from_recipe(recipe),
        rules=recipe_rules(recipe),
        detach_opening_marks=recipe.tokenizer.detach_opening_marks,
    )
    if data.pairs:
        return read_pairs(data.pairs, options, stdin=stdin)
    return read_parallel(data.source, data.target, options, stdin=stdin)
