"""A training that was cut off, by real signals, goes on to the very weights it would have had.

In `make test` a process is killed; its other ends are slow tests, for test_nothing_lost.py has them
within this process.
"""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from program import TINY, WORD_ALIGNER, attn
from safetensors.torch import load_file

from attn_cli import config
from attn_cli.training.resume import read_plan

#: Everything random that training has: sampled pieces, dropout, shuffled batches, an average.
RECIPE = (
    *TINY,
    *("--set", "tokenizer.subword_alpha=0.5", "--set", "train.validate_every=20"),
    *("--set", "train.log_every=1", "--max-steps", "60"),
)
CUT = 45  # between the validations at 40 and 60, in the middle of an epoch

#: `attn`, sending itself a signal when a trainer has made so many updates.
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
NETWORK, ALIGNMENT_HEAD = (
    "attn_cli.training.trainer.Trainer",
    "attn_cli.training.aligner_trainer.AlignerTrainer",
)


def cut_off(number, *arguments, step=CUT, trainer=NETWORK):
    """Run `attn train` in a process of its own, cut off by that signal; its status and stderr."""
    where = (int(number), step, *trainer.rsplit(".", 1))
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, (*where, "train", *arguments))],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80"},
        timeout=600,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def guided_at_the_end(out):
    """How far attention was from the links in the last update, as the log has it."""
    rows = map(json.loads, (out / "log.jsonl").read_text().splitlines())
    return [row["guided"] for row in rows if row["event"] == "progress"][-1]


@pytest.fixture(scope="module")
def uncut(pairs_file, tmp_path_factory):
    """The folder of a training that nothing cut off."""
    out = tmp_path_factory.mktemp("runs") / "uncut"
    assert attn("train", "--pairs", pairs_file, "--out", out, *RECIPE).status == 0
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(signal.SIGINT, 130, id="interrupt", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, id="terminate", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -9, id="kill"),
    ],
)
def test_a_training_cut_off_and_resumed_reaches_the_very_same_weights(
    number, status, uncut, pairs_file, tmp_path
):
    out = tmp_path / "cut"
    returned, said = cut_off(number, "--pairs", pairs_file, "--out", out, *RECIPE)
    assert returned == status
    if number != signal.SIGKILL:
        assert f"attn train --resume {out}" in said.splitlines()[-1]
    assert attn("translate", "-m", out, "I see.").status == 0  # a model before its training ends

    resumed = attn("train", "--resume", out, "--threads", "1")
    assert resumed.status == 0
    assert f"updates {40 if number == signal.SIGKILL else CUT} to 60" in resumed.err

    weights = "model.safetensors"
    assert (out / weights).read_bytes() == (uncut / weights).read_bytes()
    ours, theirs = (load_file(each / "checkpoints" / "last.safetensors") for each in (out, uncut))
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_a_guided_training_killed_and_resumed_reaches_the_very_same_weights(pairs_file, tmp_path):
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
    cut_off(signal.SIGKILL, "--pairs", pairs_file, "--out", cut, *recipe)
    assert attn("train", "--resume", cut, "--threads", "1").status == 0

    ours, theirs = (load_file(each / "checkpoints" / "last.safetensors") for each in (cut, uncut))
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    ours, theirs = (guided_at_the_end(each) for each in (cut, uncut))
    assert ours == theirs > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)], ids=["interrupt", "kill"]
)
def test_a_training_cut_off_while_its_word_aligner_learns_reaches_the_very_same_files(
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
    returned, said = cut_off(number, *text, *recipe, step=8, trainer=ALIGNMENT_HEAD)
    assert returned == status
    assert not (cut / "word_aligner.safetensors").exists()
    if number != signal.SIGKILL:
        assert f"attn train --resume {cut}" in said.splitlines()[-1]
    assert attn("train", "--resume", cut, "--threads", "1").status == 0
    for name in ("word_aligner.safetensors", "model.safetensors"):
        assert (cut / name).read_bytes() == (uncut / name).read_bytes()


def test_a_resumed_training_may_be_made_longer_and_its_recipe_says_so(uncut, tmp_path):
    out = shutil.copytree(uncut, tmp_path / "longer")
    recipe = config.rebase_paths(config.load(out / "recipe.toml"), uncut, out)
    (out / "recipe.toml").write_text(config.to_toml(recipe))
    assert attn("train", "--resume", out, "--max-steps", "62", "--threads", "1").status == 0
    assert config.load(out / "recipe.toml").train.max_steps == 62
    assert attn("translate", "-m", out, "I see.").status == 0


def test_other_text_than_training_began_with_is_refused(pairs_file, uncut, tmp_path):
    out = shutil.copytree(uncut, tmp_path / "other")
    other = tmp_path / "other.tsv"
    other.write_text(pairs_file.read_text() * 2)
    recipe = config.with_files(config.load(out / "recipe.toml"), {"pairs": str(other)})
    (out / "recipe.toml").write_text(config.to_toml(recipe))
    ended = attn("train", "--resume", out)
    assert ended.status == 3
    assert "pairs" in ended.err


def test_a_damaged_state_is_a_sentence(damaged):
    state = damaged / "checkpoints" / "last.safetensors"
    state.write_bytes(state.read_bytes()[:999])
    ended = attn("train", "--resume", damaged)
    assert ended.status == 4
    assert "last.safetensors" in ended.err


def test_a_training_from_before_there_were_word_aligners_goes_on_without_one(tmp_path):
    """An older recipe.toml, whose [model] has no key of a word aligner, as every one does now."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.safetensors").touch()
    (tmp_path / "recipe.toml").write_text("[model]\nembedding = 32\n")
    assert not read_plan(tmp_path).plan.recipe.model.word_aligner.enabled
    (tmp_path / "recipe.toml").write_text("[model.word_aligner]\nwidth = 32\n")
    assert read_plan(tmp_path).plan.recipe.model.word_aligner.enabled
