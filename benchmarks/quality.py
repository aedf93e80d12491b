"""Agreement of clusters with classes on real data, over several seeds.

Every method is given the number of classes, but for those that always find one
(HDBSCAN, Leiden, density-ddc, the scores and the dip test), as others do with
``--find-k``; and never the labels, which only score.
The autoencoder of a seed is fitted once and shared by the methods that say so; its
seconds, which are those of the processor, are counted in each of them. Methods that
train one in another way by default have it of their own, unless options ask for a
certain one. Rows are shuffled anew for each seed.
"""

import argparse
import sys
import time
import warnings
from functools import partial

import numpy as np
import pandas as pd
from _data import LOADERS
from _kinds import KINDS
from _results import add_out, append, parameters
from _synthetic import SYNTHETIC
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import (
    HDBSCAN,
    AgglomerativeClustering,
    KMeans,
    SpectralClustering,
)
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sknetwork.clustering import Leiden

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    AutoencoderKMeans,
    DCNClustering,
    DDCClustering,
    DECClustering,
    DensityDDCClustering,
    IDECClustering,
    N2DClustering,
    Training,
    VaDEClustering,
)
from skdeepcluster.augment import NAMES as AUGMENTATIONS
from skdeepcluster.estimators._objectives import OBJECTIVES
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.neighbors import edge_lengths, fuzzy_union, neighbor_graph
from skdeepcluster.graph.rows import Nodes, RowSpace
from skdeepcluster.metrics import clustering_accuracy

WIDE = 100

# Of the clusters that are tried where a score chooses their number.
MOST_CLUSTERS = 60

# Rows of a data set that is measured with others of its kind, at most.
KIND_ROWS = 10_000


class Reduced(ClusterMixin, BaseEstimator):
    """A clusterer of rows that are made few and narrow first; others join by 1-NN.

    Rows with many features are reduced by PCA, or all by UMAP.
    """

    def __init__(self, clusterer, umap=False, max_rows=None, random_state=None):
        self.clusterer = clusterer
        self.umap = umap
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X, y=None):
        Z = embedded(X, self.random_state) if self.umap else reduced(X)
        rng = np.random.default_rng(self.random_state)
        sample = rng.permutation(Z.shape[0])[: self.max_rows]
        labels = self.clusterer.fit_predict(Z[sample])
        self.labels_ = labels
        if len(sample) < Z.shape[0]:
            self.labels_ = KNeighborsClassifier(1).fit(Z[sample], labels).predict(Z)
        else:
            self.labels_ = labels[np.argsort(sample)]
        return self


def reduced(X, n_components=50):
    if issparse(X):
        return TruncatedSVD(n_components, random_state=0).fit_transform(X)
    if X.shape[1] <= WIDE:
        return X
    return PCA(n_components, random_state=0).fit_transform(X)


def embedded(X, seed):
    """UMAP for clustering, as its documentation advises and as N2D does."""
    import umap

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_jobs value 1 overridden")
        reducer = umap.UMAP(20, min_dist=0.0, n_components=10, random_state=seed)
        return reducer.fit_transform(reduced(X))


def density():
    """HDBSCAN; its settings were chosen with the labels of digits, in its favour."""
    return HDBSCAN(50, min_samples=5, copy=True)


def mixture(n_clusters, seed):
    return GaussianMixture(n_clusters, reg_covar=1e-4, random_state=seed)


class Communities(ClusterMixin, BaseEstimator):
    """Leiden communities of the graph of distinct rows, at the usual resolution."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        nodes = Nodes.of(X)
        Z = RowSpace(X, nodes.first, 0).rows
        nearest = neighbor_graph(Z, 15, None, 0)
        weights = fuzzy_union(nearest, edge_lengths(Z, nearest))
        leiden = Leiden(random_state=self.random_state)
        self.labels_ = leiden.fit_predict(csr_matrix(weights))[nodes.inverse]
        return self


class Counted(ClusterMixin, BaseEstimator):
    """Latent clusters of the number that a score of theirs prefers, labels aside."""

    def __init__(self, score, autoencoder, random_state=None):
        self.score = score
        self.autoencoder = autoencoder
        self.random_state = random_state

    def fit(self, X, y=None):
        Z = self.autoencoder.transform(X).astype(np.float64)
        best = -np.inf
        for k in range(2, MOST_CLUSTERS + 1):
            if self.score == "bic":
                model = mixture(k, self.random_state).fit(Z)
                score = -model.bic(Z)
            else:
                model = KMeans(k, n_init=3, random_state=self.random_state).fit(Z)
                score = silhouette_score(
                    Z, model.labels_, sample_size=min(5000, len(Z)), random_state=0
                )
            if score > best:
                best, self.labels_ = score, model.predict(Z)
        return self


def dip_means(autoencoder, random_state):
    """Kalogeratos and Likas (2012), as ClustPy has it: it compares all pairs."""
    from clustpy.centroid import DipMeans

    clusterer = DipMeans(random_state=random_state)
    few = Reduced(clusterer, max_rows=2000, random_state=random_state)
    return make_pipeline(FrozenEstimator(autoencoder), few)


def latent_graph(n_clusters, autoencoder, random_state):
    graph = GraphClustering(n_clusters, random_state=random_state)
    return make_pipeline(FrozenEstimator(autoencoder), graph)


# Name to factory ``(n_clusters, seed)``: methods that stand alone.
ALONE = {
    "kmeans": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
    "gmm": lambda k, seed: Reduced(mixture(k, seed), random_state=seed),
    "ward": lambda k, seed: Reduced(
        AgglomerativeClustering(k), max_rows=10_000, random_state=seed
    ),
    "spectral": lambda k, seed: Reduced(
        SpectralClustering(
            k, affinity="nearest_neighbors", n_neighbors=15, random_state=seed
        ),
        max_rows=10_000,
        random_state=seed,
    ),
    "hdbscan": lambda k, seed: Reduced(density(), max_rows=10_000, random_state=seed),
    "umap-hdbscan": lambda k, seed: Reduced(
        density(), umap=True, max_rows=10_000, random_state=seed
    ),
    "umap-gmm": lambda k, seed: Reduced(mixture(k, seed), umap=True, random_state=seed),
    "leiden": lambda k, seed: Communities(seed),
    "graph": lambda k, seed: GraphClustering(k, random_state=seed),
    "ddc": lambda k, seed: DDCClustering(k, random_state=seed),
    "ddc-paper": lambda k, seed: DDCClustering(
        k, init="k-means", n_init=3, max_epochs=100, lr=1e-3, random_state=seed
    ),
}

# Name to class of methods that take the shared autoencoder. DEC's paper starts from
# k-means and trains by SGD, after a longer pretraining (--epochs).
SHARING = {
    "ae-kmeans": AutoencoderKMeans,
    "ae-gmm": AutoencoderGMM,
    "ae-gmm-kmeans": partial(AutoencoderGMM, init="k-means"),
    "ae-graph": latent_graph,
    "dec": DECClustering,
    "dec-taught": partial(DECClustering, max_epochs=0),
    "dec-kmeans": partial(DECClustering, init="k-means"),
    "dec-paper": partial(
        DECClustering,
        init="k-means",
        lr=0.01,
        update_interval=140,
        training=Training(optimizer="sgd"),
    ),
    "idec": IDECClustering,
    "idec-kmeans": partial(IDECClustering, init="k-means"),
    "dcn": DCNClustering,
    "dcn-kmeans": partial(DCNClustering, init="k-means"),
    "vade": VaDEClustering,
    "vade-kmeans": partial(VaDEClustering, init="k-means"),
    "n2d": N2DClustering,
    "density-ddc": lambda k, **shared: DensityDDCClustering(**shared),
    "ae-gmm-bic": lambda k, **shared: Counted("bic", **shared),
    "ae-kmeans-silhouette": lambda k, **shared: Counted("silhouette", **shared),
    "ae-dip-means": lambda k, **shared: dip_means(**shared),
}
NAMES = [*ALONE, *SHARING]
# Options of the shared autoencoder; and methods that have one of their own without.
SHARED = ("network", "precision", "epochs", "objective", "noise", "augment")
OWN = {"dec", "dec-taught", "idec", "dcn"}
FINDS_K = {
    "ae-gmm-bic",
    "ae-kmeans-silhouette",
    "ae-dip-means",
    "hdbscan",
    "umap-hdbscan",
    "leiden",
    "graph",
    "ae-graph",
    "density-ddc",
}
FINDS_K |= {"ae-gmm", "ddc", "dec", "dec-taught", "idec", "dcn", "vade"}
DEFAULT = ["kmeans", "gmm", "hdbscan", "graph", "ae-kmeans", "ae-gmm", "dec", "idec"]
SCORES = {
    "accuracy": clustering_accuracy,
    "nmi": normalized_mutual_info_score,
    "ari": adjusted_rand_score,
}


def thinned(y):
    """Rows that remain where each class is rarer than the one before."""
    classes, label = np.unique(y, return_inverse=True)
    shares = 10.0 ** -np.linspace(0, 1, len(classes))
    shuffled = np.random.default_rng(0).permutation(len(y))
    rows = [shuffled[label[shuffled] == c] for c in range(len(classes))]
    return np.concatenate(
        [own[: int(share * len(own))] for own, share in zip(rows, shares, strict=True)]
    )


def timed(function, *args):
    start = time.process_time()
    result = function(*args)
    return result, time.process_time() - start


def run(X, y, k, seed, names, autoencoder, own):
    """Yield name, labels and seconds of each method, for one seed.

    Those in ``own`` have an autoencoder of their own.
    """
    pretraining, sharing = 0.0, set(SHARING) - own
    if set(names) & sharing:
        _, pretraining = timed(autoencoder.fit, X)
    for name in names:
        if name in SHARING:
            encoder = None if name in own else autoencoder
            clusterer = SHARING[name](k, encoder=encoder, random_state=seed)
        else:
            clusterer = ALONE[name](k, seed)
        labels, seconds = timed(clusterer.fit_predict, X)
        yield name, labels, seconds + (pretraining if name in sharing else 0.0)


def table(rows):
    """Mean, standard deviation and worst of each score, clusters, mean seconds."""
    heads = [f"{score} {part}" for score in SCORES for part in ("mean", "std", "worst")]
    lines = ["| method | " + " | ".join([*heads, "clusters", "seconds"]) + " |"]
    lines.append("|---" * (len(heads) + 3) + "|")
    for name, own in pd.DataFrame(rows).groupby("method", sort=False):
        values = own[list(SCORES)].to_numpy()
        parts = np.stack([values.mean(0), values.std(0), values.min(0)], axis=1)
        cells = [f"{value:.3f}" for value in parts.ravel()]
        cells.append(" ".join(map(str, sorted({*own["clusters"]}))))
        cells.append(f"{own['cpu_seconds'].mean():.1f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def kind_table(rows, shapes):
    """A row a data set: accuracy, mean (worst), and NMI of each method."""
    groups = pd.DataFrame(rows).groupby(["data", "method"], sort=False)
    parts = groups.agg(
        mean=("accuracy", "mean"), worst=("accuracy", "min"), nmi=("nmi", "mean")
    )
    methods = list(dict.fromkeys(parts.index.get_level_values("method")))
    lines = ["| data | rows x features, classes | " + " | ".join(methods) + " |"]
    lines.append("|---" * (len(methods) + 2) + "|")
    means = parts.groupby("method").mean()
    for name, shape in [*shapes.items(), ("mean", "")]:
        own = (parts.loc[name] if shape else means).loc[methods].to_numpy()
        cells = [f"{mean:.3f} ({worst:.3f}), {nmi:.3f}" for mean, worst, nmi in own]
        lines.append(f"| {name} | {shape} | " + " | ".join(cells) + " |")
    if "kmeans" in methods:
        above = parts["mean"].unstack()
        above = above[methods].sub(above["kmeans"], axis=0)
        cells = [f"{above[m].min():+.3f} ({above[m].idxmin()})" for m in methods]
        lines.append("| worst against kmeans |  | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measure(data, kind, X, y, options):
    """Scores, clusters and seconds of each method, a row for each seed."""
    k = None if options.find_k else len(np.unique(y))
    results = []
    for seed in seeds_of(options):
        # What depends on the order of the rows should show it.
        order = np.random.default_rng(seed).permutation(len(y))
        autoencoder = Autoencoder(
            network=options.network,
            max_epochs=options.epochs,
            objective=options.objective,
            noise=options.noise,
            augment=options.augment,
            training=Training(precision=options.precision),
            random_state=seed,
        )
        runs = run(
            X[order], y[order], k, seed, options.methods, autoencoder, options.own
        )
        for name, labels, seconds in runs:
            row = {"data": data, "kind": kind, "method": name}
            row |= {"parameters": options.parameters, "seed": seed}
            row |= {name: score(y[order], labels) for name, score in SCORES.items()}
            row["clusters"] = len(np.unique(labels[labels >= 0]))
            row["cpu_seconds"] = seconds
            results.append(row)
            # A run may take hours: what is known so far should not be lost.
            append(options.out, [row])
            print(*row.values(), file=sys.stderr, flush=True)
    return results


def seeds_of(options):
    """Return the seeds that are asked for."""
    return range(options.first_seed, options.first_seed + options.seeds)


def chosen(X, y, max_rows, unbalanced):
    """Those of the rows that are asked for, and their shape."""
    if max_rows:
        sample = np.random.default_rng(0).permutation(len(y))[:max_rows]
        X, y = X[sample], y[sample]
    if unbalanced:
        kept = thinned(y)
        X, y = X[kept], y[kept]
    return X, y, f"{X.shape[0]} x {X.shape[1]}, {len(np.unique(y))}"


def run_kind(kind, options):
    """Measure all data sets of a kind that can be had here, and print one table."""
    rows, shapes = [], {}
    for data, load in KINDS[kind].items():
        try:
            X, y = load()
        except (ImportError, FileNotFoundError) as error:
            print(f"{data} is left out. {error}", file=sys.stderr)
            continue
        max_rows = options.rows or KIND_ROWS
        X, y, shapes[data] = chosen(X, y, max_rows, options.unbalanced)
        rows += measure(data, kind, X, y, options)
    if rows:
        seeds = seeds_of(options)
        print(f"\n{kind}, seeds {seeds[0]} to {seeds[-1]}\n")
        print(kind_table(rows, shapes), flush=True)


def all_loaders():
    """Name to loader of every data set, whatever its kind."""
    loaders = LOADERS | SYNTHETIC
    for sets in KINDS.values():
        loaders |= sets
    return loaders


def main():
    loaders = all_loaders()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=loaders, default=[])
    parser.add_argument(
        "--kind", nargs="+", choices=KINDS, default=[], help="all data sets of a kind"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", choices=NAMES, default=DEFAULT)
    parser.add_argument(
        "--find-k", action="store_true", help="let the method find the number"
    )
    parser.add_argument(
        "--rows",
        type=int,
        help="a random sample of so many rows; with --kind, 10,000 by default",
    )
    parser.add_argument(
        "--unbalanced",
        action="store_true",
        help="make the classes rarer, from all to a tenth of their rows",
    )
    parser.add_argument(
        "--network", choices=["mlp", "conv"], default="mlp", help="that is shared"
    )
    parser.add_argument(
        "--precision", choices=["auto", "float32", "bf16"], default="auto"
    )
    parser.add_argument("--epochs", type=int, help="of the shared pretraining")
    parser.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default="reconstruction",
        help="of the shared pretraining",
    )
    parser.add_argument(
        "--noise", type=float, default=0.0, help="of the shared pretraining"
    )
    parser.add_argument(
        "--augment", nargs="+", choices=AUGMENTATIONS, help="of all training on images"
    )
    add_out(parser)
    options = parser.parse_args()
    options.parameters = parameters(parser, options)
    asked = argparse.Namespace(**{name: getattr(options, name) for name in SHARED})
    options.own = set() if parameters(parser, asked) else OWN
    if options.find_k and (told := sorted({*options.methods} - FINDS_K)):
        parser.error(f"these methods need the number of clusters: {' '.join(told)}")

    for data in options.data or ([] if options.kind else ["digits"]):
        X, y, shape = chosen(*loaders[data](), options.rows, options.unbalanced)
        results = measure(data, "", X, y, options)
        seeds = seeds_of(options)
        print(f"\n{data}: {shape} classes, seeds {seeds[0]} to {seeds[-1]}\n")
        print(table(results), flush=True)
    for kind in options.kind:
        run_kind(kind, options)


if __name__ == "__main__":
    main()
