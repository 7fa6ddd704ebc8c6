"""Validate a network on held-out pairs: loss, greedy BLEU and chrF, and one sample alignment."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from attn_cli import evaluation
from attn_cli.data.batching import Batch
from attn_cli.data.tokenizer_interface import SubwordTokenizer
from attn_cli.inference.beam_search import SearchConfig
from attn_cli.inference.engines.interface import ALL_HEADS, HeadSelection, StepOutput
from attn_cli.inference.engines.torch import SearchState, TorchDecoder
from attn_cli.inference.generation import BeamSearchGenerator
from attn_cli.inference.pair_aligner import PairAligner
from attn_cli.inference.translator import Translator
from attn_cli.nn.device import Hardware
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.training import events
from attn_cli.training.early_stopping import ValidationScores
from attn_cli.training.group import Group
from attn_cli.training.interruption import Interrupted
from attn_cli.training.losses import negative_log_likelihood
from attn_cli.types import InputLine, IntArray


class SentenceWatcher:
    """Translates one sentence, or force-decodes its `target`, with the current network."""

    def __init__(
        self,
        source: str,
        target: str | None,
        *,
        tokenizers: tuple[SubwordTokenizer, SubwordTokenizer],
        search: SearchConfig,
        heads: HeadSelection | None = ALL_HEADS,
    ) -> None:
        self.source, self.target = source, target
        self.tokenizers, self.search, self.heads = tokenizers, search, heads

    def __call__(self, network: Seq2Seq, step: int) -> events.SentenceTranslated:
        """Return the event of update `step`; the network must be in evaluation mode."""
        decoder = TorchDecoder(network, self.heads or ALL_HEADS)
        align = self.heads is not None
        if self.target is None:
            generator = BeamSearchGenerator(decoder)
            translator = Translator(generator, *self.tokenizers, self.search, align=align)
            (translation,) = translator.translate([InputLine(1, self.source)])
        else:
            aligner = PairAligner(*self.tokenizers, decoder=decoder)
            (translation,) = aligner.align([InputLine(1, self.source, self.target)])
        return events.SentenceTranslated(
            step, self.source, translation.text, translation.alignment if align else None
        )


class Validator:
    """Validates networks on the same pairs.

    `batches` are the segmented pairs, for the loss; `sources` and `references` their raw text. The
    sample alignment is that of `heads`; with None, for a network without attention,
    there is none.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        sources: Sequence[str],
        references: Sequence[str],
        *,
        tokenizers: tuple[SubwordTokenizer, SubwordTokenizer],
        search: SearchConfig,
        hardware: Hardware,
        heads: HeadSelection | None = ALL_HEADS,
        interrupted: Callable[[], bool] = lambda: False,
        group: Group | None = None,
    ) -> None:
        self.group, self.interrupted = group or Group(), interrupted
        self.batches, self.references, self.hardware = batches, list(references), hardware
        self.inputs = [InputLine(line, text) for line, text in enumerate(sources, start=1)]
        self.tokenizers, self.search, self.heads = tokenizers, search, heads
        self.sample = pick_sample(sources)

    def __call__(self, network: Seq2Seq) -> ValidationScores:
        """Return the scores of the network, which must be in evaluation mode.

        With a NaN or infinite loss nothing is translated. Raises Interrupted on every worker.
        """
        loss = self._loss(network)
        if not math.isfinite(loss):
            return ValidationScores(loss, 0.0, 0.0)
        decoder = _InterruptibleDecoder(network, self.heads or ALL_HEADS, self.interrupted)
        texts = self._translate(decoder)
        samples = self.inputs[self.sample : self.sample + 1] if self.heads is not None else []
        if not self.group.is_main:
            samples = []
        # Not interruptible, since only the main worker runs it.
        generator = BeamSearchGenerator(TorchDecoder(network, decoder.heads))
        translator = Translator(generator, *self.tokenizers, self.search, align=True)
        sample = translator.translate(samples)
        bleu, chrf = 0.0, 0.0
        if self.group.is_main:
            bleu, chrf = (
                evaluation.bleu(texts, self.references),
                evaluation.chrf(texts, self.references),
            )
        bleu, chrf = self.group.broadcast([bleu, chrf])
        return ValidationScores(loss, bleu, chrf, sample[0].alignment if sample else None)

    def _translate(self, decoder: TorchDecoder) -> list[str]:
        """Return all translations; each worker translates its share of the sentences."""
        rank, size = self.group.rank, self.group.size
        translator = Translator(BeamSearchGenerator(decoder), *self.tokenizers, self.search)
        try:
            own_texts = [each.text for each in translator.translate(self.inputs[rank::size])]
        except Interrupted:
            own_texts = None
        texts = [""] * len(self.inputs)
        for worker, part in enumerate(self.group.gather(own_texts)):
            if part is None:
                raise Interrupted
            texts[worker::size] = part
        return texts

    @torch.inference_mode()
    def _loss(self, network: Seq2Seq) -> float:
        """Return the mean loss per target piece, in nats, without smoothing."""
        total, pieces, interrupted = 0.0, 0.0, 0.0
        for batch in self.batches[self.group.rank :: self.group.size]:
            if self.interrupted():
                interrupted = 1.0
                break
            src, src_len, tgt_in, tgt_out = (
                self.hardware.tensor(part)
                for part in (batch.source, batch.source_length, batch.target_in, batch.target_out)
            )
            with self.hardware.autocast():
                features = network(src, src_len, tgt_in, weights=False).features
                loss = negative_log_likelihood(network, features, tgt_out, smoothing=0.0)
            count = int(np.sum(batch.target_length))
            total, pieces = total + float(loss) * count, pieces + count
        total, pieces, interrupted = self.group.sum([total, pieces, interrupted])
        if interrupted:
            raise Interrupted
        return total / max(1.0, pieces)


class _InterruptibleDecoder(TorchDecoder):
    """A decoder that raises Interrupted before a step if `interrupted()`."""

    def __init__(
        self, network: Seq2Seq, heads: HeadSelection, interrupted: Callable[[], bool]
    ) -> None:
        super().__init__(network, heads)
        self.interrupted = interrupted

    def step(
        self, state: SearchState, previous: IntArray, target: IntArray | None = None
    ) -> StepOutput:
        if self.interrupted():
            raise Interrupted
        return super().step(state, previous, target)


def pick_sample(sources: Sequence[str]) -> int:
    """Return the index of the sample sentence, of about seven words, to fit a panel."""
    lengths = [len(text.split()) for text in sources]
    return min(range(len(lengths)), key=lambda i: (abs(lengths[i] - 7), i))
