"""Recipes from nested dictionaries, overridden by `--set` and TOML; errors name their key."""

import dataclasses
import difflib
import functools
import math
import tomllib
import types
import typing
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from attn_cli.config.defaults import family_defaults, with_family_defaults
from attn_cli.config.network import WordAlignerConfig
from attn_cli.config.schema import Recipe
from attn_cli.config.train import STATISTICAL, UNGUIDED
from attn_cli.config.trees import merge, non_default, parse_tree, section, to_tree
from attn_cli.errors import UsageError

T = TypeVar("T")

#: `typing.get_type_hints`, computed once for each section. Without the annotation mypy refuses
#: classes, as not Hashable.
field_types: Callable[[Any], dict[str, Any]] = functools.cache(typing.get_type_hints)


def from_dict(tree: dict[str, Any], *, where: str = "recipe") -> Recipe:
    """Build a recipe from nested dictionaries; `where` names their origin in errors.

    Raises UsageError for an unknown key, a wrong type or a value out of bounds.
    """
    return _parse_section(Recipe, with_family_defaults(tree), where=where, prefix="")


def with_files(recipe: Recipe, files: dict[str, str]) -> Recipe:
    """Return `recipe` with other `DATA_FILES`."""
    tree = to_dict(recipe)
    tree["data"] |= files
    return from_dict(tree)


def with_settings(recipe: Recipe, settings: list[str]) -> Recipe:
    """Return `recipe` with the settings `section.key=value`, as passed to `--set`.

    A value that is not TOML is a string: `model.encoder.cell=lstm`. Raises UsageError.
    """
    known = to_dict(recipe)
    tree = non_default(known, family_defaults(recipe.model))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting} has no '='", "Write --set section.key=value.")
        *parents, last = key.strip().split(".")
        branch, whole = tree, known
        for depth, parent in enumerate(parents):
            nested, whole = branch.setdefault(parent, {}), whole.get(parent, {})
            if not (isinstance(nested, dict) and isinstance(whole, dict)):
                owner = ".".join(parents[: depth + 1])
                raise UsageError(
                    f"--set {key}: {owner} is a value, not a section", "Leave out what follows it."
                )
            branch = nested
        value = _scalar(text.strip())
        if isinstance(value, bool) and "enabled" in section(whole, last):
            branch, last = branch.setdefault(last, {}), "enabled"
        branch[last] = value
    return from_dict(tree, where="--set")


def merge_toml(recipe: Recipe, text: str, *, where: str) -> Recipe:
    """Return `recipe` overridden by the TOML `text`; `where` names the text in errors."""
    changed = non_default(to_dict(recipe), family_defaults(recipe.model))
    return from_dict(merge(changed, parse_tree(text, where)), where=where)


def choices(key: str) -> tuple[str, ...]:
    """Return the values of a recipe key that has a fixed list of them; () for any other key."""
    *parents, last = key.split(".")
    cls: type[Any] = Recipe
    for name in parents:
        cls = field_types(cls).get(name, object)
    kind = field_types(cls).get(last)
    if kind is bool:
        return "true", "false"
    return tuple(typing.get_args(kind)) if typing.get_origin(kind) is Literal else ()


def keys(cls: type[Any] = Recipe, prefix: str = "") -> list[str]:
    """Return all keys of a recipe, dotted, in order."""
    names: list[str] = []
    hints = field_types(cls)
    for leaf in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[leaf.name]):
            names += keys(typing.cast(type[Any], hints[leaf.name]), f"{prefix}{leaf.name}.")
        else:
            names.append(prefix + leaf.name)
    return names


def _parse_section(cls: type[T], tree: Any, *, where: str, prefix: str) -> T:
    if isinstance(tree, bool) and cls is WordAlignerConfig:
        tree = {"enabled": tree}
    if not isinstance(tree, dict):
        raise UsageError(
            f"{where}: {prefix[:-1]} must be a section, not {tree!r}", "Use [section]."
        )
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = field_types(cls)
    for key in tree:
        if key not in fields:
            raise UsageError(
                f"{where}: unknown key {prefix}{key}", _did_you_mean(key, prefix, fields)
            )
    values: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix + key
        if dataclasses.is_dataclass(hints[key]):
            kind = typing.cast(type[Any], hints[key])
            values[key] = _parse_section(kind, value, where=where, prefix=f"{name}.")
        else:
            values[key] = _parse_value(value, hints[key], fields[key], f"{where}: {name}")
    return cls(**values)


def _parse_value(value: Any, kind: Any, leaf: "dataclasses.Field[Any]", name: str) -> Any:
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if value not in choices or isinstance(value, bool):
            near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose one of: {', '.join(choices)}."
            raise UsageError(f"{name} cannot be {value!r}", hint)
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 1 << 1023 else math.inf
    expected = kind if isinstance(kind, type) else types.NoneType
    if type(value) is not expected:
        raise UsageError(
            f"{name} must be {_KIND_NAMES[expected]}, not {value!r}",
            f"Help: {leaf.metadata['help']}.",
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name} must be finite, not {value}", f"Help: {leaf.metadata['help']}.")
    low, high = leaf.metadata["low"], leaf.metadata["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"at least {low}" if high is None else f"between {low or 0} and {high}"
        raise UsageError(f"{name} must be {bounds}, not {value}", f"Help: {leaf.metadata['help']}.")
    if isinstance(value, int | float) and value > (limit := leaf.metadata["limit"]):
        raise UsageError(
            f"{name} must be at most {limit:g}, not {value}", f"Help: {leaf.metadata['help']}."
        )
    return value


_KIND_NAMES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}


def _did_you_mean(key: str, prefix: str, fields: dict[str, Any]) -> str:
    near = difflib.get_close_matches(key, fields, n=1)
    if near:
        return f"Did you mean {prefix}{near[0]}?"
    elsewhere = [name for name in keys() if name.rpartition(".")[2] == key]
    if elsewhere:
        return f"Did you mean {elsewhere[0]}?"
    return f"Known keys: {', '.join(fields)}."


def _scalar(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, or a number of too many digits
        return text


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as nested dictionaries of plain values; inverse of `from_dict`."""
    return to_tree(recipe)


def file_of_links(recipe: Recipe) -> str:
    """Return the file named by `train.guided_alignment`, "" for none; relative like data paths."""
    named = recipe.train.guided_alignment
    return "" if named in (UNGUIDED, STATISTICAL) else named
