"""Density peaks against loops in numpy, and the number of clusters found."""

import math

import numpy as np
import pytest
from discovery import fitted
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepcluster import Autoencoder, DensityDDCClustering
from skdeepcluster.estimators import _density_ddc
from skdeepcluster.estimators._density_ddc import (
    denser_neighbors,
    densities,
    density_clusters,
    local_clusters,
    mean_distance,
    merge_close,
    tsne_embedding,
)


def shapes(kind):
    rng = np.random.RandomState(0)
    if kind == "blobs":
        return make_blobs(90, centers=4, random_state=0)[0]
    if kind == "noise":
        return rng.normal(size=(60, 2))
    return rng.randint(4, size=(50, 2)).astype(float)  # ties, and equal points


def by_hand(points, ratio):
    """Every step of the method, told in loops."""
    n = len(points)
    d = [[math.dist(a, b) for b in points] for a in points]
    d_c = ratio * sum(d[i][j] for i in range(n) for j in range(n)) / (n * (n - 1))
    rho = [sum(math.exp(-((d[i][j] / d_c) ** 2)) for j in range(n)) for i in range(n)]
    parents, delta = [], []
    for i in range(n):
        denser = [
            j for j in range(n) if rho[j] > rho[i] or (rho[j] == rho[i] and j < i)
        ]
        parents.append(min(denser, key=lambda j: d[i][j]) if denser else i)
        delta.append(d[i][parents[i]] if denser else math.inf)
    mean = sum(rho) / n
    densest = [i == parents[i] for i in range(n)]
    centers = [i for i in range(n) if densest[i] or (rho[i] > mean and delta[i] > d_c)]
    labels = []
    for i in range(n):
        while i not in centers:
            i = parents[i]
        labels.append(centers.index(i))
    core = [
        i
        for i in range(n)
        if rho[i] > np.mean([rho[j] for j in range(n) if labels[j] == labels[i]])
    ]
    merged = list(labels)
    for i in core:
        for j in core:
            if d[i][j] < d_c and merged[i] != merged[j]:
                kept, gone = merged[i], merged[j]
                merged = [kept if label == gone else label for label in merged]
    return {
        "d_c": d_c,
        "rho": rho,
        "parents": parents,
        "delta": delta,
        "labels": labels,
        "merged": merged,
    }


@pytest.mark.parametrize("kind", ["blobs", "noise", "ties"])
@pytest.mark.parametrize("ratio", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("block", [7, 512])
def test_steps_against_loops(kind, ratio, block, monkeypatch):
    monkeypatch.setattr(_density_ddc, "BLOCK", block)
    points = shapes(kind)
    expected = by_hand(points.tolist(), ratio)
    d_c = ratio * mean_distance(points)
    assert d_c == pytest.approx(expected["d_c"])
    assert_allclose(densities(points, d_c), expected["rho"])
    # From here on in the oracle's own numbers: ties must not be broken by rounding.
    rho = np.array(expected["rho"])
    parents, delta = denser_neighbors(points, rho)
    assert_allclose(delta, expected["delta"])
    same = parents == expected["parents"]
    gaps = np.linalg.norm(points - points[np.array(expected["parents"])], axis=1)
    assert_allclose(gaps[~same & np.isfinite(delta)], delta[~same & np.isfinite(delta)])
    parents = np.array(expected["parents"])
    labels = local_clusters(rho, parents, delta, d_c)
    assert labels.max() > 0
    assert adjusted_rand_score(labels, expected["labels"]) == 1
    merged = merge_close(points, rho, labels, d_c)
    assert adjusted_rand_score(merged, expected["merged"]) == 1


@pytest.mark.parametrize("n_groups", [1, 3, 6])
def test_as_many_clusters_as_there_are_groups(n_groups):
    centers = 20 * np.array([[i % 3, i // 3] for i in range(n_groups)])
    points, groups = make_blobs(50 * n_groups, centers=centers, random_state=1)
    labels = density_clusters(points, 0.1 if n_groups > 1 else 0.5)
    assert labels.dtype == np.int32
    assert adjusted_rand_score(labels, groups) == 1
    assert set(labels) == set(range(n_groups))


def test_a_long_cluster_is_merged_of_its_peaks():
    rng = np.random.RandomState(0)
    along = np.linspace(0, 40, 400)
    line = np.column_stack([along, 0.1 * rng.normal(size=400)])
    points = np.vstack([line, line + np.array([0, 30])])
    d_c = 0.1 * mean_distance(points)
    rho = densities(points, d_c)
    parents, delta = denser_neighbors(points, rho)
    assert local_clusters(rho, parents, delta, d_c).max() > 1
    labels = density_clusters(points, 0.1)
    assert_array_equal(labels, np.repeat([0, 1], 400) ^ labels[0])


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.zeros((30, 2))])
def test_equal_points_are_one_cluster(points):
    assert_array_equal(density_clusters(points, 0.1), np.zeros(len(points)))


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("n_columns", [1, 4])
def test_embedding_of_few_rows(n_rows, n_columns):
    Z = np.random.RandomState(0).normal(size=(n_rows, n_columns)).astype(np.float32)
    points = tsne_embedding(Z, 30.0, seed=0)
    assert points.shape == (n_rows, 2)
    assert np.isfinite(points).all()


@pytest.fixture(scope="module")
def X(digits):
    return digits[:600]


@pytest.fixture(scope="module")
def autoencoder(X):
    network = Autoencoder((64,), 5, max_epochs=30, batch_size=64, random_state=0)
    return network.fit(X)


@pytest.fixture(scope="module")
def ddc(X, autoencoder):
    model = DensityDDCClustering(encoder=autoencoder, max_embedded=400, random_state=0)
    return fitted(model, X)


def test_other_rows_follow_the_nearest(ddc, digits):
    kept = ddc.embedded_rows_
    assert len(kept) == 400
    assert ddc.embedding_.shape == (400, 2)
    Z, labels = ddc.transform(digits), ddc.predict(digits)
    for z, label in zip(Z[:40], labels, strict=False):
        far = np.square(kept.astype(np.float64) - z).sum(1)
        assert label == ddc.embedding_labels_[far.argmin()]


def test_every_cluster_has_rows(ddc):
    assert set(ddc.labels_) == set(range(ddc.n_clusters_))


def test_quality_floor(ddc, X, digits_target):
    assert 6 <= ddc.n_clusters_ <= 20
    assert adjusted_rand_score(digits_target[: len(X)], ddc.labels_) > 0.4


def test_no_limit_embeds_every_distinct_row(X, autoencoder):
    twice = np.vstack([X[:80], X[:80]])
    ddc = DensityDDCClustering(encoder=autoencoder, max_embedded=None)
    fitted(ddc, twice)
    assert len(ddc.embedded_rows_) == 80
    assert_array_equal(ddc.labels_[:80], ddc.labels_[80:])


def test_a_larger_distance_finds_fewer_clusters(X, autoencoder):
    counts = [
        fitted(
            DensityDDCClustering(
                encoder=autoencoder, distance_ratio=ratio, random_state=0
            ),
            X[:300],
        ).n_clusters_
        for ratio in (0.05, 1.0)
    ]
    assert counts[0] > counts[1] == 1


@pytest.mark.parametrize("n_rows", [2, 3, 4, 6])
def test_few_distinct_rows_repeated_are_clusters(n_rows):
    rows = np.random.RandomState(0).normal(size=(n_rows, 5))
    X = np.repeat(rows, 20, axis=0)
    for seed in range(3):
        network = Autoencoder((16,), 3, max_epochs=3)
        ddc = DensityDDCClustering(encoder=network, random_state=seed).fit(X)
        assert ddc.n_clusters_ == n_rows
        assert adjusted_rand_score(np.repeat(range(n_rows), 20), ddc.labels_) == 1


def test_few_rows_that_touch_are_one_cluster():
    points = np.array([[0.0, 0], [0, 0.1], [9, 9], [20, 0]])
    assert_array_equal(density_clusters(points, 0.1), [0, 0, 1, 2])
