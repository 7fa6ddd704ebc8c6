"""What a model's attention is worth: as an alignment, as a distribution, as an explanation.

Knows one network that torch runs and pairs of encoded lines; no corpus and no training.
"""

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
Heads = NDArray[np.float32]  # (heads, T, S) of one pair, ends included

#: Pairs that are forced together.
TOGETHER = 100

#: How links are read off a table: what AER is of.
HOW = ("argmax", "threshold")


# Where a network looks when the target is given


class _Batch(NamedTuple):
    """Pairs side by side: which they are, (B, S), (B,), (B, T) behind BOS, (B,)."""

    places: list[int]
    src: Tensor
    src_len: Tensor
    tgt_in: Tensor
    tgt_len: Tensor


def _batches(pairs: Sequence[Pair], device: torch.device) -> Iterator[_Batch]:
    order = sorted(range(len(pairs)), key=lambda n: len(pairs[n][0].ids))
    for start in range(0, len(order), TOGETHER):
        places = order[start : start + TOGETHER]
        src, src_len = pad_rows([pairs[n][0].ids for n in places])
        tgt, tgt_len = pad_rows([pairs[n][1].ids for n in places])
        tgt_in = np.concatenate([np.full((len(tgt), 1), BOS, tgt.dtype), tgt[:, :-1]], axis=1)
        parts = (src, src_len, tgt_in, tgt_len)
        yield _Batch(
            places, *(torch.from_numpy(part.astype(np.int64)).to(device) for part in parts)
        )


@torch.inference_mode()
def forced(network: Seq2Seq, pairs: Sequence[Pair]) -> list[Heads]:
    """Where every head looks for each piece of each target, sentence by sentence."""
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


def table_of(pair: Pair, heads: Heads, chosen: Sequence[int]) -> SoftAlignment:
    """The table of words of the mean of these heads."""
    mean = heads[list(chosen)].mean(axis=0)
    return build_alignment(mean, *pair, kind="attention", mode="forced")


# As an alignment


def errors(
    tables: Sequence[SoftAlignment], gold: Sequence[GoldAlignment], *, gold_base: int
) -> dict[str, dict[str, Any]]:
    """AER, precision and recall of the links of `tables`, by each of `HOW`."""
    return {
        how: score_alignment(
            gold, [extract(table, how) for table in tables], gold_base=gold_base
        ).record()
        for how in HOW
    }


# As a distribution


def shape(tables: Sequence[SoftAlignment]) -> dict[str, float]:
    """How spread, and how fair to the source, weights are, over all words of `tables`.

    entropy: mean nats of a target word's row, its unaligned share being one place more; share: that
    entropy by the most it could be, log(S + 1); peak: a row's largest weight; unevenness:
    mean |1 - Σ_t a_ts| of a source word, 0 where each is looked at once.
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

#: Weights (B, Q, S), where positions are real (B, 1, S), a generator → other weights.
Change = Callable[[Tensor, Tensor, torch.Generator], Tensor]


def _without(weights: Tensor, mask: Tensor, place: Tensor) -> Tensor:
    """0 at `place` (B, Q, 1), the rest renormalised; where no rest is, equal shares of it."""
    others = mask.expand_as(weights).to(weights.dtype).scatter(-1, place, 0.0)
    rest = weights.scatter(-1, place, 0.0)
    left = rest.sum(-1, keepdim=True)
    equal = others / others.sum(-1, keepdim=True).clamp(min=1)
    return torch.where(left > 1e-6, rest / left.clamp(min=1e-6), equal)


def _drop_largest(weights: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    return _without(weights, mask, weights.argmax(-1, keepdim=True))


def _drop_another(weights: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.rand(weights.shape, generator=generator, device=weights.device)
    noise = noise.masked_fill(~mask, -1.0).scatter(-1, weights.argmax(-1, keepdim=True), -1.0)
    return _without(weights, mask, noise.argmax(-1, keepdim=True))


def _permute(weights: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.rand(weights.shape, generator=generator, device=weights.device)
    return weights.gather(-1, noise.masked_fill(~mask, 2.0).argsort(-1))  # padding stays behind


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
def moved(network: Seq2Seq, pairs: Sequence[Pair], *, seed: int) -> dict[str, dict[str, float]]:
    """How far the next piece's distribution moves when the weights of that one step are changed.

    At each piece of each target, the pieces before it being given and nothing before it changed:
    the mean total variation distance from the unchanged distribution, and the share (%) of pieces
    whose likeliest candidate is another. After Jain & Wallace 2019, §4.2; the step alone is
    changed, as there the one prediction is. `largest` takes the heaviest position away, `another`
    a random one of the others.

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
            there = batch.tgt_len > t  # (B,)
            for name, change in CHANGES.items():

                def chosen(weights: Tensor, change: Change = change) -> tuple[Tensor, None]:
                    return change(weights, mask, generator), None  # noqa: B023 - called at once

                attention._select = chosen  # type: ignore[method-assign]
                try:
                    altered = network.step(previous, state, memory)[0].float().softmax(-1)
                finally:
                    del attention._select
                distance = (before - altered).abs().sum(-1) / 2
                other = before.argmax(-1) != altered.argmax(-1)
                counts = (distance[there].sum(), other[there].sum(), there.sum())
                sums[name] += torch.stack([count.double() for count in counts])
            state = after
    return {
        name: {"tvd": round(tvd / count, 4), "changed": round(100 * changed / count, 2)}
        for name, (tvd, changed, count) in ((name, row.tolist()) for name, row in sums.items())
    }
