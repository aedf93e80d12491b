"""Number of clusters of communities, against loops."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepcluster.graph import number as K
from skdeepcluster.graph.neighbors import Graph


@pytest.fixture
def links():
    """Two groups of four communities, which hardly touch."""
    rng = np.random.RandomState(1)
    half = rng.uniform(1, 2, size=(8, 8))
    half[:4, 4:] *= 0.02
    return np.triu(half, 1) + np.triu(half, 1).T + np.diag(rng.uniform(5, 9, size=8))


def test_touch(links):
    labels = np.repeat([0, 1], 4)
    degrees = links.sum(1)
    for n_dims in (1.0, 2.0, 30.0):
        power = (n_dims - 1) / (2 * n_dims)
        tie = {
            (i, j): links[i, j] / (degrees[i] * degrees[j]) ** power
            for i in range(8)
            for j in range(8)
            if i != j
        }
        usual = np.median(
            [max(tie[i, j] for j in range(8) if j != i) for i in range(8)]
        )
        typical = sum(t**2 for t in tie.values()) / sum(tie.values())

        def strength(a, b, more=0.0, tie=tie, typical=typical):
            ties = [t for (i, j), t in tie.items() if labels[i] == a and labels[j] == b]
            square = sum(t**2 for t in ties) + more * typical
            return square / (sum(ties) + more)

        inner = [strength(a, a, usual) for a in (0, 1)]
        expected = strength(0, 1) / np.sqrt(inner[0] * inner[1])
        found = K.touch(links, labels, n_dims)
        assert found[[0, 1], [1, 0]] == pytest.approx(expected)
        assert found[0, 0] == found[1, 1] == 0


def test_modules_that_touch_are_one(links):
    labels = K.merge_touching(links, np.arange(8), 10.0)
    assert_array_equal(labels, np.repeat([0, 1], 4))


def test_peaks_stand_out():
    heights = np.array([1.0, 30.0, 15.0, 22.0, 5.0, 40.0])
    paths = np.arange(5), np.arange(1, 6), np.minimum(heights[:-1], heights[1:])
    for deviations, expected in ((4, 3), (7.1, 2), (26, 1)):
        near = ((1 + K.PEAK_ON_LINE / 2) / deviations) ** 2
        assert K.stand_out(heights, paths, np.full(6, 9.0), 2.0, near) == expected
    # A peak of too few rows doesn't count.
    mass = np.array([9.0, 9.0, 9.0, 9.0, 1.0, 1.0])
    assert K.stand_out(heights, paths, mass, 2.0, 4) == 2


def groups(n_samples, n_dims, distance, seed=0):
    """Four Gaussians of unit variance, neighbours at some distance."""
    corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
    centers = np.array(corners)[:, :n_dims] if n_dims > 1 else np.arange(4)[:, None]
    rng = np.random.RandomState(seed)
    rows = distance * centers[np.arange(n_samples) % 4]
    return rows + rng.normal(size=(n_samples, n_dims))


@pytest.mark.parametrize("n_dims", [1, 2, 3])
@pytest.mark.parametrize(("n_samples", "distance"), [(60, 12), (200, 7), (1500, 5.5)])
def test_groups_are_counted(n_samples, distance, n_dims):
    X = groups(n_samples, n_dims, distance)
    assert K.count_peaks(X, np.ones(n_samples), 15, seed=0) == 4


@pytest.mark.parametrize("kind", ["normal", "uniform", "exponential"])
@pytest.mark.parametrize("n_dims", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("n_samples", "n_sets"),
    [(4, 2), (12, 9), (60, 20), (200, 20), (1500, 2), (6000, 1)],
)
def test_there_is_one_group_where_nothing_is_apart(n_samples, n_sets, n_dims, kind):
    counts = []
    for seed in range(n_sets):
        X = getattr(np.random.RandomState(seed), kind)(size=(n_samples, n_dims))
        counts.append(K.count_peaks(X, np.ones(n_samples), 15, seed=0))
    # A few rows are apart by chance now and then.
    assert np.mean(np.array(counts) > 1) <= 0.15


STRIPS = {
    "line": lambda t: np.column_stack([3 * t, 0 * t]),
    "arc": lambda t: np.column_stack([np.cos(3 * t), np.sin(3 * t)]),
    "long": lambda t: np.column_stack([3 * t] + 4 * [0 * t]),
}


@pytest.mark.parametrize("strip", STRIPS)
def test_a_strip_is_one_group(strip):
    """However wide a gap in it is, a few rows more would fill it."""
    counts = []
    for seed in range(30):
        rng = np.random.RandomState(seed)
        X = STRIPS[strip](rng.uniform(size=200))
        X += 0.1 * rng.normal(size=X.shape)
        counts.append(K.count_peaks(X, np.ones(200), 15, seed=0))
    assert np.mean(np.array(counts) > 1) <= 0.15


@pytest.mark.parametrize("n_dims", [3, 10])
def test_small_groups_beside_a_large_one(n_dims):
    y = np.r_[np.zeros(200, int), np.repeat([1, 2, 3], 16)]
    X = 8 * np.eye(4, n_dims)[y] + np.random.RandomState(0).normal(size=(248, n_dims))
    assert K.count_peaks(X, np.ones(248), 15, seed=0) == 4


def test_steps_of_single_linkage_by_hand():
    """Steps are of 2 or 3, to the third neighbour, and one of 8 or 12 is between."""
    X = np.r_[np.arange(14.0), np.arange(14.0) + 13 + 8][:, None]
    assert K.count_apart_by_steps(X) == 1
    X[14:] += 4
    assert K.count_apart_by_steps(X) == 2
    assert K.count_apart_by_steps(X[:14]) == 1
    # Too few rows beyond the step to be a group.
    assert K.count_apart_by_steps(X[:18]) == 1


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_small_group_far_from_the_others(n_dims):
    X = groups(2000, n_dims, 8)
    X[:30] = X[:30] % 1 + 50
    assert K.count_peaks(X, np.ones(2000), 15, seed=0) == 5


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_codes_are_dense_where_many_rows_have_them(n_dims):
    codes, counts = np.unique(
        np.round(groups(600, n_dims, 8)), axis=0, return_counts=True
    )
    assert K.count_peaks(codes, counts, 15, seed=0) == 4


def test_peaks_of_a_graph():
    X = groups(400, 2, 8)
    graph = Graph.of(X.astype(np.float32), np.ones(400), 15, None, 0)
    assert graph.n_dims == pytest.approx(2, rel=0.2)
    assert K.count_peaks_in_graph(graph, np.ones(400)) == 4
