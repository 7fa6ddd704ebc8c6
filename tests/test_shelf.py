"""Where a model's name leads: a folder, the user's shelf, the default, the demo's run."""

from pathlib import Path

import pytest

from attn_cli import shelf
from attn_cli.errors import ModelError

pytestmark = pytest.mark.usefixtures("_no_shelf", "_nothing_shipped")


@pytest.fixture
def _nothing_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(shelf, "_SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(shelf, "_CHECKOUT", tmp_path / "checkout")


def model(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "bundle.json").write_text("{}")
    return path


def test_a_path_is_itself(tmp_path):
    mine = model(tmp_path / "runs" / "mine")
    assert shelf.find(str(mine)) == mine
    assert shelf.find("runs/mine") == Path("runs/mine")


def test_a_name_is_looked_up_on_the_users_shelf_before_the_shipped_one(tmp_path):
    shipped = model(tmp_path / "shipped" / "models" / "en-fr")
    assert shelf.find("en-fr") == shipped
    own = model(tmp_path / "home" / "models" / "en-fr")
    assert shelf.find("en-fr") == own
    assert dict(shelf.names()) == {"en-fr": own}


def test_a_folder_without_a_model_does_not_hide_a_name(tmp_path):
    shelved = model(tmp_path / "home" / "models" / "en-fr")
    (tmp_path / "en-fr").mkdir()
    assert shelf.find("en-fr") == shelved
    model(tmp_path / "en-fr" / "inner")
    assert shelf.find("en-fr/inner") == Path("en-fr/inner")


def test_without_a_name_the_environment_decides_then_en_fr_then_the_demo(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="no model here yet") as caught:
        shelf.find(None)
    assert "attn train" in caught.value.hint
    model(tmp_path / "runs" / "demo")
    assert shelf.find(None) == Path("runs/demo")
    shelved = model(tmp_path / "home" / "models" / "en-fr")
    assert shelf.find(None) == shelved
    other = model(tmp_path / "home" / "models" / "de-en")
    monkeypatch.setenv("ATTN_MODEL", "de-en")
    assert shelf.find(None) == other
    assert shelf.find("en-fr") == shelved


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="is a file"):
        shelf.find("file")


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path):
    model(tmp_path / "home" / "models" / "de-en")
    (tmp_path / "home" / "models" / "notes").mkdir()
    with pytest.raises(ModelError, match="no model xx") as caught:
        shelf.find("xx")
    assert caught.value.hint == "On the shelf: de-en."


def test_the_demo_corpus_is_in_the_checkout():
    with pytest.raises(ModelError):
        shelf.demo_corpus()
