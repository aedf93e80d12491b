"""What rows may be, and what is made of them before anything else."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import config_context
from sklearn.utils import indexable
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import validate_data

from skdeepcluster._images import refuse_images
from skdeepcluster._sklearn import _safe_indexing
from skdeepcluster._warnings import warn

# Rows that variances are taken of, about, and the share that is told of. Four of 63
# labelled sets have a column with more: scaling gives k-means .26 to .34 in accuracy in
# three, and the fourth holds no clusters. With less, it loses as often as it gains.
ROWS_FOR_UNITS = 10_000
DOMINANT_SHARE = 0.99

# What holds no rows until it is asked for them, by class or library, and how to ask.
ASKED_FOR_ROWS = {
    "LazyFrame": "collect",
    "Delayed": "compute",
    "Bag": "compute",
    "pyspark": "toPandas",
    "duckdb": "df",
    "ibis": "to_pandas",
}

EVEN = (
    "bring series to one length (pad, cut or resample them) and images to one size, or "
    "make features of each, as its mean and standard deviation."
)


def sample_rows(n_samples: int, sample_size: int | None, seed: int) -> np.ndarray:
    """Return sorted indices of a sample that depends on the arguments alone."""
    if sample_size is None or sample_size >= n_samples:
        return np.arange(n_samples)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_samples, sample_size, replace=False))


def dtypes_of(X: Any) -> Iterable[Any]:
    """Types of the columns of a frame, or the one of an array, None without one."""
    return X.dtypes if hasattr(X, "columns") else [getattr(X, "dtype", None)]


def refuse_dates(X: Any) -> None:
    """Refuse columns of dates and time spans, whose unit is anybody's guess."""
    for dtype in dtypes_of(X):
        if re.match("date|time|period|duration", str(dtype).lower()):
            raise TypeError(
                f"X holds dates or time spans ({dtype}): give numbers in a unit of your"
                " choice, as (X - X.min()) / np.timedelta64(1, 's') does."
            )


def refuse_holders(X: Any) -> None:
    """Refuse what holds rows beside other things, and say where it has them."""
    names = {each.__name__ for each in type(X).__mro__}
    if "AnnData" in names and hasattr(X, "obsm"):
        places = ["adata.X", *(f"adata.obsm[{key!r}]" for key in X.obsm)]
        raise TypeError(
            "X is an AnnData object: give the rows in it, as adata.obsm['X_pca'] or "
            f"adata.X. It has {', '.join(places)}."
        )
    # Some frames and sparse matrices are mappings as well.
    if hasattr(X, "keys") and not hasattr(X, "shape"):
        keys = ", ".join(map(repr, X.keys()))
        raise TypeError(
            f"X is a {type(X).__name__} with the keys {keys}: give the rows in it, as "
            "X['data'], or a DataFrame of the columns in it."
        )
    if isinstance(X, str | PathLike):
        raise TypeError(
            f"X is the name {str(X)!r}: read the rows of the file first, as "
            "numpy.load or pandas.read_csv does."
        )
    if names & {"DataLoader", "Dataset"}:
        raise TypeError(
            f"X is a {type(X).__name__}: give its rows in one array, as "
            "numpy.stack([numpy.ravel(row) for row, *_ in dataset]) makes of a Dataset."
        )
    refuse_unread(X)


def refuse_unread(X: Any) -> None:
    """Refuse what has no rows yet, or gives them once, and say how to get them."""
    for each in type(X).__mro__:
        for name in (each.__name__, each.__module__.partition(".")[0]):
            method = ASKED_FOR_ROWS.get(name, "")
            if method and hasattr(X, method):
                raise TypeError(
                    f"X is a {type(X).__name__}, which holds no rows until it is asked "
                    f"for them: give X.{method}()."
                )
    known = any(hasattr(X, name) for name in ("__getitem__", "__array__", "shape"))
    if isinstance(X, Iterable) and not known:
        raise TypeError(
            f"X is a {type(X).__name__}: give its rows in one array, as "
            "numpy.stack(list(X)) makes of it."
        )


def cell_shape(cell: Any) -> tuple[int, ...]:
    """Shape of a row of a list, or of what a cell of a table holds."""
    shape = (len(cell),) if isinstance(cell, list | tuple) else ()
    return tuple(getattr(cell, "shape", shape))


def holds_objects(dtype: Any) -> bool:
    """Whether cells of a type may hold several numbers."""
    return re.match("object|array|.*list", str(dtype).lower()) is not None


def refuse_nested(X: Any) -> None:
    """Refuse rows of different shapes, and arrays in the cells of a table."""
    if isinstance(X, list | tuple):
        # numpy stacks rows of one shape, but not sparse ones.
        if len(shapes_in("X", X)) == 1 and sp.issparse(X[0]):
            raise ValueError(
                "X is a list of sparse rows: give one matrix, scipy.sparse.vstack(X)."
            )
        return
    if not any(map(holds_objects, dtypes_of(X))):
        return
    if len(X.shape) == 1:
        if shapes_in("X", X) - {()}:
            raise ValueError(
                f"X is a {type(X).__name__} of arrays: give one array, numpy.stack(X)."
            )
        return
    framed = hasattr(X, "columns")
    for place in range(X.shape[1]):
        name = X.columns[place] if framed else place
        if shapes_in(f"Column {name!r} of X", _safe_indexing(X, place, axis=1)) - {()}:
            column = f"X[{name!r}]" if framed else f"X[:, {name}]"
            raise ValueError(
                f"Column {name!r} of X holds an array in each cell: give its numbers as"
                f" columns, numpy.stack({column}), and join others to these by "
                "numpy.column_stack."
            )


def shapes_in(name: str, cells: Any) -> set[tuple[int, ...]]:
    """Shapes of rows or cells, of which there must be one."""
    shapes = {cell_shape(cell) for cell in cells}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise ValueError(f"{name} holds rows of shapes {first} and {second}: {EVEN}")
    return shapes


def check_counts(**counts: Any) -> None:
    """Refuse what is no number of things to show."""
    for name, value in counts.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name}={value!r} must be an integer >= 1.")


def known_rows(X: Any) -> Any:
    """Rows that can be taken by their index."""
    refuse_unread(X)
    if type(X).__module__.startswith("dask.") and hasattr(X, "columns"):
        raise TypeError("X is a data frame of dask: give its rows, X.compute().")
    return indexable(X)[0]


@contextlib.contextmanager
def plain_settings() -> Iterator[None]:
    """Context in which scikit-learn and numpy work as what is inside of ours needs."""
    settings = config_context(array_api_dispatch=False, transform_output="default")
    with settings, np.errstate(under="ignore"):
        yield


def takes_tensors(function: Any) -> Any:
    """Let scikit-learn make arrays of tensors in a function, whatever a user has set.

    The rest of a user's settings hold for the estimators that are the user's own.
    """
    return config_context(array_api_dispatch=False)(function)


def validated(estimator: Any, X: Any, *, reset: bool, **settings: Any) -> Any:
    """Validate rows as scikit-learn does, and say how to make rows of what is none."""
    settings = {
        "accept_sparse": "csr",
        "ensure_min_samples": 2 if reset else 1,
        **settings,
    }
    refuse_holders(X)
    refuse_dates(X)
    refuse_images(X)
    refuse_nested(X)
    try:
        # Infinities of both signs add up to none, which numpy would warn of.
        with np.errstate(all="ignore"), plain_settings():
            return validate_data(estimator, X, reset=reset, **settings)
    except ValueError as error:
        text = str(error)
        name = type(estimator).__name__
        if "contains NaN" in text or "NA to " in text:
            # The rest names estimators that scikit-learn has for labelled rows.
            raise ValueError(
                f"{text.splitlines()[0]} {name} takes no missing values: fill them, as "
                f"make_pipeline(SimpleImputer(), {name}(...)) does."
            ) from error
        if "could not convert string" in text or "bytes/strings" in text:
            raise ValueError(
                f"{text.splitlines()[0]}. {name} takes numbers: make them of the "
                "columns of strings first, with make_column_transformer((OneHotEncoder"
                "(), [...]), (StandardScaler(), [...])) in a pipeline, or with a "
                "TfidfVectorizer or embeddings of texts."
            ) from error
        if "setting an array element with a sequence" in text:
            raise ValueError(f"X holds rows of different shapes: {EVEN}") from error
        raise


def mean_and_variance(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each column, in double precision."""
    if sp.issparse(X):
        return mean_variance_axis(X.astype(np.float64, copy=False), axis=0)
    return X.mean(0, dtype=np.float64), X.var(0, dtype=np.float64)


def warn_of_units(estimator: Any, X: Any) -> None:
    """Warn where one column of three or more holds nearly all the variance."""
    with np.errstate(all="ignore"):
        rows = X[:: max(1, X.shape[0] // ROWS_FOR_UNITS)]
        variances = mean_and_variance(rows)[1]
        shares = variances / variances.sum()
    # Scaling doesn't change what constant columns say.
    if (shares > 0).sum() < 3 or not shares.max() > DOMINANT_SHARE:
        return
    column = int(shares.argmax())
    names = getattr(estimator, "feature_names_in_", None)
    named = f"{column} ({names[column]})" if names is not None else f"{column}"
    name = type(estimator).__name__
    warn(
        f"Column {named} holds {100 * shares[column]:.1f} % of the variance of X, and "
        f"{name} sees little else. If the units of the columns differ, scale them: "
        f"make_pipeline(StandardScaler(), {name}(...)).",
    )
