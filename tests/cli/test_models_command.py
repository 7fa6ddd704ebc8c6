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


def rows_of(result, registry_folder):
    """Return the rows of this registry in the list (a checkout may ship other models)."""
    return [line for line in result.lines() if str(registry_folder) in line]


def test_list_names_each_model_with_its_languages_size_score_and_folder(registry_folder):
    result = attn("models", "list")
    assert (result.status, result.err) == (0, "")
    (row,) = rows_of(result, registry_folder)
    assert row.split()[:2] == ["en-xx", "en-"]
    assert "MB" in row
    assert " 100.0 " in row


def test_list_has_a_header_and_json_for_programs(registry_folder):
    header, *_ = attn("models", "list").lines()
    assert header.split() == ["NAME", "LANGUAGES", "SIZE", "BLEU", "AER", "LICENSE", "FOLDER"]
    records = json.loads(attn("models", "list", "--json").out)
    (record,) = (each for each in records if each["name"] == "en-xx")
    assert record["folder"] == str(registry_folder / "en-xx")
    assert (record["source"], record["target"], record["bleu"], record["aer"]) == (
        "en",
        "",
        100.0,
        None,
    )
    assert (record["translates"], record["shipped"]) == (True, False)
    size = sum(
        entry["bytes"]
        for entry in manifest.read_manifest(registry_folder / "en-xx")["files"].values()
    )
    assert record["bytes"] == size


def edit_manifest(folder, **changes):
    """Change these entries of a folder's bundle.json, and return the folder."""
    entries = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps(entries | changes), encoding="utf-8")
    return folder


def columns(registry_folder):
    (row,) = rows_of(attn("models", "list"), registry_folder)
    return [cell.strip() for cell in row.split("  ") if cell]


def test_list_has_a_column_for_each_property_and_a_dash_for_an_unknown_value(registry_folder):
    size = sum(
        entry["bytes"]
        for entry in manifest.read_manifest(registry_folder / "en-xx")["files"].values()
    )
    first_columns = ["en-xx", "en-", f"{size / 1e6:.1f} MB"]
    folder = str(registry_folder / "en-xx")
    assert columns(registry_folder) == [*first_columns, "100.0", "-", "-", folder]
    scores = {"bleu": {"score": 57.06}, "aer": {"score": 5.9, "signature": "…"}}
    edit_manifest(registry_folder / "en-xx", scores=scores, license="CC  BY\n2.0 \x1b[31mFR")
    assert columns(registry_folder) == [*first_columns, "57.1", "5.9", "CC BY 2.0 [31mFR", folder]
    edit_manifest(registry_folder / "en-xx", scores={"step": 3, "aer": "low"})
    assert columns(registry_folder)[3:5] == ["-", "-"]


def test_list_distinguishes_models_that_translate_from_models_that_only_align(registry_folder):
    files = {name: {"bytes": 1, "sha256": ""} for name in ("encoder.onnx", "step.onnx")}
    edit_manifest(registry_folder / "en-xx", files=files)
    assert columns(registry_folder)[3] == "100.0"
    edit_manifest(registry_folder / "en-xx", files={"word_aligner.onnx": files["step.onnx"]})
    assert columns(registry_folder)[3] == "aligns only"


def test_list_reports_a_damaged_model_and_shows_the_others(registry_folder):
    broken = registry_folder / "broken"
    broken.mkdir()
    for content in ("", "[]", "{}", '{"format": 1}', '{"format": 1, "files": {"a": 1}}', "\udcff"):
        (broken / "bundle.json").write_text(content, encoding="utf-8", errors="surrogateescape")
        result = attn("models", "list")
        assert result.status == 0
        assert "damaged" in result.err
        assert [row.split()[0] for row in rows_of(result, registry_folder)] == ["en-xx"]


def test_path_prints_the_folder_for_a_name_or_a_path(registry_folder, tiny):
    assert attn("models", "path", "en-xx").lines() == [str(registry_folder / "en-xx")]
    assert attn("models", "path", tiny).lines() == [str(tiny)]


def test_show_prints_the_card_where_there_is_one(registry_folder):
    (registry_folder / "en-xx" / "MODEL_CARD.md").write_text("# A card\nétude\n", encoding="utf-8")
    assert attn("models", "show", "en-xx").out == "# A card\nétude\n"


def test_show_prints_recipe_and_scores_where_there_is_no_card(registry_folder):
    from attn_cli.config import parse

    output = attn("models", "show", "en-xx").out
    assert parse(output).name == "tiny"
    scores = json.loads(output.splitlines()[-1].removeprefix("# scores: "))
    assert scores["bleu"]["score"] == 100


@pytest.mark.parametrize("verb", ["path", "show", "verify", "add"])
def test_an_unknown_model_is_refused_with_the_names_of_the_registered_models(registry_folder, verb):
    result = attn("models", verb, "eo-fr")
    assert (result.status, result.stdout) == (4, b"")
    assert result.err.startswith("attn: there is no model eo-fr")
    assert "en-xx" in result.err


def test_a_model_without_its_recipe_cannot_be_shown(registry_folder):
    (registry_folder / "en-xx" / "recipe.toml").unlink()
    assert attn("models", "show", "en-xx").status == 4


def test_models_without_a_subcommand_prints_its_usage():
    result = attn("models")
    assert (result.status, result.stdout) == (2, b"")
    assert "Usage: attn models" in result.err


# verify


def test_verify_reports_a_sound_model_in_one_line(registry_folder, tiny):
    size = sum((tiny / name).stat().st_size for name in manifest.read_manifest(tiny)["files"])
    for name in ("en-xx", tiny):
        result = attn("models", "verify", name)
        assert (result.status, result.err) == (0, "")
        assert result.lines() == [f"{name} is sound: 3 files, {size} bytes, format 2"]


def test_a_model_with_a_word_aligner_and_a_word_aligner_alone_are_sound(
    tiny_with_aligner, tmp_path
):
    assert "5 files" in attn("models", "verify", tiny_with_aligner).out
    aligner_only = shutil.copytree(
        tiny_with_aligner, tmp_path / "alone", ignore=shutil.ignore_patterns("model.*")
    )
    files = manifest.read_manifest(tiny_with_aligner)["files"]
    files.pop("model.safetensors")
    edit_manifest(aligner_only, files=files)
    assert "4 files" in attn("models", "verify", aligner_only).out


def truncate_weights(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    return "model.safetensors has"


def alter_vocabulary(folder):
    *rest, last = (folder / "joint.spm").read_bytes()
    (folder / "joint.spm").write_bytes(bytes([*rest, last ^ 1]))
    return "the checksum (sha256) of joint.spm does not match"


def remove_recipe(folder):
    (folder / "recipe.toml").unlink()
    return "lacks its file recipe.toml"


def list_outside_file(folder):
    files = manifest.read_manifest(folder)["files"]
    edit_manifest(folder, files=files | {"../../secret": files["joint.spm"]})
    return "bundle.json names '../../secret'"


def set_newer_format(folder):
    edit_manifest(folder, format=3)
    return "format 3, this program reads 2. Upgrade"


def rewrite_recipe(folder, *settings):
    recipe = config.with_settings(
        config.load(folder / "recipe.toml", legacy_defaults=True), list(settings)
    )
    storage.write_recipe(folder, recipe)


def change_width(folder):
    rewrite_recipe(folder, "model.encoder.width=33")
    return "has the shape"


def enlarge_vocabulary(folder):
    rewrite_recipe(folder, "tokenizer.vocab_size=301")
    return "its recipe allows 301"


def write_nan_weights(folder):
    weights = load_file(folder / "model.safetensors")
    save_file({name: each * float("nan") for name, each in weights.items()}, folder / "nan")
    (folder / "nan").replace(folder / "model.safetensors")
    storage.add_file(folder, "model.safetensors")
    return "the model computes NaN"


def remove_network(folder):
    files = manifest.read_manifest(folder)["files"]
    files.pop("model.safetensors")
    edit_manifest(folder, files=files)
    return "neither a network that translates nor one that aligns"


#: Those that are an error in a translation too.
FATAL_DAMAGES = (
    truncate_weights,
    alter_vocabulary,
    remove_recipe,
    list_outside_file,
    set_newer_format,
    change_width,
)
DAMAGES = (
    *FATAL_DAMAGES,
    enlarge_vocabulary,
    write_nan_weights,
    remove_network,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_reports_each_damage_in_one_sentence_with_status_4(model_copy, damage):
    problem = damage(model_copy)
    result = attn("models", "verify", model_copy)
    assert (result.status, result.stdout) == (4, b"")
    (line,) = result.err.splitlines()
    assert problem in line


def test_verify_refuses_a_word_aligner_that_computes_nan(tiny_with_aligner, tmp_path):
    copy = shutil.copytree(tiny_with_aligner, tmp_path / "copy")
    weights = load_file(copy / "word_aligner.safetensors")
    for each in weights.values():
        each.fill_(float("nan"))
    save_file(weights, copy / "word_aligner.safetensors")
    storage.add_file(copy, "word_aligner.safetensors")
    result = attn("models", "verify", copy)
    assert result.status == 4
    assert "the model computes NaN" in result.err


@pytest.fixture(scope="module")
def exported_model(tiny, tmp_path_factory):
    """The tiny model with weights and graphs. Do not change it."""
    from attn_cli.export.bundle_export import export

    copy = shutil.copytree(tiny, tmp_path_factory.mktemp("graphs") / "tiny")
    export(bundle.open_bundle(copy), precision="fp32")
    return copy


@pytest.fixture
def exported_copy(exported_model, tmp_path):
    """A copy of the exported model, for a test to damage."""
    return shutil.copytree(exported_model, tmp_path / "both")


def test_a_model_with_graphs_is_sound_with_weights_and_without(exported_copy):
    assert attn("models", "verify", exported_copy).status == 0
    files = manifest.read_manifest(exported_copy)["files"]
    files.pop("model.safetensors")
    edit_manifest(exported_copy, files=files)
    (exported_copy / "model.safetensors").unlink()
    assert attn("models", "verify", exported_copy).status == 0


def test_verify_runs_the_weights_of_a_model_that_also_has_graphs(exported_copy):
    problem = write_nan_weights(exported_copy)
    result = attn("models", "verify", exported_copy)
    assert result.status == 4
    assert problem in result.err


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx"])
def test_verify_runs_the_graphs_of_a_model_that_also_has_weights(exported_copy, name):
    (exported_copy / name).write_bytes((exported_copy / "forced.onnx").read_bytes())
    storage.add_file(exported_copy, name)
    result = attn("models", "verify", exported_copy)
    assert result.status == 4
    (line,) = result.err.splitlines()
    assert "is unfit" in line


# A model is verified when it is first used


@pytest.mark.parametrize("damage", FATAL_DAMAGES)
def test_a_damaged_model_does_not_translate(model_copy, damage):
    problem = damage(model_copy)
    result = attn("translate", "-m", model_copy, "I see a dog.")
    assert (result.status, result.stdout) == (4, b"")
    (line,) = result.err.splitlines()
    assert problem in line


def test_an_altered_model_of_the_users_registry_does_not_translate(registry_folder):
    assert attn("translate", "-m", "en-xx", "I see a dog.").out == "je vois un chien.\n"
    problem = alter_vocabulary(registry_folder / "en-xx")
    result = attn("translate", "-m", "en-xx", "I see a dog.")
    assert result.status == 4
    assert problem in result.err


# add


@pytest.fixture
def trained_model(model_copy):
    """A model of the user, with the files that training leaves in its folder."""
    assert (model_copy / "checkpoints").is_dir()
    assert (model_copy / "log.jsonl").is_file()
    return model_copy


def test_a_model_is_added_under_its_recipe_name_without_the_files_of_training(
    trained_model, tmp_path
):
    (trained_model / "MODEL_CARD.md").write_text("# A card\n")
    result = attn("models", "add", trained_model)
    folder = tmp_path / "home" / "models" / "tiny"
    assert (result.status, result.stdout) == (0, b"")
    assert result.err == f"attn: tiny is now in {folder}\n"
    names = {"recipe.toml", "joint.spm", "model.safetensors", "bundle.json", "MODEL_CARD.md"}
    assert {path.name for path in folder.iterdir()} == names
    assert attn("translate", "-m", "tiny", "I see a dog.").out == "je vois un chien.\n"
    assert attn("models", "verify", "tiny").status == 0


def test_the_name_option_names_the_folder_and_leaves_the_name_in_the_recipe(
    trained_model, tmp_path
):
    assert attn("models", "add", trained_model, "--name", "mine").status == 0
    added = tmp_path / "home" / "models" / "mine"
    assert config.load(added / "recipe.toml").name == "tiny"
    assert manifest.read_manifest(added)["name"] == "tiny"


def test_a_registered_model_is_replaced_with_force_only(registry_folder, trained_model):
    result = attn("models", "add", trained_model, "--name", "en-xx")
    assert result.status == 2
    assert "en-xx already" in result.err
    assert "--force" in result.err
    rewrite_recipe(trained_model, "seed=9")
    assert attn("models", "add", trained_model, "--name", "en-xx", "--force").status == 0
    assert config.load(registry_folder / "en-xx" / "recipe.toml").seed == 9
    assert [path.name for path in registry_folder.iterdir()] == ["en-xx"]


def test_a_model_may_replace_itself(registry_folder):
    before = manifest.read_manifest(registry_folder / "en-xx")
    assert attn("models", "add", "en-xx", "--name", "en-xx", "--force").status == 0
    assert manifest.verify_checksums(registry_folder / "en-xx") == before


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", ".a"])
def test_an_invalid_model_name_is_a_usage_error(trained_model, tmp_path, name):
    result = attn("models", "add", trained_model, f"--name={name}")
    assert result.status == 2
    assert "cannot be a model's name" in result.err
    assert not (tmp_path / "home").exists()


def test_a_path_as_the_name_in_a_recipe_is_refused(trained_model, tmp_path):
    rewrite_recipe(trained_model, "name=../../evil")
    assert attn("models", "add", trained_model).status == 2
    assert not (tmp_path / "home").exists()
    assert attn("models", "add", trained_model, "--name", "good").status == 0


@pytest.mark.parametrize(
    "damage",
    [truncate_weights, alter_vocabulary, remove_recipe, list_outside_file, set_newer_format],
)
def test_a_damaged_model_is_not_added(registry_folder, trained_model, damage):
    problem = damage(trained_model)
    result = attn("models", "add", trained_model, "--name", "en-xx", "--force")
    assert result.status == 4
    assert problem in result.err
    assert [path.name for path in registry_folder.iterdir()] == ["en-xx"]
    assert attn("models", "verify", "en-xx").status == 0


def test_a_registry_that_cannot_be_written_is_reported_in_one_sentence(trained_model, tmp_path):
    (tmp_path / "home").write_text("")
    result = attn("models", "add", trained_model)
    assert (result.status, result.stdout) == (3, b"")
    (line,) = result.err.splitlines()
    assert "cannot put the model into" in line
