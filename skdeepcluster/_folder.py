"""A folder of images as rows of numbers."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from skdeepcluster._extras import import_extra

# Rows are made of so many pixels a side without features, and features, which hardly
# any network takes from larger images, of so many at most.
SIDE, LARGEST_SIDE = 32, 256


def read_images(folder: Path) -> tuple[list[str], list[Any], dict[str, str]]:
    """Read the images below a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    names : list of str
        Their paths in the folder, sorted.
    images : list of PIL.Image.Image
        In colour and upright, of at most 256 pixels a side.
    left_out : dict of str to str
        Why files whose names are those of images were left out.
    """
    Image: Any = import_extra("PIL.Image", "plot", "Reading images")
    ImageOps: Any = import_extra("PIL.ImageOps", "plot", "Reading images")
    suffixes = Image.registered_extensions()
    names, images, left_out = [], [], {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if hidden or path.suffix.lower() not in suffixes or not path.is_file():
            continue
        try:
            with Image.open(path) as file:
                image = ImageOps.exif_transpose(file).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            left_out[name] = "Pillow can't read it"
            continue
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        names.append(name)
        images.append(image)
    if not images:
        raise ValueError(f"{folder} holds no image that Pillow can read.")
    return names, images, left_out


def resized(images: Sequence[Any], side: int) -> np.ndarray:
    """Images as one array of shape (n_images, side, side, 3) of bytes."""
    return np.stack([np.asarray(image.resize((side, side))) for image in images])


def pixel_rows(images: Sequence[Any]) -> np.ndarray:
    """Pixels of small images, between zero and one."""
    return resized(images, SIDE).reshape(len(images), -1) / np.float32(255)


def feature_rows(images: Sequence[Any], features: str) -> np.ndarray:
    """Make rows of images by code of the user's own.

    Parameters
    ----------
    images : sequence of PIL.Image.Image
    features : str
        "module:name" of a transformer, a class of such or a function. It gets a list of
        arrays of bytes of shape (height, width, 3).
    """
    module, _, name = features.partition(":")
    if not module or not name:
        raise ValueError(
            f"--features {features!r} must be module:name, as my_features:extract for "
            "the function extract in my_features.py."
        )
    try:
        make = getattr(import_module(module), name)
    except AttributeError as error:
        raise ValueError(f"--features {features!r}: {error}.") from error
    if isinstance(make, type):
        make = make()
    make = getattr(make, "fit_transform", make)
    rows = make([np.asarray(image) for image in images])
    # What leaves a network may still be one of torch's.
    rows = np.asarray(rows.detach().cpu() if hasattr(rows, "detach") else rows)
    if rows.ndim != 2 or len(rows) != len(images):
        raise ValueError(
            f"--features {features!r} gives an array of shape {rows.shape} for "
            f"{len(images)} images: give one row of numbers for each."
        )
    return rows
