"""Draw the figures of "How it works": writes graph.png and target.png beside itself."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
import torch
from matplotlib.collections import LineCollection
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons

from skdeepcluster import functional as F
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.communities import communities
from skdeepcluster.graph.neighbors import edge_lengths, fuzzy_union, neighbor_graph

X, _ = make_moons(500, noise=0.07, random_state=0)
X = X.astype(np.float32)
neighbors = neighbor_graph(X, 15, None, 0)
weights = fuzzy_union(neighbors, edge_lengths(X, neighbors))
pictures = {
    "k-means": KMeans(2, n_init=10, random_state=0).fit_predict(X),
    "ties": None,
    "communities": communities(weights, n_least=2, resolution=5.0, seed=0),
    "clusters": GraphClustering(2, random_state=0).fit_predict(X),
}
figure, axes = plt.subplots(2, 2, figsize=(8, 5), layout="constrained")
for ax, (name, labels) in zip(axes.flat, pictures.items(), strict=True):
    if labels is None:
        ties = sp.coo_array(sp.triu(weights))
        ends = np.stack([X[ties.row], X[ties.col]], axis=1)
        shades = np.clip(ties.data, 0, 1)
        ax.add_collection(
            LineCollection(ends, colors="black", alpha=shades * 0.7, linewidths=0.6)
        )
        ax.scatter(*X.T, s=4, color="tab:blue")
        ax.set_title("2. ties, darker where they are stronger")
    else:
        number = {"k-means": 1, "communities": 3, "clusters": 4}[name]
        ax.scatter(*X.T, c=labels, s=7, cmap="tab10" if labels.max() < 10 else "tab20")
        ax.set_title(f"{number}. {name}: {labels.max() + 1}")
    ax.set_axis_off()
figure.savefig(Path(__file__).with_name("graph.png"), dpi=90)

# Two centroids on a line; the second cluster has as many rows, or four times as many.
z = torch.linspace(-2, 6, 400)[:, None]
q = F.student_t(z, torch.tensor([[0.0], [4.0]]))
figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
ax.plot(z, q[:, 0], color="black", label="soft assignment q")
for ratio, line in ((1.0, "-"), (4.0, "--")):
    p = F.target_distribution(q, torch.tensor([1.0, ratio]))
    name = "equal clusters" if ratio == 1 else "the second four times as large"
    ax.plot(z, p[:, 0], line, color="tab:orange", label=f"target p, {name}")
for center in (0, 4):
    ax.axvline(center, color="lightgrey", zorder=0)
ax.set_xticks([0, 4], ["first centroid", "second centroid"])
ax.set(xlabel="latent row, on the line through both", ylabel="first cluster")
ax.legend()
figure.savefig(Path(__file__).with_name("target.png"), dpi=110)
