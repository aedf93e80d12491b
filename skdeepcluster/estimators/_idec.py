"""Improved deep embedded clustering (IDEC) of Guo, Gao, Liu and Yin (2017).

DEC with the decoder kept: the loss is ``MSE(x, decoder(z)) + gamma * KL(P || Q)``, so
that the latent space goes on describing the data while clusters form in it. See
https://www.ijcai.org/proceedings/2017/243.
"""

from numbers import Real
from typing import Any

from skdeepcluster._docs import documented
from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._dec import DECClustering
from skdeepcluster.estimators._training import Training


@documented
class IDECClustering(DECClustering):
    """Improved deep embedded clustering (IDEC): DEC that goes on reconstructing.

    An autoencoder is pretrained, clusters are initialised in its latent space, and
    then the whole network and the centroids are trained together, on the
    reconstruction error and, with weight ``gamma``, on the divergence of the soft
    assignment from its sharpened version [1]_.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    {init}
    gamma : float, default=0.1
        Weight of the divergence, the reconstruction error having weight one.
    {update_interval}
    {tol}
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
        dictionary an epoch, as in :class:`DECClustering`.
    {n_iter_}
    {features}

    See Also
    --------
    DECClustering : The same without reconstruction.

    References
    ----------
    .. [1] Guo, X., Gao, L., Liu, X. and Yin, J. (2017). Improved deep embedded
       clustering with local structure preservation. IJCAI.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, IDECClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> idec = IDECClustering(10, encoder=encoder, max_epochs=5, random_state=0)
    >>> idec.fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **DECClustering._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
        gamma: float = 0.1,
        update_interval: int | None = None,
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
        self.gamma = gamma
        self.update_interval = update_interval
        self.tol = tol
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _loss_weights(self) -> tuple[float, float]:
        return self.gamma, 1.0
