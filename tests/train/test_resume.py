"""A training that was cut off, by real signals, goes on to the very weights it would have had."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from program import TINY, attn
from safetensors.torch import load_file

from attn_cli import bundle, config

#: Everything random that training has: sampled pieces, dropout, shuffled batches, an average.
RECIPE = (
    *TINY,
    *("--set", "tokenizer.sampling=0.5", "--set", "train.validate_every=20"),
    *("--set", "train.log_every=1", "--max-steps", "60"),
)
CUT = 45  # between the validations at 40 and 60, in the middle of an epoch

#: `attn`, sending itself a signal when update CUT has been made.
PROGRAM = """
import os, sys
from attn_cli import app
from attn_cli.train.loop import Trainer
signal, step = int(sys.argv.pop(1)), int(sys.argv.pop(1))
update = Trainer._update
def hooked(self, batch):
    update(self, batch)
    if self.at.step == step:
        os.kill(os.getpid(), signal)
Trainer._update = hooked
app.main()
"""


def cut_off(number, *arguments):
    """Run `attn train` in a process of its own, cut off by that signal; its status and stderr."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(int(number)), str(CUT), "train", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "80"},
        timeout=60,
    )
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


@pytest.fixture(scope="module")
def uncut(pairs_file, tmp_path_factory):
    """The folder of a training that nothing cut off."""
    out = tmp_path_factory.mktemp("runs") / "uncut"
    assert attn("train", "--pairs", pairs_file, "--out", out, *RECIPE).status == 0
    return out


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["interrupt", "terminate", "kill"],
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


def test_a_resumed_training_may_be_made_longer_and_its_recipe_says_so(uncut, tmp_path):
    out = shutil.copytree(uncut, tmp_path / "longer")
    recipe = bundle.relocated(config.load(out / "recipe.toml"), uncut, out)
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
