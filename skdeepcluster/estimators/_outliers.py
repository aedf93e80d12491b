"""Unusual rows: far from others, less dense than around them, or badly reconstructed.

For rows x in units of their columns, with values beyond the fences of a column counted
in its own spread, and x~ between the fences, the tells are the logarithms of

- the mean distance to the nearest 2 % of a sample of the training rows;
- the mean density of the nearest 10 %, over the row's own: a local outlier factor;
- the mean over columns j of (x_j - g(f(x~))_j)^2 / e_j, where the network of f and g
  was trained on rows between the fences and e_j is its usual error there.

A tell t counts by its surprise s(t), the negative logarithm of the share of training
rows with such a value or a larger one, whose tail is exponential at the rate of the
rows in the middle: no few gross rows can make one of them usual. The score is the
logarithm of the harmonic mean of the shares, -log(mean_t exp(s(t))).
"""

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._docs import documented
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster._sklearn import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    StrOptions,
    _fit_context,
)
from skdeepcluster._tasks import telling
from skdeepcluster.batches import array_over_rows, in_batches
from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._base import (
    BaseDecodingEstimator,
    check_rows,
    end_interrupted,
    finite,
    learning,
)
from skdeepcluster.estimators._given import (
    HoldsFitted,
    check_unchanged,
    is_fitted,
    unwrapped,
)
from skdeepcluster.oddness import (
    LEAST_ERROR,
    UPPER_OF_TELLS,
    Columns,
    Surroundings,
    Tail,
    logarithm,
)
from skdeepcluster.streams import SAMPLE_SEED, over_blocks, sampled, takes_any_rows

# Of the autoencoder where no estimator is given. One that learns for long reconstructs
# outliers as well: over 25 tasks, 10, 20, 30 and 60 passes have a mean AUC of .788,
# .800, .798 and .794 together with the neighbours.
UNLEARNED = {"hidden_units": (256, 128), "batch_size": 256, "lr": 1e-3}
PASSES, MOST_STEPS = 20, 400

# Squared error, in the unit of the columns, that rounding to single precision makes.
ROUNDING = float(np.finfo(np.float32).eps) ** 2

# What tells odd rows, in the order of `surprises`.
TELLS = ("distance", "density", "reconstruction")

# Probability from which on a row is an outlier by contamination="auto".
LIKELY = 0.9


def unlearned(n_rows: int) -> Autoencoder:
    """Network for so many rows that knows what is usual, and little else."""
    steps = -(-n_rows // UNLEARNED["batch_size"])
    epochs = min(PASSES, max(1, MOST_STEPS // steps))
    return Autoencoder(**UNLEARNED, max_epochs=epochs)


def together(surprises: np.ndarray) -> np.ndarray:
    """Negative logarithm of the harmonic mean of shares, of their own."""
    return logsumexp(surprises, axis=1) - np.log(surprises.shape[1])


@documented
class DeepOutlierDetector(CallbackSupportMixin, OutlierMixin, HoldsFitted):
    """Outlier detection by neighbours and by a network that knows what is usual.

    A row is unusual if it is far from other rows, lies less dense than the rows around
    it [1]_, or is reconstructed worse than they are [2]_. Each of these counts by the
    share of training rows that are as odd, and the three shares by their harmonic mean
    [3]_, so that a single gross value outweighs all else. Outliers don't decide what is
    learned: in training, the values of each column are moved between its 1 % and 99 %
    quantiles, or the third least and largest values of fewer than 300 rows.

    Parameters
    ----------
    estimator : estimator of this package or None, default=None
        One with a decoder, such as `Autoencoder` or `DECClustering`. One that is fitted
        is used as it is, and stays so in clones; one that isn't is cloned and fitted.
        None is an ``Autoencoder((256, 128), batch_size=256, lr=1e-3)`` of 20 passes or
        400 steps, whichever is less: the more steps a network makes, the better it
        reconstructs outliers as well.
    contamination : float or "auto", default=0.1
        Share of the training rows that are outliers, which sets the threshold. "auto"
        has those for outliers whose `outlier_probability` [4]_ is above 0.9, and those
        beyond a gap in the scores that is wider than it is from the middle one to the
        gap, if these are a tenth of the rows at most: there may be none.
    random_state : int, RandomState instance or None, default=None
        Seed of an estimator that has none of its own. None takes fresh entropy; global
        random generators are neither read nor moved.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator. One that was fitted here has seen the rows between the
        fences of the columns, in the unit of ``columns_``.
    columns_ : Columns
        Fences of the columns, and the unit that each counts in: one for all where the
        columns share a unit, as pixels do, and the spread of each where the largest is
        more than five times the first quartile of them.
    surroundings_ : Surroundings
        Up to 1,000 of the training rows, among which neighbours are looked for.
    column_errors_ : ndarray of shape (n_features,)
        Mean squared error of the reconstruction of each column, in the unit of the
        columns; at least 0.3 times the mean over the columns.
    tails_ : dict of str to Tail
        How rare each value of "distance", "density" and "reconstruction" is.
    tail_ : Tail
        How rare their mean is.
    offset_ : float
        Score below which a row is an outlier.
    contamination_ : float
        Share of the training rows below it.
    {features}

    See Also
    --------
    skdeepcluster.explain.describe_outliers : A table of the oddest rows, and why.
    AutoencoderGMM : A density of the rows.

    Notes
    -----
    A group of rows counts as odd if it is far from the others and has less than about
    a tenth of the rows. Where there are many groups that are all smaller, as dozens of
    species, only the distance to the nearest 2 % tells a stray row.

    A network tells rows whose columns don't fit each other; extreme values are told by
    neighbours as well. Over the 26 tasks of ``benchmarks/anomaly.py`` that nothing was
    chosen by, the mean area under the ROC curve is .765 and the mean average precision
    .389; those of DIF, the best of eight others, are .726 and .294. On 15 of 52 tasks,
    isolation forests or ten neighbours are more than .05 ahead, most on rare classes
    that are no odder than the others: where outliers have extreme values in single
    columns, :class:`sklearn.ensemble.IsolationForest` is as good.

    References
    ----------
    .. [1] Breunig, M., Kriegel, H.-P., Ng, R. and Sander, J. (2000). LOF: identifying
       density-based local outliers. SIGMOD.
    .. [2] Hawkins, S., He, H., Williams, G. and Baxter, R. (2002). Outlier detection
       using replicator neural networks. DaWaK.
    .. [3] Wilson, D. J. (2019). The harmonic mean p-value for combining dependent
       tests. PNAS 116.
    .. [4] Efron, B. (2004). Large-scale simultaneous hypothesis testing: the choice of
       a null hypothesis. Journal of the American Statistical Association 99.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepcluster import DeepOutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> X[7, 2] = 60.0
    >>> detector = DeepOutlierDetector(contamination="auto", random_state=0).fit(X)
    >>> np.flatnonzero(detector.predict(X) == -1)
    array([7])
    """

    _holds = "estimator"
    _parts: ClassVar[dict[str, Callable[[], Any]]] = {
        "estimator": lambda: Autoencoder(**UNLEARNED, max_epochs=PASSES)
    }
    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "transform"]), None],
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
        contamination: float | str = 0.1,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.contamination = contamination
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    @telling
    def fit(self, X: Any, y: Any = None) -> "DeepOutlierDetector":
        """Learn what is normal in ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, most of them normal.
        {y}

        Returns
        -------
        {self}

        Raises
        ------
        TypeError
            If the estimator is none of this package, or has no decoder.
        {refused}
        """
        given = self._given_estimator()
        with learning(self) as model:

            def check(X: Any, reset: bool, **settings: Any) -> Any:
                if is_fitted(given):
                    given._check_input(X, ensure_min_samples=0)
                return check_rows(model, X, reset=reset, **settings)

            most = (given or Autoencoder())._trainer.max_samples
            rows, _ = sampled(X, most, check)
            interrupted = model._learn(rows, given)
        end_interrupted(self, interrupted)
        return self

    def _given_estimator(self) -> Any:
        """Return the estimator to use, fitted or not; never change the user's own."""
        given = unwrapped(self.estimator)
        if given is None:
            return None
        if not isinstance(given, BaseDecodingEstimator):
            raise TypeError(
                "estimator must be one of skdeepcluster's with a decoder, as "
                f"Autoencoder, or None, got {given!r}."
            )
        if not is_fitted(given):
            return clone(given)
        check_unchanged(given, "estimator")
        return given

    def _learn(self, X: Any, given: Any) -> str | None:
        """Learn what is normal; name the phase that the user interrupted."""
        interrupted = None
        self.columns_ = Columns.of(X, SAMPLE_SEED)
        # What was fitted before takes rows in the units of its own training.
        self._scales = not is_fitted(given)
        if self._scales:
            given = given or unlearned(X.shape[0])
            if given.random_state is None:
                given.random_state = spawn_seeds(self.random_state, 1)[0]
            try:
                given.fit(self.columns_.scaled(self.columns_.fenced(X), np.float32))
            except KeyboardInterrupt:
                # It may have learned enough to go on with.
                if not is_fitted(given):
                    raise
                interrupted = "the training of its estimator"
        self.estimator_ = given
        self.surroundings_ = Surroundings.of(X, self.columns_, SAMPLE_SEED)
        self.column_errors_ = self._usual_errors(X)
        tells = self._tells(X)
        self.tails_ = {
            name: Tail.of(tells[:, i], UPPER_OF_TELLS) for i, name in enumerate(TELLS)
        }
        oddness = together(self._surprises(tells))
        self.tail_ = Tail.of(oddness)
        share: Any = self.contamination
        if share == "auto":
            # Rows at the threshold are outliers, and not the least of these only.
            least = min(self.tail_.value_of(LIKELY), self.tail_.beyond_gap())
            self.offset_ = float(np.nextafter(-least, np.inf))
        else:
            self.offset_ = float(np.quantile(-oddness, share))
        self.contamination_ = float((-oddness < self.offset_).mean())
        return interrupted

    def _inside(self, rows: np.ndarray) -> np.ndarray:
        """Dense rows between the fences, in the unit of the columns."""
        return self.columns_.scaled(self.columns_.fenced(rows.astype(np.float64)))

    def _made(self, rows: np.ndarray) -> np.ndarray:
        """Reconstruct dense rows from what is between the fences, in the unit."""
        inside = self.columns_.fenced(rows.astype(np.float64))
        if self._scales:
            inside = self.columns_.scaled(inside, np.float32)
        module = self.estimator_.module_
        x = torch.from_numpy(inside).to(module.shift.device)
        made = finite(module.restore(module(x)[2]).cpu().numpy())
        return made if self._scales else self.columns_.scaled(made)

    def _usual_errors(self, X: Any) -> np.ndarray:
        """Mean squared error of each column between the fences, or the least one."""

        def errors(x: torch.Tensor) -> torch.Tensor:
            rows = x.numpy()
            return torch.from_numpy(np.square(self._inside(rows) - self._made(rows)))

        parts = in_batches(errors, X, torch.device("cpu"))
        usual = sum(part.sum(0).numpy() for part in parts) / X.shape[0]
        return np.maximum(usual, max(LEAST_ERROR * usual.mean(), ROUNDING))

    def _tells(self, X: Any) -> np.ndarray:
        """Logarithms of what tells odd rows, one column for each; more is odder."""

        def tells(rows: np.ndarray) -> np.ndarray:
            stretched = self.columns_.stretched(rows)
            errors = np.square(stretched - self._made(rows)) / self.column_errors_
            told = self.surroundings_.told(stretched)
            return np.stack([*told, errors.mean(1)], axis=1)

        return logarithm(array_over_rows(tells, X))

    def _surprises(self, tells: np.ndarray) -> np.ndarray:
        """Turn what tells odd rows into nats."""
        each = [self.tails_[name].surprise(tells[:, i]) for i, name in enumerate(TELLS)]
        return np.stack(each, axis=1)

    @takes_any_rows
    def surprises(self, X: Any) -> np.ndarray:
        """How rare each of three things that tell an odd row is, in nats.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples, 3)
            Negative logarithms of the share of training rows that are as far from what
            is nearest to them, as much less dense than what is around them, and as
            badly reconstructed. Beyond the middle one, the share is that of an
            exponential tail.
        """
        check_is_fitted(self)
        return self._surprises(self._tells(check_rows(self, X)))

    @takes_any_rows
    def score_samples(self, X: Any) -> np.ndarray:
        """Score of each row; higher is more normal.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples,)
            Logarithm of the harmonic mean of the shares whose negative logarithms are
            the `surprises`.
        """
        return -together(self.surprises(X))

    @takes_any_rows
    def decision_function(self, X: Any) -> np.ndarray:
        """Score of each row above the threshold; negative for outliers.

        Parameters
        ----------
        {X}

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
        {X}

        Returns
        -------
        ndarray of shape (n_samples,)
            1 for inliers, -1 for outliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    @takes_any_rows
    def outlier_probability(self, X: Any) -> np.ndarray:
        """Probability that a row as odd as each is an outlier.

        More exactly, that any of the rows that are as odd or odder is one: of the rows
        with a probability of 0.8 and more, 80 % are expected to be outliers. The more
        normal half of the training rows tells how many would be so odd, were there no
        outliers, by an exponential tail, and the share of those that are there beyond
        this number are outliers (Efron 2004); ``contamination`` has no part in it. Of
        rows with heavy tails, or with less than four columns, some 2 to 8 % have a high
        probability without any outliers; outliers of more than a tenth look usual.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples,)
            Between 0 and 1, and never less for an odder row.

        Examples
        --------
        >>> import numpy as np
        >>> from skdeepcluster import DeepOutlierDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 4))
        >>> X[:20] += 9
        >>> detector = DeepOutlierDetector(random_state=0).fit(X)
        >>> int((detector.outlier_probability(X) > 0.9).sum())
        20
        """
        return self.tail_.excess(-self.score_samples(X))

    @takes_any_rows
    def explain(self, X: Any) -> np.ndarray:
        """How much each column makes each row odd.

        That is the squared difference from what is `expected`, in units of what is
        usual in the column.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The larger, the odder is the row in that column; 1 on average.

        See Also
        --------
        skdeepcluster.explain.describe_outliers : A table of the oddest rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skdeepcluster import DeepOutlierDetector
        >>> X, _ = load_iris(return_X_y=True)
        >>> detector = DeepOutlierDetector(random_state=0).fit(X)
        >>> int(detector.explain([[5.0, 1.0, 1.5, 0.2]]).argmax())
        1
        """
        check_is_fitted(self)

        def oddness(rows: Any) -> np.ndarray:
            stretched = self.columns_.stretched(rows)
            difference = stretched - self.surroundings_.expected(stretched)
            return np.square(difference) / self.surroundings_.errors

        return over_blocks(oddness, check_rows(self, X))

    @takes_any_rows
    def expected(self, X: Any) -> np.ndarray:
        """Tell what each column should be, given all the others.

        That is the median of the column over the ten rows, of those that were kept of
        the training rows, that are nearest to the row in all the other columns. Of 784
        columns it takes some milliseconds a row.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Expected values, in the units of the training data.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from skdeepcluster import DeepOutlierDetector
        >>> X, _ = load_iris(return_X_y=True)
        >>> detector = DeepOutlierDetector(random_state=0).fit(X)
        >>> detector.expected([[5.0, 1.0, 1.5, 0.2]]).round(1)
        array([[4.7, 3.1, 1.4, 0.2]])
        """
        check_is_fitted(self)

        def expected(rows: Any) -> np.ndarray:
            made = self.surroundings_.expected(self.columns_.stretched(rows))
            return made * self.columns_.unit + self.columns_.center

        return over_blocks(expected, check_rows(self, X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
