"""Processor seconds of whole fits on small data, phase by phase, and what they find.

Every fit pretrains a network of its own, but for `graph`, which has none. Seconds are
those of the processor, of all threads: other work on the machine counts little. Rows
are shuffled anew for each seed; labels only score. ``OMP_NUM_THREADS=1`` measures one
thread.
"""

import argparse
import collections
import functools
import time
import warnings

import numpy as np
import pandas as pd
from _data import LOADERS
from _kinds import KINDS
from _results import add_out, append
from sklearn.datasets import make_blobs
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster import (
    AutoencoderGMM,
    AutoencoderKMeans,
    DCNClustering,
    DDCClustering,
    DECClustering,
    DKMClustering,
    IDECClustering,
    VaDEClustering,
)
from skdeepcluster.estimators._clusterer import BaseDeepClusterer
from skdeepcluster.estimators._joint import BaseJointClusterer
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy

METHODS = {
    "dec": DECClustering,
    "idec": IDECClustering,
    "dcn": DCNClustering,
    "dkm": DKMClustering,
    "vade": VaDEClustering,
    "ddc": DDCClustering,
    "ae-gmm": AutoencoderGMM,
    "ae-kmeans": AutoencoderKMeans,
    "graph": GraphClustering,
}
PHASES = {
    "pretraining": (BaseDeepClusterer, "_pretrain"),
    "initial_clusters": (BaseDeepClusterer, "_find_initial"),
    "teaching": (BaseJointClusterer, "_teach"),
}


def blobs():
    """1,000 rows of ten clusters, 20 columns."""
    return make_blobs(1000, 20, centers=10, random_state=0)


def noise():
    """As many rows of none: one Gaussian."""
    return np.random.default_rng(0).normal(size=(1000, 20)), np.arange(1000) % 10


def timed(function, spent, name):
    """Return a function that adds its processor time to what was spent."""

    @functools.wraps(function)
    def wrapper(*args, **settings):
        start = time.process_time()
        try:
            return function(*args, **settings)
        finally:
            spent[name] += time.process_time() - start

    return wrapper


def main():
    loaders = LOADERS | {"blobs": blobs, "noise": noise}
    for sets in KINDS.values():
        loaders |= sets
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=loaders, default=["digits"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["dec"])
    parser.add_argument("--seeds", type=int, default=5)
    add_out(parser)
    options = parser.parse_args()
    spent = collections.Counter()
    for name, (owner, method) in PHASES.items():
        setattr(owner, method, timed(getattr(owner, method), spent, name))
    heads = ["data", "method", "ACC mean (worst)", "NMI mean", "seconds", *PHASES]
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|", flush=True)
    for data in options.data:
        X, y = loaders[data]()
        for method in options.methods:
            rows = []
            for seed in range(options.seeds):
                order = np.random.default_rng(seed).permutation(len(y))
                model = METHODS[method](len(np.unique(y)), random_state=seed)
                spent.clear()
                fit = timed(model.fit_predict, spent, "cpu_seconds")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    labels = fit(X[order])
                row = {"data": data, "method": method, "seed": seed}
                row["accuracy"] = clustering_accuracy(y[order], labels)
                row["nmi"] = normalized_mutual_info_score(y[order], labels)
                row |= {name: spent[name] for name in PHASES}
                row["clusters"] = len(np.unique(labels))
                rows.append(row | {"cpu_seconds": spent["cpu_seconds"]})
            append(options.out, rows)
            own = pd.DataFrame(rows)
            means = own[["nmi", "cpu_seconds", *PHASES]].mean()
            cells = [data, method]
            cells.append(f"{own['accuracy'].mean():.3f} ({own['accuracy'].min():.3f})")
            cells += [f"{means['nmi']:.3f}", *(f"{v:.2f}" for v in means.iloc[1:])]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
