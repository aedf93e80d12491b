"""DipDECK: its loss, the number that it finds, what its parameters do."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from skdeepcluster import Autoencoder, DipDECKClustering, Training
from skdeepcluster._dip import merged
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(400, 10, centers=4, cluster_std=0.5, random_state=0)


@pytest.fixture(scope="module")
def autoencoder(blobs):
    return Autoencoder((32,), 3, max_epochs=20, random_state=0).fit(blobs[0])


def test_loss_is_the_objective(blobs, autoencoder):
    # A step that moves nothing, on all the rows at once, from the means of clusters
    # that end as they began.
    X = blobs[0]
    dipdeck = DipDECKClustering(
        4,
        encoder=autoencoder,
        init="k-means",
        cluster_weight=0.5,
        merge_threshold=1.0,
        lr=1e-12,
        max_epochs=1,
        batch_size=len(X),
        random_state=0,
    ).fit(X)
    Z = dipdeck.transform(X).astype(np.float64)
    p = merged(Z, dipdeck.labels_, np.inf)[1]
    means = dipdeck.cluster_centers_
    prototypes = np.stack([Z[np.square(Z - mean).sum(1).argmin()] for mean in means])
    pairs = [(j, k) for j in range(4) for k in range(j)]
    apart = [np.linalg.norm(prototypes[j] - prototypes[k]) for j, k in pairs]
    pull = 0.0
    for z in Z:
        squares = [np.square(z - prototype).sum() for prototype in prototypes]
        own = int(np.argmin(squares))
        for j in range(4):
            pull += p[own, j] / sum(p[own]) * squares[j] / len(Z)
    error = np.square(dipdeck.inverse_transform(Z) - X).mean() / X.var(0).mean()
    expected = error + 0.5 * pull * (1 + np.std(apart)) / np.mean(apart)
    loss = dipdeck.history_["clustering"][0]["train_loss"]
    assert loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("init", ["graph", "k-means"])
def test_the_number_of_obvious_clusters_is_found(blobs, autoencoder, init):
    X, y = blobs
    dipdeck = DipDECKClustering(
        15,
        encoder=autoencoder,
        init=init,
        max_epochs=20,
        batch_size=64,
        lr=1e-3,
        random_state=0,
    ).fit(X)
    assert dipdeck.n_clusters_ == 4
    assert clustering_accuracy(y, dipdeck.labels_) == 1
    counts = [epoch["n_clusters"] for epoch in dipdeck.history_["clustering"]]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 4


def test_a_higher_threshold_leaves_more_clusters(blobs, autoencoder):
    few, some, all_ = (
        DipDECKClustering(
            15,
            encoder=autoencoder,
            init="k-means",
            merge_threshold=threshold,
            max_epochs=3,
            random_state=0,
        ).fit(blobs[0])
        for threshold in (0.0, 0.9, 1.0)
    )
    # One cluster ends the phase.
    assert few.n_clusters_ == few.n_iter_ == 1
    assert 1 < some.n_clusters_ <= all_.n_clusters_


def test_few_rows_start_from_few_clusters(blobs):
    network = Autoencoder((8,), 2, max_epochs=1)
    dipdeck = DipDECKClustering(
        encoder=network, init="k-means", max_epochs=0, random_state=0
    )
    assert dipdeck.fit(blobs[0][:60]).n_clusters_ == 6
    assert dipdeck.fit(blobs[0][:5]).n_clusters_ == 1


def test_checkpoints_hold_merged_clusters(blobs, autoencoder, tmp_path):
    settings = {
        "encoder": autoencoder,
        "init": "k-means",
        "max_epochs": 4,
        "random_state": 0,
    }
    whole = DipDECKClustering(12, **settings).fit(blobs[0])
    kept = DipDECKClustering(
        12, training=Training(checkpoint=str(tmp_path)), **settings
    ).fit(blobs[0])
    again = DipDECKClustering(
        12, training=Training(checkpoint=str(tmp_path)), **settings
    ).fit(blobs[0])
    for model in (kept, again):
        assert np.array_equal(model.labels_, whole.labels_)
        assert torch.equal(model.head_.centers, whole.head_.centers)
