"""Variational deep embedding (VaDE) of Jiang, Zheng, Tan, Tang and Zhou (2017).

A variational autoencoder whose prior is a mixture of Gaussians: a component c is drawn
with probability pi_c, a latent row z from N(mu_c, lambda_c), and a row x from
N(decoder(z), s^2). The encoder gives q(z | x) = N(m, v), and the loss of a row, an
upper bound of -log p(x), is

    |x - decoder(z)|^2 / 2 s^2
    + 1/2 sum_c g_c sum_d [log lambda + v / lambda + (m - mu)^2 / lambda]
    - 1/2 sum_d (1 + log v) + sum_c g_c log (g_c / pi_c),

with z drawn from q and g_c = p(c | z). See https://arxiv.org/abs/1611.05148.
"""

import math
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from skdeepcluster._callbacks import CosineAnnealing
from skdeepcluster._docs import documented
from skdeepcluster._modules import Draws
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster.batches import over_rows
from skdeepcluster.estimators._base import (
    Learned,
    encode,
    finite,
    reconstruction_errors,
)
from skdeepcluster.estimators._clusterer import BaseGenerativeClusterer
from skdeepcluster.estimators._embedded import nearest
from skdeepcluster.estimators._initial import Clusters, fit_about
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.estimators._training import Training
from skdeepcluster.heads import JointModule, MixtureHead
from skdeepcluster.networks import AutoencoderModule, build
from skdeepcluster.training import Net

# Share of the variance that a perfect reconstruction is taken to leave: the density of
# rows would be infinite without it.
LEAST = 1e-3
# Latent draws that a score is the mean of; even.
SCORE_DRAWS = 16
# Of the logarithm of a latent variance, either way. A row far from all others would get
# an infinite one; no training comes near it.
FARTHEST_LOG_VARIANCE = 50.0
# Latent rows on which the first latent variances are measured, at most.
VARIANCE_ROWS = 1024


class VaDEModule(JointModule):
    """Autoencoder and head as one module, which gives the loss of each row.

    Parameters
    ----------
    autoencoder : AutoencoderModule
    head : MixtureHead
    seed : int, default=0
        Seed of the latent draws.
    """

    def __init__(
        self, autoencoder: AutoencoderModule, head: MixtureHead, seed: int = 0
    ) -> None:
        super().__init__(autoencoder, head)
        self.draws = Draws(seed)

    def forward(self, x: Tensor) -> Tensor:
        """Loss of each row in the units of the data, at one draw."""
        size = len(x), self.autoencoder.latent_dim
        return self.bound(x, self.draws.normal(size, x.device)[None])

    def bound(self, x: Tensor, noise: Tensor) -> Tensor:
        """Loss of each row in the units of the data.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_features)
        noise : Tensor of shape (n_draws, n_samples or 1, latent_dim)
            Standard normal draws that make the latent rows; the loss is their mean.
        """
        target = self.autoencoder.standardize(x)
        hidden = self.autoencoder.hidden(target)
        mean = self.autoencoder.project(hidden).float()
        log_variance = self.head.log_variance(hidden).float()
        log_variance = log_variance.clamp(-FARTHEST_LOG_VARIANCE, FARTHEST_LOG_VARIANCE)
        variance = self.head.noise.float()
        losses = torch.zeros_like(mean[:, 0])
        for draw in noise:
            z = mean + draw * torch.exp(log_variance / 2)
            errors = (self.autoencoder.decode(z).float() - target).square().sum(1)
            divergence = self.head.divergence(mean, log_variance, z)
            losses = losses + errors / (2 * variance) + divergence
        return losses / len(noise)


def fixed_draws(latent_dim: int) -> Tensor:
    """Latent noise for scores, of shape (SCORE_DRAWS, 1, latent_dim).

    It is the same for every row, so that a score depends on nothing but the row. Draws
    come in opposite pairs and have unit variance: a mean over them is exact for
    whatever is linear or a sum of squares.
    """
    draw: dict[str, Any] = {"device": "cpu", "dtype": torch.float32}
    generator = torch.Generator("cpu").manual_seed(0)
    half = torch.randn(SCORE_DRAWS // 2, 1, latent_dim, generator=generator, **draw)
    half = half / half.square().mean(0).sqrt()
    return torch.cat([half, -half])


@torch.no_grad()
def start_variances(
    module: AutoencoderModule, head: MixtureHead, Z: np.ndarray
) -> None:
    """Give all rows the latent variances that are best on average.

    The bound of a row is best at the variance whose inverse is the prior's, plus the
    squared slope of the decoder over the variance of its errors.
    """
    layer = head.log_variance
    z = torch.from_numpy(Z[:: math.ceil(len(Z) / VARIANCE_ROWS)]).to(layer.bias.device)
    log_weights, _, log_variances = head.mixture()
    precision = (log_weights.exp() @ torch.exp(-log_variances)).clamp(1e-30, 1e30)
    step = 0.1 * precision.rsqrt()
    rows = module.decode(z)
    for dim in range(len(step)):
        moved = z.clone()
        moved[:, dim] += step[dim]
        change = (module.decode(moved) - rows).square().sum(1).mean()
        precision[dim] += change / step[dim].square() / head.noise
    layer.weight.zero_()
    layer.bias.copy_(-precision.clamp(max=1e30).log())


class VaDENet(Net):
    """Training on the bound."""

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Mean over the rows."""
        return y_pred.mean()


@documented
class VaDEClustering(BaseGenerativeClusterer, BaseJointClusterer):
    """Variational deep embedding (VaDE): a generative model of clusters.

    An autoencoder is pretrained and a Gaussian mixture fitted to its latent rows, from
    k-means in the paper, here from the clusters of a graph of neighbours unless
    ``init`` says otherwise. Both then become one variational autoencoder, whose prior
    is the mixture, and are trained together on the evidence lower bound [1]_. The model
    scores how normal a row is, by the mean bound over 16 fixed draws of latent noise,
    and draws new rows.

    Rows are taken to vary around their reconstruction by what the pretrained
    autoencoder leaves unexplained.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    {init}
    max_epochs : int, default=20
        Passes over the data in the joint training. With 0, the first mixture is final.
    {batch_size}
    lr : float, default=1e-4
        Learning rate at the start of the joint training; it falls to zero along half a
        cosine. Ten times as much raises the bound faster and may merge clusters.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    weights_ : ndarray of shape (n_clusters,)
        Weights of the components.
    cluster_centers_ : ndarray of shape (n_clusters, latent_dim)
        Means of the components in the latent space, and not among the rows:
        ``inverse_transform(cluster_centers_)`` has them in the units of ``X``.
    covariances_ : ndarray of shape (n_clusters, latent_dim)
        Variances of the components in the latent space.
    noise_variance_ : float
        Variance of rows around their reconstruction, overall unit variance being one.
    module_ : torch.nn.Module
        The trained autoencoder.
    head_ : torch.nn.Module
        The trained mixture, and the layer that gives the latent variances.
    {joint_history_}
    n_iter_ : int
        Epochs of the joint training.
    {features}

    See Also
    --------
    AutoencoderGMM : The same without joint training.

    References
    ----------
    .. [1] Jiang, Z., Zheng, Y., Tan, H., Tang, B. and Zhou, H. (2017). Variational
       deep embedding: an unsupervised and generative approach to clustering. IJCAI.
       https://arxiv.org/abs/1611.05148

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, VaDEClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> vade = VaDEClustering(10, encoder=encoder, max_epochs=5, random_state=0)
    >>> rows, components = vade.fit(X).sample(3)
    >>> rows.shape
    (3, 64)
    """

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
        max_epochs: int = 20,
        batch_size: int = 256,
        lr: float = 1e-4,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.init = init
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def weights_(self) -> np.ndarray:
        """Weights of the components."""
        return self.head_.mixture()[0].detach().exp().cpu().numpy()

    @property
    def covariances_(self) -> np.ndarray:
        """Variances of the components in the latent space."""
        return self.head_.log_variances.detach().exp().cpu().numpy()

    @property
    def noise_variance_(self) -> float:
        """Variance of rows around their reconstruction."""
        return self.head_.noise.item()

    @torch.no_grad()
    def _start_head(
        self, X: Any, learned: Learned, clusters: Clusters, seed: int
    ) -> MixtureHead:
        Z = encode(learned.module, X)
        centers = clusters.centers
        mixture = GaussianMixture(len(centers), covariance_type="diag")
        with warnings.catch_warnings():
            # The mixture is trained on, with the network.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit_about(mixture, Z, Clusters(centers, nearest(Z, centers)))
        head = build(
            MixtureHead,
            seed,
            n_inputs=learned.module.n_hidden,
            latent_dim=learned.module.latent_dim,
            n_clusters=len(centers),
        )
        head.logits.copy_(torch.from_numpy(np.log(mixture.weights_)))
        head.means.copy_(torch.from_numpy(mixture.means_))
        head.log_variances.copy_(torch.from_numpy(np.log(mixture.covariances_)))
        head.noise.fill_(max(reconstruction_errors(learned.module, X).mean(), LEAST))
        head = head.to(learned.module.shift.device)
        start_variances(learned.module, head, Z)
        return head

    def _refine(self, X: Any, learned: Learned, head: Any, seed: int) -> Learned:
        order_seed, noise_seed = spawn_seeds(seed, 2)
        return self._train_jointly(
            VaDENet,
            VaDEModule(learned.module, head, noise_seed),
            X,
            learned,
            order_seed,
            own_callbacks=[CosineAnnealing(self.max_epochs)],
        )

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        device = self.module_.shift.device
        return over_rows(self.head_.assign, Z, device).cpu().numpy()

    def _log_densities(self, X: Any) -> np.ndarray:
        module = VaDEModule(self.module_, self.head_)
        device = self.module_.shift.device
        noise = fixed_draws(self.module_.latent_dim).to(device)
        losses = over_rows(lambda x: module.bound(x, noise), X, device)
        loss = finite(losses.double().cpu().numpy())
        variance = self.noise_variance_ * self.module_.scale.item() ** 2
        return -loss - self.n_features_in_ / 2 * math.log(2 * math.pi * variance)

    def _draw(self, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        weights = self.weights_.astype(np.float64)
        components = rng.choice(len(weights), n_samples, p=weights / weights.sum())
        noise = rng.standard_normal((n_samples, self.module_.latent_dim))
        spread = np.sqrt(self.covariances_[components])
        Z = self.cluster_centers_[components] + spread * noise
        return Z.astype(np.float32), components
