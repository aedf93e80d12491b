"""DEC and IDEC: targets, initial clusters, shared autoencoders, objective, quality."""

import copy
import pickle

import numpy as np
import pytest
import torch
from discovery import fitted, tiny, tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from test_functional import divergence, student_t, target
from torch import nn

from skdeepcluster import (
    Autoencoder,
    DCNClustering,
    DECClustering,
    DKMClustering,
    IDECClustering,
    _devices,
)
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.model_selection import clustering_scorer


@pytest.fixture(scope="module")
def X(digits):
    return digits[:200]


@pytest.fixture(scope="module")
def autoencoder(X):
    return tiny_autoencoder(random_state=0, max_epochs=10).fit(X)


@pytest.fixture
def dec(autoencoder):
    return tiny(
        DECClustering, encoder=autoencoder, init="k-means", batch_size=32, tol=0.0
    )


def state(estimator):
    weights = estimator.module_.state_dict()
    return {name: value.clone() for name, value in weights.items()}


def assert_same_state(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        assert torch.equal(actual[name], expected[name]), name


# the target distribution


class Targets(Callback):
    """Keeps each batch's target, and the assignment of all rows at the time."""

    def on_batch_begin(self, net, **kwargs):
        with torch.no_grad():
            z = net.module_.autoencoder(torch.from_numpy(self.rows))[1]
        centers = net.module_.head.centers.detach()
        q = student_t(z.numpy(), centers.numpy(), 1.0)
        seen.append((net.memory["target"], q))

    rows = np.empty(0)


seen: list = []


@pytest.fixture
def targets(X):
    Targets.rows = X.copy()
    seen.clear()
    return Targets()


def test_target_is_of_all_the_rows_and_refreshed_on_time(dec, X, targets):
    # Seven steps an epoch: an interval of 14 is two epochs.
    dec.set_params(update_interval=14, max_epochs=5, training__callbacks=[targets])
    fitted(dec.set_params(training__precision="float32"), X)
    assert len(seen) == 5 * 7
    for start in range(0, len(seen), 14):
        held, q = seen[start]
        assert_allclose(held.numpy(), target(q), rtol=2e-3, atol=1e-5)
        for later, _ in seen[start : start + 14]:
            assert later is held
    assert len({id(held) for held, _ in seen}) == 3


class Losses(Callback):
    """Keeps each step's assignments, frequencies and loss, and whether targets stay."""

    def on_batch_end(self, net, y_pred, loss, training, **kwargs):
        frequencies = net.memory["frequencies"].numpy().copy()
        seen.append((y_pred[0].detach().numpy(), frequencies, loss.item()))
        assert net.held == ("target" in net.memory)


def test_target_follows_each_step_by_default(dec, X):
    seen.clear()
    fitted(dec.set_params(max_epochs=3, lr=1e-2, training__callbacks=[Losses()]), X)
    assert len(seen) == 3 * 7
    for q, frequencies, loss in seen:
        p = q**2 / frequencies
        p /= p.sum(1, keepdims=True)
        assert loss == pytest.approx(divergence(p, q), rel=1e-3, abs=1e-6)
    assert_array_equal(seen[0][1], seen[6][1])


@pytest.mark.parametrize("cls", [DECClustering, IDECClustering])
def test_changed_images_are_held_to_the_target_of_the_images(cls, X):
    held = []

    class Held(Callback):
        def on_train_begin(self, net, **kwargs):
            held.append(net.held)

    for augment in (None, "shift"):
        autoencoder = tiny_autoencoder(augment=augment, random_state=0)
        model = tiny(cls, encoder=autoencoder, init="k-means")
        fitted(model.set_params(training__callbacks=[Held()]), X)
    assert held == [False, True]


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (7, 1), (21, 3), (10**6, 5)])
def test_target_is_refreshed_in_each_epoch_or_in_every_fifth(dec, X, steps, epochs):
    fitted(dec.set_params(update_interval=steps, max_epochs=10), X)
    changes = ["label_change" in epoch for epoch in dec.history_["clustering"]]
    assert changes == [(i + 1) % epochs == 0 for i in range(10)]


def test_tol_ends_the_phase(dec, X):
    dec.set_params(update_interval=1, max_epochs=20)
    assert fitted(dec.set_params(tol=0.0), X).n_iter_ == 20
    stopped = fitted(dec.set_params(tol=1.0), X)
    assert stopped.n_iter_ == 1
    assert len(stopped.history_["clustering"]) == 1
    assert stopped.history_["clustering"][0]["label_change"] < 1.0
    assert len(stopped.history_["pretraining"]) == 10


class Restless(nn.Module):
    """A user's network with dropout and batch normalisation."""

    def __init__(self, n_features, latent_dim):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_features, 16),
            nn.BatchNorm1d(16),
            nn.Dropout(0.5),
            nn.Linear(16, latent_dim),
        )
        self.decoder = nn.Linear(latent_dim, n_features)


class StillStatistics(Callback):
    """Batch normalisation would go on learning in the steps themselves."""

    def on_epoch_begin(self, net, **kwargs):
        for part in net.module_.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.momentum = 0.0


@pytest.fixture(scope="module")
def restless(X):
    return tiny_autoencoder(network=Restless, random_state=0).fit(X)


def test_the_target_is_what_the_network_predicts(restless, X):
    dec = tiny(
        DECClustering,
        encoder=restless,
        init="k-means",
        lr=1e-12,
        update_interval=1,
        tol=0.0,
        batch_size=50,
        callbacks=[StillStatistics()],
    )
    changes = [epoch["label_change"] for epoch in fitted(dec, X).history_["clustering"]]
    assert changes == [0.0] * 3
    assert fitted(dec.set_params(tol=1e-3), X).n_iter_ == 1


@pytest.mark.parametrize("cls", [DECClustering, DCNClustering])
def test_only_steps_enter_batch_normalisation(cls, restless, X, monkeypatch):
    seen = []
    forward = nn.BatchNorm1d.forward

    def spy(self, x):
        if self.training:
            seen.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(nn.BatchNorm1d, "forward", spy)
    model = tiny(
        cls, encoder=restless, init="k-means", batch_size=50, update_interval=1
    )
    fitted(model.set_params(tol=0.0), X)
    assert seen == [50] * 4 * model.n_iter_


# initial clusters


def test_init_by_an_array(dec, X):
    centers = np.random.RandomState(0).normal(size=(4, 3))
    before = centers.copy()
    fitted(dec.set_params(init=centers, max_epochs=0), X)
    assert_array_equal(dec.cluster_centers_, centers.astype(np.float32))
    fitted(dec.set_params(init=centers.tolist()), X)
    assert_array_equal(dec.cluster_centers_, centers.astype(np.float32))
    fitted(dec.set_params(init=centers, max_epochs=3), X)
    assert (dec.cluster_centers_ != centers.astype(np.float32)).any()
    assert_array_equal(centers, before)


def test_init_by_a_callable(dec, X):
    def choose(Z, n_clusters, random_state):
        assert Z.shape == (len(X), 3)
        assert Z.dtype == np.float32
        return Z[random_state.choice(len(Z), n_clusters, replace=False)]

    fitted(dec.set_params(init=choose, max_epochs=0), X)
    rows = {row.tobytes() for row in dec.transform(X)}
    assert all(center.tobytes() in rows for center in dec.cluster_centers_)
    again = fitted(clone(dec), X)
    assert_array_equal(again.cluster_centers_, dec.cluster_centers_)


@pytest.mark.parametrize(
    "clusterer",
    [AgglomerativeClustering(4), GaussianMixture(4, random_state=0), KMeans(4)],
)
def test_init_by_a_clusterer(dec, X, clusterer):
    before = dict(vars(clusterer))
    fitted(dec.set_params(init=clusterer, max_epochs=0), X)
    assert vars(clusterer) == before
    again = fitted(clone(dec), X)
    assert_array_equal(again.cluster_centers_, dec.cluster_centers_)
    if clusterer.get_params().get("random_state", 0) is None:
        return
    Z = dec.transform(X)
    labels = clone(clusterer).fit_predict(Z)
    means = [Z[labels == label].mean(0) for label in range(4)]
    assert_allclose(dec.cluster_centers_, means, rtol=1e-5)


class Halves:
    """A clusterer that leaves some rows out as noise."""

    def get_params(self, deep=True):
        return {}

    def fit_predict(self, Z):
        labels = np.arange(len(Z)) % 4
        labels[:50] = -1
        return labels


def test_noise_of_the_initial_clusterer_counts_for_no_cluster(dec, X):
    fitted(dec.set_params(init=Halves(), max_epochs=0), X)
    Z, labels = dec.transform(X)[50:], (np.arange(len(X)) % 4)[50:]
    means = [Z[labels == label].mean(0) for label in range(4)]
    assert_allclose(dec.cluster_centers_, means, rtol=1e-5)


# a shared autoencoder


@pytest.mark.parametrize("wrap", [lambda model: model, FrozenEstimator])
def test_a_fitted_autoencoder_is_shared_and_never_changed(dec, X, wrap, monkeypatch):
    autoencoder = dec.encoder
    module, before = autoencoder.module_, state(autoencoder)
    history = copy.deepcopy(autoencoder.history_)

    def fail(*args):
        pytest.fail("the autoencoder was trained again")

    monkeypatch.setattr(Autoencoder, "_train_network", fail)
    dec.set_params(encoder=wrap(autoencoder))
    fitted(dec, X)
    fitted(clone(dec), X)
    fitted(clone(clone(dec)), X)
    search = GridSearchCV(dec, {"n_clusters": [2, 3]}, cv=2)
    fitted(search, X)
    assert autoencoder.module_ is module
    assert_same_state(state(autoencoder), before)
    assert autoencoder.history_ == history
    best = search.best_estimator_
    assert best.history_["pretraining"] == history["pretraining"]
    assert best.module_ is not module
    moved = state(best)
    assert any(not torch.equal(moved[name], before[name]) for name in before)


def test_what_does_not_train_may_change(dec, X):
    changed = copy.copy(dec.encoder).set_params(
        verbose=1, training__precision="bf16", training__device="cpu"
    )
    fitted(dec.set_params(encoder=changed, max_epochs=0), X)


def test_clones_share_the_network_and_fits_move_their_own(dec, X, monkeypatch):
    module = dec.encoder.module_
    assert clone(dec).encoder is not dec.encoder
    assert clone(clone(dec)).encoder.module_ is module
    moved = []
    to = nn.Module.to

    def spy(self, *args, **kwargs):
        moved.append((self, *args))
        return to(self, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "to", spy)
    loaded = pickle.loads(pickle.dumps(dec))
    loaded.encoder.set_params(training__device="cpu:0")
    fitted(loaded, X)
    assert (loaded.module_, torch.device("cpu:0")) in moved
    assert all(part is not loaded.encoder.module_ for part, *_ in moved)


def test_an_unfitted_autoencoder_stays_unfitted(X):
    autoencoder = tiny_autoencoder()
    dec = fitted(tiny(DECClustering, encoder=autoencoder), X)
    assert not hasattr(autoencoder, "module_")
    assert autoencoder.random_state is None
    assert not hasattr(clone(dec).encoder, "module_")


def test_no_epochs_leave_the_initial_clusters(dec, X):
    before = state(dec.encoder)
    fitted(dec.set_params(max_epochs=0), X)
    assert_same_state(state(dec), before)
    assert dec.n_iter_ == 0
    assert dec.history_["clustering"] == []
    kmeans = KMeans(4, n_init=20, random_state=0).fit(dec.transform(X))
    assert clustering_accuracy(kmeans.labels_, dec.labels_) > 0.8


# the objective


def as_idec(dec, gamma):
    """The same with the reconstruction in its objective."""
    settings = {**dec.get_params(deep=False), "gamma": gamma}
    return IDECClustering(**settings)


def test_decoder_is_trained_only_for_its_weight(dec, X):
    before = state(dec.encoder)
    for model in (dec, as_idec(dec, 1.0)):
        after = state(fitted(model, X))
        changed = {
            name.split(".")[0] for name in after if (after[name] != before[name]).any()
        }
        assert changed == ({"encoder"} if model is dec else {"encoder", "decoder"})


def test_assignments(dec, X):
    fitted(dec, X)
    rows = X[:50]
    Z = dec.transform(rows)
    q = student_t(Z.astype(float), dec.cluster_centers_.astype(float), 1.0)
    assert_allclose(dec.predict_proba(rows), q, rtol=1e-4)
    assert_array_equal(dec.predict(rows), q.argmax(1))


@pytest.mark.parametrize("gamma", [None, 0.5])
@pytest.mark.parametrize("update_interval", [None, 140])
def test_loss_is_the_objective(dec, X, gamma, update_interval):
    # A step that moves nothing, on all the rows at once.
    dec = dec if gamma is None else as_idec(dec, gamma)
    dec.set_params(lr=1e-12, max_epochs=1)
    dec.set_params(update_interval=update_interval)
    fitted(dec.set_params(batch_size=len(X)), X)
    Z = dec.transform(X)
    q = student_t(Z.astype(float), dec.cluster_centers_.astype(float), 1.0)
    errors = ((X - dec.inverse_transform(Z)) ** 2).mean() / X.var(0).mean()
    divergent = divergence(target(q), q)
    expected = divergent if gamma is None else gamma * divergent + errors
    loss = dec.history_["clustering"][0]["train_loss"]
    assert loss == pytest.approx(expected, rel=1e-3)


def test_clustering_phase_improves_the_objective(dec, X):
    losses = fitted(dec.set_params(max_epochs=5, update_interval=1000), X).history_
    clustering = [epoch["train_loss"] for epoch in losses["clustering"]]
    assert clustering[-1] < clustering[0]


MISLEADING = [
    (DECClustering, {"n_clusters": [1, 10]}),
    (IDECClustering, {"gamma": [0.0, 0.1], "n_clusters": [1, 10]}),
    (DCNClustering, {"n_clusters": [1, 10], "cluster_weight": [0.0, 0.1]}),
    (DKMClustering, {"n_clusters": [1, 10]}),
]


@pytest.mark.parametrize(("cls", "grid"), MISLEADING)
def test_a_search_without_a_scorer_is_not_led_astray(cls, grid, digits):
    network = Autoencoder((64,), 6, max_epochs=20, random_state=0).fit(digits)
    model = cls(encoder=network, init="k-means", max_epochs=5, random_state=0)
    search = fitted(GridSearchCV(model, grid, cv=2), digits)
    assert search.best_params_["n_clusters"] == 10
    best = search.best_estimator_
    assert best.score(digits) == clustering_scorer()(best, digits) > 0.5
    assert fitted(clone(model).set_params(n_clusters=1), digits).score(digits) == -0.5


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_precision_of_the_autoencoder_is_used(X, precision):
    # Centroids are given: another rounding might find others.
    init = np.random.RandomState(0).normal(size=(4, 3))
    dec, exact = (
        fitted(
            tiny(
                DECClustering,
                encoder=tiny_autoencoder(precision=each, random_state=0),
                init=init,
            ),
            X,
        )
        for each in (precision, "float32")
    )
    assert dec.transform(X).dtype == np.float32
    difference = np.abs(dec.transform(X) - exact.transform(X)).max()
    assert (difference > 0) == (precision == "bf16")
    assert difference < 0.2 * np.abs(exact.transform(X)).max()


@pytest.mark.parametrize("has_instructions", [True, False])
def test_precision_follows_the_processor(X, monkeypatch, has_instructions):
    monkeypatch.setattr(_devices, "multiplies_bf16", lambda kind: has_instructions)
    wanted = "bf16" if has_instructions else "float32"
    ours, same = (
        fitted(tiny(Autoencoder, precision=each), X).transform(X)
        for each in ("auto", wanted)
    )
    assert_array_equal(ours, same)


@pytest.mark.parametrize("cls", [DECClustering, IDECClustering])
def test_quality_floor(cls, digits, digits_target):
    autoencoder = Autoencoder((128,), 10, max_epochs=30, random_state=0).fit(digits)
    model = cls(10, encoder=autoencoder, max_epochs=20, random_state=0)
    labels = fitted(model, digits).labels_
    assert clustering_accuracy(digits_target, labels) > 0.6
