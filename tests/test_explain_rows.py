"""Why rows are where they are, and how sure it is: formulas, planted causes, tables."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    AutoencoderKMeans,
    DCNClustering,
    DDCClustering,
    DECClustering,
    DKMClustering,
    IDECClustering,
    VaDEClustering,
)
from skdeepcluster._deciding import Decisions
from skdeepcluster._shares import student_shares, whitening
from skdeepcluster.explain import confidence, explain_rows, row_attributions
from skdeepcluster.graph import GraphClustering
from skdeepcluster.tables import TableEncoder

pandas = pytest.importorskip("pandas")

NETWORKS = [
    AutoencoderGMM(3),
    AutoencoderGMM(3, covariance_type="spherical"),
    AutoencoderGMM(3, covariance_type="tied"),
    AutoencoderKMeans(3),
    DCNClustering(3),
    DDCClustering(3),
    DECClustering(3),
    DKMClustering(3),
    IDECClustering(3),
    VaDEClustering(3),
]


def planted(n_columns=8, gap=6.0, each=60):
    """Rows of three classes, two of which differ from the first in a column each."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], each)
    X = rng.normal(size=(len(y), n_columns))
    X[y == 1, 2] += gap
    X[y == 2, 5] += gap
    return X, y


def causes(y, table):
    """Planted column of each pair of classes that a table tells, where there is one."""
    cluster, runner_up = (table[name].to_numpy() for name in ("cluster", "runner_up"))
    classes = {it: np.bincount(y[cluster == it]).argmax() for it in np.unique(cluster)}
    pairs = [
        {int(classes[one]), int(classes.get(other, -1))}
        for one, other in zip(cluster, runner_up, strict=True)
    ]
    right = np.array([classes[it] for it in cluster]) == y
    named = {(0, 1): "x2", (0, 2): "x5"}
    causes = np.array([named.get(tuple(sorted(it)), "") for it in pairs])
    return np.where(right, causes, "")


def first_names(table):
    return np.array([next(iter(it)) for it in table["features"]])


@pytest.fixture(scope="module")
def iris():
    return load_iris(as_frame=True).data


@pytest.fixture(scope="module")
def graph(iris):
    return GraphClustering(3, random_state=0).fit(iris)


@pytest.fixture(scope="module")
def encoder():
    return Autoencoder((64,), 6, random_state=0, max_epochs=60).fit(planted()[0])


# causes


@pytest.mark.parametrize(
    "clusterer",
    [
        GraphClustering(3, random_state=0),
        KMeans(3, random_state=0),
        make_pipeline(PCA(6), KMeans(3, random_state=0)),
        GaussianMixture(3, random_state=0),
        AgglomerativeClustering(3),
    ],
)
def test_the_planted_column_is_the_first(clusterer):
    X, y = planted()
    table = explain_rows(clusterer.fit(X), X)
    expected = causes(y, table)
    assert (expected != "").mean() > 0.9
    assert (first_names(table) == expected)[expected != ""].mean() >= 0.9
    assert (table["margin"] > 0).mean() > 0.9


@pytest.mark.parametrize("clusterer", NETWORKS, ids=lambda it: type(it).__name__)
def test_attributions_of_a_network_add_up_to_the_log_odds(clusterer, encoder):
    X, y = planted()
    model = clusterer.set_params(encoder=encoder, random_state=0).fit(X)
    rows = np.arange(len(X))
    it = Decisions.of(model, X)
    middle = (it._near(rows, it.own) + it._near(rows, it.other)) @ X / 2

    def odds(X):
        scores = model._scores(torch.tensor(X)).detach().double().numpy()
        own, other = it.shares.clusters[it.own], it.shares.clusters[it.other]
        return scores[rows, own] - scores[rows, other]

    found, wanted = row_attributions(model, X), odds(X) - odds(middle)
    assert np.abs(found.sum(1) - wanted).mean() < 0.01 * np.abs(wanted).mean()
    if hasattr(model, "predict_proba"):
        logs = np.log(np.maximum(model.predict_proba(X), 1e-30))
        own, other = logs[rows, it.own], logs[rows, it.other]
        sure = np.minimum(own, other) > -10
        np.testing.assert_allclose(
            odds(X)[sure], (own - other)[sure], rtol=1e-3, atol=1e-3
        )
    table = explain_rows(model, X)
    expected = causes(y, table)
    assert (first_names(table) == expected)[expected != ""].mean() >= 0.9


def test_attributions_are_parts_of_the_difference_of_distances():
    X, _y = planted(each=20)
    kmeans = KMeans(3, random_state=0).fit(X)
    labels, centers = kmeans.labels_, kmeans.cluster_centers_
    found = row_attributions(kmeans, X, rows=[3, 47])
    for row, parts in zip([3, 47], found, strict=True):
        distances = [np.sum((X[row] - center) ** 2) for center in centers]
        own, other = np.argsort(distances)[:2]
        near = []
        for cluster in (own, other):
            members = X[labels == cluster]
            order = np.argsort(((members - X[row]) ** 2).sum(1))[:15]
            near.append(members[order].mean(0))
        for column in range(X.shape[1]):
            one, two = near[0][column], near[1][column]
            value = X[row, column]
            assert parts[column] == pytest.approx(
                (value - two) ** 2 - (value - one) ** 2
            )


@pytest.mark.parametrize("clusterer", [KMeans(3), DECClustering(3)])
def test_what_the_runner_up_has_in_the_named_columns_moves_the_decision(clusterer):
    X, _ = planted(n_columns=10)
    model = clusterer.set_params(random_state=0).fit(X)
    table = explain_rows(model, X, n_features=1)
    rng = np.random.default_rng(0)
    named, random = X.copy(), X.copy()
    for row, instead in enumerate(table["instead"]):
        ((name, value),) = instead.items()
        named[row, int(name[1:])] = value
        column = rng.integers(X.shape[1])
        other = model.labels_ == table["runner_up"][row]
        random[row, column] = np.median(X[other, column])
    moved, not_moved = (
        (model.predict(rows) != model.labels_).mean() for rows in (named, random)
    )
    assert moved > 0.8 > 0.3 > not_moved


def test_curved_clusters_are_told_by_what_is_near():
    X, _ = make_moons(300, noise=0.05, random_state=0)
    graph = GraphClustering(2, random_state=0).fit(X)
    # Squared distances to the nearest members favour the own ones nearly everywhere.
    assert (row_attributions(graph, X).sum(1) > 0).mean() > 0.98


# tables


def test_what_is_told_of_a_row_of_a_frame(iris, graph):
    frame = iris.set_axis([f"flower {i}" for i in range(len(iris))])
    before = frame.copy()
    table = explain_rows(graph, frame, rows=[0, 120], n_features=2)
    assert list(table.index) == ["flower 0", "flower 120"]
    assert list(table["cluster"]) == list(graph.labels_[[0, 120]])
    for row, line in zip([0, 120], table.itertuples(), strict=True):
        effects = np.abs([*line.features.values()])
        assert len(effects) == 2
        assert (np.diff(effects) <= 0).all()
        own, other = (graph.labels_ == it for it in (line.cluster, line.runner_up))
        for name, reason in zip(line.features, line.reasons, strict=True):
            assert line.values[name] == iris.loc[row, name]
            assert line.instead[name] == iris.loc[other, name].median()
            assert reason == (
                f"{name}: {iris.loc[row, name]:.4g}, median "
                f"{iris.loc[own, name].median():.4g} here, "
                f"{line.instead[name]:.4g} in cluster {line.runner_up}"
            )
    pandas.testing.assert_frame_equal(frame, before)
    again = explain_rows(graph, frame, rows=[0, 120], n_features=2)
    pandas.testing.assert_frame_equal(table, again)


def test_columns_of_a_table_in_its_own_words():
    rng = np.random.default_rng(0)
    kind = np.repeat(["red", "blue"], 40)
    size = np.where(kind == "red", 9.0, 2.0) + rng.normal(size=80)
    size[3] = np.nan
    day = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(
        np.where(kind == "red", 0, 300) + rng.integers(9, size=80), unit="D"
    )
    frame = pandas.DataFrame(
        {"color": kind, "size": size, "noise": rng.random(80), "day": day}
    )
    model = make_pipeline(TableEncoder(), GraphClustering(2, random_state=0)).fit(frame)
    table = explain_rows(model, frame, rows=[3, 79], n_features=4)
    for line in table.itertuples():
        assert [*line.features][-1] == "noise" or "noise" not in line.features
        assert sorted(line.values.keys() | {"noise"}) == [
            "color",
            "day",
            "noise",
            "size",
        ]
    assert table["values"][79]["color"] == "blue"
    assert table["instead"][79]["color"] == "red"
    assert "color: blue, mostly blue here, red in cluster" in " ".join(
        table["reasons"][79]
    )
    assert "day: 2024-1" in " ".join(table["reasons"][79])
    assert np.isnan(table["values"][3]["size"])
    assert "size: missing, median" in " ".join(table["reasons"][3])


def test_values_are_in_the_units_before_gaps_were_filled(iris):
    gaps = iris.copy()
    gaps.iloc[5, 1] = np.nan
    kmeans = KMeans(3, random_state=0)
    model = make_pipeline(StandardScaler(), SimpleImputer(), kmeans).fit(gaps)
    table = explain_rows(model, gaps, n_features=4)
    name = "petal length (cm)"
    assert table["values"][0][name] == pytest.approx(iris.loc[0, name])


def test_columns_behind_steps_that_bend_are_those_that_the_clusterer_sees(iris):
    bend = QuantileTransformer(n_quantiles=50)
    kmeans = KMeans(3, random_state=0)
    model = make_pipeline(bend, PCA(2), kmeans).fit(iris)
    assert set(explain_rows(model, iris)["features"][0]) <= {"pca0", "pca1"}
    straight = make_pipeline(StandardScaler(), PCA(2), kmeans).fit(iris)
    assert set(explain_rows(straight, iris)["features"][0]) <= {*iris.columns}


@pytest.mark.parametrize("to_format", [sp.csr_array, sp.coo_matrix])
def test_sparse_rows_have_what_dense_ones_have(to_format):
    X, _ = planted()
    X[X < 1] = 0
    kmeans = KMeans(3, random_state=0).fit(X)
    dense, sparse = (row_attributions(kmeans, it) for it in (X, to_format(X)))
    np.testing.assert_allclose(sparse, dense, atol=1e-9)
    np.testing.assert_allclose(confidence(kmeans, to_format(X)), confidence(kmeans, X))


def test_attributions_of_images():
    X, _ = load_digits(return_X_y=True)
    graph = GraphClustering(10, random_state=0).fit(X[:300])
    images = row_attributions(graph, X[:300], rows=[0, 7], image_shape=(8, 8))
    flat = row_attributions(graph, X[:300], rows=[0, 7])
    np.testing.assert_array_equal(images, flat.reshape(2, 8, 8))
    with pytest.raises(
        ValueError, match=r"image_shape=.9, 9. has 81 values and a row 64"
    ):
        row_attributions(graph, X[:300], image_shape=(9, 9))


@pytest.mark.parametrize("n_columns", [1, 2, 3])
def test_integers_repeated_rows_and_a_large_class(n_columns):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 1, 1, 1], 40)
    X = rng.integers(0, 3, size=(200, n_columns)) + 20 * y[:, None]
    graph = GraphClustering(2, random_state=0).fit(X)
    table = explain_rows(graph, X)
    assert set(first_names(table)) <= {f"x{i}" for i in range(n_columns)}
    assert all(it > 0 for each in table["features"] for it in each.values())
    sure = confidence(graph, X)
    assert ((sure > 0.8) & (sure <= 1)).all()


def test_noise_has_a_cluster_nearby_and_nothing_else():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(100, 2)) + [[0, 0], [9, 9]] * 50, [[30.0, 30.0]]]
    graph = GraphClustering(2, noise_ratio=3.0, random_state=0).fit(X)
    assert graph.labels_[-1] == -1
    line = explain_rows(graph, X).iloc[-1]
    assert line["cluster"] == -1
    assert line["runner_up"] in (0, 1)
    assert np.isnan(line["margin"])
    assert (line["features"], line["values"], line["reasons"]) == ({}, {}, [])
    assert not row_attributions(graph, X)[-1].any()
    assert confidence(graph, X)[-1] == 0


def test_what_cannot_be_explained_is_refused(iris, graph):
    one = GraphClustering(1, random_state=0).fit(iris)
    with pytest.raises(ValueError, match="one cluster or none"):
        explain_rows(one, iris)
    for rows in ([-1], [150], [0.5], [True], [], [[0]]):
        with pytest.raises(ValueError, match="must hold positions of rows in X"):
            explain_rows(graph, iris, rows=rows)
    with pytest.raises(ValueError, match="n_features=0"):
        explain_rows(graph, iris, n_features=0)
    with pytest.raises(ValueError, match="give rows of all clusters as X"):
        explain_rows(graph, iris[:3])
    distances = np.abs(np.arange(30)[:, None] - np.arange(30.0)) + 1 - np.eye(30)
    given = GraphClustering(2, neighbors="precomputed", random_state=0).fit(distances)
    with pytest.raises(TypeError, match="GraphClustering gets distances"):
        explain_rows(given, distances)
    assert confidence(given, distances).shape == (30,)
    tied = AgglomerativeClustering(2, metric="precomputed", linkage="average")
    with pytest.raises(TypeError, match="nothing that tells how sure"):
        confidence(tied.fit(distances), distances)


# confidence


def test_confidence_of_a_graph_is_made_of_three_shares(iris, graph):
    rows = iris.to_numpy()
    labels = graph.labels_
    means = np.array([rows[labels == it].mean(0) for it in range(3)])
    # Copies of a row count as one with their mass: all is by rows.
    away = rows - means[labels]
    shape = whitening(away, np.ones(len(rows)))
    unit = np.mean([(it @ shape) @ (it @ shape) for it in away])
    near = []
    for row, label in zip(rows, labels, strict=True):
        each = [((row - it) @ shape) @ ((row - it) @ shape) / unit for it in means]
        near.append(1 / (1 + each[label]) / sum(1 / (1 + it) for it in each))
    votes = graph.predict_proba(iris)[np.arange(150), labels]
    expected = np.sqrt((votes + graph.row_agreement_) / 2 * near)
    # Of the distinct rows, a covariance is shrunk a little otherwise.
    np.testing.assert_allclose(confidence(graph, iris), expected, atol=0.01)


def test_confidence_is_low_between_clusters_and_far_from_all():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) + [[0, 0, 0], [9, 0, 0]] * 100
    new = np.array([[0.0, 0, 0], [4.4, 0, 0], [4, 90, 9]])
    for model in (GraphClustering(2, random_state=0), KMeans(2, random_state=0)):
        sure = confidence(model.fit(X), np.r_[X, new])[-3:]
        assert sure[0] > 0.85
        assert (sure[1:] < 0.8).all()


def test_confidence_tells_rows_that_are_right():
    X, y = load_iris(return_X_y=True)
    for model in (GraphClustering(3, random_state=0), GaussianMixture(3)):
        labels = model.fit(X).predict(X)
        right = (
            y
            == np.array([np.bincount(y[labels == it]).argmax() for it in range(3)])[
                labels
            ]
        )
        assert roc_auc_score(right, confidence(model, X)) > 0.75


def test_confidence_of_new_rows_does_not_depend_on_the_others(iris, graph):
    whole = confidence(graph, iris)
    np.testing.assert_allclose(confidence(graph, iris[40:60]), whole[40:60])
    coarse = graph.with_n_clusters(2)
    assert ((confidence(coarse, iris) > 0) & (confidence(coarse, iris) <= 1)).all()


def test_a_single_cluster_is_sure():
    X = np.random.default_rng(0).normal(size=(60, 2))
    np.testing.assert_allclose(confidence(GraphClustering(1).fit(X), X), 1)
    np.testing.assert_allclose(confidence(KMeans(1).fit(X), X), 1)


def test_shares_of_points_and_of_rows_that_are_infinitely_far():
    shares = student_shares(np.array([[0.0, 1.0], [np.inf, np.inf], [1.0, 3.0]]), 1.0)
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3], [0.5, 0.5], [2 / 3, 1 / 3]])
    np.testing.assert_array_equal(whitening(np.zeros((4, 2)), np.ones(4)), np.eye(2))
    X = np.repeat([[0.0, 0.0], [5.0, 5.0]], 10, axis=0)
    np.testing.assert_allclose(confidence(KMeans(2).fit(X), X), 1)


def test_edited_and_updated_clusters_are_explained():
    X, y = make_blobs(400, centers=5, cluster_std=0.5, random_state=1)
    graph = GraphClustering(4, random_state=0).fit(X[y < 4])
    graph.merge_clusters([0, 2]).drop_cluster(3)
    graph.update(X[y == 4])
    labels = graph.predict(X)
    assert set(labels) == {-1, 0, 1, 4}
    sure = confidence(graph, X)
    assert sure.shape == (400,)
    assert (sure[labels == -1] == 0).all()
    assert (sure[labels >= 0] > 0).all()
    table = explain_rows(graph, X)
    assert set(table["cluster"]) == {-1, 0, 1, 4}
    assert set(table["runner_up"]) == {0, 1, 4}
