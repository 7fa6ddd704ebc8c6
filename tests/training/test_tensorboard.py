"""Event files for TensorBoard, read by TensorBoard itself."""

import pytest
from program import TINY, attn

from attn_cli.cli import train_run as command
from attn_cli.training import events
from attn_cli.training.tensorboard import FOLDER, scalars, tensorboard_listener

ON = (*TINY, "--set", "train.tensorboard=true", "--set", "train.log_every=2")


def curves(folder):
    """Each curve as (update, value) pairs."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = loader.EventAccumulator(str(folder / FOLDER))
    read.Reload()
    return {
        name: [(point.step, round(point.value, 3)) for point in read.Scalars(name)]
        for name in read.Tags()["scalars"]
    }


def progress(step, loss):
    return events.Progress(step, 9, 0, loss, None, 0.5, 10.0, 1.0, 1.0)


def test_a_progress_and_a_validation_are_points_of_curves_and_other_events_are_none():
    validated = events.ValidationFinished(7, 1.5, 20.0, 40.0, True, 1.0)
    assert scalars(validated) == {
        "validation/loss": 1.5, "validation/BLEU": 20.0, "validation/chrF": 40.0,
    }  # fmt: skip
    assert scalars(progress(7, 2.0))["train/loss"] == 2.0
    assert scalars(events.Notice("x")) == {}


def test_a_resumed_training_takes_the_place_of_what_was_lost(tmp_path):
    begun = events.TrainingStarted(0, 9, 1, "cpu", "fp32", 1)
    with tensorboard_listener(tmp_path) as draw:
        for event in (begun, progress(2, 5.0), progress(4, 99.0)):
            draw(event)
    with tensorboard_listener(tmp_path) as draw:
        for event in (events.TrainingStarted(3, 9, 1, "cpu", "fp32", 1), progress(4, 3.0)):
            draw(event)
    assert curves(tmp_path)["train/loss"] == [(2, 5.0), (4, 3.0)]


def test_a_training_writes_curves(pairs_file, tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "x"
    assert attn("train", "--pairs", pairs_file, "--out", out, *ON, "--max-steps", "4").status == 0
    found = curves(out)
    assert [step for step, _ in found["train/loss"]] == [2, 4]
    assert [step for step, _ in found["validation/BLEU"]] == [4]


def test_without_tensorboard_a_sentence_says_what_to_install_before_anything_begins(
    pairs_file, tmp_path, monkeypatch
):
    def need(*packages):
        if "tensorboard" in packages:
            raise ModuleNotFoundError

    monkeypatch.setattr(command, "need", need)
    ended = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *ON)
    assert ended.status == 2
    assert "pip install 'attn-cli[tensorboard]'" in ended.err
    assert not (tmp_path / "x").exists()
