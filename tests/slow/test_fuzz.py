"""Run a coverage-guided fuzzer on each reader of untrusted bytes.

The row of a reader that passes is written into docs/reliability.md.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_targets import TARGETS
from reliability import DOCUMENT, with_fuzzer_row

RUNS = 20_000
SCRIPT = Path(__file__).resolve().parents[1] / "fuzz_targets.py"


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs atheris: pip install -e '.[fuzz]'",
)
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_that_a_fuzzer_finds_breaks_a_reader(name, tmp_path):
    options = [f"-runs={RUNS}", "-seed=1", "-max_len=4096", "-timeout=20"]
    result = subprocess.run(
        [sys.executable, str(SCRIPT), name, *options],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"Done {RUNS} runs" in result.stderr
    document = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(with_fuzzer_row(document, name, RUNS), encoding="utf-8")
