"""Run attn batch in this process, without a Ray cluster. Shared by tests of attn batch."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from attn_cli.cli.batching import cluster


def run_serially(
    task: Any, inputs: Any, known: Any, *, digests: Any, workers: int
) -> Iterator[cluster.Result]:
    """Yield the results of the chunks of all files, one after another, as `cluster.run` does."""
    worker = cluster._ChunkWorker(task, inputs, digests)
    for number, file in enumerate(inputs):
        for row in cluster._Read(task, number, file, known.get(file.name, frozenset()))():
            yield from cluster._unpack(worker(row))


def use_no_cluster(patch: pytest.MonkeyPatch) -> None:
    """Replace the cluster by this process, until `patch` ends."""
    patch.setattr(cluster, "run", run_serially)
    patch.setattr(cluster, "cluster", lambda *_: contextlib.nullcontext(1))
