"""What scikit-learn's clustering metrics lack."""

from typing import Any

from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._fitted import fitted_labels
from skdeepcluster._labels import check_labels, is_noise
from skdeepcluster._rows import takes_tensors

__all__ = ["clustering_accuracy", "clustering_accuracy_scorer"]


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
    labels_true = check_labels(labels_true, "labels_true")
    labels_pred = check_labels(labels_pred, "labels_pred")
    check_consistent_length(labels_true, labels_pred)
    if len(labels_true) == 0:
        raise ValueError("labels_true and labels_pred are empty.")
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
