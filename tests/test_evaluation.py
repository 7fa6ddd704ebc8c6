"""BLEU, chrF and TER are sacrebleu's own, signature included."""

import pytest
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF, TER

from attn_cli.errors import DataError
from attn_cli.evaluation import TextScore, bleu, chrf, text_scores

REFERENCE = ["Le chat est assis sur le tapis.", "Bonjour à tous, mes amis.", "Il pleut."]
HYPOTHESES = ["Le chat est assis sur un tapis.", "Bonjour à vous, mes amis.", ""]


def test_the_scores_are_those_of_sacrebleu():
    scores = text_scores(HYPOTHESES, [REFERENCE])
    assert scores["bleu"].score == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCE]).score
    assert scores["chrf"].score == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCE]).score
    assert scores["ter"].score == sacrebleu.corpus_ter(HYPOTHESES, [REFERENCE]).score


def test_the_quick_scores_are_the_full_ones():
    scores = text_scores(HYPOTHESES, [REFERENCE])
    assert bleu(HYPOTHESES, REFERENCE) == scores["bleu"].score
    assert chrf(HYPOTHESES, REFERENCE) == scores["chrf"].score


def test_each_score_carries_the_signature_of_its_metric():
    signatures = {key: one.signature for key, one in text_scores(REFERENCE, [REFERENCE]).items()}
    version = f"version:{sacrebleu.__version__}"
    assert signatures["bleu"] == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|{version}"
    assert all(signature.endswith(version) for signature in signatures.values())


def test_several_references_are_counted_in_the_signature():
    scores = text_scores(HYPOTHESES, [REFERENCE, HYPOTHESES])
    assert scores["bleu"].signature.startswith("nrefs:2|")


SECOND = ["Le chat s'est assis sur un tapis.", None, None]


def test_a_line_may_have_fewer_references_than_another():
    scores = text_scores(HYPOTHESES, [REFERENCE, SECOND])
    direct = {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}
    for key, metric in direct.items():
        assert scores[key].score == metric.corpus_score(HYPOTHESES, [REFERENCE, SECOND]).score
        assert scores[key].signature == str(metric.get_signature())
        assert scores[key].signature.startswith("nrefs:var|")


def test_a_reference_that_is_not_there_counts_as_little_as_the_first_one_again():
    """In BLEU a repeated reference adds no n-gram and no length, in chrF it is no better, in TER
    the mean length of two equal ones is theirs. An empty one does count there."""
    again = [other or first for first, other in zip(REFERENCE, SECOND, strict=True)]
    empty = [other or "" for other in SECOND]
    missing, twice, blank = (
        {key: one.score for key, one in text_scores(HYPOTHESES, [REFERENCE, text]).items()}
        for text in (SECOND, again, empty)
    )
    assert missing == twice
    assert missing["ter"] != blank["ter"]


def test_the_line_for_people_and_the_record_for_machines():
    score = TextScore("BLEU", 57.149, "nrefs:1|tok:13a")
    assert score.line() == "BLEU 57.1 (nrefs:1|tok:13a)"
    assert score.record() == {"score": 57.15, "signature": "nrefs:1|tok:13a"}


def test_unequal_counts_are_refused_with_both():
    with pytest.raises(DataError, match=r"3 translations .* 2 lines of the reference"):
        text_scores(HYPOTHESES, [REFERENCE[:2]])


@pytest.mark.parametrize("references", [[], [[]]])
def test_nothing_to_score_is_refused(references):
    with pytest.raises(DataError):
        text_scores([], references)
