"""ENRC and ACeDeC: several clusterings, each in directions of its own."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster import ACeDeCClustering, Autoencoder, ENRCClustering
from skdeepcluster.estimators._subspaces import find_subspaces, scatter_within
from skdeepcluster.heads import SubspaceHead
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def crossed():
    """Two groups in some columns, three in others, turned, and columns of noise."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(2, size=400), rng.integers(3, size=400)
    centers = np.array([[0, 0], [9, 0], [0, 9]])
    columns = [12.0 * one[:, None], centers[other], np.zeros((400, 3))]
    X = np.hstack(columns) + rng.normal(size=(400, 6))
    X = X @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    return X.astype(np.float32), one, other


def test_scatter_is_that_of_rows_about_their_means():
    rng = np.random.default_rng(0)
    Z, labels = rng.normal(size=(20, 3)), rng.integers(3, size=20)
    expected = np.zeros((3, 3))
    for row, label in zip(Z, labels, strict=True):
        gap = row - Z[labels == label].mean(0)
        expected += np.outer(gap, gap)
    assert scatter_within(Z, labels) == pytest.approx(expected)


def test_subspaces_of_crossed_groups(crossed):
    X, one, other = crossed
    found = find_subspaces(X, (3, 2), seed=0)
    assert clustering_accuracy(other, found.labelings[0]) == 1
    assert clustering_accuracy(one, found.labelings[1]) == 1
    assert found.rotation.T @ found.rotation == pytest.approx(np.eye(6), abs=1e-9)
    cost = 0.0
    for space, labels in enumerate(found.labelings):
        rows = X.astype(float) @ found.rotation[:, found.owners == space]
        for label in np.unique(labels):
            own = rows[labels == label]
            cost += np.square(own - own.mean(0)).sum()
    assert found.cost == pytest.approx(cost)


def test_noise_gets_the_directions_that_tell_nothing(crossed):
    X, _, other = crossed
    found = find_subspaces(X, (3, 1), seed=0, first=other)
    assert np.bincount(found.owners).tolist() == [2, 4]
    plane = found.rotation[:, found.owners == 0]
    means = np.stack([X[other == label].mean(0) for label in range(3)])
    gaps = means - means.mean(0)
    assert gaps @ plane @ plane.T == pytest.approx(gaps, abs=1e-4)


@pytest.fixture
def head():
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    head = SubspaceHead(3, 4, [2]).start(torch.from_numpy(rng.normal(size=(3, 4))))
    others, owners = (
        torch.from_numpy(rng.normal(size=(2, 4))),
        torch.tensor([0, 1, 1, 0]),
    )
    head.begin(others, torch.from_numpy(rotation), owners, 0.9)
    head.turn.data = torch.from_numpy(rng.normal(size=(4, 4)))
    return head


def test_distances_are_the_papers_sums(head):
    z = np.random.default_rng(2).normal(size=(5, 4))
    rotation = head.rotation.detach().numpy()
    weights = head.space_weights.detach().numpy()
    assert rotation.T @ rotation == pytest.approx(np.eye(4), abs=1e-9)
    assert weights == pytest.approx(
        np.array([[0.9, 0.1, 0.1, 0.9], [0.1, 0.9, 0.9, 0.1]])
    )
    places = head.centers.detach().numpy(), head.other_centers.detach().numpy()
    actual = head.all_distances(torch.from_numpy(z))
    for space, centers in enumerate(places):
        for i, row in enumerate(z):
            for j, center in enumerate(centers):
                gap = rotation.T @ (row - center)
                expected = sum(
                    (weight * length) ** 2
                    for weight, length in zip(weights[space], gap, strict=True)
                )
                assert actual[space][i, j].item() == pytest.approx(expected)


def test_loss_is_the_objective(crossed):
    # A step that moves nothing, on all the rows at once.
    X, _, _ = crossed
    network = Autoencoder((32,), 4, max_epochs=3, random_state=0).fit(X)
    enrc = ENRCClustering(
        (2, 3),
        encoder=copy.copy(network).set_params(training__precision="float32"),
        cluster_weight=0.5,
        lr=1e-12,
        max_epochs=1,
        batch_size=len(X),
        random_state=0,
    ).fit(X)
    Z = enrc.transform(X).astype(np.float64)
    places = enrc.cluster_centers_, enrc.head_.other_centers.detach().numpy()
    expected = np.square(enrc.inverse_transform(Z) - X).mean() / X.var(0).mean()
    for weights, centers in zip(enrc.space_weights_, places, strict=True):
        gaps = (Z[:, None] - centers) @ enrc.rotation_ * weights
        expected += 0.5 * np.square(gaps).sum(2).min(1).mean()
    loss = enrc.history_["clustering"][0]["train_loss"]
    assert loss == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("counts", [(2, 3), (2, 3, 1)])
def test_crossed_groups_are_found(crossed, counts):
    X, one, other = crossed
    network = Autoencoder((64,), 5, max_epochs=40, batch_size=32, random_state=0)
    enrc = ENRCClustering(counts, encoder=network, random_state=0).fit(X)
    assert enrc.labelings_.shape == (400, len(counts))
    assert normalized_mutual_info_score(one, enrc.labelings_[:, 0]) > 0.9
    assert normalized_mutual_info_score(other, enrc.labelings_[:, 1]) > 0.9
    assert np.array_equal(enrc.labels_, enrc.labelings_[:, 0])
    assert np.array_equal(enrc.predict_labelings(X[:7]), enrc.labelings_[:7])
    assert enrc.space_weights_.sum(0) == pytest.approx(np.ones(5))
    assert enrc.n_clusters_ == 2


def test_clusters_beside_noise(crossed):
    X, _, other = crossed
    rng = np.random.default_rng(0)
    X = np.hstack([np.eye(3)[other] * 9, rng.normal(size=(400, 6))]).astype(np.float32)
    network = Autoencoder((64,), 5, max_epochs=40, batch_size=32, random_state=0)
    acedec = ACeDeCClustering(3, encoder=network, init="k-means", random_state=0)
    assert clustering_accuracy(other, acedec.fit(X).labels_) == 1
    # Two directions tell three clusters apart.
    assert (acedec.space_weights_[0] > 0.5).sum() == 2


def test_counts_that_are_none_are_refused(crossed):
    X, _, _ = crossed
    wrong: list[Any] = [(), (2, 0), (2, 2.5), [[2, 3]]]
    for counts in wrong:
        with pytest.raises(ValueError, match="must be one or more integers from 1 on"):
            ENRCClustering(counts).fit(X)
    network = Autoencoder((8,), 2)
    with pytest.raises(ValueError, match="3 spaces, but latent rows have 2 dimensions"):
        ENRCClustering((2, 2, 1), encoder=network).fit(X)
    with pytest.raises(ValueError, match="n_clusters=None is found by a graph"):
        ENRCClustering(None).fit(X)
