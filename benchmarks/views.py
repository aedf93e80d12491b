"""Clusters of the graph with fewer ways to know the rows: an ablation of its views."""

import argparse
import warnings
from functools import partialmethod
from unittest import mock

import numpy as np
import pandas as pd
from _kinds import KINDS
from quality import LOADERS, chosen
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster import Autoencoder
from skdeepcluster.communities import communities
from skdeepcluster.graph import GraphClustering
from skdeepcluster.maps import diffusion_map, discriminant_map
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.neighbors import View
from skdeepcluster.search import Search

DATA = [
    *["digits", "wine", "segment", "vowel", "satimage", "texture", "pendigits"],
    *["mfeat-fou", "orl-faces", "iris", "penguins", "phoneme", "letter", "spambase"],
]

# Name to whether neighbours where communities are apart count, those on the diffusion
# map, and those in the latent space of an autoencoder.
VIEWS = {
    "rows": (False, False, False),
    "rows, discriminant": (True, False, False),
    "rows, diffusion": (False, True, False),
    "rows, discriminant, diffusion": (True, True, False),
    "rows, discriminant, diffusion, latent rows": (True, True, True),
}


def graphs(search, ways, n_clusters, apart, slow):
    """Make the graphs of `Search.graphs` of some of its views."""
    graph, seed = View.sum_of([way.view for way in ways]), search.seeds[0]
    mass = search.nodes.mass
    if apart:
        resolution = search.settings.resolution
        parts = communities(graph.weights, n_clusters, resolution, seed)
        maps = [discriminant_map(way.rows, mass, parts) for way in ways]
        graph = View.sum_of([graph, *map(search.view, maps)])
    if not slow:
        return [graph]
    smoothed = search.view(diffusion_map(graph.weights, seed))
    return [graph, View.sum_of([graph, smoothed])]


def measure(X, y, seed):
    """Yield name, accuracy and NMI of each set of views, for rows in any order."""
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order], y[order]
    latent = Autoencoder(random_state=seed).fit_transform(X)
    graph = GraphClustering(len(np.unique(y)), random_state=seed)
    for name, (apart, slow, learned) in VIEWS.items():
        made = partialmethod(graphs, apart=apart, slow=slow)
        with mock.patch.object(Search, "graphs", made):
            labels = graph._labels_of([X, latent] if learned else [X])
        nmi = normalized_mutual_info_score(y, labels)
        yield name, clustering_accuracy(y, labels), nmi


def main():
    loaders = dict(LOADERS)
    for sets in KINDS.values():
        loaders |= sets
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=loaders, default=DATA)
    parser.add_argument("--rows", type=int, default=2500, help="a sample of so many")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for data in options.data:
        X, y, _ = chosen(*loaders[data](), options.rows, False)
        for seed in range(options.seeds):
            rows += [(data, *row) for row in measure(X, y, seed)]
    scores = pd.DataFrame(rows, columns=["data", "views", "ACC", "NMI"])
    table = scores.pivot_table(["ACC", "NMI"], "data", "views", sort=False)
    for score in ("ACC", "NMI"):
        part = table[score][list(VIEWS)]
        part.loc["mean"] = part.mean()
        print(f"\n{score}, mean of {options.seeds} seeds\n")
        print(part.round(3).to_markdown())


if __name__ == "__main__":
    main()
