"""How odd rows are: fences of columns, distances to neighbours, tails of scores.

What outliers decide must not be what they are judged by. Columns are fenced at their
quantiles, neighbours are looked for in a sample of rows, in which a small group has few
members, and the tail of a score is told by the rows in the middle of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.stats import norm
from sklearn.isotonic import isotonic_regression
from sklearn.neighbors import NearestNeighbors

from skdeepcluster._rows import sample_rows
from skdeepcluster.graph.rows import DENSE_SIZE, search_lock

# Share of the rows on each side of a column that doesn't decide what is learned of it,
# at least and at most, and the rows that this should be.
LEAST_BEYOND, MOST_BEYOND, ROWS_BEYOND = 0.01, 0.25, 3
# Values farther from the first and last tenth of a column than so many times the range
# between these don't either: a code for what is missing may stand in many rows.
TENTHS, MOST_RANGES = (0.1, 0.9), 5.0
# Columns share a unit, as pixels do, unless the spread of one is more than so many
# times the first quartile of them. Of 60 labelled sets, pixels have 3.9 at most, series
# and features 1.3 to 28, and tables of several units 12 to 32,000.
MOST_SPREAD = 5.0
# Least usual difference from what is expected of a column, as a share of the mean over
# the columns, so that none with hardly any outweighs all others; and rows to learn it.
# Of 41 labelled sets, 0.1 and 0.3 give the same mean AUC within .004.
LEAST_ERROR, ROWS_FOR_ERRORS = 0.3, 100
# Distances of copies, as a share of their distance from the mean.
ROUNDING = 1e-7
# Values farther beyond a fence than so many spreads are taken to be so far.
FARTHEST = 1e9
# Rows that neighbours are looked for among. Over 21 tasks, the mean AUC with 256, 512,
# 1,024 and all of up to 2,000 rows is .818, .818, .813 and .814.
MOST_REFERENCES = 1000
# Shares of these rows that are near to a row, and around it, and the least number. Over
# 25 tasks, the mean AUC of densities among 2, 5, 10 and 20 % is .739, .788, .788 and
# .752, and that of distances to 2, 5, 10 and 20 % is .770, .761, .724 and .700.
NEAR, AROUND, FEWEST = 0.02, 0.1, 10
# Values of the training rows that are kept of a score, at most: at equal steps, and of
# its upper end.
MOST_QUANTILES = 1000
# The tail begins in the middle, and falls as slowly as it does from there to either of
# two quantiles, the second that of what tells odd rows or of the whole score. Over 25
# tasks, the mean average precision is .402 with .75 alone for what tells, .399 with .9
# and .388 with .95; but with .75 alone, 10 to 16 % of the normal rows of a single
# column are called outliers, in place of 5 to 7 %. With .9 for the whole score,
# outliers that are a tenth of the rows look usual.
UPPER, UPPER_OF_TELLS, UPPER_OF_SCORE = 0.75, 0.9, 0.85
# Share of the rows that are outliers by the gap to them, at most.
MOST_OUTLIERS = 0.1
# Least spread of the logarithm of a score: less is rounding.
LEAST_SPREAD = 1e-3
# Rows that the fences of columns are taken of, at most.
ROWS_FOR_FENCES = 10_000


def fences(X: np.ndarray) -> np.ndarray:
    """Bounds of each column that few rows are beyond, low and high."""
    share = np.clip(ROWS_BEYOND / len(X), LEAST_BEYOND, MOST_BEYOND)
    # Between two values, a fence would leave a column of codes hardly any spread.
    shares = [share, *TENTHS, 1 - share]
    low, first, last, high = np.quantile(X, shares, axis=0, method="nearest")
    far = np.where(last > first, MOST_RANGES * (last - first), np.inf)
    return np.stack([np.maximum(low, first - far), np.minimum(high, last + far)])


def spreads(X: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column between its fences.

    Of a column with one value but for a few rows, it is what their range would be the
    range of, were they normal.
    """
    spread = X.clip(low, high).std(0)
    widest = 2 * norm.isf(1 / (len(X) + 1))
    spread = np.where(low < high, spread, X.max(0) / widest - X.min(0) / widest)
    middle = np.median(spread[spread > 0]) if (spread > 0).any() else 1.0
    return np.where(spread > 0, spread, middle)


@dataclass(eq=False)
class Columns:
    """Where the values of columns are usual, and the units they count in.

    Parameters
    ----------
    low, high : ndarray of shape (n_features,)
        Fences.
    center, unit : ndarray of shape (n_features,)
        What rows are scaled by: medians and spreads, or zeros and ones where the
        columns share a unit.
    spread : ndarray of shape (n_features,)
        Standard deviation of each column between its fences.
    step : float
        What a spread beyond the fences counts, in the unit of the columns.
    """

    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    unit: np.ndarray
    spread: np.ndarray
    step: float

    @classmethod
    def of(cls, X: Any, seed: int) -> "Columns":
        """Learn from a sample of rows, an array or a CSR matrix."""
        zeros, ones = np.zeros(X.shape[1]), np.ones(X.shape[1])
        X = X[sample_rows(X.shape[0], ROWS_FOR_FENCES, seed)]
        if sp.issparse(X) and X.shape[0] * X.shape[1] > DENSE_SIZE:
            # Most values are zero: what is usual is told by the others, of all columns.
            stored = X.data if X.nnz else np.zeros(1)
            low, high = fences(stored)
            spread = float(spreads(stored[:, None], low, high)[0])
            low, high = zeros + min(low, 0), zeros + max(high, 0)
            return cls(low, high, zeros, ones, spread * ones, spread)
        X = np.asarray(X.toarray() if sp.issparse(X) else X, np.float64)
        low, high = fences(X)
        center, spread = np.median(X, axis=0), spreads(X, low, high)
        least = np.quantile(spread, 0.25, method="lower")
        if spread.max() > MOST_SPREAD * least:
            return cls(low, high, center, spread, spread, 1.0)
        return cls(low, high, zeros, ones, spread, float(np.median(spread)))

    def fenced(self, X: Any) -> Any:
        """Rows with their values moved to the fences where they are beyond."""
        # Bounds of another type would make a copy of all the rows in the wider one.
        dtype = np.result_type(X.dtype, np.float32)
        low, high = self.low.astype(dtype), self.high.astype(dtype)
        if not sp.issparse(X):
            return X.clip(low, high)
        moved = X.astype(dtype)
        moved.data = moved.data.clip(low[X.indices], high[X.indices])
        full = (low > 0) | (high < 0)
        if not full.any():
            return moved
        # Zeros of these columns are beyond the fences, and move too.
        block = moved[:, full].toarray().clip(low[full], high[full])
        order = np.concatenate([np.flatnonzero(~full), np.flatnonzero(full)])
        whole = sp.hstack([moved[:, ~full], sp.csr_array(block)], format="csr")
        return whole[:, np.argsort(order)]

    def scaled(self, X: Any, dtype: Any = np.float64) -> Any:
        """Rows in the unit of the columns, in a type where that changes them."""
        if (self.unit == 1).all():
            return X
        rows = X.toarray() if sp.issparse(X) else X
        return ((rows - self.center) / self.unit).astype(dtype)

    def stretched(self, X: Any) -> np.ndarray:
        """Rows in the unit of the columns, made dense, stretched beyond the fences."""
        X = (X.toarray() if sp.issparse(X) else X).astype(np.float64)
        inside = X.clip(self.low, self.high)
        with np.errstate(over="ignore"):
            beyond = ((X - inside) / self.spread).clip(-FARTHEST, FARTHEST)
        return self.scaled(inside) + beyond * self.step


def reach(distances: np.ndarray, near: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Mean distance of rows to their neighbours, no less than these reach themselves.

    Parameters
    ----------
    distances, near : ndarray of shape (n_rows, n_neighbors)
        Distances to neighbours, and which they are.
    radii : ndarray of shape (n_references,)
        How far each reaches to have as many neighbours.
    """
    return np.maximum(distances, radii[near]).mean(1)


@dataclass(eq=False)
class Surroundings:
    """Rows that neighbours are looked for among, and how dense they lie.

    Parameters
    ----------
    rows : ndarray of shape (n_references, n_features)
        In the unit of the columns, less their mean.
    shift : ndarray of shape (n_features,)
        Their mean.
    low, high : ndarray of shape (n_features,)
        Fences of the columns, less the mean.
    n_near, n_around : int
        Numbers of neighbours.
    radii_near, radii_around : ndarray of shape (n_references,)
        Distance to the last of so many neighbours.
    ridge : float
        Usual reach, which makes densities of copies finite.
    density : ndarray of shape (n_references,)
        Inverse of the reach.
    errors : ndarray of shape (n_features,)
        Mean squared difference of columns from what is expected, but for the three
        largest, or the least one.
    """

    rows: np.ndarray
    shift: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_near: int
    n_around: int
    radii_near: np.ndarray
    radii_around: np.ndarray
    ridge: float
    density: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, X: Any, columns: Columns, seed: int) -> "Surroundings":
        """Learn from a sample of rows, an array or a CSR matrix."""
        rows = columns.stretched(X[sample_rows(X.shape[0], MOST_REFERENCES, seed)])
        shift = rows.mean(0)
        rows = rows - shift
        n_near, n_around = (
            min(max(FEWEST, round(share * len(rows))), len(rows) - 1)
            for share in (NEAR, AROUND)
        )
        distances, near = neighbors(rows, rows, n_around)
        radii_near, radii_around = distances[:, n_near - 1], distances[:, -1]
        reaches = reach(distances, near, radii_around)
        ridge = float(np.median(reaches[reaches > 0])) if reaches.any() else 1.0
        density = 1 / (reaches + ridge)
        low, high = (
            columns.scaled(fence) - shift for fence in (columns.low, columns.high)
        )
        counts, radii = (n_near, n_around), (radii_near, radii_around)
        learned = cls(rows, shift, low, high, *counts, *radii, ridge, density, shift)
        some = rows[:ROWS_FOR_ERRORS]
        errors = np.square(some - learned._expected(some.clip(low, high)))
        # The few largest ones of a column are those of outliers.
        usual = max(len(errors) - ROWS_BEYOND, 1)
        errors = np.sort(errors, axis=0)[:usual].mean(0)
        learned.errors = np.maximum(errors, LEAST_ERROR * errors.mean() or 1.0)
        return learned

    def expected(self, rows: np.ndarray) -> np.ndarray:
        """Tell what columns should be, by the rows that are near in all the others.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            In the unit of the columns; what is beyond the fences is moved to them.
        """
        inside = (rows - self.shift).clip(self.low, self.high)
        return self._expected(inside) + self.shift

    def _expected(self, inside: np.ndarray) -> np.ndarray:
        expected = np.empty_like(inside)
        references = self.rows.clip(self.low, self.high)
        count = min(FEWEST, self.n_around)
        for row, made in zip(inside, expected, strict=True):
            squares = np.square(references - row)
            total = squares.sum(1)
            # A row that is among the references doesn't tell of itself.
            total[np.flatnonzero(total == 0)[:1]] = np.inf
            most = min(len(total) - 1, self.n_around)
            near = total.argpartition(most - 1)[:most]
            without = total[near, None] - squares[near]
            nearest = without.argpartition(count - 1, axis=0)[:count]
            values = np.take_along_axis(references[near], nearest, axis=0)
            np.median(values, axis=0, out=made)
        return expected

    def told(self, rows: np.ndarray) -> list[np.ndarray]:
        """How far rows are from what is near, and how much less dense than around.

        A row that is among the references, or a copy of one, is not its own neighbour.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            In the unit of the columns.

        Returns
        -------
        distance, density : ndarray of shape (n_rows,)
            Mean reach to the near ones; and the mean density of those around over the
            row's own, as in the local outlier factor.
        """
        distances, near = neighbors(rows - self.shift, self.rows, self.n_around)
        few = slice(self.n_near)
        own = reach(distances, near, self.radii_around) + self.ridge
        return [
            reach(distances[:, few], near[:, few], self.radii_near) + self.ridge,
            own * self.density[near].mean(1),
        ]


def neighbors(
    rows: np.ndarray, references: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest references, and which; one that equals a row is none."""
    search = NearestNeighbors(n_neighbors=count + 1, algorithm="brute").fit(references)
    with search_lock:
        distances, near = search.kneighbors(rows)
    norms = np.linalg.norm(references, axis=1)
    rounding = np.linalg.norm(rows, axis=1)[:, None] + norms[near]
    distances[distances < ROUNDING * rounding] = 0
    equal = (rows == references[near[:, 0]]).all(1)[:, None]
    return (
        np.where(equal, distances[:, 1:], distances[:, :-1]),
        np.where(equal, near[:, 1:], near[:, :-1]),
    )


def logarithm(values: np.ndarray) -> np.ndarray:
    """Logarithms, finite for zero too."""
    return np.log(np.maximum(values, np.finfo(np.float64).tiny))


@dataclass(eq=False)
class Tail:
    """How rare the values of a score are among the training rows.

    Up to the middle one, the share of rows beyond a value is counted; from there on, it
    falls as that of an exponential variable.

    Parameters
    ----------
    known : ndarray of shape (n_known,)
        Sorted values.
    there : ndarray of shape (n_known,)
        Share of the rows that have such a value or a larger one.
    middle, beyond, spread : float
        Where the tail begins, the share of the rows beyond, and their mean excess.
    """

    known: np.ndarray
    there: np.ndarray
    middle: float
    beyond: float
    spread: float

    @classmethod
    def of(cls, values: np.ndarray, upper: float = UPPER_OF_SCORE) -> "Tail":
        """Learn from the values of the training rows."""
        shares = np.array([UPPER, upper])
        ordered, count = np.sort(values), len(values)
        steps = np.linspace(0, count - 1, min(count, MOST_QUANTILES)).round()
        kept = np.union1d(steps.astype(int), np.arange(count)[-MOST_QUANTILES:])
        rest, middle, rates = ordered, 0.0, np.zeros(2)
        while rates[0] < LEAST_SPREAD and len(rest):
            # A value of most rows, as copies have, says nothing of the others.
            some, middle = rest, float(np.median(rest))
            rates = (np.quantile(some, shares) - middle) / np.log(0.5 / (1 - shares))
            rest = some[some > middle + LEAST_SPREAD]
        share, spread = 0.5 * len(some) / count, max(*rates, LEAST_SPREAD)
        there = 1 - np.searchsorted(ordered, ordered[kept]) / count
        return cls(ordered[kept], there, middle, share, float(spread))

    def surprise(self, values: np.ndarray) -> np.ndarray:
        """Negative logarithm of the share of rows with such a value or a larger one."""
        share = np.interp(values, self.known, self.there).clip(self.beyond, 1)
        tail = (values - self.middle) / self.spread - np.log(self.beyond)
        return np.where(values > self.middle, tail, -np.log(share))

    def _excesses(self) -> np.ndarray:
        usual = np.exp(-self.surprise(self.known))
        excesses = isotonic_regression(1 - usual / self.there, y_min=-1, y_max=1)
        return excesses.clip(0, 1)

    def excess(self, values: np.ndarray) -> np.ndarray:
        """Share of the rows with such a value or a larger one that are too many.

        That is the probability that one of them is none of the rows that the tail is
        of, as in the empirical Bayes view of many tests (Efron 2004).
        """
        excesses = self._excesses()
        inside = np.interp(values, self.known, excesses)
        beyond = 1 - np.exp(-self.surprise(values)) / self.there[-1]
        return np.where(values > self.known[-1], np.maximum(beyond, inside), inside)

    def value_of(self, excess: float) -> float:
        """Least value of so high an excess: one of the known, or beyond them all."""
        enough = self._excesses() > excess
        if enough.any():
            return float(self.known[enough.argmax()])
        usual = (1 - excess) * self.there[-1] / self.beyond
        beyond = self.middle - self.spread * np.log(usual)
        return float(max(beyond, np.nextafter(self.known[-1], np.inf)))

    def beyond_gap(self) -> float:
        """Least value of a tenth of the rows at most that lie beyond a wide gap.

        It is wider than it is from half of the rows to the gap, and infinity without
        such a one.
        """
        half = self.known[self.there >= 0.5][-1]
        wide = np.diff(self.known) > self.known[:-1] - half
        few = self.there[1:] <= MOST_OUTLIERS
        beyond = self.known[1:][wide & few]
        return float(beyond[0]) if len(beyond) else np.inf
