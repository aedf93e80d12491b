"""Fences, neighbours and tails against loops and scipy."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn.neighbors import LocalOutlierFactor

from skdeepcluster.oddness import (
    FARTHEST,
    FEWEST,
    LEAST_ERROR,
    MOST_REFERENCES,
    Columns,
    Surroundings,
    Tail,
    fences,
    spreads,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# columns


def test_spreads_are_those_between_the_fences(rng):
    X = rng.normal(size=(1000, 3)) * [1, 5, 0.1]
    X[0] = 1e6
    for column, spread in zip(X.T, spreads(X, *fences(X)), strict=True):
        low, high = np.quantile(column, [0.01, 0.99], method="nearest")
        assert spread == pytest.approx(column.clip(low, high).std())


def test_a_column_of_nearly_one_value_has_the_spread_of_its_range(rng):
    X = np.column_stack([rng.normal(size=200), np.zeros(200), np.full(200, 7.0)])
    X[3, 1] = 12.0
    first, second, third = spreads(X, *fences(X))
    assert second == pytest.approx(12 / (2 * norm.isf(1 / 201)))
    # Of a constant one, it is the middle one of the others.
    assert third == pytest.approx(np.median([first, second]))


@pytest.mark.parametrize("widest", [4.0, 6.0])
def test_columns_share_a_unit_unless_one_is_far_wider(rng, widest):
    X = rng.normal(size=(2000, 5)) * [1, 1, 1, 1, widest] + 50
    columns = Columns.of(X, 0)
    low, high = np.quantile(X, [0.01, 0.99], axis=0, method="nearest")
    inside, spread = X.clip(low, high), spreads(X, *fences(X))
    assert_allclose(columns.fenced(X), inside)
    if widest < 5:
        assert_array_equal(columns.scaled(X), X)
        factor = np.median(spread) / spread
        expected = inside + (X - inside) * factor
    else:
        assert_allclose(columns.scaled(X), (X - np.median(X, axis=0)) / spread)
        expected = (X - np.median(X, axis=0)) / spread
    assert_allclose(columns.stretched(X), expected)


@pytest.mark.parametrize("wide", [1, 2, 3])
def test_a_quarter_of_small_columns_is_not_lost(rng, wide):
    units = np.repeat([1, 1e3], [4 - wide, wide])
    columns = Columns.of(rng.normal(size=(500, 4)) * units, 0)
    assert_allclose(columns.unit, units, rtol=0.2)


def test_a_code_in_many_rows_is_beyond_the_fences(rng):
    X = rng.normal(size=(500, 3))
    X[:40, 1] = -999
    columns = Columns.of(X, 0)
    assert columns.low[1] > -20
    assert (columns.unit == 1).all()


def test_gross_values_count_in_the_spread_of_their_column(rng):
    X = rng.normal(size=(500, 4)) * [1, 1, 1, 1e-3]
    columns = Columns.of(X, 0)
    odd = np.zeros((2, 4))
    odd[0, 0], odd[1, 3] = 30, 0.03
    first, second = np.abs(columns.stretched(odd)).max(1)
    assert second == pytest.approx(first, rel=0.15)
    farthest = np.abs(columns.stretched(np.full((1, 4), 1e300)))
    assert_allclose(farthest, FARTHEST, rtol=0.3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_fences_leave_sparse_rows_sparse(rng, dtype):
    X = (rng.poisson(0.5, size=(400, 6)) * 10).astype(dtype)
    X[0, 0] = 250
    X[:, 4] += 10
    X[0, 4] = 0
    columns = Columns.of(X, 0)
    fenced = columns.fenced(sp.csr_array(X))
    assert sp.issparse(fenced)
    assert fenced.dtype == columns.fenced(X).dtype == np.result_type(dtype, np.float32)
    assert_array_equal(fenced.toarray(), columns.fenced(X))
    assert fenced.max() < 100


def test_many_sparse_columns_have_one_fence():
    X = sp.random(3000, 2000, density=0.01, random_state=0, format="csr")
    X.data[0] = 1e6
    columns = Columns.of(X, 0)
    high = np.quantile(X.data, 0.99, method="nearest")
    assert (columns.low == 0).all()
    assert (columns.high == high).all()
    assert columns.fenced(X).nnz == X.nnz


# neighbours


def learned(X):
    columns = Columns.of(X, 0)
    return columns, Surroundings.of(X, columns, 0)


def test_distance_and_density_are_those_of_loops(rng):
    X = rng.normal(size=(150, 3))
    columns, around = learned(X)
    Z = columns.stretched(X)
    distances = cdist(Z, Z)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1)
    sorted_ = np.take_along_axis(distances, order, axis=1)
    assert (around.n_near, around.n_around) == (FEWEST, 15)

    def mean_reach(row, count):
        radius = sorted_[:, count - 1]
        pairs = zip(sorted_[row, :count], order[row, :count], strict=True)
        return np.mean([max(distance, radius[other]) for distance, other in pairs])

    wide = np.array([mean_reach(row, 15) for row in range(150)])
    ridge = np.median(wide)
    near = np.array([mean_reach(row, FEWEST) for row in range(150)])
    density = 1 / (wide + ridge)
    ratio = [density[order[row, :15]].mean() / density[row] for row in range(150)]
    actual = around.told(Z)
    assert_allclose(actual[0], near + ridge, rtol=1e-6)
    assert_allclose(actual[1], ratio, rtol=1e-6)
    # Without the ridge, it is the local outlier factor.
    plain = [np.mean(wide[row] / wide[order[row, :15]]) for row in range(150)]
    factor = LocalOutlierFactor(15).fit(Z)
    assert_allclose(-factor.negative_outlier_factor_, plain, rtol=1e-6)


def test_a_row_is_not_its_own_neighbour_and_a_new_one_is_new(rng):
    X = rng.normal(size=(60, 2))
    X[-1] = 50
    columns, around = learned(X)
    far = around.told(columns.stretched(np.array([[50.0, 50.0], [50.1, 50.0]])))[0]
    assert far[0] > 10 * around.ridge
    assert far[1] > 10 * around.ridge


def test_copies_are_neighbours_of_each_other(rng):
    X = np.vstack([rng.normal(size=(90, 2)), np.full((60, 2), 9.0)])
    columns, around = learned(X)
    distance, density = around.told(columns.stretched(X))
    assert np.isfinite(distance).all()
    assert np.isfinite(density).all()
    # A group that is one repeated row is dense, and no outlier.
    assert distance[-60:].max() <= distance[:90].min()
    assert density[-60:].max() <= 1.0001


def test_all_rows_equal():
    X = np.full((30, 3), 4.0)
    columns, around = learned(X)
    distance, density = around.told(columns.stretched(np.vstack([X, X[:1] + 9])))
    assert np.ptp(distance[:30]) == np.ptp(density[:30]) == 0
    assert distance[30] > distance[0]
    assert density[30] > density[0]


def test_many_rows_have_few_references(rng):
    X = rng.normal(size=(3000, 2))
    _, around = learned(X)
    assert around.rows.shape == (MOST_REFERENCES, 2)
    assert (around.n_near, around.n_around) == (20, 100)


def test_expected_values_are_medians_of_rows_near_in_other_columns(rng):
    X = rng.normal(size=(40, 1)) * [1, 2, -1] + 0.1 * rng.normal(size=(40, 3))
    columns, around = learned(X)
    Z = columns.scaled(columns.fenced(X))
    new = np.array([[0.3, 0.6, 0.4], [1.0, -2.0, -1.0]])

    def expected(row, references):
        near = np.argsort(np.square(references - row).sum(1))[: around.n_around]
        for j in range(3):
            others = np.delete(np.square(references[near] - row), j, axis=1).sum(1)
            yield np.median(references[near[np.argsort(others)[:FEWEST]], j])

    assert_allclose(around.expected(new), [[*expected(row, Z)] for row in new])
    # A row of the references, be it beyond the fences, doesn't tell of itself.
    own = [[*expected(Z[i], np.delete(Z, i, axis=0))] for i in range(40)]
    assert_allclose(around.expected(columns.stretched(X)), own)
    errors = np.square(own - columns.stretched(X))
    errors = np.sort(errors, axis=0)[:-3].mean(0)
    assert_allclose(around.errors, np.maximum(errors, LEAST_ERROR * errors.mean()))


# tails


def test_surprise_is_the_share_of_larger_values_and_then_exponential(rng):
    values = rng.exponential(2.0, size=4000)
    tail = Tail.of(values)
    assert tail.middle == pytest.approx(np.median(values))
    assert tail.spread == pytest.approx(2, rel=0.1)
    low = np.quantile(values, [0.1, 0.3, 0.49])
    shares = [(values >= value).mean() for value in low]
    assert_allclose(tail.surprise(low), -np.log(shares), atol=2e-3)
    high = np.array([4.0, 9.0, 100.0])
    assert_allclose(tail.surprise(high), np.log(2) + (high - tail.middle) / tail.spread)
    grid = np.linspace(0, 30, 500)
    assert (np.diff(tail.surprise(grid)) >= 0).all()


def test_a_tenth_of_gross_values_decide_no_tail(rng):
    values = rng.exponential(size=1000)
    plain = Tail.of(values)
    values[:100] = 1e6
    assert Tail.of(values).spread < 2 * plain.spread


def test_a_value_of_most_rows_decides_no_tail(rng):
    values = np.concatenate([np.zeros(800), 5 + rng.exponential(size=200)])
    tail = Tail.of(values)
    assert tail.middle == pytest.approx(np.median(values[800:]))
    assert tail.spread == pytest.approx(1, rel=0.3)
    assert tail.surprise(np.array([tail.middle]))[0] == pytest.approx(
        -np.log(0.1), abs=0.02
    )
    same = Tail.of(np.zeros(50))
    assert_array_equal(same.surprise(np.array([-1.0, 0.0])), 0)
    assert np.isfinite(same.surprise(np.array([1e300]))).all()


@pytest.mark.parametrize("planted", [0, 20, 80])
def test_excess_is_the_share_of_rows_that_are_too_many(rng, planted):
    values = np.concatenate(
        [rng.exponential(size=2000 - planted), np.full(planted, 30)]
    )
    tail = Tail.of(values)
    excess = tail.excess(values)
    assert (np.diff(tail.excess(np.sort(values))) >= 0).all()
    assert ((excess >= 0) & (excess <= 1)).all()
    assert excess.mean() == pytest.approx(planted / 2000, abs=0.035)
    if planted:
        assert excess[-planted:].min() > 0.99
    assert tail.excess(np.array([1e3]))[0] > 0.99


def test_the_value_of_an_excess_is_the_least(rng):
    values = np.concatenate([rng.exponential(size=990), np.full(10, 40.0)])
    tail = Tail.of(values)
    value = tail.value_of(0.9)
    assert value in values
    assert tail.excess(np.array([value]))[0] > 0.9
    assert tail.excess(values[values < value]).max() <= 0.9
    # Where there is none, it is that of a row yet to come.
    beyond = Tail.of(values[:990]).value_of(0.9)
    assert beyond > values[:990].max()
    assert Tail.of(values[:990]).excess(np.array([beyond * 1.01]))[0] >= 0.9


def test_a_gap_is_wider_than_all_before_it():
    values = np.concatenate([np.linspace(0, 2, 95), [5, 5.1, 5.2, 7]])
    assert Tail.of(values).beyond_gap() == 5
    assert Tail.of(np.linspace(0, 2, 95)).beyond_gap() == np.inf
    # A fifth of the rows is a group.
    values = np.concatenate([np.linspace(0, 2, 80), np.linspace(9, 9.1, 20)])
    assert Tail.of(values).beyond_gap() == np.inf
