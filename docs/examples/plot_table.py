"""
Groups in a table
=================

From a file to groups with names: `TableEncoder` makes numbers of a table as it is, with
words, dates, gaps and several units, and the groups are told in the table's own
columns. The table is of 344 penguins that were measured in Antarctica (Gorman, Williams
and Fraser, 2014; the package ``palmerpenguins`` carries it). Their species is known. It
is used on this page only to see whether the groups mean something.

The same in a shell, with a page to look at: ``python -m skdeepcluster penguins.csv``.
"""

import matplotlib.pyplot as plt
import pandas as pd
from palmerpenguins import load_penguins_raw
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline

from skdeepcluster import DeepOutlierDetector
from skdeepcluster.explain import describe_clusters, describe_outliers
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.model_selection import compare_clusterers
from skdeepcluster.plotting import ClusterFeaturesDisplay
from skdeepcluster.tables import TableEncoder

# %%
# The file
# --------
#
# Look at the columns first: what they hold, and how much of it is missing.

raw = load_penguins_raw()
print(
    pd.DataFrame(
        {
            "type": raw.dtypes.astype(str),
            "values": raw.nunique(),
            "missing": raw.isna().sum(),
            "first": raw.iloc[0],
        }
    ).to_string(max_colwidth=24)
)

# %%
# Columns
# -------
#
# `TableEncoder` looks at each column: numbers are scaled by their quartiles and far
# ones drawn in, a word is a one in a column of its own, and a date is a time and a day
# of the week. Columns that number or name the rows, or have one value, are left out.
# All others have the same weight, whatever their units and however many values they
# have.

encoder = TableEncoder(random_state=0).fit(raw.drop(columns="Species"))
print(pd.Series(encoder.columns_).to_string())
print(pd.Series(encoder.left_out_).to_string())

# %%
# Groups
# ------
#
# Which columns are given decides which groups are found. With all of them, the groups
# are those of a study and a year as much as kinds of birds.

everything = make_pipeline(encoder, GraphClustering(random_state=0))
everything.fit(raw.drop(columns="Species"))
for group, row in describe_clusters(everything, raw).head(3).iterrows():
    print(f"{group}: {row['size']} birds, {row['name']}")

# %%
# These shall be kinds of birds. So the columns that tell where, when and in which study
# a bird was caught are left out; bills, flippers, masses, isotopes in the blood and the
# sex stay.

measures = [column for column in raw if "(" in column]
birds = raw[[*measures, "Sex"]]
pipeline = make_pipeline(TableEncoder(random_state=0), GraphClustering(random_state=0))
groups = pipeline.fit_predict(birds)
graph = pipeline[-1]
print(f"{graph.n_clusters_} groups, agreement of the starts {graph.agreement_:.2f}")
print("numbers of clusters to look at:", graph.layers_)

# %%
# Why
# ---
#
# Each group is told in the units of the table. An effect in the picture of 1 means that
# every bird of the group has more than every other bird.

table = describe_clusters(pipeline, birds, n_features=4)
for group, row in table.iterrows():
    print(f"{group}: {row['size']} birds, {row['name']}")
    print("    " + "\n    ".join(row["reasons"]))

# %%

ClusterFeaturesDisplay.from_estimator(pipeline, birds, n_features=5)
plt.show()

# %%
# So the groups are females and males of three kinds of birds. Below are the most
# typical bird of each, and the species and sexes in it.

species = raw["Species"].str.split().str[0]
print(birds.iloc[[rows[0] for rows in table["typical_rows"]]].T.to_string())
sex = birds["Sex"].fillna("unknown")
print(pd.crosstab([species, sex], groups, colnames=["group"]))

# %%
# Weights
# -------
#
# A word with two values splits every kind in two, for in its column birds are either
# alike or far apart. Give a column another weight, or none: without the word, three
# groups are the species.

for weights in ({}, {"Sex": 0}):
    weighted = TableEncoder(weights=weights, random_state=0)
    found = make_pipeline(weighted, GraphClustering(3, random_state=0))
    accuracy = clustering_accuracy(species, found.fit_predict(birds))
    print(f"{weights}: accuracy against the species {accuracy:.3f}")

# %%
# Beside k-means
# --------------
#
# Candidates that begin with the same steps are scored in what these make of the table.

comparison = compare_clusterers(
    {
        "graph": make_pipeline(TableEncoder(random_state=0), GraphClustering(3)),
        "k-means": make_pipeline(TableEncoder(random_state=0), KMeans(3)),
    },
    birds[measures],
    species,
    progress=False,
)
columns = ["n_clusters", "modularity", "silhouette", "stability", "accuracy"]
print(comparison.table[columns].round(3).to_string())
print(comparison.evidence)

# %%
# Odd birds, and why
# ------------------
#
# Two slips are hidden in the table: a mass in kilograms (bird 10), and a bill whose
# length and depth changed places (bird 200). To find what is odd, leave numbers as far
# as they are: ``max_absolute_value=None``. Beside the slips, two birds of the file are
# odd of which nothing was measured.

odd = birds[measures].copy()
odd.loc[10, "Body Mass (g)"] /= 1000
bill = ["Culmen Length (mm)", "Culmen Depth (mm)"]
odd.loc[200, bill] = odd.loc[200, bill[::-1]].to_numpy()
far = TableEncoder(max_absolute_value=None, random_state=0)
detector = make_pipeline(far, DeepOutlierDetector(random_state=0)).fit(odd)
reasons = describe_outliers(detector, odd, n_outliers=4, n_features=2)
print(reasons[["score", "feature", "value", "expected"]].round(2).to_string())
