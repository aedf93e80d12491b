"""Deep embedded cluster tree (DeepECT) of Mautz, Plant and Boehm (2020).

The leaves of a binary tree are centroids, and an inner node is the mean of those below
it. A row goes to its nearest leaf, and the loss is ``L_REC + L_NC + L_DC``:

    L_REC = MSE(x, decoder(z))
    L_NC  = mean over leaves l of |mu_l - mean of the rows of l|^2,   mu_l alone moves
    L_DC  = mean over nodes i of the mean over their rows of |u_i . (mu_i - z)|

with ``u_i`` the direction from ``mu_i`` to its sibling. A leaf whose decayed number of
rows falls below a threshold is pruned, and the leaf with the largest sum of squared
distances is split by two-means. See https://doi.org/10.1007/s41019-020-00134-0.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._docs import documented
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster._sklearn import Interval, StrOptions
from skdeepcluster.estimators._autoencoder_kmeans import nearest_centers
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned, encode
from skdeepcluster.estimators._initial import (
    Clusters,
    InitialClusters,
    kmeans,
    one_center,
)
from skdeepcluster.estimators._joint import BaseJointClusterer, start_centroids
from skdeepcluster.estimators._training import Training
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.communities import between
from skdeepcluster.graph.search import Search
from skdeepcluster.graph.tree import ClusterTree
from skdeepcluster.heads import ClusterTreeHead, LatentAutoencoder
from skdeepcluster.streams import takes_any_rows
from skdeepcluster.training import Net

# Share of a leaf's weight that a step forgets.
DECAY = 0.05

# Ties of clusters that are apart, as a share of those within.
TINY_TIE = 1e-6


def tree_of(X: Any, clusters: Clusters, sizes: np.ndarray, seed: int) -> np.ndarray:
    """Pairs that are merged from clusters up, by ties of neighbours among the rows.

    Where there are no ties, the distance of centroids tells.
    """
    n_leaves = len(sizes)
    if n_leaves == 1:
        return np.empty((0, 2), dtype=np.int64)
    search, (graph,) = Search.of([X], GraphClustering(), seed)
    labels = np.maximum(clusters.labels, 0)[search.nodes.first]
    ties = between(graph.shared, labels)
    ties = np.pad(ties, (0, n_leaves - len(ties)))
    gaps = cdist(clusters.centers, clusters.centers, "sqeuclidean")
    least = gaps[gaps > 0].min(initial=np.inf)
    closeness = least / np.maximum(gaps, least) if np.isfinite(least) else 1 + gaps
    least_tie = TINY_TIE * (ties.trace() or 1.0) / np.square(sizes).sum()
    ties += least_tie * np.outer(sizes, sizes) * closeness
    return ClusterTree.of(ties, sizes, np.arange(n_leaves)).children


class DeepECTNet(Net):
    """Training of a network and a tree that grows and is pruned between epochs.

    Attributes
    ----------
    cluster_weight : float
        Weight of what is no reconstruction error.
    grow_interval : int
        Epochs between two splits.
    pruning_threshold : float
        Rows of a batch below which a leaf is pruned.
    """

    own = ("cluster_weight", "grow_interval", "pruning_threshold")
    cluster_weight: float
    grow_interval: int
    pruning_threshold: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Reconstruction error, and the losses of leaves and of nodes."""
        z, error = y_pred
        head = self.module_.head
        labels = head.distances(z.detach()).argmin(1)
        means = F.side_centers(head.centers.detach(), head.weights, head.sides)
        loss = F.mean_center_distance(z, labels, head.centers)
        loss = loss + F.side_distance(z, labels, means, head.sides)
        if training:
            counts = torch.bincount(labels, minlength=len(head.weights))
            head.weights.lerp_(counts.to(head.weights), DECAY)
        return error + self.cluster_weight * loss

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Remember the rows, of which leaves are split."""
        self._rows = X

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Prune and grow the tree, unless this was the last epoch."""
        super().on_epoch_end(net, **kwargs)
        head, epoch = self.module_.head, len(self.history)
        if epoch < self.max_epochs:
            for leaf in head.leaves[head.weights[head.leaves] < self.pruning_threshold]:
                head.prune(int(leaf))
            if epoch % self.grow_interval == 0:
                self._grow(head, spawn_seeds(self.seed, epoch)[-1])
        self.history.record("n_leaves", len(head.leaves))

    def _grow(self, head: ClusterTreeHead, seed: int) -> None:
        """Split the leaf with the largest sum of squares, if there is a free place."""
        if (head.weights > 0).all():
            return
        Z = encode(self.module_.autoencoder.eval(), self._rows)
        leaves = head.leaves.cpu().numpy()
        centers = head.centers.detach().cpu().numpy()[leaves]
        labels = nearest_centers(Z, centers)[0]
        squares = np.square(Z - centers[labels]).sum(1, dtype=np.float64)
        widest = np.bincount(labels, squares, len(leaves)).argmax()
        rows = Z[labels == widest]
        if len(np.unique(rows, axis=0)) > 1:
            parts = kmeans(rows, 2, 3, seed)
            shares = np.bincount(parts.labels_, minlength=2) / len(rows)
            pair = map(torch.from_numpy, (parts.cluster_centers_, shares))
            head.split(int(leaves[widest]), *(it.to(head.centers) for it in pair))


@documented
class DeepECTClustering(BaseJointClusterer, BaseDecodingEstimator):
    """Deep embedded cluster tree (DeepECT): clusters of clusters, from one to many.

    A network is trained together with a binary tree in its latent space, whose leaves
    are the clusters: rows are drawn to the side of each node that they are on, along
    the line between the two sides [1]_. Take it where the number of clusters is open,
    or several are of interest: `cut` has the labels for any number of clusters up to
    that of the leaves. :class:`~skdeepcluster.graph.GraphClustering` has a tree as
    well, in seconds.

    In the paper, the tree grows from its root (``init="root"``). Here, it starts from
    the clusters of a graph of neighbours, and is made by the ties between them.

    Parameters
    ----------
    n_clusters : int or None, default=20
        Number of leaves, at most. None takes as many as ``init="graph"`` finds.
    {encoder}
    init : {"graph", "root", "k-means"}, array-like, callable or clusterer, \
default="graph"
        Leaves to start from. "root" starts with one, and splits it. The others are
        those of :class:`DKMClustering`.
    cluster_weight : float, default=1.0
        Weight of the losses of the tree; the reconstruction error has weight one.
    grow_interval : int, default=1
        Epochs between two splits, while there are fewer leaves than ``n_clusters``.
    pruning_threshold : float, default=0.1
        A leaf with fewer rows in a batch, as an exponentially decayed mean, is pruned,
        and another one is split.
    max_epochs : int, default=20
        Passes over the data in the clustering phase. With 0, the leaves that the tree
        starts from are final.
    {batch_size}
    lr : float, default=1e-4
        Learning rate of the clustering phase.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    {cluster_centers_}
    leaf_labels_ : ndarray of shape (n_samples,)
        Leaf of each training row, which no edit changes.
    module_, head_ : torch.nn.Module
        The trained autoencoder and tree.
    history_ : dict of list of dict
        Under "pretraining", "clustering" and, with ``init="graph"``, "teaching", one
        dictionary an epoch with its ``train_loss`` and duration ``dur`` in seconds
        and, in the clustering phase, the number ``n_leaves`` of leaves.
    {n_iter_}
    {features}

    See Also
    --------
    skdeepcluster.graph.GraphClustering : A tree of clusters without a network.
    skdeepcluster.metrics.dendrogram_purity : How pure the nodes of a tree are.

    References
    ----------
    .. [1] Mautz, D., Plant, C. and Boehm, C. (2020). DeepECT: the deep embedded cluster
       tree. Data Science and Engineering 5.
       https://doi.org/10.1007/s41019-020-00134-0

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DeepECTClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> tree = DeepECTClustering(12, encoder=encoder, max_epochs=5, random_state=0)
    >>> len(set(tree.fit(X).labels_)), len(set(tree.cut(3)))
    (12, 3)
    """

    _brief = True
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "init": [
            StrOptions({"root"}),
            *BaseJointClusterer._parameter_constraints["init"],
        ],
        "cluster_weight": [Interval(Real, 0, None, closed="left")],
        "grow_interval": [Interval(Integral, 1, None, closed="left")],
        "pruning_threshold": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 20,
        *,
        encoder: Any = None,
        init: Any = "graph",
        cluster_weight: float = 1.0,
        grow_interval: int = 1,
        pruning_threshold: float = 0.1,
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
        self.cluster_weight = cluster_weight
        self.grow_interval = grow_interval
        self.pruning_threshold = pruning_threshold
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    def _initial(self) -> InitialClusters:
        if isinstance(self.init, str) and self.init == "root":
            return InitialClusters(one_center, self.n_clusters and 1)
        return super()._initial()

    def _learn(self, X: Any, must_link: Any, cannot_link: Any) -> str | None:
        interrupted = super()._learn(X, must_link, cannot_link)
        self.leaf_labels_ = self.labels_
        return interrupted

    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> ClusterTreeHead:
        labels, n_leaves = np.maximum(clusters.labels, 0), len(clusters.centers)
        weights = np.maximum(np.bincount(labels, minlength=n_leaves), 1.0)
        children = tree_of(X, clusters, weights, seed)
        weights *= min(self.batch_size, len(labels)) / len(labels)
        head = start_centroids(ClusterTreeHead, learned, clusters)
        return head.join(*map(torch.from_numpy, (children, weights)))

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        head.resize(head.leaves, self.n_clusters or len(head.leaves))
        learned = self._train_jointly(
            DeepECTNet,
            LatentAutoencoder(learned.module, head),
            X,
            learned,
            seed,
            cluster_weight=self.cluster_weight,
            grow_interval=self.grow_interval,
            pruning_threshold=self.pruning_threshold,
        )
        head.keep(head.leaves)
        return learned

    @property
    def _tree(self) -> ClusterTree:
        sizes = np.bincount(self.leaf_labels_, minlength=len(self.head_.weights))
        children, distances = (each.cpu().numpy() for each in self.head_.merges())
        return ClusterTree(children, distances, sizes)

    @property
    def linkage_(self) -> np.ndarray:
        """Merges of the leaves, as scipy's dendrograms take them."""
        return self._tree.linkage()

    @property
    def children_(self) -> np.ndarray:
        """The two nodes of each merge: a leaf, or the number of leaves plus a merge."""
        return self._tree.children

    def cut(self, n_clusters: int, X: Any = None) -> np.ndarray:
        """Clusters of rows at a level of the tree; edits by hand don't change it.

        Parameters
        ----------
        n_clusters : int
            Number of clusters, from 1 to that of the leaves.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows in the units of the training data. None takes the training rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Cluster of each row, from 0 to ``n_clusters - 1``.

        Raises
        ------
        ValueError
            If the tree has fewer leaves.
        """
        leaves = self.leaf_labels_ if X is None else self._leaves(X)
        n_leaves = len(self.head_.weights)
        if not isinstance(n_clusters, Integral) or not 1 <= n_clusters <= n_leaves:
            raise ValueError(
                f"n_clusters={n_clusters!r} must be a whole number from 1 to "
                f"{n_leaves}, the leaves of the tree: fit one with more."
            )
        return self._tree.cut(int(n_clusters))[leaves].astype(np.int32)

    @takes_any_rows
    def _leaves(self, X: Any) -> np.ndarray:
        return self._labels(self._encode(self._check_input(X)))
