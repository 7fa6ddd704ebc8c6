"""attn doctor: the facts of a bug report, also of an installation that is broken."""

import json
import os
import platform
import shutil
import stat
import sys
from importlib import metadata
from pathlib import Path

import pytest
from program import attn

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"


pytestmark = pytest.mark.usefixtures("home")


def report():
    ended = attn("doctor", "--json", environment={"LANG": "fr_FR.UTF-8", "SECRET": "hush"})
    assert (ended.status, ended.err) == (0, "")
    return json.loads(ended.out)


def test_the_report_has_versions_devices_folders_and_models():
    facts = report()
    assert platform.python_version() in facts["system"]["python"]
    assert facts["packages"]["numpy"] == metadata.version("numpy")
    assert "CPUExecutionProvider" in facts["devices"]["onnxruntime"]
    assert facts["devices"].keys() >= {"cuda", "mps"}
    assert facts["environment"] == {
        "LANG": "fr_FR.UTF-8", "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80",
    }  # fmt: skip
    assert "(none)" in facts["folders"]["config"]
    assert "en-fr" in facts["models"]
    assert facts["problems"] == []


def test_the_text_has_the_same_facts_and_no_secret(home):
    ended = attn("doctor", environment={"SECRET": "hush"})
    assert ended.status == 0
    sections = [line for line in ended.lines() if line and not line.startswith(" ")]
    assert sections == [*report()]
    assert "hush" not in ended.out
    assert str(home) not in ended.out
    assert "~/.config/attn/config.toml" in ended.out


def test_a_damaged_model_and_a_wrong_config_are_reported_as_problems(home):
    models = home / ".local" / "share" / "attn" / "models"
    folder = Path(shutil.copytree(MODEL, models / "broken"))
    (folder / "joint.spm").write_bytes(b"x")
    (home / ".config" / "attn").mkdir(parents=True)
    (home / ".config" / "attn" / "config.toml").write_text("colour = 'red'\n")
    facts = report()
    assert facts["models"]["broken"].endswith("damaged")
    assert any("joint.spm" in each for each in facts["problems"])
    assert any("Did you mean color?" in each for each in facts["problems"])


def test_a_default_model_that_does_not_exist_is_a_problem(monkeypatch):
    monkeypatch.setenv("ATTN_MODEL", "nonsense")
    assert any("no model nonsense" in each for each in report()["problems"])


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permission bits")
def test_a_folder_that_cannot_be_written_is_a_problem(home, monkeypatch):
    """Root may write into every folder, so the bits are read as for another user."""
    monkeypatch.setattr(os, "access", lambda path, _: bool(os.stat(path).st_mode & stat.S_IWUSR))
    home.chmod(0o500)
    problems = report()["problems"]
    home.chmod(0o700)
    folders = {"models": "~/.local/share/attn", "cache": "~/.cache/attn"}
    assert problems == [
        f"the folder of {name}, {folder}, cannot be written" for name, folder in folders.items()
    ]


def test_a_file_in_place_of_a_folder_is_a_problem(home):
    (home / ".local").write_text("")
    assert report()["problems"] == [
        "the folder of models, ~/.local/share/attn, cannot be written: ~/.local is a file"
    ]
