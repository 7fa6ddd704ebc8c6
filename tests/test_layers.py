"""The architecture, read off the syntax trees: who imports whom, and who touches the process."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.xdist_group("layers")  # one process reads the modules

ROOT = Path(__file__).resolve().parents[1] / "attn_cli"

#: The rooms of the house from the lowest up: an import goes down, or stays within its room.
LAYERS = (
    ("choices",),
    ("types", "errors"),
    ("files",),
    ("config",),
    ("data", "alignment", "render", "console", "evaluation"),
    ("nn", "bundles"),
    ("inference", "importing"),
    ("export",),
    ("training",),
    ("api",),
    ("cli",),
    ("__main__",),
)
LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}

#: Package → the rooms, or modules, that may import it.
HOMES = {
    "torch": {"nn", "training", "export", "importing", "inference.engines.torch"},
    "safetensors": {"training", "export", "importing", "inference.engines.torch"},
    "onnxruntime": {"inference.engines.onnx"},
    "onnx": {"export"},
    "sentencepiece": {
        "data.tokenizer_training",
        "data.sentencepiece_model",
        "data.sentencepiece_tokenizer",
    },
    "tensorboard": set(),  # torch.utils.tensorboard is what imports it
    "thot": {"alignment.aligner_jobs"},
    "eflomal": {"alignment.aligner_jobs"},
    "sacrebleu": {"evaluation"},
    "ray": {"cli.batching.cluster"},
    "pyarrow": {"cli.batching.cluster", "cli.batching.files"},
    "typst": {"render.raster"},
    "rich": {"render", "console", "cli.progress"},  # which keeps the panel alive
    "typer": {"cli"},
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
    def room(self) -> str:
        return room_of(self.name)


def room_of(name: str) -> str:
    """The folder at the top that holds the module, or the module itself."""
    return name.split(".")[0]


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


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by its name, parsed once."""
    return {module.name: module for module in map(read, sorted(ROOT.rglob("*.py")))}


def ours(imported: str) -> str | None:
    """`attn_cli.data.words.split` → data.words; None for what is not ours."""
    if imported.split(".")[0] != "attn_cli":
        return None
    name = imported.removeprefix("attn_cli").removeprefix(".")
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or "__init__"


def test_each_module_has_a_layer():
    homeless = [name for name, each in modules().items() if each.room not in (*LAYER, "__init__")]
    assert not homeless, "give its folder a place in LAYERS"


def test_imports_run_downward_only():
    wrong = []
    for module in modules().values():
        for imported in module.imports:
            if (target := ours(imported.module)) is None:
                continue
            here, there = module.room, room_of(target)
            if here != there and there != "__init__" and not LAYER.get(here, 0) > LAYER[there]:
                wrong.append(f"{module.name}:{imported.line} {here} imports {there}")
    assert not wrong


def test_each_library_has_its_home():
    wrong = [
        f"{module.name}:{imported.line} imports {imported.module}"
        for module in modules().values()
        for imported in module.imports
        if (package := imported.module.split(".")[0]) in HOMES
        and not HOMES[package] & {module.room, module.name}
    ]
    assert not wrong


def test_no_modules_import_each_other_in_a_cycle():
    """Not for types and not inside functions either. The package itself loads its names lazily."""
    graph = {
        module.name: {
            target
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if (target := ours(f"{node.module}.{alias.name}")) and target != "__init__"
        }
        - {module.name}
        for module in modules().values()
        if module.name != "__init__"
    }
    while leaves := {name for name, targets in graph.items() if not targets & graph.keys()}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert not graph, "each of these is in a cycle, or imports from one"


def test_render_knows_types_alone():
    known = {
        room_of(target)
        for module in modules().values()
        if module.room == "render"
        for imported in module.imports
        if (target := ours(imported.module))
    }
    assert known <= {"render", "types", "choices"}


def test_nn_knows_no_file_tokenizer_or_console():
    known = {
        room_of(target)
        for module in modules().values()
        if module.room == "nn"
        for imported in module.imports
        if (target := ours(imported.module))
    }
    assert known <= {"nn", "types", "choices", "config", "errors"}


def test_search_sees_of_a_network_the_engines_interface_alone():
    known = {
        target
        for module in modules().values()
        if module.name in ("inference.beam_search", "inference.forced_decoding")
        for imported in module.imports
        if (target := ours(imported.module)) and target.startswith("inference.engines")
    }
    assert known == {"inference.engines.interface"}


def test_what_the_program_loads_before_a_command_runs_is_light():
    seen, queue, outside = set(), ["__main__"], set()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for imported in modules()[name].imports:
            if imported.lazy:
                continue
            target = ours(imported.module)
            if target is None:
                outside.add(imported.module.split(".")[0])
            else:
                queue.append(target)
    assert {room_of(name) for name in seen} <= {
        "__init__",
        "__main__",
        "choices",
        "cli",
        "console",
        "errors",
        "files",
    }
    assert {package for package in outside if package in HOMES or package == "numpy"} <= (
        AT_THE_START
    )


#: What belongs to the process, and who may touch it.
PROCESS = {
    "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr", "sys.exit",
    "os.environ", "os.getenv", "os.getcwd", "os.chdir", "os.putenv",
    "Path.cwd", "Path.home", "os.path.expanduser",
}  # fmt: skip
MAY_TOUCH_THE_PROCESS = {"cli.app", "console", "bundles.registry", "files.user_folders"}


def test_only_these_modules_touch_the_process():
    others = [each for each in modules().values() if each.name not in MAY_TOUCH_THE_PROCESS]
    touched = [
        f"{module.name}:{node.lineno} {name}"
        for module in others
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and (name := dotted(node)) in PROCESS
    ]
    named = [
        f"{module.name}:{imported.line} {imported.module}"
        for module in others
        for imported in module.imports
        if imported.module in PROCESS
    ]
    assert not touched + named


def dotted(node: ast.expr) -> str:
    """`a.b.c` of names alone, "" of any other expression."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""


def test_nothing_prints_or_asks():
    called = [
        f"{module.name}:{node.lineno} {node.func.id}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "input", "breakpoint", "exec", "eval"}
    ]
    assert not called


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "helpers", "common", "constants", "misc"}
    assert not [each.name for each in modules().values() if each.path.stem in drawers]


def test_this_file_sees_a_violation():
    """The checks above would pass too if they read nothing."""
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import rich\n"
        "def f():\n    from attn_cli.nn.builder import build\n"
    )
    found = list(imports_of(tree))
    assert [(i.module, i.lazy) for i in found[1:]] == [("attn_cli.nn.builder.build", True)]
    assert ours(found[1].module) == "nn.builder"
    assert dotted(ast.parse("os.environ.get", mode="eval").body.value) in PROCESS
    assert len(modules()) > 40
