"""Import the scripts of data/, which import one another from their own folders."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

DATA = Path(__file__).resolve().parents[1] / "data"


@contextmanager
def import_scripts(folder: str, *names: str) -> Iterator[list[ModuleType]]:
    """Import modules of a folder of data/; remove them and their imports at the end."""
    before, path = set(sys.modules), list(sys.path)
    sys.path[:0] = [str(DATA / folder), str(DATA / "demo")]
    try:
        yield [importlib.import_module(name) for name in names]
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            if str(DATA) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
