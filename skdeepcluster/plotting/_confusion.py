"""Clusters against classes."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._docs import documented
from skdeepcluster._fitted import fitted_labels, given_names
from skdeepcluster._labels import check_labels, one_noise
from skdeepcluster._rows import takes_tensors
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.plotting._common import (
    Display,
    estimator_name,
    label_name,
    name_ticks,
    name_width,
    new_axes,
    plain_text,
)

# Inches of a cell that holds a number, and of the largest picture.
CELL_WIDTH, CELL_HEIGHT = 0.3, 0.18
MOST_WIDTH, MOST_HEIGHT = 16.0, 12.0


@documented
@dataclass(eq=False, repr=False)
class MatchedConfusionDisplay(Display):
    """Classes against clusters, each cluster in the column under its class.

    Classes and clusters are matched one to one by the Hungarian method. Clusters that
    no class is left for, and noise, come last. Cells have their numbers of rows
    where these can be read, up to about forty clusters. Make it with
    `from_estimator` or `from_predictions`.

    Parameters
    ----------
    counts : ndarray of shape (n_classes, n_clusters)
        Rows of each class in each cluster.
    classes : ndarray of shape (n_classes,)
        Names of the classes.
    clusters : ndarray of shape (n_clusters,)
        Labels of the clusters.
    {title}
    {cluster_names}

    Attributes
    ----------
    {ax_}
    {figure_}
    """

    counts: np.ndarray
    classes: np.ndarray
    clusters: np.ndarray
    _: KW_ONLY
    title: str = ""
    cluster_names: Mapping[Any, str] | None = None

    @classmethod
    @takes_tensors
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None
    ) -> "MatchedConfusionDisplay":
        """Draw the clusters of a fitted clusterer against classes.

        Parameters
        ----------
        {clusterer}
        {X}
        y : array-like of shape (n_samples,)
            Their classes.
        {ax_and_display}
        """
        labels = fitted_labels(estimator, X)
        return cls.from_predictions(
            y,
            labels,
            title=estimator_name(estimator),
            cluster_names=given_names(estimator),
            ax=ax,
        )

    @classmethod
    @takes_tensors
    def from_predictions(
        cls,
        y: Any,
        labels: Any,
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
    ) -> "MatchedConfusionDisplay":
        """Draw given clusters against classes.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Classes.
        {labels}
        {title}
        {cluster_names}
        {ax_and_display}
        """
        y = check_labels(y, "y")
        labels = one_noise(check_labels(labels, "labels"))
        check_consistent_length(y, labels)
        counts = contingency_matrix(y, labels)
        classes, clusters = np.unique(y), np.unique(labels)
        # Noise never takes a class from a cluster.
        matched, columns = linear_sum_assignment(
            np.where(clusters == -1, -1, counts), maximize=True
        )
        order = columns[clusters[columns] != -1]
        noise = np.flatnonzero(clusters == -1)
        spare = np.setdiff1d(np.arange(len(clusters)), [*order, *noise])
        columns = np.concatenate([order, spare, noise]).astype(int)
        unmatched = np.setdiff1d(np.arange(len(classes)), matched)
        rows = np.concatenate([matched, unmatched])
        accuracy = clustering_accuracy(y, labels)
        title = f"{title} (accuracy {accuracy:.3f})".lstrip()
        display = cls(
            counts[np.ix_(rows, columns)],
            classes[rows],
            clusters[columns],
            title=title,
            cluster_names=cluster_names,
        )
        return display.plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        n_classes, n_clusters = self.counts.shape
        names = [label_name(cluster, self.cluster_names) for cluster in self.clusters]
        class_names = [plain_text(name) for name in self.classes]
        width = max(6.4, 0.45 * n_clusters + name_width(class_names) + 1.5)
        height = max(4.8, 0.3 * n_classes + name_width(names) + 1)
        ax = new_axes(ax, min(width, MOST_WIDTH), min(height, MOST_HEIGHT))
        shares = self.counts / self.counts.sum(1, keepdims=True)
        image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.figure.colorbar(image, ax=ax, label="share of the class")
        box, inches = ax.get_position(), ax.figure.get_size_inches()
        cell = inches * (box.width / n_clusters, box.height / n_classes)
        if cell[0] >= CELL_WIDTH and cell[1] >= CELL_HEIGHT:
            size = 9 if cell[0] > 0.4 and self.counts.max() < 10_000 else 7
            for row, column in np.argwhere(self.counts):
                text = ax.text(
                    column,
                    row,
                    str(self.counts[row, column]),
                    ha="center",
                    va="center",
                    color="white" if shares[row, column] > 0.5 else "black",
                    fontsize=size,
                )
                # It is inside: layouts need not measure it.
                text.set_in_layout(False)
        name_ticks(ax.xaxis, np.arange(n_clusters), names)
        name_ticks(ax.yaxis, np.arange(n_classes), class_names)
        ax.set(xlabel="cluster", ylabel="class", title=self.title)
        return ax
