"""A fit that is killed goes on where it was, and ends as if nothing had happened."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from discovery import (
    ESTIMATORS,
    TWO_PHASES,
    fitted,
    settings_for,
    tiny,
    tiny_autoencoder,
    trained,
)
from numpy.testing import assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from test_common import bits
from test_networks import Pair
from torch.utils.data import DataLoader

import skdeepcluster
from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    DCNClustering,
    DDCClustering,
    DECClustering,
    VaDEClustering,
)
from skdeepcluster.graph import GraphClustering
from skdeepcluster.training import Net

RESUMABLE = [cls for cls in ESTIMATORS if settings_for(cls, training=None)]


class Killed(Exception):
    """What a kill looks like from within."""


class Killer(Callback):
    """Ends the fit in an epoch of a phase, before anything of it is kept."""

    def __init__(self, countdown=0):
        self.countdown = countdown

    def on_batch_begin(self, net, **kwargs):
        if armed and armed[0] == len(net.history):
            armed.clear()
            raise Killed


armed: list[int] = []


@pytest.fixture(scope="module")
def X(digits):
    return digits[:150]


def settings(cls, **changes):
    return {
        "init": GraphClustering(n_init=2),
        "update_interval": 2,
        "tol": 0.0,
        "batch_size": 50,
        "max_epochs": 4,
        "encoder": tiny_autoencoder(noise=0.2),
        **changes,
    }


def kill_then_go_on(cls, X, folder, epoch, **changes):
    """Bits of a fit that was killed in an epoch, and of one that wasn't."""
    killer = [Killer(), *changes.pop("callbacks", [])]
    network = changes.pop("encoder", tiny_autoencoder(noise=0.2))
    network.set_params(training__callbacks=[Killer()])
    changes = settings(cls, encoder=network, callbacks=killer, **changes)
    armed.clear()
    expected = fitted(tiny(cls, **changes), X)
    armed[:] = [epoch]
    with pytest.raises(Killed):
        tiny(cls, checkpoint=str(folder), **changes).fit(X)
    return expected, fitted(tiny(cls, checkpoint=str(folder), **changes), X)


def assert_same_fit(actual, expected, X):
    assert bits(actual, X) == bits(expected, X)
    for phase, epochs in trained(expected).history_.items():
        others = trained(actual).history_[phase]
        for row, other in zip(epochs, others, strict=True):
            assert {**row, "dur": 0} == {**other, "dur": 0}


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("cls", RESUMABLE)
def test_killed_in_the_pretraining(cls, epoch, X, tmp_path, short_teaching):
    expected, actual = kill_then_go_on(cls, X, tmp_path / "fit", epoch)
    assert_same_fit(actual, expected, X)


@pytest.mark.parametrize("cls", TWO_PHASES)
def test_killed_in_the_clustering_phase(cls, X, tmp_path):
    network = tiny_autoencoder(max_epochs=2, random_state=0, noise=0.2)
    expected, actual = kill_then_go_on(
        cls, X, tmp_path, 3, encoder=network, init="k-means", n_init=1
    )
    assert_same_fit(actual, expected, X)


@pytest.mark.parametrize("cls", [cls for cls in TWO_PHASES if cls is not DDCClustering])
def test_killed_while_taught(cls, X, tmp_path):
    network = tiny_autoencoder(max_epochs=2, random_state=0)
    expected, actual = kill_then_go_on(cls, X, tmp_path, 5, encoder=network)
    assert_same_fit(actual, expected, X)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": Autoencoder(latent_dim=3, network=Pair, max_epochs=4)},
        {
            "net_params": {"iterator_train": DataLoader, "iterator_train__shuffle": 1},
            "encoder": tiny_autoencoder(max_epochs=2),
        },
        {"encoder": tiny_autoencoder(objective="neighbors", max_epochs=4)},
        {
            "callbacks": [EarlyStopping("train_loss", patience=2, load_best=True)],
            "encoder": tiny_autoencoder(max_epochs=2),
            "lr": 0.1,
            "max_epochs": 9,
        },
        {
            "callbacks": [LRScheduler("StepLR", step_size=2, gamma=0.1)],
            "encoder": tiny_autoencoder(max_epochs=2),
            "max_epochs": 7,
        },
        {
            "encoder": tiny_autoencoder(max_epochs=2),
            "optimizer": torch.optim.RMSprop,
        },
    ],
    ids=[
        "dropout",
        "DataLoader",
        "neighbours",
        "early stopping",
        "schedule",
        "optimizer class",
    ],
)
@pytest.mark.parametrize("cls", [DECClustering, VaDEClustering])
def test_killed_with_parts_of_a_users_own(cls, changes, X, tmp_path):
    changes = {"init": "k-means", **changes}
    expected, actual = kill_then_go_on(cls, X, tmp_path, 3, **changes)
    assert_same_fit(actual, expected, X)


def test_a_finished_pretraining_looks_for_no_neighbours(X, tmp_path, monkeypatch):
    network = tiny_autoencoder(
        objective="neighbors", checkpoint=tmp_path, random_state=0
    )
    first = clone(network).fit(X)
    monkeypatch.setattr("skdeepcluster.estimators._objectives.neighbor_graph", None)
    assert_same_fit(clone(network).fit(X), first, X)


def test_no_seed_goes_on_with_the_seeds_of_the_first_run(X, tmp_path):
    model = tiny(DCNClustering, checkpoint=tmp_path, random_state=None)
    first = fitted(model, X)
    again = fitted(
        tiny(DCNClustering, checkpoint=tmp_path, random_state=None),
        X,
    )
    assert_same_fit(again, first, X)


def test_a_finished_fit_is_read(X, tmp_path, monkeypatch):
    changes = {**settings(DECClustering), "checkpoint": tmp_path}
    first = fitted(tiny(DECClustering, **changes), X)
    monkeypatch.setattr(Net, "partial_fit", lambda *a, **k: pytest.fail("it trained"))
    monkeypatch.setattr(GraphClustering, "_labels_of", pytest.fail)
    assert_same_fit(fitted(tiny(DECClustering, **changes), X), first, X)


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.fixture(scope="module")
def folder(X, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    fitted(tiny(IDEC, checkpoint=folder, init="k-means"), X)
    return folder


IDEC = skdeepcluster.IDECClustering


@pytest.mark.parametrize(
    ("cls", "changes", "message"),
    [
        (IDEC, {"gamma": 0.5}, "parameters was .*gamma=0.1.* and not .*gamma=0.5"),
        (IDEC, {"random_state": 1}, "parameters was .*random_state=0"),
        (IDEC, {"encoder": tiny_autoencoder(lr=0.1)}, "parameters was .*lr=0.1"),
        (DCNClustering, {}, "estimator was IDECClustering and not DCNClustering"),
    ],
)
def test_another_fit_is_refused(cls, changes, message, folder, X):
    before = contents(folder)
    with pytest.raises(ValueError, match=rf"checkpoint=.* of another fit.*{message}"):
        tiny(cls, checkpoint=folder, **{"init": "k-means", **changes}).fit(X)
    assert contents(folder) == before


def test_other_data_are_refused(folder, X):
    before = contents(folder)
    model = tiny(IDEC, checkpoint=folder, init="k-means")
    other = X.copy()
    other[3, 4] += 1
    for rows in (other, X[:100], X.astype(np.float64)):
        with pytest.raises(ValueError, match="of another fit, whose data was"):
            model.fit(rows)
    assert contents(folder) == before


def test_another_version_is_refused(folder, X, monkeypatch):
    monkeypatch.setattr(skdeepcluster, "__version__", "9.0")
    with pytest.raises(ValueError, match=r"version of skdeepcluster was 0.* not 9"):
        tiny(IDEC, checkpoint=folder, init="k-means").fit(X)


def test_another_given_network_is_refused(X, tmp_path):
    networks = [tiny_autoencoder(random_state=0).fit(rows) for rows in (X, X[:80])]
    model = tiny(AutoencoderGMM, checkpoint=tmp_path)
    fitted(model.set_params(encoder=networks[0]), X)
    with pytest.raises(ValueError, match="of another fit, whose given network was"):
        model.set_params(encoder=networks[1]).fit(X)


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "foreign"])
@pytest.mark.parametrize("name", ["fit", "pretraining", "clustering"])
def test_damaged_files_are_refused(name, damage, folder, X, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file, data in contents(folder).items():
        (copy / file).write_bytes(data)
    path = copy / f"{name}.state"
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(
        {
            "truncated": data[:half],
            "empty": b"",
            "flipped": data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :],
            "foreign": pickle.dumps(Exploding()),
        }[damage]
    )
    before = contents(copy)
    with pytest.raises(ValueError, match=rf"{name}.state' is damaged or truncated"):
        tiny(IDEC, checkpoint=copy, init="k-means").fit(X)
    assert contents(copy) == before


class Exploding:
    def __reduce__(self):
        return pytest.fail, ("code ran",)


def test_states_without_their_facts_are_refused(folder, X, tmp_path):
    (tmp_path / "clustering.state").write_bytes(b"")
    with pytest.raises(ValueError, match="states of a fit that nothing is known of"):
        tiny(IDEC, checkpoint=tmp_path, init="k-means").fit(X)


def test_nothing_is_kept_that_is_no_number(X, tmp_path):
    class Odd(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("odd", object())

    with pytest.raises(ValueError, match="checkpoint can't keep 'odd'"):
        tiny_autoencoder(checkpoint=tmp_path, callbacks=[Odd()]).fit(X)


def test_an_interrupted_fit_goes_on(X, tmp_path, monkeypatch):
    step = Net.train_step

    def interrupted(net, *args, **kwargs):
        if armed and armed[0] == len(net.history):
            armed.clear()
            raise KeyboardInterrupt
        return step(net, *args, **kwargs)

    monkeypatch.setattr(Net, "train_step", interrupted)
    settings = {"max_epochs": 5, "random_state": 0}
    armed[:] = [3]
    with pytest.raises(KeyboardInterrupt, match="interrupted during training"):
        tiny_autoencoder(checkpoint=tmp_path, **settings).fit(X)
    resumed = tiny_autoencoder(checkpoint=tmp_path, **settings).fit(X)
    assert_same_fit(resumed, tiny_autoencoder(**settings).fit(X), X)


SCRIPT = """
import os, signal, sys, warnings
import numpy as np
from sklearn.datasets import load_digits
from skorch.callbacks import Callback
from skdeepcluster import Autoencoder, DECClustering, Training
from skdeepcluster.graph import GraphClustering
from skdeepcluster.training import Net

def fit(folder, out, moment):
    X = load_digits().data[:150].astype(np.float32)
    step = Net.train_step
    count = 0

    def counting(self, *args, **kwargs):
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *args, **kwargs)

    Net.train_step = counting
    network = Autoencoder((16,), 3, max_epochs=3, batch_size=50)
    model = DECClustering(
        4, encoder=network, init=GraphClustering(n_init=2), tol=0.0, max_epochs=3,
        batch_size=50,
        training=Training(checkpoint=folder or None), random_state=0,
    ).fit(X)
    np.savez(out, count=count, Z=model.transform(X), c=model.cluster_centers_)

warnings.simplefilter("ignore")
# Every fit has a process of its own, which begins with what is imported and no more.
for line in sys.stdin:
    folder, out, moment = line.rstrip().split(";")
    child = os.fork()
    if child == 0:
        fit(folder, out, int(moment))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.fixture
def run():
    """Fit in another process, and tell how that ended."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def fit(folder, out, moment):
            process.stdin.write(f"{folder};{out};{moment}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield fit


def test_killed_by_a_signal(run, tmp_path):
    whole = str(tmp_path / "whole.npz")
    assert run("", whole, 0) == 0
    expected = np.load(whole)
    # In the pretraining, in the teaching, in the clustering phase.
    for moment in (5, 100, int(expected["count"]) - 4):
        folder, out = str(tmp_path / f"{moment}"), str(tmp_path / f"{moment}.npz")
        assert run(folder, out, moment) == -signal.SIGKILL
        assert run(folder, out, 0) == 0
        actual = np.load(out)
        assert actual["count"] < expected["count"]
        for name in ("Z", "c"):
            assert_array_equal(actual[name], expected[name])
