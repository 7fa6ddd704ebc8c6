"""config.toml: the user's own defaults. Options precede the environment, which precedes the file.

model = "fr-en"     # as --model and $ATTN_MODEL
color = "never"     # as --color: auto, always or never
threads = 2         # as --threads
"""

import typing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from attn_cli.choices import MAX_THREADS
from attn_cli.console import Color, Console
from attn_cli.errors import UsageError
from attn_cli.files import user_folders

FILE = "config.toml"


@dataclass(frozen=True)
class UserConfig:
    """The settings of the file; None for those that it does not set."""

    model: str | None = None
    color: Color | None = None
    threads: int | None = None

    def apply(self, console: Console) -> None:
        """Make these the defaults of this process and of those that it starts."""
        if self.model is not None:
            console.set_environment(ATTN_MODEL=self.model)
        if self.color is not None:
            console.default_color = self.color
        console.default_threads = self.threads


def config_file() -> Path:
    """Return where the file is looked for."""
    return user_folders.config_folder() / FILE


def load_user_config(path: Path) -> UserConfig:
    """Read the file; without one, nothing is set. Raises UsageError naming the file and the key."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return UserConfig()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "Correct or remove it."
        ) from error
    import tomllib

    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:  # not UTF-8, or not TOML
        raise UsageError(f"{path} is not TOML: {error}", "Correct or remove it.") from error
    for key, value in tree.items():
        _check(path, key, value)
    return UserConfig(**tree)


def _check(path: Path, key: str, value: Any) -> None:
    import difflib

    known = [each.name for each in fields(UserConfig)]
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
        raise UsageError(f"{path}: there is no key {key}", hint)
    colors = typing.get_args(Color)
    valid, what = {
        "model": (isinstance(value, str) and value, "a name or a folder"),
        "color": (value in colors, f"one of {', '.join(colors)}"),
        "threads": (
            type(value) is int and 0 < value <= MAX_THREADS,
            f"a whole number from 1 to {MAX_THREADS}",
        ),
    }[key]
    if not valid:
        raise UsageError(f"{path}: {key} cannot be {value!r}", f"Give {what}.")
