"""Select the engine for the networks of a bundle, and open them with it."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from attn_cli.bundles import manifest
from attn_cli.bundles.bundle import Bundle
from attn_cli.choices import Engine, EngineName
from attn_cli.errors import ModelError, UsageError, get_choice
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    HeadSelection,
    IncrementalDecoder,
    default_heads,
    select_heads,
)
from attn_cli.inference.generation import BeamSearchGenerator, Generator
from attn_cli.inference.head_request import HeadRequest
from attn_cli.types import HeadId

if TYPE_CHECKING:
    from attn_cli.inference.engines.onnx import OnnxDecoder
    from attn_cli.inference.engines.torch import TorchDecoder

    Decoder = OnnxDecoder | TorchDecoder

Part = Literal["translator", "word_aligner"]


@dataclass(frozen=True)
class EngineOptions:
    """The engine that runs the networks of a bundle, its device and its number of threads.

    `threads` None leaves their number to the engine.
    """

    engine: Engine = "auto"
    device: str = "auto"
    threads: int | None = None


#: The first engine that can run a model, on the device that it selects.
AUTO = EngineOptions()


@dataclass(frozen=True)
class EngineSpec:
    """The requirements of an engine, the error texts if one is missing, and its loaders.

    `files` are the files that it needs, by the part of the bundle; `devices` are supported, all if
    None. `wrong_device` and `no_files` are problem and hint of an error. `load_decoder`
    takes (bundle, options, heads, shortlist) and returns the step interface; an engine with its own
    search has `load_generator` instead.
    """

    title: str
    package: str
    files: Mapping[Part, tuple[str, ...]]
    devices: tuple[str, ...] | None
    wrong_device: tuple[str, str]
    no_files: tuple[str, str]
    load_decoder: "Callable[[Bundle, EngineOptions, HeadSelection, bool], Decoder] | None" = None
    load_aligner: Callable[[Bundle, EngineOptions], AlignmentModel] | None = None
    load_generator: Callable[[Bundle, EngineOptions], Generator] | None = None

    def supports(self, device: str) -> bool:
        """Return whether it supports that device."""
        return self.devices is None or device in self.devices

    def has_files(self, opened: Bundle, part: Part) -> bool:
        """Return whether the bundle has the files that it needs."""
        return opened.has_files(*self.files[part])

    def is_installed(self) -> bool:
        """Return whether its package is installed."""
        return importlib.util.find_spec(self.package) is not None


def _load_onnx(
    opened: Bundle, options: EngineOptions, heads: HeadSelection, shortlist: bool
) -> "OnnxDecoder":
    from attn_cli.inference.engines import onnx

    has_list = shortlist and opened.has_files(*manifest.SHORTLIST_GRAPHS)
    listed = opened.shortlist if has_list else None
    return onnx.load(opened, heads, threads=options.threads, shortlist=listed)


def _load_onnx_aligner(opened: Bundle, options: EngineOptions) -> AlignmentModel:
    from attn_cli.inference.engines import onnx

    return onnx.load_aligner(opened, threads=options.threads)


def _load_torch(
    opened: Bundle, options: EngineOptions, heads: HeadSelection, shortlist: bool
) -> "TorchDecoder":
    from attn_cli.inference.engines import torch

    listed = opened.shortlist if shortlist else None
    return torch.load(
        opened, heads, device=options.device, threads=options.threads, shortlist=listed
    )


def _load_torch_aligner(opened: Bundle, options: EngineOptions) -> AlignmentModel:
    from attn_cli.inference.engines import torch

    return torch.load_aligner(opened, device=options.device, threads=options.threads)


#: The engines; `auto` selects the first that can run a model.
ENGINES: dict[EngineName, EngineSpec] = {
    "onnx": EngineSpec(
        "ONNX Runtime",
        "onnxruntime",
        {
            "translator": (manifest.ENCODER, manifest.STEP),
            "word_aligner": (manifest.WORD_ALIGNER_GRAPH,),
        },
        ("auto", "cpu"),
        (
            "ONNX Runtime runs on the CPU here, not on {device}",
            "Leave --device out, or use --engine torch.",
        ),
        (
            "the model {name} has no graphs for ONNX Runtime",
            "Make them: attn export {path}",
        ),
        _load_onnx,
        _load_onnx_aligner,
    ),
    "torch": EngineSpec(
        "PyTorch",
        "torch",
        {"translator": (manifest.WEIGHTS,), "word_aligner": (manifest.WORD_ALIGNER,)},
        None,
        ("", ""),
        (
            "the model {name} has graphs for ONNX Runtime only, no weights for torch",
            "Leave --engine and --device out.",
        ),
        _load_torch,
        _load_torch_aligner,
    ),
}


def open_generator(
    opened: Bundle, options: EngineOptions = AUTO, *, shortlist: bool | None = None
) -> Generator:
    """Open the translation network of a bundle, with a search.

    Arguments and errors are those of `open_decoder`; an engine with its own search ignores
    `shortlist`.
    """
    spec = ENGINES[engine_of(opened, "translator", options)]
    if spec.load_generator is not None:
        return spec.load_generator(opened, options)
    return BeamSearchGenerator(open_decoder(opened, options, shortlist=shortlist))


def open_decoder(
    opened: Bundle,
    options: EngineOptions = AUTO,
    *,
    heads: HeadSelection | None = None,
    shortlist: bool | None = None,
) -> IncrementalDecoder:
    """Open the translation network of a bundle on the engine that `engine_of` returns.

    The weights are the mean of `heads`, by default those of the recipe's [decode]. With `shortlist`
    False the candidates are of the whole vocabulary; by default as in the recipe's [decode].

    Raises ModelError if files are damaged or do not match, or the bundle has none for the engine;
    UsageError if engine and device exclude each other, or the device is missing.
    """
    recipe = opened.recipe
    if heads is None:
        heads = default_heads(recipe)
    if shortlist is None:
        shortlist = recipe.decode.shortlist
    return _load(opened, options, heads, shortlist=shortlist)


def open_heads(
    opened: Bundle, options: EngineOptions, request: HeadRequest
) -> tuple[IncrementalDecoder, list[tuple[HeadId, IncrementalDecoder]]]:
    """Open the translation network of a bundle once, with the heads of a request.

    Returns a decoder with the mean of the selected heads, and for each head whose own table is
    requested one with its weights. Raises as `open_decoder`, and UsageError if the model does not
    have the heads.
    """
    recipe = opened.recipe
    heads, each = request.select(recipe), request.single_heads(recipe)
    decoder = _load(opened, options, heads)
    by_head = [select_heads(recipe.model, layer=layer, head=head) for layer, head in each]
    return decoder, list(zip(each, map(decoder.with_heads, by_head), strict=True))


def open_torch_decoder(opened: Bundle, options: EngineOptions = AUTO) -> "TorchDecoder":
    """Open the translation network of a bundle on PyTorch, to record its inner values.

    Raises as `open_decoder`.
    """
    heads, shortlist = select_heads(opened.recipe.model), opened.recipe.decode.shortlist
    decoder = _load(opened, replace(options, engine="torch"), heads, shortlist=shortlist)
    from attn_cli.inference.engines.torch import TorchDecoder

    assert isinstance(decoder, TorchDecoder)
    return decoder


def _load(
    opened: Bundle, options: EngineOptions, heads: HeadSelection, *, shortlist: bool = False
) -> "Decoder":
    spec = ENGINES[engine_of(opened, "translator", options)]
    if spec.load_decoder is None:
        raise _unsupported(spec, "translates only: it cannot force a target or show attention")
    return spec.load_decoder(opened, options, heads, shortlist)


def open_aligner(opened: Bundle, options: EngineOptions = AUTO) -> AlignmentModel:
    """Open the word aligner of a bundle that has one. Raises as `open_decoder`."""
    spec = ENGINES[engine_of(opened, "word_aligner", options)]
    if spec.load_aligner is None:
        raise _unsupported(spec, "cannot run a word aligner")
    return spec.load_aligner(opened, options)


def engine_of(opened: Bundle, part: Part, options: EngineOptions = AUTO) -> EngineName:
    """Return the engine for a part of a bundle; for `auto` the first of `ENGINES` that can run it.

    Raises as `open_decoder`.
    """
    engine, device = options.engine, options.device
    if engine != "auto":
        spec = get_choice(ENGINES, engine, "an engine")
        if not spec.supports(device):
            problem, hint = spec.wrong_device
            raise UsageError(problem.format(device=device), hint)
        if not spec.has_files(opened, part):
            raise _no_files(spec, opened)
        if not spec.is_installed():
            raise _not_installed(spec.package, opened)
        return engine
    suitable = [
        name
        for name, spec in ENGINES.items()
        if spec.supports(device) and spec.has_files(opened, part)
    ]
    for name in suitable:
        if ENGINES[name].is_installed():
            return name
    if suitable:
        raise _not_installed(ENGINES[suitable[-1]].package, opened)
    raise _no_files(list(ENGINES.values())[-1], opened)


def _unsupported(spec: EngineSpec, problem: str) -> UsageError:
    return UsageError(f"{spec.title} {problem}", "Choose another --engine, or leave it out.")


def _no_files(spec: EngineSpec, opened: Bundle) -> ModelError:
    problem, hint = (text.format(name=opened.name, path=opened.path) for text in spec.no_files)
    return ModelError(problem, hint)


def _not_installed(package: str, opened: Bundle) -> ModelError:
    return ModelError(
        f"the model {opened.name} needs {package}, which is not installed",
        f"Install it: pip install {package}",
    )
