"""Deep embedded cluster tree: its loss, how it grows and is pruned, its levels."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from skdeepcluster import Autoencoder, DeepECTClustering
from skdeepcluster.graph import GraphClustering
from skdeepcluster.heads import ClusterTreeHead
from skdeepcluster.metrics import clustering_accuracy, dendrogram_purity
from skdeepcluster.plotting import ClusterTreeDisplay

# Four clusters, near to each other by two.
CENTERS = np.zeros((4, 8))
CENTERS[:, :2] = [[0, 0], [0, 5], [12, 0], [12, 5]]


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(400, centers=CENTERS, cluster_std=0.4, random_state=0)
    return X.astype(np.float32), y


@pytest.fixture(scope="module")
def network(blobs):
    return Autoencoder((32,), 3, max_epochs=40, batch_size=32, random_state=0).fit(
        blobs[0]
    )


@pytest.fixture
def head():
    """A tree of three leaves, 0 and 1 first."""
    centers = torch.tensor([[0.0, 0], [0, 1], [5, 0]])
    children = torch.tensor([[0, 1], [2, 3]])
    return ClusterTreeHead(3, 2).start(centers).join(children, torch.tensor([1, 1, 2]))


def of_sides(head):
    """The leaves of both sides of each inner node, as sets."""
    nodes = [[set(map(int, side.nonzero())) for side in node] for node in head.sides]
    return [node for node in nodes if any(node)]


def test_a_tree_is_made_of_merges_and_tells_them(head):
    assert of_sides(head) == [[{2}, {0, 1}], [{0}, {1}]]
    children, distances = head.merges()
    assert children.tolist() == [[0, 1], [2, 3]]
    # Ward's: the root of twice the rise of the squares, 1/2 and 4/4 * (25 + 1/4).
    assert distances.tolist() == pytest.approx([1, (2 * 25.25) ** 0.5])


def test_a_pruned_leaf_leaves_its_place_to_its_sibling(head):
    head.prune(0)
    assert of_sides(head) == [[{2}, {1}]]
    z = torch.tensor([[0.0, 0.0]])
    assert head.distances(z).tolist() == [[torch.inf, 1, 25]]
    head.split(2, torch.tensor([[5.0, 0], [6, 0]]), torch.tensor([0.25, 0.75]))
    assert of_sides(head) == [[{0, 2}, {1}], [{2}, {0}]]
    assert head.weights.tolist() == [1.5, 1, 0.5]
    assert head.centers.tolist() == [[6, 0], [0, 1], [5, 0]]
    head.keep(torch.tensor([0, 1]))
    assert of_sides(head) == [[{0}, {1}]]
    assert head.config["n_clusters"] == 2


def test_the_root_is_pruned_with_a_side_of_it(head):
    head.prune(2)
    assert of_sides(head) == [[{0}, {1}]]
    head.keep(torch.tensor([1]))
    assert of_sides(head) == []
    assert [len(each) for each in head.merges()] == [0, 0]


def test_loss_is_the_objective(blobs, network):
    # A step that moves nothing, on all the rows at once.
    X, _ = blobs
    tree = DeepECTClustering(
        4,
        encoder=copy.copy(network).set_params(training__precision="float32"),
        init="k-means",
        cluster_weight=0.5,
        lr=1e-12,
        max_epochs=1,
        batch_size=len(X),
        random_state=0,
    ).fit(X)
    Z, centers = tree.transform(X).astype(np.float64), tree.cluster_centers_
    labels = np.square(Z[:, None] - centers).sum(2).argmin(1)
    means = np.stack([Z[labels == leaf].mean(0) for leaf in range(4)])
    sizes = np.bincount(labels)
    lengths = []
    for sides in of_sides(tree.head_):
        one, other = (
            np.average(centers[[*side]], axis=0, weights=sizes[[*side]])
            for side in sides
        )
        line = (one - other) / np.linalg.norm(one - other)
        for side, mean in zip(sides, (one, other), strict=True):
            rows = Z[np.isin(labels, [*side])]
            lengths.append(np.abs((rows - mean) @ line).mean())
    error = np.square(tree.inverse_transform(Z) - X).mean() / X.var(0).mean()
    leaves = np.square(means - centers).sum(1).mean()
    expected = error + 0.5 * (leaves + np.mean(lengths))
    loss = tree.history_["clustering"][0]["train_loss"]
    assert loss == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("init", ["graph", "root", "k-means"])
def test_levels_of_obvious_clusters(blobs, network, init):
    X, y = blobs
    tree = DeepECTClustering(4, encoder=network, init=init, random_state=0).fit(X)
    assert clustering_accuracy(y, tree.labels_) == 1
    assert clustering_accuracy(y // 2, tree.cut(2)) == 1
    assert set(tree.cut(1)) == {0}
    assert np.array_equal(tree.cut(4), tree.labels_)
    assert np.array_equal(tree.cut(2, X[:9]), tree.cut(2)[:9])
    assert dendrogram_purity(y, tree.leaf_labels_, tree.children_) == 1
    assert (np.diff(tree.linkage_[:, 2]) >= 0).all()
    display = ClusterTreeDisplay.from_linkage(tree.linkage_, 2)
    assert len(display.ax_.get_xticklabels()) == 2


def test_the_tree_grows_an_epoch_at_a_time(blobs, network):
    X, _ = blobs
    settings = {"encoder": network, "init": "root", "random_state": 0}
    tree = DeepECTClustering(4, grow_interval=2, max_epochs=8, **settings).fit(X)
    found = [epoch["n_leaves"] for epoch in tree.history_["clustering"]]
    assert found == [1, 2, 2, 3, 3, 4, 4, 4]
    with pytest.warns(match="found 2 distinct clusters, fewer than n_clusters=4"):
        short = DeepECTClustering(4, max_epochs=2, **settings).fit(X)
    assert short.n_clusters_ == len(short.cluster_centers_) == 2


def test_a_leaf_without_rows_grows_elsewhere(blobs, network):
    X, y = blobs
    Z = network.transform(X)
    centers = np.stack([Z[y == label].mean(0) for label in range(4)])
    centers[3] = 1e3
    tree = DeepECTClustering(
        4, encoder=network, init=centers, max_epochs=60, lr=1e-6, random_state=0
    ).fit(X)
    assert clustering_accuracy(y, tree.labels_) == 1


def test_edits_leave_the_tree(blobs, network):
    X, _ = blobs
    tree = DeepECTClustering(4, encoder=network, random_state=0).fit(X)
    before = tree.cut(3)
    tree.merge_clusters([0, 1]).drop_cluster(2)
    assert tree.n_clusters_ == 2
    assert np.array_equal(tree.cut(3), before)


def test_what_the_tree_has_not_is_refused(blobs, network):
    tree = DeepECTClustering(3, encoder=network, max_epochs=1).fit(blobs[0])
    for number in (0, 4, 2.0):
        with pytest.raises(ValueError, match="whole number from 1 to 3, the leaves"):
            tree.cut(number)
    with pytest.raises(ValueError, match="n_clusters=None is found by a graph"):
        DeepECTClustering(None, init="root").fit(blobs[0])


def test_quality_floor(digits, digits_target):
    graph = GraphClustering(20, n_init=2)
    tree = DeepECTClustering(20, init=graph, max_epochs=2, random_state=0).fit(digits)
    purity = dendrogram_purity(digits_target, tree.leaf_labels_, tree.children_)
    assert purity > 0.75
