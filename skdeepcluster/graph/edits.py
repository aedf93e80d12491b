"""Clusters that are merged, split, dropped and named by hand, and that get new rows.

An edit changes which cluster a leaf of the tree is in, and makes the tree again through
the new clusters. Numbers stay: none is given to another cluster, and so there are gaps.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, Self, cast

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import blank, take_over
from skdeepcluster._rows import plain_settings
from skdeepcluster.graph.growth import drift, grown
from skdeepcluster.graph.rows import RowSpace
from skdeepcluster.graph.search import find_clusters
from skdeepcluster.graph.tree import ClusterTree
from skdeepcluster.graph.votes import Voters


class EditableClusters:
    """What can be done by hand to the clusters of a fitted `GraphClustering`."""

    labels_: np.ndarray
    cluster_names_: dict[int, str]
    edits_: list[str]
    _voters: Voters
    _tree: ClusterTree
    _nodes: np.ndarray
    _states: list[dict[str, Any]]

    def merge_clusters(self, clusters: Sequence[int]) -> Self:
        """Make one cluster of several, here and in predictions.

        Parameters
        ----------
        clusters : sequence of int
            The clusters. Theirs is then the number, and the name, of the first that is
            given; those of the others are no cluster's any more.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If they are fewer than two, or one isn't among the clusters.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import make_blobs
        >>> from skdeepcluster.graph import GraphClustering
        >>> X, _ = make_blobs(300, centers=4, random_state=1)
        >>> graph = GraphClustering(4, random_state=0).fit(X)
        >>> graph.merge_clusters([2, 0]).rename_cluster(2, "news").edits_
        ['merged 2, 0 into 2', "named 2 'news'"]
        >>> np.unique(graph.labels_)
        array([1, 2, 3], dtype=int32)
        >>> np.unique(graph.undo().undo().labels_)
        array([0, 1, 2, 3], dtype=int32)
        """
        check_is_fitted(self)
        if isinstance(clusters, Integral | str):
            raise ValueError(f"clusters={clusters!r} must be a sequence of clusters.")
        wanted = [*dict.fromkeys(self._checked(each) for each in clusters)]
        if len(wanted) < 2:
            raise ValueError(
                f"clusters={clusters!r} must hold two clusters or more to merge."
            )
        first, *others = wanted
        voters, numbers = self._voters, self._voters.numbers.copy()
        numbers[others] = -1
        merged = np.where(np.isin(voters.clusters, others), first, voters.clusters)
        voters = replace(voters, clusters=merged, numbers=numbers)
        said = ", ".join(map(str, wanted))
        return self._edit(voters, self._tree, f"merged {said} into {first}")

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
        return self._edit(voters, tree, f"split {number} into {said}")

    def drop_cluster(self, cluster: int) -> Self:
        """Take the rows of a cluster for noise, here and in predictions.

        Parameters
        ----------
        cluster : int
            The cluster. Its rows are labelled -1, and so are new rows that would be in
            it.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such cluster, or no other.
        """
        number = self._checked(cluster)
        if len(self._voters.alive) == 1:
            raise ValueError(
                f"cluster={cluster!r} is the only cluster: without it there would be "
                "none."
            )
        numbers = self._voters.numbers.copy()
        numbers[number] = -1
        voters = replace(self._voters, numbers=numbers)
        return self._edit(voters, self._tree, f"dropped {number}")

    def rename_cluster(self, cluster: int, name: str) -> Self:
        """Give a cluster a name, which is in ``cluster_names_``.

        Parameters
        ----------
        cluster : int
            The cluster, which keeps its number.
        name : str
            The name.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such cluster, or the name is no string.
        """
        number = self._checked(cluster)
        if not isinstance(name, str) or not name:
            raise ValueError(f"name={name!r} must be a string that isn't empty.")
        model = copy.copy(self)
        model.cluster_names_ = {**self.cluster_names_, number: name}
        return self._become(model, f"named {number} {name!r}")

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

    def undo(self) -> Self:
        """Take back the last of ``edits_``.

        Returns
        -------
        self : object
            The estimator, as it was before.

        Raises
        ------
        ValueError
            If there is nothing to take back.
        """
        check_is_fitted(self)
        if not self._states:
            raise ValueError("There is no edit to undo since fit or update.")
        *earlier, last = self._states
        model = blank(self)
        model.__dict__.update(last, _states=earlier)
        take_over(self, model)
        return self

    def _checked(self, cluster: Any) -> int:
        """Return the number of a cluster that there is."""
        check_is_fitted(self)
        alive = self._voters.alive.tolist()
        if not isinstance(cluster, Integral) or cluster not in alive:
            there = ", ".join(map(str, alive))
            raise ValueError(f"{cluster!r} is no cluster: there are {there}.")
        return int(cluster)

    def _edit(self, voters: Voters, tree: ClusterTree, said: str) -> Self:
        """Have other clusters of the leaves."""
        return self._become(self._arranged(voters, tree), said)

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
        names = self.cluster_names_
        model.cluster_names_ = {each: names[each] for each in alive if each in names}
        model._voters, model._tree = voters, tree
        forget_search(model)
        return model

    def _become(self, model: Any, said: str) -> Self:
        """Take over an edited copy, and remember how it was before."""
        own = model.get_params(deep=False).keys() | {"_states"}
        state = {name: it for name, it in vars(self).items() if name not in own}
        model.edits_ = [*self.edits_, said]
        model._states = [*self._states, state]
        take_over(self, model)
        return self


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
