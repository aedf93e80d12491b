"""Deep divergence-based clustering (DDC) of Kampffmeyer et al. (2019).

An encoder and a softmax over the clusters are trained without a decoder.
With H the hidden rows before the softmax, A the assignments of a batch of n rows to k
clusters, and K the Gaussian similarities of H, the loss is

    d(A, K) + 2 / (n (n - 1)) * sum_i<j (A A')_ij + d(A's similarity to corners, K)

where d is the Cauchy-Schwarz divergence. The terms want clusters that are apart and
dense in H, clusters that share no rows, and assignments near 0 and 1.
See https://arxiv.org/abs/1902.04981.
"""

import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn import config_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import GradientNormClipping
from torch import Tensor, nn

from skdeepcluster import functional as F
from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._base import TRAINING_CONSTRAINTS, finite, spawn_seeds
from skdeepcluster.estimators._clusterer import BaseSoftClusterer
from skdeepcluster.estimators._initial import (
    BaseGraphClusterer,
    TeachingNet,
    initial_centers,
)
from skdeepcluster.heads import SoftmaxHead
from skdeepcluster.networks import AutoencoderModule, build
from skdeepcluster.training import (
    BatchDataset,
    BatchIterator,
    Net,
    over_rows,
    plain_history,
)

# Rows of the k-means that the softmax starts from, at least.
START_ROWS = 1024


class DDCModule(nn.Module):
    """Encoder and head as one module.

    Parameters
    ----------
    encoder : AutoencoderModule
    head : SoftmaxHead
    """

    def __init__(self, encoder: AutoencoderModule, head: SoftmaxHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden rows and assignments of rows in the units of the data."""
        return self.head(self.encoder.hidden(self.encoder.standardize(x)))


def ddc_terms(h: Tensor, a: Tensor, bandwidth: float) -> Tensor:
    """Three terms of the loss for the hidden rows and assignments of a batch."""
    kernel = F.gaussian_kernel(h, bandwidth)
    return torch.stack(
        [
            F.cauchy_schwarz_divergence(a, kernel),
            F.mean_of_pairs(a @ a.T),
            F.cauchy_schwarz_divergence(F.simplex_similarity(a), kernel),
        ]
    )


class DDCTeachingNet(TeachingNet):
    """Teaching of a network that reconstructs nothing."""

    def infer(self, x: Tensor, **kwargs: Any) -> tuple[Any, Tensor, Tensor]:
        """Give the assignments of mixtures, with their rows and shares."""
        (_, assignment), other, share = super().infer(x)
        return (assignment, 0.0), other, share


class DDCNet(Net):
    """Training on the sum of the three terms.

    Parameters
    ----------
    bandwidth : float
        Width of the kernel.
    """

    def __init__(self, *args: Any, bandwidth: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bandwidth = bandwidth

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Sum of the terms."""
        h, a = y_pred
        return ddc_terms(h, a, self.bandwidth).sum()


class DDCClustering(BaseSoftClusterer, BaseGraphClusterer):
    """Deep divergence-based clustering (DDC).

    An encoder with a softmax output is trained: the clusters of a batch shall be apart
    in the space of its last hidden layer by the Cauchy-Schwarz divergence, share no
    rows, and be certain [1]_. There is no decoder and no pretraining. The objective
    likes clusters of one size.

    The network is taught the clusters of a graph of neighbours first, and trained
    gently from there. In [1]_ it starts from random assignments, which
    ``init="k-means", lr=1e-3, max_epochs=100`` is close to: results vary with the
    start, so the best of ``n_init`` trainings is kept, by the divergence alone.

    Parameters
    ----------
    n_clusters : int or None, default=8
        Number of clusters. None finds it, with ``init="graph"``.
    autoencoder : Autoencoder or None, default=None
        Its encoder up to the last hidden layer is the network to start from, and it
        says on which device and in which precision to train. One that is fitted is
        used as it is, one that isn't is cloned and fitted. None is
        ``Autoencoder(max_epochs=0)``: no pretraining.
    init : {"graph", "k-means"} or GraphClustering, default="graph"
        First clusters: those of :class:`~skdeepcluster.graph.GraphClustering` on the
        rows, with its defaults or as given, which the network is taught on mixtures of
        rows; or those of k-means on what the untrained network makes of a sample, as
        close to [1]_ as a start is that leaves no cluster empty.
    n_hidden : int, default=100
        Width of the hidden layer on top of the encoder, which is what `transform`
        returns.
    bandwidth : float, default=0.15
        Squared width of the kernel, as a share of the median squared distance of a
        batch.
    n_init : int, default=1
        Trainings from different output layers; the one with the lowest divergence is
        kept.
    max_epochs : int, default=10
        Passes over the data in each training.
    batch_size : int, default=100
        Rows in a step, at most; 3 at least.
    lr : float, default=1e-4
        Learning rate.
    optimizer : {"adam", "adamw", "sgd"}, default="adam"
        Optimizer; "sgd" has momentum 0.9. Gradients are clipped to norm 5.
    callbacks : list of skorch callbacks or None, default=None
        Copies of them listen to each training.
    net_params : dict or None, default=None
        Further arguments of :class:`skorch.NeuralNet`.
    verbose : int, default=0
        Whether to report each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. None takes fresh entropy; global random generators
        are neither read nor moved.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row.
    n_clusters_ : int
        Number of clusters.
    divergence_ : float
        First term of the loss on the training data, by which the training was chosen.
    module_ : torch.nn.Module
        The trained encoder.
    head_ : torch.nn.Module
        The trained hidden layer and softmax.
    history_ : dict of list of dict
        Under "pretraining", "teaching" (from a graph) and "clustering", one dictionary
        an epoch with its ``train_loss`` and duration ``dur`` in seconds; of the
        training that was kept.
    n_iter_ : int
        Epochs of the training that was kept.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    DECClustering : Starts from an autoencoder and k-means.

    References
    ----------
    .. [1] Kampffmeyer, M., Lokse, S., Bianchi, F. M., Livi, L., Salberg, A.-B. and
       Jenssen, R. (2019). Deep divergence-based approach to clustering. Neural
       Networks 113. https://arxiv.org/abs/1902.04981

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DDCClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> network = Autoencoder(hidden_units=(64,), max_epochs=0)
    >>> ddc = DDCClustering(
    ...     10, autoencoder=network, max_epochs=5, random_state=0
    ... )
    >>> ddc.fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **BaseGraphClusterer._parameter_constraints,
        **TRAINING_CONSTRAINTS,
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        # Equal batches of at most 3 rows have 2 at least, as batch normalisation needs.
        "batch_size": [Interval(Integral, 3, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        autoencoder: Any = None,
        init: Any = "graph",
        n_hidden: int = 100,
        bandwidth: float = 0.15,
        n_init: int = 1,
        max_epochs: int = 10,
        batch_size: int = 100,
        lr: float = 1e-4,
        optimizer: str = "adam",
        callbacks: Any = None,
        net_params: dict | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.autoencoder = autoencoder
        self.init = init
        self.n_hidden = n_hidden
        self.bandwidth = bandwidth
        self.n_init = n_init
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.net_params = net_params
        self.verbose = verbose
        self.random_state = random_state

    def _check_fit(self, X: Any, autoencoder: Any) -> None:
        super()._check_fit(X, autoencoder)
        self._check_training()

    def _check_autoencoder(self) -> Any:
        if self.autoencoder is None:
            return Autoencoder(max_epochs=0)
        return super()._check_autoencoder()

    @property
    def n_clusters_(self) -> int:
        """Number of clusters: `n_clusters`, or as many as were found."""
        return self.head_.config["n_clusters"]

    def _find_clusters(self, X: Any, autoencoder: Any) -> str | None:
        pretrain_seed, *seeds = spawn_seeds(self.random_state, 1 + self.n_init)
        interrupted = None
        if self._pretrain(X, autoencoder, pretrain_seed):
            interrupted = "pretraining"
        n_clusters: Any = self.n_clusters
        graph, labels = self._graph(pretrain_seed), None
        if graph is not None:
            try:
                labels = graph._labels_of([X])
                n_clusters = labels.max() + 1
            except KeyboardInterrupt:
                if n_clusters is None:
                    raise
                interrupted = "the search for initial clusters"
        start: Any = self.module_
        start.decoder = None
        best: float | None = None
        for seed in seeds:
            head_seed, order_seed = spawn_seeds(seed, 2)
            head = self._head(X, start, n_clusters, head_seed)
            module = DDCModule(copy.deepcopy(start), head)
            history: dict[str, list[dict[str, Any]]] = {}
            if labels is not None and not interrupted:
                net = self._teach_net(DDCTeachingNet, module, X, labels, order_seed)
                history["teaching"] = plain_history(net)
                interrupted = "pretraining" if net.interrupted else None
            history["clustering"] = []
            if not interrupted:
                net = self._train(
                    DDCNet,
                    module,
                    X,
                    order_seed,
                    own_callbacks=[GradientNormClipping(5.0)],
                    bandwidth=self.bandwidth,
                    device=start.shift.device,
                    precision=self._precision,
                )
                history["clustering"] = plain_history(net)
                interrupted = "the clustering phase" if net.interrupted else None
            divergence = float(self._mean_terms(module, X)[0])
            if best is None or divergence < best:
                best = self.divergence_ = divergence
                self.module_, self.head_ = module.encoder, module.head
                self.history_ |= history
                self.n_iter_ = len(history["clustering"])
            if interrupted:
                break
        self._drop_empty(X)
        return interrupted

    def _keep_clusters(self, kept: np.ndarray) -> None:
        self.head_.keep(torch.from_numpy(kept))

    @torch.no_grad()
    def _head(
        self, X: Any, encoder: AutoencoderModule, n_clusters: int, seed: int
    ) -> SoftmaxHead:
        """Head whose clusters are those of k-means on a sample: none starts empty."""
        head = build(
            SoftmaxHead,
            seed,
            n_inputs=encoder.n_hidden,
            n_hidden=int(self.n_hidden),
            n_clusters=int(n_clusters),
        )
        size = min(X.shape[0], max(START_ROWS, 10 * n_clusters))
        sample = np.random.default_rng(seed).permutation(X.shape[0])[:size]
        x = BatchDataset(X).rows(np.sort(sample)).to(encoder.shift.device)
        linear, relu, norm = head.to(x.device).eval().hidden
        hidden = relu(linear(encoder.hidden(encoder.standardize(x))))
        norm.running_mean.copy_(hidden.mean(0))
        norm.running_var.copy_(hidden.var(0))
        h = finite(norm(hidden).cpu().numpy())
        with config_context(array_api_dispatch=False):
            centers = initial_centers(h, "k-means", n_clusters, 1, seed)
        means = torch.from_numpy(centers).to(x.device)
        spread = F.squared_distances(norm(hidden), means).min(1).values.mean()
        scale = 1 / (2 * spread.clamp(min=1e-9))
        head.output.weight.copy_(2 * scale * means)
        head.output.bias.copy_(-scale * means.square().sum(1))
        return head

    @torch.no_grad()
    def _mean_terms(self, module: DDCModule, X: Any) -> np.ndarray:
        """Terms of the loss, averaged over batches in an order of their own."""
        device = module.encoder.shift.device
        batches = BatchIterator(BatchDataset(X), self.batch_size, shuffle=True)
        total = np.zeros(3)
        for x, index in batches:
            h, a = module(x.to(device))
            terms = ddc_terms(h, a, self.bandwidth).double().cpu().numpy()
            total += terms * len(index)
        return finite(total / X.shape[0])

    def _latent(self, x: Tensor) -> Tensor:
        return self.head_.hidden(self.module_.hidden(self.module_.standardize(x)))

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        device = self.module_.shift.device
        return over_rows(self.head_.assign, Z, device).cpu().numpy()

    @property
    def _n_features_out(self) -> int:
        return self.head_.config["n_hidden"]

    def score(self, X: Any, y: Any = None) -> float:
        """Opposite of the objective on ``X``; higher is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.
        y : object, default=None
            Ignored.

        Returns
        -------
        float
            Negative sum of the terms, averaged over batches of ``batch_size`` rows.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        return -float(self._mean_terms(DDCModule(self.module_, self.head_), X).sum())
