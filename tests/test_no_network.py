"""No command opens a connection: every call of the socket module is an event of the interpreter."""

import subprocess
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parent / "fixtures" / "bundle_v1"

#: A command, and what it did with sockets; `socketpair` connects nothing, and a name of this
#: machine alone is no connection either.
PROGRAM = """
import sys
calls = []
quiet = ("socket.__new__", "socket.gethostname")
sys.addaudithook(lambda event, _: event.startswith("socket.") and event not in quiet
                 and calls.append(event))
from attn_cli.cli import app
from attn_cli.console import Console
status = app.run(sys.argv[1:], Console.of_process())
assert not calls, calls
sys.exit(status)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="socketpair connects to itself there")
@pytest.mark.parametrize(
    "arguments",
    [
        ("translate", "-m", MODEL, "I see.", "--engine", "onnx"),
        ("translate", "-m", MODEL, "I see.", "--engine", "torch", "-f", "jsonl"),
        ("align", "-m", MODEL, "I see.", "je vois."),
        ("models", "verify", MODEL),
        ("models", "list"),
        ("score", "--help"),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_a_command_opens_no_connection(arguments):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="socketpair connects to itself there")
def test_a_training_opens_no_connection(pairs_file, tmp_path):
    from program import TINY

    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM,
            "train",
            *map(str, (*text, "--out", tmp_path / "run")),
            *TINY,
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
