"""What clusters and answers about a few rows tell of all the others.

Answers first tell what clusters and communities are, and the graph of neighbours then
weighs that against its own ties. With S the steps of a random walk on the graph, q the
shares of the classes in the community of each row, and the rows with answers held,

    f = (1 - eta) S f + eta q
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.communities import communities
from skdeepcluster.graph.rows import Nodes, RowSpace
from skdeepcluster.graph.search import Search

# Resolution of the communities that clusters are split into.
RESOLUTION = 5.0

# Share of what its community says in a row's probabilities, against its neighbours; and
# steps after which nothing moves.
TELLING, STEPS = 0.1, 50

# Answers that the share of the classes in all is worth to a cluster, and that in a
# cluster to its communities.
WORTH_OF_ALL, WORTH_OF_CLUSTER = 0.1, 0.5

# Steps of a walk that stays in a group from typical rows, and of one that leads from
# noise to a cluster.
TYPICAL_WALK, NOISE_WALK = 2, 4

# A community has told what it is once answers as typical have been given for it.
ENOUGH = 0.3


@dataclass(eq=False)
class Graph:
    """What is known of rows before any answer.

    Parameters
    ----------
    nodes : Nodes
    spaces : list of RowSpace
    steps : csr_array of shape (n_nodes, n_nodes)
        Probabilities of a random walk's steps.
    groups : list of ndarray of shape (n_nodes,)
        Cluster of each node, and its community.
    typical : list of ndarray of shape (n_nodes,)
        Probability that a short walk from the node ends in its cluster, and in its
        community.
    """

    nodes: Nodes
    spaces: list[RowSpace]
    steps: sp.csr_array
    groups: list[np.ndarray]
    typical: list[np.ndarray]

    @classmethod
    def of(
        cls, views: list[Any], labels: np.ndarray, n_neighbors: int, seed: int
    ) -> "Graph":
        """Make the graph of rows that are known in several ways, and in clusters."""
        nodes = Nodes.of(views[0])
        n_nodes = len(nodes.first)
        spaces = [RowSpace(X, nodes.first, seed) for X in views]
        clusters = np.unique(labels[nodes.first], return_inverse=True)[1]
        if n_nodes == 1:
            ones = [np.ones(1), np.ones(1)]
            return cls(nodes, spaces, sp.csr_array((1, 1)), [clusters, clusters], ones)
        settings = GraphClustering(n_neighbors=n_neighbors, resolution=RESOLUTION)
        search = Search(settings, nodes, spaces[0], seed, [seed])
        known = [search.graph(space.rows) for space in spaces]
        weights = search.mapped(known).weights.astype(np.float64)
        steps = sp.csr_array(sp.diags_array(1 / weights.sum(1)) @ weights)
        noise = labels[nodes.first] < 0
        if noise.any() and not noise.all():
            ends = np.eye(clusters.max() + 1)[clusters]
            for _ in range(NOISE_WALK):
                ends = steps @ ends
            clusters[noise] = ends[noise, 1:].argmax(1) + 1
        parts = communities(weights, 1, RESOLUTION, seed)
        pairs = np.column_stack([clusters, parts])
        parts = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
        groups = [clusters, parts]
        return cls(nodes, spaces, steps, groups, [staying(steps, it) for it in groups])

    def spread(
        self, known: np.ndarray, shares: np.ndarray, hold: np.ndarray
    ) -> np.ndarray:
        """Probabilities of the classes for each node.

        Parameters
        ----------
        known : ndarray of shape (n_known,)
            Nodes with answers.
        shares : ndarray of shape (n_known, n_classes)
            Share of each class among the answers of a node.
        hold : ndarray of shape (n_known,)
            Weight of a node's answers in its own probabilities: 1 holds them.

        Returns
        -------
        ndarray of shape (n_nodes, n_classes)
        """
        told = np.full((len(self.nodes.first), shares.shape[1]), 1 / shares.shape[1])
        worths = (WORTH_OF_ALL, WORTH_OF_CLUSTER)
        for group, typical, worth in zip(
            self.groups, self.typical, worths, strict=True
        ):
            # Answers about rows on the edge say little of the whole.
            votes = np.zeros((group.max() + 1, shares.shape[1]))
            np.add.at(votes, group[known], shares * typical[known, None] ** 2)
            votes = votes[group]
            told = (votes + worth * told) / (votes.sum(1, keepdims=True) + worth)
        keep, held = 1 - hold[:, None], hold[:, None] * shares
        found = told.copy()
        found[known] = held + keep * found[known]
        for _ in range(STEPS):
            found = (1 - TELLING) * (self.steps @ found) + TELLING * told
            found[known] = held + keep * found[known]
        return found / found.sum(1, keepdims=True)


def staying(steps: sp.csr_array, group: np.ndarray) -> np.ndarray:
    """Probability that a short walk from each node ends in its group."""
    n_nodes = len(group)
    member = sp.csr_array((np.ones(n_nodes), (np.arange(n_nodes), group)))
    ends = member
    for _ in range(TYPICAL_WALK):
        ends = steps @ ends
    return np.asarray(sp.csr_array(ends).multiply(member).sum(1)).ravel()


def margins(shares: np.ndarray) -> np.ndarray:
    """How much more probable the first class is than the second."""
    if shares.shape[1] < 2:
        return np.ones(len(shares))
    last = np.partition(shares, -2, axis=1)
    return last[:, -1] - last[:, -2]


def choose(
    graph: Graph, shares: np.ndarray | None, asked: np.ndarray, n: int
) -> list[int]:
    """Nodes to ask next.

    Parameters
    ----------
    graph : Graph
    shares : ndarray of shape (n_nodes, n_classes) or None
        Probabilities of the classes, None before any answer.
    asked : ndarray of shape (n_nodes,), bool
        Nodes that have an answer or are not to be asked.
    n : int

    Returns
    -------
    list of int
        Clusters without an answer first, the largest first; then by what an answer
        would clear up: all doubtful rows of a community that has none, or one row.
    """
    (clusters, parts), (_, typical) = graph.groups, graph.typical
    mass, asked = graph.nodes.mass, asked.copy()
    doubt = np.ones(len(mass)) if shares is None else 1 - margins(shares)
    doubt = np.where(asked, 0, doubt * mass)
    cluster_sizes, sizes = np.bincount(clusters, mass), np.bincount(parts, mass)
    cluster_of = np.zeros(len(sizes), dtype=np.int64)
    cluster_of[parts] = clusters
    answers = np.bincount(clusters[asked], minlength=len(cluster_sizes))
    heard = np.bincount(parts, np.where(asked, typical, 0))
    doubts = np.bincount(parts, doubt)
    # The last of each community in this order is its most typical node.
    order = np.lexsort((np.sum(graph.typical, axis=0), parts))
    center = order[np.searchsorted(parts[order], np.arange(len(sizes)), "right") - 1]
    chosen: list[int] = []
    while len(chosen) < n and not asked.all():
        silent = (answers == 0) & (cluster_sizes > 0)
        if silent.any():
            cluster = np.where(silent, cluster_sizes, 0).argmax()
            part = np.where(cluster_of == cluster, sizes, 0).argmax()
            node = center[part]
        else:
            gain = np.where((heard < ENOUGH) & ~asked[center], doubts, 0)
            single = np.where(asked, -1, doubt)
            part = gain.argmax()
            node = center[part] if gain[part] >= single.max() else single.argmax()
        chosen.append(int(node))
        asked[node] = True
        answers[clusters[node]] += 1
        heard[parts[node]] += typical[node]
        doubts[parts[node]] -= doubt[node]
        doubt[node] = 0
    return chosen
