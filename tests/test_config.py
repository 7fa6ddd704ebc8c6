"""A written recipe is read back unchanged, and an unknown key or an invalid value is refused."""

import dataclasses
import typing
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.config import Recipe
from attn_cli.errors import UsageError

deterministic = settings(derandomize=True, deadline=None)


def values_of(kind, leaf):
    """Return a strategy of the values that a field may have."""
    low, limit = leaf.metadata["low"], leaf.metadata["limit"]
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(typing.get_args(kind))
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(low, int(limit))
    if kind is float:
        return st.floats(low, limit, allow_nan=False, allow_infinity=False)
    return st.text(st.characters(exclude_categories=["Cs"]))


def trees(cls=Recipe):
    """Return a strategy of recipes as nested dictionaries; any key may be absent."""
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
    except UsageError:  # tie_embeddings = "all" with two vocabularies: tested below
        assume(False)


@deterministic
@given(trees(), st.booleans())
def test_a_recipe_written_as_toml_is_read_back_as_the_same(tree, helps):
    recipe = recipe_of(tree)
    assert config.parse(config.to_toml(recipe, helps=helps, heading="attn train\nx")) == recipe


@deterministic
@given(trees())
def test_a_recipe_as_dictionaries_is_read_back_as_the_same(tree):
    recipe = recipe_of(tree)
    assert config.from_dict(config.to_dict(recipe)) == recipe


@deterministic
@given(st.sampled_from(config.keys()), st.integers(0, 30), st.sampled_from("xyzq_-"))
def test_a_mistyped_key_is_refused_and_the_intended_key_is_suggested(key, place, letter):
    section, _, name = key.rpartition(".")
    typo = name[: place % len(name)] + letter + name[place % len(name) :]
    assume(f"{section}.{typo}".strip(".") not in set(config.keys()))
    tree = {typo: 1}
    for part in reversed(section.split(".") if section else []):
        tree = {part: tree}
    with pytest.raises(UsageError, match="unknown key") as error:
        config.from_dict(tree)
    assert f"{section}.{typo}".strip(".") in error.value.problem
    if len(name) > 4:
        assert error.value.hint.startswith(f"Did you mean {section}.".replace(" .", " "))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("train.max_step", "Did you mean train.max_steps?"),
        ("model.encoder.celll", "Did you mean model.encoder.cell?"),
        ("learning_rate", "Did you mean train.learning_rate?"),
        ("train.beam_size", "Did you mean decode.beam_size?"),
        ("sed", "Did you mean seed?"),
        ("train.zzzzzzzzz", "Known keys: max_steps,"),
    ],
)
def test_the_hint_for_an_unknown_key(key, hint):
    with pytest.raises(UsageError) as error:
        config.with_settings(Recipe(), [f"{key}=1"])
    assert error.value.hint.startswith(hint)


@deterministic
@given(trees())
def test_settings_of_all_keys_make_the_same_recipe_as_a_file(tree):
    """One --set for every key of a recipe makes that recipe."""
    recipe = recipe_of(tree)

    def leaves(branch, prefix=""):
        for name, value in branch.items():
            if isinstance(value, dict):
                yield from leaves(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}={config.toml._toml_value(value)}"

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
def test_a_value_without_quotes_is_read_as_a_string(setting, value):
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
        ("name=5", ["name", "string"]),
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
        ("model.word_aligner=yes", ["model.word_aligner", "section"]),
        ("seed.a=3", ["seed is a value"]),
        ("train.precision=true", ["train.precision"]),
    ],
)
def test_an_invalid_value_is_refused_with_its_key(setting, words):
    with pytest.raises(UsageError) as error:
        config.with_settings(Recipe(), [setting])
    assert all(word in error.value.problem for word in words), error.value.problem
    assert error.value.hint


def test_true_enables_the_word_aligner_and_keeps_its_other_settings():
    settings = ["model.word_aligner.width=64", "model.word_aligner=true"]
    word_aligner = config.WordAlignerConfig(enabled=True, width=64)
    assert config.with_settings(Recipe(), settings).model.word_aligner == word_aligner
    assert config.with_settings(Recipe(), settings[::-1]).model.word_aligner == word_aligner
    disabled = config.with_settings(Recipe(), [*settings, "model.word_aligner=false"])
    assert disabled.model.word_aligner == replace(word_aligner, enabled=False)


@pytest.mark.parametrize("enabled", [True, False])
def test_true_or_false_in_a_recipe_file_enables_or_disables_the_word_aligner(enabled):
    recipe = config.parse(f"[model]\nword_aligner = {str(enabled).lower()}\n")
    assert recipe.model.word_aligner == config.WordAlignerConfig(enabled=enabled)


def test_one_embedding_matrix_for_two_vocabularies_is_refused():
    with pytest.raises(UsageError, match="tie_embeddings"):
        config.parse("[tokenizer]\njoint = false\n")
    assert config.parse('[tokenizer]\njoint = false\n[model]\ntie_embeddings = "output"\n')


ENCODER, DECODER = "model.encoder.kind=transformer", "model.decoder.kind=transformer"
LOCAL, HARD, MULTIHEAD, NONE, DOT, GENERAL = (
    f"model.attention.kind={kind}"
    for kind in ("local", "hard", "multihead", "none", "dot", "general")
)
FORWARD, COVERAGE = "model.encoder.bidirectional=false", "model.attention.coverage=true"

#: Settings that do not fit together, a part of the reason, and a part of the hint.
INVALID_SETTINGS = [
    (
        ["model.encoder.self_attention=true", "model.encoder.heads=3"],
        "model.encoder.heads = 3 does not divide states of 512 units",
        "a divisor",
    ),
    (
        [ENCODER, "model.encoder.self_attention=true"],
        "self_attention is for recurrent encoders",
        "Leave it out",
    ),
    ([ENCODER, NONE], "needs attention: it has no last state", 'model.encoder.kind = "recurrent"'),
    (
        [ENCODER, "model.encoder.width=128"],
        "model.encoder.width = 128 must equal model.embedding = 256",
        "the same number",
    ),
    (
        [DECODER, "model.decoder.width=512"],
        "model.decoder.width = 512 must equal model.embedding = 256",
        "the same number",
    ),
    (
        [ENCODER, "model.encoder.heads=3"],
        "model.encoder.width = 256 is not a multiple of twice its 3 heads",
        "a multiple of 6",
    ),
    (
        [DECODER, "model.attention.heads=256"],
        "model.decoder.width = 256 is not a multiple of twice its 256 heads",
        "a multiple of 512",
    ),
    ([DECODER, LOCAL], 'model.attention.kind cannot be "local"', '"multihead"'),
    (
        [DECODER, "model.attention.normalizer=entmax"],
        "normalizes by softmax, not by entmax",
        '"softmax"',
    ),
    (
        [MULTIHEAD, "model.attention.heads=3"],
        "model.attention.heads = 3 does not divide both model.attention.width = 256",
        "a divisor",
    ),
    (
        [MULTIHEAD, FORWARD, "model.encoder.width=3"],
        "model.attention.heads = 4 does not divide both model.attention.width = 256 and states",
        "a divisor",
    ),
    (
        [MULTIHEAD, "model.attention.scorer=dot"],
        "would give every head the same weights",
        '"scaled_dot"',
    ),
    (
        [DOT, FORWARD],
        "model.decoder.width is 512 and the encoder's states have 256 units",
        "model.decoder.width = 256",
    ),
    (
        [HARD, "model.attention.scorer=dot", "model.decoder.width=64"],
        "model.decoder.width is 64 and the encoder's states have 512 units",
        "model.decoder.width = 512",
    ),
    (
        [DOT, ENCODER],
        "model.decoder.width is 512 and the encoder's states have 256 units",
        "model.decoder.width = 256",
    ),
    ([GENERAL, COVERAGE], "additive attention, and model.attention.kind is general", '"additive"'),
    ([NONE, COVERAGE], "additive attention, and model.attention.kind is none", '"additive"'),
    (
        [DECODER, COVERAGE],
        "additive attention, and model.attention.kind is multihead",
        '"additive"',
    ),
    (
        [NONE, "model.attention.normalizer=sparsemax"],
        "there are no attention weights to normalize",
        "model.attention.normalizer",
    ),
]


@pytest.mark.parametrize(("settings", "problem", "hint"), INVALID_SETTINGS)
def test_settings_that_do_not_fit_together_are_refused_with_the_reason(settings, problem, hint):
    with pytest.raises(UsageError) as error:
        config.with_settings(Recipe(), settings)
    assert problem in error.value.problem
    assert hint in error.value.hint


def test_a_recipe_file_whose_settings_do_not_fit_together_is_refused(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('[model.decoder]\nkind = "transformer"\n[model.attention]\nkind = "dot"\n')
    with pytest.raises(UsageError, match="Transformer decoder"):
        config.load(path)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_transformer_is_as_wide_as_its_embeddings_and_four_layers_deep(part):
    recipe = config.parse(f'[model]\nembedding = 48\n[model.{part}]\nkind = "transformer"\n')
    transformer = getattr(recipe.model, part)
    assert (transformer.width, transformer.layers) == (48, 4)
    other = recipe.model.decoder if part == "encoder" else recipe.model.encoder
    assert (other.kind, other.layers) == ("recurrent", 1)
    assert recipe.model.attention.kind == ("multihead" if part == "decoder" else "general")


def test_explicit_settings_of_a_transformer_replace_its_defaults():
    model = config.parse(
        '[model]\nembedding = 48\n[model.encoder]\nkind = "transformer"\nlayers = 1\n'
        'feed_forward = 9\n[model.decoder]\nkind = "transformer"\nlayers = 6\n'
        "[model.attention]\nheads = 3\n"
    ).model
    assert (model.encoder.layers, model.encoder.feed_forward, model.decoder.layers) == (1, 9, 6)
    assert (model.attention.kind, model.attention.heads) == ("multihead", 3)


def test_an_explicit_number_of_layers_stays_when_another_setting_changes():
    """The number stays although it equals the default of a recurrent encoder."""
    recipe = config.with_settings(Recipe(), [ENCODER, DECODER, "model.encoder.layers=1"])
    assert recipe.model.encoder.layers == 1
    assert config.with_settings(recipe, ["seed=5"]) == replace(recipe, seed=5)
    assert config.merge_toml(recipe, "seed = 5\n", where="r.toml") == replace(recipe, seed=5)


@deterministic
@given(trees())
def test_setting_nothing_changes_nothing(tree):
    recipe = recipe_of(tree)
    assert config.with_settings(recipe, []) == recipe


def test_a_new_kind_or_embedding_size_changes_the_defaults_that_depend_on_it():
    transformer = config.with_settings(Recipe(), [ENCODER, DECODER])
    recurrent = ["model.encoder.kind=recurrent", "model.decoder.kind=recurrent"]
    assert config.with_settings(transformer, recurrent) == Recipe()
    narrow = config.with_settings(transformer, ["model.embedding=64"]).model
    assert narrow.encoder.width == narrow.decoder.width == 64


@pytest.mark.parametrize(
    ("settings", "heads"),
    [
        ([], (1, 1)),
        ([NONE], (0, 0)),
        ([LOCAL, "model.attention.heads=8"], (1, 1)),
        ([MULTIHEAD, "model.decoder.layers=3"], (1, 4)),
        ([DECODER, "model.attention.heads=8"], (4, 8)),
    ],
)
def test_the_number_of_attention_layers_and_heads_follows_from_the_settings(settings, heads):
    assert config.with_settings(Recipe(), settings).model.heads == heads


def test_a_whole_number_may_stand_for_a_number():
    assert config.parse("[train]\nlearning_rate = 1\n").train.learning_rate == 1.0


def test_a_file_that_is_not_toml_is_refused_with_its_name_and_line(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("seed = 1\nseed 2\n")
    with pytest.raises(UsageError, match=r"r\.toml is not TOML.*line 2"):
        config.load(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path, content):
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


def test_a_key_that_an_old_models_recipe_lacks_has_its_former_default(tmp_path):
    """A key that is newer than a model has the value that the program used then."""
    path = tmp_path / "recipe.toml"
    path.write_text("[model]\nembedding = 48\n")
    old, new = config.load(path, legacy_defaults=True).model, config.load(path).model
    assert (old.attention.kind, old.decoder.input_feeding) == ("additive", False)
    assert not old.word_aligner.enabled
    assert (new.attention.kind, new.decoder.input_feeding) == ("general", True)
    assert new.word_aligner.enabled
    path.write_text(config.to_toml(config.load(path)))
    assert config.load(path, legacy_defaults=True) == config.load(path)
    path.write_text('[model]\nembedding = 64\n[model.decoder]\nkind = "transformer"\n')
    assert config.load(path, legacy_defaults=True).model.attention.kind == "multihead"


@pytest.mark.parametrize("former", config.FORMER_KEYS)
def test_each_former_key_is_mapped_to_a_current_key(former) -> None:
    key = config.FORMER_KEYS[former]
    section: object = config.Recipe()
    for part in key.split("."):
        section = getattr(section, part)  # the key exists
    assert former not in set(config.keys())


def test_the_values_of_former_keys_are_read_into_the_current_keys(tmp_path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'licence = "CC0"\n[data.variants]\nnew_names = 0.5\n[model.decoder]\nattends = "after"\n'
        "[model.alignment_head]\nenabled = true\nwidth = 8\n[decode]\nbeam = 3\n"
    )
    recipe = config.load(path, legacy_defaults=True)
    assert recipe.license == "CC0"
    assert recipe.data.augmentation.replace_names == 0.5
    assert recipe.model.decoder.input_feeding
    assert (recipe.model.word_aligner.enabled, recipe.model.word_aligner.width) == (True, 8)
    assert recipe.decode.beam_size == 3
