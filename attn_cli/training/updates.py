"""Make the updates of a network: the gradients of a batch, clipped, and a step of the optimizer."""

import math

from attn_cli.config import TrainConfig
from attn_cli.data.batching import BatchIterator
from attn_cli.nn.device import Hardware
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.training.budget import Schedule
from attn_cli.training.gradients import Gradients, Losses
from attn_cli.training.group import Group
from attn_cli.training.guided_alignment import Guidance
from attn_cli.training.optim import (
    build_optimizer,
    clip_gradients,
    learning_rate,
    set_learning_rate,
)
from attn_cli.training.trainer_state import TrainerState


class Updater:
    """Updates a network from batches of which each worker of `group` computes its share."""

    def __init__(
        self,
        network: Seq2Seq,
        batches: BatchIterator,
        *,
        settings: TrainConfig,
        hardware: Hardware,
        group: Group,
    ) -> None:
        self.network, self.batches, self.settings, self.group = network, batches, settings, group
        self.optimizer = build_optimizer(network, settings)
        self.gradients = Gradients(network, settings=settings, hardware=hardware, group=group)

    def update(self, state: TrainerState, schedule: Schedule, guidance: Guidance | None) -> int:
        """Make update `state.step` from the next batch; return the pieces of the whole batch.

        The loss is the mean over these pieces. If it or its gradient is not finite, the update is
        skipped and counted in `state`.
        """
        group = self.group
        share = self.batches.next_for_worker(
            rank=group.rank, size=group.size, parts=self.settings.accumulate
        )
        set_learning_rate(self.optimizer, learning_rate(state.step, self.settings, schedule))
        self.optimizer.zero_grad(set_to_none=True)
        losses = self.gradients.compute(
            share, step=state.step, guidance=guidance, reward=state.reward
        )
        norm = clip_gradients(self.network.parameters(), self.settings.clip_norm)
        losses = Losses(*group.sum(losses))
        if not (math.isfinite(losses.total) and math.isfinite(norm)):
            state.skipped += 1
            state.skipped_in_a_row += 1
            return share.n_pieces
        self.optimizer.step()
        state.skipped_in_a_row = 0
        state.count(losses)
        if losses.sampled_share and math.isfinite(losses.baseline):
            state.reward = losses.baseline / losses.sampled_share
        return share.n_pieces
