"""Confidence, unsure words, notes on lines, and the choice of a model by --to."""

import json
import math
import re
import shutil
from itertools import product
from pathlib import Path

import pytest
from program import OBJECTS, PAIRS, SUBJECTS, TINY, VERBS, attn
from training_log import read_events

from attn_cli import config
from attn_cli.bundles import bundle, manifest, storage

EN_FR = Path(__file__).parents[1] / "fixtures" / "bundle_v1"

#: The pairs of the model's training, and others, for which its confidence is lower.
MIXED = [
    *PAIRS.items(),
    *((" ".join(source.split()[-2:]), "zut alors") for source in PAIRS),
]


def text_of(pairs):
    return "".join(f"{source}\t{target}\n" for source, target in pairs)


@pytest.fixture(scope="module")
def mixed_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "mixed.tsv"
    path.write_text(text_of(MIXED), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def calibrated_model(tiny, mixed_file, tmp_path_factory):
    """The tiny model with a calibration. Do not change it."""
    copy = tmp_path_factory.mktemp("calibrated") / "tiny"
    shutil.copytree(tiny, copy, ignore=shutil.ignore_patterns("checkpoints"))
    ended = attn("models", "calibrate", copy, "--pairs", mixed_file)
    assert ended.status == 0, ended.err
    return copy


# attn models calibrate


def test_calibrate_stores_the_number_of_pairs_and_the_model_stays_valid(calibrated_model):
    assert bundle.open_bundle(calibrated_model).has_files("confidence.json")
    assert json.loads((calibrated_model / "confidence.json").read_text())["pairs"] == len(MIXED)
    assert attn("models", "verify", calibrated_model).status == 0


def test_calibrate_gives_the_same_result_from_one_file_and_from_two(
    calibrated_model, model_copy, tmp_path
):
    for name, side in (("a.en", 0), ("a.fr", 1)):
        text = "".join(f"{pair[side]}\n" for pair in MIXED)
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = ("--source", tmp_path / "a.en", "--target", tmp_path / "a.fr")
    ended = attn("models", "calibrate", model_copy, *files)
    assert (ended.status, ended.stdout) == (0, b"")
    assert "confidence is calibrated on 96 pairs: rank correlation" in ended.err
    result, expected = (
        (f / "confidence.json").read_bytes() for f in (model_copy, calibrated_model)
    )
    assert result == expected


@pytest.mark.parametrize("options", [[], ["--source", "a"], ["--pairs", "a", "--source", "b"]])
def test_calibrate_needs_pairs_in_one_file_or_in_two(tiny, options):
    ended = attn("models", "calibrate", tiny, *options)
    assert ended.status == 2
    assert "Give --pairs FILE" in ended.err


def test_too_few_pairs_that_are_not_blank_are_an_error(model_copy):
    ended = attn(
        "models", "calibrate", model_copy, "--pairs", "-", stdin=text_of(MIXED[:20]) + "\t\n" * 90
    )
    assert (ended.status, ended.stdout) == (3, b"")
    assert "20 translated pairs are too few" in ended.err
    assert not (model_copy / "confidence.json").exists()


def test_a_model_that_aligns_only_cannot_be_calibrated(tiny_with_aligner, mixed_file, tmp_path):
    aligner = shutil.copytree(
        tiny_with_aligner, tmp_path / "alone", ignore=shutil.ignore_patterns("model.*")
    )
    facts = manifest.read_manifest(tiny_with_aligner)
    facts["files"].pop("model.safetensors")
    (aligner / "bundle.json").write_text(json.dumps(facts))
    ended = attn("models", "calibrate", aligner, "--pairs", mixed_file)
    assert ended.status == 4
    assert "does not translate" in ended.err


def test_a_calibration_is_copied_with_its_model_and_removed_with_new_weights(
    calibrated_model, tmp_path, monkeypatch
):
    monkeypatch.setenv("ATTN_HOME", str(tmp_path))
    assert attn("models", "add", calibrated_model, "--name", "mine").status == 0
    copy = tmp_path / "models" / "mine"
    assert bundle.open_bundle(copy).has_files("confidence.json")
    recipe = bundle.open_bundle(copy).recipe
    storage.write_manifest(copy, recipe, version="0", scores={})
    assert not bundle.open_bundle(copy).has_files("confidence.json")
    assert not (copy / "confidence.json").exists()


def test_a_damaged_calibration_is_reported_only_by_commands_that_use_it(calibrated_model, tmp_path):
    copy = shutil.copytree(calibrated_model, tmp_path / "copy")
    storage.add_file(copy, "confidence.json", b"{}")
    for command in (("models", "verify", copy), ("translate", "-m", copy, "-f", "jsonl", "I see")):
        ended = attn(*command)
        assert ended.status == 4
        assert "confidence.json is not a valid calibration" in ended.err
    assert attn("translate", "-m", copy, "I see a dog.").status == 0


# Confidence


def test_the_confidence_of_a_record_is_higher_for_sentences_of_the_training(calibrated_model):
    known, unknown, blank = attn(
        "translate", "-m", calibrated_model, "-f", "jsonl", "I see a dog.", "a dog.", ""
    ).records()
    assert 0 <= unknown["confidence"] < known["confidence"] <= 1
    assert blank["confidence"] == 1


def test_a_given_target_or_a_model_without_calibration_has_no_confidence(calibrated_model, tiny):
    (alignment,) = attn(
        "align", "-m", calibrated_model, "-f", "jsonl", "I see", "je vois"
    ).records()
    (translation,) = attn("translate", "-m", tiny, "-f", "jsonl", "I see").records()
    assert alignment["confidence"] is translation["confidence"] is None


def test_the_option_scores_adds_the_confidence_of_the_record_to_the_text(calibrated_model):
    lines = ("I see a dog.", "", "we love two books.")
    records = attn("translate", "-m", calibrated_model, "-f", "jsonl", *lines).records()
    ended = attn("translate", "-m", calibrated_model, "--scores", *lines)
    assert ended.lines() == [
        f"{each['target']} ||| {each['confidence']:.4f}" if each["source"] else ""
        for each in records
    ]


def test_the_option_scores_without_a_calibration_names_the_command_for_one(tiny):
    ended = attn("translate", "-m", tiny, "--scores", "I see a dog.")
    assert (ended.status, ended.stdout) == (4, b"")
    assert f"attn models calibrate {tiny} --pairs FILE" in ended.err


def test_a_confidence_does_not_depend_on_the_other_lines(calibrated_model):
    lines = list(PAIRS)[:12]
    together = attn("translate", "-m", calibrated_model, "--scores", stdin="\n".join(lines)).lines()
    alone = [
        attn("translate", "-m", calibrated_model, "--scores", line).lines()[0] for line in lines
    ]
    assert [line.split(" ||| ")[0] for line in together] == [
        line.split(" ||| ")[0] for line in alone
    ]
    for one, other in zip(together, alone, strict=True):
        assert float(one.split()[-1]) == pytest.approx(float(other.split()[-1]), abs=2e-4)


def test_a_training_with_enough_validation_pairs_calibrates_its_model(tmp_path):
    pairs = tmp_path / "pairs.tsv"
    more = [
        (f"{s} {v} {o} , {s} {v}.", f"{SUBJECTS[s]} {VERBS[v]} {OBJECTS[o]} .")
        for s, v, o in product(SUBJECTS, VERBS, OBJECTS)
    ]
    pairs.write_text(text_of([*PAIRS.items(), *more]), encoding="utf-8")
    text = ("--pairs", pairs, "--valid-pairs", pairs)
    out = tmp_path / "run"
    ended = attn("train", *text, "--out", out, *TINY, "--max-steps", "4")
    assert ended.status == 0, ended.err
    (row,) = read_events(out, "confidence_calibrated")
    assert row["pairs"] == len(PAIRS) + len(more)
    (record,) = attn("translate", "-m", out, "-f", "jsonl", "I see a dog.").records()
    assert 0 <= record["confidence"] <= 1


# Unsure words


ODD = "dog sell red Anna the we"


@pytest.fixture(scope="module")
def unsure_model(tiny, tmp_path_factory):
    """The tiny model with a recipe in which words of a probability below 0.9 are unsure."""
    copy = tmp_path_factory.mktemp("doubtful") / "tiny"
    shutil.copytree(tiny, copy, ignore=shutil.ignore_patterns("checkpoints"))
    recipe = bundle.open_bundle(copy).recipe
    storage.write_recipe(copy, config.with_settings(recipe, ["decode.unsure_below=0.9"]))
    return copy


def test_unsure_words_are_listed_in_records_and_marked_in_text_and_table(unsure_model):
    translate = ("translate", "-q", "-m", unsure_model)
    (record,) = attn(*translate, "-f", "jsonl", ODD).records()
    words = [record["target_words"][word] for word in record["unsure"]]
    assert words
    for word, logp in enumerate(record["logprobs"]):
        is_word = record["target_words"][word].isalnum()
        assert (word in record["unsure"]) == (is_word and logp < math.log(0.9))
    (text,) = attn(*translate, "--mark-unsure", ODD).lines()
    assert re.sub("[⟦⟧]", "", text) == record["target"]
    assert "".join(re.findall("⟦(.*?)⟧", text)).replace(" ", "") == "".join(words)
    table = attn(*translate, "--align", ODD).out
    assert "? a word with a probability below 0.9" in table
    assert re.findall(r"^ *(\S+) \?", table, re.MULTILINE)[: len(words)] == words


def test_the_recipe_sets_the_probability_below_which_a_word_is_unsure(tiny, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "copy", ignore=shutil.ignore_patterns("checkpoints"))
    recipe = bundle.open_bundle(copy).recipe
    for bound, unsure in (("0", []), ("1", [0, 1, 2, 3])):
        storage.write_recipe(copy, config.with_settings(recipe, [f"decode.unsure_below={bound}"]))
        (record,) = attn("translate", "-m", copy, "-f", "jsonl", "I see a dog.").records()
        assert record["unsure"] == unsure


@pytest.mark.parametrize(
    "options",
    [("-f", "jsonl"), ("-f", "table"), ("-f", "tsv"), ("--n-best", "2"), ("--level", "piece")],
)
def test_mark_unsure_is_refused_except_for_the_words_of_one_translation(tiny, options):
    ended = attn("translate", "-m", tiny, "--mark-unsure", *options, ODD)
    assert (ended.status, ended.stdout) == (2, b"")
    assert "--mark-unsure" in ended.err


def test_mark_unsure_marks_the_translation_in_the_format_pharaoh_too(unsure_model):
    text = attn("translate", "-q", "-m", unsure_model, "--mark-unsure", ODD).out.strip()
    options = ("--mark-unsure", "-f", "pharaoh")
    (line,) = attn("translate", "-q", "-m", unsure_model, *options, ODD).lines()
    assert line.startswith(f"{text} ||| ")


# Notes on lines


def notes(*arguments, **kwargs):
    return attn("translate", *arguments, **kwargs).err.splitlines()


@pytest.fixture
def registry_folder(monkeypatch, tmp_path):
    """A registry with two models: one into French and one into English."""
    monkeypatch.setenv("ATTN_HOME", str(tmp_path))
    monkeypatch.delenv("ATTN_MODEL", raising=False)
    monkeypatch.setattr("attn_cli.bundles.registry._shipped", list)
    models = tmp_path / "models"
    shutil.copytree(EN_FR, models / "into-fr")
    reverse_model = shutil.copytree(EN_FR, models / "into-en")
    change_facts(reverse_model, source="fr", target="en", name="into-en")
    return models


def change_facts(folder, **facts):
    """Change the name or the languages of a model, in its recipe and in bundle.json."""
    settings = [f"{key}={value}" for key, value in facts.items()]
    recipe = bundle.open_bundle(folder).recipe
    storage.write_recipe(folder, config.with_settings(recipe, settings))
    content = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps(content | facts), encoding="utf-8")


@pytest.mark.usefixtures("registry_folder")
def test_a_note_on_a_line_in_the_target_language_names_the_reverse_model():
    assert notes("-m", "into-fr", "Je t'aime") == ["attn: this looks French; -m into-en?"]
    assert notes("-m", "into-en", "I love the dog") == ["attn: this looks English; -m into-fr?"]
    assert not [note for note in notes("-m", "into-en", "Je t'aime") if "looks" in note]


def test_without_a_reverse_model_the_note_names_the_target_language(registry_folder):
    shutil.rmtree(registry_folder / "into-en")
    (note,) = notes("-m", "into-fr", "Je t'aime")
    assert note == "attn: this looks French, the language that bundle-v1 translates into"


@pytest.mark.usefixtures("registry_folder")
def test_a_line_of_mostly_unknown_words_gives_a_note():
    assert notes("-m", "into-fr", "Привет мир") == [
        "attn: this is mostly unknown to the model bundle-v1"
    ]
    assert notes("-m", "into-fr", "I see two books.", "", "12") == []


@pytest.mark.usefixtures("registry_folder")
def test_a_line_is_mostly_unknown_if_more_than_half_of_its_letters_are():
    assert len(notes("-m", "into-fr", "books Приветы")) == 1  # 7 letters of 12
    assert notes("-m", "into-fr", "books Прив") == []  # 4 of 9


@pytest.mark.usefixtures("registry_folder")
@pytest.mark.parametrize(
    ("count", "summary"),
    [
        (3, []),
        (4, ["attn: 1 more line looks French; -m into-en?"]),
        (2000, ["attn: 1,997 more lines look French; -m into-en?"]),
    ],
)
def test_many_lines_of_the_target_language_give_three_notes_and_a_count(count, summary):
    text = "I see two books.\n" + "Je ne suis pas là.\n" * count
    output = notes("-m", "into-fr", "--beam", "1", stdin=text)
    assert output == [
        *(f"attn: line {number} looks French; -m into-en?" for number in (2, 3, 4)),
        *summary,
    ]


@pytest.mark.usefixtures("registry_folder")
def test_quiet_omits_notes_and_does_not_change_stdout():
    default, quiet = (
        attn("translate", "-m", "into-fr", *options, "Je t'aime") for options in ([], ["-q"])
    )
    assert default.stdout == quiet.stdout
    assert quiet.err == ""


# --to


@pytest.mark.usefixtures("registry_folder")
@pytest.mark.parametrize(
    ("to", "model"), [("fr", "bundle-v1"), ("en", "into-en"), ("EN", "into-en")]
)
def test_to_selects_the_registered_model_of_that_target_language(to, model):
    (record,) = attn("translate", "-q", "--to", to, "-f", "jsonl", "I see a dog.").records()
    assert record["model"] == model


def test_to_is_refused_with_the_models_listed_if_none_or_several_match(registry_folder):
    ended = attn("translate", "--to", "de", "I see")
    assert (ended.status, ended.stdout) == (4, b"")
    assert "no registered model translates into de" in ended.err
    assert "into-en (into en), into-fr (into fr)" in ended.err
    shutil.copytree(registry_folder / "into-fr", registry_folder / "mine")
    ended = attn("translate", "--to", "fr", "I see")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "2 models translate into fr: into-fr, mine. Name one of them with --model." in ended.err


def test_to_prefers_the_model_named_for_its_direction(registry_folder):
    facts = json.loads((registry_folder / "into-fr" / "bundle.json").read_text())
    name = f"{facts['source']}-{facts['target']}"
    shutil.copytree(registry_folder / "into-fr", registry_folder / name)
    ended = attn("translate", "-q", "--to", "fr", "I see a dog.")
    assert (ended.status, ended.err) == (0, "")


def test_to_must_not_contradict_the_option_model(registry_folder):
    assert attn("translate", "-q", "--to", "fr", "-m", "into-fr", "I see").status == 0
    assert (
        attn("translate", "-q", "--to", "fr", "-m", registry_folder / "into-fr", "I see").status
        == 0
    )
    ended = attn("translate", "--to", "en", "-m", "into-fr", "I see")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "--to en contradicts --model into-fr, which translates into fr" in ended.err


def test_to_prefers_the_model_of_the_environment_if_its_language_matches(
    registry_folder, monkeypatch
):
    shutil.copytree(registry_folder / "into-fr", registry_folder / "mine")
    change_facts(registry_folder / "mine", name="mine")
    monkeypatch.setenv("ATTN_MODEL", "mine")
    for to, model in (("fr", "mine"), ("en", "into-en")):
        (record,) = attn("translate", "-q", "--to", to, "-f", "jsonl", "I see a dog.").records()
        assert record["model"] == model


def test_a_model_of_a_region_matches_its_language_but_no_other_region(registry_folder):
    change_facts(registry_folder / "into-fr", target="fr-CA")
    assert attn("translate", "-q", "--to", "fr", "I see").status == 0
    assert attn("translate", "-q", "--to", "fr_ca", "I see").status == 0
    assert attn("translate", "-q", "--to", "fr-FR", "I see").status == 4


def test_to_does_not_select_a_damaged_model_or_one_that_aligns_only(registry_folder):
    (registry_folder / "broken").mkdir()
    (registry_folder / "broken" / "bundle.json").write_text("{}")
    aligner = shutil.copytree(registry_folder / "into-fr", registry_folder / "aligner")
    content = json.loads((aligner / "bundle.json").read_text(encoding="utf-8"))
    name = manifest.stored_name(content, manifest.WORD_ALIGNER_GRAPH)
    content["files"] = {name: content["files"][name]}
    (aligner / "bundle.json").write_text(json.dumps(content), encoding="utf-8")
    assert attn("translate", "-q", "--to", "fr", "I see").status == 0
