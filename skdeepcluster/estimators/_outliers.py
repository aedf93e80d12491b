"""Unusual rows: a density, distances to clusters and reconstruction tell them.

For latent rows z with clusters of mean m_c and covariance S_c, the scores are
log p(z), -min_c sqrt((z - m_c)' S_c^-1 (z - m_c)) and the negative mean over columns j
of (x_j - x^_j)^2 / e_j, where e_j is the mean of (x_j - x^_j)^2 over the training rows.
Each is higher for a more normal row, and so is the average of their ranks among the
training rows.
"""

import functools
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from skdeepcluster import distributed
from skdeepcluster._fitted import blank, mean_and_variance, take_over
from skdeepcluster._sklearn import HasMethods, Interval, StrOptions, _fit_context
from skdeepcluster.batches import array_over_rows, in_batches, own_settings
from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._autoencoder_gmm import AutoencoderGMM
from skdeepcluster.estimators._base import (
    BaseDecodingEstimator,
    BaseDeepEstimator,
    column_errors,
    finite,
    reconstruction_errors,
    squared_errors,
)
from skdeepcluster.estimators._clusterer import BaseDeepClusterer
from skdeepcluster.estimators._given import (
    HoldsFitted,
    check_unchanged,
    is_fitted,
    unwrapped,
)
from skdeepcluster.networks import FARTHEST, AutoencoderModule
from skdeepcluster.streams import sampled, takes_any_rows

# Of the autoencoder where no estimator is given. One that learns for long, in small
# batches, reconstructs outliers as well as other rows: with the settings for clusters,
# the mean AUC over ten labelled sets falls from .66 to .58.
UNLEARNED = {"hidden_units": (256, 128), "batch_size": 256, "lr": 1e-3}

# Training scores that ranks are taken against, at most.
MAX_QUANTILES = 10_000
NEEDS = {
    "likelihood": "a mixture",
    "mahalanobis": "clusters",
    "reconstruction": "a decoder",
}
# Least variance of a cluster in any direction, as a share of the mean latent variance.
RIDGE = 1e-6
# Least usual error of a column, as a share of the mean over the columns: the division
# makes none count for more than 1 / 0.3 times what it did. A pixel that is empty in
# nearly all images, or a column that the network gives back exactly, would otherwise
# outweigh all others. Of 41 labelled sets, 0.1 and 0.3 give the same mean AUC within
# .004. With 1, which leaves columns of little error as they are, most of the gain on
# slips in a cell is lost: of nine sets .686, against .695 with 0.3 and .680 with no
# division.
LEAST_ERROR = 0.3
# Squared error, in units of the scale, that rounding to single precision makes.
ROUNDING = float(np.finfo(np.float32).eps) ** 2


def methods_for(estimator: Any) -> list[str]:
    """Names of the scores that an estimator can tell."""
    methods = []
    if isinstance(estimator, BaseDeepClusterer):
        if hasattr(estimator, "score_samples"):
            methods.append("likelihood")
        methods.append("mahalanobis")
    if isinstance(estimator, BaseDecodingEstimator):
        methods.append("reconstruction")
    return methods


def usual_errors(module: AutoencoderModule, X: Any) -> np.ndarray:
    """Mean squared error of each column of standardised rows, and no less than a floor.

    Parameters
    ----------
    module : AutoencoderModule
    X : {array-like, sparse matrix} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_features,)
    """
    error = functools.partial(squared_errors, module)
    total = np.zeros(X.shape[1])
    for rows in in_batches(error, X, module.shift.device):
        total += rows.sum(0).cpu().numpy()
    errors = finite(total / X.shape[0])
    return np.maximum(errors, max(LEAST_ERROR * errors.mean(), ROUNDING))


def cluster_metrics(Z: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each cluster, and a matrix that makes its covariance the identity.

    Covariances are drawn towards the one within all the clusters, as if each cluster
    had ``latent_dim + 1`` rows more: a cluster of a single row has one too.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
    labels : ndarray of shape (n_samples,)

    Returns
    -------
    means : ndarray of shape (n_clusters, latent_dim)
    whiteners : ndarray of shape (n_clusters, latent_dim, latent_dim)
    """
    Z = Z.astype(np.float64)
    clusters = [Z[labels == label] for label in np.unique(labels)]
    means = np.stack([rows.mean(0) for rows in clusters])
    centred = [rows - mean for rows, mean in zip(clusters, means, strict=True)]
    scatters = np.stack([rows.T @ rows for rows in centred])
    n_samples, latent_dim = Z.shape
    ridge = max(RIDGE * Z.var(0).mean(), np.finfo(np.float32).tiny)
    pooled = scatters.sum(0) / n_samples + ridge * np.eye(latent_dim)
    sizes = np.array([len(rows) for rows in clusters]).reshape(-1, 1, 1)
    prior = latent_dim + 1
    covariances = (scatters + prior * pooled) / (sizes + prior)
    return means, np.linalg.inv(np.linalg.cholesky(covariances))


def cluster_distances(
    Z: np.ndarray, means: np.ndarray, whiteners: np.ndarray
) -> np.ndarray:
    """Mahalanobis distance of each row to each cluster."""

    def distances(Z: np.ndarray) -> np.ndarray:
        each = [
            np.linalg.norm((Z - mean) @ whitener.T, axis=1)
            for mean, whitener in zip(means, whiteners, strict=True)
        ]
        return np.stack(each, axis=1)

    return array_over_rows(distances, Z)


def column_metrics(X: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the columns in each cluster, and their spread within clusters.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)

    Returns
    -------
    means : ndarray of shape (n_clusters, n_features)
    spreads : ndarray of shape (n_features,)
        Standard deviations, or the least positive one where a column has none.
    """
    moments = [mean_and_variance(X[labels == label]) for label in np.unique(labels)]
    means, variances = map(np.stack, zip(*moments, strict=True))
    sizes = np.unique(labels, return_counts=True)[1]
    variance = sizes @ variances / len(labels)
    least = variance[variance > 0].min(initial=np.inf)
    least = least if np.isfinite(least) else 1.0
    return means, np.sqrt(np.where(variance > 0, variance, least))


def quantiles(scores: np.ndarray) -> np.ndarray:
    """Sorted scores, or as many of them at equal steps as are worth keeping."""
    n_kept = min(len(scores), MAX_QUANTILES)
    steps = np.linspace(0, len(scores) - 1, n_kept).round().astype(int)
    return np.sort(scores)[steps]


def far_below(scores: np.ndarray) -> float:
    """Share of scores below the fence that boxes in a plot have, a quarter at most."""
    low, high = np.quantile(scores, [0.25, 0.75])
    return float(np.mean(scores < low - 1.5 * (high - low)))


def ranks(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Share of the sorted ``known`` scores that are lower, interpolated.

    Below them all, ranks fall on by less than one step: the order of the most unusual
    rows is kept, and none of them outweighs the others.
    """
    inside = np.interp(scores, known, np.linspace(0, 1, len(known)))
    below = np.maximum(known[0] - scores, 0)
    spread = max(known[len(known) // 2] - known[0], np.finfo(np.float32).tiny)
    return inside - below / (below + spread) / len(known)


class DeepOutlierDetector(OutlierMixin, HoldsFitted):
    """Outlier detection with the latent space and clusters of an estimator.

    A row is unusual if it is unlikely, far from every cluster or reconstructed worse
    than others. The estimator is fitted, or given, and its scores of the training rows
    say which value is a low one; ``predict`` tells 1 for inliers and -1 for outliers.

    Parameters
    ----------
    estimator : estimator of this package or None, default=None
        One that is fitted is used as it is, and stays so in clones; one that isn't is
        cloned and fitted. None is an ``AutoencoderGMM`` with
        ``Autoencoder((256, 128), batch_size=256, lr=1e-3)``: the more steps a network
        makes, the better it reconstructs outliers as well.
    method : {"auto", "reconstruction", "likelihood", "mahalanobis", "rank-average"}, \
default="auto"
        How rows are scored: by the error of reconstruction [3]_, that of each column in
        units of its mean over the training rows; by ``score_samples`` of a clusterer
        that has it, which is the log-likelihood of the mixture [1]_ or VaDE's lower
        bound of it; by the Mahalanobis distance, in the latent space, to
        the cluster where it is least, with a regularised covariance for each cluster
        [2]_; or by the mean, over those of the three that the estimator can tell, of
        the row's ranks among the training rows. "auto" is "reconstruction" with a
        decoder, the best of them on average over labelled sets, and "mahalanobis"
        without one.
    contamination : float or "auto", default=0.1
        Share of the training rows that are outliers, which sets the threshold. "auto"
        takes the share of rows whose score is below the quartiles of the training rows'
        by more than 1.5 times the distance between them (the mean of such shares for
        ranks), which may be none.
    random_state : int, RandomState instance or None, default=None
        Seed of an estimator that has none of its own. None takes fresh entropy; global
        random generators are neither read nor moved.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    offset_ : float
        Score below which a row is an outlier.
    contamination_ : float
        Share of the training rows that the threshold was set for.
    method_ : str
        How rows are scored; never "auto".
    methods_ : list of str
        Scores that are computed.
    quantiles_ : dict of str to ndarray
        Sorted scores of the training rows by each of them, up to 10,000: a new row is
        ranked among these, and its rank doesn't depend on other new rows.
    means_ : ndarray of shape (n_clusters, latent_dim)
        Means of the clusters, where the Mahalanobis distance is asked for.
    whiteners_ : ndarray of shape (n_clusters, latent_dim, latent_dim)
        Matrices that turn a difference from a mean into one whose length is the
        Mahalanobis distance.
    column_errors_ : ndarray of shape (n_features,)
        Mean squared error of each column of standardised rows over the training rows,
        where the estimator has a decoder; at least 0.3 times the mean over the columns.
    column_means_ : ndarray of shape (n_clusters, n_features)
        Means of the clusters in the columns of the data, where the estimator has no
        decoder.
    column_spreads_ : ndarray of shape (n_features,)
        Standard deviation of each column within clusters, likewise.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, where they are all strings.

    See Also
    --------
    AutoencoderGMM : The density alone, and clusters.

    Notes
    -----
    Errors count in units of what is usual in their column, since a column that the
    others determine tells of a slip by a small error, and one of noise has large ones
    in every row. Columns with little error of their own, as pixels that are nearly
    always empty, have a floor in place of it, so that none of them outweighs all
    others.

    Unusual rows that come in numbers and resemble each other are clusters of their
    own to a mixture with enough components: likelihood and distance then find them
    normal.

    Compare with :class:`sklearn.ensemble.IsolationForest`, which is ahead of
    reconstruction on eight of thirteen labelled sets of ``benchmarks/anomaly.py``, on
    digits by most. Its area under the curve is .708 on average; that of an
    `AutoencoderGMM` is .697 by reconstruction (.684 without the division by column),
    .667 by ranks, .633 by distance and .610 by likelihood. PyOD's autoencoder and ECOD
    have .679 and .678, and are ahead of reconstruction on six and seven of the sets.

    References
    ----------
    .. [1] Bishop, C. M. (1994). Novelty detection and neural network validation. IEE
       Proceedings: Vision, Image and Signal Processing 141.
    .. [2] Lee, K., Lee, K., Lee, H. and Shin, J. (2018). A simple unified framework
       for detecting out-of-distribution samples and adversarial attacks. NeurIPS.
       https://arxiv.org/abs/1807.03888
    .. [3] Hawkins, S., He, H., Williams, G. and Baxter, R. (2002). Outlier detection
       using replicator neural networks. DaWaK.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, AutoencoderGMM, DeepOutlierDetector
    >>> X, _ = load_digits(return_X_y=True)
    >>> gmm = AutoencoderGMM(10, autoencoder=Autoencoder((64,), max_epochs=5))
    >>> detector = DeepOutlierDetector(gmm, contamination=0.01, random_state=0)
    >>> int((detector.fit_predict(X) == -1).sum())
    18
    """

    _holds = "estimator"
    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "transform"]), None],
        "method": [StrOptions({"auto", "rank-average", *NEEDS})],
        "contamination": [
            Interval(Real, 0, 0.5, closed="right"),
            StrOptions({"auto"}),
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        method: str = "auto",
        contamination: float | str = 0.1,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.contamination = contamination
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> "DeepOutlierDetector":
        """Learn what is normal in ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, most of them normal.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are unusable, before any training; if training
            diverges.
        """
        estimator = self._given_estimator()
        if not is_fitted(estimator):
            if estimator.random_state is None:
                seed = distributed.fit_seeds(self.random_state, 1)[0]
                estimator.random_state = seed
            estimator.fit(X)
        model = blank(self)
        # The threshold is that of the rows that were learned from.
        rows, _ = sampled(
            X,
            estimator.max_samples,
            lambda X, reset, **settings: estimator._check_input(X, **settings),
        )
        with own_settings():
            model._learn(rows, estimator)
        take_over(self, model)
        return self

    def _learn(self, X: Any, estimator: Any) -> None:
        self.estimator_ = estimator
        possible = methods_for(estimator)
        # Reconstruction, the last, is possible with a decoder alone.
        self.method_ = possible[-1] if self.method == "auto" else self.method
        whole = self.method_ == "rank-average"
        self.methods_ = possible if whole else [self.method_]
        if isinstance(estimator, BaseDecodingEstimator):
            self.column_errors_ = usual_errors(estimator.module_, X)
        if "mahalanobis" in self.methods_:
            Z = estimator._encode(X)
            labels = estimator._labels(Z)
            self.means_, self.whiteners_ = cluster_metrics(Z, labels)
            if not isinstance(estimator, BaseDecodingEstimator):
                self.column_means_, self.column_spreads_ = column_metrics(X, labels)
        scores = self._scores(X)
        self.quantiles_ = {name: quantiles(value) for name, value in scores.items()}
        share: Any = self.contamination
        if share == "auto":
            share = float(np.mean([far_below(value) for value in scores.values()]))
        self.contamination_ = share
        self.offset_ = float(np.quantile(self._combine(scores), share))

    def _given_estimator(self) -> Any:
        """Return the estimator to use, fitted or not; never change the user's own."""
        given = unwrapped(self.estimator)
        if given is None:
            given = AutoencoderGMM(autoencoder=Autoencoder(**UNLEARNED))
        if not isinstance(given, BaseDeepEstimator):
            raise TypeError(
                f"estimator must be one of skdeepcluster's or None, got {given!r}."
            )
        possible = methods_for(given)
        if self.method in NEEDS and self.method not in possible:
            raise ValueError(
                f"method={self.method!r} needs an estimator with "
                f"{NEEDS[self.method]}, which {type(given).__name__} has not; it can "
                f"tell {', '.join(possible)}."
            )
        if not is_fitted(given):
            return clone(given)
        check_unchanged(given, "estimator")
        return given

    def _scores(self, X: Any) -> dict[str, np.ndarray]:
        """Each of the scores of checked rows; higher is more normal."""
        estimator = self.estimator_
        scores = {}
        if "likelihood" in self.methods_:
            scores["likelihood"] = estimator._log_densities(X)
        if "mahalanobis" in self.methods_:
            Z = estimator._encode(X)
            distances = cluster_distances(Z, self.means_, self.whiteners_)
            scores["mahalanobis"] = -distances.min(1)
        if "reconstruction" in self.methods_:
            errors = reconstruction_errors(estimator.module_, X, self.column_errors_)
            scores["reconstruction"] = -errors
        return {name: value.astype(np.float64) for name, value in scores.items()}

    def _combine(self, scores: dict[str, np.ndarray]) -> np.ndarray:
        if self.method_ != "rank-average":
            return scores[self.method_]
        known = self.quantiles_
        return np.mean([ranks(scores[name], known[name]) for name in scores], axis=0)

    @takes_any_rows
    def score_samples(self, X: Any) -> np.ndarray:
        """Score of each row by ``method``; higher is more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Log-likelihood, negative distance, negative mean over the columns of
            squared errors divided by ``column_errors_`` (on average -1 or a little
            more over the training rows), or the mean rank: about 1 for the most normal
            rows of the training data, 0 for the least, a little less for what is beyond
            them.
        """
        check_is_fitted(self)
        return self._combine(self._scores(self.estimator_._check_input(X)))

    @takes_any_rows
    def decision_function(self, X: Any) -> np.ndarray:
        """Score of each row above the threshold; negative for outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples,)
            `score_samples` less ``offset_``.
        """
        return self.score_samples(X) - self.offset_

    @takes_any_rows
    def predict(self, X: Any) -> np.ndarray:
        """Whether each row is an inlier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples,)
            1 for inliers, -1 for outliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    @takes_any_rows
    def explain(self, X: Any) -> np.ndarray:
        """How much each column makes each row odd.

        With a decoder, that is the error of reconstruction by column, in units of what
        is usual in the column and whatever ``method`` scores the rows: the other
        columns tell what this one should be. Its negative mean over the columns is the
        score of ``method="reconstruction"``.
        Without a decoder (`DDCClustering`), it is the difference from the mean of the
        nearest cluster by the Mahalanobis distance, in standard deviations of the
        column within clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Squared errors divided by ``column_errors_``, or squared differences: the
            larger, the odder is the row in that column.

        See Also
        --------
        skdeepcluster.explain.describe_outliers : A table of the oddest rows.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_iris
        >>> from skdeepcluster import Autoencoder, DeepOutlierDetector
        >>> X, _ = load_iris(return_X_y=True)
        >>> network = Autoencoder((32,), 2, max_epochs=100, batch_size=256, lr=1e-3)
        >>> detector = DeepOutlierDetector(network, random_state=0).fit(X)
        >>> int(detector.explain([[5.0, 1.0, 1.5, 0.2]]).argmax())
        1
        """
        check_is_fitted(self)
        estimator = self.estimator_
        rows = estimator._check_input(X)
        if isinstance(estimator, BaseDecodingEstimator):
            return column_errors(estimator.module_, rows) / self.column_errors_
        Z = estimator._encode(rows)
        nearest = cluster_distances(Z, self.means_, self.whiteners_).argmin(1)
        rows = rows.toarray() if sp.issparse(rows) else rows
        difference = (rows - self.column_means_[nearest]) / self.column_spreads_
        return difference.clip(-FARTHEST, FARTHEST) ** 2

    def __setstate__(self, state: dict[str, Any]) -> None:
        # In format 1, scores and the threshold are of errors as they are.
        estimator = state.get("estimator_")
        if isinstance(estimator, BaseDecodingEstimator):
            ones = np.ones(estimator.n_features_in_)
            state = {"column_errors_": ones, **state}
        super().__setstate__(state)

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in `fit`."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of features seen in `fit`, where they are all strings."""
        return self.estimator_.feature_names_in_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
