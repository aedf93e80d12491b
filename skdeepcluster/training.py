"""Training through skorch: batches, the lean loop, stopping, seeds, devices."""

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PrintLog
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import Dataset, Subset

from skdeepcluster.networks import ForeignAutoencoder, global_generator

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
}

# Arguments of optimizers that can't be had together with fused kernels.
NOT_FUSED = ("foreach", "capturable", "differentiable")

# Rows in every forward pass without gradients. Matrix products choose their kernel, and
# with it their rounding, by the number of rows: with one number for all, a row's result
# is the same whatever stands beside it. Large enough for full speed, small enough that
# activations stay within a few megabytes and one row alone is a matter of milliseconds.
INFERENCE_ROWS = 256


class PhaseFinished(Exception):
    """A phase reached its end before its last epoch."""


class BatchDataset(Dataset):
    """Rows of an array or CSR matrix, handed out as dense batches with their index."""

    def __init__(self, X: Any, y: Any = None) -> None:
        self.X = X

    def __len__(self) -> int:
        return self.X.shape[0]

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.rows(np.array([index]))[0], index

    def rows(self, index: Any) -> Tensor:
        """Dense copy of the rows at an index or slice."""
        rows = self.X[index]
        if sp.issparse(rows):
            rows = rows.toarray()
        elif isinstance(index, slice):
            # A view of the caller's array, which may be read-only: torch warns of it.
            rows = rows.copy()
        return torch.from_numpy(rows)


class BatchIterator:
    """Shuffled batches ``(rows, index)`` sliced out of a whole data set at once.

    Batches are of nearly equal size and at most ``batch_size``: no trailing batch of
    one row, which batch normalisation can't digest.
    """

    def __init__(
        self, dataset: Any, batch_size: int, shuffle: bool = False, seed: int = 0
    ) -> None:
        self.dataset: Any = dataset
        self.index = np.arange(len(dataset))
        if isinstance(dataset, Subset):
            self.dataset, self.index = dataset.dataset, np.asarray(dataset.indices)
        self.batch_size = batch_size
        self.rng = np.random.default_rng(seed) if shuffle else None

    def __len__(self) -> int:
        return math.ceil(len(self.index) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.index if self.rng is None else self.rng.permutation(self.index)
        for batch in np.array_split(order, len(self)):
            yield self.dataset.rows(batch), torch.from_numpy(batch)


def autocast(device: torch.device | str, precision: str) -> Any:
    """Context in which matrix products run in the wanted precision."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16)


@torch.no_grad()
def in_batches(
    function: Callable[[Tensor], Tensor], X: Any, device: torch.device
) -> Iterator[Tensor]:
    """Apply a function of rows to all the rows of ``X``, a batch at a time.

    Each result is independent of the other rows of ``X``.
    """
    data = BatchDataset(X)
    for start in range(0, len(data), INFERENCE_ROWS):
        rows = data.rows(slice(start, start + INFERENCE_ROWS)).to(device)
        count = len(rows)
        missing = INFERENCE_ROWS - count
        if missing:
            rows = torch.cat([rows, rows.new_zeros(missing, rows.shape[1])])
        yield function(rows)[:count]


def over_rows(
    function: Callable[[Tensor], Tensor], X: Any, device: torch.device
) -> Tensor:
    """Apply a function of rows to all the rows of ``X``, as `in_batches` does.

    The result is allocated at once: small results, kept one by one between large
    temporary ones, would hold on to most of the memory that these give back.
    """
    start = 0
    result = torch.empty(0)
    for part in in_batches(function, X, device):
        if start == 0:
            result = part.new_empty((X.shape[0], *part.shape[1:]))
        result[start : start + len(part)] = part
        start += len(part)
    return result


def array_over_rows(
    function: Callable[[np.ndarray], np.ndarray], Z: np.ndarray
) -> np.ndarray:
    """Apply a function of arrays as `over_rows` does: its rounding varies likewise."""

    def apply(z: Tensor) -> Tensor:
        return torch.from_numpy(function(z.numpy()))

    return over_rows(apply, Z, torch.device("cpu")).numpy()


def resolve_device(device: str | torch.device) -> torch.device:
    """Device of that name, ``"auto"`` being the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        # Some names, like "meta", are of devices that hold no numbers.
        torch.zeros((), device=resolved).item()
    except Exception as error:
        reason = str(error).splitlines()[0]
        msg = f"device={device!r} can't be used here ({reason}); try device='auto'."
        raise ValueError(msg) from error
    return resolved


RESERVED = {
    "module": "the network is built by the estimator",
    "criterion": "the loss is the estimator's",
    "dataset": "batches need their own dataset",
    "max_epochs": "set max_epochs on the estimator",
    "batch_size": "set batch_size on the estimator",
    "lr": "set lr on the estimator",
    "optimizer": "set optimizer on the estimator",
    "callbacks": "set callbacks on the estimator",
    "verbose": "set verbose on the estimator",
    "device": "set device on the estimator",
}
PREFIXES = ("optimizer", "iterator_train", "iterator_valid", "callbacks", "compile")


def check_net_params(
    net_params: dict[str, Any] | None, optimizer: str
) -> dict[str, Any]:
    """Refuse keywords that skorch would refuse, or ignore, long after."""
    net_params = dict(net_params or {})
    optimizer_class, values = OPTIMIZERS[optimizer]
    arguments = {*argument_names(optimizer_class), "param_groups"}
    iterator_arguments = argument_names(BatchIterator)
    known = set(inspect.signature(NeuralNet.__init__).parameters) - {"self", "kwargs"}
    for name in ("train_split", "iterator_train", "iterator_valid"):
        value = net_params.get(name)
        if value is not None and not callable(value):
            raise ValueError(f"net_params has {name}={value!r}, which is not callable.")
    for name in net_params:
        if name in RESERVED:
            raise ValueError(f"net_params has {name!r}: {RESERVED[name]}.")
        prefix, dunder, argument = str(name).partition("__")
        if name not in known and not (dunder and prefix in PREFIXES):
            raise ValueError(
                f"net_params has {name!r}, which skorch.NeuralNet does not take. Use "
                f"one of its arguments, or a prefix of {', '.join(PREFIXES)} with two "
                "underscores, as in 'optimizer__weight_decay'."
            )
        if prefix == "optimizer" and argument.split("__")[0] not in arguments:
            raise ValueError(
                f"net_params has {name!r}, but {optimizer_class.__name__} takes no "
                f"{argument!r}; it takes {', '.join(sorted(arguments))}."
            )
        own = prefix.startswith("iterator_") and prefix not in net_params
        if own and dunder and argument not in iterator_arguments:
            raise ValueError(
                f"net_params has {name!r}, but our iterator takes no {argument!r}; it "
                f"takes {', '.join(sorted(iterator_arguments))}. Give another class of "
                f"iterators as {prefix!r}."
            )
    given = {
        name.removeprefix("optimizer__"): value
        for name, value in net_params.items()
        if name.startswith("optimizer__") and "param_groups" not in name
    }
    try:
        optimizer_class([torch.zeros(1)], **{**values, **given})
    except Exception as error:
        raise ValueError(
            f"net_params has arguments that {optimizer_class.__name__} refuses: {error}"
        ) from error
    return net_params


def argument_names(cls: type) -> set[str]:
    """Names of a class's arguments but the first, which skorch gives."""
    return set(list(inspect.signature(cls).parameters)[1:])


def check_monitors(callbacks: Any, net_params: dict[str, Any] | None) -> None:
    """Refuse callbacks that wait for a validation loss, where no rows are held out."""
    if (net_params or {}).get("train_split") is not None:
        return
    for item in callbacks or []:
        callback = item[1] if isinstance(item, tuple) else item
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith("valid_loss"):
            raise ValueError(
                f"callbacks has {type(callback).__name__} with monitor={monitor!r}, but"
                " no rows are held out for validation; use "
                f"monitor={monitor.replace('valid', 'train')!r}, or give a train_split "
                "in net_params."
            )


def clone_callbacks(callbacks: Any) -> list[Any]:
    """Fresh copies of a user's callbacks, for skorch changes the ones it runs."""
    copies = []
    for item in callbacks or []:
        name, callback = item if isinstance(item, tuple) else (None, item)
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks must hold skorch callbacks or (name, callback) pairs, got "
                f"{item!r}."
            )
        copies.append(clone(callback) if name is None else (name, clone(callback)))
    return copies


class CosineAnnealing(Callback):
    """Learning rate that falls to zero along half a cosine.

    skorch's own scheduler listens to batches, whose losses would then be read one by
    one: a wait for the device at each step.

    Parameters
    ----------
    epochs : int
        Epochs of the fall.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start at the optimizer's learning rate."""
        self.schedule_ = CosineAnnealingLR(net.optimizer_, max(self.epochs, 1))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Set the learning rate of the next epoch."""
        net.history.record("event_lr", self.schedule_.get_last_lr()[0])
        self.schedule_.step()


class Net(NeuralNet):
    """A skorch net whose loop costs little more than a bare one.

    It differs from its parent in what happens between two batches: the loss is summed
    on the device and read once an epoch, unless a callback of the user listens to
    batches; ours don't. A subclass gives the loss of its phase in `get_loss`, where
    ``y_true`` is the index of the batch's rows, and may act before each step in
    `before_step`.

    Parameters
    ----------
    precision : {"float32", "bf16"}, default="float32"
        Precision of the matrix products in training.
    """

    def __init__(self, *args: Any, precision: str = "float32", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.precision = precision

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Tell the callbacks, and take skorch's way of stopping for what it means."""
        getattr(self, method_name)(self, **kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **kwargs)
            except KeyboardInterrupt:
                # Early stopping raises what a user's Ctrl-C raises.
                if isinstance(callback, EarlyStopping):
                    raise PhaseFinished from None
                raise

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **kw: Any) -> Any:
        """Train, and remember whether the user interrupted it in ``interrupted``."""
        self.interrupted = False
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y, **kw)
        except PhaseFinished:
            pass
        except KeyboardInterrupt:
            self.interrupted = True
        if self.history and "train_loss" not in self.history[-1]:
            self.history.pop()
        self.notify("on_train_end", X=X, y=y)
        return self

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **kwargs: Any
    ) -> None:
        """Run the batches of an epoch."""
        if iterator is None:
            return
        self._set_training(training)
        hears = self._has_listener("on_batch_begin", "on_batch_end")
        self._hears_gradients = self._has_listener("on_grad_computed")
        total = torch.zeros((), device=self.device)
        rows = 0
        try:
            for batch in iterator:
                if training:
                    self.before_step()
                if hears:
                    self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **kwargs)
                count = len(batch[1])
                total += step["loss"].detach() * count
                rows += count
                if hears:
                    self.history.record_batch(f"{prefix}_loss", step["loss"].item())
                    self.history.record_batch(f"{prefix}_batch_size", count)
                    self.notify("on_batch_end", batch=batch, training=training, **step)
        finally:
            if rows:
                self._record_loss(prefix, total.item() / rows)
                if not hears:
                    # Checkpoints look the last batch up, to name their files.
                    self.history.new_batch()

    def before_step(self) -> None:
        """Do what a phase wants done before each of its steps."""

    def _has_listener(self, *hooks: str) -> bool:
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in hooks
        )

    def _record_loss(self, prefix: str, loss: float) -> None:
        name = f"{prefix}_loss"
        if not math.isfinite(loss):
            raise ValueError(
                f"Training diverged: the {name} of epoch {len(self.history)} is {loss}."
                " Lower lr, or scale features that are out of proportion."
            )
        earlier = [row[name] for row in self.history[:-1] if name in row]
        self.history.record(name, loss)
        self.history.record(f"{name}_best", loss < min(earlier, default=math.inf))

    def train_step(self, batch: Any, **kwargs: Any) -> dict[str, Any]:
        """One step of the optimizer."""
        self.optimizer_.zero_grad(set_to_none=True)
        step = self.train_step_single(batch, **kwargs)
        if self._hears_gradients:
            named = list(self.get_all_learnable_params())
            self.notify(
                "on_grad_computed", named_parameters=named, batch=batch, training=True
            )
        self.optimizer_.step()
        return step

    def train_step_single(self, batch: Any, **kwargs: Any) -> dict[str, Any]:
        """Loss and gradients of a batch."""
        step = self.validation_step(batch)
        step["loss"].backward()
        return step

    def validation_step(self, batch: Any, **kwargs: Any) -> dict[str, Any]:
        """Loss of a batch."""
        x, index = (part.to(self.device, non_blocking=True) for part in batch)
        training = self.module_.training
        with torch.set_grad_enabled(training):
            with autocast(self.device, self.precision):
                y_pred = self.infer(x)
            loss = self.get_loss(y_pred, index, X=x, training=training)
        return {"loss": loss, "y_pred": y_pred}


class NoCriterion(nn.Module):
    """Stand in for skorch's criterion, for nets that define `get_loss`.

    It is a module, though an empty one, because checkpoints save and load it.
    """


def train(
    net_class: type[Net],
    module: nn.Module,
    X: Any,
    *,
    optimizer: str,
    seed: int,
    net_params: dict[str, Any] | None = None,
    **settings: Any,
) -> Net:
    """Train a module in place through skorch and return the net that did.

    Parameters
    ----------
    net_class : subclass of Net
    module : nn.Module
        Changed in place, and moved to the device of ``settings``.
        A user's network may draw from torch's global generators, as dropout does, and
        so may a user's iterator: they are seeded for it and put back.
    X : array or CSR matrix
    optimizer : str
        A key of ``OPTIMIZERS``.
    seed : int
        Seed of the order of batches.
    net_params : dict or None, default=None
        Further keywords of the net; they win over ours.
    **settings
        Keywords of the net.
    """
    optimizer_class, defaults = OPTIMIZERS[optimizer]
    keywords: dict[str, Any] = {
        "criterion": NoCriterion,
        "optimizer": optimizer_class,
        "train_split": None,
        "dataset": BatchDataset,
        "iterator_train": BatchIterator,
        "iterator_valid": BatchIterator,
        **{f"optimizer__{name}": value for name, value in defaults.items()},
        **settings,
        **(net_params or {}),
    }
    if not any(keywords.get(f"optimizer__{name}") for name in NOT_FUSED):
        keywords.setdefault("optimizer__fused", True)
    if keywords["iterator_train"] is BatchIterator:
        keywords = {
            "iterator_train__shuffle": True,
            "iterator_train__seed": seed,
            **keywords,
        }
    net = net_class(module, **keywords)
    foreign = {net.iterator_train, net.iterator_valid} != {BatchIterator} or any(
        isinstance(part, ForeignAutoencoder) for part in module.modules()
    )
    with global_generator(seed) if foreign else contextlib.nullcontext():
        net.partial_fit(X)
    module.eval()
    return net


def plain_history(net: Net) -> list[dict[str, Any]]:
    """History of a net as a list of plain dictionaries, one an epoch."""
    return [
        {name: value for name, value in row.items() if name != "batches"}
        for row in net.history
    ]
