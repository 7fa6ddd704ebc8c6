"""Open the networks of a bundle with the engine that can run them."""

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from attn_cli.bundles import manifest
from attn_cli.bundles.bundle import Bundle
from attn_cli.choices import Engine
from attn_cli.errors import ModelError, UsageError
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    HeadSelection,
    IncrementalDecoder,
    select_heads,
)

if TYPE_CHECKING:
    from attn_cli.inference.engines.onnx import OnnxDecoder
    from attn_cli.inference.engines.torch import TorchDecoder

EngineName = Literal["onnx", "torch"]
Part = Literal["translator", "head"]

#: The files that each engine runs of each part of a bundle.
_GRAPHS = {"translator": (manifest.ENCODER, manifest.STEP), "head": (manifest.WORD_ALIGNER_GRAPH,)}
_WEIGHTS = {"translator": manifest.WEIGHTS, "head": manifest.WORD_ALIGNER}


def open_decoder(
    opened: Bundle,
    *,
    engine: Engine = "auto",
    device: str = "auto",
    threads: int | None = None,
    view: HeadSelection | None = None,
    shortlist: bool | None = None,
) -> IncrementalDecoder:
    """The network of a bundle that translates, on the engine that `engine_of` names.

    `view` is the head that is looked at, by default what the recipe's [decode] says. Without
    `shortlist` candidates are of the whole vocabulary; by default the recipe's [decode] decides.

    Raises ModelError when files are damaged or do not fit, or the engine has none to run;
    UsageError when engine and device exclude each other, or the device is not there.
    """
    recipe = opened.recipe
    if view is None:
        view = select_heads(
            recipe.model, layer=recipe.decode.attention_layer, head=recipe.decode.attention_head
        )
    listed = recipe.decode.shortlist if shortlist is None else shortlist
    return _loaded(opened, view, engine, device, threads, shortlist=listed)


def open_decoders(
    opened: Bundle,
    views: Sequence[HeadSelection],
    *,
    engine: Engine = "auto",
    device: str = "auto",
    threads: int | None = None,
) -> list[IncrementalDecoder]:
    """The network of a bundle, loaded once and looked at through each of these views.

    Raises as `open_decoder`.
    """
    first = _loaded(opened, views[0], engine, device, threads)
    return [first, *(first.with_heads(view) for view in views[1:])]


def open_torch_decoder(
    opened: Bundle, *, device: str = "auto", threads: int | None = None
) -> "TorchDecoder":
    """The network of a bundle on PyTorch, whose inner values can be recorded.

    Raises as `open_decoder`.
    """
    engine_of(opened, "translator", engine="torch", device=device)
    from attn_cli.inference.engines import torch

    view = select_heads(opened.recipe.model)
    listed = opened.shortlist if opened.recipe.decode.shortlist else None
    return torch.load(opened, view, device=device, threads=threads, shortlist=listed)


def _loaded(
    opened: Bundle,
    view: HeadSelection,
    engine: Engine,
    device: str,
    threads: int | None,
    *,
    shortlist: bool = False,
) -> "OnnxDecoder | TorchDecoder":
    if engine_of(opened, "translator", engine=engine, device=device) == "onnx":
        from attn_cli.inference.engines import onnx

        has_graphs = opened.has_files(*manifest.SHORTLIST_GRAPHS)
        listed = opened.shortlist if shortlist and has_graphs else None
        return onnx.load(opened, view, threads=threads, shortlist=listed)
    from attn_cli.inference.engines import torch

    listed = opened.shortlist if shortlist else None
    return torch.load(opened, view, device=device, threads=threads, shortlist=listed)


def open_aligner(
    opened: Bundle, *, engine: Engine = "auto", device: str = "auto", threads: int | None = None
) -> AlignmentModel:
    """The word aligner of a bundle that has one. Raises as `open_decoder`."""
    if engine_of(opened, "head", engine=engine, device=device) == "onnx":
        from attn_cli.inference.engines import onnx

        return onnx.load_aligner(opened, threads=threads)
    from attn_cli.inference.engines import torch

    return torch.load_aligner(opened, device=device, threads=threads)


def engine_of(
    opened: Bundle, part: Part, *, engine: Engine = "auto", device: str = "auto"
) -> EngineName:
    """Which engine runs a part of a bundle.

    ONNX Runtime where there are graphs and nobody asks for torch or for a device that only torch
    drives; torch otherwise.
    """
    if engine == "onnx" and device not in ("auto", "cpu"):
        raise UsageError(
            f"ONNX Runtime computes on the processor here, not on {device}",
            "Leave --device out, or use --engine torch.",
        )
    weights, has_graphs = _WEIGHTS[part], opened.has_files(*_GRAPHS[part])
    if engine == "onnx" and not has_graphs:
        raise ModelError(
            f"the model {opened.name} has no graphs for ONNX Runtime",
            f"Make them: attn export {opened.path}",
        )
    if engine == "onnx" or (engine == "auto" and has_graphs and device in ("auto", "cpu")):
        if _installed("onnxruntime"):
            return "onnx"
        if engine == "onnx" or not opened.has_files(weights):
            raise _missing("onnxruntime", opened)
    if not opened.has_files(weights):
        raise ModelError(
            f"the model {opened.name} has graphs for ONNX Runtime only, no weights for torch",
            "Leave --engine and --device out.",
        )
    if not _installed("torch"):
        raise _missing("torch", opened)
    return "torch"


def _missing(package: str, opened: Bundle) -> ModelError:
    return ModelError(
        f"the model {opened.name} needs {package}, which is not installed",
        f"Install it: pip install {package}",
    )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
