"""Autoencoder centroid-based deep clustering (ACeDeC) of Miklautz et al. (2021).

ENRC with two spaces: one for the clusters, and one with a single centroid for all that
tells the rows apart but not the clusters, so that the network may go on to reconstruct
it. See https://doi.org/10.24963/ijcai.2021/389, and `_enrc.py` for the loss.
"""

from numbers import Real
from typing import Any

from skdeepcluster._docs import documented
from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._enrc import BaseENRC
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._training import Training


@documented
class ACeDeCClustering(BaseENRC):
    """Centroids in a part of the latent space, and all else in the other (ACeDeC).

    What rows reconstruct from, as slant and stroke of digits, need not tell clusters.
    Directions of the latent space are weighed between a space with the clusters, and
    one with a single centroid, and network, directions and centroids are trained
    together [1]_. Take it where columns hold much that is no matter of the clusters,
    and where a latent space is wanted that still reconstructs.

    In the paper, clusters start from k-means (``init="k-means"``). Here, they are those
    of a graph, and the first directions are those in which they are apart.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    {init}
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
    {n_clusters_}
    {cluster_centers_}
    module_, head_ : torch.nn.Module
        The trained autoencoder, and directions and centroids.
    {joint_history_}
    {n_iter_}
    {features}

    See Also
    --------
    ENRCClustering : Several clusterings, each in directions of its own.
    DKMClustering : Clusters in all of the latent space.

    References
    ----------
    .. [1] Miklautz, L., Bauer, L. G. M., Mautz, D., Tschiatschek, S., Boehm, C. and
       Plant, C. (2021). Details (don't) matter: isolating cluster information in deep
       embedded spaces. IJCAI. https://doi.org/10.24963/ijcai.2021/389

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import ACeDeCClustering, Autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> acedec = ACeDeCClustering(10, encoder=encoder, max_epochs=5, random_state=0)
    >>> acedec.fit(X).space_weights_.shape
    (2, 10)
    """

    _brief = True
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "cluster_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
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
    def _other_counts(self) -> list[int]:
        return [1]
