"""The decoder over torch computes what the network does, a step at a time, for numpy."""

import numpy as np
import pytest
import torch
from systems import TINY_MODEL

from attn_cli.inference.engines.torch import TorchDecoder
from attn_cli.nn.builder import build_model
from attn_cli.types import BOS, EOS

VOCAB = 12
IDS = np.array([[4, 5, 6, 7, EOS], [8, 9, EOS, 0, 0]], np.int32)
LENGTHS = np.array([5, 3], np.int32)
GOLD = np.array([[5, 7, 9, EOS], [6, 6, 4, EOS]], np.int32)


@pytest.fixture
def decoder():
    torch.manual_seed(2)
    return TorchDecoder(build_model(TINY_MODEL, source_vocab_size=VOCAB, target_vocab_size=VOCAB))


def begun(decoder, beam=3):
    return decoder.start(decoder.encode(IDS, LENGTHS), beam)


def unrolled(decoder, ids=IDS, lengths=LENGTHS, target=GOLD):
    """One step after the other along `target`."""
    state, previous, outs = decoder.start(decoder.encode(ids, lengths), 3), None, []
    for wanted in target.T:
        given = np.full(len(target), BOS, np.int32) if previous is None else previous
        outs.append(decoder.step(state, given, wanted))
        state, previous = outs[-1].state, wanted
    return outs


def test_steps_along_a_target_give_what_one_teacher_forced_pass_gives(decoder):
    network = decoder.network
    behind = np.concatenate([np.full((2, 1), BOS), GOLD[:, :-1]], axis=1)
    with torch.no_grad():
        whole = network(*(torch.from_numpy(a.astype(np.int64)) for a in (IDS, LENGTHS, behind)))
        logp = network.output_projection(whole.features).log_softmax(-1)
    for t, out in enumerate(unrolled(decoder)):
        expected = logp[range(2), t, GOLD[:, t].tolist()].numpy()
        np.testing.assert_allclose(out.target_logp, expected, atol=1e-5)
        np.testing.assert_allclose(out.weights, whole.weights[:, t].numpy(), atol=1e-5)


def test_candidates_are_the_likeliest_pieces_best_first(decoder):
    out = decoder.step(begun(decoder, beam=VOCAB), np.array([BOS, BOS], np.int32))
    assert out.ids.shape == out.logp.shape == (2, VOCAB)
    assert (out.ids.dtype, out.logp.dtype) == (np.int32, np.float32)
    assert (np.diff(out.logp, axis=1) <= 0).all()
    assert {tuple(sorted(row)) for row in out.ids.tolist()} == {tuple(range(VOCAB))}
    np.testing.assert_allclose(np.exp(out.logp).sum(1), 1, atol=1e-5)
    fewer = decoder.step(begun(decoder, beam=3), np.array([BOS, BOS], np.int32))
    assert (fewer.ids == out.ids[:, :3]).all()


def test_there_are_never_more_candidates_than_pieces(decoder):
    out = decoder.step(begun(decoder, beam=500), np.array([BOS, BOS], np.int32))
    assert out.ids.shape == (2, VOCAB)


def test_no_gold_asked_for_none_given(decoder):
    assert decoder.step(begun(decoder), np.array([BOS, BOS], np.int32)).target_logp is None


def test_weights_are_a_distribution_over_real_pieces(decoder):
    for out in unrolled(decoder):
        np.testing.assert_allclose(out.weights.sum(1), 1, atol=1e-6)
        assert (out.weights[1, 3:] == 0).all()


def test_a_sentence_gives_the_same_alone_as_beside_a_longer_one(decoder):
    for beside, alone in zip(
        unrolled(decoder), unrolled(decoder, IDS[1:, :3], LENGTHS[1:], GOLD[1:]), strict=True
    ):
        np.testing.assert_allclose(beside.target_logp[1:], alone.target_logp, atol=1e-5)
        np.testing.assert_allclose(beside.weights[1:, :3], alone.weights, atol=1e-5)


def test_rows_reordered_go_on_as_they_would_have(decoder):
    """Rows swapped, doubled and left out find the same futures."""
    first = decoder.step(begun(decoder), np.array([BOS, BOS], np.int32))
    pieces = np.array([5, 6], np.int32)
    straight = decoder.step(first.state, pieces, pieces)
    rows = np.array([1, 1, 0], np.int32)
    moved = decoder.step(decoder.reorder(first.state, rows), pieces[rows], pieces[rows])
    np.testing.assert_allclose(moved.target_logp, straight.target_logp[rows], atol=1e-6)
    np.testing.assert_allclose(moved.weights, straight.weights[rows], atol=1e-6)
    again = decoder.reorder(decoder.reorder(first.state, rows), np.array([2], np.int32))
    back = decoder.step(again, pieces[:1], pieces[:1])
    np.testing.assert_allclose(back.target_logp, straight.target_logp[:1], atol=1e-6)


def test_a_step_leaves_the_state_it_was_given_as_it_was(decoder):
    state, bos = begun(decoder), np.array([BOS, BOS], np.int32)
    first = decoder.step(state, bos, bos)
    second = decoder.step(state, bos, bos)
    assert (first.target_logp == second.target_logp).all()


def test_a_decoder_does_not_drop_out(decoder):
    assert not decoder.network.training
