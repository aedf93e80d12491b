"""Terms that tell the clusters of texts apart."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._fitted import fitted_labels
from skdeepcluster.plotting._common import (
    cluster_colors,
    estimator_name,
    label_name,
    new_axes,
    panels,
)


def top_terms(pipeline: Any, n: int = 10, X: Any = None) -> dict[int, list[str]]:
    """Name each cluster of texts by the terms that set it apart.

    Terms are ranked by how much more weight they have in the cluster than in the mean
    of all the clusters. Without texts, weights are those of the cluster's centre,
    taken back through the pipeline to the vectorizer's terms.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted; its first step is a vectorizer with ``get_feature_names_out``, its last
        a clusterer.
    n : int, default=10
        Terms of a cluster.
    X : iterable of str, default=None
        Texts, for weights that are means over the texts of each cluster. They are
        needed where the clusterer has no centres or a step can't be inverted.

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
    >>> terms = top_terms(pipeline.fit(texts), n=1)
    >>> sorted(terms.values())
    [['apple'], ['car']]
    """
    return {
        label: [term for term, _ in terms]
        for label, terms in weighted_terms(pipeline, n, X).items()
    }


def weighted_terms(pipeline: Any, n: int, X: Any) -> dict[int, list[tuple[str, float]]]:
    """Terms of each cluster and their weights beyond the mean, best first."""
    if not isinstance(pipeline, Pipeline) or not hasattr(
        pipeline[0], "get_feature_names_out"
    ):
        raise TypeError(
            "pipeline must be a Pipeline that starts with a vectorizer and ends in a "
            f"clusterer, got {pipeline!r}."
        )
    check_is_fitted(pipeline)
    names = pipeline[0].get_feature_names_out()
    labels, weights = mean_weights(pipeline, X) if X is not None else centers(pipeline)
    weights = weights - weights.mean(0)
    terms = {}
    for label, row in zip(labels, weights, strict=True):
        best = [term for term in np.argsort(-row, kind="stable")[:n] if row[term] > 0]
        terms[int(label)] = [(str(names[term]), float(row[term])) for term in best]
    return terms


def mean_weights(pipeline: Pipeline, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean weight of each term over the texts of each cluster."""
    texts = list(X)
    weights = pipeline[0].transform(texts)
    labels = fitted_labels(pipeline, texts)
    found = np.unique(labels[labels != -1])
    means = [np.asarray(weights[labels == label].mean(0)).ravel() for label in found]
    return found, np.array(means)


def centers(pipeline: Pipeline) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the clusters as weights of the vectorizer's terms."""
    final = pipeline[-1]
    rows = getattr(final, "cluster_centers_", getattr(final, "means_", None))
    middle = pipeline[1:-1]
    if rows is None or not all(hasattr(step, "inverse_transform") for step in middle):
        raise TypeError(
            "The centres can't be taken back to terms: the clusterer has none, or a "
            "step before it has no inverse_transform. Give the texts as X."
        )
    if hasattr(final, "inverse_transform"):
        rows = final.inverse_transform(rows)
    for step in reversed(list(middle)):
        rows = step.inverse_transform(rows)
    return np.arange(len(rows)), np.asarray(rows)


class TopTermsDisplay:
    """Terms that set each cluster of texts apart, as bars.

    Make it with `from_estimator`.

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
        X : iterable of str, default=None
            Texts, as in `top_terms`.
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
        longest = max((len(terms) for terms in self.terms.values()), default=1)
        ax = new_axes(ax, 3 * columns, 0.6 + lines * (0.7 + 0.2 * longest))
        colors = cluster_colors(np.array(list(self.terms)))
        grid = panels(ax, lines, columns).ravel()
        for panel in grid[len(self.terms) :]:
            panel.set_axis_off()
        ax.figure.suptitle(self.title)
        for panel, (label, terms) in zip(grid, self.terms.items(), strict=False):
            places = np.arange(len(terms))
            panel.barh(places, [weight for _, weight in terms], color=colors[label])
            panel.set_yticks(places, [term for term, _ in terms], fontsize="small")
            panel.set_ylim(longest - 0.5, -0.5)
            panel.set_xticks([])
            panel.set_title(f"cluster {label_name(label)}", fontsize="medium")
            panel.spines[["top", "right", "bottom"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
