"""Numbers in words and in figures, in both languages."""

_ENGLISH = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
- - twenty thirty forty fifty sixty seventy eighty ninety
"""
_FRENCH = """
zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize
dix-sept dix-huit dix-neuf
- - vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt
"""
_ENGLISH_SMALL, _ENGLISH_TENS = _ENGLISH.split()[:20], _ENGLISH.split()[20:]
_FRENCH_SMALL, _FRENCH_TENS = _FRENCH.split()[:20], _FRENCH.split()[20:]


def english(number: int) -> str:
    """Return a number below a million in American words: one hundred twenty-three."""
    assert 0 <= number < 1_000_000, number
    if number < 20:
        return _ENGLISH_SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _ENGLISH_TENS[tens] + (f"-{_ENGLISH_SMALL[ones]}" if ones else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    first, rest = divmod(number, size)
    return f"{english(first)} {name}" + (f" {english(rest)}" if rest else "")


def french(number: int, *, feminine: bool = False) -> str:
    """Return a number below a million in words, in the spelling before 1990: deux cents, vingt et
    un."""
    assert 0 <= number < 1_000_000, number
    one = "une" if feminine else "un"
    if number < 20:
        return one if number == 1 else _FRENCH_SMALL[number]
    if number < 100:
        return _below_hundred(number, one)
    size, name = (1000, "mille") if number >= 1000 else (100, "cent")
    first, rest = divmod(number, size)
    words = f"{_before_mille(first)} {name}" if first > 1 else name
    if not rest:
        return f"{words}s" if name == "cent" and first > 1 else words
    return f"{words} {french(rest, feminine=feminine)}"


def _below_hundred(number: int, one: str) -> str:
    tens, ones = divmod(number, 10)
    if number in (21, 31, 41, 51, 61):
        return f"{_FRENCH_TENS[tens]} et {one}"
    if number == 71:
        return "soixante et onze"
    if number == 80:
        return "quatre-vingts"
    if number in (81, 1):
        return f"quatre-vingt-{one}"
    over = ones + 10 if tens in (7, 9) else ones
    return _FRENCH_TENS[tens] + (f"-{_FRENCH_SMALL[over]}" if over else "")


def _before_mille(number: int) -> str:
    """Remove the s of cents and quatre-vingts before mille."""
    words = french(number)
    return words.removesuffix("s") if words.endswith(("cents", "quatre-vingts")) else words


def english_ordinal(number: int) -> str:
    """Return first to thirty-first."""
    irregular = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth",
                 12: "twelfth", 20: "twentieth", 30: "thirtieth"}  # fmt: skip
    if number in irregular:
        return irregular[number]
    if number < 20:
        return english(number) + "th"
    return f"{_ENGLISH_TENS[number // 10]}-{english_ordinal(number % 10)}"


def french_ordinal(number: int, *, feminine: bool = False) -> str:
    """Return premier to trente et unième."""
    if number == 1:
        return "première" if feminine else "premier"
    words = french(number)
    if words.endswith("cinq"):
        return words + "uième"
    if words.endswith("neuf"):
        return words.removesuffix("f") + "vième"
    return words.removesuffix("e") + "ième"


def english_figures(number: float, places: int = 0) -> str:
    """Return 1,250 and 12.50."""
    return f"{number:,.{places}f}"


def french_figures(number: float, places: int = 0) -> str:
    """Return 1 250 and 12,50."""
    return f"{number:,.{places}f}".replace(",", " ").replace(".", ",")
