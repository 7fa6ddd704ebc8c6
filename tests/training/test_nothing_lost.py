"""A training that is killed at any moment is resumed or restarted to the same files.

The kills are simulated, before the n-th change of the folder; tests/slow/test_kills.py has real
ones.
"""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial

import pytest
from faults import Killed, killed_after
from program import TINY, WORD_ALIGNER, attn
from safetensors.torch import load_file
from training_log import read_events

from attn_cli.bundles import manifest, vocabularies
from attn_cli.data import corpus_reader
from attn_cli.errors import TrainingError
from attn_cli.files.folder_lock import lock_folder
from attn_cli.training import pipeline
from attn_cli.training.aligner_trainer import AlignerTrainer
from attn_cli.training.resume import remove_file
from attn_cli.training.validation import Validator

#: A case of `make slow`.
slow = partial(pytest.param, marks=pytest.mark.slow)

RECIPE = (
    *TINY,
    *("--set", "tokenizer.subword_alpha=0.5", "--set", "train.validate_every=8"),
    *("--set", "train.log_every=4", "--max-steps", "16"),
)


@pytest.fixture(autouse=True)
def _skip_fsync(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="module")
def command(pairs_file, links_file):
    """A training that writes files of all kinds: a word aligner, an average, graphs."""
    links = ("--set", f"train.guided_alignment={links_file}", "--set", "train.aligner_steps=8")
    more = ("--set", "train.guided_alignment_weight=1", "--set", "train.export=fp32")
    return ("train", "--pairs", pairs_file, *RECIPE, *WORD_ALIGNER, *links, *more)


@pytest.fixture(scope="module")
def uncut(command, tmp_path_factory):
    """The folder of that training without a kill, and the number of its changes there."""
    out = tmp_path_factory.mktemp("runs") / "uncut"
    with killed_after(float("inf"), out) as disk:
        result = attn(*command, "--out", out)
    assert result.status == 0, result.err
    return out, disk.changes


def notices_of(out):
    return [row["message"] for row in read_events(out, "notice")]


def resume(out, *options):
    result = attn("train", "--resume", out, "--threads", "1", *options)
    assert result.status == 0, result.err
    return result


def has_same_files(out, other):
    names = (manifest.WEIGHTS, manifest.WORD_ALIGNER, *manifest.GRAPHS, vocabularies.JOINT)
    tensors, other_tensors = (
        load_file(each / "checkpoints" / "last.safetensors") for each in (out, other)
    )
    return (
        all((out / name).read_bytes() == (other / name).read_bytes() for name in names)
        and tensors.keys() == other_tensors.keys()
        and all(tensors[name].equal(other_tensors[name]) for name in tensors)
    )


@pytest.mark.parametrize("share", [slow(0.02), 0.4, slow(0.65), 0.9])
def test_a_training_killed_at_any_moment_is_resumed_to_the_same_files(
    share, command, uncut, tmp_path
):
    uncut_out, changes = uncut
    out = tmp_path / "cut"
    with pytest.raises(Killed), killed_after(int(share * changes), out, torn=True):
        attn(*command, "--out", out)
    if (out / manifest.FACTS).exists():
        manifest.verify_checksums(out)
    resume(out)
    assert has_same_files(out, uncut_out)
    names = {path.name for path in out.rglob("*")}
    assert names == {path.name for path in uncut_out.rglob("*")}


def test_a_training_killed_before_its_text_was_read_starts_again_and_says_so(
    pairs_file, tmp_path, monkeypatch
):
    out = tmp_path / "x"

    def load(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(corpus_reader, "load", load)
        with pytest.raises(Killed):
            attn("train", "--pairs", pairs_file, "--out", out, *RECIPE)
    assert "training starts again" in resume(out).err
    assert read_events(out)[-1]["event"] == "training_finished"
    messages = [message for message in notices_of(out) if "starts again" in message]
    assert messages == ["no checkpoint was saved: training starts again"]  # once, not per stage


def test_a_forced_training_killed_early_leaves_the_old_model_intact(
    pairs_file, model_copy, tmp_path, monkeypatch
):
    """Its plan is stored next to the old model, and --resume starts it."""
    before = manifest.verify_checksums(model_copy)

    def load(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(corpus_reader, "load", load)
        with pytest.raises(Killed):
            attn("train", "--pairs", pairs_file, "--out", model_copy, *RECIPE, "--force")
    assert manifest.verify_checksums(model_copy) == before
    resume(model_copy)
    assert manifest.read_manifest(model_copy)["name"] != before["name"]
    steps = {path.name for path in (model_copy / "checkpoints").glob("step-*")}
    assert steps == {"step-0000008.safetensors", "step-0000016.safetensors"}


def test_after_a_refused_forced_training_the_old_one_can_be_resumed(model_copy, tmp_path):
    result = attn("train", "--pairs", tmp_path / "no.tsv", "--out", model_copy, "--force")
    assert result.status == 3
    plans = {path.name for path in (model_copy / "checkpoints").glob("*") if "plan" in path.name}
    assert plans == {"plan.json"}
    resume(model_copy, "--max-steps", "162")
    assert read_events(model_copy, "training_started")[-1]["step"] == 160


def test_a_training_resumes_after_the_model_that_it_starts_from_was_deleted(
    tiny, pairs_file, tmp_path, monkeypatch
):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file)
    small = ("--set", "train.precision=fp32", "--max-steps", "4", "--set", "train.export=none")
    start, uncut, cut = (tmp_path / name for name in ("start", "uncut", "cut"))
    shutil.copytree(tiny, start)
    options = (*small, "--threads", "1")
    assert attn("train", "--from", start, *text, "--out", uncut, *options).status == 0
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "build_trainer", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            attn("train", "--from", start, *text, "--out", cut, *options)
    shutil.rmtree(start)
    resume(cut)
    assert (cut / manifest.WEIGHTS).read_bytes() == (uncut / manifest.WEIGHTS).read_bytes()


# Changed text


@pytest.fixture
def run(tmp_path, pairs_file):
    """The folder of a training that stopped half-way; a test may change its text files."""
    for name in ("a.tsv", "v.tsv"):
        shutil.copy(pairs_file, tmp_path / name)
    out = tmp_path / "run"
    text = ("--pairs", tmp_path / "a.tsv", "--valid-pairs", tmp_path / "v.tsv", "--out", out)
    assert attn("train", *text, *RECIPE, "--max-steps", "8").status == 0
    return out


def replace_word(path):
    """Replace one word of a text file."""
    path.write_text(path.read_text().replace("a dog", "a fox", 1))


@pytest.mark.parametrize("name", ["a.tsv", "v.tsv"])
def test_changed_words_are_refused_until_they_are_accepted(name, run):
    replace_word(run.parent / name)
    before = manifest.verify_checksums(run)
    result = attn("train", "--resume", run, "--max-steps", "16")
    assert result.status == 3
    assert f"{name} has changed since this training began" in result.err
    assert "--accept-new-data" in result.err
    assert manifest.verify_checksums(run) == before
    resume(run, "--max-steps", "16", "--accept-new-data")
    assert any(f"{name} has changed: " in message for message in notices_of(run))
    resume(run, "--max-steps", "17")  # the changed text belongs to the training now


def test_a_new_epoch_begins_on_accepted_text(run):
    replace_word(run.parent / "a.tsv")
    resume(run, "--max-steps", "9", "--set", "train.log_every=1", "--accept-new-data")
    progress = read_events(run, "progress")
    assert progress[-1]["epoch"] > progress[-2]["epoch"]


def test_results_on_other_validation_text_do_not_count(run):
    replace_word(run.parent / "v.tsv")
    resume(run, "--max-steps", "16", "--accept-new-data")
    (validation,) = [row for row in read_events(run) if row.get("step") == 16 and "best" in row]
    assert validation["best"]


def test_new_data_can_only_be_accepted_by_a_training_that_is_resumed(pairs_file, tmp_path):
    result = attn("train", "--pairs", pairs_file, "--out", tmp_path / "x", "--accept-new-data")
    assert result.status == 2


# One training per folder


@pytest.mark.parametrize("options", [("--force", *RECIPE), ()], ids=["force", "resume"])
def test_a_second_training_in_a_folder_is_refused(options, run, pairs_file):
    paths = ("--pairs", pairs_file, "--out", run) if options else ("--resume", run)
    with lock_folder(run):
        result = attn("train", *paths, *options)
    assert result.status == 2
    assert f"in use: process {os.getpid()} is writing" in result.err


def test_graphs_of_a_model_in_training_cannot_be_exported(run):
    with lock_folder(run):
        assert attn("export", run).status == 2


def test_a_word_aligner_cannot_be_fitted_into_the_folder_of_a_running_training(
    pairs_file, tmp_path
):
    with lock_folder(tmp_path):
        result = attn("align", "--fit", "--input", pairs_file, "--out", tmp_path)
    assert result.status == 2
    assert "in use" in result.err


# Options


def test_a_resumed_training_keeps_its_max_minutes(pairs_file, tmp_path):
    out = tmp_path / "x"
    text = ("--pairs", pairs_file, "--out", out, *RECIPE, "--max-minutes", "0")
    with pytest.raises(Killed), killed_after(30, out):
        attn("train", *text)
    resume(out)
    assert read_events(out)[-1]["reason"] == "minutes"
    resume(out)  # the first resume has used up the minutes
    assert read_events(out)[-1]["reason"] == "steps"


# Interruptions


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        slow(corpus_reader, "load"),
        (AlignerTrainer, "_relabel"),
        slow(Validator, "_translate"),
        (pipeline, "export_graphs"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_interrupted_training_ends_at_once_and_is_resumed_to_the_same_files(
    owner, name, command, uncut, tmp_path, monkeypatch
):
    out = tmp_path / "cut"
    work = getattr(owner, name)

    def interrupt(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return work(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupt)
        result = attn(*command, "--out", out)
    assert result.status == 130
    assert result.err.endswith(f"resume with: attn train --resume {out}\n")
    finished = read_events(out, "training_finished")
    assert all(row["reason"] == "interrupted" for row in finished) or name == "export_graphs"
    resume(out)
    assert has_same_files(out, uncut[0])


#: Waits for a lock forever, so that no loop checks for an interruption.
STUCK = """
import sys, threading
from attn_cli.cli import interruption
interruption.GRACE_SECONDS = 0.2
with interruption.StopRequest():
    print("ready", flush=True)
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals work differently on Windows")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_process_that_is_stuck_is_ended_some_seconds_after_the_signal(number, status):
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        _, stderr = process.communicate(timeout=600)
    assert process.returncode == status
    assert b"the last saved state is intact" in stderr


def test_the_plan_is_on_the_disk_before_torch_is_loaded(pairs_file, tmp_path):
    program = (
        "import sys, attn_cli.training.resume as resuming\n"
        "save = resuming.Plan.save\n"
        "def saving(*arguments):\n"
        "    save(*arguments)\n"
        "    print('torch' in sys.modules, flush=True)\n"
        "    raise KeyboardInterrupt\n"
        "resuming.Plan.save = saving\n"
        "from attn_cli.cli import app\n"
        "app.main()\n"
    )
    arguments = ("train", "--pairs", pairs_file, "--out", tmp_path / "x")
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True
    )
    assert result.stdout == "False\n"
    assert (tmp_path / "x" / "checkpoints" / "plan.next.json").is_file()


def test_a_file_that_cannot_be_removed_is_an_error_with_its_path(tmp_path):
    remove_file(tmp_path / "missing")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TrainingError, match=r"cannot remove .*folder: "):
        remove_file(tmp_path / "folder")
