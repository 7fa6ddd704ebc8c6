"""Questions: do becomes est-ce que, every other auxiliary an inversion."""

from grammar.clauses import statement, wh, yes_no
from grammar.meaning import Clause
from grammar.nouns import PERSONAL, YOU, I, nouns
from grammar.phrases import (
    Draw,
    NounPhrase,
    noun_phrase,
    pronoun,
    subject,
    with_determiner,
)
from grammar.scenes import (
    any_clause,
    ditransitive_clause,
    has_perfect,
    indirect_object_clause,
    intransitive_clause,
    object_for,
    quality,
    timing,
    transitive_clause,
)
from grammar.sentences import CE, existence
from grammar.tokens import En, Fr, Phrase, linked
from grammar.verbs import (
    BE,
    BE_FARING,
    BE_HAVING,
    CAN,
    DO,
    HAVE,
    WANT,
    WANT_TO,
    Verb,
    verb,
)

WHERE_VERBS = tuple(
    verb(*entry.split("/"))
    for entry in ("work", "sleep", "eat/none", "swim", "buy", "find", "put down", "lose", "meet")
)  # fmt: skip
WHEN_VERBS = ("arrive", "leave", "come back", "get up", "go to bed", "eat", "come")
WHY_VERBS = ("cry", "laugh", "leave", "run", "sleep", "wait", "hurry", "work", "smile")
WHICH_VERBS = tuple(
    verb(*entry.split("/"))
    for entry in ("read/direct", "buy", "choose", "take", "look for", "wear")
)
OTHERS = tuple(who for who in PERSONAL if who is not I)


def _question_subject(draw: Draw) -> NounPhrase:
    """Return the subject of a question, other than I."""
    if draw.chance(0.75):
        return pronoun(draw.pick([YOU, YOU, *OTHERS]))
    return subject(draw, pronouns=0)


def yes_no_question(draw: Draw) -> Phrase:
    """Do you like cats? → est-ce que tu aimes les chats ? Is he sleeping? → dort-il ?"""
    kind = draw.weighted(
        [("any", 6), ("have", 2), ("there", 1), ("can", 2), ("feel", 1), ("it", 1)]
    )
    if kind == "there":
        return existence(draw, is_question=True)
    who = _question_subject(draw)
    if kind == "have":
        thing = draw.pick([HAVE, WANT])
        return yes_no(Clause(who, thing, direct=object_for(draw, thing, who, clitic=0.1)), draw)
    if kind == "can":
        who = pronoun(draw.pick([YOU, YOU, YOU, I, *OTHERS]))
        maker = draw.pick(
            [
                transitive_clause,
                transitive_clause,
                ditransitive_clause,
                indirect_object_clause,
                intransitive_clause,
            ]
        )
        clause = maker(draw, who)
        if clause.verb.en in ("lose", "forget", "fall", "break"):
            clause = Clause(who, verb("come"))
        clause.head = CAN
        return yes_no(clause, draw)
    if kind == "feel":
        spec = draw.pick(["hungry=faim", "thirsty=soif", "cold=froid", "afraid=peur"])
        return yes_no(Clause(who, BE_HAVING, tail=linked(spec)), draw)
    if kind == "it":
        det = draw.pick(["a", "your", "his", "her", "the"])
        thing = noun_phrase(draw, "thing", det=det, plural=0, adjective=0.3)
        return yes_no(Clause(pronoun(CE), BE, tail=thing.phrase), draw)
    clause = any_clause(draw, who, is_question=True)
    if clause.negation != "not":
        clause.negation = ""
    return yes_no(clause, draw)


def where_question(draw: Draw) -> Phrase:
    """Where do you live? → où est-ce que tu habites ? Where is the key? → où est la clé ?"""
    where = linked("where=où")
    kind = draw.weighted([("be", 4), ("live", 2), ("go", 3), ("do", 5)])
    if kind == "be":
        thing = noun_phrase(draw, draw.pick(["thing", "building", "kin", "animal"]), adjective=0.15)
        if thing.kind in ("a", "quantity"):
            thing = noun_phrase(draw, "thing", det="the")
        if draw.chance(0.2):
            return wh(where, Clause(pronoun(draw.pick(OTHERS)), BE), draw)
        clause = Clause(thing, BE, tense=draw.weighted([("present", 5), ("past", 1)]))
        return wh(where, clause, draw, stylistic=True)
    who = _question_subject(draw)
    if kind == "live":
        clause = Clause(who, verb("live"), tense=draw.weighted([("present", 3), ("past", 1)]))
        return wh(where, clause, draw)
    if kind == "go":
        clause = Clause(who, verb("go"))
        clause.tense = draw.weighted([("progressive", 4), ("past", 2), ("future", 1)])
    else:
        action = draw.pick(WHERE_VERBS)
        clause = Clause(who, action)
        if action.frame == "direct":
            clause.direct = object_for(draw, action, who, clitic=0.5)
        clause.tense = draw.pick(["past", "past", "present"])
        if action.frame == "direct" and action.en != "buy":
            clause.tense = "past"
    return wh(where, clause, draw, stylistic=not who.pronoun and clause.tense == "progressive")


def when_or_why_question(draw: Draw) -> Phrase:
    """When are you leaving? → quand pars-tu ? Why did she cry? → pourquoi … elle a pleuré ?"""
    who = _question_subject(draw)
    word, actions = draw.pick([("when=quand", WHEN_VERBS), ("why=pourquoi", WHY_VERBS)])
    if word.startswith("why") and draw.chance(0.3):
        clause = Clause(who, BE, tail=quality(draw, who))
        clause.tense = draw.weighted([("present", 3), ("past", 1)])
        return wh(linked(word), clause, draw)
    if word.startswith("why") and draw.chance(0.5):
        clause = transitive_clause(draw, who, clitic=0.6)
        clause.tense, _ = timing(draw, clause.verb, heads=0)
        if clause.tense == "future":
            clause.tense = "past"
        if draw.chance(0.15):
            clause.negation = "not"
            clause.tense = "present" if clause.tense == "imperfect" else clause.tense
        return wh(linked(word), clause, draw)
    action = verb(draw.pick(actions), "none")
    clause = Clause(who, action)
    later = 1 if action.frequent else 0
    now = 0 if action.en == "get" and word.startswith("when") else 3
    clause.tense = draw.weighted(
        [("present", 2), ("progressive", now), ("past", 3), ("future", later)]
    )
    if word.startswith("why") and clause.tense == "future":
        clause.tense = "progressive"
    return wh(linked(word), clause, draw)


def what_question(draw: Draw) -> Phrase:
    """What do you see? → qu'est-ce que tu vois ? What is he eating? → que mange-t-il ?"""
    words = ("see", "eat", "read", "want", "buy", "look for", "drink", "write", "find", "take",
             "do", "say", "look at", "choose", "forget", "sell", "hear", "wait for")  # fmt: skip
    english = draw.pick(words)
    special = {"do": DO, "want": WANT, "say": Verb("say", "", "dire", "direct")}
    action = special.get(english) or verb(english, "direct")
    who = _question_subject(draw)
    slow = action.stative or english in ("see", "find", "forget", "hear")
    tenses = [("present", 2.0), ("past", 3.0), ("progressive", 0.0 if slow else 4.0)]
    if action.stative:
        tenses = [("present", 1.0)]
    clause = Clause(who, action, tense=draw.weighted(tenses))
    if draw.chance(0.15):
        clause.head, clause.tense = draw.pick([CAN, WANT_TO]), "present"
    stylistic = not who.pronoun and clause.tense == "progressive"
    if clause.head is CAN and not who.pronoun:
        clause.subject = pronoun(YOU)
    return wh(linked("what=que"), clause, draw, stylistic=stylistic)


def who_question(draw: Draw) -> Phrase:
    """Who helps you? → qui t'aide ? Who did you see? → qui est-ce que tu as vu ?"""
    if draw.chance(0.65):
        word = En("who")
        who = NounPhrase([word], [], [Fr("qui", (word,))], "m", plural=False, person=2, kind="name")
        clause = any_clause(draw, who)
        while clause.verb.reflexive or clause.negation not in ("", "not"):
            clause = any_clause(draw, who)
        return statement(clause, draw)
    actions = [verb(text) for text in ("see", "look for", "wait for", "help", "call", "invite",
                                       "meet", "love", "listen to", "look at")]  # fmt: skip
    clause = Clause(pronoun(draw.pick(PERSONAL)), draw.pick(actions))
    clause.tense = "present" if clause.verb.stative else draw.pick(["past", "progressive"])
    if clause.verb.en == "see":
        clause.tense = "past"
    return wh(linked("who=qui"), clause, draw)


def how_many_question(draw: Draw) -> Phrase:
    """How many books have you read? → combien de livres as-tu lus ?"""
    actions = ["buy", "read", "see", "eat", "find", "sell", "lose", "take", "break", "write"]
    action = HAVE if draw.chance(0.35) else verb(draw.pick(actions), "direct")
    kinds = {"read": "read", "write": "read", "eat": "food", "see": "animal"}
    kind = draw.pick([kinds.get(action.en, "thing"), kinds.get(action.en, "thing"), "food"])
    if action.en in kinds:
        kind = kinds[action.en]
    if action is HAVE:
        kind = draw.pick(["thing", "animal", "kin"])
    noun = draw.pick([noun for noun in nouns(kind) if noun.en_plural])
    quantity = with_determiner(noun, "how many", plural=True)
    clause = Clause(pronoun(draw.pick([YOU, *OTHERS])), action, agreement=(noun.gender, True))
    tenses = ["past", "past", "perfect" if has_perfect(action) else "past"]
    clause.tense = "present" if action is HAVE else draw.pick(tenses)
    return wh(quantity.phrase, clause, draw)


def which_question(draw: Draw) -> Phrase:
    """How old are you? What is your name? How are you? Which book are you reading?"""
    kind = draw.weighted([("age", 2), ("name", 1), ("which", 6), ("how", 1)])
    who = _question_subject(draw)
    if kind == "age":
        how, old = En("how"), En("old")
        words = [Fr("quel", (how,)), Fr("âge", (old,))]
        tense = draw.pick(["present", "present", "past"])
        return wh(Phrase([how, old], words), Clause(who, BE_HAVING, tense=tense), draw)
    if kind == "name":
        return _name_question(draw)
    if kind == "how":
        clause = Clause(pronoun(draw.pick(OTHERS)), BE_FARING)
        return wh(linked("how=comment"), clause, draw)
    action = draw.pick(WHICH_VERBS)
    noun = draw.pick([one for one in nouns(action.objects[0]) if one.en_plural])
    choice = with_determiner(noun, "which", plural=draw.chance(0.2))
    clause = Clause(who, action, agreement=(choice.gender, choice.plural))
    clause.tense = draw.pick(["past", "progressive"]) if who.pronoun else "past"
    return wh(choice.phrase, clause, draw)


def _name_question(draw: Draw) -> Phrase:
    """What is your name? → comment t'appelles-tu ?"""
    owner, self, form, who = draw.pick(
        [("your", "te", "appelles", "-tu"), ("his", "se", "appelle", "-t-il"),
         ("her", "se", "appelle", "-t-elle")]
    )  # fmt: skip
    what, is_, my, name_word = En("what"), En("is"), En(owner), En("name")
    french = [Fr("comment", (what,)), Fr(self, (), (my,)), Fr(form, (name_word,), (is_,))]
    return Phrase([what, is_, my, name_word], [*french, Fr(who, (my,))])
