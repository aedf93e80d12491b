"""The DipEncoder: its loss and gradients, its borders, clusters that are obvious."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import make_blobs

from skdeepcluster import Autoencoder, DipEncoderClustering
from skdeepcluster import functional as F
from skdeepcluster._dip import border, dip
from skdeepcluster.heads import AxesHead
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(300, 10, centers=3, cluster_std=0.5, random_state=0)


@pytest.fixture(scope="module")
def autoencoder(blobs):
    return Autoencoder((32,), 3, max_epochs=20, random_state=0).fit(blobs[0])


def test_dips_are_those_of_samples_and_their_gradients_are_differences():
    rng = np.random.RandomState(0)
    places = torch.tensor(rng.normal(size=(40, 2)) + 3 * (rng.rand(40, 2) > 0.5))
    samples = [(0, np.arange(40)), (1, np.arange(5, 30)), (1, np.arange(20))]
    places.requires_grad_()
    values = F.dips(places, samples)
    expected = [
        dip(places.detach().numpy()[rows, axis]).value for axis, rows in samples
    ]
    assert_allclose(values.detach(), expected)
    (values * torch.tensor([1.0, 2.0, -3.0])).sum().backward()
    for row in range(40):
        for axis in range(2):
            ends = []
            for step in (1e-7, -1e-7):
                moved = places.detach().clone()
                moved[row, axis] += step
                ends.append(
                    F.dips(moved, samples) @ torch.tensor([1.0, 2, -3]).double()
                )
            slope = (ends[0] - ends[1]).item() / 2e-7
            assert places.grad[row, axis].item() == pytest.approx(slope, abs=1e-5)


def test_equal_rows_have_no_gradient():
    places = torch.zeros(6, 1, requires_grad=True)
    value = F.dips(places, [(0, np.arange(6))])
    value.sum().backward()
    assert value.item() == 0
    assert torch.equal(places.grad, torch.zeros(6, 1))


def test_borders_are_half_way_between_modes():
    rng = np.random.RandomState(0)
    low, high = rng.uniform(0, 1, 200), rng.uniform(3, 4, 100)
    middle, width = border(low, high)
    assert 1 < middle < 3
    assert width > 0.5
    assert border(high, low) == pytest.approx((middle, -width))


def test_scores_are_sums_of_logistic_logarithms():
    head = AxesHead(3, 2)
    rng = np.random.RandomState(0)
    axes, borders = rng.normal(size=(3, 2)), rng.normal(size=3)
    widths, z = np.array([0.5, -1.0, 2.0]), rng.normal(size=(5, 2))
    head.axes.data = torch.tensor(axes)
    head.borders, head.widths = torch.tensor(borders), torch.tensor(widths)
    expected = np.zeros((5, 3))
    for i, row in enumerate(z):
        for k, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
            margin = (row @ axes[k] - borders[k]) / widths[k]
            expected[i, a] += np.log(1 / (1 + np.exp(margin)))
            expected[i, b] += np.log(1 / (1 + np.exp(-margin)))
    assert_allclose(head.scores(torch.tensor(z)).detach(), expected)
    head.keep(torch.tensor([0, 2]))
    assert head.config["n_clusters"] == 2
    assert_allclose(head.axes.detach(), axes[1:2])
    assert head.scores(torch.tensor(z)).shape == (5, 2)


def test_loss_is_the_objective(blobs, autoencoder):
    # A step that moves nothing, on all the rows at once; no cluster is twice another.
    X = blobs[0]
    model = DipEncoderClustering(
        3,
        encoder=autoencoder,
        init="k-means",
        reconstruction_weight=0.5,
        lr=1e-12,
        max_epochs=1,
        batch_size=len(X),
        random_state=0,
    ).fit(X)
    Z, labels = model.transform(X).astype(np.float64), model.labels_
    axes, gains = model.head_.axes.detach().numpy(), []
    for axis, (a, b) in zip(axes, [(0, 1), (0, 2), (1, 2)], strict=True):
        one, other = Z[labels == a] @ axis, Z[labels == b] @ axis
        both = dip(np.concatenate([one, other])).value
        gains.append(both - (dip(one).value + dip(other).value) / 2)
    error = np.square(model.inverse_transform(Z) - X).mean() / X.var(0).mean()
    loss = model.history_["clustering"][0]["train_loss"]
    assert loss == pytest.approx(0.5 * error - np.mean(gains), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("init", ["graph", "k-means"])
def test_obvious_clusters_are_found_and_parted(blobs, autoencoder, init):
    X, y = blobs
    model = DipEncoderClustering(
        3, encoder=autoencoder, init=init, max_epochs=10, lr=1e-3, random_state=0
    ).fit(X)
    assert clustering_accuracy(y, model.labels_) == 1
    losses = [epoch["train_loss"] for epoch in model.history_["clustering"]]
    assert losses[-1] < losses[0]
    assert np.array_equal(model.predict(X), model.labels_)


def test_one_cluster_has_no_axes(blobs, autoencoder):
    model = DipEncoderClustering(1, encoder=autoencoder, max_epochs=1, random_state=0)
    assert set(model.fit_predict(blobs[0])) == {0}
