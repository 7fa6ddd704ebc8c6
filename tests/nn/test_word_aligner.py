"""The word aligner's identities: what must hold whatever its weights are."""

import pytest
import torch

from attn_cli.config import ModelConfig, WordAlignerConfig
from attn_cli.inference.engines.interface import PaddedWords
from attn_cli.inference.engines.torch import TorchAligner, word_groups
from attn_cli.nn.builder import build_word_aligner
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.nn.word_aligner import diagonal_distance
from attn_cli.types import EOS, PAD

VOCAB = 17
SETTINGS = WordAlignerConfig(enabled=True, embedding=6, width=4, channels=3, dropout=0.4)


def head_of(*, tied="none"):
    torch.manual_seed(5)
    model = ModelConfig(tie_embeddings=tied, word_aligner=SETTINGS)
    return build_word_aligner(model, source_vocab_size=VOCAB, target_vocab_size=VOCAB).eval()


def side(*sentences):
    """Sentences of words of pieces as a batch holds them, ends and padding included."""
    rows = [[*(piece for word in words for piece in word), EOS] for words in sentences]
    places = [[*(n for n, word in enumerate(words) for _ in word), -1] for words in sentences]
    longest = max(map(len, rows))
    return PaddedWords(
        *(
            torch.tensor([row + [fill] * (longest - len(row)) for row in each]).int().numpy()
            for each, fill in ((rows, PAD), (places, -1))
        )
    )


def words(*sentences):
    return word_groups(side(*sentences), torch.device("cpu"))


@torch.inference_mode()
def found(sources, targets, head=None):
    return (head or head_of())(words(*sources), words(*targets))


# Three pairs, none of whose sides is as long as another's.
SOURCES = ([[4], [5, 6], [7], [8]], [[9]], [[10, 11], [12]])
TARGETS = ([[13], [14]], [[15], [16], [4, 5]], [[6], [7], [8], [9], [10]])
PAIRS = list(zip(SOURCES, TARGETS, strict=True))


def test_what_a_word_may_choose_and_null_share_one():
    both = found(SOURCES, TARGETS)
    torch.testing.assert_close(both.to_source.exp().sum(2), torch.ones(3, 5))
    torch.testing.assert_close(both.to_target.exp().sum(1), torch.ones(3, 4))


def test_a_link_is_the_geometric_mean_of_both_choices():
    both = found(SOURCES, TARGETS)
    of_target, of_source = both.to_source[..., :-1].exp(), both.to_target[:, :-1].exp()
    torch.testing.assert_close(both.link_probs**2, of_target * of_source)


def test_padding_is_never_chosen():
    both = found(SOURCES, TARGETS)
    for row, (source, target) in enumerate(PAIRS):
        assert not both.to_source[row, : len(target), len(source) : -1].exp().any()
        assert not both.to_target[row, len(target) : -1, : len(source)].exp().any()
        inside = both.link_probs[row, : len(target), : len(source)]
        assert both.link_probs[row].sum() == pytest.approx(inside.sum().item())


@pytest.mark.parametrize("row", range(3))
def test_a_pair_alone_gets_what_it_gets_in_company(row):
    source, target = PAIRS[row]
    together, alone = found(SOURCES, TARGETS), found([source], [target])
    n_target, n_source = len(target), len(source)
    null = together.to_source.shape[2] - 1, together.to_target.shape[1] - 1
    torch.testing.assert_close(
        together.to_source[row, :n_target, [*range(n_source), null[0]]],
        alone.to_source[0],
        atol=1e-5,
        rtol=0,
    )
    torch.testing.assert_close(
        together.to_target[row, [*range(n_target), null[1]], :n_source],
        alone.to_target[0],
        atol=1e-5,
        rtol=0,
    )


def test_a_word_is_the_mean_of_its_pieces():
    """So their order makes no difference, nor does a piece that is written twice."""
    target = [[[4], [5]]]
    once = found([[[6], [7, 8]]], target).link_probs
    torch.testing.assert_close(found([[[6, 6], [8, 7]]], target).link_probs, once)
    assert not torch.allclose(found([[[6], [7], [8]]], target).link_probs[..., :2], once)


def test_a_piece_that_is_of_no_word_changes_nothing():
    ids, word_of, _ = side([[4], [5, 6]])
    otherwise = PaddedWords(
        torch.where(torch.tensor(word_of) < 0, 9, torch.tensor(ids)).numpy(), word_of
    )
    head, target = head_of(), words([[7], [8]])
    of_both = [
        head(word_groups(each, torch.device("cpu")), target).link_probs
        for each in (PaddedWords(ids, word_of), otherwise)
    ]
    torch.testing.assert_close(*of_both)


def test_who_comes_first_matters_to_a_word_in_context():
    """A bag of words would say the same of both."""
    one, other = found([[[4], [5]]], [[[6]]]).link_probs, found([[[5], [4]]], [[[6]]]).link_probs
    assert not torch.allclose(one.flip(-1), other)


def test_the_diagonal_leads_from_the_first_words_to_the_last_whatever_the_padding():
    target = torch.tensor([[True, True, False]])  # middles at 1/4 and 3/4
    source = torch.tensor([[True, False]])  # at 1/2
    assert diagonal_distance(target, source)[0, :2, :1].tolist() == [[0.25], [0.25]]
    square = torch.tensor([[True, True]])
    assert diagonal_distance(square, square).tolist() == [[[0.0, 0.5], [0.5, 0.0]]]


@pytest.mark.parametrize(("tied", "tables"), [("all", 1), ("output", 2), ("none", 2)])
def test_both_languages_share_a_table_of_pieces_where_the_network_does(tied, tables):
    names = unique_state_dict(head_of(tied=tied))
    assert sum(name.endswith("embedding.embedding.weight") for name in names) == tables


def test_every_weight_learns():
    head = head_of().train()
    both = head(words(*SOURCES), words(*TARGETS))
    (both.to_source[..., 0].sum() + both.to_target[:, 0].sum()).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


# The Matcher over it


def test_the_alignment_model_gives_in_numpy_what_the_network_gives():
    head = head_of()
    said, both = TorchAligner(head).align(side(*SOURCES), side(*TARGETS)), found(SOURCES, TARGETS)
    assert said.links.shape == said.weights.shape == (3, 5, 4)
    torch.testing.assert_close(torch.tensor(said.weights), both.to_source[..., :-1].exp())
    torch.testing.assert_close(torch.tensor(said.unaligned), both.to_source[..., -1].exp())
    torch.testing.assert_close(torch.tensor(said.links), both.link_probs)
