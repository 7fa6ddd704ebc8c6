"""Make the recipe of a fine-tuning: the new text with the network of the first model."""

from dataclasses import replace

from attn_cli import config
from attn_cli.bundles.bundle import Bundle
from attn_cli.bundles.manifest import WEIGHTS, WORD_ALIGNER
from attn_cli.config import Recipe
from attn_cli.errors import ModelError, UsageError


def finetuning_recipe(recipe: Recipe, start: Bundle) -> Recipe:
    """Return `recipe` with the vocabulary and the network of the model `start`.

    The network keeps its dropout, unless that of `recipe` is not the default.
    With `train.new_vocabulary` the vocabulary is that of `recipe`, but joint as in `start`. Raises
    ModelError if `start` has other languages or cannot translate; UsageError if its word aligner
    would be frozen with another vocabulary.
    """
    if not start.has_files(WEIGHTS):
        lacks = "graphs but no weights" if start.can_translate else "no decoder"
        raise ModelError(
            f"the model {start.name} cannot be fine-tuned: it has {lacks}",
            "Start from a model that attn train made.",
        )
    if (recipe.source, recipe.target) != ("", "") and (recipe.source, recipe.target) != (
        start.recipe.source,
        start.recipe.target,
    ):
        raise ModelError(
            f"the model {start.name} translates {start.recipe.source}-{start.recipe.target}, "
            f"not {recipe.source}-{recipe.target}",
            "Start from a model of the same languages.",
        )
    tokenizer = start.recipe.tokenizer
    if recipe.train.new_vocabulary:
        if recipe.train.freeze_aligner and start.has_files(WORD_ALIGNER):
            raise UsageError(
                "train.freeze_aligner and train.new_vocabulary exclude each other: the word "
                "aligner has embeddings for the pieces of the former vocabulary only",
                "Add --set train.freeze_aligner=false.",
            )
        tokenizer = replace(recipe.tokenizer, joint=tokenizer.joint)
    network = start.recipe.model
    if recipe.model.dropout != config.DropoutConfig():
        network = replace(network, dropout=recipe.model.dropout)
    return replace(
        recipe,
        source=start.recipe.source,
        target=start.recipe.target,
        tokenizer=tokenizer,
        model=network,
        decode=start.recipe.decode if recipe.decode == config.DecodeConfig() else recipe.decode,
    )
