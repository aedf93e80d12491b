"""Number of clusters of communities, against loops."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepcluster import counting as K


@pytest.fixture
def links():
    """Two groups of four communities, which hardly touch."""
    rng = np.random.RandomState(1)
    half = rng.uniform(1, 2, size=(8, 8))
    half[:4, 4:] *= 0.02
    return np.triu(half, 1) + np.triu(half, 1).T + np.diag(rng.uniform(5, 9, size=8))


def test_cut(links):
    part, other = np.array([0, 2]), np.array([1, 3])
    between = links[0, 1] + links[0, 3] + links[2, 1] + links[2, 3]
    volumes = [
        links[0, 0] + links[2, 2] + 2 * links[0, 2] + between,
        links[1, 1] + links[3, 3] + 2 * links[1, 3] + between,
    ]
    assert K.cut(links, part, other) == pytest.approx(between / min(volumes))


def test_smallest_cut_of_a_chain():
    chain = (
        np.diag([9.0] * 6) + np.diag([3, 3, 1, 3, 3], 1) + np.diag([3, 3, 1, 3, 3], -1)
    )
    expected = 1 / (3 * 9 + 4 * 3 + 1)
    assert K.smallest_cut(chain, np.arange(6)[::-1]) == pytest.approx(expected)


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
    chain = np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1) + np.eye(6)
    heights = np.array([1.0, 3.0, 1.5, 2.2, 0.5, 4.0])
    assert_array_equal(K.peaks(chain, heights, 0.5), [1, 1, 1, 3, 3, 5])
    assert_array_equal(K.peaks(chain, heights, 1.0), [1, 1, 1, 1, 1, 5])
    assert_array_equal(K.peaks(chain, heights, 9.0), [5] * 6)
