"""Nearest neighbours on a device of torch's, by matrix products that are tiled."""

import shutil
import sys
from typing import Any

import numpy as np
import scipy.sparse as sp

# From so many rows on, a GPU is worth asking for; loading torch takes seconds.
DEVICE_ROWS = 20_000
# Single precision orders rows that are nearly as far wrongly: so many more than wanted
# are measured one by one.
SPARE = 8
# Entries of a tile.
ENTRIES_AT_ONCE = 1 << 27


def fast_device(n_rows: int) -> Any:
    """Device for a search among so many rows; None where the processor is as good."""
    likely = "torch" in sys.modules or shutil.which("nvidia-smi") is not None
    if n_rows < DEVICE_ROWS or not likely:
        return None
    from skdeepcluster._devices import resolve_device

    device = resolve_device("auto")
    return None if device.type == "cpu" else device


def nearest_on(device: Any, Z: np.ndarray, n_neighbors: int) -> sp.csr_array:
    """Graph of the nearest neighbours of distinct rows, none its own; ones."""
    # The graph does without torch, which takes seconds to load.
    import torch

    from skdeepcluster.batches import own_settings

    n_rows, n_columns = Z.shape
    near = np.empty((n_rows, n_neighbors), dtype=np.int32)
    with own_settings(), torch.no_grad():
        points = torch.tensor(Z, dtype=torch.float32, device=device)
        # Far from the origin, products have no digits left for differences.
        points -= points.mean(0)
        squares = points.square().sum(1)
        candidates = min(n_neighbors + SPARE, n_rows - 1)
        at_once = max(ENTRIES_AT_ONCE // max(n_rows, candidates * n_columns), 1)
        for start in range(0, n_rows, at_once):
            rows = points[start : start + at_once]
            far = torch.addmm(squares, rows, points.T, alpha=-2)
            far.diagonal(start).fill_(torch.inf)
            found = far.topk(candidates, largest=False).indices
            lengths = (points[found] - rows[:, None]).square().sum(2)
            nearest = lengths.topk(n_neighbors, largest=False).indices
            near[start : start + at_once] = found.gather(1, nearest).cpu().numpy()
    begins = np.arange(0, near.size + 1, n_neighbors)
    ones = np.ones(near.size, dtype=np.float32)
    graph = sp.csr_array((ones, near.ravel(), begins), shape=(n_rows, n_rows))
    graph.sort_indices()
    return graph
