"""Clusters that rows are added to in batches, beside one fit of all the rows.

    python benchmarks/living.py
    python benchmarks/living.py --data mnist reuters-tfidf --rows 10000 --seeds 1

A stream has a batch for each class: with "one class", all its rows and no others, with
"mixed", half of them, and the other half of each class is spread over the later
batches. The first two classes are fitted, and the others update the fit. With "no
news", batches are drawn at random. It is told what agrees with the classes, how many
clusters are new, whether known rows have kept their numbers, and seconds a new row in
the first and the last batch.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd
from _data import LOADERS
from _results import add_out, append, parameters
from scipy.sparse import issparse
from sklearn.metrics import adjusted_rand_score

from skdeepcluster.graph import GraphClustering

STREAMS = ("one class", "mixed", "no news")
BATCHES = 10
# What is told of streams alone.
EMPTY = {
    "new": 0,
    "kept": 1.0,
    "first_milliseconds": np.nan,
    "last_milliseconds": np.nan,
}


def batch_of_rows(y, stream, rng):
    """Batch of each row, from 0."""
    if stream == "no news":
        return rng.integers(BATCHES, size=len(y))
    # Two classes are in the first batch: one alone has no clusters to keep.
    batches = np.maximum(rng.permutation(y.max() + 1)[y] - 1, 0)
    if stream == "mixed":
        late = rng.random(len(y)) < 0.5
        batches[late] = rng.integers(batches[late], batches.max() + 1)
    return batches


def living(X, batches, seed):
    """Fit the first batch and update with the others: order, fit, and what was seen."""
    order = np.argsort(batches, kind="stable")
    parts = [order[batches[order] == batch] for batch in np.unique(batches)]
    graph = GraphClustering(random_state=seed).fit(X[parts[0]])
    seconds, new, kept = [], 0, []
    for rows in parts[1:]:
        before, start = graph.labels_, time.process_time()
        table = graph.update(X[rows])
        seconds.append((time.process_time() - start) / len(rows))
        new += int(table["new"].sum())
        kept.append(np.mean(graph.labels_[: len(before)] == before))
    return (
        order,
        graph,
        {
            "new": new,
            "kept": float(np.min(kept)),
            "first_milliseconds": 1000 * seconds[0],
            "last_milliseconds": 1000 * seconds[-1],
        },
    )


def compare(X, y, seed):
    """Yield a row for each stream."""
    start = time.process_time()
    once = GraphClustering(random_state=seed).fit(X)
    spent = time.process_time() - start
    about = {"clusters": once.n_clusters_, "cpu_seconds": spent}
    yield {"method": "one fit", "ari": adjusted_rand_score(y, once.labels_), **about}
    for stream in STREAMS:
        rng, start = np.random.default_rng(seed), time.process_time()
        order, graph, told = living(X, batch_of_rows(y, stream, rng), seed)
        yield {
            "method": stream,
            "ari": adjusted_rand_score(y[order], graph.labels_),
            "clusters": graph.n_clusters_,
            "cpu_seconds": time.process_time() - start,
            **told,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=LOADERS, default=["digits"])
    parser.add_argument("--rows", type=int, default=10_000, help="of a set, at most")
    parser.add_argument("--seeds", type=int, default=20)
    add_out(parser)
    options = parser.parse_args()
    rows = []
    for name in options.data:
        X, y = LOADERS[name]()
        for seed in range(options.seeds):
            some = np.random.default_rng(seed).permutation(len(y))[: options.rows]
            classes = np.unique(y[some], return_inverse=True)[1]
            part = X[some].toarray() if issparse(X) else X[some]
            about = {"data": name, "kind": "", "seed": seed, **EMPTY}
            about["parameters"] = parameters(parser, options)
            new = [about | row for row in compare(part, classes, seed)]
            append(options.out, new)
            rows += new
            print(name, seed, file=sys.stderr, flush=True)
    kept = ["ari", "clusters", "new", "kept", "first_milliseconds", "last_milliseconds"]
    means = pd.DataFrame(rows).groupby(["data", "method"], sort=False)[kept].mean()
    print(means.round(3).to_markdown())


if __name__ == "__main__":
    main()
