"""attn: a translator whose users can see what the network looks at.

The public names below are loaded when they are first used, so importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attn_cli.api.fitting import align
    from attn_cli.api.model import Model, load
    from attn_cli.api.results import (
        Alignment,
        AlignmentResult,
        ExplanationResult,
        TranslationResult,
    )
    from attn_cli.bundles.bundle import Bundle, open_bundle
    from attn_cli.config import Recipe
    from attn_cli.data.tokenizer import Tokenizer
    from attn_cli.errors import AttnError, ExitStatus
    from attn_cli.inference.beam_search import SearchConfig
    from attn_cli.inference.engines.interface import IncrementalDecoder
    from attn_cli.inference.engines.registry import EngineOptions, open_decoder, open_generator
    from attn_cli.inference.pair_aligner import PairAligner
    from attn_cli.inference.pair_options import PairOptions
    from attn_cli.inference.translator import Translator
    from attn_cli.types import Hypothesis, InputLine, SoftAlignment, Translation, WordAlignment

_HOMES = {
    "Alignment": "api.results",
    "AlignmentResult": "api.results",
    "ExplanationResult": "api.results",
    "Model": "api.model",
    "PairAligner": "inference.pair_aligner",
    "PairOptions": "inference.pair_options",
    "EngineOptions": "inference.engines.registry",
    "AttnError": "errors",
    "Bundle": "bundles.bundle",
    "ExitStatus": "errors",
    "Hypothesis": "types",
    "WordAlignment": "types",
    "Recipe": "config",
    "SearchConfig": "inference.beam_search",
    "SoftAlignment": "types",
    "InputLine": "types",
    "IncrementalDecoder": "inference.engines.interface",
    "Tokenizer": "data.tokenizer",
    "Translation": "types",
    "TranslationResult": "api.results",
    "Translator": "inference.translator",
    "align": "api.fitting",
    "load": "api.model",
    "open_bundle": "bundles.bundle",
    "open_decoder": "inference.engines.registry",
    "open_generator": "inference.engines.registry",
}

__all__ = [
    "Alignment",
    "AlignmentResult",
    "AttnError",
    "Bundle",
    "EngineOptions",
    "ExitStatus",
    "ExplanationResult",
    "Hypothesis",
    "IncrementalDecoder",
    "InputLine",
    "Model",
    "PairAligner",
    "PairOptions",
    "Recipe",
    "SearchConfig",
    "SoftAlignment",
    "Tokenizer",
    "Translation",
    "TranslationResult",
    "Translator",
    "WordAlignment",
    "__version__",
    "align",
    "load",
    "open_bundle",
    "open_decoder",
    "open_generator",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("attn-cli")
        except PackageNotFoundError:  # run from a folder that was never installed
            return "0+unknown"
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"attn_cli.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'attn_cli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
