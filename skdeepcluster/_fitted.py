"""What can be asked of any fitted clusterer, alone or at the end of a pipeline."""

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import config_context
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, indexable
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from skdeepcluster._images import refuse_images
from skdeepcluster._sklearn import _num_samples, _safe_indexing, is_pandas_na
from skdeepcluster._warnings import warn

# Rows that variances are taken of, about, and the share that is told of. Four of 63
# labelled sets have a column with more: scaling gives k-means .26 to .34 in accuracy in
# three, and the fourth holds no clusters. With less, it loses as often as it gains.
ROWS_FOR_UNITS = 10_000
DOMINANT_SHARE = 0.99


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


def last_step(estimator: Any) -> Any:
    """Return the final estimator of a pipeline, or the estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def searched(estimator: Any) -> Any:
    """Return the best estimator of a search, or the estimator itself."""
    return getattr(estimator, "best_estimator_", estimator)


def sample_rows(n_samples: int, sample_size: int | None, seed: int) -> np.ndarray:
    """Return sorted indices of a sample that depends on the arguments alone."""
    if sample_size is None or sample_size >= n_samples:
        return np.arange(n_samples)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_samples, sample_size, replace=False))


def refuse_dates(X: Any) -> None:
    """Refuse columns of dates and time spans, whose unit is anybody's guess."""
    dtypes = X.dtypes if hasattr(X, "dtypes") else [getattr(X, "dtype", None)]
    for dtype in dtypes:
        if re.match("date|time|period|duration", str(dtype).lower()):
            raise TypeError(
                f"X holds dates or time spans ({dtype}): give numbers in a unit of your"
                " choice, as (X - X.min()) / np.timedelta64(1, 's') does."
            )


def refuse_holders(X: Any) -> None:
    """Refuse what holds rows beside other things, and say where it has them."""
    names = {each.__name__ for each in type(X).__mro__}
    if "AnnData" in names and hasattr(X, "obsm"):
        places = ["adata.X", *(f"adata.obsm[{key!r}]" for key in X.obsm)]
        raise TypeError(
            "X is an AnnData object: give the rows in it, as adata.obsm['X_pca'] or "
            f"adata.X. It has {', '.join(places)}."
        )
    # Some frames and sparse matrices are mappings as well.
    if isinstance(X, Mapping) and not hasattr(X, "shape"):
        raise TypeError(
            f"X is a {type(X).__name__} with the keys {', '.join(map(repr, X))}: give "
            "the rows in it, as X['data'], or a DataFrame of the columns in it."
        )
    if isinstance(X, str | PathLike):
        raise TypeError(
            f"X is the name {str(X)!r}: read the rows of the file first, as "
            "numpy.load or pandas.read_csv does."
        )
    if names & {"DataLoader", "Dataset"}:
        raise TypeError(
            f"X is a {type(X).__name__}: give its rows in one array, as "
            "numpy.stack([numpy.ravel(row) for row, *_ in dataset]) makes of a Dataset."
        )


@contextlib.contextmanager
def plain_settings() -> Iterator[None]:
    """Context in which scikit-learn and numpy work as what is inside of ours needs."""
    settings = config_context(array_api_dispatch=False, transform_output="default")
    with settings, np.errstate(under="ignore"):
        yield


def validated(estimator: Any, X: Any, *, reset: bool, **settings: Any) -> Any:
    """Validate rows as scikit-learn does, and say how to make rows of what is none."""
    settings = {
        "accept_sparse": "csr",
        "ensure_min_samples": 2 if reset else 1,
        **settings,
    }
    refuse_holders(X)
    refuse_dates(X)
    refuse_images(X)
    try:
        # Infinities of both signs add up to none, which numpy would warn of.
        with np.errstate(all="ignore"):
            return validate_data(estimator, X, reset=reset, **settings)
    except ValueError as error:
        text = str(error)
        name = type(estimator).__name__
        if "contains NaN" in text or "NA to " in text:
            # The rest names estimators that scikit-learn has for labelled rows.
            raise ValueError(
                f"{text.splitlines()[0]} {name} takes no missing values: fill them, as "
                f"make_pipeline(SimpleImputer(), {name}(...)) does."
            ) from error
        if "could not convert string" in text or "bytes/strings" in text:
            raise ValueError(
                f"{text.splitlines()[0]}. {name} takes numbers: make them of the "
                "columns of strings first, with make_column_transformer((OneHotEncoder"
                "(), [...]), (StandardScaler(), [...])) in a pipeline, or with a "
                "TfidfVectorizer or embeddings of texts."
            ) from error
        raise


def mean_and_variance(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each column, in double precision."""
    if sp.issparse(X):
        return mean_variance_axis(X.astype(np.float64, copy=False), axis=0)
    return X.mean(0, dtype=np.float64), X.var(0, dtype=np.float64)


def warn_of_units(estimator: Any, X: Any) -> None:
    """Warn where one column of three or more holds nearly all the variance."""
    with np.errstate(all="ignore"):
        rows = X[:: max(1, X.shape[0] // ROWS_FOR_UNITS)]
        variances = mean_and_variance(rows)[1]
        shares = variances / variances.sum()
    # Scaling doesn't change what constant columns say.
    if (shares > 0).sum() < 3 or not shares.max() > DOMINANT_SHARE:
        return
    column = int(shares.argmax())
    names = getattr(estimator, "feature_names_in_", None)
    named = f"{column} ({names[column]})" if names is not None else f"{column}"
    name = type(estimator).__name__
    warn(
        f"Column {named} holds {100 * shares[column]:.1f} % of the variance of X, and "
        f"{name} sees little else. If the units of the columns differ, scale them: "
        f"make_pipeline(StandardScaler(), {name}(...)).",
    )


def check_labels(labels: Any, name: str) -> np.ndarray:
    """Return labels as a vector, refusing what is none and rows without a label."""
    try:
        labels = column_or_1d(labels)
    except ValueError as error:
        raise ValueError(f"{name} must hold one label for each row. {error}") from error
    if is_missing(labels).any():
        raise ValueError(f"{name} has missing values: give every row a label.")
    return labels


def is_missing(labels: np.ndarray) -> np.ndarray:
    """Whether labels are missing: None, NaN, or what pandas has for it."""
    if labels.dtype.kind not in "fOmM":
        return np.zeros(len(labels), dtype=bool)
    # What is missing differs from itself, but for those of which Python can't tell.
    return np.array(
        [it is None or is_pandas_na(it) or it != it for it in labels], dtype=bool
    )


def is_noise(labels: np.ndarray) -> np.ndarray:
    """Whether rows are in no cluster: HDBSCAN has several negative labels for that."""
    if labels.dtype.kind == "O":
        return np.array([isinstance(label, Real) and label < 0 for label in labels])
    return labels < 0 if labels.dtype.kind in "if" else np.zeros(len(labels), bool)


def one_noise(labels: Any) -> np.ndarray:
    """Return labels with noise of any kind being -1."""
    labels = np.array(labels)
    labels[is_noise(labels)] = -1
    return labels


def comparable(labels: np.ndarray) -> bool:
    """Whether there are clusters to tell apart: more than one, and fewer than rows."""
    return 1 < len(np.unique(labels)) < len(labels)


def fitted_labels(estimator: Any, X: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """Return labels of ``X`` or of some of its rows, noise of any kind being -1.

    A clusterer without ``predict`` has labels for its training data only.
    """
    check_is_fitted(estimator)
    (X,) = indexable(X)
    rows = np.arange(_num_samples(X)) if rows is None else rows
    if hasattr(estimator, "predict"):
        labels = np.asarray(estimator.predict(_safe_indexing(X, rows)))
    else:
        final = last_step(estimator)
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


def latent_rows(estimator: Any, X: Any) -> Any:
    """Return rows of ``X`` in the space where a clusterer looked for clusters.

    That is its latent space, if it can take rows there and back (``transform`` alone
    may give distances to centres), or else what the earlier steps of a pipeline made.
    """
    final = last_step(estimator)
    Z = estimator[:-1].transform(X) if final is not estimator else X
    if hasattr(final, "transform") and hasattr(final, "inverse_transform"):
        return final.transform(Z)
    return Z


def reference_rows(space: Any, X: Any) -> Any:
    """Rows of ``X`` in a reference space."""
    if space is None:
        Z = X
    elif hasattr(space, "transform"):
        Z = space.transform(X)
    else:
        Z = space(X)
    try:
        return check_array(Z, accept_sparse="csr", dtype=[np.float64, np.float32])
    except (TypeError, ValueError) as error:
        raise ValueError(
            "The reference space does not hold rows of finite numbers: give space= a "
            f"fitted transformer that makes them. {error}"
        ) from error


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
