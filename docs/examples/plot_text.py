"""
Topics of texts
===============

From raw texts to topics with names: find them, look at them, join and part them by
hand, count them over time, tell the topic of a new text or that it has none, and save.
The texts are the documentation of 1,200 functions and classes of SciPy, which every
installation of scikit-learn brings. The part of SciPy that a text is from, such as
``fft`` or ``stats``, is known. It is used on this page only to see whether topics mean
something.
"""

import importlib
import inspect
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster.io import save
from skdeepcluster.plotting import TopTermsDisplay, top_terms
from skdeepcluster.topics import TopicClustering

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
# ``TopicClustering`` takes the texts as they are. It makes a sparse row of word weights
# of each, which needs no language model, and looks for clusters of the rows. Here the
# vectorizer is one of our own, for words in more than three in ten texts say nothing of
# the subject, and those in one or two say nothing of others.

vectorizer = TfidfVectorizer(
    max_df=0.3,
    min_df=3,
    sublinear_tf=True,
    stop_words="english",
    token_pattern="[a-z]{3,}",
)
model = TopicClustering(16, vectorizer=vectorizer, random_state=0).fit(texts)
model.topics_[["name", "size"]]

# %%
# A name is made of the terms that have most weight in the topic beyond the mean of all
# topics, and no term is in two names. The table has more terms, and the most typical
# texts themselves.

for topic, row in model.topics_.head(4).iterrows():
    print(f"{topic}: {row['name']}")
    for text in row["typical_texts"][:2]:
        print(f"    {text.splitlines()[0]}")

# %%

TopTermsDisplay.from_estimator(model, texts, n=5)
plt.show()

# %%
# Rows are topics, columns parts of SciPy. ``special`` and ``stats``, the largest parts,
# fill several topics each. A few texts are unlike all others and have no topic, the
# label -1: a share ``no_topic`` of them, the last row.

kinds, code = np.unique(subjects, return_inverse=True)
counts = np.zeros((17, len(kinds)), dtype=int)
np.add.at(counts, (model.labels_, code), 1)
order = counts[:-1].argmax(axis=1).argsort(kind="stable")
counts = counts[[*order, -1]]
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
ax.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", aspect="auto")
ax.set_xticks(range(len(kinds)), kinds, rotation=60, ha="right")
ax.set_yticks(range(17), [*(model.topic_names_[topic] for topic in order), "no topic"])
ax.set_title("Where the texts of each topic are from")
plt.show()

# %%
# How far to trust it
# -------------------
#
# The topics agree with the parts of SciPy, which the model never saw, about as those of
# k-means do: with word weights, clusters of the graph are taken only where they explain
# clearly more. Without ``n_clusters``, fewer topics are found: one word occurs in
# many subjects, and no empty space is between most of them.

score = normalized_mutual_info_score(subjects, model.labels_)
found = TopicClustering(vectorizer=vectorizer, random_state=0).fit(texts)
print(f"NMI: {score:.2f}, number found: {found.n_clusters_}")

# %%
# Joined and parted by hand
# -------------------------
#
# What a person knows better is said in a line: two topics are one, or one is two.
# Labels, names, predictions and saved files follow.

about = dict(zip(names, model.labels_.tolist(), strict=True))
signals = [about["signal.firwin"], about["signal.lti"]]
print("two:", [model.topic_names_[topic] for topic in signals])
model.merge_topics(signals)
print("one:", model.topic_names_[min(signals)])
largest = int(np.bincount(model.labels_[model.labels_ >= 0]).argmax())
print("one:", model.topic_names_[largest])
model.split_topic(largest, n_topics=3)
parts = [largest, model.n_clusters_ - 2, model.n_clusters_ - 1]
print("three:", [model.topic_names_[part] for part in parts])

# %%
# Over time
# ---------
#
# These texts have no date. Where yours have one, count the texts of each topic in each
# month, or their share::
#
#     shares = model.topics_over_time(table["date"], freq="M", normalize=True)
#     shares.set_axis(model.topic_names_).T.plot.area()
#
# A text that is new
# ------------------
#
# The training texts nearest to a text tell its topic. A text farther from them than all
# but a few of them are from each other has none: here it is told by words that no
# documentation of SciPy holds.

new = [
    "Design a low-pass filter that damps frequencies above a threshold.",
    "Multiply two sparse matrices that are stored by rows.",
    "A soup of carrots and onions.",
]
shares = model.predict_proba(new).max(axis=1)
for text, topic, share in zip(new, model.predict(new), shares, strict=True):
    print(text)
    name = "no topic" if topic < 0 else model.topic_names_[topic]
    print(f"    {share:.0%}: {name}")

# %%
# Saved and loaded
# ----------------
#
# The file holds the vectorizer, the texts and their topics. It runs no code when it is
# loaded, by any other process: here a new one, for one text.

program = (
    "import sys; from skdeepcluster.io import load; "
    "print(load(sys.argv[1]).predict([sys.argv[2]]))"
)
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "topics.skops")
    save(model, file)
    command = [sys.executable, "-c", program, file, new[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
print("here:", model.predict(new[:1]), "there:", done.stdout)

# %%
# Other vectors, other labels
# ---------------------------
#
# Sentence embeddings tell more of short texts than word weights do, and hold no words.
# Any model makes them, once or within; the file then holds no language model::
#
#     TopicClustering(8, embedder=SentenceTransformer("all-MiniLM-L6-v2")).fit(texts)
#     TopicClustering(8).fit(texts, embeddings=rows)
#
# Clusters of any origin are described by
# :func:`~skdeepcluster.explain.describe_topics`, with labels in place of the model, and
# named with a vectorizer of your own: here one of pairs of words.

pairs = TfidfVectorizer(ngram_range=(2, 2), min_df=3, stop_words="english")
named = top_terms(None, n=3, X=texts, labels=model.labels_, vectorizer=pairs)
for topic, terms in named.items():
    print(f"{topic}: {', '.join(terms)}")
