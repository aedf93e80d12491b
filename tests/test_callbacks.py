"""Callbacks of a user's own: heard as plain skorch lets them be, and never changed."""

import threading

import pytest
from discovery import fitted, tiny, tiny_autoencoder
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    PrintLog,
    TensorBoard,
)

from skdeepcluster import DECClustering
from skdeepcluster._callbacks import clone_callbacks
from skdeepcluster._resume import Page
from skdeepcluster.estimators._training import make_net
from skdeepcluster.networks import MLPAutoencoder, build
from skdeepcluster.training import Net, train


@pytest.fixture(scope="module")
def X(digits):
    return digits[:120]


class Writer:
    """Like those of TensorBoard, it holds what has no copy."""

    def __init__(self):
        self.lock = threading.Lock()
        self.written = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.written.append(tag)

    def close(self):
        self.written.append("closed")


class Recorder(Callback):
    """Keeps what it hears in a list of the user's, under another name."""

    def __init__(self, losses):
        self._to = losses
        self.seen_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.seen_ += 1
        self._to.append(net.history[-1, "train_loss"])


def test_what_a_callback_refers_to_is_the_users(X):
    losses, writer = [], Writer()
    recorder = Recorder(losses)
    callbacks = [recorder, ("board", TensorBoard(writer))]
    model = tiny_autoencoder(callbacks=callbacks).fit(X)
    history = model.history_["pretraining"]
    assert losses == [epoch["train_loss"] for epoch in history]
    assert writer.written.count("Loss/train_loss") == 3
    assert recorder.seen_ == 0
    # What it has written meanwhile makes it no other callback.
    fitted(tiny(DECClustering, encoder=model, init="k-means"), X)


def test_clones_of_estimators_share_callbacks(X):
    losses, writer = [], Writer()
    callbacks = [Recorder(losses), TensorBoard(writer)]
    model = tiny(DECClustering, init="k-means", callbacks=callbacks)
    GridSearchCV(model, {"encoder__latent_dim": [2, 3]}, cv=2, refit=False).fit(X)
    # Two candidates on two splits, and the encoder has a training of its own.
    assert len(losses) == writer.written.count("Loss/train_loss") == 2 * 2 * 3


class Both(Callback):
    """Knows others."""

    def __init__(self, first, others):
        self.first = first
        self.others = others


def test_copies_refer_to_one_another():
    scoring, stop = EpochScoring("r2"), EarlyStopping()
    own, apart = [1, 2], Recorder([])
    both = Both(scoring, {"stop": (stop, own), "apart": [apart], "own": own})
    stop.knows = both
    before = dict(vars(both))
    (_, first), second, third = clone_callbacks([("named", both), scoring, stop])
    assert first.first is second
    assert first.others["stop"][0] is third
    assert third.knows is first
    assert first.others["own"] is first.others["stop"][1] is own
    assert first.others["apart"][0] is apart
    assert first.others["apart"] is both.others["apart"]
    assert vars(both) == before
    assert {first, second, third}.isdisjoint({both, scoring, stop})


def test_callbacks_that_know_one_another_train(X):
    first = Both(None, [])
    first.first = Both(first, [])
    tiny_autoencoder(callbacks=[first, first.first]).fit(X)


class Missed(Callback):
    """Says what a training before has left on it."""

    def __init__(self, told):
        self.told = told

    def on_epoch_end(self, net, **kwargs):
        self.told.append(getattr(self, "net_", None))
        self.net_ = net


def test_a_copy_begins_afresh(X):
    told = []
    callback = Missed(told)
    callback.net_ = "of an earlier training"
    tiny_autoencoder(callbacks=[callback], max_epochs=2).fit(X)
    assert told[0] is None
    assert isinstance(told[1], Net)
    assert callback.net_ == "of an earlier training"


def test_callbacks_of_skorch_stay_as_they_are(X, tmp_path):
    lines = []
    callbacks = [
        EarlyStopping("train_loss", load_best=True, sink=lines.append),
        Checkpoint("train_loss_best", dirname=str(tmp_path), sink=lines.append),
        LRScheduler("StepLR", step_size=1, gamma=0.5),
        EpochScoring(lambda net, X, y=None: 7.0, name="seven", on_train=True),
        PrintLog(sink=lines.append),
    ]
    before = [dict(vars(callback)) for callback in callbacks]
    model = tiny_autoencoder(callbacks=callbacks).fit(X)
    assert [vars(callback) for callback in callbacks] == before
    epochs = model.history_["pretraining"]
    assert [epoch["event_lr"] for epoch in epochs] == [2e-3, 1e-3, 5e-4]
    assert [epoch["seven"] for epoch in epochs] == [7.0] * 3
    assert (tmp_path / "params.pt").exists()


class Pruned(Exception):
    """Of a search that gives a trial up."""


class Trial:
    """Of optuna, as far as its callback asks."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reported = []

    def report(self, value, step):
        self.reported.append(step)

    def should_prune(self):
        if len(self.reported) == 2:
            raise Pruned
        return False


def test_a_search_prunes(X):
    integration = pytest.importorskip("optuna_integration")
    trial = Trial()
    callback = integration.SkorchPruningCallback(trial, "train_loss")
    model = tiny_autoencoder(callbacks=[callback], max_epochs=9)
    with pytest.raises(Pruned):
        model.fit(X)
    assert trial.reported == [0, 1]


class Enough(Callback):
    """Ends a training as skorch's early stopping does."""

    def __init__(self, hook):
        self.hook = hook

    def act(self, hook, net):
        if hook == self.hook and len(net.history) == 2:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self.act("epoch begin", net)

    def on_batch_begin(self, net, **kwargs):
        self.act("batch begin", net)

    def on_batch_end(self, net, **kwargs):
        self.act("batch end", net)

    def on_epoch_end(self, net, **kwargs):
        self.act("epoch end", net)


def test_a_search_goes_on_where_a_callback_stops(X):
    model = tiny_autoencoder(callbacks=[Enough("epoch end")], max_epochs=5)
    search = GridSearchCV(
        model,
        {"lr": [1e-3, 1e-2]},
        cv=2,
        scoring=lambda model, X: -len(model.history_["pretraining"]),
    ).fit(X)
    assert list(search.cv_results_["mean_test_score"]) == [-2, -2]


@pytest.mark.parametrize(
    ("hook", "epochs"),
    [("epoch begin", 1), ("batch begin", 2), ("batch end", 2), ("epoch end", 2)],
)
def test_a_callback_stops_its_phase(hook, epochs, X):
    losses = []
    model = tiny_autoencoder(
        callbacks=[Enough(hook), Recorder(losses)],
        max_epochs=5,
        batch_size=40,
    ).fit(X)
    assert len(model.history_["pretraining"]) == len(losses) == epochs


class HookedNet(Net):
    """Hears of batches itself."""

    heard: tuple = ()

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        super().on_batch_begin(net, batch, training, **kwargs)
        self.heard += ("begin",)

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        self.heard += ("end",)

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.heard += ("gradients",)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return (y_pred[0] - y_pred[2]).square().mean()


class DeafNet(Net):
    get_loss = HookedNet.get_loss

    def notify(self, method_name, **kwargs):
        assert method_name not in ("on_batch_begin", "on_batch_end", "on_grad_computed")
        super().notify(method_name, **kwargs)


@pytest.mark.parametrize("cls", [HookedNet, DeafNet])
def test_a_net_hears_of_its_own_batches(cls, X):
    module = build(MLPAutoencoder, 0, n_features=64, hidden_units=[4], latent_dim=2)
    net = make_net(cls, module, optimizer="adam", seed=0, max_epochs=1, batch_size=60)
    net.set_params(verbose=0)
    train(net, X, 0, Page())
    if cls is HookedNet:
        assert net.heard == ("begin", "gradients", "end") * 2
