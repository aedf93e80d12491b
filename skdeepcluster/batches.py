"""Rows in batches: shuffled for training, in order for passes without gradients."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from skdeepcluster._rows import plain_settings

# Rows in every forward pass without gradients. Matrix products choose their kernel, and
# with it their rounding, by the number of rows: with one number for all, a row's result
# is the same whatever stands beside it. Large enough for full speed, small enough that
# activations stay within a few megabytes and one row alone is a matter of milliseconds.
INFERENCE_ROWS = 256

# Of a GPU's free memory, for the rows of a training.
RESIDENT_SHARE = 0.25


class BatchDataset(Dataset):
    """Rows of an array or CSR matrix, handed out as dense batches with their index."""

    def __init__(self, X: Any, y: Any = None) -> None:
        self.X = X
        self.resident: Tensor | None = None

    def bring_to(self, device: torch.device) -> None:
        """Copy dense rows to a GPU, once, if they leave most of its memory free."""
        if device.type != "cuda" or sp.issparse(self.X):
            return
        if self.X.nbytes < RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
            self.resident = torch.tensor(self.X, device=device)

    def __len__(self) -> int:
        return self.X.shape[0]

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.rows(np.array([index]))[0], index

    def rows(self, index: Any) -> Tensor:
        """Dense copy of the rows at an index or slice."""
        if self.resident is not None:
            return self.resident[torch.as_tensor(index, device=self.resident.device)]
        rows = self.X[index]
        if sp.issparse(rows):
            rows = rows.toarray()
        elif isinstance(index, slice):
            # A view of the caller's array, which may be read-only: torch warns of it.
            rows = rows.copy()
        return torch.from_numpy(rows)


class BatchIterator:
    """Shuffled batches ``(rows, index)`` sliced out of a whole data set at once.

    Batches are of nearly equal size and at most ``batch_size``: no trailing batch of
    one row, which batch normalisation can't digest.
    """

    def __init__(
        self, dataset: Any, batch_size: int, shuffle: bool = False, seed: int = 0
    ) -> None:
        self.dataset: Any = dataset
        self.index = np.arange(len(dataset))
        whole = getattr(dataset, "dataset", None)
        if isinstance(dataset, Subset) and isinstance(whole, BatchDataset):
            self.dataset, self.index = whole, np.asarray(dataset.indices)
        self.batch_size = batch_size
        self.rng = np.random.default_rng(seed) if shuffle else None

    def __len__(self) -> int:
        return math.ceil(len(self.index) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self._batches():
            yield rows_of(self.dataset, batch), torch.from_numpy(batch)

    def _batches(self) -> Iterator[np.ndarray]:
        """Yield the index of each batch."""
        order = self.index if self.rng is None else self.rng.permutation(self.index)
        yield from np.array_split(order, len(self))


class PairIterator(BatchIterator):
    """Shuffled batches of pairs: every row of the data, each followed by a partner.

    Parameters
    ----------
    draw_partners : callable
        Called with the index of some rows and a `numpy.random.Generator`, it returns
        the index of their partners.
    """

    rng: np.random.Generator

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        draw_partners: Callable[[np.ndarray, np.random.Generator], np.ndarray],
        seed: int = 0,
    ) -> None:
        super().__init__(dataset, max(batch_size // 2, 1), shuffle=True, seed=seed)
        self.draw_partners = draw_partners

    def _batches(self) -> Iterator[np.ndarray]:
        for rows in super()._batches():
            partners = self.draw_partners(rows, self.rng)
            yield np.column_stack([rows, partners]).ravel()


def rows_of(dataset: Any, index: np.ndarray) -> Tensor:
    """Rows of our data set, or of a user's with rows or tuples that begin with one."""
    if isinstance(dataset, BatchDataset):
        return dataset.rows(index)
    items = [dataset[int(i)] for i in index]
    rows = [item[0] if isinstance(item, (tuple, list)) else item for item in items]
    return torch.stack([torch.from_numpy(np.array(row)).flatten() for row in rows])


def in_batches(
    function: Callable[[Tensor], Tensor],
    X: Any,
    device: torch.device,
) -> Iterator[Tensor]:
    """Apply a function of rows to all the rows of ``X``, a batch at a time.

    Each result is independent of the other rows of ``X``.
    """
    data = BatchDataset(X)
    for start in range(0, len(data), INFERENCE_ROWS):
        with torch.no_grad():
            rows = data.rows(slice(start, start + INFERENCE_ROWS)).to(device)
            count = len(rows)
            missing = INFERENCE_ROWS - count
            if missing:
                rows = torch.cat([rows, rows.new_zeros(missing, rows.shape[1])])
            part = function(rows)[:count]
        yield part


def over_rows(
    function: Callable[[Tensor], Tensor], X: Any, device: torch.device
) -> Tensor:
    """Apply a function of rows to all the rows of ``X``, as `in_batches` does.

    The result is allocated at once: small results, kept one by one between large
    temporary ones, would hold on to most of the memory that these give back.
    """
    with own_settings():
        result = torch.empty(0)
        start = 0
        for part in in_batches(function, X, device):
            if start == 0:
                result = part.new_empty((X.shape[0], *part.shape[1:]))
            result[start : start + len(part)] = part
            start += len(part)
    return result


def array_over_rows(
    function: Callable[[np.ndarray], np.ndarray], Z: np.ndarray
) -> np.ndarray:
    """Apply a function of arrays as `over_rows` does: its rounding varies likewise."""

    def apply(z: Tensor) -> Tensor:
        return torch.from_numpy(function(z.numpy()))

    return over_rows(apply, Z, torch.device("cpu")).numpy()


# Precisions of products in single precision, as those found them who are at work.
_found: list[str | None] = []
_found_lock = threading.Lock()


def set_precision(precision: str | None) -> str | None:
    """Set the precision of products in single precision, and return what it was.

    None leaves it, and stands for one that torch can't tell, being of several kinds.
    """
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:
        return None
    if precision not in (None, before):
        torch.set_float32_matmul_precision(precision)
    return before


@contextlib.contextmanager
def whole_precision() -> Iterator[None]:
    """Context in which products in single precision aren't in a lower one.

    It is one setting for all threads: the last to leave puts it back.
    """
    with _found_lock:
        _found.append(set_precision("highest"))
    try:
        yield
    finally:
        with _found_lock:
            first = _found[0]
            _found.pop()
            if not _found:
                set_precision(first)


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Context in which neither torch, numpy nor scikit-learn heeds a user's settings.

    Those are for the user's own work: a frame from an inner transformer, an underflow
    that raises or a graph without gradients would only break a fit.
    """
    with contextlib.ExitStack() as stack:
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        for context in (
            torch.inference_mode(False),
            torch.enable_grad(),
            whole_precision(),
            np.errstate(divide="warn", over="warn", invalid="warn", under="ignore"),
            plain_settings(),
        ):
            stack.enter_context(context)
        yield
