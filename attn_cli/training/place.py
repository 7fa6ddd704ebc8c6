"""Where one of several worker processes stands. Loads no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from attn_cli.errors import UsageError


@dataclass(frozen=True)
class WorkerRank:
    """Where a worker stands: among all, and among those of its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    restarts: int = 0  # how often torchrun has started these workers again

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "WorkerRank | None":
        """The place that torchrun's variables tell, or None where they do not.

        Raises UsageError where they contradict each other.
        """
        if "RANK" not in environment or "WORLD_SIZE" not in environment:
            return None
        try:
            rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
            place = cls(
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
        if not (0 <= rank < size and 0 <= place.local_rank < place.local_size <= size):
            raise UsageError(
                f"the environment places this worker at rank {rank} of {size}, "
                f"{place.local_rank} of {place.local_size} on its machine",
                "Start the workers with torchrun, or with --workers.",
            )
        return place
