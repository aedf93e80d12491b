"""Bad input gives an error that names it, before any training."""

import warnings
from contextlib import contextmanager
from pathlib import Path

import dask
import dask.bag
import dask.dataframe
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from discovery import (
    CLUSTERERS,
    ESTIMATORS,
    HEADS,
    OUTLIER_DETECTORS,
    TOLD_N_CLUSTERS,
    WITH_ENCODER,
    fitted,
    settings_for,
    tiny,
    tiny_autoencoder,
)
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch
from skorch.callbacks import Checkpoint, EarlyStopping
from skorch.dataset import ValidSplit
from torch.optim import LBFGS
from torch.utils.data import DataLoader, TensorDataset

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    AutoencoderKMeans,
    DECClustering,
    DeepOutlierDetector,
    DensityDDCClustering,
    IDECClustering,
    Training,
    VaDEClustering,
)
from skdeepcluster.explain import describe_clusters, describe_outliers
from skdeepcluster.graph import GraphClustering
from skdeepcluster.labelling import ClusterThenLabelClassifier
from skdeepcluster.model_selection import (
    clustering_scorer,
    compare_clusterers,
    select_n_clusters,
)
from skdeepcluster.plotting import (
    ClusterImagesDisplay,
    EmbeddingDisplay,
    SilhouetteDisplay,
)
from skdeepcluster.streams import apply_in_blocks
from skdeepcluster.training import Net

BAD_PARAMETERS = {
    "n_clusters": [0, -1, 2.5, "three"],
    "encoder": [KMeans(), "mlp", Autoencoder],
    "init": ["kmeans++", None, 3, KMeans, GraphClustering],
    "n_init": [0],
    "hidden_units": [(16, 0), (16, 2.5), 16, "wide"],
    "latent_dim": [0, 2.5],
    "noise": [-0.1, 1.0],
    "gamma": [-1],
    "update_interval": [0],
    "tol": [-1],
    "max_epochs": [-1, 1.5],
    "max_iter": [-1],
    "batch_size": [0],
    "lr": [0, -1e-3, np.nan],
    "optimizer": ["adagrad", None, KMeans, LBFGS],
    "precision": ["float8"],
    "device": ["abacus", 3, "meta"],
    "checkpoint": [3, True],
    "cluster_weight": [-1],
    "inverse_temperature": [0],
    "covariance_type": ["round"],
    "estimator": [KMeans(), "gmm", AutoencoderGMM],
    "method": ["density", None],
    "contamination": [0, 0.6, "some"],
    "reg_covar": [-1],
    "n_neighbors": [1, 2.5],
    "min_dist": [-0.1, 2],
    "manifold_dim": [0, 2.5],
    "max_samples": [1, 2.5],
    "max_embedded": [0, 2.5],
    "perplexity": [0],
    "distance_ratio": [0],
    "callbacks": [["EarlyStopping"], [print], 3],
    "net_params": [
        "fast",
        {"lr": 0.1},
        {"modul": 1},
        {"optimzer__weight_decay": 1},
        {"optimizer__wait_decay": 1},
        {"optimizer__betas": 3},
        {"iterator_train__num_workers": 2},
        {"train_split": 3},
    ],
    "random_state": ["now"],
    "verbose": ["loud"],
}

AUTOENCODER_PARAMETERS = [
    (name, value)
    for name, values in settings_for(Autoencoder, **BAD_PARAMETERS).items()
    for value in values
]

METHODS = (
    "transform",
    "predict",
    "predict_proba",
    "score_samples",
    "decision_function",
    "score",
)

# Every estimator with every parameter of these that it has.
CASES = [
    (cls, name, value)
    for cls in ESTIMATORS
    for name, values in settings_for(cls, **BAD_PARAMETERS).items()
    for value in values
    # One neighbour is enough for heads.
    if (name, value) != ("n_neighbors", 1) or cls not in HEADS
]


@pytest.fixture
def no_training(monkeypatch):
    def fail(*args, **kwargs):
        pytest.fail("training ran")

    monkeypatch.setattr(Net, "fit_loop", fail)


@pytest.fixture(scope="module")
def X(digits):
    return digits[:60]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(("cls", "name", "value"), CASES)
def test_bad_parameter(cls, name, value, X):
    with pytest.raises((ValueError, TypeError), match=name):
        tiny(cls, **{name: value}).fit(X)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", WITH_ENCODER)
@pytest.mark.parametrize(("name", "value"), AUTOENCODER_PARAMETERS)
def test_bad_parameter_of_the_autoencoder(cls, name, value, X):
    autoencoder = tiny_autoencoder(**{name: value})
    with pytest.raises((ValueError, TypeError), match=name):
        tiny(cls, encoder=autoencoder).fit(X)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("callback", [EarlyStopping(), ("best", Checkpoint())])
def test_callbacks_that_wait_for_a_validation_loss(callback, X):
    name = r"monitor='train_loss(_best)?'"
    with pytest.raises(ValueError, match=name):
        tiny_autoencoder(callbacks=[callback]).fit(X)
    with pytest.raises(ValueError, match=name):
        tiny(DECClustering, callbacks=[callback]).fit(X)


def test_callbacks_that_get_their_validation_loss(X):
    model = tiny_autoencoder(
        callbacks=[EarlyStopping()], net_params={"train_split": ValidSplit(5)}
    )
    assert "valid_loss" in model.fit(X).history_["pretraining"][-1]


ROWS = np.random.RandomState(0).normal(size=(20, 5))


def with_value(value):
    X = ROWS.copy()
    X[3, 2] = value
    return X


BAD_DATA = {
    "NaN": (with_value(np.nan), "NaN"),
    "infinity": (with_value(np.inf), "infinity"),
    "sparse NaN": (sp.csr_matrix(with_value(np.nan)), "NaN"),
    "too large": (with_value(1e300), "too large for float32"),
    "no rows": (ROWS[:0], "0 sample"),
    "no columns": (ROWS[:, :0], "0 feature"),
    "one row": (ROWS[:1], "1 sample|n_samples"),
    "one dimension": (ROWS[0], "2D array"),
    "three dimensions": (ROWS.reshape(5, 4, 5), "dim 3"),
    "complex": (ROWS.astype(complex), "Complex data"),
    "strings": (np.full((20, 5), "a"), "could not convert string|numeric"),
    "None": (None, "2D array"),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("kind", BAD_DATA)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_bad_data(cls, kind):
    if cls in OUTLIER_DETECTORS and kind == "too large":
        # To them, such a value is the oddest: tests/test_outliers.py.
        return
    X, message = BAD_DATA[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        tiny(cls).fit(X)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", TOLD_N_CLUSTERS)
def test_more_clusters_than_rows(cls, X):
    with pytest.raises(ValueError, match="n_samples=3 should be >= n_clusters=4"):
        tiny(cls).fit(X[:3])


@contextmanager
def error_naming(*words):
    """Allow a ValueError, if it names the way out."""
    try:
        yield
    except ValueError as error:
        if not any(word in str(error) for word in words):
            raise


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_bad_rows_after_fit(cls, X):
    estimator = fitted(tiny(cls), X)
    wide = np.hstack([X, X])
    far = np.full_like(X, 3e38)
    for name in METHODS:
        method = getattr(estimator, name, None)
        if method is None:
            continue
        with pytest.raises(ValueError, match="expecting 64 features"):
            method(wide)
        with pytest.raises(ValueError, match="NaN"):
            method(np.full_like(X, np.nan))
        assert np.isfinite(method(far)).all(), name
    if hasattr(estimator, "inverse_transform"):
        with pytest.raises(ValueError, match="columns"):
            estimator.inverse_transform(np.zeros((2, 5)))


# data at the edge: a finite result, or an error that names the way out


def fit_at_the_edge(estimator, X):
    """Fit; check that it warns of lost clusters and of nothing else."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X)
    # A column that holds all the variance is told of, in tests of its own.
    caught = [one for one in caught if "of the variance" not in str(one.message)]
    assert {warning.category for warning in caught} <= {ConvergenceWarning}, caught
    if hasattr(estimator, "labels_"):
        found = len(np.unique(estimator.labels_))
        warned = any("distinct clusters" in str(warning.message) for warning in caught)
        assert warned == (found < getattr(estimator, "n_clusters", 1))
        assert_array_equal(estimator.predict(X), estimator.labels_)
    for name in METHODS:
        if hasattr(estimator, name):
            assert np.isfinite(getattr(estimator, name)(X)).all(), name
    return estimator


def distinct_rows(count):
    return ROWS[np.arange(40) % count]


EDGES = {
    "constant features": np.hstack([ROWS, np.full((20, 3), 7.0)]),
    "one constant feature": np.full((20, 1), 7.0),
    "all rows equal": distinct_rows(1),
    "two distinct rows": distinct_rows(2),
    "zeros": np.zeros((20, 5)),
    "sparse zeros": sp.csr_matrix((20, 5)),
    "large": ROWS * 1e8,
    "small": ROWS * 1e-8,
    "huge": ROWS * 1e20,
    "tiny": ROWS * 1e-20,
    "far from zero": ROWS + 1e8,
    "mixed": ROWS * [1e8, 1, 1, 1, 1e-8],
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_edges_give_finite_results(cls, edge):
    fit_at_the_edge(tiny(cls), EDGES[edge])


@pytest.mark.parametrize("cls", TOLD_N_CLUSTERS)
def test_too_few_distinct_rows_warn(cls):
    with pytest.warns(ConvergenceWarning, match="distinct clusters") as caught:
        estimator = tiny(cls).fit(distinct_rows(2))
    assert len(np.unique(estimator.labels_)) <= 2
    assert {warning.filename for warning in caught} >= {__file__}


@pytest.mark.parametrize("exponent", [-27, 27])
@pytest.mark.parametrize("cls", CLUSTERERS)
def test_the_unit_of_the_data_does_not_matter(cls, exponent, X):
    expected = fitted(tiny(cls), X)
    actual = fitted(tiny(cls), X * np.float32(2.0**exponent))
    assert_array_equal(actual.labels_, expected.labels_)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("lr", [1e2, 1e10, 1e30])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_running_away_is_named(cls, lr, optimizer, X):
    settings = {"lr": lr, "optimizer": optimizer, "max_epochs": 5}
    candidates = [tiny(cls, encoder=tiny_autoencoder(**settings), **settings)]
    if "lr" in settings_for(cls, lr=lr):
        candidates.append(tiny(cls, **settings))
    for estimator in candidates:
        with error_naming("lr", "reg_covar"):
            fit_at_the_edge(estimator, X)


def far_from_zero(offset, dtype):
    """Three groups of whole numbers, far from the origin for what parts them."""
    rng = np.random.RandomState(0)
    groups = np.repeat([0, 1, 2], 40)
    columns = 20 * groups[:, None] + rng.randint(0, 5, size=(120, 2))
    return (columns + np.int64(offset)).astype(dtype), groups


@pytest.mark.parametrize(
    ("offset", "dtype"),
    [
        (1_700_000_000, np.int64),
        (1_700_000_000, np.int32),
        (1_700_000_000, np.float64),
        (2**40, np.int64),
        (2**40, np.float64),
        (-(2**50), np.int64),
    ],
)
def test_rows_far_from_the_origin_are_told_apart(offset, dtype):
    near, groups = far_from_zero(0, dtype)
    far, _ = far_from_zero(offset, dtype)
    network = {"hidden_units": (32,), "latent_dim": 2, "max_epochs": 30}
    settings = {"encoder": Autoencoder(**network), "n_clusters": 3}
    for cls in (AutoencoderKMeans, IDECClustering, VaDEClustering):
        estimator = tiny(cls, init="k-means", **settings)
        labels = fitted(estimator, near).labels_
        assert adjusted_rand_score(groups, labels) == 1
        assert_array_equal(fitted(estimator, far).labels_, labels)
        rows = far.astype(np.float64)
        rebuilt = estimator.inverse_transform(estimator.transform(rows))
        assert np.abs(rebuilt - rows).max() < 40


def test_a_network_is_taught_rows_far_from_the_origin():
    X, groups = far_from_zero(1_700_000_000, np.int64)
    network = {"hidden_units": (32,), "latent_dim": 2, "max_epochs": 30}
    dec = tiny(DECClustering, encoder=Autoencoder(**network), n_clusters=3)
    assert adjusted_rand_score(groups, fitted(dec, X).labels_) == 1
    assert "teaching" in dec.history_


WHEN = np.arange("2026-01-01", "2026-01-21", dtype="datetime64[D]")

DATES = {
    "dates": WHEN[:, None],
    "time spans": (WHEN - WHEN[0])[:, None],
    "missing": np.where(WHEN == WHEN[3], np.datetime64("NaT"), WHEN)[:, None],
    "pandas": pd.DataFrame({"when": WHEN}),
    "pandas, zone": pd.DataFrame({"when": pd.Series(WHEN).dt.tz_localize("UTC")}),
    "pandas, mixed": pd.DataFrame({"when": WHEN, "size": range(20)}),
    "polars": pl.DataFrame({"when": WHEN.astype("datetime64[us]")}),
    "polars, mixed": pl.DataFrame(
        {"size": range(20), "when": WHEN.astype("datetime64[us]")}
    ),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("kind", DATES)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_dates_are_refused_with_the_way_out(cls, kind):
    with pytest.raises(
        TypeError, match=r"X holds dates or time spans \(.*give numbers"
    ):
        tiny(cls).fit(DATES[kind])


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_extreme_rows_have_finite_results(cls, X):
    estimator = fitted(tiny(cls), X)
    for value in (1e20, -1e20, 3e38):
        rows = X.copy()
        rows[0] = value
        for name in METHODS:
            if hasattr(estimator, name):
                result = getattr(estimator, name)(rows)
                assert np.isfinite(result).all(), name
                if name == "score_samples":
                    assert result[0] == result.min()


# a fit that fails


@pytest.mark.parametrize("how", ["refused data", "refused parameter", "diverging"])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_a_refit_that_fails_leaves_the_model_as_it_was(cls, how, X):
    if how == "diverging" and cls in HEADS:
        pytest.skip("hidden rows of length one stay finite")
    estimator = fitted(tiny(cls), X)
    before = dict(vars(estimator))
    method = "score_samples" if hasattr(estimator, "score_samples") else "predict"
    expected = getattr(estimator, method)(X)
    if how == "refused data":
        with pytest.raises(ValueError, match="NaN"):
            estimator.fit(np.full((50, 3), np.nan))
    elif how == "refused parameter":
        params = dict.fromkeys(
            ("n_clusters", "contamination", "noise", "n_init_clusters"), "nothing"
        )
        estimator.set_params(**settings_for(cls, **params))
        if cls is DensityDDCClustering:
            estimator.set_params(perplexity=-1)
        with pytest.raises(ValueError, match="parameter"):
            estimator.fit(X[:, :5])
    else:
        network = tiny_autoencoder(lr=1e30, optimizer="sgd")
        training = Training(optimizer="sgd")
        settings = {"encoder": network, "lr": 1e30, "training": training}
        inner = {"estimator": tiny(AutoencoderGMM, encoder=network)}
        estimator.set_params(**settings_for(cls, **settings, **inner))
        with pytest.raises(ValueError, match="lr"):
            estimator.fit(X[:, :5])
    for name, value in before.items():
        if name.endswith("_"):
            assert getattr(estimator, name) is value, name
    assert_array_equal(getattr(estimator, method)(X), expected)


# what is given instead of a name


class AnnData:
    """Rows beside other things, as the class of that name has them."""

    def __init__(self, X):
        self.X = X
        self.obsm = {"X_pca": X[:, :5]}
        self.shape = X.shape


class Cells(TensorDataset):
    pass


@pytest.mark.parametrize("cls", [*ESTIMATORS, GraphClustering])
def test_what_holds_the_rows_is_refused_with_their_place(cls, X):
    tensors = Cells(torch.tensor(X))
    for holder, message in [
        (AnnData(X), r"give the rows .* adata.obsm\['X_pca'\] or adata.X"),
        (Bunch(data=X, target=X[:, 0]), r"a Bunch with the keys 'data', 'target'"),
        ("cells.csv", "the name 'cells.csv': read"),
        (Path("cells.csv"), "the name 'cells.csv': read"),
        (tensors, "X is a Cells: give its rows in one array"),
        (DataLoader(tensors), "X is a DataLoader: give its rows in one array"),
    ]:
        with pytest.raises(TypeError, match=message):
            tiny(cls).fit(holder)


class LazyFrame:
    """A query, as the class of that name in polars is one."""

    def collect(self):
        pytest.fail("the query was run")

    @property
    def dtypes(self):
        pytest.fail("the types were looked up, of which polars warns")


def of_library(module, **methods):
    return type("DataFrame", (), {"__module__": module, **methods})()


UNREAD = {
    "a query": (
        LazyFrame(),
        r"X is a LazyFrame, which holds no rows .* X\.collect\(\)",
    ),
    "polars": (pl.LazyFrame({"a": [1, 2]}), r"give X\.collect\(\)"),
    "dask": (dask.delayed(ROWS), r"give X\.compute\(\)"),
    "bag": (dask.bag.from_sequence([1, 2]), r"X is a Bag, .* give X\.compute\(\)"),
    "spark": (of_library("pyspark.sql.frame", toPandas=1), r"give X\.toPandas\(\)"),
    "duckdb": (of_library("duckdb", df=1), r"give X\.df\(\)"),
    "generator": ((row for row in ROWS), r"X is a generator: .*numpy\.stack\(list\(X"),
    "iterator": (map(list, ROWS), r"X is a map: .*numpy\.stack\(list\(X"),
    "values": ({1: ROWS[0]}.values(), r"X is a dict_values: .*numpy\.stack\(list"),
}


@pytest.mark.parametrize("kind", UNREAD)
@pytest.mark.parametrize("cls", [*ESTIMATORS, GraphClustering])
def test_what_holds_no_rows_yet_is_refused_with_the_way_to_them(cls, kind):
    X, message = UNREAD[kind]
    with pytest.raises(TypeError, match=message):
        tiny(cls).fit(X)


@pytest.mark.parametrize("kind", UNREAD)
def test_what_holds_no_rows_yet_is_refused_by_all(kind, digits):
    X, message = UNREAD[kind]
    graph = GraphClustering(2, n_init=1, random_state=0).fit(digits[:60])
    detector = fitted(tiny(DeepOutlierDetector), digits[:60])
    for function in [
        graph.predict,
        graph.predict_proba,
        detector.score_samples,
        lambda X: ClusterThenLabelClassifier(graph).fit(X, [0, 1]),
        lambda X: compare_clusterers([graph], X),
        lambda X: select_n_clusters(graph, X, [2, 3]),
        lambda X: clustering_scorer()(graph, X),
        lambda X: describe_clusters(graph, X),
        lambda X: describe_outliers(detector, X),
        lambda X: apply_in_blocks(graph, X),
        lambda X: EmbeddingDisplay.from_estimator(graph, X),
        lambda X: ClusterImagesDisplay.from_estimator(graph, X),
        lambda X: SilhouetteDisplay.from_estimator(graph, X),
    ]:
        with pytest.raises(TypeError, match=message):
            function(X)


def test_a_dask_frame_is_refused_where_rows_are_chosen(X):
    frame = dask.dataframe.from_pandas(pd.DataFrame(X), npartitions=2)
    with pytest.raises(TypeError, match=r"data frame of dask: .* X\.compute\(\)"):
        compare_clusterers([KMeans(2)], frame)


SERIES = [np.arange(3.0 + i % 2) for i in range(20)]
BOXED = np.empty(20, dtype=object)
BOXED[:] = list(ROWS)
CELLS = np.empty((20, 2), dtype=object)
CELLS[:, 0], CELLS[:, 1] = 0.0, BOXED
UNEVEN = r"shapes \(3,\) and \(4,\): bring series to one length \(pad, cut"
COLUMN = r"Column 'e' of X holds an array .*numpy\.stack\(X\['e'\]\)"

NESTED = {
    "series": (SERIES, UNEVEN),
    "lists": ([row.tolist() for row in SERIES], UNEVEN),
    "boxes": (np.array(SERIES, dtype=object), UNEVEN),
    "column of series": (pd.DataFrame({"e": SERIES}), f"Column 'e' of X .*{UNEVEN}"),
    "deep": ([[[1, 2], [3]]] * 20, "rows of different shapes: bring series"),
    "images": ([np.zeros((2, 3 + i % 2)) for i in range(20)], "images to one size"),
    "one shape": (BOXED, r"X is a ndarray of arrays: .*numpy\.stack\(X\)"),
    "pandas series": (pd.Series(list(ROWS)), r"a Series of arrays: .*numpy\.stack"),
    "cells": (CELLS, r"Column 1 of X holds .*numpy\.stack\(X\[:, 1\]\)"),
    "column": (pd.DataFrame({"a": 1.0, "e": list(ROWS)}), COLUMN),
    "polars list": (pl.DataFrame({"e": ROWS.tolist()}), COLUMN),
    "polars array": (pl.DataFrame({"e": ROWS}), COLUMN),
    "sparse rows": ([sp.csr_array(row[None]) for row in ROWS], r"sparse\.vstack\(X\)"),
}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("cls", [*ESTIMATORS, GraphClustering])
def test_rows_of_rows_are_refused_with_the_way_out(cls, kind):
    X, message = NESTED[kind]
    with pytest.raises(ValueError, match=message):
        tiny(cls).fit(X)


@pytest.mark.parametrize("kind", sorted({*NESTED} - {"deep"}))
def test_rows_of_rows_are_refused_by_all(kind):
    X, message = NESTED[kind]
    few = GraphClustering(2, max_samples=10)
    for function in [
        few.fit,
        lambda X: compare_clusterers([KMeans(2)], X),
        lambda X: describe_clusters(None, X, labels=[0, 1] * 10),
        lambda X: describe_clusters(KMeans(2, n_init=1).fit(ROWS), X),
    ]:
        with pytest.raises(ValueError, match=message):
            function(X)


def test_what_numpy_recommends_is_taken():
    frame = pd.DataFrame({"e": list(ROWS)})
    for X in (
        np.stack(frame["e"]),
        np.stack(BOXED),
        np.stack(pl.DataFrame(frame)["e"]),
    ):
        assert_array_equal(X, ROWS)


def test_rows_of_any_shape_are_compared_where_pipelines_take_them():
    means = FunctionTransformer(lambda X: np.array([[row.mean()] for row in X]))
    pipeline = make_pipeline(means, KMeans(2, n_init=1, random_state=0))
    found = compare_clusterers([pipeline], SERIES, space=means.fit(SERIES), n_runs=1)
    assert found.table["n_clusters"].tolist() == [2]


def test_init_of_the_wrong_shape(X):
    for init in (np.zeros((4, 2)), np.zeros((3, 3)), np.zeros(4)):
        with pytest.raises(ValueError, match=r"init|2D array"):
            tiny(DECClustering, init=init).fit(X)


def test_init_callable_of_the_wrong_shape(X):
    def first_rows(Z, n_clusters, random_state):
        return Z[: n_clusters - 1]

    with pytest.raises(ValueError, match=r"init gives centroids of shape \(3, 3\)"):
        tiny(DECClustering, init=first_rows).fit(X)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("clusterer", [KMeans(3), GaussianMixture(3)])
def test_init_clusterer_with_another_number_of_clusters(clusterer, X):
    with pytest.raises(ValueError, match=r"another n_\w+ than .*n_clusters=4 counts"):
        tiny(DECClustering, init=clusterer).fit(X)


def test_init_clusterer_that_finds_another_number_of_clusters(X):
    with pytest.raises(ValueError, match=r"init found 1 clusters.*n_clusters=4"):
        tiny(DECClustering, init=DBSCAN(eps=1e9)).fit(X)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("cls", WITH_ENCODER)
class TestGivenAutoencoder:
    @pytest.fixture
    def autoencoder(self, X):
        return tiny_autoencoder(max_epochs=0)

    def fit(self, autoencoder, X, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(Net, "fit_loop", lambda *args, **kwargs: None)
            return autoencoder.fit(X)

    def test_for_other_features(self, cls, autoencoder, X, monkeypatch):
        self.fit(autoencoder, X, monkeypatch)
        with pytest.raises(ValueError, match="expecting 64 features"):
            tiny(cls, encoder=autoencoder).fit(X[:, :10])

    def test_for_columns_in_another_order(self, cls, autoencoder, X, monkeypatch):
        frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(X.shape[1])])
        self.fit(autoencoder, frame, monkeypatch)
        for given in (autoencoder, FrozenEstimator(autoencoder)):
            with pytest.raises(ValueError, match="feature names should match"):
                tiny(cls, encoder=given).fit(frame[frame.columns[::-1]])

    def test_changed_since_its_fit(self, cls, autoencoder, X, monkeypatch):
        self.fit(autoencoder, X, monkeypatch).set_params(latent_dim=5)
        with pytest.raises(ValueError, match="fitted with latent_dim=3"):
            tiny(cls, encoder=autoencoder).fit(X)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("max_epochs", 5),
            ("batch_size", 16),
            ("lr", 0.1),
            ("noise", 0.5),
            ("training__optimizer", "sgd"),
            ("random_state", 5),
            ("training__net_params", {"optimizer__weight_decay": 0.1}),
            ("training__callbacks", [Checkpoint(monitor="train_loss_best")]),
        ],
    )
    def test_trained_otherwise(self, cls, name, value, autoencoder, X, monkeypatch):
        self.fit(autoencoder, X, monkeypatch)
        estimator = clone(tiny(cls, encoder=autoencoder))
        estimator.set_params(**{f"encoder__{name}": value})
        with pytest.raises(
            ValueError, match=rf"fitted with (training__)?{name}=.*{name}="
        ):
            estimator.fit(X)

    def test_on_a_missing_device(self, cls, autoencoder, X, monkeypatch):
        self.fit(autoencoder, X, monkeypatch).set_params(training__device="abacus")
        with pytest.raises(ValueError, match="device='abacus'"):
            tiny(cls, encoder=autoencoder).fit(X)

    def test_with_other_widths(self, cls, autoencoder, X, monkeypatch):
        self.fit(autoencoder, X, monkeypatch).set_params(hidden_units=(8, 8))
        with pytest.raises(ValueError, match="fitted with hidden_units="):
            tiny(cls, encoder=autoencoder).fit(X)
