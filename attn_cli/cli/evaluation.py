"""Read references, links and gold links, and score them, for `score` and `align --gold`."""

from functools import cached_property
from pathlib import Path

from attn_cli.alignment.aer import AlignmentScore, score_alignment
from attn_cli.alignment.pharaoh import check_same_length, read_gold, read_links
from attn_cli.choices import IndexBase
from attn_cli.cli.input import open_text
from attn_cli.console import Console
from attn_cli.errors import UsageError
from attn_cli.types import GoldAlignment, Translation, WordAlignment


def read_gold_file(
    console: Console, path: Path, base: IndexBase
) -> tuple[list[GoldAlignment], int]:
    """Read a file of gold links; return them and the index base of the file."""
    return read_gold(read_lines(console, path), name=str(path), base=base)


def read_link_file(
    console: Console, path: Path, base: IndexBase
) -> tuple[list[WordAlignment], int]:
    """Read a file of Pharaoh links; return them and the index base of the file."""
    return read_links(read_lines(console, path), name=str(path), base=base)


def read_lines(console: Console, path: Path) -> list[str]:
    """Read the lines of a file, or of stdin for "-"."""
    with open_text(console, path, name=str(path)) as lines:
        return [line.text for line in lines]


def read_references(console: Console, paths: list[Path]) -> list[list[str | None]]:
    """Read reference files; a blank line in all but the first is None, no reference."""
    first, *others = (read_lines(console, path) for path in paths)
    return [[*first], *([line if line.strip() else None for line in other] for other in others)]


def parse_index_bases(texts: list[str]) -> tuple[IndexBase, IndexBase]:
    """Parse --index-base: one value for both, or one for gold and one for links."""
    if len(texts) > 2:
        raise UsageError(
            "--index-base was given more than twice", "Give it once for gold, and once for links."
        )
    chosen: list[IndexBase] = []
    for text in texts or ["auto"]:
        if text not in ("auto", "0", "1"):
            raise UsageError(f"--index-base cannot be {text}", "Choose auto, 0 or 1.")
        chosen.append("auto" if text == "auto" else 1 if text == "1" else 0)
    return chosen[0], chosen[-1]


def score_files(console: Console, gold: Path, links: Path, texts: list[str]) -> AlignmentScore:
    """Return the AER of a file of links; report automatic index bases on stderr."""
    gold_base, links_base = parse_index_bases(texts)
    gold_links, gold_index = read_gold_file(console, gold, gold_base)
    system_links, links_index = read_link_file(console, links, links_base)
    check_same_length(gold_links, system_links, (str(gold), str(links)))
    if "auto" in (gold_base, links_base):
        console.info(f"attn: counting words from {gold_index} in gold, from {links_index} in links")
    return score_alignment(gold_links, system_links, gold_base=gold_index, links_base=links_index)


class GoldEvaluator:
    """Collects the links of a run, and scores them at its end."""

    def __init__(self, console: Console, path: Path, index_base: str) -> None:
        self.console, self.path = console, path
        self.base, _ = parse_index_bases([index_base])
        self.gold = read_lines(console, path)
        self.links: list[WordAlignment] = []
        self.lengths: list[tuple[int, int]] = []

    def add(self, linked: list[tuple[WordAlignment, Translation]]) -> None:
        """Add the links of the next lines, with their pairs."""
        for links, pair in linked:
            self.links.append(links)
            self.lengths.append((len(pair.source_words), len(pair.target_words)))

    @cached_property
    def gold_links(self) -> tuple[list[GoldAlignment], int]:
        """The gold links of all lines, and their index base; read after all links are added."""
        check_same_length(self.gold, self.links, (str(self.path), "the input"))
        return read_gold(self.gold, name=str(self.path), base=self.base, lengths=self.lengths)

    def report(self) -> None:
        """Write AER, precision, recall and the signature to stderr, in one line."""
        gold, base = self.gold_links
        self.console.raw(score_alignment(gold, self.links, gold_base=base).summary())
