"""Sums are taken when a model is first used, and again when something about it has changed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from attn_cli.bundles import integrity, registry
from attn_cli.bundles.integrity import verify_once
from attn_cli.errors import ModelError

pytestmark = pytest.mark.usefixtures("_no_shelf")


@pytest.fixture
def memory(tmp_path):
    """Where it is remembered which models were sound."""
    return tmp_path / "home" / "verified.json"


def alter(folder):
    """Change a byte of the weights, in a file that is as large, and as old, as it was."""
    weights = folder / "model.safetensors"
    before = weights.stat()
    *rest, last = weights.read_bytes()
    weights.write_bytes(bytes([*rest, last ^ 1]))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(folder):
    """Make the weights a millisecond younger."""
    weights = folder / "model.safetensors"
    time = weights.stat().st_mtime_ns + 1_000_000
    os.utime(weights, ns=(time, time))


def is_altered():
    return pytest.raises(
        ModelError, match=r"the checksum \(sha256\) of model\.safetensors does not match"
    )


def test_an_altered_file_is_found_at_the_first_use(damaged, memory):
    alter(damaged)
    with is_altered():
        verify_once(damaged)
    assert not memory.exists()


def test_a_model_that_was_sound_is_not_read_again_while_nothing_changes(damaged):
    verify_once(damaged)
    alter(damaged)  # which nobody could see without reading it
    verify_once(damaged)


def test_a_file_of_another_time_is_read_again(damaged):
    verify_once(damaged)
    alter(damaged)
    touch(damaged)
    with is_altered():
        verify_once(damaged)


def test_a_bundle_json_of_other_content_has_everything_read_again(damaged):
    verify_once(damaged)
    alter(damaged)
    facts = json.loads((damaged / "bundle.json").read_text())
    (damaged / "bundle.json").write_text(json.dumps(facts | {"created": "today"}))
    with is_altered():
        verify_once(damaged)


def test_a_file_that_is_gone_is_missed_though_the_model_was_sound(damaged):
    verify_once(damaged)
    (damaged / "joint.spm").unlink()
    with pytest.raises(ModelError, match=r"lacks its file joint\.spm"):
        verify_once(damaged)


def test_a_model_is_remembered_by_its_real_path(damaged, tmp_path, memory):
    (tmp_path / "link").symlink_to(damaged)
    verify_once(tmp_path / "link")
    assert list(json.loads(memory.read_text())) == [os.path.realpath(damaged)]
    alter(damaged)
    verify_once(damaged)


def test_a_copy_is_another_model(damaged, tmp_path):
    verify_once(damaged)
    alter(damaged)
    shutil.copytree(damaged, tmp_path / "copy")
    with is_altered():
        verify_once(tmp_path / "copy")


def test_what_came_with_the_program_is_trusted_and_the_users_own_shelf_is_not(
    damaged, tmp_path, monkeypatch
):
    monkeypatch.setattr(registry, "_CHECKOUT", tmp_path / "checkout")
    alter(damaged)
    ours = shutil.copytree(damaged, tmp_path / "checkout" / "models" / "en-xx")
    theirs = shutil.copytree(damaged, tmp_path / "home" / "models" / "en-xx")
    verify_once(ours)
    with is_altered():
        verify_once(theirs)


def test_sums_can_be_taken_whatever_is_remembered(damaged):
    verify_once(damaged)
    integrity.verify(damaged)
    alter(damaged)
    with is_altered():
        integrity.verify(damaged)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"3", b'{"a": 3, "b": null}', b"\xff", b"[" * 100_000]
)
def test_a_memory_that_cannot_be_read_is_written_anew(damaged, memory, content):
    memory.parent.mkdir()
    memory.write_bytes(content)
    verify_once(damaged)
    assert json.loads(memory.read_text())[os.path.realpath(damaged)]
    alter(damaged)
    verify_once(damaged)


@pytest.mark.parametrize(
    "block", [Path.touch, lambda home: (home / "verified.json").mkdir(parents=True)]
)
def test_without_a_memory_the_sums_are_taken_each_time_and_nothing_is_said(damaged, memory, block):
    block(memory.parent)
    verify_once(damaged)
    verify_once(damaged)
    alter(damaged)
    with is_altered():
        verify_once(damaged)


def test_nothing_is_left_beside_the_memory(damaged, memory):
    verify_once(damaged)
    assert list(memory.parent.iterdir()) == [memory]
    memory.unlink()
    memory.mkdir()
    verify_once(damaged)
    assert list(memory.parent.iterdir()) == [memory]


def test_the_models_verified_longest_ago_are_forgotten(damaged, memory):
    memory.parent.mkdir()
    memory.write_text(json.dumps({str(n): "" for n in range(integrity.MOST)}))
    verify_once(damaged)
    kept = list(json.loads(memory.read_text()))
    assert kept == [*map(str, range(1, integrity.MOST)), os.path.realpath(damaged)]
