"""Soft k-means of rows that are embeddings already: the example of CONTRIBUTING.md.

The loss is ``sum_j |z - r_j|^2 softmax_j(-a |z - r_j|^2)`` for centroids r_j.
"""

from numbers import Real

from skdeepcluster import functional as F
from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.heads import JointModule
from skdeepcluster.training import Net


class EmbeddedCentersNet(Net):
    """Training on softened distances."""

    own = ("inverse_temperature",)  # further keywords

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Mean softened distance, of what the module's ``forward`` returns."""
        return F.soft_distance(y_pred, self.inverse_temperature)


class Centers(JointModule):
    """Centroids among rows."""

    def forward(self, x):
        """Squared distances to the centroids."""
        return self.head.distances(self.autoencoder.standardize(x))


class EmbeddedCenters(BaseJointClusterer):
    """Soft k-means of embeddings."""

    _parameter_constraints = {
        **BaseJointClusterer._parameter_constraints,
        "inverse_temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        init="k-means",
        inverse_temperature=10.0,
        max_epochs=20,
        batch_size=256,
        lr=1e-2,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.init = init
        self.inverse_temperature = inverse_temperature
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state

    def _refine(self, X, learned, head, seed):
        return self._train_jointly(
            EmbeddedCentersNet,
            Centers(learned.module, head),
            X,
            learned,
            seed,
            inverse_temperature=self.inverse_temperature,
        )
