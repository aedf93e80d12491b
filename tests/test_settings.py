"""Settings of a user's own, of torch, numpy and scikit-learn, change no result."""

import contextlib

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from discovery import ESTIMATORS, can_dispatch, fitted, tiny
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from test_common import outputs, weights

from skdeepcluster import Autoencoder, DECClustering
from skdeepcluster.graph import GraphClustering


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


SETTINGS = {
    "default dtype": default_dtype,
    "default device": default_device,
    "inference mode": torch.inference_mode,
    "no gradients": torch.no_grad,
    "errors of numpy": lambda: np.errstate(all="raise"),
    "pandas": lambda: sklearn.config_context(transform_output="pandas"),
    "polars": lambda: sklearn.config_context(transform_output="polars"),
    "array API": lambda: sklearn.config_context(array_api_dispatch=True),
}


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
