"""Edits of a graph's clusters, which also get new rows.

An edit changes which cluster a leaf of the tree is in, and makes the tree again through
the new clusters.
"""

import copy
from dataclasses import replace
from numbers import Integral
from typing import Any, Self, cast

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._edits import EditableClusters
from skdeepcluster._extras import import_extra
from skdeepcluster._rows import plain_settings
from skdeepcluster.graph.growth import drift, grown
from skdeepcluster.graph.rows import RowSpace
from skdeepcluster.graph.search import find_clusters
from skdeepcluster.graph.tree import ClusterTree
from skdeepcluster.graph.votes import Voters


class EditableGraph(EditableClusters):
    """What can be done by hand to the clusters of a fitted `GraphClustering`."""

    _voters: Voters
    _tree: ClusterTree
    _nodes: np.ndarray

    @property
    def _alive(self) -> list[int]:
        return self._voters.alive.tolist()

    def _merged(self, first: int, others: list[int]) -> Any:
        voters, numbers = self._voters, self._voters.numbers.copy()
        numbers[others] = -1
        clusters = np.where(np.isin(voters.clusters, others), first, voters.clusters)
        voters = replace(voters, clusters=clusters, numbers=numbers)
        return self._arranged(voters, self._tree)

    def _dropped(self, number: int) -> Any:
        numbers = self._voters.numbers.copy()
        numbers[number] = -1
        return self._arranged(replace(self._voters, numbers=numbers), self._tree)

    def split_cluster(self, cluster: int, n_clusters: int = 2) -> Self:
        """Split a cluster into several, here and in predictions.

        The tree is cut within the cluster, where it has as many leaves there. Else the
        clusters are found of its rows alone, as they are kept for predictions: a fit
        with the same parameters.

        Parameters
        ----------
        cluster : int
            The cluster. Its largest part keeps the number and the name, and the others
            get the next numbers that no cluster has had, by their size.
        n_clusters : int, default=2
            Number of parts.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such cluster, or it can't be split into so many.
        """
        number = self._checked(cluster)
        if not isinstance(n_clusters, Integral) or n_clusters < 2:
            raise ValueError(f"n_clusters={n_clusters!r} must be an integer >= 2.")
        voters, tree = self._voters, self._tree
        own = np.flatnonzero(voters.clusters == number)
        if len(own) >= n_clusters:
            parts = tree.parts(own, int(n_clusters))
        else:
            settings = clone(self).set_params(n_clusters=int(n_clusters))
            voters, tree, parts = refined(voters, tree, number, settings)
            own = np.flatnonzero(voters.clusters == number)
        order = np.argsort(-np.bincount(parts, tree.sizes[own]), kind="stable")
        free = np.arange(n_clusters - 1) + len(voters.numbers)
        names = np.empty(n_clusters, dtype=np.int32)
        names[order] = [number, *free]
        clusters = voters.clusters.copy()
        clusters[own] = names[parts]
        numbers = np.append(voters.numbers, free)
        voters = replace(voters, clusters=clusters, numbers=numbers)
        said = ", ".join(map(str, [number, *free]))
        return self._become(self._arranged(voters, tree), f"split {number} into {said}")

    def update(self, X_new: Any) -> Any:
        """Take in new rows, and find the clusters among them that are new.

        Rows join a cluster by the votes of their neighbours, as in `predict`, and vote
        on later ones themselves. But where known rows are missing, though new ones are
        each other's neighbours, these are a cluster of their own, if it is so large
        that twice ``n_neighbors`` known rows are missing. With the default, news are 30
        distinct rows or more in one batch; fewer join a cluster for good, and so do all
        if hardly any rows were known. Known clusters keep their numbers and their rows,
        and new ones get the next numbers.

        Parameters
        ----------
        X_new : {array-like, sparse matrix} of shape (n_new, n_features)
            Further rows, in the units of the training data. They are compared in the
            space of these: principal components of wide rows stay as `fit` found them,
            which should have seen rows of most kinds.

        Returns
        -------
        pandas.DataFrame
            A row for each cluster by its number, with

            - ``before``: its rows, without noise; ``joined``: the new rows in it; and
              ``now``: the sum;
            - ``new``: whether it is new;
            - ``drift``: how far the mean of the distinct rows that joined is from the
              mean of those before, in units of the root of the mean squared distance of
              these from their mean; NaN if there is nothing to compare;
            - ``one_with``: a list of the numbers of other clusters that a search among
              the new rows, and as many known ones, has in one cluster with it: most
              rows of either. Nothing is done about it; `merge_clusters` would.

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError
            If the rows can't be used, or if only distances were given to `fit`.

        Notes
        -----
        ``labels_`` and ``leaf_labels_`` are then those of the rows of `fit` and of the
        new ones, in the order in which they came. `undo` doesn't take rows back.

        Examples
        --------
        >>> from sklearn.datasets import make_blobs
        >>> from skdeepcluster.graph import GraphClustering
        >>> X, y = make_blobs(400, centers=4, cluster_std=0.5, random_state=1)
        >>> graph = GraphClustering(random_state=0).fit(X[y < 3])
        >>> table = graph.update(X[y == 3])
        >>> table["joined"].to_dict(), table.index[table["new"]].tolist()
        ({0: 0, 1: 0, 2: 0, 3: 100}, [3])
        >>> len(graph.labels_)
        400
        """
        check_is_fitted(self)
        pandas = import_extra("pandas", "compare", "update")
        if not isinstance(self._voters.space, RowSpace):
            raise ValueError(
                "neighbors='precomputed' keeps no rows to compare new ones with: give "
                "rows to fit, or fit again with the distances of all."
            )
        rows = cast(Any, self)._validated(X_new, reset=False)
        n_nodes = len(self._voters.keys)
        with plain_settings():
            voters, tree, nodes, as_one = grown(self._voters, self._tree, rows, self)
        model: Any = copy.copy(self)
        model._nodes = np.append(self._nodes, nodes).astype(np.int32)
        model.labels_ = np.append(self.labels_, voters.labels[nodes])
        model = model._arranged(voters, tree)
        alive, labels = voters.alive, model.labels_[len(self.labels_) :]
        before = (self.labels_ == alive[:, None]).sum(1)
        joined = (labels == alive[:, None]).sum(1)
        table = {
            "before": before,
            "joined": joined,
            "now": before + joined,
            "new": alive >= len(self._voters.numbers),
            "drift": [drift(voters, each, n_nodes) for each in alive],
            "one_with": [alive[as_one[each, alive]].tolist() for each in alive],
        }
        self._become(model, f"took in {len(labels)} rows")
        self._states = []
        return pandas.DataFrame(table, pandas.Index(alive, name="cluster"))

    def _arranged(self, voters: Voters, tree: ClusterTree) -> Any:
        """Copy with other clusters of the leaves; rows that are noise stay so."""
        model: Any = copy.copy(self)
        voters, tree = arranged(voters, tree)
        leaves, alive = voters.leaves[self._nodes], voters.alive.tolist()
        labels = voters.numbers[voters.clusters[leaves]]
        model.labels_ = np.where(self.labels_ < 0, -1, labels).astype(np.int32)
        model.n_clusters_, model.n_leaves_ = len(alive), len(tree.sizes)
        model.leaf_labels_ = np.where(leaves < len(tree.sizes), leaves, -1)
        model.children_, model.distances_ = tree.children, tree.distances
        model.linkage_ = tree.linkage()
        model.layers_ = sorted({model.n_clusters_, *tree.layers()})
        model._voters, model._tree = voters, tree
        forget_search(model)
        return model


def forget_search(model: Any) -> None:
    """Forget what tells of a search for clusters, where they are others now."""
    for name in ("agreement_", "row_agreement_", "valleys_"):
        model.__dict__.pop(name, None)
    model._node_agreement = None


def arranged(voters: Voters, tree: ClusterTree) -> tuple[Voters, ClusterTree]:
    """Sort leaves by their clusters, dropped ones last, and make their tree again."""
    gone = voters.numbers[voters.clusters] < 0
    order = np.lexsort((voters.clusters, gone))
    clusters, kept = voters.clusters[order], order[: np.sum(~gone)]
    ties = tree.ties[kept][:, kept].toarray()
    leaves = order.argsort()[voters.leaves].astype(np.int32)
    tree = ClusterTree.of(ties, tree.sizes[kept], clusters[: len(kept)])
    return replace(voters, leaves=leaves, clusters=clusters), tree


def refined(
    voters: Voters, tree: ClusterTree, number: int, settings: Any
) -> tuple[Voters, ClusterTree, np.ndarray]:
    """Cut the leaves of a cluster by a search among its rows alone.

    Also returns the part that each of the new leaves of the cluster is in.
    """
    space, wanted = voters.space, settings.n_clusters
    if not isinstance(space, RowSpace):
        raise ValueError(
            f"n_clusters={wanted} is more than the leaves of cluster {number} in the "
            "tree, and of given distances no rows are kept: fit with a larger "
            "resolution."
        )
    own = np.flatnonzero(voters.clusters[voters.leaves] == number)
    if wanted > len(own):
        raise ValueError(
            f"n_clusters={wanted} is more than cluster {number} has distinct rows, "
            f"{len(own)}."
        )
    times = np.maximum(np.rint(voters.mass[own]), 1).astype(np.intp)
    settings.set_params(neighbors=None)
    with plain_settings():
        rows = np.repeat(space.rows[own], times, axis=0)
        found = find_clusters([rows], settings, settings.random_state).row_labels(None)
    parts = np.zeros(len(voters.leaves), dtype=np.int64)
    parts[own] = found[np.cumsum(times) - 1]
    if parts.max() + 1 < wanted:
        raise ValueError(
            f"n_clusters={wanted} is more than cluster {number} has rows that differ."
        )
    pairs = np.column_stack([voters.leaves, parts])
    (olds, part), leaves, sizes = weighed_pairs(pairs, voters.mass)
    clusters = voters.clusters[olds]
    # Nothing tells how a leaf's ties are spread in it, but by the rows.
    there = olds < len(tree.sizes)
    olds, sizes = olds[there], sizes[there]
    share = sizes / tree.sizes[olds]
    ties = tree.ties[olds][:, olds].toarray() * np.outer(share, share)
    voters = replace(voters, leaves=leaves, clusters=clusters)
    tree = ClusterTree.of(ties, sizes, clusters[there])
    return voters, tree, part[clusters == number]


def weighed_pairs(
    pairs: np.ndarray, mass: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Different pairs, which of them each is, and the mass of each of them."""
    found, which = np.unique(pairs, axis=0, return_inverse=True)
    which = which.ravel()
    return found.T, which.astype(np.int32), np.bincount(which, mass)
