"""New rows for clusters that are known, and clusters that nobody knew.

    rows -> Batch      distinct rows that are no nodes yet
         -> News       groups of them where hardly any known row is
         -> Voters     with these and all others as further nodes

News are looked for among the new rows and as many of those known that are in the
clusters which the new ones would join: so the cost doesn't grow with what is known, but
for the search of neighbours. If nothing is new, both are everywhere mixed alike.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skdeepcluster._rows import sample_rows
from skdeepcluster.graph.communities import between
from skdeepcluster.graph.neighbors import reach_of
from skdeepcluster.graph.search import GraphFit, find_clusters
from skdeepcluster.graph.tree import ClusterTree
from skdeepcluster.graph.votes import Voters, known_keys, padded_parts

# A community, or a cluster, is new if it holds less than this share of the known rows
# that it would hold if new ones were like them, and these are as many as a row has
# neighbours: in small ones, known rows are missing by chance. With .1, the adjusted
# Rand index of MNIST that comes digit by digit is .05 to .09 lower, and with .4 up to
# .04 higher; of 160 batches without news, none has some with either.
SCARCE = 0.25

# What is new makes up clusters, and one counts that would hold so many times as many
# known rows as a row has neighbours.
ENOUGH_MISSING = 2

# Of the known rows that are compared with new ones.
SAMPLE_SEED = 0


@dataclass(eq=False)
class Batch:
    """Some rows, and those of them that no node equals."""

    # Node of each row; those that aren't yet have the numbers after the last node.
    nodes: np.ndarray
    # Rows of each node among these.
    counts: np.ndarray
    # New rows, one of each, and their keys.
    rows: Any
    keys: np.ndarray

    @classmethod
    def of(cls, X: Any, voters: Voters) -> "Batch":
        """Find out which rows are new."""
        keys = voters.space.keys(X, voters.unit)
        keys, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        known, n_nodes = known_keys(keys, voters.keys), len(voters.keys)
        new = known < 0
        nodes = np.where(new, n_nodes + np.cumsum(new) - 1, known)[inverse]
        counts = np.bincount(nodes, minlength=n_nodes + new.sum())
        return cls(nodes, counts, X[first[new]], keys[new])


@dataclass(eq=False)
class News:
    """New rows among known ones, and the groups of them that are new clusters."""

    # New cluster of each new row, from 0, or -1.
    groups: np.ndarray
    # Known nodes that were looked at, before the new ones, and what was found.
    known: np.ndarray
    found: GraphFit

    @classmethod
    def of(
        cls, voters: Voters, Z: np.ndarray, joined: np.ndarray, settings: Any
    ) -> "News":
        """Look for groups of new rows, of which the cluster that they'd join is given.

        ``Z`` are the new rows in the space.
        """
        space: Any = voters.space
        known, expected = compared(voters, joined, settings.n_neighbors)
        settings = clone(settings).set_params(n_clusters=None, neighbors=None)
        seed = settings.random_state
        found = find_clusters([np.concatenate([space.rows[known], Z])], settings, seed)
        is_new = np.zeros(len(Z), dtype=bool)
        for each in (found.labels, found.parts):
            old, own = np.split(each[found.nodes.inverse], [len(known)])
            there = np.bincount(old, minlength=each.max() + 1)
            wanted = np.bincount(own, expected, len(there))
            told = wanted >= settings.n_neighbors
            is_new |= (told & (there < SCARCE * wanted))[own]
        new, groups = np.flatnonzero(is_new), np.full(len(Z), -1)
        if len(new):
            alone = find_clusters([Z[new]], settings, seed)
            groups[new] = alone.row_labels(voters.noise_ratio)
        missing = np.bincount(groups + 1, expected)[1:]
        enough = np.flatnonzero(missing >= ENOUGH_MISSING * settings.n_neighbors)
        # The last stands for rows that are in none.
        names = np.full(len(missing) + 1, -1)
        names[enough] = np.arange(len(enough))
        return cls(names[groups], known, found)

    def of_nodes(self, known: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Pick values for nodes of the search from those of known nodes and rows."""
        return np.concatenate([known[self.known], new])[self.found.nodes.first]


def compared(
    voters: Voters, joined: np.ndarray, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose known nodes to compare new rows with, as many of each cluster.

    Also returns how many of them there are to each new row in the cluster it joins.
    """
    clusters = voters.clusters[voters.leaves]
    counts = np.bincount(joined, minlength=len(voters.numbers))
    rates, known = np.zeros(len(counts)), []
    for cluster in np.flatnonzero(counts):
        own = np.flatnonzero(clusters == cluster)
        size = max(int(counts[cluster]), least)
        known.append(own[sample_rows(len(own), size, SAMPLE_SEED)])
        rates[cluster] = min(len(known[-1]) / counts[cluster], 1)
    return np.concatenate(known), rates[joined]


def grown(
    voters: Voters, tree: ClusterTree, X: Any, settings: Any
) -> tuple[Voters, ClusterTree, np.ndarray, np.ndarray]:
    """Take rows for further voters.

    Also returns the node of each row, and which pairs of clusters were found as one.
    """
    batch, n_nodes = Batch.of(X, voters), len(voters.keys)
    voters = heavier(voters, batch.counts[:n_nodes])
    if not len(batch.keys):
        return voters, tree, batch.nodes, np.zeros((len(voters.numbers),) * 2, bool)
    space: Any = voters.space
    Z = space.transform(batch.rows)
    joined = voters.clusters[voters.place(batch.rows)[:, 2]]
    news = None
    if len(Z) >= ENOUGH_MISSING * settings.n_neighbors:
        news = News.of(voters, Z, joined, settings)
        voters, tree = with_groups(voters, tree, news, batch)
    groups = np.full(len(Z), -1) if news is None else news.groups
    # The new clusters vote on the rows that are in none of them.
    ours, others = np.flatnonzero(groups >= 0), np.flatnonzero(groups < 0)
    first = len(tree.sizes) - groups.max() - 1
    voters = appended(voters, batch, Z, ours, first + groups[ours])
    if len(others):
        labels, _, leaves = voters.place(batch.rows[others]).T
        noise = (labels < 0) & (voters.numbers[voters.clusters[leaves]] >= 0)
        voters = appended(voters, batch, Z, others, leaves, noise)
    new = n_nodes + np.argsort(np.append(ours, others))
    nodes = np.append(np.arange(n_nodes), new)[batch.nodes]
    if news is None:
        return voters, tree, nodes, np.zeros((len(voters.numbers),) * 2, bool)
    clusters = voters.clusters[voters.leaves]
    clusters = news.of_nodes(clusters[:n_nodes], clusters[new])
    return voters, tree, nodes, found_as_one(news.found, clusters, voters)


def heavier(voters: Voters, counts: np.ndarray) -> Voters:
    """Let nodes stand for so many more rows each."""
    mass = voters.mass + counts / voters.rows_a_mass
    reach = reach_of(voters.farthest, mass, voters.n_neighbors)
    return replace(voters, mass=mass, reach=reach)


def with_groups(
    voters: Voters, tree: ClusterTree, news: News, batch: Batch
) -> tuple[Voters, ClusterTree]:
    """Make a leaf and a cluster of each group of new rows, as yet without nodes."""
    n_groups, n_leaves = news.groups.max() + 1, len(tree.sizes)
    free = len(voters.numbers) + np.arange(n_groups)
    later = voters.leaves >= n_leaves
    voters = replace(
        voters,
        leaves=(voters.leaves + n_groups * later).astype(np.int32),
        clusters=np.insert(voters.clusters, n_leaves, free).astype(np.int32),
        numbers=np.append(voters.numbers, free),
    )
    whole = n_leaves + n_groups
    of_groups = np.where(news.groups < 0, whole, n_leaves + news.groups)
    # All that is in no leaf, or in a dropped one, is in a last one.
    leaves = news.of_nodes(np.where(later, whole, voters.leaves), of_groups)
    ties = between(news.found.graph.shared, leaves)
    ties = np.pad(ties, (0, whole + 1 - len(ties)))[:whole, :whole]
    # Some nodes of each known leaf were looked at, and stand for all of them.
    seen = np.bincount(leaves, minlength=whole)[:n_leaves]
    times = np.append(tree.sizes / np.maximum(seen, 1), np.ones(n_groups))
    ties = ties * np.maximum.outer(times, times)
    ties[:n_leaves, :n_leaves] = tree.ties.toarray()
    mass = batch.counts[-len(news.groups) :] / voters.rows_a_mass
    sizes = np.append(tree.sizes, np.bincount(news.groups + 1, mass)[1:])
    return voters, replace(tree, ties=sp.csr_array(ties), sizes=sizes)


def appended(
    voters: Voters,
    batch: Batch,
    Z: np.ndarray,
    which: np.ndarray,
    leaves: np.ndarray,
    noise: Any = False,
) -> Voters:
    """Let some of the new rows vote, as nodes after all others."""
    mass = (batch.counts[-len(Z) :] / voters.rows_a_mass)[which]
    space: Any = copy.copy(voters.space)
    space.rows = np.concatenate([space.rows, Z[which]])
    n_neighbors = min(voters.n_neighbors + 1, len(space.rows))
    search, farthest = space.search(n_neighbors), np.empty(len(which), np.float32)
    for part, padded in padded_parts(len(which)):
        lengths = search(batch.rows[which[padded]]).lengths
        farthest[part] = lengths.reshape(-1, n_neighbors).max(1)[
            : part.stop - part.start
        ]
    reach = reach_of(farthest, mass, voters.n_neighbors)
    return replace(
        voters,
        space=space,
        keys=np.append(voters.keys, batch.keys[which]),
        mass=np.append(voters.mass, mass),
        farthest=np.append(voters.farthest, farthest),
        reach=np.append(voters.reach, reach),
        leaves=np.append(voters.leaves, leaves).astype(np.int32),
        noise=np.append(voters.noise, np.broadcast_to(noise, len(which))),
    )


def found_as_one(found: GraphFit, clusters: np.ndarray, voters: Voters) -> np.ndarray:
    """Tell of pairs of clusters whether most rows of both are in one that was found."""
    counts = np.zeros((len(voters.numbers), found.labels.max() + 1))
    np.add.at(counts, (clusters, found.labels), 1)
    home, most = counts.argmax(1), 2 * counts.max(1) > counts.sum(1)
    as_one = (home[:, None] == home) & np.outer(most, most)
    np.fill_diagonal(as_one, False)
    return as_one


def drift(voters: Voters, cluster: int, n_nodes: int) -> float:
    """Shift of the mean from the first nodes of a cluster to the others, by its spread.

    The unit is the root of the mean squared distance of the first from their mean.
    """
    space: Any = voters.space
    own = voters.clusters[voters.leaves] == cluster
    rows, mass = space.rows[own].astype(np.float64), voters.mass[own]
    before = np.flatnonzero(own) < n_nodes
    if before.all() or not before.any():
        return np.nan
    mean = np.average(rows[before], 0, mass[before])
    spread = np.average(np.square(rows[before] - mean).sum(1), weights=mass[before])
    shift = np.average(rows[~before], 0, mass[~before]) - mean
    tiny = np.finfo(np.float64).tiny
    return float(np.sqrt(np.square(shift).sum() / max(spread, tiny)))
