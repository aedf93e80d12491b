"""How networks are trained: what is seldom changed, in one place."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from skdeepcluster._resume import Page
from skdeepcluster._sklearn import StrOptions
from skdeepcluster.augment import Augmentation
from skdeepcluster.streams import MAX_SAMPLES_CONSTRAINT
from skdeepcluster.training import (
    OPTIMIZERS,
    CosineAnnealing,
    Net,
    Trained,
    check_monitors,
    check_net,
    clone_callbacks,
    make_net,
    resolve_device,
    train,
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
        """What a network has of the training of another: where it is, and the rows."""
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
        if any(isinstance(of_pair(callback), LRScheduler) for callback in callbacks):
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


def of_pair(callback: Any) -> Any:
    """Return a callback that may be given with a name."""
    return callback[1] if isinstance(callback, tuple) else callback
