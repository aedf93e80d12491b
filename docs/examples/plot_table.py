"""
Groups in a table
=================

A table as most are: numbers in several units, words, missing values. Each kind of
column is made numbers of in its own way, and the columns that set the groups apart tell
what these are. The table is made up, so that they are known.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdeepcluster import Autoencoder, DECClustering, DeepOutlierDetector
from skdeepcluster.explain import describe_clusters, describe_outliers
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.plotting import ClusterFeaturesDisplay

# %%
# Customers of three kinds, the third of which is rare.

rng = np.random.default_rng(0)
kind = rng.choice(3, size=900, p=[0.5, 0.4, 0.1])


def numbers(means, spread):
    """A column of numbers whose mean depends on the kind."""
    return rng.normal(np.array(means)[kind], spread)


def words(choices, shares):
    """A column of words whose shares depend on the kind."""
    return [str(rng.choice(choices, p=shares[k])) for k in kind]


mostly = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]]
table = pd.DataFrame(
    {
        "income": numbers([42_000, 31_000, 88_000], 9_000),
        "age": numbers([51, 27, 45], 8),
        "orders": rng.poisson(np.array([3, 12, 5])[kind]),
        "minutes": numbers([6, 15, 4], 3),
        "device": words(["desktop", "phone", "tablet"], mostly),
        "channel": words(["search", "social", "letter"], mostly),
        "returns": rng.poisson(1, size=900),
    }
)
for name in ("income", "age", "channel"):
    table.loc[rng.random(900) < 0.05, name] = np.nan
print(table.head())

# %%
# A ``ColumnTransformer`` fills what is missing, scales numbers, and makes a column of
# zeros and ones of each word. (``skrub.tabular_pipeline`` and ``skrub.TableVectorizer``
# do the like for dates and dirty words, too.) Without the scaling, the income would
# decide the groups alone: ``fit`` warns where a single column can.

prepare = make_column_transformer(
    (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (
        make_pipeline(
            SimpleImputer(strategy="most_frequent"),
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        ),
        make_column_selector(dtype_exclude="number"),
    ),
    verbose_feature_names_out=False,
)
network = Autoencoder((64, 32), 5, max_epochs=50, random_state=0)
clusterer = make_pipeline(
    prepare, DECClustering(3, autoencoder=network, random_state=0)
).fit(table)
labels = clusterer.predict(table)
print(f"accuracy {clustering_accuracy(kind, labels):.3f}")

# %%
# Why: what each group has more or less of than the other rows, and its typical rows.

description = describe_clusters(clusterer, table, n_features=4)
for cluster, row in description.iterrows():
    print(f"{cluster}: {row['size']} rows, {row['features']}")
print(table.iloc[[rows[0] for rows in description["typical_rows"]]])

# %%

ClusterFeaturesDisplay.from_estimator(clusterer, table, n_features=6)
plt.show()

# %%
# Numbers and words of each group, in their own units.

print(table.groupby(labels).median(numeric_only=True))
print(pd.crosstab(labels, table["device"]))

# %%
# Odd rows, and why: two are planted, an age of 140 and 90 orders.

odd = table.copy()
odd.loc[100, "age"] = 140
odd.loc[200, "orders"] = 90
detector = make_pipeline(prepare, DeepOutlierDetector(network, random_state=0)).fit(odd)
print(describe_outliers(detector, odd, n_outliers=4, n_features=2).to_string())
