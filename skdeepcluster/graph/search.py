"""The search for clusters of rows that are known in one view or in several.

    rows -> Nodes, RowSpace    distinct rows, and where they are        `rows`
         -> Graph              ties of nearest neighbours               `neighbors`
         -> Constraints        of rows, where there are some            `constraints`
         -> number             unless it is given                       `number`
         -> Graph              with ties in further spaces              `spaces`
         -> Start, one a seed  communities, merged in two ways          `communities`
         -> GraphFit           what is worth most, or else k-means

Candidates are the clusters that each start leads to in two ways, and those of k-means.
One score, the worth of clusters, chooses among the starts and between the two ways; one
gate, `is_clearer`, between these clusters and those of k-means.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from skdeepcluster._seeds import spawn_seeds
from skdeepcluster.graph.communities import (
    TINY,
    between,
    communities,
    leak,
    leak_of,
    merge_by_ties,
    merge_evenly,
    merged,
    walk_ends,
    worth_of,
)
from skdeepcluster.graph.constraints import Constraints, Links
from skdeepcluster.graph.distances import GivenDistances
from skdeepcluster.graph.neighbors import Graph, usable_neighbors
from skdeepcluster.graph.number import count_clusters
from skdeepcluster.graph.rows import Nodes, RowSpace
from skdeepcluster.graph.spaces import SPACES

# Even clusters leak at most so many times what those merged by their ties do; another
# view may leak at most so many times what the first one does. Without the limit
# accuracy is .005 lower over the frozen sets, and .05 on uneven classes.
LEAKIER = 1.3

# Clusters of the graph are taken in place of k-means' if a step leaves them exp(SLOPE *
# missing + LEAST) times as seldom, where `missing` is the share of the variance that
# k-means explains and they don't. Without the slope accuracy is .011 lower over the
# frozen sets, and without k-means .025. Over those that aren't generated, a slope of 1
# or 1.5 costs .005 (.004 by page-blocks alone), one of 2.5 .006; a least of .05 costs
# .002, one of .15 .003.
SLOPE, LEAST = 2.0, 0.1

# A leak that is rounding, at most.
ROUNDING = 1e-6

# Distinct rows up to which further spaces are looked at. On 70,000 rows of MNIST they
# gain .002 and on Fashion-MNIST they lose .02, for two thirds more time.
MAPPED_ROWS = 20_000

# Starts that count the clusters, at most: six find the same in 62 generated sets, and
# nothing better in 37 others, for an eighth more time.
COUNTING_STARTS = 3

# Rows that k-means is fitted to, at least ten a cluster where there are so many; and
# how often, of which the best counts.
CENTERS_ROWS, CENTERS_RUNS = 10_000, 10


@dataclass(eq=False)
class Start:
    """What the communities of one seed lead to, merged evenly and by ties."""

    # Community of each node, and its cluster either way; none is empty.
    parts: np.ndarray
    labels: tuple[np.ndarray, np.ndarray]
    # What these clusters are worth, and the share of their entropy that a step forgets.
    worths: tuple[float, float]
    leaks: tuple[float, float]

    @classmethod
    def of(
        cls,
        graph: Graph,
        mass: np.ndarray,
        n_clusters: int,
        resolution: float,
        seed: int,
    ) -> "Start":
        """Find communities of a graph and merge them in both ways."""
        parts = communities(graph.weights, n_clusters, resolution, seed)
        sizes, links = np.bincount(parts, mass), between(graph.weights, parts)
        even = merge_evenly(links, sizes, n_clusters)
        tied = merge_by_ties(between(graph.shared, parts), sizes, n_clusters)
        step = walk_ends(links, 1)
        one, other = merged(step, even), merged(step, tied)
        return cls(
            parts,
            (even[parts], tied[parts]),
            (worth_of(one), worth_of(other)),
            (leak_of(one), leak_of(other)),
        )

    def keeping(
        self, known: Constraints, graph: Graph, mass: np.ndarray, n_clusters: int
    ) -> "Start":
        """Return the start of units as one of nodes that keeps constraints."""
        even, tied = (
            known.kept(each[known.units], graph, mass, n_clusters)
            for each in self.labels
        )
        return replace(self, parts=self.parts[known.units], labels=(even, tied))


def best_of(starts: Sequence[Start]) -> tuple[Start, int]:
    """Return the best start, and in which of the two ways."""
    even, tied = (max(starts, key=lambda start: start.worths[way]) for way in (0, 1))
    clear = even.leaks[0] <= LEAKIER * tied.leaks[1]
    if clear and even.worths[0] > tied.worths[1]:
        return even, 0
    return tied, 1


@dataclass(eq=False)
class GraphFit:
    """What was found about some rows."""

    nodes: Nodes
    # Of the first view.
    space: RowSpace | GivenDistances
    # Those of the views that count, and their sum without the ties in further spaces:
    # these are made to tell clusters apart, and would find signs of them anywhere.
    graphs: list[Graph]
    graph: Graph
    # Clusters that each start leads to, and communities of the best one.
    starts: list[np.ndarray]
    parts: np.ndarray
    # Cluster of each node, the largest first.
    labels: np.ndarray
    # Numbers of clusters that starts found, where it wasn't given.
    counts: list[int] | None = None
    # Whether the clusters are those of k-means.
    by_centers: bool = False
    # Whether each node has a constraint: such nodes are no noise.
    linked: np.ndarray | None = None

    @property
    def leaves(self) -> np.ndarray:
        """Community of each node, without what lies in another cluster."""
        pairs = np.column_stack([self.labels, self.parts])
        return np.unique(pairs, axis=0, return_inverse=True)[1].ravel()

    def is_noise(self, ratio: float | None) -> np.ndarray:
        """Whether nodes are far from all others, as far as all the views tell."""
        if ratio is None:
            return np.zeros(len(self.labels), dtype=bool)
        mass = self.nodes.mass
        far = np.all(
            [graph.is_far(self.labels, mass, ratio) for graph in self.graphs], axis=0
        )
        return far if self.linked is None else far & ~self.linked

    def row_labels(self, noise_ratio: float | None) -> np.ndarray:
        """Cluster of each row, -1 for noise."""
        labels = np.where(self.is_noise(noise_ratio), -1, self.labels)
        return labels[self.nodes.inverse].astype(np.int32)

    def agreement(self) -> tuple[float, np.ndarray]:
        """How far starts agree: the mean adjusted Rand index, and a share by row.

        Neither is a number for a single cluster, on which all agree.
        """
        rows = self.labels[self.nodes.inverse]
        if not rows.any():
            return np.nan, np.full(len(rows), np.nan)
        # Of rows in their least numbers, so that copies of all make no difference.
        each = np.repeat(np.arange(len(self.labels)), self.nodes.mass.astype(np.intp))
        indices = [
            adjusted_rand_score(self.labels[each], labels[each])
            for labels in self.starts
        ]
        others = [
            matched(rows, labels[self.nodes.inverse]) == rows for labels in self.starts
        ]
        return float(np.mean(indices)), np.mean(others, axis=0)


def matched(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Other labels of the same rows, by the names of the clusters they meet most."""
    table = contingency_matrix(others, labels)
    one, names = linear_sum_assignment(-table)
    found, members = np.unique(others, return_inverse=True)
    named = np.full(len(found), -1)
    named[one] = np.unique(labels)[names]
    return named[members]


def find_clusters(
    views: Sequence[Any],
    settings: Any,
    random_state: Any,
    links: Links | None = None,
) -> GraphFit:
    """Find the clusters of rows that are known in some views, as `Search.of` has them.

    Another than the first counts where clusters are clearer in it: they leak less than
    in the first, and those of the first alone don't leak much more there.
    """
    search, (first, *others) = Search.of(views, settings, random_state, links)
    if len(search.nodes.first) == 1:
        label = np.zeros(1, dtype=np.int64)
        graphs, starts = [first], [label]
        return GraphFit(search.nodes, search.space, graphs, first, starts, label, label)
    found = search.clusters([first])
    known, n_clusters = [first], int(found.labels.max()) + 1
    for other in others:
        pair = first.weights, other.weights
        in_first, in_other = (leak(weights, found.labels) for weights in pair)
        if in_other <= LEAKIER * in_first:
            both = search.clusters([*known, other], n_clusters)
            in_first, in_other = (leak(weights, both.labels) for weights in pair)
            if in_other < in_first:
                known.append(other)
                found = replace(both, counts=found.counts)
    return found


def number_of_clusters(X: Any, settings: Any, random_state: Any) -> int:
    """Count the clusters of rows, as `find_clusters` does where none is given."""
    search, (graph,) = Search.of([X], settings, random_state)
    if len(search.nodes.first) == 1:
        return 1
    return int(np.median(search.counts(graph)))


@dataclass(frozen=True)
class Search:
    """What searches in several graphs of the same nodes share."""

    # A `GraphClustering`, whose parameters say how.
    settings: Any
    nodes: Nodes
    # Of the first view, for predictions.
    space: RowSpace | GivenDistances
    # Of the neighbours, and of the starts.
    seed: int
    seeds: list[int]
    # What is known of some rows.
    constraints: Constraints | None = None

    @classmethod
    def of(
        cls,
        views: Sequence[Any],
        settings: Any,
        random_state: Any,
        links: Links | None = None,
    ) -> tuple["Search", list[Graph]]:
        """Make the search for clusters of rows, and a graph of each view of them.

        Rows of the first view are told apart; where distances are given, these are the
        only view. ``settings`` is a `GraphClustering` with its parameters.
        """
        seed, *seeds = spawn_seeds(random_state, 1 + settings.n_init)
        if isinstance(settings.neighbors, str):  # "precomputed"
            space = GivenDistances(views[0])
            nodes = space.nodes(views[0])
            known = Constraints.known(links, nodes, settings.n_clusters)
            graph = Graph.of_edges(*space.edges(views[0]), nodes.mass)
            return cls(settings, nodes, space, seed, seeds, known), [graph]
        nodes = Nodes.of(views[0], settings.neighbors is not None).in_least_numbers()
        known = Constraints.known(links, nodes, settings.n_clusters)
        spaces = [RowSpace(X, nodes.first, seed) for X in views]
        search = cls(settings, nodes, spaces[0], seed, seeds, known)
        return search, [search.graph(it.rows, settings.neighbors) for it in spaces]

    def graph(self, points: np.ndarray, neighbors: Any = None) -> Graph:
        """Tie the nodes to their neighbours in a space."""
        if len(points) == 1:
            return Graph.of_one_node()
        wanted = self.settings.n_neighbors
        near = usable_neighbors(wanted, len(points), self.settings.n_clusters)
        return Graph.of(points, self.nodes.mass, near, neighbors, self.seed)

    def mapped(self, graphs: Sequence[Graph]) -> Graph:
        """Sum of graphs, and of those in the spaces that they tell of."""
        graph, mass = Graph.sum_of(graphs), self.nodes.mass
        if self.settings.neighbors is not None or not 2 < len(mass) <= MAPPED_ROWS:
            return graph
        parts = communities(graph.weights, 1, self.settings.resolution, self.seeds[0])
        further = [
            self.graph(make(each.points, mass, parts))
            for make in SPACES
            for each in graphs
        ]
        return Graph.sum_of([*graphs, *further])

    def counts(self, graph: Graph) -> list[int]:
        """Count the clusters of a graph, once for each of the first starts."""
        if self.settings.neighbors is not None:
            graph = replace(graph, points=None)
        mass, resolution = self.nodes.mass, self.settings.resolution
        seeds = self.seeds[:COUNTING_STARTS]
        return count_clusters(graph, mass, resolution, self.seed, seeds)

    def clusters(self, graphs: list[Graph], n_clusters: int | None = None) -> GraphFit:
        """Find the clusters of the nodes by their graphs in some views."""
        settings, mass, known = self.settings, self.nodes.mass, self.constraints
        graph, richer = Graph.sum_of(graphs), self.mapped(graphs)
        most, least = len(mass), 1
        if known is not None:
            graph, richer = known.informed(graph), known.informed(richer)
            most, least = known.n_units, known.n_least(None)
        counts, n_clusters = None, n_clusters or settings.n_clusters
        if n_clusters is None:
            counts = self.counts(graph)
            n_clusters = max(int(np.median(counts)), least)
        n_clusters = min(n_clusters, most)
        tied, sizes = (richer, mass) if known is None else known.as_nodes(richer, mass)
        starts = Parallel(settings.n_jobs)(
            delayed(Start.of)(tied, sizes, n_clusters, settings.resolution, seed)
            for seed in self.seeds
        )
        if known is not None:
            starts = [each.keeping(known, richer, mass, n_clusters) for each in starts]
        best, way = best_of(starts)
        labels, by_centers = best.labels[way], False
        if graph.points is not None:
            centers = center_labels(graph.points, mass, n_clusters, self.seeds[0])
            if known is not None:
                centers = known.kept(centers, richer, mass, n_clusters)
            by_centers = not is_clearer(richer, mass, labels, centers)
            labels = centers if by_centers else labels
        return GraphFit(
            self.nodes,
            self.space,
            graphs,
            graph,
            [start.labels[way] for start in starts],
            best.parts,
            by_size(labels, mass),
            counts,
            by_centers,
            None if known is None else known.linked[known.units],
        )


def by_size(labels: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Give clusters new numbers: the largest is 0; of equal ones, the first node's."""
    names, first, labels = np.unique(labels, return_index=True, return_inverse=True)
    order = np.lexsort((first, -np.bincount(labels, mass)))
    numbers = np.empty(len(names), dtype=np.int64)
    numbers[order] = np.arange(len(names))
    return numbers[labels]


def center_labels(
    points: np.ndarray, mass: np.ndarray, n_clusters: int, seed: int
) -> np.ndarray:
    """Clusters of nodes by k-means, which is fitted to a sample of many."""
    size = max(CENTERS_ROWS, 10 * n_clusters)
    sample = np.random.default_rng(seed).permutation(len(points))[:size]
    kmeans = KMeans(n_clusters, n_init=CENTERS_RUNS, random_state=seed)
    with warnings.catch_warnings():
        # Nodes may coincide in the space, and be fewer than clusters there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(points[sample], sample_weight=mass[sample])
    return kmeans.predict(points).astype(np.int64)


def is_clearer(
    graph: Graph, mass: np.ndarray, labels: np.ndarray, centers: np.ndarray
) -> bool:
    """Tell whether clusters of the graph are to be preferred to those of k-means.

    They are where they explain more of how rows differ: k-means looks for that, and
    finds it for many clusters only by luck. Else a step on the graph must leave them
    more seldom, and the more so, the less they explain: else they may be cuts through
    the middle of nearly everything, with small clusters far away in one piece of it.
    """
    if len(np.unique(centers)) < labels.max() + 1:
        return True
    most = max(explained(graph.points, mass, centers), TINY)
    missing = 1 - explained(graph.points, mass, labels) / most
    if missing <= 0:
        return True
    needed = np.exp(SLOPE * missing + LEAST)
    in_centers, own = (leak(graph.weights, each) for each in (centers, labels))
    return in_centers + ROUNDING >= needed * (own + ROUNDING)


def explained(points: np.ndarray, mass: np.ndarray, labels: np.ndarray) -> float:
    """Share of the variance that is between clusters."""
    member = sp.csr_array(
        (mass, (labels, np.arange(len(labels)))), (labels.max() + 1, len(labels))
    )
    rows = points.astype(np.float64)
    rows -= mass @ rows / mass.sum()
    means = (member @ rows) / np.maximum(member.sum(1), TINY)[:, None]
    whole = mass @ np.square(rows).sum(1)
    return float(member.sum(1) @ np.square(means).sum(1) / max(whole, TINY))
