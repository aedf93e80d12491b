"""Clusterers whose network is trained together with the clusters, and taught before.

Clusters of a graph are no centroids: they may have any shape, in a space that knows
nothing of them. So the network is taught to tell them apart first, by mixtures of two
rows whose target is the mixture of their clusters (mixup, Zhang et al. 2018,
https://arxiv.org/abs/1710.09412). It can't learn such targets by heart, and gives many
a row that the graph had placed wrongly back to its own cluster.
"""

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from skdeepcluster._callbacks import CosineAnnealing
from skdeepcluster._docs import documented
from skdeepcluster._resume import Journal, Page
from skdeepcluster._seeds import FitSeeds, spawn_seeds
from skdeepcluster._sklearn import _fit_context
from skdeepcluster._tasks import telling
from skdeepcluster._warnings import warn
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._autoencoder_kmeans import nearest_centers
from skdeepcluster.estimators._base import (
    SCHEDULE_CONSTRAINTS,
    Learned,
    encode,
)
from skdeepcluster.estimators._clusterer import BaseDeepClusterer
from skdeepcluster.estimators._embedded import nearest
from skdeepcluster.estimators._given import unwrapped
from skdeepcluster.estimators._gradients import HasLogOdds
from skdeepcluster.estimators._initial import (
    INITIAL_CONSTRAINTS,
    Clusters,
    InitialClusters,
)
from skdeepcluster.estimators._schedule import brief, pace, passes
from skdeepcluster.graph.constraints import Constraints, Links
from skdeepcluster.graph.rows import Nodes
from skdeepcluster.heads import (
    AssigningAutoencoder,
    CentroidHead,
    DDCModule,
    Mixing,
    ParallelHeads,
    StudentTHead,
)
from skdeepcluster.training import Net, Trained

# Few passes, for a network that sees a row often learns its mistakes too; but enough
# steps to learn the clusters and the reconstruction, in smaller batches where rows are
# few.
TEACHING_EPOCHS, TEACHING_STEPS = 5, 400


class TeachingNet(Net):
    """Training towards given clusters, on mixtures of two rows.

    Attributes
    ----------
    labels : ndarray of shape (n_samples,)
        Cluster of each row.
    """

    phase = "teaching"
    own = ("labels",)
    labels: np.ndarray

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kw: Any) -> None:
        """Bring the labels to the device."""
        self._labels = torch.from_numpy(self.labels).long().to(self.device)

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Cross entropy with both rows' clusters, and reconstruction error."""
        q, error, other, share = y_pred
        labels = self._labels[y_true]
        log_q = q.clamp_min(torch.finfo(q.dtype).tiny).log()
        own = -log_q.gather(1, labels[:, None])[:, 0]
        others = -log_q.gather(1, labels[other, None])[:, 0]
        loss = torch.lerp(own, others, share).mean()
        return loss if error is None else loss + error


@documented
class BaseJointClusterer(HasLogOdds, BaseDeepClusterer):
    """A clusterer that goes on to train the network, with clusters in a ``head_``.

    A subclass implements `_refine`, which trains both, and may override `_start_head`.
    """

    # Whether a network that is left to us is trained briefly before it is taught: where
    # clusters were as good. After it, deep k-means lost a cluster of texture (.88 for
    # .97), and VaDE, of densities and samples, reconstructs rows worse.
    _brief: ClassVar[bool] = False
    # Whether nothing is left to train without one.
    _needs_network: ClassVar[bool] = False
    _parameter_constraints: dict = {
        **BaseDeepClusterer._parameter_constraints,
        **INITIAL_CONSTRAINTS,
        **SCHEDULE_CONSTRAINTS,
    }

    @_fit_context(prefer_skip_nested_validation=False)
    @telling
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        must_link: Any = None,
        cannot_link: Any = None,
    ) -> Self:
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster.
        {y}
        must_link : array-like of shape (n_pairs, 2) or list of sequences, default=None
            Rows that are of one cluster, by their numbers: pairs, or groups of any
            size. With ``init="graph"``, the initial clusters keep them, the network is
            taught these, and where it breaks links all the same, ``labels_`` has
            the rows in the best clusters that keep them. `predict` knows of no links.
        cannot_link : array-like of shape (n_pairs, 2), default=None
            Pairs of rows that are of different clusters.

        Returns
        -------
        {self}

        Raises
        ------
        {refused}
            Of links, if they contradict each other, name a row that isn't learned from,
            or no graph is there to keep them.
        """
        return self._fit(X, must_link, cannot_link)

    def _keep_links(self, links: Links, X: Any) -> None:
        nodes = Nodes.of(X)
        known = Constraints.known(links, nodes, self._n_wanted)
        if known is None:
            return
        device = self.module_.shift.device
        rows = X[nodes.first]
        shares = over_rows(lambda x: self._scores(x).softmax(1), rows, device)
        if shares.shape[1] < known.n_least(None):
            warn(
                f"The network keeps {shares.shape[1]} clusters apart, fewer than "
                "cannot_link needs: labels_ don't keep it. Give n_clusters.",
                ConvergenceWarning,
            )
            return
        labels = self.labels_[links.numbers[nodes.first]]
        labels = known.settled(labels, shares.double().cpu().numpy())
        self.labels_[links.numbers] = labels[nodes.inverse]

    @property
    def n_clusters_(self) -> int:
        """Number of clusters: `n_clusters`, or as many as were found."""
        return self._count(self.head_.config["n_clusters"])

    @property
    def cluster_centers_(self) -> np.ndarray:
        """Centroids in the latent space."""
        return self.head_.centers.detach().cpu().numpy().copy()

    def _scores(self, x: Tensor) -> Tensor:
        z = self.module_.encode(self.module_.standardize(x)).float()
        return self.head_.scores(z)

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return nearest_centers(Z, self.cluster_centers_)[0]

    def _initial(self) -> InitialClusters:
        return InitialClusters(self.init, self.n_clusters)

    def _check_fit(self, X: Any, encoder: Any) -> None:
        if encoder is None and self._needs_network:
            raise ValueError(
                f"encoder={self.encoder!r} leaves {type(self).__name__} no network to "
                "train: take an Autoencoder, or AutoencoderKMeans."
            )
        super()._check_fit(X, encoder)

    def _pretrain(self, X: Any, encoder: Any, seed: int, journal: Journal) -> Learned:
        left_to_us = unwrapped(self.encoder) is None and self._initial().of_graph
        if self._brief and left_to_us:
            encoder.set_params(**brief(X.shape[0]))
        return super()._pretrain(X, encoder, seed, journal)

    def _keep_clusters(self, kept: np.ndarray) -> None:
        self.head_.keep(torch.from_numpy(kept))

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: FitSeeds
    ) -> Learned:
        if clusters.to_teach and learned.interrupted is None:
            learned, clusters = self._teach(X, learned, clusters, seeds.teaching)
        head = self._start_head(X, learned, clusters, seeds.start)
        learned = learned.adding(head_=head, n_iter_=0)
        learned = replace(learned, history={**learned.history, "clustering": []})
        if learned.interrupted is not None:
            return learned
        return self._refine(X, learned, head, seeds.training)

    def _teach(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> tuple[Learned, Clusters]:
        """Make the network tell given clusters apart by their centroids."""
        head = start_centroids(StudentTHead, learned, clusters)
        module = AssigningAutoencoder(learned.module, head, reconstruct=True)
        page = learned.journal.page("teaching")
        trained = self._train_towards(X, module, clusters.labels, seed, page)
        learned = learned.after("teaching", "teaching", trained)
        centers = head.centers.detach().cpu().numpy()
        Z = encode(learned.module, X)
        return learned, Clusters(centers, nearest(Z, centers))

    def _train_towards(
        self,
        X: Any,
        module: AssigningAutoencoder | DDCModule | ParallelHeads,
        labels: np.ndarray,
        seed: int,
        page: Page,
    ) -> Trained:
        """Teach a module given clusters, by the rows that have one."""
        placed = labels >= 0
        if not placed.all():
            X, labels = X[placed], labels[placed]
        n_samples = X.shape[0]
        batch_size, lr = pace(n_samples)
        batch_size = min(self.batch_size, batch_size)
        epochs = max(TEACHING_EPOCHS, passes(n_samples, batch_size, TEACHING_STEPS))
        order_seed, mixing_seed = spawn_seeds(seed, 2)
        return self._train(
            TeachingNet,
            Mixing(module, mixing_seed),
            X,
            order_seed,
            page,
            own_callbacks=[CosineAnnealing(epochs)],
            optimizer="adam",
            lr=lr,
            max_epochs=epochs,
            batch_size=batch_size,
            net_params=None,
            labels=labels,
        )

    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> nn.Module:
        """Head of the clusters that training starts from."""
        return start_centroids(CentroidHead, learned, clusters)

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        """Train network and head together."""
        raise NotImplementedError

    def _train_jointly(
        self,
        net_class: type[Net],
        module: nn.Module,
        X: Any,
        learned: Learned,
        seed: int,
        turn: str = "",
        **settings: Any,
    ) -> Learned:
        """Train a module of network and head with this estimator's parameters.

        Where several are trained in turns, ``turn`` tells their checkpoints apart.
        """
        trained = self._train(
            net_class,
            module,
            X,
            seed,
            learned.journal.page(f"clustering{turn}"),
            **{
                "max_epochs": self.max_epochs,
                "batch_size": self.batch_size,
                "lr": self.lr,
                **settings,
            },
        )
        learned = learned.after("clustering", "the clustering phase", trained)
        return learned.adding(n_iter_=len(trained.history))


def start_centroids(
    factory: type[CentroidHead], learned: Learned, clusters: Clusters
) -> Any:
    """Head with the centroids of initial clusters, where the network is."""
    n_clusters, latent_dim = clusters.centers.shape
    head = factory(n_clusters, latent_dim)
    centers = torch.from_numpy(clusters.centers)
    return head.start(centers.to(learned.module.shift.device))
