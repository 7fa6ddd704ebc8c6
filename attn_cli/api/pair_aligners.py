"""The aligners of a loaded model: by its attention, by single heads, by its word aligner."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from attn_cli.bundles.bundle import Bundle
from attn_cli.choices import Engine, Level
from attn_cli.errors import ModelError
from attn_cli.inference.engines.interface import (
    AlignmentModel,
    IncrementalDecoder,
    select_heads,
)
from attn_cli.inference.engines.registry import open_decoders
from attn_cli.inference.from_bundle import pair_aligner_of, require_decoder
from attn_cli.inference.head_request import HeadRequest

if TYPE_CHECKING:
    from attn_cli.inference.linkers import AlignerProtocol

OpenAligner = Callable[[], AlignmentModel]


def attention_aligner(
    bundle: Bundle,
    decoder: IncrementalDecoder | None,
    heads: HeadRequest | None,
    *,
    level: Level,
    engine: Engine,
    device: str,
    threads: int,
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
    build = functools.partial(pair_aligner_of, bundle, level=level)
    if heads is None:
        return build(stepper=decoder)
    from attn_cli.inference.linkers import PerHeadAligner

    recipe = bundle.recipe
    each = heads.single_heads(recipe)
    selections = [
        heads.select(recipe),
        *(select_heads(recipe.model, layer=layer, head=head) for layer, head in each),
    ]
    first, *others = open_decoders(
        bundle, selections, engine=engine, device=device, threads=threads
    )
    by_head = [(head, build(stepper=other)) for head, other in zip(each, others, strict=True)]
    aligner = build(stepper=first)
    return PerHeadAligner(aligner, by_head) if by_head else aligner


def other_aligner(
    bundle: Bundle,
    decoder: IncrementalDecoder | None,
    open_aligner: OpenAligner,
    *,
    by_aligner: bool,
    level: Level,
) -> "AlignerProtocol | None":
    """Return an aligner by the weights that are not shown; None if the model has no others."""
    if by_aligner:
        if not (bundle.can_translate and bundle.has_attention):
            return None
        return pair_aligner_of(bundle, stepper=decoder, level=level)
    if not bundle.can_align:
        return None
    return pair_aligner_of(bundle, matcher=open_aligner(), level=level)
