"""Searches among a shortlist: both engines agree, and the whole vocabulary is one list of many."""

import numpy as np
import onnx
import pytest
import torch
from test_onnx_engine import SHAPES, begun, lines, model_of, network_of

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
    """For each source piece some target pieces, beside those of every sentence."""
    rng = np.random.default_rng(seed)
    rows = [np.sort(rng.choice(np.arange(40, vocab), per_piece, False)) for _ in range(vocab)]
    starts = per_piece * np.arange(vocab + 1, dtype=np.int64)
    return Shortlist(ALWAYS, np.concatenate(rows).astype(np.int32), starts, vocab)


EVERYTHING = Shortlist(
    np.arange(EOS, VOCAB, dtype=np.int32),
    np.zeros(0, np.int32),
    np.zeros(VOCAB + 1, np.int64),
    VOCAB,
)

WIDE = {"encoder": {"width": 40}, "attention": {"width": 32}, "decoder": {"width": 80}}


def never_bos(network):
    """Such that PAD and BOS, which no list has, are of no weight."""
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
    chosen = SHAPES[request.param] | {"tie_embeddings": "all"}
    return never_bos(network_of(model_of(**chosen), vocab=VOCAB))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network, its graphs in fp32 and those in int8."""
    network = never_bos(network_of(model_of(64, WIDE, tie_embeddings="all"), vocab=VOCAB))
    folders = [tmp_path_factory.mktemp(name) for name in ("fp32", "int8")]
    listed = shortlist_of()
    return (
        TorchDecoder(network, shortlist=listed),
        graphs_of(network, folders[0], listed),
        graphs_of(network, folders[1], listed, int8=True),
    )


def test_tied_tables_are_in_the_file_of_weights_once(tmp_path):
    """The embedding, the output layer and what a shortlist selects are one matrix of int8."""
    network = network_of(model_of(64, WIDE, tie_embeddings="all"), vocab=VOCAB)
    graphs_of(network, tmp_path, shortlist_of(), int8=True)
    offsets = set()
    for path in tmp_path.glob("*.onnx"):
        for tensor in onnx.load(path, load_external_data=False).graph.initializer:
            if sorted(tensor.dims) == [64, VOCAB] and tensor.external_data:
                offsets |= {each.value for each in tensor.external_data if each.key == "offset"}
    assert len(offsets) == 1


def found_alike(ones, others, *, atol=1e-3):
    for ours, theirs in zip(ones, others, strict=True):
        assert [h.ids.tolist() for h in ours] == [h.ids.tolist() for h in theirs]
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.token_logp, other.token_logp, atol=atol)


@pytest.fixture(scope="module")
def engines(network, tmp_path_factory):
    """The network with a shortlist on torch, and as graphs."""
    listed, folder = shortlist_of(), tmp_path_factory.mktemp("graphs")
    return TorchDecoder(network, shortlist=listed), graphs_of(network, folder, listed)


@pytest.mark.parametrize(("beam", "batch"), [(1, 1), (1, 30), (5, 1), (5, 30)])
def test_both_engines_find_the_same_among_a_shortlist(engines, beam, batch):
    how = SearchConfig(beam=beam, n_best=min(beam, 3))
    found_alike(*(search(each, *lines(batch, 8, VOCAB), how) for each in engines))


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_a_list_of_the_whole_vocabulary_changes_nothing(small, engine, tmp_path):
    network = small[0].network
    how, sources = SearchConfig(beam=5, n_best=5), lines(20, 9, VOCAB)
    plain = search(TorchDecoder(network), *sources, how)
    everything = [
        TorchDecoder(network, shortlist=EVERYTHING),
        graphs_of(network, tmp_path, EVERYTHING),
    ]
    found_alike(search(everything[engine], *sources, how), plain)


def test_in_int8_too_a_list_of_the_whole_vocabulary_changes_nothing(small, tmp_path):
    how, sources = SearchConfig(beam=5, n_best=5), lines(20, 9, VOCAB)
    network = small[0].network
    listed = graphs_of(network, tmp_path, EVERYTHING, int8=True)
    found_alike(
        search(listed, *sources, how), search(OnnxDecoder(tmp_path), *sources, how), atol=1e-5
    )


def test_what_is_written_is_in_the_sentences_list(small):
    ids, lengths = lines(30, 8, VOCAB)
    listed = shortlist_of().select(ids)
    for engine in small:
        for row, hypotheses in zip(
            listed, search(engine, ids, lengths, SearchConfig(beam=5)), strict=True
        ):
            assert set(hypotheses[0].ids.tolist()) <= set(row.tolist())


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_a_sentence_gives_the_same_alone_as_in_company(small, engine):
    decoder = small[engine]
    ids, lengths = lines(30, 8, VOCAB)
    how = SearchConfig(beam=5, n_best=5)
    together = search(decoder, ids, lengths, how)
    for row in range(len(ids)):
        size = int(lengths[row])
        (alone,) = search(decoder, ids[row : row + 1, :size], lengths[row : row + 1], how)
        assert [h.ids.tolist() for h in alone] == [h.ids.tolist() for h in together[row]]


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_log_probabilities_are_those_of_the_whole_renormalized_over_the_list(small, engine):
    ids, lengths = lines(3, 6, VOCAB)
    listed = shortlist_of().select(ids)
    bos = np.full(3, BOS, np.int32)
    whole = TorchDecoder(small[0].network)
    every = whole.step(begun(whole, ids, lengths, VOCAB), bos)
    logp = np.full((3, VOCAB), -np.inf)
    np.put_along_axis(logp, every.ids, every.logp, axis=1)
    out = small[engine].step(begun(small[engine], ids, lengths, 7), bos, bos + 1)
    for row in range(3):
        pieces = listed[row][listed[row] >= 0]
        total = np.logaddexp.reduce(logp[row, pieces])
        np.testing.assert_allclose(out.logp[row], logp[row, out.ids[row]] - total, atol=1e-4)
        np.testing.assert_allclose(out.target_logp[row], logp[row, EOS] - total, atol=1e-4)
        assert set(out.ids[row]) == set(pieces[np.argsort(-logp[row, pieces])[:7]])


@pytest.mark.parametrize("engine", [0, 1, 2], ids=["torch", "onnx", "int8"])
def test_a_piece_that_is_not_listed_has_no_probability(small, engine):
    ids, lengths = lines(1, 6, VOCAB)
    listed = set(shortlist_of().select(ids)[0].tolist())
    other = next(piece for piece in range(UNK, VOCAB) if piece not in listed)
    state = begun(small[engine], ids, lengths, 3)
    out = small[engine].step(state, np.array([BOS], np.int32), np.array([other], np.int32))
    assert np.isneginf(out.target_logp).all()


@pytest.mark.parametrize("engine", [0, 1, 2], ids=["torch", "onnx", "int8"])
def test_more_candidates_than_a_list_has_are_pad_without_probability(small, engine):
    ids, lengths = lines(2, 6, VOCAB)
    out = small[engine].step(begun(small[engine], ids, lengths, VOCAB), np.full(2, BOS, np.int32))
    counts = [np.isfinite(row).sum() for row in out.logp]
    assert counts == [(row >= 0).sum() for row in shortlist_of().select(ids)]
    assert (out.ids[~np.isfinite(out.logp)] == 0).all()


@pytest.mark.parametrize("engine", [0, 1], ids=["torch", "onnx"])
def test_a_target_that_is_given_is_scored_among_the_whole_vocabulary(small, engine):
    ids, lengths = lines(4, 6, VOCAB)
    targets = [np.array([VOCAB - 1 - n, 50, EOS], np.int32) for n in range(4)]
    plain = force_decode(TorchDecoder(small[0].network), ids, lengths, targets)
    for one, other in zip(force_decode(small[engine], ids, lengths, targets), plain, strict=True):
        np.testing.assert_allclose(one.token_logp, other.token_logp, atol=1e-4)


@pytest.mark.parametrize("engine", [0, 1, 2], ids=["torch", "onnx", "int8"])
def test_placeholders_are_written_once_among_a_shortlist(small, engine):
    ids, lengths = lines(6, 6, VOCAB)
    copying = Copying(4, 3, np.array([0b101, 0, 0b111, 0b1, 0b10, 0]), np.zeros(VOCAB, bool))
    found = search(small[engine], ids, lengths, SearchConfig(beam=4), copying=copying)
    for required, (best, *_) in zip(copying.required, found, strict=True):
        written = [piece - 4 for piece in best.ids.tolist() if 4 <= piece < 7]
        assert sorted(written) == [bit for bit in range(3) if required >> bit & 1]


def test_selecting_rows_needs_no_gradient(small):
    state = begun(small[0], *lines(2, 5, VOCAB), 3)
    assert not any(part.requires_grad for part in state.selected)
