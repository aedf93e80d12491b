"""Clusters of a nearest-neighbour graph, as an estimator.

`search` finds them, `votes` predicts those of new rows, `tree` holds how they merge,
`edits` changes them by hand, and `growth` takes in new rows.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._fitted import Saved, blank, take_over
from skdeepcluster._rows import plain_settings, validated, warn_of_units
from skdeepcluster._sklearn import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    _fit_context,
)
from skdeepcluster._tasks import telling
from skdeepcluster._warnings import warn
from skdeepcluster.graph.communities import between
from skdeepcluster.graph.constraints import Links
from skdeepcluster.graph.distances import checked_distances
from skdeepcluster.graph.edits import EditableGraph, forget_search
from skdeepcluster.graph.neighbors import usable_neighbors
from skdeepcluster.graph.number import ENOUGH_ROWS, TOUCHING, touch
from skdeepcluster.graph.search import (
    GraphFit,
    find_clusters,
    number_of_clusters,
)
from skdeepcluster.graph.tree import ClusterTree
from skdeepcluster.graph.votes import Voters
from skdeepcluster.streams import (
    MAX_SAMPLES_CONSTRAINT,
    check_enough,
    over_blocks,
    sampled,
    takes_any_rows,
)

__all__ = ["GraphClustering"]

# Clusters are called arbitrary if starts agree less than so, by the adjusted Rand
# index, and clusters have enough distinct rows on average: fewer prove nothing.
ARBITRARY = 0.5

PRECOMPUTED = "precomputed"


class GraphClustering(EditableGraph, CallbackSupportMixin, ClusterMixin, Saved):
    """Communities of a nearest-neighbour graph, merged to the wanted number.

    Each distinct row is tied to its nearest neighbours, with weights that fall with the
    distance in a unit of each row's own, as in UMAP [1]_, and the Louvain method finds
    communities of high resolution [2]_. Up to 20,000 distinct rows, neighbours are then
    added from the space where these communities are apart by what they vary within
    (linear discriminant analysis [3]_). From each of a few starts, communities are
    merged in two ways: by gain of modularity, which likes clusters of one size, and by
    the mean tie of two rows. Kept are the clusters of which one end of a random step
    along the graph tells most about the other, unless those of k-means explain more of
    the variance and a step leaves them about as seldom.

    With ``n_clusters=None``, communities are joined that touch as those of one cluster
    do, and the results are counted. In one or two dimensions, the peaks of density are
    counted instead, and among few distinct rows (fewer than 20 ``n_neighbors``) as
    well, or the groups that only long steps lead between, where that gives more. The
    number is one where nothing is apart.

    Parameters
    ----------
    n_clusters : int or None, default=None
        Number of clusters; as many are found, if there are so many distinct rows. None
        finds the number.
    n_neighbors : int, default=15
        Neighbours of each distinct row, without itself; at most a third of all, and as
        many as a cluster has distinct rows, but three or more.
    resolution : float, default=5.0
        Resolution of the communities before merging; larger makes more of them. It is
        doubled while it makes fewer than ``n_clusters``.
    n_init : int, default=6
        Starts of the search for communities, of which the one is kept whose clusters
        are worth most, and of k-means. `row_agreement_` is finer with more of them.
    noise_ratio : float or None, default=None
        Rows are labelled -1 whose farthest neighbour is more than this many times
        farther than it is in the middle of their cluster (the median over its rows).
        Values from 2 to 3 suit most data. None labels every row.
    neighbors : transformer, "precomputed" or None, default=None
        Finds the neighbours in place of ``n_neighbors``: a copy of it must turn the
        distinct rows, or 50 principal components of wider ones, into a sparse graph, as
        :class:`sklearn.neighbors.KNeighborsTransformer` does. None searches exactly,
        and approximately among more than 80,000 rows where pynndescent is installed.
        With "precomputed", ``X`` holds the distances; see Notes.
    max_samples : int or None, default=100000
        Rows that the graph is made of, at most: a sample of more, which depends on
        their number alone. The votes of these place the others, as in `predict`. None
        takes all, and so does "precomputed". Clusterers that start from a graph have
        such a parameter of their own, which counts there.
    n_jobs : int or None, default=None
        Processes that the starts are shared by; None is one, -1 all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of the communities. None takes fresh entropy; global random generators
        are neither read nor moved.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training row, the largest first; -1 for noise, if
        ``noise_ratio`` is given. The order of the rows makes no difference, and neither
        does it if all rows are there several times. Rows that `update` took in follow.
    n_clusters_ : int
        Number of clusters. One means that nothing shows that there are more; where you
        know that there are, ``layers_`` has numbers to `cut` the tree at.
    n_clusters_counts_ : ndarray of shape (min(n_init, 3),) or None
        Numbers that starts counted, of which the median is taken; of peaks of
        density, which are counted once, the same. None if ``n_clusters`` was given.
    agreement_ : float
        Mean adjusted Rand index of the clusters and those of each start. Below .5, the
        data have no clusters of this number, or several that are as good. Not a number
        for a single cluster, on which all starts agree.
    row_agreement_ : ndarray of shape (n_samples,)
        Share of the starts that place each row likewise: low between clusters. Not a
        number for a single cluster.
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
        Leaf of each row; -1 in a dropped cluster.
    layers_ : list of int
        ``n_clusters_`` and a few other numbers, from coarse to fine, that hold over a
        wide range of distances in the tree; for `cut`.
    cluster_names_ : dict of int to str
        Names that `rename_cluster` gave; `describe_clusters` and displays have them.
    edits_ : list of str
        What was done by hand since `fit`, in words.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    skdeepcluster.DECClustering : With ``init="graph"``, starts from these clusters.

    Notes
    -----
    Of edits, as `merge_clusters`, everything knows: predictions, tree and saved files.
    But where `fit` had more than ``max_samples`` rows, the votes on the others are not
    counted again: in ``labels_``, they go with the row that they were nearest to in
    their cluster.

    For predictions the distinct rows are kept as `fit` compared them: at most 50 values
    in single precision each, 200 bytes, and some 30 bytes more.

    With ``neighbors="precomputed"``, `fit` takes the distances between rows in place of
    the rows: a sparse matrix of shape (n_samples, n_samples) with an entry for each
    neighbour, as ``KNeighborsTransformer(mode="distance")`` and
    ``adata.obsp["distances"]`` of scanpy have it, or a dense one, of which
    ``n_neighbors`` are used in each row. An entry that is stored and zero is a
    neighbour at no distance. Connectivities, similarities and kernels are no distances,
    which can't be told from the numbers in general. `predict` takes the distances of
    new rows to as many neighbours among the training rows, of shape (n_new, n_samples).

    What needs the rows themselves is then left out: k-means, the further space, and
    that equal rows are one. Give distances between distinct rows where rows are
    repeated more often than they have neighbours: such copies lead nowhere else and are
    clusters of their own.

    References
    ----------
    .. [1] McInnes, L., Healy, J. and Melville, J. (2018). UMAP: Uniform manifold
       approximation and projection for dimension reduction.
       https://arxiv.org/abs/1802.03426
    .. [2] Blondel, V. D. et al. (2008). Fast unfolding of communities in large
       networks. Journal of Statistical Mechanics.
    .. [3] Fisher, R. A. (1936). The use of multiple measurements in taxonomic problems.
       Annals of Eugenics 7.

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

    _formats = 1, 1
    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "resolution": [Interval(Real, 0, None, closed="neither")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "noise_ratio": [Interval(Real, 1, None, closed="neither"), None],
        "neighbors": [
            HasMethods("fit_transform"),
            StrOptions({PRECOMPUTED}),
            None,
        ],
        "max_samples": MAX_SAMPLES_CONSTRAINT,
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        n_neighbors: int = 15,
        resolution: float = 5.0,
        n_init: int = 6,
        noise_ratio: float | None = None,
        neighbors: Any = None,
        max_samples: int | None = 100_000,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.resolution = resolution
        self.n_init = n_init
        self.noise_ratio = noise_ratio
        self.neighbors = neighbors
        self.max_samples = max_samples
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    @telling
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        must_link: Any = None,
        cannot_link: Any = None,
    ) -> "GraphClustering":
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster; with ``neighbors="precomputed"``, distances between them,
            of shape (n_samples, n_samples).
        y : object, default=None
            Ignored.
        must_link : array-like of shape (n_pairs, 2) or list of sequences, default=None
            Rows that are of one cluster, by their numbers: pairs, or groups of any
            size. Where they follow from each other, pairs may be left out.
        cannot_link : array-like of shape (n_pairs, 2), default=None
            Pairs of rows that are of different clusters. All the links hold in
            ``labels_``; rows that have one are no noise, and ties around them are
            strengthened and weakened, so that their neighbours follow.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are unusable. Of distances: if they aren't
            square, one is negative, or a row has no neighbour. Of links: if one names
            a row that isn't there, or isn't in the sample of ``max_samples``; if they
            contradict each other, or keep equal rows apart; or if no way was found to
            keep them with ``n_clusters``.

        Warns
        -----
        ConvergenceWarning
            If there are fewer distinct rows than clusters are wanted.
        UserWarning
            If ``n_clusters`` is given and the clusters are arbitrary: they are large,
            starts disagree, and no valleys are between most of them. Or if one of three
            or more columns holds more than 99 % of the variance. Or if rows have given
            distances of zero only.

        Examples
        --------
        >>> import numpy as np
        >>> from skdeepcluster.graph import GraphClustering
        >>> X = np.r_[np.arange(10), 100 + np.arange(10), 200 + np.arange(10)][:, None]
        >>> graph = GraphClustering(2, random_state=0)
        >>> labels = graph.fit_predict(X, must_link=[(0, 29)])
        >>> bool(labels[0] == labels[29] != labels[15])
        True
        """
        model = blank(self)
        found = model._learn(X, must_link, cannot_link)
        take_over(self, model)
        self._warn(found)
        return self

    @property
    def _given(self) -> bool:
        """Whether distances are given in place of rows."""
        return isinstance(self.neighbors, str) and self.neighbors == PRECOMPUTED

    def _learn(self, X: Any, must_link: Any, cannot_link: Any) -> GraphFit:
        most = None if self._given else self.max_samples
        rows, some = sampled(X, most, self._validated)
        links = Links.given(must_link, cannot_link, X, rows, most)
        check_enough(rows, most, self.n_clusters)
        if not self._given:
            warn_of_units(self, rows)
        with plain_settings():
            found = find_clusters([rows], self, self.random_state, links)
            self._keep(found)
            if some:
                self._place(X, found)
        return found

    def _place(self, X: Any, found: GraphFit) -> None:
        """Label all the rows, when a sample of them has been learned from."""
        places = over_blocks(
            lambda rows: self._voters.place(self._validated(rows, reset=False)), X
        )
        labels, nodes, leaves = places.T
        self.labels_ = labels.astype(np.int32)
        self.leaf_labels_ = leaves.astype(np.int32)
        self._nodes = nodes.astype(np.int32)
        self.row_agreement_ = self._node_agreement[nodes]

    def _validated(self, X: Any, reset: bool, **settings: Any) -> Any:
        """Rows, or distances between them."""
        X = validated(self, X, reset=reset, **settings)
        if not self._given:
            return X
        # Of dense distances, with the row itself.
        kept = usable_neighbors(self.n_neighbors, X.shape[1]) + 1
        return checked_distances(X, kept, square=reset)

    def _labels_of(
        self, views: Sequence[Any], links: Links | None = None
    ) -> np.ndarray:
        """Clusters of rows that are known in several ways."""
        with plain_settings():
            found = find_clusters(views, self, self.random_state, links)
        return found.row_labels(self.noise_ratio)

    def _number_of(self, X: np.ndarray) -> int:
        """Count the clusters of rows."""
        with plain_settings():
            return number_of_clusters(X, self, self.random_state)

    def _keep(self, found: GraphFit) -> None:
        """Set all that the fit leaves."""
        graph, leaves = found.graph, found.leaves
        inverse = found.nodes.inverse
        self.labels_ = found.row_labels(self.noise_ratio)
        self.n_clusters_ = int(found.labels.max()) + 1
        self.n_clusters_counts_ = (
            None if found.counts is None else np.array(found.counts)
        )
        self.by_centers_ = found.by_centers
        self.agreement_, self.row_agreement_ = found.agreement()
        self._node_agreement = self.row_agreement_[found.nodes.first]
        self.n_connected_components_ = int(connected_components(graph.weights)[0])
        self._voters = Voters.of(found, leaves, self.noise_ratio)
        clusters = self._voters.clusters
        touching = touch(between(graph.weights, leaves), clusters, graph.n_dims)
        self.valleys_ = 1 - np.clip(touching.max(1), 0, 1)
        sizes = np.bincount(leaves, found.nodes.mass)
        tree = ClusterTree.of(between(graph.shared, leaves), sizes, clusters)
        self.children_, self.distances_ = tree.children, tree.distances
        self.n_leaves_ = len(sizes)
        self.linkage_ = tree.linkage()
        self.layers_ = sorted({self.n_clusters_, *tree.layers()})
        self.leaf_labels_ = leaves[inverse].astype(np.int32)
        self.cluster_names_: dict[int, str] = {}
        self.edits_: list[str] = []
        self._tree, self._nodes = tree, inverse.astype(np.int32)
        self._states: list[dict[str, Any]] = []

    def _warn(self, found: GraphFit) -> None:
        wanted = self.n_clusters
        copies = int((found.graph.farthest == 0).sum())
        if self._given and copies:
            warn(
                f"{copies} rows of X have distances of zero only: copies of one row "
                "that lead nowhere else are a cluster of their own. Give distances "
                "between distinct rows, or of more neighbours.",
            )
        if wanted is not None and self.n_clusters_ < wanted:
            warn(
                f"{len(found.nodes.first)} distinct rows make up {self.n_clusters_} "
                f"clusters, fewer than n_clusters={wanted}.",
                ConvergenceWarning,
            )
        elif (
            wanted is not None
            and 1 < self.n_clusters_ <= len(found.labels) // ENOUGH_ROWS
            and self.agreement_ < ARBITRARY
            and np.median(self.valleys_) < 1 - TOUCHING
        ):
            warn(
                f"These {self.n_clusters_} clusters are arbitrary: no valleys are "
                f"between most of them, and starts agree by {self.agreement_:.2f} "
                "only (adjusted Rand index). n_clusters=None counts those that the "
                "data have.",
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
            noise. With fewer, clusters are joined, and with more, they are split; the
            numbers are then those from 0 to ``n_clusters - 1``. Rows of dropped
            clusters are -1.

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
        labels = np.append(self._cut(int(n_clusters)), -1)
        return labels[self.leaf_labels_].astype(np.int32)

    def _cut(self, n_clusters: int) -> np.ndarray:
        """Cluster of each leaf with another number of clusters."""
        if n_clusters == self.n_clusters_:
            return self._voters.clusters[: self.n_leaves_]
        return self._tree.cut(n_clusters)

    def with_n_clusters(self, n_clusters: int) -> "GraphClustering":
        """Return this fit with another number of clusters, from the same tree.

        Parameters
        ----------
        n_clusters : int
            Number of clusters, from 1 to ``n_leaves_``.

        Returns
        -------
        GraphClustering
            A fitted copy whose ``labels_`` are those of `cut`, and which predicts them.
            Noise stays noise, and so do dropped clusters. It has no edits to undo. Of
            another number of clusters than that of the fit it has no names, and no
            ``agreement_``, ``row_agreement_`` and ``valleys_``: these are signs of a
            search.

        Raises
        ------
        ValueError
            If the tree has fewer leaves.
        """
        labels = self.cut(n_clusters)
        model = copy.copy(self)
        model.n_clusters = model.n_clusters_ = int(n_clusters)
        model.labels_ = np.where(self.labels_ == -1, self.labels_, labels)
        model.layers_ = sorted({model.n_clusters_, *self._tree.layers()})
        model.edits_, model._states = [], []
        if model.n_clusters_ != self.n_clusters_:
            # The leaves of what was dropped come last, and share a number of their own.
            clusters = np.full(len(self._voters.clusters), n_clusters, dtype=np.int32)
            clusters[: self.n_leaves_] = self._cut(int(n_clusters))
            numbers = np.append(np.arange(n_clusters), -1)[: clusters.max() + 1]
            model._voters = replace(self._voters, clusters=clusters, numbers=numbers)
            model.cluster_names_ = {}
            forget_search(model)
        return model

    @takes_any_rows
    def predict(self, X: Any) -> np.ndarray:
        """Cluster of each row: that of a training row it equals, or of its neighbours.

        The nearest training rows vote, each with the weight that its distance has in
        the graph.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data; with ``neighbors="precomputed"``,
            their distances to the training rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Cluster of each row; on the training data, ``labels_``.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        with plain_settings():
            return self._voters.place(X)[:, 0].astype(np.int32)

    @takes_any_rows
    def predict_proba(self, X: Any) -> np.ndarray:
        """Share of each cluster among the votes of a row's neighbours.

        The votes of a row that is farther from the nearest training row than that is
        from its own farthest neighbour count less, and what they lose is spread over
        all the clusters: far from all, each has the same small share.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data; with ``neighbors="precomputed"``,
            their distances to the training rows.

        Returns
        -------
        ndarray of shape (n_samples, n_clusters)
            Rows sum to one. The largest share is that of the cluster that `predict`
            gives, but for noise. After edits, columns go up to the largest number that
            a cluster has, and are zero for numbers that none has. Votes for dropped
            clusters are spread over the others.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        with plain_settings():
            return self._voters.shares(X)

    def _agreement_about(self, X: Any) -> np.ndarray | None:
        """Share of the starts that place each row, or the nearest one, likewise.

        None where the clusters are others than those of a search, or there is one.
        """
        if self.n_clusters_ == 1 or self._node_agreement is None:
            return None
        X = self._validated(X, reset=False)
        with plain_settings():
            return self._node_agreement[self._voters.place(X)[:, 1]]

    def _nearness(self, X: Any) -> np.ndarray | None:
        """Share of each cluster by how near its mean is; None of given distances."""
        if self._given:
            return None
        X = self._validated(X, reset=False)
        with plain_settings():
            return self._voters.nearness(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self._given
        return tags
