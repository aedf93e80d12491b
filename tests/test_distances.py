"""Clusters of rows of which only distances are known."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neighbors import (
    KNeighborsTransformer,
    NearestNeighbors,
    radius_neighbors_graph,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy

CORNERS = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])


def given(n_clusters=None, **settings):
    settings = {"neighbors": "precomputed", "random_state": 0, **settings}
    return GraphClustering(n_clusters, **settings)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(200, centers=CORNERS, random_state=0)


@pytest.fixture(scope="module")
def transformer(blobs):
    return KNeighborsTransformer(n_neighbors=10, mode="distance").fit(blobs[0])


@pytest.fixture(scope="module")
def graph(blobs, transformer):
    return transformer.transform(blobs[0])


def without_loops(graph):
    """The same as scanpy has it: a row is no neighbour of its own."""
    graph = sp.coo_array(graph)
    other = graph.row != graph.col
    return sp.csr_matrix(
        (graph.data[other], (graph.row[other], graph.col[other])), graph.shape
    )


def expected_failures(estimator):
    return {
        "check_estimator_sparse_array": "it reads classifier_tags, which it has not",
        "check_estimator_sparse_matrix": "it reads classifier_tags, which it has not",
        "check_positive_only_tag_during_fit": "it gives no distances",
        "check_clustering": "it gives no distances",
    }


class Checked(GraphClustering):
    """The common checks give kernels to what has no such metric."""

    metric = "precomputed"


@parametrize_with_checks(
    [Checked(3, neighbors="precomputed")], expected_failed_checks=expected_failures
)
def test_sklearn_checks(estimator, check):
    check(estimator)


# With fewer than the ten that there are, which ones are joined is a matter of rounding.
@pytest.mark.parametrize("n_clusters", [10, None])
def test_the_same_clusters_as_of_the_rows(digits, n_clusters):
    X = digits[:500]
    rows = GraphClustering(n_clusters, random_state=0).fit(X)
    graph = KNeighborsTransformer(n_neighbors=15, mode="distance").fit_transform(X)
    model = given(n_clusters).fit(graph)
    assert not rows.by_centers_
    assert adjusted_rand_score(rows.labels_, model.labels_) > 0.75
    assert not model.by_centers_
    assert model.n_clusters_ == model.labels_.max() + 1


def test_every_form_of_the_same_distances(blobs, graph):
    X, y = blobs
    expected = given().fit(graph)
    assert expected.n_clusters_ == 4
    assert clustering_accuracy(y, expected.labels_) == 1
    dense = pairwise_distances(X)
    for other in (without_loops(graph), sp.coo_array(graph), sp.csc_matrix(graph)):
        assert_array_equal(given().fit(other).labels_, expected.labels_)
    for other in (dense, radius_neighbors_graph(X, 3, mode="distance")):
        found = given().fit(other)
        assert clustering_accuracy(y, found.labels_) == 1
        assert_array_equal(found.predict(other), found.labels_)
    # The ten nearest of a dense row are what the transformer keeps.
    ten = given(n_neighbors=10).fit(dense)
    same = given(n_neighbors=10).fit(graph)
    assert_array_equal(ten.children_, same.children_)
    assert_allclose(ten.distances_, same.distances_, rtol=1e-5)


@pytest.mark.parametrize("unit", [1e-200, 1e30, 1e200])
def test_any_unit_of_distances(graph, unit):
    found = given(4).fit(graph * unit)
    assert adjusted_rand_score(found.labels_, given(4).fit(graph).labels_) == 1
    assert_array_equal(found.predict(graph * unit), found.labels_)


def test_nothing_of_the_caller_is_changed(graph):
    rng = np.random.default_rng(0)
    coo = sp.coo_array(graph)
    order = rng.permutation(coo.nnz)
    row = coo.row[order].argsort(kind="stable")
    indptr = np.concatenate([[0], np.bincount(coo.row).cumsum()])
    unsorted = sp.csr_array(
        (coo.data[order][row], coo.col[order][row], indptr), shape=coo.shape
    )
    before = unsorted.data.copy(), unsorted.indices.copy()
    found = given(4).fit(unsorted)
    assert_array_equal(found.predict(unsorted), given(4).fit(graph).labels_)
    assert_array_equal(unsorted.data, before[0])
    assert_array_equal(unsorted.indices, before[1])


@pytest.mark.parametrize("loops", [True, False])
def test_training_rows_are_predicted_as_they_were_labelled(digits, loops):
    X = digits[:300]
    graph = KNeighborsTransformer(n_neighbors=10, mode="distance").fit_transform(X)
    graph = graph if loops else without_loops(graph)
    model = given(noise_ratio=1.3).fit(graph)
    assert (model.labels_ == -1).any()
    assert_array_equal(model.predict(graph), model.labels_)
    some = np.arange(0, 300, 7)
    assert_array_equal(model.predict(graph[some]), model.labels_[some])
    likely = model.predict_proba(graph).argmax(1)
    known = model.labels_ >= 0
    assert_array_equal(likely[known], model.labels_[known])
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(graph), model.labels_)


def test_new_rows(blobs, transformer):
    X, y = blobs
    model = given(4).fit(transformer.transform(X))
    new, classes = make_blobs(40, centers=CORNERS, random_state=1)
    name = np.array([model.labels_[y == each][0] for each in range(4)])
    distances = transformer.transform(new)
    assert_array_equal(model.predict(distances), name[classes])
    assert_array_equal(model.predict(distances[[3]]), name[classes[[3]]])
    whole = given(4).fit(pairwise_distances(X))
    assert clustering_accuracy(classes, whole.predict(pairwise_distances(new, X))) == 1


def test_votes_by_hand(blobs, digits):
    X, new = digits[:200], digits[200:210]
    search = NearestNeighbors(n_neighbors=6).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = given(3).fit(search.kneighbors_graph(mode="distance"))
    lengths, near = search.kneighbors(new)
    # Rows with different numbers of neighbours.
    counts = np.array([6, 5, 4, 3, 6, 5, 4, 3, 6, 2])
    kept = np.arange(6) < counts[:, None]
    begins = np.concatenate([[0], counts.cumsum()])
    graph = sp.csr_array((lengths[kept], near[kept], begins), shape=(10, 200))
    shares = model.predict_proba(graph)
    farthest = search.kneighbors()[0].max(1)
    for i, count in enumerate(counts):
        excess = lengths[i, :count] - lengths[i, 0]
        units = np.geomspace(1e-4, 1e4, 40_001)[:, None]
        sums = np.exp(-excess / units).sum(1)
        weights = np.exp(-excess / units[np.abs(sums - np.log2(count)).argmin()])
        votes = np.bincount(model.labels_[near[i, :count]], weights, minlength=3)
        trust = np.exp(min(1 - lengths[i, 0] / farthest[near[i, 0]], 0))
        expected = trust * votes / votes.sum() + (1 - trust) / 3
        assert_allclose(shares[i], expected, atol=2e-3)


def test_tree_and_other_numbers(graph):
    model = given(4).fit(graph)
    assert len(np.unique(model.cut(2))) == 2
    two = model.with_n_clusters(2)
    assert_array_equal(two.predict(graph), model.cut(2))
    assert model.agreement_ == 1
    assert len(model.linkage_) == model.n_leaves_ - 1


def test_zero_is_a_neighbour_at_no_distance(blobs):
    X, y = blobs
    pairs = np.repeat(X, 2, axis=0)
    graph = KNeighborsTransformer(n_neighbors=10, mode="distance").fit_transform(pairs)
    assert (without_loops(graph).data == 0).sum() >= len(pairs)
    model = given().fit(graph)
    assert clustering_accuracy(np.repeat(y, 2), model.labels_) == 1
    assert_array_equal(model.predict(graph), model.labels_)
    # A row with nothing but copies around it counts the zeros, too.
    many = np.repeat(X[:20], 12, axis=0)
    graph = KNeighborsTransformer(n_neighbors=8, mode="distance").fit_transform(many)
    with pytest.warns(UserWarning, match="240 rows of X have distances of zero only"):
        model = given(20).fit(graph)
    assert adjusted_rand_score(model.labels_, np.repeat(np.arange(20), 12)) == 1


def test_copies_are_no_peaks_of_density():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    X[:30] = X[0]
    graph = KNeighborsTransformer(n_neighbors=15, mode="distance").fit_transform(X)
    with pytest.warns(UserWarning, match="30 rows of X have distances of zero only"):
        model = given().fit(graph)
    assert np.isfinite(model._voters.farthest).all()
    # They lead nowhere else, so they are apart; the rest is one.
    assert model.n_clusters_ <= 2


def test_in_a_pipeline_and_a_search(blobs, graph):
    X, y = blobs
    piped = make_pipeline(
        KNeighborsTransformer(n_neighbors=10, mode="distance"), given(4)
    )
    labels = piped.fit_predict(X)
    assert_array_equal(piped.predict(X), labels)
    assert given().__sklearn_tags__().input_tags.pairwise
    assert not GraphClustering().__sklearn_tags__().input_tags.pairwise
    # Both axes are cut: folds of training rows have distances between themselves.
    shapes = []

    def score(estimator, part, y):
        shapes.append(part.shape)
        return clustering_accuracy(y, estimator.predict(part))

    for distances in (pairwise_distances(X), graph):
        shapes.clear()
        search = GridSearchCV(given(), {"n_clusters": [2, 4]}, cv=2, scoring=score)
        search.fit(distances, y)
        assert shapes == [(100, 100)] * 4
        assert search.best_params_ == {"n_clusters": 4}
        assert search.best_score_ == 1
        labels = cross_val_predict(given(4), distances, y, cv=2)
        assert len(labels) == len(X)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_what_is_no_distance_is_refused(blobs, container):
    X, _ = blobs
    D = pairwise_distances(X)
    negative = D.copy()
    negative[3, 4] = -1
    for wrong, message in [
        (D[:, :50], r"shape \(200, 50\): neighbors='precomputed' takes"),
        (negative, "negative distance, -1.0"),
        (rbf_kernel(X), "as far from themselves"),
        (np.where(D < np.inf, D, 0)[:1, :1], "minimum of 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            given(2).fit(container(wrong))


def test_rows_without_neighbours_are_refused(blobs, graph):
    X, _ = blobs
    lonely = radius_neighbors_graph(np.vstack([X, [[99, 99]]]), 3, mode="distance")
    with pytest.raises(ValueError, match="no neighbour of row 200: give every row"):
        given(2).fit(lonely)
    model = given(4).fit(graph)
    with pytest.raises(ValueError, match="no neighbour of row 1:"):
        model.predict(sp.csr_array(([1.0], [5], [0, 1, 1]), shape=(2, 200)))
    with pytest.raises(ValueError, match="expecting 200 features"):
        model.predict(pairwise_distances(X[:5], X[:50]))
    ones = KNeighborsTransformer(n_neighbors=5).set_params(mode="connectivity")
    with pytest.raises(ValueError, match="no connectivities"):
        given(4).fit(ones.fit_transform(X))
    with pytest.raises(ValueError, match="'neighbors' parameter"):
        GraphClustering(neighbors="exact").fit(X)
