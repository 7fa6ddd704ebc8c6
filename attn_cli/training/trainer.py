"""The training loop: updates, validations, checkpoints, and the same again after a resume.

Emits events and asks `interrupted` between two updates; knows no terminal, no signal and no text.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from attn_cli.config import TrainConfig
from attn_cli.data.batching import Batches
from attn_cli.errors import TrainingError
from attn_cli.nn.device import Hardware
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.training import checkpoint, events
from attn_cli.training.best_weights import BestWeights
from attn_cli.training.budget import Planner, Schedule, TimeBudget
from attn_cli.training.clocks import Clock, Rate
from attn_cli.training.decisions import Decision, agree
from attn_cli.training.early_stopping import Score, Scored, out_of_patience
from attn_cli.training.gradients import Gradients, Losses
from attn_cli.training.group import Group, count_workers
from attn_cli.training.guided_alignment import Guidance
from attn_cli.training.interruption import Interrupted
from attn_cli.training.optim import adamw, clip, learning_rate, set_rate
from attn_cli.training.resume import LAST
from attn_cli.training.saved_state import SavedState
from attn_cli.training.trainer_state import TrainerState

#: Seconds between two saves of the whole training state, so that a kill costs no more than that.
SAVE_SECONDS = 60.0

#: The share of the time that may go into the sentence which is watched.
WATCH_SHARE = 0.01


class Validate(Protocol):
    """Tries a network on the validation pairs."""

    def __call__(self, network: Seq2Seq) -> Score: ...


class Watch(Protocol):
    """Translates one sentence with a network, and tells of it."""

    def __call__(self, network: Seq2Seq, step: int) -> events.Watched: ...


class Trainer:
    """Trains one network and keeps its best weights.

    `publish` is called with the weights of each new best: it makes them the bundle's. `text` has
    the digests of the "training" and the "validation" text, which checkpoints name. With `guidance`
    the decoder's attention is pulled towards word links. All there is to do must be done within
    `budget`. `watch`, if given, is called at each validation, and at each report while it takes no
    more than `WATCH_SHARE` of the time.
    """

    def __init__(
        self,
        network: Seq2Seq,
        batches: Batches,
        validate: Validate,
        *,
        settings: TrainConfig,
        hardware: Hardware,
        folder: Path,
        text: Mapping[str, str] | None = None,
        publish: Callable[[dict[str, Tensor], Scored | None], None],
        emit: events.Listener,
        guidance: Guidance | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        budget: TimeBudget | None = None,
        watch: Watch | None = None,
        group: Group | None = None,
    ) -> None:
        self.network, self.batches, self.validate = network, batches, validate
        self.group = group or Group()
        self.settings, self.hardware = settings, hardware
        self.publish, self.emit, self.interrupted = publish, emit, interrupted
        self.guidance = guidance
        self.budget = budget or TimeBudget()
        self.watch = watch
        self.planner = Planner(
            self.budget,
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            average=settings.average_checkpoints > 1,
            export=settings.export != "none",
        )
        self.optimiser = adamw(network, settings)
        self.at = TrainerState()
        self.saved_state = SavedState(
            folder / LAST, network, self.optimiser, batches, text=text or {}, group=self.group
        )
        self.gradients = Gradients(network, settings=settings, hardware=hardware, group=self.group)
        self.best_weights = BestWeights(folder, max(1, settings.average_checkpoints))
        self._watch_seconds = 0.0  # that the sentence took, when it was watched last

    @property
    def _last(self) -> Path:
        return self.saved_state.path

    def resume(self) -> bool:
        """Go back to the last save, down to the random numbers to come; whether there was one.

        On another number of workers random numbers begin anew, which an event says.
        """
        restored = self.saved_state.restore()
        if restored is None:
            return False
        self.at, workers = restored
        self.at.restore_schedule(self.settings, limited=self.budget.limited)
        if workers == self.group.size:
            return True
        self.group.seed(self.at.step)
        self._tell(
            events.Noticed(
                f"the training was saved by {count_workers(workers)} and goes on with "
                f"{count_workers(self.group.size)}: the same batches, other random numbers"
            )
        )
        return True

    def save(self) -> None:
        """Write down where training stands; the first time, that makes the folder a model too.

        Not in the middle of updates that are not numbers: what is there then is the last good one.
        """
        random = self.group.gather_tensors(checkpoint.random_tensors(self.hardware.device))
        if not self.group.is_main or (self.at.skipped_in_a_row and self._last.exists()):
            return
        if not self.at.published:
            self.publish(unique_state_dict(self.network), None)
            self.at.published = True
        self.saved_state.write(self.at, random)

    @property
    def schedule(self) -> Schedule:
        """The one that a time limit has decided, or the recipe's."""
        return self.at.schedule or Schedule.of(self.settings)

    def _tell(self, event: events.Event) -> None:
        if self.group.is_main:
            self.emit(event)

    def run(self) -> events.Finished:
        """Train until there is a reason to stop, average, and say how it ended.

        Raises TrainingError after `nan_patience` updates in a row that are not numbers, or a
        validation that is none.
        """
        at, settings, now = self.at, self.settings, self.budget.clock
        clock = Clock(at.seconds, now)
        rate = Rate(now)
        saved = now()
        self.network.train()
        self.gradients.prepare()
        self._guide_until(self.schedule.last)
        due = False
        while True:
            if not self.at.is_validated and self.at.is_due(self.schedule):
                paused = now()
                is_whole = self._validate(clock)
                rate.paused += now() - paused
            else:
                is_whole = True
            decision = self._decide(due) if is_whole else Decision("interrupted")
            decision = agree(decision, self.group)
            if decision.schedule is not None:
                self.at.schedule = decision.schedule
                self._guide_until(decision.schedule.last)
            if decision.save:
                self.save()
                saved = now()
            if reason := decision.stop:
                break
            at.step += 1
            with self.group.watch():
                self._update()
            rate.tokens += self._tokens
            self.planner.count_update()
            at.seconds = clock.seconds()
            if at.step % settings.log_every == 0:
                self._report(rate, clock)
            due = now() - saved > SAVE_SECONDS
        if reason == "minutes" and not self.at.is_validated and not self._validate(clock):
            reason = "interrupted"
        at.finished, at.seconds = reason, clock.seconds()
        self.save()
        if reason != "interrupted" and not self._average():
            reason = "interrupted"
        bleu = at.best.bleu if at.best else 0.0
        finished = events.Finished(reason, at.step, bleu, at.skipped, clock.seconds())
        self._tell(finished)
        return finished

    def _decide(self, save: bool) -> Decision:
        """What this worker would do next. The main one alone reads the clock."""
        if not self.group.is_main:
            return Decision("interrupted" if self.interrupted() else "")
        schedule = self.planner.replan(self.at.step, self.schedule, self.settings)
        last = (schedule or self.schedule).last
        return Decision(self._reason_to_stop(last), save, schedule)

    def _guide_until(self, last: int) -> None:
        if self.guidance is not None:
            self.guidance = replace(self.guidance, max_steps=last)

    def _reason_to_stop(self, last: int) -> str:
        if self.interrupted():
            return "interrupted"
        if self.at.step >= last:
            return "steps" if last >= self.settings.max_steps else "minutes"
        if self.planner.is_over():
            return "minutes"
        if out_of_patience(self.at.history, self.settings.patience):
            return "patience"
        return ""

    def _update(self) -> None:
        """One update from the next batch, of which each worker computes its share.

        The loss is the mean over the pieces of the whole batch, however it is shared out.
        """
        at, group = self.at, self.group
        share = self.batches.next_share(
            rank=group.rank, size=group.size, parts=self.settings.accumulate
        )
        self._tokens = share.pieces
        set_rate(self.optimiser, self._learning_rate())
        self.optimiser.zero_grad(set_to_none=True)
        losses = self.gradients.compute(
            share, step=at.step, guidance=self.guidance, reward=at.reward
        )
        length = clip(self.network.parameters(), self.settings.clip_norm)
        losses = Losses(*group.sum(losses))
        if not (math.isfinite(losses.total) and math.isfinite(length)):
            self._skip()
            return
        self.optimiser.step()
        at.skipped_in_a_row = 0
        at.count(losses)
        if losses.drawn and math.isfinite(losses.baseline):
            at.reward = losses.baseline / losses.drawn

    def _skip(self) -> None:
        at = self.at
        at.skipped += 1
        at.skipped_in_a_row += 1
        self._tell(events.Skipped(at.step, at.skipped_in_a_row))
        if at.skipped_in_a_row >= self.settings.nan_patience:
            raise TrainingError(
                f"the loss was not a number {at.skipped_in_a_row} updates in a row, "
                f"at update {at.step}",
                self._way_out(),
            )

    def _learning_rate(self) -> float:
        return learning_rate(self.at.step, self.settings, self.schedule)

    def _report(self, rate: Rate, clock: Clock) -> None:
        at = self.at
        self._tell(
            events.Progress(
                step=at.step,
                max_steps=self.schedule.last,
                epoch=self.batches.epoch,
                loss=at.loss_sum / max(1, at.loss_count),
                guided=at.guided_sum / at.guided_pieces if at.guided_pieces else None,
                learning_rate=self._learning_rate(),
                tokens_per_second=rate.rate(),
                seconds=clock.seconds(),
                seconds_left=self.planner.seconds_left(at.step, self.schedule),
            )
        )
        at.forget()
        if self._watch_seconds <= WATCH_SHARE * rate.seconds():
            self._show_sentence()
        rate.restart()

    def _show_sentence(self) -> None:
        if self.watch is None:
            return
        began = self.budget.clock()
        self.network.eval()
        self.emit(self.watch(self.network, self.at.step))
        self.network.train()
        self._watch_seconds = self.budget.clock() - began

    def _validate(self, clock: Clock) -> bool:
        """Try the network and keep it if it is good; False where that was interrupted, before
        anything changed: resuming begins with it."""
        at = self.at
        began = clock.seconds()
        if self.group.size > 1:
            self.save()  # an interrupted worker may have to wait too long for the others
        self.network.eval()
        try:
            score = self.validate(self.network)
        except Interrupted:
            return False
        self.network.train()
        if not math.isfinite(score.loss):
            raise TrainingError(
                f"the validation loss at update {at.step} is not a number", self._way_out()
            )
        scored = Scored(at.step, score.bleu, score.loss)
        at.history.append(scored)
        at.seconds = clock.seconds()
        if self.group.is_main:
            self.best_weights.keep(unique_state_dict(self.network), at.history)
        best = self._publish_if_best(scored)
        self.save()
        if self.group.is_main:
            self.best_weights.drop(at.history)
        seconds = clock.seconds() - began
        self.planner.count_validation(seconds)
        self._tell(
            events.Validated(
                step=at.step,
                loss=score.loss,
                bleu=score.bleu,
                chrf=score.chrf,
                best=best,
                seconds=seconds,
                sample=score.sample,
            )
        )
        self._show_sentence()
        return True

    def _way_out(self) -> str:
        """What to do when the network has come to nothing."""
        if self._last.exists():
            return "The last good checkpoint is kept; lower train.learning_rate and --resume it."
        return "Lower train.learning_rate and train again."

    def _publish_if_best(self, scored: Scored) -> bool:
        """Make the network's weights the bundle's if nothing yet was as good; whether it did."""
        best = self.at.best is None or scored.merit > self.at.best.merit
        if best:
            if self.group.is_main:
                self.publish(unique_state_dict(self.network), scored)
            self.at.best, self.at.published = scored, True
        return best

    def _average(self) -> bool:
        """Average the best checkpoints and publish the mean where it validates better.

        False where that was interrupted: resuming does it again.
        """
        paths = self.best_weights.paths(self.at.history)
        in_time = self.budget.left() > 0
        count = self.group.broadcast(len(paths) if in_time else 0)
        if count < 2 or self.at.best is None:
            return True
        self._tell(events.Activity(f"averaging the {count} best checkpoints"))
        mean = self.group.broadcast_dict(checkpoint.average(paths) if self.group.is_main else {})
        now = {name: tensor.clone() for name, tensor in unique_state_dict(self.network).items()}
        with torch.no_grad():
            load_state(self.network, mean, where="the average")
        self.network.eval()
        try:
            score = self.validate(self.network)
        except Interrupted:
            return False
        before = self.at.best
        kept = self._publish_if_best(Scored(self.at.step, score.bleu, score.loss))
        with torch.no_grad():
            load_state(self.network, now, where="the last weights")
        self.save()
        self._tell(events.Averaged(count, score.bleu, before.bleu, kept))
        return True
