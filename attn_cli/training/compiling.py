"""Compile a network for training with torch.compile."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from attn_cli.errors import TrainingError


def compile_network(network: nn.Module, *, backend: str = "inductor") -> Callable[..., Any]:
    """Return the forward pass of a network, compiled at its first call for batches of any shape.

    The first call raises TrainingError if compilation fails, for example without a C++ compiler.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes a second to import

    compiled = torch.compile(network, dynamic=True, backend=backend)

    def forward(*inputs: Any, **options: Any) -> Any:
        try:
            return compiled(*inputs, **options)
        except TorchDynamoException as error:
            cause = getattr(error, "inner_exception", error)  # the error of the backend
            reason = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
            raise TrainingError(
                f"torch.compile failed: {reason}",
                "Train with --set train.compile=false; on a CPU it needs a C++ compiler.",
            ) from error

    return forward
