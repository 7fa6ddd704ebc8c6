"""The published alignment sets, if they are on this machine. Shared by tests of links and AER."""

import os
from pathlib import Path

import pytest

_DEFAULT_DATA = Path(__file__).parents[1].parent / "shared" / "data"
_FOLDER = Path(os.environ.get("ATTN_TEST_DATA", _DEFAULT_DATA)) / "alignment"

needs_data = pytest.mark.skipif(
    not _FOLDER.is_dir(), reason=f"the alignment sets are not at {_FOLDER} (set ATTN_TEST_DATA)"
)


def read_lines(name: str) -> list[str]:
    """Return the lines of a file of the sets."""
    return (_FOLDER / name).read_text(encoding="utf-8").splitlines()
