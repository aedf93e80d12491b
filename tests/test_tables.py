"""Tables as people have them: words, missing values, columns of different units."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from discovery import CLUSTERERS, TRANSFORMERS, fitted, tiny, tiny_autoencoder
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_blobs
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering
from skdeepcluster.explain import describe_clusters
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy

pandas = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def table():
    """Two kinds of rows, told apart by a length, a word and a count."""
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1], 60)
    frame = pandas.DataFrame(
        {
            "length": rng.normal(2000 + 900 * kind, 100),
            "word": np.where(rng.random(120) < 0.9, kind, 1 - kind).astype(str),
            "count": rng.poisson(2 + 6 * kind),
        }
    )
    frame["word"] = frame["word"].map({"0": "oak", "1": "elm"})
    frame.loc[[3, 70], "length"] = np.nan
    return frame


def prepare():
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["length", "count"]),
        (OneHotEncoder(), ["word"]),
    )


def test_words_and_missing_values_by_a_column_transformer(table):
    network = Autoencoder((16,), 2, max_epochs=20)
    gmm = AutoencoderGMM(2, encoder=network, init="k-means", random_state=0)
    pipeline = make_pipeline(prepare(), gmm).fit(table)
    labels = pipeline.predict(table)
    assert clustering_accuracy(np.repeat([0, 1], 60), labels) > 0.85
    assert pipeline.predict(table[70:71])[0] == labels[70]


@pytest.mark.parametrize(
    "clusterer",
    [
        GraphClustering(2, random_state=0),
        DECClustering(2, encoder=Autoencoder((16,), 2, max_epochs=20), random_state=0),
    ],
)
def test_a_table_as_it_is_by_skrub(clusterer, table):
    from skrub import TableVectorizer

    table = table.assign(
        day=pandas.date_range("2024-01-01", periods=120).astype(str),
        same="everywhere",
    )
    table.loc[[5, 80], "word"] = None
    table.loc[[7, 90], "day"] = None
    vectorizer = TableVectorizer(numeric=StandardScaler(), datetime="drop")
    steps = make_pipeline(vectorizer, KNNImputer()).set_output(transform="pandas")
    pipeline = make_pipeline(steps, clusterer).fit(table)
    labels = pipeline.predict(table)
    assert clustering_accuracy(np.repeat([0, 1], 60), labels) > 0.95
    gaps = [3, 5, 7, 70, 80, 90]
    alone = [pipeline.predict(table[row : row + 1])[0] for row in gaps]
    np.testing.assert_array_equal(alone, labels[gaps])
    effects = describe_clusters(pipeline, table)["features"][labels[-1]]
    assert {"length", "count"} <= set(effects)
    assert effects["length"] > 0


@pytest.mark.parametrize("cls", TRANSFORMERS)
def test_words_are_told_how_to_be_numbers(cls, table):
    words = table[["word", "count"]]
    texts = ["red apple", "fast car"]
    for rows in (words, words.to_numpy(), texts):
        with pytest.raises(ValueError, match="could not convert string") as caught:
            tiny(cls).fit(rows)
        for fix in ("OneHotEncoder", "TfidfVectorizer", cls.__name__):
            assert fix in str(caught.value)


@pytest.mark.parametrize("cls", TRANSFORMERS)
def test_missing_values_are_told_how_to_be_filled(cls, table):
    numbers = table[["length", "count"]]
    as_pandas = numbers.convert_dtypes()
    for rows in (numbers, as_pandas, sp.csr_array(numbers.to_numpy())):
        with pytest.raises(
            ValueError, match=r"contains NaN\..*SimpleImputer"
        ) as caught:
            tiny(cls).fit(rows)
        # scikit-learn names estimators for labelled rows.
        assert "HistGradient" not in str(caught.value)


def test_new_rows_with_missing_values(table):
    numbers = table[["length", "count"]].fillna(0)
    network = tiny_autoencoder().fit(numbers)
    with pytest.raises(ValueError, match="SimpleImputer"):
        network.transform(table[["length", "count"]])


@pytest.mark.parametrize("to_format", [np.asarray, sp.csr_array])
def test_a_column_that_holds_all_the_variance_is_told_of(to_format):
    X = load_wine().data
    with pytest.warns(UserWarning, match=r"Column 12 holds 99\.8 % of the variance"):
        tiny_autoencoder().fit(to_format(X))
    frame = load_wine(as_frame=True).data
    with pytest.warns(UserWarning, match=r"Column 12 \(proline\) .*StandardScaler"):
        fitted(tiny(AutoencoderGMM), frame)


@pytest.mark.parametrize("cls", CLUSTERERS)
def test_every_clusterer_tells_of_it_once(cls):
    X, _ = make_blobs(60, 4, random_state=0)
    X[:, 2] *= 1e4
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tiny(cls, encoder=tiny_autoencoder()).fit(X)
    assert len([one for one in caught if "of the variance" in str(one.message)]) == 1


def test_ordinary_columns_are_not_warned_of():
    rng = np.random.default_rng(0)
    iris, cancer = load_iris().data, load_breast_cancer().data
    one_hot = np.eye(5)[rng.integers(5, size=40)]
    two = rng.normal(size=(40, 2)) * [1e4, 1]
    equal = np.ones((20, 4))
    scaled = StandardScaler().fit_transform(load_wine().data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in (iris, cancer, one_hot, two, equal, scaled, sp.csr_array(one_hot)):
            tiny_autoencoder(max_epochs=0).fit(rows)
        # Only fits judge columns: a few new rows may well differ in one alone.
        network = tiny_autoencoder(max_epochs=0).fit(iris)
        network.transform([[0, 0, 0, 0], [900, 0, 0, 0]])
