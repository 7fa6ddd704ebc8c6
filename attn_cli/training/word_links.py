"""Word links of the training pairs, from the votes of statistical aligners or from a file."""

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from attn_cli.alignment import statistical
from attn_cli.alignment.aligner_jobs import CommitteeMember
from attn_cli.alignment.aligner_processes import MIN_SHARE
from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.pharaoh import parse_links
from attn_cli.config import UNGUIDED, Recipe, file_of_links
from attn_cli.data.corpus import Corpus
from attn_cli.data.text_io import Lines, open_lines
from attn_cli.errors import DataError, ModelError, TrainingError
from attn_cli.training import checkpoint, events
from attn_cli.training.interruption import Interrupted

#: The name of the file, beside the checkpoints, in which votes are kept.
LINKS = "links.safetensors"

#: The folder beside it in which each aligner leaves its links until all have voted.
VOTES = "votes"

#: What facts of kept votes call the number of aligners that were left out, if any.
LEFT_OUT = "left_out"

#: The furthest word that a `LinkTable` knows.
MAX_POSITION = 0xFFFF

#: Seconds between two words on how far the aligners are.
PROGRESS_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class WordLinks:
    """The links of each pair of a corpus, by its number, and what they were `provenance`.

    `provenance` is empty for links that were read from a file, which can be read again.
    """

    table: LinkTable
    provenance: dict[str, Any]
    cached: bool = False

    def save(self, path: Path) -> None:
        """Write votes down for `prepare_word_links` to find, unless that is where they came from.

        Raises TrainingError when the disk will not take them.
        """
        if self.provenance and not (self.cached and path.is_file()):
            checkpoint.save(path, checkpoint.links_to_tensors(self.table), self.provenance)
        shutil.rmtree(path.with_name(VOTES), ignore_errors=True)


def uses_guidance(recipe: Recipe) -> bool:
    """Whether links are to guide the attention, where there is any."""
    links_file, weight = recipe.train.guided_alignment, recipe.train.guided_alignment_weight
    return links_file not in ("", UNGUIDED) and weight > 0 and recipe.model.has_attention


def needs_links(recipe: Recipe) -> bool:
    """Whether the training needs links at all."""
    return uses_guidance(recipe) or trains_aligner(recipe)


def trains_aligner(recipe: Recipe) -> bool:
    """Whether a word aligner is to learn."""
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
    """The links that `recipe` wants for the pairs of `corpus`, and none for other pairs.

    They are numbered over all pairs that share the corpus's arrays, as `Batch.indices` are. The
    links of the file that `train.guided_alignment` names, relative to where we are, belong to the
    `n_lines` lines that the corpus was read from. Else aligners vote, `workers` at a time, unless
    `cache` holds what they said of the very text. The links of each that has ended are kept beside
    `cache`, so that one who was interrupted or killed does not wait for them twice. Aligners that
    would end after `max_seconds` are left out; what the others said counts as the whole for a
    training that `resume`s alone. None if no links are wanted, if it was `interrupted` before there
    were any, or if there is no time for one aligner. Notices tell what is left out. `members` are
    as in `statistical.collect_votes`. What comes after the votes takes `then` times as long as they
    do: part of the time that is left.

    Raises DataError for a file that cannot be read, is longer than the text, has a link outside its
    sentence or none at all; and what `statistical.collect_votes` raises.
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
                    "--max-minutes leaves for them"
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
    """Tells at first and now and then how far the aligners are.

    Raises Interrupted when they are to stop.
    """

    def __init__(self, emit: events.Listener, interrupted: Callable[[], bool], then: float) -> None:
        self._emit, self._interrupted, self._later_time_factor = emit, interrupted, then
        self._start = self._last_event = time.monotonic()
        self._done_before: float | None = None  # the share that had been done earlier

    def begin(self) -> None:
        """Tell that they begin."""
        self._start = self._last_event = time.monotonic()
        self._emit(events.AlignmentProgress(0.0))
        self(0.0)

    def __call__(self, done: float) -> None:
        if self._interrupted():
            raise Interrupted
        now = time.monotonic()
        taken = now - self._start
        if self._done_before is None and done:
            self._done_before = done
        whole = self._project_seconds(taken, done)
        if now - self._last_event > PROGRESS_SECONDS:
            self._last_event = now
            left = max(0.0, whole - taken) + self._later_time_factor * whole if whole else None
            self._emit(events.AlignmentProgress(done, left))

    def _project_seconds(self, taken: float, done: float) -> float:
        """Seconds that the rest takes from its beginning; 0 while too little is known.

        Jobs of an earlier run had done their share before.
        """
        before = self._done_before or 0.0
        if before < MIN_SHARE:
            return project_seconds(taken, done)
        return project_seconds(taken, (done - before) / max(1e-9, 1.0 - before))


def project_seconds(elapsed: float, done: float) -> float:
    """Seconds that all of it takes, of which a share `done` has taken `taken`; 0 while that says
    too little."""
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
    """The folder for the links of each aligner, empty unless they were made of the same.

    Raises TrainingError where it cannot be made.
    """
    facts, text = folder / "made_of.json", json.dumps(provenance, sort_keys=True)
    try:
        if not (facts.is_file() and facts.read_text(encoding="utf-8") == text):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            facts.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"cannot write {folder}: {error.strerror}", "Make room there, or choose another --out."
        ) from error
    return folder


def _load_cached(
    path: Path, provenance: dict[str, Any], *, accept_partial: bool
) -> WordLinks | None:
    """The votes in that file, if it can be read and they were made of the same.

    Where aligners had been left out for want of time, only with `shortened`.
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
    """Links of the pairs of this part, one behind the other, numbered over all pairs."""
    assert (np.diff(corpus.pairs) > 0).all(), "the parts of a corpus keep its order"
    starts = np.zeros(len(corpus.lines) + 1, np.int64)
    starts[corpus.pairs + 1] = np.diff(table.starts)
    return replace(table, starts=np.cumsum(starts))


# A file


#: A link of a pair: 12 bytes.
_LINK = np.dtype([("pair", "i4"), ("source", "u2"), ("target", "u2"), ("weight", "f4")])


def read_links(
    file: str | Path, corpus: Corpus, *, n_lines: int, stdin: BinaryIO | None = None
) -> LinkTable:
    """The links in a file whose line n belongs to line n of the text; others may be missing.

    The corpus was read from `n_lines` lines. Raises DataError as `prepare_word_links` does.
    """
    with open_lines(file, stdin=stdin) as lines:
        links = np.fromiter(_parse_lines(lines, corpus, n_lines), _LINK)
        if not len(links):
            raise DataError(
                f"{lines.name} has no link for any pair that is trained on",
                "Give one line of links, such as 0-0 2-1, for each line of the training text.",
            )
    return LinkTable.from_arrays(
        links["pair"],
        links["source"],
        links["target"],
        links["weight"],
        n_pairs=len(corpus.lines),
    )


def _parse_lines(
    lines: Lines, corpus: Corpus, n_lines: int
) -> Iterator[tuple[int, int, int, float]]:
    """The links of the pairs of `corpus`: pair, source, target, weight."""
    pair_of_line = np.full(n_lines + 1, -1, np.int32)
    pair_of_line[corpus.lines[corpus.pairs]] = corpus.pairs
    n_source, n_target = corpus.source.sentences.lengths, corpus.target.sentences.lengths
    for line in lines:
        if line.number > n_lines:
            raise DataError(
                f"{lines.name} has more lines than the {n_lines} of the training text",
                "Line n of the links must belong to line n of the text.",
            )
        if (pair := int(pair_of_line[line.number])) < 0:
            continue
        shape = int(n_source[pair]), int(n_target[pair])
        for (s, t), weight in _parse_links(
            line.text, shape, f"{lines.name} line {line.number}"
        ).items():
            if weight and max(s, t) <= MAX_POSITION:
                yield pair, s, t, weight


def _parse_links(text: str, shape: tuple[int, int], where: str) -> dict[tuple[int, int], float]:
    """The links of one line and their weights, 1 where it gives none.

    Raises DataError, saying `where`, if one is malformed, outside the sentence or not a share.
    """
    parsed = parse_links(text, where=where)
    for s, t in parsed.links:
        if s >= shape[0] or t >= shape[1]:
            raise DataError(
                f"{where} links words {s}-{t} of a pair with {shape[0]} source and {shape[1]} "
                "target words",
                "Words are attn's own, and count from 0: attn align prints such links.",
            )
    weights = {link: parsed.scores.get(link, 1.0) for link in parsed.links}
    if not all(0 <= share <= 1 for share in weights.values()):
        raise DataError(
            f"{where} has a weight that is not between 0 and 1",
            "Write how sure a link is as in 0-0:0.9, or leave it out.",
        )
    return weights
