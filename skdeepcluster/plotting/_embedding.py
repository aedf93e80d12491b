"""Scatter plot of rows in two dimensions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._docs import documented
from skdeepcluster._fitted import fitted_labels, given_names, latent_rows
from skdeepcluster._labels import check_labels, one_noise
from skdeepcluster._rows import known_rows, sample_rows, takes_tensors
from skdeepcluster._sklearn import _num_samples, _safe_indexing
from skdeepcluster.plotting._common import (
    LETTER_WIDTH,
    LINE_HEIGHT,
    cluster_colors,
    estimator_name,
    label_name,
    name_width,
    new_axes,
)
from skdeepcluster.plotting._page import points_page
from skdeepcluster.plotting._plane import dense_place, free_place, to_plane

# Names in a column of the legend, and columns of it.
MOST_LINES, MOST_COLUMNS = 25, 3

# Other names of arguments of Axes.scatter, which takes no two of one.
ALIASES = {
    "color": "c",
    "facecolor": "c",
    "facecolors": "c",
    "linewidth": "linewidths",
    "lw": "linewidths",
}


@documented
class EmbeddingDisplay:
    """Rows as points in two dimensions, coloured by cluster.

    A cluster's name stands where its rows are densest, or beside that with a line to it
    where another name is in the way. Small clusters whose names find no room are named
    in the legend only, which lists the 75 largest. Make it with `from_estimator` or
    `from_predictions`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        The rows in two dimensions.
    labels : ndarray of shape (n_samples,)
        Clusters or classes; -1 is noise.
    axis_names : tuple of str, default=("", "")
        Names of the dimensions.
    {title}
    {cluster_names}
    rows : ndarray of shape (n_samples,), default=None
        Where each point stands among the rows that they are a sample of. None where
        there are no others.
    n_rows : int, default=None
        How many rows these are. None where there are no others.

    Attributes
    ----------
    {ax_}
    {figure_}
    """

    def __init__(
        self,
        points: np.ndarray,
        labels: np.ndarray,
        *,
        axis_names: tuple[str, str] = ("", ""),
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        rows: np.ndarray | None = None,
        n_rows: int | None = None,
    ) -> None:
        self.points = points
        self.labels = labels
        self.axis_names = axis_names
        self.title = title
        self.cluster_names = cluster_names
        self.rows = np.arange(len(points)) if rows is None else rows
        self.n_rows = len(points) if n_rows is None else n_rows

    @classmethod
    @takes_tensors
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
            Classes to colour by, instead of clusters; negative numbers are noise.
        method : {"auto", "pca", "tsne", "umap"}, default="auto"
            How to get to two dimensions. "auto" is "pca", and nothing at all where
            there are two already; "umap" needs the extra ``manifold``.
        sample_size : int or None, default=10000
            Rows to draw, at most. None draws all of them.
        random_state : int, default=0
            Seed of sample and method.
        {ax}
        **kwargs
            Arguments of ``Axes.scatter``; one that has a value a row has it for the
            rows drawn. Without colours of clusters there is no legend.

        {returns_display}
        """
        X = known_rows(X)
        names = None
        if y is None:
            labels, names = fitted_labels(estimator, X), given_names(estimator)
        else:
            labels = one_noise(check_labels(y, "y"))
            check_consistent_length(X, labels)
        return cls._of_sample(
            X,
            labels,
            lambda some: latent_rows(estimator, some),
            method,
            sample_size,
            random_state,
            estimator_name(estimator),
            names,
        ).plot(ax=ax, **kwargs)

    @classmethod
    @takes_tensors
    def from_predictions(
        cls,
        X: Any,
        labels: Any,
        *,
        method: str = "auto",
        sample_size: int | None = 10_000,
        random_state: int = 0,
        title: str = "",
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "EmbeddingDisplay":
        """Draw rows coloured by given labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_dims)
            Rows in the space to draw.
        labels : array-like of shape (n_samples,)
            Clusters or classes; negative numbers are noise.
        method : {"auto", "pca", "tsne", "umap"}, default="auto"
            How to get to two dimensions. "auto" is "pca", and nothing at all where
            there are two already; "umap" needs the extra ``manifold``.
        sample_size : int or None, default=10000
            Rows to draw, at most. None draws all of them.
        random_state : int, default=0
            Seed of sample and method.
        {title}
        {cluster_names}
        {ax}
        **kwargs
            Arguments of ``Axes.scatter``; one that has a value a row has it for the
            rows drawn. Without colours of clusters there is no legend.

        {returns_display}
        """
        X = known_rows(X)
        labels = one_noise(check_labels(labels, "labels"))
        check_consistent_length(X, labels)
        return cls._of_sample(
            X,
            labels,
            lambda some: some,
            method,
            sample_size,
            random_state,
            title,
            cluster_names,
        ).plot(ax=ax, **kwargs)

    @classmethod
    def _of_sample(
        cls,
        X: Any,
        labels: np.ndarray,
        embed: Callable[[Any], Any],
        method: str,
        sample_size: int | None,
        seed: int,
        title: str,
        cluster_names: Mapping[Any, str] | None,
    ) -> "EmbeddingDisplay":
        """Make the display of some of the rows, which are embedded first."""
        n_rows = _num_samples(X)
        rows = sample_rows(n_rows, sample_size, seed)
        points, names = to_plane(embed(_safe_indexing(X, rows)), method, seed)
        return cls(
            points,
            labels[rows],
            axis_names=names,
            title=title,
            cluster_names=cluster_names,
            rows=rows,
            n_rows=n_rows,
        )

    def plot(self, ax: Any = None, **kwargs: Any) -> "EmbeddingDisplay":
        """Draw.

        Parameters
        ----------
        {ax}
        **kwargs
            Arguments of ``Axes.scatter``; one that has a value a row has it for the
            rows drawn. Without colours of clusters there is no legend.

        {returns_display}
        """
        colors = cluster_colors(self.labels)
        listed = self._listed(colors)
        columns = -(-len(listed) // MOST_LINES)
        beside = columns * (0.4 + name_width(listed.values()))
        ax = new_axes(ax, 5.4 + max(1.6, beside), 5)
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
        ax.set(
            xlabel=self.axis_names[0],
            ylabel=self.axis_names[1],
            title=self.title,
            xticks=[],
            yticks=[],
        )
        self._name_clusters(ax, list(colors))
        if "c" not in given:
            self._list_colors(ax, colors, listed, columns)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def to_html(self, file: Any, about: Any = None) -> None:
        """Write a page in which each point says what it is.

        The page needs no network: it holds all it shows, and plotly, 5 MB. Point at a
        row to read about it, zoom with the wheel, and click on clusters in the legend
        to hide them. Needs the extra ``interactive``.

        Parameters
        ----------
        file : str, path or file-like
            Where to write. A file that is there already is replaced.
        about : Series, DataFrame or sequence of length n_rows, default=None
            What to say of each row, in the order of the rows that the display was made
            from: texts, or a frame whose columns are listed. None says the cluster and
            the number of the row alone.

        Raises
        ------
        ImportError
            If plotly is not installed.
        ValueError
            If ``about`` has another length than those rows.

        Examples
        --------
        >>> import io
        >>> from sklearn.datasets import load_iris
        >>> from skdeepcluster.graph import GraphClustering
        >>> from skdeepcluster.plotting import EmbeddingDisplay
        >>> iris = load_iris(as_frame=True)
        >>> labels = GraphClustering(3).fit_predict(iris.data)
        >>> display = EmbeddingDisplay.from_predictions(iris.data, labels)
        >>> page = io.StringIO()  # or "iris.html"
        >>> display.to_html(page, about=iris.frame)
        """
        page = points_page(self, about)
        if hasattr(file, "write"):
            file.write(page)
        else:
            Path(file).write_text(page, encoding="utf-8")

    def _by_size(self, labels: Any) -> list[Any]:
        """Labels, that of most rows first."""
        found, counts = np.unique(self.labels, return_counts=True)
        sizes = dict(zip(found.tolist(), counts, strict=True))
        return sorted(labels, key=lambda label: -sizes[label])

    def _listed(self, colors: dict[Any, Any]) -> dict[Any, str]:
        """Names in the legend: of all clusters, or of the largest of many."""
        largest = set(self._by_size(colors)[: MOST_LINES * MOST_COLUMNS])
        return {
            label: label_name(label, self.cluster_names)
            for label in colors
            if label in largest
        }

    def _name_clusters(self, ax: Any, labels: list[Any]) -> None:
        """Write the names where they fit, those of large clusters first."""
        from matplotlib.patheffects import withStroke

        outline = [withStroke(linewidth=2.5, foreground="white")]
        ends = np.array([ax.get_xlim(), ax.get_ylim()]).T
        box = ax.get_position()
        inches = ax.figure.get_size_inches() * (box.width, box.height)
        scale = inches / (ends[1] - ends[0])
        taken = np.empty((0, 4))
        for label in self._by_size(label for label in labels if label != -1):
            name = label_name(label, self.cluster_names)
            place = dense_place(self.points[self.labels == label] * scale)
            size = np.array([1.1 * LETTER_WIDTH * len(name), 1.2 * LINE_HEIGHT])
            inner = ends * scale + np.array([[0.5], [-0.5]]) * size
            middle = free_place(np.clip(place, *inner), size, taken, inner)
            if middle is None:
                continue
            taken = np.vstack([taken, [*(middle - size / 2), *(middle + size / 2)]])
            offset = middle - place
            moved = bool((np.abs(offset) > size / 2).any())
            ax.annotate(
                name,
                place / scale,
                offset * 72,
                textcoords="offset points",
                ha="center",
                va="center",
                weight="bold",
                fontsize="medium" if len(labels) <= 12 else "small",
                path_effects=outline,
                arrowprops={"arrowstyle": "-", "linewidth": 0.8} if moved else None,
            )

    def _list_colors(
        self, ax: Any, colors: dict[Any, Any], listed: dict[Any, str], columns: int
    ) -> None:
        """List the colours of the clusters beside the picture."""
        from matplotlib.lines import Line2D

        left = len(colors) - len(listed)
        ax.legend(
            [
                Line2D([], [], ls="", marker="o", color=colors[label])
                for label in listed
            ],
            list(listed.values()),
            title=f"the {len(listed)} largest of {len(colors)}" if left else None,
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            fontsize="small",
            handletextpad=0.1,
            labelspacing=0.2 if len(listed) > MOST_LINES / 2 else 0.5,
            ncols=max(columns, 1),
        )


def in_order(value: Any, order: np.ndarray) -> Any:
    """Argument of a drawing, its values being put into order if it has one a row."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value
    return _safe_indexing(value, order) if len(value) == len(order) else value
