"""AER, precision, recall and F1: published figures, the formula, and cases without links."""

import pytest
from alignment_sets import needs_data, read_lines

from attn_cli.alignment.aer import AlignmentScore, score_alignment
from attn_cli.alignment.pharaoh import read_gold, read_links, transpose
from attn_cli.types import GoldAlignment, WordAlignment


def links(*pairs):
    return WordAlignment(frozenset(pairs), 9, 9)


@needs_data
@pytest.mark.parametrize(
    ("name", "aer", "precision", "recall"),
    [
        ("forward", 28.7, 82.7, 62.6),
        ("reverse", 32.2, 79.5, 59.1),  # stored target-source
        ("intersection", 30.7, 95.7, 54.3),
        ("union", 30.3, 72.3, 67.4),
        ("grow-diagonal", 27.9, 94.0, 58.5),
        ("grow-diagonal-final", 26.4, 90.9, 61.8),
    ],
)
def test_scores_equal_the_published_figures_for_romanian_english(name, aer, precision, recall):
    gold, gold_base = read_gold(read_lines("ro-en.gold"), name="gold")
    file = f"ro-en.giza.{name}.links"
    proposed, links_base = read_links(read_lines(file), name=file, base="auto")
    if name == "reverse":
        proposed = [transpose(one) for one in proposed]
    score = score_alignment(gold, proposed, gold_base=gold_base, links_base=links_base)
    assert (gold_base, links_base) == (1, 0)
    assert (round(score.aer, 1), round(score.precision, 1), round(score.recall, 1)) == (
        aer,
        precision,
        recall,
    )


@needs_data
def test_the_hansards_gold_has_base_1_and_both_sure_and_possible_links():
    gold, base = read_gold(read_lines("en-fr.dev.gold"), name="gold")
    assert base == 1
    score = score_alignment(gold, [links()] * len(gold), gold_base=base)
    assert score.signature == "224 pairs, 1963 sure, 7201 possible, base gold 1 links 0"


def test_the_counts_of_all_pairs_are_summed_before_dividing():
    gold = [
        GoldAlignment.from_links([(0, 0)], [(1, 1)]),
        GoldAlignment.from_links([(0, 0), (1, 1)], []),
    ]
    proposed = [links((0, 0), (1, 1), (2, 2)), links((0, 0))]
    score = score_alignment(gold, proposed)
    assert score == AlignmentScore(
        pairs=2, proposed=4, in_sure=2, in_possible=3, sure=3, possible=4
    )
    assert score.precision == pytest.approx(100 * 3 / 4)
    assert score.recall == pytest.approx(100 * 2 / 3)
    assert score.aer == pytest.approx(100 * (1 - (2 + 3) / (4 + 3)))
    assert score.f1 == pytest.approx(2 / (4 / 3 + 3 / 2) * 100)


def test_proposing_exactly_the_sure_links_has_aer_0():
    score = score_alignment([GoldAlignment.from_links([(0, 0)], [(1, 1)])], [links((0, 0))])
    assert (score.aer, score.precision, score.recall, score.f1) == (0, 100, 100, 100)


@pytest.mark.parametrize(
    ("sure", "possible", "proposed", "aer", "precision", "recall"),
    [
        ([], [], [], 0, 100, 100),
        ([(0, 0)], [], [], 100, 0, 0),
        ([], [(0, 0)], [(0, 0)], 0, 100, 100),
        ([], [], [(0, 0)], 100, 0, 100),
    ],
)
def test_scores_are_defined_when_links_are_missing(
    sure, possible, proposed, aer, precision, recall
):
    score = score_alignment([GoldAlignment.from_links(sure, possible)], [links(*proposed)])
    assert (score.aer, score.precision, score.recall) == (aer, precision, recall)


def test_the_summary_contains_the_signature():
    score = AlignmentScore(447, 5000, 3600, 4800, 4038, 17438, gold_base=1, links_base=0)
    assert score.summary() == (
        "AER 7.1 (P 96.0 R 89.2, 447 pairs, 4038 sure, 13400 possible, base gold 1 links 0)"
    )


def test_the_record_has_the_documented_fields():
    record = AlignmentScore(447, 5000, 3600, 4800, 4038, 17438).record()
    assert list(record) == ["score", "precision", "recall", "f1", "pairs", "signature"]
    assert (record["score"], record["precision"], record["pairs"]) == (7.06, 96.0, 447)
