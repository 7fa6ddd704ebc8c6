"""Forced decoding: the log-probabilities and attention weights of known targets."""

import numpy as np

from attn_cli.inference.engines.interface import IncrementalDecoder, refuse_nan
from attn_cli.types import BOS, Hypothesis, IntArray


def force_decode(
    decoder: IncrementalDecoder, ids: IntArray, lengths: IntArray, targets: list[IntArray]
) -> list[Hypothesis]:
    """(B, S) sources and the pieces of each target, EOS last → the targets as hypotheses.

    Their `score` is the log-probability per piece, EOS included; their `weights` (T, length) are
    over the source pieces of the row. Rows whose target has ended leave the batch.
    """
    state = decoder.start(decoder.encode(ids, lengths), 0)
    token_logp = [np.zeros(len(target), np.float32) for target in targets]
    weights = [
        np.zeros((len(target), int(length)), np.float32)
        for target, length in zip(targets, lengths, strict=True)
    ]
    rows = np.arange(len(targets))
    previous = np.full(len(targets), BOS, np.int32)
    for t in range(max(len(target) for target in targets)):
        live = np.flatnonzero([len(targets[b]) > t for b in rows])
        if len(live) < len(rows):
            rows, previous = rows[live], previous[live]
            state = decoder.reorder(state, live.astype(np.int32))
        target = np.array([targets[b][t] for b in rows], np.int32)
        out = decoder.step(state, previous, target)
        assert out.target_logp is not None
        refuse_nan(out.target_logp, out.weights)
        for row, b in enumerate(rows):
            token_logp[b][t] = out.target_logp[row]
            weights[b][t] = out.weights[row, : lengths[b]]
        state, previous = out.state, target
    return [
        Hypothesis(target, float(logp.mean()), logp, of_target)
        for target, logp, of_target in zip(targets, token_logp, weights, strict=True)
    ]
