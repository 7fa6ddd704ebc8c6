"""The names that others build on: there, documented, typed."""

import ast
import importlib
from importlib import resources
from pathlib import Path

import pytest

import attn_cli

ROOT = Path(attn_cli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
each_file = pytest.mark.parametrize(
    "path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES]
)


@pytest.mark.parametrize("name", attn_cli.__all__)
def test_every_public_name_resolves(name):
    assert getattr(attn_cli, name) is not None


def test_public_names_are_sorted_once_each_and_listed_by_dir():
    names = [name for name in attn_cli.__all__ if name != "__version__"]
    assert names == sorted(set(names))
    assert dir(attn_cli) == sorted(attn_cli.__all__)


def test_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="module 'attn_cli' has no attribute 'translate'"):
        attn_cli.translate  # noqa: B018


def test_a_lazy_name_is_the_very_object_of_its_module():
    from attn_cli.types import Translation

    assert attn_cli.Translation is Translation


def test_type_checkers_see_the_same_names_as_the_interpreter():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(seen) == set(attn_cli.__all__) - {"__version__"}
    for name, module in seen.items():
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


def public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """The functions and classes of a module whose names are public."""
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


@each_file
def test_a_module_says_in_its_first_line_what_it_does(path):
    text = path.read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    empty = path.name == "__init__.py" and not text
    assert empty or len(first.split()) >= 3


@each_file
def test_everything_public_has_a_docstring(path):
    bare = [
        f"{path.name}:{node.lineno} {node.name}"
        for node in public(ast.parse(path.read_text(encoding="utf-8")))
        if not ast.get_docstring(node)
    ]
    assert not bare


@each_file
def test_everything_is_annotated(path):
    """mypy --strict says the same; this says it without mypy."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = [
        f"{path.name}:{node.lineno} {node.name}"
        for node in public(tree)
        if isinstance(node, ast.FunctionDef) and node.returns is None
    ]
    assert not bare
