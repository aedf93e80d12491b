"""Synthetic families of clusters; each call draws the same rows."""

import numpy as np
from sklearn.datasets import make_blobs, make_circles, make_moons


def _lifted(X, n_features=50, noise=0.05):
    """Rows in many dimensions: a random smooth map, and noise in all of them."""
    rng = np.random.default_rng(0)
    X = (X - X.mean(0)) / X.std()
    first = rng.normal(size=(X.shape[1], 30))
    second = rng.normal(size=(30, n_features)) / np.sqrt(30)
    lifted = np.tanh(X @ first / 2) @ second
    return (lifted + noise * rng.normal(size=lifted.shape)).astype(np.float32)


def moons():
    """Two half moons, bent into 50 dimensions."""
    X, y = make_moons(3000, noise=0.06, random_state=0)
    return _lifted(X), y


def unbalanced():
    """Eight Gaussians in 20 dimensions, the largest 40 times the smallest."""
    sizes = [2000, 1500, 1000, 700, 400, 200, 100, 50]
    X, y = make_blobs(sizes, n_features=20, cluster_std=2.5, random_state=0)
    return X.astype(np.float32), y


def manifolds():
    """Three sheets and two rings that nearly touch, bent into 50 dimensions."""
    rng = np.random.default_rng(0)
    parts = []
    for height in (0.0, 0.45, 0.9):
        u, v = rng.uniform(-1, 1, (2, 800))
        parts.append(np.c_[u, v, height + 0.25 * np.sin(3 * u)])
    for centre in ((1.9, 0, 0.2), (1.9, 0.9, 0.2)):
        angle = rng.uniform(0, 2 * np.pi, 600)
        ring = np.c_[np.cos(angle), 0.2 * np.sin(angle), np.sin(angle)] * 0.6
        parts.append(ring + centre)
    X = np.concatenate(parts)
    X += 0.03 * rng.normal(size=X.shape)
    return _lifted(X), np.repeat(np.arange(5), [len(part) for part in parts])


def fifty():
    """Fifty Gaussians in 30 dimensions."""
    X, y = make_blobs(5000, 30, centers=50, cluster_std=2.0, random_state=0)
    return X.astype(np.float32), y


def two():
    """Two long Gaussians side by side in 10 dimensions."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 1000)
    X = rng.normal(size=(2000, 10)) * np.r_[8, np.ones(9)]
    X[:, 1] += 6 * y
    return X.astype(np.float32), y


def _plane(X, y):
    return X.astype(np.float32), y


def circles():
    """Two rings, one in the other, in two dimensions."""
    return _plane(*make_circles(1500, factor=0.5, noise=0.05, random_state=0))


def oblique():
    """Three Gaussians in two dimensions, stretched aslant."""
    X, y = make_blobs(1500, random_state=170)
    return _plane(X @ [[0.6, -0.6], [-0.4, 0.8]], y)


def varied():
    """Three round Gaussians in two dimensions, of different widths."""
    return _plane(*make_blobs(1500, cluster_std=[1.0, 2.5, 0.5], random_state=170))


SYNTHETIC = {
    each.__name__: each
    for each in (moons, unbalanced, manifolds, fifty, two, circles, oblique, varied)
}
