"""Outlier detection: scores against oracles, ranks, and the estimators it wraps."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from discovery import CLUSTERERS, fitted, tiny, tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import mahalanobis
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    DDCClustering,
    DECClustering,
    DeepOutlierDetector,
    VaDEClustering,
)
from skdeepcluster.estimators._outliers import (
    NEEDS,
    RIDGE,
    cluster_distances,
    cluster_metrics,
    quantiles,
    ranks,
)
from skdeepcluster.training import Net

CAN_TELL = {
    Autoencoder: ["reconstruction"],
    AutoencoderGMM: ["likelihood", "mahalanobis", "reconstruction"],
    DECClustering: ["mahalanobis", "reconstruction"],
    VaDEClustering: ["likelihood", "mahalanobis", "reconstruction"],
    DDCClustering: ["mahalanobis"],
}
every_method = pytest.mark.parametrize("method", [*NEEDS, "rank-average"])


@pytest.fixture(scope="module")
def X(digits):
    return digits[:300]


@pytest.fixture(scope="module")
def gmm(X):
    return fitted(tiny(AutoencoderGMM), X)


# scores


def test_distances_are_those_of_scipy():
    rng = np.random.RandomState(0)
    Z = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + 5
    labels = np.repeat([4, 0, 2], [40, 19, 1])
    rows = rng.normal(size=(7, 3)) + 5
    within = np.mean(
        [
            np.outer(z - Z[labels == label].mean(0), z - Z[labels == label].mean(0))
            for z, label in zip(Z, labels, strict=True)
        ],
        axis=0,
    )
    within += RIDGE * Z.var(0).mean() * np.eye(3)
    expected = []
    for row in rows:
        candidates = []
        for label in (0, 2, 4):
            members = Z[labels == label]
            own = np.cov(members.T, bias=True) if len(members) > 1 else np.zeros((3, 3))
            n = len(members)
            covariance = (n * own + 4 * within) / (n + 4)
            inverse = np.linalg.inv(covariance)
            candidates.append(mahalanobis(row, members.mean(0), inverse))
        expected.append(min(candidates))
    actual = cluster_distances(rows, *cluster_metrics(Z, labels)).min(1)
    assert_allclose(actual, expected, rtol=1e-8)


def test_equal_rows_have_finite_distances():
    Z = np.zeros((5, 2), dtype=np.float32)
    metrics = cluster_metrics(Z, np.zeros(5, dtype=int))
    assert_array_equal(cluster_distances(Z, *metrics), 0)
    assert np.isfinite(cluster_distances(Z + 1, *metrics)).all()


def test_likelihood_is_the_estimators(gmm, X):
    likelihood = DeepOutlierDetector(gmm, method="likelihood").fit(X)
    assert_array_equal(likelihood.score_samples(X), gmm.score_samples(X))


@pytest.mark.parametrize("to_format", [np.asarray, sp.csr_array])
def test_errors_are_in_units_of_the_columns(gmm, X, to_format):
    train, new = X[:280], X[280:]
    detector = DeepOutlierDetector(gmm).fit(to_format(train))

    def errors(rows):
        scaled = gmm.inverse_transform(gmm.transform(rows)) - rows
        return np.square(scaled / gmm.module_.scale.item())

    usual = errors(train).mean(0)
    # Pixels at the edge are empty.
    assert 0.1 < (usual < 0.3 * usual.mean()).mean() < 0.9
    usual = np.maximum(usual, 0.3 * usual.mean())
    assert_allclose(detector.column_errors_, usual, rtol=1e-4)
    expected = -(errors(new) / usual).mean(1)
    assert_allclose(detector.score_samples(to_format(new)), expected, rtol=1e-4)
    assert detector.offset_ == pytest.approx(
        np.quantile(-(errors(train) / usual).mean(1), 0.1), rel=1e-4
    )
    assert_allclose(detector.explain(new), errors(new) / usual, rtol=1e-2, atol=1e-4)
    # How well rows are reconstructed is another question.
    network = tiny_autoencoder(random_state=0).fit(train)
    plain = np.square(network.inverse_transform(network.transform(new)) - new).mean(1)
    assert_allclose(-network.score_samples(new), plain, rtol=1e-4)


def empty_decoder(X):
    """A network that makes the mean of the columns of every row."""
    network = tiny_autoencoder(random_state=0).fit(X)
    last = network.module_.decoder[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return network


def test_columns_without_error_do_not_drown_the_others():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 6)) * [0.5, 0.5, 0.5, 3, 3, 0]
    X[:, 5] = 7
    detector = DeepOutlierDetector(empty_decoder(X)).fit(X)
    centred = X - X.mean(0)
    usual = np.square(centred).mean(0)
    assert usual[5] == 0
    usual[5] = usual[:3] = 0.3 * usual.mean()
    scale = detector.estimator_.module_.scale.item()
    assert_allclose(detector.column_errors_ * scale**2, usual, rtol=1e-5)
    expected = -(np.square(centred) / usual).mean(1)
    assert_allclose(detector.score_samples(X), expected, rtol=1e-5)
    odd = np.tile(X[:1], (3, 1))
    odd[1, 5] += 0.01
    odd[2, 5] += 10
    scores = detector.score_samples(odd)
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)
    assert scores[2] == pytest.approx(scores[0] - 100 / usual[5] / 6, rel=1e-5)
    assert detector.explain(odd)[2].argmax() == 5
    assert list(detector.predict(odd[::2])) == [detector.predict(X[:1])[0], -1]


def test_rows_that_are_given_back_exactly_have_scores():
    X = np.random.RandomState(0).normal(size=(50, 4))
    network = empty_decoder(X)
    same = np.tile(X.mean(0), (50, 1))
    detector = DeepOutlierDetector(network).fit(same)
    assert (detector.column_errors_ > 0).all()
    assert_allclose(detector.score_samples(same), 0, atol=1e-9)
    assert_array_equal(detector.predict(np.vstack([same[:2], X[:2]])), [1, 1, -1, -1])
    assert np.isfinite(detector.score_samples(np.full((1, 4), 1e300))).all()


def test_the_order_of_columns_and_rows_is_no_matter(X):
    order = np.random.RandomState(0).permutation(64)
    network = tiny_autoencoder(random_state=0).fit(X)
    detector = DeepOutlierDetector(network).fit(X)
    permuted = copy.deepcopy(network)
    module = permuted.module_
    with torch.no_grad():
        module.shift.copy_(module.shift[order])
        module.encoder[0].weight.copy_(module.encoder[0].weight[:, order])
        module.decoder[-1].weight.copy_(module.decoder[-1].weight[order])
        module.decoder[-1].bias.copy_(module.decoder[-1].bias[order])
    other = DeepOutlierDetector(permuted).fit(X[::-1, order])
    assert_allclose(other.column_errors_, detector.column_errors_[order], rtol=1e-4)
    scores = other.score_samples(X[:, order])
    assert_allclose(scores, detector.score_samples(X), rtol=1e-4)
    assert other.offset_ == pytest.approx(detector.offset_, rel=1e-4)


def test_ranks_between_and_beyond():
    known = np.array([0.0, 1.0, 2.0, 4.0])
    assert_allclose(ranks(known, known), [0, 1 / 3, 2 / 3, 1])
    assert_allclose(ranks(np.array([0.5, 3, 99]), known), [1 / 6, 5 / 6, 1])
    beyond = ranks(np.array([0, -1, -2, -1e9, -1e300]), known)
    assert (np.diff(beyond[:4]) < 0).all()
    assert (beyond >= -1 / 4).all()
    assert_array_equal(ranks(np.ones(3), np.ones(5)), 1)


def test_quantiles_are_scores_and_few():
    scores = np.random.RandomState(0).normal(size=25_000)
    kept = quantiles(scores)
    assert len(kept) == 10_000
    assert np.isin(kept, scores).all()
    assert (kept[0], kept[-1]) == (scores.min(), scores.max())
    assert_allclose(ranks(scores, kept), ranks(scores, np.sort(scores)), atol=1e-3)
    assert_array_equal(quantiles(scores[:9]), np.sort(scores[:9]))


def test_rank_average_is_of_the_ranks_among_training_rows(gmm, X):
    train, new = X[:200], X[200:]
    expected = []
    for method in CAN_TELL[AutoencoderGMM]:
        detector = DeepOutlierDetector(gmm, method=method).fit(train)
        known, scores = detector.score_samples(train), detector.score_samples(new)
        inside = (scores >= known.min()) & (scores <= known.max())
        shares = [np.sort(known).searchsorted(score) / 200 for score in scores]
        expected.append(np.where(inside, shares, np.nan))
    detector = DeepOutlierDetector(gmm, method="rank-average").fit(train)
    difference = detector.score_samples(new) - np.mean(expected, axis=0)
    inside = np.isfinite(difference)
    assert inside.sum() > 50
    assert_allclose(difference[inside], 0, atol=1 / 100)


# what it is for


@pytest.mark.parametrize("cls", CAN_TELL)
def test_rows_between_clusters_are_unusual(cls):
    X, _ = make_blobs(900, 10, centers=4, center_box=(-20, 20), random_state=0)
    between = np.random.RandomState(0).uniform(-20, 20, size=(100, 10))
    network = {"hidden_units": (32,), "latent_dim": 5, "max_epochs": 40}
    estimator = tiny(cls, autoencoder=Autoencoder(**network), **network)
    fitted(estimator, X[:800])
    normal = np.arange(200) < 100
    for method in [*CAN_TELL[cls], "rank-average"]:
        detector = DeepOutlierDetector(estimator, method=method).fit(X[:800])
        decisions = detector.decision_function(np.vstack([X[800:], between]))
        assert roc_auc_score(normal, decisions) > 0.9, method
        assert (decisions[normal] >= 0).mean() > 0.6, method


@every_method
def test_contamination_is_the_share_of_outliers(gmm, X, method):
    for contamination in (0.03, 0.5):
        detector = DeepOutlierDetector(gmm, method=method, contamination=contamination)
        outliers = detector.fit_predict(X) == -1
        # Ranks of two rows can be equal at the threshold.
        assert outliers.mean() == pytest.approx(contamination, abs=1.5 / len(X))
        assert_array_equal(outliers, detector.score_samples(X) < detector.offset_)


def test_extreme_rows_are_the_outliers(gmm, X):
    for method in [*NEEDS, "rank-average"]:
        detector = DeepOutlierDetector(gmm, method=method).fit(X)
        rows = X[:20].copy()
        rows[0], rows[1] = 1e20, -1e20
        assert list(detector.predict(rows)[:2]) == [-1, -1]
        assert_array_equal(detector.predict(rows)[2:], detector.predict(X[2:20]))


def test_another_method_counts_after_another_fit(gmm, X):
    detector = DeepOutlierDetector(gmm, method="likelihood").fit(X)
    decisions = detector.decision_function(X)
    for method in ("mahalanobis", "rank-average"):
        detector.set_params(method=method)
        assert_array_equal(detector.decision_function(X), decisions)
    assert (detector.fit(X).decision_function(X) != decisions).any()


@pytest.mark.parametrize("method", ["likelihood", "reconstruction", "rank-average"])
def test_a_refit_that_fails_keeps_scores_and_threshold(gmm, X, method):
    detector = DeepOutlierDetector(gmm, method=method).fit(X)
    decisions, columns = detector.decision_function(X), detector.explain(X)
    detector.set_params(estimator=tiny(DECClustering, init="k-means", lr=1e30))
    for method in ("likelihood", "mahalanobis"):
        with pytest.raises(ValueError, match=r"method=|lr"):
            detector.set_params(method=method).fit(X)
    assert_array_equal(detector.decision_function(X), decisions)
    assert_array_equal(detector.explain(X), columns)
    assert (detector.predict(X) == -1).mean() == pytest.approx(0.1, abs=0.01)


@every_method
def test_contamination_that_is_found(method):
    rng = np.random.RandomState(0)
    X = np.vstack([rng.normal(size=(300, 5)), rng.normal(scale=30, size=(9, 5))])
    network = Autoencoder((16,), 3, max_epochs=30)
    gmm = AutoencoderGMM(2, autoencoder=network, init="k-means", random_state=0)
    detector = DeepOutlierDetector(gmm, method=method, contamination="auto")
    outliers = fitted(detector, X).predict(X) == -1
    assert outliers[-9:].sum() >= 6
    assert outliers[:-9].mean() < 0.1
    assert outliers.mean() == pytest.approx(detector.contamination_, abs=0.01)


# the estimator it wraps


@pytest.mark.parametrize("cls", CAN_TELL)
def test_ranks_of_all_that_an_estimator_can_tell(cls, X):
    detector = fitted(DeepOutlierDetector(tiny(cls), method="rank-average"), X)
    assert detector.methods_ == CAN_TELL[cls]
    assert list(detector.quantiles_) == CAN_TELL[cls]


@pytest.mark.parametrize("cls", CAN_TELL)
def test_reconstruction_comes_first(cls, X):
    best = "mahalanobis" if cls is DDCClustering else "reconstruction"
    detector = fitted(DeepOutlierDetector(tiny(cls)), X)
    assert detector.method == "auto"
    assert detector.method_ == best
    assert detector.methods_ == [best]
    same = DeepOutlierDetector(detector.estimator_, method=best).fit(X)
    assert_array_equal(same.decision_function(X), detector.decision_function(X))


@pytest.mark.parametrize("cls", CLUSTERERS)
def test_every_clusterer_can_be_wrapped(cls, X):
    detector = fitted(DeepOutlierDetector(tiny(cls), method="rank-average"), X)
    assert "mahalanobis" in detector.methods_
    assert np.isfinite(detector.score_samples(X)).all()


@pytest.mark.parametrize(
    ("cls", "method"),
    [(cls, name) for cls, can in CAN_TELL.items() for name in NEEDS if name not in can],
)
def test_what_an_estimator_cannot_tell_is_refused(cls, method, X, monkeypatch):
    monkeypatch.setattr(Net, "fit_loop", lambda *a, **k: pytest.fail("training ran"))
    message = rf"method='{method}' needs .*{NEEDS[method]}.*{cls.__name__}"
    with pytest.raises(ValueError, match=message):
        DeepOutlierDetector(tiny(cls), method=method).fit(X)


@pytest.mark.parametrize("freeze", [lambda it: it, FrozenEstimator])
def test_a_fitted_estimator_is_used_as_it_is(freeze, gmm, X, monkeypatch):
    before = [value.clone() for value in gmm.module_.state_dict().values()]
    monkeypatch.setattr(Net, "fit_loop", lambda *a, **k: pytest.fail("training ran"))
    detector = DeepOutlierDetector(freeze(gmm)).fit(X)
    assert detector.estimator_ is gmm
    copied = clone(detector)
    assert copied.estimator.module_ is gmm.module_
    copied.fit(X)
    assert_array_equal(copied.score_samples(X), detector.score_samples(X))
    after = gmm.module_.state_dict().values()
    assert all(map(np.array_equal, before, after))


def test_an_unfitted_estimator_is_cloned(X):
    estimator = tiny(AutoencoderGMM, random_state=None)
    before = dict(vars(estimator))
    detector = fitted(DeepOutlierDetector(estimator, random_state=0), X)
    assert vars(estimator) == before
    assert detector.estimator_ is not estimator
    assert detector.estimator_.random_state is not None


def test_the_seed_of_the_estimator_comes_first(X):
    scores = [
        fitted(DeepOutlierDetector(tiny(AutoencoderGMM), random_state=seed), X)
        .score_samples(X)
        .tobytes()
        for seed in (0, 1)
    ]
    assert scores[0] == scores[1]


def test_parameters_of_a_fitted_estimator_are_not_searched(gmm, X):
    detector = clone(DeepOutlierDetector(gmm)).set_params(estimator__n_clusters=2)
    with pytest.raises(ValueError, match=r"estimator was fitted with n_clusters=4"):
        detector.fit(X)


def test_fitted_for_other_features(gmm, X):
    with pytest.raises(ValueError, match="expecting 64 features"):
        DeepOutlierDetector(gmm).fit(X[:, :10])


def test_search_over_parameters_of_both(X):
    pipeline = make_pipeline(StandardScaler(), tiny(DeepOutlierDetector))
    name = "deepoutlierdetector"
    grid = {
        f"{name}__method": ["likelihood", "rank-average"],
        f"{name}__estimator__n_clusters": [2, 3],
    }
    y = np.where(X[:, 20] > 8, -1, 1)
    search = fitted(GridSearchCV(pipeline, grid, scoring="roc_auc", cv=2), X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_params_
    assert search.best_estimator_[-1].estimator_.n_clusters in best.values()


class InterruptOnce(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def test_an_interrupted_training_still_gives_a_detector(X):
    network = tiny_autoencoder(callbacks=[InterruptOnce()])
    with pytest.warns(ConvergenceWarning, match="interrupted during pretraining"):
        detector = tiny(DeepOutlierDetector, autoencoder=network).fit(X)
    assert (detector.predict(X) == -1).any()
