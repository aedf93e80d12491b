"""From nodes in a space to a weighted graph of nearest neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from skdeepcluster._extras import import_extra
from skdeepcluster._warnings import warn
from skdeepcluster.graph.density import filled_dims
from skdeepcluster.graph.device import fast_device, nearest_on

# Exact search grows with the square of the rows; from here on it takes longer than an
# approximate one, which is compiled for 25 seconds first.
EXACT_ROWS = 80_000

# A row's neighbours are a third of the others, at most: among a few distinct rows, all
# would be each other's. And they are no more than the distinct rows of a cluster, but
# three: without that, portraits of 40 people lose .05 of accuracy.
SHARE_OF_NEIGHBORS, FEWEST_NEIGHBORS = 3, 3

# Entries of rows of a graph that are looked at together.
ENTRIES_AT_ONCE = 8_000_000

# Nodes that fill fewer dimensions lie on lines, where densities count. Without them,
# four clusters on a line have an adjusted Rand index of .92 in place of .97.
LINE_DIMS = 1.5

# Share of what is usual that others are taken for at least: the unit of a row's
# distances of their mean, where many neighbours are as near as the nearest; and the
# density at a node on a line of the middle one, which is its largest share as well.
LEAST_SHARE = 1e-3


def usable_neighbors(
    n_neighbors: int, n_nodes: int, n_clusters: int | None = None
) -> int:
    """Neighbours that each of so many nodes can have."""
    most = (n_nodes - 1) // SHARE_OF_NEIGHBORS
    if n_clusters is not None:
        most = min(most, n_nodes // n_clusters)
    return min(n_neighbors, max(most, FEWEST_NEIGHBORS), n_nodes - 1)


def neighbor_search(n_samples: int, n_neighbors: int, seed: int) -> Any:
    """Exact search, or an approximate one for many rows where it is installed."""
    if n_samples > EXACT_ROWS:
        try:
            pynndescent = import_extra("pynndescent", "graph", "An approximate search")
        except ImportError:
            warn(
                f"An exact search among {n_samples} rows is slow: pip install "
                "'skdeepcluster[graph]' for an approximate one, or give neighbors.",
            )
        else:
            return pynndescent.PyNNDescentTransformer(
                n_neighbors=n_neighbors, random_state=seed
            )
    return NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")


def refuse_lonely(rows: np.ndarray, n_rows: int, whose: str) -> None:
    """Refuse a graph without edges of a row; ``rows`` are those that have some."""
    lonely = np.setdiff1d(np.arange(n_rows), rows)
    if len(lonely):
        raise ValueError(
            f"{whose} no neighbour of row {lonely[0]}: give every row one or more, as "
            "with a number of neighbours in place of a radius."
        )


def neighbor_graph(
    Z: np.ndarray, n_neighbors: int, neighbors: Any, seed: int
) -> sp.csr_array:
    """Directed graph of nearest neighbours: ones, and none on the diagonal.

    No row has more neighbours than there are other rows. ``neighbors``, if there is
    one, gives a sparse graph of them, as `KNeighborsTransformer` does.
    """
    n_nodes = len(Z)
    n_neighbors = min(n_neighbors, n_nodes - 1)
    device = fast_device(n_nodes) if neighbors is None else None
    if device is not None:
        return nearest_on(device, Z, n_neighbors)
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
    refuse_lonely(row, n_nodes, "neighbors finds")
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


def near_weights(lengths: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Weigh the neighbours of each row by their distances, as UMAP does.

    The weight falls from one, for the nearest, exponentially with the further distance,
    in a unit that makes the weights of a row add up to ``log2`` of their number. Those
    of each row begin where ``indptr`` says.
    """
    first, counts = indptr[:-1], np.diff(indptr)
    excess = lengths - np.repeat(np.minimum.reduceat(lengths, first), counts)
    wanted = np.log2(counts)
    least = LEAST_SHARE * np.add.reduceat(lengths, first) / counts
    least = np.maximum(least, np.finfo(np.float32).tiny).astype(np.float32)
    # The sum of weights grows with the unit: halve its logarithm until single precision
    # has no more digits.
    low, high = least, np.maximum(np.maximum.reduceat(lengths, first) * 100, least)
    for _ in range(40):
        unit = np.sqrt(low) * np.sqrt(high)
        sums = np.add.reduceat(np.exp(-excess / np.repeat(unit, counts)), first)
        larger = sums > wanted
        low, high = np.where(larger, low, unit), np.where(larger, unit, high)
    return np.exp(-excess / np.repeat(low, counts))


def fuzzy_union(graph: sp.csr_array, lengths: np.ndarray) -> sp.csr_array:
    """Weigh the edges of a neighbour graph by what is near for each row, as UMAP does.

    Either way of an edge is taken as a probability: its weight is that of one or the
    other.
    """
    weights = near_weights(lengths, graph.indptr)
    directed = sp.csr_array((weights, graph.indices, graph.indptr), shape=graph.shape)
    return sp.csr_array(directed + directed.T - directed.multiply(directed.T))


def shared_neighbors(graph: sp.csr_array, mass: np.ndarray) -> sp.csr_array:
    """Weigh the edges of a neighbour graph, either way, by the neighbours they share.

    The weight is the Jaccard index of the neighbourhoods of both ends, each with its
    own node in it, by their masses. It is small across a valley.
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
    edges: list[sp.csr_array], graph: sp.csr_array, mass: np.ndarray
) -> list[sp.csr_array]:
    """Multiply the edges of nodes by the rows that they stand for.

    A node spreads its mass over its neighbours in proportion to theirs, and to the
    first of the edges: where all masses are equal, that multiplies every edge by the
    mass. But an edge that one end alone asks for in ``graph`` carries no more rows than
    the lighter end has, and the rest stays with the heavier: rows that are copies of
    each other and far from all others are tied to each other.
    """
    if (mass == mass[0]).all():
        return edges
    around = (edges[0] @ mass) / edges[0].sum(1)
    asked = sp.coo_array(graph + graph.T)
    i, j = asked.row, asked.col
    whole = mass[i] * mass[j] * (1 / around[i] + 1 / around[j]) / 2
    lighter = np.minimum(whole, np.minimum(mass[i], mass[j]))
    carried = np.where(asked.data == 2, whole, lighter)
    rest = (whole - carried) * (mass[i] > mass[j])
    carried, rest = (
        sp.csr_array((each, (i, j)), shape=graph.shape) for each in (carried, rest)
    )
    return [
        sp.csr_array(
            each.multiply(carried).astype(np.float32)
            + sp.diags_array(each.multiply(rest).sum(1).astype(np.float32))
        )
        for each in edges
    ]


def by_density(edges: sp.csr_array, reach: np.ndarray) -> sp.csr_array:
    """Divide the edges of nodes on lines by how far the farther reaching end does.

    As many edges of nearest neighbours pass a place on a line where nodes are sparse as
    where they are dense: a cut would cost the same anywhere. No reach is zero.
    """
    density = np.clip(np.median(reach) / reach, LEAST_SHARE, 1 / LEAST_SHARE)
    edges = sp.coo_array(edges)
    i, j = edges.row, edges.col
    data = (edges.data * np.minimum(density[i], density[j])).astype(np.float32)
    return sp.csr_array((data, (i, j)), shape=edges.shape)


@dataclass(eq=False)
class Graph:
    """Ties of the nodes in one space, or the sum of several."""

    # `fuzzy_union`, and `shared_neighbors`; both by mass, and by density on lines.
    weights: sp.csr_array
    shared: sp.csr_array
    # Distance of each node's farthest neighbour.
    farthest: np.ndarray
    # Logarithm of the mass in a unit of volume about each node.
    density: np.ndarray
    # Neighbours of each node, at most, and the dimensions that the nodes fill.
    n_neighbors: int
    n_dims: float
    # Where the nodes are; None where only distances are known.
    points: Any = None

    @classmethod
    def of(
        cls,
        Z: np.ndarray,
        mass: np.ndarray,
        n_neighbors: int,
        neighbors: Any,
        seed: int,
    ) -> "Graph":
        """Make the graph of nodes in the space ``Z``."""
        graph = neighbor_graph(Z, n_neighbors, neighbors, seed)
        return replace(cls.of_edges(graph, edge_lengths(Z, graph), mass), points=Z)

    @classmethod
    def of_edges(
        cls, graph: sp.csr_array, lengths: np.ndarray, mass: np.ndarray
    ) -> "Graph":
        """Make the graph of edges with their lengths, in the order of its indices."""
        farthest = np.maximum.reduceat(lengths, graph.indptr[:-1])
        n_dims = filled_dims(lengths, graph.indptr)
        # Copies of a row, between which there is nothing, are no denser than the rest.
        tiny = np.finfo(np.float32).tiny
        reach = np.maximum(farthest, farthest[farthest > tiny].min(initial=np.inf))
        reach = np.where(np.isfinite(reach), reach, tiny)
        edges = [fuzzy_union(graph, lengths), shared_neighbors(graph, mass)]
        weights, shared = by_mass(edges, graph, mass)
        if n_dims < LINE_DIMS:
            weights, shared = by_density(weights, reach), by_density(shared, reach)
        return cls(
            weights,
            shared,
            farthest,
            np.log(graph @ mass + mass) - n_dims * np.log(reach),
            int(np.diff(graph.indptr).max()),
            n_dims,
        )

    @classmethod
    def of_one_node(cls) -> "Graph":
        """Make the graph of a node without neighbours."""
        alone = sp.csr_array(np.ones((1, 1)))
        return cls(alone, alone, np.zeros(1), np.zeros(1), 1, 1.0)

    @classmethod
    def sum_of(cls, graphs: Sequence["Graph"]) -> "Graph":
        """Add up the edges; all else is that of the first."""
        first, *others = graphs
        weights = sum((each.weights for each in others), first.weights)
        shared = sum((each.shared for each in others), first.shared)
        return replace(first, weights=weights, shared=shared)

    def is_far(self, labels: np.ndarray, mass: np.ndarray, ratio: float) -> np.ndarray:
        """Whether nodes have neighbours so much farther than their cluster usually."""
        reach = self.reach(mass)
        usual = usual_reach(reach, labels, mass)[labels]
        # Where most rows are copies of others, those that are copies belong somewhere.
        return (reach > ratio * usual) & ((usual > 0) | (mass == 1))

    def reach(self, mass: np.ndarray) -> np.ndarray:
        """Distance of the farthest neighbour of rows, as `reach_of` has it."""
        return reach_of(self.farthest, mass, self.n_neighbors)


def reach_of(farthest: np.ndarray, mass: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Distance of the farthest neighbour of rows: copies of a row are neighbours.

    The more of a row's neighbours are its copies, the less it reaches.
    """
    return farthest * np.maximum(1 - (mass - 1) / n_neighbors, 0)


def usual_reach(reach: np.ndarray, labels: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """How far rows reach in the middle of each cluster; NaN where there is none."""
    found = np.full(labels.max() + 1, np.nan)
    for cluster in np.unique(labels):
        own = labels == cluster
        order = reach[own].argsort()
        below = mass[own][order].cumsum()
        found[cluster] = reach[own][order][np.searchsorted(below, below[-1] / 2)]
    return found
