"""The training loop: updates, validations, checkpoints, and the same again after a resume.

Emits events and asks `interrupted` between two updates; knows no terminal, no signal and no text.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from attn_cli.config import Train
from attn_cli.errors import TrainingError
from attn_cli.nn.hardware import Hardware
from attn_cli.nn.seq2seq import Forward, Seq2Seq
from attn_cli.nn.state import restore, tensors_of
from attn_cli.text.batching import Batch, Batches, Share
from attn_cli.train import checkpoint, events
from attn_cli.train.budget import Planner, Schedule, TimeBudget
from attn_cli.train.compiling import compile_network
from attn_cli.train.group import Group, count_workers, without_sync
from attn_cli.train.guidance import Guidance
from attn_cli.train.interruption import Interrupted
from attn_cli.train.objective import negative_log_likelihood
from attn_cli.train.optim import adamw, clip, learning_rate, set_rate
from attn_cli.train.reinforce import reinforce
from attn_cli.train.resuming import LAST
from attn_cli.train.stopping import Scored, out_of_patience, ranked
from attn_cli.values import FloatArray, SoftAlignment

#: Seconds between two saves of the whole training state, so that a kill costs no more than that.
SAVE_SECONDS = 60.0

#: Why a training stops; "" while it goes on.
REASONS = ("", "interrupted", "steps", "minutes", "patience")
#: The share of the time that may go into the sentence which is watched.
WATCH_SHARE = 0.01


@dataclass(frozen=True)
class Score:
    """How a network did on the validation pairs."""

    loss: float
    bleu: float
    chrf: float
    sample: SoftAlignment | None = None


class Validate(Protocol):
    """Tries a network on the validation pairs."""

    def __call__(self, network: Seq2Seq) -> Score: ...


class Watch(Protocol):
    """Translates one sentence with a network, and tells of it."""

    def __call__(self, network: Seq2Seq, step: int) -> events.Watched: ...


class Decision(NamedTuple):
    """What comes between two updates, as the main worker decides it: plain values.

    `stop` is one of `REASONS`, `save` whether the state is to be saved, `schedule` a new one.
    """

    stop: str
    save: bool = False
    schedule: Schedule | None = None


@dataclass
class Position:
    """Where training stands, apart from tensors: all of it goes into a checkpoint as JSON."""

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    history: list[Scored] = field(default_factory=list)
    best: Scored | None = None  # what the bundle holds: a validation or an average
    published: bool = False
    loss_sum: float = 0.0
    loss_count: int = 0
    guided_sum: float = 0.0  # over the pieces that were guided
    guided_pieces: int = 0
    reward: float | None = None  # what hard attention's choices bring on the average
    schedule: Schedule | None = None  # where a time limit decided it
    finished: str = ""

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Position":
        """From the JSON of a checkpoint."""
        history = [Scored(**row) for row in facts["history"]]
        best = Scored(**facts["best"]) if facts.get("best") else None
        schedule = Schedule(**facts["schedule"]) if facts.get("schedule") else None
        return cls(**{**facts, "history": history, "best": best, "schedule": schedule})

    def count(self, losses: "_Losses") -> None:
        """Add an update's losses to those of the interval that `forget` began."""
        self.loss_sum += losses.translation
        self.loss_count += 1
        self.guided_sum += losses.guided
        self.guided_pieces += int(losses.guided_pieces)

    def forget(self) -> None:
        """Begin another interval."""
        self.loss_sum, self.loss_count = 0.0, 0
        self.guided_sum, self.guided_pieces = 0.0, 0


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
        settings: Train,
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
        self.settings, self.hardware, self.folder = settings, hardware, folder
        self.publish, self.emit, self.interrupted = publish, emit, interrupted
        self.text, self.guidance = dict(text or {}), guidance
        self.budget = budget or TimeBudget()
        self.watch = watch
        self.planner = Planner(
            self.budget,
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            average=settings.average > 1,
            export=settings.export != "none",
        )
        self.optimiser = adamw(network, settings)
        self.at = Position()
        self._parallel: nn.Module = network  # wrapped when it runs
        self._forward: Callable[..., Forward] = network  # compiled then, if it is to be
        self._watch_seconds = 0.0  # that the sentence took, when it was watched last

    @property
    def _last(self) -> Path:
        return self.folder / LAST

    def _weights(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.safetensors"

    def resume(self) -> bool:
        """Go back to the last save, down to the random numbers to come; whether there was one.

        On another number of workers random numbers begin anew, on other training text a new epoch
        does, and results on other validation text are forgotten. Events say so.
        """
        if not self.group.broadcast(self._last.is_file()):
            return False
        tensors, facts = checkpoint.load(self._last) if self.group.is_main else ({}, {})
        tensors = self.group.broadcast_dict(tensors)
        facts = self.group.broadcast(facts)
        weights = checkpoint.within(tensors, "model.")
        with torch.no_grad():
            restore(self.network, weights, where=str(self._last))
        checkpoint.restore_optimiser(self.optimiser, tensors)
        self.at = Position.of(facts["position"])
        self.at.finished = ""
        self._restore_place(facts)
        self._restore_schedule()
        if (workers := facts.get("workers", 1)) == self.group.size:
            checkpoint.restore_random(tensors, rank=self.group.rank)
            return True
        self.group.seed(self.at.step)
        self._tell(
            events.Noticed(
                f"the training was saved by {count_workers(workers)} and goes on with "
                f"{count_workers(self.group.size)}: the same batches, other random numbers"
            )
        )
        return True

    def _restore_place(self, facts: dict[str, Any]) -> None:
        """Go back to the place in the text, if it is the text that the checkpoint belongs to."""
        before = facts.get("text", {})
        changed = [key for key, digest in self.text.items() if before.get(key, digest) != digest]
        if "validation" in changed:
            self.at.history, self.at.best = [], None
        if "training" in changed:
            start = {"epoch": facts["batches"]["epoch"] + 1, "pool": 0, "batch": 0}
            self.batches.restore(self.batches.state() | start)
        else:
            self.batches.restore(facts["batches"])

    def _restore_schedule(self) -> None:
        """Go on with what a time limit had decided, unless there is a new one or --max-steps."""
        planned, limit = self.at.schedule, self.settings.max_steps
        if planned is None:
            return
        is_new = planned.limit != limit
        if self.at.step >= planned.last and (is_new or self.budget.limited):
            self.at.schedule = None  # used up
        elif is_new:
            every = self.settings.validate_every
            self.at.schedule = planned.replan(self.at.step, limit, every=every, limit=limit)

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
        clock = _Clock(at.seconds, now)
        rate = _Rate(now)
        saved = now()
        self.network.train()
        self._parallel = self.group.wrap(self.network, self.hardware.device)
        self._forward = compile_network(self._parallel) if settings.compile else self._parallel
        self._guide_until(self.schedule.last)
        due = False
        while True:
            if not self._is_validated and self._is_due:
                paused = now()
                is_whole = self._validate(clock)
                rate.paused += now() - paused
            else:
                is_whole = True
            decision = self._decide(due) if is_whole else Decision("interrupted")
            decision = self._agree(decision)
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
        if reason == "minutes" and not self._is_validated and not self._validate(clock):
            reason = "interrupted"
        at.finished, at.seconds = reason, clock.seconds()
        self.save()
        if reason != "interrupted" and not self._average():
            reason = "interrupted"
        bleu = at.best.bleu if at.best else 0.0
        finished = events.Finished(reason, at.step, bleu, at.skipped, clock.seconds())
        self._tell(finished)
        return finished

    @property
    def _is_due(self) -> bool:
        """Whether the network as it stands is to be validated."""
        step, schedule = self.at.step, self.schedule
        validated = self.at.history[-1].step if self.at.history else 0
        return step > 0 and (step - validated >= schedule.every or step == schedule.last)

    @property
    def _is_validated(self) -> bool:
        """Whether the network as it stands has been."""
        return bool(self.at.history) and self.at.history[-1].step == self.at.step

    def _decide(self, save: bool) -> Decision:
        """What this worker would do next. The main one alone reads the clock."""
        if not self.group.is_main:
            return Decision("interrupted" if self.interrupted() else "")
        schedule = self.planner.replan(self.at.step, self.schedule, self.settings)
        last = (schedule or self.schedule).last
        return Decision(self._reason_to_stop(last), save, schedule)

    def _agree(self, decision: Decision) -> Decision:
        """What all workers do next: what the main worker decides, or stop where one of them is
        interrupted."""
        if self.group.size == 1:
            return decision
        plan = [0.0] * len(fields(Schedule))
        if decision.schedule is not None:
            plan = [float(value) for value in astuple(decision.schedule)]
        sent = [float(REASONS.index(decision.stop)), float(decision.save), *plan]
        if not self.group.is_main:
            sent = [0.0] * len(sent)
        stopped = float(decision.stop == "interrupted")
        interrupted, stop, saving, *plan = self.group.sum([stopped, *sent])
        return Decision(
            "interrupted" if interrupted else REASONS[int(stop)],
            bool(saving),
            Schedule.of_values(plan) if plan[0] else None,
        )

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
        losses = self._backward(share)
        length = clip(self.network.parameters(), self.settings.clip_norm)
        losses = _Losses(*group.sum(losses))
        if not (math.isfinite(losses.total) and math.isfinite(length)):
            self._skip()
            return
        self.optimiser.step()
        at.skipped_in_a_row = 0
        at.count(losses)
        if losses.drawn and math.isfinite(losses.baseline):
            at.reward = losses.baseline / losses.drawn

    def _backward(self, share: Share) -> "_Losses":
        """Compute the gradients of a share; returns what it adds to the losses of the batch."""
        wanted = [self.guidance.wanted(b) if self.guidance else None for b in share.batches]
        guided = [0 if w is None or share.is_empty else int(w.any(-1).sum()) for w in wanted]
        all_guided = max(1.0, self.group.sum([sum(guided)])[0]) if self.guidance else 1.0
        weight = self.guidance.weight_at(self.at.step) if self.guidance else 0.0
        losses = _Losses(guided_pieces=sum(guided))
        for number, batch in enumerate(share.batches):
            pieces = 0 if share.is_empty else int(batch.target_length.sum())
            part, guided_part = pieces / share.pieces, guided[number] / all_guided
            is_last = number == len(share.batches) - 1
            with nullcontext() if is_last else without_sync(self._parallel):
                batch_losses = self._losses(batch, wanted[number])
                total = batch_losses.total * part
                if batch_losses.guided is not None:
                    total = total + batch_losses.guided * (weight * guided_part)
                # Gradients are averaged over the workers, losses are added up: hence the size.
                (total * self.group.size).backward()  # type: ignore[no-untyped-call]
            losses = _Losses(
                losses.total + _value(total),
                losses.translation + _value(batch_losses.translation) * part,
                losses.guided + _value(batch_losses.guided) * guided[number],
                losses.guided_pieces,
                losses.baseline + (batch_losses.baseline or 0.0) * part,
                losses.drawn + (part if batch_losses.baseline is not None else 0.0),
            )
        return losses

    def _losses(self, batch: Batch, wanted: FloatArray | None) -> "_BatchLosses":
        src, src_len, tgt_in, tgt_out = (
            self.hardware.tensor(part)
            for part in (batch.source, batch.source_length, batch.target_in, batch.target_out)
        )
        baseline = None
        with self.hardware.autocast():
            output = self._forward(src, src_len, tgt_in, weights=wanted is not None)
            loss = negative_log_likelihood(
                self.network,
                output.features,
                tgt_out,
                smoothing=self.settings.label_smoothing,
                sampled=self.settings.sampled_softmax,
            )
            total = loss
            if output.chosen is not None:
                rewarded, baseline = reinforce(
                    self.network, output, tgt_out, baseline=self.at.reward, settings=self.settings
                )
                total = total + rewarded
        if self.guidance is None or wanted is None:
            return _BatchLosses(total, loss, None, baseline)
        assert output.weights is not None
        return _BatchLosses(
            total, loss, self.guidance.loss(output.weights, wanted, batch), baseline
        )

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

    def _report(self, rate: "_Rate", clock: "_Clock") -> None:
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

    def _validate(self, clock: "_Clock") -> bool:
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
        kept = self._keep_weights(scored)
        best = self._publish_if_best(scored)
        self.save()
        self._drop_weights(kept)
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
                self.publish(tensors_of(self.network), scored)
            self.at.best, self.at.published = scored, True
        return best

    def _keep_weights(self, scored: Scored) -> set[int]:
        """Keep the weights if they are among the best; the updates of the best."""
        kept = {s.step for s in ranked(self.at.history, max(1, self.settings.average))}
        if self.group.is_main and scored.step in kept:
            checkpoint.save(self._weights(scored.step), tensors_of(self.network), asdict(scored))
        return kept

    def _drop_weights(self, kept: set[int]) -> None:
        """Remove other weights, which the saved history wants no more."""
        if not self.group.is_main:
            return
        for path in self.folder.glob("step-*.safetensors"):
            if int(path.stem.removeprefix("step-")) not in kept:
                path.unlink()

    def _average(self) -> bool:
        """Average the best checkpoints and publish the mean where it validates better.

        False where that was interrupted: resuming does it again.
        """
        best = ranked(self.at.history, max(1, self.settings.average))
        paths = [path for s in best if (path := self._weights(s.step)).exists()]
        in_time = self.budget.left() > 0
        count = self.group.broadcast(len(paths) if in_time else 0)
        if count < 2 or self.at.best is None:
            return True
        self._tell(events.Activity(f"averaging the {count} best checkpoints"))
        mean = self.group.broadcast_dict(checkpoint.average(paths) if self.group.is_main else {})
        now = {name: tensor.clone() for name, tensor in tensors_of(self.network).items()}
        with torch.no_grad():
            restore(self.network, mean, where="the average")
        self.network.eval()
        try:
            score = self.validate(self.network)
        except Interrupted:
            return False
        before = self.at.best
        kept = self._publish_if_best(Scored(self.at.step, score.bleu, score.loss))
        with torch.no_grad():
            restore(self.network, now, where="the last weights")
        self.save()
        self._tell(events.Averaged(count, score.bleu, before.bleu, kept))
        return True

    def save(self) -> None:
        """Write down where training stands; the first time, that makes the folder a model too.

        Not in the middle of updates that are not numbers: what is there then is the last good one.
        """
        random = self.group.gather_tensors(checkpoint.random_tensors(self.hardware.device))
        if not self.group.is_main or (self.at.skipped_in_a_row and self._last.exists()):
            return
        if not self.at.published:
            self.publish(tensors_of(self.network), None)
            self.at.published = True
        tensors = {f"model.{name}": t for name, t in tensors_of(self.network).items()}
        tensors |= checkpoint.optimiser_tensors(self.optimiser)
        tensors |= checkpoint.of_ranks(random)
        facts = {
            "position": asdict(self.at),
            "batches": self.batches.state(),
            "workers": self.group.size,
            "text": self.text,
        }
        checkpoint.save(self._last, tensors, facts)


class _BatchLosses(NamedTuple):
    """The losses of a batch, means over its pieces: `total` is that of the translation and of what
    hard attention chose. `baseline` is hard attention's next, None where nothing was drawn."""

    total: Tensor
    translation: Tensor
    guided: Tensor | None
    baseline: float | None


class _Losses(NamedTuple):
    """The losses of an update, or what a share adds to them.

    `guided` is a sum over its pieces, `baseline` one over the share `drawn` of the batch, in which
    hard attention drew positions.
    """

    total: float = 0.0
    translation: float = 0.0
    guided: float = 0.0
    guided_pieces: float = 0
    baseline: float = 0.0
    drawn: float = 0.0


class _Clock:
    """Seconds spent training, those before a resume included."""

    def __init__(self, before: float, now: Callable[[], float]) -> None:
        self._now, self._start = now, now() - before

    def seconds(self) -> float:
        return self._now() - self._start


class _Rate:
    """Target pieces a second since the last report, validations left out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.restart()

    def restart(self) -> None:
        self.tokens, self.paused, self._start = 0, 0.0, self._now()

    def seconds(self) -> float:
        return max(1e-9, self._now() - self._start - self.paused)

    def rate(self) -> float:
        return self.tokens / self.seconds()


def _value(loss: Tensor | None) -> float:
    return 0.0 if loss is None else float(loss.detach())
