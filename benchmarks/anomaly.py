"""Outlier detection against scikit-learn's detectors and PyOD's, on 52 tasks.

    python benchmarks/anomaly.py --out benchmarks/results/anomaly.csv

prints the mean area under the ROC curve (AUC) and average precision (AP) over the tasks
of `_odd.py`, half of which settings were chosen by and half of which confirm them, and
a line for each task. Detectors are fitted on all the rows without labels and score
them, at their defaults. PyOD's take part where it is installed (`pip install
pyod==3.6.7`); its neighbours, isolation forest and local outlier factors are
scikit-learn's. `--out` keeps every figure, with processor seconds, task by task.
"""

import argparse
import itertools
import sys
import time
import warnings

import numpy as np
import pandas as pd
from _odd import CHOOSE, CONFIRM, TASKS
from _results import add_out, append
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from skdeepcluster import DeepOutlierDetector

try:
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.models.copod import COPOD
    from pyod.models.dif import DIF
    from pyod.models.ecod import ECOD
    from pyod.models.hbos import HBOS
except ImportError:
    PYOD = {}
else:
    PYOD = {
        "ECOD": lambda seed: ECOD(),
        "COPOD": lambda seed: COPOD(),
        "HBOS": lambda seed: HBOS(),
        "PyOD's AutoEncoder": lambda seed: AutoEncoder(random_state=seed, verbose=0),
        "DIF": lambda seed: DIF(random_state=seed),
    }

OURS, PLAIN = "DeepOutlierDetector", ("10 neighbours", "isolation forest")


def ours(X, seed):
    return -DeepOutlierDetector(random_state=seed).fit(X).score_samples(X)


def ten_neighbors(X, seed):
    return NearestNeighbors(n_neighbors=10).fit(X).kneighbors()[0].mean(1)


def forest(X, seed):
    return -IsolationForest(random_state=seed).fit(X).score_samples(X)


def factor(X, seed):
    return -LocalOutlierFactor().fit(X).negative_outlier_factor_


DETECTORS = {
    OURS: ours,
    "10 neighbours": ten_neighbors,
    "local outlier factor": factor,
    "isolation forest": forest,
    **{
        name: lambda X, seed, new=new: new(seed).fit(X).decision_scores_
        for name, new in PYOD.items()
    },
}


def measure(tasks, seeds, detectors, out):
    """Rows of figures for each task, seed and detector."""
    figures = []
    for task, seed in itertools.product(tasks, range(seeds)):
        X, odd = TASKS[task](seed=seed)
        about = {"data": task, "kind": "choose" if task in CHOOSE else "confirm"}
        about |= {"seed": seed, "rows": len(X), "columns": X.shape[1]}
        rows = []
        for name in detectors:
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                score = DETECTORS[name](X, seed)
            seconds = time.process_time() - start
            # PyOD's likelihoods may be infinite.
            score = np.nan_to_num(score)
            row = about | {"method": name, "auc": float(roc_auc_score(odd, score))}
            row["ap"] = float(average_precision_score(odd, score))
            rows.append(row | {"cpu_seconds": seconds})
        append(out, rows)
        figures += rows
        print(f"{task}, seed {seed}, done", file=sys.stderr, flush=True)
    return pd.DataFrame(figures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS))
    add_out(parser)
    options = parser.parse_args()
    figures = measure(options.tasks, options.seeds, options.detectors, options.out)
    means = figures.groupby(["kind", "method"], sort=False)
    table = means[["auc", "ap", "cpu_seconds"]].mean().unstack(0)
    print(f"mean of {len(CHOOSE)} and {len(CONFIRM)} tasks, {options.seeds} seeds\n")
    print(table.swaplevel(axis=1).sort_index(axis=1).round(3).to_string())
    groups = figures.groupby(["data", "method"], sort=False)[["auc", "ap"]].mean()
    each, precision = (groups[score].unstack() for score in ("auc", "ap"))
    print("\nAUC / AP of each task\n")
    print(
        (each.round(2).astype(str) + " / " + precision.round(2).astype(str)).to_string()
    )
    if not {OURS, *PLAIN} <= set(each):
        return
    behind = each[OURS] - each[list(PLAIN)].max(axis=1)
    print("\nAUC less the better one of neighbours and forest, the worst tasks\n")
    print(behind.sort_values().head(10).round(3).to_string())


if __name__ == "__main__":
    main()
