"""Copying: each placeholder is written once, whatever the network prefers; nothing banned is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_beam_search import MarkovDecoder, sources

from attn_cli.inference.beam_search import SearchConfig, search
from attn_cli.inference.copying import Copying, count_bits
from attn_cli.types import EOS

FIRST, COUNT, VOCAB = 4, 5, 14  # placeholders 4 to 8; 9 and 10 are never to be written
BANNED = np.isin(np.arange(VOCAB), [0, 1, 3, 9, 10])


def copying(*required: int) -> Copying:
    return Copying(FIRST, COUNT, np.array(required, np.int64), BANNED)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 31), min_size=1, max_size=4), st.data())
@settings(derandomize=True, deadline=None)
def test_every_hypothesis_has_each_placeholder_of_its_sentence_once(seed, required, data) -> None:
    beam = data.draw(st.sampled_from([1, 2, 5]))
    search_config = SearchConfig(
        beam=beam,
        n_best=beam,
        max_length_ratio=data.draw(st.sampled_from([0.0, 1.0, 2.0])),
        max_length_extra=data.draw(st.sampled_from([1, 6])),
    )
    lengths = [data.draw(st.integers(1, 5)) for _ in required]
    results = search(
        MarkovDecoder(seed, VOCAB), *sources(*lengths), search_config, copying=copying(*required)
    )
    for bits, hypotheses in zip(required, results, strict=True):
        assert 1 <= len(hypotheses) <= beam
        for hypothesis in hypotheses:
            ids = hypothesis.ids.tolist()
            assert sorted(i for i in ids if FIRST <= i < FIRST + COUNT) == [
                FIRST + n for n in range(COUNT) if bits >> n & 1
            ]
            assert ids[-1] == EOS
            assert EOS not in ids[:-1]
            assert not BANNED[ids].any()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("beam", [1, 4])
def test_copying_without_placeholders_or_bans_does_not_change_the_search(seed, beam) -> None:
    """With a network that never prefers a placeholder, both searches give the same result."""
    decoder = MarkovDecoder(seed, VOCAB)
    decoder.table[..., [*range(FIRST, FIRST + COUNT), 0, 1, 3, 9, 10]] = -1e9
    search_config = SearchConfig(beam=beam, n_best=beam)
    plain = search(decoder, *sources(3, 5), search_config)
    copied = search(decoder, *sources(3, 5), search_config, copying=copying(0, 0))
    for one, other in zip(plain, copied, strict=True):
        assert [each.ids.tolist() for each in one] == [each.ids.tolist() for each in other]
        assert [each.score for each in one] == [each.score for each in other]


def test_a_sentence_with_placeholders_does_not_change_one_without() -> None:
    decoder, search_config = MarkovDecoder(3, VOCAB), SearchConfig(beam=3, n_best=3)
    alone = search(decoder, *sources(4), search_config, copying=copying(0))[0]
    batched = search(decoder, *sources(4, 4), search_config, copying=copying(0, 7))[0]
    assert [each.ids.tolist() for each in alone] == [each.ids.tolist() for each in batched]


def test_missing_placeholders_are_written_before_the_end() -> None:
    decoder = MarkovDecoder(1, VOCAB)
    decoder.table[:] = -5.0
    decoder.table[..., EOS] = 0.0
    ((hypothesis,),) = search(decoder, *sources(3), SearchConfig(beam=1), copying=copying(0b10110))
    assert hypothesis.ids.tolist() == [FIRST + 1, FIRST + 2, FIRST + 4, EOS]


def test_log_probabilities_with_copying_are_those_of_the_network() -> None:
    from attn_cli.inference.forced_decoding import force_decode

    decoder = MarkovDecoder(5, VOCAB)
    ((hypothesis,),) = search(decoder, *sources(4), SearchConfig(beam=1), copying=copying(0b11))
    (forced,) = force_decode(decoder, *sources(4), [hypothesis.ids])
    np.testing.assert_allclose(hypothesis.token_logp, forced.token_logp, atol=1e-5)


def test_count_bits_counts_the_bits_of_each_number() -> None:
    bits = np.array([0, 1, 6, 31, 1 << 15], np.int64)
    assert count_bits(bits).tolist() == [0, 1, 2, 5, 1]
