"""The formulas of deep clustering as pure functions of tensors."""

import math

import numpy as np
import torch
from torch import Tensor

from skdeepcluster._dip import dip


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
    return torch.softmax(student_t_logits(z, centers, alpha), dim=1)


def student_t_logits(z: Tensor, centers: Tensor, alpha: float = 1.0) -> Tensor:
    """Scores of which `student_t` is the softmax.

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
    """
    return -(alpha + 1) / 2 * torch.log1p(squared_distances(z, centers) / alpha)


def target_distribution(q: Tensor, frequencies: Tensor | None = None) -> Tensor:
    """Sharpened target of an assignment, equation 3 of Xie et al. (2016).

    Parameters
    ----------
    q : Tensor of shape (n_samples, n_clusters)
        Soft assignment.
    frequencies : Tensor of shape (n_clusters,) or None, default=None
        Sums of the assignments of *all* the rows. None takes those of ``q``.

    Returns
    -------
    Tensor of shape (n_samples, n_clusters)
        Rows sum to one.
    """
    floor = torch.finfo(q.dtype).tiny
    frequencies = q.sum(0) if frequencies is None else frequencies
    weight = q.square() / frequencies.clamp(min=floor)
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


def attraction(z: Tensor) -> Tensor:
    """Cross entropy of finding each row's partner among all the others of a batch.

    Similarities are those of t-SNE, as in Damrich et al. (2023),
    https://arxiv.org/abs/2206.01816: with q_ij = 1 / (1 + d_ij^2), it is
    -log(q_ij / sum_(k != i) q_ik) for the partner j of row i.

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
        Rows 0 and 1 are partners, 2 and 3, and so on.

    Returns
    -------
    Tensor of shape (n_samples,)
    """
    rows = torch.arange(len(z), device=z.device)
    logits = -torch.log1p(torch.cdist(z, z).square())
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = logits.masked_fill(own, -math.inf)
    return torch.logsumexp(logits, 1) - logits[rows, rows ^ 1]


def soft_distance(distances: Tensor, inverse_temperature: float) -> Tensor:
    """Mean over the rows of a softened least distance, as in Fard et al. (2020).

    The distances of a row are weighed by their softmin.

    Parameters
    ----------
    distances : Tensor of shape (n_samples, n_clusters)
        Squared distances to the centres.
    inverse_temperature : float
        The larger, the more the least distance counts alone.

    Returns
    -------
    Tensor of shape ()
    """
    excess = distances - distances.detach().min(1, keepdim=True).values
    weights = torch.softmax(-inverse_temperature * excess, dim=1)
    return (weights * distances).sum(1).mean()


def related_distance(z: Tensor, centers: Tensor, relations: Tensor) -> Tensor:
    """Mean distance to related clusters, equation 3 of Leiber et al. (2021).

    The squared distances of a row are weighed by how its cluster, that of the nearest
    centre, is related to the others. Over the mean distance of two centres, and times
    one and the deviation of these distances, they fall neither where all rows shrink
    nor where some clusters are pushed far off.

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
    centers : Tensor of shape (n_clusters, n_dims)
    relations : Tensor of shape (n_clusters, n_clusters)
        Weights; rows sum to one.

    Returns
    -------
    Tensor of shape ()
    """
    distances = squared_distances(z, centers)
    weights = relations[distances.argmin(1)]
    pull = (weights * distances).sum(1).mean()
    if len(centers) == 1:
        return pull
    apart = torch.pdist(centers)
    floor = torch.finfo(z.dtype).eps
    return pull * (1 + apart.std(correction=0)) / apart.mean().clamp(min=floor)


def dips(projections: Tensor, samples: list[tuple[int, np.ndarray]]) -> Tensor:
    """Hartigan's dips of samples, with the gradients of Krause and Liebscher (2005).

    Only the three rows that a dip hangs on have a part in its gradient.

    Parameters
    ----------
    projections : Tensor of shape (n_samples, n_axes)
    samples : list of (int, ndarray)
        The axis of each sample, and the indices of its rows.

    Returns
    -------
    Tensor of shape (len(samples),)
    """
    known = projections.detach().double().cpu().numpy()
    found = [dip(known[rows, axis]) for axis, rows in samples]
    device, dtype = projections.device, projections.dtype
    axes = torch.tensor([axis for axis, _ in samples], device=device)
    corners = [
        rows[list(it.triangle)] for it, (_, rows) in zip(found, samples, strict=True)
    ]
    rows = torch.as_tensor(np.array(corners).reshape(-1, 3).T, device=device)
    values = torch.tensor([it.value for it in found], dtype=dtype, device=device)
    slopes = torch.tensor([it.slope for it in found], dtype=dtype, device=device)
    a, b, c = projections[rows, axes]
    place = (b - a) / torch.where(c > a, c - a, 1)
    return values + slopes * (place - place.detach())


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


def gaussian_kernel(h: Tensor, bandwidth: float) -> Tensor:
    """Similarities ``exp(-d^2 / 2 s^2)`` of the rows of a batch.

    The scale ``s^2`` is ``bandwidth`` times the median of the squared distances, and
    no gradient flows through it.

    Parameters
    ----------
    h : Tensor of shape (n_samples, n_dims)
        Rows near the origin: distances are taken from the expanded product.
    bandwidth : float
        Share of the median.

    Returns
    -------
    Tensor of shape (n_samples, n_samples)
    """
    squares = h.square().sum(1)
    distances = (squares.unsqueeze(1) + squares - 2 * h @ h.T).clamp(min=0)
    scale = bandwidth * distances.detach().median()
    return torch.exp(-distances / (2 * scale.clamp(min=1e-9)))


def cauchy_schwarz_divergence(assignment: Tensor, kernel: Tensor) -> Tensor:
    """Cauchy-Schwarz divergence of the clusters, as a similarity to be minimised.

    Mean over the pairs of clusters of ``a_i' K a_j / sqrt(a_i' K a_i * a_j' K a_j)``
    with ``a_i`` the columns of the assignment, equation 7 of Kampffmeyer et al. (2019).

    Parameters
    ----------
    assignment : Tensor of shape (n_samples, n_clusters)
    kernel : Tensor of shape (n_samples, n_samples)

    Returns
    -------
    Tensor of shape ()
        Zero for a single cluster.
    """
    products = assignment.T @ kernel @ assignment
    own = products.diagonal()
    norms = (own.unsqueeze(1) * own).clamp(min=1e-18).sqrt()
    return mean_of_pairs(products.clamp(min=1e-9) / norms)


def mean_of_pairs(products: Tensor) -> Tensor:
    """Mean of a square matrix above its diagonal; zero where nothing is there."""
    n_rows = len(products)
    return products.triu(1).sum() / max(n_rows * (n_rows - 1) / 2, 1)


def simplex_similarity(assignment: Tensor) -> Tensor:
    """Similarities ``exp(-|a_q - e_i|^2)`` of assignments to the simplex's corners.

    Parameters
    ----------
    assignment : Tensor of shape (n_samples, n_clusters)

    Returns
    -------
    Tensor of shape (n_samples, n_clusters)
    """
    squares = assignment.square().sum(1, keepdim=True)
    return torch.exp(-(squares - 2 * assignment + 1))


def mixture_log_joint(
    z: Tensor, log_weights: Tensor, means: Tensor, log_variances: Tensor
) -> Tensor:
    """Logarithm of ``pi_c N(z; mu_c, lambda_c)`` for each row and component.

    The result stays finite where a square overflows.

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
    log_weights : Tensor of shape (n_clusters,)
    means, log_variances : Tensor of shape (n_clusters, n_dims)
        Components with diagonal covariances.

    Returns
    -------
    Tensor of shape (n_samples, n_clusters)
    """
    squares = (z.unsqueeze(1) - means).square() * torch.exp(-log_variances)
    terms = (squares + log_variances + math.log(2 * math.pi)).sum(2)
    return log_weights - terms.clamp(max=torch.finfo(terms.dtype).max / 4) / 2


def mixture_divergence(
    mean: Tensor,
    log_variance: Tensor,
    assignment: Tensor,
    log_weights: Tensor,
    means: Tensor,
    log_variances: Tensor,
) -> Tensor:
    """Divergence of each row's posterior from the mixture, as in Jiang et al. (2017).

    The posterior is ``q(z) q(c)`` with a diagonal Gaussian and an assignment.

    Parameters
    ----------
    mean, log_variance : Tensor of shape (n_samples, n_dims)
        Gaussian of each row.
    assignment : Tensor of shape (n_samples, n_clusters)
        Probabilities of the components for each row.
    log_weights : Tensor of shape (n_clusters,)
    means, log_variances : Tensor of shape (n_clusters, n_dims)
        Components with diagonal covariances.

    Returns
    -------
    Tensor of shape (n_samples,)
    """
    spread = log_variance.exp().unsqueeze(1) + (mean.unsqueeze(1) - means).square()
    squares = (spread * torch.exp(-log_variances) + log_variances).sum(2) / 2
    floor = torch.finfo(assignment.dtype).tiny
    log_ratio = assignment.clamp(min=floor).log() - log_weights
    entropy = (1 + log_variance).sum(1) / 2
    return (assignment * (squares + log_ratio)).sum(1) - entropy


def log_agreement(
    log_p: Tensor, log_q: Tensor, marginal: Tensor | None = None, beta: float = 1.0
) -> Tensor:
    """Logarithm of how likely two rows are of one cluster.

    It is ``log sum_c (p_c q_c)^beta / m_c``: without a marginal, what Van Gansbeke et
    al. (2020) take of neighbours, and with one, their pointwise mutual information, as
    in Adaloglou et al. (2023).

    Parameters
    ----------
    log_p, log_q : Tensor of shape (..., n_samples, n_clusters)
        Logarithms of the assignments of the rows and of their partners.
    marginal : Tensor of shape (..., n_clusters) or None, default=None
        Share of each cluster in all rows.
    beta : float, default=1.0
        Power of the product.

    Returns
    -------
    Tensor of shape (..., n_samples)
    """
    joint = beta * (log_p + log_q)
    if marginal is not None:
        floor = torch.finfo(joint.dtype).tiny
        joint = joint - marginal.clamp_min(floor).log().unsqueeze(-2)
    return torch.logsumexp(joint, -1)


def scan_loss(log_p: Tensor, log_q: Tensor, entropy_weight: float) -> Tensor:
    """Disagreement of neighbours less entropy, as in Van Gansbeke et al. (2020).

    Parameters
    ----------
    log_p, log_q : Tensor of shape (..., n_samples, n_clusters)
        Logarithms of the assignments of rows and of a neighbour of each.
    entropy_weight : float
        Weight of the entropy of the rows' mean assignment.

    Returns
    -------
    Tensor of shape (...)
    """
    mean = log_p.exp().mean(-2)
    floor = torch.finfo(mean.dtype).tiny
    entropy = -(mean * mean.clamp_min(floor).log()).sum(-1)
    return -log_agreement(log_p, log_q).mean(-1) - entropy_weight * entropy


def temi_loss(
    students: tuple[Tensor, Tensor],
    teachers: tuple[Tensor, Tensor],
    marginal: Tensor,
    beta: float,
) -> Tensor:
    """Weighted mutual information of neighbours, negated, of Adaloglou et al. (2023).

    A pair counts as much as all the teachers agree on it.

    Parameters
    ----------
    students, teachers : tuple of 2 Tensor of shape (n_heads, n_samples, n_clusters)
        Logarithms of the assignments of rows and of a neighbour of each.
    marginal : Tensor of shape (n_heads, n_clusters)
        Share of each cluster in all rows, by each teacher.
    beta : float
        Power of the product of two assignments: the lower, the more alike are the sizes
        of clusters.

    Returns
    -------
    Tensor of shape (n_heads,)
    """
    weights = log_agreement(*teachers).exp().mean(0)
    one = log_agreement(students[0], teachers[1], marginal, beta)
    other = log_agreement(students[1], teachers[0], marginal, beta)
    return -(weights * (one + other)).mean(-1) / 2


def side_centers(centers: Tensor, weights: Tensor, sides: Tensor) -> Tensor:
    """Weighted means of the leaves on either side of each inner node of a tree.

    Parameters
    ----------
    centers : Tensor of shape (n_leaves, n_dims)
    weights : Tensor of shape (n_leaves,)
    sides : Tensor of shape (n_inner, 2, n_leaves), bool
        The leaves of each side.

    Returns
    -------
    Tensor of shape (n_inner, 2, n_dims)
        Zero where a side has no leaf.
    """
    shares = sides * weights
    floor = torch.finfo(weights.dtype).tiny
    return shares / shares.sum(2, keepdim=True).clamp(min=floor) @ centers


def mean_center_distance(z: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """Mean squared distance of centres to the mean of their rows.

    It is the loss L_NC of Mautz et al. (2020). No gradient reaches the rows, and
    centres without rows don't count.

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
    labels : Tensor of shape (n_samples,)
    centers : Tensor of shape (n_clusters, n_dims)

    Returns
    -------
    Tensor of shape ()
    """
    one_hot = torch.nn.functional.one_hot(labels, len(centers)).to(z.dtype)
    counts = one_hot.sum(0)
    means = one_hot.T @ z.detach() / counts.clamp(min=1).unsqueeze(1)
    squares = (centers - means).square().sum(1)
    return squares[counts > 0].mean()


def side_distance(z: Tensor, labels: Tensor, means: Tensor, sides: Tensor) -> Tensor:
    """Mean distance of rows to the centre of their side, along the line to the other.

    It is the loss L_DC of Mautz et al. (2020): the mean over the sides of all inner
    nodes that have rows, of the mean over these. What is at right angles to the line
    between the two centres of a node is free.

    Parameters
    ----------
    z : Tensor of shape (n_samples, n_dims)
    labels : Tensor of shape (n_samples,)
        Leaf of each row.
    means : Tensor of shape (n_inner, 2, n_dims)
        What `side_centers` gives.
    sides : Tensor of shape (n_inner, 2, n_leaves), bool

    Returns
    -------
    Tensor of shape ()
        Zero for a tree of one leaf.
    """
    within = sides[:, :, labels].to(z.dtype)
    lines = torch.nn.functional.normalize(means[:, 0] - means[:, 1], dim=1)
    places = (means * lines.unsqueeze(1)).sum(2)
    distances = (places.unsqueeze(2) - (lines @ z.T).unsqueeze(1)).abs()
    counts = within.sum(2)
    own = (within * distances).sum(2) / counts.clamp(min=1)
    return own.sum() / (counts > 0).sum().clamp(min=1)
