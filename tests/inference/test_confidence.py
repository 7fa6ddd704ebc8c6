"""Confidence (an estimate of sentence chrF), its features and its file; rank correlation."""

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
    """Return evidence; `counts` are the source's words, pieces and letters."""
    arrays = (np.array(logp, np.float32) for logp in (pieces, words))
    return Evidence(*arrays, *(counts or (2, 3, 12)))


def samples(count=400, seed=0):
    return np.random.default_rng(seed).normal(size=(count, len(FEATURES)))


# Rank correlation


def test_rank_correlation_follows_the_formula_of_spearman():
    one, other = [10.0, 20.0, 30.0, 40.0, 50.0], [1.0, 3.0, 2.0, 5.0, 4.0]
    differences = (0, 1, 1, 1, 1)  # of the ranks
    expected = 1 - 6 * sum(d * d for d in differences) / (5 * (5**2 - 1))
    assert rank_correlation(one, other) == pytest.approx(expected)


def test_equal_numbers_share_their_mean_rank():
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5)
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))


def test_rank_correlation_depends_only_on_the_order():
    x = np.random.default_rng(1).normal(size=50)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1)
    assert rank_correlation(x, -(x**3)) == pytest.approx(-1)


def test_the_rank_correlation_with_a_constant_is_0():
    assert rank_correlation([1, 2, 3], [5, 5, 5]) == 0


# Features


def test_the_features_of_a_translation_have_the_values_of_their_formulas():
    sample = evidence([-0.5, -1.5, -1.0], [-2.0, -1.0, 0.0, -3.0], 1, 2, 7)
    features = dict(zip(FEATURES, sample.features(), strict=True))
    probabilities = [np.exp(-2), np.exp(-1), 1, np.exp(-3)]
    assert features == pytest.approx(
        {
            "mean_logp": -1.0,
            "word_probability": sum(probabilities) / 4,
            "log_piece_ratio": np.log(4 / 3),
            "log_word_ratio": np.log(5 / 2),
            "letters_per_piece": 3.5,
            "log_source_pieces": np.log(3),
        }
    )


def test_joined_evidence_has_the_pieces_and_words_of_all_parts():
    one, other = evidence([-1.0], [-2.0], 1, 1, 5), evidence([-3.0, -4.0], [-1.0], 2, 2, 4)
    joined = Evidence.join([one, other])
    assert joined.piece_logp.tolist() == [-1, -3, -4]
    assert joined.word_logp.tolist() == [-2, -1]
    assert (joined.source_words, joined.source_pieces, joined.source_letters) == (3, 3, 9)


@pytest.mark.parametrize("sample", [evidence([], [], 0, 0, 0), evidence([-np.inf], [-np.inf])])
def test_features_are_finite_without_pieces_and_with_probability_0(sample):
    assert np.isfinite(sample.features()).all()


# Calibration


def test_fitting_recovers_a_logistic_function_of_the_features():
    features = samples()
    scores = 1 / (1 + np.exp(-(features @ np.linspace(-0.5, 0.5, len(FEATURES)) - 0.3)))
    calibration = fit(features, scores)
    estimates = [calibration.estimate(row) for row in features]
    np.testing.assert_allclose(estimates, scores, atol=0.01)


def test_the_mean_estimate_is_the_mean_score_of_the_fitted_pairs():
    features = samples()
    scores = np.random.default_rng(3).uniform(size=len(features))
    calibration = fit(features, scores)
    mean = np.mean([calibration.estimate(row) for row in features])
    assert mean == pytest.approx(scores.mean(), abs=1e-4)
    assert calibration.mean_score == pytest.approx(scores.mean())


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_fitting_works_when_all_translations_are_the_same(score):
    calibration = fit(np.ones((MIN_PAIRS, len(FEATURES))), np.full(MIN_PAIRS, score))
    assert calibration.estimate(np.ones(len(FEATURES))) == pytest.approx(score, abs=0.01)


def test_confidence_is_between_0_and_1_for_extreme_evidence():
    calibration = fit(samples(), np.random.default_rng(3).uniform(size=400))
    for sample in (
        evidence([-np.inf], [-np.inf], 1, 100_000, 1),
        evidence([0.0], [0.0], 1, 1, 5000),
    ):
        assert 0 <= calibration(sample) <= 1


def test_too_few_pairs_are_refused():
    with pytest.raises(DataError, match="too few"):
        fit(samples(MIN_PAIRS - 1), np.ones(MIN_PAIRS - 1))


def test_fitting_is_deterministic_and_a_loaded_file_gives_the_same_estimates():
    features, scores = samples(), np.random.default_rng(3).uniform(size=400)
    calibration = fit(features, scores, metric="chrF2")
    data = calibration.to_bytes()
    assert fit(features, scores, metric="chrF2").to_bytes() == data
    loaded = Calibration.from_bytes(data, where="x")
    assert [loaded.estimate(row) for row in features] == [
        calibration.estimate(row) for row in features
    ]
    assert (loaded.pairs, loaded.metric) == (400, "chrF2")


def changed_file(**entries):
    record = json.loads(fit(samples(), np.full(400, 0.5)).to_bytes())
    return json.dumps(record | entries).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"version": 1}',
        changed_file(version=2),
        changed_file(features={}),
        changed_file(bias="low"),
        changed_file(bias=float("nan")),
        changed_file(features={key: {"mean": 0, "scale": 0, "weight": 1} for key in FEATURES}),
    ],
)
def test_an_invalid_calibration_file_is_refused_with_its_name_and_a_hint(data):
    with pytest.raises(ModelError, match=r"m/confidence\.json") as refused:
        Calibration.from_bytes(data, where="m/confidence.json")
    assert "attn models calibrate" in refused.value.hint
