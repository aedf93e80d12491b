"""Fits of the candidates of a comparison."""

import copy
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import Pipeline

from skdeepcluster._fitted import fitted_labels, last_step, table_of_numbers, thawed
from skdeepcluster._rows import sample_rows
from skdeepcluster._sklearn import _num_samples, _safe_indexing


@dataclass(eq=False)
class CandidateFit:
    """What the fits of a candidate came to.

    Parameters
    ----------
    estimator : estimator
        Fitted to all the rows.
    labels : ndarray of shape (n_samples,)
    stability : float
    error : str
        Why it has no stability, or empty.
    fit_seconds, predict_seconds, peak_memory_mb : float
    """

    estimator: Any
    labels: np.ndarray
    stability: float
    error: str
    fit_seconds: float
    predict_seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class TreeCut:
    """A number of clusters of an estimator whose fit holds a tree of all numbers.

    Parameters
    ----------
    estimator : clusterer or Pipeline
        The last step has ``with_n_clusters``.
    parameter : str
        Name of the number of clusters.
    n_clusters : int
    trees : dict of int to estimator
        Fits by their seeds, which the candidates share.
    """

    estimator: Any
    parameter: str
    n_clusters: int
    trees: dict[int, Any] = field(repr=False)

    def fit_seeded(self, X: Any, seed: int, only_unset: bool) -> Any:
        """Cut the tree of a seed, which the first candidate grows.

        A number that is larger than that of its leaves has a fit of its own.
        """
        if seed not in self.trees:
            self.trees[seed] = fit_seeded(self.estimator, X, seed, only_unset)
        tree = self.trees[seed]
        final = last_step(tree)
        if self.n_clusters > final.n_leaves_:
            own = clone(self.estimator).set_params(**{self.parameter: self.n_clusters})
            return fit_seeded(own, X, seed, only_unset)
        cut = final.with_n_clusters(self.n_clusters)
        if tree is final:
            return cut
        piped = copy.copy(tree)
        piped.steps = [*tree.steps[:-1], (tree.steps[-1][0], cut)]
        return piped


@dataclass(frozen=True)
class AlreadyFitted:
    """A candidate that was fitted to all the rows before.

    Parameters
    ----------
    estimator : clusterer
        Its seeds are set.
    fit_seconds : float
    """

    estimator: Any
    fit_seconds: float

    def fit_seeded(self, X: Any, seed: int, only_unset: bool) -> Any:
        """Return the fit to all the rows, or else a fit of a clone."""
        return self.estimator if only_unset else fit_seeded(self.estimator, X, seed)


def fit_candidate(
    estimator: Any, X: Any, n_runs: int, subsample: float, seed: int
) -> CandidateFit:
    """Fit to all the rows, and to subsamples for the stability."""
    with peak_memory() as memory:
        start = time.perf_counter()
        fitted = fit_seeded(estimator, X, seed, only_unset=True)
        fit_seconds = time.perf_counter() - start
    if isinstance(estimator, AlreadyFitted):
        fit_seconds, memory.megabytes = estimator.fit_seconds, np.nan
    start = time.perf_counter()
    labels = fitted_labels(fitted, X)
    predict_seconds = time.perf_counter() - start
    stability, error = np.nan, ""
    try:
        others = repeated_fits(estimator, X, n_runs, subsample, seed)
        stability = agreement([(np.arange(len(labels)), labels), *others])
    except Exception as raised:
        error = f"Stability: {as_text(raised)}"
    return CandidateFit(
        fitted,
        labels,
        stability,
        error,
        fit_seconds,
        predict_seconds if hasattr(fitted, "predict") else np.nan,
        memory.megabytes,
    )


def repeated_fits(
    estimator: Any, X: Any, n_runs: int, subsample: float, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and labels of each fit after the first."""
    n_samples = _num_samples(X)
    size = max(2, round(subsample * n_samples))
    for run in range(1, n_runs):
        part = sample_rows(n_samples, size, seed + run)
        rows = _safe_indexing(X, part)
        other = fit_seeded(estimator, rows, seed + run)
        yield part, fitted_labels(other, rows)


def as_text(error: Exception) -> str:
    """Class of an error and what it says."""
    return f"{type(error).__name__}: {error}"


def fit_seeded(estimator: Any, X: Any, seed: int, only_unset: bool = False) -> Any:
    """Fit a clone of a candidate that has a seed, or do as it does itself."""
    if isinstance(estimator, TreeCut | AlreadyFitted):
        return estimator.fit_seeded(X, seed, only_unset)
    copied = seeded(estimator, seed, only_unset)
    return copied if isinstance(copied, FrozenEstimator) else copied.fit(X)


def seeded(estimator: Any, seed: int, only_unset: bool = False) -> Any:
    """Clone of an estimator with every ``random_state`` in it set, or every None."""
    copied = clone(estimator)
    states = {
        name: seed
        for name, value in copied.get_params().items()
        if (name == "random_state" or name.endswith("__random_state"))
        and (value is None or not only_unset)
    }
    # That of a FrozenEstimator returns nothing.
    copied.set_params(**states)
    return copied


def common_preparation(candidates: Iterable[Any], X: Any, seed: int) -> Any:
    """Fit the first steps that pipelines have in common, where rows are no numbers."""
    try:
        table_of_numbers(X)
    except (TypeError, ValueError):
        pass
    else:
        return None
    inside = [thawed(getattr(each, "estimator", each)) for each in candidates]
    chains = [each.steps[:-1] for each in inside if isinstance(each, Pipeline)]
    shared = []
    for steps in zip(*chains, strict=False):
        parts = [step for _, step in steps]
        if any(not_same(parts[0], part) for part in parts[1:]):
            break
        shared.append(steps[0])
    return seeded(Pipeline(shared), seed, only_unset=True).fit(X) if shared else None


def not_same(a: Any, b: Any) -> bool:
    """Whether steps of pipelines differ, fitted or not."""
    if not hasattr(a, "get_params") or type(a) is not type(b):
        return bool(a != b)
    return repr(a.get_params()) != repr(b.get_params())


def agreement(runs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Mean adjusted Rand index between pairs of fits, on the rows they share."""
    scores = []
    for (rows_a, labels_a), (rows_b, labels_b) in combinations(runs, 2):
        _, in_a, in_b = np.intersect1d(rows_a, rows_b, return_indices=True)
        scores.append(adjusted_rand_score(labels_a[in_a], labels_b[in_b]))
    return float(np.mean(scores)) if scores else np.nan


@contextmanager
def peak_memory() -> Iterator[SimpleNamespace]:
    """Measure the highest resident memory above that at the start, on Linux."""
    peak = SimpleNamespace(megabytes=np.nan)
    try:
        # Resets the kernel's high-water mark of this process.
        Path("/proc/self/clear_refs").write_text("5")
        start = resident("VmRSS")
    except OSError:
        start = None
    yield peak
    if start is not None:
        peak.megabytes = max(0.0, (resident("VmHWM") - start) / 1024)


def resident(field: str) -> int:
    """Kilobytes of this process's memory under a name of the kernel's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0])
