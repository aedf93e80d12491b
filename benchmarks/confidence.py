"""Whether `confidence` tells rows of the right class from others.

    python benchmarks/confidence.py
    python benchmarks/confidence.py --sets digits iris --seeds 5
    python benchmarks/confidence.py --seeds 2 --out benchmarks/results/confidence.csv

A row is right if it has the most frequent class of its cluster, or the one that its
cluster is matched to one by one. The AUC of this is printed for the agreement between
starts, the votes of neighbours and the nearness to the clusters' means, alone and
together, over the sets of `_frozen`, at most 1,500 rows of each.
"""

import argparse

import numpy as np
import pandas as pd
from _frozen import frozen
from _results import add_out, append, parameters
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score
from sklearn.metrics.cluster import contingency_matrix

from skdeepcluster._shares import Shares
from skdeepcluster.explain import confidence
from skdeepcluster.graph import GraphClustering

MOST_ROWS = 1_500


def right_rows(y, labels):
    """Whether rows have their cluster's most frequent class, and its matched one."""
    table = contingency_matrix(y, labels)
    matched = np.full(table.shape[1], -1)
    classes, clusters = linear_sum_assignment(table, maximize=True)
    matched[clusters] = classes
    return [each[labels] == y for each in (table.argmax(0), matched)]


def signs(graph, X):
    """What tells how sure a row is."""
    shares = Shares.of(graph, X, graph.labels_)
    own = np.arange(len(graph.labels_)), graph.labels_
    return {
        "agreement": graph.row_agreement_,
        "votes": shares.votes[own],
        "nearness": shares.nearness[own],
        "confidence": confidence(graph, X),
    }


def measured(X, y, seed):
    """AUC by each rule of all that tells how sure rows are; none if all are right."""
    rows = np.random.default_rng(seed).permutation(len(y))[:MOST_ROWS]
    classes, codes = np.unique(y[rows], return_inverse=True)
    graph = GraphClustering(len(classes), random_state=seed).fit(X[rows])
    majority, matched = right_rows(codes, graph.labels_)
    if majority.all() or graph.n_clusters_ == 1:
        return
    for method, sure in signs(graph, X[rows]).items():
        aucs = roc_auc_score(majority, sure), roc_auc_score(matched, sure)
        about = {"seed": seed, "clusters": graph.n_clusters_}
        scores = dict(zip(("auc", "auc_matched"), map(float, aucs), strict=True))
        yield {"method": method, **about, **scores}


def main():
    """Print a table of the sets, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", help="names; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    add_out(parser)
    options = parser.parse_args()
    results, given = [], parameters(parser, options, "sets")
    for kind, name, X, y in frozen():
        if (options.sets and name not in options.sets) or not y.any():
            continue
        about = {"data": name, "kind": kind, "parameters": given}
        new = [
            about | row for seed in range(options.seeds) for row in measured(X, y, seed)
        ]
        append(options.out, new)
        results += new
    scores = ["auc", "auc_matched"]
    table = pd.DataFrame(results).groupby(["data", "method"], sort=False)[scores].mean()
    print(table.unstack().round(3).to_string())
    print(table.groupby("method", sort=False).mean().round(3).to_string())


if __name__ == "__main__":
    main()
