"""What the network is asked to do: give each next piece its probability. Knows no optimiser."""

from torch import Tensor
from torch.nn import functional

from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.values import PAD


def negative_log_likelihood(
    network: Seq2Seq, features: Tensor, wanted: Tensor, *, smoothing: float
) -> Tensor:
    """features (B, T, E), wanted (B, T) with PAD behind → mean loss of the real pieces, in nats.

    `smoothing` spreads that share of the mass over the vocabulary (Szegedy et al. 2016, §7).
    Padding is left out before it is scored, and the loss is taken in fp32 whatever the precision.
    """
    real = wanted != PAD  # (B, T)
    logits = network.scores(features[real]).float()  # (R, V), R real pieces
    return functional.cross_entropy(logits, wanted[real], label_smoothing=smoothing)
