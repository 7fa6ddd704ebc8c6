"""Times of day in figures: 3:30 pm in English is 3 h 30 de l'après-midi in French.

The hour and the minutes stay as they are, and the half of the day is written in the other way.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

#: The spaces in figures, beside the plain one.
SPACES = "\u00a0\u202f\u2009"


class DayTime(NamedTuple):
    """A time on a clock of 12 hours: "3", "30" or "", and whether it is after noon."""

    hour: str
    minutes: str
    is_pm: bool


class DayTimeFormat(NamedTuple):
    """How a language writes them.

    `suffix` matches the text behind an hour, or behind its minutes; `time` the whole, with the
    groups "hour", "minutes", and "pm" in the second half of the day. `write` is its inverse.
    """

    suffix: str
    time: str
    write: Callable[[DayTime], str]

    def end(self, raw: str, start: int, end: int, limit: int) -> int:
        """Return where a time ends whose hour and minutes are `raw[start:end]`: `end` if these are
        no time of day. Nothing from `limit` on is read."""
        match = re.compile(self.suffix, re.IGNORECASE).match(raw, end, limit)
        return match.end() if match and self.read(raw[start : match.end()]) else end

    def read(self, text: str) -> DayTime | None:
        """Return the time that a text is; None for any other text."""
        match = re.fullmatch(self.time, text, re.IGNORECASE)
        if match is None:
            return None
        return DayTime(match["hour"], match["minutes"] or "", match["pm"] is not None)


_SPACE = f"[ {SPACES}]"
_HOUR = r"(?P<hour>1[0-2]|0?[1-9])"
_MINUTES = r"(?P<minutes>[0-5][0-9])"


def _english(time: DayTime) -> str:
    minutes = f":{time.minutes}" if time.minutes else ""
    return f"{time.hour}{minutes} {'pm' if time.is_pm else 'am'}"


def _french(time: DayTime) -> str:
    minutes = f"\u00a0{time.minutes}" if time.minutes else ""
    is_evening = 6 <= int(time.hour) < 12
    part = ("du soir" if is_evening else "de l'après-midi") if time.is_pm else "du matin"
    return f"{time.hour}\u00a0h{minutes} {part}"


#: The last point of "a.m." at the end of a line ends the sentence, and is no part of the time.
_LAST = r"[\s\"'»”’)]*$"
ENGLISH = DayTimeFormat(
    suffix=rf"{_SPACE}?(?:[ap]m|[ap]\.{_SPACE}?m(?:\.(?!{_LAST})|(?=\.{_LAST})))(?!\w)",
    time=rf"{_HOUR}(?:[:.]{_MINUTES})?{_SPACE}?(?:a|(?P<pm>p))\.?{_SPACE}?m\.?",
    write=_english,
)
_FRENCH_PART = rf"(?:du{_SPACE}matin|(?P<pm>de{_SPACE}l['’]après-midi|du{_SPACE}soir))"
FRENCH = DayTimeFormat(
    suffix=rf"(?:{_SPACE}?h)?{_SPACE}{_FRENCH_PART}(?!\w)",
    time=rf"{_HOUR}(?:{_SPACE}?[h:]{_SPACE}?{_MINUTES}|{_SPACE}?h){_SPACE}{_FRENCH_PART}",
    write=_french,
)
