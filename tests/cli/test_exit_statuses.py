"""The exit statuses that scripts may rely on, and the error line of each."""

import shutil

import pytest
from program import assert_fails, attn

from attn_cli.bundles import storage
from attn_cli.cli import model_loading


def test_success_exits_with_status_0(tiny):
    assert attn("translate", "-m", tiny, "I see.").status == 0


def test_the_option_version_prints_the_version_of_the_package_to_stdout():
    from attn_cli import __version__

    assert attn("--version").out == f"attn {__version__}\n"


def test_attn_without_a_command_prints_its_usage_to_stderr():
    ended = attn()
    assert (ended.status, ended.stdout) == (2, b"")
    assert ended.err.startswith("Usage: attn ")


# 1: a bug in attn


@pytest.fixture
def _bug(monkeypatch):
    def raise_error(*_, **__):
        raise ZeroDivisionError("of the universe")

    monkeypatch.setattr(model_loading, "load_stable", raise_error)


@pytest.mark.usefixtures("_bug")
def test_a_bug_exits_with_status_1_and_a_request_to_report_it(tiny):
    assert_fails(attn("translate", "-m", tiny, "a"), 1, "bug in attn", "of the universe", "report")


@pytest.mark.usefixtures("_bug")
def test_the_option_debug_prints_the_traceback_of_a_bug(tiny):
    ended = attn("translate", "-m", tiny, "a", "--debug")
    assert ended.status == 1
    assert "Traceback" in ended.err
    assert "ZeroDivisionError" in ended.err


# 2: wrong usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["translat"], ["translat"]),
        (["translate", "--beem", "3"], ["--beem", "--beam"]),
        (["translate", "--beam", "0"], ["--beam"]),
        (["translate", "--beam", "many"], ["--beam"]),
        (["translate", "-f", "docx"], ["docx"]),
        (["translate", "-f"], ["-f"]),
        (["translate", "a", "--length-penalty", "nan"], ["--length-penalty"]),
        (["translate", "a", "-i", "b"], ["--input"]),
        (["models", "path"], ["name"]),
        (["train", "no.toml"], ["no.toml"]),
        (["train", "--set", "train.max_step=3"], ["train.max_step", "train.max_steps"]),
        (["train", "--set", "train.max_steps=many"], ["train.max_steps", "whole number"]),
        (["train", "--set", "train.schedule=cosin"], ["cosin", "cosine"]),
        (["train", "--set", "train.max_steps"], ["="]),
    ],
)
def test_wrong_usage_exits_with_status_2(arguments, words):
    assert_fails(attn(*arguments), 2, *words)


# 3: bad input data


def test_a_missing_file_exits_with_status_3(tiny, tmp_path):
    assert_fails(
        attn("translate", "-m", tiny, "-i", tmp_path / "no.en"), 3, "no.en", "no such file"
    )


def test_a_folder_in_place_of_a_file_exits_with_status_3(tiny, tmp_path):
    assert_fails(attn("translate", "-m", tiny, "-i", tmp_path), 3, "folder")


def test_an_invalid_gzip_file_exits_with_status_3(tiny, tmp_path):
    (tmp_path / "a.gz").write_text("plain")
    assert_fails(attn("translate", "-m", tiny, "-i", tmp_path / "a.gz"), 3, "a.gz", "gzip")


def test_an_output_in_a_missing_folder_exits_with_status_3(tiny, tmp_path):
    assert_fails(attn("translate", "-m", tiny, "-o", tmp_path / "no" / "a", "I see."), 3, "folder")


# 4: a model missing, damaged or unfit


@pytest.mark.usefixtures("_empty_registry")
def test_an_unknown_model_exits_with_status_4():
    assert_fails(attn("translate", "-m", "xx-yy", "a"), 4, "no model xx-yy")


@pytest.mark.usefixtures("_empty_registry")
def test_an_environment_variable_sets_the_default_model(monkeypatch, tiny):
    monkeypatch.setenv("ATTN_MODEL", str(tiny))
    assert attn("translate", "I see a dog.").out == "je vois un chien.\n"
    monkeypatch.setenv("ATTN_MODEL", "xx-yy")
    assert_fails(attn("translate", "I see a dog."), 4, "xx-yy")


def test_a_folder_without_a_model_exits_with_status_4(tmp_path):
    assert_fails(attn("translate", "-m", tmp_path, "a"), 4, "holds no model")


@pytest.mark.parametrize("name", ["recipe.toml", "joint.spm", "model.safetensors", "bundle.json"])
def test_a_model_that_lacks_a_file_exits_with_status_4(model_copy, name):
    (model_copy / name).unlink()
    assert_fails(attn("translate", "-m", model_copy, "a"), 4, name)


@pytest.mark.parametrize("name", ["joint.spm", "model.safetensors"])
@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: b"\xff" * len(content)]
)
def test_a_model_with_a_truncated_or_overwritten_file_exits_with_status_4(model_copy, name, damage):
    (model_copy / name).write_bytes(damage((model_copy / name).read_bytes()))
    assert_fails(attn("translate", "-m", model_copy, "a"), 4, name)


def change_recipe(folder, old, new):
    """Change the recipe and its checksum in bundle.json, as an intended edit does."""
    recipe = folder / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    assert old in text
    recipe.write_text(text.replace(old, new), encoding="utf-8")
    storage.add_file(folder, "recipe.toml")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("width = 24", "width = 25", ["shape"]),
        ("embedding = 32", "embedding = 16", ["tensor"]),
        ("layers = 1", "layers = 2", ["tensor"]),
        ('tie_embeddings = "all"', 'tie_embeddings = "none"', ["tensor"]),
        ("embedding = 32", "embeding = 32", ["embeding", "embedding"]),
        ('cell = "gru"', 'cell = "gruu"', ["gruu"]),
        ("[model]", "[model", ["TOML"]),
    ],
)
def test_a_recipe_that_does_not_match_the_weights_exits_with_status_4(model_copy, old, new, words):
    assert_fails(attn("translate", "-m", change_recipe(model_copy, old, new), "a"), 4, *words)


def test_a_recipe_whose_size_differs_from_bundle_json_exits_with_status_4(model_copy):
    with (model_copy / "recipe.toml").open("a") as file:
        file.write("# a note\n")
    assert_fails(attn("translate", "-m", model_copy, "a"), 4, "recipe.toml")


def test_a_model_of_a_newer_format_exits_with_status_4_and_advice_to_upgrade(model_copy):
    (model_copy / "bundle.json").write_text('{"format": 3, "parts": []}')
    assert_fails(attn("translate", "-m", model_copy, "a"), 4, "format 3", "Upgrade")


def test_a_folder_with_the_name_of_a_model_does_not_hide_the_model(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny, tmp_path / "home" / "models" / "en-xx")
    (tmp_path / "en-xx").mkdir()
    assert attn("translate", "-m", "en-xx", "I see a dog.").out == "je vois un chien.\n"
