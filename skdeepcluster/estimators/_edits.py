"""Edits of the clusters that a network tells: what it says is renumbered after it.

The network and its head stay as they are. So an edit costs nothing, changes the rows of
the clusters that it names and no others, and is the same for every clusterer.
"""

import copy
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch

from skdeepcluster import functional as F
from skdeepcluster._edits import EditableClusters
from skdeepcluster.estimators._embedded import nearest
from skdeepcluster.graph import GraphClustering

# By how much the share of a row's own cluster is the largest, where an edit made
# another as large.
AHEAD = 1e-6


@dataclass(eq=False)
class Renumbered:
    """Clusters become others, or none."""

    # Number that each has then, or -1.
    numbers: np.ndarray

    def labels(self, labels: np.ndarray, Z: np.ndarray | None) -> np.ndarray:
        """Clusters of rows."""
        return np.where(labels < 0, -1, self.numbers[labels])

    def shares(self, shares: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Shares of the clusters in rows."""
        return shares @ (self.numbers[:, None] == np.arange(len(self.numbers)))


@dataclass(eq=False)
class Parted:
    """A cluster is parted by centroids in the latent space."""

    # Of the parts: the first is the cluster's own, and the others follow all numbers.
    numbers: np.ndarray
    centers: np.ndarray

    def labels(self, labels: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Clusters of rows."""
        labels, own = labels.copy(), np.flatnonzero(labels == self.numbers[0])
        labels[own] = self.numbers[nearest(Z[own], self.centers)]
        return labels

    def shares(self, shares: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Shares of the clusters in rows."""
        rows, centers = map(torch.from_numpy, (Z, self.centers))
        whole = shares[:, self.numbers[:1]]
        shares = np.pad(shares, ((0, 0), (0, len(self.numbers) - 1)))
        shares[:, self.numbers] = whole * F.student_t(rows, centers).numpy()
        return shares


@dataclass(eq=False)
class Plan:
    """What edits make of the clusters that a network tells."""

    # How many numbers have been given, and those of the clusters that there are.
    n_numbers: int
    alive: list[int]
    steps: list[Renumbered | Parted]

    def labels(self, labels: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Clusters of rows, -1 in what was dropped."""
        for step in self.steps:
            labels = step.labels(labels, Z)
        return labels.astype(np.int32)

    def shares(
        self, shares: np.ndarray, labels: np.ndarray, Z: np.ndarray
    ) -> np.ndarray:
        """Shares of the clusters in rows, of which the clusters are given.

        Those of dropped clusters are spread over the others.
        """
        shares = shares.astype(np.float64)
        for step in self.steps:
            shares = step.shares(shares, Z)
        lost = 1 - shares[:, self.alive].sum(1, keepdims=True)
        spread = np.zeros((len(shares), max(self.alive) + 1))
        spread[:, self.alive] = shares[:, self.alive] + lost / len(self.alive)
        rows = np.flatnonzero((labels >= 0) & (spread.argmax(1) != labels))
        spread[rows, labels[rows]] = (1 + AHEAD) * spread[rows].max(1)
        return spread / spread.sum(1, keepdims=True)


class EditableLabels(EditableClusters):
    """What can be done by hand to the clusters that a network tells."""

    n_clusters_: int
    random_state: Any
    # None of clusters as they were learned.
    _plan: Plan | None = None

    @property
    def _alive(self) -> list[int]:
        return [*range(self.n_clusters_)] if self._plan is None else self._plan.alive

    def _merged(self, first: int, others: list[int]) -> Any:
        return self._renumbered(others, first)

    def _dropped(self, number: int) -> Any:
        return self._renumbered([number], -1)

    def split_cluster(self, cluster: int, X: Any, n_clusters: int = 2) -> Self:
        """Split a cluster into several, here and in predictions.

        A :class:`~skdeepcluster.graph.GraphClustering` of the cluster's latent rows
        finds the parts, whose centroids tell them from then on: nothing is trained.

        Parameters
        ----------
        cluster : int
            The cluster. Its largest part keeps the number and the name, and the others
            get the next numbers that no cluster has had, by their size.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows of `fit`, in their order, which are not kept.
        n_clusters : int, default=2
            Number of parts.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there is no such cluster, if ``X`` is other than what was fitted, or if
            the cluster can't be split into so many.
        """
        number = self._checked(cluster)
        if not isinstance(n_clusters, Integral) or n_clusters < 2:
            raise ValueError(f"n_clusters={n_clusters!r} must be an integer >= 2.")
        model: Any = self
        predicted = model.predict(X)
        # Of linked rows, the network may say otherwise.
        alike = predicted == self.labels_ if len(predicted) == len(self.labels_) else 0
        if np.mean(alike) < 0.5:
            raise ValueError(
                f"X must hold the {len(self.labels_)} rows of fit, in their order."
            )
        Z = model.transform(X).astype(np.float32)
        centers = parts_of(Z[self.labels_ == number], number, n_clusters, self)
        free = self._n_numbers + np.arange(n_clusters - 1)
        step = Parted(np.append(number, free), centers)
        parted = self._stepped(step, [*self._alive, *free.tolist()], Z)
        said = ", ".join(map(str, step.numbers))
        return self._become(parted, f"split {number} into {said}")

    @property
    def _n_numbers(self) -> int:
        """How many numbers have been given."""
        return self.n_clusters_ if self._plan is None else self._plan.n_numbers

    def _renumbered(self, clusters: list[int], number: int) -> Any:
        """Copy in which clusters have another number, or none."""
        numbers = np.arange(self._n_numbers)
        numbers[clusters] = number
        alive = [each for each in self._alive if each not in clusters]
        return self._stepped(Renumbered(numbers), alive)

    def _stepped(self, step: Any, alive: list[int], Z: np.ndarray | None = None) -> Any:
        """Copy with a further step after what the network tells."""
        model: Any = copy.copy(self)
        steps = [] if self._plan is None else self._plan.steps
        n_numbers = max(self._n_numbers, max(alive) + 1)
        model._plan = Plan(n_numbers, alive, [*steps, step])
        model.labels_ = step.labels(self.labels_, Z).astype(np.int32)
        if "n_clusters_" in vars(model):
            model.n_clusters_ = len(alive)
        return model

    def _count(self, n_learned: int) -> int:
        """How many clusters there are, of so many that were learned."""
        return n_learned if self._plan is None else len(self._plan.alive)


def parts_of(Z: np.ndarray, number: int, n_clusters: int, settings: Any) -> np.ndarray:
    """Centroids of the parts of a cluster, that of the largest part first."""
    n_distinct = len(np.unique(Z, axis=0))
    if n_distinct < n_clusters:
        raise ValueError(
            f"n_clusters={n_clusters} is more than cluster {number} has distinct "
            f"latent rows, {n_distinct}."
        )
    graph = GraphClustering(int(n_clusters), random_state=settings.random_state)
    parts = graph.fit_predict(Z)
    centers = np.stack([Z[parts == part].mean(0) for part in range(n_clusters)])
    sizes = np.bincount(nearest(Z, centers), minlength=n_clusters)
    return centers[np.argsort(-sizes, kind="stable")]
