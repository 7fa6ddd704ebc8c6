"""Build the networks of a recipe: map the names of its kinds to classes."""

from collections.abc import Callable

from torch import Tensor, nn

from attn_cli.config import TRANSFORMER, ModelConfig
from attn_cli.errors import get_choice
from attn_cli.nn.attention import (
    Attention,
    HardAttention,
    LocalAttention,
    MultiHeadAttention,
    NoAttention,
    SoftAttention,
)
from attn_cli.nn.cells import Cell
from attn_cli.nn.decoders import BahdanauDecoder, Decoder, LuongDecoder
from attn_cli.nn.embeddings import OutputProjection, PieceEmbedding
from attn_cli.nn.encoders import RecurrentEncoder
from attn_cli.nn.normalizers import NORMALIZERS
from attn_cli.nn.scorers import (
    AdditiveScorer,
    DotScorer,
    GeneralScorer,
    ScaledDotScorer,
    Scorer,
)
from attn_cli.nn.seq2seq import DeepOutput, LinearReadout, Seq2Seq
from attn_cli.nn.transformer import (
    LayerOptions,
    SelfAttention,
    TransformerDecoder,
    TransformerEncoder,
)
from attn_cli.nn.word_aligner import WordAligner


def build_model(model: ModelConfig, *, source_vocab_size: int, target_vocab_size: int) -> Seq2Seq:
    """Build a network with random parameters from PyTorch's global generator.

    Tied matrices are one parameter; `unique_state_dict` returns it once.
    """
    encoder = _encoder(model)
    decoder = _decoder(model, encoder.width)
    network = Seq2Seq(
        source_embedding=_embedding(model, source_vocab_size),
        target_embedding=_embedding(model, target_vocab_size),
        encoder=encoder,
        decoder=decoder,
        readout=_readout(model, decoder),
        output_projection=OutputProjection(target_vocab_size, model.embedding),
    )
    _init_parameters(network)
    if model.tie_embeddings == "all":
        network.source_embedding.embedding = network.target_embedding.embedding
    if model.tie_embeddings in ("all", "output"):
        network.output_projection.tie(network.target_embedding)
    return network


def _embedding(model: ModelConfig, vocab_size: int) -> PieceEmbedding:
    return PieceEmbedding(
        vocab_size, model.embedding, dropout=model.dropout.embedding, scaled=model.scale_embeddings
    )


def _encoder(model: ModelConfig) -> RecurrentEncoder | TransformerEncoder:
    settings, dropout = model.encoder, model.dropout.states
    if settings.kind == TRANSFORMER:
        return TransformerEncoder(
            settings.width,
            _layer_options(model, heads=settings.heads, feed_forward=settings.feed_forward),
            layers=settings.layers,
            positions=model.positional_encoding,
        )
    width = settings.width * (1 + settings.bidirectional)
    self_attention = SelfAttention(width, heads=settings.heads, dropout=dropout)
    return RecurrentEncoder(
        model.embedding,
        settings.width,
        cell=settings.cell,
        layers=settings.layers,
        dropout=dropout,
        # A dot product of normalized states saturates the softmax from the start.
        layer_norm=model.layer_norm and model.scorer != "dot",
        bidirectional=settings.bidirectional,
        self_attention=self_attention if settings.self_attention else None,
    )


def _decoder(model: ModelConfig, value_size: int) -> Decoder:
    """Build the decoder for encoder states of width `value_size`."""
    settings = model.decoder
    if settings.kind == TRANSFORMER:
        heads, feed_forward = model.attention.heads, settings.feed_forward
        return TransformerDecoder(
            settings.width,
            _layer_options(model, heads=heads, feed_forward=feed_forward),
            value_size=value_size,
            layers=settings.layers,
            positions=model.positional_encoding,
        )
    decoder_class = LuongDecoder if settings.input_feeding else BahdanauDecoder
    return decoder_class(
        model.embedding,
        settings.width,
        _attention(model, value_size),
        cell=settings.cell,
        layers=settings.layers,
        dropout=model.dropout.states,
        layer_norm=model.layer_norm,
    )


def _layer_options(model: ModelConfig, *, heads: int, feed_forward: int) -> LayerOptions:
    return LayerOptions(
        heads,
        feed_forward,
        model.dropout.states,
        norm_first=model.norm_first,
        activation=model.activation,
    )


def _readout(model: ModelConfig, decoder: Decoder) -> DeepOutput | LinearReadout:
    if model.decoder.kind == TRANSFORMER or model.decoder.input_feeding:
        return LinearReadout(decoder.width, model.embedding, dropout=model.dropout.output)
    return DeepOutput(
        decoder.width, decoder.context_size, model.embedding, dropout=model.dropout.output
    )


def _attention(model: ModelConfig, value_size: int) -> Attention:
    """Build the attention of a recurrent decoder to states of width `value_size`."""
    settings, query = model.attention, model.decoder.width
    normalizer = get_choice(NORMALIZERS, settings.normalizer, "a normalizer")
    if settings.kind == "none":
        return NoAttention(value_size=value_size, bidirectional=model.encoder.bidirectional)
    if settings.kind == "local":
        return LocalAttention(
            _scorer(model, settings.scorer, value_size),
            query_size=query,
            value_size=value_size,
            window=settings.window,
            normalizer=normalizer,
        )
    if settings.kind == "hard":
        scorer = _scorer(model, settings.scorer, value_size)
        return HardAttention(scorer, value_size=value_size, normalizer=normalizer)
    if settings.kind == "multihead":
        scorers = [
            _scorer(model, settings.scorer, value_size, heads=settings.heads)
            for _ in range(settings.heads)
        ]
        return MultiHeadAttention(scorers, value_size=value_size, normalizer=normalizer)
    scorer = _scorer(model, settings.kind, value_size)
    project_values = settings.kind == "scaled_dot"
    return SoftAttention(
        scorer, value_size=value_size, normalizer=normalizer, project_values=project_values
    )


def _scorer(model: ModelConfig, kind: str, value_size: int, *, heads: int = 1) -> Scorer:
    """Build one of `heads` scorers, which share the attention's width equally."""
    build = get_choice(SCORERS, kind, "a scorer")
    return build(model, value_size, model.attention.width // heads)


def _additive(model: ModelConfig, value_size: int, width: int) -> Scorer:
    settings = model.attention
    return AdditiveScorer(
        model.decoder.width,
        value_size,
        width,
        activation=settings.activation,
        coverage=settings.coverage,
    )


#: Scorers by the names of the recipe: (model, width of a value, width of a key) → scorer.
SCORERS: dict[str, Callable[[ModelConfig, int, int], Scorer]] = {
    "additive": _additive,
    "dot": lambda model, value, width: DotScorer(),
    "general": lambda model, value, width: GeneralScorer(model.decoder.width, value),
    "scaled_dot": lambda model, value, width: ScaledDotScorer(model.decoder.width, value, width),
}


def build_word_aligner(
    model: ModelConfig, *, source_vocab_size: int, target_vocab_size: int
) -> WordAligner:
    """Build a word aligner with random parameters from PyTorch's global generator.

    With `tie_embeddings = "all"` both languages share one embedding matrix.
    """
    settings = model.word_aligner
    return WordAligner(
        source_vocab_size=source_vocab_size,
        target_vocab_size=target_vocab_size,
        share_embeddings=model.tie_embeddings == "all",
        embedding_size=settings.embedding,
        width=settings.width,
        channels=settings.channels,
        dropout=settings.dropout,
    )


def _init_parameters(network: Seq2Seq) -> None:
    """Initialize recurrent matrices as orthogonal, the others by Glorot & Bengio 2010.

    The orthogonal matrices follow Bahdanau et al. 2015, appendix B.1.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.RNNBase):
            for name, matrix in module.named_parameters():
                if name.startswith("bias"):
                    nn.init.zeros_(matrix)
                else:
                    _init_gates(matrix, module.hidden_size, orthogonal="_hh_" in name)
    for module in network.modules():
        if isinstance(module, Cell):
            weight = module.from_state.weight
            _init_gates(weight, weight.shape[1], orthogonal=True)


def _init_gates(weight: Tensor, width: int, *, orthogonal: bool) -> None:
    """Initialize the matrix (gates · H, …) of each gate by itself."""
    for gate in weight.data.chunk(weight.shape[0] // width, dim=0):
        nn.init.orthogonal_(gate) if orthogonal else nn.init.xavier_uniform_(gate)
