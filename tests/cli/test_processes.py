"""Tests that need a real process: answers in time, closed pipes, closed streams."""

import os
import subprocess
import sys
import threading

import pytest
from processes import ATTN, MODEL, TIMEOUT


def start(*arguments, **options):
    return subprocess.Popen(
        [*ATTN, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "80"},
        **options,
    )


def read_line(process):
    """Return the next line of a process's output, or fail after TIMEOUT."""
    lines = []
    reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()), daemon=True)
    reader.start()
    reader.join(TIMEOUT)
    assert lines, "no answer came"
    return lines[0].decode().rstrip("\n")


def test_a_co_process_gets_each_answer_before_it_sends_the_next_line():
    translations = {
        "I see a dog.": "je vois un chien.",
        "": "",
        "we love the cat.": "nous aime le chat.",
    }
    with start("translate", "-m", MODEL, "--threads", "1") as process:
        for source, target in translations.items():
            process.stdin.write(source.encode() + b"\n")
            process.stdin.flush()
            assert read_line(process) == target
        output, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, output, err) == (0, b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's pipeline")
def test_a_pipe_closed_by_head_ends_the_program_without_a_message(tmp_path):
    path = tmp_path / "a.en"
    path.write_text("I see a dog.\n" * 4000)
    command = f"'{sys.executable}' -m attn_cli translate -m '{MODEL}' -i '{path}' --threads 1"
    result = subprocess.run(
        ["bash", "-c", f"{command} | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert result.stdout == "je vois un chien.\n0\n"
    assert result.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell's redirections")
@pytest.mark.parametrize(
    ("arguments", "status"),
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
def test_closed_and_full_streams_give_the_right_status_and_at_most_one_sentence(arguments, status):
    result = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m attn_cli {arguments}"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert (result.returncode, result.stderr.count("\n")) == (status, int(status == 3))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_translation_without_a_message_or_a_partial_file(tmp_path, name, status):
    import signal

    out = tmp_path / "a.fr"
    with start("translate", "-m", MODEL, "--threads", "1", "-o", out) as process:
        process.stdin.write(b"I see a dog.\n")
        process.stdin.flush()
        while not list(tmp_path.iterdir()):  # until it has created its temporary file
            assert process.poll() is None
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err) == (status, b"")
    assert list(tmp_path.iterdir()) == []
