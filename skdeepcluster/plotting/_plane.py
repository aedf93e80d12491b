"""Rows in two dimensions, and where names stand among them."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.manifold import TSNE

from skdeepcluster._extras import import_extra
from skdeepcluster._rows import plain_settings, sample_rows

METHODS = ("auto", "pca", "tsne", "umap")

# Rows of a cluster that are looked at for a place of its name, and the share of them
# that is near in a dense place.
NAMED_ROWS, NEAR = 300, 0.3


def dense_place(points: np.ndarray) -> np.ndarray:
    """Return the row with most others near it: the middle of a ring has none."""
    some = points[sample_rows(len(points), NAMED_ROWS, 0)]
    distances = np.sort(cdist(some, some), axis=1)
    return some[distances[:, int(NEAR * (len(some) - 1))].argmin()]


def free_place(
    place: np.ndarray, size: np.ndarray, taken: np.ndarray, inner: np.ndarray
) -> np.ndarray | None:
    """Where to write a name: at its place, or near it where no other name is.

    Parameters
    ----------
    place : ndarray of shape (2,)
        Middle of the name, in inches.
    size : ndarray of shape (2,)
        Its width and height.
    taken : ndarray of shape (n_names, 4)
        Left, lower, right and upper ends of other names.
    inner : ndarray of shape (2, 2)
        The lowest and the highest middle that is inside the picture.

    Returns
    -------
    ndarray of shape (2,) or None
        The nearest of a few places; None where all are taken.
    """
    steps = range(-3, 4)
    moves = size * [(0.6 * x, 1.1 * y) for x in (-1, 0, 1) for y in steps]
    for move in moves[np.linalg.norm(moves, axis=1).argsort(kind="stable")]:
        middle = place + move
        low, high = middle - size / 2, middle + size / 2
        apart = (taken[:, :2] >= high) | (taken[:, 2:] <= low)
        inside = (middle >= inner[0] - 1e-9) & (middle <= inner[1] + 1e-9)
        if apart.any(axis=1).all() and inside.all():
            return middle
    return None


def to_plane(Z: Any, method: str, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    """Two-dimensional points, and names of their axes."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    if not sp.issparse(Z):
        Z = np.asarray(Z)
    n_samples, n_dims = Z.shape
    if sp.issparse(Z) and n_dims <= 2:
        Z = Z.toarray()
    if method == "auto" and n_dims == 2:
        return Z, ("dimension 1", "dimension 2")
    if n_dims == 1:
        return np.column_stack([Z, np.zeros(len(Z))]), ("dimension 1", "")
    if method == "tsne":
        start = "random" if sp.issparse(Z) else "pca"
        # Its default of 30 needs more rows than that.
        perplexity = min(30, (n_samples - 1) / 3)
        model: Any = TSNE(init=start, perplexity=perplexity, random_state=seed)
        name = "t-SNE"
    elif method == "umap":
        umap = import_extra("umap", "manifold", 'method="umap"')
        n_neighbors = min(15, n_samples - 1)
        model = umap.UMAP(n_neighbors=n_neighbors, random_state=seed, n_jobs=1)
        name = "UMAP"
        # UMAP does not know scipy's sparse arrays, only its older matrices.
        Z = sp.csr_matrix(Z) if sp.issparse(Z) else Z
    elif sp.issparse(Z):
        model, name = TruncatedSVD(2, random_state=seed), "SVD"
    else:
        model, name = PCA(2, random_state=seed), "PCA"
    # Small differences underflow in an embedding.
    with plain_settings(), np.errstate(under="ignore"):
        return model.fit_transform(Z), (f"{name} 1", f"{name} 2")
