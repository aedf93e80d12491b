"""Topics of texts, and clusterers as the cluster model of BERTopic."""

import copy
import pickle
import zlib

import joblib
import numpy as np
import pandas as pd
import pytest
from discovery import CLUSTERERS, tiny, tiny_autoencoder
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skdeepcluster import DECClustering, topics
from skdeepcluster.explain import describe_topics
from skdeepcluster.graph import GraphClustering
from skdeepcluster.io import load, save
from skdeepcluster.metrics import clustering_accuracy, clustering_accuracy_scorer
from skdeepcluster.plotting import ClusterSizesDisplay, top_terms
from skdeepcluster.topics import TopicClustering

WORDS = {
    "animals": "cat dog horse bird fish paw tail fur wing nest",
    "food": "soup bread apple cheese pepper oven spoon taste salt sugar",
    "travel": "train ticket hotel beach road map bridge island boat bag",
}


def embeddings(n_rows=60):
    """Rows of length one in float32, as models of sentences make them."""
    X, _ = make_blobs(n_rows, 8, centers=4, cluster_std=0.5, random_state=0)
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


def asked_by_bertopic(model, rows, y):
    """Clusters of the rows, and predicted ones, by the calls of BERTopic 0.17.4.

    It would take an attribute `probabilities_` for HDBSCAN's, of one number a row.
    """
    model.fit(rows, y=y)
    assert not hasattr(model, "probabilities_")
    return model.labels_, pickle.loads(pickle.dumps(model)).predict(rows)


@pytest.mark.parametrize(
    "model",
    [
        *(tiny(cls) for cls in CLUSTERERS),
        GraphClustering(4, random_state=0),
        GraphClustering(random_state=0, noise_ratio=1.5),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_clusterer_answers_as_bertopic_asks(model):
    rows = embeddings()
    labels, predicted = asked_by_bertopic(model, rows, None)
    assert labels.shape == (60,)
    assert labels.dtype.kind == "i"
    assert labels.min() >= -1
    np.testing.assert_array_equal(predicted, labels)
    # Classes are given by users of its guided topics; -1 is for none.
    guided, _ = asked_by_bertopic(clone(model), rows, np.arange(60) % 3 - 1)
    np.testing.assert_array_equal(guided, labels)


def test_scaled_texts_are_clustered_by_the_cosine():
    rows = embeddings()
    longer = rows * np.random.default_rng(0).uniform(0.1, 10, size=(60, 1))
    graph = GraphClustering(4, random_state=0)
    scaled = make_pipeline(Normalizer(), graph).fit_predict(longer)
    given = GraphClustering(4, neighbors="precomputed", random_state=0)
    by_cosine = given.fit_predict(pairwise_distances(longer, metric="cosine"))
    assert adjusted_rand_score(by_cosine, scaled) == 1
    assert adjusted_rand_score(by_cosine, graph.fit_predict(longer)) < 0.9


@pytest.mark.parametrize(
    "model",
    [
        GraphClustering(3, random_state=0),
        DECClustering(3, encoder=tiny_autoencoder(), random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_topics_of_bertopic(model):
    bertopic = pytest.importorskip("bertopic")
    pytest.importorskip("hdbscan")  # without it, BERTopic's own transform fails
    from bertopic.dimensionality import BaseDimensionalityReduction

    rng = np.random.default_rng(0)
    subjects = np.arange(120) % 3
    words = [text.split() for text in WORDS.values()]
    texts = [" ".join(rng.choice(words[subject], 12)) for subject in subjects]
    embed = make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0))
    rows = embed.fit_transform(texts)
    topics = bertopic.BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=model,
        vectorizer_model=CountVectorizer(),
    )
    found, _ = topics.fit_transform(texts, rows)
    named = {
        subject: {word for word, _ in topics.get_topic(topic)}
        for subject, topic in zip(subjects.tolist(), found, strict=True)
    }
    for subject, terms in named.items():
        assert len(terms & set(words[subject])) >= 9
    new = ["the dog and the horse", "bread and cheese", "a boat to the island"]
    assert topics.transform(new, embed.transform(new))[0] == found[:3]


# TopicClustering

SUBJECTS = {
    **WORDS,
    "music": "guitar song drum melody chord violin concert piano singer rhythm",
}


def written(n_texts=120, seed=0):
    """Texts of a few words, and the number of the subject of each."""
    rng = np.random.default_rng(seed)
    words = [text.split() for text in SUBJECTS.values()]
    subjects = np.arange(n_texts) % len(words)
    return [" ".join(rng.choice(words[each], 6)) for each in subjects], subjects


def of_word(word):
    """Embedding of a word: near to those of its subject, or anywhere."""
    row = np.random.default_rng(zlib.crc32(word.encode())).normal(size=12) / 2
    for subject, words in enumerate(SUBJECTS.values()):
        row[subject] += 4 * (word in words.split())
    return row


def encode(texts):
    """Embeddings: those of the words, added up."""
    return np.array([sum(map(of_word, text.split()), np.zeros(12)) for text in texts])


class LanguageModel:
    """A model that no file should hold."""

    def encode(self, texts):
        return encode(texts)

    def __reduce__(self):
        raise AssertionError("The model was pickled.")


NEW = ["dog and horse cat bird tail", "bread and salt soup oven", "zuqo wibbel", ""]


@pytest.fixture(scope="module")
def texts():
    return written()[0]


@pytest.fixture
def model(texts):
    return TopicClustering(4, random_state=0).fit(texts)


def agrees(model, texts, **settings):
    """Check what holds after any edit."""
    labels = model.labels_
    assert_array_equal(model.predict(texts, **settings), labels)
    shares = model.predict_proba(texts, **settings)
    assert shares.shape == (len(texts), model.n_clusters_)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert_array_equal(shares.argmax(1)[labels >= 0], labels[labels >= 0])
    np.testing.assert_allclose(shares[labels < 0], 1 / model.n_clusters_)
    assert {*labels.tolist()} - {-1} == {*range(model.n_clusters_)}
    terms = [term for name in model.topic_names_ for term in name.split(", ")]
    assert len(terms) == len({*terms}) >= len(model.topic_names_)
    table = model.topics_
    assert table["name"].tolist() == model.topic_names_
    assert_array_equal(table["size"], np.bincount(labels[labels >= 0]))
    assert_array_equal(table["share"], table["size"] / len(labels))
    for topic, row in table.iterrows():
        assert [texts[place] for place in row["typical_rows"]] == row["typical_texts"]
        assert (labels[row["typical_rows"]] == topic).all()


@pytest.mark.parametrize(
    "embedder",
    [
        None,
        encode,
        LanguageModel(),
        FunctionTransformer(encode),
        make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0)),
    ],
    ids=["words", "function", "model", "stateless", "fitted"],
)
def test_topics_are_found_named_and_predicted(embedder, texts):
    subjects = written()[1]
    model = TopicClustering(4, embedder=embedder, random_state=0)
    if isinstance(embedder, LanguageModel):
        labels = model.fit_predict(texts)
    else:
        labels = clone(model).fit(texts, y=subjects % 2).labels_
        assert_array_equal(model.fit_predict(texts), labels)
    kept = labels >= 0
    assert kept.mean() >= 0.9
    assert clustering_accuracy(subjects[kept], labels[kept]) == 1
    agrees(model, texts)
    for topic, name in enumerate(model.topic_names_):
        words = [*SUBJECTS.values()][subjects[labels == topic][0]].split()
        assert {*name.split(", ")} <= {*words}
    animals, food, nonsense, nothing = model.predict(NEW)
    assert (animals, food) == (labels[kept & (subjects == 0)][0], labels[1])
    assert nothing == -1
    if embedder is None:
        assert nonsense == -1
    new, about = written(40, seed=1)
    assert clustering_accuracy(about, model.predict(new)) > 0.9


def test_embeddings_that_are_there_already(texts):
    rows = encode(texts)
    known = TopicClustering(4, random_state=0).fit(texts, embeddings=rows)
    agrees(known, texts, embeddings=rows)
    made = TopicClustering(4, embedder=encode, random_state=0).fit(texts)
    assert_array_equal(known.labels_, made.labels_)
    assert_array_equal(
        known.predict(NEW[:2], embeddings=encode(NEW[:2])), made.predict(NEW[:2])
    )
    # The cosine counts, whatever the type and the lengths of rows.
    longer = pd.DataFrame(rows * np.arange(1, 121)[:, None])
    other = clone(known).fit(texts, embeddings=longer)
    assert adjusted_rand_score(other.labels_, known.labels_) == 1
    with pytest.raises(ValueError, match=r"found in embeddings.*give embeddings="):
        known.predict(NEW)
    with pytest.raises(ValueError, match=r"shape \(3, 12\) and X 4 texts"):
        known.predict(NEW, embeddings=rows[:3])
    with pytest.raises(ValueError, match="have 2 columns, those in fit 12"):
        known.predict(NEW, embeddings=rows[:4, :2])
    with pytest.raises(ValueError, match="Leave embeddings out"):
        TopicClustering(2, random_state=0).fit(texts).predict(NEW, embeddings=rows[:4])
    far = known.predict(["what is it"], embeddings=-rows[:1])
    assert far.tolist() == [-1]


def test_no_topic_is_a_share_of_the_texts_and_a_threshold_for_new_ones():
    texts, _ = written(400)
    all_of_them = TopicClustering(4, no_topic=None, random_state=0).fit(texts)
    assert all_of_them.labels_.min() == 0
    counts = [
        (
            TopicClustering(4, no_topic=share, random_state=0).fit(texts).labels_ < 0
        ).sum()
        for share in (0.02, 0.1)
    ]
    assert 0 < counts[0] <= 8 < counts[1] <= 40
    model = TopicClustering(4, random_state=0).fit(texts)
    new, _ = written(200, seed=5)
    assert (model.predict(new) < 0).mean() < 0.1
    # A word that is known does not make sense of the others.
    odd = ["cat zuqo wibbel frand", "bread guitar zzu wwo qqa", "a Cat, 12 34 56 78"]
    assert (model.predict(odd) == -1).all()
    assert (all_of_them.predict(odd) >= 0).all()
    assert (all_of_them.predict(["", "zuqo wibbel"]) == -1).all()
    # A short text may be near to long ones.
    assert model.predict(["cat", "bread"]).min() >= 0


def test_missing_and_blank_texts_have_no_topic(texts, model):
    with_gaps = [None, *texts, float("nan"), "  ", pd.NA]
    found = TopicClustering(4, random_state=0).fit(with_gaps)
    assert_array_equal(found.labels_[1:-3], model.labels_)
    assert_array_equal(found.labels_[[0, -3, -2, -1]], [-1] * 4)
    assert_array_equal(found.predict(with_gaps), found.labels_)
    assert (
        describe_topics(found, with_gaps)["size"].sum() == found.topics_["size"].sum()
    )
    rows = np.zeros((len(with_gaps), 12))
    rows[1:-3] = encode(texts)
    rows[0] = np.nan
    found = TopicClustering(4, random_state=0).fit(with_gaps, embeddings=rows)
    assert_array_equal(found.labels_[[0, -3, -2, -1]], [-1] * 4)
    assert_array_equal(found.predict([None, ""], embeddings=rows[:2]), [-1, -1])
    for row in found.topics_["typical_rows"]:
        assert all(with_gaps[place] in texts for place in row)


@pytest.mark.parametrize(
    "column",
    [
        tuple,
        np.array,
        lambda texts: np.array(texts, dtype=object)[:, None],
        pd.Series,
        lambda texts: pd.DataFrame({"text": texts}, index=range(9, 9 + len(texts))),
        iter,
    ],
    ids=["tuple", "array", "column", "Series", "DataFrame", "iterator"],
)
def test_a_column_of_texts_may_be_of_any_kind(column, texts, model):
    other = TopicClustering(4, random_state=0).fit(column(texts))
    assert_array_equal(other.labels_, model.labels_)
    assert_array_equal(other.predict(column(texts)), model.labels_)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("one text", TypeError, "X is a single str: give a list"),
        ({"text": ["a"]}, TypeError, "X is a single dict"),
        (pd.DataFrame({"a": ["b"], "c": ["d"]}), ValueError, "X is a table"),
        ([["a", "b"]] * 2, TypeError, r"X\[0\] is a list and no text"),
        (["a word", 3], TypeError, r"X\[1\] is a int and no text: 3"),
        (["", None], ValueError, "X has no text that isn't empty"),
        ([], ValueError, "X has no text"),
        (["apple", "", None], ValueError, "X has 1 text with a word"),
        (["of the", "and"], ValueError, "no terms to name topics by: give a vectoriz"),
    ],
)
def test_what_is_no_column_of_texts_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        TopicClustering(2).fit(X)


def test_a_refused_fit_leaves_the_estimator_as_it_was(model, texts):
    before = model.labels_
    with pytest.raises(TypeError):
        model.fit("text")
    assert model.labels_ is before
    with pytest.raises(ValueError, match="no_topic"):
        TopicClustering(no_topic=1.0).fit(texts)


@pytest.mark.parametrize("embedder", [None, encode])
def test_merged_and_split_topics(embedder, texts, tmp_path):
    model = TopicClustering(4, embedder=embedder, random_state=0).fit(texts)
    before = model.labels_
    assert model.merge_topics([3, 1]) is model
    assert model.n_clusters_ == 3
    assert_array_equal(model.labels_, np.array([0, 1, 2, 1, -1])[before])
    agrees(model, texts)
    new, _ = written(40, seed=1)
    merged = model.predict(new)
    model.split_topic(1, n_topics=2)
    agrees(model, texts)
    assert model.n_clusters_ == 4
    # The two subjects are told apart again, and in the texts that were unseen.
    assert adjusted_rand_score(model.labels_, before) == 1
    assert_array_equal(np.where(model.predict(new) == 3, 1, model.predict(new)), merged)
    assert len(np.unique(model.predict(new)[merged == 1])) == 2
    save(model, tmp_path / "file")
    name = f"{encode.__module__}.encode"
    loaded = load(tmp_path / "file", trusted=[name])
    agrees(loaded, texts)
    assert loaded.merge_topics([0, 1, 2]).n_clusters_ == 2
    agrees(loaded, texts)


def test_names_that_are_given_stay_with_their_topics(texts, tmp_path):
    model = TopicClustering(4, random_state=0).fit(texts)
    made = model.topic_names_
    for topic in (1, 2, 3):
        assert model.rename_topic(topic, f"mine {topic}") is model
    assert model.topic_names_ == [made[0], "mine 1", "mine 2", "mine 3"]
    assert model.topics_["name"].tolist() == model.topic_names_
    assert describe_topics(model, texts)["name"].tolist() == model.topic_names_
    labels = describe_topics(model, texts, labels=model.labels_)
    assert "mine 1" not in labels["name"].tolist()
    display = ClusterSizesDisplay.from_estimator(model, texts)
    assert "1: mine 1" in [each.get_text() for each in display.ax_.get_xticklabels()]
    model.merge_topics([2, 1]).split_topic(2, n_topics=2)
    assert model.cluster_names_ == {1: "mine 1", 2: "mine 3"}
    assert model.topic_names_[1:3] == ["mine 1", "mine 3"]
    save(model, tmp_path / "file")
    assert load(tmp_path / "file").topic_names_ == model.topic_names_
    assert model.fit(texts).topic_names_ == made
    with pytest.raises(ValueError, match="name=3 must be a string"):
        model.rename_topic(1, 3)


def test_edits_that_are_none_are_refused(model):
    for topics_ in ([1], [1, 1], []):
        with pytest.raises(ValueError, match="must hold two topics or more to merge"):
            model.merge_topics(topics_)
    with pytest.raises(ValueError, match="4 is no topic: there are 0 to 3"):
        model.merge_topics([1, 4])
    with pytest.raises(ValueError, match="-1 is no topic"):
        model.split_topic(-1)
    with pytest.raises(ValueError, match="n_topics=1 must be an integer >= 2"):
        model.split_topic(0, n_topics=1)
    with pytest.raises(ValueError, match="No parts of topic 0 are apart"):
        model.split_topic(0)


def test_topics_over_time(texts, model):
    dates = pd.date_range("2020-01-15", periods=len(texts), freq="D").astype(str)
    dates = [None, *dates[1:]]
    counts = model.topics_over_time(dates)
    assert counts.index.tolist() == [0, 1, 2, 3]
    assert counts.columns.astype(str).tolist() == [f"2020-{m:02}" for m in range(1, 6)]
    assert counts.to_numpy().sum() == (model.labels_[1:] >= 0).sum()
    days = pd.to_datetime(dates[1:])
    for topic, row in counts.iterrows():
        assert row["2020-02"] == (model.labels_[1:][days.month == 2] == topic).sum()
    shares = model.topics_over_time(dates, normalize=True)
    of_period = np.bincount(days.month)[1:]
    np.testing.assert_allclose(shares, counts / of_period)
    # Periods without a text have a column too, and so has a time zone no effect.
    two = pd.to_datetime(["2019-12-31"] * 60 + ["2021-01-01"] * 60, utc=True)
    yearly = model.topics_over_time(two, freq="Y", normalize=True)
    assert yearly.columns.year.tolist() == [2019, 2020, 2021]
    assert yearly[yearly.columns[1]].eq(0).all()


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["2020-01-01"], "There are 1 dates and 120 texts"),
        (["soon"] * 120, "can't be read"),
        ([2020] * 120, "dates holds numbers, as 2020"),
        ([None] * 120, "can't be read|all are missing"),
    ],
)
def test_dates_that_are_none_are_refused(dates, message, model):
    with pytest.raises(ValueError, match=message):
        model.topics_over_time(dates)


@pytest.mark.parametrize("write", [joblib.dump, save], ids=["joblib", "skops"])
def test_the_language_model_is_in_no_file(write, texts, tmp_path):
    language_model = LanguageModel()
    for embedder in (language_model, language_model.encode, lambda it: encode(it)):
        model = TopicClustering(4, embedder=embedder, random_state=0).fit(texts)
        write(model, tmp_path / "file")
        assert model.embedder is embedder
        loaded = (joblib.load if write is joblib.dump else load)(tmp_path / "file")
        assert loaded.embedder is None
        agrees(loaded, texts, embeddings=encode(texts))
        with pytest.raises(ValueError, match=r"set_params\(embedder=model\)"):
            loaded.predict(texts)
        loaded.set_params(embedder=language_model)
        agrees(loaded, texts)
        assert copy.copy(loaded).embedder is None
    # One that was never fitted is sent to other processes as it is.
    with pytest.raises(AssertionError, match="was pickled"):
        pickle.dumps(TopicClustering(embedder=language_model))


def test_word_weights_are_saved_whole(model, texts, tmp_path):
    save(model, tmp_path / "file")
    loaded = load(tmp_path / "file")
    agrees(loaded, texts)
    assert_array_equal(loaded.predict_proba(NEW), model.predict_proba(NEW))
    assert loaded.topic_names_ == model.topic_names_


def test_a_search_over_the_number_of_topics(texts):
    subjects = written()[1]
    search = GridSearchCV(
        TopicClustering(no_topic=None, random_state=0),
        {"n_clusters": [2, 4]},
        scoring=clustering_accuracy_scorer,
        cv=2,
    ).fit(texts, subjects)
    assert search.best_params_ == {"n_clusters": 4}
    assert describe_topics(search, texts)["size"].sum() == len(texts)


def test_the_same_seed_gives_the_same_bits(texts, model):
    again = TopicClustering(4, random_state=0).fit(texts[:60]).fit(texts)
    assert_array_equal(again.labels_, model.labels_)
    assert again.predict_proba(NEW).tobytes() == model.predict_proba(NEW).tobytes()
    # A text's topic does not depend on those beside it.
    each = [model.predict([text])[0] for text in texts[:10]]
    assert_array_equal(each, model.predict(texts[:10]))
    state = np.random.get_state()[1].tobytes()
    TopicClustering(4).fit(texts)
    assert np.random.get_state()[1].tobytes() == state


class Halves:
    """k-means that cuts texts in two by their place."""

    def __init__(self, n_clusters, **settings):
        assert (n_clusters, settings) == (4, {"n_init": 10, "random_state": 3})

    def fit_predict(self, rows):
        return (np.arange(rows.shape[0]) < 80).astype(int)


def test_k_means_where_the_graph_explains_less(texts, monkeypatch):
    monkeypatch.setattr(topics, "KMeans", Halves)
    model = TopicClustering(4, no_topic=None, random_state=3)
    found = model.fit_predict(texts)
    assert adjusted_rand_score(found, written()[1]) == 1
    worth = iter([0.2, 0.2])
    monkeypatch.setattr(topics, "explained", lambda *each: next(worth))
    assert_array_equal(model.fit_predict(texts), np.arange(120) >= 80)
    # Of embeddings, the graph's are taken.
    model = TopicClustering(4, embedder=encode, no_topic=None, random_state=3)
    assert adjusted_rand_score(model.fit_predict(texts), written()[1]) == 1


def test_one_topic_is_said_to_be_one():
    rng = np.random.default_rng(0)
    words = " ".join(SUBJECTS.values()).split()
    mixed = [" ".join(rng.choice(words, 20)) for _ in range(100)]
    with pytest.warns(UserWarning, match=r"one topic.*Give n_clusters"):
        model = TopicClustering(random_state=0).fit(mixed)
    assert model.n_clusters_ == 1
    assert len(model.topic_names_[0].split(", ")) == 3
    agrees(model, mixed)


def test_the_number_is_found_where_topics_are_apart(texts):
    assert TopicClustering(embedder=encode, random_state=0).fit(texts).n_clusters_ == 4


def test_terms_and_tables_of_the_model(model, texts):
    assert [each[0] for each in top_terms(model, 1, texts).values()] == [
        name.split(", ")[0] for name in model.topic_names_
    ]
    table = describe_topics(model, texts)
    pd.testing.assert_frame_equal(table, model.topics_)
    rows = encode(texts)
    by_rows = TopicClustering(4, random_state=0).fit(texts, embeddings=rows)
    table = describe_topics(by_rows, texts, embeddings=rows)
    assert table["name"].tolist() == by_rows.topic_names_


@pytest.mark.parametrize("n_texts", [2, 3, 5])
def test_few_texts(n_texts):
    few = ["red apple", "fast car", "loud song", "old oak", "deep sea"][:n_texts]
    model = TopicClustering(n_texts, random_state=0).fit(few)
    assert_array_equal(model.predict(few), model.labels_)
    assert model.n_clusters_ == n_texts
