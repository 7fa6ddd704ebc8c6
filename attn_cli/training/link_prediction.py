"""Predict the links of pairs with a word aligner in training, and combine them with the votes.

The batches are divided among the workers of a group.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attn_cli.alignment.link_table import LinkTable
from attn_cli.data.batching import Batch, sequential_batches
from attn_cli.data.segmentation import SubwordCorpus
from attn_cli.inference.engines.interface import PaddedWords
from attn_cli.inference.engines.torch import word_groups
from attn_cli.nn.device import Hardware
from attn_cli.nn.word_aligner import WordAligner, WordGroups
from attn_cli.training.group import Group
from attn_cli.training.interruption import Interrupted
from attn_cli.types import FloatArray, IntArray

#: The columns of a link, as workers exchange it.
_LINK = {"pairs": np.int32, "source": np.int32, "target": np.int32, "weight": np.float32}


@dataclass(frozen=True)
class Agreement:
    """Precision, recall and F1 in % of the aligner's links against the committee's, held out."""

    pairs: int
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


class LinkPredictor:
    """Predicts links of pairs of `text` and compares or combines them with the committee's `votes`.

    Every method that iterates over pairs raises Interrupted, on all workers, if one of them is
    `interrupted`.
    """

    def __init__(
        self,
        aligner: WordAligner,
        text: SubwordCorpus,
        votes: LinkTable,
        *,
        hardware: Hardware,
        group: Group,
        batch_tokens: int,
        interrupted: Callable[[], bool],
    ) -> None:
        self.aligner, self.text, self.votes = aligner, text, votes
        self.hardware, self.group = hardware, group
        self.batch_tokens, self.interrupted = batch_tokens, interrupted
        self.device = next(aligner.parameters()).device

    @torch.inference_mode()
    def predict(self, pairs: IntArray) -> Iterator[tuple[Batch, FloatArray, FloatArray]]:
        """Yield this worker's batches, the probability of each link and the votes (B, W_t, W_s)."""
        self.aligner.eval()
        rank, size = self.group.rank, self.group.size
        batches = sequential_batches(
            self.text, pairs, tokens=self.batch_tokens, rank=rank, size=size
        )
        for batch in self._synchronize(batches):
            source, target = self.word_groups(batch)
            mask = target.mask[:, :, None] & source.mask[:, None, :]
            with self.hardware.autocast():
                output = self.aligner(source, target)
            links = output.link_probs * mask
            votes = self.link_matrices(self.votes, source, target, batch)
            yield batch, links.cpu().numpy(), votes.cpu().numpy()
        self.aligner.train()

    def agreement(self, pairs: IntArray) -> Agreement:
        """Compare the links that have a probability of half with those that have half the votes."""
        predicted = voted = common = 0
        for _, links, votes in self.predict(pairs):
            is_predicted, is_voted = links >= 0.5, votes >= 0.5
            predicted += int(is_predicted.sum())
            voted += int(is_voted.sum())
            common += int((is_predicted & is_voted).sum())
        predicted, voted, common = map(int, self.group.sum([predicted, voted, common]))
        return Agreement(len(pairs), 100 * common / max(1, predicted), 100 * common / max(1, voted))

    def combine(self, *, at_least: float, soft: bool) -> LinkTable:
        """Average probability and votes of each link; return the links with such a mean.

        Their weights are the means if `soft`, else 1. All workers return the links of all pairs.
        """
        columns: dict[str, list[NDArray[Any]]]
        columns = {name: [np.zeros(0, dtype)] for name, dtype in _LINK.items()}
        for batch, predicted, votes in self.predict(self.text.pairs):
            mean = (predicted + votes) / 2
            row, target, source = np.nonzero(mean >= at_least)
            weight = mean[row, target, source] if soft else np.ones(len(row))
            values: Sequence[NDArray[Any]] = (batch.indices[row], source, target, weight)
            for name, column in zip(_LINK, values, strict=True):
                columns[name].append(column.astype(_LINK[name]))
        own_links = {
            name: torch.from_numpy(np.concatenate(parts)) for name, parts in columns.items()
        }
        links = self.group.concatenate(own_links)
        table = {name: column.numpy() for name, column in links.items()}
        return LinkTable.from_arrays(**table, n_pairs=len(self.votes))

    def word_groups(self, batch: Batch) -> tuple[WordGroups, WordGroups]:
        """Return the source and target words of a batch."""
        return (
            word_groups(PaddedWords(batch.source, batch.source_word_ids), self.device),
            word_groups(PaddedWords(batch.target_out, batch.target_word_ids), self.device),
        )

    def link_matrices(
        self, table: LinkTable, source: WordGroups, target: WordGroups, batch: Batch
    ) -> Tensor:
        """Return the links of a batch (B, W_t, W_s), 0 for words removed by augmentation."""
        sizes = {"n_target": target.mean.shape[1], "n_source": source.mean.shape[1]}
        links = torch.from_numpy(table.to_matrices(batch.indices, **sizes)).to(self.device)
        return links * (target.mask[:, :, None] & source.mask[:, None, :])

    def _synchronize(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches in step with the other workers; raises Interrupted."""
        while True:
            batch = next(batches, None)
            interrupted, working = self.group.sum([self.interrupted(), batch is not None])
            if interrupted:
                raise Interrupted
            if not working:
                return
            if batch is not None:
                yield batch
