"""The word aligner learns: from a committee's votes at first, then from what it made of them.

Knows pairs in pieces and the links of their words; knows no decoder, no text and no terminal. All
workers of a group train it, each on its share of every batch.

1. *From votes.* Each target word is to choose among the source words as the votes do, NULL having
   `DOUBT` votes of its own, and each source word among the target words. What a committee holds in
   four cases of ten and nobody contradicts (the clitic of "I see it" in "je le vois") is learnt as
   a link; what one member says at random is not, since nothing predicts it.
2. *Its own links.* Half-way, head and committee vote together on every pair, and from there on the
   head learns their verdicts. A student that averages over contexts is better than each teacher,
   and learning its own verdicts makes it sure of them.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attn_cli.alignment.link_table import LinkTable
from attn_cli.config import TrainConfig
from attn_cli.data.batching import Batch, Batches, Share, batches_of
from attn_cli.data.segmentation import Segmented
from attn_cli.errors import TrainingError
from attn_cli.inference.engines.interface import Side
from attn_cli.inference.engines.torch import words_of
from attn_cli.nn.device import select_hardware
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.nn.word_aligner import AlignmentLogProbs, WordAligner, WordGroups
from attn_cli.training import checkpoint, events
from attn_cli.training.checkpoint import as_tensors, from_tensors
from attn_cli.training.group import Group, count_workers
from attn_cli.training.interruption import Interrupted
from attn_cli.training.optim import adamw, clip, learning_rate, set_rate
from attn_cli.types import FloatArray, IntArray

#: Votes that NULL has for each word: a word whose other votes are fewer is likelier unlinked.
DOUBT = 0.05

#: The share of the votes, the head's and the committee's counted alike, that makes a verdict.
VERDICT = 0.35

#: Target places in a batch, padding included.
BATCH = 4_000

#: Times through the text, and the updates that are enough for any text that is seen whole.
EPOCHS, ENOUGH = 10, 900

#: The highest learning rate, and the updates it takes to get there.
RATE, WARMUP = 2e-3, 100

#: Pairs kept apart to see how well the head agrees with the committee on what it did not learn.
HELD_OUT = 500

#: Updates whose speed is looked at before it is known how many fit into a time.
LOOK = 10

#: Updates for which a time must suffice, where the text deserves as many.
FEWEST = 50

#: The time of a batch without gradients, where an update takes 1.
FORWARD_SHARE = 0.35

#: Seconds between two saves.
SAVE_SECONDS = 60.0

LAST = "head.safetensors"

#: A link of a pair, as workers exchange it.
_LINK = {"pairs": np.int32, "source": np.int32, "target": np.int32, "weight": np.float32}


class _Pace:
    """Seconds that an update takes and that a judgement of every pair takes, as far as measured."""

    def __init__(self, batches: int) -> None:
        self._batches = batches
        self._updates: list[float] = []
        self._judgement: float | None = None

    @contextmanager
    def of_update(self) -> Iterator[None]:
        """Measure an update."""
        began = time.monotonic()
        yield
        self._updates.append(time.monotonic() - began)
        del self._updates[:-LOOK]

    @contextmanager
    def of_judgement(self) -> Iterator[None]:
        """Measure a judgement."""
        began = time.monotonic()
        yield
        self._judgement = time.monotonic() - began

    @property
    def is_known(self) -> bool:
        """Whether there were enough updates to tell."""
        return len(self._updates) >= LOOK

    @property
    def update(self) -> float:
        """The mean of the last updates."""
        return sum(self._updates) / max(1, len(self._updates))

    @property
    def judgement(self) -> float:
        """The last, or as many batches without gradients as the text has."""
        if self._judgement is not None:
            return self._judgement
        return self._batches * FORWARD_SHARE * self.update


@dataclass(frozen=True)
class Agreement:
    """How far the head's links are those of the committee, on pairs it did not learn: F1 in %."""

    pairs: int
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass
class Place:
    """Where its training stands, apart from tensors."""

    step: int = 0
    seconds: float = 0.0
    max_steps: int = 0
    agreement: Agreement | None = None  # when it is finished

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Place":
        """From the JSON of a checkpoint."""
        agreement = Agreement(**facts["agreement"]) if facts["agreement"] else None
        return cls(**{**facts, "agreement": agreement})


class _Decision(NamedTuple):
    """What comes before the next update, as the main worker decides it: `interrupted` where any
    worker is, `too_slow` where too few updates fit into the time."""

    interrupted: bool
    too_slow: bool
    save: bool
    max_steps: int


class HeadTrainer:
    """Teaches one head, from a committee's `votes` on the pairs of `text`.

    With `max_seconds`, counted from `run`, it makes as many updates as fit into them, the last
    look at every pair included, and its learning rate has fallen when they are over.

    Every worker of `group` makes one, with the same head, text and votes; the main one alone
    writes, emits events and reads the clock.
    """

    def __init__(
        self,
        head: WordAligner,
        text: Segmented,
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
        self.head, self.text, self.votes = head, text, votes
        self.group = group or Group()
        self._parallel: nn.Module = head  # wrapped when it runs
        self.device = next(head.parameters()).device
        self.hardware = select_hardware(self.device.type, settings.precision)
        self.max_seconds = math.inf if max_seconds is None else max_seconds
        self.last, self.emit, self.interrupted = folder / LAST, emit, interrupted
        self.held_out = _held_out(text.pairs, seed)
        taught = np.setdiff1d(text.pairs, self.held_out)
        learning = replace(text, corpus=text.corpus.part(taught))
        self.batches = Batches(learning, tokens=BATCH, seed=seed)
        self._rates = replace(settings, learning_rate=RATE, schedule="cosine")
        self.most_steps = settings.aligner_steps or updates_for(text)
        self.at = Place(max_steps=self.most_steps)
        self._pace = _Pace(batches_in(text))
        self.optimiser = adamw(head, self.settings)
        self.verdicts: LinkTable | None = None  # when finished: its last word on every pair
        self._losses: list[float] = []

    @property
    def settings(self) -> TrainConfig:
        """What decides the learning rate: it is 0 after `at.max_steps` updates."""
        steps = self.at.max_steps
        return replace(self._rates, max_steps=steps, warmup_steps=min(WARMUP, steps // 4))

    @property
    def is_finished(self) -> bool:
        """Whether it has learnt to the end."""
        return self.at.agreement is not None

    def resume(self) -> bool:
        """Go back to the last save, if there is one; whether there was.

        On another number of workers random numbers begin anew; an event says so.
        """
        if not self.group.broadcast(self.last.is_file()):
            return False
        tensors, facts = checkpoint.load(self.last) if self.group.is_main else ({}, {})
        tensors, facts = self.group.broadcast_dict(tensors), self.group.broadcast(facts)
        with torch.no_grad():
            load_state(self.head, checkpoint.within(tensors, "head."), where=str(self.last))
        checkpoint.restore_optimiser(self.optimiser, tensors)
        self.batches.restore(facts["batches"])
        self.at = Place.of(facts["place"])
        if verdicts := checkpoint.within(tensors, "verdicts."):
            self.verdicts = from_tensors(verdicts)
        if (workers := facts.get("workers", 1)) == self.group.size:
            checkpoint.restore_random(tensors, rank=self.group.rank)
        elif not self.is_finished:
            self.group.seed(self.at.step)
            self._tell(
                events.Noticed(
                    f"the word aligner was saved by {count_workers(workers)} and goes on with "
                    f"{count_workers(self.group.size)}: the same batches, other random numbers"
                )
            )
        return True

    def _tell(self, event: events.Event) -> None:
        if self.group.is_main:
            self.emit(event)

    def run(self) -> LinkTable | None:
        """Learn to the end; None when interrupted.

        Returns what head and committee together say of every pair: the links of at least half a
        verdict, with the mean of the head's probability and the committee's votes.

        Raises TimeoutError as soon as it is known that too few updates fit into `max_seconds`.
        """
        if self.is_finished:
            return self.verdicts
        try:
            return self._run()
        except Interrupted:
            self._save()
            return None

    def _run(self) -> LinkTable:
        started = saved = time.monotonic()
        began = started - self.at.seconds
        self.head.train()
        self._parallel = self.group.wrap(self.head, self.device)
        while True:
            now = time.monotonic()
            decision = self._agree(self._decide(started, save=now - saved > SAVE_SECONDS))
            if decision.interrupted:
                raise Interrupted
            if decision.too_slow:
                raise TimeoutError("too few updates fit into the time")
            self.at.max_steps = decision.max_steps
            if decision.save:
                self._save()
                saved = now
            if self.at.step >= self.at.max_steps:
                break
            if self.verdicts is None and self.at.step >= self.at.max_steps // 2:
                self.verdicts = self._judged(at_least=VERDICT, soft=False)
            self.at.step += 1
            with self._pace.of_update(), self.group.watch():
                self._update(self.batches.next_share(rank=self.group.rank, size=self.group.size))
            self.at.seconds = time.monotonic() - began
            if self.at.step == 1 or self.at.step % self._rates.log_every == 0:
                self._report()
        agreement = self._agreement()
        self.verdicts = self._judged(at_least=VERDICT / 2)
        self.at.agreement, self.at.seconds = agreement, time.monotonic() - began
        self._save()
        self._tell(events.HeadLearned(**asdict(agreement), seconds=self.at.seconds))
        self.head.eval()
        return self.verdicts

    def _decide(self, started: float, *, save: bool) -> _Decision:
        """What this worker would do before the next update, having begun at `started`."""
        interrupted, max_steps = self.interrupted(), self.at.max_steps
        left = self.max_seconds - (time.monotonic() - started)
        if not math.isfinite(left):
            return _Decision(interrupted, False, save, max_steps)
        if self._pace.is_known:
            max_steps = self._fit_into(left)
        elif left <= 0:
            max_steps = min(self.at.step, max_steps)
        return _Decision(interrupted, max_steps < min(FEWEST, self.most_steps), save, max_steps)

    def _agree(self, decision: _Decision) -> _Decision:
        """What all workers do: what the main one decides, or stop where one is interrupted."""
        if self.group.size == 1:
            return decision
        sent = [float(each) for each in decision[1:]] if self.group.is_main else [0.0] * 3
        interrupted, too_slow, save, max_steps = self.group.sum([decision.interrupted, *sent])
        return _Decision(bool(interrupted), bool(too_slow), bool(save), int(max_steps))

    def _fit_into(self, seconds: float) -> int:
        """The last update where as many as fit into so many seconds are made."""
        updates = max(0.0, seconds - self._judging_left()) / self._pace.update
        return min(self.most_steps, self.at.step + int(updates))

    def _judging_left(self) -> float:
        """Seconds of the judgements to come."""
        return (1 + (self.verdicts is None)) * self._pace.judgement

    def _update(self, share: Share) -> None:
        """One update from a batch, of which each worker computes its share.

        The losses are means over the words of the whole batch, however it is shared out.
        """
        (batch,) = share.batches
        set_rate(self.optimiser, learning_rate(self.at.step, self.settings))
        self.optimiser.zero_grad(set_to_none=True)
        source, target = self._sides(batch)
        teacher = self.votes if self.verdicts is None else self.verdicts
        wanted = self._of_batch(teacher, source, target, batch)
        with self.hardware.autocast():
            found = self._parallel(source, target)
        lost = loss_sums(
            found,
            wanted,
            (target.mask, source.mask),
            doubt=DOUBT if self.verdicts is None else 0.0,
        )
        if share.is_empty:
            lost = LossSums(lost.sums * 0, lost.counts * 0)
        counts = lost.counts.new_tensor(self.group.sum(lost.counts.tolist()))
        loss = lost.mean(counts)
        # Gradients are averaged over the workers, losses are added up: hence the size.
        (loss * self.group.size).backward()  # type: ignore[no-untyped-call]
        length = clip(self.head.parameters(), self.settings.clip_norm)
        (value,) = self.group.sum([float(loss.detach())])
        if not (math.isfinite(value) and math.isfinite(length)):
            raise TrainingError(
                f"the word aligner's loss was not a number at its update {self.at.step}",
                "Please report it; attn train does without one: --set model.word_aligner=false.",
            )
        self.optimiser.step()
        self._losses.append(value)

    def _report(self) -> None:
        at = self.at
        self._tell(
            events.HeadProgress(
                step=at.step,
                max_steps=at.max_steps,
                loss=sum(self._losses) / max(1, len(self._losses)),
                seconds=at.seconds,
                seconds_left=self._pace.update * (at.max_steps - at.step) + self._judging_left(),
            )
        )
        self._losses.clear()

    def _save(self) -> None:
        random = self.group.gather_tensors(checkpoint.random_tensors(self.device))
        if not self.group.is_main:
            return
        tensors = {f"head.{name}": tensor for name, tensor in unique_state_dict(self.head).items()}
        tensors |= checkpoint.optimiser_tensors(self.optimiser)
        tensors |= checkpoint.of_ranks(random)
        if self.verdicts is not None:
            tensors |= {f"verdicts.{k}": v for k, v in as_tensors(self.verdicts).items()}
        facts = {
            "place": asdict(self.at),
            "batches": self.batches.state(),
            "workers": self.group.size,
        }
        checkpoint.save(self.last, tensors, facts)

    def _agreement(self) -> Agreement:
        """What of the committee's links, those of half its votes, the head finds by itself.

        Raises Interrupted.
        """
        found = wanted = both = 0
        for _, links, votes in self._answers(self.held_out):
            ours, theirs = links >= 0.5, votes >= 0.5
            found, wanted = found + int(ours.sum()), wanted + int(theirs.sum())
            both += int((ours & theirs).sum())
        found, wanted, both = map(int, self.group.sum([found, wanted, both]))
        return Agreement(
            len(self.held_out), 100 * both / max(1, found), 100 * both / max(1, wanted)
        )

    def _judged(self, *, at_least: float, soft: bool = True) -> LinkTable:
        """Head and committee together on every pair: links with their mean, or as verdicts.

        Each worker judges its share of the batches; all get the whole table. Raises Interrupted.
        """
        links: dict[str, list[NDArray[Any]]]
        links = {name: [np.zeros(0, dtype)] for name, dtype in _LINK.items()}
        with self._pace.of_judgement():
            for batch, found, votes in self._answers(self.text.pairs):
                together = (found + votes) / 2
                row, target, source = np.nonzero(together >= at_least)
                weight = together[row, target, source] if soft else np.ones(len(row))
                columns: Sequence[NDArray[Any]] = (batch.indices[row], source, target, weight)
                for name, column in zip(_LINK, columns, strict=True):
                    links[name].append(column.astype(_LINK[name]))
            mine = {name: torch.from_numpy(np.concatenate(parts)) for name, parts in links.items()}
            table = {name: column.numpy() for name, column in self.group.concatenate(mine).items()}
        return LinkTable.gathered(**table, n_pairs=len(self.votes))

    @torch.inference_mode()
    def _answers(self, pairs: IntArray) -> Iterator[tuple[Batch, FloatArray, FloatArray]]:
        """This worker's batches: the head's probability of each link, and the committee's votes.

        Raises Interrupted on every worker where one of them is to stop.
        """
        self.head.eval()
        rank, size = self.group.rank, self.group.size
        for batch in self._in_step(
            batches_of(self.text, pairs, tokens=BATCH, rank=rank, size=size)
        ):
            source, target = self._sides(batch)
            real = target.mask[:, :, None] & source.mask[:, None, :]
            with self.hardware.autocast():
                found = self.head(source, target)
            links = found.link_probs * real
            votes = self._of_batch(self.votes, source, target, batch)
            yield batch, links.cpu().numpy(), votes.cpu().numpy()
        self.head.train()

    def _in_step(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, while other workers come as far; raises Interrupted as `_answers` does."""
        while True:
            batch = next(batches, None)
            interrupted, working = self.group.sum([self.interrupted(), batch is not None])
            if interrupted:
                raise Interrupted
            if not working:
                return
            if batch is not None:
                yield batch

    def _sides(self, batch: Batch) -> tuple[WordGroups, WordGroups]:
        return (
            words_of(Side(batch.source, batch.source_word), self.device),
            words_of(Side(batch.target_out, batch.target_word), self.device),
        )

    def _of_batch(
        self, table: LinkTable, source: WordGroups, target: WordGroups, batch: Batch
    ) -> Tensor:
        """The links of a batch as (B, W_t, W_s); a word that a variant left out has none."""
        sizes = {"n_target": target.mean.shape[1], "n_source": source.mean.shape[1]}
        links = torch.from_numpy(table.matrices(batch.indices, **sizes)).to(self.device)
        return links * (target.mask[:, :, None] & source.mask[:, None, :])


def batches_in(text: Segmented) -> int:
    """How many batches all pairs make, about."""
    places = int(text.target_lengths[text.pairs].sum()) + len(text)  # one EOS each
    return max(1, places // (BATCH * 9 // 10))


def updates_for(text: Segmented) -> int:
    """`EPOCHS` times through the text; no more than `ENOUGH`, or once and a half where longer."""
    once = batches_in(text)
    return min(EPOCHS * once, max(ENOUGH, once * 3 // 2))


class LossSums(NamedTuple):
    """Two sums of nats over words, target words and source words, and how many words each counts.

    A batch may be divided: the losses of its parts, each by the counts of the whole batch, add up
    to that of the batch.
    """

    sums: Tensor  # (2,)
    counts: Tensor  # (2,)

    def mean(self, counts: Tensor) -> Tensor:
        """The sum of both means, over so many words."""
        return (self.sums / counts.clamp(min=1)).sum()


def loss_sums(
    found: AlignmentLogProbs, votes: Tensor, real: tuple[Tensor, Tensor], *, doubt: float
) -> LossSums:
    """Votes (B, W_t, W_s) → nats by which the head's choices differ from theirs.

    Over target words choosing among source words, and the other way. What a word should choose are
    its votes, with `doubt` of them for NULL, over their sum; without doubt NULL has what they leave
    of 1. `real` are the masks (B, W_t) and (B, W_s) of the words; pairs without any vote are
    unknown and do not count.
    """
    known = votes.flatten(1).any(1)[:, None]  # (B, 1)
    to_source = _lost(found.to_source, votes, doubt)  # (B, W_t)
    to_target = _lost(found.to_target.transpose(1, 2), votes.transpose(1, 2), doubt)  # (B, W_s)
    counted = [known & mask for mask in real]
    sums = [(lost * each).sum() for lost, each in zip((to_source, to_target), counted, strict=True)]
    return LossSums(torch.stack(sums), torch.stack([each.sum() for each in counted]))


def disagreement(
    found: AlignmentLogProbs, votes: Tensor, real: tuple[Tensor, Tensor], *, doubt: float
) -> Tensor:
    """The loss of a whole batch, in nats a word: see `loss_sums`."""
    lost = loss_sums(found, votes, real, doubt=doubt)
    return lost.mean(lost.counts)


def _lost(logp: Tensor, votes: Tensor, doubt: float) -> Tensor:
    """(B, W, V + 1) and (B, W, V) → the cross-entropy of each word (B, W)."""
    total = votes.sum(-1, keepdim=True)  # (B, W, 1)
    wanted = votes / (total + doubt if doubt else total.clamp(min=1))
    return -(wanted * logp[..., :-1]).sum(-1) - (1 - wanted.sum(-1)) * logp[..., -1]


def _held_out(pairs: IntArray, seed: int) -> IntArray:
    """Some pairs, a twentieth at most, in order."""
    count = min(HELD_OUT, len(pairs) // 20)
    return np.sort(np.random.default_rng([seed, count]).choice(pairs, count, replace=False))
