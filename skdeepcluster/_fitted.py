"""What can be asked of any fitted clusterer, alone or at the end of a pipeline."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted


def last_step(estimator: Any) -> Any:
    """Return the final estimator of a pipeline, or the estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def sample_rows(n_samples: int, sample_size: int | None, seed: int) -> np.ndarray:
    """Return sorted indices of a sample that depends on the arguments alone."""
    if sample_size is None or sample_size >= n_samples:
        return np.arange(n_samples)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_samples, sample_size, replace=False))


def fitted_labels(estimator: Any, X: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """Return labels of ``X`` or of some of its rows, noise of any kind being -1.

    A clusterer without ``predict`` has labels for its training data only.
    """
    check_is_fitted(estimator)
    rows = np.arange(_num_samples(X)) if rows is None else rows
    if hasattr(estimator, "predict"):
        labels = np.asarray(estimator.predict(_safe_indexing(X, rows)))
    else:
        labels = np.asarray(last_step(estimator).labels_)
        if len(labels) != _num_samples(X):
            raise ValueError(
                f"{type(last_step(estimator)).__name__} has no predict, and its "
                f"{len(labels)} labels_ are not of the {_num_samples(X)} rows given. "
                "Use it on its training data; in a search, with cv=AllData()."
            )
        labels = labels[rows]
    return np.where(labels < 0, -1, labels)


def latent_rows(estimator: Any, X: Any) -> Any:
    """Return rows of ``X`` in the space where a clusterer looked for clusters.

    That is its latent space, if it can take rows there and back (``transform`` alone
    may give distances to centres), or else what the earlier steps of a pipeline made.
    """
    final = last_step(estimator)
    Z = estimator[:-1].transform(X) if final is not estimator else X
    if hasattr(final, "transform") and hasattr(final, "inverse_transform"):
        return final.transform(Z)
    return Z
