"""The recipes that come with attn: each is one, does what its name says, and can be asked for."""

import pytest
from program import attn

from attn_cli import config
from attn_cli.bundles import registry

NAMES = [
    "bahdanau", "gru", "hard", "local", "lstm", "luong", "no-attention", "rnn", "transformer",
    "transformer-tiny",
]  # fmt: skip

#: What a recipe is called after.
SAYS = {
    "bahdanau": ("model.decoder.input_feeding", False),
    "gru": ("model.encoder.cell", "gru"),
    "lstm": ("model.decoder.cell", "lstm"),
    "rnn": ("model.decoder.cell", "rnn"),
    "luong": ("model.decoder.input_feeding", True),
    "local": ("model.attention.kind", "local"),
    "hard": ("model.attention.kind", "hard"),
    "no-attention": ("model.attention.kind", "none"),
    "transformer": ("model.decoder.kind", "transformer"),
    "transformer-tiny": ("model.encoder.width", 128),
}


def printed(*arguments):
    ended = attn("train", *arguments, "--print-recipe")
    assert (ended.status, ended.err) == (0, "")
    return config.parse(ended.out)


def value(recipe, key):
    for name in key.split("."):
        recipe = getattr(recipe, name)
    return recipe


def test_these_are_all():
    assert registry.recipe_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_recipe_whose_first_line_is_the_command(name):
    text = registry.named_recipe(name).read_text(encoding="utf-8")
    config.parse(text, where=name)
    wanted = f"# attn train --recipe-name {name} --source a.en --target a.fr --out runs/{name}"
    assert text.splitlines()[0] == wanted


@pytest.mark.parametrize("name", NAMES)
def test_it_is_over_the_demos_recipe_where_there_is_no_text(name):
    recipe, demo = printed("--recipe-name", name), printed()
    key, wanted = SAYS[name]
    assert value(recipe, key) == wanted
    assert (recipe.name, recipe.data, recipe.tokenizer) == (name, demo.data, demo.tokenizer)
    assert recipe.train.max_steps == demo.train.max_steps


@pytest.mark.parametrize("name", NAMES)
def test_it_is_over_the_default_recipe_where_there_is_text(name, tmp_path):
    text = ("--source", tmp_path / "a.en", "--target", tmp_path / "a.fr")
    recipe, plain = printed(*text, "--recipe-name", name), printed(*text)
    assert value(recipe, SAYS[name][0]) == SAYS[name][1]
    assert (recipe.source, recipe.target, recipe.data) == ("en", "fr", plain.data)
    assert recipe.tokenizer == plain.tokenizer


@pytest.mark.parametrize("text", [(), ("--source", "a.en", "--target", "a.fr")])
def test_gru_is_what_is_trained_without_a_name(text):
    assert printed(*text, "--recipe-name", "gru", "--set", "name=x") == printed(
        *text, "--set", "name=x"
    )


def test_set_has_the_last_word():
    recipe = printed("--recipe-name", "lstm", "--set", "model.encoder.cell=rnn", "--seed", "7")
    assert (recipe.model.encoder.cell, recipe.model.decoder.cell, recipe.seed) == ("rnn", "lstm", 7)


def test_the_model_bears_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "rnn").mkdir(parents=True)
    (tmp_path / "runs" / "rnn" / "bundle.json").write_text("{}")
    ended = attn("train", "--recipe-name", "rnn")
    assert ended.status == 2
    assert "runs/rnn" in ended.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--recipe-name", "tranformer"], "Did you mean transformer?"),
        (["--recipe-name", "xyz"], "There are: bahdanau, gru,"),
        (["r.toml", "--recipe-name", "gru"], "two recipes were given: r.toml and"),
        (["--from", "en-fr", "--pairs", "a", "--recipe-name", "gru"], "--from takes"),
        (["--resume", "runs/x", "--recipe-name", "gru"], "--resume continues"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, says):
    ended = attn("train", *arguments)
    assert ended.status == 2
    assert says in ended.err


def test_help_names_them_all():
    helped = "".join(attn("train", "--help").out.split())
    assert all(f"{name}," in helped or f"{name}." in helped for name in NAMES)


def test_a_models_own_recipe_makes_that_model_again(tmp_path):
    """Though it leaves out keys whose defaults have changed since, and has keys of former names."""
    text = "[model]\nembedding = 8\n[train]\nhead_steps = 7\nkeep_head = true\n"
    (tmp_path / "recipe.toml").write_text(text)
    (tmp_path / "bundle.json").write_text("{}")
    again = printed(tmp_path / "recipe.toml")
    assert (again.model.attention.kind, again.model.decoder.input_feeding) == ("additive", False)
    assert (again.train.aligner_steps, again.train.freeze_aligner) == (7, True)
    (tmp_path / "bundle.json").unlink()  # no model's any more
    refused = attn("train", tmp_path / "recipe.toml", "--print-recipe")
    assert refused.status == 2
    assert "unknown key train.head_steps" in refused.err
