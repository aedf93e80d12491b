"""Clusters of a nearest-neighbour graph.

Rows are nodes, tied to their nearest neighbours with weights that tell what is near for
each row. `communities` finds the clusters of such a graph.
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
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import validate_data

from skdeepcluster._extras import import_extra
from skdeepcluster.communities import found_number, graph_clusters

__all__ = ["GraphClustering"]

# Distances in more dimensions cost time and tell neighbours no better.
MAX_DIMS = 50

# Power iterations for those of sparse rows. The variance of words falls slowly from one
# to the next: after a few, as is usual, the clusters would depend on the seed.
POWER_ITERATIONS = 15

# Values of sparse rows that are made dense, at most: they then have the same clusters
# as dense ones, to the last bit.
DENSE_SIZE = 5_000_000

ROWS_AT_ONCE = 4096

# Exact search takes seconds up to here and grows with the square of the rows.
EXACT_ROWS = 100_000

EDGES_AT_ONCE = 500_000

# Starts where none are asked for: communities of few rows vary more, and cost less.
FEWEST_STARTS, MOST_STARTS = 10, 50
ROWS_OF_STARTS = 200_000

# Unit of a row's distances: at least this share of their mean, where many neighbours
# are as near as the nearest; and steps to find it.
LEAST_UNIT = 1e-3
HALVINGS = 40


# Rows that are all alike have no components, and scikit-learn divides by zero.
@np.errstate(divide="ignore", invalid="ignore")
def reduce_dims(X: Any, seed: int) -> np.ndarray:
    """Principal components of wide rows, float32; singular vectors if sparse and large.

    The unit of the rows is a power of two of their own, for squares must not overflow.
    """
    _, exponent = np.frexp(max(float(X.max()), -float(X.min())))
    unit = 2.0 ** -int(exponent)
    if sp.issparse(X) and (X.shape[1] <= MAX_DIMS or np.prod(X.shape) <= DENSE_SIZE):
        X = X.toarray()
    dims = min(MAX_DIMS, X.shape[0] - 1)
    if sp.issparse(X):
        X = (X * unit).astype(np.float32)
        svd = TruncatedSVD(dims, n_iter=POWER_ITERATIONS, random_state=seed)
        return svd.fit_transform(X)
    X = centred(X, unit)
    if X.shape[1] <= MAX_DIMS:
        return X
    return PCA(dims, random_state=seed).fit_transform(X)


def centred(X: np.ndarray, unit: float) -> np.ndarray:
    """Rows in another unit and about their mean, float32.

    In double precision before, so that neighbours far from the origin survive and the
    type of the input makes no difference.
    """
    parts = [slice(i, i + ROWS_AT_ONCE) for i in range(0, len(X), ROWS_AT_ONCE)]
    mean = sum((X[part] * np.float64(unit)).sum(0) for part in parts) / len(X)
    rows = np.empty(X.shape, dtype=np.float32)
    for part in parts:
        rows[part] = X[part] * np.float64(unit) - mean
    return rows


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

    The weight of a row's neighbour falls from one, for its copies and the nearest
    other, exponentially with the further distance, in a unit of the row's own that
    makes all its weights add up to ``log2`` of their number. Either way of an edge is
    taken as a probability: its weight is that of one or the other.

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

    # Copies of a row must not be all that is near it, or they make up a cluster.
    others = np.where(lengths > 0, lengths, np.inf).astype(np.float32)
    nearest = np.minimum.reduceat(others, first)
    nearest[np.isinf(nearest)] = 0
    excess = np.maximum(lengths - of_edges(nearest), 0)
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
    own node in it. It is small across a valley.

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
    of high resolution [2]_, and these are merged in two ways: by gain of modularity,
    which likes clusters of one size, and by the mean tie of two rows, which depends on
    the neighbours that they share. The one is kept whose clusters tell most about where
    a short random walk ends, for their sizes.

    The number of clusters, where it isn't given, is that of clusters with valleys
    between them: where few of their rows have neighbours in common, beside the cuts
    through either. Where clusters touch, it is that of the stable communities of a
    walk [3]_; where groups of them lie far apart, that of the groups.

    Parameters
    ----------
    n_clusters : int or None, default=None
        Number of clusters, which is always reached. None finds it.
    n_neighbors : int, default=15
        Neighbours of each row, without itself.
    resolution : float, default=5.0
        Resolution of the communities before merging; larger makes more of them. It is
        doubled while it makes fewer than ``n_clusters``.
    n_init : int or "auto", default="auto"
        Starts of the search for communities; the one is kept whose clusters tell most
        about a random walk. "auto" is 10 for 20,000 rows or more, and more for fewer,
        whose communities vary more: 200,000 by their number, up to 50.
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
    .. [3] Delvenne, J.-C., Yaliraki, S. N. and Barahona, M. (2010). Stability of graph
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
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
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
        n_init: int | str = "auto",
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
        n_init = self.n_init
        if isinstance(n_init, str):
            n_init = ROWS_OF_STARTS // views[0].shape[0]
            n_init = min(max(n_init, FEWEST_STARTS), MOST_STARTS)
        drawn = rng.randint(np.iinfo(np.int32).max, size=1 + n_init)
        search_seed, *seeds = drawn.tolist()
        with config_context(array_api_dispatch=False):
            rows = [reduce_dims(X, search_seed) for X in views]
            graphs = [
                neighbor_graph(Z, self.n_neighbors, self.neighbors, search_seed)
                for Z in rows
            ]
            lengths = list(map(edge_lengths, rows, graphs))
            shared = total(map(shared_neighbors, graphs))
            n_clusters = self.n_clusters
            if n_clusters is None:
                n_clusters = found_number(shared, self.resolution, seeds)
            weights = total(map(fuzzy_union, graphs, lengths))
            labels = graph_clusters(weights, shared, n_clusters, self.resolution, seeds)
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
