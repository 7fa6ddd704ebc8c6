"""The public names exist, have docstrings and have annotations."""

import ast
import importlib
from functools import cache
from importlib import resources
from pathlib import Path

import pytest

import attn_cli

ROOT = Path(attn_cli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

pytestmark = pytest.mark.xdist_group("public_api")  # one process reads the modules


@cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of each module, by its path in the package."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in FILES
    }


def test_every_public_name_resolves():
    assert all(getattr(attn_cli, name) is not None for name in attn_cli.__all__)


def test_public_names_are_sorted_unique_and_listed_by_dir():
    names = [name for name in attn_cli.__all__ if name != "__version__"]
    assert names == sorted(set(names))
    assert dir(attn_cli) == sorted(attn_cli.__all__)


def test_an_unknown_name_raises_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'attn_cli' has no attribute 'translate'"):
        attn_cli.translate  # noqa: B018


def test_a_lazy_name_is_the_same_object_as_in_its_module():
    from attn_cli.types import Translation

    assert attn_cli.Translation is Translation


def test_type_checkers_see_the_same_names_as_the_interpreter():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    modules = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(modules) == set(attn_cli.__all__) - {"__version__"}
    for name, module in modules.items():
        assert getattr(importlib.import_module(module), name) is getattr(attn_cli, name)


def test_the_package_is_marked_as_typed():
    assert resources.files("attn_cli").joinpath("py.typed").is_file()


def test_the_version_is_written_in_one_place():
    pyproject = ROOT.parent / "pyproject.toml"
    if not pyproject.is_file():
        pytest.skip("not a checkout")
    import tomllib

    version = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"]
    assert attn_cli.__version__ == version
    assert not [path for path in FILES if f'"{version}"' in path.read_text(encoding="utf-8")]


def public_definitions(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes of a module whose names are public."""
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


def test_the_docstring_of_each_module_begins_with_at_least_three_words():
    def words(tree):
        return (ast.get_docstring(tree) or "").partition("\n")[0].split()

    assert not [
        path
        for path, tree in trees().items()
        if len(words(tree)) < 3 and not (path.endswith("__init__.py") and not tree.body)
    ]


def test_everything_public_has_a_docstring():
    assert not [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees().items()
        for node in public_definitions(tree)
        if not ast.get_docstring(node)
    ]


def test_each_public_function_has_a_return_annotation():
    """mypy --strict checks this too; this test does not need mypy."""
    assert not [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees().items()
        for node in public_definitions(tree)
        if isinstance(node, ast.FunctionDef) and node.returns is None
    ]
