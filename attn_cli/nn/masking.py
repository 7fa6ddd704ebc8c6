"""Masks, and the letters of all shapes in this package.

    B batch rows        N rows of a search (B, or up to B·beam)
    S source positions  T target positions  Q query slots of a sentence
    E embedding width   H decoder width   D width of a source state (value)   A width of a key
    V vocabulary        L length of a shortlist

Batch first everywhere. A mask is bool: True at positions of the sentence, False at padding.
"""

import torch
from torch import Tensor


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B,) lengths → (B, size) bool, True for the first `length` positions of each row."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]
