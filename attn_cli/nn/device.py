"""Where a network computes and how exactly. Knows devices and nothing of networks."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attn_cli.errors import UsageError


@dataclass(frozen=True)
class Hardware:
    """A device and the precision its products are computed in."""

    device: torch.device
    precision: Literal["fp32", "bf16"]

    def autocast(self) -> AbstractContextManager[Any]:
        """bf16 products inside, where bf16 was chosen; weights and sums stay fp32."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """An array of ids or lengths, as int64 on the device.

        A GPU copies it from pinned memory while the host goes on.
        """
        tensor = torch.from_numpy(array.astype(np.int64))
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def choose(
    device: str, precision: Literal["auto", "fp32", "bf16"], *, local_rank: int = 0
) -> Hardware:
    """The hardware asked for; `auto` takes a GPU where there is one, bf16 where it is native.

    Of several GPUs worker `local_rank` of this machine takes the one of that number. Raises
    UsageError when a named device is not there.
    """
    chosen = torch_device(device)
    if chosen.type == "cuda" and local_rank:
        if local_rank >= torch.cuda.device_count():
            raise UsageError(
                f"there are more workers than GPUs on this machine ({torch.cuda.device_count()})",
                "Start one worker for each GPU.",
            )
        chosen = torch.device("cuda", local_rank)
        torch.cuda.set_device(chosen)
    if precision == "auto":
        precision = "bf16" if has_native_bf16(chosen) else "fp32"
    return Hardware(chosen, precision)


def torch_device(name: str) -> torch.device:
    """The torch device of that name."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, present in there.items() if present))
    if not there.get(name, False):
        raise UsageError(f"there is no {name} device here", "Use --device auto|cpu|cuda|mps.")
    return torch.device(name)


def has_native_bf16(device: torch.device) -> bool:
    """Whether products in bf16 run in hardware: Ampere and later, AVX512-BF16 and AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
