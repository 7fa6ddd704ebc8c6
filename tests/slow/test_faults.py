"""After a fault of the disk at any change or write of `attn train`, the training can be completed.

Each training runs in this process. After a failed change the folder is a complete model or none,
the status is 0, or 5 with a message, and another command completes the training.
"""

import errno
import shutil

import pytest
from faults import failing_at
from program import PAIRS, TINY, attn

from attn_cli.bundles import bundle, manifest
from attn_cli.training.resume import CHECKPOINTS, NEXT_PLAN, PLAN

STEPS = ("--max-steps", "2", "--set", "train.validate_every=1")


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{s}\t{t}\n" for s, t in list(PAIRS.items())[:8]), encoding="utf-8")
    return ("--pairs", path, "--valid-pairs", path, *TINY, *STEPS)


def is_resumable(out):
    """Return whether the folder has a training to resume."""
    checkpoints = out / CHECKPOINTS
    return (checkpoints / PLAN).exists() or (checkpoints / NEXT_PLAN).exists()


def complete(text, out):
    """Resume a training, or start it, without faults."""
    result = (
        attn("train", "--resume", out) if is_resumable(out) else attn("train", *text, "--out", out)
    )
    assert result.status == 0, result.err[-500:]
    manifest.verify_checksums(out)
    assert attn("translate", "-m", out, "I see a dog.").status == 0


def count_changes(text, folder):
    """Return the changes and writes of a training without a fault."""
    with failing_at(float("inf"), folder, errno.EIO) as disk:
        assert attn("train", *text, "--out", folder / "run").status == 0
    shutil.rmtree(folder / "run")
    return disk.changes


def fail_at(change, error, text, folder):
    """Train with one fault, check the folder, and complete the training. Return the status."""
    out = folder / "run"
    with failing_at(change, folder, error):
        result = attn("train", *text, "--out", out)
    context = (change, error, result.err[-800:])
    assert result.status in (0, 2, 5), context  # 2: --out cannot be made
    if result.status:
        assert result.err.count("attn: ") >= 1, context
    if (out / manifest.FACTS).exists():
        manifest.verify_checksums(out)
        bundle.open_bundle(out)
    complete(text, out)
    shutil.rmtree(out)
    return result.status


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EINTR], ids=errno.errorcode.get)
def test_a_training_with_a_fault_of_the_disk_can_be_completed(error, text, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    statuses = [fail_at(n, error, text, folder) for n in range(count_changes(text, folder))]
    assert set(statuses) <= {0, 2, 5}
    assert 5 in statuses
