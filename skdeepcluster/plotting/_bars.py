"""Sizes of clusters and confidence in them."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._fitted import check_labels, fitted_labels, one_noise
from skdeepcluster.plotting._common import (
    cluster_colors,
    estimator_name,
    label_name,
    new_axes,
)


class ClusterSizesDisplay:
    """Number of rows in each cluster.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Clusters; -1 is noise.
    title : str, default=""
        Title of the picture.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    """

    def __init__(self, labels: np.ndarray, *, title: str = "") -> None:
        self.labels = labels
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, ax: Any = None
    ) -> "ClusterSizesDisplay":
        """Draw the sizes of the clusters that a fitted clusterer makes of rows.

        Parameters
        ----------
        estimator : estimator
            A fitted clusterer or a pipeline that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ClusterSizesDisplay
            The display, drawn.
        """
        labels = fitted_labels(estimator, X)
        return cls.from_predictions(labels, title=estimator_name(estimator), ax=ax)

    @classmethod
    def from_predictions(
        cls, labels: Any, *, title: str = "", ax: Any = None
    ) -> "ClusterSizesDisplay":
        """Draw the sizes of given clusters.

        Parameters
        ----------
        labels : array-like of shape (n_samples,)
            Clusters; negative numbers are noise.
        title : str, default=""
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ClusterSizesDisplay
            The display, drawn.
        """
        labels = one_noise(check_labels(labels, "labels"))
        return cls(labels, title=title).plot(ax=ax)

    def plot(self, ax: Any = None) -> "ClusterSizesDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ClusterSizesDisplay
            The display.
        """
        colors = cluster_colors(self.labels)
        ax = new_axes(ax, width=max(6.4, 0.35 * len(colors)))
        sizes = [np.count_nonzero(self.labels == label) for label in colors]
        places = np.arange(len(sizes))
        bars = ax.bar(places, sizes, color=list(colors.values()))
        turn = 90 * (len(sizes) > 12)
        if len(sizes) <= 30:
            ax.bar_label(bars, fontsize="small", padding=3, rotation=turn)
        ax.margins(y=0.15)
        names = [label_name(label) for label in colors]
        ax.set_xticks(places, names, fontsize="small", rotation=turn)
        ax.set(xlabel="cluster", ylabel="rows", title=self.title)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class ConfidenceDisplay:
    """How sure a clusterer is of its assignments, cluster by cluster.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_clusters)
        Probability of each cluster for each row.
    title : str, default=""
        Title of the picture.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    """

    def __init__(self, probabilities: np.ndarray, *, title: str = "") -> None:
        self.probabilities = probabilities
        self.title = title

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, ax: Any = None
    ) -> "ConfidenceDisplay":
        """Draw the confidence of a fitted clusterer.

        Parameters
        ----------
        estimator : estimator
            A fitted clusterer with ``predict_proba``, or a pipeline that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ConfidenceDisplay
            The display, drawn.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"{estimator_name(estimator)} has no predict_proba: give an estimator "
                "with soft assignments."
            )
        probabilities = estimator.predict_proba(X)
        return cls.from_predictions(
            probabilities, title=estimator_name(estimator), ax=ax
        )

    @classmethod
    def from_predictions(
        cls, probabilities: Any, *, title: str = "", ax: Any = None
    ) -> "ConfidenceDisplay":
        """Draw given probabilities.

        Parameters
        ----------
        probabilities : array-like of shape (n_samples, n_clusters)
            Probability of each cluster for each row.
        title : str, default=""
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ConfidenceDisplay
            The display, drawn.
        """
        probabilities = np.asarray(probabilities)
        if probabilities.ndim != 2:
            raise ValueError(
                "probabilities must have a row for each sample and a column for each "
                f"cluster, got shape {probabilities.shape}."
            )
        return cls(probabilities, title=title).plot(ax=ax)

    def plot(self, ax: Any = None) -> "ConfidenceDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ConfidenceDisplay
            The display.
        """
        labels = self.probabilities.argmax(1)
        confidence = self.probabilities.max(1)
        colors = cluster_colors(labels)
        ax = new_axes(ax, width=max(6.4, 0.35 * len(colors)))
        boxes = ax.boxplot(
            [confidence[labels == label] for label in colors],
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "black"},
            widths=0.7,
        )
        for box, color in zip(boxes["boxes"], colors.values(), strict=True):
            box.set_facecolor(color)
        names = [label_name(label) for label in colors]
        ax.set_xticks(np.arange(1, len(names) + 1), names, fontsize="small")
        ax.axhline(
            1 / self.probabilities.shape[1], color="grey", linestyle=":", linewidth=1
        )
        ax.set(
            xlabel="cluster",
            ylabel="probability of the assigned cluster",
            ylim=(0, 1.02),
            title=self.title,
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
