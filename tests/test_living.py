"""Clusters that keep their numbers: from fit to fit, when edited, and as rows come."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepcluster.metrics import align


def most_that_stay(old, new):
    """Rows with their old number under the best renumbering, over all of them."""
    names, numbers = np.unique(new[new >= 0]), np.unique(old[old >= 0])
    spare = [*numbers, *range(100, 100 + len(names))]
    return max(
        sum(
            np.sum((old == number) & (new == name))
            for name, number in zip(names, order, strict=True)
        )
        for order in itertools.permutations(spare, len(names))
    )


@pytest.mark.parametrize("seed", range(10))
def test_as_many_rows_as_possible_keep_their_number(seed):
    rng = np.random.default_rng(seed)
    old = rng.integers(-1, 3, 40) * 2
    new = rng.integers(-1, rng.integers(1, 4), 40)
    old[old < 0] = -1
    labels, table = align(old, new)
    assert np.sum((labels == old) & (old >= 0)) == most_that_stay(old, new)
    assert_array_equal(labels == -1, new == -1)
    # The same clusters as before, each with one number.
    pairs = {*zip(new.tolist(), labels.tolist(), strict=True)}
    assert len(pairs) == len({*new.tolist()}) == len({*labels.tolist()})
    for number, row in table.iterrows():
        assert row["before"] == sum(label == number for label in old)
        assert row["now"] == sum(label == number for label in labels)
        if row["before"] and row["now"]:
            assert any((old == number) & (labels == number))
        for moves, mine, theirs in (
            (row["went_to"], old, labels),
            (row["came_from"], labels, old),
        ):
            expected = {
                int(other): int(np.sum((mine == number) & (theirs == other)))
                for other in np.unique(theirs[mine == number])
            }
            assert moves == expected
            assert [*moves.values()] == sorted(moves.values(), reverse=True)


@pytest.mark.parametrize(
    ("old", "new", "labels", "fates"),
    [
        ([0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], {0: "kept", 1: "kept"}),
        ([0, 0, 0, 4], [2, 2, 3, 5], [0, 0, 5, 4], {0: "split", 4: "kept", 5: "new"}),
        ([0, 0, 3, 3, 3], [7] * 5, [3] * 5, {0: "merged", 3: "merged"}),
        ([0, 0, 1, 1], [0, 0, -2, -1], [0, 0, -1, -1], {0: "kept", 1: "vanished"}),
        ([-1, -1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], {0: "kept", 1: "new"}),
        ([-1, -1], ["a", "b"], [0, 1], {0: "new", 1: "new"}),
        ([2, 2], [-1, -1], [-1, -1], {2: "vanished"}),
    ],
)
def test_what_became_of_clusters(old, new, labels, fates):
    found, table = align(old, new)
    assert_array_equal(found, labels)
    assert table["fate"].to_dict() == fates
    assert table.index.name == "cluster"


def test_labels_that_cannot_be_aligned_are_named():
    with pytest.raises(TypeError, match="old_labels has the type"):
        align(["a", "b"], [0, 1])
    with pytest.raises(ValueError, match="empty"):
        align([], [])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        align([0, 1], [0])
    with pytest.raises(ValueError, match="new_labels has missing values"):
        align([0, 1], [None, 1])
