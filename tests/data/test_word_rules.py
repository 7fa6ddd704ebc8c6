"""The rules that split compounds: each language has its own, and a model keeps its version."""

from dataclasses import replace
from pathlib import Path

import pytest

from attn_cli import config
from attn_cli.bundles.bundle import open_bundle
from attn_cli.data import words
from attn_cli.data.word_rules import (
    ALL_LANGUAGES,
    LANGUAGES,
    UNDETERMINED,
    VERSION,
    WordRules,
    recipe_rules,
    word_rules,
)
from attn_cli.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def split(text: str, language: str, version: int = VERSION) -> str:
    rules = word_rules(language, version)
    return " ".join(word.text for word in words.split(text, rules=rules))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "don't you've John's", "do n't you 've John 's"),
        ("en", "d'Artagnan add-on", "d'Artagnan add-on"),
        ("fr", "l'eau qu'il donne-le-moi a-t-il", "l' eau qu' il donne -le -moi a -t-il"),
        ("fr", "le McDonald's", "le McDonald's"),
        ("fr-CA", "j'aime", "j' aime"),
        ("it", "dell'acqua v'è un'altra", "dell' acqua v' è un' altra"),
        ("ca", "l'home d'aigua", "l' home d' aigua"),
        ("de", "Wie geht's? Ende-le Robert-le", "Wie geht's ? Ende-le Robert-le"),
        ("und", "don't l'eau", "don't l'eau"),
        ("ja", "我爱你", "我 爱 你"),
        ("en", "我爱你", "我 爱 你"),
    ],
)
def test_each_language_has_its_own_rules(language: str, text: str, expected: str) -> None:
    assert split(text, language) == expected


@pytest.mark.parametrize("language", ["", "en", "fr", "de", "und"])
def test_version_1_has_the_same_rules_for_every_language(language: str) -> None:
    text = "don't l'eau donne-le dell'acqua Robert's"
    assert split(text, language, 1) == "do n't l' eau donne -le dell' acqua Robert 's"


def test_a_text_whose_language_is_not_named_has_the_rules_of_version_1() -> None:
    assert word_rules("") is word_rules("de", 1) is ALL_LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_parts_of_a_compound_cover_it_without_gaps(language: str) -> None:
    for compound in ("n't", "'s", "l'", "d'd'd'a", "a-t-il", "rendez-vous", "don't've", "l'l'-le"):
        spans = word_rules(language).cut(compound)
        assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
        assert spans[-1][1] == len(compound)


def test_a_version_later_than_the_current_one_is_refused() -> None:
    with pytest.raises(UsageError, match=f"between 1 and {VERSION}"):
        config.from_dict({"tokenizer": {"word_rules": VERSION + 1}})


def test_a_recipe_records_the_version_for_new_models() -> None:
    assert config.Recipe().tokenizer.word_rules == VERSION
    assert f"word_rules = {VERSION}" in config.to_toml(config.Recipe())


@pytest.mark.parametrize("model", ["tests/fixtures/bundle_v1", "models/en-fr", "models/fr-en"])
def test_a_model_made_before_the_rules_had_versions_keeps_version_1(model: str) -> None:
    bundle = open_bundle(ROOT / model)
    assert recipe_rules(bundle.recipe) == (ALL_LANGUAGES, ALL_LANGUAGES)
    texts = [word.text for word in bundle.source.encode("don't l'eau donne-le").words]
    assert texts == ["do", "n't", "l'", "eau", "donne", "-le"]


def test_both_sides_of_a_joint_vocabulary_have_the_rules_of_their_language() -> None:
    bundle = open_bundle(ROOT / "tests/fixtures/bundle_v1")
    tokenizer = replace(bundle.recipe.tokenizer, word_rules=VERSION)
    source, target = recipe_rules(replace(bundle.recipe, tokenizer=tokenizer))
    english = bundle.source.with_rules(source)  # type: ignore[attr-defined]
    french = english.with_rules(target)
    assert [word.text for word in english.encode("l'eau isn't").words] == ["l'eau", "is", "n't"]
    assert [word.text for word in french.encode("l'eau isn't").words] == ["l'", "eau", "isn't"]
    assert english.vocab_size == french.vocab_size


def test_a_language_added_in_a_later_version_has_no_rules_in_earlier_ones(monkeypatch):
    """A new language, or a change of one, therefore leaves existing models unchanged."""
    later = WordRules(elisions="l'")
    languages = {"oc": {3: later}, "fr": {2: WordRules(), 4: later}}
    monkeypatch.setattr("attn_cli.data.word_rules.LANGUAGES", languages)
    assert word_rules("oc", 2) is UNDETERMINED
    assert word_rules("oc", 3) is word_rules("oc", 4) is later
    assert word_rules("fr", 3) is languages["fr"][2]
    assert word_rules("fr", 4) is later


def test_all_rules_are_of_versions_that_recipes_can_name():
    assert {version for rules in LANGUAGES.values() for version in rules} <= set(
        range(2, VERSION + 1)
    )
