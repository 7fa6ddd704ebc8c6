"""No command opens a connection: every call of the socket module is an event of the interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from program import TINY, attn

MODEL = Path(__file__).parent / "fixtures" / "bundle_v1"

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="socketpair connects to itself there"
)

#: `socketpair` connects nothing, and a name of this machine alone is no connection either.
CONNECTS_NOTHING = ("socket.__new__", "socket.gethostname")

#: Commands one after another, and what they and all that they import did with sockets.
PROGRAM = f"""
import json, sys
calls = []
sys.addaudithook(lambda event, _: event.startswith("socket.") and event not in {CONNECTS_NOTHING}
                 and calls.append(event))
from attn_cli.cli import app
from attn_cli.console import Console
for arguments in json.loads(sys.argv[1]):
    status = app.run(arguments, Console.of_process())
    assert not calls, (arguments, calls)
    assert status == 0, arguments
"""


def test_a_command_opens_no_connection():
    commands = [
        ("translate", "-m", MODEL, "I see.", "--engine", "onnx"),
        ("translate", "-m", MODEL, "I see.", "--engine", "torch", "-f", "jsonl"),
        ("align", "-m", MODEL, "I see.", "je vois."),
        ("models", "verify", MODEL),
        ("models", "list"),
        ("score", "--help"),
    ]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands, default=str)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr


_events: list[str] | None = None  # of this process, while a list


def _hook(event: str, _: object) -> None:
    if _events is not None and event.startswith("socket.") and event not in CONNECTS_NOTHING:
        _events.append(event)


sys.addaudithook(_hook)


def test_a_training_opens_no_connection(pairs_file, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "_events", events := [])
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    assert attn("train", *text, "--out", tmp_path / "run", *TINY).status == 0
    assert events == []
