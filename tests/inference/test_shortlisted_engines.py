"""Searches with a shortlist: both engines agree; a full shortlist gives the plain result."""

import numpy as np
import onnx
import pytest
import torch
from test_onnx_engine import SHAPES, initial_state, lines, model_of, network_of

from attn_cli.data.shortlist import Shortlist
from attn_cli.export import graph_files, quantize, tracing
from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.copying import Copying
from attn_cli.inference.engines.onnx import OnnxDecoder
from attn_cli.inference.engines.torch import TorchDecoder
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.types import BOS, EOS, UNK

VOCAB = 150
ALWAYS = np.arange(EOS, 40, dtype=np.int32)


def shortlist_of(seed=1, vocab=VOCAB, per_piece=8):
    """Return a shortlist with random target pieces for each source piece."""
    rng = np.random.default_rng(seed)
    rows = [np.sort(rng.choice(np.arange(40, vocab), per_piece, False)) for _ in range(vocab)]
    starts = per_piece * np.arange(vocab + 1, dtype=np.int64)
    return Shortlist(ALWAYS, np.concatenate(rows).astype(np.int32), starts, vocab)


ALL_PIECES = Shortlist(
    np.arange(EOS, VOCAB, dtype=np.int32),
    np.zeros(0, np.int32),
    np.zeros(VOCAB + 1, np.int64),
    VOCAB,
)

WIDE = {"encoder": {"width": 40}, "attention": {"width": 32}, "decoder": {"width": 80}}


def without_bos(network):
    """Make PAD and BOS, which no shortlist contains, improbable."""
    with torch.no_grad():
        network.output_projection.bias[:EOS] = -1e4
    return network


def graphs_of(network, folder, shortlist, *, int8=False):
    with torch.no_grad():
        graphs = tracing.translator_graphs(network, with_shortlist=True)
    if int8:
        graphs = quantize.quantize_graphs(graphs)
    graph_files.write_graphs(folder, graphs)
    return OnnxDecoder(folder, shortlist=shortlist)


@pytest.fixture(scope="module", params=SHAPES)
def network(request):
    options = SHAPES[request.param] | {"tie_embeddings": "all"}
    return without_bos(network_of(model_of(**options), vocab=VOCAB))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Decoders of a network: torch, its graphs in fp32 and those in int8."""
    network = without_bos(network_of(model_of(64, WIDE, tie_embeddings="all"), vocab=VOCAB))
    folders = [tmp_path_factory.mktemp(name) for name in ("fp32", "int8")]
    shortlist = shortlist_of()
    return (
        TorchDecoder(network, shortlist=shortlist),
        graphs_of(network, folders[0], shortlist),
        graphs_of(network, folders[1], shortlist, int8=True),
    )


def test_tied_embeddings_are_stored_once_in_the_weights_file(tmp_path):
    """The embedding, the output layer and the rows for shortlists are one matrix in int8."""
    network = network_of(model_of(64, WIDE, tie_embeddings="all"), vocab=VOCAB)
    graphs_of(network, tmp_path, shortlist_of(), int8=True)
    offsets = set()
    for path in tmp_path.glob("*.onnx"):
        for tensor in onnx.load(path, load_external_data=False).graph.initializer:
            if sorted(tensor.dims) == [64, VOCAB] and tensor.external_data:
                offsets |= {each.value for each in tensor.external_data if each.key == "offset"}
    assert len(offsets) == 1


def assert_searches_agree(one_search, other_search, *, atol=1e-3):
    for one_row, other_row in zip(one_search, other_search, strict=True):
        assert [h.ids.tolist() for h in one_row] == [h.ids.tolist() for h in other_row]
        for one, other in zip(one_row, other_row, strict=True):
            np.testing.assert_allclose(one.token_logp, other.token_logp, atol=atol)


@pytest.fixture(scope="module")
def engines(network, tmp_path_factory):
    """The network with a shortlist on torch and on ONNX Runtime."""
    shortlist, folder = shortlist_of(), tmp_path_factory.mktemp("graphs")
    return TorchDecoder(network, shortlist=shortlist), graphs_of(network, folder, shortlist)


@pytest.mark.parametrize(("beam", "batch"), [(1, 1), (1, 30), (5, 1), (5, 30)])
def test_both_engines_find_the_same_translations_with_a_shortlist(engines, beam, batch):
    search_config = SearchConfig(beam=beam, n_best=min(beam, 3))
    assert_searches_agree(
        *(search(each, *lines(batch, 8, VOCAB), search_config) for each in engines)
    )


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_a_shortlist_of_the_whole_vocabulary_does_not_change_the_result(small, engine, tmp_path):
    network = small[0].network
    search_config, sources = SearchConfig(beam=5, n_best=5), lines(20, 9, VOCAB)
    plain = search(TorchDecoder(network), *sources, search_config)
    full_decoders = [
        TorchDecoder(network, shortlist=ALL_PIECES),
        graphs_of(network, tmp_path, ALL_PIECES),
    ]
    assert_searches_agree(search(full_decoders[engine], *sources, search_config), plain)


def test_a_shortlist_of_the_whole_vocabulary_does_not_change_the_int8_result(small, tmp_path):
    search_config, sources = SearchConfig(beam=5, n_best=5), lines(20, 9, VOCAB)
    network = small[0].network
    decoder = graphs_of(network, tmp_path, ALL_PIECES, int8=True)
    assert_searches_agree(
        search(decoder, *sources, search_config),
        search(OnnxDecoder(tmp_path), *sources, search_config),
        atol=1e-5,
    )


def test_translations_contain_only_pieces_of_their_shortlist(small):
    ids, lengths = lines(30, 8, VOCAB)
    rows = shortlist_of().select(ids)
    for engine in small:
        for row, hypotheses in zip(
            rows, search(engine, ids, lengths, SearchConfig(beam=5)), strict=True
        ):
            assert set(hypotheses[0].ids.tolist()) <= set(row.tolist())


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_a_sentence_has_the_same_translations_alone_as_in_a_batch(small, engine):
    decoder = small[engine]
    ids, lengths = lines(30, 8, VOCAB)
    search_config = SearchConfig(beam=5, n_best=5)
    batched = search(decoder, ids, lengths, search_config)
    for row in range(len(ids)):
        size = int(lengths[row])
        (alone,) = search(decoder, ids[row : row + 1, :size], lengths[row : row + 1], search_config)
        assert [h.ids.tolist() for h in alone] == [h.ids.tolist() for h in batched[row]]


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_log_probabilities_are_renormalized_over_the_shortlist(small, engine):
    ids, lengths = lines(3, 6, VOCAB)
    rows = shortlist_of().select(ids)
    bos = np.full(3, BOS, np.int32)
    whole = TorchDecoder(small[0].network)
    output = whole.step(initial_state(whole, ids, lengths, VOCAB), bos)
    logp = np.full((3, VOCAB), -np.inf)
    np.put_along_axis(logp, output.ids, output.logp, axis=1)
    out = small[engine].step(initial_state(small[engine], ids, lengths, 7), bos, bos + 1)
    for row in range(3):
        pieces = rows[row][rows[row] >= 0]
        total = np.logaddexp.reduce(logp[row, pieces])
        np.testing.assert_allclose(out.logp[row], logp[row, out.ids[row]] - total, atol=1e-4)
        np.testing.assert_allclose(out.target_logp[row], logp[row, EOS] - total, atol=1e-4)
        assert set(out.ids[row]) == set(pieces[np.argsort(-logp[row, pieces])[:7]])


@pytest.mark.parametrize("engine", [0, 1, 2], ids=["torch", "onnx", "int8"])
def test_a_piece_outside_the_shortlist_has_probability_0(small, engine):
    ids, lengths = lines(1, 6, VOCAB)
    allowed = set(shortlist_of().select(ids)[0].tolist())
    excluded = next(piece for piece in range(UNK, VOCAB) if piece not in allowed)
    state = initial_state(small[engine], ids, lengths, 3)
    out = small[engine].step(state, np.array([BOS], np.int32), np.array([excluded], np.int32))
    assert np.isneginf(out.target_logp).all()


@pytest.mark.parametrize("engine", [0, 1, 2], ids=["torch", "onnx", "int8"])
def test_candidates_beyond_the_shortlist_are_padding_with_probability_0(small, engine):
    ids, lengths = lines(2, 6, VOCAB)
    out = small[engine].step(
        initial_state(small[engine], ids, lengths, VOCAB), np.full(2, BOS, np.int32)
    )
    counts = [np.isfinite(row).sum() for row in out.logp]
    assert counts == [(row >= 0).sum() for row in shortlist_of().select(ids)]
    assert (out.ids[~np.isfinite(out.logp)] == 0).all()


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_forced_decoding_scores_among_the_whole_vocabulary(small, engine):
    ids, lengths = lines(4, 6, VOCAB)
    targets = [np.array([VOCAB - 1 - n, 50, EOS], np.int32) for n in range(4)]
    plain = force_decode(TorchDecoder(small[0].network), ids, lengths, targets)
    for one, other in zip(force_decode(small[engine], ids, lengths, targets), plain, strict=True):
        np.testing.assert_allclose(one.token_logp, other.token_logp, atol=1e-4)


@pytest.mark.parametrize("engine", [0, 1, 2], ids=["torch", "onnx", "int8"])
def test_placeholders_are_written_once_with_a_shortlist(small, engine):
    ids, lengths = lines(6, 6, VOCAB)
    copying = Copying(4, 3, np.array([0b101, 0, 0b111, 0b1, 0b10, 0]), np.zeros(VOCAB, bool))
    results = search(small[engine], ids, lengths, SearchConfig(beam=4), copying=copying)
    for required, (best, *_) in zip(copying.required, results, strict=True):
        written = [piece - 4 for piece in best.ids.tolist() if 4 <= piece < 7]
        assert sorted(written) == [bit for bit in range(3) if required >> bit & 1]


def test_the_selected_rows_of_the_output_layer_have_no_gradient(small):
    state = initial_state(small[0], *lines(2, 5, VOCAB), 3)
    assert not any(part.requires_grad for part in state.selected)
