"""Workers of one training: their ranks, and that two of them train as one does."""

import numpy as np
import pytest
from program import TINY, WORD_ALIGNER, attn
from training_log import losses_of

from attn_cli.errors import TrainingError, UsageError
from attn_cli.training import aligner_trainer, checkpoint
from attn_cli.training.group import Group, join_group
from attn_cli.training.launch import default_workers
from attn_cli.training.resume import CHECKPOINTS
from attn_cli.training.worker_rank import WorkerRank

DROPOUT = ("embedding", "states", "output")

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def test_a_worker_reads_its_rank_from_the_variables_of_torchrun():
    assert WorkerRank.from_environment(TORCHRUN) == WorkerRank(3, 8, 1, 2)
    assert WorkerRank.from_environment({}) is None


@pytest.mark.parametrize("variables", [{"RANK": "8"}, {"RANK": "x"}, {"LOCAL_RANK": "2"}])
def test_impossible_ranks_are_refused(variables):
    with pytest.raises(UsageError):
        WorkerRank.from_environment(TORCHRUN | variables)


def test_with_one_worker_every_exchange_returns_its_input():
    group = Group()
    assert group.sum([1.0, 2.5]) == [1.0, 2.5]
    assert group.broadcast({"a": 1}) == {"a": 1}
    assert group.gather("é") == ["é"]


def test_a_missing_worker_is_an_error_that_says_so(monkeypatch):
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
def test_the_default_is_a_worker_for_each_core_if_the_batches_are_large_enough(
    cores, pieces, updates, workers
):
    assert default_workers(cores, batch_pieces=pieces, updates=updates) == workers


@pytest.fixture(scope="module")
def run_folders(tmp_path_factory, pairs_file, links_file):
    """The folders of one training, in fp32 and without dropout: by one worker, by two, in parts.

    The training has a word aligner. The parts are those of `train.accumulate`.
    """
    links = ("--set", f"train.guided_alignment={links_file}")
    aligner = (*WORD_ALIGNER, *links, "--set", "model.word_aligner.dropout=0")
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, *TINY, *aligner)
    text = (*text, "--set", "train.aligner_steps=12")
    exact = ("--set", "train.precision=fp32", "--set", "train.log_every=1")
    no_dropout = [a for part in DROPOUT for a in ("--set", f"model.dropout.{part}=0")]
    folders = {}
    for name, options in {
        "one": ("--workers", "1"),
        "two": ("--workers", "2"),
        "parts": ("--workers", "1", "--set", "train.accumulate=3"),
    }.items():
        out = folders[name] = tmp_path_factory.mktemp("workers") / name
        result = attn(
            "train", *text, "--out", out, "--max-steps", "12", *exact, *no_dropout, *options
        )
        assert result.status == 0, result.err
    return folders


def test_one_worker_two_workers_and_accumulated_parts_have_the_same_losses(run_folders):
    """The tolerance is 1e-4: the batches are the same, and so are their means."""
    one, two, parts = (
        losses_of(out, "progress", "validation_finished") for out in run_folders.values()
    )
    assert len(one) == 13
    np.testing.assert_allclose(two, one, atol=1e-4)
    np.testing.assert_allclose(parts, one, atol=1e-4)
    assert np.ptp(one) > 0.1  # they learn


def test_the_word_aligner_has_the_same_losses_on_two_workers_as_on_one(run_folders):
    one, two = (
        losses_of(run_folders[name], "aligner_training_progress") for name in ("one", "two")
    )
    assert len(one) == 12
    np.testing.assert_allclose(two, one, atol=1e-4)
    assert np.ptp(one) > 0.1


def test_two_workers_predict_the_same_links_for_all_pairs_as_one(run_folders):
    tables = []
    for name in ("one", "two"):
        tensors, _ = checkpoint.load(
            run_folders[name] / CHECKPOINTS / aligner_trainer.ALIGNER_CHECKPOINT
        )
        tables.append(checkpoint.links_from_tensors(checkpoint.with_prefix(tensors, "verdicts.")))
    one, two = tables
    assert len(one.score) > 200
    for field in ("starts", "source", "target"):
        np.testing.assert_array_equal(getattr(two, field), getattr(one, field))
    np.testing.assert_allclose(two.score, one.score, atol=1e-4)
