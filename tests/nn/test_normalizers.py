"""What makes weights of scores, against the same found by other methods."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli.nn.normalizers import NORMALIZERS, entmax, softmax, sparsemax

steady = settings(derandomize=True, deadline=None)
names = pytest.mark.parametrize("normalizer", NORMALIZERS.values(), ids=NORMALIZERS)

#: Rows of scores of which at least one is real; quarters make ties likely.
rows = st.lists(
    st.one_of(st.floats(-30, 30), st.integers(-8, 8).map(lambda n: n / 4)), min_size=1, max_size=12
)
masked_rows = rows.flatmap(
    lambda row: st.tuples(
        st.just(row), st.lists(st.booleans(), min_size=len(row), max_size=len(row))
    )
)


def by_bisection(weights_above, low, high):
    """The weights above the threshold at which they sum to 1, which falls as it rises."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if weights_above(middle).sum() > 1 else (low, middle)
    return weights_above((low + high) / 2)


def projected(scores):
    """The nearest point of the simplex: max(z - τ, 0) that sums to 1."""
    top = scores.max()
    return by_bisection(lambda tau: np.maximum(scores - tau, 0), top - 1, top)


def entmax_by_definition(scores):
    """max(z / 2 - τ, 0)² that sums to 1 (Peters et al. 2019, equation 6, with α = 1.5)."""
    half = scores / 2
    return by_bisection(lambda tau: np.maximum(half - tau, 0) ** 2, half.max() - 1, half.max())


def softmax_by_definition(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


DEFINITIONS = {softmax: softmax_by_definition, sparsemax: projected, entmax: entmax_by_definition}


@names
@steady
@given(row=rows)
def test_weights_are_those_of_the_definition(normalizer, row):
    scores = np.array(row)
    found = normalizer(torch.from_numpy(scores)).numpy()
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, DEFINITIONS[normalizer](scores), atol=1e-7)


@names
@steady
@given(given=masked_rows)
def test_what_is_masked_gets_exactly_nothing_and_the_rest_what_it_gets_alone(normalizer, given):
    row, hidden = given
    hidden[0] = False
    scores, mask = torch.tensor(row, dtype=torch.float64), torch.tensor(hidden)
    found = normalizer(scores.masked_fill(mask, -torch.inf))
    assert (found[mask] == 0).all()
    assert (found >= 0).all()
    torch.testing.assert_close(found[~mask], normalizer(scores[~mask]), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.sum(), torch.ones((), dtype=torch.float64))


@names
@steady
@given(row=rows, shift=st.floats(-50, 50))
def test_weights_ignore_what_is_added_to_every_score_and_keep_their_order(normalizer, row, shift):
    scores = torch.tensor(row, dtype=torch.float64)
    found = normalizer(scores)
    torch.testing.assert_close(normalizer(scores + shift), found, atol=1e-9, rtol=0)
    ordered = found[scores.argsort()]
    assert (ordered.diff() >= -1e-12).all()


@names
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)])
def test_rows_are_taken_one_by_one_and_sum_to_one(normalizer, shape):
    torch.manual_seed(3)
    scores = torch.randn(shape)
    found = normalizer(scores)
    assert found.shape == shape
    torch.testing.assert_close(found.sum(-1), torch.ones(shape[:-1]))
    for row, each in zip(scores.view(-1, 7), found.view(-1, 7), strict=True):
        torch.testing.assert_close(normalizer(row), each)


@names
@pytest.mark.parametrize(
    "row",
    [
        [0.3, -0.4, 1.1, 0.9, -3.0],
        [0.5, 0.5, 0.2, -4.0, 0.1],  # two alike
        [1.0, 1.0, 1.0],  # all alike
        [9.0, 0.0, -2.0],  # one takes all
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


@names
@pytest.mark.parametrize(
    "row",
    [
        [0.0, 0.0, -2.0, -2.0],  # here the root of 1.5-entmax over all four is that of 0
        [0.0, 0.0, -2.0, -2.0, -torch.inf],
        [0.0, -1.0, -torch.inf],  # the second stands at sparsemax's threshold
        [5.0, -torch.inf, 5.0, -torch.inf],
        [3.0, -torch.inf, -torch.inf],
        [1e4, 0.0, -1e4],
    ],
    ids=["root", "root-masked", "threshold", "ties-masked", "one-real", "far"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_gradients_are_numbers_where_roots_vanish_and_positions_are_masked(normalizer, row, dtype):
    scores = torch.tensor(row, dtype=dtype, requires_grad=True)
    normalizer(scores)[0].backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[scores.isinf()] == 0).all()


def test_sparsemax_and_entmax_give_exact_zeros_where_softmax_gives_none():
    scores = torch.tensor([2.0, 1.0, 0.5, -1.0])
    positive = [int((normalizer(scores) > 0).sum()) for normalizer in (softmax, entmax, sparsemax)]
    assert positive == [4, 3, 1]
