"""Tests of choosing and comparing clusterers without labels."""

import pickle
import re
import sys
from functools import partial

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    normalized_mutual_info_score,
    pairwise_distances,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering
from skdeepcluster._fitted import last_step
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.model_selection import (
    AllData,
    clustering_scorer,
    compare_clusterers,
    select_n_clusters,
)
from skdeepcluster.scores import INDICES, modularity

# Networks are tiny here and trained for a moment: on some machine or other they may
# lose a cluster, which is not what these tests are about.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*distinct clusters:sklearn.exceptions.ConvergenceWarning"
)

matplotlib.use("Agg")

FACTORIES = [partial(clustering_scorer, name) for name in INDICES]
(
    modularity_scorer,
    silhouette_scorer,
    calinski_harabasz_scorer,
    davies_bouldin_scorer,
) = FACTORIES


class FixedLabels(ClusterMixin, BaseEstimator):
    """A clusterer whose labels are its first column."""

    def fit(self, X, y=None):
        self.labels_ = self.predict(X)
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0].astype(int)


class Untouchable(ClusterMixin, BaseEstimator):
    """A clusterer that nobody may fit."""

    def fit(self, X, y=None):
        pytest.fail("The arguments were not checked before the first fit.")


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
    return DECClustering(
        3, encoder=autoencoder, init="k-means", max_epochs=2, random_state=0
    )


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
        modularity_scorer: -0.5,
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
    X, _ = with_labels(blobs, noisy)
    if factory is modularity_scorer:
        whole, _ = with_labels(blobs, labels)
        assert scorer(FixedLabels().fit(X), X) < 0.7 * scorer(
            FixedLabels().fit(whole), whole
        )
        return
    clean, _ = with_labels(blobs[:60], labels[:60])
    ratio = scorer(FixedLabels().fit(X), X) / scorer(FixedLabels().fit(clean), clean)
    assert ratio == pytest.approx(2 if factory is davies_bouldin_scorer else 0.5)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_modularity_is_that_of_its_definition(metric, blobs):
    X, n = blobs[:30], 30
    labels = KMeans(3, random_state=0).fit_predict(X)
    labels[:2] = -1
    distances = pairwise_distances(X, metric=metric)
    np.fill_diagonal(distances, np.inf)
    edges = np.zeros((n, n))
    for i in range(n):
        for j in np.argsort(distances[i])[:4]:
            edges[i, j] += 1
            edges[j, i] += 1
    degrees, total = edges.sum(1), edges.sum()
    expected = sum(
        edges[i, j] / total - degrees[i] * degrees[j] / total**2
        for i in range(n)
        for j in range(n)
        if labels[i] == labels[j] != -1
    )
    labelled, space = with_labels(X, labels)
    scorer = clustering_scorer(space=space, metric=metric, n_neighbors=4)
    assert scorer(FixedLabels().fit(labelled), labelled) == pytest.approx(expected)
    for n_neighbors in (0, 2.5):
        with pytest.raises(ValueError, match="n_neighbors must be an integer >= 1"):
            clustering_scorer(n_neighbors=n_neighbors)


def test_reference_space_is_that_of_the_data_given_to_the_search(blobs):
    X = blobs * [1, 1, 1, 1000]
    pipeline = make_pipeline(StandardScaler(), KMeans(4, random_state=0)).fit(X)
    labels = pipeline.predict(X)
    assert clustering_scorer("silhouette")(pipeline, X) == pytest.approx(
        silhouette_score(X, labels)
    )
    scaler = StandardScaler().fit(X)
    expected = silhouette_score(scaler.transform(X), labels)
    for space in (scaler, scaler.transform):
        assert clustering_scorer("silhouette", space=space)(
            pipeline, X
        ) == pytest.approx(expected)


def test_several_spaces_are_averaged(blobs):
    kmeans = KMeans(4, random_state=0).fit(blobs)
    pca = PCA(2).fit(blobs)
    parts = [
        clustering_scorer("silhouette", space=space)(kmeans, blobs)
        for space in (None, pca)
    ]
    both = clustering_scorer("silhouette", space=[None, pca])(kmeans, blobs)
    assert parts[0] != parts[1]
    assert both == pytest.approx(np.mean(parts))


def test_sample_is_the_same_for_every_call_and_close_to_the_whole(digits):
    kmeans = KMeans(10, random_state=0).fit(digits)
    scorer = clustering_scorer("silhouette", sample_size=200)
    whole = clustering_scorer("silhouette", sample_size=None)(kmeans, digits)
    assert scorer(kmeans, digits) == scorer(kmeans, digits)
    assert scorer(kmeans, digits) != whole
    assert scorer(kmeans, digits) == pytest.approx(whole, abs=0.05)
    other = clustering_scorer("silhouette", sample_size=200, random_state=1)
    assert other(kmeans, digits) != scorer(kmeans, digits)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_sparse_rows_score_as_dense_ones(factory, metric, digits):
    kmeans = KMeans(5, random_state=0).fit(digits)
    scorer = factory(metric=metric)
    dense = scorer(kmeans, digits)
    # Equal distances between digits may be sorted otherwise, and give other neighbours.
    close = 1e-2 if factory is modularity_scorer else 1e-6
    assert scorer(kmeans, sp.csr_array(digits)) == pytest.approx(dense, rel=close)


def test_clusterer_without_predict_is_scored_on_its_training_data(blobs):
    clusterer = AgglomerativeClustering(4).fit(blobs)
    expected = silhouette_score(blobs, clusterer.labels_)
    assert clustering_scorer("silhouette")(clusterer, blobs) == pytest.approx(expected)
    pipeline = make_pipeline(StandardScaler(), DBSCAN(eps=0.5)).fit(blobs)
    assert -1 < clustering_scorer("silhouette")(pipeline, blobs) < 1
    with pytest.raises(ValueError, match="no predict"):
        clustering_scorer("silhouette")(clusterer, blobs[:50])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metric": "l1"}, ValueError, "metric must be one of"),
        ({"sample_size": 1}, ValueError, "None or an integer >= 2, got 1"),
        ({"sample_size": 9.5}, ValueError, "None or an integer >= 2, got 9.5"),
        ({"space": 3}, TypeError, "space must be None, a fitted transformer"),
        ({"space": []}, ValueError, r"space=\[\]"),
        ({"space": PCA(2)}, ValueError, "space=PCA is not fitted"),
        ({"random_state": None}, TypeError, "random_state must be an integer"),
        ({"random_state": 0.5}, TypeError, "random_state must be an integer"),
        ({"random_state": -1}, ValueError, "must not be negative, got -1"),
    ],
)
def test_bad_arguments_are_named_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        clustering_scorer("silhouette", **arguments)


def test_rows_that_are_no_numbers_ask_for_a_space():
    X = np.array([["a", "x"], ["b", "y"], ["c", "z"]], dtype=object)
    clusterer = AgglomerativeClustering(2).fit([[1], [2], [3]])
    with pytest.raises(ValueError, match="give space= a fitted transformer"):
        clustering_scorer("silhouette")(clusterer, X)


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
        "silhouette": clustering_scorer("silhouette"),
        "cosine": clustering_scorer("silhouette", metric="cosine"),
        "calinski_harabasz": clustering_scorer("calinski_harabasz"),
        "davies_bouldin": clustering_scorer("davies_bouldin"),
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


# Comparison


@pytest.fixture(scope="module")
def comparison(digits):
    autoencoder = Autoencoder((16,), 4, max_epochs=3, batch_size=64, random_state=0)
    autoencoder.fit(digits)
    y = load_digits().target[:300]
    candidates = {
        "k-means": KMeans(10, random_state=0),
        "mixture": GaussianMixture(5, covariance_type="diag", random_state=0),
        "agglomerative": AgglomerativeClustering(10),
        "noisy": HDBSCAN(min_cluster_size=15, copy=True),
        "pipeline": make_pipeline(PCA(5), KMeans(10)),
        "dec": DECClustering(10, encoder=autoencoder, max_epochs=1),
        "latent": AutoencoderGMM(10, encoder=autoencoder, reg_covar=1e-3),
        "broken <b>": KMeans(1000),
    }
    return compare_clusterers(candidates, digits, y, n_runs=2)


def test_comparison_has_a_row_for_every_candidate(comparison, digits):
    table = comparison.table
    assert list(table.index) == [
        "k-means",
        "mixture",
        "agglomerative",
        "noisy",
        "pipeline",
        "dec",
        "latent",
        "broken <b>",
    ]
    good = table.drop(index="broken <b>")
    assert (good["error"] == "").all()
    numbers = good.drop(columns=["error", "predict_seconds", "peak_memory_mb"])
    assert np.isfinite(numbers.to_numpy(dtype=float)).all()
    assert table.loc["k-means", "n_clusters"] == 10
    assert table.loc["noisy", "noise"] > 0
    assert np.isnan(table.loc["agglomerative", "predict_seconds"])
    assert table.loc["k-means", "predict_seconds"] > 0
    expected = silhouette_score(digits, comparison.labels["k-means"])
    assert table.loc["k-means", "silhouette"] == pytest.approx(expected)


def test_failing_candidate_has_a_row_with_its_error(comparison):
    row = comparison.table.loc["broken <b>"]
    assert row["error"].startswith("ValueError: n_samples=300 should be >=")
    assert row.drop("error").isna().all()
    assert "broken <b>" not in comparison.estimators


def test_external_scores_are_those_of_the_labels(comparison):
    y = load_digits().target[:300]
    for name, labels in comparison.labels.items():
        row = comparison.table.loc[name]
        assert row["nmi"] == normalized_mutual_info_score(y, labels)
        assert row["ari"] == adjusted_rand_score(y, labels)
        assert row["accuracy"] == clustering_accuracy(y, labels)


def test_pooled_silhouette_is_the_mean_over_distinct_spaces(comparison, digits):
    latent, dec = comparison.estimators["latent"], comparison.estimators["dec"]
    pca = comparison.estimators["pipeline"][:-1]
    spaces = [digits] + [each.transform(digits) for each in (pca, dec, latent)]
    for name, labels in comparison.labels.items():
        clustered = labels != -1
        expected = clustered.mean() * np.mean(
            [silhouette_score(Z[clustered], labels[clustered]) for Z in spaces]
        )
        value = comparison.table.loc[name, "pooled_silhouette"]
        assert value == pytest.approx(expected, abs=1e-4)
    assert comparison.best_name == comparison.table["modularity"].idxmax()


def test_equal_spaces_count_once(blobs):
    candidates = {str(k): make_pipeline(PCA(2), KMeans(k)) for k in (3, 4, 5)}
    result = compare_clusterers(candidates, blobs, n_runs=1)
    assert result.spaces["3"] is result.spaces["4"] is result.spaces["5"]
    Z = PCA(2).fit_transform(blobs)
    expected = [silhouette_score(space, result.labels["4"]) for space in (blobs, Z)]
    value = result.table.loc["4", "pooled_silhouette"]
    assert value == pytest.approx(np.mean(expected))


def test_comparison_is_deterministic_and_leaves_candidates_alone(blobs):
    candidates = {"a": KMeans(4), "b": KMeans(4, random_state=7)}
    first = compare_clusterers(candidates, blobs).table
    second = compare_clusterers(candidates, blobs).table
    timed = ["fit_seconds", "predict_seconds", "peak_memory_mb"]
    assert first.drop(columns=timed).equals(second.drop(columns=timed))
    assert candidates["a"].random_state is None
    assert not hasattr(candidates["a"], "labels_")


def test_stability_tells_a_safe_number_of_clusters_from_a_wild_one():
    X, _ = make_blobs(200, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    candidates = {str(k): KMeans(k, n_init=1) for k in (3, 12)}
    stability = compare_clusterers(candidates, X, n_runs=4).table["stability"]
    assert stability["3"] == pytest.approx(1)
    assert stability["12"] < 0.9
    skipped = compare_clusterers(candidates, X, n_runs=1).table["stability"]
    assert skipped.isna().all()


def test_comparison_takes_lists_frames_and_sparse_rows(blobs):
    pandas = pytest.importorskip("pandas")
    candidates = [KMeans(3), KMeans(4), AgglomerativeClustering(4)]
    table = compare_clusterers(candidates, blobs, n_runs=1).table
    assert list(table.index) == ["kmeans-1", "kmeans-2", "agglomerativeclustering"]
    named = [("three", KMeans(3)), ("four", KMeans(4))]
    for rows in (pandas.DataFrame(blobs).add_prefix("x"), sp.csr_array(blobs)):
        result = compare_clusterers(named, rows, n_runs=2, metric="cosine")
        assert (result.table["error"] == "").all()


def test_texts_are_compared_in_a_given_space_or_what_makes_rows_of_them():
    texts = ["red apple", "apple pie", "green apple", "fast car", "car race", "a car"]
    space = TfidfVectorizer().fit(texts)
    pipeline = make_pipeline(TfidfVectorizer(), KMeans(2))
    result = compare_clusterers({"it": pipeline}, texts, space=space, subsample=0.9)
    assert result.table.loc["it", "error"] == ""
    common = compare_clusterers({"it": pipeline}, texts, subsample=0.9)
    assert common.table.loc["it", "modularity"] == result.table.loc["it", "modularity"]
    with pytest.raises(ValueError, match="give space="):
        compare_clusterers([KMeans(2)], texts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimators": []}, "no clusterer"),
        ({"estimators": KMeans()}, "put it into a list"),
        ({"estimators": [("a", KMeans()), ("a", KMeans())]}, "names that differ"),
        ({"metric": "l1"}, "metric must be one of"),
        ({"n_runs": 0}, "n_runs must be an integer >= 1, got 0"),
        ({"n_runs": 2.5}, "n_runs must be an integer >= 1, got 2.5"),
        ({"subsample": 1.5}, r"subsample must be in \(0, 1\]"),
        ({"sample_size": 1}, "None or an integer >= 2, got 1"),
        ({"random_state": None}, "random_state must be an integer, got None"),
        ({"random_state": -1}, "random_state must not be negative"),
        ({"y": [0, 1]}, "inconsistent numbers of samples"),
        ({"y": np.full(120, np.nan)}, "y has missing values"),
        ({"y": [None] * 120}, "y has missing values"),
        ({"y": np.zeros((120, 2))}, "y must hold one label for each row"),
        ({"space": PCA()}, "space=PCA is not fitted"),
    ],
)
def test_bad_comparisons_are_refused_at_once(arguments, message, blobs):
    arguments = {"estimators": [Untouchable()], **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        compare_clusterers(X=blobs, **arguments)


def test_progress_is_silent_unless_asked_for(blobs, capsys):
    compare_clusterers([KMeans(2)], blobs, n_runs=1)
    assert capsys.readouterr() == ("", "")
    compare_clusterers([KMeans(2)], blobs, n_runs=1, progress=True)
    assert "1/1" in capsys.readouterr().err


def test_comparison_plots_and_reports(comparison, tmp_path):
    figure = comparison.plot()
    assert len(figure.axes) > 3
    path = tmp_path / "report.html"
    page = comparison.to_html(path)
    assert path.read_text(encoding="utf-8") == page
    assert page.count("<img") == 1 + len(comparison.estimators)
    assert "broken &lt;b&gt;" in page
    assert "broken <b>" not in page
    # One file: nothing is fetched from anywhere.
    assert "src=" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


def test_report_marks_ties_and_explains_what_is_no_score(blobs):
    candidates = {
        "a $ tie": KMeans(4, random_state=0),
        "another $": KMeans(4, random_state=0, max_iter=299),
        "fewer": KMeans(2, random_state=0),
        "one": KMeans(1),
        "no predict": AgglomerativeClustering(2),
    }
    result = compare_clusterers(candidates, blobs, n_runs=1)
    page = result.to_html()
    assert page.count('<tr class="best">') == 2
    assert (
        "Highest modularity: <b>a $ tie</b> and <b>another $</b>, a tie to three "
        "decimals." in page
    )
    assert "<td>n/a</td>" in page
    assert "<dt>n/a</dt>" in page
    # What is said of one cluster is what it gets.
    one = result.table.loc["one"]
    scores = ["modularity", "silhouette", "calinski_harabasz", "davies_bouldin"]
    assert one[scores].tolist() == [-0.5, -1, 0, 1_000_000]
    assert "<dt>one cluster</dt>" in page
    alone = compare_clusterers({"alone": KMeans(4)}, blobs, n_runs=1).to_html()
    assert "a tie" not in alone


def test_every_row_a_cluster_of_its_own_is_reported(blobs):
    page = compare_clusterers([KMeans(5)], blobs[:5], n_runs=1).to_html()
    assert page.count("<img") == 2


def test_names_that_are_no_strings_become_some(blobs):
    result = compare_clusterers({3: KMeans(3), 4: KMeans(4)}, blobs, n_runs=1)
    assert list(result.table.index) == list(result.estimators) == ["3", "4"]
    assert "<h2>3</h2>" in result.to_html()
    with pytest.raises(ValueError, match="names that differ"):
        compare_clusterers({3: KMeans(3), "3": KMeans(4)}, blobs)


def test_candidate_is_kept_where_only_its_stability_fails(blobs):
    result = compare_clusterers([KMeans(5)], blobs[:5])
    row = result.table.loc["kmeans"]
    assert row["n_clusters"] == 5
    assert np.isnan(row["stability"])
    assert row["error"].startswith("Stability: ValueError: n_samples=4 should be")
    assert result.best_name == "kmeans"
    assert "<b>kmeans</b> failed in part: Stability: ValueError" in result.to_html()


def test_more_clusters_than_a_subsample_has_rows_can_be_chosen():
    X = 9.0 * np.arange(10).reshape(-1, 1)
    X = np.concatenate([X, X[:1] + 0.1])
    selection = select_n_clusters(KMeans(), X, [2, 10], criterion="silhouette")
    assert selection.table["silhouette"].notna().all()
    assert np.isnan(selection.table.loc[10, "stability"])
    with pytest.raises(ValueError, match="has a stability: Stability: ValueError"):
        select_n_clusters(KMeans(), X, [9, 10], subsample=0.5, criterion="stability")


@pytest.mark.parametrize("to_sparse", [sp.dia_array, sp.coo_array, sp.bsr_array])
def test_sparse_rows_of_any_format_are_scored_and_compared(to_sparse, blobs):
    dense = blobs[:60]
    kmeans = KMeans(4, random_state=0).fit(dense)
    X = to_sparse(dense)
    expected = clustering_scorer("silhouette")(kmeans, dense)
    assert clustering_scorer("silhouette")(kmeans, X) == pytest.approx(expected)
    table = compare_clusterers([KMeans(4)], X, n_runs=2).table
    assert table["error"].tolist() == [""]
    assert table["silhouette"].tolist() == pytest.approx([expected])


def test_report_without_matplotlib_names_the_extra(blobs, monkeypatch):
    result = compare_clusterers([KMeans(2)], blobs, n_runs=1)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"matplotlib.*skdeepcluster\[compare\]"):
        result.to_html()


def test_comparison_of_failures_only_says_so(blobs):
    result = compare_clusterers({"broken": KMeans(1000)}, blobs)
    assert "broken" in result.to_html()
    with pytest.raises(ValueError, match="Every candidate failed"):
        result.plot()
    with pytest.raises(ValueError, match="Every candidate failed"):
        _ = result.best_name


@pytest.mark.parametrize("missing", ["pandas", "tqdm"])
def test_missing_extra_is_named(missing, blobs, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"{missing}.*skdeepcluster\[compare\]"):
        compare_clusterers([KMeans(2)], blobs)


# Number of clusters


@pytest.mark.parametrize(
    "criterion",
    ["modularity_silhouette", "modularity", "silhouette", "pooled_silhouette"],
)
@pytest.mark.parametrize(
    "estimator",
    [KMeans(), GaussianMixture(), make_pipeline(StandardScaler(), KMeans())],
)
def test_number_of_separated_clusters_is_found(estimator, criterion):
    corners = 9 * np.array([[0, 0], [1, 0], [0, 1], [1, 1.5]])
    X, _ = make_blobs(200, centers=corners, random_state=0)
    selection = select_n_clusters(estimator, X, range(2, 8), criterion=criterion)
    assert selection.n_clusters == 4
    assert list(selection.table.index) == [2, 3, 4, 5, 6, 7]
    assert len(np.unique(selection.estimator.predict(X))) == 4
    assert selection.reasons[0].startswith("4 clusters have the highest")
    assert selection.plot().axes


def test_default_criterion_keeps_large_flat_clusters_whole():
    X, _ = make_blobs(1000, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    selection = select_n_clusters(KMeans(), X, range(2, 9), n_runs=1)
    table = selection.table
    assert selection.n_clusters == 3
    # What the silhouette is added for: neighbours alone don't mind a cut.
    assert table["modularity"].idxmax() > 3
    expected = table["modularity"] + table["silhouette"]
    assert np.array_equal(table["modularity_silhouette"], expected)


def test_bic_is_there_for_mixtures(blobs):
    selection = select_n_clusters(GaussianMixture(), blobs, [2, 4, 6], criterion="bic")
    table = selection.table
    for k in table.index:
        mixture = GaussianMixture(k, random_state=0).fit(blobs)
        assert table.loc[k, "bic"] == pytest.approx(mixture.bic(blobs))
    assert selection.n_clusters == table["bic"].idxmin()
    assert "lowest BIC" in selection.reasons[0]


@pytest.mark.parametrize("piped", [False, True])
def test_candidates_share_one_pretrained_autoencoder(piped, digits, small_dec):
    estimator = make_pipeline(StandardScaler(), small_dec) if piped else small_dec
    selection = select_n_clusters(estimator, digits, [3, 5], n_runs=2)
    chosen = selection.estimator[-1] if piped else selection.estimator
    assert hasattr(chosen.encoder, "module_")
    durations = chosen.history_["pretraining"]
    assert durations == chosen.encoder.history_["pretraining"]
    assert not hasattr(small_dec.encoder, "module_")
    assert small_dec.n_clusters == 3


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("n_runs", [1, 3])
def test_a_graph_is_fitted_once_and_cut(piped, n_runs, blobs, monkeypatch):
    fits = []
    fit = GraphClustering.fit
    monkeypatch.setattr(
        GraphClustering,
        "fit",
        lambda self, X, y=None: fits.append(fit(self, X)) or self,
    )
    graph = GraphClustering(n_init=2)
    estimator = make_pipeline(StandardScaler(), graph) if piped else graph
    selection = select_n_clusters(estimator, blobs, range(1, 7), n_runs=n_runs)
    assert len(fits) == n_runs
    assert selection.n_clusters == 4
    chosen = last_step(selection.estimator)
    assert chosen.n_clusters == 4
    assert_array_equal(chosen.labels_, fits[0].cut(4))
    assert_array_equal(selection.estimator.predict(blobs), chosen.labels_)
    table = selection.table
    for k in range(2, 7):
        expected = modularity(blobs, fits[0].cut(k), "euclidean")
        assert table.loc[k, "modularity"] == pytest.approx(expected)
    assert table["stability"][2:].notna().all() == (n_runs > 1)
    assert not hasattr(graph, "labels_")


def test_numbers_beyond_the_leaves_of_a_tree_have_fits_of_their_own(blobs):
    graph = GraphClustering(n_init=1, resolution=0.1, random_state=0)
    assert graph.fit(blobs).n_leaves_ < 40
    selection = select_n_clusters(graph, blobs, [4, 40], n_runs=2)
    assert selection.table["n_clusters"].tolist() == [4, 40]
    assert selection.table["error"].tolist() == ["", ""]


def test_a_graph_of_rows_without_clusters_is_cut_to_one():
    X = np.random.default_rng(0).uniform(size=(300, 2))
    selection = select_n_clusters(GraphClustering(n_init=2), X, [2, 3, 4], n_runs=1)
    assert selection.n_clusters == 1
    assert_array_equal(selection.estimator.labels_, 0)


def test_choice_at_the_end_of_the_range_is_doubted(blobs):
    selection = select_n_clusters(KMeans(), blobs, [4, 9, 12], n_runs=1)
    assert selection.n_clusters == 4
    assert "The choice is at the end of k_range: widen it." in selection.reasons


@pytest.mark.parametrize(
    ("estimator", "k_range", "criterion", "error", "message"),
    [
        (KMeans(), [3], "silhouette", ValueError, "two integers or more"),
        (KMeans(), [2.5, 3], "silhouette", ValueError, "two integers or more"),
        (KMeans(), 5, "silhouette", TypeError, "k_range must hold numbers"),
        (KMeans, [2, 3], "silhouette", TypeError, "estimator must be a clusterer"),
        (None, [2, 3], "silhouette", TypeError, "estimator must be a clusterer"),
        (KMeans(), [2, 3], "bic", ValueError, "criterion='bic' needs a mixture"),
        (KMeans(), [0, 3], "silhouette", ValueError, "between 1 and n_samples"),
        (KMeans(), [3, 120], "silhouette", ValueError, "between 1 and n_samples"),
        (KMeans(), [2, 3], "nmi", ValueError, "criterion must be one of"),
        (DBSCAN(), [2, 3], "silhouette", TypeError, "no parameter n_clusters"),
        (KMeans(algorithm="no"), [2, 3], "silhouette", ValueError, "No number"),
    ],
)
def test_bad_choices_are_refused(estimator, k_range, criterion, error, message, blobs):
    with pytest.raises(error, match=message):
        select_n_clusters(estimator, blobs, k_range, criterion=criterion)


def test_stability_decides_only_where_it_was_measured(blobs):
    with pytest.raises(ValueError, match="criterion='stability' needs n_runs"):
        select_n_clusters(KMeans(), blobs, [2, 3], criterion="stability", n_runs=1)


# Rows without clusters


def spiral(rng, n_samples):
    angle = 6 * np.pi * np.sqrt(rng.uniform(0.02, 1, n_samples))
    rows = np.column_stack([angle * np.cos(angle), angle * np.sin(angle)])
    return rows + rng.normal(0, 0.4, rows.shape)


def line(rng, n_samples):
    place = rng.uniform(0, 100, n_samples)
    return np.column_stack([place, place / 2]) + rng.normal(0, 0.3, (n_samples, 2))


def codes(rng, n_samples, centers):
    place = rng.choice(centers, n_samples)[:, None]
    return (place + rng.normal(0, 0.7, (n_samples, 4))).round().clip(1, 5)


def two(rng, n_samples, share, *center):
    rows = rng.normal(size=(n_samples, len(center)))
    return rows + np.outer(np.arange(n_samples) >= share * n_samples, center)


STRUCTURELESS = {
    "gaussian 1": lambda rng: rng.normal(size=(500, 1)),
    "gaussian 2": lambda rng: rng.normal(size=(500, 2)),
    "gaussian 10": lambda rng: rng.normal(size=(500, 10)),
    "gaussian 50": lambda rng: rng.normal(size=(500, 50)),
    "repeated": lambda rng: np.repeat(rng.normal(size=(125, 2)), 4, axis=0),
    "uniform 2": lambda rng: rng.uniform(size=(500, 2)),
    "uniform 3": lambda rng: rng.uniform(size=(500, 3)),
    "uniform 4": lambda rng: rng.uniform(size=(500, 4)),
    "exponential 10": lambda rng: rng.exponential(size=(500, 10)),
    "line": lambda rng: line(rng, 500),
    "spiral": lambda rng: spiral(rng, 1000),
    "codes": lambda rng: codes(rng, 500, [3.0]),
    "far": lambda rng: 1e6 + rng.normal(size=(500, 2)),
}

CLUSTERED = {
    "far": lambda rng: two(rng, 500, 0.5, 12, 0),
    "touching": lambda rng: two(rng, 1500, 0.5, 4, 0),
    "touching in 50": lambda rng: two(rng, 1500, 0.5, 4, *[0] * 49),
    "uneven": lambda rng: two(rng, 1500, 0.8, 5, 2, 0, 0, 0),
    "one column": lambda rng: two(rng, 500, 0.5, 6),
    "four": lambda rng: make_blobs(
        500,
        centers=[[0, 0], [12, 0], [0, 12], [12, 12]],
        random_state=int(rng.integers(99)),
    )[0],
    "fifty": lambda rng: make_blobs(
        1500, 30, centers=50, random_state=int(rng.integers(99))
    )[0],
    "moons": lambda rng: make_moons(
        1000, noise=0.08, random_state=int(rng.integers(99))
    )[0],
    "repeated": lambda rng: np.repeat(two(rng, 200, 0.5, 12, 0), 4, axis=0),
    "digits": lambda rng: load_digits().data[rng.permutation(1797)[:1000]],
    "iris": lambda rng: load_iris().data[rng.permutation(150)],
    "codes": lambda rng: codes(rng, 1000, [1.8, 4.2]),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", STRUCTURELESS)
def test_one_cluster_where_there_is_no_structure(name, seed):
    X = STRUCTURELESS[name](np.random.default_rng(seed))
    settings = {"n_runs": 1, "n_references": 1, "random_state": seed}
    selection = select_n_clusters(KMeans(), X, [2, 4], **settings)
    assert selection.n_clusters == 1
    assert np.array_equal(selection.estimator.labels_, np.zeros(len(X)))
    assert selection.reasons[0].startswith("Nothing shows that there are clusters")
    assert selection.reasons[1].startswith("Of the others, ")


@pytest.mark.parametrize("name", CLUSTERED)
def test_more_than_one_cluster_where_there_are_some(name):
    X = CLUSTERED[name](np.random.default_rng(0))
    selection = select_n_clusters(KMeans(), X, [2, 4], n_runs=1, n_references=1)
    assert selection.n_clusters > 1
    assert selection.reasons[-1].startswith("There are clusters")


def test_gap_keeps_touching_clusters_whole():
    X = CLUSTERED["touching"](np.random.default_rng(0))
    selection = select_n_clusters(KMeans(), X, range(2, 7), n_runs=1, criterion="gap")
    assert selection.n_clusters == 2
    assert selection.table["modularity_silhouette"].idxmax() > 2


@pytest.mark.parametrize("criterion", ["modularity_silhouette", "stability", "bic"])
def test_one_may_be_asked_for(criterion, blobs):
    settings = {"criterion": criterion, "n_runs": 2}
    selection = select_n_clusters(GaussianMixture(), blobs, [1, 2, 4], **settings)
    assert selection.n_clusters > 1
    single = selection.table.loc[1]
    assert single[["modularity", "silhouette", "stability"]].isna().all()
    assert np.isfinite(single["bic"])
    assert selection.plot().axes
    X = np.random.default_rng(0).normal(size=(200, 2))
    selection = select_n_clusters(GaussianMixture(), X, [1, 2, 4], **settings)
    assert selection.n_clusters == selection.estimator.n_components == 1
    assert selection.plot().axes


class TwoOrMore(KMeans):
    """A clusterer that can't have a single cluster."""

    def fit(self, X, y=None):
        if self.n_clusters < 2:
            raise ValueError("n_clusters must be 2 or more.")
        return super().fit(X)


def test_choice_of_one_may_have_no_estimator():
    X = np.random.default_rng(0).uniform(size=(200, 2))
    selection = select_n_clusters(TwoOrMore(), X, [2, 4], n_runs=1)
    assert selection.n_clusters == 1
    assert selection.estimator is None
    assert selection.reasons[-1].endswith("one cluster: n_clusters must be 2 or more.")


def test_without_references_there_are_clusters_by_assumption():
    X = np.random.default_rng(0).uniform(size=(200, 2))
    selection = select_n_clusters(KMeans(), X, [2, 4], n_runs=1, n_references=0)
    assert selection.n_clusters > 1
    assert not any("clusters:" in reason for reason in selection.reasons)
    comparison = compare_clusterers([KMeans(3)], X, n_runs=1, n_references=0)
    assert comparison.clustered is None
    assert "modularity_reference" not in comparison.table
    assert "without clusters" not in comparison.to_html()
    with pytest.raises(ValueError, match="criterion='gap' needs n_references"):
        select_n_clusters(KMeans(), X, [2, 4], n_references=0, criterion="gap")
    with pytest.raises(ValueError, match="n_references must be an integer >= 0"):
        compare_clusterers([Untouchable()], X, n_references=-1)


def test_few_rows_cant_tell():
    comparison = compare_clusterers([KMeans(2)], np.eye(10), n_runs=1)
    assert comparison.clustered is None
    assert comparison.evidence.startswith("Fewer than 50 distinct rows")
    equal = compare_clusterers([DBSCAN()], np.ones((60, 2)), n_runs=1)
    assert equal.clustered is None
    assert np.isnan(equal.table.loc["dbscan", "modularity_reference"])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_comparison_says_what_scores_were_without_clusters(metric):
    X = np.random.default_rng(0).uniform(size=(300, 2))
    before, state = X.copy(), np.random.get_state()[1].copy()
    candidates = {"six": KMeans(6), "mixture": GaussianMixture(6), "one": KMeans(1)}
    settings = {"n_runs": 1, "metric": metric}
    result = compare_clusterers(candidates, X, **settings)
    table = result.table
    assert result.clustered is False
    for score in ("modularity", "silhouette"):
        expected = table[f"{score}_reference"]
        assert expected["six"] == expected["mixture"]
        assert np.isnan(expected["one"])
        if metric == "euclidean":
            assert expected["six"] == pytest.approx(table.loc["six", score], abs=0.1)
            assert expected["six"] > 0.3
    page = result.to_html()
    assert "without clusters, its silhouette of" in page
    assert "Nothing shows that there are clusters" in page
    again = compare_clusterers(candidates, X, **settings).table
    assert again["modularity_reference"].equals(table["modularity_reference"])
    assert np.array_equal(X, before)
    assert np.array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("factory", FACTORIES)
def test_gap_of_a_scorer_is_what_exceeds_the_reference(factory, blobs):
    scorer = factory(n_references=2)
    one, four = KMeans(1), KMeans(4, random_state=0).fit(blobs)
    assert scorer(one.fit(blobs), blobs) == 0
    assert 0 < scorer(four, blobs) == scorer(four, blobs)
    assert scorer(four, blobs) != factory()(four, blobs)
    X = np.random.default_rng(0).normal(size=(500, 3))
    search = GridSearchCV(
        KMeans(random_state=0), {"n_clusters": [1, 2, 8]}, scoring=scorer, cv=AllData()
    )
    assert search.fit(X).best_params_ == {"n_clusters": 1}
    with pytest.raises(ValueError, match="n_references must be an integer"):
        factory(n_references=0.5)


# The user's evening: what people do with a clusterer in scikit-learn.


@pytest.mark.parametrize(
    ("routing", "n_jobs"), [(False, None), (True, None), (False, 2)]
)
def test_grid_search_over_a_pipeline(routing, n_jobs, digits, small_dec):
    pipeline = make_pipeline(StandardScaler(), small_dec)
    grid = {"decclustering__n_clusters": [2, 5]}
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(
            pipeline,
            grid,
            scoring=clustering_scorer("silhouette"),
            cv=AllData(),
            n_jobs=n_jobs,
        ).fit(digits)
    scores = search.cv_results_["mean_test_score"]
    best = search.best_estimator_
    assert (
        search.best_score_
        == scores.max()
        == clustering_scorer("silhouette")(best, digits)
    )
    assert scores[0] != scores[1]


def test_randomized_search_over_net_params(digits, small_dec):
    settings = [{"optimizer__weight_decay": value} for value in (0.0, 1e-4, 1e-2)]
    search = RandomizedSearchCV(
        small_dec,
        {"training__net_params": settings, "max_epochs": [1, 2]},
        n_iter=3,
        scoring=clustering_scorer("silhouette"),
        cv=AllData(),
        random_state=0,
    ).fit(digits)
    assert search.best_params_["training__net_params"] in settings


# Optuna warns of itself, and that one split gives no spread of the score.
@pytest.mark.filterwarnings(
    "ignore:OptunaSearchCV is experimental",
    "ignore:`optuna.terminator` module has been deprecated",
    "ignore:Failed to report cross validation scores",
)
def test_optuna_search(digits, small_dec):
    integration = pytest.importorskip("optuna_integration.sklearn")
    optuna = pytest.importorskip("optuna")
    search = integration.OptunaSearchCV(
        small_dec,
        {"lr": optuna.distributions.FloatDistribution(1e-4, 1e-3)},
        cv=AllData(),
        n_trials=2,
        scoring=clustering_scorer("silhouette"),
        random_state=0,
    ).fit(digits)
    assert 1e-4 <= search.best_params_["lr"] <= 1e-3


def test_halving_search_over_epochs(digits, small_dec):
    search = HalvingGridSearchCV(
        small_dec,
        {"lr": [1e-4, 5e-4, 1e-3]},
        resource="max_epochs",
        max_resources=4,
        min_resources=1,
        factor=2,
        scoring=clustering_scorer("silhouette"),
        cv=AllData(),
        random_state=0,
    ).fit(digits)
    assert search.n_resources_ == [1, 2]
    assert search.best_estimator_.max_epochs == 2


def test_search_trains_a_given_autoencoder_once(digits, small_dec):
    fitted = clone(small_dec.encoder).fit(digits)
    small_dec.set_params(encoder=fitted)
    search = GridSearchCV(
        small_dec,
        {"n_clusters": [2, 3]},
        scoring=clustering_scorer("silhouette"),
        cv=AllData(),
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
    gmm = AutoencoderGMM(3, encoder=small_dec.encoder, random_state=0)
    union = FeatureUnion([("pca", PCA(3)), ("dec", small_dec), ("gmm", gmm)])
    Z = union.fit_transform(digits)
    assert Z.shape == (300, 3 + 4 + 4)
    assert len(set(union.get_feature_names_out())) == Z.shape[1]


def test_fitted_search_clones_and_pickles(digits, small_dec):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), small_dec),
        {"decclustering__n_clusters": [2, 3]},
        scoring=clustering_scorer("silhouette", space=PCA(2).fit(digits)),
        cv=AllData(),
    ).fit(digits)
    loaded = pickle.loads(pickle.dumps(search))
    assert np.array_equal(loaded.predict(digits), search.predict(digits))
    again = clone(search)
    assert not hasattr(again, "best_estimator_")
    assert np.array_equal(again.fit(digits).predict(digits), search.predict(digits))


class Interrupting(KMeans):
    """Of a user who can't wait for it."""

    def fit(self, X, y=None):
        raise KeyboardInterrupt


def test_an_interrupted_comparison_keeps_what_has_finished():
    X, _ = make_blobs(60, random_state=0)
    candidates = {"first": KMeans(3), "second": Interrupting(), "third": KMeans(4)}
    with pytest.warns(ConvergenceWarning, match="keeps first and leaves second, third"):
        result = compare_clusterers(candidates, X, progress=False)
    assert list(result.table.index) == ["first"]
    with pytest.raises(KeyboardInterrupt):
        compare_clusterers([Interrupting()], X, progress=False)


def test_frozen_pipelines_are_compared_in_the_space_of_their_clusterer():
    X = np.random.default_rng(0).normal(size=(60, 2)) + [[0, 0], [9, 0]] * 30
    pipeline = make_pipeline(StandardScaler(), GraphClustering(2, n_init=1)).fit(X)
    candidates = {
        "frozen": FrozenEstimator(pipeline),
        "single": make_pipeline(KMeans(2)),
    }
    found = compare_clusterers(candidates, X, n_references=0)
    assert found.table["error"].tolist() == ["", ""]
    assert_array_equal(found.spaces["frozen"], pipeline[:-1].transform(X))


def test_results_are_printed_as_their_tables(blobs):
    graph = GraphClustering(n_init=1, random_state=0)
    found = compare_clusterers({"graph": graph, "k-means": KMeans(3)}, blobs, n_runs=1)
    assert repr(found) == repr(found.table)
    chosen = select_n_clusters(graph, blobs, [2, 3], n_runs=1)
    printed = repr(chosen)
    assert printed.startswith(f"n_clusters={chosen.n_clusters}\n")
    assert printed.endswith(repr(chosen.table))
    assert all(reason in printed for reason in chosen.reasons)
    assert max(map(len, (repr(found), printed))) < 2000
    assert "\n" not in repr(clustering_scorer())
    assert "\n" not in repr(AllData())
