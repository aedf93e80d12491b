"""Saved files: of this format for ever, of newer ones and damaged ones never."""

import functools
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from discovery import ESTIMATORS, NEED_NETWORKS, fitted, tiny, tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from test_common import METHODS, outputs
from test_networks import Pair

from skdeepcluster import (
    AutoencoderGMM,
    DECClustering,
    DeepOutlierDetector,
)
from skdeepcluster.graph import GraphClustering
from skdeepcluster.io import TRUSTED_TYPES, load, save
from skdeepcluster.labelling import ClusterThenLabelClassifier
from skdeepcluster.model_selection import AllData, clustering_scorer
from skdeepcluster.tables import TableEncoder
from skdeepcluster.topics import TopicClustering

pytestmark = pytest.mark.usefixtures("short_teaching")

DATA = Path(__file__).parent / "data"


def saved_models(X):
    """What the files of a format hold: a clusterer, and a detector around another."""
    network = tiny_autoencoder(hidden_units=(4,), latent_dim=2, random_state=0).fit(X)
    settings = {"encoder": network, "init": "k-means", "random_state": 0}
    dec = DECClustering(3, max_epochs=1, **settings)
    detector = DeepOutlierDetector(AutoencoderGMM(2, **settings), random_state=0)
    graph = GraphClustering(4, random_state=0).fit(X[:25])
    graph.update(X[25:])
    graph.merge_clusters([3, 0]).rename_cluster(3, "both")
    return {"dec": fitted(dec, X), "detector": fitted(detector, X), "graph": graph}


def write_files(X, name):
    """Make the files of a new format; those of the old ones stay."""
    model = saved_models(X)[name]
    number = model._formats[0]
    path = DATA / f"{name}-{number}.skops"
    skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED)
    np.savez_compressed(DATA / f"{name}-{number}.npz", **outputs(model, X))


@pytest.fixture(scope="module")
def X(digits):
    return digits[:30]


@pytest.mark.filterwarnings("ignore:Trying to unpickle:UserWarning")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        (name, number)
        for name, (newest, oldest) in {
            "dec": DECClustering._formats,
            "detector": DeepOutlierDetector._formats,
            "graph": GraphClustering._formats,
        }.items()
        for number in range(oldest, newest + 1)
    ],
)
def test_files_of_every_format_are_read(name, number, X):
    model = load(DATA / f"{name}-{number}.skops")
    expected = np.load(DATA / f"{name}-{number}.npz")
    assert set(expected) <= set(METHODS)
    # Parameters that came later have their defaults.
    assert set(model.get_params()) >= set(type(model)().get_params(deep=False))
    for method, value in expected.items():
        result = getattr(model, method)(X)
        if result.dtype.kind == "i":
            assert_array_equal(result, value)
        else:
            assert_allclose(result, value, rtol=1e-4, atol=1e-5)


def test_edits_are_saved_and_a_graph_without_a_format_is_refused():
    graph = load(DATA / "graph-1.skops")
    assert graph.cluster_names_ == {3: "both"}
    assert len(graph.edits_) == 3
    assert set(graph.undo().undo().labels_) == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="no edit to undo"):
        graph.undo()
    state = graph.__getstate__()
    del state["_format"]
    with pytest.raises(ValueError, match="older version of skdeepcluster"):
        GraphClustering().__setstate__(state)
    unfitted = GraphClustering(3).__getstate__()
    del unfitted["_format"]
    graph.__setstate__(unfitted)
    assert graph.n_clusters == 3


@pytest.mark.parametrize("cls", [*ESTIMATORS, GraphClustering])
def test_newer_formats_are_refused_by_name(cls, X, monkeypatch, tmp_path):
    model = fitted(tiny(cls), X)
    newest, oldest = cls._formats
    monkeypatch.setattr(cls, "_formats", (7, oldest))
    pickled = pickle.dumps(model)
    skops.io.dump(model, tmp_path / "file")
    monkeypatch.undo()
    message = (
        rf"saved by a newer version of skdeepcluster, in format 7; .* up to {newest}\."
    )
    with pytest.raises(ValueError, match=message):
        pickle.loads(pickled)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "file")


def test_the_trusted_types_are_complete_and_needed(X):
    needed = set()
    changes = [
        {},
        {"encoder": FrozenEstimator(tiny_autoencoder().fit(X))},
        {"init": GraphClustering(n_init=2)},
        {"encoder": tiny_autoencoder(network="conv", max_epochs=1), "device": "cpu"},
        {"encoder": "passthrough"},
    ]
    for cls in ESTIMATORS:
        for change in changes:
            if cls in NEED_NETWORKS and change.get("encoder") == "passthrough":
                continue
            data = skops.io.dumps(fitted(tiny(cls, max_epochs=1, **change), X))
            needed |= set(skops.io.get_untrusted_types(data=data))
    edited = fitted(tiny(DECClustering), X).split_cluster(0, X).drop_cluster(1)
    needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(edited)))
    graphs = [
        GraphClustering(3, random_state=0).fit(X),
        GraphClustering(3, neighbors="precomputed").fit(pairwise_distances(X)),
    ]
    for graph in graphs:
        needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(graph)))
    topics = TopicClustering(2, no_topic=None, random_state=0).fit(TEXTS)
    needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(topics)))
    for name, pipeline in {**PIPELINES, **AROUND}.items():
        data = skops.io.dumps(fit(pipeline, *ROWS_OF.get(name, (X,))))
        needed |= set(skops.io.get_untrusted_types(data=data))
    assert needed <= {*TRUSTED_TYPES}
    # What other packages need varies with their versions.
    spare = {*TRUSTED_TYPES} - needed
    assert not [name for name in spare if name.startswith("skdeepcluster.")]


TEXTS = [f"{a} {b}" for a in ("red", "old", "fast") for b in ("oak", "elm", "ash")] * 5
TABLE = pd.DataFrame(
    {"length": np.arange(45.0) % 7, "word": ["oak", "elm", "ash"] * 15}
)
TABLE.loc[3, "length"] = np.nan
RAW = TABLE.assign(
    day=pd.date_range("2024-05-01", periods=45).astype(str),
    remark=[f"an {it} of row {i}" for i, it in enumerate(TABLE["word"])],
)
GRAPH = GraphClustering(2, n_init=1, random_state=0)
COLUMNS = make_column_transformer(
    (
        make_pipeline(SimpleImputer(), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (
        OneHotEncoder(handle_unknown="ignore"),
        make_column_selector(dtype_exclude="number"),
    ),
)

# Steps of the pipelines of the guide, and the like, before a clusterer.
PIPELINES = {
    type(step).__name__: make_pipeline(step, GRAPH)
    for step in [
        StandardScaler(),
        MinMaxScaler(),
        RobustScaler(),
        Normalizer(),
        QuantileTransformer(n_quantiles=10),
        PowerTransformer(),
        SimpleImputer(strategy="median", add_indicator=True),
        KNNImputer(),
        PCA(2),
        TruncatedSVD(2),
        FunctionTransformer(np.abs),
        FeatureUnion([("pca", PCA(2)), ("all", "passthrough")]),
        FrozenEstimator(StandardScaler().fit(np.eye(64))),
        COLUMNS,
        TfidfVectorizer(stop_words="english"),
        CountVectorizer(),
    ]
}
PIPELINES["texts"] = make_pipeline(
    TfidfVectorizer(), TruncatedSVD(3), Normalizer(), tiny(DECClustering, n_clusters=2)
)
PIPELINES["table"] = make_pipeline(TableEncoder(random_state=0), GRAPH)
PIPELINES["k-means"] = make_pipeline(tiny_autoencoder(), KMeans(2, n_init=1))
ROWS_OF = {
    "ColumnTransformer": (TABLE,),
    "table": (RAW,),
    **dict.fromkeys(["TfidfVectorizer", "CountVectorizer", "texts"], (TEXTS,)),
}

# What is not a pipeline, but around a clusterer.
AROUND = {
    f"search by {scoring}": GridSearchCV(
        GRAPH, {"n_clusters": [2, 3]}, scoring=scoring, cv=cv
    )
    for scoring, cv in [
        (clustering_scorer(), AllData()),
        (clustering_scorer("silhouette"), AllData()),
        (clustering_scorer("calinski_harabasz"), AllData()),
        (clustering_scorer("davies_bouldin"), AllData()),
    ]
}
AROUND["search"] = GridSearchCV(KMeans(n_init=1), {"n_clusters": [2, 3]}, cv=2)
AROUND["classifier"] = ClusterThenLabelClassifier(GRAPH)


def fit(model, X):
    if isinstance(model, ClusterThenLabelClassifier):
        return model.fit(X, [0, 1, *[-1] * (len(X) - 2)])
    return fitted(clone(model), X)


@pytest.mark.parametrize("name", [*PIPELINES, *AROUND])
def test_pipelines_are_loaded(name, X, tmp_path):
    (rows,) = ROWS_OF.get(name, (X,))
    model = fit({**PIPELINES, **AROUND}[name], rows)
    save(model, tmp_path / "file")
    loaded = load(tmp_path / "file")
    assert_array_equal(loaded.predict(rows), model.predict(rows))


class LanguageModel:
    """A model with what skops can't write, as those of texts have it."""

    def __init__(self):
        self.weights = np.zeros(10**6)
        self.itself = self

    def encode(self, texts):
        return np.array([[len(text), text.count("o")] for text in texts])


@functools.cache
def language_model():
    return LanguageModel()


def encode(texts):
    return language_model().encode(texts)


def test_a_function_of_a_module_is_saved_by_its_name(tmp_path):
    pipeline = make_pipeline(FunctionTransformer(encode), GRAPH).fit(TEXTS)
    for write in (save, joblib.dump):
        write(pipeline, tmp_path / "file")
        assert (tmp_path / "file").stat().st_size < 80_000
    assert_array_equal(
        joblib.load(tmp_path / "file").predict(TEXTS), pipeline.predict(TEXTS)
    )
    save(pipeline, tmp_path / "file")
    with pytest.raises(ValueError, match=r"trusted=\['test_saved\.encode'\]"):
        load(tmp_path / "file")
    loaded = load(tmp_path / "file", trusted=["test_saved.encode"])
    assert_array_equal(loaded.predict(TEXTS), pipeline.predict(TEXTS))


def test_a_method_of_a_model_is_refused_with_the_way_out(tmp_path):
    pipeline = make_pipeline(FunctionTransformer(LanguageModel().encode), GRAPH)
    message = (
        r"functiontransformer__func=LanguageModel\.encode holds what skops can't "
        "write: give a function of a module"
    )
    with pytest.raises(ValueError, match=message):
        save(pipeline.fit(TEXTS), tmp_path / "file")
    pipeline = make_pipeline(FunctionTransformer(lambda texts: encode(texts)), GRAPH)
    with pytest.raises(ValueError, match=r"<lambda> can't be found again by its name"):
        save(pipeline.fit(TEXTS), tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_what_else_cannot_be_written_is_named(tmp_path):
    model = KMeans(2, n_init=1).fit(np.eye(4))
    model.notes_ = LanguageModel()
    with pytest.raises(ValueError, match="KMeans can't be saved: RecursionError"):
        save(model, tmp_path / "file")


def test_other_types_are_named(X, tmp_path):
    path = tmp_path / "file"
    skops.io.dump(tiny_autoencoder(network=Pair, max_epochs=1).fit(X), path)
    with pytest.raises(ValueError, match=r"test_networks\.Pair"):
        load(path)
    own = ["skdeepcluster.networks.ForeignAutoencoder", "test_networks.Pair"]
    assert load(path, trusted=own).transform(X).shape == (30, 3)


class Exploding:
    def __reduce__(self):
        return pytest.fail, ("code ran",)


@pytest.mark.parametrize("share", np.linspace(0.01, 0.99, 25))
def test_a_flipped_byte_is_harmless_or_refused(share, X, tmp_path):
    data = bytearray((DATA / "dec-3.skops").read_bytes())
    data[int(share * len(data))] ^= 0xFF
    (tmp_path / "file").write_bytes(data)
    model, message = None, ""
    try:
        model = load(tmp_path / "file")
    except ValueError as error:
        message = str(error)
    if model is None:
        assert "can't be loaded" in message
        assert "\n" not in message
    else:
        expected = np.load(DATA / "dec-3.npz")
        assert_allclose(model.transform(X), expected["transform"], rtol=1e-4)


@pytest.mark.parametrize("damage", ["truncated", "empty", "pickle"])
def test_damaged_files_are_refused_in_one_line(damage, tmp_path):
    data = (DATA / "dec-3.skops").read_bytes()
    changed = {
        "truncated": data[: len(data) // 2],
        "empty": b"",
        "pickle": pickle.dumps(Exploding()),
    }
    (tmp_path / "file").write_bytes(changed[damage])
    with pytest.raises(ValueError, match=r"file' can't be loaded: .") as caught:
        load(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


def test_a_saved_graph_predicts_the_same(digits, tmp_path):
    graph = GraphClustering(5, random_state=0).fit(digits[:300])
    skops.io.dump(graph, tmp_path / "graph.skops")
    again = load(tmp_path / "graph.skops")
    assert_array_equal(again.predict(digits), graph.predict(digits))
    assert_array_equal(again.cut(3), graph.cut(3))
