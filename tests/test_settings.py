"""Settings of a user's own, of torch, numpy and scikit-learn, change no result."""

import contextlib

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from discovery import ESTIMATORS, can_dispatch, fitted, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from test_common import outputs, weights

from skdeepcluster import Autoencoder, DECClustering
from skdeepcluster.batches import own_settings
from skdeepcluster.explain import cluster_effects, describe_clusters
from skdeepcluster.graph import GraphClustering
from skdeepcluster.labelling import ClusterThenLabelClassifier
from skdeepcluster.metrics import clustering_accuracy, clustering_accuracy_scorer
from skdeepcluster.model_selection import (
    clustering_scorer,
    compare_clusterers,
    select_n_clusters,
)
from skdeepcluster.plotting import (
    ClusterImagesDisplay,
    EmbeddingDisplay,
    MatchedConfusionDisplay,
    SilhouetteDisplay,
)
from skdeepcluster.streams import apply_in_blocks


@contextlib.contextmanager
def default_dtype():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device():
    # Whatever is made there holds no numbers, and shows up.
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def low_precision():
    torch.set_float32_matmul_precision("medium")
    try:
        yield
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


@contextlib.contextmanager
def all_of_these():
    """Settings of torch that should change nothing even together."""
    torch.use_deterministic_algorithms(True)
    try:
        with low_precision(), torch.autograd.set_detect_anomaly(True):
            yield
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


SETTINGS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "others of torch": all_of_these,
    "default dtype": default_dtype,
    "default device": default_device,
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "errors of numpy": lambda: np.errstate(all="raise"),
    "pandas": lambda: sklearn.config_context(transform_output="pandas"),
    "polars": lambda: sklearn.config_context(transform_output="polars"),
    "array API": lambda: sklearn.config_context(array_api_dispatch=True),
}


def test_no_thread_is_left_with_the_precision_of_another():
    with low_precision():
        first, second = own_settings(), own_settings()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_float32_matmul_precision() == "highest"
        second.__exit__(None, None, None)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_tensors_are_rows_like_others(cls, X):
    if not can_dispatch():
        pytest.skip("scipy is too old")
    rows = X[:60]
    expected = fitted(tiny(cls), rows)
    values = outputs(expected, rows)
    if hasattr(expected, "inverse_transform"):
        Z = torch.from_numpy(expected.transform(rows))
        expected_back = expected.inverse_transform(Z)
    with sklearn.config_context(array_api_dispatch=True):
        model = fitted(tiny(cls), torch.from_numpy(rows))
        results = outputs(model, torch.from_numpy(rows))
        if hasattr(model, "score"):
            assert model.score(torch.from_numpy(rows)) == expected.score(rows)
        if hasattr(model, "inverse_transform"):
            back = model.inverse_transform(Z)
            assert_array_equal(back, expected_back)
    for method, value in values.items():
        assert type(results[method]) is type(value)
        assert_array_equal(results[method], value, err_msg=method)


@pytest.fixture(scope="module")
def X(digits):
    return digits[:120].astype(np.float64)


@pytest.fixture(scope="module")
def expected(X):
    models = {cls: fitted(tiny(cls), X) for cls in ESTIMATORS}
    return {cls: (weights(model), outputs(model, X)) for cls, model in models.items()}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_nothing_changes_under(cls, name, X, expected):
    if name == "array API" and not can_dispatch():
        pytest.skip("scipy is too old")
    with SETTINGS[name]():
        model = fitted(tiny(cls), X)
        results = outputs(model, X)
        if hasattr(model, "score"):
            assert np.isfinite(model.score(X))
        if hasattr(model, "sample"):
            assert np.isfinite(model.sample(5)[0]).all()
    learned, values = expected[cls]
    for now, then in zip(weights(model), learned, strict=True):
        assert_array_equal(now, then)
    for method, value in values.items():
        assert_array_equal(np.asarray(results[method]), value, err_msg=method)
    for attribute, value in vars(model).items():
        assert not isinstance(value, (pd.DataFrame, pl.DataFrame)), attribute


def test_the_graph_within_a_fit_hears_no_settings(X):
    # Wide enough to be reduced first.
    model = tiny(DECClustering, init=GraphClustering(n_init=2))
    before = fitted(model, X).labels_
    with sklearn.config_context(transform_output="pandas"):
        assert_array_equal(fitted(model, X).labels_, before)


@pytest.mark.parametrize("model", [GraphClustering(2), Autoencoder(max_epochs=1)])
def test_a_warning_names_the_line_of_the_user(model):
    X = np.random.default_rng(0).normal(size=(60, 3)) * [1e4, 1, 1]
    for fit in (model.fit, make_pipeline(FunctionTransformer(), model).fit):
        with pytest.warns(UserWarning, match="variance") as found:
            fit(X)
        assert [each.filename for each in found] == [__file__]


SCORERS = [
    clustering_scorer(n_references=1),
    clustering_scorer("silhouette"),
    clustering_scorer("calinski_harabasz"),
    clustering_scorer("davies_bouldin"),
]
TIMES = ["fit_seconds", "predict_seconds", "peak_memory_mb"]


def graph():
    return GraphClustering(2, n_init=1, noise_ratio=3.0, random_state=0)


# What takes rows and labels beside the deep estimators, as functions of these.
FUNCTIONS = {
    "graph": lambda X, y: graph().fit(X).labels_,
    "predict": lambda X, y: graph().fit(X).predict(X),
    "predict_proba": lambda X, y: graph().fit(X).predict_proba(X),
    "classifier": lambda X, y: ClusterThenLabelClassifier(graph()).fit(X, y).predict(X),
    "its score": lambda X, y: ClusterThenLabelClassifier(graph()).fit(X, y).score(X, y),
    "blocks": lambda X, y: apply_in_blocks(graph().fit(X), X),
    "clusters": lambda X, y: describe_clusters(graph().fit(X), X)["share"],
    "of labels": lambda X, y: describe_clusters(None, X, labels=y)["share"],
    "typical": lambda X, y: np.concatenate(
        describe_clusters(None, X, labels=y)["typical_rows"].tolist()
    ),
    "effects": lambda X, y: cluster_effects(None, X, labels=y),
    "comparison": lambda X, y: compare_clusterers(
        {"graph": graph()}, X, y, n_references=1, n_runs=2
    ).table.drop(columns=[*TIMES, "error"]),
    "number": lambda X, y: select_n_clusters(graph(), X, [2, 3], n_runs=1).n_clusters,
    "scores": lambda X, y: [scorer(graph().fit(X), X) for scorer in SCORERS],
    "accuracy": lambda X, y: clustering_accuracy(y, y),
    "accuracy of rows": lambda X, y: clustering_accuracy_scorer(graph().fit(X), X, y),
    "picture": lambda X, y: EmbeddingDisplay.from_predictions(X, y).points,
    "t-SNE": lambda X, y: EmbeddingDisplay.from_predictions(X, y, method="tsne").rows,
    "of a graph": lambda X, y: (
        EmbeddingDisplay.from_estimator(graph().fit(X), X).points
    ),
    "silhouettes": lambda X, y: bool(SilhouetteDisplay.from_predictions(X, y)),
    "images": lambda X, y: bool(ClusterImagesDisplay.from_predictions(X, y)),
    "confusion": lambda X, y: bool(MatchedConfusionDisplay.from_predictions(y, y)),
}


@pytest.mark.parametrize("name", ["array API", "pandas", "polars", "errors of numpy"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_beside_the_estimators_changes_under(function, name):
    if name == "array API" and not can_dispatch():
        pytest.skip("scipy is too old")
    X = np.random.default_rng(0).normal(size=(80, 4)) + [[0], [9]] * 40
    y = np.arange(80) % 2
    expected = FUNCTIONS[function](X, y)
    given = (X, y)
    if name == "array API":
        given = (torch.from_numpy(X), torch.from_numpy(y))
    with SETTINGS[name]():
        found = FUNCTIONS[function](*given)
    assert_allclose(
        np.asarray(found, np.float64), np.asarray(expected, np.float64), rtol=1e-6
    )
