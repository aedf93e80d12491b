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
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from skorch.callbacks import GradientNormClipping
from torch import Tensor

from skdeepcluster import functional as F
from skdeepcluster._docs import documented
from skdeepcluster._seeds import FitSeeds, spawn_seeds
from skdeepcluster._sklearn import Interval, StrOptions
from skdeepcluster.batches import BatchDataset, BatchIterator, over_rows
from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._autoencoder_kmeans import nearest_centers
from skdeepcluster.estimators._base import Learned, finite
from skdeepcluster.estimators._clusterer import BaseSoftClusterer
from skdeepcluster.estimators._initial import Clusters, InitialClusters, kmeans
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._training import Training
from skdeepcluster.graph import GraphClustering
from skdeepcluster.heads import DDCModule, SoftmaxHead
from skdeepcluster.networks import AutoencoderModule, build
from skdeepcluster.training import Net

# Rows of the k-means that the softmax starts from, at least.
START_ROWS = 1024


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


class DDCNet(Net):
    """Training on the sum of the three terms.

    Attributes
    ----------
    bandwidth : float
        Width of the kernel.
    """

    own = ("bandwidth",)
    bandwidth: float

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Sum of the terms."""
        h, a = y_pred
        return ddc_terms(h, a, self.bandwidth).sum()


@documented
class DDCClustering(BaseSoftClusterer, BaseJointClusterer):
    """Deep divergence-based clustering (DDC).

    An encoder with a softmax output is trained: the clusters of a batch shall be apart
    in the space of its last hidden layer by the Cauchy-Schwarz divergence, share no
    rows, and be certain [1]_. There is no decoder and no pretraining. The objective
    likes clusters of one size.

    The network is taught the clusters of a graph of neighbours first, and trained
    gently from there. In [1]_ it starts from random assignments, and results vary with
    the start. ``init="k-means", lr=1e-3, max_epochs=100`` comes close to that; give
    ``n_init`` too, and the training with the lowest divergence is kept.

    Parameters
    ----------
    {n_clusters}
    encoder : Autoencoder, "passthrough" or None, default=None
        Its layers up to the last hidden one are the network to start from. One that is
        fitted is used as it is, one that isn't is cloned and fitted. None is
        ``Autoencoder(max_epochs=0)``: no pretraining. With "passthrough", the hidden
        layer is on top of the rows themselves, as of embeddings.
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
        Learning rate. Gradients are clipped to norm 5.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    divergence_ : float
        First term of the loss on the training data, by which the training was chosen.
    {module_}
    head_ : torch.nn.Module
        The trained hidden layer and softmax.
    history_ : dict of list of dict
        Under "pretraining", "teaching" (from a graph) and "clustering", one dictionary
        an epoch with its ``train_loss`` and duration ``dur`` in seconds; of the
        training that was kept.
    n_iter_ : int
        Epochs of the training that was kept.
    {features}

    See Also
    --------
    DECClustering : Pretrains an autoencoder, and has centroids.

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
    ...     10, encoder=network, max_epochs=5, random_state=0
    ... )
    >>> ddc.fit_predict(X).shape
    (1797,)
    """

    _parts: ClassVar[dict[str, Callable[[], Any]]] = {
        **BaseJointClusterer._parts,
        "encoder": lambda: Autoencoder(max_epochs=0),
    }
    _parameter_constraints: dict = {
        **BaseJointClusterer._parameter_constraints,
        "init": [StrOptions({"k-means", "graph"}), GraphClustering],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        # Equal batches of at most 3 rows have 2 at least, as batch normalisation needs.
        "batch_size": [Interval(Integral, 3, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
        n_hidden: int = 100,
        bandwidth: float = 0.15,
        n_init: int = 1,
        max_epochs: int = 10,
        batch_size: int = 100,
        lr: float = 1e-4,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.init = init
        self.n_hidden = n_hidden
        self.bandwidth = bandwidth
        self.n_init = n_init
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    def _find_initial(
        self, X: Any, learned: Learned, seeds: FitSeeds, initial: InitialClusters
    ) -> Clusters | None:
        if not initial.of_graph or learned.interrupted is not None:
            # k-means of the hidden rows, which each head starts from.
            return None
        # The untrained network has nothing to say of the rows.
        no_rows = np.zeros((X.shape[0], 1), dtype=np.float32)
        return initial.kept_or_found(learned.journal, [X], no_rows, seeds.pretraining)

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: FitSeeds
    ) -> Learned:
        labels = clusters.labels if clusters and clusters.to_teach else None
        n_clusters = self.n_clusters if labels is None else labels.max() + 1
        if n_clusters is None:
            raise KeyboardInterrupt
        learned.module.decoder = None
        tried = []
        others = spawn_seeds(seeds.training, self.n_init - 1)
        for turn, seed in enumerate([seeds.start, *others]):
            head_seed = spawn_seeds(seed, 2)[0]
            start = self._new_head(X, learned.module, int(n_clusters), head_seed)
            tried.append(self._train_once(X, learned, labels, start, seed, f" {turn}"))
            if tried[-1].interrupted is not None:
                break
        best = min(tried, key=lambda each: each.attributes["divergence_"])
        return best.cut_short(tried[-1].interrupted)

    def _train_once(
        self,
        X: Any,
        learned: Learned,
        labels: np.ndarray | None,
        head: SoftmaxHead,
        seed: int,
        turn: str,
    ) -> Learned:
        """Train a copy of the network with a new head."""
        order_seed = spawn_seeds(seed, 2)[1]
        module = DDCModule(copy.deepcopy(learned.module), head)
        learned = replace(learned, module=module.autoencoder)
        if labels is not None and learned.interrupted is None:
            page = learned.journal.page(f"teaching{turn}")
            trained = self._train_towards(X, module, labels, order_seed, page)
            learned = learned.after("teaching", "teaching", trained)
        learned = learned.adding(head_=head, n_iter_=0)
        learned = replace(learned, history={**learned.history, "clustering": []})
        if learned.interrupted is None:
            learned = self._train_jointly(
                DDCNet,
                module,
                X,
                learned,
                order_seed,
                turn=turn,
                own_callbacks=[GradientNormClipping(5.0)],
                bandwidth=self.bandwidth,
            )
        terms = self._mean_terms(module, X)
        return learned.adding(divergence_=float(terms[0]))

    @torch.no_grad()
    def _new_head(
        self, X: Any, encoder: AutoencoderModule, n_clusters: int, seed: int
    ) -> SoftmaxHead:
        """Head whose clusters are those of k-means on a sample: none starts empty."""
        head = build(
            SoftmaxHead,
            seed,
            n_inputs=encoder.n_hidden,
            n_hidden=int(self.n_hidden),
            n_clusters=n_clusters,
        )
        size = min(X.shape[0], max(START_ROWS, 10 * n_clusters))
        sample = np.random.default_rng(seed).permutation(X.shape[0])[:size]
        x = BatchDataset(X).rows(np.sort(sample)).to(encoder.shift.device)
        linear, relu, norm = head.to(x.device).eval().hidden
        hidden = relu(linear(encoder.hidden(encoder.standardize(x))))
        norm.running_mean.copy_(hidden.mean(0))
        norm.running_var.copy_(hidden.var(0))
        h = finite(norm(hidden).cpu().numpy())
        centers = kmeans(h, n_clusters, 1, seed).cluster_centers_
        spread = nearest_centers(h, centers)[1] / len(h)
        scale = 1 / (2 * max(spread, 1e-9))
        means = torch.from_numpy(centers).to(x.device)
        head.output.weight.copy_(2 * scale * means)
        head.output.bias.copy_(-scale * means.square().sum(1))
        return head

    @torch.no_grad()
    def _mean_terms(self, module: DDCModule, X: Any) -> np.ndarray:
        """Terms of the loss, averaged over batches in an order of their own."""
        device = module.autoencoder.shift.device
        batches = BatchIterator(BatchDataset(X), self.batch_size, shuffle=True)
        total = np.zeros(3)
        for x, index in batches:
            h, a = module(x.to(device))
            terms = ddc_terms(h, a, self.bandwidth).double().cpu().numpy()
            total += terms * len(index)
        return finite(total / X.shape[0])

    def _encode(self, X: Any) -> np.ndarray:
        network, head = self.module_, self.head_

        def hidden(x: Tensor) -> Tensor:
            return head.hidden(network.hidden(network.standardize(x)))

        return finite(over_rows(hidden, X, network.shift.device).cpu().numpy())

    def _scores(self, x: Tensor) -> Tensor:
        h = self.module_.hidden(self.module_.standardize(x))
        return self.head_.scores(self.head_.hidden(h).float())

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        device = self.module_.shift.device
        return over_rows(self.head_.assign, Z, device).cpu().numpy()

    @property
    def _n_features_out(self) -> int:
        return self.head_.config["n_hidden"]
