"""Read parallel corpora from files, standard input or memory."""

import functools
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from attn_cli import config
from attn_cli.data.arrays import Storage
from attn_cli.data.corpus import Corpus
from attn_cli.data.corpus_builder import ChunkCache, SideBuilder, TokenCache
from attn_cli.data.corpus_report import CorpusReport, SkipCounter, SkipReason
from attn_cli.data.literals import LiteralRules, NumberedLiteral
from attn_cli.data.text_input import Line, open_lines, parse_pair, zip_lines
from attn_cli.data.word_rules import ALL_LANGUAGES, WordRules
from attn_cli.errors import DataError, UsageError

#: The word rules of the source and the target language.
RulesOfSides = tuple[WordRules, WordRules]
UNNAMED = (ALL_LANGUAGES, ALL_LANGUAGES)

#: The reason why a line of `read_pairs` is left out that is no pair.
MISSING_SEPARATOR = "no TAB or ' ||| ' between two sides"

_BLOCK_SIZE = 1 << 16  # sentences that are read before they are stored


@dataclass(frozen=True)
class CorpusOptions:
    """How lines become a corpus.

    `rules` split text into words; with `tokenized`, words are what spaces and TABs separate. The
    `literals` that both sides of a pair have are one word each, marked as placeholders. For
    `detach_opening_marks` see `words.surface_forms`. `storage` keeps the arrays, by default in
    memory.
    """

    tokenized: bool = False
    literals: LiteralRules | None = None
    rules: RulesOfSides = UNNAMED
    detach_opening_marks: bool = False
    storage: Storage = field(default_factory=Storage)


DEFAULTS = CorpusOptions()


class CorpusSplits(NamedTuple):
    """The texts of a recipe: two corpora, or two parts of one, and their reports."""

    train: Corpus
    valid: Corpus
    reports: tuple[CorpusReport, ...]


def load(
    data: config.DataConfig,
    folder: Path,
    options: CorpusOptions = DEFAULTS,
    *,
    seed: int,
    stdin: BinaryIO | None = None,
) -> CorpusSplits:
    """Read the training and the validation pairs of a recipe, whose paths are relative to `folder`.

    Without validation files `data.valid_size` pairs are split off, drawn by `seed`. The limits on
    length need a tokenizer: see `SubwordCorpus.filter_lengths`. Raises UsageError if the recipe
    names no text, or half of it, and DataError if the text cannot be used.
    """
    read = functools.partial(_read, data, folder, options, stdin=stdin)
    text = read("")
    if text is None:
        raise UsageError(
            "no training text is named", "Set data.pairs, or data.source and data.target."
        )
    corpus, report = text
    valid = read("valid_")
    if valid is None:
        try:
            return CorpusSplits(*corpus.split(data.valid_size, seed=seed), (report,))
        except DataError as error:
            if not report.skipped:
                raise
            left_out = "; ".join(map(str, report.skipped))
            raise DataError(f"{error.problem}: {left_out}", error.hint) from error
    return CorpusSplits(corpus, valid[0], (report, valid[1]))


def _read(
    data: config.DataConfig,
    folder: Path,
    options: CorpusOptions,
    prefix: str,
    *,
    stdin: BinaryIO | None,
) -> tuple[Corpus, CorpusReport] | None:
    """Read the corpus that three keys of [data] with this prefix name; None if all are empty."""
    names = [prefix + name for name in ("source", "target", "pairs")]
    source, target, pairs = (str(getattr(data, name)) for name in names)
    source_key, target_key, pairs_key = (f"data.{name}" for name in names)
    if pairs and (source or target):
        key = source_key if source else target_key
        raise UsageError(f"{pairs_key} and {key} both name text", "Leave one of them out.")
    if bool(source) != bool(target):
        present, missing = (source_key, target_key) if source else (target_key, source_key)
        raise UsageError(f"{present} is set but {missing} is not", f"Set {missing} too.")
    if pairs:
        return read_pairs(_within(folder, pairs), options, stdin=stdin)
    if source:
        files = _within(folder, source), _within(folder, target)
        return read_parallel(*files, options, stdin=stdin)
    return None


def _within(folder: Path, name: str) -> Path:
    return Path(name) if name == "-" else folder / name


def read_parallel(
    source: Path | str,
    target: Path | str,
    options: CorpusOptions = DEFAULTS,
    *,
    stdin: BinaryIO | None = None,
) -> tuple[Corpus, CorpusReport]:
    """Read a corpus from two parallel files (`*.gz`, "-" for `stdin`).

    Left out and reported: lines that are not valid UTF-8 (a model must not learn to write U+FFFD)
    and pairs with an empty side. Raises DataError if a file cannot be read, if one is longer than
    the other, or if no pair is left.
    """
    with (
        open_lines(source, stdin=stdin) as source_lines,
        open_lines(target, stdin=stdin) as target_lines,
    ):
        return _build(
            f"{source_lines.name} and {target_lines.name}",
            (
                _Row(
                    line.number,
                    line.text,
                    other.text,
                    f"not valid UTF-8 in {(source_lines if line.problem else target_lines).name}"
                    if line.problem or other.problem
                    else "",
                )
                for line, other in zip_lines(source_lines, target_lines)
            ),
            options,
        )


def read_pairs(
    path: Path | str,
    options: CorpusOptions = DEFAULTS,
    *,
    stdin: BinaryIO | None = None,
) -> tuple[Corpus, CorpusReport]:
    """Read a corpus from one file of `source<TAB>target` or `source ||| target` lines.

    As `read_parallel`; a line without either separator is left out and reported too.
    """
    with open_lines(path, stdin=stdin) as lines:
        rows = map(_row, lines)
        return _build(
            lines.name,
            rows,
            options,
        )


def corpus_of_pairs(
    pairs: Iterable[tuple[str, str]], options: CorpusOptions = DEFAULTS, *, name: str
) -> tuple[Corpus, CorpusReport]:
    """Make a corpus of (source, target) lines, as `read_parallel`; `name` is for errors."""
    rows = (_Row(number, *pair, "") for number, pair in enumerate(pairs, start=1))
    return _build(name, rows, options)


class _Row(NamedTuple):
    """A line: its two sides, or the reason why it is skipped."""

    number: int
    source: str
    target: str
    reason: str
    is_wide: bool = False  # with more columns than two


def _row(line: Line) -> _Row:
    pair = parse_pair(line.text)
    if pair is None and line.text.strip():
        return _Row(line.number, "", "", MISSING_SEPARATOR)
    if line.problem:
        return _Row(line.number, "", "", "not valid UTF-8")
    is_wide = line.text.count("\t") > 1
    return _Row(line.number, *(pair or ("", "")), "", is_wide)


def _build(name: str, rows: Iterable[_Row], options: CorpusOptions) -> tuple[Corpus, CorpusReport]:
    storage, literals = options.storage, None if options.tokenized else options.literals
    chunks = TokenCache if options.tokenized else ChunkCache
    match = _match_none if literals is None else literals.match_for_training
    source, target = (
        SideBuilder(chunks(rules, detach_opening_marks=options.detach_opening_marks), storage, name)
        for name, rules in zip(("source", "target"), options.rules, strict=True)
    )
    lines, numbers = array("i"), storage.column("lines", np.int32)
    reasons, wide = SkipCounter(), SkipCounter()
    n_read = n_used = 0
    for row in rows:
        n_read += 1
        if row.reason:
            reasons.add(row.reason, row.number)
            continue
        if row.is_wide:
            wide.add("", row.number)
        of_source, of_target = match(row.source, row.target)
        if not (source.add(row.source, of_source) and target.add(row.target, of_target)):
            reasons.add("an empty side", row.number)
            source.truncate(len(lines))
            target.truncate(len(lines))
        else:
            lines.append(row.number)
            if len(lines) == _BLOCK_SIZE:
                n_used += len(lines)
                numbers.append(lines)
                source.flush()
                target.flush()
                lines = array("i")
    n_used += len(lines)
    numbers.append(lines)
    notes = tuple(map(_wide_lines, wide.skipped()))
    report = CorpusReport(name, n_read, n_used, reasons.skipped(), notes)
    report.require_pairs()
    pairs = np.arange(n_used, dtype=np.int32)
    corpus = Corpus(name, source.finish(), target.finish(), numbers.finish(), pairs, storage)
    return corpus, report


def _wide_lines(wide: SkipReason) -> str:
    have = "1 line has" if wide.count == 1 else f"{wide.count} lines have"
    return f"{have} more than two columns, of which the first two were read ({wide.places})"


def _match_none(source: str, target: str) -> tuple[list[NumberedLiteral], list[NumberedLiteral]]:
    return [], []
