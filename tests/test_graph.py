"""Clusters of a neighbour graph on data as people have it."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster import hierarchy
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_moons
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepcluster import Autoencoder
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph import neighbors as N
from skdeepcluster.graph.search import Start, best_of, by_size
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture
def points():
    return np.random.RandomState(0).normal(size=(60, 3)).astype(np.float32)


def expected_failures(estimator):
    reason = (
        "these checks read classifier_tags, which a clusterer has none of, for "
        "predict_proba; test_predicting_training_rows has sparse rows"
    )
    return dict.fromkeys(
        ["check_estimator_sparse_array", "check_estimator_sparse_matrix"], reason
    )


@parametrize_with_checks(
    [GraphClustering(), GraphClustering(3)], expected_failed_checks=expected_failures
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_clusters", [1, 2, 7, 30, 60])
def test_exactly_the_wanted_number(points, n_clusters):
    model = GraphClustering(n_clusters, random_state=0).fit(points)
    assert model.n_clusters_ == n_clusters
    assert_array_equal(np.unique(model.labels_), np.arange(n_clusters))


@pytest.mark.parametrize("n_clusters", [1, 2, 5, 9])
def test_disconnected(n_clusters):
    centers = 100 * np.eye(5)
    X, y = make_blobs(200, centers=centers, random_state=0)
    labels = GraphClustering(n_clusters, random_state=0).fit_predict(X)
    assert len(np.unique(labels)) == n_clusters
    if n_clusters == 5:
        assert adjusted_rand_score(y, labels) == 1


def test_fewer_distinct_rows_than_clusters():
    X = np.repeat(np.eye(3), 40, axis=0)
    labels = GraphClustering(3, random_state=0).fit_predict(X)
    assert adjusted_rand_score(np.repeat(range(3), 40), labels) == 1
    with pytest.warns(ConvergenceWarning, match=r"3 distinct rows .* n_clusters=8"):
        model = GraphClustering(8, random_state=0).fit(X)
    assert model.n_clusters_ == 3
    with pytest.warns(ConvergenceWarning, match=r"1 distinct rows .* n_clusters=3"):
        model = GraphClustering(3).fit(np.ones((50, 2)))
    assert_array_equal(model.labels_, 0)
    assert_array_equal(model.predict(np.ones((2, 2))), 0)


@pytest.mark.parametrize("n_samples", [2, 3, 5])
def test_few_rows(points, n_samples):
    for n_clusters in (None, *range(1, n_samples + 1)):
        model = GraphClustering(n_clusters, random_state=0).fit(points[:n_samples])
        assert n_clusters in (None, model.n_clusters_)


def test_shapes_that_k_means_cuts():
    X, y = make_moons(600, noise=0.06, random_state=0)
    labels = GraphClustering(2, random_state=0).fit_predict(X)
    assert clustering_accuracy(y, labels) > 0.99


@pytest.mark.parametrize("n_centers", [2, 6, 50])
def test_number_of_separate_clusters_is_found(n_centers):
    X, y = make_blobs(
        80 * n_centers, 16, centers=n_centers, center_box=(-10, 10), random_state=0
    )
    for seed in range(3):
        model = GraphClustering(n_init=3, random_state=seed).fit(X)
        assert model.n_clusters_ == n_centers
        assert adjusted_rand_score(y, model.labels_) == 1


@pytest.mark.parametrize("distance", [25, 60])
def test_clusters_are_counted_in_groups_that_are_far_apart(distance):
    centers = 5 / np.sqrt(2) * np.eye(10)
    centers[6:, 0] += distance
    X, y = make_blobs(3000, centers=centers, random_state=0)
    model = GraphClustering(random_state=0).fit(X)
    assert model.n_clusters_ == 10
    assert adjusted_rand_score(y, model.labels_) > 0.95


def test_digits(digits, digits_target):
    scores = []
    for seed in range(5):
        model = GraphClustering(random_state=seed)
        assert abs(model.fit(digits).n_clusters_ - 10) <= 1
        labels = model.set_params(n_clusters=10).fit_predict(digits)
        scores.append(clustering_accuracy(digits_target, labels))
    assert min(scores) > 0.88
    assert np.mean(scores) > 0.93


def noisy(X):
    return X + 6 * np.random.RandomState(0).normal(size=X.shape)


def test_a_clearer_view_of_the_rows_counts(digits, digits_target):
    X = noisy(digits)
    model = GraphClustering(10, random_state=0)
    alone = adjusted_rand_score(digits_target, model._labels_of([X]))
    both = adjusted_rand_score(digits_target, model._labels_of([X, digits]))
    assert both > alone + 0.15


@pytest.mark.parametrize(
    "poorer",
    [noisy, PCA(2, random_state=0).fit_transform, PCA(6, random_state=0).fit_transform],
    ids=["noisy", "two columns", "six columns"],
)
def test_a_poorer_view_of_the_rows_is_left_out(digits, poorer):
    views = [digits, poorer(digits)]
    model = GraphClustering(10, random_state=0)
    assert_array_equal(model._labels_of(views), model._labels_of([digits]))


@pytest.mark.parametrize("sizes", [[2000, 50], [2000, 40, 40], [1500, 150]])
def test_small_clusters_that_are_apart(sizes):
    X, y = make_blobs(sizes, centers=30 * np.eye(5)[: len(sizes)], random_state=3)
    for n_clusters in (len(sizes), None):
        labels = GraphClustering(n_clusters, random_state=0).fit_predict(X)
        assert adjusted_rand_score(y, labels) == 1


def test_an_island_does_not_hide_the_clusters_of_the_rest(digits):
    island = 500 + np.random.RandomState(0).normal(size=(20, digits.shape[1]))
    alone = GraphClustering(random_state=0).fit(digits)
    beside = GraphClustering(random_state=0).fit(np.r_[digits, island])
    assert alone.n_clusters_ >= 9
    assert abs(beside.n_clusters_ - alone.n_clusters_ - 1) <= 1
    assert (np.bincount(beside.labels_) >= 20).all()


def test_number_of_large_clusters_in_the_plane():
    X, _ = make_blobs(1000, centers=[[0, 0], [50, 0]], random_state=0)
    moons, _ = make_moons(1000, noise=0.05, random_state=0)
    for rows in (X, moons):
        assert GraphClustering(random_state=0).fit(rows).n_clusters_ == 2


def test_one_cluster_is_found():
    X = np.random.RandomState(0).normal(size=(800, 10))
    for seed in range(3):
        assert GraphClustering(random_state=seed).fit(X).n_clusters_ == 1


def test_many_clusters(digits):
    model = GraphClustering(300, n_init=1, random_state=0).fit(digits)
    assert model.n_clusters_ == 300


def test_far_from_the_origin():
    near, _ = make_blobs(200, 3, centers=4, random_state=0)
    far = near.copy()
    far[:, 0] += 1.7e9
    expected = GraphClustering(4, random_state=0).fit_predict(near)
    labels = GraphClustering(4, random_state=0).fit_predict(far)
    assert adjusted_rand_score(labels, expected) == 1


@pytest.mark.parametrize("n_features", [5, 10])
def test_noise(n_features):
    rng = np.random.RandomState(0)
    X, y = make_blobs(1500, n_features, centers=4, cluster_std=0.6, random_state=0)
    noise = rng.uniform(X.min(0) - 1, X.max(0) + 1, (150, n_features))
    X, y = np.r_[X, noise], np.r_[y, np.full(150, -1)]
    model = GraphClustering(4, noise_ratio=2.5, random_state=0).fit(X)
    assert model.n_clusters_ == 4
    assert np.mean(model.labels_[y == -1] == -1) > 0.9
    assert np.mean(model.labels_[y != -1] == -1) < 0.01
    placed = (y != -1) & (model.labels_ != -1)
    assert adjusted_rand_score(y[placed], model.labels_[placed]) == 1
    everywhere = GraphClustering(4, random_state=0).fit(X)
    assert everywhere.labels_.min() == 0


def test_same_seed_same_labels(digits):
    first, again = (
        GraphClustering(6, random_state=3).fit_predict(digits) for _ in range(2)
    )
    assert_array_equal(first, again)


def test_global_random_state_is_left_alone(points):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    GraphClustering(3).fit(points)
    assert_array_equal(np.random.get_state()[1], before)


def test_given_neighbors(points):
    neighbors = KNeighborsTransformer(n_neighbors=15)
    given = GraphClustering(4, neighbors=neighbors, random_state=0).fit(points)
    assert not hasattr(neighbors, "n_features_in_")
    joint = np.column_stack([given.labels_, given.predict(points)])
    assert len(np.unique(joint, axis=0)) == 4


class Neighbors:
    """Neighbours that are given in advance."""

    def __init__(self, graph):
        self.graph = graph

    def get_params(self, deep=False):
        return {"graph": self.graph}

    def fit_transform(self, X):
        return self.graph


def test_given_neighbors_are_checked(points):
    with pytest.raises(ValueError, match="shape"):
        GraphClustering(neighbors=Neighbors(sp.eye_array(4))).fit(points)
    ring = sp.lil_array((60, 60))
    ring.setdiag(1, 1)
    with pytest.raises(ValueError, match="no neighbour of row 59"):
        GraphClustering(neighbors=Neighbors(ring.tocsr())).fit(points)


@pytest.mark.slow
def test_approximate_neighbors(digits, monkeypatch):
    pytest.importorskip("pynndescent")
    exact = GraphClustering(9, random_state=0).fit_predict(digits)
    monkeypatch.setattr(N, "EXACT_ROWS", 1000)
    approximate = GraphClustering(9, random_state=0).fit_predict(digits)
    assert adjusted_rand_score(exact, approximate) > 0.9


def test_neighbors_of_many_rows_are_looked_for_by_pynndescent(points, monkeypatch):
    """By a stand-in: it compiles for a minute."""
    asked = []

    def transformer(n_neighbors, random_state):
        asked.append((n_neighbors, random_state))
        return KNeighborsTransformer(n_neighbors=n_neighbors)

    stand_in = SimpleNamespace(PyNNDescentTransformer=transformer)
    exact = GraphClustering(3, random_state=0).fit_predict(points)
    monkeypatch.setattr(N, "EXACT_ROWS", len(points) - 1)
    monkeypatch.setattr(N, "import_extra", lambda *args: stand_in)
    assert_array_equal(GraphClustering(3, random_state=0).fit_predict(points), exact)
    assert all(n_neighbors == 15 for n_neighbors, _ in asked)
    assert len({seed for _, seed in asked}) == 1


def test_more_clusters_than_rows(points):
    with pytest.raises(ValueError, match="n_samples=60 should be >= n_clusters=61"):
        GraphClustering(61).fit(points)


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((32,), 4, max_epochs=5, random_state=0).fit(digits)


CORNERS = [[0, 0], [12, 0], [0, 12], [12, 12]]


def coded(kind):
    """Rows of which many are equal, and their groups."""
    rng = np.random.RandomState(0)
    if kind == "rounded":
        X, y = make_blobs(4000, 2, centers=CORNERS, random_state=1)
        return np.round(X), y
    if kind == "survey":
        y = np.repeat([0, 1], 2000)
        low = rng.choice([1, 2, 3], size=(4000, 4), p=[0.5, 0.35, 0.15])
        return np.where(y[:, None] == 0, low, 6 - low), y
    if kind == "drawn":
        X, y = make_blobs(120, 2, centers=CORNERS, random_state=1)
        rows = rng.randint(120, size=1620)
        return X[rows], y[rows]
    X, y = make_blobs(500, 2, centers=CORNERS, random_state=1)
    if kind == "half":
        return np.r_[X, np.tile(X[0], (500, 1))], np.r_[y, np.full(500, y[0])]
    return np.repeat(X, int(kind), axis=0), np.repeat(y, int(kind))


@pytest.mark.parametrize("kind", ["rounded", "survey", "drawn", "half", "4", "8", "16"])
def test_repeated_rows(kind):
    X, y = coded(kind)
    for n_clusters in (len(np.unique(y)), None):
        model = GraphClustering(n_clusters, random_state=0).fit(X)
        assert adjusted_rand_score(y, model.labels_) == 1
        assert_array_equal(model.predict(X), model.labels_)


def structureless():
    rng = np.random.RandomState(0)
    for n_features in (1, 2, 3, 4, 10, 50):
        yield f"gauss {n_features}", rng.normal(size=(1500, n_features))
        yield f"uniform {n_features}", rng.uniform(size=(1500, n_features))
    yield "line", np.c_[np.linspace(0, 100, 1500), rng.normal(size=1500)]
    turn = np.linspace(1, 4 * np.pi, 1500)
    spiral = np.c_[turn * np.cos(turn), turn * np.sin(turn)]
    yield "spiral", spiral + 0.1 * rng.normal(size=spiral.shape)
    yield "exponential", rng.exponential(size=(1500, 2))


@pytest.mark.parametrize("X", [pytest.param(X, id=name) for name, X in structureless()])
def test_rows_without_structure_are_one_cluster(X):
    for seed in range(2):
        assert GraphClustering(n_init=5, random_state=seed).fit(X).n_clusters_ == 1


@pytest.mark.parametrize("n_features", [1, 2, 3, 10])
@pytest.mark.parametrize(("n_samples", "distance"), [(60, 12), (200, 8)])
def test_clusters_of_few_rows(n_samples, distance, n_features):
    centers = np.eye(4, n_features) if n_features > 2 else np.arange(4)[:, None]
    centers = distance * (centers + np.zeros(n_features))
    X, y = make_blobs(n_samples, centers=centers, random_state=0)
    for shift in (0, 1e6):
        model = GraphClustering(n_init=5, random_state=0).fit(X + shift)
        assert adjusted_rand_score(y, model.labels_) > 0.95


@pytest.mark.parametrize("n_clusters", [4, None])
def test_clusters_on_a_line(n_clusters):
    rng = np.random.RandomState(0)
    y = rng.randint(4, size=1500)
    for spread in (1.0, np.array([0.5, 1.0, 1.0, 2.0])[y]):
        X = (np.array([0.0, 6.0, 12.0, 20.0])[y] + spread * rng.normal(size=1500))[
            :, None
        ]
        model = GraphClustering(n_clusters, n_init=5, random_state=0).fit(X)
        assert adjusted_rand_score(y, model.labels_) > 0.97


def test_small_clusters_of_many_columns():
    """Such as k-means, with few starts, joins and cuts."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 30
    X = 0.4 * rng.normal(size=(30, 50))[y] + 0.45 * rng.normal(size=(240, 50))
    graph = GraphClustering(30, random_state=0).fit(X)
    assert not graph.by_centers_
    assert adjusted_rand_score(y, graph.labels_) > 0.95


@pytest.mark.parametrize("n_features", [1, 2, 10])
@pytest.mark.parametrize("seed", range(3))
def test_small_clusters_beside_a_large_one(n_features, seed):
    """Such as every graph of 15 neighbours ties to the large one."""
    rng = np.random.default_rng(seed)
    y = np.r_[np.zeros(80, int), np.arange(20) % 3 + 1]
    centers = np.eye(4, n_features) if n_features > 2 else np.arange(4)[:, None]
    X = 8 * centers[y] + rng.normal(size=(100, n_features))
    graph = GraphClustering(4, random_state=0).fit(X)
    assert adjusted_rand_score(y, graph.labels_) > 0.95


def start_of(worths, leaks=(0.1, 0.1)):
    parts = np.arange(60) % 3
    return Start(parts, (parts, parts // 2), worths, leaks)


def test_the_start_that_is_worth_most_and_the_better_way():
    starts = [start_of((1.0, 0.8)), start_of((1.1, 0.9)), start_of((0.9, 1.0))]
    assert best_of(starts) == (starts[1], 0)
    # Clusters merged by their ties, where even ones are worth less or leak much more.
    starts[2].worths = (0.9, 1.2)
    assert best_of(starts) == (starts[2], 1)
    starts[2].worths, starts[2].leaks = (0.9, 1.0), (0.1, 0.05)
    assert best_of(starts) == (starts[2], 1)
    starts[2].leaks = (0.1, 0.08)
    assert best_of(starts) == (starts[1], 0)


def test_clusters_are_numbered_by_size_and_first_node():
    labels = np.array([3, 0, 0, 3, 7, 7, 5])
    expected = [0, 1, 1, 0, 2, 2, 3]
    assert_array_equal(by_size(labels, np.ones(7)), expected)
    mass = np.array([1.0, 1, 1, 1, 5, 1, 1])
    assert_array_equal(by_size(labels, mass), [1, 2, 2, 1, 0, 0, 3])


@pytest.mark.parametrize("n_features", [2, 3, 6])
@pytest.mark.parametrize("share", [0.1, 0.2])
def test_a_small_cluster_beside_a_long_one(n_features, share):
    """Two halves of the long one tell more, and k-means finds these."""
    rng = np.random.default_rng(0)
    y = np.arange(1000) < 1000 * share
    X = rng.normal(size=(1000, n_features))
    X[~y, 0] *= 8
    X[y, 1] += 8
    graph = GraphClustering(2, random_state=0).fit(X)
    assert adjusted_rand_score(y, graph.labels_) > 0.95
    assert graph.agreement_ > 0.95


@pytest.mark.parametrize("distance", [4, 6])
def test_two_gaussians_that_touch_in_the_plane(distance):
    centers = [[0, 0], [distance, 0]]
    X, y = make_blobs(2000, centers=centers, random_state=0)
    model = GraphClustering(random_state=0).fit(X)
    assert model.n_clusters_ == 2
    assert clustering_accuracy(y, model.labels_) > 0.95


def test_order_of_rows_does_not_matter(digits):
    shuffled = np.random.RandomState(0).permutation(len(digits))
    labels = GraphClustering(10, random_state=0).fit_predict(digits)
    again = GraphClustering(10, random_state=0).fit_predict(digits[shuffled])
    assert_array_equal(labels[shuffled], again)


def test_island():
    X, y = make_blobs(3000, 2, centers=CORNERS, random_state=1)
    X, y = np.r_[X, np.random.RandomState(0).normal(40, 0.1, (5, 2))], np.r_[y, [4] * 5]
    labels = GraphClustering(5, random_state=0).fit_predict(X)
    assert adjusted_rand_score(y, labels) == 1


def test_agreement_on_a_single_cluster_is_no_evidence():
    X = np.random.RandomState(0).normal(size=(800, 5))
    model = GraphClustering(random_state=0).fit(X)
    assert model.n_clusters_ == 1
    assert len(model.layers_) > 1
    assert np.isnan(model.agreement_)
    assert np.isnan(model.row_agreement_).all()


def copies(seed, moved=0.0):
    """Four Gaussians in five columns, and a row 100 times, 40 deviations away."""
    rng = np.random.default_rng(seed)
    centers, y = 12 * rng.normal(size=(4, 5)), np.repeat(np.arange(4), 400)
    way = rng.normal(size=5)
    far = centers.mean(0) + 40 * way / np.linalg.norm(way)
    near = centers[y] + rng.normal(size=(1600, 5))
    X = np.r_[near, far + moved * rng.normal(size=(100, 5))]
    return X, np.r_[y, np.full(100, 4)]


@pytest.mark.parametrize("moved", [0.0, 1e-6, 1e-3])
@pytest.mark.parametrize("seed", range(3))
def test_a_row_that_is_repeated_far_away_is_a_cluster(seed, moved):
    X, y = copies(seed, moved)
    found = GraphClustering(random_state=0).fit(X)
    assert found.n_clusters_ == 5
    given = GraphClustering(5, noise_ratio=2.5, random_state=0).fit(X)
    for model in (found, given):
        placed = model.labels_ >= 0
        assert adjusted_rand_score(y[placed], model.labels_[placed]) > 0.99
        assert_array_equal(model.predict(X), model.labels_)
    assert (given.labels_[1600:] >= 0).all()


def test_a_row_far_from_copies_of_another_is_noise():
    X = np.r_[np.zeros(200), 20][:, None]
    model = GraphClustering(1, noise_ratio=2.5, random_state=0).fit(X)
    assert_array_equal(model.labels_, np.r_[np.zeros(200), -1])
    assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("seed", range(10))
def test_thin_rods(seed):
    rng = np.random.default_rng(seed)
    y = np.arange(600) % 3
    X = np.c_[30 * y + rng.uniform(0, 10, 600), 0.1 * rng.normal(size=600)]
    model = GraphClustering(random_state=0).fit(X)
    assert adjusted_rand_score(y, model.labels_) == 1
    assert (model.valleys_ > 0.9).all()


@pytest.mark.parametrize("n_clusters", [10, None])
def test_the_same_rows_three_times(digits, n_clusters):
    X = np.c_[digits, np.random.RandomState(0).normal(size=len(digits))][:700]
    once = GraphClustering(n_clusters, random_state=0).fit_predict(X)
    often = GraphClustering(n_clusters, random_state=0).fit_predict(np.tile(X, (3, 1)))
    assert_array_equal(often, np.tile(once, 3))


def test_the_largest_cluster_comes_first():
    X, _ = make_blobs([40, 200, 90], 5, random_state=0)
    for n_clusters in (3, None):
        sizes = np.bincount(GraphClustering(n_clusters, random_state=0).fit_predict(X))
        assert_array_equal(sizes, [200, 90, 40])


def test_clusters_that_are_arbitrary_come_with_a_warning():
    X = np.random.RandomState(0).normal(size=(800, 5))
    with pytest.warns(UserWarning, match="6 clusters are arbitrary"):
        model = GraphClustering(6, random_state=0).fit(X)
    assert model.agreement_ < 0.5
    assert np.median(model.valleys_) < 0.5


@pytest.mark.parametrize("value", [1e20, -1e300])
def test_one_value_far_away(value):
    X, y = make_blobs(600, 2, centers=CORNERS, random_state=1)
    X[0, 0] = value
    labels = GraphClustering(4, random_state=0).fit_predict(X)
    assert adjusted_rand_score(y[1:], labels[1:]) == 1


def test_dates_are_refused_with_the_fix():
    dates = np.datetime64("2026-01-01") + np.arange(60).reshape(30, 2)
    for X in (dates, dates - dates.min()):
        with pytest.raises(TypeError, match="dates"):
            GraphClustering(2).fit(X)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_infinities_of_both_signs_are_refused(points, container):
    X = points.copy()
    X[0, 0], X[1, 0] = np.inf, -np.inf
    with pytest.raises(ValueError, match="infinity"):
        GraphClustering(2).fit(container(X))


def test_a_fit_that_fails_changes_nothing(points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = GraphClustering(3, random_state=0).fit(points)
    labels = model.labels_
    with pytest.raises(ValueError, match="should be >= n_clusters=3"):
        model.fit(points[:2, :2])
    assert_array_equal(model.predict(points), labels)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_output_that_the_user_wants_elsewhere(digits, output):
    X = np.tile(digits[:200], 2)
    expected = GraphClustering(5, random_state=0).fit(X)
    with config_context(transform_output=output), np.errstate(all="raise"):
        model = GraphClustering(5, random_state=0).fit(X)
        assert_array_equal(model.predict(X), model.labels_)
    assert_array_equal(model.labels_, expected.labels_)


def test_memory_in_proportion_to_the_edges(monkeypatch):
    X = np.random.RandomState(0).normal(size=(900, 5))
    whole = GraphClustering(3, n_neighbors=200, n_init=1, random_state=0)
    monkeypatch.setattr(N, "ENTRIES_AT_ONCE", 100_000)
    parts = GraphClustering(3, n_neighbors=200, n_init=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert_array_equal(whole.fit_predict(X), parts.fit_predict(X))


def test_parallel_starts_change_nothing(digits):
    one, two = (
        GraphClustering(8, n_init=4, n_jobs=jobs, random_state=0).fit(digits)
        for jobs in (None, 2)
    )
    assert_array_equal(one.labels_, two.labels_)


@pytest.fixture(scope="module")
def fitted(digits):
    return GraphClustering(10, random_state=0).fit(digits[:900])


def test_predicting_new_rows(fitted, digits, digits_target):
    new = digits[900:]
    labels = fitted.predict(new)
    joint = np.r_[fitted.labels_, labels]
    assert clustering_accuracy(digits_target, joint) > 0.85
    shares = fitted.predict_proba(new)
    assert_allclose(shares.sum(1), 1)
    assert_array_equal(shares.argmax(1), labels)
    for i in range(5):
        assert_array_equal(fitted.predict_proba(new[[i]]), shares[[i]])


def test_predicting_training_rows(fitted, digits):
    X = digits[:900]
    assert_array_equal(fitted.predict(X), fitted.labels_)
    assert_array_equal(fitted.predict_proba(X).argmax(1), fitted.labels_)
    assert_array_equal(fitted.predict(sp.csr_array(X)), fitted.labels_)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict(digits), fitted.predict(digits))


def test_votes_by_hand(points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = GraphClustering(3, n_neighbors=5, random_state=0).fit(points)
    new = np.random.RandomState(1).normal(size=(20, 3)).astype(np.float32)
    for row, shares in zip(new, model.predict_proba(new), strict=True):
        distances = np.linalg.norm(points - row, axis=1)
        near = distances.argsort()[:5]
        excess = distances[near] - distances[near[0]]
        units = np.geomspace(1e-3, 1e3, 20_001)[:, None]
        unit = units[np.abs(np.exp(-excess / units).sum(1) - np.log2(5)).argmin()]
        votes = np.bincount(model.labels_[near], np.exp(-excess / unit), minlength=3)
        reach = np.sort(np.linalg.norm(points - points[near[0]], axis=1))[5]
        trust = np.exp(min(1 - distances[near[0]] / reach, 0))
        expected = trust * votes / votes.sum() + (1 - trust) / 3
        assert_allclose(shares, expected, atol=1e-3)


def test_far_from_all_rows_nothing_is_likely(fitted):
    far = np.full((1, 64), 1e4)
    assert_allclose(fitted.predict_proba(far), 0.1, atol=1e-6)


def test_noise_is_predicted(digits):
    model = GraphClustering(5, noise_ratio=1.3, random_state=0).fit(digits)
    assert (model.labels_ == -1).any()
    assert_array_equal(model.predict(digits), model.labels_)
    assert model.predict(np.full((1, 64), 100.0)) == -1


def test_tree(fitted):
    assert fitted.children_.shape == (fitted.n_leaves_ - 1, 2)
    assert hierarchy.is_valid_linkage(fitted.linkage_)
    assert fitted.linkage_[-1, 3] == fitted.n_leaves_
    assert_array_equal(fitted.cut(10), fitted.labels_)
    coarser = fitted.labels_
    for n_clusters in range(9, 0, -1):
        labels = fitted.cut(n_clusters)
        assert_array_equal(np.unique(labels), range(n_clusters))
        # Each number joins two clusters of the one before.
        assert len(np.unique(np.c_[coarser, labels], axis=0)) == n_clusters + 1
        coarser = labels
    assert len(np.unique(fitted.cut(fitted.n_leaves_))) == fitted.n_leaves_
    assert fitted.layers_ == sorted(fitted.layers_)
    with pytest.raises(ValueError, match="n_clusters=0 must be a whole number from 1"):
        fitted.cut(0)


def test_another_number_of_clusters_of_the_same_fit(fitted, digits):
    X = digits[:900]
    for n_clusters in (1, 4, 25):
        model = fitted.with_n_clusters(n_clusters)
        assert model.n_clusters == model.n_clusters_ == n_clusters
        assert_array_equal(model.labels_, fitted.cut(n_clusters))
        assert_array_equal(model.predict(X), model.labels_)
        assert_array_equal(model.linkage_, fitted.linkage_)
        shares = model.predict_proba(digits)
        assert shares.shape == (len(digits), n_clusters)
        assert_array_equal(shares.argmax(1), model.predict(digits))
        assert n_clusters in model.layers_
        assert not hasattr(model, "agreement_")
    assert fitted.n_clusters_ == 10
    # The votes for clusters that are joined are joined too.
    joined = fitted.with_n_clusters(9)
    assert_allclose(
        fitted.predict_proba(digits[900:]).max(1).mean(),
        joined.predict_proba(digits[900:]).max(1).mean(),
        atol=0.05,
    )
    same = joined.with_n_clusters(10)
    assert_array_equal(same.labels_, fitted.labels_)
    assert_array_equal(same.predict(digits), fitted.predict(digits))
    assert fitted.with_n_clusters(10).agreement_ == fitted.agreement_
    with pytest.raises(ValueError, match="n_clusters=0 must be a whole number from 1"):
        fitted.with_n_clusters(0)


def test_noise_stays_noise_with_another_number(digits):
    model = GraphClustering(5, noise_ratio=1.3, random_state=0).fit(digits)
    fewer = model.with_n_clusters(3)
    assert_array_equal(fewer.labels_ == -1, model.labels_ == -1)
    assert_array_equal(fewer.predict(digits), fewer.labels_)


def test_layers_are_the_numbers_that_hold():
    nested = [
        [i * 100 + j * 10, k * 0.0] for i in range(3) for j in range(4) for k in [1]
    ]
    X, _ = make_blobs(1200, centers=nested, cluster_std=0.5, random_state=0)
    model = GraphClustering(12, random_state=0).fit(X)
    assert model.n_connected_components_ == 12
    assert model.agreement_ == 1
    assert_allclose(model.valleys_, 1)
    assert 12 in model.layers_


def test_agreement_of_starts(fitted):
    assert fitted.row_agreement_.shape == (900,)
    assert 0.5 < fitted.row_agreement_.mean() <= 1
    assert 0.5 < fitted.agreement_ <= 1
    assert fitted.valleys_.shape == (10,)
    assert fitted.n_clusters_counts_ is None


def test_a_display_of_seven_segments():
    # Ten classes in some ninety distinct rows, fewer each than a row has neighbours.
    rng = np.random.default_rng(0)
    codes = ["1110111", "0010010", "1011101", "1011011", "0111010"]
    codes += ["1101011", "1101111", "1010010", "1111111", "1111011"]
    shown = np.array([[int(on) for on in code] for code in codes])
    y = rng.integers(10, size=500)
    X = shown[y] ^ (rng.random((500, 7)) < 0.1)
    own = clustering_accuracy(y, GraphClustering(10, random_state=0).fit_predict(X))
    kmeans = [KMeans(10, random_state=seed).fit_predict(X) for seed in range(3)]
    assert own > np.mean([clustering_accuracy(y, each) for each in kmeans]) - 0.05
