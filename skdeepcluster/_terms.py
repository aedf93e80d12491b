"""Terms that tell the clusters of texts apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._described import typical
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import fitted_labels, searched
from skdeepcluster._labels import check_labels, is_noise
from skdeepcluster._sklearn import _num_samples, is_pandas_na

# Terms of a name.
NAME_TERMS = 3


def top_terms(
    pipeline: Any,
    n: int = 10,
    X: Any = None,
    *,
    labels: Any = None,
    vectorizer: Any = None,
) -> dict[Any, list[str]]:
    """Name each cluster of texts by the terms that set it apart.

    Terms are ranked by how much more weight they have in the cluster than in the mean
    of all the clusters. Give the texts: weights are then means over the texts of each
    cluster, whatever the clusters were found in, word weights or embeddings. Without
    them, weights are those of the cluster's centre, taken back through the pipeline to
    the vectorizer's terms, and what a network decodes a centre to may be far from any
    text: names are as wrong as reconstructions are.

    Parameters
    ----------
    pipeline : Pipeline or None
        Fitted; it ends in a clusterer. None with ``labels``.
    n : int, default=10
        Terms of a cluster.
    X : iterable of str, or DataFrame, default=None
        Texts, as the pipeline takes them. They are needed where the clusterer has no
        centres, a step can't be inverted, or ``labels`` or ``vectorizer`` are given.
    labels : array-like of shape (n_samples,), default=None
        Clusters of the texts; negative numbers are noise. None takes those of the
        pipeline.
    vectorizer : transformer or None, default=None
        What makes weights of terms of texts: one that isn't fitted is cloned and
        fitted to them. None takes the step of the pipeline that has a
        ``vocabulary_``, on its own or in one of its parts; without one, as before
        embeddings or for ``labels`` alone, it is
        ``TfidfVectorizer(sublinear_tf=True, stop_words="english")``. Of a table, or
        without ``X``, any first step that names what it makes will do.

    Returns
    -------
    dict of label to list of str
        Terms of each cluster, best first; fewer than ``n`` where fewer have more
        weight than in the mean.

    Raises
    ------
    TypeError
        If there is neither a pipeline nor labels, or texts are missing.
    ValueError
        If the texts are not as many as the labels, or all of them are noise.

    See Also
    --------
    skdeepcluster.explain.describe_topics : Sizes and typical texts as well.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdeepcluster.plotting import top_terms
    >>> texts = ["red apple", "apple pie", "fast car", "car race"]
    >>> pipeline = make_pipeline(TfidfVectorizer(), KMeans(2, random_state=0))
    >>> terms = top_terms(pipeline.fit(texts), n=1, X=texts)
    >>> sorted(terms.values())
    [['apple'], ['car']]
    >>> top_terms(None, n=1, X=texts, labels=[0, 0, 1, 1])
    {0: ['apple'], 1: ['car']}
    """
    terms = weighted_terms(pipeline, n, X, labels=labels, vectorizer=vectorizer)
    return {label: [term for term, _ in each] for label, each in terms.items()}


def weighted_terms(
    pipeline: Any, n: int, X: Any, *, labels: Any = None, vectorizer: Any = None
) -> dict[Any, list[tuple[str, float]]]:
    """Terms of each cluster and their weights beyond the mean, best first."""
    pipeline = searched(pipeline)
    if X is None:
        if labels is not None or vectorizer is not None:
            raise TypeError("labels and vectorizer want the texts: give them as X.")
        place = check_has_vectorizer(pipeline)
        check_is_fitted(pipeline)
        names = pipeline.steps[place][1].get_feature_names_out()
        return best_terms(*centers(pipeline, place, len(names)), names, n)
    # Series, DataFrames and arrays stay what they are: columns are chosen by name.
    texts = X if hasattr(X, "__getitem__") else list(X)
    labels = text_labels(pipeline, texts, labels)
    weights, names = term_weights(pipeline, texts, vectorizer)
    return best_terms(*mean_weights(weights, labels), names, n)


def text_labels(pipeline: Any, texts: Any, labels: Any) -> np.ndarray:
    """Cluster of each text, as given or as the pipeline has it."""
    if labels is not None:
        labels = check_labels(labels, "labels")
    elif pipeline is None or is_outlier_detector(pipeline):
        raise TypeError(
            "pipeline must be one that takes texts and ends in a clusterer, got "
            f"{pipeline!r}. Of clusters of any other origin, give labels=."
        )
    elif not isinstance(pipeline, Pipeline) and not hasattr(pipeline, "vectorizer_"):
        raise TypeError(
            f"{type(pipeline).__name__} takes no texts: give a Pipeline that makes rows"
            " of them and ends in a clusterer, or its clusters of the texts as labels=,"
            " such as labels_."
        )
    else:
        labels = fitted_labels(pipeline, texts)
    if len(labels) != _num_samples(texts):
        raise ValueError(
            f"There are {len(labels)} labels and {_num_samples(texts)} texts: give a "
            "label for each text."
        )
    return labels


def term_weights(pipeline: Any, texts: Any, vectorizer: Any) -> tuple[Any, np.ndarray]:
    """Weights of terms in each text, and the terms."""
    if vectorizer is None and hasattr(pipeline, "vectorizer_"):
        vectorizer, texts = pipeline.vectorizer_, as_texts(texts)
    place = None if vectorizer is not None else vectorizer_place(pipeline, texts)
    if place is not None:
        check_is_fitted(pipeline)
        names = pipeline.steps[place][1].get_feature_names_out()
        return pipeline[: place + 1].transform(texts), names
    if not are_strings(texts):
        raise ValueError(
            "X must hold texts, of which terms are made: give a list or a column of "
            f"strings, got {type(texts).__name__}."
        )
    strings = list(texts)
    if vectorizer is None:
        vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    try:
        check_is_fitted(vectorizer)
        weights = vectorizer.transform(strings)
    except NotFittedError:
        vectorizer = clone(vectorizer)
        weights = vectorizer.fit_transform(strings)
    return weights, vectorizer.get_feature_names_out()


def check_has_vectorizer(pipeline: Any) -> int:
    """Place of the step that makes terms, in a pipeline that ends in a clusterer."""
    place = vectorizer_place(pipeline)
    if place is None or is_outlier_detector(pipeline):
        raise TypeError(
            "pipeline must be a Pipeline that has a vectorizer and ends in a "
            f"clusterer, got {pipeline!r}. Give the texts as X where it has none, with "
            "labels= where there is no pipeline."
        )
    return place


def vectorizer_place(pipeline: Any, texts: Any = None) -> int | None:
    """Place of the step of a pipeline that makes terms of texts, if any."""
    steps = pipeline.steps[:-1] if isinstance(pipeline, Pipeline) else []
    steps = [step for _, step in steps]
    places = [place for place, step in enumerate(steps) if has_vocabulary(step)]
    if places:
        return places[-1]
    # What other steps name are no terms, such as "truncatedsvd0" of embeddings.
    if texts is not None and are_strings(texts):
        return None
    named = (
        place
        for place, step in enumerate(steps)
        if hasattr(step, "get_feature_names_out")
    )
    return next(named, None)


def has_vocabulary(step: Any) -> bool:
    """Whether a step is a vectorizer, or has one among its parts."""
    parts = [
        *getattr(step, "transformers_", ()),
        *getattr(step, "transformer_list", ()),
        *getattr(step, "steps", ()),
    ]
    return hasattr(step, "vocabulary_") or any(has_vocabulary(it[1]) for it in parts)


def are_strings(texts: Any) -> bool:
    """Whether these are texts, one by one, and no table or single text."""
    if isinstance(texts, str) or getattr(texts, "ndim", 1) != 1:
        return False
    return not hasattr(texts, "columns") and all(isinstance(it, str) for it in texts)


def as_texts(X: Any) -> list[str]:
    """Texts as a list, in which those that are missing or blank are empty."""
    if isinstance(X, str | bytes | Mapping):
        raise TypeError(
            f"X is a single {type(X).__name__}: give a list or a column of texts."
        )
    if hasattr(X, "columns") or getattr(X, "ndim", 1) != 1:
        shape = getattr(X, "shape", ())
        if len(shape) != 2 or shape[1] != 1:
            raise ValueError(
                f"X is a table of the shape {shape}: give the column of it that holds "
                "the texts, as X['text']."
            )
        X = X.iloc[:, 0] if hasattr(X, "iloc") else np.asarray(X)[:, 0]
    texts = []
    for place, text in enumerate(X):
        if isinstance(text, str):
            texts.append(text if text.strip() else "")
        elif text is None or is_pandas_na(text) or text != text:
            texts.append("")
        else:
            raise TypeError(
                f"X[{place}] is a {type(text).__name__} and no text: {text!r}. Give "
                "strings; None and NaN are missing texts."
            )
    return texts


def topic_table(
    texts: list[str],
    labels: np.ndarray,
    weights: Any,
    terms: np.ndarray,
    space: Any,
    n_terms: int,
    n_texts: int = 3,
    *,
    given: Mapping[Any, str],
) -> Any:
    """Make a table of clusters of texts: how large they are, their terms and texts.

    Typical texts are those nearest to the mean of their cluster in a space. A name that
    is given is taken.
    """
    pandas: Any = import_extra("pandas", "compare", "A table of topics")
    found, means = mean_weights(weights, labels)
    best = best_terms(found, means, terms, n_terms)
    records = []
    names = topic_names(found, means, terms, given)
    for label, name in zip(best, names, strict=True):
        members = np.flatnonzero(labels == label)
        rows = typical(space, members, n_texts)
        records.append(
            {
                "name": name,
                "size": len(members),
                "share": len(members) / len(labels),
                "terms": [term for term, _ in best[label]],
                "typical_texts": [texts[row] for row in rows],
                "typical_rows": rows,
            }
        )
    return pandas.DataFrame(records, index=pandas.Index(best, name="topic"))


def topic_names(
    labels: np.ndarray, weights: np.ndarray, terms: Any, given: Mapping[Any, str]
) -> list[str]:
    """Names of the clusters: those given, or best terms, none of which is in two names.

    A term is in the name of the cluster where it has most weight beyond the mean.
    """
    weights = beyond_mean(weights)
    names, best = [], weights.argmax(0)
    for place, label in enumerate(labels.tolist()):
        own = np.flatnonzero((best == place) & (weights[place] > 0))
        own = own[np.argsort(-weights[place, own], kind="stable")[:NAME_TERMS]]
        made = ", ".join(str(terms[term]) for term in own)
        names.append(given.get(label) or made or f"topic {label}")
    return names


def beyond_mean(weights: np.ndarray) -> np.ndarray:
    """Weights beyond the mean of the clusters; those of a single cluster themselves."""
    return weights - weights.mean(0) if len(weights) > 1 else weights


def best_terms(
    labels: np.ndarray, weights: np.ndarray, names: Any, n: int
) -> dict[Any, list[tuple[str, float]]]:
    """Terms that have most weight beyond the mean of the clusters."""
    weights = beyond_mean(weights)
    terms = {}
    for label, row in zip(labels.tolist(), weights, strict=True):
        best = [term for term in np.argsort(-row, kind="stable")[:n] if row[term] > 0]
        terms[label] = [(str(names[term]), float(row[term])) for term in best]
    return terms


def mean_weights(weights: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean weight of each term over the texts of each cluster."""
    found = np.unique(labels[~is_noise(labels)])
    if len(found) == 0:
        raise ValueError("Every text is noise: there is no cluster to name.")
    means = [np.asarray(weights[labels == label].mean(0)).ravel() for label in found]
    return found, np.array(means)


def centers(
    pipeline: Pipeline, place: int, n_terms: int
) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the clusters as weights of the vectorizer's terms."""
    final = pipeline[-1]
    rows = getattr(final, "cluster_centers_", getattr(final, "means_", None))
    middle = [
        step
        for _, step in pipeline.steps[place + 1 : -1]
        if step not in (None, "passthrough")
    ]
    if rows is None or not all(hasattr(step, "inverse_transform") for step in middle):
        raise TypeError(
            "The centres can't be taken back to terms: the clusterer has none, or a "
            "step before it has no inverse_transform. Give the texts as X."
        )
    if hasattr(final, "inverse_transform"):
        rows = final.inverse_transform(rows)
    widths = [getattr(step, "n_features_in_", None) for step in [*middle, final]]
    for step in reversed(middle):
        check_width(rows, widths.pop())
        rows = step.inverse_transform(rows)
    check_width(rows, n_terms)
    return np.arange(len(rows)), np.asarray(rows)


def check_width(rows: Any, width: int | None) -> None:
    """Refuse centres that are not in the space they are taken for."""
    if width is not None and rows.shape[1] != width:
        raise ValueError(
            f"The centres have {rows.shape[1]} columns where {width} are needed, and "
            "can't be taken back to terms. Give the texts as X."
        )
