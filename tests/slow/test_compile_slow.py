"""A compiled Transformer learns as an uncompiled one does; skipped without a compiler."""

import shutil

import numpy as np
import pytest
from program import TINY, attn
from training_log import losses_of

SMALL = (
    *("--set", "model.encoder.kind=transformer", "--set", "model.encoder.width=32"),
    *("--set", "model.encoder.layers=1", "--set", "model.encoder.heads=2"),
    *("--set", "model.decoder.kind=transformer", "--set", "model.decoder.layers=1"),
    *("--set", "model.attention.kind=multihead", "--set", "model.attention.heads=2"),
    *("--set", "model.dropout.embedding=0", "--set", "model.dropout.states=0"),
    *("--set", "model.dropout.output=0", "--set", "train.log_every=1", "--max-steps", "8"),
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own
@pytest.mark.skipif(
    not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="there is no C++ compiler here"
)
def test_the_losses_of_a_compiled_training_equal_those_without_compilation(pairs_file, tmp_path):
    losses = {}
    for compiled in ("false", "true"):
        out = tmp_path / compiled
        text = ("--pairs", pairs_file, "--valid-pairs", pairs_file, "--out", out, *TINY, *SMALL)
        result = attn("train", *text, "--set", f"train.compile={compiled}")
        assert result.status == 0, result.err
        losses[compiled] = losses_of(out, "progress")
    assert len(losses["true"]) == 8
    np.testing.assert_allclose(losses["true"], losses["false"], atol=1e-4)
