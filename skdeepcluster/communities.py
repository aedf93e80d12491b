"""Communities of a weighted graph, merged to a few clusters.

Communities of high resolution may be long or bent, where k-means would cut them; they
are merged until the wanted number remains. How alike their sizes should be, nobody
knows. So they are merged in two ways, by the modularity that is gained, which likes
them alike, and by the mean tie of two rows, which doesn't mind; and that is kept whose
clusters are worth most to one who follows a random walk. With J the joint distribution
of the clusters a and b at the two ends of a step, and p that of one end,

    I = sum_ab J_ab log(J_ab / (p_a p_b))    what one end tells of the other
    H = -sum_a p_a log p_a                   entropy of one end
    I / H^0.2                                worth of the clusters

Information alone wants clusters of one size; the share I / H of the entropy that a step
keeps wants nothing but cuts through which nearly nothing leaks. It decides alone where
the rest, 1 - I / H, differs by much.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sknetwork.clustering import Louvain

# Steps of the random walk: enough to leave a community, too few to forget a cluster.
WALK = 4

# Share of the clusters' entropy that a walk keeps, from which on sizes don't count.
CLEAN = 0.99

# Power of the entropy in the worth of clusters, between information and share kept; and
# a smaller one for moves between clusters, whose walks are longer: they forget more of
# small clusters.
BALANCE, BALANCE_OF_MOVES = 0.2, 0.15

# Steps of a walk whose ties tell which communities are close.
CLOSE_WALK = 2

# A cluster that is smaller than such a share of the mean one joins another where the
# number is given, and is an island where it is counted.
LEAST_SHARE = 1 / 8

# Sweeps of moves; they end by themselves after a few, and are slow for many
# clusters: there are none where so many pairs of a community and a cluster would do.
MOST_SWEEPS = 20
MOST_MOVES = 20_000


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


def average_linkage(links: np.ndarray, sizes: np.ndarray, rows: Any) -> np.ndarray:
    """Measure closeness by the mean tie between rows of one and of the other."""
    return links[rows] / np.multiply.outer(sizes[rows], sizes)


def modularity_linkage(links: np.ndarray, sizes: np.ndarray, rows: Any) -> np.ndarray:
    """Measure closeness by the modularity that merging gains."""
    degrees = links.sum(1)
    expected = np.multiply.outer(degrees[rows], degrees) / degrees.sum()
    return links[rows] - expected


def merging(
    links: np.ndarray, sizes: np.ndarray, linkage: Any, choose: Any
) -> Iterator[tuple[int, int, float]]:
    """Merge pairs of communities, one after another.

    Parameters
    ----------
    links : ndarray of shape (n_communities, n_communities)
        Summed weights between communities, and within.
    sizes : ndarray of shape (n_communities,)
    linkage : callable
        Closeness to all others of some, from links, sizes and their index.
    choose : callable
        Gives the pair to merge from the closeness of all pairs, minus infinity where
        there is none, and from the sizes of those that are left, zero for others; or
        None to end.

    Yields
    ------
    kept, gone, closeness
        The pair; what it makes goes by the first, the lower.
    """
    links, sizes = links.copy(), sizes.astype(float)
    alive = np.ones(len(links), dtype=bool)
    closeness = linkage(links, sizes, slice(None))
    np.fill_diagonal(closeness, -np.inf)
    while (pair := choose(closeness, np.where(alive, sizes, 0))) is not None:
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


def closest(closeness: np.ndarray) -> Any:
    """Pair of the greatest closeness."""
    return np.unravel_index(closeness.argmax(), closeness.shape)


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
        Closeness, as `merging` wants it.
    least : float, default=0.0
        Clusters of a smaller size don't count towards the wanted number: once no others
        are too many, the smallest joins the one that is closest to it.

    Returns
    -------
    ndarray of shape (n_communities,)
        Cluster of each community.
    """

    def choose(closeness: np.ndarray, sizes: np.ndarray) -> Any:
        if (sizes > 0).sum() <= (n_clusters or 1):
            return None
        if n_clusters is not None and (sizes >= max(least, 1e-9)).sum() <= n_clusters:
            smallest = np.where(sizes > 0, sizes, np.inf).argmin()
            return smallest, closeness[smallest].argmax()
        pair = closest(closeness)
        return None if n_clusters is None and closeness[pair] <= 0 else pair

    labels = np.arange(len(links))
    for kept, gone, _ in merging(links, sizes, linkage, choose):
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
    return p * np.log(np.maximum(p, np.finfo(float).tiny))


def information(joint: np.ndarray) -> float:
    """Mutual information of a symmetric joint distribution."""
    return float(xlogx(joint).sum() - 2 * xlogx(joint.sum(1)).sum())


def merged(joint: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Joint distribution of clusters from that of their communities."""
    member = np.eye(labels.max() + 1)[labels]
    return member.T @ joint @ member


def value(told: Any, entropy: Any, balance: float) -> Any:
    """Worth of clusters, from information and entropy; a single one tells nothing."""
    return told / np.maximum(entropy, np.finfo(float).tiny) ** balance


def worth_of(joint: np.ndarray) -> float:
    """Worth of the clusters at the two ends of a walk."""
    return float(value(information(joint), -xlogx(joint.sum(1)).sum(), BALANCE))


def share_kept(joint: np.ndarray) -> float:
    """Share of the clusters' entropy that a walk keeps; one alone has none to lose."""
    entropy = float(-xlogx(joint.sum(1)).sum())
    return information(joint) / entropy if entropy > 0 else 1.0


def is_clean(joint: np.ndarray) -> bool:
    """Tell whether a walk hardly ever leaves its cluster."""
    return share_kept(joint) >= CLEAN


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
    told = xlogx(rest).sum() + joined + 2 * entropy
    return value(told, entropy, BALANCE_OF_MOVES)


def ways_to_merge(
    links: np.ndarray, shared: np.ndarray, sizes: np.ndarray, n_clusters: int
) -> list[np.ndarray]:
    """Clusters of communities, merged in several ways.

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
    list of ndarray of shape (n_communities,)
        Cluster of each community.
    """
    ends, close = walk_ends(links, WALK), walk_ends(shared, CLOSE_WALK)
    least = LEAST_SHARE * sizes.sum() / n_clusters
    modular = agglomerate(links, sizes, n_clusters, modularity_linkage)
    if len(links) * n_clusters <= MOST_MOVES:
        modular = worthwhile_moves(ends, modular)
    return [
        modular,
        agglomerate(close, sizes, n_clusters, average_linkage, least),
        # Small clusters are right where they are clean.
        agglomerate(close, sizes, n_clusters, average_linkage),
    ]


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
    shape = len(labels), labels.max() + 1
    member = sp.csr_array(
        (np.ones(len(labels), np.float32), labels, np.arange(len(labels) + 1)), shape
    )
    return (member.T @ weights @ member).toarray().astype(float)


def rand_indices(labelings: list[np.ndarray], mass: np.ndarray) -> np.ndarray:
    """Compute the adjusted Rand index of each pair of labelings (Hubert, Arabie 1985).

    From one product of matrices: one by one, they take longer than the search.

    Parameters
    ----------
    labelings : list of ndarray of shape (n_nodes,)
        Labels from zero on.
    mass : ndarray of shape (n_nodes,)
        Rows of each node.

    Returns
    -------
    ndarray of shape (n_labelings, n_labelings)
    """
    sizes = [labels.max() + 1 for labels in labelings]
    firsts = np.cumsum([0, *sizes])
    columns = np.column_stack(labelings) + firsts[:-1]
    member = sp.csr_array(
        (
            np.ones(columns.size),
            columns.ravel(),
            np.arange(0, columns.size + 1, len(sizes)),
        ),
        (len(columns), firsts[-1]),
    )
    tables = member.T @ sp.diags_array(mass.astype(float)) @ member
    owner = sp.csr_array(np.repeat(np.eye(len(sizes)), sizes, axis=0))
    total = mass.sum()
    together = ((owner.T @ tables.power(2) @ owner).toarray() - total) / 2
    alone = together.diagonal()
    expected = np.outer(alone, alone) / max(total * (total - 1) / 2, 1)
    most = (alone[:, None] + alone) / 2
    told = most > expected
    return np.where(told, together - expected, 1) / np.where(told, most - expected, 1)


@dataclass(eq=False)
class Start:
    """What one search for communities leads to.

    Parameters
    ----------
    parts : ndarray of shape (n_nodes,)
        Community of each node.
    labels : ndarray of shape (n_nodes,)
        Cluster of each node; none is empty.
    worth : tuple
        Larger for clusters that are to be preferred.
    leak : float
        Share of the clusters' entropy that a step loses.
    tightest : Start or None, default=None
        The same communities, merged to the clusters that leak least, if these are
        others.
    """

    parts: np.ndarray
    labels: np.ndarray
    worth: tuple[bool, float]
    leak: float
    tightest: "Start | None" = None


def start(
    weights: sp.csr_array,
    shared: sp.csr_array,
    judge: sp.csr_array,
    mass: np.ndarray,
    n_clusters: int,
    resolution: float,
    seed: int,
) -> Start:
    """Find communities and merge them to the clusters that are worth most.

    Parameters
    ----------
    weights : csr_array of shape (n_nodes, n_nodes)
        Symmetric; each node has an edge.
    shared : csr_array of shape (n_nodes, n_nodes)
        Other weights of the same edges, small across a valley.
    judge : csr_array of shape (n_nodes, n_nodes)
        Graph in which the clusters must be worth much.
    mass : ndarray of shape (n_nodes,)
        Rows of each node.
    n_clusters : int
    resolution : float
        Resolution of the communities.
    seed : int
    """
    parts = communities(weights, n_clusters, resolution, seed)
    sizes = np.bincount(parts, mass)
    links, ties = between(weights, parts), between(shared, parts)
    ends = walk_ends(links, WALK)
    step = walk_ends(between(judge, parts), 1)

    def merged_so(labels: np.ndarray) -> Start:
        ahead = merged(step, labels)
        worth = is_clean(merged(ends, labels)), worth_of(ahead)
        return Start(parts, labels[parts], worth, 1 - share_kept(ahead))

    ways = [
        merged_so(labels) for labels in ways_to_merge(links, ties, sizes, n_clusters)
    ]
    best = max(ways, key=lambda way: way.worth)
    tightest = min(ways, key=lambda way: way.leak)
    best.tightest = None if tightest is best else tightest
    return best
