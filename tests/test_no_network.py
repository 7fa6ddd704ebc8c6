"""No command opens a connection: every call of the socket module is an audit event of Python."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from program import TINY, attn

MODEL = Path(__file__).parent / "fixtures" / "bundle_v1"

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="socketpair opens a connection on Windows"
)

#: Events without a connection: `socketpair` causes the first, the name of this machine the second.
HARMLESS_EVENTS = ("socket.__new__", "socket.gethostname")

#: Run commands one after another, and fail at the first one that uses a socket.
PROGRAM = f"""
import json, sys
calls = []
sys.addaudithook(lambda event, _: event.startswith("socket.") and event not in {HARMLESS_EVENTS}
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
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands, default=str)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr


_events: list[str] | None = None  # the events of this process; None where none are recorded


def _hook(event: str, _: object) -> None:
    if _events is not None and event.startswith("socket.") and event not in HARMLESS_EVENTS:
        _events.append(event)


sys.addaudithook(_hook)


def test_a_training_opens_no_connection(pairs_file, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "_events", events := [])
    text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--max-steps", "2")
    assert attn("train", *text, "--out", tmp_path / "run", *TINY).status == 0
    assert events == []
