"""The product of encoders, attentions and decoders, with tiny widths. Shared by fast and slow
tests.

A system is a tuple of the names of its three parts. Unlike a new network, its network gives some
outputs a much higher probability than others.
"""

from collections.abc import Iterator
from functools import cache
from itertools import combinations, product

import numpy as np
import onnx
import torch

from attn_cli import config
from attn_cli.config import ModelConfig
from attn_cli.errors import UsageError
from attn_cli.export import graph_files, parity, tracing
from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.engines.interface import select_heads
from attn_cli.inference.engines.onnx import OnnxDecoder
from attn_cli.inference.engines.torch import TorchDecoder
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.nn.builder import build_model
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.types import EOS, PAD, Hypothesis, IntArray

System = tuple[str, str, str]

VOCAB = 16

#: Widths at which the two vectors of every dot product have one size.
WIDTHS = (
    *("model.embedding=8", "model.encoder.width=4", "model.decoder.width=8"),
    *("model.attention.width=8", "model.attention.heads=2", "model.attention.window=2"),
    *("model.encoder.heads=2", "model.encoder.feed_forward=12", "model.decoder.feed_forward=12"),
)
ENCODERS = {
    "rnn": ["model.encoder.cell=rnn"],
    "lstm-2": ["model.encoder.cell=lstm", "model.encoder.layers=2"],
    "gru": [],
    "gru-forward": ["model.encoder.bidirectional=false", "model.encoder.width=8"],
    "gru-self-attention": ["model.encoder.self_attention=true"],
    "transformer": [
        *("model.encoder.kind=transformer", "model.encoder.width=8", "model.encoder.layers=2"),
        "model.positional_encoding=learned",
    ],
}
ATTENTIONS = {
    "additive": ["model.attention.kind=additive"],
    "dot": ["model.attention.kind=dot"],
    "general": ["model.attention.kind=general"],
    "scaled_dot": ["model.attention.kind=scaled_dot"],
    "local": ["model.attention.kind=local", "model.attention.scorer=general"],
    "hard": ["model.attention.kind=hard"],
    "multihead": ["model.attention.kind=multihead", "model.attention.scorer=scaled_dot"],
    "none": ["model.attention.kind=none"],
    "coverage": ["model.attention.kind=additive", "model.attention.coverage=true"],
    "sparsemax": ["model.attention.kind=additive", "model.attention.normalizer=sparsemax"],
    "entmax": ["model.attention.kind=additive", "model.attention.normalizer=entmax"],
}
DECODERS = {
    "gru": ["model.decoder.input_feeding=false"],
    "lstm-2-input-feeding": [
        *("model.decoder.cell=lstm", "model.decoder.layers=2", "model.decoder.input_feeding=true"),
        "model.layer_norm=true",
    ],
    "rnn": ["model.decoder.cell=rnn", "model.decoder.input_feeding=false"],
    "transformer": ["model.decoder.kind=transformer", "model.decoder.layers=2"],
}


def name_of(system: System) -> str:
    """Return the name of a system in the names of tests."""
    return "+".join(system)


def model_of(system: System) -> ModelConfig:
    """Return the model of a system. Raises UsageError if its parts do not fit together."""
    encoder, attention, decoder = system
    settings = [*WIDTHS, *ENCODERS[encoder], *ATTENTIONS[attention], *DECODERS[decoder]]
    return config.with_settings(config.Recipe(), settings).model


def _valid_systems() -> Iterator[System]:
    for system in product(ENCODERS, ATTENTIONS, DECODERS):
        try:
            model_of(system)
        except UsageError:
            continue
        yield system


#: All valid systems.
SYSTEMS = list(_valid_systems())


def _covering_systems() -> Iterator[System]:
    """Yield a few systems that include every part: each attention with a recurrent decoder,
    Transformers."""
    encoders, (*recurrent, transformer) = list(ENCODERS), DECODERS
    for n, attention in enumerate(ATTENTIONS):
        yield encoders[(2 * n + n // 3) % len(encoders)], attention, recurrent[n % 3]
    for encoder in ("transformer", "gru-self-attention"):
        yield encoder, "multihead", transformer


COVERING = list(_covering_systems())

#: The systems of COVERING that have attention.
WITH_ATTENTION = [system for system in COVERING if system[1] != "none"]

#: `model.attention.activation` in NumPy.
ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}

#: The default kinds of encoder, attention and decoder, in tiny widths.
TINY_MODEL = config.from_dict(
    {
        "model": {
            "embedding": 8,
            "encoder": {"width": 6},
            "attention": {"width": 6},
            "decoder": {"width": 8},
        }
    }
).model


def _pairwise_systems() -> Iterator[System]:
    """Yield a few systems with all valid pairs of parts, greedily, most new pairs first."""
    missing = {pair for system in SYSTEMS for pair in combinations(enumerate(system), 2)}
    while missing:
        system = max(SYSTEMS, key=lambda each: len(missing & {*combinations(enumerate(each), 2)}))
        missing -= {*combinations(enumerate(system), 2)}
        yield system


PAIRWISE = list(_pairwise_systems())


def new_network(system: System) -> Seq2Seq:
    """Return the network at the start of training."""
    torch.manual_seed(2)
    return build_model(model_of(system), source_vocab_size=VOCAB, target_vocab_size=VOCAB)


@cache
def network_of(system: System) -> Seq2Seq:
    """Return a network whose outputs differ much in probability. Do not change it."""
    network = new_network(system).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return network


def random_batch(
    batch: int, longest: int, seed: int = 1, *, vocab: int = VOCAB
) -> tuple[IntArray, IntArray]:
    """Return (B, S) random ids that end with EOS, and their lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, batch).astype(np.int32)
    lengths[0] = longest
    ids = rng.integers(4, vocab, (batch, longest)).astype(np.int32)
    ids[np.arange(batch), lengths - 1] = EOS
    ids[np.arange(longest) >= lengths[:, None]] = PAD
    return ids, lengths


# Engines


@cache
def _graphs_of(system: System) -> dict[str, bytes]:
    """Return the graphs of the network as serialized models."""
    with torch.no_grad():
        graphs = tracing.translator_graphs(network_of(system))
    return {name: graph.SerializeToString() for name, graph in graphs.items()}


def engines_of(system: System, folder, change=lambda graph: graph):
    """Return the system on torch, and as graphs on ONNX Runtime, each graph changed by `change`."""
    network = network_of(system)
    graphs = {name: onnx.load_from_string(each) for name, each in _graphs_of(system).items()}
    graph_files.write_graphs(folder, {name: change(graph) for name, graph in graphs.items()})
    heads = select_heads(model_of(system))
    return TorchDecoder(network, heads), OnnxDecoder(folder, heads)


def search_with(decoder, beam: int) -> list[list[Hypothesis]]:
    """Return the translations of a few lines by beam search, with their weights."""
    return search(
        decoder, *random_batch(5, 7), SearchConfig(beam=beam, n_best=beam), keep_weights=True
    )


def assert_same_hypotheses(
    rows: list[list[Hypothesis]], expected_rows: list[list[Hypothesis]]
) -> None:
    """Compare translations, their order, weights and scores."""
    for row, expected_row in zip(rows, expected_rows, strict=True):
        assert [each.ids.tolist() for each in row] == [each.ids.tolist() for each in expected_row]
        for hypothesis, expected in zip(row, expected_row, strict=True):
            np.testing.assert_allclose(hypothesis.weights, expected.weights, atol=1e-3)
            np.testing.assert_allclose(hypothesis.token_logp, expected.token_logp, atol=1e-3)


def assert_forced_decoding_agrees(decoder, rows: list[list[Hypothesis]]) -> None:
    """Compare the weights and scores of each best translation in forced decoding with those of the
    search."""
    forced_hypotheses = force_decode(decoder, *random_batch(5, 7), [row[0].ids for row in rows])
    for [decoded, *_], forced in zip(rows, forced_hypotheses, strict=True):
        np.testing.assert_allclose(forced.weights, decoded.weights, atol=1e-5)
        np.testing.assert_allclose(forced.token_logp, decoded.token_logp, atol=1e-5)


def assert_engines_agree(system: System, folder) -> None:
    """Check all properties of a system's graphs."""
    torch_decoder, onnx_decoder = engines_of(system, folder)
    assert parity.compare_decoders(torch_decoder, onnx_decoder, (VOCAB, VOCAB)) < parity.TOLERANCE
    for beam in (1, 5):
        translations = [search_with(decoder, beam) for decoder in (torch_decoder, onnx_decoder)]
        assert_same_hypotheses(*translations)
        for decoder, rows in zip((torch_decoder, onnx_decoder), translations, strict=True):
            assert_forced_decoding_agrees(decoder, rows)
