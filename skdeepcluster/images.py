"""Folders of images: their files as images, and these as rows of numbers.

`read` reads what is in a folder, `features` makes rows of the images by a network or
whatever else you have, kept in a file, and `pixels` makes rows of nothing but their
pixels. All else takes such rows and images as they are: any clusterer,
:class:`~skdeepcluster.plotting.ClusterImagesDisplay` and
:func:`~skdeepcluster.labelling.write_questions`. Reading needs Pillow, which the extra
``plot`` brings.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import gen_batches

from skdeepcluster._extras import import_extra
from skdeepcluster._rows import check_counts

__all__ = ["ImageFolder", "features", "pixels", "read"]

# Modes of Pillow that have transparency.
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")

# Images that a function gets at a time, so that progress shows after a few seconds.
BATCH = 32

# Arrays in a file of features; files of another format are made anew.
KEPT, FORMAT = {"made_by", "keys", "rows"}, 1


@dataclass(eq=False)
class ImageFolder:
    """What `read` has read.

    Parameters
    ----------
    names : list of str
        Paths of the images in the folder, sorted.
    images : list of ndarray of shape (height, width, 3)
        The images: upright, in colour, as bytes.
    left_out : dict of str to str
        Why files whose names are those of images were left out.
    transparent : list of str
        Names of the images that are transparent somewhere, and have the background
        there.
    """

    names: list[str]
    images: list[np.ndarray]
    left_out: dict[str, str]
    transparent: list[str]


def read(folder: Any, *, background: Any = "white", side: int = 256) -> ImageFolder:
    """Read the images in a folder and in those below.

    Parameters
    ----------
    folder : str or path-like
        The folder. What is hidden, by a name that begins with a dot, is passed over.
    background : str or tuple of int, default="white"
        What is seen where an image is transparent: a name of a colour as in HTML,
        "#rrggbb", or three numbers from 0 to 255. The colour that a file holds there
        is one that nobody sees, and often tells what program wrote it.
    side : int, default=256
        Pixels a side, at most: larger images are made smaller, in proportion.

    Returns
    -------
    ImageFolder
        The ``names`` and ``images``, ``left_out`` with the reasons, and which are
        ``transparent``. Grey images are in colour as well. Of an image with several
        frames, it is the first. Numbers of 16 bits keep their upper 8; fractions and
        others are stretched from the least in an image to the greatest.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    NotADirectoryError
        If there is no such folder.
    ValueError
        If it holds no image that Pillow can read, or a parameter is unusable.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> from skdeepcluster.images import read
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGBA", (40, 30), (200, 0, 0, 0)).save(Path(folder, "a.png"))
    ...     found = read(folder)
    >>> found.names, found.transparent, found.images[0].shape
    (['a.png'], ['a.png'], (30, 40, 3))
    >>> found.images[0][0, 0]
    array([255, 255, 255], dtype=uint8)
    """
    Image: Any = import_extra("PIL.Image", "plot", "Reading images")
    ImageOps: Any = import_extra("PIL.ImageOps", "plot", "Reading images")
    check_counts(side=side)
    color = checked_color(background)
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"folder={str(folder)!r} is no folder.")
    suffixes = Image.registered_extensions()
    found = ImageFolder([], [], {}, [])
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        # A link to nothing is told of; a pipe would never end.
        readable = path.is_file() or path.is_symlink()
        if hidden or path.suffix.lower() not in suffixes or not readable:
            continue
        try:
            with Image.open(path) as file:
                image, transparent = seen(ImageOps.exif_transpose(file), color)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            found.left_out[name] = "Pillow can't read it"
            continue
        image.thumbnail((side, side))
        found.names.append(name)
        found.images.append(np.asarray(image))
        if transparent:
            found.transparent.append(name)
    if not found.images:
        raise ValueError(f"{folder} holds no image that Pillow can read.")
    return found


def checked_color(background: Any) -> tuple[int, ...]:
    """Red, green and blue of a background, from 0 to 255."""
    color = background
    if isinstance(color, str):
        ImageColor: Any = import_extra("PIL.ImageColor", "plot", "Reading images")
        try:
            return ImageColor.getrgb(color)[:3]
        except ValueError:
            color = ()
    if np.shape(color) == (3,) and all(value in range(256) for value in color):
        return tuple(int(value) for value in color)
    raise ValueError(
        f"background={background!r} is no colour: give a name as 'white', '#rrggbb', or"
        " three whole numbers from 0 to 255."
    )


def seen(image: Any, color: tuple[int, ...]) -> tuple[Any, bool]:
    """Return what one sees of an image of Pillow's on a background, in colour.

    Returns
    -------
    image : PIL.Image.Image
        In the mode RGB.
    transparent : bool
        Whether some of the background is seen.
    """
    Image: Any = import_extra("PIL.Image", "plot", "Reading images")
    if image.mode.startswith(("I", "F")):
        # Pillow would cut these off at 255.
        values = np.nan_to_num(np.asarray(image, dtype=float))
        low, high = values.min(), values.max()
        if image.mode.startswith("I") and low >= 0 and high < 2**16:
            low, high = 0, 2**16 - 1
        values = 255 * (values - low) / ((high - low) or 1)
        return Image.fromarray(values.astype(np.uint8)).convert("RGB"), False
    if image.mode in TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            below = Image.new("RGBA", image.size, (*color, 255))
            return Image.alpha_composite(below, image).convert("RGB"), True
    return image.convert("RGB"), False


def in_colour(image: Any) -> np.ndarray:
    """Image of anyone's as an array of bytes of shape (height, width, 3)."""
    if hasattr(image, "convert"):
        image = image.convert("RGB")
    array = np.asarray(image)
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(
            f"images holds an array of shape {array.shape} and type {array.dtype}: give"
            " those of read, or bytes of shape (height, width, 3)."
        )
    return array


def refuse_one(images: Any) -> None:
    """Refuse a single image where several are wanted, and none."""
    if getattr(images, "ndim", 4) == 3 or hasattr(images, "convert"):
        raise ValueError("images is a single image: give a list of images.")
    if len(images) == 0:
        raise ValueError("images holds no image.")


def squares(images: Sequence[Any], side: int, background: Any = "white") -> np.ndarray:
    """Images in one array of bytes, padded to squares and not squashed.

    Parameters
    ----------
    images : sequence of array-like or of PIL.Image.Image
    side : int
    background : str or tuple of int, default="white"

    Returns
    -------
    ndarray of shape (n_images, side, side, 3)
    """
    Image: Any = import_extra("PIL.Image", "plot", "Images of one size")
    ImageOps: Any = import_extra("PIL.ImageOps", "plot", "Images of one size")
    check_counts(side=side)
    color = checked_color(background)
    refuse_one(images)
    padded = np.empty((len(images), side, side, 3), dtype=np.uint8)
    for place, image in enumerate(images):
        image = Image.fromarray(in_colour(image))
        padded[place] = ImageOps.pad(image, (side, side), color=color)
    return padded


def pixels(
    images: Sequence[Any], side: int = 32, *, background: Any = "white"
) -> np.ndarray:
    """Make flat rows of the pixels of images, which are padded to squares.

    They tell light from dark and colours apart, and little else: photographs want the
    `features` of a pretrained network.

    Parameters
    ----------
    images : sequence of array-like of shape (height, width, 3) or of PIL.Image.Image
        Images as `read` has them, of any sizes.
    side : int, default=32
        Pixels a side.
    background : str or tuple of int, default="white"
        Colour beside an image that is no square, as for `read`.

    Returns
    -------
    ndarray of shape (n_images, side * side * 3), float32
        Numbers from zero to one, in the order of arrays of shape (side, side, 3).

    Raises
    ------
    ImportError
        If Pillow is not installed.
    ValueError
        If a parameter or an image is unusable.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepcluster.images import pixels
    >>> wide, high = np.zeros((10, 40, 3), np.uint8), np.zeros((40, 10, 3), np.uint8)
    >>> pixels([wide, high], side=16).shape
    (2, 768)
    """
    padded = squares(images, side, background)
    return padded.reshape(len(padded), -1) / np.float32(255)


def features(
    images: Sequence[Any],
    extract: Any,
    *,
    cache: Any = None,
    progress: bool | None = None,
) -> np.ndarray:
    """Make rows of images, and keep them in a file.

    Parameters
    ----------
    images : sequence of array-like of shape (height, width, 3) or of PIL.Image.Image
        Images as `read` has them, of any sizes.
    extract : callable, transformer, class or str
        Makes rows of a list of arrays of bytes of shape (height, width, 3). A callable
        gets some images at a time, and makes the row of each without the others. What
        has ``fit_transform`` gets all at once; a class is called without arguments for
        such an object first. A string "module:name" names one to import.
    cache : str or path-like, default=None
        A file, ``.npz``, in which rows are kept: what is found there isn't made again.
        It is found there if the image and ``extract`` are the same, with what is in
        the file that defines it or, if that is a notebook or the script that is run, in
        its own lines. Transformers have to get the same images together as well. What
        else they use, as a file of weights, isn't seen: delete the file when that
        changes. Rows made before an interruption are kept. A transformer whose rows
        are all found isn't fitted.
    progress : bool or None, default=None
        Whether to show how many images of a callable are done, which needs tqdm. None
        does it on a terminal, if tqdm is installed.

    Returns
    -------
    ndarray of shape (n_images, n_features)
        Features of each image.

    Raises
    ------
    ImportError
        If ``extract`` names a module that can't be imported.
    ValueError
        If ``extract`` doesn't give one row of numbers for each image, or is no name
        that is there; if ``cache`` is another kind of file, or it can't be told whether
        ``extract`` has changed.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepcluster.images import features
    >>> def colors(images):
    ...     return [image.mean((0, 1)) for image in images]
    >>> black, white = np.zeros((2, 3, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    >>> features([black, white], colors)
    array([[  0.,   0.,   0.],
           [255., 255., 255.]])
    """
    refuse_one(images)
    images = [in_colour(image) for image in images]
    if isinstance(extract, str):
        extract = imported(extract)
    if isinstance(extract, type):
        extract = extract()
    together = hasattr(extract, "fit_transform")
    if not together and not callable(extract):
        raise ValueError(f"extract={extract!r} is neither callable nor a transformer.")
    keys, made_by, known = [str(place) for place in range(len(images))], "", {}
    if cache is not None:
        cache = Path(cache)
        keys = [str(joblib.hash(image)) for image in images]
        made_by = str(joblib.hash([told_by(extract), keys if together else None]))
        known = kept(cache, made_by)
    left = {key: place for place, key in enumerate(keys) if key not in known}
    try:
        if together and left:
            rows = rows_by(extract.fit_transform, images)
            known |= dict(zip(keys, rows, strict=True))
        elif left:
            for part in parts_shown(list(left.values()), progress):
                rows = rows_by(extract, [images[place] for place in part])
                width = len(next(iter(known.values()), rows[0]))
                if rows.shape[1] != width:
                    raise ValueError(
                        f"extract gives rows of {width} numbers, and then of "
                        f"{rows.shape[1]}: give as many for each image."
                    )
                known |= dict(zip([keys[place] for place in part], rows, strict=True))
    finally:
        if cache is not None and left and known:
            keep(cache, made_by, known)
    return np.array([known[key] for key in keys])


def imported(name: str) -> Any:
    """Import what "module:name" names."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(
            f"{name!r} must be module:name, as my_features:extract for the function "
            "extract in my_features.py."
        )
    try:
        return getattr(import_module(module), attribute)
    except AttributeError as error:
        raise ValueError(f"{name!r}: {error}.") from error


def parts_shown(places: list[int], progress: bool | None) -> Iterator[list[int]]:
    """Give places part by part, and show how many have been done."""
    try:
        tqdm: Any = import_extra("tqdm", "compare", "progress=True").tqdm
    except ImportError:
        if progress:
            raise
        tqdm, progress = None, False
    disable = None if progress is None else not progress
    bar = tqdm and tqdm(total=len(places), unit="image", disable=disable)
    for part in gen_batches(len(places), BATCH):
        yield places[part]
        if bar:
            bar.update(len(places[part]))
    if bar:
        bar.close()


def rows_by(make: Callable[[list[np.ndarray]], Any], images: list[Any]) -> np.ndarray:
    """Rows that a callable makes of images."""
    rows = make(images)
    # What leaves a network may still be one of torch's.
    rows = np.asarray(rows.detach().cpu() if hasattr(rows, "detach") else rows)
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise ValueError(
            "extract gives numbers that are missing or infinite: mend it, or leave out "
            "the images that it can't describe."
        )
    if rows.ndim != 2 or len(rows) != len(images) or rows.dtype.kind not in "fiub":
        raise ValueError(
            f"extract gives an array of shape {rows.shape} and type {rows.dtype} for "
            f"{len(images)} images: give one row of numbers for each."
        )
    return rows


def told_by(extract: Any) -> list[Any]:
    """Tell what changes when an extractor does: its name, code and values."""
    # A decorator has the name of the function, and values that can't be read.
    extract = inspect.unwrap(extract)
    plain = isinstance(extract, FunctionType)
    named: Any = extract if plain else type(extract)
    module: Any = inspect.getmodule(named)
    own = module is None or module.__name__ == "__main__"
    whole: Any = named if own else module
    try:
        code = inspect.getsource(whole)
    except (OSError, TypeError):
        # Of what is compiled, the name has to do; what was typed has no other.
        code = None if own else ""
    if plain:
        values = [cell.cell_contents for cell in extract.__closure__ or ()]
    else:
        # As it was before it was fitted.
        values = clone(extract, safe=False)
    try:
        known = joblib.hash(values)
    except Exception:
        code = known = None
    if code is None:
        raise ValueError(
            f"With cache=, it must be possible to tell whether {extract!r} is the same "
            "the next time, and of this it isn't: give a function that is defined in a "
            "file, or cache=None."
        )
    return [FORMAT, named.__module__, named.__qualname__, code, known]


def kept(path: Path, made_by: str) -> dict[str, np.ndarray]:
    """Rows in a file by the keys of their images, if the same code made them."""
    if path.suffix != ".npz":
        raise ValueError(f"cache={str(path)!r} must be a file whose name ends in .npz.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cache={str(path)!r} is in no folder that exists.")
    if not path.exists():
        return {}
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays}
    except Exception:
        # Damaged: it can be made anew.
        return {}
    if set(found) != KEPT:
        raise ValueError(
            f"cache={str(path)!r} holds the arrays {', '.join(found)} and no features "
            "of images: give another file, which need not exist."
        )
    if str(found["made_by"]) != made_by:
        return {}
    return dict(zip(found["keys"].tolist(), found["rows"], strict=True))


def keep(path: Path, made_by: str, known: dict[str, np.ndarray]) -> None:
    """Write rows to a file, which is there as a whole or not at all."""
    written = path.with_name(f"{path.name}.part")
    with open(written, "wb") as file:
        rows = np.stack(list(known.values()))
        np.savez(file, made_by=np.array(made_by), keys=np.array(list(known)), rows=rows)
    os.replace(written, path)
