"""Whole sentences: one function for each construction."""

from collections.abc import Callable
from dataclasses import replace

from grammar.adverbials import DAYS, add_adverbial, hour, people_in, time_adverbial
from grammar.clauses import statement, yes_no
from grammar.meaning import Clause
from grammar.nouns import (
    AGES,
    IT,
    NAMES,
    PERSONAL,
    THEY,
    YEARS,
    Pronoun,
    adjectives_for,
    nouns,
)
from grammar.phrases import (
    Draw,
    name,
    noun_phrase,
    object_pronoun,
    person,
    possessor,
    preposition,
    pronoun,
    subject,
    town,
    with_determiner,
    with_possessor,
)
from grammar.scenes import (
    ditransitive_clause,
    indirect_object_clause,
    intransitive_clause,
    motion_clause,
    state_clause,
    thing_for,
    transitive_clause,
    with_timing,
)
from grammar.tokens import En, Fr, Phrase, linked
from grammar.verbs import (
    BE,
    BE_HAVING,
    BE_WEATHER,
    EXIST,
    HAVE,
    NEED,
    RAIN,
    SNOW,
    SPEAK,
    WANT,
    verb,
)

Maker = Callable[[Draw], Phrase]

CE = Pronoun(2, "it", "it", "ce", "le", "y", "cela")
THERE = Pronoun(2, "there", "there", "il", "le", "y", "cela")


# ---------------------------------------------------------------- plain statements


def clitic_object(draw: Draw) -> Phrase:
    """I see them → je les vois."""
    who = pronoun(draw.pick(PERSONAL)) if draw.chance(0.75) else subject(draw)
    clause = with_timing(draw, transitive_clause(draw, who, clitic=1.0))
    if draw.chance(0.1):
        add_adverbial(draw, clause, often=1.0)
    return statement(clause, draw)


def noun_object(draw: Draw) -> Phrase:
    """Marie is reading an interesting book → Marie lit un livre intéressant."""
    clause = with_timing(draw, transitive_clause(draw, subject(draw), clitic=0.0))
    add_adverbial(draw, clause, often=0.12)
    return statement(clause, draw)


def gift(draw: Draw) -> Phrase:
    """I give it to him → je le lui donne."""
    return statement(with_timing(draw, ditransitive_clause(draw, subject(draw))), draw)


def address(draw: Draw) -> Phrase:
    """She talks to us → elle nous parle; I remember you → je me souviens de toi."""
    clause = with_timing(draw, indirect_object_clause(draw, subject(draw)))
    add_adverbial(draw, clause, often=0.1)
    return statement(clause, draw)


def action(draw: Draw) -> Phrase:
    """He gets up at six o'clock → il se lève à six heures."""
    clause = with_timing(draw, intransitive_clause(draw, subject(draw, pronouns=0.55)))
    add_adverbial(draw, clause, often=0.7)
    return statement(clause, draw)


def journey(draw: Draw) -> Phrase:
    """I am going to the market → je vais au marché."""
    clause = with_timing(draw, motion_clause(draw, subject(draw)))
    add_adverbial(draw, clause, often=0.2)
    return statement(clause, draw)


def state(draw: Draw) -> Phrase:
    """The house is big → la maison est grande."""
    if draw.chance(0.5):
        who = subject(draw)
    else:
        kinds = ["thing", "place", "read", "animal", "part", "wear", "switch"]
        who = noun_phrase(
            draw, draw.pick(kinds), det=draw.pick(["the", "the", "this", "my"]), adjective=0.08
        )
        if who.en[0].text == "my" and "place" in who.classes:
            return state(draw)
    return statement(with_timing(draw, state_clause(draw, who)), draw)


def possession(draw: Draw) -> Phrase:
    """She has two cats → elle a deux chats; I need a key → j'ai besoin d'une clé."""
    action = draw.weighted([(HAVE, 5), (NEED, 2), (WANT, 3), (verb("live"), 1)])
    who = subject(draw)
    if action.frame == "town":
        return statement(with_timing(draw, Clause(who, action, tail=town(draw))), draw)
    if action is NEED and draw.chance(0.3):
        thing = object_pronoun(draw, who, human=True)
    else:
        thing = thing_for(draw, action)
    if action is NEED:
        return statement(with_timing(draw, Clause(who, action, indirect=thing)), draw)
    return statement(with_timing(draw, Clause(who, action, direct=thing)), draw)


def some_of_it(draw: Draw) -> Phrase:
    """I want some → j'en veux; she has two → elle en a deux."""
    action = draw.pick([HAVE, WANT, verb("take"), verb("buy"), verb("eat", "direct"), verb("find")])
    clause = Clause(subject(draw, pronouns=0.8), action)
    clause = with_timing(draw, clause)
    if clause.negation:
        clause.negation = "not"
    number = draw.pick([("two", "deux"), ("three", "trois"), ("four", "quatre"), ("five", "cinq")])
    has_quantity = not clause.negation and draw.chance(0.4)
    clause.some = "=".join(number) if has_quantity else "some"
    return statement(clause, draw)


def government(draw: Draw) -> Phrase:
    """I want to see him → je veux le voir."""
    who = subject(draw, pronouns=0.75)
    maker = draw.weighted(
        [
            (transitive_clause, 6),
            (ditransitive_clause, 2),
            (indirect_object_clause, 2),
            (intransitive_clause, 2),
            (motion_clause, 1),
        ]
    )
    clause = maker(draw, who)
    while clause.verb.stative:
        clause = maker(draw, who)
    return statement(with_timing(draw, clause, heads=1.0), draw)


def existence(draw: Draw, *, is_question: bool = False) -> Phrase:
    """There are two cats in the garden → il y a deux chats dans le jardin."""
    det, plural = draw.pick(
        [("a", False), ("a", False), ("two", True), ("three", True), ("some", True),
         ("a lot of", True), ("several", True), ("some", False)]
    )  # fmt: skip
    if det == "some" and not plural:
        thing = with_determiner(draw.pick(nouns("mass")), "some")
    else:
        noun = draw.pick(nouns("animal", "thing", "person", "building", "food"))
        plural = plural and bool(noun.en_plural)
        if not plural and det != "a":
            det = "a"
        thing = with_determiner(noun, det, plural=plural)
    subject = replace(pronoun(THERE), person=5 if plural else 2)
    clause = Clause(subject, EXIST, direct=thing)
    clause.tense = draw.weighted([("present", 6), ("past", 1), ("future", 1)])
    if draw.chance(0.2) and not is_question and det in ("a", "some", "a lot of"):
        clause.negation = "not"
    classes = thing.classes
    if "building" in classes:
        clause.tail = town(draw)
    elif "mass" in classes:
        clause.tail = linked("on=sur the=la table=table")
    elif draw.chance(0.85):
        place = with_determiner(draw.pick(nouns("inside")), "the")
        clause.tail = preposition("in", "dans", place)
    return yes_no(clause, draw) if is_question else statement(clause, draw)


def comparison(draw: Draw) -> Phrase:
    """Marie is taller than Paul → Marie est plus grande que Paul."""
    who = subject(draw)
    first = "things" if draw.chance(0.3) else "people"
    if first == "things":
        kind = draw.pick(["dear", "vehicle", "read", "pet"])
        who = noun_phrase(draw, kind, det="the", plural=0, adjective=0)
        other = noun_phrase(draw, kind, det="this", plural=0, adjective=0)
        while other.last.text == who.last.text:
            other = noun_phrase(draw, kind, det="this", plural=0, adjective=0)
        choices = adjectives_for(who.classes)
    else:
        other = person(draw) if draw.chance(0.5) else object_pronoun(draw, who, human=True)
        choices = adjectives_for(frozenset({"person", "adult"}), predicate=True)
    quality = draw.pick([one for one in choices if one.comparative != "-" and one.en != "good"])
    form = quality.agreeing(who.gender, plural=who.plural)
    phrase = _degree(draw, quality.en, quality.comparative, form)
    phrase += Phrase(other.en, other.det + other.fr)
    clause = Clause(who, BE, tail=phrase)
    clause.tense = draw.weighted([("present", 5), ("past", 1)])
    return statement(clause, draw)


def _degree(draw: Draw, adjective: str, comparative: str, form: str) -> Phrase:
    if draw.chance(0.25):
        first, word, second = En("as"), En(adjective), En("as")
        french = [Fr("aussi", (first,)), Fr(form, (word,)), Fr("que", (second,))]
        return Phrase([first, word, second], french)
    than = En("than")
    if comparative == "more":
        degree = draw.pick([("more", "plus"), ("more", "plus"), ("less", "moins")])
        more, word = En(degree[0]), En(adjective)
        english, french = [more, word], [Fr(degree[1], (more,)), Fr(form, (word,))]
    else:
        word = En(comparative)
        english, french = [word], [Fr("plus", (word,)), Fr(form, (word,))]
    return Phrase([*english, than], [*french, Fr("que", (than,))])


# ---------------------------------------------------------------- idioms

FEELINGS = (
    "hungry=faim", "thirsty=soif", "cold=froid", "hot=chaud", "afraid=peur", "right=raison",
    "wrong=tort", "sleepy=sommeil",
)  # fmt: skip


def feeling(draw: Draw) -> Phrase:
    """I am hungry → j'ai faim; I am afraid of dogs → j'ai peur des chiens."""
    who = subject(draw)
    spec = draw.pick(FEELINGS)
    clause = Clause(who, BE_HAVING, tail=linked(spec))
    if spec.startswith("afraid") and draw.chance(0.7):
        cause = draw.pick([with_determiner(draw.pick(nouns("animal")), "generic", plural=True),
                            with_determiner(draw.pick(nouns("animal")), "my"), person(draw),
                            object_pronoun(draw, who, human=True)])  # fmt: skip
        clause.tail += preposition("of", "de", cause)
    return statement(with_timing(draw, clause), draw)


def age(draw: Draw) -> Phrase:
    """I am ten years old → j'ai dix ans."""
    number, french = draw.pick(AGES[6:])
    count, years, old = En(number), En("years"), En("old")
    tail = Phrase([count, years, old], [Fr(french, (count,)), Fr("ans", (years,), (old,))])
    who = pronoun(draw.pick(PERSONAL)) if draw.chance(0.6) else name(draw)
    clause = Clause(who, BE_HAVING, tail=tail)
    clause.tense = draw.weighted([("present", 5), ("past", 1), ("future", 1)])
    return statement(clause, draw)


def weather(draw: Draw) -> Phrase:
    """It is cold → il fait froid; it's raining → il pleut."""
    clause = Clause(pronoun(IT), BE_WEATHER)
    if draw.chance(0.4):
        clause.verb = draw.pick([RAIN, SNOW])
        clause.tense = draw.pick(["progressive", "past", "imperfect", "future"])
    else:
        clause.tense = draw.weighted([("present", 3), ("past", 2), ("future", 1)])
        very = linked("very=très") if draw.chance(0.2) else Phrase()
        clause.tail = very + linked(draw.pick(["cold=froid", "hot=chaud"]))
    if draw.chance(0.15):
        clause.negation = "not"
    moment = "progressive" if clause.tense == "present" else clause.tense
    time = time_adverbial(draw, moment)
    adverbial = draw.pick([Phrase(), time, time, town(draw), town(draw) + time])
    clause.tail += adverbial
    return statement(clause, draw)


def time_of_day(draw: Draw) -> Phrase:
    """It is half past three → il est trois heures et demie."""
    kind = draw.pick(["hour", "half", "quarter", "late", "set"])
    if kind == "hour":
        tail = hour(draw)
    elif kind in ("half", "quarter"):
        o_clock = hour(draw)
        number = o_clock.en[0]
        start, past_word = En(kind), En("past")
        a = [En("a")] if kind == "quarter" else []
        end = Fr({"half": "demie", "quarter": "quart"}[kind], (start,), tuple(a))
        o_clock.fr[1] = Fr(o_clock.fr[1].text, (), (number,))
        tail = Phrase([*a, start, past_word, number], [*o_clock.fr, Fr("et", (past_word,)), end])
    elif kind == "late":
        tail = linked(draw.pick(["", "very=très ", "too=trop "])
                      + draw.pick(["late=tard", "early=tôt"]))  # fmt: skip
    else:
        tail = linked(draw.pick(["noon=midi", "midnight=minuit"]))
    return statement(Clause(pronoun(IT), BE, tail=tail, tense=draw.pick(["present", "past"])), draw)


def introduction(draw: Draw) -> Phrase:
    """My name is Marie → je m'appelle Marie."""
    owner, who, self, form, gender = draw.pick(
        [("my", "je", "me", "appelle", ""), ("his", "il", "se", "appelle", "m"),
         ("her", "elle", "se", "appelle", "f"), ("your", "tu", "te", "appelles", "")]
    )  # fmt: skip
    fitting = [text for text, sex in NAMES if not gender or sex == gender]
    my, name_word, is_, first_name = En(owner), En("name"), En("is"), En(draw.pick(fitting))
    return Phrase(
        [my, name_word, is_, first_name],
        [
            Fr(who, (my,)),
            Fr(self, (), (my,)),
            Fr(form, (name_word,), (is_,)),
            Fr(first_name.text, (first_name,)),
        ],
    )


def birth(draw: Draw) -> Phrase:
    """I was born in 1990 → je suis né en 1990."""
    who = subject(draw)
    clause = Clause(who, BE, tense="present")
    phrase = statement(clause, draw)
    for word in phrase.en[len(who.en) :]:
        word.text = "was" if who.person in (0, 2) else "were"
    born = En("born")
    form = "né" + ("e" if who.gender == "f" else "") + ("s" if who.plural else "")
    phrase += Phrase([born], [Fr(form, (born,))])
    if draw.chance(0.4):
        year = draw.pick(YEARS)
        return phrase + linked(f"in=en {year}={year}")
    if draw.chance(0.6):
        return phrase + town(draw)
    on, day = draw.pick(DAYS)
    first, second = En("on"), En(on)
    return phrase + Phrase([first, second], [Fr(day, (second,), (first,))])


def presentation(draw: Draw) -> Phrase:
    """This is Marie's book → c'est le livre de Marie; it is easy → c'est facile."""
    kind = draw.weighted([("thing", 4), ("adjective", 2), ("owned", 3), ("plural", 1)])
    this = pronoun(replace(CE, en=draw.pick(["it", "this", "that"])))
    if this.en[0].text == "this":
        this = replace(this, pronoun=None)
    clause = Clause(this, BE)
    if kind == "adjective":
        this.en[0].text = "it"
        specs = ["easy=facile", "difficult=difficile", "possible=possible", "true=vrai",
                 "important=important", "very=très important=important",
                 "very=très easy=facile", "too=trop difficult=difficile"]  # fmt: skip
        clause.tail = linked(draw.pick(specs))
    elif kind == "plural":
        first = pronoun(replace(THEY, en=draw.pick(["these", "those"]), fr="ce"))
        det = draw.pick(["my", "his", "her", "our", "their"])
        noun = noun_phrase(draw, "thing", "kin", det=det, plural=2, adjective=0.1)
        if not noun.plural:
            return presentation(draw)
        clause = Clause(replace(first, pronoun=None), BE, tail=noun.phrase)
    elif kind == "owned":
        thing = draw.pick(nouns("thing", "wear", "kin"))
        clause.tail = with_possessor(thing, possessor(draw)).phrase
    else:
        det = draw.pick(["a", "a", "my", "your", "his", "her", "the"])
        classes = ["thing", "animal"] if det == "a" else ["thing", "thing", "kin"]
        kin_safe = draw.pick([kind for kind in classes if not (kind == "kin" and det == "the")])
        clause.tail = noun_phrase(draw, kin_safe, det=det, plural=0, adjective=0.4).phrase
    clause.tense = draw.weighted([("present", 6), ("past", 1)])
    if draw.chance(0.2):
        clause.negation = "not"
    return statement(clause, draw)


def profession(draw: Draw) -> Phrase:
    """He is a doctor → il est médecin."""
    gender_free = [noun for noun in nouns("job") if noun.en in ("teacher", "doctor")]
    who = pronoun(draw.pick(PERSONAL)) if draw.chance(0.5) else name(draw)
    article = En("a")
    noun = draw.pick(gender_free if who.gender == "f" else nouns("job"))
    job = En(noun.en_plural if who.plural else noun.en)
    text = noun.fr_plural if who.plural else noun.fr
    english = [job] if who.plural else [article, job]
    french = Fr(text, (job,), () if who.plural else (article,))
    clause = with_timing(draw, Clause(who, BE, tail=Phrase(english, [french])))
    if clause.negation == "never":
        clause.negation = "not"
    return statement(clause, draw)


def pastime(draw: Draw) -> Phrase:
    """He plays the piano → il joue du piano; I speak French → je parle français."""
    who = subject(draw)
    kind = draw.weighted([("sport", 2), ("music", 2), ("language", 3), ("learn", 1)])
    clause = Clause(who, verb("play"))
    if kind == "sport":
        english, article, french = draw.pick(
            [("football", "le", "football"), ("tennis", "le", "tennis"), ("cards", "les", "cartes")]
        )
        game = En(english)
        words = [Fr("à", (), (game,)), Fr(article, (), (game,), article=True)]
        clause.tail = Phrase([game], [*words, Fr(french, (game,))])
    elif kind == "music":
        english, article, french = draw.pick(
            [("piano", "le", "piano"), ("guitar", "la", "guitare"), ("violin", "le", "violon")]
        )
        the, tool = En("the"), En(english)
        words = [Fr("de", (), (tool,)), Fr(article, (the,), article=True), Fr(french, (tool,))]
        clause.tail = Phrase([the, tool], words)
    elif kind == "language":
        language = draw.pick(nouns("language"))
        clause.verb = SPEAK
        clause.tail = linked(f"{language.en}={language.fr}")
    else:
        clause.verb = verb("learn")
        clause.direct = with_determiner(draw.pick(nouns("language")), "generic")
    clause = with_timing(draw, clause)
    if draw.chance(0.3):
        time = time_adverbial(draw, clause.tense, people_in(clause))
        if clause.tense != "perfect" and not clause.head:
            clause.tail = clause.tail + time
    return statement(clause, draw)
