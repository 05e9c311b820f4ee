"""The fields of a crontab: which numbers a specification stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple


class ParseException(ValueError):
    """A crontab that cannot be read: it says which field, and what may stand there."""


#: What a field may be given as.
Cronspec = int | str | Iterable[int | str]

_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FULL_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)

_PART: Final = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\w+))?")


class Field(NamedTuple):
    """One field: its name, its least and greatest number, the words for some of them."""

    name: str
    least: int
    most: int
    words: dict[str, int]


def _numbered(*families: tuple[str, ...], start: int) -> dict[str, int]:
    return {word: number for family in families for number, word in enumerate(family, start)}


MINUTE: Final = Field("minute", 0, 59, {})
HOUR: Final = Field("hour", 0, 23, {})
DAY_OF_WEEK: Final = Field("day_of_week", 0, 6, _numbered(_WEEKDAYS, _FULL_WEEKDAYS, start=0))
DAY_OF_MONTH: Final = Field("day_of_month", 1, 31, {})
MONTH_OF_YEAR: Final = Field("month_of_year", 1, 12, _numbered(_MONTHS, _FULL_MONTHS, start=1))


def numbers_of(field: Field, spec: Any) -> frozenset[int]:
    """The numbers that a specification stands for: a number, a text, or several of both.

    Raises `ParseException` naming the field and its range, TypeError for anything else.
    """
    if isinstance(spec, bool) or not isinstance(spec, (int, str, Iterable)):
        raise TypeError(f"{field.name} must be a number, a text or several of them, not {spec!r}")
    if isinstance(spec, int):
        return frozenset({_checked(field, spec)})
    if isinstance(spec, str):
        return frozenset(_parsed(field, spec))
    found: set[int] = set()
    for each in spec:
        found |= numbers_of(field, each)
    if not found:
        raise ParseException(f"{field.name} is empty: {_range(field)}")
    return frozenset(found)


def _parsed(field: Field, text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        found |= _part(field, part.strip().lower())
    return found


def _part(field: Field, part: str) -> set[int]:
    match = _PART.fullmatch(part)
    if match is None:
        why = "it is empty" if not part else f"{part!r} is none"
        raise ParseException(f"{field.name}: {why} of the forms *, 5, 1-5, */5, 1-30/5, and lists of these")
    first, last, step = match["first"], match["last"], match["step"]
    if first == "*" and last is not None:
        raise ParseException(f"{field.name}: {part!r} mixes * with a range")
    if step is not None and first != "*" and last is None:
        raise ParseException(f"{field.name}: {part!r} has a step and no range; write {first}-{field.most}/{step}")
    start = field.least if first == "*" else _number(field, first)
    end = field.most if first == "*" else _number(field, last) if last is not None else start
    every = _step(field, step)
    if field is DAY_OF_WEEK and last is not None and end == 0 and (start or last == "7"):
        end = 7  # Sunday ends the week as well
    span = range(start, end + 1) if start <= end else [*range(start, field.most + 1), *range(field.least, end + 1)]
    return {number % 7 if field is DAY_OF_WEEK else number for number in list(span)[::every]}


def _step(field: Field, text: str | None) -> int:
    if text is None:
        return 1
    if not text.isdecimal() or not int(text):
        raise ParseException(f"{field.name}: the step {text!r} is no number from 1")
    return int(text)


def _number(field: Field, text: str) -> int:
    if text.isdecimal():
        return _checked(field, int(text))
    number = field.words.get(text)
    if number is None:
        known = f" or one of {', '.join(dict.fromkeys(word[:3] for word in field.words))}" if field.words else ""
        raise ParseException(f"{field.name}: {text!r} is no number{known}; {_range(field)}")
    return number


def _checked(field: Field, number: int) -> int:
    if field is DAY_OF_WEEK and number == 7:
        return 0
    if not field.least <= number <= field.most:
        raise ParseException(f"{field.name}: {number} is out of range; {_range(field)}")
    return number


def _range(field: Field) -> str:
    return f"it takes {field.least}-{field.most}"


class crontab_parser:  # noqa: N801  # Celery's name
    """Reads one field: ``crontab_parser(60).parse("*/15")`` is ``{0, 15, 30, 45}``.

    `max_` is how many numbers there are, `min_` the least of them.
    """

    ParseException = ParseException

    def __init__(self, max_: int = 60, min_: int = 0) -> None:
        self.max_ = max_
        self.min_ = min_
        words = {}
        if (max_, min_) == (7, 0):
            words = DAY_OF_WEEK.words
        elif (max_, min_) == (12, 1):
            words = MONTH_OF_YEAR.words
        self._field = DAY_OF_WEEK if (max_, min_) == (7, 0) else Field("crontab", min_, max_ + min_ - 1, words)

    def parse(self, spec: str) -> set[int]:
        """The numbers that the text stands for.  Raises `ParseException`."""
        return set(numbers_of(self._field, spec))
