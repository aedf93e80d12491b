"""Tree of clusters."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import leaves_list
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._docs import documented
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import given_names, last_step
from skdeepcluster.graph.tree import ClusterTree
from skdeepcluster.plotting._common import (
    Display,
    cluster_colors,
    estimator_name,
    label_name,
    name_width,
    new_axes,
)

# Colour of what joins clusters.
ABOVE_COLOR = (0.35, 0.35, 0.35)


@documented
@dataclass(eq=False, repr=False)
class ClusterTreeDisplay(Display):
    """How clusters merge, and how their parts do.

    Each cluster is a branch, with its number and its rows below. What it is merged from
    is drawn as a triangle as high as the last of these merges, or leaf by leaf. Dashed
    lines cut the tree into other numbers of clusters, which are at the right. Make it
    with `from_estimator` or `from_linkage`.

    Parameters
    ----------
    tree : ClusterTree
        Merges of the leaves, and their sizes.
    n_clusters : int
        Number of clusters to name.
    layers : sequence of int, default=()
        Numbers of clusters to draw lines for.
    all_leaves : bool, default=False
        Draw what clusters are merged from, leaf by leaf.
    {title}
    cluster_names : sequence of str, default=None
        Names of the clusters, in the order of their first leaves. None numbers them.

    Attributes
    ----------
    {ax_}
    {figure_}

    Examples
    --------
    >>> from scipy.cluster.hierarchy import linkage
    >>> from sklearn.datasets import make_blobs
    >>> from skdeepcluster.plotting import ClusterTreeDisplay
    >>> X, _ = make_blobs(30, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> display = ClusterTreeDisplay.from_linkage(linkage(X, "average"), 3)
    >>> [label.get_text().split() for label in display.ax_.get_xticklabels()]
    [['0', '10'], ['1', '10'], ['2', '10']]
    """

    tree: ClusterTree
    n_clusters: int
    _: KW_ONLY
    layers: Sequence[int] = ()
    all_leaves: bool = False
    title: str = ""
    cluster_names: Sequence[str] | None = None

    @classmethod
    def from_estimator(
        cls,
        graph: Any,
        *,
        n_clusters: int | None = None,
        all_leaves: bool = False,
        ax: Any = None,
    ) -> "ClusterTreeDisplay":
        """Draw the tree of a fitted `GraphClustering`.

        Parameters
        ----------
        graph : estimator
            A fitted `GraphClustering` or a pipeline that ends in one. Rows of noise
            count with the cluster that they are noise of.
        n_clusters : int, default=None
            Number of clusters, as ``cut`` takes it. None is that of the fit.
        all_leaves : bool, default=False
            Draw what clusters are merged from, leaf by leaf.
        {ax_and_display}
        """
        final = last_step(graph)
        check_is_fitted(final)
        if not hasattr(final, "linkage_"):
            raise TypeError(
                f"{type(final).__name__} has no linkage_ of a tree: give a "
                "GraphClustering, or the linkage of another tree to from_linkage."
            )
        wanted = final.n_clusters_ if n_clusters is None else n_clusters
        names = given_names(final) if wanted == final.n_clusters_ else None
        found = np.unique(final.cut(wanted)[final.leaf_labels_ >= 0])
        return cls.from_linkage(
            final.linkage_,
            wanted,
            sizes=np.bincount(final.leaf_labels_[final.leaf_labels_ >= 0]),
            layers=final.layers_,
            all_leaves=all_leaves,
            title=estimator_name(final),
            cluster_names=[label_name(label, names) for label in found],
            ax=ax,
        )

    @classmethod
    def from_linkage(
        cls,
        linkage: Any,
        n_clusters: int,
        *,
        sizes: Any = None,
        layers: Sequence[int] = (),
        all_leaves: bool = False,
        title: str = "",
        cluster_names: Sequence[str] | None = None,
        ax: Any = None,
    ) -> "ClusterTreeDisplay":
        """Draw a given tree.

        Parameters
        ----------
        linkage : array-like of shape (n_leaves - 1, 4)
            Merges, as :func:`scipy.cluster.hierarchy.linkage` gives them, of distances
            that never fall.
        n_clusters : int
            Number of clusters.
        sizes : array-like of shape (n_leaves,), default=None
            Rows of each leaf. None takes each for one row.
        layers : sequence of int, default=()
            Numbers of clusters to draw lines for.
        all_leaves : bool, default=False
            Draw what clusters are merged from, leaf by leaf.
        {title}
        cluster_names : sequence of str of length n_clusters, default=None
            Names of the clusters, in the order of their first leaves. None numbers
            them.
        {ax_and_display}
        """
        linkage = np.asarray(linkage, dtype=float)
        if linkage.ndim != 2 or linkage.shape[1] != 4:
            raise ValueError(
                f"linkage must have four columns, got shape {linkage.shape}: give what "
                "scipy.cluster.hierarchy.linkage returns."
            )
        n_leaves = len(linkage) + 1
        sizes = np.ones(n_leaves, dtype=int) if sizes is None else np.asarray(sizes)
        if sizes.shape != (n_leaves,):
            raise ValueError(
                f"sizes has shape {sizes.shape} and the tree {n_leaves} leaves: give "
                "the rows of each leaf."
            )
        numbers = [("n_clusters", n_clusters), *(("layers", each) for each in layers)]
        for name, number in numbers:
            if not isinstance(number, Integral) or not 1 <= number <= n_leaves:
                raise ValueError(
                    f"{name} has {number!r}, which must be a whole number from 1 to "
                    f"{n_leaves}, the leaves of the tree."
                )
        if cluster_names is not None and len(cluster_names) != n_clusters:
            raise ValueError(
                f"cluster_names has {len(cluster_names)} names and n_clusters is "
                f"{n_clusters}: give a name for each."
            )
        tree = ClusterTree(linkage[:, :2].astype(int), linkage[:, 2], sizes)
        display = cls(
            tree,
            n_clusters,
            layers=layers,
            all_leaves=all_leaves,
            title=title,
            cluster_names=cluster_names,
        )
        return display.plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        collections = import_extra("matplotlib.collections", "plot", "Plotting")
        sizes, distances = self.tree.sizes, self.tree.distances
        n_leaves = len(sizes)
        clusters = self.tree.cut(self.n_clusters)
        colors = cluster_colors(clusters)
        places = self._places(clusters)
        width = max(6.4, 0.35 * self.n_clusters, 0.13 * places.max())
        ax = new_axes(ax, width=width)
        # Of each leaf and each merge: its place, its height and its cluster, if one.
        x, height = np.zeros((2, 2 * n_leaves - 1))
        x[:n_leaves], height[n_leaves:] = places, distances
        own = np.append(clusters, np.full(n_leaves - 1, -1))
        roots = {cluster: leaf for leaf, cluster in enumerate(clusters)}
        lines, shades = [], []
        for node, (left, right) in enumerate(self.tree.children, start=n_leaves):
            x[node] = (x[left] + x[right]) / 2
            if own[left] == own[right] != -1:
                own[node] = own[left]
                roots[own[node]] = node
                if not self.all_leaves:
                    continue
            for one in (left, right):
                lines.append([(x[one], height[one]), (x[one], height[node])])
                shades.append(colors.get(own[one], ABOVE_COLOR))
            lines.append([(x[left], height[node]), (x[right], height[node])])
            shades.append(colors.get(own[node], ABOVE_COLOR))
        top = distances.max(initial=0) or 1.0
        # The trunk; all there is to see of a single leaf.
        lines.append([(x[-1], height[-1]), (x[-1], 1.06 * top)])
        shades.append(colors.get(own[-1], ABOVE_COLOR))
        ax.add_collection(
            collections.LineCollection(lines, colors=shades, linewidths=1.5)
        )
        if not self.all_leaves:
            for cluster, root in roots.items():
                corners = x[root] + np.array([-0.3, 0, 0.3])
                ax.fill(corners, [0, height[root], 0], color=colors[cluster])
        self._draw_layers(ax, np.concatenate([[0], distances, [1.12 * top]]))
        # Few branches are not spread over all the width.
        middle, half = places.max() / 2, max(places.max() / 2, 1.5) + 0.7
        ax.set(
            xlim=(middle - half, middle + half),
            ylim=(0, 1.12 * top),
            xlabel="cluster and its rows",
            ylabel="distance of what is merged",
            title=self.title,
        )
        self._name_clusters(ax, clusters, places)
        return ax

    def _places(self, clusters: np.ndarray) -> np.ndarray:
        """Place of each leaf from the left: one for each, or for each cluster."""
        if len(clusters) == 1:
            return np.zeros(1)
        order = leaves_list(self.tree.linkage())
        places = np.empty(len(order))
        if self.all_leaves:
            places[order] = np.arange(len(order))
        else:
            places[order] = np.cumsum(np.diff(clusters[order], prepend=-1) != 0) - 1
        return places

    def _name_clusters(self, ax: Any, clusters: np.ndarray, places: np.ndarray) -> None:
        sizes = np.bincount(clusters, self.tree.sizes).astype(int)
        middles = [
            (places[clusters == c].min() + places[clusters == c].max()) / 2
            for c in range(len(sizes))
        ]
        gaps = np.diff(np.sort(middles))
        apart = gaps.min(initial=places.max())
        names = range(len(sizes)) if self.cluster_names is None else self.cluster_names
        inches = ax.figure.get_size_inches()[0] * ax.get_position().width
        wide = name_width(map(str, names)) > inches * apart / np.ptp(ax.get_xlim())
        turned = places.max() > 12 * apart or (wide and len(sizes) > 1)
        pattern = "{} ({:,})" if turned else "{}\n{:,}"
        names = [pattern.format(*pair) for pair in zip(names, sizes, strict=True)]
        ax.set_xticks(middles, names, fontsize="small", rotation=90 * turned)

    def _draw_layers(self, ax: Any, heights: np.ndarray) -> None:
        if not self.layers:
            return
        # A cut into so many clusters is between the merge that makes them and the next.
        merges = len(self.tree.sizes) - np.array(self.layers)
        levels = (heights[merges] + heights[merges + 1]) / 2
        for level in levels:
            ax.axhline(level, color="grey", linestyle="--", linewidth=1)
        # Lines that are nearer than a line of text share one.
        order = levels.argsort()[::-1]
        apart = np.flatnonzero(-np.diff(levels[order]) > heights[-1] / 25) + 1
        groups = np.split(order, apart)
        names = [", ".join(str(self.layers[i]) for i in group) for group in groups]
        side = ax.secondary_yaxis("right")
        side.set_yticks([levels[group].mean() for group in groups], names)
        side.set_ylabel("clusters at the dashed lines")
