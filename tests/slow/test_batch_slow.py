"""attn batch translates a million lines while its processes are killed."""

import subprocess
import sys
from pathlib import Path

import pytest
from program import PAIRS

pytest.importorskip("ray", reason="pip install 'attn-cli[cluster]'")

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_a_million_lines_are_translated_although_processes_are_killed(tmp_path):
    text = tmp_path / "text"
    text.write_text("".join(f"{source}\n" for source in PAIRS))
    model = ("--model", "tests/fixtures/bundle_v1", "--beam", "1", "--text", str(text))
    kills = ("--workers", "2", "--kill", "12", "--kill-driver", "2")
    result = subprocess.run(
        [sys.executable, "benchmarks/batch.py", "--lines", "1000000", *model, *kills],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1,000,000 lines in, 1,000,000 out, 0 not the translation" in result.stdout
