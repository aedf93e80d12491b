"""Predictions for new rows: their nearest training rows vote."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from skdeepcluster.neighbors import units_of_rows, usual_reach
from skdeepcluster.rows import RowSpace, row_keys
from skdeepcluster.search import GraphFit

# Rows in a block of predictions: always as many, so that rounding is the same.
BLOCK_ROWS = 256

# scikit-learn sets the number of BLAS threads for a search and back: of two searches at
# a time, as dask makes them, the later end would leave it changed for good.
_search_lock = threading.Lock()


@dataclass(eq=False)
class Voters:
    """The distinct training rows, as `fit` compared them, and where they belong.

    Parameters
    ----------
    space : RowSpace
        With the distinct rows.
    keys : ndarray of shape (n_nodes,), uint64
        What equal rows are known by.
    unit : float
        That the keys are of.
    mass : ndarray of shape (n_nodes,)
        Rows of each.
    n_neighbors : int
        Neighbours that vote.
    farthest : ndarray of shape (n_nodes,)
        Distance of each one's farthest neighbour.
    leaves : ndarray of shape (n_nodes,), int32
        Leaf of each in the tree.
    clusters : ndarray of shape (n_leaves,), int32
        Cluster of each leaf.
    noise : ndarray of shape (n_nodes,), bool
        Which are noise of their cluster.
    noise_ratio : float or None
        How many times farther than usual in a cluster neighbours of noise are.

    Attributes
    ----------
    usual : ndarray of shape (n_clusters,)
        How far neighbours usually are in each cluster.
    """

    space: RowSpace
    keys: np.ndarray
    unit: float
    mass: np.ndarray
    n_neighbors: int
    farthest: np.ndarray
    leaves: np.ndarray
    clusters: np.ndarray
    noise: np.ndarray
    noise_ratio: float | None
    usual: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.usual = usual_reach(self.farthest, self.clusters[self.leaves])

    @classmethod
    def of(
        cls, found: GraphFit, leaves: np.ndarray, noise_ratio: float | None
    ) -> "Voters":
        """Keep of what was found what new rows are compared with."""
        clusters = np.zeros(leaves.max() + 1, dtype=np.int32)
        clusters[leaves] = found.labels
        return cls(
            found.space,
            found.nodes.keys,
            found.nodes.unit,
            found.nodes.mass,
            found.graph.n_neighbors,
            found.graph.farthest,
            leaves.astype(np.int32),
            clusters,
            found.is_noise(noise_ratio),
            noise_ratio,
        )

    def with_clusters(self, clusters: np.ndarray) -> "Voters":
        """Return the same rows with other clusters of the leaves."""
        return replace(self, clusters=clusters.astype(np.int32))

    @property
    def labels(self) -> np.ndarray:
        """Cluster of each node, -1 for noise."""
        return np.where(self.noise, -1, self.clusters[self.leaves])

    @np.errstate(under="ignore")
    def place(self, X: Any) -> np.ndarray:
        """Tell where rows belong.

        Parameters
        ----------
        X : {ndarray, CSR matrix} of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, 3)
            Cluster of each row, -1 for noise; the nearest node of that cluster, or of
            the one that it is noise of, or the node that equals the row; and its leaf.
        """
        nodes = known_rows(X, self.keys, self.unit)
        labels = self.labels[nodes]
        for rows, ballot in self._vote(X, np.flatnonzero(nodes < 0)):
            found = ballot.shares.argmax(1)
            nodes[rows] = ballot.nearest_of(found, self.clusters[self.leaves])
            if self.noise_ratio is not None:
                farthest = ballot.lengths.max(1)
                noise = farthest > self.noise_ratio * self.usual[found]
                found = np.where(noise, -1, found)
            labels[rows] = found
        return np.column_stack([labels, nodes, self.leaves[nodes]])

    @np.errstate(under="ignore")
    def shares(self, X: Any) -> np.ndarray:
        """Share of each cluster among the votes on each row."""
        known = known_rows(X, self.keys, self.unit)
        shares = np.empty((X.shape[0], len(self.usual)))
        for rows, ballot in self._vote(X, np.arange(X.shape[0])):
            shares[rows] = ballot.shares
        # What smoothing decided otherwise than a row's neighbours is right there.
        own = np.where(known >= 0, self.labels[known], -1)
        rows = np.flatnonzero(own >= 0)
        shares[rows, own[rows]] = np.nextafter(shares[rows].max(1), 2)
        return shares / shares.sum(1, keepdims=True)

    def _vote(self, X: Any, rows: np.ndarray) -> Iterator[tuple[np.ndarray, "Ballot"]]:
        """Yield rows and the votes on them."""
        n_neighbors = min(self.n_neighbors, len(self.keys))
        search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")
        search.fit(self.space.rows)
        for first in range(0, len(rows), BLOCK_ROWS):
            part = rows[first : first + BLOCK_ROWS]
            block = np.pad(part, (0, BLOCK_ROWS - len(part)), mode="edge")
            ballot = self._ballot(self.space.transform(X[block]), search)
            yield part, ballot.of_first(len(part))

    def _ballot(self, Z: np.ndarray, search: NearestNeighbors) -> "Ballot":
        """Votes on rows in the space."""
        with _search_lock:
            near: Any = search.kneighbors(Z, return_distance=False)
        lengths = np.linalg.norm(Z[:, None] - self.space.rows[near], axis=2)
        weights = vote_weights(lengths) * self.mass[near]
        votes = np.zeros((len(Z), len(self.usual)))
        # Votes of noise go to the cluster that it is noise of.
        clusters = self.clusters[self.leaves[near]]
        np.add.at(votes, (np.arange(len(Z))[:, None], clusters), weights)
        votes /= votes.sum(1, keepdims=True)
        first = np.take_along_axis(near, lengths.argmin(1)[:, None], 1)[:, 0]
        reach = self.farthest[first] + np.finfo(np.float32).tiny
        trust = np.exp(np.minimum(1 - lengths.min(1) / reach, 0))[:, None]
        shares = trust * votes + (1 - trust) / len(self.usual)
        return Ballot(shares, near, lengths)


@dataclass(frozen=True)
class Ballot:
    """Votes on rows.

    Parameters
    ----------
    shares : ndarray of shape (n_rows, n_clusters)
        Share of each cluster.
    voters : ndarray of shape (n_rows, n_neighbors)
        Nodes that voted.
    lengths : ndarray of shape (n_rows, n_neighbors)
        Their distances.
    """

    shares: np.ndarray
    voters: np.ndarray
    lengths: np.ndarray

    def of_first(self, n_rows: int) -> "Ballot":
        """Return the votes on the first rows."""
        return Ballot(self.shares[:n_rows], self.voters[:n_rows], self.lengths[:n_rows])

    def nearest_of(self, wanted: np.ndarray, clusters: np.ndarray) -> np.ndarray:
        """Return the nearest voter of the wanted cluster of each row."""
        others = clusters[self.voters] != wanted[:, None]
        first = np.where(others, np.inf, self.lengths).argmin(1)
        return np.take_along_axis(self.voters, first[:, None], 1)[:, 0]


def known_rows(X: Any, keys: np.ndarray, unit: float) -> np.ndarray:
    """Index of the row among those with some keys that each row equals, or -1."""
    wanted = row_keys(X, unit)
    order = keys.argsort()
    place = np.searchsorted(keys, wanted, sorter=order)
    known = order[np.minimum(place, len(order) - 1)]
    return np.where(keys[known] == wanted, known, -1)


def vote_weights(lengths: np.ndarray) -> np.ndarray:
    """Weights of the nearest rows in votes, from their distances, as in the graph.

    Parameters
    ----------
    lengths : ndarray of shape (n_rows, n_neighbors)

    Returns
    -------
    ndarray of shape (n_rows, n_neighbors)
    """
    begins = np.arange(0, lengths.size + 1, lengths.shape[1])
    nearest, unit = units_of_rows(lengths.ravel(), begins)
    return np.exp(-(lengths - nearest[:, None]) / unit[:, None]).astype(np.float64)
