"""A model's name becomes its directory. Knows where models may lie, not what is in them."""

import os
from collections.abc import Iterator
from pathlib import Path

from attn_cli.errors import ModelError

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "_shipped"  # in a wheel
_CHECKOUT = _PACKAGE.parent  # in an editable install

#: The model that answers when none is named, and what stands in until the shelf holds it.
DEFAULT = "en-fr"
DEMO_RUN = Path("runs/demo")


def home() -> Path:
    """The user's own folder of models: $ATTN_HOME, else ~/.attn."""
    return Path(os.environ.get("ATTN_HOME") or Path.home() / ".attn")


def shelves() -> list[Path]:
    """The folders in which a name is looked up, in order."""
    return [home() / "models", _SHIPPED / "models", _CHECKOUT / "models"]


def names() -> Iterator[tuple[str, Path]]:
    """Every model on a shelf, by name; a name found first hides the later ones."""
    seen: set[str] = set()
    for shelf in shelves():
        for path in sorted(shelf.iterdir()) if shelf.is_dir() else []:
            if _is_model(path) and path.name not in seen:
                seen.add(path.name)
                yield path.name, path


def find(name: str | None) -> Path:
    """The directory of the model called `name`: a path, or a name on a shelf.

    Without a name: $ATTN_MODEL, then en-fr, then the demo's run in this folder.
    Raises ModelError when there is none.
    """
    wanted = name or os.environ.get("ATTN_MODEL") or ""
    if not wanted:
        shelved = dict(names())
        if DEFAULT in shelved:
            return shelved[DEFAULT]
        if _is_model(DEMO_RUN):
            return DEMO_RUN
        raise ModelError(
            "there is no model here yet",
            "Train the demo with: attn train (a minute or two), or name a model with --model.",
        )
    path = Path(wanted)
    if _is_model(path):
        return path
    shelved = dict(names())
    if wanted in shelved:  # though a folder without a model may have that name here too
        return shelved[wanted]
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"{wanted} is a file; a model is a folder", "Name the folder it is in.")
    known = ", ".join(sorted(shelved)) or "none yet"
    raise ModelError(
        f"there is no model {wanted}, neither a folder nor a name on the shelf",
        f"On the shelf: {known}.",
    )


def _is_model(path: Path) -> bool:
    return (path / "bundle.json").is_file()


def demo_corpus() -> Path:
    """The folder of the demo corpus and its recipe."""
    for root in (_SHIPPED, _CHECKOUT):
        if (root / "data" / "demo" / "recipe.toml").is_file():
            return root / "data" / "demo"
    raise ModelError("the demo corpus is not where it should be", "Install attn again.")
