"""The DipEncoder of Leiber et al. (2022): a latent space with a mode for each cluster.

For each pair of clusters a and b, rows are projected onto an axis that is trained with
the network. The dip, how far a sample is from having a single mode, shall be small for
each of the two and large for both together: the loss is

    w MSE(x, decoder(z)) + mean_(a<b) [(dip(Z_a) + dip(Z_b)) / 2 - dip(Z_a and Z_b)].

After each epoch, a row goes to the cluster that it belongs to on most axes, where two
clusters meet half-way between their modes. See https://doi.org/10.1145/3534678.3539407.
"""

from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._dip import balanced, border
from skdeepcluster._docs import documented
from skdeepcluster._modules import evaluating
from skdeepcluster._sklearn import Interval
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned, encode
from skdeepcluster.estimators._initial import Clusters
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._training import Training
from skdeepcluster.heads import AxesHead, LatentAutoencoder
from skdeepcluster.training import Net

# Rows of a cluster in a batch without which its dip tells nothing.
LEAST_ROWS = 4


def mean_dips(z: Tensor, head: AxesHead, labels: Tensor) -> Tensor:
    """Mean over the pairs of clusters of the dips within less that of both."""
    Z, named = z.detach().cpu().numpy(), labels.cpu().numpy()
    members = [np.flatnonzero(named == j) for j in range(head.config["n_clusters"])]
    samples = []
    for axis, (a, b) in enumerate(head.pairs.T.tolist()):
        one, other = members[a], members[b]
        if min(len(one), len(other)) >= LEAST_ROWS:
            both = balanced(Z, one, other)
            samples += [(axis, one), (axis, other), (axis, both)]
    if not samples:
        return 0 * z.sum()
    own, others, both = F.dips(head.project(z), samples).reshape(-1, 3).T
    return ((own + others) / 2 - both).mean()


@torch.no_grad()
def settle(head: AxesHead, Z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Set the borders by the clusters of latent rows; return the clusters then."""
    device = head.axes.device
    places = over_rows(head.project, Z, device).double().cpu().numpy()
    for axis, (a, b) in enumerate(head.pairs.T.tolist()):
        one, other = (places[labels == j, axis] for j in (a, b))
        if min(len(one), len(other)) > 0:
            head.borders[axis], width = border(one, other)
            least = 1e-6 * float(head.axes[axis].norm()) or 1e-6
            head.widths[axis] = np.copysign(max(abs(width), least), width)
    return labels_of(head, Z)


def labels_of(head: AxesHead, Z: np.ndarray) -> np.ndarray:
    """Cluster of each latent row."""
    scores = over_rows(head.scores, Z, head.axes.device)
    return scores.argmax(1).cpu().numpy().astype(np.int32)


class DipEncoderNet(Net):
    """Training on error and dips."""

    own = ("reconstruction_weight",)
    reconstruction_weight: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Weighted reconstruction error, and dips."""
        z, error = y_pred
        head = self.module_.head
        # Held-out rows are in no cluster yet.
        labels = self.memory["labels"][y_true] if training else head.scores(z).argmax(1)
        return self.reconstruction_weight * error + mean_dips(z, head, labels)

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Start from the initial clusters."""
        self._rows = X
        self._keep(labels_of(self.module_.head, self._latent()))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Move rows to the clusters of most axes."""
        super().on_epoch_end(net, **kwargs)
        earlier = self.memory["labels"].cpu().numpy()
        labels = settle(self.module_.head, self._latent(), earlier)
        self.history.record("label_change", float((labels != earlier).mean()))
        self._keep(labels)

    def _latent(self) -> np.ndarray:
        with evaluating(self.module_):
            return encode(self.module_.autoencoder, self._rows)

    def _keep(self, labels: np.ndarray) -> None:
        self.memory["labels"] = torch.from_numpy(labels).to(self.device)


@documented
class DipEncoderClustering(BaseJointClusterer, BaseDecodingEstimator):
    """DipEncoder: a latent space in which each pair of clusters has two modes.

    An autoencoder is pretrained and clusters are initialised, in [1]_ by k-means. Then
    network and an axis for each pair of clusters are trained together: on it, each of
    the two shall have one mode, and both together two, by Hartigan's dip.

    Take it for a latent space in which clusters may have any size and spread, for
    nothing pulls rows to centroids. The time of a step grows with the square of the
    number of clusters.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    {init}
    reconstruction_weight : float, default=0.25
        Weight of the reconstruction error, a mean over features of overall unit
        variance. A dip is .25 at most: as in [1]_, an untrained network counts as much.
    max_epochs : int, default=20
        Passes over the data in the clustering phase; 100 in [1]_.
    batch_size : int, default=256
        Rows in a step, at most; 25 of each cluster in [1]_. Clusters with fewer than 4
        rows in a step have no part in it.
    lr : float, default=1e-4
        Learning rate of the clustering phase.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    {module_}
    head_ : torch.nn.Module
        The trained axes, and where the clusters meet on them.
    history_ : dict of list of dict
        Under "pretraining", "clustering" and, with ``init="graph"``, "teaching", one
        dictionary an epoch with its ``train_loss`` and duration ``dur`` in seconds
        and, in the clustering phase, the share ``label_change`` of rows that changed
        cluster.
    {n_iter_}
    {features}

    See Also
    --------
    DipDECKClustering : Finds the number of clusters by the same dip.

    References
    ----------
    .. [1] Leiber, C., Bauer, L. G. M., Neumayr, M., Plant, C. and Boehm, C. (2022). The
       DipEncoder: enforcing multimodality in autoencoders. KDD.
       https://doi.org/10.1145/3534678.3539407

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DipEncoderClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dip = DipEncoderClustering(
    ...     10, encoder=encoder, max_epochs=1, random_state=0
    ... )
    >>> dip.fit_predict(X).shape
    (1797,)
    """

    _brief = True
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "reconstruction_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
        reconstruction_weight: float = 0.25,
        max_epochs: int = 20,
        batch_size: int = 256,
        lr: float = 1e-4,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.init = init
        self.reconstruction_weight = reconstruction_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> AxesHead:
        centers = torch.from_numpy(clusters.centers)
        head = AxesHead(*centers.shape)
        one, other = head.pairs
        axes = torch.nn.functional.normalize(centers[other] - centers[one])
        head.axes = torch.nn.Parameter(axes)
        head = head.to(learned.module.shift.device)
        settle(head, encode(learned.module, X), clusters.labels)
        return head

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        return self._train_jointly(
            DipEncoderNet,
            LatentAutoencoder(learned.module, head),
            X,
            learned,
            seed,
            reconstruction_weight=self.reconstruction_weight,
        )

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return labels_of(self.head_, Z)
