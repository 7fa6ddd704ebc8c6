"""Training sentences as people type them: in small letters, without a full stop, with other names.

Knows corpora and numpy, no tokenizer and no network: sentences in, sentences out, as numbers of
word forms. What is drawn is drawn anew in each epoch, so a corpus grows by forms and by no pair.

A network that has read edited text alone is at a loss with "i love you"; one that has met two names
a thousand times each writes one of them for a third. Small letters are on the source side alone:
what is said is still written as it should be. Replacing names that stand on both sides teaches to
copy, as placeholders do (Currey et al. 2017, "Copied Monolingual Data", teach it by copied text).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from attn_cli import config
from attn_cli.text.corpus import Corpus, Ragged, Side
from attn_cli.values import IntArray

#: What ends a sentence and is left out when one types in haste.
FINAL_MARKS = frozenset(".!?…。！？")

#: Names that are made up.
NAMES = 4000

_SHORTEST_NAME = 3


@dataclass(frozen=True, eq=False)
class Variants:
    """How the sentences of a corpus may vary.

    `small` (source forms,) is each form in small letters; `source_final` and `target_final`
    (forms,) tell final marks. `name` (all pairs, 2) says which source word and which target word
    is the one name that both have, -1 where there is none; `source_names` and `target_names`
    (NAMES,) are the same made-up names on both sides.
    """

    settings: config.Variants
    small: IntArray
    source_final: NDArray[np.bool_]
    target_final: NDArray[np.bool_]
    name: IntArray
    source_names: IntArray
    target_names: IntArray

    def drawn(
        self, source: Ragged, target: Ragged, pairs: IntArray, rng: np.random.Generator
    ) -> tuple[Ragged, Ragged]:
        """Sentences of `pairs`, varied at random. Every one keeps at least one word."""
        ours, theirs = source.values.copy(), target.values.copy()
        renamed = self.name[pairs, 0] >= 0
        renamed &= rng.random(len(pairs)) < self.settings.new_names
        chosen = rng.integers(0, max(1, len(self.source_names)), len(pairs))[renamed]
        at = self.name[pairs[renamed]]
        ours[source.starts[:-1][renamed] + at[:, 0]] = self.source_names[chosen]
        theirs[target.starts[:-1][renamed] + at[:, 1]] = self.target_names[chosen]

        small = rng.random(len(pairs)) < self.settings.small_letters
        ours = np.where(np.repeat(small, source.lengths), self.small[ours], ours)

        bare = rng.random(len(pairs)) < self.settings.no_final_mark
        for side, final in ((source, self.source_final), (target, self.target_final)):
            bare &= (side.lengths > 1) & final[side.values[side.starts[1:] - 1]]
        return (
            _without_last(Ragged(ours, source.starts), bare),
            _without_last(Ragged(theirs, target.starts), bare),
        )

    def in_small_letters(self, counts: dict[str, int]) -> dict[str, int]:
        """Source forms and their counts as a vocabulary should see them: the share in small
        letters counted too."""
        seen = dict(counts)
        for form, count in counts.items():
            if (small := form.lower()) != form:
                seen[small] = seen.get(small, 0) + round(count * self.settings.small_letters)
        return {form: count for form, count in seen.items() if count}


def varied(
    corpus: Corpus, settings: config.Variants, *, seed: int
) -> tuple[Corpus, Variants | None]:
    """The corpus, its sides widened by the forms that variants need, and how it may vary.

    As it is, and None, where nothing may.
    """
    if not (settings.small_letters or settings.no_final_mark or settings.new_names):
        return corpus, None
    shared = _shared_names(corpus) if settings.new_names else set()
    at = _places(corpus, shared)
    invented = _invented(sorted(shared), np.random.default_rng([seed, NAMES]))
    source, source_names = _with_forms(corpus.source, invented)
    target, target_names = _with_forms(corpus.target, invented)
    lower = str.lower if settings.small_letters else str  # no form that is never drawn
    source, small = _with_forms(source, [lower(form) for form in source.forms])
    return replace(corpus, source=source, target=target), Variants(
        settings,
        small=small,
        source_final=_final(source),
        target_final=_final(target),
        name=at,
        source_names=source_names,
        target_names=target_names,
    )


def _with_forms(side: Side, forms: list[str]) -> tuple[Side, IntArray]:
    """The side with these forms in its list, and their numbers there."""
    number = {form: place for place, form in enumerate(side.forms)}
    for form in forms:
        number.setdefault(form, len(number))
    return replace(side, forms=tuple(number)), np.array([number[f] for f in forms], np.int32)


def _without_last(sentences: Ragged, chosen: NDArray[np.bool_]) -> Ragged:
    """The sentences, the chosen ones without their last word."""
    kept = np.ones(len(sentences.values), bool)
    kept[sentences.starts[1:][chosen] - 1] = False
    starts = np.zeros(len(sentences) + 1, np.int64)
    np.cumsum(sentences.lengths - chosen, out=starts[1:])
    return Ragged(sentences.values[kept], starts)


def _final(side: Side) -> NDArray[np.bool_]:
    return np.array([FINAL_MARKS.issuperset(form.strip()) for form in side.forms], bool)


def _shared_names(corpus: Corpus) -> set[str]:
    """Capitalised words of letters, with a space before them, that both languages write."""
    return {
        form
        for form in set(corpus.source.forms) & set(corpus.target.forms)
        if form[:1] == " "
        and len(form) > _SHORTEST_NAME
        and form[1:].isalpha()
        and form[1:].istitle()
    }


def _places(corpus: Corpus, names: set[str]) -> IntArray:
    """(all pairs, 2): the places of the name that stands on both sides of a pair, -1 without."""
    places = np.full((len(corpus.lines), 2), -1, np.int32)
    if not names:
        return places
    of_source = _numbered(corpus.source, names)
    of_target = _numbered(corpus.target, names)
    ours, theirs = corpus.source.sentences, corpus.target.sentences
    for pair in corpus.pairs.tolist():
        mine = of_source[ours[pair]]
        if not mine.any():
            continue
        other = of_target[theirs[pair]]
        for place in np.flatnonzero(mine).tolist():
            same = np.flatnonzero(other == mine[place])
            if len(same) == 1 and np.count_nonzero(mine == mine[place]) == 1:
                places[pair] = place, same[0]
                break
    return places


def _numbered(side: Side, names: set[str]) -> IntArray:
    """(forms,): a number from 1 for each name, the same on both sides, and 0 for other forms."""
    number = {name: place for place, name in enumerate(sorted(names), start=1)}
    return np.array([number.get(form, 0) for form in side.forms], np.int32)


def _invented(names: list[str], rng: np.random.Generator) -> list[str]:
    """Names that nobody has: the first half of one and the second half of another."""
    if not names:
        return []
    heads = [name[: (len(name) + 1) // 2] for name in names]
    tails = [name[(len(name) + 1) // 2 :] for name in names]
    drawn = rng.integers(0, len(names), (NAMES, 2)).tolist()
    return sorted({heads[head] + tails[tail] for head, tail in drawn})
