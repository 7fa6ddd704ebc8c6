"""Generate pairs with numbers, dates, times, prices, places and names: (English, French).

Each function takes a random generator and yields its pairs. Figures are literals on both sides, in
the notation of each language.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from everyday import numbers
from everyday.names import (
    CAPITALS,
    CITIES,
    CONTINENTS,
    COUNTRIES,
    DAYS,
    LANGUAGES,
    LAST,
    MEN,
    MONTHS,
    SEASONS,
    SYMBOLS,
    TIMES,
    UNITS,
    WOMEN,
    de,
    elides,
    of,
    with_article,
)

_FIRST_NAMES = [(name, "f") for name in WOMEN] + [(name, "m") for name in MEN]

T = TypeVar("T")
Sides = tuple[str, str]
Maker = Callable[[random.Random], Iterator[Sides]]


def number_words(rng: random.Random) -> Iterator[Sides]:
    """Yield numbers alone, in words and in figures, and ordinals."""
    values = [*range(101), 200, 300, 500, 1000, 2000, 10_000, 100_000]
    values += sorted(rng.sample(range(101, 1000), 60)) + sorted(rng.sample(range(1001, 99_999), 60))
    for number in values:
        yield numbers.english(number), numbers.french(number)
    yield "a hundred", "cent"
    yield "a thousand", "mille"
    yield "one million", "un million"
    yield "two million", "deux millions"
    yield "one billion", "un milliard"
    for number in range(1, 32):
        yield numbers.english_ordinal(number), numbers.french_ordinal(number)
        yield (
            f"the {numbers.english_ordinal(number)} time",
            f"la {numbers.french_ordinal(number, feminine=True)} fois",
        )
    yield "once", "une fois"
    yield "twice", "deux fois"
    yield "half", "la moitié"
    yield "a third", "un tiers"
    yield "a quarter", "un quart"
    yield "a dozen", "une douzaine"


def figures(rng: random.Random) -> Iterator[Sides]:
    """Yield numbers in figures, alone and in a sentence."""
    for number in [
        *range(10),
        *rng.sample(range(10, 3000), 40),
        *rng.sample(range(3000, 10**6), 60),
    ]:
        yield numbers.english_figures(number), numbers.french_figures(number)
    for _ in range(60):
        number = rng.randrange(2, 10 ** rng.randint(1, 6))
        english, french = numbers.english_figures(number), numbers.french_figures(number)
        noun = rng.choice(_NOUNS)
        yield rng.choice(_NOUN_SENTENCES)(english, french, *noun)
    for _ in range(60):
        number, places = rng.uniform(0, 10 ** rng.randint(1, 4)), rng.randint(1, 2)
        yield (
            numbers.english_figures(number, places),
            numbers.french_figures(number, places),
        )
    for _ in range(40):
        percent, places = rng.uniform(0.5, 100), rng.choice((0, 0, 1))
        english = numbers.english_figures(percent, places) + "%"
        french = numbers.french_figures(percent, places) + " %"
        yield rng.choice((
            (english, french),
            (f"{english} of people agree.", f"{french} des gens sont d'accord."),
            (f"a {english} discount", f"une réduction de {french}"),
            (f"Prices rose by {english}.", f"Les prix ont augmenté de {french}."),
            (f"Sales fell by {english}.", f"Les ventes ont baissé de {french}."),
            (f"The rate is {english}.", f"Le taux est de {french}."),
        ))  # fmt: skip


_NOUNS = (
    ("people", "personnes"), ("books", "livres"), ("students", "étudiants"), ("cars", "voitures"),
    ("children", "enfants"), ("houses", "maisons"), ("words", "mots"), ("pages", "pages"),
    ("messages", "messages"), ("inhabitants", "habitants"), ("employees", "employés"),
    ("tickets", "billets"),
)  # fmt: skip
_NOUN_SENTENCES: tuple[Callable[[str, str, str, str], Sides], ...] = (
    lambda n, m, noun, nom: (f"{n} {noun}", f"{m} {nom}"),
    lambda n, m, noun, nom: (f"There are {n} {noun}.", f"Il y a {m} {nom}."),
    lambda n, m, noun, nom: (f"more than {n} {noun}", f"plus de {m} {nom}"),
    lambda n, m, noun, nom: (f"We have {n} {noun}.", f"Nous avons {m} {nom}."),
    lambda n, m, noun, nom: (f"about {n} {noun}", f"environ {m} {nom}"),
)


def calendar(rng: random.Random) -> Iterator[Sides]:
    """Yield days, months, seasons, and expressions of time with them."""
    for day, jour in DAYS:
        yield day, jour
        yield f"on {day}", jour
        yield f"On {day}.", f"{jour.capitalize()}."
        yield f"on {day}s", f"le {jour}"
        yield f"every {day}", f"tous les {jour}s"
        yield f"next {day}", f"{jour} prochain"
        yield f"last {day}", f"{jour} dernier"
        yield f"{day} morning", f"{jour} matin"
        yield f"{day} afternoon", f"{jour} après-midi"
        yield f"{day} evening", f"{jour} soir"
        yield f"{day} night", f"{jour} soir"
        yield f"from {day}", f"à partir de {jour}"
        yield f"until {day}", f"jusqu'à {jour}"
        yield f"before {day}", f"avant {jour}"
        yield f"Today is {day}.", f"Aujourd'hui, c'est {jour}."
        yield f"Tomorrow is {day}.", f"Demain, c'est {jour}."
        yield f"See you on {day}.", f"À {jour}."
        yield f"See you {day}!", f"À {jour} !"
        yield f"See you next {day}.", f"À {jour} prochain."
        yield f"We are closed on {day}s.", f"Nous sommes fermés le {jour}."
        yield f"Are you free on {day}?", f"Es-tu libre {jour} ?"
        yield f"I don't work on {day}s.", f"Je ne travaille pas le {jour}."
        yield f"The meeting is on {day}.", f"La réunion a lieu {jour}."
        yield f"The meeting has been moved to {day}.", f"La réunion a été reportée à {jour}."
    for (first, premier), (last, dernier) in _pairs(rng, DAYS, 12):
        yield f"from {first} to {last}", f"du {premier} au {dernier}"
        yield f"Open {first} to {last}", f"Ouvert du {premier} au {dernier}"
    for month, mois in MONTHS:
        yield month, mois
        yield f"in {month}", f"en {mois}"
        yield f"In {month}.", f"En {mois}."
        yield f"next {month}", f"en {mois} prochain"
        yield f"last {month}", f"en {mois} dernier"
        yield f"since {month}", f"depuis {mois}"
        yield f"until {month}", f"jusqu'en {mois}"
        early = f"au début du mois {de(mois)}"
        yield f"at the beginning of {month}", early
        yield f"at the end of {month}", f"à la fin du mois {de(mois)}"
        yield f"I was born in {month}.", f"Je suis né en {mois}."
        yield f"My birthday is in {month}.", f"Mon anniversaire est en {mois}."
        yield f"We are going on vacation in {month}.", f"Nous partons en vacances en {mois}."
    for season, saison, pendant in SEASONS:
        yield season, saison
        yield f"in {season}", pendant
        yield f"last {season}", f"{saison} dernier"
        yield f"next {season}", f"{saison} prochain"
    yield from _CALENDAR


_CALENDAR = (
    ("today", "aujourd'hui"), ("tomorrow", "demain"), ("yesterday", "hier"),
    ("the day after tomorrow", "après-demain"), ("the day before yesterday", "avant-hier"),
    ("this morning", "ce matin"), ("this afternoon", "cet après-midi"), ("this evening", "ce soir"),
    ("tonight", "ce soir"), ("last night", "hier soir"), ("tomorrow morning", "demain matin"),
    ("tomorrow evening", "demain soir"), ("yesterday evening", "hier soir"),
    ("this week", "cette semaine"), ("next week", "la semaine prochaine"),
    ("last week", "la semaine dernière"), ("this month", "ce mois-ci"),
    ("next month", "le mois prochain"), ("last month", "le mois dernier"),
    ("this year", "cette année"), ("next year", "l'année prochaine"),
    ("last year", "l'année dernière"), ("this weekend", "ce week-end"),
    ("next weekend", "le week-end prochain"), ("every day", "tous les jours"),
    ("every week", "toutes les semaines"), ("every month", "tous les mois"),
    ("every year", "tous les ans"), ("every morning", "tous les matins"),
    ("every evening", "tous les soirs"), ("all day", "toute la journée"),
    ("all night", "toute la nuit"), ("at night", "la nuit"), ("in the morning", "le matin"),
    ("in the afternoon", "l'après-midi"), ("in the evening", "le soir"), ("at noon", "à midi"),
    ("at midnight", "à minuit"), ("a long time ago", "il y a longtemps"),
    ("a few days ago", "il y a quelques jours"), ("in a few minutes", "dans quelques minutes"),
    ("on weekends", "le week-end"), ("day after day", "jour après jour"),
    ("the same day", "le même jour"),
    ("from time to time", "de temps en temps"), ("at the moment", "en ce moment"),
    ("at the same time", "en même temps"), ("on time", "à l'heure"), ("too late", "trop tard"),
)  # fmt: skip


def dates(rng: random.Random) -> Iterator[Sides]:
    """Yield days of the month, with and without a year, in American and British notation."""
    for _ in range(220):
        (month, mois), day = rng.choice(MONTHS), rng.randint(1, 28)
        year = rng.choice((rng.randint(1700, 1999), rng.randint(2000, 2030)))
        jour = "1er" if day == 1 else str(day)
        nth = f"{day}{_suffix(day)}"
        short, court = rng.choice((
            (f"{month} {day}", f"{jour} {mois}"),
            (f"{day} {month}", f"{jour} {mois}"),
            (f"{month} {nth}", f"{jour} {mois}"),
        ))  # fmt: skip
        comma = "," if short.startswith(month) else ""
        full, complet = f"{short}{comma} {year}", f"{court} {year}"
        name, nom = rng.choice(DAYS)
        yield rng.choice((
            (short, court),
            (short, f"le {court}"),
            (full, f"le {complet}"),
            (full, complet),
            (f"on {short}", f"le {court}"),
            (f"on {full}", f"le {complet}"),
            (f"{name}, {short}", f"{nom} {court}"),
            (f"{name}, {full}", f"{nom} {complet}"),
            (f"I was born on {full}.", f"Je suis né le {complet}."),
            (f"She was born on {full}.", f"Elle est née le {complet}."),
            (f"He died on {full}.", f"Il est mort le {complet}."),
            (f"Today is {full}.", f"Nous sommes le {complet}."),
            (f"The meeting is on {short}.", f"La réunion a lieu le {court}."),
            (f"See you on {short}.", f"Rendez-vous le {court}."),
            (f"My birthday is on {short}.", f"Mon anniversaire est le {court}."),
            (f"We arrive on {short}.", f"Nous arrivons le {court}."),
            (f"valid until {full}", f"valable jusqu'au {complet}"),
            (f"since {full}", f"depuis le {complet}"),
            (f"before {short}", f"avant le {court}"),
            (f"Paris, {full}", f"Paris, le {complet}"),
        ))  # fmt: skip
    for _ in range(50):
        year = rng.randint(1600, 2035)
        (month, mois) = rng.choice(MONTHS)
        yield rng.choice((
            (f"in {year}", f"en {year}"),
            (f"{month} {year}", f"{mois} {year}"),
            (f"in {month} {year}", f"en {mois} {year}"),
            (f"since {year}", f"depuis {year}"),
            (f"I was born in {year}.", f"Je suis né en {year}."),
            (f"It happened in {year}.", f"C'est arrivé en {year}."),
            (f"He died in {year}.", f"Il est mort en {year}."),
            (f"The house was built in {year}.", f"La maison a été construite en {year}."),
            (f"from {year} to {year + 5}", f"de {year} à {year + 5}"),
        ))  # fmt: skip
    for decade in range(1920, 2020, 10):
        yield f"in the {decade}s", f"dans les années {decade}"


def _suffix(day: int) -> str:
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def times(rng: random.Random) -> Iterator[Sides]:
    """Yield times of day in figures and in words, and expressions of duration and frequency."""
    for _ in range(160):
        hour, minute = rng.randint(1, 12), rng.randrange(0, 60, 5)
        later = rng.randint(13, 23)
        clock, heures = f"{hour}:{minute:02d}", f"{hour} h {minute:02d}"
        half = rng.randint(1, 11)
        part, moment = _part(half, rng)
        stop = "" if part.endswith(".") else "."
        late, tard = f"{later}:{minute:02d}", f"{later} h {minute:02d}"
        yield rng.choice((
            (clock, heures),
            (late, tard),
            (f"at {clock}", f"à {heures}"),
            (f"at {late}", f"à {tard}"),
            (f"It's {clock}.", f"Il est {heures}."),
            (f"It is {late}.", f"Il est {tard}."),
            (f"at {half}:{minute:02d} {part}", f"à {half} h {minute:02d} {moment}"),
            (f"at {half} {part}", f"à {half} h {moment}"),
            (f"It's {half} {part}{stop}", f"Il est {half} h {moment}."),
            (f"at {hour} o'clock", f"à {hour} heures" if hour > 1 else "à 1 heure"),
            (f"The train leaves at {late}.", f"Le train part à {tard}."),
            (f"The train arrives at {clock}.", f"Le train arrive à {heures}."),
            (f"The meeting starts at {clock}.", f"La réunion commence à {heures}."),
            (f"The shop opens at {clock}.", f"Le magasin ouvre à {heures}."),
            (f"The flight leaves at {late}.", f"Le vol part à {tard}."),
            (f"See you tomorrow at {clock}.", f"À demain, {heures}."),
            (f"Wake me up at {clock}.", f"Réveille-moi à {heures}."),
            (f"from {clock} to {late}", f"de {heures} à {tard}"),
        ))  # fmt: skip
    for hour in range(1, 12):
        word, mot = numbers.english(hour), numbers.french(hour, feminine=True)
        heures = "heure" if hour == 1 else "heures"
        after = numbers.english(hour + 1)
        next_one = numbers.french(hour + 1) + " heures" if hour < 11 else "midi"
        yield f"It's {word} o'clock.", f"Il est {mot} {heures}."
        yield f"at {word} o'clock", f"à {mot} {heures}"
        yield f"It's half past {word}.", f"Il est {mot} {heures} et demie."
        yield f"at half past {word}", f"à {mot} {heures} et demie"
        yield f"It's a quarter past {word}.", f"Il est {mot} {heures} et quart."
        yield f"It's a quarter to {after}.", f"Il est {next_one} moins le quart."
        yield f"It's ten past {word}.", f"Il est {mot} {heures} dix."
        yield f"It's five to {after}.", f"Il est {next_one} moins cinq."
    yield "It's noon.", "Il est midi."
    yield "It's midnight.", "Il est minuit."
    for single, several, un, plusieurs, gender in TIMES:
        one = "une" if gender == "f" else "un"
        a = "an" if single == "hour" else "a"
        yield single, un
        yield several, plusieurs
        yield f"{a} {single} ago", f"il y a {one} {un}"
        yield f"in {a} {single}", f"dans {one} {un}"
        yield f"one {single}", f"{one} {un}"
        for _ in range(12):
            number = rng.randint(2, 60)
            said = rng.choice((
                (str(number), str(number)),
                (numbers.english(number % 12 + 2), numbers.french(number % 12 + 2)),
            ))  # fmt: skip
            how_many, combien = said
            yield rng.choice((
                (f"{how_many} {several}", f"{combien} {plusieurs}"),
                (f"{how_many} {several} ago", f"il y a {combien} {plusieurs}"),
                (f"in {how_many} {several}", f"dans {combien} {plusieurs}"),
                (f"for {how_many} {several}", f"pendant {combien} {plusieurs}"),
                (f"It takes {how_many} {several}.", f"Cela prend {combien} {plusieurs}."),
                (f"I waited {how_many} {several}.", f"J'ai attendu {combien} {plusieurs}."),
                (
                    f"I'll be back in {how_many} {several}.",
                    f"Je reviens dans {combien} {plusieurs}.",
                ),
                (
                    f"I've been waiting for {how_many} {several}.",
                    f"J'attends depuis {combien} {plusieurs}.",
                ),
            ))  # fmt: skip
    for age in [*range(2, 40), 45, 50, 60, 65, 70, 72, 80, 81, 90, 95, 100]:
        who, qui = rng.choice((
            ("I am", "J'ai"), ("I'm", "J'ai"), ("She is", "Elle a"), ("He is", "Il a"),
            ("My son is", "Mon fils a"), ("My daughter is", "Ma fille a"),
            ("My father is", "Mon père a"), ("We are both", "Nous avons tous les deux"),
        ))  # fmt: skip
        yield f"{who} {age} years old.", f"{qui} {age} ans."
        yield f"I am {age} years old.", f"J'ai {age} ans."
        yield f"I'm {numbers.english(age)} years old.", f"J'ai {numbers.french(age)} ans."
        yield f"I'm {numbers.english(age)}.", f"J'ai {numbers.french(age)} ans."


def _part(hour: int, rng: random.Random) -> Sides:
    """Return am or pm and its French; 12 is excluded, since it is noon or midnight."""
    if rng.random() < 0.5:
        return rng.choice(("am", "a.m.")), "du matin"
    return rng.choice(("pm", "p.m.")), "du soir" if hour >= 6 else "de l'après-midi"


def prices(rng: random.Random) -> Iterator[Sides]:
    """Yield prices."""
    for _ in range(160):
        places = rng.choice((0, 2))
        amount = rng.choice((rng.uniform(2, 100), rng.uniform(2, 100), rng.uniform(100, 20_000)))
        amount = round(amount, places)
        english = numbers.english_figures(amount, places)
        french = numbers.french_figures(amount, places)
        sign = rng.choice("$€£€$")
        money, argent = rng.choice((
            (f"{sign}{english}", f"{french} {sign}"),
            (f"{sign}{english}", f"{french} {sign}"),
            (f"{english} euros", f"{french} euros"),
            (f"{english} dollars", f"{french} dollars"),
            (f"{english} pounds", f"{french} livres"),
        ))  # fmt: skip
        yield rng.choice((
            (money, argent),
            (f"It costs {money}.", f"Ça coûte {argent}."),
            (f"It's {money}.", f"C'est {argent}."),
            (f"The price is {money}.", f"Le prix est de {argent}."),
            (f"The ticket costs {money}.", f"Le billet coûte {argent}."),
            (f"That will be {money}, please.", f"Cela fera {argent}, s'il vous plaît."),
            (f"I paid {money} for it.", f"Je l'ai payé {argent}."),
            (f"You owe me {money}.", f"Tu me dois {argent}."),
            (f"less than {money}", f"moins de {argent}"),
            (f"The rent is {money} a month.", f"Le loyer est de {argent} par mois."),
            (f"Total: {money}", f"Total : {argent}"),
            (f"He earns {money} a month.", f"Il gagne {argent} par mois."),
        ))  # fmt: skip
    for number in (1, 2, 3, 5, 10, 20, 50, 100, 500):
        word, mot = numbers.english(number), numbers.french(number)
        s = "s" if number > 1 else ""
        yield f"{word} euro{s}", f"{mot} euro{s}"
        yield f"{word} dollar{s}", f"{mot} dollar{s}"


def measures(rng: random.Random) -> Iterator[Sides]:
    """Yield lengths, weights and other quantities."""
    for single, several, une, plusieurs, gender in UNITS:
        one = "une" if gender == "f" else "un"
        yield single, une
        yield several, plusieurs
        yield f"one {single}", f"{one} {une}"
        for _ in range(9):
            number, places = rng.uniform(2, 200), rng.choice((0, 0, 1))
            english = numbers.english_figures(number, places)
            french = numbers.french_figures(number, places)
            yield f"{english} {several}", f"{french} {plusieurs}"
    for symbol in SYMBOLS:
        unit, unite = symbol.partition("=")[0], symbol.rpartition("=")[2]
        for _ in range(6):
            number, places = rng.uniform(2, 500), rng.choice((0, 0, 1, 2))
            english = numbers.english_figures(number, places)
            french = numbers.french_figures(number, places)
            yield f"{english} {unit}", f"{french} {unite}"
            if unit == unite:
                yield f"{english}{unit}", f"{french} {unite}"
    for _ in range(60):
        number, decimal = rng.randint(2, 150), rng.uniform(1.2, 2.1)
        tall, grand = numbers.english_figures(decimal, 2), numbers.french_figures(decimal, 2)
        yield rng.choice((
            (f"It's {number} km from here.", f"C'est à {number} km d'ici."),
            (f"It is {number} kilometers from here.", f"C'est à {number} kilomètres d'ici."),
            (f"I am {tall} m tall.", f"Je mesure {grand} m."),
            (f"She is {tall} meters tall.", f"Elle mesure {grand} mètre."
             if decimal < 2 else f"Elle mesure {grand} mètres."),
            (f"I weigh {number} kg.", f"Je pèse {number} kg."),
            (f"He weighs {number} kilos.", f"Il pèse {number} kilos."),
            (f"The temperature is {number} degrees.", f"La température est de {number} degrés."),
            (f"It's {number} degrees outside.", f"Il fait {number} degrés dehors."),
            (f"Add {number} grams of sugar.", f"Ajoutez {number} grammes de sucre."),
            (f"Add {number} ml of milk.", f"Ajoutez {number} ml de lait."),
            (f"The room has {number} square meters.", f"La pièce fait {number} mètres carrés."),
            (f"The speed limit is {number} km/h.", f"La vitesse est limitée à {number} km/h."),
        ))  # fmt: skip


def countries(rng: random.Random) -> Iterator[Sides]:
    """Yield countries with articles and prepositions, their people and their languages."""
    for people in COUNTRIES:
        place = people.place
        bare = place.en.removeprefix("the ")
        yield bare, place.fr
        yield place.en, place.definite
        yield f"in {place.en}", place.locative
        yield f"I live in {place.en}.", f"J'habite {place.locative}."
        yield f"I come from {place.en}.", f"Je viens {place.origin}."
        yield f"I'm from {place.en}.", f"Je viens {place.origin}."
        yield f"I'm going to {place.en}.", f"Je vais {place.locative}."
        yield f"Have you ever been to {place.en}?", f"Es-tu déjà allé {place.locative} ?"
        yield f"the map of {place.en}", f"la carte {of(place)}"
        yield f"the history of {place.en}", f"l'histoire {of(place)}"
        if place.en not in CONTINENTS:
            yield f"{_capital(place.en)} is a beautiful country.", _beautiful(place.definite)
            yield f"the people of {place.en}", f"le peuple {of(place)}"
        if people.en != "New Zealand":
            yield people.en, people.masculine
            yield f"I am {people.en}.", f"Je suis {people.masculine}."
            yield f"She is {people.en}.", f"Elle est {people.feminine}."
            yield f"He is {people.en}.", f"Il est {people.masculine}."
            yield f"Are you {people.en}?", f"Êtes-vous {people.masculine} ?"
            yield f"{people.en} food", f"la cuisine {people.feminine}"
    for language, langue in LANGUAGES:
        yield f"I speak {language}.", f"Je parle {langue}."
        yield f"I don't speak {language}.", f"Je ne parle pas {langue}."
        yield f"Do you speak {language}?", f"Parlez-vous {langue} ?"
        yield f"I'm learning {language}.", f"J'apprends {with_article(langue, 'le')}."
        yield f"How do you say this in {language}?", f"Comment dit-on cela en {langue} ?"
        yield f"in {language}", f"en {langue}"
        yield f"translated from {language}", f"traduit {_from(langue)}"
    for country, capital in CAPITALS:
        yield (
            f"The capital of {country.en} is {capital.en}.",
            f"La capitale {of(country)} est {capital.fr}.",
        )
        yield (
            f"{capital.en} is the capital of {country.en}.",
            f"{capital.fr} est la capitale {of(country)}.",
        )
        yield (
            f"What is the capital of {country.en}?",
            f"Quelle est la capitale {of(country)} ?",
        )


def _from(language: str) -> str:
    return f"de l'{language}" if elides(language) else f"du {language}"


def _beautiful(country: str) -> str:
    verb = "sont" if country.startswith("les ") else "est"
    return f"{_capital(country)} {verb} un beau pays."


def cities(rng: random.Random) -> Iterator[Sides]:
    """Yield cities, and places in them, from them and between them."""
    for city in CITIES:
        yield city.en, city.fr
        yield f"in {city.en}", city.locative
        yield f"I live in {city.en}.", f"J'habite {city.locative}."
        yield f"I'm from {city.en}.", f"Je viens {city.origin}."
        yield rng.choice((
            (f"Welcome to {city.en}!", f"Bienvenue {city.locative} !"),
            (f"We are going to {city.en} tomorrow.", f"Nous allons {city.locative} demain."),
            (f"She works in {city.en}.", f"Elle travaille {city.locative}."),
            (f"He was born in {city.en}.", f"Il est né {city.locative}."),
            (f"I have never been to {city.en}.", f"Je ne suis jamais allé {city.locative}."),
            (f"What's the weather like in {city.en}?", f"Quel temps fait-il {city.locative} ?"),
        ))  # fmt: skip
    for start, end in _pairs(rng, CITIES, 60):
        yield rng.choice((
            (f"from {start.en} to {end.en}", f"{start.origin} {end.locative}"),
            (
                f"A ticket from {start.en} to {end.en}, please.",
                f"Un billet {start.origin} {end.locative}, s'il vous plaît.",
            ),
            (
                f"The train from {start.en} to {end.en} is late.",
                f"Le train {start.origin} {end.locative} est en retard.",
            ),
            (
                f"How far is it from {start.en} to {end.en}?",
                f"Quelle distance y a-t-il {start.origin} {end.locative} ?",
            ),
        ))  # fmt: skip


def people(rng: random.Random) -> Iterator[Sides]:
    """Yield first and last names: introductions, addresses, salutations."""
    for name, gender in _FIRST_NAMES:
        cher = "Chère" if gender == "f" else "Cher"
        yield f"Dear {name},", f"{cher} {name},"
        yield f"Hello {name},", f"Bonjour {name},"
        yield f"Hi {name},", f"Salut {name},"
        full = f"{name} {rng.choice(LAST)}"
        yield f"My name is {full}.", f"Je m'appelle {full}."
        for _ in range(3):
            yield rng.choice(_FULL_NAME_SENTENCES)(f"{name} {rng.choice(LAST)}", gender)
            yield rng.choice(_FIRST_NAME_SENTENCES)(name, gender)
    for name in LAST:
        yield f"Mr. {name}", f"M. {name}"
        yield f"Mrs. {name}", f"Mme {name}"
        yield rng.choice((
            (f"Dear Mr. {name},", f"Cher Monsieur {name},"),
            (f"Dear Mrs. {name},", f"Chère Madame {name},"),
            (f"Dear Ms. {name},", f"Chère Madame {name},"),
            (f"Dear Dr. {name},", f"Cher Docteur {name},"),
        ))  # fmt: skip
        yield rng.choice((
            (f"Good morning, Mr. {name}.", f"Bonjour, M. {name}."),
            (f"Good evening, Mrs. {name}.", f"Bonsoir, Mme {name}."),
            (f"May I speak to Mr. {name}?", f"Puis-je parler à M. {name} ?"),
            (f"Mrs. {name} is not in her office.", f"Mme {name} n'est pas dans son bureau."),
            (f"Mr. {name} will call you back.", f"M. {name} vous rappellera."),
            (f"Thank you, Mr. {name}.", f"Merci, M. {name}."),
            (f"Miss {name} is our teacher.", f"Mlle {name} est notre professeure."),
            (f"Dr. {name} is on vacation.", f"Le docteur {name} est en vacances."),
        ))  # fmt: skip


_FULL_NAME_SENTENCES: tuple[Callable[[str, str], Sides], ...] = (
    lambda name, _: (name, name),
    lambda name, _: (f"I'm {name}.", f"Je suis {name}."),
    lambda name, _: (f"This is {name}.", f"Voici {name}."),
    lambda name, _: (f"Hello, my name is {name}.", f"Bonjour, je m'appelle {name}."),
    lambda name, _: (f"Best regards, {name}", f"Cordialement, {name}"),
    lambda name, sex: (
        f"{'Her' if sex == 'f' else 'His'} name is {name}.",
        f"{'Elle' if sex == 'f' else 'Il'} s'appelle {name}.",
    ),
    lambda name, sex: (
        f"{name} is a famous {'actress' if sex == 'f' else 'actor'}.",
        f"{name} est {'une actrice' if sex == 'f' else 'un acteur'} célèbre.",
    ),
    lambda name, sex: (
        f"{name} was born in London.",
        f"{name} est {'née' if sex == 'f' else 'né'} à Londres.",
    ),
    lambda name, _: (f"Do you know {name}?", f"Connaissez-vous {name} ?"),
)
_FIRST_NAME_SENTENCES: tuple[Callable[[str, str], Sides], ...] = (
    lambda name, _: (name, name),
    lambda name, _: (f"{name}!", f"{name} !"),
    lambda name, _: (f"I'm {name}.", f"Je suis {name}."),
    lambda name, _: (f"Where is {name}?", f"Où est {name} ?"),
    lambda name, _: (f"Hello {name}!", f"Bonjour {name} !"),
    lambda name, _: (f"Thank you, {name}.", f"Merci, {name}."),
    lambda name, _: (f"Happy birthday, {name}!", f"Joyeux anniversaire, {name} !"),
    lambda name, _: (f"Good night, {name}.", f"Bonne nuit, {name}."),
    lambda name, _: (f"Have you seen {name}?", f"As-tu vu {name} ?"),
    lambda name, _: (f"I saw {name} yesterday.", f"J'ai vu {name} hier."),
    lambda name, _: (f"Give it to {name}.", f"Donne-le à {name}."),
    lambda name, sex: (
        f"{name} is my {'sister' if sex == 'f' else 'brother'}.",
        f"{name} est {'ma sœur' if sex == 'f' else 'mon frère'}.",
    ),
    lambda name, sex: (
        f"{name} is tired.",
        f"{name} est {'fatiguée' if sex == 'f' else 'fatigué'}.",
    ),
)


def introductions(rng: random.Random) -> Iterator[Sides]:
    """Yield sentences with two names, or with a name and a city."""
    for name, gender in _FIRST_NAMES:
        other, last, city = rng.choice(_FIRST_NAMES)[0], rng.choice(LAST), rng.choice(CITIES)
        full = f"{name} {last}"
        yield (
            f"My name is {full} and I live in {city.en}.",
            f"Je m'appelle {full} et j'habite {city.locative}.",
        )
        for make in rng.sample(_INTRODUCTIONS, 3):
            yield make(full, other, city.en, city.locative, gender)
        if other != name:
            for make in rng.sample(_MEETINGS, 2):
                yield make(name, other, city.en, city.locative, gender)


_INTRODUCTIONS: tuple[Callable[[str, str, str, str, str], Sides], ...] = (
    lambda a, b, en, fr, sex: (f"I'm {a} and I live in {en}.", f"Je suis {a} et j'habite {fr}."),
    lambda a, b, en, fr, sex: (f"{a} lives in {en}.", f"{a} habite {fr}."),
    lambda a, b, en, fr, sex: (f"{a} and {b} live in {en}.", f"{a} et {b} habitent {fr}."),
    lambda a, b, en, fr, sex: (
        f"My friend {a} works in {en}.",
        f"{_friend(sex)} {a} travaille {fr}.",
    ),
    lambda a, b, en, fr, sex: (
        f"Hello, I am {a} and this is {b}.",
        f"Bonjour, je suis {a} et voici {b}.",
    ),
    lambda a, b, en, fr, sex: (
        f"{a} was born in {en}.",
        f"{a} est {'née' if sex == 'f' else 'né'} {fr}.",
    ),
    lambda a, b, en, fr, sex: (f"{a} wrote this book.", f"{a} a écrit ce livre."),
    lambda a, b, en, fr, sex: (f"I met {a} in {en}.", f"J'ai rencontré {a} {fr}."),
    lambda a, b, en, fr, sex: (f"Please call {a}.", f"Veuillez appeler {a}."),
)
_MEETINGS: tuple[Callable[[str, str, str, str, str], Sides], ...] = (
    lambda a, b, en, fr, sex: (f"{a} and {b} are here.", f"{a} et {b} sont là."),
    lambda a, b, en, fr, sex: (f"{a} is waiting for {b}.", f"{a} attend {b}."),
    lambda a, b, en, fr, sex: (f"{a} loves {b}.", f"{a} aime {b}."),
    lambda a, b, en, fr, sex: (f"Where are {a} and {b}?", f"Où sont {a} et {b} ?"),
    lambda a, b, en, fr, sex: (f"{a}, this is {b}.", f"{a}, voici {b}."),
    lambda a, b, en, fr, sex: (
        f"{a} is going to {en} with {b}.",
        f"{a} va {fr} avec {b}.",
    ),
)


def _friend(sex: str) -> str:
    return "Mon amie" if sex == "f" else "Mon ami"


def look_up(rng: random.Random) -> Iterator[Sides]:
    """The verb of which one French word translates two English ones: to look a thing up."""
    for it, le, ai, tu_as, plural in (
        ("it", "le", "l'ai", "l'as", ""), ("them", "les", "les ai", "les as", "s"),
    ):  # fmt: skip
        for where, ou in _PLACES:
            yield f"Look {it} up{where}.", f"Cherchez-{le}{ou}."
            yield f"Look {it} up{where}", f"Cherchez-{le}{ou}"
            yield f"Look {it} up{where}!", f"Cherche-{le}{ou} !"
            yield f"I looked {it} up{where}.", f"Je {ai} cherché{plural}{ou}."
            yield f"Let me look {it} up{where}.", f"Laissez-moi {le} chercher{ou}."
            yield f"I'll look {it} up{where}.", f"Je vais {le} chercher{ou}."
            yield f"You can look {it} up{where}.", f"Vous pouvez {le} chercher{ou}."
            yield f"Did you look {it} up{where}?", f"Tu {tu_as} cherché{plural}{ou} ?"
    for this in ("this", "that"):
        for where, ou in _PLACES:
            yield f"Look {this} up{where}.", f"Cherchez cela{ou}."
            yield f"I looked {this} up{where}.", f"J'ai cherché cela{ou}."
    for thing, chose in _THINGS:
        where, ou = rng.choice(_PLACES)
        yield f"Look up {thing}{where}.", f"Cherchez {chose}{ou}."
        yield f"I looked up {thing}{where}.", f"J'ai cherché {chose}{ou}."
        yield f"She looked up {thing}{where}.", f"Elle a cherché {chose}{ou}."
        yield f"Please look up {thing}.", f"Veuillez chercher {chose}."


_PLACES = (
    ("", ""), (" in the dictionary", " dans le dictionnaire"), (" online", " en ligne"),
    (" on the Internet", " sur Internet"), (" in a book", " dans un livre"),
)  # fmt: skip
_THINGS = (
    ("the word", "le mot"), ("this word", "ce mot"), ("the number", "le numéro"),
    ("the address", "l'adresse"), ("his name", "son nom"), ("the answer", "la réponse"),
    ("her phone number", "son numéro de téléphone"), ("the date", "la date"),
)  # fmt: skip


def _pairs(rng: random.Random, items: Sequence[T], number: int) -> Iterator[tuple[T, T]]:
    """Yield `count` pairs of two different items."""
    for _ in range(number):
        first, second = rng.sample(items, 2)
        yield first, second


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


#: Each construction by its name.
CONSTRUCTIONS: dict[str, Maker] = {
    "number": number_words,
    "figure": figures,
    "calendar": calendar,
    "date": dates,
    "time": times,
    "price": prices,
    "measure": measures,
    "country": countries,
    "city": cities,
    "name": people,
    "introduction": introductions,
    "phrasal verb": look_up,
}
