"""Files as people have them, read for the shell command."""

import codecs
import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skdeepcluster._columns import NAMES_ROWS, NUMBERS_ROWS, Column, looked_at
from skdeepcluster._extras import import_extra
from skdeepcluster._values import numbers_in

SUFFIXES = ".csv, .tsv, .parquet, .npy or .npz"

# Bytes of a file that tell what its columns are parted by.
SNIFFED = 1 << 16


@dataclass
class Data:
    """What was read.

    Parameters
    ----------
    kind : {"table", "texts", "rows", "images"}
    X : object
        A data frame, a list of texts, or rows of numbers.
    told : str
        What it is, in words.
    notes : list of str, default=<factory>
        What the user should know of it.
    ids : dict of str to sequence, default=<factory>
        Columns that name the rows: never clustered, and kept in what is written.
    images : object, default=None
        What the rows were made of.
    dates : ndarray or None, default=None
        Dates of texts, if one column of their table holds dates.
    """

    kind: str
    X: Any
    told: str
    notes: list[str] = field(default_factory=list)
    ids: dict[str, Sequence[Any]] = field(default_factory=dict)
    images: Any = None
    dates: np.ndarray | None = None


@dataclass(frozen=True)
class Choice:
    """Which columns of a table count, and as what.

    Parameters
    ----------
    columns, drop, ids, text : sequence of str, default=()
        Columns to cluster by, those to leave out, those that name rows, and those of
        texts.
    """

    columns: Sequence[str] = ()
    drop: Sequence[str] = ()
    ids: Sequence[str] = ()
    text: Sequence[str] = ()

    def _options(self) -> dict[str, Sequence[str]]:
        names = {"--columns": self.columns, "--drop": self.drop}
        return {**names, "--id": self.ids, "--text": self.text}

    def refuse(self, path: Path) -> None:
        """Refuse columns of what has none."""
        for option, names in self._options().items():
            if names:
                raise ValueError(f"{path} has no names of columns: leave out {option}.")

    def check(self, frame: Any) -> None:
        """Refuse columns that a table hasn't."""
        for option, names in self._options().items():
            for name in names:
                if name not in frame.columns:
                    raise ValueError(
                        f"{option} names the column {name!r}, which the table hasn't: "
                        f"it has {', '.join(map(str, frame.columns))}."
                    )


def read_file(path: Path, choice: Choice) -> Data:
    """Read a table, or rows in an array."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        choice.refuse(path)
        X = array_of(path)
        return Data("rows", X, f"{X.shape[0]} rows, {X.shape[1]} columns")
    if suffix not in (".csv", ".tsv", ".parquet"):
        raise ValueError(f"{path} has the suffix {suffix!r}: give {SUFFIXES}.")
    frame, notes = frame_of(path)
    choice.check(frame)
    data = table_of(frame, choice)
    data.notes[:0] = notes
    return data


def frame_of(path: Path) -> tuple[Any, list[str]]:
    """Read a table, and tell what was odd about its file."""
    pandas = import_extra("pandas", "tables", "Reading a table")
    if path.suffix.lower() == ".parquet":
        try:
            return pandas.read_parquet(path), []
        except ImportError as error:
            raise ImportError(
                "Reading .parquet needs pyarrow: pip install pyarrow"
            ) from error
    notes = []
    encoding = encoding_of(path)
    if encoding == "cp1252":
        notes.append("the file is not in UTF-8, and is read as Windows-1252")
    with open(path, encoding=encoding, errors="replace", newline="") as file:
        start = file.read(SNIFFED)
    if "\0" in start:
        raise ValueError(f"{path} is no text: give {SUFFIXES}.")
    if not start.strip():
        raise ValueError(
            f"{path} is empty: give a line of names, and one for each row."
        )
    try:
        parted_by = csv.Sniffer().sniff(start, delimiters=",;\t|").delimiter
    except csv.Error:
        # A single column, or texts that confuse it.
        parted_by = "\t" if path.suffix.lower() == ".tsv" else ","
    # As strings, so that codes such as 01234 and dates stay what they are.
    try:
        frame = pandas.read_csv(
            path,
            sep=parted_by,
            encoding=encoding,
            encoding_errors="replace",
            dtype=str,
            skipinitialspace=True,
        )
    except ValueError as error:
        raise ValueError(
            f"{path} is no table of one line of names and as many values in each row, "
            f"parted by {parted_by!r}: {error}"
        ) from error
    named = [str(name) for name in frame.columns]
    if numbers_in(named).share > 0.5:
        notes.append("the names of the columns are numbers: is there a line of names?")
    if sum(name.startswith("Unnamed:") for name in named) > 1:
        notes.append(
            "several columns have no name: the line of names has to be the first"
        )
    return frame, notes


def encoding_of(path: Path) -> str:
    """Tell the encoding of a file of text."""
    with open(path, "rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            while file.read(SNIFFED):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def array_of(path: Path) -> np.ndarray:
    """Rows in an array, or in the array ``X`` of several."""
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} holds no array of numbers, as numpy.save writes it."
        ) from error
    if not isinstance(found, np.ndarray):
        with found as arrays:
            names = list(arrays)
            if len(names) > 1 and "X" not in names:
                raise ValueError(
                    f"{path} holds the arrays {', '.join(names)}: name the one to "
                    "cluster X."
                )
            found = arrays["X" if "X" in names else names[0]]
    if found.ndim != 2:
        raise ValueError(
            f"{path} holds an array of shape {found.shape}: give rows and columns, as "
            "X.reshape(len(X), -1) makes them."
        )
    return found


def table_of(frame: Any, choice: Choice) -> Data:
    """Columns of a table to cluster by, or the texts of one that is made of texts."""
    ids = {str(name): frame[name].tolist() for name in choice.ids}
    columns: list[Column] = []
    notes = []
    for name in frame.columns:
        if name in {*choice.drop, *choice.ids}:
            continue
        column = looked_at(frame[name], name)
        wanted = not choice.columns or name in choice.columns
        if not isinstance(column, str):
            if wanted:
                columns.append(column)
            continue
        kept = column in (NUMBERS_ROWS, NAMES_ROWS) and name not in choice.text
        if kept:
            ids[str(name)] = frame[name].tolist()
        if wanted and name not in choice.text:
            words = ", and is kept beside the clusters" * kept
            notes.append(f"column {name!r} is left out: {column}{words}")
    kinds = {column.name: column.kind for column in columns}
    text = list(choice.text) or texts_of(frame, kinds)
    if text:
        others = [repr(name) for name in kinds if name not in text]
        if others and not choice.text:
            notes.append(
                f"column {text[0]!r} holds most of what is written, and its texts are "
                f"clustered without {', '.join(others)}: --columns takes others"
            )
        kept = frame[text].fillna("").astype(str)
        texts = kept.agg("\n".join, axis=1).str.strip().tolist()
        told = f"{len(texts)} texts in {', '.join(map(repr, text))}"
        dated = [column for column in columns if column.kind == "date"]
        dates = dated[0].read(frame[dated[0].name]) if len(dated) == 1 else None
        notes += [column.note for column in dated if column.note]
        return Data("texts", texts, told, notes, ids, dates=dates)
    if not kinds:
        raise ValueError(
            f"The table has no column to cluster by in {len(frame)} rows: "
            f"{'; '.join(notes) or 'it has none'}."
        )
    told = ", ".join(
        f"{count} {PLURALS[kind] if count > 1 else kind}"
        for kind in PLURALS
        if (count := [*kinds.values()].count(kind))
    )
    told = f"{len(frame)} rows, {len(kinds)} columns ({told})"
    return Data("table", frame[[*kinds]], told, notes, ids)


PLURALS = {
    "number": "numbers",
    "category": "categories",
    "date": "dates",
    "text": "texts",
}


def texts_of(frame: Any, kinds: dict[Any, str]) -> list[Any]:
    """Return the column of texts of a table that is mostly text, if it has one."""
    texts = [name for name, kind in kinds.items() if kind == "text"]
    if len(texts) != 1:
        return []
    written = {name: frame[name].astype(str).str.len().sum() for name in kinds}
    return texts if 2 * written[texts[0]] > sum(written.values()) else []
