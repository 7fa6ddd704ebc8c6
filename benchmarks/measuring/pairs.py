"""Measure models on files of sentence pairs."""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attn_cli.data.text_input import open_lines, parse_pair
from measuring import DATA, Skipped, attn, require_file, say

#: The default of --pairs.
TEST_PAIRS = [
    DATA / "general" / "test" / f"{name}.tsv.gz" for name in ("newstest2013", "tico19-dev")
]


def add_pair_options(parser: argparse.ArgumentParser, *, limit: int) -> None:
    """Add --pairs, --languages, --limit (this many lines by default) and --output."""
    parser.add_argument("--pairs", action="append", type=Path, help="a file; may be repeated")
    parser.add_argument("--languages", default="en,fr", help="of the columns of the pairs")
    parser.add_argument("--limit", type=int, default=limit, help="lines of each file")
    parser.add_argument("--output", type=Path, help="write OUTPUT.md and OUTPUT.json too")


def measure_each(
    items: Iterable[tuple[Any, Path]],
    measure: Callable[[Any, Path], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the record of each item and file; report those that `measure` skips."""
    records = []
    for item, file in items:
        try:
            records.append(measure(item, file))
        except Skipped as reason:
            say(f"{item} on {file}: skipped, {reason}")
    if not records:
        say("nothing was measured")
    return records


def read_pairs(
    file: Path, manifest: Mapping[str, Any], *, languages: str, limit: int
) -> tuple[list[str], list[str]]:
    """Return sources and references for the model of a manifest, from the first `limit` lines.

    `languages` are those of the file's columns. Raises Skipped if they are not the model's, or if
    there is no such file.
    """
    columns = languages.split(",")
    source, target = manifest["source"], manifest["target"]
    if sorted(columns) != sorted((source, target)):
        raise Skipped(f"it translates {source}-{target}, the text is {languages}")
    with open_lines(require_file(file)) as lines:
        pairs = [pair for line in lines if (pair := parse_pair(line.text))][:limit]
    pairs = [pair for pair in pairs if all(map(str.strip, pair))]
    if not pairs:
        raise Skipped(f"{file} has no pairs")
    column = columns.index(source)
    return [pair[column] for pair in pairs], [pair[1 - column] for pair in pairs]


def translate_to_records(model: str, sources: Sequence[str], *flags: str) -> list[dict[str, Any]]:
    """Run `attn translate --format jsonl` with these flags. Raises Skipped if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        text, records = Path(folder, "source"), Path(folder, "records.jsonl")
        text.write_text("".join(f"{source}\n" for source in sources), encoding="utf-8")
        attn("translate", "-q", "-m", model, "-f", "jsonl", *flags, "-i", text, "-o", records)
        return [json.loads(line) for line in records.read_text(encoding="utf-8").split("\n")[:-1]]
