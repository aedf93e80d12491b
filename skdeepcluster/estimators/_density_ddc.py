"""Deep density-based clustering of Ren et al. (2020): finds the number of clusters.

Density peaks in a two-dimensional t-SNE of the latent rows of an autoencoder:

    d_c     = ratio * mean distance
    rho_i   = sum_j exp(-(d_ij / d_c)^2)             density
    delta_i = distance to the nearest denser point

A point with rho above the mean and delta > d_c is the centre of a local cluster; others
follow their nearest denser point. The core of a local cluster are its points with rho
above its mean, and clusters whose cores come closer than d_c are one. See
https://doi.org/10.1016/j.knosys.2020.105841.
"""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.manifold import TSNE

from skdeepcluster._docs import documented
from skdeepcluster._rows import sample_rows
from skdeepcluster._seeds import FitSeeds, spawn_seeds
from skdeepcluster._sklearn import Interval
from skdeepcluster.estimators._base import BaseDecodingEstimator, Learned, encode
from skdeepcluster.estimators._clusterer import BaseDeepClusterer
from skdeepcluster.estimators._embedded import (
    nearest,
    one_thread,
    principal_start,
    unit_scale,
)
from skdeepcluster.estimators._training import Training

# Fewer rows have no densities, and t-SNE places them at random.
LEAST_ROWS = 10

# Points whose distances to all others are held at once.
BLOCK = 512


def distance_blocks(points: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of the matrix of distances, with the rows that they are for."""
    for start in range(0, len(points), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, cdist(points[rows], points)


def mean_distance(points: np.ndarray) -> float:
    """Mean distance between two points, zero for one."""
    total = sum(float(block.sum()) for _, block in distance_blocks(points))
    return total / max(len(points) * (len(points) - 1), 1)


def densities(points: np.ndarray, d_c: float) -> np.ndarray:
    """Density rho of each point."""
    blocks = (np.exp(-np.square(d / d_c)).sum(1) for _, d in distance_blocks(points))
    return np.concatenate(list(blocks))


def denser_neighbors(
    points: np.ndarray, rho: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest denser point of each point, and the distance delta to it.

    Of two points as dense, the first counts as denser. The densest point of all is its
    own, at an infinite distance.
    """
    rank = np.empty(len(rho), dtype=np.intp)
    rank[np.argsort(-rho, kind="stable")] = np.arange(len(rho))
    parents, delta = np.arange(len(rho)), np.full(len(rho), np.inf)
    for rows, block in distance_blocks(points):
        block[rank >= rank[rows, None]] = np.inf
        closest = block.argmin(1)
        delta[rows] = block[np.arange(len(block)), closest]
        parents[rows] = np.where(np.isinf(delta[rows]), parents[rows], closest)
    return parents, delta


def local_clusters(
    rho: np.ndarray, parents: np.ndarray, delta: np.ndarray, d_c: float
) -> np.ndarray:
    """Local cluster of each point: a centre starts one, others follow their parent."""
    center = (rho > rho.mean()) & (delta > d_c) | np.isinf(delta)
    labels = np.empty(len(rho), dtype=np.intp)
    labels[center] = np.arange(center.sum())
    for point in np.argsort(-rho, kind="stable"):
        if not center[point]:
            labels[point] = labels[parents[point]]
    return labels


def merge_close(
    points: np.ndarray, rho: np.ndarray, labels: np.ndarray, d_c: float
) -> np.ndarray:
    """Merge local clusters whose core points come closer than ``d_c``."""
    means = np.bincount(labels, rho) / np.bincount(labels)
    core = rho > means[labels]
    points, of_core = points[core], labels[core]
    linked = np.eye(len(means), dtype=bool)
    for rows, block in distance_blocks(points):
        left, right = np.nonzero(block < d_c)
        linked[of_core[rows][left], of_core[right]] = True
    return connected_components(linked)[1][labels]


def density_clusters(points: np.ndarray, ratio: float) -> np.ndarray:
    """Clusters of points by density peaks, as many as there are.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims)
    ratio : float
        The distance ``d_c`` as a share of the mean distance.

    Returns
    -------
    ndarray of shape (n_points,), int32
        Labels from 0 on, none of them empty.
    """
    d_c = max(ratio * mean_distance(points), np.finfo(float).tiny)
    if len(points) < LEAST_ROWS:
        touching = cdist(points, points) < d_c
        return connected_components(touching)[1].astype(np.int32)
    rho = densities(points, d_c)
    parents, delta = denser_neighbors(points, rho)
    labels = local_clusters(rho, parents, delta, d_c)
    return merge_close(points, rho, labels, d_c).astype(np.int32)


def tsne_embedding(Z: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Embed distinct rows in the plane by t-SNE.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
    perplexity : float
        Lowered to a third of the other rows.
    seed : int

    Returns
    -------
    ndarray of shape (n_samples, 2), float32
    """
    Z = unit_scale(Z)
    start = principal_start(Z, 2, seed)
    if len(Z) < LEAST_ROWS:
        return start.astype(np.float32)
    tsne = TSNE(
        perplexity=min(perplexity, (len(Z) - 1) / 3),
        init=(start * (1e-4 / start[:, 0].std())).astype(np.float32),
        random_state=seed,
    )
    with one_thread():
        return tsne.fit_transform(Z.astype(np.float32))


@documented
class DensityDDCClustering(BaseDeepClusterer, BaseDecodingEstimator):
    """Deep density-based clustering, which finds the number of clusters.

    An autoencoder is trained, or given; t-SNE embeds its latent rows in the plane; and
    the clusters are density peaks there, merged where they touch [1]_. The paper is on
    images, for which take ``encoder=Autoencoder(network="conv")``.

    Fewer than ten distinct rows have no densities. Each of them is a cluster of its own
    then, but rows share one that are nearer to each other in the latent space than
    ``distance_ratio`` times the mean distance.

    Time and memory of the embedding are those of ``max_embedded`` rows. A fitted model
    keeps their latent rows, each once, and any row belongs to the cluster of the
    nearest of them: 44 bytes a row with 10 latent dimensions, and the embedding.

    Parameters
    ----------
    {encoder}
    max_embedded : int or None, default=5000
        Rows to embed, drawn at random where there are more. None embeds all.
    perplexity : float, default=30.0
        Perplexity of t-SNE.
    distance_ratio : float, default=0.1
        The distance within which points are dense and clusters touch, as a share of
        the mean distance in the plane. Larger finds fewer clusters.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    embedded_rows_ : ndarray of shape (n_embedded, latent_dim)
        The distinct latent rows that were embedded.
    embedding_ : ndarray of shape (n_embedded, 2)
        Their places in the plane.
    embedding_labels_ : ndarray of shape (n_embedded,)
        Their clusters.
    {module_}
    {pretraining_history_}
    {features}

    See Also
    --------
    N2DClustering : A mixture of a given number of clusters, in UMAP's embedding.
    DDCClustering : The divergence-based method that shares the abbreviation.

    References
    ----------
    .. [1] Ren, Y., Wang, N., Li, M. and Xu, Z. (2020). Deep density-based image
       clustering. Knowledge-Based Systems 197.
       https://doi.org/10.1016/j.knosys.2020.105841

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, DensityDDCClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=20)
    >>> ddc = DensityDDCClustering(
    ...     encoder=encoder, max_embedded=500, random_state=0
    ... ).fit(X)
    >>> 5 <= ddc.n_clusters_ <= 20
    True
    """

    _parameter_constraints: dict = {
        **BaseDeepClusterer._parameter_constraints,
        "max_embedded": [Interval(Integral, 1, None, closed="left"), None],
        "perplexity": [Interval(Real, 0, None, closed="neither")],
        "distance_ratio": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        encoder: Any = None,
        max_embedded: int | None = 5000,
        perplexity: float = 30.0,
        distance_ratio: float = 0.1,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.encoder = encoder
        self.max_embedded = max_embedded
        self.perplexity = perplexity
        self.distance_ratio = distance_ratio
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _n_wanted(self) -> None:
        return None

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: FitSeeds
    ) -> Learned:
        sample_seed, embedding_seed = spawn_seeds(seeds.start, 2)
        Z = encode(learned.module, X)
        sample = sample_rows(len(Z), self.max_embedded, sample_seed)
        rows = np.unique(Z[sample], axis=0)
        points = tsne_embedding(rows, self.perplexity, embedding_seed)
        told_by = rows if len(rows) < LEAST_ROWS else points
        labels = density_clusters(told_by, self.distance_ratio)
        return learned.adding(
            embedded_rows_=rows,
            embedding_=points,
            embedding_labels_=labels,
            n_clusters_=int(labels.max()) + 1,
        )

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return self.embedding_labels_[nearest(Z, self.embedded_rows_)]
