"""Event files for TensorBoard, read by TensorBoard itself."""

import pytest
from program import TINY, attn

from attn_cli.cli import train_run as command
from attn_cli.training import events
from attn_cli.training.tensorboard import FOLDER, scalars, tensorboard_listener

OPTIONS = (*TINY, "--set", "train.tensorboard=true", "--set", "train.log_every=2")


def curves(folder):
    """Return each curve as (update, value) pairs."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = loader.EventAccumulator(str(folder / FOLDER))
    accumulator.Reload()
    return {
        name: [(point.step, round(point.value, 3)) for point in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def progress(step, loss):
    return events.Progress(step, 9, 0, loss, None, 0.5, 10.0, 1.0, 1.0)


def test_only_progress_and_validation_events_are_points_of_curves():
    validation = events.ValidationFinished(7, 1.5, 20.0, 40.0, True, 1.0)
    assert scalars(validation) == {
        "validation/loss": 1.5, "validation/BLEU": 20.0, "validation/chrF": 40.0,
    }  # fmt: skip
    assert scalars(progress(7, 2.0))["train/loss"] == 2.0
    assert scalars(events.Notice("x")) == {}


def test_a_resumed_training_replaces_the_points_that_were_lost(tmp_path):
    start = events.TrainingStarted(0, 9, 1, "cpu", "fp32", 1)
    with tensorboard_listener(tmp_path) as draw:
        for event in (start, progress(2, 5.0), progress(4, 99.0)):
            draw(event)
    with tensorboard_listener(tmp_path) as draw:
        for event in (events.TrainingStarted(3, 9, 1, "cpu", "fp32", 1), progress(4, 3.0)):
            draw(event)
    assert curves(tmp_path)["train/loss"] == [(2, 5.0), (4, 3.0)]


def test_a_training_writes_curves(pairs_file, tmp_path):
    pytest.importorskip("tensorboard")
    out = tmp_path / "x"
    assert (
        attn("train", "--pairs", pairs_file, "--out", out, *OPTIONS, "--max-steps", "4").status == 0
    )
    points = curves(out)
    assert [step for step, _ in points["train/loss"]] == [2, 4]
    assert [step for step, _ in points["validation/BLEU"]] == [4]


def test_without_tensorboard_the_command_fails_early_and_says_what_to_install(
    pairs_file, tmp_path, monkeypatch
):
    def need(*packages):
        if "tensorboard" in packages:
            raise ModuleNotFoundError

    monkeypatch.setattr(command, "need", need)
    result = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", *OPTIONS)
    assert result.status == 2
    assert "pip install 'attn-cli[tensorboard]'" in result.err
    assert not (tmp_path / "x").exists()
