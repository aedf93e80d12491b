"""Clusterings of the same rows, each in directions of its own.

Mautz et al. (2018), https://doi.org/10.1145/3219819.3219945: a rotation V and an owner
of each rotated column, such that the sum over the clusterings of the squared distances
to their centroids, in the columns that they own, is as small as can be. Of two
clusterings, one gets the eigenvectors of the difference of their scatter within
clusters with eigenvalues below zero, and the other one the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from skdeepcluster.estimators._initial import kmeans

# Turns of clusters and columns, which settle in fewer, and starts of which the best
# counts.
TURNS, STARTS = 10, 20


@dataclass(frozen=True)
class Subspaces:
    """Directions, whose they are, and clusters in them."""

    # Of shape (n_dims, n_dims), each column one direction, and the clustering that has
    # it.
    rotation: np.ndarray
    owners: np.ndarray
    # Cluster of each row in each clustering.
    labelings: list[np.ndarray]
    # Sum of squared distances to the centroids.
    cost: float


def find_subspaces(
    Z: np.ndarray, counts: Sequence[int], seed: int, first: np.ndarray | None = None
) -> Subspaces:
    """Find clusterings with given numbers of clusters, of which the first may be known.

    Of random starts, the one with the least cost counts.
    """
    rng, n_dims = np.random.default_rng(seed), Z.shape[1]
    Z = Z.astype(np.float64)
    # Where all clusters are known, nothing but their directions is open.
    known = first is not None and max(counts[1:], default=1) == 1
    found = []
    for _ in range(1 if known else STARTS):
        rotation = np.linalg.qr(rng.normal(size=(n_dims, n_dims)))[0]
        owners = rng.permutation(np.arange(n_dims) % len(counts))
        found.append(_settled(Z, counts, rotation, owners, rng, first))
    return min(found, key=lambda each: each.cost)


def _settled(
    Z: np.ndarray,
    counts: Sequence[int],
    rotation: np.ndarray,
    owners: np.ndarray,
    rng: np.random.Generator,
    first: np.ndarray | None,
) -> Subspaces:
    """Find clusters and directions in turns, until the cost rises."""
    best = Subspaces(rotation, owners, [], np.inf)
    for _ in range(TURNS):
        rows = Z @ rotation
        labelings = [
            _clusters(rows[:, owners == space], count, rng)
            if space or first is None
            else first
            for space, count in enumerate(counts)
        ]
        scatters = [scatter_within(Z, labels) for labels in labelings]
        rotation, owners = rotation.copy(), owners.copy()
        for pair in combinations(range(len(counts)), 2):
            _share(rotation, owners, scatters, pair)
        cost = sum(
            np.einsum("id,ij,jd", plane, scatter, plane)
            for space, scatter in enumerate(scatters)
            if (plane := rotation[:, owners == space]).size
        )
        if cost >= best.cost:
            break
        best = Subspaces(rotation, owners, labelings, float(cost))
    return best


def _clusters(
    rows: np.ndarray, n_clusters: int, rng: np.random.Generator
) -> np.ndarray:
    if n_clusters == 1:
        return np.zeros(len(rows), dtype=np.int32)
    return kmeans(rows, n_clusters, 1, int(rng.integers(2**31 - 1))).labels_


def scatter_within(Z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum over the clusters of the scatter of their rows about their mean."""
    sizes = np.bincount(labels)
    member = np.eye(len(sizes))[labels]
    rows = Z - (member.T @ Z / np.maximum(sizes, 1)[:, None])[labels]
    return rows.T @ rows


def _share(
    rotation: np.ndarray,
    owners: np.ndarray,
    scatters: list[np.ndarray],
    pair: tuple[int, int],
) -> None:
    """Part the columns of two clusterings anew; each keeps one at least."""
    one, other = pair
    columns = np.flatnonzero(np.isin(owners, pair))
    plane = rotation[:, columns]
    difference = plane.T @ (scatters[one] - scatters[other]) @ plane
    values, vectors = np.linalg.eigh((difference + difference.T) / 2)
    rotation[:, columns] = plane @ vectors
    tiny = -1e-9 * np.trace(scatters[one])
    n_first = np.clip((values < tiny).sum(), 1, len(columns) - 1)
    owners[columns] = np.where(np.arange(len(columns)) < n_first, one, other)
