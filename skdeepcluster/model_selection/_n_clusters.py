"""Choice of the number of clusters."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdeepcluster._docs import documented
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import check_space, last_step
from skdeepcluster._rows import known_rows, takes_tensors
from skdeepcluster._sklearn import _num_samples
from skdeepcluster.model_selection._compare import check_settings, compare_clusterers
from skdeepcluster.model_selection._fits import TreeCut, fit_seeded, seeded
from skdeepcluster.scores import check_n_references

NAMES = {
    "modularity_silhouette": "sum of modularity and silhouette",
    "gap": "gap of that sum above rows without clusters",
    "modularity": "modularity",
    "pooled_silhouette": "pooled silhouette",
    "silhouette": "silhouette in the reference space",
    "stability": "stability",
    "bic": "BIC",
}
CRITERIA = tuple(NAMES)


@documented
@dataclass(eq=False)
class NClustersSelection:
    """What `select_n_clusters` found.

    Parameters
    ----------
    n_clusters : int
        The choice; 1 where nothing shows that there are clusters.
    estimator : estimator or None
        The candidate with that number of clusters, fitted to all the rows. None where
        it can't have a single one.
    table : pandas.DataFrame
        A row for each number of clusters, with the columns of `compare_clusterers`,
        ``modularity_silhouette``, the sum of two of them, ``gap``, that sum less its
        reference, and, for mixtures, ``bic`` (lower is better).
    criterion : str
        The column that decided.
    reasons : list of str
        Why the choice was made, and what the other criteria would have chosen.
    """

    n_clusters: int
    estimator: Any
    table: Any
    criterion: str
    reasons: list[str]

    def __repr__(self) -> str:
        lines = [f"n_clusters={self.n_clusters}", *self.reasons, repr(self.table)]
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Draw every criterion over the number of clusters, and mark the choice.

        Parameters
        ----------
        {ax_and_figure}
        """
        from skdeepcluster.plotting._common import new_axes, panels

        names = [name for name in CRITERIA if name in self.table]
        names = [name for name in names if self.table[name].notna().any()]
        ax = new_axes(ax, 8, 1 + 1.5 * len(names))
        grid = panels(ax, len(names), 1)[:, 0]
        ticks = list(self.table.index)
        for panel, name in zip(grid, names, strict=True):
            values = self.table[name]
            panel.plot(ticks, values, marker="o", color="C0")
            best = preferred(values, name)
            panel.plot(best, values[best], "o", color="C1", markersize=9)
            panel.axvline(self.n_clusters, color="C2", linestyle="--", linewidth=1)
            bold = "bold" if name == self.criterion else "normal"
            note = " (lower is better)" if name == "bic" else ""
            panel.set_title(f"{NAMES[name]}{note}: {best}", fontsize=10, weight=bold)
            panel.set_xticks(ticks, [] if name != names[-1] else None)
        grid[-1].set_xlabel("number of clusters")
        ax.figure.suptitle("\n".join(self.reasons), fontsize=9)
        return ax.figure


@takes_tensors
def select_n_clusters(
    estimator: Any,
    X: Any,
    k_range: Iterable[int],
    *,
    criterion: str = "modularity_silhouette",
    space: Any = None,
    metric: str = "euclidean",
    n_runs: int = 3,
    subsample: float = 0.8,
    sample_size: int | None = 2000,
    random_state: int = 0,
    n_references: int = 3,
    progress: bool | None = None,
) -> NClustersSelection:
    """Choose the number of clusters without labels.

    A candidate is fitted for each number, and again to subsamples, which tell how
    stable its clusters are. A deep clusterer pretrains its autoencoder once, on all the
    rows, for all of them. A :class:`~skdeepcluster.graph.GraphClustering` is fitted
    once, and once more for each further run: its candidates are the cuts of one tree.
    The tree leads through the clusters of the estimator as it is given, whose number it
    finds if that is None; the first row of the table has the time of the fit. Numbers
    above that of its leaves have fits of their own.

    The choice is 1 where nothing shows that the rows have clusters, as
    `compare_clusterers` tells.

    Parameters
    ----------
    estimator : clusterer or Pipeline
        It has a parameter ``n_clusters`` or ``n_components``; a pipeline ends in one
        that has.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or list
        Rows to cluster.
    k_range : iterable of int
        Numbers of clusters to try. The choice may be 1 without 1 being among them; if
        it is, the table has a row for it, where all but ``bic`` is not a number.
    criterion : {"modularity_silhouette", "gap", "modularity", "pooled_silhouette", \
            "silhouette", "stability", "bic"}, default="modularity_silhouette"
        What decides. Modularity alone splits clusters in a space of few dimensions, and
        a silhouette alone joins what is not round; their sum, both being taken in the
        reference space, was the best guide in the benchmark of the user guide. "gap"
        is how far that sum is above its reference. "bic" is for mixtures.
    space : None, fitted transformer or callable, default=None
        Reference space of the scores; None is that of ``X`` or, where that holds words,
        dates or gaps, what the steps before the clusterer make of it.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance in all the spaces.
    n_runs : int, default=3
        Fits of each candidate; 1 skips stability.
    subsample : float, default=0.8
        Share of rows in the fits after the first.
    sample_size : int or None, default=2000
        Rows to score, at most. None is all of them.
    random_state : int, default=0
        Seed of samples and candidates, as in `compare_clusterers`.
    n_references : int, default=3
        Sets of rows without clusters to compare with. With 0, none are, and there are
        clusters by assumption.
    progress : bool or None, default=None
        Whether to show a progress bar. None shows one on a terminal only.

    Returns
    -------
    NClustersSelection
        The choice, with its reasons.

    See Also
    --------
    compare_clusterers : What each column of the table means.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepcluster.model_selection import select_n_clusters
    >>> X, _ = make_blobs(200, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> selection = select_n_clusters(KMeans(), X, range(2, 6))
    >>> selection.n_clusters
    3
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).uniform(size=(300, 2))
    >>> select_n_clusters(KMeans(), rows, range(2, 6)).n_clusters
    1
    """
    X = known_rows(X)
    numbers = check_range(k_range, _num_samples(X))
    parameter = number_parameter(estimator)
    check_criterion(criterion, estimator, n_runs, n_references)
    check_space(space)
    check_settings(metric, n_runs, subsample, sample_size, random_state)
    check_n_references(n_references)
    shared = pretrained(seeded(estimator, random_state, only_unset=True), X)
    trees: dict[int, Any] = {}

    def candidate(k: int) -> Any:
        if hasattr(last_step(shared), "with_n_clusters"):
            return TreeCut(shared, parameter, k, trees)
        return clone(shared).set_params(**{parameter: k})

    comparison = compare_clusterers(
        {str(k): candidate(k) for k in numbers},
        X,
        space=space,
        metric=metric,
        n_runs=n_runs,
        subsample=subsample,
        sample_size=sample_size,
        random_state=random_state,
        n_references=n_references,
        progress=progress,
    )
    if not comparison.estimators:
        error = comparison.table["error"].iloc[0]
        raise ValueError(f"No number of clusters could be fitted: {error}")
    table = comparison.table.set_index(comparison.table.index.astype(int))
    both = table["modularity"] + table["silhouette"]
    table = table.assign(modularity_silhouette=both)
    if n_references:
        expected = table["modularity_reference"] + table["silhouette_reference"]
        table = table.assign(gap=both - expected)
    # One cluster is like another: what compares several has no value for it.
    table.loc[table.index == 1, [c for c in CRITERIA if c in table]] = np.nan
    table = add_bic(table, comparison.estimators, X)
    if table[criterion].isna().all():
        error = table["error"].iloc[0]
        raise ValueError(f"No number of clusters has a {NAMES[criterion]}: {error}")
    best = preferred(table[criterion], criterion)
    sentences = reasons(table, criterion, best)
    if comparison.evidence:
        sentences.append(comparison.evidence)
    if comparison.clustered is not False or best == 1:
        chosen = comparison.estimators[str(best)]
        return NClustersSelection(best, chosen, table, criterion, sentences)
    sentences = [comparison.evidence, f"Of the others, {sentences[0]}"]
    chosen = comparison.estimators.get("1")
    if chosen is None:
        try:
            chosen = fit_seeded(candidate(1), X, random_state, only_unset=True)
        except Exception as error:
            sentences.append(f"There is no estimator with one cluster: {error}")
    return NClustersSelection(1, chosen, table, criterion, sentences)


def check_range(k_range: Iterable[int], n_samples: int) -> list[int]:
    """Sorted numbers of clusters to try."""
    if not isinstance(k_range, Iterable):
        raise TypeError(f"k_range must hold numbers of clusters, got {k_range!r}.")
    numbers = sorted(set(k_range))
    if len(numbers) < 2 or not all(isinstance(k, Integral) for k in numbers):
        raise ValueError(f"k_range must hold two integers or more, got {numbers}.")
    if numbers[0] < 1 or numbers[-1] >= n_samples:
        raise ValueError(
            f"k_range must lie between 1 and n_samples - 1={n_samples - 1}, got "
            f"{numbers}."
        )
    return [int(k) for k in numbers]


def check_criterion(
    criterion: str, estimator: Any, n_runs: int, n_references: int
) -> None:
    """Refuse a criterion that won't have values."""
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be one of {CRITERIA}, got {criterion!r}.")
    if criterion == "stability" and n_runs == 1:
        raise ValueError("criterion='stability' needs n_runs of 2 or more, got 1.")
    if criterion == "gap" and n_references == 0:
        raise ValueError("criterion='gap' needs n_references of 1 or more, got 0.")
    if criterion == "bic" and not hasattr(last_step(estimator), "bic"):
        raise ValueError(
            f"criterion='bic' needs a mixture; {type(last_step(estimator)).__name__} "
            "has no bic."
        )


def number_parameter(estimator: Any) -> str:
    """Name of the parameter that holds the number of clusters."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"estimator must be a clusterer, got {estimator!r}.")
    prefix = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
    known = last_step(estimator).get_params(deep=False)
    for name in ("n_clusters", "n_components"):
        if name in known:
            return prefix + name
    raise TypeError(
        f"{type(last_step(estimator)).__name__} has no parameter n_clusters or "
        "n_components to choose."
    )


def pretrained(estimator: Any, X: Any) -> Any:
    """Estimator whose fits share what can be trained once, fitted earlier steps too."""
    if isinstance(estimator, Pipeline) and hasattr(estimator[-1], "pretrain"):
        Z = estimator[:-1].fit_transform(X) if len(estimator) > 1 else X
        name = estimator.steps[-1][0]
        return estimator.set_params(**{name: estimator[-1].pretrain(Z)})
    return estimator.pretrain(X) if hasattr(estimator, "pretrain") else estimator


def add_bic(table: Any, estimators: dict[str, Any], X: Any) -> Any:
    """Add the information criterion of mixtures to the table."""
    values = {}
    for name, estimator in estimators.items():
        final = last_step(estimator)
        if hasattr(final, "bic"):
            Z = X if final is estimator else estimator[:-1].transform(X)
            values[int(name)] = float(final.bic(Z))
    pandas = import_extra("pandas", "compare", "select_n_clusters")
    return table.assign(bic=pandas.Series(values, dtype=float)) if values else table


def preferred(values: Any, criterion: str) -> int:
    """Return the number of clusters that a criterion prefers."""
    return int(values.idxmin() if criterion == "bic" else values.idxmax())


def reasons(table: Any, criterion: str, choice: int) -> list[str]:
    """Sentences on the choice."""
    direction = "lowest" if criterion == "bic" else "highest"
    value = table.loc[choice, criterion]
    clusters = "1 cluster has" if choice == 1 else f"{choice} clusters have"
    sentences = [f"{clusters} the {direction} {NAMES[criterion]}, {value:,.3f}."]
    for name in CRITERIA:
        if name == criterion or name not in table or table[name].isna().all():
            continue
        other = preferred(table[name], name)
        agrees = "agrees" if other == choice else f"would choose {other}"
        sentences.append(f"The {NAMES[name]} {agrees}.")
    stability = table.loc[choice, "stability"]
    if stability < 0.5:
        sentences.append(
            f"Fits with {choice} clusters agree little (ARI {stability:.2f}): doubt it."
        )
    # Whether there are two clusters or one is for the reference to say.
    if choice == table.index[-1] or choice == table.index[0] > 2:
        sentences.append("The choice is at the end of k_range: widen it.")
    return sentences
