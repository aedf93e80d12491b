"""Why rows are in a cluster or odd: effects by hand, planted columns, and pipelines."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
)
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skdeepcluster import (
    Autoencoder,
    AutoencoderKMeans,
    DeepOutlierDetector,
)
from skdeepcluster.explain import (
    cluster_effects,
    describe_clusters,
    describe_outliers,
    describe_topics,
)
from skdeepcluster.graph import GraphClustering
from skdeepcluster.labelling import representatives
from skdeepcluster.model_selection import clustering_scorer
from skdeepcluster.plotting import ClusterFeaturesDisplay

pandas = pytest.importorskip("pandas")


def by_hand(X, labels):
    """Cliff's delta by counting pairs."""
    effects = []
    for label in np.unique(labels[labels >= 0]):
        own, other = X[labels == label], X[labels != label]
        signs = np.sign(own[:, None] - other[None])
        effects.append(signs.mean((0, 1)))
    return np.array(effects)


@pytest.fixture(scope="module")
def iris():
    return load_iris(as_frame=True).data


@pytest.fixture(scope="module")
def kmeans(iris):
    return KMeans(3, random_state=0).fit(iris)


@pytest.fixture(scope="module")
def mixed():
    """Rows of two kinds: large red ones, some without a size, and small blue ones."""
    rng = np.random.default_rng(0)
    size = np.concatenate([rng.normal(9, 1, 30), rng.normal(2, 1, 30)])
    size[3] = np.nan
    color = np.repeat(["red", "blue"], 30)
    return pandas.DataFrame({"size": size, "color": color, "noise": rng.random(60)})


def preparing():
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["size", "noise"]),
        (OneHotEncoder(), ["color"]),
        verbose_feature_names_out=False,
    )


# effects


@pytest.mark.parametrize("to_format", [np.asarray, sp.csr_array, sp.coo_matrix])
def test_effects_are_shares_of_pairs(to_format, monkeypatch):
    # Small blocks: each column on its own.
    monkeypatch.setattr("skdeepcluster._described.BLOCK_ENTRIES", 40)
    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, size=(40, 6)).astype(float)
    labels = rng.integers(-1, 3, size=40)
    table = cluster_effects(None, to_format(X), labels=labels)
    assert list(table.index) == [0, 1, 2]
    assert list(table.columns) == [f"x{i}" for i in range(6)]
    np.testing.assert_allclose(table, by_hand(X, labels), atol=1e-12)


def test_effects_have_no_unit_and_bounds():
    X, labels = make_blobs(90, 4, random_state=0)
    table = cluster_effects(None, X, labels=labels)
    other = cluster_effects(None, 1e6 * np.exp(X / 10) + 1e9, labels=labels)
    np.testing.assert_allclose(other, table, atol=1e-9)
    assert (table.abs() <= 1).all(axis=None)
    flags = (X > 0).astype(int)
    table = cluster_effects(None, flags, labels=labels)
    shares = flags[labels == 1].mean(0) - flags[labels != 1].mean(0)
    np.testing.assert_allclose(table.loc[1], shares)


def test_planted_columns_are_found():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20)) * 10.0 ** rng.integers(-5, 6, 20)
    labels = np.repeat([0, 1, 2], 100)
    for label, column, sign in ((0, 4, 1), (1, 11, -1), (2, 17, 1)):
        X[labels == label, column] += 2 * sign * X[:, column].std()
    table = describe_clusters(None, X, labels=labels, n_features=1)
    signs = [{k: np.sign(v) for k, v in each.items()} for each in table["features"]]
    assert signs == [{"x4": 1}, {"x11": -1}, {"x17": 1}]


def test_means_decide_between_columns_that_are_all_the_way_apart():
    X = np.column_stack([np.arange(20), np.repeat([0, 1], 10), np.arange(20) // 10 * 9])
    X = X + np.array([0, 0, 1e-3]) * np.arange(20)[:, None]
    table = describe_clusters(None, X, labels=np.repeat([0, 1], 10))
    assert list(table.loc[0, "features"]) == ["x1", "x2", "x0"]


# what is told of a cluster


def test_sizes_shares_and_columns_of_a_frame(iris, kmeans):
    table = describe_clusters(kmeans, iris)
    labels = kmeans.predict(iris)
    assert list(table.columns) == [
        "name",
        "size",
        "share",
        "typical_rows",
        "features",
        "reasons",
    ]
    assert table.index.name == "cluster"
    assert table["size"].tolist() == np.bincount(labels).tolist()
    np.testing.assert_allclose(table["share"], np.bincount(labels) / 150)
    for cluster, row in table.iterrows():
        assert set(row["features"]) <= set(iris.columns)
        values = np.abs(list(row["features"].values()))
        assert (np.diff(values) <= 0).all()
        assert (labels[row["typical_rows"]] == cluster).all()
    first = table["features"][labels[0]]
    assert next(iter(first)).startswith("petal")
    assert first["petal width (cm)"] == -1


def test_typical_rows_are_nearest_to_the_mean(iris, kmeans):
    X, labels = iris.to_numpy(), kmeans.labels_
    table = describe_clusters(kmeans, iris, n_rows=3)
    for cluster in range(3):
        members = np.flatnonzero(labels == cluster)
        distances = np.linalg.norm(X[members] - X[members].mean(0), axis=1)
        expected = members[np.argsort(distances)[:3]]
        assert table["typical_rows"][cluster] == expected.tolist()


def test_typical_rows_of_a_network_are_those_of_its_latent_space():
    X = load_digits().data[:200]
    network = Autoencoder((16,), 3, max_epochs=3)
    kmeans = AutoencoderKMeans(3, encoder=network, random_state=0).fit(X)
    table = describe_clusters(kmeans, X, n_rows=1)
    Z = kmeans.transform(X)
    for cluster, (row,) in table["typical_rows"].items():
        members = np.flatnonzero(kmeans.labels_ == cluster)
        distances = np.linalg.norm(Z[members] - Z[members].mean(0), axis=1)
        assert distances[members == row] == pytest.approx(distances.min())


@pytest.mark.parametrize("to_format", [np.asarray, sp.csr_array])
def test_typical_rows_are_not_repeated(to_format):
    X = np.repeat([[0.0, 0], [0, 1], [5, 5]], [20, 3, 4], axis=0)
    labels = np.repeat([0, 1], [23, 4])
    table = describe_clusters(None, to_format(X), labels=labels)
    assert table["typical_rows"].tolist() == [[0, 20], [23]]


def test_columns_of_different_units_count_alike_for_given_labels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2)) * [1e6, 1]
    X[0] = [0, 40]
    table = describe_clusters(None, X, labels=np.zeros(50), n_rows=49)
    assert 0 not in table["typical_rows"][0]


def test_one_cluster_and_constant_columns_tell_nothing():
    X = np.c_[np.ones(10), np.arange(10)]
    table = describe_clusters(None, X, labels=np.zeros(10, dtype=int))
    assert table["features"].tolist() == [{}]
    table = describe_clusters(None, X, labels=np.repeat([0, 1], 5))
    assert [set(each) for each in table["features"]] == [{"x1"}, {"x1"}]


def test_noise_is_no_cluster_but_among_the_others():
    X, _ = make_blobs([40, 40], 2, centers=[[0, 0], [9, 9]], random_state=0)
    noisy = np.r_[X, np.random.default_rng(0).uniform(-9, 18, (8, 2))]
    hdbscan = HDBSCAN(min_cluster_size=15, copy=True).fit(noisy)
    assert (hdbscan.labels_ < 0).any()
    table = cluster_effects(hdbscan, noisy)
    assert list(table.index) == [0, 1]
    np.testing.assert_allclose(table, by_hand(noisy, hdbscan.labels_))


def test_names_of_clusters_may_be_words(iris):
    labels = np.repeat(["a", "b", "c"], 50)
    assert list(describe_clusters(None, iris, labels=labels).index) == ["a", "b", "c"]


def test_nothing_given_is_changed(iris, kmeans):
    X = iris.to_numpy().copy()
    X.setflags(write=False)
    state = np.random.get_state()[1].copy()
    labels = kmeans.labels_.copy()
    labels.setflags(write=False)
    describe_clusters(None, X, labels=labels)
    assert np.array_equal(np.random.get_state()[1], state)


# pipelines


def test_columns_of_a_frame_whatever_comes_after(iris):
    pipeline = make_pipeline(StandardScaler(), PCA(2), KMeans(3, random_state=0))
    table = describe_clusters(pipeline.fit(iris), iris)
    assert set(table["features"][0]) <= set(iris.columns)


def test_words_and_gaps_are_told_in_the_columns_of_the_table(mixed):
    pipeline = make_pipeline(preparing(), PCA(2), KMeans(2, random_state=0))
    table = describe_clusters(pipeline.fit(mixed), mixed, n_features=3)
    red = pipeline.predict(mixed)[0]
    features = table["features"][red]
    assert features["color = red"] == 1
    assert features["size"] > 0.9
    assert len(features) <= 3
    assert "color = red: 100 % here, 0 % elsewhere" in table["reasons"][red]
    effects = cluster_effects(pipeline, mixed)
    expected = ["size", "size = missing", "color = blue", "color = red", "noise"]
    assert list(effects.columns) == expected


def test_terms_of_texts():
    texts = ["red apple", "apple pie", "apple", "fast car", "car race", "old car"]
    pipeline = make_pipeline(TfidfVectorizer(), KMeans(2, random_state=0)).fit(texts)
    table = describe_clusters(pipeline, texts, n_features=1)
    assert {next(iter(each)) for each in table["features"]} <= {"apple", "car"}
    assert table["size"].tolist() == [3, 3]


def test_steps_that_name_nothing(mixed):
    X = mixed[["size", "noise"]].to_numpy()
    strings = FunctionTransformer(lambda X: np.nan_to_num(X))
    pipeline = make_pipeline(strings, KMeans(2, random_state=0)).fit(X)
    assert list(cluster_effects(pipeline, X).columns) == ["x0", "x1"]
    named = cluster_effects(pipeline, X, ["how large", "how noisy"])
    assert list(named.columns) == ["how large", "how noisy"]


def test_names_of_the_columns_of_an_array_with_missing_values(iris):
    X = iris.to_numpy().copy()
    X[5, 2] = np.nan
    pipeline = make_pipeline(SimpleImputer(add_indicator=True), KMeans(3))
    table = cluster_effects(pipeline.fit(X), X, iris.columns)
    assert list(table.columns[:4]) == list(iris.columns)
    assert table.shape == (3, 5)


def test_searches_are_taken_for_their_best(iris):
    pipeline = make_pipeline(StandardScaler(), KMeans(random_state=0, n_init=1))
    search = GridSearchCV(pipeline, {"kmeans__n_clusters": [2, 3]}).fit(iris)
    expected = describe_clusters(search.best_estimator_, iris)
    pandas.testing.assert_frame_equal(describe_clusters(search, iris), expected)


def test_labels_of_a_cut_of_a_pipeline(iris):
    pipeline = make_pipeline(StandardScaler(), GraphClustering(3, random_state=0))
    labels = pipeline.fit(iris)[-1].cut(2)
    table = describe_clusters(pipeline, iris, labels=labels)
    assert table["size"].tolist() == np.bincount(labels).tolist()


def test_clusterers_without_predict(iris):
    table = describe_clusters(AgglomerativeClustering(3).fit(iris), iris)
    assert table["size"].sum() == 150


# topics


TEXTS = ["red apple", "apple pie", "apple", "fast car", "car race", "car"] * 2


def embed(texts):
    """Embeddings without a word left, in which some texts lie in the middle."""
    return np.array([[10 * ("car" in text), len(text.split())] for text in texts])


@pytest.mark.parametrize("given", [False, True])
def test_topics_of_embeddings_and_of_labels(given):
    pipeline = make_pipeline(
        FunctionTransformer(embed), StandardScaler(), KMeans(2, random_state=0)
    )
    labels = pipeline.fit_predict(TEXTS)
    if given:
        table = describe_topics(None, TEXTS, labels=labels, n_terms=1, n_texts=2)
    else:
        table = describe_topics(pipeline, TEXTS, n_terms=1, n_texts=2)
    assert table.index.tolist() == [0, 1]
    assert table["size"].tolist() == [6, 6]
    assert table["share"].tolist() == [0.5, 0.5]
    assert table.loc[labels[0], "terms"] == ["apple"]
    assert table.loc[labels[3], "terms"] == ["car"]
    firsts = {texts[0] for texts in table["typical_texts"]}
    for label, row in table.iterrows():
        assert [TEXTS[place] for place in row["typical_rows"]] == row["typical_texts"]
        assert (labels[row["typical_rows"]] == label).all()
        assert len({*row["typical_texts"]}) == 2
    if given:
        # The bare word is nearest to the mean; two equal texts are one.
        assert firsts == {"apple", "car"}
    else:
        # Of (0 or 10, 1 or 2), what most texts are.
        assert {len(text.split()) for text in firsts} == {2}


def test_typical_texts_among_embeddings():
    labels = [0, 0, 0, 1, 1, 1] * 2
    rows = np.array([[0.0], [1.0], [5.0], [0.0], [1.0], [5.0]] * 2)
    table = describe_topics(None, TEXTS, labels=labels, embeddings=rows, n_texts=1)
    assert table["typical_texts"].tolist() == [["apple pie"], ["car race"]]
    with pytest.raises(ValueError, match="embeddings has 3 rows and X 12 texts"):
        describe_topics(None, TEXTS, labels=labels, embeddings=rows[:3])


def test_names_share_no_term():
    texts = ["game engine", "game board", "board", "engine", "oil engine", "oil"]
    table = describe_topics(None, texts, labels=[0, 0, 0, 1, 1, 2])
    words = [word for name in table["name"] for word in name.split(", ")]
    assert sorted(words) == ["board", "engine", "game", "oil"]
    assert table["name"].tolist() == ["board, game", "engine", "oil"]
    # What has no term of its own is still told from the others.
    table = describe_topics(None, ["oil", "oil", "fish"], labels=[0, 1, 2])
    assert table["name"].tolist() == ["oil", "topic 1", "fish"]


def test_topics_of_word_weights_in_a_search():
    pipeline = make_pipeline(TfidfVectorizer(), KMeans(random_state=0, n_init=1))
    search = GridSearchCV(pipeline, {"kmeans__n_clusters": [2]}, cv=2).fit(TEXTS)
    table = describe_topics(search, iter(TEXTS))
    assert {terms[0] for terms in table["terms"]} == {"apple", "car"}
    with pytest.raises(TypeError, match="give labels="):
        describe_topics(None, TEXTS)
    with pytest.raises(ValueError, match="n_texts=0 must be"):
        describe_topics(search, TEXTS, n_texts=0)


# refusals


def test_what_cannot_be_described_is_refused(iris, kmeans, mixed, monkeypatch):
    with pytest.raises(TypeError, match="Give a fitted clusterer"):
        describe_clusters(None, iris)
    with pytest.raises(ValueError, match="feature_names has 2 names and the table 4"):
        describe_clusters(kmeans, iris, ["a", "b"])
    with pytest.raises(ValueError, match="labels has 5 entries and X 150 rows"):
        describe_clusters(None, iris, labels=[0] * 5)
    with pytest.raises(ValueError, match="labels has missing values"):
        describe_clusters(None, iris[:2], labels=[0, np.nan])
    with pytest.raises(ValueError, match="Every row is noise"):
        describe_clusters(None, iris, labels=np.full(150, -1))
    with pytest.raises(ValueError, match="ColumnTransformer"):
        describe_clusters(None, mixed.to_numpy(), labels=np.zeros(60))
    with pytest.raises(ValueError, match="n_rows=0 must be an integer"):
        describe_clusters(kmeans, iris, n_rows=0)
    with pytest.raises(ValueError, match=r"n_features=2\.5 must be an integer"):
        describe_clusters(kmeans, iris, n_features=2.5)
    with pytest.raises(TypeError, match="KMeans is no DeepOutlierDetector"):
        describe_outliers(kmeans, iris)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"skdeepcluster\[compare\]"):
        describe_clusters(kmeans, iris)


# the display


@pytest.mark.parametrize("n_clusters", [1, 3, 12])
def test_bars_are_the_effects(iris, n_clusters):
    kmeans = KMeans(n_clusters, random_state=0).fit(iris)
    display = ClusterFeaturesDisplay.from_estimator(kmeans, iris, n_features=3)
    expected = describe_clusters(kmeans, iris, n_features=3)["features"]
    assert display.features == expected.to_dict()
    panels = [ax for ax in display.figure_.axes if ax.get_title("right")]
    assert [ax.get_title("right") for ax in panels] == [
        f"cluster {label}" for label in range(n_clusters)
    ]
    for ax, features in zip(panels, expected, strict=True):
        assert [bar.get_width() for bar in ax.patches] == list(features.values())
        names = [text.get_text() for text in ax.get_yticklabels()]
        assert names == list(features)
    display.figure_.canvas.draw()
    assert display.plot() is display
    given = ClusterFeaturesDisplay.from_predictions(iris, kmeans.labels_, n_features=3)
    assert given.features == display.features


# outliers


def planted(X, seed):
    """Rows with one column six standard deviations off, and which column that is."""
    rng = np.random.default_rng(seed)
    columns = rng.integers(X.shape[1], size=len(X))
    odd = X.copy()
    odd[np.arange(len(X)), columns] += (
        6 * X.std(0)[columns] * rng.choice([-1, 1], len(X))
    )
    return odd, columns


def shares_found(oddness, columns):
    """Shares of rows whose planted column is the first, and among the first three."""
    order = np.argsort(-oddness, axis=1)
    return [(order[:, :n] == columns[:, None]).any(1).mean() for n in (1, 3)]


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("scaled", [True, False])
def test_planted_columns_are_the_first(load, scaled):
    X = np.random.default_rng(0).permutation(load().data)
    X = StandardScaler().fit_transform(X) if scaled else X
    n_train = len(X) * 2 // 3
    detector = DeepOutlierDetector(random_state=0).fit(X[:n_train])
    odd, columns = planted(X[n_train:], 0)
    first, three = shares_found(detector.explain(odd), columns)
    assert first >= 0.9
    assert three >= 0.98


def test_planted_pixels_are_among_the_first():
    X = load_digits().data
    X = StandardScaler().fit_transform(X[:, X.std(0) > 0.1])
    detector = DeepOutlierDetector(random_state=0).fit(X[:1200])
    odd, columns = planted(X[1200:], 0)
    # Of a pixel that is seldom inked, six standard deviations are nothing odd.
    first, three = shares_found(detector.explain(odd), columns)
    assert first >= 0.88
    assert three >= 0.96


def test_ordinary_values_that_contradict_the_others_are_found():
    # Six columns tell two numbers, almost exactly, and six tell nothing.
    rng = np.random.RandomState(0)
    told = rng.normal(size=(700, 2)) @ rng.normal(size=(2, 6))
    told += 0.1 * rng.normal(size=told.shape)
    X = StandardScaler().fit_transform(np.hstack([told, rng.normal(size=(700, 6))]))
    detector = DeepOutlierDetector(random_state=0).fit(X[:500])
    odd = X[500:].copy()
    columns = rng.randint(6, size=len(odd))
    odd[np.arange(len(odd)), columns] = rng.permutation(X[:500, 0])[: len(odd)]
    moved = np.abs(odd - X[500:]).max(1) > 1.5
    assert moved.sum() > 40
    odd, columns = odd[moved], columns[moved]
    assert shares_found(detector.explain(odd), columns)[1] >= 0.9
    # By differences as they are, noise hides many.
    plain = detector.explain(odd) * detector.surroundings_.errors
    assert (
        shares_found(plain, columns)[0]
        < shares_found(detector.explain(odd), columns)[0]
    )


def test_table_of_the_oddest_rows(iris):
    X = iris.copy()
    X.index = [f"flower {i}" for i in range(150)]
    X.iloc[11, 1] = 40.0
    detector = DeepOutlierDetector(contamination=0.02, random_state=0)
    pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    labels = np.repeat([0, 1, -1], 50)
    table = describe_outliers(pipeline, X, labels=labels, n_features=2)
    scores = pipeline.score_samples(X)
    order = np.argsort(scores, kind="stable")[:10]
    assert table.index.tolist() == [f"flower {i}" for i in order for _ in range(2)]
    assert len(X.join(table, how="right")) == len(table)
    assert list(table.columns) == [
        "score", "probability", "outlier", "told_by", "cluster",
        "feature", "value", "expected", "oddness",
    ]  # fmt: skip
    first = table.iloc[0]
    assert first["feature"] == "sepal width (cm)"
    assert first["value"] == pytest.approx(40)
    assert 2 < first["expected"] < 4.5
    assert first["outlier"]
    assert first["told_by"] in pipeline[-1].tails_
    assert set(table["cluster"]) <= {0, 1}
    assert first["cluster"] == 0
    np.testing.assert_allclose(table["score"][::2], scores[order])
    np.testing.assert_allclose(
        table["probability"][::2],
        pipeline[-1].outlier_probability(pipeline[:-1].transform(X.iloc[order])),
    )
    assert table["outlier"][::2].sum() == (pipeline.predict(X) == -1).sum()
    oddness = pipeline[-1].explain(pipeline[:-1].transform(X.iloc[order[:1]]))[0]
    assert first["oddness"] == pytest.approx(oddness[1])
    with pytest.raises(TypeError, match="describe_outliers tells why"):
        describe_clusters(pipeline, X)
    with pytest.raises(ValueError, match="labels has 3 entries"):
        describe_outliers(pipeline, X, labels=[0, 1, 2])
    with pytest.raises(ValueError, match="no cluster with a normal row"):
        describe_outliers(pipeline, X, labels=np.full(150, -1))
    levels = pandas.MultiIndex.from_product([range(3), range(50)], names=["a", "b"])
    joined = X.set_axis(levels)
    table = describe_outliers(pipeline, joined)
    assert len(joined.join(table, how="right")) == len(table)


def test_values_are_in_the_units_before_gaps_were_filled(iris):
    X = iris.copy()
    X.iloc[3, 2] = np.nan
    X.iloc[11, 1] = 40.0
    detector = DeepOutlierDetector(random_state=0)
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), detector).fit(X)
    first = describe_outliers(pipeline, X, n_outliers=1, n_features=1).iloc[0]
    assert first["value"] == pytest.approx(40)
    assert 2 < first["expected"] < 4.5


def test_names_and_values_of_what_the_detector_sees(iris):
    X = iris.to_numpy()
    detector = DeepOutlierDetector(random_state=0)
    named = describe_outliers(detector.fit(X), X, list("abcd"), n_outliers=2)
    assert set(named["feature"]) <= set("abcd")
    assert named.index.isin(range(150)).all()
    sparse = describe_outliers(detector, sp.csr_array(X), list("abcd"), n_outliers=2)
    pandas.testing.assert_frame_equal(sparse, named)
    # Components are no columns of the data.
    pipeline = make_pipeline(PCA(4), detector).fit(X)
    table = describe_outliers(pipeline, X, n_outliers=1, n_features=4)
    components = pipeline[0].transform(X[table.index[:1]])[0]
    assert set(table["feature"]) == {f"pca{i}" for i in range(4)}
    np.testing.assert_allclose(np.sort(table["value"]), np.sort(components))


@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.float64, np.float32)])
@pytest.mark.parametrize("convert", [np.asarray, pandas.DataFrame, sp.csr_array])
def test_k_means_takes_rows_of_another_type_than_it_was_fitted_to(convert, dtypes):
    X = np.random.default_rng(0).normal(size=(60, 2)) + [[0, 0], [9, 0]] * 30
    learned, given = (convert(X.astype(dtype)) for dtype in dtypes)
    kmeans = KMeans(2, n_init=1, random_state=0).fit(learned)
    for model in (kmeans, make_pipeline(StandardScaler(with_mean=False), kmeans)):
        fit = model.fit(learned)
        assert describe_clusters(fit, given)["size"].tolist() == [30, 30]
        assert clustering_scorer()(fit, given) > 0.4
        assert len(representatives(fit, given)) == 2
    if dtypes[0] == np.float32:
        assert describe_clusters(kmeans.fit(learned), X.tolist())["size"].sum() == 60
