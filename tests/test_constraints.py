"""Rows that belong together, and rows that don't."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from discovery import TOLD_N_CLUSTERS, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster import DECClustering, Training
from skdeepcluster._rows import sample_rows
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.constraints import Constraints, Links, placed, rescaled
from skdeepcluster.graph.neighbors import Graph
from skdeepcluster.graph.rows import Nodes
from skdeepcluster.model_selection import AllData, clustering_scorer
from skdeepcluster.streams import SAMPLE_SEED


def drawn(y, X, number, seed=0):
    """As many random pairs of rows of one class, and of two."""
    rng = np.random.default_rng(seed)
    must, cannot = [], []
    while min(len(must), len(cannot)) < number:
        i, j = rng.choice(len(y), 2, replace=False)
        if (X[i] != X[j]).any():
            (must if y[i] == y[j] else cannot).append((i, j))
    return np.array(must[:number]), np.array(cannot[:number])


def assert_kept(model, must, cannot):
    labels = model.labels_
    for i, j in must:
        assert labels[i] == labels[j]
    for i, j in cannot:
        assert labels[i] != labels[j]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600], y[:600]


SETS = {
    "one column": lambda rng: (
        rng.normal(size=(150, 1)) + rng.integers(3, size=(150, 1))
    ),
    "two columns": lambda rng: rng.normal(size=(150, 2)),
    "three columns": lambda rng: rng.normal(size=(150, 3)),
    "whole numbers": lambda rng: rng.integers(4, size=(200, 3)),
    "repeated rows": lambda rng: np.repeat(rng.normal(size=(50, 4)), 4, axis=0),
    "sparse": lambda rng: sp.random_array(
        (150, 20), density=0.2, rng=rng, format="csr"
    ),
}


@pytest.mark.parametrize("n_clusters", [3, None])
@pytest.mark.parametrize("kind", SETS)
def test_consistent_constraints_hold(kind, n_clusters):
    X = SETS[kind](np.random.default_rng(0))
    dense = X.toarray() if sp.issparse(X) else X
    # Of no class that the rows tell of, but equal rows are of one.
    y = np.unique(dense, axis=0, return_inverse=True)[1].ravel() * 7 % 3
    must, cannot = drawn(y, dense, 15)
    model = GraphClustering(n_clusters, n_init=2, random_state=0)
    model.fit(X, must_link=must, cannot_link=cannot)
    assert_kept(model, must, cannot)
    assert n_clusters in (None, model.n_clusters_)
    assert_array_equal(np.unique(model.labels_), range(model.n_clusters_))
    assert_array_equal(model.predict(X), model.labels_)
    assert_array_equal(model.cut(model.n_clusters_), model.labels_)
    # Units are whole in the leaves, so that any cut keeps the must-links.
    finest = model.cut(model.n_leaves_)
    assert all(finest[i] == finest[j] for i, j in must)
    again = GraphClustering(n_clusters, n_init=2, random_state=0)
    again.fit(X, must_link=must, cannot_link=cannot)
    assert_array_equal(again.labels_, model.labels_)


def test_many_clusters_are_none_empty():
    X = np.random.default_rng(0).normal(size=(60, 3))
    must = [(i, i + 30) for i in range(10)]
    cannot = [(i, i + 1) for i in range(9)]
    for n_clusters in (2, 20, 50):
        model = GraphClustering(n_clusters, n_init=2, random_state=0)
        model.fit(X, must_link=must, cannot_link=cannot)
        assert_kept(model, must, cannot)
        assert model.n_clusters_ == n_clusters


def test_one_of_two_classes_has_most_rows():
    sizes = [400, 100]
    X, y = make_blobs(sizes, 5, centers=np.eye(2, 5) * 4, random_state=0)
    must, cannot = drawn(y, X, 10)
    model = GraphClustering(2, random_state=0)
    model.fit(X, must_link=must, cannot_link=cannot)
    assert_kept(model, must, cannot)
    assert adjusted_rand_score(y, model.labels_) > 0.9


def test_neighbours_follow(digits):
    X, y = digits
    must, cannot = drawn(y, X, 100)
    named = np.unique(np.r_[must, cannot])
    others = np.setdiff1d(np.arange(len(X)), named)
    plain = GraphClustering(10, random_state=0).fit(X)
    model = GraphClustering(10, random_state=0)
    model.fit(X, must_link=must, cannot_link=cannot)
    before, after = (
        adjusted_rand_score(y[others], each.labels_[others]) for each in (plain, model)
    )
    assert after > before + 0.02


def test_groups_that_are_linked_are_one_cluster():
    X, y = make_blobs(200, centers=10 * np.eye(4), random_state=0)
    groups = [np.flatnonzero(y < 2)[:9].tolist(), [*np.flatnonzero(y == 2)[:2]]]
    labels = GraphClustering(3, random_state=0).fit_predict(X, must_link=groups)
    assert adjusted_rand_score(np.maximum(y, 1), labels) == 1


def test_rows_that_are_apart_make_more_clusters():
    X = np.random.default_rng(0).normal(size=(100, 3))
    pairs = [*combinations(range(5), 2)]
    model = GraphClustering(random_state=0).fit(X, cannot_link=pairs)
    assert model.n_clusters_ >= 5
    assert_kept(model, [], pairs)


def test_all_rows_linked():
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = GraphClustering(random_state=0).fit(X, must_link=[range(40)])
    assert_array_equal(model.labels_, 0)


def test_no_links_change_nothing(digits):
    X, _ = digits
    plain = GraphClustering(10, n_init=2, random_state=0).fit(X)
    model = GraphClustering(10, n_init=2, random_state=0)
    model.fit(X, must_link=[], cannot_link=np.empty((0, 2), dtype=int))
    assert_array_equal(model.labels_, plain.labels_)
    model.fit(X, must_link=[(3, 3), (5,)])
    assert_array_equal(model.labels_, plain.labels_)


def test_order_of_rows_and_links_makes_no_difference(digits):
    X, y = digits
    must, cannot = drawn(y, X, 20)
    order = np.random.default_rng(1).permutation(len(X))
    place = order.argsort()
    model = GraphClustering(10, n_init=2, random_state=0)
    labels = model.fit_predict(X, must_link=must, cannot_link=cannot)
    moved = model.fit_predict(
        X[order], must_link=place[must][::-1], cannot_link=place[cannot][:, ::-1]
    )
    assert_array_equal(moved, labels[order])


def test_frames_and_arrays_of_the_caller_stay():
    X, y = make_blobs(90, 3, random_state=0)
    must, cannot = drawn(y, X, 5)
    kept = must.copy(), cannot.copy()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = GraphClustering(3, random_state=0)
    model.fit(frame, must_link=pd.DataFrame(must), cannot_link=cannot.tolist())
    own = GraphClustering(3, random_state=0)
    own.fit(X, must_link=must, cannot_link=cannot)
    assert_array_equal(model.labels_, own.labels_)
    assert_array_equal(kept[0], must)
    assert_array_equal(kept[1], cannot)


def test_rows_with_links_are_no_noise(digits):
    X, _ = digits
    plain = GraphClustering(5, noise_ratio=1.2, random_state=0).fit(X)
    noise = np.flatnonzero(plain.labels_ == -1)[:4]
    links = {"must_link": [noise[:2]], "cannot_link": [noise[2:]]}
    model = GraphClustering(5, noise_ratio=1.2, random_state=0).fit(X, **links)
    assert (model.labels_[noise] >= 0).all()
    assert (model.labels_ == -1).any()
    assert_kept(model, [noise[:2]], [noise[2:]])
    assert_array_equal(model.predict(X), model.labels_)


def test_given_distances():
    X = np.random.default_rng(0).normal(size=(80, 3))
    distances = KNeighborsTransformer(mode="distance", n_neighbors=10).fit_transform(X)
    links = {"must_link": [(0, 1), (2, 3)], "cannot_link": [(0, 2), (5, 6)]}
    model = GraphClustering(3, neighbors="precomputed", random_state=0)
    assert_kept(model.fit(distances, **links), *links.values())
    assert_array_equal(model.predict(distances), model.labels_)


def test_a_sample_has_to_have_the_rows():
    X = np.random.default_rng(0).normal(size=(300, 2))
    sample = sample_rows(300, 100, SAMPLE_SEED)
    left_out = np.setdiff1d(np.arange(300), sample)
    model = GraphClustering(3, max_samples=100, n_init=2, random_state=0)
    cannot = [*combinations(sample[:3].tolist(), 2)]
    assert_kept(model.fit(X, cannot_link=cannot), [], cannot)
    assert_array_equal(model.predict(X), model.labels_)
    clique = [*combinations(sample[-4:].tolist(), 2)]
    with pytest.raises(ValueError, match=f"{sample[-1]}"):
        model.fit(X, cannot_link=clique)
    message = f"Row {left_out[0]} has a must_link .* give max_samples=None"
    with pytest.raises(ValueError, match=message):
        model.fit(X, must_link=[(sample[0], left_out[0])])


REFUSED = {
    "row -1, but X has 9 rows": {"must_link": [(0, -1)]},
    "row 9, but X has 9 rows: give numbers from 0 to 8": {"cannot_link": [(9, 1)]},
    "must_link holds .*whole numbers": {"must_link": [(0, 1.5)]},
    "must_link holds 3: give whole numbers": {"must_link": [3, 4]},
    "must_link holds True|must_link holds .*True": {"must_link": [(True, False)]},
    "must_link='no' must be pairs": {"must_link": "no"},
    "must_link=5 must be pairs": {"must_link": 5},
    "cannot_link holds .*give pairs": {"cannot_link": [(0, 1, 2)]},
    "row 4 apart from itself": {"cannot_link": [(4, 4)]},
    "rows 0 and 2 apart, which must_link": {
        "must_link": [(0, 1), (1, 2)],
        "cannot_link": [(0, 2)],
    },
    "rows 7 and 8 apart, which are equal": {"cannot_link": [(7, 8)]},
    "cannot_link with n_clusters=3: .*Give n_clusters=4": {
        "cannot_link": [*combinations(range(4), 2)]
    },
    "n_clusters=3 is too many for must_link, which leaves 2 groups": {
        "must_link": [range(4), range(4, 9)]
    },
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    X = np.arange(9.0)[:, None]
    X[8] = X[7]
    model = GraphClustering(3, random_state=0).fit(X)
    before = model.labels_
    with pytest.raises(ValueError, match=message):
        model.fit(X, **REFUSED[message])
    assert model.labels_ is before


def test_metadata_is_routed():
    X, y = make_blobs(90, 3, random_state=0)
    must, cannot = drawn(y, X, 5)
    links = {"must_link": must, "cannot_link": cannot}
    own = GraphClustering(3, n_init=2, random_state=0).fit(X, **links)
    with config_context(enable_metadata_routing=True):
        asking = GraphClustering(3, n_init=2, random_state=0)
        asking.set_fit_request(must_link=True, cannot_link=True)
        pipeline = make_pipeline(StandardScaler(with_mean=False), asking)
        assert_kept(pipeline.fit(X, **links)[-1], must, cannot)
        search = GridSearchCV(
            asking,
            {"n_neighbors": [15]},
            cv=AllData(),
            scoring=clustering_scorer(),
        )
        best = search.fit(X, **links).best_estimator_
    assert_array_equal(best.labels_, own.labels_)


def test_ties_by_loops():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    nodes = Nodes.of(X, ordered=True)
    must, cannot = np.array([(0, 1), (1, 2)]), np.array([(0, 5), (6, 7)])
    known = Constraints.of(Links(must, cannot, np.arange(30)), nodes)
    graph = Graph.of(X, nodes.mass, 5, None, 0)
    W = graph.weights.toarray()
    linked = [0, 1, 2, 5, 6, 7]
    P = np.zeros((30, known.n_units))
    for steps in range(3):
        before, P = P, np.zeros_like(P)
        for i in range(30):
            if i in linked:
                P[i, known.units[i]] = 1
            elif steps:
                P[i] = W[i] @ before / W[i].sum()
    expected = W.copy()
    units = known.units
    for i in range(30):
        for j in range(30):
            change = P[i] @ P[j]
            for u, v in ((units[0], units[5]), (units[6], units[7])):
                change -= P[i, u] * P[j, v] + P[i, v] * P[j, u]
            expected[i, j] *= max(1 + change, 1e-3)
    assert_allclose(known.informed(graph).weights.toarray(), expected, rtol=1e-5)
    near = sp.csr_array(np.eye(2))
    assert_allclose(rescaled(near, near, near).toarray(), 2 * np.eye(2))


def test_units_take_the_best_cluster_that_is_left():
    apart = sp.csr_array(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0.0]]))
    apart.eliminate_zeros()
    votes = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]])
    assert_array_equal(placed(votes, apart)[0], [0, 1, 0])
    triangle = sp.csr_array(np.ones((3, 3)) - np.eye(3))
    assert placed(votes, triangle)[0] is None


def test_votes_that_lead_nowhere_give_way():
    rng = np.random.default_rng(0)
    hard = 0
    for _ in range(200):
        y = rng.permutation(np.arange(12) % 3)
        pairs = np.triu((y[:, None] != y) & (rng.random((12, 12)) < 0.5))
        apart = sp.csr_array((pairs + pairs.T).astype(float))
        known = Constraints(np.arange(12), np.arange(12), apart)
        if known.n_least(None) <= 3:
            votes = rng.random((12, 3))
            labels = placed(votes, apart)[0]
            if labels is None:
                hard += 1
                labels = known._by_colours(votes)
            assert (labels[pairs.nonzero()[0]] != labels[pairs.nonzero()[1]]).all()
    assert hard


JOINT = [cls for cls in TOLD_N_CLUSTERS if issubclass(cls, BaseJointClusterer)]


@pytest.fixture(scope="module")
def groups():
    X, y = make_blobs(90, 5, centers=3, cluster_std=3.0, random_state=0)
    return X.astype(np.float32), y


@pytest.mark.parametrize("cls", JOINT)
def test_networks_are_taught_linked_rows(cls, groups):
    X, y = groups
    must, cannot = drawn(y, X, 12)
    model = tiny(cls, n_clusters=3, init="graph", random_state=0)
    before = model.get_params()
    labels = model.fit(X, must_link=must, cannot_link=cannot).labels_
    assert labels.dtype == np.int32
    assert_kept(model, must, cannot)
    assert model.get_params() == before
    others = np.setdiff1d(np.arange(len(y)), np.r_[must, cannot])
    assert_array_equal(labels[others], model.predict(X)[others])
    again = model.fit(X, must_link=must, cannot_link=cannot).labels_
    assert_array_equal(labels, again)


@pytest.mark.parametrize("cls", JOINT)
def test_links_are_refused_before_any_training(cls, groups):
    X, _ = groups
    model = tiny(cls, n_clusters=3, init="graph", max_epochs=10**6)
    with pytest.raises(ValueError, match="rows 0 and 2 apart, which must_link"):
        model.fit(X, must_link=[(0, 1), (1, 2)], cannot_link=[(0, 2)])
    with pytest.raises(ValueError, match=r"n_clusters=3.*Give n_clusters=4"):
        model.fit(X, cannot_link=[*combinations(range(4), 2)])
    with pytest.raises(ValueError, match="names row 90, but X has 90 rows"):
        model.fit(X, must_link=[(0, 90)])
    model.set_params(init="k-means")
    with pytest.raises(ValueError, match="use init='graph'"):
        model.fit(X, must_link=[(0, 1)])
    assert not hasattr(model, "labels_")


def test_networks_keep_links_of_equal_rows_and_of_a_sample(groups):
    X, y = groups
    must, cannot = drawn(y, X, 8)
    twice = np.r_[X, X]
    dec = tiny(DECClustering, n_clusters=3, random_state=0)
    labels = dec.fit(twice, must_link=must, cannot_link=cannot).labels_
    assert_array_equal(labels[: len(X)], labels[len(X) :])
    sample = sample_rows(len(twice), 60, SAMPLE_SEED)
    links = [(sample[0], sample[-1])]
    dec.set_params(training=Training(max_samples=60)).fit(twice, cannot_link=links)
    assert len(dec.labels_) == len(twice)
    assert_kept(dec, [], links)
    left_out = np.setdiff1d(np.arange(len(twice)), sample)[:2]
    with pytest.raises(ValueError, match="max_samples=60"):
        dec.fit(twice, must_link=[left_out])


def test_a_killed_fit_goes_on_with_the_same_links_only(groups, tmp_path):
    X, _ = groups
    training = Training(checkpoint=tmp_path)
    dec = tiny(DECClustering, n_clusters=3, random_state=0, training=training)
    dec.fit(X, must_link=[(0, 1)])
    with pytest.raises(ValueError, match="links"):
        dec.fit(X, must_link=[(0, 2)])


def test_links_are_routed_to_networks(groups):
    X, y = groups
    must, _ = drawn(y, X, 8)
    with config_context(enable_metadata_routing=True):
        dec = tiny(DECClustering, n_clusters=3, random_state=0)
        dec.set_fit_request(must_link=True, cannot_link=True)
        pipeline = make_pipeline(StandardScaler(), dec).fit(X, must_link=must)
    assert_kept(pipeline[-1], must, [])
