"""Links against gold, for `score` and for `align --gold`."""

from pathlib import Path
from typing import Literal

from attn_cli.align.aer import AlignmentScore, alignment_score
from attn_cli.align.links import check_same_length, read_gold, read_links
from attn_cli.console import Console
from attn_cli.errors import UsageError
from attn_cli.text.reading import open_lines
from attn_cli.values import GoldLinks, Links

Base = Literal["auto", 0, 1]


def gold_of(console: Console, path: Path, base: Base) -> tuple[list[GoldLinks], int]:
    """The gold links in a file, and the base they were in."""
    with open_lines(path, stdin=console.stdin) as lines:
        return read_gold((line.text for line in lines), name=str(path), base=base)


def links_of(console: Console, path: Path, base: Base) -> tuple[list[Links], int]:
    """The Pharaoh links in a file, and the base they were in."""
    with open_lines(path, stdin=console.stdin) as lines:
        return read_links((line.text for line in lines), name=str(path), base=base)


def bases(console: Console, texts: list[str]) -> tuple[Base, Base]:
    """--index-base, once for both sides or once for each: gold first, then links."""
    if len(texts) > 2:
        raise UsageError("--index-base was given more than twice", "Once for gold, once for links.")
    chosen: list[Base] = []
    for text in texts or ["auto"]:
        if text not in ("auto", "0", "1"):
            raise UsageError(f"--index-base cannot be {text}", "Choose auto, 0 or 1.")
        chosen.append("auto" if text == "auto" else 1 if text == "1" else 0)
    return chosen[0], chosen[-1]


def score_files(console: Console, gold: Path, links: Path, texts: list[str]) -> AlignmentScore:
    """AER of a file of links against a file of gold; says on stderr which bases it decided on."""
    gold_base, links_base = bases(console, texts)
    truth, gold_found = gold_of(console, gold, gold_base)
    found, links_found = links_of(console, links, links_base)
    check_same_length(truth, found, (str(gold), str(links)))
    if "auto" in (gold_base, links_base):
        console.say(f"attn: counting words from {gold_found} in gold, from {links_found} in links")
    return alignment_score(truth, found, gold_base=gold_found, links_base=links_found)


class GoldScore:
    """Collects the links of a run and scores them at its end."""

    def __init__(self, console: Console, path: Path) -> None:
        self.console, self.path = console, path
        self.gold, self.base = gold_of(console, path, "auto")
        self.found: list[Links] = []

    def add(self, links: list[Links]) -> None:
        """The links of the next lines."""
        self.found += links

    def report(self) -> None:
        """One line on stderr: AER, precision, recall and the signature."""
        check_same_length(self.gold, self.found, (str(self.path), "the input"))
        score = alignment_score(self.gold, self.found, gold_base=self.base)
        self.console.warn_plain(score.line())
