"""Find models and recipes by name; add models to the user's registry, and remove them."""

import difflib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attn_cli.errors import DataError, ModelError, UsageError
from attn_cli.files import atomic, user_folders
from attn_cli.files.folder_lock import lock_folder

_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = _PACKAGE / "_shipped"  # in a wheel
_CHECKOUT = _PACKAGE.parent  # in an editable install

#: The default model, and the folder that replaces it while it is not registered.
DEFAULT = "en-fr"
DEMO_RUN = Path("runs/demo")

_RECIPES = _PACKAGE / "recipes"


def model_folders() -> list[Path]:
    """Return the folders in which names are looked up, in order: the user's, then the shipped."""
    own = [user_folders.data_folder(), user_folders.former_folder()]
    return [*(folder / "models" for folder in own if folder), *_shipped()]


def installed_path(name: str) -> Path:
    """Return the folder of a model of that name in the user's registry, which may not exist."""
    return model_folders()[0] / name


def _shipped() -> list[Path]:
    return [_SHIPPED / "models", _CHECKOUT / "models"]


def is_shipped(path: Path) -> bool:
    """Whether the model in `path` is shipped with attn."""
    return os.path.dirname(os.path.realpath(path)) in map(os.path.realpath, _shipped())


def names() -> Iterator[tuple[str, Path]]:
    """Yield (name, folder) of every registered model; the first folder of a name counts."""
    listed: set[str] = set()
    for folder in model_folders():
        for path in sorted(folder.iterdir()) if os.path.isdir(folder) else []:
            name = _displaced_name(path) or path.name
            if _is_model(path) and not name.startswith(".") and name not in listed:
                listed.add(name)
                yield name, path


def _displaced_name(path: Path) -> str:
    """Return the name of a model that an interrupted `atomic_install` moved away, or "".

    Its folder is `.NAME.PROCESS.old`, and NAME does not exist.
    """
    hidden, _, ending = path.name.rpartition(".")
    name = hidden.rpartition(".")[0][1:]
    displaced = path.name[0] == "." and ending == "old" and not os.path.lexists(path.parent / name)
    return name if displaced else ""


@contextmanager
def atomic_install(name: str, *, force: bool = False) -> Iterator[Path]:
    """Yield an empty folder; after the block it becomes the registered model `name`.

    If the block fails, nothing changes. Raises UsageError for an invalid name, or an existing one
    unless with `force`, and DataError if the disk cannot be written.
    """
    place = installed_path(_check_name(name))
    new = place.with_name(f".{name}.{os.getpid()}.new")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with lock_folder(place.parent):
            _recover(place.parent)
            if os.path.lexists(place) and not force:
                raise UsageError(
                    f"a model {name} already exists in {place}",
                    "Replace it with --force, or choose another --name.",
                )
            try:
                new.mkdir()
                yield new
                _exchange(new, place)
            finally:
                _remove(new)
    except OSError as error:
        raise DataError(
            f"cannot put the model into {place}: {error.strerror}",
            "Free some space there, or set ATTN_HOME to a writable folder.",
        ) from error


def check_removable(name: str) -> Path:
    """Return the folder of a model in the user's registry.

    Raises ModelError where there is none of that name, UsageError for one that is shipped.
    """
    own = [folder for folder in model_folders() if folder not in _shipped()]
    for place in (folder / name for folder in own if not set(name) & set("/\\:")):
        if _is_model(place):
            return place
    if name in dict(names()):
        raise UsageError(
            f"the model {name} is shipped with attn", "Only models of your registry can be removed."
        )
    if Path(name).is_dir():
        raise UsageError(
            f"{name} is a folder, not a registered model", "Delete the folder yourself."
        )
    return find(name)


def remove(name: str) -> Path:
    """Remove a model from the user's registry; returns the folder that it had.

    It is renamed first, so that a killed process leaves no incomplete model of that name. Raises as
    `check_removable`, and OSError.
    """
    place = check_removable(name)
    hidden = place.with_name(f".{name}.{os.getpid()}.new")  # which `_recover` removes
    with lock_folder(place.parent):
        os.rename(place, hidden)
        _remove(hidden)
    return place


def _recover(folder: Path) -> None:
    """Move back models that a killed `atomic_install` displaced; remove its other files.

    The lock of the folder must be held, so that no other process changes it.
    """
    for path in folder.glob(".*"):
        hidden, _, ending = path.name.rpartition(".")
        stem, _, process = hidden.rpartition(".")
        if ending not in ("new", "old") or not process.isdecimal() or len(stem) < 2:
            continue
        if ending == "old" and not os.path.lexists(folder / stem[1:]):
            os.rename(path, folder / stem[1:])
        else:
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check_name(name: str) -> str:
    """Return the name. Raises UsageError for a path, a hidden file or an option."""
    if not name or name.strip() != name or name[0] in ".-" or not name.isprintable():
        problem = f"{name!r} cannot be a model's name"
    elif set(name) & set("/\\:"):
        problem = f"{name!r} cannot be a model's name: it is a path"
    else:
        return name
    raise UsageError(problem, "Choose another --name, such as my-en-fr.")


def _exchange(new: Path, place: Path) -> None:
    """Rename `new` to `place`, and remove the folder that had this name.

    If the system can exchange two names, the old folder has its name until then; else it is renamed
    back if this is interrupted.
    """
    if not os.path.lexists(place):
        os.rename(new, place)
        return
    if atomic.exchange(new, place):
        return  # `new` is now the old folder; `atomic_install` removes it
    old = new.with_suffix(".old")
    try:
        os.rename(place, old)
        os.rename(new, place)
    finally:
        if os.path.lexists(old) and not os.path.lexists(place):
            os.rename(old, place)
    _remove(old)


def default_name() -> str:
    """Return the value of $ATTN_MODEL, or an empty string."""
    return os.environ.get("ATTN_MODEL") or ""


def find(name: str | None) -> Path:
    """Find the folder of a model: a registered name, else a path.

    A folder of the name of a registered model needs a separator, as in ./en-fr.
    Without a name: $ATTN_MODEL, then en-fr, then the demo's run in this folder.
    Raises ModelError when there is none.
    """
    requested = name or default_name()
    if not requested:
        registered = dict(names())
        if DEFAULT in registered:
            return registered[DEFAULT]
        if _is_model(DEMO_RUN):
            return DEMO_RUN
        raise ModelError(
            "no model is registered",
            "Train the demo with: attn train (a minute or two), or name a model with --model.",
        )
    path = Path(requested)
    registered = dict(names())
    if requested in registered:  # even if there is a folder ./NAME
        return registered[requested]
    if os.path.isdir(path):
        return path
    if os.path.exists(path):
        raise ModelError(f"{requested} is a file; a model is a folder", "Name the folder it is in.")
    known = ", ".join(sorted(registered)) or "none yet"
    near = _similar(requested, registered)
    raise ModelError(
        f"there is no model {requested}, neither a folder nor a registered name",
        (f"Did you mean {near}? " if near else "") + f"Registered: {known}.",
    )


def _similar(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most similar, such as fr-en for fr_en or FR-EN; else ""."""
    plain = {each.lower().replace("_", "-"): each for each in known}
    near = difflib.get_close_matches(name.lower().replace("_", "-"), plain, n=1, cutoff=0.8)
    return plain[near[0]] if near else ""


def _is_model(path: Path) -> bool:
    return os.path.isfile(path / "bundle.json")  # False also for a name that is too long


def demo_corpus() -> Path:
    """Return the folder of the demo corpus and its recipe."""
    for root in (_SHIPPED, _CHECKOUT):
        if (root / "data" / "demo" / "recipe.toml").is_file():
            return root / "data" / "demo"
    raise ModelError("the demo corpus is missing from the installation", "Install attn again.")


def recipe_names() -> list[str]:
    """Return the names of the included recipes."""
    return sorted(path.stem for path in _RECIPES.glob("*.toml"))


def named_recipe(name: str) -> Path:
    """Return the file of an included recipe. Raises UsageError if there is none."""
    known = recipe_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"there is no recipe named {name}",
            f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}.",
        )
    return _RECIPES / f"{name}.toml"
