"""Heads on ready embeddings beside the graph and k-means.

    python benchmarks/heads.py
    python benchmarks/heads.py --data digits --methods graph TEMI

The number of clusters is that of the classes, which only score. The sets are those of
`_frozen`: text and pictures as two pretrained networks see them, and digits.
"""

import argparse
import time

import numpy as np
from _frozen import frozen
from _results import add_out, append, parameters
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster import SCANClustering, TEMIClustering
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy

DATA = (
    "digits",
    "digits-efficientnet",
    "orl-efficientnet",
    "patches-efficientnet",
    "emoji-names-minilm",
    "packages-minilm",
)

# From nothing, heads need more and larger steps than from a graph.
FROM_NOTHING = {"init": "random", "max_epochs": 50, "lr": 1e-3}


def graph(k, seed):
    """The graph, from whose clusters the heads start."""
    return GraphClustering(k, random_state=seed)


METHODS = {
    "graph": graph,
    "k-means": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
    "SCAN": lambda k, seed: SCANClustering(k, init=graph(k, seed), random_state=seed),
    "TEMI": lambda k, seed: TEMIClustering(k, init=graph(k, seed), random_state=seed),
    "SCAN, random": lambda k, seed: SCANClustering(
        k, **FROM_NOTHING, random_state=seed
    ),
    "TEMI, random": lambda k, seed: TEMIClustering(
        k, **FROM_NOTHING, random_state=seed
    ),
}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", nargs="+", choices=DATA, default=[*DATA])
parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
parser.add_argument("--seeds", type=int, default=2)
add_out(parser)

if __name__ == "__main__":
    options = parser.parse_args()
    for kind, data, X, y in frozen(("big", "features", "text")):
        for method in options.methods if data in options.data else ():
            for seed in range(options.seeds):
                start = time.process_time()
                model = METHODS[method](len(np.unique(y)), seed)
                labels = model.fit_predict(X)
                result = {
                    "data": data,
                    "kind": kind,
                    "method": method,
                    "parameters": parameters(parser, options),
                    "seed": seed,
                    "accuracy": clustering_accuracy(y, labels),
                    "nmi": normalized_mutual_info_score(y, labels),
                    "cpu_seconds": time.process_time() - start,
                }
                shown = {n: result[n] for n in ("accuracy", "nmi", "cpu_seconds")}
                print(data, method, seed, shown, flush=True)
                append(options.out, [result])
