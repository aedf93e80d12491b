"""Images of every cluster."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_consistent_length

from skdeepcluster._docs import documented
from skdeepcluster._fitted import fitted_labels, given_names
from skdeepcluster._images import channels_last, checked_shape
from skdeepcluster._labels import check_labels, one_noise
from skdeepcluster._rows import known_rows, takes_tensors
from skdeepcluster._sklearn import _safe_indexing
from skdeepcluster.images import squares
from skdeepcluster.plotting._common import (
    estimator_name,
    label_name,
    name_ticks,
    name_width,
    new_axes,
)

# Pixels a side of images of different sizes: as many as an image has in the figure.
SHOWN_SIDE = 64


@documented
@dataclass(eq=False, repr=False)
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
    {title}
    {cluster_names}

    Attributes
    ----------
    {ax_}
    {figure_}
    """

    images: list[np.ndarray]
    labels: list[Any]
    _: KW_ONLY
    reconstructions: list[np.ndarray] | None = None
    title: str = ""
    cluster_names: Mapping[Any, str] | None = None

    @classmethod
    @takes_tensors
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        images: Any = None,
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
        {clusterer}
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.
        images : array-like of (n_samples, height, width[, channels]), default=None
            Images to draw, where they are not the rows: in either order of the axes, in
            flat rows as well, or as a list of Pillow's, also of different sizes. None
            draws ``X``.
        image_shape : tuple of int, default=None
            Shape of an image in a flat row: (height, width), (height, width, channels)
            or (channels, height, width), with up to four channels. None is a square of
            grey.
        n_images : int, default=10
            Images of a cluster, at most, chosen at random.
        reconstruct : bool, default=True
            Whether to draw reconstructions, where the estimator has them of rows that
            are the images.
        random_state : int, default=0
            Seed of the choice.
        {ax}
        **kwargs
            Arguments of ``Axes.imshow``.

        {returns_display}
        """
        X = known_rows(X)
        labels = fitted_labels(estimator, X)
        rows = chosen_rows(labels, n_images, random_state)
        back = None
        if images is not None:
            images = known_rows(images)
            check_consistent_length(X, images)
            chosen = _safe_indexing(images, rows)
        else:
            chosen = _safe_indexing(X, rows)
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
            cluster_names=given_names(estimator),
            ax=ax,
            **kwargs,
        )

    @classmethod
    @takes_tensors
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
        cluster_names: Mapping[Any, str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "ClusterImagesDisplay":
        """Draw images of given clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or \
(n_samples, height, width[, channels])
            Images, flat or not, in either order of the axes; a list of Pillow's as
            well. In a list they may be of different sizes, if they are bytes, in grey
            or in colour: those are padded to white squares.
        {labels}
        reconstructions : array-like of shape (n_samples, n_features), default=None
            What a clusterer makes of the images.
        image_shape : tuple of int, default=None
            Shape of an image in a flat row: (height, width), (height, width, channels)
            or (channels, height, width), with up to four channels. None is a square of
            grey.
        n_images : int, default=10
            Images of a cluster, at most, chosen at random.
        random_state : int, default=0
            Seed of the choice.
        {title}
        {cluster_names}
        {ax}
        **kwargs
            Arguments of ``Axes.imshow``.

        {returns_display}
        """
        X = X if isinstance(X, list | tuple) or sp.issparse(X) else np.asarray(X)
        labels = one_noise(check_labels(labels, "labels"))
        check_consistent_length(X, labels)
        rows = chosen_rows(labels, n_images, random_state)
        X, labels = as_array(_safe_indexing(known_rows(X), rows)), labels[rows]
        found = list(np.unique(labels))
        groups = [np.flatnonzero(labels == label) for label in found]
        back = None
        if reconstructions is not None:
            back = np.asarray(reconstructions)[rows]
        display = cls(
            [to_images(X[group], image_shape) for group in groups],
            found,
            reconstructions=None
            if back is None
            else [to_images(back[group], image_shape) for group in groups],
            title=title,
            cluster_names=cluster_names,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> "ClusterImagesDisplay":
        """Draw.

        Parameters
        ----------
        {ax}
        **kwargs
            Arguments of ``Axes.imshow``.

        {returns_display}
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
        names = [label_name(label, self.cluster_names) for label in self.labels]
        size = (1 + name_width(names) + inches * width, 0.6 + inches * len(mosaic))
        ax = new_axes(ax, *size)
        # Reconstructions leave the range of pixels, and would grey the images.
        low, high = value_range(self.images)
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


def as_array(images: Any) -> Any:
    """Images, flat or not, as an array or a CSR matrix."""
    if sp.issparse(images):
        return images.tocsr()
    if isinstance(images, (list, tuple)):
        images = [np.asarray(image) for image in images]
        if len({image.shape for image in images}) > 1:
            return squares(images, SHOWN_SIDE)
    return np.asarray(images)


def to_images(rows: Any, shape: tuple[int, ...] | None) -> np.ndarray:
    """Images with channels last, and none at all where there is but one."""
    rows = rows.toarray() if sp.issparse(rows) else rows
    if rows.ndim == 2:
        if shape is None:
            side = round(rows.shape[1] ** 0.5)
            shape = (side, side)
        rows = rows.reshape(-1, *checked_shape(shape, rows.shape[1]))
    if rows.ndim not in (3, 4):
        raise ValueError(
            f"Images must have two or three dimensions, got {rows.ndim - 1}."
        )
    images = channels_last(rows)
    if images.ndim == 4 and images.shape[-1] not in (3, 4):
        raise ValueError(
            f"Images with {images.shape[-1]} channels can't be drawn: choose one, "
            "three of colour, or four with transparency."
        )
    return images


def value_range(groups: list[np.ndarray]) -> tuple[float, float]:
    """Values that are black and white, or white and black of grey images.

    Colours keep the range in which they are stored, or a dark scene would be a light
    one; grey images, and what is neither bytes nor between zero and one, theirs.
    """
    low = float(min(images.min() for images in groups))
    high = float(max(images.max() for images in groups))
    if groups[0].ndim == 4 and low >= 0:
        if groups[0].dtype.kind in "iu" and high <= 255:
            return 0.0, 255.0
        if high <= 1:
            return 0.0, 1.0
    return low, high


def to_strip(images: np.ndarray, columns: int) -> np.ndarray:
    """Images beside each other, the strip being filled up with blanks."""
    missing = np.full((columns - len(images), *images.shape[1:]), np.nan)
    images = np.concatenate([images, missing])
    # A gap after each, or neighbours run into one.
    gap = max(1, images.shape[1] // 14)
    edges = [(0, 0), (0, gap), (0, gap), (0, 0)][: images.ndim]
    return np.concatenate([*np.pad(images, edges, constant_values=np.nan)], axis=1)
