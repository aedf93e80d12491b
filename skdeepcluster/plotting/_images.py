"""Images of every cluster."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import indexable
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._fitted import check_labels, fitted_labels, one_noise
from skdeepcluster._sklearn import _safe_indexing
from skdeepcluster.plotting._common import (
    estimator_name,
    label_name,
    name_ticks,
    name_width,
    new_axes,
)


class ClusterImagesDisplay:
    """A line of images for each cluster, with their reconstructions below.

    Make it with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    images : list of ndarray of shape (n_images, height, width[, channels])
        Images of each cluster.
    labels : list
        The clusters.
    reconstructions : list of ndarray or None, default=None
        What the clusterer makes of the images, in the same shapes.
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
        images: list[np.ndarray],
        labels: list[Any],
        *,
        reconstructions: list[np.ndarray] | None = None,
        title: str = "",
    ) -> None:
        self.images = images
        self.labels = labels
        self.reconstructions = reconstructions
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_images: int = 10,
        reconstruct: bool = True,
        random_state: int = 0,
        ax: Any = None,
        **kwargs: Any,
    ) -> "ClusterImagesDisplay":
        """Draw images of the clusters of a fitted clusterer.

        Parameters
        ----------
        estimator : estimator
            A fitted clusterer or a pipeline that ends in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images as rows.
        image_shape : tuple of int, default=None
            (height, width) or (channels, height, width). None is a square of grey.
        n_images : int, default=10
            Images of a cluster, at most, chosen at random.
        reconstruct : bool, default=True
            Whether to draw reconstructions, where the estimator has them.
        random_state : int, default=0
            Seed of the choice.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        **kwargs
            Arguments of ``Axes.imshow``.

        Returns
        -------
        ClusterImagesDisplay
            The display, drawn.
        """
        (X,) = indexable(X)
        labels = fitted_labels(estimator, X)
        rows = chosen_rows(labels, n_images, random_state)
        chosen = _safe_indexing(X, rows)
        back = None
        if reconstruct and hasattr(estimator, "inverse_transform"):
            back = estimator.inverse_transform(estimator.transform(chosen))
        return cls.from_predictions(
            chosen,
            labels[rows],
            reconstructions=back,
            image_shape=image_shape,
            n_images=n_images,
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
        reconstructions: Any = None,
        image_shape: tuple[int, ...] | None = None,
        n_images: int = 10,
        random_state: int = 0,
        title: str = "",
        ax: Any = None,
        **kwargs: Any,
    ) -> "ClusterImagesDisplay":
        """Draw images of given clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images as rows.
        labels : array-like of shape (n_samples,)
            Clusters; negative numbers are noise.
        reconstructions : array-like of shape (n_samples, n_features), default=None
            What a clusterer makes of the images.
        image_shape : tuple of int, default=None
            (height, width) or (channels, height, width). None is a square of grey.
        n_images : int, default=10
            Images of a cluster, at most, chosen at random.
        random_state : int, default=0
            Seed of the choice.
        title : str, default=""
            Title of the picture.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        **kwargs
            Arguments of ``Axes.imshow``.

        Returns
        -------
        ClusterImagesDisplay
            The display, drawn.
        """
        X = X.tocsr() if sp.issparse(X) else np.asarray(X)
        labels = one_noise(check_labels(labels, "labels"))
        check_consistent_length(X, labels)
        shape = check_image_shape(image_shape, X.shape[1])
        rows = chosen_rows(labels, n_images, random_state)
        found = list(np.unique(labels))
        groups = [rows[labels[rows] == label] for label in found]
        back = None if reconstructions is None else np.asarray(reconstructions)
        display = cls(
            [to_images(dense(X[group]), shape) for group in groups],
            found,
            reconstructions=None
            if back is None
            else [to_images(back[group], shape) for group in groups],
            title=title,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> "ClusterImagesDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        **kwargs
            Arguments of ``Axes.imshow``.

        Returns
        -------
        ClusterImagesDisplay
            The display.
        """
        columns = max(len(images) for images in self.images)
        lines = []
        for i, images in enumerate(self.images):
            strips = [images]
            if self.reconstructions is not None:
                strips.append(self.reconstructions[i])
            lines.append(np.concatenate([to_strip(part, columns) for part in strips]))
        height, width = lines[0].shape[:2]
        gap = max(1, self.images[0].shape[1] // 4)
        blank = np.full((gap, *lines[0].shape[1:]), np.nan)
        mosaic = np.concatenate([part for line in lines for part in (line, blank)])
        mosaic = mosaic[:-gap]
        inches = min(0.6 * columns / width, 14 / len(mosaic))
        names = [label_name(label) for label in self.labels]
        size = (1 + name_width(names) + inches * width, 0.6 + inches * len(mosaic))
        ax = new_axes(ax, *size)
        # Reconstructions leave the range of pixels, and would grey the images.
        low = min(images.min() for images in self.images)
        high = max(images.max() for images in self.images)
        style = {"cmap": "gray_r", "interpolation": "nearest", "vmin": 0, "vmax": 1}
        mosaic = np.clip((mosaic - low) / (high - low or 1), 0, 1)
        if mosaic.ndim == 3:
            mosaic = np.nan_to_num(mosaic, nan=1.0)
        ax.imshow(mosaic, **{**style, **kwargs})
        middles = np.arange(len(lines)) * (height + gap) + height / 2 - 0.5
        name_ticks(ax.yaxis, middles, names)
        ax.set(xticks=[], ylabel="cluster", title=self.title)
        ax.tick_params(left=False)
        ax.spines[:].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def chosen_rows(labels: np.ndarray, n_images: int, seed: int) -> np.ndarray:
    """Rows to show: a random few of each cluster."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.permutation(np.flatnonzero(labels == label))[:n_images]
            for label in np.unique(labels)
        ]
    )


def dense(rows: Any) -> np.ndarray:
    """Rows without a sparse format."""
    return rows.toarray() if sp.issparse(rows) else rows


def check_image_shape(shape: tuple[int, ...] | None, n_features: int) -> tuple:
    """Shape of an image, or an error that says which one fits."""
    if shape is None:
        side = round(n_features**0.5)
        shape = (side, side)
    if len(shape) not in (2, 3) or np.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={shape} does not hold {n_features} features. Give (height, "
            "width) or (channels, height, width) with that product."
        )
    return tuple(shape)


def to_images(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Rows as images, channels last, and none at all where there is but one."""
    images = rows.reshape(-1, *shape).astype(float)
    if len(shape) == 2:
        return images
    return images[:, 0] if shape[0] == 1 else np.moveaxis(images, 1, -1)


def to_strip(images: np.ndarray, columns: int) -> np.ndarray:
    """Images beside each other, the strip being filled up with blanks."""
    missing = np.full((columns - len(images), *images.shape[1:]), np.nan)
    images = np.concatenate([images, missing])
    # A gap after each, or neighbours run into one.
    gap = max(1, images.shape[1] // 14)
    edges = [(0, 0), (0, gap), (0, gap), (0, 0)][: images.ndim]
    return np.concatenate([*np.pad(images, edges, constant_values=np.nan)], axis=1)
