"""Trainings that are killed repeatedly, at moments from a seed, end with the same files.

The kills are real (SIGKILL). Half of them come in the first seconds of a process: before its text
has been read, while word aligners vote, while the word aligner is trained, between two files of a
model. After each one the folder is a complete model or none. As a program:

    PYTHONPATH=tests python tests/slow/test_kills.py --kills 50 [--workers 2]
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from program import TINY, WORD_ALIGNER
from safetensors.torch import load_file

from attn_cli.bundles import bundle, manifest, vocabularies
from attn_cli.training.resume import CHECKPOINTS, LAST_CHECKPOINT, NEXT_PLAN, PLAN

DEMO = Path(__file__).resolve().parents[2] / "data" / "demo"

#: A recurrent network with all parts of training: sampled pieces, dropout, votes, a word aligner
#: that is trained with them, guided attention, validations, an average, graphs.
RECIPE = (
    *TINY,
    *WORD_ALIGNER,
    *("--set", "tokenizer.vocab_size=600", "--set", "train.guided_alignment=statistical"),
    *("--set", "train.guided_alignment_weight=0.5", "--set", "train.aligner_steps=40"),
    *("--set", "train.validate_every=20", "--set", "train.batch_tokens=400"),
    *("--set", "tokenizer.subword_alpha=0.2", "--set", "train.export=fp32", "--max-steps", "120"),
)

#: Half of the kills come in the first `EARLY` seconds, the others within `ANYWHERE` times the
#: duration of the training.
EARLY, ANYWHERE = 4.0, 1.2


def say(line: str) -> None:
    """Write a line of progress to stderr."""
    sys.stderr.write(f"{line}\n")


def write_text(folder: Path, pairs: int) -> tuple[str, ...]:
    """Write the first pairs of the demo corpus as files; return the options that name them."""
    for side in ("en", "fr"):
        lines = (DEMO / f"train.{side}").read_text(encoding="utf-8").splitlines()[:pairs]
        (folder / f"a.{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = ("--source", folder / "a.en", "--target", folder / "a.fr")
    return tuple(map(str, (*files, "--set", "data.valid_size=40")))


def attn(*arguments: object, kill_after: float | None = None) -> tuple[bool, str]:
    """Run `attn train`; return whether it ended by itself, and its messages. Raises if it
    failed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "attn_cli", "train", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, stderr = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        _, stderr = process.communicate()
        return False, stderr
    assert process.returncode == 0, stderr
    return True, stderr


def state_of(out: Path) -> str:
    """Return the progress of a killed training. A folder with a manifest must be a valid model."""
    if (out / manifest.FACTS).exists():
        manifest.verify_checksums(out)
        bundle.open_bundle(out)
    checkpoints = out / CHECKPOINTS
    if (checkpoints / NEXT_PLAN).exists():
        return "plan"
    if not (checkpoints / PLAN).exists():
        return "nothing"
    return "checkpoint" if (checkpoints / LAST_CHECKPOINT).exists() else "text"


def contents(out: Path) -> dict[str, bytes]:
    """Return every file of the model, except those with times."""
    names = (
        manifest.WEIGHTS,
        manifest.WORD_ALIGNER,
        *manifest.GRAPHS,
        vocabularies.JOINT,
        manifest.RECIPE,
    )
    return {name: (out / name).read_bytes() for name in names}


def kill_repeatedly(
    folder: Path, *, kills: int, seed: int, pairs: int, workers: int = 1
) -> dict[str, int]:
    """Train once without kills and then with them; return how often each state was found.

    With several workers the main one is killed, and the others end by themselves.

    Raises AssertionError if a folder cannot be resumed, or ends with other files.
    """
    rng = random.Random(seed)
    text = write_text(folder, pairs)
    uncut, out = folder / "uncut", folder / "cut"
    sizes = ("--threads", workers, "--workers", workers)

    def command(is_resumable: bool) -> tuple[object, ...]:
        if is_resumable:
            return ("--resume", out, *sizes)
        return (*text, "--out", out, *RECIPE, *sizes)

    start = time.monotonic()
    attn(*text, "--out", uncut, *RECIPE, *sizes)
    uncut_seconds = time.monotonic() - start
    say(f"uncut: {uncut_seconds:.0f} s")
    counts, trainings, is_resumable = (
        dict.fromkeys(("nothing", "plan", "text", "checkpoint"), 0),
        0,
        False,
    )
    while sum(counts.values()) < kills:
        seconds = rng.uniform(0.0, EARLY if rng.random() < 0.5 else ANYWHERE * uncut_seconds)
        is_finished, _ = attn(*command(is_resumable), kill_after=seconds)
        if is_finished:
            trainings += 1
            check(out, uncut)
            shutil.rmtree(out)
            is_resumable = False
            continue
        state = state_of(out)
        counts[state] += 1
        is_resumable = state != "nothing"
        say(f"kill {sum(counts.values())} after {seconds:.1f} s: {state}")
    attn(*command(is_resumable))
    check(out, uncut)
    say(f"{counts}, trainings completed: {trainings + 1}")
    return counts


def check(out: Path, uncut: Path) -> None:
    """Compare every file and every tensor of the last state with those of a training without
    kills."""
    assert contents(out) == contents(uncut)
    actual, expected = (load_file(each / CHECKPOINTS / LAST_CHECKPOINT) for each in (out, uncut))
    assert actual.keys() == expected.keys()
    assert all(actual[name].equal(expected[name]) for name in actual)
    assert not list(out.rglob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_training_killed_ten_times_ends_with_the_same_files(tmp_path, workers):
    counts = kill_repeatedly(tmp_path, kills=10, seed=1, pairs=300, workers=workers)
    assert sum(counts.values()) == 10


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["COLUMNS"] = "80"
    with tempfile.TemporaryDirectory() as scratch:
        kill_repeatedly(Path(scratch), **vars(arguments))
