"""Start the other worker processes of a training on this machine. Imports no torch.

They run the same command line; the environment variables are those of torchrun.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from attn_cli.errors import TrainingError

#: The fewest target pieces of a batch for each worker; with fewer, another worker is no faster.
MIN_PIECES_PER_WORKER = 500

#: The fewest target pieces of a whole training for several workers, which take seconds to start.
MIN_TOTAL_PIECES = 500_000

#: Seconds to wait for the other workers to end before they are killed.
_END_SECONDS = 5.0


def default_workers(cores: int, *, batch_pieces: int, updates: int) -> int:
    """Return the default of --workers: one per core if batches are large enough.

    A short training has one worker. `updates` is 0 if the text determines their number.
    """
    if updates and updates * batch_pieces < MIN_TOTAL_PIECES:
        return 1
    return max(1, min(cores, batch_pieces // MIN_PIECES_PER_WORKER))


class WorkerProcesses:
    """The processes of the other workers of this machine, ranks 1 and above."""

    def __init__(self, processes: Sequence["subprocess.Popen[bytes]"], logs: Sequence[BinaryIO]):
        self._processes, self._logs = processes, logs
        self._killed: set[int] = set()

    def end(self) -> None:
        """Wait some seconds for the processes to end, then kill them."""
        for rank, process in enumerate(self._processes, 1):
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._killed.add(rank)
                process.kill()
                process.wait()

    def describe_failure(self) -> str:
        """Describe the first worker that failed, with its last line on stderr; "" if none did."""
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
    """Run `attn ARGUMENTS` in `size` - 1 more processes, which join the main worker at `port`.

    They end with the block. If a worker failed, a TrainingError of the block is replaced by one
    that describes the failure.
    """
    variables = dict(environment) | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
        "TORCH_CPP_LOG_LEVEL": "FATAL",
    }
    processes, logs = [], []
    for rank in range(1, size):
        log = tempfile.TemporaryFile(prefix="attn-")  # noqa: SIM115 - closed below
        logs.append(log)
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "attn_cli", *arguments],
                env=variables | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # ^C reaches the main worker alone
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
