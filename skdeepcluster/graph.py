"""Clusters of a nearest-neighbour graph: many small communities, merged to a few.

Rows are nodes, tied to their nearest neighbours with weights that tell what is near for
each row. Communities of high resolution follow the shapes that k-means cuts; then
they are merged until the wanted number remains. Of several ways to merge, the one is
kept whose clusters say most about a random walk: the mutual information

    I = sum_ab J_ab log(J_ab / (p_a p_b))

of the clusters a and b at the two ends of a walk of a few steps, J being their joint
distribution. It grows with clean cuts and with balanced sizes, and weighs one against
the other without a parameter of its own. Where nearly nothing leaks through the cuts,
sizes don't count.
"""

import functools
import operator
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context, clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import validate_data
from sknetwork.clustering import Louvain

from skdeepcluster._extras import import_extra

# Distances in more dimensions cost time and tell neighbours no better.
MAX_DIMS = 50

# Exact search takes seconds up to here and grows with the square of the rows.
EXACT_ROWS = 100_000

# Steps of the random walk: enough to leave a community, too few to forget a cluster.
WALK = 4

# A longer walk sees fewer clusters; this one is for counting them.
COUNTING_WALK = 5

# Clusters are apart where the cut between them is a fifth of what another cut through
# either of them would be; where all cuts are alike, there is one cluster.
APART, ALIKE = 0.2, 1.0

# Share of the clusters' entropy that a walk keeps, from which on sizes don't count.
CLEAN = 0.95

# Sweeps of moves; they end by themselves after a few, and are slow for many clusters.
MOST_SWEEPS = 20

EDGES_AT_ONCE = 500_000

# Unit of a row's distances: at least this share of their mean, where many neighbours
# are as near as the nearest; and steps to find it.
LEAST_UNIT = 1e-3
HALVINGS = 40


# Rows that are all alike have no components, and scikit-learn divides by zero.
@np.errstate(divide="ignore", invalid="ignore")
def reduce_dims(X: Any, seed: int) -> np.ndarray:
    """Principal components of wide rows, float32; singular vectors if sparse.

    The unit of the rows is a power of two of their own, for squares must not overflow.
    """
    _, exponent = np.frexp(max(float(X.max()), -float(X.min())))
    X = X * 2.0 ** -int(exponent)
    if not sp.issparse(X):
        # Neighbours must survive float32, also far from the origin.
        X = X - X.mean(0, dtype=np.float64).astype(X.dtype)
    X = X.astype(np.float32)
    dims = min(MAX_DIMS, X.shape[0] - 1)
    if X.shape[1] <= MAX_DIMS:
        return X.toarray() if sp.issparse(X) else X
    reducer = TruncatedSVD if sp.issparse(X) else PCA
    return reducer(dims, random_state=seed).fit_transform(X)


def neighbor_search(n_samples: int, n_neighbors: int, seed: int) -> Any:
    """Exact search, or an approximate one for many rows where it is installed."""
    if n_samples > EXACT_ROWS:
        try:
            pynndescent = import_extra("pynndescent", "graph", "An approximate search")
        except ImportError:
            warnings.warn(
                f"An exact search among {n_samples} rows is slow: pip install "
                "'skdeepcluster[graph]' for an approximate one, or give neighbors.",
                stacklevel=2,
            )
        else:
            return pynndescent.PyNNDescentTransformer(
                n_neighbors=n_neighbors, random_state=seed
            )
    return NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")


def neighbor_graph(X: Any, n_neighbors: int, neighbors: Any, seed: int) -> sp.csr_array:
    """Directed graph of nearest neighbours: ones, and none on the diagonal.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    n_neighbors : int
        At most; no row has more neighbours than there are other rows.
    neighbors : transformer or None
        Gives a sparse graph of neighbours, as `KNeighborsTransformer` does.
    seed : int

    Returns
    -------
    csr_array of shape (n_samples, n_samples), float32
    """
    n_neighbors = min(n_neighbors, X.shape[0] - 1)
    if neighbors is None:
        neighbors = neighbor_search(X.shape[0], n_neighbors, seed)
    if isinstance(neighbors, NearestNeighbors):
        graph = neighbors.fit(X).kneighbors_graph()
    else:
        graph = clone(neighbors).fit_transform(X)
    graph = sp.coo_array(graph)
    if graph.shape != (X.shape[0], X.shape[0]):
        raise ValueError(
            f"neighbors gives a graph of shape {graph.shape} for {X.shape[0]} rows; "
            "use a transformer like sklearn.neighbors.KNeighborsTransformer."
        )
    other = graph.row != graph.col
    row, col = graph.row[other], graph.col[other]
    lonely = np.setdiff1d(np.arange(X.shape[0]), row)
    if len(lonely):
        raise ValueError(
            f"neighbors finds no neighbour of row {lonely[0]}; give every row one or "
            "more, as with a number of neighbours in place of a radius."
        )
    ones = np.ones(len(row), dtype=np.float32)
    return sp.csr_array((ones, (row, col)), shape=graph.shape)


def edge_lengths(Z: np.ndarray, graph: sp.csr_array) -> np.ndarray:
    """Distances between the ends of all edges, in the order of ``graph.indices``."""
    start = np.repeat(np.arange(len(Z)), np.diff(graph.indptr))
    lengths = np.empty(graph.nnz, dtype=np.float32)
    for first in range(0, graph.nnz, EDGES_AT_ONCE):
        part = slice(first, first + EDGES_AT_ONCE)
        lengths[part] = np.linalg.norm(Z[start[part]] - Z[graph.indices[part]], axis=1)
    return lengths


def fuzzy_union(graph: sp.csr_array, lengths: np.ndarray) -> sp.csr_array:
    """Weigh the edges of a neighbour graph by what is near for each row, as UMAP does.

    The weight of a row's neighbour falls from one, for the nearest, exponentially with
    the further distance, in a unit of the row's own that makes all its weights add up
    to ``log2`` of their number. Either way of an edge is taken as a probability: its
    weight is that of one or the other.

    Parameters
    ----------
    graph : csr_array of shape (n_nodes, n_nodes)
        Ones, and none on the diagonal; each row has a neighbour.
    lengths : ndarray of shape (n_edges,)
        Length of each edge.

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float32
        Symmetric.
    """
    first, counts = graph.indptr[:-1], np.diff(graph.indptr)

    def of_edges(rows: np.ndarray) -> np.ndarray:
        return np.repeat(rows, counts)

    excess = lengths - of_edges(np.minimum.reduceat(lengths, first))
    wanted = np.log2(counts)
    least = LEAST_UNIT * np.add.reduceat(lengths, first) / counts
    least = np.maximum(least, np.finfo(np.float32).tiny).astype(np.float32)
    # The sum of weights grows with the unit: find it by halving in a logarithmic scale.
    low, high = least, np.maximum(np.maximum.reduceat(lengths, first) * 100, least)
    for _ in range(HALVINGS):
        unit = np.sqrt(low) * np.sqrt(high)
        larger = np.add.reduceat(np.exp(-excess / of_edges(unit)), first) > wanted
        low, high = np.where(larger, low, unit), np.where(larger, unit, high)
    weights = np.exp(-excess / of_edges(low))
    directed = sp.csr_array((weights, graph.indices, graph.indptr), shape=graph.shape)
    return sp.csr_array(directed + directed.T - directed.multiply(directed.T))


def shared_neighbors(graph: sp.csr_array) -> sp.csr_array:
    """Weigh the edges of a neighbour graph, either way, by the neighbours they share.

    The weight is the Jaccard index of the neighbourhoods of both ends, each with its
    own node in it. It is small across a valley, and so is used for counting clusters.

    Parameters
    ----------
    graph : csr_array of shape (n_nodes, n_nodes)
        Ones, and none on the diagonal.

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float32
        Symmetric.
    """
    n_nodes = graph.shape[0]
    around = sp.csr_array(graph + sp.eye_array(n_nodes, dtype=np.float32))
    sizes = np.diff(around.indptr)
    upper = sp.coo_array(sp.triu(graph.maximum(graph.T)))
    weights = np.empty(upper.nnz, dtype=np.float32)
    for start in range(0, upper.nnz, EDGES_AT_ONCE):
        part = slice(start, start + EDGES_AT_ONCE)
        i, j = upper.row[part], upper.col[part]
        shared = around[i].multiply(around[j]).sum(1)
        weights[part] = shared / (sizes[i] + sizes[j] - shared)
    half = sp.csr_array((weights, (upper.row, upper.col)), shape=graph.shape)
    return sp.csr_array(half + half.T)


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


def degree_linkage(links: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Measure closeness as Zhang et al. (2012): links a node, from both sides."""
    return links * (1 / sizes[:, None] ** 2 + 1 / sizes**2)


def modularity_linkage(links: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Measure closeness by the modularity that merging gains."""
    degrees = links.sum(1)
    return links - np.outer(degrees, degrees) / degrees.sum()


def agglomerate(
    links: np.ndarray, sizes: np.ndarray, n_clusters: int | None, linkage: Any
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


def kept(joint: np.ndarray) -> float:
    """Share of the clusters' entropy that a walk keeps; one where none leaks."""
    entropy = -xlogx(joint.sum(1)).sum()
    return information(joint) / entropy if entropy > 0 else 1.0


def worth(joint: np.ndarray) -> tuple[bool, float]:
    """Order of preference among clusterings: clean ones first, then by information."""
    return kept(joint) >= CLEAN, information(joint)


def informative_moves(joint: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Move communities between clusters while that gains information.

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
            gains = _gains_of_joining(rest, ties, own, near)
            best = near[gains.argmax()]
            if gains.max() > gains[near == home][0] + 1e-12:
                rest[best] += ties
                rest[:, best] += ties
                rest[best, best] += own
                ends = rest
                labels[i] = best
                moved = True
        if not moved:
            break
    return labels


def _gains_of_joining(
    rest: np.ndarray, ties: np.ndarray, own: float, near: np.ndarray
) -> np.ndarray:
    """Information after a community joins a cluster, less what all have in common.

    The community has the probability ``ties`` of a walk to each cluster of ``rest``,
    and ``own`` to itself; ``near`` are the clusters in question.
    """
    probability = rest[near].sum(1) + ties[near]
    total, ties, rest = ties.sum(), ties[near], rest[np.ix_(near, near)]
    within = rest.diagonal()
    change = xlogx(rest + ties) - xlogx(rest)
    joined = 2 * (change.sum(1) - change.diagonal())
    joined += xlogx(within + 2 * ties + own) - xlogx(within)
    grown = probability + total + own
    return joined - 2 * (xlogx(grown) - xlogx(probability))


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
    ones are `APART`, those count; where they never are, the clusters of before; and a
    single one, if even the deepest valley was `ALIKE`.

    Parameters
    ----------
    links : ndarray of shape (n_communities, n_communities)
        Summed weights between communities, and within.
    sizes : ndarray of shape (n_communities,)
        Rows of each.
    """
    walks = walk_ends(links, COUNTING_WALK)
    labels = agglomerate(walks, sizes, None, modularity_linkage)
    parts = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    count, depth = len(parts), 0.0 if len(parts) == 1 else np.inf
    inner = [smallest_cut(links, p) if len(p) > 1 else 1.0 for p in parts]
    while len(parts) > 1:
        ratios = np.array(
            [
                [
                    cut(links, p, q) / max(min(inner[i], inner[j]), 1e-300)
                    if j < i
                    else 0.0
                    for j, q in enumerate(parts)
                ]
                for i, p in enumerate(parts)
            ]
        )
        widest = ratios.max()
        if widest < APART:
            return len(parts)
        depth = min(depth, widest)
        i, j = np.unravel_index(ratios.argmax(), ratios.shape)
        parts[j] = np.concatenate([parts[j], parts.pop(i)])
        inner.pop(i)
        inner[j] = smallest_cut(links, parts[j])
    return 1 if depth >= ALIKE else count


def merge_communities(
    links: np.ndarray, sizes: np.ndarray, n_clusters: int
) -> np.ndarray:
    """Merge communities to clusters that say most about a random walk.

    Parameters
    ----------
    links : ndarray of shape (n_communities, n_communities)
        Summed weights between communities, and within.
    sizes : ndarray of shape (n_communities,)
        Rows of each.
    n_clusters : int

    Returns
    -------
    ndarray of shape (n_communities,)
        Cluster of each community.
    """
    joint = walk_ends(links, WALK)
    candidates = [
        informative_moves(joint, agglomerate(links, sizes, n_clusters, linkage))
        for linkage in (degree_linkage, modularity_linkage)
    ]
    return max(candidates, key=lambda labels: worth(merged(joint, labels)))


def walk(weights: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """Probability of each cluster at the end of a short walk from each row."""
    steps = sp.diags_array(1 / weights.sum(1)) @ weights
    ends = np.eye(labels.max() + 1, dtype=np.float32)[labels]
    for _ in range(WALK):
        ends = steps @ ends
    return ends


def row_walk_ends(weights: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """Joint distribution of the clusters at both ends of a walk from row to row."""
    start = np.eye(labels.max() + 1)[labels] * weights.sum(1)[:, None]
    joint = start.T @ walk(weights, labels)
    return (joint + joint.T) / (2 * joint.sum())


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
    """Count the clusters of a weighted graph: the median of several starts."""
    counts = []
    for seed in seeds:
        labels = communities(weights, 1, resolution, seed)
        counts.append(count_clusters(between(weights, labels), np.bincount(labels)))
    return sorted(counts)[len(counts) // 2]


def graph_clusters(
    weights: sp.csr_array, n_clusters: int, resolution: float, seeds: Sequence[int]
) -> np.ndarray:
    """Clusters of a weighted graph, the best of several starts.

    Parameters
    ----------
    weights : csr_array of shape (n_nodes, n_nodes)
        Symmetric; each node has an edge.
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
        labels = communities(weights, n_clusters, resolution, seed)
        links, sizes = between(weights, labels), np.bincount(labels)
        candidates.append(merge_communities(links, sizes, n_clusters)[labels])
    best = max(candidates, key=lambda labels: worth(row_walk_ends(weights, labels)))
    return smooth(weights, best)


def total(graphs: Iterable[sp.csr_array]) -> sp.csr_array:
    """Sum of graphs of the same nodes."""
    return functools.reduce(operator.add, graphs)


def sparse_rows(farthest: np.ndarray, labels: np.ndarray, ratio: float) -> np.ndarray:
    """Tell which rows reach ``ratio`` times farther than their cluster's median."""
    medians = [np.median(farthest[labels == c]) for c in range(labels.max() + 1)]
    return farthest > ratio * np.array(medians)[labels]


class GraphClustering(ClusterMixin, BaseEstimator):
    """Communities of a nearest-neighbour graph, merged to the wanted number.

    Each row is tied to its nearest neighbours, with weights that fall with the distance
    in a unit of each row's own, as in UMAP [1]_. The Louvain method finds communities
    of high resolution [2]_, and these are merged from two sides, by degree linkage [3]_
    and by gain of modularity. Communities then move between clusters, and of the
    results the one is kept whose clusters tell most about where a short random walk
    ends.

    The number of clusters, where it isn't given, is that of clusters with valleys
    between them: where few of their rows have neighbours in common, beside the cuts
    through either. Where clusters touch, it is that of the stable communities of a
    walk [4]_.

    Parameters
    ----------
    n_clusters : int or None, default=None
        Number of clusters, which is always reached. None finds it.
    n_neighbors : int, default=15
        Neighbours of each row, without itself.
    resolution : float, default=5.0
        Resolution of the communities before merging; larger makes more of them. It is
        doubled while it makes fewer than ``n_clusters``.
    n_init : int, default=5
        Starts of the search for communities; the one is kept whose clusters tell most
        about a random walk.
    noise_ratio : float or None, default=None
        Rows that belong nowhere are labelled -1: those whose farthest neighbour is
        more than this many times farther than it is in the middle of their cluster
        (the median over its rows). Values from 2 to 3 suit most data. None labels
        every row.
    neighbors : transformer or None, default=None
        Finds the neighbours in place of ``n_neighbors``: a copy of it must turn rows
        into a sparse graph, as :class:`sklearn.neighbors.KNeighborsTransformer` does.
        None searches exactly, and approximately among more than 100,000 rows where
        pynndescent is installed. Rows with more than 50 features are reduced to 50
        principal components first.
    random_state : int, RandomState instance or None, default=None
        Seed of the communities. None takes fresh entropy; global random generators
        are neither read nor moved.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row; -1 for noise, if ``noise_ratio`` is given.
    n_clusters_ : int
        Number of clusters.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    skdeepcluster.DECClustering : With ``init="graph"``, starts from these clusters,
        and predicts those of new rows.

    References
    ----------
    .. [1] McInnes, L., Healy, J. and Melville, J. (2018). UMAP: Uniform manifold
       approximation and projection for dimension reduction.
       https://arxiv.org/abs/1802.03426
    .. [2] Blondel, V. D. et al. (2008). Fast unfolding of communities in large
       networks. Journal of Statistical Mechanics.
    .. [3] Zhang, W., Wang, X., Zhao, D. and Tang, X. (2012). Graph degree linkage.
       ECCV.
    .. [4] Delvenne, J.-C., Yaliraki, S. N. and Barahona, M. (2010). Stability of graph
       communities across time scales. PNAS 107.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skdeepcluster.graph import GraphClustering
    >>> X, _ = make_moons(400, noise=0.05, random_state=0)
    >>> GraphClustering(2, random_state=0).fit(X).n_clusters_
    2
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "resolution": [Interval(Real, 0, None, closed="neither")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "noise_ratio": [Interval(Real, 1, None, closed="neither"), None],
        "neighbors": [HasMethods("fit_transform"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        n_neighbors: int = 15,
        resolution: float = 5.0,
        n_init: int = 5,
        noise_ratio: float | None = None,
        neighbors: Any = None,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.resolution = resolution
        self.n_init = n_init
        self.noise_ratio = noise_ratio
        self.neighbors = neighbors
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> "GraphClustering":
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are unusable.
        """
        X = validate_data(self, X, accept_sparse="csr", ensure_min_samples=2)
        if self.n_clusters is not None and X.shape[0] < self.n_clusters:
            raise ValueError(
                f"n_samples={X.shape[0]} should be >= n_clusters={self.n_clusters}."
            )
        self.labels_ = self._labels_of([X])
        self.n_clusters_ = int(self.labels_.max()) + 1
        return self

    def _labels_of(self, views: Sequence[Any]) -> np.ndarray:
        """Clusters of rows that are known in several ways: their graphs are summed."""
        rng = self.random_state
        if not isinstance(rng, np.random.RandomState):
            rng = np.random.RandomState(rng)
        drawn = rng.randint(np.iinfo(np.int32).max, size=1 + self.n_init)
        search_seed, *seeds = drawn.tolist()
        with config_context(array_api_dispatch=False):
            rows = [reduce_dims(X, search_seed) for X in views]
            graphs = [
                neighbor_graph(Z, self.n_neighbors, self.neighbors, search_seed)
                for Z in rows
            ]
            lengths = [
                edge_lengths(Z, graph) for Z, graph in zip(rows, graphs, strict=True)
            ]
            n_clusters = self.n_clusters
            if n_clusters is None:
                shared = total(shared_neighbors(graph) for graph in graphs)
                n_clusters = found_number(shared, self.resolution, seeds)
            weights = total(map(fuzzy_union, graphs, lengths))
            labels = graph_clusters(weights, n_clusters, self.resolution, seeds)
        if self.noise_ratio is not None:
            noise = [
                sparse_rows(
                    np.maximum.reduceat(each, graph.indptr[:-1]),
                    labels,
                    self.noise_ratio,
                )
                for graph, each in zip(graphs, lengths, strict=True)
            ]
            labels = np.where(np.all(noise, axis=0), -1, labels)
        return labels.astype(np.int32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
