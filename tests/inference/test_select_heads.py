"""Which heads are looked at, by layer and head from 1."""

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
def test_layers_and_heads_are_counted_from_one_and_no_head_is_all_of_the_layer(layer, head, heads):
    assert select_heads(transformer(), layer=layer, head=head) == HeadSelection(heads)


@pytest.mark.parametrize(("layers", "first"), [(1, 0), (2, 0), (3, 2), (6, 8)])
def test_by_default_it_is_the_mean_of_the_last_layer_but_one(layers, first):
    assert select_heads(transformer(layers)) == HeadSelection((first, first + 1))


def test_a_recurrent_decoder_with_many_heads_has_one_layer_of_them():
    many = model("model.attention.kind=multihead", "model.decoder.layers=2")
    assert select_heads(many) == HeadSelection((0, 1, 2, 3))
    assert select_heads(many, layer=1, head=4) == HeadSelection((3,))


@pytest.mark.parametrize("kind", ["additive", "local", "hard", "none"])
def test_attention_with_one_head_or_none_is_seen_as_it_is(kind):
    alone = model(f"model.attention.kind={kind}", "model.decoder.layers=3")
    assert select_heads(alone) is select_heads(alone, layer=1, head=1) is ALL_HEADS


@pytest.mark.parametrize(
    ("asked", "problem", "hint"),
    [
        ({"layer": 4}, "no layer 4: the model has attention in 3 layers of 2 heads", "from 1 to 3"),
        ({"head": 3}, "no head 3: the model has attention in 3 layers of 2 heads", "from 1 to 2"),
        ({"layer": 9, "head": 9}, "no layer 9", "from 1 to 3"),
    ],
)
def test_a_head_that_is_not_there_is_refused_with_those_that_are(asked, problem, hint):
    with pytest.raises(UsageError) as caught:
        select_heads(transformer(), **asked)
    assert problem in caught.value.problem
    assert hint in caught.value.hint


@pytest.mark.parametrize("asked", [{"layer": 2}, {"head": 2}])
def test_of_one_head_there_is_no_second(asked):
    with pytest.raises(UsageError, match=r"1 layer of 1 head$"):
        select_heads(model(), **asked)


def test_a_view_is_the_mean_of_its_heads_for_numpy_and_torch():
    weights = np.arange(24.0).reshape(2, 3, 4)
    expected = (weights[:, 0] + weights[:, 2]) / 2
    np.testing.assert_array_equal(HeadSelection((0, 2)).of(weights), expected)
    np.testing.assert_array_equal(
        HeadSelection((0, 2)).of(torch.from_numpy(weights)).numpy(), expected
    )
    np.testing.assert_array_equal(HeadSelection((1,)).of(weights), weights[:, 1])


def test_weights_of_one_head_are_seen_as_they_are():
    weights = np.ones((2, 4))
    assert ALL_HEADS.of(weights) is weights
