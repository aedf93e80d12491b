"""Outlier detection: no gross row is normal, calibrated shares, and what it wraps."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from discovery import (
    CLUSTERERS,
    fitted,
    interrupt_next_step,
    tiny,
    tiny_autoencoder,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine, make_blobs
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    DDCClustering,
    DECClustering,
    DeepOutlierDetector,
)
from skdeepcluster.estimators._outliers import TELLS, together, unlearned
from skdeepcluster.training import Net


@pytest.fixture(scope="module")
def X(digits):
    return digits[:300]


@pytest.fixture(scope="module")
def network(X):
    return tiny_autoencoder(random_state=0).fit(X)


# no gross row is normal


def gaussian(rng, shape):
    return rng.normal(size=shape)


def heavy_tailed(rng, shape):
    return rng.standard_t(3, size=shape)


def integers(rng, shape):
    return rng.poisson(4, size=shape).astype(float)


def one_hot(rng, shape):
    kinds = rng.choice(
        4, size=(shape[0], max(shape[1] // 4, 1)), p=[0.6, 0.2, 0.15, 0.05]
    )
    return np.eye(4)[kinds].reshape(shape[0], -1)


def repeated(rng, shape):
    distinct = rng.normal(size=(max(shape[0] // 20, 5), shape[1]))
    return distinct[rng.integers(len(distinct), size=shape[0])]


def cell(rng, X, far):
    X[0, 0] += far[0]
    return 1


def row(rng, X, far):
    X[0] = X.mean(0) + far * rng.choice([-1, 1], len(far))
    return 1


def opposite(rng, X, far):
    X[:2] = X.mean(0) + far * [[1], [-1]]
    return 2


def clump(rng, X, far, count=10, width=0.1):
    center = X.mean(0) + far * rng.choice([-1, 1], len(far))
    X[:count] = center + width * far / 60 * rng.normal(size=(count, len(far)))
    return count


def pair(rng, X, far):
    return clump(rng, X, far, count=2)


def copies(rng, X, far):
    return clump(rng, X, far, width=0)


SIZES = [(50, 1), (50, 8), (50, 50), (200, 2), (1000, 1), (1000, 8), (5000, 50)]


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("draw", [gaussian, heavy_tailed, integers, one_hot, repeated])
def test_no_gross_row_is_normal(draw, shape):
    network = Autoencoder((16,), 5, max_epochs=5, random_state=0)
    for plant in (cell, row, opposite, pair, clump, copies):
        rng = np.random.default_rng(sum(shape))
        X = draw(rng, shape)
        spread = np.where(X.std(0) > 0, X.std(0), 1)
        count = plant(rng, X, 60 * spread)
        if count > len(X) // 10:
            continue
        detector = DeepOutlierDetector(network).fit(X)
        scores = detector.score_samples(X)
        assert scores[:count].max() < scores[count:].min(), plant
        assert (detector.predict(X)[:count] == -1).all(), plant
    assert_array_equal(detector.fit_predict(X), detector.predict(X))


@pytest.mark.parametrize("size", [10, 60, 1e6, 1e300])
@pytest.mark.parametrize("seed", [0, 1])
def test_one_cell_is_found_without_a_share(size, seed):
    X = np.random.default_rng(seed).normal(size=(1000, 8))
    X[7, 3] = size
    detector = DeepOutlierDetector(contamination="auto", random_state=seed).fit(X)
    assert_array_equal(np.flatnonzero(detector.predict(X) == -1), [7])
    assert detector.outlier_probability(X)[7] > 0.99
    assert detector.explain(X[7:8]).argmax() == 3


@pytest.mark.parametrize("shift", [0, 1e6, 1e9])
def test_rows_far_from_the_origin(shift):
    X = np.random.default_rng(0).normal(size=(400, 4))
    X[5, 1] = 12
    detector = DeepOutlierDetector(contamination="auto", random_state=0).fit(X + shift)
    assert_array_equal(np.flatnonzero(detector.predict(X + shift) == -1), [5])
    assert_allclose(detector.expected(X[:9] + shift) - shift, 0, atol=3)


@pytest.mark.parametrize("code", [-15, -999, -1e6])
@pytest.mark.parametrize("share", [0.02, 0.06])
def test_a_code_for_missing_values_is_found(code, share):
    X = np.random.default_rng(0).normal(size=(500, 8))
    coded = np.arange(500) < 500 * share
    X[coded, 2] = code
    detector = DeepOutlierDetector(contamination="auto", random_state=0).fit(X)
    assert_array_equal(detector.predict(X) == -1, coded)
    assert (detector.explain(X[coded]).argmax(1) == 2).mean() > 0.6


@pytest.mark.parametrize("units", [[1, 1, 8, 8], [1, 1, 1e3, 1e3], [1, 1e3, 1e3, 1e3]])
def test_columns_that_do_not_fit_in_any_units(units):
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(600, 2)), 2, axis=1)
    X += 0.05 * rng.normal(size=X.shape)
    X[7, :2] = [2, -2]
    detector = DeepOutlierDetector(contamination="auto", random_state=0).fit(X * units)
    assert detector.predict(X * units)[7] == -1
    assert detector.score_samples(X * units).argmin() == 7


def test_units_are_no_matter():
    wine = load_wine().data.copy()
    wine[7, 2] = 9.0
    units = 10.0 ** np.arange(-6, 7)
    shifts = np.linspace(0, 1e6, 13)
    plain = DeepOutlierDetector(random_state=0).fit(wine)
    other = DeepOutlierDetector(random_state=0).fit(wine * units + shifts * units)
    assert plain.score_samples(wine).argmin() == 7
    assert_allclose(
        other.score_samples(wine * units + shifts * units),
        plain.score_samples(wine),
        rtol=0.05,
        atol=0.05,
    )


def test_the_order_of_rows_and_columns_is_no_matter_to_neighbours():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    rows, columns = rng.permutation(300), rng.permutation(6)
    first = DeepOutlierDetector(random_state=0).fit(X)
    second = DeepOutlierDetector(random_state=0).fit(X[rows][:, columns])
    assert_allclose(
        second.surprises(X[rows][:, columns])[:, :2],
        first.surprises(X)[rows, :2],
        rtol=1e-6,
    )


def test_a_network_tells_columns_that_do_not_fit():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(1000, 3))
    X = np.tanh(factors @ rng.normal(size=(3, 15))) + 0.05 * rng.normal(size=(1000, 15))
    odd = np.arange(1000) < 20
    for column in range(15):
        X[odd, column] = X[rng.integers(20, 1000, 20), column]
    detector = DeepOutlierDetector(random_state=0).fit(X)
    assert average_precision_score(odd, detector.surprises(X)[:, 2]) > 0.9
    assert average_precision_score(odd, -detector.score_samples(X)) > 0.9


def test_a_small_group_is_odd_and_a_large_one_is_not():
    centers = np.vstack([np.zeros(6), np.full(6, 9.0), np.full(6, -9.0)])
    X, y = make_blobs([600, 350, 50], 6, centers=centers, random_state=0)
    scores = -DeepOutlierDetector(random_state=0).fit(X).score_samples(X)
    assert roc_auc_score(y == 2, scores) > 0.99


@pytest.mark.parametrize("seed", [0, 1])
def test_a_rare_class_is_found_as_well_as_by_plain_detectors(seed):
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(seed)
    rows = np.r_[np.flatnonzero(y == 1), rng.choice(np.flatnonzero(y == 0), 20)]
    X, odd = StandardScaler().fit_transform(X[rows]), y[rows] == 0
    detector = DeepOutlierDetector(random_state=seed).fit(X)
    plain = [
        -IsolationForest(random_state=seed).fit(X).score_samples(X),
        NearestNeighbors(n_neighbors=10).fit(X).kneighbors()[0].mean(1),
    ]
    best = max(roc_auc_score(odd, score) for score in plain)
    assert roc_auc_score(odd, -detector.score_samples(X)) > best - 0.05


# scores, shares and thresholds


def test_scores_are_harmonic_means_of_shares(network, X):
    detector = DeepOutlierDetector(network).fit(X)
    surprises = detector.surprises(X)
    assert surprises.shape == (300, 3)
    shares = np.exp(-surprises)
    assert_allclose(-detector.score_samples(X), -np.log(3 / (1 / shares).sum(1)))
    assert_allclose(together(surprises), logsumexp(surprises, axis=1) - np.log(3))
    assert list(detector.tails_) == list(TELLS)


@pytest.mark.parametrize("to_format", [np.asarray, sp.csr_array])
def test_errors_are_those_of_rows_between_the_fences(network, X, to_format):
    detector = DeepOutlierDetector(network).fit(to_format(X))
    inside = X.clip(detector.columns_.low, detector.columns_.high).astype(np.float32)
    made = network.inverse_transform(network.transform(inside))
    usual = np.square(inside - made).mean(0)
    # Pixels at the edge are empty.
    assert 0.1 < (usual < 0.3 * usual.mean()).mean() < 0.9
    usual = np.maximum(usual, 0.3 * usual.mean())
    assert_allclose(detector.column_errors_, usual, rtol=1e-3)
    stretched = detector.columns_.stretched(X)
    errors = (np.square(stretched - made) / usual).mean(1)
    assert_allclose(
        detector.surprises(to_format(X))[:, 2],
        detector.tails_["reconstruction"].surprise(np.log(errors)),
        rtol=1e-3,
        atol=0.01,
    )


def test_contamination_is_the_share_of_outliers(network, X):
    for contamination in (0.03, 0.5):
        detector = DeepOutlierDetector(network, contamination=contamination)
        outliers = detector.fit_predict(X) == -1
        assert outliers.mean() == pytest.approx(contamination, abs=1.5 / len(X))
        assert outliers.mean() == detector.contamination_
        assert_array_equal(outliers, detector.score_samples(X) < detector.offset_)


def correlated(rng, n_rows):
    X = rng.normal(size=(n_rows, 3)) @ rng.normal(size=(3, 10))
    return X + 0.3 * rng.normal(size=X.shape)


def heavier(rng, n_rows):
    return rng.standard_t(5, size=(n_rows, 8))


def grouped(rng, n_rows):
    return rng.normal(size=(n_rows, 5)) + 5 * rng.integers(0, 3, size=(n_rows, 1))


@pytest.mark.parametrize("draw", [correlated, heavier, grouped])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.05, 0.1])
def test_probabilities_are_calibrated_on_planted_shares(draw, share):
    rng = np.random.default_rng(0)
    X, new = np.split(draw(rng, 2000), 2)
    planted = np.arange(1000) < 1000 * share
    signs = rng.choice([-1, 1], (planted.sum(), X.shape[1]))
    X[planted] += signs * 8 * X.std(0) * rng.uniform(0.5, 1.5, (planted.sum(), 1))
    detector = DeepOutlierDetector(contamination="auto", random_state=0).fit(X)
    probability = detector.outlier_probability(X)
    assert probability.mean() == pytest.approx(share, abs=0.06)
    assert detector.contamination_ == pytest.approx(share, abs=0.02)
    assert probability[~planted].mean() < 0.08
    if share:
        assert probability[planted].mean() > 0.9
    order = np.argsort(detector.score_samples(X))
    assert (np.diff(probability[order]) <= 1e-12).all()
    assert detector.outlier_probability(new).mean() < 0.08


def test_extreme_rows_are_the_outliers(network, X):
    detector = DeepOutlierDetector(network).fit(X)
    rows = X[:20].copy()
    rows[0], rows[1] = 1e20, -1e20
    assert list(detector.predict(rows)[:2]) == [-1, -1]
    assert_array_equal(detector.predict(rows)[2:], detector.predict(X[2:20]))
    assert np.isfinite(detector.score_samples(np.full((1, 64), 1e300))).all()
    assert np.isfinite(detector.explain(np.full((1, 64), 1e300))).all()


def test_rows_that_are_all_equal_are_normal():
    X = np.full((40, 3), 5.0)
    detector = DeepOutlierDetector(contamination="auto", random_state=0).fit(X)
    assert_array_equal(detector.predict(X), 1)
    assert detector.predict([[5.0, 6.0, 5.0]])[0] == -1


# explanations


@pytest.mark.parametrize("scaled", [True, False])
def test_expected_values_are_in_the_units_of_the_data(scaled):
    wine = load_wine().data
    rows = StandardScaler().fit_transform(wine) if scaled else wine
    detector = DeepOutlierDetector(random_state=0).fit(rows)
    expected = detector.expected(rows)
    difference = np.abs(expected - rows).mean(0) / rows.std(0)
    assert (difference < 0.9).all()
    odd = rows[:1].copy()
    odd[0, 4] += 10 * rows[:, 4].std()
    moved = detector.expected(odd)[0, 4] - expected[0, 4]
    assert np.abs(moved) < 1.5 * rows[:, 4].std()
    assert detector.explain(odd).argmax() == 4


def test_a_gross_row_hides_no_column_of_another():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6))
    X[5, 2] = 8.0
    plain = DeepOutlierDetector(random_state=0).fit(X).explain(X[5:6])[0]
    X[0, 1] = 1e6
    beside = DeepOutlierDetector(random_state=0).fit(X).explain(X[5:6])[0]
    assert_allclose(beside[2], plain[2], rtol=0.2)


def test_oddness_of_columns_is_one_on_average(X):
    detector = DeepOutlierDetector(random_state=0).fit(X)
    oddness = detector.explain(X)
    assert (oddness >= 0).all()
    usual = oddness.mean(0)[detector.columns_.low < detector.columns_.high]
    assert 0.3 < np.median(usual) < 1.5
    assert_array_equal(detector.explain(X[7:8])[0], oddness[7])
    assert_array_equal(detector.explain(sp.csr_array(X)), oddness)


# the estimator it wraps


def test_the_default_network_makes_few_steps():
    for n_rows, epochs in ((50, 20), (2000, 20), (20_000, 5), (200_000, 1)):
        assert unlearned(n_rows).max_epochs == epochs
    X = np.random.default_rng(0).normal(size=(300, 4))
    detector = DeepOutlierDetector(random_state=3).fit(X)
    assert detector.estimator_.hidden_units == (256, 128)
    assert detector.estimator is None


@pytest.mark.parametrize("cls", CLUSTERERS)
def test_every_clusterer_with_a_decoder_can_be_wrapped(cls, X):
    detector = tiny(DeepOutlierDetector, estimator=tiny(cls))
    if not hasattr(cls, "inverse_transform"):
        with pytest.raises(TypeError, match="with a decoder"):
            detector.fit(X)
        return
    assert np.isfinite(fitted(detector, X).score_samples(X)).all()


@pytest.mark.parametrize("given", [IsolationForest(), DDCClustering(2)])
def test_what_has_no_decoder_is_refused_before_training(given, X, monkeypatch):
    monkeypatch.setattr(Net, "fit_loop", lambda *a, **k: pytest.fail("training ran"))
    with pytest.raises((TypeError, ValueError), match="estimator"):
        DeepOutlierDetector(given).fit(X)


@pytest.mark.parametrize("freeze", [lambda it: it, FrozenEstimator])
def test_a_fitted_estimator_is_used_as_it_is(freeze, network, X, monkeypatch):
    before = [value.clone() for value in network.module_.state_dict().values()]
    monkeypatch.setattr(Net, "fit_loop", lambda *a, **k: pytest.fail("training ran"))
    detector = DeepOutlierDetector(freeze(network)).fit(X)
    assert detector.estimator_ is network
    copied = clone(detector)
    assert copied.estimator.module_ is network.module_
    copied.fit(X)
    assert_array_equal(copied.score_samples(X), detector.score_samples(X))
    after = network.module_.state_dict().values()
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


def test_parameters_of_a_fitted_estimator_are_not_searched(X):
    gmm = fitted(tiny(AutoencoderGMM), X)
    detector = clone(DeepOutlierDetector(gmm)).set_params(estimator__n_clusters=2)
    with pytest.raises(ValueError, match=r"estimator was fitted with n_clusters=4"):
        detector.fit(X)


def test_fitted_for_other_features(network, X):
    with pytest.raises(ValueError, match="expecting 64 features"):
        DeepOutlierDetector(network).fit(X[:, :10])


def test_search_over_parameters_of_both(X):
    pipeline = make_pipeline(StandardScaler(), tiny(DeepOutlierDetector))
    name = "deepoutlierdetector"
    grid = {
        f"{name}__contamination": [0.05, "auto"],
        f"{name}__estimator__n_clusters": [2, 3],
    }
    y = np.where(X[:, 20] > 8, -1, 1)
    search = fitted(GridSearchCV(pipeline, grid, scoring="roc_auc", cv=2), X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_params_
    assert search.best_estimator_[-1].estimator_.n_clusters in best.values()


def test_a_refit_that_fails_keeps_scores_and_threshold(network, X):
    detector = DeepOutlierDetector(network).fit(X)
    decisions, columns = detector.decision_function(X), detector.explain(X)
    detector.set_params(estimator=tiny(DECClustering, init="k-means", lr=1e30))
    with pytest.raises(ValueError, match="lr"):
        detector.fit(X)
    assert_array_equal(detector.decision_function(X), decisions)
    assert_array_equal(detector.explain(X), columns)
    assert (detector.predict(X) == -1).mean() == pytest.approx(0.1, abs=0.01)


def test_a_detector_of_an_older_version_is_refused(network, X):
    detector = DeepOutlierDetector(network).fit(X)
    state = {**detector.__getstate__(), "_format": 2}
    with pytest.raises(
        ValueError, match=r"older version .* in format 2; .* Fit it again"
    ):
        DeepOutlierDetector().__setstate__(state)
    again = pickle.loads(pickle.dumps(detector))
    assert_array_equal(again.score_samples(X), detector.score_samples(X))


class InterruptOnce(Callback):
    def on_epoch_end(self, net, **kwargs):
        interrupt_next_step(net)


def test_an_interrupted_training_still_gives_a_detector(X):
    network = tiny_autoencoder(callbacks=[InterruptOnce()])
    detector = tiny(DeepOutlierDetector, encoder=network)
    with pytest.raises(KeyboardInterrupt, match="interrupted during the training of"):
        detector.fit(X)
    assert (detector.predict(X) == -1).any()
