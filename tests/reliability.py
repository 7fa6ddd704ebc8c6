"""Write docs/reliability.md: each attack of tests/attacks.py, with its cases and their statuses.

PYTHONPATH=tests python tests/reliability.py
"""

import os
import tempfile
from collections import Counter
from pathlib import Path

from attacks import ATTACKS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
BEGIN, END = "<!-- begin: tests/reliability.py -->\n", "<!-- end -->\n"
FUZZ_BEGIN = "<!-- begin: tests/slow/test_fuzz.py -->\n"


def table() -> str:
    """Return the rows of all attacks, and the number of all cases."""
    rows = ["| promise | attack | cases | result |", "|---|---|---:|---|"]
    total = 0
    for attack in ATTACKS:
        with tempfile.TemporaryDirectory() as folder:
            statuses = Counter(each.status for each in attack.run(Path(folder)))
        unexpected = sorted(statuses.keys() - set(attack.statuses))
        assert not unexpected, (attack.name, unexpected)
        total += sum(statuses.values())
        result = ", ".join(
            f"status {status}: {count}" for status, count in sorted(statuses.items())
        )
        rows.append(f"| {attack.promise} | {attack.name} | {sum(statuses.values())} | {result} |")
    return "\n".join([*rows, "", f"{total} cases in {len(ATTACKS)} attacks.", ""])


def with_current_table(document: str) -> str:
    """Return the document with the table of today."""
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def with_fuzzer_row(document: str, name: str, inputs: int) -> str:
    """Return the document with a row for a reader that the fuzzer has run completely."""
    before, _, rest = document.partition(FUZZ_BEGIN)
    lines, _, after = rest.partition(END)
    head, rows = lines.splitlines()[:2], lines.splitlines()[2:]
    rows = [row for row in rows if not row.startswith(f"| {name} |")]
    rows.append(f"| {name} | {inputs:,} | read, or refused with a sentence |")
    return before + FUZZ_BEGIN + "\n".join([*head, *sorted(rows), ""]) + END + after


def main() -> None:
    """Write the table into the document."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["ATTN_HOME"] = home
        DOCUMENT.write_text(
            with_current_table(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
