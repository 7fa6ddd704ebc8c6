"""Find and kill the worker processes of a Ray cluster. Shared by tests of attn batch."""

import os
from pathlib import Path


def descendants(process: int) -> list[int]:
    """Return the processes below `process`, in order of their numbers."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    processes: list[int] = []
    queue = [process]
    while queue:
        pids = children.get(queue.pop(), [])
        processes += pids
        queue += pids
    return sorted(processes)


def workers_below(process: int) -> list[int]:
    """Return the descendants of `process` that read or translate for attn batch."""
    return [each for each in descendants(process) if _is_worker(each)]


def _is_worker(process: int) -> bool:
    try:
        name = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return name.startswith(b"ray::") and (b"_ChunkWorker" in name or b"ReadChunks" in name)


def kill(process: int, signal: int = 9) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(process, signal)
    except ProcessLookupError:
        return
