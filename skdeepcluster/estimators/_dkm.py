"""Deep k-means (DKM) of Fard, Thonet and Gaussier (2020).

k-means whose assignments are softened, so that gradients reach the network and the
centroids r_j alike: the loss is

    MSE(x, decoder(z)) + lambda * sum_j |z - r_j|^2 softmax_j(-a |z - r_j|^2).
"""

from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._autoencoder_kmeans import nearest_centers
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.heads import CentroidAutoencoder
from skdeepcluster.training import Net


class DKMNet(Net):
    """Training on reconstruction error and softened distances."""

    own = ("cluster_weight", "inverse_temperature")
    cluster_weight: float
    inverse_temperature: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Reconstruction error and weighted distance."""
        distances, error = y_pred
        distance = F.soft_distance(distances, self.inverse_temperature)
        return error + self.cluster_weight * distance


class DKMClustering(BaseJointClusterer, BaseDecodingEstimator):
    """Deep k-means (DKM): network and centroids trained by gradients alone.

    An autoencoder is pretrained and clusters are initialised, in the paper by k-means.
    Then network and centroids are trained together, on the reconstruction error and the
    distance of each row to its centroids, weighed by a softmin [1]_.

    Parameters
    ----------
    n_clusters : int or None, default=8
        Number of clusters. None finds it, with ``init="graph"``.
    autoencoder : Autoencoder or None, default=None
        The autoencoder to start from, as in :class:`DECClustering`.
    init : {"graph", "k-means"}, array-like, callable or clusterer, default="graph"
        Initial clusters, as in :class:`DECClustering`.
    n_init : int, default=20
        Restarts of k-means.
    teach : bool, default=True
        Whether the network is taught the clusters of a graph.
    cluster_weight : float, default=0.05
        Weight lambda of the distances.
    inverse_temperature : float, default=1000.0
        The a of the softmin: the larger, the harder are the assignments.
    max_epochs : int, default=20
        Passes over the data in the clustering phase.
    batch_size : int, default=256
        Rows in a step, at most.
    lr : float, default=1e-3
        Learning rate of the clustering phase.
    optimizer : {"adam", "adamw", "sgd"} or class, default="adam"
        Optimizer of the clustering phase.
    callbacks : list of skorch callbacks or None, default=None
        Copies of them listen to the teaching and to the clustering phase.
    net_params : dict or None, default=None
        Further arguments of :class:`skorch.NeuralNet` for the clustering phase.
    max_samples : int or None, default=100000
        Rows to learn from, at most. Of more, a sample is learned from, and ``labels_``
        are what `predict` says of all the rows. None learns from all.
    checkpoint : str, path or None, default=None
        Folder that lets a killed fit go on, as in :class:`Autoencoder`.
    verbose : int, default=0
        Whether to report each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. None takes fresh entropy.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row.
    n_clusters_ : int
        Number of clusters.
    cluster_centers_ : ndarray of shape (n_clusters, latent_dim)
        Centroids in the latent space.
    module_, head_ : torch.nn.Module
        The trained autoencoder and centroids.
    history_ : dict of list of dict
        Under "pretraining", "clustering" and, with ``init="graph"``, "teaching", one
        dictionary an epoch with its ``train_loss`` and duration ``dur`` in seconds.
    n_iter_ : int
        Epochs of the clustering phase.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    DCNClustering : The same aim in turns of gradients and hard assignments.

    References
    ----------
    .. [1] Fard, M. M., Thonet, T. and Gaussier, E. (2020). Deep k-means: jointly
       clustering with k-means and learning representations. Pattern Recognition
       Letters 138. https://arxiv.org/abs/1806.10069

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DKMClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dkm = DKMClustering(10, autoencoder=autoencoder, max_epochs=5, random_state=0)
    >>> dkm.fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "cluster_weight": [Interval(Real, 0, None, closed="left")],
        "inverse_temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        autoencoder: Any = None,
        init: Any = "graph",
        n_init: int = 20,
        teach: bool = True,
        cluster_weight: float = 0.05,
        inverse_temperature: float = 1000.0,
        max_epochs: int = 20,
        batch_size: int = 256,
        lr: float = 1e-3,
        optimizer: Any = "adam",
        callbacks: Any = None,
        net_params: dict | None = None,
        max_samples: int | None = 100_000,
        checkpoint: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.init = init
        self.n_init = n_init
        self.teach = teach
        self.cluster_weight = cluster_weight
        self.inverse_temperature = inverse_temperature
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.net_params = net_params
        self.max_samples = max_samples
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        return self._train_jointly(
            DKMNet,
            CentroidAutoencoder(learned.module, head),
            X,
            learned,
            seed,
            cluster_weight=self.cluster_weight,
            inverse_temperature=self.inverse_temperature,
        )

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return nearest_centers(Z, self.cluster_centers_)[0]
