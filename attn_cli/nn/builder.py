"""Build the networks of a recipe: the only place that turns its names into classes."""

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


def build_model(model: ModelConfig, *, source_vocab: int, target_vocab: int) -> Seq2Seq:
    """Build a network with random parameters from PyTorch's global generator.

    Tied matrices are one parameter; `unique_state_dict` returns it once.
    """
    encoder = _encoder(model)
    decoder = _decoder(model, encoder.width)
    network = Seq2Seq(
        source_embedding=_embedding(model, source_vocab),
        target_embedding=_embedding(model, target_vocab),
        encoder=encoder,
        decoder=decoder,
        readout=_readout(model, decoder),
        output_projection=OutputProjection(target_vocab, model.embedding),
    )
    _init_parameters(network)
    if model.tie_embeddings == "all":
        network.source_embedding.embedding = network.target_embedding.embedding
    if model.tie_embeddings in ("all", "output"):
        network.output_projection.tie(network.target_embedding)
    return network


def _embedding(model: ModelConfig, vocab: int) -> PieceEmbedding:
    return PieceEmbedding(
        vocab, model.embedding, dropout=model.dropout.embedding, scaled=model.scale_embeddings
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


def _decoder(model: ModelConfig, value: int) -> Decoder:
    """Build the decoder for encoder states of width `value`."""
    settings = model.decoder
    if settings.kind == TRANSFORMER:
        heads, feed_forward = model.attention.heads, settings.feed_forward
        return TransformerDecoder(
            settings.width,
            _layer_options(model, heads=heads, feed_forward=feed_forward),
            value=value,
            layers=settings.layers,
            positions=model.positional_encoding,
        )
    kind = LuongDecoder if settings.input_feeding else BahdanauDecoder
    return kind(
        model.embedding,
        settings.width,
        _attention(model, value),
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


def _attention(model: ModelConfig, value: int) -> Attention:
    """Build the attention of a recurrent decoder to states of width `value`."""
    settings, query = model.attention, model.decoder.width
    normalizer = get_choice(NORMALIZERS, settings.normalizer, "a normalizer")
    if settings.kind == "none":
        return NoAttention(value=value, bidirectional=model.encoder.bidirectional)
    if settings.kind == "local":
        return LocalAttention(
            _scorer(model, settings.scorer, value),
            query=query,
            value=value,
            window=settings.window,
            normalizer=normalizer,
        )
    if settings.kind == "hard":
        scorer = _scorer(model, settings.scorer, value)
        return HardAttention(scorer, value=value, normalizer=normalizer)
    if settings.kind == "multihead":
        scorers = [
            _scorer(model, settings.scorer, value, heads=settings.heads)
            for _ in range(settings.heads)
        ]
        return MultiHeadAttention(scorers, value=value, normalizer=normalizer)
    scorer = _scorer(model, settings.kind, value)
    project_values = settings.kind == "scaled_dot"
    return SoftAttention(scorer, value=value, normalizer=normalizer, project_values=project_values)


def _scorer(model: ModelConfig, kind: str, value: int, *, heads: int = 1) -> Scorer:
    """Build a scorer for values of width `value`; `heads` of them divide the attention's width."""
    build = get_choice(SCORERS, kind, "a scorer")
    return build(model, value, model.attention.width // heads)


def _additive(model: ModelConfig, value: int, width: int) -> Scorer:
    settings = model.attention
    return AdditiveScorer(
        model.decoder.width,
        value,
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


def build_word_aligner(model: ModelConfig, *, source_vocab: int, target_vocab: int) -> WordAligner:
    """Build a word aligner with random parameters from PyTorch's global generator.

    With `tie_embeddings = "all"` both languages share one embedding matrix.
    """
    settings = model.word_aligner
    return WordAligner(
        source_vocab=source_vocab,
        target_vocab=target_vocab,
        shared=model.tie_embeddings == "all",
        embedding=settings.embedding,
        width=settings.width,
        channels=settings.channels,
        dropout=settings.dropout,
    )


def _init_parameters(network: Seq2Seq) -> None:
    """Orthogonal recurrent matrices, Glorot others (after Bahdanau et al. 2015, appendix B.1)."""
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
    for gate in weight.data.chunk(weight.shape[0] // width, dim=0):
        nn.init.orthogonal_(gate) if orthogonal else nn.init.xavier_uniform_(gate)
