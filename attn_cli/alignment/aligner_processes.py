"""Run aligner jobs: in turn, or in processes, within a time limit."""

import math
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from attn_cli.alignment.aligner_jobs import AlignerJob, ProgressCallback, run_job
from attn_cli.errors import TrainingError

#: Bytes that a job takes for each word of both sides.
BYTES_A_WORD = 100

#: The time of a job without an HMM, as a share of one with it.
IBM_1_COST = 0.5

#: Minimum share of a job from which its whole time is extrapolated.
MIN_SHARE = 0.1

_POLL_SECONDS = 0.2


def run_in_turn(jobs: Sequence[AlignerJob], folder: Path, on_progress: ProgressCallback) -> None:
    """Run the jobs one after another in this process; progress is from 0 to 1 over all."""
    for before, job in enumerate(jobs):

        def report(done: float, before: int = before) -> None:
            on_progress((before + done) / len(jobs))

        run_job(job, folder, report)


def max_parallel(workers: int, words: int) -> int:
    """Return how many jobs may run at a time: `workers`, in at most half of the memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # such as Windows
        return max(1, workers)
    return max(1, min(workers, memory // (2 * BYTES_A_WORD * words)))


class Schedule:
    """The jobs that are `waiting`, and those that are `finished`, within a time limit.

    Time counts from the construction; `clock` is for tests.
    """

    def __init__(
        self,
        jobs: Sequence[AlignerJob],
        finished: Sequence[AlignerJob],
        max_seconds: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waiting = [job for job in jobs if job not in finished]
        self.finished = list(finished)
        self.left_out = 0  # members
        self._begun = {job.member for job in finished}
        self._clock, self._began = clock, clock()
        self._end = math.inf if max_seconds is None else self._began + max_seconds
        self._hmm_seconds = 0.0  # of a job with an HMM, the maximum so far
        self._cost = sum(map(_cost_of, jobs))

    def share(self, running: Sequence[tuple[AlignerJob, float]]) -> float:
        """Return the share of all work that is done; `running` are jobs and their own shares."""
        done = sum(map(_cost_of, self.finished))
        done += sum(share * _cost_of(job) for job, share in running)
        return round(done / self._cost, 6) if self._cost else 1.0

    def finish(self, job: AlignerJob, seconds: float) -> None:
        """Record that a job has ended after so many seconds."""
        self.finished.append(job)
        self._hmm_seconds = max(self._hmm_seconds, seconds / _cost_of(job))

    def next(self) -> AlignerJob | None:
        """Return the job to start now, if any.

        Once a job has ended, members that have not started are left out if they would end too late.
        """
        if self.waiting and self.finished and not self._is_begun(self.waiting[0]):
            seconds = self._hmm_seconds * _cost_of(self.waiting[0])
            if self._clock() + seconds > self._end:
                left_out = [job for job in self.waiting if not self._is_begun(job)]
                self.left_out += len({job.member for job in left_out})
                self._cost -= sum(map(_cost_of, left_out))
                self.waiting = [job for job in self.waiting if job not in left_out]
        if not self.waiting:
            return None
        self._begun.add(self.waiting[0].member)
        return self.waiting.pop(0)

    def _is_begun(self, job: AlignerJob) -> bool:
        """Return whether one of its member's two jobs has started."""
        return job.member in self._begun

    def check(self, job: AlignerJob, share: float, seconds: float) -> None:
        """Raise TimeoutError if no member has voted and this job would end too late.

        It has done `share` of its work in so many seconds.
        """
        left = seconds * (1 - share) / share if share >= MIN_SHARE else 0.0
        if self.finished or self._clock() + left <= self._end:
            return
        raise TimeoutError("statistical aligners take longer than the time limit")


def _cost_of(job: AlignerJob) -> float:
    return 1.0 if job.member.uses_hmm else IBM_1_COST


def run_in_processes(
    plan: Schedule, folder: Path, at_once: int, on_progress: ProgressCallback
) -> None:
    """Run each job in a process of its own, `at_once` of them at a time.

    `thot` holds the GIL while it trains, and the memory of a job is freed with its process.
    """
    working = list[_Process]()
    try:
        while True:
            while len(working) < at_once and (job := plan.next()):
                working.append(_Process(job, folder))
            if not working:
                break
            for ready in wait([process._receiver for process in working], timeout=_POLL_SECONDS):
                next(process for process in working if process._receiver is ready).receive()
            for process in [process for process in working if process.done]:
                working.remove(process)
                process.end()
                plan.finish(process.job, process.seconds)
            for process in working:
                plan.check(process.job, process.share, process.seconds)
            on_progress(plan.share([(process.job, process.share) for process in working]))
    finally:
        for process in working:
            process.end()


@contextmanager
def _hide_main_module() -> Iterator[None]:
    """Keep a new process from importing the main module, such as a script that has no guard."""
    main = sys.modules["__main__"].__dict__
    hidden: dict[str, Any] = {n: main[n] for n in ("__file__", "__spec__") if n in main}
    main.pop("__file__", None)
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(hidden)


class _Process:
    """A job in a child process; `share` is the part that is done, by its last message."""

    def __init__(self, job: AlignerJob, folder: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.job, self.share, self.done = job, 0.0, False
        self._began = time.monotonic()
        self._receiver, sender = spawn.Pipe(duplex=False)
        self._process = spawn.Process(target=_run_in_child, args=(job, folder, sender), daemon=True)
        with _block_sigint(), _hide_main_module():
            self._process.start()
        sender.close()

    @property
    def seconds(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self._began

    def receive(self) -> None:
        """Read the next message of the process.

        Raises the error of the job, and TrainingError if the process ended without a message.
        """
        try:
            message: float | BaseException | None = self._receiver.recv()
        except EOFError:
            self._process.join()
            raise TrainingError(
                f"a statistical aligner was killed (status {self._process.exitcode})",
                "If memory ran out, give fewer --threads: fewer aligners run at once.",
            ) from None
        if isinstance(message, BaseException):
            raise message
        self.share, self.done = (1.0, True) if message is None else (message, False)

    def end(self) -> None:
        """Kill the process and its children, if it is still running."""
        assert self._process.pid is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (AttributeError, OSError):  # not on Windows, and not before `_run_in_child` begins
            self._process.kill()
        self._process.join()
        self._receiver.close()


def _run_in_child(job: AlignerJob, folder: Path, sender: Connection) -> None:
    """Run a job in the child: send the share that is done, then None or the error.

    Ends quietly if the parent has ended.
    """
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # so that its children are killed with it
    tempfile.tempdir = str(folder)
    try:
        run_job(job, folder, sender.send)
        sender.send(None)
    except ConnectionError:
        return
    except Exception as error:
        error.add_note(traceback.format_exc())
        sender.send(error)


@contextmanager
def _block_sigint() -> Iterator[None]:
    """Start processes without SIGINT, which a terminal sends to all of them on ^C.

    The parent ends them, so that they print no traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started later, it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
