"""Terms that tell the clusters of texts apart."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_outlier_detector
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skdeepcluster._fitted import check_labels, fitted_labels, is_noise
from skdeepcluster.plotting._common import (
    cluster_colors,
    estimator_name,
    label_name,
    new_axes,
    panels,
    plain_text,
)


def top_terms(pipeline: Any, n: int = 10, X: Any = None) -> dict[int, list[str]]:
    """Name each cluster of texts by the terms that set it apart.

    Terms are ranked by how much more weight they have in the cluster than in the mean
    of all the clusters. Give the texts: weights are then means over the texts of each
    cluster. Without them, weights are those of the cluster's centre, taken back through
    the pipeline to the vectorizer's terms, and what a network decodes a centre to may
    be far from any text: names are as wrong as reconstructions are.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; it ends in a clusterer. A step before has a ``vocabulary_`` and
        ``get_feature_names_out``, or else the first step that has names makes terms.
    n : int, default=10
        Terms of a cluster.
    X : iterable of str, or DataFrame, default=None
        Texts, as the pipeline takes them. They are needed where the clusterer has no
        centres or a step can't be inverted.

    Returns
    -------
    dict of int to list of str
        Terms of each cluster, best first; fewer than ``n`` where fewer have more
        weight than in the mean.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdeepcluster.plotting import top_terms
    >>> texts = ["red apple", "apple pie", "fast car", "car race"]
    >>> pipeline = make_pipeline(TfidfVectorizer(), KMeans(2, random_state=0))
    >>> terms = top_terms(pipeline.fit(texts), n=1, X=texts)
    >>> sorted(terms.values())
    [['apple'], ['car']]
    """
    return {
        label: [term for term, _ in terms]
        for label, terms in weighted_terms(pipeline, n, X).items()
    }


def weighted_terms(pipeline: Any, n: int, X: Any) -> dict[Any, list[tuple[str, float]]]:
    """Terms of each cluster and their weights beyond the mean, best first."""
    place = vectorizer_place(pipeline)
    check_is_fitted(pipeline)
    names = pipeline.steps[place][1].get_feature_names_out()
    if X is None:
        return best_terms(*centers(pipeline, place, len(names)), names, n)
    # Series, DataFrames and arrays stay what they are: columns are chosen by name.
    texts = X if hasattr(X, "__getitem__") else list(X)
    weights = pipeline[: place + 1].transform(texts)
    return best_terms(*mean_weights(weights, fitted_labels(pipeline, texts)), names, n)


def vectorizer_place(pipeline: Any) -> int:
    """Place of the step of a pipeline that makes terms of texts."""
    steps = pipeline.steps[:-1] if isinstance(pipeline, Pipeline) else []
    named = [
        place
        for place, (_, step) in enumerate(steps)
        if hasattr(step, "get_feature_names_out")
    ]
    if not named or is_outlier_detector(pipeline):
        raise TypeError(
            "pipeline must be a Pipeline that has a vectorizer and ends in a "
            f"clusterer, got {pipeline!r}."
        )
    # Other steps name what they make too, such as "truncatedsvd0".
    vectorizers = [place for place in named if hasattr(steps[place][1], "vocabulary_")]
    return vectorizers[-1] if vectorizers else named[0]


def best_terms(
    labels: np.ndarray, weights: np.ndarray, names: Any, n: int
) -> dict[Any, list[tuple[str, float]]]:
    """Terms that have most weight beyond the mean of the clusters."""
    weights = weights - weights.mean(0)
    terms = {}
    for label, row in zip(labels.tolist(), weights, strict=True):
        best = [term for term in np.argsort(-row, kind="stable")[:n] if row[term] > 0]
        terms[label] = [(str(names[term]), float(row[term])) for term in best]
    return terms


def mean_weights(weights: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean weight of each term over the texts of each cluster."""
    found = np.unique(labels[~is_noise(labels)])
    if len(found) == 0:
        raise ValueError("Every text is noise: there is no cluster to name.")
    means = [np.asarray(weights[labels == label].mean(0)).ravel() for label in found]
    return found, np.array(means)


def centers(
    pipeline: Pipeline, place: int, n_terms: int
) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the clusters as weights of the vectorizer's terms."""
    final = pipeline[-1]
    rows = getattr(final, "cluster_centers_", getattr(final, "means_", None))
    middle = [
        step
        for _, step in pipeline.steps[place + 1 : -1]
        if step not in (None, "passthrough")
    ]
    if rows is None or not all(hasattr(step, "inverse_transform") for step in middle):
        raise TypeError(
            "The centres can't be taken back to terms: the clusterer has none, or a "
            "step before it has no inverse_transform. Give the texts as X."
        )
    if hasattr(final, "inverse_transform"):
        rows = final.inverse_transform(rows)
    widths = [getattr(step, "n_features_in_", None) for step in [*middle, final]]
    for step in reversed(middle):
        check_width(rows, widths.pop())
        rows = step.inverse_transform(rows)
    check_width(rows, n_terms)
    return np.arange(len(rows)), np.asarray(rows)


def check_width(rows: Any, width: int | None) -> None:
    """Refuse centres that are not in the space they are taken for."""
    if width is not None and rows.shape[1] != width:
        raise ValueError(
            f"The centres have {rows.shape[1]} columns where {width} are needed, and "
            "can't be taken back to terms. Give the texts as X."
        )


# What a panel without bars says, and where.
NO_TERM = "No term has more weight here\nthan in the mean of the clusters."
MIDDLE: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": "small",
    "color": "dimgrey",
}


class TopTermsDisplay:
    """Terms that set each cluster of texts apart, as bars.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    terms : dict of int to list of (str, float)
        Terms of each cluster and their weights, best first.
    title : str, default=""
        Title of the picture.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes whose place is drawn on, a panel a cluster.
    figure_ : matplotlib Figure
        Figure that holds them.
    """

    def __init__(
        self, terms: dict[int, list[tuple[str, float]]], *, title: str = ""
    ) -> None:
        self.terms = terms
        self.title = title

    @classmethod
    def from_estimator(
        cls, pipeline: Any, X: Any = None, *, n: int = 8, ax: Any = None
    ) -> "TopTermsDisplay":
        """Draw the terms of a fitted pipeline.

        Parameters
        ----------
        pipeline : Pipeline
            Fitted, from a vectorizer to a clusterer.
        X : iterable of str, or DataFrame, default=None
            Texts, as in `top_terms`; without them, names are as good as the decoder.
        n : int, default=8
            Terms of a cluster.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        TopTermsDisplay
            The display, drawn.
        """
        terms = weighted_terms(pipeline, n, X)
        return cls(terms, title=estimator_name(pipeline)).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        labels: Any,
        names: Any,
        *,
        n: int = 8,
        title: str = "",
        ax: Any = None,
    ) -> "TopTermsDisplay":
        """Draw the terms of given clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_terms)
            Weights of terms in each text.
        labels : array-like of shape (n_samples,)
            Clusters; negative numbers are noise.
        names : array-like of shape (n_terms,)
            Terms, as ``get_feature_names_out`` of a vectorizer gives them.
        n : int, default=8
            Terms of a cluster.
        title : str, default=""
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        TopTermsDisplay
            The display, drawn.
        """
        X = X.tocsr() if sp.issparse(X) else np.asarray(X)
        labels = check_labels(labels, "labels")
        check_consistent_length(X, labels)
        if len(names) != X.shape[1]:
            raise ValueError(
                f"names has {len(names)} terms and X {X.shape[1]} columns: give a name "
                "for each."
            )
        terms = best_terms(*mean_weights(X, labels), names, n)
        return cls(terms, title=title).plot(ax=ax)

    def plot(self, ax: Any = None) -> "TopTermsDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        TopTermsDisplay
            The display.
        """
        columns = min(4, len(self.terms))
        lines = -(-len(self.terms) // columns)
        longest = max([1, *(len(terms) for terms in self.terms.values())])
        ax = new_axes(ax, max(4.5, 3.2 * columns), 0.6 + lines * (0.7 + 0.2 * longest))
        colors = cluster_colors(np.array(list(self.terms)))
        grid = panels(ax, lines, columns).ravel()
        for panel in grid[len(self.terms) :]:
            panel.set_axis_off()
        ax.figure.suptitle(self.title)
        for panel, (label, terms) in zip(grid, self.terms.items(), strict=False):
            places = np.arange(len(terms))
            panel.barh(places, [weight for _, weight in terms], color=colors[label])
            names = [plain_text(term) for term, _ in terms]
            panel.set_yticks(places, names, fontsize="small")
            if not terms:
                panel.text(0.5, 0.5, NO_TERM, transform=panel.transAxes, **MIDDLE)
            panel.set_ylim(longest - 0.5, -0.5)
            panel.set_xticks([])
            title = f"cluster {label_name(label)}"
            # From the right over the place of the terms: panels are narrow.
            panel.set_title(title, fontsize="medium", loc="right")
            panel.spines[["top", "right", "bottom"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
