"""Align pairs by the self-attention of a network: source by source, or target by target words."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from attn_cli.alignment.merge import build_alignment, label_units
from attn_cli.errors import ModelError, UsageError
from attn_cli.inference.pair_aligner import PairAligner
from attn_cli.types import (
    FloatArray,
    HeadAlignment,
    InputLine,
    IntArray,
    SoftAlignment,
    TableKind,
    TokenizedLine,
    Translation,
)

Side = Literal["encoder", "decoder"]

#: The kind of the table of each side.
KINDS: dict[Side, TableKind] = {
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
}


class SelfAttentionTracer(Protocol):
    """A network that records its self-attention."""

    def trace_self_attention(self, ids: IntArray, target: IntArray, side: Side) -> list[FloatArray]:
        """(S,) source pieces and (T,) target pieces, EOS last → the weights of each layer.

        These are (heads, S, S) of the encoder or (heads, T, T) of the decoder, whose input pieces
        begin with BOS.
        """
        ...


class SelfAttentionAligner:
    """Adds square tables to pairs: the self-attention of the encoder or of the decoder.

    `pairs` encodes the sides. The table is the mean of the heads of `layer`, by default the last,
    or of `head` alone, both counted from 1. With `each_head` the `heads` are the tables of all
    heads of that layer, or of all layers, for the first `pairs_with_heads` pairs if that is not
    None. Source and text of each translation are the same side.
    """

    def __init__(
        self,
        pairs: PairAligner,
        tracer: SelfAttentionTracer,
        side: Side,
        *,
        layer: int | None = None,
        head: int = 0,
        each_head: bool = False,
        pairs_with_heads: int | None = None,
    ) -> None:
        self.pairs, self.tracer, self.side = pairs, tracer, side
        self.layer, self.head, self.each_head = layer, head, each_head
        self._heads_left = pairs_with_heads

    def align(self, pairs: Sequence[InputLine]) -> list[Translation]:
        """Return each pair with its `alignment`, in order.

        Raises ModelError if the network has no self-attention on that side, UsageError if it does
        not have that layer or head.
        """
        return [self._align(pair) for pair in pairs]

    def _align(self, pair: InputLine) -> Translation:
        source, target = self.pairs.sides(pair)
        line, text = (source, pair.source) if self.side == "encoder" else (target, pair.target)
        layers = self.tracer.trace_self_attention(source.ids, target.ids, self.side)
        self._check(layers)
        of_layer = layers[(self.layer or len(layers)) - 1]
        weights = of_layer[self.head - 1] if self.head else of_layer.mean(0)
        heads = [
            HeadAlignment(layer, head, self._table(of_head, line))
            for layer, of_heads in enumerate(layers, start=1)
            if self.each_head and self._heads_left != 0 and self.layer in (None, layer)
            for head, of_head in enumerate(of_heads, start=1)
        ]
        if self._heads_left:
            self._heads_left -= 1
        words = label_units(line, self.pairs.options.level).labels
        return Translation(
            pair.line,
            text,
            text,
            words,
            words,
            alignment=self._table(weights, line),
            heads=tuple(heads) if words else (),
        )

    def _table(self, weights: FloatArray, line: TokenizedLine) -> SoftAlignment:
        """Weights between pieces (T, T) → the table between words.

        The input of the decoder begins with BOS and lacks the last piece: BOS moves to the end.
        """
        if self.side == "decoder":
            weights = np.roll(weights, -1, axis=(0, 1))
        kind, level = KINDS[self.side], self.pairs.options.level
        return build_alignment(weights, line, line, kind=kind, mode="forced", level=level)

    def _check(self, layers: Sequence[FloatArray]) -> None:
        if not layers:
            raise ModelError(
                f"the {self.side} of the model has no self-attention",
                "Leave --show out to see its attention to the source, or name a Transformer.",
            )
        heads = len(layers[0])
        for name, number, count in (
            ("layer", self.layer or 1, len(layers)),
            ("head", self.head or 1, heads),
        ):
            if number > count:
                raise UsageError(
                    f"there is no {name} {number}: the {self.side} has self-attention in "
                    f"{len(layers)} layer{'s' * (len(layers) != 1)} of {heads} "
                    f"head{'s' * (heads != 1)}",
                    f"Choose a {name} from 1 to {count}.",
                )
