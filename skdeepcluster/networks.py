"""Autoencoder networks, and their plain form for saving."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class AutoencoderModule(nn.Module):
    """What every autoencoder network shares: the scale of the input, and saving.

    A subclass names its constructor's arguments in ``config`` and implements
    `encode` and `decode` on standardised rows. Rows are centred by feature and divided
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

    def __init__(self, n_features: int, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("shift", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(()))

    def set_scale(self, shift: np.ndarray, scale: float) -> None:
        """Fix the centre and scale of the input."""
        with np.errstate(over="ignore"):
            shift = shift.astype(np.float32)
        if not (np.isfinite(shift).all() and np.isfinite(np.float32(scale))):
            raise ValueError("X has values too large for float32; rescale them.")
        self.shift.copy_(torch.from_numpy(shift))
        self.scale.fill_(scale)

    @property
    def latent_dim(self) -> int:
        """Width of the latent space."""
        return self.config["latent_dim"]

    def encode(self, x: Tensor) -> Tensor:
        """Latent rows of standardised rows."""
        raise NotImplementedError

    def decode(self, z: Tensor) -> Tensor:
        """Standardised rows of latent rows."""
        raise NotImplementedError

    def standardize(self, x: Tensor) -> Tensor:
        """Centre and scale rows given in the units of the data."""
        return (x.float() - self.shift) / self.scale

    def restore(self, x: Tensor) -> Tensor:
        """Undo `standardize`."""
        return x * self.scale + self.shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the standardised rows, their latent rows and their reconstruction."""
        x = self.standardize(x)
        z = self.encode(x).float()
        return x, z, self.decode(z).float()


def dense_stack(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with rectifiers between them and none after the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
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

    def encode(self, x: Tensor) -> Tensor:
        """Latent rows of standardised rows."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Standardised rows of latent rows."""
        return self.decoder(z)


def build(factory: Callable[..., nn.Module], seed: int, **config: Any) -> nn.Module:
    """Build a module whose weights depend on ``seed`` alone.

    torch's layers draw their weights from the global generator. Here they are built
    without storage and then drawn as torch would from a generator of our own, so that
    nothing global moves and threads don't disturb each other.
    """
    with torch.device("meta"):
        module = factory(**config)
    module = module.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
        elif hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return module


def to_state(module: nn.Module) -> dict[str, Any]:
    """Plain form of a module of ours: its class, its arguments, its arrays."""
    arrays = {name: value.cpu().numpy() for name, value in module.state_dict().items()}
    return {"class": type(module), "config": module.config, "arrays": arrays}


def from_state(state: dict[str, Any]) -> nn.Module:
    """Rebuild what `to_state` took apart, on the CPU and ready to predict."""
    with torch.device("meta"):
        module = state["class"](**state["config"])
    arrays = {name: torch.tensor(array) for name, array in state["arrays"].items()}
    module.load_state_dict(arrays, assign=True)
    return module.eval()


def input_moments(data: Any, rows: int) -> tuple[np.ndarray, float]:
    """Mean of each column and overall standard deviation.

    One pass, shifted by the first row against cancellation, over dense blocks: an
    array and a sparse matrix of the same rows give the same bits.

    Parameters
    ----------
    data : BatchDataset
    rows : int
        Rows of a block.

    Returns
    -------
    mean : ndarray of shape (n_features,), float64
    scale : float
        One for a constant input.
    """
    origin = data.rows(slice(0, 1)).numpy()[0].astype(np.float64)
    total, squares = np.zeros_like(origin), np.zeros_like(origin)
    for start in range(0, len(data), rows):
        block = data.rows(slice(start, start + rows)).numpy() - origin
        total += block.sum(0)
        squares += np.square(block, out=block).sum(0)
    mean = total / len(data)
    scale = float(np.sqrt(np.maximum(squares / len(data) - mean**2, 0).mean()))
    return origin + mean, scale if scale > np.finfo(np.float32).tiny else 1.0
