"""The shipped models: whole, small, documented, right on the textbook's sentences."""

from pathlib import Path

import pytest
from program import attn

from attn_cli import config
from attn_cli.bundles import manifest
from attn_cli.bundles.registry import model_folders

SHIPPED = Path(__file__).resolve().parents[1] / "models"
MODELS = sorted(path.parent for path in SHIPPED.glob("*/bundle.json"))
MEGABYTE = 1_000_000


def test_both_directions_are_shipped():
    assert [path.name for path in MODELS] == ["en-fr", "fr-en"]
    assert SHIPPED in model_folders()


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_a_model_is_as_it_was_sealed(path):
    facts = manifest.verify_checksums(path)
    assert facts["precision"] == "int8"
    assert facts["license"] == "CC BY 2.0 FR"


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_a_model_is_small(path):
    facts = manifest.read_manifest(path)
    sizes = {name: entry["bytes"] for name, entry in facts["files"].items()}
    weights = [manifest.stored_name(facts, n) for n in (manifest.WEIGHTS, manifest.WORD_ALIGNER)]
    training = sum(sizes[name] for name in weights)
    assert training <= 14 * MEGABYTE
    assert sum(sizes.values()) - training <= 12 * MEGABYTE


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_its_recipe_begins_with_the_command_that_makes_it_again(path):
    first = (path / "recipe.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# sh data/tatoeba/train.sh {path.name}"
    assert config.load(path / "recipe.toml", legacy_defaults=True).name == path.name


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_its_card_gives_the_scores_of_its_bundle(path):
    card = (path / "MODEL_CARD.md").read_text(encoding="utf-8")
    scores = manifest.read_manifest(path)["scores"]
    for metric in ("bleu", "chrf", "bleu_multi30k", "chrf_multi30k", "aer", "aer_attention"):
        assert f"{scores[metric]['score']:.1f}" in card, metric
        assert scores[metric]["signature"] in card, metric


@pytest.mark.parametrize("text", ["I love you", "i love you"])
def test_i_love_you_is_the_picture_of_the_textbook(text):
    (record,) = attn("translate", "-m", SHIPPED / "en-fr", "-f", "jsonl", text).records()
    assert record["target"] == "Je t'aime"
    je, t, aime = record["weights"]
    assert je[0] >= 0.85
    assert t[2] >= 0.8
    assert max(aime) == aime[1]


def test_look_it_up_is_several_words_for_several():
    (text,) = attn("translate", "-m", SHIPPED / "en-fr", "Look it up.").lines()
    assert text.rstrip(" .!") in ("Cherche-le", "Cherchez-le")


def test_the_way_back_knows_it_too():
    assert attn("translate", "-m", SHIPPED / "fr-en", "Je t'aime.").lines() == ["I love you."]


def test_capitals_and_typographic_apostrophes_are_read_as_words():
    run = attn("translate", "-m", SHIPPED / "en-fr", "I LOVE YOU", "What\u2019s your name?")
    straight = attn("translate", "-m", SHIPPED / "en-fr", "What's your name?")
    assert run.lines() == ["JE T'AIME", *straight.lines()]
