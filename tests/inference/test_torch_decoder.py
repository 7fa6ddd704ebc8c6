"""The torch decoder computes one step of the network at a time, with numpy arrays."""

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
TARGET = np.array([[5, 7, 9, EOS], [6, 6, 4, EOS]], np.int32)


@pytest.fixture
def decoder():
    torch.manual_seed(2)
    return TorchDecoder(build_model(TINY_MODEL, source_vocab_size=VOCAB, target_vocab_size=VOCAB))


def initial_state(decoder, beam=3):
    return decoder.start(decoder.encode(IDS, LENGTHS), beam)


def unroll(decoder, ids=IDS, lengths=LENGTHS, target=TARGET):
    """Return the outputs of all steps along `target`."""
    state, previous, outs = decoder.start(decoder.encode(ids, lengths), 3), None, []
    for piece in target.T:
        inputs = np.full(len(target), BOS, np.int32) if previous is None else previous
        outs.append(decoder.step(state, inputs, piece))
        state, previous = outs[-1].state, piece
    return outs


def test_steps_along_a_target_equal_one_teacher_forced_pass(decoder):
    network = decoder.network
    shifted_target = np.concatenate([np.full((2, 1), BOS), TARGET[:, :-1]], axis=1)
    with torch.no_grad():
        output = network(
            *(torch.from_numpy(a.astype(np.int64)) for a in (IDS, LENGTHS, shifted_target))
        )
        logp = network.output_projection(output.features).log_softmax(-1)
    for t, out in enumerate(unroll(decoder)):
        expected = logp[range(2), t, TARGET[:, t].tolist()].numpy()
        np.testing.assert_allclose(out.target_logp, expected, atol=1e-5)
        np.testing.assert_allclose(out.weights, output.weights[:, t].numpy(), atol=1e-5)


def test_candidates_are_the_most_probable_pieces_sorted(decoder):
    out = decoder.step(initial_state(decoder, beam=VOCAB), np.array([BOS, BOS], np.int32))
    assert out.ids.shape == out.logp.shape == (2, VOCAB)
    assert (out.ids.dtype, out.logp.dtype) == (np.int32, np.float32)
    assert (np.diff(out.logp, axis=1) <= 0).all()
    assert {tuple(sorted(row)) for row in out.ids.tolist()} == {tuple(range(VOCAB))}
    np.testing.assert_allclose(np.exp(out.logp).sum(1), 1, atol=1e-5)
    fewer = decoder.step(initial_state(decoder, beam=3), np.array([BOS, BOS], np.int32))
    assert (fewer.ids == out.ids[:, :3]).all()


def test_a_beam_larger_than_the_vocabulary_has_one_candidate_for_each_piece(decoder):
    out = decoder.step(initial_state(decoder, beam=500), np.array([BOS, BOS], np.int32))
    assert np.sort(out.ids).tolist() == [list(range(VOCAB))] * 2


def test_a_step_without_a_target_returns_no_target_log_probability(decoder):
    assert decoder.step(initial_state(decoder), np.array([BOS, BOS], np.int32)).target_logp is None


def test_weights_are_a_distribution_over_real_pieces(decoder):
    for out in unroll(decoder):
        np.testing.assert_allclose(out.weights.sum(1), 1, atol=1e-6)
        assert (out.weights[1, 3:] == 0).all()


def test_a_sentence_has_the_same_result_alone_as_in_a_batch(decoder):
    for batched, alone in zip(
        unroll(decoder), unroll(decoder, IDS[1:, :3], LENGTHS[1:], TARGET[1:]), strict=True
    ):
        np.testing.assert_allclose(batched.target_logp[1:], alone.target_logp, atol=1e-5)
        np.testing.assert_allclose(batched.weights[1:, :3], alone.weights, atol=1e-5)


def test_reordered_rows_have_the_same_next_step(decoder):
    """Rows may be swapped, repeated and removed."""
    first = decoder.step(initial_state(decoder), np.array([BOS, BOS], np.int32))
    pieces = np.array([5, 6], np.int32)
    expected = decoder.step(first.state, pieces, pieces)
    rows = np.array([1, 1, 0], np.int32)
    reordered = decoder.step(decoder.reorder(first.state, rows), pieces[rows], pieces[rows])
    np.testing.assert_allclose(reordered.target_logp, expected.target_logp[rows], atol=1e-6)
    np.testing.assert_allclose(reordered.weights, expected.weights[rows], atol=1e-6)
    state = decoder.reorder(decoder.reorder(first.state, rows), np.array([2], np.int32))
    restored = decoder.step(state, pieces[:1], pieces[:1])
    np.testing.assert_allclose(restored.target_logp, expected.target_logp[:1], atol=1e-6)


def test_a_step_does_not_change_its_input_state(decoder):
    state, bos = initial_state(decoder), np.array([BOS, BOS], np.int32)
    first = decoder.step(state, bos, bos)
    second = decoder.step(state, bos, bos)
    assert (first.target_logp == second.target_logp).all()


def test_a_decoder_does_not_use_dropout(decoder):
    assert not decoder.network.training
