"""Heads on embeddings by neighbours that agree: starts, teachers, and what is kept."""

import numpy as np
import pytest
import torch
from discovery import fitted
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from torch import nn

from skdeepcluster import SCANClustering, TEMIClustering, Training
from skdeepcluster.estimators import _neighbor_heads
from skdeepcluster.estimators._temi import TEMINet
from skdeepcluster.graph import GraphClustering
from skdeepcluster.heads import ParallelHeads, TaughtHeads, UnitHead
from skdeepcluster.networks import Passthrough, build

BOTH = [SCANClustering, TEMIClustering]
both = pytest.mark.parametrize("cls", BOTH)


def made(cls, **settings):
    settings = {
        "n_clusters": 4,
        "hidden_units": (32, 16),
        "random_state": 0,
        **settings,
    }
    return cls(**settings)


def list_of_heads(count, width=5, n_clusters=3):
    return nn.ModuleList(
        build(UnitHead, seed, n_inputs=width, hidden_units=(4,), n_clusters=n_clusters)
        for seed in range(count)
    )


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(200, 10, centers=4, cluster_std=0.5, random_state=0)


@both
@pytest.mark.parametrize("init", ["graph", "k-means", "random"])
def test_separated_blobs_are_found(cls, init, blobs):
    X, y = blobs
    epochs = 60 if init == "random" else 3
    settings = {"n_heads": 3, "batch_size": 32, "max_epochs": epochs, "lr": 1e-3}
    model = made(cls, init=init, **settings).fit(X)
    assert adjusted_rand_score(y, model.labels_) > 0.9
    assert ("teaching" in model.history_) == (init != "random")
    assert len(model.history_["clustering"]) == model.n_iter_ == epochs
    losses = [row["train_loss"] for row in model.history_["clustering"]]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("epochs", [0, 5])
def test_heads_that_start_from_the_graph_stay_near_it(epochs, digits):
    X = digits[:500]
    drawn = GraphClustering(9, random_state=0).fit_predict(X)
    graph = GraphClustering(random_state=0)
    model = made(TEMIClustering, n_clusters=9, init=graph, max_epochs=epochs).fit(X)
    assert adjusted_rand_score(drawn, model.labels_) > 0.85
    assert len(model.history_["clustering"]) == epochs


@both
def test_the_number_of_clusters_is_found(cls):
    X, y = make_blobs(200, 10, centers=5, cluster_std=0.5, random_state=0)
    model = made(cls, n_clusters=None, max_epochs=1).fit(X)
    assert model.n_clusters_ == 5
    assert adjusted_rand_score(y, model.labels_) == 1
    with pytest.raises(ValueError, match="n_clusters=None is found by a graph"):
        made(cls, n_clusters=None, init="random").fit(X)


@both
def test_the_head_of_the_lowest_loss_is_kept(cls, blobs, monkeypatch):
    X, _ = blobs
    kept = {}

    def listen(self):
        kept["losses"] = self.losses.clone()
        kept["heads"] = getattr(self, "teachers", self.head)
        return int(self.losses.argmin())

    monkeypatch.setattr(ParallelHeads, "best", property(listen))
    model = fitted(made(cls, init="random", n_heads=4, max_epochs=2), X)
    assert len(set(kept["losses"].tolist())) == 4
    best = kept["heads"][int(kept["losses"].argmin())]
    assert torch.equal(best.output.weight, model.head_.output.weight)
    mean = (kept["losses"] / len(X)).mean().item()
    assert mean == pytest.approx(model.history_["clustering"][-1]["train_loss"], 1e-3)


@both
def test_neighbours_are_found_once(cls, blobs, monkeypatch):
    X, _ = blobs
    found = []
    original = _neighbor_heads.Neighborhoods.of

    def listen(X, n_neighbors, seed):
        found.append(n_neighbors)
        return original(X, n_neighbors, seed)

    monkeypatch.setattr(_neighbor_heads.Neighborhoods, "of", listen)
    fitted(made(cls, init="random", n_neighbors=7, max_epochs=3), X)
    # There are 40 rows in ten clusters, of which each can have four.
    tens = made(cls, n_clusters=10, init="random", n_neighbors=7, max_epochs=1)
    fitted(tens, X[:40])
    assert found == [7, 4]


def test_a_single_distinct_row_has_no_neighbours():
    X = np.ones((6, 3))
    model = made(SCANClustering, n_clusters=1, init="random", max_epochs=1).fit(X)
    assert (model.labels_ == 0).all()


def test_teachers_are_moving_averages_of_their_students():
    module = TaughtHeads(Passthrough(5), list_of_heads(2))
    before = [weight.clone() for weight in module.teachers.parameters()]
    with torch.no_grad():
        for weight in module.head.parameters():
            weight += 1
    module.follow(0.9)
    for weight, old in zip(module.teachers.parameters(), before, strict=True):
        torch.testing.assert_close(weight, 0.9 * old + 0.1 * (old + 1))
        assert not weight.requires_grad


def test_the_shares_of_clusters_are_moving_averages(blobs, monkeypatch):
    X, _ = blobs
    seen = []
    original = TEMINet.pair_losses

    def listen(self, first, second):
        before = self.module_.marginal.clone()
        loss = original(self, first, second)
        if self.module_.training:
            seen.append((before, first[1], second[1], self.module_.marginal.clone()))
        return loss

    monkeypatch.setattr(TEMINet, "pair_losses", listen)
    fitted(made(TEMIClustering, init="random", max_epochs=1), X)
    assert (seen[0][0] == 0.25).all()
    for before, first, second, after in seen:
        both_rows = torch.cat([first, second], 1).exp()
        torch.testing.assert_close(after, 0.9 * before + 0.1 * both_rows.mean(1))


def test_no_gradient_reaches_the_teachers(blobs, monkeypatch):
    X, _ = blobs
    weights = []
    monkeypatch.setattr(
        TaughtHeads, "follow", lambda self, momentum: weights.append(self.teachers)
    )
    model = fitted(made(TEMIClustering, init="random", n_heads=1, max_epochs=2), X)
    start = fitted(made(TEMIClustering, init="random", n_heads=1, max_epochs=0), X)
    assert torch.equal(model.head_.output.weight, start.head_.output.weight)
    assert all(weight.grad is None for weight in weights[-1].parameters())


def test_heads_give_their_geometric_mean_to_be_taught():
    module = ParallelHeads(Passthrough(5), list_of_heads(3))
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    shares = [head.assign(head.hidden(x)) for head in module.head]
    expected = (shares[0] * shares[1] * shares[2]) ** (1 / 3)
    torch.testing.assert_close(module.view(x)[0], expected)


@both
def test_transform_is_the_hidden_layer(cls, blobs):
    X, _ = blobs
    model = fitted(made(cls, init="random", hidden_units=(9, 7), max_epochs=1), X)
    Z = model.transform(X)
    assert Z.shape == (200, 7)
    assert len(model.get_feature_names_out()) == 7
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, rtol=1e-6)
    assert not hasattr(model, "cluster_centers_")


def test_clusters_that_training_empties_are_dropped(blobs, monkeypatch):
    X, _ = blobs

    def emptied(self):
        weight = self.head[0].output.weight.data
        # The mean of three scores is never the largest.
        weight[2] = weight[[0, 1, 3]].mean(0)
        return 0

    monkeypatch.setattr(ParallelHeads, "best", property(emptied))
    model = made(SCANClustering, n_clusters=None, max_epochs=0).fit(X)
    assert model.n_clusters_ == len(set(model.labels_)) == 3
    assert model.predict_proba(X).shape == (200, 3)


@both
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_units": ()}, r"hidden_units=\(\) leaves no hidden layer"),
        ({"hidden_units": (0,)}, "hidden_units must hold positive whole numbers"),
        ({"init": "spectral"}, "The 'init' parameter"),
        ({"n_heads": 0}, "The 'n_heads' parameter"),
        ({"n_neighbors": 0}, "The 'n_neighbors' parameter"),
        (
            {"training": Training(net_params={"train_split": lambda *it: it})},
            "net_params has 'train_split', but .* trains on pairs",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(cls, settings, message, blobs):
    with pytest.raises(ValueError, match=message):
        made(cls, **settings).fit(blobs[0])
