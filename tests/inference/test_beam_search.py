"""Beam search compared with greedy search, exhaustive search and searches in other batches."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.engines.interface import StepOutput
from attn_cli.inference.forced_decoding import force_decode
from attn_cli.inference.penalties import coverage, length_norm
from attn_cli.types import BOS, EOS

VOCAB = 6  # PAD BOS EOS UNK and two words


class MarkovDecoder:
    """A small model whose next piece depends on the source's sum and the last two pieces."""

    def __init__(self, seed: int, vocab: int = VOCAB) -> None:
        generator = np.random.default_rng(seed)
        self.table = generator.normal(scale=1.5, size=(5, vocab, vocab, vocab))
        self.table[..., [0, 1]] = -1e9  # never PAD, never BOS
        self.attention = generator.random((vocab, 64))
        self.row_counts: list[int] = []

    def encode(self, ids, lengths):
        unpadded = np.where(np.arange(ids.shape[1]) < lengths[:, None], ids, 0)
        return unpadded.sum(1) % 5, lengths, ids.shape[1]

    def start(self, source, beam):
        kind, lengths, size = source
        return {"kind": kind, "len": lengths, "size": size, "beam": beam, "before": kind * 0}

    def step(self, state, previous, target=None):
        self.row_counts.append(len(previous))
        logits = self.table[state["kind"], state["before"], previous]
        logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        best = np.argsort(-logp, axis=-1, kind="stable")[:, : state["beam"]]
        weights = self.attention[previous][:, : state["size"]]
        weights = weights * (np.arange(state["size"]) < state["len"][:, None])
        weights = weights / weights.sum(-1, keepdims=True)
        next_state = {**state, "before": previous}
        rows = np.arange(len(previous))
        return StepOutput(
            best.astype(np.int32),
            np.take_along_axis(logp, best, -1).astype(np.float32),
            None if target is None else logp[rows, target].astype(np.float32),
            weights.astype(np.float32),
            next_state,
        )

    def reorder(self, state, rows):
        reordered = {k: state[k][rows] for k in ("kind", "len", "before")}
        return {**state, **reordered}


def sources(*lengths: int):
    ids = np.zeros((len(lengths), max(lengths)), np.int32)
    for b, n in enumerate(lengths):
        ids[b, :n] = np.arange(4, 4 + n)
    return ids, np.array(lengths, np.int32)


def greedy(decoder, ids, lengths, max_length: int):
    state = decoder.start(decoder.encode(ids, lengths), 1)
    previous, pieces = np.array([BOS]), []
    while True:
        out = decoder.step(state, previous)
        piece = int(out.ids[0, 0]) if len(pieces) + 1 < max_length else EOS
        pieces.append(piece)
        if piece == EOS:
            return pieces
        state, previous = out.state, np.array([piece])


@pytest.mark.parametrize("seed", range(20))
def test_beam_one_equals_greedy(seed) -> None:
    decoder = MarkovDecoder(seed)
    ids, lengths = sources(3)
    search_config = SearchConfig(beam=1, max_length_ratio=2, max_length_extra=3)
    [[hypothesis]] = search(decoder, ids, lengths, search_config)
    assert hypothesis.ids.tolist() == greedy(decoder, ids, lengths, 9)


def all_hypotheses(decoder, ids, lengths, max_length: int, alpha: float, beta: float):
    words = range(3, VOCAB)
    bodies = itertools.chain.from_iterable(
        itertools.product(words, repeat=n) for n in range(max_length)
    )
    hypotheses = []
    for body in bodies:
        target = np.array([*body, EOS], np.int32)
        [forced] = force_decode(decoder, ids, lengths, [target])
        logp = float(forced.token_logp.astype(np.float64).sum())
        score = logp / ((5 + len(target)) / 6) ** alpha
        if beta:
            coverage_sums = forced.weights.sum(0)
            score += beta * np.log(np.minimum(coverage_sums, 1)).sum()
        hypotheses.append((score, target.tolist()))
    return sorted(hypotheses, key=lambda pair: -pair[0])


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4)])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_finds_the_optimum_of_an_exhaustive_search(seed, alpha, beta) -> None:
    decoder = MarkovDecoder(seed)
    ids, lengths = sources(2)
    max_length = 5
    best = all_hypotheses(decoder, ids, lengths, max_length, alpha, beta)
    search_config = SearchConfig(
        beam=4**max_length,
        n_best=5,
        length_penalty=alpha,
        coverage_penalty=beta,
        max_length_ratio=0,
        max_length_extra=max_length,
    )
    [hypotheses] = search(decoder, ids, lengths, search_config)
    assert [h.ids.tolist() for h in hypotheses] == [target for _, target in best[:5]]
    np.testing.assert_allclose([h.score for h in hypotheses], [s for s, _ in best[:5]], atol=1e-5)


@settings(derandomize=True, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    st.sampled_from([0.0, 0.3]),
)
def test_stopping_early_never_changes_the_result(seed, beam, n_best, alpha, beta) -> None:
    ids, lengths = sources(2, 4, 3)

    def results(stop_early: bool):
        search_config = SearchConfig(
            beam=beam,
            n_best=n_best,
            length_penalty=alpha,
            coverage_penalty=beta,
            stop_early=stop_early,
        )
        rows = search(MarkovDecoder(seed), ids, lengths, search_config)
        return [[(h.ids.tolist(), h.score) for h in row] for row in rows]

    assert results(True) == results(False)


def test_stopping_early_computes_fewer_rows() -> None:
    ids, lengths = sources(2, 4, 3)

    def count_rows(stop_early: bool) -> int:
        decoder = MarkovDecoder(1)
        search(decoder, ids, lengths, SearchConfig(beam=4, stop_early=stop_early))
        return sum(decoder.row_counts)

    assert count_rows(True) < count_rows(False)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_other_sentences_of_a_batch_do_not_change_a_result(seed, beam, lengths) -> None:
    decoder = MarkovDecoder(seed)
    search_config = SearchConfig(beam=beam, n_best=beam)
    ids, batch_lengths = sources(*lengths)
    batched = search(decoder, ids, batch_lengths, search_config, keep_weights=True)
    for b, n in enumerate(lengths):
        [alone] = search(
            decoder, ids[b : b + 1, :n], batch_lengths[b : b + 1], search_config, keep_weights=True
        )
        assert [h.ids.tolist() for h in alone] == [h.ids.tolist() for h in batched[b]]
        for one, other in zip(alone, batched[b], strict=True):
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-6)


def test_rows_of_finished_sentences_are_no_longer_computed() -> None:
    decoder = MarkovDecoder(1)
    ids, lengths = sources(2, 5, 3, 4)
    search(decoder, ids, lengths, SearchConfig(beam=4, n_best=4))
    assert decoder.row_counts[0] == 4
    assert decoder.row_counts[-1] < max(decoder.row_counts)
    assert all(rows <= 16 for rows in decoder.row_counts)


@pytest.mark.parametrize("beam", [1, 3])
def test_forced_decoding_of_the_best_gives_the_weights_and_scores_of_the_search(beam) -> None:
    decoder = MarkovDecoder(11)
    ids, lengths = sources(4, 2, 5)
    rows = search(decoder, ids, lengths, SearchConfig(beam=beam), keep_weights=True)
    forced_results = force_decode(decoder, ids, lengths, [row[0].ids for row in rows])
    for [decoded], forced_result in zip(rows, forced_results, strict=True):
        np.testing.assert_allclose(forced_result.weights, decoded.weights, atol=1e-6)
        np.testing.assert_allclose(forced_result.token_logp, decoded.token_logp, atol=1e-5)


def test_hypotheses_are_never_longer_than_the_maximum_length() -> None:
    ids, lengths = sources(1, 4)
    decoder = MarkovDecoder(5)
    decoder.table[..., EOS] = -30.0  # it would never end by itself
    search_config = SearchConfig(beam=3, n_best=3, max_length_ratio=1.5, max_length_extra=2)
    for row, max_length in zip(search(decoder, ids, lengths, search_config), (3, 8), strict=True):
        assert max(len(h.ids) for h in row) == max_length
        assert all(h.ids[-1] == EOS for h in row)


def test_length_norm_is_that_of_gnmt() -> None:
    assert length_norm(1, 0.7) == 1.0
    assert length_norm(7, 1.0) == 2.0
    assert length_norm(9, 0.0) == 1.0


def test_the_coverage_penalty_counts_only_real_positions_that_are_not_covered() -> None:
    coverage_sums = np.array([[2.0, 0.5, 0.0]], np.float32)
    mask = np.array([[True, True, False]])
    np.testing.assert_allclose(coverage(coverage_sums, mask, 0.2), [0.2 * np.log(0.5)], rtol=1e-6)


def test_search_uses_the_beam_size_of_the_recipe():
    decode = config.with_settings(config.Recipe(), ["decode.beam_size=3"]).decode
    assert SearchConfig.of(decode).beam == 3
