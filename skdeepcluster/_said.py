"""What the columns of a table say of its rows, in numbers and in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skdeepcluster._columns import Column, is_numeric, looked_at

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

# Values of a category, and terms of a text, that clusters are described by, at most.
MOST_LEVELS, MOST_TERMS = 30, 200

# Seconds from 1900 to 1970, where times without a day are.
NINETEEN_HUNDRED = 2_208_988_800

# Numbers from here on are easier to read in groups of three digits; years are below.
GROUPED = 10_000


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
            self.in_words(float(middle[1](it))) if len(it) else "none"
            for it in (here, elsewhere)
        )
        return "{}: {} {} here, {} elsewhere".format(self.name, middle[0], *values)

    def named(self, effect: float) -> str:
        """Name rows by what they have more or less of than others."""
        if self.kind == "share":
            return self.name if effect > 0 else self.name.replace(" = ", " is not ", 1)
        more, less = ("later", "earlier") if self.kind == "date" else ("high", "low")
        return f"{more if effect > 0 else less} {self.name}"

    def in_words(self, value: float) -> str:
        """Return a number or date as people write it."""
        if np.isnan(value):
            return "missing"
        if self.kind == "date":
            date = np.datetime64(round(value), "s")
            if 0 <= value + NINETEEN_HUNDRED < 86_400:
                # A time of no day.
                return str(date.astype("datetime64[m]"))[-5:]
            day = date.astype("datetime64[D]")
            return str(day if day == date else date.astype("datetime64[m]")).replace(
                "T", " "
            )
        digits = f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
        if abs(value) >= GROUPED:
            digits = f"{value:,.0f}"
        if "$€£¥".find(self.unit[:1] or " ") >= 0:
            return self.unit + digits
        return f"{digits} {self.unit}".strip()


def is_wordy(frame: Any) -> bool:
    """Whether a table has words, dates or gaps."""
    return any(
        not is_numeric(frame[name]) or frame[name].isna().any() for name in frame
    )


def read_table(frame: Any) -> tuple[np.ndarray, list[Feature]]:
    """Return what columns say, as numbers, with NaN where nothing is known."""
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
