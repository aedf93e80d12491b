"""Initial clusters of a graph, and a network that is taught to tell them apart."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from discovery import fitted, tiny, tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import DBSCAN, HDBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from test_functional import student_t
from torch import nn

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    DCNClustering,
    DECClustering,
    DKMClustering,
    IDECClustering,
    VaDEClustering,
)
from skdeepcluster._resume import Page
from skdeepcluster.estimators import _schedule
from skdeepcluster.estimators._initial import Clusters, fit_about
from skdeepcluster.estimators._joint import TeachingNet
from skdeepcluster.estimators._training import make_net
from skdeepcluster.graph import GraphClustering
from skdeepcluster.heads import AssigningAutoencoder, Mixing, StudentTHead
from skdeepcluster.training import train

TAUGHT = [
    DECClustering,
    IDECClustering,
    DCNClustering,
    DKMClustering,
    VaDEClustering,
]
FROM_GRAPH = [*TAUGHT, AutoencoderGMM]


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((64,), 6, max_epochs=20, random_state=0).fit(digits)


@pytest.fixture
def drawn(monkeypatch):
    """Labels that the graph gave, of each fit."""
    labels = []
    labels_of = GraphClustering._labels_of

    def remember(self, views, links):
        labels.append(labels_of(self, views, links))
        return labels[-1]

    monkeypatch.setattr(GraphClustering, "_labels_of", remember)
    return labels


def test_loss_of_mixtures(autoencoder, digits):
    X, labels = digits[:7].copy(), np.array([0, 1, 2, 2, 1, 0, 0])
    centers = np.random.RandomState(0).normal(size=(3, 6)).astype(np.float32)
    head = StudentTHead(3, 6).start(torch.from_numpy(centers))
    module = AssigningAutoencoder(autoencoder.module_, head, True)
    net = TeachingNet(
        Mixing(module, 3), criterion=nn.Module, train_split=None, labels=labels
    ).initialize()
    net.on_train_begin(net)
    q, error, other, share = net.infer(torch.from_numpy(X))
    loss = net.get_loss((q, error, other, share), torch.arange(7))

    generator = torch.Generator().manual_seed(3)
    assert_array_equal(other, torch.randperm(7, generator=generator))
    assert_array_equal(share, torch.rand(7, generator=generator) ** 4 / 2)
    expected = squared = 0.0
    for i in range(7):
        j, w = int(other[i]), float(share[i])
        mixed = (1 - w) * X[i] + w * X[j]
        z = autoencoder.transform(mixed[None])
        assigned = student_t(z, centers, 1.0)[0]
        expected -= (1 - w) * np.log(assigned[labels[i]])
        expected -= w * np.log(assigned[labels[j]])
        scale = autoencoder.module_.scale.item()
        difference = (autoencoder.inverse_transform(z)[0] - mixed) / scale
        squared += np.mean(difference**2)
    assert loss.item() == pytest.approx((expected + squared) / 7, rel=1e-4)


def test_teaching_learns_what_it_is_taught(autoencoder, digits):
    module = AssigningAutoencoder(
        clone(autoencoder).set_params(max_epochs=0).fit(digits).module_,
        StudentTHead(3, 6).start(torch.eye(3, 6)),
        True,
    )
    labels = np.digitize(digits.mean(1), np.quantile(digits.mean(1), [0.3, 0.7]))
    net = make_net(
        TeachingNet,
        Mixing(module, 0),
        optimizer="adam",
        seed=0,
        max_epochs=20,
        batch_size=64,
        lr=1e-2,
        labels=labels,
        device="cpu",
        verbose=0,
    )
    train(net, digits, 0, Page())
    with torch.no_grad():
        predicted = module.assign(torch.tensor(digits)).argmax(1).numpy()
    assert np.mean(predicted == labels) > 0.9


@pytest.fixture(scope="module")
def roomy(digits):
    """An autoencoder for ten classes: a smaller latent space has not room for them."""
    return Autoencoder((128,), 10, max_epochs=30, random_state=0).fit(digits)


@pytest.mark.parametrize(
    ("cls", "container"),
    [*((cls, np.asarray) for cls in TAUGHT), (DECClustering, sp.csr_array)],
)
def test_network_learns_and_keeps_the_clusters_of_the_graph(
    cls, container, digits, roomy, drawn
):
    X = container(digits)
    settings = {"encoder": roomy, "max_epochs": 0, "random_state": 0}
    taught = cls(10, init="graph", **settings).fit(X)
    plain = cls(10, init="k-means", **settings).fit(X)
    agreement = adjusted_rand_score(drawn[0], taught.labels_)
    assert len(drawn) == 1
    assert agreement > 0.8
    assert agreement > adjusted_rand_score(drawn[0], plain.labels_) + 0.1
    assert_array_equal(taught.predict(X), taught.labels_)
    assert taught.history_["teaching"]
    assert "teaching" not in plain.history_
    refined = cls(10, init="graph", **{**settings, "max_epochs": 5}).fit(X)
    assert refined.n_iter_ > 0
    assert adjusted_rand_score(taught.labels_, refined.labels_) > 0.9


def test_a_network_that_is_taught_is_trained_briefly_before(digits, short_teaching):
    X = digits[:300]
    left = DECClustering(5, max_epochs=0, random_state=0).fit(X)
    assert left.module_.config["hidden_units"] == [*_schedule.SLIM]
    steps = len(left.history_["pretraining"]) * math.ceil(300 / _schedule.BATCH_OF_FEW)
    assert _schedule.BRIEF_STEPS_OF_FEW <= steps < 1.1 * _schedule.BRIEF_STEPS_OF_FEW
    others = {"init": "k-means"}, {"encoder": Autoencoder()}
    for settings in others:
        model = DECClustering(5, max_epochs=0, random_state=0, **settings).fit(X)
        assert model.module_.config["hidden_units"] == [*_schedule.NARROW]
        assert len(model.history_["pretraining"]) == _schedule.EPOCHS_OF_FEW


def test_many_rows_are_trained_longer_and_wider():
    few, many = (_schedule.brief(rows) for rows in (4_999, 5_000))
    assert few["hidden_units"] == _schedule.SLIM
    assert many["hidden_units"] == _schedule.WIDE
    for rows in (5_000, 70_000, 1_000_000):
        settings = _schedule.brief(rows)
        steps = settings["max_epochs"] * math.ceil(rows / settings["batch_size"])
        assert steps >= _schedule.BRIEF_STEPS


def test_same_seed_same_taught_network(digits, autoencoder, short_teaching):
    first, again = (
        DECClustering(
            5, encoder=autoencoder, init="graph", max_epochs=1, random_state=3
        ).fit(digits)
        for _ in range(2)
    )
    assert_array_equal(first.cluster_centers_, again.cluster_centers_)


@pytest.mark.parametrize("cls", FROM_GRAPH)
@pytest.mark.parametrize("n_clusters", [2, 7])
def test_number_of_clusters_is_found(cls, n_clusters, short_teaching):
    X, y = make_blobs(600, n_features=12, centers=n_clusters, random_state=1)
    found = fitted(tiny(cls, n_clusters=None, init="graph"), X)
    assert found.n_clusters_ == n_clusters == len(found.cluster_centers_)
    assert adjusted_rand_score(y, found.labels_) > 0.95
    assert_array_equal(found.predict(X), found.labels_)


def test_no_found_cluster_is_empty(digits):
    # A tiny network that trains too fast loses clusters.
    autoencoder = tiny_autoencoder(latent_dim=2, random_state=0)
    dec = DECClustering(
        None, encoder=autoencoder, lr=1.0, tol=0, max_epochs=20, random_state=0
    ).fit(digits)
    assert dec.n_clusters_ < GraphClustering(random_state=0).fit(digits).n_clusters_
    assert_array_equal(np.unique(dec.labels_), np.arange(dec.n_clusters_))
    assert_array_equal(dec.predict(digits), dec.labels_)


@pytest.mark.parametrize("cls", FROM_GRAPH)
@pytest.mark.parametrize("n_rows", [3, 4, 5])
def test_as_many_clusters_as_rows(cls, n_rows):
    X = np.random.RandomState(0).normal(size=(n_rows, 5))
    labels = tiny(cls, n_clusters=n_rows, init="graph").fit(X).labels_
    assert_array_equal(np.sort(labels), range(n_rows))


@pytest.mark.parametrize("cls", FROM_GRAPH)
def test_noise_of_the_graph_is_placed(cls, digits, short_teaching):
    init = GraphClustering(noise_ratio=1.1)
    settings = {"init": init, "n_clusters": 6, "max_epochs": 0}
    X = digits[:300]
    assert init.fit(X).labels_.min() == -1
    assert fitted(tiny(cls, **settings), X).labels_.min() == 0


def test_number_of_clusters_that_is_given(digits, autoencoder, short_teaching):
    dec = DECClustering(6, encoder=autoencoder, max_epochs=0, random_state=0)
    assert not hasattr(dec, "n_clusters_")
    for init in ("graph", "k-means"):
        assert dec.set_params(init=init).fit(digits).n_clusters_ == 6


def test_number_of_clusters_needs_the_graph(digits, monkeypatch):
    monkeypatch.setattr(Autoencoder, "_train_network", None)
    for init in ("k-means", np.zeros((3, 4))):
        with pytest.raises(ValueError, match=r"n_clusters=None .* init='graph'"):
            DECClustering(None, init=init).fit(digits)


def test_few_rows_keep_the_clusters_of_their_own_graph(digits, digits_target):
    """A network that few rows have trained tells less of them than they do."""
    scores = []
    for seed in (0, 2):
        some = np.random.RandomState(seed).permutation(len(digits))[:150]
        for model in (GraphClustering(10), DECClustering(10)):
            labels = model.set_params(random_state=seed).fit_predict(digits[some])
            scores.append(adjusted_rand_score(digits_target[some], labels))
    assert np.mean(scores[1::2]) > np.mean(scores[::2]) - 0.06


def test_settings_of_the_graph(digits, autoencoder, short_teaching):
    dec = DECClustering(encoder=autoencoder, max_epochs=0, random_state=0)
    default = dec.fit(digits)
    same = clone(dec).set_params(init=GraphClustering()).fit(digits)
    other = clone(dec).set_params(init=GraphClustering(n_neighbors=3)).fit(digits)
    assert_array_equal(same.labels_, default.labels_)
    assert adjusted_rand_score(other.labels_, default.labels_) < 1


def test_graph_with_another_number_of_clusters(digits, monkeypatch):
    monkeypatch.setattr(Autoencoder, "_train_network", None)
    with pytest.raises(ValueError, match=r"init=GraphClustering.*n_clusters=8"):
        DECClustering(8, init=GraphClustering(9)).fit(digits)


def test_graph_is_of_the_rows_and_of_their_latent_rows(digits, autoencoder):
    X = digits[:300]
    seen = []

    class Graph(GraphClustering):
        def _labels_of(self, views, links):
            seen.extend(views)
            return super()._labels_of(views, links)

    DECClustering(
        8, encoder=autoencoder, init=Graph(), max_epochs=0, random_state=0
    ).fit(X)
    assert_allclose(seen[0], X)
    assert_allclose(seen[1], autoencoder.transform(X))


def test_mixture_follows_the_graph_and_leaves_the_network(digits, autoencoder, drawn):
    settings = {"encoder": autoencoder, "random_state": 0}
    gmm = AutoencoderGMM(9, **settings).fit(digits)
    plain = AutoencoderGMM(9, init="k-means", **settings).fit(digits)
    agreement = adjusted_rand_score(drawn[0], gmm.labels_)
    assert agreement > adjusted_rand_score(drawn[0], plain.labels_) + 0.05
    likely = clone(gmm).set_params(max_iter=500).fit(digits)
    assert likely.score(digits) > plain.score(digits) - 0.1
    assert_array_equal(gmm.transform(digits), autoencoder.transform(digits))
    assert_array_equal(gmm.predict(digits), gmm.labels_)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_mixture_starts_from_given_clusters(kind, monkeypatch):
    Z = np.random.RandomState(0).normal(size=(60, 3)) * [1, 2, 3]
    Z[:20] += 30
    centers = np.array([[30.0, 30, 30], [0, 0, 0], [900, 900, 900]])
    # The third cluster is empty, and a row has none.
    labels = np.repeat([0, 1, -1], [25, 34, 1])
    mixture = GaussianMixture(3, covariance_type=kind, reg_covar=0.01)
    started = {}
    monkeypatch.setattr(
        GaussianMixture, "fit", lambda self, X: started.update(self.get_params())
    )
    fit_about(mixture, Z, Clusters(centers, labels))
    weights = np.array([26, 35, 1]) / 62
    assert_allclose(started["weights_init"], weights)
    assert_array_equal(started["means_init"], centers)
    expected = []
    for rows, center in zip((Z[:25], Z[25:59], Z[:0]), centers, strict=True):
        total = sum(np.outer(row - center, row - center) for row in rows)
        expected.append(total / (len(rows) + 1) + 0.01 * np.eye(3))
    expected = {
        "full": lambda: [np.linalg.inv(c) for c in expected],
        "tied": lambda: np.linalg.inv(
            sum(w * c for w, c in zip(weights, expected, strict=True))
        ),
        "diag": lambda: [1 / np.diag(c) for c in expected],
        "spherical": lambda: [3 / np.trace(c) for c in expected],
    }[kind]()
    assert_allclose(started["precisions_init"], expected)
    assert mixture.weights_init is mixture.means_init is mixture.precisions_init is None


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_dropping_components_of_a_mixture(kind, digits, autoencoder):
    gmm = AutoencoderGMM(
        4, encoder=autoencoder, covariance_type=kind, random_state=0
    ).fit(digits)
    before = gmm.predict_proba(digits)[:, [0, 3]]
    gmm._keep_clusters(np.array([0, 3]))
    told = before.sum(1) > 1e-3
    expected = before[told] / before[told].sum(1, keepdims=True)
    assert_allclose(gmm.predict_proba(digits)[told], expected, atol=1e-6)
    assert gmm.n_clusters_ == 2
    assert gmm.sample(5)[0].shape == (5, 64)


@pytest.mark.parametrize("init", [KMeans(n_init=2), GaussianMixture(), KMeans(4)])
def test_a_clusterer_is_told_the_number(init, blobs_and_labels):
    X, y = blobs_and_labels
    params = init.get_params()
    model = fitted(tiny(AutoencoderGMM, n_clusters=4, init=init), X)
    assert model.n_clusters_ == 4
    assert adjusted_rand_score(y, model.labels_) > 0.9
    assert init.get_params() == params, "the user's own was changed"


@pytest.mark.parametrize("cls", [DECClustering, AutoencoderGMM])
@pytest.mark.parametrize("init", [HDBSCAN(copy=True), KMeans(3)])
def test_a_clusterer_finds_the_number(cls, init, blobs_and_labels):
    X, _ = blobs_and_labels
    model = fitted(tiny(cls, n_clusters=None, init=init, max_epochs=0), X)
    assert model.n_clusters_ == (3 if isinstance(init, KMeans) else 4)
    assert model.cluster_centers_.shape == (model.n_clusters_, 3)


def test_a_clusterer_that_finds_none_is_named(blobs_and_labels):
    X, _ = blobs_and_labels
    for n_clusters in (None, 4):
        with pytest.raises(ValueError, match="init found 0 clusters"):
            tiny(DECClustering, n_clusters=n_clusters, init=DBSCAN(eps=1e-9)).fit(X)


@pytest.fixture(scope="module")
def blobs_and_labels():
    return make_blobs(200, 8, centers=4, random_state=0)
