"""A network's weights as a flat dictionary of tensors and back. Knows no file."""

from torch import Tensor, nn

from attn_cli.errors import ModelError


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Every parameter once, by name, contiguous: a tied matrix keeps the first of its names."""
    seen: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[name] = tensor.detach().contiguous()
    return tensors


def restore(network: nn.Module, tensors: dict[str, Tensor], *, where: str) -> None:
    """Copy `tensors` into the network in place; tied matrices stay tied.

    Raises ModelError, naming `where`, when a tensor is missing, unknown or of another shape.
    """
    expected = tensors_of(network)
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ModelError(f"{where} lacks the tensor {missing[0]}", _HINT)
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise ModelError(f"{where} holds an unknown tensor {unknown[0]}", _HINT)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise ModelError(f"{where}: {name} has the shape {shapes}", _HINT)
        expected[name].copy_(tensor)


_HINT = "Its recipe.toml and its weights do not belong together; take both from one bundle."
