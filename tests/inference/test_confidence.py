"""Confidence: an estimate of sentence chrF, its features and its file. Rank correlation."""

import json

import numpy as np
import pytest

from attn_cli.errors import DataError, ModelError
from attn_cli.inference.confidence import (
    FEATURES,
    MIN_PAIRS,
    Calibration,
    Evidence,
    fit,
    rank_correlation,
)


def evidence(pieces, words, *counts):
    """With the counts of the source's words, pieces and letters."""
    arrays = (np.array(logp, np.float32) for logp in (pieces, words))
    return Evidence(*arrays, *(counts or (2, 3, 12)))


def samples(count=400, seed=0):
    return np.random.default_rng(seed).normal(size=(count, len(FEATURES)))


# Rank correlation


def test_rank_correlation_is_the_formula_of_spearman():
    one, other = [10.0, 20.0, 30.0, 40.0, 50.0], [1.0, 3.0, 2.0, 5.0, 4.0]
    differences = (0, 1, 1, 1, 1)  # of the ranks
    expected = 1 - 6 * sum(d * d for d in differences) / (5 * (5**2 - 1))
    assert rank_correlation(one, other) == pytest.approx(expected)


def test_equal_numbers_share_their_mean_rank():
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_only_the_order_matters_to_a_rank_correlation():
    x = np.random.default_rng(1).normal(size=50)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1)
    assert rank_correlation(x, -(x**3)) == pytest.approx(-1)


def test_the_rank_correlation_with_a_constant_is_nothing():
    assert rank_correlation([1, 2, 3], [5, 5, 5]) == 0


# Features


def test_the_features_of_a_translation_are_those_that_their_names_say():
    given = evidence([-0.5, -1.5, -1.0], [-2.0, -1.0, 0.0, -3.0], 1, 2, 7)
    found = dict(zip(FEATURES, given.features(), strict=True))
    probabilities = [np.exp(-2), np.exp(-1), 1, np.exp(-3)]
    assert found == pytest.approx(
        {
            "mean_logp": -1.0,
            "word_probability": sum(probabilities) / 4,
            "log_piece_ratio": np.log(4 / 3),
            "log_word_ratio": np.log(5 / 2),
            "letters_per_piece": 3.5,
            "log_source_pieces": np.log(3),
        }
    )


def test_evidence_of_parts_is_that_of_all_their_pieces_and_words():
    one, other = evidence([-1.0], [-2.0], 1, 1, 5), evidence([-3.0, -4.0], [-1.0], 2, 2, 4)
    both = Evidence.join([one, other])
    assert both.piece_logp.tolist() == [-1, -3, -4]
    assert both.word_logp.tolist() == [-2, -1]
    assert (both.source_words, both.source_pieces, both.source_letters) == (3, 3, 9)


@pytest.mark.parametrize("given", [evidence([], [], 0, 0, 0), evidence([-np.inf], [-np.inf])])
def test_features_are_finite_whatever_is_there(given):
    assert np.isfinite(given.features()).all()


# Calibration


def test_a_logistic_function_of_the_features_is_found_again():
    features = samples()
    truth = 1 / (1 + np.exp(-(features @ np.linspace(-0.5, 0.5, len(FEATURES)) - 0.3)))
    fitted = fit(features, truth)
    estimates = [fitted.estimate(row) for row in features]
    np.testing.assert_allclose(estimates, truth, atol=0.01)


def test_the_mean_estimate_is_the_mean_score_of_what_it_was_fitted_to():
    features = samples()
    scores = np.random.default_rng(3).uniform(size=len(features))
    fitted = fit(features, scores)
    mean = np.mean([fitted.estimate(row) for row in features])
    assert mean == pytest.approx(scores.mean(), abs=1e-4)
    assert fitted.mean_score == pytest.approx(scores.mean())


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_translations_that_are_all_alike_are_no_trouble(score):
    fitted = fit(np.ones((MIN_PAIRS, len(FEATURES))), np.full(MIN_PAIRS, score))
    assert fitted.estimate(np.ones(len(FEATURES))) == pytest.approx(score, abs=0.01)


def test_a_confidence_is_between_nothing_and_one_however_odd_the_line():
    fitted = fit(samples(), np.random.default_rng(3).uniform(size=400))
    for given in (
        evidence([-np.inf], [-np.inf], 1, 100_000, 1),
        evidence([0.0], [0.0], 1, 1, 5000),
    ):
        assert 0 <= fitted(given) <= 1


def test_too_few_pairs_are_refused():
    with pytest.raises(DataError, match="too few"):
        fit(samples(MIN_PAIRS - 1), np.ones(MIN_PAIRS - 1))


def test_fitting_again_gives_the_same_bytes_and_the_file_gives_the_same_estimates():
    features, scores = samples(), np.random.default_rng(3).uniform(size=400)
    fitted = fit(features, scores, metric="chrF2")
    data = fitted.to_bytes()
    assert fit(features, scores, metric="chrF2").to_bytes() == data
    read = Calibration.from_bytes(data, where="x")
    assert [read.estimate(row) for row in features] == [fitted.estimate(row) for row in features]
    assert (read.pairs, read.metric) == (400, "chrF2")


def changed(**entries):
    record = json.loads(fit(samples(), np.full(400, 0.5)).to_bytes())
    return json.dumps(record | entries).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"version": 1}',
        changed(version=2),
        changed(features={}),
        changed(bias="low"),
        changed(bias=float("nan")),
        changed(features={key: {"mean": 0, "scale": 0, "weight": 1} for key in FEATURES}),
    ],
)
def test_a_file_that_is_no_calibration_is_named_and_says_what_to_do(data):
    with pytest.raises(ModelError, match=r"m/confidence\.json") as refused:
        Calibration.from_bytes(data, where="m/confidence.json")
    assert "attn models calibrate" in refused.value.hint
