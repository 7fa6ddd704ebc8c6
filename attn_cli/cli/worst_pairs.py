"""attn align --worst N --gold: the pairs whose links differ most from the gold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attn_cli.alignment.aer import AlignmentScore, score_alignment
from attn_cli.cli.evaluation import GoldEvaluator
from attn_cli.cli.output import Writer
from attn_cli.console import Console
from attn_cli.inference.diagnosis import LinkerProtocol
from attn_cli.types import GoldAlignment, InputLine, Translation, WordAlignment


@dataclass(frozen=True)
class WorstPair:
    """A pair, its score, its sure gold links that are missing, and its links that gold lacks."""

    request: InputLine
    score: AlignmentScore
    missing: tuple[tuple[int, int], ...]
    wrong: tuple[tuple[int, int], ...]

    def with_fields(self) -> InputLine:
        """The request with `aer`, `missing` and `wrong` as fields of its JSONL record."""
        fields = {
            "aer": round(self.score.aer, 2),
            "missing": [list(link) for link in self.missing],
            "wrong": [list(link) for link in self.wrong],
        }
        return replace(self.request, extra=self.request.extra | fields)

    def caption(self, translation: Translation) -> str:
        """A line on the pair: its number, its AER, the words of missing and wrong links."""
        parts = [f"line {self.request.line}: AER {self.score.aer:.1f}"]
        for name, links in (("missing", self.missing), ("wrong", self.wrong)):
            if links:
                words = ", ".join(
                    f"{translation.source_words[s]}–{translation.target_words[t]}" for s, t in links
                )
                parts.append(f"{name} {words}")
        return "; ".join(parts)


def worst_pairs(
    requests: Sequence[InputLine],
    links: Sequence[WordAlignment],
    gold: Sequence[GoldAlignment],
    count: int,
) -> list[WorstPair]:
    """Return at most `count` pairs with an AER above 0, the worst first.

    Of equal AER the pairs with more missing and wrong links, then the earlier ones.
    """
    pairs = [
        WorstPair(
            request,
            score_alignment([truth], [proposed]),
            _ordered(truth.sure - proposed.links),
            _ordered(proposed.links - truth.possible),
        )
        for request, proposed, truth in zip(requests, links, gold, strict=True)
    ]
    wrong = [pair for pair in pairs if pair.score.aer > 0]
    wrong.sort(key=lambda pair: (-pair.score.aer, -len(pair.missing) - len(pair.wrong)))
    return wrong[:count]


def _ordered(links: frozenset[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(links, key=lambda link: (link[1], link[0])))


def write_worst_pairs(
    console: Console,
    output: Path | None,
    writer: Writer,
    linker: LinkerProtocol,
    chunks: Iterable[Sequence[InputLine]],
    scored: GoldEvaluator,
    count: int,
) -> None:
    """Link all pairs, report their AER, and write the `count` that differ most from the gold."""
    requests: list[InputLine] = []
    for chunk in chunks:
        scored.add([(links, pair) for pair, links in linker.link(chunk)])
        requests += chunk
    scored.report()
    gold, _ = scored.gold_links
    worst = worst_pairs(requests, scored.links, gold, count)
    captions = {pair.request.line: pair.caption for pair in worst}
    place = {request.line: index for index, request in enumerate(requests)}
    writer = replace(
        writer,
        caption=lambda each: captions[each.line](each),
        read_gold=lambda: [gold[place[pair.request.line]] for pair in worst],
    )
    with writer.open(console, output) as write:
        linked = linker.link([pair.request for pair in worst])
        write([(pair.with_fields(), *each) for pair, each in zip(worst, linked, strict=True)])
