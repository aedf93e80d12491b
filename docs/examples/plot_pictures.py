"""
Pictures of a clustering
========================

Each display is made from a fitted estimator, or from labels of any origin, and draws
on given axes like those of scikit-learn.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from skdeepcluster import Autoencoder, IDECClustering
from skdeepcluster.plotting import (
    ClusterImagesDisplay,
    ClusterSizesDisplay,
    ConfidenceDisplay,
    EmbeddingDisplay,
    MatchedConfusionDisplay,
    SilhouetteDisplay,
    TrainingHistoryDisplay,
)

X, y = load_digits(return_X_y=True)
autoencoder = Autoencoder((200, 100), max_epochs=20, random_state=0)
idec = IDECClustering(
    10, encoder=autoencoder, max_epochs=10, update_interval=8, random_state=0
).fit(X)

# %%
# How the training went.

TrainingHistoryDisplay.from_estimator(idec)
plt.show()

# %%
# The latent space, by its principal components and by t-SNE.

fig, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for ax, method in zip(axes, ["pca", "tsne"], strict=True):
    EmbeddingDisplay.from_estimator(idec, X, method=method, ax=ax)
plt.show()

# %%
# How well the clusters are apart, how large they are and how sure of their rows.

fig, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
SilhouetteDisplay.from_estimator(idec, X, ax=axes[0])
ClusterSizesDisplay.from_estimator(idec, X, ax=axes[1])
ConfidenceDisplay.from_estimator(idec, X, ax=axes[2])
plt.show()

# %%
# What is in them: images, and below each what the decoder makes of it.

ClusterImagesDisplay.from_estimator(idec, X, n_images=12)
plt.show()

# %%
# Where there are classes: clusters in the columns of the classes that match best.

MatchedConfusionDisplay.from_estimator(idec, X, y)
plt.show()
