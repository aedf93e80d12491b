"""What every estimator shares. Think twice before adding to it: a hook beats a flag."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from skorch.callbacks import Callback
from torch import nn

from skdeepcluster import networks
from skdeepcluster.training import (
    OPTIMIZERS,
    Net,
    check_monitors,
    check_net_params,
    clone_callbacks,
    in_batches,
    over_rows,
    train,
)

INPUT_DTYPES = [np.float32, np.float64, np.uint8]

TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "max_epochs": [Interval(Integral, 0, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "optimizer": [StrOptions(set(OPTIMIZERS))],
    "callbacks": [list, tuple, None],
    "net_params": [dict, None],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}


def spawn_seeds(random_state: Any, count: int) -> list[int]:
    """Seeds for the parts of a fit.

    None takes fresh entropy: numpy's global generator is neither read nor moved.
    """
    if isinstance(random_state, np.random.RandomState):
        rng = random_state
    else:
        rng = np.random.RandomState(random_state)
    return [int(seed) for seed in rng.randint(np.iinfo(np.int32).max, size=count)]


class BaseDeepEstimator(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """An estimator whose fitted state is a network with a latent space.

    A subclass sets ``module_``, an `networks.AutoencoderModule`, in `fit`; it may set
    ``head_``, another module with a ``config``.
    """

    def _check_input(self, X: Any, reset: bool = False) -> Any:
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            dtype=INPUT_DTYPES,
            order="C",
            ensure_min_samples=2 if reset else 1,
        )
        # An unsorted or repeated index densifies to the same rows, but not to the same
        # bits in every version of scipy.
        if hasattr(X, "sum_duplicates") and not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return X

    def _latent(self, x: torch.Tensor) -> torch.Tensor:
        """Latent rows of a batch in the units of the data."""
        return self.module_.encode(self.module_.standardize(x))

    def _encode(self, X: Any) -> np.ndarray:
        """Latent rows, float32, in the input's order."""
        Z = over_rows(self._latent, X, self.module_.shift.device)
        return finite(Z.cpu().numpy())

    def _check_training(self) -> None:
        """Refuse training parameters that skorch would trip over much later."""
        check_net_params(self.net_params, self.optimizer)
        clone_callbacks(self.callbacks)
        check_monitors(self.callbacks, self.net_params)

    def _train(
        self,
        net_class: type[Net],
        module: nn.Module,
        X: Any,
        seed: int,
        own_callbacks: Sequence[Callback] = (),
        **settings: Any,
    ) -> Net:
        """Train a module in place with this estimator's training parameters."""
        settings = {"max_epochs": self.max_epochs, **settings}
        return train(
            net_class,
            module,
            X,
            seed=seed,
            optimizer=self.optimizer,
            lr=self.lr,
            batch_size=self.batch_size,
            callbacks=[*own_callbacks, *clone_callbacks(self.callbacks)],
            net_params=self.net_params,
            verbose=int(self.verbose),
            **settings,
        )

    def transform(self, X: Any) -> np.ndarray:
        """Map rows to the latent space.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples, latent_dim)
            Latent rows.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        return self._encode(X).astype(output_dtype(X), copy=False)

    @property
    def _n_features_out(self) -> int:
        return self.module_.latent_dim

    def __copy__(self) -> "BaseDeepEstimator":
        # By way of the saved form, the network would be another and leave its device.
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: networks.to_state(value) if isinstance(value, nn.Module) else value
            for name, value in super().__getstate__().items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        for name in {"module_", "head_"} & set(state):
            state[name] = networks.from_state(state[name])
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class BaseDecodingEstimator(BaseDeepEstimator):
    """An estimator whose network has a decoder."""

    def _reconstruction_errors(self, X: Any) -> np.ndarray:
        """Mean squared error of each standardised row, float32."""
        module = self.module_

        def error(x: torch.Tensor) -> torch.Tensor:
            target, _, reconstruction = module(x)
            return (target - reconstruction).square().mean(1)

        return finite(over_rows(error, X, module.shift.device).cpu().numpy())

    def inverse_transform(self, Z: Any) -> np.ndarray:
        """Map latent rows back to the units of the data.

        Parameters
        ----------
        Z : array-like of shape (n_samples, latent_dim)
            Latent rows, as `transform` returns them.

        Returns
        -------
        ndarray of shape (n_samples, `n_features_in_`)
            Reconstructed rows.
        """
        check_is_fitted(self)
        Z = check_array(Z, dtype=[np.float32, np.float64], order="C")
        module = self.module_
        if Z.shape[1] != module.latent_dim:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but the latent space of this "
                f"{type(self).__name__} has {module.latent_dim}."
            )

        def decode(z: torch.Tensor) -> torch.Tensor:
            return module.restore(module.decode(z.float()))

        X = np.empty((len(Z), self.n_features_in_), dtype=Z.dtype)
        start = 0
        for rows in in_batches(decode, Z, module.shift.device):
            X[start : start + len(rows)] = rows.cpu().numpy()
            start += len(rows)
        return X


def finite(output: np.ndarray) -> np.ndarray:
    """Return what a network made of rows, if it is finite."""
    if not np.isfinite(output).all():
        raise ValueError(
            "The network's output for X is not finite: X holds values far outside "
            "those of the training data, or the training diverged; lower lr."
        )
    return output


def output_dtype(X: Any) -> Any:
    """Floating point type of results for an input."""
    return np.float64 if X.dtype == np.float64 else np.float32


def warn_interrupted(estimator: Any, phase: str) -> None:
    """Say that a fit ended early by the user's will."""
    warnings.warn(
        f"{type(estimator).__name__}.fit was interrupted during {phase}: it keeps what "
        "was learned so far.",
        ConvergenceWarning,
        stacklevel=4,
    )
