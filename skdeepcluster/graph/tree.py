"""Tree of clusters: communities that merge to clusters, and these to one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skdeepcluster.graph.communities import WALK, mean_tie, merging, walk_ends

# Numbers of clusters that layers choose from, and how many layers there are.
MOST_IN_LAYER, MOST_LAYERS = 100, 4


@dataclass(eq=False)
class ClusterTree:
    """Merges of the leaves of a tree, the closest first."""

    # The two that each merge joins: a leaf by its index, or an earlier merge by its
    # index plus the number of leaves, as scikit-learn has it.
    children: np.ndarray
    # Distance of the two; it never falls.
    distances: np.ndarray
    # Rows of each leaf.
    sizes: np.ndarray
    # Summed weights between leaves, and within, where the tree was made of them.
    ties: Any = None

    @classmethod
    def of(
        cls, ties: np.ndarray, sizes: np.ndarray, clusters: np.ndarray
    ) -> "ClusterTree":
        """Merge leaves within each cluster, and then the clusters.

        ``ties`` are the summed weights between leaves, and within; ``sizes`` their
        rows, and ``clusters`` the cluster of each.
        """
        names = np.arange(len(sizes))
        children, closeness = [], []
        merges = merging(walk_ends(ties, WALK), sizes, mean_tie, clusters)
        for kept, gone, tie in merges:
            children.append(sorted((names[kept], names[gone])))
            closeness.append(tie)
            names[kept] = len(sizes) + len(children) - 1
        heights = _heights(np.array(closeness))
        # Leaves of a cluster are nearer to each other than clusters, by its being one.
        within = len(sizes) - len(np.unique(clusters))
        inner, outer = heights[:within], heights[within:]
        most = 0.95 * outer.min(initial=np.inf)
        if inner.max(initial=0) > most:
            inner = inner * (most / inner.max())
        return cls(
            np.array(children, dtype=np.int64).reshape(-1, 2),
            np.maximum.accumulate(np.r_[inner, outer]),
            sizes,
            sp.csr_array(ties),
        )

    def cut(self, n_clusters: int) -> np.ndarray:
        """Cluster of each leaf where so many clusters are left."""
        n_leaves = len(self.sizes)
        top = np.arange(n_leaves)
        for step, pair in enumerate(self.children[: n_leaves - n_clusters]):
            top[np.isin(top, pair)] = n_leaves + step
        # Numbered by their first leaves, as the clusters are that leaves are sorted by.
        _, first, numbers = np.unique(top, return_index=True, return_inverse=True)
        return first.argsort().argsort()[numbers]

    def parts(self, leaves: np.ndarray, n_parts: int) -> np.ndarray:
        """Part of each of the leaves below one merge where so many are left of it."""
        top = leaves.copy()
        for step, pair in enumerate(self.children):
            if len(np.unique(top)) == n_parts:
                break
            top[np.isin(top, pair)] = len(self.sizes) + step
        return np.unique(top, return_inverse=True)[1]

    def linkage(self) -> np.ndarray:
        """Return the matrix that `scipy.cluster.hierarchy.dendrogram` draws."""
        n_leaves = len(self.sizes)
        counts = np.ones(n_leaves + len(self.children))
        for step, pair in enumerate(self.children):
            counts[n_leaves + step] = counts[pair].sum()
        return np.column_stack(
            [self.children, self.distances, counts[n_leaves:]]
        ).astype(float)

    def layers(self) -> list[int]:
        """Few numbers of clusters that hold over a wide range of distances."""
        most = min(len(self.sizes), MOST_IN_LAYER)
        # With k clusters left, the next merge is the k-th from the end.
        last = np.concatenate([[0.0], self.distances])[::-1]
        gaps = {k: last[k - 2] - last[k - 1] for k in range(2, most + 1)}
        widest = sorted(gaps, key=lambda k: (-gaps[k], k))[:MOST_LAYERS]
        return sorted(k for k in widest if gaps[k] > 0)


def _heights(closeness: np.ndarray) -> np.ndarray:
    """Distances from how close the two of each merge are."""
    known = closeness[closeness > 0]
    if not len(known):
        return np.arange(1, len(closeness) + 1, dtype=float)
    return np.log(known.max() / np.maximum(closeness, known.min() / np.e))
