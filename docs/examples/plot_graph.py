"""
From neighbours to clusters
===========================

The initial clusters decide most of what deep clustering reaches. k-means makes them
round. ``init="graph"``, the default of DEC and its kin, goes from each row to its
neighbours, so that a cluster may have any shape:

1. Each distinct row is tied to its 15 nearest neighbours, in the data and, where
   clusters show more clearly in it, in the latent space of the autoencoder. A tie is
   the weaker, the longer it is in a unit of each row's own, as in UMAP; repeated rows
   weigh as much as they are many.
2. The Louvain method finds many small communities in that graph, purer than large ones.
   Directions in which one community varies as much as all of them tell nothing of
   clusters: in the space of the others, rows are tied to their neighbours as well.
3. Communities are merged until the wanted number of clusters remains, in two ways:
   evenly, by modularity, which prefers clusters of equal size, and by their ties, the
   mean tie of two rows, which ignores sizes. A good set of clusters is hard to leave by
   a step from a row to one of its neighbours, compared with what the sizes of the
   clusters would lead to expect. Of some starts and both ways, the set that is best in
   this sense is kept, or that of k-means if it explains more of how rows differ and is
   about as hard to leave. With ``n_clusters=None``, two communities are one cluster if
   they touch each other as much as the parts of one community do.
4. The network is taught to tell the clusters apart, on mixtures of two rows: too few
   passes to learn the graph's mistakes by heart. Self-training then refines them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_moons

from skdeepcluster import Autoencoder, DECClustering
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.communities import communities
from skdeepcluster.graph.neighbors import edge_lengths, fuzzy_union, neighbor_graph
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.plotting import ClusterTreeDisplay

# %%
# Communities, and what they are merged to
# ----------------------------------------
#
# Two moons show the first three steps: no community straddles the gap, so none of the
# merged clusters does, while k-means cuts both moons.

X, _ = make_moons(1500, noise=0.06, random_state=0)
neighbors = neighbor_graph(X, 15, None, 0)
graph = fuzzy_union(neighbors, edge_lengths(X, neighbors))
pictures = {
    "k-means": KMeans(2, n_init=10, random_state=0).fit_predict(X),
    "communities": communities(graph, n_least=2, resolution=5.0, seed=0),
    "merged": GraphClustering(2, random_state=0).fit_predict(X),
}

fig, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for ax, (title, labels) in zip(axes, pictures.items(), strict=True):
    ax.scatter(*X.T, c=labels, cmap="tab20" if title == "communities" else "tab10", s=4)
    ax.set_title(f"{title}: {len(np.unique(labels))}")
    ax.set_axis_off()
plt.show()

# %%
# A network that is taught
# ------------------------
#
# On handwritten digits, the same autoencoder is given to DEC from k-means and to DEC
# from the graph. Labels only score.

X, y = load_digits(return_X_y=True)
autoencoder = Autoencoder((256, 128), max_epochs=30, random_state=0).fit(X)
clusterers = {
    init: DECClustering(10, encoder=autoencoder, init=init, random_state=0).fit(X)
    for init in ("k-means", "graph")
}

fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
views = {"encoder": autoencoder.transform(X)}
for init, dec in clusterers.items():
    accuracy = clustering_accuracy(y, dec.labels_)
    views[f"DEC from {init}: accuracy {accuracy:.2f}"] = dec.transform(X)
for ax, (title, Z) in zip(axes, views.items(), strict=True):
    # The two directions that tell most of the classes apart.
    flat = Z - Z.mean(0)
    between = np.stack([flat[y == digit].mean(0) for digit in range(10)])
    directions = np.linalg.svd(between, full_matrices=False)[2][:2]
    ax.scatter(*(flat @ directions.T).T, c=y, cmap="tab10", s=4)
    ax.set_title(title)
    ax.set_axis_off()
plt.show()

# %%
# The number of clusters
# ----------------------
#
# Without ``n_clusters``, the graph finds it: exactly where clusters are apart, like the
# moons above. Digits touch, and it is an estimate: ten, and often one more for the two
# ways to write a one.

moons, _ = make_moons(1500, noise=0.06, random_state=0)
print("moons:", GraphClustering(random_state=0).fit(moons).n_clusters_)
dec = DECClustering(n_clusters=None, encoder=autoencoder, random_state=0).fit(X)
print("digits:", dec.n_clusters_)

# %%
# The tree of clusters
# --------------------
#
# One fit holds every number of clusters: ``cut`` joins clusters or takes them apart, in
# milliseconds, along the tree of merges. Clusters are numbered by size, the largest is
# 0, and those of a cut come in the order of the clusters that they are made of.

graph = GraphClustering(10, random_state=0).fit(X)
print("numbers that hold over a wide range:", graph.layers_)
print("cut into five:", np.bincount(graph.cut(5)))
ClusterTreeDisplay.from_estimator(graph)
plt.show()

# %%
# Rows that belong nowhere
# ------------------------
#
# With ``noise_ratio``, rows in places much emptier than their cluster are labelled -1.

scattered = np.random.default_rng(0).uniform([-2, -1.5], [3, 2], (150, 2))
rows = np.concatenate([moons, scattered])
labels = GraphClustering(2, noise_ratio=2.5, random_state=0).fit_predict(rows)

fig, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
ax.scatter(*rows[labels < 0].T, c="lightgrey", s=6, label="noise")
ax.scatter(*rows[labels >= 0].T, c=labels[labels >= 0], cmap="tab10", s=4)
ax.legend(loc="upper left")
ax.set_axis_off()
plt.show()
