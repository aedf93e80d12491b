"""Deep k-means (DKM) of Fard, Thonet and Gaussier (2020).

k-means whose assignments are softened, so that gradients reach the network and the
centroids r_j alike: the loss is

    MSE(x, decoder(z)) + lambda * sum_j |z - r_j|^2 softmax_j(-a |z - r_j|^2).
"""

from numbers import Real
from typing import Any

from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._docs import documented
from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._training import Training
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


@documented
class DKMClustering(BaseJointClusterer, BaseDecodingEstimator):
    """Deep k-means (DKM): network and centroids trained by gradients alone.

    An autoencoder is pretrained and clusters are initialised, in the paper by k-means.
    Then network and centroids are trained together, on the reconstruction error and the
    distance of each row to its centroids, weighed by a softmin [1]_.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    {init}
    cluster_weight : float, default=0.05
        Weight lambda of the distances.
    inverse_temperature : float, default=1000.0
        The a of the softmin: the larger, the harder are the assignments.
    max_epochs : int, default=20
        Passes over the data in the clustering phase.
    {batch_size}
    lr : float, default=1e-3
        Learning rate of the clustering phase.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    {cluster_centers_}
    module_, head_ : torch.nn.Module
        The trained autoencoder and centroids.
    {joint_history_}
    {n_iter_}
    {features}

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
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dkm = DKMClustering(10, encoder=encoder, max_epochs=5, random_state=0)
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
        encoder: Any = None,
        init: Any = "graph",
        cluster_weight: float = 0.05,
        inverse_temperature: float = 1000.0,
        max_epochs: int = 20,
        batch_size: int = 256,
        lr: float = 1e-3,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.init = init
        self.cluster_weight = cluster_weight
        self.inverse_temperature = inverse_temperature
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
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
