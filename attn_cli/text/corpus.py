"""A parallel corpus in numpy arrays: sentences as the numbers of their words.

Knows no tokenizer and prints nothing: what was left out, and where, is told in a `Report`.

The text is read once. Every word *form* (the word's text, with a space in front unless it is glued
to the word before) gets a number in order of appearance, and a side of the corpus is one flat int32
array of them: 4 bytes a word. A tokenizer is trained on the forms and their counts; `pieces` has
each form segmented once.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli import config
from attn_cli.errors import DataError, UsageError
from attn_cli.text import words
from attn_cli.text.reading import Line, in_step, open_lines, parse_pair
from attn_cli.values import IntArray

LongArray = NDArray[np.int64]

#: Why a line of `read_pairs` was left out: it is not a pair at all.
NO_TWO_SIDES = "no TAB or ' ||| ' between two sides"

NUMBERED = 10  # line numbers given for each thing found wrong
_BLOCK = 1 << 14  # sentences looked at together: bounds the memory of whole-corpus arithmetic
_REMEMBERED = 174_000  # spaced chunks whose words are remembered (a dict of 2^18 slots) …
_LONGEST_REMEMBERED = 32  # … and the longest of them, in characters


# What was left out


@dataclass(frozen=True, slots=True)
class Finding:
    """Pairs left out for one reason: how many, and the lines of the first ten."""

    reason: str
    count: int
    lines: tuple[int, ...]

    def __str__(self) -> str:
        pairs, lines = ("pair", "line") if self.count == 1 else ("pairs", "lines")
        numbers = ", ".join(map(str, self.lines))
        more = f" and {self.count - len(self.lines)} more" if self.count > len(self.lines) else ""
        return f"{self.count} {pairs} left out: {self.reason} ({lines} {numbers}{more})"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the pairs of `name`: `kept` of `seen`, and why the others were left out."""

    name: str
    seen: int
    kept: int
    findings: tuple[Finding, ...] = ()

    def sentences(self) -> list[str]:
        """One line for each reason, ready to be shown."""
        return [f"{self.name}: {finding}" for finding in self.findings]

    def insist(self) -> None:
        """Raises DataError if no pair was kept."""
        if self.kept:
            return
        if not self.seen:
            raise DataError(f"{self.name} holds no line", "Give text to train on.")
        raise DataError(
            f"no pair of {self.name} can be used: {'; '.join(map(str, self.findings))}",
            "Mend those lines, or the limits data.max_length and data.max_ratio.",
        )


# The corpus in words


@dataclass(frozen=True, eq=False, slots=True)
class Ragged:
    """Rows of unequal length in one array: row r is `values[starts[r]:starts[r + 1]]`."""

    values: IntArray
    starts: LongArray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> IntArray:
        return self.values[self.starts[row] : self.starts[row + 1]]

    @property
    def lengths(self) -> LongArray:
        """(rows,) values in each row."""
        return np.diff(self.starts)

    def gather(self, rows: NDArray[np.integer]) -> "Ragged":
        """The rows asked for, in that order, one behind the other."""
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        positions = np.arange(starts[-1]) + np.repeat(first - starts[:-1], lengths)
        return Ragged(self.values[positions], starts)


@dataclass(frozen=True, eq=False, slots=True)
class Side:
    """One language: the distinct word forms, and every sentence as a row of their numbers."""

    forms: tuple[str, ...]
    sentences: Ragged

    def words(self, pair: int) -> tuple[str, ...]:
        """The words of a sentence as they are shown."""
        return tuple(self.forms[form].removeprefix(" ") for form in self.sentences[pair])

    def text(self, pair: int) -> str:
        """The sentence itself, each run of white space in it made one space."""
        return "".join([self.forms[form] for form in self.sentences[pair]])[1:]

    def counts(self, pairs: IntArray) -> LongArray:
        """(forms,) how often each form occurs in these sentences."""
        counts = np.zeros(len(self.forms), np.int64)
        for block in blocks(pairs):
            found = self.sentences.gather(block).values
            counts += np.bincount(found, minlength=len(counts))
        return counts


@dataclass(frozen=True, eq=False)
class Corpus:
    """Pairs of sentences, none of them empty, as word forms.

    A *pair* is an index into `lines` and the sentences of both sides; `pairs` are those that belong
    to this part, so that parts of one corpus share its arrays. `lines[pair]` is the pair's line in
    the file.
    """

    name: str
    source: Side
    target: Side
    lines: IntArray
    pairs: IntArray

    def __len__(self) -> int:
        return len(self.pairs)

    def part(self, pairs: IntArray) -> "Corpus":
        """The same corpus with these pairs only."""
        return replace(self, pairs=pairs.astype(np.int32))

    def source_texts(self) -> Iterator[str]:
        """The source sentences in order, white space normalised: no metric sees a difference."""
        return map(self.source.text, self.pairs)

    def target_texts(self) -> Iterator[str]:
        """The target sentences in order, as `source_texts`; the references of a validation part."""
        return map(self.target.text, self.pairs)

    def source_counts(self) -> dict[str, int]:
        """Each source word form of these pairs and how often it occurs."""
        return _named(self.source, self.pairs)

    def target_counts(self) -> dict[str, int]:
        """Each target word form of these pairs and how often it occurs."""
        return _named(self.target, self.pairs)

    @property
    def digest(self) -> str:
        """sha256 of the text of these pairs, for what is derived from it to cite."""
        total = hashlib.sha256(self.pairs.astype("<i4").data)
        for side in (self.source, self.target):
            total.update("\n".join(side.forms).encode("utf-8"))
            total.update(side.sentences.starts.astype("<i8", copy=False).data)
            total.update(side.sentences.values.astype("<i4", copy=False).data)
        return total.hexdigest()

    def split(self, size: int, *, seed: int) -> tuple["Corpus", "Corpus"]:
        """A training and a validation part; a source sentence never has pairs in both.

        Validation gets `size` pairs, or a tenth of them where that is less. Pairs that share
        their source sentence stay together, drawn at random while they fit; if no such group is
        small enough, the smallest one is taken. Raises DataError if there is only one.
        """
        group = self._groups()
        ordered = np.sort(group)
        if ordered[0] == ordered[-1]:
            raise DataError(
                f"{self.name} has one source sentence only, so none can be kept for validation",
                "Give validation pairs of their own, or more text.",
            )
        room = min(size, max(1, len(self) // 10))
        chosen: set[np.int64] = set()
        smallest, smallest_size = ordered[0], len(self)
        for candidate in np.random.default_rng(seed).permutation(group):
            first, last = ordered.searchsorted(candidate), ordered.searchsorted(candidate, "right")
            count = int(last - first)
            if count < smallest_size:
                smallest, smallest_size = candidate, count
            if count <= room and candidate not in chosen:
                chosen.add(candidate)
                room -= count
            if not room:
                break
        chosen = chosen or {smallest}
        held_out = np.fromiter((each in chosen for each in group), bool, len(self))
        return self.part(self.pairs[~held_out]), self.part(self.pairs[held_out])

    def _groups(self) -> LongArray:
        """For each pair a number that only pairs with the same source sentence share.

        The numbers differ from run to run as `hash` does: only their equality may be used.
        """
        sentences = self.source.sentences
        hashes = (hash(sentences[pair].tobytes()) for pair in self.pairs)
        return np.fromiter(hashes, np.int64, len(self))


def blocks(pairs: IntArray) -> Iterator[IntArray]:
    """The pairs in runs that bound the memory of whole-corpus arithmetic."""
    return (pairs[start : start + _BLOCK] for start in range(0, len(pairs), _BLOCK))


def _named(side: Side, pairs: IntArray) -> dict[str, int]:
    counts = side.counts(pairs).tolist()
    return {form: count for form, count in zip(side.forms, counts, strict=True) if count}


# Files


class Loaded(NamedTuple):
    """What a recipe's `data` section names: two corpora, or two parts of one, and what to tell."""

    train: Corpus
    valid: Corpus
    reports: tuple[Report, ...]


def load(data: config.Data, folder: Path, *, seed: int, stdin: BinaryIO | None = None) -> Loaded:
    """The training and the validation pairs of a recipe whose paths are relative to `folder`.

    Without validation files `data.valid_size` pairs are split off, `seed` says which. The limits on
    length need a tokenizer: they come with `Segmented.limited`. Raises UsageError if the recipe
    names no text, or half of it, and DataError if the text cannot be used.
    """
    text = _read(data.source, data.target, data.pairs, folder, key="", stdin=stdin)
    if text is None:
        raise UsageError(
            "no training text is named", "Set data.pairs, or data.source and data.target."
        )
    corpus, report = text
    held_out = _read(
        data.valid_source, data.valid_target, data.valid_pairs, folder, key="valid_", stdin=stdin
    )
    if held_out is None:
        return Loaded(*corpus.split(data.valid_size, seed=seed), (report,))
    return Loaded(corpus, held_out[0], (report, held_out[1]))


def _read(
    source: str, target: str, pairs: str, folder: Path, *, key: str, stdin: BinaryIO | None
) -> tuple[Corpus, Report] | None:
    """The corpus that three keys of a recipe name, or None if all are empty."""
    ours, theirs, both = f"data.{key}source", f"data.{key}target", f"data.{key}pairs"
    if pairs and (source or target):
        raise UsageError(f"{both} and {ours if source else theirs} both name text", "Drop one.")
    if bool(source) != bool(target):
        named, missing = (ours, theirs) if source else (theirs, ours)
        raise UsageError(f"{named} is set but {missing} is not", f"Set {missing} too.")
    if pairs:
        return read_pairs(_within(folder, pairs), stdin=stdin)
    if source:
        return read_parallel(_within(folder, source), _within(folder, target), stdin=stdin)
    return None


def _within(folder: Path, name: str) -> Path:
    return Path(name) if name == "-" else folder / name


def read_parallel(
    source: Path | str,
    target: Path | str,
    *,
    stdin: BinaryIO | None = None,
    tokenized: bool = False,
) -> tuple[Corpus, Report]:
    """The corpus in two files, line by line beside each other (`*.gz`, "-" for `stdin`).

    With `tokenized`, words are what spaces and TABs separate.
    Left out and reported: lines that are not valid UTF-8 (a model must not learn to write U+FFFD)
    and pairs with an empty side. Raises DataError if a file cannot be read, if one is longer than
    the other, or if no pair is left.
    """
    with open_lines(source, stdin=stdin) as ours, open_lines(target, stdin=stdin) as theirs:
        return _interned(
            f"{ours.name} and {theirs.name}",
            (
                _Row(
                    line.number,
                    line.text,
                    other.text,
                    f"not valid UTF-8 in {(ours if line.problem else theirs).name}"
                    if line.problem or other.problem
                    else "",
                )
                for line, other in in_step(ours, theirs)
            ),
            tokenized=tokenized,
        )


def read_pairs(
    path: Path | str, *, stdin: BinaryIO | None = None, tokenized: bool = False
) -> tuple[Corpus, Report]:
    """The corpus in one file of `source<TAB>target` or `source ||| target` lines.

    As `read_parallel`; a line without either separator is left out and reported too.
    """
    with open_lines(path, stdin=stdin) as lines:
        return _interned(lines.name, map(_row, lines), tokenized=tokenized)


class _Row(NamedTuple):
    """A line as read: two sides, or why it cannot be used."""

    number: int
    source: str
    target: str
    reason: str


def _row(line: Line) -> _Row:
    pair = parse_pair(line.text)
    if pair is None and line.text.strip():
        return _Row(line.number, "", "", NO_TWO_SIDES)
    if line.problem:
        return _Row(line.number, "", "", "not valid UTF-8")
    return _Row(line.number, *(pair or ("", "")), "")


def _interned(name: str, rows: Iterable[_Row], *, tokenized: bool = False) -> tuple[Corpus, Report]:
    chunks = _Tokens if tokenized else _Chunks
    source, target, lines = _Interner(chunks()), _Interner(chunks()), array("i")
    tally = _Tally()
    seen = 0
    for row in rows:
        seen += 1
        if row.reason:
            tally.add(row.reason, row.number)
        elif not (source.add(row.source) and target.add(row.target)):
            tally.add("an empty side", row.number)
            source.keep(len(lines))
            target.keep(len(lines))
        else:
            lines.append(row.number)
    report = Report(name, seen, len(lines), tally.findings())
    report.insist()
    pairs = np.arange(len(lines), dtype=np.int32)
    numbers = np.frombuffer(lines, np.int32)
    return Corpus(name, source.side(), target.side(), numbers, pairs), report


class _Tally:
    """Counts the lines left out for each reason and remembers the numbers of the first ten."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lines: dict[str, list[int]] = {}

    def add(self, reason: str, number: int) -> None:
        count = self._counts.get(reason, 0)
        self._counts[reason] = count + 1
        if count < NUMBERED:
            self._lines.setdefault(reason, []).append(number)

    def findings(self) -> tuple[Finding, ...]:
        return tuple(
            Finding(reason, count, tuple(self._lines[reason]))
            for reason, count in self._counts.items()
        )


class _Interner:
    """One side of a corpus while it is read."""

    def __init__(self, chunks: "_Chunks") -> None:
        self._chunks = chunks
        self._forms = array("i")
        self._starts = array("q", [0])

    def add(self, text: str) -> bool:
        """Takes one more sentence; whether it had any word."""
        before = len(self._forms)
        # No word crosses white space, so the words of a text are those of its spaced chunks.
        chunks = self._chunks.split(text)
        self._forms.frombytes(b"".join(map(self._chunks.__getitem__, chunks)))
        self._starts.append(len(self._forms))
        return len(self._forms) > before

    def keep(self, sentences: int) -> None:
        """Forgets all sentences behind the first `sentences`."""
        del self._starts[sentences + 1 :]
        del self._forms[self._starts[-1] :]

    def side(self) -> Side:
        """What was taken, without copying it: no more can be added."""
        values = np.frombuffer(self._forms, np.int32)
        return Side(
            tuple(self._chunks.numbers), Ragged(values, np.frombuffer(self._starts, np.int64))
        )


class _Numbers(dict[str, int]):
    """Word forms to numbers in order of appearance; a new one gets the next number."""

    def __missing__(self, form: str) -> int:
        number = self[form] = len(self)
        return number


class _Chunks(dict[str, bytes]):
    """Text between two spaces to the numbers of its words, as they stand in an array of ints.

    Bytes are one object to fetch where a tuple of numbers is two or more, scattered in memory;
    that makes reading a quarter faster. The first chunks met are remembered, the common ones among
    them; where a text has changed so much that they no longer serve, remembering begins anew.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers = _Numbers()
        self._not_remembered = 0

    def split(self, text: str) -> list[str]:
        """The chunks of a text."""
        return text.split()

    def forms(self, chunk: str) -> list[str]:
        """The word forms of a chunk."""
        return words.forms(words.split(chunk))

    def __missing__(self, chunk: str) -> bytes:
        numbers = [self.numbers[form] for form in self.forms(chunk)]
        found = array("i", numbers).tobytes()
        if len(chunk) <= _LONGEST_REMEMBERED:
            if self._not_remembered > 4 * _REMEMBERED:
                self.clear()
                self._not_remembered = 0
            if len(self) < _REMEMBERED:
                self[chunk] = found
            else:
                self._not_remembered += 1
        return found


class _Tokens(_Chunks):
    """The same for text that another program has split into words: spaces and TABs separate them,
    and nothing else does (`str.split` would part at U+00A0 too)."""

    def split(self, text: str) -> list[str]:
        return [token for token in text.replace("\t", " ").split(" ") if token]

    def forms(self, chunk: str) -> list[str]:
        return [f" {chunk}"]
