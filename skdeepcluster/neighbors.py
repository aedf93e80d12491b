"""From rows to a weighted graph of nearest neighbours.

Nodes are the distinct rows: copies of a row are as near as rows can be, would be all of
each other's neighbours and make up a cluster of their own. How many rows a node stands
for is its mass, which its edges are weighed by.
"""

import functools
import operator
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.neighbors import NearestNeighbors

from skdeepcluster._extras import import_extra

# Distances in more dimensions cost time and tell neighbours no better.
MAX_DIMS = 50

# Power iterations for those of sparse rows. The variance of words falls slowly from one
# to the next: after a few, as is usual, the clusters would depend on the seed.
POWER_ITERATIONS = 15

# Values of sparse rows that are made dense, at most: they then have the same clusters
# as dense ones, to the last bit.
DENSE_SIZE = 5_000_000

ROWS_AT_ONCE = 4096

# Exact search grows with the square of the rows; from here on it takes longer than an
# approximate one, which is compiled for 25 seconds first.
EXACT_ROWS = 80_000

# Entries of rows of a graph that are looked at together.
ENTRIES_AT_ONCE = 8_000_000

# Unit of a row's distances: at least this share of their mean, where many neighbours
# are as near as the nearest; and steps to find it.
LEAST_UNIT = 1e-3
HALVINGS = 40

# Farther from the centre, in units of the rows, values are as good as infinite: their
# squares have to fit single precision.
MOST_UNITS = 1e12

# Slow motions of a random walk that coordinates are made of, and its steps: those that
# are forgotten in them are noise.
DIFFUSION_DIMS, DIFFUSION_STEPS = 60, 8

# Graphs of so many nodes are made dense for that.
DENSE_NODES = 400

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
    million for a million rows.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    unit : float, default=1.0
        A power of two that values are multiplied by.

    Returns
    -------
    ndarray of shape (n_samples,), uint64
        Does not depend on the type of the values, nor on how they are stored.
    """
    columns = np.random.default_rng(0).integers(2**63, size=X.shape[1], dtype=np.uint64)
    columns = 2 * columns + np.uint64(1)
    keys = np.empty(X.shape[0], dtype=np.uint64)
    for first in range(0, X.shape[0], ROWS_AT_ONCE):
        rows = X[first : first + ROWS_AT_ONCE]
        if sp.issparse(rows):
            rows = sp.csr_array(rows, copy=True)
            rows.sum_duplicates()
            values = sp.csr_array(
                (_mixed(rows.data, unit), rows.indices, rows.indptr), shape=rows.shape
            )
            keys[first : first + ROWS_AT_ONCE] = values @ columns
        else:
            keys[first : first + ROWS_AT_ONCE] = _mixed(rows, unit) @ columns
    return keys


@dataclass(eq=False)
class Nodes:
    """The distinct rows of some data.

    Parameters
    ----------
    keys : ndarray of shape (n_nodes,), uint64
        `row_keys` of the nodes.
    first : ndarray of shape (n_nodes,)
        Index of a row of each node.
    inverse : ndarray of shape (n_samples,)
        Node of each row.
    mass : ndarray of shape (n_nodes,), float
        Rows of each node.
    unit : float
        That the keys are of.
    """

    keys: np.ndarray
    first: np.ndarray
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


class RowSpace:
    """Space in which distances between rows are taken, float32.

    Principal components of wide rows, about a centre that values far outside do not
    move; singular vectors of rows that are sparse and large.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    nodes : ndarray of shape (n_nodes,)
        Indices of the rows to fit to.
    seed : int

    Attributes
    ----------
    rows : ndarray of shape (n_nodes, n_dims), float32
        The rows that it was fitted to.
    """

    # Rows that are all alike have no components, and scikit-learn divides by zero.
    @np.errstate(all="ignore")
    def __init__(self, X: Any, nodes: np.ndarray, seed: int) -> None:
        n_nodes, n_features = len(nodes), X.shape[1]
        self.sparse = sp.issparse(X) and (
            n_features > MAX_DIMS and n_nodes * n_features > DENSE_SIZE
        )
        sample = _dense(X[np.sort(nodes[:ROWS_AT_ONCE])], self.sparse)
        self.center = self._center(sample)
        self.unit = self._unit(sample)
        self.components: np.ndarray | None = None
        self.mean = np.zeros(1, dtype=np.float32)
        dims = min(MAX_DIMS, n_nodes - 1)
        if self.sparse:
            svd = TruncatedSVD(dims, n_iter=POWER_ITERATIONS, random_state=seed)
            self.rows = svd.fit_transform((X[nodes] * self.unit).astype(np.float32))
            self.components = svd.components_
            return
        rows = np.empty((n_nodes, n_features), dtype=np.float32)
        for first in range(0, n_nodes, ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            rows[part] = self._scaled(X[nodes[part]])
        if n_features > MAX_DIMS:
            pca = PCA(dims, copy=False, random_state=seed)
            rows = pca.fit_transform(rows)
            self.mean, self.components = pca.mean_, pca.components_
        self.rows = rows

    def _center(self, sample: Any) -> Any:
        # Middle values of columns: the mean follows a single value that is far away.
        return 0.0 if self.sparse else np.median(sample.astype(np.float64), axis=0)

    def _unit(self, sample: Any) -> float:
        values = np.abs((sample.data if self.sparse else sample) - self.center)
        values = values[values > 0]
        _, exponent = np.frexp(np.median(values) if values.size else 1.0)
        return 2.0 ** -int(exponent)

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


def _dense(X: Any, keep_sparse: bool = False) -> Any:
    return X.toarray() if sp.issparse(X) and not keep_sparse else X


def neighbor_search(n_samples: int, n_neighbors: int, seed: int) -> Any:
    """Exact search, or an approximate one for many rows where it is installed."""
    if n_samples > EXACT_ROWS:
        try:
            pynndescent = import_extra("pynndescent", "graph", "An approximate search")
        except ImportError:
            warnings.warn(
                f"An exact search among {n_samples} rows is slow: pip install "
                "'skdeepcluster[graph]' for an approximate one, or give neighbors.",
                stacklevel=2,
            )
        else:
            return pynndescent.PyNNDescentTransformer(
                n_neighbors=n_neighbors, random_state=seed
            )
    return NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")


def neighbor_graph(
    Z: np.ndarray, n_neighbors: int, neighbors: Any, seed: int
) -> sp.csr_array:
    """Directed graph of nearest neighbours: ones, and none on the diagonal.

    Parameters
    ----------
    Z : ndarray of shape (n_nodes, n_dims)
    n_neighbors : int
        At most; no row has more neighbours than there are other rows.
    neighbors : transformer or None
        Gives a sparse graph of neighbours, as `KNeighborsTransformer` does.
    seed : int

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float32
    """
    n_nodes = len(Z)
    n_neighbors = min(n_neighbors, n_nodes - 1)
    if neighbors is None:
        neighbors = neighbor_search(n_nodes, n_neighbors, seed)
    if isinstance(neighbors, NearestNeighbors):
        graph = neighbors.fit(Z).kneighbors_graph()
    else:
        graph = clone(neighbors).fit_transform(Z)
    graph = sp.coo_array(graph)
    if graph.shape != (n_nodes, n_nodes):
        raise ValueError(
            f"neighbors gives a graph of shape {graph.shape} for {n_nodes} distinct "
            "rows; use a transformer like sklearn.neighbors.KNeighborsTransformer."
        )
    other = graph.row != graph.col
    row, col = graph.row[other], graph.col[other]
    lonely = np.setdiff1d(np.arange(n_nodes), row)
    if len(lonely):
        raise ValueError(
            f"neighbors finds no neighbour of row {lonely[0]}; give every row one or "
            "more, as with a number of neighbours in place of a radius."
        )
    ones = np.ones(len(row), dtype=np.float32)
    return sp.csr_array((ones, (row, col)), shape=graph.shape)


def edge_lengths(Z: np.ndarray, graph: sp.csr_array) -> np.ndarray:
    """Distances between the ends of all edges, in the order of ``graph.indices``."""
    start = np.repeat(np.arange(len(Z)), np.diff(graph.indptr))
    lengths = np.empty(graph.nnz, dtype=np.float32)
    at_once = max(ENTRIES_AT_ONCE // Z.shape[1], 1)
    for first in range(0, graph.nnz, at_once):
        part = slice(first, first + at_once)
        lengths[part] = np.linalg.norm(Z[start[part]] - Z[graph.indices[part]], axis=1)
    return lengths


def units_of_rows(
    lengths: np.ndarray, indptr: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of the nearest and unit of distances, for each row of a graph.

    The weight of a neighbour falls from one, for the nearest, exponentially with the
    further distance; the unit makes a row's weights add up to ``log2`` of their number.

    Parameters
    ----------
    lengths : ndarray of shape (n_edges,)
    indptr : ndarray of shape (n_rows + 1,)
        Where the edges of each row begin, as in a CSR matrix.

    Returns
    -------
    nearest, unit : ndarray of shape (n_rows,), float32
    """
    first, counts = indptr[:-1], np.diff(indptr)
    nearest = np.minimum.reduceat(lengths, first)
    excess = lengths - np.repeat(nearest, counts)
    wanted = np.log2(counts)
    least = LEAST_UNIT * np.add.reduceat(lengths, first) / counts
    least = np.maximum(least, np.finfo(np.float32).tiny).astype(np.float32)
    # The sum of weights grows with the unit: find it by halving in a logarithmic scale.
    low, high = least, np.maximum(np.maximum.reduceat(lengths, first) * 100, least)
    for _ in range(HALVINGS):
        unit = np.sqrt(low) * np.sqrt(high)
        sums = np.add.reduceat(np.exp(-excess / np.repeat(unit, counts)), first)
        larger = sums > wanted
        low, high = np.where(larger, low, unit), np.where(larger, unit, high)
    return nearest, low


@np.errstate(under="ignore")
def fuzzy_union(graph: sp.csr_array, lengths: np.ndarray) -> sp.csr_array:
    """Weigh the edges of a neighbour graph by what is near for each row, as UMAP does.

    Either way of an edge is taken as a probability: its weight is that of one or the
    other.

    Parameters
    ----------
    graph : csr_array of shape (n_nodes, n_nodes)
        Ones, and none on the diagonal; each row has a neighbour.
    lengths : ndarray of shape (n_edges,)
        Length of each edge.

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float32
        Symmetric.
    """
    nearest, unit = units_of_rows(lengths, graph.indptr)
    counts = np.diff(graph.indptr)
    excess = lengths - np.repeat(nearest, counts)
    weights = np.exp(-excess / np.repeat(unit, counts))
    directed = sp.csr_array((weights, graph.indices, graph.indptr), shape=graph.shape)
    return sp.csr_array(directed + directed.T - directed.multiply(directed.T))


def shared_neighbors(graph: sp.csr_array, mass: np.ndarray) -> sp.csr_array:
    """Weigh the edges of a neighbour graph, either way, by the neighbours they share.

    The weight is the Jaccard index of the neighbourhoods of both ends, each with its
    own node in it, by their masses. It is small across a valley.

    Parameters
    ----------
    graph : csr_array of shape (n_nodes, n_nodes)
        Ones, and none on the diagonal.
    mass : ndarray of shape (n_nodes,)

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float32
        Symmetric.
    """
    n_nodes = graph.shape[0]
    around = sp.csr_array(graph + sp.eye_array(n_nodes, dtype=np.float32))
    heavy = sp.csr_array(around @ sp.diags_array(mass.astype(np.float32)))
    sizes = heavy.sum(1)
    upper = sp.coo_array(sp.triu(graph.maximum(graph.T)))
    weights = np.empty(upper.nnz, dtype=np.float32)
    at_once = max(ENTRIES_AT_ONCE * n_nodes // around.nnz, 1)
    for start in range(0, upper.nnz, at_once):
        part = slice(start, start + at_once)
        i, j = upper.row[part], upper.col[part]
        shared = heavy[i].multiply(around[j]).sum(1)
        weights[part] = shared / (sizes[i] + sizes[j] - shared)
    half = sp.csr_array((weights, (upper.row, upper.col)), shape=graph.shape)
    return sp.csr_array(half + half.T)


def by_mass(
    edges: sp.csr_array, weights: sp.csr_array, mass: np.ndarray
) -> sp.csr_array:
    """Multiply the edges of nodes by the rows that they stand for.

    A node spreads its mass over its neighbours in proportion to theirs: where all
    masses are equal, that multiplies every edge by the mass.

    Parameters
    ----------
    edges : csr_array of shape (n_nodes, n_nodes)
        What to multiply.
    weights : csr_array of shape (n_nodes, n_nodes)
        Tell how near neighbours are.
    mass : ndarray of shape (n_nodes,)

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float32
        Symmetric, if the edges are.
    """
    if (mass == mass[0]).all():
        return edges
    around = (weights @ mass) / weights.sum(1)
    edges = sp.coo_array(edges)
    i, j = edges.row, edges.col
    factor = mass[i] * mass[j] * (1 / around[i] + 1 / around[j]) / 2
    data = (edges.data * factor).astype(np.float32)
    return sp.csr_array((data, (i, j)), shape=edges.shape)


@dataclass(eq=False)
class View:
    """Graph of the nodes in one space.

    Parameters
    ----------
    weights : csr_array of shape (n_nodes, n_nodes)
        `fuzzy_union`, by mass.
    shared : csr_array of shape (n_nodes, n_nodes)
        `shared_neighbors`, by mass.
    farthest : ndarray of shape (n_nodes,)
        Distance of each node's farthest neighbour.
    density : ndarray of shape (n_nodes,)
        Logarithm of the mass in a unit of volume about each node.
    n_neighbors : int
        Neighbours of each node, at most.
    n_dims : float
        Dimensions that the nodes fill, from how distances grow among neighbours
        (Levina and Bickel 2005), 1 at least.
    """

    weights: sp.csr_array
    shared: sp.csr_array
    farthest: np.ndarray
    density: np.ndarray
    n_neighbors: int
    n_dims: float

    @classmethod
    def of(
        cls,
        Z: np.ndarray,
        mass: np.ndarray,
        n_neighbors: int,
        neighbors: Any,
        seed: int,
    ) -> "View":
        """Make the graph of nodes in the space ``Z``."""
        graph = neighbor_graph(Z, n_neighbors, neighbors, seed)
        lengths = edge_lengths(Z, graph)
        weights = fuzzy_union(graph, lengths)
        shared = shared_neighbors(graph, mass)
        farthest = np.maximum.reduceat(lengths, graph.indptr[:-1])
        n_dims = filled_dims(lengths, graph.indptr)
        reach = np.maximum(farthest, np.finfo(np.float32).tiny)
        return cls(
            by_mass(weights, weights, mass),
            by_mass(shared, weights, mass),
            farthest,
            np.log(graph @ mass + mass) - n_dims * np.log(reach),
            int(np.diff(graph.indptr).max()),
            n_dims,
        )


def filled_dims(lengths: np.ndarray, indptr: np.ndarray) -> float:
    """Estimate of the intrinsic dimension from the lengths of edges."""
    counts = np.diff(indptr)
    farthest = np.repeat(np.maximum.reduceat(lengths, indptr[:-1]), counts)
    known = lengths > 0
    if not known.any() or counts.max() < 3:
        return 1.0
    growth = np.log(farthest[known] / lengths[known]).mean(dtype=np.float64)
    return float(max((1 - 2 / counts.mean()) / max(growth, 1e-3), 1.0))


def total(graphs: Iterable[sp.csr_array]) -> sp.csr_array:
    """Sum of graphs of the same nodes."""
    return functools.reduce(operator.add, graphs)


def diffusion_map(weights: sp.csr_array, seed: int) -> np.ndarray:
    """Coordinates in which nodes are near that a random walk leads to the same nodes.

    The graph's own noise, like a single edge across a valley, hardly shows in them
    (Coifman and Lafon 2006, https://doi.org/10.1016/j.acha.2006.04.006).

    Parameters
    ----------
    weights : csr_array of shape (n_nodes, n_nodes)
        Symmetric; each node has an edge.
    seed : int

    Returns
    -------
    ndarray of shape (n_nodes, n_dims), float32
    """
    n_nodes = weights.shape[0]
    norm = 1 / np.sqrt(weights.sum(1).astype(np.float64))
    scale = sp.diags_array(norm)
    steps = sp.csr_array(scale @ weights.astype(np.float64) @ scale)
    n_dims = min(DIFFUSION_DIMS, n_nodes - 1) + 1
    if n_nodes <= DENSE_NODES:
        shares, motions = np.linalg.eigh(steps.toarray())
        shares, motions = shares[-n_dims:], motions[:, -n_dims:]
    else:
        first = np.random.default_rng(seed).normal(size=n_nodes)
        shares, motions = eigsh(steps, n_dims, which="LA", v0=first, tol=1e-3)
    coordinates = motions * norm[:, None] * np.maximum(shares, 0) ** DIFFUSION_STEPS
    # The slowest motion is none at all: it has the same value everywhere.
    return (coordinates[:, shares.argsort()[-2::-1]] * n_nodes).astype(np.float32)
