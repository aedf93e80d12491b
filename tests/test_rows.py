"""Distinct rows, and the space of their distances."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skdeepcluster.graph import rows as R
from skdeepcluster.graph.rows import Nodes, RowSpace, row_keys


@pytest.fixture
def points():
    return np.random.RandomState(0).normal(size=(60, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", ["float64", "float32", "int16", "sparse", "fortran"])
def test_keys_tell_rows_apart(kind):
    X = np.random.RandomState(0).randint(-2, 3, size=(500, 4)).astype(float)
    distinct, inverse = np.unique(X, axis=0, return_inverse=True)
    keys = row_keys(X)
    assert len(np.unique(keys)) == len(distinct)
    assert len(np.unique(np.c_[keys, inverse.ravel()], axis=0)) == len(distinct)
    same = {"sparse": sp.csr_array, "fortran": np.asfortranarray}.get(kind)
    assert_array_equal(row_keys(same(X) if same else X.astype(kind)), keys)
    assert_array_equal(row_keys(np.where(X == 0, -0.0, X)), keys)
    assert_array_equal(row_keys(X * 2.0**90, 2.0**-90), keys)


def test_keys_of_sparse_rows_in_any_form():
    X = sp.csr_array(np.array([[1.0, 0, 2], [0, 0, 3]]))
    data, columns = [2.0, 0.0, 0.5, 0.5, 3.0], [2, 1, 0, 0, 2]
    odd = sp.csr_array((data, columns, [0, 4, 5]), shape=(2, 3))
    assert_array_equal(row_keys(odd), row_keys(X))
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
    monkeypatch.setattr(R, "DENSE_SIZE", 0)
    space = space_of(sp.csr_array(digits))
    assert space.rows.shape == (len(digits), R.MAX_DIMS)
    assert space.rows.dtype == np.float32


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("columns", [5, 64])
def test_new_rows_are_mapped_as_the_old_ones(digits, monkeypatch, sparse, columns):
    monkeypatch.setattr(R, "DENSE_SIZE", 0)
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
