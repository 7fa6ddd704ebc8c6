"""The rank of a worker process in its training. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from attn_cli.errors import UsageError


@dataclass(frozen=True)
class WorkerRank:
    """The number of a worker among all workers and among those of its machine, from 0."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    restarts: int = 0  # by torchrun

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "WorkerRank | None":
        """Return the rank that torchrun's variables set, None without them.

        Raises UsageError if they contradict each other.
        """
        if "RANK" not in environment or "WORLD_SIZE" not in environment:
            return None
        try:
            rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
            worker = cls(
                rank,
                size,
                int(environment.get("LOCAL_RANK", rank)),
                int(environment.get("LOCAL_WORLD_SIZE", size)),
                int(environment.get("TORCHELASTIC_RESTART_COUNT", 0)),
            )
        except ValueError as error:
            raise UsageError(
                f"RANK, WORLD_SIZE, LOCAL_RANK or LOCAL_WORLD_SIZE is not a number: {error}",
                "Start the workers with torchrun, or with --workers.",
            ) from error
        if not (0 <= rank < size and 0 <= worker.local_rank < worker.local_size <= size):
            raise UsageError(
                f"the environment sets this worker at rank {rank} of {size}, "
                f"{worker.local_rank} of {worker.local_size} on its machine",
                "Start the workers with torchrun, or with --workers.",
            )
        return worker
