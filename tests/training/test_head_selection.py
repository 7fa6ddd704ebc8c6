"""Selection of the attention head to show, counted by hand for given weights."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from batches import make_batch
from torch import nn

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.merge import merge_weights, word_shares
from attn_cli.nn.device import select_hardware
from attn_cli.training.guided_alignment import guided_head
from attn_cli.training.head_selection import SelectedHead, find_best_head, merge_words


class FixedWeights(nn.Module):
    """A network that returns given weights (B, T, heads, S)."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.tensor(weights, dtype=torch.float32)

    def forward(self, src, src_len, tgt_in):
        return SimpleNamespace(weights=self.weights)


def model_config(layers, heads):
    transformer = {"kind": "transformer", "layers": layers}
    shape = {"embedding": 32, "encoder": transformer, "decoder": transformer}
    return config.from_dict({"model": shape | {"attention": {"heads": heads}}}).model


def select_head(weights, *, layers, heads, links, batch):
    """Return the selected head for the weights (T, heads, S) of one pair."""
    return find_best_head(
        FixedWeights([weights]),
        [batch],
        LinkTable.from_links([links]),
        model=model_config(layers, heads),
        hardware=select_hardware("cpu", "fp32"),
    )


TWO = make_batch([[0, 1, -1]], [[0, 1, -1]])  # two words of one piece each, and the ends
STRAIGHT = {(0, 0): 1.0, (1, 1): 1.0}
LEFT, RIGHT, END = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]


def stack_heads(*heads):
    """Stack the weights of each head for the two words, and END, to (T, heads, S)."""
    return [[head[t] for head in heads] for t in (0, 1)] + [[END] * len(heads)]


def test_the_head_that_agrees_with_the_links_is_selected():
    weights = stack_heads([RIGHT, LEFT], [RIGHT, RIGHT], [LEFT, RIGHT], [LEFT, LEFT])
    selection = select_head(weights, layers=2, heads=2, links=STRAIGHT, batch=TWO)
    assert selection == SelectedHead(layer=2, head=1, share=1.0)


def test_the_mean_of_the_heads_is_selected_if_it_agrees_best():
    sure, unsure = [0.9, 0.05, 0.05], [0.3, 0.4, 0.3]
    weights = stack_heads([sure, [0.4, 0.3, 0.3]], [unsure, [0.05, 0.9, 0.05]])
    selection = select_head(weights, layers=1, heads=2, links=STRAIGHT, batch=TWO)
    assert selection == SelectedHead(layer=1, head=0, share=1.0)


def test_a_head_with_most_weight_on_the_end_of_sentence_agrees_with_no_link():
    weights = stack_heads([[0.4, 0.0, 0.6], [0.0, 0.4, 0.6]], [LEFT, LEFT])
    selection = select_head(weights, layers=2, heads=1, links=STRAIGHT, batch=TWO)
    assert selection == SelectedHead(layer=2, head=0, share=0.5)


def test_words_without_links_do_not_count():
    weights = stack_heads([LEFT, LEFT], [RIGHT, RIGHT])
    selection = select_head(weights, layers=2, heads=1, links={(1, 1): 1.0}, batch=TWO)
    assert (selection.layer, selection.share) == (2, 1.0)


def test_the_weight_on_a_word_is_the_sum_over_its_pieces():
    batch = make_batch([[0, 0, 1, -1]], [[0, -1]])
    split, whole = [0.3, 0.3, 0.4, 0.0], [0.0, 0.0, 1.0, 0.0]
    weights = [[whole, split], [split, split]]
    selection = select_head(weights, layers=2, heads=1, links={(0, 0): 1.0}, batch=batch)
    assert (selection.layer, selection.share) == (2, 1.0)


def test_without_links_no_head_is_selected():
    weights = stack_heads([LEFT, RIGHT], [LEFT, RIGHT])
    assert select_head(weights, layers=2, heads=1, links={}, batch=TWO) is None


def test_the_weights_of_words_equal_those_of_the_printed_tables():
    """`merge_words` of a batch equals `merge_weights` of each of its sentences."""
    source = np.array([[0, 1, 1, 2, -1], [0, 1, -1, -1, -1]], np.int32)
    target = np.array([[0, 0, 1, -1], [0, -1, -1, -1]], np.int32)
    sizes = [(5, 4), (3, 2)]  # pieces of each, end included
    weights = np.zeros((2, 4, 3, 5), np.float32)
    rng = np.random.default_rng(1)
    for b, (s, t) in enumerate(sizes):
        weights[b, :t, :, :s] = rng.dirichlet(np.ones(s), (t, 3))
    result = merge_words(weights, make_batch(source, target))
    for b, (s, t) in enumerate(sizes):
        n_source, n_target = source[b].max() + 1, target[b].max() + 1
        for head in range(3):
            table, unaligned = merge_weights(
                weights[b, :t, head, :s],
                word_shares(source[b, :s][None], n_source)[0],
                word_shares(target[b, :t][None], n_target)[0],
            )
            head_weights = result[b, :n_target, head]
            np.testing.assert_allclose(head_weights[:, :n_source], table, atol=1e-6)
            np.testing.assert_allclose(head_weights[:, -1], unaligned, atol=1e-6)


def test_the_selection_is_described_in_a_sentence():
    head_text, mean_text = SelectedHead(3, 2, 0.81).describe(), SelectedHead(3, 0, 0.5).describe()
    assert head_text.startswith("attention shown: layer 3, head 2, which agrees")
    assert "81% of the words" in head_text
    assert "the mean of its heads" in mean_text


@pytest.mark.parametrize(
    ("layers", "heads", "expected"), [(1, 4, 0), (2, 4, 0), (3, 4, 4), (6, 8, 32)]
)
def test_the_first_head_of_the_last_layer_but_one_is_guided(layers, heads, expected):
    assert guided_head(model_config(layers, heads)) == expected


def test_the_first_head_of_a_recurrent_decoder_is_guided():
    recipe = config.from_dict({"model": {"attention": {"kind": "multihead"}}})
    assert guided_head(recipe.model) == 0
