"""Agreement of clusters with classes on real data, over several seeds.

Every method is given the number of classes, but for hdbscan and density-ddc, which find
one; never the labels, which only score.
The autoencoder of a seed is fitted once and shared by the methods that say so; its
seconds are counted in each of them.
"""

import argparse
import sys
import time
from functools import partial

import numpy as np
from _data import LOADERS
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    AutoencoderKMeans,
    DECClustering,
    DensityDDCClustering,
    IDECClustering,
    N2DClustering,
)
from skdeepcluster.metrics import clustering_accuracy

WIDE = 100


class ReducedHDBSCAN(ClusterMixin, BaseEstimator):
    """HDBSCAN of a sample of the rows, reduced by PCA if wide; others join by 1-NN."""

    def __init__(self, n_components=50, max_rows=10_000, random_state=None):
        self.n_components = n_components
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X, y=None):
        Z = reduced(X, self.n_components, self.random_state)
        rng = np.random.default_rng(self.random_state)
        sample = rng.permutation(len(Z))[: self.max_rows]
        labels = HDBSCAN(50, min_samples=5, copy=True).fit_predict(Z[sample])
        nearest = KNeighborsClassifier(1).fit(Z[sample], labels)
        self.labels_ = nearest.predict(Z)
        return self


def reduced(X, n_components, seed):
    if X.shape[1] <= WIDE:
        return X
    return PCA(n_components, random_state=seed).fit_transform(X)


def gaussian_mixture(n_clusters, seed, wide):
    mixture = GaussianMixture(n_clusters, reg_covar=1e-4, random_state=seed)
    return make_pipeline(PCA(50, random_state=seed), mixture) if wide else mixture


def methods(wide):
    """Name to factory ``(n_clusters, seed)``: methods that stand alone."""
    return {
        "kmeans": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
        "gmm": partial(gaussian_mixture, wide=wide),
        "hdbscan": lambda k, seed: ReducedHDBSCAN(random_state=seed),
    }


# Name to class of methods that take the shared autoencoder. DEC's paper trains by SGD,
# after a pretraining with noise (--noise).
SHARING = {
    "ae-kmeans": AutoencoderKMeans,
    "ae-gmm": AutoencoderGMM,
    "dec": DECClustering,
    "dec-paper": partial(DECClustering, optimizer="sgd", lr=0.01),
    "idec": IDECClustering,
    "n2d": N2DClustering,
    "density-ddc": lambda k, **shared: DensityDDCClustering(**shared),
}
NAMES = ["kmeans", "gmm", "hdbscan", *SHARING]
SCORES = {
    "ACC": clustering_accuracy,
    "NMI": normalized_mutual_info_score,
    "ARI": adjusted_rand_score,
}


def timed(function, *args):
    start = time.perf_counter()
    result = function(*args)
    return result, time.perf_counter() - start


def run(X, y, seed, names, autoencoder):
    """Yield name, scores, seconds and clusters of each method, for one seed."""
    k = len(np.unique(y))
    factories = methods(X.shape[1] > WIDE)
    pretraining = 0.0
    if set(names) & set(SHARING):
        _, pretraining = timed(autoencoder.fit, X)
    for name in names:
        if name in SHARING:
            clusterer = SHARING[name](k, autoencoder=autoencoder, random_state=seed)
        else:
            clusterer = factories[name](k, seed)
        labels, seconds = timed(clusterer.fit_predict, X)
        seconds += pretraining if name in SHARING else 0.0
        scores = [score(y, labels) for score in SCORES.values()]
        yield name, scores, seconds, len(np.unique(labels))


def table(results):
    """Mean, standard deviation and worst of each score, and mean seconds."""
    heads = [f"{score} {part}" for score in SCORES for part in ("mean", "std", "worst")]
    lines = ["| method | " + " | ".join([*heads, "seconds"]) + " |"]
    lines.append("|---" * (len(heads) + 2) + "|")
    for name, rows in results.items():
        values = np.array([scores for scores, _ in rows])
        seconds = np.mean([seconds for _, seconds in rows])
        parts = np.stack([values.mean(0), values.std(0), values.min(0)], axis=1)
        cells = [f"{value:.3f}" for value in parts.ravel()]
        lines.append(f"| {name} | " + " | ".join([*cells, f"{seconds:.1f}"]) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=LOADERS, default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    parser.add_argument(
        "--epochs", type=int, default=50, help="of the shared pretraining"
    )
    parser.add_argument(
        "--noise", type=float, default=0.0, help="of the shared pretraining"
    )
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()

    X, y = LOADERS[options.data]()
    results = {name: [] for name in options.methods}
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for seed in seeds:
        autoencoder = Autoencoder(
            max_epochs=options.epochs,
            noise=options.noise,
            precision=options.precision,
            random_state=seed,
        )
        runs = run(X, y, seed, options.methods, autoencoder)
        for name, scores, seconds, found in runs:
            results[name].append((scores, seconds))
            shown = " ".join(f"{score:.3f}" for score in scores)
            # A run may take hours: what is known so far should not be lost with it.
            told = f"{name} seed {seed}: {shown} {seconds:.1f} s, {found} clusters"
            print(told, file=sys.stderr)
    shape = f"{X.shape[0]} x {X.shape[1]}, {len(np.unique(y))} classes"
    print(f"\n{options.data}: {shape}, seeds {seeds[0]} to {seeds[-1]}\n")
    print(table(results))


if __name__ == "__main__":
    main()
