"""Batches: their content, their size, their order, and continuing from a saved position."""

import itertools
import json

import numpy as np
import pytest
from batches import have_equal_arrays
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_cli import config
from attn_cli.data.batching import (
    LENGTH_MULTIPLE,
    ROW_MULTIPLE,
    Batch,
    BatchIterator,
    sequential_batches,
)
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import SubwordCorpus, segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.errors import DataError
from attn_cli.types import BOS, EOS, PAD

STEMS = ["dog", "house", "sing", "under", "water", "don't", "l'eau", "walk", "friend", "blue"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([" ".join(STEMS)] * 20, config.TokenizerConfig(vocab_size=300))


@pytest.fixture(scope="module")
def data(tokenizer, tmp_path_factory) -> SubwordCorpus:
    """Three hundred pairs of one to nine made-up words a side, with subword sampling."""
    rng = np.random.default_rng(5)

    def sentence() -> str:
        return " ".join(
            rng.choice(STEMS) + rng.choice(["", "s", ",", "ing"])
            for _ in range(rng.integers(1, 10))
        )

    path = tmp_path_factory.mktemp("corpus") / "pairs.tsv"
    path.write_text("".join(f"{sentence()}\t{sentence()}\n" for _ in range(300)))
    return segment_corpus(read_pairs(path)[0], tokenizer, tokenizer, sampling=0.5)


def epoch_of(batches: BatchIterator) -> list[Batch]:
    """Return the batches of the next epoch; the first batch of the epoch after it is lost."""
    first = next(batches)
    epoch = batches.epoch
    return [first, *itertools.takewhile(lambda _: batches.epoch == epoch, batches)]


# The content of a batch


def test_a_batch_contains_the_ids_and_word_ids_of_each_line(data, tokenizer):
    batch = next(sequential_batches(data, data.pairs[:7], tokens=10_000))
    sides = (
        (data.corpus.source, batch.source, batch.source_length, batch.source_word_ids),
        (data.corpus.target, batch.target_out, batch.target_length, batch.target_word_ids),
    )
    for side, ids, lengths, word_of in sides:
        assert ids.shape == word_of.shape
        assert len(ids) == 7
        assert lengths.max() <= ids.shape[1] < lengths.max() + LENGTH_MULTIPLE
        for row, pair in enumerate(batch.indices):
            encoded = tokenizer.encode(side.text(pair))
            end = lengths[row]
            assert ids[row, :end].tolist() == encoded.ids.tolist()
            assert word_of[row, :end].tolist() == encoded.word_ids.tolist()
            assert set(ids[row, end:]) <= {PAD}
            assert set(word_of[row, end:]) <= {-1}


def test_the_input_of_the_decoder_is_its_output_shifted_by_one(data):
    for batch in itertools.islice(BatchIterator(data, tokens=200, seed=1), 20):
        for inputs, outputs, length in zip(
            batch.target_in, batch.target_out, batch.target_length, strict=True
        ):
            assert inputs[0] == BOS
            assert inputs[1:length].tolist() == outputs[: length - 1].tolist()
            assert outputs[length - 1] == EOS
            assert set(inputs[length:]) <= {PAD}


def test_sampled_subwords_decode_to_the_same_sentences(data, tokenizer):
    for batch in itertools.islice(BatchIterator(data, tokens=300, seed=1), 5):
        for ids, pair in zip(batch.source, batch.indices, strict=True):
            assert tokenizer.decode(ids).text == data.corpus.source.text(pair)


def test_every_array_is_int32(data):
    batch = next(BatchIterator(data, tokens=300, seed=1))
    assert {getattr(batch, name).dtype for name in Batch.__slots__} == {np.dtype(np.int32)}


# The size of a batch


@settings(derandomize=True, deadline=None, max_examples=12)
@given(tokens=st.integers(1, 400), pool=st.integers(1, 400), seed=st.integers(0, 9))
def test_each_epoch_gives_every_pair_once_within_the_budget(data, tokens, pool, seed):
    batches = BatchIterator(data, tokens=tokens, seed=seed, pool=pool)
    epoch = epoch_of(batches)
    indices = np.concatenate([batch.indices for batch in epoch])
    assert sorted(indices) == data.pairs.tolist()
    assert all(batch.target_out.size <= tokens or len(batch) == 1 for batch in epoch)


def test_batches_have_less_than_a_quarter_of_the_padding_of_random_batches(data):
    epoch = epoch_of(BatchIterator(data, tokens=300, seed=1))
    lengths = np.concatenate([batch.target_length for batch in epoch])
    n_slots = sum(batch.target_out.size for batch in epoch)
    ends = np.cumsum([len(batch) for batch in epoch])[:-1]
    random_batches = np.split(np.random.default_rng(1).permutation(lengths), ends)
    n_random_slots = sum(len(rows) * rows.max() for rows in random_batches)
    assert n_slots - lengths.sum() < (n_random_slots - lengths.sum()) / 4


def test_batches_for_validation_are_not_sampled_and_come_shortest_first(data):
    pairs = data.pairs[50:150]
    once, again = (list(sequential_batches(data, pairs, tokens=200)) for _ in range(2))
    assert len(once) == len(again)
    assert all(map(have_equal_arrays, once, again))
    assert sorted(np.concatenate([batch.indices for batch in once])) == pairs.tolist()
    longest = [batch.target_length.max() for batch in once]
    assert longest == sorted(longest)
    assert list(sequential_batches(data, data.pairs[:0], tokens=200)) == []


# The order of batches


def test_the_order_depends_on_seed_and_epoch_alone(data):
    one, other = (BatchIterator(data, tokens=300, seed=3, pool=100) for _ in range(2))
    first, second = epoch_of(one), epoch_of(one)
    repeated = epoch_of(other)
    assert len(repeated) == len(first)
    assert all(map(have_equal_arrays, first, repeated))
    assert not have_equal_arrays(first[0], second[0])
    assert not have_equal_arrays(first[0], next(BatchIterator(data, tokens=300, seed=4, pool=100)))


@pytest.mark.parametrize("n_before", [0, 1, 7, 40, 100])
def test_a_restored_iterator_continues_with_identical_batches(data, n_before):
    batches = BatchIterator(data, tokens=300, seed=1, pool=100)
    for _ in range(n_before):
        next(batches)
    saved = json.loads(json.dumps(batches.state()))
    restored = BatchIterator(data, tokens=300, seed=1, pool=100)
    restored.restore(saved)
    assert all(have_equal_arrays(next(batches), next(restored)) for _ in range(60))
    assert batches.state() == restored.state()


def test_each_epoch_samples_other_segmentations(data):
    batches = BatchIterator(data, tokens=10**6, seed=1)
    lengths = [np.sort(next(batches).source_length).tolist() for _ in range(3)]
    assert lengths[0] != lengths[1] != lengths[2]


def test_a_position_in_another_corpus_is_refused(data):
    batches = BatchIterator(data, tokens=300, seed=1)
    with pytest.raises(DataError, match="one among 299 pairs, but the corpus has 300"):
        batches.restore({**batches.state(), "pairs": 299})


# Shares


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (2, 1), (3, 2), (1, 5), (9, 9)])
def test_the_shares_of_the_workers_contain_each_pair_of_a_batch_once(data, size, parts):
    whole = next(BatchIterator(data, tokens=200, seed=1))
    shares = [
        BatchIterator(data, tokens=200, seed=1).next_for_worker(rank=rank, size=size, parts=parts)
        for rank in range(size)
    ]
    indices = [batch.indices for s in shares if not s.is_empty for batch in s.micro_batches]
    assert sorted(np.concatenate(indices)) == sorted(whole.indices)
    assert {share.n_pieces for share in shares} == {int(whole.target_length.sum())}
    assert all(
        len(share.micro_batches) >= 1 for share in shares
    )  # each worker has gradients to add


def test_batch_shapes_are_mostly_multiples_of_fixed_sizes(data):
    batches = list(sequential_batches(data, data.pairs, tokens=300))
    assert all(batch.source.shape[1] % LENGTH_MULTIPLE == 0 for batch in batches)
    assert all(batch.target_out.size <= 300 for batch in batches)
    full = [len(batch) for batch in batches[:-1] if len(batch) > ROW_MULTIPLE]
    assert 2 * sum(rows % ROW_MULTIPLE == 0 for rows in full) > len(
        full
    )  # the others end where the length changes
