"""Numbers, dates, times and identifiers of a text, in readings that can be compared.

`1.234` is one thousand and so many in Portuguese and one and a bit in English, `03/04/2025` is in March or in April: a
text that may be either language gets every reading, and two figures agree when they share one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from serving.words import MONTHS, NUMBER_WORDS, SCALES, fold

Day: TypeAlias = tuple[int | None, int | None, int | None]  # year, month, day; None where it is not said

_MONTH = r"(?P<word>[^\W\d_]{3,10})\.?"
_ANY_MONTH = re.compile(rf"\b(?:{'|'.join(sorted(MONTHS))}|março)\b", re.IGNORECASE)
_NUMERIC_DATES = (
    re.compile(r"(?<![\d-])(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})(?![\d-])"),
    re.compile(r"(?<![\d/.])(?P<a>\d{1,2})([/.-])(?P<b>\d{1,2})\2(?P<y>\d{4}|\d{2})(?![\d/])"),
)
_WORDED_DATES = (
    re.compile(
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|[ºo°])?\s+(?:de\s+|of\s+)?{_MONTH}"
        r"(?:,?\s+(?:de\s+)?(?P<y>\d{4}))?(?![\d\w])"
    ),
    re.compile(rf"\b{_MONTH}\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<y>\d{{4}}))?(?![\d\w])"),
    re.compile(rf"\b{_MONTH},?\s+(?:de\s+)?(?P<y>\d{{4}})(?!\d)"),
)
_TIME = re.compile(
    r"(?<![\d:.,])(?P<h>\d{1,2})"
    r"(?:[:hH.](?P<m>\d{2})(?:min)?\s*(?P<am>[ap]\.?m\b)?|\s*(?P<am2>[ap]\.?m\b))"
)
_IDENTIFIER = re.compile(
    r"https?://\S+|[\w.+-]+@[\w-]+\.[\w.]+"
    r"|\b[^\W\d_]+[-_/]?\d[\w/-]*"  # RF-203, A4, ISO9001
    r"|\b\d+(?:[.,]\d+){2,}(?!\w)"  # 1.2.3 reads as a number below if its groups are thousands
    r"|\b\d+[^\W\d_]+\d\w*"
)
_NUMBER = re.compile(r"\d{1,3}(?:[\u00a0\u202f ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*")
_SCALE = re.compile(r"[ \u00a0]?([^\W\d_]+)")
_THOUSANDS = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_LETTERS = re.compile(r"[^\W\d_]+")
HIGHEST_MONTH, HIGHEST_DAY = 12, 31


@dataclass(frozen=True, slots=True)
class Figures:
    """What a text says in figures. `numbers` holds one set of readings per number, `days` one per date."""

    numbers: tuple[frozenset[Decimal], ...] = ()
    days: tuple[frozenset[Day], ...] = ()
    times: frozenset[int] = field(default_factory=frozenset)  # minutes after midnight
    identifiers: frozenset[str] = field(default_factory=frozenset)

    @property
    def readings(self) -> frozenset[Decimal]:
        """Every reading of every number."""
        return frozenset().union(*self.numbers)

    @property
    def inside_others(self) -> frozenset[Decimal]:
        """The numbers that dates and times contain: a text with 3 March 2025 also says 2025."""
        hours = {Decimal(time // 60) for time in self.times if time % 60 == 0}
        return frozenset(hours | {Decimal(n) for days in self.days for day in days for n in day if n is not None})

    def missing_from(self, evidence: "Figures") -> bool:
        """Whether one of these figures has no agreeing figure in the evidence."""
        known = evidence.readings | evidence.inside_others
        return (
            any(known.isdisjoint(values) for values in self.numbers)
            or any(not _dated(days, evidence) for days in self.days)
            or any(not _on_the_hour(time, known) for time in self.times - evidence.times)
            or not self.identifiers <= evidence.identifiers
        )


def figures(text: str, *, with_words: bool = True) -> Figures:
    """The figures of a text; `with_words` counts numbers written as words (from two on), too."""
    rest, days = _take_dates(text)
    rest, times = _take_times(rest)
    rest, identifiers = _take_identifiers(rest)
    numbers = [*_numbers(rest)]
    if with_words:
        folded = (fold(match[0]) for match in _LETTERS.finditer(rest))
        numbers += [frozenset({Decimal(NUMBER_WORDS[word])}) for word in folded if word in NUMBER_WORDS]
    return Figures(tuple(numbers), tuple(days), frozenset(times), frozenset(identifiers))


def joined(parts: Iterable[Figures]) -> Figures:
    """The figures of several texts together."""
    every = tuple(parts)
    return Figures(
        tuple(number for part in every for number in part.numbers),
        tuple(day for part in every for day in part.days),
        frozenset().union(*(part.times for part in every)),
        frozenset().union(*(part.identifiers for part in every)),
    )


def readings(number: str) -> frozenset[Decimal]:
    """What a number may mean: `1.234` is 1234 or 1.234; `1.234,56` and `1,234.56` are one thing only."""
    plain = re.sub(r"[\u00a0\u202f ]", "", number)
    found = set()
    if _THOUSANDS.fullmatch(plain):
        found.add(Decimal(plain.replace(".", "").replace(",", "")))
    head, mark, tail = _at_last_mark(plain)
    if not mark:
        found.add(Decimal(plain))
    elif head.isdigit() or (mark not in head and _THOUSANDS.fullmatch(head)):
        found.add(Decimal(f"{head.replace('.', '').replace(',', '')}.{tail}").normalize())
    return frozenset(value.normalize() for value in found)


def _at_last_mark(number: str) -> tuple[str, str, str]:
    place = max(number.rfind("."), number.rfind(","))
    return (number, "", "") if place < 0 else (number[:place], number[place], number[place + 1 :])


def _numbers(text: str) -> Iterator[frozenset[Decimal]]:
    for match in _NUMBER.finditer(text):
        values = readings(match[0])
        scale = _SCALE.match(text, match.end())
        factor = SCALES.get(fold(scale[1]), 1) if scale else 1
        if values:
            yield frozenset((value * factor).normalize() for value in values)


def _take_dates(text: str) -> tuple[str, list[frozenset[Day]]]:
    days: list[frozenset[Day]] = []

    def take(match: re.Match[str]) -> str:
        found = frozenset(_days(match.groupdict()))
        if not found:
            return match[0]
        days.append(found)
        return " " * len(match[0])

    for pattern in _NUMERIC_DATES:
        text = pattern.sub(take, text)
    # Looking for a month first is four times as fast: most texts have none.
    if _ANY_MONTH.search(text):
        for pattern in _WORDED_DATES:
            text = pattern.sub(take, text)
    return text, days


def _whole(digits: str | None) -> int | None:
    return int(digits) if digits else None


def _days(part: Mapping[str, str | None]) -> Iterator[Day]:
    year, day = _whole(part.get("y")), _whole(part.get("d"))
    if year is not None and year < 100:
        year += 2000
    candidates: list[Day]
    if "word" in part:
        month = MONTHS.get(fold(part["word"] or ""))
        candidates = [(year, month, day)] if month else []
    elif "a" in part:
        first, second = _whole(part["a"]), _whole(part["b"])
        candidates = [(year, second, first), (year, first, second)]
    else:
        candidates = [(year, _whole(part["m"]), day)]
    for candidate in candidates:
        if _within(candidate[1], HIGHEST_MONTH) and _within(candidate[2], HIGHEST_DAY):
            yield candidate


def _within(value: int | None, highest: int) -> bool:
    return value is None or 1 <= value <= highest


def _dated(claimed: frozenset[Day], evidence: Figures) -> bool:
    return any(_agrees(day, known, evidence) for day in claimed for known_days in evidence.days for known in known_days)


def _agrees(claimed: Day, known: Day, evidence: Figures) -> bool:
    """A date may be told less exactly than the evidence does; a year may stand elsewhere in the evidence."""
    year, month, day = claimed
    year_known = year is None or year == known[0] or (known[0] is None and Decimal(year) in evidence.readings)
    return year_known and month == known[1] and (day is None or day == known[2])


def _on_the_hour(time: int, known: frozenset[Decimal]) -> bool:
    """18:00 is also said as 18h, a plain number."""
    return time % 60 == 0 and Decimal(time // 60) in known


def _take_times(text: str) -> tuple[str, set[int]]:
    times: set[int] = set()

    def take(match: re.Match[str]) -> str:
        half = (match["am"] or match["am2"] or "")[:1]
        hour, minute = int(match["h"]), int(match["m"] or 0)
        if hour > 24 or minute > 59 or ("." in match[0] and not half):
            return match[0]
        times.add((hour % 12 + (12 if half == "p" else 0) if half else hour) * 60 + minute)
        return " " * len(match[0])

    return _TIME.sub(take, text), times


def _take_identifiers(text: str) -> tuple[str, set[str]]:
    found: set[str] = set()

    def take(match: re.Match[str]) -> str:
        if _NUMBER.fullmatch(match[0]) and readings(match[0]):
            return match[0]
        found.add(match[0].casefold().rstrip(".,;:)"))
        return " " * len(match[0])

    return _IDENTIFIER.sub(take, text), found
