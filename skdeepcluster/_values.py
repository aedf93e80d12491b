"""Numbers and dates in strings, as people and their programs write them."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from skdeepcluster._extras import import_extra

# Texts in place of a value, in lower case.
GAPS = frozenset(
    "|?|-|--|.|..|...|\u2014|\u2013|na|n/a|n.a.|#n/a|<na>|nan|nat|nil|none|null|missing|unknown|"
    "tbd|k.a.|keine angabe|#div/0!|#value!|#ref!|0000-00-00".split("|")
)

# A number, with a point or else a comma before its decimals, and what is around it.
WRITTEN = [
    re.compile(
        r"(?P<sign>[+-]?)\s*(?P<before>[$€£¥]|[A-Z]{3} )?\s*(?P<minus>-?)"
        rf"(?P<digits>(?:{digits})(?:[eE][+-]?\d+)?|inf)\s*(?P<after>[^\d\s.,][^\d]*)?"
    )
    for digits in (
        r"[1-9]\d{0,2}(?:[, '\u2019]\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+",
        r"[1-9]\d{0,2}(?:[. '\u2019]\d{3})+(?:,\d+)?|\d+(?:,\d+)?",
    )
]
# Thousands in numbers without decimals.
GROUPED = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
CODE = re.compile(r"0\d")
MULTIPLES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}

DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%y", "%Y.%m.%d"),
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
    *("%b-%y", "%b %Y", "%B %Y", "%Y-%m", "%m/%Y", "%Y%m%d", "%a, %d %b %Y"),
)
TIMES = ("", "{}%H:%M", "{}%H:%M:%S", "{}%H:%M:%S.%f", "{}%I:%M %p", "{}%I:%M:%S %p")
FORMATS = [
    *(
        day + time.format(between)
        for day, time in itertools.product(DAYS, TIMES)
        for between in (" ", "T")[: 1 + (day == DAYS[0])]
    ),
    *(time.format("") for time in TIMES[1:]),
]
# The zone at the end of a time: what it says there is what the clock showed.
ZONE = r"(?<=\d)\s*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)$"


@dataclass(frozen=True)
class Numbers:
    """Numbers of strings.

    Parameters
    ----------
    values : ndarray
        NaN for strings that are none.
    units : frozenset of str
        What stands before and after them.
    """

    values: np.ndarray
    units: frozenset[str]

    @property
    def share(self) -> float:
        """Share of the strings that are numbers."""
        return float(np.mean(~np.isnan(self.values))) if len(self.values) else 0.0


def numbers_in(strings: Iterable[Any]) -> Numbers:
    """Read numbers of strings, in the way that reads most of them."""
    texts = [plain(str(it)) for it in strings]
    ways = [[pattern.fullmatch(it) for it in texts] for pattern in WRITTEN]
    counts = [sum(it is not None for it in way) for way in ways]
    comma = counts[1] > counts[0] or with_thousands(ways[0])
    found = ways[comma]
    if any(it and CODE.match(it["digits"]) for it in found):
        return Numbers(np.full(len(texts), np.nan), frozenset())
    known = [it for it in found if it]
    after = {(it["after"] or "").strip() for it in known}
    several = len(after) > 1 or any(it["before"] for it in known)
    multiplied = several and after <= {"", "-", *MULTIPLES}
    values = np.array([value_of(it, comma, multiplied) for it in found], dtype=float)
    units = {
        (it["before"] or "").strip() + unit_of(it, multiplied).lower() for it in known
    }
    return Numbers(values, frozenset(units))


def plain(text: str) -> str:
    """Write minus signs, spaces and the parentheses of what is owed in one way."""
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    text = text.replace("\N{NO-BREAK SPACE}", " ").replace("\u202f", " ")
    owed = re.fullmatch(r"([$€£¥]?)\((.*\d.*)\)", text)
    return f"-{owed[1]}{owed[2]}" if owed else text


def with_thousands(found: list[Any]) -> bool:
    """Whether points stand before thousands: by three digits each, or by none."""
    digits = [it["digits"] for it in found if it]
    pointed = [it for it in digits if "." in it]
    grouped = pointed and all(map(GROUPED.fullmatch, pointed))
    return bool(grouped) and len(pointed) < len(digits)


def unit_of(found: Any, multiplied: bool) -> str:
    """Return what stands after a number, but for a minus and a multiple."""
    after = (found["after"] or "").strip()
    return "" if after == "-" or (multiplied and after in MULTIPLES) else after


def value_of(found: Any, comma: bool, multiplied: bool) -> float:
    """Return the number that was found."""
    if found is None:
        return np.nan
    digits = re.sub(r"[. '\u2019]" if comma else r"[, '\u2019]", "", found["digits"])
    value = float(digits.replace(",", "."))
    after = (found["after"] or "").strip()
    if multiplied:
        value *= MULTIPLES.get(after, 1.0)
    negative = "-" in (found["sign"], found["minus"], after)
    return -value if negative else value


def format_of(strings: Any) -> tuple[str, bool] | None:
    """Format of dates in strings, and whether day and month might change places.

    Parameters
    ----------
    strings : pandas.Series
        Distinct ones.
    """
    strings = without_zone(strings)
    some = strings.head(5).tolist()
    for way in FORMATS:
        if all(fits(it, way) for it in some) and dates_in(strings, way).notna().all():
            other = way.replace("%d", "%D").replace("%m", "%d").replace("%D", "%m")
            open_ = way.startswith(("%m/%d", "%m-%d"))
            return way, open_ and bool(dates_in(strings, other).notna().all())
    return None


def fits(text: str, way: str) -> bool:
    """Whether a date is written in a format, with two digits for minutes."""
    if re.search(r":\d(?!\d)", text):
        return False
    try:
        datetime.strptime(text, way)
    except ValueError:
        return False
    return True


def dates_in(strings: Any, way: str) -> Any:
    """Read dates in one format, those with a zone as the clock showed them."""
    pandas = import_extra("pandas", "tables", "Reading dates")
    strings = without_zone(strings.astype("string"))
    return pandas.to_datetime(strings, format=way, errors="coerce")


def without_zone(strings: Any) -> Any:
    """Leave out the zone at the end of times."""
    return strings.str.replace(ZONE, "", regex=True).str.strip()
