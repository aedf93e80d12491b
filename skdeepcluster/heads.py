"""Modules that own the parameters of a clustering: centroids, mixtures, assignments."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skdeepcluster import functional as F
from skdeepcluster.networks import AlignedLinear, AutoencoderModule


class StudentTHead(nn.Module):
    """Soft assignment to trainable centroids.

    Parameters
    ----------
    centers : Tensor of shape (n_clusters, latent_dim)
        Initial centroids.
    alpha : float, default=1.0
        Degrees of freedom of the Student t kernel.
    """

    def __init__(self, centers: Tensor, alpha: float = 1.0) -> None:
        super().__init__()
        self.centers = nn.Parameter(centers.detach().clone())
        self.alpha = alpha

    def forward(self, z: Tensor) -> Tensor:
        """Return the assignment, of shape (n_samples, n_clusters)."""
        return F.student_t(z, self.centers, self.alpha)


class AssigningAutoencoder(nn.Module):
    """Autoencoder and head as one module; the decoder runs only where it is paid for.

    Parameters
    ----------
    autoencoder : AutoencoderModule
    head : StudentTHead
    reconstruct : bool
        Whether to decode.
    """

    def __init__(
        self, autoencoder: AutoencoderModule, head: StudentTHead, reconstruct: bool
    ) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.head = head
        self.reconstruct = reconstruct

    def assign(self, x: Tensor) -> Tensor:
        """Soft assignment of rows in the units of the data."""
        z = self.autoencoder.encode(self.autoencoder.standardize(x)).float()
        return self.head(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Soft assignment, and mean squared error of reconstruction or None."""
        if not self.reconstruct:
            return self.assign(x), None
        target, z, reconstruction = self.autoencoder(x)
        return self.head(z), nn.functional.mse_loss(reconstruction, target)


@torch.no_grad()
def keep_rows(module: nn.Module, names: Sequence[str], kept: Tensor) -> None:
    """Drop all rows of parameters but those of the given indices."""
    for name in names:
        rows = getattr(module, name)
        setattr(module, name, nn.Parameter(rows[kept.to(rows.device)]))


class SoftmaxHead(nn.Module):
    """Hidden layer with batch normalisation, and a softmax over the clusters.

    Parameters
    ----------
    n_inputs : int
        Width of the rows given.
    n_hidden : int
        Width of the hidden layer.
    n_clusters : int
        Number of clusters.
    """

    def __init__(self, n_inputs: int, n_hidden: int, n_clusters: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_inputs": n_inputs,
            "n_hidden": n_hidden,
            "n_clusters": n_clusters,
        }
        self.hidden = nn.Sequential(
            AlignedLinear(n_inputs, n_hidden), nn.ReLU(), nn.BatchNorm1d(n_hidden)
        )
        self.output = AlignedLinear(n_hidden, n_clusters)

    def keep(self, kept: Tensor) -> None:
        """Drop all clusters but those of the given indices."""
        keep_rows(self.output, ("weight", "bias"), kept)
        self.config["n_clusters"] = self.output.out_features = len(kept)

    def assign(self, h: Tensor) -> Tensor:
        """Soft assignment of hidden rows, of shape (n_samples, n_clusters)."""
        return self.output(h).float().softmax(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hidden rows and their assignment."""
        h = self.hidden(x).float()
        return h, self.assign(h)


class MixtureHead(nn.Module):
    """Latent variance of each row, and a mixture of diagonal Gaussians.

    Parameters
    ----------
    n_inputs : int
        Width of the rows that the variance is read from.
    latent_dim : int
        Width of the latent space.
    n_clusters : int
        Number of components.
    """

    def __init__(self, n_inputs: int, latent_dim: int, n_clusters: int) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "n_inputs": n_inputs,
            "latent_dim": latent_dim,
            "n_clusters": n_clusters,
        }
        self.log_variance = AlignedLinear(n_inputs, latent_dim)
        self.logits = nn.Parameter(torch.zeros(n_clusters))
        self.means = nn.Parameter(torch.zeros(n_clusters, latent_dim))
        self.log_variances = nn.Parameter(torch.zeros(n_clusters, latent_dim))

    def mixture(self) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of the weights, means, logarithms of the variances."""
        return self.logits.log_softmax(0), self.means, self.log_variances

    def keep(self, kept: Tensor) -> None:
        """Drop all components but those of the given indices."""
        keep_rows(self, ("logits", "means", "log_variances"), kept)
        self.config["n_clusters"] = len(kept)

    def assign(self, z: Tensor) -> Tensor:
        """Probability of each component for latent rows."""
        return F.mixture_log_joint(z, *self.mixture()).softmax(1)

    def divergence(self, mean: Tensor, log_variance: Tensor, z: Tensor) -> Tensor:
        """Divergence of each row's posterior, assigned by ``z``, from the mixture."""
        return F.mixture_divergence(mean, log_variance, self.assign(z), *self.mixture())
