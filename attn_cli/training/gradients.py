"""Compute the losses of a batch and their gradients, on one worker or several."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

from torch import Tensor, nn

from attn_cli.config import TrainConfig
from attn_cli.data.batching import Batch, WorkerBatch
from attn_cli.nn.device import Hardware
from attn_cli.nn.seq2seq import ForwardOutput, Seq2Seq
from attn_cli.training.compiling import compile_network
from attn_cli.training.group import Group, without_sync
from attn_cli.training.guided_alignment import Guidance
from attn_cli.training.losses import negative_log_likelihood
from attn_cli.training.reinforce import reinforce_loss
from attn_cli.types import FloatArray


class Losses(NamedTuple):
    """The losses of an update, or the contribution of a part of its batch.

    `guided` is a sum over `guided_pieces`; `baseline` is summed over the share `sampled_share` of
    the batch in which hard attention sampled positions.
    """

    total: float = 0.0
    translation: float = 0.0
    guided: float = 0.0
    guided_pieces: float = 0
    baseline: float = 0.0
    sampled_share: float = 0.0


class _BatchLosses(NamedTuple):
    """The losses of a batch, means over its pieces.

    `total` is `translation` plus the REINFORCE loss of hard attention, without `guided`. `baseline`
    is the next baseline of hard attention, None without sampling.
    """

    total: Tensor
    translation: Tensor
    guided: Tensor | None
    baseline: float | None


class Gradients:
    """Computes the gradients of a network, averaged over the workers of `group`."""

    def __init__(
        self, network: Seq2Seq, *, settings: TrainConfig, hardware: Hardware, group: Group
    ) -> None:
        self.network, self.settings = network, settings
        self.hardware, self.group = hardware, group
        self._parallel: nn.Module = network
        self._forward: Callable[..., ForwardOutput] = network

    def prepare(self) -> None:
        """Wrap the network for several workers, and compile it if `settings.compile`."""
        self._parallel = self.group.wrap(self.network, self.hardware.device)
        compiles = self.settings.compile
        self._forward = compile_network(self._parallel) if compiles else self._parallel

    def compute(
        self, share: WorkerBatch, *, step: int, guidance: Guidance | None, reward: float | None
    ) -> Losses:
        """Add the gradients of a worker's share of a batch; return its part of the losses.

        `step` is the update, for the weight of the guided loss; `reward` is the baseline of hard
        attention.
        """
        targets = [
            guidance.target_distribution(batch) if guidance else None
            for batch in share.micro_batches
        ]
        n_guided = [0 if t is None or share.is_empty else int(t.any(-1).sum()) for t in targets]
        total_guided = max(1.0, self.group.sum([sum(n_guided)])[0]) if guidance else 1.0
        weight = guidance.weight_at(step) if guidance else 0.0
        losses = Losses(guided_pieces=sum(n_guided))
        for number, batch in enumerate(share.micro_batches):
            pieces = 0 if share.is_empty else int(batch.target_length.sum())
            part, guided_part = pieces / share.n_pieces, n_guided[number] / total_guided
            is_last = number == len(share.micro_batches) - 1
            with nullcontext() if is_last else without_sync(self._parallel):
                batch_losses = self._losses(batch, targets[number], guidance, reward)
                total = batch_losses.total * part
                if batch_losses.guided is not None:
                    total = total + batch_losses.guided * (weight * guided_part)
                # Gradients are averaged over the workers, but losses are summed: hence the size.
                (total * self.group.size).backward()  # type: ignore[no-untyped-call]
            losses = Losses(
                losses.total + _value(total),
                losses.translation + _value(batch_losses.translation) * part,
                losses.guided + _value(batch_losses.guided) * n_guided[number],
                losses.guided_pieces,
                losses.baseline + (batch_losses.baseline or 0.0) * part,
                losses.sampled_share + (part if batch_losses.baseline is not None else 0.0),
            )
        return losses

    def _losses(
        self,
        batch: Batch,
        targets: FloatArray | None,
        guidance: Guidance | None,
        reward: float | None,
    ) -> _BatchLosses:
        src, src_len, tgt_in, tgt_out = (
            self.hardware.tensor(part)
            for part in (batch.source, batch.source_length, batch.target_in, batch.target_out)
        )
        baseline = None
        with self.hardware.autocast():
            output = self._forward(src, src_len, tgt_in, weights=targets is not None)
            loss = negative_log_likelihood(
                self.network,
                output.features,
                tgt_out,
                smoothing=self.settings.label_smoothing,
                sampled=self.settings.sampled_softmax,
            )
            total = loss
            if output.sampled_logp is not None:
                hard_loss, baseline = reinforce_loss(
                    self.network, output, tgt_out, baseline=reward, settings=self.settings
                )
                total = total + hard_loss
        if guidance is None or targets is None:
            return _BatchLosses(total, loss, None, baseline)
        assert output.weights is not None
        return _BatchLosses(total, loss, guidance.loss(output.weights, targets, batch), baseline)


def _value(loss: Tensor | None) -> float:
    return 0.0 if loss is None else float(loss.detach())
