"""The paths that a recipe names, made relative to another folder."""

import os
from dataclasses import replace
from pathlib import Path

from attn_cli.config.parsing import file_of_links, with_files
from attn_cli.config.schema import DATA_FILES, STATISTICAL, UNGUIDED, Recipe


def rebase_paths(
    recipe: Recipe, base: Path, folder: Path, *, absolute_outside: bool = False
) -> Recipe:
    """The recipe with its files, relative to `base` so far, made relative to `folder`.

    "-", standard input, is nowhere. Links to folders are followed, since a path that goes up
    from behind one would leave it elsewhere. With `absolute_outside`, files that are not below
    `folder` get absolute paths, for people.
    """

    def moved(file: str) -> str:
        if file == "-":
            return file
        real = _real(base / file)
        if absolute_outside and not real.is_relative_to(os.path.realpath(folder)):
            return str(real)
        return os.path.relpath(real, os.path.realpath(folder))

    texts = {name: file for name in DATA_FILES if (file := getattr(recipe.data, name))}
    recipe = with_files(recipe, {name: moved(file) for name, file in texts.items()})
    if not (links := file_of_links(recipe)):
        return recipe
    links = moved(links)
    if links in (UNGUIDED, STATISTICAL):
        links = os.path.join(os.curdir, links)  # a file, whatever it is called
    return replace(recipe, train=replace(recipe.train, guided_alignment=links))


def _real(path: Path) -> Path:
    """The path without links to folders; the file keeps its own name, which may say `.gz`."""
    return Path(os.path.realpath(path.parent)) / path.name
