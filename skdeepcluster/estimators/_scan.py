"""SCAN of Van Gansbeke et al. (2020), without its network: heads on embeddings.

With p(x) the assignment of a row and x' one of its nearest neighbours, the loss of a
batch is the mean of ``-log <p(x), p(x')>`` less lambda times the entropy of the mean
assignment. See https://arxiv.org/abs/2005.12320.
"""

from numbers import Real
from typing import Any

from torch import Tensor, nn

from skdeepcluster import functional as F
from skdeepcluster._docs import documented
from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._base import Learned
from skdeepcluster.estimators._neighbor_heads import BaseNeighborHeads, NeighborNet
from skdeepcluster.estimators._training import Training
from skdeepcluster.heads import ParallelHeads


class SCANNet(NeighborNet):
    """Training on agreement and entropy."""

    own = ("near", "entropy_weight")
    entropy_weight: float

    def pair_losses(self, first: Tensor, second: Tensor) -> Tensor:
        """Loss of each head."""
        return F.scan_loss(first, second, self.entropy_weight)


@documented
class SCANClustering(BaseNeighborHeads):
    """SCAN on ready embeddings: neighbours of one cluster, and clusters of one size.

    A small network, the head, gives each row probabilities of the clusters. It is
    trained on pairs of a row and one of its nearest neighbours: both shall be certain
    of the same cluster, and all clusters shall be used alike [1]_. The network that
    makes embeddings isn't trained, and neither are heads on their own labels, the last
    step of [1]_, which needs augmented images.

    The heads are taught the clusters of a graph of neighbours first. In [1]_ they start
    from nothing: ``init="random", max_epochs=50`` comes close to that.

    Parameters
    ----------
    {n_clusters}
    {heads_init}
    n_neighbors : int, default=20
        {usable}
    entropy_weight : float, default=5.0
        Weight lambda of the entropy: the larger, the more alike are the sizes of the
        clusters.
    n_heads : int, default=1
        Heads that are trained side by side from different weights; that of the lowest
        loss is kept.
    {head_units}
    {heads_schedule}
    {common}

    Attributes
    ----------
    {heads_attributes}

    See Also
    --------
    TEMIClustering : Weighs pairs, and has no weight of sizes to choose.
    skdeepcluster.graph.GraphClustering : The clusters to start from, in less time.

    References
    ----------
    .. [1] Van Gansbeke, W., Vandenhende, S., Georgoulis, S., Proesmans, M. and Van
       Gool, L. (2020). SCAN: learning to classify images without labels. ECCV.
       https://arxiv.org/abs/2005.12320

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import SCANClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> scan = SCANClustering(10, max_epochs=1, random_state=0).fit(X[:500])
    >>> scan.predict_proba(X).shape
    (1797, 10)
    """

    _parameter_constraints: dict = {
        **BaseNeighborHeads._parameter_constraints,
        "entropy_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        init: Any = "graph",
        n_neighbors: int = 20,
        entropy_weight: float = 5.0,
        n_heads: int = 1,
        hidden_units: Any = (256, 128),
        max_epochs: int = 20,
        batch_size: int = 128,
        lr: float = 1e-4,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_neighbors = n_neighbors
        self.entropy_weight = entropy_weight
        self.n_heads = n_heads
        self.hidden_units = hidden_units
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    def _train_heads(
        self, X: Any, learned: Learned, heads: nn.ModuleList, seed: int
    ) -> tuple[Learned, nn.Module]:
        module = ParallelHeads(learned.module, heads)
        learned = self._train_on_pairs(
            SCANNet, module, X, learned, seed, entropy_weight=self.entropy_weight
        )
        return learned, heads[module.best]
