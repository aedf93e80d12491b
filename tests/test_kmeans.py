"""k-means in the latent space, with and without joint training."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from skdeepcluster import Autoencoder, AutoencoderKMeans, DCNClustering
from skdeepcluster import functional as F
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((64,), 5, max_epochs=15, batch_size=64, random_state=0).fit(
        digits
    )


def test_running_means_take_rows_one_by_one():
    rng = np.random.RandomState(0)
    z, centers = rng.normal(size=(20, 3)), rng.normal(size=(4, 3))
    labels, counts = rng.randint(3, size=20), np.array([0.0, 5.0, 100.0, 0.0])
    expected, rows = centers.copy(), counts.copy()
    for row, label in zip(z, labels, strict=True):
        rows[label] += 1
        expected[label] -= (expected[label] - row) / rows[label]
    actual = F.running_means(*map(torch.from_numpy, (centers, counts, z, labels)))
    np.testing.assert_allclose(actual[0].numpy(), expected)
    np.testing.assert_array_equal(actual[1].numpy(), rows)


def test_kmeans_is_kmeans_on_the_latent_rows(digits, autoencoder):
    kmeans = AutoencoderKMeans(10, encoder=autoencoder, random_state=0).fit(digits)
    Z = autoencoder.transform(digits)
    direct = KMeans(10, init=kmeans.cluster_centers_, n_init=1).fit(Z)
    assert clustering_accuracy(direct.labels_, kmeans.labels_) > 0.99
    assert kmeans.inertia_ == pytest.approx(direct.inertia_, rel=1e-3)
    assert kmeans.n_clusters_ == 10
    assert 0 < kmeans.n_iter_ < 300
    best = KMeans(10, n_init=20, random_state=1).fit(Z).inertia_
    assert kmeans.inertia_ < 1.01 * best


def test_cnn_and_kmeans(digits):
    network = Autoencoder(network="conv", max_epochs=1)
    kmeans = AutoencoderKMeans(5, encoder=network, n_init=1, random_state=0)
    labels = kmeans.fit_predict(digits)
    assert np.array_equal(kmeans.predict(digits[:7]), labels[:7])
    assert kmeans.inverse_transform(kmeans.cluster_centers_).shape == (5, 64)


def test_dcn_without_epochs_is_kmeans(digits, autoencoder):
    kmeans = AutoencoderKMeans(10, encoder=autoencoder, random_state=0).fit(digits)
    settings = {"encoder": autoencoder, "init": "k-means", "random_state": 0}
    dcn = DCNClustering(10, max_epochs=0, **settings)
    assert np.array_equal(dcn.fit_predict(digits), kmeans.labels_)


def test_dcn_tightens_the_clusters_and_keeps_describing(digits, autoencoder):
    settings = {"encoder": autoencoder, "batch_size": 64, "random_state": 0}
    settings["init"] = "k-means"
    start = AutoencoderKMeans(10, encoder=autoencoder, random_state=0).fit(digits)
    dcn = DCNClustering(10, cluster_weight=0.1, max_epochs=10, **settings).fit(digits)
    free = DCNClustering(10, cluster_weight=10.0, max_epochs=10, **settings).fit(digits)
    spread = [
        np.square(est.transform(digits) - est.cluster_centers_[est.labels_]).sum(1)
        for est in (start, dcn, free)
    ]
    assert spread[0].mean() > spread[1].mean() > spread[2].mean()
    errors = [est._reconstruction_errors(digits).mean() for est in (dcn, free)]
    assert errors[0] < errors[1]
    assert np.array_equal(dcn.predict(digits), dcn.labels_)


def test_dcn_stops_when_labels_settle(digits, autoencoder):
    dcn = DCNClustering(3, encoder=autoencoder, tol=0.5, random_state=0)
    history = dcn.fit(digits).history_["clustering"]
    assert dcn.n_iter_ == len(history) == 1
    assert 0 <= history[0]["label_change"] < 0.5
    assert "label_change" not in autoencoder.history_["pretraining"][0]
