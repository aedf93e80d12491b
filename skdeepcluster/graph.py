"""Clusters of a nearest-neighbour graph.

Rows are tied to their nearest neighbours (`neighbors`), whose communities are merged to
clusters (`communities`), as many as are wanted or as there are (`counting`).
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components
from sklearn import config_context
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeepcluster._fitted import blank, refuse_dates, take_over
from skdeepcluster._sklearn import HasMethods, Interval, StrOptions, _fit_context
from skdeepcluster.communities import (
    WALK,
    Start,
    between,
    communities,
    is_clean,
    share_kept,
    smooth,
    start,
    walk_ends,
)
from skdeepcluster.counting import TINY, TOUCHING, count_clusters, touch
from skdeepcluster.neighbors import (
    Nodes,
    RowSpace,
    View,
    diffusion_map,
    row_keys,
    total,
    units_of_rows,
)
from skdeepcluster.tree import ClusterTree

__all__ = ["GraphClustering"]

# Starts where none are asked for: communities of few rows vary more, and cost less.
FEWEST_STARTS, MOST_STARTS = 10, 30
ROWS_OF_STARTS = 200_000

# Distinct rows up to which the diffusion map's neighbours are looked at too: it takes
# long for many, whose graph has less noise.
SMOOTHED_ROWS = 20_000

# A row's neighbours are a third of the others, at most: among a few distinct rows, all
# would be each other's.
SHARE_OF_NEIGHBORS, FEWEST_NEIGHBORS = 3, 3

# Rows that k-means is fitted to, at least ten a cluster where there are so many; and
# how often, for many clusters take long and vary less.
CENTERS_ROWS, CLUSTERS_AND_RUNS = 10_000, 200

# How much more of a step must leave the clusters of k-means than those of the graph for
# these to be taken; and how much more where they explain less than such a share of the
# variance that k-means' do.
CLEARER, FAR_CLEARER, LEAST_EXPLAINED = 1.3, 10.0, 0.2

# The graph of fewer distinct rows ties nearly all to all.
FEW_NODES = 30

# Clusters are called arbitrary if starts agree less than so, by the adjusted Rand
# index, and clusters have so many distinct rows on average: fewer prove nothing.
ARBITRARY, ROWS_TO_JUDGE = 0.5, 100

# Rows in a block of predictions: always as many, so that rounding is the same.
BLOCK_ROWS = 256


@dataclass(eq=False)
class GraphFit:
    """What was found about some rows.

    Parameters
    ----------
    nodes : Nodes
    views : list of View
        Graphs that the clusters were found in.
    labels : ndarray of shape (n_nodes,)
        Cluster of each node.
    starts : list of Start
    counts : list of int or None
        Numbers of clusters found, one a start, where it wasn't given.
    by_centers : bool
        Whether the clusters are those of k-means.
    spaces : list of RowSpace
        Of all views, also of those that were left out.
    """

    nodes: Nodes
    views: list[View]
    labels: np.ndarray
    starts: list[Start]
    counts: list[int] | None
    by_centers: bool
    spaces: list[RowSpace]


class GraphClustering(ClusterMixin, BaseEstimator):
    """Communities of a nearest-neighbour graph, merged to the wanted number.

    Each distinct row is tied to its nearest neighbours, with weights that fall with the
    distance in a unit of each row's own, as in UMAP [1]_; repeated rows weigh as much
    as they are many. The Louvain method finds communities of high resolution [2]_, in
    this graph and, up to 20,000 distinct rows, in one to which the neighbours on its
    diffusion map [3]_ are added.
    They are merged by gain of modularity, which likes clusters of one size, and by the
    mean tie of two rows. Those clusters are kept from which a step on the graph tells
    most about where it leads, for their sizes. Where it doesn't leave them clearly more
    seldom than it leaves the clusters of k-means, these are taken.

    The number of clusters, where it isn't given, is that of communities which do not
    touch as the communities of one cluster do; in one or two dimensions, that of the
    peaks of density. It is one where nothing is apart. Clusters that are far from all
    others are counted together with what they touch.

    Parameters
    ----------
    n_clusters : int or None, default=None
        Number of clusters; as many are found, if there are so many distinct rows. None
        finds the number.
    n_neighbors : int, default=15
        Neighbours of each distinct row, without itself; a third of all, at most.
    resolution : float, default=5.0
        Resolution of the communities before merging; larger makes more of them. It is
        doubled while it makes fewer than ``n_clusters``.
    n_init : int or "auto", default="auto"
        Starts of the search for communities; the one is kept whose clusters tell most.
        "auto" is 10 for 20,000 distinct rows or more, and more for fewer, whose
        communities vary more: 200,000 divided by their number, 30 at most.
    noise_ratio : float or None, default=None
        Rows that belong nowhere are labelled -1: those whose farthest neighbour is
        more than this many times farther than it is in the middle of their cluster
        (the median over its rows). Values from 2 to 3 suit most data. None labels
        every row.
    neighbors : transformer or None, default=None
        Finds the neighbours in place of ``n_neighbors``: a copy of it must turn rows
        into a sparse graph, as :class:`sklearn.neighbors.KNeighborsTransformer` does;
        it gets the distinct rows. None searches exactly, and approximately among more
        than 80,000 rows where pynndescent is installed. Rows with more than 50 features
        are reduced to 50 principal components first.
    n_jobs : int or None, default=None
        Processes that the starts are shared by; None is one, -1 all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of the communities. None takes fresh entropy; global random generators
        are neither read nor moved.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row; -1 for noise, if ``noise_ratio`` is given. The
        order of the rows makes no difference.
    n_clusters_ : int
        Number of clusters.
    n_clusters_counts_ : ndarray of shape (n_init,) or None
        The number that each start counted, of which the median is taken. They differ
        where the number is uncertain. None if ``n_clusters`` was given.
    agreement_ : float
        Mean adjusted Rand index of the clusters and those of each start. Below .5, the
        data have no clusters of this number, or several that are as good.
    row_agreement_ : ndarray of shape (n_samples,)
        Share of the starts that place each row likewise: low between clusters.
    valleys_ : ndarray of shape (n_clusters,)
        Depth of the shallowest valley around each cluster: 1 where nothing leads to
        another cluster, 0 where it touches one as its own parts touch each other.
    n_connected_components_ : int
        Components of the graph. More than ``n_clusters_`` were joined without a tie.
    by_centers_ : bool
        Whether the clusters are those of k-means, for the graph had no better ones.
    children_ : ndarray of shape (n_leaves - 1, 2)
        Merges of the tree: indices of leaves, or of earlier merges plus the number of
        leaves. It leads through ``labels_``: a cluster's leaves are joined first.
    distances_ : ndarray of shape (n_leaves - 1,)
        Distance of what each merge joins; never less than that of the merge before.
    linkage_ : ndarray of shape (n_leaves - 1, 4)
        The same as :func:`scipy.cluster.hierarchy.dendrogram` draws it.
    n_leaves_ : int
        Leaves of the tree, which are communities.
    leaf_labels_ : ndarray of shape (n_samples,)
        Leaf of each row.
    layers_ : list of int
        ``n_clusters_`` and a few other numbers, from coarse to fine, that hold over a
        wide range of distances in the tree; for `cut`.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    skdeepcluster.DECClustering : With ``init="graph"``, starts from these clusters.

    Notes
    -----
    For predictions the distinct rows are kept as `fit` compared them: at most 50 values
    in single precision each, 200 bytes, and some 30 bytes more.

    References
    ----------
    .. [1] McInnes, L., Healy, J. and Melville, J. (2018). UMAP: Uniform manifold
       approximation and projection for dimension reduction.
       https://arxiv.org/abs/1802.03426
    .. [2] Blondel, V. D. et al. (2008). Fast unfolding of communities in large
       networks. Journal of Statistical Mechanics.
    .. [3] Coifman, R. R. and Lafon, S. (2006). Diffusion maps. Applied and
       Computational Harmonic Analysis 21.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skdeepcluster.graph import GraphClustering
    >>> X, _ = make_moons(400, noise=0.05, random_state=0)
    >>> graph = GraphClustering(random_state=0).fit(X)
    >>> graph.n_clusters_
    2
    >>> graph.predict(X[:3]) == graph.labels_[:3]
    array([ True,  True,  True])
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "resolution": [Interval(Real, 0, None, closed="neither")],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "noise_ratio": [Interval(Real, 1, None, closed="neither"), None],
        "neighbors": [HasMethods("fit_transform"), None],
        "n_jobs": [Integral, None],
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
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.resolution = resolution
        self.n_init = n_init
        self.noise_ratio = noise_ratio
        self.neighbors = neighbors
        self.n_jobs = n_jobs
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

        Warns
        -----
        ConvergenceWarning
            If there are fewer distinct rows than clusters are wanted.
        UserWarning
            If the clusters are arbitrary: they are large, starts disagree, and no
            valleys are between most of them.
        """
        model = blank(self)
        found = model._learn(X)
        take_over(self, model)
        self._warn(found)
        return self

    def _learn(self, X: Any) -> GraphFit:
        X = self._check_rows(X, reset=True)
        if self.n_clusters is not None and X.shape[0] < self.n_clusters:
            raise ValueError(
                f"n_samples={X.shape[0]} should be >= n_clusters={self.n_clusters}."
            )
        with self._settings():
            found = self._cluster([X])
            self._keep(found)
        return found

    def _check_rows(self, X: Any, reset: bool) -> Any:
        refuse_dates(X)
        # Infinities of both signs add up to none, which numpy would warn of.
        with np.errstate(all="ignore"):
            return validate_data(
                self,
                X,
                reset=reset,
                accept_sparse="csr",
                ensure_min_samples=2 if reset else 1,
            )

    def _settings(self) -> Any:
        """Set scikit-learn as estimators inside need it, whatever the user set."""
        return config_context(array_api_dispatch=False, transform_output="default")

    def _labels_of(self, views: Sequence[Any]) -> np.ndarray:
        """Clusters of rows that are known in several ways."""
        with self._settings():
            found = self._cluster(views)
        return self._labels_of_rows(found)

    @np.errstate(under="ignore")
    def _cluster(self, views: Sequence[Any]) -> GraphFit:
        rng = self.random_state
        if not isinstance(rng, np.random.RandomState):
            rng = np.random.RandomState(rng)
        nodes = Nodes.of(views[0], ordered=self.neighbors is not None)
        n_nodes, n_init = len(nodes.first), self.n_init
        if isinstance(n_init, str):
            n_init = min(max(ROWS_OF_STARTS // n_nodes, FEWEST_STARTS), MOST_STARTS)
        drawn = rng.randint(np.iinfo(np.int32).max, size=1 + n_init)
        seed, *seeds = drawn.tolist()
        spaces = [RowSpace(X, nodes.first, seed) for X in views]
        if n_nodes == 1:
            labels = np.zeros(1, dtype=np.int64)
            return GraphFit(nodes, [], labels, [], None, False, spaces)
        n_neighbors = min(
            self.n_neighbors,
            max((n_nodes - 1) // SHARE_OF_NEIGHBORS, FEWEST_NEIGHBORS),
            n_nodes - 1,
        )

        def view(Z: np.ndarray, neighbors: Any) -> View:
            return View.of(Z, nodes.mass, n_neighbors, neighbors, seed)

        rows = view(spaces[0].rows, self.neighbors)
        found = self._search([rows], spaces, nodes, view, seeds)
        if len(spaces) > 1:
            others = [view(space.rows, self.neighbors) for space in spaces[1:]]
            leak = leaking(rows.weights, found.labels)
            told = [
                other
                for other in others
                if leaking(other.weights, found.labels) <= CLEARER * leak
            ]
            if told:
                found = self._search([rows, *told], spaces, nodes, view, seeds)
        return found

    def _search(
        self,
        views: list[View],
        spaces: list[RowSpace],
        nodes: Nodes,
        view: Callable[[np.ndarray, Any], View],
        seeds: Sequence[int],
    ) -> GraphFit:
        """Find the clusters of nodes in the sum of some views."""
        Z, seed = spaces[0].rows, seeds[0]
        weights = total(each.weights for each in views)
        shared = total(each.shared for each in views)
        counts = None
        n_clusters = self.n_clusters
        if n_clusters is None:
            counts = [self._count(views, weights, nodes.mass, each) for each in seeds]
            n_clusters = int(np.median(counts))
        n_clusters = min(n_clusters, len(Z))
        ways = [(weights, shared)]
        if self.neighbors is None and 2 < len(Z) <= SMOOTHED_ROWS:
            smoothed = view(diffusion_map(weights, seed), None)
            ways.append((weights + smoothed.weights, shared + smoothed.shared))
        judges = [each.weights for each in views]
        starts = Parallel(self.n_jobs)(
            delayed(start)(
                *ways[index % len(ways)],
                judges,
                nodes.mass,
                n_clusters,
                self.resolution,
                each,
            )
            for index, each in enumerate(seeds)
        )
        best = max(starts, key=lambda start: start.worth)
        labels = smooth(weights, best.labels)
        centers = center_labels(Z, nodes.mass, n_clusters, seed)
        by_centers = not is_clearer(weights, Z, nodes.mass, labels, centers)
        if by_centers:
            labels = centers
        return GraphFit(nodes, views, labels, starts, counts, by_centers, spaces)

    def _count(
        self, views: list[View], weights: sp.csr_array, mass: np.ndarray, seed: int
    ) -> int:
        parts = communities(weights, 1, self.resolution, seed)
        sizes = np.bincount(parts, mass)
        heights = np.bincount(parts, mass * views[0].density) / sizes
        return count_clusters(
            between(weights, parts),
            sizes,
            heights,
            views[0].n_dims,
            self.n_neighbors + 1,
        )

    def _labels_of_rows(self, found: GraphFit) -> np.ndarray:
        labels = found.labels
        if self.noise_ratio is not None and found.views:
            noise = [
                view.farthest
                > self.noise_ratio * medians(view.farthest, labels)[labels]
                for view in found.views
            ]
            labels = np.where(np.all(noise, axis=0), -1, labels)
        return labels[found.nodes.inverse].astype(np.int32)

    def _keep(self, found: GraphFit) -> None:
        """Set all that the fit leaves."""
        nodes, labels = found.nodes, found.labels
        self.labels_ = self._labels_of_rows(found)
        self.n_clusters_ = int(labels.max()) + 1
        self.n_clusters_counts_ = (
            None if found.counts is None else np.array(found.counts)
        )
        self.by_centers_ = found.by_centers
        rows = labels[nodes.inverse]
        others = [each.labels[nodes.inverse] for each in found.starts]
        self.agreement_ = float(
            np.mean([adjusted_rand_score(rows, other) for other in others] or [1.0])
        )
        self.row_agreement_ = np.mean(
            [matched(rows, other) == rows for other in others] or [rows == rows], axis=0
        )
        self._keep_tree(found)
        self._space = found.spaces[0]
        self._keys, self._unit = nodes.keys, nodes.unit
        self._node_labels = np.full(len(labels), -1, dtype=np.int32)
        self._node_labels[nodes.inverse] = self.labels_
        self._mass = nodes.mass
        self._n_neighbors = found.views[0].n_neighbors if found.views else 1
        self._clusters = labels.astype(np.int32)
        self._farthest = found.views[0].farthest if found.views else np.zeros(1)
        self._medians = medians(self._farthest, labels)

    def _keep_tree(self, found: GraphFit) -> None:
        nodes, labels = found.nodes, found.labels
        if not found.starts:
            leaves, weights = labels, sp.csr_array(np.ones((1, 1)))
            self.n_connected_components_ = 1
            shared, n_dims = weights, 1.0
        else:
            weights = total(view.weights for view in found.views)
            shared = total(view.shared for view in found.views)
            n_dims = found.views[0].n_dims
            self.n_connected_components_ = int(connected_components(weights)[0])
            best = max(found.starts, key=lambda start: start.worth)
            # Leaves are the communities, without what lies in another cluster.
            pairs = np.column_stack([labels, best.parts])
            leaves = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
        clusters = np.zeros(leaves.max() + 1, dtype=np.int64)
        clusters[leaves] = labels
        sizes = np.bincount(leaves, nodes.mass)
        touching = touch(between(weights, leaves), clusters, n_dims)
        self.valleys_ = 1 - np.clip(touching.max(1), 0, 1)
        tree = ClusterTree.of(between(shared, leaves), sizes, clusters)
        self.children_, self.distances_ = tree.children, tree.distances
        self.n_leaves_ = len(sizes)
        self.linkage_ = tree.linkage()
        self.layers_ = sorted({self.n_clusters_, *tree.layers()})
        self.leaf_labels_ = leaves[nodes.inverse].astype(np.int32)
        self._tree = tree

    def _warn(self, found: GraphFit) -> None:
        wanted = self.n_clusters
        if wanted is not None and self.n_clusters_ < wanted:
            warnings.warn(
                f"{len(found.nodes.first)} distinct rows make up {self.n_clusters_} "
                f"clusters, fewer than n_clusters={wanted}.",
                ConvergenceWarning,
                stacklevel=3,
            )
        elif (
            1 < self.n_clusters_ <= len(found.labels) // ROWS_TO_JUDGE
            and self.agreement_ < ARBITRARY
            and np.median(self.valleys_) < 1 - TOUCHING
        ):
            warnings.warn(
                f"These {self.n_clusters_} clusters are arbitrary: no valleys are "
                f"between most of them, and starts agree by {self.agreement_:.2f} "
                "only (adjusted Rand index). n_clusters=None counts those that the "
                "data have.",
                stacklevel=3,
            )

    def cut(self, n_clusters: int) -> np.ndarray:
        """Clusters of the training rows with another number, from the same tree.

        Parameters
        ----------
        n_clusters : int
            Number of clusters, from 1 to ``n_leaves_``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Cluster of each training row; with ``n_clusters_``, ``labels_`` without
            noise. With fewer, clusters are joined, and with more, they are split.

        Raises
        ------
        ValueError
            If the tree has fewer leaves.
        """
        check_is_fitted(self)
        if (
            not isinstance(n_clusters, Integral)
            or not 1 <= n_clusters <= self.n_leaves_
        ):
            raise ValueError(
                f"n_clusters={n_clusters!r} must be a whole number from 1 to "
                f"{self.n_leaves_}, the leaves of the tree; a larger resolution makes "
                "more."
            )
        return self._tree.cut(int(n_clusters))[self.leaf_labels_].astype(np.int32)

    def predict(self, X: Any) -> np.ndarray:
        """Cluster of each row: that of a training row it equals, or of its neighbours.

        The nearest training rows vote, each with the weight that its distance has in
        the graph.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Cluster of each row; on the training data, ``labels_``.
        """
        check_is_fitted(self)
        X = self._check_rows(X, reset=False)
        labels = np.empty(X.shape[0], dtype=np.int32)
        for part, known, votes, farthest in self._voting(X):
            found = votes.argmax(1).astype(np.int32)
            if self.noise_ratio is not None:
                noise = farthest > self.noise_ratio * self._medians[found]
                found = np.where(noise, -1, found)
            labels[part] = np.where(known >= 0, self._node_labels[known], found)
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """Share of each cluster among the votes of a row's neighbours.

        The votes of a row that is farther from the nearest training row than that is
        from its own farthest neighbour count less, and what they lose is spread over
        all the clusters: far from all, each has the same small share.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples, n_clusters)
            Rows sum to one. The largest share is that of the cluster that `predict`
            gives, but for noise.
        """
        check_is_fitted(self)
        X = self._check_rows(X, reset=False)
        shares = np.empty((X.shape[0], self.n_clusters_))
        for part, known, votes, _ in self._voting(X):
            # What smoothing decided otherwise than a row's neighbours is right there.
            own = np.where(known >= 0, self._node_labels[known], -1)
            rows = np.flatnonzero(own >= 0)
            votes[rows, own[rows]] = np.nextafter(votes[rows].max(1), 2)
            shares[part] = votes / votes.sum(1, keepdims=True)
        return shares

    def _voting(self, X: Any) -> Iterator[tuple[slice, Any, np.ndarray, np.ndarray]]:
        """Yield rows, the training rows they equal, votes, distance of the farthest."""
        keys = row_keys(X, self._unit)
        order = self._keys.argsort()
        place = np.searchsorted(self._keys, keys, sorter=order)
        known = order[np.minimum(place, len(order) - 1)]
        known = np.where(self._keys[known] == keys, known, -1)
        # Votes of noise go to the cluster that it is noise of.
        clusters = self._clusters
        n_nodes = len(clusters)
        n_neighbors = min(self._n_neighbors, n_nodes)
        with self._settings(), np.errstate(under="ignore"):
            search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")
            search.fit(self._space.rows)
            for first in range(0, X.shape[0], BLOCK_ROWS):
                part = slice(first, min(first + BLOCK_ROWS, X.shape[0]))
                rows = np.arange(first, first + BLOCK_ROWS).clip(max=X.shape[0] - 1)
                Z = self._space.transform(X[rows])
                near = search.kneighbors(Z, return_distance=False)
                lengths = np.linalg.norm(Z[:, None] - self._space.rows[near], axis=2)
                nearest, unit = units_of_rows(
                    lengths.ravel(), np.arange(0, near.size + 1, n_neighbors)
                )
                weights = np.exp(-(lengths - nearest[:, None]) / unit[:, None])
                weights = weights.astype(np.float64) * self._mass[near]
                votes = np.zeros((BLOCK_ROWS, self.n_clusters_))
                np.add.at(
                    votes, (np.arange(BLOCK_ROWS)[:, None], clusters[near]), weights
                )
                votes /= votes.sum(1, keepdims=True)
                first_one = np.take_along_axis(near, lengths.argmin(1)[:, None], 1)[
                    :, 0
                ]
                reach = self._farthest[first_one] + np.finfo(np.float32).tiny
                trust = np.exp(np.minimum(1 - nearest / reach, 0))[:, None]
                votes = trust * votes + (1 - trust) / self.n_clusters_
                count = part.stop - part.start
                yield part, known[part], votes[:count], lengths.max(1)[:count]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def center_labels(
    Z: np.ndarray, mass: np.ndarray, n_clusters: int, seed: int
) -> np.ndarray:
    """Clusters of nodes by k-means, which is fitted to a sample of many."""
    size = max(CENTERS_ROWS, 10 * n_clusters)
    sample = np.random.default_rng(seed).permutation(len(Z))[:size]
    n_init = min(max(CLUSTERS_AND_RUNS // n_clusters, 1), 10)
    kmeans = KMeans(n_clusters, n_init=n_init, random_state=seed)
    with warnings.catch_warnings():
        # Nodes may coincide in the space, and be fewer than clusters there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(Z[sample], sample_weight=mass[sample])
    return kmeans.predict(Z).astype(np.int64)


def leaking(weights: sp.csr_array, labels: np.ndarray) -> float:
    """Share of the clusters' entropy that a step on the graph loses."""
    return 1 - share_kept(walk_ends(between(weights, labels), 1))


def is_clearer(
    weights: sp.csr_array,
    Z: np.ndarray,
    mass: np.ndarray,
    labels: np.ndarray,
    centers: np.ndarray,
) -> bool:
    """Tell whether clusters of the graph are to be preferred to those of k-means.

    They are where a step on the graph leaves them clearly more seldom. That may be
    because they cut through the middle of nearly everything, with small clusters far
    from it in one piece with that: so it must be much clearer where they explain next
    to nothing of how rows differ.
    """
    if len(np.unique(centers)) < labels.max() + 1:
        return True
    if len(Z) < FEW_NODES:
        return False
    own, other = leaking(weights, labels), leaking(weights, centers)
    share = explained(Z, mass, labels) / max(explained(Z, mass, centers), TINY)
    if is_clean(walk_ends(between(weights, labels), WALK)):
        return other > own or share >= 1
    return other >= (FAR_CLEARER if share < LEAST_EXPLAINED else CLEARER) * own


def explained(Z: np.ndarray, mass: np.ndarray, labels: np.ndarray) -> float:
    """Share of the variance that is between clusters."""
    member = sp.csr_array(
        (mass, (labels, np.arange(len(labels)))), (labels.max() + 1, len(labels))
    )
    rows = Z.astype(np.float64)
    rows -= mass @ rows / mass.sum()
    means = (member @ rows) / np.maximum(member.sum(1), TINY)[:, None]
    whole = mass @ np.square(rows).sum(1)
    return float(member.sum(1) @ np.square(means).sum(1) / max(whole, TINY))


def medians(farthest: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Distance of the farthest neighbour in the middle of each cluster."""
    return np.array([np.median(farthest[labels == c]) for c in range(labels.max() + 1)])


def matched(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Other labels of the same rows, by the names of the clusters they meet most."""
    table = contingency_matrix(others, labels)
    one, names = linear_sum_assignment(-table)
    found, members = np.unique(others, return_inverse=True)
    named = np.full(len(found), -1)
    named[one] = np.unique(labels)[names]
    return named[members]
