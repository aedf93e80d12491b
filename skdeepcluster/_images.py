"""Images in flat rows: in which order their numbers are."""

import math
from typing import Any

import numpy as np

# As many channels as images of grey or colour have, with or without transparency.
MOST_CHANNELS = 4


def channel_axis(shape: tuple[int, ...]) -> int:
    """Place of the channels, 0 or 2, in the shape of an image.

    One end of the shape being a number of channels tells it, or else the sides of a
    square image.

    Parameters
    ----------
    shape : tuple of int
        Three sizes.

    Raises
    ------
    ValueError
        If the channels may be at either end.
    """
    first, middle, last = shape
    starts, ends = first <= MOST_CHANNELS, last <= MOST_CHANNELS
    if starts == ends:
        starts, ends = middle == last, first == middle
    if starts == ends:
        raise ValueError(
            f"image_shape={shape} may be (channels, height, width) or (height, width, "
            "channels). Give (height, width) for grey images; pad others to squares, "
            "which tell the two apart."
        )
    return 0 if starts else 2


def checked_shape(image_shape: Any, n_features: int) -> tuple[int, ...]:
    """Return the shape of an image as a tuple, if it holds so many numbers."""
    shape = tuple(int(size) for size in image_shape)
    if len(shape) not in (2, 3) or min(shape) < 1 or math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={image_shape!r} does not hold {n_features} features, the "
            "columns of X. Give (height, width), (height, width, channels) or "
            "(channels, height, width) with that product."
        )
    return shape


def square(n_features: int, parameter: str) -> tuple[int, int]:
    """Shape of a square image of so many pixels."""
    side = math.isqrt(n_features)
    if side**2 != n_features:
        raise ValueError(
            f"{parameter} needs image_shape: {n_features} columns are no square grey "
            "image."
        )
    return side, side


def refuse_images(X: Any) -> None:
    """Refuse images that are not flat rows, and say how to make them flat."""
    if getattr(X, "ndim", 2) > 2:
        shape = tuple(X.shape)
        raise ValueError(
            f"X has {X.ndim} dimensions, of shape {shape}; found array with dim "
            f"{X.ndim}, while 2 are needed. Give flat rows, X.reshape(len(X), -1); "
            f"where images are wanted, say image_shape={shape[1:]}."
        )


def channels_last(images: np.ndarray) -> np.ndarray:
    """Images of shape (n, height, width[, channels]), grey ones without channels."""
    if images.ndim == 4:
        if channel_axis(images.shape[1:]) == 0:
            images = np.moveaxis(images, 1, -1)
        if images.shape[-1] == 1:
            images = images[..., 0]
    return images
