"""How a model's name is resolved: a folder, the user's registry, the default, the demo's run."""

import contextlib
from pathlib import Path

import pytest

from attn_cli.bundles import registry
from attn_cli.errors import DataError, ModelError, UsageError

pytestmark = pytest.mark.usefixtures("_empty_registry", "_no_shipped_models")


@pytest.fixture
def _no_shipped_models(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(registry, "_CHECKOUT", tmp_path / "checkout")


def model(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "bundle.json").write_text("{}")
    return path


def test_a_path_is_returned_unchanged(tmp_path):
    path = model(tmp_path / "runs" / "mine")
    assert registry.find(str(path)) == path
    assert registry.find("runs/mine") == Path("runs/mine")


def test_a_name_is_looked_up_in_the_users_registry_before_the_shipped_models(tmp_path):
    shipped = model(tmp_path / "shipped" / "models" / "en-fr")
    assert registry.find("en-fr") == shipped
    user_model = model(tmp_path / "home" / "models" / "en-fr")
    assert registry.find("en-fr") == user_model
    assert dict(registry.names()) == {"en-fr": user_model}


def test_a_folder_without_a_model_does_not_hide_a_name(tmp_path):
    registered = model(tmp_path / "home" / "models" / "en-fr")
    (tmp_path / "en-fr").mkdir()
    assert registry.find("en-fr") == registered
    model(tmp_path / "en-fr" / "inner")
    assert registry.find("en-fr/inner") == Path("en-fr/inner")


def test_without_a_name_the_environment_decides_then_en_fr_then_the_demo(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="no model is registered") as caught:
        registry.find(None)
    assert "attn train" in caught.value.hint
    model(tmp_path / "runs" / "demo")
    assert registry.find(None) == Path("runs/demo")
    registered = model(tmp_path / "home" / "models" / "en-fr")
    assert registry.find(None) == registered
    other = model(tmp_path / "home" / "models" / "de-en")
    monkeypatch.setenv("ATTN_MODEL", "de-en")
    assert registry.find(None) == other
    assert registry.find("en-fr") == registered


def test_a_file_is_refused_as_a_model(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="is a file"):
        registry.find("file")


def test_an_unknown_name_is_refused_with_a_list_of_the_registered_ones(tmp_path):
    model(tmp_path / "home" / "models" / "de-en")
    (tmp_path / "home" / "models" / "notes").mkdir()
    with pytest.raises(ModelError, match="no model xx") as caught:
        registry.find("xx")
    assert caught.value.hint == "Registered: de-en."


def test_the_demo_corpus_is_that_of_the_installed_package_or_else_of_the_checkout(tmp_path):
    shipped, checkout = (tmp_path / name / "data" / "demo" for name in ("shipped", "checkout"))
    with pytest.raises(ModelError, match="the demo corpus is missing"):
        registry.demo_corpus()
    for folder in (checkout, shipped):  # the shipped one, added last, comes first
        folder.mkdir(parents=True)
        with contextlib.suppress(ModelError):
            assert registry.demo_corpus() != folder  # it has no recipe yet
        (folder / "recipe.toml").touch()
        assert registry.demo_corpus() == folder


def test_shipped_models_are_those_installed_with_the_program(tmp_path):
    shipped = model(tmp_path / "shipped" / "models" / "en-fr")
    assert registry.is_shipped(shipped)
    assert registry.is_shipped(tmp_path / "checkout" / "models" / "fr-en")
    assert not registry.is_shipped(model(tmp_path / "home" / "models" / "mine"))
    assert not registry.is_shipped(model(shipped / "inner"))
    (tmp_path / "shipped" / "models" / "linked").symlink_to(model(tmp_path / "runs" / "mine"))
    assert not registry.is_shipped(tmp_path / "shipped" / "models" / "linked")


def test_without_a_home_the_registry_is_empty(monkeypatch, tmp_path):
    def raise_no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("ATTN_HOME")
    monkeypatch.setattr(Path, "home", raise_no_home)
    shipped = model(tmp_path / "shipped" / "models" / "en-fr")
    assert dict(registry.names()) == {"en-fr": shipped}
    with pytest.raises(DataError, match="cannot put"), registry.atomic_install("mine"):
        pass


# Adding a model


def install(name, content, *, force=False, error=None):
    with registry.atomic_install(name, force=force) as folder:
        (folder / "bundle.json").write_text(content)
        if error is not None:
            raise error


def registered_models(tmp_path):
    return {path.name: path for path in (tmp_path / "home" / "models").iterdir()}


def test_a_model_that_is_added_is_registered(tmp_path):
    install("my-en.fr", "{}")
    assert registry.find("my-en.fr") == tmp_path / "home" / "models" / "my-en.fr"
    assert set(registered_models(tmp_path)) == {"my-en.fr"}


def test_an_existing_model_is_kept_unless_force_replaces_it(tmp_path):
    install("mine", "old")
    with pytest.raises(UsageError, match="a model mine already") as caught:
        install("mine", "new")
    assert "--force" in caught.value.hint
    assert (registry.find("mine") / "bundle.json").read_text() == "old"
    install("mine", "new", force=True)
    assert (registry.find("mine") / "bundle.json").read_text() == "new"
    assert set(registered_models(tmp_path)) == {"mine"}


def test_force_replaces_a_link_and_not_its_target(tmp_path):
    run = model(tmp_path / "runs" / "mine")
    (tmp_path / "home" / "models").mkdir(parents=True)
    (tmp_path / "home" / "models" / "mine").symlink_to(run)
    install("mine", "new", force=True)
    assert (run / "bundle.json").read_text() == "{}"
    assert not registry.find("mine").is_symlink()
    assert set(registered_models(tmp_path)) == {"mine"}


@pytest.mark.parametrize("error", [ModelError("damaged"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_failure_leaves_the_old_model_and_no_partial_one(tmp_path, error):
    install("mine", "old")
    with pytest.raises((ModelError, KeyboardInterrupt, DataError)):
        install("mine", "half", force=True, error=error)
    assert (registry.find("mine") / "bundle.json").read_text() == "old"
    assert set(registered_models(tmp_path)) == {"mine"}


def test_a_model_that_cannot_be_installed_leaves_the_old_one(tmp_path):
    install("mine", "old")
    with pytest.raises(DataError, match="cannot put"):  # noqa: SIM117
        with registry.atomic_install("mine", force=True) as folder:
            folder.rmdir()
    assert (registry.find("mine") / "bundle.json").read_text() == "old"
    assert set(registered_models(tmp_path)) == {"mine"}


def test_a_partially_copied_model_is_not_registered(tmp_path):
    model(tmp_path / "home" / "models" / ".mine.7.new")
    assert dict(registry.names()) == {}


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/a", "a\\b", "c:a", ".hidden", "-m", " a", "a ", "a\n", "a\0"]
)
def test_a_name_that_is_a_path_an_option_or_hidden_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="cannot be a model's name"):
        install(name, "{}", force=True)
    assert not (tmp_path / "home").exists()
