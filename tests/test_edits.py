"""Clusters that a network tells, edited by hand."""

import pickle

import numpy as np
import pytest
from discovery import CLUSTERERS, fitted, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster import AutoencoderGMM, DECClustering
from skdeepcluster.explain import confidence, explain_rows
from skdeepcluster.io import load, save

pytestmark = pytest.mark.usefixtures("short_teaching")


@pytest.fixture(scope="module")
def X():
    X, _ = make_blobs(160, 5, centers=4, cluster_std=0.5, random_state=3)
    return X.astype(np.float32)


@pytest.fixture(scope="module", params=CLUSTERERS)
def learned(request, X):
    return fitted(tiny(request.param, n_clusters=4, init="graph", random_state=0), X)


@pytest.fixture
def model(learned):
    """A fitted clusterer of its own, with two clusters or more."""
    model = pickle.loads(pickle.dumps(learned))
    if len(np.unique(model.labels_)) < 2:
        pytest.skip("this network tells one cluster only")
    return model


def two_largest(model):
    sizes = np.bincount(model.labels_)
    return np.argsort(-sizes, kind="stable")[:2].tolist()


def assert_agrees(model, X):
    """Labels, predictions, probabilities and numbers of clusters tell the same."""
    labels = model.predict(X)
    assert_array_equal(labels, model.labels_)
    assert labels.dtype == np.int32
    assert model.n_clusters_ == len(model._alive)
    assert {*np.unique(labels[labels >= 0])} <= {*model._alive}
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(X)
        assert shares.shape == (len(X), max(model._alive) + 1)
        assert shares.dtype == np.float32
        assert_allclose(shares.sum(1), 1, rtol=1e-5)
        assert_array_equal(shares.argmax(1)[labels >= 0], labels[labels >= 0])
        none = np.setdiff1d(np.arange(shares.shape[1]), model._alive)
        assert not shares[:, none].any()


def test_merged_clusters_are_one(model, X):
    one, other = two_largest(model)
    before = model.labels_
    network = model.module_
    assert model.merge_clusters([one, other]) is model
    assert_array_equal(model.labels_, np.where(before == other, one, before))
    assert_agrees(model, X)
    assert model.module_ is network
    assert model.edits_ == [f"merged {one}, {other} into {one}"]
    model.undo()
    assert_array_equal(model.labels_, before)
    assert_agrees(model, X)
    assert model.edits_ == []


def test_probabilities_of_merged_clusters_are_sums(model, X):
    if not hasattr(model, "predict_proba"):
        pytest.skip("hard clusters")
    one, other = two_largest(model)
    before = model.predict_proba(X).astype(float)
    shares = model.merge_clusters([one, other]).predict_proba(X)
    clear = before[:, [one, other]].sum(1) > 0.5
    assert clear.any()
    sums = before[clear][:, [one, other]].sum(1)
    assert_allclose(shares[clear, one], sums, rtol=1e-4)


def test_a_dropped_cluster_is_noise(model, X):
    one, _ = two_largest(model)
    before = model.labels_
    model.drop_cluster(one)
    assert_array_equal(model.labels_, np.where(before == one, -1, before))
    assert_agrees(model, X)


def test_a_cluster_is_split_by_the_rows_of_fit(model, X):
    one, _ = two_largest(model)
    before, last = model.labels_, model.n_clusters_
    model.rename_cluster(one, "many").split_cluster(one, X, n_clusters=3)
    parts = model.labels_[before == one]
    assert set(parts) == {one, last, last + 1}
    sizes = [np.sum(parts == it) for it in (one, last, last + 1)]
    assert sizes == sorted(sizes, reverse=True)
    assert_array_equal(model.labels_[before != one], before[before != one])
    assert_agrees(model, X)
    assert model.cluster_names_ == {one: "many"}
    model.merge_clusters([last, one]).drop_cluster(last + 1)
    assert set(model.labels_[before == one]) == {last, -1}
    assert model.cluster_names_ == {}
    assert_agrees(model, X)
    for _ in range(4):
        model.undo()
    assert_array_equal(model.labels_, before)
    assert_agrees(model, X)
    with pytest.raises(ValueError, match="no edit to undo"):
        model.undo()


def test_edits_are_saved_and_no_clone_has_them(model, X, tmp_path):
    one, other = two_largest(model)
    model.split_cluster(one, X).merge_clusters([other, one]).rename_cluster(other, "b")
    save(model, tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert_agrees(again, X)
        assert again.cluster_names_ == {other: "b"}
        assert again.edits_ == model.edits_
        assert_array_equal(again.undo().undo().labels_, model.undo().undo().labels_)
        model.merge_clusters([other, one]).rename_cluster(other, "b")
    assert not hasattr(clone(model), "edits_")


def test_a_further_fit_forgets_edits(X):
    dec = fitted(tiny(DECClustering), X)
    before = dec.labels_
    dec.merge_clusters(two_largest(dec)).rename_cluster(two_largest(dec)[0], "both")
    fitted(dec, X)
    assert dec.edits_ == []
    assert dec.cluster_names_ == {}
    assert_array_equal(dec.labels_, before)
    assert_agrees(dec, X)


def test_edited_clusters_are_explained(model, X):
    one, other = two_largest(model)
    model.merge_clusters([one, other]).split_cluster(one, X)
    sure = confidence(model, X)
    assert ((sure >= 0) & (sure <= 1)).all()
    table = explain_rows(model, X, rows=np.arange(5))
    assert_array_equal(table["cluster"], model.labels_[:5])
    assert (table["runner_up"] != table["cluster"]).all()


def test_wrong_edits_are_refused(model, X):
    one, _ = two_largest(model)
    state = vars(model).copy()
    with pytest.raises(ValueError, match="99 is no cluster: there are 0, "):
        model.merge_clusters([one, 99])
    with pytest.raises(ValueError, match="two clusters or more"):
        model.merge_clusters([one, one])
    with pytest.raises(ValueError, match="n_clusters=1 must be an integer >= 2"):
        model.split_cluster(one, X, n_clusters=1)
    with pytest.raises(ValueError, match="the 160 rows of fit, in their order"):
        model.split_cluster(one, X[:50])
    with pytest.raises(ValueError, match=r"more than cluster .* has distinct"):
        model.split_cluster(one, X, n_clusters=161)
    with pytest.raises(ValueError, match="is no cluster"):
        model.drop_cluster("a")
    assert vars(model) == state


def test_samples_tell_the_clusters_of_edits(X):
    mixture = fitted(tiny(AutoencoderGMM), X)
    mixture.drop_cluster(0).merge_clusters([1, 2])
    assert set(mixture.sample(200)[1]) <= {-1, 1, 3}


def test_a_step_of_a_pipeline_is_edited(X):
    pipeline = make_pipeline(StandardScaler(), fitted(tiny(DECClustering), X))
    fitted(pipeline, X)
    one, other = two_largest(pipeline[-1])
    pipeline[-1].merge_clusters([one, other])
    assert other not in pipeline.predict(X)
