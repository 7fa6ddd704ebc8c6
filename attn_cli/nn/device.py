"""The device and the precision that a network computes with."""

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
    """A device and the precision of matrix products."""

    device: torch.device
    precision: Literal["fp32", "bf16"]

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context with bf16 products if that is the precision; parameters stay fp32."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """Return an array of ids or lengths as int64 on the device.

        The copy to a GPU is asynchronous, from pinned memory.
        """
        tensor = torch.from_numpy(array.astype(np.int64))
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def describe_devices() -> dict[str, str]:
    """Return the GPUs that torch can use, by "cuda" and "mps": a name, "available" or "none"."""
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"cuda": cuda, "mps": "available" if torch.backends.mps.is_available() else "none"}


def select_hardware(
    device: str, precision: Literal["auto", "fp32", "bf16"], *, local_rank: int = 0
) -> Hardware:
    """Select device and precision; `auto` takes a GPU if there is one, and bf16 if it is native.

    Worker `local_rank` of this machine uses the GPU of that number. Raises UsageError if the device
    is not available, or has fewer GPUs than workers.
    """
    torch_device = find_device(device)
    if torch_device.type == "cuda" and local_rank:
        if local_rank >= torch.cuda.device_count():
            raise UsageError(
                f"there are more workers than GPUs on this machine ({torch.cuda.device_count()})",
                "Start one worker for each GPU.",
            )
        torch_device = torch.device("cuda", local_rank)
        torch.cuda.set_device(torch_device)
    if precision == "auto":
        precision = "bf16" if has_native_bf16(torch_device) else "fp32"
    return Hardware(torch_device, precision)


def find_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is the first of cuda, mps, cpu that is available.

    Raises UsageError if it is not available.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    if not available.get(name, False):
        raise UsageError(
            f"there is no {name} device on this machine", "Use --device auto|cpu|cuda|mps."
        )
    return torch.device(name)


def has_native_bf16(device: torch.device) -> bool:
    """Return whether the device computes in bf16: GPUs from Ampere on, CPUs of AVX512-BF16, AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
