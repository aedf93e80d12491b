"""k-means in the latent space of an autoencoder."""

from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._docs import documented
from skdeepcluster._seeds import FitSeeds
from skdeepcluster._sklearn import Interval
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned, encode
from skdeepcluster.estimators._clusterer import BaseDeepClusterer
from skdeepcluster.estimators._gradients import HasLogOdds
from skdeepcluster.estimators._initial import kmeans
from skdeepcluster.estimators._training import Training


def nearest_centers(Z: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, float]:
    """Nearest centre of each row, and the sum of squared distances to them."""
    # Those of a file may be a read-only map of it, which torch warns of.
    means = torch.from_numpy(np.array(centers))

    def distance(z: Tensor) -> Tensor:
        return F.squared_distances(z, means)

    distances = over_rows(distance, Z, torch.device("cpu"))
    nearest, labels = distances.min(1)
    return labels.numpy().astype(np.int32), nearest.sum(dtype=torch.float64).item()


@documented
class AutoencoderKMeans(HasLogOdds, BaseDeepClusterer, BaseDecodingEstimator):
    """k-means in the latent space of an autoencoder.

    An autoencoder is trained, or given, and :class:`sklearn.cluster.KMeans` is fitted
    to the latent rows, as at the start of deep embedded clustering [1]_. With
    ``encoder=Autoencoder(network="conv")`` it is what is known as CNN + k-means.
    Where classes are of similar sizes, ``Autoencoder(objective="neighbors")`` makes
    a latent space in which k-means finds much more of them.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    {encoder}
    n_init : int, default=20
        Restarts of k-means; the tightest clusters are kept.
    {common}

    Attributes
    ----------
    {labels_}
    {cluster_centers_}
    {n_clusters_}
    n_iter_ : int
        Iterations of k-means.
    inertia_ : float
        Sum of squared latent distances to the nearest centroid.
    {module_}
    {pretraining_history_}
    {features}

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
    >>> encoder = Autoencoder(network="conv", max_epochs=1)
    >>> kmeans = AutoencoderKMeans(10, encoder=encoder, random_state=0)
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
        encoder: Any = None,
        n_init: int = 20,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.n_init = n_init
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def n_clusters_(self) -> int:
        """Number of clusters."""
        return self._count(len(self.cluster_centers_))

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: FitSeeds
    ) -> Learned:
        Z = encode(learned.module, X)
        model = kmeans(Z, self.n_clusters, self.n_init, seeds.start)
        centers = model.cluster_centers_
        return learned.adding(
            cluster_centers_=centers,
            inertia_=nearest_centers(Z, centers)[1],
            n_iter_=model.n_iter_,
        )

    def _scores(self, x: Tensor) -> Tensor:
        z = self.module_.encode(self.module_.standardize(x)).float()
        centers = torch.tensor(self.cluster_centers_, device=z.device)
        return -F.squared_distances(z, centers)

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return nearest_centers(Z, self.cluster_centers_)[0]
