"""The test files as a whole."""

import ast
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parent


def test_no_two_test_files_have_one_name():
    """pytest imports test files by name only: `make slow` would stop at the second of one name."""
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_what_slow_tests_import_from_other_test_files_exists():
    """`make test` does not import them, so it would not notice a helper that has another name."""
    missing = []
    for path in (TESTS / "slow").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (helper := _helper(node.module)):
                names = {each.name for each in node.names} - _defined_names(helper)
                missing += [(path.name, helper.name, name) for name in names]
    assert missing == []


def _helper(module: str | None) -> Path | None:
    """Return the file of a module beside the tests; None if there is none."""
    files = [folder / f"{module}.py" for folder in (TESTS, TESTS / "slow")]
    return next((file for file in files if file.is_file()), None)


def _defined_names(file: Path) -> set[str]:
    """Return the names that a file defines or imports at its top level."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                each.id
                for target in targets
                for each in ast.walk(target)
                if isinstance(each, ast.Name)
            }
    return names
