"""Deep embedded clustering (DEC) of Xie, Girshick and Farhadi (2016).

The latent rows z and the centroids mu are trained together to minimise
``KL(P || Q) + w * MSE(x, decoder(z))``, where

    q_ij ~ (1 + |z_i - mu_j|^2 / alpha)^(-(alpha + 1) / 2)     soft assignment
    p_ij ~ q_ij^2 / sum_i q_ij                                 target, over all the rows

and w = 0 is DEC itself. See https://arxiv.org/abs/1511.06335.
"""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._sklearn import Interval
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned
from skdeepcluster.estimators._clusterer import BaseSoftClusterer
from skdeepcluster.estimators._initial import Clusters
from skdeepcluster.estimators._joint import BaseJointClusterer, start_centroids
from skdeepcluster.heads import AssigningAutoencoder, StudentTHead
from skdeepcluster.networks import evaluating
from skdeepcluster.training import Net, autocast

# Where rows are few, an interval of many steps would see no second target; where they
# are many, several passes over all of them in an epoch would take most of its time.
STEPS_BETWEEN_UPDATES, MOST_EPOCHS_BETWEEN_UPDATES = 140, 5


# What DEC and its variants have in common.
DEC_CONSTRAINTS: dict[str, list[Any]] = {
    **BaseJointClusterer._parameter_constraints,
    "alpha": [Interval(Real, 0, None, closed="neither")],
    "update_interval": [Interval(Integral, 1, None, closed="left"), None],
    "tol": [Interval(Real, 0, 1, closed="both")],
}


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


class DECClustering(BaseSoftClusterer, BaseJointClusterer, BaseDecodingEstimator):
    """Deep embedded clustering (DEC).

    An autoencoder is pretrained, clusters are initialised in its latent space, and
    then encoder and centroids are trained together: the soft assignment of each row is
    pulled towards a sharpened version of itself, computed over all the rows [1]_.

    Parameters
    ----------
    n_clusters : int or None, default=8
        Number of clusters. None finds it, with ``init="graph"``.
    autoencoder : Autoencoder or None, default=None
        The autoencoder to start from. One that is fitted is used as it is, and stays
        so in clones, so that its training is shared by all the fits of a search; one
        that isn't is cloned and fitted. It also says on which device, in which
        precision and on which changes of images to train. None is ``Autoencoder()``.
    init : {"graph", "k-means"}, array-like, callable or clusterer, default="graph"
        Initial clusters. "graph" takes those of a graph of neighbours, in ``X`` and in
        the latent space, and teaches the network to tell them apart; these clusters may
        be long or bent, where k-means would cut them into round parts. A
        :class:`~skdeepcluster.graph.GraphClustering` does the same with settings of its
        own. "k-means" is that of the latent rows, as in the
        paper. Centroids of shape ``(n_clusters, latent_dim)`` are taken as they are,
        and so are those that a callable ``(Z, n_clusters, random_state)`` returns for
        latent rows. Any other scikit-learn clusterer is cloned, and its clusters of
        latent rows must be ``n_clusters`` in number.
    n_init : int, default=20
        Restarts of k-means.
    teach : bool, default=True
        Whether the network is taught the clusters of a graph; if not, training starts
        from their means.
    alpha : float, default=1.0
        Degrees of freedom of the Student t kernel.
    reconstruction_weight : float, default=0.0
        Weight of the reconstruction error in the clustering phase.
    update_interval : int or None, default=None
        Steps between two updates of the target distribution, 140 in the paper, which
        are made after whole epochs: after each at most, and after every fifth at least.
        None makes the target of each step anew, from the assignments of its rows and
        from how large clusters were at the last update, which is as good from the graph
        and better from k-means; changed images (``augment`` of the autoencoder) are
        held to the target that the images themselves have, renewed every 140 steps.
    tol : float, default=1e-3
        The clustering phase ends when a smaller share of labels changed between two
        updates.
    max_epochs : int, default=50
        Passes over the data in the clustering phase, at most. With 0, the initial
        clusters are final.
    batch_size : int, default=256
        Rows in a step, at most.
    lr : float, default=1e-4
        Learning rate of the clustering phase.
    optimizer : {"adam", "adamw", "sgd"} or class, default="adam"
        Optimizer of the clustering phase; "sgd" has momentum 0.9.
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
    module_ : torch.nn.Module
        The trained autoencoder.
    history_ : dict of list of dict
        Under "pretraining", "clustering" and, with ``init="graph"``, "teaching", one
        dictionary an epoch with its ``train_loss`` and duration ``dur`` in seconds
        and, in the clustering phase, the mean ``uncertainty`` of assignments, which is
        one less their largest probability and falls steadily, while ``train_loss``
        follows the target, and, at each update, the share ``label_change`` of rows that
        changed cluster.
    n_iter_ : int
        Epochs of the clustering phase.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

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
    >>> autoencoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dec = DECClustering(10, autoencoder=autoencoder, max_epochs=5, random_state=0)
    >>> dec.fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **DEC_CONSTRAINTS,
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        autoencoder: Any = None,
        init: Any = "graph",
        n_init: int = 20,
        teach: bool = True,
        alpha: float = 1.0,
        reconstruction_weight: float = 0.0,
        update_interval: int | None = None,
        tol: float = 1e-3,
        max_epochs: int = 50,
        batch_size: int = 256,
        lr: float = 1e-4,
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
        self.alpha = alpha
        self.reconstruction_weight = reconstruction_weight
        self.update_interval = update_interval
        self.tol = tol
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

    @property
    def _loss_weights(self) -> tuple[float, float]:
        """Weights of the divergence and of the reconstruction error."""
        return 1.0, self.reconstruction_weight

    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> StudentTHead:
        return start_centroids(StudentTHead, learned, clusters, alpha=self.alpha)

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
