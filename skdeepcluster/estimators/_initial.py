"""Initial clusters, from whatever ``init`` names."""

import inspect
import warnings
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_array, check_random_state

from skdeepcluster._modules import global_generator
from skdeepcluster._resume import Journal
from skdeepcluster._sklearn import HasMethods, Interval, StrOptions
from skdeepcluster._tasks import told
from skdeepcluster.estimators._embedded import nearest
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.constraints import Constraints, Links
from skdeepcluster.graph.rows import Nodes

# The clusterers that have a name.
NAMED = {"graph": GraphClustering(), "k-means": KMeans(n_init=20)}

# Of the first clusters of a mixture, as a share of the overall variance.
LEAST_VARIANCE = 1e-6

INITIAL_CONSTRAINTS: dict[str, list[Any]] = {
    "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
    "init": [
        StrOptions({*NAMED}),
        "array-like",
        HasMethods("fit_predict"),
        callable,
    ],
}


@dataclass(frozen=True)
class Clusters:
    """Initial clusters of latent rows.

    Parameters
    ----------
    centers : ndarray of shape (n_clusters, latent_dim), float32
    labels : ndarray of shape (n_samples,)
        Cluster of each row; -1 for none.
    to_teach : bool, default=False
        Whether the centroids don't tell the clusters, which may have any shape.
    interrupted : bool, default=False
        Whether the user couldn't wait for better ones.
    """

    centers: np.ndarray
    labels: np.ndarray
    to_teach: bool = False
    interrupted: bool = False


@dataclass(frozen=True)
class InitialClusters:
    """The strategy that ``init`` names: rows and latent rows in, clusters out.

    Parameters
    ----------
    init : "k-means", "graph", array-like, callable or clusterer
    n_clusters : int or None
        None lets a graph, or the clusterer, find it.
    links : Links or None, default=None
        Rows that must and cannot be linked, which a graph alone knows how to keep.
    """

    init: Any
    n_clusters: int | None
    links: Links | None = None

    @property
    def given(self) -> Any:
        """What ``init`` is, or the clusterer that it names."""
        return NAMED[self.init] if isinstance(self.init, str) else self.init

    @property
    def of_graph(self) -> bool:
        """Whether the clusters are a graph's."""
        return isinstance(self.given, GraphClustering)

    def check(self, owner: str, latent_dim: int) -> None:
        """Refuse, before any training, what can't give clusters."""
        init = self.init
        if isinstance(init, type):
            raise TypeError(
                f"init={init.__name__} is a class; give an instance, as in "
                f"init={init.__name__}()."
            )
        if hasattr(init, "fit_predict"):
            name = count_parameter(init)
            if self.n_clusters is None or name is None:
                return
            given = getattr(init, name)
            default = inspect.signature(type(init)).parameters[name].default
            if given not in (None, default, self.n_clusters):
                raise ValueError(
                    f"init={init!r} has another {name} than this {owner}, whose "
                    f"n_clusters={self.n_clusters} counts; leave it out of init."
                )
        elif self.n_clusters is None and not self.of_graph:
            raise ValueError(
                "n_clusters=None is found by a graph or a clusterer only: use "
                "init='graph', or init=HDBSCAN(), or give n_clusters."
            )
        elif not (isinstance(init, str) or callable(init)):
            self._checked(init, latent_dim)

    def kept_or_found(
        self,
        journal: Journal,
        views: list[Any],
        Z: np.ndarray,
        seed: int,
        hurried: bool = False,
    ) -> Clusters:
        """Read the clusters of a fit that goes on; or find them, and keep them."""
        page = journal.page("initial clusters")
        kept = page.read()
        if kept is not None:
            arrays = kept["centers"].numpy(), kept["labels"].numpy()
            return Clusters(*arrays, to_teach=kept["to_teach"])
        found = self.find(views, Z, seed, hurried)
        if not (hurried or found.interrupted):
            page.write(lambda: vars(found))
        return found

    def find(
        self, views: list[Any], Z: np.ndarray, seed: int, hurried: bool = False
    ) -> Clusters:
        """Find the clusters of latent rows; a graph is of all the views of the rows.

        A user who interrupts gets those of a single k-means, and so does one who has
        interrupted what came before and is ``hurried``.
        """
        if hurried and self.of_graph:
            return self._quick(Z, seed)
        try:
            with told("initial clusters"):
                return self._found(views, Z, seed)
        except KeyboardInterrupt:
            return self._quick(Z, seed, interrupted=True)

    def _found(self, views: list[Any], Z: np.ndarray, seed: int) -> Clusters:
        if self.of_graph:
            labels = self._told(seed)._labels_of(views, self.links)
            centers = centers_of_labels(Z, labels, labels.max() + 1)
            # A network that is to part single rows learns nothing from mixtures.
            return Clusters(centers, labels, to_teach=len(centers) < len(labels))
        centers = self._centers(Z, seed)
        return Clusters(centers, nearest(Z, centers))

    def _quick(self, Z: np.ndarray, seed: int, interrupted: bool = False) -> Clusters:
        if self.n_clusters is None:
            raise KeyboardInterrupt
        centers = kmeans(Z, self.n_clusters, 1, seed).cluster_centers_
        return Clusters(centers, nearest(Z, centers), interrupted=interrupted)

    def _told(self, seed: int) -> Any:
        """Clone the clusterer, and tell it the number of clusters and a seed."""
        clusterer = clone(self.given)
        name = count_parameter(clusterer)
        if name is not None and self.n_clusters is not None:
            clusterer.set_params(**{name: self.n_clusters})
        if clusterer.get_params().get("random_state", seed) is None:
            clusterer.set_params(random_state=seed)
        return clusterer

    def _centers(self, Z: np.ndarray, seed: int) -> np.ndarray:
        init: Any = self.given
        n_clusters: Any = self.n_clusters
        if hasattr(init, "fit_predict"):
            clusterer = self._told(seed)
            with global_generator(seed), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                labels = np.asarray(clusterer.fit_predict(Z))
            # k-means has as many as it was told to find, also of too few distinct rows.
            centers = np.asarray(getattr(clusterer, "cluster_centers_", ()))
            if centers.shape != (n_clusters, Z.shape[1]):
                centers = centers_of_labels(Z, labels, n_clusters)
        elif callable(init):
            with global_generator(seed):
                centers = init(Z, n_clusters, random_state=check_random_state(seed))
        else:
            centers = init
        return self._checked(centers, Z.shape[1])

    def _checked(self, centers: Any, latent_dim: int) -> np.ndarray:
        """Centroids as a float32 array of the right shape."""
        centers = check_array(centers, dtype=np.float32, input_name="init", copy=True)
        n_clusters = len(centers) if self.n_clusters is None else self.n_clusters
        if centers.shape != (n_clusters, latent_dim):
            raise ValueError(
                f"init gives centroids of shape {centers.shape}, but (n_clusters, "
                f"latent_dim) is {(n_clusters, latent_dim)}."
            )
        return centers


def keeping(initial: InitialClusters | None, links: Links, X: Any) -> InitialClusters:
    """Return a strategy that keeps links, or refuse them."""
    if initial is None or not initial.of_graph:
        raise ValueError(
            "must_link and cannot_link are kept by a graph only: use init='graph'."
        )
    Constraints.known(links, Nodes.of(X), initial.n_clusters)
    return replace(initial, links=links)


def kmeans(Z: np.ndarray, n_clusters: int, n_init: int, seed: int) -> KMeans:
    """k-means of latent rows.

    Of too few distinct rows it doesn't warn: the estimator says so of its final
    clusters.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_clusters, n_init=n_init, random_state=seed).fit(Z)


def one_center(Z: np.ndarray, n_clusters: int, random_state: Any) -> np.ndarray:
    """Mean of all rows, for clusterers that find their clusters from there."""
    return Z.mean(0, keepdims=True)


def count_parameter(clusterer: Any) -> str | None:
    """Name of the parameter that tells a clusterer how many clusters to find."""
    names = clusterer.get_params(deep=False)
    return next(
        (name for name in ("n_clusters", "n_components") if name in names), None
    )


def centers_of_labels(
    Z: np.ndarray, labels: np.ndarray, n_clusters: int | None
) -> np.ndarray:
    """Mean of each cluster's rows; rows with a negative label belong to none."""
    found = np.unique(labels[labels >= 0])
    if len(found) != (n_clusters or max(len(found), 1)):
        raise ValueError(
            f"The clusterer given as init found {len(found)} clusters in the latent "
            f"space, but n_clusters={n_clusters}."
        )
    return np.stack([Z[labels == label].mean(0) for label in found])


def fit_about(mixture: GaussianMixture, Z: np.ndarray, clusters: Clusters) -> None:
    """Fit a mixture to latent rows, from given clusters about their centroids.

    Without iterations, its components are those of the clusters.
    """
    Z = Z.astype(np.float64)
    labels, centers = clusters.labels, clusters.centers
    floor = max(mixture.reg_covar, LEAST_VARIANCE * (Z.var() or 1.0))
    # A row more in each cluster, at its centroid: none is empty.
    weights = np.bincount(labels[labels >= 0], minlength=len(centers)) + 1.0
    covariances: Any = np.empty((len(centers), Z.shape[1], Z.shape[1]))
    for label, center in enumerate(centers):
        rows = Z[labels == label] - center
        covariances[label] = rows.T @ rows / weights[label] + floor * np.eye(Z.shape[1])
    weights /= weights.sum()
    kind = mixture.covariance_type
    if kind == "tied":
        covariances = np.tensordot(weights, covariances, 1)
    elif kind != "full":
        covariances = np.diagonal(covariances, axis1=1, axis2=2)
        covariances = covariances if kind == "diag" else covariances.mean(1)
    if kind in ("full", "tied"):
        roots = np.swapaxes(np.linalg.inv(np.linalg.cholesky(covariances)), -1, -2)
        precisions = roots @ np.swapaxes(roots, -1, -2)
    else:
        precisions = 1 / covariances
        roots = np.sqrt(precisions)
    if mixture.max_iter > 0:
        mixture.set_params(
            weights_init=weights, means_init=centers, precisions_init=precisions
        )
        mixture.fit(Z)
        # What it started from is no setting of the user's.
        mixture.set_params(weights_init=None, means_init=None, precisions_init=None)
        return
    mixture.weights_, mixture.means_ = weights, centers.astype(np.float64)
    mixture.covariances_, mixture.precisions_ = covariances, precisions
    mixture.precisions_cholesky_ = roots
    mixture.n_features_in_, mixture.n_iter_, mixture.converged_ = Z.shape[1], 0, True
    mixture.lower_bound_ = mixture.score(Z)
