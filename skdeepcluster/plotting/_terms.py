"""Terms that tell the clusters of texts apart, as bars."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._docs import documented
from skdeepcluster._fitted import given_names
from skdeepcluster._labels import check_labels
from skdeepcluster._rows import takes_tensors
from skdeepcluster._terms import best_terms, mean_weights, top_terms, weighted_terms
from skdeepcluster.plotting._common import Display, bar_panels, estimator_name

__all__ = ["TopTermsDisplay", "top_terms"]


# What a panel without bars says.
NO_TERM = "No term has more weight here\nthan in the mean of the clusters."


@documented
class TopTermsDisplay(Display):
    """Terms that set each cluster of texts apart, as bars.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    terms : dict of int to list of (str, float)
        Terms of each cluster and their weights, best first.
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
        terms: dict[int, list[tuple[str, float]]],
        *,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
    ) -> None:
        self.terms = terms
        self.title = title
        self.cluster_names = cluster_names

    @classmethod
    @takes_tensors
    def from_estimator(
        cls,
        pipeline: Any,
        X: Any = None,
        *,
        n: int = 8,
        vectorizer: Any = None,
        ax: Any = None,
    ) -> "TopTermsDisplay":
        """Draw the terms of a fitted pipeline.

        Parameters
        ----------
        pipeline : Pipeline
            Fitted; it takes texts and ends in a clusterer.
        X : iterable of str, or DataFrame, default=None
            Texts, as in `top_terms`; without them, names are as good as the decoder.
        n : int, default=8
            Terms of a cluster.
        vectorizer : transformer or None, default=None
            What makes terms of the texts, as in `top_terms`. None takes the pipeline's.
        {ax_and_display}
        """
        terms = weighted_terms(pipeline, n, X, vectorizer=vectorizer)
        return cls(
            terms,
            title=estimator_name(pipeline),
            cluster_names=given_names(pipeline),
        ).plot(ax=ax)

    @classmethod
    @takes_tensors
    def from_predictions(
        cls,
        X: Any,
        labels: Any,
        names: Any = None,
        *,
        vectorizer: Any = None,
        n: int = 8,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
    ) -> "TopTermsDisplay":
        """Draw the terms of given clusters.

        Parameters
        ----------
        X : iterable of str, or {array-like, sparse matrix} of shape \
(n_samples, n_terms)
            Texts, or with ``names`` the weights of terms in each.
        {labels}
        names : array-like of shape (n_terms,), default=None
            Terms, as ``get_feature_names_out`` of a vectorizer gives them. None takes
            ``X`` for texts.
        vectorizer : transformer or None, default=None
            What makes terms of texts, as in `top_terms`.
        n : int, default=8
            Terms of a cluster.
        {title}
        {cluster_names}
        {ax_and_display}
        """
        if names is None:
            terms = weighted_terms(None, n, X, labels=labels, vectorizer=vectorizer)
            return cls(terms, title=title, cluster_names=cluster_names).plot(ax=ax)
        X = X.tocsr() if sp.issparse(X) else np.asarray(X)
        labels = check_labels(labels, "labels")
        check_consistent_length(X, labels)
        if len(names) != X.shape[1]:
            raise ValueError(
                f"names has {len(names)} terms and X {X.shape[1]} columns: give a name "
                "for each."
            )
        terms = best_terms(*mean_weights(X, labels), names, n)
        return cls(terms, title=title, cluster_names=cluster_names).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        def style(panel: Any) -> None:
            # Weights of terms have no unit that a reader would know.
            panel.set_xticks([])

        return bar_panels(
            ax, self.terms, self.title, NO_TERM, style, self.cluster_names
        )
