"""Ctrl-C ends a fit with what was learned; early stopping ends its phase only."""

import signal
import warnings

import numpy as np
import pytest
from discovery import (
    CLUSTERERS,
    TRAINERS,
    TRANSFORMERS,
    TWO_PHASES,
    fitted,
    settings_for,
    tiny,
    tiny_autoencoder,
)
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import EarlyStopping

from skdeepcluster import (
    AutoencoderGMM,
    DCNClustering,
    DDCClustering,
    DECClustering,
    IDECClustering,
)
from skdeepcluster.estimators._joint import TeachingNet
from skdeepcluster.graph import GraphClustering
from skdeepcluster.training import Net


class Interrupt:
    """A user's Ctrl-C at a step of an epoch, or where its loss is noted."""

    def __init__(self, hook, how, epoch=2):
        self.hook = hook
        self.how = how
        self.epoch = epoch

    def __call__(self, net):
        if len(net.history) != self.epoch:
            return
        if self.how == "signal":
            signal.raise_signal(signal.SIGINT)
        else:
            raise KeyboardInterrupt

    def arm(self, monkeypatch, net_class=Net):
        """Let it happen in every training, or in those of a kind."""
        name = {"batch": "train_step", "epoch": "_record_loss"}[self.hook]
        original = getattr(net_class, name)

        def interrupted(net, *args, **kwargs):
            result = original(net, *args, **kwargs)
            self(net)
            return result

        monkeypatch.setattr(net_class, name, interrupted)


interruptions = pytest.mark.parametrize(
    "ctrl_c",
    [
        Interrupt("batch", "signal"),
        Interrupt("epoch", "signal"),
        Interrupt("batch", "raise"),
        Interrupt("batch", "signal", epoch=1),
    ],
    ids=lambda it: f"{it.hook}-{it.how}-{it.epoch}",
)


@pytest.fixture(autouse=True)
def _interruptible():
    # A process started in the background of a shell ignores Ctrl-C from birth.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope="module")
def X(digits):
    return digits[:200]


def fit_interrupted(estimator, X, phase):
    with pytest.raises(KeyboardInterrupt, match=f"interrupted during {phase}:"):
        estimator.fit(X)
    assert np.isfinite(estimator.transform(X)).all()
    if hasattr(estimator, "labels_"):
        assert_array_equal(estimator.predict(X), estimator.labels_)


@interruptions
@pytest.mark.parametrize("cls", TRANSFORMERS)
def test_interrupted_in_the_first_phase(cls, ctrl_c, X, monkeypatch):
    ctrl_c.arm(monkeypatch)
    estimator = tiny(cls, encoder=tiny_autoencoder(max_epochs=5), max_epochs=5)
    # Heads on embeddings have nothing to pretrain.
    first = "teaching" if settings_for(cls, n_heads=1) else "pretraining"
    fit_interrupted(estimator, X, first if cls in CLUSTERERS else "training")
    epochs = {phase: len(rows) for phase, rows in estimator.history_.items()}
    assert epochs.pop(first) in (ctrl_c.epoch - 1, ctrl_c.epoch)
    assert set(epochs.values()) <= {0}, "the next phase ran"


@interruptions
@pytest.mark.parametrize("cls", TWO_PHASES)
def test_interrupted_in_the_clustering_phase(cls, ctrl_c, X, monkeypatch):
    encoder = tiny_autoencoder(random_state=0).fit(X)
    ctrl_c.arm(monkeypatch)
    settings = {"init": "k-means", "max_epochs": 5, "tol": 0.0}
    estimator = tiny(cls, encoder=encoder, **settings)
    fit_interrupted(estimator, X, "the clustering phase")
    epochs = {phase: len(rows) for phase, rows in estimator.history_.items()}
    assert epochs.pop("pretraining") == 3
    assert set(epochs.values()) <= {ctrl_c.epoch - 1, ctrl_c.epoch}


@pytest.mark.parametrize("cls", [DECClustering, DDCClustering])
def test_interrupted_while_it_is_taught(cls, X, monkeypatch):
    monkeypatch.setattr(TeachingNet, "get_loss", interrupt)
    estimator = tiny(cls, init="graph")
    fit_interrupted(estimator, X, "teaching")
    assert estimator.history_["clustering"] == []


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("cls", [DECClustering, IDECClustering, DCNClustering])
def test_interrupted_while_initial_clusters_are_sought(cls, X):
    estimator = tiny(cls, init=interrupt)
    fit_interrupted(estimator, X, "the search for initial clusters")
    assert estimator.history_["clustering"] == []
    assert len(set(estimator.labels_)) == 4


@pytest.mark.parametrize("cls", [DECClustering, DDCClustering])
def test_interrupted_while_the_graph_is_made(cls, X, monkeypatch):
    monkeypatch.setattr(GraphClustering, "_labels_of", interrupt)
    estimator = tiny(cls, init="graph")
    fit_interrupted(estimator, X, "the search for initial clusters")
    assert estimator.history_["clustering"] == []
    assert len(set(estimator.labels_)) == 4


@pytest.mark.parametrize("cls", [DECClustering, AutoencoderGMM, DDCClustering])
def test_no_graph_after_an_interrupted_pretraining(cls, X, monkeypatch):
    monkeypatch.setattr(GraphClustering, "_labels_of", pytest.fail)
    Interrupt("batch", "raise").arm(monkeypatch)
    estimator = tiny(cls, init="graph")
    fit_interrupted(estimator, X, "pretraining")
    with pytest.raises(KeyboardInterrupt):
        estimator.set_params(n_clusters=None).fit(X)


@pytest.mark.parametrize("phase", ["training", "init"])
def test_an_interruption_reaches_the_search(phase, X, monkeypatch):
    Interrupt("batch", "raise").arm(monkeypatch)
    encoder = tiny_autoencoder(max_epochs=1 if phase == "init" else 3)
    init = interrupt if phase == "init" else "k-means"
    estimator = tiny(DECClustering, encoder=encoder, init=init)
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(estimator, {"tol": [0.0, 1e-3]}, cv=2).fit(X)


def test_interrupted_without_clusters_to_fall_back_on(X, monkeypatch):
    gmm = fitted(tiny(AutoencoderGMM), X)
    labels, network = gmm.labels_, gmm.module_
    monkeypatch.setattr(GraphClustering, "_labels_of", interrupt)
    monkeypatch.setattr(GaussianMixture, "fit", interrupt)
    for cls in (DECClustering, DDCClustering):
        estimator = tiny(cls, init="graph", n_clusters=None)
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(X)
        with pytest.raises(NotFittedError):
            estimator.predict(X)
    with pytest.raises(KeyboardInterrupt):
        gmm.fit(X[:50])
    assert gmm.labels_ is labels
    assert gmm.module_ is network


def stop_at_once():
    return EarlyStopping(
        "train_loss", patience=1, threshold=1e9, threshold_mode="abs", sink=str
    )


def fit_without_interruption(estimator, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X)
    assert not any("interrupted" in str(warning.message) for warning in caught)
    return {phase: len(rows) for phase, rows in estimator.history_.items()}


@pytest.mark.parametrize("cls", TWO_PHASES)
def test_early_stopping_ends_its_phase_only(cls, X):
    autoencoder = tiny_autoencoder(max_epochs=5, callbacks=[stop_at_once()])
    settings = {"init": "k-means", "tol": 0.0}
    epochs = fit_without_interruption(tiny(cls, encoder=autoencoder, **settings), X)
    epochs.pop("teaching", None)
    assert epochs.pop("pretraining") == 2
    assert set(epochs.values()) == {3}


@pytest.mark.parametrize("cls", TRAINERS)
def test_early_stopping_of_the_last_phase(cls, X):
    estimator = tiny(cls, callbacks=[stop_at_once()], max_epochs=5, tol=0.0)
    epochs = fit_without_interruption(estimator, X)
    assert list(epochs.values())[-1] == 2
