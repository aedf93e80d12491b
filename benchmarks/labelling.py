"""Accuracy on all rows over labels bought: representatives against random rows.

    python benchmarks/labelling.py --precision bf16

buys labels of a sample of MNIST in two ways: clusters are found without labels, their
`representatives` are labelled and the answers spread by `propagate`; or a logistic
regression is trained on rows drawn at random. Between the two stand regressions on the
latent rows and on the representatives. All rows count in the accuracy, the labelled
ones too, with every method.
"""

import argparse
import sys
import time

import numpy as np
from _data import LOADERS
from sklearn.linear_model import LogisticRegression

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering
from skdeepcluster.labelling import propagate, representatives

N_CLUSTERS = 10
BUDGETS = (10, 20, 50, 100, 200, 500)


def regression(X, rows, y):
    """Labels of all rows by a logistic regression on those whose labels are known."""
    # Unscaled pixels: standardised, they gave the rival less.
    return LogisticRegression(max_iter=5000).fit(X[rows], y[rows]).predict(X)


def clusterers(X, autoencoder, seed):
    """Fitted clusterers on one autoencoder: a simple one, and one trained jointly."""
    settings = {"autoencoder": autoencoder, "random_state": seed}
    return {
        "GMM": AutoencoderGMM(N_CLUSTERS, **settings).fit(X),
        "DEC": DECClustering(N_CLUSTERS, init="graph", **settings).fit(X),
    }


def purchases(X, y, models, seed):
    """Yield method, budget and the accuracy that it buys."""
    spaces = {name: model.transform(X) for name, model in models.items()}
    spaces = {"pixels": X} | {f"latent {name}": Z for name, Z in spaces.items()}
    # The random rows of a smaller purchase are part of the larger one.
    order = np.random.default_rng(seed).permutation(len(X))

    def score(labels):
        return np.mean(labels == y)

    for budget in BUDGETS:
        rows = order[:budget]
        for space, Z in spaces.items():
            name = f"regression, {space}, random rows"
            yield name, budget, score(regression(Z, rows, y))
        for name, model in models.items():
            rows = representatives(model, X, budget // N_CLUSTERS)
            labels = propagate(model, X, rows, y[rows])
            yield f"representatives of {name}, propagate", budget, score(labels)
            for space in ("pixels", f"latent {name}"):
                labels = regression(spaces[space], rows, y)
                method = f"regression, {space}, representatives of {name}"
                yield method, budget, score(labels)


def table(results):
    """Mean, standard deviation and worst seed of each method at each budget."""
    lines = ["| method | " + " | ".join(map(str, BUDGETS)) + " |"]
    lines.append("|---" * (len(BUDGETS) + 1) + "|")
    for method in dict.fromkeys(method for method, _ in results):
        cells = []
        for budget in BUDGETS:
            values = np.array(results[method, budget])
            mean, std, worst = values.mean(), values.std(), values.min()
            cells.append(f"{mean:.3f} ± {std:.3f} ({worst:.3f})")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=["mnist", "fashion"], default="mnist")
    parser.add_argument("--rows", type=int, default=10_000, help="drawn anew by seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=50, help="of the pretraining")
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    options = parser.parse_args()

    whole, classes = LOADERS[options.data]()
    results = {}
    for seed in range(options.seeds):
        start = time.perf_counter()
        sample = np.random.default_rng(seed).permutation(len(whole))[: options.rows]
        X, y = whole[sample], classes[sample]
        autoencoder = Autoencoder(
            max_epochs=options.epochs, precision=options.precision, random_state=seed
        ).fit(X)
        models = clusterers(X, autoencoder, seed)
        for method, budget, accuracy in purchases(X, y, models, seed):
            results.setdefault((method, budget), []).append(accuracy)
        seconds = time.perf_counter() - start
        print(f"seed {seed}: {seconds:.0f} s", file=sys.stderr)
        print(table(results), file=sys.stderr)
    print(f"\n{options.data}: {X.shape[0]} x {X.shape[1]}, {options.seeds} seeds\n")
    print(table(results))


if __name__ == "__main__":
    main()
