"""Align pairs without a model, by learning from these pairs, as `attn align --fit` does."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attn_cli.alignment import extraction
from attn_cli.api.inputs import one_line
from attn_cli.api.results import AlignmentResult
from attn_cli.choices import Extraction
from attn_cli.console import available_cores
from attn_cli.errors import UsageError
from attn_cli.inference.line_batches import OnProblem
from attn_cli.inference.linkers import VoteInterpolatedAligner
from attn_cli.inference.neural_alignment import NullAligner
from attn_cli.inference.pair_aligner import PairAligner
from attn_cli.inference.pair_options import PairOptions
from attn_cli.types import InputLine

if TYPE_CHECKING:
    from attn_cli.training.events import Listener
    from attn_cli.training.unsupervised_alignment import FittedAlignments

#: The default minimum score of a link: the mean of word aligner and votes, or the share of votes
#: alone. A link needs more than half of the votes; with fewer than `MANY_PAIRS` pairs, and all
#: aligners rather than those of `quick`, half of them.
THRESHOLD, THRESHOLD_OF_FEW, MANY_PAIRS = 0.51, 0.5, 7_000


@dataclass(frozen=True)
class _Options:
    quick: bool
    seed: int
    device: str
    threads: int


def align(
    pairs: Iterable[tuple[str, str]],
    *,
    quick: bool = False,
    tokenized: bool = False,
    extract: Extraction = "threshold",
    threshold: float | None = None,
    seed: int = 1,
    device: str = "auto",
    threads: int | None = None,
    on_event: "Listener | None" = None,
) -> list[AlignmentResult]:
    """Link the words of (source, target) pairs without a model, by learning from these pairs.

    The results are those of `attn align --fit`, one for each pair, in order: statistical aligners
    vote for each link. A few hundred pairs are too few for good links; thousands are better.
    `quick` uses fewer aligners in a third of the time. With `tokenized` words are separated by
    spaces. `on_event` receives the events of the learning (`attn_cli.training.events`).

    Raises DataError if no pair can be used, UsageError for a threshold out of its bounds.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise UsageError(f"threshold cannot be {threshold}", "Give a number from 0 to 1.")
    rows = [
        InputLine(line, _encodable_line(source), _encodable_line(target))
        for line, (source, target) in enumerate(pairs, start=1)
    ]
    options = _Options(quick, seed, device, threads or available_cores())
    fitted = _fit(rows, options, tokenized=tokenized, on_event=on_event)
    if threshold is None and extract == "threshold":
        threshold = default_threshold(len(fitted.corpus), quick=quick)
    aligner = vote_aligner(fitted, tokenized=tokenized, tables=True)
    return [
        AlignmentResult(each, extraction.extract(each.alignment, extract, threshold), "aligner")
        for each in aligner.align(rows)
        if each.alignment is not None
    ]


def default_threshold(pairs: int, *, quick: bool) -> float:
    """Return the default minimum score of a link learned from `pairs` pairs."""
    return THRESHOLD_OF_FEW if pairs < MANY_PAIRS and not quick else THRESHOLD


def vote_aligner(
    fitted: "FittedAlignments",
    *,
    tokenized: bool,
    tables: bool,
    on_problem: OnProblem | None = None,
) -> VoteInterpolatedAligner:
    """Return the aligner of fitted alignments.

    Without `tables` it aligns by the votes alone, which suffice for links.
    """
    word_aligner = fitted.word_aligner if tables and fitted.combined else None
    aligner = PairAligner(
        fitted.source,
        fitted.target,
        PairOptions(tokenized=tokenized, on_problem=on_problem),
        aligner=word_aligner or NullAligner(),
    )
    pair_of_line = {line: pair for pair, line in enumerate(fitted.corpus.lines.tolist())}
    votes = fitted.votes if word_aligner else fitted.links
    return VoteInterpolatedAligner(aligner, votes, pair_of_line, alone=word_aligner is None)


def _fit(
    rows: list[InputLine], options: _Options, *, tokenized: bool, on_event: "Listener | None"
) -> "FittedAlignments":
    from attn_cli.alignment.statistical import QUICK_COMMITTEE
    from attn_cli.data.corpus_reader import CorpusOptions, corpus_of_pairs
    from attn_cli.training.unsupervised_alignment import aligner_recipe, fit

    corpus, _ = corpus_of_pairs(
        ((row.source, row.target) for row in rows), CorpusOptions(tokenized), name="the pairs"
    )
    with tempfile.TemporaryDirectory(prefix="attn-") as folder:
        fitted = fit(
            aligner_recipe("aligner", "", "", seed=options.seed),
            corpus,
            Path(folder),
            device=options.device,
            threads=options.threads,
            emit=on_event or (lambda event: None),
            members=QUICK_COMMITTEE if options.quick else None,
            train_aligner=False,
        )
    assert fitted is not None  # only an interrupted fit returns None
    return fitted


def _encodable_line(text: str) -> str:
    return one_line(text).encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
