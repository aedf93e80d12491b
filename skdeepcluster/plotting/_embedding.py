"""Scatter plot of rows in two dimensions."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.manifold import TSNE
from sklearn.utils import indexable
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import (
    check_labels,
    fitted_labels,
    latent_rows,
    sample_rows,
)
from skdeepcluster._sklearn import _num_samples, _safe_indexing
from skdeepcluster.plotting._common import (
    cluster_colors,
    estimator_name,
    label_name,
    new_axes,
)

METHODS = ("auto", "pca", "tsne", "umap")

# Other names of arguments of Axes.scatter, which takes no two of one.
ALIASES = {
    "color": "c",
    "facecolor": "c",
    "facecolors": "c",
    "linewidth": "linewidths",
    "lw": "linewidths",
}


class EmbeddingDisplay:
    """Rows as points in two dimensions, coloured by cluster.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        The rows in two dimensions.
    labels : ndarray of shape (n_samples,)
        Clusters or classes; -1 is noise.
    axis_names : tuple of str, default=("", "")
        Names of the dimensions.
    title : str, default=""
        Title of the picture.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes drawn on.
    figure_ : matplotlib Figure
        Figure that holds them.
    """

    def __init__(
        self,
        points: np.ndarray,
        labels: np.ndarray,
        *,
        axis_names: tuple[str, str] = ("", ""),
        title: str = "",
    ) -> None:
        self.points = points
        self.labels = labels
        self.axis_names = axis_names
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        method: str = "auto",
        sample_size: int | None = 10_000,
        random_state: int = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> "EmbeddingDisplay":
        """Draw the latent space of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted clusterer or a pipeline that ends in one. Rows are drawn in its
            latent space, if it can ``inverse_transform`` what it can ``transform``, or
            else as the earlier steps of the pipeline left them.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to draw.
        y : array-like of shape (n_samples,), default=None
            Classes to colour by, instead of clusters.
        method : {"auto", "pca", "tsne", "umap"}, default="auto"
            How to get to two dimensions. "auto" is "pca", and nothing at all where
            there are two already; "umap" needs the extra ``manifold``.
        sample_size : int or None, default=10000
            Rows to draw, at most. None draws all of them.
        random_state : int, default=0
            Seed of sample and method.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        **kwargs
            Arguments of ``Axes.scatter``; one that has a value a row has it for the
            rows drawn. Without colours of clusters there is no legend.

        Returns
        -------
        EmbeddingDisplay
            The display, drawn.
        """
        (X,) = indexable(X)
        if y is None:
            labels = fitted_labels(estimator, X)
        else:
            labels = check_labels(y, "y")
            check_consistent_length(X, labels)
        rows = sample_rows(_num_samples(X), sample_size, random_state)
        Z = latent_rows(estimator, _safe_indexing(X, rows))
        return cls.from_predictions(
            Z,
            labels[rows],
            method=method,
            sample_size=None,
            random_state=random_state,
            title=estimator_name(estimator),
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        labels: Any,
        *,
        method: str = "auto",
        sample_size: int | None = 10_000,
        random_state: int = 0,
        title: str = "",
        ax: Any = None,
        **kwargs: Any,
    ) -> "EmbeddingDisplay":
        """Draw rows coloured by given labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_dims)
            Rows in the space to draw.
        labels : array-like of shape (n_samples,)
            Clusters or classes; -1 is noise.
        method : {"auto", "pca", "tsne", "umap"}, default="auto"
            How to get to two dimensions. "auto" is "pca", and nothing at all where
            there are two already; "umap" needs the extra ``manifold``.
        sample_size : int or None, default=10000
            Rows to draw, at most. None draws all of them.
        random_state : int, default=0
            Seed of sample and method.
        title : str, default=""
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        **kwargs
            Arguments of ``Axes.scatter``; one that has a value a row has it for the
            rows drawn. Without colours of clusters there is no legend.

        Returns
        -------
        EmbeddingDisplay
            The display, drawn.
        """
        (X,) = indexable(X)
        labels = check_labels(labels, "labels")
        check_consistent_length(X, labels)
        rows = sample_rows(_num_samples(X), sample_size, random_state)
        points, names = to_plane(_safe_indexing(X, rows), method, random_state)
        display = cls(points, labels[rows], axis_names=names, title=title)
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> "EmbeddingDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        **kwargs
            Arguments of ``Axes.scatter``; one that has a value a row has it for the
            rows drawn. Without colours of clusters there is no legend.

        Returns
        -------
        EmbeddingDisplay
            The display.
        """
        ax = new_axes(ax, 7, 5)
        colors = cluster_colors(self.labels)
        # Random order: drawn one by one, the last cluster would cover the others.
        order = np.random.default_rng(0).permutation(len(self.points))
        n_points = max(len(order), 1)
        given = {
            ALIASES.get(name, name): in_order(value, order)
            for name, value in kwargs.items()
        }
        style = {
            "c": np.array([colors[label] for label in self.labels[order]]),
            "s": float(np.clip(20_000 / n_points, 1, 25)),
            "alpha": float(np.clip(20_000 / n_points, 0.6, 0.8)),
            "linewidths": 0,
            # As pixels in vector formats, which 70,000 circles would choke.
            "rasterized": True,
            **given,
        }
        ax.scatter(*self.points[order].T, **style)
        self._name_clusters(ax, colors)
        if "c" not in given:
            self._list_colors(ax, colors)
        ax.set(
            xlabel=self.axis_names[0],
            ylabel=self.axis_names[1],
            title=self.title,
            xticks=[],
            yticks=[],
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _name_clusters(self, ax: Any, colors: dict[Any, Any]) -> None:
        """Write each name at the middle of its rows."""
        from matplotlib.patheffects import withStroke

        outline = [withStroke(linewidth=2.5, foreground="white")]
        for label in colors:
            if label != -1:
                middle = np.median(self.points[self.labels == label], axis=0)
                ax.annotate(
                    label_name(label),
                    middle,
                    ha="center",
                    va="center",
                    weight="bold",
                    fontsize="medium" if len(colors) <= 12 else "small",
                    path_effects=outline,
                )

    def _list_colors(self, ax: Any, colors: dict[Any, Any]) -> None:
        """List the colours of all clusters beside the picture."""
        from matplotlib.lines import Line2D

        ax.legend(
            [
                Line2D([], [], ls="", marker="o", color=color)
                for color in colors.values()
            ],
            [label_name(label) for label in colors],
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            fontsize="small",
            handletextpad=0.1,
            ncols=1 + (len(colors) - 1) // 20,
        )


def in_order(value: Any, order: np.ndarray) -> Any:
    """Argument of a drawing, its values being put into order if it has one a row."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value
    return _safe_indexing(value, order) if len(value) == len(order) else value


def to_plane(Z: Any, method: str, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    """Two-dimensional points, and names of their axes."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    if not sp.issparse(Z):
        Z = np.asarray(Z)
    n_samples, n_dims = Z.shape
    if sp.issparse(Z) and n_dims <= 2:
        Z = Z.toarray()
    if method == "auto" and n_dims == 2:
        return Z, ("dimension 1", "dimension 2")
    if n_dims == 1:
        return np.column_stack([Z, np.zeros(len(Z))]), ("dimension 1", "")
    if method == "tsne":
        start = "random" if sp.issparse(Z) else "pca"
        # Its default of 30 needs more rows than that.
        perplexity = min(30, (n_samples - 1) / 3)
        model: Any = TSNE(init=start, perplexity=perplexity, random_state=seed)
        name = "t-SNE"
    elif method == "umap":
        umap = import_extra("umap", "manifold", 'method="umap"')
        n_neighbors = min(15, n_samples - 1)
        model = umap.UMAP(n_neighbors=n_neighbors, random_state=seed, n_jobs=1)
        name = "UMAP"
        # UMAP does not know scipy's sparse arrays, only its older matrices.
        Z = sp.csr_matrix(Z) if sp.issparse(Z) else Z
    elif sp.issparse(Z):
        model, name = TruncatedSVD(2, random_state=seed), "SVD"
    else:
        model, name = PCA(2, random_state=seed), "PCA"
    return model.fit_transform(Z), (f"{name} 1", f"{name} 2")
