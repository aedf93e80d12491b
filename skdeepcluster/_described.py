"""Rows of clusters as a table of numbers, and what tells the clusters apart there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.stats import rankdata
from sklearn.base import is_outlier_detector
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils.extmath import row_norms

from skdeepcluster._columns import as_frame
from skdeepcluster._fitted import (
    first_table,
    fitted_labels,
    last_step,
    latent_rows,
    searched,
)
from skdeepcluster._labels import check_labels, is_noise
from skdeepcluster._rows import known_rows, plain_settings
from skdeepcluster._said import Feature, is_wordy, read_table
from skdeepcluster._sklearn import _num_samples

# Entries of a sparse matrix that are made dense at once, to be ranked.
BLOCK_ENTRIES = 1 << 23


@dataclass(eq=False)
class Described:
    """Rows as a table of numbers, its columns' names, and their clusters.

    Parameters
    ----------
    rows : {ndarray, csr_array} of shape (n_samples, n_features)
        Numbers; NaN where nothing is known.
    features : list of Feature of length n_features
        What the columns say.
    labels : ndarray of shape (n_samples,)
        Cluster of each row; negative numbers are noise.
    found : ndarray of shape (n_clusters,)
        The clusters, without noise.
    """

    rows: Any
    features: list[Feature]
    labels: np.ndarray
    found: np.ndarray


def labels_of(labels: Any, X: Any) -> np.ndarray:
    """Check that there is a label for each row."""
    labels = check_labels(labels, "labels")
    n_samples = _num_samples(X)
    if len(labels) != n_samples:
        raise ValueError(
            f"labels has {len(labels)} entries and X {n_samples} rows: give a label "
            "for each row."
        )
    return labels


def described(estimator: Any, X: Any, feature_names: Any, labels: Any) -> Described:
    """Make a table of numbers of rows, and find their clusters."""
    if estimator is None and labels is None:
        raise TypeError("Give a fitted clusterer as estimator, or labels.")
    X = known_rows(X)
    whole = searched(estimator)
    # It says what to do about rows that are none, which a clusterer may not.
    rows, features = table_of(whole, X, feature_names)
    if labels is None:
        if is_outlier_detector(whole):
            raise TypeError(
                f"{type(last_step(whole)).__name__} finds outliers and no clusters: "
                "describe_outliers tells why they are odd."
            )
        labels = fitted_labels(estimator, X)
    labels = labels_of(labels, X)
    found = np.unique(labels[~is_noise(labels)])
    if len(found) == 0:
        raise ValueError("Every row is noise: there is no cluster to describe.")
    return Described(rows, features, labels, found)


def table_of(whole: Any, X: Any, feature_names: Any) -> tuple[Any, list[Feature]]:
    """Return what is known of rows in the words of the user, and what it says.

    That is what the columns of a data frame say, or the first table of finite numbers
    on the way to the final step.
    """
    if feature_names is None and hasattr(X, "columns"):
        frame = as_frame(X)
        if is_wordy(frame):
            return read_table(frame)
    rows, table, step = first_table(whole, X)
    names = names_of(rows, table.shape[1], feature_names, whole, step)
    return table.astype(np.float64, copy=False), [
        Feature(name, str(name), "number") for name in names
    ]


def names_of(
    rows: Any, n_features: int, feature_names: Any, whole: Any, n_steps: int
) -> np.ndarray:
    """Names of the columns of what the first steps of a pipeline made of rows."""
    steps = whole[:n_steps] if n_steps else None
    if feature_names is not None:
        names = np.asarray(feature_names, dtype=object)
        if steps is not None and len(names) != n_features:
            names = steps.get_feature_names_out(names)
        if len(names) != n_features:
            raise ValueError(
                f"feature_names has {len(names)} names and the table {n_features} "
                "columns: give a name for each."
            )
        return names
    if hasattr(rows, "columns"):
        return np.asarray([str(name) for name in rows.columns], dtype=object)
    if steps is not None:
        try:
            return steps.get_feature_names_out()
        except (AttributeError, ValueError):
            # Steps such as a FunctionTransformer know none.
            pass
    return np.array([f"x{column}" for column in range(n_features)], dtype=object)


def effects_and_steps(it: Described) -> tuple[np.ndarray, np.ndarray]:
    """Cliff's delta of each column for each cluster, and differences of means.

    The latter are in standard deviations of the column. Where nothing is known of a
    row, it doesn't count.

    Returns
    -------
    effects, steps : ndarray of shape (n_clusters, n_features)
    """
    rows, n_samples = it.rows, len(it.labels)
    # A row for each cluster, with a one for each of its rows.
    member = (it.labels == it.found[:, None]).astype(np.float64)
    effects, steps = np.zeros((2, len(it.found), rows.shape[1]))
    if sp.issparse(rows):
        rows = rows.tocsc()
    width = max(1, BLOCK_ENTRIES // n_samples)
    for first in range(0, rows.shape[1], width):
        block = rows[:, first : first + width]
        block = block.toarray() if sp.issparse(block) else block
        known = ~np.isnan(block)
        sizes, n_known = member @ known, known.sum(0)
        others = n_known - sizes
        # What isn't known has the last ranks, and the others keep theirs.
        ranks = np.where(known, rankdata(np.where(known, block, np.inf), axis=0), 0)
        wins = member @ ranks - sizes * (sizes + 1) / 2
        effect = (2 * wins - sizes * others) / np.maximum(sizes * others, 1)
        effects[:, first : first + width] = effect
        with np.errstate(all="ignore"):
            away = np.nan_to_num(block - np.nansum(block, axis=0) / n_known)
            spread = np.sqrt((away**2).sum(0) / n_known)
            # The mean of the others is that of all the rows, less the cluster's part.
            step = member @ away / sizes * n_known / np.maximum(others, 1) / spread
        steps[:, first : first + width] = step
    return effects, np.nan_to_num(steps)


def strongest(
    it: Described, effects: np.ndarray, steps: np.ndarray, n_features: int
) -> list[int]:
    """Features that set a cluster apart, each column's strongest, best first."""
    # Steps decide between columns that are all the way apart, and between the values of
    # a category that has two, the one that the cluster has.
    best = np.lexsort((effects < 0, -np.abs(steps).round(9), -np.abs(effects)))
    chosen: dict[Any, int] = {}
    for place in best:
        if effects[place] == 0 or len(chosen) == n_features:
            break
        chosen.setdefault(it.features[place].column, int(place))
    return [*chosen.values()]


def reason(it: Described, cluster: Any, place: int) -> str:
    """Tell what a cluster has in a column, and what all other rows have."""
    column = it.rows[:, [place]]
    column = (column.toarray() if sp.issparse(column) else column).ravel()
    inside = it.labels == cluster
    return it.features[place].told(column[inside], column[~inside])


def space_of(estimator: Any, X: Any, it: Described) -> Any:
    """Rows where clusters were looked for, or their table with columns alike."""
    if estimator is not None:
        X = known_rows(X)
        return check_array(latent_rows(searched(estimator), X), accept_sparse="csr")
    with plain_settings():
        rows = StandardScaler(with_mean=False).fit_transform(it.rows)
    return rows if sp.issparse(rows) else np.nan_to_num(rows)


def typical(space: Any, members: np.ndarray, n_rows: int) -> list[int]:
    """Members of a cluster nearest to its mean, no two of them equal."""
    rows = space[members]
    mean = np.asarray(rows.mean(0)).ravel()
    if sp.issparse(rows):
        # Sparse rows are not far from the origin for their spread.
        distances = row_norms(rows, squared=True) - 2 * (rows @ mean)
    else:
        distances = row_norms(rows - mean, squared=True)
    order = np.argsort(distances, kind="stable")
    chosen: list[int] = []
    while len(order) and len(chosen) < n_rows:
        chosen.append(int(members[order[0]]))
        first = order[:1].repeat(len(order) if sp.issparse(rows) else 1)
        order = order[np.asarray((rows[order] != rows[first]).sum(1)).ravel() > 0]
    return chosen
