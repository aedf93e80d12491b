"""The sets of rows that the graph is judged by before and after a change.

All that `_data`, `_kinds` and `_synthetic` can load here, at most 5,000 rows of each;
small generated sets of few columns (`ordinary`), with the number of clusters given; and
sets of which only that number is asked (`numbered`).
"""

import sys

import numpy as np
from _data import LOADERS
from _kinds import KINDS
from _synthetic import SYNTHETIC
from ordinary import sets as ordinary_sets
from sklearn.datasets import make_blobs

MOST_ROWS = 5_000
# Of the small sets, rows and columns.
SIZES, COLUMNS = (60, 300, 1000), (1, 2, 3, 10)


def rods(seed):
    """Three thin uniform rods, far apart."""
    rng = np.random.default_rng(seed)
    y = np.arange(600) % 3
    return np.c_[30 * y + rng.uniform(0, 10, 600), 0.1 * rng.normal(size=600)], y


def copies(seed, moved=0.0):
    """Four Gaussians in five columns, and one row 100 times, 40 deviations away."""
    rng = np.random.default_rng(seed)
    centers, y = 12 * rng.normal(size=(4, 5)), np.repeat(np.arange(4), 400)
    way = rng.normal(size=5)
    far = centers.mean(0) + 40 * way / np.linalg.norm(way)
    rows = centers[y] + rng.normal(size=(1600, 5))
    repeated = far + moved * rng.normal(size=(100, 5))
    return np.r_[rows, repeated], np.r_[y, np.full(100, 4)]


def blobs(*sizes, n_columns, distance, seed=0):
    """Gaussians at one distance from each other."""
    centers = distance / np.sqrt(2) * np.eye(len(sizes), n_columns)
    return make_blobs(list(sizes), n_columns, centers=centers, random_state=seed)


def heavy(seed):
    """Three groups with heavy tails in five columns."""
    rng = np.random.default_rng(seed)
    y = np.arange(900) % 3
    return 12 * np.eye(3, 5)[y] + rng.standard_t(3, size=(900, 5)), y


def numbered():
    """Yield names, rows and labels of 62 sets of which the number is to be found."""
    for n_columns in COLUMNS:
        rng = np.random.default_rng(n_columns)
        for i, (kind, X, y) in enumerate(ordinary_sets(200, n_columns, rng)):
            yield f"{kind} {i} 200x{n_columns}", X, y
    for name, load in SYNTHETIC.items():
        yield name, *load()
    for seed in range(3):
        yield f"rods {seed}", *rods(seed)
        yield f"copies {seed}", *copies(seed)
    yield "copies moved", *copies(0, 1e-6)
    yield "island of 50", *blobs(2000, 50, n_columns=5, distance=40)
    yield "islands of 40", *blobs(2000, 40, 40, n_columns=5, distance=40)
    yield "ten", *blobs(*[300] * 10, n_columns=10, distance=6)
    yield "touching in 50", *blobs(750, 750, n_columns=50, distance=4)
    yield "heavy tails", *heavy(0)
    exponential = np.random.default_rng(0).exponential(size=(500, 10))
    yield "exponential", exponential, np.zeros(500)


def ordinary():
    """Yield names, rows and labels of small sets with clusters."""
    for n_rows in SIZES:
        for n_columns in COLUMNS:
            rng = np.random.default_rng(7)
            for kind, X, y in ordinary_sets(n_rows, n_columns, rng):
                if len(np.unique(y)) > 1 and not kind.startswith("far"):
                    yield f"{kind} {n_rows}x{n_columns}", X, y


def frozen(kinds=None):
    """Yield kind, name, rows and labels of all sets that can be had here."""
    groups = {"big": LOADERS, **KINDS, "generated": SYNTHETIC}
    for kind, sets in groups.items():
        for name, load in sets.items() if kinds is None or kind in kinds else ():
            try:
                X, y = load()
            except (OSError, ImportError) as error:
                print(f"{name} is left out. {error}", file=sys.stderr)
                continue
            some = np.random.default_rng(0).permutation(len(y))[:MOST_ROWS]
            yield kind, name, X[some], np.unique(y, return_inverse=True)[1][some]
    for kind, made in (("ordinary", ordinary), ("numbered", numbered)):
        for name, X, y in made() if kinds is None or kind in kinds else ():
            yield kind, name, X, np.unique(y, return_inverse=True)[1]
