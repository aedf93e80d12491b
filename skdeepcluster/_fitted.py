"""What can be asked of any fitted clusterer, alone or at the end of a pipeline."""

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._labels import one_noise
from skdeepcluster._rows import (
    known_rows,
    refuse_dates,
    refuse_holders,
    refuse_nested,
)
from skdeepcluster._sklearn import _num_samples, _safe_indexing


def blank(estimator: Any) -> Any:
    """Copy of an estimator with its parameters and nothing learned.

    A fit learns on such a copy, and takes over the whole of it at its end: one that
    fails or is refused leaves the estimator as it was.
    """
    copied = copy.copy(estimator)
    for name in learned_names(copied):
        delattr(copied, name)
    return copied


def take_over(estimator: Any, model: Any) -> None:
    """Forget what was learned before, and have what a copy has learned."""
    for name in learned_names(estimator):
        delattr(estimator, name)
    estimator.__dict__.update(vars(model))


def learned_names(estimator: Any) -> list[str]:
    """Names of the attributes that a fit sets."""
    return [name for name in vars(estimator) if name.endswith("_")]


class HasParts(BaseEstimator):
    """An estimator with parameters of which None stands for a part with defaults."""

    # How the part is made, by the parameter's name.
    _parts: ClassVar[dict[str, Callable[[], Any]]] = {}

    def _part(self, name: str) -> Any:
        """Return the part that a parameter gives, or stands for."""
        given = getattr(self, name)
        return self._parts[name]() if given is None else given

    def set_params(self, **params: Any) -> Self:
        """Set parameters of this estimator, and of the parts within.

        Parameters
        ----------
        **params
            Those of a part as ``encoder__latent_dim``, also where the part is None.

        Returns
        -------
        self : object
            The estimator.
        """
        inner = {name.partition("__")[0] for name in params if "__" in name}
        own = self.get_params(deep=False)
        for name in inner & self._parts.keys() - params.keys():
            if own.get(name, self) is None:
                setattr(self, name, self._parts[name]())
        return super().set_params(**params)


class Saved(HasParts):
    """An estimator whose saved state tells its format."""

    # The format that is written, raised when an older version couldn't read it; and the
    # first that this one reads. A graph has others.
    _formats: ClassVar[tuple[int, int]] = 3, 3

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_format": self._formats[0]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        newest, oldest = self._formats
        written = state.pop("_format", 0)
        if written < oldest and any(name.endswith("_") for name in state):
            raise ValueError(
                f"This {type(self).__name__} was saved by an older version of "
                f"skdeepcluster, in format {written}; this one reads {oldest} "
                "and later. Fit it again, or load it with that version."
            )
        if written > newest:
            raise ValueError(
                f"This {type(self).__name__} was saved by a newer version of "
                f"skdeepcluster, in format {written}; this one reads up to "
                f"{newest}. Upgrade skdeepcluster."
            )
        # Older files know fewer parameters.
        for parameter in inspect.signature(type(self)).parameters.values():
            state.setdefault(parameter.name, parameter.default)
        super().__setstate__(state)


def thawed(estimator: Any) -> Any:
    """Return the estimator in a ``FrozenEstimator``, or the estimator itself."""
    while isinstance(estimator, FrozenEstimator):
        estimator = estimator.estimator
    return estimator


def last_step(estimator: Any) -> Any:
    """Return the final estimator of a pipeline, or the estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def searched(estimator: Any) -> Any:
    """Return the best estimator of a search, or the estimator itself."""
    estimator = thawed(estimator)
    return thawed(getattr(estimator, "best_estimator_", estimator))


def given_names(estimator: Any) -> dict[Any, str]:
    """Names that a person gave to clusters of a fitted clusterer."""
    return getattr(last_step(searched(estimator)), "cluster_names_", {})


def checked_name(name: Any) -> str:
    """Return the name that a person gives to a cluster, if it is one."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"name={name!r} must be a string that isn't empty.")
    return name


def fitted_labels(estimator: Any, X: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """Return labels of ``X`` or of some of its rows, noise of any kind being -1.

    A clusterer without ``predict`` has labels for its training data only.
    """
    check_is_fitted(estimator)
    X = known_rows(X)
    rows = np.arange(_num_samples(X)) if rows is None else rows
    if hasattr(estimator, "predict"):
        labels = predicted(estimator, _safe_indexing(X, rows))
    else:
        final = last_step(thawed(estimator))
        if not hasattr(final, "labels_"):
            raise TypeError(
                f"{type(final).__name__} has neither predict nor labels_: give a "
                "clusterer, or labels of your own where they are taken."
            )
        labels = np.asarray(final.labels_)
        if len(labels) != _num_samples(X):
            raise ValueError(
                f"{type(final).__name__} has no predict, and its "
                f"{len(labels)} labels_ are not of the {_num_samples(X)} rows given. "
                "Use it on its training data; in a search, with cv=AllData()."
            )
        labels = labels[rows]
    return one_noise(labels)


def predicted(estimator: Any, X: Any) -> np.ndarray:
    """Predict for rows, in the type that a fitted k-means takes alone if need be."""
    try:
        return np.asarray(estimator.predict(X))
    except ValueError as error:
        centers = getattr(last_step(searched(estimator)), "cluster_centers_", None)
        if "dtype mismatch" not in str(error) or centers is None:
            raise
        cast = X.astype if hasattr(X, "astype") else functools.partial(np.array, X)
        return np.asarray(estimator.predict(cast(centers.dtype)))


def latent_rows(estimator: Any, X: Any) -> Any:
    """Return rows of ``X`` in the space where a clusterer looked for clusters.

    That is its latent space, if it can take rows there and back (``transform`` alone
    may give distances to centres), or else what the earlier steps of a pipeline made.
    """
    estimator = thawed(estimator)
    final = last_step(estimator)
    piped = isinstance(estimator, Pipeline) and len(estimator) > 1
    Z = estimator[:-1].transform(X) if piped else X
    if hasattr(final, "transform") and hasattr(final, "inverse_transform"):
        return final.transform(Z)
    return Z


def first_table(whole: Any, X: Any) -> tuple[Any, Any, int]:
    """Return the first table of finite numbers on the way to the final step.

    Returns
    -------
    rows : object
        What the steps made.
    table : {ndarray, csr_array}
        The same as an array.
    n_steps : int
        Steps that made it.
    """
    n_steps = len(whole) - 1 if isinstance(whole, Pipeline) else 0
    rows, step = X, 0
    while True:
        try:
            return rows, table_of_numbers(rows), step
        except (TypeError, ValueError) as error:
            if step == n_steps:
                raise ValueError(
                    "X is no table of finite numbers, and no step before the clusterer "
                    "makes one of it: give a pipeline that does, as one that starts "
                    "with a TableEncoder or a ColumnTransformer, or such a table as X. "
                    f"{error}"
                ) from error
        rows = whole[step : step + 1].transform(rows)
        step += 1


def table_of_numbers(rows: Any) -> Any:
    """Return rows as finite numbers, or refuse them."""
    refuse_holders(rows)
    refuse_dates(rows)
    refuse_nested(rows)
    return check_array(rows, accept_sparse="csr", dtype=[np.float64, np.float32])


def reference_rows(space: Any, X: Any, estimator: Any = None) -> Any:
    """Rows of ``X`` in a reference space.

    Without a space, that is ``X``, or else the first table of finite numbers that the
    estimator makes of it.
    """
    try:
        if space is None:
            return first_table(searched(estimator), X)[1]
        make = space.transform if hasattr(space, "transform") else space
        return table_of_numbers(make(X))
    except (TypeError, ValueError) as error:
        raise ValueError(
            "The reference space does not hold rows of finite numbers: give space= a "
            f"fitted transformer that makes them. {error}"
        ) from error


def keeps_columns(step: Any) -> bool:
    """Whether a step fills or scales columns one by one, and can be undone."""
    if type(step).__module__.startswith("sklearn.impute."):
        return len(step.get_feature_names_out()) == step.n_features_in_
    undone = hasattr(step, "inverse_transform")
    return undone and isinstance(step, OneToOneFeatureMixin)


def in_units(steps: Any, rows: np.ndarray) -> np.ndarray:
    """Rows before the steps of a pipeline, all of which keep columns."""
    for step in reversed([*steps]):
        if isinstance(step, OneToOneFeatureMixin):
            rows = step.inverse_transform(rows)
    return rows


def check_space(space: Any) -> None:
    """Refuse what can't be a fixed reference space."""
    if space is None:
        return
    if hasattr(space, "transform"):
        check_is_fitted(
            space,
            msg="space=%(name)s is not fitted. Fit it once, on data of your choice: "
            "scores are comparable in one fixed space only.",
        )
    elif not callable(space):
        raise TypeError(
            "space must be None, a fitted transformer, a callable that takes and "
            f"returns rows, or a list of these, got {space!r}."
        )
