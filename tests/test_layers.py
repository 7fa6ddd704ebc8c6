"""The architecture, read off the syntax trees: who imports whom, and who touches the process."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1] / "attn_cli"

#: Unit → layer. An import goes to a lower layer, or stays within its unit, or stands in SIDEWAYS.
LAYERS = {
    "__main__": 6, "app": 6, "commands": 6,
    "train": 5, "export": 5, "quantize": 5,
    "translator": 4, "calibration": 4, "joining": 4,
    "aligner": 4, "matching": 4, "linker": 4, "score": 4,
    "bundle": 3, "shelf": 3, "verified": 3,
    "engine.torch_engine": 3, "engine.onnx_engine": 3, "engine.open": 3,
    "nn": 2, "decode": 2, "confidence": 2, "engine.listing": 2,
    "text": 1, "align": 1, "engine.base": 1, "engine.rows": 1,
    "render": 1, "console": 1,
    "values": 0, "errors": 0, "config": 0, "atomic": 0, "folder_lock": 0,
    "__init__": 0,
}  # fmt: skip

#: The imports between two units of one layer, all of them.
SIDEWAYS = {
    ("__main__", "app"),
    ("app", "commands"),
    ("aligner", "translator"),
    ("aligner", "matching"),
    ("translator", "matching"),
    ("translator", "joining"),
    ("calibration", "translator"),
    ("calibration", "score"),
    ("linker", "aligner"),
    ("verified", "bundle"),
    ("verified", "shelf"),
    ("engine.open", "bundle"),
    ("engine.open", "engine.torch_engine"),
    ("engine.open", "engine.onnx_engine"),
    ("engine.torch_engine", "bundle"),
    ("engine.onnx_engine", "bundle"),
    ("config", "errors"),
    ("folder_lock", "errors"),
    ("train", "export"),
    ("export", "quantize"),
}

#: Package → the units, or modules, that may import it.
HOMES = {
    "torch": {"nn", "train", "export", "engine.torch_engine"},
    "safetensors": {"train", "export", "engine.torch_engine"},
    "onnxruntime": {"engine.onnx_engine"},
    "onnx": {"export", "quantize"},
    "sentencepiece": {"text.tokenizer"},
    "tensorboard": set(),  # torch.utils.tensorboard is what imports it
    "thot": {"align.statistical"},
    "eflomal": {"align.statistical"},
    "sacrebleu": {"score"},
    "ray": {"commands.batching.cluster"},
    "pyarrow": {"commands.batching.cluster", "commands.batching.files"},
    "rich": {"render", "console", "commands.watching"},  # watching keeps the panel alive
    "typer": {"app", "commands"},
    "click": set(),
}

#: What `attn --help` may load from outside the standard library: everything app imports at its top.
AT_THE_START = {"typer"}


class Import(NamedTuple):
    """One imported module, where, and whether it waits inside a function."""

    module: str
    line: int
    lazy: bool


class Module(NamedTuple):
    name: str
    path: Path
    tree: ast.Module
    imports: list[Import]

    @property
    def unit(self) -> str:
        return unit_of(self.name)


def unit_of(name: str) -> str:
    parts = name.split(".")
    return next((u for n in (2, 1) if (u := ".".join(parts[:n])) in LAYERS), name)


def imports_of(tree: ast.Module) -> Iterator[Import]:
    """Every import that runs: those under `if TYPE_CHECKING:` do not."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                continue
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, lazy) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert not child.level, "imports are absolute"
                for alias in child.names:
                    yield Import(f"{child.module}.{alias.name}", child.lineno, lazy)
            else:
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, lazy or function)

    return walk(tree, False)


def read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return Module(name, path, tree, list(imports_of(tree)))


MODULES = {module.name: module for module in map(read, sorted(ROOT.rglob("*.py")))}
each_module = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES.keys())


def ours(imported: str) -> str | None:
    """`attn_cli.text.words.split` → text.words; None for what is not ours."""
    if imported.split(".")[0] != "attn_cli":
        return None
    name = imported.removeprefix("attn_cli").removeprefix(".")
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or "__init__"


@each_module
def test_the_module_has_a_layer(module):
    package = module.path.name == "__init__.py" and module.name != "__init__"
    assert package or module.unit in LAYERS, "give it a layer in LAYERS"


@each_module
def test_imports_run_downward_only(module):
    wrong = []
    for imported in module.imports:
        if (target := ours(imported.module)) is None:
            continue
        here, there = module.unit, unit_of(target)
        downward = LAYERS[here] > LAYERS[there] or here == there or (here, there) in SIDEWAYS
        if not downward and there != "__init__":
            wrong.append(f"{module.path.name}:{imported.line} {here} imports {there}")
    assert not wrong


@each_module
def test_each_library_has_its_home(module):
    wrong = [
        f"{module.path.name}:{imported.line} imports {imported.module}"
        for imported in module.imports
        if (package := imported.module.split(".")[0]) in HOMES
        and not HOMES[package] & {module.unit, module.name}
    ]
    assert not wrong


def test_render_knows_values_alone():
    known = {
        unit_of(target)
        for module in MODULES.values()
        if module.unit == "render"
        for imported in module.imports
        if (target := ours(imported.module))
    }
    assert known <= {"render", "values"}


def test_nn_knows_no_file_tokenizer_or_console():
    known = {
        unit_of(target)
        for module in MODULES.values()
        if module.unit == "nn"
        for imported in module.imports
        if (target := ours(imported.module))
    }
    assert known <= {"nn", "values", "config", "errors"}


def test_decode_sees_of_a_network_the_stepper_alone():
    known = {
        unit_of(target)
        for module in MODULES.values()
        if module.unit == "decode"
        for imported in module.imports
        if (target := ours(imported.module))
    }
    assert known <= {"decode", "values", "config", "engine.base"}


def test_what_the_program_loads_before_a_command_runs_is_light():
    seen, queue, outside = set(), ["__main__"], set()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for imported in MODULES[name].imports:
            if imported.lazy:
                continue
            target = ours(imported.module)
            if target is None:
                outside.add(imported.module.split(".")[0])
            else:
                queue.append(target)
    assert {unit_of(name) for name in seen} <= {
        "__init__", "__main__", "app", "commands", "console", "errors",
    }  # fmt: skip
    assert {package for package in outside if package in HOMES or package == "numpy"} <= (
        AT_THE_START
    )


#: What belongs to the process, and who may touch it.
PROCESS = {
    "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr", "sys.exit",
    "os.environ", "os.getenv", "os.getcwd", "os.chdir", "os.putenv",
    "Path.cwd", "Path.home", "os.path.expanduser",
}  # fmt: skip
MAY_TOUCH_THE_PROCESS = {"app", "console", "shelf"}


@each_module
def test_only_app_console_and_shelf_touch_the_process(module):
    touched = [
        f"{module.path.name}:{node.lineno} {name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in PROCESS
    ]
    named = [
        f"{module.path.name}:{imported.line} {imported.module}"
        for imported in module.imports
        if imported.module in PROCESS
    ]
    assert module.unit in MAY_TOUCH_THE_PROCESS or not touched + named


@each_module
def test_nothing_prints_or_asks(module):
    called = [
        f"{module.path.name}:{node.lineno} {node.func.id}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "input", "breakpoint", "exec", "eval"}
    ]
    assert not called


@each_module
def test_no_module_is_a_drawer(module):
    assert module.path.stem not in {"utils", "util", "helpers", "common", "constants", "misc"}


def test_this_file_sees_a_violation():
    """The checks above would pass too if they read nothing."""
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import rich\n"
        "def f():\n    from attn_cli.nn.build import build\n"
    )
    found = list(imports_of(tree))
    assert [(i.module, i.lazy) for i in found[1:]] == [("attn_cli.nn.build.build", True)]
    assert ours(found[1].module) == "nn.build"
    assert len(MODULES) > 40
