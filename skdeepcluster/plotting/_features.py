"""Columns that set clusters apart."""

from collections.abc import Mapping
from typing import Any

from skdeepcluster._docs import documented
from skdeepcluster._fitted import given_names
from skdeepcluster._rows import takes_tensors
from skdeepcluster.explain import describe_clusters
from skdeepcluster.plotting._common import Display, bar_panels, estimator_name


@documented
class ClusterFeaturesDisplay(Display):
    """Columns that set each cluster apart, as bars.

    A bar to the right is a column of which rows of the cluster have more than others,
    one to the left a column of which they have less; see
    `skdeepcluster.explain.cluster_effects`. Make it with `from_estimator` or
    `from_predictions`.

    Parameters
    ----------
    features : dict of label to dict of str to float
        Effects of columns in each cluster, the strongest first.
    {title}
    {cluster_names}

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes whose place is drawn on, a panel a cluster.
    {figure_}
    """

    def __init__(
        self,
        features: dict[Any, dict[str, float]],
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
    ) -> None:
        self.features = features
        self.title = title
        self.cluster_names = cluster_names

    @classmethod
    @takes_tensors
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        feature_names: Any = None,
        *,
        n_features: int = 8,
        ax: Any = None,
    ) -> "ClusterFeaturesDisplay":
        """Draw the columns that set the clusters of a fitted clusterer apart.

        Parameters
        ----------
        {clusterer}
        {X}
        feature_names : array-like of str, default=None
            Names of the columns, as `skdeepcluster.explain.describe_clusters` takes
            them.
        n_features : int, default=8
            Columns of a cluster, at most.
        {ax_and_display}
        """
        table = describe_clusters(estimator, X, feature_names, n_features=n_features)
        features = table["features"].to_dict()
        return cls(
            features,
            title=estimator_name(estimator),
            cluster_names=given_names(estimator),
        ).plot(ax=ax)

    @classmethod
    @takes_tensors
    def from_predictions(
        cls,
        X: Any,
        labels: Any,
        feature_names: Any = None,
        *,
        n_features: int = 8,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
    ) -> "ClusterFeaturesDisplay":
        """Draw the columns that set given clusters apart.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        {labels}
        feature_names : array-like of str, default=None
            Names of the columns. None takes those of a data frame.
        n_features : int, default=8
            Columns of a cluster, at most.
        {title}
        {cluster_names}
        {ax_and_display}
        """
        table = describe_clusters(
            None, X, feature_names, labels=labels, n_features=n_features
        )
        return cls(
            table["features"].to_dict(), title=title, cluster_names=cluster_names
        ).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        def style(panel: Any) -> None:
            panel.axvline(0, color="black", linewidth=0.8)
            panel.set_xlim(-1.05, 1.05)
            panel.set_xticks([-1, 0, 1], ["less", "", "more"], fontsize="small")

        bars = {label: list(each.items()) for label, each in self.features.items()}
        nothing = "No column sets it apart."
        return bar_panels(ax, bars, self.title, nothing, style, self.cluster_names)
