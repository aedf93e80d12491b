"""Representatives of clusters, and labels spread from them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster import Autoencoder, AutoencoderKMeans
from skdeepcluster.labelling import propagate, representatives


@pytest.fixture(scope="module")
def model(digits):
    network = Autoencoder((64,), max_epochs=20, batch_size=64)
    return make_pipeline(
        StandardScaler(),
        AutoencoderKMeans(10, encoder=network, n_init=3, random_state=0),
    ).fit(digits)


class Plane:
    """Rows are their own latent rows; the sign of the first column is the cluster."""

    def transform(self, X):
        return X

    def predict(self, X):
        return (X[:, 0] > 0).astype(int)


def test_one_representative_is_the_nearest_to_the_mean(digits, model):
    rows = representatives(model, digits)
    labels, Z = model.predict(digits), model.transform(digits)
    assert list(labels[rows]) == list(range(10))
    for cluster, row in enumerate(rows):
        members = np.flatnonzero(labels == cluster)
        distances = np.linalg.norm(Z[members] - Z[members].mean(0), axis=1)
        assert row == members[distances.argmin()]


def test_more_of_them_are_diverse():
    corners = np.array([[1, 0], [1, 10], [9, 0], [-1, 0], [-1, 5], [-9, 0.0]])
    X = np.repeat(corners, 7, axis=0)
    X += np.random.RandomState(0).normal(scale=0.01, size=X.shape)
    rows = representatives(Plane(), X, n_per_cluster=3)
    assert sorted(rows // 7) == [0, 1, 2, 3, 4, 5]
    assert set(rows[:3] // 7) == {3, 4, 5}


def test_small_clusters_and_equal_rows_give_what_they_have():
    X = np.array([[1.0, 0], [1, 0], [1, 0], [-1, 0], [-2, 0]])
    assert list(representatives(Plane(), X, n_per_cluster=4)) in (
        [3, 4, 0],
        [4, 3, 0],
    )


def test_answers_stay_within_their_cluster():
    X = np.array([[0.1, 0], [3, 0], [-0.1, 0], [-9, 0], [-8, 0]])
    answers = propagate(Plane(), X, [1, 3], ["right", "left"])
    assert list(answers) == ["right", "right", "left", "left", "left"]


def test_nearest_answer_within_a_cluster_and_beyond_it():
    X = np.array([[1.0, 0], [9, 0], [2, 0], [8, 0], [-1, 0]])
    answers = propagate(Plane(), X, [0, 1], [10, 20])
    assert list(answers) == [10, 20, 10, 20, 10]


def test_few_answers_label_digits(digits, digits_target, model):
    accuracy = []
    for n_per_cluster in (1, 10):
        rows = representatives(model, digits, n_per_cluster)
        assert len(rows) == len(np.unique(rows)) == 10 * n_per_cluster
        answers = propagate(model, digits, rows, digits_target[rows])
        assert np.array_equal(answers[rows], digits_target[rows])
        accuracy.append(np.mean(answers == digits_target))
    assert accuracy[0] > 0.45
    assert accuracy[1] > max(accuracy[0], 0.8)


def test_unusable_arguments_are_named(digits, model):
    for n_per_cluster in (0, 2.5, None):
        with pytest.raises(ValueError, match=f"n_per_cluster={n_per_cluster} must be"):
            representatives(model, digits, n_per_cluster)
    with pytest.raises(ValueError, match="rows has 2 entries and labels 1"):
        propagate(model, digits, [0, 1], [1])
    with pytest.raises(ValueError, match="one row at least"):
        propagate(model, digits, [], [])


@pytest.mark.parametrize("rows", [[0, 5], [0, -1], [0.0, 1.0], [True, False]])
def test_rows_that_are_not_there_are_refused(rows):
    X = np.array([[1.0, 0], [9, 0], [2, 0], [8, 0], [-1, 0]])
    with pytest.raises(ValueError, match="rows must hold integers from 0 to 4"):
        propagate(Plane(), X, rows, [10, 20])


def test_a_row_has_one_answer():
    X = np.array([[1.0, 0], [9, 0], [2, 0]])
    with pytest.raises(ValueError, match="rows holds 1 twice"):
        propagate(Plane(), X, [1, 0, 1], ["a", "b", "c"])
    assert list(propagate(Plane(), X, [1, 1], ["a", "a"])) == ["a", "a", "a"]


def test_clusterer_without_a_latent_space_is_named():
    X = np.array([[1.0, 0], [9, 0], [2, 0]])
    clusterer = AgglomerativeClustering(2).fit(X)
    with pytest.raises(TypeError, match="AgglomerativeClustering has no transform"):
        representatives(clusterer, X)
    with pytest.raises(TypeError, match="AgglomerativeClustering has no transform"):
        propagate(clusterer, X, [0], [1])


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA, pd.NaT])
def test_missing_answers_are_no_answers(missing):
    X = np.array([[1.0, 0], [9, 0], [2, 0], [8, 0]])
    labels = pd.Series([1, missing, 2, missing], dtype=object)
    found = propagate(Plane(), X, [0, 1, 3, 3], labels)
    assert list(found) == [1, 2, 1, 2]
    with pytest.raises(ValueError, match="labels holds no answer"):
        propagate(Plane(), X, [0, 1], [missing, missing])


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
def test_missing_strings_are_no_answers(missing):
    X = np.array([[1.0, 0], [9, 0], [2, 0], [8, 0]])
    found = propagate(Plane(), X, [0, 1, 3], ["low", missing, "high"])
    assert list(found) == ["low", "high", "low", "high"]
    with pytest.raises(ValueError, match="labels is an array of strings and holds 'n"):
        propagate(Plane(), X, [0, 1, 3], np.array(["low", "nan", "high"]))


def test_missing_numbers_leave_the_type_of_the_others():
    X = np.array([[1.0, 0], [9, 0], [2, 0], [8, 0]])
    found = propagate(Plane(), X, [0, 1, 3], [1.5, np.nan, 2.5])
    assert list(found) == [1.5, 2.5, 1.5, 2.5]
    nullable = pd.array([1, None, 2], dtype="Int64")
    assert list(propagate(Plane(), X, [0, 1, 3], nullable)) == [1, 2, 1, 2]
