"""Deep clustering network (DCN) of Yang, Fu, Sidiropoulos and Hong (2017).

The network is trained for k-means: with s(i) the cluster of row i, the loss is

    MSE(x, decoder(z)) + lambda / 2 * |z_i - mu_s(i)|^2.

After each step of the network, the rows of the batch move to their nearest centroid,
and each centroid to the running mean of the rows that it was given.
See https://arxiv.org/abs/1610.04794.
"""

from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skdeepcluster import functional as F
from skdeepcluster.estimators._autoencoder_kmeans import nearest_centers
from skdeepcluster.estimators._base import TRAINING_CONSTRAINTS, BaseDecodingEstimator
from skdeepcluster.estimators._initial import BaseTaughtClusterer
from skdeepcluster.networks import evaluating
from skdeepcluster.training import Net, PhaseFinished, autocast, plain_history

# Rows that each initial centroid stands for in its running mean, as in the authors'
# program: few enough that centroids follow the latent space.
INITIAL_COUNT = 100


class DCNNet(Net):
    """Alternating training of a network and of its latent k-means.

    Parameters
    ----------
    centers : Tensor of shape (n_clusters, latent_dim)
        Initial centroids; `centers` holds the current ones.
    labels : Tensor of shape (n_samples,)
        Initial cluster of each row.
    cluster_weight : float
        Weight of the distances.
    tol : float
        Share of changed labels in an epoch below which the phase ends.
    """

    def __init__(
        self,
        *args: Any,
        centers: Tensor,
        labels: Tensor,
        cluster_weight: float,
        tol: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.centers = centers
        self.labels = labels
        self.cluster_weight = cluster_weight
        self.tol = tol

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Reconstruction error and weighted distance to the centroid."""
        target, z, reconstruction = y_pred
        distance = F.distance_to_center(z, self.centers_, self.labels_[y_true])
        error = nn.functional.mse_loss(reconstruction, target)
        return error + self.cluster_weight / 2 * distance

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Start from the initial clusters."""
        self.centers_ = self.centers
        self.labels_ = self.labels.clone()
        self.counts_ = torch.full_like(self.centers[:, 0], INITIAL_COUNT)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Remember the clusters."""
        super().on_epoch_begin(net, **kwargs)
        self.earlier_ = self.labels_.clone()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End the phase when they have settled."""
        super().on_epoch_end(net, **kwargs)
        changed = (self.labels_ != self.earlier_).float().mean().item()
        self.history.record("label_change", changed)
        if changed < self.tol:
            raise PhaseFinished

    def train_step(self, batch: Any, **kwargs: Any) -> dict[str, Any]:
        """One step of the optimizer, then of the clusters."""
        # On the device once for both uses.
        x, index = batch = [part.to(self.device, non_blocking=True) for part in batch]
        step = super().train_step(batch, **kwargs)
        module = self.module_
        with (
            torch.no_grad(),
            evaluating(module),
            autocast(self.device, self.precision),
        ):
            z = module.encode(module.standardize(x)).float()
        labels = F.squared_distances(z, self.centers_).argmin(1)
        self.labels_[index] = labels
        self.centers_, self.counts_ = F.running_means(
            self.centers_, self.counts_, z, labels
        )
        return step


class DCNClustering(BaseTaughtClusterer, BaseDecodingEstimator):
    """Deep clustering network (DCN): a latent space made for k-means.

    An autoencoder is pretrained and clusters are initialised: by k-means on its latent
    rows in the paper, here by a graph of neighbours unless ``init`` says otherwise.
    Then the network learns to reconstruct while it pulls each row to its centroid, in
    turns with the clusters themselves: rows move to the nearest centroid, and centroids
    to the running mean of their rows [1]_.

    Parameters
    ----------
    n_clusters : int or None, default=8
        Number of clusters. None finds it, with ``init="graph"``.
    autoencoder : Autoencoder or None, default=None
        The autoencoder to start from. One that is fitted is used as it is, and stays
        so in clones, so that its training is shared by all the fits of a search; one
        that isn't is cloned and fitted. It also says on which device and in which
        precision to train. None is ``Autoencoder()``.
    init : {"graph", "k-means"}, array-like, callable or clusterer, default="graph"
        Initial clusters, as in :class:`DECClustering`.
    n_init : int, default=20
        Restarts of k-means.
    cluster_weight : float, default=0.1
        Weight lambda of the distances, halved; the reconstruction error, a mean over
        features of overall unit variance, has weight one.
    tol : float, default=1e-3
        The clustering phase ends when a smaller share of labels changed in an epoch.
    max_epochs : int, default=50
        Passes over the data in the clustering phase, at most. With 0, the initial
        clusters are final.
    batch_size : int, default=256
        Rows in a step, at most.
    lr : float, default=1e-3
        Learning rate of the clustering phase.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
        Optimizer of the clustering phase; "sgd" has momentum 0.9.
    callbacks : list of skorch callbacks or None, default=None
        Copies of them listen to the clustering phase.
    net_params : dict or None, default=None
        Further arguments of :class:`skorch.NeuralNet` for the clustering phase.
    verbose : int, default=0
        Whether to report each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. None takes fresh entropy; global random generators
        are neither read nor moved.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row.
    n_clusters_ : int
        Number of clusters.
    cluster_centers_ : ndarray of shape (n_clusters, latent_dim)
        Centroids in the latent space.
    module_ : torch.nn.Module
        The trained autoencoder.
    history_ : dict of list of dict
        Under "pretraining", "clustering" and, with ``init="graph"``, "teaching", one
        dictionary an epoch with its ``train_loss`` and duration ``dur`` in seconds
        and, in the clustering phase, the share ``label_change`` of rows that changed
        cluster.
    n_iter_ : int
        Epochs of the clustering phase.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    AutoencoderKMeans : The same without joint training.
    IDECClustering : Soft assignments in place of hard ones.

    References
    ----------
    .. [1] Yang, B., Fu, X., Sidiropoulos, N. D. and Hong, M. (2017). Towards
       k-means-friendly spaces: simultaneous deep learning and clustering. ICML.
       https://arxiv.org/abs/1610.04794

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DCNClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dcn = DCNClustering(10, autoencoder=autoencoder, max_epochs=5, random_state=0)
    >>> dcn.fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **BaseTaughtClusterer._parameter_constraints,
        **TRAINING_CONSTRAINTS,
        "cluster_weight": [Interval(Real, 0, None, closed="left")],
        "tol": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        autoencoder: Any = None,
        init: Any = "graph",
        n_init: int = 20,
        cluster_weight: float = 0.1,
        tol: float = 1e-3,
        max_epochs: int = 50,
        batch_size: int = 256,
        lr: float = 1e-3,
        optimizer: str = "adam",
        callbacks: Any = None,
        net_params: dict | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.init = init
        self.n_init = n_init
        self.cluster_weight = cluster_weight
        self.tol = tol
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.net_params = net_params
        self.verbose = verbose
        self.random_state = random_state

    def _start_clusters(self, Z: np.ndarray, seed: int) -> bool:
        self.cluster_centers_, interrupted = self._initial_centers(Z, seed)
        self.labels_ = self._labels(Z)
        self.n_iter_ = 0
        self.history_["clustering"] = []
        return interrupted

    def _refine(self, X: Any, seed: int) -> bool:
        device = self.module_.shift.device
        net = self._train(
            DCNNet,
            self.module_,
            X,
            seed,
            centers=torch.from_numpy(self.cluster_centers_).to(device),
            labels=torch.from_numpy(self.labels_).long().to(device),
            cluster_weight=self.cluster_weight,
            tol=self.tol,
            device=device,
            precision=self._precision,
        )
        self.cluster_centers_ = net.centers_.cpu().numpy()
        self.history_["clustering"] = plain_history(net)
        self.n_iter_ = len(net.history)
        return net.interrupted

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return nearest_centers(Z, self.cluster_centers_)[0]

    def score(self, X: Any, y: Any = None) -> float:
        """Opposite of the objective on ``X``; higher is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.
        y : object, default=None
            Ignored.

        Returns
        -------
        float
            Negative mean reconstruction error of standardised rows, less half the
            weighted mean squared distance to the nearest centroid.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        inertia = nearest_centers(self._encode(X), self.cluster_centers_)[1]
        error = self._reconstruction_errors(X).mean(dtype=np.float64)
        return -float(error + self.cluster_weight / 2 * inertia / X.shape[0])
