"""The shape legend of every network here, and the one function all of them share.

    B batch rows        N rows of a search (B, or up to B·beam)
    S source positions  T target positions  Q queries of a sentence, each asked by itself
    E embedding width   H decoder width   D width of a source state (values)   A width of a key
    V vocabulary

Batch first everywhere. A mask is bool and True means a real position.
"""

import torch
from torch import Tensor


def mask_of(lengths: Tensor, size: int) -> Tensor:
    """(B,) lengths → (B, size) bool, True for the first `length` positions of each row."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]
