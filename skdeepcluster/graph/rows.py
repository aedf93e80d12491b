"""Distinct rows, and the space in which distances between them are taken.

Nodes are the distinct rows: copies of a row are as near as rows can be, would be all of
each other's neighbours and make up a cluster of their own. How many rows a node stands
for is its mass, which its edges are weighed by.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches

# Distances in more dimensions cost time and tell neighbours no better.
MAX_DIMS = 50

# Power iterations for those of sparse rows. The variance of words falls slowly from one
# to the next: after a few, as is usual, the clusters would depend on the seed.
POWER_ITERATIONS = 15

# Values of sparse rows that are made dense, at most: they then have the same clusters
# as dense ones, to the last bit.
DENSE_SIZE = 5_000_000

ROWS_AT_ONCE = 4096

# Farther from the centre, in units of the rows, values are as good as infinite: their
# squares have to fit single precision.
MOST_UNITS = 1e12

# scikit-learn sets the number of BLAS threads for a search and back: of two searches at
# a time, as dask makes them, the later end would leave it changed for good.
search_lock = threading.Lock()

# Odd constants of a mixing function of whole numbers (splitmix64).
MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def _mixed(values: np.ndarray, unit: float) -> np.ndarray:
    """Whole numbers that look random, one for each value; 0 for zero."""
    # Adding zero makes a positive zero of a negative one.
    bits = (values.astype(np.float64) * unit + 0.0).view(np.uint64)
    for shift, factor in zip((30, 27), MIX, strict=True):
        bits = (bits ^ (bits >> np.uint64(shift))) * factor
    return bits ^ (bits >> np.uint64(31))


def row_keys(X: Any, unit: float = 1.0) -> np.ndarray:
    """Give each row a whole number, which equal rows share and no others.

    Equal numbers for different rows are possible, though less likely than one in a
    million for a million rows. They don't depend on the type of the values, nor on how
    they are stored. The unit is a power of two that values are multiplied by.
    """
    columns = np.random.default_rng(0).integers(2**63, size=X.shape[1], dtype=np.uint64)
    columns = 2 * columns + np.uint64(1)
    keys = np.empty(X.shape[0], dtype=np.uint64)
    for part in gen_batches(X.shape[0], ROWS_AT_ONCE):
        rows = X[part]
        if sp.issparse(rows):
            rows = sp.csr_array(rows, copy=True)
            rows.sum_duplicates()
            numbers = _mixed(rows.data, unit), rows.indices, rows.indptr
            keys[part] = sp.csr_array(numbers, shape=rows.shape) @ columns
        else:
            keys[part] = _mixed(rows, unit) @ columns
    return keys


@dataclass(eq=False)
class Nodes:
    """The distinct rows of some data."""

    # `row_keys` in a unit, and the index of a row of each node.
    keys: np.ndarray
    first: np.ndarray
    # Node of each row, and rows of each node.
    inverse: np.ndarray
    mass: np.ndarray
    unit: float

    @classmethod
    def of(cls, X: Any, ordered: bool = False) -> "Nodes":
        """Find the distinct rows of ``X``.

        They come in the order of their keys, so that nothing that is computed from them
        depends on the order of the rows; or in that order, if ``ordered``.
        """
        # In a unit of their own, for keys are in no order that a unit would keep.
        _, exponent = np.frexp(max(float(X.max()), -float(X.min())))
        unit = 2.0 ** -int(exponent)
        keys, first, inverse = np.unique(
            row_keys(X, unit), return_index=True, return_inverse=True
        )
        if ordered:
            order = first.argsort()
            place = np.empty_like(order)
            place[order] = np.arange(len(order))
            keys, first, inverse = keys[order], first[order], place[inverse]
        return cls(keys, first, inverse, np.bincount(inverse).astype(float), unit)

    def in_least_numbers(self) -> "Nodes":
        """Return nodes whose masses have no common divisor.

        The same rows several times are the same nodes then, to the last bit.
        """
        divisor = np.gcd.reduce(self.mass.astype(np.int64))
        return replace(self, mass=self.mass / divisor)


class Neighbors(NamedTuple):
    """Nodes near some rows and their distances, as a CSR matrix holds them."""

    lengths: np.ndarray
    nodes: np.ndarray
    # Where those of each row begin.
    begins: np.ndarray


NeighborSearch = Callable[[Any], Neighbors]


class RowSpace:
    """Space in which distances between rows are taken, float32.

    Principal components of wide rows, about a centre that values far outside do not
    move; singular vectors of rows that are sparse and large. It is fitted to the rows
    of some indices, the ``nodes``, which are its ``rows``.
    """

    # Rows that are all alike have no components, and scikit-learn divides by zero.
    @np.errstate(all="ignore")
    def __init__(self, X: Any, nodes: np.ndarray, seed: int) -> None:
        n_nodes, n_features = len(nodes), X.shape[1]
        self.sparse = sp.issparse(X) and (
            n_features > MAX_DIMS and n_nodes * n_features > DENSE_SIZE
        )
        sample = X[np.sort(nodes[:ROWS_AT_ONCE])]
        if self.sparse:
            self.center, values = 0.0, sample.data
        else:
            # The mean would follow a single value that is far away.
            values = _dense(sample).astype(np.float64)
            self.center = np.median(values, axis=0)
        self.unit = unit_of(values - self.center)
        self.components: np.ndarray | None = None
        self.mean = np.zeros(1, dtype=np.float32)
        dims = min(MAX_DIMS, n_nodes - 1)
        if self.sparse:
            svd = TruncatedSVD(dims, n_iter=POWER_ITERATIONS, random_state=seed)
            self.rows = svd.fit_transform((X[nodes] * self.unit).astype(np.float32))
            self.components = svd.components_
            return
        rows = np.empty((n_nodes, n_features), dtype=np.float32)
        for part in gen_batches(n_nodes, ROWS_AT_ONCE):
            rows[part] = self._scaled(X[nodes[part]])
        if n_features > MAX_DIMS:
            pca = PCA(dims, copy=False, random_state=seed)
            rows = pca.fit_transform(rows)
            self.mean, self.components = pca.mean_, pca.components_
        self.rows = rows

    def _scaled(self, X: Any) -> np.ndarray:
        # In double precision, so that neighbours far from the origin survive and the
        # type of the input makes no difference.
        rows = (_dense(X).astype(np.float64) - self.center) * self.unit
        return np.clip(rows, -MOST_UNITS, MOST_UNITS).astype(np.float32)

    @np.errstate(all="ignore")
    def transform(self, X: Any) -> np.ndarray:
        """Map other rows to the space."""
        if self.sparse:
            rows = (sp.csr_array(X) * self.unit).astype(np.float32)
        else:
            rows = self._scaled(X) - self.mean
        return rows if self.components is None else rows @ self.components.T

    def keys(self, X: Any, unit: float) -> np.ndarray:
        """Give equal rows a whole number that no others share."""
        return row_keys(X, unit)

    def search(self, n_neighbors: int) -> NeighborSearch:
        """Prepare to find the nodes nearest to other rows."""
        search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")
        search.fit(self.rows)

        def neighbors(X: Any) -> Neighbors:
            Z = self.transform(X)
            with search_lock:
                near: Any = search.kneighbors(Z, return_distance=False)
            lengths = np.linalg.norm(Z[:, None] - self.rows[near], axis=2)
            begins = np.arange(0, near.size + 1, n_neighbors)
            return Neighbors(lengths.ravel(), near.ravel(), begins)

        return neighbors


def unit_of(values: np.ndarray) -> float:
    """Power of two just above the middle one of the values that aren't zero."""
    sizes = np.abs(values)
    sizes = sizes[sizes > 0]
    _, exponent = np.frexp(np.median(sizes) if sizes.size else 1.0)
    return 2.0 ** -int(exponent)


def _dense(X: Any) -> Any:
    return X.toarray() if sp.issparse(X) else X
