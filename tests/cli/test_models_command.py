"""attn models: which models are registered, whether they are sound, and how one is added."""

import json
import shutil

import pytest
from program import attn
from safetensors.torch import load_file, save_file

from attn_cli import config
from attn_cli.bundles import bundle, manifest, storage

pytestmark = pytest.mark.usefixtures("_empty_registry")


@pytest.fixture
def registry_folder(monkeypatch, tmp_path, tiny):
    """A registry with the tiny model under the name en-xx."""
    home = tmp_path / "home"
    shutil.copytree(tiny, home / "models" / "en-xx", ignore=shutil.ignore_patterns("checkpoints"))
    return home / "models"


def ours(ended, registry_folder):
    """The rows of the list of this registry (a checkout may ship others)."""
    return [line for line in ended.lines() if str(registry_folder) in line]


def test_list_names_each_model_with_its_languages_size_score_and_folder(registry_folder):
    ended = attn("models", "list")
    assert (ended.status, ended.err) == (0, "")
    (row,) = ours(ended, registry_folder)
    assert row.split()[:2] == ["en-xx", "en-"]
    assert "MB" in row
    assert " 100.0 " in row


def test_list_has_a_header_and_json_for_programs(registry_folder):
    header, *_ = attn("models", "list").lines()
    assert header.split() == ["NAME", "LANGUAGES", "SIZE", "BLEU", "AER", "LICENSE", "FOLDER"]
    records = json.loads(attn("models", "list", "--json").out)
    (ours,) = (each for each in records if each["name"] == "en-xx")
    assert ours["folder"] == str(registry_folder / "en-xx")
    assert (ours["source"], ours["target"], ours["bleu"], ours["aer"]) == ("en", "", 100.0, None)
    assert (ours["translates"], ours["shipped"]) == (True, False)
    size = sum(
        entry["bytes"]
        for entry in manifest.read_manifest(registry_folder / "en-xx")["files"].values()
    )
    assert ours["bytes"] == size


def retold(folder, **facts):
    """The folder, with these entries of its bundle.json changed."""
    told = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps(told | facts), encoding="utf-8")
    return folder


def columns(registry_folder):
    (row,) = ours(attn("models", "list"), registry_folder)
    return [cell.strip() for cell in row.split("  ") if cell]


def test_list_has_a_column_for_each_fact_and_a_dash_for_what_is_unknown(registry_folder):
    size = sum(
        entry["bytes"]
        for entry in manifest.read_manifest(registry_folder / "en-xx")["files"].values()
    )
    known = ["en-xx", "en-", f"{size / 1e6:.1f} MB"]
    place = str(registry_folder / "en-xx")
    assert columns(registry_folder) == [*known, "100.0", "-", "-", place]
    scores = {"bleu": {"score": 57.06}, "aer": {"score": 5.9, "signature": "…"}}
    retold(registry_folder / "en-xx", scores=scores, license="CC  BY\n2.0 \x1b[31mFR")
    assert columns(registry_folder) == [*known, "57.1", "5.9", "CC BY 2.0 [31mFR", place]
    retold(registry_folder / "en-xx", scores={"step": 3, "aer": "low"})
    assert columns(registry_folder)[3:5] == ["-", "-"]


def test_list_tells_who_translates_by_weights_or_graphs_from_who_aligns_only(registry_folder):
    files = {name: {"bytes": 1, "sha256": ""} for name in ("encoder.onnx", "step.onnx")}
    retold(registry_folder / "en-xx", files=files)
    assert columns(registry_folder)[3] == "100.0"
    retold(registry_folder / "en-xx", files={"word_aligner.onnx": files["step.onnx"]})
    assert columns(registry_folder)[3] == "aligns only"


def test_list_tells_of_a_damaged_model_and_shows_the_others(registry_folder, tiny):
    broken = registry_folder / "broken"
    broken.mkdir()
    for content in ("", "[]", "{}", '{"format": 1}', '{"format": 1, "files": {"a": 1}}', "\udcff"):
        (broken / "bundle.json").write_text(content, encoding="utf-8", errors="surrogateescape")
        ended = attn("models", "list")
        assert ended.status == 0
        assert "damaged" in ended.err
        assert [row.split()[0] for row in ours(ended, registry_folder)] == ["en-xx"]


def test_path_is_the_folder_of_a_name_or_a_path(registry_folder, tiny):
    assert attn("models", "path", "en-xx").lines() == [str(registry_folder / "en-xx")]
    assert attn("models", "path", tiny).lines() == [str(tiny)]


def test_show_prints_the_card_where_there_is_one(registry_folder):
    (registry_folder / "en-xx" / "MODEL_CARD.md").write_text("# A card\nétude\n", encoding="utf-8")
    assert attn("models", "show", "en-xx").out == "# A card\nétude\n"


def test_show_prints_recipe_and_scores_where_there_is_no_card(registry_folder):
    from attn_cli.config import parse

    shown = attn("models", "show", "en-xx").out
    assert parse(shown).name == "tiny"
    scores = json.loads(shown.splitlines()[-1].removeprefix("# scores: "))
    assert scores["bleu"]["score"] == 100


@pytest.mark.parametrize("verb", ["path", "show", "verify", "add"])
def test_an_unknown_model_is_a_sentence_that_names_those_there_are(registry_folder, verb):
    ended = attn("models", verb, "eo-fr")
    assert (ended.status, ended.stdout) == (4, b"")
    assert ended.err.startswith("attn: there is no model eo-fr")
    assert "en-xx" in ended.err


def test_a_model_without_its_recipe_cannot_be_shown(registry_folder):
    (registry_folder / "en-xx" / "recipe.toml").unlink()
    assert attn("models", "show", "en-xx").status == 4


def test_models_alone_says_how_it_is_called():
    ended = attn("models")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "Usage: attn models" in ended.err


# verify


def test_a_sound_model_is_told_in_a_line(registry_folder, tiny):
    size = sum((tiny / name).stat().st_size for name in manifest.read_manifest(tiny)["files"])
    for name in ("en-xx", tiny):
        ended = attn("models", "verify", name)
        assert (ended.status, ended.err) == (0, "")
        assert ended.lines() == [f"{name} is sound: 3 files, {size} bytes, format 2"]


def test_a_model_with_a_head_and_one_with_nothing_else_are_sound(tiny_with_aligner, tmp_path):
    assert "5 files" in attn("models", "verify", tiny_with_aligner).out
    alone = shutil.copytree(
        tiny_with_aligner, tmp_path / "alone", ignore=shutil.ignore_patterns("model.*")
    )
    files = manifest.read_manifest(tiny_with_aligner)["files"]
    files.pop("model.safetensors")
    retold(alone, files=files)
    assert "4 files" in attn("models", "verify", alone).out


def cut(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    return "model.safetensors has"


def altered(folder):
    *rest, last = (folder / "joint.spm").read_bytes()
    (folder / "joint.spm").write_bytes(bytes([*rest, last ^ 1]))
    return "the checksum (sha256) of joint.spm does not match"


def missing(folder):
    (folder / "recipe.toml").unlink()
    return "lacks its file recipe.toml"


def foreign(folder):
    files = manifest.read_manifest(folder)["files"]
    retold(folder, files=files | {"../../secret": files["joint.spm"]})
    return "bundle.json names '../../secret'"


def newer(folder):
    retold(folder, format=3)
    return "format 3, this program reads 2. Upgrade"


def resealed(folder, *settings):
    recipe = config.with_settings(
        config.load(folder / "recipe.toml", legacy_defaults=True), list(settings)
    )
    storage.write_recipe(folder, recipe)


def misshapen(folder):
    resealed(folder, "model.encoder.width=33")
    return "has the shape"


def too_many_pieces(folder):
    resealed(folder, "tokenizer.vocab_size=301")
    return "its recipe allows 301"


def not_numbers(folder):
    weights = load_file(folder / "model.safetensors")
    save_file({name: each * float("nan") for name, each in weights.items()}, folder / "nan")
    (folder / "nan").replace(folder / "model.safetensors")
    storage.add_file(folder, "model.safetensors")
    return "the model computes NaN"


def empty(folder):
    files = manifest.read_manifest(folder)["files"]
    files.pop("model.safetensors")
    retold(folder, files=files)
    return "neither a network that translates nor one that aligns"


DAMAGES = (cut, altered, missing, foreign, newer, misshapen, too_many_pieces, not_numbers, empty)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_with_a_model_is_one_sentence_and_status_four(damaged, damage):
    said = damage(damaged)
    ended = attn("models", "verify", damaged)
    assert (ended.status, ended.stdout) == (4, b"")
    (line,) = ended.err.splitlines()
    assert said in line


def test_a_head_that_computes_no_numbers_is_unfit(tiny_with_aligner, tmp_path):
    copy = shutil.copytree(tiny_with_aligner, tmp_path / "copy")
    weights = load_file(copy / "word_aligner.safetensors")
    for each in weights.values():
        each.fill_(float("nan"))
    save_file(weights, copy / "word_aligner.safetensors")
    storage.add_file(copy, "word_aligner.safetensors")
    ended = attn("models", "verify", copy)
    assert ended.status == 4
    assert "the model computes NaN" in ended.err


@pytest.fixture(scope="module")
def graphs(tiny, tmp_path_factory):
    """The tiny model with its graphs beside its weights. Do not change it."""
    from attn_cli.export.bundle_export import export

    copy = shutil.copytree(tiny, tmp_path_factory.mktemp("graphs") / "tiny")
    export(bundle.open_bundle(copy), precision="fp32")
    return copy


@pytest.fixture
def both(graphs, tmp_path):
    """A copy of it, for a test to damage."""
    return shutil.copytree(graphs, tmp_path / "both")


def test_a_model_with_graphs_is_sound_with_weights_and_without(both):
    assert attn("models", "verify", both).status == 0
    files = manifest.read_manifest(both)["files"]
    files.pop("model.safetensors")
    retold(both, files=files)
    (both / "model.safetensors").unlink()
    assert attn("models", "verify", both).status == 0


def test_weights_are_tried_though_there_are_graphs(both):
    said = not_numbers(both)
    ended = attn("models", "verify", both)
    assert ended.status == 4
    assert said in ended.err


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx"])
def test_graphs_are_tried_though_there_are_weights(both, name):
    (both / name).write_bytes((both / "forced.onnx").read_bytes())
    storage.add_file(both, name)
    ended = attn("models", "verify", both)
    assert ended.status == 4
    (line,) = ended.err.splitlines()
    assert "is unfit" in line


# A model is verified when it is first used


@pytest.mark.parametrize("damage", [cut, altered, missing, foreign, newer, misshapen])
def test_a_damaged_model_does_not_translate(damaged, damage):
    said = damage(damaged)
    ended = attn("translate", "-m", damaged, "I see a dog.")
    assert (ended.status, ended.stdout) == (4, b"")
    (line,) = ended.err.splitlines()
    assert said in line


def test_an_altered_model_of_the_users_registry_does_not_translate(registry_folder):
    assert attn("translate", "-m", "en-xx", "I see a dog.").out == "je vois un chien.\n"
    said = altered(registry_folder / "en-xx")
    ended = attn("translate", "-m", "en-xx", "I see a dog.")
    assert ended.status == 4
    assert said in ended.err


# add


@pytest.fixture
def mine(damaged):
    """A model of the user's own, with all that training leaves beside it."""
    assert (damaged / "checkpoints").is_dir()
    assert (damaged / "log.jsonl").is_file()
    return damaged


def test_a_model_is_added_under_its_recipes_name_without_what_training_left(mine, tmp_path):
    (mine / "MODEL_CARD.md").write_text("# A card\n")
    ended = attn("models", "add", mine)
    place = tmp_path / "home" / "models" / "tiny"
    assert (ended.status, ended.stdout) == (0, b"")
    assert ended.err == f"attn: tiny is now in {place}\n"
    own = {"recipe.toml", "joint.spm", "model.safetensors", "bundle.json", "MODEL_CARD.md"}
    assert {path.name for path in place.iterdir()} == own
    assert attn("translate", "-m", "tiny", "I see a dog.").out == "je vois un chien.\n"
    assert attn("models", "verify", "tiny").status == 0


def test_another_name_is_that_of_the_folder_and_the_recipe_keeps_its_own(mine, tmp_path):
    assert attn("models", "add", mine, "--name", "mine").status == 0
    added = tmp_path / "home" / "models" / "mine"
    assert config.load(added / "recipe.toml").name == "tiny"
    assert manifest.read_manifest(added)["name"] == "tiny"


def test_a_registered_model_is_replaced_with_force_only(registry_folder, mine):
    ended = attn("models", "add", mine, "--name", "en-xx")
    assert ended.status == 2
    assert "en-xx already" in ended.err
    assert "--force" in ended.err
    resealed(mine, "seed=9")
    assert attn("models", "add", mine, "--name", "en-xx", "--force").status == 0
    assert config.load(registry_folder / "en-xx" / "recipe.toml").seed == 9
    assert [path.name for path in registry_folder.iterdir()] == ["en-xx"]


def test_a_model_may_replace_itself(registry_folder):
    before = manifest.read_manifest(registry_folder / "en-xx")
    assert attn("models", "add", "en-xx", "--name", "en-xx", "--force").status == 0
    assert manifest.verify_checksums(registry_folder / "en-xx") == before


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", ".a"])
def test_a_name_that_is_none_is_wrong_usage(mine, tmp_path, name):
    ended = attn("models", "add", mine, f"--name={name}")
    assert ended.status == 2
    assert "cannot be a model's name" in ended.err
    assert not (tmp_path / "home").exists()


def test_a_recipes_name_that_is_a_path_is_not_followed(mine, tmp_path):
    resealed(mine, "name=../../evil")
    assert attn("models", "add", mine).status == 2
    assert not (tmp_path / "home").exists()
    assert attn("models", "add", mine, "--name", "good").status == 0


@pytest.mark.parametrize("damage", [cut, altered, missing, foreign, newer])
def test_a_damaged_model_is_not_added(registry_folder, mine, damage):
    said = damage(mine)
    ended = attn("models", "add", mine, "--name", "en-xx", "--force")
    assert ended.status == 4
    assert said in ended.err
    assert [path.name for path in registry_folder.iterdir()] == ["en-xx"]
    assert attn("models", "verify", "en-xx").status == 0


def test_a_registry_that_cannot_be_written_is_a_sentence(mine, tmp_path):
    (tmp_path / "home").write_text("")
    ended = attn("models", "add", mine)
    assert (ended.status, ended.stdout) == (3, b"")
    (line,) = ended.err.splitlines()
    assert "cannot put the model into" in line
