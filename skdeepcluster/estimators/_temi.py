"""TEMI of Adaloglou et al. (2023): heads on embeddings that teach themselves.

With p_s the assignments of a student head, p_t those of its teacher, m(c) the share of
a cluster by the teacher, and x' one of the nearest neighbours of x, the loss is

    -1/2 mean of w (log sum_c [p_s(c|x) p_t(c|x')]^b / m(c) + the same, swapped)

where w is the mean over all the heads of ``<p_t(x), p_t(x')>``, without a gradient. See
https://arxiv.org/abs/2303.17896.
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
from skdeepcluster.heads import TaughtHeads

# Of the moving average of the clusters' shares.
MARGINAL_MOMENTUM = 0.9


class TEMINet(NeighborNet):
    """Training on weighted mutual information."""

    own = ("near", "beta", "momentum")
    beta: float
    momentum: float

    def train_step(self, batch: Any, **kwargs: Any) -> dict[str, Any]:
        """One step of the students, and one of the teachers after them."""
        step = super().train_step(batch, **kwargs)
        self.module_.follow(self.momentum)
        return step

    def pair_losses(self, first: Tensor, second: Tensor) -> Tensor:
        """Loss of each head."""
        (student, teacher), (other, its_teacher) = first, second
        teachers = teacher.detach(), its_teacher.detach()
        marginal = self.module_.marginal
        if self.module_.training:
            mean = (teachers[0].exp().mean(1) + teachers[1].exp().mean(1)) / 2
            marginal.lerp_(mean, 1 - MARGINAL_MOMENTUM)
        return F.temi_loss((student, other), teachers, marginal, self.beta)


@documented
class TEMIClustering(BaseNeighborHeads):
    """TEMI: heads on ready embeddings by the mutual information of neighbours.

    Small networks, the heads, give each row probabilities of the clusters. They are
    trained on pairs of a row and one of its nearest neighbours, so that the clusters of
    both tell much of each other; pairs that the heads doubt to be of one cluster count
    less. Each head learns from the moving average of itself, its teacher, and the
    teacher of the lowest loss is kept [1]_.

    The heads are taught the clusters of a graph of neighbours first, and stay near
    them: take them for many rows and for probabilities by a small network, not for
    better clusters. In [1]_ the heads start from nothing, ``init="random", n_heads=16,
    hidden_units=(512, 256), momentum=0.996, max_epochs=100, batch_size=1024, lr=4e-4``;
    a few thousand rows need smaller batches and ``momentum=0.99, lr=1e-3``.

    Parameters
    ----------
    {n_clusters}
    {heads_init}
    n_neighbors : int, default=50
        {usable}
    n_heads : int, default=4
        Heads that are trained side by side from different weights; that of the lowest
        loss is kept.
    {head_units}
    temperature : float, default=0.1
        What scores are divided by: the lower, the more certain are assignments.
    beta : float, default=0.6
        Power of the product of two assignments. With 1, the loss is the pointwise
        mutual information; lower ones make clusters of more even sizes.
    momentum : float, default=0.99
        Share of itself that a teacher keeps in a step.
    {heads_schedule}
    {common}

    Attributes
    ----------
    {heads_attributes}

    See Also
    --------
    SCANClustering : Without teachers, and with a weight of even sizes.
    skdeepcluster.graph.GraphClustering : The clusters to start from, in less time.

    References
    ----------
    .. [1] Adaloglou, N., Michels, F., Kalisch, H. and Kollmann, M. (2023). Exploring
       the limits of deep image clustering using pretrained models. BMVC.
       https://arxiv.org/abs/2303.17896

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import TEMIClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> temi = TEMIClustering(10, max_epochs=1, random_state=0).fit(X[:500])
    >>> temi.predict_proba(X).shape
    (1797, 10)
    """

    _parameter_constraints: dict = {
        **BaseNeighborHeads._parameter_constraints,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "beta": [Interval(Real, 0, 1, closed="right")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        init: Any = "graph",
        n_neighbors: int = 50,
        n_heads: int = 4,
        hidden_units: Any = (256, 128),
        temperature: float = 0.1,
        beta: float = 0.6,
        momentum: float = 0.99,
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
        self.n_heads = n_heads
        self.hidden_units = hidden_units
        self.temperature = temperature
        self.beta = beta
        self.momentum = momentum
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    def _train_heads(
        self, X: Any, learned: Learned, heads: nn.ModuleList, seed: int
    ) -> tuple[Learned, nn.Module]:
        module = TaughtHeads(learned.module, heads).to(learned.module.shift.device)
        own = {"beta": self.beta, "momentum": self.momentum}
        learned = self._train_on_pairs(TEMINet, module, X, learned, seed, **own)
        return learned, module.teachers[module.best]
