"""Communities of a weighted graph, merged to a few clusters that keep a random walk.

Communities of high resolution follow shapes that k-means cuts; they are merged until
the wanted number remains. How alike their sizes should be, nobody knows. So they are
merged in two ways, by the modularity that is gained, which likes them alike, and by the
mean tie of two rows, which doesn't mind; and that is kept whose clusters are worth most
to one who follows a random walk. With J the joint distribution of the clusters a and b
at the two ends of a walk of a few steps, and p that of one end,

    I = sum_ab J_ab log(J_ab / (p_a p_b))    what one end tells of the other
    H = -sum_a p_a log p_a                   entropy of one end
    I / H^0.15                               worth of the clusters

Information alone wants clusters of one size; the share I / H of the entropy that a walk
keeps wants nothing but cuts through which nearly nothing leaks.
"""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sknetwork.clustering import Louvain

# Steps of the random walk: enough to leave a community, too few to forget a cluster.
WALK = 4

# A longer walk sees fewer clusters; this one is for counting them.
COUNTING_WALK = 5

# Clusters are apart where the cut between them is a fifth of what another cut through
# either of them would be; where all cuts are alike, there is one cluster.
APART, ALIKE = 0.2, 1.0

# Share of the clusters' entropy that a walk keeps, from which on sizes don't count.
CLEAN = 0.99

# Power of the entropy in the worth of clusters, between information and share kept.
BALANCE = 0.15

# Steps of a walk whose ties tell which communities are close.
CLOSE_WALK = 2

# A cluster that is smaller than such a share of the mean one joins another where the
# number is given, and is an island where it is counted.
LEAST_SHARE = 1 / 8

# Sweeps of moves; they end by themselves after a few, and are slow for many clusters.
MOST_SWEEPS = 20


def communities(
    weights: sp.csr_array, n_least: int, resolution: float, seed: int
) -> np.ndarray:
    """Communities of high modularity, ``n_least`` in number or more."""
    adjacency = sp.csr_matrix(weights)
    while True:
        louvain = Louvain(resolution=resolution, shuffle_nodes=True, random_state=seed)
        labels = louvain.fit_predict(adjacency)
        if labels.max() + 1 >= n_least:
            return labels
        resolution *= 2


def average_linkage(links: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Measure closeness by the mean tie between rows of one and of the other."""
    return links / np.outer(sizes, sizes)


def modularity_linkage(links: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Measure closeness by the modularity that merging gains."""
    degrees = links.sum(1)
    return links - np.outer(degrees, degrees) / degrees.sum()


def agglomerate(
    links: np.ndarray,
    sizes: np.ndarray,
    n_clusters: int | None,
    linkage: Any,
    least: float = 0.0,
) -> np.ndarray:
    """Merge the closest pair again and again, until ``n_clusters`` remain.

    Parameters
    ----------
    links : ndarray of shape (n_communities, n_communities)
        Summed weights between communities, and within.
    sizes : ndarray of shape (n_communities,)
    n_clusters : int or None
        None stops where the closest pair has a closeness of zero or less.
    linkage : callable
        Closeness of all pairs from links and sizes.
    least : float, default=0.0
        Clusters of a smaller size don't count towards the wanted number: once no others
        are too many, the smallest joins the one that is closest to it.

    Returns
    -------
    ndarray of shape (n_communities,)
        Cluster of each community.
    """
    links, sizes = links.copy(), sizes.astype(float)
    labels = np.arange(len(links))
    while len(links) > (n_clusters or 1):
        closeness = linkage(links, sizes)
        np.fill_diagonal(closeness, -np.inf)
        if n_clusters is not None and (sizes >= least).sum() <= n_clusters:
            smallest = sizes.argmin()
            pair = smallest, closeness[smallest].argmax()
        else:
            pair = np.unravel_index(closeness.argmax(), closeness.shape)
        if n_clusters is None and closeness[pair] <= 0:
            break
        kept, gone = sorted(pair)
        links[kept] += links[gone]
        links[:, kept] += links[:, gone]
        sizes[kept] += sizes[gone]
        links = np.delete(np.delete(links, gone, 0), gone, 1)
        sizes = np.delete(sizes, gone)
        labels[labels == gone] = kept
        labels[labels > gone] -= 1
    return labels


def walk_ends(links: np.ndarray, steps: int) -> np.ndarray:
    """Joint distribution of the communities at the two ends of a random walk."""
    degrees = links.sum(1)
    walk = np.linalg.matrix_power(links / degrees[:, None], steps)
    joint = degrees[:, None] * walk / degrees.sum()
    return (joint + joint.T) / 2


def xlogx(p: np.ndarray) -> np.ndarray:
    """Return p log p, zero for p = 0."""
    return p * np.log(np.maximum(p, np.finfo(float).tiny))


def information(joint: np.ndarray) -> float:
    """Mutual information of a symmetric joint distribution."""
    return float(xlogx(joint).sum() - 2 * xlogx(joint.sum(1)).sum())


def merged(joint: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Joint distribution of clusters from that of their communities."""
    member = np.eye(labels.max() + 1)[labels]
    return member.T @ joint @ member


def value(told: Any, entropy: Any) -> Any:
    """Worth of clusters, from information and entropy; a single one tells nothing."""
    return told / np.maximum(entropy, np.finfo(float).tiny) ** BALANCE


def worth(joint: np.ndarray) -> tuple[bool, float]:
    """Order of preference among clusterings: clean ones first, then others."""
    told, entropy = information(joint), float(-xlogx(joint.sum(1)).sum())
    return told >= CLEAN * entropy, float(value(told, entropy))


def worthwhile_moves(joint: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Move communities between clusters while these are worth more after it.

    Parameters
    ----------
    joint : ndarray of shape (n_communities, n_communities)
    labels : ndarray of shape (n_communities,)
        Cluster of each; none is left empty.

    Returns
    -------
    ndarray of shape (n_communities,)
    """
    labels = labels.copy()
    ends = merged(joint, labels)
    for _ in range(MOST_SWEEPS):
        moved = False
        for i, home in enumerate(labels):
            if (labels == home).sum() == 1:
                continue
            own = joint[i, i]
            ties = np.bincount(labels, joint[i], minlength=len(ends))
            ties[home] -= own
            rest = ends.copy()
            rest[home] -= ties
            rest[:, home] -= ties
            rest[home, home] -= own
            # Nothing is gained by joining a cluster that no walk leads to.
            near = np.union1d(np.flatnonzero(ties > 0), [home])
            worths = _worths_of_joining(rest, ties, own, near)
            best = near[worths.argmax()]
            if worths.max() > worths[near == home][0] + 1e-12:
                rest[best] += ties
                rest[:, best] += ties
                rest[best, best] += own
                ends = rest
                labels[i] = best
                moved = True
        if not moved:
            break
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
    entropy = -(xlogx(p).sum() - xlogx(p[near]) + xlogx(grown))
    among, ties = rest[np.ix_(near, near)], ties[near]
    within = among.diagonal()
    change = xlogx(among + ties) - xlogx(among)
    joined = 2 * (change.sum(1) - change.diagonal())
    joined += xlogx(within + 2 * ties + own) - xlogx(within)
    return value(xlogx(rest).sum() + joined + 2 * entropy, entropy)


def cut(links: np.ndarray, part: np.ndarray, other: np.ndarray) -> float:
    """Share of the links of the smaller part that lead to the other."""
    between = links[np.ix_(part, other)].sum()
    volumes = [links[np.ix_(each, each)].sum() + between for each in (part, other)]
    return float(between / max(min(volumes), np.finfo(float).tiny))


def smallest_cut(links: np.ndarray, part: np.ndarray) -> float:
    """Smallest cut through a part, along the slowest motion of a walk in it."""
    inner = links[np.ix_(part, part)]
    norm = 1 / np.sqrt(np.maximum(inner.sum(1), np.finfo(float).tiny))
    order = part[
        np.argsort(np.linalg.eigh(norm[:, None] * inner * norm)[1][:, -2] * norm)
    ]
    return min(cut(links, order[:i], order[i:]) for i in range(1, len(part)))


def count_clusters(links: np.ndarray, sizes: np.ndarray) -> int:
    """Count clusters of communities.

    Communities merge while that gains modularity of walks. That cuts long and large
    clusters too; so merging goes on, each time across the cut that is least a valley:
    the largest beside the smallest cuts through its two sides. Where all the remaining
    ones are `APART`, those count. Where they never are, or are a single one and small
    islands, the clusters of before count; unless even the deepest valley was `ALIKE`.

    Parameters
    ----------
    links : ndarray of shape (n_communities, n_communities)
        Summed weights between communities, and within.
    sizes : ndarray of shape (n_communities,)
        Rows of each.
    """
    walks = walk_ends(links, COUNTING_WALK)
    labels = agglomerate(walks, sizes, None, modularity_linkage)
    count = int(labels.max()) + 1
    depth = 0.0 if count == 1 else np.inf
    parts = [np.flatnonzero(labels == label) for label in range(count)]
    inner = np.array([smallest_cut(links, p) if len(p) > 1 else 1.0 for p in parts])
    tiny = np.finfo(float).tiny
    while labels.max() > 0:
        ends = merged(links, labels)
        own = ends.diagonal()
        cuts = ends / np.maximum(np.minimum.outer(own, own) + ends, tiny)
        ratios = np.tril(cuts / np.maximum(np.minimum.outer(inner, inner), tiny), -1)
        widest = ratios.max()
        if widest < APART:
            rows = np.bincount(labels, sizes)
            if (rows >= LEAST_SHARE * rows.mean()).sum() > 1:
                return len(inner)
            break
        depth = min(depth, widest)
        gone, kept_one = np.unravel_index(ratios.argmax(), ratios.shape)
        labels[labels == gone] = kept_one
        labels[labels > gone] -= 1
        inner = np.delete(inner, gone)
        inner[kept_one] = smallest_cut(links, np.flatnonzero(labels == kept_one))
    return len(inner) if depth >= ALIKE else count


def merge_communities(
    links: np.ndarray, shared: np.ndarray, sizes: np.ndarray, n_clusters: int
) -> tuple[tuple[bool, float], np.ndarray]:
    """Merge communities to clusters that are worth most.

    Parameters
    ----------
    links : ndarray of shape (n_communities, n_communities)
        Summed weights between communities, and within.
    shared : ndarray of shape (n_communities, n_communities)
        The same of weights that are small across a valley.
    sizes : ndarray of shape (n_communities,)
        Rows of each.
    n_clusters : int

    Returns
    -------
    worth : tuple
    labels : ndarray of shape (n_communities,)
        Cluster of each community.
    """
    ends, close = walk_ends(links, WALK), walk_ends(shared, CLOSE_WALK)
    least = LEAST_SHARE * sizes.sum() / n_clusters
    modular = agglomerate(links, sizes, n_clusters, modularity_linkage)
    candidates = [
        worthwhile_moves(ends, modular),
        agglomerate(close, sizes, n_clusters, average_linkage, least),
        # Small clusters are right where they are clean.
        agglomerate(close, sizes, n_clusters, average_linkage),
    ]
    worths = [worth(merged(ends, labels)) for labels in candidates]
    best = max(range(len(worths)), key=worths.__getitem__)
    return worths[best], candidates[best]


def walk(weights: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """Probability of each cluster at the end of a short walk from each row."""
    steps = sp.diags_array(1 / weights.sum(1)) @ weights
    ends = np.eye(labels.max() + 1, dtype=np.float32)[labels]
    for _ in range(WALK):
        ends = steps @ ends
    return ends


def smooth(weights: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """Give each row the cluster where a short walk from it most likely ends.

    No cluster is lost: the rows of one that would be stay in it.
    """
    smoothed = walk(weights, labels).argmax(1)
    while len(lost := np.setdiff1d(labels, smoothed)):
        smoothed = np.where(np.isin(labels, lost), labels, smoothed)
    return smoothed


def between(weights: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """Sum weights between communities, and within."""
    member = sp.csr_array(np.eye(labels.max() + 1, dtype=np.float32)[labels])
    return (member.T @ weights @ member).toarray().astype(float)


def found_number(weights: sp.csr_array, resolution: float, seeds: Sequence[int]) -> int:
    """Count the clusters of a weighted graph: the lower median of several starts."""
    counts = []
    for seed in seeds:
        labels = communities(weights, 1, resolution, seed)
        counts.append(count_clusters(between(weights, labels), np.bincount(labels)))
    return statistics.median_low(counts)


def graph_clusters(
    weights: sp.csr_array,
    shared: sp.csr_array,
    n_clusters: int,
    resolution: float,
    seeds: Sequence[int],
) -> np.ndarray:
    """Clusters of a weighted graph, the best of several starts.

    Parameters
    ----------
    weights : csr_array of shape (n_nodes, n_nodes)
        Symmetric; each node has an edge.
    shared : csr_array of shape (n_nodes, n_nodes)
        Other weights of the same edges, small across a valley.
    n_clusters : int
    resolution : float
        Resolution of the communities.
    seeds : sequence of int
        One a start.

    Returns
    -------
    ndarray of shape (n_nodes,)
        Labels from 0 on, none of them empty.
    """
    candidates = []
    for seed in seeds:
        parts = communities(weights, n_clusters, resolution, seed)
        links, ties = between(weights, parts), between(shared, parts)
        value, labels = merge_communities(links, ties, np.bincount(parts), n_clusters)
        candidates.append((value, labels[parts]))
    _, best = max(candidates, key=lambda candidate: candidate[0])
    return smooth(weights, best)
