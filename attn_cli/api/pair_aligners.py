"""The aligners of a loaded model: by its attention, by single heads, by its word aligner."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from attn_cli.bundles.bundle import Bundle
from attn_cli.errors import ModelError
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    IncrementalDecoder,
)
from attn_cli.inference.engines.registry import EngineOptions, open_heads
from attn_cli.inference.from_bundle import pair_aligner_of, require_decoder
from attn_cli.inference.head_request import HeadRequest
from attn_cli.inference.pair_options import PairOptions

if TYPE_CHECKING:
    from attn_cli.inference.linkers import AlignerProtocol

OpenAligner = Callable[[], AlignmentModel]


def attention_aligner(
    bundle: Bundle,
    decoder: IncrementalDecoder | None,
    heads: HeadRequest | None,
    *,
    options: PairOptions,
    engine: EngineOptions,
) -> "AlignerProtocol":
    """Return an aligner by the decoder's attention, or by the heads of a request.

    Raises ModelError for a model without attention, UsageError for heads that it does not have.
    """
    require_decoder(bundle)
    if not bundle.has_attention:
        raise ModelError(
            f"the model {bundle.name} has no attention: it encodes the sentence as one vector",
            "Use a model with attention or a word aligner.",
        )
    build = functools.partial(pair_aligner_of, bundle, options)
    if heads is None:
        return build(decoder=decoder)
    from attn_cli.inference.linkers import PerHeadAligner

    selected, by_head = open_heads(bundle, engine, heads)
    aligner = build(decoder=selected)
    if not by_head:
        return aligner
    return PerHeadAligner(aligner, [(head, build(decoder=each)) for head, each in by_head])


def other_aligner(
    bundle: Bundle,
    decoder: IncrementalDecoder | None,
    open_aligner: OpenAligner,
    *,
    by_aligner: bool,
    options: PairOptions,
) -> "AlignerProtocol | None":
    """Return an aligner by the weights that are not shown; None if the model has no others."""
    if by_aligner:
        if not (bundle.can_translate and bundle.has_attention):
            return None
        return pair_aligner_of(bundle, options, decoder=decoder)
    if not bundle.can_align:
        return None
    return pair_aligner_of(bundle, options, aligner=open_aligner())
