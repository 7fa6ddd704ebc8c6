"""Worker processes of one training on this machine, started by the main worker. Loads no torch.

They run the same command line, and find each other by the variables that torchrun would set.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from attn_cli.errors import TrainingError

#: Batches from which another worker pays: each computes at least so many target pieces of a batch.
MIN_PIECES_PER_WORKER = 500

#: Target pieces in all from which starting workers pays, each of which takes seconds to start.
MIN_TOTAL_PIECES = 500_000

#: Seconds that the others have to end by themselves once the main worker has.
_END_SECONDS = 5.0


def default_workers(cores: int, *, batch_pieces: int, updates: int) -> int:
    """How many workers train where --workers is not given: one a core, as far as batches are large
    enough; one for a short training. `updates` is 0 where the text is to decide their number.
    """
    if updates and updates * batch_pieces < MIN_TOTAL_PIECES:
        return 1
    return max(1, min(cores, batch_pieces // MIN_PIECES_PER_WORKER))


class WorkerProcesses:
    """The other workers of this machine, ranks 1 and up."""

    def __init__(self, processes: Sequence["subprocess.Popen[bytes]"], logs: Sequence[BinaryIO]):
        self._processes, self._logs = processes, logs
        self._killed: set[int] = set()

    def end(self) -> None:
        """Wait a moment for them to end, then kill them."""
        for rank, process in enumerate(self._processes, 1):
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._killed.add(rank)
                process.kill()
                process.wait()

    def describe_failure(self) -> str:
        """Which worker failed first by itself, and what it said; "" if none is known to have."""
        for rank, (process, log) in enumerate(zip(self._processes, self._logs, strict=True), 1):
            status = process.poll()
            if rank in self._killed or status in (None, 0, TrainingError.status):
                continue
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()
            exit_status = f"by signal {-status}" if status < 0 else f"with status {status}"
            last_line = f": {lines[-1]}" if lines else ""
            return f"worker {rank} ended {exit_status}{last_line}"
        return ""


@contextmanager
def start_workers(
    arguments: Sequence[str], environment: Mapping[str, str], *, size: int, port: int
) -> Iterator[WorkerProcesses]:
    """Run `attn ARGUMENTS` in `size` - 1 more processes, which meet the main worker at `port`.

    They are ended when the block ends. A TrainingError that leaves it tells which of them was lost,
    and the last line of its stderr.
    """
    everywhere = dict(environment) | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "TORCH_CPP_LOG_LEVEL": "FATAL",
    }
    processes, logs = [], []
    for rank in range(1, size):
        log = tempfile.TemporaryFile(prefix="attn-")  # noqa: SIM115 - closed by Workers
        logs.append(log)
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "attn_cli", *arguments],
                env=everywhere | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # a ^C is the main worker's to tell
            )
        )
    workers = WorkerProcesses(processes, logs)
    try:
        yield workers
    except TrainingError as error:
        workers.end()
        if problem := workers.describe_failure():
            raise TrainingError(problem, error.hint) from error
        raise
    finally:
        workers.end()
        for log in logs:
            log.close()
