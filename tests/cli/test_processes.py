"""What only a real process shows: answers in time, closed pipes, closed streams."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

#: Knows the sentences of program.PAIRS, and needs no torch.
MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v2"

ATTN = [sys.executable, "-m", "attn_cli"]
PATIENCE = 600  # seconds until a test gives a process up for lost


def start(*arguments, **how):
    return subprocess.Popen(
        [*ATTN, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "80"},
        **how,
    )


def answer(process):
    """The next line of its output, or a failure if it keeps us waiting."""
    found = []
    reader = threading.Thread(target=lambda: found.append(process.stdout.readline()), daemon=True)
    reader.start()
    reader.join(PATIENCE)
    assert found, "no answer came"
    return found[0].decode().rstrip("\n")


def test_a_co_process_gets_each_answer_before_it_sends_the_next_line():
    asked = {"I see a dog.": "je vois un chien.", "": "", "we love the cat.": "nous aime le chat."}
    with start("translate", "-m", MODEL, "--threads", "1") as process:
        for source, target in asked.items():
            process.stdin.write(source.encode() + b"\n")
            process.stdin.flush()
            assert answer(process) == target
        rest, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest, err) == (0, b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's pipeline")
def test_head_closes_the_pipe_and_nobody_complains(tmp_path):
    lines = tmp_path / "a.en"
    lines.write_text("I see a dog.\n" * 4000)
    command = f"'{sys.executable}' -m attn_cli translate -m '{MODEL}' -i '{lines}' --threads 1"
    ended = subprocess.run(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.stdout == "je vois un chien.\n0\n"
    assert ended.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's redirections")
@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("--version <&-", 0),
        ("--version >&-", 3),
        ("--version > /dev/full", 3),
        ("--help > /dev/full", 3),
        ("models --help > /dev/full", 3),
        ("align --help > /dev/full", 3),
        ("models path nowhere 2>&-", 4),
        ("models path nowhere 2> /dev/full", 4),
    ],
)
def test_a_result_that_stdout_does_not_take_is_three_and_one_sentence(what, status):
    ended = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m attn_cli {what}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (status, int(status == 3))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_translation_quietly_and_leaves_no_half_file(tmp_path, name, status):
    import signal

    out = tmp_path / "a.fr"
    with start("translate", "-m", MODEL, "--threads", "1", "-o", out) as process:
        process.stdin.write(b"I see a dog.\n")
        process.stdin.flush()
        while not list(tmp_path.iterdir()):  # it has begun to write beside
            assert process.poll() is None
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (status, b"")
    assert list(tmp_path.iterdir()) == []
