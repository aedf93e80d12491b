"""What to look at before data are learned from: rows twice, and labels that are wrong.

`near_duplicates` finds rows that are the same or nearly so, and `label_issues` labels
that the clusters and neighbours of their rows contradict. Both give tables, which needs
``pip install 'skdeepcluster[compare]'``, and change nothing.
"""

from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array, gen_batches
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._extras import import_extra
from skdeepcluster._rows import (
    check_counts,
    known_rows,
    refuse_images,
    refuse_nested,
    takes_tensors,
)
from skdeepcluster.graph.rows import Nodes
from skdeepcluster.labelling import ClusterThenLabelClassifier
from skdeepcluster.labelling._answers import answers_as_codes, known_answers

__all__ = ["label_issues", "near_duplicates"]

# Rows whose neighbours are measured at a time.
ROWS_AT_ONCE = 1024

# Distances that differ by a smaller share are equal but for rounding.
ROUNDING = 1e-6


@takes_tensors
def near_duplicates(X: Any, *, chance: float = 0.001, n_neighbors: int = 15) -> Any:
    """Find rows that are the same, or nearly so.

    Rows are nearly the same if the step from them to all others is much longer than any
    between neighbours is elsewhere. Where rows lie as densely on all sides, of the j-th
    neighbour's distance d(j) and the next one's, (d(j) / d(j + 1)) ** D is spread
    evenly from 0 to 1 for j = 1, D being the number of dimensions in which rows vary.
    Two rows belong together if, seen from each of them, such a step below ``chance``
    lies beyond the other. So there is no distance to choose, no unit, and no difference
    between dense places and others. D is taken from how the distances of all rows grow
    from the middle neighbour to the last [1]_.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows; columns of different units have to be scaled first. Of images, features of
        a network find copies that were cut, scaled or saved again.
    chance : float, default=0.001
        Share of the rows that would be called so where none are.
    n_neighbors : int, default=15
        Neighbours to look at: a group has as many distinct rows and one, at most.

    Returns
    -------
    pandas.DataFrame
        A line for each row that has a near duplicate, with the number of its ``group``,
        its position ``row`` in ``X``, the ``distance`` to the nearest row of its group,
        and that ``relative`` to the nearest row outside it, 0 for equal rows. The
        groups that are most alike come first. ``table["row"][table.duplicated("group"
        )]`` are the rows to leave out so that one of each group stays.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If ``X`` is no table of finite numbers, or a parameter is unusable.

    References
    ----------
    .. [1] Pettis, K., Bailey, T., Jain, A. and Dubes, R. (1979). An intrinsic
       dimensionality estimator from near-neighbor information. IEEE PAMI 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import scale
    >>> from skdeepcluster.cleaning import near_duplicates
    >>> X = scale(load_wine().data)
    >>> table = near_duplicates(np.vstack([X, X[:1], X[5:6] + 0.01]))
    >>> table[["group", "row"]].to_numpy()
    array([[  0,   0],
           [  0, 178],
           [  1,   5],
           [  1, 179]])
    """
    pandas = import_extra("pandas", "compare", "near_duplicates")
    if not isinstance(chance, Real) or not 0 < chance < 1:
        raise ValueError(f"chance={chance!r} must be a number between 0 and 1.")
    check_counts(n_neighbors=n_neighbors)
    refuse_images(X)
    X = known_rows(X)
    refuse_nested(X)
    X = check_array(X, accept_sparse="csr", dtype=np.float64)
    nodes = Nodes.of(X, ordered=True)
    near, lengths = neighbors_of(X[nodes.first], n_neighbors + 1)
    ties = mutual_ties(near, lengths, chance)
    groups = connected_components(ties, directed=False)[1]
    several = np.bincount(groups, nodes.mass)[groups] > 1
    rows = np.flatnonzero(several[nodes.inverse])
    node = nodes.inverse[rows]
    # Of rows that lie beyond the last neighbour, that is the nearest known.
    within = groups[near[node]] == groups[node][:, None]
    inside = np.where(within, lengths[node], np.inf).min(1, initial=np.inf)
    inside[nodes.mass[node] > 1] = 0
    outside = np.where(within, np.inf, lengths[node]).min(1, initial=np.inf)
    table = pandas.DataFrame(
        {
            "group": groups[node],
            "row": rows,
            "distance": inside,
            "relative": inside / outside,
        }
    )
    table["alike"] = table.groupby("group")["relative"].transform("mean")
    table["first"] = table.groupby("group")["row"].transform("min")
    table = table.sort_values(["alike", "first", "row"], ignore_index=True)
    table["group"] = pandas.factorize(table["group"])[0]
    return table.drop(columns=["alike", "first"])


def neighbors_of(rows: Any, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest other rows of distinct ones, and how far these are, in their order."""
    n_rows = rows.shape[0]
    n_neighbors = min(n_neighbors, n_rows - 1)
    if n_neighbors == 0:
        return np.empty((n_rows, 0), dtype=np.int64), np.empty((n_rows, 0))
    if not sp.issparse(rows):
        # Squares of what is far from the origin would leave no room for differences.
        rows = rows - np.median(rows, axis=0)
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(rows)
    near: Any = search.kneighbors(return_distance=False)
    lengths = np.empty(near.shape)
    for part in gen_batches(n_rows, ROWS_AT_ONCE):
        for place in range(n_neighbors):
            apart = rows[part] - rows[near[part, place]]
            squares = apart.multiply(apart) if sp.issparse(apart) else apart**2
            lengths[part, place] = np.sqrt(np.asarray(squares.sum(1)).ravel())
    order = lengths.argsort(1, kind="stable")
    return np.take_along_axis(near, order, 1), np.take_along_axis(lengths, order, 1)


def mutual_ties(near: np.ndarray, lengths: np.ndarray, chance: float) -> sp.csr_array:
    """Ties of rows of which each is among the near duplicates of the other."""
    n_rows, n_neighbors = near.shape
    middle = (n_neighbors - 1) // 2
    held = np.zeros(near.shape, dtype=bool)
    if middle > 0:
        with np.errstate(all="ignore"):
            growth = np.log(lengths[:, -1] / lengths[:, middle])
            growth = growth[np.isfinite(growth) & (growth > ROUNDING)]
            steps = lengths[:, :-1] / lengths[:, 1:]
        if len(growth):
            dims = np.log(n_neighbors / (middle + 1)) / np.median(growth)
            long = steps**dims < chance
            # All neighbours before the last of the long steps.
            held[:, :-1] = np.logical_or.accumulate(long[:, ::-1], axis=1)[:, ::-1]
    begins = np.concatenate([[0], held.sum(1).cumsum()])
    ties = sp.csr_array(
        (np.ones(begins[-1]), near[held], begins), shape=(n_rows, n_rows)
    )
    return sp.csr_array(ties.multiply(ties.T))


def label_issues(
    X: Any, y: Any, estimator: Any = None, *, random_state: Any = 0
) -> Any:
    """Find labels that the clusters and the neighbours of their rows contradict.

    Each label is left out in turn, a fifth of them at a time, and
    :class:`~skdeepcluster.labelling.ClusterThenLabelClassifier` tells from all others,
    from clusters, neighbours and a classifier, what it should be. Labels are listed
    that are less probable than another.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows; columns of different units have to be scaled first.
    y : array-like of shape (n_samples,)
        Label of each row; -1, None or NaN where there is none, of ten at least. Strings
        beside these need a list, or an array of dtype object.
    estimator : clusterer or None, default=None
        Estimator or pipeline that finds the clusters; one that is fitted is used as it
        is. None is :class:`skdeepcluster.graph.GraphClustering`.
    random_state : int, RandomState instance or None, default=0
        Seed of the clusters and of which labels are left out together.

    Returns
    -------
    pandas.DataFrame
        The labels to look at, the most suspicious first: the position ``row`` in ``X``,
        its ``label``, the one that is ``suggested``, and the ``score``, which is how
        much more probable that is, from 0 to 1. The only row of a class has no others
        to tell its label, and is not listed.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If there are fewer than ten labels or two classes, or the data are unusable.

    See Also
    --------
    skdeepcluster.labelling.write_questions : A page on which a person decides.

    Notes
    -----
    What is listed isn't wrong for certain: rows between classes are listed as well,
    with lower scores, and many rows of classes that the columns don't tell apart.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import scale
    >>> from skdeepcluster.cleaning import label_issues
    >>> wine = load_wine()
    >>> y = wine.target_names[wine.target]
    >>> y[3] = "class_2"
    >>> label_issues(scale(wine.data), y).head(1)[["row", "label", "suggested"]]
       row    label suggested
    0    3  class_2   class_0
    """
    pandas = import_extra("pandas", "compare", "label_issues")
    if estimator is not None and not isinstance(estimator, FrozenEstimator):
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            pass
        else:
            estimator = FrozenEstimator(estimator)
    model = ClusterThenLabelClassifier(estimator, random_state=random_state).fit(X, y)
    shares, classes = model.left_out_distributions_, model.classes_
    if shares is None:
        raise ValueError(
            "y has too few labels to leave some out: give ten at least, of two classes "
            "with several rows each."
        )
    labels, known = known_answers(y)
    rows = np.flatnonzero(known)
    codes = answers_as_codes(labels, known)[1]
    several = np.bincount(codes)[codes] > 1
    others, given = shares[rows], shares[rows, codes]
    others[np.arange(len(rows)), codes] = -1
    suggested, scores = others.argmax(1), others.max(1) - given
    listed = np.flatnonzero(several & (scores > 0))
    listed = listed[np.argsort(-scores[listed], kind="stable")]
    return pandas.DataFrame(
        {
            "row": rows[listed],
            "label": classes[codes[listed]],
            "suggested": classes[suggested[listed]],
            "score": scores[listed],
        }
    )
