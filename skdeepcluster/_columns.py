"""Columns of a table as people have it: what kind each is, and what it holds."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdeepcluster._extras import import_extra
from skdeepcluster._rows import refuse_nested
from skdeepcluster._values import GAPS, Numbers, dates_in, format_of, numbers_in

KINDS = ("number", "category", "date", "text")

# Strings that differ in more than this share of the rows name rows, unless they are
# texts, of this many words on average at least.
MOST_VALUES, FEWEST_WORDS = 0.5, 4

# Columns of which fewer rows have a value say nothing of the others.
LEAST_KNOWN = 0.05

# Of a column of more numbers than a category has, so many strings must be numbers; the
# others count as gaps, and the user is told.
LEAST_NUMBERS, FEWEST_NUMBERS = 0.9, 20

# Why columns that tell rows apart, and nothing of them, are left out.
NUMBERS_ROWS = "it numbers the rows"
NAMES_ROWS = "nearly every row has a value of its own there"

# Names that numbers of rows go by, where each row has one of its own.
ROW_NAMES = re.compile(
    r"(.*[_\W])?(id|ids|uuid|guid|index|rowid|rownames?|no\.?|nr\.?|key)|unnamed: \d+"
)


@dataclass
class Column:
    """How a column is read.

    Parameters
    ----------
    name : object
    kind : {"number", "category", "date", "text"}
    way : str, default=""
        Format of dates in strings.
    unit : str, default=""
        What stands before or after each number.
    loose : bool, default=False
        Whether strings that are no numbers are gaps.
    note : str, default=""
        What the user should know of how it is read.
    """

    name: Any
    kind: str
    way: str = ""
    unit: str = ""
    loose: bool = False
    note: str = ""

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
            found = numbers_in(values[known])
            numbers = np.full(len(values), np.nan)
            numbers[known.to_numpy()] = found.values
            if known.any() and not self._fits(found):
                wrong = (it for it in values[known] if not self._fits(numbers_in([it])))
                # Each may be a number by itself, and yet written in another way.
                self._refuse(next(wrong, values[known].iloc[0]), "numbers")
        if np.isinf(numbers).any():
            raise ValueError(
                f"Column {self.name!r} holds infinite values: replace them, as by the "
                "largest finite one, or leave them empty."
            )
        return numbers

    def _fits(self, found: Numbers) -> bool:
        """Whether strings are numbers in the unit of the column."""
        return found.units <= {"", self.unit} and (self.loose or found.share == 1)

    def _refuse(self, value: Any, what: str) -> None:
        """Refuse a value that can't be read."""
        unit = f" in {self.unit!r}" if self.unit else ""
        raise ValueError(
            f"Column {self.name!r} holds {value!r}, and {what}{unit} where the table "
            "was fitted: mend the value, or leave it empty."
        )

    def _dates(self, values: Any) -> np.ndarray:
        if str(values.dtype).startswith("period"):
            values = values.dt.to_timestamp()
        elif self.way:
            known = known_values(values)
            texts = values.where(known, None)
            values = dates_in(texts, self.way)
            wrong = texts[known & values.isna()]
            if len(wrong):
                self._refuse(wrong.iloc[0], "dates")
        elif is_text(values):
            pandas = import_extra("pandas", "tables", "Reading dates")
            values = pandas.to_datetime(values)
        if not str(values.dtype).startswith("datetime64"):
            raise ValueError(
                f"Column {self.name!r} holds {values.dtype}, and dates where the table "
                "was fitted: give dates, as pandas.to_datetime makes them."
            )
        # What the clocks showed: hours and weekdays are those of the place.
        return values.dt.tz_localize(None).to_numpy("datetime64[us]")


def as_frame(X: Any) -> Any:
    """Table of any library, or array, as a frame of pandas."""
    pandas = import_extra("pandas", "tables", "Reading a table")
    refuse_nested(X)
    if isinstance(X, pandas.DataFrame):
        frame = X
    elif hasattr(X, "columns"):
        # Frames of other libraries need no further one for this.
        frame = pandas.DataFrame({name: np.asarray(X[name]) for name in X.columns})
    else:
        array = np.asarray(X)
        if array.ndim != 2:
            raise ValueError(
                f"X has the shape {array.shape}: give a table of rows and columns."
            )
        names = [f"x{column}" for column in range(array.shape[1])]
        frame = pandas.DataFrame(array, columns=names)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"X has several columns named {twice!r}: rename all but one.")
    if frame.columns.nlevels > 1:
        raise ValueError(
            "X has columns of several levels: make one name of each, as X.columns.map("
            "'_'.join) does."
        )
    frame = frame.infer_objects()
    of_arrow = [name for name in frame if str(frame[name].dtype).endswith("[pyarrow]")]
    if of_arrow:
        frame = frame.copy()
    for name in of_arrow:
        frame[name] = of_numpy(frame[name])
    return frame


def of_numpy(values: Any) -> Any:
    """Column of pyarrow's as one of numpy's."""
    if values.dtype.kind in "iuf":
        return values.astype("float64")
    if re.match("timestamp|date", str(values.dtype)):
        return values.astype("datetime64[us]")
    if values.dtype.kind == "m":
        return values.astype("timedelta64[us]")
    return values.astype(object).where(values.notna(), None)


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
    if kind is None and len(known) < LEAST_KNOWN * len(values):
        return f"{len(known)} of its {len(values)} rows have a value"
    reason = ""
    column = Column(name, "category")
    if is_time_span(values):
        column = Column(name, "number", unit="s")
    elif is_numeric(values):
        column, reason = of_numbers(known, name, len(values), kind)
    elif re.match("datetime|period", str(values.dtype)):
        column = Column(name, "date")
    elif is_text(values) and str(values.dtype) != "category":
        column, reason = of_objects(known, name, len(values))
    if kind in ("number", "date") and column.kind != kind:
        raise ValueError(
            f"kinds says that column {name!r} is a {kind}, and it holds "
            f"{known.iloc[0]}: leave it out of kinds, or give what is one."
        )
    if kind is None and reason:
        return reason
    if kind in ("category", "text"):
        column = Column(name, kind)
    if kind is None and known.nunique() == 1 and len(known) == len(values):
        return "it has one value"
    return column


def of_numbers(
    known: Any, name: Any, n_rows: int, kind: str | None
) -> tuple[Column, str]:
    """Tell what a column of numbers holds, and why it is left out."""
    if known.between(1900_01_01, 2100_12_31).all() and (known % 1 == 0).all():
        # As 20240131 for a day.
        found = format_of(known.astype("int64").astype(str).drop_duplicates())
        if found is not None and (kind == "date" or known.nunique() > 1):
            return Column(name, "date", found[0]), ""
    reason = NUMBERS_ROWS if numbers_rows(known, name, n_rows) else ""
    return Column(name, "number"), reason


def of_objects(known: Any, name: Any, n_rows: int) -> tuple[Column, str]:
    """Tell what a column of strings or other objects holds, and why it is left out."""
    pandas = import_extra("pandas", "tables", "Reading a table")
    inside = pandas.api.types.infer_dtype(known, skipna=True)
    if inside in ("date", "datetime", "datetime64"):
        return Column(name, "date"), ""
    category = Column(name, "category")
    if inside == "boolean":
        return category, ""
    texts = known.astype(str).str.strip()
    distinct = texts.drop_duplicates()
    several = len(distinct) > max(MOST_VALUES * len(known), 2)
    found = numbers_in(distinct)
    if found.share == 1 or (
        found.share >= LEAST_NUMBERS and len(distinct) >= FEWEST_NUMBERS
    ):
        dated = format_of(distinct) if distinct.str.fullmatch(r"\d{8}").all() else None
        if dated is not None:
            return Column(name, "date", dated[0]), ""
        if len(found.units) == 1:
            numbers = pandas.Series(found.values)
            whole = len(distinct) == len(known) and numbers_rows(numbers, name, n_rows)
            note = ""
            if found.share < 1:
                odd = distinct[np.isnan(found.values)].iloc[0]
                note = (
                    f"column {name!r} is of numbers, and {odd!r} in it counts as a gap"
                )
            (unit,) = found.units
            column = Column(name, "number", "", unit, found.share < 1, note)
            return column, NUMBERS_ROWS if whole else ""
        if several:
            some = ", ".join(repr(it) for it in sorted(found.units)[:3])
            return category, f"its numbers have several units: {some}"
    dated = format_of(distinct)
    if dated is not None:
        note = (
            f"dates in column {name!r} are read as month, day, year, and might be day, "
            "month, year"
        )
        return Column(name, "date", dated[0], note=note * dated[1]), ""
    if not several:
        return category, ""
    if distinct.str.split().str.len().mean() >= FEWEST_WORDS:
        return Column(name, "text"), ""
    return category, NAMES_ROWS


def numbers_rows(known: Any, name: Any, n_rows: int) -> bool:
    """Whether numbers are those of rows: all differ, without gaps or by their name."""
    if len(known) < max(n_rows, 3) or not known.is_unique:
        return False
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name).strip()).lower()
    whole = (known % 1 == 0).all()
    if whole and ROW_NAMES.fullmatch(words):
        return True
    return bool(whole and known.max() - known.min() == n_rows - 1)
