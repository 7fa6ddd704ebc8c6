"""The shipped models are complete, small, documented, and right on sentences of the textbooks."""

from pathlib import Path

import pytest
from phrases import common_phrases
from program import attn

from attn_cli import config
from attn_cli.bundles import manifest
from attn_cli.bundles.registry import model_folders

SHIPPED = Path(__file__).resolve().parents[1] / "models"
MODELS = sorted(path.parent for path in SHIPPED.glob("*/bundle.json"))
TRANSLATORS = [path for path in MODELS if not path.name.endswith("-heads")]
HEADS = SHIPPED / "en-fr-heads"
MEGABYTE = 1_000_000

#: The scores that a card gives. Models of general text are measured on such text too.
TEXTS = ("", "_multi30k", "_newstest2013", "_tico19-dev")
SCORES = {
    **dict.fromkeys(
        TRANSLATORS,
        (*(f"{m}{text}" for text in TEXTS for m in ("bleu", "chrf")), "aer", "aer_attention"),
    ),
    HEADS: ("bleu", "chrf", "bleu_multi30k", "chrf_multi30k", "aer"),
}

#: How many of the hundred phrases each translator must translate correctly.
MIN_CORRECT_PHRASES = {"en-fr": 96, "fr-en": 96}


def test_both_directions_and_a_model_with_heads_are_shipped():
    assert [path.name for path in MODELS] == ["en-fr", "en-fr-heads", "fr-en"]
    assert SHIPPED in model_folders()


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_a_model_matches_its_manifest(path):
    facts = manifest.verify_checksums(path)
    assert facts["precision"] == "int8"
    licenses = {HEADS: "CC BY 2.0 FR"}
    general = "CC BY 2.0 FR, CC BY 3.0, CC BY 4.0, OGL-Canada and others"
    assert facts["license"] == licenses.get(path, general)


@pytest.mark.parametrize("path", TRANSLATORS, ids=lambda path: path.name)
def test_a_translator_is_small(path):
    facts = manifest.read_manifest(path)
    sizes = {name: entry["bytes"] for name, entry in facts["files"].items()}
    weights = [manifest.stored_name(facts, n) for n in (manifest.WEIGHTS, manifest.WORD_ALIGNER)]
    training = sum(sizes[name] for name in weights)
    assert training <= 18 * MEGABYTE
    assert sum(sizes.values()) - training <= 14 * MEGABYTE


def test_the_model_with_heads_is_4_megabytes_at_most():
    files = manifest.read_manifest(HEADS)["files"].values()
    assert sum(entry["bytes"] for entry in files) <= 4 * MEGABYTE


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_the_recipe_of_a_model_begins_with_the_command_that_trains_it(path):
    first = (path / "recipe.toml").read_text(encoding="utf-8").splitlines()[0]
    scripts = {HEADS: "data/tatoeba/train_heads.sh en-fr-heads"}
    assert first == f"# sh {scripts.get(path, f'data/general/train.sh {path.name} FOLDER')}"
    assert config.load(path / "recipe.toml", legacy_defaults=True).name == path.name


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_the_card_of_a_model_gives_the_scores_of_its_manifest(path):
    card = (path / "MODEL_CARD.md").read_text(encoding="utf-8")
    scores = manifest.read_manifest(path)["scores"]
    for metric in SCORES[path]:
        assert f"{scores[metric]['score']:.1f}" in card, metric
        assert scores[metric]["signature"] in card, metric


@pytest.mark.parametrize("path", TRANSLATORS, ids=lambda path: path.name)
def test_a_translator_translates_most_common_phrases_correctly(path):
    phrases = common_phrases(path.name)
    lines = attn("translate", "-m", path, *(phrase.source for phrase in phrases)).lines()
    is_correct = [phrase.accepts(line) for phrase, line in zip(phrases, lines, strict=True)]
    wrong_lines = [line for line, is_right in zip(lines, is_correct, strict=True) if not is_right]
    assert sum(is_correct) >= MIN_CORRECT_PHRASES[path.name], wrong_lines


def test_hello_and_bonjour_are_greetings():
    hello = attn("translate", "-m", SHIPPED / "en-fr", "Hello!", "Hi", "123", ".").lines()
    assert hello == ["Bonjour !", "Salut", "123", "."]
    word, greeting = attn("translate", "-m", SHIPPED / "fr-en", "Bonjour", "Bonjour !").lines()
    assert word in ("Hello", "Hi", "Hi there", "Good morning")
    assert greeting in ("Hello!", "Good morning!")


def test_a_word_is_translated_in_either_case_and_its_translation_has_that_case():
    typed = ("Cat", "cat", "Dogs", "Cheese", "Horses eat grass.")
    assert attn("translate", "-m", SHIPPED / "en-fr", *typed).lines() == [
        *("Chat", "chat", "Chiens", "Fromage", "Les chevaux mangent de l'herbe.")
    ]
    typed = ("Chien", "chien", "Pomme", "Chevaux et chiens")
    assert attn("translate", "-m", SHIPPED / "fr-en", *typed).lines() == [
        *("Dog", "dog", "Apple", "Horses and dogs")
    ]


@pytest.mark.parametrize("text", ["I love you", "i love you"])
def test_the_weights_of_i_love_you_are_those_of_the_textbook(text):
    (record,) = attn("translate", "-m", SHIPPED / "en-fr", "-f", "jsonl", text).records()
    assert record["target"] == "Je t'aime"
    je, t, aime = record["weights"]
    assert je[0] >= 0.85
    assert t[2] >= 0.6
    assert max(aime) == aime[1]


def test_look_it_up_is_translated_as_one_expression():
    (text,) = attn("translate", "-m", SHIPPED / "en-fr", "Look it up.").lines()
    assert text.rstrip(" .!") in ("Cherche-le", "Cherchez-le")


def test_je_t_aime_is_translated_into_i_love_you():
    assert attn("translate", "-m", SHIPPED / "fr-en", "Je t'aime.").lines() == ["I love you."]


def test_capitals_and_typographic_apostrophes_are_read_as_words():
    result = attn("translate", "-m", SHIPPED / "en-fr", "I LOVE YOU", "What\u2019s your name?")
    straight = attn("translate", "-m", SHIPPED / "en-fr", "What's your name?")
    assert result.lines() == ["JE T'AIME", *straight.lines()]


@pytest.mark.parametrize("show", ["cross", "encoder", "decoder"])
def test_the_model_with_heads_has_a_table_for_each_head_of_each_layer(show):
    result = attn("align", "-m", HEADS, "I love you", "Je t'aime", "--show", show, "--head", "all")
    for layer in (1, 2):
        for head in (1, 2, 3, 4):
            assert f"layer {layer} head {head}" in result.out


def test_the_guided_head_has_the_alignment_of_the_textbook():
    (record,) = attn("translate", "-m", HEADS, "-f", "jsonl", "I love you").records()
    assert record["target"] == "Je t'aime"
    assert [row.index(max(row)) for row in record["weights"]] == [0, 2, 1]
