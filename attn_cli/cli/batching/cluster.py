"""Chunks of files through worker processes: the only module that imports Ray.

Files are read on the driver's machine, chunk by chunk; workers, a process each with the model in
its memory, turn chunks into results, which go back to the driver. Ray starts a worker that dies
again and repeats its chunk; only the driver writes, so that repeating is safe.
"""

import contextlib
import json
import signal
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray
import ray.data
import ray.exceptions
from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from attn_cli.cli.batching.files import InputFile, read_chunks
from attn_cli.cli.batching.folder import changed
from attn_cli.cli.batching.work import Task, Worker
from attn_cli.errors import AttnError, ClusterError, DataError, ModelError, UsageError

#: Files read at the same time.
_READERS = 2

#: Shared memory of a cluster of our own: chunks are small, and backpressure keeps few of them.
_OBJECT_STORE = 256 << 20

#: Workers that may die in a row while they load their models before the batch ends.
_DEATHS = 20

#: Seconds until a cluster that does not answer is not there.
_CONNECT = 20.0

#: Seconds without any result after which the batch ends.
_PATIENCE = 3600.0


@dataclass(frozen=True)
class Result:
    """A message to the driver: the `key` and `payload` of a chunk; at the end of a file all `keys`
    and its `digest`; or an error, of the file or, with `fatal`, of the batch.

    `read` counts the bytes of the file that this result covers, `skipped` those of them that an
    earlier run had completed.
    """

    file: int
    key: str = ""
    payload: bytes = b""
    notes: tuple[str, ...] = ()
    read: int = 0
    skipped: int = 0
    keys: tuple[str, ...] | None = None
    digest: str = ""
    error: AttnError | None = None


@contextmanager
def cluster(address: str | None, workers: int) -> Iterator[int]:
    """A Ray cluster: that at `address`, else one of our own on this machine with `workers` CPUs.

    Yields its number of CPUs. A cluster that this process has joined already is used and left.
    Raises UsageError where none answers, ClusterError where ours does not start.
    """
    joined = ray.is_initialized()
    handler = signal.getsignal(signal.SIGTERM)
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if not joined and address is not None:
            _connect(address)
            ray.init(address=address, **common)
        elif not joined:
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE,
                **common,
            )
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        if address is None:
            raise ClusterError("Ray does not start on this machine", "See its log.") from error
        raise UsageError(
            f"there is no Ray cluster at {address}",
            "Start one with ray start --head, or leave --address out.",
        ) from error
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGTERM, handler)
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        if not joined:
            ray.shutdown()


def _connect(address: str) -> None:
    """Raise OSError where nothing listens at HOST:PORT, for which Ray would wait without end."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_CONNECT).close()


def run(
    task: Task,
    files: Sequence[InputFile],
    known: Mapping[str, frozenset[str]],
    *,
    digests: Sequence[str],
    workers: int,
) -> Generator[Result, None, None]:
    """The results of all chunks of `files`, as they come, but for those with `known` keys.

    Raises ClusterError where the cluster is lost, ModelError where a worker has not the model.
    """
    context = DataContext.get_current().copy()
    context.target_max_block_size = 1  # a chunk is a block, never joined with others
    context.enable_progress_bars = False
    context.enable_auto_log_stats = False
    context.max_consecutive_actor_init_deaths = _DEATHS
    context.execution_no_progress_timeout_s = _PATIENCE
    with DataContext.current(context):
        results = ray.data.read_datasource(
            _Chunks(task, files, known),
            num_cpus=0,
            compute=TaskPoolStrategy(size=_READERS),
            override_num_blocks=max(1, len(files)),
        ).map_batches(
            _ChunkWorker,
            fn_constructor_args=(task, list(files), list(digests)),
            compute=ActorPoolStrategy(size=workers),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
        )
        batches = results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        try:
            with contextlib.closing(iter(batches)) as stream:
                for batch in stream:
                    yield from _unpack(batch)
        except ray.exceptions.RayError as error:
            raise _cause(error) from error


def _cause(error: BaseException) -> Exception:
    """The exception of our code that Ray wraps, or ClusterError."""
    cause: BaseException | None = error
    while isinstance(cause, ray.exceptions.RayError):
        inner = getattr(cause, "cause", None) or cause.__cause__
        cause = inner if isinstance(inner, BaseException) else None
    if isinstance(cause, Exception):
        return cause
    message = str(error).strip().splitlines() or [type(error).__name__]
    return ClusterError(
        f"the Ray cluster was lost: {message[0][:200]}",
        "Finished work is kept: run the same command again.",
    )


class _Chunks(Datasource):  # type: ignore[misc]
    """A read task a file, all of them on the driver's machine."""

    def __init__(
        self, task: Task, files: Sequence[InputFile], known: Mapping[str, frozenset[str]]
    ) -> None:
        super().__init__()
        self._task, self._files, self._known = task, files, known

    def get_name(self) -> str:
        return "Chunks"

    @property
    def supports_distributed_reads(self) -> bool:
        return False

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        return [
            ReadTask(
                _Read(self._task, number, file, self._known.get(file.name, frozenset())),
                BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None),
            )
            for number, file in enumerate(self._files)
        ]


@dataclass(frozen=True)
class _Read:
    """Reads the chunks of one file that have no result, and at the end lists all chunks."""

    task: Task
    number: int
    file: InputFile
    known: frozenset[str]

    def __call__(self) -> Iterator[pa.Table]:
        keys: list[str] = []
        skipped = 0
        try:
            for chunk in read_chunks(self.file, self.task.columns, self.task.records):
                keys.append(chunk.key)
                if keys[-1] in self.known:
                    skipped += chunk.read
                    continue
                yield _row(
                    chunk.payload,
                    file=self.number,
                    key=keys[-1],
                    first=chunk.first,
                    notes=chunk.notes,
                    read=chunk.read + skipped,
                    skipped=skipped,
                )
                skipped = 0
            digest = self.file.digest()
            if self.file.has_changed():
                raise changed(self.file)
        except AttnError as error:
            yield _row(file=self.number, error=_packed(error))
            return
        yield _row(file=self.number, keys=keys, digest=digest, read=skipped, skipped=skipped)


class _ChunkWorker:
    """A worker process: chunks to results. What is not a chunk passes through."""

    def __init__(self, task: Task, files: Sequence[InputFile], digests: Sequence[str]) -> None:
        self._files = files
        try:
            self._worker: Worker | None = Worker(task, digests)
        except AttnError as error:
            self._worker, self._unfit = None, _packed(error)

    def __call__(self, batch: pa.Table) -> pa.Table:
        (row,) = batch.to_pylist()
        head = json.loads(row["head"])
        if "key" not in head:
            return batch
        if self._worker is None:
            return _row(file=head["file"], error=self._unfit)
        first = head.pop("first")
        try:
            file = self._files[head["file"]]
            result, notes = self._worker.results(file, first, row["payload"])
        except AttnError as error:
            return _row(file=head["file"], error=_packed(error), read=head["read"])
        return _row(result, **{**head, "notes": [*head["notes"], *notes]})


def _row(payload: bytes = b"", **head: Any) -> pa.Table:
    return pa.table({"head": [json.dumps(head)], "payload": pa.array([payload], pa.large_binary())})


def _unpack(batch: pa.Table) -> Iterator[Result]:
    for row in batch.to_pylist():
        head = json.loads(row["head"])
        error = _ERRORS[head["error"][0]](*head["error"][1:]) if "error" in head else None
        names = ("notes", "keys")
        lists = {name: tuple(head.pop(name)) for name in names if name in head}
        yield Result(payload=row["payload"], **{**head, **lists, "error": error})


_ERRORS = {kind.__name__: kind for kind in (DataError, ModelError, UsageError)}


def _packed(error: AttnError) -> tuple[str, str, str]:
    kind = next(each.__name__ for each in _ERRORS.values() if isinstance(error, each))
    return kind, error.problem, error.hint
