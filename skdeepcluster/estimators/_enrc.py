"""Deep embedded non-redundant clustering (ENRC) of Miklautz et al. (2020).

Several clusterings j share a latent space. It is turned by an orthogonal V, and each
clustering has a weight of each turned dimension, ``beta = softmax(w)`` over the
clusterings. With ``s_j(i)`` the nearest centroid of row i there, the loss is

    MSE(x, decoder(z)) + lambda * sum_j |beta_j * V'(z_i - mu_(j, s_j(i)))|^2.

See https://doi.org/10.1609/aaai.v34i04.5961.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skdeepcluster._docs import documented
from skdeepcluster._rows import sample_rows
from skdeepcluster._sklearn import Interval, StrOptions
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned, encode
from skdeepcluster.estimators._initial import Clusters, InitialClusters, one_center
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._subspaces import find_subspaces
from skdeepcluster.estimators._training import Training
from skdeepcluster.heads import LatentAutoencoder, SubspaceHead
from skdeepcluster.streams import takes_any_rows
from skdeepcluster.training import Net

# Rows that subspaces are looked for in.
MOST_ROWS = 5_000

# Weight that a direction starts with in the clustering that has it.
OWN_SHARE = 0.9


class ENRCNet(Net):
    """Training on reconstruction error and distances in each clustering's dimensions.

    Attributes
    ----------
    cluster_weight : float
        Weight of the distances.
    """

    own = ("cluster_weight",)
    cluster_weight: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Reconstruction error and weighted distances."""
        z, error = y_pred
        distances = self.module_.head.all_distances(z)
        nearest = sum(each.min(1).values.mean() for each in distances)
        return error + self.cluster_weight * nearest


class BaseENRC(BaseJointClusterer, BaseDecodingEstimator):
    """Clusterings in dimensions of their own."""

    cluster_weight: float
    head_: SubspaceHead

    @property
    def _other_counts(self) -> list[int]:
        """Clusters of each further clustering."""
        raise NotImplementedError

    def _check_fit(self, X: Any, encoder: Any) -> None:
        super()._check_fit(X, encoder)
        latent_dim = X.shape[1] if encoder is None else encoder.latent_dim
        n_spaces = 1 + len(self._other_counts)
        if latent_dim < n_spaces:
            raise ValueError(
                f"n_clusters={self.n_clusters!r} asks {type(self).__name__} for "
                f"{n_spaces} spaces, but latent rows have {latent_dim} dimensions: "
                f"raise latent_dim of the encoder to {n_spaces} or more."
            )

    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> SubspaceHead:
        Z = encode(learned.module, X)
        sample = sample_rows(len(Z), MOST_ROWS, seed)
        given = None if clusters.centers.shape[0] == 1 else clusters.labels[sample]
        first = (self._n_wanted or 1) if given is None else len(clusters.centers)
        counts = [first, *self._other_counts]
        found = find_subspaces(Z[sample], counts, seed, given)
        pairs = zip(found.labelings, counts, strict=True)
        centers = [centers_of(Z[sample], *pair) for pair in pairs]
        if given is not None:
            centers[0] = clusters.centers
        head = SubspaceHead(first, Z.shape[1], self._other_counts)
        head.start(torch.from_numpy(centers[0]).to(learned.module.shift.device))
        others = np.concatenate([*centers[1:], Z[:0]])
        rotation, owners = map(torch.from_numpy, (found.rotation, found.owners))
        return head.begin(torch.from_numpy(others), rotation, owners, OWN_SHARE)

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        return self._train_jointly(
            ENRCNet,
            LatentAutoencoder(learned.module, head),
            X,
            learned,
            seed,
            cluster_weight=self.cluster_weight,
        )

    @property
    def rotation_(self) -> np.ndarray:
        """Orthogonal matrix V, whose columns are the directions that are weighted."""
        return self.head_.rotation.detach().cpu().numpy()

    @property
    def space_weights_(self) -> np.ndarray:
        """Weights beta, of shape (n_clusterings, latent_dim); columns sum to one."""
        return self.head_.space_weights.detach().cpu().numpy()

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return self._all_labels(Z)[:, 0]

    def _all_labels(self, Z: np.ndarray) -> np.ndarray:
        def nearest(z: Tensor) -> Tensor:
            distances = self.head_.all_distances(z)
            return torch.stack([each.argmin(1) for each in distances], 1)

        device = self.module_.shift.device
        return over_rows(nearest, Z, device).cpu().numpy().astype(np.int32)


def centers_of(Z: np.ndarray, labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Means of clusters, of which empty ones have the mean of all rows."""
    centers = np.repeat(Z.mean(0, keepdims=True), n_clusters, 0)
    for label in np.unique(labels[labels >= 0]):
        centers[label] = Z[labels == label].mean(0)
    return centers


@documented
class ENRCClustering(BaseENRC):
    """Embedded non-redundant clustering (ENRC): several clusterings of the same rows.

    Rows may belong together in more than one way, as objects by colour and by shape.
    Each clustering gets directions of the latent space of its own, and network,
    directions and centroids are trained together [1]_. Take it where you expect such
    ways and know how many groups each has; it finds none where all columns tell the
    same groups. `labels_`, `predict` and edits are those of the first clustering, and
    `labelings_` and `predict_labelings` those of all.

    Parameters
    ----------
    n_clusters : int, sequence of int or None, default=(4, 4)
        Number of clusters of each clustering. A further 1 is for directions that tell
        no clusters. An integer, or None, which ``init="graph"`` finds, is that of one
        clustering.
    {encoder}
    init : {"nr-kmeans", "graph", "k-means"}, array-like, callable or clusterer, \
default="nr-kmeans"
        Initial clusters. "nr-kmeans" looks for all clusterings in the latent rows of
        the autoencoder, as in the paper. The others are those of
        :class:`DKMClustering`, and give the first clustering: the further ones are
        looked for beside it.
    cluster_weight : float, default=0.05
        Weight lambda of the distances; the reconstruction error has weight one.
    max_epochs : int, default=20
        Passes over the data in the clustering phase.
    {batch_size}
    lr : float, default=1e-3
        Learning rate of the clustering phase.
    {common}

    Attributes
    ----------
    {labels_}
    labelings_ : ndarray of shape (n_samples, n_clusterings)
        Cluster of each training row in each clustering, which no edit changes.
    {n_clusters_}
    {cluster_centers_}
    module_, head_ : torch.nn.Module
        The trained autoencoder, and directions and centroids.
    {joint_history_}
    {n_iter_}
    {features}

    See Also
    --------
    ACeDeCClustering : One clustering, beside directions that tell none.

    References
    ----------
    .. [1] Miklautz, L., Mautz, D., Altinigneli, M. C., Boehm, C. and Plant, C. (2020).
       Deep embedded non-redundant clustering. AAAI.
       https://doi.org/10.1609/aaai.v34i04.5961

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, ENRCClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> enrc = ENRCClustering((5, 3), encoder=encoder, max_epochs=5, random_state=0)
    >>> enrc.fit(X).labelings_.shape
    (1797, 2)
    """

    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "n_clusters": [
            *BaseJointClusterer._parameter_constraints["n_clusters"],
            "array-like",
        ],
        "init": [
            StrOptions({"nr-kmeans"}),
            *BaseJointClusterer._parameter_constraints["init"],
        ],
        "cluster_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | Sequence[int] | None = (4, 4),
        *,
        encoder: Any = None,
        init: Any = "nr-kmeans",
        cluster_weight: float = 0.05,
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
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _counts(self) -> list[Any]:
        given: Any = self.n_clusters
        if given is None or isinstance(given, Integral):
            return [given]
        counts: list[Any] = list(given)
        if not counts or not all(
            isinstance(k, Integral) and int(k) > 0 for k in counts
        ):
            raise ValueError(
                f"n_clusters={self.n_clusters!r} must be one or more integers from 1 "
                "on, as in n_clusters=(3, 4): the clusters of each clustering."
            )
        return [int(count) for count in counts]

    @property
    def _n_wanted(self) -> int | None:
        return self._counts[0]

    @property
    def _other_counts(self) -> list[int]:
        return self._counts[1:]

    def _initial(self) -> InitialClusters:
        if isinstance(self.init, str) and self.init == "nr-kmeans":
            return InitialClusters(one_center, self._n_wanted and 1)
        return InitialClusters(self.init, self._n_wanted)

    def _learn(self, X: Any, must_link: Any, cannot_link: Any) -> str | None:
        interrupted = super()._learn(X, must_link, cannot_link)
        self.labelings_ = self.predict_labelings(X)
        return interrupted

    @takes_any_rows
    def predict_labelings(self, X: Any) -> np.ndarray:
        """Cluster of each row in each clustering.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples, n_clusterings)
            Clusters; on the training data, ``labelings_``.
        """
        return self._all_labels(self._encode(self._check_input(X)))
