"""Autoencoder networks."""

# torch annotates part of its functions only.
# pyright: reportUnknownMemberType=false

import copy
import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# What is named twice is for modules that take it from here.
from skdeepcluster._modules import evaluating, global_generator

# Rows farther than this from the centre, in units of the scale, are taken to be so far:
# what a network makes of them stays finite, also when it is squared. In training data
# no row is, unless they have 1e18 entries.
FARTHEST = 1e9


class AutoencoderModule(nn.Module):
    """What every autoencoder network shares: the scale of the input, and saving.

    A subclass names its constructor's arguments in ``config`` and sets ``encoder``, a
    sequence whose last layer is linear, and ``decoder``, both on standardised rows; or
    it overrides the methods that use them. Rows are centred by feature and divided
    by *one* number, the overall standard deviation, so that the geometry of the input
    is kept while learning rates mean the same for pixels, word weights and lengths in
    metres. Both live in the module: they travel with it to devices and into files.

    Parameters
    ----------
    n_features : int
        Number of input columns.
    config : dict
        Arguments that build the same module again.
    """

    shift: Tensor
    scale: Tensor
    encoder: nn.Sequential
    # An encoder alone has none.
    decoder: Any

    def __init__(self, n_features: int, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        # Rows far from the origin differ in digits that single precision hasn't.
        self.register_buffer("shift", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    def set_scale(self, shift: np.ndarray, scale: float) -> None:
        """Fix the centre and scale of the input."""
        if max(np.abs(shift).max(), scale) > np.finfo(np.float32).max:
            raise ValueError("X has values too large for float32; rescale them.")
        self.shift.copy_(torch.from_numpy(shift))
        self.scale.fill_(scale)

    @property
    def latent_dim(self) -> int:
        """Width of the latent space."""
        return self.config["latent_dim"]

    @property
    def n_hidden(self) -> int:
        """Width of the last hidden layer."""
        last: Any = self.encoder[-1]
        return last.in_features

    def hidden(self, x: Tensor) -> Tensor:
        """Last hidden layer of standardised rows."""
        return self.encoder[:-1](x)

    def project(self, h: Tensor) -> Tensor:
        """Latent rows of what `hidden` returns."""
        return self.encoder[-1](h)

    def encode(self, x: Tensor) -> Tensor:
        """Latent rows of standardised rows."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Standardised rows of latent rows."""
        return self.decoder(z)

    def standardize(self, x: Tensor) -> Tensor:
        """Centre and scale rows given in the units of the data."""
        centred = (x - self.shift) / self.scale
        return centred.clamp(-FARTHEST, FARTHEST).float()

    def restore(self, x: Tensor) -> Tensor:
        """Undo `standardize`."""
        return x * self.scale + self.shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the standardised rows, their latent rows and their reconstruction."""
        x = self.standardize(x)
        z = self.encode(x).float()
        return x, z, self.decode(z).float()


class AlignedLinear(nn.Linear):
    """Linear layer whose result for a row does not depend on its place in the batch.

    Matrix products with few columns sum a row in an order that depends on its
    alignment in memory, unless rows are multiples of 16 bytes.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the affine map of the rows."""
        missing = -self.in_features % 4
        if not missing or self.out_features > 16:
            return super().forward(input)
        weight = nn.functional.pad(self.weight, (0, missing))
        return nn.functional.linear(
            nn.functional.pad(input, (0, missing)), weight, self.bias
        )


def dense_stack(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with rectifiers between them and none after the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [AlignedLinear(n_in, n_out, dtype=torch.float32), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class MLPAutoencoder(AutoencoderModule):
    """Dense autoencoder with a mirrored decoder and linear bottleneck and output.

    Parameters
    ----------
    n_features : int
        Number of input columns.
    hidden_units : sequence of int
        Widths of the encoder's hidden layers.
    latent_dim : int
        Width of the bottleneck.
    """

    def __init__(
        self, n_features: int, hidden_units: Sequence[int], latent_dim: int
    ) -> None:
        widths = [n_features, *hidden_units, latent_dim]
        super().__init__(
            n_features,
            {
                "n_features": n_features,
                "hidden_units": [int(units) for units in hidden_units],
                "latent_dim": latent_dim,
            },
        )
        self.encoder = dense_stack(widths)
        self.decoder = dense_stack(widths[::-1])


class Passthrough(AutoencoderModule):
    """No network: latent rows are the standardised rows, for ready embeddings.

    Parameters
    ----------
    n_features : int
        Number of input columns.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features, {"n_features": n_features})

    @property
    def latent_dim(self) -> int:
        """Width of the rows."""
        return self.config["n_features"]

    @property
    def n_hidden(self) -> int:
        """Width of the rows."""
        return self.latent_dim

    def hidden(self, x: Tensor) -> Tensor:
        """Return the rows."""
        return x

    def project(self, h: Tensor) -> Tensor:
        """Return the rows."""
        return h

    def encode(self, x: Tensor) -> Tensor:
        """Return the rows."""
        return x

    def decode(self, z: Tensor) -> Tensor:
        """Return the rows."""
        return z


class Permute(nn.Module):
    """Moves the axes of images.

    Parameters
    ----------
    *order : int
        The axes in their new order, without the first, which stays.
    """

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """Return the images with their axes in another order."""
        # Convolutions choose kernels, and with them their rounding, by the layout.
        return x.permute(0, *self.order).contiguous()


class LatentRows(nn.Module):
    """Latent rows of rows in the units of the data, by plain layers of torch.

    Parameters
    ----------
    module : AutoencoderModule
        It is copied.
    head : nn.Module or None, default=None
        Of DDC, whose last hidden layer is the latent space. It is copied.
    """

    def __init__(self, module: AutoencoderModule, head: Any = None) -> None:
        super().__init__()
        self.module = copy.deepcopy(module)
        self.head = copy.deepcopy(head)
        self.cpu().requires_grad_(False)
        for layer in self.modules():
            if isinstance(layer, AlignedLinear):
                # What quantises passes over subclasses, without a word.
                object.__setattr__(layer, "__class__", nn.Linear)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return latent rows."""
        x = self.module.standardize(x)
        if self.head is None:
            return self.module.encode(x)
        return self.head.hidden(self.module.hidden(x))


class SingleConv2d(nn.Conv2d):
    """Convolution that no lower precision is asked of."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolve in single precision."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


class SingleConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution that no lower precision is asked of."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve in single precision."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float(), output_size)


def is_miscalculated(height: int, width: int) -> bool:
    """Tell whether processors halve images of this size wrongly in bfloat16.

    Those with AMX do where a single column comes of it, or was there before: silently,
    or with numbers that are none (torch 2.13).
    """
    return width == 1 or height > 2 == width


class ConvAutoencoder(AutoencoderModule):
    """Convolutional autoencoder of flattened images.

    Kernels of 5, 5 and 3 pixels with stride 2 give 32, 64 and 128 channels; a dense
    layer makes the bottleneck, and transposed convolutions mirror it all.

    Parameters
    ----------
    image_shape : tuple of int
        Channels, height and width, or the channels last; any size is halved upwards
        and restored exactly.
    latent_dim : int
        Width of the bottleneck.
    channels_last : bool, default=False
        Whether the channels are the last of ``image_shape``.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int,
        channels_last: bool = False,
    ) -> None:
        config = {"image_shape": tuple(image_shape), "latent_dim": latent_dim}
        if channels_last:
            config["channels_last"] = True
        super().__init__(math.prod(image_shape), config)
        encoder: list[nn.Module] = [nn.Unflatten(1, tuple(image_shape))]
        decoder: list[nn.Module] = [nn.Flatten()]
        if channels_last:
            encoder, decoder = (
                [*encoder, Permute(3, 1, 2)],
                [Permute(2, 3, 1), *decoder],
            )
            image_shape = (image_shape[-1], *image_shape[:-1])
        n_channels, *size = image_shape
        for n_out, kernel in ((32, 5), (64, 5), (128, 3)):
            halving: dict[str, Any] = {
                "kernel_size": kernel,
                "stride": 2,
                "padding": kernel // 2,
                "dtype": torch.float32,
            }
            down, up = nn.Conv2d, nn.ConvTranspose2d
            if is_miscalculated(*size):
                down, up = SingleConv2d, SingleConvTranspose2d
            encoder += [down(n_channels, n_out, **halving), nn.ReLU()]
            # A transposed convolution gives odd sizes; one more row where it was even.
            extra = [1 - side % 2 for side in size]
            mirrored = up(
                n_out, n_channels, output_padding=(extra[0], extra[1]), **halving
            )
            decoder = [nn.ReLU(), mirrored, *decoder]
            n_channels, size = n_out, [(side + 1) // 2 for side in size]
        width = n_channels * math.prod(size)
        self.encoder = nn.Sequential(
            *encoder, nn.Flatten(), nn.Linear(width, latent_dim, dtype=torch.float32)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, width, dtype=torch.float32),
            nn.ReLU(),
            nn.Unflatten(1, (n_channels, *size)),
            *decoder[1:],
        )


class ForeignAutoencoder(AutoencoderModule):
    """A user's network in our terms.

    Parameters
    ----------
    network : callable
        Called with ``n_features`` and ``latent_dim`` as keywords, it returns a module
        with methods ``encode`` and ``decode`` or with attributes ``encoder`` and
        ``decoder``.
    n_features : int
        Number of input columns.
    latent_dim : int
        Width of the bottleneck.
    image_shape : tuple of int or None
        Shape in which the network wants each row; None is a flat row.
    seed : int
        Seed of the weights.

    Raises
    ------
    TypeError
        If the network can't be called so, lacks what it needs, or returns no tensors.
    ValueError
        If what it returns has another shape than it should.
    """

    def __init__(
        self,
        network: Callable[..., nn.Module],
        n_features: int,
        latent_dim: int,
        image_shape: tuple[int, ...] | None,
        seed: int,
    ) -> None:
        super().__init__(
            n_features,
            {
                "network": network,
                "n_features": n_features,
                "latent_dim": latent_dim,
                "image_shape": image_shape,
                "seed": seed,
            },
        )
        name = getattr(network, "__name__", repr(network))
        self._check_call(name)
        # A device of our own: the network may hold what its state does not, and so
        # can't be rebuilt from a form without storage.
        with torch.device("cpu"), global_generator(seed):
            self.network: Any = network(n_features=n_features, latent_dim=latent_dim)
        self._shape = image_shape or (n_features,)
        self._encode, self._decode = self._halves(name)
        self.network.float()
        self._check_shapes(name)

    def _check_call(self, name: str) -> None:
        try:
            signature = inspect.signature(self.config["network"])
        except ValueError:
            return
        try:
            signature.bind(n_features=1, latent_dim=1)
        except TypeError as error:
            raise TypeError(
                f"network={name} is called with the keywords n_features and latent_dim "
                f"alone, but {error}; take them, or give a function that does."
            ) from error

    def _halves(self, name: str) -> tuple[str, str]:
        """Names of the two halves of the network, both from one pair."""
        if not isinstance(self.network, nn.Module):
            raise TypeError(
                f"network={name} returned {type(self.network).__name__}; it must "
                "return a torch.nn.Module."
            )
        for pair in (("encode", "decode"), ("encoder", "decoder")):
            if all(callable(getattr(self.network, half, None)) for half in pair):
                return pair
        raise TypeError(
            f"network={name} gives a module without methods encode(x) and "
            "decode(z) or attributes encoder and decoder; add one of the pairs."
        )

    def _check_shapes(self, name: str) -> None:
        n_features, latent_dim = self.config["n_features"], self.config["latent_dim"]

        def check(part: str, rows: Any, width: int) -> None:
            if not isinstance(rows, Tensor):
                raise TypeError(
                    f"The {part} of network={name} returned {type(rows).__name__}; it "
                    "must return a tensor alone: encode(x) latent rows, and decode(z) "
                    "rows like x."
                )
            found = tuple(rows.flatten(1).shape if part == "decoder" else rows.shape)
            if found != (2, width):
                raise ValueError(
                    f"The {part} of network={name} turns 2 rows into shape {found}, "
                    f"but {(2, width)} is needed for n_features={n_features} and "
                    f"latent_dim={latent_dim}; it is called with both."
                )

        with evaluating(self), torch.no_grad(), torch.device("cpu"):
            z = self.encode(torch.zeros(2, n_features, dtype=torch.float32))
            check("encoder", z, latent_dim)
            check("decoder", self._half(self._decode, z), n_features)

    @property
    def n_hidden(self) -> int:
        """Width of what `hidden` returns: the latent rows themselves."""
        return self.latent_dim

    def hidden(self, x: Tensor) -> Tensor:
        """Latent rows of standardised rows: inner layers are the user's own."""
        return self.encode(x)

    def project(self, h: Tensor) -> Tensor:
        """Return the rows as they are."""
        return h

    def encode(self, x: Tensor) -> Tensor:
        """Latent rows of standardised rows."""
        return self._half(self._encode, x.reshape(x.shape[0], *self._shape))

    def decode(self, z: Tensor) -> Tensor:
        """Standardised rows of latent rows."""
        return self._half(self._decode, z).flatten(1)

    def _half(self, name: str, x: Tensor) -> Any:
        """Apply a half of the network, which may draw though it predicts."""
        half = getattr(self.network, name)
        if self.training or torch.compiler.is_compiling():
            return half(x)
        with global_generator(self.config["seed"]):
            return half(x)


def build(
    factory: type[AutoencoderModule] | type[nn.Module], seed: int, **config: Any
) -> Any:
    """Build a module whose weights depend on ``seed`` alone.

    torch's layers draw their weights from the global generator. Here they are built
    without storage and then drawn as torch would from a generator of our own, so that
    nothing global moves and threads don't disturb each other.
    """
    if issubclass(factory, ForeignAutoencoder):
        return factory(**config, seed=seed)
    with torch.device("meta"):
        module = factory(**config)
    module = module.to_empty(device="cpu")
    generator = torch.Generator("cpu").manual_seed(seed)
    layer: Any
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
            if layer.bias is not None:
                bound = layer.weight[0].numel() ** -0.5
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        elif hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return module
