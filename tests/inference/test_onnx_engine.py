"""Graphs run by ONNX Runtime say what torch says, step by step and through whole searches."""

import numpy as np
import pytest
import torch

from attn_cli import config
from attn_cli.bundles import manifest
from attn_cli.errors import ModelError
from attn_cli.export import graph_files, quantize, tracing
from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.engines.interface import PaddedWords
from attn_cli.inference.engines.onnx import OnnxAligner, OnnxDecoder
from attn_cli.inference.engines.torch import TorchAligner, TorchDecoder
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.nn.builder import build_model, build_word_aligner
from attn_cli.types import BOS, EOS, PAD

SOURCE_VOCAB, TARGET_VOCAB = 16, 12

#: Among these four, every choice that a recipe has of a network today.
SHAPES = {
    "1-1-all-tanh": {},
    "2-1-output-relu-norm": {
        "tie_embeddings": "output",
        "layer_norm": True,
        "encoder": {"layers": 2},
        "attention": {"activation": "relu"},
    },
    "1-2-none-sigmoid-norm": {
        "tie_embeddings": "none",
        "layer_norm": True,
        "decoder": {"layers": 2},
        "attention": {"activation": "sigmoid"},
    },
    "2-2-none-tanh": {"tie_embeddings": "none", "encoder": {"layers": 2}, "decoder": {"layers": 2}},
}
WIDTHS = {"encoder": {"width": 6}, "attention": {"width": 5}, "decoder": {"width": 8}}


def model_of(embedding=8, widths=WIDTHS, **chosen):
    tree = {"embedding": embedding, "tie_embeddings": "output"} | chosen
    tree |= {part: widths[part] | chosen.get(part, {}) for part in widths}
    head = {"embedding": 8, "width": 5, "channels": 2}
    joint = chosen.get("tie_embeddings", "all") == "all"
    recipe = {"model": tree | {"word_aligner": head}, "tokenizer": {"joint": joint}}
    return config.from_dict(recipe).model


def network_of(model, *, vocab=TARGET_VOCAB, seed=2):
    """A network that has opinions: fresh ones find every piece about as likely as another."""
    torch.manual_seed(seed)
    source_vocab = vocab if model.tie_embeddings == "all" else SOURCE_VOCAB
    network = build_model(model, source_vocab_size=source_vocab, target_vocab_size=vocab).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return network


def written(folder, graphs):
    graph_files.write_graphs(folder, graphs)
    return OnnxDecoder(folder)


@pytest.fixture(scope="module", params=SHAPES)
def engines(request, tmp_path_factory):
    """The same network on torch and on ONNX Runtime."""
    tied = {"tie_embeddings": "all"} | SHAPES[request.param]
    network = network_of(model_of(**tied))
    with torch.no_grad():
        graphs = tracing.translator_graphs(network)
    return TorchDecoder(network), written(tmp_path_factory.mktemp("graphs"), graphs)


def lines(batch, longest, vocab=TARGET_VOCAB, seed=1):
    """(B, S) random pieces that end with EOS, and their lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, batch).astype(np.int32)
    ids = rng.integers(4, vocab, (batch, lengths.max())).astype(np.int32)
    ids[np.arange(batch), lengths - 1] = EOS
    ids[np.arange(ids.shape[1]) >= lengths[:, None]] = PAD
    return ids, lengths


def begun(decoder, ids, lengths, beam):
    return decoder.start(decoder.encode(ids, lengths), beam)


def alike(one, other, *, atol=1e-5):
    """Two steps found the same."""
    np.testing.assert_allclose(one.logp, other.logp, atol=atol)
    np.testing.assert_allclose(one.weights, other.weights, atol=atol)
    np.testing.assert_allclose(one.target_logp, other.target_logp, atol=atol)
    assert (one.ids == other.ids).all()
    assert one.ids.dtype == other.ids.dtype == np.int32


# Steps


@pytest.mark.parametrize("candidates", [0, 3], ids=["forced", "candidates"])
def test_both_engines_agree_while_rows_are_reordered_repeated_and_lost(engines, candidates):
    states = [begun(decoder, *lines(4, 7), candidates) for decoder in engines]
    moves = [[0, 0, 1, 2, 2, 3], [5, 1, 0, 3], [2, 2, 2, 1], [3, 0], [1, 1, 0], [2], [0, 0]]
    rng, rows = np.random.default_rng(5), 4
    for move in moves:
        previous, target = (rng.integers(0, TARGET_VOCAB, rows).astype(np.int32) for _ in range(2))
        outs = [s.step(state, previous, target) for s, state in zip(engines, states, strict=True)]
        alike(*outs)
        assert outs[0].ids.shape == (rows, candidates)
        order, rows = np.array(move, np.int32), len(move)
        states = [s.reorder(o.state, order) for s, o in zip(engines, outs, strict=True)]


def test_a_step_leaves_the_state_it_was_given_as_it_was(engines):
    _, decoder = engines
    bos = np.full(3, BOS, np.int32)
    state = decoder.reorder(begun(decoder, *lines(5, 6), 2), np.array([4, 0, 4], np.int32))
    first, second = (decoder.step(state, bos, bos) for _ in range(2))
    assert (first.target_logp == second.target_logp).all()


def test_no_gold_asked_for_none_given(engines):
    for decoder in engines:
        state = begun(decoder, *lines(2, 4), 2)
        assert decoder.step(state, np.full(2, BOS, np.int32)).target_logp is None


def test_there_are_never_more_candidates_than_pieces(engines):
    outs = [
        decoder.step(begun(decoder, *lines(2, 4), 500), *[np.full(2, BOS, np.int32)] * 2)
        for decoder in engines
    ]
    alike(*outs)
    assert outs[1].ids.shape == (2, TARGET_VOCAB)


# Searches


@pytest.mark.parametrize(("beam", "batch"), [(1, 1), (1, 64), (5, 1), (5, 64), (500, 1)])
def test_whole_searches_find_the_same_translations_and_weights(engines, beam, batch):
    how = SearchConfig(beam=beam, n_best=min(beam, 5), coverage_penalty=0.1)
    found = [search(decoder, *lines(batch, 8), how, keep_weights=True) for decoder in engines]
    for ours, theirs in zip(*found, strict=True):
        assert [h.ids.tolist() for h in ours] == [h.ids.tolist() for h in theirs]
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-3)
            np.testing.assert_allclose(one.token_logp, other.token_logp, atol=1e-3)


def test_forced_weights_and_scores_of_a_translation_are_those_it_was_decoded_with(engines):
    given = lines(9, 6)
    for decoder in engines:
        rows = search(decoder, *given, SearchConfig(beam=3), keep_weights=True)
        again = force_decode(decoder, *given, [row[0].ids for row in rows])
        for [decoded], forced in zip(rows, again, strict=True):
            np.testing.assert_allclose(forced.weights, decoded.weights, atol=1e-5)
            np.testing.assert_allclose(forced.token_logp, decoded.token_logp, atol=1e-5)


# In int8


@pytest.fixture(scope="module")
def integers(tmp_path_factory):
    """A network wide enough for integers to pay, in int8; and how many products are in them."""
    widths = {part: {"width": quantize.MIN_SIZE} for part in WIDTHS}
    model = model_of(quantize.MIN_SIZE, widths, tie_embeddings="all", decoder={"layers": 2})
    with torch.no_grad():
        graphs = tracing.translator_graphs(network_of(model, vocab=80))
    graphs = {name: quantize.quantize_graph(graph) for name, graph in graphs.items()}
    kinds = [node.op_type for node in graphs[manifest.STEP].graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 5
    return written(tmp_path_factory.mktemp("integers"), graphs)


@pytest.mark.parametrize("beam", [1, 5])
def test_in_int8_most_hypotheses_score_the_same_alone_as_in_a_batch(integers, beam):
    """All would differ if a batch shared its scales. A few do: where the last bit of a float
    decides to which integer it is rounded, and processors differ there."""
    search_config = SearchConfig(beam=beam, n_best=beam)
    ids, lengths = lines(30, 9, vocab=80)
    batch = search(integers, ids, lengths, search_config, keep_weights=True)
    differences = []
    for b, length in enumerate(lengths):
        sentence = ids[b : b + 1, :length], lengths[b : b + 1]
        for hypothesis in batch[b]:
            [alone] = force_decode(integers, *sentence, [hypothesis.ids])
            differences.append(np.abs(alone.token_logp - hypothesis.token_logp).max())
    assert np.quantile(differences, 0.7) < 1e-4


# Matching


def side(words_of_rows, vocab, seed):
    """Rows whose words have so many pieces each."""
    rng = np.random.default_rng(seed)
    pieces = max(map(sum, words_of_rows)) + 1
    ids = np.full((len(words_of_rows), pieces), PAD, np.int32)
    word_of = np.full(ids.shape, -1, np.int32)
    for row, counts in enumerate(words_of_rows):
        ids[row, : sum(counts)] = rng.integers(4, vocab, sum(counts))
        ids[row, sum(counts)] = EOS
        word_of[row, : sum(counts)] = np.repeat(np.arange(len(counts)), counts)
    return PaddedWords(ids, word_of)


@pytest.mark.parametrize("tied", ["all", "none"])
def test_both_engines_match_the_same_words(tmp_path, tied):
    torch.manual_seed(3)
    vocab = (TARGET_VOCAB, TARGET_VOCAB) if tied == "all" else (SOURCE_VOCAB, TARGET_VOCAB)
    head = build_word_aligner(
        model_of(tie_embeddings=tied), source_vocab_size=vocab[0], target_vocab_size=vocab[1]
    )
    ours = TorchAligner(head)
    with torch.no_grad():
        graph_files.write_graphs(tmp_path, tracing.aligner_graph(head))
    theirs = OnnxAligner(tmp_path / manifest.WORD_ALIGNER_GRAPH)
    for left, right in (
        ([[1]], [[1]]),
        ([[2, 1, 3]], [[1, 1, 2, 1]]),
        ([[1, 2], [1], [3, 1, 1, 2, 1]], [[2], [1, 1, 1], [1, 1, 1]]),
    ):
        given = side(left, vocab[0], 1), side(right, vocab[1], 2)
        for one, other in zip(ours.align(*given), theirs.align(*given), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


# What cannot be run


def test_a_graph_that_is_none_is_a_damaged_model(tmp_path):
    (tmp_path / manifest.ENCODER).write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"damaged.*encoder\.onnx"):
        OnnxDecoder(tmp_path)


def test_pieces_that_a_graph_does_not_know_are_an_unfit_model(integers):
    with pytest.raises(ModelError, match=r"unfit.*encoder\.onnx.*vocabulary"):
        integers.encode(np.array([[4, 99, EOS]], np.int32), np.array([3], np.int32))
