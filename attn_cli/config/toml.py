"""Read recipes from TOML; write them, with the help of each key as a comment."""

import dataclasses
import json
import typing
from pathlib import Path
from typing import Any, Literal

from attn_cli.config.defaults import LEGACY_DEFAULTS, rename_former_keys, with_family_defaults
from attn_cli.config.parsing import field_types, from_dict
from attn_cli.config.schema import Recipe
from attn_cli.config.trees import merge, parse_tree
from attn_cli.errors import UsageError
from attn_cli.files.reading import read_small

#: Maximum size of a recipe in bytes.
MAX_BYTES = 1 << 20


def load(path: Path, *, legacy_defaults: bool = False) -> Recipe:
    """Read a recipe from a TOML file.

    With `legacy_defaults`, for the recipe of a bundle, former keys are accepted and missing keys
    have their `LEGACY_DEFAULTS`. Raises UsageError naming the file if it is missing, is not TOML,
    or has an unknown key or an invalid value.
    """
    try:
        text = read_small(path, limit=MAX_BYTES, pipes=not legacy_defaults).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(
            f"cannot read the recipe {path}: {reason}", "Check the name, or see attn train --help."
        ) from error
    tree = parse_tree(text, str(path))
    if legacy_defaults:
        rename_former_keys(tree)
        # Defaults of a Transformer take precedence over legacy defaults.
        tree = merge(LEGACY_DEFAULTS, with_family_defaults(tree))
    return from_dict(tree, where=str(path))


def parse(text: str, *, where: str = "recipe") -> Recipe:
    """Parse a recipe from TOML; `where` names the text in errors. Raises UsageError."""
    return from_dict(parse_tree(text, where), where=where)


def to_toml(recipe: Recipe, *, helps: bool = False, heading: str = "") -> str:
    """Return the recipe as TOML; `parse` returns an equal recipe.

    With `helps`, a comment after each key gives its help and its choices.
    """
    lines = [f"# {line}" for line in heading.splitlines()]
    _write(recipe, "", lines, helps)
    return "\n".join(lines).strip() + "\n"


#: A comment is aligned after rows of at most so many columns; a longer row has its own two spaces.
_WIDEST = 40


def _write(section: Any, prefix: str, lines: list[str], helps: bool) -> None:
    sections: list[tuple[str, Any]] = []
    rows: list[tuple[str, str]] = []
    hints = field_types(type(section))
    for leaf in dataclasses.fields(section):
        value = getattr(section, leaf.name)
        if dataclasses.is_dataclass(value):
            sections.append((leaf.name, value))
            continue
        help = str(leaf.metadata["help"])
        if typing.get_origin(hints[leaf.name]) is Literal:
            help += f" ({' | '.join(typing.get_args(hints[leaf.name]))})"
        rows.append((f"{leaf.name} = {_toml_value(value)}", help))
    if rows and prefix:
        lines += ["", f"[{prefix[:-1]}]"]
    width = max((len(text) for text, _ in rows if len(text) <= _WIDEST), default=0)
    lines += [f"{text:<{width}}  # {help}" if helps else text for text, help in rows]
    for name, nested in sections:
        _write(nested, f"{prefix}{name}.", lines, helps)


def _toml_value(value: Any) -> str:
    """Return a value as TOML: JSON with DEL escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
