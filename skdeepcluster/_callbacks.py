"""Callbacks of a training: copies of a user's, their state, and our own."""

import contextlib
import copy
import math
from typing import Any

from skorch.callbacks import Callback

from skdeepcluster._resume import plain


def check_monitors(callbacks: Any, net_params: dict[str, Any] | None) -> None:
    """Refuse callbacks that wait for a validation loss, where no rows are held out."""
    if (net_params or {}).get("train_split") is not None:
        return
    for item in callbacks or []:
        _, callback = named(item)
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith("valid_loss"):
            raise ValueError(
                f"callbacks has {type(callback).__name__} with monitor={monitor!r}, but"
                " no rows are held out for validation; use "
                f"monitor={monitor.replace('valid', 'train')!r}, or give a train_split "
                "in net_params."
            )


def named(item: Any) -> tuple[str | None, Any]:
    """Return a callback that may be given with a name as a pair."""
    return item if isinstance(item, tuple) else (None, item)


def clone_callbacks(callbacks: Any) -> list[Any]:
    """Fresh copies of a user's callbacks, for skorch changes the ones it runs.

    They refer to what the user's refer to, be it a file or a list to write to, and to
    one another where those do.
    """
    pairs = [named(item) for item in callbacks or []]
    for item, (_, callback) in zip(callbacks or [], pairs, strict=True):
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks must hold skorch callbacks or (name, callback) pairs, got "
                f"{item!r}."
            )
    # Not by way of the pickled form, which may leave attributes out.
    copies: dict[int, Any] = {
        id(callback): object.__new__(type(callback)) for _, callback in pairs
    }
    for _, callback in pairs:
        kept = fresh_attributes(callback)
        vars(copies[id(callback)]).update(
            (name, with_copies(value, copies)) for name, value in kept.items()
        )
    found = [(name, copies[id(callback)]) for name, callback in pairs]
    return [callback if name is None else (name, callback) for name, callback in found]


def fresh_attributes(callback: Callback) -> dict[str, Any]:
    """Attributes of a callback, without what an earlier training has left."""
    constructors = [
        getattr(kind.__init__, "__code__", None) for kind in type(callback).__mro__
    ]
    own = {name for code in constructors if code for name in code.co_names}
    return {
        name: value
        for name, value in vars(callback).items()
        if not name.endswith("_") or name in own
    }


def with_copies(value: Any, copies: dict[int, Any]) -> Any:
    """Return a value, or one like it that holds copies of the callbacks in it."""
    if id(value) in copies:
        return copies[id(value)]
    if type(value) is dict:
        parts = {name: with_copies(part, copies) for name, part in value.items()}
        return parts if any(parts[name] is not value[name] for name in value) else value
    if type(value) in (list, tuple):
        parts = type(value)(with_copies(part, copies) for part in value)
        changed = any(new is not old for new, old in zip(parts, value, strict=True))
        return parts if changed else value
    return value


class CosineAnnealing(Callback):
    """Learning rate that falls to zero along half a cosine.

    skorch's own scheduler listens to batches, whose losses would then be read one by
    one: a wait for the device at each step.

    Parameters
    ----------
    epochs : int
        Epochs of the fall.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Remember where the fall begins."""
        self.start_ = [group["lr"] for group in net.optimizer_.param_groups]

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Set the learning rate of the epoch, which follows from its number alone."""
        share = (1 + math.cos(math.pi * (len(net.history) - 1) / self.epochs)) / 2
        for group, start in zip(net.optimizer_.param_groups, self.start_, strict=True):
            group["lr"] = start * share
        net.history.record("event_lr", self.start_[0] * share)


def state_of(callback: Any) -> dict[str, Any]:
    """Collect what a callback has come to, as far as it is numbers or has a state."""
    state = {}
    for name, value in vars(callback).items():
        if not name.endswith("_") or isinstance(value, type):
            continue
        if hasattr(value, "load_state_dict"):
            value = value.state_dict()
        with contextlib.suppress(ValueError):
            state[name] = plain(value, name)
    return state


def restore_to(callback: Any, state: dict[str, Any]) -> None:
    """Give a callback its state back."""
    for name, value in state.items():
        now: Any = getattr(callback, name, None)
        if hasattr(now, "load_state_dict"):
            now.load_state_dict(value)
        else:
            setattr(callback, name, value)


class GoingOn(Callback):
    """What an optimizer remembers of gradients, from one training to the next.

    Parameters
    ----------
    momenta : dict
        Of the training before, and afterwards of this one.
    """

    def __init__(self, momenta: dict[Any, Any]) -> None:
        self.momenta = momenta

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Remember, but with the learning rate of today."""
        if self.momenta:
            state = {**net.optimizer_.state_dict(), "state": self.momenta}
            net.optimizer_.load_state_dict(copy.deepcopy(state))

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Keep it for the next."""
        self.momenta = net.optimizer_.state_dict()["state"]
