"""Save and load training states and weights as safetensors files, written atomically.

The files hold tensors and JSON; reading them runs no code.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from attn_cli.alignment.link_table import LinkTable
from attn_cli.errors import ModelError, TrainingError
from attn_cli.files import atomic

Tensors = dict[str, Tensor]


def save(path: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    """Write tensors and JSON `facts` into one file, atomically.

    Raises TrainingError if it cannot be written; an existing file is then unchanged.
    """
    try:
        atomic.write(path, serialize(tensors, facts))
    except OSError as error:
        raise TrainingError(
            f"cannot write {path}: {error.strerror}",
            "Free some space on the disk, then continue with attn train --resume.",
        ) from error


def serialize(tensors: Tensors, facts: dict[str, Any] | None = None) -> bytes:
    """Return the bytes of a file of tensors and JSON `facts`, for `load`."""
    on_cpu = {name: tensor.cpu() for name, tensor in tensors.items()}
    return safetensors_bytes(on_cpu, {"facts": json.dumps(facts or {})})


def load(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Read the tensors and the facts of a file. Raises ModelError if it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
        if not isinstance(facts, dict):
            raise ValueError("its facts are not a JSON object")
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise ModelError(
            f"cannot read the parameters in {path}: {error}", "Copy or train them again."
        ) from error
    return tensors, facts


def with_prefix(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names start with `prefix`, without it."""
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def rng_tensors(device: torch.device) -> Tensors:
    """Return the states of torch's generators, for `restore_rng`."""
    states = {"rng.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["rng.cuda"] = torch.cuda.get_rng_state()
    return states


def merge_ranks(states: list[Tensors]) -> Tensors:
    """Merge the results of `rng_tensors` of all workers into one dictionary."""
    return {
        f"{name}.{rank}" if rank else name: state
        for rank, tensors in enumerate(states)
        for name, state in tensors.items()
    }


def restore_rng(tensors: Tensors, *, rank: int = 0) -> None:
    """Restore torch's generators from `rng_tensors` of worker `rank`."""
    suffix = f".{rank}" if rank else ""
    torch.set_rng_state(tensors[f"rng.cpu{suffix}"])
    if f"rng.cuda{suffix}" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors[f"rng.cuda{suffix}"])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """Return AdamW's moments and counts, named `optimiser.<parameter>.<name>`."""
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"optimiser.{index}.{name}": tensor
        for index, moments in state.items()
        for name, tensor in moments.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Restore the moments of `optimizer_tensors`; rates and decay of `optimizer` stay unchanged.

    Raises ValueError for a moment of another shape than its parameter.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimiser."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = tensor
    full_state = optimizer.state_dict()
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    for number, moments in state.items():
        for name, tensor in moments.items():
            if tensor.ndim and tensor.shape != parameters[number].shape:
                raise ValueError(f"optimiser.{number}.{name} has the shape {tuple(tensor.shape)}")
    optimizer.load_state_dict({**full_state, "state": state})


def average(paths: list[Path]) -> Tensors:
    """Average the weights of several checkpoints (Junczys-Dowmunt et al. 2016)."""
    total: Tensors = {}
    for path in paths:
        tensors, _ = load(path)
        for name, tensor in tensors.items():
            total[name] = total[name] + tensor.double() if name in total else tensor.double()
    return {name: (tensor / len(paths)).float() for name, tensor in total.items()}


def links_to_tensors(links: LinkTable) -> Tensors:
    """Return a table of links as tensors, without types that some safetensors readers lack."""
    return {
        "source": torch.from_numpy(links.source.astype(np.int32)),
        "target": torch.from_numpy(links.target.astype(np.int32)),
        "weight": torch.from_numpy(links.score),
        "starts": torch.from_numpy(links.starts),
    }


def links_from_tensors(tensors: Tensors) -> LinkTable:
    """Return the table of `links_to_tensors`."""
    source, target = (tensors[side].numpy().astype(np.uint16) for side in ("source", "target"))
    return LinkTable(source, target, tensors["weight"].numpy(), tensors["starts"].numpy())
