"""Cluster scikit-learn's digits: two deep estimators beside three familiar ones."""

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering
from skdeepcluster.metrics import clustering_accuracy

mpl.use("Agg")
import matplotlib.pyplot as plt

COLUMNS = ("ACC", "NMI", "ARI", "silh.", "CH", "DB", "clusters", "seconds")
FORMATS = ("6.3f", "6.3f", "6.3f", "6.3f", "6.1f", "6.3f", "9d", "8.1f")


def neighbour_distance(X, rank=5, quantile=0.5):
    """Distance within which that share of the rows has ``rank`` neighbours."""
    distances, _ = NearestNeighbors(n_neighbors=rank + 1).fit(X).kneighbors(X)
    return np.quantile(distances[:, -1], quantile)


def timed_fit(estimator, X):
    start = time.perf_counter()
    estimator.fit(X)
    return time.perf_counter() - start


def scores(X, y, labels):
    """Agreement with the classes, then indices of shape on the input's rows.

    Noise is wrong in the first three and left out of the others.
    """
    kept = labels != -1
    inner = (X[kept], labels[kept])
    return (
        clustering_accuracy(y, labels),
        normalized_mutual_info_score(y, labels),
        adjusted_rand_score(y, labels),
        silhouette_score(*inner),
        calinski_harabasz_score(*inner),
        davies_bouldin_score(*inner),
        len(np.unique(labels[kept])),
    )


def named_after_classes(y, labels):
    """Cluster labels renumbered by the class that each matches best."""
    classes, clusters = linear_sum_assignment(
        contingency_matrix(y, labels), maximize=True
    )
    renumbered = np.empty(len(clusters), dtype=int)
    renumbered[clusters] = classes
    return renumbered[labels]


def draw(X, Z, y, labels, accuracy, path):
    """Two maps of the rows: of the pixels by class, of the latent space by cluster."""
    fig, axes = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    panels = [
        (X, y, "Pixels, coloured by true digit"),
        (Z, labels, f"Latent space of DEC, coloured by cluster ({accuracy:.1%} right)"),
    ]
    colors = plt.get_cmap("tab10")
    for ax, (rows, groups, title) in zip(axes, panels, strict=True):
        flat = TSNE(random_state=0).fit_transform(rows)
        ax.scatter(*flat.T, c=colors(groups), s=9, alpha=0.8, linewidths=0)
        for group in np.unique(groups):
            x, height = np.median(flat[groups == group], axis=0)
            ax.text(
                x,
                height,
                str(group),
                ha="center",
                va="center",
                weight="bold",
                bbox={"boxstyle": "circle", "fc": "white", "ec": colors(group)},
            )
        ax.set_title(title)
        ax.set_axis_off()
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo.png"))
    output = parser.parse_args().output

    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    print(f"Digits: {X.shape[0]} rows, {X.shape[1]} features, 10 classes\n", flush=True)
    autoencoder = Autoencoder(random_state=0)
    pretraining = timed_fit(autoencoder, X)
    dec = DECClustering(10, encoder=autoencoder, random_state=0)
    methods = {
        "KMeans": KMeans(10, n_init=10, random_state=0),
        "GaussianMixture": GaussianMixture(10, random_state=0),
        "DBSCAN": DBSCAN(eps=neighbour_distance(X)),
        "AutoencoderGMM": AutoencoderGMM(10, encoder=autoencoder, random_state=0),
        "DECClustering": dec,
    }

    print(" " * 16 + "".join(f"{name:>9}" for name in COLUMNS), flush=True)
    for name, method in methods.items():
        seconds = timed_fit(method, X)
        if "encoder" in method.get_params():
            seconds += pretraining
        labels = getattr(method, "labels_", None)
        if labels is None:
            labels = method.predict(X)
        values = (*scores(X, y, labels), seconds)
        cells = (f"{v:{f}}".rjust(9) for v, f in zip(values, FORMATS, strict=True))
        print(f"{name:<16}" + "".join(cells), flush=True)
    print(
        f"\nThe two deep methods share one autoencoder; its {pretraining:.1f} s are"
        " counted in both."
        "\nACC, NMI and ARI compare with the classes; silhouette, Calinski-Harabasz and"
        "\nDavies-Bouldin look at the pixels, without DBSCAN's noise."
    )

    labels = named_after_classes(y, dec.labels_)
    accuracy = clustering_accuracy(y, labels)
    draw(X, dec.transform(X), y, labels, accuracy, output)
    print(f"\nPicture: {output.resolve()}")


if __name__ == "__main__":
    main()
