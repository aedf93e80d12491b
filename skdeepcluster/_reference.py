"""What scores look like where there are no clusters, and whether there are some."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.density import code_steps

Scores = Callable[[np.ndarray, np.ndarray], Any]

# Fewer distinct rows show nothing.
FEWEST_ROWS = 50


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
    counted : int or None
        Clusters of the rows, as the graph of their neighbours counts them. None for
        fewer than 50 distinct rows.
    sets : list of ndarray
        Rows without clusters.
    seed : int
        Seed of k-means.
    """

    counted: int | None
    sets: list[np.ndarray]
    seed: int

    @classmethod
    def of(cls, Z: np.ndarray, n_sets: int, seed: int) -> "Reference":
        """Count the clusters of rows, and draw rows that have none."""
        counted = None
        if len(np.unique(Z, axis=0)) >= FEWEST_ROWS:
            counted = GraphClustering(random_state=seed)._number_of(Z)
        return cls(counted, structureless_rows(Z, n_sets, seed), seed)

    def scores(self, n_clusters: int, score: Scores) -> np.ndarray:
        """Scores that so many clusters reach where there are none."""
        return reference_scores(self.sets, n_clusters, score, self.seed)

    @property
    def clustered(self) -> bool | None:
        """Whether the rows have more clusters than one; None where none can tell."""
        return None if self.counted is None else self.counted > 1

    def in_words(self) -> str:
        """Sentence on whether there are clusters."""
        if self.counted is None:
            return (
                f"Fewer than {FEWEST_ROWS} distinct rows can't tell whether there are "
                "clusters."
            )
        if self.counted > 1:
            return (
                f"There are clusters: {self.counted} groups hardly touch in the graph "
                "of neighbours."
            )
        return (
            "Nothing shows that there are clusters: nothing is apart in the graph of "
            "neighbours."
        )
