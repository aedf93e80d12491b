"""Clusters of the blood cells that scanpy ships, beside Leiden's and k-means'.

Needs scanpy, leidenalg and igraph: pip install scanpy leidenalg igraph. The labels are
``bulk_labels``, ten kinds of cells; they only score.
"""

import argparse
import time
import warnings

import numpy as np
import scanpy as sc
from _results import add_out, append
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from skdeepcluster import DECClustering
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy

adata = sc.datasets.pbmc68k_reduced()
pca, genes = adata.obsm["X_pca"], np.asarray(adata.X)
nine = adata.obsp["distances"]
fifteen = sc.pp.neighbors(adata, n_neighbors=16, copy=True).obsp["distances"]
kinds = adata.obs["bulk_labels"].astype(str).to_numpy()
is_t = np.array([kind.startswith(("CD4+/", "CD8+")) for kind in kinds])


def graph(n_clusters, neighbors=None):
    def make(seed):
        return GraphClustering(n_clusters, neighbors=neighbors, random_state=seed)

    return make


def leiden(resolution):
    def labels(seed):
        found = adata.copy()
        sc.tl.leiden(
            found,
            resolution=resolution,
            flavor="igraph",
            n_iterations=2,
            directed=False,
            random_state=seed,
        )
        return found.obs["leiden"].cat.codes.to_numpy()

    return labels


def kmeans(n_clusters):
    return lambda seed: KMeans(n_clusters, n_init=10, random_state=seed)


RUNS = {
    "k-means(10), X_pca": (kmeans(10), pca),
    "k-means(10), X": (kmeans(10), genes),
    "Leiden, resolution 1": (leiden(1.0), None),
    "Leiden, resolution 0.3": (leiden(0.3), None),
    "GraphClustering(10), X_pca": (graph(10), pca),
    "GraphClustering(10), X": (graph(10), genes),
    "GraphClustering(10), 9 distances": (graph(10, "precomputed"), nine),
    "GraphClustering(10), 15 distances": (graph(10, "precomputed"), fifteen),
    "GraphClustering(), X_pca": (graph(None), pca),
    "GraphClustering(), X": (graph(None), genes),
    "GraphClustering(), 9 distances": (graph(None, "precomputed"), nine),
    "GraphClustering(), 15 distances": (graph(None, "precomputed"), fifteen),
    "DECClustering(10), X_pca": (
        lambda seed: DECClustering(10, random_state=seed),
        pca,
    ),
    "DECClustering(10), X": (lambda seed: DECClustering(10, random_state=seed), genes),
}


SCORES = {
    "accuracy": clustering_accuracy,
    "nmi": normalized_mutual_info_score,
    "ari": adjusted_rand_score,
}
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--merge-t", action="store_true", help="call all T cells T")
add_out(parser)
arguments = parser.parse_args()
labels = np.where(is_t, "T", kinds) if arguments.merge_t else kinds

warnings.simplefilter("ignore")
print("| clusters | number | ACC | NMI | ARI |")
print("|---|---:|---:|---:|---:|")
for name, (make, rows) in RUNS.items():
    results = []
    for seed in range(arguments.seeds):
        start = time.process_time()
        made = make(seed)
        found = made.fit_predict(rows) if rows is not None else made
        row = {"data": "pbmc68k_reduced", "method": name, "seed": seed}
        row["parameters"] = "--merge-t" * arguments.merge_t
        row |= {name: score(labels, found) for name, score in SCORES.items()}
        row["clusters"] = len(np.unique(found))
        results.append(row | {"cpu_seconds": time.process_time() - start})
    append(arguments.out, results)
    numbers = sorted({row["clusters"] for row in results})
    results = [[row[score] for score in SCORES] for row in results]
    means, worst = np.mean(results, axis=0), np.min(results, axis=0)
    cells = " | ".join(
        f"{mean:.3f} ({low:.3f})" for mean, low in zip(means, worst, strict=True)
    )
    print(f"| {name} | {', '.join(map(str, numbers))} | {cells} |", flush=True)

edges = nine.tocoo()
same = labels[edges.row] == labels[edges.col]
for kind in np.unique(labels):
    share = same[labels[edges.row] == kind].mean()
    print(f"of the nine neighbours, {share:.3f} have the kind of {kind}")

folds = StratifiedKFold(5, shuffle=True, random_state=0)
for name, classifier in [
    ("nearest mean", NearestCentroid()),
    ("15 neighbours", KNeighborsClassifier(15)),
]:
    for place, rows in [("X_pca", pca), ("X", genes)]:
        found = cross_val_predict(classifier, rows, labels, cv=folds)
        share = np.mean(found == labels)
        print(f"with the labels known, {name}, {place}: accuracy {share:.3f}")
