"""The exit statuses a script may rely on, and the one sentence that goes with each."""

import shutil

import pytest
from program import attn

import attn_cli.cli.model_loading as opening
from attn_cli.bundles import storage


def fails(ended, status, *words):
    """It ended so, said so in one line that names `words`, and wrote no result."""
    assert (ended.status, ended.stdout) == (status, b"")
    (line,) = ended.err.splitlines()
    assert line.startswith("attn: ")
    assert line.endswith((".", "?", "!"))
    assert all(word in line for word in words), line


def test_done_is_zero(tiny):
    assert attn("translate", "-m", tiny, "I see.").status == 0


def test_the_version_is_the_packages_and_on_stdout():
    from attn_cli import __version__

    assert attn("--version").out == f"attn {__version__}\n"


def test_no_command_says_how_it_is_called_on_stderr():
    ended = attn()
    assert (ended.status, ended.stdout) == (2, b"")
    assert ended.err.startswith("Usage: attn ")


# 1: a bug in attn


@pytest.fixture
def _buggy(monkeypatch):
    def bug(*_, **__):
        raise ZeroDivisionError("of the universe")

    monkeypatch.setattr(opening, "load_stable", bug)


@pytest.mark.usefixtures("_buggy")
def test_a_bug_is_one_with_a_request_to_report_it(tiny):
    fails(attn("translate", "-m", tiny, "a"), 1, "bug in attn", "of the universe", "report")


@pytest.mark.usefixtures("_buggy")
def test_debug_shows_where_a_bug_is(tiny):
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
def test_wrong_usage_is_two(arguments, words):
    fails(attn(*arguments), 2, *words)


# 3: bad input data


def test_a_missing_file_is_three(tiny, tmp_path):
    fails(attn("translate", "-m", tiny, "-i", tmp_path / "no.en"), 3, "no.en", "no such file")


def test_a_folder_as_a_file_is_three(tiny, tmp_path):
    fails(attn("translate", "-m", tiny, "-i", tmp_path), 3, "folder")


def test_a_gzip_that_is_none_is_three(tiny, tmp_path):
    (tmp_path / "a.gz").write_text("plain")
    fails(attn("translate", "-m", tiny, "-i", tmp_path / "a.gz"), 3, "a.gz", "gzip")


def test_an_output_in_no_folder_is_three(tiny, tmp_path):
    fails(attn("translate", "-m", tiny, "-o", tmp_path / "no" / "a", "I see."), 3, "folder")


# 4: a model missing, damaged or unfit


@pytest.mark.usefixtures("_empty_registry")
def test_an_unknown_model_is_four():
    fails(attn("translate", "-m", "xx-yy", "a"), 4, "no model xx-yy")


@pytest.mark.usefixtures("_empty_registry")
def test_the_default_model_may_be_named_by_the_environment(monkeypatch, tiny):
    monkeypatch.setenv("ATTN_MODEL", str(tiny))
    assert attn("translate", "I see a dog.").out == "je vois un chien.\n"
    monkeypatch.setenv("ATTN_MODEL", "xx-yy")
    fails(attn("translate", "I see a dog."), 4, "xx-yy")


def test_a_folder_without_a_model_is_four(tmp_path):
    fails(attn("translate", "-m", tmp_path, "a"), 4, "holds no model")


@pytest.mark.parametrize("name", ["recipe.toml", "joint.spm", "model.safetensors", "bundle.json"])
def test_a_model_that_lacks_a_file_is_four(damaged, name):
    (damaged / name).unlink()
    fails(attn("translate", "-m", damaged, "a"), 4, name)


@pytest.mark.parametrize("name", ["joint.spm", "model.safetensors"])
@pytest.mark.parametrize("damage", [lambda whole: whole[:-1], lambda whole: b"\xff" * len(whole)])
def test_a_model_with_a_truncated_or_overwritten_file_is_four(damaged, name, damage):
    (damaged / name).write_bytes(damage((damaged / name).read_bytes()))
    fails(attn("translate", "-m", damaged, "a"), 4, name)


def rewritten(folder, old, new):
    """The recipe changed, and bundle.json sealed over it, as a person might who means it."""
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
def test_a_recipe_that_does_not_fit_the_weights_is_four(damaged, old, new, words):
    fails(attn("translate", "-m", rewritten(damaged, old, new), "a"), 4, *words)


def test_a_recipe_of_another_size_than_was_sealed_is_four(damaged):
    with (damaged / "recipe.toml").open("a") as file:
        file.write("# a note\n")
    fails(attn("translate", "-m", damaged, "a"), 4, "recipe.toml")


def test_a_model_of_a_newer_format_is_four_and_says_to_upgrade(damaged):
    (damaged / "bundle.json").write_text('{"format": 3, "parts": []}')
    fails(attn("translate", "-m", damaged, "a"), 4, "format 3", "Upgrade")


def test_a_folder_of_a_models_name_does_not_hide_the_model(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny, tmp_path / "home" / "models" / "en-xx")
    (tmp_path / "en-xx").mkdir()
    assert attn("translate", "-m", "en-xx", "I see a dog.").out == "je vois un chien.\n"
