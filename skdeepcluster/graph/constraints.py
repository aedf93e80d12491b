"""Constraints: rows that are of one cluster, and rows that are of different ones.

    must_link, cannot_link -> Links         pairs of row numbers, checked
                           -> Constraints   units of nodes, and which units are apart

Nodes that must be together are one unit. The walk of a few steps that starts at a node
meets units, and two nodes are the nearer to each other, the likelier their walks meet
one unit, and the farther, the likelier they meet two that are apart:

    P_iu                             chance that the walk from i meets the unit u first
    F_ij = sum_u P_iu P_ju - sum_{u apart from v} P_iu P_jv
    W_ij (1 + F_ij)                  tie of the nodes, from W_ij

So a constraint changes the clusters around the rows that it names, as in Lu and Ip
(2010), Constrained spectral clustering via exhaustive and efficient constraint
propagation. The search then sees units as single nodes. Where clusters break a
constraint all the same, units are moved.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components
from sklearn.utils import gen_batches

from skdeepcluster.graph.communities import WALK
from skdeepcluster.graph.neighbors import ENTRIES_AT_ONCE, LEAST_SHARE, Graph
from skdeepcluster.graph.rows import Nodes
from skdeepcluster.streams import places_of


def row_numbers(group: Any, name: str, n_rows: int) -> np.ndarray:
    """Return the row numbers of a group, or refuse it."""
    numbers = np.asarray(group)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"{name} holds {group!r}: give whole numbers of rows, as in "
            f"{name}=[(0, 5), (3, 8)]."
        )
    wrong = numbers[(numbers < 0) | (numbers >= n_rows)]
    if len(wrong):
        raise ValueError(
            f"{name} names row {wrong[0]}, but X has {n_rows} rows: give numbers from "
            f"0 to {n_rows - 1}."
        )
    return numbers.astype(np.intp)


def pairs_of(groups: Any, name: str, n_rows: int) -> np.ndarray:
    """Pairs of row numbers that tie each group together, of shape (n_pairs, 2)."""
    if groups is None:
        return np.empty((0, 2), dtype=np.intp)
    if hasattr(groups, "__array__"):
        groups = np.atleast_1d(np.asarray(groups))
    if isinstance(groups, str) or not hasattr(groups, "__len__"):
        raise ValueError(f"{name}={groups!r} must be pairs of row numbers.")
    parts = [np.empty((0, 2), dtype=np.intp)]
    for group in groups:
        numbers = row_numbers(group, name, n_rows)
        if name == "cannot_link" and len(numbers) != 2:
            raise ValueError(
                f"cannot_link holds {group!r}: give pairs of row numbers, also for "
                "rows that are all apart from each other."
            )
        parts.append(np.column_stack([numbers[:-1], numbers[1:]]))
    return np.concatenate(parts)


@dataclass(eq=False)
class Links:
    """Pairs of rows, of shape (n_pairs, 2): of one cluster, and of two."""

    must: np.ndarray
    cannot: np.ndarray
    # Number of each row where it was given: rows may be a sample.
    numbers: np.ndarray

    @classmethod
    def given(
        cls, must_link: Any, cannot_link: Any, X: Any, rows: Any, most: int | None
    ) -> "Links | None":
        """Check what is given for ``X``, of which at most so many rows are learned."""
        if must_link is None and cannot_link is None:
            return None
        return cls.of(must_link, cannot_link, *places_of(X, rows, most))

    @classmethod
    def of(
        cls, must_link: Any, cannot_link: Any, n_rows: int, sample: np.ndarray
    ) -> "Links | None":
        """Check what is given for so many rows, of which a sample is learned from."""
        must = pairs_of(must_link, "must_link", n_rows)
        cannot = pairs_of(cannot_link, "cannot_link", n_rows)
        if not len(must) + len(cannot):
            return None
        itself = cannot[cannot[:, 0] == cannot[:, 1], 0]
        if len(itself):
            raise ValueError(
                f"cannot_link keeps row {itself[0]} apart from itself: leave the pair "
                "out."
            )
        left_out = np.setdiff1d(np.r_[must, cannot], sample)
        if len(left_out):
            raise ValueError(
                f"Row {left_out[0]} has a must_link or cannot_link but is not among "
                f"the max_samples={len(sample)} rows that are learned from: give "
                "max_samples=None."
            )
        return cls(
            np.searchsorted(sample, must), np.searchsorted(sample, cannot), sample
        )


@dataclass(eq=False)
class Constraints:
    """Which nodes are one unit, and which units are of different clusters."""

    # Unit of each node, and the number of a row of each unit that has a link.
    units: np.ndarray
    rows: np.ndarray
    # Ones for the units that are apart, either way.
    apart: sp.csr_array

    @classmethod
    def of(cls, links: Links, nodes: Nodes) -> "Constraints":
        """Read links between rows as links between nodes, or refuse what can't be."""
        n_nodes = len(nodes.first)
        i, j = nodes.inverse[links.must].T
        tied = sp.coo_array((np.ones(len(i)), (i, j)), shape=(n_nodes, n_nodes))
        n_units, units = connected_components(tied, directed=False)
        i, j = units[nodes.inverse[links.cannot]].T
        if (i == j).any():
            refuse_clash(links, nodes, int((i == j).argmax()))
        rows = np.zeros(n_units, dtype=np.intp)
        for pairs in (links.must, links.cannot):
            rows[units[nodes.inverse[pairs]]] = links.numbers[pairs]
        ends = np.r_[i, j], np.r_[j, i]
        apart = sp.csr_array((np.ones(2 * len(i)), ends), shape=(n_units, n_units))
        apart.data[:] = 1
        return cls(units.astype(np.intp), rows, apart)

    @classmethod
    def known(
        cls, links: Links | None, nodes: Nodes, n_clusters: int | None
    ) -> "Constraints | None":
        """Constraints of nodes, if any; an error where so many clusters break them."""
        if links is None:
            return None
        known = cls.of(links, nodes)
        known.n_least(n_clusters)
        # Links between equal rows say nothing.
        return known if known.linked.any() else None

    @property
    def n_units(self) -> int:
        """Number of units: as many clusters there can be."""
        return len(self.rows)

    @property
    def member(self) -> sp.csr_array:
        """Ones for the unit of each node."""
        n_nodes = len(self.units)
        entries = np.ones(n_nodes, np.float32), self.units, np.arange(n_nodes + 1)
        return sp.csr_array(entries, shape=(n_nodes, self.n_units))

    @property
    def restrained(self) -> np.ndarray:
        """Whether each unit is apart from others."""
        return np.diff(self.apart.indptr) > 0

    @property
    def linked(self) -> np.ndarray:
        """Whether each unit has any link."""
        return (np.bincount(self.units) > 1) | self.restrained

    def n_least(self, n_clusters: int | None) -> int:
        """Clusters that are needed; an error if these are not the wanted number."""
        if n_clusters is not None and self.n_units < min(n_clusters, len(self.units)):
            raise ValueError(
                f"n_clusters={n_clusters} is too many for must_link, which leaves "
                f"{self.n_units} groups of rows: give fewer clusters or links."
            )
        if not self.apart.nnz:
            return 1
        some = np.flatnonzero(self.restrained)
        apart = self.apart[some][:, some]
        most = int(np.diff(apart.indptr).max()) + 1
        least = int(placed(np.zeros((len(some), most)), apart)[0].max()) + 1
        if n_clusters is not None and least > n_clusters:
            unit = placed(np.zeros((len(some), n_clusters)), apart)[1]
            near = apart.indices[slice(*apart.indptr[unit : unit + 2])]
            rows = ", ".join(map(str, np.sort(self.rows[some[near]])))
            raise ValueError(
                f"No way was found to keep cannot_link with n_clusters={n_clusters}: "
                f"none was left for row {self.rows[some[unit]]}, which is apart from "
                f"{rows}, or from rows linked to these. Give n_clusters={least}, or "
                "fewer pairs."
            )
        return least

    def informed(self, graph: Graph) -> Graph:
        """Tie nodes more or less, by the units that are near them."""
        near = self._near(graph.weights)
        linked = np.flatnonzero(self.linked)
        signs = sp.eye_array(len(linked)) - self.apart[linked][:, linked]
        signed = sp.csr_array(near @ signs)
        weights, shared = (
            rescaled(each, signed, near) for each in (graph.weights, graph.shared)
        )
        return replace(graph, weights=weights, shared=shared)

    def _near(self, weights: sp.csr_array) -> sp.csr_array:
        """Chance that a walk from each node meets each of the linked units first."""
        begin = sp.csr_array(self.member[:, np.flatnonzero(self.linked)])
        free = ~self.linked[self.units] / weights.sum(1)
        step = sp.diags_array(free) @ weights
        near = begin
        for _ in range(WALK):
            near = step @ near + begin
        return sp.csr_array(near)

    def as_nodes(self, graph: Graph, mass: np.ndarray) -> tuple[Graph, np.ndarray]:
        """Graph of the units, and their masses."""
        member = self.member
        weights, shared = (
            sp.csr_array(member.T @ each @ member)
            for each in (graph.weights, graph.shared)
        )
        graph = replace(graph, weights=weights, shared=shared, points=None)
        return graph, np.bincount(self.units, mass)

    def kept(
        self, labels: np.ndarray, graph: Graph, mass: np.ndarray, n_clusters: int
    ) -> np.ndarray:
        """Keep constraints: nodes and their neighbours vote for the cluster of a unit.

        No cluster is left empty.
        """
        one = np.eye(n_clusters)[labels]
        around = (graph.weights @ one) / graph.weights.sum(1)[:, None]
        votes = self.member.T @ ((one + around) * mass[:, None])
        return without_empty(self._moved(labels, votes), votes)[self.units]

    def settled(self, labels: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Keep constraints: shares of the clusters in nodes vote for that of a unit."""
        return self._moved(labels, self.member.T @ shares)[self.units]

    def _moved(self, labels: np.ndarray, votes: np.ndarray) -> np.ndarray:
        """Cluster of each unit, the best that its links leave it."""
        first = np.unique(self.units, return_index=True)[1]
        found, _ = placed(votes, self.apart)
        if found is None:
            found = self._by_colours(votes)
        # A unit without a link is a node, and stays.
        return np.where(self.linked, found, labels[first])

    def _by_colours(self, votes: np.ndarray) -> np.ndarray:
        """Cluster of each unit, where the votes can't be followed one after another."""
        colours, _ = placed(np.zeros_like(votes), self.apart)
        sums = np.zeros((votes.shape[1],) * 2)
        np.add.at(sums, colours[self.restrained], votes[self.restrained])
        clusters = linear_sum_assignment(-sums)[1]
        return np.where(self.restrained, clusters[colours], votes.argmax(1))


def refuse_clash(links: Links, nodes: Nodes, pair: int) -> None:
    """Refuse a pair of rows that are kept apart and belong together."""
    rows = links.cannot[pair]
    one, other = links.numbers[rows]
    if len(set(nodes.inverse[rows])) == 1:
        raise ValueError(
            f"cannot_link keeps rows {one} and {other} apart, which are equal: leave "
            "the pair out, or give a column that tells them apart."
        )
    raise ValueError(
        f"cannot_link keeps rows {one} and {other} apart, which must_link puts "
        "together, directly or over other or equal rows: leave out one or the other."
    )


def rescaled(
    weights: sp.csr_array, signed: sp.csr_array, near: sp.csr_array
) -> sp.csr_array:
    """Multiply ties by one more than what the units near both ends say."""
    edges = sp.coo_array(weights)
    i, j = edges.row, edges.col
    factors = np.empty(edges.nnz)
    widest = int(np.diff(signed.indptr).max())
    for part in gen_batches(edges.nnz, max(ENTRIES_AT_ONCE // widest, 1)):
        factors[part] = 1 + signed[i[part]].multiply(near[j[part]]).sum(1)
    # No tie is cut wholly, so that every node has one.
    data = (edges.data * np.maximum(factors, LEAST_SHARE)).astype(np.float32)
    return sp.csr_array((data, (i, j)), shape=edges.shape)


def placed(votes: np.ndarray, apart: sp.csr_array) -> tuple[Any, int]:
    """Cluster of each unit by the votes, none that a unit apart from it has.

    Units take their turns by how many clusters are closed to them, and then by how
    clear their votes are (saturation degree, Brelaz 1979). Where a unit has none left,
    there are None, and the unit.
    """
    labels = votes.argmax(1)
    closed = np.zeros(votes.shape, dtype=bool)
    two = np.sort(votes, axis=1)[:, -2:]
    margin = two[:, -1] - two[:, 0]
    urgency = margin / (2 * margin.max() + 1)
    waiting = np.diff(apart.indptr) > 0
    unit = -1
    while waiting.any():
        unit = int(np.where(waiting, urgency, -1).argmax())
        if closed[unit].all():
            return None, unit
        labels[unit] = np.where(closed[unit], -np.inf, votes[unit]).argmax()
        waiting[unit] = False
        near = apart.indices[slice(*apart.indptr[unit : unit + 2])]
        urgency[near] += ~closed[near, labels[unit]]
        closed[near, labels[unit]] = True
    return labels, unit


def without_empty(labels: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """Give each empty cluster the unit of a larger one that votes for it the least."""
    labels = labels.copy()
    each = np.arange(len(labels))
    counts = np.bincount(labels, minlength=votes.shape[1])
    for empty in np.flatnonzero(counts == 0):
        shares = votes[each, labels] / votes.sum(1)
        unit = np.where(counts[labels] > 1, shares, np.inf).argmin()
        counts[labels[unit]] -= 1
        labels[unit], counts[empty] = empty, 1
    return labels
