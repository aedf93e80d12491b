"""Wrong labels and copies of rows that are found, beside simpler rules.

    python benchmarks/cleaning.py

3 % of the labels are swapped for others. The share of swapped ones among as many of the
first listed is that of `label_issues`, of the votes of 15 neighbours, and of the
probability that a logistic regression has for each label when a fifth are left out.
Then copies of 2 % of the rows are added, with noise as a share of each column's
standard deviation: how many pairs `near_duplicates` finds, and how many other rows.
"""

import argparse

import numpy as np
from _data import mnist
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skdeepcluster.cleaning import label_issues, near_duplicates

LEVELS = (0.02, 0.05, 0.1, 0.2)


def sets():
    """Names, rows and classes."""
    yield "digits", *load_digits(return_X_y=True)
    X, y = mnist()
    rows = np.random.default_rng(0).permutation(len(X))[:2000]
    yield "mnist-2000", np.asarray(X[rows], dtype=float), np.asarray(y[rows], dtype=int)
    for name, load in (("breast-cancer", load_breast_cancer), ("wine", load_wine)):
        X, y = load(return_X_y=True)
        yield name, scale(X), y


def swapped(y, seed):
    """Labels of which 3 % are those of other classes, and where these are."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(y))[: round(0.03 * len(y))]
    wrong, n_classes = y.copy(), y.max() + 1
    wrong[rows] = (y[rows] + rng.integers(1, n_classes, size=len(rows))) % n_classes
    return wrong, rows


def by_votes(X, y):
    """Share of 15 neighbours that have the label of each row."""
    near = NearestNeighbors(n_neighbors=15).fit(X).kneighbors(return_distance=False)
    return (y[near] == y[:, None]).mean(1)


def by_regression(X, y, seed):
    """Probability of the label of each row when it is left out."""
    shares = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        X,
        y,
        cv=StratifiedKFold(5, shuffle=True, random_state=seed),
        method="predict_proba",
    )
    return shares[np.arange(len(y)), y]


def found_labels(X, y, seed):
    """Share of swapped labels among the first, by each rule."""
    wrong, rows = swapped(y, seed)
    chance = np.random.default_rng(99).random(len(y))
    lists = {"label_issues": label_issues(X, wrong, random_state=seed)["row"]}
    scores = {"votes": by_votes(X, wrong), "regression": by_regression(X, wrong, seed)}
    lists |= {rule: np.lexsort((chance, score)) for rule, score in scores.items()}
    return {
        rule: np.isin(listed[: len(rows)], rows).sum() / len(rows)
        for rule, listed in lists.items()
    }


def found_copies(X, level, seed):
    """Share of the copies found with their row, and rows found that are neither."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(X))[: max(3, len(X) // 50)]
    noise = level * X.std(0) * rng.normal(size=(len(rows), X.shape[1]))
    table = near_duplicates(np.vstack([X, X[rows] + noise]))
    group = table.set_index("row")["group"].to_dict()
    copies = len(X) + np.arange(len(rows))
    pairs = zip(rows, copies, strict=True)
    share = np.mean([group.get(i, -1) == group.get(j, -2) for i, j in pairs])
    own = near_duplicates(X)["row"]
    return {"found": share, "others": len(set(group) - {*rows, *copies, *own})}


def line(name, results):
    """Means and worst of several seeds, as a line of a table."""
    cells = []
    for key in results[0]:
        values = [result[key] for result in results]
        worst = max(values) if key == "others" else min(values)
        cells.append(f"{key} {np.mean(values):.3f} ({worst:.3f})")
    return f"{name:22} {'  '.join(cells)}"


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    for name, X, y in sets():
        print(line(name, [found_labels(X, y, seed) for seed in seeds]), flush=True)
        for level in LEVELS:
            results = [found_copies(X, level, seed) for seed in seeds]
            print(line(f"  copies, noise {level}", results), flush=True)


if __name__ == "__main__":
    main()
