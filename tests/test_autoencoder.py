"""The autoencoder: reconstruction, scores, parameters."""

import numpy as np
import pytest
import scipy.sparse as sp
from discovery import tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch.utils.data import DataLoader

from skdeepcluster import Autoencoder
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def trained(digits):
    return Autoencoder((128,), 10, max_epochs=30, random_state=0).fit(digits)


def test_scores_are_errors_in_the_units_of_the_data(trained, digits):
    X = 100 + 50 * digits[:200]
    model = tiny_autoencoder(random_state=0).fit(X)
    errors = ((X - model.inverse_transform(model.transform(X))) ** 2).mean(1)
    assert_allclose(model.score_samples(X), -errors, rtol=1e-3)
    assert model.score(X) == pytest.approx(-errors.mean(), rel=1e-4)


def test_training_reconstructs(trained, digits):
    losses = [epoch["train_loss"] for epoch in trained.history_["pretraining"]]
    assert trained.n_iter_ == len(losses) == 30
    assert losses[-1] < 0.5 * losses[0]
    assert -trained.score(digits) < 0.5 * digits.var(0).mean()
    pca = PCA(2).fit(digits)
    of_pca = ((digits - pca.inverse_transform(pca.transform(digits))) ** 2).mean()
    assert -trained.score(digits) < of_pca


def test_strange_rows_score_lower(trained, digits):
    noise = np.random.default_rng(0).permuted(digits, axis=1)
    assert trained.score(noise) < 2 * trained.score(digits)
    worst = np.quantile(trained.score_samples(noise), 0.5)
    assert worst < np.quantile(trained.score_samples(digits), 0.1)


def test_quality_floor(trained, digits, digits_target):
    labels = KMeans(10, n_init=5, random_state=0).fit_predict(trained.transform(digits))
    assert clustering_accuracy(digits_target, labels) > 0.55


def test_neighbours_attract(digits, digits_target, trained):
    model = clone(trained).set_params(objective="neighbors", max_epochs=15).fit(digits)
    Z = model.transform(digits)
    labels = KMeans(10, n_init=5, random_state=0).fit_predict(Z)
    assert clustering_accuracy(digits_target, labels) > 0.75
    # Neighbours are nearer, among all rows, than rows are that are only reconstructed.
    row, near = (
        NearestNeighbors(n_neighbors=15).fit(digits).kneighbors_graph().nonzero()
    )
    apart = [
        np.linalg.norm(z[row] - z[near], axis=1).mean() / np.linalg.norm(z.std(0))
        for z in (trained.transform(digits), Z)
    ]
    assert apart[1] < 0.8 * apart[0]
    assert -model.score(digits) < 0.6 * digits.var(0).mean()


@pytest.mark.parametrize("X", [np.ones((9, 3)), np.eye(2), np.eye(9)[:, :2]])
def test_neighbours_among_few_distinct_rows(X):
    model = tiny_autoencoder(objective="neighbors", random_state=0).fit(X)
    assert np.isfinite(model.transform(X)).all()


def test_neighbours_of_images_that_change(digits):
    settings = {"objective": "neighbors", "noise": 0.1, "random_state": 0}
    changed = tiny_autoencoder(augment="shift", **settings).fit(digits[:100])
    plain = tiny_autoencoder(**settings).fit(sp.csr_array(digits[:100]))
    assert (changed.transform(digits) != plain.transform(digits)).any()


def test_neighbours_in_a_stream(digits):
    model = tiny_autoencoder(objective="neighbors", random_state=0)
    for block in np.array_split(digits[:300], 3):
        model.partial_fit(block)
    assert model.n_iter_ == 3
    assert np.isfinite(model.transform(digits)).all()


@pytest.mark.parametrize(
    "net_params",
    [
        {"iterator_train": DataLoader},
        {"iterator_train__shuffle": True},
        {"train_split": ValidSplit(5)},
    ],
)
def test_pairs_need_all_the_rows(digits, net_params):
    model = tiny_autoencoder(objective="neighbors", net_params=net_params)
    with pytest.raises(ValueError, match=f"{next(iter(net_params))}.*objective"):
        model.fit(digits[:100])
    model.set_params(objective="reconstruction").fit(digits[:100])


def test_pipeline_with_a_clusterer(digits):
    pipeline = make_pipeline(
        tiny_autoencoder(random_state=0), KMeans(3, n_init=1, random_state=0)
    )
    labels = pipeline.fit_predict(digits[:100])
    assert_array_equal(pipeline.predict(digits[:100]), labels)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse_transform(trained, digits, dtype):
    Z = trained.transform(digits[:7]).astype(dtype)
    X = trained.inverse_transform(Z)
    assert X.shape == (7, 64)
    assert X.dtype == dtype


def test_input_is_centred_and_divided_by_one_number(digits):
    module = tiny_autoencoder(max_epochs=0).fit(digits).module_
    assert_allclose(module.shift.numpy(), digits.mean(0), rtol=1e-5)
    assert module.scale.item() == pytest.approx(np.sqrt(digits.var(0).mean()))


def test_noise_is_drawn_from_the_seed(digits):
    X = digits[:100]

    def latent(noise, seed=0):
        model = tiny_autoencoder(noise=noise, random_state=seed)
        return model.fit(X).transform(X)

    assert_array_equal(latent(0.5), latent(0.5))
    assert (latent(0.5) != latent(0.0)).any()


@pytest.mark.parametrize("widths", [[16], (16,), np.array([16])])
def test_hidden_units_of_any_sequence(digits, widths):
    X = digits[:50]
    expected = tiny_autoencoder(random_state=0).fit(X).transform(X)
    model = tiny_autoencoder(hidden_units=widths, random_state=0).fit(X)
    assert_array_equal(model.transform(X), expected)


@pytest.mark.parametrize(
    ("shape", "batch_size", "epochs", "lr"),
    [
        ((10, 64), 32, 30, 2e-3),
        ((1000, 64), 36, 30, 2e-3),
        ((1000, 31), 36, 30, 2e-3),
        ((1000, 30), 36, 15, 2e-3),
        ((4_999, 64), 179, 30, 2e-3),
        ((5_000, 64), 256, 50, 1e-3),
        ((5_000, 2), 256, 25, 1e-3),
        ((70_000, 64), 256, 15, 1e-3),
        # No fewer than one pass, however many steps it takes.
        ((5_000_000, 64), 256, 1, 1e-3),
        ((5_000_000, 2), 256, 1, 1e-3),
    ],
)
def test_schedule_follows_the_shape_of_the_data(shape, batch_size, epochs, lr):
    assert Autoencoder()._schedule(*shape) == (batch_size, epochs, lr)
    own = Autoencoder(batch_size=8, max_epochs=3, lr=0.1)
    assert own._schedule(*shape) == (8, 3, 0.1)


def test_few_rows_take_small_batches(digits):
    model = tiny_autoencoder(max_epochs=1, batch_size=None, random_state=0)
    sizes = []

    class Sizes(Callback):
        def on_batch_end(self, net, batch=None, **kwargs):
            sizes.append(len(batch[0]))

    model.set_params(training__callbacks=[Sizes()]).fit(digits[:100])
    assert sizes == [25] * 4


def test_width_follows_the_number_of_rows(digits):
    rows = np.resize(digits, (5_000, 2))
    for n_samples, widths in ((4_999, [500, 500, 500]), (5_000, [500, 500, 2000])):
        module = Autoencoder(max_epochs=0).fit(rows[:n_samples]).module_
        assert module.config["hidden_units"] == widths


def test_no_hidden_layer_is_linear(digits):
    model = tiny_autoencoder(hidden_units=()).fit(digits[:50])
    a, b = model.transform(digits[:2])
    middle = model.transform(digits[:2].mean(0, keepdims=True))[0]
    assert_allclose(middle, (a + b) / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_learns(digits, optimizer):
    model = tiny_autoencoder(optimizer=optimizer, lr=1e-2, max_epochs=10)
    losses = model.set_params(random_state=0).fit(digits).history_["pretraining"]
    assert losses[-1]["train_loss"] < losses[0]["train_loss"]
