"""The corpus as a mixture of constructions, split into train, valid and test."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grammar import clauses, orders, questions, relatives, remarks, sentences
from grammar.meaning import Clause
from grammar.nouns import IT, PERSONAL, THEY
from grammar.phrases import Draw, pronoun
from grammar.tokens import Pair, Phrase, finish, linked
from grammar.verbs import verb

Maker = Callable[[Draw], Phrase]

#: Each construction, its maker, its share, and the mark its sentences end with.
CONSTRUCTIONS: tuple[tuple[str, Maker, float, str], ...] = (
    ("clitic object", sentences.clitic_object, 10, "."),
    ("noun object", sentences.noun_object, 10, "."),
    ("gift", sentences.gift, 6, "."),
    ("address", sentences.address, 4, "."),
    ("action", sentences.action, 9, "."),
    ("journey", sentences.journey, 2.5, "."),
    ("state", sentences.state, 7, "."),
    ("possession", sentences.possession, 4, "."),
    ("some of it", sentences.some_of_it, 1.5, "."),
    ("infinitive", sentences.government, 6, "."),
    ("existence", sentences.existence, 2.5, "."),
    ("comparison", sentences.comparison, 2.5, "."),
    ("feeling", sentences.feeling, 2, "."),
    ("age", sentences.age, 1.5, "."),
    ("weather", sentences.weather, 1.5, "."),
    ("time of day", sentences.time_of_day, 1, "."),
    ("name", sentences.introduction, 0.4, "."),
    ("birth", sentences.birth, 1.5, "."),
    ("presentation", sentences.presentation, 3, "."),
    ("profession", sentences.profession, 1, "."),
    ("pastime", sentences.pastime, 2, "."),
    ("relative clause", relatives.relative, 7, "."),
    ("reported speech", relatives.reported_speech, 2.5, "."),
    ("indirect question", relatives.indirect_question, 1.5, "."),
    ("maybe", relatives.supposition, 0.8, "."),
    ("reason", relatives.reason, 1.5, "."),
    ("circumstance", relatives.circumstance, 2, "."),
    ("two clauses", relatives.conjunction, 1.5, "."),
    ("coordination", relatives.coordination, 2, "."),
    ("yes-no question", questions.yes_no_question, 7, "?"),
    ("where", questions.where_question, 2, "?"),
    ("when and why", questions.when_or_why_question, 2, "?"),
    ("what", questions.what_question, 2, "?"),
    ("who", questions.who_question, 2, "?"),
    ("how many", questions.how_many_question, 1, "?"),
    ("which", questions.which_question, 1.2, "?"),
    ("order", orders.order, 9, "."),
    ("order to give", orders.order_to_give, 3.5, "."),
    ("order to act", orders.order_to_act, 3.5, "."),
    ("proposal", orders.proposal, 1.5, "."),
    ("greeting", remarks.greeting, 1, "."),
    ("answer", remarks.answer, 1.5, "."),
    ("fragment", remarks.fragment, 1.5, "."),
    ("exclamation", remarks.exclamation, 0.7, "!"),
)
WITHOUT_STOP = 0.15
MIN_COUNT_IN_TRAIN = 3
MOST_WORDS = 24

#: English verbs whose orders with `it` and `them` are always in train.
PHRASAL = (
    "look up", "pick up", "turn on", "turn off", "put down", "put on", "take off", "throw away",
    "look at", "look for", "wait for", "listen to",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Corpus:
    """The three parts."""

    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]


def example_pairs(draw: Draw) -> list[Pair]:
    """Return `I love you.`, `Look it up.` and similar sentences: the examples of the project."""
    phrases = []
    for who in PERSONAL:
        for whom in PERSONAL:
            if who.person == whom.person or {who.person, whom.person} == {0, 3}:
                continue
            direct = pronoun(whom, case="object")
            clause = Clause(pronoun(who), verb("love"), direct=direct)
            phrases.append(clauses.statement(clause, draw))
    for phrasal in PHRASAL:
        for item in (IT, THEY):
            thing = pronoun(item, case="object")
            clause = Clause(orders.IMPERATIVE_SUBJECT, verb(phrasal), direct=thing)
            phrases.append(clauses.imperative(clause, draw))
    without_stop = [finish(phrase, "example") for phrase in phrases]
    with_stop = [finish(phrase + linked(".=."), "example") for phrase in phrases]
    return with_stop + [
        pair for pair in without_stop if pair.english in ("I love you", "Look it up")
    ]


def sample(draw: Draw) -> Pair:
    """One pair of the mixture."""
    index = draw.weighted([(number, row[2]) for number, row in enumerate(CONSTRUCTIONS)])
    construction, make, _, mark = CONSTRUCTIONS[index]
    phrase = make(draw)
    if mark != "." or not draw.chance(WITHOUT_STOP):
        phrase = phrase + linked(f"{mark}={mark}")
    return finish(phrase, construction)


def key(text: str) -> str:
    """Return what two equal sentences share: case and final punctuation are ignored."""
    return text.lower().rstrip(".?! ")


def pool(draw: Draw, size: int, excluded: Iterable[Pair]) -> list[Pair]:
    """Return `size` pairs with distinct English, which is not in `excluded`."""
    keys = {key(pair.english) for pair in excluded}
    pairs: list[Pair] = []
    while len(pairs) < size:
        pair = sample(draw)
        if key(pair.english) not in keys and len(pair.en) <= MOST_WORDS:
            keys.add(key(pair.english))
            pairs.append(pair)
    return pairs


def forms(pair: Pair) -> Counter[str]:
    """Return the words of both sides, each with its language."""
    return Counter(
        [f"en:{word.lower()}" for word in pair.en] + [f"fr:{word.lower()}" for word in pair.fr]
    )


def corpus(seed: int, *, n_train: int, n_held_out: int) -> Corpus:
    """Return the corpus. The words of valid and test all occur in train, their sentences do not.

    Their translations do not occur either: a pair is held out only if no other pair has its French.
    """
    draw = Draw(seed)
    examples = example_pairs(draw)
    pairs = pool(draw, n_train - len(examples) + 2 * n_held_out, examples)
    remaining: Counter[str] = Counter()
    french: Counter[str] = Counter()
    for pair in examples + pairs:
        remaining.update(forms(pair))
        french[key(pair.french)] += 1
    held_out: list[Pair] = []
    training: list[Pair] = []
    for pair in pairs:
        words = forms(pair)
        is_frequent = all(
            remaining[word] - count >= MIN_COUNT_IN_TRAIN for word, count in words.items()
        )
        if len(held_out) < 2 * n_held_out and is_frequent and french[key(pair.french)] == 1:
            remaining.subtract(words)
            held_out.append(pair)
        else:
            training.append(pair)
    assert len(held_out) == 2 * n_held_out, "too few pairs made of common words"
    return Corpus(draw.shuffled(examples + training), held_out[:n_held_out], held_out[n_held_out:])
