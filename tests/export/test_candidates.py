"""The selection of candidates within a graph, against a sort of all pieces."""

import io

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from attn_cli.export.tracing import OPSET, _best


class _Select(nn.Module):
    def forward(self, logp, ranks):
        return _best(logp, ranks)


@pytest.mark.filterwarnings("ignore")  # warnings of the exporter, as in `tracing`
@pytest.mark.parametrize("vocab", [16, 255, 256, 257, 1001, 1024])
def test_the_best_pieces_of_any_vocabulary_are_those_that_a_sort_puts_first(vocab):
    rng = np.random.default_rng(vocab)
    logp = rng.permuted(np.tile(np.arange(vocab, dtype=np.float32), (3, 1)), axis=1)
    logp[0, -1] = vocab  # the last piece is the best of a row
    stream = io.BytesIO()
    torch.onnx.export(
        _Select(),
        (torch.from_numpy(logp), torch.zeros(2, dtype=torch.long)),
        stream,
        dynamo=False,
        input_names=["logp", "ranks"],
        dynamic_axes={"logp": {0: "N"}, "ranks": {0: "C"}},
        opset_version=OPSET,
    )
    session = onnxruntime.InferenceSession(stream.getvalue())
    for count in (1, 5, vocab, vocab + 3):
        expected = np.argsort(-logp, axis=1)[:, :count]
        ids, best = session.run(None, {"logp": logp, "ranks": np.zeros(count, np.int64)})
        np.testing.assert_array_equal(ids, expected)
        np.testing.assert_array_equal(best, np.take_along_axis(logp, expected, 1))
        torch_best = _best(torch.from_numpy(logp), torch.zeros(count))
        np.testing.assert_array_equal(torch_best[0].numpy(), expected)
