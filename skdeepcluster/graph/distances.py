"""Distances between rows that are given in place of the rows.

A graph of distances has an entry for each neighbour of a row, as those of
`sklearn.neighbors.KNeighborsTransformer` and of scanpy have; one that is stored and
zero is a neighbour as well. Whether a row is its own neighbour makes no difference.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

from skdeepcluster.graph.neighbors import refuse_lonely
from skdeepcluster.graph.rows import (
    MOST_UNITS,
    Neighbors,
    NeighborSearch,
    Nodes,
    row_keys,
    unit_of,
)

# What a distance of zero is known by in keys: no distance is negative.
NOTHING_BETWEEN = -1.0


def checked_distances(X: Any, n_neighbors: int, square: bool) -> sp.csr_array:
    """Graph of the distances with sorted columns, or an error that says what they lack.

    Of dense rows the ``n_neighbors`` smallest entries are kept. They are ``square``
    where the rows are the nodes.
    """
    if square and X.shape[0] != X.shape[1]:
        raise ValueError(
            f"X has the shape {X.shape}: neighbors='precomputed' takes the distances "
            "between all pairs of rows, or those of neighbours in a sparse square "
            "matrix, as KNeighborsTransformer(mode='distance') makes it of rows."
        )
    if sp.issparse(X):
        X = sp.csr_array(X, copy=True)
        X.sum_duplicates()
    if square:
        own, farthest = X.diagonal(), X.max(axis=1)
        farthest = farthest.toarray().ravel() if sp.issparse(X) else farthest
        if (own > 0).any() and (own >= farthest).all():
            raise ValueError(
                "X has rows that are as far from themselves as from all others: give "
                "distances, as KNeighborsTransformer(mode='distance') does, and no "
                "connectivities, similarities or kernels."
            )
    graph = X if isinstance(X, sp.csr_array) else nearest(X, n_neighbors)
    if graph.nnz and graph.data.min() < 0:
        raise ValueError(
            f"X has a negative distance, {graph.data.min()}: give distances, which are "
            "zero between equal rows, and no similarities or kernels."
        )
    row = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    others = row[graph.indices != row] if square else row
    refuse_lonely(others, graph.shape[0], "X has")
    return graph


def nearest(X: np.ndarray, n_neighbors: int) -> sp.csr_array:
    """Graph of the smallest entries of each row."""
    n_rows, n_nodes = X.shape
    if not n_nodes > n_neighbors:
        near = np.tile(np.arange(n_nodes), (n_rows, 1))
    else:
        near = np.sort(X.argpartition(n_neighbors - 1)[:, :n_neighbors])
    begins = np.arange(0, near.size + 1, near.shape[1])
    values = np.take_along_axis(X, near, 1)
    return sp.csr_array((values.ravel(), near.ravel(), begins), shape=X.shape)


class GivenDistances:
    """The place of a `RowSpace` where distances are all that is known of rows."""

    def __init__(self, graph: sp.csr_array) -> None:
        self.unit = unit_of(graph.data)

    def _scaled(self, graph: Any) -> sp.csr_array:
        """Distances in a unit in which they fit single precision."""
        lengths = np.minimum(graph.data * self.unit, MOST_UNITS).astype(np.float32)
        return sp.csr_array((lengths, graph.indices, graph.indptr), shape=graph.shape)

    def nodes(self, graph: sp.csr_array) -> Nodes:
        """Take every row for a node."""
        each = np.arange(graph.shape[0])
        return Nodes(self.keys(graph, 1.0), each, each, np.ones(len(each)), 1.0)

    def edges(self, graph: sp.csr_array) -> tuple[sp.csr_array, np.ndarray]:
        """Ones for the edges between different nodes, and the lengths of these."""
        scaled = sp.coo_array(self._scaled(graph))
        other = scaled.row != scaled.col
        ends = scaled.row[other], scaled.col[other]
        ones = np.ones(len(ends[0]), dtype=np.float32)
        # Rows and columns are sorted already, so that edges keep their order.
        return sp.csr_array((ones, ends), shape=graph.shape), scaled.data[other]

    def keys(self, graph: sp.csr_array, unit: float) -> np.ndarray:
        """Give equal rows of a graph a whole number that no others share."""
        scaled = self._scaled(graph)
        scaled.data[scaled.data == 0] = NOTHING_BETWEEN
        return row_keys(scaled, unit)

    def search(self, n_neighbors: int) -> NeighborSearch:
        """Look neighbours up, as many as there are."""

        def neighbors(graph: sp.csr_array) -> Neighbors:
            scaled = self._scaled(graph)
            return Neighbors(scaled.data, scaled.indices, scaled.indptr)

        return neighbors
