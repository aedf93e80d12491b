"""Clusters that keep their numbers: from fit to fit, when edited, and as rows come."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster import hierarchy
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster.explain import describe_clusters, explain_rows
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
        if graph.edits_ and not graph.edits_[-1].startswith("took in"):
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
    told = explain_rows(graph, digits, rows=np.arange(200))
    reasons = told["reasons"][told["runner_up"] == 2].iloc[0]
    assert "in cluster 2 (cluster 2)" in reasons[0]
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


GROUPS = 12 * np.eye(5)


def in_batches(n_known=3):
    """Three groups, and then one more in each of two batches with rows of all."""
    X, y = make_blobs(900, centers=GROUPS, random_state=0)
    batch = np.where(y < n_known, np.arange(900) % 3, y - 2)
    return [(X[batch == each], y[batch == each]) for each in range(3)]


def test_news_are_found_and_all_else_stays():
    (X, y), *batches = in_batches()
    graph = GraphClustering(random_state=0).fit(X)
    before = graph.labels_
    for number, (new, _) in enumerate(batches, 3):
        known = graph.labels_
        table = graph.update(new)
        assert_array_equal(graph.labels_[: len(known)], known)
        assert_array_equal(table.index[table["new"]], [number])
        labels = graph.labels_[len(known) :]
        assert table["joined"].sum() == len(new)
        for cluster, row in table.iterrows():
            assert row["before"] == np.sum(known == cluster)
            assert row["joined"] == np.sum(labels == cluster)
            assert row["now"] == row["before"] + row["joined"]
        assert table["one_with"].str.len().sum() == 0
    y = np.concatenate([y, *(each for _, each in batches)])
    assert adjusted_rand_score(y, graph.labels_) == 1
    assert len(np.unique(before)) == 3
    assert graph.edits_ == [f"took in {len(new)} rows" for new, _ in batches]


def test_what_was_taken_in_agrees_with_predictions_and_edits(tmp_path):
    batches = [rows for rows, _ in in_batches()]
    graph = GraphClustering(random_state=0).fit(batches[0])
    copy = graph.with_n_clusters(3)
    graph.drop_cluster(2)
    for new in batches[1:]:
        graph.update(new)
    X = np.concatenate(batches)
    check_agreement(graph, X, tmp_path / "graph")
    with pytest.raises(ValueError, match="no edit to undo since fit or update"):
        graph.undo()
    graph.merge_clusters([4, 3])
    check_agreement(graph, X, tmp_path / "graph")
    check_agreement(graph.split_cluster(4), X, tmp_path / "graph")
    check_agreement(graph.drop_cluster(0).split_cluster(1, 4), X, tmp_path / "graph")
    # Copies that were made before know nothing of it.
    check_agreement(copy, batches[0], tmp_path / "graph")
    assert len(copy.labels_) == len(batches[0])


@pytest.mark.parametrize("as_rows", [np.asarray, sp.csr_array, pd.DataFrame])
def test_the_same_rows_again_change_no_label(as_rows):
    X = np.round(in_batches()[0][0])
    X = as_rows(np.repeat(X, 2, axis=0))
    X = X.rename(columns=str) if as_rows is pd.DataFrame else X
    graph = GraphClustering(random_state=0).fit(X)
    labels, shares = graph.labels_, graph.predict_proba(X)
    table = graph.update(X)
    assert not table["new"].any()
    assert table["drift"].isna().all()
    assert_array_equal(graph.labels_, np.tile(labels, 2))
    # Each row counts twice as much as before.
    assert_allclose(graph.predict_proba(X), shares)
    again = GraphClustering(random_state=0).fit(X)
    again.update(X[:50])
    assert len(again.labels_) == X.shape[0] + 50
    assert_array_equal(again.predict(X), labels)


@pytest.mark.parametrize("n_features", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(5))
def test_more_of_the_same_is_no_news(n_features, seed):
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=900) > 0.8).astype(int)
    X = rng.normal(size=(900, n_features))
    X[:, 0] += 10 * y
    graph = GraphClustering(n_init=2, random_state=seed).fit(X[:300])
    for new in (X[300:600], X[600:]):
        assert not graph.update(new)["new"].any()
    assert_array_equal(graph.predict(X), graph.labels_)


@pytest.mark.parametrize("seed", range(3))
def test_rows_without_structure_are_no_news(seed):
    """In many columns, communities are many and small."""
    X = np.random.default_rng(seed).normal(size=(900, 50))
    graph = GraphClustering(n_init=2, random_state=seed).fit(X[:300])
    for new in (X[300:600], X[600:]):
        assert not graph.update(new)["new"].any()


def test_few_new_rows_join():
    X = in_batches()[0][0]
    graph = GraphClustering(random_state=0).fit(X)
    assert not graph.update(np.full((1, 5), 99.0))["new"].any()
    assert not graph.update(GROUPS[3] + 0.1 * np.eye(29, 5))["new"].any()
    assert len(graph.labels_) == len(X) + 30


def test_rows_far_from_all_are_noise_where_it_is_asked_for():
    (X, _), (new, y), _ = in_batches()
    graph = GraphClustering(3, noise_ratio=2.5, random_state=0).fit(X)
    far = np.full((3, 5), [[50.0], [70], [90]])
    graph.update(np.r_[new, far])
    assert_array_equal(graph.labels_[-3:], -1)
    assert (graph.labels_[len(X) : -3][y == 3] == 3).all()
    assert_array_equal(graph.predict(np.r_[X, new, far]), graph.labels_)


def test_drift_is_the_shift_of_the_mean_by_the_spread():
    X, y = make_blobs(300, centers=GROUPS[:2], random_state=0)
    graph = GraphClustering(2, random_state=0).fit(X)
    new = X[y == 0] + [0.5, 0, 0, 0, 0]
    table = graph.update(new)
    number = graph.labels_[len(X)]
    own = X[graph.labels_[: len(X)] == number]
    spread = np.sqrt(((own - own.mean(0)) ** 2).sum(1).mean())
    shift = np.linalg.norm(new.mean(0) - own.mean(0)) / spread
    assert table["drift"][number] == pytest.approx(shift, rel=1e-4)
    assert np.isnan(table["drift"][1 - number])


def test_clusters_that_are_one_are_told_of():
    X, _ = make_blobs(1200, centers=GROUPS[:3], random_state=0)
    graph = GraphClustering(3, random_state=0).fit(X[:600]).split_cluster(1)
    table = graph.update(X[600:])
    assert table["one_with"].to_dict() == {0: [], 1: [3], 2: [], 3: [1]}
    assert not table["new"].any()


def test_the_same_batches_give_the_same_bits():
    batches = [rows for rows, _ in in_batches()]
    shares = []
    for _ in range(2):
        graph = GraphClustering(random_state=3).fit(batches[0])
        given = [rows.copy() for rows in batches]
        for new in batches[1:]:
            graph.update(new)
        shares.append(graph.predict_proba(np.concatenate(batches)))
        assert_array_equal(np.concatenate(given), np.concatenate(batches))
    assert_array_equal(*shares)


def test_rows_that_cannot_be_taken_in_are_refused():
    X = in_batches()[0][0]
    graph = GraphClustering(random_state=0).fit(X)
    with pytest.raises(ValueError, match="X has 4 features"):
        graph.update(X[:, :4])
    with pytest.raises(NotFittedError):
        GraphClustering().update(X)
    distances = KNeighborsTransformer(n_neighbors=15).fit_transform(X)
    given = GraphClustering(3, neighbors="precomputed", random_state=0).fit(distances)
    with pytest.raises(ValueError, match="keeps no rows to compare new ones with"):
        given.update(distances)


def frame(X):
    return pd.DataFrame(X, columns=[f"column {place}" for place in range(X.shape[1])])


def three_groups(n_features=5, shares=(0.4, 0.3, 0.3)):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), np.rint(400 * np.array(shares)).astype(int))
    X = rng.normal(size=(len(y), n_features))
    X[:, 0] += 12 * y
    return X[rng.permutation(400)]


@pytest.mark.parametrize(
    "X",
    [
        pytest.param(three_groups(), id="rows"),
        pytest.param(frame(three_groups()), id="frame"),
        pytest.param(sp.csr_array(three_groups()), id="sparse"),
        pytest.param(three_groups().astype(np.float32), id="float32"),
        pytest.param(three_groups(1), id="one column"),
        pytest.param(three_groups(2), id="two columns"),
        pytest.param(three_groups(3), id="three columns"),
        pytest.param(np.repeat(three_groups()[::4], 4, axis=0), id="repeated"),
        pytest.param(np.rint(4 * three_groups()).astype(int), id="integers"),
        pytest.param(three_groups() + 1e6, id="far"),
        pytest.param(three_groups(shares=(0.8, 0.1, 0.1)), id="unequal"),
    ],
)
def test_rows_of_any_kind_are_edited_and_taken_in(X, tmp_path):
    first, second = (
        X.iloc[rows] if hasattr(X, "iloc") else X[rows]
        for rows in (slice(0, 240), slice(240, None))
    )
    graph = GraphClustering(3, n_init=2, random_state=0).fit(first)
    graph.merge_clusters([2, 1]).rename_cluster(2, "both").split_cluster(0)
    assert not graph.update(second)["new"].any()
    check_agreement(graph, X, tmp_path / "graph")
    check_agreement(graph.split_cluster(2), X, tmp_path / "graph")
    for again in (pickle_of(graph), load(tmp_path / "graph")):
        assert again.cluster_names_ == {2: "both"}
        assert_array_equal(again.update(second)["new"], False)


def test_edits_and_updates_at_the_end_of_a_pipeline():
    X = frame(three_groups())
    pipeline = make_pipeline(
        StandardScaler(with_std=False), GraphClustering(3, random_state=0)
    )
    pipeline.set_output(transform="pandas").fit(X[:300])
    pipeline[-1].merge_clusters([1, 0])
    pipeline[-1].update(pipeline[:-1].transform(X[300:]))
    assert_array_equal(pipeline.predict(X), pipeline[-1].labels_)
    assert_array_equal(pipeline[-1].feature_names_in_, X.columns)
    assert_array_equal(np.unique(pipeline.predict(X)), [1, 2])


def test_settings_that_change_after_edits_count_for_the_next_fit():
    X = three_groups()
    graph = GraphClustering(3, random_state=0).fit(X[:300])
    labels = graph.merge_clusters([1, 0]).rename_cluster(1, "one").labels_
    copy = clone(graph)
    assert not hasattr(copy, "edits_")
    assert copy.fit(X[:300]).edits_ == []
    assert_array_equal(np.unique(copy.labels_), [0, 1, 2])
    graph.set_params(n_clusters=2, random_state=5)
    assert_array_equal(graph.labels_, labels)
    assert graph.undo().undo().get_params()["n_clusters"] == 2
    assert graph.n_clusters_ == 3
    assert not graph.update(X[300:])["new"].any()
    assert graph.fit(X).n_clusters_ == 2


def test_batches_of_one_row_and_of_known_ones():
    X = three_groups()
    graph = GraphClustering(3, random_state=0).fit(X)
    for new in (X[:1] + 0.01, X[7:8], X[[3, 3, 3]]):
        table = graph.update(new)
        assert table["joined"].sum() == len(new)
        assert not table["new"].any()
    assert_array_equal(graph.labels_[-4:], graph.labels_[[7, 3, 3, 3]])
    assert table.notna()["drift"].sum() == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda X: X[:0], "0 sample"),
        (lambda X: X[:5].mask(X[:5] > 0), "contains NaN"),
        (lambda X: X.replace(X.iloc[0, 0], np.inf), "contains infinity"),
        (lambda X: X.iloc[:, :3], "feature names should match"),
        (lambda X: X.rename(columns={"column 1": "other"}), "feature names"),
        (lambda X: X.iloc[:, ::-1], "feature names"),
        (lambda X: X.to_numpy()[0], "Expected 2D array"),
        (lambda X: X.to_numpy()[:, :3], "X has 3 features, but GraphClustering"),
    ],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_refused_batches_change_nothing(rows, message):
    X = frame(three_groups())
    graph = GraphClustering(3, random_state=0).fit(X).merge_clusters([1, 0])
    before = pickle.dumps(graph)
    with pytest.raises(ValueError, match=message):
        graph.update(rows(X))
    assert pickle.dumps(graph) == before
