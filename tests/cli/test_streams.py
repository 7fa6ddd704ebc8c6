"""Streams that are closed, full or unread, and signals while a result is written."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from processes import ATTN, MODEL, TIMEOUT
from program import TINY, attn

MIN_BYTES = 8000  # in a full pipe: its size is 16 KiB, or more if it cannot be set

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and signals")


def shell(command, **options):
    """Run a line of bash in which $attn is the program."""
    environment = os.environ | {"attn": " ".join(ATTN), "COLUMNS": "80"}
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, env=environment, timeout=TIMEOUT, **options
    )


@pytest.fixture
def pipe_without_reader():
    """The write end of a pipe whose read end is closed."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    yield write_end
    os.close(write_end)


@pytest.fixture
def source(tmp_path):
    """A file of three lines; the second one causes a message."""
    path = tmp_path / "a.en"
    path.write_bytes(b"I see a dog.\n\xff\nyou love a dog.\n")
    return path


def test_a_closed_stderr_pipe_does_not_stop_a_translation(source, tmp_path, pipe_without_reader):
    command = [*ATTN, "translate", "-m", MODEL, "-i", source, "-o", tmp_path / "a.fr"]
    assert subprocess.run(command, stderr=pipe_without_reader, timeout=TIMEOUT).returncode == 0
    lines = (tmp_path / "a.fr").read_text(encoding="utf-8").splitlines()
    assert (len(lines), lines[0], lines[2]) == (3, "je vois un chien.", "tu aime un chien.")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_stderr_device_does_not_stop_a_translation(source):
    result = shell(f"$attn translate -m '{MODEL}' -i '{source}' 2> /dev/full")
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 3)


def test_a_training_with_closed_output_pipes_writes_its_model(
    pairs_file, tmp_path, pipe_without_reader
):
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    with open(pipe_without_reader, "wb", buffering=0, closefd=False) as pipe:
        result = attn("train", *text, "--out", tmp_path / "run", *TINY, stdout=pipe, stderr=pipe)
    assert result.status == 0
    assert (tmp_path / "run" / "bundle.json").is_file()


@pytest.mark.parametrize(
    ("redirection", "stream"), [(">&-", "standard output"), ("<&-", "standard input")]
)
def test_a_translation_with_a_closed_stream_exits_with_status_3(redirection, stream):
    text = "'I see a dog.'" if redirection == ">&-" else ""
    result = shell(f"$attn translate -m '{MODEL}' {text} {redirection}")
    (line,) = result.stderr.decode().splitlines()
    assert (result.returncode, result.stdout) == (3, b"")
    assert f"{stream}: it is closed" in line


def test_no_file_gets_the_descriptor_of_a_closed_stream(source, tmp_path):
    """Otherwise the output file could get descriptor 2, and the message about line 2 with it."""
    out = tmp_path / "a.fr"
    result = shell(f"$attn translate -m '{MODEL}' -i '{source}' -o '{out}' <&- >&- 2>&-")
    assert result.returncode == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 3


def test_an_output_pipe_without_a_reader_exits_with_status_3(tmp_path):
    """Only for stdout is a reader that closes the pipe not an error."""
    result = shell(
        f"mkfifo '{tmp_path}/pipe'; head -c 0 '{tmp_path}/pipe' & "
        f"yes 'I see a dog.' | head -20000 > '{tmp_path}/a.en'; "
        f"$attn translate -m '{MODEL}' -i '{tmp_path}/a.en' -o '{tmp_path}/pipe'"
    )
    assert result.returncode == 3
    assert b"cannot write" in result.stderr


def _start_blocked_translation(tmp_path, *options):
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
    deadline = time.monotonic() + TIMEOUT
    while unchanged < 10:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
        reply = fcntl.ioctl(process.stdout, termios.FIONREAD, struct.pack("i", 0))
        (size,) = struct.unpack("i", reply)
        unchanged = unchanged + 1 if size == waiting and size > MIN_BYTES else 0
        waiting = size


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("options", [("-f", "jsonl"), ()], ids=["jsonl", "text"])
def test_a_signal_during_a_blocked_write_leaves_no_partial_record(tmp_path, options, name, status):
    with _start_blocked_translation(tmp_path, *options) as process:
        process.send_signal(getattr(signal, name))
        time.sleep(0.2)
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, err) == (status, b"")
    assert len(out) > MIN_BYTES
    assert out.endswith(b"\n")
    for line in out.splitlines():
        assert json.loads(line)["target"] if options else line == b"je vois un chien."


def test_a_second_signal_ends_the_program_at_once(tmp_path):
    with _start_blocked_translation(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 143
        process.stdout.close()


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_during_an_import_gives_the_usual_exit_status(tmp_path, name, status):
    """NumPy turns every exception during its import into an ImportError."""
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
    result = subprocess.run(
        [*ATTN, "translate", "-m", MODEL, "I see a dog."],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        timeout=TIMEOUT,
    )
    assert (result.returncode, result.stdout, result.stderr) == (status, b"", b"")
