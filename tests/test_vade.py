"""Variational deep embedding: its bound, its mixture, its samples."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture

from skdeepcluster import Autoencoder, VaDEClustering
from skdeepcluster import functional as F
from skdeepcluster.estimators._vade import VaDEModule, fixed_draws
from skdeepcluster.metrics import clustering_accuracy

RNG = np.random.RandomState(0)
WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = RNG.normal(size=(3, 4))
VARIANCES = RNG.uniform(0.5, 2, size=(3, 4))
Z = RNG.normal(size=(6, 4))
MIXTURE = [torch.from_numpy(a) for a in (np.log(WEIGHTS), MEANS, np.log(VARIANCES))]


def test_log_joint():
    expected = [
        [
            np.log(weight) + multivariate_normal(mean, np.diag(variance)).logpdf(z)
            for weight, mean, variance in zip(WEIGHTS, MEANS, VARIANCES, strict=True)
        ]
        for z in Z
    ]
    actual = F.mixture_log_joint(torch.from_numpy(Z), *MIXTURE)
    np.testing.assert_allclose(actual.numpy(), expected)


def test_log_joint_of_rows_far_away_is_finite():
    far = torch.full((1, 4), 1e30)
    joint = F.mixture_log_joint(far, *(value.float() for value in MIXTURE))
    assert torch.isfinite(joint.softmax(1)).all()


def test_divergence_is_the_papers_sum():
    variance = RNG.uniform(0.1, 1, size=(6, 4))
    gamma = RNG.dirichlet(np.ones(3), size=6)
    gamma[0] = [1, 0, 0]
    expected = np.zeros(6)
    for i in range(6):
        for c in range(3):
            if gamma[i, c] == 0:
                continue
            for d in range(4):
                expected[i] += (
                    gamma[i, c]
                    / 2
                    * (
                        np.log(VARIANCES[c, d])
                        + variance[i, d] / VARIANCES[c, d]
                        + (Z[i, d] - MEANS[c, d]) ** 2 / VARIANCES[c, d]
                    )
                )
            expected[i] += gamma[i, c] * np.log(gamma[i, c] / WEIGHTS[c])
        for d in range(4):
            expected[i] -= (1 + np.log(variance[i, d])) / 2
    actual = F.mixture_divergence(
        torch.from_numpy(Z),
        torch.from_numpy(np.log(variance)),
        torch.from_numpy(gamma),
        *MIXTURE,
    )
    np.testing.assert_allclose(actual.numpy(), expected)


def test_a_posterior_that_is_a_component_diverges_by_its_weight():
    certain = torch.eye(3, dtype=torch.float64)
    divergence = F.mixture_divergence(MIXTURE[1], MIXTURE[2], certain, *MIXTURE)
    np.testing.assert_allclose(divergence.numpy(), -np.log(WEIGHTS))


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((64,), 5, max_epochs=15, batch_size=64, random_state=0).fit(
        digits
    )


def vade(autoencoder, **settings):
    return VaDEClustering(10, encoder=autoencoder, **{"random_state": 0, **settings})


def test_without_epochs_it_is_the_first_mixture(digits, autoencoder):
    model = vade(autoencoder, max_epochs=0).fit(digits)
    latent = model.transform(digits).astype(np.float64)
    mixture = GaussianMixture(
        10, covariance_type="diag", precisions_init=1 / model.covariances_
    )
    weights = model.weights_.astype(np.float64)
    mixture.weights_init = weights / weights.sum()
    mixture.means_init = model.cluster_centers_
    mixture.fit(latent)
    same = mixture.predict(latent) == model.labels_
    assert same.mean() > 0.97
    assert model.predict_proba(digits).max() <= 1


def test_training_raises_the_bound(digits, autoencoder):
    start = vade(autoencoder, max_epochs=0).fit(digits)
    model = vade(autoencoder, max_epochs=10, batch_size=64).fit(digits)
    losses = [row["train_loss"] for row in model.history_["clustering"]]
    assert losses[-1] < losses[0]
    assert model.score(digits) > start.score(digits)
    assert np.array_equal(model.predict(digits), model.labels_)


def test_score_is_a_bound_in_the_units_of_the_data(digits, autoencoder):
    model = vade(autoencoder, max_epochs=0).fit(digits)
    scaled = vade(
        Autoencoder((64,), 5, max_epochs=0, random_state=0), max_epochs=0
    ).fit(digits)
    double = vade(
        Autoencoder((64,), 5, max_epochs=0, random_state=0), max_epochs=0
    ).fit(2 * digits)
    difference = scaled.score(digits) - double.score(2 * digits)
    assert difference == pytest.approx(64 * np.log(2), rel=1e-3)
    noise = np.random.default_rng(0).permuted(digits, axis=1)
    assert model.score(noise) < model.score(digits)


@pytest.mark.parametrize("max_epochs", [0, 5])
def test_score_is_the_bound_and_not_its_value_at_the_mean(
    digits, autoencoder, max_epochs
):
    rows = digits[:300]
    model = vade(autoencoder, max_epochs=max_epochs).fit(digits)
    module = VaDEModule(model.module_, model.head_)
    generator = torch.Generator().manual_seed(1)
    variance = model.noise_variance_ * model.module_.scale.item() ** 2
    constant = 32 * np.log(2 * np.pi * variance)

    def score(noise):
        with torch.no_grad():
            return -module.bound(torch.tensor(rows), noise).mean().item() - constant

    expected = score(torch.randn(500, 300, 5, generator=generator))
    assert model.score(rows) == pytest.approx(expected, abs=0.3)
    assert score(torch.zeros(1, 1, 5)) > expected + 1


def test_draws_are_balanced():
    draws = fixed_draws(7)
    assert draws.shape == (16, 1, 7)
    assert torch.equal(draws, fixed_draws(7))
    np.testing.assert_allclose(draws.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(draws.square().mean(0), 1, rtol=1e-5)


def test_without_epochs_only_the_mixture_is_random(digits, autoencoder):
    models = [
        vade(autoencoder, init="k-means", max_epochs=0, random_state=seed)
        for seed in (0, 1)
    ]
    scores = [
        model.set_params(n_clusters=1).fit(digits).score_samples(digits)
        for model in models
    ]
    np.testing.assert_array_equal(*scores)


def test_first_variances_are_the_best_constants(digits, autoencoder):
    model = vade(autoencoder, max_epochs=0).fit(digits)
    best = model.score(digits)
    for change in (-0.5, 0.5):
        with torch.no_grad():
            model.head_.log_variance.bias += change
        assert model.score(digits) < best
        with torch.no_grad():
            model.head_.log_variance.bias -= change


def test_blobs_and_samples_of_them():
    X, y = make_blobs(500, 6, centers=3, random_state=1)
    encoder = Autoencoder((32,), 2, max_epochs=60, random_state=0, batch_size=64)
    model = VaDEClustering(3, encoder=encoder, max_epochs=20, random_state=0).fit(X)
    assert clustering_accuracy(y, model.labels_) > 0.99
    rows, components = model.sample(600)
    assert rows.shape == (600, 6)
    assert np.array_equal(model.sample(600)[0], rows)
    np.testing.assert_allclose(np.bincount(components) / 600, model.weights_, atol=0.06)
    assert (model.predict(rows) == components).mean() > 0.95
    for component in range(3):
        near = rows[components == component].mean(0)
        own = X[model.labels_ == component].mean(0)
        assert np.linalg.norm(near - own) < 0.2 * X.std() * np.sqrt(6)
