"""The scorers compared with cases worked by hand and with their formulas in numpy."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from systems import ACTIVATIONS

from attn_cli.config.network import Scorer as ScorerName
from attn_cli.nn.builder import SCORERS
from attn_cli.nn.scorers import AdditiveScorer, DotScorer, GeneralScorer, ScaledDotScorer

BATCH, QUERIES, SIZE = 3, 2, 5


def scorer_by_hand(activation: str) -> AdditiveScorer:
    scorer = AdditiveScorer(2, 2, 2, activation=activation)  # type: ignore[arg-type]
    with torch.no_grad():
        scorer.query.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        scorer.query.bias.copy_(torch.tensor([0.5, 0.0]))
        scorer.key.weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
        scorer.energy.weight.copy_(torch.tensor([[3.0, -1.0]]))
    return scorer


@pytest.mark.parametrize(
    ("activation", "g"),
    [
        ("tanh", math.tanh),
        ("relu", lambda x: max(x, 0.0)),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x))),
    ],
)
def test_additive_scores_equal_the_formula_worked_by_hand(activation, g) -> None:
    scorer = scorer_by_hand(activation)
    state = torch.tensor([[1.0, -1.0]])  # W s + b = [1.5, -2]
    values = torch.tensor([[[1.0, 2.0], [0.0, -1.0]]])  # U h_1 = [2, 1], U h_2 = [-1, 0]
    scores = scorer(scorer.queries(state[None]), scorer.keys(values))  # one sentence, one query
    expected = [3 * g(3.5) - g(-1.0), 3 * g(0.5) - g(-2.0)]
    torch.testing.assert_close(scores, torch.tensor([[expected]]))


def random_scores(scorer, *, query, value, coverage=False):
    """Return scores (B, Q, S), states (B, Q, H), values (B, S, D) and coverage (B, Q, S) of random
    input, as numpy arrays in double precision."""
    torch.manual_seed(5)
    scorer.double()
    for parameter in scorer.parameters():
        torch.nn.init.normal_(parameter)
    states, values, coverage_sums = (
        torch.randn(BATCH, *sizes, dtype=torch.float64)
        for sizes in ((QUERIES, query), (SIZE, value), (QUERIES, SIZE))
    )
    extra = (coverage_sums,) if coverage else ()
    with torch.no_grad():
        scores = scorer(scorer.queries(states), scorer.keys(values), *extra)
    return scores.numpy(), states.numpy(), values.numpy(), coverage_sums.numpy()


def for_all_pairs(formula, states, values):
    """Return `formula` for every query and every position of each sentence: (B, Q, S)."""
    return [
        [[formula(b, q, j) for j in range(values.shape[1])] for q in range(states.shape[1])]
        for b in range(len(states))
    ]


def array(weight):
    return weight.detach().numpy()


@pytest.mark.parametrize("coverage", [False, True], ids=["", "coverage"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_additive_scores_equal_the_formula_with_and_without_coverage(activation, coverage):
    scorer = AdditiveScorer(4, 6, 3, activation=activation, coverage=coverage)
    scores, s, h, coverage_sums = random_scores(scorer, query=4, value=6, coverage=coverage)
    w, b, u = (array(x) for x in (scorer.query.weight, scorer.query.bias, scorer.key.weight))
    v, g = array(scorer.energy.weight)[0], ACTIVATIONS[activation]
    coverage_weights = array(scorer.coverage_proj.weight)[:, 0] if coverage else np.zeros(3)

    def formula(n, q, j):
        return v @ g(w @ s[n, q] + b + u @ h[n, j] + coverage_weights * coverage_sums[n, q, j])

    np.testing.assert_allclose(scores, for_all_pairs(formula, s, h), rtol=1e-12)


def test_only_an_additive_scorer_with_coverage_uses_coverage():
    assert AdditiveScorer(2, 2, 2, coverage=True).uses_coverage
    assert not AdditiveScorer(2, 2, 2).uses_coverage
    assert not DotScorer().uses_coverage


def test_dot_scores_are_dot_products_of_queries_and_values():
    scores, s, h, _ = random_scores(DotScorer(), query=4, value=4)
    np.testing.assert_allclose(
        scores, for_all_pairs(lambda n, q, j: s[n, q] @ h[n, j], s, h), rtol=1e-12
    )


def test_general_scores_are_bilinear():
    scorer = GeneralScorer(4, 6)
    scores, s, h, _ = random_scores(scorer, query=4, value=6)
    w = array(scorer.key.weight)  # (H, D); the parameter is √4 W
    expected = for_all_pairs(lambda n, q, j: s[n, q] @ w @ h[n, j] / 2, s, h)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_scaled_dot_scores_are_products_of_projections_over_the_root_of_the_width():
    scorer = ScaledDotScorer(4, 6, 9)
    scores, s, h, _ = random_scores(scorer, query=4, value=6)
    w, b, k = (array(x) for x in (scorer.query.weight, scorer.query.bias, scorer.key.weight))
    expected = for_all_pairs(lambda n, q, j: (w @ s[n, q] + b) @ (k @ h[n, j]) / 3, s, h)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_the_builder_has_an_entry_for_exactly_the_scorers_of_the_recipe():
    assert set(SCORERS) == set(get_args(ScorerName))
