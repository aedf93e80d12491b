"""How much of each cluster is in a row: by votes, and by how near the clusters are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.covariance import ledoit_wolf
from sklearn.utils import check_array, get_tags
from sklearn.utils.extmath import row_norms

from skdeepcluster._fitted import last_step, latent_rows
from skdeepcluster._labels import is_noise


@dataclass(eq=False)
class Shares:
    """Shares of the clusters in rows; those of a row sum to one.

    Parameters
    ----------
    clusters : ndarray of shape (n_clusters,)
    votes : ndarray of shape (n_samples, n_clusters) or None
        What ``predict_proba`` says; None where there is none.
    nearness : ndarray of shape (n_samples, n_clusters) or None
        By how near the clusters' means are; None where distances are given.
    """

    clusters: np.ndarray
    votes: np.ndarray | None
    nearness: np.ndarray | None

    @classmethod
    def of(cls, whole: Any, X: Any, labels: np.ndarray) -> "Shares":
        """Ask a fitted clusterer, alone or at the end of a pipeline."""
        votes = None
        clusters = np.unique(labels[~is_noise(labels)])
        if hasattr(whole, "predict_proba"):
            votes = np.asarray(whole.predict_proba(X), dtype=np.float64)
            clusters = np.arange(votes.shape[1])
        elif (means := learned_means(last_step(whole))) is not None:
            clusters = np.arange(len(means))
        return cls(clusters, votes, nearness(whole, X, labels, clusters))

    @property
    def all(self) -> list[np.ndarray]:
        """What there is, that which decides first."""
        return [it for it in (self.votes, self.nearness) if it is not None]

    def places(self, labels: np.ndarray) -> np.ndarray:
        """Place of each row's cluster among the clusters; of noise, any."""
        places = np.searchsorted(self.clusters, labels)
        return places.clip(0, max(len(self.clusters) - 1, 0))

    def runners_up(self, places: np.ndarray) -> np.ndarray:
        """Place of the cluster that has most of a row beside its own.

        Of several that have as much, it is the nearest.
        """
        others = np.array(self.all)
        others[:, np.arange(len(places)), places] = -1
        return np.lexsort(others[::-1], axis=1)[:, -1]


def nearness(
    whole: Any, X: Any, labels: np.ndarray, clusters: np.ndarray
) -> np.ndarray | None:
    """Shares of the clusters by how near their means are, where they were looked for.

    That is the mean that the clusterer has learned, or else that of the rows given.
    """
    final = last_step(whole)
    if hasattr(final, "_nearness"):
        return final._nearness(seen_rows(whole, X))
    if gets_distances(final):
        return None
    rows = check_array(latent_rows(whole, X), accept_sparse="csr", dtype=np.float64)
    places = np.searchsorted(clusters, labels)
    places[is_noise(labels)] = -1
    centers = learned_means(final)
    if centers is None or len(centers) != len(clusters):
        centers = cluster_means(rows, places, np.ones(len(labels)), len(clusters))
    squares = squared_distances(rows, np.asarray(centers, dtype=np.float64))
    own = np.take_along_axis(squares, places.clip(0)[:, None], 1)[places >= 0]
    # The median, for one row far away among a few must not make all others near.
    return student_shares(squares, float(np.median(own)) if len(own) else 1.0)


def learned_means(final: Any) -> Any:
    """Means of the clusters that a clusterer has learned, if these are no others."""
    edited = getattr(final, "_plan", None) is not None
    return None if edited else getattr(final, "cluster_centers_", None)


def gets_distances(clusterer: Any) -> bool:
    """Whether a clusterer gets distances between rows in place of the rows."""
    # Not all of scikit-learn's say so by their tags.
    names = (getattr(clusterer, name, None) for name in ("metric", "affinity"))
    given = any(isinstance(it, str) and it == "precomputed" for it in names)
    return given or get_tags(clusterer).input_tags.pairwise


def seen_rows(whole: Any, X: Any) -> Any:
    """Rows as the final step of a pipeline gets them, or as they are."""
    return X if whole is last_step(whole) else whole[:-1].transform(X)


def cluster_means(
    rows: Any, places: np.ndarray, mass: np.ndarray, n_clusters: int
) -> np.ndarray:
    """Mean of each cluster, not a number where no row is in it; -1 is noise."""
    placed = np.flatnonzero(places >= 0)
    member = sp.csr_array(
        (mass[placed], (places[placed], placed)), shape=(n_clusters, len(places))
    )
    sums = member @ rows
    sums = sums.toarray() if sp.issparse(sums) else sums
    with np.errstate(invalid="ignore"):
        return sums / np.asarray(member.sum(1))[:, None]


def squared_distances(rows: Any, means: np.ndarray) -> np.ndarray:
    """Squared distances to means, infinite where there is none."""
    if sp.issparse(rows):
        squares = row_norms(rows, squared=True)[:, None] - 2 * (rows @ means.T)
        squares = np.maximum(squares + np.square(means).sum(1), 0)
    else:
        squares = np.stack([np.square(rows - mean).sum(1) for mean in means], axis=1)
    return np.where(np.isnan(squares), np.inf, squares)


def whitening(away: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Matrix that gives what rows vary within their clusters unit variance.

    Parameters
    ----------
    away : ndarray of shape (n_samples, n_dims)
        Rows less the means of their clusters.
    mass : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_dims, n_dims)
        The identity where clusters are points.
    """
    if not away.any():
        return np.eye(away.shape[1])
    weighted = away * np.sqrt(mass / mass.mean())[:, None]
    # Of few rows, a covariance that isn't shrunk is nearly zero in some direction.
    values, vectors = np.linalg.eigh(ledoit_wolf(weighted, assume_centered=True)[0])
    least = np.finfo(np.float64).eps * values.max()
    return vectors / np.sqrt(np.maximum(values, least))


def student_shares(squares: np.ndarray, unit: float) -> np.ndarray:
    """Soft assignment by a Student t kernel of squared distances in a unit.

    A row at a distance of one unit has half of what one at the mean has.
    """
    with np.errstate(over="ignore"):
        shares = 1 / (1 + squares / max(unit, np.finfo(np.float64).tiny))
    # Farther from all than numbers go, each has the same share.
    shares = np.where(shares.any(1, keepdims=True), shares, 1.0)
    return shares / shares.sum(1, keepdims=True)
