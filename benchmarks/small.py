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
from _data import LOADERS
from _kinds import KINDS
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
    "initial clusters": (BaseDeepClusterer, "_find_initial"),
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
    options = parser.parse_args()
    spent = collections.Counter()
    for name, (owner, method) in PHASES.items():
        setattr(owner, method, timed(getattr(owner, method), spent, name))
    heads = ["data", "method", "ACC mean (worst)", "NMI mean", "seconds", *PHASES]
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|", flush=True)
    for data in options.data:
        X, y = loaders[data]()
        n_clusters = len(np.unique(y))
        for method in options.methods:
            scores = []
            spent.clear()
            start = time.process_time()
            for seed in range(options.seeds):
                order = np.random.default_rng(seed).permutation(len(y))
                model = METHODS[method](n_clusters, random_state=seed)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    labels = model.fit_predict(X[order])
                accuracy = clustering_accuracy(y[order], labels)
                scores.append(
                    (accuracy, normalized_mutual_info_score(y[order], labels))
                )
            seconds = (time.process_time() - start) / options.seeds
            accuracies, nmis = np.array(scores).T
            phases = [f"{spent[name] / options.seeds:.2f}" for name in PHASES]
            cells = [
                data,
                method,
                f"{accuracies.mean():.3f} ({accuracies.min():.3f})",
                f"{nmis.mean():.3f}",
                f"{seconds:.2f}",
                *phases,
            ]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
