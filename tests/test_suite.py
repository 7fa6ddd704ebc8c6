"""The test files as a whole."""

from collections import Counter
from pathlib import Path


def test_no_two_test_files_have_one_name():
    """pytest imports test files by name only: `make slow` would stop at the second of one name."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
