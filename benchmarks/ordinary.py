"""Clusters of small generated data beside scikit-learn's, and their number.

Every set has the rows and columns that it is named by, and rows in any order. Printed
is, for each kind and number of rows, the mean adjusted Rand index over columns and
seeds where the number of clusters is known, and the share in which it is found.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _results import add_out, append
from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

from skdeepcluster.graph import GraphClustering

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])


def _centers(n_columns):
    if n_columns > 3:
        return np.eye(4, n_columns)
    return CORNERS[:, :n_columns] if n_columns > 1 else np.arange(4)[:, None]


def sets(n_rows, n_columns, rng):
    """Yield names, rows and labels of sets that are drawn anew."""
    centers, noise = _centers(n_columns), rng.normal(size=(n_rows, n_columns))
    y = rng.integers(4, size=n_rows)
    uneven = np.where(rng.random(n_rows) < 0.8, 0, y)
    yield "far", 12 * centers[y] + noise, y
    yield "near", 6 * centers[y] + noise, y
    yield "whole numbers", np.round(8 * centers[y] + noise), y
    yield "one of 80 %", 8 * centers[uneven] + noise, uneven
    drawn = rng.integers(n_rows // 5, size=n_rows)
    yield "repeated", (12 * centers[y] + noise)[drawn], y[drawn]
    yield "far from 0", 12 * centers[y] + noise + 1e6, y
    if n_columns == 2:
        seed = int(rng.integers(2**31))
        yield "moons", *make_moons(n_rows, noise=0.06, random_state=seed)
        turn, outer = rng.uniform(0, 2 * np.pi, n_rows), rng.integers(2, size=n_rows)
        rings = (1 + 2 * outer) * np.array([np.cos(turn), np.sin(turn)])
        yield "rings", rings.T + 0.1 * noise, outer
    for kind in ("normal", "uniform", "exponential"):
        rows = getattr(rng, kind)(size=(n_rows, n_columns))
        yield "no clusters", rows, np.zeros(n_rows)
    if n_columns > 1:
        strip = 0.1 * rng.normal(size=(n_rows, n_columns))
        strip[:, 0] += 3 * rng.random(n_rows)
        yield "a strip", strip, np.zeros(n_rows)


def measure(X, y, seed):
    """Yield agreement of each method with the labels, and if the number was found."""
    k, chance = len(np.unique(y)), {"random_state": seed}
    methods = {"hdbscan": HDBSCAN(copy=True), "graph(None)": GraphClustering(**chance)}
    finding = set(methods)
    if k > 1:
        neighbors = {"affinity": "nearest_neighbors", **chance}
        methods["k-means"] = KMeans(k, n_init=10, **chance)
        methods["spectral"] = SpectralClustering(k, **neighbors)
        methods["graph"] = GraphClustering(k, **chance)
    for name, method in methods.items():
        start = time.process_time()
        labels = method.fit_predict(X)
        seconds, found = time.process_time() - start, int(labels.max() + 1)
        row = {"method": name, "seed": seed, "clusters": found, "cpu_seconds": seconds}
        row["ari"] = adjusted_rand_score(y, labels) if k > 1 else np.nan
        row["right"] = float(found == k) if name in finding else np.nan
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 100, 200, 500])
    parser.add_argument("--columns", type=int, nargs="+", default=[1, 2, 3, 10])
    parser.add_argument("--seeds", type=int, default=2)
    add_out(parser)
    args = parser.parse_args()
    # Of scikit-learn's: graphs that are not connected, fewer distinct rows.
    warnings.simplefilter("ignore")
    rows = [
        {"data": name, "parameters": f"--columns {n_columns}", "rows": n_rows, **row}
        for n_rows in args.rows
        for n_columns in args.columns
        for seed in range(args.seeds)
        for name, X, y in sets(n_rows, n_columns, np.random.default_rng(seed))
        for row in measure(X, y, seed)
    ]
    append(args.out, rows)
    table = pd.DataFrame(rows).pivot_table(["ari", "right"], ["data", "rows"], "method")
    table.columns = table.columns.map(": ".join)
    print(table.round(2).reset_index().to_markdown(index=False))


if __name__ == "__main__":
    main()
