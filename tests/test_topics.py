"""Clusterers as the cluster model of BERTopic, and what that asks of one."""

import pickle

import numpy as np
import pytest
from discovery import CLUSTERERS, tiny, tiny_autoencoder
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import adjusted_rand_score, pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdeepcluster import DECClustering
from skdeepcluster.graph import GraphClustering

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
