"""Files to score: references, links and gold, for `score` and for `align --gold`."""

from functools import cached_property
from pathlib import Path

from attn_cli.alignment.aer import AlignmentScore, score_alignment
from attn_cli.alignment.pharaoh import check_same_length, read_gold, read_links
from attn_cli.choices import IndexBase
from attn_cli.cli.input import warning_callback
from attn_cli.console import Console
from attn_cli.data.text_io import open_lines
from attn_cli.errors import UsageError
from attn_cli.types import GoldAlignment, Translation, WordAlignment


def gold_of(console: Console, path: Path, base: IndexBase) -> tuple[list[GoldAlignment], int]:
    """The gold links in a file, and the base they were in."""
    return read_gold(texts_of(console, path), name=str(path), base=base)


def links_of(console: Console, path: Path, base: IndexBase) -> tuple[list[WordAlignment], int]:
    """The Pharaoh links in a file, and the base they were in."""
    return read_links(texts_of(console, path), name=str(path), base=base)


def texts_of(console: Console, path: Path) -> list[str]:
    """The lines of a file, or of stdin for "-"."""
    with open_lines(
        path, stdin=console.stdin, on_problem=warning_callback(console, str(path))
    ) as lines:
        return [line.text for line in lines]


def references_of(console: Console, paths: list[Path]) -> list[list[str | None]]:
    """The lines of each reference file, None where one behind the first has a blank line."""
    first, *others = (texts_of(console, path) for path in paths)
    return [[*first], *([line if line.strip() else None for line in other] for other in others)]


def bases(texts: list[str]) -> tuple[IndexBase, IndexBase]:
    """--index-base, once for both sides or once for each: gold first, then links."""
    if len(texts) > 2:
        raise UsageError("--index-base was given more than twice", "Once for gold, once for links.")
    chosen: list[IndexBase] = []
    for text in texts or ["auto"]:
        if text not in ("auto", "0", "1"):
            raise UsageError(f"--index-base cannot be {text}", "Choose auto, 0 or 1.")
        chosen.append("auto" if text == "auto" else 1 if text == "1" else 0)
    return chosen[0], chosen[-1]


def score_files(console: Console, gold: Path, links: Path, texts: list[str]) -> AlignmentScore:
    """AER of a file of links against a file of gold; says on stderr which bases it decided on."""
    gold_base, links_base = bases(texts)
    truth, gold_found = gold_of(console, gold, gold_base)
    found, links_found = links_of(console, links, links_base)
    check_same_length(truth, found, (str(gold), str(links)))
    if "auto" in (gold_base, links_base):
        console.info(f"attn: counting words from {gold_found} in gold, from {links_found} in links")
    return score_alignment(truth, found, gold_base=gold_found, links_base=links_found)


class GoldEvaluator:
    """Collects the links of a run and scores them at its end, when the sentences are known."""

    def __init__(self, console: Console, path: Path, index_base: str) -> None:
        self.console, self.path = console, path
        self.base, _ = bases([index_base])
        self.gold = texts_of(console, path)
        self.found: list[WordAlignment] = []
        self.lengths: list[tuple[int, int]] = []

    def add(self, found: list[tuple[WordAlignment, Translation]]) -> None:
        """The links of the next lines, and the pairs they are in."""
        for links, pair in found:
            self.found.append(links)
            self.lengths.append((len(pair.source_words), len(pair.target_words)))

    @cached_property
    def gold_links(self) -> tuple[list[GoldAlignment], int]:
        """The gold links of all lines, and the base they were in; once all links are added."""
        check_same_length(self.gold, self.found, (str(self.path), "the input"))
        return read_gold(self.gold, name=str(self.path), base=self.base, lengths=self.lengths)

    def report(self) -> None:
        """One line on stderr: AER, precision, recall and the signature."""
        gold, base = self.gold_links
        self.console.raw(score_alignment(gold, self.found, gold_base=base).summary())
