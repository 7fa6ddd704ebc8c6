"""The recipe sections in [model]: encoder, attention, decoder, dropout, word aligner."""

from dataclasses import dataclass
from typing import Literal

from attn_cli.config.fields import MAX_WIDTH, option

Family = Literal["recurrent", "transformer"]
Cell = Literal["rnn", "lstm", "gru"]
Scorer = Literal["additive", "dot", "general", "scaled_dot"]

TRANSFORMER = "transformer"


@dataclass(frozen=True)
class EncoderConfig:
    """The encoder: a sentence to states."""

    kind: Family = option("recurrent", "the family")
    cell: Cell = option("gru", "the recurrent cell")
    layers: int = option(1, "layers", low=1, high=32)
    width: int = option(
        256,
        "units of each direction, or of a Transformer's states (d_model)",
        low=1,
        high=MAX_WIDTH,
    )
    bidirectional: bool = option(True, "bidirectional recurrent layers")
    self_attention: bool = option(False, "self-attention over the recurrent states")
    heads: int = option(4, "heads of self-attention in the encoder", low=1, high=MAX_WIDTH)
    feed_forward: int = option(
        1024, "hidden units of a Transformer's feed-forward layers", low=1, high=MAX_WIDTH
    )


@dataclass(frozen=True)
class AttentionConfig:
    """The attention of the decoder over the encoder's states."""

    kind: Literal[Scorer, "local", "hard", "multihead", "none"] = option(
        "general",
        "soft attention with this scorer (general: a bilinear form, Luong et al. 2015; additive: "
        "a feed-forward network, Bahdanau et al. 2015); local, hard or multihead attention with "
        "`scorer`; or none",
    )
    scorer: Scorer = option("additive", "the scorer of local, hard and multihead attention")
    activation: Literal["tanh", "relu", "sigmoid"] = option(
        "tanh", "activation of the additive scorer"
    )
    width: int = option(
        256, "units of the scorer's hidden layer, or of all heads together", low=1, high=MAX_WIDTH
    )
    heads: int = option(
        4, "heads of multihead attention, in each layer of a Transformer", low=1, high=MAX_WIDTH
    )
    normalizer: Literal["softmax", "sparsemax", "entmax"] = option(
        "softmax",
        "turns scores into attention weights; sparsemax and entmax give exact zeros, and sparsemax "
        "has no gradient where it selects a single position",
    )
    coverage: bool = option(
        False,
        "coverage (Tu et al. 2016): the additive scorer reads the sum of earlier attention weights",
    )
    window: int = option(
        10, "half-width of local attention's window, in pieces", low=1, high=MAX_WIDTH
    )


@dataclass(frozen=True)
class DecoderConfig:
    """The decoder: the next piece from the previous ones and the attention."""

    kind: Family = option("recurrent", "the family")
    cell: Cell = option("gru", "the recurrent cell")
    layers: int = option(1, "layers", low=1, high=32)
    width: int = option(512, "units of the decoder's state", low=1, high=MAX_WIDTH)
    input_feeding: bool = option(
        True,
        "recurrent: attend after the cell and feed the result to the next step (Luong et al. "
        "2015); false: attend before the cell (Bahdanau et al. 2015)",
    )
    feed_forward: int = option(
        1024, "hidden units of a Transformer's feed-forward layers", low=1, high=MAX_WIDTH
    )


@dataclass(frozen=True)
class DropoutConfig:
    """Dropout probabilities in training."""

    embedding: float = option(0.2, "dropout of the embeddings", low=0, high=0.95)
    states: float = option(
        0.3, "dropout of the encoder's states and between layers", low=0, high=0.95
    )
    output: float = option(0.3, "dropout of the output layer", low=0, high=0.95)


@dataclass(frozen=True)
class WordAlignerConfig:
    """The word aligner: a separate network that links the words of two given sentences.

    `word_aligner = true` or `false` in a recipe sets `enabled` alone.
    """

    enabled: bool = option(True, "whether the model has a word aligner")
    embedding: int = option(256, "width of its piece embeddings", low=1, high=MAX_WIDTH)
    width: int = option(
        128, "units of each direction of its GRUs over words", low=1, high=MAX_WIDTH
    )
    channels: int = option(8, "channels of its pairwise scorer", low=1, high=MAX_WIDTH)
    dropout: float = option(0.2, "dropout probability in its training", low=0, high=0.95)
    threshold: float = option(
        0.3, "minimum probability of a link, unless --threshold is given", low=0, high=1
    )
