"""How networks are trained: what is seldom changed, in one place."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from skdeepcluster._callbacks import (
    CosineAnnealing,
    check_monitors,
    clone_callbacks,
    named,
)
from skdeepcluster._devices import resolve_device
from skdeepcluster._resume import Page
from skdeepcluster._sklearn import StrOptions
from skdeepcluster.augment import Augmentation
from skdeepcluster.batches import BatchDataset, BatchIterator
from skdeepcluster.streams import MAX_SAMPLES_CONSTRAINT
from skdeepcluster.training import Net, Trained, train

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
}

# Arguments of optimizers that can't be had together with fused kernels.
NOT_FUSED = ("foreach", "capturable", "differentiable")

# What net_params can't say: the estimator's own parts, and what it has parameters for.
OWN_PARTS = ("module", "criterion", "dataset", "precision")
OWN_PARAMETERS = (
    "max_epochs",
    "batch_size",
    "lr",
    "optimizer",
    "callbacks",
    "verbose",
    "device",
)


class Training(BaseEstimator):
    """How networks are trained, beyond what estimators have parameters for.

    It is given to an estimator as ``training``, and searched like any part:
    ``training__optimizer``. What is searched most, ``max_epochs``, ``batch_size`` and
    ``lr``, are parameters of the estimators themselves.

    Parameters
    ----------
    optimizer : {"adam", "adamw", "sgd"} or class, default="adam"
        Optimizer; "sgd" has momentum 0.9. Any subclass of
        :class:`torch.optim.Optimizer` can be given. Its other arguments go through
        ``net_params``, as in ``{"optimizer__weight_decay": 1e-4}``.
    callbacks : list of skorch callbacks or None, default=None
        Copies of them listen to each phase of a training. An ``LRScheduler`` takes the
        place of a learning rate that falls along half a cosine.
    net_params : dict or None, default=None
        Further arguments of :class:`skorch.NeuralNet`.
    precision : {"auto", "float32", "bf16"}, default="auto"
        Precision of the matrix products in training. "auto" is "bf16" on processors
        with instructions for it, where it takes a third to two thirds of the time, and
        "float32" on others. Predictions are always made in float32.
    device : str, default="auto"
        torch device; "auto" takes the GPU where there is one.
    max_samples : int or None, default=100000
        Rows to learn from, at most. Of more, a sample that depends on their number
        alone is learned from, and ``labels_`` are what `predict` says of all the rows.
        None learns from all.
    checkpoint : str, path or None, default=None
        Folder to keep the state of the training in, after each epoch: the same `fit` on
        the same data goes on from there, and ends as if nothing had stopped it. One
        folder is for one fit.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, Training
    >>> X, _ = load_digits(return_X_y=True)
    >>> training = Training(optimizer="sgd", device="cpu", max_samples=1000)
    >>> encoder = Autoencoder((64,), max_epochs=2, lr=0.1, training=training)
    >>> encoder.fit_transform(X).shape
    (1797, 10)
    """

    _parameter_constraints: dict = {
        "optimizer": [StrOptions(set(OPTIMIZERS)), type],
        "callbacks": [list, tuple, None],
        "net_params": [dict, None],
        "precision": [StrOptions({"auto", "float32", "bf16"})],
        "device": [str, torch.device],
        "max_samples": MAX_SAMPLES_CONSTRAINT,
        "checkpoint": [str, os.PathLike, None],
    }

    def __init__(
        self,
        *,
        optimizer: Any = "adam",
        callbacks: Any = None,
        net_params: dict | None = None,
        precision: str = "auto",
        device: Any = "auto",
        max_samples: int | None = 100_000,
        checkpoint: Any = None,
    ) -> None:
        self.optimizer = optimizer
        self.callbacks = callbacks
        self.net_params = net_params
        self.precision = precision
        self.device = device
        self.max_samples = max_samples
        self.checkpoint = checkpoint

    def __sklearn_clone__(self) -> "Training":
        # Callbacks may hold what has no copy, as a file, and what the user looks into.
        return type(self)(**self.get_params(deep=False))

    def _shared(self) -> "Training":
        """Return what a network has of the training of another, beside its own."""
        return Training(
            precision=self.precision,
            device=self.device,
            max_samples=self.max_samples,
            checkpoint=self.checkpoint,
        )

    def _check(self, lr: float | None = None, batch_size: int | None = None) -> None:
        """Refuse what skorch or torch would trip over much later.

        Parameters
        ----------
        lr : float or None, default=None
            Learning rate; None is left to the fit, which chooses what can be used.
        batch_size : int or None, default=None
            Rows in a step.
        """
        self._validate_params()
        optimizer = self.optimizer
        if isinstance(optimizer, type) and not issubclass(
            optimizer, torch.optim.Optimizer
        ):
            raise TypeError(
                f"optimizer={optimizer.__name__} must be a name or a subclass of "
                "torch.optim.Optimizer."
            )
        check_net(
            self.net_params,
            optimizer=optimizer,
            lr=lr or 1.0,
            batch_size=batch_size or 1,
            callbacks=clone_callbacks(self.callbacks),
        )
        check_monitors(self.callbacks, self.net_params)
        resolve_device(self.device)

    def _train(
        self,
        net_class: type[Net],
        module: nn.Module,
        X: Any,
        seed: int,
        page: Page,
        *,
        augmentation: Augmentation | None = None,
        own_callbacks: Sequence[Callback] = (),
        verbose: int = 0,
        **settings: Any,
    ) -> Trained:
        """Train a module in place.

        Parameters
        ----------
        net_class : subclass of Net
            It gives the loss of what the module's ``forward`` returns.
        module : nn.Module
        X : rows
        seed : int
            Seed of the order of the rows.
        page : Page
            Where the state of the training is kept.
        augmentation : Augmentation or None, default=None
            What changes images.
        own_callbacks : sequence of Callback, default=()
            Callbacks of the algorithm's.
        verbose : int, default=0
        **settings
            Keywords of the net; they win over these parameters.
        """
        if augmentation is not None:
            # As a part of the module, it is kept with the module's state.
            module.add_module("augmentation", augmentation)
        callbacks = clone_callbacks(self.callbacks)
        if any(isinstance(named(callback)[1], LRScheduler) for callback in callbacks):
            own_callbacks = [
                callback
                for callback in own_callbacks
                if not isinstance(callback, CosineAnnealing)
            ]
        keywords = {
            "optimizer": self.optimizer,
            "net_params": self.net_params,
            "precision": self.precision,
            "device": resolve_device(self.device),
            "verbose": int(verbose),
            **settings,
        }
        net = make_net(
            net_class,
            module,
            seed=seed,
            callbacks=[*own_callbacks, *callbacks],
            **keywords,
        )
        return train(net, X, seed, page)


def check_net(net_params: dict[str, Any] | None, **settings: Any) -> None:
    """Refuse what skorch or the optimizer would trip over much later.

    A net like the one to come is built for a network of one weight, and takes a step.
    """
    for name in net_params or {}:
        if name.partition("__")[0] in OWN_PARTS:
            raise ValueError(f"net_params has {name!r}, which is the estimator's own.")
        if name in OWN_PARAMETERS:
            of_training = name in Training._parameter_constraints
            place = "Training" if of_training else "estimator"
            raise ValueError(f"net_params has {name!r}: set {name} on the {place}.")
    split = (net_params or {}).get("train_split")
    if split is not None and not callable(split):
        raise ValueError(f"net_params has train_split={split!r}, not a callable.")
    weight = nn.Parameter(torch.zeros(1, dtype=torch.float32, device="cpu"))
    weight.grad = torch.zeros_like(weight)
    try:
        net = make_net(
            Net, nn.ParameterList([weight]), seed=0, net_params=net_params, **settings
        )
        rows = BatchDataset(np.zeros((2, 1), dtype=np.float32))
        with net.seeded(0):
            net.initialize()
            for training in (True, False):
                net.get_iterator(rows, training=training)
            net.optimizer_.step()
    except Exception as error:
        raise ValueError(
            f"optimizer={settings['optimizer']!r} with net_params={net_params!r} can't "
            f"be used: {error}"
        ) from error


class NoCriterion(nn.Module):
    """Stand in for skorch's criterion, for nets that define `get_loss`.

    It is a module, though an empty one, because checkpoints save and load it.
    """


def make_net(
    net_class: type[Net],
    module: nn.Module,
    *,
    optimizer: Any,
    seed: int,
    net_params: dict[str, Any] | None = None,
    **settings: Any,
) -> Net:
    """Build a net around a module.

    Parameters
    ----------
    net_class : subclass of Net
    module : nn.Module
    optimizer : str or subclass of torch.optim.Optimizer
        A key of ``OPTIMIZERS``, or a class.
    seed : int
        Seed of the order of batches.
    net_params : dict or None, default=None
        Further keywords of the net; they win over ours.
    **settings
        Keywords of the net.
    """
    named = isinstance(optimizer, str)
    optimizer_class, defaults = OPTIMIZERS[optimizer] if named else (optimizer, {})
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
    if named and not any(keywords.get(f"optimizer__{name}") for name in NOT_FUSED):
        keywords.setdefault("optimizer__fused", True)
    if keywords["iterator_train"] is BatchIterator:
        keywords = {
            "iterator_train__shuffle": True,
            "iterator_train__seed": seed,
            **keywords,
        }
    return net_class(module, **keywords)
