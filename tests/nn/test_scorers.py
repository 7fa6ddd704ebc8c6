"""The additive scorer against a case worked by hand."""

import math

import pytest
import torch

from attn_cli.nn.scorers import AdditiveScorer


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
    by_hand = [3 * g(3.5) - g(-1.0), 3 * g(0.5) - g(-2.0)]
    torch.testing.assert_close(scores, torch.tensor([[by_hand]]))
