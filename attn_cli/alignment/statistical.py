"""Link the words of a corpus by the votes of statistical aligners.

A statistical aligner learns from the pairs that it aligns. It gives each target word at most one
source word, so each runs in both directions (Och & Ney 2003 combine the two by heuristics). Several
of them, with different models and word forms, are a *committee*: the share of its votes is the
score of a link.
"""

import importlib.util
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attn_cli.alignment.aligner_jobs import (
    AlignerJob,
    AlignerProgram,
    CommitteeMember,
    ProgressCallback,
    make_jobs,
    write_side,
)
from attn_cli.alignment.aligner_processes import (
    Schedule,
    max_parallel,
    run_in_processes,
    run_in_turn,
)
from attn_cli.alignment.link_table import LinkTable
from attn_cli.errors import TrainingError, UsageError

#: Words of both sides below which the jobs run in this process: others take longer to start.
SMALL_CORPUS = 2_000

#: Words of both sides from which no member runs more than `MAX_SAMPLERS_LARGE` samplers.
LARGE_CORPUS, MAX_SAMPLERS_LARGE = 1_000_000, 1

_BLOCK = 1 << 14  # pairs whose votes are counted together: bounds the memory

#: Chosen by alignment error rate on en-fr, en-cs, en-sv and ro-en, with 248 pairs to 169,000:
#: benchmarks/README.md has the figures. The slowest members come first.
COMMITTEE = (
    CommitteeMember(prefix_length=0, uses_hmm=True, null_prior=0.02),
    CommitteeMember(prefix_length=5, uses_hmm=True, null_prior=0.02),
    CommitteeMember(prefix_length=4, uses_hmm=True, null_prior=0.02),
    CommitteeMember(prefix_length=0, uses_hmm=False, null_prior=0.2),
    CommitteeMember(prefix_length=4, uses_hmm=False, null_prior=0.2),
)

#: The members of `--quick`.
QUICK_COMMITTEE = (
    CommitteeMember(prefix_length=5, uses_hmm=True, null_prior=0.02, max_samplers=1),
    CommitteeMember(prefix_length=4, uses_hmm=True, null_prior=0.02, max_samplers=1),
)


def collect_votes(
    source: Iterable[Sequence[str]],
    target: Iterable[Sequence[str]],
    *,
    seed: int,
    workers: int,
    program: AlignerProgram = "thot",
    members: Sequence[CommitteeMember] | None = None,
    cache: Path | None = None,
    max_seconds: float | None = None,
    on_omitted: Callable[[int], None] | None = None,
    on_progress: ProgressCallback | None = None,
) -> LinkTable:
    """Return the links of each sentence pair; a link's score is its share of the votes, in (0, 1].

    `source` and `target` are the words of each sentence, read once, one side after the other. Case
    is ignored. A pair with an empty side, or with more than `MAX_WORDS` words on one, has no links.
    At most `workers` processes run at a time, fewer if memory is short; with `thot` the links do
    not depend on their number. `members` default to the `COMMITTEE`.

    Finished jobs store their links in the folder `cache`, and jobs whose links are there are not
    run again: they must be of the same text, seed, program and members.

    With `max_seconds` the last members, which would end later, are left out; `on_omitted` is called
    with their number. Raises TimeoutError as soon as the first is expected to end later.

    `on_progress` is called with the share that is done, several times a second with processes,
    between rounds for a small text. An exception in it ends all processes.

    Raises UsageError if `program` is not installed, and TrainingError if temporary files cannot be
    written or a process is killed.
    """
    _require_program(program)
    if max_seconds is not None and max_seconds <= 0:
        raise TimeoutError("no time is left for statistical aligners")
    on_progress = on_progress or (lambda done: None)
    chosen = COMMITTEE if members is None else tuple(members)
    with _temp_dir() as folder:
        results = cache or folder
        results.mkdir(parents=True, exist_ok=True)
        source_size, target_size = (
            write_side(folder, *side, {member.prefix_length for member in chosen})
            for side in (("source", source), ("target", target))
        )
        assert source_size.sentences == target_size.sentences, (source_size, target_size)
        words = source_size.words + target_size.words
        if words >= LARGE_CORPUS:
            chosen = tuple(
                replace(member, max_samplers=min(member.max_samplers, MAX_SAMPLERS_LARGE))
                for member in chosen
            )
        jobs = make_jobs(chosen, seed, program, results)
        finished = [job for job in jobs if job.is_finished(source_size.sentences)]
        if words < SMALL_CORPUS:
            run_in_turn([job for job in jobs if job not in finished], folder, on_progress)
            finished = jobs
        else:
            plan = Schedule(jobs, finished, max_seconds)
            run_in_processes(plan, folder, max_parallel(workers, words), on_progress)
            finished = plan.finished
            if on_omitted and plan.left_out:
                on_omitted(plan.left_out)
        return _count_votes(finished, source_size.sentences)


def _require_program(program: AlignerProgram) -> None:
    if importlib.util.find_spec(program) is None:
        hint = "pip install eflomal (it needs a C compiler and is under the GPL), or use thot."
        if program == "thot":
            hint = "pip install sil-thot"
        raise UsageError(f"the word aligner {program} is not installed", hint)


@contextmanager
def _temp_dir() -> Iterator[Path]:
    """Yield a temporary folder for the files of the processes."""
    try:
        with tempfile.TemporaryDirectory(prefix="attn-links-") as folder:
            yield Path(folder)
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        raise TrainingError(
            f"cannot link words: {error.strerror or error}",
            "Free some space for temporary files, or set TMPDIR to another folder.",
        ) from error


def _count_votes(jobs: Sequence[AlignerJob], pairs: int) -> LinkTable:
    """Return the links of all jobs; a link's score is the share of the jobs that have it."""
    job_links = [_JobLinks(job) for job in jobs]
    source, target, weight = [], [], []
    starts = np.zeros(pairs + 1, np.int64)
    for first in range(0, pairs, _BLOCK):
        last = min(first + _BLOCK, pairs)
        votes = np.concatenate([each.between(first, last) for each in job_links])
        link, number = np.unique(votes, return_counts=True)
        starts[first + 1 : last + 1] = np.bincount(link >> 32, minlength=last - first)
        target.append((link >> 16 & 0xFFFF).astype(np.uint16))
        source.append((link & 0xFFFF).astype(np.uint16))
        weight.append((number / len(jobs)).astype(np.float32))
    np.cumsum(starts, out=starts)
    return LinkTable(
        np.concatenate([*source, np.zeros(0, np.uint16)]),
        np.concatenate([*target, np.zeros(0, np.uint16)]),
        np.concatenate([*weight, np.zeros(0, np.float32)]),
        starts,
    )


class _JobLinks:
    """The links of one job."""

    def __init__(self, job: AlignerJob) -> None:
        self._links: NDArray[np.uint16] = np.load(job.links, mmap_mode="r")
        self._starts = np.concatenate([[0], np.cumsum(np.load(job.counts), dtype=np.int64)])

    def between(self, first: int, last: int) -> NDArray[np.int64]:
        """Return the links of pairs `first` to `last`, each as one number: pair, target, source."""
        starts = self._starts[first : last + 1]
        links = self._links[starts[0] : starts[-1]].astype(np.int64)
        pair = np.repeat(np.arange(last - first), np.diff(starts))
        return pair << 32 | links[:, 1] << 16 | links[:, 0]
