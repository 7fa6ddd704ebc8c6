"""Places, people, days and units with their French, and the French prepositions of a place."""

from dataclasses import dataclass

from grammar.tokens import starts_with_vowel

#: English name, French name, how French treats it (f feminine, m masculine, p plural, n without
#: an article), then the English and French adjectives of its people, masculine and feminine.
_COUNTRIES = """
France|France|f|French|français|française
Germany|Allemagne|f|German|allemand|allemande
Spain|Espagne|f|Spanish|espagnol|espagnole
Italy|Italie|f|Italian|italien|italienne
England|Angleterre|f|English|anglais|anglaise
Scotland|Écosse|f|Scottish|écossais|écossaise
Ireland|Irlande|f|Irish|irlandais|irlandaise
Great Britain|Grande-Bretagne|f|British|britannique|britannique
the United Kingdom|Royaume-Uni|m|British|britannique|britannique
the United States|États-Unis|p|American|américain|américaine
the Netherlands|Pays-Bas|p|Dutch|néerlandais|néerlandaise
Belgium|Belgique|f|Belgian|belge|belge
Switzerland|Suisse|f|Swiss|suisse|suisse
Austria|Autriche|f|Austrian|autrichien|autrichienne
Portugal|Portugal|m|Portuguese|portugais|portugaise
Greece|Grèce|f|Greek|grec|grecque
Turkey|Turquie|f|Turkish|turc|turque
Poland|Pologne|f|Polish|polonais|polonaise
Sweden|Suède|f|Swedish|suédois|suédoise
Norway|Norvège|f|Norwegian|norvégien|norvégienne
Denmark|Danemark|m|Danish|danois|danoise
Finland|Finlande|f|Finnish|finlandais|finlandaise
Iceland|Islande|f|Icelandic|islandais|islandaise
Russia|Russie|f|Russian|russe|russe
Ukraine|Ukraine|f|Ukrainian|ukrainien|ukrainienne
Romania|Roumanie|f|Romanian|roumain|roumaine
Bulgaria|Bulgarie|f|Bulgarian|bulgare|bulgare
Hungary|Hongrie|f|Hungarian|hongrois|hongroise
Croatia|Croatie|f|Croatian|croate|croate
Serbia|Serbie|f|Serbian|serbe|serbe
Slovakia|Slovaquie|f|Slovak|slovaque|slovaque
Luxembourg|Luxembourg|m|Luxembourgish|luxembourgeois|luxembourgeoise
Canada|Canada|m|Canadian|canadien|canadienne
Mexico|Mexique|m|Mexican|mexicain|mexicaine
Brazil|Brésil|m|Brazilian|brésilien|brésilienne
Argentina|Argentine|f|Argentinian|argentin|argentine
Chile|Chili|m|Chilean|chilien|chilienne
Peru|Pérou|m|Peruvian|péruvien|péruvienne
Colombia|Colombie|f|Colombian|colombien|colombienne
Venezuela|Venezuela|m|Venezuelan|vénézuélien|vénézuélienne
Cuba|Cuba|n|Cuban|cubain|cubaine
Haiti|Haïti|n|Haitian|haïtien|haïtienne
China|Chine|f|Chinese|chinois|chinoise
Japan|Japon|m|Japanese|japonais|japonaise
India|Inde|f|Indian|indien|indienne
Pakistan|Pakistan|m|Pakistani|pakistanais|pakistanaise
South Korea|Corée du Sud|f|South Korean|sud-coréen|sud-coréenne
Vietnam|Viêt Nam|m|Vietnamese|vietnamien|vietnamienne
Thailand|Thaïlande|f|Thai|thaïlandais|thaïlandaise
Indonesia|Indonésie|f|Indonesian|indonésien|indonésienne
the Philippines|Philippines|p|Filipino|philippin|philippine
Australia|Australie|f|Australian|australien|australienne
New Zealand|Nouvelle-Zélande|f|New Zealand|néo-zélandais|néo-zélandaise
Israel|Israël|v|Israeli|israélien|israélienne
Lebanon|Liban|m|Lebanese|libanais|libanaise
Syria|Syrie|f|Syrian|syrien|syrienne
Iraq|Irak|m|Iraqi|irakien|irakienne
Iran|Iran|m|Iranian|iranien|iranienne
Saudi Arabia|Arabie saoudite|f|Saudi|saoudien|saoudienne
Afghanistan|Afghanistan|m|Afghan|afghan|afghane
Egypt|Égypte|f|Egyptian|égyptien|égyptienne
Morocco|Maroc|m|Moroccan|marocain|marocaine
Algeria|Algérie|f|Algerian|algérien|algérienne
Tunisia|Tunisie|f|Tunisian|tunisien|tunisienne
Senegal|Sénégal|m|Senegalese|sénégalais|sénégalaise
Ivory Coast|Côte d'Ivoire|f|Ivorian|ivoirien|ivoirienne
Mali|Mali|m|Malian|malien|malienne
Cameroon|Cameroun|m|Cameroonian|camerounais|camerounaise
Nigeria|Nigeria|m|Nigerian|nigérian|nigériane
Kenya|Kenya|m|Kenyan|kényan|kényane
South Africa|Afrique du Sud|f|South African|sud-africain|sud-africaine
Ethiopia|Éthiopie|f|Ethiopian|éthiopien|éthiopienne
Madagascar|Madagascar|n|Malagasy|malgache|malgache
Europe|Europe|f|European|européen|européenne
Asia|Asie|f|Asian|asiatique|asiatique
Africa|Afrique|f|African|africain|africaine
"""
CONTINENTS = frozenset(["Europe", "Asia", "Africa"])

#: Capitals, by the English name of the country.
_CAPITALS = """
France|Paris|Paris
Germany|Berlin|Berlin
Spain|Madrid|Madrid
Italy|Rome|Rome
England|London|Londres
Scotland|Edinburgh|Édimbourg
Ireland|Dublin|Dublin
Belgium|Brussels|Bruxelles
Switzerland|Bern|Berne
Austria|Vienna|Vienne
Portugal|Lisbon|Lisbonne
Greece|Athens|Athènes
Turkey|Ankara|Ankara
Poland|Warsaw|Varsovie
Sweden|Stockholm|Stockholm
Norway|Oslo|Oslo
Denmark|Copenhagen|Copenhague
Finland|Helsinki|Helsinki
Russia|Moscow|Moscou
Ukraine|Kyiv|Kyiv
Romania|Bucharest|Bucarest
Hungary|Budapest|Budapest
Canada|Ottawa|Ottawa
the United States|Washington|Washington
the Netherlands|Amsterdam|Amsterdam
Mexico|Mexico City|Mexico
Argentina|Buenos Aires|Buenos Aires
Peru|Lima|Lima
Cuba|Havana|La Havane
China|Beijing|Pékin
Japan|Tokyo|Tokyo
India|New Delhi|New Delhi
South Korea|Seoul|Séoul
Lebanon|Beirut|Beyrouth
Syria|Damascus|Damas
Iraq|Baghdad|Bagdad
Iran|Tehran|Téhéran
Egypt|Cairo|Le Caire
Morocco|Rabat|Rabat
Algeria|Algiers|Alger
Tunisia|Tunis|Tunis
Senegal|Dakar|Dakar
Kenya|Nairobi|Nairobi
"""

#: Other cities; one name where both languages have the same.
_CITIES = """
Lyon|Marseille|Toulouse|Bordeaux|Nice|Lille|Nantes|Strasbourg|Montpellier|Rennes|Grenoble|Dijon
Montreal=Montréal|Quebec City=Québec|Toronto|Vancouver|New York|Los Angeles|San Francisco|Chicago
Boston|Miami|Seattle|Philadelphia=Philadelphie|New Orleans=La Nouvelle-Orléans|Houston|Dallas
Geneva=Genève|Zurich|Basel=Bâle|Antwerp=Anvers|Ghent=Gand|Bruges|Cologne|Munich|Hamburg=Hambourg
Frankfurt=Francfort|Dresden=Dresde|Barcelona=Barcelone|Seville=Séville|Valencia=Valence|Porto
Venice=Venise|Florence|Milan|Naples|Turin|Genoa=Gênes|Krakow=Cracovie|Prague
Saint Petersburg=Saint-Pétersbourg|Marrakesh=Marrakech
Manchester|Liverpool|Oxford|Cambridge|Glasgow|Istanbul|Jerusalem=Jérusalem|Casablanca
Shanghai|Hong Kong|Singapore=Singapour|Mumbai|Sydney|Melbourne|Rio de Janeiro|Abidjan|Johannesburg
"""

MONTHS = (
    ("January", "janvier"), ("February", "février"), ("March", "mars"), ("April", "avril"),
    ("May", "mai"), ("June", "juin"), ("July", "juillet"), ("August", "août"),
    ("September", "septembre"), ("October", "octobre"), ("November", "novembre"),
    ("December", "décembre"),
)  # fmt: skip
DAYS = (
    ("Monday", "lundi"), ("Tuesday", "mardi"), ("Wednesday", "mercredi"), ("Thursday", "jeudi"),
    ("Friday", "vendredi"), ("Saturday", "samedi"), ("Sunday", "dimanche"),
)  # fmt: skip
SEASONS = (
    ("spring", "le printemps", "au printemps"), ("summer", "l'été", "en été"),
    ("autumn", "l'automne", "en automne"), ("fall", "l'automne", "en automne"),
    ("winter", "l'hiver", "en hiver"),
)  # fmt: skip

#: English singular and plural, French singular and plural, f or m.
UNITS = (
    ("kilometer", "kilometers", "kilomètre", "kilomètres", "m"),
    ("meter", "meters", "mètre", "mètres", "m"),
    ("centimeter", "centimeters", "centimètre", "centimètres", "m"),
    ("mile", "miles", "mile", "miles", "m"),
    ("kilogram", "kilograms", "kilogramme", "kilogrammes", "m"),
    ("kilo", "kilos", "kilo", "kilos", "m"),
    ("gram", "grams", "gramme", "grammes", "m"),
    ("pound", "pounds", "livre", "livres", "f"),
    ("ton", "tons", "tonne", "tonnes", "f"),
    ("liter", "liters", "litre", "litres", "m"),
    ("degree", "degrees", "degré", "degrés", "m"),
)
TIMES = (
    ("second", "seconds", "seconde", "secondes", "f"),
    ("minute", "minutes", "minute", "minutes", "f"),
    ("hour", "hours", "heure", "heures", "f"),
    ("day", "days", "jour", "jours", "m"),
    ("week", "weeks", "semaine", "semaines", "f"),
    ("month", "months", "mois", "mois", "m"),
    ("year", "years", "an", "ans", "m"),
)
SYMBOLS = ("km", "m", "cm", "mm", "kg", "g", "mg", "km/h", "GB=Go", "MB=Mo", "°C", "W", "V", "Hz")

_WOMEN = """
Sarah Emma Olivia Sophie Marie Julie Claire Camille Léa Chloé Alice Anna Laura Lucie Manon
Nathalie Isabelle Catherine Christine Nicole Mary Jennifer Jessica Emily Elizabeth Linda Barbara
Susan Karen Lisa Nancy Margaret Amanda Melissa Rachel Rebecca Michelle Amy Kate Jane Hannah
Grace Lily Zoe Fatima Aisha Leila Yasmine Maria Ana Carmen Lucia Elena Ingrid Olga Natalia
Katarzyna Mei Yuki Priya Amina Aminata
"""
_MEN = """
Paul Pierre Jean Louis Thomas Lucas Hugo Antoine Nicolas Julien Vincent François Michel Philippe
Alain Laurent Olivier Mathieu Guillaume Xavier John James Robert Michael William David Richard
Joseph Charles Daniel Matthew Anthony Mark Steven Andrew Kevin Brian George Edward Peter Jack
Harry Oliver Noah Liam Tom Ben Mohammed Ahmed Omar Karim Youssef Carlos Juan Diego Marco
Giovanni Hans Lars Ivan Dmitri Piotr Wei Hiroshi Raj Mamadou
"""
_LAST = """
Martin Bernard Dubois Thomas Robert Petit Durand Leroy Moreau Laurent Simon Lefebvre Michel
Garcia Roux Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Mercier Blanc Guérin
Chevalier Gauthier Perrin Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor
Moore Jackson White Harris Clark Lewis Robinson Walker Young King Wright Scott Hill Green Baker
Nelson Carter Mitchell Roberts Turner Phillips Campbell Parker Evans Edwards Collins Stewart
Murphy Cook Rogers Kelly O'Connor O'Brien McDonald Müller Schmidt Schneider Fischer Rossi Russo
Ferrari Fernandez Gonzalez Rodriguez Lopez Silva Santos Kowalski Nowak Ivanov Petrov Nguyen Tran
Kim Park Lee Chen Wang Tanaka Sato Singh Patel Khan Ali Diallo Traoré
"""


WOMEN, MEN, LAST = (tuple(names.split()) for names in (_WOMEN, _MEN, _LAST))


@dataclass(frozen=True, slots=True)
class Place:
    """A country or a city: its names, and the French for in it (or to it), from it, and of it."""

    en: str
    fr: str
    locative: str
    origin: str
    definite: str  # with its article


@dataclass(frozen=True, slots=True)
class People:
    """The people of a country, as adjectives."""

    place: Place
    en: str
    masculine: str
    feminine: str


#: Names with a mute h; before the others with h, the article and de are not elided.
_MUTE = ("Haïti",)


def elides(french: str) -> bool:
    """Return whether a name elides the word before it."""
    return starts_with_vowel(french) and (french[0] not in "Hh" or french in _MUTE)


def de(french: str) -> str:
    """Return de, or d' before a vowel."""
    return f"d'{french}" if elides(french) else f"de {french}"


def with_article(french: str, article: str) -> str:
    """Return the name with le or la, or with l' before a vowel."""
    return f"l'{french}" if elides(french) else f"{article} {french}"


def _country(english: str, french: str, kind: str) -> Place:
    if kind == "p":
        return Place(english, french, f"aux {french}", f"des {french}", f"les {french}")
    if kind == "n":
        return Place(english, french, f"à {french}", de(french), french)
    if kind == "v":  # feminine for its preposition, but without an article
        return Place(english, french, f"en {french}", de(french), french)
    if kind == "m" and not elides(french):
        return Place(english, french, f"au {french}", f"du {french}", f"le {french}")
    definite = with_article(french, "la" if kind == "f" else "le")
    return Place(english, french, f"en {french}", de(french), definite)


def _city(english: str, french: str) -> Place:
    if french.startswith("Le "):
        bare = french.removeprefix("Le ")
        return Place(english, french, f"au {bare}", f"du {bare}", french)
    return Place(english, french, f"à {french}", de(french), french)


def of(place: Place) -> str:
    """Return `de` before the place with its article: de la France, du Japon, des Pays-Bas, de
    Paris."""
    for article, contraction in (("le ", "du "), ("les ", "des "), ("Le ", "du ")):
        if place.definite.startswith(article):
            return contraction + place.definite.removeprefix(article)
    return f"de {place.definite}" if place.definite[:2] in ("la", "l'") else de(place.definite)


def _rows(table: str) -> list[list[str]]:
    return [line.split("|") for line in table.split("\n") if line]


COUNTRIES = tuple(
    People(_country(en, fr, kind), adjective, masculine, feminine)
    for en, fr, kind, adjective, masculine, feminine in _rows(_COUNTRIES)
)
_BY_NAME = {people.place.en: people.place for people in COUNTRIES}
CAPITALS = tuple((_BY_NAME[country], _city(en, fr)) for country, en, fr in _rows(_CAPITALS))
CITIES = tuple(city for _, city in CAPITALS) + tuple(
    _city(name.partition("=")[0], name.rpartition("=")[2]) for row in _rows(_CITIES) for name in row
)

#: Languages that people say they speak.
LANGUAGES = (
    ("French", "français"), ("English", "anglais"), ("Spanish", "espagnol"), ("German", "allemand"),
    ("Italian", "italien"), ("Portuguese", "portugais"), ("Arabic", "arabe"), ("Russian", "russe"),
    ("Chinese", "chinois"), ("Japanese", "japonais"), ("Dutch", "néerlandais"), ("Greek", "grec"),
    ("Turkish", "turc"), ("Polish", "polonais"), ("Korean", "coréen"), ("Latin", "latin"),
    ("Hindi", "hindi"), ("Swedish", "suédois"),
)  # fmt: skip
