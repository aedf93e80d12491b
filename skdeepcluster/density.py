"""What distances to neighbours and densities tell of the shape of rows."""

import numpy as np


def filled_dims(lengths: np.ndarray, indptr: np.ndarray) -> float:
    """Dimensions that rows fill, from how distances grow among near neighbours.

    This is the estimate of greatest likelihood (Levina and Bickel 2005), 1 at least.

    Parameters
    ----------
    lengths : ndarray of shape (n_edges,)
        Distances of each row's neighbours, without itself.
    indptr : ndarray of shape (n_rows + 1,)
        Where those of each row begin, as in a CSR matrix.
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
    least: float = np.inf,
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Join peaks across saddles, the highest saddle first, to the higher of the two.

    Parameters
    ----------
    heights : ndarray of shape (n_places,)
    one, other : ndarray of shape (n_paths,)
        Ends of the paths between places.
    saddles : ndarray of shape (n_paths,)
        Height of the lowest place of each path.
    least : float, default=inf
        Peaks that stand out by so much above a saddle aren't joined across it.

    Returns
    -------
    top : ndarray of shape (n_places,)
        The highest place of the peak that each belongs to.
    joined : list of (int, int)
        Path and lower peak of each joining, in this order.
    """
    top = np.arange(len(heights))
    joined = []
    for path in np.argsort(-saddles, kind="stable").tolist():
        low, high = top[one[path]], top[other[path]]
        if heights[low] > heights[high]:
            low, high = high, low
        if low != high and heights[low] - saddles[path] < least:
            top[top == low] = high
            joined.append((path, int(low)))
    return top, joined
