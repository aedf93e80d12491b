"""The search for clusters of rows that are known in one way or several.

    rows -> Nodes, RowSpace            distinct rows, and where they are   `rows`
         -> View                       a graph, the sum of all that tell   `neighbors`
         -> number of clusters         unless it is given                  `counting`
         -> Views of other spaces      that the graph itself tells of      `maps`
         -> Start, one a seed          communities, merged                 `communities`
         -> GraphFit                   the best, or those of k-means

Other ways to know the rows are added where clusters show more clearly in them, and not
only those that k-means finds.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.cluster import contingency_matrix

from skdeepcluster._seeds import spawn_seeds
from skdeepcluster.communities import (
    WALK,
    Start,
    between,
    communities,
    is_clean,
    rand_indices,
    share_kept,
    smooth,
    start,
    walk_ends,
)
from skdeepcluster.counting import (
    FEW_DIMS,
    TINY,
    are_few,
    count_clusters,
    count_peaks,
    count_peaks_in_graph,
)
from skdeepcluster.distances import GivenDistances
from skdeepcluster.maps import diffusion_map, discriminant_map
from skdeepcluster.neighbors import View, usable_neighbors
from skdeepcluster.rows import Nodes, RowSpace

# Starts where none are asked for: communities of few rows vary more, and cost less. The
# fewest are enough where each two of them agree so far (adjusted Rand index).
FEWEST_STARTS, MOST_STARTS = 10, 30
ROWS_OF_STARTS = 200_000
SETTLED = 0.99

# Starts that tell whether another way to know the rows is worth adding.
QUICK_STARTS = 3

# Share of the greatest worth by which starts may differ and be as good.
AS_GOOD = 0.0075

# Times that clusters must leak less to be taken though they tell less.
MUCH_TIGHTER = 4.0

# Distinct rows up to which neighbours in other spaces are looked at too: they take long
# for many, whose graph has less noise.
MAPPED_ROWS = 20_000

# Rows that k-means is fitted to, at least ten a cluster where there are so many; and
# how often, for many clusters take long and vary less.
CENTERS_ROWS, CLUSTERS_AND_RUNS = 10_000, 200

# How much more of a step must leave the clusters of k-means than those of the graph for
# these to be taken; and how much more where they explain less than such a share of the
# variance that k-means' do.
CLEARER, FAR_CLEARER, LEAST_EXPLAINED = 1.3, 10.0, 0.2

# Where clusters have less than twice the rows that a row has neighbours, every graph of
# these leaks: a row then looks at this share of a cluster's rows, but at three others.
# In few dimensions so few neighbours tell little: there, more variance is to be
# explained, and clusters of fewer rows than a row has neighbours must be clearer.
SHARE_OF_CLUSTER, FEWEST_NEAREST = 5, 3
FLAT_CLEARER, FLAT_EXPLAINED = 2.0, 0.5

# The graph of fewer distinct rows ties nearly all to all.
FEW_NODES = 30


@dataclass(frozen=True)
class Settings:
    """How clusters are looked for: the parameters of `GraphClustering`."""

    n_clusters: int | None
    n_neighbors: int
    resolution: float
    n_init: int | str
    neighbors: Any
    n_jobs: int | None


@dataclass(eq=False)
class GraphFit:
    """What was found about some rows.

    Parameters
    ----------
    nodes : Nodes
    space : RowSpace or GivenDistances
        Of the first way that the rows are known in.
    views : list of View
        Graphs of the ways that the rows are known in.
    graph : View
        Their sum, without those of other spaces: these are made to tell clusters apart,
        and would find signs of them where there are none.
    starts : list of Start
    best : Start
        Of which the clusters are, if they aren't those of k-means.
    labels : ndarray of shape (n_nodes,)
        Cluster of each node.
    counts : list of int or None, default=None
        Numbers of clusters found, one a start, where it wasn't given.
    by_centers : bool, default=False
        Whether the clusters are those of k-means.
    """

    nodes: Nodes
    space: RowSpace | GivenDistances
    views: list[View]
    graph: View
    starts: list[Start]
    best: Start
    labels: np.ndarray
    counts: list[int] | None = None
    by_centers: bool = False

    @property
    def leaves(self) -> np.ndarray:
        """Community of each node, without what lies in another cluster."""
        pairs = np.column_stack([self.labels, self.best.parts])
        return np.unique(pairs, axis=0, return_inverse=True)[1].ravel()

    def is_noise(self, ratio: float | None) -> np.ndarray:
        """Whether nodes are far from all others, as far as all the views tell."""
        if ratio is None:
            return np.zeros(len(self.labels), dtype=bool)
        return np.all([view.is_far(self.labels, ratio) for view in self.views], axis=0)

    def row_labels(self, noise_ratio: float | None) -> np.ndarray:
        """Cluster of each row, -1 for noise."""
        labels = np.where(self.is_noise(noise_ratio), -1, self.labels)
        return labels[self.nodes.inverse].astype(np.int32)

    def agreement(self) -> tuple[float, np.ndarray]:
        """How far starts agree: the mean adjusted Rand index, and a share by row."""
        inverse = self.nodes.inverse
        labelings = [self.labels, *(each.labels for each in self.starts)]
        index = np.mean(rand_indices(labelings, self.nodes.mass)[0, 1:])
        rows, *others = [labels[inverse] for labels in labelings]
        return float(index), np.mean(
            [matched(rows, other) == rows for other in others], axis=0
        )


def tight_ones(starts: list[Start]) -> list[Start]:
    """Take the tightest clusters where most starts know of much tighter ones.

    Clusters of a few rows tell little, however far they are from all others.
    """
    best = max(starts, key=lambda start: start.worth)
    clean, _ = best.worth
    tight = [
        start.tightest
        for start in starts
        if start.tightest and start.tightest.leak * MUCH_TIGHTER <= best.leak
    ]
    return starts if clean or 2 * len(tight) <= len(starts) else tight


def typical_of(starts: Sequence[Start], mass: np.ndarray) -> Start:
    """Return the start that agrees most with all whose clusters tell about as much.

    Which of these tells most depends on the order of the rows.
    """
    clean, most = max(start.worth for start in starts)
    # Clusters that tell nothing may be worth a little less than it, by rounding.
    least = most - AS_GOOD * abs(most)
    good = [start for start in starts if start.worth >= (clean, least)]
    agreement = rand_indices([start.labels for start in good], mass).sum(1)
    return good[int(agreement.argmax())]


def matched(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Other labels of the same rows, by the names of the clusters they meet most."""
    table = contingency_matrix(others, labels)
    one, names = linear_sum_assignment(-table)
    found, members = np.unique(others, return_inverse=True)
    named = np.full(len(found), -1)
    named[one] = np.unique(labels)[names]
    return named[members]


@np.errstate(under="ignore")
def find_clusters(
    ways: Sequence[Any], settings: Settings, random_state: Any
) -> GraphFit:
    """Find the clusters of rows.

    Parameters
    ----------
    ways : sequence of {ndarray, CSR matrix} of shape (n_samples, n_features)
        The rows as they are known. Those of the first are told apart, and others count
        if they tell more: `Search.tells`.
    settings : Settings
    random_state : int, RandomState instance or None
    """
    nodes = Nodes.of(ways[0], ordered=settings.neighbors is not None)
    seed, *seeds = seeds_of(settings, len(nodes.first), random_state)
    spaces = [RowSpace(X, nodes.first, seed) for X in ways]
    search = Search(settings, nodes, spaces[0], seed, seeds)
    if len(nodes.first) == 1:
        return search.of_one_node()
    first, *others = [search.way(space.rows, settings.neighbors) for space in spaces]
    told = [other for other in others if search.tells(first, other)]
    return search.clusters([first, *told])


@np.errstate(under="ignore")
def find_in_graph(
    graph: sp.csr_array, settings: Settings, random_state: Any
) -> GraphFit:
    """Find the clusters of rows of which some distances are known, and nothing else.

    Parameters
    ----------
    graph : csr_array of shape (n_samples, n_samples)
        `checked_distances`.
    settings : Settings
        The smoothed graph is as `Settings.n_neighbors` says.
    random_state : int, RandomState instance or None
    """
    space = GivenDistances(graph)
    nodes = space.nodes(graph)
    seed, *seeds = seeds_of(settings, len(nodes.first), random_state)
    search = Search(settings, nodes, space, seed, seeds)
    return search.clusters([Way(View.of_edges(*space.edges(graph), nodes.mass))])


def seeds_of(settings: Settings, n_nodes: int, random_state: Any) -> list[int]:
    """Seed of the neighbours, and those of the starts."""
    n_init = settings.n_init
    if isinstance(n_init, str):
        n_init = min(max(ROWS_OF_STARTS // n_nodes, FEWEST_STARTS), MOST_STARTS)
    return spawn_seeds(random_state, 1 + n_init)


@dataclass(frozen=True, eq=False)
class Way:
    """What is known of the nodes in one way.

    Parameters
    ----------
    view : View
        The graph of them.
    rows : ndarray of shape (n_nodes, n_dims) or None, default=None
        Where they are. None where only distances are known.
    centers : dict of int to ndarray, default=<factory>
        Clusters of k-means of these rows by their number, once they are known.
    """

    view: View
    rows: np.ndarray | None = None
    centers: dict[int, np.ndarray] = field(default_factory=dict)


class Bar(NamedTuple):
    """What clusters of a graph must pass to be preferred to those of k-means.

    Parameters
    ----------
    weights : csr_array of shape (n_nodes, n_nodes)
        Graph that both are compared in.
    clearer : float
        How much more of a step must leave those of k-means.
    explained : float
        Share of their variance below which it must be `FAR_CLEARER`.
    """

    weights: sp.csr_array
    clearer: float
    explained: float


@dataclass(frozen=True)
class Search:
    """What searches in several graphs of the same nodes share.

    Parameters
    ----------
    settings : Settings
    nodes : Nodes
    space : RowSpace or GivenDistances
        Of the first way that the rows are known in, for predictions.
    seed : int
        Seed of the neighbours.
    seeds : list of int
        Seeds of the starts.
    """

    settings: Settings
    nodes: Nodes
    space: RowSpace | GivenDistances
    seed: int
    seeds: list[int]

    def view(self, Z: np.ndarray, neighbors: Any = None) -> View:
        """Make the graph of the nodes in a space."""
        n_neighbors = usable_neighbors(self.settings.n_neighbors, len(Z))
        return View.of(Z, self.nodes.mass, n_neighbors, neighbors, self.seed)

    def way(self, Z: np.ndarray, neighbors: Any = None) -> Way:
        """Know the nodes by their places in a space."""
        return Way(self.view(Z, neighbors), Z)

    def of_one_node(self) -> GraphFit:
        """Make the fit of rows that are all equal."""
        alone, label = View.of_one_node(), np.zeros(1, dtype=np.int64)
        start = Start(label, label, (True, 0.0), 0.0)
        return GraphFit(self.nodes, self.space, [alone], alone, [start], start, label)

    def clusters(self, ways: list[Way]) -> GraphFit:
        """Find the clusters of the nodes by some ways in which they are known."""
        settings, mass, n_nodes = self.settings, self.nodes.mass, len(self.nodes.mass)
        views = [way.view for way in ways]
        graph = View.sum_of(views)
        counts, n_clusters = None, settings.n_clusters
        if n_clusters is None:
            counts = self._counts(graph, ways[0].rows)
            n_clusters = int(np.median(counts))
        n_clusters = min(n_clusters, n_nodes)
        graphs = self.graphs(ways, n_clusters)
        judge = graphs[0].weights

        def searched(numbers: range) -> list[Start]:
            return Parallel(settings.n_jobs)(
                delayed(start)(
                    graphs[number % len(graphs)].weights,
                    graphs[number % len(graphs)].shared,
                    judge,
                    mass,
                    n_clusters,
                    settings.resolution,
                    self.seeds[number],
                )
                for number in numbers
            )

        def agree(starts: list[Start]) -> bool:
            labelings = [each.labels for each in starts]
            return rand_indices(labelings, mass).min() > SETTLED

        starts = tight_ones(self._until(agree, searched))
        best = typical_of(starts, mass)
        labels = smooth(judge, best.labels)
        found = GraphFit(
            self.nodes, self.space, views, graph, starts, best, labels, counts
        )
        rows, known = ways[0].rows, ways[0].centers
        if rows is None:
            return found
        if n_clusters not in known:
            known[n_clusters] = center_labels(rows, mass, n_clusters, self.seeds[0])
        centers = known[n_clusters]
        # Made only if asked for: it may take a graph of its own.
        bar = partial(self._bar, ways, graphs[0], n_clusters)
        if is_clearer(judge, bar, rows, mass, labels, centers):
            return found
        return replace(found, labels=centers, by_centers=True)

    def tells(self, first: Way, other: Way) -> bool:
        """Whether another way tells more than the first one, by a few quick starts.

        It does where the clusters of the first are about as clear, those of both are
        clearer, and k-means doesn't find others that are as good: these are all that a
        poor space has to show. Clusters of fewer rows than a row has neighbours leak in
        every graph, so that none is to undo what k-means finds of them in the first.
        """

        def leaks(labels: np.ndarray) -> list[float]:
            return [leaking(way.view.weights, labels) for way in (first, other)]

        quick = replace(self, seeds=self.seeds[:QUICK_STARTS])
        known = quick.clusters([first])
        in_first, in_other = leaks(known.labels)
        if in_other > CLEARER * in_first:
            return False
        sizes = np.bincount(known.labels)
        settings = replace(self.settings, n_clusters=len(sizes))
        quick = replace(quick, settings=settings)
        both = quick.clusters([first, other])
        in_first, in_other = leaks(both.labels)
        if in_other >= in_first:
            return False
        undone = known.by_centers and not both.by_centers
        if undone and sizes.min() < first.view.n_neighbors:
            return False
        alone = quick.clusters([other])
        labelings = [alone.labels, alone.best.labels]
        same = rand_indices(labelings, self.nodes.mass).min() > SETTLED
        return same or not alone.by_centers

    def graphs(self, ways: list[Way], n_clusters: int) -> list[View]:
        """Graphs to look for communities in; clusters are judged in the first."""
        graph = View.sum_of([way.view for way in ways])
        given = self.settings.neighbors is not None
        if given or not 2 < len(self.nodes.mass) <= MAPPED_ROWS:
            return [graph]
        graph = View.sum_of([graph, *self._apart(graph, ways, n_clusters)])
        return [graph, *(View.sum_of([graph, each]) for each in self._smoothed(graph))]

    def _apart(self, graph: View, ways: list[Way], n_clusters: int) -> list[View]:
        """Make views in which the communities of a graph are apart, one a way."""
        seed, resolution = self.seeds[0], self.settings.resolution
        parts = communities(graph.weights, n_clusters, resolution, seed)
        return [
            self.view(discriminant_map(way.rows, self.nodes.mass, parts))
            for way in ways
            if way.rows is not None
        ]

    def _smoothed(self, graph: View) -> list[View]:
        """Make the view of slow motions on a graph."""
        return [self.view(diffusion_map(graph.weights, self.seeds[0]))]

    def _bar(self, ways: list[Way], judge: View, n_clusters: int) -> Bar:
        """How much clearer than those of k-means clusters of this size must be."""
        near, n_nodes = self.settings.n_neighbors, len(self.nodes.mass)
        size = n_nodes / n_clusters
        if size >= 2 * near:
            return Bar(judge.weights, CLEARER, LEAST_EXPLAINED)
        if judge.n_dims < FEW_DIMS or self.settings.neighbors is not None:
            clearer = FLAT_CLEARER if size < near else CLEARER
            return Bar(judge.weights, clearer, FLAT_EXPLAINED)
        few = min(max(int(size) // SHARE_OF_CLUSTER, FEWEST_NEAREST), n_nodes - 1)
        nearest = [
            View.of(way.rows, self.nodes.mass, few, None, self.seed)
            for way in ways
            if way.rows is not None
        ]
        return Bar(View.sum_of(nearest).weights, CLEARER, LEAST_EXPLAINED)

    def _counts(self, graph: View, rows: np.ndarray | None) -> list[int]:
        """Count the clusters, once for each start."""
        settings, mass, near = self.settings, self.nodes.mass, graph.n_neighbors
        flat, peaks = graph.n_dims < FEW_DIMS, 1
        if rows is None or settings.neighbors is not None:
            if flat:
                peaks = count_peaks_in_graph(
                    graph.weights, graph.density, mass, graph.n_dims, near
                )
        elif flat or are_few(len(mass), near):
            peaks = count_peaks(rows, mass, near, self.seed)
        if flat:
            return [peaks] * len(self.seeds)

        def count(seed: int) -> int:
            parts = communities(graph.weights, 1, settings.resolution, seed)
            links = between(graph.weights, parts)
            return count_clusters(links, np.bincount(parts, mass), graph.n_dims)

        def counted(numbers: range) -> list[int]:
            return [max(peaks, count(self.seeds[number])) for number in numbers]

        return self._until(lambda counts: len(set(counts)) == 1, counted)

    def _until(
        self, agree: Callable[[list], bool], job: Callable[[range], list]
    ) -> list:
        """Do a job for every start, or for the first few alone if these agree."""
        most = len(self.seeds)
        few = min(FEWEST_STARTS, most) if self.settings.n_init == "auto" else most
        first = job(range(few))
        if few == most or agree(first):
            return first
        return first + job(range(few, most))


def center_labels(
    Z: np.ndarray, mass: np.ndarray, n_clusters: int, seed: int
) -> np.ndarray:
    """Clusters of nodes by k-means, which is fitted to a sample of many."""
    size = max(CENTERS_ROWS, 10 * n_clusters)
    sample = np.random.default_rng(seed).permutation(len(Z))[:size]
    n_init = min(max(CLUSTERS_AND_RUNS // n_clusters, 1), 10)
    kmeans = KMeans(n_clusters, n_init=n_init, random_state=seed)
    with warnings.catch_warnings():
        # Nodes may coincide in the space, and be fewer than clusters there.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit(Z[sample], sample_weight=mass[sample])
    return kmeans.predict(Z).astype(np.int64)


def leaking(weights: sp.csr_array, labels: np.ndarray) -> float:
    """Share of the clusters' entropy that a step on the graph loses."""
    return 1 - share_kept(walk_ends(between(weights, labels), 1))


def is_clearer(
    weights: sp.csr_array,
    make_bar: Callable[[], Bar],
    Z: np.ndarray,
    mass: np.ndarray,
    labels: np.ndarray,
    centers: np.ndarray,
) -> bool:
    """Tell whether clusters of the graph are to be preferred to those of k-means.

    They are where they explain more of how rows differ: k-means looks for that, and
    finds it for many clusters only by luck. Else they are where a step on the graph
    leaves them clearly more seldom. That may be because they cut through the middle of
    nearly everything, with small clusters far from it in one piece with that: so it
    must be much clearer where they explain next to nothing.
    """
    if len(np.unique(centers)) < labels.max() + 1:
        return True
    share = explained(Z, mass, labels) / max(explained(Z, mass, centers), TINY)
    if share >= 1:
        return True
    if len(Z) < FEW_NODES:
        return False
    if is_clean(walk_ends(between(weights, labels), WALK)):
        return leaking(weights, centers) > leaking(weights, labels)
    bar = make_bar()
    own, other = leaking(bar.weights, labels), leaking(bar.weights, centers)
    return other >= (FAR_CLEARER if share < bar.explained else bar.clearer) * own


def explained(Z: np.ndarray, mass: np.ndarray, labels: np.ndarray) -> float:
    """Share of the variance that is between clusters."""
    member = sp.csr_array(
        (mass, (labels, np.arange(len(labels)))), (labels.max() + 1, len(labels))
    )
    rows = Z.astype(np.float64)
    rows -= mass @ rows / mass.sum()
    means = (member @ rows) / np.maximum(member.sum(1), TINY)[:, None]
    whole = mass @ np.square(rows).sum(1)
    return float(member.sum(1) @ np.square(means).sum(1) / max(whole, TINY))
