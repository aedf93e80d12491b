"""The mixture in the latent space against scikit-learn's own on the same rows."""

import warnings

import numpy as np
import pytest
from discovery import fitted, tiny
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skdeepcluster import Autoencoder, AutoencoderGMM, VaDEClustering
from skdeepcluster.estimators import _autoencoder_gmm
from skdeepcluster.estimators._initial import fit_about
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((64,), 5, max_epochs=20, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def gmm(autoencoder, digits):
    model = AutoencoderGMM(10, encoder=autoencoder, n_init=3, random_state=0)
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
        encoder=autoencoder,
        covariance_type=covariance_type,
        reg_covar=0.5,
        random_state=0,
    )
    mixture = fitted(model, digits).mixture_
    assert mixture.covariances_.shape == shape
    assert mixture.reg_covar == 0.5
    assert model.cluster_centers_.shape == (3, 5)


def densities(rows, labels, kind, floor):
    """Log densities by the components of clusters, each with a row at its mean more."""
    labels = np.unique(labels, return_inverse=True)[1]
    sizes = np.bincount(labels) + 1.0
    shares = sizes / sizes.sum()
    means = [rows[labels == label].mean(0) for label in np.unique(labels)]
    forms = []
    for label, mean in enumerate(means):
        spread = rows[labels == label] - mean
        form = spread.T @ spread / sizes[label] + floor * np.eye(rows.shape[1])
        if kind == "diag":
            form = np.diag(np.diag(form))
        elif kind == "spherical":
            form = np.eye(len(form)) * np.diag(form).mean()
        forms.append(form)
    if kind == "tied":
        forms = [np.average(forms, axis=0, weights=shares)] * len(forms)
    return np.column_stack(
        [
            np.log(share) + multivariate_normal(mean, form).logpdf(rows)
            for share, mean, form in zip(shares, means, forms, strict=True)
        ]
    )


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_components_are_those_of_the_graph(autoencoder, digits, kind, monkeypatch):
    seen = []

    def spy(mixture, Z, clusters):
        seen.append(clusters.labels)
        return fit_about(mixture, Z, clusters)

    monkeypatch.setattr(_autoencoder_gmm, "fit_about", spy)
    model = AutoencoderGMM(
        4, encoder=autoencoder, covariance_type=kind, reg_covar=0.1, random_state=0
    )
    X = digits[:400]
    fitted(model, X)
    Z = model.transform(X).astype(float)
    logs = densities(Z, seen[0], kind, 0.1)
    assert_allclose(model.score_samples(X), logsumexp(logs, axis=1), rtol=1e-4)
    assert_allclose(model.predict_proba(X), softmax(logs, axis=1), atol=1e-3)
    assert_array_equal(model.labels_, logs.argmax(1))
    assert model.n_iter_ == 0
    assert model.mixture_.converged_


@pytest.mark.parametrize("init", ["graph", "k-means", "centers"])
def test_iterations_make_the_mixture_likelier(autoencoder, digits, init):
    if init == "centers":
        init = autoencoder.transform(digits)[:4]
    model = AutoencoderGMM(4, encoder=autoencoder, init=init, random_state=0)
    iterated = fitted(clone(model).set_params(max_iter=500), digits)
    assert iterated.n_iter_ > 1
    of_graph = isinstance(init, str) and init == "graph"
    assert fitted(model, digits).n_iter_ == (0 if of_graph else iterated.n_iter_)
    with warnings.catch_warnings():
        # scikit-learn's own start says that it didn't converge.
        warnings.simplefilter("ignore", ConvergenceWarning)
        held = fitted(model.set_params(max_iter=0), digits)
    assert held.score(digits) < iterated.score(digits)


@pytest.mark.parametrize("n_columns", [2, 3])
def test_a_class_of_most_rows_stays_one(n_columns):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(1000) < 0.8, 0, rng.integers(4, size=1000))
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])[:, :n_columns]
    X = 8 * corners[y] + rng.normal(size=(1000, n_columns))
    model = fitted(AutoencoderGMM(4, random_state=0), X)
    # Iterations end at .59 in three columns.
    assert adjusted_rand_score(y, model.labels_) > 0.95


@pytest.mark.parametrize("seed", [0, 2])
def test_latent_rows_do_not_undo_clusters_of_few_rows(seed):
    rng = np.random.default_rng(2)
    y = np.where(rng.random(60) < 0.8, 0, rng.integers(4, size=60))
    assert_array_equal(np.bincount(y), [50, 3, 2, 5])
    corners = 8 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    X = corners[y] + rng.normal(size=(60, 2))
    labels = fitted(AutoencoderGMM(4, random_state=seed), X).labels_
    assert adjusted_rand_score(y, labels) > 0.95


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
