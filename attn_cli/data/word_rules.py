r"""How compounds are cut into words, by language.

A compound is letters and digits joined by apostrophes, hyphens and the like (`words`). Case is
ignored; `'` stands for U+0027, U+2019 and U+02BC, `-` for the hyphens U+002D, U+2010 and U+2011.
The rules of a language are some of these, in this order:

1. English: contractions and possessives, from the right, as in the Penn treebank:
   it 's · we 're · I 'll · I 'd 've · I 'm · do n't · ca n't · wo n't (`cannot` stays whole).
2. French, Italian and Catalan: elisions, from the left.
   French: c' d' j' l' m' n' s' t' qu' jusqu' lorsqu' puisqu' quoiqu'. So d' you, s' il, c' qu' il,
   and l' 11; but O'Neill, quelqu'un, presqu'île, aujourd'hui stay whole.
   Italian: c' d' l' m' n' s' t' v' · dell' nell' all' sull' dall' coll' bell' un' quest' quell'.
   Catalan: d' l' m' n' s' t'.
3. French: clitics behind a verb: cherchez -le · donnez -le -moi · a -t-il · donne -m' en. The whole
   end of the compound must be clitics, the rest one run (or `y-…`, `sous-…`), and the verb's last
   letters must fit the first clitic, as French grammar has it:

       -t-il -t-elle -t-on                    any verb                    a-t-il, sera-t-on
       -t-en -t-y                             va                          va-t-en
       -je                                    -e -é -i -s -x              ai-je, puis-je, veux-je
       -tu                                    -s -x                       as-tu, peux-tu
       -il -elle                              -t -d                       fait-il, prend-elle
       -on                                    vowel or n r s + t, vowel + nd, -erd -ord
       -ils -elles                            -nt                         sont-ils
       -ce                                    -t, sera                    est-ce, sera-ce
       -le -la -les -lui -leur -moi -toi      -e -s -z, va                donne-moi, prends-le
       -nous -vous -m'en -t'en -l'y           -e -s -z, va                allez-vous, va-t'en
       -y -en                                 one -s or -z, va            allons-y, prends-en

   So add-on, carry-on, check-in, Shangri-La, tra-la-la, arc-en-ciel, peut-être, moi-même, celui-ci,
   garde-à-vous stay whole, and so do `rendez-vous` and what follows a preposition (`chez-moi`).

In a language without rules (`und`) a compound is one word. A text whose language is not named gets
the rules of version 1.

Word boundaries are part of a model: it learned the pieces of its words. So a recipe records the
version of the rules (`tokenizer.word_rules`), a change of any rule is a new version, and former
versions stay here:

    1   English, French and a part of Italian together, for every language
    2   each language has its own
"""

import functools
import re
from collections.abc import Callable, Mapping

from attn_cli.config import Recipe, TokenizerConfig

#: The version for new models; recipes with a later one are refused by its bounds.
VERSION = TokenizerConfig.word_rules

APOSTROPHE = "['\u2019\u02bc]"
HYPHENS = "-\u2010\u2011"
HYPHEN = f"[{HYPHENS}]"

#: What may stand once between two runs of a compound: apostrophes, hyphens, U+00B7, U+05F3, U+05F4.
JOINERS = "'\u2019\u02bc\\-\u2010\u2011\u00b7\u05f3\u05f4"

Spans = tuple[tuple[int, int], ...]

_CONTRACTIONS = rf"n{APOSTROPHE}t|{APOSTROPHE}(?:s|re|ll|ve|d|m)"
_LONGEST_CONTRACTION = 3

_FRENCH_ELISIONS = "[cdjlmnst]|(?:jus|lors|puis|quoi)?qu"
_ITALIAN_ELISIONS = "[cdlmnstv]|(?:de|ne|a|su|da|co|que|be)ll|un|quest"
_CATALAN_ELISIONS = "[dlmnst]"
_VERSION_1_ELISIONS = f"{_FRENCH_ELISIONS}|(?:de|ne|a|su|da|co|que)ll|un|quest"

_CLITICS = rf"""
    (?! (?:chez|entre|sans|dans|apr[eè]s|sous|vers) {HYPHEN} [^{JOINERS}]+ \Z
      | rendez {HYPHEN} vous \Z )
    (?: (?:y|sous) {HYPHEN} )?
    [^{JOINERS}]+
    (?P<clitics>
      (?: {HYPHEN} t (?:{HYPHEN}|{APOSTROPHE}) (?:ils?|elles?|on)
        | (?<=va) {HYPHEN} t {HYPHEN} (?:en|y)
        | (?<=[eéisx]) {HYPHEN} je
        | (?<=[sx]) {HYPHEN} tu
        | (?<=[td]) {HYPHEN} (?:il|elle)
        | (?: (?<=[aeiouyéèêâîôûnrs]t) | (?<=[aeiouyé]nd) | (?<=[eo]rd) ) {HYPHEN} on
        | (?<=nt) {HYPHEN} (?:ils|elles)
        | (?: (?<=t) | (?<=sera) ) {HYPHEN} ce
        | (?: (?<=[esz]) | (?<=va) ) {HYPHEN}
          (?: l(?:es?|a) | lui | leur | moi | toi | nous | vous | [mtl]{APOSTROPHE}(?:en|y) )
        | (?: (?<=[^sz][sz]) | (?<=va) ) {HYPHEN} (?:en|y)
      ) (?= {HYPHEN} | \Z )
      (?: {HYPHEN}
          (?: l(?:es?|a) | lui | leur | moi | toi | nous | vous | en | y
            | [mtl]{APOSTROPHE}(?:en|y) )
          (?= {HYPHEN} | \Z )
      )*
    )
    """
_CLITIC = (
    rf"{HYPHEN}t(?:{HYPHEN}|{APOSTROPHE}(?!en|y))\w+"
    rf"|{HYPHEN}[mtl]{APOSTROPHE}|{HYPHEN}?\w+"
)


@functools.cache
def _clitic() -> re.Pattern[str]:
    return re.compile(_CLITIC, re.IGNORECASE)


_CACHED_COMPOUNDS, _LONGEST_CACHED = 1 << 14, 64


class WordRules:
    """The rules of a language, each an expression or "" for none."""

    def __init__(self, *, contractions: str = "", elisions: str = "", clitics: str = "") -> None:
        """`contractions` end a compound, `elisions` without apostrophe begin it."""
        self._contractions, self._elisions, self._clitics = contractions, elisions, clitics
        # Compounds recur; the cache is bounded in entries and by the length of each.
        self._cached: Callable[[str], Spans] = functools.lru_cache(_CACHED_COMPOUNDS)(self._cut)

    @functools.cached_property
    def _contraction(self) -> re.Pattern[str] | None:
        ending = rf"(?<![{JOINERS}])(?:{self._contractions})\Z"
        return re.compile(ending, re.IGNORECASE) if self._contractions else None

    @functools.cached_property
    def _elision(self) -> re.Pattern[str] | None:
        not_cut = rf"(?!n{APOSTROPHE}t\Z)"  # the "n't" of text that is already cut
        beginning = rf"{not_cut}(?:{self._elisions}){APOSTROPHE}"
        return re.compile(beginning, re.IGNORECASE) if self._elisions else None

    @functools.cached_property
    def _verb_with_clitics(self) -> re.Pattern[str] | None:
        return re.compile(self._clitics, re.IGNORECASE | re.VERBOSE) if self._clitics else None

    def cut(self, compound: str) -> Spans:
        """Return the half-open span of each word of a compound; they tile it."""
        return self._cached(compound) if len(compound) <= _LONGEST_CACHED else self._cut(compound)

    def _cut(self, compound: str) -> Spans:
        first, last = 0, len(compound)
        head: list[tuple[int, int]] = []
        tail: list[tuple[int, int]] = []
        while self._contraction:
            near_end = max(first + 1, last - _LONGEST_CONTRACTION)
            ending = self._contraction.search(compound, near_end, last)
            if not ending:
                break
            tail.append((ending.start(), last))
            last = ending.start()
        while self._elision and (beginning := self._elision.match(compound, first, last)):
            if beginning.end() == last:
                break
            head.append((first, beginning.end()))
            first = beginning.end()
        verb = None
        if any(hyphen in compound for hyphen in HYPHENS):  # else no need to compile, for 4 ms
            pattern = self._verb_with_clitics
            verb = pattern and pattern.fullmatch(compound, first, last)
        if verb:
            start = verb.start("clitics")
            middle = [clitic.span() for clitic in _clitic().finditer(compound, start, last)]
            head += [(first, start), *middle]
        else:
            head.append((first, last))
        return (*head, *reversed(tail))


#: Version 1, and the rules of a text whose language is not named.
ALL_LANGUAGES = WordRules(
    contractions=_CONTRACTIONS, elisions=_VERSION_1_ELISIONS, clitics=_CLITICS
)

#: A language without rules.
UNDETERMINED = WordRules()

#: The rules of each language by the version that introduced or changed them.
LANGUAGES: Mapping[str, Mapping[int, WordRules]] = {
    "ca": {2: WordRules(elisions=_CATALAN_ELISIONS)},
    "en": {2: WordRules(contractions=_CONTRACTIONS)},
    "fr": {2: WordRules(elisions=_FRENCH_ELISIONS, clitics=_CLITICS)},
    "it": {2: WordRules(elisions=_ITALIAN_ELISIONS)},
}


def word_rules(language: str, version: int = VERSION) -> WordRules:
    """Return the rules for a language, named as in recipes: "en", "fr-CA"; "" is not named.

    They are those of the latest version up to `version`; a language that only a later version has
    is without rules.
    """
    if version == 1 or not language:
        return ALL_LANGUAGES
    versions = LANGUAGES.get(re.split("[-_]", language.lower())[0], {})
    latest = max((number for number in versions if number <= version), default=None)
    return UNDETERMINED if latest is None else versions[latest]


def recipe_rules(recipe: Recipe) -> tuple[WordRules, WordRules]:
    """Return the rules for the source and the target language of a recipe."""
    version = recipe.tokenizer.word_rules
    return word_rules(recipe.source, version), word_rules(recipe.target, version)
