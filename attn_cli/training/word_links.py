"""Link the words of the training pairs: by votes of statistical aligners, or from a file."""

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from attn_cli.alignment import statistical
from attn_cli.alignment.aligner_jobs import CommitteeMember
from attn_cli.alignment.aligner_processes import MIN_SHARE
from attn_cli.alignment.link_table import LinkTable
from attn_cli.config import UNGUIDED, Recipe, file_of_links
from attn_cli.data.corpus import Corpus
from attn_cli.errors import ModelError, TrainingError
from attn_cli.training import checkpoint, events
from attn_cli.training.interruption import Interrupted
from attn_cli.training.link_file import read_links

#: The file of the votes, in the folder of the checkpoints.
LINKS = "links.safetensors"

#: The folder next to it with the links of each aligner, until all have voted.
VOTES = "votes"

#: The key of the number of omitted aligners in the facts of saved votes.
LEFT_OUT = "left_out"

#: Seconds between two events of progress.
PROGRESS_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class WordLinks:
    """The links of each pair of a corpus, by number, and the text and settings of their votes.

    `provenance` is empty for links from a file, which need not be saved; `cached` is whether the
    votes were loaded.
    """

    table: LinkTable
    provenance: dict[str, Any]
    cached: bool = False

    def save(self, path: Path) -> None:
        """Save the votes for a later `prepare_word_links`, unless they are saved already.

        Raises TrainingError if they cannot be written.
        """
        if self.provenance and not (self.cached and path.is_file()):
            checkpoint.save(path, checkpoint.links_to_tensors(self.table), self.provenance)
        shutil.rmtree(path.with_name(VOTES), ignore_errors=True)


def uses_guidance(recipe: Recipe) -> bool:
    """Whether links guide the attention of this model."""
    links_file, weight = recipe.train.guided_alignment, recipe.train.guided_alignment_weight
    return links_file not in ("", UNGUIDED) and weight > 0 and recipe.model.has_attention


def needs_links(recipe: Recipe) -> bool:
    """Whether the training needs links."""
    return uses_guidance(recipe) or trains_aligner(recipe)


def trains_aligner(recipe: Recipe) -> bool:
    """Whether a word aligner is trained."""
    return recipe.model.word_aligner.enabled and not recipe.train.freeze_aligner


def prepare_word_links(
    recipe: Recipe,
    corpus: Corpus,
    *,
    n_lines: int,
    cache: Path,
    workers: int,
    emit: events.Listener,
    interrupted: Callable[[], bool] = lambda: False,
    members: Sequence[CommitteeMember] | None = None,
    max_seconds: float = math.inf,
    later_time_factor: float = 0.0,
    resume: bool = False,
    stdin: BinaryIO | None = None,
) -> WordLinks | None:
    """Return the links of the pairs of `corpus`, as `recipe` defines them; other pairs have none.

    Pairs are numbered as in `Batch.indices`. With a file in `train.guided_alignment`, relative to
    the working directory, its lines belong to the `n_lines` lines of the corpus's text. Otherwise
    statistical aligners vote, `workers` at a time, unless the file `cache` has the votes of the
    same text. The links of each finished aligner are saved next to `cache`, so that a restart does
    not repeat them. Aligners that would end after `max_seconds` are omitted, with a notice; their
    votes are loaded again only with `resume`. `members` are those of `statistical.collect_votes`.
    For the reported time left, the work after the votes takes `later_time_factor` times as long.

    Returns None if the recipe needs no links, if `interrupted`, or if no aligner fits into the
    time. Raises DataError as `link_file.read_links`, and the errors of `statistical.collect_votes`.
    """
    if not needs_links(recipe):
        return None
    start = time.monotonic()
    if file := file_of_links(recipe):
        links = WordLinks(read_links(file, corpus, n_lines=n_lines, stdin=stdin), {})
    else:
        try:
            progress = _Progress(emit, interrupted, later_time_factor)
            links = _vote(recipe, corpus, cache, workers, progress, members, max_seconds, resume)
        except Interrupted:
            return None
        except TimeoutError:
            seconds = f"{max(0.0, max_seconds):.0f} s"
            emit(
                events.Notice(
                    f"no word links: one statistical aligner takes longer than the {seconds} that "
                    "--max-minutes leaves"
                )
            )
            return None
        if not links.cached and (left_out := links.provenance.get(LEFT_OUT, 0)):
            emit(
                events.Notice(
                    f"{left_out} of the statistical aligners left out, since --max-minutes leaves "
                    "no time for them"
                )
            )
    emit(
        events.AlignmentsReady(
            pairs=int(np.count_nonzero(np.diff(links.table.starts))),
            links=len(links.table.score),
            seconds=time.monotonic() - start,
            cached=links.cached,
        )
    )
    return links


# Votes


class _Progress:
    """Emits the progress of the aligners; a call raises Interrupted if `interrupted()`.

    The work after the votes takes `later_time_factor` times as long as they do.
    """

    def __init__(
        self, emit: events.Listener, interrupted: Callable[[], bool], later_time_factor: float
    ) -> None:
        self._emit, self._interrupted = emit, interrupted
        self._later_time_factor = later_time_factor
        self._start = self._last_event = time.monotonic()
        self._done_before: float | None = None  # the share done by an earlier run

    def begin(self) -> None:
        """Emit that the aligners start."""
        self._start = self._last_event = time.monotonic()
        self._emit(events.AlignmentProgress(0.0))
        self(0.0)

    def __call__(self, done: float) -> None:
        if self._interrupted():
            raise Interrupted
        now = time.monotonic()
        elapsed = now - self._start
        if self._done_before is None and done:
            self._done_before = done
        total = self._project_seconds(elapsed, done)
        if now - self._last_event > PROGRESS_SECONDS:
            self._last_event = now
            left = max(0.0, total - elapsed) + self._later_time_factor * total if total else None
            self._emit(events.AlignmentProgress(done, left))

    def _project_seconds(self, elapsed: float, done: float) -> float:
        """Estimate the seconds of the whole run; 0 while too little is done.

        The share of an earlier run does not count.
        """
        before = self._done_before or 0.0
        if before < MIN_SHARE:
            return project_seconds(elapsed, done)
        return project_seconds(elapsed, (done - before) / max(1e-9, 1.0 - before))


def project_seconds(elapsed: float, done: float) -> float:
    """Estimate the seconds of work whose share `done` took `elapsed`; 0 below `MIN_SHARE`."""
    return elapsed / done if done >= MIN_SHARE else 0.0


def _vote(
    recipe: Recipe,
    corpus: Corpus,
    cache: Path,
    workers: int,
    progress: _Progress,
    members: Sequence[CommitteeMember] | None,
    max_seconds: float,
    resume: bool,
) -> WordLinks:
    members = statistical.COMMITTEE if members is None else members
    provenance = {
        "digest": corpus.digest,
        "committee": [asdict(member) for member in members],
        "program": recipe.train.aligner,
        "seed": recipe.seed,
    }
    if (cached := _load_cached(cache, provenance, accept_partial=resume)) is not None:
        return cached
    progress.begin()
    left_out = list[int]()
    table = statistical.collect_votes(
        map(corpus.source.words, corpus.pairs),
        map(corpus.target.words, corpus.pairs),
        seed=recipe.seed,
        workers=workers,
        program=recipe.train.aligner,
        members=members,
        cache=_prepare_votes_folder(cache.with_name(VOTES), provenance),
        max_seconds=max_seconds if math.isfinite(max_seconds) else None,
        on_omitted=left_out.append,
        on_progress=progress,
    )
    facts = provenance | {LEFT_OUT: sum(left_out)} if left_out else provenance
    return WordLinks(_renumber(table, corpus), facts)


def _prepare_votes_folder(folder: Path, provenance: dict[str, Any]) -> Path:
    """Return the folder for the links of each aligner, emptied if its provenance differs.

    Raises TrainingError if it cannot be made.
    """
    facts, text = folder / "made_of.json", json.dumps(provenance, sort_keys=True)
    try:
        if not (facts.is_file() and facts.read_text(encoding="utf-8") == text):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            facts.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"cannot write {folder}: {error.strerror}",
            "Free some space there, or choose another --out.",
        ) from error
    return folder


def _load_cached(
    path: Path, provenance: dict[str, Any], *, accept_partial: bool
) -> WordLinks | None:
    """Return the votes of a file if it is readable and of the same provenance, else None.

    Votes without the omitted aligners are returned only with `accept_partial`.
    """
    try:
        tensors, facts = checkpoint.load(path)
    except ModelError:
        return None
    if facts == provenance or (
        accept_partial and facts == provenance | {LEFT_OUT: facts.get(LEFT_OUT)}
    ):
        return WordLinks(checkpoint.links_from_tensors(tensors), facts, cached=True)
    return None


def _renumber(table: LinkTable, corpus: Corpus) -> LinkTable:
    """Renumber the links of the corpus's pairs to its numbers over all pairs."""
    assert (np.diff(corpus.pairs) > 0).all(), "the parts of a corpus keep its order"
    starts = np.zeros(len(corpus.lines) + 1, np.int64)
    starts[corpus.pairs + 1] = np.diff(table.starts)
    return replace(table, starts=np.cumsum(starts))
