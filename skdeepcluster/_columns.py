"""Columns of a table as people have it: what kind each is, and what it holds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skdeepcluster._extras import import_extra

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

KINDS = ("number", "category", "date", "text")

# Texts in place of a value, in lower case.
GAPS = frozenset("|?|-|--|.|..|...|na|n/a|#n/a|<na>|nan|nat|nil|none|null".split("|"))

# Strings that differ in more than this share of the rows name rows, unless they are
# texts, of this many words on average at least.
MOST_VALUES, FEWEST_WORDS = 0.5, 4

# Values of a category, and terms of a text, that clusters are described by, at most.
MOST_LEVELS, MOST_TERMS = 30, 200

# A number with a sign of a currency before it or a unit after it, with a point or else
# a comma before its decimals.
NUMBERS = [
    re.compile(
        rf"([$€£¥]?)\s*([+-]?(?:{digits})(?:[eE][+-]?\d+)?)\s*([^\d\s.,][^\d]*)?"
    )
    for digits in (r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+", r"[\d.]*\d,\d+")
]
CODE = re.compile(r"[^\d]*0\d")

# Names that numbers of rows go by, where each row has one of its own.
ROW_NAMES = re.compile(
    r"(.*[_\W])?(id|ids|uuid|guid|index|rowid|rownames?)|unnamed: \d+"
)


@dataclass
class Column:
    """How a column is read.

    Parameters
    ----------
    name : object
    kind : {"number", "category", "date", "text"}
    dates : skrub.ToDatetime or None, default=None
        What reads dates from strings.
    unit : str, default=""
        What stands after each number, or before it.
    """

    name: Any
    kind: str
    dates: Any = None
    unit: str = ""

    def read(self, values: Any) -> np.ndarray:
        """Read values of a column that is like the one that was looked at.

        Parameters
        ----------
        values : pandas.Series

        Returns
        -------
        ndarray
            Numbers, with NaN where there is none; dates, with NaT; or objects that are
            strings, with None.
        """
        if self.kind == "number":
            return self._numbers(values)
        if self.kind == "date":
            return self._dates(values)
        known = known_values(values)
        read = np.full(len(values), None, dtype=object)
        read[known.to_numpy()] = [as_text(it) for it in values[known]]
        return read

    def _numbers(self, values: Any) -> np.ndarray:
        if is_time_span(values):
            numbers = values.dt.total_seconds().to_numpy(np.float64, na_value=np.nan)
        elif is_numeric(values):
            numbers = values.to_numpy(np.float64, na_value=np.nan)
        else:
            known = known_values(values)
            found, _ = parsed(values[known])
            if found is None:
                wrong = next(it for it in values[known] if parsed([it])[0] is None)
                raise ValueError(
                    f"Column {self.name!r} holds {wrong!r}, and numbers where the "
                    "table was fitted: mend the value, or leave it empty."
                )
            numbers = np.full(len(values), np.nan)
            numbers[known.to_numpy()] = found
        if np.isinf(numbers).any():
            raise ValueError(
                f"Column {self.name!r} holds infinite values: replace them, as by the "
                "largest finite one, or leave them empty."
            )
        return numbers

    def _dates(self, values: Any) -> np.ndarray:
        if str(values.dtype).startswith("period"):
            values = values.dt.to_timestamp()
        elif is_text(values):
            values = values.astype(object).where(known_values(values), None)
            if self.dates is None:
                pandas = import_extra("pandas", "tables", "Reading dates")
                values = pandas.to_datetime(values)
            else:
                values = self.dates.transform(values)
        if not str(values.dtype).startswith("datetime64"):
            raise ValueError(
                f"Column {self.name!r} holds {values.dtype}, and dates where the table "
                "was fitted: give dates, as pandas.to_datetime makes them."
            )
        if values.dt.tz is not None:
            values = values.dt.tz_convert(None)
        return values.to_numpy("datetime64[us]")


def as_frame(X: Any) -> Any:
    """Table of any library, or array, as a frame of pandas."""
    pandas = import_extra("pandas", "tables", "Reading a table")
    if isinstance(X, pandas.DataFrame):
        frame = X
    elif hasattr(X, "columns"):
        # Frames of other libraries need no further one for this.
        columns = {name: np.asarray(X[name]) for name in X.columns}
        frame = pandas.DataFrame(columns)
    else:
        array = np.asarray(X)
        if array.ndim != 2:
            raise ValueError(
                f"X has the shape {array.shape}: give a table of rows and columns."
            )
        frame = pandas.DataFrame(
            array, columns=[f"x{i}" for i in range(array.shape[1])]
        )
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"X has several columns named {twice!r}: rename all but one.")
    return frame.infer_objects()


def is_numeric(values: Any) -> bool:
    """Whether a column holds numbers, and is none of truth values."""
    return values.dtype.kind in "iuf"


def is_time_span(values: Any) -> bool:
    """Whether a column holds durations."""
    return values.dtype.kind == "m"


def is_text(values: Any) -> bool:
    """Whether a column holds strings."""
    return str(values.dtype).startswith(("str", "object", "string", "category"))


def as_text(value: Any) -> str:
    """Name of a value of a category."""
    return value.strip() if isinstance(value, str) else str(value)


def known_values(values: Any) -> Any:
    """Where a column holds something."""
    known = values.notna()
    if is_text(values):
        known &= ~values.astype(str).str.strip().str.lower().isin(GAPS)
    return known


def parsed(values: Any) -> tuple[np.ndarray | None, set[str]]:
    """Numbers of strings and their units; None where any of them is none."""
    texts = [str(it).strip() for it in values]
    if not any(CODE.match(it) for it in texts):
        for pattern, point in zip(NUMBERS, ".,", strict=True):
            found = [it for it in map(pattern.fullmatch, texts) if it]
            if found and len(found) == len(texts):
                thousands = "," if point == "." else "."
                digits = [it[2].replace(thousands, "") for it in found]
                numbers = [float(it.replace(point, ".")) for it in digits]
                units = {(it[1] + (it[3] or "")).strip().lower() for it in found}
                return np.array(numbers), units
    return None, set()


def looked_at(values: Any, name: Any, kind: str | None = None) -> Column | str:
    """Tell of which kind a column is, or why it is left out.

    Parameters
    ----------
    values : pandas.Series
    name : object
    kind : str or None, default=None
        What it is to be. None looks.
    """
    known = values[known_values(values)]
    if len(known) == 0:
        return "it is empty"
    if isinstance(known.iloc[0], list | tuple | dict | set | np.ndarray):
        return f"its cells hold a {type(known.iloc[0]).__name__}"
    found = Guess("category")
    if is_time_span(values) or is_numeric(values):
        found = Guess("number", numbers_rows=numbers_rows(known, name, len(values)))
    elif re.match("datetime|period", str(values.dtype)):
        found = Guess("date")
    elif is_text(values) and str(values.dtype) != "category":
        found = of_objects(known, name, len(values))
    if kind in ("number", "date") and found.kind != kind:
        raise ValueError(
            f"kinds says that column {name!r} is a {kind}, and it holds "
            f"{known.iloc[0]}: leave it out of kinds, or give what is one."
        )
    if kind is None and found.reason:
        return found.reason
    kind = kind or found.kind
    if kind != "text" and known.nunique() == 1 and len(known) == len(values):
        return "it has one value"
    return Column(name, kind, found.dates, found.unit)


@dataclass
class Guess:
    """What a column seems to be.

    Parameters
    ----------
    kind : str
    dates, unit
        As of a column.
    reason : str, default=""
        Why it is left out unless its kind is given.
    numbers_rows : bool, default=False
        Whether that is because it numbers the rows.
    """

    kind: str
    dates: Any = None
    unit: str = ""
    reason: str = ""
    numbers_rows: bool = False

    def __post_init__(self) -> None:
        if self.numbers_rows:
            self.reason = "it numbers the rows"


def of_objects(known: Any, name: Any, n_rows: int) -> Guess:
    """Tell what a column of strings or other objects holds."""
    pandas = import_extra("pandas", "tables", "Reading a table")
    inside = pandas.api.types.infer_dtype(known, skipna=True)
    if inside in ("date", "datetime", "datetime64"):
        return Guess("date")
    if inside == "boolean":
        return Guess("category")
    distinct = known.astype(str).str.strip().drop_duplicates()
    numbers, units = parsed(distinct)
    several = len(distinct) > max(MOST_VALUES * len(known), 2)
    if numbers is not None and len(units) == 1:
        rows = len(distinct) == len(known) and numbers_rows(
            pandas.Series(numbers), name, n_rows
        )
        return Guess("number", unit=units.pop(), numbers_rows=rows)
    if numbers is not None and several:
        some = ", ".join(repr(it) for it in sorted(units)[:3])
        return Guess("category", reason=f"its numbers have several units: {some}")
    dates = reader_of_dates(distinct)
    if dates is not None:
        return Guess("date", dates)
    if not several:
        return Guess("category")
    if distinct.str.split().str.len().mean() >= FEWEST_WORDS:
        return Guess("text")
    return Guess("category", reason="nearly every row has a value of its own there")


def reader_of_dates(distinct: Any) -> Any:
    """Return what reads dates of strings, or None where they are none."""
    # What has no digit, or nothing between two, is no date.
    if not distinct.str.contains(r"\d.*[-/.:, ].*\d").all():
        return None
    skrub: Any = import_extra("skrub", "tables", "Reading dates")
    reader = skrub.ToDatetime()
    try:
        reader.fit(distinct.astype(object))
    except ValueError:
        return None
    return reader


def numbers_rows(known: Any, name: Any, n_rows: int) -> bool:
    """Whether numbers are those of rows: all differ, without gaps or by their name."""
    if len(known) < max(n_rows, 3) or not known.is_unique or is_time_span(known):
        return False
    if ROW_NAMES.fullmatch(str(name).strip().lower()):
        return True
    whole = (known % 1 == 0).all()
    return bool(whole and known.max() - known.min() == n_rows - 1)


@dataclass(frozen=True)
class Feature:
    """Something that a column says of a row, as a number.

    Parameters
    ----------
    column : object
        The column.
    name : str
        As ``weight``, ``color = red`` or ``hour of date``.
    kind : {"number", "date", "share"}
        What is told of many rows: a median, as a number or a date, or the share of
        those of which it holds.
    unit : str, default=""
        That of numbers.
    """

    column: Any
    name: str
    kind: str
    unit: str = ""

    def told(self, here: np.ndarray, elsewhere: np.ndarray) -> str:
        """Tell what rows of a cluster have, and what all others have."""
        here, elsewhere = (it[~np.isnan(it)] for it in (here, elsewhere))
        if self.kind == "share":
            shares = (
                f"{100 * np.mean(it):.0f} %" if len(it) else "none"
                for it in (here, elsewhere)
            )
            return "{}: {} here, {} elsewhere".format(self.name, *shares)
        middle = "median", np.median
        if self.kind == "number" and len(here) and len(elsewhere):
            # Of whole numbers, medians may be equal and yet most values larger.
            if np.median(here) == np.median(elsewhere):
                middle = "mean", np.mean
        values = (
            self._in_words(float(middle[1](it))) if len(it) else "none"
            for it in (here, elsewhere)
        )
        return "{}: {} {} here, {} elsewhere".format(self.name, middle[0], *values)

    def named(self, effect: float) -> str:
        """Name rows by what they have more or less of than others."""
        if self.kind == "share":
            return self.name if effect > 0 else self.name.replace(" = ", " is not ", 1)
        more, less = ("later", "earlier") if self.kind == "date" else ("high", "low")
        return f"{more if effect > 0 else less} {self.name}"

    def _in_words(self, value: float) -> str:
        if self.kind == "date":
            date = np.datetime64(round(value), "s")
            day = date.astype("datetime64[D]")
            return str(day if day == date else date.astype("datetime64[m]")).replace(
                "T", " "
            )
        digits = f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        if "$€£¥".find(self.unit[:1] or " ") >= 0:
            return self.unit + digits
        return f"{digits} {self.unit}".strip()


def is_readable(X: Any) -> bool:
    """Whether rows are a table with words, dates or gaps."""
    if not hasattr(X, "columns"):
        return False
    frame = as_frame(X)
    return any(
        not is_numeric(frame[name]) or frame[name].isna().any() for name in frame
    )


def read_table(X: Any) -> tuple[np.ndarray, list[Feature]]:
    """Return what columns say, as numbers, with NaN where nothing is known."""
    frame = as_frame(X)
    rows, features = [], []
    for name in frame.columns:
        column = looked_at(frame[name], name)
        if isinstance(column, str):
            continue
        for feature, values in said_by(column, column.read(frame[name])):
            features.append(feature)
            rows.append(values)
    if not features:
        raise ValueError(
            "X has no column that describes clusters: columns that number or name the "
            "rows, or have one value, tell nothing."
        )
    return np.column_stack(rows), features


def said_by(column: Column, values: np.ndarray) -> Iterator[tuple[Feature, np.ndarray]]:
    """Yield what a column says of each row."""
    name = column.name
    if column.kind == "text":
        yield from terms_of(name, values)
        return
    if column.kind == "category":
        gaps = np.array([it is None for it in values])
        levels, counts = np.unique(values[~gaps], return_counts=True)
        for level in levels[np.argsort(-counts, kind="stable")[:MOST_LEVELS]]:
            yield Feature(name, f"{name} = {level}", "share"), (values == level) * 1.0
    elif column.kind == "date":
        gaps = np.isnat(values)
        seconds = np.where(gaps, np.nan, values.astype("datetime64[s]").astype(float))
        yield Feature(name, str(name), "date"), seconds
        days = np.floor(seconds / 86_400)
        if np.nanmax(seconds - 86_400 * days) > 0:
            yield Feature(name, f"hour of {name}", "number"), seconds % 86_400 / 3600
        # The first day of 1970 was a Thursday.
        weekdays = np.where(gaps, -1, np.nan_to_num(days) + 3) % 7
        if len(np.unique(days[~gaps])) > 2:
            for place, day in enumerate(WEEKDAYS):
                on = np.where(gaps, 0.0, weekdays == place)
                yield Feature(name, f"weekday of {name} = {day}", "share"), on
    else:
        gaps = np.isnan(values)
        yield Feature(name, str(name), "number", column.unit), values
    if gaps.any():
        yield Feature(name, f"{name} = missing", "share"), gaps * 1.0


def terms_of(name: Any, values: np.ndarray) -> Iterator[tuple[Feature, np.ndarray]]:
    """Terms that the texts of a column have."""
    vectorizer = CountVectorizer(
        binary=True, max_features=MOST_TERMS, stop_words="english", dtype=np.float64
    )
    texts = ["" if it is None else it for it in values]
    try:
        found = vectorizer.fit_transform(texts).toarray()
    except ValueError:
        # There is no word but stop words.
        return
    for place, term in enumerate(vectorizer.get_feature_names_out()):
        yield Feature(name, f"{name} has {term!r}", "share"), found[:, place]
