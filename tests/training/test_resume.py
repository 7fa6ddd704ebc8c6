"""A training that a real signal ends is resumed to the parameters of an uninterrupted one.

`make test` kills a process; the other signals are slow tests, because test_nothing_lost.py
simulates them within the process of the tests.
"""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from program import TINY, WORD_ALIGNER, attn
from safetensors.torch import load_file
from training_log import read_events

from attn_cli import config
from attn_cli.training.resume import read_plan

#: All that is random in a training (sampled pieces, dropout, shuffled batches), and an average.
RECIPE = (
    *TINY,
    *("--set", "tokenizer.subword_alpha=0.5", "--set", "train.validate_every=20"),
    *("--set", "train.log_every=1", "--max-steps", "60"),
)
CUT = 45  # between the validations at 40 and 60, in the middle of an epoch

#: Runs `attn`, which sends itself a signal after a given update of a trainer.
PROGRAM = """
import importlib, os, sys
from attn_cli.cli import app
signal, step, module, name = (sys.argv.pop(1) for _ in range(4))
trainer = getattr(importlib.import_module(module), name)
update = trainer._update
def hooked(self, *batch):
    update(self, *batch)
    if self.state.step == int(step):
        os.kill(os.getpid(), int(signal))
trainer._update = hooked
app.main()
"""
NETWORK_TRAINER, ALIGNER_TRAINER = (
    "attn_cli.training.trainer.Trainer",
    "attn_cli.training.aligner_trainer.AlignerTrainer",
)


def train_until_signal(number, *arguments, step=CUT, trainer=NETWORK_TRAINER):
    """Run `attn train` until it sends itself this signal; return its status and stderr."""
    hook = (int(number), step, *trainer.rsplit(".", 1))
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, (*hook, "train", *arguments))],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80"},
        timeout=600,
    )
    assert result.stdout == ""
    return result.returncode, result.stderr


def last_guided_loss(out):
    """Return the guided loss of the last update in the log."""
    return read_events(out, "progress")[-1]["guided"]


@pytest.fixture(scope="module")
def uncut(pairs_file, tmp_path_factory):
    """The folder of a training without interruptions."""
    out = tmp_path_factory.mktemp("runs") / "uncut"
    assert attn("train", "--pairs", pairs_file, "--out", out, *RECIPE).status == 0
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="interrupt", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, id="terminate", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -9, id="kill"),
    ],
)
def test_a_training_ended_by_a_signal_is_resumed_to_the_same_parameters(
    number, status, uncut, pairs_file, tmp_path
):
    out = tmp_path / "cut"
    returncode, stderr = train_until_signal(number, "--pairs", pairs_file, "--out", out, *RECIPE)
    assert returncode == status
    if number != signal.SIGKILL:
        assert f"attn train --resume {out}" in stderr.splitlines()[-1]
    assert attn("translate", "-m", out, "I see.").status == 0  # a model before its training ends

    resumed = attn("train", "--resume", out, "--threads", "1")
    assert resumed.status == 0
    assert f"updates {40 if number == signal.SIGKILL else CUT} to 60" in resumed.err

    file_name = "model.safetensors"
    assert (out / file_name).read_bytes() == (uncut / file_name).read_bytes()
    actual, expected = (
        load_file(each / "checkpoints" / "last.safetensors") for each in (out, uncut)
    )
    assert actual.keys() == expected.keys()
    assert all(actual[name].equal(expected[name]) for name in actual)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
def test_a_killed_guided_training_is_resumed_to_the_same_parameters(pairs_file, tmp_path):
    links = tmp_path / "pairs.links"
    links.write_text("0-0 1-1:0.6 2-1:0.4\n" * len(pairs_file.read_text().splitlines()))
    recipe = (
        *RECIPE,
        "--set",
        f"train.guided_alignment={links}",
        "--set",
        "train.guided_alignment_decay=0",
    )
    uncut, cut = tmp_path / "uncut", tmp_path / "cut"
    assert attn("train", "--pairs", pairs_file, "--out", uncut, *recipe).status == 0
    train_until_signal(signal.SIGKILL, "--pairs", pairs_file, "--out", cut, *recipe)
    assert attn("train", "--resume", cut, "--threads", "1").status == 0

    actual, expected = (
        load_file(each / "checkpoints" / "last.safetensors") for each in (cut, uncut)
    )
    assert actual.keys() == expected.keys()
    assert all(actual[name].equal(expected[name]) for name in actual)
    actual, expected = (last_guided_loss(each) for each in (cut, uncut))
    assert actual == expected > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)], ids=["interrupt", "kill"]
)
def test_a_training_ended_while_its_word_aligner_learns_is_resumed_to_the_same_files(
    number, status, pairs_file, links_file, tmp_path
):
    links = ("--set", f"train.guided_alignment={links_file}", "--set", "train.aligner_steps=12")
    recipe = (
        *RECIPE,
        *WORD_ALIGNER,
        *links,
        "--set",
        "train.guided_alignment_weight=1",
        "--max-steps",
        "20",
    )
    uncut, cut = tmp_path / "uncut", tmp_path / "cut"
    assert attn("train", "--pairs", pairs_file, "--out", uncut, *recipe).status == 0
    text = ("--pairs", pairs_file, "--out", cut)
    returncode, stderr = train_until_signal(number, *text, *recipe, step=8, trainer=ALIGNER_TRAINER)
    assert returncode == status
    assert not (cut / "word_aligner.safetensors").exists()
    if number != signal.SIGKILL:
        assert f"attn train --resume {cut}" in stderr.splitlines()[-1]
    assert attn("train", "--resume", cut, "--threads", "1").status == 0
    for name in ("word_aligner.safetensors", "model.safetensors"):
        assert (cut / name).read_bytes() == (uncut / name).read_bytes()


def test_a_resumed_training_can_be_longer_and_its_recipe_has_the_new_length(uncut, tmp_path):
    out = shutil.copytree(uncut, tmp_path / "longer")
    recipe = config.rebase_paths(config.load(out / "recipe.toml"), uncut, out)
    (out / "recipe.toml").write_text(config.to_toml(recipe))
    assert attn("train", "--resume", out, "--max-steps", "62", "--threads", "1").status == 0
    assert config.load(out / "recipe.toml").train.max_steps == 62
    assert attn("translate", "-m", out, "I see.").status == 0


def test_resuming_a_training_on_another_text_is_refused(pairs_file, uncut, tmp_path):
    out = shutil.copytree(uncut, tmp_path / "other")
    other = tmp_path / "other.tsv"
    other.write_text(pairs_file.read_text() * 2)
    recipe = config.with_files(config.load(out / "recipe.toml"), {"pairs": str(other)})
    (out / "recipe.toml").write_text(config.to_toml(recipe))
    result = attn("train", "--resume", out)
    assert result.status == 3
    assert "pairs" in result.err


def test_a_damaged_checkpoint_exits_with_status_4_and_its_file_name(model_copy):
    state = model_copy / "checkpoints" / "last.safetensors"
    state.write_bytes(state.read_bytes()[:999])
    result = attn("train", "--resume", model_copy)
    assert result.status == 4
    assert "last.safetensors" in result.err


def test_a_training_from_before_word_aligners_is_resumed_without_one(tmp_path):
    """An older recipe.toml has no key of a word aligner in [model]; a current one always has."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.safetensors").touch()
    (tmp_path / "recipe.toml").write_text("[model]\nembedding = 32\n")
    assert not read_plan(tmp_path).plan.recipe.model.word_aligner.enabled
    (tmp_path / "recipe.toml").write_text("[model.word_aligner]\nwidth = 32\n")
    assert read_plan(tmp_path).plan.recipe.model.word_aligner.enabled
