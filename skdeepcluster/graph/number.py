"""How many clusters the communities of a graph make up.

Two communities of one cluster lean on each other as any two of its communities do that
lie side by side; across a valley between clusters they hardly touch. So communities
merge to modules first, as long as that gains modularity of walks, which cuts what is
large or long as well; and modules merge on where they touch as their own communities
do. With w_ij the weight between communities i and j, d_i that of all of i's edges, and
D the dimension that rows fill,

    t_ij = w_ij / (d_i d_j)^((D - 1) / 2D)      how strongly i and j touch
    T_AB = sum t_ij^2 / sum t_ij                the same of modules, over i in A, j in B
    T_AB / sqrt(T_AA T_BB)                      1 within a cluster, 0 across a valley

The power makes up for the size of communities: their common border grows more slowly
than they do.

In one or two dimensions borders are too short to tell, but density is known well: there
clusters are the peaks of density that stand out above the saddles around them (Chazal,
Guibas, Oudot and Skraba 2013, https://doi.org/10.1145/2535927). In more dimensions they
are counted in the plane of the two main components as well, where a valley between
large clusters shows that each row's neighbours don't. Among few rows peaks are counted
in any dimension: a cluster may have fewer rows than a row has neighbours, and be a
single community. So are groups of them that only long steps lead between, in the tree
of single linkage that HDBSCAN cuts.

Throughout, ``links`` are the summed weights between communities, ``labels`` the module
of each, ``n_dims`` the dimensions that rows fill and ``mass`` the rows of each node.

Shares of sets in which the number is right are told beside the constants: means over
kinds of the sets of `ordinary.py` (60 to 1,000 rows), rows without clusters and rods.
"""

import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from scipy.cluster.hierarchy import single
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from skdeepcluster._rows import sample_rows
from skdeepcluster.graph.communities import (
    TINY,
    WALK,
    agglomerate,
    between,
    communities,
    merged,
    modularity_gain,
    walk_ends,
)
from skdeepcluster.graph.density import distinct_rows, join_peaks, spanning_tree
from skdeepcluster.graph.neighbors import FEWEST_NEIGHBORS, Graph

# Modules that touch more than so are one. Random rows of up to 50 dimensions come to .6
# and more, classes of handwritten digits to .3 and less. With .45, two are found in 42%
# of sets of exponential rows in ten columns, and now in none; with .3, numbers of real
# sets are off by a factor of 2.3 on average in place of 2.0.
TOUCHING = 0.4

# Up to here, peaks of density are counted.
FEW_DIMS = 3.0

# The density at a row is told by as many others as it has neighbours in the graph; by
# fewer among so few rows that there are less than 20 to each of them; and by 4 in any
# case. Where the root of their number is more, so many tell it, and the smaller number
# tells of small clusters only, which are to be clearer by this factor: without them,
# .09 less are right where one class has 80 %; with 1 in place of 1.75, .045 of all.
ROWS_A_NEAR, FEWEST_NEAR, SMALL_CLEARER = 20, 4, 1.75

# Rows that peaks are counted among, at most.
PEAK_ROWS = 2_000

# A peak stands out by so many of the deviations of a logarithm of density that k others
# tell, 1 / sqrt(k): one, and more on a line, where a gap may be due to a few nodes:
# 1 + PEAK_ON_LINE / dimension. With 3 in place of 4, .033 less are right.
PEAK_ON_LINE = 4.0

# Rows that tell something: from so many on, the dimensions far out are known, for among
# fewer, a quarter of all and half of them are in several groups. Without these, .044
# less are right. With 150 in place of 100, .043 less are of sets of 102 and 140 rows.
ENOUGH_ROWS = 100

# Among few rows, groups of more than FEWEST_NEAR are apart as well across steps that
# are so much longer than nine of ten: STEP ** (1 / dimension), for they vary most on a
# line. A step reaches as far as the fewest neighbours of its ends, three. Without such
# groups, .048 less are right; with groups of any size, or four neighbours, .033.
STEP, USUAL_STEPS = 3.4, 0.9


def touch(links: np.ndarray, labels: np.ndarray, n_dims: float) -> np.ndarray:
    """How strongly modules touch: 0 to about 1, and 0 on the diagonal."""
    degrees = links.sum(1)
    ties = links / np.outer(degrees, degrees) ** ((n_dims - 1) / (2 * n_dims))
    np.fill_diagonal(ties, 0)
    strength, square = merged(ties, labels), merged(ties**2, labels)
    # What is usual stands for what is within a module of a single community.
    usual = np.median(ties.max(1))
    typical = (ties**2).sum() / max(ties.sum(), TINY)
    inner = (square.diagonal() + usual * typical) / (strength.diagonal() + usual + TINY)
    ratio = square / np.maximum(strength, TINY)
    ratio /= np.maximum(np.sqrt(np.outer(inner, inner)), TINY)
    np.fill_diagonal(ratio, 0)
    return ratio


def merge_touching(links: np.ndarray, labels: np.ndarray, n_dims: float) -> np.ndarray:
    """Merge the modules that touch most, until none touch as parts of one do."""
    labels = labels.copy()
    while labels.max() > 0:
        ratio = touch(links, labels, n_dims)
        kept, gone = sorted(np.unravel_index(ratio.argmax(), ratio.shape))
        if ratio[kept, gone] < TOUCHING:
            break
        labels[labels == gone] = kept
        labels[labels > gone] -= 1
    return labels


def are_few(n_nodes: int, n_neighbors: int) -> bool:
    """Tell whether clusters may have fewer nodes than a node has neighbours."""
    return n_nodes < ROWS_A_NEAR * n_neighbors


def stand_out(
    heights: np.ndarray,
    paths: tuple[np.ndarray, np.ndarray, np.ndarray],
    mass: np.ndarray,
    n_dims: float,
    near: int,
    clearer: float = 1.0,
) -> int:
    """Count the peaks that stand out, of more rows than tell the density of one.

    ``heights`` are logarithms of densities that ``near`` neighbours tell, ``paths``
    both ends of the ways between nodes and the heights of their saddles. Ways have
    ``n_dims`` dimensions, and peaks must be clearer so many times.
    """
    deviations = clearer * (1 + PEAK_ON_LINE / n_dims)
    top = join_peaks(heights, *paths, deviations / math.sqrt(near))
    return max(int((np.bincount(top, mass) > near).sum()), 1)


def count_peaks(Z: np.ndarray, mass: np.ndarray, n_neighbors: int, seed: int) -> int:
    """Count the peaks of density of nodes in a space, in a sample of many."""
    rows = np.repeat(np.arange(len(Z)), mass.astype(np.intp))
    sample = rows[sample_rows(len(rows), PEAK_ROWS, seed)]
    Z = distinct_rows(Z[sample].astype(np.float64), seed)
    near = max(min(n_neighbors, len(Z) // ROWS_A_NEAR), FEWEST_NEAR)
    if len(Z) <= near:
        return 1
    root, distances = math.isqrt(len(Z)), cdist(Z, Z)
    if root <= near:
        peaks = _count_at(Z, distances, near)
    else:
        small = _count_at(Z, distances, near, SMALL_CLEARER)
        peaks = max(_count_at(Z, distances, root), small)
    if are_few(len(Z), n_neighbors):
        return max(peaks, count_apart_by_steps(Z))
    return peaks


def _count_at(
    Z: np.ndarray, distances: np.ndarray, near: int, clearer: float = 1.0
) -> int:
    """Count the peaks of a density that so many neighbours tell.

    Dimensions are those between near neighbours, where a thin strip is a line. But a
    gap in a strip, however wide, is due to a few nodes: the dimensions farther out tell
    how clear a peak must be.
    """
    orders = [near // 2, near, min(4 * near, len(Z) // 4), min(8 * near, len(Z) // 2)]
    reaches = np.partition(distances, orders)[:, orders].T
    # Rows that coincide in the space are no denser than the rest.
    first = reaches[0]
    reaches = np.maximum(reaches, first[first > 0].min(initial=1.0))
    half, whole, far, farther = reaches
    n_dims = far_dims = _dims(half, whole, orders[1] / orders[0])
    if len(Z) >= ENOUGH_ROWS:
        far_dims = min(n_dims, _dims(far, farther, orders[3] / orders[2]))
    one, other, steps = spanning_tree(Z, whole)
    paths = one, other, -n_dims * np.log(steps)
    heights = -n_dims * np.log(whole)
    return stand_out(heights, paths, np.ones(len(Z)), far_dims, near, clearer)


def _dims(near: np.ndarray, far: np.ndarray, times: float) -> float:
    """Dimensions, 1 at least, by how far nodes reach for so many times the others."""
    return max(math.log(times) / max(np.log(far / near).mean(), TINY), 1.0)


def count_apart_by_steps(Z: np.ndarray) -> int:
    """Count the groups of few rows that only long steps lead between.

    Steps are those of single linkage, as in HDBSCAN. Density is too uncertain to tell
    small groups, but no step within a cluster is that long, save to a few rows.
    """
    if len(Z) <= 4 * FEWEST_NEIGHBORS:
        return 1
    distances = cdist(Z, Z)
    orders = FEWEST_NEIGHBORS * np.array([1, 2, 4])
    reach, half, whole = np.partition(distances, orders)[:, orders].T
    half, whole = np.maximum([half, whole], half[half > 0].min(initial=1.0))
    n_dims = _dims(half, whole, 2)
    apart = np.maximum(distances, np.maximum.outer(reach, reach))
    merges = single(apart[np.triu_indices(len(Z), 1)])
    sizes = np.concatenate([np.ones(len(Z)), merges[:, 3]])
    smaller = sizes[merges[:, :2].astype(np.intp)].min(1)
    steps = merges[:, 2]
    least = STEP ** (1 / n_dims) * np.quantile(steps, USUAL_STEPS)
    return 1 + int(((steps > least) & (smaller > FEWEST_NEAR)).sum())


def count_peaks_in_graph(graph: Graph, mass: np.ndarray) -> int:
    """Count the peaks of density of nodes of which only a graph is known."""
    edges = sp.triu(graph.weights, 1).tocoo()
    one, other, heights = edges.row, edges.col, graph.density
    paths = one, other, np.minimum(heights[one], heights[other])
    return stand_out(heights, paths, mass, graph.n_dims, graph.n_neighbors)


def count_modules(links: np.ndarray, sizes: np.ndarray, n_dims: float) -> int:
    """Count the modules of communities that hardly touch."""
    walks = walk_ends(links, WALK)
    modules = agglomerate(walks, sizes, None, modularity_gain)
    return int(merge_touching(links, modules, n_dims).max()) + 1


def count_clusters(
    graph: Graph,
    mass: np.ndarray,
    resolution: float,
    seed: int,
    seeds: Sequence[int],
) -> list[int]:
    """Count the clusters of nodes, once for the communities of each of some seeds.

    The other seed is that of a sample of many nodes.
    """
    near, points = graph.n_neighbors, graph.points
    flat, peaks = graph.n_dims < FEW_DIMS, 1
    if points is not None:
        if flat or are_few(len(mass), near):
            peaks = count_peaks(points, mass, near, seed)
        if not flat:
            plane = PCA(2, random_state=seed).fit_transform(points)
            peaks = max(peaks, count_peaks(plane, mass, near, seed))
    elif flat:
        peaks = count_peaks_in_graph(graph, mass)
    if flat:
        return [peaks] * len(seeds)
    parts = [communities(graph.weights, 1, resolution, each) for each in seeds]
    links = [(between(graph.weights, each), np.bincount(each, mass)) for each in parts]
    return [max(peaks, count_modules(*each, graph.n_dims)) for each in links]
