"""The dip against its definition, its p-values against uniform samples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog

from skdeepcluster._dip import (
    PROBABILITIES,
    QUANTILES,
    SIZES,
    dip,
    merged,
    p_value,
    quantiles,
)


def farthest_from(sample, mode):
    """Distance of a sample to the nearest distribution with the mode at a value.

    A linear programme: values of the distribution before and at each value of the
    sample, convex up to the mode, which may have a mass, and concave from there.
    """
    values, counts = np.unique(sample, return_counts=True)
    above = counts.cumsum() / counts.sum()
    below = above - counts / counts.sum()
    # One unknown a value, one more at the mode, and the distance.
    x = np.insert(values, mode, values[mode])
    low = np.concatenate([above[:mode], [below[mode]], above[mode:]])
    high = np.concatenate([below[: mode + 1], [above[mode]], below[mode + 1 :]])
    n = len(x)
    unit = np.eye(n + 1)
    rules, limits = [], []
    for k in range(n):
        rules += [unit[k] - unit[n], -unit[k] - unit[n]]
        limits += [high[k], -low[k]]
    for k in range(n - 1):
        rules.append(unit[k] - unit[k + 1])
        limits.append(0.0)
    for k in range(1, n - 1):
        if k in (mode, mode + 1):
            continue
        before = (unit[k] - unit[k - 1]) / (x[k] - x[k - 1])
        after = (unit[k + 1] - unit[k]) / (x[k + 1] - x[k])
        rules.append(before - after if k < mode else after - before)
        limits.append(0.0)
    return linprog(unit[n], rules, limits, bounds=(None, None)).fun


def samples():
    rng = np.random.RandomState(0)
    for size in (2, 3, 5, 8, 12):
        yield rng.normal(size=size)
        yield np.concatenate([rng.normal(size=size), 5 + rng.normal(size=size)])
        yield rng.randint(5, size=2 * size).astype(float)


@pytest.mark.parametrize("sample", list(samples()))
def test_dip_is_the_distance_to_the_nearest_unimodal_distribution(sample):
    modes = range(len(np.unique(sample)))
    expected = min(farthest_from(sample, mode) for mode in modes)
    assert dip(sample).value == pytest.approx(expected, abs=1e-8)


def test_known_dips():
    assert dip(np.zeros(5)).value == 0
    assert dip(np.arange(10.0)).value == pytest.approx(1 / 20)
    # Two masses are as far from one mode as can be.
    assert dip(np.repeat([0.0, 1.0], 50)).value == pytest.approx(0.25)


def test_dip_is_of_the_shape_alone():
    sample = np.random.RandomState(1).normal(size=100)
    value = dip(sample).value
    assert dip(7 + 3 * sample).value == pytest.approx(value)
    assert dip(-sample).value == pytest.approx(value)
    assert dip(sample[::-1]).value == value


def test_triangle_and_slope_tell_the_change_of_the_dip():
    rng = np.random.RandomState(2)
    for _ in range(10):
        sample = np.concatenate([rng.normal(size=30), 4 + rng.normal(size=20)])
        found = dip(sample)
        a, b, c = found.triangle
        assert sample[a] <= sample[b] <= sample[c]
        step = 1e-6 * (sample[c] - sample[a])
        moved = sample.copy()
        moved[b] += step
        change = (dip(moved).value - found.value) / 1e-6
        assert change == pytest.approx(found.slope, rel=1e-3)


def test_modal_interval_holds_the_mode():
    rng = np.random.RandomState(3)
    sample = np.concatenate([rng.normal(size=300), rng.uniform(-20, 20, size=50)])
    low, high = dip(sample).interval
    assert -4 < sample[low] <= sample[high] < 4


def test_quantiles_are_those_of_uniform_samples():
    for size in (16, 64):
        known = QUANTILES[SIZES.tolist().index(size)]
        assert_allclose(quantiles(size, 1000, seed=1)[2:8], known[2:8], rtol=0.05)


def test_p_values_interpolate_the_quantiles():
    values = QUANTILES[3] / np.sqrt(SIZES[3])
    found = [p_value(value, int(SIZES[3])) for value in values]
    assert_allclose(found, 1 - PROBABILITIES)
    assert p_value(0.0, 100) == 1
    assert p_value(0.25, 1000) == 0
    assert p_value(0.25, 3) == 1
    assert 0 < p_value(0.05, 100) < p_value(0.05, 50) < 1


def test_parts_of_a_cluster_are_merged_and_clusters_are_not():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(600, 3)) + np.repeat([[0.0, 0, 0], [9.0, 0, 0]], 300, axis=0)
    labels = (X[:, 0] > 4.5) * 2 + (X[:, 1] > 0)
    found, p = merged(X, labels, 0.9)
    assert np.array_equal(found, labels // 2)
    assert_allclose(np.diag(p), 1)
    assert p[0, 1] == p[1, 0] < 0.01
    unmerged, p = merged(X, labels, np.inf)
    assert np.array_equal(unmerged, labels)
    assert p.shape == (4, 4)


def test_a_small_part_beside_a_large_cluster_counts():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(2040, 2))
    X[2000:, 0] += 8
    labels = np.repeat([0, 1], [2000, 40])
    assert merged(X, labels, 0.0)[1].shape == (1, 1)
    assert merged(X, labels, 0.9)[1][0, 1] < 0.01
