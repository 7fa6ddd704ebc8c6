"""Workers that train together: who they are, and that a training on two is that on one."""

import json

import numpy as np
import pytest
from program import TINY, WORD_ALIGNER, attn

from attn_cli.errors import TrainingError, UsageError
from attn_cli.training import aligner_trainer, checkpoint
from attn_cli.training.group import Group, join_group
from attn_cli.training.launch import default_workers
from attn_cli.training.resume import CHECKPOINTS
from attn_cli.training.worker_rank import WorkerRank

DROPOUT = ("embedding", "states", "output")

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def test_torchruns_variables_tell_a_worker_its_place():
    assert WorkerRank.from_environment(TORCHRUN) == WorkerRank(3, 8, 1, 2)
    assert WorkerRank.from_environment({}) is None


@pytest.mark.parametrize("wrong", [{"RANK": "8"}, {"RANK": "x"}, {"LOCAL_RANK": "2"}])
def test_places_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError):
        WorkerRank.from_environment(TORCHRUN | wrong)


def test_alone_every_exchange_returns_what_it_is_given():
    group = Group()
    assert group.sum([1.0, 2.5]) == [1.0, 2.5]
    assert group.broadcast({"a": 1}) == {"a": 1}
    assert group.gather("é") == ["é"]


def test_a_worker_that_does_not_appear_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr("attn_cli.training.group.JOIN_SECONDS", 0.5)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "0")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="could not connect to all 2 workers"):
        join_group(WorkerRank(0, 2, 0, 2), cuda=False)


@pytest.mark.parametrize(
    ("cores", "pieces", "updates", "workers"),
    [
        (1, 2000, 3000, 1),
        (2, 2000, 3000, 2),
        (64, 2000, 0, 4),
        (8, 16000, 9000, 8),
        (8, 2000, 9, 1),
    ],
)
def test_by_default_there_is_a_worker_for_each_core_that_large_batches_keep_busy(
    cores, pieces, updates, workers
):
    assert default_workers(cores, batch_pieces=pieces, updates=updates) == workers


def losses_of(folder, *names):
    rows = map(json.loads, (folder / "log.jsonl").read_text("utf-8").splitlines())
    return np.array([row["loss"] for row in rows if row["event"] in names])


@pytest.fixture(scope="module")
def trained(tmp_path_factory, pairs_file, links_file):
    """The folders of the same training, word aligner and network, by one worker, two, and in parts:
    in fp32 and without dropout."""
    links = ("--set", f"train.guided_alignment={links_file}")
    aligner = (*WORD_ALIGNER, *links, "--set", "model.word_aligner.dropout=0")
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, *TINY, *aligner)
    text = (*text, "--set", "train.aligner_steps=12")
    exact = ("--set", "train.precision=fp32", "--set", "train.log_every=1")
    still = [a for part in DROPOUT for a in ("--set", f"model.dropout.{part}=0")]
    folders = {}
    for name, more in {
        "one": ("--workers", "1"),
        "two": ("--workers", "2"),
        "parts": ("--workers", "1", "--set", "train.accumulate=3"),
    }.items():
        out = folders[name] = tmp_path_factory.mktemp("workers") / name
        ended = attn("train", *text, "--out", out, "--max-steps", "12", *exact, *still, *more)
        assert ended.status == 0, ended.err
    return folders


def test_the_losses_of_one_worker_of_two_and_of_parts_are_the_same(trained):
    """To 1e-4: the batches are the same, and so are their means."""
    one, two, parts = (
        losses_of(out, "progress", "validation_finished") for out in trained.values()
    )
    assert len(one) == 13
    np.testing.assert_allclose(two, one, atol=1e-4)
    np.testing.assert_allclose(parts, one, atol=1e-4)
    assert np.ptp(one) > 0.1  # they learn


def test_the_word_aligner_of_two_workers_learns_as_that_of_one(trained):
    one, two = (losses_of(trained[name], "aligner_training_progress") for name in ("one", "two"))
    assert len(one) == 12
    np.testing.assert_allclose(two, one, atol=1e-4)
    assert np.ptp(one) > 0.1


def test_what_two_workers_say_of_the_links_of_all_pairs_is_what_one_says(trained):
    tables = []
    for name in ("one", "two"):
        tensors, _ = checkpoint.load(
            trained[name] / CHECKPOINTS / aligner_trainer.ALIGNER_CHECKPOINT
        )
        tables.append(checkpoint.links_from_tensors(checkpoint.with_prefix(tensors, "verdicts.")))
    one, two = tables
    assert len(one.score) > 200
    for part in ("starts", "source", "target"):
        np.testing.assert_array_equal(getattr(two, part), getattr(one, part))
    np.testing.assert_allclose(two.score, one.score, atol=1e-4)
