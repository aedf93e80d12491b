"""What each rule of the graph is worth: all of them, and each left out in turn.

The sets are those of `_frozen.py`. Every row of the results has the rule that was left
out among its parameters. ``--methods`` also measures k-means, DEC and a graph that
finds the number, which have no rules to leave out here. Seconds are of the processor;
``OMP_NUM_THREADS=1`` makes them those of one thread.
"""

import argparse
import contextlib
import time
import warnings
from unittest import mock

import _results
import numpy as np
from _frozen import frozen
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from skdeepcluster import DECClustering
from skdeepcluster.graph import (
    GraphClustering,
    communities,
    neighbors,
    number,
    search,
)
from skdeepcluster.metrics import clustering_accuracy


def centers_never(*args):
    """Tell that clusters of the graph are preferred."""
    return True


def edges_as_they_are(edges, *args):
    """Leave edges of nodes without their masses."""
    return edges


def alone(*args):
    """Count a single group."""
    return 1


# Rule to what is put in its place: module, name, value.
RULES = {
    "further space": (search, "SPACES", ()),
    "even merge": (
        search,
        "best_of",
        lambda starts: (max(starts, key=lambda start: start.worths[1]), 1),
    ),
    "merge by ties": (
        search,
        "best_of",
        lambda starts: (max(starts, key=lambda start: start.worths[0]), 0),
    ),
    "moves": (communities, "MOST_MOVES", 0),
    "even ones leak little": (search, "LEAKIER", np.inf),
    "k-means": (search, "is_clearer", centers_never),
    "gate by variance": (search, "SLOPE", 0.0),
    "neighbours as the cluster": (
        search,
        "usable_neighbors",
        lambda wanted, n_nodes, n_clusters=None: neighbors.usable_neighbors(
            wanted, n_nodes
        ),
    ),
    "masses": (neighbors, "by_mass", edges_as_they_are),
    "densities on lines": (neighbors, "LINE_DIMS", 0.0),
    "starts": None,
}
# Those of the number, which is found for these.
COUNTING = {
    "peaks": (number, "count_peaks", alone),
    "steps": (number, "count_apart_by_steps", alone),
    "far dimensions": (number, "ENOUGH_ROWS", np.inf),
    "small clusters": (number, "SMALL_CLEARER", np.inf),
    "modules": (number, "count_modules", alone),
    "touching": (number, "merge_touching", lambda links, labels, n_dims: labels),
}
METHODS = {
    "graph": GraphClustering,
    "graph-none": GraphClustering,
    "kmeans": lambda k, random_state: KMeans(k, n_init=10, random_state=random_state),
    "dec": DECClustering,
}


def left_out(rule):
    """Leave a rule out, for as long as this is entered."""
    change = {**RULES, **COUNTING}.get(rule)
    return mock.patch.object(*change) if change else contextlib.nullcontext()


def model_of(method, rule, n_clusters, seed):
    """Make the estimator that is measured."""
    wanted = None if method == "graph-none" else n_clusters
    model = METHODS[method](wanted, random_state=seed)
    return model.set_params(n_init=1) if rule == "starts" else model


def rows_of(kind, data, X, y, method, rule, seeds):
    """Yield a row of results for each seed; rows are shuffled anew for each."""
    n_clusters = len(np.unique(y))
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(y))
        model = model_of(method, rule, n_clusters, seed)
        start = time.process_time()
        with left_out(rule):
            labels = model.fit_predict(X[order])
        seconds = time.process_time() - start
        yield {
            "data": data,
            "kind": kind,
            "method": method,
            "parameters": f"without {rule}" if rule else "",
            "seed": seed,
            "accuracy": round(clustering_accuracy(y[order], labels), 4),
            "nmi": round(normalized_mutual_info_score(y[order], labels), 4),
            "ari": round(adjusted_rand_score(y[order], labels), 4),
            "clusters": len(np.unique(labels[labels >= 0])),
            "cpu_seconds": round(seconds, 3),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", help="of the frozen sets; all by default")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["graph"])
    parser.add_argument(
        "--rules",
        nargs="*",
        choices=[*RULES, *COUNTING],
        default=[],
        help="to leave out in turn; those of the number with graph-none",
    )
    parser.add_argument("--rows", type=int, help="of a set, at most")
    parser.add_argument("--seeds", type=int, default=2)
    _results.add_out(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for kind, data, X, y in frozen(options.kinds):
        if options.rows:
            some = np.random.default_rng(1).permutation(len(y))[: options.rows]
            X, y = X[some], y[some]
        rows = [
            row
            for method in options.methods
            for rule in (None, *options.rules)
            for row in rows_of(kind, data, X, y, method, rule, options.seeds)
        ]
        for row in rows:
            print(*row.values(), sep=", ", flush=True)
        if options.out:
            _results.append(options.out, rows)


if __name__ == "__main__":
    main()
