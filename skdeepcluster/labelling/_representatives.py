"""Rows of each cluster to show a person, and their answers spread in the cluster.

Both functions take any fitted estimator or pipeline with ``predict`` and ``transform``.
"""

from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d

from skdeepcluster._fitted import predicted
from skdeepcluster._labels import is_missing, label_vector
from skdeepcluster._rows import check_counts, takes_tensors
from skdeepcluster._sklearn import _num_samples

__all__ = ["propagate", "representatives"]


@takes_tensors
def representatives(
    estimator: Any, X: Any, n_per_cluster: int = 1, *, random_state: Any = 0
) -> np.ndarray:
    """Rows that stand for the clusters: central, and unlike each other.

    The latent rows of each cluster are split into ``n_per_cluster`` groups by k-means,
    and the row nearest to the centre of each group is taken.

    Parameters
    ----------
    estimator : fitted estimator
        Clusterer or pipeline with ``predict`` and ``transform``.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to choose from.
    n_per_cluster : int, default=1
        Rows in each cluster; a smaller cluster gives all that it has.
    random_state : int, RandomState instance or None, default=0
        Seed of k-means.

    Returns
    -------
    ndarray of shape (n_representatives,)
        Indices of rows of ``X``, cluster by cluster.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, AutoencoderKMeans
    >>> from skdeepcluster.labelling import propagate, representatives
    >>> X, y = load_digits(return_X_y=True)
    >>> network = Autoencoder((64,), max_epochs=20)
    >>> kmeans = AutoencoderKMeans(10, encoder=network, random_state=0).fit(X)
    >>> rows = representatives(kmeans, X, n_per_cluster=3)
    >>> answers = propagate(kmeans, X, rows, y[rows])
    >>> bool((answers == y).mean() > 0.7)
    True
    """
    check_counts(n_per_cluster=n_per_cluster)
    rng = check_random_state(random_state)
    Z, clusters = latent_rows_and_clusters(estimator, X)
    chosen: list[int] = []
    for cluster in np.unique(clusters):
        members = np.flatnonzero(clusters == cluster)
        n_groups = min(n_per_cluster, len(np.unique(Z[members], axis=0)))
        kmeans = KMeans(n_groups, n_init=5, random_state=rng).fit(Z[members])
        for group in range(n_groups):
            rows = members[kmeans.labels_ == group]
            center = kmeans.cluster_centers_[[group]]
            nearest = int(pairwise_distances_argmin(center, Z[rows])[0])
            chosen.append(int(rows[nearest]))
    return np.array(chosen)


@takes_tensors
def propagate(estimator: Any, X: Any, rows: Any, labels: Any) -> np.ndarray:
    """Label every row as the nearest labelled row of its cluster.

    Parameters
    ----------
    estimator : fitted estimator
        Clusterer or pipeline with ``predict`` and ``transform``.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to label.
    rows : array-like of shape (n_labelled,)
        Indices of the rows whose labels are known, as from `representatives`; those
        given twice have one label only.
    labels : array-like of shape (n_labelled,)
        Their labels, of any type. None and NaN are no answer: such a row is labelled
        as the others are.

    Returns
    -------
    ndarray of shape (n_samples,)
        A label for each row. Labelled rows keep theirs; a cluster without any takes
        the nearest of all.
    """
    rows, labels = column_or_1d(rows), label_vector(labels, "labels")
    if len(rows) == 0 or len(rows) != len(labels):
        raise ValueError(
            f"rows has {len(rows)} entries and labels {len(labels)}; give one label "
            "for each row, and one row at least."
        )
    check_rows("rows", rows, _num_samples(X), "rows of X")
    answered = ~is_missing(labels)
    if not answered.any():
        raise ValueError("labels holds no answer: all of them are None or NaN.")
    rows, labels = rows[answered], labels[answered]
    check_one_label(rows, labels)
    Z, clusters = latent_rows_and_clusters(estimator, X)
    known = clusters[rows]
    answers = np.empty(len(Z), dtype=labels.dtype)
    for cluster in np.unique(clusters):
        members = np.flatnonzero(clusters == cluster)
        of_cluster = np.flatnonzero(known == cluster)
        if len(of_cluster) == 0:
            of_cluster = np.arange(len(rows))
        nearest = pairwise_distances_argmin(Z[members], Z[rows[of_cluster]])
        answers[members] = labels[of_cluster[nearest]]
    answers[rows] = labels
    return answers


def latent_rows_and_clusters(estimator: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``X`` in the latent space, and their clusters."""
    for method in ("transform", "predict"):
        if not hasattr(estimator, method):
            raise TypeError(
                f"estimator must have predict and transform, and "
                f"{type(estimator).__name__} has no {method}: give a deep clusterer."
            )
    return np.asarray(estimator.transform(X)), predicted(estimator, X)


def check_rows(name: str, rows: np.ndarray, n_samples: int, whole: str) -> None:
    """Refuse rows that are not there."""
    if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n_samples:
        raise ValueError(
            f"{name} must hold integers from 0 to {n_samples - 1}, the indices of "
            f"{whole}, got {rows}."
        )


def check_one_label(rows: np.ndarray, labels: np.ndarray) -> None:
    """Refuse two labels of one row."""
    known = dict(zip(rows.tolist(), labels, strict=True))
    different = [
        row
        for row, label in zip(rows.tolist(), labels, strict=True)
        if known[row] != label
    ]
    if different:
        raise ValueError(f"rows holds {different[0]} twice, with different labels.")
