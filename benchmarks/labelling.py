"""Accuracy on all rows over answers bought: clusters and queries against random rows.

    python benchmarks/labelling.py
    python benchmarks/labelling.py --around dec-augment

`ClusterThenLabelClassifier` around a graph's clusters, or those of DEC, which may be
taught shifted and rotated images, chooses which rows of MNIST to
ask for, in batches of 10, and of 25 from 100 answers on. Beside it stand a logistic
regression and scikit-learn's label spreading, on as many rows drawn at random and on
the very rows that were asked for, and the classifier itself on the random ones. All
rows count in the accuracy, those with answers too, with every method.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd
from _data import LOADERS
from _results import add_out, append, parameters
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading

from skdeepcluster import Autoencoder, DECClustering
from skdeepcluster.graph import GraphClustering
from skdeepcluster.labelling import ClusterThenLabelClassifier

BUDGETS = (10, 20, 50, 100, 200, 500)
FEW, SMALL_BATCH, BATCH = 100, 10, 25


def hidden(y, rows):
    """Classes of some rows, and -1 for the others."""
    answers = np.full(len(y), -1)
    answers[rows] = y[rows]
    return answers


def regression(X, rows, y):
    """Labels of all rows by a logistic regression on those whose labels are known."""
    # Unscaled pixels: standardised, they gave the rival less.
    labels = LogisticRegression(max_iter=5000).fit(X[rows], y[rows]).predict(X)
    labels[rows] = y[rows]
    return labels


def spreading(X, rows, y):
    """Labels of all rows by scikit-learn's label spreading."""
    # The default kernel takes pixels of all digits for equally far.
    model = LabelSpreading(kernel="knn").fit(X, hidden(y, rows))
    return np.where(hidden(y, rows) < 0, model.transduction_, y)


def clusterer(around, X, n_clusters, seed):
    """What the classifier is around; a network is trained once for all budgets."""
    if around == "graph":
        return GraphClustering(n_clusters)
    augment = ("shift", "rotate") if around == "dec-augment" else None
    dec = DECClustering(
        n_clusters, encoder=Autoencoder(augment=augment), random_state=seed
    )
    return FrozenEstimator(dec.fit(X))


RIVALS = {"logistic regression": regression, "label spreading": spreading}


def purchases(X, y, n_clusters, seed, around):
    """Yield a row for each method and budget, with the accuracy that it buys."""
    # The random rows of a smaller purchase are part of the larger one.
    order = np.random.default_rng(seed).permutation(len(X))
    model = ClusterThenLabelClassifier(
        clusterer(around, X, n_clusters, seed), warm_start=True, random_state=seed
    )
    asked = np.empty(0, dtype=int)
    name = "ClusterThenLabelClassifier"
    for budget in BUDGETS:
        while len(asked) < budget:
            batch = SMALL_BATCH if len(asked) < FEW else BATCH
            model.fit(X, hidden(y, asked))
            rows = model.query(min(batch, budget - len(asked)))
            asked = np.concatenate([asked, rows])
        found = {name: model.fit(X, hidden(y, asked)).transduction_}
        rows = order[:budget]
        found[f"{name}, random rows"] = model.fit(X, hidden(y, rows)).transduction_
        for rival, label in RIVALS.items():
            found[f"{rival}, random rows"] = label(X, rows, y)
            found[f"{rival}, the rows asked for"] = label(X, asked, y)
        for method, labels in found.items():
            row = {"method": method, "seed": seed, "answers": budget}
            yield row | {"accuracy": float(np.mean(labels == y))}


def table(rows):
    """Mean and worst seed of each method at each budget."""
    groups = pd.DataFrame(rows).groupby(["method", "answers"], sort=False)["accuracy"]
    cells = groups.agg(lambda own: f"{own.mean():.3f} ({own.min():.3f})").unstack()
    return cells.to_markdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=sorted(LOADERS), default="mnist")
    parser.add_argument("--rows", type=int, default=10_000, help="the first ones")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--around", choices=["graph", "dec", "dec-augment"], default="graph"
    )
    add_out(parser)
    options = parser.parse_args()

    X, y = LOADERS[options.data]()
    X, y = X[: options.rows], np.unique(y[: options.rows], return_inverse=True)[1]
    rows = []
    for seed in range(options.seeds):
        start = time.perf_counter()
        about = {"data": options.data, "parameters": parameters(parser, options)}
        bought = purchases(X, y, y.max() + 1, seed, options.around)
        append(options.out, new := [about | row for row in bought])
        rows += new
        print(f"seed {seed}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        print(table(rows), file=sys.stderr, flush=True)
    print(f"\n{options.data}: {X.shape[0]} x {X.shape[1]}, {options.seeds} seeds\n")
    print(table(rows))


if __name__ == "__main__":
    main()
