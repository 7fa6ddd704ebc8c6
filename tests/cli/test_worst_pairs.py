"""attn align --worst N --gold: the pairs that differ most from the gold, worst first."""

import pytest
from program import attn

from attn_cli.alignment.aer import score_alignment
from attn_cli.cli.worst_pairs import worst_pairs
from attn_cli.errors import ExitStatus
from attn_cli.types import GoldAlignment, InputLine, WordAlignment

PAIRS = "Thank you.\tMerci.\nI love you\tJe t'aime\nGood night.\tBonne nuit.\n"


@pytest.fixture
def gold(tmp_path):
    """A gold alignment that differs from the model's links for the second pair only."""
    links = attn("align", "-f", "pharaoh", stdin=PAIRS).lines()
    path = tmp_path / "a.gold"
    path.write_text(f"{links[0]}\n0-0 1-1 2-2\n{links[2]}\n", encoding="utf-8")
    return path


def test_the_worst_pair_is_shown_with_its_missing_and_wrong_links(gold):
    result = attn("align", "--gold", gold, "--worst", 2, stdin=PAIRS)
    caption, title, sentences, *_ = result.out.splitlines()
    assert caption == "line 2: AER 66.7; missing love–t', you–aime; wrong you–t', love–aime"
    assert title.startswith("alignment, forced")
    assert sentences == "I love you → Je t'aime"
    assert "line 1" not in result.out
    assert result.err.startswith("AER ")


def test_records_have_the_score_and_the_links(gold):
    (record,) = attn("align", "--gold", gold, "--worst", 1, "-f", "jsonl", stdin=PAIRS).records()
    assert (record["line"], record["aer"]) == (2, 66.67)
    assert record["missing"] == [[1, 1], [2, 2]]
    assert record["wrong"] == [[2, 1], [1, 2]]


def links(*pairs: tuple[int, int]) -> WordAlignment:
    return WordAlignment(frozenset(pairs), 3, 3)


def test_pairs_are_in_the_order_of_their_aer():
    gold = [GoldAlignment.from_links([(0, 0), (1, 1)], [(2, 2)])] * 4
    alignments = [
        links((0, 0), (1, 1)),
        links((0, 1)),
        links((0, 0)),
        links((0, 0), (1, 1), (2, 2)),
    ]
    requests = [InputLine(line, "a b c", "x y z") for line in range(1, 5)]
    worst = worst_pairs(requests, alignments, gold, 9)
    scores = [score_alignment([g], [f]).aer for g, f in zip(gold, alignments, strict=True)]
    assert [pair.request.line for pair in worst] == [2, 3]
    assert [pair.score.aer for pair in worst] == sorted(scores, reverse=True)[:2]
    assert worst_pairs(requests, alignments, gold, 1) == worst[:1]


def test_worst_without_gold_is_refused():
    result = attn("align", "a", "b", "--worst", 3)
    assert result.status == ExitStatus.USAGE
    assert "Give --gold, too" in result.err
