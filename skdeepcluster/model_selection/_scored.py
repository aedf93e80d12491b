"""Scores of the candidates of a comparison."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    pairwise_distances,
)

from skdeepcluster._labels import comparable
from skdeepcluster._reference import Reference
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.model_selection._fits import CandidateFit
from skdeepcluster.scores import (
    calinski_harabasz,
    modularity,
    negative_davies_bouldin,
    silhouette,
)


def share_equal(sample: Any, spaces: dict[str, Any]) -> dict[str, Any]:
    """Spaces by candidate, equal ones being one object, as is the reference."""
    distinct = [sample]
    shared: dict[str, Any] = {}
    for name, Z in spaces.items():
        known = next((other for other in distinct if same_rows(Z, other)), None)
        if known is None:
            distinct.append(Z)
        shared[name] = Z if known is None else known
    return shared


def same_rows(A: Any, B: Any) -> bool:
    """Whether two arrays or sparse matrices hold the same numbers."""
    if A.shape != B.shape:
        return False
    difference = A - B
    return not (difference.nnz if hasattr(difference, "nnz") else difference.any())


def describe(
    fit: CandidateFit, sample: Any, rows: np.ndarray, y: Any, metric: str
) -> dict[str, Any]:
    """Row of the table, without the pooled silhouette."""
    labels = fit.labels
    sampled = labels[rows]
    record = {
        "n_clusters": len(np.unique(labels[labels != -1])),
        "noise": float(np.mean(labels == -1)),
        "modularity": modularity(sample, sampled, metric),
        "silhouette": silhouette(sample, sampled, metric),
        "calinski_harabasz": calinski_harabasz(sample, sampled, metric),
        "davies_bouldin": -negative_davies_bouldin(sample, sampled, metric),
        "stability": fit.stability,
        "fit_seconds": fit.fit_seconds,
        "predict_seconds": fit.predict_seconds,
        "peak_memory_mb": fit.peak_memory_mb,
        "error": fit.error,
    }
    if y is not None:
        record["accuracy"] = clustering_accuracy(y, labels)
        record["nmi"] = normalized_mutual_info_score(y, labels)
        record["ari"] = adjusted_rand_score(y, labels)
    return record


def add_references(
    records: dict[str, dict[str, Any]],
    reference: Reference,
    labels: dict[str, np.ndarray],
    metric: str,
) -> None:
    """Add what scores would be without clusters."""

    def score(rows: np.ndarray, found: np.ndarray) -> tuple[float, float]:
        return modularity(rows, found, metric), silhouette(rows, found, metric)

    known: dict[int, np.ndarray] = {}
    for name, each in labels.items():
        clustered = each[each != -1]
        if not comparable(clustered):
            continue
        k = len(np.unique(clustered))
        if k not in known:
            known[k] = reference.scores(k, score)
        record = records[name]
        record["modularity_reference"], record["silhouette_reference"] = known[k]


def pooled_silhouettes(
    spaces: Iterable[Any], labels: dict[str, np.ndarray], metric: str
) -> Iterator[tuple[str, float]]:
    """Mean silhouette of each candidate's labels over the distinct spaces."""
    scores: dict[str, list[float]] = {name: [] for name in labels}
    for Z in {id(Z): Z for Z in spaces}.values():
        distances = pairwise_distances(Z, metric=metric)
        for name, each in labels.items():
            scores[name].append(silhouette(distances, each, "precomputed"))
    for name, values in scores.items():
        yield name, float(np.mean(values))
