"""Measure a model's attention: as an alignment, as a distribution, as an explanation."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attn_cli.alignment.aer import score_alignment
from attn_cli.alignment.extraction import extract
from attn_cli.alignment.merge import build_alignment
from attn_cli.inference.line_batches import pad_rows
from attn_cli.nn.attention import SoftAttention
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.types import BOS, GoldAlignment, SoftAlignment, TokenizedLine

Pair = tuple[TokenizedLine, TokenizedLine]
Heads = NDArray[np.float32]  # (heads, T, S) of one pair, EOS included

#: Pairs in a batch of forced decoding.
BATCH_SIZE = 100

#: The methods that extract links from a table.
METHODS = ("argmax", "threshold")


# The weights of forced decoding


class _Batch(NamedTuple):
    """A batch of pairs: their indices, (B, S) ids, (B,) lengths, (B, T) ids after BOS, (B,)
    lengths."""

    places: list[int]
    src: Tensor
    src_len: Tensor
    tgt_in: Tensor
    tgt_len: Tensor


def _batches(pairs: Sequence[Pair], device: torch.device) -> Iterator[_Batch]:
    order = sorted(range(len(pairs)), key=lambda n: len(pairs[n][0].ids))
    for start in range(0, len(order), BATCH_SIZE):
        places = order[start : start + BATCH_SIZE]
        src, src_len = pad_rows([pairs[n][0].ids for n in places])
        tgt, tgt_len = pad_rows([pairs[n][1].ids for n in places])
        tgt_in = np.concatenate([np.full((len(tgt), 1), BOS, tgt.dtype), tgt[:, :-1]], axis=1)
        parts = (src, src_len, tgt_in, tgt_len)
        yield _Batch(
            places, *(torch.from_numpy(part.astype(np.int64)).to(device) for part in parts)
        )


@torch.inference_mode()
def force_weights(network: Seq2Seq, pairs: Sequence[Pair]) -> list[Heads]:
    """Return the weights of every head for each piece of each target, sentence by sentence."""
    device = next(network.parameters()).device
    by_place: dict[int, Heads] = {}
    for batch in _batches(pairs, device):
        weights = network(batch.src, batch.src_len, batch.tgt_in).weights
        if weights.dim() == 3:
            weights = weights[:, :, None]  # (B, T, 1, S)
        rows = weights.transpose(1, 2).float().cpu().numpy()  # (B, heads, T, S)
        for row, place in zip(rows, batch.places, strict=True):
            source, target = pairs[place]
            by_place[place] = row[:, : len(target.ids), : len(source.ids)]
    return [by_place[place] for place in range(len(pairs))]


def table_of(pair: Pair, heads: Heads, indices: Sequence[int]) -> SoftAlignment:
    """Return the table of words of the mean of these heads."""
    mean = heads[list(indices)].mean(axis=0)
    return build_alignment(mean, *pair, kind="attention", mode="forced")


# As an alignment


def alignment_errors(
    tables: Sequence[SoftAlignment], gold: Sequence[GoldAlignment], *, gold_base: int
) -> dict[str, dict[str, Any]]:
    """Return AER, precision and recall of the links of `tables`, by each of `METHODS`."""
    return {
        method: score_alignment(
            gold, [extract(table, method) for table in tables], gold_base=gold_base
        ).record()
        for method in METHODS
    }


# As a distribution


def describe_weights(tables: Sequence[SoftAlignment]) -> dict[str, float]:
    """Return statistics of the weights over all words of `tables`.

    entropy: mean entropy of a target word's row in nats, its unaligned share included; share: that
    entropy divided by its maximum, log(S + 1); peak: a row's largest weight; unevenness: mean
    |1 - Σ_t a_ts| of a source word, 0 where each source word has a total weight of 1.
    """
    entropy, share, peak, uneven, unaligned = [], [], [], [], []
    for table in tables:
        if not (table.source and table.target):
            continue
        rows = np.concatenate([table.weights, table.unaligned[:, None]], axis=1).astype(float)
        logs = np.log(np.where(rows > 0, rows, 1.0))
        nats = -(rows * logs).sum(axis=1)
        entropy += nats.tolist()
        share += (nats / np.log(rows.shape[1])).tolist()
        peak += table.weights.max(axis=1).tolist()
        unaligned += table.unaligned.tolist()
        uneven += np.abs(1 - table.weights.sum(axis=0)).tolist()
    names = ("entropy", "share", "peak", "unevenness", "unaligned")
    columns = (entropy, share, peak, uneven, unaligned)
    return {n: round(float(np.mean(c)), 4) for n, c in zip(names, columns, strict=True)}


# As an explanation

#: Weights (B, Q, S), mask (B, 1, S), generator → changed weights.
Change = Callable[[Tensor, Tensor, torch.Generator], Tensor]


def _without(weights: Tensor, mask: Tensor, place: Tensor) -> Tensor:
    """Set the weight at `place` (B, Q, 1) to 0 and renormalize the rest; equal weights if it is all
    0."""
    others = mask.expand_as(weights).to(weights.dtype).scatter(-1, place, 0.0)
    rest = weights.scatter(-1, place, 0.0)
    total = rest.sum(-1, keepdim=True)
    equal = others / others.sum(-1, keepdim=True).clamp(min=1)
    return torch.where(total > 1e-6, rest / total.clamp(min=1e-6), equal)


def _drop_largest(weights: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    return _without(weights, mask, weights.argmax(-1, keepdim=True))


def _drop_another(weights: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.rand(weights.shape, generator=generator, device=weights.device)
    noise = noise.masked_fill(~mask, -1.0).scatter(-1, weights.argmax(-1, keepdim=True), -1.0)
    return _without(weights, mask, noise.argmax(-1, keepdim=True))


def _permute(weights: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.rand(weights.shape, generator=generator, device=weights.device)
    return weights.gather(-1, noise.masked_fill(~mask, 2.0).argsort(-1))  # padding stays last


def _level(weights: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    real = mask.expand_as(weights).to(weights.dtype)
    return real / real.sum(-1, keepdim=True)


CHANGES: dict[str, Change] = {
    "largest": _drop_largest,
    "another": _drop_another,
    "permuted": _permute,
    "uniform": _level,
}


@torch.inference_mode()
def measure_interventions(
    network: Seq2Seq, pairs: Sequence[Pair], *, seed: int
) -> dict[str, dict[str, float]]:
    """Measure the change of the next piece's distribution when the weights of that step are
    changed.

    At each piece of each target, with the preceding pieces given: the mean total variation distance
    from the unchanged distribution, and the share (%) of pieces whose most probable candidate
    changes. After Jain & Wallace 2019, §4.2; only the weights of that step are changed. `largest`
    sets the largest weight to 0, `another` a random one of the others.

    For a recurrent decoder with one head of soft attention.
    """
    attention = network.decoder.attention
    assert isinstance(attention, SoftAttention)
    device = next(network.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    sums = {name: torch.zeros(3, dtype=torch.double, device=device) for name in CHANGES}
    for batch in _batches(pairs, device):
        memory = network.encode(batch.src, batch.src_len)
        state, mask = network.init_state(memory), memory.mask[:, None, :]
        for t, previous in enumerate(batch.tgt_in.unbind(1)):
            logits, _, after = network.step(previous, state, memory)
            before = logits.float().softmax(-1)  # (B, V)
            is_word = batch.tgt_len > t  # (B,)
            for name, change in CHANGES.items():

                def chosen(weights: Tensor, change: Change = change) -> tuple[Tensor, None]:
                    return change(weights, mask, generator), None  # noqa: B023 - called at once

                attention._select = chosen  # type: ignore[method-assign]
                try:
                    changed_probs = network.step(previous, state, memory)[0].float().softmax(-1)
                finally:
                    del attention._select
                distance = (before - changed_probs).abs().sum(-1) / 2
                other = before.argmax(-1) != changed_probs.argmax(-1)
                counts = (distance[is_word].sum(), other[is_word].sum(), is_word.sum())
                sums[name] += torch.stack([count.double() for count in counts])
            state = after
    return {
        name: {"tvd": round(tvd / count, 4), "changed": round(100 * changed / count, 2)}
        for name, (tvd, changed, count) in ((name, row.tolist()) for name, row in sums.items())
    }
