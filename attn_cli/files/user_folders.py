"""The user's folders: of the configuration, of models, and of the cache.

$ATTN_HOME, if it is set, is the folder of models and of the cache. Else they are those of the XDG
base directory specification (https://specifications.freedesktop.org/basedir-spec), on Windows
those of %APPDATA% and %LOCALAPPDATA%. Without a home folder they are paths that never exist.
"""

import os
import sys
from pathlib import Path

_HOME = "ATTN_HOME"
_NAME = "attn"


def config_folder() -> Path:
    """Return the folder of config.toml: $XDG_CONFIG_HOME/attn, else ~/.config/attn."""
    if sys.platform == "win32":
        return _folder("APPDATA", "AppData", "Roaming")
    return _folder("XDG_CONFIG_HOME", ".config")


def data_folder() -> Path:
    """Return the folder of models: $ATTN_HOME, $XDG_DATA_HOME/attn, else ~/.local/share/attn."""
    if named := os.environ.get(_HOME):
        return Path(named)
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData", "Local")
    return _folder("XDG_DATA_HOME", ".local", "share")


def cache_folder() -> Path:
    """Return the folder of caches: $ATTN_HOME, $XDG_CACHE_HOME/attn, else ~/.cache/attn."""
    if named := os.environ.get(_HOME):
        return Path(named)
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData", "Local") / "cache"
    return _folder("XDG_CACHE_HOME", ".cache")


def former_folder() -> Path | None:
    """Return ~/.attn, whose models are still read; None with $ATTN_HOME."""
    return None if os.environ.get(_HOME) else _home() / ".attn"


def home_folder() -> Path | None:
    """Return the home folder; None for a user without one."""
    try:
        return Path.home()
    except RuntimeError:  # a user without a name, in a container
        return None


def _folder(variable: str, *default: str) -> Path:
    """Return the folder of attn in that of a variable; a relative path is ignored."""
    named = os.environ.get(variable, "")
    base = Path(named) if os.path.isabs(named) else _home().joinpath(*default)
    return base / _NAME


def _home() -> Path:
    return home_folder() or Path(os.devnull)
