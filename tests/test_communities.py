"""Communities and their merging, against loops."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_rand_score

from skdeepcluster.graph import communities as C


@pytest.fixture
def links():
    """Weights between eight communities, and their sizes."""
    rng = np.random.RandomState(1)
    half = rng.uniform(size=(8, 8)) * (rng.uniform(size=(8, 8)) < 0.6)
    return half + half.T + np.diag(rng.uniform(5, 9, size=8)), rng.randint(3, 40, 8)


def closeness_by_hand(linkage, links, sizes, a, b):
    between = sum(links[i, j] for i in a for j in b)
    if linkage is C.mean_tie:
        return between / sum(sizes[i] for i in a) / sum(sizes[j] for j in b)
    return between - links[a].sum() * links[b].sum() / links.sum()


@pytest.mark.parametrize("linkage", [C.mean_tie, C.modularity_gain])
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


def test_agglomerate_stops_where_nothing_is_gained(links):
    links, sizes = links
    labels = C.agglomerate(links, sizes, None, C.modularity_gain)
    clusters = np.unique(labels)
    assert 1 < len(clusters) < len(links)
    for a in clusters:
        for b in clusters[clusters < a]:
            rows = [np.flatnonzero(labels == label) for label in (a, b)]
            gain = closeness_by_hand(C.modularity_gain, links, sizes, *rows)
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


def worth_by_hand(joint, labels):
    p = np.array([joint[labels == label].sum() for label in set(labels)])
    return information_by_hand(joint, labels) / (-p * np.log(p)).sum() ** C.BALANCE


def test_moves_end_where_no_single_one_gains(links):
    joint = C.walk_ends(links[0], C.WALK)
    before = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    labels = C.worthwhile_moves(joint, before)
    best = worth_by_hand(joint, labels)
    assert best > worth_by_hand(joint, before)
    for i, home in enumerate(labels):
        for other in range(3):
            moved = labels.copy()
            moved[i] = other
            if (labels == home).sum() > 1:
                assert worth_by_hand(joint, moved) <= best + 1e-9


def test_worth_of_clusters(links):
    joint = C.walk_ends(links[0], C.WALK)
    labels = np.arange(8) % 3
    clusters = C.merged(joint, labels)
    assert C.worth_of(clusters) == pytest.approx(worth_by_hand(joint, labels))
    p = clusters.sum(1)
    entropy = -(p * np.log(p)).sum()
    expected = information_by_hand(joint, labels) / entropy
    assert C.leak_of(clusters) == pytest.approx(1 - expected)


def test_a_single_cluster_leaks_nothing_and_is_worth_nothing():
    assert C.leak_of(np.ones((1, 1))) == 0
    assert C.worth_of(np.ones((1, 1))) == 0


def test_sums_between_communities(links):
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    sums = C.between(sp.csr_array(links[0]), labels)
    for a in range(3):
        for b in range(3):
            expected = links[0][np.ix_(labels == a, labels == b)].sum()
            assert sums[a, b] == pytest.approx(expected, rel=1e-6)


def test_leak_of_labels_on_a_graph(links):
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    weights = links[0]
    joint = C.merged(weights / weights.sum(), labels)
    expected = information_by_hand(joint, np.arange(3)) / C.entropy(joint)
    assert C.leak(sp.csr_array(weights), labels) == pytest.approx(1 - expected)
