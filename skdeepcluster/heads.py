"""Modules that own the parameters of a clustering: centroids, mixtures, assignments."""

from torch import Tensor, nn

from skdeepcluster import functional as F


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
