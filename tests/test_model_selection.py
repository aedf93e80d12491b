"""Tests of choosing and comparing clusterers without labels."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering
from skdeepcluster.model_selection import (
    AllData,
    calinski_harabasz_scorer,
    davies_bouldin_scorer,
    silhouette_scorer,
)

FACTORIES = [silhouette_scorer, calinski_harabasz_scorer, davies_bouldin_scorer]


class FixedLabels(ClusterMixin, BaseEstimator):
    """A clusterer whose labels are its first column."""

    def fit(self, X, y=None):
        self.labels_ = self.predict(X)
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0].astype(int)


def with_labels(X, labels):
    """Rows that `FixedLabels` clusters so, and a space that hides the labels."""
    return np.column_stack([labels, X]), lambda rows: rows[:, 1:]


@pytest.fixture(scope="module")
def blobs():
    X, _ = make_blobs(120, n_features=4, centers=4, random_state=0)
    return X


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0][:300]


@pytest.fixture
def small_dec():
    autoencoder = Autoencoder((16,), 4, max_epochs=2, batch_size=64)
    return DECClustering(3, autoencoder=autoencoder, max_epochs=2, random_state=0)


@pytest.mark.parametrize(
    ("factory", "index", "sign"),
    [
        (silhouette_scorer, silhouette_score, 1),
        (calinski_harabasz_scorer, calinski_harabasz_score, 1),
        (davies_bouldin_scorer, davies_bouldin_score, -1),
    ],
)
def test_scores_are_those_of_scikit_learn(factory, index, sign, blobs):
    kmeans = KMeans(3, random_state=0).fit(blobs)
    expected = sign * index(blobs, kmeans.labels_)
    assert factory()(kmeans, blobs) == pytest.approx(expected)
    expected = sign * index(normalize(blobs), kmeans.labels_)
    if factory is silhouette_scorer:
        expected = silhouette_score(blobs, kmeans.labels_, metric="cosine")
    assert factory(metric="cosine")(kmeans, blobs) == pytest.approx(expected)


@pytest.mark.parametrize("factory", FACTORIES)
def test_more_clusters_than_there_are_score_less(factory, blobs):
    scorer = factory()
    scores = [
        scorer(KMeans(k, n_init=5, random_state=0).fit(blobs), blobs)
        for k in (4, 12, 30)
    ]
    assert scores[0] > scores[1] > scores[2] or factory is davies_bouldin_scorer
    assert scores[0] == max(scores)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("labels", [np.zeros(30), np.arange(30), np.full(30, -1)])
def test_no_clustering_has_the_low_score(factory, labels, blobs):
    X, space = with_labels(blobs[:30], labels)
    low = {
        silhouette_scorer: -1.0,
        calinski_harabasz_scorer: 0.0,
        davies_bouldin_scorer: -1e6,
    }
    scorer = factory(space=space)
    assert scorer(FixedLabels().fit(X), X) == low[factory]
    X, space = with_labels(blobs[:30], np.arange(30) % 2)
    assert scorer(FixedLabels().fit(X), X) > low[factory]


@pytest.mark.parametrize("factory", FACTORIES)
def test_noise_counts_against_the_score(factory, blobs):
    labels = KMeans(4, n_init=5, random_state=0).fit_predict(blobs)
    noisy = np.where(np.arange(120) < 60, labels, -1)
    scorer = factory(space=lambda rows: rows[:, 1:])
    clean, _ = with_labels(blobs[:60], labels[:60])
    X, _ = with_labels(blobs, noisy)
    ratio = scorer(FixedLabels().fit(X), X) / scorer(FixedLabels().fit(clean), clean)
    assert ratio == pytest.approx(2 if factory is davies_bouldin_scorer else 0.5)


def test_reference_space_is_that_of_the_data_given_to_the_search(blobs):
    X = blobs * [1, 1, 1, 1000]
    pipeline = make_pipeline(StandardScaler(), KMeans(4, random_state=0)).fit(X)
    labels = pipeline.predict(X)
    assert silhouette_scorer()(pipeline, X) == pytest.approx(
        silhouette_score(X, labels)
    )
    scaler = StandardScaler().fit(X)
    expected = silhouette_score(scaler.transform(X), labels)
    for space in (scaler, scaler.transform):
        assert silhouette_scorer(space=space)(pipeline, X) == pytest.approx(expected)


def test_several_spaces_are_averaged(blobs):
    kmeans = KMeans(4, random_state=0).fit(blobs)
    pca = PCA(2).fit(blobs)
    parts = [silhouette_scorer(space=space)(kmeans, blobs) for space in (None, pca)]
    both = silhouette_scorer(space=[None, pca])(kmeans, blobs)
    assert parts[0] != parts[1]
    assert both == pytest.approx(np.mean(parts))


def test_sample_is_the_same_for_every_call_and_close_to_the_whole(digits):
    kmeans = KMeans(10, random_state=0).fit(digits)
    scorer = silhouette_scorer(sample_size=200)
    whole = silhouette_scorer(sample_size=None)(kmeans, digits)
    assert scorer(kmeans, digits) == scorer(kmeans, digits)
    assert scorer(kmeans, digits) != whole
    assert scorer(kmeans, digits) == pytest.approx(whole, abs=0.05)
    other = silhouette_scorer(sample_size=200, random_state=1)
    assert other(kmeans, digits) != scorer(kmeans, digits)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_rows_score_as_dense_ones(factory, metric, digits):
    kmeans = KMeans(5, random_state=0).fit(digits)
    scorer = factory(metric=metric)
    dense = scorer(kmeans, digits)
    assert scorer(kmeans, sp.csr_array(digits)) == pytest.approx(dense)


def test_clusterer_without_predict_is_scored_on_its_training_data(blobs):
    clusterer = AgglomerativeClustering(4).fit(blobs)
    expected = silhouette_score(blobs, clusterer.labels_)
    assert silhouette_scorer()(clusterer, blobs) == pytest.approx(expected)
    pipeline = make_pipeline(StandardScaler(), DBSCAN(eps=0.5)).fit(blobs)
    assert -1 < silhouette_scorer()(pipeline, blobs) < 1
    with pytest.raises(ValueError, match="no predict"):
        silhouette_scorer()(clusterer, blobs[:50])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metric": "l1"}, ValueError, "metric must be one of"),
        ({"sample_size": 1}, ValueError, "sample_size must be None or >= 2"),
        ({"space": 3}, TypeError, "space must be None, a fitted transformer"),
        ({"space": []}, ValueError, r"space=\[\]"),
        ({"space": PCA(2)}, ValueError, "space=PCA is not fitted"),
    ],
)
def test_bad_arguments_are_named_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        silhouette_scorer(**arguments)


def test_rows_that_are_no_numbers_ask_for_a_space():
    X = np.array([["a", "x"], ["b", "y"], ["c", "z"]], dtype=object)
    clusterer = AgglomerativeClustering(2).fit([[1], [2], [3]])
    with pytest.raises(ValueError, match="give space= a fitted transformer"):
        silhouette_scorer()(clusterer, X)


@pytest.mark.parametrize("factory", FACTORIES)
def test_scorer_pickles(factory, blobs):
    scorer = factory(space=PCA(2).fit(blobs), metric="cosine", sample_size=50)
    kmeans = KMeans(4, random_state=0).fit(blobs)
    copied = pickle.loads(pickle.dumps(scorer))
    assert copied(kmeans, blobs) == scorer(kmeans, blobs)
    assert repr(copied) == repr(scorer)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validate_takes_several_scorers_at_once(routing, n_jobs, blobs):
    scoring = {
        "silhouette": silhouette_scorer(),
        "cosine": silhouette_scorer(metric="cosine"),
        "calinski_harabasz": calinski_harabasz_scorer(),
        "davies_bouldin": davies_bouldin_scorer(),
        "external": "adjusted_rand_score",
    }
    y = np.arange(len(blobs)) % 4
    pipeline = make_pipeline(StandardScaler(), KMeans(4, random_state=0))
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = cross_validate(
            pipeline, blobs, y, scoring=scoring, cv=3, n_jobs=n_jobs
        )
    assert set(scores) >= {f"test_{name}" for name in scoring}
    for name in scoring:
        assert np.isfinite(scores[f"test_{name}"]).all()


@pytest.mark.parametrize("factory", FACTORIES)
def test_search_survives_a_candidate_with_one_cluster(factory, blobs):
    search = GridSearchCV(
        KMeans(random_state=0), {"n_clusters": [1, 4]}, scoring=factory(), cv=3
    ).fit(blobs)
    assert search.best_params_ == {"n_clusters": 4}
    assert np.isfinite(search.cv_results_["std_test_score"]).all()


def test_all_data_trains_and_scores_on_every_row(blobs):
    cv = AllData()
    ((train, test),) = cv.split(blobs)
    assert cv.get_n_splits() == 1
    assert np.array_equal(train, np.arange(120))
    assert np.array_equal(test, np.arange(120))


# The user's evening: what people do with a clusterer in scikit-learn.


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_over_a_pipeline(routing, n_jobs, digits, small_dec):
    pipeline = make_pipeline(StandardScaler(), small_dec)
    grid = {"decclustering__n_clusters": [2, 5]}
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            pipeline, grid, scoring=silhouette_scorer(), cv=AllData(), n_jobs=n_jobs
        ).fit(digits)
    scores = search.cv_results_["mean_test_score"]
    best = search.best_estimator_
    assert search.best_score_ == scores.max() == silhouette_scorer()(best, digits)
    assert scores[0] != scores[1]


def test_randomized_search_over_net_params(digits, small_dec):
    settings = [{"optimizer__weight_decay": value} for value in (0.0, 1e-4, 1e-2)]
    search = RandomizedSearchCV(
        small_dec,
        {"net_params": settings, "max_epochs": [1, 2]},
        n_iter=3,
        scoring=silhouette_scorer(),
        cv=AllData(),
        random_state=0,
    ).fit(digits)
    assert search.best_params_["net_params"] in settings


def test_optuna_search(digits, small_dec):
    integration = pytest.importorskip("optuna_integration.sklearn")
    optuna = pytest.importorskip("optuna")
    search = integration.OptunaSearchCV(
        small_dec,
        {"alpha": optuna.distributions.FloatDistribution(0.5, 2.0)},
        cv=AllData(),
        n_trials=2,
        scoring=silhouette_scorer(),
        random_state=0,
    ).fit(digits)
    assert 0.5 <= search.best_params_["alpha"] <= 2.0


def test_halving_search_over_epochs(digits, small_dec):
    search = HalvingGridSearchCV(
        small_dec,
        {"alpha": [0.5, 1.0, 2.0]},
        resource="max_epochs",
        max_resources=4,
        min_resources=1,
        factor=2,
        scoring=silhouette_scorer(),
        cv=AllData(),
        random_state=0,
    ).fit(digits)
    assert search.n_resources_ == [1, 2]
    assert search.best_estimator_.max_epochs == 2


def test_search_trains_a_given_autoencoder_once(digits, small_dec):
    fitted = clone(small_dec.autoencoder).fit(digits)
    small_dec.set_params(autoencoder=fitted)
    search = GridSearchCV(
        small_dec, {"n_clusters": [2, 3]}, scoring=silhouette_scorer(), cv=AllData()
    ).fit(digits)
    pretraining = search.best_estimator_.history_["pretraining"]
    assert pretraining == fitted.history_["pretraining"]


def test_classifier_on_transformed_features(small_dec):
    X, y = load_digits(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(),
        small_dec.set_params(n_clusters=10),
        LogisticRegression(max_iter=2000),
    ).fit(X[:600], y[:600])
    assert pipeline.score(X[600:900], y[600:900]) > 0.3


def test_feature_union(digits, small_dec):
    gmm = AutoencoderGMM(3, autoencoder=small_dec.autoencoder, random_state=0)
    union = FeatureUnion([("pca", PCA(3)), ("dec", small_dec), ("gmm", gmm)])
    Z = union.fit_transform(digits)
    assert Z.shape == (300, 3 + 4 + 4)
    assert len(set(union.get_feature_names_out())) == Z.shape[1]


def test_fitted_search_clones_and_pickles(digits, small_dec):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), small_dec),
        {"decclustering__n_clusters": [2, 3]},
        scoring=silhouette_scorer(space=PCA(2).fit(digits)),
        cv=AllData(),
    ).fit(digits)
    loaded = pickle.loads(pickle.dumps(search))
    assert np.array_equal(loaded.predict(digits), search.predict(digits))
    again = clone(search)
    assert not hasattr(again, "best_estimator_")
    assert np.array_equal(again.fit(digits).predict(digits), search.predict(digits))
