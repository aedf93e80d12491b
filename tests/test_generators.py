"""Parts of a user's own that draw from global generators: the same bits, none moved."""

import random

import numpy as np
import pytest
import torch
from discovery import fitted, tiny, tiny_autoencoder
from numpy.testing import assert_array_equal
from sklearn.cluster import KMeans
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from test_common import bits
from test_resume import assert_same_fit, kill_then_go_on
from torch import nn
from torch.utils.data import DataLoader

from skdeepcluster import DECClustering
from skdeepcluster._modules import global_generator


@pytest.fixture(scope="module")
def X(digits):
    return digits[:120]


def draw():
    """A number that depends on each of the global generators."""
    return random.random() + np.random.normal() + torch.rand(()).item()


class Noisy(Callback):
    """Moves the weights a little, at random."""

    def on_epoch_begin(self, net, **kwargs):
        with torch.no_grad():
            for weight in net.module_.parameters():
                weight *= 1 + draw() / 100


class Drawing(nn.Module):
    """A network that draws wherever it can, also when it predicts."""

    def __init__(self, n_features, latent_dim):
        super().__init__()
        self.there = nn.Linear(n_features, latent_dim)
        self.back = nn.Linear(latent_dim, n_features)
        self.factor = draw()

    def encode(self, x):
        return self.there(x) * (1 + draw() / 100)

    def decode(self, z):
        return self.back(z) + draw() / 100


class Loader(DataLoader):
    def __iter__(self):
        for x, index in super().__iter__():
            yield x * (1 + draw() / 100), index


class Adam(torch.optim.Adam):
    """Adam in a fog."""

    def step(self, closure=None):
        with torch.no_grad():
            for weight in self.param_groups[0]["params"]:
                weight += draw() / 1e4
        return super().step(closure)


def split(dataset, y=None):
    order = random.sample(range(len(dataset)), len(dataset))
    return [torch.utils.data.Subset(dataset, part) for part in (order[:90], order[90:])]


def spread(Z, n_clusters, random_state):
    return Z[np.random.permutation(len(Z))[:n_clusters]] + draw() / 100


class Careless(KMeans):
    """Asks nobody for its seed."""

    def fit_predict(self, X, y=None, sample_weight=None):
        return np.random.permutation(len(X)) % self.n_clusters


def shake(images, generator):
    return images * (1 + draw() / 100)


def loading(**params):
    return {"iterator_train": Loader, "iterator_train__shuffle": True, **params}


PARTS = {
    "train_split": {"net_params": {"train_split": ValidSplit(0.2)}},
    "function that splits": {"net_params": {"train_split": split}},
    "iterator": {"net_params": loading()},
    "iterator and split": {"net_params": loading(train_split=ValidSplit(0.2))},
    "callback": {"callbacks": [Noisy()]},
    "optimizer": {"optimizer": Adam},
    "network": {"encoder": tiny_autoencoder(network=Drawing, hidden_units=None)},
    "augment": {"encoder": tiny_autoencoder(augment=shake)},
    "callable init": {"init": spread},
    "clusterer as init": {"init": Careless(4)},
}


def model_with(name):
    return tiny(DECClustering, **{"init": "k-means", "tol": 0.0, **PARTS[name]})


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_a_users_own_draw_what_the_seed_says(name, X):
    model = model_with(name)
    found = []

    def fit():
        fitted(model, X)
        found.append(bits(model, X))
        assert_array_equal(model.predict(X), model.labels_)

    for seed in range(2):
        assert draws_after(fit, seed) == draws_after(lambda: None, seed)
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["function that splits", "iterator and split"])
def test_killed_with_parts_that_draw(name, X, tmp_path):
    changes = {"init": "k-means", "n_init": 1, **PARTS[name]}
    network = tiny_autoencoder(max_epochs=2, random_state=0)
    expected, actual = kill_then_go_on(
        DECClustering, X, tmp_path, 3, encoder=network, **changes
    )
    assert_same_fit(actual, expected, X)


def test_killed_with_a_callback_that_draws(X, tmp_path):
    network = tiny_autoencoder(max_epochs=2, random_state=0)
    changes = {"init": "k-means", "n_init": 1, "callbacks": [Noisy()]}
    expected, actual = kill_then_go_on(
        DECClustering, X, tmp_path, 3, encoder=network, **changes
    )
    assert_same_fit(actual, expected, X)


def fail():
    with global_generator(7):
        raise ZeroDivisionError(draw())


def test_generators_are_put_back_after_an_error():
    def action():
        with pytest.raises(ZeroDivisionError):
            fail()

    assert draws_after(action) == draws_after(lambda: None)


def draws_after(action, seed=0):
    """What is drawn after an action that should draw nothing."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # Normal numbers come in pairs: another is waiting.
    draw()
    action()
    return [draw() for _ in range(3)]
