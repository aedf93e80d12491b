"""Ctrl-C ends a fit with what was learned; early stopping ends its phase only."""

import warnings

import numpy as np
import pytest
from discovery import (
    CLUSTERERS,
    ESTIMATORS,
    TRANSFORMERS,
    fitted,
    interrupt_next_step,
    settings_for,
    tiny,
    tiny_autoencoder,
)
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping

from skdeepcluster import (
    AutoencoderGMM,
    DCNClustering,
    DDCClustering,
    DECClustering,
    IDECClustering,
)
from skdeepcluster.estimators._joint import TeachingNet
from skdeepcluster.graph import GraphClustering

TRAINERS = [cls for cls in ESTIMATORS if settings_for(cls, callbacks=None)]
TWO_PHASES = [cls for cls in TRAINERS if settings_for(cls, autoencoder=None)]


class Interrupt(Callback):
    """What a user does in the step after the hook and epoch named."""

    def __init__(self, hook, epoch=2):
        self.hook = hook
        self.epoch = epoch

    def act(self, net):
        if len(net.history) >= self.epoch:
            interrupt_next_step(net)

    def on_batch_begin(self, net, **kwargs):
        if self.hook == "batch":
            self.act(net)

    def on_epoch_end(self, net, **kwargs):
        if self.hook == "epoch":
            self.act(net)


interruptions = pytest.mark.parametrize(
    "interrupt",
    [Interrupt("batch"), Interrupt("epoch"), Interrupt("batch", epoch=1)],
    ids=lambda it: f"{it.hook}-{it.epoch}",
)


@pytest.fixture(scope="module")
def X(digits):
    return digits[:200]


def fit_interrupted(estimator, X, phase):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert estimator.fit(X) is estimator
    told = [str(warning.message) for warning in caught]
    assert sum(f"interrupted during {phase}" in message for message in told) == 1, told
    assert {warning.category for warning in caught} == {ConvergenceWarning}
    assert {warning.filename for warning in caught} == {__file__}
    assert np.isfinite(estimator.transform(X)).all()
    if hasattr(estimator, "labels_"):
        assert_array_equal(estimator.predict(X), estimator.labels_)


@interruptions
@pytest.mark.parametrize("cls", TRANSFORMERS)
def test_interrupted_in_the_first_phase(cls, interrupt, X):
    autoencoder = tiny_autoencoder(max_epochs=5, callbacks=[interrupt])
    callbacks = None if settings_for(cls, autoencoder=None) else [interrupt]
    estimator = tiny(cls, autoencoder=autoencoder, callbacks=callbacks, max_epochs=5)
    fit_interrupted(estimator, X, "pretraining" if cls in CLUSTERERS else "training")
    epochs = {phase: len(rows) for phase, rows in estimator.history_.items()}
    whole = interrupt.epoch if interrupt.hook == "epoch" else interrupt.epoch - 1
    assert epochs.pop("pretraining") in (whole, interrupt.epoch)
    assert set(epochs.values()) <= {0}, "the next phase ran"


@interruptions
@pytest.mark.parametrize("cls", TWO_PHASES)
def test_interrupted_in_the_clustering_phase(cls, interrupt, X):
    settings = {"init": "k-means", "max_epochs": 5, "tol": 0.0}
    estimator = tiny(cls, callbacks=[interrupt], **settings)
    fit_interrupted(estimator, X, "the clustering phase")
    epochs = {phase: len(rows) for phase, rows in estimator.history_.items()}
    epochs.pop("teaching", None)
    assert epochs.pop("pretraining") == 3
    assert set(epochs.values()) <= {interrupt.epoch - 1, interrupt.epoch}


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
    stop = Interrupt("epoch")
    estimator = tiny(cls, autoencoder=tiny_autoencoder(callbacks=[stop]), init="graph")
    fit_interrupted(estimator, X, "pretraining")
    with pytest.raises(KeyboardInterrupt):
        estimator.set_params(n_clusters=None).fit(X)


@pytest.mark.parametrize("name", ["autoencoder", "callbacks", "init"])
def test_an_interruption_reaches_the_search(name, X):
    stop = Interrupt("epoch")
    value = {
        "autoencoder": tiny_autoencoder(callbacks=[stop]),
        "callbacks": [stop],
        "init": interrupt,
    }[name]
    estimator = tiny(DECClustering, **{"init": "k-means", name: value})
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(estimator, {"alpha": [1.0, 2.0]}, cv=2).fit(X)


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
    epochs = fit_without_interruption(tiny(cls, autoencoder=autoencoder, **settings), X)
    epochs.pop("teaching", None)
    assert epochs.pop("pretraining") == 2
    assert set(epochs.values()) == {3}


@pytest.mark.parametrize("cls", TRAINERS)
def test_early_stopping_of_the_last_phase(cls, X):
    estimator = tiny(cls, callbacks=[stop_at_once()], max_epochs=5, tol=0.0)
    epochs = fit_without_interruption(estimator, X)
    assert list(epochs.values())[-1] == 2
