"""The architecture, checked on syntax trees: the imports of modules, and their use of the process.

A package here is a folder at the top of attn_cli, or a module there.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.xdist_group("layers")  # one process reads the modules

ROOT = Path(__file__).resolve().parents[1] / "attn_cli"

#: The packages from the lowest layer up: a module imports only its own package and lower layers.
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
LAYER_OF = {package: number for number, packages in enumerate(LAYERS) for package in packages}

#: Library → the packages, or modules, that may import it.
ALLOWED_IMPORTERS = {
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
    "rich": {"render", "console", "cli.progress"},  # a live panel
    "typer": {"cli"},
    "click": set(),
}

#: The libraries that `attn --help` may load: those that app imports at its top.
STARTUP_LIBRARIES = {"typer"}


class Import(NamedTuple):
    """An imported module, its line, and whether the import is inside a function."""

    module: str
    line: int
    lazy: bool


class Module(NamedTuple):
    name: str
    path: Path
    tree: ast.Module
    imports: list[Import]

    @property
    def package(self) -> str:
        return package_of(self.name)


def package_of(name: str) -> str:
    """Return the folder at the top that contains the module, or the module itself."""
    return name.split(".")[0]


def imports_of(tree: ast.Module) -> Iterator[Import]:
    """Yield every import that runs; those under `if TYPE_CHECKING:` do not."""

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
    """Return every module of attn_cli by its name, parsed once."""
    return {module.name: module for module in map(read, sorted(ROOT.rglob("*.py")))}


def own_module(import_name: str) -> str | None:
    """Return data.words for `attn_cli.data.words.split`; None for a module of another library."""
    if import_name.split(".")[0] != "attn_cli":
        return None
    name = import_name.removeprefix("attn_cli").removeprefix(".")
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or "__init__"


def test_each_module_has_a_layer():
    without_layer = [
        name for name, each in modules().items() if each.package not in (*LAYER_OF, "__init__")
    ]
    assert not without_layer, "give its folder a place in LAYERS"


def test_imports_run_downward_only():
    violations = []
    for module in modules().values():
        for dependency in module.imports:
            if (target := own_module(dependency.module)) is None:
                continue
            importer, imported = module.package, package_of(target)
            if (
                importer != imported
                and imported != "__init__"
                and not LAYER_OF.get(importer, 0) > LAYER_OF[imported]
            ):
                violations.append(f"{module.name}:{dependency.line} {importer} imports {imported}")
    assert not violations


def test_each_library_is_imported_only_where_it_is_allowed():
    violations = [
        f"{module.name}:{dependency.line} imports {dependency.module}"
        for module in modules().values()
        for dependency in module.imports
        if (library := dependency.module.split(".")[0]) in ALLOWED_IMPORTERS
        and not ALLOWED_IMPORTERS[library] & {module.package, module.name}
    ]
    assert not violations


def test_no_modules_import_each_other_in_a_cycle():
    """Imports for types and inside functions count too. attn_cli itself loads its names lazily."""
    graph = {
        module.name: {
            target
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if (target := own_module(f"{node.module}.{alias.name}")) and target != "__init__"
        }
        - {module.name}
        for module in modules().values()
        if module.name != "__init__"
    }
    while leaves := {name for name, targets in graph.items() if not targets & graph.keys()}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert not graph, "each of these is in a cycle, or imports from one"


def test_render_imports_only_types_and_choices():
    imported_packages = {
        package_of(target)
        for module in modules().values()
        if module.package == "render"
        for dependency in module.imports
        if (target := own_module(dependency.module))
    }
    assert imported_packages <= {"render", "types", "choices"}


def test_nn_imports_no_file_tokenizer_or_console():
    imported_packages = {
        package_of(target)
        for module in modules().values()
        if module.package == "nn"
        for dependency in module.imports
        if (target := own_module(dependency.module))
    }
    assert imported_packages <= {"nn", "types", "choices", "config", "errors"}


def test_search_imports_only_the_interface_of_the_engines():
    imported_modules = {
        target
        for module in modules().values()
        if module.name in ("inference.beam_search", "inference.forced_decoding")
        for dependency in module.imports
        if (target := own_module(dependency.module)) and target.startswith("inference.engines")
    }
    assert imported_modules == {"inference.engines.interface"}


def test_the_program_loads_few_modules_before_a_command_runs():
    visited, queue, libraries = set(), ["__main__"], set()
    while queue:
        name = queue.pop()
        if name in visited:
            continue
        visited.add(name)
        for dependency in modules()[name].imports:
            if dependency.lazy:
                continue
            target = own_module(dependency.module)
            if target is None:
                libraries.add(dependency.module.split(".")[0])
            else:
                queue.append(target)
    assert {package_of(name) for name in visited} <= {
        "__init__",
        "__main__",
        "choices",
        "cli",
        "console",
        "errors",
        "files",
    }
    assert {
        library for library in libraries if library in ALLOWED_IMPORTERS or library == "numpy"
    } <= (STARTUP_LIBRARIES)


#: Names of the state of the process, and the modules that may use them.
PROCESS_STATE = {
    "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr", "sys.exit",
    "os.environ", "os.getenv", "os.getcwd", "os.chdir", "os.putenv",
    "Path.cwd", "Path.home", "os.path.expanduser",
}  # fmt: skip
PROCESS_MODULES = {
    "cli.app",
    "cli.numpy_loading",
    "console",
    "bundles.registry",
    "files.user_folders",
}


def test_only_listed_modules_use_the_state_of_the_process():
    others = [each for each in modules().values() if each.name not in PROCESS_MODULES]
    uses = [
        f"{module.name}:{node.lineno} {name}"
        for module in others
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and (name := dotted_name(node)) in PROCESS_STATE
    ]
    imports = [
        f"{module.name}:{dependency.line} {dependency.module}"
        for module in others
        for dependency in module.imports
        if dependency.module in PROCESS_STATE
    ]
    assert not uses + imports


def dotted_name(node: ast.expr) -> str:
    """Return `a.b.c` if the expression is only names, otherwise ""."""
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""


def test_no_module_calls_print_input_breakpoint_exec_or_eval():
    calls = [
        f"{module.name}:{node.lineno} {node.func.id}"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "input", "breakpoint", "exec", "eval"}
    ]
    assert not calls


def test_no_module_has_a_vague_name():
    vague_names = {"utils", "util", "helpers", "common", "constants", "misc"}
    assert not [each.name for each in modules().values() if each.path.stem in vague_names]


def test_the_helpers_of_these_tests_read_imports_and_names():
    """Without imports to check, the tests above would pass."""
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import rich\n"
        "def f():\n    from attn_cli.nn.builder import build\n"
    )
    imports = list(imports_of(tree))
    assert [(i.module, i.lazy) for i in imports[1:]] == [("attn_cli.nn.builder.build", True)]
    assert own_module(imports[1].module) == "nn.builder"
    assert dotted_name(ast.parse("os.environ.get", mode="eval").body.value) in PROCESS_STATE
    assert len(modules()) > 40
