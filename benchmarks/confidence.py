"""Whether `confidence` tells rows of the right class from others.

    python benchmarks/confidence.py
    python benchmarks/confidence.py --sets digits iris --seeds 5

A row is right if it has the most frequent class of its cluster, or the one that its
cluster is matched to one by one. The AUC of this is printed for the agreement between
starts, the votes of neighbours and the nearness to the clusters' means, alone and
together, over the sets of `_frozen`, at most 1,500 rows of each.
"""

import argparse

import numpy as np
import pandas as pd
from _frozen import frozen
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


def main():
    """Print a table of the sets, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", help="names; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    results = []
    for _, name, X, y in frozen():
        if options.sets and name not in options.sets:
            continue
        for seed in range(options.seeds):
            rows = np.random.default_rng(seed).permutation(len(y))[:MOST_ROWS]
            classes, codes = np.unique(y[rows], return_inverse=True)
            graph = GraphClustering(len(classes), random_state=seed).fit(X[rows])
            told = signs(graph, X[rows])
            for rule, right in zip(
                ("majority", "matched"), right_rows(codes, graph.labels_), strict=True
            ):
                if 0 < right.sum() < len(right) and graph.n_clusters_ > 1:
                    auc = {key: roc_auc_score(right, it) for key, it in told.items()}
                    results.append({"set": name, "rule": rule, **auc})
    table = pd.DataFrame(results)
    print(table.groupby(["set", "rule"]).mean().round(3).to_string())
    print(table.groupby("rule").mean(numeric_only=True).round(3).to_string())


if __name__ == "__main__":
    main()
