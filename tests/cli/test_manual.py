"""Manual pages: one for each command, with the text of --help, in valid roff."""

import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from attn_cli.cli.manual import pages, write_pages

ROOT = Path(__file__).parents[2]
PAGES = pages()


def test_each_command_has_a_page():
    assert {"attn.1", "attn-translate.1", "attn-models.1", "attn-models-add.1"} <= set(PAGES)


def test_a_page_has_every_option_and_the_examples_of_its_help():
    page = PAGES["attn-translate.1"].replace("\\-", "-")
    for option in ("-m, --model", "--coverage-penalty", "--color", "-h, --help"):
        assert f".B {option}" in page
    assert 'attn translate "I love you" --align' in page
    assert "\n.B 143\n" in page


def test_characters_that_roff_interprets_are_escaped():
    text = "".join(PAGES.values())
    assert text.isascii()
    assert not [line for line in text.splitlines() if line.startswith("'")]
    assert {line.split()[0] for line in text.splitlines() if line.startswith(".")} <= {
        ".TH", ".SH", ".PP", ".TP", ".B", ".BR", ".nf", ".fi",
    }  # fmt: skip


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff")
def test_groff_reads_the_pages_without_a_warning(tmp_path):
    for page in write_pages(tmp_path):
        result = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, check=True
        )
        assert result.stderr == b""
        assert b"attn" in result.stdout


def test_the_wheel_build_includes_every_page(monkeypatch):
    """Run the hook with a stub of hatchling, which is installed only where a wheel is built."""

    class Interface:
        root = str(ROOT)

        def __class_getitem__(cls, _):
            return cls

    name = "hatchling.builders.hooks.plugin.interface"
    for parent in ("hatchling", "hatchling.builders", "hatchling.builders.hooks"):
        monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    monkeypatch.setitem(sys.modules, name.rpartition(".")[0], ModuleType("plugin"))
    stub = ModuleType(name)
    stub.BuildHookInterface = Interface
    monkeypatch.setitem(sys.modules, name, stub)
    monkeypatch.setattr(sys, "path", [*sys.path])
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))["ManualHook"]()
    build = {"shared_data": {}}
    hook.initialize("standard", build)
    assert {Path(source).name for source in build["shared_data"]} == set(PAGES)
    assert all(Path(source).is_file() for source in build["shared_data"])
    assert "share/man/man1/attn-translate.1" in build["shared_data"].values()
    hook.finalize("standard", build, "")
    assert not any(Path(source).exists() for source in build["shared_data"])
    editable = {"shared_data": {}}
    hook.initialize("editable", editable)
    assert editable == {"shared_data": {}}


def test_the_project_file_lists_the_build_hook_and_its_requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "custom" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
    assert any(
        requirement.startswith("typer") for requirement in project["build-system"]["requires"]
    )
    assert "/hatch_build.py" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
