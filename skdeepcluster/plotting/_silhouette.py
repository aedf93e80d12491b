"""Silhouettes of clusters as blades."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import silhouette_samples
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._docs import documented
from skdeepcluster._fitted import (
    check_space,
    fitted_labels,
    given_names,
    reference_rows,
)
from skdeepcluster._labels import check_labels, comparable, one_noise
from skdeepcluster._rows import known_rows, sample_rows, takes_tensors
from skdeepcluster._sklearn import _num_samples, _safe_indexing
from skdeepcluster.plotting._common import (
    Display,
    cluster_colors,
    estimator_name,
    label_name,
    name_ticks,
    name_width,
    new_axes,
)


@documented
class SilhouetteDisplay(Display):
    """Silhouette of every row, sorted within its cluster.

    A cluster's blade is as high as it has rows, and at least half as high as the mean
    of them, so that the small ones can be read too. Make it with
    `from_estimator` or `from_predictions`.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Silhouettes of rows.
    labels : ndarray of shape (n_samples,)
        Their clusters.
    {title}
    {cluster_names}

    Attributes
    ----------
    {ax_}
    {figure_}
    """

    def __init__(
        self,
        values: np.ndarray,
        labels: np.ndarray,
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
    ):
        self.values = values
        self.labels = labels
        self.title = title
        self.cluster_names = cluster_names

    @classmethod
    @takes_tensors
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        space: Any = None,
        metric: str = "euclidean",
        sample_size: int | None = 5000,
        random_state: int = 0,
        ax: Any = None,
    ) -> "SilhouetteDisplay":
        """Draw the silhouettes of a fitted clusterer.

        Parameters
        ----------
        {clusterer}
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.
        space : None, fitted transformer or callable, default=None
            Where to measure distances; None is the space of ``X``. Silhouettes of two
            estimators compare in one space only.
        metric : str, default="euclidean"
            Distance.
        sample_size : int or None, default=5000
            Rows to score, at most. None is all of them.
        random_state : int, default=0
            Seed of the sample.
        {ax_and_display}
        """
        check_space(space)
        X = known_rows(X)
        rows = sample_rows(_num_samples(X), sample_size, random_state)
        return cls.from_predictions(
            reference_rows(space, _safe_indexing(X, rows), estimator),
            fitted_labels(estimator, X, rows),
            metric=metric,
            sample_size=None,
            title=estimator_name(estimator),
            cluster_names=given_names(estimator),
            ax=ax,
        )

    @classmethod
    @takes_tensors
    def from_predictions(
        cls,
        X: Any,
        labels: Any,
        *,
        metric: str = "euclidean",
        sample_size: int | None = 5000,
        random_state: int = 0,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
    ) -> "SilhouetteDisplay":
        """Draw the silhouettes of given labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_dims)
            Rows in the space to measure in.
        labels : array-like of shape (n_samples,)
            Clusters; rows of noise, negative numbers, are left out.
        metric : str, default="euclidean"
            Distance.
        sample_size : int or None, default=5000
            Rows to score, at most. None is all of them.
        random_state : int, default=0
            Seed of the sample.
        {title}
        {cluster_names}
        {ax_and_display}
        """
        X = known_rows(X)
        labels = one_noise(check_labels(labels, "labels"))
        check_consistent_length(X, labels)
        rows = sample_rows(_num_samples(X), sample_size, random_state)
        rows = rows[labels[rows] != -1]
        labels = labels[rows]
        if not comparable(labels):
            raise ValueError(
                "A silhouette needs two clusters, and fewer of them than rows: labels "
                f"has {len(np.unique(labels))} in {len(labels)} rows without noise."
            )
        values = silhouette_samples(_safe_indexing(X, rows), labels, metric=metric)
        return cls(values, labels, title=title, cluster_names=cluster_names).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        colors = cluster_colors(self.labels)
        names = [label_name(label, self.cluster_names) for label in colors]
        ax = new_axes(
            ax, max(6.4, 5 + name_width(names)), max(4.8, 1 + 0.35 * len(colors))
        )
        least = len(self.values) / len(colors) / 2
        gap = 0.3 * least
        start, middles = 0.0, []
        for label, color in colors.items():
            values = np.sort(self.values[self.labels == label])[::-1]
            height = max(len(values), least)
            edges = np.linspace(start, start + height, len(values) + 1)
            ax.stairs(values, edges, orientation="horizontal", fill=True, color=color)
            middles.append(start + height / 2)
            start += height + gap
        mean = self.values.mean()
        ax.axvline(mean, color="black", linestyle="--", linewidth=1)
        ax.set(
            xlabel=f"silhouette (mean {mean:.2f}, dashed)",
            ylabel="cluster",
            title=self.title,
            ylim=(start, -gap),
        )
        ax.tick_params(left=False)
        name_ticks(ax.yaxis, middles, names)
        return ax
