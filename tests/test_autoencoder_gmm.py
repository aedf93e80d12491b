"""The mixture in the latent space against scikit-learn's own on the same rows."""

import numpy as np
import pytest
from discovery import fitted, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from skdeepcluster import Autoencoder, AutoencoderGMM, VaDEClustering
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((64,), 5, max_epochs=20, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def gmm(autoencoder, digits):
    model = AutoencoderGMM(10, autoencoder=autoencoder, n_init=3, random_state=0)
    return fitted(model, digits)


def test_agrees_with_its_mixture(gmm, digits):
    Z = gmm.transform(digits).astype(np.float64)
    mixture = gmm.mixture_
    assert_array_equal(gmm.predict(digits), mixture.predict(Z))
    assert_allclose(gmm.predict_proba(digits), mixture.predict_proba(Z), atol=1e-6)
    assert_allclose(gmm.score_samples(digits), mixture.score_samples(Z))
    for name in ("score", "bic", "aic"):
        assert getattr(gmm, name)(digits) == pytest.approx(getattr(mixture, name)(Z))


def test_is_as_good_as_a_mixture_of_its_own_making(gmm, digits):
    Z = gmm.transform(digits).astype(np.float64)
    direct = GaussianMixture(10, n_init=3, max_iter=500, random_state=1).fit(Z)
    assert gmm.score(digits) == pytest.approx(direct.score(Z), abs=0.3)


@pytest.mark.parametrize(
    ("covariance_type", "shape"),
    [("full", (3, 5, 5)), ("tied", (5, 5)), ("diag", (3, 5)), ("spherical", (3,))],
)
def test_parameters_reach_the_mixture(autoencoder, digits, covariance_type, shape):
    model = AutoencoderGMM(
        3,
        autoencoder=autoencoder,
        covariance_type=covariance_type,
        reg_covar=0.5,
        random_state=0,
    )
    mixture = fitted(model, digits).mixture_
    assert mixture.covariances_.shape == shape
    assert mixture.reg_covar == 0.5
    assert model.cluster_centers_.shape == (3, 5)


def test_sample(gmm, digits):
    X, components = gmm.sample(200)
    assert X.shape == (200, 64)
    assert set(components) <= set(range(10))
    shares = np.bincount(components, minlength=10) / 200
    assert_allclose(shares, gmm.mixture_.weights_, atol=0.1)
    assert_array_equal(X, gmm.sample(200)[0])
    # Drawn rows look like the data's, and not like rows of shuffled pixels.
    shuffled = np.random.default_rng(0).permuted(digits, axis=1)
    assert gmm.score(X) > gmm.score(shuffled)


def test_samples_without_a_seed_differ(gmm, digits):
    before = np.random.get_state()[1].tobytes()
    free = fitted(clone(gmm).set_params(random_state=None), digits)
    assert (free.sample(20)[0] != free.sample(20)[0]).any()
    assert np.random.get_state()[1].tobytes() == before


@pytest.mark.parametrize("cls", [AutoencoderGMM, VaDEClustering])
def test_samples_of_an_instance_go_on(cls, digits):
    model = tiny(cls, random_state=np.random.RandomState(0))
    fitted(model, digits[:100])
    assert (model.sample(20)[0] != model.sample(20)[0]).any()


def test_strange_rows_are_less_likely(gmm, digits):
    assert gmm.score(10 * digits) < gmm.score(digits)


def test_shared_autoencoder_is_not_trained_again(gmm, digits):
    again = fitted(clone(gmm), digits)
    assert_array_equal(again.transform(digits), gmm.transform(digits))
    assert_array_equal(again.labels_, gmm.labels_)


def test_quality_floor(gmm, digits_target):
    assert clustering_accuracy(digits_target, gmm.labels_) > 0.55
