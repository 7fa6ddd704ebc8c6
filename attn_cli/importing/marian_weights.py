"""Convert the parameters of a Marian model to those of `nn`."""

import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from attn_cli.errors import ModelError
from attn_cli.importing.marian_config import LAYOUT, MarianConfig
from attn_cli.importing.marian_vocabulary import Vocabulary
from attn_cli.nn.positions import sinusoids
from attn_cli.types import BOS, PAD

SAFETENSORS, PICKLED = "model.safetensors", "pytorch_model.bin"

#: The logit of tokens that no output has: its exp is 0 in float32, and rounding differences between
#: graphs and torch are below the tolerance.
NEVER = -500.0

_AGAIN = "Copy the folder again."

#: Parts of a layer: name in Transformers → name in `nn`, where queries, keys and values are one
#: matrix.
_ENCODER_LAYER = {
    "self_attn.out_proj": "self_attention.out_proj",
    "self_attn_layer_norm": "self_attention.norm",
    "fc1": "feed_forward.fc1",
    "fc2": "feed_forward.fc2",
    "final_layer_norm": "feed_forward.norm",
}
_DECODER_LAYER = {
    "self_attn.out_proj": "self_attention.out_proj",
    "self_attn_layer_norm": "self_attention.norm",
    "encoder_attn.q_proj": "cross_query_proj",
    "encoder_attn.out_proj": "cross_out_proj",
    "encoder_attn_layer_norm": "cross_norm",
    "fc1": "feed_forward.fc1",
    "fc2": "feed_forward.fc2",
    "final_layer_norm": "feed_forward.norm",
}
#: Other tensors by their names in Transformers.
SHARED = "model.shared.weight"
SOURCE_EMBEDDING = "model.encoder.embed_tokens.weight"
TARGET_EMBEDDING = "model.decoder.embed_tokens.weight"
OUTPUT, BIAS = "lm_head.weight", "final_logits_bias"

#: The names under which an embedding matrix may be stored.
_SOURCE = (SOURCE_EMBEDDING, SHARED)
_TARGET = (TARGET_EMBEDDING, SHARED, OUTPUT)
_POSITIONS = re.compile(r"model\.(?:en|de)coder\.embed_positions\.weight")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of a folder, by their names in Transformers.

    No code in the files is run. Raises ModelError if there is none, or if it cannot be read.
    """
    path = next((folder / n for n in (SAFETENSORS, PICKLED) if (folder / n).is_file()), None)
    if path is None:
        raise ModelError(f"{folder} has neither {SAFETENSORS} nor {PICKLED}", LAYOUT)
    try:
        if path.name == SAFETENSORS:
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle's protocol
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read {path}: {error}", _AGAIN) from error
    except Exception as error:  # other pickles raise any exception
        raise ModelError(
            f"{path} contains other objects than tensors, or is damaged", _AGAIN
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()
    ):
        raise ModelError(f"{path} has no tensors by name", _AGAIN)
    return dict(tensors)


def convert_weights(
    tensors: Mapping[str, Tensor],
    config: MarianConfig,
    vocabularies: tuple[Vocabulary, Vocabulary],
    *,
    where: str,
) -> dict[str, Tensor]:
    """Return the parameters of the network, for `load_state`, each tied matrix once.

    Rows of embeddings are those of the vocabularies. Raises ModelError, naming `where`, if a tensor
    is missing or unknown, or if the positional encoding is not sinusoidal.
    """
    source = _Tensors(tensors, where)
    converted = {
        name: torch.cat([source.take(part) for part in parts])
        for name, parts in parameter_names(config.encoder_layers, config.decoder_layers)
    }
    embeddings: dict[str, tuple[tuple[str, ...], int, int]] = {
        "source_embedding.embedding.weight": (_SOURCE, 0, config.vocab_size)
    }
    if not config.share_embeddings:
        embeddings["target_embedding.embedding.weight"] = (_TARGET, 1, config.decoder_vocab_size)
    if not config.tie_output:
        embeddings["output_projection.weight"] = ((OUTPUT,), 1, config.decoder_vocab_size)
    for name, (names, side, size) in embeddings.items():
        table = source.first(names, (size, config.width))
        converted[name] = table[vocabularies[side].rows]
    bias = source.optional(BIAS, (1, config.decoder_vocab_size))
    bias = torch.zeros(config.decoder_vocab_size) if bias is None else bias[0]
    converted["output_projection.bias"] = bias[vocabularies[1].rows]
    converted["output_projection.bias"][[PAD, BOS]] = NEVER
    source.ignore([*_SOURCE, *_TARGET, OUTPUT])
    _check_positions(source)
    source.require_all_used()
    return {name: tensor.contiguous() for name, tensor in converted.items()}


def parameter_names(encoder_layers: int, decoder_layers: int) -> Iterator[tuple[str, list[str]]]:
    """Yield the name in `nn` of each parameter of the layers, and the names in Transformers of the
    tensors that it concatenates."""
    qkv = ("self_attention.qkv_proj", "self_attn.", "qkv")
    kv = ("cross_kv_proj", "encoder_attn.", "kv")
    for side, layers, names, stacks in (
        ("encoder", encoder_layers, _ENCODER_LAYER, [qkv]),
        ("decoder", decoder_layers, _DECODER_LAYER, [qkv, kv]),
    ):
        for layer, kind in itertools.product(range(layers), ("weight", "bias")):
            hf, own = f"model.{side}.layers.{layer}.", f"{side}.layers.{layer}."
            for name, part in names.items():
                yield f"{own}{part}.{kind}", [f"{hf}{name}.{kind}"]
            for part, name, projections in stacks:
                yield f"{own}{part}.{kind}", [f"{hf}{name}{p}_proj.{kind}" for p in projections]


def _check_positions(source: "_Tensors") -> None:
    """Raise ModelError if a stored positional encoding is not the one that `nn` computes."""
    for name in filter(_POSITIONS.fullmatch, source.names):
        table = source.take(name).float()
        if table.dim() != 2 or table.shape[1] % 2:
            raise source.error(f"{name} is not sinusoidal")
        expected = sinusoids(torch.arange(len(table)), table.shape[1])
        if not torch.allclose(table, expected, atol=2e-3):
            raise source.error(f"{name} is not sinusoidal")


class _Tensors:
    """Tensors by name; `require_all_used` checks that each is converted or ignored."""

    def __init__(self, tensors: Mapping[str, Tensor], where: str) -> None:
        self._tensors, self._where = tensors, where
        self._unused = set(tensors)

    @property
    def names(self) -> list[str]:
        return sorted(self._tensors)

    def take(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise self.error(f"there is no tensor {name}")
        self._unused.discard(name)
        tensor = self._tensors[name]
        if not tensor.is_floating_point():
            raise self.error(f"{name} is of {tensor.dtype}")
        return tensor

    def first(self, names: Iterable[str], shape: tuple[int, ...]) -> Tensor:
        """Return the tensor of the first name that exists."""
        names = list(names)
        name = next((name for name in names if name in self._tensors), names[0])
        return self._take_shape(name, shape)

    def optional(self, name: str, shape: tuple[int, ...]) -> Tensor | None:
        return self._take_shape(name, shape) if name in self._tensors else None

    def _take_shape(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = self.take(name)
        if tensor.shape != shape:
            raise self.error(f"{name} has the shape {tuple(tensor.shape)}, not {shape}")
        return tensor

    def ignore(self, names: Iterable[str]) -> None:
        """Count these as used: they are other names of a matrix."""
        self._unused -= set(names)

    def require_all_used(self) -> None:
        if self._unused:
            raise self.error(f"there is an unknown tensor {min(self._unused)}")

    def error(self, problem: str) -> ModelError:
        return ModelError(
            f"{self._where} is not the Marian model of its config.json: {problem}", _AGAIN
        )
