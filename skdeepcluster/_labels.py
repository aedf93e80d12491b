"""Labels as vectors: what is missing in them, and what is noise."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from skdeepcluster._sklearn import is_pandas_na


def label_vector(labels: Any, name: str, warn: bool = False) -> np.ndarray:
    """Labels as a vector in which what is missing is no label."""
    if np.ma.isMaskedArray(labels):
        masked, labels = np.ma.getmaskarray(labels), np.array(labels, dtype=object)
        labels[masked] = None
    found = np.asarray(labels)
    if found.dtype.kind in "US":
        if isinstance(labels, list | tuple):
            whole = np.array(labels, dtype=object)
            # Of NaN and numbers beside strings, numpy has made strings.
            if not all(isinstance(label, str | bytes) for label in whole.ravel()):
                found = whole
        elif (found.astype(str) == "nan").any():
            raise ValueError(
                f"{name} is an array of strings and holds 'nan', which numpy makes of "
                f"a missing value: give {name} as a list or of dtype object, with None "
                "or NaN where a label is missing."
            )
    return column_or_1d(found, warn=warn)


def check_labels(labels: Any, name: str) -> np.ndarray:
    """Return labels as a vector, refusing what is none and rows without a label."""
    try:
        missing = is_missing(label_vector(labels, name))
        labels = column_or_1d(labels)
    except ValueError as error:
        raise ValueError(f"{name} must hold one label for each row. {error}") from error
    if missing.any():
        raise ValueError(f"{name} has missing values: give every row a label.")
    return labels


def is_missing(labels: np.ndarray) -> np.ndarray:
    """Whether labels are missing: None, NaN, or what pandas has for it."""
    if labels.dtype.kind not in "fOmMT":
        return np.zeros(len(labels), dtype=bool)
    # What is missing differs from itself, but for those of which Python can't tell.
    return np.array(
        [it is None or is_pandas_na(it) or it != it for it in labels], dtype=bool
    )


def is_noise(labels: np.ndarray) -> np.ndarray:
    """Whether rows are in no cluster: HDBSCAN has several negative labels for that."""
    if labels.dtype.kind == "O":
        return np.array([isinstance(label, Real) and label < 0 for label in labels])
    return labels < 0 if labels.dtype.kind in "if" else np.zeros(len(labels), bool)


def one_noise(labels: Any) -> np.ndarray:
    """Return labels with noise of any kind being -1."""
    labels = np.array(labels)
    labels[is_noise(labels)] = -1
    return labels


def comparable(labels: np.ndarray) -> bool:
    """Whether there are clusters to tell apart: more than one, and fewer than rows."""
    return 1 < len(np.unique(labels)) < len(labels)
