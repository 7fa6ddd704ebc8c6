"""A folder whose process is killed before any of its changes is the old model or the new one."""

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from faults import Killed, killed_after
from program import attn

from attn_cli import config
from attn_cli.bundles import bundle, manifest, registry, storage
from attn_cli.errors import ModelError
from attn_cli.files import atomic

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"


@cache
def fixture_file(name):
    """Return the file of the fixture that is stored for `name`."""
    return manifest.locate(MODEL, manifest.read_manifest(MODEL), name)


NONE = "no model"


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch):
    """Skip fsync: a kill, unlike a power cut, loses nothing that the system has in its memory."""
    monkeypatch.setattr("os.fsync", lambda _: None)


def other_content(name):
    """Return other content for a file of the model."""
    return fixture_file(name).read_bytes() + b"\0"


def publish(folder):
    recipe = bundle.open_bundle(folder).recipe
    files = {manifest.WEIGHTS: other_content(manifest.WEIGHTS)}
    storage.write_manifest(folder, recipe, version="0", scores={"step": 7}, files=files)


def add_aligner(folder):
    storage.add_file(folder, manifest.WORD_ALIGNER, other_content(manifest.WORD_ALIGNER))


def write_recipe(folder):
    recipe = config.load(folder / manifest.RECIPE, legacy_defaults=True)
    storage.write_recipe(folder, replace(recipe, name="other"))


def add_graphs(folder):
    names = (*manifest.GRAPHS, manifest.WEIGHTS, manifest.WORD_ALIGNER)
    storage.add_graphs(folder, {name: other_content(name) for name in names}, precision="fp32")


def write_definition(folder):
    opened = bundle.open_bundle(MODEL)
    storage.write_definition(folder, opened.recipe, opened.source, opened.target)


def model_of(folder):
    """Return what identifies the model in a folder, after verifying its checksums."""
    if not (folder / manifest.FACTS).exists():
        return NONE
    facts = manifest.read_manifest(folder)
    manifest.verify_checksums(folder)
    bundle.open_bundle(folder)
    return facts["files"], facts["scores"], facts.get("precision")


def names_of(folder):
    return {path.name for path in folder.iterdir()}


#: Whether the file that was written last is torn by the kill before change `allowed`.
TORN = pytest.mark.parametrize(
    "torn",
    [
        pytest.param(lambda allowed: allowed % 2 == 1, id="alternately"),
        pytest.param(lambda _: False, id="whole", marks=pytest.mark.slow),
        pytest.param(lambda _: True, id="torn", marks=pytest.mark.slow),
    ],
)


@TORN
@pytest.mark.parametrize(
    "change", [publish, add_aligner, write_recipe, add_graphs, write_definition]
)
def test_a_change_killed_at_any_moment_leaves_the_old_model_or_the_new(change, torn, tmp_path):
    final = Path(shutil.copytree(MODEL, tmp_path / "done"))
    old = model_of(final)
    with killed_after(float("inf"), final) as disk:
        change(final)
    new = model_of(final)
    assert old != new
    assert disk.changes > 3
    outcomes = []
    for allowed in range(disk.changes):
        folder = Path(shutil.copytree(MODEL, tmp_path / str(allowed)))
        with pytest.raises(Killed), killed_after(allowed, folder, torn=torn(allowed)):
            change(folder)
        outcomes.append(model_of(folder))
        assert outcomes[-1] in (old, new)
        if outcomes[-1] != NONE:
            storage.recover(folder)
            assert model_of(folder) == outcomes[-1]
            change(folder)
        else:
            write_definition(folder)
        assert model_of(folder) == new
        assert names_of(folder) == names_of(final)
    assert outcomes == sorted(outcomes, key=lambda each: each == new)  # once it is new it stays new
    assert len({str(each) for each in outcomes}) == 2


def test_a_model_with_staged_files_gives_the_same_results(tmp_path, monkeypatch):
    """A process that is killed just after replacing bundle.json leaves its new files staged."""
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    align = ("align", "I see.", "je vois.", "-f", "jsonl", "--weights")
    commands = [
        (*command, "-m", folder, "--engine", engine)
        for command in (("translate", "I see."), (*align, "attention"), (*align, "alignment"))
        for engine in ("onnx", "torch")
    ]
    expected = [attn(*each) for each in commands]
    assert [each.status for each in expected] == [0] * 6
    names = (*manifest.GRAPHS, manifest.WEIGHTS, manifest.WORD_ALIGNER)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "_place", lambda file, name: (_ for _ in ()).throw(Killed))
        files = {name: fixture_file(name).read_bytes() for name in names}
        with pytest.raises(Killed):
            storage.add_graphs(folder, files, precision="fp32")
    for name in names:
        (folder / name).write_bytes(b"")  # those of the old model are not read
    assert [attn(*each) for each in commands] == expected
    storage.recover(folder)
    assert [attn(*each) for each in commands] == expected
    assert manifest.verify_checksums(folder)["precision"] == "fp32"
    assert manifest.STAGING not in names_of(folder)


def test_files_are_copied_if_hard_links_are_not_supported(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    monkeypatch.setattr(storage.os, "link", refuse)
    publish(folder)
    assert (folder / manifest.WEIGHTS).read_bytes() == other_content(manifest.WEIGHTS)
    assert "staged" not in manifest.read_manifest(folder)
    assert manifest.verify_checksums(folder)


def test_graphs_of_replaced_weights_are_removed(tmp_path):
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    publish(folder)
    assert not names_of(folder) & set(manifest.GRAPHS)


def test_a_model_that_is_replaced_while_it_is_loaded_is_loaded_again(tmp_path):
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    changes = iter([publish, add_aligner])
    manifests = []

    def load(opened):
        for change in changes:
            change(folder)
            break
        manifests.append(opened.facts)
        if len(manifests) == 2:
            raise ModelError("a file is gone")
        return opened

    opened = bundle.load_stable(folder, load)
    assert len(manifests) == 3
    assert opened.facts == manifest.read_manifest(folder)


@TORN
@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "renames"])
@pytest.mark.usefixtures("_empty_registry")
def test_a_registered_model_that_is_replaced_is_the_old_one_or_the_new(
    exchanges, torn, tmp_path, monkeypatch
):
    if not exchanges:
        monkeypatch.setattr(registry.atomic, "exchange", lambda *_: False)
    opened = bundle.open_bundle(MODEL)
    newer = Path(shutil.copytree(MODEL, tmp_path / "newer"))
    publish(newer)

    def install(folder):
        with registry.atomic_install("mine", force=True) as destination:
            storage.copy(bundle.open_bundle(folder), destination)

    install(MODEL)
    models = tmp_path / "home" / "models"
    with killed_after(float("inf"), models) as disk:
        install(newer)
    outcomes = set()
    for allowed in range(disk.changes):
        install(MODEL)
        with pytest.raises(Killed), killed_after(allowed, models, torn=torn(allowed)):
            install(newer)
        model_path = registry.find("mine")
        assert [name for name, path in registry.names() if path.parent == models] == ["mine"]
        assert manifest.verify_checksums(model_path)["files"] in (
            opened.facts["files"],
            model_of(newer)[0],
        )
        outcomes.add(manifest.read_manifest(model_path)["scores"] == {"step": 7})
    assert outcomes == {False, True}
    install(newer)
    assert names_of(models) == {"mine"}


@pytest.mark.usefixtures("_empty_registry")
def test_a_replacement_interrupted_between_its_renames_puts_the_old_model_back(
    tmp_path, monkeypatch
):
    """SIGTERM and ^C raise exceptions that are not of class `Exception`."""

    class Interrupted(BaseException):
        pass

    def install():
        with registry.atomic_install("mine", force=True) as destination:
            storage.copy(bundle.open_bundle(MODEL), destination)

    install()
    models = tmp_path / "home" / "models"
    monkeypatch.setattr(registry.atomic, "exchange", lambda *_: False)
    rename, calls = registry.os.rename, iter([True, False, True])

    def interrupted_rename(old, new):
        if not next(calls):
            raise Interrupted
        rename(old, new)

    monkeypatch.setattr(registry.os, "rename", interrupted_rename)
    with pytest.raises(Interrupted):
        install()
    assert names_of(models) == {"mine"}
    assert manifest.verify_checksums(models / "mine")


@pytest.mark.usefixtures("_empty_registry")
def test_the_remains_of_killed_replacements_are_cleaned_up_for_any_name(tmp_path):
    models = tmp_path / "home" / "models"
    for name in (".one.77.new", ".one.77.old", ".two.78.old", ".hidden", ".a.b.new"):
        (models / name).mkdir(parents=True)
        (models / name / "bundle.json").write_text("{}")
    with registry.atomic_install("mine") as destination:
        storage.copy(bundle.open_bundle(MODEL), destination)
    assert names_of(models) == {"mine", "one", "two", ".hidden", ".a.b.new"}


def test_two_folders_exchange_their_names(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    if not atomic.exchange(tmp_path / "one", tmp_path / "two"):
        pytest.skip("not on this system")
    assert names_of(tmp_path / "one") == {"two"}
    assert names_of(tmp_path / "two") == {"one"}
    with pytest.raises(OSError, match="No such file"):
        atomic.exchange(tmp_path / "one", tmp_path / "none")
