"""A parallel corpus in numpy arrays: sentences as the numbers of their words.

Knows no tokenizer and prints nothing: what was left out, and where, is told in a `CorpusReport`.

The text is read once. Every word *form* (the word's text, with a space in front unless it is glued
to the word before) gets a number in order of appearance, and a side of the corpus is one flat int32
array of them: 4 bytes a word. A tokenizer is trained on the forms and their counts; `pieces` has
each form segmented once.
"""

import functools
import hashlib
import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attn_cli import config
from attn_cli.data import words
from attn_cli.data.arrays import LongArray, RaggedArray, Storage, StringArray, blocks, slices
from attn_cli.data.literals import LiteralRules, NumberedLiteral, add_mark, remove_mark
from attn_cli.data.text_io import Line, open_lines, parse_pair, zip_lines
from attn_cli.data.word_rules import ALL_LANGUAGES, WordRules
from attn_cli.errors import DataError, UsageError
from attn_cli.types import IntArray

#: The word rules of the source and the target language.
RulesOfSides = tuple[WordRules, WordRules]
UNNAMED = (ALL_LANGUAGES, ALL_LANGUAGES)

#: Why a line of `read_pairs` was left out: it is not a pair at all.
MISSING_SEPARATOR = "no TAB or ' ||| ' between two sides"

MAX_LISTED_LINES = 10  # line numbers given for each thing found wrong
_TOGETHER = 1 << 16  # sentences that are read before they are stored; pairs compared together
_REMEMBERED = 174_000  # spaced chunks whose words are remembered (a dict of 2^18 slots) …
_LONGEST_REMEMBERED = 32  # … and the longest of them, in characters


# What was left out


@dataclass(frozen=True, slots=True)
class SkipReason:
    """Pairs left out for one reason: how many, and the lines of the first ten."""

    reason: str
    count: int
    lines: tuple[int, ...]

    def __str__(self) -> str:
        pairs = "pair" if self.count == 1 else "pairs"
        return f"{self.count} {pairs} left out: {self.reason} ({self.places})"

    @property
    def places(self) -> str:
        """The lines, such as `lines 1, 2 and 7 more`."""
        lines = "line" if self.count == 1 else "lines"
        numbers = ", ".join(map(str, self.lines))
        more = f" and {self.count - len(self.lines)} more" if self.count > len(self.lines) else ""
        return f"{lines} {numbers}{more}"


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What became of the pairs of `name`: `n_used` of `n_read`, and why others were skipped."""

    name: str
    n_read: int
    n_used: int
    skipped: tuple[SkipReason, ...] = ()
    notes: tuple[str, ...] = ()  # of lines that were read

    def messages(self) -> list[str]:
        """One line for each reason and note, ready to be shown."""
        return [f"{self.name}: {each}" for each in (*self.skipped, *self.notes)]

    def require_pairs(self) -> None:
        """Raises DataError if no pair was kept."""
        if self.n_used:
            return
        if not self.n_read:
            raise DataError(f"{self.name} holds no line", "Give text to train on.")
        raise DataError(
            f"no pair of {self.name} can be used: {'; '.join(map(str, self.skipped))}",
            "Mend those lines, or the limits data.max_length and data.max_ratio.",
        )


# The corpus in words


@dataclass(frozen=True, eq=False, slots=True)
class CorpusSide:
    """One language: the distinct word forms, and every sentence as a row of their numbers."""

    forms: StringArray
    sentences: RaggedArray

    def words(self, pair: int) -> tuple[str, ...]:
        """The words of a sentence as they are shown."""
        return tuple(
            remove_mark(self.forms[form]).removeprefix(" ") for form in self.sentences[pair]
        )

    def text(self, pair: int) -> str:
        """The sentence itself, each run of white space in it made one space."""
        return remove_mark("".join([self.forms[form] for form in self.sentences[pair]]))[1:]

    def counts(self, pairs: IntArray) -> LongArray:
        """(forms,) how often each form occurs in these sentences."""
        counts = np.zeros(len(self.forms), np.int64)
        for _, sentences in self.sentences.blocks(pairs):
            counts += np.bincount(sentences.values, minlength=len(counts))
        return counts


@dataclass(frozen=True, eq=False)
class Corpus:
    """Pairs of sentences, none of them empty, as word forms.

    A *pair* is an index into `lines` and the sentences of both sides; `pairs` are those that belong
    to this part, so that parts of one corpus share its arrays. `lines[pair]` is the pair's line in
    the file. `storage` keeps what is made of the corpus too.
    """

    name: str
    source: CorpusSide
    target: CorpusSide
    lines: IntArray
    pairs: IntArray
    storage: Storage = field(default_factory=Storage)

    def __len__(self) -> int:
        return len(self.pairs)

    def subset(self, pairs: IntArray) -> "Corpus":
        """The same corpus with these pairs only."""
        return replace(self, pairs=pairs.astype(np.int32))

    def source_texts(self) -> Iterator[str]:
        """The source sentences in order, white space normalised: no metric sees a difference."""
        return map(self.source.text, self.pairs)

    def target_texts(self) -> Iterator[str]:
        """The target sentences in order, as `source_texts`; the references of a validation part."""
        return map(self.target.text, self.pairs)

    @cached_property
    def n_words(self) -> int:
        """The words of both sides of these pairs."""
        sides = self.source.sentences, self.target.sentences
        words = sum(int(s.lengths_of(block).sum()) for s in sides for block in blocks(self.pairs))
        for sentences in sides:
            sentences.release()
        return words

    def source_counts(self, *, share: float = 1.0) -> dict[str, int]:
        """Each source word form of these pairs and how often it occurs.

        Of a `share` of them, with less than 1: every count is within 1 of that share, and so is
        their sum.
        """
        return _named(self.source, self.pairs, share)

    def target_counts(self, *, share: float = 1.0) -> dict[str, int]:
        """The same of the target word forms."""
        return _named(self.target, self.pairs, share)

    @functools.cached_property
    def digest(self) -> str:
        """sha256 of the text of these pairs, for what is derived from it to cite."""
        total = hashlib.sha256(self.pairs.astype("<i4").data)
        for side in (self.source, self.target):
            for text in slices(side.forms.text[:-1]):  # without the last line feed
                total.update(text.data)
            for starts in slices(side.sentences.starts):
                total.update(starts.astype("<i8", copy=False).data)
            for values in slices(side.sentences.values):
                total.update(values.astype("<i4", copy=False).data)
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
                f"{self.name} has one source sentence that can be used, so none can be kept for "
                "validation",
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
        held_out = _among(group, np.array(sorted(chosen or {smallest})))
        return self.subset(self.pairs[~held_out]), self.subset(self.pairs[held_out])

    def _groups(self) -> LongArray:
        """For each pair a number that only pairs with the same source sentence share.

        The numbers differ from run to run as `hash` does: only their equality may be used.
        """
        return np.fromiter(self._hashes(), np.int64, len(self))

    def _hashes(self) -> Iterator[int]:
        for _, sentences in self.source.sentences.blocks(self.pairs):
            data = sentences.values.tobytes()
            ends = (sentences.starts * sentences.values.itemsize).tolist()
            yield from (hash(data[first:last]) for first, last in itertools.pairwise(ends))


def _among(values: LongArray, chosen: LongArray) -> NDArray[np.bool_]:
    """Whether each value is one of the `chosen`, which are sorted."""
    found = np.zeros(len(values), bool)
    for start in range(0, len(values), _TOGETHER):
        part = values[start : start + _TOGETHER]
        places = np.minimum(chosen.searchsorted(part), len(chosen) - 1)
        found[start : start + _TOGETHER] = chosen[places] == part
    return found


def _named(side: CorpusSide, pairs: IntArray, share: float) -> dict[str, int]:
    counts = side.counts(pairs)
    if share < 1:
        counts = np.diff(np.floor(np.cumsum(counts) * share).astype(np.int64), prepend=0)
    counted = counts > 0
    forms = itertools.compress(side.forms, counted)
    return dict(zip(forms, counts[counted].tolist(), strict=True))


# Files


class CorpusSplits(NamedTuple):
    """What a recipe's `data` section names: two corpora, or two parts of one, and what to tell."""

    train: Corpus
    valid: Corpus
    reports: tuple[CorpusReport, ...]


def load(
    data: config.DataConfig,
    folder: Path,
    *,
    seed: int,
    stdin: BinaryIO | None = None,
    storage: Storage | None = None,
    literals: LiteralRules | None = None,
    rules: RulesOfSides = UNNAMED,
) -> CorpusSplits:
    """The training and the validation pairs of a recipe whose paths are relative to `folder`.

    `storage` keeps them and what is made of them; without one memory does. The `literals` that both
    sides of a pair have are one word each, marked as placeholders. `rules` split text into words.
    Without validation files
    `data.valid_size` pairs are split off, `seed` says which. The limits on length need a tokenizer:
    they come with `SubwordCorpus.limited`. Raises UsageError if the recipe names no text, or half
    of it, and DataError if the text cannot be used.
    """
    storage = storage or Storage()
    text = _read(data.source, data.target, data.pairs, folder, "", stdin, storage, literals, rules)
    if text is None:
        raise UsageError(
            "no training text is named", "Set data.pairs, or data.source and data.target."
        )
    corpus, report = text
    held_out = _read(
        data.valid_source,
        data.valid_target,
        data.valid_pairs,
        folder,
        "valid_",
        stdin,
        storage,
        literals,
        rules,
    )
    if held_out is None:
        try:
            return CorpusSplits(*corpus.split(data.valid_size, seed=seed), (report,))
        except DataError as error:
            if not report.skipped:
                raise
            left_out = "; ".join(map(str, report.skipped))
            raise DataError(f"{error.problem}: {left_out}", error.hint) from error
    return CorpusSplits(corpus, held_out[0], (report, held_out[1]))


def _read(
    source: str,
    target: str,
    pairs: str,
    folder: Path,
    key: str,
    stdin: BinaryIO | None,
    storage: Storage,
    literals: LiteralRules | None,
    rules: RulesOfSides = UNNAMED,
) -> tuple[Corpus, CorpusReport] | None:
    """The corpus that three keys of a recipe name, or None if all are empty."""
    ours, theirs, both = f"data.{key}source", f"data.{key}target", f"data.{key}pairs"
    if pairs and (source or target):
        raise UsageError(f"{both} and {ours if source else theirs} both name text", "Drop one.")
    if bool(source) != bool(target):
        named, missing = (ours, theirs) if source else (theirs, ours)
        raise UsageError(f"{named} is set but {missing} is not", f"Set {missing} too.")
    if pairs:
        file = _within(folder, pairs)
        return read_pairs(file, stdin=stdin, storage=storage, literals=literals, rules=rules)
    if source:
        files = _within(folder, source), _within(folder, target)
        return read_parallel(*files, stdin=stdin, storage=storage, literals=literals, rules=rules)
    return None


def _within(folder: Path, name: str) -> Path:
    return Path(name) if name == "-" else folder / name


def read_parallel(
    source: Path | str,
    target: Path | str,
    *,
    stdin: BinaryIO | None = None,
    tokenized: bool = False,
    storage: Storage | None = None,
    literals: LiteralRules | None = None,
    rules: RulesOfSides = UNNAMED,
) -> tuple[Corpus, CorpusReport]:
    """The corpus in two files, line by line beside each other (`*.gz`, "-" for `stdin`).

    With `tokenized`, words are what spaces and TABs separate. `storage` keeps the arrays. The
    `literals` that both sides of a pair have are one word each, marked as placeholders.
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
                for line, other in zip_lines(ours, theirs)
            ),
            storage or Storage(),
            tokenized=tokenized,
            literals=literals,
            rules=rules,
        )


def read_pairs(
    path: Path | str,
    *,
    stdin: BinaryIO | None = None,
    tokenized: bool = False,
    storage: Storage | None = None,
    literals: LiteralRules | None = None,
    rules: RulesOfSides = UNNAMED,
) -> tuple[Corpus, CorpusReport]:
    """The corpus in one file of `source<TAB>target` or `source ||| target` lines.

    As `read_parallel`; a line without either separator is left out and reported too.
    """
    with open_lines(path, stdin=stdin) as lines:
        rows = map(_row, lines)
        return _interned(
            lines.name,
            rows,
            storage or Storage(),
            tokenized=tokenized,
            literals=literals,
            rules=rules,
        )


def corpus_of_pairs(
    pairs: Iterable[tuple[str, str]],
    *,
    name: str,
    tokenized: bool = False,
    storage: Storage | None = None,
) -> tuple[Corpus, CorpusReport]:
    """The corpus of (source, target) lines in memory, as `read_parallel`; `name` is for errors."""
    rows = (_Row(number, *pair, "") for number, pair in enumerate(pairs, start=1))
    return _interned(name, rows, storage or Storage(), tokenized=tokenized, literals=None)


class _Row(NamedTuple):
    """A line as read: two sides, or why it cannot be used."""

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


def _interned(
    name: str,
    rows: Iterable[_Row],
    storage: Storage,
    *,
    tokenized: bool,
    literals: LiteralRules | None,
    rules: RulesOfSides = UNNAMED,
) -> tuple[Corpus, CorpusReport]:
    chunks = _Tokens if tokenized else _Chunks
    match = _match_none if literals is None or tokenized else literals.match_for_training
    source = _Interner(chunks(rules[0]), storage, "source")
    target = _Interner(chunks(rules[1]), storage, "target")
    lines, numbers = array("i"), storage.column("lines", np.int32)
    tally, wide = _Tally(), _Tally()
    seen = kept = 0
    for row in rows:
        seen += 1
        if row.reason:
            tally.add(row.reason, row.number)
            continue
        if row.is_wide:
            wide.add("", row.number)
        ours, theirs = match(row.source, row.target)
        if not (source.add(row.source, ours) and target.add(row.target, theirs)):
            tally.add("an empty side", row.number)
            source.keep(len(lines))
            target.keep(len(lines))
        else:
            lines.append(row.number)
            if len(lines) == _TOGETHER:
                kept += len(lines)
                numbers.append(lines)
                source.flush()
                target.flush()
                lines = array("i")
    kept += len(lines)
    numbers.append(lines)
    notes = tuple(map(_wide_lines, wide.findings()))
    report = CorpusReport(name, seen, kept, tally.findings(), notes)
    report.require_pairs()
    pairs = np.arange(kept, dtype=np.int32)
    corpus = Corpus(name, source.side(), target.side(), numbers.finish(), pairs, storage)
    return corpus, report


def _wide_lines(found: SkipReason) -> str:
    have = "1 line has" if found.count == 1 else f"{found.count} lines have"
    return f"{have} more than two columns, of which the first two were read ({found.places})"


def _match_none(source: str, target: str) -> tuple[list[NumberedLiteral], list[NumberedLiteral]]:
    return [], []


class _Tally:
    """Counts the lines left out for each reason and remembers the numbers of the first ten."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lines: dict[str, list[int]] = {}

    def add(self, reason: str, number: int) -> None:
        count = self._counts.get(reason, 0)
        self._counts[reason] = count + 1
        if count < MAX_LISTED_LINES:
            self._lines.setdefault(reason, []).append(number)

    def findings(self) -> tuple[SkipReason, ...]:
        return tuple(
            SkipReason(reason, count, tuple(self._lines[reason]))
            for reason, count in self._counts.items()
        )


class _Interner:
    """One side of a corpus while it is read: what was added since `flush` is in memory."""

    def __init__(self, chunks: "_Chunks", storage: Storage, name: str) -> None:
        self._chunks, self._storage, self._name = chunks, storage, name
        self._values = storage.column(f"{name}.words.values", np.int32)
        self._all_starts = storage.column(f"{name}.words.starts", np.int64)
        self._all_starts.append(np.zeros(1, np.int64))
        self._flushed = 0
        self._begin()

    def _begin(self) -> None:
        self._forms = array("i")
        self._ends = array("q")

    def add(self, text: str, literals: Sequence[NumberedLiteral] = ()) -> bool:
        """Takes one more sentence, with these literals; whether it had any word."""
        before = len(self._forms)
        if literals:
            forms = _marked_forms(text, literals, self._chunks.rules)
            self._forms.extend([self._chunks.numbers[form] for form in forms])
            self._ends.append(len(self._forms))
            return True
        # No word crosses white space, so the words of a text are those of its spaced chunks.
        chunks = self._chunks.split(text)
        self._forms.frombytes(b"".join(map(self._chunks.__getitem__, chunks)))
        self._ends.append(len(self._forms))
        return len(self._forms) > before

    def keep(self, sentences: int) -> None:
        """Forgets what was added since `flush` behind that many sentences."""
        del self._ends[sentences:]
        del self._forms[self._ends[-1] if sentences else 0 :]

    def flush(self) -> None:
        """Stores what was added."""
        self._values.append(self._forms)
        self._all_starts.append(np.frombuffer(self._ends, np.int64) + self._flushed)
        self._flushed += len(self._forms)
        self._begin()

    def side(self) -> CorpusSide:
        """All that was taken: no more can be added."""
        self.flush()
        sentences = RaggedArray(self._values.finish(), self._all_starts.finish())
        forms = StringArray.from_strings(
            self._chunks.numbers, self._storage, name=f"{self._name}.forms"
        )
        self._chunks.forget()
        return CorpusSide(forms, sentences)


def _marked_forms(
    text: str, literals: Sequence[NumberedLiteral], rules: WordRules
) -> Iterator[str]:
    """The word forms of a text, its literals marked."""
    number = {literal.start: literal.number for literal in literals}
    found = words.split(text, [(literal.start, literal.end) for literal in literals], rules=rules)
    for word, form in zip(found, words.surface_forms(found), strict=True):
        yield add_mark(form, number[word.start]) if word.start in number else form


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

    def __init__(self, rules: WordRules) -> None:
        super().__init__()
        self.rules = rules
        self.numbers = _Numbers()
        self._not_remembered = 0

    def forget(self) -> None:
        """Frees the memory."""
        self.clear()
        self.numbers.clear()

    def split(self, text: str) -> list[str]:
        """The chunks of a text."""
        return text.split()

    def forms(self, chunk: str) -> list[str]:
        """The word forms of a chunk."""
        return words.surface_forms(words.split(chunk, rules=self.rules))

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
