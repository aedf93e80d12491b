"""A fitted estimator given as a parameter: used as it is, shared, never changed."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback
from torch import nn

from skdeepcluster._fitted import Saved
from skdeepcluster._modules import same_state, to_state
from skdeepcluster.estimators._training import Training

# Parameters that decide nothing of what is learned; and what a fitted estimator may be
# given others of, to go on with.
SILENT = ("verbose", "checkpoint")
FREE = (*SILENT, "device", "precision")


def unwrapped(given: Any) -> Any:
    """Return what a `FrozenEstimator` holds, or the estimator itself."""
    return given.estimator if isinstance(given, FrozenEstimator) else given


def is_fitted(given: Any) -> bool:
    """Tell whether an estimator of ours has learned a network."""
    return hasattr(unwrapped(given), "module_")


def describe(value: Any, without: Sequence[str] = SILENT) -> str:
    """Name a parameter's value so that equal values have equal names in any process.

    Parameters ``without`` a part in it are left out, wherever they are.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return f"({', '.join(describe(part, without) for part in value)})"
    if isinstance(value, dict):
        items = (f"{name}: {describe(part, without)}" for name, part in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, Callback):
        # What it holds may change meanwhile, or hold it in turn.
        held = (list, tuple, dict, np.ndarray, Callback)
        params = {
            name: type(part) if isinstance(part, held) else part
            for name, part in value.get_params(deep=False).items()
        }
        parts = (f"{name}={describe(part)}" for name, part in params.items())
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        named = {name: params[name] for name in params if name not in without}
        parts = (f"{name}={describe(part, without)}" for name, part in named.items())
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    return getattr(value, "__qualname__", type(value).__qualname__)


def settings_of(estimator: Any) -> dict[str, str]:
    """Describe the parameters that decide what an estimator learns."""
    params = estimator.get_params(deep=False)
    if "training" in params:
        training = params.pop("training") or Training()
        for name, value in training.get_params(deep=False).items():
            params[f"training__{name}"] = value
    return {
        name: describe(params[name], FREE)
        for name in params
        if name.removeprefix("training__") not in FREE
    }


def check_unchanged(estimator: Any, name: str) -> None:
    """Refuse a fitted estimator whose parameters aren't those of its fit."""
    now = settings_of(estimator)
    for parameter, then in estimator._fitted_with.items():
        if now[parameter] != then:
            raise ValueError(
                f"The given {name} was fitted with {parameter}={then}, and won't be "
                f"again with {parameter}={now[parameter]}. Fit it yourself, or give an "
                "unfitted clone."
            )


class HoldsFitted(Saved):
    """An estimator with a parameter, named in ``_holds``, that may be fitted.

    Clones keep a fitted one, for it is given in order to be used as it is, and a saved
    file holds once what both have.
    """

    _holds: str

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters; those of a fitted estimator are settled, and not among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to give those of estimators within as well.

        Returns
        -------
        dict
            Parameter names and their values.
        """
        params = super().get_params(deep=deep)
        if not is_fitted(params.get(self._holds)):
            return params
        return {
            name: value
            for name, value in params.items()
            if not name.startswith(f"{self._holds}__")
        }

    def __sklearn_clone__(self) -> Any:
        copied = super().__sklearn_clone__()
        given = self.get_params(deep=False).get(self._holds)
        if is_fitted(given):
            setattr(copied, self._holds, copy.copy(given))
        return copied

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        own = state.get("module_")
        given = getattr(unwrapped(getattr(self, self._holds)), "module_", None)
        if isinstance(own, dict) and isinstance(given, nn.Module):
            if same_state(own, to_state(given)):
                state["module_"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("module_", 0) is None:
            given = unwrapped(state[self._holds]).module_
            state = {**state, "module_": to_state(given)}
        super().__setstate__(state)
