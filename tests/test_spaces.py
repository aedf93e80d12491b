"""Other spaces for the nodes of a graph."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import adjusted_rand_score

from skdeepcluster.graph import GraphClustering, spaces


@pytest.fixture
def parts_of_rows():
    random = np.random.RandomState(0)
    parts = np.repeat(np.arange(4), [10, 20, 30, 40])
    centers = random.normal(size=(4, 6)) * 3
    Z = centers[parts] + random.normal(size=(100, 6)) * [1, 1, 1, 1, 9, 0.1]
    return Z.astype(np.float32), parts


def test_discriminant_map_is_that_of_fisher(parts_of_rows, monkeypatch):
    Z, parts = parts_of_rows
    monkeypatch.setattr(spaces, "RIDGE", 1e-9)
    found = spaces.discriminant_map(Z, np.ones(100), parts)
    lda = LinearDiscriminantAnalysis(solver="svd").fit(Z, parts)
    expected = lda.transform(Z)
    # Directions may be turned round, and the unit is that of one version or another.
    expected *= (expected * found).sum(0) / np.square(expected).sum(0)
    assert found.shape == (100, 3)
    assert_allclose(found - found.mean(0), expected, atol=1e-2)


def test_discriminant_map_by_hand(parts_of_rows):
    Z, parts = parts_of_rows
    mass = np.arange(1, 101).astype(float)
    found = spaces.discriminant_map(Z, mass, parts)
    within = np.zeros((6, 6))
    for part in range(4):
        own = parts == part
        mean = np.average(Z[own], axis=0, weights=mass[own])
        for row, weight in zip(Z[own] - mean, mass[own], strict=True):
            within += weight / mass.sum() * np.outer(row, row)
    within += spaces.RIDGE * np.trace(within) / 6 * np.eye(6)
    # Distances between the means of parts are those of Mahalanobis.
    means = [np.average(Z[parts == p], 0, weights=mass[parts == p]) for p in range(4)]
    mapped = [
        np.average(found[parts == p], 0, weights=mass[parts == p]) for p in range(4)
    ]
    for one in range(4):
        for other in range(one):
            apart = means[one] - means[other]
            expected = apart @ np.linalg.solve(within, apart)
            assert np.square(mapped[one] - mapped[other]).sum() == pytest.approx(
                expected, rel=1e-3
            )


def test_discriminant_map_of_copies_is_that_of_their_mass(parts_of_rows):
    Z, parts = parts_of_rows
    mass = np.random.RandomState(1).randint(1, 5, size=100)
    once = spaces.discriminant_map(Z, mass.astype(float), parts)
    rows = np.repeat(np.arange(100), mass)
    often = spaces.discriminant_map(Z[rows], np.ones(len(rows)), parts[rows])
    signs = np.sign((once[rows] * often).sum(0))
    assert_allclose(once[rows], often * signs, rtol=1e-3, atol=1e-3)


def test_discriminant_map_of_a_far_node(parts_of_rows):
    Z, parts = parts_of_rows
    once = spaces.discriminant_map(Z, np.ones(100), parts)
    far = np.vstack([Z, np.full(6, 1e9, dtype=np.float32)])
    found = spaces.discriminant_map(far, np.ones(101), np.append(parts, 0))
    assert_allclose(found[:100], once, rtol=1e-4, atol=1e-4)


def test_discriminant_map_without_parts(parts_of_rows):
    Z, _ = parts_of_rows
    # Each node is a part of its own: nothing is known of what they vary within.
    assert_array_equal(spaces.discriminant_map(Z, np.ones(100), np.arange(100)), Z)
    one = spaces.discriminant_map(Z, np.ones(100), np.zeros(100, dtype=int))
    assert one.shape == (100, 1)
    assert np.isfinite(one).all()


def test_what_varies_within_clusters_does_not_hide_them():
    random = np.random.RandomState(0)
    y = np.repeat(np.arange(4), 150)
    signal = 2.2 * np.eye(4)[y] + 0.25 * random.normal(size=(600, 4))
    noise = 2.5 * random.normal(size=(600, 3))
    X = np.hstack([signal, noise])
    for seed in range(3):
        labels = GraphClustering(4, random_state=seed).fit_predict(X)
        assert adjusted_rand_score(y, labels) > 0.95
