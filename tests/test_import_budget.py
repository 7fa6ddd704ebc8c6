"""Start-up is a property: what is loaded before there is work to do. Read off -X importtime."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attn_cli.bundles import manifest

#: What takes longer to import than everything that --help needs.
HEAVY = {
    "torch", "numpy", "scipy", "sentencepiece", "sacrebleu", "safetensors", "onnxruntime", "rich",
    "lxml", "networkx", "sympy", "asyncio", "multiprocessing", "ray", "pyarrow", "pandas",
}  # fmt: skip

#: What a host that only translates, aligns and scores has not installed.
ABSENT = ("torch", "onnx", "safetensors", "thot", "ray", "pyarrow")

#: `attn` where these cannot be found.
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT}))
from attn_cli.cli.app import main
main()
"""


def loaded(*arguments: str, stdin: str = "") -> set[str]:
    """The top-level packages that `python ARGUMENTS` imports."""
    done = subprocess.run(
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
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    ]
    assert "sys" in names or len(names) > 20, done.stderr
    return set(names)


#: Several commands in one process, and then what they have imported together.
COMMANDS = """
import json, sys
from attn_cli.cli import app
from attn_cli.console import Console
for arguments in json.loads(sys.argv[1]):
    status = app.run(arguments, Console.of_process())
    sys.stderr.write(f"{arguments} ended with {int(status)}\\n")
    sys.stderr.write(json.dumps([name.partition(".")[0] for name in sys.modules]) + "\\n")
"""


def loaded_by_each(commands: list[list[str]], *, status: int = 0) -> list[set[str]]:
    """The top-level packages that a process has imported after each of these commands."""
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=True,
    )
    lines = done.stderr.splitlines()
    for arguments in commands:
        assert f"{arguments} ended with {status}" in lines
    packages = [set(json.loads(line)) for line in lines if line.startswith('["')]
    assert len(packages) == len(commands)
    return packages


def test_asking_for_help_loads_nothing_heavy():
    commands = ["", "train", "translate", "align", "explain", "batch", "symmetrize", "lexicon"]
    commands += ["score", "models", "runs"]
    packages = loaded_by_each([["--version"], *([*each.split(), "--help"] for each in commands)])
    assert "attn_cli" in packages[-1]
    assert not packages[-1] & HEAVY
    assert not loaded_by_each([["nonsense"]], status=2)[0] & HEAVY


def test_as_a_program_it_loads_no_more():
    packages = loaded("-m", "attn_cli", "--help")
    assert "attn_cli" in packages
    assert not packages & HEAVY


def test_importing_the_package_loads_nothing_but_itself():
    packages = loaded("-c", "import attn_cli; dir(attn_cli)")
    assert "attn_cli" in packages
    assert not packages & (HEAVY | {"typer", "pydantic"})


def test_the_values_need_numpy_alone():
    packages = loaded("-c", "from attn_cli import SoftAlignment, Translation")
    assert not packages & (HEAVY - {"numpy", "asyncio", "multiprocessing"})


def test_resolving_a_recipe_loads_no_torch():
    packages = loaded("-m", "attn_cli", "train", "--print-recipe")
    assert not packages & {"torch", "sacrebleu", "onnxruntime"}


def test_comparing_runs_loads_no_torch(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"event": "training_started", "step": 0}\n')
    packages = loaded("-m", "attn_cli", "runs", str(tmp_path))
    assert not packages & {"torch", "sacrebleu", "onnxruntime", "rich"}


def test_scoring_links_loads_neither_torch_nor_sacrebleu(tmp_path):
    (tmp_path / "gold").write_text("0-0 1p1\n")
    (tmp_path / "links").write_text("0-0 1-1\n")
    gold, links = str(tmp_path / "gold"), str(tmp_path / "links")
    packages = loaded("-m", "attn_cli", "score", "--gold", gold, "--links", links)
    assert not packages & {"torch", "sacrebleu", "sentencepiece", "rich"}


def test_symmetrizing_links_loads_neither_torch_nor_sacrebleu(tmp_path):
    (tmp_path / "links").write_text("0-0 1-1\n")
    packages = loaded("-m", "attn_cli", "symmetrize", *[str(tmp_path / "links")] * 2)
    assert not packages & {"torch", "sacrebleu", "sentencepiece", "rich"}


#: A translation by a beam, and then what it has imported.
TRANSLATE = """
import sys
from attn_cli.cli import app
from attn_cli.console import Console
status = app.run(["translate", "I see a dog.", "-m", sys.argv[1]], Console.of_process())
sys.exit(status or "numpy.ma" in sys.modules)
"""


def test_translating_leaves_numpys_masked_arrays_out():
    """They take a sixth of NumPy's own time, and np.unique imports them."""
    model = Path(__file__).parent / "fixtures" / "bundle_v1"
    done = subprocess.run([sys.executable, "-c", TRANSLATE, model], timeout=600, check=False)
    assert done.returncode == 0


@pytest.mark.slow
def test_loading_a_network_leaves_pytorchs_compiler_out():
    """It takes as long as the rest of PyTorch; random draws on the meta device import it."""
    model = str(Path(__file__).parent / "fixtures" / "bundle_v1")
    command = ["translate", "I see a dog.", "-m", model, "--engine", "torch"]
    (packages,) = loaded_by_each([command])
    assert "torch" in packages
    assert "sympy" not in packages


# Without torch


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The frozen model with its graphs alone."""
    frozen = Path(__file__).parent / "fixtures" / "bundle_v1"
    folder = Path(shutil.copytree(frozen, tmp_path_factory.mktemp("models") / "graphs"))
    facts = manifest.read_manifest(folder)
    for name in (manifest.WEIGHTS, manifest.FORMER_NAMES[manifest.WORD_ALIGNER]):
        (folder / name).unlink()
        del facts["files"][name]
    (folder / manifest.FACTS).write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="module")
def both(graphs: Path) -> Path:
    """The frozen model with weights beside its graphs."""
    return Path(__file__).parent / "fixtures" / "bundle_v1"


@pytest.mark.parametrize("which", ["graphs", "both"])
def test_a_model_with_graphs_runs_without_torch(which, request):
    model = str(request.getfixturevalue(which))
    pair = ["I see a dog.", "je vois un chien."]
    shown, *others = loaded_by_each(
        [
            ["models", "show", model],
            ["translate", "I see a dog.", "-m", model],
            ["translate", "I see a dog.", "--align", "--weights", "alignment", "-m", model],
            ["align", *pair, "-f", "jsonl", "-m", model],
            ["align", *pair, "--weights", "attention", "-m", model],
        ]
    )
    assert "onnxruntime" not in shown
    for packages in others:
        assert "onnxruntime" in packages
        assert not packages & {*ABSENT, "sacrebleu"}


def test_models_are_listed_and_verified_without_torch_or_an_engine(graphs):
    commands = [["models", "list"], ["models", "path", str(graphs)]]
    commands.append(["models", "verify", str(graphs)])
    packages = loaded_by_each(commands)
    assert not packages[0] & {*ABSENT, "onnxruntime"}
    assert not packages[-1] & {*ABSENT, "sacrebleu"}


def test_scores_of_text_need_sacrebleu_alone(tmp_path):
    (tmp_path / "text").write_text("a dog\n")
    reference = ("score", "--reference", str(tmp_path / "text"))
    packages = loaded("-m", "attn_cli", *reference, stdin="a dog\n")
    assert "sacrebleu" in packages
    assert not packages & {*ABSENT, "onnxruntime", "sentencepiece"}


def bare(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`attn ARGUMENTS` where what is absent cannot be imported."""
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


@pytest.mark.parametrize("which", ["graphs", "both"])
def test_where_torch_is_not_installed_graphs_translate_align_and_are_verified(which, request):
    model = request.getfixturevalue(which)
    for arguments, out in (
        (["translate", "-m", model, "you see two books."], "tu vois deux livres.\n"),
        (["align", "-m", model], "0-0 1-1 2-2 3-3 4-4\n"),
        (["models", "verify", model], " is sound: "),
    ):
        ended = bare(*arguments)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert out in ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--pairs", "-", "--max-steps", "1"],
        ["export", "MODEL"],
        ["align", "--fit"],
        ["translate", "-m", "MODEL", "--engine", "torch", "I see."],
        ["batch", "nothing.en", "--output", "out"],
    ],
    ids=" ".join,
)
def test_where_torch_is_not_installed_what_needs_it_says_in_a_sentence_what_to_install(
    arguments, both, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    ended = bare(*(both if each == "MODEL" else each for each in arguments))
    (line,) = ended.stderr.splitlines()
    assert (ended.stdout, ended.returncode in (2, 4)) == ("", True)
    assert "not installed" in line
    package = line.removesuffix(".").rpartition("pip install ")[2]
    assert package in {"torch", "onnx", "safetensors", "sil-thot", "'ray[data]'"}
