"""
Topics of texts
===============

From raw texts to topics with names: read, cluster, name, look at the tree of topics,
ask how far to trust it, tell the topic of a new text, and save. The texts are the
documentation of 1,200 functions and classes of SciPy, which every installation of
scikit-learn brings. The part of SciPy that a text is from, such as ``fft`` or
``stats``, is known. It is used on this page only to see whether topics mean something.
"""

import importlib
import inspect
import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline

from skdeepcluster.explain import describe_topics
from skdeepcluster.graph import GraphClustering
from skdeepcluster.plotting import ClusterTreeDisplay, TopTermsDisplay, top_terms

# %%
# Texts
# -----
#
# Texts are a list of strings. Equal ones, which are other names of the same function,
# are taken once.

parts = (
    "cluster fft integrate interpolate io linalg ndimage optimize signal sparse "
    "spatial special stats"
)
found = {}
for part in parts.split():
    module = importlib.import_module(f"scipy.{part}")
    for name in module.__all__:
        thing = getattr(module, name)
        text = inspect.getdoc(thing)
        if callable(thing) and text and len(text) > 200:
            found.setdefault(text, f"{part}.{name}")
texts, names = list(found), list(found.values())
subjects = np.array([name.split(".")[0] for name in names])
print(f"{len(texts)} texts, such as {names[0]}:")
print(texts[0][:200])

# %%
# Topics
# ------
#
# ``TfidfVectorizer`` makes a sparse row of word weights of each text: words in more
# than three in ten texts say nothing of the subject, and words in one or two texts say
# nothing of others. ``GraphClustering`` ties each text to the 15 that are nearest to it
# and looks for groups with many ties. It needs no network and takes about a second.
#
# Texts are compared by the cosine of their rows, so that a long text is near a short
# one of the same words: the vectorizer makes all rows of length one, and of such rows
# the nearest are those with the largest cosine. Put a ``Normalizer`` between other
# vectors, such as those of ``TruncatedSVD``, and the clusterer.

vectorizer = TfidfVectorizer(
    max_features=2000,
    max_df=0.3,
    min_df=3,
    sublinear_tf=True,
    stop_words="english",
    token_pattern="[a-z]{3,}",
)
pipeline = make_pipeline(vectorizer, GraphClustering(16, random_state=0))
topics = pipeline.fit_predict(texts)

# %%
# One table has the size of each topic, the terms that set it apart from the others, and
# its most typical texts.

table = describe_topics(pipeline, texts, n_terms=4, n_texts=2)
for topic, row in table.iterrows():
    typical = ", ".join(names[text] for text in row["typical_texts"])
    print(f"{topic:2d}: {row['size']:3d} texts, {', '.join(row['terms'])}")
    print(f"    as {typical}")

# %%

TopTermsDisplay.from_estimator(pipeline, texts, n=5)
plt.show()

# %%
# The tree of topics
# ------------------
#
# One fit holds every number of topics. The tree shows which are close, and ``cut``
# joins them in milliseconds: here to ten wider topics. Two topics of signals are among
# the first to join. Topics are numbered by size, and the wider ones by the first that
# is in them.

ClusterTreeDisplay.from_estimator(pipeline)
plt.show()

# %%

graph = pipeline[-1]
wide = graph.cut(10)
for each, terms in top_terms(None, n=4, X=texts, labels=wide).items():
    inside = np.unique(topics[wide == each]).tolist()
    print(f"{each}: topics {inside}: {', '.join(terms)}")

# %%
# How far to trust it
# -------------------
#
# The starts of the search agree on these topics: 1 would be the same topics in each,
# and .5 is little. The topics also agree with the parts of SciPy, which the pipeline
# never saw, but no better than those of k-means do. With word weights, the graph
# brings a tree of topics and a measure of its own doubts, and no more accuracy. Without
# ``n_clusters`` it counts fewer topics: one word occurs in many subjects, and no empty
# space is between most of them.

X = pipeline[:-1].transform(texts)
kmeans = KMeans(16, n_init=5, random_state=0).fit(X)
print(f"agreement of the starts: {graph.agreement_:.2f}")
for name, labels in {"graph": topics, "k-means": kmeans.labels_}.items():
    print(f"{name}, NMI: {normalized_mutual_info_score(subjects, labels):.2f}")
print(f"number found: {GraphClustering(random_state=0).fit(X).n_clusters_}")

# %%
# Rows are topics, columns parts of SciPy. ``special`` and ``stats``, the largest parts,
# fill several topics each, and ``fft`` shares one with some of ``special``. Topic 0,
# the largest, is a row of what fits nowhere else, with texts of most parts.

kinds, code = np.unique(subjects, return_inverse=True)
counts = np.zeros((16, len(kinds)), dtype=int)
np.add.at(counts, (topics, code), 1)
counts = counts[counts.argmax(axis=1).argsort(kind="stable")]
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ax.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", aspect="auto")
ax.set_xticks(range(len(kinds)), kinds, rotation=60, ha="right")
ax.set(
    ylabel="topics, sorted", yticks=[], title="Where the texts of each topic are from"
)
plt.show()

# %%
# A text that is new
# ------------------
#
# The pipeline tells its topic, by the votes of the texts nearest to it, of one text as
# of many. Each text gets a topic, also one about something else; the shares of the
# votes tell how sure that is.

new = [
    "Design a low-pass filter that damps frequencies above a threshold.",
    "Multiply two sparse matrices that are stored by rows.",
    "A soup of carrots and onions.",
]
shares = pipeline.predict_proba(new).max(axis=1)
for text, topic, share in zip(new, pipeline.predict(new), shares, strict=True):
    print(text)
    print(f"    {share:.0%} for topic {topic}: {', '.join(table['terms'][topic])}")

# %%
# Saved and loaded
# ----------------
#
# Vectorizer and graph are one object in one file, which any other process can load:
# here a new one, for one text. Load a joblib file only from a source that you trust;
# :func:`skdeepcluster.io.save` and :func:`skdeepcluster.io.load` are for the others.

program = "import joblib, sys; print(joblib.load(sys.argv[1]).predict([sys.argv[2]]))"
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "topics.joblib")
    joblib.dump(pipeline, file)
    command = [sys.executable, "-c", program, file, new[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
print("here:", pipeline.predict(new[:1]), "there:", done.stdout)

# %%
# Other vectors, other labels
# ---------------------------
#
# Sentence embeddings tell more of short texts than word weights do, and hold no words.
# The same functions name their clusters by the texts::
#
#     from embeddings import encode  # of a file of yours: see Text in the user guide
#
#     pipeline = make_pipeline(FunctionTransformer(encode), GraphClustering(8))
#     labels = pipeline.fit_predict(texts)
#     describe_topics(pipeline, texts)
#
# So they do for clusters of any origin, with labels in place of the pipeline, and with
# a vectorizer of your own: here one of pairs of words.

pairs = TfidfVectorizer(ngram_range=(2, 2), min_df=3, stop_words="english")
for topic, terms in top_terms(
    None, n=3, X=texts, labels=kmeans.labels_, vectorizer=pairs
).items():
    print(f"{topic}: {', '.join(terms)}")
