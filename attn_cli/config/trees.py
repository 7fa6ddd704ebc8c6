"""Nested dictionaries of recipes: parse them from TOML, merge them, compare them."""

import dataclasses
import tomllib
from typing import Any

from attn_cli.errors import UsageError

#: Dots in a line: tomllib takes quadratic time for a key of many parts.
_MAX_DOTS = 500


def parse_tree(text: str, where: str) -> dict[str, Any]:
    """Parse a TOML text; raise UsageError, with `where` in its message, if it is not TOML."""
    if any(line.count(".") > _MAX_DOTS for line in text.splitlines()):
        raise UsageError(f"{where} is nested too deeply", "Fix its keys.")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise UsageError(f"{where} is nested too deeply", "Fix its brackets.") from error
    except ValueError as error:  # of tomllib, or for too long a number
        raise UsageError(f"{where} is not TOML: {error}", "Fix that line.") from error


def to_tree(config: Any) -> dict[str, Any]:
    """Return a dataclass of sections and plain values as nested dictionaries.

    As `dataclasses.asdict`, which also copies each value deeply and takes five times as long.
    """
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {
        name: to_tree(value) if dataclasses.is_dataclass(value) else value
        for name, value in values.items()
    }


def merge(tree: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """Return `tree` overridden by `upper`, section by section."""
    merged = dict(tree)
    for key, value in upper.items():
        both = isinstance(value, dict) and isinstance(tree.get(key), dict)
        merged[key] = merge(tree[key], value) if both else value
    return merged


def non_default(tree: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the part of `tree` that differs from `defaults`."""
    changed: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            if inner := non_default(value, defaults[key]):
                changed[key] = inner
        elif value != defaults[key]:
            changed[key] = value
    return changed


def section(branch: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the section `name` of `branch`, or an empty one."""
    section = branch.get(name)
    return section if isinstance(section, dict) else {}
