"""Streams that are closed, full or unread, and signals while a result is written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import TINY, attn

#: Knows the sentences of program.PAIRS, and needs no torch.
MODEL = Path(__file__).parents[1] / "fixtures" / "bundle_v2"

ATTN = [sys.executable, "-m", "attn_cli"]
FULL = 8000  # bytes in a pipe of 16 KiB, or of more where its size cannot be set
PATIENCE = 600  # seconds until a test gives a process up for lost

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and signals")


def shell(command, **options):
    """Run a line of bash in which $attn is the program."""
    environment = os.environ | {"attn": " ".join(ATTN), "COLUMNS": "80"}
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, env=environment, timeout=PATIENCE, **options
    )


@pytest.fixture
def unread():
    """The end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def source(tmp_path):
    """A file of three lines, the second of which is worth a message."""
    path = tmp_path / "a.en"
    path.write_bytes(b"I see a dog.\n\xff\nyou love a dog.\n")
    return path


def test_messages_that_nobody_reads_are_dropped_and_the_work_goes_on(source, tmp_path, unread):
    command = [*ATTN, "translate", "-m", MODEL, "-i", source, "-o", tmp_path / "a.fr"]
    assert subprocess.run(command, stderr=unread, timeout=PATIENCE).returncode == 0
    lines = (tmp_path / "a.fr").read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines[0], lines[2]) == (3, "je vois un chien.", "tu aime un chien.")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_messages_that_find_no_space_are_dropped_and_the_work_goes_on(source):
    ended = shell(f"$attn translate -m '{MODEL}' -i '{source}' 2> /dev/full")
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 3)


def test_a_training_whose_messages_nobody_reads_makes_its_model(pairs_file, tmp_path, unread):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    with open(unread, "wb", buffering=0, closefd=False) as pipe:
        ended = attn("train", *text, "--out", tmp_path / "run", *TINY, stdout=pipe, stderr=pipe)
    assert ended.status == 0
    assert (tmp_path / "run" / "bundle.json").is_file()


@pytest.mark.parametrize(
    ("redirection", "words"), [(">&-", "standard output"), ("<&-", "standard input")]
)
def test_a_translation_with_a_closed_stream_is_three(redirection, words):
    text = "'I see a dog.'" if redirection == ">&-" else ""
    ended = shell(f"$attn translate -m '{MODEL}' {text} {redirection}")
    (line,) = ended.stderr.decode().splitlines()
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert f"{words}: it is closed" in line


def test_no_file_gets_the_descriptor_of_a_closed_stream(source, tmp_path):
    """Else the message about line 2 would stand in the output, which would be descriptor 2."""
    out = tmp_path / "a.fr"
    ended = shell(f"$attn translate -m '{MODEL}' -i '{source}' -o '{out}' <&- >&- 2>&-")
    assert ended.returncode == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3


def test_an_output_pipe_without_a_reader_is_three(tmp_path):
    """Only stdout may be closed by its reader without a word."""
    ended = shell(
        f"mkfifo '{tmp_path}/pipe'; head -c 0 '{tmp_path}/pipe' & "
        f"yes 'I see a dog.' | head -20000 > '{tmp_path}/a.en'; "
        f"$attn translate -m '{MODEL}' -i '{tmp_path}/a.en' -o '{tmp_path}/pipe'"
    )
    assert ended.returncode == 3
    assert b"cannot write" in ended.stderr


def _begin(tmp_path, *options):
    """Translate many lines into a small pipe that is not read yet, and wait until it is full."""
    (tmp_path / "a.en").write_text("I see a dog.\n" * 4000)
    command = [*ATTN, "translate", "-m", MODEL, "-i", tmp_path / "a.en", "--threads", "1", *options]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=16384
    )
    _wait_until_full(process)
    return process


def _wait_until_full(process):
    """Wait until the process has been blocked by its stdout for a moment."""
    import fcntl
    import struct
    import termios

    waiting, unchanged = 0, 0
    deadline = time.monotonic() + PATIENCE
    while unchanged < 10:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
        answer = fcntl.ioctl(process.stdout, termios.FIONREAD, struct.pack("i", 0))
        (size,) = struct.unpack("i", answer)
        unchanged = unchanged + 1 if size == waiting and size > FULL else 0
        waiting = size


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("options", [("-f", "jsonl"), ()], ids=["jsonl", "text"])
def test_a_signal_while_the_reader_is_slow_cuts_no_record(tmp_path, options, name, status):
    with _begin(tmp_path, *options) as process:
        process.send_signal(getattr(signal, name))
        time.sleep(0.2)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (status, b"")
    assert len(out) > FULL
    assert out.endswith(b"\n")
    for line in out.splitlines():
        assert json.loads(line)["target"] if options else line == b"je vois un chien."


def test_a_second_signal_ends_at_once(tmp_path):
    with _begin(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
        process.stdout.close()


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_a_library_loads_keeps_its_status(tmp_path, name, status):
    """NumPy turns whatever happens while it loads into an ImportError."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text(
        "import os, signal\n"
        "try:\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "    for _ in range(1000): pass\n"
        "except BaseException as error:\n"
        "    raise ImportError('numpy cannot load') from error\n"
    )
    path = os.pathsep.join([str(tmp_path), *map(str, filter(None, sys.path))])
    ended = subprocess.run(
        [*ATTN, "translate", "-m", MODEL, "I see a dog."],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, b"", b"")
