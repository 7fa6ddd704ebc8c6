"""A model on disk: what is written is opened again, and what is not right is said by its name."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from attn_cli import bundle, config
from attn_cli.bundle import open_bundle, read_facts
from attn_cli.errors import ModelError


def test_a_bundle_opens_with_its_recipe_and_its_vocabulary(tiny):
    opened = open_bundle(tiny)
    assert opened.name == "tiny"
    assert opened.source is opened.target  # joint
    assert opened.weights.is_file()
    assert opened.recipe == config.load(tiny / "recipe.toml")


def test_the_facts_are_the_size_and_sum_of_each_file(tiny):
    files = read_facts(tiny)["files"]
    assert set(files) == {"recipe.toml", "model.safetensors", "joint.spm"}
    for name, entry in files.items():
        data = (tiny / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_a_recipe_written_over_a_model_is_sealed_with_it(damaged):
    recipe = replace(config.load(damaged / "recipe.toml"), name="other")
    bundle.write_recipe(damaged, recipe)
    assert open_bundle(damaged).name == "other"
    data = (damaged / "recipe.toml").read_bytes()
    assert read_facts(damaged)["files"]["recipe.toml"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_folder_with_a_new_definition_is_no_model_until_it_has_weights(damaged):
    opened = open_bundle(damaged)
    bundle.write_definition(damaged, opened.recipe, opened.source, opened.target)
    with pytest.raises(ModelError, match="holds no model"):
        open_bundle(damaged)
    bundle.seal(damaged, opened.recipe, version="0", scores={})
    assert open_bundle(damaged).recipe == opened.recipe


def test_two_vocabularies_are_two_files(tiny, tmp_path):
    opened = open_bundle(tiny)
    tree = config.to_dict(opened.recipe)
    tree["tokenizer"]["joint"], tree["model"]["tied"] = False, "none"
    recipe = config.from_dict(tree)
    bundle.write_definition(tmp_path, recipe, opened.source, opened.target)
    (tmp_path / "model.safetensors").write_bytes(b"")
    bundle.seal(tmp_path, recipe, version="0", scores={})
    assert set(read_facts(tmp_path)["files"]) >= {"source.spm", "target.spm"}
    assert open_bundle(tmp_path).source.vocab_size == opened.source.vocab_size


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": "1"}',
        '{"format": 1}',
        '{"format": 1, "files": []}',
        '{"format": 1, "files": {"recipe.toml": 5}}',
        '{"format": 1, "files": {"recipe.toml": {}}}',
        '{"format": 1, "files": {}, "scores": {"bleu": 3}}',
        "[" * 100_000,
    ],
)
def test_a_bundle_json_that_is_none_is_a_damaged_model(tmp_path, facts):
    (tmp_path / "bundle.json").write_text(facts)
    with pytest.raises(ModelError, match=r"damaged: bundle\.json"):
        read_facts(tmp_path)


def test_a_newer_format_is_told_from_damage_whatever_it_holds(tmp_path):
    (tmp_path / "bundle.json").write_text(json.dumps({"format": bundle.FORMAT + 1, "files": 3}))
    with pytest.raises(ModelError, match="format 2, this program reads 1") as caught:
        read_facts(tmp_path)
    assert caught.value.hint == "Upgrade attn."


def test_one_lost_byte_is_found_and_named(damaged):
    weights = damaged / "model.safetensors"
    size = weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelError, match=f"model.safetensors has {size - 1} bytes where {size}"):
        open_bundle(damaged)


# Paths of the text


def with_pairs(path):
    return config.with_files(config.Recipe(), {"pairs": str(path)})


def test_paths_follow_a_recipe_into_another_folder(tmp_path):
    for base, folder in (("a/b", "c"), ("a", "a/b/c"), (".", "."), ("a", "a")):
        moved = bundle.relocated(with_pairs("t.tsv"), tmp_path / base, tmp_path / folder).data.pairs
        assert (tmp_path / folder / moved).resolve() == (tmp_path / base / "t.tsv").resolve()
        assert not Path(moved).is_absolute()


def test_moving_there_and_back_changes_nothing(tmp_path):
    there = bundle.relocated(with_pairs("t.tsv"), tmp_path / "a", tmp_path / "b")
    assert bundle.relocated(there, tmp_path / "b", tmp_path / "a").data.pairs == "t.tsv"


def test_an_absolute_path_and_a_linked_file_keep_their_file(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "sum").write_text("")
    (tmp_path / "t.tsv.gz").symlink_to(tmp_path / "cache" / "sum")
    moved = bundle.relocated(with_pairs(tmp_path / "t.tsv.gz"), Path(), tmp_path / "x").data.pairs
    assert moved == "../t.tsv.gz"  # its name says that it is compressed


def test_standard_input_is_nowhere(tmp_path):
    assert bundle.relocated(with_pairs("-"), tmp_path, tmp_path / "x").data.pairs == "-"


def guided_by(links):
    return config.with_settings(config.Recipe(), [f"train.guided_alignment={links}"])


@pytest.mark.parametrize(
    ("named", "moved"),
    [
        ("none", "none"),
        ("statistical", "statistical"),
        ("-", "-"),
        ("", ""),
        ("a.links", "../a.links"),
        ("./none", "../none"),
        ("x/none", "./none"),
    ],
)
def test_a_file_of_links_moves_with_the_text_and_words_stay_words(tmp_path, named, moved):
    there = bundle.relocated(guided_by(named), tmp_path, tmp_path / "x")
    assert there.train.guided_alignment == moved


# Starting from a model


def test_a_recipe_of_other_languages_cannot_start_from_a_model(tiny):
    start = open_bundle(tiny)
    with pytest.raises(ModelError, match="not de-fr"):
        bundle.started_from(config.Recipe(source="de", target="fr"), start)
    begun = bundle.started_from(config.Recipe(seed=9), start)
    assert (begun.source, begun.seed) == (start.recipe.source, 9)
    assert (begun.model, begun.tokenizer) == (start.recipe.model, start.recipe.tokenizer)
