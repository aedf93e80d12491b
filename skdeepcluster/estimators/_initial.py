"""Initial clusters, from whatever ``init`` names.

Those of a graph are no centroids yet: they may have any shape, in a space that knows
nothing of them. So the network is taught to tell them apart first, by mixtures of two
rows whose target is the mixture of their clusters (mixup, Zhang et al. 2018,
https://arxiv.org/abs/1710.09412). It can't learn such targets by heart, and gives many
a row that the graph had placed wrongly back to its own cluster.
"""

import math
import warnings
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import Tensor, nn

from skdeepcluster.estimators._base import spawn_seeds
from skdeepcluster.estimators._clusterer import BaseDeepClusterer
from skdeepcluster.estimators._embedded import nearest
from skdeepcluster.graph import GraphClustering
from skdeepcluster.heads import AssigningAutoencoder, StudentTHead
from skdeepcluster.training import CosineAnnealing, Net, plain_history, train

# Few passes, for a network that sees a row often learns its mistakes too; but enough
# steps to learn at all, in smaller batches where rows are few.
TEACHING_EPOCHS = 5
TEACHING_STEPS = 300
TEACHING_LR = 1e-3
LEAST_BATCH = 32

# Most mixtures hold little of the second row: where columns are few, half of each row
# often makes a row of a third cluster.
MIXING_POWER = 4

# Of the first clusters of a mixture, as a share of the overall variance.
LEAST_VARIANCE = 1e-6


class TeachingNet(Net):
    """Training towards given clusters, on mixtures of two rows.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Cluster of each row.
    mixing_seed : int
        Seed of the mixtures.
    """

    def __init__(
        self, *args: Any, labels: np.ndarray, mixing_seed: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.labels = labels
        self.mixing_seed = mixing_seed

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Start the generator of mixtures."""
        generator = torch.Generator(self.device)
        self._generator = generator.manual_seed(self.mixing_seed)
        self._labels = torch.from_numpy(self.labels).long().to(self.device)

    def infer(self, x: Tensor, **kwargs: Any) -> tuple[Any, Tensor, Tensor]:
        """Give the module's view of mixtures, with their rows and shares."""
        draw = {"generator": self._generator, "device": x.device}
        other = torch.randperm(len(x), **draw)
        share = torch.rand(len(x), **draw) ** MIXING_POWER / 2
        x = x.float()
        mixed = torch.lerp(x, x[other], share[:, None])
        return self.module_(mixed), other, share

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Cross entropy with both rows' clusters, and reconstruction error."""
        (q, error), other, share = y_pred
        labels = self._labels[y_true]
        log_q = q.clamp_min(torch.finfo(q.dtype).tiny).log()
        own = -log_q.gather(1, labels[:, None])[:, 0]
        others = -log_q.gather(1, labels[other, None])[:, 0]
        return torch.lerp(own, others, share).mean() + error


class BaseGraphClusterer(BaseDeepClusterer):
    """A clusterer whose parameter ``init`` may name a graph, which may find the number.

    A subclass implements `_keep_clusters`, and sets ``n_clusters_``.
    """

    _parameter_constraints: dict = {
        **BaseDeepClusterer._parameter_constraints,
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "init": [StrOptions({"k-means", "graph"}), GraphClustering],
    }

    def _check_fit(self, X: Any, autoencoder: Any) -> None:
        super()._check_fit(X, autoencoder)
        if self._graph() is None and self.n_clusters is None:
            raise ValueError(
                "n_clusters=None is found by the graph only: use init='graph' or give "
                "n_clusters."
            )

    def _find_clusters(self, X: Any, autoencoder: Any) -> str | None:
        interrupted = super()._find_clusters(X, autoencoder)
        self._drop_empty(X)
        return interrupted

    def _drop_empty(self, X: Any) -> None:
        """Drop what training emptied, where nobody asked for so many clusters."""
        if self.n_clusters is None:
            self._keep_clusters(np.unique(self._labels(self._encode(X))))

    def _keep_clusters(self, kept: np.ndarray) -> None:
        """Drop all clusters but those of the given indices."""
        raise NotImplementedError

    def _graph(self, seed: int | None = None) -> GraphClustering | None:
        """Return a graph to start from, if that is wanted; ``seed`` if it has none."""
        if isinstance(self.init, GraphClustering):
            graph = clone(self.init)
        elif isinstance(self.init, str) and self.init == "graph":
            graph = GraphClustering()
        else:
            return None
        if graph.n_clusters not in (None, self.n_clusters):
            raise ValueError(
                f"init={self.init!r} has another n_clusters than this "
                f"{type(self).__name__}, whose n_clusters={self.n_clusters} counts; "
                "leave it out of init."
            )
        if graph.random_state is None:
            graph.set_params(random_state=seed)
        return graph.set_params(n_clusters=self.n_clusters)

    def _teach_net(
        self,
        net_class: type[TeachingNet],
        module: nn.Module,
        X: Any,
        labels: np.ndarray,
        seed: int,
    ) -> TeachingNet:
        """Train a module towards given clusters, on the rows that have one."""
        placed = labels >= 0
        if not placed.all():
            X, labels = X[placed], labels[placed]
        n_samples = X.shape[0]
        rows = TEACHING_EPOCHS * n_samples // TEACHING_STEPS
        batch_size = min(self.batch_size, max(rows, LEAST_BATCH))
        steps = math.ceil(TEACHING_STEPS / math.ceil(n_samples / batch_size))
        epochs = max(TEACHING_EPOCHS, steps)
        order_seed, mixing_seed = spawn_seeds(seed, 2)
        return train(
            net_class,
            module,
            X,
            optimizer="adam",
            seed=order_seed,
            lr=TEACHING_LR,
            max_epochs=epochs,
            batch_size=batch_size,
            callbacks=[CosineAnnealing(epochs)],
            labels=labels,
            mixing_seed=mixing_seed,
            device=self.module_.shift.device,
            precision=self._precision,
            verbose=int(self.verbose),
        )


class BaseInitializedClusterer(BaseGraphClusterer):
    """A clusterer on centroids, with parameters ``init`` and ``n_init``.

    `_initial_centers` gives the centroids to start from; with a graph, ``labels_`` are
    its clusters until the fit ends. A subclass may implement `_teach`, which makes the
    network tell the graph's clusters apart.
    """

    _parameter_constraints: dict = {
        **BaseGraphClusterer._parameter_constraints,
        "init": [
            StrOptions({"k-means", "graph"}),
            "array-like",
            HasMethods("fit_predict"),
            callable,
        ],
        "n_init": [Interval(Integral, 1, None, closed="left")],
    }

    @property
    def n_clusters_(self) -> int:
        """Number of clusters: `n_clusters`, or as many as were found."""
        return len(self.cluster_centers_)

    def _check_fit(self, X: Any, autoencoder: Any) -> None:
        super()._check_fit(X, autoencoder)
        if self._graph() is None:
            check_init(self.init, self.n_clusters, autoencoder.latent_dim)

    def _keep_clusters(self, kept: np.ndarray) -> None:
        self.cluster_centers_ = self.cluster_centers_[kept]

    def _pretrain(self, X: Any, autoencoder: Any, seed: int) -> bool:
        interrupted = super()._pretrain(X, autoencoder, seed)
        graph_seed, teaching_seed = spawn_seeds(seed, 2)
        graph = self._graph(graph_seed)
        if graph is None:
            return interrupted
        Z = self._encode(X)
        try:
            labels = graph._labels_of([X, Z])
        except KeyboardInterrupt:
            self.cluster_centers_ = self._quick_centers(Z, graph_seed)
            self.labels_ = nearest(Z, self.cluster_centers_)
            return True
        self.labels_ = labels
        self.cluster_centers_ = centers_of_labels(Z, labels, labels.max() + 1)
        return interrupted or self._teach(X, labels, teaching_seed)

    def _teach(self, X: Any, labels: np.ndarray, seed: int) -> bool:
        """Train towards given clusters; tell whether the user interrupted."""
        return False

    def _initial_centers(self, Z: np.ndarray, seed: int) -> tuple[np.ndarray, bool]:
        """Centroids to start from, and whether the user interrupted the search."""
        if self._graph() is not None:
            return self.cluster_centers_, False
        try:
            centers = initial_centers(Z, self.init, self.n_clusters, self.n_init, seed)
        except KeyboardInterrupt:
            return self._quick_centers(Z, seed), True
        return centers, False

    def _quick_centers(self, Z: np.ndarray, seed: int) -> np.ndarray:
        """Centroids of a single k-means, for a user who can't wait."""
        if self.n_clusters is None:
            raise KeyboardInterrupt
        return initial_centers(Z, "k-means", self.n_clusters, 1, seed)


class BaseTaughtClusterer(BaseInitializedClusterer):
    """One whose network is taught the graph's clusters, and trained further."""

    # Of the soft assignment that is taught, where there is no such parameter.
    alpha: float = 1.0

    def _check_fit(self, X: Any, autoencoder: Any) -> None:
        super()._check_fit(X, autoencoder)
        self._check_training()

    def _teach(self, X: Any, labels: np.ndarray, seed: int) -> bool:
        module = self._assigning(reconstruct=True)
        net = self._teach_net(TeachingNet, module, X, labels, seed)
        self.cluster_centers_ = module.head.centers.detach().cpu().numpy()
        self.history_["teaching"] = plain_history(net)
        return net.interrupted

    def _assigning(self, reconstruct: bool) -> AssigningAutoencoder:
        """Join the network and trainable centroids."""
        centers = torch.from_numpy(self.cluster_centers_)
        head = StudentTHead(centers.to(self.module_.shift.device), self.alpha)
        return AssigningAutoencoder(self.module_, head, reconstruct)


def check_init(init: Any, n_clusters: int, latent_dim: int) -> None:
    """Refuse, before any training, what can't give centroids."""
    if isinstance(init, type):
        raise TypeError(
            f"init={init.__name__} is a class; give an instance, as in "
            f"init={init.__name__}()."
        )
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


def fit_about(
    mixture: GaussianMixture, Z: np.ndarray, labels: np.ndarray, centers: np.ndarray
) -> None:
    """Fit a mixture to latent rows, from given clusters about given centroids."""
    Z = Z.astype(np.float64)
    floor = max(mixture.reg_covar, LEAST_VARIANCE * (Z.var() or 1.0))
    # A row more in each cluster, at its centroid: none is empty.
    weights = np.bincount(labels[labels >= 0], minlength=len(centers)) + 1.0
    covariances = np.empty((len(centers), Z.shape[1], Z.shape[1]))
    for label, center in enumerate(centers):
        rows = Z[labels == label] - center
        covariances[label] = rows.T @ rows / weights[label] + floor * np.eye(Z.shape[1])
    weights /= weights.sum()
    kind = mixture.covariance_type
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    if kind == "full":
        precisions = np.linalg.inv(covariances)
    elif kind == "tied":
        precisions = np.linalg.inv(np.tensordot(weights, covariances, 1))
    else:
        precisions = 1 / (variances if kind == "diag" else variances.mean(1))
    mixture.set_params(
        weights_init=weights, means_init=centers, precisions_init=precisions
    )
    mixture.fit(Z)
    # What it started from is no setting of the user's.
    mixture.set_params(weights_init=None, means_init=None, precisions_init=None)
