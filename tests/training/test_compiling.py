"""A compiled network computes what the network does, for batches of any shape."""

import pytest
import torch
from torch import nn

from attn_cli import config
from attn_cli.errors import TrainingError, UsageError
from attn_cli.nn.builder import build_model
from attn_cli.training.compiling import compile_network
from attn_cli.training.losses import negative_log_likelihood

TRANSFORMER = {
    "embedding": 16,
    "encoder": {"kind": "transformer", "width": 16, "heads": 2, "layers": 1},
    "attention": {"kind": "multihead", "heads": 2},
    "decoder": {"kind": "transformer", "width": 16, "layers": 1},
    "dropout": {"embedding": 0.0, "states": 0.0, "output": 0.0},
}
VOCABULARY = 50


def loss_and_gradients(network, forward, shape):
    """Return the loss and the gradients of an update with one batch of random ids."""
    rows, source, target = shape
    torch.manual_seed(2)
    src, tgt = (torch.randint(4, VOCABULARY, (rows, size)) for size in (source, target))
    network.zero_grad()
    output = forward(src, torch.randint(2, source + 1, (rows,)), tgt, weights=False)
    loss = negative_log_likelihood(network, output.features, tgt, smoothing=0.1)
    loss.backward()
    return loss.item(), [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.slow
def test_the_loss_and_the_gradients_of_a_compiled_network_are_those_of_the_network():
    """The backend traces as inductor does but generates no code; tests/slow uses inductor."""
    torch.manual_seed(1)
    model = config.from_dict({"model": TRANSFORMER}).model
    network = build_model(model, source_vocab_size=VOCABULARY, target_vocab_size=VOCABULARY)
    compiled = compile_network(network, backend="aot_eager")
    for shape in ((3, 6, 5), (4, 4, 7)):
        loss, gradients = loss_and_gradients(network, network, shape)
        compiled_loss, compiled_gradients = loss_and_gradients(network, compiled, shape)
        assert compiled_loss == pytest.approx(loss, abs=1e-4)
        for gradient, compiled_gradient in zip(gradients, compiled_gradients, strict=True):
            torch.testing.assert_close(compiled_gradient, gradient, atol=1e-4, rtol=1e-4)


def test_a_failed_compilation_is_an_error_that_says_what_to_do():
    def fail(graph, inputs):
        raise RuntimeError("no compiler here")

    compiled = compile_network(nn.Linear(2, 2), backend=fail)
    with pytest.raises(TrainingError, match=r"torch\.compile failed: .*no compiler here") as error:
        compiled(torch.zeros(3, 2))
    assert "train.compile=false" in error.value.hint


def test_a_recurrent_decoder_is_not_compiled():
    with pytest.raises(UsageError, match="compiled again for each target length"):
        config.from_dict({"train": {"compile": True}})
    config.from_dict({"model": TRANSFORMER, "train": {"compile": True}})
