"""Dip-based deep embedded clustering (DipDECK) of Leiber et al. (2021).

Many small clusters are pulled together where nothing parts them. With P the p-values of
Hartigan's dip test of pairs of clusters, P' its rows divided by their sums, c(i) the
cluster of row i and d the distances between the centres, the loss is

    MSE(x, decoder(z)) + lambda * sum_j P'_c(i)j |z_i - mu_j|^2 (1 + std(d)) / mean(d).

After each epoch, pairs whose p-value reaches a threshold are merged. See
https://doi.org/10.1145/3447548.3467316.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._dip import merged
from skdeepcluster._docs import documented
from skdeepcluster._modules import evaluating
from skdeepcluster._seeds import FitSeeds
from skdeepcluster._sklearn import Interval, StrOptions
from skdeepcluster.batches import BatchDataset
from skdeepcluster.estimators._autoencoder_kmeans import nearest_centers
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned, encode
from skdeepcluster.estimators._embedded import nearest
from skdeepcluster.estimators._initial import (
    Clusters,
    InitialClusters,
    centers_of_labels,
    kmeans,
)
from skdeepcluster.estimators._joint import BaseJointClusterer, start_centroids
from skdeepcluster.estimators._training import Training
from skdeepcluster.graph import GraphClustering
from skdeepcluster.heads import CentroidHead, MergingCentroids
from skdeepcluster.training import Net

# Fewer rows than these in each of the first clusters tell no modes.
LEAST_ROWS = 10


class DipDECKNet(Net):
    """Training on error and distances to related clusters, which are merged."""

    own = ("cluster_weight", "merge_threshold")
    cluster_weight: float
    merge_threshold: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Reconstruction error and weighted distance."""
        z, error = y_pred
        centers = self.module_.latent(self.memory["prototypes"])
        distance = F.related_distance(z, centers, self.memory["relations"])
        return error + self.cluster_weight * distance

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Relate the first clusters to each other."""
        self._rows = X
        self._settle(merging=False)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Merge clusters; one alone ends the phase."""
        super().on_epoch_end(net, **kwargs)
        self._settle(merging=True)
        n_clusters = int(self.module_.n_clusters)
        self.history.record("n_clusters", n_clusters)
        self.stopping |= n_clusters == 1

    def _settle(self, merging: bool) -> None:
        """Give each row to the nearest centroid, and merge clusters."""
        module = self.module_
        with evaluating(module):
            Z = encode(module.autoencoder, self._rows)
        centers = module.centers().cpu().numpy()
        _, labels = np.unique(nearest_centers(Z, centers)[0], return_inverse=True)
        labels, p = merged(Z, labels, self.merge_threshold if merging else np.inf)
        centers = centers_of_labels(Z, labels, len(p))
        module.move(torch.from_numpy(centers))
        rows = BatchDataset(self._rows).rows(nearest(centers, Z))
        relations = torch.from_numpy(p / p.sum(1, keepdims=True)).float()
        self.memory = {
            "prototypes": rows.to(self.device),
            "relations": relations.to(self.device),
        }


@documented
class DipDECKClustering(BaseJointClusterer, BaseDecodingEstimator):
    """Dip-based deep embedded clustering (DipDECK), which finds the number of clusters.

    More small clusters than are expected are found in the latent space of an
    autoencoder. Then the network is trained to reconstruct the rows and to pull
    clusters together, the more, the more likely their rows have a single mode along the
    line through their means. Those that do are merged [1]_.

    Take it where clusters are round in the latent space and their number is unknown,
    and compare it with :class:`~skdeepcluster.graph.GraphClustering`, which finds a
    number as well.

    Parameters
    ----------
    n_init_clusters : int, default=35
        Number of small clusters to start from; of few rows, one of ten rows at most.
    {encoder}
    init : {"graph", "k-means"} or GraphClustering, default="graph"
        What the latent space is made for. With "graph", the network is taught the
        clusters of :class:`~skdeepcluster.graph.GraphClustering` on the rows, as many
        as it finds, before k-means finds the small ones. "k-means", as in [1]_, takes
        the latent space as it is.
    merge_threshold : float, default=0.9
        Least p-value of two clusters that are merged.
    cluster_weight : float, default=1.0
        Weight lambda of the distances; the reconstruction error, a mean over features
        of overall unit variance, has weight one.
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
        and, in the clustering phase, how many clusters there were, ``n_clusters``.
    {n_iter_}
    {features}

    See Also
    --------
    DensityDDCClustering : Finds the number of clusters as well, by peaks of density.

    References
    ----------
    .. [1] Leiber, C., Bauer, L. G. M., Schelling, B., Boehm, C. and Plant, C. (2021).
       Dip-based deep embedded clustering with k-estimation. KDD.
       https://doi.org/10.1145/3447548.3467316

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DipDECKClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> dipdeck = DipDECKClustering(20, encoder=encoder, max_epochs=2, random_state=0)
    >>> dipdeck.fit_predict(X).shape
    (1797,)
    """

    _brief = True
    _needs_network = True
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "n_init_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions({"k-means", "graph"}), GraphClustering],
        "merge_threshold": [Interval(Real, 0, 1, closed="both")],
        "cluster_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_init_clusters: int = 35,
        *,
        encoder: Any = None,
        init: Any = "graph",
        merge_threshold: float = 0.9,
        cluster_weight: float = 1.0,
        max_epochs: int = 50,
        batch_size: int = 256,
        lr: float = 1e-4,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_init_clusters = n_init_clusters
        self.encoder = encoder
        self.init = init
        self.merge_threshold = merge_threshold
        self.cluster_weight = cluster_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _n_wanted(self) -> None:
        return None

    def _initial(self) -> InitialClusters:
        named = self.init == "k-means"
        return InitialClusters(self.init, self.n_init_clusters if named else None)

    def _find_initial(
        self, X: Any, learned: Learned, seeds: FitSeeds, initial: InitialClusters
    ) -> Clusters | None:
        if not initial.of_graph or learned.interrupted is not None:
            # Those of `_start_head`.
            return Clusters(np.empty((0, 0)), np.empty(0))
        return super()._find_initial(X, learned, seeds, initial)

    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> CentroidHead:
        Z = encode(learned.module, X)
        n_clusters = min(self.n_init_clusters, max(len(Z) // LEAST_ROWS, 1))
        centers = kmeans(Z, n_clusters, 20, seed).cluster_centers_
        return start_centroids(CentroidHead, learned, Clusters(centers, Z))

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        module = MergingCentroids(learned.module, head)
        learned = self._train_jointly(
            DipDECKNet,
            module,
            X,
            learned,
            seed,
            cluster_weight=self.cluster_weight,
            merge_threshold=self.merge_threshold,
        )
        head.keep(torch.arange(int(module.n_clusters)))
        return learned
