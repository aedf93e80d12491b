"""Tried at random: a sound result, or an error that names the cause."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from discovery import ESTIMATORS, settings_for, tiny, tiny_autoencoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skdeepcluster.graph import GraphClustering
from skdeepcluster.labelling import propagate, representatives
from skdeepcluster.metrics import clustering_accuracy

pytestmark = pytest.mark.usefixtures("short_teaching")

DTYPES = ["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
CONTAINERS = ["array", "fortran", "reversed", "list", "pandas", "polars"]
SPARSE = ["csr_matrix", "csr_array", "csc_array", "coo_array"]


@st.composite
def tables(draw):
    """Rows of any shape, type, scale and container, and whether a value is missing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 9))
    X = rng.normal(size=shape)
    if draw(st.booleans()):
        X += 9 * rng.integers(0, 3, size=(len(X), 1))
    if draw(st.booleans()):
        X = np.round(X)
    if draw(st.booleans()):
        X[:, draw(st.integers(0, shape[1] - 1))] = 7
    if draw(st.booleans()):
        X = X[rng.integers(0, draw(st.integers(1, len(X))), size=len(X))]
    X *= 10.0 ** draw(st.sampled_from([0, 0, 0, -30, -8, 3, 9, 20, 36, 300]))
    X += draw(st.sampled_from([0, 0, 0, 1e3, -1.7e9, 2.0**40, 1e20]))
    sparsity = draw(st.sampled_from([0.0, 0.0, 0.5, 0.95, 1.0]))
    X[rng.random(X.shape) < sparsity] = 0
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    with np.errstate(all="ignore"):
        X = X.astype(dtype)
    bad = draw(st.sampled_from([None] * 8 + [np.nan, np.inf]))
    if bad is not None and dtype.kind == "f":
        X[rng.integers(len(X)), rng.integers(shape[1])] = bad
    if sparsity and X.dtype.kind != "?" and X.dtype != "f2" and draw(st.booleans()):
        return getattr(sp, draw(st.sampled_from(SPARSE)))(X)
    return contained(X, draw(st.sampled_from(CONTAINERS)))


def contained(X, container):
    names = [f"column {i}" for i in range(X.shape[1])]
    return {
        "array": lambda: X,
        "fortran": lambda: np.asfortranarray(X),
        "reversed": lambda: X[::-1, ::-1].copy()[::-1, ::-1],
        "list": lambda: X.tolist(),
        "pandas": lambda: pd.DataFrame(X, columns=names),
        "polars": lambda: pl.DataFrame(X.astype("f4") if X.dtype == "f2" else X, names),
    }[container]()


CHOICES = {
    "n_clusters": [1, 2, 3, 5, None, 0, 2.5],
    "hidden_units": [(), (3,), (5, 4), (0,), "wide"],
    "latent_dim": [1, 2, 5, 0],
    "network": ["mlp", "conv", "cnn"],
    "noise": [0.0, 0.5, 1.0],
    "max_epochs": [0, 1, 2, -1],
    "batch_size": [1, 2, 3, 7, 256, 0],
    "lr": [1e-3, 1e-2, 0.0, 1e30],
    "optimizer": ["adam", "adamw", "sgd", "lbfgs"],
    "precision": ["auto", "float32", "bf16", "float8"],
    "init": ["graph", "k-means", "random", GraphClustering(n_init=1, n_neighbors=3)],
    "n_init": [1, 2, 0],
    "gamma": [0.0, 0.1, 1e6, -1.0],
    "update_interval": [1, 5, 10**6, 0],
    "tol": [0.0, 1e-3, 1.0, -1.0],
    "cluster_weight": [0.0, 0.1, 1e6, -1.0],
    "inverse_temperature": [0.1, 1e3, 1e9, 0.0],
    "covariance_type": ["full", "tied", "diag", "spherical", "round"],
    "reg_covar": [1e-6, 0.1, -1.0],
    "max_iter": [1, 50, -1],
    "bandwidth": [0.01, 0.15, 10.0, 0.0],
    "n_hidden": [1, 5, 0],
    "n_neighbors": [2, 5, 100, 0],
    "min_dist": [0.0, 0.5, 1.0, 2.0],
    "manifold_dim": [None, 1, 3, 0],
    "max_samples": [None, 40, 1],
    "max_embedded": [None, 1, 5, 0],
    "perplexity": [0.5, 5.0, 100.0, 0.0],
    "distance_ratio": [0.01, 0.1, 3.0, 0.0],
    "method": [
        "auto",
        "rank-average",
        "likelihood",
        "mahalanobis",
        "reconstruction",
        "none",
    ],
    "contamination": ["auto", 0.01, 0.5, 0.9],
    "net_params": [None, {"optimizer__weight_decay": 0.1}, {"lr": 3}, {"modul": 1}],
    "verbose": [0, "loud"],
    "random_state": [0, None, -1],
}


@st.composite
def estimators(draw):
    """A small estimator with a few of its parameters drawn."""
    cls = draw(st.sampled_from([*ESTIMATORS, GraphClustering]))
    possible = settings_for(cls, **CHOICES)
    names = draw(st.lists(st.sampled_from(sorted(possible)), max_size=4, unique=True))
    changes = {name: draw(st.sampled_from(possible[name])) for name in names}
    network = {"hidden_units": (4,), "max_epochs": draw(st.integers(0, 2))}
    changes.setdefault("max_epochs", 1)
    if cls is GraphClustering:
        return cls(**settings_for(cls, **{"n_init": 2, **changes}))
    changes.setdefault("encoder", tiny_autoencoder(**network))
    return tiny(cls, **changes)


# What an error may be about: a parameter, or the data by one of these words.
OF_DATA = r"\bX\b|sample|feature|column|NaN|infinity|array|dtype|data|lr|reg_covar"


def names_the_cause(error, estimator):
    own = {name.rpartition("__")[2] for name in estimator.get_params()}
    names = "|".join(map(re.escape, own))
    return re.search(rf"{OF_DATA}|{names}", str(error)) is not None


def check(estimator, X):
    """Fit; check the result, or what the error says."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Column .* of the variance of X")
        # Frames that are newer than scikit-learn.
        warnings.filterwarnings("ignore", message="Support for the dataframe interch")
        # The other of two frames with named columns has them too.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        try:
            estimator.fit(X)
        except (ValueError, TypeError) as error:
            cause = error
        else:
            return check_result(estimator, X)
    assert names_the_cause(cause, estimator), cause
    assert len(str(cause).splitlines()) < 12
    return None


def check_result(estimator, X):
    n_rows = len(X) if isinstance(X, list) else X.shape[0]
    labels = getattr(estimator, "labels_", None)
    if labels is not None:
        assert labels.shape == (n_rows,)
        wanted = getattr(estimator, "n_clusters", None)
        assert wanted is None or labels.max() < wanted
        assert labels.min() >= 0
    if hasattr(estimator, "predict") and labels is not None:
        assert_array_equal(estimator.predict(X), labels)
    for name in ("transform", "score_samples", "decision_function", "predict_proba"):
        if hasattr(estimator, name):
            result = getattr(estimator, name)(X)
            assert len(result) == n_rows
            assert np.isfinite(result).all(), name
            if name == "predict_proba":
                np.testing.assert_allclose(result.sum(1), 1, rtol=1e-4)
    if hasattr(estimator, "inverse_transform") and hasattr(estimator, "transform"):
        assert np.isfinite(estimator.inverse_transform(estimator.transform(X))).all()


relaxed = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    max_examples=300,
)


@relaxed
@given(estimators(), tables())
def test_any_estimator_on_any_rows(estimator, X):
    check(estimator, X)


@pytest.mark.slow
@settings(relaxed, max_examples=10_000)
@given(estimators(), tables())
def test_any_estimator_on_any_rows_often(estimator, X):
    check(estimator, X)


LABELS = st.sampled_from([0, 1, 2, -1, 1.5, np.nan, "a", "b", None, True])


@relaxed
@given(st.lists(LABELS, max_size=8), st.lists(LABELS, max_size=8))
def test_accuracy_of_any_labels(truth, found):
    try:
        value = clustering_accuracy(truth, found)
    except (ValueError, TypeError) as error:
        message = str(error)
    else:
        assert 0 <= value <= 1
        return
    assert re.search("y_true|y_pred|label|sample|array|Found|missing|type", message)


class Halves:
    """A clusterer whose rows are their own latent rows."""

    def transform(self, X):
        return np.asarray(X)

    def predict(self, X):
        return (np.asarray(X)[:, 0] > 0).astype(int)


ROWS = np.random.RandomState(0).normal(size=(12, 2))


@relaxed
@given(
    st.lists(st.sampled_from([0, 1, 5, 11, 12, -1, 2.0, None, "a"]), max_size=6),
    st.lists(LABELS, max_size=6),
    st.sampled_from([1, 2, 50, 0, 1.5, None]),
)
def test_labelling_of_any_answers(rows, labels, n_per_cluster):
    try:
        answers = propagate(Halves(), ROWS, rows, labels)
    except (ValueError, TypeError) as error:
        assert_names(error, "rows|labels")
    else:
        assert len(answers) == 12
        given = [label is not None and label == label for label in labels]
        asked = np.array(rows)[given]
        assert_array_equal(answers[asked], np.asarray(labels)[given])
    try:
        chosen = representatives(Halves(), ROWS, n_per_cluster)
    except (ValueError, TypeError) as error:
        assert_names(error, "n_per_cluster")
    else:
        assert len(set(chosen)) == len(chosen) > 0


def assert_names(error, words):
    assert re.search(words, str(error)), error
