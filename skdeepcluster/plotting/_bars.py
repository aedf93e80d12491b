"""Sizes of clusters and confidence in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._docs import documented
from skdeepcluster._fitted import fitted_labels, given_names
from skdeepcluster._labels import check_labels, one_noise
from skdeepcluster.plotting._common import (
    Display,
    cluster_colors,
    estimator_name,
    label_name,
    name_ticks,
    name_width,
    new_axes,
)

# The largest cluster over the smallest from which a linear scale hides the latter.
UNEQUAL = 50

# Clusters whose rows are written above the bars: the numbers of more run together.
MOST_NUMBERS = 60

# Probabilities are drawn by their doubt, 1 less the probability, on a logarithmic
# scale, or all above .9 would be one line. Less doubt than this is drawn as this.
LEAST_DOUBT = 1e-4
PROBABILITIES = [0, 0.5, 0.9, 0.99, 0.999, 1 - LEAST_DOUBT]


@documented
class ClusterSizesDisplay(Display):
    """Number of rows in each cluster.

    The scale is logarithmic where the largest cluster has more than fifty times the
    rows of the smallest. Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Clusters; -1 is noise.
    {title}
    {cluster_names}

    Attributes
    ----------
    {ax_}
    {figure_}
    """

    def __init__(
        self,
        labels: np.ndarray,
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
    ) -> None:
        self.labels = labels
        self.title = title
        self.cluster_names = cluster_names

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, ax: Any = None
    ) -> "ClusterSizesDisplay":
        """Draw the sizes of the clusters that a fitted clusterer makes of rows.

        Parameters
        ----------
        {clusterer}
        {X}
        {ax_and_display}
        """
        labels = fitted_labels(estimator, X)
        return cls.from_predictions(
            labels,
            title=estimator_name(estimator),
            cluster_names=given_names(estimator),
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        labels: Any,
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
    ) -> "ClusterSizesDisplay":
        """Draw the sizes of given clusters.

        Parameters
        ----------
        {labels}
        {title}
        {cluster_names}
        {ax_and_display}
        """
        labels = one_noise(check_labels(labels, "labels"))
        return cls(labels, title=title, cluster_names=cluster_names).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        colors = cluster_colors(self.labels)
        names = [label_name(label, self.cluster_names) for label in colors]
        ax = new_axes(
            ax, max(6.4, 0.35 * len(colors)), 4.3 + max(0.5, name_width(names))
        )
        sizes = [np.count_nonzero(self.labels == label) for label in colors]
        places = np.arange(len(sizes))
        unequal = max(sizes, default=1) > UNEQUAL * min(sizes, default=1)
        bars = ax.bar(places, sizes, color=list(colors.values()), log=unequal)
        if len(sizes) <= MOST_NUMBERS:
            turn = 90 * (len(sizes) > 12)
            texts = [f"{size:,}" for size in sizes]
            ax.bar_label(bars, texts, fontsize="small", padding=3, rotation=turn)
        ax.margins(y=0.18)
        if unequal:
            # A bar of one row has no height on a logarithmic scale that begins at 1.
            ax.set_ylim(bottom=0.5)
        ax.set_xlim(-0.7, max(len(sizes), 1) - 0.3)
        name_ticks(ax.xaxis, places, names)
        ax.set(
            xlabel="cluster",
            ylabel="rows (logarithmic scale)" if unequal else "rows",
            title=self.title,
        )
        return ax


@documented
class ConfidenceDisplay(Display):
    """How sure a clusterer is of its assignments, cluster by cluster.

    A box holds the middle half of the rows of a cluster, the line in it is the median,
    and the whiskers reach from 5 to 95 % of the rows. The scale is
    logarithmic in the doubt, one less the confidence: 0, .9, .99 and .999 are equally
    far apart, and all that is above .9999 is drawn there. A cluster that no row is
    assigned to has no box. The dotted line is what guessing would give. Make it with
    `from_estimator` or `from_predictions`.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_clusters)
        Probability of each cluster for each row.
    {title}
    {cluster_names}

    Attributes
    ----------
    {ax_}
    {figure_}
    """

    def __init__(
        self,
        probabilities: np.ndarray,
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
    ) -> None:
        self.probabilities = probabilities
        self.title = title
        self.cluster_names = cluster_names

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
        {ax_and_display}
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"{estimator_name(estimator)} has no predict_proba: give an estimator "
                "with soft assignments."
            )
        probabilities = estimator.predict_proba(X)
        return cls.from_predictions(
            probabilities,
            title=estimator_name(estimator),
            cluster_names=given_names(estimator),
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        probabilities: Any,
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
    ) -> "ConfidenceDisplay":
        """Draw given probabilities.

        Parameters
        ----------
        probabilities : array-like of shape (n_samples, n_clusters)
            Probability of each cluster for each row.
        {title}
        {cluster_names}
        {ax_and_display}
        """
        probabilities = np.asarray(probabilities)
        if probabilities.ndim != 2:
            raise ValueError(
                "probabilities must have a row for each sample and a column for each "
                f"cluster, got shape {probabilities.shape}."
            )
        return cls(probabilities, title=title, cluster_names=cluster_names).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        labels = self.probabilities.argmax(1)
        confidence = np.minimum(self.probabilities.max(1), 1 - LEAST_DOUBT)
        clusters = np.arange(self.probabilities.shape[1])
        colors = cluster_colors(clusters)
        ax = new_axes(ax, width=max(6.4, 0.35 * len(clusters)))
        ax.set_yscale("function", functions=(to_doubt, from_doubt))
        boxes = ax.boxplot(
            [confidence[labels == cluster] for cluster in clusters],
            positions=clusters,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "black"},
            widths=0.7,
        )
        for box, color in zip(boxes["boxes"], colors.values(), strict=True):
            box.set_facecolor(color)
            # A flat box is its edge.
            box.set_edgecolor(color)
        ax.axhline(1 / len(clusters), color="grey", linestyle=":", linewidth=1)
        ax.set_xlim(-0.7, len(clusters) - 0.3)
        ax.set_ylim(0, 1 - 0.7 * LEAST_DOUBT)
        ticks = [f"{p:.4f}".rstrip("0").rstrip(".") for p in PROBABILITIES]
        ax.set_yticks(PROBABILITIES, ticks)
        rows = np.bincount(labels, minlength=len(clusters))
        names = [
            label_name(cluster, self.cluster_names) if count else f"{cluster} (no rows)"
            for cluster, count in enumerate(rows)
        ]
        name_ticks(ax.xaxis, clusters, names)
        ax.set(
            xlabel="cluster",
            ylabel="probability of the assigned cluster",
            title=self.title,
        )
        return ax


def to_doubt(probability: Any) -> np.ndarray:
    """Height of a probability: how many times its doubt is a tenth of 1."""
    return -np.log10(np.maximum(1 - np.asarray(probability), LEAST_DOUBT / 10))


def from_doubt(height: Any) -> np.ndarray:
    """Probability of a height."""
    return 1 - 10.0 ** -np.asarray(height)
