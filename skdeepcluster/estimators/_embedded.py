"""Rows in an embedding: where it starts, and which of them another row is nearest."""

from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits


def one_thread() -> Any:
    """Context for the making of an embedding, whose end restores the threads in use.

    Of several threads, those of t-SNE add up the gradient in the order in which they
    end, and numba, starting those of UMAP, changes the number that torch uses.
    """
    return threadpool_limits(1, user_api="openmp")


def unit_scale(Z: np.ndarray) -> np.ndarray:
    """Rows about zero with an overall standard deviation of one, float64.

    An embedding doesn't depend on the unit of its rows; its float32 arithmetic does.
    """
    centred = Z - Z.mean(0, dtype=np.float64)
    return centred / (centred.std() or 1.0)


def principal_start(Z: np.ndarray, n_dims: int, seed: int) -> np.ndarray:
    """Coordinates on the principal axes, and a little noise.

    Unlike a spectral start it can't fail, whatever the rows.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
        Rows from `unit_scale`.
    n_dims : int
        Coordinates beyond ``latent_dim`` are noise alone.
    seed : int

    Returns
    -------
    ndarray of shape (n_samples, n_dims)
    """
    rng = np.random.default_rng(seed)
    start = rng.normal(scale=1e-4, size=(len(Z), n_dims))
    axes = np.linalg.eigh(Z.T @ Z)[1][:, ::-1][:, :n_dims]
    start[:, : axes.shape[1]] += Z @ axes
    return start


def neighbors(
    Z: np.ndarray, rows: np.ndarray, n_neighbors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest of other rows and their indices, nearest first.

    A tree is asked about one row at a time, in double precision: a row's result is the
    same whatever stands beside it, and its distance to its equal is zero.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
    rows : ndarray of shape (n_rows, latent_dim)
    n_neighbors : int

    Returns
    -------
    distances, index : ndarray of shape (n_samples, min(n_neighbors, n_rows))
    """
    ranks = np.arange(1, min(n_neighbors, len(rows)) + 1)
    return cKDTree(rows).query(Z, k=ranks)


def nearest(Z: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Index of the nearest of other rows; of its equal where there is one."""
    return neighbors(Z, rows, 1)[1][:, 0]
