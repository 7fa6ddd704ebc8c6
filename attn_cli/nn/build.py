"""A recipe's [model] becomes a network. The one place that turns names into classes."""

from torch import Tensor, nn

from attn_cli.config import Model
from attn_cli.nn.alignment_head import AlignmentHead
from attn_cli.nn.attention import SoftAttention
from attn_cli.nn.decoders import RecurrentDecoder
from attn_cli.nn.embeddings import PieceEmbedding, PieceScores
from attn_cli.nn.encoders import RecurrentEncoder
from attn_cli.nn.scorers import AdditiveScorer
from attn_cli.nn.seq2seq import DeepOutput, Seq2Seq


def build(model: Model, *, source_vocab: int, target_vocab: int) -> Seq2Seq:
    """A network with fresh weights, drawn from torch's global generator.

    Tied matrices are one parameter; `state.tensors_of` saves it once.
    """
    encoder = RecurrentEncoder(
        model.embedding,
        model.encoder.width,
        layers=model.encoder.layers,
        dropout=model.dropout.states,
        layer_norm=model.layer_norm,
    )
    scorer = AdditiveScorer(
        model.decoder.width,
        encoder.width,
        model.attention.width,
        activation=model.attention.activation,
    )
    decoder = RecurrentDecoder(
        model.embedding,
        model.decoder.width,
        SoftAttention(scorer),
        value=encoder.width,
        layers=model.decoder.layers,
        dropout=model.dropout.states,
        layer_norm=model.layer_norm,
    )
    network = Seq2Seq(
        source_embedding=PieceEmbedding(
            source_vocab, model.embedding, dropout=model.dropout.embedding
        ),
        target_embedding=PieceEmbedding(
            target_vocab, model.embedding, dropout=model.dropout.embedding
        ),
        encoder=encoder,
        decoder=decoder,
        readout=DeepOutput(
            model.decoder.width, encoder.width, model.embedding, dropout=model.dropout.readout
        ),
        scores=PieceScores(target_vocab, model.embedding),
    )
    _initialise(network)
    if model.tied == "all":
        network.source_embedding.table = network.target_embedding.table
    if model.tied in ("all", "output"):
        network.scores.tie(network.target_embedding)
    return network


def build_head(model: Model, *, source_vocab: int, target_vocab: int) -> AlignmentHead:
    """An alignment head with fresh weights, drawn from torch's global generator.

    It shares one table of pieces between both languages where the network does.
    """
    settings = model.alignment_head
    return AlignmentHead(
        source_vocab=source_vocab,
        target_vocab=target_vocab,
        shared=model.tied == "all",
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
        elif isinstance(module, nn.GRU):
            for name, weight in module.named_parameters():
                if name.startswith("bias"):
                    nn.init.zeros_(weight)
                else:
                    _each_gate(weight, orthogonal=name.startswith("weight_hh"))
    _each_gate(network.decoder.cell.from_state.weight, orthogonal=True)


def _each_gate(weight: Tensor, *, orthogonal: bool) -> None:
    for gate in weight.data.chunk(3, dim=0):
        nn.init.orthogonal_(gate) if orthogonal else nn.init.xavier_uniform_(gate)
