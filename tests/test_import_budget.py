"""The packages that each command loads, as `python -X importtime` or sys.modules lists them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attn_cli.bundles import manifest

#: Packages that take longer to import than all that --help needs.
HEAVY = {
    "torch", "numpy", "scipy", "sentencepiece", "sacrebleu", "safetensors", "onnxruntime", "rich",
    "lxml", "networkx", "sympy", "asyncio", "multiprocessing", "ray", "pyarrow", "pandas",
}  # fmt: skip

#: Packages that are not installed on a host that only translates, aligns and scores.
ABSENT = ("torch", "onnx", "safetensors", "thot", "ray", "pyarrow")

#: `attn` where these packages cannot be imported.
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT}))
from attn_cli.cli.app import main
main()
"""


def imported_packages(*arguments: str, stdin: str = "") -> set[str]:
    """Return the top-level packages that `python ARGUMENTS` imports; it must succeed."""
    process = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    names = [
        line.split("|")[-1].strip().split(".")[0]
        for line in process.stderr.splitlines()
        if line.startswith("import time:")
    ]
    assert process.returncode == 0, process.stderr
    assert len(names) > 20, process.stderr
    return set(names)


#: Run commands in one process, and write the imported packages after each.
COMMANDS = """
import json, sys
from attn_cli.cli import app
from attn_cli.console import Console
for arguments in json.loads(sys.argv[1]):
    status = app.run(arguments, Console.of_process())
    sys.stderr.write(f"{arguments} ended with {int(status)}\\n")
    sys.stderr.write(json.dumps([name.partition(".")[0] for name in sys.modules]) + "\\n")
"""


def packages_after_each(commands: list[list[str]], *, status: int = 0) -> list[set[str]]:
    """Return the top-level packages that a process has imported after each of these commands."""
    process = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=True,
    )
    lines = process.stderr.splitlines()
    for arguments in commands:
        assert f"{arguments} ended with {status}" in lines
    packages = [set(json.loads(line)) for line in lines if line.startswith('["')]
    assert len(packages) == len(commands)
    return packages


def test_help_loads_no_heavy_package():
    commands = ["", "train", "translate", "align", "explain", "batch", "symmetrize", "lexicon"]
    commands += ["score", "models", "runs"]
    packages = packages_after_each(
        [["--version"], *([*each.split(), "--help"] for each in commands)]
    )
    assert "attn_cli" in packages[-1]
    assert not packages[-1] & HEAVY
    assert not packages_after_each([["nonsense"]], status=2)[0] & HEAVY


def test_help_of_python_m_attn_cli_loads_no_heavy_package():
    packages = imported_packages("-m", "attn_cli", "--help")
    assert "attn_cli" in packages
    assert not packages & HEAVY


def test_importing_the_package_loads_no_dependency():
    packages = imported_packages("-c", "import attn_cli; dir(attn_cli)")
    assert "attn_cli" in packages
    assert not packages & (HEAVY | {"typer", "pydantic"})


def test_the_result_types_load_only_numpy():
    packages = imported_packages("-c", "from attn_cli import SoftAlignment, Translation")
    assert not packages & (HEAVY - {"numpy", "asyncio", "multiprocessing"})


def test_resolving_a_recipe_loads_no_torch():
    packages = imported_packages("-m", "attn_cli", "train", "--print-recipe")
    assert not packages & {"torch", "sacrebleu", "onnxruntime"}


def test_comparing_runs_loads_no_torch(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"event": "training_started", "step": 0}\n')
    packages = imported_packages("-m", "attn_cli", "runs", str(tmp_path))
    assert not packages & {"torch", "sacrebleu", "onnxruntime", "rich"}


def test_scoring_links_loads_neither_torch_nor_sacrebleu(tmp_path):
    (tmp_path / "gold").write_text("0-0 1p1\n")
    (tmp_path / "links").write_text("0-0 1-1\n")
    gold, links = str(tmp_path / "gold"), str(tmp_path / "links")
    packages = imported_packages("-m", "attn_cli", "score", "--gold", gold, "--links", links)
    assert not packages & {"torch", "sacrebleu", "sentencepiece", "rich"}


def test_symmetrizing_links_loads_neither_torch_nor_sacrebleu(tmp_path):
    (tmp_path / "links").write_text("0-0 1-1\n")
    packages = imported_packages("-m", "attn_cli", "symmetrize", *[str(tmp_path / "links")] * 2)
    assert not packages & {"torch", "sacrebleu", "sentencepiece", "rich"}


#: Translate with beam search, and exit with 1 if numpy.ma was imported.
TRANSLATE = """
import sys
from attn_cli.cli import app
from attn_cli.console import Console
status = app.run(["translate", "I see a dog.", "-m", sys.argv[1]], Console.of_process())
sys.exit(status or "numpy.ma" in sys.modules)
"""


def test_translating_does_not_load_the_masked_arrays_of_numpy():
    """They take a sixth of the import time of NumPy, and np.unique imports them."""
    model = Path(__file__).parent / "fixtures" / "bundle_v1"
    process = subprocess.run([sys.executable, "-c", TRANSLATE, model], timeout=600, check=False)
    assert process.returncode == 0


@pytest.mark.slow
def test_loading_a_network_does_not_load_the_compiler_of_pytorch():
    """It takes as long as the rest of PyTorch; random numbers on the meta device import it."""
    model = str(Path(__file__).parent / "fixtures" / "bundle_v1")
    command = ["translate", "I see a dog.", "-m", model, "--engine", "torch"]
    (packages,) = packages_after_each([command])
    assert "torch" in packages
    assert "sympy" not in packages


# Without torch


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen model with its graphs only."""
    frozen = Path(__file__).parent / "fixtures" / "bundle_v1"
    folder = Path(shutil.copytree(frozen, tmp_path_factory.mktemp("models") / "graphs"))
    facts = manifest.read_manifest(folder)
    for name in (manifest.WEIGHTS, manifest.FORMER_NAMES[manifest.WORD_ALIGNER]):
        (folder / name).unlink()
        del facts["files"][name]
    (folder / manifest.FACTS).write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="module")
def with_weights(graphs: Path) -> Path:
    """The frozen model with weights and graphs."""
    return Path(__file__).parent / "fixtures" / "bundle_v1"


@pytest.mark.parametrize("fixture", ["graphs", "with_weights"])
def test_a_model_with_graphs_runs_without_torch(fixture, request):
    model = str(request.getfixturevalue(fixture))
    pair = ["I see a dog.", "je vois un chien."]
    show_packages, *other_packages = packages_after_each(
        [
            ["models", "show", model],
            ["translate", "I see a dog.", "-m", model],
            ["translate", "I see a dog.", "--align", "--weights", "alignment", "-m", model],
            ["align", *pair, "-f", "jsonl", "-m", model],
            ["align", *pair, "--weights", "attention", "-m", model],
        ]
    )
    assert "onnxruntime" not in show_packages
    for packages in other_packages:
        assert "onnxruntime" in packages
        assert not packages & {*ABSENT, "sacrebleu"}


def test_models_are_listed_and_verified_without_torch_or_an_engine(graphs):
    commands = [["models", "list"], ["models", "path", str(graphs)]]
    commands.append(["models", "verify", str(graphs)])
    packages = packages_after_each(commands)
    assert not packages[0] & {*ABSENT, "onnxruntime"}
    assert not packages[-1] & {*ABSENT, "sacrebleu"}


def test_scoring_text_loads_only_sacrebleu(tmp_path):
    (tmp_path / "text").write_text("a dog\n")
    reference = ("score", "--reference", str(tmp_path / "text"))
    packages = imported_packages("-m", "attn_cli", *reference, stdin="a dog\n")
    assert "sacrebleu" in packages
    assert not packages & {*ABSENT, "onnxruntime", "sentencepiece"}


def run_without_absent(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `attn ARGUMENTS` where the packages of ABSENT cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(str, arguments)],
        input="I see a dog.\tje vois un chien.\n",
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("fixture", ["graphs", "with_weights"])
def test_without_torch_a_model_with_graphs_translates_aligns_and_is_verified(fixture, request):
    model = request.getfixturevalue(fixture)
    for arguments, out in (
        (["translate", "-m", model, "you see two books."], "tu vois deux livres.\n"),
        (["align", "-m", model], "0-0 1-1 2-2 3-3 4-4\n"),
        (["models", "verify", model], " is sound: "),
    ):
        result = run_without_absent(*arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert out in result.stdout


@pytest.mark.parametrize(
    ("arguments", "package", "status"),
    [
        (["train", "--pairs", "-", "--max-steps", "1"], "torch", 2),
        (["export", "MODEL"], "onnx", 2),
        (["align", "--fit"], "torch", 2),
        (["translate", "-m", "MODEL", "--engine", "torch", "I see."], "torch", 4),
        (["batch", "nothing.en", "--output", "out"], "'ray[data]'", 2),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_without_torch_a_command_that_needs_it_names_the_package_to_install(
    arguments, package, status, with_weights, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = run_without_absent(*(with_weights if each == "MODEL" else each for each in arguments))
    (line,) = result.stderr.splitlines()
    assert (result.stdout, result.returncode) == ("", status)
    assert "not installed" in line
    assert line.endswith(f"pip install {package}.")
