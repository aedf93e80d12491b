"""Clusters of the graph with fewer ways to know the rows: an ablation of its views."""

import argparse
import warnings
from unittest import mock

import numpy as np
import pandas as pd
from _results import add_out, append
from quality import all_loaders, chosen
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster import Autoencoder
from skdeepcluster.graph import GraphClustering
from skdeepcluster.graph.search import Search
from skdeepcluster.metrics import clustering_accuracy

DATA = [
    *["digits", "wine", "segment", "vowel", "satimage", "texture", "pendigits"],
    *["mfeat-fou", "orl-faces", "iris", "penguins", "phoneme", "letter", "spambase"],
]

MADE = {"_apart": Search._apart, "_smoothed": Search._smoothed}

# Name to the methods of `Search` whose views are left out, and whether neighbours in
# the latent space of an autoencoder count.
VIEWS = {
    "rows": (["_apart", "_smoothed"], False),
    "rows, discriminant": (["_smoothed"], False),
    "rows, diffusion": (["_apart"], False),
    "rows, discriminant, diffusion": ([], False),
    "rows, discriminant, diffusion, latent rows": ([], True),
}


def nothing(*args):
    """No view at all."""
    return []


def measure(X, y, seed):
    """Yield a row of scores for each set of views, for rows in any order."""
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order], y[order]
    latent = Autoencoder(random_state=seed).fit_transform(X)
    graph = GraphClustering(len(np.unique(y)), random_state=seed)
    for name, (left_out, learned) in VIEWS.items():
        with mock.patch.multiple(Search, **MADE | dict.fromkeys(left_out, nothing)):
            labels = graph._labels_of([X, latent] if learned else [X])
        row = {"method": "graph", "parameters": name, "seed": seed}
        row["accuracy"] = clustering_accuracy(y, labels)
        row["nmi"] = normalized_mutual_info_score(y, labels)
        yield row | {"clusters": len(np.unique(labels))}


def main():
    loaders = all_loaders()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=loaders, default=DATA)
    parser.add_argument("--rows", type=int, default=2500, help="a sample of so many")
    parser.add_argument("--seeds", type=int, default=2)
    add_out(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for data in options.data:
        X, y, _ = chosen(*loaders[data](), options.rows, False)
        for seed in range(options.seeds):
            rows += [{"data": data} | row for row in measure(X, y, seed)]
    append(options.out, rows)
    scores = pd.DataFrame(rows)
    for score in ("accuracy", "nmi"):
        part = scores.pivot_table(score, "data", "parameters", sort=False)[list(VIEWS)]
        part.loc["mean"] = part.mean()
        print(f"\n{score}, mean of {options.seeds} seeds\n")
        print(part.round(3).to_markdown())


if __name__ == "__main__":
    main()
