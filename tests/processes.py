"""Run the program as another process. Shared by tests of pipes, signals and closed streams."""

import sys
from pathlib import Path

#: Knows the sentences of program.PAIRS, and needs no torch.
MODEL = Path(__file__).parent / "fixtures" / "bundle_v2"

ATTN = [sys.executable, "-m", "attn_cli"]
TIMEOUT = 600  # seconds that a test waits for a process
