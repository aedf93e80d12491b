"""Several processes make of the same script what one makes of it."""

import contextlib
import io
import os
import pickle
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from discovery import brief_teaching
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    AutoencoderKMeans,
    DCNClustering,
    DDCClustering,
    DECClustering,
    DKMClustering,
    IDECClustering,
    VaDEClustering,
    distributed,
)
from skdeepcluster.batches import BatchDataset, BatchIterator
from skdeepcluster.graph import GraphClustering
from skdeepcluster.training import Net, resolve_device


class Normalized(nn.Module):
    """A user's network, with batch normalisation and, if wanted, dropout."""

    def __init__(self, n_features, latent_dim, dropout=0.0):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_features, 16),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(16, latent_dim),
        )
        self.decoder = nn.Linear(latent_dim, n_features)


class Dropping(Normalized):
    """One whose masks are drawn from torch's global generator."""

    def __init__(self, n_features, latent_dim):
        super().__init__(n_features, latent_dim, dropout=0.2)


class Recorder(Callback):
    """Notes the rows of each batch, by epoch."""

    def on_train_begin(self, net, **kwargs):
        seen.append([])

    def on_epoch_begin(self, net, **kwargs):
        seen[-1].append([])

    def on_batch_begin(self, net, batch, training, **kwargs):
        if training:
            seen[-1][-1].append(batch[1].numpy().copy())


class Ending(Callback):
    """Ends the second process, or the training, in an epoch after the first."""

    def __init__(self, hook="on_epoch_end", how="interrupt"):
        self.hook = hook
        self.how = how

    def on_epoch_end(self, net, **kwargs):
        self.end("on_epoch_end", net)

    def on_batch_end(self, net, **kwargs):
        self.end("on_batch_end", net)

    def end(self, hook, net):
        if hook != self.hook or len(net.history) < 2:
            return
        if self.how == "raise" and armed:
            raise EndedError
        if distributed.rank() == 1 and self.how == "interrupt":
            raise KeyboardInterrupt
        if distributed.rank() == 1 and self.how == "kill" and armed:
            os._exit(9)


class EndedError(Exception):
    """What ends all the processes."""


armed: list = []
seen: list = []


def rows():
    return load_digits().data[:600].astype(np.float32)


def network(**settings):
    small = {"hidden_units": (32,), "latent_dim": 5, "max_epochs": 3, "batch_size": 100}
    # Shares of a batch are rounded differently: by little, in this precision.
    small |= {"precision": "float32", "random_state": 0}
    return Autoencoder(**{**small, **settings})


def brightened(images, generator):
    """Images with noise of their own, whose numbers are drawn for a whole batch."""
    noise = torch.rand(len(images), generator=generator, device=images.device)
    return images + 4 * noise[:, None, None, None]


def clusterer(cls, **settings):
    small = {"max_epochs": 3, "batch_size": 100, "random_state": 0, "init": "k-means"}
    settings = {"autoencoder": network(random_state=None), "n_init": 2, **settings}
    return cls(10, **{**small, **settings})


GRAPH = GraphClustering(n_init=2)

# What is the same in one process and in several, but for rounding.
SAME = {
    "adam": network(),
    "sgd": network(optimizer="sgd", lr=0.01),
    "noise": network(noise=0.3),
    "neighbours": network(objective="neighbors"),
    "changed images": network(augment=("shift", "rotate", "flip")),
    # The last batch has a single row.
    "images changed by a function": network(augment=brightened, batch_size=599),
    "one row in a batch": network(batch_size=1, max_epochs=1, optimizer="sgd", lr=1e-3),
    "held-out rows": network(net_params={"train_split": ValidSplit(5)}),
    "batch normalisation": network(
        network=Normalized, hidden_units=None, optimizer="sgd", lr=0.01
    ),
    "DataLoader": network(
        net_params={"iterator_train": DataLoader, "iterator_train__shuffle": True}
    ),
    "early stopping": network(
        max_epochs=9,
        callbacks=[EarlyStopping("train_loss", patience=1, threshold=0.2)],
    ),
    "listener": network(callbacks=[Recorder()], verbose=1),
    "DEC": clusterer(DECClustering, init=GRAPH, update_interval=1, tol=0.0),
    "IDEC": clusterer(IDECClustering, autoencoder=network(noise=0.2)),
    "IDEC on changed images": clusterer(
        IDECClustering, autoencoder=network(augment="shift")
    ),
    "DCN": clusterer(DCNClustering, tol=0.0),
    "DKM": clusterer(DKMClustering),
    "VaDE": clusterer(VaDEClustering),
    "DDC": clusterer(DDCClustering, n_hidden=20, optimizer="sgd"),
    "clusterer": clusterer(IDECClustering, init=AgglomerativeClustering(10)),
}

# What is the same in all the processes only.
EQUAL = {
    "no seed": network(random_state=None),
    "an instance": network(random_state=np.random.RandomState(3)),
    "dropout": network(network=Dropping, hidden_units=None, noise=0.2),
    "shuffled split": network(
        net_params={"train_split": ValidSplit(0.2, stratified=False)}
    ),
    "interrupted": network(callbacks=[Ending()], max_epochs=9),
    "interrupted in a batch": network(callbacks=[Ending("on_batch_end")], max_epochs=9),
    "k-means": AutoencoderKMeans(10, autoencoder=network(), n_init=2),
    "mixture": AutoencoderGMM(10, autoencoder=network(), init=GRAPH),
    "initial clusters by one of ours": clusterer(
        DCNClustering,
        init=AutoencoderKMeans(10, autoencoder=network(), n_init=2, random_state=0),
    ),
    "taught DDC": clusterer(DDCClustering, init=GRAPH, autoencoder=None, n_hidden=20),
}

# What another process is to end, or all of them are.
KILLED = clusterer(
    DECClustering,
    autoencoder=network(network=Dropping, hidden_units=None, noise=0.2),
    callbacks=[Ending("on_batch_end", "kill")],
    tol=0.0,
)
RAISING = clusterer(
    VaDEClustering,
    autoencoder=network(noise=0.2),
    callbacks=[Ending("on_batch_end", "raise")],
)


def outcome(estimator, X):
    """All that a fit gives, or has given."""
    seen.clear()
    said = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(said):
        warnings.simplefilter("ignore", ConvergenceWarning)
        if X is not None:
            estimator.fit(X)
    modules = [estimator.module_, getattr(estimator, "head_", nn.Module())]
    return {
        "weights": [
            value.cpu().numpy().copy()
            for module in modules
            for value in module.state_dict().values()
        ],
        "labels": getattr(estimator, "labels_", None),
        "history": {
            phase: [
                {name: value for name, value in epoch.items() if name != "dur"}
                for epoch in epochs
            ]
            for phase, epochs in estimator.history_.items()
        },
        "seen": list(seen),
        "said": said.getvalue(),
    }


def failing(Z, n_clusters, random_state):
    raise ArithmeticError("No centroids here.")


def interrupting(*args, **kwargs):
    raise KeyboardInterrupt


def message(estimator, X, method="fit"):
    """What a fit is refused with."""
    try:
        getattr(estimator, method)(X)
    except (Exception, KeyboardInterrupt) as error:
        return f"{type(error).__name__}: {error}"


def all_fits(X, folder):
    results = {
        name: outcome(clone(each), X) for name, each in {**SAME, **EQUAL}.items()
    }
    results["not killed"] = outcome(clone(KILLED), X)
    results["going on"] = going_on(X, folder)
    rank = distributed.rank()
    armed.append(True)
    raising = clone(RAISING).set_params(checkpoint=folder / f"raised-{rank}")
    results["raised"] = message(raising, X)
    armed.clear()
    results["other rows"] = message(network(), X[rank:])
    results["other parameters"] = message(network(lr=0.1 + rank), X)
    stream = network(random_state=None)
    for part in (X[:300], X[300:]):
        stream.partial_fit(part)
    results["stream"] = outcome(stream, None)
    results["other streams"] = message(stream, X[rank:], "partial_fit")
    results["no centroids"] = message(clusterer(DCNClustering, init=failing), X)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Net, "train_step", interrupting)
        results["Ctrl-C"] = message(network(), X)
    with distributed.alone():
        results["alone"] = outcome(network(random_state=rank), X)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "sum_gradients", lambda *args: None)
        results["not exchanged"] = outcome(network(), X)
    return results


def going_on(X, folder):
    place = folder / f"killed-{distributed.rank()}"
    return outcome(clone(KILLED).set_params(checkpoint=place), X)


def killed(X, folder):
    armed.append(True)
    going_on(X, folder)


def start(job, folder, world=2):
    """Run a job of this file in several processes, as torchrun would."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(world):
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world}
        told |= {"MASTER_ADDR": "localhost", "MASTER_PORT": port}
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__, job, folder],
                env={
                    **os.environ,
                    **{name: str(value) for name, value in told.items()},
                },
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return [(process, process.communicate(timeout=120)[1]) for process in processes]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A folder, and the ends of two processes of which the second was killed."""
    folder = tmp_path_factory.mktemp("processes")
    ends = start("killed", folder)
    assert (folder / "killed-0" / "clustering.state").exists()
    return folder, ends


@pytest.fixture(scope="module")
def fits(ended):
    """What each of two processes makes of all the fits, by the real torchrun."""
    folder, _ = ended
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", __file__, "all_fits", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    paths = [folder / f"all_fits-{rank}" for rank in (0, 1)]
    return [pickle.loads(path.read_bytes()) for path in paths]


def assert_equal(first, second):
    for value, other in zip(first["weights"], second["weights"], strict=True):
        assert_array_equal(value, other)
    assert_array_equal(first["labels"], second["labels"])
    assert first["history"] == second["history"]


@pytest.mark.parametrize("name", [*SAME, *EQUAL, "going on", "stream"])
def test_processes_end_with_the_same_bits(name, fits):
    assert_equal(*(results[name] for results in fits))


def assert_close(several, one):
    for value, other in zip(several["weights"], one["weights"], strict=True):
        assert_allclose(value, other, atol=1e-5)
    assert_array_equal(several["labels"], one["labels"])
    for phase, epochs in one["history"].items():
        for epoch, other in zip(several["history"][phase], epochs, strict=True):
            assert epoch == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("name", SAME)
def test_several_processes_do_what_one_does(name, fits, short_teaching):
    assert_close(fits[0][name], outcome(clone(SAME[name]), rows()))


def test_each_row_is_seen_once_an_epoch(fits, short_teaching):
    (first,), (second,) = (results["listener"]["seen"] for results in fits)
    (alone,) = outcome(clone(SAME["listener"]), rows())["seen"]
    assert len(first) == len(second) == len(alone) == 3
    for epoch, other, whole in zip(first, second, alone, strict=True):
        assert_array_equal(np.sort(np.concatenate(epoch + other)), np.arange(600))
        for share, rest, batch in zip(epoch, other, whole, strict=True):
            assert_array_equal(share, batch[::2])
            assert_array_equal(rest, batch[1::2])


def test_weights_differ_where_gradients_are_not_exchanged(fits):
    first, second = (results["not exchanged"]["weights"] for results in fits)
    gaps = [np.abs(a - b).max() for a, b in zip(first, second, strict=True)]
    assert max(gaps) > 1e-3


def test_the_first_process_alone_prints(fits):
    assert "train_loss" in fits[0]["listener"]["said"]
    assert fits[1]["listener"]["said"] == ""


def test_an_interruption_is_of_all(fits):
    for result in fits:
        assert len(result["interrupted"]["history"]["pretraining"]) == 2
        assert len(result["interrupted in a batch"]["history"]["pretraining"]) == 2


def test_ctrl_c_ends_a_fit_of_several(fits):
    for result in fits:
        assert result["Ctrl-C"] == "KeyboardInterrupt: "


def test_masks_of_a_users_network_differ_between_processes():
    masks = []
    for rank in (0, 0, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(distributed, "world", lambda: 2)
            patch.setattr(distributed, "rank", lambda rank=rank: rank)
            before = torch.get_rng_state()
            with distributed.own_draws(1, 2, 3):
                masks.append(torch.rand(5).tolist())
            assert_array_equal(torch.get_rng_state(), before)
    assert masks[0] == masks[1] != masks[2]


def test_other_fits_are_refused_by_all(fits):
    for result in fits:
        for name in ("other rows", "other streams"):
            assert "2 processes of this fit differ in data:" in result[name]
        assert "this fit differ in parameters:" in result["other parameters"]


def test_an_error_of_the_first_process_is_one_of_all(fits):
    for result in fits:
        assert result["no centroids"] == "ArithmeticError: No centroids here."


def test_alone_is_as_without_others(fits, short_teaching):
    for seed, result in enumerate(fits):
        assert_equal(result["alone"], outcome(network(random_state=seed), rows()))


def test_one_process_goes_on_where_several_ended(fits, ended, short_teaching):
    folder = ended[0]
    assert [result["raised"] for result in fits] == ["EndedError: "] * 2
    assert (folder / "raised-0" / "clustering.state").exists()
    assert not (folder / "raised-1").exists()
    model = clone(RAISING).set_params(checkpoint=folder / "raised-0")
    assert_close(outcome(model, rows()), outcome(clone(RAISING), rows()))


def test_a_process_that_dies_ends_the_others(ended):
    (first, said), (second, _) = ended[1]
    assert (first.returncode, second.returncode) == (1, 9)
    assert "RuntimeError: This process lost the others" in said


def test_a_killed_fit_goes_on(ended, fits):
    for result in fits:
        assert_equal(result["going on"], result["not killed"])
    assert not (ended[0] / "killed-1").exists()


@pytest.mark.parametrize("settings", [{}, {"momentum": None}, {"affine": False}])
@pytest.mark.parametrize(
    ("norm", "size"), [(nn.BatchNorm1d, (9, 4)), (nn.BatchNorm2d, (9, 4, 3, 2))]
)
def test_normalisation_is_that_of_torch(norm, size, settings, monkeypatch):
    outputs = []
    for rows_of_batch in (None, 9):
        layer = norm(4, **settings)
        monkeypatch.setattr(distributed._Now, "rows", rows_of_batch)
        generator = torch.Generator().manual_seed(0)
        for _ in range(3):
            x = torch.randn(size, generator=generator).mul(3).add(50).requires_grad_()
            y = distributed._normalized(layer, x)
            y.square().mul(
                torch.arange(9).reshape(9, *[1] * (x.dim() - 1))
            ).sum().backward()
        own = [parameter.grad for parameter in layer.parameters()]
        outputs.append([y, x.grad, *own, *layer.buffers()])
    for expected, actual in zip(*outputs, strict=True):
        assert_allclose(actual.detach(), expected.detach(), rtol=1e-3, atol=1e-4)


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        return np.full(3, index, dtype=np.float32)


@pytest.mark.parametrize("dataset", [Rows(), BatchDataset(np.outer(range(7), [1] * 3))])
def test_shares_make_up_each_batch(dataset):
    whole = list(BatchIterator(dataset, 3, shuffle=True))
    shares = [BatchIterator(dataset, 3, shuffle=True).shares(r, 4) for r in range(4)]
    for (x, index), *parts in zip(whole, *shares, strict=True):
        assert {count for count, _ in parts} == {len(index)}
        assert [len(own) for _, (_, own) in parts].count(0) in (1, 2)
        assert_array_equal(
            torch.cat([own for _, (_, own) in parts]).sort()[0], index.sort()[0]
        )
        for rank, (_, (rows_of_share, own)) in enumerate(parts):
            assert_array_equal(own, index[rank::4])
            assert_array_equal(rows_of_share, x[rank::4])
            assert rows_of_share.shape == (len(own), 3)


@pytest.fixture
def launched(monkeypatch):
    """Pretend that a launcher started this process, and list the groups it joins."""
    joined = []
    monkeypatch.setattr(
        torch.distributed,
        "init_process_group",
        lambda backend, **settings: joined.append(backend),
    )
    monkeypatch.setattr(distributed.atexit, "register", lambda call: None)
    for name in distributed.LAUNCHED:
        monkeypatch.setenv(name, "3")
    return joined


def test_what_a_launcher_started_joins(launched):
    distributed.join()
    assert launched == ["gloo"]


@pytest.mark.parametrize("name", distributed.LAUNCHED)
def test_what_no_launcher_started_joins_nothing(name, launched, monkeypatch):
    monkeypatch.delenv(name)
    distributed.join()
    assert launched == []


def test_a_worker_of_joblib_joins_nothing(launched, monkeypatch):
    parent = distributed.multiprocessing.current_process()
    monkeypatch.setattr(distributed.multiprocessing, "parent_process", lambda: parent)
    distributed.join()
    assert launched == []


@pytest.mark.parametrize(
    ("processes", "backend"), [("2", "cpu:gloo,cuda:nccl"), ("3", "gloo")]
)
def test_gpus_are_used_where_each_process_has_one(
    processes, backend, launched, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert resolve_device("auto") == torch.device("cuda")
    distributed.join()
    assert launched == [backend]
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    assert resolve_device("auto") == torch.device("cuda", 1)
    # A group of NCCL alone exchanges nothing from elsewhere.
    for group in ("gloo", "nccl"):
        monkeypatch.setattr(torch.distributed, "get_backend", lambda group=group: group)
        place = torch.device("cuda", 1) if group == "nccl" else torch.device("cpu")
        assert distributed._carrier(torch.device("cpu")) == place


if __name__ == "__main__":
    job, place = sys.argv[1], Path(sys.argv[2])
    distributed.join()
    with brief_teaching():
        kept = pickle.dumps(globals()[job](rows(), place))
    (place / f"{job}-{os.environ['RANK']}").write_bytes(kept)
