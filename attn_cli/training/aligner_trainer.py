"""Train the word aligner: first on a committee's votes, then on labels that it has corrected.

All workers of a group train it, each on its share of every batch.

1. *Votes.* The target distribution of each target word over the source words are its votes, with
   `NULL_VOTES` for NULL; the same for each source word over the target words. A link with 40 % of
   the votes and no alternative (the clitic of "I see it" in "je le vois") is learned; a random link
   of one member is not, since no input predicts it.
2. *Relabeling.* After half of the updates, the mean of the aligner's probabilities and the votes
   is thresholded at `RELABEL_THRESHOLD` on every pair; the resulting links are the labels from
   then on.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from attn_cli.alignment.link_table import LinkTable
from attn_cli.config import TrainConfig
from attn_cli.data.batching import BatchIterator, WorkerBatch
from attn_cli.data.segmentation import SubwordCorpus
from attn_cli.errors import TrainingError
from attn_cli.nn.device import select_hardware
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.nn.word_aligner import WordAligner
from attn_cli.training import checkpoint, events
from attn_cli.training.aligner_loss import LossSums, loss_sums
from attn_cli.training.aligner_pace import (
    BATCH_TOKENS,
    AlignerPace,
    count_batches,
    default_steps,
)
from attn_cli.training.checkpoint import links_from_tensors, links_to_tensors
from attn_cli.training.decisions import AlignerDecision, synchronize_aligner
from attn_cli.training.group import Group, workers_notice
from attn_cli.training.interruption import Interrupted
from attn_cli.training.link_prediction import Agreement, LinkPredictor
from attn_cli.training.optim import (
    build_optimizer,
    clip_gradients,
    learning_rate,
    set_learning_rate,
)
from attn_cli.types import IntArray

#: Votes for NULL at each word: with fewer votes in total, a word is more likely unlinked.
NULL_VOTES = 0.05

#: The mean of the aligner's probability and the committee's votes from which a link is a label.
RELABEL_THRESHOLD = 0.35

#: The peak learning rate, and the updates of the warm-up.
LEARNING_RATE, WARMUP_STEPS = 2e-3, 100

#: Held-out pairs, on which the aligner's links are compared with the committee's.
HELD_OUT_PAIRS = 500

#: The fewest updates worth starting, unless the text needs fewer.
MIN_STEPS = 50

#: Seconds between two saves.
SAVE_SECONDS = 60.0

ALIGNER_CHECKPOINT = "head.safetensors"


@dataclass
class AlignerTrainerState:
    """The state of the aligner's training, without tensors."""

    step: int = 0
    seconds: float = 0.0
    max_steps: int = 0
    agreement: Agreement | None = None  # when it is finished

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> "AlignerTrainerState":
        """From the JSON of a checkpoint."""
        agreement = Agreement(**facts["agreement"]) if facts["agreement"] else None
        return cls(**{**facts, "agreement": agreement})


class AlignerTrainer:
    """Trains a word aligner on a committee's `votes` for the pairs of `text`.

    With `max_seconds`, counted from `run`, as many updates are made as fit, the final relabeling
    included, and the learning rate decays to its end within them.

    Every worker of `group` creates one, with the same aligner, text and votes; only the main
    worker writes files, emits events and reads the clock.
    """

    def __init__(
        self,
        aligner: WordAligner,
        text: SubwordCorpus,
        votes: LinkTable,
        *,
        settings: TrainConfig,
        seed: int,
        folder: Path,
        emit: events.Listener,
        interrupted: Callable[[], bool] = lambda: False,
        max_seconds: float | None = None,
        group: Group | None = None,
    ) -> None:
        self.aligner, self.text, self.votes = aligner, text, votes
        self.group = group or Group()
        self._parallel: nn.Module = aligner  # `run` wraps it
        self.device = next(aligner.parameters()).device
        self.hardware = select_hardware(self.device.type, settings.precision)
        self.max_seconds = math.inf if max_seconds is None else max_seconds
        self.checkpoint_path = folder / ALIGNER_CHECKPOINT
        self.emit, self.interrupted = emit, interrupted
        self.predictor = LinkPredictor(
            aligner,
            text,
            votes,
            hardware=self.hardware,
            group=self.group,
            batch_tokens=BATCH_TOKENS,
            interrupted=lambda: self.interrupted(),
        )
        self.held_out = _sample_held_out(text.pairs, seed)
        train_pairs = np.setdiff1d(text.pairs, self.held_out)
        train_text = replace(text, corpus=text.corpus.subset(train_pairs))
        self.batches = BatchIterator(train_text, tokens=BATCH_TOKENS, seed=seed)
        self._base_settings = replace(settings, learning_rate=LEARNING_RATE, schedule="cosine")
        self.max_steps = settings.aligner_steps or default_steps(text)
        self.state = AlignerTrainerState(max_steps=self.max_steps)
        self._pace = AlignerPace(count_batches(text))
        self.optimizer = build_optimizer(aligner, self.settings)
        self.relabeled: LinkTable | None = None  # when finished: the final links of every pair
        self._losses: list[float] = []

    @property
    def settings(self) -> TrainConfig:
        """The settings of the learning rate, whose schedule ends at `state.max_steps`."""
        steps = self.state.max_steps
        return replace(
            self._base_settings, max_steps=steps, warmup_steps=min(WARMUP_STEPS, steps // 4)
        )

    @property
    def is_finished(self) -> bool:
        """Whether training is complete."""
        return self.state.agreement is not None

    def resume(self) -> bool:
        """Restore the last checkpoint; return whether there was one.

        With another number of workers the random numbers differ, and a notice is emitted.
        """
        if not self.group.broadcast(self.checkpoint_path.is_file()):
            return False
        tensors, facts = checkpoint.load(self.checkpoint_path) if self.group.is_main else ({}, {})
        tensors, facts = self.group.broadcast_dict(tensors), self.group.broadcast(facts)
        with torch.no_grad():
            load_state(
                self.aligner,
                checkpoint.with_prefix(tensors, "head."),
                where=str(self.checkpoint_path),
            )
        checkpoint.restore_optimizer(self.optimizer, tensors)
        self.batches.restore(facts["batches"])
        self.state = AlignerTrainerState.from_json(facts["place"])
        if links := checkpoint.with_prefix(tensors, "verdicts."):
            self.relabeled = links_from_tensors(links)
        if (workers := facts.get("workers", 1)) == self.group.size:
            checkpoint.restore_rng(tensors, rank=self.group.rank)
        elif not self.is_finished:
            self.group.seed(self.state.step)
            notice = workers_notice("the word aligner", workers, self.group.size)
            self._emit_on_main(events.Notice(notice))
        return True

    def _emit_on_main(self, event: events.Event) -> None:
        if self.group.is_main:
            self.emit(event)

    def run(self) -> LinkTable | None:
        """Train to the end; return None when interrupted.

        Returns the links of every pair whose mean of the aligner's probability and the committee's
        votes is at least half of `RELABEL_THRESHOLD`, weighted by that mean.

        Raises TimeoutError as soon as too few updates fit into `max_seconds`.
        """
        if self.is_finished:
            return self.relabeled
        try:
            return self._run()
        except Interrupted:
            self._save()
            return None

    def _run(self) -> LinkTable:
        started = saved = time.monotonic()
        start_with_earlier = started - self.state.seconds
        self.aligner.train()
        self._parallel = self.group.wrap(self.aligner, self.device)
        while True:
            now = time.monotonic()
            decision = self._decide(started, save=now - saved > SAVE_SECONDS)
            decision = synchronize_aligner(decision, self.group)
            if decision.interrupted:
                raise Interrupted
            if decision.too_slow:
                raise TimeoutError("too few updates fit into the time")
            self.state.max_steps = decision.max_steps
            if decision.save:
                self._save()
                saved = now
            if self.state.step >= self.state.max_steps:
                break
            if self.relabeled is None and self.state.step >= self.state.max_steps // 2:
                self.relabeled = self._relabel(at_least=RELABEL_THRESHOLD, soft=False)
            self.state.step += 1
            with self._pace.time_update(), self.group.detect_lost_workers():
                self._update(
                    self.batches.next_for_worker(rank=self.group.rank, size=self.group.size)
                )
            self.state.seconds = time.monotonic() - start_with_earlier
            if self.state.step == 1 or self.state.step % self._base_settings.log_every == 0:
                self._report()
        agreement = self.predictor.agreement(self.held_out)
        self.relabeled = self._relabel(at_least=RELABEL_THRESHOLD / 2, soft=True)
        self.state.agreement, self.state.seconds = agreement, time.monotonic() - start_with_earlier
        self._save()
        self._emit_on_main(events.AlignerTrained(**asdict(agreement), seconds=self.state.seconds))
        self.aligner.eval()
        return self.relabeled

    def _decide(self, started: float, *, save: bool) -> AlignerDecision:
        """Decide for this worker, `started` being the time when `run` was called."""
        interrupted, max_steps = self.interrupted(), self.state.max_steps
        left = self.max_seconds - (time.monotonic() - started)
        if not math.isfinite(left):
            return AlignerDecision(interrupted, False, save, max_steps)
        if self._pace.is_known:
            max_steps = self._fit_into(left)
        elif left <= 0:
            max_steps = min(self.state.step, max_steps)
        return AlignerDecision(
            interrupted, max_steps < min(MIN_STEPS, self.max_steps), save, max_steps
        )

    def _fit_into(self, seconds: float) -> int:
        """Return the last update that fits into `seconds`."""
        updates = max(0.0, seconds - self._relabeling_left()) / self._pace.update
        return min(self.max_steps, self.state.step + int(updates))

    def _relabeling_left(self) -> float:
        """Seconds of the relabelings still to come."""
        return (1 + (self.relabeled is None)) * self._pace.relabeling

    def _relabel(self, *, at_least: float, soft: bool) -> LinkTable:
        """Combine aligner and committee, and measure the time: see `LinkPredictor.combine`."""
        with self._pace.time_relabeling():
            return self.predictor.combine(at_least=at_least, soft=soft)

    def _update(self, share: WorkerBatch) -> None:
        """Make one update from a batch, of which each worker computes its share.

        The losses are means over the words of the whole batch.
        """
        (batch,) = share.micro_batches
        set_learning_rate(self.optimizer, learning_rate(self.state.step, self.settings))
        self.optimizer.zero_grad(set_to_none=True)
        source, target = self.predictor.word_groups(batch)
        labels = self.votes if self.relabeled is None else self.relabeled
        targets = self.predictor.link_matrices(labels, source, target, batch)
        with self.hardware.autocast():
            output = self._parallel(source, target)
        losses = loss_sums(
            output,
            targets,
            (target.mask, source.mask),
            null_votes=NULL_VOTES if self.relabeled is None else 0.0,
        )
        if share.is_empty:
            losses = LossSums(losses.sums * 0, losses.counts * 0)
        counts = losses.counts.new_tensor(self.group.sum(losses.counts.tolist()))
        loss = losses.mean(counts)
        # DistributedDataParallel averages gradients over the workers; a sum is needed.
        (loss * self.group.size).backward()  # type: ignore[no-untyped-call]
        norm = clip_gradients(self.aligner.parameters(), self.settings.clip_norm)
        (value,) = self.group.sum([float(loss.detach())])
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise TrainingError(
                f"the word aligner's loss was NaN or infinite at its update {self.state.step}",
                "Please report it; train without a word aligner: --set model.word_aligner=false.",
            )
        self.optimizer.step()
        self._losses.append(value)

    def _report(self) -> None:
        state = self.state
        self._emit_on_main(
            events.AlignerTrainingProgress(
                step=state.step,
                max_steps=state.max_steps,
                loss=sum(self._losses) / max(1, len(self._losses)),
                seconds=state.seconds,
                seconds_left=self._pace.update * (state.max_steps - state.step)
                + self._relabeling_left(),
            )
        )
        self._losses.clear()

    def _save(self) -> None:
        random = self.group.gather_tensors(checkpoint.rng_tensors(self.device))
        if not self.group.is_main:
            return
        tensors = {
            f"head.{name}": tensor for name, tensor in unique_state_dict(self.aligner).items()
        }
        tensors |= checkpoint.optimizer_tensors(self.optimizer)
        tensors |= checkpoint.merge_ranks(random)
        if self.relabeled is not None:
            tensors |= {f"verdicts.{k}": v for k, v in links_to_tensors(self.relabeled).items()}
        facts = {
            "place": asdict(self.state),
            "batches": self.batches.state(),
            "workers": self.group.size,
        }
        checkpoint.save(self.checkpoint_path, tensors, facts)


def _sample_held_out(pairs: IntArray, seed: int) -> IntArray:
    """Sample `HELD_OUT_PAIRS` pairs, at most a twentieth, in order."""
    count = min(HELD_OUT_PAIRS, len(pairs) // 20)
    return np.sort(np.random.default_rng([seed, count]).choice(pairs, count, replace=False))
