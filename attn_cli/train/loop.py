"""The training loop: updates, validations, checkpoints, and the same again after a resume.

Emits events and asks `interrupted` between two updates; knows no terminal, no signal and no text.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from attn_cli.config import Train
from attn_cli.errors import TrainingError
from attn_cli.nn.hardware import Hardware
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state import restore, tensors_of
from attn_cli.text.batching import Batch, Batches
from attn_cli.train import checkpoint, events
from attn_cli.train.guidance import Guidance
from attn_cli.train.objective import negative_log_likelihood
from attn_cli.train.optim import adamw, clip, learning_rate, set_rate
from attn_cli.train.reinforce import reinforce
from attn_cli.train.resuming import LAST
from attn_cli.train.stopping import Scored, out_of_patience, ranked
from attn_cli.values import SoftAlignment

#: Seconds between two saves of the whole training state, so that a kill costs no more than that.
SAVE_SECONDS = 60.0


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
    finished: str = ""

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Position":
        """From the JSON of a checkpoint."""
        history = [Scored(**row) for row in facts["history"]]
        best = Scored(**facts["best"]) if facts.get("best") else None
        return cls(**{**facts, "history": history, "best": best})

    def count(self, losses: "_Losses") -> None:
        """Add an update's losses to those of the interval that `forget` began."""
        self.loss_sum += float(losses.translation.detach())
        self.loss_count += 1
        if losses.guided is not None:
            self.guided_sum += float(losses.guided.detach()) * losses.pieces
            self.guided_pieces += losses.pieces

    def forget(self) -> None:
        """Begin another interval."""
        self.loss_sum, self.loss_count = 0.0, 0
        self.guided_sum, self.guided_pieces = 0.0, 0


class Trainer:
    """Trains one network and keeps its best weights.

    `publish` is called with the weights of each new best: it makes them the bundle's. With
    `guidance` the decoder's attention is pulled towards word links.
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
        publish: Callable[[dict[str, Tensor], Scored | None], None],
        emit: events.Listener,
        guidance: Guidance | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        max_minutes: float | None = None,
    ) -> None:
        self.network, self.batches, self.validate = network, batches, validate
        self.settings, self.hardware, self.folder = settings, hardware, folder
        self.publish, self.emit, self.interrupted = publish, emit, interrupted
        self.guidance = guidance
        self.max_seconds = math.inf if max_minutes is None else 60.0 * max_minutes
        self.optimiser = adamw(network, settings)
        self.at = Position()

    @property
    def _last(self) -> Path:
        return self.folder / LAST

    def _weights(self, step: int) -> Path:
        return self.folder / f"step-{step:07d}.safetensors"

    def resume(self) -> None:
        """Go back to where the last save stands, down to the random numbers to come."""
        tensors, facts = checkpoint.load(self._last)
        weights = checkpoint.within(tensors, "model.")
        with torch.no_grad():
            restore(self.network, weights, where=str(self._last))
        checkpoint.restore_optimiser(self.optimiser, tensors)
        checkpoint.restore_random(tensors)
        self.batches.restore(facts["batches"])
        self.at = Position.of(facts["position"])
        self.at.finished = ""

    def run(self) -> events.Finished:
        """Train until there is a reason to stop, average, and say how it ended.

        Raises TrainingError after `nan_patience` updates in a row that are not numbers, or a
        validation that is none.
        """
        at, settings = self.at, self.settings
        clock = _Clock(at.seconds)
        tick = _Rate(at.step)
        saved = time.monotonic()
        self.network.train()
        while not (reason := self._reason_to_stop(clock)):
            at.step += 1
            self._update(next(self.batches))
            tick.tokens += self._tokens
            at.seconds = clock.seconds()
            if at.step % settings.log_every == 0:
                self._report(tick, clock)
            if at.step % settings.validate_every == 0 or at.step == settings.max_steps:
                paused = time.monotonic()
                self._validate(clock)
                tick.paused += time.monotonic() - paused
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        at.finished = reason
        if reason == "minutes" and (not at.history or at.history[-1].step != at.step):
            self._validate(clock)
        at.seconds = clock.seconds()
        self.save()
        if reason != "interrupted":
            self._average()
        bleu = at.best.bleu if at.best else 0.0
        finished = events.Finished(reason, at.step, bleu, at.skipped, clock.seconds())
        self.emit(finished)
        return finished

    def _reason_to_stop(self, clock: "_Clock") -> str:
        if self.interrupted():
            return "interrupted"
        if self.at.step >= self.settings.max_steps:
            return "steps"
        if clock.seconds() >= self.max_seconds:
            return "minutes"
        if out_of_patience(self.at.history, self.settings.patience):
            return "patience"
        return ""

    def _update(self, batch: Batch) -> None:
        set_rate(self.optimiser, learning_rate(self.at.step, self.settings))
        self.optimiser.zero_grad(set_to_none=True)
        losses = self._losses(batch)
        losses.total.backward()  # type: ignore[no-untyped-call]
        length = clip(self.network.parameters(), self.settings.clip_norm)
        self._tokens = int(batch.target_length.sum())
        if not (math.isfinite(float(losses.total.detach())) and math.isfinite(length)):
            self._skip()
            return
        self.optimiser.step()
        self.at.skipped_in_a_row = 0
        self.at.count(losses)

    def _losses(self, batch: Batch) -> "_Losses":
        src, src_len, tgt_in, tgt_out = (
            self.hardware.tensor(part)
            for part in (batch.source, batch.source_length, batch.target_in, batch.target_out)
        )
        with self.hardware.autocast():
            found = self.network(src, src_len, tgt_in, weights=self.guidance is not None)
            loss = negative_log_likelihood(
                self.network, found.features, tgt_out, smoothing=self.settings.label_smoothing
            )
            total = loss
            if found.chosen is not None:
                rewarded, reward = reinforce(
                    self.network, found, tgt_out, baseline=self.at.reward, settings=self.settings
                )
                if math.isfinite(reward):
                    self.at.reward = reward
                total = total + rewarded
        if self.guidance is None:
            return _Losses(total, loss)
        guided, pieces = self.guidance.loss(found.weights, batch)
        total = total + self.guidance.weight_at(self.at.step) * guided
        return _Losses(total, loss, guided, pieces)

    def _skip(self) -> None:
        at = self.at
        at.skipped += 1
        at.skipped_in_a_row += 1
        self.emit(events.Skipped(at.step, at.skipped_in_a_row))
        if at.skipped_in_a_row >= self.settings.nan_patience:
            raise TrainingError(
                f"the loss was not a number {at.skipped_in_a_row} updates in a row, "
                f"at update {at.step}",
                self._way_out(),
            )

    def _report(self, tick: "_Rate", clock: "_Clock") -> None:
        at, settings = self.at, self.settings
        left = min(
            (settings.max_steps - at.step) * tick.seconds_a_step(at.step),
            self.max_seconds - clock.seconds(),
        )
        self.emit(
            events.Progress(
                step=at.step,
                max_steps=settings.max_steps,
                epoch=self.batches.epoch,
                loss=at.loss_sum / max(1, at.loss_count),
                guided=at.guided_sum / at.guided_pieces if at.guided_pieces else None,
                learning_rate=learning_rate(at.step, settings),
                tokens_per_second=tick.rate(),
                seconds=clock.seconds(),
                seconds_left=max(0.0, left),
            )
        )
        at.forget()
        tick.restart(at.step)

    def _validate(self, clock: "_Clock") -> None:
        at = self.at
        began = clock.seconds()
        self.network.eval()
        score = self.validate(self.network)
        self.network.train()
        if not math.isfinite(score.loss):
            raise TrainingError(
                f"the validation loss at update {at.step} is not a number", self._way_out()
            )
        scored = Scored(at.step, score.bleu, score.loss)
        at.history.append(scored)
        at.seconds = clock.seconds()
        self._keep_weights(scored)
        best = self._publish_if_best(scored)
        self.save()
        self.emit(
            events.Validated(
                step=at.step,
                loss=score.loss,
                bleu=score.bleu,
                chrf=score.chrf,
                best=best,
                seconds=clock.seconds() - began,
                sample=score.sample,
            )
        )

    def _way_out(self) -> str:
        """What to do when the network has come to nothing."""
        if self._last.exists():
            return "The last good checkpoint is kept; lower train.learning_rate and --resume it."
        return "Lower train.learning_rate and train again."

    def _publish_if_best(self, scored: Scored) -> bool:
        """Make the network's weights the bundle's if nothing yet was as good; whether it did."""
        best = self.at.best is None or scored.merit > self.at.best.merit
        if best:
            self.publish(tensors_of(self.network), scored)
            self.at.best, self.at.published = scored, True
        return best

    def _keep_weights(self, scored: Scored) -> None:
        """Hold the weights of the best validations, and of no others."""
        keep = {s.step for s in ranked(self.at.history, max(1, self.settings.average))}
        if scored.step in keep:
            checkpoint.save(self._weights(scored.step), tensors_of(self.network), asdict(scored))
        for path in self.folder.glob("step-*.safetensors"):
            if int(path.stem.removeprefix("step-")) not in keep:
                path.unlink()

    def _average(self) -> None:
        """Average the best checkpoints and publish the mean where it validates better."""
        best = ranked(self.at.history, max(1, self.settings.average))
        paths = [path for s in best if (path := self._weights(s.step)).exists()]
        if len(paths) < 2 or self.at.best is None:
            return
        mean = checkpoint.average(paths)
        now = {name: tensor.clone() for name, tensor in tensors_of(self.network).items()}
        with torch.no_grad():
            restore(self.network, mean, where="the average")
        self.network.eval()
        score = self.validate(self.network)
        before = self.at.best
        kept = self._publish_if_best(Scored(self.at.step, score.bleu, score.loss))
        with torch.no_grad():
            restore(self.network, now, where="the last weights")
        self.save()
        self.emit(events.Averaged(len(paths), score.bleu, before.bleu, kept))

    def save(self) -> None:
        """Write down where training stands; the first time, that makes the folder a model too.

        Not in the middle of updates that are not numbers: what is there then is the last good one.
        """
        if self.at.skipped_in_a_row and self._last.exists():
            return
        if not self.at.published:
            self.publish(tensors_of(self.network), None)
            self.at.published = True
        tensors = {f"model.{name}": t for name, t in tensors_of(self.network).items()}
        tensors |= checkpoint.optimiser_tensors(self.optimiser)
        tensors |= checkpoint.random_tensors(self.hardware.device)
        facts = {"position": asdict(self.at), "batches": self.batches.state()}
        checkpoint.save(self._last, tensors, facts)


class _Losses(NamedTuple):
    """What one update minimises, and the two things it is made of."""

    total: Tensor
    translation: Tensor
    guided: Tensor | None = None
    pieces: int = 0  # of which `guided` is the mean


class _Clock:
    """Seconds spent training, those before a resume included."""

    def __init__(self, before: float) -> None:
        self.start = time.monotonic() - before

    def seconds(self) -> float:
        return time.monotonic() - self.start


class _Rate:
    """Target pieces a second since the last report, validations left out."""

    def __init__(self, step: int) -> None:
        self.restart(step)

    def restart(self, step: int) -> None:
        self.step, self.tokens, self.paused, self.start = step, 0, 0.0, time.monotonic()

    def _worked(self) -> float:
        return max(1e-9, time.monotonic() - self.start - self.paused)

    def rate(self) -> float:
        return self.tokens / self._worked()

    def seconds_a_step(self, step: int) -> float:
        return self._worked() / max(1, step - self.step)
