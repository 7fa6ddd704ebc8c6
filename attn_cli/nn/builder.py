"""A recipe's [model] becomes a network. The one place that turns names into classes."""

from torch import Tensor, nn

from attn_cli.config import TRANSFORMER, ModelConfig
from attn_cli.nn.attention import (
    Attention,
    HardAttention,
    LocalAttention,
    MultiHeadAttention,
    NoAttention,
    SoftAttention,
)
from attn_cli.nn.cells import Cell
from attn_cli.nn.decoders import Decoder, InputFeedingDecoder, RecurrentDecoder
from attn_cli.nn.embeddings import PieceEmbedding, PieceScores
from attn_cli.nn.encoders import RecurrentEncoder
from attn_cli.nn.normalizers import NORMALIZERS
from attn_cli.nn.scorers import (
    AdditiveScorer,
    DotScorer,
    GeneralScorer,
    ScaledDotScorer,
    Scorer,
)
from attn_cli.nn.seq2seq import DeepOutput, Seq2Seq, StateOutput
from attn_cli.nn.transformer import SelfAttention, TransformerDecoder, TransformerEncoder
from attn_cli.nn.word_aligner import AlignmentHead


def build(model: ModelConfig, *, source_vocab: int, target_vocab: int) -> Seq2Seq:
    """A network with fresh weights, drawn from torch's global generator.

    Tied matrices are one parameter; `state.tensors_of` saves it once.
    """
    encoder = _encoder(model)
    decoder = _decoder(model, encoder.width)
    network = Seq2Seq(
        source_embedding=PieceEmbedding(
            source_vocab, model.embedding, dropout=model.dropout.embedding
        ),
        target_embedding=PieceEmbedding(
            target_vocab, model.embedding, dropout=model.dropout.embedding
        ),
        encoder=encoder,
        decoder=decoder,
        readout=_readout(model, decoder),
        scores=PieceScores(target_vocab, model.embedding),
    )
    _initialise(network)
    if model.tie_embeddings == "all":
        network.source_embedding.table = network.target_embedding.table
    if model.tie_embeddings in ("all", "output"):
        network.scores.tie(network.target_embedding)
    return network


def _encoder(model: ModelConfig) -> RecurrentEncoder | TransformerEncoder:
    settings, dropout = model.encoder, model.dropout.states
    if settings.kind == TRANSFORMER:
        return TransformerEncoder(
            settings.width,
            layers=settings.layers,
            heads=settings.heads,
            feed_forward=settings.feed_forward,
            dropout=dropout,
            positions=model.positional_encoding,
        )
    width = settings.width * (1 + settings.bidirectional)
    looks = SelfAttention(width, heads=settings.heads, dropout=dropout)
    return RecurrentEncoder(
        model.embedding,
        settings.width,
        cell=settings.cell,
        layers=settings.layers,
        dropout=dropout,
        # A dot product of normalised states makes weights of 0 and 1 before anything is learnt.
        layer_norm=model.layer_norm and model.scorer != "dot",
        bidirectional=settings.bidirectional,
        looks=looks if settings.self_attention else None,
    )


def _decoder(model: ModelConfig, value: int) -> Decoder:
    """A decoder that looks at states of `value` units."""
    settings = model.decoder
    if settings.kind == TRANSFORMER:
        return TransformerDecoder(
            settings.width,
            value=value,
            layers=settings.layers,
            heads=model.attention.heads,
            feed_forward=settings.feed_forward,
            dropout=model.dropout.states,
            positions=model.positional_encoding,
        )
    kind = InputFeedingDecoder if settings.input_feeding else RecurrentDecoder
    return kind(
        model.embedding,
        settings.width,
        _attention(model, value),
        cell=settings.cell,
        layers=settings.layers,
        dropout=model.dropout.states,
        layer_norm=model.layer_norm,
    )


def _readout(model: ModelConfig, decoder: Decoder) -> DeepOutput | StateOutput:
    if model.decoder.kind == TRANSFORMER or model.decoder.input_feeding:
        return StateOutput(decoder.width, model.embedding, dropout=model.dropout.output)
    return DeepOutput(decoder.width, decoder.context, model.embedding, dropout=model.dropout.output)


def _attention(model: ModelConfig, value: int) -> Attention:
    """What a recurrent decoder looks at states of `value` units with."""
    settings, query = model.attention, model.decoder.width
    normalizer = NORMALIZERS[settings.normalizer]
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
            _scorer(model, settings.scorer, value, share=settings.heads)
            for _ in range(settings.heads)
        ]
        return MultiHeadAttention(scorers, value=value, normalizer=normalizer)
    scorer = _scorer(model, settings.kind, value)
    mapped = settings.kind == "scaled_dot"
    return SoftAttention(scorer, value=value, normalizer=normalizer, value_map=mapped)


def _scorer(model: ModelConfig, kind: str, value: int, *, share: int = 1) -> Scorer:
    """A scorer by name, with its share of the units where several divide them."""
    query, width = model.decoder.width, model.attention.width // share
    if kind == "dot":
        return DotScorer()
    if kind == "general":
        return GeneralScorer(query, value)
    if kind == "scaled_dot":
        return ScaledDotScorer(query, value, width)
    return AdditiveScorer(
        query,
        value,
        width,
        activation=model.attention.activation,
        coverage=model.attention.coverage,
    )


def build_head(model: ModelConfig, *, source_vocab: int, target_vocab: int) -> AlignmentHead:
    """A word aligner with fresh weights, drawn from torch's global generator.

    It shares one table of pieces between both languages where the network does.
    """
    settings = model.word_aligner
    return AlignmentHead(
        source_vocab=source_vocab,
        target_vocab=target_vocab,
        shared=model.tie_embeddings == "all",
        embedding=settings.embedding,
        width=settings.width,
        channels=settings.channels,
        dropout=settings.dropout,
    )


def _initialise(network: Seq2Seq) -> None:
    """Orthogonal recurrences and Glorot maps (Bahdanau et al. 2015, appendix B.1, in spirit)."""
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
                    _each_gate(matrix, module.hidden_size, orthogonal="_hh_" in name)
    for module in network.modules():
        if isinstance(module, Cell):
            weight = module.from_state.weight
            _each_gate(weight, weight.shape[1], orthogonal=True)


def _each_gate(weight: Tensor, width: int, *, orthogonal: bool) -> None:
    for gate in weight.data.chunk(weight.shape[0] // width, dim=0):
        nn.init.orthogonal_(gate) if orthogonal else nn.init.xavier_uniform_(gate)
