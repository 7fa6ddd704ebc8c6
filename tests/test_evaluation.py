"""BLEU, chrF and TER are those of sacrebleu, with its signatures."""

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


def test_bleu_and_chrf_alone_equal_those_of_all_scores():
    scores = text_scores(HYPOTHESES, [REFERENCE])
    assert bleu(HYPOTHESES, REFERENCE) == scores["bleu"].score
    assert chrf(HYPOTHESES, REFERENCE) == scores["chrf"].score


def test_each_score_carries_the_signature_of_its_metric():
    signatures = {
        key: score.signature for key, score in text_scores(REFERENCE, [REFERENCE]).items()
    }
    version = f"version:{sacrebleu.__version__}"
    assert signatures["bleu"] == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|{version}"
    assert all(signature.endswith(version) for signature in signatures.values())


def test_several_references_are_counted_in_the_signature():
    scores = text_scores(HYPOTHESES, [REFERENCE, HYPOTHESES])
    assert scores["bleu"].signature.startswith("nrefs:2|")


SECOND_REFERENCE = ["Le chat s'est assis sur un tapis.", None, None]


def test_a_line_may_have_fewer_references_than_another():
    scores = text_scores(HYPOTHESES, [REFERENCE, SECOND_REFERENCE])
    metrics = {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}
    for key, metric in metrics.items():
        assert (
            scores[key].score
            == metric.corpus_score(HYPOTHESES, [REFERENCE, SECOND_REFERENCE]).score
        )
        assert scores[key].signature == str(metric.get_signature())
        assert scores[key].signature.startswith("nrefs:var|")


def test_a_missing_reference_has_the_same_effect_as_a_repeated_first_one():
    """A repeated reference adds no n-gram and no length to BLEU, does not raise the best chrF, and
    does not change the mean length of TER. An empty reference changes TER."""
    repeats = [other or first for first, other in zip(REFERENCE, SECOND_REFERENCE, strict=True)]
    blanks = [other or "" for other in SECOND_REFERENCE]
    scores_with_none, scores_with_repeats, scores_with_blanks = (
        {key: score.score for key, score in text_scores(HYPOTHESES, [REFERENCE, text]).items()}
        for text in (SECOND_REFERENCE, repeats, blanks)
    )
    assert scores_with_none == scores_with_repeats
    assert scores_with_none["ter"] != scores_with_blanks["ter"]


def test_a_score_is_formatted_as_a_line_and_as_a_record():
    score = TextScore("BLEU", 57.149, "nrefs:1|tok:13a")
    assert score.line() == "BLEU 57.1 (nrefs:1|tok:13a)"
    assert score.record() == {"score": 57.15, "signature": "nrefs:1|tok:13a"}


def test_unequal_line_counts_are_refused_and_both_are_named():
    with pytest.raises(DataError, match=r"3 translations .* 2 lines of the reference"):
        text_scores(HYPOTHESES, [REFERENCE[:2]])


@pytest.mark.parametrize("references", [[], [[]]])
def test_a_text_without_lines_is_refused(references):
    with pytest.raises(DataError):
        text_scores([], references)
