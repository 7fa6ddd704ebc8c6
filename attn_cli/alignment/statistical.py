"""Word links of a corpus by the votes of statistical aligners, from its words alone.

Knows no corpus, tokenizer or terminal. The one module that runs an aligner: Eflomal as the library
`thot` has it, or the program `eflomal` itself where a person has installed that.

A statistical aligner learns from the very pairs it aligns which words go together. One gives each
target word at most one source word, so each is run in both directions (Och & Ney 2003 combine the
two by hand-made rules). Different ways of looking at the text err at different words: a *committee*
of them votes, and the share of the votes is the link's weight.
"""

import importlib.util
import itertools
import math
import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.alignment.link_table import LinkTable
from attn_cli.errors import TrainingError, UsageError
from attn_cli.types import IntArray

AlignerProgram = Literal["thot", "eflomal"]
Words = list[str]
ProgressCallback = Callable[[float], None]

#: Words on a side of the longest sentences that `thot` reads. Longer ones get no links.
MAX_WORDS = 1024

#: Words of both sides below which the jobs are done here: processes take longer to start.
SMALL_CORPUS = 2_000

#: Bytes that a job takes for each word of both sides (measured on half a million to 1.4 million).
BYTES_A_WORD = 100

_PATIENCE = 0.2  # seconds between two looks at the processes
_BLOCK = 1 << 14  # pairs whose votes are counted together: bounds the memory


@dataclass(frozen=True, slots=True)
class CommitteeMember:
    """One of the committee: how it sees the words, and what it believes about links.

    It sees the first `prefix_length` of each word, or all of them for 0: prefixes gather the rare
    inflected forms of a word. With `uses_hmm` it is Eflomal (Östling & Tiedemann 2016), which
    samples from IBM model 1, then from an HMM, then from an HMM with fertilities; without, IBM
    model 1 (Brown et al. 1993) alone, which knows no word order and so finds clitics that change
    their place, as `le` and `it`. `null_prior` is the prior chance that a word belongs to none: the
    smaller, the more is linked. It draws `max_samplers` chains of samples at most, whose sum makes
    its links.
    """

    prefix_length: int
    uses_hmm: bool
    null_prior: float
    max_samplers: int = 3


#: Chosen by alignment error rate on en-fr, en-cs, en-sv and ro-en, with 248 pairs to 169,000:
#: benchmarks/README.md has the figures. The members that take longest come first.
COMMITTEE = (
    CommitteeMember(prefix_length=0, uses_hmm=True, null_prior=0.02),
    CommitteeMember(prefix_length=5, uses_hmm=True, null_prior=0.02),
    CommitteeMember(prefix_length=4, uses_hmm=True, null_prior=0.02),
    CommitteeMember(prefix_length=0, uses_hmm=False, null_prior=0.2),
    CommitteeMember(prefix_length=4, uses_hmm=False, null_prior=0.2),
)

#: The members for a quick answer.
QUICK_COMMITTEE = (
    CommitteeMember(prefix_length=5, uses_hmm=True, null_prior=0.02, max_samplers=1),
    CommitteeMember(prefix_length=4, uses_hmm=True, null_prior=0.02, max_samplers=1),
)

#: Words on both sides from which no member draws more than `MAX_SAMPLERS_LARGE` chains.
LARGE_CORPUS, MAX_SAMPLERS_LARGE = 1_000_000, 1

#: Seconds of a job without word order, where one with it takes 1.
IBM_1_COST = 0.5

#: The share of a job from which on its time foretells that of the whole.
MIN_SHARE = 0.1

#: Rounds of IBM model 1 where it is the whole model.
IBM_1_ROUNDS = 24

#: Rounds of Eflomal's three models at most, and with fewer pairs than `FEW_PAIRS`. By itself it
#: makes a quarter, a quarter and all of 5,000 / √pairs: from 2,000 to 5,000 pairs these have the
#: same AER, within 0.1, in half of the time; with 248 the longer ones are better by 0.9.
MAX_ROUNDS, SMALL_CORPUS_ROUNDS, FEW_PAIRS = (10, 10, 30), (20, 20, 60), 1_000
MANY_PAIRS = (5_000 // MAX_ROUNDS[-1]) ** 2  # from which it makes fewer by itself


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
    """The links of each pair of sentences; a link's weight is its share of the votes, in (0, 1].

    `source` and `target` are the words of each sentence, read once, one side after the other. Case
    makes no difference. A pair with an empty side, or with more than `MAX_WORDS` words on one, has
    no links. At most `workers` processes run at a time, fewer where the memory would not do; with
    `thot` the links are the same however many there are. `members` default to the `COMMITTEE`.

    Each finished job leaves its links in the folder `cache`, and a job whose links are there is not
    done again: the caller sees to it that they are of the same text, seed, program and members.

    With `max_seconds` the last members are left out that would end later, and `on_omitted` is told
    how many. The first always votes: raises TimeoutError as soon as it is known to end later.

    `on_progress` is told the share that is done, several times a second where processes run, and
    between two rounds where the text is too small for that. What it raises ends the work and each
    of its processes.

    Raises UsageError if `program` is not installed, and TrainingError if there is no room for
    temporary files or a process is ended from outside.
    """
    _require_program(program)
    if max_seconds is not None and max_seconds <= 0:
        raise TimeoutError("there is no time for statistical aligners")
    tell = on_progress or (lambda done: None)
    chosen = COMMITTEE if members is None else tuple(members)
    with _temp_dir() as folder:
        results = cache or folder
        results.mkdir(parents=True, exist_ok=True)
        ours, theirs = (
            _write_side(folder, *side, {member.prefix_length for member in chosen})
            for side in (("source", source), ("target", target))
        )
        assert ours.sentences == theirs.sentences, (ours, theirs)
        words = ours.words + theirs.words
        if words >= LARGE_CORPUS:
            chosen = tuple(
                replace(member, max_samplers=min(member.max_samplers, MAX_SAMPLERS_LARGE))
                for member in chosen
            )
        jobs = _jobs(chosen, seed, program, results)
        finished = [job for job in jobs if job.is_finished(ours.sentences)]
        if words < SMALL_CORPUS:
            _run_in_turn([job for job in jobs if job not in finished], folder, tell)
            finished = jobs
        else:
            plan = _Schedule(jobs, finished, max_seconds)
            _run_in_processes(plan, folder, _max_parallel(workers, words), tell)
            finished = plan.finished
            if on_omitted and plan.left_out:
                on_omitted(plan.left_out)
        return _count_votes(finished, ours.sentences)


def _require_program(program: AlignerProgram) -> None:
    if importlib.util.find_spec(program) is None:
        hint = "pip install eflomal (it needs a C compiler and is under the GPL), or use thot."
        if program == "thot":
            hint = "pip install sil-thot"
        raise UsageError(f"the word aligner {program} is not installed", hint)


@contextmanager
def _temp_dir() -> Iterator[Path]:
    """A folder for what the processes read and write, gone afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix="attn-links-") as folder:
            yield Path(folder)
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        raise TrainingError(
            f"cannot link words: {error.strerror or error}",
            "Make room where temporary files go, or name another folder in TMPDIR.",
        ) from error


# The text, as the jobs read it


class _Size(NamedTuple):
    sentences: int
    words: int


def _write_side(
    folder: Path, side: str, sentences: Iterable[Sequence[str]], prefixes: Iterable[int]
) -> _Size:
    """Write a side of the text as numbers of lower-cased words: no character can do harm then.

    `SIDE.npy` (words,) are the sentences one behind the other, which begin at `SIDE.starts.npy`
    (sentences + 1,). `SIDE.N.npy` gives each number that of the word cut to N letters.
    """
    numbers: dict[str, int] = {}
    words, starts = array("i"), array("q", [0])
    for sentence in sentences:
        words.extend([numbers.setdefault(word.lower(), len(numbers)) for word in sentence])
        starts.append(len(words))
    np.save(folder / f"{side}.npy", np.array(words, np.int32))
    np.save(folder / f"{side}.starts.npy", np.array(starts, np.int64))
    for letters in prefixes:
        cut: dict[str, int] = {}
        cuts = [cut.setdefault(word[: letters or None], len(cut)) for word in numbers]
        np.save(folder / f"{side}.{letters}.npy", np.array(cuts, np.int32))
    return _Size(len(starts) - 1, len(words))


class _Side:
    """A side of the text as it was written, its words cut."""

    def __init__(self, folder: Path, side: str, letters: int) -> None:
        cut: IntArray = np.load(folder / f"{side}.{letters}.npy")
        self._words: IntArray = cut[np.load(folder / f"{side}.npy", mmap_mode="r")]
        self._starts: NDArray[np.int64] = np.load(folder / f"{side}.starts.npy")
        self._names = [str(number) for number in range(len(cut))]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self._starts)

    def sentences(self, keep: NDArray[np.bool_]) -> Iterator[Words]:
        """Each sentence; those that are not kept are empty."""
        for number, kept in enumerate(keep.tolist()):
            first, last = self._starts[number : number + 2] if kept else (0, 0)
            yield [self._names[word] for word in self._words[first:last].tolist()]


# One job


@dataclass(frozen=True, slots=True)
class _Job:
    """One member in one direction: `reverse` links each source word to at most one target word."""

    number: int
    member: CommitteeMember
    reverse: bool
    program: AlignerProgram
    seed: int
    results: Path

    @property
    def links(self) -> Path:
        """The file of its links (n, 2) uint16, source and target."""
        return self.results / f"{self.number}.links.npy"

    @property
    def counts(self) -> Path:
        """The file of how many of them each pair has (pairs,) int32; written last."""
        return self.results / f"{self.number}.counts.npy"

    def is_finished(self, pairs: int) -> bool:
        """Whether its links are there, whole, and of so many pairs."""
        try:
            counts, links = (np.load(file, mmap_mode="r") for file in (self.counts, self.links))
        except (OSError, ValueError, EOFError):
            return False
        return len(counts) == pairs and int(counts.sum(dtype=np.int64)) == len(links)


def _jobs(
    members: Sequence[CommitteeMember], seed: int, program: AlignerProgram, results: Path
) -> list[_Job]:
    both = list(itertools.product(members, (False, True)))
    seeds = np.random.SeedSequence(seed).generate_state(len(both))
    return [
        _Job(number, member, reverse, program, int(seeds[number]), results)
        for number, (member, reverse) in enumerate(both)
    ]


def _align(job: _Job, folder: Path, tell: ProgressCallback) -> None:
    """Do a job: read the text, align it, and write the links beside it."""
    ours, theirs = (_Side(folder, side, job.member.prefix_length) for side in ("source", "target"))
    lengths = np.stack([ours.lengths, theirs.lengths])
    keep = np.asarray(((lengths > 0) & (lengths <= MAX_WORDS)).all(axis=0))
    first, second = (theirs, ours) if job.reverse else (ours, theirs)
    run = _thot if job.program == "thot" else _eflomal
    flat, counts = array("H"), array("i")
    for found in run(job, first.sentences(keep), second.sentences(keep), folder, tell):
        places = found[:, ::-1] if job.reverse else found
        flat.frombytes(places.astype(np.uint16).tobytes())
        counts.append(len(found))
    assert len(counts) == len(keep), (len(counts), len(keep))
    _save(job.links, np.array(flat, np.uint16).reshape(-1, 2))
    _save(job.counts, np.array(counts, np.int32))


def _save(path: Path, array: NDArray[np.generic]) -> None:
    """Write an array, whole or not at all."""
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.save(file, array)
    os.replace(part, path)


def _thot(
    job: _Job,
    source: Iterator[Words],
    target: Iterator[Words],
    folder: Path,
    tell: ProgressCallback,
) -> Iterator[NDArray[np.integer]]:
    """The links of each pair (n, 2), by Eflomal as `thot` has it: a whole round is one call."""
    from thot.alignment import EflomalAlignmentModel

    model = EflomalAlignmentModel()
    model.seed, model.deterministic = job.seed, True
    model.p0, model.emit_training_alignments = job.member.null_prior, True
    model.num_samplers = job.member.max_samplers
    for ours, theirs in zip(source, target, strict=True):
        model.add_sentence_pair(ours, theirs)
    if not job.member.uses_hmm:
        model.auto_iterations = False
        model.set_iterations(IBM_1_ROUNDS, 0, 0)
    elif model.num_sentence_pairs < MANY_PAIRS:
        model.auto_iterations = False
        few = model.num_sentence_pairs < FEW_PAIRS
        model.set_iterations(*(SMALL_CORPUS_ROUNDS if few else MAX_ROUNDS))
    model.start_training()
    rounds = model.scheduled_iterations
    for done in range(1, rounds + 1):
        model.train()
        if 100 * done // rounds > 100 * (done - 1) // rounds:
            tell(done / rounds)
    model.end_training()
    for pair in range(model.num_sentence_pairs):
        _, matrix = model.get_training_alignment(pair)
        yield np.argwhere(matrix.to_numpy())


def _eflomal(
    job: _Job,
    source: Iterator[Words],
    target: Iterator[Words],
    folder: Path,
    tell: ProgressCallback,
) -> Iterator[NDArray[np.integer]]:
    """The links of each pair (n, 2), by the program `eflomal`, which is not told a seed."""
    import eflomal

    path = folder / f"{job.number}.links"
    aligner = eflomal.Aligner(
        model=3 if job.member.uses_hmm else 1, null_prior=job.member.null_prior
    )
    aligner.align(
        (" ".join(words) + "\n" for words in source),
        (" ".join(words) + "\n" for words in target),
        links_filename_fwd=str(path),
    )
    tell(1.0)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            numbers = line.replace("-", " ").split()
            yield np.array(numbers, np.uint16).reshape(-1, 2)


# All jobs


def _run_in_turn(jobs: Sequence[_Job], folder: Path, tell: ProgressCallback) -> None:
    for before, job in enumerate(jobs):

        def of_all(done: float, before: int = before) -> None:
            tell((before + done) / len(jobs))

        _align(job, folder, of_all)


def _max_parallel(workers: int, words: int) -> int:
    """How many jobs may run at a time: `workers`, unless they took more than half of the memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not tell, such as Windows
        return max(1, workers)
    return max(1, min(workers, memory // (2 * BYTES_A_WORD * words)))


class _Schedule:
    """The jobs that are still to be done, and those that are `finished`.

    Time is counted from its making; `clock` is for tests.
    """

    def __init__(
        self,
        jobs: Sequence[_Job],
        finished: Sequence[_Job],
        max_seconds: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waiting = [job for job in jobs if job not in finished]
        self.finished = list(finished)
        self.left_out = 0  # members
        self._begun = {job.member for job in finished}
        self._clock, self._began = clock, clock()
        self._end = math.inf if max_seconds is None else self._began + max_seconds
        self._second = 0.0  # what a job with word order takes, in seconds, as far as is known
        self._cost = sum(map(_cost_of, jobs))

    def share(self, running: Sequence[tuple[_Job, float]]) -> float:
        """How much of all is done, while these jobs have done such shares of theirs."""
        done = sum(map(_cost_of, self.finished))
        done += sum(share * _cost_of(job) for job, share in running)
        return round(done / self._cost, 6) if self._cost else 1.0

    def finish(self, job: _Job, seconds: float) -> None:
        """A job has ended, in so many seconds."""
        self.finished.append(job)
        self._second = max(self._second, seconds / _cost_of(job))

    def next(self) -> _Job | None:
        """The job to begin now, if there is one.

        Once a job has ended, a member of whose two jobs neither has begun is left out where it
        would end too late.
        """
        if self.waiting and self.finished and not self._is_begun(self.waiting[0]):
            seconds = self._second * _cost_of(self.waiting[0])
            if self._clock() + seconds > self._end:
                left_out = [job for job in self.waiting if not self._is_begun(job)]
                self.left_out += len({job.member for job in left_out})
                self._cost -= sum(map(_cost_of, left_out))
                self.waiting = [job for job in self.waiting if job not in left_out]
        if not self.waiting:
            return None
        self._begun.add(self.waiting[0].member)
        return self.waiting.pop(0)

    def _is_begun(self, job: _Job) -> bool:
        """Whether one of its member's two jobs has begun."""
        return job.member in self._begun

    def check(self, job: _Job, share: float, seconds: float) -> None:
        """Raises TimeoutError if a job that has done `share` in so many seconds ends too late, as
        far as can be told, and no member has voted."""
        left = seconds * (1 - share) / share if share >= MIN_SHARE else 0.0
        if self.finished or self._clock() + left <= self._end:
            return
        raise TimeoutError("statistical aligners take longer than there is time")


def _cost_of(job: _Job) -> float:
    return 1.0 if job.member.uses_hmm else IBM_1_COST


def _run_in_processes(plan: _Schedule, folder: Path, at_once: int, tell: ProgressCallback) -> None:
    """Each job in a process of its own, some of them at once.

    Processes, since `thot` holds Python's lock while it trains; each job its own, since the memory
    that a job took goes back with its process.
    """
    working = list[_Process]()
    try:
        while True:
            while len(working) < at_once and (job := plan.next()):
                working.append(_Process(job, folder))
            if not working:
                break
            for ready in wait([process._receiver for process in working], timeout=_PATIENCE):
                next(process for process in working if process._receiver is ready).listen()
            for process in [process for process in working if process.done]:
                working.remove(process)
                process.end()
                plan.finish(process.job, process.seconds)
            for process in working:
                plan.check(process.job, process.share, process.seconds)
            tell(plan.share([(process.job, process.share) for process in working]))
    finally:
        for process in working:
            process.end()


class _Process:
    """A job in a process, which says the `share` it has done into our `_receiver`."""

    def __init__(self, job: _Job, folder: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.job, self.share, self.done = job, 0.0, False
        self._began = time.monotonic()
        self._receiver, mouth = spawn.Pipe(duplex=False)
        self._process = spawn.Process(target=_work, args=(job, folder, mouth), daemon=True)
        with _block_sigint():
            self._process.start()
        mouth.close()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def listen(self) -> None:
        """Take in what it says next.

        Raises what the job raised, and TrainingError if the process ended without a word.
        """
        try:
            said: float | BaseException | None = self._receiver.recv()
        except EOFError:
            self._process.join()
            raise TrainingError(
                f"a word aligner was ended from outside (status {self._process.exitcode})",
                "It may have been short of memory: fewer --threads run fewer of them at a time.",
            ) from None
        if isinstance(said, BaseException):
            raise said
        self.share, self.done = (1.0, True) if said is None else (said, False)

    def end(self) -> None:
        """End the process, and any program it runs, if it has not ended yet."""
        assert self._process.pid is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (AttributeError, OSError):  # not on Windows, and not before `_work` begins
            self._process.kill()
        self._process.join()
        self._receiver.close()


def _work(job: _Job, folder: Path, mouth: Connection) -> None:
    """What a process does: the job, saying how far it is, then None or what was raised.

    Saying it to a parent that is no more ends the process too.
    """
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # so that what it starts ends with it
    tempfile.tempdir = str(folder)
    try:
        _align(job, folder, mouth.send)
        mouth.send(None)
    except ConnectionError:
        return
    except Exception as error:
        error.add_note(traceback.format_exc())
        mouth.send(error)


@contextmanager
def _block_sigint() -> Iterator[None]:
    """A process started here does not hear ^C, which a terminal sends to all of them at once.

    To end it is its parent's business, and only so it ends without a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # `multiprocessing` needs it, and its start lifts the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# The count


def _count_votes(jobs: Sequence[_Job], pairs: int) -> LinkTable:
    """The links that the jobs found, each weighed by the share of them that found it."""
    ballots = [_JobLinks(job) for job in jobs]
    source, target, weight = [], [], []
    starts = np.zeros(pairs + 1, np.int64)
    for first in range(0, pairs, _BLOCK):
        last = min(first + _BLOCK, pairs)
        cast = np.concatenate([each.between(first, last) for each in ballots])
        found, number = np.unique(cast, return_counts=True)
        starts[first + 1 : last + 1] = np.bincount(found >> 32, minlength=last - first)
        target.append((found >> 16 & 0xFFFF).astype(np.uint16))
        source.append((found & 0xFFFF).astype(np.uint16))
        weight.append((number / len(jobs)).astype(np.float32))
    np.cumsum(starts, out=starts)
    return LinkTable(
        np.concatenate([*source, np.zeros(0, np.uint16)]),
        np.concatenate([*target, np.zeros(0, np.uint16)]),
        np.concatenate([*weight, np.zeros(0, np.float32)]),
        starts,
    )


class _JobLinks:
    """The links that one job found."""

    def __init__(self, job: _Job) -> None:
        self._links: NDArray[np.uint16] = np.load(job.links, mmap_mode="r")
        self._starts = np.concatenate([[0], np.cumsum(np.load(job.counts), dtype=np.int64)])

    def between(self, first: int, last: int) -> NDArray[np.int64]:
        """The links of pairs `first` to `last`, each as one number: pair, target, source."""
        starts = self._starts[first : last + 1]
        links = self._links[starts[0] : starts[-1]].astype(np.int64)
        pair = np.repeat(np.arange(last - first), np.diff(starts))
        return pair << 32 | links[:, 1] << 16 | links[:, 0]
