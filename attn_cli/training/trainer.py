"""Train a network: updates, validations, checkpoints, resuming.

Events report progress; `interrupted` is called between two updates.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from attn_cli.config import TrainConfig
from attn_cli.data.batching import BatchIterator
from attn_cli.errors import TrainingError
from attn_cli.nn.device import Hardware
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import unique_state_dict
from attn_cli.training import checkpoint, events
from attn_cli.training.best_weights import BestWeights, averaged_weights
from attn_cli.training.budget import Planner, Schedule, TimeBudget
from attn_cli.training.clocks import Clock, Throughput
from attn_cli.training.decisions import Decision, synchronize
from attn_cli.training.early_stopping import Validate, ValidationResult, is_out_of_patience
from attn_cli.training.group import Group, workers_notice
from attn_cli.training.guided_alignment import Guidance
from attn_cli.training.interruption import Interrupted
from attn_cli.training.optim import learning_rate
from attn_cli.training.resume import LAST_CHECKPOINT
from attn_cli.training.saved_state import SavedState
from attn_cli.training.trainer_state import TrainerState
from attn_cli.training.updates import Updater
from attn_cli.training.watching import SentenceReporter, Watch

#: Seconds between two saves of the whole training state.
SAVE_SECONDS = 60.0


class Trainer:
    """Trains a network and saves its best weights.

    `save_best` is called with each new best weights, to write them into the bundle. `text` has the
    digests of the "training" and the "validation" text, which checkpoints record. `guidance` trains
    the decoder's attention towards word links. The schedule ends within `budget`. `watch`, if
    given, is called at each validation, and at each report if it is fast: see `SentenceReporter`.
    """

    def __init__(
        self,
        network: Seq2Seq,
        batches: BatchIterator,
        validate: Validate,
        *,
        settings: TrainConfig,
        hardware: Hardware,
        folder: Path,
        text: Mapping[str, str] | None = None,
        save_best: Callable[[dict[str, Tensor], ValidationResult | None], None],
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
        self.save_best, self.emit, self.interrupted = save_best, emit, interrupted
        self.guidance = guidance
        self.budget = budget or TimeBudget()
        self.sentence = SentenceReporter(watch, emit=emit, clock=self.budget.clock)
        self.planner = Planner(
            self.budget,
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            average=settings.average_checkpoints > 1,
            export=settings.export != "none",
        )
        self.updater = Updater(
            network, batches, settings=settings, hardware=hardware, group=self.group
        )
        self.state = TrainerState()
        self.saved_state = SavedState(
            folder / LAST_CHECKPOINT,
            network,
            self.updater.optimizer,
            batches,
            text=text or {},
            group=self.group,
        )
        self.best_weights = BestWeights(folder, max(1, settings.average_checkpoints))

    def resume(self) -> bool:
        """Restore the last checkpoint, random numbers included; return whether there was one.

        With another number of workers the random numbers differ, and a notice is emitted.
        """
        restored = self.saved_state.restore()
        if restored is None:
            return False
        self.state, workers = restored
        self.state.restore_schedule(self.settings, limited=self.budget.is_limited)
        if workers == self.group.size:
            return True
        self.group.seed(self.state.step)
        notice = workers_notice("the training", workers, self.group.size)
        self._emit_on_main(events.Notice(notice))
        return True

    def save(self) -> None:
        """Save a checkpoint; the first call also writes the bundle.

        Skipped after a non-finite update, so that the last good checkpoint stays.
        """
        random = self.group.gather_tensors(checkpoint.rng_tensors(self.hardware.device))
        if not self.group.is_main or (
            self.state.skipped_in_a_row and self.saved_state.path.exists()
        ):
            return
        if not self.state.published:
            self.save_best(unique_state_dict(self.network), None)
            self.state.published = True
        self.saved_state.write(self.state, random)

    @property
    def schedule(self) -> Schedule:
        """The schedule set by a time limit, or the recipe's."""
        return self.state.schedule or Schedule.from_config(self.settings)

    def _emit_on_main(self, event: events.Event) -> None:
        if self.group.is_main:
            self.emit(event)

    def run(self) -> events.TrainingFinished:
        """Train to the end, average the best weights, and return the final event.

        Raises TrainingError after `nan_patience` non-finite updates in a row, or if the validation
        loss is NaN or infinite.
        """
        state, settings, now = self.state, self.settings, self.budget.clock
        clock = Clock(state.seconds, now)
        rate = Throughput(now)
        last_save = now()
        self.network.train()
        self.updater.gradients.prepare()
        self._guide_until(self.schedule.last)
        save_is_due = False
        ends_by_time = False
        while True:
            is_validated = True
            if not state.is_validated and (ends_by_time or state.is_due(self.schedule)):
                pause_start = now()
                is_validated = self._validate(clock)
                rate.paused += now() - pause_start
            decision = self._decide(save_is_due) if is_validated else Decision("interrupted")
            decision = synchronize(decision, self.group)
            if decision.schedule is not None:
                self.state.schedule = decision.schedule
                self._guide_until(decision.schedule.last)
            if decision.save:
                self.save()
                last_save = now()
            if reason := decision.stop:
                # Validate before the end; if it takes less than estimated, there may be time left.
                ends_by_time = reason == "minutes" and not state.is_validated
                if ends_by_time:
                    continue
                break
            ends_by_time = False
            state.step += 1
            self._update(rate)
            self.planner.count_update()
            state.seconds = clock.seconds()
            if state.step % settings.log_every == 0:
                self._report(rate, clock)
            save_is_due = now() - last_save > SAVE_SECONDS
        state.finished, state.seconds = reason, clock.seconds()
        self.save()
        if reason != "interrupted" and not self._average():
            reason = "interrupted"
        if reason == "minutes" and state.step == 0:
            self._emit_on_main(events.Notice("--max-minutes left no time for an update"))
        bleu = state.best.bleu if state.best else 0.0
        finished = events.TrainingFinished(reason, state.step, bleu, state.skipped, clock.seconds())
        self._emit_on_main(finished)
        return finished

    def _decide(self, save: bool) -> Decision:
        """Decide for this worker; only the main worker reads the clock."""
        if not self.group.is_main:
            return Decision("interrupted" if self.interrupted() else "")
        schedule = self.planner.replan(self.state.step, self.schedule, self.settings)
        last = (schedule or self.schedule).last
        return Decision(self._reason_to_stop(last), save, schedule)

    def _guide_until(self, last: int) -> None:
        if self.guidance is not None:
            self.guidance = replace(self.guidance, max_steps=last)

    def _reason_to_stop(self, last: int) -> str:
        if self.interrupted():
            return "interrupted"
        if self.state.step >= last:
            return "steps" if last >= self.settings.max_steps else "minutes"
        if self.planner.is_over():
            return "minutes"
        if is_out_of_patience(self.state.history, self.settings.patience):
            return "patience"
        return ""

    def _update(self, rate: Throughput) -> None:
        """Make one update. Raises TrainingError after `nan_patience` non-finite ones in a row."""
        state = self.state
        with self.group.detect_lost_workers():
            rate.tokens += self.updater.update(state, self.schedule, self.guidance)
        if not state.skipped_in_a_row:
            return
        self._emit_on_main(events.NonFiniteUpdate(state.step, state.skipped_in_a_row))
        if state.skipped_in_a_row >= self.settings.nan_patience:
            raise TrainingError(
                f"the loss was NaN or infinite in {state.skipped_in_a_row} updates in a row, "
                f"at update {state.step}",
                self._recovery_hint(),
            )

    def _report(self, rate: Throughput, clock: Clock) -> None:
        state = self.state
        self._emit_on_main(
            events.Progress(
                step=state.step,
                max_steps=self.schedule.last,
                epoch=self.batches.epoch,
                loss=state.loss_sum / max(1, state.loss_count),
                guided=state.guided_sum / state.guided_pieces if state.guided_pieces else None,
                learning_rate=learning_rate(state.step, self.settings, self.schedule),
                tokens_per_second=rate.tokens_per_second(),
                seconds=clock.seconds(),
                seconds_left=self.planner.seconds_left(state.step, self.schedule),
            )
        )
        state.reset_interval()
        self.sentence.report_if_affordable(self.network, state.step, rate.seconds())
        rate.restart()

    def _validate(self, clock: Clock) -> bool:
        """Validate the network and save it if it is the best; return False if interrupted.

        An interrupted validation changes nothing; resuming starts with it.
        """
        state = self.state
        start = clock.seconds()
        if self.group.size > 1:
            self.save()  # an interrupted worker may wait too long for the others
        self.network.eval()
        try:
            scores = self.validate(self.network)
        except Interrupted:
            return False
        self.network.train()
        if not math.isfinite(scores.loss):
            raise TrainingError(
                f"the validation loss at update {state.step} is NaN or infinite",
                self._recovery_hint(),
            )
        result = ValidationResult(state.step, scores.bleu, scores.loss)
        state.history.append(result)
        state.seconds = clock.seconds()
        if self.group.is_main:
            self.best_weights.save(unique_state_dict(self.network), state.history)
        is_best = self._save_if_best(result)
        self.save()
        if self.group.is_main:
            self.best_weights.prune(state.history)
        seconds = clock.seconds() - start
        self.planner.count_validation(seconds)
        self._emit_on_main(
            events.ValidationFinished(
                step=state.step,
                loss=scores.loss,
                bleu=scores.bleu,
                chrf=scores.chrf,
                best=is_best,
                seconds=seconds,
                sample=scores.sample,
            )
        )
        self.sentence.report(self.network, state.step)
        return True

    def _recovery_hint(self) -> str:
        """Return the hint of an error after NaN losses."""
        if self.saved_state.path.exists():
            return "The last good checkpoint is kept; lower train.learning_rate and --resume it."
        return "Lower train.learning_rate and train again."

    def _save_if_best(self, result: ValidationResult) -> bool:
        """Write the weights into the bundle if they are the best; return whether they are."""
        is_best = self.state.best is None or result.sort_key > self.state.best.sort_key
        if is_best:
            if self.group.is_main:
                self.save_best(unique_state_dict(self.network), result)
            self.state.best, self.state.published = result, True
        return is_best

    def _average(self) -> bool:
        """Average the best weights, and save the mean if it validates better.

        Returns False if interrupted; resuming averages again.
        """
        paths = self.best_weights.paths(self.state.history)
        in_time = self.budget.left() > 0
        count = self.group.broadcast(len(paths) if in_time else 0)
        if count < 2 or self.state.best is None:
            return True
        self._emit_on_main(events.Activity(f"averaging the {count} best checkpoints"))
        before = self.state.best
        with averaged_weights(self.network, paths, self.group):
            self.network.eval()
            try:
                scores = self.validate(self.network)
            except Interrupted:
                return False
            result = ValidationResult(self.state.step, scores.bleu, scores.loss)
            is_kept = self._save_if_best(result)
        self.save()
        self._emit_on_main(events.CheckpointsAveraged(count, scores.bleu, before.bleu, is_kept))
        return True
