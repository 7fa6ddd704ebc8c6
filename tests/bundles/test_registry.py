"""Where a model's name leads: a folder, the user's registry, the default, the demo's run."""

from pathlib import Path

import pytest

from attn_cli.bundles import registry
from attn_cli.errors import DataError, ModelError, UsageError

pytestmark = pytest.mark.usefixtures("_empty_registry", "_nothing_shipped")


@pytest.fixture
def _nothing_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(registry, "_CHECKOUT", tmp_path / "checkout")


def model(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "bundle.json").write_text("{}")
    return path


def test_a_path_is_itself(tmp_path):
    mine = model(tmp_path / "runs" / "mine")
    assert registry.find(str(mine)) == mine
    assert registry.find("runs/mine") == Path("runs/mine")


def test_a_name_is_looked_up_in_the_users_registry_before_the_shipped_models(tmp_path):
    shipped = model(tmp_path / "shipped" / "models" / "en-fr")
    assert registry.find("en-fr") == shipped
    own = model(tmp_path / "home" / "models" / "en-fr")
    assert registry.find("en-fr") == own
    assert dict(registry.names()) == {"en-fr": own}


def test_a_folder_without_a_model_does_not_hide_a_name(tmp_path):
    shelved = model(tmp_path / "home" / "models" / "en-fr")
    (tmp_path / "en-fr").mkdir()
    assert registry.find("en-fr") == shelved
    model(tmp_path / "en-fr" / "inner")
    assert registry.find("en-fr/inner") == Path("en-fr/inner")


def test_without_a_name_the_environment_decides_then_en_fr_then_the_demo(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="no model is registered") as caught:
        registry.find(None)
    assert "attn train" in caught.value.hint
    model(tmp_path / "runs" / "demo")
    assert registry.find(None) == Path("runs/demo")
    shelved = model(tmp_path / "home" / "models" / "en-fr")
    assert registry.find(None) == shelved
    other = model(tmp_path / "home" / "models" / "de-en")
    monkeypatch.setenv("ATTN_MODEL", "de-en")
    assert registry.find(None) == other
    assert registry.find("en-fr") == shelved


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="is a file"):
        registry.find("file")


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path):
    model(tmp_path / "home" / "models" / "de-en")
    (tmp_path / "home" / "models" / "notes").mkdir()
    with pytest.raises(ModelError, match="no model xx") as caught:
        registry.find("xx")
    assert caught.value.hint == "Registered: de-en."


def test_the_demo_corpus_is_in_the_checkout():
    with pytest.raises(ModelError):
        registry.demo_corpus()


def test_ours_are_the_models_that_were_installed_with_the_program(tmp_path):
    shipped = model(tmp_path / "shipped" / "models" / "en-fr")
    assert registry.is_shipped(shipped)
    assert registry.is_shipped(tmp_path / "checkout" / "models" / "fr-en")
    assert not registry.is_shipped(model(tmp_path / "home" / "models" / "mine"))
    assert not registry.is_shipped(model(shipped / "inner"))
    (tmp_path / "shipped" / "models" / "linked").symlink_to(model(tmp_path / "runs" / "mine"))
    assert not registry.is_shipped(tmp_path / "shipped" / "models" / "linked")


def test_without_a_home_the_registry_is_empty(monkeypatch, tmp_path):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("ATTN_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    shipped = model(tmp_path / "shipped" / "models" / "en-fr")
    assert dict(registry.names()) == {"en-fr": shipped}
    with pytest.raises(DataError, match="cannot put"), registry.atomic_install("mine"):
        pass


# Putting a model there


def put(name, content, *, force=False, ending=None):
    with registry.atomic_install(name, force=force) as folder:
        (folder / "bundle.json").write_text(content)
        if ending is not None:
            raise ending


def registered_models(tmp_path):
    return {path.name: path for path in (tmp_path / "home" / "models").iterdir()}


def test_a_model_that_is_added_is_registered(tmp_path):
    put("my-en.fr", "{}")
    assert registry.find("my-en.fr") == tmp_path / "home" / "models" / "my-en.fr"
    assert set(registered_models(tmp_path)) == {"my-en.fr"}


def test_a_name_that_is_taken_is_kept_unless_force_replaces_it(tmp_path):
    put("mine", "old")
    with pytest.raises(UsageError, match="a model mine already") as caught:
        put("mine", "new")
    assert "--force" in caught.value.hint
    assert (registry.find("mine") / "bundle.json").read_text() == "old"
    put("mine", "new", force=True)
    assert (registry.find("mine") / "bundle.json").read_text() == "new"
    assert set(registered_models(tmp_path)) == {"mine"}


def test_force_replaces_a_link_and_not_what_it_leads_to(tmp_path):
    run = model(tmp_path / "runs" / "mine")
    (tmp_path / "home" / "models").mkdir(parents=True)
    (tmp_path / "home" / "models" / "mine").symlink_to(run)
    put("mine", "new", force=True)
    assert (run / "bundle.json").read_text() == "{}"
    assert not registry.find("mine").is_symlink()
    assert set(registered_models(tmp_path)) == {"mine"}


@pytest.mark.parametrize(
    "ending", [ModelError("damaged"), KeyboardInterrupt(), OSError(28, "full")]
)
def test_a_failure_leaves_nothing_and_what_was_there(tmp_path, ending):
    put("mine", "old")
    with pytest.raises((ModelError, KeyboardInterrupt, DataError)):
        put("mine", "half", force=True, ending=ending)
    assert (registry.find("mine") / "bundle.json").read_text() == "old"
    assert set(registered_models(tmp_path)) == {"mine"}


def test_a_model_that_cannot_be_put_in_place_leaves_the_one_that_was_there(tmp_path):
    put("mine", "old")
    with pytest.raises(DataError, match="cannot put"):  # noqa: SIM117
        with registry.atomic_install("mine", force=True) as folder:
            folder.rmdir()
    assert (registry.find("mine") / "bundle.json").read_text() == "old"
    assert set(registered_models(tmp_path)) == {"mine"}


def test_a_half_copied_model_that_was_left_behind_is_not_registered(tmp_path):
    model(tmp_path / "home" / "models" / ".mine.7.new")
    assert dict(registry.names()) == {}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/a", "a\\b", "c:a", ".hidden", "-m", " a", "a ", "a\n", "a\0"]
)
def test_a_name_is_no_path_no_option_and_nothing_hidden(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be a model's name"):
        put(name, "{}", force=True)
    assert not (tmp_path / "home").exists()
