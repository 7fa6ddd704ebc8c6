"""A model in one file: what goes in comes out, and nothing else comes out of anybody's archive."""

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
def packed() -> bytes:
    """The archive of the frozen model."""
    stream = io.BytesIO()
    pack(open_bundle(MODEL), stream)
    return stream.getvalue()


def rebuilt(packed: bytes, change) -> bytes:
    """An archive of the same files after `change(files)`, a dictionary of name → data."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def added(tmp_path, data: bytes):
    """What `attn models add` says of an archive; nothing may be left in the registry."""
    file = tmp_path / "hostile.zip"
    file.write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    ended = attn("models", "add", file, "--name", "hostile")
    assert ended.status == 4, ended.err
    assert [path for path in tmp_path.rglob("*") if path not in before and path.is_file()] == []
    assert str(file) in ended.err
    return ended.err


# There and back


def test_a_packed_model_is_added_and_translates_the_same(home, tmp_path):
    ended = attn("models", "pack", MODEL, "-o", tmp_path / "m.zip")
    assert ended.status == 0, ended.err
    assert attn("models", "add", tmp_path / "m.zip", "--name", "copy").status == 0
    names = {path.name for path in (home / "copy").iterdir()}
    assert names == {*json.loads((MODEL / "bundle.json").read_text())["files"], "bundle.json"} | (
        {"MODEL_CARD.md"} & {path.name for path in MODEL.iterdir()}
    )
    both = [attn("translate", "I see a dog.", "-m", name).out for name in (MODEL, "copy")]
    assert both[0] == both[1] == "je vois un chien.\n"


def test_the_same_model_gives_the_same_bytes_and_a_card_comes_along(packed, home, tmp_path):
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


def test_stdout_takes_an_archive_and_a_terminal_does_not(home, tmp_path):
    piped = attn("models", "pack", MODEL, "-o", "-")
    (tmp_path / "piped.zip").write_bytes(piped.stdout)
    assert attn("models", "add", tmp_path / "piped.zip", "--name", "piped").status == 0
    assert attn("models", "pack", MODEL, "-o", "-", terminal=True).status == 2


def test_the_name_is_the_models_and_one_that_is_taken_needs_force(home, tmp_path, packed):
    (tmp_path / "m.zip").write_bytes(packed)
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


# Remove


def test_a_removed_model_is_gone_and_those_of_others_stay(home):
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
def test_a_path_is_no_name_to_remove(home, name):
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
def test_a_path_in_it_is_refused(home, tmp_path, packed, name):
    data = rebuilt(packed, lambda files: files.update({name: b"x"}))
    assert "not the archive" in added(tmp_path, data.replace(b"joint.spm#x", b"joint.spm\0x"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_a_link_or_a_device_in_it_is_refused(home, tmp_path, packed, kind):
    def change(files):
        files["link"] = files.pop("joint.spm")

    data = rebuilt(packed, change)
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a") as archive:
        entry = zipfile.ZipInfo("joint.spm")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "link or a device" in added(tmp_path, stream.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_twice_is_refused_in_any_case(home, tmp_path, packed):
    for name in ("joint.spm", "JOINT.SPM"):
        stream = io.BytesIO(packed)
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr(name, b"another")
        assert "twice" in added(tmp_path, stream.getvalue())


def test_a_file_that_bundle_json_does_not_name_is_refused(home, tmp_path, packed):
    assert "not in its bundle.json" in added(
        tmp_path, rebuilt(packed, lambda files: files.update({"setup.py": b"import os"}))
    )


def test_a_file_that_is_missing_or_has_another_size_or_content_is_refused(home, tmp_path, packed):
    assert "lacks the file joint.spm" in added(
        tmp_path, rebuilt(packed, lambda files: files.pop("joint.spm"))
    )
    assert "bytes instead of" in added(
        tmp_path, rebuilt(packed, lambda files: files.update({"joint.spm": b"short"}))
    )


def test_content_with_another_checksum_is_refused(home, tmp_path, packed):
    def change(files):
        files["joint.spm"] = bytes(reversed(files["joint.spm"]))

    file = tmp_path / "hostile.zip"
    file.write_bytes(rebuilt(packed, change))
    ended = attn("models", "add", file, "--name", "hostile")
    assert ended.status == 4
    assert "checksum" in ended.err
    assert not (home / "hostile").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(home, tmp_path, packed):
    size = 1 << 28

    def change(files):
        facts = json.loads(files["bundle.json"])
        facts["files"]["bomb"] = {"bytes": size, "sha256": "0" * 64}
        files["bundle.json"] = json.dumps(facts).encode()
        files["bomb"] = bytes(size)

    assert "more than 20 times" in added(tmp_path, rebuilt(packed, change))


def test_a_file_that_unpacks_to_more_than_its_directory_says_is_refused(home, tmp_path, packed):
    """The directory promises what bundle.json says; the data go on."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        size = archive.getinfo("joint.spm").file_size
    long = rebuilt(packed, lambda files: files.update({"joint.spm": bytes(size + 5)}))
    field = struct.pack("<L", size + 5)
    assert field in long
    assert "not the archive" in added(tmp_path, long.replace(field, struct.pack("<L", size)))


def test_overlapping_files_are_refused(home, tmp_path, packed):
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
    assert "overlap" in added(tmp_path, stream.getvalue())


def test_a_long_directory_is_refused(home, tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(1000):
            archive.writestr(f"{number}", b"")
    assert "more than 64 files" in added(tmp_path, stream.getvalue())


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"format": 99}', b"\xff", b"[" * 100_000])
def test_a_bundle_json_that_is_none_is_refused(home, tmp_path, packed, text):
    added(tmp_path, rebuilt(packed, lambda files: files.update({"bundle.json": text})))


def test_no_cut_and_no_changed_byte_adds_half_a_model(home, tmp_path, packed):
    draw = random.Random(15)
    for _ in range(60):
        data = bytearray(packed)
        if draw.random() < 0.3:
            del data[draw.randrange(len(data)) :]
        else:
            for _ in range(draw.randint(1, 4)):
                data[draw.choice([draw.randrange(len(data)), -draw.randrange(1, 900)])] ^= 1 << (
                    draw.randrange(8)
                )
        (tmp_path / "m.zip").write_bytes(data)
        ended = attn("models", "add", tmp_path / "m.zip", "--name", "m", "--force")
        assert ended.status in (0, 2, 4), ended.err
        if ended.status == 0:  # the change was in a time or an attribute
            assert attn("models", "remove", "m").status == 0
        assert not (home / "m").exists()


def test_what_is_no_archive_is_said(tmp_path):
    for data in (b"", b"PK\3\4", b"PK\5\6" + bytes(18), b"hello"):
        (tmp_path / "m.zip").write_bytes(data)
        with pytest.raises(ModelError, match=r"m\.zip"), open_archive(tmp_path / "m.zip"):
            pass
