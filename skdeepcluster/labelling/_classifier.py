"""Clusters, few answers, and a graph that carries them: a classifier.

What is learned from the columns alone has its part too: p = w f + (1 - w) e, with f the
probabilities that the graph spreads, e those of another classifier, and w averaged over
how well each weight would have told the answers that were left out in turn.
"""

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from skdeepcluster._docs import documented
from skdeepcluster._fitted import (
    HasParts,
    blank,
    fitted_labels,
    last_step,
    searched,
    take_over,
)
from skdeepcluster._rows import check_counts, plain_settings, takes_tensors, validated
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster._sklearn import HasMethods, Interval, _fit_context
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.neighbors import near_weights
from skdeepcluster.graph.rows import row_keys
from skdeepcluster.graph.votes import known_keys, padded_parts
from skdeepcluster.labelling._answers import (
    answers_as_codes,
    known_answers,
    shares_by,
    weight_of_graph,
)
from skdeepcluster.labelling._representatives import check_rows
from skdeepcluster.labelling._spreading import Graph, choose
from skdeepcluster.model_selection._fits import seeded


@documented
class ClusterThenLabelClassifier(ClassifierMixin, HasParts):
    """Classifier that learns from clusters and few answers.

    A clusterer, which never sees the answers, finds clusters in all the rows. The
    answers give each cluster its classes [1]_. Where answers within a cluster disagree,
    the smaller communities that it is made of get classes of their own. From the rows
    with answers and from these communities, probabilities are spread along a graph of
    nearest neighbours [2]_. Another classifier learns from the answers alone. Answers
    that are left out in turn tell how much each of the two is to be trusted, and their
    probabilities are mixed accordingly. `query` chooses what to ask next.

    Parameters
    ----------
    clusterer : clusterer or None, default=None
        Estimator or pipeline with ``fit_predict``; a clone of it is fitted. The graph
        is that of the rows which the last step of a pipeline gets; its latent rows
        count as much, if it has ``transform`` and ``inverse_transform``. A fitted one
        in a :class:`sklearn.frozen.FrozenEstimator` is used as it is, and so are frozen
        steps of a pipeline. None is :class:`skdeepcluster.graph.GraphClustering`, which
        finds the number of clusters; give it the number of classes if that is known.
    estimator : classifier or None, default=None
        Learns from the answers; needs ``predict_proba``. None is a logistic regression
        on columns that are divided by their standard deviations.
    n_neighbors : int, default=15
        Neighbours of each distinct row, without itself; a third of all, at most.
    warm_start : bool, default=False
        Whether to keep the clusters and the graph of the last call to `fit` if it had
        the same rows, so that further answers take a second. Other parameters that
        were changed in between have no effect on them.
    random_state : int, RandomState instance or None, default=None
        Seed of the graph's communities, and of a clusterer and an estimator that have
        none of their own. None takes fresh entropy; global random generators are
        neither read nor moved.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes among the answers; empty before the first.
    clusterer_ : clusterer
        The fitted clusterer.
    estimator_ : classifier or None
        The classifier that learned from the answers; None for fewer than two classes.
    graph_weight_ : float
        Weight of the graph's probabilities against the classifier's.
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        Probabilities of the classes for each training row.
    left_out_distributions_ : ndarray of shape (n_samples, n_classes) or None
        The same for each row with an answer, by the answers of other rows: a fifth are
        left out at a time. Not a number for rows without; None of fewer than ten
        answers.
    transduction_ : ndarray of shape (n_samples,)
        Class of each training row: its answer, where it has one and no other row is
        equal to it. Empty before the first answer.
    {features}

    See Also
    --------
    sklearn.semi_supervised.SelfTrainingClassifier : Adds the sure predictions of a
        classifier to its training data.
    sklearn.semi_supervised.LabelSpreading : Spreads labels without clusters.
    propagate : Labels from the answers about rows of any fitted clusterer.

    References
    ----------
    .. [1] Goldberg, A., Zhu, X., Singh, A., Xu, Z. and Nowak, R. (2009). Multi-manifold
       semi-supervised learning. AISTATS.
    .. [2] Zhu, X., Ghahramani, Z. and Lafferty, J. (2003). Semi-supervised learning
       using Gaussian fields and harmonic functions. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster.labelling import ClusterThenLabelClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> answers = np.full(len(X), -1)
    >>> model = ClusterThenLabelClassifier(warm_start=True, random_state=0)
    >>> for _ in range(3):
    ...     rows = model.fit(X, answers).query(10)
    ...     answers[rows] = y[rows]  # of the person who is asked
    >>> bool(model.fit(X, answers).score(X, y) > 0.9)
    True
    """

    _parts: ClassVar[dict[str, Callable[[], Any]]] = {
        "clusterer": GraphClustering,
        "estimator": lambda: make_pipeline(
            StandardScaler(with_mean=False), LogisticRegression(max_iter=1000)
        ),
    }
    _parameter_constraints: dict = {
        "clusterer": [
            HasMethods(["fit_predict"]),
            HasMethods(["fit", "predict"]),
            None,
        ],
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        clusterer: Any = None,
        *,
        estimator: Any = None,
        n_neighbors: int = 15,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.clusterer = clusterer
        self.estimator = estimator
        self.n_neighbors = n_neighbors
        self.warm_start = warm_start
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any) -> "ClusterThenLabelClassifier":
        """Learn from the rows of ``X`` and the answers there are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            All rows, with answers or without.
        y : array-like of shape (n_samples,)
            Class of each row, and -1, None or NaN where it is unknown, as it may be of
            every row. An array with classes that are strings needs dtype object to hold
            these; a list doesn't.

        Returns
        -------
        {self}

        Raises
        ------
        ValueError
            If a parameter or the data are unusable.
        """
        model = blank(self)
        model._learn(X, y, self)
        take_over(self, model)
        return self

    @takes_tensors
    def _learn(self, X: Any, y: Any, before: Any) -> None:
        if y is None:
            raise ValueError(
                "requires y to be passed, but the target y is None: give -1 for every "
                "row before the first answer."
            )
        X = validated(self, X, reset=True)
        y, known = known_answers(y)
        check_consistent_length(X, y)
        classes, codes = answers_as_codes(y, known)
        seeds = spawn_seeds(self.random_state, 3)
        keys = row_keys(X)
        with plain_settings():
            if (
                self.warm_start
                and hasattr(before, "clusterer_")
                and np.array_equal(before._row_keys, keys)
            ):
                self.clusterer_, graph = before.clusterer_, before._graph
            else:
                graph = self._cluster(X, seeds)
            self._row_keys, self._graph = keys, graph
            self.classes_ = classes
            self._take_answers(X, np.flatnonzero(known), codes, seeds[2])

    def _cluster(self, X: Any, seeds: list[int]) -> Graph:
        given = self._part("clusterer")
        if isinstance(given, FrozenEstimator):
            self.clusterer_ = given
            labels = fitted_labels(given, X)
        else:
            self.clusterer_ = seeded(given, seeds[0], only_unset=True)
            if hasattr(self.clusterer_, "fit_predict"):
                labels = np.asarray(self.clusterer_.fit_predict(X))
            else:
                # A search, or a pipeline that ends in a frozen clusterer.
                labels = fitted_labels(self.clusterer_.fit(X), X)
        return Graph.of(self._views(X), labels, self.n_neighbors, seeds[1])

    def _views(self, X: Any) -> list[Any]:
        """Rows in the spaces that they are neighbours in."""
        clusterer = searched(self.clusterer_)
        if isinstance(clusterer, Pipeline) and len(clusterer) > 1:
            X = clusterer[:-1].transform(X)
            X = check_array(X, accept_sparse="csr")
        final, views = last_step(clusterer), [X]
        if hasattr(final, "transform") and hasattr(final, "inverse_transform"):
            views.append(check_array(final.transform(X), accept_sparse="csr"))
        return views

    def _take_answers(
        self, X: Any, rows: np.ndarray, codes: np.ndarray, seed: int
    ) -> None:
        graph, n_classes = self._graph, len(self.classes_)
        of_row = graph.nodes.inverse
        self._asked = np.zeros(len(graph.nodes.first), dtype=bool)
        self._asked[of_row[rows]] = True
        self.estimator_, self.graph_weight_ = None, 1.0
        self.left_out_distributions_ = None
        if n_classes == 0:
            self._node_shares = np.zeros((len(self._asked), 0))
            self.label_distributions_ = np.zeros((len(of_row), 0))
            self.transduction_ = self.classes_
            return

        def spread(part: np.ndarray) -> np.ndarray:
            counts = np.zeros((len(self._asked), n_classes))
            np.add.at(counts, (of_row[rows[part]], codes[part]), 1)
            known = np.flatnonzero(counts.sum(1))
            n_answers = counts[known].sum(1)
            # Rows that are alike may differ in class: a few answers are not certain for
            # the others. One is as much as what the neighbours say.
            silent = 1 - n_answers / graph.nodes.mass[known]
            shares = counts[known] / n_answers[:, None]
            return graph.spread(known, shares, n_answers / (n_answers + silent))

        self._node_shares = spread(np.arange(len(rows)))
        if n_classes > 1:
            given = self._part("estimator")

            def learn(part: np.ndarray) -> Any:
                learner = seeded(given, seed, only_unset=True)
                return learner.fit(X[rows[part]], codes[part])

            self.graph_weight_, left_out = weight_of_graph(
                lambda part, left: (
                    spread(part)[of_row[rows[left]]],
                    shares_by(learn(part), X[rows[left]], n_classes),
                ),
                codes,
                self._representing(rows),
                seed,
            )
            if left_out is not None:
                self.left_out_distributions_ = np.full((X.shape[0], n_classes), np.nan)
                self.left_out_distributions_[rows] = left_out
            self.estimator_ = learn(np.arange(len(rows)))
        shares = self._mixed(self._node_shares[of_row], X)
        answered = np.bincount(of_row[rows], minlength=len(graph.nodes.mass))
        certain = (answered == graph.nodes.mass)[of_row]
        shares[certain] = self._node_shares[of_row[certain]]
        self.label_distributions_ = shares
        self.transduction_ = self.classes_[shares.argmax(1)]
        self._node_shares = shares[graph.nodes.first]

    def _representing(self, rows: np.ndarray) -> np.ndarray:
        """Share of all rows that each answer stands for: its community's."""
        parts, mass = self._graph.groups[1], self._graph.nodes.mass
        part = parts[self._graph.nodes.inverse[rows]]
        sizes = np.bincount(parts, mass)[part] / np.bincount(part)[part]
        return sizes / sizes.sum()

    def _mixed(self, shares: np.ndarray, X: Any) -> np.ndarray:
        """Add what the estimator says of rows to what the graph does."""
        if self.estimator_ is None or self.graph_weight_ == 1:
            return shares
        told = np.empty_like(shares)
        for part, rows in padded_parts(X.shape[0]):
            block = shares_by(self.estimator_, X[rows], shares.shape[1])
            told[part] = block[: part.stop - part.start]
        return self.graph_weight_ * shares + (1 - self.graph_weight_) * told

    @takes_tensors
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        Those of a row that equals a training row are the ones it had there; the nearest
        training rows vote about others, with the weights that their distances have in
        the graph.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``. Rows sum to one.

        Raises
        ------
        ValueError
            If no row had an answer in `fit`.
        """
        check_is_fitted(self)
        X = validated(self, X, reset=False)
        if len(self.classes_) == 0:
            raise ValueError(
                "No row had an answer in fit: give y the classes of some rows, as of "
                "those that query chooses."
            )
        graph = self._graph
        nodes, shares = graph.nodes, self._node_shares
        known = known_keys(row_keys(X, nodes.unit), nodes.keys)
        found, new = shares[known], known < 0
        if new.any():
            others = X[new]
            with plain_settings():
                found[new] = self._mixed(self._votes(others), others)
        return found

    def predict(self, X: Any) -> np.ndarray:
        """Most probable class of each row.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples,)
            On the training data, ``transduction_``.

        Raises
        ------
        ValueError
            If no row had an answer in `fit`.
        """
        found = self.predict_proba(X).argmax(1)
        return self.classes_[found]

    def _votes(self, X: Any) -> np.ndarray:
        """Probabilities for rows by the votes of the nearest training rows."""
        graph, views = self._graph, self._views(X)
        n_nodes = len(graph.nodes.first)
        n_neighbors = min(self.n_neighbors, n_nodes)
        votes = np.zeros((X.shape[0], len(self.classes_)))
        for space, view in zip(graph.spaces, views, strict=True):
            search = space.search(n_neighbors)
            for part, rows in padded_parts(X.shape[0]):
                lengths, near, begins = search(view[rows])
                near = near.reshape(-1, n_neighbors)
                weights = near_weights(lengths, begins).reshape(near.shape)
                weights = weights * graph.nodes.mass[near]
                weights /= weights.sum(1, keepdims=True)
                block = np.einsum("rn,rnc->rc", weights, self._node_shares[near])
                votes[part] += block[: part.stop - part.start]
        return votes / votes.sum(1, keepdims=True)

    @takes_tensors
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy among the rows whose class is known.

        Parameters
        ----------
        {X}
        y : array-like of shape (n_samples,)
            Their classes; rows with -1, None or NaN don't count.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Share of the rows of known class that `predict` gives this class.

        Raises
        ------
        ValueError
            If no row's class is known.
        """
        y, known = known_answers(y)
        if not known.any():
            raise ValueError("y holds no known class to compare predictions with.")
        right = self.predict(X)[known] == y[known]
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        return float(np.average(right, weights=weights))

    def query(self, n: int = 10, *, exclude: Any = ()) -> np.ndarray:
        """Training rows whose class to ask for next.

        First come clusters without any answer, the largest first; then communities
        without one and single rows, by how many rows of doubtful class an answer would
        decide. The row that stands for others is the most typical of them.

        Parameters
        ----------
        n : int, default=10
            Number of rows.
        exclude : array-like of int, default=()
            Rows not to ask for, as those that were asked for in vain.

        Returns
        -------
        ndarray of shape (n_rows,)
            Indices of training rows without an answer, the most useful first; fewer
            than ``n`` if there are no more distinct ones.

        Raises
        ------
        ValueError
            If ``n`` is no whole number of 1 at least, or ``exclude`` has other entries
            than indices of training rows.
        """
        check_is_fitted(self)
        check_counts(n=n)
        nodes, asked = self._graph.nodes, self._asked.copy()
        exclude = np.asarray(exclude)
        if exclude.size:
            check_rows("exclude", exclude, len(nodes.inverse), "training rows")
            asked[nodes.inverse[exclude.ravel()]] = True
        shares = self._node_shares if len(self.classes_) else None
        return nodes.first[choose(self._graph, shares, asked, int(n))]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
