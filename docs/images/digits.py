"""Draw digits before and after, for the first page: writes digits.png beside itself."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skdeepcluster import DECClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.plotting import EmbeddingDisplay

X, y = load_digits(return_X_y=True)
kmeans = KMeans(10, n_init=10, random_state=0).fit(X)
dec = DECClustering(10, random_state=0).fit(X)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for ax, rows, labels, name in (
    (left, X, kmeans.labels_, "Pixels, clusters of k-means"),
    (right, dec.transform(X), dec.labels_, "Latent space and clusters of DEC"),
):
    display = EmbeddingDisplay.from_predictions(rows, labels, method="tsne", ax=ax)
    accuracy = clustering_accuracy(y, labels)
    print(f"{name}: {accuracy:.3f}")
    ax.set_title(f"{name}: accuracy {accuracy:.2f}")
    ax.get_legend().remove()
    ax.set(xlabel="", ylabel="")
figure.savefig(Path(__file__).with_name("digits.png"), dpi=110)
