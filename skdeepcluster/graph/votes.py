"""Predictions for new rows: their nearest training rows vote."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skdeepcluster._shares import (
    cluster_means,
    squared_distances,
    student_shares,
    whitening,
)
from skdeepcluster.graph.distances import GivenDistances
from skdeepcluster.graph.neighbors import near_weights, usual_reach
from skdeepcluster.graph.rows import Neighbors, RowSpace
from skdeepcluster.graph.search import GraphFit

# Rows in a block of predictions: always as many, so that rounding is the same.
BLOCK_ROWS = 256


@dataclass(eq=False)
class Voters:
    """The distinct training rows, as `fit` compared them, and where they belong."""

    # With the distinct rows, or else new rows come with their distances to them.
    space: RowSpace | GivenDistances
    # What equal rows are known by, in a unit; mass of each node, and rows in a mass.
    keys: np.ndarray
    unit: float
    mass: np.ndarray
    rows_a_mass: float
    # Neighbours that vote.
    n_neighbors: int
    # Distance of the farthest neighbour of each node, and of the rows it stands for.
    farthest: np.ndarray
    reach: np.ndarray
    # Leaf of each node, and cluster of each leaf; those of the tree come first.
    leaves: np.ndarray
    clusters: np.ndarray
    # Label of what has each number ever given: that number, or -1 where a cluster was
    # dropped, or is none any more. So none is given twice.
    numbers: np.ndarray
    # Which nodes are noise of their cluster: those whose neighbours are so many times
    # farther than they usually are there.
    noise: np.ndarray
    noise_ratio: float | None
    usual: np.ndarray = field(init=False)
    # Whether nodes have each number.
    there: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        clusters = self.clusters[self.leaves]
        self.usual = usual_reach(self.reach, clusters, self.mass)
        self.there = np.isin(np.arange(len(self.numbers)), clusters)

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
            len(found.nodes.inverse) / found.nodes.mass.sum(),
            found.graph.n_neighbors,
            found.graph.farthest,
            found.graph.reach(found.nodes.mass),
            leaves.astype(np.int32),
            clusters,
            np.arange(clusters.max() + 1),
            found.is_noise(noise_ratio),
            noise_ratio,
        )

    @property
    def labels(self) -> np.ndarray:
        """Cluster of each node, -1 for noise and in what was dropped."""
        return np.where(self.noise, -1, self.numbers[self.clusters[self.leaves]])

    @property
    def alive(self) -> np.ndarray:
        """Numbers of the clusters that there are."""
        return np.flatnonzero(self.there & (self.numbers >= 0))

    def place(self, X: Any) -> np.ndarray:
        """Tell where rows belong, in three columns.

        The cluster of each row, -1 for none; the node that equals it, or the nearest
        of that cluster, or of the one that it is noise of; and the leaf of that node.
        """
        nodes = self._known(X)
        labels = self.labels[nodes]
        for rows, votes, nearest, farthest in self._vote(X, np.flatnonzero(nodes < 0)):
            found = votes.argmax(1)
            nodes[rows] = nearest
            labels[rows] = self.numbers[found]
            if self.noise_ratio is not None:
                noise = farthest > self.noise_ratio * self.usual[found]
                labels[rows[noise]] = -1
        return np.column_stack([labels, nodes, self.leaves[nodes]])

    def shares(self, X: Any) -> np.ndarray:
        """Share of each cluster among the votes on each row, by its number.

        Votes for what was dropped are spread over the clusters that there are.
        """
        known, alive = self._known(X), self.alive
        shares = np.zeros((X.shape[0], alive.max() + 1))
        for rows, votes, *_ in self._vote(X, np.arange(X.shape[0])):
            lost = votes[:, self.numbers < 0].sum(1, keepdims=True)
            shares[np.ix_(rows, alive)] = votes[:, alive] + lost / len(alive)
        # What the search decided otherwise than a row's neighbours is right there.
        own = np.where(known >= 0, self.labels[known], -1)
        rows = np.flatnonzero(own >= 0)
        shares[rows, own[rows]] = np.nextafter(shares[rows].max(1), 2)
        return shares / shares.sum(1, keepdims=True)

    def nearness(self, X: Any) -> np.ndarray:
        """Share of each cluster in rows by how near its mean is.

        Distances count in what clusters vary within, on average: in the space as it is,
        the mean AUC of `confidence` over 28 labelled sets is .69 in place of .73.
        """
        space: Any = self.space
        alive, labels = self.alive, self.numbers[self.clusters[self.leaves]]
        own = np.flatnonzero(labels >= 0)
        rows, mass = space.rows[own].astype(np.float64), self.mass[own]
        means = cluster_means(rows, labels[own], mass, alive.max() + 1)
        away = rows - means[labels[own]]
        shape = whitening(away, mass)
        unit = np.average(np.square(away @ shape).sum(1), weights=mass)
        squares = squared_distances(space.transform(X) @ shape, means @ shape)
        return student_shares(squares, float(unit))

    def _known(self, X: Any) -> np.ndarray:
        """Node that each row is, or -1."""
        wanted = self.space.keys(X, self.unit)
        # Equal rows of given distances are different nodes.
        if np.array_equal(wanted, self.keys):
            return np.arange(len(wanted))
        return known_keys(wanted, self.keys)

    def _vote(self, X: Any, rows: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Yield rows, and what `_votes` says of them."""
        search = self.space.search(min(self.n_neighbors, len(self.keys)))
        for part, padded in padded_parts(len(rows)):
            found = self._votes(search(X[rows[padded]]))
            yield [rows[part], *(each[: part.stop - part.start] for each in found)]

    def _votes(self, voters: Neighbors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Votes on rows, the nearest voter for what is elected, the farthest's length.

        The votes of noise go to the cluster that it is noise of.
        """
        lengths, near, begins = voters
        row = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
        weights = near_weights(lengths, begins) * self.mass[near]
        votes = np.zeros((len(begins) - 1, len(self.numbers)))
        clusters = self.clusters[self.leaves[near]]
        np.add.at(votes, (row, clusters), weights)
        votes /= votes.sum(1, keepdims=True)
        nearest = np.lexsort((lengths, row))[begins[:-1]]
        reach = self.farthest[near[nearest]] + np.finfo(np.float32).tiny
        trust = np.exp(np.minimum(1 - lengths[nearest] / reach, 0))[:, None]
        shares = trust * votes + (1 - trust) * self.there / self.there.sum()
        others = clusters != shares.argmax(1)[row]
        elector = np.lexsort((lengths, others, row))[begins[:-1]]
        return shares, near[elector], np.maximum.reduceat(lengths, begins[:-1])


def padded_parts(n_rows: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield parts of some rows, and as many indices each time: rounding is the same."""
    for first in range(0, n_rows, BLOCK_ROWS):
        rows = np.arange(first, first + BLOCK_ROWS).clip(max=n_rows - 1)
        yield slice(first, min(first + BLOCK_ROWS, n_rows)), rows


def known_keys(wanted: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Index of each wanted key among some keys, or -1."""
    order = keys.argsort()
    place = np.searchsorted(keys, wanted, sorter=order)
    known = order[np.minimum(place, len(order) - 1)]
    return np.where(keys[known] == wanted, known, -1)
