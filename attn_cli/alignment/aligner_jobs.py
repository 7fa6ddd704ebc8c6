"""One run of a statistical aligner: a member of the committee, in one direction.

The one module that imports an aligner: Eflomal in the library `thot`, or the program `eflomal` if
it is installed.
"""

import itertools
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli.types import IntArray

AlignerProgram = Literal["thot", "eflomal"]
Words = list[str]
ProgressCallback = Callable[[float], None]

#: Words on a side of the longest sentences that `thot` reads. Longer ones get no links.
MAX_WORDS = 1024

#: Rounds of IBM model 1 without further models.
IBM_1_ROUNDS = 24

#: Maximum rounds of Eflomal's three models, and rounds with fewer pairs than `FEW_PAIRS`. Eflomal's
#: defaults are a quarter, a quarter and all of 5,000 / √pairs, which take longer for the same AER.
MAX_ROUNDS, SMALL_CORPUS_ROUNDS, FEW_PAIRS = (10, 10, 30), (20, 20, 60), 1_000
MANY_PAIRS = (5_000 // MAX_ROUNDS[-1]) ** 2  # above it the defaults are fewer


@dataclass(frozen=True, slots=True)
class CommitteeMember:
    """A statistical aligner of the committee: the words that it reads, and its model.

    It reads the first `prefix_length` letters of each word, or all for 0: a prefix joins the rare
    inflected forms of a word. With `uses_hmm` it is Eflomal (Östling & Tiedemann 2016), which
    samples from IBM model 1, then from an HMM, then from an HMM with fertilities; without, IBM
    model 1 (Brown et al. 1993) alone, which ignores word order and so links clitics that move, as
    `le` and `it`. `null_prior` is the prior probability of a word without a link: the smaller, the
    more links. At most `max_samplers` chains are sampled, and their sum decides the links.
    """

    prefix_length: int
    uses_hmm: bool
    null_prior: float
    max_samplers: int = 3


class SideSize(NamedTuple):
    """The sentences and words of one side of the text."""

    sentences: int
    words: int


def write_side(
    folder: Path, side: str, sentences: Iterable[Sequence[str]], prefixes: Iterable[int]
) -> SideSize:
    """Write a side of the text as numbers of lower-case words, so that any character is safe.

    `SIDE.npy` (words,) are the sentences one after the other, which begin at `SIDE.starts.npy`
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
    return SideSize(len(starts) - 1, len(words))


class _CorpusSide:
    """A side of the text that `write_side` wrote, its words cut to a prefix."""

    def __init__(self, folder: Path, side: str, letters: int) -> None:
        cut: IntArray = np.load(folder / f"{side}.{letters}.npy")
        self._words: IntArray = cut[np.load(folder / f"{side}.npy", mmap_mode="r")]
        self._starts: NDArray[np.int64] = np.load(folder / f"{side}.starts.npy")
        self._names = [str(number) for number in range(len(cut))]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self._starts)

    def sentences(self, keep: NDArray[np.bool_]) -> Iterator[Words]:
        """Yield each sentence, empty unless `keep` says True."""
        for number, is_used in enumerate(keep.tolist()):
            first, last = self._starts[number : number + 2] if is_used else (0, 0)
            yield [self._names[word] for word in self._words[first:last].tolist()]


@dataclass(frozen=True, slots=True)
class AlignerJob:
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
        """The file of the number of links of each pair (pairs,) int32; written last."""
        return self.results / f"{self.number}.counts.npy"

    def is_finished(self, pairs: int) -> bool:
        """Return whether its files are complete and of so many pairs."""
        try:
            counts, links = (np.load(file, mmap_mode="r") for file in (self.counts, self.links))
        except (OSError, ValueError, EOFError):
            return False
        return len(counts) == pairs and int(counts.sum(dtype=np.int64)) == len(links)


def make_jobs(
    members: Sequence[CommitteeMember], seed: int, program: AlignerProgram, results: Path
) -> list[AlignerJob]:
    """Return two jobs for each member, one a direction, with seeds drawn from `seed`."""
    both = list(itertools.product(members, (False, True)))
    seeds = np.random.SeedSequence(seed).generate_state(len(both))
    return [
        AlignerJob(number, member, reverse, program, int(seeds[number]), results)
        for number, (member, reverse) in enumerate(both)
    ]


def run_job(job: AlignerJob, folder: Path, on_progress: ProgressCallback) -> None:
    """Read the text, align it, and write the links."""
    source_words, target_words = (
        _CorpusSide(folder, side, job.member.prefix_length) for side in ("source", "target")
    )
    lengths = np.stack([source_words.lengths, target_words.lengths])
    keep = np.asarray(((lengths > 0) & (lengths <= MAX_WORDS)).all(axis=0))
    first, second = (target_words, source_words) if job.reverse else (source_words, target_words)
    run = _thot if job.program == "thot" else _eflomal
    flat, counts = array("H"), array("i")
    for links in run(job, first.sentences(keep), second.sentences(keep), folder, on_progress):
        pairs = links[:, ::-1] if job.reverse else links
        flat.frombytes(pairs.astype(np.uint16).tobytes())
        counts.append(len(links))
    assert len(counts) == len(keep), (len(counts), len(keep))
    _save(job.links, np.array(flat, np.uint16).reshape(-1, 2))
    _save(job.counts, np.array(counts, np.int32))


def _save(path: Path, array: NDArray[np.generic]) -> None:
    """Write an array completely or not at all."""
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.save(file, array)
    os.replace(part, path)


def _thot(
    job: AlignerJob,
    source: Iterator[Words],
    target: Iterator[Words],
    folder: Path,
    on_progress: ProgressCallback,
) -> Iterator[NDArray[np.integer]]:
    """Yield the links of each pair (n, 2), by Eflomal in the library `thot`."""
    from thot.alignment import EflomalAlignmentModel

    model = EflomalAlignmentModel()
    model.seed, model.deterministic = job.seed, True
    model.p0, model.emit_training_alignments = job.member.null_prior, True
    model.num_samplers = job.member.max_samplers
    for source_words, target_words in zip(source, target, strict=True):
        model.add_sentence_pair(source_words, target_words)
    if not job.member.uses_hmm:
        model.auto_iterations = False
        model.set_iterations(IBM_1_ROUNDS, 0, 0)
    elif model.num_sentence_pairs < MANY_PAIRS:
        model.auto_iterations = False
        is_small = model.num_sentence_pairs < FEW_PAIRS
        model.set_iterations(*(SMALL_CORPUS_ROUNDS if is_small else MAX_ROUNDS))
    model.start_training()
    rounds = model.scheduled_iterations
    for done in range(1, rounds + 1):
        model.train()
        if 100 * done // rounds > 100 * (done - 1) // rounds:
            on_progress(done / rounds)
    model.end_training()
    for pair in range(model.num_sentence_pairs):
        _, matrix = model.get_training_alignment(pair)
        yield np.argwhere(matrix.to_numpy())


def _eflomal(
    job: AlignerJob,
    source: Iterator[Words],
    target: Iterator[Words],
    folder: Path,
    on_progress: ProgressCallback,
) -> Iterator[NDArray[np.integer]]:
    """Yield the links of each pair (n, 2), by the program `eflomal`, which takes no seed."""
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
    on_progress(1.0)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            numbers = line.replace("-", " ").split()
            yield np.array(numbers, np.uint16).reshape(-1, 2)
