"""The graph of neighbours, against loops."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.neighbors import NearestNeighbors

from skdeepcluster.estimators._objectives import Neighborhoods
from skdeepcluster.graph import device
from skdeepcluster.graph import neighbors as N
from skdeepcluster.graph.neighbors import Graph


@pytest.fixture
def points():
    return np.random.RandomState(0).normal(size=(60, 3)).astype(np.float32)


def test_neighbor_graph(points):
    graph = N.neighbor_graph(points, 5, None, 0).toarray()
    distances = np.square(points[:, None] - points).sum(2)
    for i in range(len(points)):
        others = [j for j in np.argsort(distances[i]) if j != i]
        assert set(np.flatnonzero(graph[i])) == set(others[:5])
    assert set(np.unique(graph)) == {0, 1}


@pytest.mark.parametrize(("n_columns", "shift"), [(2, 0), (20, 1e4), (300, 0)])
def test_neighbours_on_a_device_are_those_of_an_exact_search(
    n_columns, shift, monkeypatch
):
    monkeypatch.setattr(device, "ENTRIES_AT_ONCE", 100_000)
    rows = np.random.RandomState(0).normal(size=(700, n_columns)) + shift
    rows = rows.astype(np.float32)
    search = NearestNeighbors(n_neighbors=15, algorithm="brute").fit(rows)
    exact = search.kneighbors_graph()
    found = device.nearest_on("cpu", rows, 15)
    assert found.shape == exact.shape
    assert (found != exact).nnz <= 0.001 * exact.nnz


def test_a_device_is_asked_for_many_rows_only(points, monkeypatch):
    asked = []
    monkeypatch.setattr(N, "fast_device", lambda n_rows: asked.append(n_rows))
    own = NearestNeighbors(n_neighbors=5)
    N.neighbor_graph(points, 5, None, 0)
    N.neighbor_graph(points, 5, own, 0)
    assert asked == [len(points)]
    monkeypatch.setattr(N, "fast_device", lambda n_rows: "cpu")
    found = N.neighbor_graph(points, 5, None, 0)
    assert (found != N.neighbor_graph(points, 5, own, 0)).nnz == 0


def test_neighbours_are_drawn_of_distinct_rows(points):
    copies = np.repeat(points, 4, axis=0)[::-1]
    near = Neighborhoods.of(copies, 5, 0)
    distances = np.square(copies[:, None] - copies).sum(2)
    rng = np.random.default_rng(0)
    rows = np.arange(len(copies))
    drawn = np.stack([near.draw(rows, rng) for _ in range(100)])
    for i in rows:
        lengths = np.unique(distances[i])
        assert set(distances[i, drawn[:, i]]) == set(lengths[1:6])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_neighbours_among_few_distinct_rows(count):
    rows = np.repeat(np.eye(3, dtype=np.float32)[:count], 4, axis=0)
    near = Neighborhoods.of(rows, 15, 0)
    drawn = near.draw(np.arange(len(rows)), np.random.default_rng(0))
    assert (rows[drawn] != rows).any(1).all() == (count > 1)


def weights_of(Z, n_neighbors=5):
    graph = N.neighbor_graph(Z, n_neighbors, None, 0)
    return N.fuzzy_union(graph, N.edge_lengths(Z, graph))


def test_edge_lengths(points, monkeypatch):
    monkeypatch.setattr(N, "ENTRIES_AT_ONCE", 21)
    graph = N.neighbor_graph(points, 5, None, 0)
    lengths = N.edge_lengths(points, graph)
    edges = zip(*graph.nonzero(), lengths, strict=True)
    for i, j, length in edges:
        assert length == pytest.approx(np.linalg.norm(points[i] - points[j]))


def test_fuzzy_union(points):
    graph = N.neighbor_graph(points, 5, None, 0)
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


def test_shared_neighbors(points, monkeypatch):
    monkeypatch.setattr(N, "ENTRIES_AT_ONCE", 21)
    graph = N.neighbor_graph(points, 5, None, 0)
    weights = N.shared_neighbors(graph, np.ones(60)).toarray()
    tied = graph.toarray() > 0
    for i in range(len(points)):
        for j in range(len(points)):
            around_i = {i, *np.flatnonzero(tied[i])}
            around_j = {j, *np.flatnonzero(tied[j])}
            expected = len(around_i & around_j) / len(around_i | around_j)
            if i == j or not (tied[i, j] or tied[j, i]):
                expected = 0
            assert weights[i, j] == pytest.approx(expected)


def test_approximate_search_for_many_rows(points, monkeypatch):
    assert isinstance(N.neighbor_search(60, 5, 0), NearestNeighbors)
    monkeypatch.setattr(N, "EXACT_ROWS", 50)
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    with pytest.warns(UserWarning, match=r"skdeepcluster\[graph\]"):
        search = N.neighbor_search(60, 5, 0)
    assert isinstance(search, NearestNeighbors)


def test_fuzzy_union_of_rows_that_coincide():
    Z = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    for n_neighbors in (1, 3, 9):
        weights = weights_of(Z, n_neighbors)
        assert np.isfinite(weights.data).all()
        assert (weights.sum(1) >= 1).all()
        assert_allclose(weights.toarray(), weights.T.toarray())


def test_shared_neighbors_by_mass(points):
    graph = N.neighbor_graph(points, 5, None, 0)
    mass = np.random.RandomState(0).randint(1, 9, len(points)).astype(float)
    weights = N.shared_neighbors(graph, mass).toarray()
    tied = graph.toarray() > 0
    for i, j in zip(*np.nonzero(weights), strict=True):
        around_i = {i, *np.flatnonzero(tied[i])}
        around_j = {j, *np.flatnonzero(tied[j])}
        expected = (
            mass[[*around_i & around_j]].sum() / mass[[*around_i | around_j]].sum()
        )
        assert weights[i, j] == pytest.approx(expected)


def test_edges_by_mass(points):
    graph = N.neighbor_graph(points, 5, None, 0)
    weights = weights_of(points)
    mass = np.random.RandomState(0).randint(1, 9, len(points)).astype(float)
    heavy = N.by_mass([weights], graph, mass)[0].toarray()
    plain, asked = weights.toarray(), graph.toarray()
    around = [np.average(mass, weights=row) for row in plain]
    kept = np.zeros(len(points))
    for i, j in zip(*np.nonzero(plain), strict=True):
        factor = mass[i] * mass[j] * (1 / around[i] + 1 / around[j]) / 2
        carried = factor
        if not (asked[i, j] and asked[j, i]):
            carried = min(factor, mass[i], mass[j])
            if mass[i] > mass[j]:
                kept[i] += plain[i, j] * (factor - carried)
        assert heavy[i, j] == pytest.approx(plain[i, j] * carried, rel=1e-5)
    assert_allclose(heavy.diagonal(), kept, rtol=1e-4, atol=1e-5)
    assert kept.any()
    # Equal masses are a matter of units only.
    same = N.by_mass([weights], graph, np.full(60, 3.0))[0]
    assert_allclose(same.toarray(), plain)


def test_edges_by_density(points):
    reach = np.arange(1.0, 61.0)
    weights = weights_of(points)
    expected = weights.toarray() * 30.5 / np.maximum.outer(reach, reach)
    assert_allclose(N.by_density(weights, reach).toarray(), expected, rtol=1e-6)


@pytest.mark.parametrize("n_dims", [1, 2, 5])
def test_dimensions_that_rows_fill(n_dims):
    X = np.random.RandomState(0).uniform(size=(2000, n_dims)).astype(np.float32)
    X = np.pad(X, ((0, 0), (0, 3)))
    view = Graph.of(X, np.ones(len(X)), 15, None, 0)
    assert view.n_dims == pytest.approx(n_dims, rel=0.2)
