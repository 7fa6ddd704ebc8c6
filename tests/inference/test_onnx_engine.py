"""ONNX Runtime gives the results of torch, in single steps and in whole searches."""

import numpy as np
import pytest
import torch
from systems import random_batch

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

#: Each option that a recipe has for this network occurs in one of these four.
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


def model_of(embedding=8, widths=WIDTHS, **options):
    tree = {"embedding": embedding, "tie_embeddings": "output"} | options
    tree |= {part: widths[part] | options.get(part, {}) for part in widths}
    word_aligner = {"embedding": 8, "width": 5, "channels": 2}
    joint = options.get("tie_embeddings", "all") == "all"
    recipe = {"model": tree | {"word_aligner": word_aligner}, "tokenizer": {"joint": joint}}
    return config.from_dict(recipe).model


def network_of(model, *, vocab=TARGET_VOCAB, seed=2):
    """Return a network with strong preferences; a new one has hardly any."""
    torch.manual_seed(seed)
    source_vocab = vocab if model.tie_embeddings == "all" else SOURCE_VOCAB
    network = build_model(model, source_vocab_size=source_vocab, target_vocab_size=vocab).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return network


def write_and_load(folder, graphs):
    graph_files.write_graphs(folder, graphs)
    return OnnxDecoder(folder)


@pytest.fixture(scope="module", params=SHAPES)
def engines(request, tmp_path_factory):
    """The same network on torch and on ONNX Runtime."""
    options = {"tie_embeddings": "all"} | SHAPES[request.param]
    network = network_of(model_of(**options))
    with torch.no_grad():
        graphs = tracing.translator_graphs(network)
    return TorchDecoder(network), write_and_load(tmp_path_factory.mktemp("graphs"), graphs)


def lines(batch, max_length, vocab=TARGET_VOCAB, seed=1):
    """Return (B, S) random pieces that end with EOS, and their lengths."""
    return random_batch(batch, max_length, seed, vocab=vocab)


def initial_state(decoder, ids, lengths, beam):
    return decoder.start(decoder.encode(ids, lengths), beam)


def assert_steps_agree(one, other, *, atol=1e-5):
    """Check that two steps have the same output."""
    np.testing.assert_allclose(one.logp, other.logp, atol=atol)
    np.testing.assert_allclose(one.weights, other.weights, atol=atol)
    np.testing.assert_allclose(one.target_logp, other.target_logp, atol=atol)
    assert (one.ids == other.ids).all()
    assert one.ids.dtype == other.ids.dtype == np.int32


# Steps


@pytest.mark.parametrize("candidates", [0, 3], ids=["forced", "candidates"])
def test_engines_agree_while_rows_are_reordered_repeated_and_removed(engines, candidates):
    states = [initial_state(decoder, *lines(4, 7), candidates) for decoder in engines]
    orders = [[0, 0, 1, 2, 2, 3], [5, 1, 0, 3], [2, 2, 2, 1], [3, 0], [1, 1, 0], [2], [0, 0]]
    rng, rows = np.random.default_rng(5), 4
    for row_order in orders:
        previous, target = (rng.integers(0, TARGET_VOCAB, rows).astype(np.int32) for _ in range(2))
        outs = [s.step(state, previous, target) for s, state in zip(engines, states, strict=True)]
        assert_steps_agree(*outs)
        assert outs[0].ids.shape == (rows, candidates)
        order, rows = np.array(row_order, np.int32), len(row_order)
        states = [s.reorder(o.state, order) for s, o in zip(engines, outs, strict=True)]


def test_a_step_does_not_change_its_input_state(engines):
    _, decoder = engines
    bos = np.full(3, BOS, np.int32)
    state = decoder.reorder(initial_state(decoder, *lines(5, 6), 2), np.array([4, 0, 4], np.int32))
    first, second = (decoder.step(state, bos, bos) for _ in range(2))
    assert (first.target_logp == second.target_logp).all()


def test_a_step_without_a_target_returns_no_target_log_probability(engines):
    _, decoder = engines
    state = initial_state(decoder, *lines(2, 4), 2)
    assert decoder.step(state, np.full(2, BOS, np.int32)).target_logp is None


def test_a_beam_larger_than_the_vocabulary_has_one_candidate_for_each_piece(engines):
    _, decoder = engines
    out = decoder.step(initial_state(decoder, *lines(2, 4), 500), np.full(2, BOS, np.int32))
    assert np.sort(out.ids).tolist() == [list(range(TARGET_VOCAB))] * 2


# Searches


@pytest.mark.parametrize(("beam", "batch"), [(1, 1), (1, 64), (5, 1), (5, 64), (500, 1)])
def test_searches_of_both_engines_give_the_same_translations_and_weights(engines, beam, batch):
    search_config = SearchConfig(beam=beam, n_best=min(beam, 5), coverage_penalty=0.1)
    results = [
        search(decoder, *lines(batch, 8), search_config, keep_weights=True) for decoder in engines
    ]
    for torch_row, onnx_row in zip(*results, strict=True):
        assert [h.ids.tolist() for h in torch_row] == [h.ids.tolist() for h in onnx_row]
        for one, other in zip(torch_row, onnx_row, strict=True):
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-3)
            np.testing.assert_allclose(one.token_logp, other.token_logp, atol=1e-3)


def test_forced_decoding_gives_the_weights_and_scores_of_the_search(engines):
    batch = lines(9, 6)
    for decoder in engines:
        rows = search(decoder, *batch, SearchConfig(beam=3), keep_weights=True)
        forced_results = force_decode(decoder, *batch, [row[0].ids for row in rows])
        for [decoded], forced in zip(rows, forced_results, strict=True):
            np.testing.assert_allclose(forced.weights, decoded.weights, atol=1e-5)
            np.testing.assert_allclose(forced.token_logp, decoded.token_logp, atol=1e-5)


# In int8


@pytest.fixture(scope="module")
def int8_decoder(tmp_path_factory):
    """A network in int8, wide enough for all its products to be in integers."""
    widths = {part: {"width": quantize.MIN_SIZE} for part in WIDTHS}
    model = model_of(quantize.MIN_SIZE, widths, tie_embeddings="all", decoder={"layers": 2})
    with torch.no_grad():
        graphs = tracing.translator_graphs(network_of(model, vocab=80))
    graphs = {name: quantize.quantize_graph(graph) for name, graph in graphs.items()}
    kinds = [node.op_type for node in graphs[manifest.STEP].graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 5
    return write_and_load(tmp_path_factory.mktemp("integers"), graphs)


@pytest.mark.parametrize("beam", [1, 5])
def test_most_int8_hypotheses_have_the_same_score_alone_as_in_a_batch(int8_decoder, beam):
    """If a batch shared its scales, all scores would differ. A few may differ: the last bit of a
    float, which depends on the processor, can decide to which integer it is rounded."""
    search_config = SearchConfig(beam=beam, n_best=beam)
    ids, lengths = lines(30, 9, vocab=80)
    batch = search(int8_decoder, ids, lengths, search_config, keep_weights=True)
    differences = []
    for b, length in enumerate(lengths):
        sentence = ids[b : b + 1, :length], lengths[b : b + 1]
        for hypothesis in batch[b]:
            [alone] = force_decode(int8_decoder, *sentence, [hypothesis.ids])
            differences.append(np.abs(alone.token_logp - hypothesis.token_logp).max())
    assert np.quantile(differences, 0.7) < 1e-4


# Alignment


def side(words_of_rows, vocab, seed):
    """Return rows whose words have these numbers of pieces."""
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
def test_both_engines_give_the_same_word_alignment(tmp_path, tied):
    torch.manual_seed(3)
    vocab = (TARGET_VOCAB, TARGET_VOCAB) if tied == "all" else (SOURCE_VOCAB, TARGET_VOCAB)
    network = build_word_aligner(
        model_of(tie_embeddings=tied), source_vocab_size=vocab[0], target_vocab_size=vocab[1]
    )
    torch_aligner = TorchAligner(network)
    with torch.no_grad():
        graph_files.write_graphs(tmp_path, tracing.aligner_graph(network))
    onnx_aligner = OnnxAligner(tmp_path / manifest.WORD_ALIGNER_GRAPH)
    for source_words, target_words in (
        ([[1]], [[1]]),
        ([[2, 1, 3]], [[1, 1, 2, 1]]),
        ([[1, 2], [1], [3, 1, 1, 2, 1]], [[2], [1, 1, 1], [1, 1, 1]]),
    ):
        batch = side(source_words, vocab[0], 1), side(target_words, vocab[1], 2)
        for one, other in zip(torch_aligner.align(*batch), onnx_aligner.align(*batch), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


# Graphs that cannot be run


def test_an_invalid_graph_file_is_reported_as_a_damaged_model(tmp_path):
    (tmp_path / manifest.ENCODER).write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"damaged.*encoder\.onnx"):
        OnnxDecoder(tmp_path)


def test_pieces_outside_the_vocabulary_of_a_graph_are_reported_as_an_unfit_model(int8_decoder):
    with pytest.raises(ModelError, match=r"unfit.*encoder\.onnx.*vocabulary"):
        int8_decoder.encode(np.array([[4, 99, EOS]], np.int32), np.array([3], np.int32))
