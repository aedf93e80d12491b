"""Rows that are there twice, and labels that are wrong."""

import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_blobs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skdeepcluster.cleaning import label_issues, near_duplicates
from skdeepcluster.graph import GraphClustering


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def groups_of(table):
    return [sorted(rows) for _, rows in table.groupby("group")["row"]]


# near duplicates


def test_noisy_copies_are_found_and_nothing_else(digits):
    X, _ = digits
    rng = np.random.default_rng(0)
    copied = rng.permutation(len(X))[:30]
    noisy = X[copied] + 0.05 * X.std(0) * rng.normal(size=(30, 64))
    table = near_duplicates(np.vstack([X, noisy]))
    assert list(table) == ["group", "row", "distance", "relative"]
    pairs = {tuple(rows) for rows in groups_of(table)}
    assert pairs == {(row, len(X) + i) for i, row in enumerate(copied)}
    row = table.iloc[0]["row"]
    other = table.iloc[1]["row"]
    whole = np.vstack([X, noisy])
    expected = np.linalg.norm(whole[int(row)] - whole[int(other)])
    assert_allclose(table["distance"][:2], expected)
    means = table.groupby("group", sort=True)["relative"].mean()
    assert means.is_monotonic_increasing
    assert list(means.index) == list(range(30))


@pytest.mark.parametrize("load", [load_digits, load_wine, load_breast_cancer])
def test_ordinary_data_have_none(load):
    assert len(near_duplicates(scale(load().data))) == 0


def test_nothing_depends_on_units_or_places():
    X, _ = make_blobs(400, 8, random_state=0)
    X[7] = X[3] + 1e-3
    table = near_duplicates(X)
    assert groups_of(table) == [[3, 7]]
    for other in (1e-6 * X, 2.0**20 * X, X + 1e6):
        changed = near_duplicates(other)
        assert groups_of(changed) == [[3, 7]]
        assert_allclose(changed["relative"], table["relative"], rtol=1e-3)


def test_dense_places_are_no_duplicates():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(300, 8)), 1e-3 * rng.normal(size=(300, 8)) + 9])
    X[10] = X[0] + 1e-2
    X[310] = X[300] + 1e-5
    assert sorted(groups_of(near_duplicates(X))) == [[0, 10], [300, 310]]


def test_repeated_rows_are_groups_of_any_size():
    X, _ = make_blobs(100, 8, random_state=0)
    X = np.vstack([X, np.repeat(X[4:5], 30, axis=0), X[9:10] + 1e-4])
    for rows in (X, sp.csr_matrix(X), pd.DataFrame(X)):
        table = near_duplicates(rows)
        assert groups_of(table) == [[4, *range(100, 130)], [9, 130]]
        assert (table["relative"][:31] == 0).all()
    kept = table["row"][table.duplicated("group")]
    assert_array_equal(kept, [*range(100, 130), 130])


def test_groups_of_several(digits):
    X, _ = digits
    rng = np.random.default_rng(0)
    copies = X[5] + 0.02 * X.std() * rng.normal(size=(11, 64))
    table = near_duplicates(np.vstack([X[:500], copies]))
    assert groups_of(table) == [[5, *range(500, 511)]]


@pytest.mark.parametrize(
    "X",
    [
        np.ones((5, 2)),
        np.eye(2),
        np.arange(3.0)[:, None],
        np.indices((6, 6)).reshape(2, -1).T,
        np.random.RandomState(0).randint(4, size=(300, 5)),
    ],
)
def test_few_rows_and_whole_numbers(X):
    table = near_duplicates(X)
    _, inverse, counts = np.unique(X, axis=0, return_inverse=True, return_counts=True)
    assert_array_equal(sorted(table["row"]), np.flatnonzero((counts > 1)[inverse]))
    assert (table["distance"] == 0).all()


def test_more_are_found_with_a_larger_chance():
    X = np.random.default_rng(0).normal(size=(1000, 3))
    found = [len(near_duplicates(X, chance=chance)) for chance in (1e-4, 1e-2, 0.1)]
    assert found[0] <= 2 < found[1] < found[2] < 200


def test_unusable_rows_are_named(monkeypatch):
    for X, settings, message in [
        (np.eye(3), {"chance": 0}, "chance=0 must be a number between 0 and 1"),
        (np.eye(3), {"n_neighbors": 0}, "n_neighbors=0"),
        (np.ones((2, 2, 2)), {}, "Give flat rows"),
        ([[1.0, np.nan]], {}, "contains NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            near_duplicates(X, **settings)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas"):
        near_duplicates(np.eye(3))
    with pytest.raises(ImportError, match="needs pandas"):
        label_issues(np.eye(3), [0, 1, 0])


# labels


def swapped(y, seed):
    """Labels of which 3 % are those of other classes, and where these are."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(y))[: round(0.03 * len(y))]
    n_classes = y.max() + 1
    wrong = y.copy()
    wrong[rows] = (y[rows] + rng.integers(1, n_classes, size=len(rows))) % n_classes
    return wrong, rows


@pytest.mark.parametrize("seed", [0, 1])
def test_swapped_digits_come_first(digits, seed):
    X, y = digits
    graph = GraphClustering(random_state=0, n_init=1).fit(X)
    wrong, rows = swapped(y, seed)
    table = label_issues(X, wrong, graph, random_state=seed)
    assert np.isin(table["row"][: len(rows)], rows).mean() >= 0.9
    assert_array_equal(table["label"], wrong[table["row"]])
    true = table[table["row"].isin(rows)]
    assert (true["suggested"] == y[true["row"]]).mean() > 0.95
    assert table["score"].is_monotonic_decreasing
    assert table["score"].between(0, 1).all()


@pytest.fixture(scope="module")
def wine():
    wine = load_wine()
    wrong, rows = swapped(wine.target, 0)
    return scale(wine.data), wrong, rows, wine.target_names


def test_labels_of_other_kinds(wine):
    X, wrong, rows, names = wine
    table = label_issues(X, wrong)
    assert set(rows) <= set(table["row"])
    strings = label_issues(pd.DataFrame(X), pd.Series(names[wrong]))
    assert_array_equal(strings["suggested"], names[table["suggested"]])
    assert_array_equal(
        strings.drop(columns=["label", "suggested"]), table[["row", "score"]]
    )
    pd.testing.assert_frame_equal(label_issues(X, wrong), table)


@pytest.mark.parametrize("missing", [-1, None, np.nan])
def test_missing_labels_are_no_issues(wine, missing):
    X, wrong, rows, names = wine
    y = names[wrong].astype(object)
    hidden = np.r_[rows[:2], np.arange(0, len(y), 7)]
    y[hidden] = missing
    table = label_issues(X, list(y))
    assert not set(table["row"]) & set(hidden)
    assert set(rows) - set(hidden) <= set(table["row"])


def test_fitted_clusterers_are_used_as_they_are(wine):
    X, wrong, rows, _ = wine
    pipeline = make_pipeline(StandardScaler(), KMeans(3, random_state=0))
    for estimator in (pipeline, KMeans(3, random_state=0)):
        fresh = label_issues(X, wrong, estimator)
        estimator.fit(X)
        centers = getattr(estimator, "cluster_centers_", None)
        pd.testing.assert_frame_equal(label_issues(X, wrong, estimator), fresh)
        assert set(rows) <= set(fresh["row"])
        assert getattr(estimator, "cluster_centers_", None) is centers


def test_a_large_class_repeated_rows_and_few():
    X, y = make_blobs([40, 8, 8], 4, shuffle=False, random_state=1)
    wrong = y.copy()
    wrong[[3, 50]] = 2, 0
    table = label_issues(X, wrong)
    assert set(table["row"][:2]) == {3, 50}
    assert_array_equal(table["suggested"][:2], y[table["row"][:2]])
    # Of two rows that are equal, one says what the other is.
    table = label_issues(np.vstack([X, X]), np.concatenate([wrong, y]))
    assert {3, 50} <= set(table["row"]) <= {3, 50, 59, 106}


def test_the_only_row_of_a_class_is_not_listed(wine):
    X, wrong, _, _ = wine
    y = wrong.copy()
    y[0] = 7
    assert 0 not in set(label_issues(X, y)["row"])


def test_unusable_labels_are_named(wine):
    X, wrong, _, _ = wine
    few = np.full(len(X), -1)
    few[:9] = wrong[:9]
    for y, message in [
        (few, "y has too few labels"),
        (np.zeros(len(X)), "y has too few labels"),
        (wrong[:5], "inconsistent numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            label_issues(X, y)
