"""Each recipe that comes with attn is valid, fits its name, and can be chosen by it."""

import pytest
from program import attn

from attn_cli import config
from attn_cli.bundles import registry

NAMES = [
    "bahdanau", "gru", "hard", "local", "lstm", "luong", "no-attention", "rnn", "transformer",
    "transformer-tiny",
]  # fmt: skip

#: The setting that a recipe is named after.
NAMED_SETTING = {
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


def resolved_recipe(*arguments):
    result = attn("train", *arguments, "--print-recipe")
    assert (result.status, result.err) == (0, "")
    return config.parse(result.out)


def value_at(recipe, key):
    for name in key.split("."):
        recipe = getattr(recipe, name)
    return recipe


def test_the_list_of_recipes_is_complete():
    assert registry.recipe_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_valid_and_its_first_line_is_its_command(name):
    text = registry.named_recipe(name).read_text(encoding="utf-8")
    config.parse(text, where=name)
    expected = f"# attn train --recipe-name {name} --source a.en --target a.fr --out runs/{name}"
    assert text.splitlines()[0] == expected


@pytest.mark.parametrize("name", NAMES)
def test_without_text_a_named_recipe_changes_the_recipe_of_the_demo(name):
    recipe, demo = resolved_recipe("--recipe-name", name), resolved_recipe()
    key, expected = NAMED_SETTING[name]
    assert value_at(recipe, key) == expected
    assert (recipe.name, recipe.data, recipe.tokenizer) == (name, demo.data, demo.tokenizer)
    assert recipe.train.max_steps == demo.train.max_steps


@pytest.mark.parametrize("name", NAMES)
def test_with_text_a_named_recipe_changes_the_default_recipe(name, tmp_path):
    text = ("--source", tmp_path / "a.en", "--target", tmp_path / "a.fr")
    recipe, plain = resolved_recipe(*text, "--recipe-name", name), resolved_recipe(*text)
    assert value_at(recipe, NAMED_SETTING[name][0]) == NAMED_SETTING[name][1]
    assert (recipe.source, recipe.target, recipe.data) == ("en", "fr", plain.data)
    assert recipe.tokenizer == plain.tokenizer


@pytest.mark.parametrize("text", [(), ("--source", "a.en", "--target", "a.fr")])
def test_the_recipe_without_a_name_is_gru(text):
    assert resolved_recipe(*text, "--recipe-name", "gru", "--set", "name=x") == resolved_recipe(
        *text, "--set", "name=x"
    )


def test_set_overrides_a_named_recipe():
    recipe = resolved_recipe(
        "--recipe-name", "lstm", "--set", "model.encoder.cell=rnn", "--seed", "7"
    )
    assert (recipe.model.encoder.cell, recipe.model.decoder.cell, recipe.seed) == ("rnn", "lstm", 7)


def test_a_model_is_named_after_its_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "rnn").mkdir(parents=True)
    (tmp_path / "runs" / "rnn" / "bundle.json").write_text("{}")
    result = attn("train", "--recipe-name", "rnn")
    assert result.status == 2
    assert "runs/rnn" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe-name", "tranformer"], "Did you mean transformer?"),
        (["--recipe-name", "xyz"], "There are: bahdanau, gru,"),
        (["r.toml", "--recipe-name", "gru"], "two recipes were given: r.toml and"),
        (["--from", "en-fr", "--pairs", "a", "--recipe-name", "gru"], "--from takes"),
        (["--resume", "runs/x", "--recipe-name", "gru"], "--resume continues"),
    ],
)
def test_an_unknown_recipe_or_a_conflicting_option_is_refused(arguments, message):
    result = attn("train", *arguments)
    assert result.status == 2
    assert message in result.err


def test_help_names_all_recipes():
    help_text = "".join(attn("train", "--help").out.split())
    assert all(f"{name}," in help_text or f"{name}." in help_text for name in NAMES)


def test_the_recipe_of_an_old_model_is_read_with_its_former_defaults_and_keys(tmp_path):
    """It lacks keys whose defaults have changed since, and has keys with former names."""
    text = "[model]\nembedding = 8\n[train]\nhead_steps = 7\nkeep_head = true\n"
    (tmp_path / "recipe.toml").write_text(text)
    (tmp_path / "bundle.json").write_text("{}")
    recipe = resolved_recipe(tmp_path / "recipe.toml")
    assert (recipe.model.attention.kind, recipe.model.decoder.input_feeding) == ("additive", False)
    assert (recipe.train.aligner_steps, recipe.train.freeze_aligner) == (7, True)
    (tmp_path / "bundle.json").unlink()  # so that it is no longer a model's recipe
    result = attn("train", tmp_path / "recipe.toml", "--print-recipe")
    assert result.status == 2
    assert "unknown key train.head_steps" in result.err
