"""Deep k-means: its loss, its clusters, what its parameters do."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from skdeepcluster import Autoencoder, DCNClustering, DKMClustering
from skdeepcluster import functional as F
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((64,), 5, max_epochs=15, batch_size=64, random_state=0).fit(
        digits
    )


@pytest.mark.parametrize("a", [0.1, 3.0])
def test_soft_distance_is_the_papers_sum(a):
    rng = np.random.RandomState(0)
    z, centers = rng.normal(size=(7, 3)), rng.normal(size=(4, 3))
    expected = 0.0
    for row in z:
        squares = [sum((row - center) ** 2) for center in centers]
        total = sum(np.exp(-a * square) for square in squares)
        for square in squares:
            expected += square * np.exp(-a * square) / total / len(z)
    distances = F.squared_distances(*map(torch.from_numpy, (z, centers)))
    assert F.soft_distance(distances, a).item() == pytest.approx(expected)


def test_hard_assignments_leave_the_least_distance_and_stay_finite():
    distances = torch.tensor([[4.0, 1.0], [9.0, 2.0], [1e38, 3e38]])
    assert F.soft_distance(distances[:2], 1e6).item() == pytest.approx(1.5)
    assert torch.isfinite(F.soft_distance(distances, 1e6))


def test_loss_is_the_objective(digits, autoencoder):
    # A step that moves nothing, on all the rows at once.
    dkm = DKMClustering(
        4,
        encoder=copy.copy(autoencoder).set_params(training__precision="float32"),
        init="k-means",
        cluster_weight=0.5,
        inverse_temperature=0.3,
        lr=1e-12,
        max_epochs=1,
        batch_size=len(digits),
        random_state=0,
    ).fit(digits)
    Z = dkm.transform(digits).astype(np.float64)
    squares = np.square(Z[:, None] - dkm.cluster_centers_).sum(2)
    weights = np.exp(-0.3 * squares)
    weights /= weights.sum(1, keepdims=True)
    error = np.square(dkm.inverse_transform(Z) - digits).mean() / digits.var(0).mean()
    expected = error + 0.5 * (weights * squares).sum(1).mean()
    loss = dkm.history_["clustering"][0]["train_loss"]
    assert loss == pytest.approx(expected, rel=1e-4)


def test_obvious_clusters_are_found():
    X, y = make_blobs(400, 10, centers=4, cluster_std=0.5, random_state=0)
    network = Autoencoder((32,), 3, max_epochs=20, random_state=0)
    dkm = DKMClustering(4, encoder=network, init="k-means", random_state=0).fit(X)
    assert clustering_accuracy(y, dkm.labels_) == 1
    assert np.array_equal(dkm.predict(X), dkm.labels_)


def test_the_weight_of_distances_tightens_clusters(digits, autoencoder):
    spreads, errors = [], []
    for weight in (0.0, 0.05, 5.0):
        dkm = DKMClustering(
            10,
            encoder=autoencoder,
            init="k-means",
            cluster_weight=weight,
            max_epochs=5,
            random_state=0,
        ).fit(digits)
        Z = dkm.transform(digits)
        spreads.append(np.square(Z - dkm.cluster_centers_[dkm.labels_]).sum(1).mean())
        errors.append(dkm._reconstruction_errors(digits).mean())
    assert spreads[0] > spreads[1] > spreads[2]
    assert errors[0] < errors[2]


def test_centroids_are_trained(digits, autoencoder):
    start, end = (
        DKMClustering(
            10,
            encoder=autoencoder,
            init="k-means",
            max_epochs=epochs,
            random_state=0,
        ).fit(digits)
        for epochs in (0, 2)
    )
    dcn = DCNClustering(
        10, encoder=autoencoder, init="k-means", max_epochs=0, random_state=0
    ).fit(digits)
    assert np.array_equal(start.labels_, dcn.labels_)
    assert (start.cluster_centers_ != end.cluster_centers_).all()


def test_quality_floor(digits, digits_target, autoencoder):
    dkm = DKMClustering(10, encoder=autoencoder, random_state=0).fit(digits)
    assert clustering_accuracy(digits_target, dkm.labels_) > 0.75
