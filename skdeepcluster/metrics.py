"""What scikit-learn's clustering metrics lack."""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import fitted_labels
from skdeepcluster._labels import check_labels, is_noise
from skdeepcluster._rows import takes_tensors

__all__ = [
    "align",
    "clustering_accuracy",
    "clustering_accuracy_scorer",
    "dendrogram_purity",
    "leaf_purity",
]


@takes_tensors
def clustering_accuracy(labels_true: Any, labels_pred: Any) -> float:
    """Share of rows in the right cluster under the best one-to-one matching.

    Clusters are matched to classes by the Hungarian method, each to one at most [1]_.
    A cluster without a class, or a class without a cluster, counts as wrong. So do
    rows with a negative label in ``labels_pred``: noise belongs to no cluster and is
    matched to no class, so a result that is all noise scores 0.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Classes, of any type that sorts.
    labels_pred : array-like of shape (n_samples,)
        Clusters, of any type that sorts; every negative number marks noise: HDBSCAN
        tells rows with infinite and missing values by -2 and -3.

    Returns
    -------
    float
        Between 0 and 1; higher is better.

    Raises
    ------
    ValueError
        If the lengths differ, or are 0, or a label is missing.

    References
    ----------
    .. [1] Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval
       Research Logistics Quarterly 2.

    Examples
    --------
    >>> from skdeepcluster.metrics import clustering_accuracy
    >>> clustering_accuracy(["cat", "cat", "dog", "dog"], [1, 1, 0, 1])
    0.75
    >>> clustering_accuracy([0, 0, 1, 1], [0, 0, 1, -1])
    0.75
    """
    labels_true, labels_pred = _checked_pair(labels_true, labels_pred)
    clustered = ~is_noise(labels_pred)
    if not clustered.any():
        return 0.0
    counts = contingency_matrix(labels_true[clustered], labels_pred[clustered])
    matched = linear_sum_assignment(counts, maximize=True)
    return float(counts[matched].sum() / len(labels_true))


@takes_tensors
def clustering_accuracy_scorer(estimator: Any, X: Any, y: Any) -> float:
    """Score a fitted clusterer by `clustering_accuracy` of its labels.

    A scorer for ``cross_validate`` and searches, where labels exist.

    Parameters
    ----------
    estimator : object
        A fitted clusterer, or a pipeline that ends in one. Without ``predict`` it has
        labels for its training data only; in a search, use ``cv=AllData()``.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Classes.

    Returns
    -------
    float
        Between 0 and 1; higher is better.
    """
    return clustering_accuracy(y, fitted_labels(estimator, X))


@takes_tensors
def align(old_labels: Any, new_labels: Any) -> tuple[np.ndarray, Any]:
    """Give the clusters of a new fit the numbers of those of an old one.

    Clusters are matched one to one by the Hungarian method, so that as many rows as
    possible keep their number; a match shares at least one row. Clusters without a
    match get the numbers after the largest old one, in the order of their labels.

    Parameters
    ----------
    old_labels : array-like of int of shape (n_samples,)
        Clusters that the rows had; negative numbers are noise.
    new_labels : array-like of shape (n_samples,)
        Clusters of the same rows now, of any type that sorts; negative numbers are
        noise.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        ``new_labels`` in the numbers of the old ones; -1 for noise.
    table : pandas.DataFrame
        A row for each cluster, old or new, by its number, with

        - ``fate``: of the new ones without a match "new". Of the old ones "split" if
          several new clusters have most of their rows from it, or it keeps its number
          and less than half of its rows; "merged" if most of its rows are in one new
          cluster with most rows of another old one; else "kept" if its number is still
          there, and "vanished" if not;
        - ``before`` and ``now``: its numbers of rows;
        - ``went_to``: where rows of an old cluster are now, a dictionary from numbers
          to rows, the most first, with -1 for noise;
        - ``came_from``: the same of the rows that a cluster has now.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If ``old_labels`` aren't whole numbers.
    ValueError
        If the lengths differ, or are 0, or a label is missing.

    Examples
    --------
    >>> from skdeepcluster.metrics import align
    >>> labels, table = align([0, 0, 0, 5, 5, -1], [7, 7, 3, 2, 2, 2])
    >>> labels
    array([0, 0, 6, 5, 5, 5])
    >>> table["fate"].to_dict()
    {0: 'split', 5: 'kept', 6: 'new'}
    """
    pandas = import_extra("pandas", "compare", "align")
    old = check_labels(old_labels, "old_labels")
    new = check_labels(new_labels, "new_labels")
    check_consistent_length(old, new)
    if len(old) == 0:
        raise ValueError("old_labels and new_labels are empty.")
    if old.dtype.kind not in "iu":
        raise TypeError(
            f"old_labels has the type {old.dtype}: give whole numbers, as labels_ of a "
            "fit; np.unique(labels, return_inverse=True)[1] makes them of others."
        )
    old = np.where(is_noise(old), -1, old.astype(np.int64))
    labels = _renumbered(old, new)
    went_to, came_from = _moves(old, labels), _moves(labels, old)
    found = sorted({*went_to, *came_from} - {-1})
    table = {
        "fate": [_fate(number, went_to, came_from) for number in found],
        "before": [sum(went_to.get(number, {}).values()) for number in found],
        "now": [sum(came_from.get(number, {}).values()) for number in found],
        "went_to": [went_to.get(number, {}) for number in found],
        "came_from": [came_from.get(number, {}) for number in found],
    }
    return labels, pandas.DataFrame(table, pandas.Index(found, name="cluster"))


def _renumbered(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Give new labels the numbers of the old ones that they share most rows with."""
    labels = np.full(len(new), -1)
    clustered = ~is_noise(new)
    if not clustered.any():
        return labels
    found, members = np.unique(new[clustered], return_inverse=True)
    numbers = np.full(len(found), -1)
    both = old[clustered] >= 0
    ours, theirs = members[both], old[clustered][both]
    if both.any():
        counts = contingency_matrix(ours, theirs)
        one, other = linear_sum_assignment(counts, maximize=True)
        sharing = counts[one, other] > 0
        one, other = one[sharing], other[sharing]
        numbers[np.unique(ours)[one]] = np.unique(theirs)[other]
    free = numbers < 0
    numbers[free] = max(old.max(), -1) + 1 + np.arange(free.sum())
    labels[clustered] = numbers[members]
    return labels


def _moves(labels: np.ndarray, others: np.ndarray) -> dict[int, dict[int, int]]:
    """Count the other labels of the rows of each label, the most frequent first."""
    moves: dict[int, dict[int, int]] = {}
    pairs, counts = np.unique([labels, others], axis=1, return_counts=True)
    for place in np.argsort(-counts, kind="stable"):
        one, other = map(int, pairs[:, place])
        moves.setdefault(one, {})[other] = int(counts[place])
    return moves


def _fate(
    number: int,
    went_to: dict[int, dict[int, int]],
    came_from: dict[int, dict[int, int]],
) -> str:
    """Tell in a word what became of a cluster."""
    if number not in went_to:
        return "new"
    home = _home(went_to[number])
    parts = [
        each for each in came_from if each >= 0 and _home(came_from[each]) == number
    ]
    if len(parts) > 1:
        return "split"
    if home is not None and home >= 0:
        one = [each for each in went_to if each >= 0 and _home(went_to[each]) == home]
        if len(one) > 1:
            return "merged"
    if number not in came_from:
        return "vanished"
    kept = went_to[number].get(number, 0)
    return "kept" if 2 * kept >= sum(went_to[number].values()) else "split"


def _home(moves: dict[int, int]) -> int | None:
    """Where more than half of some rows are, or None."""
    place, count = next(iter(moves.items()))
    return place if 2 * count > sum(moves.values()) else None


@takes_tensors
def leaf_purity(labels_true: Any, labels_pred: Any) -> float:
    """Share of rows that are of the most frequent class of their cluster.

    It rises with the number of clusters: compare trees of as many leaves by it, as in
    [1]_, or clusterings of as many clusters.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Classes, of any type that sorts.
    labels_pred : array-like of shape (n_samples,)
        Clusters; rows of noise, with a negative number, count as wrong.

    Returns
    -------
    float
        Between 0 and 1; higher is better.

    Raises
    ------
    ValueError
        If the lengths differ, or are 0, or a label is missing.

    References
    ----------
    .. [1] Mautz, D., Plant, C. and Boehm, C. (2020). DeepECT: the deep embedded cluster
       tree. Data Science and Engineering 5.
       https://doi.org/10.1007/s41019-020-00134-0

    Examples
    --------
    >>> from skdeepcluster.metrics import leaf_purity
    >>> leaf_purity(["cat", "cat", "dog", "dog"], [0, 0, 0, 1])
    0.75
    """
    labels_true, labels_pred = _checked_pair(labels_true, labels_pred)
    clustered = ~is_noise(labels_pred)
    if not clustered.any():
        return 0.0
    counts = contingency_matrix(labels_true[clustered], labels_pred[clustered])
    return float(counts.max(0).sum() / len(labels_true))


@takes_tensors
def dendrogram_purity(labels_true: Any, leaf_labels: Any, children: Any) -> float:
    """How pure a tree of clusters is where rows of a class come together.

    Of every two rows of one class, the purity is the share of that class in the
    smallest node of the tree that has both; this is the mean over all such pairs [1]_.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Classes, of any type that sorts.
    leaf_labels : array-like of shape (n_samples,)
        Leaf of each row, from 0 on.
    children : array-like of shape (n_leaves - 1, 2)
        The two nodes of each merge, as ``children_`` of `DeepECTClustering`, of
        `GraphClustering` and of scikit-learn's trees has them: a leaf, or the number of
        leaves plus that of an earlier merge.

    Returns
    -------
    float
        Between 0 and 1; higher is better. It is 1 if each class is a node, and if no
        class has two rows.

    Raises
    ------
    ValueError
        If the lengths differ, or are 0, or a label is missing, or ``children`` are no
        tree with the leaves of ``leaf_labels``.

    References
    ----------
    .. [1] Heller, K. A. and Ghahramani, Z. (2005). Bayesian hierarchical clustering.
       ICML. https://doi.org/10.1145/1102351.1102389

    Examples
    --------
    >>> from skdeepcluster.metrics import dendrogram_purity
    >>> dendrogram_purity([0, 0, 1, 1], [0, 1, 2, 2], [[0, 1], [2, 3]])
    1.0
    >>> dendrogram_purity([0, 0, 1, 1], [0, 2, 1, 1], [[0, 1], [2, 3]])
    0.75
    """
    labels_true, leaves = _checked_pair(labels_true, leaf_labels, "leaf_labels")
    children = np.asarray(children).reshape(-1, 2)
    n_leaves = len(children) + 1
    if (
        leaves.dtype.kind not in "iu"
        or not 0 <= leaves.min() <= leaves.max() < n_leaves
    ):
        raise ValueError(
            f"leaf_labels must be whole numbers from 0 to {n_leaves - 1}, the leaves of"
            " the tree: give leaf_labels_ of the fit that children are of."
        )
    if (
        sorted(children.ravel()) != [*range(2 * n_leaves - 2)]
        or not (children.max(1, initial=-1) < n_leaves + np.arange(n_leaves - 1)).all()
    ):
        raise ValueError(
            "children must join each leaf and each earlier merge once: give children_ "
            "of a tree, or the first two columns of its linkage."
        )
    classes, members = np.unique(labels_true, return_inverse=True)
    counts = np.zeros((2 * n_leaves - 1, len(classes)))
    np.add.at(counts, (leaves, members), 1)
    pairs = counts * (counts - 1) / 2
    for node, (one, other) in enumerate(children.astype(int), start=n_leaves):
        counts[node] = counts[one] + counts[other]
        pairs[node] = counts[one] * counts[other]
    if not pairs.any():
        return 1.0
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return float((pairs * shares).sum() / pairs.sum())


def _checked_pair(
    labels_true: Any, labels_pred: Any, name: str = "labels_pred"
) -> tuple[np.ndarray, np.ndarray]:
    """Classes and clusters of the same rows."""
    labels_true = check_labels(labels_true, "labels_true")
    labels_pred = check_labels(labels_pred, name)
    check_consistent_length(labels_true, labels_pred)
    if len(labels_true) == 0:
        raise ValueError(f"labels_true and {name} are empty.")
    return labels_true, labels_pred
