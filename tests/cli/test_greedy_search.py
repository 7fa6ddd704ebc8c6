"""attn translate --beam 1: compared with greedy search by the network itself."""

import numpy as np
import pytest
import torch
from program import PAIRS, attn

from attn_cli.bundles.bundle import open_bundle
from attn_cli.inference.engines import torch as torch_engine
from attn_cli.inference.engines.interface import ALL_HEADS
from attn_cli.types import BOS, EOS


@torch.no_grad()
def search_greedily(network, ids):
    """Return the most probable piece of each step until EOS, and their log-probabilities."""
    source, length = torch.tensor([ids.tolist()]), torch.tensor([len(ids)])
    target, logp = [BOS], []
    while target[-1] != EOS and len(target) < 100:
        features = network(source, length, torch.tensor([target]), weights=False).features
        best = network.output_projection(features)[0, -1].log_softmax(-1).max(-1)
        target.append(int(best.indices))
        logp.append(float(best.values))
    return np.array(target[1:], np.int32), logp


def test_beam_1_is_greedy_search_and_the_score_is_the_mean_logp_with_eos(tiny):
    bundle = open_bundle(tiny)
    network = torch_engine.load(bundle, ALL_HEADS, device="cpu", threads=1).network
    lines = ["dog we", "I see", "the two red", *list(PAIRS)[:3]]
    options = ("--beam", "1", "-f", "jsonl", "--level", "piece")
    records = attn("translate", "-m", tiny, *options, *lines).records()
    for line, record in zip(lines, records, strict=True):
        ids, logp = search_greedily(network, bundle.source.encode(line).ids)
        assert record["target"] == bundle.target.decode(ids).text
        assert record["logprobs"] == pytest.approx(logp[:-1], abs=1e-3)
        assert record["score"] == pytest.approx(sum(logp) / len(logp), abs=1e-3)
