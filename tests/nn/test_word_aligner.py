"""Properties of the word aligner that hold for all values of its parameters."""

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


def aligner_of(*, tie_embeddings="none"):
    torch.manual_seed(5)
    model = ModelConfig(tie_embeddings=tie_embeddings, word_aligner=SETTINGS)
    return build_word_aligner(model, source_vocab_size=VOCAB, target_vocab_size=VOCAB).eval()


def side(*sentences):
    """Return a batch of sentences, each a list of words of pieces, with ends and padding."""
    rows = [[*(piece for word in words for piece in word), EOS] for words in sentences]
    word_ids = [[*(n for n, word in enumerate(words) for _ in word), -1] for words in sentences]
    max_length = max(map(len, rows))
    return PaddedWords(
        *(
            torch.tensor([row + [padding] * (max_length - len(row)) for row in each]).int().numpy()
            for each, padding in ((rows, PAD), (word_ids, -1))
        )
    )


def words(*sentences):
    return word_groups(side(*sentences), torch.device("cpu"))


@torch.inference_mode()
def align(sources, targets, aligner=None):
    return (aligner or aligner_of())(words(*sources), words(*targets))


# Three pairs; all lengths of a side differ.
SOURCES = ([[4], [5, 6], [7], [8]], [[9]], [[10, 11], [12]])
TARGETS = ([[13], [14]], [[15], [16], [4, 5]], [[6], [7], [8], [9], [10]])
PAIRS = list(zip(SOURCES, TARGETS, strict=True))


def test_the_probabilities_of_all_partners_and_null_sum_to_1():
    output = align(SOURCES, TARGETS)
    torch.testing.assert_close(output.to_source.exp().sum(2), torch.ones(3, 5))
    torch.testing.assert_close(output.to_target.exp().sum(1), torch.ones(3, 4))


def test_a_link_probability_is_the_geometric_mean_of_both_directions():
    output = align(SOURCES, TARGETS)
    of_target, of_source = output.to_source[..., :-1].exp(), output.to_target[:, :-1].exp()
    torch.testing.assert_close(output.link_probs**2, of_target * of_source)


def test_padding_has_probability_0():
    output = align(SOURCES, TARGETS)
    for row, (source, target) in enumerate(PAIRS):
        assert not output.to_source[row, : len(target), len(source) : -1].exp().any()
        assert not output.to_target[row, len(target) : -1, : len(source)].exp().any()
        inside = output.link_probs[row, : len(target), : len(source)]
        assert output.link_probs[row].sum() == pytest.approx(inside.sum().item())


@pytest.mark.parametrize("row", range(3))
def test_a_pair_has_the_same_alignment_alone_as_in_a_batch(row):
    source, target = PAIRS[row]
    batched, alone = align(SOURCES, TARGETS), align([source], [target])
    n_target, n_source = len(target), len(source)
    null = batched.to_source.shape[2] - 1, batched.to_target.shape[1] - 1
    torch.testing.assert_close(
        batched.to_source[row, :n_target, [*range(n_source), null[0]]],
        alone.to_source[0],
        atol=1e-5,
        rtol=0,
    )
    torch.testing.assert_close(
        batched.to_target[row, [*range(n_target), null[1]], :n_source],
        alone.to_target[0],
        atol=1e-5,
        rtol=0,
    )


def test_a_word_is_the_mean_of_its_piece_embeddings():
    """So neither the order of its pieces nor their repetition has an effect."""
    target = [[[4], [5]]]
    expected = align([[[6], [7, 8]]], target).link_probs
    torch.testing.assert_close(align([[[6, 6], [8, 7]]], target).link_probs, expected)
    assert not torch.allclose(align([[[6], [7], [8]]], target).link_probs[..., :2], expected)


def test_a_piece_of_no_word_does_not_change_the_links():
    ids, word_of, _ = side([[4], [5, 6]])
    changed = PaddedWords(
        torch.where(torch.tensor(word_of) < 0, 9, torch.tensor(ids)).numpy(), word_of
    )
    aligner, target = aligner_of(), words([[7], [8]])
    link_probs = [
        aligner(word_groups(each, torch.device("cpu")), target).link_probs
        for each in (PaddedWords(ids, word_of), changed)
    ]
    torch.testing.assert_close(*link_probs)


def test_link_probabilities_depend_on_the_word_order():
    """For a bag of words, both would be equal."""
    one, other = align([[[4], [5]]], [[[6]]]).link_probs, align([[[5], [4]]], [[[6]]]).link_probs
    assert not torch.allclose(one.flip(-1), other)


def test_the_diagonal_distance_ignores_padding():
    target = torch.tensor([[True, True, False]])  # middles at 1/4 and 3/4
    source = torch.tensor([[True, False]])  # at 1/2
    assert diagonal_distance(target, source)[0, :2, :1].tolist() == [[0.25], [0.25]]
    square = torch.tensor([[True, True]])
    assert diagonal_distance(square, square).tolist() == [[[0.0, 0.5], [0.5, 0.0]]]


@pytest.mark.parametrize(("tie_embeddings", "tables"), [("all", 1), ("output", 2), ("none", 2)])
def test_the_languages_share_an_embedding_table_if_those_of_the_network_are_tied(
    tie_embeddings, tables
):
    names = unique_state_dict(aligner_of(tie_embeddings=tie_embeddings))
    assert sum(name.endswith("embedding.embedding.weight") for name in names) == tables


def test_every_parameter_has_a_gradient_other_than_0():
    aligner = aligner_of().train()
    output = aligner(words(*SOURCES), words(*TARGETS))
    (output.to_source[..., 0].sum() + output.to_target[:, 0].sum()).backward()
    for name, parameter in aligner.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


# The aligner of the torch engine


def test_the_torch_aligner_returns_the_output_of_the_network_in_numpy():
    aligner = aligner_of()
    result, output = (
        TorchAligner(aligner).align(side(*SOURCES), side(*TARGETS)),
        align(SOURCES, TARGETS),
    )
    assert result.links.shape == result.weights.shape == (3, 5, 4)
    torch.testing.assert_close(torch.tensor(result.weights), output.to_source[..., :-1].exp())
    torch.testing.assert_close(torch.tensor(result.unaligned), output.to_source[..., -1].exp())
    torch.testing.assert_close(torch.tensor(result.links), output.link_probs)
