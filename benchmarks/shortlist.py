"""Measure the effect of a shortlist on translations, BLEU and CPU time.

    python benchmarks/shortlist.py --model runs/mine --pairs newstest2013.tsv.gz
    python benchmarks/shortlist.py --model runs/mine --pairs mine.tsv --beam 1 --limit 200

--pairs names files of two columns in the languages of --languages; the model translates the column
of its source language. For each file and beam size: the share of equal translations with and
without a shortlist, the BLEU of both, and the CPU time of both. Each time is the median of
--repeat alternating runs, minus the time of the first line alone, which is the start-up.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from measuring import (
    ATTN,
    ONE_THREAD,
    Skipped,
    cost_of,
    describe_conditions,
    report,
    table,
    use_one_core,
)
from measuring.pairs import TEST_PAIRS, add_pair_options, measure_each, read_pairs

from attn_cli import evaluation
from attn_cli.bundles import manifest, registry

_WAYS: dict[str, tuple[str, ...]] = {"shortlist": (), "vocabulary": ("--no-shortlist",)}


def main() -> int:
    options = _options()
    use_one_core()
    beam_sizes, files = options.beam or [5], options.pairs or TEST_PAIRS
    records = measure_each(product(beam_sizes, files), partial(_measure, options))
    if not records:
        return 0
    titles = (
        *("text", "lines", "beam", "the same", "BLEU, shortlist", "BLEU, vocabulary"),
        *("CPU s, shortlist", "CPU s, vocabulary", "ratio"),
    )
    markdown = table(titles, [_row(record) for record in records])
    report(f"{markdown}\n{describe_conditions()}\n", {"results": records}, options.output)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="en-fr", help="a name or a folder")
    parser.add_argument("--beam", action="append", type=int, help="beam size; may be repeated")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each")
    add_pair_options(parser, limit=1000)
    return parser.parse_args()


def _measure(options: argparse.Namespace, beam_size: int, file: Path) -> dict[str, Any]:
    """Return the figures of one file and beam size. Raises Skipped."""
    folder = registry.find(options.model)
    facts = manifest.read_manifest(folder)
    if manifest.SHORTLIST not in facts["files"]:
        raise Skipped(f"{options.model} has no shortlist: attn export {options.model} --pairs FILE")
    sources, references = read_pairs(file, facts, languages=options.languages, limit=options.limit)
    times: dict[str, list[float]] = {way: [] for way in _WAYS}
    texts: dict[str, list[str]] = {}
    for _ in range(options.repeat):
        for way, flags in _WAYS.items():
            start, _ = _translate(folder, beam_size, flags, sources[:1])
            seconds, texts[way] = _translate(folder, beam_size, flags, sources)
            times[way].append(seconds - start)
    same = sum(map(str.__eq__, *texts.values())) / len(sources)
    return {
        "text": file.name.split(".")[0],
        "lines": len(sources),
        "beam": beam_size,
        "same": same,
        "bleu": {way: evaluation.bleu(texts[way], references) for way in _WAYS},
        "cpu_seconds": {way: statistics.median(times[way]) for way in _WAYS},
    }


def _translate(
    folder: Path, beam_size: int, flags: Sequence[str], sources: Sequence[str]
) -> tuple[float, list[str]]:
    """Return CPU seconds and translations of one process."""
    with tempfile.TemporaryDirectory() as scratch:
        text, output = Path(scratch, "source"), Path(scratch, "output")
        text.write_text("".join(f"{each}\n" for each in sources), encoding="utf-8")
        command = [*ATTN, "translate", "-q", "-m", str(folder), "--threads", "1", *flags]
        command += ["--beam", str(beam_size), "-i", str(text), "-o", str(output)]
        cost = cost_of(command, environment=ONE_THREAD)
        return cost.cpu_seconds, output.read_text(encoding="utf-8").split("\n")[:-1]


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    bleu, seconds = record["bleu"], record["cpu_seconds"]
    return (
        *(record["text"], f"{record['lines']:,}", str(record["beam"])),
        *(f"{100 * record['same']:.1f} %", f"{bleu['shortlist']:.2f}", f"{bleu['vocabulary']:.2f}"),
        *(f"{seconds['shortlist']:.1f}", f"{seconds['vocabulary']:.1f}"),
        f"{seconds['vocabulary'] / seconds['shortlist']:.2f}",
    )


if __name__ == "__main__":
    sys.exit(main())
