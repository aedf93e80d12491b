"""What scores and densities look like where there are no clusters."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import euclidean_distances
from sklearn.utils import gen_batches

from skdeepcluster._fitted import sample_rows
from skdeepcluster.graph.density import (
    code_steps,
    distinct_rows,
    filled_dims,
    join_peaks,
)

Scores = Callable[[np.ndarray, np.ndarray], Any]

# In more dimensions, valleys are hard to see, and scores suffice: curves and sheets,
# that clusters cut well without a valley, have fewer.
FEW_DIMENSIONS = 3
# Deeper than chance makes a valley in rows without clusters: of few dimensions; of
# more, in which paths go round thin places; and nearly so.
CLEAR_DEPTH, CLEAR_DEPTH_OF_MANY, SOME_DEPTH = 5.0, 4.0, 3.5
# Modularity and silhouette together exceed those of rows without clusters by less, the
# second next to a valley that may be one.
CLEAR_GAP, SOME_GAP = 0.15, 0.1
N_NEIGHBORS = 15
# A density of fewer rows shows nothing, one of more takes too long.
FEWEST_ROWS, MOST_ROWS = 50, 2000
# Larger neighbourhoods reach from one turn of a curve to the next.
MOST_NEAR = 125
# Empty places are no sign of a valley where fewer than these are near others.
FEWEST_NEAR = 20
# Densities of more columns are too steep to be estimated.
MOST_COLUMNS = 10


def structureless_rows(Z: np.ndarray, n_sets: int, seed: int) -> list[np.ndarray]:
    """Draw rows without clusters that have the extent of ``Z`` and its codes.

    They are uniform in the box along the principal components: clusters score higher
    there than in other densities without a valley, such as a Gaussian.
    """
    rng = np.random.default_rng(seed)
    center = Z.mean(0)
    axes = np.linalg.svd(Z - center, full_matrices=False)[2]
    box = (Z - center) @ axes.T
    low, high = Z.min(0), Z.max(0)
    steps = code_steps(Z)
    coded = steps > 0
    sets = []
    for _ in range(n_sets):
        drawn = rng.uniform(box.min(0), box.max(0), box.shape) @ axes + center
        codes = np.round((drawn - low)[:, coded] / steps[coded]) * steps[coded]
        drawn[:, coded] = np.clip(codes + low[coded], low[coded], high[coded])
        sets.append(drawn)
    return sets


def shuffled_rows(Z: np.ndarray, n_sets: int, seed: int) -> list[np.ndarray]:
    """Draw rows whose columns are those of ``Z``, each in another order.

    Long tails of columns stay what they are, and so does what one column separates.
    """
    rng = np.random.default_rng(seed)
    return [rng.permuted(Z, axis=0) for _ in range(n_sets)]


def reference_scores(
    sets: list[np.ndarray],
    n_clusters: int,
    score: Scores,
    seed: int,
) -> np.ndarray:
    """Mean of the scores that k-means reaches on rows without clusters.

    K-means stands for all candidates: to fit each of them to each set would multiply
    their cost, and this way a reference depends on the number of clusters alone.
    """
    kmeans = KMeans(n_clusters, n_init=3, random_state=seed)
    with warnings.catch_warnings():
        # Codes may have fewer distinct rows than there are clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.mean([score(Z, kmeans.fit_predict(Z)) for Z in sets], axis=0)


@dataclass
class Reference:
    """What rows without clusters look like, and whether some rows look otherwise.

    Parameters
    ----------
    depth : float
        Depth of the deepest valley in the density of the rows, in standard deviations
        of a count. Not a number for fewer than 50 distinct rows.
    dimension : float
        How many dimensions the rows fill.
    kinds : list of list of ndarray
        Sets of rows without clusters. The higher of the scores counts that are
        reached on them.
    seed : int
        Seed of k-means.
    """

    depth: float
    dimension: float
    kinds: list[list[np.ndarray]]
    seed: int

    def scores(self, n_clusters: int, score: Scores) -> np.ndarray:
        """Scores that so many clusters reach where there are none."""
        return np.max(
            [
                reference_scores(sets, n_clusters, score, self.seed)
                for sets in self.kinds
            ],
            axis=0,
        )

    @property
    def clear_depth(self) -> float:
        """Depth that shows clusters whatever the scores are."""
        many = self.dimension > FEW_DIMENSIONS
        return CLEAR_DEPTH_OF_MANY if many else CLEAR_DEPTH

    def shows_clusters(self, gaps: np.ndarray) -> bool | None:
        """Whether the density shows clusters, or scores that it doesn't speak against.

        Parameters
        ----------
        gaps : ndarray of shape (n_candidates, n_scores)
            Scores less those of rows without clusters.
        """
        if np.isnan(self.depth):
            return None
        if self.depth >= self.clear_depth:
            return True
        if self.depth < SOME_DEPTH and self.dimension <= FEW_DIMENSIONS:
            return False
        needed = SOME_GAP if self.depth >= SOME_DEPTH else CLEAR_GAP
        clear = (gaps > 0).all(axis=1) & (gaps.sum(axis=1) >= needed)
        return bool(clear.any())

    def in_words(self, gaps: np.ndarray) -> str:
        """Sentence on whether there are clusters."""
        valley = (
            f"the deepest valley of the density is {self.depth:.1f} standard "
            f"deviations deep ({self.clear_depth:g} are clear)"
        )
        clustered = self.shows_clusters(gaps)
        if clustered is None:
            return (
                f"Fewer than {FEWEST_ROWS} distinct rows can't tell whether there are "
                "clusters."
            )
        if self.depth >= self.clear_depth:
            return f"There are clusters: {valley}."
        if clustered:
            return (
                "There are clusters: modularity and silhouette are clearly above those "
                f"of rows without any. In contrast, {valley}."
            )
        return (
            f"Nothing shows that there are clusters: {valley}, and modularity and "
            "silhouette don't tell them from rows without any."
        )


def make_reference(Z: np.ndarray, n_sets: int, seed: int) -> Reference:
    """Measure the density of rows, and draw rows that have no clusters."""
    depth, dimension = density_valley(Z, seed)
    kinds = [structureless_rows(Z, n_sets, seed)]
    if dimension > FEW_DIMENSIONS and depth < SOME_DEPTH:
        # Long tails score high as well, and nothing but the scores is left to look at.
        kinds.append(shuffled_rows(Z, n_sets, seed))
    return Reference(depth, dimension, kinds, seed)


def density_valley(Z: np.ndarray, seed: int) -> tuple[float, float]:
    """Depth of the deepest valley of the density of rows, and their dimension.

    Both are not a number for too few rows. Rows that fill more than three dimensions
    are looked at in the plane of their two main components as well, where a valley
    between two of many clusters can be deeper; a curved sheet would have folds there.
    """
    Z = distinct_rows(Z[sample_rows(len(Z), MOST_ROWS, seed)], seed)
    if len(Z) < FEWEST_ROWS:
        return np.nan, np.nan
    if Z.shape[1] > MOST_COLUMNS:
        Z = PCA(MOST_COLUMNS, random_state=seed).fit_transform(Z)
    dimension = dimension_of(Z)
    depth = valley_depth(Z)
    if dimension > FEW_DIMENSIONS:
        depth = max(depth, valley_depth(PCA(2, random_state=seed).fit_transform(Z)))
    return depth, dimension


def dimension_of(Z: np.ndarray) -> float:
    """Dimensions that rows fill."""
    near = np.partition(euclidean_distances(Z), N_NEIGHBORS, axis=1)
    # The row itself is one of them.
    lengths = np.sort(near[:, : N_NEIGHBORS + 1])[:, 1:].ravel()
    return filled_dims(lengths, np.arange(0, len(lengths) + 1, N_NEIGHBORS))


def valley_depth(Z: np.ndarray) -> float:
    """Depth of the deepest valley of the density, in standard deviations of a count.

    Rows and the middles between neighbours are as dense as the k-th row is near. Of
    two modes, the lower one ends at the thinnest place of the best path between them.
    Without a valley, as many rows lie there within the distance of the mode's k-th
    neighbour as at the mode, k, up to the noise of counting. The square root of a
    count plus 3/8 has a variance of 1/4 (Anscombe), so this can be said of rows in any
    number of dimensions. Small k show small clusters, large ones shallow valleys.
    """
    scales = [min(max(len(Z) // 8, FEWEST_NEAR), MOST_NEAR)]
    while scales[-1] >= 2 * FEWEST_NEAR:
        scales.append(scales[-1] // 2)
    order = np.array(scales) - 1
    squared = euclidean_distances(Z, squared=True)
    starts, stops = neighbor_pairs(squared)
    radii = np.partition(squared, order, axis=1)[:, order]
    between = np.empty((len(starts), len(scales)))
    for rows in gen_batches(len(starts), 1000):
        there = middle(squared, starts[rows], stops[rows])
        between[rows] = np.partition(there, order, axis=1)[:, order]
    return max(
        deepest(squared, starts, stops, radii[:, i], between[:, i], k)
        for i, k in enumerate(scales)
    )


def neighbor_pairs(squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of edges to nearest neighbours, and of those that join all rows."""
    n_samples = len(squared)
    nearest = np.argpartition(squared, N_NEIGHBORS, axis=1)[:, : N_NEIGHBORS + 1]
    tree = minimum_spanning_tree(squared).tocoo()
    starts = np.append(np.arange(n_samples).repeat(N_NEIGHBORS + 1), tree.row)
    stops = np.append(nearest.ravel(), tree.col)
    pairs = np.sort(np.column_stack([starts, stops]), axis=1)
    starts, stops = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0).T
    return starts, stops


def middle(squared: np.ndarray, starts: Any, stops: Any) -> np.ndarray:
    """Squared distances of all rows to the middle between two of them."""
    apart = squared[starts, stops]
    return (squared[starts] + squared[stops]) / 2 - apart[..., None] / 4


def deepest(
    squared: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    radii: np.ndarray,
    between: np.ndarray,
    k: int,
) -> float:
    """Depth of the deepest valley at one scale, joining modes from dense to thin."""
    heights = np.maximum(np.maximum(radii[starts], radii[stops]), between)
    fewest = k
    for edge, low in join_peaks(-radii, stops, starts, -heights)[1]:
        if radii[low] < heights[edge]:
            start, stop = starts[edge], stops[edge]
            places = squared[start], squared[stop], middle(squared, start, stop)
            thinnest = np.argmax([radii[start], radii[stop], between[edge]])
            fewest = min(fewest, int(np.sum(places[thinnest] <= radii[low])))
    return float(np.sqrt(2) * (np.sqrt(k + 3 / 8) - np.sqrt(fewest + 3 / 8)))
