"""Combinations of network settings that no network can have."""

from collections.abc import Iterator

from attn_cli.config.network import (
    TRANSFORMER,
    AttentionConfig,
    DecoderConfig,
    EncoderConfig,
)


def incompatibilities(
    encoder: EncoderConfig,
    attention: AttentionConfig,
    decoder: DecoderConfig,
    *,
    embedding: int,
    scorer: str,
) -> Iterator[tuple[bool, str, str]]:
    """Yield (is_invalid, problem, hint) for each combination that no network can have."""
    states = encoder.width
    if encoder.kind == "recurrent":
        states *= 1 + encoder.bidirectional
        yield (
            encoder.self_attention and states % encoder.heads > 0,
            f"model.encoder.heads = {encoder.heads} does not divide states of {states} units",
            "Choose a divisor.",
        )
    else:
        yield (
            encoder.self_attention,
            "model.encoder.self_attention is for recurrent encoders: a Transformer always has it",
            "Leave it out.",
        )
        yield (
            attention.kind == "none",
            "a Transformer encoder needs attention: it has no last state that represents the "
            "sentence",
            'Set model.encoder.kind = "recurrent" or another model.attention.kind.',
        )
    for name, part, heads in (
        ("encoder", encoder, encoder.heads),
        ("decoder", decoder, attention.heads),
    ):
        if part.kind == TRANSFORMER:
            yield (
                part.width != embedding,
                f"a Transformer adds its outputs to its embeddings, so model.{name}.width = "
                f"{part.width} must equal model.embedding = {embedding}",
                "Set both to the same number.",
            )
            yield (
                part.width % (2 * heads) > 0,
                f"model.{name}.width = {part.width} is not a multiple of twice its {heads} heads",
                f"Choose a multiple of {2 * heads}.",
            )
    if decoder.kind == TRANSFORMER:
        yield (
            attention.kind != "multihead",
            "a Transformer decoder has multihead attention in each layer, so "
            f'model.attention.kind cannot be "{attention.kind}"',
            'Set model.attention.kind = "multihead" or model.decoder.kind = "recurrent".',
        )
        yield (
            attention.normalizer != "softmax",
            f"a Transformer decoder normalizes by softmax, not by {attention.normalizer}",
            'Set model.attention.normalizer = "softmax".',
        )
    elif attention.kind == "multihead":
        yield (
            attention.width % attention.heads > 0 or states % attention.heads > 0,
            f"model.attention.heads = {attention.heads} does not divide both model.attention.width "
            f"= {attention.width} and states of {states} units",
            "Choose a divisor.",
        )
        yield (
            scorer == "dot",
            "multihead attention with plain dot products would give every head the same weights",
            'Set model.attention.scorer = "scaled_dot" or "general".',
        )
    yield (
        scorer == "dot" and decoder.width != states,
        f"a dot product needs states of equal width: model.decoder.width is {decoder.width} and "
        f"the encoder's states have {states} units",
        f"Set model.decoder.width = {states}, or choose another scorer.",
    )
    yield (
        attention.coverage and attention.kind != "additive",
        "model.attention.coverage needs additive attention, and model.attention.kind is "
        f"{attention.kind}",
        'Set model.attention.kind = "additive".',
    )
    yield (
        attention.kind == "none" and attention.normalizer != "softmax",
        "without attention there are no attention weights to normalize",
        "Leave model.attention.normalizer out.",
    )
