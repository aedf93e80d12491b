"""Clusters of the graph with fewer ways to know the rows: an ablation of its views."""

import argparse
import warnings
from unittest import mock

import numpy as np
import pandas as pd
from quality import all_loaders, chosen
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster import Autoencoder
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.search import Search

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
    """Yield name, accuracy and NMI of each set of views, for rows in any order."""
    order = np.random.default_rng(seed).permutation(len(y))
    X, y = X[order], y[order]
    latent = Autoencoder(random_state=seed).fit_transform(X)
    graph = GraphClustering(len(np.unique(y)), random_state=seed)
    for name, (left_out, learned) in VIEWS.items():
        with mock.patch.multiple(Search, **MADE | dict.fromkeys(left_out, nothing)):
            labels = graph._labels_of([X, latent] if learned else [X])
        nmi = normalized_mutual_info_score(y, labels)
        yield name, clustering_accuracy(y, labels), nmi


def main():
    loaders = all_loaders()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", choices=loaders, default=DATA)
    parser.add_argument("--rows", type=int, default=2500, help="a sample of so many")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for data in options.data:
        X, y, _ = chosen(*loaders[data](), options.rows, False)
        for seed in range(options.seeds):
            rows += [(data, *row) for row in measure(X, y, seed)]
    scores = pd.DataFrame(rows, columns=["data", "views", "ACC", "NMI"])
    table = scores.pivot_table(["ACC", "NMI"], "data", "views", sort=False)
    for score in ("ACC", "NMI"):
        part = table[score][list(VIEWS)]
        part.loc["mean"] = part.mean()
        print(f"\n{score}, mean of {options.seeds} seeds\n")
        print(part.round(3).to_markdown())


if __name__ == "__main__":
    main()
