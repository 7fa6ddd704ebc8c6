"""The parameters of a network as a flat dictionary of tensors, each tied matrix once."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from attn_cli.errors import ModelError


def unique_state_dict(network: nn.Module) -> dict[str, Tensor]:
    """Return all parameters by name, contiguous; a tied matrix once, under its first name."""
    ids: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) not in ids:
            ids.add(id(tensor))
            tensors[name] = tensor.detach().contiguous()
    return tensors


def load_state(network: nn.Module, tensors: dict[str, Tensor], *, where: str) -> None:
    """Copy `tensors` into the network in place; tied matrices stay tied.

    The names of format 1 are accepted too. Raises ModelError, naming `where`, if a tensor is
    missing, unknown or of another shape.
    """
    expected = unique_state_dict(network)
    check_state(expected, tensors, where=where)
    for name, tensor in with_current_names(tensors).items():
        expected[name].copy_(tensor)


def check_state(expected: dict[str, Tensor], tensors: dict[str, Tensor], *, where: str) -> None:
    """Raise ModelError as `load_state` does; `expected` may be on the meta device."""
    tensors = with_current_names(tensors)
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ModelError(f"{where} has no tensor {missing[0]}", _HINT)
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise ModelError(f"{where} has an unknown tensor {unknown[0]}", _HINT)
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise ModelError(f"{where}: {name} has the shape {shapes}", _HINT)


def with_current_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by current names."""
    return {current_name(name): tensor for name, tensor in tensors.items()}


def current_name(name: str) -> str:
    """Return the current name of a parameter of format 1; other names stay as they are."""
    for former, current in _FORMER_NAMES:
        name = former.sub(current, name)
    return name


#: Patterns of the names of format 1, and their replacements, applied in order. No current name
#: matches one of them.
_FORMER_NAMES = [
    (re.compile(former), current)
    for former, current in (
        # Both networks
        (r"(^|\.)forwards\.", r"\1forward_layers."),
        (r"(^|\.)backwards\.", r"\1backward_layers."),
        (r"^(source|target)_embedding\.table\.", r"\1_embedding.embedding."),
        # Translation network
        (r"^encoder\.looks\.", "encoder.self_attention."),
        (r"^encoder\.layers\.(\d+)\.attention\.", r"encoder.layers.\1.self_attention."),
        (r"^decoder\.layers\.(\d+)\.own\.", r"decoder.layers.\1.self_attention."),
        (r"\.self_attention\.maps\.", ".self_attention.qkv_proj."),
        (r"\.self_attention\.out\.", ".self_attention.out_proj."),
        (r"^decoder\.layers\.(\d+)\.norm\.", r"decoder.layers.\1.cross_norm."),
        (r"^decoder\.layers\.(\d+)\.query\.", r"decoder.layers.\1.cross_query_proj."),
        (r"^decoder\.layers\.(\d+)\.source\.", r"decoder.layers.\1.cross_kv_proj."),
        (r"^decoder\.layers\.(\d+)\.out\.", r"decoder.layers.\1.cross_out_proj."),
        (r"\.feed_forward\.into\.", ".feed_forward.fc1."),
        (r"\.feed_forward\.out\.", ".feed_forward.fc2."),
        (r"^(encoder|decoder)\.position\.table\.", r"\1.positional_encoding.embedding."),
        (r"^decoder\.initial\.", "decoder.bridge."),
        (r"^decoder\.upper\.", "decoder.upper_layers."),
        (r"^decoder\.mix\.", "decoder.attention_combine."),
        (r"^decoder\.attention\.value_map\.", "decoder.attention.value_proj."),
        (r"^decoder\.attention\.out\.", "decoder.attention.out_proj."),
        (r"^decoder\.attention\.scorer\.covered\.", "decoder.attention.scorer.coverage_proj."),
        (r"^readout\.mix\.", "readout.maxout_proj."),
        (r"^readout\.map\.", "readout.proj."),
        (r"^scores\.", "output_projection."),
        # Word aligner
        (r"^(source|target)\.encoder\.", r"\1_encoder.encoder."),
        (r"^score\.(source|target)\.", r"scorer.\1_proj."),
        (r"^score\.(source|target)_alone\.", r"scorer.\1_lexical."),
        (r"^refine\.first\.", "refiner.conv1."),
        (r"^refine\.second\.", "refiner.conv2."),
        (r"^refine\.last\.", "refiner.conv_out."),
        (r"^refine\.share$", "refiner.channel_weights"),
        (r"^refine\.nearness$", "refiner.distance_weight"),
    )
]

_HINT = "Its recipe.toml and its parameters do not match; take both from one bundle."
