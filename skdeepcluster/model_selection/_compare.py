"""Comparison of clusterers of any kind, with and without labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._docs import documented
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import check_space, latent_rows, reference_rows
from skdeepcluster._labels import check_labels
from skdeepcluster._reference import Reference
from skdeepcluster._rows import known_rows, sample_rows, takes_tensors
from skdeepcluster._sklearn import _name_estimators, _num_samples, _safe_indexing
from skdeepcluster._warnings import warn
from skdeepcluster.model_selection._fits import (
    CandidateFit,
    as_text,
    common_preparation,
    fit_candidate,
)
from skdeepcluster.model_selection._report import MEANINGS, html_report, plot_table
from skdeepcluster.model_selection._scored import (
    add_references,
    describe,
    pooled_silhouettes,
    share_equal,
)
from skdeepcluster.scores import (
    METRICS,
    check_n_references,
    check_sample_size,
    check_seed,
    dense_rows,
)


@documented
@dataclass(eq=False)
class ClustererComparison:
    """What `compare_clusterers` found.

    Parameters
    ----------
    table : pandas.DataFrame
        A row for each candidate; see `compare_clusterers` for its columns.
    estimators : dict of str to estimator
        The candidates fitted to all the data; those that failed are missing.
    labels : dict of str to ndarray of shape (n_samples,)
        Their clusters.
    rows : ndarray
        Indices of the rows that were scored and are drawn.
    sample : array or sparse matrix
        Those rows in the reference space.
    spaces : dict of str to array
        The same rows in each candidate's own space; equal spaces are one object.
    metric : str
        Distance in all the spaces.
    clustered : bool or None
        Whether anything shows that the rows have clusters at all; see
        `compare_clusterers`. None where they are too few to tell, or nobody asked.
    evidence : str
        The same in words.
    """

    table: Any
    estimators: dict[str, Any]
    labels: dict[str, np.ndarray]
    rows: np.ndarray
    sample: Any
    spaces: dict[str, Any]
    metric: str
    clustered: bool | None
    evidence: str

    @property
    def best_name(self) -> str:
        """Name of the candidate with the highest modularity."""
        if not self.estimators:
            raise ValueError("Every candidate failed: see table['error'].")
        return str(self.table["modularity"].idxmax())

    def plot(self, ax: Any = None) -> Any:
        """Draw the scores of all candidates beside each other.

        Parameters
        ----------
        {ax_and_figure}
        """
        return plot_table(self.table, ax)

    def to_html(self, path: Any = None) -> str:
        """Write a report with table and pictures as one file.

        Parameters
        ----------
        path : str or Path, default=None
            File to write. None writes nothing.

        Returns
        -------
        str
            The report: a page that needs no other file and no network.
        """
        page = html_report(self)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def __repr__(self) -> str:
        # That of a dataclass would print every array.
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table.to_html()


@takes_tensors
def compare_clusterers(
    estimators: Any,
    X: Any,
    y: Any = None,
    *,
    space: Any = None,
    metric: str = "euclidean",
    n_runs: int = 3,
    subsample: float = 0.8,
    sample_size: int | None = 2000,
    random_state: int = 0,
    n_references: int = 3,
    progress: bool | None = None,
) -> ClustererComparison:
    """Compare clusterers of any kind on the same rows.

    Every candidate is cloned and fitted to all the rows, and then fitted again, with
    other seeds, to subsamples of them. A candidate that fails has a row that says why;
    if only a fit to a subsample fails, as of more clusters than that has rows, all but
    the stability is kept.

    Scores are taken on a sample of rows. The *pooled* silhouette is the mean over all
    the spaces at hand [1]_: the reference space and each candidate's own. The own
    space of a candidate is its latent space, where it can ``transform`` rows and
    ``inverse_transform`` them back, or what the earlier steps of a pipeline made of
    the rows. Equal spaces count once.

    Every score is above zero where there are no clusters. The *reference* of a
    candidate is what k-means reaches with as many clusters on rows without any, uniform
    in the box along the principal components of the sample [2]_. No candidate is fitted
    to them: a reference depends on the number of clusters alone.

    Rows have clusters if :class:`~skdeepcluster.graph.GraphClustering` counts more than
    one in the sample, whatever the candidates are. Scores alone don't count: a long
    curve is cut well and is one cluster.

    Parameters
    ----------
    estimators : dict of str to clusterer, or list of (str, clusterer) or clusterer
        Candidates: scikit-learn clusterers, mixtures, pipelines that end in one. Names
        of another type become strings.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or list
        Rows to cluster.
    y : array-like of shape (n_samples,), default=None
        Classes to judge by; no candidate sees them.
    space : None, fitted transformer or callable, default=None
        Reference space of the scores; None is that of ``X`` or, where that holds words,
        dates or gaps, what the first steps that all the pipelines have in common make
        of it.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance in all the spaces.
    n_runs : int, default=3
        Fits of each candidate, the one to all the rows included; 1 skips stability.
    subsample : float, default=0.8
        Share of rows in the other fits. With 1, only the seeds differ, and a candidate
        without one is trivially stable.
    sample_size : int or None, default=2000
        Rows to score, at most. None is all of them; silhouettes need a matrix of the
        distances between all pairs.
    random_state : int, default=0
        Seed of samples, and of the candidates: a ``random_state`` that is None is set
        in the first fit, and every one in the others.
    n_references : int, default=3
        Sets of rows without clusters to compare with; 0 compares with none.
    progress : bool or None, default=None
        Whether to show a progress bar. None shows one on a terminal only.

    Returns
    -------
    ClustererComparison
        Its ``table`` has, for each candidate,

        - ``n_clusters`` and ``noise``, the share of rows labelled -1;
        - ``modularity`` in a neighbour graph, ``silhouette``, ``calinski_harabasz`` and
          ``davies_bouldin`` (lower is better), all in the reference space, noise
          counting as in `clustering_scorer`;
        - ``modularity_reference`` and ``silhouette_reference``: what they would be
          without clusters;
        - ``pooled_silhouette``;
        - ``stability``: mean adjusted Rand index between all pairs of fits, on the rows
          that both have seen;
        - ``accuracy``, ``nmi`` and ``ari`` where ``y`` is given;
        - ``fit_seconds`` and ``predict_seconds`` for all the rows;
        - ``peak_memory_mb``: highest resident memory in the fit above that at its
          start, where Linux tells; what a fit takes from memory that earlier ones gave
          back to the process is not seen;
        - ``error``: of what class and what it says, or empty; after "Stability: ",
          that of a fit to a subsample.

    Warns
    -----
    ConvergenceWarning
        If the user interrupts: the candidates that have finished are kept.

    References
    ----------
    .. [1] Wang, Z. et al. (2024). Deep clustering evaluation: how to validate internal
       clustering validation measures. https://arxiv.org/abs/2403.14830
    .. [2] Tibshirani, R., Walther, G. and Hastie, T. (2001). Estimating the number of
       clusters in a data set via the gap statistic. JRSS B 63.

    Examples
    --------
    >>> from sklearn.cluster import DBSCAN, KMeans
    >>> from sklearn.datasets import load_iris
    >>> from skdeepcluster.model_selection import compare_clusterers
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare_clusterers([KMeans(3), DBSCAN()], X, y)
    >>> comparison.table["n_clusters"].to_dict()
    {'kmeans': 3, 'dbscan': 2}
    >>> comparison.clustered
    True
    """
    pandas = import_extra("pandas", "compare", "compare_clusterers")
    tqdm = import_extra("tqdm", "compare", "compare_clusterers").tqdm
    candidates = name_candidates(estimators)
    if not candidates:
        raise ValueError("estimators holds no clusterer to compare.")
    check_space(space)
    check_settings(metric, n_runs, subsample, sample_size, random_state)
    check_n_references(n_references)
    X = known_rows(X)
    if y is not None:
        y = check_labels(y, "y")
        check_consistent_length(X, y)
    rows = sample_rows(_num_samples(X), sample_size, random_state)
    if space is None:
        space = common_preparation(candidates.values(), X, random_state)
    sample = reference_rows(space, _safe_indexing(X, rows))

    records: dict[str, dict[str, Any]] = {}
    fits: dict[str, CandidateFit] = {}
    spaces: dict[str, Any] = {}
    disable = None if progress is None else not progress
    for name, estimator in tqdm(candidates.items(), unit="candidate", disable=disable):
        try:
            fit = fit_candidate(estimator, X, n_runs, subsample, random_state)
            space_of_fit = reference_rows(
                None, latent_rows(fit.estimator, _safe_indexing(X, rows))
            )
            records[name] = describe(fit, sample, rows, y, metric)
            fits[name], spaces[name] = fit, space_of_fit
        except Exception as error:
            records[name] = {"error": as_text(error)}
        except KeyboardInterrupt:
            if not fits:
                raise
            left = [each for each in candidates if each not in records]
            warn(
                f"The comparison was interrupted: it keeps {', '.join(fits)} and leaves"
                f" {', '.join(left)} out.",
                ConvergenceWarning,
            )
            break

    spaces = share_equal(sample, spaces)
    sampled = {name: fit.labels[rows] for name, fit in fits.items()}
    for name, value in pooled_silhouettes([sample, *spaces.values()], sampled, metric):
        records[name]["pooled_silhouette"] = value
    clustered, evidence = None, ""
    if n_references:
        reference = Reference.of(dense_rows(sample, metric), n_references, random_state)
        add_references(records, reference, sampled, metric)
        clustered, evidence = reference.clustered, reference.in_words()
    table = pandas.DataFrame.from_dict(
        records, orient="index", columns=[*MEANINGS, "error"]
    )
    if y is None:
        table = table.drop(columns=["accuracy", "nmi", "ari"])
    if not n_references:
        table = table.drop(columns=["modularity_reference", "silhouette_reference"])
    return ClustererComparison(
        table,
        {name: fit.estimator for name, fit in fits.items()},
        {name: fit.labels for name, fit in fits.items()},
        rows,
        sample,
        spaces,
        metric,
        clustered,
        evidence,
    )


def name_candidates(estimators: Any) -> dict[str, Any]:
    """Candidates by name, in their order."""
    if hasattr(estimators, "fit"):
        raise TypeError(
            f"estimators must be a dict or list of clusterers, got {estimators!r}: put "
            "it into a list."
        )
    pairs = list(estimators.items() if isinstance(estimators, Mapping) else estimators)
    if not all(isinstance(pair, tuple) for pair in pairs):
        pairs = _name_estimators(pairs)
    names = [str(name) for name, _ in pairs]
    candidates = {
        name: estimator for name, (_, estimator) in zip(names, pairs, strict=True)
    }
    if len(candidates) < len(pairs):
        raise ValueError(f"estimators must have names that differ, got {names}.")
    return candidates


def check_settings(
    metric: str, n_runs: Any, subsample: float, sample_size: Any, random_state: Any
) -> None:
    """Refuse settings before any fit."""
    check_sample_size(sample_size)
    check_seed(random_state)
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {METRICS}, got {metric!r}.")
    if not isinstance(n_runs, Integral) or n_runs < 1:
        raise ValueError(f"n_runs must be an integer >= 1, got {n_runs!r}.")
    if not 0 < subsample <= 1:
        raise ValueError(f"subsample must be in (0, 1], got {subsample}.")
