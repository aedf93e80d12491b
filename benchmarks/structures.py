"""Trees of clusters, several clusterings of the same rows, and clusters among noise.

    python benchmarks/structures.py

`DeepECTClustering` has 20 leaves, as a graph beside it has clusters. `ENRCClustering`
is told of three groups in some directions and four in others, in rows that a bent map
mixes, and of three colours and three shapes, in images. `ACeDeCClustering` clusters
digits beside as many columns of noise.
"""

import numpy as np
from _kinds import KINDS
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import normalized_mutual_info_score as nmi

from skdeepcluster import ACeDeCClustering, DeepECTClustering, ENRCClustering
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy, dendrogram_purity, leaf_purity

SEEDS = 0, 1


def crossed(seed, n_samples=1500):
    """Rows, their group among three, and their group among four."""
    rng = np.random.default_rng(seed)
    three, four = rng.integers(3, size=n_samples), rng.integers(4, size=n_samples)
    places = [rng.normal(scale=3.0, size=(count, 4)) for count in (3, 4)]
    columns = [places[0][three], places[1][four], np.zeros((n_samples, 6))]
    Z = np.hstack(columns) + rng.normal(size=(n_samples, 14))
    X = Z @ rng.normal(size=(14, 40)) / 4
    return np.tanh(X / 3) + 0.3 * X, three, four


def pictures(seed, n_samples=900, side=16):
    """Images of things, the colour of each, and its shape."""
    rng = np.random.default_rng(seed)
    hues = np.array([[0.9, 0.2, 0.2], [0.2, 0.8, 0.3], [0.25, 0.35, 0.9]])
    colors, shapes = rng.integers(3, size=(2, n_samples))
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    images = rng.normal(0, 0.03, (n_samples, side, side, 3))
    for image, color, shape in zip(images, colors, shapes, strict=True):
        size = rng.normal(5, 0.4)
        up, right = (abs(it - rng.normal(0, 0.7)) for it in (y, x))
        disc = up**2 + right**2 < size**2
        square = np.maximum(up, right) < 0.85 * size
        cross = (np.minimum(up, right) < size / 3) & (np.maximum(up, right) < size)
        image[[disc, square, cross][shape]] += hues[color] + rng.normal(0, 0.07, 3)
    return images.reshape(n_samples, -1), colors, shapes


def trees(name, X, y):
    """Purities, and the accuracy of the trees cut at the number of classes."""
    n_classes = len(np.unique(y))
    for seed in SEEDS:
        for cls in (GraphClustering, DeepECTClustering):
            tree = cls(20, random_state=seed).fit(X)
            purity = dendrogram_purity(y, tree.leaf_labels_, tree.children_)
            accuracy = clustering_accuracy(y, tree.cut(n_classes))
            scores = leaf_purity(y, tree.labels_), accuracy, purity
            print(name, seed, cls.__name__, np.round(scores, 3))


def clusterings(name, make, counts):
    """Mutual information of each clustering and its groups, and that of k-means.

    Clusterings come in any order.
    """
    for seed in SEEDS:
        X, *groups = make(seed)
        enrc = ENRCClustering(counts, random_state=seed).fit(X).labelings_.T
        plain = [KMeans(k, n_init=5, random_state=0).fit_predict(X) for k in counts]
        for method, found in (("ENRC", enrc), ("k-means", plain)):
            scores = np.array([[nmi(one, it) for it in found] for one in groups])
            print(name, seed, method, np.round(scores, 3).tolist())


def noisy(X, y):
    """Accuracy and mutual information of digits beside columns of noise."""
    for seed in SEEDS:
        noise = np.random.default_rng(seed).normal(scale=X.std(), size=X.shape)
        rows = np.hstack([X, noise]).astype(np.float32)
        for cls in (ACeDeCClustering, GraphClustering, KMeans):
            labels = cls(10, random_state=seed).fit_predict(rows)
            scores = clustering_accuracy(y, labels), nmi(y, labels)
            print("noisy", seed, cls.__name__, np.round(scores, 3))


if __name__ == "__main__":
    digits = load_digits(return_X_y=True)
    trees("digits", *digits)
    factors = next(own["mfeat-fac"] for own in KINDS.values() if "mfeat-fac" in own)
    trees("mfeat-fac", *factors())
    clusterings("crossed", crossed, (3, 4))
    clusterings("pictures", pictures, (3, 3))
    noisy(*digits)
