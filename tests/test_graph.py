"""Neighbour graph, communities and their merging, against loops."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs, make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsTransformer, NearestNeighbors
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepcluster import Autoencoder
from skdeepcluster import communities as C
from skdeepcluster import graph as G
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy


@pytest.fixture
def points():
    return np.random.RandomState(0).normal(size=(60, 3)).astype(np.float32)


@pytest.fixture
def links():
    """Weights between eight communities, and their sizes."""
    rng = np.random.RandomState(1)
    half = rng.uniform(size=(8, 8)) * (rng.uniform(size=(8, 8)) < 0.6)
    return half + half.T + np.diag(rng.uniform(5, 9, size=8)), rng.randint(3, 40, 8)


@parametrize_with_checks([GraphClustering(), GraphClustering(3)])
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_neighbor_graph(points):
    graph = G.neighbor_graph(points, 5, None, 0).toarray()
    distances = np.square(points[:, None] - points).sum(2)
    for i in range(len(points)):
        others = [j for j in np.argsort(distances[i]) if j != i]
        assert set(np.flatnonzero(graph[i])) == set(others[:5])
    assert set(np.unique(graph)) == {0, 1}


def weights_of(Z, n_neighbors=5):
    graph = G.neighbor_graph(Z, n_neighbors, None, 0)
    return G.fuzzy_union(graph, G.edge_lengths(Z, graph))


def test_edge_lengths(points, monkeypatch):
    monkeypatch.setattr(G, "EDGES_AT_ONCE", 7)
    graph = G.neighbor_graph(points, 5, None, 0)
    lengths = G.edge_lengths(points, graph)
    edges = zip(*graph.nonzero(), lengths, strict=True)
    for i, j, length in edges:
        assert length == pytest.approx(np.linalg.norm(points[i] - points[j]))


def test_fuzzy_union(points):
    graph = G.neighbor_graph(points, 5, None, 0)
    directed = np.zeros(graph.shape)
    for i in range(len(points)):
        others = np.flatnonzero(graph[[i]].toarray()[0])
        lengths = np.linalg.norm(points[others] - points[i], axis=1)
        units = np.geomspace(1e-3, 1e3, 60_001)[:, None]
        sums = np.exp(-(lengths - lengths.min()) / units).sum(1)
        unit = units[np.abs(sums - np.log2(5)).argmin()]
        directed[i, others] = np.exp(-(lengths - lengths.min()) / unit)
    expected = 1 - (1 - directed) * (1 - directed.T)
    assert_allclose(weights_of(points).toarray(), expected, atol=1e-3)


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_fuzzy_union_of_equal_rows(n_neighbors):
    Z = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    weights = weights_of(Z, n_neighbors)
    assert np.isfinite(weights.data).all()
    assert (weights.sum(1) >= 1).all()
    assert_allclose(weights.toarray(), weights.T.toarray())


def test_copies_of_a_row_do_not_cut_it_off():
    Z = np.array([[0.0], [1], [3], [7]], dtype=np.float32).repeat(4, axis=0)
    weights = weights_of(Z, 9).toarray()
    for first, nearest in [(0, 4), (4, 0), (8, 4), (12, 8)]:
        assert_allclose(weights[first, first + 1 : first + 4], 1)
        assert weights[first, nearest : nearest + 4].max() == 1


def test_shared_neighbors(points, monkeypatch):
    monkeypatch.setattr(G, "EDGES_AT_ONCE", 7)
    graph = G.neighbor_graph(points, 5, None, 0)
    weights = G.shared_neighbors(graph).toarray()
    tied = graph.toarray() > 0
    for i in range(len(points)):
        for j in range(len(points)):
            around_i = {i, *np.flatnonzero(tied[i])}
            around_j = {j, *np.flatnonzero(tied[j])}
            expected = len(around_i & around_j) / len(around_i | around_j)
            if i == j or not (tied[i, j] or tied[j, i]):
                expected = 0
            assert weights[i, j] == pytest.approx(expected)


def closeness_by_hand(linkage, links, sizes, a, b):
    between = sum(links[i, j] for i in a for j in b)
    if linkage is C.average_linkage:
        return between / sum(sizes[i] for i in a) / sum(sizes[j] for j in b)
    return between - links[a].sum() * links[b].sum() / links.sum()


@pytest.mark.parametrize("linkage", [C.average_linkage, C.modularity_linkage])
@pytest.mark.parametrize("n_clusters", [1, 3, 7, 8])
def test_agglomerate(links, linkage, n_clusters):
    links, sizes = links
    groups = [[i] for i in range(len(links))]
    while len(groups) > n_clusters:
        pairs = [(a, b) for a in range(len(groups)) for b in range(a)]
        a, b = max(
            pairs,
            key=lambda p: closeness_by_hand(
                linkage, links, sizes, groups[p[0]], groups[p[1]]
            ),
        )
        groups[b] += groups.pop(a)
    expected = np.empty(len(links), int)
    for label, group in enumerate(groups):
        expected[group] = label
    labels = C.agglomerate(links, sizes, n_clusters, linkage)
    assert adjusted_rand_score(labels, expected) == 1
    assert_array_equal(np.unique(labels), np.arange(n_clusters))


def test_small_clusters_do_not_count():
    """Two heavy pairs and a light, distant community, which is no cluster."""
    links = np.diag([9.0] * 5)
    for i, j, weight in [(0, 1, 3), (2, 3, 2), (1, 2, 0.5), (3, 4, 0.001)]:
        links[i, j] = links[j, i] = weight
    sizes = np.array([20, 20, 20, 20, 2])
    for least, expected in [(0, [0, 0, 0, 0, 1]), (5, [0, 0, 1, 1, 1])]:
        labels = C.agglomerate(links, sizes, 2, C.average_linkage, least)
        assert adjusted_rand_score(labels, expected) == 1


def test_agglomerate_stops_where_nothing_is_gained(links):
    links, sizes = links
    labels = C.agglomerate(links, sizes, None, C.modularity_linkage)
    clusters = np.unique(labels)
    assert 1 < len(clusters) < len(links)
    for a in clusters:
        for b in clusters[clusters < a]:
            rows = [np.flatnonzero(labels == label) for label in (a, b)]
            gain = closeness_by_hand(C.modularity_linkage, links, sizes, *rows)
            assert gain <= 1e-9


def information_by_hand(joint, labels):
    total = 0
    for a in set(labels):
        for b in set(labels):
            both = joint[np.ix_(labels == a, labels == b)].sum()
            apart = joint[labels == a].sum() * joint[labels == b].sum()
            total += both * np.log(both / apart) if both else 0
    return total


def test_walk_ends(links):
    links, _ = links
    start = links.sum(1) / links.sum()
    expected = np.zeros_like(links)
    for i in range(len(links)):
        probability = np.eye(len(links))[i]
        for _ in range(3):
            probability = probability @ (links / links.sum(1)[:, None])
        expected[i] = start[i] * probability
    assert_allclose(C.walk_ends(links, 3), expected, atol=1e-12)


def worth_by_hand(joint, labels):
    p = np.array([joint[labels == label].sum() for label in set(labels)])
    return information_by_hand(joint, labels) / (-p * np.log(p)).sum() ** C.BALANCE


def test_moves_end_where_no_single_one_gains(links):
    joint = C.walk_ends(links[0], C.WALK)
    before = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    labels = C.worthwhile_moves(joint, before)
    best = worth_by_hand(joint, labels)
    assert best > worth_by_hand(joint, before)
    for i, home in enumerate(labels):
        for other in range(3):
            moved = labels.copy()
            moved[i] = other
            if (labels == home).sum() > 1:
                assert worth_by_hand(joint, moved) <= best + 1e-9


def test_worth_of_clusters(links):
    joint = C.walk_ends(links[0], C.WALK)
    labels = np.arange(8) % 3
    expected = worth_by_hand(joint, labels)
    assert C.worth(C.merged(joint, labels)) == (False, pytest.approx(expected))


def test_clean_clusters_are_worth_most_whatever_their_sizes():
    assert C.worth(np.diag([0.99, 0.01])) > C.worth(
        np.full((2, 2), 0.05) + 0.4 * np.eye(2)
    )
    assert C.worth(np.ones((1, 1))) == (True, 0)


def test_smoothing_loses_no_cluster(points):
    weights = weights_of(points)
    labels = np.r_[np.zeros(57, int), 1, 2, 3]
    assert_array_equal(np.unique(C.smooth(weights, labels)), range(4))


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


@pytest.mark.parametrize("n_clusters", [2, 3, 8])
def test_duplicates(n_clusters):
    X = np.repeat(np.eye(3), 40, axis=0)
    labels = GraphClustering(n_clusters, random_state=0).fit_predict(X)
    assert len(np.unique(labels)) == n_clusters
    if n_clusters == 3:
        assert adjusted_rand_score(np.repeat(range(3), 40), labels) == 1


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
        model = GraphClustering(random_state=seed).fit(X)
        assert model.n_clusters_ == n_centers
        assert adjusted_rand_score(y, model.labels_) == 1


def test_digits(digits, digits_target):
    scores = []
    for seed in range(5):
        labels = GraphClustering(10, random_state=seed).fit_predict(digits)
        scores.append(clustering_accuracy(digits_target, labels))
        assert abs(GraphClustering(random_state=seed).fit(digits).n_clusters_ - 10) <= 1
    assert min(scores) > np.mean(scores) - 0.01
    assert np.mean(scores) > 0.85


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


def test_cut(links):
    links, _ = links
    part, other = np.array([0, 2]), np.array([1, 3])
    between = links[0, 1] + links[0, 3] + links[2, 1] + links[2, 3]
    volumes = [
        links[0, 0] + links[2, 2] + 2 * links[0, 2] + between,
        links[1, 1] + links[3, 3] + 2 * links[1, 3] + between,
    ]
    assert C.cut(links, part, other) == pytest.approx(between / min(volumes))


def test_smallest_cut_of_a_chain():
    chain = (
        np.diag([9.0] * 6) + np.diag([3, 3, 1, 3, 3], 1) + np.diag([3, 3, 1, 3, 3], -1)
    )
    expected = 1 / (3 * 9 + 4 * 3 + 1)
    assert C.smallest_cut(chain, np.arange(6)[::-1]) == pytest.approx(expected)


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
    own = GraphClustering(4, random_state=0).fit(points)
    assert_array_equal(given.labels_, own.labels_)


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


def test_wide_and_sparse_rows_are_reduced(digits, monkeypatch):
    same = [digits.astype(np.float64), digits.astype(np.uint8), sp.csr_array(digits)]
    for X in same:
        assert_array_equal(G.reduce_dims(X, 0), G.reduce_dims(digits, 0))
    monkeypatch.setattr(G, "DENSE_SIZE", 0)
    Z = G.reduce_dims(digits, 0)
    assert Z.shape == (len(digits), G.MAX_DIMS)
    assert Z.dtype == np.float32
    dense, sparse = (
        GraphClustering(10, random_state=0).fit_predict(X)
        for X in (digits, sp.csr_array(digits))
    )
    assert adjusted_rand_score(dense, sparse) > 0.9


@pytest.mark.parametrize("exponent", [-100, 100])
def test_unit_of_the_rows_does_not_matter(points, exponent):
    for X in (points, np.tile(points, 20)):
        expected = G.reduce_dims(X, 0)
        assert_array_equal(G.reduce_dims(X * 2.0**exponent, 0), expected)


def test_approximate_search_for_many_rows(points, monkeypatch):
    assert isinstance(G.neighbor_search(60, 5, 0), NearestNeighbors)
    monkeypatch.setattr(G, "EXACT_ROWS", 50)
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    with pytest.warns(UserWarning, match=r"skdeepcluster\[graph\]"):
        search = G.neighbor_search(60, 5, 0)
    assert isinstance(search, NearestNeighbors)


def test_approximate_neighbors(digits, monkeypatch):
    pytest.importorskip("pynndescent")
    exact = GraphClustering(9, random_state=0).fit_predict(digits)
    monkeypatch.setattr(G, "EXACT_ROWS", 1000)
    approximate = GraphClustering(9, random_state=0).fit_predict(digits)
    assert adjusted_rand_score(exact, approximate) > 0.9


def test_more_clusters_than_rows(points):
    with pytest.raises(ValueError, match="n_samples=60 should be >= n_clusters=61"):
        GraphClustering(61).fit(points)


@pytest.fixture(scope="module")
def autoencoder(digits):
    return Autoencoder((32,), 4, max_epochs=5, random_state=0).fit(digits)
