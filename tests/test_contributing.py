"""The example of CONTRIBUTING.md, as somebody would write it who adds an algorithm."""

import pickle
import re
from pathlib import Path

import numpy as np
import skops.io
import torch
from embedded_centers import EmbeddedCenters
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator
from torch import nn

from skdeepcluster.io import load
from skdeepcluster.model_selection import AllData, clustering_scorer

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"

X, y = make_blobs(200, 5, centers=4, random_state=0)


def test_the_page_shows_the_file():
    source = (Path(__file__).parent / "embedded_centers.py").read_text()
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert source.split("\n\n\n", 1)[1] in blocks


def test_its_clusters_outlive_files(tmp_path):
    model = EmbeddedCenters(4, random_state=0).fit(X)
    assert adjusted_rand_score(y, model.labels_) == 1
    assert_array_equal(model.predict(X), model.labels_)
    assert_allclose(model.transform(X), (X - X.mean(0)) / X.std(0).mean(), rtol=0.2)
    skops.io.dump(model, tmp_path / "file")
    trusted = ["embedded_centers.EmbeddedCenters"]
    for read in (
        pickle.loads(pickle.dumps(model)),
        load(tmp_path / "file", trusted=trusted),
    ):
        assert_array_equal(read.predict(X), model.labels_)
        assert_array_equal(clone(read).fit(X).labels_, model.labels_)


def test_it_is_searched():
    search = GridSearchCV(
        EmbeddedCenters(random_state=0),
        {"n_clusters": [2, 4], "lr": [1e-3, 1e-2]},
        scoring=clustering_scorer("silhouette"),
        cv=AllData(),
    ).fit(X)
    assert search.best_params_["n_clusters"] == 4


def test_it_keeps_the_contract():
    check_estimator(EmbeddedCenters(3, max_epochs=2, random_state=0))


class Scale(nn.Module):
    """A module that is no network, with a config."""

    def __init__(self, width):
        super().__init__()
        self.config = {"width": width}
        self.weight = nn.Parameter(torch.arange(float(width)))


class WithScale(EmbeddedCenters):
    def _refine(self, X, learned, head, seed):
        return super()._refine(X, learned, head, seed).adding(scale_=Scale(3))


def test_modules_of_any_name_outlive_files():
    model = pickle.loads(pickle.dumps(WithScale(4, random_state=0).fit(X)))
    assert isinstance(model.scale_, Scale)
    assert np.array_equal(model.scale_.weight.detach(), [0, 1, 2])
