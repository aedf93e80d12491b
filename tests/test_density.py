"""Peaks of density, on a line where they can be seen."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from skdeepcluster.graph.density import filled_dims, join_peaks, spanning_tree

HEIGHTS = np.array([1.0, 5.0, 4.0, 4.5, 1.5, 3.0, 0.5])
PATHS = np.arange(6)
SADDLES = np.minimum(HEIGHTS[:-1], HEIGHTS[1:])


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (0.1, [1, 1, 1, 3, 3, 5, 5]),
        (1.0, [1, 1, 1, 1, 1, 5, 5]),
        (2.0, [1, 1, 1, 1, 1, 1, 1]),
        (np.inf, [1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_peaks_that_stand_out_are_kept(least, expected):
    top = join_peaks(HEIGHTS, PATHS, PATHS + 1, SADDLES, least)
    assert_array_equal(top, expected)


@pytest.mark.parametrize("n_dims", [2, 3, 6])
def test_dimensions_from_the_growth_of_balls(n_dims):
    # The k-th of neighbours that fill n dimensions is as far as the n-th root of k.
    lengths = np.arange(1, 1001) ** (1 / n_dims)
    assert filled_dims(lengths, np.array([0, 1000])) == pytest.approx(n_dims, rel=0.01)


def test_equal_rows_fill_one_dimension():
    assert filled_dims(np.zeros(8), np.array([0, 4, 8])) == 1


@pytest.mark.parametrize("n_places", [1, 2, 40])
def test_spanning_tree(n_places):
    rng = np.random.RandomState(0)
    Z, reach = rng.normal(size=(n_places, 3)), rng.uniform(0.1, 1, size=n_places)
    steps = np.maximum(cdist(Z, Z), np.maximum.outer(reach, reach))
    one, other, lengths = spanning_tree(Z, reach)
    assert_allclose(lengths, steps[one, other])
    expected = minimum_spanning_tree(steps - np.diag(steps.diagonal()))
    assert lengths.sum() == pytest.approx(expected.sum())
    assert sorted(other) == list(range(1, n_places))
