"""Why rows are in a cluster, or are odd: the columns that tell, and typical rows.

Every function takes a fitted estimator, alone, at the end of a pipeline or in a
search, and most give a table: ``pip install 'skdeepcluster[compare]'``.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize
from sklearn.utils import check_array

from skdeepcluster._columns import as_frame
from skdeepcluster._deciding import Decisions, checked_rows
from skdeepcluster._described import (
    described,
    effects_and_steps,
    labels_of,
    names_of,
    reason,
    space_of,
    strongest,
    typical,
)
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import (
    fitted_labels,
    given_names,
    in_units,
    keeps_columns,
    last_step,
    latent_rows,
    searched,
)
from skdeepcluster._labels import is_noise
from skdeepcluster._rows import check_counts, known_rows, sample_rows, takes_tensors
from skdeepcluster._shares import Shares, seen_rows
from skdeepcluster._sklearn import _safe_indexing
from skdeepcluster._terms import as_texts, term_weights, text_labels, topic_table
from skdeepcluster.oddness import Columns
from skdeepcluster.tables import TableEncoder
from skdeepcluster.topics import TopicClustering

__all__ = [
    "cluster_effects",
    "confidence",
    "describe_clusters",
    "describe_outliers",
    "describe_topics",
    "explain_rows",
    "row_attributions",
]

# Columns that a cluster is named by.
NAMED_BY = 2

# Rows that clusters near outliers are looked for among, at most.
ROWS_FOR_CLUSTERS = 10_000


@takes_tensors
def describe_clusters(
    estimator: Any,
    X: Any,
    feature_names: Any = None,
    *,
    labels: Any = None,
    n_features: int = 5,
    n_rows: int = 5,
) -> Any:
    """Size, typical rows and telling columns of every cluster.

    Parameters
    ----------
    estimator : fitted estimator or None
        Clusterer, a pipeline that ends in one, or a search over these. None with
        ``labels`` of any origin.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as the estimator takes them. A data frame may hold words, dates, texts
        and gaps.
    feature_names : array-like of str, default=None
        Names of the columns. None takes those of a data frame, or those that the steps
        of a pipeline give.
    labels : array-like of shape (n_samples,), default=None
        Clusters; negative numbers are noise. None takes those of the estimator.
    n_features : int, default=5
        Columns of a cluster, at most.
    n_rows : int, default=5
        Typical rows of a cluster, at most.

    Returns
    -------
    pandas.DataFrame
        A row for each cluster, with

        - ``name``: that of the estimator's ``cluster_names_``, or else the two columns
          that set it apart most, as ``low weight, origin = Japan``;
        - its number of rows ``size`` and their ``share``;
        - ``typical_rows``: a list of the positions in ``X`` of the rows nearest to the
          cluster's mean in the space where the estimator looked for clusters, no two of
          them equal;
        - ``features``: a dictionary from what columns say to effects as in
          `cluster_effects`, the strongest first, one for each column;
        - ``reasons``: the same in words, medians in the units of the columns and shares
          of rows, as ``carrier = UA: 86 % here, 20 % elsewhere``.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If the estimator is no clusterer, or neither it nor labels are given.
    ValueError
        If neither ``X`` nor what a step of the pipeline makes of it is a table of
        finite numbers; if names or labels are not as many as columns or rows.

    See Also
    --------
    skdeepcluster.plotting.ClusterFeaturesDisplay : The columns as bars.
    describe_outliers : Why rows are odd.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_iris
    >>> from skdeepcluster.explain import describe_clusters
    >>> iris = load_iris()
    >>> kmeans = KMeans(3, random_state=0).fit(iris.data)
    >>> table = describe_clusters(kmeans, iris.data, iris.feature_names, n_features=1)
    >>> sorted(table["size"])
    [39, 50, 61]
    >>> table["features"][kmeans.predict(iris.data)[0]]
    {'petal length (cm)': -1.0}
    >>> table["reasons"][kmeans.predict(iris.data)[0]]
    ['petal length (cm): median 1.5 here, 4.9 elsewhere']
    """
    pandas = import_extra("pandas", "compare", "describe_clusters")
    check_counts(n_features=n_features, n_rows=n_rows)
    it = described(estimator, X, feature_names, labels)
    effects, steps = effects_and_steps(it)
    space = space_of(estimator, X, it)
    names = given_names(estimator) if labels is None else {}
    records = []
    for place, cluster in enumerate(it.found):
        members = np.flatnonzero(it.labels == cluster)
        best = strongest(it, effects[place], steps[place], n_features)
        records.append(
            {
                "name": names.get(cluster)
                or ", ".join(
                    it.features[column].named(effects[place, column])
                    for column in best[:NAMED_BY]
                ),
                "size": len(members),
                "share": len(members) / len(it.labels),
                "typical_rows": typical(space, members, n_rows),
                "features": {
                    it.features[column].name: round(float(effects[place, column]), 3)
                    for column in best
                },
                "reasons": [reason(it, cluster, column) for column in best],
            }
        )
    index = pandas.Index(it.found, name="cluster")
    return pandas.DataFrame(records, index=index)


@takes_tensors
def cluster_effects(
    estimator: Any, X: Any, feature_names: Any = None, *, labels: Any = None
) -> Any:
    """How much more or less of every column the rows of each cluster have.

    The effect is Cliff's delta [1]_: the probability that a row of the cluster has a
    larger value than one of the other rows, less the probability of a smaller value.
    It has no unit, and no transformation of a column that keeps the order changes it;
    of a column of zeros and ones it is the difference of shares. Rows of noise are
    among the others.

    Parameters
    ----------
    estimator : fitted estimator or None
        Clusterer, a pipeline that ends in one, or a search over these. None with
        ``labels`` of any origin.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as the estimator takes them. Of a data frame, whatever it holds, the
        effects are of what its own columns say: a number, ``color = red``, ``hour of
        date``, ``comment has 'late'``, ``weight = missing``. Of other rows they are of
        the first table of finite numbers on the way to the clusterer.
    feature_names : array-like of str, default=None
        Names of the columns. None takes those of a data frame, or those that the steps
        of a pipeline give.
    labels : array-like of shape (n_samples,), default=None
        Clusters; negative numbers are noise. None takes those of the estimator.

    Returns
    -------
    pandas.DataFrame of shape (n_clusters, n_features)
        Effects between -1, all rows of the cluster have less than all others, and 1.
        They are 0 where there is one cluster alone.

    References
    ----------
    .. [1] Cliff, N. (1993). Dominance statistics: ordinal analyses to answer ordinal
       questions. Psychological Bulletin 114.

    Examples
    --------
    >>> from skdeepcluster.explain import cluster_effects
    >>> X = [[1, 5], [2, 6], [8, 5], [9, 6]]
    >>> table = cluster_effects(None, X, ["length", "width"], labels=[0, 0, 1, 1])
    >>> table.loc[0].to_dict(), table.loc[1].to_dict()
    ({'length': -1.0, 'width': 0.0}, {'length': 1.0, 'width': 0.0})
    """
    pandas = import_extra("pandas", "compare", "cluster_effects")
    it = described(estimator, X, feature_names, labels)
    index = pandas.Index(it.found, name="cluster")
    names = [feature.name for feature in it.features]
    return pandas.DataFrame(effects_and_steps(it)[0], index=index, columns=names)


@takes_tensors
def explain_rows(
    estimator: Any,
    X: Any,
    feature_names: Any = None,
    *,
    rows: Any = None,
    n_features: int = 3,
) -> Any:
    """Why rows are in their clusters, and not in the next ones.

    Parameters
    ----------
    estimator : fitted estimator
        Clusterer, a pipeline that ends in one, or a search over these.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as the estimator takes them, with some of every cluster: what a cluster
        has is told by these.
    feature_names : array-like of str, default=None
        Names of the columns. None takes those of a data frame, or those that the steps
        of a pipeline give.
    rows : array-like of int, default=None
        Positions of the rows to explain. None explains all.
    n_features : int, default=3
        Columns of a row, at most.

    Returns
    -------
    pandas.DataFrame
        A line for each row, with the index that the row has in ``X``, a frame, or else
        its position.

        =============  =================================================================
        cluster        cluster of the row, -1 for noise
        runner_up      the cluster that is next to the row, also to noise
        margin         how much more ``predict_proba`` gives to the cluster than to the
                       runner-up, or, where there is none, how much more of it there is
                       by the distances to both means; not a number for noise
        features       dictionary from names of columns to what they decide, what
                       decides most first: what speaks for the cluster is positive. See
                       `row_attributions` for the unit
        values         dictionary from the same names to what the row has there
        instead        the same to what the runner-up has there: the median of numbers,
                       or the value that is most frequent
        reasons        the same in words
        =============  =================================================================

        The last four are empty for noise. Names and values are those of the table that
        a :class:`~skdeepcluster.tables.TableEncoder` gets; else of the first table of
        finite numbers in a pipeline, where all further steps are affine, as scalers and
        principal components are; and else those that the clusterer sees. Values are in
        the units of ``X`` where earlier steps scale columns one by one or fill gaps.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If the estimator is no clusterer, or was fitted to distances.
    ValueError
        If there are fewer than two clusters; if ``X`` has no row of one that is next to
        a row; if neither ``X`` nor what a step makes of it is a table of finite
        numbers; if ``rows`` are no positions in ``X``.

    See Also
    --------
    row_attributions : The same numbers for all columns, also as images.
    confidence : How sure the cluster of a row is.
    describe_clusters : What sets a whole cluster apart.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeepcluster.explain import explain_rows
    >>> from skdeepcluster.graph import GraphClustering
    >>> iris = load_iris(as_frame=True).data
    >>> graph = GraphClustering(3, random_state=0).fit(iris)
    >>> table = explain_rows(graph, iris, rows=[0], n_features=1)
    >>> table["values"][0]
    {'petal length (cm)': 1.4}
    >>> table["reasons"][0]
    ['petal length (cm): 1.4, median 1.5 here, 4.5 in cluster 0']
    """
    pandas = import_extra("pandas", "compare", "explain_rows")
    check_counts(n_features=n_features)
    X = known_rows(X)
    it = Decisions.of(estimator, X, feature_names)
    rows = checked_rows(rows, len(it.labels))
    margins, decided = it.margins(), it.attributions(rows)
    records = [
        {
            "cluster": it.labels[row],
            "runner_up": it.shares.clusters[it.other[row]],
            "margin": margins[row],
            **it.told(row, effects, n_features),
        }
        for row, effects in zip(rows, decided, strict=True)
    ]
    index = (
        X.index if hasattr(X, "iloc") else pandas.RangeIndex(len(it.labels), name="row")
    )
    return pandas.DataFrame(records, index=index[rows])


@takes_tensors
def row_attributions(
    estimator: Any,
    X: Any,
    *,
    rows: Any = None,
    image_shape: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Tell what each column decides between the cluster of a row and the next one.

    These are integrated gradients [1]_ on the straight path to the row, from the middle
    between the means of the nearest members of both clusters, fifteen each. For a
    clusterer that tells clusters along a network, they are those of the log odds of the
    two clusters, or, where centroids decide, of the difference of the squared latent
    distances to both; their sum is that at the row less that at the middle. For any
    other clusterer they are those of the difference of the squared distances to the two
    means, which is their sum.

    Parameters
    ----------
    estimator : fitted estimator
        Clusterer, a pipeline that ends in one, or a search over these.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as the estimator takes them, with some of every cluster.
    rows : array-like of int, default=None
        Positions of the rows. None takes all.
    image_shape : tuple of int, default=None
        Shape of a row that is an image, as ``(8, 8)`` or ``(32, 32, 3)``. None leaves
        the columns in a line.

    Returns
    -------
    ndarray of shape (n_rows, n_columns), or (n_rows, height, width[, channels])
        In the columns of `explain_rows`. What speaks for the cluster is positive; zero
        for noise.

    Raises
    ------
    TypeError
        If the estimator is no clusterer, or was fitted to distances.
    ValueError
        As `explain_rows` does, and if the columns are not those of such an image.

    References
    ----------
    .. [1] Sundararajan, M., Taly, A. and Yan, Q. (2017). Axiomatic attribution for deep
       networks. ICML. https://arxiv.org/abs/1703.01365

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster.explain import row_attributions
    >>> from skdeepcluster.graph import GraphClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> graph = GraphClustering(10, random_state=0).fit(X)
    >>> row_attributions(graph, X, rows=[0, 1], image_shape=(8, 8)).shape
    (2, 8, 8)
    """
    X = known_rows(X)
    it = Decisions.of(estimator, X)
    found = it.attributions(checked_rows(rows, len(it.labels)))
    if image_shape is None:
        return found
    if np.prod(image_shape) != found.shape[1]:
        raise ValueError(
            f"image_shape={image_shape!r} has {np.prod(image_shape)} values and a row "
            f"{found.shape[1]} columns: give the shape of an image, as (28, 28)."
        )
    return found.reshape(-1, *image_shape)


@takes_tensors
def confidence(estimator: Any, X: Any) -> np.ndarray:
    """How sure the cluster of each row is.

    It is the geometric mean of two shares, or the one that there is:

    - what ``predict_proba`` gives to its cluster. Of a
      :class:`~skdeepcluster.graph.GraphClustering` that is the votes of its neighbours,
      and the mean of it and of the share of the starts that agree is taken: that of the
      training row which it equals, or which is nearest;
    - how much of its cluster there is by the distances to the clusters' means: a
      Student t kernel, in units of the usual distance to the own one, and of a graph
      in what clusters vary within.

    Parameters
    ----------
    estimator : fitted estimator
        Clusterer, a pipeline that ends in one, or a search over these.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as the estimator takes them. Where the clusterer has learned no means,
        they are those of these rows.

    Returns
    -------
    ndarray of shape (n_samples,)
        From 0 to 1. Zero for noise, which has no cluster; one where there is a single
        cluster. It sorts rows, and is no probability: with many clusters, or where they
        overlap, it is far below the share of rows that are right.

    Raises
    ------
    TypeError
        If the estimator is no clusterer, or tells nothing but labels of distances.
    ValueError
        If the rows are not those that the estimator takes.

    See Also
    --------
    explain_rows : What decides between the two clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepcluster.explain import confidence
    >>> from skdeepcluster.graph import GraphClustering
    >>> X = np.random.default_rng(0).normal(size=(200, 2)) + [[0, 0], [9, 9]] * 100
    >>> graph = GraphClustering(2, random_state=0).fit(X)
    >>> sure = confidence(graph, [[0, 0], [4.5, 4.5]])
    >>> bool(sure[0] > 0.9 > 0.8 > sure[1])
    True
    """
    X = known_rows(X)
    whole = searched(estimator)
    final = last_step(whole)
    labels = labels_of(fitted_labels(estimator, X), X)
    shares = Shares.of(whole, X, labels)
    own = shares.places(labels)[:, None]
    votes = [] if shares.votes is None else [shares.votes]
    near = [] if shares.nearness is None else [shares.nearness]
    votes, near = (
        [np.take_along_axis(it, own, 1)[:, 0] for it in each] for each in (votes, near)
    )
    if hasattr(final, "_agreement_about"):
        agreement = final._agreement_about(seen_rows(whole, X))
        votes += [] if agreement is None else [agreement]
    told = [np.mean(it, axis=0) for it in (votes, near) if it]
    if not told:
        raise TypeError(
            f"{type(final).__name__} gets distances and has no predict_proba: there is "
            "nothing that tells how sure its clusters are."
        )
    return np.where(is_noise(labels), 0, np.prod(told, axis=0) ** (1 / len(told)))


@takes_tensors
def describe_outliers(
    detector: Any,
    X: Any,
    feature_names: Any = None,
    *,
    labels: Any = None,
    n_outliers: int = 10,
    n_features: int = 3,
) -> Any:
    """Oddest rows, the columns that make them odd, and what was expected there.

    Parameters
    ----------
    detector : fitted estimator
        `DeepOutlierDetector`, a pipeline that ends in one, or a search over these.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as the detector takes them.
    feature_names : array-like of str, default=None
        Names of the detector's columns. None takes those of a data frame, or those
        that the steps of a pipeline give.
    labels : array-like of shape (n_samples,), default=None
        Clusters of the rows, of any origin; negative numbers are noise. With them, the
        table tells the normal cluster that is nearest to each odd row.
    n_outliers : int, default=10
        Rows to describe, at most.
    n_features : int, default=3
        Columns of a row, at most.

    Returns
    -------
    pandas.DataFrame
        For each of the oddest rows, the oddest first, as many rows as columns are
        described, the oddest first, all with the index that the row has in ``X``, a
        frame, or else its position: so ``X.loc[table.index]`` and, where no column has
        one of these names, ``X.join(table, how="right")`` tell the rest of it.

        ====================  ==========================================================
        score                 ``score_samples`` of the row
        probability           its ``outlier_probability``
        outlier               whether the detector has it for one
        told_by               "distance", "density" or "reconstruction": the largest of
                              its ``surprises``
        cluster               cluster of most of the ten inliers that are nearest to it,
                              where there are ``labels``
        feature               name of the column
        value                 what the row has there
        expected              what it should be, given the row's other columns
        oddness               squared difference of these, in units of the usual one
        ====================  ==========================================================

        Values are in the units of ``X`` where all the steps before the detector scale
        columns one by one or fill gaps, as a ``StandardScaler`` and a
        ``SimpleImputer`` do, or after a :class:`~skdeepcluster.tables.TableEncoder`,
        of whose columns the oddest part counts; and else those that the detector sees.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If the estimator is no `DeepOutlierDetector`.
    ValueError
        If names or labels are not as many as columns or rows.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skdeepcluster import DeepOutlierDetector
    >>> from skdeepcluster.explain import describe_outliers
    >>> wine = load_wine(as_frame=True).data
    >>> wine.loc[7, "ash"] = 9.0
    >>> detector = DeepOutlierDetector(random_state=0).fit(wine)
    >>> table = describe_outliers(detector, wine, n_features=1)
    >>> table.loc[7, ["feature", "value", "expected"]].to_dict()
    {'feature': 'ash', 'value': 9.0, 'expected': 2.665}
    """
    pandas = import_extra("pandas", "compare", "describe_outliers")
    check_counts(n_outliers=n_outliers, n_features=n_features)
    whole = searched(detector)
    final = last_step(whole)
    if not hasattr(final, "outlier_probability"):
        raise TypeError(
            f"{type(final).__name__} is no DeepOutlierDetector: give one, or a "
            "pipeline that ends in one."
        )
    n_steps = len(whole) - 1 if isinstance(whole, Pipeline) else 0
    X = known_rows(X)
    if labels is not None:
        labels = labels_of(labels, X)
    rows = whole[:-1].transform(X) if n_steps else X
    scores = final.score_samples(rows)
    oddest = np.argsort(scores, kind="stable")[:n_outliers]
    odd = _safe_indexing(rows, oddest)
    told_by = [list(final.tails_)[i] for i in final.surprises(odd).argmax(1)]
    oddness, expected = final.explain(odd), final.expected(odd)
    steps = [*whole[:-1]] if n_steps else []
    if (
        steps
        and isinstance(steps[0], TableEncoder)
        and all(map(keeps_columns, steps[1:]))
    ):
        expected = steps[0].inverse_transform(in_units(steps[1:], expected))
        names = np.array([*expected], dtype=object)
        values = as_frame(_safe_indexing(X, oddest))[names].to_numpy(object)
        expected = expected.to_numpy(object)
        of_column = steps[0].sources_ == names[:, None]
        oddness = np.where(of_column, oddness[:, None], 0).max(2)
    else:
        values = check_array(odd, accept_sparse="csr", dtype=np.float64)
        values = values.toarray() if sp.issparse(values) else values
        names = names_of(rows, oddness.shape[1], feature_names, whole, n_steps)
        if all(map(keeps_columns, steps)):
            values, expected = (in_units(steps, it) for it in (values, expected))
    clusters = None
    if labels is not None:
        normal = np.flatnonzero((scores >= final.offset_) & ~is_noise(labels))
        if not len(normal):
            raise ValueError(
                "labels has no cluster with a normal row: all of X is noise or an "
                "outlier. Give rows that are normal too, and their labels."
            )
        normal = normal[sample_rows(len(normal), ROWS_FOR_CLUSTERS, 0)]
        near = nearest(final.columns_, odd, _safe_indexing(rows, normal))
        clusters = [most_common(labels[normal[each]]) for each in near]
    records = []
    for place, row in enumerate(oddest):
        whole_row = {
            "score": scores[row],
            "probability": float(final.tail_.excess(-scores[row])),
            "outlier": bool(scores[row] < final.offset_),
            "told_by": told_by[place],
        }
        if clusters is not None:
            whole_row["cluster"] = clusters[place]
        for column in np.argsort(-oddness[place], kind="stable")[:n_features]:
            reason = {
                "feature": str(names[column]),
                "value": values[place, column],
                "expected": expected[place, column],
                "oddness": oddness[place, column],
            }
            records.append({**whole_row, **reason})
    each = np.repeat(oddest, len(records) // len(oddest))
    index = (
        X.index if hasattr(X, "iloc") else pandas.RangeIndex(len(scores), name="row")
    )
    return pandas.DataFrame(records, index=index[each])


@takes_tensors
def describe_topics(
    pipeline: Any,
    X: Any,
    *,
    labels: Any = None,
    vectorizer: Any = None,
    embeddings: Any = None,
    n_terms: int = 8,
    n_texts: int = 3,
) -> Any:
    """Name, size, terms and typical texts of every cluster of texts.

    Parameters
    ----------
    pipeline : Pipeline, TopicClustering or None
        Fitted; it takes texts, by word weights or by embeddings, and ends in a
        clusterer. A search over such pipelines as well. None with ``labels``.
    X : array-like of str
        Texts; None and NaN are missing ones.
    labels : array-like of shape (n_samples,), default=None
        Clusters of the texts; negative numbers are noise. None takes those of the
        pipeline.
    vectorizer : transformer or None, default=None
        What makes terms of texts, as in :func:`skdeepcluster.plotting.top_terms`.
    embeddings : {array-like, sparse matrix} of shape (n_samples, n_features), \
default=None
        Rows of the texts, in which typical ones are looked for. A
        :class:`~skdeepcluster.topics.TopicClustering` that was fitted to embeddings
        predicts from them as well.
    n_terms : int, default=8
        Terms of a cluster, at most.
    n_texts : int, default=3
        Typical texts of a cluster, at most.

    Returns
    -------
    pandas.DataFrame
        A row for each cluster, with its ``name``, which a person gave, or which shares
        no term with another, its number of texts ``size`` and their ``share``, its
        ``terms``, best first, its ``typical_texts`` and their positions in ``X``,
        ``typical_rows``. Typical texts are those nearest to its mean: among the
        ``embeddings``, or in the space where the pipeline looked for clusters or, for
        labels alone, in that of term weights.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If there is neither a pipeline that ends in a clusterer nor labels.
    ValueError
        If the texts are not as many as the labels or the embeddings, or all of them are
        noise.

    Examples
    --------
    >>> from skdeepcluster.explain import describe_topics
    >>> texts = ["red apple", "apple pie", "an apple", "fast car", "car race", "a car"]
    >>> table = describe_topics(None, texts, labels=[0, 0, 0, 1, 1, 1], n_texts=1)
    >>> table["name"].tolist()
    ['apple, pie, red', 'car, fast, race']
    >>> table["typical_texts"].tolist()
    [['an apple'], ['a car']]
    """
    check_counts(n_terms=n_terms, n_texts=n_texts)
    pipeline = searched(pipeline)
    topics = pipeline if isinstance(pipeline, TopicClustering) else None
    given = given_names(pipeline) if labels is None else {}
    if topics is not None:
        texts = as_texts(X)
        labels = topics.predict(X, embeddings=embeddings) if labels is None else labels
        if embeddings is None:
            embeddings = topics._embedded(texts)
    else:
        texts = X if hasattr(X, "__getitem__") else list(X)
    labels = text_labels(pipeline, texts, labels)
    weights, terms = term_weights(pipeline, texts, vectorizer)
    if embeddings is not None:
        space = check_array(embeddings, accept_sparse="csr")
        if space.shape[0] != len(labels):
            raise ValueError(
                f"embeddings has {space.shape[0]} rows and X {len(labels)} texts: give "
                "a row for each text."
            )
    elif pipeline is None or topics is not None:
        space = normalize(weights)
    else:
        space = check_array(latent_rows(pipeline, texts), accept_sparse="csr")
    shape = getattr(texts, "shape", ())
    if len(shape) > 1 and shape[1] > 1:
        # A pipeline may take its terms from a column of a table.
        texts = [", ".join(map(str, row)) for row in np.asarray(texts)]
    return topic_table(
        as_texts(texts), labels, weights, terms, space, n_terms, n_texts, given=given
    )


def nearest(columns: Columns, odd: Any, normal: Any, count: int = 10) -> np.ndarray:
    """Find the normal rows that are nearest to each odd one, in a detector's unit."""
    normal, odd = (
        columns.stretched(check_array(rows, accept_sparse="csr"))
        for rows in (normal, odd)
    )
    search = NearestNeighbors(n_neighbors=min(count, len(normal))).fit(normal)
    return search.kneighbors(odd, return_distance=False)


def most_common(labels: np.ndarray) -> Any:
    """Return the label that stands there most often, of several the nearest one."""
    found, first, counts = np.unique(labels, return_index=True, return_counts=True)
    return found[np.lexsort((first, -counts))[0]]
