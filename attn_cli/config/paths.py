"""Change the folder that the paths in a recipe are relative to."""

import os
from dataclasses import replace
from pathlib import Path

from attn_cli.config.parsing import file_of_links, with_files
from attn_cli.config.schema import DATA_FILES, Recipe
from attn_cli.config.train import STATISTICAL, UNGUIDED


def rebase_paths(
    recipe: Recipe, base: Path, folder: Path, *, absolute_outside: bool = False
) -> Recipe:
    """Return the recipe with paths relative to `folder` instead of `base`.

    "-", standard input, stays. Links to folders are resolved, since `..` behind a link leads out of
    the folder that it names. With `absolute_outside`, files that are not below `folder` get
    absolute paths, which are easier to read.
    """

    def rebase(file: str) -> str:
        if file == "-":
            return file
        real = _real(base / file)
        if absolute_outside and not real.is_relative_to(os.path.realpath(folder)):
            return str(real)
        return os.path.relpath(real, os.path.realpath(folder))

    texts = {name: file for name in DATA_FILES if (file := getattr(recipe.data, name))}
    recipe = with_files(recipe, {name: rebase(file) for name, file in texts.items()})
    if not (links := file_of_links(recipe)):
        return recipe
    links = rebase(links)
    if links in (UNGUIDED, STATISTICAL):
        links = os.path.join(os.curdir, links)  # a file of that name, not the value
    return replace(recipe, train=replace(recipe.train, guided_alignment=links))


def _real(path: Path) -> Path:
    """Return the path without links to folders; the file keeps its name, which may end in `.gz`."""
    return Path(os.path.realpath(path.parent)) / path.name
