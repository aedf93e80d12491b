"""Deep clustering network (DCN) of Yang, Fu, Sidiropoulos and Hong (2017).

The network is trained for k-means: with s(i) the cluster of row i, the loss is

    MSE(x, decoder(z)) + lambda / 2 * |z_i - mu_s(i)|^2.

After each step of the network, the rows of the batch move to their nearest centroid,
and each centroid to the running mean of the rows that it was given.
See https://arxiv.org/abs/1610.04794.
"""

from numbers import Real
from typing import Any

import torch
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._devices import autocast
from skdeepcluster._docs import documented
from skdeepcluster._modules import evaluating
from skdeepcluster._sklearn import Interval
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._training import Training
from skdeepcluster.heads import CentroidAutoencoder, CentroidHead
from skdeepcluster.networks import AutoencoderModule
from skdeepcluster.training import Net

# Rows that each initial centroid stands for in its running mean, as in the authors'
# program: few enough that centroids follow the latent space.
INITIAL_COUNT = 100


class DCNModule(CentroidAutoencoder):
    """Autoencoder, and centroids that are running means in its latent space.

    Parameters
    ----------
    autoencoder : AutoencoderModule
    head : CentroidHead
    """

    counts: Tensor

    def __init__(self, autoencoder: AutoencoderModule, head: CentroidHead) -> None:
        super().__init__(autoencoder, head.requires_grad_(False))
        counts = torch.full_like(head.centers.detach()[:, 0], INITIAL_COUNT)
        self.register_buffer("counts", counts)

    def latent(self, x: Tensor) -> Tensor:
        """Latent rows of rows in the units of the data."""
        return self.autoencoder.encode(self.autoencoder.standardize(x)).float()

    def move(self, z: Tensor, labels: Tensor) -> None:
        """Move the centroids to the means that further rows make."""
        centers, counts = F.running_means(self.head.centers, self.counts, z, labels)
        self.head.centers.copy_(centers)
        self.counts.copy_(counts)


class DCNNet(Net):
    """Alternating training of a network and of its latent k-means.

    Attributes
    ----------
    cluster_weight : float
        Weight of the distances.
    tol : float
        Share of changed labels in an epoch below which the phase ends.
    """

    own = ("cluster_weight", "tol")
    cluster_weight: float
    tol: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Reconstruction error and weighted distance to the centroid."""
        distances, error = y_pred
        # Held-out rows are in no cluster yet.
        labels = self.memory["labels"][y_true] if training else distances.argmin(1)
        own = distances.gather(1, labels[:, None])
        return error + self.cluster_weight / 2 * own.mean()

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Start from the initial clusters."""
        module = self.module_.eval()
        device = torch.device(self.device)
        distances = over_rows(
            lambda x: module.head.distances(module.latent(x)), X, device
        )
        self.memory["labels"] = distances.argmin(1)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Remember the clusters."""
        super().on_epoch_begin(net, **kwargs)
        self._earlier = self.memory["labels"].clone()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End the phase when they have settled."""
        super().on_epoch_end(net, **kwargs)
        changed = (self.memory["labels"] != self._earlier).float().mean().item()
        self.history.record("label_change", changed)
        self.stopping |= changed < self.tol

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
            z = module.latent(x)
        with torch.no_grad():
            labels = module.head.distances(z).argmin(1)
            self.memory["labels"][index] = labels
            module.move(z, labels)
        return step


@documented
class DCNClustering(BaseJointClusterer, BaseDecodingEstimator):
    """Deep clustering network (DCN): a latent space made for k-means.

    An autoencoder is pretrained and clusters are initialised: by k-means on its latent
    rows in the paper, here by a graph of neighbours unless ``init`` says otherwise.
    Then the network learns to reconstruct while it pulls each row to its centroid, in
    turns with the clusters themselves: rows move to the nearest centroid, and centroids
    to the running mean of their rows [1]_.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    {init}
    cluster_weight : float, default=0.1
        Weight lambda of the distances, halved; the reconstruction error, a mean over
        features of overall unit variance, has weight one.
    tol : float, default=1e-3
        The clustering phase ends when a smaller share of labels changed in an epoch.
    {max_epochs}
    {batch_size}
    lr : float, default=1e-3
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
        and, in the clustering phase, the share ``label_change`` of rows that changed
        cluster.
    {n_iter_}
    {features}

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
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dcn = DCNClustering(10, encoder=encoder, max_epochs=5, random_state=0)
    >>> dcn.fit_predict(X).shape
    (1797,)
    """

    _brief = True
    _needs_network = True
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "cluster_weight": [Interval(Real, 0, None, closed="left")],
        "tol": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
        cluster_weight: float = 0.1,
        tol: float = 1e-3,
        max_epochs: int = 50,
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
        self.tol = tol
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        return self._train_jointly(
            DCNNet,
            DCNModule(learned.module, head),
            X,
            learned,
            seed,
            cluster_weight=self.cluster_weight,
            tol=self.tol,
        )
