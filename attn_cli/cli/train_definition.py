"""What `attn train` trains: a recipe, its text and its folder, from the options or a saved plan."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attn_cli.errors import UsageError

if TYPE_CHECKING:
    from attn_cli.bundles.bundle import Bundle
    from attn_cli.config import Recipe
    from attn_cli.training.resume import ResumePlan


@dataclass(frozen=True)
class TrainDefinition:
    """What to train, and where. The recipe's data paths are relative to `base`.

    `resumed` is the training to continue, `start_from` the model to fine-tune.
    """

    recipe: "Recipe"
    base: Path
    out: Path
    resumed: "ResumePlan | None" = None
    start_from: "Bundle | None" = None


def resumed_definition(folder: Path, changes: list[str]) -> TrainDefinition:
    """Return the definition of the training in `folder`, with the changes of --set."""
    from attn_cli import config
    from attn_cli.training.resume import read_plan

    training = read_plan(folder)
    return TrainDefinition(
        config.with_settings(training.plan.recipe, changes), folder, folder, training
    )


def worker_definition(folder: Path) -> TrainDefinition:
    """Return the definition of a worker, which receives the recipe from the main worker."""
    from attn_cli.config import Recipe

    return TrainDefinition(Recipe(), folder, folder)


def holds_training(folder: Path) -> bool:
    """Whether there is a training to resume, as after a restart by torchrun."""
    from attn_cli.training.resume import read_plan

    try:
        read_plan(folder)
    except UsageError:
        return False
    return True


def check_recipe_options(name: str | None, recipe: Path | None, start_from: str | None) -> None:
    """Raise UsageError if two options define the network."""
    if name is not None and recipe is not None:
        raise UsageError(
            f"two recipes were given: {recipe} and --recipe-name {name}", "Leave one of them out."
        )
    if name is not None and start_from is not None:
        raise UsageError(
            "--from takes the network of a model, so it excludes --recipe-name",
            "Leave one of the two out.",
        )


def new_definition(
    path: Path | None,
    name: str | None,
    texts: dict[str, Path],
    changes: list[str],
    start_from: str | None,
    out: Path | None,
) -> TrainDefinition:
    """Return the definition of a new training.

    Raises UsageError and ModelError if a recipe, a text or a model cannot be used.
    """
    from attn_cli import config
    from attn_cli.bundles import registry
    from attn_cli.bundles.bundle import open_bundle
    from attn_cli.bundles.manifest import FACTS
    from attn_cli.training.finetuning import finetuning_recipe

    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a folder", "Name a recipe in it, such as recipe.toml.")
    if path is not None:
        # A model's own recipe trains that model again, whatever today's defaults.
        of_a_model = (path.parent / FACTS).is_file()
        recipe, base = config.load(path, legacy_defaults=of_a_model), path.parent
    elif texts:
        recipe, base = _recipe_for_text(texts, of_a_model=start_from is not None), Path()
    elif start_from:
        raise UsageError("--from needs training text", "Add --pairs, or --source and --target.")
    else:
        base = registry.demo_corpus()
        recipe = config.load(base / "recipe.toml")
    if name is not None:
        recipe = _with_named_recipe(name, recipe)
    if texts:
        recipe = config.with_files(recipe, _text_files(texts, base))
    start = None
    if start_from:
        start = open_bundle(registry.find(start_from))
    if start is not None:
        recipe = recipe if path else config.finetuning_defaults(recipe)
        recipe = finetuning_recipe(config.with_settings(recipe, changes), start)
    recipe = config.with_settings(recipe, changes)
    if start is not None and recipe.tokenizer.target_token:
        start, recipe = _with_target_token(start, recipe)
    return TrainDefinition(recipe, base, out or Path("runs") / recipe.name, start_from=start)


def _with_target_token(start: "Bundle", recipe: "Recipe") -> "tuple[Bundle, Recipe]":
    """Return both with the token as the vocabulary has it. Raises UsageError if it has none."""
    from dataclasses import replace

    if recipe.train.new_vocabulary:
        raise UsageError(
            "train.new_vocabulary and a target token exclude each other: the new vocabulary has "
            "no tokens of target languages",
            "Leave one of the two out.",
        )
    start = start.with_target_token(recipe.tokenizer.target_token)
    token = start.recipe.tokenizer.target_token
    return start, replace(recipe, tokenizer=replace(recipe.tokenizer, target_token=token))


def _with_named_recipe(name: str, recipe: "Recipe") -> "Recipe":
    """Merge the included recipe `name` over `recipe`, and name the model after it.

    Widths that the included recipe does not set remain those that suit the text.
    """
    from dataclasses import replace

    from attn_cli import config
    from attn_cli.bundles import registry

    path = registry.named_recipe(name)
    text = path.read_text(encoding="utf-8")
    return replace(config.merge_toml(recipe, text, where=str(path)), name=name)


def _recipe_for_text(texts: dict[str, Path], *, of_a_model: bool) -> "Recipe":
    """Return the default recipe for text files; their extensions name the languages.

    With `of_a_model`, the languages are those of the model to fine-tune.
    """
    from attn_cli.cli.input import language_of
    from attn_cli.config import Recipe

    if of_a_model:
        return Recipe()
    source, target = (language_of(texts.get(side)) for side in ("source", "target"))
    name = f"{source}-{target}" if source and target else "model"
    return Recipe(name=name, source=source, target=target)


def _text_files(texts: dict[str, Path], base: Path) -> dict[str, str]:
    """Return the text files of the command line relative to `base`.

    They replace all files of the recipe for the same purpose.
    """
    import os

    files = {
        key: "-" if str(path) == "-" else os.path.relpath(path, base) for key, path in texts.items()
    }
    for purpose in ("", "valid_"):
        keys = [f"{purpose}{part}" for part in ("source", "target", "pairs")]
        if any(key in texts for key in keys):
            files = dict.fromkeys(keys, "") | files
    return files
