"""Start-up is a property: what is loaded before there is work to do. Read off -X importtime."""

import subprocess
import sys

import pytest

#: What takes longer to import than everything that --help needs.
HEAVY = {
    "torch", "numpy", "scipy", "sentencepiece", "sacrebleu", "safetensors", "onnxruntime", "rich",
    "lxml", "networkx", "sympy", "asyncio", "multiprocessing",
}  # fmt: skip


def loaded(*arguments: str) -> set[str]:
    """The top-level packages that `python ARGUMENTS` imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    names = [
        line.split("|")[-1].strip().split(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    ]
    assert "sys" in names or len(names) > 20, done.stderr
    return set(names)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["translate", "--help"],
        ["align", "--help"],
        ["symmetrize", "--help"],
        ["score", "--help"],
        ["models", "--help"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_asking_for_help_loads_nothing_heavy(arguments):
    packages = loaded("-m", "attn_cli", *arguments)
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
