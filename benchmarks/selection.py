"""Do scores without labels choose well? Three questions, a table for each.

    python benchmarks/selection.py --data digits mnist fashion --cache .cache

"settings": 36 configurations with the true number of clusters; "number": three
estimators with 10 numbers of clusters, there and on well separated blobs of many and of
two features. Of scores, their rank correlation with NMI and their regret are printed.
The larger data sets are reduced to 3,000 rows. With ``--cache``, an interrupted run
goes on where it stopped.

    python benchmarks/selection.py --questions any

"any": does `select_n_clusters` answer 1 where rows have no clusters, and only there?
"""

import argparse
import functools
import itertools
from functools import partial

import joblib
import numpy as np
import pandas as pd
from _data import LOADERS
from _results import add_out, append
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons
from sklearn.decomposition import PCA

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering, IDECClustering
from skdeepcluster.graph import GraphClustering
from skdeepcluster.model_selection import (
    clustering_scorer,
    compare_clusterers,
    select_n_clusters,
)

QUESTIONS = ("settings", "number", "any")
ROWS = 3000
EPOCHS = {"digits": (5, 50)}
N_CLUSTERS = (2, 4, 6, 8, 9, 10, 11, 12, 15, 20)
TRAINING = {"init": "k-means", "max_epochs": 12, "update_interval": 20}
CLUSTERERS = {
    "GMM full": (AutoencoderGMM, {"init": "k-means"}),
    "GMM spherical": (
        AutoencoderGMM,
        {"init": "k-means", "covariance_type": "spherical"},
    ),
    "DEC lr 1e-4": (DECClustering, TRAINING | {"lr": 1e-4}),
    "DEC lr 1e-3": (DECClustering, TRAINING | {"lr": 1e-3}),
    "IDEC 0.1": (IDECClustering, TRAINING | {"gamma": 0.1}),
    "IDEC 1": (IDECClustering, TRAINING | {"gamma": 1.0}),
}
FOR_K = ("GMM full", "DEC lr 1e-4", "IDEC 0.1")


@functools.cache
def load(data):
    X, y = MADE[data]() if data in MADE else LOADERS[data]()
    if len(X) > ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(X), ROWS, replace=False))
        X, y = X[rows], y[rows]
    return X, y


def blobs():
    """Six round clusters far apart: the choice of k that none should miss."""
    return make_blobs(2000, n_features=20, centers=6, random_state=0)


def flat():
    """Four round clusters in the plane, where the nearest neighbours tell little."""
    corners = [[0, 0], [9, 0], [0, 9], [9, 9]]
    return make_blobs(2000, centers=corners, random_state=0)


MADE = {"blobs": blobs, "flat": flat}


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
    estimator = estimator_class(n_clusters, encoder=autoencoder, **settings)
    result = compare_clusterers({"it": estimator}, X, y)
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


class Given(BaseEstimator):
    """Clusters that are found already, for scorers to judge in any space."""

    def __init__(self, labels=None):
        self.labels = labels

    def fit(self, X, y=None):
        self.labels_ = self.labels
        return self


def scores(runs):
    """Every label-free score of every run, higher being better."""
    sample = runs[0]["sample"]
    found = [Given(each["labels"]).fit(sample) for each in runs]
    spaces = {each["space"].tobytes(): each["space"] for each in runs}
    pool = [sample, *spaces.values()]
    reduced = PCA(min(20, sample.shape[1]), random_state=0).fit_transform(sample)

    def in_space(factory, Z, **settings):
        scorer = factory(sample_size=None, **settings)
        return [scorer(each, Z) for each in found]

    def in_pool(factory, **settings):
        return np.array([in_space(factory, Z, **settings) for Z in pool])

    table = {}
    for metric in ("euclidean", "cosine"):
        pooled = in_pool(partial(clustering_scorer, "silhouette"), metric=metric)
        table[f"silhouette, input, {metric}"] = pooled[0]
        table[f"silhouette, PCA-20, {metric}"] = in_space(
            partial(clustering_scorer, "silhouette"), reduced, metric=metric
        )
        table[f"silhouette, pooled, {metric}"] = pooled.mean(0)
    own = clustering_scorer("silhouette", sample_size=None)
    table["silhouette, own space"] = [
        own(each, run["space"]) for each, run in zip(found, runs, strict=True)
    ]
    for name, factory in (
        ("Calinski-Harabasz", partial(clustering_scorer, "calinski_harabasz")),
        ("Davies-Bouldin", partial(clustering_scorer, "davies_bouldin")),
    ):
        pooled = in_pool(factory)
        table[f"{name}, input"] = pooled[0]
        # Ranks, for these indices have another scale in each space.
        table[f"{name}, pooled ranks"] = pooled.argsort(1).argsort(1).mean(0)
    table["modularity, input"] = in_space(clustering_scorer, sample)
    for name in ("silhouette, input, euclidean", "silhouette, pooled, euclidean"):
        table[f"modularity + {name}"] = np.add(table["modularity, input"], table[name])
    table["stability"] = [each["stability"] for each in runs]
    if not np.isnan([each["bic"] for each in runs]).any():
        table["BIC"] = [each["bic"] for each in runs]
    return {name: np.asarray(values, dtype=float) for name, values in table.items()}


def judge(values, nmi):
    """Rank correlation with NMI, regret of the pick, and the pick."""
    pick = int(np.argmax(values))
    return spearmanr(values, nmi).statistic, nmi.max() - nmi[pick], pick


def figures(data, kind, by_score, nmi, estimator=""):
    """Rows of the first two questions: what each score picks and loses by it."""
    about = {"data": data, "kind": kind, "parameters": estimator, "seed": 0}
    about["classes"] = len(np.unique(load(data)[1]))
    picks = N_CLUSTERS if kind == "number" else [about["classes"]] * len(nmi)
    for name, values in by_score.items():
        rho, regret, pick = judge(values, nmi)
        row = {"method": name, "rho": rho, "regret": regret}
        yield about | row | {"clusters": picks[pick]}
    if kind == "number":
        best = picks[nmi.argmax()]
        yield about | {"method": "highest NMI", "clusters": best}
    else:
        chance = {"method": "a pick at random", "regret": nmi.max() - nmi.mean()}
        yield about | chance


def table(rows):
    """What each score has in each data set, and its means."""
    frame = pd.DataFrame(rows)
    picks = frame["kind"].iloc[0] == "number"
    groups = frame.groupby(["method", "data"], sort=False)
    cells = groups["regret"].mean().map("{:.3f}".format)
    if picks:
        cells = (
            groups["clusters"].agg(lambda own: " ".join(map(str, own))) + ", " + cells
        )
    else:
        cells = groups["rho"].mean().map("{:.2f}".format) + ", " + cells
    made = cells.unstack()
    made["mean"] = frame.groupby("method")["regret" if picks else "rho"].mean().round(3)
    heads = "picks, regret" if picks else "rank correlation, regret"
    return f"{heads}\n\n{made.to_markdown()}\n"


DRAWS, FEW_ROWS, FEW_NUMBERS = 3, 500, (2, 3, 4, 6, 9)
ASKED = {"k-means": KMeans(), "graph": GraphClustering()}


def spiral(rng):
    angle = 6 * np.pi * np.sqrt(rng.uniform(0.02, 1, FEW_ROWS))
    rows = np.column_stack([angle * np.cos(angle), angle * np.sin(angle)])
    return rows + rng.normal(0, 0.4, rows.shape)


def parted(rng, *centers):
    """Gaussians about some places."""
    seed = int(rng.integers(2**31))
    return make_blobs(FEW_ROWS, centers=np.array(centers), random_state=seed)[0]


# Rows by the number of their clusters, each from a generator.
KINDS = {
    1: {
        "one Gaussian, 1 column": lambda rng: rng.normal(size=(FEW_ROWS, 1)),
        "one Gaussian, 2 columns": lambda rng: rng.normal(size=(FEW_ROWS, 2)),
        "one Gaussian, 10 columns": lambda rng: rng.normal(size=(FEW_ROWS, 10)),
        "uniform, 3 columns": lambda rng: rng.uniform(size=(FEW_ROWS, 3)),
        "exponential, 10 columns": lambda rng: rng.exponential(size=(FEW_ROWS, 10)),
        "four columns of codes": lambda rng: rng.integers(1, 6, size=(FEW_ROWS, 4)),
        "one spiral": spiral,
    },
    2: {
        "two Gaussians, 5 deviations apart": lambda rng: parted(rng, [0, 0], [5, 0]),
        "moons": lambda rng: make_moons(
            FEW_ROWS, noise=0.08, random_state=int(rng.integers(2**31))
        )[0],
    },
    4: {
        "four far Gaussians": lambda rng: parted(rng, [0, 0], [9, 0], [0, 9], [9, 9]),
    },
    3: {"iris": lambda rng: load_iris().data[rng.permutation(150)]},
    10: {"digits": lambda rng: load_digits().data[rng.permutation(1797)[:FEW_ROWS]]},
}


def answer(estimator, rows, seed):
    selection = select_n_clusters(
        estimator, rows, FEW_NUMBERS, n_runs=1, random_state=seed, progress=False
    )
    return selection.n_clusters


def answers():
    """Rows of the third question: the numbers that are chosen, one a draw."""
    for n_clusters, kinds in sorted(KINDS.items()):
        for (name, draw), seed in itertools.product(kinds.items(), range(DRAWS)):
            drawn = draw(np.random.default_rng(seed))
            about = {"data": name, "kind": "any", "seed": seed, "classes": n_clusters}
            for method, estimator in ASKED.items():
                found = answer(estimator, drawn, seed)
                yield about | {"method": method, "clusters": found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", nargs="+", default=["digits"], choices=["digits", "mnist", "fashion"]
    )
    parser.add_argument(
        "--questions", nargs="+", default=list(QUESTIONS), choices=QUESTIONS
    )
    parser.add_argument("--cache", help="folder that keeps finished fits")
    add_out(parser)
    arguments = parser.parse_args()
    memory = joblib.Memory(arguments.cache, verbose=0)
    pretrain_once, run_once = memory.cache(pretrain), memory.cache(run)

    asked = set(arguments.questions)
    found = {question: [] for question in QUESTIONS}
    for data in [*arguments.data, *MADE]:
        few, many = EPOCHS.get(data, (2, 20))
        if data not in MADE and "settings" in asked:
            runs = [
                run_once(data, clusterer, latent_dim, epochs, 10)
                for latent_dim, epochs, clusterer in itertools.product(
                    (5, 10, 20), (few, many), CLUSTERERS
                )
            ]
            nmi = np.array([each["nmi"] for each in runs])
            found["settings"] += figures(data, "settings", scores(runs), nmi)
        for clusterer in FOR_K if "number" in asked else ():
            runs = [run_once(data, clusterer, 10, many, k) for k in N_CLUSTERS]
            nmi = np.array([each["nmi"] for each in runs])
            found["number"] += figures(data, "number", scores(runs), nmi, clusterer)
    for question in ("settings", "number"):
        if found[question]:
            print(table(found[question]))
    if "any" in asked:
        found["any"] += answers()
        frame = pd.DataFrame(found["any"]).astype({"clusters": str})
        made = frame.pivot_table("clusters", ["data", "classes"], "method", " ".join)
        print(made.reset_index().to_markdown(index=False))
    for rows in found.values():
        append(arguments.out, [{"rho": np.nan, "regret": np.nan} | row for row in rows])
