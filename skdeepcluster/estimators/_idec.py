"""Improved deep embedded clustering (IDEC) of Guo, Gao, Liu and Yin (2017).

DEC with the decoder kept: the loss is ``MSE(x, decoder(z)) + gamma * KL(P || Q)``, so
that the latent space goes on describing the data while clusters form in it. See
https://www.ijcai.org/proceedings/2017/243.
"""

from numbers import Real
from typing import Any

from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._dec import DEC_CONSTRAINTS, DECClustering


class IDECClustering(DECClustering):
    """Improved deep embedded clustering (IDEC): DEC that goes on reconstructing.

    An autoencoder is pretrained, clusters are initialised in its latent space, and
    then the whole network and the centroids are trained together, on the
    reconstruction error and, with weight ``gamma``, on the divergence of the soft
    assignment from its sharpened version [1]_.

    Parameters
    ----------
    n_clusters : int or None, default=8
        Number of clusters. None finds it, with ``init="graph"``.
    autoencoder : Autoencoder or None, default=None
        The autoencoder to start from, as in :class:`DECClustering`.
    init : {"graph", "k-means"}, array-like, callable or clusterer, default="graph"
        Initial clusters, as in :class:`DECClustering`.
    n_init : int, default=20
        Restarts of k-means.
    teach : bool, default=True
        Whether the network is taught the clusters of a graph; if not, training starts
        from their means.
    alpha : float, default=1.0
        Degrees of freedom of the Student t kernel.
    gamma : float, default=0.1
        Weight of the divergence, the reconstruction error having weight one.
    update_interval : int or None, default=None
        Steps between two updates of the target distribution; None makes that of each
        step anew, as in :class:`DECClustering`.
    tol : float, default=1e-3
        The clustering phase ends when a smaller share of labels changed between two
        updates.
    max_epochs : int, default=50
        Passes over the data in the clustering phase, at most. With 0, the initial
        clusters are final.
    batch_size : int, default=256
        Rows in a step, at most.
    lr : float, default=1e-3
        Learning rate of the clustering phase.
    optimizer : {"adam", "adamw", "sgd"} or class, default="adam"
        Optimizer of the clustering phase; "sgd" has momentum 0.9.
    callbacks : list of skorch callbacks or None, default=None
        Copies of them listen to the teaching and to the clustering phase.
    net_params : dict or None, default=None
        Further arguments of :class:`skorch.NeuralNet` for the clustering phase.
    max_samples : int or None, default=100000
        Rows to learn from, at most. Of more, a sample is learned from, and ``labels_``
        are what `predict` says of all the rows. None learns from all.
    checkpoint : str, path or None, default=None
        Folder that lets a killed fit go on, as in :class:`Autoencoder`.
    verbose : int, default=0
        Whether to report each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. None takes fresh entropy.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row.
    n_clusters_ : int
        Number of clusters.
    cluster_centers_ : ndarray of shape (n_clusters, latent_dim)
        Centroids in the latent space.
    module_ : torch.nn.Module
        The trained autoencoder.
    history_ : dict of list of dict
        Under "pretraining", "clustering" and, with ``init="graph"``, "teaching", one
        dictionary an epoch, as in :class:`DECClustering`.
    n_iter_ : int
        Epochs of the clustering phase.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

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
    >>> autoencoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> idec = IDECClustering(10, autoencoder=autoencoder, max_epochs=5, random_state=0)
    >>> idec.fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **DEC_CONSTRAINTS,
        "gamma": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        autoencoder: Any = None,
        init: Any = "graph",
        n_init: int = 20,
        teach: bool = True,
        alpha: float = 1.0,
        gamma: float = 0.1,
        update_interval: int | None = None,
        tol: float = 1e-3,
        max_epochs: int = 50,
        batch_size: int = 256,
        lr: float = 1e-3,
        optimizer: Any = "adam",
        callbacks: Any = None,
        net_params: dict | None = None,
        max_samples: int | None = 100_000,
        checkpoint: Any = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.init = init
        self.n_init = n_init
        self.teach = teach
        self.alpha = alpha
        self.gamma = gamma
        self.update_interval = update_interval
        self.tol = tol
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.net_params = net_params
        self.max_samples = max_samples
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _loss_weights(self) -> tuple[float, float]:
        return self.gamma, 1.0
