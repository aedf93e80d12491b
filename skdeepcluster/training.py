"""Training through skorch: the lean loop, stopping, seeds, devices."""

import contextlib
import importlib
import math
import sys
import threading
from dataclasses import dataclass
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    EpochTimer,
    PrintLog,
)
from torch import Tensor, nn

from skdeepcluster._callbacks import named, restore_to, state_of
from skdeepcluster._devices import autocast
from skdeepcluster._modules import global_generator, global_states, set_global_states
from skdeepcluster._resume import Page
from skdeepcluster._tasks import told
from skdeepcluster.augment import GivenAugmentation
from skdeepcluster.batches import INFERENCE_ROWS, BatchDataset
from skdeepcluster.networks import ForeignAutoencoder

# What optimizers remember of gradients fades where there are none any more, as of units
# that no row reaches, and never ends: it stays among the least numbers that there are,
# with which processors take many times as long. Every so many steps, what is too small
# to move a weight is forgotten.
MOMENTA, FADED, STEPS_OF_FADING = ("exp_avg", "momentum_buffer"), 1e-30, 100


class Net(NeuralNet):
    """A skorch net whose loop costs little more than a bare one.

    It differs from its parent in what happens between two batches: the loss is summed
    on the device and read once an epoch, unless a callback of the user listens to
    batches; ours don't. A subclass gives the loss of its phase in `get_loss`, where
    ``y_true`` is the index of the batch's rows in the training data, which held-out
    rows of a user's own have not. In training, the module sees rows as its part
    ``augmentation``, where it has one, has changed them.

    What ends a phase before its last epoch sets ``stopping``, and what a phase needs
    beyond its module in the next epoch is in ``memory``, tensors by name.

    Parameters
    ----------
    precision : {"auto", "float32", "bf16"}, default="auto"
        Precision of the matrix products in training.
    """

    # What the training is called where it is told of.
    phase = "clustering"

    # Keywords that a subclass adds, which become attributes.
    own: tuple[str, ...] = ()

    # Where the state of the training is kept, and its seed.
    page = Page()
    seed = 0

    def __init__(self, *args: Any, precision: str = "auto", **kwargs: Any) -> None:
        own = {name: kwargs.pop(name) for name in self.own}
        super().__init__(*args, **kwargs)
        self.precision = precision
        self.__dict__.update(own)

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Make the optimizer, which loads torch's compiler, for seconds."""
        load_whole("torch._dynamo")
        return super().initialize_optimizer(*args, **kwargs)

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Tell all the callbacks; one that raises an interruption ends the training.

        Skorch's early stopping does, and others after it: a user's Ctrl-C is only what
        is raised elsewhere.
        """
        getattr(self, method_name)(self, **kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **kwargs)
            except KeyboardInterrupt:
                self.stopping = True

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **kw: Any) -> Any:
        """Train, and remember whether the user interrupted it in ``interrupted``."""
        self.stopping = self.interrupted = False
        self.memory: dict[str, Tensor] = {}
        if not self.initialized_:
            self.initialize()
        try:
            self.notify("on_train_begin", X=X, y=y)
            self.fit_loop(X, y, **kw)
        except KeyboardInterrupt:
            self.interrupted = True
        if self.history and not self._is_whole(self.history[-1]):
            self.history.pop()
        self.notify("on_train_end", X=X, y=y)
        return self

    def fit_loop(self, X: Any, y: Any = None, epochs: Any = None, **kwargs: Any) -> Any:
        """Run epochs until the last, or until something sets ``stopping``."""
        data, held_out = self.get_split_datasets(X, y)
        if isinstance(data, BatchDataset):
            data.bring_to(torch.device(self.device))
        sets = {"dataset_train": data, "dataset_valid": held_out}
        iterator = self.get_iterator(data, training=True)
        validation = held_out and self.get_iterator(held_out, training=False)
        self._restore(iterator)
        self._losses = ["train_loss"] + ["valid_loss"] * (validation is not None)
        with told(self.phase, self.max_epochs):
            while len(self.history) < self.max_epochs and not self.stopping:
                with told("epoch") as epoch:
                    self.notify("on_epoch_begin", **sets)
                    self.run_single_epoch(iterator, True, "train", self.train_step)
                    if not self.stopping:
                        self.run_single_epoch(
                            validation, False, "valid", self.validation_step
                        )
                    if self._is_whole(self.history[-1]):
                        self.notify("on_epoch_end", **sets)
                self.stopping |= epoch.stopped
                if not self.interrupted:
                    self.page.write(lambda: self._state(iterator))
        return self

    def _state(self, iterator: Any) -> dict[str, Any]:
        """All that the next epoch depends on."""
        return {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer_.state_dict(),
            "memory": self.memory,
            "history": plain_history(self),
            "stopping": self.stopping,
            "order": order_of(iterator) and order_of(iterator).bit_generator.state,
            "generators": global_states() if self.is_foreign() else None,
            "callbacks": [state_of(callback) for _, callback in self.callbacks_],
        }

    def _restore(self, iterator: Any) -> None:
        """Go on from the last epoch that was kept."""
        state = self.page.read()
        if state is None:
            return
        self.module.load_state_dict(state["module"])
        self.optimizer_.load_state_dict(state["optimizer"])
        self.memory = {
            name: value.to(self.device) for name, value in state["memory"].items()
        }
        self.history.extend({**row, "batches": []} for row in state["history"])
        self.stopping = state["stopping"]
        if state["order"] is not None:
            order_of(iterator).bit_generator.state = state["order"]
        if state["generators"] is not None:
            set_global_states(state["generators"])
        for (_, callback), kept in zip(
            self.callbacks_, state["callbacks"], strict=True
        ):
            restore_to(callback, kept)

    def is_foreign(self) -> bool:
        """Whether a part isn't ours, and so may draw from a global generator."""
        callbacks = [type(named(item)[1]) for item in self.callbacks or []]
        parts = [self.iterator_train, self.iterator_valid, *callbacks]
        return (
            self.train_split is not None
            or not is_of(self.optimizer, "torch")
            or not all(is_of(part, "skdeepcluster") for part in parts)
            or any(
                isinstance(part, (ForeignAutoencoder, GivenAugmentation))
                for part in self.module.modules()
            )
        )

    def seeded(self, seed: int) -> Any:
        """Context in which parts that aren't ours draw what follows from a seed."""
        return global_generator(seed) if self.is_foreign() else contextlib.nullcontext()

    def _is_whole(self, epoch: dict[str, Any]) -> bool:
        return all(name in epoch for name in self._losses)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **kwargs: Any
    ) -> None:
        """Run the batches of an epoch."""
        if iterator is None:
            return
        self._set_training(training)
        hears = self._has_listener("on_batch_begin", "on_batch_end")
        self._hears_gradients = self._has_listener("on_grad_computed")
        total = torch.zeros((), device=self.device, dtype=torch.float32)
        rows = 0
        try:
            for number, batch in enumerate(iterator):
                if self.stopping:
                    break
                count = rows_in(batch)
                if hears:
                    self.notify("on_batch_begin", batch=batch, training=training)
                if training and count == 1:
                    self._check_single_row()
                step = step_fn(batch, **kwargs)
                loss = step["loss"].detach()
                if training and number % STEPS_OF_FADING == 0:
                    forget_faded(self.optimizer_)
                total += loss * count
                rows += count
                if hears:
                    self.history.record_batch(f"{prefix}_loss", loss.item())
                    self.history.record_batch(f"{prefix}_batch_size", count)
                    self.notify("on_batch_end", batch=batch, training=training, **step)
        except KeyboardInterrupt:
            self.stopping = self.interrupted = True
        if rows:
            self._record_loss(prefix, total.item() / rows)
            if not hears:
                # Checkpoints look the last batch up, to name their files.
                self.history.new_batch()

    def check_end(self, X: Any) -> None:
        """Refuse a network whose last step led it astray, which no loss has told."""
        self._set_training(False)
        rows = BatchDataset(X).rows(slice(0, INFERENCE_ROWS))
        step = self.validation_step((rows, torch.arange(len(rows), device="cpu")))
        self._check_loss("train_loss", step["loss"].item())

    def _check_single_row(self) -> None:
        norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
        if any(isinstance(part, norms) for part in self.module_.modules()):
            raise ValueError(
                "A batch has one row, which batch normalisation can't be trained on: "
                "raise batch_size, or give net_params['iterator_train__drop_last']=True"
                " to an iterator of yours."
            )

    def _has_listener(self, *hooks: str) -> bool:
        told = [(Callback, callback) for _, callback in self.callbacks_]
        return any(
            getattr(type(listener), hook) is not getattr(parent, hook)
            for parent, listener in [(NeuralNet, self), *told]
            for hook in hooks
        )

    def _check_loss(self, name: str, loss: float) -> None:
        if not math.isfinite(loss):
            raise ValueError(
                f"Training diverged: the {name} of epoch {len(self.history)} is {loss}."
                " Lower lr, scale features that are out of proportion, or train with "
                "Training(precision='float32')."
            )

    def _record_loss(self, prefix: str, loss: float) -> None:
        name = f"{prefix}_loss"
        self._check_loss(name, loss)
        earlier = [row[name] for row in self.history[:-1] if name in row]
        self.history.record(name, loss)
        self.history.record(f"{name}_best", loss < min(earlier, default=math.inf))

    def train_step(self, batch: Any, **kwargs: Any) -> dict[str, Any]:
        """One step of the optimizer."""
        self.optimizer_.zero_grad(set_to_none=True)
        step = self.validation_step(batch)
        step["loss"].backward()
        if self._hears_gradients:
            named = list(self.get_all_learnable_params())
            self.notify(
                "on_grad_computed", named_parameters=named, batch=batch, training=True
            )
        self.optimizer_.step()
        return step

    def validation_step(self, batch: Any, **kwargs: Any) -> dict[str, Any]:
        """Loss of a batch."""
        x, index = batch if isinstance(batch, (tuple, list)) else (batch, None)
        x = x.to(self.device, non_blocking=True)
        if index is not None:
            index = index.to(self.device, non_blocking=True)
        training = self.module_.training
        augmentation = getattr(self.module_, "augmentation", None)
        if training and augmentation is not None:
            x = augmentation(x)
        with torch.set_grad_enabled(training):
            with autocast(self.device, self.precision):
                y_pred = self.infer(x)
            loss = self.get_loss(y_pred, index, X=x, training=training)
        return {"loss": loss, "y_pred": y_pred}


@torch.no_grad()
def forget_faded(optimizer: torch.optim.Optimizer) -> None:
    """Set to zero what an optimizer hardly remembers."""
    for state in optimizer.state.values():
        for name in MOMENTA:
            momenta = state.get(name)
            if isinstance(momenta, Tensor):
                momenta.masked_fill_(momenta.abs() < FADED, 0)


@dataclass(frozen=True)
class Trained:
    """How the training of a module went."""

    history: list[dict[str, Any]]
    interrupted: bool


def load_whole(name: str) -> None:
    """Import a module in a thread of its own, which no Ctrl-C stops half-way.

    Nothing can use what is half loaded, now or later.
    """
    if name not in sys.modules:
        thread = threading.Thread(target=importlib.import_module, args=(name,))
        thread.start()
        thread.join()


def train(net: Net, X: Any, seed: int, page: Page) -> Trained:
    """Train the module of a net in place, or read how it was trained."""
    module: nn.Module = net.module.to(net.device)
    state = page.read()
    if state is not None and state.get("finished"):
        module.load_state_dict(state["module"])
        module.eval()
        return Trained(state["history"], interrupted=False)
    net.page, net.seed = page, seed
    with net.seeded(seed):
        net.partial_fit(X)
        module.eval()
        if net.history:
            net.check_end(X)
    trained = Trained(plain_history(net), net.interrupted)
    if not trained.interrupted:
        state = {"finished": True, "history": trained.history}
        page.write(lambda: {**state, "module": module.state_dict()})
    return trained


def is_of(part: Any, library: str) -> bool:
    """Tell whether a class or function is of a library."""
    return getattr(part, "__module__", "").partition(".")[0] == library


def rows_in(batch: Any) -> int:
    """Return the number of rows of a batch, of ours or of a user's iterator."""
    return len(batch[0] if isinstance(batch, (tuple, list)) else batch)


def order_of(iterator: Any) -> Any:
    """Return the generator of the order of our own batches."""
    return getattr(iterator, "rng", None)


def plain_history(net: Net) -> list[dict[str, Any]]:
    """History of a net as a list of plain dictionaries, one an epoch."""
    return [
        {name: value for name, value in row.items() if name != "batches"}
        for row in net.history
    ]
