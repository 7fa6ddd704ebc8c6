"""The recipe section of the network, whose parts are in `network`."""

from dataclasses import dataclass, field
from typing import Literal

from attn_cli.config.fields import MAX_WIDTH, option
from attn_cli.config.network import (
    TRANSFORMER,
    AttentionConfig,
    DecoderConfig,
    DropoutConfig,
    EncoderConfig,
    WordAlignerConfig,
)
from attn_cli.config.validation import incompatibilities
from attn_cli.errors import UsageError


@dataclass(frozen=True)
class ModelConfig:
    """The network."""

    embedding: int = option(256, "width of the piece embeddings", low=1, high=MAX_WIDTH)
    tie_embeddings: Literal["all", "output", "none"] = option(
        "all",
        "embeddings that share one matrix: source, target and output (joint vocabulary only), "
        "target and output, or none",
    )
    layer_norm: bool = option(
        False,
        "layer normalization of the decoder's gates and, unless the scorer is dot, of the "
        "encoder's states",
    )
    positional_encoding: Literal["sinusoidal", "learned"] = option(
        "sinusoidal", "positional encoding of a Transformer"
    )
    norm_first: bool = option(
        True,
        "layer normalization of a Transformer before each sublayer (pre-norm, Xiong et al. 2020); "
        "false: after it (post-norm, Vaswani et al. 2017)",
    )
    activation: Literal["relu", "swish", "gelu"] = option(
        "relu", "activation of a Transformer's feed-forward layers"
    )
    scale_embeddings: bool = option(
        True, "multiply embeddings by the square root of their width (Vaswani et al. 2017)"
    )
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    word_aligner: WordAlignerConfig = field(default_factory=WordAlignerConfig)
    dropout: DropoutConfig = field(default_factory=DropoutConfig)

    def __post_init__(self) -> None:
        for is_invalid, problem, hint in incompatibilities(
            self.encoder,
            self.attention,
            self.decoder,
            embedding=self.embedding,
            scorer=self.scorer,
        ):
            if is_invalid:
                raise UsageError(problem, hint)

    @property
    def scorer(self) -> str:
        """The scorer in use, also for local, hard and multihead attention, or "none"."""
        if self.decoder.kind == TRANSFORMER:
            return "scaled_dot"
        kind = self.attention.kind
        return self.attention.scorer if kind in ("local", "hard", "multihead") else kind

    @property
    def has_attention(self) -> bool:
        """Whether the decoder has attention."""
        return self.attention.kind != "none"

    @property
    def heads(self) -> tuple[int, int]:
        """Number of layers with attention, and of heads in each; (0, 0) without attention."""
        if not self.has_attention:
            return 0, 0
        heads = self.attention.heads if self.attention.kind == "multihead" else 1
        return (self.decoder.layers if self.decoder.kind == TRANSFORMER else 1), heads
