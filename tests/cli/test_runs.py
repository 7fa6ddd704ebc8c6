"""attn runs, on logs written by hand."""

import json
import os
import socket

import pytest
from program import attn

from attn_cli.training.runs import read_run

NOW = 1_700_000_000.0


def row(event, offset, /, **fields):
    return {"time": NOW + offset, "event": event, **fields}


def validation_row(seconds, step, bleu, loss=2.0):
    return row("validation_finished", seconds, step=step, loss=loss, bleu=bleu)


UNFINISHED = [
    row("phase", 0, number=1, name="text", phases=["text", "network"]),
    row("training_started", 10, step=0, max_steps=100),
    row("progress", 20, step=50, loss=4.0, seconds=10.0),
    validation_row(30, 50, 12.5, 3.0),
]
FINISHED = [
    *UNFINISHED,
    validation_row(60, 100, 11.0),
    row("training_finished", 90, reason="steps", bleu=13.0),
]


def write_run(folder, rows, recipe="", end=""):
    folder.mkdir(parents=True)
    text = "".join(json.dumps(each) + "\n" for each in rows) + end
    (folder / "log.jsonl").write_text(text)
    (folder / "recipe.toml").write_text(recipe)
    return folder


def state_of(rows, tmp_path, *, now=NOW + 1e6):
    return read_run(write_run(tmp_path / "x", rows), now=now).state


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        (FINISHED, "finished"),
        ([*FINISHED, row("graphs_exported", 95, seconds=5.0)], "finished"),
        (
            [*UNFINISHED, row("training_finished", 40, reason="interrupted", bleu=0.0)],
            "interrupted",
        ),
        (UNFINISHED, "crashed"),
        ([*FINISHED, *UNFINISHED], "crashed"),  # a resume that was killed
        ([], "crashed"),
    ],
)
def test_the_state_of_a_run_follows_from_the_end_of_its_log(rows, state, tmp_path):
    assert state_of(rows, tmp_path) == state


def test_a_run_with_a_recent_log_is_running(tmp_path):
    assert state_of(UNFINISHED, tmp_path, now=NOW + 60) == "running"


@pytest.mark.parametrize(
    ("process", "state"),
    [(os.getpid(), "running"), (2**22 + 1, "crashed")],
    ids=["alive", "dead"],  # the same in every process that collects tests
)
def test_the_process_of_a_lock_decides_whether_a_run_is_running_or_crashed(
    process, state, tmp_path
):
    folder = write_run(tmp_path / "x", UNFINISHED)
    (folder / ".lock").write_text(f"{process} {socket.gethostname()}\n")
    fresh, old = NOW + 60, NOW + 1e6
    assert [read_run(folder, now=now).state for now in (fresh, old)] == [state, state]


def test_loss_and_bleu_are_those_of_the_best_validation_or_a_better_average(tmp_path):
    run = read_run(write_run(tmp_path / "x", FINISHED))
    assert (run.loss, run.bleu, run.updates, run.minutes) == (3.0, 13.0, 100, 1.5)
    assert run.bleus == [(50.0, 12.5), (100.0, 11.0)]


def test_validations_after_the_last_checkpoint_of_a_killed_process_are_left_out(tmp_path):
    resumed_rows = [
        row("phase", 1000, number=1, name="text"),
        row("training_started", 1010, step=60),
        validation_row(1030, 100, 20.0),
    ]
    run = read_run(
        write_run(tmp_path / "x", [*UNFINISHED, validation_row(60, 100, 99.0), *resumed_rows])
    )
    assert run.bleus == [(50.0, 12.5), (100.0, 20.0)]
    assert run.minutes == 1.5  # 1 + 0.5, without the time between the two processes


@pytest.mark.parametrize(
    "end",
    ['{"time": 1, "ev', "\n\n", "\x00\x01\n", "[1]\n", "null\n", '{"event": 7}\n',
     '{"event": "validation_finished", "step": "x", "bleu": null, "time": "y"}\n'],
)  # fmt: skip
def test_an_incomplete_end_of_a_log_is_ignored(end, tmp_path):
    run = read_run(write_run(tmp_path / "x", UNFINISHED, end=end))
    assert (run.updates, run.bleu) == (50, 12.5)


@pytest.fixture
def runs_folder(tmp_path, monkeypatch):
    """A folder of three runs: two differ in the learning rate, one has an unreadable recipe."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "a", FINISHED, 'name = "a"\n[train]\nlearning_rate = 1e-3\n')
    write_run(
        tmp_path / "runs" / "b" / "c", UNFINISHED, 'name = "b"\n[train]\nlearning_rate = 2e-3\n'
    )
    write_run(tmp_path / "runs" / "d", [], "[[[")
    return tmp_path / "runs"


def test_in_a_pipe_each_run_is_a_line_of_fields(runs_folder):
    lines = [line.split("\t") for line in attn("runs").lines()]
    assert lines == [
        ["run", "state", "updates", "minutes", "loss", "BLEU", "differs in"],
        ["runs/a", "finished", "100", "1.5", "3.000", "13.0", "learning_rate=0.001"],
        ["runs/b/c", "crashed", "50", "0.5", "3.000", "12.5", "learning_rate=0.002"],
        ["runs/d", "crashed", "0", "0.0", "-", "-", "-"],
    ]


def test_on_a_terminal_there_are_curves_too(runs_folder):
    output = attn("runs", terminal=True).out
    assert "runs/b/c" in output
    assert "BLEU  11.0 to 12.5, updates 50 to 100" in output
    assert any("\u2801" <= character <= "\u28ff" for character in output)


def test_json_has_all_fields_of_each_run(runs_folder):
    a, c, d = json.loads(attn("runs", "runs/a", "runs/b/c", "runs/d", "--json").out)
    assert [each["folder"] for each in (a, c, d)] == ["runs/a", "runs/b/c", "runs/d"]
    assert a["validations"][0] == {"step": 50, "loss": 3.0, "bleu": 12.5}
    assert a["differs"] == {"learning_rate": 0.001}
    assert a["recipe"]["train.learning_rate"] == 0.001
    assert (d["recipe"], d["bleu"], d["resumable"]) == ({}, None, False)


def test_a_real_training_is_finished_and_can_be_resumed(tiny):
    (run,) = json.loads(attn("runs", tiny, "--json").out)
    assert (run["state"], run["updates"], run["resumable"]) == ("finished", 160, True)
    assert run["bleu"] > 50


def test_a_folder_without_runs_is_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = attn("runs")
    assert (result.status, result.out) == (0, "")
    assert "no runs in runs" in result.err
    assert attn("runs", tmp_path / "nowhere").status == 2
    assert json.loads(attn("runs", "--json").out) == []
