"""Select the attention head shown by default: the one that agrees best with word links."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.merge import word_means, word_shares
from attn_cli.config import ModelConfig
from attn_cli.data.batching import Batch
from attn_cli.data.segmentation import SubwordCorpus
from attn_cli.nn.device import Hardware
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.training.guided_alignment import word_targets
from attn_cli.types import FloatArray, IntArray

#: The pairs on which heads are compared.
MAX_PAIRS = 500


class SelectedHead(NamedTuple):
    """A layer, from 1, a head of it, from 1, or 0 for the mean of its heads, and its agreement.

    `share` is the share of linked target words whose largest weight is at one of their links.
    """

    layer: int
    head: int
    share: float

    def describe(self) -> str:
        """Describe the selection for a notice."""
        head = f"head {self.head}" if self.head else "the mean of its heads"
        return (
            f"attention shown: layer {self.layer}, {head}, "
            f"which agrees with word links for {self.share:.0%} of the words"
        )


def sample_pairs(text: SubwordCorpus, links: LinkTable) -> IntArray:
    """Sample at most `MAX_PAIRS` pairs that have links, evenly over the text."""
    linked = text.pairs[np.diff(links.starts)[text.pairs] > 0]
    positions = np.linspace(0, len(linked) - 1, min(MAX_PAIRS, len(linked))).astype(np.intp)
    sample: IntArray = linked[positions]
    return sample


def find_best_head(
    network: Seq2Seq,
    batches: Iterable[Batch],
    links: LinkTable,
    *,
    model: ModelConfig,
    hardware: Hardware,
) -> SelectedHead | None:
    """Find the head, or the mean of a layer's heads, that agrees most often with `links`.

    A target word agrees if its largest weight, over the source words and EOS, is at one of its
    links. Of equal heads the first is returned, a head before the mean, whose weights are less
    sharp. Returns None if no word has links or no head agrees. Sets the network to evaluation mode.
    """
    network.eval()
    layers, heads = model.heads
    hits = np.zeros((layers, heads + 1), np.int64)
    words = 0
    for batch in batches:
        targets = word_targets(links, batch)[:, :-1]  # (B, U, W)
        linked = targets.any(-1)  # (B, U)
        for layer, attention in enumerate(_attention_by_layer(network, batch, hardware, layers)):
            hits[layer] += _find_hits(merge_words(attention, batch), targets)[linked].sum(0)
        words += int(linked.sum())
    if not hits.any():
        return None
    last = -1 if heads > 1 else 0  # rank the mean after the heads, unless there is one head
    layer, column = divmod(int(np.roll(hits, last, axis=1).argmax()), heads + 1)
    return SelectedHead(layer + 1, (column - last) % (heads + 1), float(hits.max() / words))


def _attention_by_layer(
    network: Seq2Seq, batch: Batch, hardware: Hardware, layers: int
) -> Iterator[FloatArray]:
    """Yield the weights of each layer, (B, T, heads + 1, S): the mean of its heads, each head."""
    weights = _attention_weights(network, batch, hardware).float()  # (B, T, layers·heads, S)
    for layer in weights.chunk(layers, 2):
        with_mean: FloatArray = torch.cat([layer.mean(2, keepdim=True), layer], 2).cpu().numpy()
        yield with_mean


@torch.inference_mode()
def _attention_weights(network: Seq2Seq, batch: Batch, hardware: Hardware) -> Tensor:
    src, src_len, tgt_in = (
        hardware.tensor(part) for part in (batch.source, batch.source_length, batch.target_in)
    )
    with hardware.autocast():
        weights: Tensor | None = network(src, src_len, tgt_in).weights
    assert weights is not None
    return weights if weights.dim() == 4 else weights[:, :, None]


def merge_words(attention: FloatArray, batch: Batch) -> FloatArray:
    """Weights of pieces (B, T, H, S) → weights of words (B, U, H, W + 1), as in `alignment/merge`.

    The last column is the weight of EOS.
    """
    n_target, n_source = (
        int(word_of.max(initial=-1)) + 1
        for word_of in (batch.target_word_ids, batch.source_word_ids)
    )
    word_of = np.where(batch.source_word_ids < 0, n_source, batch.source_word_ids)  # (B, S)
    sums: FloatArray = word_shares(word_of, n_source + 1).astype(np.float32)  # (B, S, W + 1)
    shares = word_shares(batch.target_word_ids, n_target)  # (B, T, U)
    means: FloatArray = word_means(shares).astype(np.float32, order="C")  # (B, U, T)
    batch_size, length, heads, size = attention.shape
    rows: FloatArray = means @ attention.reshape(batch_size, length, heads * size)  # (B, U, H·S)
    merged: FloatArray = rows.reshape(batch_size, n_target * heads, size) @ sums
    return merged.reshape(batch_size, n_target, heads, n_source + 1)


def _find_hits(attention: FloatArray, targets: FloatArray) -> NDArray[np.bool_]:
    """(B, U, H, W + 1), (B, U, W) → (B, U, H): whether the largest weight is at a target."""
    end = np.zeros((*targets.shape[:2], 1), np.bool_)
    is_target = np.concatenate([targets > 0, end], axis=2)  # (B, U, W + 1)
    hits: NDArray[np.bool_] = np.take_along_axis(is_target, attention.argmax(-1), axis=2)
    return hits
