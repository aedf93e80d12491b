"""One fit in several processes, of one machine or many, by `torch.distributed`.

Every process has the same rows and the same network. Of each batch, process r of w
takes the rows r, r + w, r + 2w, ...; their gradients are added up, so that all make the
step that one process would have made. What has no gradients is done by the first
process, for all of them.

Without a process group, which `torchrun` gives, a fit is of one process, and nothing
here does anything. A loss that is a mean over rows needs nothing of it; one that
compares the rows of a batch with each other takes `gathered` rows.
"""

import atexit
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from skdeepcluster._seeds import spawn_seeds

Value = TypeVar("Value")

# What torchrun tells each process, and other launchers as well.
LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")

# Processes wait as long for the first one's graph or mixture. One that dies is noticed
# at once.
PATIENCE = timedelta(days=1)

# Those whose arithmetic `_normalized` repeats; a user's subclass may do something else.
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class _Now:
    """What this process is at.

    Attributes
    ----------
    alone : bool
        Whether it works by itself, though there are others.
    rows : int or None
        Rows of the batch that is shared; None where none is.
    """

    alone = False
    rows: int | None = None


def join() -> None:
    """Join the other processes that a launcher has started, unless that is done.

    Workers of joblib inherit what the launcher told, and are none of them.
    """
    if (
        not dist.is_available()
        or dist.is_initialized()
        or any(name not in os.environ for name in LAUNCHED)
        or os.environ["WORLD_SIZE"] == "1"
        or multiprocessing.parent_process() is not None
    ):
        return
    # NCCL wants a GPU for each process; gloo serves the CPU, and any number of them.
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nccl = dist.is_nccl_available() and beside <= torch.cuda.device_count()
    with _together():
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if nccl else "gloo", timeout=PATIENCE
        )
    atexit.register(_leave)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def world() -> int:
    """Return the number of processes of this fit."""
    if _Now.alone or not dist.is_available() or not dist.is_initialized():
        return 1
    return dist.get_world_size()


def rank() -> int:
    """Return which of them this is, from 0; the first one writes and prints."""
    return dist.get_rank() if world() > 1 else 0


def local_gpu() -> torch.device:
    """Return the GPU of this process; the current one, where there are no others."""
    if not dist.is_available() or not dist.is_initialized():
        return torch.device("cuda")
    local = int(os.environ.get("LOCAL_RANK") or rank())
    return torch.device("cuda", local % torch.cuda.device_count())


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Context in which a fit is of this process only, though there are others."""
    before, _Now.alone = _Now.alone, True
    try:
        yield
    finally:
        _Now.alone = before


@contextlib.contextmanager
def sharing(rows: int) -> Iterator[None]:
    """Context of a step on this process's share of a batch.

    Parameters
    ----------
    rows : int
        Rows of the whole batch.
    """
    _Now.rows = rows if world() > 1 else None
    try:
        yield
    finally:
        _Now.rows = None


def whole(count: int) -> int:
    """Return the rows of the batch of which this process has so many."""
    return count if _Now.rows is None else _Now.rows


def mine(rows: Tensor) -> Tensor:
    """Take this process's share of something that the whole batch has a row of."""
    return rows if _Now.rows is None else rows[rank() :: world()]


def gathered(rows: Tensor) -> Tensor:
    """Put the shares of all the processes together, in the order of the batch.

    Gradients flow to the rows of every process.
    """
    if _Now.rows is None:
        return rows
    batch = rows.new_zeros(_Now.rows, *rows.shape[1:])
    batch[rank() :: world()] = rows
    return summed(batch)


def weighted(mean: Tensor) -> Tensor:
    """Weigh a mean over this process's rows, so that the sum is that of the batch.

    A process without a row, whose mean is none, weighs nothing.
    """
    if _Now.rows is None:
        return mean
    share = len(range(rank(), _Now.rows, world())) / _Now.rows
    return mean * share if share else torch.nan_to_num(mean) * share


class _Sum(torch.autograd.Function):
    """Sum over the processes, whose gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        """Add up."""
        return _added(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Add up."""
        return _added(gradients[0])


def _added(tensor: Tensor) -> Tensor:
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    total = total.to(_carrier(tensor.device))
    with _together():
        dist.all_reduce(total)
    return total.to(tensor.device)


def summed(tensor: Tensor) -> Tensor:
    """Add up tensors of all the processes; each gets the same bits."""
    if world() == 1:
        return tensor
    total: Any = _Sum.apply(tensor)
    return total


def agreed(*flags: bool) -> tuple[bool, ...]:
    """Tell which of the flags any process has set."""
    if world() == 1:
        return flags
    return tuple(count > 0 for count in summed(torch.tensor(flags).int()).tolist())


def sum_gradients(
    parameters: Iterable[nn.Parameter], may_differ: Callable[[], bool]
) -> None:
    """Add up the gradients of all the processes.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    may_differ : callable
        Whether a parameter may have a gradient in some processes only. If not, it is
        not asked who has which.
    """
    if world() == 1:
        return
    trained = [p for p in parameters if p.requires_grad]
    if not may_differ():
        trained = [p for p in trained if p.grad is not None]
    elif trained:
        have = agreed(*(p.grad is not None for p in trained))
        trained = [p for p, has in zip(trained, have, strict=True) if has]
    if not trained:
        return
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    flat = _added(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = flat.split([p.numel() for p in trained])
    for parameter, part in zip(trained, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def first(make: Callable[[], Value]) -> Value:
    """Return, or raise, what the first process makes of it; the others wait."""
    if world() == 1:
        return make()
    outcome: list[Any] = [None, None]
    failed = None
    if rank() == 0:
        try:
            with alone():
                outcome[0] = make()
        except BaseException as error:
            failed = outcome[1] = error
    try:
        with _together():
            dist.broadcast_object_list(outcome, 0, device=_carrier(torch.device("cpu")))
    finally:
        if failed is not None:
            raise failed
    value, error = outcome
    if error is not None:
        raise error
    return value


@torch.no_grad()
def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Give tensors the values that they have in the first process."""
    if world() == 1:
        return
    for tensor in tensors:
        value = tensor.detach().clone(memory_format=torch.contiguous_format)
        value = value.to(_carrier(tensor.device))
        with _together():
            dist.broadcast(value, 0)
        tensor.copy_(value)


def from_first(value: Value) -> Value:
    """Return what the first process has for it."""
    return first(lambda: value)


def fit_seeds(random_state: Any, count: int) -> list[int]:
    """Return seeds for the parts of a fit, the same in all its processes."""
    join()
    return from_first(spawn_seeds(random_state, count))


def check_same(facts: dict[str, str]) -> None:
    """Refuse a fit that is another one in another process.

    Parameters
    ----------
    facts : dict of str to str
        What it depends on.
    """
    if world() == 1:
        return
    others = from_first(facts)
    names = sorted(others)
    differ = agreed(*(facts.get(name) != others[name] for name in names))
    found = [name for name, differs in zip(names, differ, strict=True) if differs]
    if found:
        raise ValueError(
            f"The {world()} processes of this fit differ in {' and '.join(found)}: "
            "load the same rows in all of them, and make random choices with a fixed "
            "seed; or fit within skdeepcluster.distributed.alone(), each its own."
        )


@contextlib.contextmanager
def own_draws(*key: int) -> Iterator[None]:
    """Context in which torch's generators differ between processes.

    Their masks would hide the same entries of different rows otherwise.

    Parameters
    ----------
    *key : int
        What the numbers depend on, beside the process.
    """
    if world() == 1:
        yield
        return
    state = torch.get_rng_state()
    seeds = np.random.SeedSequence([*key, rank()])
    torch.manual_seed(int(seeds.generate_state(1)[0]))
    try:
        yield
    finally:
        torch.set_rng_state(state)


@contextlib.contextmanager
def whole_norms(module: nn.Module) -> Iterator[None]:
    """Context in which batch normalisation takes its moments from the whole batch.

    torch's own ``SyncBatchNorm`` does so on a GPU alone.
    """
    norms: list[Any] = []
    if world() > 1:
        norms = [part for part in module.modules() if type(part) in NORMS]
    for norm in norms:
        # The attribute of the instance hides the method.
        norm.forward = lambda x, norm=norm: _normalized(norm, x)
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _normalized(norm: Any, x: Tensor) -> Tensor:
    if _Now.rows is None or not (norm.training or not norm.track_running_stats):
        return type(norm).forward(norm, x)
    axes = [0, *range(2, x.dim())]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    values = x.float()
    count = values.new_tensor([x.numel() // x.shape[1]])
    *sums, total = summed(torch.cat([values.sum(axes), count])).split([x.shape[1], 1])
    mean = sums[0] / total
    centred = values - mean.view(shape)
    variance = summed(centred.square().sum(axes)) / total
    if norm.training and norm.track_running_stats:
        with torch.no_grad():
            norm.num_batches_tracked += 1
            pace = norm.momentum
            if pace is None:
                pace = 1 / norm.num_batches_tracked.item()
            norm.running_mean.lerp_(mean, pace)
            norm.running_var.lerp_(variance * total / (total - 1), pace)
    result = centred * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        result = result * norm.weight.view(shape) + norm.bias.view(shape)
    return result.to(x.dtype)


def _carrier(device: torch.device) -> torch.device:
    """Device on which a tensor can be exchanged: NCCL, if alone, knows the GPU only."""
    if device.type == "cpu" and dist.get_backend() == "nccl":
        return local_gpu()
    return device


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Context of what all the processes do at once."""
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            "This process lost the others: one of them failed, was killed or can't be "
            "reached. Where the fit has a checkpoint, the same fit goes on from there."
        ) from error
