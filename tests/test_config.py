"""Recipes: what is written is read back; what a recipe has no place for is refused by name."""

import dataclasses
import typing
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.config import Recipe
from attn_cli.errors import UsageError

steady = settings(derandomize=True, deadline=None, max_examples=100)


def values_of(kind, leaf):
    """Any value a leaf may hold."""
    low, high = leaf.metadata["low"], leaf.metadata["high"]
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(typing.get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(low, 2**63 - 1 if high is None else int(high))
    if kind is float:
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    return st.text(st.characters(exclude_categories=["Cs"]))


def trees(cls=Recipe):
    """Any tree of values that a recipe may be written with, keys left out as one likes."""
    hints = typing.get_type_hints(cls)
    optional = {
        leaf.name: trees(hints[leaf.name])
        if dataclasses.is_dataclass(hints[leaf.name])
        else values_of(hints[leaf.name], leaf)
        for leaf in dataclasses.fields(cls)
    }
    return st.fixed_dictionaries({}, optional=optional)


def recipe_of(tree):
    try:
        return config.from_dict(tree)
    except UsageError:  # tied = "all" with two vocabularies: tested below
        assume(False)


@steady
@given(trees(), st.booleans())
def test_a_recipe_written_as_toml_is_read_back_as_the_same(tree, helps):
    recipe = recipe_of(tree)
    assert config.parse(config.to_toml(recipe, helps=helps, heading="attn train\nx")) == recipe


@steady
@given(trees())
def test_a_recipe_as_dictionaries_is_read_back_as_the_same(tree):
    recipe = recipe_of(tree)
    assert config.from_dict(config.to_dict(recipe)) == recipe


@steady
@given(st.sampled_from(config.keys()), st.integers(0, 30), st.sampled_from("xyzq_-"))
def test_a_mistyped_key_is_refused_and_the_one_that_was_meant_is_named(key, place, letter):
    section, _, name = key.rpartition(".")
    typo = name[: place % len(name)] + letter + name[place % len(name) :]
    assume(f"{section}.{typo}".strip(".") not in set(config.keys()))
    tree = {typo: 1}
    for part in reversed(section.split(".") if section else []):
        tree = {part: tree}
    with pytest.raises(UsageError, match="unknown key") as caught:
        config.from_dict(tree)
    assert f"{section}.{typo}".strip(".") in caught.value.problem
    if len(name) > 4:
        assert caught.value.hint.startswith(f"Did you mean {section}.".replace(" .", " "))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("train.max_step", "Did you mean train.max_steps?"),
        ("model.encoder.celll", "Did you mean model.encoder.cell?"),
        ("learning_rate", "Did you mean train.learning_rate?"),
        ("train.beam", "Did you mean decode.beam?"),
        ("sed", "Did you mean seed?"),
        ("train.zzzzzzzzz", "Known there: max_steps,"),
    ],
)
def test_the_hint_for_an_unknown_key(key, hint):
    with pytest.raises(UsageError) as caught:
        config.with_settings(Recipe(), [f"{key}=1"])
    assert caught.value.hint.startswith(hint)


@steady
@given(trees())
def test_set_says_what_the_file_would_say(tree):
    """Setting every leaf of a recipe by --set makes that recipe."""
    recipe = recipe_of(tree)

    def leaves(branch, prefix=""):
        for name, value in branch.items():
            if isinstance(value, dict):
                yield from leaves(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}={config._toml(value)}"

    assert config.with_settings(Recipe(), list(leaves(config.to_dict(recipe)))) == recipe


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("name=de-en", "de-en"),
        ('name="de-en"', "de-en"),
        ("name=", ""),
        ("name=a=b", "a=b"),
        (" name = x y ", "x y"),
    ],
)
def test_a_bare_word_is_a_text(setting, value):
    assert config.with_settings(Recipe(), [setting]).name == value


def test_the_later_of_two_settings_wins():
    assert config.with_settings(Recipe(), ["seed=2", "seed=3"]).seed == 3


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("seed", ["'='"]),
        ("seed=x", ["seed", "whole number"]),
        ("seed=1.0", ["seed", "whole number"]),
        ("seed=true", ["seed", "whole number"]),
        ("seed=-1", ["seed", "between 0 and"]),
        ("name=5", ["name", "text"]),
        ("model.layer_norm=1", ["model.layer_norm", "true or false"]),
        ("train.learning_rate=fast", ["train.learning_rate", "number"]),
        ("train.learning_rate=nan", ["finite"]),
        ("train.learning_rate=inf", ["finite"]),
        (f"train.learning_rate=1{'0' * 400}", ["finite"]),
        ("train.learning_rate=-1", ["at least 0"]),
        ("model.dropout.states=1", ["between 0 and 0.95"]),
        ("model.encoder.cell=xyz", ["model.encoder.cell", "xyz"]),
        ("model=3", ["model", "section"]),
        ("model.encoder=true", ["model.encoder", "section"]),
        ("model.alignment_head=yes", ["model.alignment_head", "section"]),
        ("seed.a=3", ["seed is a value"]),
        ("train.precision=true", ["train.precision"]),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_key(setting, words):
    with pytest.raises(UsageError) as caught:
        config.with_settings(Recipe(), [setting])
    assert all(word in caught.value.problem for word in words), caught.value.problem
    assert caught.value.hint


def test_an_alignment_head_is_wanted_by_true_and_keeps_its_other_settings():
    sized = ["model.alignment_head.width=64", "model.alignment_head=true"]
    head = config.AlignmentHead(enabled=True, width=64)
    assert config.with_settings(Recipe(), sized).model.alignment_head == head
    assert config.with_settings(Recipe(), sized[::-1]).model.alignment_head == head
    unwanted = config.with_settings(Recipe(), [*sized, "model.alignment_head=false"])
    assert unwanted.model.alignment_head == replace(head, enabled=False)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_file_may_say_the_same_in_a_word(wanted):
    recipe = config.parse(f"[model]\nalignment_head = {str(wanted).lower()}\n")
    assert recipe.model.alignment_head == config.AlignmentHead(enabled=wanted)


def test_one_matrix_for_two_vocabularies_is_refused():
    with pytest.raises(UsageError, match="tied"):
        config.parse("[tokenizer]\njoint = false\n")
    assert config.parse('[tokenizer]\njoint = false\n[model]\ntied = "output"\n')


def test_a_whole_number_may_stand_for_a_number():
    assert config.parse("[train]\nlearning_rate = 1\n").train.learning_rate == 1.0


def test_what_is_not_toml_is_refused_with_its_file_and_line(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("seed = 1\nseed 2\n")
    with pytest.raises(UsageError, match=r"r\.toml is not TOML.*line 2"):
        config.load(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_what_cannot_be_read_is_refused_by_name(tmp_path, content):
    path = tmp_path / "r.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"r\.toml"):
        config.load(path)


def test_every_key_has_a_sentence_of_help():
    def check(cls):
        hints = typing.get_type_hints(cls)
        for leaf in dataclasses.fields(cls):
            if dataclasses.is_dataclass(hints[leaf.name]):
                check(hints[leaf.name])
            else:
                assert leaf.metadata["help"], leaf.name

    check(Recipe)


def test_the_recipe_of_the_demo_is_read(request):
    assert config.load(request.config.rootpath / "data" / "demo" / "recipe.toml").name == "demo"
