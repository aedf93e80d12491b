"""The formulas of deep clustering as pure functions of tensors."""

import torch
from torch import Tensor


def squared_distances(z: Tensor, centers: Tensor) -> Tensor:
    """Squared Euclidean distances between rows and centres.

    Differences are formed first: the expanded product loses the small distances that
    decide the assignment. The result stays finite where the square overflows.

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
    centers : Tensor of shape (n_clusters, n_dims)

    Returns
    -------
    Tensor of shape (n_samples, n_clusters)
    """
    distances = (z.unsqueeze(1) - centers).square().sum(2)
    return distances.clamp(max=torch.finfo(distances.dtype).max / 4)


def student_t(z: Tensor, centers: Tensor, alpha: float = 1.0) -> Tensor:
    """Soft assignment by a Student t kernel, equation 1 of Xie et al. (2016).

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
        Latent rows.
    centers : Tensor of shape (n_clusters, n_dims)
        Cluster centres.
    alpha : float, default=1.0
        Degrees of freedom.

    Returns
    -------
    Tensor of shape (n_samples, n_clusters)
        Rows sum to one.
    """
    logits = -(alpha + 1) / 2 * torch.log1p(squared_distances(z, centers) / alpha)
    return torch.softmax(logits, dim=1)


def target_distribution(q: Tensor) -> Tensor:
    """Sharpened target of an assignment, equation 3 of Xie et al. (2016).

    Parameters
    ----------
    q : Tensor of shape (n_samples, n_clusters)
        Soft assignment of *all* the rows: the cluster frequencies are taken over them.

    Returns
    -------
    Tensor of shape (n_samples, n_clusters)
        Rows sum to one.
    """
    floor = torch.finfo(q.dtype).tiny
    weight = q.square() / q.sum(0).clamp(min=floor)
    return weight / weight.sum(1, keepdim=True).clamp(min=floor)


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Mean over the rows of the Kullback-Leibler divergence KL(p || q).

    Parameters
    ----------
    p, q : Tensor of shape (n_samples, n_clusters)
        Distributions along the rows; a zero in ``p`` contributes nothing.

    Returns
    -------
    Tensor of shape ()
    """
    floor = torch.finfo(q.dtype).tiny
    log_ratio = p.clamp(min=floor).log() - q.clamp(min=floor).log()
    return (p * log_ratio).sum(1).mean()


def distance_to_center(z: Tensor, centers: Tensor, labels: Tensor) -> Tensor:
    """Mean squared distance of rows to the centre of their cluster.

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
    centers : Tensor of shape (n_clusters, n_dims)
    labels : Tensor of shape (n_samples,)
        Cluster of each row.

    Returns
    -------
    Tensor of shape ()
    """
    return (z - centers[labels]).square().sum(1).mean()


def running_means(
    centers: Tensor, counts: Tensor, z: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Means after further rows, equation 8 of Yang et al. (2017) for a whole batch.

    Taking the rows one by one, each with the step ``1 / count``, gives the same.

    Parameters
    ----------
    centers : Tensor of shape (n_clusters, n_dims)
        Means so far.
    counts : Tensor of shape (n_clusters,)
        Number of rows in each mean.
    z : Tensor of shape (n_samples, n_dims)
        Further rows.
    labels : Tensor of shape (n_samples,)
        Cluster of each.

    Returns
    -------
    centers : Tensor of shape (n_clusters, n_dims)
    counts : Tensor of shape (n_clusters,)
    """
    one_hot = torch.nn.functional.one_hot(labels, len(centers)).to(z.dtype)
    added = counts + one_hot.sum(0)
    shift = one_hot.T @ (z - centers[labels])
    return centers + shift / added.clamp(min=1).unsqueeze(1), added
