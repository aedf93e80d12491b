"""Matched accuracy against a search of all matchings."""

import itertools

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster.metrics import (
    clustering_accuracy,
    clustering_accuracy_scorer,
    dendrogram_purity,
    leaf_purity,
)
from skdeepcluster.model_selection import AllData


def best_of_all_matchings(labels_true, labels_pred):
    classes = list(np.unique(labels_true))
    clusters = [label for label in np.unique(labels_pred) if label != -1]
    # Clusters may go without a class.
    classes += [None] * len(clusters)
    best = 0
    for chosen in itertools.permutations(classes, len(clusters)):
        matching = dict(zip(clusters, chosen, strict=True))
        hits = sum(
            label != -1 and matching[label] == truth
            for truth, label in zip(labels_true, labels_pred, strict=True)
        )
        best = max(best, hits)
    return best / len(labels_true)


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("sizes", [(3, 3), (2, 4), (4, 2), (1, 3), (3, 1)])
def test_matches_brute_force(sizes, noise):
    rng = np.random.RandomState(0)
    for _ in range(20):
        labels_true = rng.randint(sizes[0], size=12)
        labels_pred = rng.randint(-1 if noise else 0, sizes[1], size=12)
        expected = best_of_all_matchings(labels_true, labels_pred)
        assert clustering_accuracy(labels_true, labels_pred) == pytest.approx(expected)


@pytest.mark.parametrize(
    "convert",
    [
        np.float64,
        lambda labels: np.array(["a", "bb", "c"])[labels],
        lambda labels: np.array(["a", "bb", "c"], dtype=object)[labels],
        lambda labels: labels.astype(np.uint8),
        list,
    ],
)
def test_labels_of_any_type(convert):
    rng = np.random.RandomState(0)
    labels_true, labels_pred = rng.randint(3, size=(2, 30))
    expected = clustering_accuracy(labels_true, labels_pred)
    assert clustering_accuracy(convert(labels_true), labels_pred) == expected
    assert clustering_accuracy(labels_true, convert(labels_pred)) == expected


def test_bounds():
    labels = np.arange(6) % 3
    assert clustering_accuracy(labels, (labels + 1) % 3) == 1
    assert clustering_accuracy(labels, np.full(6, -1)) == 0
    assert clustering_accuracy(labels, np.zeros(6, int)) == pytest.approx(1 / 3)


def test_bad_labels():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clustering_accuracy([0, 1], [0])
    with pytest.raises(ValueError, match="empty"):
        clustering_accuracy([], [])


def test_scorer_in_cross_validation(digits, digits_target):
    names = np.array([f"digit {digit}" for digit in range(10)])
    scores = cross_validate(
        KMeans(10, n_init=3, random_state=0),
        digits,
        names[digits_target],
        cv=3,
        scoring={"accuracy": clustering_accuracy_scorer, "ari": "adjusted_rand_score"},
    )
    assert scores["test_accuracy"].min() > 0.5


@pytest.mark.parametrize("dtype", [np.int8, int, np.float32, float, object])
@pytest.mark.parametrize("noise", [-1, -2, -3])
def test_negative_numbers_are_noise_in_any_array(dtype, noise):
    labels = np.array([0, 0, noise, noise], dtype=dtype)
    assert clustering_accuracy([0, 0, 1, 1], labels) == 0.5
    # Classes may have any number.
    assert clustering_accuracy(labels, [0, 0, 1, 1]) == 1


def test_rows_that_hdbscan_leaves_out_are_noise():
    X = np.repeat([[0.0, 0], [9, 9], [np.inf, 0], [np.nan, 0]], 10, axis=0)
    X[:20] += np.random.RandomState(0).normal(size=(20, 2))
    clusterer = HDBSCAN(min_cluster_size=5, copy=True).fit(X)
    assert {-2, -3} <= set(clusterer.labels_)
    accuracy = clustering_accuracy(np.arange(40) // 10, clusterer.labels_)
    assert accuracy == clustering_accuracy_scorer(clusterer, X, np.arange(40) // 10)
    assert accuracy <= 0.5


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_labels_are_named(missing):
    with pytest.raises(ValueError, match="labels_true has missing values"):
        clustering_accuracy([0, missing], [0, 1])
    with pytest.raises(ValueError, match="labels_pred has missing values"):
        clustering_accuracy([0, 1], [missing, 1])
    with pytest.raises(ValueError, match="labels_true has missing values"):
        clustering_accuracy(["a", missing], [0, 1])
    with pytest.raises(ValueError, match="labels_pred has missing values"):
        clustering_accuracy([0, 1], ("a", missing))
    with pytest.raises(ValueError, match=r"labels_true is an array .* holds 'nan'"):
        clustering_accuracy(np.array(["a", "nan"]), [0, 1])
    assert clustering_accuracy(["a", "nan"], ["nan", "a"]) == 1


def test_scorer_of_a_clusterer_without_predict(digits, digits_target):
    X, y = digits[:200], digits_target[:200]
    pipeline = make_pipeline(StandardScaler(), AgglomerativeClustering(10))
    scores = cross_validate(
        pipeline, X, y, cv=AllData(), scoring=clustering_accuracy_scorer
    )
    expected = clustering_accuracy(y, pipeline.fit(X)[-1].labels_)
    assert scores["test_score"] == [expected]
    with pytest.raises(ValueError, match="cv=AllData"):
        clustering_accuracy_scorer(pipeline, X[:50], y[:50])


def looped_purity(classes, leaves, children):
    """Dendrogram purity pair by pair, each climbing from its leaves."""
    n_leaves = len(children) + 1
    parents = {
        child: n_leaves + merge for merge, pair in enumerate(children) for child in pair
    }

    def path(node):
        nodes = [node]
        while nodes[-1] in parents:
            nodes.append(parents[nodes[-1]])
        return nodes

    paths = [path(leaf) for leaf in leaves]
    purities = []
    for i in range(len(classes)):
        for j in range(i):
            if classes[i] == classes[j]:
                node = next(each for each in paths[i] if each in paths[j])
                own = [c for c, at in zip(classes, paths, strict=True) if node in at]
                purities.append(own.count(classes[i]) / len(own))
    return sum(purities) / len(purities)


@pytest.mark.parametrize("seed", range(4))
def test_dendrogram_purity_is_that_of_pairs(seed):
    rng = np.random.default_rng(seed)
    children = linkage(rng.normal(size=(6, 2)))[:, :2]
    leaves, classes = rng.integers(6, size=40), rng.integers(3, size=40).tolist()
    expected = looped_purity(classes, leaves.tolist(), children.tolist())
    assert dendrogram_purity(classes, leaves, children) == pytest.approx(expected)


def test_dendrogram_purity_of_few():
    assert dendrogram_purity([0, 1], [0, 0], []) == 1
    assert dendrogram_purity(["a", "a", "b"], [0, 0, 0], np.empty((0, 2))) == 2 / 3
    with pytest.raises(ValueError, match="leaf_labels must be whole numbers from 0 to"):
        dendrogram_purity([0, 1], [0, 2], [[0, 1]])
    with pytest.raises(ValueError, match="leaf_labels must be"):
        dendrogram_purity([0, 1], [0, -1], [[0, 1]])
    for children in ([[0, 0]], [[0, 3], [1, 2]], [[0, 1], [1, 3]]):
        with pytest.raises(ValueError, match="children must join each leaf"):
            dendrogram_purity([0, 1], [0, 1], children)
    with pytest.raises(ValueError, match="are empty"):
        dendrogram_purity([], [], [])


def test_leaf_purity():
    classes, leaves = [0, 0, 1, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1, -1]
    expected = sum(
        max(
            [c for c, at in zip(classes, leaves, strict=True) if at == leaf].count(c)
            for c in range(3)
        )
        for leaf in range(2)
    )
    assert leaf_purity(classes, leaves) == expected / 7
    assert leaf_purity([0, 1], [-1, -2]) == 0
