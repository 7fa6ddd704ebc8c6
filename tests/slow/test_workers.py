"""Workers started by --workers, by torchrun, and on two hosts; and the loss of a worker.

The hosts are network namespaces, which need root; without it their tests are skipped.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from program import TINY, WORD_ALIGNER
from training_log import read_events

from attn_cli.bundles import manifest

#: Seconds: longer than any step of these tests takes.
TIMEOUT = 240

LONG = ("--max-steps", "100000", "--set", "train.validate_every=100", "--set", "train.patience=0")


def command(folder: Path, *more: str) -> list[str]:
    pairs = folder / "pairs.tsv"
    if not pairs.exists():
        pairs.write_text("".join(f"I see {n} cats .\tje vois {n} chats .\n" for n in range(200)))
    text = ("--pairs", str(pairs), "--valid-pairs", str(pairs))
    return ["train", *text, "--out", str(folder / "out"), *TINY, *more]


def start(*words: str, **more: object) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stderr=subprocess.PIPE, env=environment, **more)  # type: ignore[call-overload, no-any-return]


def attn(*words: str) -> "subprocess.Popen[bytes]":
    return start(sys.executable, "-m", "attn_cli", *words)


def torchrun(*words: str, netns: str = "") -> "subprocess.Popen[bytes]":
    prefix = ("ip", "netns", "exec", netns) if netns else ()
    if netns:  # a namespace's name resolves to its loopback address, where no other host is
        prefix = (*prefix, "env", "GLOO_SOCKET_IFNAME=cable")
    return start(*prefix, sys.executable, "-m", "torch.distributed.run", *words)


def wait_for_end(process: "subprocess.Popen[bytes]") -> tuple[int, str]:
    _, err = process.communicate(timeout=TIMEOUT)
    return process.returncode, err.decode()


def events(folder: Path, name: str) -> list[dict[str, object]]:
    try:
        return read_events(folder / "out", name)
    except FileNotFoundError:
        return []


def wait_for(folder: Path, name: str, count: int = 1) -> None:
    """Wait until the log of the training has `count` events of that name."""
    for _ in range(10 * TIMEOUT):
        if len(events(folder, name)) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {name} in {TIMEOUT} s")


def children(process: "subprocess.Popen[bytes]") -> list[int]:
    result = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in result.stdout.split()]


def test_a_lost_worker_ends_the_training_with_a_message_and_status_5_and_it_resumes(tmp_path):
    process = attn(*command(tmp_path, *LONG, "--workers", "2"))
    wait_for(tmp_path, "validation_finished")
    os.kill(children(process)[0], signal.SIGKILL)
    status, err = wait_for_end(process)
    assert status == 5
    assert "worker 1 ended by signal 9" in err
    assert "--resume" in err
    before = events(tmp_path, "validation_finished")[-1]["step"]
    assert isinstance(before, int)
    resumed = attn(
        "train",
        "--resume",
        str(tmp_path / "out"),
        "--workers",
        "2",
        "--max-steps",
        str(before + 60),
    )
    assert wait_for_end(resumed)[0] == 0
    assert events(tmp_path, "training_started")[-1]["step"] == before


def test_when_the_main_worker_is_killed_the_others_end(tmp_path):
    process = attn(*command(tmp_path, *LONG, "--workers", "2"))
    wait_for(tmp_path, "validation_finished")
    [other] = children(process)
    process.kill()
    process.communicate()
    for _ in range(10 * TIMEOUT):
        if not Path(f"/proc/{other}").exists():
            return
        time.sleep(0.1)
    raise AssertionError("a worker continues without the main one")


def test_resuming_on_another_number_of_workers_is_reported(tmp_path):
    assert wait_for_end(attn(*command(tmp_path, "--max-steps", "40", "--workers", "2")))[0] == 0
    resumed = attn(
        "train", "--resume", str(tmp_path / "out"), "--workers", "1", "--max-steps", "60"
    )
    status, err = wait_for_end(resumed)
    assert status == 0, err
    assert "saved by 2 workers and goes on with 1 worker" in err


def test_the_same_number_of_workers_resumes_to_the_same_parameters(tmp_path):
    uncut, interrupted = tmp_path / "uncut", tmp_path / "interrupted"
    for folder in (uncut, interrupted):
        folder.mkdir()
    steps = ("--workers", "2", "--max-steps")
    assert wait_for_end(attn(*command(uncut, *steps, "80")))[0] == 0
    process = attn(*command(interrupted, *steps, "80", "--set", "train.log_every=1"))
    wait_for(interrupted, "progress", 40)
    process.terminate()
    assert wait_for_end(process)[0] == 143
    assert (
        wait_for_end(attn("train", "--resume", str(interrupted / "out"), "--workers", "2"))[0] == 0
    )
    one, other = (
        (folder / "out" / "checkpoints" / "last.safetensors") for folder in (uncut, interrupted)
    )
    assert parameters(one) == parameters(other)


def test_two_workers_resume_their_word_aligner_to_the_same_parameters(tmp_path):
    uncut, interrupted = tmp_path / "uncut", tmp_path / "interrupted"
    links = tmp_path / "links"
    links.write_text("0-0 1-1 2-2 3-3 4-4\n" * 200)
    aligner = (
        *WORD_ALIGNER,
        "--set",
        f"train.guided_alignment={links}",
        "--set",
        "train.aligner_steps=200",
    )
    options = ("--workers", "2", "--max-steps", "5", "--set", "train.log_every=1", *aligner)
    for folder in (uncut, interrupted):
        folder.mkdir()
    assert wait_for_end(attn(*command(uncut, *options)))[0] == 0
    process = attn(*command(interrupted, *options))
    wait_for(interrupted, "aligner_training_progress", 60)
    process.terminate()
    status, err = wait_for_end(process)
    assert status == 143, err
    assert not events(interrupted, "aligner_trained")
    assert (
        wait_for_end(attn("train", "--resume", str(interrupted / "out"), "--workers", "2"))[0] == 0
    )
    one, other = (
        (folder / "out" / manifest.WORD_ALIGNER).read_bytes() for folder in (uncut, interrupted)
    )
    assert one == other


def parameters(path: Path) -> dict[str, bytes]:
    from attn_cli.training import checkpoint

    tensors, _ = checkpoint.load(path)
    return {name: t.numpy().tobytes() for name, t in tensors.items() if name.startswith("model.")}


def test_torchrun_restarts_the_workers_and_they_continue_from_the_last_checkpoint(tmp_path):
    words = ("--nproc-per-node", "2", "--max-restarts", "1", "-m", "attn_cli")
    steps = ("--max-steps", "400", "--set", "train.validate_every=50", "--set", "train.patience=0")
    process = torchrun(*words, *command(tmp_path, *steps))
    wait_for(tmp_path, "validation_finished")
    before = events(tmp_path, "validation_finished")[-1]["step"]
    os.kill(children(process)[-1], signal.SIGKILL)
    status, err = wait_for_end(process)
    assert status == 0, err
    first, second = events(tmp_path, "training_started")
    assert first["step"] == 0
    assert before <= second["step"] < 400  # a worker that is told to end saves its last update
    assert events(tmp_path, "training_finished")[-1]["step"] == 400


# Two hosts


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def two_hosts() -> Iterator[tuple[str, str]]:
    """Yield the names of two connected network namespaces, 10.77.0.1 and 10.77.0.2."""
    names = tuple(f"attn{os.getpid()}{side}" for side in "ab")
    try:
        for name in names:
            ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces cannot be made here")
    try:
        ip(
            "link",
            "add",
            "cable",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "cable",
            "netns",
            names[1],
        )
        for number, name in enumerate(names, 1):
            for words in (
                ("addr", "add", f"10.77.0.{number}/24", "dev", "cable"),
                ("link", "set", "cable", "up"),
                ("link", "set", "lo", "up"),
            ):
                ip("-n", name, *words)
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def on_two_hosts(hosts: tuple[str, str], commands: list[list[str]], restarts: str = "0") -> list:
    return [
        torchrun(
            *("--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(number)),
            *("--master-addr", "10.77.0.1", "--master-port", "29400", "--max-restarts", restarts),
            *("-m", "attn_cli"),
            *words,
            netns=host,
        )
        for number, (host, words) in enumerate(zip(hosts, commands, strict=True))
    ]


def test_two_hosts_train_one_model(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    with two_hosts() as hosts:
        processes = on_two_hosts(hosts, [command(f, "--max-steps", "40") for f in folders])
        for process in processes:
            status, err = wait_for_end(process)
            assert status == 0, err
    assert events(folders[0], "training_started")[0]["workers"] == 2
    assert (folders[0] / "out" / "bundle.json").exists()
    assert not (folders[1] / "out" / "bundle.json").exists()  # the main worker alone writes


def test_a_worker_with_another_text_is_refused_in_time(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    commands = []
    for folder in folders:
        folder.mkdir()
        commands.append(command(folder, "--max-steps", "40"))
    with open(folders[1] / "pairs.tsv", "a", encoding="utf-8") as file:
        file.write("one more\tune de plus\n")
    start_time = time.monotonic()
    with two_hosts() as hosts:
        results = [wait_for_end(process) for process in on_two_hosts(hosts, commands)]
    assert all(status for status, _ in results)
    assert "worker 1 has another text than worker 0" in "".join(err for _, err in results)
    assert time.monotonic() - start_time < 60


def test_a_worker_that_never_starts_is_an_error_within_a_minute(tmp_path):
    environment = {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29417",
    }
    start_time = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "attn_cli", *command(tmp_path)],
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )
    status, err = wait_for_end(process)
    assert status == 5
    assert "could not connect to all 2 workers" in err
    assert time.monotonic() - start_time < 75
