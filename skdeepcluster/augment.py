"""Images that training changes a little, so that a network learns to disregard it.

The autoencoder reconstructs the changed image, and the clustering phase pulls the soft
assignment of the changed image to the target of the image as it is: Guo, Zhu, Liu and
Yin (2018), https://proceedings.mlr.press/v95/guo18b.html. Strengths are theirs, and so
are edges that go on beyond the image: they ask for no colour of the background.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from skdeepcluster._images import channel_axis
from skdeepcluster._modules import Draws, global_generator

MOST_SHIFT = 0.1
MOST_DEGREES = 10
NAMES = ("shift", "rotate", "flip")


class Augmentation(nn.Module):
    """Changed images of flat rows, other ones at each call.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width, and channels in front of them or behind.
    seed : int
        Seed of the changes.
    """

    def __init__(self, image_shape: tuple[int, ...], seed: int) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.channels_last = len(image_shape) == 3 and channel_axis(image_shape) == 2
        self.draws = Draws(seed)

    def change(self, images: Tensor) -> Tensor:
        """Change images of shape (n_samples, channels, height, width)."""
        raise NotImplementedError

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Change rows in the units of the data, which come back as floats."""
        x = x if x.is_floating_point() else x.float()
        images = x.reshape(len(x), *self.image_shape)
        if self.channels_last:
            return self.change(images.movedim(3, 1)).movedim(1, 3).flatten(1)
        if images.ndim == 3:
            images = images[:, None]
        return self.change(images).flatten(1)


class Moving(Augmentation):
    """Shifts, rotations and mirror images, each image by numbers of its own.

    Parameters
    ----------
    names : sequence of str
        Those of ``NAMES`` that are wanted.
    image_shape : tuple of int
    seed : int
    """

    def __init__(
        self, names: Sequence[str], image_shape: tuple[int, ...], seed: int
    ) -> None:
        super().__init__(image_shape, seed)
        self.names = frozenset(names)

    def change(self, images: Tensor) -> Tensor:
        """Change images of shape (n_samples, channels, height, width)."""
        numbers = self.draws.uniform([len(images), 4], images.device)
        across, down, turn, side = (2 * numbers - 1).to(images.dtype).unbind(1)
        shift = MOST_SHIFT * ("shift" in self.names)
        angle = math.radians(MOST_DEGREES) * ("rotate" in self.names)
        mirror = (side < 0) & ("flip" in self.names)
        return moved(images, shift * across, shift * down, angle * turn, mirror)


def moved(
    images: Tensor, across: Tensor, down: Tensor, angle: Tensor, mirror: Tensor
) -> Tensor:
    """Move images, by linear interpolation; edges go on beyond the image.

    Parameters
    ----------
    images : Tensor of shape (n_samples, channels, height, width)
    across, down : Tensor of shape (n_samples,)
        How far to the right and down, as shares of the width and the height.
    angle : Tensor of shape (n_samples,)
        Rotation about the centre before that, in radians, clockwise.
    mirror : bool Tensor of shape (n_samples,)
        Whether left and right are exchanged before that.
    """
    height, width = images.shape[2:]
    kind = {"dtype": images.dtype, "device": images.device}
    # From the centre, in pixels: a rotation of an oblong image is one, too.
    x = (torch.arange(width, **kind) - (width - 1) / 2).expand(height, width)
    y = (torch.arange(height, **kind) - (height - 1) / 2)[:, None].expand(height, width)
    pixels = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    # Where each pixel comes from, in halves of the sides.
    right, below = across * width, down * height
    cosine, sine = angle.cos(), angle.sin()
    side = (2 - 4 * mirror.to(images.dtype)) / width
    rows = [
        torch.stack([cosine, sine, -cosine * right - sine * below], 1) * side[:, None],
        torch.stack([-sine, cosine, sine * right - cosine * below], 1) * 2 / height,
    ]
    sources = torch.stack(rows, 1) @ pixels
    places = sources.unflatten(2, (height, width)).movedim(1, 3)
    return nn.functional.grid_sample(
        images, places, padding_mode="border", align_corners=False
    )


class GivenAugmentation(Augmentation):
    """Images as a function of the user's changes them.

    Parameters
    ----------
    function : callable
        Called with images of shape (n_samples, channels, height, width) and a
        `torch.Generator`, it returns changed images of the same shape.
    image_shape : tuple of int
    seed : int

    Raises
    ------
    TypeError
        If it returns no tensor.
    ValueError
        If what it returns has another shape.
    """

    def __init__(
        self,
        function: Callable[[Tensor, torch.Generator], Any],
        image_shape: tuple[int, ...],
        seed: int,
    ) -> None:
        super().__init__(image_shape, seed)
        self.function = function
        # A function that draws from the global generator shall not move it.
        with global_generator(seed):
            self(torch.zeros(2, math.prod(image_shape), device="cpu"))
        self.draws = Draws(seed)

    def change(self, images: Tensor) -> Tensor:
        """Change images of shape (n_samples, channels, height, width)."""
        changed = self.function(images, self.draws.generator(images.device))
        name = getattr(self.function, "__name__", repr(self.function))
        if not isinstance(changed, Tensor):
            raise TypeError(
                f"augment={name} returned {type(changed).__name__}; it must return a "
                "tensor of images like those it is given."
            )
        if changed.shape != images.shape:
            raise ValueError(
                f"augment={name} returned images of shape {tuple(changed.shape)} for "
                f"{tuple(images.shape)}, which is (n_samples, channels, height, "
                "width); it must keep the shape."
            )
        return changed


def checked_names(augment: Any) -> tuple[str, ...]:
    """Return the names of changes as a tuple, if they all are some."""
    names = (augment,) if isinstance(augment, str) else tuple(augment)
    if not names or not all(name in NAMES for name in names):
        raise ValueError(
            f"augment={augment!r} must be one or several of {', '.join(NAMES)}, as in "
            "('shift', 'rotate'), or a callable (images, generator), or None."
        )
    return names


def augmentation(augment: Any, image_shape: tuple[int, ...], seed: int) -> Augmentation:
    """Build the augmentation that a parameter asks for, by name or as a callable."""
    if callable(augment):
        return GivenAugmentation(augment, image_shape, seed)
    return Moving(checked_names(augment), image_shape, seed)
