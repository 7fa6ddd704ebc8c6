"""The memory of `attn translate` while it reads a million hostile lines.

    PYTHONPATH=tests python tests/slow/hostile_lines.py [--lines 1000000] [-m MODEL]

writes the lines into a pipe, reads the records from another, and prints the lines and the resident
memory of the process (VmRSS and its peak VmHWM, of /proc) after 10,000, 100,000, 300,000 and all of
them. Each line has to give one record, and the process to end with 0. Linux only.
"""

import argparse
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from hostile_text import TEXTS, text_of

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "bundle_v1"
POINTS = (1_000, 10_000, 100_000, 300_000, 1_000_000)

#: Bytes of the usual line, and one line in LONG_EVERY of many more.
SHORT, LONG, LONG_EVERY = 40, 2_000, 500


def hostile_line(number: int) -> bytes:
    """Return line `number`, the same in each run; some are not UTF-8."""
    rng = random.Random(number)
    size = LONG if number % LONG_EVERY == 0 else rng.randrange(SHORT)
    line = text_of(rng.choice(TEXTS), size).encode("utf-8", "surrogatepass")
    if number % 7 == 0:
        line += bytes(rng.randrange(128, 256) for _ in range(3))
    if number % 3 == 0:
        line = b"I see a dog. " + line
    return line.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"


def memory(process: int) -> dict[str, int]:
    """Return VmRSS and VmHWM of a process in kB."""
    rows = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    fields = dict(row.split(":", 1) for row in rows)
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM")}


def main() -> None:
    """Translate the lines; print the curve of memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=POINTS[-1])
    parser.add_argument("-m", "--model", default=str(FIXTURE))
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "attn_cli", "translate", "-m", arguments.model, "--quiet"]
    command += ["--engine", "onnx", "--beam", "1", "--threads", "1"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        all_read = threading.Event()

        def feed() -> None:
            for number in range(arguments.lines):
                stdin.write(hostile_line(number))
            stdin.flush()
            all_read.wait()  # so that the process is still there to be measured
            stdin.close()

        threading.Thread(target=feed, daemon=True).start()
        start, records = time.monotonic(), 0
        for _ in stdout:
            records += 1
            if records in POINTS or records == arguments.lines:
                sizes = memory(process.pid)
                mega = "  ".join(f"{name} {kb / 1000:.0f} MB" for name, kb in sizes.items())
                sys.stdout.write(f"{records:>9,} lines  {mega}  {time.monotonic() - start:.0f} s\n")
                sys.stdout.flush()
            if records == arguments.lines:
                all_read.set()
        status = process.wait()
    if (status, records) != (0, arguments.lines):
        sys.exit(f"status {status}, {records:,} records of {arguments.lines:,} lines")


if __name__ == "__main__":
    main()
