"""Clusters of rows of which some are known to belong together, or not to.

    python benchmarks/constraints.py

`GraphClustering` is given 0 to 200 random pairs of rows, half of one class and half of
two, and the number of classes. Beside it stands k-means with penalties for broken pairs
(PCKMeans of Basu, Banerjee and Mooney, 2004) in a bare implementation: it starts from
k-means, and a broken pair costs as much as the mean squared distance to a centroid.
"""

import argparse
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from _data import LOADERS
from _kinds import KINDS
from _results import add_out, append, parameters
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from skdeepcluster.graph import GraphClustering

NAMES = "digits optdigits satimage segment vowel wine iris mfeat-fou"
NUMBERS = (0, 20, 50, 100, 200)
ROUNDS = 20


def loaded(name, folder):
    """Kind, rows and classes of a set: from a file, or as the other benchmarks do."""
    if folder is not None:
        return pickle.loads((folder / f"{name}.pkl").read_bytes())[1:]
    groups = {"big": LOADERS, **KINDS}
    kind, load = next((k, own[name]) for k, own in groups.items() if name in own)
    return kind, *load()


def sets(most, folder):
    """Yield kinds, names, rows and classes, at most so many rows of each."""
    for name in NAMES.split():
        kind, X, y = loaded(name, folder)
        rows = np.random.default_rng(0).permutation(len(y))[:most]
        classes = np.unique(y, return_inverse=True)[1][rows]
        yield kind, name, np.asarray(X[rows], dtype=float), classes


def drawn(X, y, number, seed):
    """Random pairs of rows, half of one class and half of two."""
    rng = np.random.default_rng(seed)
    must, cannot = [], []
    while len(must) < number // 2 or len(cannot) < number // 2:
        i, j = rng.choice(len(y), 2, replace=False)
        if (X[i] != X[j]).any():
            (must if y[i] == y[j] else cannot).append((i, j))
    pairs = (np.array(each[: number // 2], dtype=int) for each in (must, cannot))
    return [each.reshape(-1, 2) for each in pairs]


def pckmeans(X, n_clusters, must, cannot, seed):
    """Labels by k-means with penalties for broken pairs."""
    kmeans = KMeans(n_clusters, n_init=10, random_state=seed).fit(X)
    labels, centers = kmeans.labels_.copy(), kmeans.cluster_centers_
    penalty = kmeans.inertia_ / len(X)
    for _ in range(ROUNDS):
        costs = np.square(X[:, None] - centers).sum(2)
        before = labels.copy()
        for row in np.random.default_rng(seed).permutation(np.r_[must, cannot].ravel()):
            cost = costs[row].copy()
            for pairs, sign in ((must, -1), (cannot, 1)):
                for one, other in (pairs.T, pairs.T[::-1]):
                    near = labels[other[one == row]]
                    cost += sign * penalty * np.bincount(near, minlength=n_clusters)
            labels[row] = cost.argmin()
        free = np.setdiff1d(np.arange(len(X)), np.r_[must, cannot])
        labels[free] = costs[free].argmin(1)
        for label in np.unique(labels):
            centers[label] = X[labels == label].mean(0)
        if (labels == before).all():
            break
    return labels


def graph(X, n_clusters, must, cannot, seed):
    """Labels by the graph."""
    model = GraphClustering(n_clusters, random_state=seed)
    with warnings.catch_warnings():
        # Some of these sets have no clear clusters: that is what pairs are given for.
        warnings.simplefilter("ignore", UserWarning)
        return model.fit_predict(X, must_link=must, cannot_link=cannot)


METHODS = {"GraphClustering": graph, "PCKMeans, bare": pckmeans}


def compare(X, y, seed):
    """Yield a row for each method and number of pairs."""
    for number in NUMBERS:
        must, cannot = drawn(X, y, number, seed)
        for method, label in METHODS.items():
            labels = label(X, y.max() + 1, must, cannot, seed)
            kept = (labels[must[:, 0]] == labels[must[:, 1]]).sum()
            kept += (labels[cannot[:, 0]] != labels[cannot[:, 1]]).sum()
            yield {
                "method": method,
                "seed": seed,
                "pairs": number,
                "ari": float(adjusted_rand_score(y, labels)),
                "kept": float(kept / number) if number else 1.0,
                "clusters": len(np.unique(labels)),
            }


def table(rows):
    """Mean adjusted Rand index of each set and method at each number of pairs."""
    frame = pd.DataFrame(rows)
    cells = frame.pivot_table("ari", ["method", "data"], "pairs", sort=False)
    means = frame.pivot_table("ari", "method", "pairs", sort=False)
    means.index = pd.MultiIndex.from_product([means.index, ["mean"]])
    return pd.concat([cells, means]).round(3).to_markdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000, help="of a set, at most")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--folder", type=Path, help="with a pickle of (name, kind, X, y) of each set"
    )
    add_out(parser)
    options = parser.parse_args()

    rows = []
    for kind, name, X, y in sets(options.rows, options.folder):
        about = {"data": name, "kind": kind}
        about["parameters"] = parameters(parser, options, "folder")
        for seed in range(options.seeds):
            new = [about | row for row in compare(X, y, seed)]
            append(options.out, new)
            rows += new
        print(name, file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
