"""The guided loss by hand and by its bounds, and that a network which follows it obeys."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from program import PAIRS
from torch.nn import functional

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data.batching import Batch, BatchIterator, sequential_batches
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.nn.builder import build_model
from attn_cli.nn.device import select_hardware
from attn_cli.training.early_stopping import ValidationScores
from attn_cli.training.guided_alignment import Guidance, guided_loss, normalize_votes
from attn_cli.training.trainer import Trainer

LOG2 = math.log(2)


def loss_of(weights, wanted, source_word) -> float:
    """The loss of one sentence, given as lists."""
    given = torch.tensor([weights]), torch.tensor([wanted]), torch.tensor([source_word])
    return float(guided_loss(*given))


def a_batch(source_word, target_word, indices=None) -> Batch:
    """A batch of which nothing but its words and its places in the corpus is real."""
    source_word, target_word = (np.array(w, np.int32) for w in (source_word, target_word))
    rows = np.arange(len(source_word), dtype=np.int32) if indices is None else np.array(indices)
    src, tgt, lengths = source_word * 0, target_word * 0, rows * 0
    return Batch(src, lengths, source_word, tgt, tgt, lengths, target_word, rows)


def guidance(*pairs, weight=1.0, decay=1.0, max_steps=10) -> Guidance:
    return Guidance(LinkTable.from_links(pairs), weight=weight, decay=decay, max_steps=max_steps)


# What the links want


@pytest.mark.parametrize(
    ("votes", "wanted"),
    [
        ([1, 0], [1, 0]),
        ([1, 1], [0.5, 0.5]),
        ([0.9, 0.2], [1, 0]),  # noise beside a good link
        ([0.4, 0.1], [1, 0]),  # weak, but with no better candidate
        ([0.4, 0.3, 0.1], [4 / 7, 3 / 7, 0]),
        ([0.8, 0.4], [2 / 3, 1 / 3]),  # half of the best is enough
        ([0.25, 0], [1, 0]),
        ([0.2, 0.2], [0, 0]),  # nobody knows
        ([0, 0], [0, 0]),
    ],
)
def test_votes_become_a_distribution_where_the_evidence_is_enough(votes, wanted):
    np.testing.assert_allclose(normalize_votes(np.array(votes, np.float32)), wanted, rtol=1e-6)


def test_each_piece_of_a_word_wants_what_the_word_wants_and_the_end_wants_nothing():
    batch = a_batch([[0, 1, -1]], [[0, 0, 1, -1, -1]])
    wanted = guidance({(1, 0): 1.0, (0, 1): 0.5, (1, 1): 0.5}).target_distribution(batch)
    assert wanted.tolist() == [[[0, 1], [0, 1], [0.5, 0.5], [0, 0], [0, 0]]]


def test_the_links_are_those_of_the_pairs_in_the_batch():
    batch = a_batch([[0, 1, -1], [0, -1, -1]], [[0, -1], [0, -1]], indices=[2, 0])
    wanted = guidance({(0, 0): 1.0}, {(0, 0): 1.0}, {(1, 0): 1.0}).target_distribution(batch)
    assert wanted[:, 0].tolist() == [[0, 1], [1, 0]]


def test_a_link_to_a_word_that_is_not_in_the_sentence_is_not_wanted():
    batch = a_batch([[0, 1, -1], [0, -1, -1]], [[0, 1, -1], [0, -1, -1]])
    wanted = guidance({(0, 0): 1.0}, {(1, 0): 1.0, (0, 2): 1.0}).target_distribution(batch)
    assert wanted[1].tolist() == [[0, 0], [0, 0], [0, 0]]


# The loss


def test_the_loss_of_two_words_of_one_piece_is_the_mean_of_their_cross_entropies():
    weights = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]  # the last column is EOS
    assert loss_of(weights, [[1.0, 0.0], [0.0, 1.0]], [0, 1, -1]) == pytest.approx(LOG2)
    assert loss_of(weights, [[0.0, 1.0], [0.0, 1.0]], [0, 1, -1]) == pytest.approx(1.5 * LOG2)
    halves = [[0.5, 0.5], [0.0, 1.0]]  # (½·log 2 + ½·log 4 + log 2) / 2
    assert loss_of(weights, halves, [0, 1, -1]) == pytest.approx(1.25 * LOG2)


def test_a_words_mass_is_the_sum_over_its_pieces():
    weights = [[0.125, 0.125, 0.25, 0.5]]
    assert loss_of(weights, [[1.0, 0.0]], [0, 0, 1, -1]) == pytest.approx(2 * LOG2)
    assert loss_of(weights, [[1.0]], [0, 0, 0, -1]) == pytest.approx(LOG2)


def test_pieces_without_links_do_not_count():
    row, wanted = [0.5, 0.5], [1.0, 0.0]
    alone = loss_of([row], [wanted], [0, 1])
    assert loss_of([row, [0.9, 0.1]], [wanted, [0.0, 0.0]], [0, 1]) == alone


def test_where_a_piece_is_not_guided_its_gradient_is_nothing():
    scores = torch.randn(1, 2, 3, requires_grad=True)
    wanted = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    guided_loss(scores.softmax(-1), wanted, torch.tensor([[0, 1, -1]])).backward()
    assert scores.grad[0, 0].tolist() == [0, 0, 0]
    assert scores.grad[0, 1].all()


def test_without_any_link_the_loss_and_its_gradient_are_nothing():
    weights = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], requires_grad=True)
    batch = a_batch([[0, -1]], [[0, -1]])
    wanted = guidance({}).target_distribution(batch)
    loss = guidance({}).loss(weights, wanted, batch)
    loss.backward()
    assert (loss.item(), wanted.any()) == (0, False)
    assert weights.grad.tolist() == [[[0, 0], [0, 0]]]


def test_a_batch_of_pairs_without_words_has_no_loss():
    batch = a_batch([[-1]], [[-1]])
    loss = guidance({}).loss(torch.ones(1, 1, 1), guidance({}).target_distribution(batch), batch)
    assert loss.item() == 0


@pytest.mark.parametrize("far", [5.0, 20.0, 50.0])
def test_attention_that_has_all_but_left_a_word_is_pulled_back_with_full_force(far):
    """The gradient of -log softmax is softmax - onehot, however small the probability."""
    scores = torch.tensor([[[0.0, far]]], requires_grad=True)
    guided_loss(scores.softmax(-1), torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0, 1]])).backward()
    expected = scores.detach().softmax(-1) - torch.tensor([1.0, 0.0])
    torch.testing.assert_close(scores.grad, expected)


def test_a_weight_that_underflows_gives_no_infinite_loss_or_gradient():
    scores = torch.tensor([[[0.0, 500.0]]], requires_grad=True)
    loss = guided_loss(scores.softmax(-1), torch.tensor([[[1.0, 0.0]]]), torch.tensor([[0, 1]]))
    (100 * loss).backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()


def test_the_loss_is_exact_though_products_are_in_bf16():
    torch.manual_seed(2)
    weights, wanted = torch.rand(2, 3, 5).softmax(-1), torch.rand(2, 3, 4).softmax(-1)
    source_word = torch.tensor([[0, 1, 2, 3, -1]] * 2)
    exact = guided_loss(weights, wanted, source_word)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert guided_loss(weights, wanted, source_word).equal(exact)


probabilities = st.lists(st.integers(0, 20), min_size=3, max_size=3).filter(any)


def shares(counts) -> torch.Tensor:
    whole = torch.tensor(counts, dtype=torch.float64)
    return whole / whole.sum()


@given(probabilities, probabilities)
def test_the_loss_is_at_least_the_links_entropy_and_that_only_where_attention_agrees(links, looked):
    wanted, weights = shares(links), shares(looked)
    entropy = torch.special.entr(wanted).sum()
    loss = guided_loss(weights[None, None], wanted[None, None], torch.arange(3)[None])
    assert loss >= entropy - 1e-12
    assert loss >= -1e-12
    same = torch.allclose(wanted, weights, atol=1e-9)
    assert torch.isclose(loss, entropy, atol=1e-9) == same


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.data())
def test_how_a_word_is_split_makes_no_difference_where_the_mass_is_the_same(splits, data):
    """`splits[u]` pieces of word u share its mass unevenly; then each word is one piece."""
    n = len(splits)
    source_word = np.repeat(np.arange(n), splits)
    share = st.integers(1, 9)
    whole = data.draw(st.lists(share, min_size=len(source_word), max_size=len(source_word)))
    pieces = shares(whole)
    mass = torch.zeros(n, dtype=torch.float64).index_add(0, torch.tensor(source_word), pieces)
    wanted = shares(data.draw(st.lists(share, min_size=n, max_size=n)))[None, None]
    split = guided_loss(pieces[None, None], wanted, torch.tensor(source_word)[None])
    torch.testing.assert_close(split, guided_loss(mass[None, None], wanted, torch.arange(n)[None]))


def test_with_a_word_a_piece_the_loss_is_torchs_cross_entropy():
    torch.manual_seed(1)
    scores, wanted = torch.randn(3, 4, 5), torch.rand(3, 4, 5).softmax(-1)
    ours = guided_loss(scores.softmax(-1), wanted, torch.arange(5).expand(3, 5))
    torch.testing.assert_close(ours, functional.cross_entropy(scores.mT, wanted.mT))


# The weight


def test_the_weight_falls_linearly_to_its_share_at_the_last_update():
    falling = guidance(weight=2.0, decay=0.5, max_steps=100)
    assert [falling.weight_at(step) for step in (50, 100, 101)] == pytest.approx([1.5, 1, 1])


def test_without_decay_the_weight_stays_what_it_is():
    assert {guidance(weight=0.3).weight_at(step) for step in range(1, 11)} == {0.3}


# A network that follows it


@pytest.fixture(scope="module")
def toy(pairs_file):
    """PAIRS in pieces, and links that nothing in the words suggests: the first word to the last."""
    corpus, _ = read_pairs(pairs_file)
    counts = corpus.source_counts() | corpus.target_counts()
    tokenizer = Tokenizer.train_on_counts(counts, config.TokenizerConfig(vocab_size=400))
    data = segment_corpus(corpus, tokenizer, tokenizer, sampling=0.5)
    batch = next(sequential_batches(data, data.pairs, tokens=10**6))
    lengths = {
        int(pair): (int(source.max()) + 1, int(target.max()) + 1)
        for pair, source, target in zip(
            batch.indices, batch.source_word_ids, batch.target_word_ids, strict=True
        )
    }
    links = LinkTable.from_links(
        {(max(0, lengths[pair][0] - 1 - word), word): 1.0 for word in range(lengths[pair][1])}
        for pair in range(len(PAIRS))
    )
    return data, batch, links, tokenizer.vocab_size


def share_on_the_links(toy, folder, *, weight: float) -> float:
    """Train on the toy text; then, how often a piece looks most at the word it is linked to."""
    data, batch, links, vocab = toy
    settings = config.TrainConfig(
        max_steps=80, batch_tokens=300, warmup_steps=10, learning_rate=0.01, validate_every=1000
    )
    shape = {"encoder": {"width": 16}, "attention": {"width": 16}, "decoder": {"width": 32}}
    model = config.from_dict({"model": {"embedding": 16, **shape}}).model
    torch.manual_seed(1)
    hardware = select_hardware("cpu", "fp32")
    guide = Guidance(links, weight=weight, decay=1.0, max_steps=settings.max_steps)
    network = build_model(model, source_vocab_size=vocab, target_vocab_size=vocab)
    Trainer(
        network,
        BatchIterator(data, tokens=settings.batch_tokens, seed=1),
        lambda network: ValidationScores(loss=1.0, bleu=0.0, chrf=0.0),
        settings=settings,
        hardware=hardware,
        folder=folder,
        save_best=lambda tensors, scored: None,
        emit=lambda event: None,
        guidance=guide if weight else None,
    ).run()
    parts = (batch.source, batch.source_length, batch.target_in)
    with torch.inference_mode():
        weights = network.eval()(*map(hardware.tensor, parts)).weights.numpy()
    wanted = guide.target_distribution(batch)
    of_word = batch.source_word_ids[:, :, None] == np.arange(wanted.shape[2])  # (B, S, W)
    looked = (weights @ of_word).argmax(-1)  # (B, T)
    guided = wanted.any(-1)
    return float((looked == wanted.argmax(-1))[guided].mean())


def test_attention_follows_the_links_it_is_trained_with_and_no_others(toy, tmp_path):
    assert share_on_the_links(toy, tmp_path / "with", weight=1.0) > 0.95
    assert share_on_the_links(toy, tmp_path / "without", weight=0.0) < 0.5
