"""Selection of attention heads by layer and head, counted from 1."""

import numpy as np
import pytest
import torch

from attn_cli import config
from attn_cli.errors import UsageError
from attn_cli.inference.engines.interface import ALL_HEADS, HeadSelection, select_heads


def model(*settings):
    return config.with_settings(config.Recipe(), list(settings)).model


def transformer(layers=3, heads=2):
    return model(
        *("model.encoder.kind=transformer", "model.decoder.kind=transformer"),
        *(f"model.decoder.layers={layers}", f"model.attention.heads={heads}"),
    )


@pytest.mark.parametrize(
    ("layer", "head", "heads"),
    [(1, 1, (0,)), (1, 2, (1,)), (2, 1, (2,)), (3, 2, (5,)), (1, 0, (0, 1)), (3, 0, (4, 5))],
)
def test_layers_and_heads_count_from_1_and_a_layer_alone_selects_all_its_heads(layer, head, heads):
    assert select_heads(transformer(), layer=layer, head=head) == HeadSelection(heads)


@pytest.mark.parametrize(("layers", "first"), [(1, 0), (2, 0), (3, 2), (6, 8)])
def test_the_default_selection_is_the_mean_of_the_last_layer_but_one(layers, first):
    assert select_heads(transformer(layers)) == HeadSelection((first, first + 1))


def test_a_recurrent_decoder_with_many_heads_has_one_layer_of_them():
    multihead = model("model.attention.kind=multihead", "model.decoder.layers=2")
    assert select_heads(multihead) == HeadSelection((0, 1, 2, 3))
    assert select_heads(multihead, layer=1, head=4) == HeadSelection((3,))


@pytest.mark.parametrize("kind", ["additive", "local", "hard", "none"])
def test_attention_with_one_head_or_none_selects_all_heads(kind):
    one_head = model(f"model.attention.kind={kind}", "model.decoder.layers=3")
    assert select_heads(one_head) is select_heads(one_head, layer=1, head=1) is ALL_HEADS


@pytest.mark.parametrize(
    ("choice", "problem", "hint"),
    [
        ({"layer": 4}, "no layer 4: the model has attention in 3 layers of 2 heads", "from 1 to 3"),
        ({"head": 3}, "no head 3: the model has attention in 3 layers of 2 heads", "from 1 to 2"),
        ({"layer": 9, "head": 9}, "no layer 9", "from 1 to 3"),
    ],
)
def test_a_layer_or_head_that_does_not_exist_is_refused_with_the_valid_range(choice, problem, hint):
    with pytest.raises(UsageError) as caught:
        select_heads(transformer(), **choice)
    assert problem in caught.value.problem
    assert hint in caught.value.hint


@pytest.mark.parametrize("choice", [{"layer": 2}, {"head": 2}])
def test_a_second_layer_or_head_of_single_head_attention_is_refused(choice):
    with pytest.raises(UsageError, match=r"1 layer of 1 head$"):
        select_heads(model(), **choice)


def test_a_selection_is_the_mean_of_its_heads_for_numpy_and_torch():
    weights = np.arange(24.0).reshape(2, 3, 4)
    expected = (weights[:, 0] + weights[:, 2]) / 2
    np.testing.assert_array_equal(HeadSelection((0, 2)).of(weights), expected)
    np.testing.assert_array_equal(
        HeadSelection((0, 2)).of(torch.from_numpy(weights)).numpy(), expected
    )
    np.testing.assert_array_equal(HeadSelection((1,)).of(weights), weights[:, 1])


def test_selecting_all_heads_returns_the_weights_unchanged():
    weights = np.ones((2, 4))
    assert ALL_HEADS.of(weights) is weights
