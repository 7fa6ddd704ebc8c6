"""The word links of a training's pairs: voted for by statistical aligners, or read from a file.

Knows recipes, corpora and files of links; no network, no signal and no terminal.
"""

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
from attn_cli.alignment.link_table import LinkTable
from attn_cli.alignment.pharaoh import links_in
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
FURTHEST = 0xFFFF

#: Seconds between two words on how far the aligners are.
SAY_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class WordLinks:
    """The links of each pair of a corpus, by its number, and what they were `made_of`.

    `made_of` is empty for links that were read from a file, which can be read again.
    """

    table: LinkTable
    made_of: dict[str, Any]
    cached: bool = False

    def keep(self, path: Path) -> None:
        """Write votes down for `prepared` to find, unless that is where they came from.

        Raises TrainingError when the disk will not take them.
        """
        if self.made_of and not (self.cached and path.is_file()):
            checkpoint.save(path, checkpoint.as_tensors(self.table), self.made_of)
        shutil.rmtree(path.with_name(VOTES), ignore_errors=True)


def guides(recipe: Recipe) -> bool:
    """Whether links are to guide the attention, where there is any."""
    named, weight = recipe.train.guided_alignment, recipe.train.guided_alignment_weight
    return named not in ("", UNGUIDED) and weight > 0 and recipe.model.has_attention


def wants_links(recipe: Recipe) -> bool:
    """Whether the training needs links at all."""
    return guides(recipe) or teaches_head(recipe)


def teaches_head(recipe: Recipe) -> bool:
    """Whether a word aligner is to learn."""
    return recipe.model.word_aligner.enabled and not recipe.train.freeze_aligner


def prepared(
    recipe: Recipe,
    corpus: Corpus,
    *,
    n_lines: int,
    cache: Path,
    workers: int,
    emit: events.Listener,
    interrupted: Callable[[], bool] = lambda: False,
    members: Sequence[statistical.Member] | None = None,
    max_seconds: float = math.inf,
    then: float = 0.0,
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
    as in `statistical.votes`. What comes after the votes takes `then` times as long as they do:
    part of the time that is left.

    Raises DataError for a file that cannot be read, is longer than the text, has a link outside its
    sentence or none at all; and what `statistical.votes` raises.
    """
    if not wants_links(recipe):
        return None
    began = time.monotonic()
    if file := file_of_links(recipe):
        found = WordLinks(read_links(file, corpus, n_lines=n_lines, stdin=stdin), {})
    else:
        try:
            progress = _Progress(emit, interrupted, then)
            found = _voted(recipe, corpus, cache, workers, progress, members, max_seconds, resume)
        except Interrupted:
            return None
        except TimeoutError:
            seconds = f"{max(0.0, max_seconds):.0f} s"
            emit(
                events.Noticed(
                    f"no word links: one statistical aligner takes longer than the {seconds} that "
                    "--max-minutes leaves for them"
                )
            )
            return None
        if not found.cached and (left_out := found.made_of.get(LEFT_OUT, 0)):
            emit(
                events.Noticed(
                    f"{left_out} of the statistical aligners left out, since --max-minutes leaves "
                    "no time for them"
                )
            )
    emit(
        events.Linked(
            pairs=int(np.count_nonzero(np.diff(found.table.starts))),
            links=len(found.table.weight),
            seconds=time.monotonic() - began,
            cached=found.cached,
        )
    )
    return found


# Votes


class _Progress:
    """Tells at first and now and then how far the aligners are.

    Raises Interrupted when they are to stop.
    """

    def __init__(self, emit: events.Listener, interrupted: Callable[[], bool], then: float) -> None:
        self._emit, self._interrupted, self._then = emit, interrupted, then
        self._began = self._told = time.monotonic()
        self._before: float | None = None  # the share that had been done earlier

    def begin(self) -> None:
        """Tell that they begin."""
        self._began = self._told = time.monotonic()
        self._emit(events.Linking(0.0))
        self(0.0)

    def __call__(self, done: float) -> None:
        if self._interrupted():
            raise Interrupted
        now = time.monotonic()
        taken = now - self._began
        if self._before is None and done:
            self._before = done
        whole = self._projected(taken, done)
        if now - self._told > SAY_SECONDS:
            self._told = now
            left = max(0.0, whole - taken) + self._then * whole if whole else None
            self._emit(events.Linking(done, left))

    def _projected(self, taken: float, done: float) -> float:
        """Seconds that the rest takes from its beginning; 0 while too little is known.

        Jobs of an earlier run had done their share before.
        """
        before = self._before or 0.0
        if before < statistical.ENOUGH_DONE:
            return projected(taken, done)
        return projected(taken, (done - before) / max(1e-9, 1.0 - before))


def projected(taken: float, done: float) -> float:
    """Seconds that all of it takes, of which a share `done` has taken `taken`; 0 while that says
    too little."""
    return taken / done if done >= statistical.ENOUGH_DONE else 0.0


def _voted(
    recipe: Recipe,
    corpus: Corpus,
    cache: Path,
    workers: int,
    progress: _Progress,
    members: Sequence[statistical.Member] | None,
    max_seconds: float,
    resume: bool,
) -> WordLinks:
    members = statistical.COMMITTEE if members is None else members
    made_of = {
        "digest": corpus.digest,
        "committee": [asdict(member) for member in members],
        "program": recipe.train.aligner,
        "seed": recipe.seed,
    }
    if (kept := _kept(cache, made_of, shortened=resume)) is not None:
        return kept
    progress.begin()
    left_out = list[int]()
    table = statistical.votes(
        map(corpus.source.words, corpus.pairs),
        map(corpus.target.words, corpus.pairs),
        seed=recipe.seed,
        workers=workers,
        program=recipe.train.aligner,
        members=members,
        kept=_folder_of_votes(cache.with_name(VOTES), made_of),
        max_seconds=max_seconds if math.isfinite(max_seconds) else None,
        on_left_out=left_out.append,
        on_progress=progress,
    )
    facts = made_of | {LEFT_OUT: sum(left_out)} if left_out else made_of
    return WordLinks(_spread(table, corpus), facts)


def _folder_of_votes(folder: Path, made_of: dict[str, Any]) -> Path:
    """The folder for the links of each aligner, empty unless they were made of the same.

    Raises TrainingError where it cannot be made.
    """
    facts, text = folder / "made_of.json", json.dumps(made_of, sort_keys=True)
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


def _kept(path: Path, made_of: dict[str, Any], *, shortened: bool) -> WordLinks | None:
    """The votes in that file, if it can be read and they were made of the same.

    Where aligners had been left out for want of time, only with `shortened`.
    """
    try:
        tensors, facts = checkpoint.load(path)
    except ModelError:
        return None
    if facts == made_of or (shortened and facts == made_of | {LEFT_OUT: facts.get(LEFT_OUT)}):
        return WordLinks(checkpoint.from_tensors(tensors), facts, cached=True)
    return None


def _spread(table: LinkTable, corpus: Corpus) -> LinkTable:
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

    The corpus was read from `n_lines` lines. Raises DataError as `prepared` does.
    """
    with open_lines(file, stdin=stdin) as lines:
        found = np.fromiter(_of_lines(lines, corpus, n_lines), _LINK)
        if not len(found):
            raise DataError(
                f"{lines.name} has no link for any pair that is trained on",
                "Give one line of links, such as 0-0 2-1, for each line of the training text.",
            )
    return LinkTable.gathered(
        found["pair"],
        found["source"],
        found["target"],
        found["weight"],
        n_pairs=len(corpus.lines),
    )


def _of_lines(lines: Lines, corpus: Corpus, n_lines: int) -> Iterator[tuple[int, int, int, float]]:
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
        for (s, t), share in _links(line.text, shape, f"{lines.name} line {line.number}").items():
            if share and max(s, t) <= FURTHEST:
                yield pair, s, t, share


def _links(text: str, shape: tuple[int, int], where: str) -> dict[tuple[int, int], float]:
    """The links of one line and their weights, 1 where it gives none.

    Raises DataError, saying `where`, if one is malformed, outside the sentence or not a share.
    """
    found = links_in(text, where=where)
    for s, t in found.pairs:
        if s >= shape[0] or t >= shape[1]:
            raise DataError(
                f"{where} links words {s}-{t} of a pair with {shape[0]} source and {shape[1]} "
                "target words",
                "Words are attn's own, and count from 0: attn align prints such links.",
            )
    weights = {link: found.weights.get(link, 1.0) for link in found.pairs}
    if not all(0 <= share <= 1 for share in weights.values()):
        raise DataError(
            f"{where} has a weight that is not between 0 and 1",
            "Write how sure a link is as in 0-0:0.9, or leave it out.",
        )
    return weights
