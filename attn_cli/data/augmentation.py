"""Augment training sentences: lower case, no final punctuation, invented names and words.

Sentences are numbers of word forms. They are sampled anew in each epoch, so a corpus grows by forms
and by no pair.

A network trained on edited text alone translates "i love you" badly, and it replaces a rare name or
word by a frequent one. Lower case is for the source side alone: translations are written as in
edited text. A word of both sides, replaced by an invented one, teaches to copy, as placeholders do
(Currey et al. 2017, "Copied Monolingual Data", teach it by copied text).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attn_cli import config
from attn_cli.data.arrays import LongArray, RaggedArray, Storage, StringArray
from attn_cli.data.corpus import Corpus, CorpusSide
from attn_cli.types import IntArray

#: Punctuation at the end of a sentence that `drop_final_punctuation` leaves out.
FINAL_PUNCTUATION = frozenset(".!?…。！？")

#: Number of words invented for each kind of shared word.
N_INVENTED = 20_000

#: Maximum letters of an invented word.
_LONGEST = 10

#: Minimum letters of a shared word: a short one in lower case is more often a coincidence.
_SHORTEST_NAME, _SHORTEST_WORD = 3, 5


@dataclass(frozen=True, eq=False)
class SharedWords:
    """Words that occur on both sides of a pair, and the invented words that replace them.

    `probability` is that of a replacement in a pair that has such a word. `positions` (all pairs,
    2) are the indices of the word in the source and the target sentence, -1 without one; `source`
    and `target` (n,) are the forms of the same invented words on both sides.
    """

    probability: float
    positions: IntArray
    source: IntArray
    target: IntArray

    def replace(
        self,
        source_sentences: RaggedArray,
        target_sentences: RaggedArray,
        pairs: IntArray,
        rng: np.random.Generator,
    ) -> None:
        """Replace words of these sentences by invented ones, in place, at random."""
        chosen = self.positions[pairs, 0] >= 0
        chosen &= rng.random(len(pairs)) < self.probability
        invented = rng.integers(0, max(1, len(self.source)), len(pairs))[chosen]
        at = self.positions[pairs[chosen]]
        source_sentences.values[source_sentences.starts[:-1][chosen] + at[:, 0]] = self.source[
            invented
        ]
        target_sentences.values[target_sentences.starts[:-1][chosen] + at[:, 1]] = self.target[
            invented
        ]


@dataclass(frozen=True, eq=False)
class Augmentation:
    """The changes to the sentences of a corpus in training.

    `lowercase_forms` (source forms,) is each form in lower case; `source_final` and `target_final`
    (forms,) bool are True for final punctuation; `names` and `words` are replaced.
    """

    settings: config.AugmentationConfig
    lowercase_forms: IntArray
    source_final: NDArray[np.bool_]
    target_final: NDArray[np.bool_]
    names: SharedWords
    words: SharedWords

    def sample(
        self, source: RaggedArray, target: RaggedArray, pairs: IntArray, rng: np.random.Generator
    ) -> tuple[RaggedArray, RaggedArray]:
        """Return the sentences of `pairs`, changed at random. Each has at least one word."""
        source_sentences = RaggedArray(source.values.copy(), source.starts)
        target_sentences = RaggedArray(target.values.copy(), target.starts)
        for shared in (self.names, self.words):
            shared.replace(source_sentences, target_sentences, pairs, rng)

        is_lower = rng.random(len(pairs)) < self.settings.lowercase
        lowered = np.where(
            np.repeat(is_lower, source.lengths),
            self.lowercase_forms[source_sentences.values],
            source_sentences.values,
        )

        bare = rng.random(len(pairs)) < self.settings.drop_final_punctuation
        for side, final in ((source, self.source_final), (target, self.target_final)):
            bare &= (side.lengths > 1) & final[side.values[side.starts[1:] - 1]]
        return _without_last(RaggedArray(lowered, source.starts), bare), _without_last(
            target_sentences, bare
        )

    def add_lowercase_counts(self, counts: dict[str, int]) -> dict[str, int]:
        """Return the counts of source forms with those of the lower-case forms, at their share."""
        total = dict(counts)
        for form, count in counts.items():
            if (lower := form.lower()) != form:
                total[lower] = total.get(lower, 0) + round(count * self.settings.lowercase)
        return {form: count for form, count in total.items() if count}


def augment(
    corpus: Corpus, settings: config.AugmentationConfig, *, seed: int
) -> tuple[Corpus, Augmentation | None]:
    """Return the corpus with the forms that its augmentation needs, and the augmentation.

    Return the same corpus and None without settings.
    """
    if settings == config.AugmentationConfig():
        return corpus, None
    rng = np.random.default_rng([seed, N_INVENTED])
    names, corpus = _shared(corpus, settings.replace_names, _is_name, str.capitalize, rng)
    words, corpus = _shared(corpus, settings.replace_words, _is_word, str, rng)
    lower = str.lower if settings.lowercase else str  # adds no form that is never sampled
    source, lowercase_forms = _with_forms(
        corpus.source, map(lower, corpus.source.forms), corpus.storage, "source"
    )
    return replace(corpus, source=source), Augmentation(
        settings,
        lowercase_forms=lowercase_forms,
        source_final=_final(source),
        target_final=_final(corpus.target),
        names=names,
        words=words,
    )


def _shared(
    corpus: Corpus,
    share: float,
    fits: Callable[[str], bool],
    spelled: Callable[[str], str],
    rng: np.random.Generator,
) -> tuple[SharedWords, Corpus]:
    """Return the words of both languages that `fits`, and the corpus with the forms of their
    replacements. Only words with a space in front; none for a `share` of 0."""
    both = set(corpus.source.forms) & set(corpus.target.forms) if share else set()
    shared = {form for form in both if form[:1] == " " and fits(form[1:])}
    invented = [f" {spelled(word)}" for word in _invented(corpus, rng)] if shared else []
    at = _places(corpus, shared if invented else set())
    source, of_source = _with_forms(corpus.source, invented, corpus.storage, "source")
    target, of_target = _with_forms(corpus.target, invented, corpus.storage, "target")
    return SharedWords(share, at, of_source, of_target), replace(
        corpus, source=source, target=target
    )


def _is_name(word: str) -> bool:
    return len(word) >= _SHORTEST_NAME and word.isalpha() and word.istitle()


def _is_word(word: str) -> bool:
    return len(word) >= _SHORTEST_WORD and word.isalpha() and word.islower()


def _with_forms(
    side: CorpusSide, forms: Iterable[str], storage: Storage, name: str
) -> tuple[CorpusSide, IntArray]:
    """Return the side with these forms in its list, and their numbers."""
    number = {form: place for place, form in enumerate(side.forms)}
    places = np.fromiter((number.setdefault(form, len(number)) for form in forms), np.int32)
    if len(number) > len(side.forms):
        widened = StringArray.from_strings(number, storage, name=f"{name}.forms")
        side = replace(side, forms=widened)
    return side, places


def _without_last(sentences: RaggedArray, chosen: NDArray[np.bool_]) -> RaggedArray:
    """Return the sentences, the chosen ones without their last word."""
    is_kept = np.ones(len(sentences.values), bool)
    is_kept[sentences.starts[1:][chosen] - 1] = False
    starts = np.zeros(len(sentences) + 1, np.int64)
    np.cumsum(sentences.lengths - chosen, out=starts[1:])
    return RaggedArray(sentences.values[is_kept], starts)


def _final(side: CorpusSide) -> NDArray[np.bool_]:
    return np.fromiter((FINAL_PUNCTUATION.issuperset(form.strip()) for form in side.forms), bool)


def _places(corpus: Corpus, shared: set[str]) -> IntArray:
    """Return (all pairs, 2) the indices of a word on both sides of each pair, -1 without one."""
    places = np.full((len(corpus.lines), 2), -1, np.int32)
    if not shared:
        return places
    of_source = _numbered(corpus.source, shared)
    of_target = _numbered(corpus.target, shared)
    target = corpus.target.sentences.blocks(corpus.pairs)
    for (block, source_sentences), (_, target_sentences) in zip(
        corpus.source.sentences.blocks(corpus.pairs), target, strict=True
    ):
        source_keys, source_positions = _once(of_source, source_sentences)
        target_keys, target_positions = _once(of_target, target_sentences)
        _, source_index, target_index = np.intersect1d(
            source_keys, target_keys, assume_unique=True, return_indices=True
        )
        # Of several words the first of the source sentence, which is written last.
        order = np.argsort(source_positions[source_index], kind="stable")[::-1]
        at_source, at_target = (
            source_positions[source_index][order],
            target_positions[target_index][order],
        )
        row = np.searchsorted(source_sentences.starts, at_source, side="right") - 1
        places[block[row], 0] = at_source - source_sentences.starts[row]
        places[block[row], 1] = at_target - target_sentences.starts[row]
    return places


def _once(numbers: IntArray, sentences: RaggedArray) -> tuple[LongArray, LongArray]:
    """Return the words with a number that occur once in their sentence.

    The first array has sentence and number in one int64, the second the index of each in
    `sentences.values`.
    """
    word_numbers = numbers[sentences.values]
    where = np.flatnonzero(word_numbers)
    row = np.searchsorted(sentences.starts, where, side="right") - 1
    keys, first, count = np.unique(
        row.astype(np.int64) << 32 | word_numbers[where], return_index=True, return_counts=True
    )
    return keys[count == 1], where[first[count == 1]]


def _numbered(side: CorpusSide, words: set[str]) -> IntArray:
    """Return (forms,) a number from 1 for each of the words, 0 for other forms."""
    number = {word: place for place, word in enumerate(sorted(words), start=1)}
    return np.fromiter((number.get(form, 0) for form in side.forms), np.int32)


def _invented(corpus: Corpus, rng: np.random.Generator) -> list[str]:
    """Return invented words in lower case, made of two or three parts of words."""
    forms = {form.strip().lower() for side in (corpus.source, corpus.target) for form in side.forms}
    words = sorted(filter(str.isalpha, forms))
    if not words:
        return []
    bits = rng.integers(0, len(words), (N_INVENTED, 3)).tolist()
    cuts = rng.random((N_INVENTED, 3, 2)).tolist()
    invented = {
        "".join(_bit(words[word], *cut) for word, cut in zip(row, where, strict=True))[:_LONGEST]
        for row, where in zip(bits, cuts, strict=True)
    }
    return sorted(word for word in invented - forms if len(word) >= _SHORTEST_NAME)


def _bit(word: str, start: float, size: float) -> str:
    """Return 0 to 4 letters of a word; `start` and `size` are shares of its length and of 5."""
    first = int(start * len(word))
    return word[first : first + int(size * 5)]
