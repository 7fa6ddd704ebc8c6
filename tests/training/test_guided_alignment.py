"""The guided loss: hand-worked values, bounds, and its effect on a network."""

import math

import numpy as np
import pytest
import torch
from batches import make_batch
from hypothesis import given
from hypothesis import strategies as st
from program import PAIRS
from torch.nn import functional

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.data.batching import BatchIterator, sequential_batches
from attn_cli.data.corpus_reader import read_pairs
from attn_cli.data.segmentation import segment_corpus
from attn_cli.data.tokenizer import Tokenizer
from attn_cli.nn.builder import build_model
from attn_cli.nn.device import select_hardware
from attn_cli.training.early_stopping import ValidationScores
from attn_cli.training.guided_alignment import Guidance, guided_loss, normalize_votes
from attn_cli.training.trainer import Trainer

LOG2 = math.log(2)


def loss_of(weights, target_probs, source_word) -> float:
    """Return the loss of one sentence, given as lists."""
    tensors = torch.tensor([weights]), torch.tensor([target_probs]), torch.tensor([source_word])
    return float(guided_loss(*tensors))


def guidance(*pairs, weight=1.0, decay=1.0, max_steps=10) -> Guidance:
    return Guidance(LinkTable.from_links(pairs), weight=weight, decay=decay, max_steps=max_steps)


# The target distribution


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([1, 0], [1, 0]),
        ([1, 1], [0.5, 0.5]),
        ([0.9, 0.2], [1, 0]),  # noise next to a good link
        ([0.4, 0.1], [1, 0]),  # weak, but with no better candidate
        ([0.4, 0.3, 0.1], [4 / 7, 3 / 7, 0]),
        ([0.8, 0.4], [2 / 3, 1 / 3]),  # half of the best is enough
        ([0.25, 0], [1, 0]),
        ([0.2, 0.2], [0, 0]),  # too few votes
        ([0, 0], [0, 0]),
    ],
)
def test_votes_become_a_distribution_where_the_evidence_is_enough(votes, expected):
    np.testing.assert_allclose(normalize_votes(np.array(votes, np.float32)), expected, rtol=1e-6)


def test_each_piece_has_the_target_of_its_word_and_the_end_of_sentence_has_none():
    batch = make_batch([[0, 1, -1]], [[0, 0, 1, -1, -1]])
    target_probs = guidance({(1, 0): 1.0, (0, 1): 0.5, (1, 1): 0.5}).target_distribution(batch)
    assert target_probs.tolist() == [[[0, 1], [0, 1], [0.5, 0.5], [0, 0], [0, 0]]]


def test_the_links_are_those_of_the_pairs_in_the_batch():
    batch = make_batch([[0, 1, -1], [0, -1, -1]], [[0, -1], [0, -1]], indices=[2, 0])
    target_probs = guidance({(0, 0): 1.0}, {(0, 0): 1.0}, {(1, 0): 1.0}).target_distribution(batch)
    assert target_probs[:, 0].tolist() == [[0, 1], [1, 0]]


def test_a_link_to_a_word_that_is_not_in_the_sentence_is_ignored():
    batch = make_batch([[0, 1, -1], [0, -1, -1]], [[0, 1, -1], [0, -1, -1]])
    target_probs = guidance({(0, 0): 1.0}, {(1, 0): 1.0, (0, 2): 1.0}).target_distribution(batch)
    assert target_probs[1].tolist() == [[0, 0], [0, 0], [0, 0]]


# The loss


def test_the_loss_of_two_words_of_one_piece_is_the_mean_of_their_cross_entropies():
    weights = [[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]  # the last column is EOS
    assert loss_of(weights, [[1.0, 0.0], [0.0, 1.0]], [0, 1, -1]) == pytest.approx(LOG2)
    assert loss_of(weights, [[0.0, 1.0], [0.0, 1.0]], [0, 1, -1]) == pytest.approx(1.5 * LOG2)
    halves = [[0.5, 0.5], [0.0, 1.0]]  # (½·log 2 + ½·log 4 + log 2) / 2
    assert loss_of(weights, halves, [0, 1, -1]) == pytest.approx(1.25 * LOG2)


def test_the_attention_on_a_word_is_the_sum_over_its_pieces():
    weights = [[0.125, 0.125, 0.25, 0.5]]
    assert loss_of(weights, [[1.0, 0.0]], [0, 0, 1, -1]) == pytest.approx(2 * LOG2)
    assert loss_of(weights, [[1.0]], [0, 0, 0, -1]) == pytest.approx(LOG2)


def test_pieces_without_links_do_not_count():
    row, target_probs = [0.5, 0.5], [1.0, 0.0]
    expected = loss_of([row], [target_probs], [0, 1])
    assert loss_of([row, [0.9, 0.1]], [target_probs, [0.0, 0.0]], [0, 1]) == expected


def test_the_gradient_of_a_piece_without_links_is_0():
    scores = torch.randn(1, 2, 3, requires_grad=True)
    target_probs = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    guided_loss(scores.softmax(-1), target_probs, torch.tensor([[0, 1, -1]])).backward()
    assert scores.grad[0, 0].tolist() == [0, 0, 0]
    assert scores.grad[0, 1].all()


def test_without_any_link_the_loss_and_its_gradient_are_0():
    weights = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], requires_grad=True)
    batch = make_batch([[0, -1]], [[0, -1]])
    target_probs = guidance({}).target_distribution(batch)
    loss = guidance({}).loss(weights, target_probs, batch)
    loss.backward()
    assert (loss.item(), target_probs.any()) == (0, False)
    assert weights.grad.tolist() == [[[0, 0], [0, 0]]]


def test_the_loss_of_a_batch_without_words_is_0():
    batch = make_batch([[-1]], [[-1]])
    loss = guidance({}).loss(torch.ones(1, 1, 1), guidance({}).target_distribution(batch), batch)
    assert loss.item() == 0


@pytest.mark.parametrize("other_score", [5.0, 20.0, 50.0])
def test_a_tiny_attention_weight_has_the_full_gradient_of_its_loss(other_score):
    """The gradient of -log softmax is softmax - onehot, however small the probability."""
    scores = torch.tensor([[[0.0, other_score]]], requires_grad=True)
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
    weights, target_probs = torch.rand(2, 3, 5).softmax(-1), torch.rand(2, 3, 4).softmax(-1)
    source_word = torch.tensor([[0, 1, 2, 3, -1]] * 2)
    exact = guided_loss(weights, target_probs, source_word)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert guided_loss(weights, target_probs, source_word).equal(exact)


probabilities = st.lists(st.integers(0, 20), min_size=3, max_size=3).filter(any)


def normalize(counts) -> torch.Tensor:
    values = torch.tensor(counts, dtype=torch.float64)
    return values / values.sum()


@given(probabilities, probabilities)
def test_the_loss_is_at_least_the_entropy_and_equal_only_if_attention_agrees(
    link_counts, weight_counts
):
    target_probs, weights = normalize(link_counts), normalize(weight_counts)
    entropy = torch.special.entr(target_probs).sum()
    loss = guided_loss(weights[None, None], target_probs[None, None], torch.arange(3)[None])
    assert loss >= entropy - 1e-12
    assert loss >= -1e-12
    agree = torch.allclose(target_probs, weights, atol=1e-9)
    assert torch.isclose(loss, entropy, atol=1e-9) == agree


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.data())
def test_the_loss_does_not_depend_on_how_a_word_is_split_into_pieces(splits, data):
    """Word u has `splits[u]` pieces with unequal weights; then each word is one piece."""
    n = len(splits)
    source_word = np.repeat(np.arange(n), splits)
    count = st.integers(1, 9)
    counts = data.draw(st.lists(count, min_size=len(source_word), max_size=len(source_word)))
    piece_weights = normalize(counts)
    word_weights = torch.zeros(n, dtype=torch.float64).index_add(
        0, torch.tensor(source_word), piece_weights
    )
    target_probs = normalize(data.draw(st.lists(count, min_size=n, max_size=n)))[None, None]
    loss = guided_loss(piece_weights[None, None], target_probs, torch.tensor(source_word)[None])
    torch.testing.assert_close(
        loss, guided_loss(word_weights[None, None], target_probs, torch.arange(n)[None])
    )


def test_with_one_piece_per_word_the_loss_is_torchs_cross_entropy():
    torch.manual_seed(1)
    scores, target_probs = torch.randn(3, 4, 5), torch.rand(3, 4, 5).softmax(-1)
    loss = guided_loss(scores.softmax(-1), target_probs, torch.arange(5).expand(3, 5))
    torch.testing.assert_close(loss, functional.cross_entropy(scores.mT, target_probs.mT))


# The weight


def test_the_weight_falls_linearly_to_its_decayed_value_at_the_last_update():
    guide = guidance(weight=2.0, decay=0.5, max_steps=100)
    assert [guide.weight_at(step) for step in (50, 100, 101)] == pytest.approx([1.5, 1, 1])


def test_without_decay_the_weight_is_constant():
    assert {guidance(weight=0.3).weight_at(step) for step in range(1, 11)} == {0.3}


# A network that is trained with the guided loss


@pytest.fixture(scope="module")
def toy(pairs_file):
    """PAIRS in pieces, and links that the words do not suggest: in reverse order."""
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


def train_and_measure_agreement(toy, folder, *, weight: float) -> float:
    """Train; return how often a linked piece has its largest weight on its linked word."""
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
    target_probs = guide.target_distribution(batch)
    of_word = batch.source_word_ids[:, :, None] == np.arange(target_probs.shape[2])  # (B, S, W)
    attended_words = (weights @ of_word).argmax(-1)  # (B, T)
    has_links = target_probs.any(-1)
    return float((attended_words == target_probs.argmax(-1))[has_links].mean())


def test_attention_follows_the_links_only_if_it_is_trained_with_them(toy, tmp_path):
    assert train_and_measure_agreement(toy, tmp_path / "with", weight=1.0) > 0.95
    assert train_and_measure_agreement(toy, tmp_path / "without", weight=0.0) < 0.5
