"""A parallel corpus in NumPy arrays: sentences as the numbers of their word forms.

A word *form* is the word's text, with a space in front unless it touches the word before. Forms are
numbered in order of appearance, and a side of the corpus is one flat int32 array of the numbers: 4
bytes a word. A tokenizer is trained on the forms and their counts; `segmentation` has each form
segmented once.
"""

import functools
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from attn_cli.data.arrays import LongArray, RaggedArray, Storage, StringArray, blocks, slices
from attn_cli.data.literals import remove_mark
from attn_cli.errors import DataError
from attn_cli.types import IntArray

_BLOCK_SIZE = 1 << 16  # pairs compared together


@dataclass(frozen=True, eq=False, slots=True)
class CorpusSide:
    """One language: the distinct word forms, and every sentence as a row of their numbers."""

    forms: StringArray
    sentences: RaggedArray

    def words(self, pair: int) -> tuple[str, ...]:
        """Return the words of a sentence, without the marks of literals."""
        return tuple(
            remove_mark(self.forms[form]).removeprefix(" ") for form in self.sentences[pair]
        )

    def text(self, pair: int) -> str:
        """Return the sentence, with one space for each run of white space."""
        return remove_mark("".join([self.forms[form] for form in self.sentences[pair]]))[1:]

    def counts(self, pairs: IntArray) -> LongArray:
        """Return (forms,) how often each form occurs in these sentences."""
        counts = np.zeros(len(self.forms), np.int64)
        for _, sentences in self.sentences.blocks(pairs):
            counts += np.bincount(sentences.values, minlength=len(counts))
        return counts


@dataclass(frozen=True, eq=False)
class Corpus:
    """Pairs of sentences, none of them empty, as word forms.

    A *pair* is an index into `lines` and the sentences of both sides; `pairs` are those that belong
    to this part, so that parts of one corpus share its arrays. `lines[pair]` is the pair's line in
    the file. `storage` is also that of the arrays derived from the corpus.
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
        """Return the same corpus with these pairs only."""
        return replace(self, pairs=pairs.astype(np.int32))

    def source_texts(self) -> Iterator[str]:
        """Iterate over the source sentences, white space normalized."""
        return map(self.source.text, self.pairs)

    def target_texts(self) -> Iterator[str]:
        """Iterate over the target sentences, such as the references of a validation part."""
        return map(self.target.text, self.pairs)

    @cached_property
    def n_words(self) -> int:
        """Number of words on both sides of these pairs."""
        sides = self.source.sentences, self.target.sentences
        words = sum(int(s.lengths_of(block).sum()) for s in sides for block in blocks(self.pairs))
        for sentences in sides:
            sentences.release()
        return words

    def source_counts(self, *, share: float = 1.0) -> dict[str, int]:
        """Return each source word form of these pairs and its count.

        With a `share` below 1, counts of that share of the text: each count, and their sum, is
        within 1 of it.
        """
        return _form_counts(self.source, self.pairs, share)

    def target_counts(self, *, share: float = 1.0) -> dict[str, int]:
        """Return the same for the target word forms."""
        return _form_counts(self.target, self.pairs, share)

    @functools.cached_property
    def digest(self) -> str:
        """sha256 of the text of these pairs, recorded by what is derived from it."""
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
        """Split into a training and a validation part; no source sentence is in both.

        Validation gets `size` pairs, or a tenth of them where that is less. Pairs that share
        their source sentence stay together, drawn at random while they fit; if every group is
        too large, the smallest one is used. Raises DataError if there is only one.
        """
        group = self._source_groups()
        ordered = np.sort(group)
        if ordered[0] == ordered[-1]:
            raise DataError(
                f"{self.name} has one source sentence that can be used, so none is left for "
                "validation",
                "Give separate validation pairs, or more text.",
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
        held_out = _is_among(group, np.array(sorted(chosen or {smallest})))
        return self.subset(self.pairs[~held_out]), self.subset(self.pairs[held_out])

    def _source_groups(self) -> LongArray:
        """Return a number for each pair, equal for pairs with the same source sentence.

        The numbers are hashes, which differ from run to run.
        """
        return np.fromiter(self._hashes(), np.int64, len(self))

    def _hashes(self) -> Iterator[int]:
        for _, sentences in self.source.sentences.blocks(self.pairs):
            data = sentences.values.tobytes()
            ends = (sentences.starts * sentences.values.itemsize).tolist()
            yield from (hash(data[first:last]) for first, last in itertools.pairwise(ends))


def _is_among(values: LongArray, chosen: LongArray) -> NDArray[np.bool_]:
    """Return whether each value is one of the sorted `chosen`."""
    is_chosen = np.zeros(len(values), bool)
    for start in range(0, len(values), _BLOCK_SIZE):
        part = values[start : start + _BLOCK_SIZE]
        places = np.minimum(chosen.searchsorted(part), len(chosen) - 1)
        is_chosen[start : start + _BLOCK_SIZE] = chosen[places] == part
    return is_chosen


def _form_counts(side: CorpusSide, pairs: IntArray, share: float) -> dict[str, int]:
    counts = side.counts(pairs)
    if share < 1:
        counts = np.diff(np.floor(np.cumsum(counts) * share).astype(np.int64), prepend=0)
    counted = counts > 0
    forms = itertools.compress(side.forms, counted)
    return dict(zip(forms, counts[counted].tolist(), strict=True))
