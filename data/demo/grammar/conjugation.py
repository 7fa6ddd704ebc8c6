"""French and English verb forms, by rule, with tables of irregular ones.

Persons are numbered 0 je, 1 tu, 2 il, 3 nous, 4 vous, 5 ils.
"""

from functools import cache

# infinitive: present, past participle, future stem (irregular ones in full, families by suffix)
IRREGULAR: dict[str, tuple[str, str, str]] = {
    "être": ("suis es est sommes êtes sont", "été", "ser"),
    "avoir": ("ai as a avons avez ont", "eu", "aur"),
    "aller": ("vais vas va allons allez vont", "allé", "ir"),
    "faire": ("fais fais fait faisons faites font", "fait", "fer"),
    "voir": ("vois vois voit voyons voyez voient", "vu", "verr"),
    "dire": ("dis dis dit disons dites disent", "dit", "dir"),
    "lire": ("lis lis lit lisons lisez lisent", "lu", "lir"),
    "écrire": ("écris écris écrit écrivons écrivez écrivent", "écrit", "écrir"),
    "boire": ("bois bois boit buvons buvez boivent", "bu", "boir"),
    "mettre": ("mets mets met mettons mettez mettent", "mis", "mettr"),
    "savoir": ("sais sais sait savons savez savent", "su", "saur"),
    "pouvoir": ("peux peux peut pouvons pouvez peuvent", "pu", "pourr"),
    "vouloir": ("veux veux veut voulons voulez veulent", "voulu", "voudr"),
    "devoir": ("dois dois doit devons devez doivent", "dû", "devr"),
    "connaître": (
        "connais connais connaît connaissons connaissez connaissent",
        "connu",
        "connaîtr",
    ),
    "croire": ("crois crois croit croyons croyez croient", "cru", "croir"),
    "dormir": ("dors dors dort dormons dormez dorment", "dormi", "dormir"),
    "partir": ("pars pars part partons partez partent", "parti", "partir"),
    "sortir": ("sors sors sort sortons sortez sortent", "sorti", "sortir"),
    "rire": ("ris ris rit rions riez rient", "ri", "rir"),
    "sourire": ("souris souris sourit sourions souriez sourient", "souri", "sourir"),
    "courir": ("cours cours court courons courez courent", "couru", "courr"),
    "ouvrir": ("ouvre ouvres ouvre ouvrons ouvrez ouvrent", "ouvert", "ouvrir"),
    "offrir": ("offre offres offre offrons offrez offrent", "offert", "offrir"),
    "éteindre": ("éteins éteins éteint éteignons éteignez éteignent", "éteint", "éteindr"),
    "pleuvoir": ("- - pleut - - -", "plu", "pleuvr"),
    "asseoir": ("assieds assieds assied asseyons asseyez asseyent", "assis", "assiér"),
    "envoyer": ("envoie envoies envoie envoyons envoyez envoient", "envoyé", "enverr"),
    "acheter": ("achète achètes achète achetons achetez achètent", "acheté", "achèter"),
    "appeler": ("appelle appelles appelle appelons appelez appellent", "appelé", "appeller"),
    "jeter": ("jette jettes jette jetons jetez jettent", "jeté", "jetter"),
    "lever": ("lève lèves lève levons levez lèvent", "levé", "lèver"),
    "enlever": ("enlève enlèves enlève enlevons enlevez enlèvent", "enlevé", "enlèver"),
    "promener": ("promène promènes promène promenons promenez promènent", "promené", "promèner"),
    "espérer": ("espère espères espère espérons espérez espèrent", "espéré", "espérer"),
    "nettoyer": ("nettoie nettoies nettoie nettoyons nettoyez nettoient", "nettoyé", "nettoier"),
    "essayer": ("essaie essaies essaie essayons essayez essaient", "essayé", "essaier"),
}
for _stem, _participle, _future in (("pren", "pris", "prendr"),):
    for _prefix in ("", "com", "ap"):
        IRREGULAR[f"{_prefix}prendre"] = (
            " ".join(
                _prefix + form
                for form in ["prends", "prends", "prend", "prenons", "prenez", "prennent"]
            ),
            _prefix + _participle,
            _prefix + _future,
        )
for _prefix in ("", "re", "sou"):
    IRREGULAR[f"{_prefix}venir"] = (
        " ".join(
            _prefix + form for form in ["viens", "viens", "vient", "venons", "venez", "viennent"]
        ),
        f"{_prefix}venu",
        f"{_prefix}viendr",
    )

PRESENT_ENDINGS = {
    "er": ["e", "es", "e", "ons", "ez", "ent"],
    "ir": ["is", "is", "it", "issons", "issez", "issent"],
    "re": ["s", "s", "-", "ons", "ez", "ent"],
}
PARTICIPLE_ENDINGS = {"er": "é", "ir": "i", "re": "u"}
IMPERFECT_ENDINGS = ["ais", "ais", "ait", "ions", "iez", "aient"]
FUTURE_ENDINGS = ["ai", "as", "a", "ons", "ez", "ont"]
WITH_ETRE = frozenset(
    [
        "aller",
        "venir",
        "revenir",
        "arriver",
        "partir",
        "sortir",
        "tomber",
        "rester",
        "entrer",
        "monter",
        "descendre",
        "rentrer",
    ]
)


def soften(stem: str, ending: str) -> str:
    """`stem` + `ending` with g and c kept soft before a and o: mangeons, commençais."""
    if ending[0] in "ao" and stem.endswith("g"):
        return f"{stem}e{ending}"
    if ending[0] in "ao" and stem.endswith("c"):
        return f"{stem[:-1]}ç{ending}"
    return stem + ending


@cache
def present(verb: str, person: int) -> str:
    """The présent de l'indicatif: aimer, 1 → aimes."""
    if verb in IRREGULAR:
        return IRREGULAR[verb][0].split()[person]
    ending = PRESENT_ENDINGS[verb[-2:]][person].replace("-", "")
    return soften(verb[:-2], ending) if ending else verb[:-2]


def imperative(verb: str, person: int) -> str:
    """The imperative of vous (4) or nous (3), which is the present but for être."""
    return {"être3": "soyons", "être4": "soyez"}.get(f"{verb}{person}", present(verb, person))


@cache
def imperfect(verb: str, person: int) -> str:
    """The imparfait: the stem of nous, être apart."""
    if verb in ("être", "pleuvoir"):
        stem = {"être": "ét", "pleuvoir": "pleuv"}[verb]
    elif verb in IRREGULAR or verb.endswith("ir"):
        stem = present(verb, 3).removesuffix("ons")
    else:
        stem = verb[:-2]
    return soften(stem, IMPERFECT_ENDINGS[person])


@cache
def future(verb: str, person: int) -> str:
    """The futur simple."""
    stem = IRREGULAR[verb][2] if verb in IRREGULAR else verb.removesuffix("e")
    return stem + FUTURE_ENDINGS[person]


@cache
def conditional(verb: str, person: int) -> str:
    """The conditionnel présent: the future stem with the endings of the imparfait."""
    stem = IRREGULAR[verb][2] if verb in IRREGULAR else verb.removesuffix("e")
    return stem + IMPERFECT_ENDINGS[person]


@cache
def participle(verb: str, gender: str = "m", *, plural: bool = False) -> str:
    """The past participle, agreeing: voir, f, plural → vues."""
    regular = verb[:-2] + PARTICIPLE_ENDINGS.get(verb[-2:], "")
    form = IRREGULAR[verb][1] if verb in IRREGULAR else regular
    form = form + "e" if gender == "f" else form
    return form + "s" if plural and not form.endswith("s") else form


# base: past, past participle (and -ing where the rule fails)
ENGLISH: dict[str, str] = {
    "be": "was been being",
    "have": "had had having",
    "do": "did done doing",
    "go": "went gone going",
    "see": "saw seen seeing",
    "know": "knew known knowing",
    "eat": "ate eaten eating",
    "drink": "drank drunk drinking",
    "read": "read read reading",
    "write": "wrote written writing",
    "buy": "bought bought buying",
    "sell": "sold sold selling",
    "find": "found found finding",
    "lose": "lost lost losing",
    "take": "took taken taking",
    "understand": "understood understood understanding",
    "forget": "forgot forgotten forgetting",
    "wear": "wore worn wearing",
    "break": "broke broken breaking",
    "choose": "chose chosen choosing",
    "hear": "heard heard hearing",
    "cut": "cut cut cutting",
    "turn": "turned turned turning",
    "put": "put put putting",
    "throw": "threw thrown throwing",
    "pay": "paid paid paying",
    "sing": "sang sung singing",
    "meet": "met met meeting",
    "give": "gave given giving",
    "show": "showed shown showing",
    "send": "sent sent sending",
    "bring": "brought brought bringing",
    "tell": "told told telling",
    "sleep": "slept slept sleeping",
    "run": "ran run running",
    "swim": "swam swum swimming",
    "come": "came come coming",
    "leave": "left left leaving",
    "fall": "fell fallen falling",
    "get": "got gotten getting",
    "wake": "woke woken waking",
    "sit": "sat sat sitting",
    "stop": "stopped stopped stopping",
    "think": "thought thought thinking",
    "say": "said said saying",
    "make": "made made making",
    "speak": "spoke spoken speaking",
    "begin": "began begun beginning",
}


def third(base: str) -> str:
    """The third person singular: goes, carries, watches."""
    if base in ("be", "have"):
        return {"be": "is", "have": "has"}[base]
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "o")) else "s")


def past(base: str) -> str:
    """The simple past of any person but those of be."""
    if base in ENGLISH:
        return ENGLISH[base].split()[0]
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return base + ("d" if base.endswith("e") else "ed")


def past_participle(base: str) -> str:
    """The past participle."""
    return ENGLISH[base].split()[1] if base in ENGLISH else past(base)


def gerund(base: str) -> str:
    """The form in -ing."""
    if base in ENGLISH:
        return ENGLISH[base].split()[2]
    return (base[:-1] if base.endswith("e") and not base.endswith("ee") else base) + "ing"


def be_form(tense: str, person: int) -> str:
    """am, are, is … for the `present`, was and were for the `past`."""
    if tense == "present":
        return ("am", "are", "is", "are", "are", "are")[person]
    return ("was", "were", "was", "were", "were", "were")[person]
