"""Batches, the loop and what callbacks hear, seeds, devices."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from discovery import ESTIMATORS, fitted, settings_for, tiny, tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EpochScoring,
    GradientNormClipping,
)
from skorch.dataset import ValidSplit
from torch.utils.data import DataLoader, Subset

from skdeepcluster import Autoencoder, DECClustering
from skdeepcluster.training import (
    INFERENCE_ROWS,
    BatchDataset,
    BatchIterator,
    check_net_params,
    clone_callbacks,
    over_rows,
    resolve_device,
)

TRAINERS = [cls for cls in ESTIMATORS if settings_for(cls, callbacks=None)]


@pytest.fixture
def X():
    return np.arange(1000, dtype=np.float32).reshape(250, 4)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 83, 249, 250, 1000])
def test_batches_cover_every_row_once(X, batch_size, shuffle):
    iterator = BatchIterator(BatchDataset(X), batch_size, shuffle=shuffle)
    batches = list(iterator)
    assert len(batches) == len(iterator) == -(-250 // batch_size)
    sizes = [len(index) for _, index in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    order = torch.cat([index for _, index in batches]).numpy()
    assert_array_equal(np.sort(order), np.arange(250))
    assert (order != np.arange(250)).any() == shuffle
    for rows, index in batches:
        assert_array_equal(rows, X[index.numpy()])


def test_batches_of_a_subset_keep_their_index_in_the_whole(X):
    chosen = [5, 200, 17, 3]
    subset = Subset(BatchDataset(X), chosen)
    batches = list(BatchIterator(subset, 3, shuffle=True, seed=1))
    assert sorted(int(i) for _, index in batches for i in index) == sorted(chosen)
    for rows, index in batches:
        assert_array_equal(rows, X[index.numpy()])


def test_order_depends_on_seed_and_epoch(X):
    def orders(seed):
        iterator = BatchIterator(BatchDataset(X), 250, shuffle=True, seed=seed)
        return [next(iter(iterator))[1].tolist() for _ in range(2)]

    assert orders(0) == orders(0)
    assert orders(0) != orders(1)
    assert orders(0)[0] != orders(0)[1]


def test_dataset_gives_dense_copies(X):
    dense, sparse = BatchDataset(X), BatchDataset(sp.csr_array(X))
    rows = dense.rows(slice(0, 3))
    assert_array_equal(rows, sparse.rows(slice(0, 3)))
    assert_array_equal(dense.rows(np.array([4, 2])), X[[4, 2]])
    assert_array_equal(dense[7][0], X[7])
    rows.zero_()
    assert X[1].any()


@pytest.mark.parametrize("count", [1, 33, 255, 256, 257, 3000])
def test_in_batches_have_one_size(count):
    X = np.random.RandomState(0).normal(size=(count, 3)).astype(np.float32)
    sizes = []

    def double(rows):
        sizes.append(len(rows))
        return 2 * rows

    result = over_rows(double, X, torch.device("cpu"))
    assert_array_equal(result, 2 * X)
    assert {*sizes} == {INFERENCE_ROWS}


# Estimators run copies of callbacks, so these tell a variable that all copies share.
heard: dict[str, list] = {"begin": [], "end": [], "gradients": []}


@pytest.fixture(autouse=True)
def _forget():
    for told in heard.values():
        told.clear()


class Batches(Callback):
    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        heard["begin"].append((len(batch[1]), training))

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        heard["end"].append((len(batch[1]), training))


class Gradients(Callback):
    def on_grad_computed(self, net, named_parameters=None, **kwargs):
        heard["gradients"].append([name for name, _ in named_parameters])


def test_callbacks_hear_of_every_batch(X):
    callbacks = [Batches(), ("second", Gradients())]
    autoencoder = tiny_autoencoder(batch_size=100, callbacks=callbacks).fit(X)
    assert heard["begin"] == heard["end"]
    assert len(heard["end"]) == len(heard["gradients"]) == 3 * 3
    assert sum(rows for rows, _ in heard["end"]) == 3 * 250
    assert all(training for _, training in heard["end"])
    assert "encoder.0.weight" in heard["gradients"][0]
    assert all("batches" not in epoch for epoch in autoencoder.history_["pretraining"])


@pytest.mark.parametrize("cls", TRAINERS)
def test_losses_are_read_once_an_epoch(cls, digits, monkeypatch):
    # Reading a number waits for the device.
    counts = []
    item = torch.Tensor.item

    def spy(tensor):
        counts[-1] += 1
        return item(tensor)

    monkeypatch.setattr(torch.Tensor, "item", spy)
    for batch_size in (100, 20):
        counts.append(0)
        settings = {"batch_size": batch_size, "max_epochs": 3, "tol": 0.0}
        autoencoder = tiny_autoencoder(**settings_for(Autoencoder, **settings))
        fitted(
            tiny(
                cls,
                autoencoder=autoencoder,
                init="k-means",
                update_interval=10**6,
                **settings,
            ),
            digits[:200],
        )
    assert 0 < counts[0] == counts[1]


def test_learning_rate_falls_along_half_a_cosine(X):
    history = tiny_autoencoder(max_epochs=4, lr=0.01).fit(X).history_["pretraining"]
    expected = 0.005 * (1 + np.cos(np.pi * np.arange(4) / 4))
    assert_allclose([epoch["event_lr"] for epoch in history], expected)


def test_listening_changes_nothing(X):
    plain = tiny_autoencoder(random_state=0).fit(X)
    heeded = tiny_autoencoder(random_state=0, callbacks=[Batches()]).fit(X)
    assert_array_equal(heeded.transform(X), plain.transform(X))
    losses = [
        [epoch["train_loss"] for epoch in model.history_["pretraining"]]
        for model in (plain, heeded)
    ]
    assert_allclose(losses[0], losses[1])


def test_history_is_plain(X):
    history = tiny_autoencoder(max_epochs=4).fit(X).history_["pretraining"]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4]
    for epoch in history:
        assert type(epoch) is dict
        assert epoch["train_loss"] > 0
        assert epoch["dur"] >= 0
    best = np.minimum.accumulate([epoch["train_loss"] for epoch in history])
    assert [epoch["train_loss_best"] for epoch in history] == [
        epoch["train_loss"] == low for epoch, low in zip(history, best, strict=True)
    ]


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_validation_split(X, container, digits):
    net_params = {"train_split": ValidSplit(5)}
    autoencoder = tiny_autoencoder(net_params=net_params)
    rows = container(digits[:200])
    dec = tiny(
        DECClustering,
        autoencoder=autoencoder,
        net_params=net_params,
        callbacks=[Batches()],
    ).fit(rows)
    for phase in ("pretraining", "clustering"):
        epochs = dec.history_[phase]
        assert len(epochs) > 0
        assert all(epoch["valid_loss"] > 0 for epoch in epochs)
    told = dict.fromkeys((True, False), 0)
    for count, training in heard["end"]:
        told[training] += count
    assert told == {True: 160 * dec.n_iter_, False: 40 * dec.n_iter_}


def moved(X, **settings):
    """How far training moves the latent rows."""
    start, end = (
        tiny_autoencoder(max_epochs=epochs, random_state=0, **settings).fit(X)
        for epochs in (0, 3)
    )
    return np.abs(end.transform(X) - start.transform(X)).max()


@pytest.mark.parametrize(
    "net_params",
    [
        {"optimizer__weight_decay": 0.5},
        {"optimizer__betas": (0.5, 0.9)},
        {"iterator_train__shuffle": False, "iterator_train__batch_size": 50},
        {"optimizer__foreach": True, "optimizer__weight_decay": 0.5},
        {"iterator_train": DataLoader, "iterator_train__batch_size": 50},
    ],
)
def test_net_params_reach_skorch(X, net_params):
    before = torch.get_rng_state()
    assert moved(X, net_params=net_params) != moved(X)
    assert moved(X, net_params=net_params) == moved(X, net_params=net_params)
    assert torch.equal(torch.get_rng_state(), before)


def test_skorch_callbacks_work(X):
    clipping = [GradientNormClipping(1e-6)]
    assert 0 < moved(X, optimizer="sgd", lr=0.1) < np.inf
    assert moved(X, optimizer="sgd", lr=0.1, callbacks=clipping) < 1e-5


def constant(net, X, y=None):
    return 1.0


@pytest.mark.parametrize("cls", TRAINERS)
@pytest.mark.parametrize("use_caching", [True, False])
def test_scoring_callbacks_work(cls, use_caching, digits):
    scoring = EpochScoring(
        constant, name="constant", on_train=True, use_caching=use_caching
    )
    model = fitted(tiny(cls, init="k-means", callbacks=[scoring]), digits[:200])
    *_, epochs = model.history_.values()
    assert [epoch["constant"] for epoch in epochs] == [1.0] * len(epochs)


@pytest.mark.parametrize("cls", TRAINERS)
def test_the_best_checkpoint_is_restored(cls, digits, tmp_path):
    # A rate this high makes later epochs worse.
    checkpoint = Checkpoint(
        monitor="train_loss_best", load_best=True, dirname=str(tmp_path)
    )
    settings = {"init": "k-means", "n_init": 1, "lr": 0.1, "max_epochs": 4}
    model = fitted(tiny(cls, callbacks=[checkpoint], **settings), digits[:200])
    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    shift = next(value for name, value in saved.items() if name.endswith("shift"))
    assert_array_equal(shift, model.module_.shift)
    weight = next(name for name in saved if name.endswith("encoder.0.weight"))
    assert_array_equal(saved[weight], model.module_.encoder[0].weight.detach())


def test_verbose(X, capsys):
    tiny_autoencoder().fit(X)
    assert capsys.readouterr().out == ""
    tiny_autoencoder(verbose=1).fit(X)
    assert "train_loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("net_params", "message"),
    [
        ({"lr": 1}, "set lr on the estimator"),
        ({"criterion": 1}, "the loss is the estimator's"),
        ({"modul": 1}, "skorch.NeuralNet does not take"),
        ({"optimiser__lr": 1}, "does not take"),
        ({"optimizer__": 1}, "Adam takes no ''"),
        ({"optimizer__momentum": 0.5}, "Adam takes no 'momentum'"),
        ({"optimizer__params": []}, "Adam takes no 'params'"),
        ({"optimizer__betas": 3}, "net_params has arguments that Adam refuses"),
        ({"optimizer__weight_decay": -1}, "net_params has arguments that Adam refuses"),
        ({"train_split": 3}, "net_params has train_split=3"),
        ({"iterator_train": "mine"}, "net_params has iterator_train='mine'"),
        ({"iterator_train__num_workers": 2}, "our iterator takes no 'num_workers'"),
    ],
)
def test_check_net_params(net_params, message):
    with pytest.raises(ValueError, match=message):
        check_net_params(net_params, "adam")


def test_check_net_params_lets_good_ones_pass():
    good = {"train_split": None, "optimizer__param_groups": [], "compile": False}
    assert check_net_params(good, "adam") == good
    assert check_net_params({"optimizer__momentum": 0.5}, "sgd")
    loader = {"iterator_train": DataLoader, "iterator_train__num_workers": 2}
    assert check_net_params(loader, "adam") == loader
    assert check_net_params(None, "adam") == {}


def test_clone_callbacks():
    scoring = EpochScoring("r2")
    (copied,) = clone_callbacks([("named", scoring)])
    assert copied[0] == "named"
    assert copied[1] is not scoring
    assert clone_callbacks(None) == []
    with pytest.raises(TypeError, match="callbacks must hold skorch callbacks"):
        clone_callbacks([EpochScoring])


def test_resolve_device():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device(torch.device("cpu")).type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda")
    for name in ("abacus", "meta"):
        with pytest.raises(ValueError, match=rf"device='{name}'.*try device='auto'"):
            resolve_device(name)
