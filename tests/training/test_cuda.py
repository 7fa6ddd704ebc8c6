"""Training on NVIDIA GPUs with CUDA; skipped where there is none."""

import numpy as np
import pytest
import torch
from program import TINY, attn
from training_log import losses_of

from attn_cli import config
from attn_cli.nn.builder import build_model
from attn_cli.nn.device import select_hardware
from attn_cli.training.losses import negative_log_likelihood

GPUS = torch.cuda.device_count()

pytestmark = pytest.mark.skipif(not GPUS, reason="there is no CUDA device here")

SYSTEMS = {
    "recurrent": {"embedding": 64, "encoder": {"width": 48}, "decoder": {"width": 64}},
    "transformer": {
        "embedding": 64,
        "encoder": {"kind": "transformer", "width": 64, "heads": 4, "layers": 2},
        "attention": {"kind": "multihead", "heads": 4},
        "decoder": {"kind": "transformer", "width": 64, "layers": 2},
    },
}


def test_ids_are_copied_to_the_device_unchanged():
    ids = np.arange(70_000, dtype=np.int32).reshape(100, 700)
    tensor = select_hardware("cuda", "fp32").tensor(ids)
    assert tensor.device.type == "cuda"
    np.testing.assert_array_equal(tensor.cpu().numpy(), ids)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_losses_in_bf16_and_fp32_are_close_to_that_of_a_cpu_in_fp32(name):
    torch.manual_seed(1)
    model = config.from_dict({"model": SYSTEMS[name]}).model
    network = build_model(model, source_vocab_size=90, target_vocab_size=90).eval()
    source, target = (torch.randint(4, 90, (12, size)) for size in (9, 11))
    lengths = torch.randint(3, 10, (12,))

    def loss(device, precision):
        hardware = select_hardware(device, precision)
        src, src_len, tgt = (hardware.tensor(t.numpy()) for t in (source, lengths, target))
        network.to(hardware.device)
        with hardware.autocast():
            features = network(src, src_len, tgt, weights=False).features
            return float(negative_log_likelihood(network, features, tgt, smoothing=0.1))

    exact = loss("cpu", "fp32")
    assert loss("cuda", "fp32") == pytest.approx(exact, abs=1e-3)
    assert loss("cuda", "bf16") == pytest.approx(exact, rel=0.02)


def test_a_training_resumed_on_a_gpu_has_the_losses_of_an_uninterrupted_one(pairs_file, tmp_path):
    """Random numbers and moments are restored; sums on a GPU have no fixed order."""
    options = ("--set", "train.log_every=1", "--set", "train.schedule=constant", "--device", "cuda")
    for name, limits in {"uncut": ("40",), "cut": ("20", "40")}.items():
        out = tmp_path / name
        text = ("--pairs", pairs_file, "--out", out, *TINY, *options)
        for command, limit in zip((text, ("--resume", out)), limits, strict=False):
            result = attn("train", *command, "--max-steps", limit)
            assert result.status == 0, result.err
    uncut, cut = (losses_of(tmp_path / name, "progress") for name in ("uncut", "cut"))
    assert len(uncut) == len(cut) == 40
    np.testing.assert_allclose(cut, uncut, rtol=0.02)


@pytest.mark.skipif(GPUS < 2, reason="there are no two CUDA devices here")
def test_two_workers_on_two_gpus_have_the_losses_of_one(pairs_file, tmp_path):
    options = (
        "--set",
        "train.log_every=1",
        "--set",
        "model.dropout.embedding=0",
        "--device",
        "cuda",
    )
    options += ("--set", "model.dropout.states=0", "--set", "model.dropout.output=0")
    for workers in (1, 2):
        text = ("--pairs", pairs_file, "--out", tmp_path / str(workers), *TINY, *options)
        result = attn("train", *text, "--max-steps", "12", "--workers", workers)
        assert result.status == 0, result.err
    one, two = (losses_of(tmp_path / name, "progress") for name in ("1", "2"))
    assert len(one) == 12
    np.testing.assert_allclose(two, one, atol=1e-3)
