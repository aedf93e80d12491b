"""From texts to topics with names, which new texts are told the topic of.

    texts -> rows     word weights, or embeddings of any model, of length one
          -> labels   clusters of a graph or, of word weights, of k-means
          -> near     the texts nearest to a text tell its topic, or that it has none

Nothing here needs torch.
"""

import warnings
from collections.abc import Iterator
from numbers import Integral, Real
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils import check_array
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._columns import looked_at
from skdeepcluster._docs import documented
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import checked_name, take_over
from skdeepcluster._rows import plain_settings
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster._sklearn import HasMethods, Interval, _fit_context
from skdeepcluster._terms import as_texts, mean_weights, topic_names, topic_table
from skdeepcluster._warnings import warn
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.rows import row_keys
from skdeepcluster.graph.search import by_size, explained
from skdeepcluster.graph.votes import known_keys, padded_parts

__all__ = ["TopicClustering"]

# Texts that vote, as many as a graph ties a row to; and those that tell how far a text
# is from all others: one is too few where copies are about, and more blur the rim of
# small topics.
VOTERS, NEAREST = 15, 3

# Restarts of k-means; and dimensions in which its clusters and those of the graph are
# compared, of which the latter are kept where they explain so many times as much. Over
# seven sets of texts and eight seeds, accuracy is .005 above that of k-means, and on
# none of the sets below it. With a factor of 1 it is .006 below it on one, and with all
# words in place of the dimensions .015.
RUNS, DIMS, CLEARER = 10, 100, 1.05

TINY = np.finfo(np.float64).tiny


@documented
class TopicClustering(ClusterMixin, BaseEstimator):
    """Topics of texts, with names, from word weights or embeddings of any model.

    Texts become rows: weights of their words, or the embeddings of a language model.
    Clusters of the rows are topics, which the terms name that have more weight in them
    than in the mean of the topics. Embeddings are clustered by
    :class:`~skdeepcluster.graph.GraphClustering`. Word weights lie too thinly for its
    neighbours: its clusters are kept there if they explain clearly more of the variance
    than those of k-means do, and those of k-means else.

    A new text gets the topic that most of the 15 training texts nearest to it have, by
    the cosine. It has *no topic*, and the label -1, if it is farther from the 3 nearest
    than all but a share ``no_topic`` of the training texts are from theirs. By word
    weights, the distance to a training text is the share of its own words that the
    other doesn't hold, words weighed by how rare they are, and those that are not known
    as the rarest: a short text may be near a long one, and nonsense is near none. By
    embeddings, it is one less the cosine.

    Parameters
    ----------
    n_clusters : int or None, default=None
        Number of topics. None finds it, where topics are apart; it is 1 where they
        aren't, with a warning.
    embedder : callable, object with ``encode``, transformer or None, default=None
        What makes rows of texts: a function of a list of texts; a model with
        ``encode``, as that of sentence-transformers; or a scikit-learn transformer, of
        which a clone is fitted. None takes the weights that ``vectorizer`` makes.
    vectorizer : transformer or None, default=None
        What makes weights of terms, which name topics; a clone of it is fitted. None is
        ``TfidfVectorizer(sublinear_tf=True, stop_words="english")``: give one with
        other stop words for another language.
    no_topic : float or None, default=0.02
        Share of the training texts that have no topic, the farthest from all others.
        The largest distance of the other ones is the threshold for new texts. With
        None, every text with a known word has a topic.
    n_terms : int, default=8
        Terms of a topic in ``topics_``, at most.
    {random_state}

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Topic of each training text, the largest first; -1 for no topic.
    n_clusters_ : int
        Number of topics.
    topic_names_ : list of str
        Name of each topic: its three best terms, as "client, http, api". A term that
        several topics might be named by is in the name of the one where it has most
        weight. `rename_topic` gives another one.
    cluster_names_ : dict of int to str
        Names that `rename_topic` gave, which displays have as well.
    topics_ : pandas.DataFrame
        A row for each topic, as :func:`~skdeepcluster.explain.describe_topics` has
        them.
    vectorizer_ : transformer
        Fitted vectorizer.
    embedder_ : transformer
        Fitted ``embedder``, if that is a transformer.

    See Also
    --------
    skdeepcluster.explain.describe_topics : Names and texts of clusters of any origin.
    skdeepcluster.plotting.TopTermsDisplay : Terms of topics as bars.

    Notes
    -----
    Give embeddings that are there already as ``embeddings``, to each method; ``X`` are
    the texts then as well, which topics are named by. Rows are scaled to length one.

    A saved model holds its training texts and their rows, and not the language model:
    a function of a module is saved by its name, and any other ``embedder`` that isn't a
    transformer is left out of a fitted model, as it is of copies. Such a model predicts
    from ``embeddings``, or after ``set_params(embedder=model)``.

    Texts that are missing (None or NaN), empty, or without a known word have no topic,
    and nothing is learned from them.

    Examples
    --------
    >>> from skdeepcluster.topics import TopicClustering
    >>> texts = ["red apple pie", "apple pie", "an apple tree", "the apple fell"]
    >>> texts += ["fast car", "car race", "a car in the race", "car wheels"]
    >>> model = TopicClustering(2, no_topic=None, random_state=0).fit(texts)
    >>> [name.split(", ")[0] for name in model.topic_names_]
    ['apple', 'car']
    >>> model.predict(["my car", "apple juice", "xyz"]).tolist()
    [1, 0, -1]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [Interval(Integral, 1, None, closed="left"), None],
        "embedder": [HasMethods(["transform"]), HasMethods(["encode"]), callable, None],
        "vectorizer": [HasMethods(["fit_transform", "get_feature_names_out"]), None],
        "no_topic": [Interval(Real, 0, 1, closed="neither"), None],
        "n_terms": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        embedder: Any = None,
        vectorizer: Any = None,
        no_topic: float | None = 0.02,
        n_terms: int = 8,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.embedder = embedder
        self.vectorizer = vectorizer
        self.no_topic = no_topic
        self.n_terms = n_terms
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, *, embeddings: Any = None) -> Any:
        """Find the topics of texts.

        Parameters
        ----------
        X : array-like of str of shape (n_samples,)
            Texts: a list, an array, or a column of a data frame.
        {y}
        embeddings : {array-like, sparse matrix} of shape (n_samples, n_features), \
default=None
            Rows of the texts, in place of those that ``embedder`` makes.

        Returns
        -------
        {self}

        Raises
        ------
        TypeError
            If ``X`` is a single text or holds what is no text.
        ValueError
            If a parameter is unusable, ``X`` is a table, or no text has a word.
        """
        if isinstance(self.embedder, str):
            raise TypeError(
                f"embedder={self.embedder!r} is a name: give the model itself, as "
                f"SentenceTransformer({self.embedder!r})."
            )
        # Not a copy: that would leave the language model out.
        model = type(self)(**self.get_params(deep=False))
        with plain_settings():
            model._learn(as_texts(X), embeddings)
        take_over(self, model)
        if self.n_clusters is None and self.n_clusters_ == 1:
            warn(
                "The texts are one topic: no valleys are between any. Give n_clusters "
                "for topics that are parts of it."
            )
        return self

    def fit_predict(self, X: Any, y: Any = None, *, embeddings: Any = None) -> Any:
        """Find the topics of texts, and return that of each.

        Parameters
        ----------
        X : array-like of str of shape (n_samples,)
            Texts.
        {y}
        embeddings : {array-like, sparse matrix} of shape (n_samples, n_features), \
default=None
            Rows of the texts, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Topic of each text, -1 for none.
        """
        return self.fit(X, y, embeddings=embeddings).labels_

    def _learn(self, texts: list[str], embeddings: Any) -> None:
        some = [text for text in texts if text]
        if not some:
            raise ValueError("X has no text that isn't empty or missing.")
        self._by_words = embeddings is None and self.embedder is None
        vectorizer = self.vectorizer
        if vectorizer is None:
            vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
        try:
            self.vectorizer_ = clone(vectorizer).fit(some)
        except ValueError as error:
            raise ValueError(
                "X has no terms to name topics by: give a vectorizer that finds some, "
                f"as TfidfVectorizer(analyzer='char'). {error}"
            ) from error
        if embeddings is None and hasattr(self.embedder, "transform"):
            self.embedder_ = clone(self.embedder).fit(some)
        self._rows, self._known = self._rows_of(texts, embeddings)
        if self._rows.shape[0] < 2:
            raise ValueError(
                f"X has {self._rows.shape[0]} text with a word: give two or more."
            )
        self._keys = row_keys(self._rows)
        self._texts = [texts[place] for place in np.flatnonzero(self._known)]
        topics = self._parts(np.arange(len(self._texts)), self.n_clusters)
        self._farthest = np.inf
        if self.no_topic is not None:
            distances = self._own_distances()
            self._farthest = float(np.quantile(distances, 1 - self.no_topic))
            far = distances > self._farthest
            # A topic of such texts alone keeps them.
            far &= np.bincount(topics, ~far)[topics] > 0
            topics = np.where(far, -1, topics)
        self._take(topics, {})

    def _parts(self, members: np.ndarray, n_clusters: int | None) -> np.ndarray:
        """Cluster of each of some texts, the largest first."""
        # A number is handed on, so that k-means is scikit-learn's with that number.
        given = isinstance(self.random_state, Integral)
        seed = int(self.random_state) if given else spawn_seeds(self.random_state, 1)[0]
        graph = GraphClustering(n_clusters, random_state=seed)
        if not self._by_words:
            return graph.fit(self._rows[members]).labels_
        # Words that are not known count for distances alone.
        texts = [self._texts[member] for member in members]
        rows = self.vectorizer_.transform(texts)
        # Rows of length one stay what they are, to the last bit: k-means is chaotic.
        if not np.allclose(row_norms(rows), 1):
            rows = normalize(rows)
        with warnings.catch_warnings():
            # Which is said in the guide: between topics of words there are no valleys.
            warnings.filterwarnings("ignore", "These .* clusters are arbitrary")
            labels = graph.fit(rows).labels_
        if graph.n_clusters_ > 1:
            kmeans = KMeans(graph.n_clusters_, n_init=RUNS, random_state=seed)
            centers = kmeans.fit_predict(rows)
            mass, space = np.ones(len(labels)), components(rows, seed)
            least = CLEARER * explained(space, mass, centers)
            if explained(space, mass, labels) < least:
                labels = by_size(centers, mass)
        return labels

    def _take(self, topics: np.ndarray, given: dict[int, str]) -> None:
        """Set the topics of the texts that have a row, and what follows from them."""
        self.cluster_names_ = given
        self._topics = topics.astype(np.int32)
        self.labels_ = np.full(len(self._known), -1, dtype=np.int32)
        self.labels_[self._known] = self._topics
        self.n_clusters_ = int(topics.max()) + 1
        weights = self.vectorizer_.transform(self._texts)
        terms = self.vectorizer_.get_feature_names_out()
        means = mean_weights(weights, self._topics)
        self.topic_names_ = topic_names(*means, terms, given)

    @property
    def topics_(self) -> Any:
        """A row for each topic, in a pandas.DataFrame."""
        check_is_fitted(self)
        table = topic_table(
            self._texts,
            self._topics,
            self.vectorizer_.transform(self._texts),
            self.vectorizer_.get_feature_names_out(),
            self._rows,
            self.n_terms,
            given=self.cluster_names_,
        )
        # Among all the texts, with those that have no row.
        places = np.flatnonzero(self._known)
        table["typical_rows"] = [
            places[rows].tolist() for rows in table["typical_rows"]
        ]
        table["share"] = table["size"] / len(self.labels_)
        return table

    def _rows_of(self, texts: list[str], embeddings: Any) -> tuple[Any, np.ndarray]:
        """Rows of length one of the texts that have a word, and which texts these are.

        Of word weights, the length is one with the words that are not known.
        """
        known = np.array([bool(text) for text in texts], dtype=bool)
        if embeddings is not None:
            if self._by_words:
                raise ValueError(
                    "embeddings can't be compared: the topics were found in weights of "
                    "words. Leave embeddings out, or fit with them."
                )
            rows = embeddings if sp.issparse(embeddings) else np.asarray(embeddings)
            if rows.ndim != 2 or rows.shape[0] != len(texts):
                raise ValueError(
                    f"embeddings has the shape {rows.shape} and X {len(texts)} texts: "
                    "give a row for each text."
                )
            rows = rows[known]
        elif self._by_words:
            rows = normalize(self.vectorizer_.transform(texts))
            rows = sp.csr_array(rows)
            known = np.diff(rows.indptr) > 0
            share = known_share(self.vectorizer_, texts)
            rows = sp.csr_array(rows.multiply(np.sqrt(share)[:, None]))[known]
            return rows, known
        if not known.any():
            return self._rows[:0], known
        if embeddings is None:
            rows = self._embedded([text for text in texts if text])
        rows = normalize(
            check_array(
                rows,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                input_name="embeddings",
            )
        )
        if hasattr(self, "_rows") and rows.shape[1] != self._rows.shape[1]:
            raise ValueError(
                f"The embeddings have {rows.shape[1]} columns, those in fit "
                f"{self._rows.shape[1]}: take the same language model."
            )
        return rows, known

    def _embedded(self, texts: list[str]) -> Any:
        """Make embeddings of texts; None where topics were found by word weights."""
        if self._by_words:
            return None
        if hasattr(self, "embedder_"):
            return self.embedder_.transform(texts)
        if self.embedder is None:
            raise ValueError(
                "The topics were found in embeddings, and the language model isn't "
                "saved: give embeddings= of these texts by the same model, or the model"
                " by set_params(embedder=model)."
            )
        return getattr(self.embedder, "encode", self.embedder)(texts)

    def _similarities(
        self, rows: Any
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield parts of some rows and how near they are to all the training texts.

        These are the cosines, which votes are weighed by, and what `farness` is of: of
        word weights, the share of a text's own length that is in a training text's
        words; of embeddings, the cosines again.
        """
        for part, padded in padded_parts(rows.shape[0]):
            some, size = rows[padded], part.stop - part.start
            near = dense(some @ self._rows.T)[:size]
            if self._by_words:
                yield part, near, dense(some.power(2) @ (self._rows > 0).T)[:size]
            else:
                yield part, near, near

    def _own_distances(self) -> np.ndarray:
        """Distance of each training text to the nearest other ones."""
        distances = np.empty(len(self._texts))
        for part, _, close in self._similarities(self._rows):
            own = np.arange(part.start, part.stop)
            close[own - part.start, own] = -1
            distances[part] = farness(close)
        return distances

    def _placed(self, X: Any, embeddings: Any) -> tuple[np.ndarray, np.ndarray]:
        """Topic of each text, and the share of each topic in the votes on it."""
        check_is_fitted(self)
        texts = as_texts(X)
        rows, known = self._rows_of(texts, embeddings)
        found = np.full(len(texts), -1, dtype=np.int32)
        shares = np.full((len(texts), self.n_clusters_), 1 / self.n_clusters_)
        if not known.any():
            return found, shares
        labels = np.empty(rows.shape[0], dtype=np.int32)
        votes = np.zeros((rows.shape[0], self.n_clusters_))
        for part, near, close in self._similarities(rows):
            n_voters = min(VOTERS, near.shape[1])
            voters = np.argpartition(near, -n_voters, axis=1)[:, -n_voters:]
            weights = np.take_along_axis(near, voters, axis=1).clip(min=TINY)
            topics = self._topics[voters]
            each, place = np.nonzero(topics >= 0)
            np.add.at(votes[part], (each, topics[each, place]), weights[each, place])
            labels[part] = np.where(
                (farness(close) > self._farthest) | ~votes[part].any(1),
                -1,
                votes[part].argmax(1),
            )
        # A training text has the topic that it was given.
        same = known_keys(row_keys(rows), self._keys)
        labels = np.where(same >= 0, self._topics[same], labels)
        mine = np.flatnonzero((same >= 0) & (labels >= 0))
        votes[mine, labels[mine]] = np.nextafter(votes[mine].max(1), np.inf)
        votes[labels < 0] = 1
        found[known] = labels
        shares[known] = votes / votes.sum(1, keepdims=True)
        return found, shares

    def predict(self, X: Any, *, embeddings: Any = None) -> np.ndarray:
        """Topic of each text, by the votes of the training texts nearest to it.

        Parameters
        ----------
        X : array-like of str of shape (n_samples,)
            Texts.
        embeddings : {array-like, sparse matrix} of shape (n_samples, n_features), \
default=None
            Rows of the texts, of the same model as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Topic of each text, -1 for none; on the training texts, ``labels_``.
        """
        with plain_settings():
            return self._placed(X, embeddings)[0]

    def predict_proba(self, X: Any, *, embeddings: Any = None) -> np.ndarray:
        """Share of each topic among the votes on a text.

        Parameters
        ----------
        X : array-like of str of shape (n_samples,)
            Texts.
        embeddings : {array-like, sparse matrix} of shape (n_samples, n_features), \
default=None
            Rows of the texts, of the same model as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_clusters)
            Rows sum to one. The largest share is that of the topic that `predict`
            gives; of a text without a topic, all are alike.
        """
        with plain_settings():
            return self._placed(X, embeddings)[1]

    def merge_topics(self, topics: Any) -> "TopicClustering":
        """Make one topic of several, here and in predictions.

        Parameters
        ----------
        topics : sequence of int
            The topics. Theirs are then the smallest of their numbers and the name that
            was given to it, if one was; the later ones move up.

        Returns
        -------
        TopicClustering
            The estimator itself.

        Raises
        ------
        ValueError
            If there are fewer than two topics, or one isn't among those found.
        """
        if isinstance(topics, Integral | str):
            raise ValueError(f"topics={topics!r} must be a sequence of topics.")
        merged = sorted({self._checked(topic) for topic in topics})
        if len(merged) < 2:
            raise ValueError(
                f"topics={topics!r} must hold two topics or more to merge."
            )
        numbers = np.arange(self.n_clusters_)
        numbers[merged] = merged[0]
        numbers = np.unique(numbers, return_inverse=True)[1]
        names = {
            int(numbers[topic]): name
            for topic, name in self.cluster_names_.items()
            if topic not in merged[1:]
        }
        self._take(np.where(self._topics < 0, -1, numbers[self._topics]), names)
        return self

    def split_topic(self, topic: int, n_topics: int | None = None) -> "TopicClustering":
        """Look for topics within one, here and in predictions.

        Parameters
        ----------
        topic : int
            The topic. Its largest part keeps the number and a name that was given, and
            the others get new numbers, after all the others.
        n_topics : int or None, default=None
            Number of parts. None finds it.

        Returns
        -------
        TopicClustering
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no such topic, or no parts of it are found.
        """
        topic = self._checked(topic)
        if n_topics is not None and (
            not isinstance(n_topics, Integral) or n_topics < 2
        ):
            raise ValueError(f"n_topics={n_topics!r} must be an integer >= 2, or None.")
        members = np.flatnonzero(self._topics == topic)
        if n_topics is not None and n_topics > len(members):
            raise ValueError(
                f"n_topics={n_topics} is more than topic {topic} has texts, "
                f"{len(members)}."
            )
        with plain_settings():
            parts = self._parts(members, n_topics)
        if not parts.any():
            raise ValueError(
                f"No parts of topic {topic} are apart, among {len(members)} texts: give"
                " n_topics, or leave it whole."
            )
        topics = self._topics.copy()
        topics[members] = np.where(parts == 0, topic, self.n_clusters_ - 1 + parts)
        self._take(topics, self.cluster_names_)
        return self

    def rename_topic(self, topic: int, name: str) -> "TopicClustering":
        """Give a topic a name, which tables and displays have from then on.

        Parameters
        ----------
        topic : int
            The topic, which keeps its number.
        name : str
            The name.

        Returns
        -------
        TopicClustering
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no such topic, or the name is no string.
        """
        number = self._checked(topic)
        names = {**self.cluster_names_, number: checked_name(name)}
        self._take(self._topics, names)
        return self

    def _checked(self, topic: Any) -> int:
        """Return the number of a topic that there is."""
        check_is_fitted(self)
        known = range(self.n_clusters_)
        if not isinstance(topic, Integral) or int(topic) not in known:
            raise ValueError(
                f"{topic!r} is no topic: there are 0 to {self.n_clusters_ - 1}."
            )
        return int(topic)

    def topics_over_time(
        self, dates: Any, *, freq: str = "M", normalize: bool = False
    ) -> Any:
        """Count the training texts of each topic in each period.

        Parameters
        ----------
        dates : array-like of shape (n_samples,)
            Date of each training text: strings or dates. Texts without one are left
            out.
        freq : str, default="M"
            Length of a period, as pandas calls it: "Y", "Q", "M", "W", "D" or "h".
        normalize : bool, default=False
            Whether to give shares of the texts of a period in place of numbers, those
            without a topic among the texts.

        Returns
        -------
        pandas.DataFrame
            A row for each topic and a column for each period, from the first to the
            last.

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError
            If dates are not as many as the texts, or can't be read.
        """
        check_is_fitted(self)
        pandas: Any = import_extra("pandas", "compare", "topics_over_time")
        dates = pandas.Series([*dates]).infer_objects()
        numbers = [it for it in dates if isinstance(it, Real) and it == it]
        if numbers:
            raise ValueError(
                f"dates holds numbers, as {numbers[0]!r}, which may count anything: of "
                "years, give pandas.to_datetime(years, format='%Y')."
            )
        if len(dates) != len(self.labels_):
            raise ValueError(
                f"There are {len(dates)} dates and {len(self.labels_)} texts in fit: "
                "give the date of each."
            )
        try:
            column = looked_at(dates, "dates", "date")
            if isinstance(column, str):
                raise ValueError(f"dates can't be read: {column}.")
            read = pandas.Series(column.read(dates))
            periods = read.dt.to_period(freq)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"dates or freq={freq!r} can't be read: give dates in one format, or "
                f"those of pandas. {error}"
            ) from error
        if column.note:
            warn(f"{column.note}.")
        dated = periods.notna().to_numpy()
        if not dated.any():
            raise ValueError("dates has no date: all are missing.")
        counts = pandas.crosstab(self.labels_[dated], periods[dated].to_numpy())
        counts = counts.reindex(
            columns=pandas.period_range(*periods[dated].agg(["min", "max"]), freq=freq),
            fill_value=0,
        )
        if normalize:
            counts = counts / counts.sum().clip(lower=1)
        # A topic may have no text with a date; what has no topic is left out.
        counts = counts.reindex(range(self.n_clusters_), fill_value=0)
        return counts.rename_axis(index="topic", columns="period")

    def __getstate__(self) -> dict[str, Any]:
        """Return what is saved: a fitted model without its language model."""
        state = super().__getstate__()
        if "labels_" in state and not is_saved(self.embedder):
            state = {**state, "embedder": None}
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags


def is_saved(embedder: Any) -> bool:
    """Whether an embedder is a transformer, or a function that its name will find."""
    if isinstance(embedder, FunctionType):
        return embedder.__module__ != "__main__" and "<" not in embedder.__qualname__
    return embedder is None or hasattr(embedder, "transform")


def components(rows: Any, seed: int) -> np.ndarray:
    """Word weights in few dimensions (latent semantic analysis), of length one."""
    if min(rows.shape) > DIMS:
        return normalize(TruncatedSVD(DIMS, random_state=seed).fit_transform(rows))
    return dense(rows)


def dense(rows: Any) -> np.ndarray:
    """Rows as an array."""
    return rows.toarray() if sp.issparse(rows) else rows


def farness(close: np.ndarray) -> np.ndarray:
    """Mean distance to the nearest of some texts, of how near these are."""
    count = max(min(NEAREST, close.shape[1] - 1), 1)
    close, total = close.copy(), np.zeros(len(close))
    # A tenth of the time of a partition.
    for _ in range(count):
        best = np.arange(len(close)), close.argmax(1)
        total += close[best]
        close[best] = -np.inf
    return 1 - total / count


def known_share(vectorizer: Any, texts: list[str]) -> np.ndarray:
    """Share of the square of a row's length that is of words that are known.

    A word that isn't known has the weight of the rarest.
    """
    if not hasattr(vectorizer, "build_analyzer") or not hasattr(
        vectorizer, "vocabulary_"
    ):
        return np.ones(len(texts))
    analyze, known = vectorizer.build_analyzer(), vectorizer.vocabulary_
    weights = np.square(getattr(vectorizer, "idf_", np.ones(len(known))))
    rarest, shares = weights.max(), np.ones(len(texts))
    for place, text in enumerate(texts):
        found = [known.get(term) for term in sorted({*analyze(text)})]
        own = weights[[term for term in found if term is not None]].sum()
        shares[place] = own / max(own + found.count(None) * rarest, TINY)
    return shares
