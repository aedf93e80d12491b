"""Deep embedded clustering (DEC) of Xie, Girshick and Farhadi (2016).

The latent rows z and the centroids mu are trained together to minimise
``KL(P || Q)``, where

    q_ij ~ 1 / (1 + |z_i - mu_j|^2)     soft assignment
    p_ij ~ q_ij^2 / sum_i q_ij          target, over all the rows

See https://arxiv.org/abs/1511.06335.
"""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._devices import autocast
from skdeepcluster._docs import documented
from skdeepcluster._modules import evaluating
from skdeepcluster._sklearn import Interval
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned
from skdeepcluster.estimators._clusterer import BaseSoftClusterer
from skdeepcluster.estimators._initial import Clusters
from skdeepcluster.estimators._joint import BaseJointClusterer, start_centroids
from skdeepcluster.estimators._training import Training
from skdeepcluster.heads import AssigningAutoencoder, StudentTHead
from skdeepcluster.training import Net

# Where rows are few, an interval of many steps would see no second target; where they
# are many, several passes over all of them in an epoch would take most of its time.
STEPS_BETWEEN_UPDATES, MOST_EPOCHS_BETWEEN_UPDATES = 140, 5


class DECNet(Net):
    """Self-training against a target distribution.

    How often clusters are is computed over all the rows, as the network predicts them:
    without dropout, and leaving the statistics of batch normalisation alone. The target
    of a row sharpens its assignment of today, or of that time where it is held.

    Attributes
    ----------
    loss_weights : tuple of float
        Weights of the divergence and of the reconstruction error.
    held : bool
        Whether the target stays until the next update.
    interval : int
        Epochs between two updates.
    tol : float
        Share of changed labels between two updates below which the phase ends.
    """

    own = ("loss_weights", "held", "interval", "tol")
    loss_weights: tuple[float, float]
    held: bool
    interval: int
    tol: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Weighted sum of divergence and reconstruction error."""
        q, error = y_pred
        if training:
            self._doubt += 1 - q.detach().max(1).values.mean()
            self._steps += 1
        # Held-out rows may be none of those that the target was computed for.
        if training and self.held:
            p = self.memory["target"][y_true]
        else:
            p = F.target_distribution(q.detach(), self.memory["frequencies"])
        kl_weight, error_weight = self.loss_weights
        loss = kl_weight * F.kl_divergence(p, q)
        return loss if error is None else loss + error_weight * error

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Compute the first target."""
        self._rows = X
        self._update_target()

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Start to sum up what the assignments leave open."""
        super().on_epoch_begin(net, **kwargs)
        self._doubt = torch.zeros((), device=self.device, dtype=torch.float32)
        self._steps = 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Update the target when it is due, and stop when labels have settled."""
        super().on_epoch_end(net, **kwargs)
        self.history.record("uncertainty", self._doubt.item() / self._steps)
        if len(self.history) % self.interval == 0:
            earlier = self.memory["labels"]
            self._update_target()
            changed = (self.memory["labels"] != earlier).float().mean().item()
            self.history.record("label_change", changed)
            self.stopping |= changed < self.tol

    def _update_target(self) -> None:
        device = torch.device(self.device)
        module = self.module_
        with evaluating(module), autocast(device, self.precision):
            q = over_rows(module.assign, self._rows, device)
        self.memory = {"frequencies": q.sum(0), "labels": q.argmax(1)}
        if self.held:
            self.memory["target"] = F.target_distribution(q)


@documented
class DECClustering(BaseSoftClusterer, BaseJointClusterer, BaseDecodingEstimator):
    """Deep embedded clustering (DEC).

    An autoencoder is pretrained, clusters are initialised in its latent space, and
    then encoder and centroids are trained together: the soft assignment of each row is
    pulled towards a sharpened version of itself, computed over all the rows [1]_.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    {init}
    {update_interval}
    {tol}
    {max_epochs}
    {batch_size}
    lr : float, default=1e-4
        Learning rate of the clustering phase.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    {cluster_centers_}
    {module_}
    history_ : dict of list of dict
        Under "pretraining", "clustering" and, with ``init="graph"``, "teaching", one
        dictionary an epoch with its ``train_loss`` and duration ``dur`` in seconds
        and, in the clustering phase, the mean ``uncertainty`` of assignments, which is
        one less their largest probability and falls steadily, while ``train_loss``
        follows the target, and, at each update, the share ``label_change`` of rows that
        changed cluster.
    {n_iter_}
    {features}

    See Also
    --------
    AutoencoderGMM : A Gaussian mixture in the latent space, without joint training.

    References
    ----------
    .. [1] Xie, J., Girshick, R. and Farhadi, A. (2016). Unsupervised deep embedding
       for clustering analysis. ICML. https://arxiv.org/abs/1511.06335

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DECClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dec = DECClustering(10, encoder=encoder, max_epochs=5, random_state=0)
    >>> dec.fit_predict(X).shape
    (1797,)
    """

    _brief = True
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "update_interval": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
        update_interval: int | None = None,
        tol: float = 1e-3,
        max_epochs: int = 50,
        batch_size: int = 256,
        lr: float = 1e-4,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.init = init
        self.update_interval = update_interval
        self.tol = tol
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _loss_weights(self) -> tuple[float, float]:
        """Weights of the divergence and of the reconstruction error."""
        return 1.0, 0.0

    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> StudentTHead:
        return start_centroids(StudentTHead, learned, clusters)

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        steps = self.update_interval or STEPS_BETWEEN_UPDATES
        epochs = steps / math.ceil(X.shape[0] / self.batch_size)
        reconstruct = self._loss_weights[1] > 0
        # What is made of changed images is to come near what is made of the images.
        changing = self._augmentation(X.shape[1], 0) is not None
        return self._train_jointly(
            DECNet,
            AssigningAutoencoder(learned.module, head, reconstruct),
            X,
            learned,
            seed,
            loss_weights=self._loss_weights,
            held=changing or self.update_interval is not None,
            interval=min(max(round(epochs), 1), MOST_EPOCHS_BETWEEN_UPDATES),
            tol=self.tol,
        )

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        device = self.module_.shift.device
        return over_rows(self.head_.assign, Z, device).cpu().numpy()
