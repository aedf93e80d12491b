"""Clusters that keep their numbers: from fit to fit, when edited, and as rows come."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster import hierarchy
from sklearn.datasets import make_blobs
from sklearn.neighbors import KNeighborsTransformer

from skdeepcluster.explain import describe_clusters
from skdeepcluster.graph import GraphClustering
from skdeepcluster.io import load, save
from skdeepcluster.metrics import align
from skdeepcluster.plotting import ClusterTreeDisplay


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


@pytest.fixture
def graph(digits):
    return GraphClustering(10, noise_ratio=1.4, n_init=2, random_state=0).fit(digits)


def check_agreement(graph, X, path):
    """Labels, predictions, the tree and saved copies say the same."""
    labels = graph.labels_
    found = np.unique(labels[labels >= 0])
    assert_array_equal(graph.predict(X), labels)
    assert graph.n_clusters_ == len(found)
    shares = graph.predict_proba(X)
    assert shares.shape == (len(labels), found.max() + 1)
    assert_allclose(shares.sum(1), 1)
    assert_array_equal(shares.argmax(1)[labels >= 0], labels[labels >= 0])
    none = np.setdiff1d(np.arange(found.max()), found)
    assert not shares[:, none].any()
    assert hierarchy.is_valid_linkage(graph.linkage_)
    assert len(graph.linkage_) == graph.n_leaves_ - 1
    assert_array_equal(graph.cut(graph.n_clusters_)[labels >= 0], labels[labels >= 0])
    for n_clusters in {1, graph.n_clusters_ - 1, graph.n_leaves_} - {0}:
        other = graph.with_n_clusters(n_clusters)
        kept = labels >= 0
        assert_array_equal(other.labels_[kept], graph.cut(n_clusters)[kept])
        assert_array_equal(other.labels_ == -1, ~kept)
        assert_array_equal(other.predict(X), other.labels_)
        assert other.predict_proba(X).shape[1] == other.labels_.max() + 1
    save(graph, path)
    for again in (pickle.loads(pickle.dumps(graph)), load(path)):
        assert_array_equal(again.predict_proba(X), shares)
        assert_array_equal(again.labels_, labels)
        assert again.edits_ == graph.edits_
        if graph.edits_:
            assert_array_equal(again.undo().labels_, pickle_of(graph).undo().labels_)
    return shares


def pickle_of(graph):
    return pickle.loads(pickle.dumps(graph))


def test_edits_agree_with_predictions_and_are_undone_to_the_bit(
    graph, digits, tmp_path
):
    path = tmp_path / "graph"
    edits = [
        lambda: graph.merge_clusters([7, 3]),
        lambda: graph.split_cluster(2, n_clusters=3),
        lambda: graph.drop_cluster(0),
        lambda: graph.rename_cluster(2, "news"),
        lambda: graph.split_cluster(7),
        lambda: graph.merge_clusters([11, 12]),
        lambda: graph.drop_cluster(11),
    ]
    before = []
    for edit in edits:
        shares = graph.predict_proba(digits)
        before.append((graph.labels_.copy(), shares, graph.linkage_.copy()))
        assert edit() is graph
        check_agreement(graph, digits, path)
    assert graph.edits_ == [
        "merged 7, 3 into 7",
        "split 2 into 2, 10, 11",
        "dropped 0",
        "named 2 'news'",
        "split 7 into 7, 12",
        "merged 11, 12 into 11",
        "dropped 11",
    ]
    for labels, shares, linkage in reversed(before):
        graph.undo()
        assert_array_equal(graph.labels_, labels)
        assert_array_equal(graph.predict_proba(digits), shares)
        assert_array_equal(graph.linkage_, linkage)
    assert graph.edits_ == []
    assert graph.cluster_names_ == {}
    assert 0 < graph.agreement_ <= 1
    with pytest.raises(ValueError, match="no edit to undo"):
        graph.undo()


def test_edits_change_the_numbers_that_they_name_alone(graph):
    before = graph.labels_.copy()
    labels = graph.merge_clusters([7, 3]).labels_
    assert_array_equal(labels, np.where(before == 3, 7, before))
    labels = graph.undo().drop_cluster(4).labels_
    assert_array_equal(labels, np.where(before == 4, -1, before))
    labels = graph.undo().split_cluster(2, n_clusters=3).labels_
    assert_array_equal(np.where(labels >= 10, 2, labels), before)
    sizes = np.bincount(graph.cut(12))[[2, 10, 11]]
    assert_array_equal(sizes, np.sort(sizes)[::-1])
    # Numbers of clusters that are gone are not given again.
    assert graph.merge_clusters([2, 11]).split_cluster(2).labels_.max() == 12


def test_new_rows_follow_edits(graph, digits):
    new = digits + np.random.RandomState(0).normal(size=digits.shape)
    before = graph.predict(new)
    assert np.isin(
        graph.merge_clusters([7, 3]).predict(new)[before == 3], [7, -1]
    ).all()
    dropped = graph.undo().drop_cluster(4).predict(new)
    assert_array_equal(dropped, np.where(before == 4, -1, before))


def test_names_stay_with_their_clusters(graph, digits):
    for number in (1, 2, 3, 4):
        graph.rename_cluster(number, f"cluster {number}")
    table = describe_clusters(graph, digits)
    assert table["name"][2] == "cluster 2"
    assert "cluster" not in table["name"][5]
    graph.merge_clusters([2, 1]).drop_cluster(3).split_cluster(4)
    assert graph.cluster_names_ == {2: "cluster 2", 4: "cluster 4"}
    assert graph.with_n_clusters(5).cluster_names_ == {}
    assert graph.fit(digits).cluster_names_ == {}
    assert graph.edits_ == []


def test_the_tree_of_edited_clusters_is_drawn(graph):
    graph.drop_cluster(4).split_cluster(2)
    display = ClusterTreeDisplay.from_estimator(graph)
    assert display.tree.sizes.sum() == np.sum(graph.leaf_labels_ >= 0)


def whole_numbers():
    rng = np.random.RandomState(0)
    return np.repeat(rng.randint(8, size=(40, 2)) + [[0, 0], [30, 9]] * 20, 5, axis=0)


@pytest.mark.parametrize("as_rows", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    "X",
    [
        pytest.param(whole_numbers(), id="whole numbers"),
        pytest.param(make_blobs(60, 1, centers=2, random_state=0)[0], id="column"),
        pytest.param(np.r_[np.eye(80, 60), -np.eye(80, 60)], id="wide"),
    ],
)
def test_clusters_with_too_few_leaves_are_split_by_their_rows(X, as_rows, tmp_path):
    X = as_rows(X)
    graph = GraphClustering(2, n_init=2, resolution=0.1, random_state=0).fit(X)
    leaves = len(np.unique(graph.leaf_labels_[graph.labels_ == 0]))
    before = graph.labels_.copy()
    graph.split_cluster(0, n_clusters=leaves + 2)
    check_agreement(graph, X, tmp_path / "graph")
    assert graph.n_clusters_ == leaves + 3
    assert_array_equal(np.where(graph.labels_ >= 2, 0, graph.labels_), before)
    check_agreement(graph.drop_cluster(1), X, tmp_path / "graph")
    check_agreement(graph.split_cluster(0), X, tmp_path / "graph")


def test_given_distances_are_edited_by_the_tree_alone():
    X, _ = make_blobs(200, centers=3, random_state=0)
    distances = KNeighborsTransformer(n_neighbors=15).fit_transform(X)
    graph = GraphClustering(3, neighbors="precomputed", random_state=0).fit(distances)
    graph.merge_clusters([2, 0])
    assert_array_equal(graph.predict(distances), graph.labels_)
    with pytest.raises(ValueError, match="fit with a larger resolution"):
        graph.split_cluster(1, n_clusters=30)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda it: it.merge_clusters([1]), r"clusters=\[1\] must hold two"),
        (lambda it: it.merge_clusters([1, 1]), "must hold two"),
        (lambda it: it.merge_clusters(3), "clusters=3 must be a sequence"),
        (lambda it: it.merge_clusters([1, 12]), "12 is no cluster: there are 0, 1"),
        (lambda it: it.split_cluster("a"), "'a' is no cluster"),
        (lambda it: it.split_cluster(1, 1), "n_clusters=1 must be an integer >= 2"),
        (lambda it: it.split_cluster(1, 5000), "n_clusters=5000 is more than cluster"),
        (lambda it: it.drop_cluster(-1), "-1 is no cluster"),
        (lambda it: it.rename_cluster(1, ""), "name='' must be a string"),
        (lambda it: it.drop_cluster(4).split_cluster(4), "4 is no cluster"),
    ],
)
def test_edits_that_cannot_be_are_refused(graph, edit, message):
    with pytest.raises(ValueError, match=message):
        edit(graph)


def test_the_last_cluster_is_kept():
    X, _ = make_blobs(60, centers=2, random_state=0)
    graph = GraphClustering(2, random_state=0).fit(X).drop_cluster(1)
    assert_array_equal(graph.predict_proba(X), np.ones((60, 1)))
    with pytest.raises(ValueError, match="only cluster"):
        graph.drop_cluster(0)
