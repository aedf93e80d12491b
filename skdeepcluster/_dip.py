"""The dip of a sample, and how likely one as large is where there is one mode.

The dip is the largest distance between the empirical distribution F and the unimodal
distribution that is nearest to it: convex up to its mode, concave from there
(Hartigan and Hartigan 1985, https://doi.org/10.1214/aos/1176346577). With G the
greatest convex minorant and L the least concave majorant of F in an interval, the mode
is where they are farthest apart, and the interval shrinks about it until they are no
farther apart than F is from G before it or from L after it, which is twice the dip.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

# Quantiles of sqrt(n) times the dip of n uniform rows at these probabilities, for these
# sizes: ``quantiles(size, 10_000, seed=0)``.
PROBABILITIES = np.array([0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999])
TAIL = 1 - np.concatenate([[0.0], PROBABILITIES, [1.0]])
SIZES = np.array([8, 16, 32, 64, 128, 256, 1024, 4096])
QUANTILES = 1e-4 * np.array(
    [
        [1768, 2091, 2316, 2709, 3131, 3466, 3966, 4335, 4880, 5557],
        [2125, 2348, 2463, 2803, 3238, 3734, 4286, 4623, 5280, 5915],
        [2173, 2441, 2599, 2946, 3379, 3921, 4470, 4843, 5532, 6311],
        [2247, 2526, 2702, 3037, 3489, 4057, 4662, 5045, 5761, 6608],
        [2310, 2596, 2774, 3120, 3572, 4141, 4749, 5163, 5954, 6897],
        [2359, 2632, 2816, 3169, 3639, 4243, 4835, 5242, 6021, 6907],
        [2418, 2696, 2870, 3230, 3717, 4299, 4907, 5330, 6134, 7324],
        [2431, 2716, 2900, 3261, 3755, 4362, 4995, 5386, 6307, 7199],
    ]
)


class Dip(NamedTuple):
    """The dip of a sample, with rows as indices into it.

    Parameters
    ----------
    value : float
    interval : tuple of int
        The rows at the ends of the modal interval.
    triangle : tuple of int
        Rows a, b, c in ascending order: the dip is half the height of F at b above the
        line from F at a to F at c, or below it.
    slope : float
        Derivative of the dip by the place of b between a, at 0, and c, at 1.
    """

    value: float
    interval: tuple[int, int]
    triangle: tuple[int, int, int]
    slope: float


def hull(x: np.ndarray, heights: np.ndarray, convex: bool) -> np.ndarray:
    """Find the corners of the convex minorant or the concave majorant."""
    steps = x[1:] - x[:-1]
    slopes = (heights[1:] - heights[:-1]) / steps
    return isotonic_regression(slopes, weights=steps, increasing=convex).blocks


def dip(sample: np.ndarray) -> Dip:
    """Dip of a sample.

    Parameters
    ----------
    sample : ndarray of shape (n_samples,)
        At least one number.

    Returns
    -------
    Dip
    """
    order = sample.argsort(kind="stable")
    x = sample[order].astype(np.float64)
    new = np.append(True, x[1:] > x[:-1])
    (first,) = new.nonzero()
    # Rows below each value, and rows up to it.
    x, below, above = x[first], first, np.append(first[1:], len(x))
    low, high, largest = 0, len(x) - 1, 0.0
    triangle, slope = (0, 0, 0), 0.0
    while low < high:
        inside = slice(low, high + 1)
        near, under, over = x[inside], below[inside], above[inside]
        lower, upper = hull(near, under, True), hull(near, over, False)
        minorant = np.interp(near, near[lower], under[lower])
        majorant = np.interp(near, near[upper], over[upper])
        gap = majorant - minorant
        farthest = gap.argmax()
        if gap[farthest] <= largest:
            break
        # One of the two has a corner there.
        left = lower[lower.searchsorted(farthest, "right") - 1]
        right = upper[upper.searchsorted(farthest)]
        for heights, start, corners, line in (
            ((over - minorant)[:left], 0, lower, -minorant),
            ((majorant - under)[right + 1 :], right + 1, upper, majorant),
        ):
            if len(heights) and heights.max() > largest:
                largest, at = heights.max(), start + heights.argmax()
                end = max(corners.searchsorted(at), 1)
                ends = corners[end - 1 : end + 1]
                triangle = low + ends[0], low + at, low + ends[1]
                slope = (line[ends[1]] - line[ends[0]]) / (2 * len(sample))
        if (left, right) == (0, high - low):
            break
        low, high = low + left, low + right
    rows = order[first].tolist()
    a, b, c = (rows[index] for index in triangle)
    value = float(largest) / (2 * len(sample))
    return Dip(value, (rows[low], rows[high]), (a, b, c), float(slope))


def quantiles(size: int, n_samples: int, seed: int) -> np.ndarray:
    """Quantiles of sqrt(n) times the dip at `PROBABILITIES`, of uniform samples."""
    samples = np.random.default_rng(seed).uniform(size=(n_samples, size))
    dips = [dip(sample).value for sample in samples]
    return np.quantile(dips, PROBABILITIES) * np.sqrt(size)


def p_value(value: float, size: int) -> float:
    """Share of uniform samples with a dip as large at least, by interpolation.

    Parameters
    ----------
    value : float
        The dip.
    size : int
        Number of rows.

    Returns
    -------
    float
        From 0 to 1; 1 of so few rows that no mode can be told.
    """
    if size < SIZES[0]:
        return 1.0
    at = np.log(np.clip(size, SIZES[0], SIZES[-1]))
    known = [np.interp(at, np.log(SIZES), column) for column in QUANTILES.T]
    steps = np.concatenate([[0.0], known, [1.5 * known[-1]]])
    return float(np.interp(value * np.sqrt(size), steps, TAIL))


def pair_p_value(one: np.ndarray, other: np.ndarray) -> float:
    """Tell how likely two clusters have one mode on the line through their means."""
    both = np.concatenate([one, other])
    members = np.arange(len(one)), np.arange(len(one), len(both))
    rows = both[balanced(both, *members)] @ (one.mean(0) - other.mean(0))
    return p_value(dip(rows).value, len(rows))


def balanced(Z: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Choose rows of two clusters, given by their indices.

    Of a cluster more than twice as large as the other, the rows that are nearest to the
    other's mean count alone, twice as many as it has.
    """
    small, large = sorted((one, other), key=len)
    if len(large) > 2 * len(small):
        distances = np.square(Z[large] - Z[small].mean(0)).sum(1)
        large = large[distances.argsort(kind="stable")[: 2 * len(small)]]
    return np.concatenate([small, large])


def merged(
    Z: np.ndarray, labels: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Merge the clusters that are most likely one, while p-values reach a threshold.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_dims)
    labels : ndarray of shape (n_samples,)
        From 0 on, none of them empty.
    threshold : float

    Returns
    -------
    labels : ndarray of shape (n_samples,)
    p_values : ndarray of shape (n_clusters, n_clusters)
        Those of the pairs, with ones on the diagonal.
    """
    Z = Z.astype(np.float64)
    members = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    p = np.eye(len(members))
    for a, b in zip(*np.triu_indices(len(members), 1), strict=True):
        p[a, b] = p[b, a] = pair_p_value(Z[members[a]], Z[members[b]])
    while len(members) > 1:
        # The diagonal and what is below it are no pairs.
        a, b = np.unravel_index(np.triu(p + 1, 1).argmax(), p.shape)
        if p[a, b] < threshold:
            break
        members[a] = np.concatenate([members[a], members.pop(b)])
        p = np.delete(np.delete(p, b, 0), b, 1)
        for c in range(len(members)):
            if c != a:
                p[a, c] = p[c, a] = pair_p_value(Z[members[a]], Z[members[c]])
    labels = np.empty(len(Z), dtype=np.int32)
    for label, rows in enumerate(members):
        labels[rows] = label
    return labels, p


def border(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Where two projected clusters meet, and how far from there a mode begins.

    It is the middle between the ends of their modal intervals that face each other. The
    distance is negative where the other cluster is the lower one.
    """
    first, second = (part[list(dip(part).interval)] for part in (one, other))
    side = 1 if first.sum() <= second.sum() else -1
    low, high = (first, second) if side == 1 else (second, first)
    return (low[1] + high[0]) / 2, side * abs(high[0] - low[1]) / 2
