"""The classifier that learns from clusters and few answers, and what it asks."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepcluster import Autoencoder, AutoencoderKMeans
from skdeepcluster.graph import GraphClustering
from skdeepcluster.labelling import ClusterThenLabelClassifier
from skdeepcluster.labelling._answers import weight_of_graph
from skdeepcluster.labelling._spreading import (
    STEPS,
    TELLING,
    WORTH_OF_ALL,
    WORTH_OF_CLUSTER,
    Graph,
    margins,
)


def quick(k=None, **settings):
    settings = {"random_state": 0, **settings}
    return ClusterThenLabelClassifier(GraphClustering(k, n_init=1), **settings)


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs([60, 50, 40], centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    order = np.random.RandomState(0).permutation(len(X))
    return X[order], y[order]


def hidden(y, rows, unknown=-1):
    answers = np.full(len(y), unknown, dtype=object if unknown is None else y.dtype)
    answers[rows] = y[rows]
    return answers


def ask(model, X, y, budget, batch=10):
    """Fit after each batch of answers until the budget ends."""
    answers = np.full(len(y), -1)
    while (answers >= 0).sum() < budget:
        rows = model.fit(X, answers).query(batch)
        answers[rows] = y[rows]
    return model.fit(X, answers), answers


@parametrize_with_checks(
    [ClusterThenLabelClassifier(GraphClustering(n_init=1), random_state=0)],
    expected_failed_checks=lambda _: {
        "check_classifiers_classes": "takes -1 for a class; the check leaves out "
        "SelfTrainingClassifier and LabelSpreading by their names",
        "check_supervised_y_no_nan": "takes NaN for no answer, as it takes -1",
    },
)
@pytest.mark.filterwarnings("ignore:These .* clusters are arbitrary")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# what is spread


def test_spread_solves_its_equation():
    rng = np.random.RandomState(0)
    X = np.r_[rng.normal(size=(15, 3)), rng.normal(4, size=(15, 3))]
    labels = np.repeat([0, 1], 15)
    graph = Graph.of([X], labels, 6, 0)
    known, shares = np.array([3, 20, 21]), np.array([[1, 0], [0, 1], [0.5, 0.5]])
    told = np.full((30, 2), 0.5)
    for group, typical, worth in zip(
        graph.groups, graph.typical, (WORTH_OF_ALL, WORTH_OF_CLUSTER), strict=True
    ):
        before = told.copy()
        for node in range(30):
            mine = [i for i, it in enumerate(known) if group[it] == group[node]]
            votes = sum((shares[i] * typical[known[i]] ** 2 for i in mine), np.zeros(2))
            told[node] = (votes + worth * before[node]) / (votes.sum() + worth)
    S = graph.steps.toarray()
    assert_allclose(S.sum(1), 1)
    free = np.setdiff1d(np.arange(30), known)
    right = (1 - TELLING) * S[np.ix_(free, known)] @ shares + TELLING * told[free]
    exact = np.linalg.solve(
        np.eye(len(free)) - (1 - TELLING) * S[np.ix_(free, free)], right
    )
    found = graph.spread(known, shares, np.ones(3))
    assert_allclose(found[free], exact, atol=2 * (1 - TELLING) ** STEPS)
    assert_array_equal(found[known], shares)


def test_typical_rows_stay_in_their_group():
    rng = np.random.RandomState(0)
    X = np.r_[rng.normal(size=(20, 2)), rng.normal(3, size=(20, 2))]
    graph = Graph.of([X], np.repeat([0, 1], 20), 5, 0)
    S = graph.steps.toarray()
    for group, typical in zip(graph.groups, graph.typical, strict=True):
        for node in range(40):
            assert_allclose(typical[node], (S @ S)[node, group == group[node]].sum())


def test_one_answer_a_cluster_labels_blobs(blobs):
    X, y = blobs
    model = quick(3).fit(X, np.full(len(X), -1))
    rows = model.query(3)
    assert sorted(y[rows]) == [0, 1, 2]
    model.fit(X, hidden(y, rows))
    assert_array_equal(model.transduction_, y)
    assert_array_equal(model.classes_, [0, 1, 2])


def test_clusters_are_split_where_answers_disagree(blobs):
    X, y = blobs
    rows = [np.flatnonzero(y == c)[0] for c in range(3)]
    model = ClusterThenLabelClassifier(KMeans(1), random_state=0)
    assert (model.fit(X, hidden(y, rows)).transduction_ == y).mean() > 0.98


def test_digits_get_better_with_answers(digits, digits_target):
    model, accuracy = quick(10, warm_start=True), {}
    for budget in (10, 50, 200):
        model, answers = ask(model, digits, digits_target, budget)
        assert (answers >= 0).sum() == budget
        assert_array_equal(model.transduction_[answers >= 0], answers[answers >= 0])
        accuracy[budget] = (model.transduction_ == digits_target).mean()
        rows = np.random.RandomState(0).permutation(len(digits))[:budget]
        spread = LabelSpreading(kernel="knn").fit(digits, hidden(digits_target, rows))
        for rival in (
            spread.transduction_,
            LogisticRegression(max_iter=5000)
            .fit(digits[rows], digits_target[rows])
            .predict(digits),
        ):
            assert accuracy[budget] > (rival == digits_target).mean()
    assert accuracy[10] > 0.8
    assert accuracy[50] > 0.95
    assert accuracy[200] > max(accuracy[50], 0.98)


def test_new_digits(digits, digits_target):
    model, _ = ask(quick(10, warm_start=True), digits[:800], digits_target[:800], 60)
    assert model.score(digits[800:], digits_target[800:]) > 0.93


def test_columns_decide_where_the_graph_knows_nothing():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(400, 30))
    y = (X[:, 0] > 0).astype(int)
    X[:, 1:] *= 3
    rows = np.arange(100)
    model = ClusterThenLabelClassifier(KMeans(3), random_state=0)
    model.fit(X, hidden(y, rows))
    assert model.graph_weight_ < 0.2
    assert model.score(X[100:], y[100:]) > 0.85


def test_graph_decides_where_a_classifier_knows_nothing(blobs):
    X, y = blobs
    rows = np.arange(30)
    model = quick(3, estimator=DummyClassifier()).fit(X, hidden(y, rows))
    assert model.graph_weight_ > 0.8
    assert_array_equal(model.transduction_, y)


def test_weight_is_the_mean_over_its_likelihood():
    codes = np.array([0, 1] * 10)
    representing = np.full(20, 1 / 20)

    def told(graph, classifier):
        def shares(right, left):
            share = np.full((len(left), 2), 1 - right)
            share[np.arange(len(left)), codes[left]] = right
            return share

        return lambda part, left: (shares(graph, left), shares(classifier, left))

    loss = np.array(
        [
            -20 * np.log(0.98 * (w * 0.7 + (1 - w) * 0.4) + 0.01)
            for w in np.linspace(0, 1, 11)
        ]
    )
    likelihood = np.exp(-loss)
    expected = likelihood @ np.linspace(0, 1, 11) / likelihood.sum()
    found, shares = weight_of_graph(told(0.7, 0.4), codes, representing, 0)
    assert_allclose(found, expected)
    assert_allclose(shares[np.arange(20), codes], found * 0.7 + (1 - found) * 0.4)
    assert weight_of_graph(told(0.4, 0.9), codes, representing, 0)[0] < 0.1
    few = weight_of_graph(told(0.4, 0.9), codes[:9], representing[:9], 0)
    assert few == (1, None)


# what is asked


def test_clusters_are_asked_first_the_largest_first(blobs):
    X, y = blobs
    model = quick(3).fit(X, np.full(len(X), -1))
    rows = model.query(3)
    assert list(y[rows]) == [0, 1, 2]
    graph = model._graph
    typical, parts = sum(graph.typical), graph.groups[1]
    for node in graph.nodes.inverse[rows]:
        assert typical[node] == typical[parts == parts[node]].max()


def test_answered_clusters_are_not_asked_before_others(blobs):
    X, y = blobs
    model = quick(3).fit(X, hidden(y, np.flatnonzero(y == 0)[:4]))
    assert list(y[model.query(2)]) == [1, 2]


def test_nothing_is_asked_twice(blobs):
    X, y = blobs
    X, y = np.r_[X, X[:40]], np.r_[y, y[:40]]
    answers = hidden(y, np.arange(20))
    model = quick(3).fit(X, answers)
    rows = model.query(1000, exclude=[30])
    assert len(rows) == len(np.unique(rows)) == 150 - 20 - 1
    assert len(np.unique(X[rows], axis=0)) == len(rows)
    assert not {30, 180, *range(20), *range(150, 170)} & {*rows}
    assert_array_equal(rows, quick(3).fit(X, answers).query(1000, exclude=[30]))
    assert_array_equal(model.query(7), rows[:7] if 30 not in rows[:7] else None)


def test_doubtful_rows_are_asked_once_communities_are_known(blobs):
    X, y = blobs
    answers = hidden(y, np.arange(100))
    model = quick(3).fit(X, answers)
    (row,) = model.query(1)
    parts = model._graph.groups[1][model._graph.nodes.inverse]
    unsure = 1 - margins(model.label_distributions_)
    unsure[answers >= 0] = 0
    silent = np.setdiff1d(parts, parts[answers >= 0])
    assert len(silent) == 0
    assert unsure[row] == unsure.max()


def test_margins_are_of_the_two_largest():
    shares = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    assert_allclose(margins(shares), [0.2, 0.7])
    assert_array_equal(margins(np.ones((2, 1))), [1, 1])


# answers of any type


@pytest.mark.parametrize("unknown", [-1, None, np.nan, pd.NA])
def test_strings(blobs, unknown):
    X, y = blobs
    names = np.array(["a", "b", "c"], dtype=object)[y]
    answers = np.full(len(y), unknown, dtype=object)
    answers[:20] = names[:20]
    model = quick(3).fit(X, answers)
    assert list(model.classes_) == ["a", "b", "c"]
    assert_array_equal(model.predict(X), names)
    assert model.score(X, answers) == 1


@pytest.mark.parametrize(
    "answers",
    [
        lambda y: np.where(np.arange(len(y)) < 20, y, np.nan),
        lambda y: pd.Series([*y[:20], *[None] * (len(y) - 20)], dtype=object),
        lambda y: pd.array([*y[:20], *[None] * (len(y) - 20)], dtype="Int64"),
        lambda y: hidden(y, np.arange(20)).tolist(),
        lambda y: hidden(y, np.arange(20)).astype(float),
    ],
)
def test_numbers(blobs, answers):
    X, y = blobs
    model = quick(3).fit(X, answers(y))
    assert_array_equal(model.predict(X), y)


@pytest.mark.parametrize("unknown", [-1, None, np.nan, np.float64("nan"), pd.NA])
@pytest.mark.parametrize("kind", [list, tuple])
def test_strings_in_a_list(blobs, unknown, kind):
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    answers = kind([*names[:20], *[unknown] * (len(y) - 20)])
    model = quick(3).fit(X, answers)
    assert list(model.classes_) == ["a", "b", "c"]
    assert_array_equal(model.predict(X), names)
    assert model.score(X, answers) == 1


def test_masked_answers_are_unknown(blobs):
    X, y = blobs
    answers = np.ma.masked_array(np.array(["a", "b", "c"])[y], np.arange(len(y)) >= 20)
    assert list(quick(3).fit(X, answers).classes_) == ["a", "b", "c"]


def test_unusable_answers_are_named(blobs):
    X, y = blobs
    for answers, message in [
        (np.array(["a", np.nan])[y % 2], "y is an array of strings and holds 'nan'"),
        (np.array(["a", "-1"])[y % 2], "dtype object"),
        (np.array(["a", 3, -1], dtype=object)[y], "mixes strings and numbers"),
        (X[:, 0], "Unknown label type"),
        (y[:5], "inconsistent numbers of samples"),
        (None, "requires y to be passed"),
        (np.where(y, y, np.inf), "infinity"),
    ]:
        with pytest.raises(ValueError, match=message):
            quick(3).fit(X, answers)


def test_unusable_parameters_are_named(blobs):
    X, y = blobs
    for name, value in [
        ("clusterer", 3),
        ("estimator", KMeans(3)),
        ("n_neighbors", 0),
        ("warm_start", "yes"),
    ]:
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            ClusterThenLabelClassifier().set_params(**{name: value}).fit(X, y)
    model = quick(3).fit(X, y)
    for n in (0, 2.5, None):
        with pytest.raises(ValueError, match=f"n={n} must be"):
            model.query(n)
    for exclude in ([150], [-1], [0.5], [True]):
        with pytest.raises(ValueError, match="exclude must hold integers"):
            model.query(1, exclude=exclude)


def test_before_the_first_answer(blobs):
    X, _ = blobs
    model = quick(3).fit(X, np.full(len(X), -1))
    assert len(model.classes_) == len(model.transduction_) == 0
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match="No row had an answer"):
            method(X)
    with pytest.raises(ValueError, match="no known class"):
        model.score(X, np.full(len(X), -1))


def test_score_is_of_known_rows(blobs):
    X, y = blobs
    model = quick(3).fit(X, y)
    answers = hidden(y, np.arange(10))
    answers[0] = (answers[0] + 1) % 3
    assert model.score(X, answers) == 0.9
    weights = np.r_[3.0, np.ones(149)]
    assert model.score(X, answers, sample_weight=weights) == 0.75


def test_repeated_rows_share_their_answers(blobs):
    X, _ = blobs
    X = np.repeat(X, 2, axis=0)
    answers = np.full(300, -1)
    answers[[0, 2, 3, 50, 100, 150]] = [0, 0, 1, 0, 1, 2]
    model = quick(3).fit(X, answers)
    assert_array_equal(model.transduction_[::2], model.transduction_[1::2])
    # One answer of two is held by 1 / (1 + 1/2).
    assert 2 / 3 < model.label_distributions_[0, 0] < 1
    assert_array_equal(model.label_distributions_[2:4], [[0.5, 0.5, 0]] * 2)


def test_all_rows_alike():
    X = np.ones((6, 2))
    model = ClusterThenLabelClassifier(KMeans(1), random_state=0)
    assert list(model.fit(X, np.full(6, -1)).query(3)) == [0]
    model.fit(X, [1, -1, -1, 2, 2, -1])
    assert_array_equal(model.predict(X), [2] * 6)
    assert len(model.query(1)) == 0


# the contract


@pytest.mark.parametrize(
    "clusterer",
    [
        KMeans(3, n_init=3),
        HDBSCAN(min_cluster_size=10, copy=True),
        make_pipeline(StandardScaler(), GraphClustering(3, n_init=1)),
        make_pipeline(
            StandardScaler(),
            AutoencoderKMeans(
                3, encoder=Autoencoder((8,), latent_dim=2, max_epochs=20)
            ),
        ),
    ],
    ids=["k-means", "noise", "pipeline", "deep pipeline"],
)
def test_any_clusterer(clusterer, blobs):
    X, y = blobs
    X = X * [1.0, 100.0]
    pipeline = hasattr(clusterer, "steps")
    X_used = X if pipeline else X / [1.0, 100.0]
    model = ClusterThenLabelClassifier(clusterer, random_state=0)
    model.fit(X_used, hidden(y, np.arange(15)))
    assert (model.transduction_ == y).mean() > 0.97
    assert_array_equal(model.predict(X_used), model.transduction_)
    assert (model.predict(X_used + 1e-4) == model.transduction_).mean() > 0.97
    again = clone(model).fit(X_used, hidden(y, np.arange(15)))
    assert_array_equal(again.label_distributions_, model.label_distributions_)


def test_noise_joins_the_cluster_beside_it():
    X = np.arange(24.0).reshape(-1, 1) + np.repeat([0, 100], 12)[:, None]
    labels = np.repeat([0, 1], 12)
    labels[[2, 15]] = -1
    graph = Graph.of([X], labels, 4, 0)
    found = graph.groups[0][graph.nodes.inverse]
    assert_array_equal(found, np.repeat([found[0], found[12]], 12))
    assert found[0] != found[12]


def test_a_frozen_clusterer_is_used_as_it_is(blobs):
    X, y = blobs
    graph = GraphClustering(3, n_init=1, random_state=0).fit(X)
    model = ClusterThenLabelClassifier(FrozenEstimator(graph), random_state=0)
    model.fit(X[:100], hidden(y[:100], np.arange(15)))
    assert model.clusterer_.estimator is graph
    assert model.score(X, y) == 1


@pytest.mark.parametrize(
    "freeze",
    [
        lambda scaler, graph: make_pipeline(*map(FrozenEstimator, (scaler, graph))),
        lambda scaler, graph: make_pipeline(scaler, FrozenEstimator(graph)),
        lambda *steps: FrozenEstimator(FrozenEstimator(make_pipeline(*steps))),
    ],
    ids=["each step", "last step", "twice"],
)
def test_frozen_steps_are_as_a_frozen_pipeline(freeze, blobs):
    X, y = blobs
    X = X * [1.0, 100.0]
    pipeline = make_pipeline(StandardScaler(), GraphClustering(3, n_init=1)).fit(X)
    expected = ClusterThenLabelClassifier(FrozenEstimator(pipeline), random_state=0)
    expected.fit(X, hidden(y, np.arange(15)))
    frozen = freeze(*pipeline)
    assert not hasattr(frozen, "fit_predict")
    model = ClusterThenLabelClassifier(frozen, random_state=0)
    model.fit(X, hidden(y, np.arange(15)))
    assert_array_equal(model.label_distributions_, expected.label_distributions_)
    assert_array_equal(model.predict(X + 0.1), expected.predict(X + 0.1))


def test_a_search_is_a_clusterer(blobs):
    X, y = blobs
    grid = {"n_clusters": [2, 3]}
    search = GridSearchCV(KMeans(n_init=1, random_state=0), grid, cv=2)
    model = ClusterThenLabelClassifier(search, random_state=0)
    assert model.fit(X, hidden(y, np.arange(15))).score(X, y) == 1


def test_warm_start_keeps_clusters_and_results(blobs):
    X, y = blobs
    answers = hidden(y, np.arange(15))
    model = quick(3, warm_start=True).fit(X, np.full(len(X), -1))
    kept = model.clusterer_
    model.fit(X, answers)
    assert model.clusterer_ is kept
    assert_array_equal(
        model.label_distributions_, quick(3).fit(X, answers).label_distributions_
    )
    model.fit(X[:-1], answers[:-1])
    assert model.clusterer_ is not kept
    cold = quick(3).fit(X, answers)
    kept = cold.clusterer_
    assert cold.fit(X, answers).clusterer_ is not kept


def test_a_search_over_a_pipeline(blobs):
    X, y = blobs
    pipeline = make_pipeline(StandardScaler(), quick())
    grid = {"clusterthenlabelclassifier__clusterer__n_clusters": [1, 3]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise")
    search.fit(X, hidden(y, np.arange(60)))
    assert (search.cv_results_["mean_test_score"] > 0.9).all()
    assert search.score(X, y) > 0.98


def test_sparse_rows_and_single_rows(digits, digits_target):
    X, rest = digits[:300], digits[300:330]
    answers = hidden(digits_target[:300], np.arange(60))
    model = quick(10).fit(X, answers)
    expected = model.predict_proba(rest)
    assert_allclose(expected.sum(1), 1)
    sparse = quick(10).fit(sp.csr_array(X), answers)
    assert_allclose(sparse.predict_proba(sp.csr_array(rest)), expected, atol=1e-3)
    for row in range(5):
        assert_array_equal(model.predict_proba(rest[[row]])[0], expected[row])
    assert_array_equal(model.predict_proba(X), model.label_distributions_)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(rest), expected)
    assert_array_equal(loaded.query(5), model.query(5))


def test_nothing_of_the_callers_changes(blobs):
    X, y = blobs
    answers = hidden(y, np.arange(15))
    before = X.copy(), answers.copy(), np.random.get_state()[1].copy()
    clusterer, estimator = KMeans(3), LogisticRegression()
    model = ClusterThenLabelClassifier(clusterer, estimator=estimator)
    model.fit(X, answers).predict(X + 1)
    for now, then in zip((X, answers, np.random.get_state()[1]), before, strict=True):
        assert_array_equal(now, then)
    assert not hasattr(clusterer, "labels_")
    assert not hasattr(estimator, "coef_")


def test_a_refused_fit_leaves_what_was_learned(blobs):
    X, y = blobs
    model = quick(3).fit(X, y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, y[:3])
    assert_array_equal(model.predict_proba(X), expected)


def test_one_answer_does_not_decide_for_all_copies():
    X = np.repeat(np.arange(6.0).reshape(-1, 1), 50, axis=0)
    y = (X[:, 0] >= 3).astype(int)
    answers = np.full(300, -1)
    # One of the copies of 1 is unlike the others, as rows of overlapping classes are.
    for row in (0, 51, 52, 101, 150, 151, 201, 251):
        answers[row] = y[row]
    answers[50] = 1
    model = ClusterThenLabelClassifier(KMeans(2), random_state=0).fit(X, answers)
    assert_array_equal(model.predict(X), y)
    assert 0.3 < model.label_distributions_[50, 0] < 1
