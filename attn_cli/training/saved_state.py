"""Save the whole state of a training in one file, to resume it exactly."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from attn_cli.data.batching import BatchIterator
from attn_cli.errors import ModelError
from attn_cli.nn.seq2seq import Seq2Seq
from attn_cli.nn.state_dict import load_state, unique_state_dict
from attn_cli.training import checkpoint
from attn_cli.training.group import Group
from attn_cli.training.trainer_state import TrainerState


class SavedState:
    """The checkpoint of a training: parameters, moments, generators, positions and digests.

    The main worker writes and reads the file. `text` has the digests of the "training" and the
    "validation" text.
    """

    def __init__(
        self,
        path: Path,
        network: Seq2Seq,
        optimizer: torch.optim.Optimizer,
        batches: BatchIterator,
        *,
        text: Mapping[str, str],
        group: Group,
    ) -> None:
        self.path, self.network, self.optimizer = path, network, optimizer
        self.batches, self.text, self.group = batches, dict(text), group

    def write(self, state: TrainerState, random: list[checkpoint.Tensors]) -> None:
        """Write the file; `random` has the generators' states of each worker."""
        tensors = {f"model.{name}": t for name, t in unique_state_dict(self.network).items()}
        tensors |= checkpoint.optimizer_tensors(self.optimizer)
        tensors |= checkpoint.merge_ranks(random)
        facts = {
            "position": asdict(state),
            "batches": self.batches.state(),
            "workers": self.group.size,
            "text": self.text,
        }
        checkpoint.save(self.path, tensors, facts)

    def restore(self) -> tuple[TrainerState, int] | None:
        """Restore the file; return the state and the number of workers, or None without a file.

        With another number of workers the generators stay unchanged; with other training text a new
        epoch starts; results on other validation text are dropped. Raises ModelError for a damaged
        file.
        """
        if not self.group.broadcast(self.path.is_file()):
            return None
        tensors, facts = checkpoint.load(self.path) if self.group.is_main else ({}, {})
        tensors = self.group.broadcast_dict(tensors)
        facts = self.group.broadcast(facts)
        try:
            return self._restore(tensors, facts)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError) as error:
            raise self._damaged(error) from error
        except (TypeError, ValueError) as error:
            raise self._damaged(error) from error

    def _restore(
        self, tensors: checkpoint.Tensors, facts: dict[str, Any]
    ) -> tuple[TrainerState, int]:
        with torch.no_grad():
            weights = checkpoint.with_prefix(tensors, "model.")
            load_state(self.network, weights, where=str(self.path))
        checkpoint.restore_optimizer(self.optimizer, tensors)
        state = TrainerState.from_json(facts["position"])
        state.finished = ""
        self._restore_position(facts, state)
        workers = int(facts.get("workers", 1))
        if workers == self.group.size:
            checkpoint.restore_rng(tensors, rank=self.group.rank)
        return state, workers

    def _damaged(self, error: Exception) -> ModelError:
        return ModelError(
            f"the checkpoint {self.path} is damaged: {type(error).__name__}: {error}",
            "Train again with --force, or from the model with --from.",
        )

    def _restore_position(self, facts: dict[str, Any], state: TrainerState) -> None:
        """Restore the position in the text, unless the text has changed."""
        before = facts.get("text", {})
        changed = [key for key, digest in self.text.items() if before.get(key, digest) != digest]
        if "validation" in changed:
            state.history, state.best = [], None
        if "training" in changed:
            start = {"epoch": facts["batches"]["epoch"] + 1, "pool": 0, "batch": 0}
            self.batches.restore(self.batches.state() | start)
        else:
            self.batches.restore(facts["batches"])
