"""A model on disk: a written bundle can be opened, and errors name the damaged file."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from attn_cli import config
from attn_cli.bundles import manifest, storage
from attn_cli.bundles.bundle import open_bundle
from attn_cli.bundles.manifest import read_manifest, verify_checksums
from attn_cli.data.tokenizer_interface import is_same_vocabulary
from attn_cli.errors import ModelError
from attn_cli.training.finetuning import finetuning_recipe


def test_a_bundle_opens_with_its_recipe_and_its_vocabulary(tiny):
    opened = open_bundle(tiny)
    assert opened.name == "tiny"
    assert is_same_vocabulary(opened.source, opened.target)  # joint
    assert opened.weights.is_file()
    assert opened.recipe == config.load(tiny / "recipe.toml")


def test_the_manifest_has_the_size_and_checksum_of_each_file(tiny):
    files = read_manifest(tiny)["files"]
    assert set(files) == {"recipe.toml", "model.safetensors", "joint.spm"}
    for name, entry in files.items():
        data = (tiny / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_a_new_recipe_of_a_model_is_recorded_in_its_manifest(model_copy):
    recipe = replace(config.load(model_copy / "recipe.toml"), name="other")
    storage.write_recipe(model_copy, recipe)
    assert open_bundle(model_copy).name == "other"
    data = (model_copy / "recipe.toml").read_bytes()
    assert (
        read_manifest(model_copy)["files"]["recipe.toml"]["sha256"]
        == hashlib.sha256(data).hexdigest()
    )


def test_a_folder_with_a_new_definition_is_not_a_model_until_it_has_weights(model_copy):
    opened = open_bundle(model_copy)
    storage.write_definition(model_copy, opened.recipe, opened.source, opened.target)
    with pytest.raises(ModelError, match="holds no model"):
        open_bundle(model_copy)
    storage.write_manifest(model_copy, opened.recipe, version="0", scores={})
    assert open_bundle(model_copy).recipe == opened.recipe


def test_two_vocabularies_are_two_files(tiny, tmp_path):
    opened = open_bundle(tiny)
    tree = config.to_dict(opened.recipe)
    tree["tokenizer"]["joint"], tree["model"]["tie_embeddings"] = False, "none"
    recipe = config.from_dict(tree)
    storage.write_definition(tmp_path, recipe, opened.source, opened.target)
    (tmp_path / "model.safetensors").write_bytes(b"")
    storage.write_manifest(tmp_path, recipe, version="0", scores={})
    assert set(read_manifest(tmp_path)["files"]) >= {"source.spm", "target.spm"}
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
def test_an_invalid_bundle_json_is_a_damaged_model(tmp_path, facts):
    (tmp_path / "bundle.json").write_text(facts)
    with pytest.raises(ModelError, match=r"damaged: bundle\.json"):
        read_manifest(tmp_path)


def test_a_newer_format_is_not_reported_as_damage(tmp_path):
    (tmp_path / "bundle.json").write_text(json.dumps({"format": manifest.FORMAT + 1, "files": 3}))
    with pytest.raises(ModelError, match="format 3, this program reads 2") as caught:
        read_manifest(tmp_path)
    assert caught.value.hint == "Upgrade attn."


def test_a_file_that_lacks_a_byte_is_detected_and_named(model_copy):
    weights = model_copy / "model.safetensors"
    size = weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(
        ModelError, match=f"model.safetensors has {size - 1} bytes instead of {size}"
    ):
        open_bundle(model_copy)


def alter(file):
    """Change its last byte."""
    *rest, last = file.read_bytes()
    file.write_bytes(bytes([*rest, last ^ 1]))


def test_an_altered_file_of_the_same_size_is_detected_by_its_checksum(model_copy):
    assert verify_checksums(model_copy) == read_manifest(model_copy)
    alter(model_copy / "model.safetensors")
    opened = open_bundle(model_copy)  # which compares the checksums of what it reads
    for read in (lambda: opened.file("model.safetensors"), lambda: verify_checksums(model_copy)):
        with pytest.raises(
            ModelError,
            match=r"damaged: the checksum \(sha256\) of model\.safetensors does not match",
        ):
            read()


def test_a_file_that_differs_is_read_again_since_a_training_may_be_writing_it(
    model_copy, monkeypatch
):
    alter(model_copy / "model.safetensors")
    monkeypatch.setattr(
        manifest.time, "sleep", lambda _: storage.add_file(model_copy, "model.safetensors")
    )
    assert verify_checksums(model_copy) == read_manifest(model_copy)


def test_a_missing_file_is_named(model_copy):
    (model_copy / "joint.spm").unlink()
    (model_copy / "joint.spm").mkdir()
    with pytest.raises(ModelError, match=r"lacks its file joint\.spm"):
        verify_checksums(model_copy)


def edit_manifest(folder, change):
    """Apply `change` to the bundle.json of a folder, and return the folder."""
    facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    change(facts)
    (folder / "bundle.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hosts", "sub/file", "sub\\file", "..", ".", "", "c:file", "a\0b"]
)
def test_a_bundle_json_that_names_a_file_outside_its_folder_is_damaged(model_copy, name):
    secret = model_copy.parent / "secret"
    secret.write_bytes(b"abc")
    entry = {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    edit_manifest(model_copy, lambda facts: facts["files"].update({name: entry}))
    with pytest.raises(ModelError, match=r"damaged: bundle\.json names .* outside its folder"):
        verify_checksums(model_copy)


@pytest.mark.parametrize(
    "entry",
    [
        5,
        {},
        {"bytes": 1},
        {"sha256": ""},
        {"bytes": "1", "sha256": ""},
        {"bytes": -1, "sha256": ""},
        {"bytes": 10**400, "sha256": ""},
        {"bytes": 1, "sha256": 1},
    ],
)
def test_an_entry_without_a_size_or_a_checksum_is_damage(model_copy, entry):
    edit_manifest(model_copy, lambda facts: facts["files"].update({"file": entry}))
    with pytest.raises(ModelError, match=r"damaged: bundle\.json cannot be read"):
        read_manifest(model_copy)


@pytest.mark.parametrize("name", ["recipe.toml", "joint.spm"])
def test_a_manifest_without_the_recipe_or_the_vocabulary_is_damaged(model_copy, name):
    edit_manifest(model_copy, lambda facts: facts["files"].pop(name))
    with pytest.raises(ModelError, match=rf"damaged: bundle\.json lacks {name}"):
        open_bundle(model_copy)


def test_the_manifest_has_the_license_of_the_recipe_and_the_time_of_writing(
    model_copy, monkeypatch
):
    recipe = replace(open_bundle(model_copy).recipe, license="CC BY 2.0 FR")
    noon = (2025, 11, 23, 12, 0, 0, 6, 327, 0)
    monkeypatch.setattr(storage.time, "gmtime", lambda: noon)
    storage.write_manifest(model_copy, recipe, version="0", scores={})
    facts = read_manifest(model_copy)
    assert (facts["license"], facts["created"]) == ("CC BY 2.0 FR", "2025-11-23T12:00:00Z")
    assert config.parse(config.to_toml(recipe)).license == "CC BY 2.0 FR"


def test_a_bundle_from_before_licenses_and_dates_opens(model_copy):
    edit_manifest(model_copy, lambda facts: (facts.pop("license"), facts.pop("created")))
    assert open_bundle(model_copy).recipe.license == ""


@pytest.mark.parametrize(
    ("entry", "score"),
    [
        ({"score": 57.1, "signature": "…"}, 57.1),
        ({"score": 6}, 6.0),
        ({"score": "57"}, None),
        ({"score": float("nan")}, None),
        ({"score": 10**400}, None),
        ({}, None),
        (1500, None),
    ],
)
def test_a_score_is_a_number_or_unknown(entry, score):
    assert manifest.score_of({"scores": {"aer": entry}}, "aer") == score
    assert manifest.score_of({"scores": {}}, "aer") is None


def test_a_copy_has_only_the_files_of_the_bundle_and_its_card(model_copy, tmp_path):
    (model_copy / "MODEL_CARD.md").write_text("# A card\n")
    (model_copy / "notes").write_text("mine")
    copy = tmp_path / "copy"
    copy.mkdir()
    storage.copy(open_bundle(model_copy), copy)
    expected = {"recipe.toml", "joint.spm", "model.safetensors", "bundle.json", "MODEL_CARD.md"}
    assert {path.name for path in copy.iterdir()} == expected
    facts = verify_checksums(copy)
    assert facts["files"].pop("MODEL_CARD.md")["bytes"] == len("# A card\n")
    assert facts == read_manifest(model_copy)


def test_an_altered_bundle_is_not_copied(model_copy, tmp_path):
    alter(model_copy / "model.safetensors")
    (tmp_path / "copy").mkdir()
    with pytest.raises(
        ModelError,
        match=r"damaged: the checksum \(sha256\) of model\.safetensors does not match",
    ):
        storage.copy(open_bundle(model_copy), tmp_path / "copy")
    assert not (tmp_path / "copy" / "bundle.json").exists()


# Paths of the text


def with_pairs(path):
    return config.with_files(config.Recipe(), {"pairs": str(path)})


def test_paths_follow_a_recipe_into_another_folder(tmp_path):
    for base, folder in (("a/b", "c"), ("a", "a/b/c"), (".", "."), ("a", "a")):
        moved = config.rebase_paths(
            with_pairs("t.tsv"), tmp_path / base, tmp_path / folder
        ).data.pairs
        assert (tmp_path / folder / moved).resolve() == (tmp_path / base / "t.tsv").resolve()
        assert not Path(moved).is_absolute()


def test_rebasing_a_path_there_and_back_changes_nothing(tmp_path):
    moved = config.rebase_paths(with_pairs("t.tsv"), tmp_path / "a", tmp_path / "b")
    assert config.rebase_paths(moved, tmp_path / "b", tmp_path / "a").data.pairs == "t.tsv"


def test_a_rebased_absolute_path_to_a_link_keeps_the_name_of_the_link(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "sum").write_text("")
    (tmp_path / "t.tsv.gz").symlink_to(tmp_path / "cache" / "sum")
    moved = config.rebase_paths(
        with_pairs(tmp_path / "t.tsv.gz"), Path(), tmp_path / "x"
    ).data.pairs
    assert moved == "../t.tsv.gz"  # its name says that it is compressed


def test_standard_input_is_not_rebased(tmp_path):
    assert config.rebase_paths(with_pairs("-"), tmp_path, tmp_path / "x").data.pairs == "-"


def with_guidance(links):
    return config.with_settings(config.Recipe(), [f"train.guided_alignment={links}"])


@pytest.mark.parametrize(
    ("links", "expected"),
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
def test_the_path_of_a_file_of_links_is_rebased_and_keywords_are_not(tmp_path, links, expected):
    recipe = config.rebase_paths(with_guidance(links), tmp_path, tmp_path / "x")
    assert recipe.train.guided_alignment == expected


# Starting from a model


def test_a_recipe_of_other_languages_cannot_start_from_a_model(tiny):
    start = open_bundle(tiny)
    with pytest.raises(ModelError, match="not de-fr"):
        finetuning_recipe(config.Recipe(source="de", target="fr"), start)
    recipe = finetuning_recipe(config.Recipe(seed=9), start)
    assert (recipe.source, recipe.seed) == (start.recipe.source, 9)
    assert (recipe.model, recipe.tokenizer) == (start.recipe.model, start.recipe.tokenizer)


def test_fine_tuning_has_the_dropout_of_its_recipe_or_else_of_the_model(tiny):
    start = open_bundle(tiny)
    dropout = config.DropoutConfig(embedding=0.0, states=0.05, output=0.0)
    recipe = config.Recipe(model=replace(config.Recipe().model, embedding=8, dropout=dropout))
    model = finetuning_recipe(recipe, start).model
    assert model == replace(start.recipe.model, dropout=dropout)
    assert finetuning_recipe(config.Recipe(), start).model == start.recipe.model
