"""Matrix products of an unrolled loop, with one product for the gradient of each shared matrix.

A loop over T target steps multiplies each step's rows by the same matrix, Y_t = X_t M + b. Autograd
would compute dM = Σ_t X_tᵀ dY_t as T small products, each added to a tensor as large as M. Inside
`defer_weight_gradients` the backward pass stores the X_t and dY_t and computes dM as one product,
[X_1; …; X_T]ᵀ [dY_1; …; dY_T], after step 1, its last. M is cast to the precision of autocast once
for all steps. Outside of `defer_weight_gradients` these are plain products.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class StepLinear(nn.Linear):
    """A linear map applied in each step of a loop: x Wᵀ + b, plus an addend of that step."""

    def forward(self, rows: Tensor, addend: Tensor | None = None) -> Tensor:
        """Rows (N, I) and an addend (N, O) → (N, O)."""
        loop = _LOOP.get()
        if loop is not None:
            return loop.get_product(self.weight, self.bias, transposed=True)(rows, addend)
        product = functional.linear(rows, self.weight, self.bias)
        return product if addend is None else addend + product


def step_bmm(rows: Tensor, matrices: Tensor, *, transposed: bool = False) -> Tensor:
    """(B, Q, I) @ (B, I, O) → (B, Q, O); `transposed` takes the matrices as (B, O, I).

    Each sentence has one matrix, the same in each step of a loop.
    """
    loop = _LOOP.get()
    if loop is not None:
        return loop.get_product(matrices, None, transposed=transposed)(rows)
    if transposed:
        matrices = matrices.transpose(1, 2)
    return torch.bmm(rows.to(matrices.dtype), matrices)


@contextmanager
def defer_weight_gradients() -> Iterator[None]:
    """Treat the products in this block as the steps of one loop; the matrices must not change."""
    token = _LOOP.set(_Loop())
    try:
        yield
    finally:
        _LOOP.reset(token)


class _Loop:
    """The matrices shared by the steps of a loop, each prepared once."""

    def __init__(self) -> None:
        self._shared: dict[tuple[int, bool], _SharedMatrix] = {}

    def get_product(
        self, matrix: Tensor, bias: Tensor | None, *, transposed: bool
    ) -> "_SharedMatrix":
        """Return the function that multiplies rows by `matrix`, or by its transpose."""
        key = id(matrix), transposed  # the graph keeps the tensor alive, so ids stay unique
        if key not in self._shared:
            self._shared[key] = _SharedMatrix(matrix, bias, transposed=transposed)
        return self._shared[key]


_LOOP: ContextVar[_Loop | None] = ContextVar("loop", default=None)


class _SharedMatrix:
    """A matrix and a bias, with the inputs and gradients of each step of a backward pass."""

    def __init__(self, matrix: Tensor, bias: Tensor | None, *, transposed: bool) -> None:
        self.original, self.count = matrix, 0
        self.steps: dict[int, tuple[Tensor, Tensor]] = {}
        kind = matrix.device.type
        self.dtype = matrix.dtype
        if torch.is_autocast_enabled(kind):
            self.dtype = torch.get_autocast_dtype(kind)
        matrix = matrix.to(self.dtype)
        if transposed:
            matrix = matrix.transpose(-1, -2)
        bias = None if bias is None else bias.to(self.dtype)
        self.matrix, self.bias = _SumGradients.apply(self, matrix, bias)  # type: ignore[no-untyped-call]

    def __call__(self, rows: Tensor, addend: Tensor | None = None) -> Tensor:
        """Rows (…, I) and an addend (…, O) → (…, O)."""
        self.count += 1
        rows = rows.to(self.dtype)
        product: Tensor = _StepProduct.apply(self, self.count, rows, self.matrix, self.bias, addend)  # type: ignore[no-untyped-call]
        return product


class _SumGradients(torch.autograd.Function):
    """Identity; its backward computes the gradients of matrix and bias from those of all steps."""

    @staticmethod
    def forward(
        ctx: Any, shared: _SharedMatrix, matrix: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        ctx.shared = shared
        ctx.set_materialize_grads(False)
        return matrix.view_as(matrix), None if bias is None else bias.view_as(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *none: None) -> tuple[None, Tensor | None, Tensor | None]:
        steps, ctx.shared.steps = list(ctx.shared.steps.values()), {}
        if not steps:
            return None, None, None
        rows, grads = (torch.cat(parts, dim=-2) for parts in zip(*steps, strict=True))
        bias = grads.flatten(0, -2).sum(0) if ctx.needs_input_grad[2] else None
        return None, rows.transpose(-1, -2) @ grads, bias


class _StepProduct(torch.autograd.Function):
    """The product of one step; its backward stores the operands of dM in `shared`."""

    @staticmethod
    def forward(
        ctx: Any,
        shared: _SharedMatrix,
        number: int,
        rows: Tensor,
        matrix: Tensor,
        bias: Tensor | None,
        addend: Tensor | None,
    ) -> Tensor:
        ctx.shared, ctx.number = shared, number
        ctx.save_for_backward(rows, matrix)
        total_addend = addend if bias is None else bias if addend is None else addend + bias
        if total_addend is None:
            return rows @ matrix
        if rows.dim() == 2:
            return torch.addmm(total_addend.to(rows.dtype), rows, matrix)
        return torch.baddbmm(total_addend.to(rows.dtype), rows, matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, matrix = ctx.saved_tensors
        grad = grad.to(rows.dtype)
        ctx.shared.steps[ctx.number] = (rows, grad)
        addend = grad if ctx.needs_input_grad[5] else None
        return None, None, grad @ matrix.transpose(-1, -2), None, None, addend
