"""config.toml: defaults that options and environment variables override; and the XDG folders."""

import os
from pathlib import Path

import pytest
from program import attn

from attn_cli.bundles import registry
from attn_cli.cli.user_config import UserConfig, config_file, load_user_config
from attn_cli.console import Console
from attn_cli.errors import UsageError
from attn_cli.files import user_folders

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"


pytestmark = pytest.mark.usefixtures("home")


def write_config(text):
    config_file().parent.mkdir(parents=True, exist_ok=True)
    config_file().write_text(text, encoding="utf-8")


def test_without_a_config_file_nothing_is_set():
    assert load_user_config(config_file()) == UserConfig()


def test_the_config_file_sets_the_default_model(home, monkeypatch):
    write_config(f'model = "{MODEL}"\n')
    assert attn("translate", "I see a dog.").out == "je vois un chien.\n"
    monkeypatch.setenv("ATTN_MODEL", "nonsense")
    assert attn("translate", "I see a dog.").status == 4


def test_an_option_or_a_variable_overrides_the_configured_color():
    write_config('color = "always"\n')
    table = ("translate", "I see a dog.", "--align", "-m", MODEL)
    assert b"\x1b[" in attn(*table).stdout
    assert b"\x1b[" not in attn(*table, "--color", "never").stdout
    assert b"\x1b[" not in attn(*table, environment={"NO_COLOR": "1"}).stdout


def test_the_configured_threads_apply_to_commands_without_the_option():
    write_config("threads = 3\n")
    console = Console.of_process()
    load_user_config(config_file()).apply(console)
    assert console.cores == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("modell = 'x'", "Did you mean model?"),
        ("nonsense = 1", "There are: model, color, threads"),
        ("color = 'red'", "one of auto, always, never"),
        ("threads = 0", "a whole number from 1"),
        ("threads = true", "a whole number from 1"),
        ("threads = 1000000000", "a whole number from 1"),
        ("model = ''", "a name or a folder"),
        ("model = ", "is not TOML"),
        ("model = 'a'\nmodel = 'b'", "is not TOML"),
    ],
)
def test_a_mistake_in_the_config_file_is_a_usage_error_with_its_path(text, problem):
    write_config(text)
    result = attn("translate", "I see a dog.", "-m", MODEL)
    assert result.status == 2
    assert problem in result.err
    assert str(config_file()) in result.err


def test_a_config_file_that_is_not_utf8_or_is_a_folder_is_refused():
    config_file().parent.mkdir(parents=True)
    config_file().write_bytes(b"model = '\xff'\n")
    with pytest.raises(UsageError, match="not TOML"):
        load_user_config(config_file())
    config_file().unlink()
    config_file().mkdir()
    with pytest.raises(UsageError, match="cannot read"):
        load_user_config(config_file())


def test_help_does_not_read_the_config_file():
    write_config("nonsense")
    assert attn("translate", "--help").status == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows does not use XDG")
def test_the_default_folders_are_those_of_the_xdg_specification(home, monkeypatch):
    assert user_folders.config_folder() == home / ".config" / "attn"
    assert user_folders.data_folder() == home / ".local" / "share" / "attn"
    assert user_folders.cache_folder() == home / ".cache" / "attn"
    for kind in ("config", "data", "cache"):
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", "/x")
        assert getattr(user_folders, f"{kind}_folder")() == Path("/x/attn")
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", "relative")  # "should be ignored"
        assert getattr(user_folders, f"{kind}_folder")().is_relative_to(home)


def test_attn_home_has_models_and_cache(home, monkeypatch):
    monkeypatch.setenv("ATTN_HOME", str(home / "h"))
    assert user_folders.data_folder() == user_folders.cache_folder() == home / "h"
    assert user_folders.former_folder() is None


def test_models_in_the_former_folder_are_still_there(home):
    assert attn("models", "add", MODEL, "--name", "new").status == 0
    former = home / ".attn" / "models"
    former.mkdir(parents=True)
    os.rename(registry.find("new"), former / "old")
    assert registry.find("old") == former / "old"
    assert attn("models", "add", MODEL, "--name", "old").status == 0
    assert registry.find("old") == home / ".local" / "share" / "attn" / "models" / "old"


@pytest.mark.parametrize("name", ["fr_en", "FR-EN", "fr-em"])
def test_a_similar_model_name_is_suggested(name):
    result = attn("translate", "x", "-m", name)
    assert result.status == 4
    assert "Did you mean fr-en?" in result.err
