"""Clusters that are merged, dropped and named by hand, whatever found them.

Numbers stay: none is given to another cluster, and so there are gaps.
"""

import copy
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._fitted import checked_name, take_over


class EditableClusters:
    """What can be done by hand to the clusters of a fitted clusterer.

    A subclass tells which clusters there are, and has copies of itself with others.
    """

    labels_: np.ndarray
    cluster_names_: dict[int, str]
    edits_: list[str]
    # How it was before each of the edits that can be undone.
    _states: Sequence[dict[str, Any]] = ()

    @property
    def _alive(self) -> list[int]:
        """Numbers of the clusters that there are."""
        raise NotImplementedError

    def _merged(self, first: int, others: list[int]) -> Any:
        """Copy in which other clusters belong to a first one."""
        raise NotImplementedError

    def _dropped(self, number: int) -> Any:
        """Copy in which the rows of a cluster are noise."""
        raise NotImplementedError

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
        said = ", ".join(map(str, wanted))
        return self._become(self._merged(first, others), f"merged {said} into {first}")

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
        if len(self._alive) == 1:
            raise ValueError(
                f"cluster={cluster!r} is the only cluster: without it there would be "
                "none."
            )
        return self._become(self._dropped(number), f"dropped {number}")

    def rename_cluster(self, cluster: int, name: str) -> Self:
        """Give a cluster a name, which tables and displays have from then on.

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
        model = copy.copy(self)
        model.cluster_names_ = {**self.cluster_names_, number: checked_name(name)}
        return self._become(model, f"named {number} {name!r}")

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
        model = copy.copy(self)
        model.__dict__.update(last, _states=earlier)
        take_over(self, model)
        return self

    def _checked(self, cluster: Any) -> int:
        """Return the number of a cluster that there is."""
        check_is_fitted(self)
        alive = self._alive
        if not isinstance(cluster, Integral) or cluster not in alive:
            there = ", ".join(map(str, alive))
            raise ValueError(f"{cluster!r} is no cluster: there are {there}.")
        return int(cluster)

    def _become(self, model: Any, said: str) -> Self:
        """Take over an edited copy, and remember how it was before."""
        names = model.cluster_names_
        model.cluster_names_ = {it: names[it] for it in model._alive if it in names}
        model.edits_ = [*self.edits_, said]
        now = vars(model)
        before = {
            name: it for name, it in vars(self).items() if now.get(name) is not it
        }
        model._states = [*self._states, before]
        take_over(self, model)
        return self
