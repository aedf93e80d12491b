"""N2D: UMAP's embedding, and where rows are placed in it."""

import sys

import numpy as np
import pytest
import torch
from discovery import fitted, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.manifold import trustworthiness
from sklearn.mixture import GaussianMixture

from skdeepcluster import Autoencoder, N2DClustering
from skdeepcluster.estimators._embedded import (
    nearest,
    neighbors,
    principal_start,
    unit_scale,
)
from skdeepcluster.estimators._n2d import import_umap, umap_embedding
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.training import Net


@pytest.fixture(scope="module")
def autoencoder(digits):
    network = Autoencoder((64,), 5, max_epochs=30, batch_size=64, random_state=0)
    return network.fit(digits[:600])


@pytest.fixture(scope="module")
def n2d(autoencoder, digits):
    return fitted(N2DClustering(10, encoder=autoencoder, random_state=0), digits[:600])


def test_neighbors_against_loops():
    rng = np.random.RandomState(0)
    Z, rows = rng.normal(size=(7, 3)), rng.normal(size=(9, 3))
    distances, index = neighbors(Z, rows, 4)
    for i, z in enumerate(Z):
        far = [sum((a - b) ** 2 for a, b in zip(z, row, strict=True)) for row in rows]
        order = sorted(range(9), key=far.__getitem__)[:4]
        assert list(index[i]) == order
        assert_allclose(distances[i] ** 2, [far[j] for j in order])
    assert_array_equal(nearest(Z, rows), index[:, 0])
    assert neighbors(Z, rows[:2], 4)[1].shape == (7, 2)
    assert_array_equal(nearest(rows, rows), np.arange(9))


def test_unit_scale():
    rng = np.random.RandomState(0)
    Z = (rng.normal(size=(50, 3)) * [1, 2, 3] + 7).astype(np.float32)
    scaled = unit_scale(Z)
    assert scaled.std() == pytest.approx(1)
    assert_allclose(scaled.mean(0), 0, atol=1e-6)
    assert_allclose(unit_scale(Z * np.float32(2**60)), scaled)
    assert_array_equal(unit_scale(np.full((5, 2), 3.0)), np.zeros((5, 2)))


def test_start_is_on_the_principal_axes():
    rng = np.random.RandomState(0)
    Z = unit_scale(rng.normal(size=(200, 3)) @ np.diag([1, 5, 3]))
    start = principal_start(Z, 5, 0)
    assert_allclose(np.abs(np.corrcoef(start[:, 0], Z[:, 1])[0, 1]), 1, atol=0.01)
    assert_allclose(np.abs(np.corrcoef(start[:, 1], Z[:, 2])[0, 1]), 1, atol=0.01)
    assert (start[:, 3:].std(0) < 2e-4).all()
    assert (start[:, 3:].std(0) > 0).all()


def test_embedding_keeps_neighbours_and_parts_groups():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(3), 60)
    Z = rng.normal(size=(180, 4)) + 20 * np.eye(4)[groups]
    E = umap_embedding(Z, 20, 0.0, 2, seed=0)
    assert trustworthiness(Z, E, n_neighbors=10) > 0.85
    within = max(np.ptp(E[groups == g], axis=0).max() for g in range(3))
    centers = np.array([E[groups == g].mean(0) for g in range(3)])
    apart = np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(3, 1)]
    assert apart.min() > within


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("n_dims", [1, 4, 30])
def test_embedding_of_few_rows(n_rows, n_dims):
    Z = np.random.RandomState(0).normal(size=(n_rows, 3)).astype(np.float32)
    E = umap_embedding(Z, 20, 0.0, n_dims, seed=0)
    assert E.shape == (n_rows, n_dims)
    assert np.isfinite(E).all()


def test_clusters_are_the_mixture_of_the_embedding(n2d, digits):
    X = digits[:600]
    E = n2d.embed(X).astype(np.float64)
    assert E.shape == (600, 10)
    assert_array_equal(np.unique(E, axis=0), np.unique(n2d.embedding_, axis=0))
    assert_array_equal(n2d.mixture_.predict(E), n2d.labels_)
    assert_allclose(n2d.predict_proba(X), n2d.mixture_.predict_proba(E), atol=1e-6)
    direct = GaussianMixture(10, n_init=3, max_iter=500, random_state=1).fit(E)
    assert n2d.mixture_.score(E) == pytest.approx(direct.score(E), abs=1)


def test_other_rows_have_the_place_of_their_nearest(n2d, digits):
    others = digits[600:]
    Z, kept = n2d.transform(others), n2d.embedded_rows_
    places = n2d.embed(others)
    for z, place in zip(Z[:40], places, strict=False):
        far = np.square(kept.astype(np.float64) - z).sum(1)
        assert_array_equal(place, n2d.embedding_[far.argmin()])


def test_equal_rows_are_embedded_once(autoencoder, digits):
    X = np.vstack([digits[:100], digits[:50]])
    model = fitted(N2DClustering(3, encoder=autoencoder, random_state=0), X)
    assert len(model.embedded_rows_) == 100
    assert_array_equal(model.labels_[100:], model.labels_[:50])


def test_parameters_reach_umap(autoencoder, digits):
    settings = {"encoder": autoencoder, "random_state": 0}
    X = digits[:150]
    plain = fitted(N2DClustering(3, **settings), X)
    assert plain.embedding_.shape == (150, 3)
    assert fitted(N2DClustering(3, manifold_dim=2, **settings), X).embedding_.shape == (
        150,
        2,
    )
    spread = fitted(N2DClustering(3, min_dist=0.9, **settings), X)
    gaps = [neighbors(m.embedding_, m.embedding_, 2)[0][:, 1] for m in (plain, spread)]
    assert np.median(gaps[1]) > 2 * np.median(gaps[0])
    wide = fitted(N2DClustering(3, n_neighbors=60, **settings), X)
    assert not np.array_equal(wide.embedding_, plain.embedding_)
    blurred = fitted(N2DClustering(3, reg_covar=100.0, **settings), X)
    assert (np.diagonal(blurred.mixture_.covariances_, 0, 1, 2) >= 100).all()


def test_the_number_of_threads_is_restored(monkeypatch):
    umap = import_umap()
    before = torch.get_num_threads()

    def careless(*args, **kwargs):
        torch.set_num_threads(before + 1)
        return graph(*args, **kwargs)

    graph = umap.fuzzy_simplicial_set
    monkeypatch.setattr(umap, "fuzzy_simplicial_set", careless)
    try:
        umap_embedding(np.random.RandomState(0).normal(size=(30, 3)), 5, 0.0, 2, 0)
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)


def test_quality_floor(n2d, digits, digits_target):
    assert clustering_accuracy(digits_target[:600], n2d.labels_) > 0.55
    assert clustering_accuracy(digits_target[600:], n2d.predict(digits[600:])) > 0.5


def test_without_umap_nothing_is_trained(digits, monkeypatch):
    def fail(*args, **kwargs):
        pytest.fail("training ran")

    monkeypatch.setattr(Net, "fit_loop", fail)
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setitem(sys.modules, "umap.umap_", None)
    with pytest.raises(ImportError, match=r"N2DClustering.*skdeepcluster\[manifold\]"):
        tiny(N2DClustering).fit(digits[:60])
