"""
One autoencoder, several clusterers
===================================

An autoencoder is fitted once on handwritten digits and shared by two clusterers. The
network is small, so that the example runs in seconds.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skdeepcluster import Autoencoder, AutoencoderGMM, DECClustering
from skdeepcluster.metrics import clustering_accuracy

X, y = load_digits(return_X_y=True)
autoencoder = Autoencoder((128,), max_epochs=20, random_state=0).fit(X)

# %%
# Both take the fitted autoencoder as it is. The labels only score.

clusterers = [
    AutoencoderGMM(10, encoder=autoencoder, random_state=0),
    DECClustering(10, encoder=autoencoder, random_state=0),
]
for clusterer in clusterers:
    labels = clusterer.fit_predict(X)
    print(type(clusterer).__name__, f"{clustering_accuracy(y, labels):.3f}")

# %%
# DEC has changed its copy of the encoder, and drawn the rows together around the
# centroids.

fig, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for ax, clusterer in zip(axes, clusterers, strict=True):
    flat = PCA(2).fit_transform(clusterer.transform(X))
    ax.scatter(*flat.T, c=clusterer.labels_, cmap="tab10", s=6)
    ax.set_title(type(clusterer).__name__)
    ax.set_axis_off()
plt.show()
