"""k-means in the latent space of an autoencoder."""

from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdeepcluster import distributed
from skdeepcluster import functional as F
from skdeepcluster._sklearn import Interval
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned, encode
from skdeepcluster.estimators._clusterer import BaseDeepClusterer
from skdeepcluster.estimators._initial import kmeans


def nearest_centers(Z: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, float]:
    """Nearest centre of each row, and the sum of squared distances to them."""
    # Those of a file may be a read-only map of it, which torch warns of.
    means = torch.from_numpy(np.array(centers))

    def distance(z: Tensor) -> Tensor:
        return F.squared_distances(z, means)

    distances = over_rows(distance, Z, torch.device("cpu"))
    nearest, labels = distances.min(1)
    return labels.numpy().astype(np.int32), nearest.sum(dtype=torch.float64).item()


class AutoencoderKMeans(BaseDeepClusterer, BaseDecodingEstimator):
    """k-means in the latent space of an autoencoder.

    An autoencoder is trained, or given, and :class:`sklearn.cluster.KMeans` is fitted
    to the latent rows, as at the start of deep embedded clustering [1]_. With
    ``autoencoder=Autoencoder(network="conv")`` it is what is known as CNN + k-means.
    Where classes are of similar sizes, ``Autoencoder(objective="neighbors")`` makes
    a latent space in which k-means finds much more of them.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    autoencoder : Autoencoder or None, default=None
        The autoencoder, as in :class:`DECClustering`.
    n_init : int, default=20
        Restarts of k-means; the tightest clusters are kept.
    max_samples : int or None, default=100000
        Rows to learn from, at most. Of more, a sample is learned from, and ``labels_``
        are what `predict` says of all the rows. None learns from all.
    checkpoint : str, path or None, default=None
        Folder that lets a killed fit go on, as in :class:`Autoencoder`.
    verbose : int, default=0
        Whether to report each epoch of the training.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. None takes fresh entropy.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row.
    cluster_centers_ : ndarray of shape (n_clusters, latent_dim)
        Centroids in the latent space.
    n_clusters_ : int
        Number of clusters.
    n_iter_ : int
        Iterations of k-means.
    inertia_ : float
        Sum of squared latent distances to the nearest centroid.
    module_ : torch.nn.Module
        The trained autoencoder.
    history_ : dict of list of dict
        Under "pretraining", one dictionary an epoch with its ``train_loss`` and
        duration ``dur`` in seconds.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    AutoencoderGMM : A Gaussian mixture in place of k-means.
    DCNClustering : Trains the latent space for k-means.

    References
    ----------
    .. [1] Xie, J., Girshick, R. and Farhadi, A. (2016). Unsupervised deep embedding
       for clustering analysis. ICML. https://arxiv.org/abs/1511.06335

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, AutoencoderKMeans
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = Autoencoder(network="conv", max_epochs=1)
    >>> kmeans = AutoencoderKMeans(10, autoencoder=autoencoder, random_state=0)
    >>> kmeans.fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **BaseDeepClusterer._parameter_constraints,
        "n_init": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        autoencoder: Any = None,
        n_init: int = 20,
        max_samples: int | None = 100_000,
        checkpoint: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.n_init = n_init
        self.max_samples = max_samples
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state

    @property
    def n_clusters_(self) -> int:
        """Number of clusters."""
        return len(self.cluster_centers_)

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: list[int]
    ) -> Learned:
        Z = encode(learned.module, X, shared=True)
        model = distributed.first(
            lambda: kmeans(Z, self.n_clusters, self.n_init, seeds[1])
        )
        centers = model.cluster_centers_
        return learned.adding(
            cluster_centers_=centers,
            inertia_=nearest_centers(Z, centers)[1],
            n_iter_=model.n_iter_,
        )

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return nearest_centers(Z, self.cluster_centers_)[0]
