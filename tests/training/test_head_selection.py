"""Which head is shown: counted by hand, on weights that a network only pretends to compute."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from attn_cli import config
from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.merge import merge_weights, word_shares
from attn_cli.data.batching import Batch
from attn_cli.nn.device import select_hardware
from attn_cli.training.guided_alignment import guided_head
from attn_cli.training.head_selection import SelectedHead, find_best_head, merge_words


class Pretended(nn.Module):
    """A network whose weights (B, T, heads, S) are given."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.tensor(weights, dtype=torch.float32)

    def forward(self, src, src_len, tgt_in):
        return SimpleNamespace(weights=self.weights)


def a_batch(source_word, target_word) -> Batch:
    source_word, target_word = (np.array(w, np.int32) for w in (source_word, target_word))
    rows = np.arange(len(source_word), dtype=np.int32)
    src, tgt, lengths = source_word * 0, target_word * 0, rows * 0
    return Batch(src, lengths, source_word, tgt, tgt, lengths, target_word, rows)


def model(layers, heads):
    transformer = {"kind": "transformer", "layers": layers}
    shape = {"embedding": 32, "encoder": transformer, "decoder": transformer}
    return config.from_dict({"model": shape | {"attention": {"heads": heads}}}).model


def best(weights, *, layers, heads, links, batch):
    """Weights (T, heads, S) of one pair → what is shown."""
    return find_best_head(
        Pretended([weights]),
        [batch],
        LinkTable.from_links([links]),
        model=model(layers, heads),
        hardware=select_hardware("cpu", "fp32"),
    )


TWO = a_batch([[0, 1, -1]], [[0, 1, -1]])  # two words of one piece each, and the ends
STRAIGHT = {(0, 0): 1.0, (1, 1): 1.0}
LEFT, RIGHT, END = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]


def steps(*heads):
    """Each head's looks of the two words → (T, heads, S), with something for the end."""
    return [[head[t] for head in heads] for t in (0, 1)] + [[END] * len(heads)]


def test_the_head_that_points_where_the_links_do_is_shown():
    looks = steps([RIGHT, LEFT], [RIGHT, RIGHT], [LEFT, RIGHT], [LEFT, LEFT])
    shown = best(looks, layers=2, heads=2, links=STRAIGHT, batch=TWO)
    assert shown == SelectedHead(layer=2, head=1, share=1.0)


def test_the_mean_is_shown_where_heads_are_right_together():
    sure, unsure = [0.9, 0.05, 0.05], [0.3, 0.4, 0.3]
    looks = steps([sure, [0.4, 0.3, 0.3]], [unsure, [0.05, 0.9, 0.05]])
    shown = best(looks, layers=1, heads=2, links=STRAIGHT, batch=TWO)
    assert shown == SelectedHead(layer=1, head=0, share=1.0)


def test_a_head_that_rests_at_the_end_points_at_no_word():
    looks = steps([[0.4, 0.0, 0.6], [0.0, 0.4, 0.6]], [LEFT, LEFT])
    shown = best(looks, layers=2, heads=1, links=STRAIGHT, batch=TWO)
    assert shown == SelectedHead(layer=2, head=0, share=0.5)


def test_words_without_links_do_not_count():
    looks = steps([LEFT, LEFT], [RIGHT, RIGHT])
    shown = best(looks, layers=2, heads=1, links={(1, 1): 1.0}, batch=TWO)
    assert (shown.layer, shown.share) == (2, 1.0)


def test_a_word_is_pointed_at_by_all_its_pieces_together():
    batch = a_batch([[0, 0, 1, -1]], [[0, -1]])
    split, whole = [0.3, 0.3, 0.4, 0.0], [0.0, 0.0, 1.0, 0.0]
    looks = [[whole, split], [split, split]]
    shown = best(looks, layers=2, heads=1, links={(0, 0): 1.0}, batch=batch)
    assert (shown.layer, shown.share) == (2, 1.0)


def test_where_no_word_has_links_nothing_is_chosen():
    looks = steps([LEFT, RIGHT], [LEFT, RIGHT])
    assert best(looks, layers=2, heads=1, links={}, batch=TWO) is None


def test_words_are_weighed_as_the_tables_weigh_them():
    """The same as `merge_weights`, which makes the tables, sentence by sentence."""
    source = np.array([[0, 1, 1, 2, -1], [0, 1, -1, -1, -1]], np.int32)
    target = np.array([[0, 0, 1, -1], [0, -1, -1, -1]], np.int32)
    sizes = [(5, 4), (3, 2)]  # pieces of each, end included
    weights = np.zeros((2, 4, 3, 5), np.float32)
    rng = np.random.default_rng(1)
    for b, (s, t) in enumerate(sizes):
        weights[b, :t, :, :s] = rng.dirichlet(np.ones(s), (t, 3))
    found = merge_words(weights, a_batch(source, target))
    for b, (s, t) in enumerate(sizes):
        n_source, n_target = source[b].max() + 1, target[b].max() + 1
        for head in range(3):
            table, unaligned = merge_weights(
                weights[b, :t, head, :s],
                word_shares(source[b, :s][None], n_source)[0],
                word_shares(target[b, :t][None], n_target)[0],
            )
            ours = found[b, :n_target, head]
            np.testing.assert_allclose(ours[:, :n_source], table, atol=1e-6)
            np.testing.assert_allclose(ours[:, -1], unaligned, atol=1e-6)


def test_it_is_said_in_a_sentence():
    ours, means = SelectedHead(3, 2, 0.81).describe(), SelectedHead(3, 0, 0.5).describe()
    assert ours.startswith("attention shown: layer 3, head 2, which agrees")
    assert "81% of the words" in ours
    assert "the mean of its heads" in means


@pytest.mark.parametrize(
    ("layers", "heads", "guided"), [(1, 4, 0), (2, 4, 0), (3, 4, 4), (6, 8, 32)]
)
def test_the_first_head_of_the_last_layer_but_one_is_guided(layers, heads, guided):
    assert guided_head(model(layers, heads)) == guided


def test_of_a_recurrent_decoder_the_first_head_is_guided():
    recipe = config.from_dict({"model": {"attention": {"kind": "multihead"}}})
    assert guided_head(recipe.model) == 0
