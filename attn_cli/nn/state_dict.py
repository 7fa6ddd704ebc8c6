"""A network's parameters as a flat dictionary of tensors, each tied matrix once."""

from torch import Tensor, nn

from attn_cli.errors import ModelError


def unique_state_dict(network: nn.Module) -> dict[str, Tensor]:
    """Return every parameter once, by name, contiguous; a tied matrix keeps its first name."""
    seen: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[name] = tensor.detach().contiguous()
    return tensors


def load_state(network: nn.Module, tensors: dict[str, Tensor], *, where: str) -> None:
    """Copy `tensors` into the network in place; tied matrices stay tied.

    Raises ModelError, naming `where`, if a tensor is missing, unknown or of another shape.
    """
    expected = unique_state_dict(network)
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ModelError(f"{where} has no tensor {missing[0]}", _HINT)
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise ModelError(f"{where} has an unknown tensor {unknown[0]}", _HINT)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise ModelError(f"{where}: {name} has the shape {shapes}", _HINT)
        expected[name].copy_(tensor)


_HINT = "Its recipe.toml and its parameters do not match; take both from one bundle."
