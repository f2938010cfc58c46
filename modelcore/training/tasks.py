"""Tasks that a recipe makes its own examples for: numbers and dates in words, to be written in digits."""

from __future__ import annotations

import calendar
import random
import zlib
from dataclasses import dataclass

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_MONTHS = [name.lower() for name in calendar.month_name]
_IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
    "twenty": "twentieth",
    "thirty": "thirtieth",
}

FIRST_YEAR, LAST_YEAR = 1000, 2099
LONGEST_NUMBER = 6
# One example in this many is never trained on, chosen by its target.
HELD_OUT_OF = 20


@dataclass(frozen=True)
class Example:
    """A source, its target, and which characters of the source each stretch of the target comes from."""

    source: str
    target: str
    origins: tuple[tuple[range, range], ...] = ()

    @property
    def held_out(self) -> bool:
        return zlib.crc32(self.target.encode()) % HELD_OUT_OF == 0


def draw_example(generator: random.Random) -> Example:
    """A date or a number, half and half."""
    return draw_date(generator) if generator.random() < 0.5 else draw_number(generator)


def draw_number(generator: random.Random) -> Example:
    """ "three thousand two hundred and five" → "3205"; as many short numbers as long ones."""
    digits = generator.randint(1, LONGEST_NUMBER)
    number = generator.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
    return Example(cardinal(number, generator.random() < 0.5), str(number))


def draw_date(generator: random.Random) -> Example:
    """ "the fourteenth of july seventeen eighty-nine" → "1789-07-14"."""
    year, month = generator.randint(FIRST_YEAR, LAST_YEAR), generator.randint(1, 12)
    day = generator.randint(1, calendar.monthrange(year, month)[1])
    words = {"D": ordinal(day), "M": _MONTHS[month], "Y": year_in_words(year, generator.random() < 0.5)}
    pattern = generator.choice(["the D of M Y", "D M Y", "M the D Y", "M D Y", "M D, Y"])
    source, places = "", {}
    for piece in pattern:
        start = len(source)
        source += words.get(piece, piece)
        places[piece] = range(start, len(source))
    origins = ((range(0, 4), places["Y"]), (range(5, 7), places["M"]), (range(8, 10), places["D"]))
    return Example(source, f"{year:04}-{month:02}-{day:02}", origins)


def cardinal(number: int, joined: bool) -> str:
    """A number below a million in words; `joined` says "two hundred and five" rather than "two hundred five"."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        return _TENS[number // 10] + (f"-{_SMALL[number % 10]}" if number % 10 else "")
    if number < 1000:
        head, rest = f"{_SMALL[number // 100]} hundred", number % 100
    else:
        head, rest = f"{cardinal(number // 1000, joined)} thousand", number % 1000
    if not rest:
        return head
    return f"{head} {'and ' if joined and rest < 100 else ''}{cardinal(rest, joined)}"


def ordinal(number: int) -> str:
    """A number below a hundred as a rank: "twenty-first"."""
    head, hyphen, last = cardinal(number, joined=False).rpartition("-")
    return head + hyphen + _IRREGULAR_ORDINALS.get(last, f"{last}th")


def year_in_words(year: int, joined: bool) -> str:
    """As years are read out: "seventeen eighty-nine", "nineteen oh five", "two thousand and six"."""
    century, rest = divmod(year, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(year, joined)
    if rest == 0:
        return f"{cardinal(century, joined)} hundred"
    return f"{cardinal(century, joined)} {'oh ' if rest < 10 else ''}{cardinal(rest, joined)}"
