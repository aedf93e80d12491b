"""What any module of ours needs: draws of its own, a plain form, a scale."""

# torch annotates part of its functions only.
# pyright: reportUnknownMemberType=false

import contextlib
import random
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Generator[None]:
    """Context in which a module predicts, though it may be in training."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


_global_generator_lock = threading.RLock()


def global_states() -> dict[str, Any]:
    """States of the global generators of torch, numpy and Python."""
    return {
        "torch": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],
        "numpy": np.random.get_state(),
        "python": random.getstate(),
    }


def set_global_states(states: dict[str, Any]) -> None:
    """Put the global generators where they were, numpy's by an array or a tensor."""
    first, *others = states["torch"]
    torch.set_rng_state(first)
    torch.cuda.set_rng_state_all(others)
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, np.asarray(keys), *rest))
    random.setstate(states["python"])


@contextlib.contextmanager
def global_generator(seed: int) -> Generator[None]:
    """Seed the global generators for a while, then put them back.

    For code that isn't ours and draws from them. One thread at a time is let in.
    """
    with _global_generator_lock:
        states = global_states()
        try:
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
        finally:
            set_global_states(states)


class Draws(nn.Module):
    """Random numbers of a training phase, whose position is saved with the module.

    Parameters
    ----------
    seed : int
        The numbers depend on it alone.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._generator: torch.Generator | None = None
        self._position: Tensor | None = None

    def uniform(self, size: Sequence[int], device: torch.device) -> Tensor:
        """Draw numbers from 0 to 1, the size beginning with the number of rows."""
        return self._rows(torch.rand, size, device)

    def normal(self, size: Sequence[int], device: torch.device) -> Tensor:
        """Draw standard normal numbers, the size beginning with the number of rows."""
        return self._rows(torch.randn, size, device)

    def order(self, count: int, device: torch.device) -> Tensor:
        """Draw an order of so many rows."""
        return torch.randperm(count, generator=self.generator(device), device=device)

    def _rows(
        self, draw: Callable[..., Tensor], size: Sequence[int], device: torch.device
    ) -> Tensor:
        generator = self.generator(device)
        return draw(size, generator=generator, device=device, dtype=torch.float32)

    def generator(self, device: torch.device) -> torch.Generator:
        """Return the generator itself, for what draws for the whole batch."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(self.seed)
            if self._position is not None:
                self._generator.set_state(self._position)
        return self._generator

    def get_extra_state(self) -> Tensor:
        """Return the position."""
        if self._generator is None:
            return torch.empty(0, dtype=torch.uint8, device="cpu")
        return self._generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from a position."""
        self._generator = None
        self._position = state.cpu() if len(state) else None


def to_state(module: nn.Module) -> dict[str, Any]:
    """Plain form of a module of ours: its class, its arguments, its arrays."""
    arrays = {name: value.cpu().numpy() for name, value in module.state_dict().items()}
    return {"class": type(module), "config": module.config, "arrays": arrays}


def is_state(value: Any) -> bool:
    """Tell whether something is what `to_state` gives."""
    return isinstance(value, dict) and value.keys() == {"class", "config", "arrays"}


def same_state(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Tell whether two of what `to_state` gives are of equal modules."""
    arrays, others = first["arrays"], second["arrays"]
    return (
        first["class"] is second["class"]
        and first["config"] == second["config"]
        and arrays.keys() == others.keys()
        and all(np.array_equal(arrays[name], others[name]) for name in arrays)
    )


def from_state(state: dict[str, Any]) -> nn.Module:
    """Rebuild what `to_state` took apart, on the CPU and ready to predict."""
    with torch.device("meta"):
        module = state["class"](**state["config"])
    arrays = {
        name: torch.from_numpy(np.array(array))
        for name, array in state["arrays"].items()
    }
    saved = {name.partition(".")[0] for name in arrays}
    for name, _ in module.named_children():
        if name not in saved:
            # A part that was dropped: an encoder alone has no decoder.
            setattr(module, name, None)
    module.load_state_dict(arrays, assign=True)
    return module.eval()


@np.errstate(over="ignore", invalid="ignore")
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
    return origin + mean, 1.0 if scale <= np.finfo(np.float32).tiny else scale
