"""Completion: the script of each shell, and the candidates that attn offers to it."""

import os
import shutil
import subprocess
import sys

import pytest
from program import attn

from attn_cli import config
from attn_cli.bundles import registry
from attn_cli.cli import candidates

SHELLS = ["bash", "zsh", "fish", "powershell"]


def completions(line: str, shell: str = "fish") -> list[str]:
    """Return the candidates for the end of a command line, as the script of the shell gets them."""
    variables = {
        candidates.VARIABLE: f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": line.rpartition(" ")[2],
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    command = [sys.executable, "-m", "attn_cli"]
    process = subprocess.run(
        command, env=os.environ | variables, capture_output=True, encoding="utf-8", check=True
    )
    return [each.split("\t")[0].split(":::")[0] for each in process.stdout.splitlines()]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_that_calls_attn(shell):
    ended = attn("completion", shell)
    assert ended.status == 0
    assert candidates.VARIABLE in ended.out
    assert f"complete_{'fish' if shell == 'bash' else shell}" in ended.out


@pytest.mark.parametrize("shell", ["bash", "fish", "powershell"])
def test_commands_and_formats_are_offered(shell):
    assert {"train", "translate", "align"} <= set(completions("attn ", shell))
    assert completions("attn translate -f j", shell) == ["jsonl"]


def test_zsh_gets_values_with_their_help():
    assert any("translate" in line for line in completions("attn tr", "zsh"))


SHIPPED = [name for name, path in registry.names() if registry.is_shipped(path)]


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("attn models show fr", [name for name in SHIPPED if name.startswith("fr")]),
        ('attn translate "two words" -f js', ["jsonl"]),
        ("attn train --set model.encoder.ce", ["model.encoder.cell="]),
        ("attn train --set model.encoder.cell=l", ["lstm"]),
        ("attn train --recipe-name transformer-", ["transformer-tiny"]),
        ("attn translate some.fi", []),
    ],
)
def test_bash_completes_a_line_with_the_script(tmp_path, line, expected):
    (tmp_path / "attn").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m attn_cli "$@"\n')
    (tmp_path / "attn").chmod(0o755)
    script = (
        f"eval \"$(attn completion bash)\"; COMP_LINE='{line}'; COMP_POINT={len(line)}; "
        '_attn_completion attn; echo "${COMPREPLY[@]}"'
    )
    process = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert (process.stdout.split(), process.stderr) == (expected, "")


def test_models_recipes_languages_and_keys_are_offered():
    assert candidates.complete_model("") == [name for name, _ in registry.names()]
    assert candidates.complete_language("") == ["en", "fr"]
    assert candidates.complete_language("f") == ["fr"]
    assert candidates.complete_recipe_name("tr") == ["transformer", "transformer-tiny"]
    assert candidates.complete_setting("see") == ["seed="]
    assert len(candidates.complete_setting("")) == len(config.keys())


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("model.encoder.cell=", ["rnn", "lstm", "gru"]),
        ("model.encoder.cell=l", ["lstm"]),
        ("train.compile=", ["true", "false"]),
        ("seed=", []),
        ("no.such.key=", []),
    ],
)
def test_the_values_of_a_key_with_few_values_are_offered(typed, values):
    key = typed.partition("=")[0]
    assert candidates.complete_setting(typed) == [f"{key}={value}" for value in values]


def test_options_offer_recipe_names_keys_and_languages():
    assert completions("attn train --recipe-name transformer-") == ["transformer-tiny"]
    assert completions("attn train --set model.decoder.inp") == ["model.decoder.input_feeding="]
    assert completions("attn translate --to f") == ["fr"]


def test_a_damaged_registry_causes_no_error_in_completion(monkeypatch, tmp_path):
    (tmp_path / "models" / "bad").mkdir(parents=True)
    (tmp_path / "models" / "bad" / "bundle.json").write_text("{")
    monkeypatch.setenv("ATTN_HOME", str(tmp_path))
    assert "en" in candidates.complete_language("")
    monkeypatch.setattr(registry, "names", lambda: 1 / 0)
    assert candidates.complete_model("") == []


@pytest.mark.parametrize(("shell", "startup_file"), [("bash", ".bashrc"), ("zsh", ".zshrc")])
def test_install_writes_the_startup_file_of_the_shell(shell, startup_file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert attn("completion", shell, "--install").status == 0
    assert (tmp_path / startup_file).is_file()
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(candidates.VARIABLE in text for text in texts)


def test_a_home_folder_that_is_not_writable_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    ended = attn("completion", "fish", "--install")
    assert ended.status == 3
    assert "attn completion fish" in ended.err
