"""Initial clusters of latent rows, from whatever ``init`` names."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state

from skdeepcluster.graph import require_graph_extra


def check_init(init: Any, n_clusters: int, latent_dim: int) -> None:
    """Refuse, before any training, what can't give centroids."""
    if isinstance(init, str) and init == "graph":
        require_graph_extra()
    if isinstance(init, str) or callable(init) or hasattr(init, "fit_predict"):
        return
    check_centers(init, n_clusters, latent_dim)


def check_centers(centers: Any, n_clusters: int, latent_dim: int) -> np.ndarray:
    """Centroids as a float32 array of the right shape."""
    centers = check_array(centers, dtype=np.float32, input_name="init", copy=True)
    if centers.shape != (n_clusters, latent_dim):
        raise ValueError(
            f"init gives centroids of shape {centers.shape}, but (n_clusters, "
            f"latent_dim) is {(n_clusters, latent_dim)}."
        )
    return centers


def initial_centers(
    Z: np.ndarray, init: Any, n_clusters: int, n_init: int, seed: int
) -> np.ndarray:
    """Centroids that ``init`` gives for latent rows.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
    init : "k-means", array-like, callable or clusterer
    n_clusters : int
    n_init : int
        Restarts of k-means.
    seed : int

    Returns
    -------
    ndarray of shape (n_clusters, latent_dim), float32
    """
    if hasattr(init, "fit_predict"):
        centers = centers_of_labels(Z, clusterer_labels(init, Z, seed), n_clusters)
    elif callable(init):
        centers = init(Z, n_clusters, random_state=check_random_state(seed))
    elif isinstance(init, str):
        kmeans = KMeans(n_clusters, n_init=n_init, random_state=seed)
        with warnings.catch_warnings():
            # Too few distinct rows: the estimator says so of its final clusters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            centers = kmeans.fit(Z).cluster_centers_
    else:
        centers = init
    return check_centers(centers, n_clusters, Z.shape[1])


def clusterer_labels(clusterer: Any, Z: np.ndarray, seed: int) -> np.ndarray:
    """Labels that a copy of a clusterer gives to latent rows."""
    clusterer = clone(clusterer)
    if clusterer.get_params().get("random_state", seed) is None:
        clusterer.set_params(random_state=seed)
    return np.asarray(clusterer.fit_predict(Z))


def centers_of_labels(Z: np.ndarray, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Mean of each cluster's rows; rows labelled -1 belong to none."""
    found = np.unique(labels[labels != -1])
    if len(found) != n_clusters:
        raise ValueError(
            f"The clusterer given as init found {len(found)} clusters in the latent "
            f"space, but n_clusters={n_clusters}."
        )
    return np.stack([Z[labels == label].mean(0) for label in found])
