"""attn models: what is on the shelf, and where."""

import json
import shutil

import pytest
from program import attn

pytestmark = pytest.mark.usefixtures("_no_shelf")


@pytest.fixture
def shelf(monkeypatch, tmp_path, tiny):
    """A shelf that holds the tiny model under the name en-xx."""
    home = tmp_path / "home"
    shutil.copytree(tiny, home / "models" / "en-xx", ignore=shutil.ignore_patterns("checkpoints"))
    return home / "models"


def ours(ended, shelf):
    """The rows of the list that stand on this shelf (a checkout may ship others)."""
    return [line for line in ended.lines() if str(shelf) in line]


def test_list_names_each_model_with_its_languages_size_score_and_folder(shelf):
    ended = attn("models", "list")
    assert (ended.status, ended.err) == (0, "")
    (row,) = ours(ended, shelf)
    assert row.split()[:2] == ["en-xx", "en-"]
    assert "MB" in row
    assert "BLEU 100.0" in row


def test_list_tells_of_a_damaged_model_and_shows_the_others(shelf, tiny):
    broken = shelf / "broken"
    broken.mkdir()
    for content in ("", "[]", "{}", '{"format": 1}', '{"format": 1, "files": {"a": 1}}', "\udcff"):
        (broken / "bundle.json").write_text(content, encoding="utf-8", errors="surrogateescape")
        ended = attn("models", "list")
        assert ended.status == 0
        assert "damaged" in ended.err
        assert [row.split()[0] for row in ours(ended, shelf)] == ["en-xx"]


def test_path_is_the_folder_of_a_name_or_a_path(shelf, tiny):
    assert attn("models", "path", "en-xx").lines() == [str(shelf / "en-xx")]
    assert attn("models", "path", tiny).lines() == [str(tiny)]


def test_show_prints_the_card_where_there_is_one(shelf):
    (shelf / "en-xx" / "MODEL_CARD.md").write_text("# A card\nétude\n", encoding="utf-8")
    assert attn("models", "show", "en-xx").out == "# A card\nétude\n"


def test_show_prints_recipe_and_scores_where_there_is_no_card(shelf):
    from attn_cli.config import parse

    shown = attn("models", "show", "en-xx").out
    assert parse(shown).name == "tiny"
    scores = json.loads(shown.splitlines()[-1].removeprefix("# scores: "))
    assert scores["bleu"]["score"] == 100


@pytest.mark.parametrize("verb", ["path", "show"])
def test_an_unknown_model_is_a_sentence_that_names_those_there_are(shelf, verb):
    ended = attn("models", verb, "fr-en")
    assert (ended.status, ended.stdout) == (4, b"")
    assert ended.err.startswith("attn: there is no model fr-en")
    assert "en-xx" in ended.err


def test_a_model_without_its_recipe_cannot_be_shown(shelf):
    (shelf / "en-xx" / "recipe.toml").unlink()
    assert attn("models", "show", "en-xx").status == 4


def test_models_alone_says_how_it_is_called():
    ended = attn("models")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "Usage: attn models" in ended.err
