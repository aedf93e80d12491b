"""Communities of a weighted graph, and two ways to merge them to clusters.

Communities of high resolution may be long or bent, where k-means would cut them; they
are merged until the wanted number remains. How alike the sizes of clusters should be,
nobody knows. So they are merged in two ways: *evenly*, by the modularity that is
gained, which likes them alike, and by their *ties*, the mean tie of two rows, which
doesn't mind. With J the joint distribution of the clusters a and b at the two ends of a
step of a random walk, and p that of one end, clusters are worth the more, the more one
end tells of the other for the entropy that they have:

    I = sum_ab J_ab log(J_ab / (p_a p_b))    what one end tells of the other
    H = -sum_a p_a log p_a                   entropy of one end
    I / H^0.2                                worth of the clusters
    1 - I / H                                leak: what a step forgets

Throughout, ``links`` are the summed weights between communities, and within; ``sizes``
their rows; ``labels`` the cluster of each; and ``joint`` is J.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sknetwork.clustering import Louvain

# Steps of the walk that tells which communities are close, which to move, and which are
# modules when clusters are counted. With 4 steps, accuracy is the same within .001 over
# the frozen sets; with 5 in counting, that of 37 sets with numbers found is .007 lower.
WALK = 2

# Power of the entropy in the worth of clusters, from information (0) to the share that
# is kept (1). With 0, accuracy is .002 lower, with .5 .001.
BALANCE = 0.2

# Moves of communities are slow for many clusters: there are none where so many pairs of
# the two would do. Without moves accuracy is .005 lower over the frozen sets.
MOST_MOVES = 20_000

TINY = np.finfo(float).tiny


def communities(
    weights: sp.csr_array, n_least: int, resolution: float, seed: int
) -> np.ndarray:
    """Communities of high modularity, ``n_least`` in number or more."""
    adjacency = sp.csr_matrix(weights)
    while True:
        louvain = Louvain(
            resolution=resolution,
            shuffle_nodes=True,
            return_probs=False,
            return_aggregate=False,
            random_state=seed,
        )
        labels = louvain.fit_predict(adjacency)
        if labels.max() + 1 >= n_least:
            return labels
        resolution *= 2


def between(weights: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """Sum weights between communities, and within."""
    shape = len(labels), labels.max() + 1
    member = sp.csr_array(
        (np.ones(len(labels), np.float32), labels, np.arange(len(labels) + 1)), shape
    )
    return (member.T @ weights @ member).toarray().astype(float)


def mean_tie(links: np.ndarray, sizes: np.ndarray, rows: Any) -> np.ndarray:
    """Measure closeness by the mean tie between rows of one and of the other."""
    return links[rows] / np.multiply.outer(sizes[rows], sizes)


def modularity_gain(links: np.ndarray, sizes: np.ndarray, rows: Any) -> np.ndarray:
    """Measure closeness by the modularity that merging gains."""
    degrees = links.sum(1)
    expected = np.multiply.outer(degrees[rows], degrees) / degrees.sum()
    return links[rows] - expected


def merging(
    links: np.ndarray,
    sizes: np.ndarray,
    linkage: Any,
    clusters: np.ndarray | None = None,
) -> Iterator[tuple[int, int, float]]:
    """Yield the closest pair of communities and its closeness, and then merge it.

    What a pair makes goes by the first of the two, the lower. With ``clusters``, those
    of one cluster are merged before any others. ``linkage`` gives the closeness of
    some to all, as `mean_tie` and `modularity_gain` do.
    """
    links, sizes = links.copy(), sizes.astype(float)
    alive = np.ones(len(links), dtype=bool)
    closeness = linkage(links, sizes, slice(None))
    np.fill_diagonal(closeness, -np.inf)
    same = None if clusters is None else clusters[:, None] == clusters
    for _ in range(len(links) - 1):
        open_ = closeness
        if same is not None and closeness[same].max() > -np.inf:
            open_ = np.where(same, closeness, -np.inf)
        pair = np.unravel_index(open_.argmax(), open_.shape)
        kept, gone = sorted(map(int, pair))
        yield kept, gone, float(closeness[kept, gone])
        links[kept] += links[gone]
        links[:, kept] += links[:, gone]
        links[gone] = links[:, gone] = 0
        sizes[kept] += sizes[gone]
        alive[gone] = False
        row = np.where(alive, linkage(links, sizes, kept), -np.inf)
        row[kept] = -np.inf
        closeness[kept] = closeness[:, kept] = row
        closeness[gone] = closeness[:, gone] = -np.inf


def agglomerate(
    links: np.ndarray, sizes: np.ndarray, n_clusters: int | None, linkage: Any
) -> np.ndarray:
    """Cluster of each community once ``n_clusters`` remain of merging the closest.

    None merges them as long as the closest have a closeness of more than zero.
    """
    labels = np.arange(len(links))
    for done, (kept, gone, closeness) in enumerate(merging(links, sizes, linkage)):
        if closeness <= 0 if n_clusters is None else len(links) - done <= n_clusters:
            break
        labels[labels == gone] = kept
    return np.unique(labels, return_inverse=True)[1]


def walk_ends(links: np.ndarray, steps: int) -> np.ndarray:
    """Joint distribution of the communities at the two ends of a random walk."""
    degrees = links.sum(1)
    walk = np.linalg.matrix_power(links / degrees[:, None], steps)
    joint = degrees[:, None] * walk / degrees.sum()
    return (joint + joint.T) / 2


def xlogx(p: np.ndarray) -> np.ndarray:
    """Return p log p, zero for p = 0."""
    return p * np.log(np.maximum(p, TINY))


def information(joint: np.ndarray) -> float:
    """Mutual information of a symmetric joint distribution."""
    return float(xlogx(joint).sum() - 2 * xlogx(joint.sum(1)).sum())


def entropy(joint: np.ndarray) -> float:
    """Entropy of one end of a symmetric joint distribution."""
    return -float(xlogx(joint.sum(1)).sum())


def merged(joint: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Joint distribution of clusters from that of their communities."""
    member = np.eye(labels.max() + 1)[labels]
    return member.T @ joint @ member


def value(told: Any, of: Any) -> Any:
    """Worth of clusters, from information and entropy; a single one tells nothing."""
    return told / np.maximum(of, TINY) ** BALANCE


def worth_of(joint: np.ndarray) -> float:
    """Worth of the clusters at the two ends of a step."""
    return float(value(information(joint), entropy(joint)))


def leak_of(joint: np.ndarray) -> float:
    """Share of the clusters' entropy that a step forgets; one alone has none."""
    whole = entropy(joint)
    return max(1 - information(joint) / whole, 0.0) if whole > 0 else 0.0


def leak(weights: sp.csr_array, labels: np.ndarray) -> float:
    """Share of the entropy of clusters that a step on a graph forgets."""
    return leak_of(walk_ends(between(weights, labels), 1))


def worthwhile_moves(joint: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Move communities between clusters while these are worth more after it.

    No cluster is left empty.
    """
    labels = labels.copy()
    ends = merged(joint, labels)
    i, unmoved = -1, 0
    # Until all have been looked at since the last one moved.
    while unmoved < len(labels):
        i, unmoved = (i + 1) % len(labels), unmoved + 1
        home = labels[i]
        ties = np.bincount(labels, joint[i], minlength=len(ends))
        own = joint[i, i]
        ties[home] -= own
        # Nothing is gained by joining a cluster that no walk leads to.
        near = np.union1d(np.flatnonzero(ties > 0), [home])
        if len(near) == 1 or (labels == home).sum() == 1:
            continue
        rest = ends.copy()
        rest[home] -= ties
        rest[:, home] -= ties
        rest[home, home] -= own
        worths = _worths_of_joining(rest, ties, own, near)
        best = near[worths.argmax()]
        if worths.max() > worths[near == home][0] + 1e-12:
            rest[best] += ties
            rest[:, best] += ties
            rest[best, best] += own
            ends, labels[i], unmoved = rest, best, 0
    return labels


def _worths_of_joining(
    rest: np.ndarray, ties: np.ndarray, own: float, near: np.ndarray
) -> np.ndarray:
    """Worth of all clusters after a community joins one of those that are near.

    The community has the probability ``ties`` of a walk to each cluster of ``rest``,
    and ``own`` to itself.
    """
    p = rest.sum(1) + ties
    grown = p[near] + ties.sum() + own
    whole = -(xlogx(p).sum() - xlogx(p[near]) + xlogx(grown))
    among, ties = rest[np.ix_(near, near)], ties[near]
    within = among.diagonal()
    change = xlogx(among + ties) - xlogx(among)
    joined = 2 * (change.sum(1) - change.diagonal())
    joined += xlogx(within + 2 * ties + own) - xlogx(within)
    return value(xlogx(rest).sum() + joined + 2 * whole, whole)


def merge_evenly(links: np.ndarray, sizes: np.ndarray, n_clusters: int) -> np.ndarray:
    """Merge communities by the modularity gained, and move those that fit elsewhere."""
    labels = agglomerate(links, sizes, n_clusters, modularity_gain)
    if len(links) * n_clusters > MOST_MOVES:
        return labels
    return worthwhile_moves(walk_ends(links, WALK), labels)


def merge_by_ties(shared: np.ndarray, sizes: np.ndarray, n_clusters: int) -> np.ndarray:
    """Merge communities by the mean tie of two rows, in the weights of `shared`."""
    return agglomerate(walk_ends(shared, WALK), sizes, n_clusters, mean_tie)
