"""Normalizers (scores to weights) compared with other methods of computation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.nn.normalizers import NORMALIZERS, entmax, softmax, sparsemax

deterministic = settings(derandomize=True, deadline=None)
each_normalizer = pytest.mark.parametrize("normalizer", NORMALIZERS.values(), ids=NORMALIZERS)

#: Rows of at least one score; multiples of a quarter make ties likely.
rows = st.lists(
    st.one_of(st.floats(-30, 30), st.integers(-8, 8).map(lambda n: n / 4)), min_size=1, max_size=12
)
masked_rows = rows.flatmap(
    lambda row: st.tuples(
        st.just(row), st.lists(st.booleans(), min_size=len(row), max_size=len(row))
    )
)


def bisect(weights_above, low, high):
    """Return the weights for the threshold at which they sum to 1; their sum falls with it."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if weights_above(middle).sum() > 1 else (low, middle)
    return weights_above((low + high) / 2)


def sparsemax_by_definition(scores):
    """Return the nearest point of the simplex: max(z - τ, 0) that sums to 1."""
    top = scores.max()
    return bisect(lambda tau: np.maximum(scores - tau, 0), top - 1, top)


def entmax_by_definition(scores):
    """Return max(z / 2 - τ, 0)² that sums to 1 (Peters et al. 2019, equation 6, with α = 1.5)."""
    half = scores / 2
    return bisect(lambda tau: np.maximum(half - tau, 0) ** 2, half.max() - 1, half.max())


def softmax_by_definition(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


DEFINITIONS = {
    softmax: softmax_by_definition,
    sparsemax: sparsemax_by_definition,
    entmax: entmax_by_definition,
}


@each_normalizer
@deterministic
@given(row=rows)
def test_weights_are_those_of_the_definition(normalizer, row):
    scores = np.array(row)
    weights = normalizer(torch.from_numpy(scores)).numpy()
    assert weights.dtype == np.float64
    np.testing.assert_allclose(weights, DEFINITIONS[normalizer](scores), atol=1e-7)


@each_normalizer
@deterministic
@given(scores_and_mask=masked_rows)
def test_masked_positions_have_weight_0_and_do_not_affect_the_others(normalizer, scores_and_mask):
    row, masked = scores_and_mask
    masked[0] = False
    scores, mask = torch.tensor(row, dtype=torch.float64), torch.tensor(masked)
    weights = normalizer(scores.masked_fill(mask, -torch.inf))
    assert (weights[mask] == 0).all()
    assert (weights >= 0).all()
    torch.testing.assert_close(weights[~mask], normalizer(scores[~mask]), atol=1e-12, rtol=0)
    torch.testing.assert_close(weights.sum(), torch.ones((), dtype=torch.float64))


@each_normalizer
@deterministic
@given(row=rows, shift=st.floats(-50, 50))
def test_weights_are_invariant_to_a_shift_and_keep_the_order_of_scores(normalizer, row, shift):
    scores = torch.tensor(row, dtype=torch.float64)
    weights = normalizer(scores)
    torch.testing.assert_close(normalizer(scores + shift), weights, atol=1e-9, rtol=0)
    ordered = weights[scores.argsort()]
    assert (ordered.diff() >= -1e-12).all()


@each_normalizer
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)])
def test_rows_are_normalized_independently_and_sum_to_1(normalizer, shape):
    torch.manual_seed(3)
    scores = torch.randn(shape)
    weights = normalizer(scores)
    assert weights.shape == shape
    torch.testing.assert_close(weights.sum(-1), torch.ones(shape[:-1]))
    for row, each in zip(scores.view(-1, 7), weights.view(-1, 7), strict=True):
        torch.testing.assert_close(normalizer(row), each)


@each_normalizer
@pytest.mark.parametrize(
    "row",
    [
        [0.3, -0.4, 1.1, 0.9, -3.0],
        [0.5, 0.5, 0.2, -4.0, 0.1],  # two equal
        [1.0, 1.0, 1.0],  # all equal
        [9.0, 0.0, -2.0],  # one weight is 1
        [0.7],
    ],
    ids=["apart", "two", "alike", "all", "alone"],
)
def test_gradients_agree_with_finite_differences(normalizer, row):
    scores = torch.tensor(row, dtype=torch.float64, requires_grad=True)
    padding = torch.tensor([-torch.inf, -torch.inf], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: normalizer(torch.cat([z, padding])), scores)


def test_the_gradient_of_sparsemax_is_that_of_a_projection():
    """diag(s) - s sᵀ / |S|, s being 1 on the support S (Martins & Astudillo 2016, equation 12)."""
    scores = torch.tensor([0.4, 1.0, 0.7, -2.0], dtype=torch.float64)
    s = (sparsemax(scores) > 0).double()
    assert s.tolist() == [1, 1, 1, 0]
    jacobian = torch.autograd.functional.jacobian(sparsemax, scores)
    torch.testing.assert_close(jacobian, s.diag() - s.outer(s) / s.sum())


@each_normalizer
@pytest.mark.parametrize(
    "row",
    [
        [0.0, 0.0, -2.0, -2.0],  # 1.5-entmax over all four takes the root of 0
        [0.0, 0.0, -2.0, -2.0, -torch.inf],
        [0.0, -1.0, -torch.inf],  # the second is at the threshold of sparsemax
        [5.0, -torch.inf, 5.0, -torch.inf],
        [3.0, -torch.inf, -torch.inf],
        [1e4, 0.0, -1e4],
    ],
    ids=["root", "root-masked", "threshold", "ties-masked", "one-real", "far"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_gradients_are_finite_at_zero_roots_and_with_masked_positions(normalizer, row, dtype):
    scores = torch.tensor(row, dtype=dtype, requires_grad=True)
    normalizer(scores)[0].backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[scores.isinf()] == 0).all()


def test_sparsemax_and_entmax_give_exact_zeros_but_softmax_does_not():
    scores = torch.tensor([2.0, 1.0, 0.5, -1.0])
    positive = [int((normalizer(scores) > 0).sum()) for normalizer in (softmax, entmax, sparsemax)]
    assert positive == [4, 3, 1]
