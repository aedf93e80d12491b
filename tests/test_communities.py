"""Communities and their merging, against loops."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from skdeepcluster import communities as C


@pytest.fixture
def links():
    """Weights between eight communities, and their sizes."""
    rng = np.random.RandomState(1)
    half = rng.uniform(size=(8, 8)) * (rng.uniform(size=(8, 8)) < 0.6)
    return half + half.T + np.diag(rng.uniform(5, 9, size=8)), rng.randint(3, 40, 8)


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


def worth_by_hand(joint, labels, balance=C.BALANCE):
    p = np.array([joint[labels == label].sum() for label in set(labels)])
    return information_by_hand(joint, labels) / (-p * np.log(p)).sum() ** balance


def test_moves_end_where_no_single_one_gains(links):
    joint = C.walk_ends(links[0], C.WALK)
    before = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    labels = C.worthwhile_moves(joint, before)
    best = worth_by_hand(joint, labels, C.BALANCE_OF_MOVES)
    assert best > worth_by_hand(joint, before, C.BALANCE_OF_MOVES)
    for i, home in enumerate(labels):
        for other in range(3):
            moved = labels.copy()
            moved[i] = other
            if (labels == home).sum() > 1:
                assert worth_by_hand(joint, moved, C.BALANCE_OF_MOVES) <= best + 1e-9


def test_worth_of_clusters(links):
    joint = C.walk_ends(links[0], C.WALK)
    labels = np.arange(8) % 3
    clusters = C.merged(joint, labels)
    assert C.worth_of(clusters) == pytest.approx(worth_by_hand(joint, labels))
    p = clusters.sum(1)
    entropy = -(p * np.log(p)).sum()
    expected = information_by_hand(joint, labels) / entropy
    assert C.share_kept(clusters) == pytest.approx(expected)


def test_clean_clusters():
    assert C.is_clean(np.diag([0.99, 0.01]))
    assert not C.is_clean(np.full((2, 2), 0.05) + 0.4 * np.eye(2))
    assert C.is_clean(np.ones((1, 1)))
    assert C.worth_of(np.ones((1, 1))) == 0


def test_sums_between_communities(links):
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    sums = C.between(sp.csr_array(links[0]), labels)
    for a in range(3):
        for b in range(3):
            expected = links[0][np.ix_(labels == a, labels == b)].sum()
            assert sums[a, b] == pytest.approx(expected, rel=1e-6)


def test_smoothing_loses_no_cluster(links):
    weights = sp.csr_array(links[0])
    labels = np.r_[np.zeros(5, int), 1, 2, 3]
    assert_array_equal(np.unique(C.smooth(weights, labels)), range(4))


def test_rand_indices_of_repeated_rows():
    rng = np.random.RandomState(0)
    labelings = [rng.randint(k, size=60) for k in (2, 3, 4)] + [np.zeros(60, int)]
    mass = rng.randint(1, 5, size=60)
    expected = [
        [adjusted_rand_score(np.repeat(a, mass), np.repeat(b, mass)) for b in labelings]
        for a in labelings
    ]
    assert_allclose(C.rand_indices(labelings, mass), expected, atol=1e-12)
    alone = [np.zeros(1, int)] * 2
    assert_allclose(C.rand_indices(alone, np.ones(1)), np.ones((2, 2)))
