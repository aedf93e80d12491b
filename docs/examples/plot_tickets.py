"""
A month of tickets
==================

Clusters that people work with have names, and their numbers are in reports. So they
should stay when more rows come, and change only where somebody says so. Here a help
desk sorts four weeks of tickets. The texts are stand-ins: documentation of functions
of NumPy, SciPy, pandas, scikit-learn, Matplotlib and NetworkX, all of which are
installed with this package and its extras. Each is a ticket to the team that keeps the
function. No ticket is about NetworkX before the third week. The teams are known, and
used on this page only to see whether the clusters mean something.
"""

import inspect
import pkgutil
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdeepcluster.explain import confidence, describe_topics, explain_rows
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import align
from skdeepcluster.plotting import ClusterTreeDisplay, EmbeddingDisplay

# %%
# Four weeks of texts
# -------------------

owners = (
    "matplotlib.axes.Axes matplotlib.pyplot networkx numpy pandas pandas.DataFrame "
    "pandas.Series scipy.signal scipy.special scipy.stats sklearn.cluster "
    "sklearn.ensemble sklearn.linear_model sklearn.metrics sklearn.preprocessing"
)
found = {}
for path in owners.split():
    owner, parts = pkgutil.resolve_name(path), path.split(".")
    team = ".".join(parts[:2]) if parts[0] == "scipy" else parts[0]
    for name in dir(owner):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that are deprecated
            text = inspect.getdoc(getattr(owner, name))
        if not name.startswith("_") and text and len(text) > 200:
            found.setdefault(text, (team, name, text))
tickets = pd.DataFrame([*found.values()], columns=["team", "about", "text"])
tickets = tickets.sample(frac=1, random_state=0, ignore_index=True)
week = np.random.default_rng(0).integers(1, 5, len(tickets))
late = (tickets["team"] == "networkx") & (week < 3)
tickets["week"] = np.where(late, week + 2, week)
tickets = tickets.sort_values("week", kind="stable", ignore_index=True)
pd.crosstab(tickets["team"], tickets["week"])

# %%
# The first week
# --------------
#
# Rows are word weights in fifty dimensions, brought to length one. The number of
# clusters is found. Terms tell what they are about.

first = tickets[tickets["week"] == 1]
vectorizer = TfidfVectorizer(
    max_df=0.3,
    min_df=3,
    sublinear_tf=True,
    stop_words="english",
    token_pattern="[a-z]{3,}",
)
encoder = make_pipeline(vectorizer, TruncatedSVD(50, random_state=0), Normalizer())
encoder.fit(first["text"])
graph = GraphClustering(random_state=0).fit(encoder.transform(first["text"]))
pipeline = make_pipeline(encoder, graph)


def by_team(week):
    """Count the tickets of a week in each cluster, by their team."""
    own = tickets[tickets["week"] == week]
    labels = graph.labels_[own.index]
    return pd.crosstab(pd.Series(labels, name="cluster"), own["team"].to_numpy())


def terms():
    """Return best terms and sizes of the clusters so far."""
    known = tickets["text"][: len(graph.labels_)]
    table = describe_topics(None, known, labels=graph.labels_, vectorizer=vectorizer)
    return table[["name", "size"]]


print(f"agreement {graph.agreement_:.2f}, numbers that hold: {graph.layers_}")
terms()

# %%

by_team(1)

# %%
# Split and named by hand
# -----------------------
#
# The number is that of the coarsest parts that are apart, and a team finds several of
# its subjects in one. Who knows better splits a cluster along the tree, and gives
# names, which are in tables and pictures from now on, behind the numbers. An example of
# each subject tells which number it has.


def cluster_of(about):
    """Cluster of the ticket about a function."""
    return pipeline.predict(tickets["text"][tickets["about"] == about])[0]


graph.split_cluster(cluster_of("merge"), n_clusters=3)
graph.split_cluster(cluster_of("firwin"), n_clusters=3)
examples = {
    "tables": "merge",
    "arrays": "reshape",
    "functions": "kv",
    "plots": "scatter",
    "models": "KMeans",
    "signals": "firwin",
    "distributions": "gompertz",
    "tests": "ttest_ind",
}
for name, about in examples.items():
    graph.rename_cluster(cluster_of(about), name)
print(*graph.edits_, sep="\n")
by_team(1)

# %%

ClusterTreeDisplay.from_estimator(graph)
plt.show()

# %%
# New weeks, and a new subject
# ----------------------------
#
# ``update`` takes new tickets in: they join a cluster by the votes of their neighbours,
# and no number and no name changes. The second week has nothing new.


def take_in(week):
    """Update the clusters with the tickets of a week."""
    new = tickets["text"][tickets["week"] == week]
    table = graph.update(encoder.transform(new))
    return table.assign(name=graph.cluster_names_)


take_in(2)

# %%
# The third has: where its tickets are, those known are missing. They come as several
# clusters, and ``one_with`` says that a search among the new tickets has these as one.

table = take_in(3)
table[["joined", "new", "drift", "one_with", "name"]]

# %%

terms()

# %%
# Their terms say so too: they are merged, and get a name.

new = table.index[table["new"]]
if len(new) > 1:
    graph.merge_clusters(new)
graph.rename_cluster(new[0], "graphs")
take_in(4)

# %%
# A month in a picture
# --------------------

names = [
    graph.cluster_names_.get(each, each) for each in range(graph.labels_.max() + 1)
]
kind = pd.Series(names).reindex(graph.labels_).fillna("noise").to_numpy()
counts = pd.crosstab(tickets["week"], kind)
counts.plot.area(ylabel="tickets", xticks=counts.index).legend(loc="upper left")
plt.show()

# %%

encoded = encoder.transform(tickets["text"])
EmbeddingDisplay.from_estimator(graph, encoded, method="tsne", sample_size=600)
plt.show()

# %%
# A doubtful ticket
# -----------------
#
# ``confidence`` sorts the tickets, and ``explain_rows`` tells between which two
# clusters one is, and what decides. The columns here are components of word weights,
# which get names from their largest words: that is rough, for a component has two ends.

words, components = vectorizer.get_feature_names_out(), encoder[1].components_
columns = [" ".join(words[np.argsort(-np.abs(row))[:3]]) for row in components]
sure = confidence(graph, encoded)
doubtful = sure.argsort()[:3]
told = explain_rows(graph, encoded, columns, rows=doubtful, n_features=2)
for row, it in told.iterrows():
    own, other = (names[it[column]] for column in ("cluster", "runner_up"))
    ticket = tickets.loc[row]
    print(f"{ticket['about']} ({ticket['team']}): {own}, or {other}? {sure[row]:.2f}")
    print("   ", *it["reasons"], sep="\n    ")

# %%
# A new fit
# ---------
#
# Once a month, all is fitted again: words that came late count then, and nothing is
# where it is only because it came early. The new fit has numbers of its own. ``align``
# gives its clusters those of the old ones that they share most tickets with, and tells
# what became of each.

encoder_again = clone(encoder).fit(tickets["text"])
again = GraphClustering(random_state=0)
again.fit(encoder_again.transform(tickets["text"]))
labels, fates = align(graph.labels_, again.labels_)
fates.assign(name=graph.cluster_names_)

# %%
# Names are carried over by these numbers.

for own, old in {*zip(again.labels_.tolist(), labels.tolist(), strict=True)}:
    if old in graph.cluster_names_:
        again.rename_cluster(own, graph.cluster_names_[old])
print(again.cluster_names_)
print(f"edited: {adjusted_rand_score(tickets['team'], graph.labels_):.2f}")
print(f"again:  {adjusted_rand_score(tickets['team'], again.labels_):.2f}")

# %%
# What didn't work
# ----------------
#
# - In the new fit, the number found is coarser again for signals and tests, which are
#   one, and it has three small parts that nobody asked for. What was split by hand is
#   not remembered by a new fit. It agrees with the teams hardly less, as printed above.
# - A new subject of few tickets is not seen: here twenty, which all join known
#   clusters, and stay there.
# - Words that the first week lacks have no column. Tickets of a new subject are then
#   short rows near the origin, where all clusters meet, and nothing is new. It took
#   rows of length one to see it.
# - Of the doubtful tickets, some are of another subject than that of their cluster, and
#   the components tell little of why. Reasons in single words need a pipeline without
#   the ``Normalizer``, which has the trouble above.

once = GraphClustering(random_state=0).fit(encoder.transform(first["text"]))
few = tickets["text"][tickets["team"] == "networkx"][:20]
print("20 at a time:", once.update(encoder.transform(few))["new"].sum(), "new")
bare = make_pipeline(*(step for _, step in encoder.steps[:2]))
once = GraphClustering(random_state=0).fit(bare.transform(first["text"]))
third = tickets["text"][tickets["week"] == 3]
print("without length one:", once.update(bare.transform(third))["new"].sum(), "new")
