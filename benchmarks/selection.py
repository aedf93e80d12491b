"""Do scores without labels choose well? Their rank correlation with NMI, and regret.

    python benchmarks/selection.py --data digits mnist fashion --cache .cache

fits 36 configurations with the true number of clusters, and then three estimators with
10 numbers of clusters, there and on well separated blobs, and prints a table for each
question. The larger data sets are reduced to 3,000 rows. With ``--cache``, an
interrupted run goes on where it stopped.
"""

import argparse
import itertools

import joblib
import numpy as np
from _data import LOADERS
from scipy.stats import spearmanr
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering, IDECClustering
from skdeepcluster.model_selection import compare_clusterers
from skdeepcluster.model_selection._compare import pooled_silhouettes
from skdeepcluster.model_selection._scorers import (
    calinski_harabasz,
    graph_modularity,
    negative_davies_bouldin,
    neighbor_graph,
    silhouette,
)

ROWS = 3000
EPOCHS = {"digits": (5, 50)}
N_CLUSTERS = (2, 4, 6, 8, 9, 10, 11, 12, 15, 20)
TRAINING = {"max_epochs": 12, "update_interval": 20}
CLUSTERERS = {
    "GMM full": (AutoencoderGMM, {}),
    "GMM spherical": (AutoencoderGMM, {"covariance_type": "spherical"}),
    "DEC lr 1e-4": (DECClustering, TRAINING | {"lr": 1e-4}),
    "DEC lr 1e-3": (DECClustering, TRAINING | {"lr": 1e-3}),
    "IDEC 0.1": (IDECClustering, TRAINING | {"gamma": 0.1}),
    "IDEC 1": (IDECClustering, TRAINING | {"gamma": 1.0}),
}
FOR_K = ("GMM full", "DEC lr 1e-4", "IDEC 0.1")


def load(data):
    X, y = blobs() if data == "blobs" else LOADERS[data]()
    if len(X) > ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(X), ROWS, replace=False))
        X, y = X[rows], y[rows]
    return X, y


def blobs():
    """Six round clusters far apart: the choice of k that none should miss."""
    return make_blobs(2000, n_features=20, centers=6, random_state=0)


def pretrain(data, latent_dim, epochs):
    autoencoder = Autoencoder(
        (128, 128, 256), latent_dim, max_epochs=epochs, random_state=0
    )
    return autoencoder.fit(load(data)[0])


def run(data, clusterer, latent_dim, epochs, n_clusters):
    """Figures of one configuration, and its labels and latent rows on the sample."""
    X, y = load(data)
    autoencoder = pretrain_once(data, latent_dim, epochs)
    estimator_class, settings = CLUSTERERS[clusterer]
    estimator = estimator_class(n_clusters, autoencoder=autoencoder, **settings)
    result = compare_clusterers({"it": estimator}, X, y, n_runs=2)
    row = result.table.loc["it"]
    if row["error"]:
        raise RuntimeError(row["error"])
    fitted = result.estimators["it"]
    return {
        "nmi": row["nmi"],
        "stability": row["stability"],
        "bic": -fitted.bic(X) if hasattr(fitted, "bic") else np.nan,
        "labels": result.labels["it"][result.rows],
        "space": result.spaces["it"],
        "sample": result.sample,
    }


def scores(runs):
    """Every label-free score of every run, higher being better."""
    sample = runs[0]["sample"]
    labels = {i: each["labels"] for i, each in enumerate(runs)}
    fixed = {
        "input": sample,
        "PCA-20": PCA(20, random_state=0).fit_transform(sample),
    }
    graph = neighbor_graph(sample, "euclidean", 15)
    spaces = {each["space"].tobytes(): each["space"] for each in runs}
    pool = [sample, *spaces.values()]
    table = {}
    for name, Z in fixed.items():
        for metric in ("euclidean", "cosine"):
            table[f"silhouette, {name}, {metric}"] = [
                silhouette(Z, each, metric) for each in labels.values()
            ]
    table["silhouette, own space"] = [
        silhouette(each["space"], each["labels"], "euclidean") for each in runs
    ]
    for metric in ("euclidean", "cosine"):
        pooled = dict(pooled_silhouettes(pool, labels, metric))
        table[f"silhouette, pooled, {metric}"] = list(pooled.values())
    for name, index in (
        ("Calinski-Harabasz", calinski_harabasz),
        ("Davies-Bouldin", negative_davies_bouldin),
    ):
        by_space = [
            [index(Z, each, "euclidean") for each in labels.values()] for Z in pool
        ]
        table[f"{name}, input"] = by_space[0]
        # Ranks, for these indices have another scale in each space.
        table[f"{name}, pooled ranks"] = np.mean(
            [np.argsort(np.argsort(values)) for values in by_space], axis=0
        )
    table["modularity, 15 neighbours in input"] = [
        graph_modularity(graph, each) for each in labels.values()
    ]
    for name in ("silhouette, input, euclidean", "silhouette, pooled, euclidean"):
        table[f"modularity + {name}"] = np.add(
            table["modularity, 15 neighbours in input"], table[name]
        )
    table["stability"] = [each["stability"] for each in runs]
    if not np.isnan([each["bic"] for each in runs]).any():
        table["BIC"] = [each["bic"] for each in runs]
    return {name: np.asarray(values, dtype=float) for name, values in table.items()}


def judge(values, nmi):
    """Rank correlation with NMI, regret of the pick, and the pick."""
    pick = int(np.argmax(values))
    return spearmanr(values, nmi).statistic, nmi.max() - nmi[pick], pick


def print_row(*cells):
    print("| " + " | ".join(cells) + " |")


def print_configurations(results):
    """Table of the first question: which configuration, k being known."""
    print_row("score", *(f"{data}: rho | regret" for data in results), "mean rho")
    print_row("---", *["---:"] * (2 * len(results) + 1))
    judged = {
        data: {name: judge(values, nmi) for name, values in by_score.items()}
        for data, (by_score, nmi) in results.items()
    }
    for name in next(iter(judged.values())):
        cells = [judged[data][name] for data in results]
        mean = np.mean([rho for rho, _, _ in cells])
        texts = [f"{rho:.2f} | {regret:.3f}" for rho, regret, _ in cells]
        print_row(name, *texts, f"{mean:.2f}")
    chance = [f" | {nmi.max() - nmi.mean():.3f}" for _, nmi in results.values()]
    print_row("a pick at random", *chance, "")
    for data, (_, nmi) in results.items():
        print(f"\n{data}: NMI from {nmi.min():.3f} to {nmi.max():.3f}.")


def print_k(results):
    """Table of the second question: which number of clusters."""
    print_row(
        "score", *(f"{name}: rho | regret | k" for name in results), "mean regret"
    )
    print_row("---", *["---:"] * (3 * len(results) + 1))
    names = {name: None for by_score, _ in results.values() for name in by_score}
    for name in names:
        texts, regrets = [], []
        for by_score, nmi in results.values():
            if name not in by_score:
                texts.append(" | | ")
                continue
            rho, regret, pick = judge(by_score[name], nmi)
            regrets.append(regret)
            texts.append(f"{rho:.2f} | {regret:.3f} | {N_CLUSTERS[pick]}")
        print_row(name, *texts, f"{np.mean(regrets):.3f}")
    picks = [f" | | {N_CLUSTERS[nmi.argmax()]}" for _, nmi in results.values()]
    print_row("k of the highest NMI", *picks, "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", nargs="+", default=["digits"], choices=["digits", "mnist", "fashion"]
    )
    parser.add_argument("--cache", help="folder that keeps finished fits")
    arguments = parser.parse_args()
    memory = joblib.Memory(arguments.cache, verbose=0)
    pretrain_once, run_once = memory.cache(pretrain), memory.cache(run)

    configurations, for_k = {}, {}
    for data in [*arguments.data, "blobs"]:
        few, many = EPOCHS.get(data, (2, 20))
        if data != "blobs":
            runs = [
                run_once(data, clusterer, latent_dim, epochs, 10)
                for latent_dim, epochs, clusterer in itertools.product(
                    (5, 10, 20), (few, many), CLUSTERERS
                )
            ]
            nmi = np.array([each["nmi"] for each in runs])
            configurations[data] = scores(runs), nmi
        for clusterer in FOR_K:
            runs = [run_once(data, clusterer, 10, many, k) for k in N_CLUSTERS]
            nmi = np.array([each["nmi"] for each in runs])
            for_k[f"{data}, {clusterer}"] = scores(runs), nmi
    print_configurations(configurations)
    print()
    print_k(for_k)
