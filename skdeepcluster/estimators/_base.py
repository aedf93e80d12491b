"""What every estimator shares. Think twice before adding to it: a hook beats a flag."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted
from torch import nn

import skdeepcluster
from skdeepcluster import _modules, networks
from skdeepcluster._devices import resolve_device
from skdeepcluster._docs import documented
from skdeepcluster._fitted import Saved, blank, take_over
from skdeepcluster._resume import Journal, Page, fingerprint, open_journal
from skdeepcluster._rows import plain_settings, validated, warn_of_units
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster._sklearn import CallbackSupportMixin, Interval
from skdeepcluster.augment import Augmentation
from skdeepcluster.batches import in_batches, over_rows, own_settings
from skdeepcluster.estimators._given import describe, settings_of
from skdeepcluster.estimators._training import Training
from skdeepcluster.streams import sampled, takes_any_rows
from skdeepcluster.training import Net, Trained

# Whatever else comes, integers and dates among it, is told apart by doubles.
INPUT_DTYPES = [np.float64, np.float32, np.uint8]

# Parameters of every estimator, and those of one that trains.
COMMON_CONSTRAINTS: dict[str, list[Any]] = {
    "training": [Training, None],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}
SCHEDULE_CONSTRAINTS: dict[str, list[Any]] = {
    "max_epochs": [Interval(Integral, 0, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
}


@dataclass(frozen=True)
class Learned:
    """What a fit has learned so far: each phase takes it and returns another.

    Parameters
    ----------
    module : AutoencoderModule
        The network.
    history : dict of list of dict
        Epochs of each phase.
    journal : Journal
        Where the phases are kept.
    interrupted : str or None, default=None
        The phase in which the user interrupted the fit: it ends as soon as it can.
    attributes : dict, default=<factory>
        Fitted attributes beside these, modules with a ``config`` among them.
    """

    module: networks.AutoencoderModule
    history: dict[str, list[dict[str, Any]]]
    journal: Journal
    interrupted: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def after(self, phase: str, name: str, trained: Trained) -> Self:
        """Add a phase of training, under the key of its history and its name."""
        return replace(
            self,
            history={**self.history, phase: trained.history},
            interrupted=name if trained.interrupted else self.interrupted,
        )

    def cut_short(self, phase: str | None) -> Self:
        """Say which phase the user interrupted, if any."""
        return replace(self, interrupted=phase)

    def adding(self, **attributes: Any) -> Self:
        """Add fitted attributes."""
        return replace(self, attributes={**self.attributes, **attributes})


@contextlib.contextmanager
def learning(estimator: Any, going_on: bool = False) -> Iterator[Any]:
    """Context of a fit, which learns on a copy that has learned nothing yet.

    The estimator has all of it at the end. One that fails or is refused leaves the
    estimator as it was. A fit that is ``going_on`` starts from what was learned before.
    """
    model = copy.copy(estimator) if going_on else blank(estimator)
    with own_settings():
        yield model
    take_over(estimator, model)


def end_interrupted(estimator: Any, phase: str | None) -> None:
    """Pass the user's interruption on, now that the estimator has what was learned."""
    if phase is not None:
        raise KeyboardInterrupt(
            f"{type(estimator).__name__}.fit was interrupted during {phase}: it keeps "
            "what was learned so far."
        )


@documented
class BaseDeepEstimator(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, Saved
):
    """An estimator whose fitted state is a network with a latent space."""

    # Of one that has no such parameters.
    training: Training | None = None
    verbose: int = 0
    random_state: Any = None

    _parts: ClassVar[dict[str, Callable[[], Any]]] = {"training": Training}

    @property
    def _trainer(self) -> Training:
        """The training in force."""
        return self._part("training")

    def _take(self, learned: Learned) -> None:
        """Set the fitted attributes."""
        self.__dict__.update(
            module_=learned.module,
            history_=learned.history,
            _fitted_with=settings_of(self),
            **learned.attributes,
        )

    def _rows_to_learn(self, X: Any) -> tuple[Any, bool]:
        """Check all the rows, and return those to learn from and whether they are some.

        Of few rows these are all; of many, a sample that depends on their number alone.
        """
        self._trainer._validate_params()
        rows, some = sampled(X, self._trainer.max_samples, self._check_input)
        warn_of_units(self, rows)
        return rows, some

    def _check_input(self, X: Any, reset: bool = False, **settings: Any) -> Any:
        X = check_rows(self, X, reset, **settings)
        if reset:
            self._latent_dtype_ = np.dtype(output_dtype(X)).name
        return X

    def _encode(self, X: Any) -> np.ndarray:
        """Latent rows, float32, in the input's order."""
        return encode(self.module_, X)

    def _augmentation(self, n_features: int, seed: int) -> Augmentation | None:
        """Build what changes images of so many columns in training, if it is wanted."""
        return None

    def _train(
        self,
        net_class: type[Net],
        module: nn.Module,
        X: Any,
        seed: int,
        page: Page,
        **settings: Any,
    ) -> Trained:
        """Train a module in place, by the training in force."""
        return self._trainer._train(
            net_class,
            module,
            X,
            seed,
            page,
            augmentation=self._augmentation(X.shape[1], spawn_seeds(seed, 1)[0]),
            verbose=self.verbose,
            **settings,
        )

    def _open_journal(
        self,
        X: Any,
        seeds: list[int],
        network: nn.Module | None = None,
        links: Any = None,
    ) -> tuple[Journal, list[int]]:
        """Open the journal of a fit, and tell the seeds of the fit that it goes on."""
        folder = self._trainer.checkpoint
        if folder is None:
            return Journal(), seeds
        facts = {
            "estimator": type(self).__name__,
            "version of skdeepcluster": skdeepcluster.__version__,
            "version of torch": torch.__version__,
            "data": fingerprint(X),
            "parameters": describe(self),
        }
        if network is not None:
            arrays = _modules.to_state(network)["arrays"].values()
            facts["given network"] = " ".join(fingerprint(a[None]) for a in arrays)
        if links is not None:
            pairs = fingerprint(links.must), fingerprint(links.cannot)
            facts["links"] = " ".join(pairs)
        return open_journal(folder, facts, seeds, self.random_state is not None)

    @takes_any_rows
    def transform(self, X: Any) -> np.ndarray:
        """Map rows to the latent space.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples, latent_dim)
            Latent rows, in the floating point type of the training data.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        # What comes after it in a pipeline may take rows of one type only, as k-means.
        dtype = getattr(self, "_latent_dtype_", output_dtype(X))
        return self._encode(X).astype(dtype, copy=False)

    @property
    def _n_features_out(self) -> int:
        return self.module_.latent_dim

    def to(self, device: Any) -> "BaseDeepEstimator":
        """Move a fitted model to a device; one loaded from a file is on the CPU.

        Parameters
        ----------
        device : str or torch.device
            "auto" takes the GPU where there is one.

        Returns
        -------
        self : object
            The estimator.
        """
        check_is_fitted(self)
        place = resolve_device(device)
        for name, value in vars(self).items():
            if isinstance(value, nn.Module):
                # The network may be another's as well.
                setattr(self, name, copy.deepcopy(value).to(place))
        return self

    def __copy__(self) -> "BaseDeepEstimator":
        # By way of the saved form, the network would be another and leave its device.
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: _modules.to_state(value) if isinstance(value, nn.Module) else value
            for name, value in super().__getstate__().items()
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(
            {
                name: _modules.from_state(value) if _modules.is_state(value) else value
                for name, value in state.items()
            }
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@documented
class BaseDecodingEstimator(BaseDeepEstimator):
    """An estimator whose network has a decoder."""

    def _reconstruction_errors(self, X: Any) -> np.ndarray:
        """Mean squared error of each standardised row, float64."""
        return reconstruction_errors(self.module_, X)

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
        with plain_settings():
            Z = check_array(Z, dtype=[np.float32, np.float64], order="C")
        module = self.module_
        if Z.shape[1] != module.latent_dim:
            raise ValueError(
                f"Z has {Z.shape[1]} columns, but the latent space of this "
                f"{type(self).__name__} has {module.latent_dim}."
            )

        def decode(z: torch.Tensor) -> torch.Tensor:
            return module.restore(module.decode(z.float()).float())

        X = np.empty((len(Z), self.n_features_in_), dtype=Z.dtype)
        start = 0
        with own_settings():
            for rows in in_batches(decode, Z, module.shift.device):
                X[start : start + len(rows)] = rows.cpu().numpy()
                start += len(rows)
        return X


def check_rows(estimator: Any, X: Any, reset: bool = False, **settings: Any) -> Any:
    """Validate the rows that an estimator of ours is given."""
    X = validated(
        estimator,
        X,
        reset=reset,
        dtype=INPUT_DTYPES,
        order="C",
        **settings,
    )
    # An unsorted or repeated index densifies to the same rows, but not to the same bits
    # in every version of scipy.
    if hasattr(X, "sum_duplicates") and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def encode(module: networks.AutoencoderModule, X: Any) -> np.ndarray:
    """Latent rows that a network makes of rows in the units of the data, float32."""

    def latent(x: torch.Tensor) -> torch.Tensor:
        return module.encode(module.standardize(x))

    return finite(over_rows(latent, X, module.shift.device).cpu().numpy())


def reconstruction_errors(module: networks.AutoencoderModule, X: Any) -> np.ndarray:
    """Mean over the columns of the squared errors of each standardised row, float64."""

    def error(x: torch.Tensor) -> torch.Tensor:
        target, _, reconstruction = module(x)
        return (target.double() - reconstruction).square().mean(1)

    return finite(over_rows(error, X, module.shift.device).cpu().numpy())


def finite(output: np.ndarray) -> np.ndarray:
    """Return what a network made of rows, if it is finite."""
    if not np.isfinite(output).all():
        raise ValueError(
            "The network's output for X is not finite: the training diverged; lower lr."
        )
    return output


def output_dtype(X: Any) -> Any:
    """Floating point type of results for an input."""
    return np.float64 if X.dtype == np.float64 else np.float32


def as_output(values: np.ndarray, X: Any) -> np.ndarray:
    """Results in the type for an input, as large as it can hold at most."""
    dtype = output_dtype(X)
    largest = np.finfo(dtype).max
    return np.clip(values, -largest, largest).astype(dtype)
