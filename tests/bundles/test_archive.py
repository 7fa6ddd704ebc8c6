"""Archives of models: a packed model can be added; a hostile archive is refused."""

import io
import json
import random
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from program import attn

from attn_cli.bundles import registry
from attn_cli.bundles.archive import open_archive, pack
from attn_cli.bundles.bundle import open_bundle
from attn_cli.errors import ModelError

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A registry of its own."""
    monkeypatch.setenv("ATTN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home" / "models"


@pytest.fixture(scope="session")
def archive_data() -> bytes:
    """The archive of the frozen model."""
    stream = io.BytesIO()
    pack(open_bundle(MODEL), stream)
    return stream.getvalue()


def rebuild(archive_data: bytes, change) -> bytes:
    """Return an archive of the same files after `change(files)`, a dictionary of name → data."""
    with zipfile.ZipFile(io.BytesIO(archive_data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def refusal_message(tmp_path, data: bytes):
    """Return the error of `attn models add` for an archive, which may leave no file."""
    file = tmp_path / "hostile.zip"
    file.write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    result = attn("models", "add", file, "--name", "hostile")
    assert result.status == 4, result.err
    assert [path for path in tmp_path.rglob("*") if path not in before and path.is_file()] == []
    assert str(file) in result.err
    return result.err


# Packing and adding


def test_a_packed_model_is_added_and_translates_the_same(home, tmp_path):
    result = attn("models", "pack", MODEL, "-o", tmp_path / "m.zip")
    assert result.status == 0, result.err
    assert attn("models", "add", tmp_path / "m.zip", "--name", "copy").status == 0
    names = {path.name for path in (home / "copy").iterdir()}
    assert names == {*json.loads((MODEL / "bundle.json").read_text())["files"], "bundle.json"} | (
        {"MODEL_CARD.md"} & {path.name for path in MODEL.iterdir()}
    )
    both = [attn("translate", "I see a dog.", "-m", name).out for name in (MODEL, "copy")]
    assert both[0] == both[1] == "je vois un chien.\n"


def test_archives_of_the_same_model_are_identical_and_include_its_card(
    archive_data, home, tmp_path
):
    folder = Path(shutil.copytree(MODEL, tmp_path / "m"))
    (folder / "log.jsonl").write_text("left out")
    (folder / "MODEL_CARD.md").write_text("# A card\n")
    streams = [io.BytesIO(), io.BytesIO()]
    for stream in streams:
        pack(open_bundle(folder), stream)
    assert streams[0].getvalue() == streams[1].getvalue()
    with zipfile.ZipFile(streams[0]) as archive:
        assert archive.read("MODEL_CARD.md") == b"# A card\n"
        assert "log.jsonl" not in archive.namelist()


def test_an_archive_is_written_to_stdout_but_not_to_a_terminal(home, tmp_path):
    result = attn("models", "pack", MODEL, "-o", "-")
    (tmp_path / "piped.zip").write_bytes(result.stdout)
    assert attn("models", "add", tmp_path / "piped.zip", "--name", "piped").status == 0
    assert attn("models", "pack", MODEL, "-o", "-", terminal=True).status == 2


def test_the_default_name_is_that_of_the_model_and_an_existing_one_needs_force(
    home, tmp_path, archive_data
):
    (tmp_path / "m.zip").write_bytes(archive_data)
    assert attn("models", "add", "m.zip").status == 0
    name = open_bundle(MODEL).facts["name"]
    assert (home / name).is_dir()
    assert attn("models", "add", "m.zip").status == 2
    assert attn("models", "add", "m.zip", "--force").status == 0


def test_a_damaged_model_is_not_packed(home, tmp_path):
    folder = Path(shutil.copytree(MODEL, tmp_path / "m"))
    file = folder / "joint.spm"
    file.write_bytes(bytes(reversed(file.read_bytes())))
    assert attn("models", "pack", folder, "-o", "m.zip").status == 4
    assert not (tmp_path / "m.zip").exists()


# Removing


def test_only_the_models_of_the_registry_can_be_removed(home):
    assert attn("models", "add", MODEL, "--name", "mine").status == 0
    assert attn("models", "remove", "mine").status == 0
    assert "mine" not in dict(registry.names())
    assert not [path for path in home.iterdir() if path.name != ".lock"]
    assert attn("models", "remove", "mine").status == 4
    shipped = next(name for name, path in registry.names() if registry.is_shipped(path))
    assert attn("models", "remove", shipped).status == 2
    assert attn("models", "remove", MODEL).status == 2
    assert MODEL.is_dir()


@pytest.mark.parametrize("name", ["..", ".", "", "../models", "a/b", "-x"])
def test_a_path_is_refused_as_a_name_to_remove(home, name):
    assert attn("models", "add", MODEL, "--name", "mine").status == 0
    assert attn("models", "remove", "--", name).status in (2, 4)
    assert registry.find("mine") == home / "mine"


def test_of_several_names_none_is_removed_if_one_is_wrong(home):
    assert attn("models", "add", MODEL, "--name", "mine").status == 0
    assert attn("models", "remove", "mine", "other").status == 4
    assert "mine" in dict(registry.names())


# Hostile archives


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/b", "..", "a\\b", "C:evil", "folder/", "joint.spm#x"]
)
def test_a_path_in_an_archive_is_refused(home, tmp_path, archive_data, name):
    data = rebuild(archive_data, lambda files: files.update({name: b"x"}))
    assert "not the archive" in refusal_message(
        tmp_path, data.replace(b"joint.spm#x", b"joint.spm\0x")
    )


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_a_link_or_a_device_in_an_archive_is_refused(home, tmp_path, archive_data, kind):
    def change(files):
        files["link"] = files.pop("joint.spm")

    data = rebuild(archive_data, change)
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a") as archive:
        entry = zipfile.ZipInfo("joint.spm")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "link or a device" in refusal_message(tmp_path, stream.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_repeated_file_name_is_refused_also_in_other_letter_case(home, tmp_path, archive_data):
    for name in ("joint.spm", "JOINT.SPM"):
        stream = io.BytesIO(archive_data)
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr(name, b"another")
        assert "twice" in refusal_message(tmp_path, stream.getvalue())


def test_a_file_that_bundle_json_does_not_name_is_refused(home, tmp_path, archive_data):
    assert "not in its bundle.json" in refusal_message(
        tmp_path, rebuild(archive_data, lambda files: files.update({"setup.py": b"import os"}))
    )


def test_a_file_that_is_missing_or_has_another_size_or_content_is_refused(
    home, tmp_path, archive_data
):
    assert "lacks the file joint.spm" in refusal_message(
        tmp_path, rebuild(archive_data, lambda files: files.pop("joint.spm"))
    )
    assert "bytes instead of" in refusal_message(
        tmp_path, rebuild(archive_data, lambda files: files.update({"joint.spm": b"short"}))
    )


def test_content_with_another_checksum_is_refused(home, tmp_path, archive_data):
    def change(files):
        files["joint.spm"] = bytes(reversed(files["joint.spm"]))

    file = tmp_path / "hostile.zip"
    file.write_bytes(rebuild(archive_data, change))
    result = attn("models", "add", file, "--name", "hostile")
    assert result.status == 4
    assert "checksum" in result.err
    assert not (home / "hostile").exists()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(home, tmp_path, archive_data):
    size = 1 << 28

    def change(files):
        facts = json.loads(files["bundle.json"])
        facts["files"]["bomb"] = {"bytes": size, "sha256": "0" * 64}
        files["bundle.json"] = json.dumps(facts).encode()
        files["bomb"] = bytes(size)

    assert "more than 20 times" in refusal_message(tmp_path, rebuild(archive_data, change))


def test_a_file_that_is_larger_than_its_directory_entry_is_refused(home, tmp_path, archive_data):
    """The directory has the size of bundle.json, but the data are longer."""
    with zipfile.ZipFile(io.BytesIO(archive_data)) as archive:
        size = archive.getinfo("joint.spm").file_size
    long = rebuild(archive_data, lambda files: files.update({"joint.spm": bytes(size + 5)}))
    field = struct.pack("<L", size + 5)
    assert field in long
    assert "not the archive" in refusal_message(
        tmp_path, long.replace(field, struct.pack("<L", size))
    )


def test_overlapping_files_are_refused(home, tmp_path, archive_data):
    """Many entries of one compressed block, as in zip bombs that need no recursion."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", random.Random(0).randbytes(100_000))
        first = archive.filelist[0]
        for number in range(20):
            entry = zipfile.ZipInfo(f"b{number}")
            for name in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(entry, name, getattr(first, name))
            archive.filelist.append(entry)
        archive._didModify = True
    assert "overlap" in refusal_message(tmp_path, stream.getvalue())


def test_a_long_directory_is_refused(home, tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}", b"")
    assert "more than 64 files" in refusal_message(tmp_path, stream.getvalue())


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"format": 99}', b"\xff", b"[" * 100_000])
def test_an_archive_with_an_invalid_bundle_json_is_refused(home, tmp_path, archive_data, text):
    refusal_message(
        tmp_path, rebuild(archive_data, lambda files: files.update({"bundle.json": text}))
    )


def test_a_truncated_or_altered_archive_adds_no_partial_model(home, tmp_path, archive_data):
    rng = random.Random(15)
    for _ in range(60):
        data = bytearray(archive_data)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.randint(1, 4)):
                data[rng.choice([rng.randrange(len(data)), -rng.randrange(1, 900)])] ^= 1 << (
                    rng.randrange(8)
                )
        (tmp_path / "m.zip").write_bytes(data)
        result = attn("models", "add", tmp_path / "m.zip", "--name", "m", "--force")
        assert result.status in (0, 2, 4), result.err
        if result.status == 0:  # the changed byte was of a time or an attribute
            assert attn("models", "verify", "m").status == 0
            assert attn("models", "remove", "m").status == 0
        assert not (home / "m").exists()


def test_a_file_that_is_not_an_archive_is_refused(tmp_path):
    for data in (b"", b"PK\3\4", b"PK\5\6" + bytes(18), b"hello"):
        (tmp_path / "m.zip").write_bytes(data)
        with pytest.raises(ModelError, match=r"m\.zip"), open_archive(tmp_path / "m.zip"):
            pass
