"""Scorers of clusterings without labels, in a space that no candidate can choose."""

from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import normalize

from skdeepcluster._fitted import check_space, fitted_labels, reference_rows
from skdeepcluster._labels import comparable
from skdeepcluster._reference import reference_scores, structureless_rows
from skdeepcluster._rows import known_rows, sample_rows, takes_tensors
from skdeepcluster._sklearn import _num_samples, _safe_indexing

METRICS = ("euclidean", "cosine")

# Lower than any Davies-Bouldin index of clusters with distinct centres, and finite:
# the spread over folds of an infinite score is not a number.
WORST_DAVIES_BOULDIN = 1e6


def silhouette(Z: Any, labels: np.ndarray, metric: str) -> float:
    """Mean silhouette, a row of noise counting 0 as the only row of a cluster does."""
    clustered = labels != -1
    if not comparable(labels[clustered]):
        return -1.0
    rows = Z[clustered]
    if metric == "precomputed":
        rows = rows[:, clustered]
    value = silhouette_score(rows, labels[clustered], metric=metric)
    return float(value * clustered.mean())


def calinski_harabasz(Z: Any, labels: np.ndarray, metric: str) -> float:
    """Calinski-Harabasz index times the share of rows that are not noise."""
    clustered = labels != -1
    if not comparable(labels[clustered]):
        return 0.0
    rows = dense_rows(Z[clustered], metric)
    return float(calinski_harabasz_score(rows, labels[clustered]) * clustered.mean())


def negative_davies_bouldin(Z: Any, labels: np.ndarray, metric: str) -> float:
    """Opposite of the Davies-Bouldin index over the share of rows that aren't noise."""
    clustered = labels != -1
    if not comparable(labels[clustered]):
        return -WORST_DAVIES_BOULDIN
    rows = dense_rows(Z[clustered], metric)
    value = davies_bouldin_score(rows, labels[clustered]) / clustered.mean()
    return -float(min(value, WORST_DAVIES_BOULDIN))


def modularity(Z: Any, labels: np.ndarray, metric: str, n_neighbors: int = 15) -> float:
    """Modularity of the clusters in a graph of nearest neighbours.

    A row of noise is a cluster of its own: it keeps none of its edges.
    """
    clustered = labels != -1
    if not comparable(labels[clustered]):
        return -0.5
    graph = neighbor_graph(Z, metric, n_neighbors)
    return graph_modularity(graph, labels)


def neighbor_graph(Z: Any, metric: str, n_neighbors: int) -> Any:
    """Count for each pair of rows how many of the two have the other as a neighbour."""
    n_neighbors = min(n_neighbors, Z.shape[0] - 1)
    graph = sp.csr_array(kneighbors_graph(Z, n_neighbors, metric=metric))
    return graph + graph.T


def graph_modularity(graph: Any, labels: np.ndarray) -> float:
    """Share of the edges within clusters, less that expected of edges at random."""
    found, members = np.unique(labels, return_inverse=True)
    rows = np.flatnonzero(labels != -1)
    shape = len(labels), len(found)
    indicator = sp.csr_array((np.ones(len(rows)), (rows, members[rows])), shape=shape)
    within = indicator.multiply(graph @ indicator).sum()
    degrees = graph.sum(1)
    total = degrees.sum()
    by_cluster = degrees @ indicator
    return float(within / total - np.sum((by_cluster / total) ** 2))


def dense_rows(Z: Any, metric: str) -> np.ndarray:
    """Rows as an array, of unit length where angles count."""
    rows = normalize(Z) if metric == "cosine" else Z
    return rows.toarray() if sp.issparse(rows) else rows


def check_sample_size(sample_size: Any) -> None:
    """Refuse a number of rows that can't be scored."""
    if sample_size is None:
        return
    if not isinstance(sample_size, Integral) or sample_size < 2:
        raise ValueError(
            f"sample_size must be None or an integer >= 2, got {sample_size!r}."
        )


def check_n_references(n_references: Any) -> None:
    """Refuse a number of sets that can't be drawn."""
    if not isinstance(n_references, Integral) or n_references < 0:
        raise ValueError(
            f"n_references must be an integer >= 0, got {n_references!r}; 0 compares "
            "with none."
        )


def check_seed(random_state: Any) -> None:
    """Refuse what does not give every candidate the same rows."""
    if not isinstance(random_state, Integral):
        raise TypeError(
            f"random_state must be an integer, got {random_state!r}: all candidates "
            "get it."
        )
    if random_state < 0:
        raise ValueError(f"random_state must not be negative, got {random_state}.")


INDICES: dict[str, Callable[..., float]] = {
    "modularity": modularity,
    "silhouette": silhouette,
    "calinski_harabasz": calinski_harabasz,
    "davies_bouldin": negative_davies_bouldin,
}


class ClusteringScorer:
    """A scorer ``(estimator, X, y=None)`` made by `clustering_scorer`.

    Parameters
    ----------
    index : callable
        Function of rows, labels and metric.
    space, metric, sample_size, random_state, n_references
        As there.
    """

    def __init__(
        self,
        index: Callable[[Any, np.ndarray, str], float],
        space: Any,
        metric: str,
        sample_size: int | None,
        random_state: int,
        n_references: int,
    ) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {METRICS}, got {metric!r}.")
        check_sample_size(sample_size)
        check_seed(random_state)
        check_n_references(n_references)
        self.spaces = list(space) if isinstance(space, list | tuple) else [space]
        if not self.spaces:
            raise ValueError("space=[] names no space; None is that of the data.")
        for each in self.spaces:
            check_space(each)
        self.index = index
        self.metric = metric
        self.sample_size = sample_size
        self.random_state = random_state
        self.n_references = n_references

    @takes_tensors
    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score the clusters that a fitted estimator makes of ``X``; y is ignored."""
        X = known_rows(X)
        rows = sample_rows(_num_samples(X), self.sample_size, self.random_state)
        labels = fitted_labels(estimator, X, rows)
        sample = _safe_indexing(X, rows)
        scores = [
            self._score(reference_rows(space, sample, estimator), labels)
            for space in self.spaces
        ]
        return float(np.mean(scores))

    def _score(self, Z: Any, labels: np.ndarray) -> float:
        """Score of labels in one space, less that of rows without clusters."""
        n_clusters = len(np.unique(labels[labels != -1]))
        if self.n_references and n_clusters < 2:
            return 0.0
        score = self.index(Z, labels, self.metric)
        if not self.n_references or n_clusters == len(labels):
            return score
        sets = structureless_rows(
            dense_rows(Z, self.metric), self.n_references, self.random_state
        )
        reference = reference_scores(
            sets,
            n_clusters,
            lambda rows, found: self.index(rows, found, self.metric),
            self.random_state,
        )
        return score - float(reference)

    def __repr__(self) -> str:
        name = getattr(self.index, "func", self.index).__name__
        return (
            f"ClusteringScorer({name}, metric={self.metric!r}, "
            f"sample_size={self.sample_size})"
        )


def clustering_scorer(
    name: str = "modularity",
    *,
    space: Any = None,
    metric: str = "euclidean",
    n_neighbors: int = 15,
    sample_size: int | None = 5000,
    random_state: int = 0,
    n_references: int = 0,
) -> ClusteringScorer:
    """Make a scorer of clusters without labels, in one fixed reference space.

    A score in each candidate's own latent space would not be comparable: an encoder
    raises it by spreading its clusters, whether they mean something or not [2]_. So
    the space is fixed here, before any candidate is seen.

    Parameters
    ----------
    name : {"modularity", "silhouette", "calinski_harabasz", "davies_bouldin"}, \
            default="modularity"
        "modularity" is high where clusters keep nearest neighbours together, beyond
        what clusters of their sizes would by chance [1]_. They need not be round, as
        for the others. Candidates that cut a neighbour graph themselves are favoured,
        and rows without any clusters score high as well: ``n_references`` takes off
        what they would. "silhouette" is the mean silhouette, "calinski_harabasz" that
        index, and "davies_bouldin" the *negative* of that index.
    space : None, fitted transformer, callable, or list of these, default=None
        Reference space. None is that of the data given to the search: with a pipeline,
        its untouched input or, where that holds words, dates or gaps, the first table
        of finite numbers that its steps make. Give a space where a search changes these
        steps. With a list, the score is the mean over the spaces.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance in the reference space; for the two indices, "cosine" scores rows of
        unit length.
    n_neighbors : int, default=15
        Neighbours of each row in the graph of "modularity".
    sample_size : int or None, default=5000
        Rows to score, at most; the same ones for every candidate. None is all of them.
        The two indices hold them densely, also where the space is sparse.
    random_state : int, default=0
        Seed of the sample, and of the sets below.
    n_references : int, default=0
        Sets of rows without clusters to compare with. With any, the score is the *gap*:
        how far it is above what k-means reaches on them with as many clusters, and 0
        for one cluster. See the user guide.

    Returns
    -------
    callable
        Takes ``(estimator, X, y=None)`` and returns a float, higher being better:

        - "modularity" from -0.5, also for one cluster or as many as rows, to 1; rows
          labelled -1 (noise) keep no neighbour;
        - "silhouette" from -1, likewise, to 1; noise counts 0;
        - "calinski_harabasz" from 0, likewise; it is multiplied by the share of rows
          that aren't noise, which is left out;
        - "davies_bouldin" up to 0, and -1e6 likewise; it is divided by that share.

    References
    ----------
    .. [1] Newman, M. E. J. and Girvan, M. (2004). Finding and evaluating community
       structure in networks. Physical Review E 69.
    .. [2] Wang, Z. et al. (2024). Deep clustering evaluation: how to validate internal
       clustering validation measures. https://arxiv.org/abs/2403.14830

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdeepcluster.model_selection import AllData, clustering_scorer
    >>> X, _ = load_iris(return_X_y=True)
    >>> search = GridSearchCV(
    ...     KMeans(random_state=0),
    ...     {"n_clusters": [2, 3, 4]},
    ...     scoring=clustering_scorer("silhouette"),
    ...     cv=AllData(),
    ... )
    >>> search.fit(X).best_params_
    {'n_clusters': 2}

    The clusters of rows without any have a high modularity, but no gap:

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(500, 2))
    >>> kmeans = KMeans(8, random_state=0).fit(rows)
    >>> round(clustering_scorer()(kmeans, rows), 1)
    0.7
    >>> round(abs(clustering_scorer(n_references=3)(kmeans, rows)), 1)
    0.0
    """
    if name not in INDICES:
        raise ValueError(f"name must be one of {', '.join(INDICES)}, got {name!r}.")
    if not isinstance(n_neighbors, Integral) or n_neighbors < 1:
        raise ValueError(f"n_neighbors must be an integer >= 1, got {n_neighbors!r}.")
    index = INDICES[name]
    if index is modularity:
        index = partial(modularity, n_neighbors=n_neighbors)
    return ClusteringScorer(
        index, space, metric, sample_size, random_state, n_references
    )
