"""How well a network does on pairs it does not learn from: loss, greedy BLEU and chrF, one table.

Knows sentences and scores; knows no optimiser.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

from attn_cli import score
from attn_cli.decode.beam import Search
from attn_cli.engine.base import ALONE, View
from attn_cli.engine.torch_engine import TorchStepper
from attn_cli.nn.hardware import Hardware
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.text.batching import Batch
from attn_cli.text.tokenizer import Tokenizer
from attn_cli.train.loop import Score
from attn_cli.train.objective import negative_log_likelihood
from attn_cli.translator import Job, Translator


class Validation:
    """The validation pairs, ready to be tried again and again.

    `batches` hold their pieces for the loss, `sources` and `references` their raw text. The table
    of one of them is seen through `view`; with None, for a network that looks nowhere, there is no
    table.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        sources: Sequence[str],
        references: Sequence[str],
        *,
        tokenizers: tuple[Tokenizer, Tokenizer],
        how: Search,
        hardware: Hardware,
        view: View | None = ALONE,
    ) -> None:
        self.batches, self.references, self.hardware = batches, list(references), hardware
        self.jobs = [Job(line, text) for line, text in enumerate(sources, start=1)]
        self.tokenizers, self.how, self.view = tokenizers, how, view
        self.sample = _telling(sources)

    def __call__(self, network: Seq2Seq) -> Score:
        """Try the network, which must be in evaluation mode.

        A loss that is not a number is all there is to say of it: nothing is translated then.
        """
        loss = self._loss(network)
        if not math.isfinite(loss):
            return Score(loss, 0.0, 0.0)
        stepper = TorchStepper(network, self.view or ALONE)
        texts = [
            t.text for t in Translator(stepper, *self.tokenizers, self.how).translate(self.jobs)
        ]
        telling = self.jobs[self.sample : self.sample + 1] if self.view is not None else []
        shown = Translator(stepper, *self.tokenizers, self.how, align=True).translate(telling)
        return Score(
            loss=loss,
            bleu=score.bleu(texts, self.references),
            chrf=score.chrf(texts, self.references),
            sample=shown[0].alignment if shown else None,
        )

    @torch.inference_mode()
    def _loss(self, network: Seq2Seq) -> float:
        """Nats a target piece, without smoothing."""
        total, pieces = 0.0, 0
        for batch in self.batches:
            src, src_len, tgt_in, tgt_out = (
                self.hardware.tensor(part)
                for part in (batch.source, batch.source_length, batch.target_in, batch.target_out)
            )
            with self.hardware.autocast():
                features = network(src, src_len, tgt_in, weights=False).features
                loss = negative_log_likelihood(network, features, tgt_out, smoothing=0.0)
            count = int(np.sum(batch.target_length))
            total, pieces = total + float(loss) * count, pieces + count
        return total / max(1, pieces)


def _telling(sources: Sequence[str]) -> int:
    """The sentence whose table is shown: of about seven words, so that it fits a panel."""
    lengths = [len(text.split()) for text in sources]
    return min(range(len(lengths)), key=lambda i: (abs(lengths[i] - 7), i))
