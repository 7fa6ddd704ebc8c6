"""Bundles from untrusted sources: links, pipes, huge files, damage that keeps size and time."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from program import attn

from attn_cli.bundles import manifest, storage, vocabularies
from attn_cli.bundles.bundle import open_bundle
from attn_cli.bundles.manifest import printable, read_for_display, read_manifest
from attn_cli.errors import ModelError

MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v1"
NAMES = (*read_manifest(MODEL)["files"], manifest.FACTS, manifest.CARD)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")


@pytest.fixture
def model(tmp_path):
    """A copy of a model with graphs, weights and a card."""
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    (folder / manifest.CARD).write_text("# A card\n")
    return folder


def commands(model):
    """Yield each command that reads the files of a model."""
    yield "models", "verify", model
    yield "models", "show", model
    yield "models", "add", model, "--name", "mine"
    yield "translate", "-m", model, "I see."
    yield "align", "-m", model, "I see.", "je vois."


def files_of(command):
    """Return the files that make a command fail if they are outside the folder."""
    if command[1] == "show":
        return {manifest.FACTS, manifest.CARD}
    return {*NAMES} - {manifest.CARD} if command[1] != "add" else {*NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("_empty_registry")
def test_a_file_that_is_a_link_out_of_the_folder_is_refused(name, model, tmp_path):
    if name == manifest.CARD:
        (model / name).write_text("secret")
    (model / name).rename(tmp_path / "secret")
    (model / name).symlink_to(tmp_path / "secret")
    for command in commands(model):
        result = attn(*command)
        if name in files_of(command):
            assert (result.status, result.stdout) == (4, b""), command
            assert "leads out of its folder" in result.err
        assert "secret" not in result.out
    assert not list((tmp_path / "home").rglob(name))


def test_a_link_within_the_folder_is_followed(model):
    (model / "blob").write_bytes((model / manifest.WEIGHTS).read_bytes())
    (model / manifest.WEIGHTS).unlink()
    (model / manifest.WEIGHTS).symlink_to("blob")
    assert open_bundle(model).weights.read_bytes() == (model / "blob").read_bytes()


def test_a_staged_file_behind_a_linked_folder_is_refused(model, tmp_path):
    facts = read_manifest(model)
    (tmp_path / "elsewhere").mkdir()
    (model / manifest.WEIGHTS).rename(tmp_path / "elsewhere" / manifest.WEIGHTS)
    (model / manifest.STAGING).symlink_to(tmp_path / "elsewhere")
    (model / manifest.FACTS).write_text(json.dumps(facts | {"staged": [manifest.WEIGHTS]}))
    with pytest.raises(ModelError, match="leads out"):
        open_bundle(model)


def make_pipe(path):
    os.mkfifo(path)


def make_sparse_file(path):
    with path.open("wb") as file:
        file.truncate(3 << 30)


@pytest.mark.parametrize("make", [make_pipe, make_sparse_file, Path.mkdir])
@pytest.mark.parametrize("name", [manifest.FACTS, manifest.RECIPE, manifest.CARD])
def test_a_text_that_is_a_pipe_a_folder_or_too_large_is_refused_at_once(name, make, model):
    (model / name).unlink()
    make(model / name)
    result = attn("models", "show", model)
    if name != manifest.RECIPE:
        assert (result.status, result.stdout) == (4, b"")
    if name != manifest.CARD:
        assert attn("translate", "-m", model, "I see.").status == 4


def test_a_recipe_that_is_a_device_is_refused_after_the_size_limit():
    result = attn("train", "/dev/zero")
    assert result.status == 2
    assert "has more than" in result.err


def test_an_altered_card_is_refused_once_its_checksum_is_known(model, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    storage.copy(open_bundle(model), copy)
    assert read_for_display(copy, read_manifest(copy), manifest.CARD) == "# A card\n"
    (copy / manifest.CARD).write_text("# B card\n")
    with pytest.raises(ModelError, match=r"checksum \(sha256\) of MODEL_CARD.md"):
        read_for_display(copy, read_manifest(copy), manifest.CARD)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mb\x1b[0m", "ab"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\b", "ab"),
        ("a\x9b2Jb\rc\x00\x08", "a2Jbc"),
        ("l'œuvre\u202f: 1\u00a0000\n\tfin", "l'œuvre\u202f: 1\u00a0000\n\tfin"),
        ("a\u202eb\u2066c", "abc"),
    ],
)
def test_control_sequences_are_removed_before_display(text, expected, model):
    assert printable(text) == expected
    (model / manifest.CARD).write_text(text, encoding="utf-8", newline="")
    assert attn("models", "show", model).out == expected


def overwrite_with_zeros(file):
    """Overwrite the second half with zeros, as a disk might, and keep the time."""
    before, content = file.stat(), file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] + bytes(len(content) - half))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (manifest.GRAPH_WEIGHTS, ("--engine", "onnx")),
        (manifest.ENCODER, ("--engine", "onnx")),
        (manifest.STEP, ("--engine", "onnx")),
        (manifest.WORD_ALIGNER_GRAPH, ("--engine", "onnx", "--align", "--weights", "alignment")),
        (manifest.WEIGHTS, ("--engine", "torch")),
        (manifest.WORD_ALIGNER, ("--engine", "torch", "--align", "--weights", "alignment")),
        (manifest.RECIPE, ()),
        (vocabularies.JOINT, ()),
    ],
)
def test_damage_that_keeps_size_and_time_is_detected_after_the_first_use(name, options, model):
    name = manifest.stored_name(read_manifest(model), name)
    command = ("translate", "-m", model, "I see.", *options)
    assert attn(*command).status == 0
    overwrite_with_zeros(model / name)
    result = attn(*command)
    assert (result.status, result.stdout) == (4, b"")
    assert f"the checksum (sha256) of {name} does not match" in result.err


def test_forced_decoding_compares_the_checksum_of_its_graph(model):
    overwrite_with_zeros(model / manifest.FORCED)
    result = attn("align", "-m", model, "I see.", "je vois.", "--weights", "attention")
    assert result.status == 4
    assert f"checksum (sha256) of {manifest.FORCED}" in result.err
