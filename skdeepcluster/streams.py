"""Rows of any number, read a block at a time: from memory, a disk or a cluster.

What learns needs a bounded sample of the rows, and only what labels them has to see
them all. Rows may be

- an array, a memory map, a sparse matrix or a data frame;
- an array of zarr or h5py, or an array or data frame of dask;
- a table or data set of pyarrow, as of Parquet files;
- any object with ``shape``, ``dtype`` and slices ``X[start:stop]``, which give arrays,
  sparse matrices or data frames.
"""

import functools
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._extras import import_extra
from skdeepcluster._rows import (
    plain_settings,
    refuse_nested,
    refuse_unread,
    sample_rows,
)
from skdeepcluster._sklearn import Interval, _num_samples, _safe_indexing

__all__ = ["apply_in_blocks", "blocks"]

MAX_SAMPLES_CONSTRAINT: list[Any] = [Interval(Integral, 2, None, closed="left"), None]

# What a block takes as doubles, about; and its rows, by those of a forward pass.
BLOCK_BYTES = 1 << 25
LEAST_ROWS, MOST_ROWS = 256, 1 << 16

# Libraries whose rows are somewhere else, or come in a form of their own.
LAZY = ("dask", "zarr", "h5py", "pyarrow")

# Of the rows that are learned from, which depend on their number alone: estimators that
# are given one another's networks, and a fit that goes on, see the same.
SAMPLE_SEED = 0


def library_of(X: Any) -> str:
    """Name of the library that an object is of."""
    return type(X).__module__.partition(".")[0]


def is_lazy(X: Any) -> bool:
    """Tell whether rows have to be read, by their library or by slices."""
    if library_of(X) in LAZY:
        return True
    known = hasattr(X, "__array__") or hasattr(X, "iloc") or sp.issparse(X)
    own = all(hasattr(X, name) for name in ("shape", "dtype", "__getitem__"))
    return own and not known


def _is_dask_frame(X: Any) -> bool:
    return library_of(X) == "dask" and hasattr(X, "columns")


def _data_set(X: Any) -> Any:
    if hasattr(X, "count_rows"):
        return X
    if not hasattr(X, "to_batches"):
        raise TypeError(
            f"X is a {type(X).__name__} of pyarrow: give a table, or a data set, as "
            "pyarrow.dataset.dataset('folder of Parquet files')."
        )
    return import_extra("pyarrow.dataset", "scale", "A table of pyarrow").dataset(X)


def shape_of(X: Any) -> tuple[int, int] | None:
    """Numbers of rows and columns, where there are such."""
    if library_of(X) == "pyarrow":
        rows = _data_set(X)
        return rows.count_rows(), len(rows.schema.names)
    refuse_unread(X)
    if _is_dask_frame(X):
        return len(X), len(X.columns)
    shape = getattr(X, "shape", ())
    if len(shape) != 2:
        return None
    if np.isnan(shape[0]):
        raise ValueError(
            "X is an array of dask with chunks of unknown size: call "
            "X.compute_chunk_sizes() first."
        )
    return int(shape[0]), int(shape[1])


def as_array(X: Any) -> np.ndarray:
    """Rows of a list in one array."""
    refuse_nested(X)
    return np.asarray(X)


def rows_of_block(X: Any, n_columns: int) -> int:
    """Rows to read at once: whole chunks of what is stored in chunks."""
    size = BLOCK_BYTES // (8 * max(n_columns, 1))
    size = min(max(size - size % LEAST_ROWS, LEAST_ROWS), MOST_ROWS)
    chunk = (getattr(X, "chunks", None) or (LEAST_ROWS,))[0]
    return max(size - size % chunk, chunk)


def blocks(X: Any) -> Iterator[tuple[int, Any]]:
    """Read rows in their order, a block at a time.

    Parameters
    ----------
    X : rows of any kind
        An array, sparse matrix or data frame, or what is read by blocks: see the top
        of this module.

    Yields
    ------
    start : int
        Number of rows before the block.
    rows : array, sparse matrix or data frame of shape (n_rows, n_features)
        At most 65,536 rows, and 32 MiB as doubles; chunks of dask as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepcluster.streams import blocks
    >>> [(start, len(rows)) for start, rows in blocks(np.zeros((100_000, 2)))]
    [(0, 65536), (65536, 34464)]
    """
    start = 0
    for rows in _read(X):
        if rows.shape[0]:
            yield start, rows
            start += rows.shape[0]


def _read(X: Any) -> Iterator[Any]:
    if library_of(X) == "dask":
        frame = _is_dask_frame(X)
        parts = X.partitions if frame else X.blocks
        for index in range(X.npartitions if frame else X.numblocks[0]):
            yield parts[index].compute()
    elif library_of(X) == "pyarrow":
        rows = _data_set(X)
        size = rows_of_block(None, len(rows.schema.names))
        # What is read ahead of its turn would fill the memory.
        batches = rows.to_batches(
            batch_size=size, batch_readahead=1, fragment_readahead=1
        )
        for batch in batches:
            yield batch.to_pandas()
    else:
        if sp.issparse(X):
            # Of the other formats, most have no slices.
            X = X.tocsr()
        n_rows, size = X.shape[0], rows_of_block(X, X.shape[1])
        take = X.__getitem__ if is_lazy(X) else functools.partial(_safe_indexing, X)
        for start in range(0, n_rows, size):
            yield take(slice(start, min(start + size, n_rows)))


def sampled(
    X: Any, max_samples: int | None, check: Callable[..., Any]
) -> tuple[Any, bool]:
    """Check all the rows, and return those to learn from and whether they are some.

    Parameters
    ----------
    X : rows of any kind
    max_samples : int or None
        Rows to learn from, at most.
    check : callable
        Validates rows, with the settings of :func:`skdeepcluster._fitted.validated`.
    """
    if isinstance(X, list | tuple) and len(X) > (max_samples or len(X)):
        X = as_array(X)
    lazy = is_lazy(X)
    shape = shape_of(X) if lazy or hasattr(X, "shape") else None
    many = shape is not None and shape[0] > (max_samples or shape[0])
    if shape is None or not (many or lazy):
        return check(X, reset=True), False
    if shape[0] < 2:
        return check(np.zeros(shape), reset=True), False
    index = sample_rows(shape[0], max_samples, SAMPLE_SEED)
    parts = []
    for start, block in blocks(X):
        rows = check(block, reset=start == 0, ensure_min_samples=1)
        first, last = np.searchsorted(index, (start, start + rows.shape[0]))
        if not parts and not sp.issparse(rows):
            # Filled block by block: joined at the end, parts would take twice the room.
            parts = [np.empty((len(index), rows.shape[1]), dtype=rows.dtype)]
        if sp.issparse(rows):
            parts.append(rows[index[first:last] - start])
        else:
            parts[0][first:last] = rows[index[first:last] - start]
    return parts[0] if len(parts) == 1 else sp.vstack(parts, format="csr"), many


def places_of(X: Any, rows: Any, max_samples: int | None) -> tuple[int, np.ndarray]:
    """Tell the number of rows in ``X``, and which of them `sampled` returned."""
    n_rows = rows.shape[0]
    if n_rows == max_samples:
        n_rows = (shape_of(X) or (_num_samples(X),))[0]
    return n_rows, sample_rows(n_rows, max_samples, SAMPLE_SEED)


def check_enough(rows: Any, max_samples: int | None, n_clusters: int | None) -> None:
    """Refuse to learn more clusters than there are rows."""
    count = rows.shape[0]
    if n_clusters is not None and count < n_clusters:
        name = "max_samples" if count == max_samples else "n_samples"
        raise ValueError(f"{name}={count} should be >= n_clusters={n_clusters}.")


def over_blocks(function: Callable[[Any], Any], X: Any, out: Any = None) -> Any:
    """Apply a function of rows to all the rows, a block at a time."""
    X = as_array(X) if isinstance(X, list | tuple) else X
    whole: Any = shape_of(X)
    if whole and not whole[0]:
        # It has an error for no rows.
        return function(np.zeros(whole))
    for start, rows in blocks(X):
        part = function(rows)
        if start == 0:
            shape = (whole[0], *part.shape[1:])
            if out is None:
                out = np.empty(shape, dtype=part.dtype)
            elif tuple(out.shape) != shape:
                raise ValueError(
                    f"out has shape {tuple(out.shape)}, but the results have {shape}."
                )
        out[start : start + len(part)] = part
    return out


def apply_in_blocks(
    estimator: Any, X: Any, *, method: str = "predict", out: Any = None
) -> Any:
    """Apply a fitted estimator to rows of any number, in bounded memory.

    Parameters
    ----------
    estimator : object
        Any fitted estimator, also a pipeline, that treats each row by itself.
    X : rows of any kind
        As `blocks` takes them.
    method : str, default="predict"
        Method to call with the rows of each block.
    out : array-like, default=None
        Where the results are written: a memory map or an array of zarr or h5py, for
        instance. None makes an array.

    Returns
    -------
    array-like
        ``out``.

    Raises
    ------
    ValueError
        If ``out`` has another shape than the results.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepcluster.graph import GraphClustering
    >>> from skdeepcluster.streams import apply_in_blocks
    >>> X = np.random.default_rng(0).normal(size=(300, 2)) + [[0, 0], [9, 9]] * 150
    >>> graph = GraphClustering(2, random_state=0).fit(X)
    >>> labels = np.empty(300, dtype=np.int8)
    >>> apply_in_blocks(graph, X, out=labels) is labels
    True
    """
    return over_blocks(getattr(estimator, method), X, out)


def takes_any_rows(method: Callable[[Any, Any], Any]) -> Any:
    """Let a method of a fitted estimator take rows of any kind and number.

    The rows of dask get results that are computed when they are asked for. A method
    that treats each row by itself has the same results.
    """

    @functools.wraps(method)
    def wrapper(self: Any, X: Any) -> Any:
        check_is_fitted(self)
        function = functools.partial(method, self)
        if library_of(X) == "dask":
            refuse_unread(X)
            return _later(function, X)
        many = len(getattr(X, "shape", ())) == 2 and X.shape[0] > MOST_ROWS
        with plain_settings():
            return over_blocks(function, X) if many or is_lazy(X) else function(X)

    return wrapper


def _later(function: Callable[[Any], Any], X: Any) -> Any:
    """Apply a function of rows to those of dask, when it is asked to."""
    if _is_dask_frame(X):
        pandas = import_extra("pandas", "scale", "A data frame of dask")
        zeros = {n: pandas.Series([0], dtype=kind) for n, kind in X.dtypes.items()}
        like = function(pandas.DataFrame(zeros))
        return X.map_partitions(function, meta=like[:0])
    like = function(np.zeros((1, X.shape[1]), dtype=X.dtype))
    X = X.rechunk({1: -1})
    shape = (
        {"drop_axis": 1}
        if like.ndim == 1
        else {"chunks": (X.chunks[0], (like.shape[1],))}
    )
    return X.map_blocks(function, dtype=like.dtype, meta=like[:0], **shape)
