"""The group of worker processes of a training, and the values they exchange.

Communication uses torch.distributed: gloo between CPUs, nccl between GPUs. Messages are JSON and
plain numbers, never pickles, so that receiving a message runs no code.

A training of one process has a `Group` of size 1, whose methods return their arguments, so that
there is one code path. Ranks count from 0. Only rank 0, the *main* worker, writes files, emits
events and reads the clock; the others follow its decisions.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from attn_cli.errors import TrainingError
from attn_cli.training.worker_rank import WorkerRank

T = TypeVar("T")

#: Seconds within which every worker must join the group.
JOIN_SECONDS = 50.0

#: Seconds after which a worker that does not join a collective operation counts as lost. The end
#: of a worker's process is noticed at once.
LOST_SECONDS = 600.0

#: Seconds of each wait for the next message of the main worker.
_POLL_SECONDS = 5.0

_RESUME = "Go on from the last checkpoint with attn train --resume."


class Group:
    """The workers of a training, as one of them has it. `Group()` has one worker."""

    def __init__(self, place: WorkerRank | None = None, store: PrefixStore | None = None) -> None:
        self.worker_rank = place or WorkerRank()
        self._store = store
        self._n_messages = 0

    @property
    def rank(self) -> int:
        """The number of this worker, from 0."""
        return self.worker_rank.rank

    @property
    def size(self) -> int:
        """The number of workers."""
        return self.worker_rank.size

    @property
    def is_main(self) -> bool:
        """Whether this is the main worker: it writes files, emits events and decides."""
        return self.rank == 0

    @property
    def is_local_main(self) -> bool:
        """Whether this is the first worker of its machine, which reads the text there."""
        return self.worker_rank.local_rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all workers, which must have equally many values."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        with self.detect_lost_workers():
            dist.all_reduce(total, group=dist.group.WORLD)
        sums: list[float] = total.tolist()
        return sums

    def broadcast(self, value: T) -> T:
        """Return the main worker's value, which must be JSON.

        The others wait without a timeout, since the main worker may work alone for an hour.
        """
        if self.size == 1:
            return value
        assert self._store is not None
        self._n_messages += 1
        key = f"message/{self._n_messages}"
        with self.detect_lost_workers():
            if self.is_main:
                self._store.set(key, json.dumps(value))
                return value
            while not self._has_arrived(key):
                pass
            received: T = json.loads(self._store.get(key))
        return received

    def _has_arrived(self, key: str) -> bool:
        assert self._store is not None
        try:
            self._store.wait([key], timedelta(seconds=_POLL_SECONDS))
        except dist.DistStoreError:  # not yet
            return False
        return True

    def gather(self, value: T) -> list[T]:
        """Return the value of each worker, by rank; values must be JSON."""
        if self.size == 1:
            return [value]
        data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        with self.detect_lost_workers():
            sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
            dist.all_gather(sizes, torch.tensor([len(data)]))
            longest = max(int(size) for size in sizes)
            padded = torch.zeros(longest, dtype=torch.uint8)
            padded[: len(data)] = data
            parts = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.size)]
            dist.all_gather(parts, padded)
        return [
            json.loads(bytes(part[: int(size)].numpy()))
            for part, size in zip(parts, sizes, strict=True)
        ]

    def broadcast_tensors(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite each tensor with the main worker's; shapes and types must be equal."""
        if self.size == 1:
            return
        with self.detect_lost_workers():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def broadcast_dict(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the main worker's tensors by name, on the CPU."""
        if self.size == 1:
            return tensors
        shapes = {
            k: (str(t.dtype).removeprefix("torch."), list(t.shape)) for k, t in tensors.items()
        }
        received = {
            name: torch.empty(shape, dtype=getattr(torch, dtype))
            for name, (dtype, shape) in self.broadcast(shapes).items()
        }
        if self.is_main:
            received = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        self.broadcast_tensors(list(received.values()))
        return received

    def gather_tensors(self, tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
        """Return the tensors of each worker, by rank; names and shapes must be equal."""
        if self.size == 1:
            return [tensors]
        gathered: list[dict[str, Tensor]] = [{} for _ in range(self.size)]
        with self.detect_lost_workers():
            for name, tensor in tensors.items():
                parts = [torch.empty_like(tensor) for _ in range(self.size)]
                dist.all_gather(parts, tensor)
                for each, part in zip(gathered, parts, strict=True):
                    each[name] = part
        return gathered

    def concatenate(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Concatenate the tensors of all workers along the first dimension, by rank.

        The tensors of a worker, on the CPU, have one length, which may differ between workers.
        """
        if self.size == 1:
            return tensors
        lengths = self.gather(len(next(iter(tensors.values()))))
        longest = max(1, *lengths)
        padded = {}
        for name, tensor in tensors.items():
            padded[name] = tensor.new_zeros(longest, *tensor.shape[1:])
            padded[name][: len(tensor)] = tensor
        parts = self.gather_tensors(padded)
        return {
            name: torch.cat(
                [part[name][:length] for part, length in zip(parts, lengths, strict=True)]
            )
            for name in tensors
        }

    def seed(self, step: int = 0) -> None:
        """Seed each worker differently, from update `step` on.

        At step 0 the main worker keeps its generator, so that it equals a training of one process.
        """
        if step or self.rank:
            state = np.random.SeedSequence([torch.initial_seed(), step, self.rank])
            torch.manual_seed(int(state.generate_state(1)[0]))

    def barrier(self) -> None:
        """Wait until every worker has called this."""
        self.sum([0.0])

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Wrap the network so that `backward` averages gradients over the workers.

        All workers start from the main worker's parameters (Li et al. 2020, "PyTorch Distributed").
        """
        if self.size == 1:
            return network
        with self.detect_lost_workers():
            return nn.parallel.DistributedDataParallel(
                network,
                device_ids=[device] if device.type == "cuda" else None,
                gradient_as_bucket_view=True,
            )

    @contextmanager
    def detect_lost_workers(self) -> Iterator[None]:
        """Raise TrainingError instead of the errors of torch.distributed if a worker is lost."""
        if self.size == 1:
            yield
            return
        try:
            yield
        except (dist.DistError, dist.DistNetworkError, RuntimeError) as error:
            if not _is_network_error(error):
                raise
            raise TrainingError("another worker of this training was lost", _RESUME) from error

    def close(self) -> None:
        """Leave the group."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()


def create_store() -> TCPStore:
    """Return the store through which workers of this machine join, on a free loopback port."""
    timeout = timedelta(seconds=JOIN_SECONDS)
    return TCPStore(
        "127.0.0.1", 0, is_master=True, timeout=timeout, wait_for_workers=False, multi_tenant=True
    )


def join_group(worker_rank: WorkerRank, *, cuda: bool, store: TCPStore | None = None) -> Group:
    """Join the other workers within `JOIN_SECONDS`, at `store` or the address torchrun sets.

    Raises TrainingError if a worker does not join in time.
    """
    if worker_rank.size == 1:
        return Group(worker_rank)
    timeout = timedelta(seconds=JOIN_SECONDS)
    start = time.monotonic()
    try:
        rendezvous_store = store or next(iter(rendezvous("env://", timeout=timeout)))[0]
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if cuda else "gloo",
            store=rendezvous_store,
            rank=worker_rank.rank,
            world_size=worker_rank.size,
            timeout=timeout,
        )
        group = Group(worker_rank, PrefixStore("attn", rendezvous_store))
        group.barrier()
    except (dist.DistError, RuntimeError, ValueError, TrainingError) as error:
        seconds = time.monotonic() - start
        raise TrainingError(
            f"worker {worker_rank.rank} could not connect to all {worker_rank.size} workers of "
            f"this training within {seconds:.0f} s",
            "Start them all at once, with the same address, port and number of workers.",
        ) from error
    _set_timeout(LOST_SECONDS)
    return group


def _set_timeout(seconds: float) -> None:
    """Set the timeout of collective operations."""
    set_timeout = getattr(dist.distributed_c10d, "_set_pg_timeout", None)
    if set_timeout is not None:
        set_timeout(timedelta(seconds=seconds), dist.group.WORLD)


def _is_network_error(error: BaseException) -> bool:
    """Whether torch.distributed raised the error, by its type or its message."""
    if isinstance(error, dist.DistError):
        return True
    text = str(error).lower()
    return any(word in text for word in ("gloo", "nccl", "connection", "socket", "broken pipe"))


def format_workers(count: int) -> str:
    """Format a number of workers."""
    return "1 worker" if count == 1 else f"{count} workers"


def workers_notice(name: str, before: int, now: int) -> str:
    """Return the notice that `name` resumes with another number of workers."""
    return (
        f"{name} was saved by {format_workers(before)} and goes on with {format_workers(now)}: "
        "the same batches, other random numbers"
    )


def without_sync(network: nn.Module) -> AbstractContextManager[Any]:
    """Return a context in which `backward` of a wrapped network does not average gradients."""
    if isinstance(network, nn.parallel.DistributedDataParallel):
        context: AbstractContextManager[Any] = network.no_sync()
        return context
    return nullcontext()
