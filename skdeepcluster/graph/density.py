"""What distances to neighbours and densities tell of the shape of rows."""

import numpy as np


def code_steps(Z: np.ndarray) -> np.ndarray:
    """Distance between the codes of each column, and 0 where it holds measurements.

    Codes and counts lie on a grid: no two of them are closer than most are.
    """
    steps = np.zeros(Z.shape[1])
    for i, column in enumerate(Z.T):
        gaps = np.sort(np.diff(np.unique(column)))
        if 0 < len(gaps) < len(Z) - 1 and gaps[0] > gaps[len(gaps) // 2] / 2:
            steps[i] = gaps[len(gaps) // 2]
    return steps


def distinct_rows(Z: np.ndarray, seed: int) -> np.ndarray:
    """Rows of which no two are equal, as densities need them.

    Codes are spread over the interval that each of them stands for. Other equal rows
    are one row.
    """
    steps = code_steps(Z)
    varying = np.ptp(Z, axis=0) > 0
    if not (varying.any() and steps[varying].all()):
        Z = np.unique(Z, axis=0)
    rng = np.random.default_rng(seed)
    # Distances of rows far from the origin would lose their digits.
    return Z - Z.mean(0) + rng.uniform(-0.5, 0.5, Z.shape) * steps


def filled_dims(lengths: np.ndarray, indptr: np.ndarray) -> float:
    """Dimensions that rows fill, from how distances grow among near neighbours.

    This is the estimate of greatest likelihood (Levina and Bickel 2005), 1 at least.
    The distances of each row, without itself, begin where ``indptr`` says.
    """
    counts = np.diff(indptr)
    farthest = np.repeat(np.maximum.reduceat(lengths, indptr[:-1]), counts)
    known = lengths > 0
    if not known.any() or counts.max() < 3:
        return 1.0
    growth = np.log(farthest[known] / lengths[known]).mean(dtype=np.float64)
    return float(max((1 - 2 / counts.mean()) / max(growth, 1e-3), 1.0))


def join_peaks(
    heights: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    saddles: np.ndarray,
    least: float,
) -> np.ndarray:
    """Join peaks across saddles, the highest saddle first, to the higher of the two.

    The paths between places have ends and a height, that of the lowest place on it.
    Peaks that stand out by ``least`` or more above a saddle aren't joined across it.
    What is returned is the highest place of the peak that each place belongs to.
    """
    top = np.arange(len(heights))
    for path in np.argsort(-saddles, kind="stable"):
        low, high = top[one[path]], top[other[path]]
        if heights[low] > heights[high]:
            low, high = high, low
        if low != high and heights[low] - saddles[path] < least:
            top[top == low] = high
    return top


def spanning_tree(
    Z: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shortest edges that join all places, each as long as both its ends reach or more.

    This is Prim's algorithm, in the memory of a few columns. What is returned are both
    ends of the edges, and their lengths.
    """
    columns = np.ascontiguousarray(Z.T, dtype=np.float64)
    outside = np.ones(len(Z), dtype=bool)
    # Of the places outside: what they are nearest to within, and how far that is.
    source, nearest = np.zeros(len(Z), dtype=np.intp), np.full(len(Z), np.inf)
    other, lengths = np.zeros(len(Z), dtype=np.intp), np.zeros(len(Z))
    for i in range(1, len(Z)):
        place = other[i - 1]
        outside[place], nearest[place] = False, np.inf
        apart = np.square(columns - columns[:, [place]]).sum(0)
        apart = np.maximum(np.sqrt(apart), np.maximum(reach, reach[place]))
        closer = outside & (apart < nearest)
        nearest[closer], source[closer] = apart[closer], place
        other[i] = nearest.argmin()
        lengths[i] = nearest[other[i]]
    return source[other[1:]], other[1:], lengths[1:]
