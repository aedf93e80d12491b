"""Distinct rows and the graph of their neighbours, against loops."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import NearestNeighbors

from skdeepcluster import neighbors as N
from skdeepcluster.neighbors import Nodes, RowSpace, View


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
    weights = weights_of(points)
    mass = np.random.RandomState(0).randint(1, 9, len(points)).astype(float)
    heavy = N.by_mass(weights, weights, mass).toarray()
    plain = weights.toarray()
    around = [np.average(mass, weights=row) for row in plain]
    for i, j in zip(*np.nonzero(plain), strict=True):
        factor = mass[i] * mass[j] * (1 / around[i] + 1 / around[j]) / 2
        assert heavy[i, j] == pytest.approx(plain[i, j] * factor, rel=1e-5)
    # Equal masses are a matter of units only.
    assert_allclose(N.by_mass(weights, weights, np.full(60, 3.0)).toarray(), plain)


@pytest.mark.parametrize("kind", ["float64", "float32", "int16", "sparse", "fortran"])
def test_keys_tell_rows_apart(kind):
    X = np.random.RandomState(0).randint(-2, 3, size=(500, 4)).astype(float)
    distinct, inverse = np.unique(X, axis=0, return_inverse=True)
    keys = N.row_keys(X)
    assert len(np.unique(keys)) == len(distinct)
    assert len(np.unique(np.c_[keys, inverse.ravel()], axis=0)) == len(distinct)
    same = {"sparse": sp.csr_array, "fortran": np.asfortranarray}.get(kind)
    assert_array_equal(N.row_keys(same(X) if same else X.astype(kind)), keys)
    assert_array_equal(N.row_keys(np.where(X == 0, -0.0, X)), keys)
    assert_array_equal(N.row_keys(X * 2.0**90, 2.0**-90), keys)


def test_keys_of_sparse_rows_in_any_form():
    X = sp.csr_array(np.array([[1.0, 0, 2], [0, 0, 3]]))
    data, columns = [2.0, 0.0, 0.5, 0.5, 3.0], [2, 1, 0, 0, 2]
    odd = sp.csr_array((data, columns, [0, 4, 5]), shape=(2, 3))
    assert_array_equal(N.row_keys(odd), N.row_keys(X))
    assert odd.nnz == 5


@pytest.mark.parametrize("ordered", [True, False])
def test_nodes_are_the_distinct_rows(ordered):
    X = np.random.RandomState(0).randint(0, 3, size=(200, 3))
    nodes = Nodes.of(X, ordered)
    distinct, counts = np.unique(X, axis=0, return_counts=True)
    assert len(nodes.first) == len(distinct)
    assert_array_equal(X[nodes.first][nodes.inverse], X)
    assert_array_equal(np.sort(nodes.mass), np.sort(counts))
    shuffled = np.random.RandomState(1).permutation(200)
    again = Nodes.of(X[shuffled], ordered)
    if ordered:
        assert_array_equal(np.argsort(again.first), np.arange(len(distinct)))
    else:
        assert_array_equal(X[shuffled][again.first], X[nodes.first])


def space_of(X):
    return RowSpace(X, np.arange(X.shape[0]), 0)


def test_wide_and_sparse_rows_are_reduced(digits, monkeypatch):
    expected = space_of(digits).rows
    for X in (digits.astype(np.float64), digits.astype(np.uint8), sp.csr_array(digits)):
        assert_array_equal(space_of(X).rows, expected)
    monkeypatch.setattr(N, "DENSE_SIZE", 0)
    space = space_of(sp.csr_array(digits))
    assert space.rows.shape == (len(digits), N.MAX_DIMS)
    assert space.rows.dtype == np.float32


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("columns", [5, 64])
def test_new_rows_are_mapped_as_the_old_ones(digits, monkeypatch, sparse, columns):
    monkeypatch.setattr(N, "DENSE_SIZE", 0)
    X = sp.csr_array(digits[:, :columns]) if sparse else digits[:, :columns]
    space = space_of(X)
    assert_allclose(space.transform(X[:9]), space.rows[:9], atol=1e-4)


@pytest.mark.parametrize("exponent", [-100, 100])
def test_unit_of_the_rows_does_not_matter(points, exponent):
    for X in (points, np.tile(points, 20)):
        expected = space_of(X).rows
        assert_array_equal(space_of(X * 2.0**exponent).rows, expected)


def test_one_value_far_away_leaves_the_others_as_they_are(points):
    far = points.astype(np.float64)
    far[3, 1] = 1e20
    rows = space_of(far).rows
    assert np.isfinite(rows).all()
    others = np.delete(np.arange(60), 3)
    distances = np.linalg.norm(points[others] - points[0], axis=1)
    found = np.linalg.norm(rows[others] - rows[0], axis=1)
    assert_allclose(found / found[1], distances / distances[1], rtol=1e-5)


@pytest.mark.parametrize("n_dims", [1, 2, 5])
def test_dimensions_that_rows_fill(n_dims):
    X = np.random.RandomState(0).uniform(size=(2000, n_dims)).astype(np.float32)
    X = np.pad(X, ((0, 0), (0, 3)))
    view = View.of(X, np.ones(len(X)), 15, None, 0)
    assert view.n_dims == pytest.approx(n_dims, rel=0.2)


def test_diffusion_map_of_a_chain(monkeypatch):
    chain = sp.csr_array(sp.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(30, 30)))
    walk = chain.toarray() / chain.sum(1)[:, None]
    shares = np.sort(np.linalg.eigvals(walk).real)[::-1]
    for dense in (400, 10):
        monkeypatch.setattr(N, "DENSE_NODES", dense)
        monkeypatch.setattr(N, "DIFFUSION_DIMS", 4)
        Z = N.diffusion_map(chain, 0)
        assert Z.shape == (30, 4)
        # Each coordinate is a motion that keeps its shape and shrinks by its share.
        for coordinate, share in zip(Z.T, shares[1:], strict=False):
            assert_allclose(walk @ coordinate, share * coordinate, atol=1e-2)
        # The slowest of them tells one end of the chain from the other.
        slow = Z[:, np.abs(Z).max(0).argmax()]
        assert (np.diff(slow * np.sign(slow[-1])) > 0).all()
