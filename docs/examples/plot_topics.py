"""
Topics of texts
===============

A pipeline from raw texts to clusters that are named by their terms. The texts are the
docstrings of scikit-learn itself, of a class or function each.
"""

import inspect

import matplotlib.pyplot as plt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.utils.discovery import all_estimators, all_functions

from skdeepcluster import Autoencoder, AutoencoderGMM
from skdeepcluster.explain import describe_topics
from skdeepcluster.plotting import TopTermsDisplay, top_terms

documented = [*all_estimators(), *all_functions()]
texts = [text for _, thing in documented if (text := inspect.getdoc(thing))]
print(f"{len(texts)} texts")

# %%
# The matrix of word weights stays sparse; one batch at a time is made dense. The
# mixture lets topics differ in size, which texts need more often than not, and so does
# its start from k-means more than that from a graph.

pipeline = make_pipeline(
    TfidfVectorizer(
        max_features=2000,
        max_df=0.3,
        min_df=3,
        sublinear_tf=True,
        stop_words="english",
        token_pattern="[a-z]{3,}",
    ),
    AutoencoderGMM(
        8,
        init="k-means",
        autoencoder=Autoencoder((200,), max_epochs=30, random_state=0),
        random_state=0,
    ),
)
labels = pipeline.fit_predict(texts)

# %%
# The terms that set each cluster apart from the others, by their weights in the texts.
# Without ``X``, they are those of the clusters' centres, taken back through the
# decoder, and no better than what it reconstructs.

names = top_terms(pipeline, n=6, X=texts)
for cluster, terms in names.items():
    print(f"{cluster}: {(labels == cluster).sum():3d} texts, {', '.join(terms)}")

# %%

TopTermsDisplay.from_estimator(pipeline, texts)
plt.show()

# %%
# Sizes, terms and the most typical texts in one table.

table = describe_topics(pipeline, texts, n_terms=4, n_texts=1)
for cluster, row in table.iterrows():
    first = texts[row["typical_texts"][0]].splitlines()[0]
    print(f"{cluster}: {row['size']:3d}, {', '.join(row['terms'])}: {first}")

# %%
# Sentence embeddings tell more of short texts than word weights do, and hold no words.
# The same functions name their clusters by the texts::
#
#     model = SentenceTransformer("all-MiniLM-L6-v2")
#     pipeline = make_pipeline(FunctionTransformer(model.encode), GraphClustering(8))
#     labels = pipeline.fit_predict(texts)
#     describe_topics(pipeline, texts)
#
# So they do for clusters of any origin, with labels in place of the pipeline, and with
# a vectorizer of one's own: here one of pairs of words.

pairs = TfidfVectorizer(ngram_range=(2, 2), min_df=3, stop_words="english")
for cluster, terms in top_terms(
    None, n=4, X=texts, labels=labels, vectorizer=pairs
).items():
    print(f"{cluster}: {', '.join(terms)}")

# %%
# The pipeline tells the topic of a text that it has not seen.

new = "Distances to the nearest neighbors of each row under a Minkowski metric."
print(names[pipeline.predict([new])[0]])
