"""Numpy is loaded without threads of OpenBLAS, and the environment is as before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from program import attn

PROGRAM = """
import os
from attn_cli.cli.numpy_loading import load_numpy
load_numpy()
import numpy
numpy.ones((500, 500)) @ numpy.ones((500, 500))
print(len(os.listdir("/proc/self/task")), os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system has no /proc")
@pytest.mark.parametrize("number", [None, "1"])
def test_numpy_has_one_thread_and_the_environment_does_not_change(number):
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    if number:
        environment["OPENBLAS_NUM_THREADS"] = number
    command = [sys.executable, "-c", PROGRAM]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["1", str(number)]


MISSING = "/no/file"


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("translate", "-m", MISSING, "a"), 1),
        (("align", "-m", MISSING, "a", "b"), 1),
        (("explain", "-m", MISSING, "a"), 1),
        (("score", "--reference", MISSING, MISSING), 1),
        (("lexicon", MISSING, "--source", MISSING, "--target", MISSING), 1),
        (("symmetrize", MISSING, MISSING), 1),
        (("completion", "bash"), 0),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_short_commands_with_arrays_load_numpy_without_threads(arguments, count, monkeypatch):
    calls = []
    monkeypatch.setattr("attn_cli.cli.numpy_loading.load_numpy", lambda: calls.append(arguments))
    attn(*arguments)
    assert len(calls) == count
