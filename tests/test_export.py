"""Networks outside of this package: exported, quantised, in another format."""

import warnings

import numpy as np
import pytest
import torch
from discovery import ESTIMATORS, fitted, settings_for, tiny, tiny_autoencoder
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from test_networks import Pair
from torch import nn

from skdeepcluster import Autoencoder, DeepOutlierDetector
from skdeepcluster.io import to_torch


@pytest.fixture(scope="module")
def X(digits):
    # Far from what the network sees, so that it has to standardise.
    return digits[:60].astype(np.float64) * 30 + 500


def exported(module, x):
    rows = torch.export.Dim("rows", min=2)
    return torch.export.export(module, (x,), dynamic_shapes=({0: rows},)).module()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"latent_dim": 5, "hidden_units": (7,)},
        {"network": "conv"},
        {"network": Pair},
    ],
    ids=["mlp", "odd widths", "conv", "own"],
)
def test_an_exported_network_gives_what_transform_gives(settings, X):
    if "network" in settings:
        settings = {"hidden_units": None, **settings}
    model = tiny_autoencoder(max_epochs=1, **settings).fit(X)
    x = torch.from_numpy(X)
    module = to_torch(model)
    for program in (module, exported(module, x)):
        for rows in (x, x[:7]):
            expected = model.transform(rows.numpy())
            assert_allclose(program(rows), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "cls", [e for e in ESTIMATORS if settings_for(e, n_clusters=1)]
)
def test_every_network_can_be_had(cls, X):
    model = fitted(tiny(cls), X)
    if hasattr(model, "transform"):
        rows = to_torch(model)(torch.from_numpy(X))
        assert_allclose(rows, model.transform(X), rtol=1e-5, atol=1e-5)


def test_its_linear_layers_are_quantised(X):
    model = tiny_autoencoder(hidden_units=(32,)).fit(X)
    module = to_torch(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        small = torch.ao.quantization.quantize_dynamic(module, {nn.Linear})
        Z = small(torch.from_numpy(X)).numpy()
    found = [
        part for part in small.module.encoder if "quantized" in type(part).__module__
    ]
    assert len(found) == 2
    expected = model.transform(X)
    assert np.abs(Z - expected).max() < 0.1 * np.abs(expected).max()


def test_the_model_stays_as_it_is(X):
    model = tiny_autoencoder().fit(X)
    before = model.transform(X)
    module = to_torch(model)
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
    np.testing.assert_array_equal(model.transform(X), before)
    assert type(model.module_.encoder[0]) is not nn.Linear


@pytest.mark.parametrize("model", [Autoencoder(), DeepOutlierDetector()])
def test_nothing_to_export(model):
    with pytest.raises(NotFittedError):
        to_torch(model)
