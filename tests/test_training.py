"""Batches, the loop and what callbacks hear, seeds, devices."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from discovery import (
    ESTIMATORS,
    HEADS,
    TRAINERS,
    fitted,
    settings_for,
    tiny,
    tiny_autoencoder,
    trained,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)
from skorch.dataset import Dataset as SkorchDataset
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch.utils.data import DataLoader, Dataset, Subset

from skdeepcluster import (
    Autoencoder,
    DCNClustering,
    DDCClustering,
    DECClustering,
    VaDEClustering,
)
from skdeepcluster._callbacks import clone_callbacks
from skdeepcluster._devices import resolve_device
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster.batches import (
    INFERENCE_ROWS,
    BatchDataset,
    BatchIterator,
    PairIterator,
    over_rows,
)
from skdeepcluster.estimators._training import OPTIMIZERS, check_net
from skdeepcluster.training import forget_faded


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


def following(rows, rng):
    return (rows + rng.integers(1, 4, len(rows))) % 250


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 499, 1000])
def test_pairs_are_of_every_row_and_a_partner(X, batch_size):
    iterator = PairIterator(BatchDataset(X), batch_size, following, seed=1)
    first, second = list(iterator), list(iterator)
    assert len(first) == len(iterator)
    assert max(len(index) for _, index in first) <= max(batch_size, 2)
    pairs = torch.cat([index for _, index in first]).numpy().reshape(-1, 2)
    assert_array_equal(np.sort(pairs[:, 0]), np.arange(250))
    assert set((pairs[:, 1] - pairs[:, 0]) % 250) == {1, 2, 3}
    others = torch.cat([index for _, index in second]).numpy().reshape(-1, 2)
    assert (others != pairs).any()
    again = list(PairIterator(BatchDataset(X), batch_size, following, seed=1))
    for (rows, index), (_, same) in zip(first, again, strict=True):
        assert_array_equal(rows, X[index.numpy()])
        assert_array_equal(index, same)


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


def test_rows_that_are_on_the_device_are_the_same(X):
    data, moved = BatchDataset(X), BatchDataset(X)
    moved.bring_to(torch.device("cpu"))
    assert moved.resident is None
    moved.resident = torch.tensor(X)
    for index in np.array([[0, 5, 2], [7, 7, 1]]):
        assert torch.equal(moved.rows(index), data.rows(index))


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
    assert "autoencoder.encoder.0.weight" in heard["gradients"][0]
    assert all("batches" not in epoch for epoch in autoencoder.history_["pretraining"])


@pytest.mark.parametrize("cls", [cls for cls in TRAINERS if cls not in HEADS])
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
                encoder=autoencoder,
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
        encoder=autoencoder,
        init="k-means",
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
    assert moved(X, optimizer="sgd", lr=0.1, callbacks=clipping) < 1e-4


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


@pytest.mark.parametrize("cls", [cls for cls in TRAINERS if cls not in HEADS])
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


@pytest.mark.parametrize(
    "keeper",
    [
        lambda path: Checkpoint(
            monitor="train_loss_best", load_best=True, dirname=str(path)
        ),
        lambda path: EarlyStopping(
            monitor="train_loss", load_best=True, patience=99, sink=str
        ),
    ],
    ids=["Checkpoint", "EarlyStopping"],
)
def test_the_best_network_comes_with_its_centroids(keeper, digits, tmp_path):
    seen.clear()
    dcn = tiny(
        DCNClustering,
        init="k-means",
        lr=0.1,
        max_epochs=4,
        tol=0.0,
        callbacks=[keeper(tmp_path), Centers()],
    )
    fitted(dcn, digits[:200])
    losses = [epoch["train_loss"] for epoch in dcn.history_["clustering"]]
    best = int(np.argmin(losses))
    assert best < 3
    assert_array_equal(dcn.cluster_centers_, seen[best])


seen: list = []


class Centers(Callback):
    def on_epoch_end(self, net, **kwargs):
        seen.append(net.module_.head.centers.detach().numpy().copy())


def test_held_out_rows_of_dcn_have_their_nearest_centroid(digits):
    X = digits[:200]
    dcn = tiny(
        DCNClustering,
        init="k-means",
        cluster_weight=1.0,
        lr=1e-12,
        max_epochs=1,
        net_params={"train_split": predefined_split(SkorchDataset(X[:50], None))},
    )
    fitted(dcn, X)
    Z = dcn.transform(X[:50]).astype(np.float64)
    distances = np.square(Z[:, None] - dcn.cluster_centers_).sum(2).min(1)
    error = dcn._reconstruction_errors(X[:50]).mean()
    loss = dcn.history_["clustering"][0]["valid_loss"]
    assert loss == pytest.approx(error + distances.mean() / 2, rel=1e-2)


class Rows(Dataset):
    """A plain data set of torch: rows, or rows with a target."""

    def __init__(self, X, y=None):
        self.X = np.array(X)
        self.y = y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return self.X[i] if self.y is None else (self.X[i], self.y[i])


@pytest.mark.parametrize("loader", [BatchIterator, DataLoader])
@pytest.mark.parametrize("target", [False, True])
@pytest.mark.parametrize("cls", [cls for cls in TRAINERS if cls not in HEADS])
def test_validation_on_rows_of_a_users_own(cls, target, loader, digits):
    held_out = Rows(digits[200:230], np.arange(30) if target else None)
    net_params = {
        "train_split": predefined_split(held_out),
        "iterator_valid": loader,
    }
    model = tiny(cls, init="k-means", net_params=net_params)
    *_, epochs = fitted(model, digits[:200]).history_.values()
    assert all(np.isfinite(epoch["valid_loss"]) for epoch in epochs)


def test_a_batch_of_one_row_is_named(digits):
    net_params = {"iterator_train": DataLoader, "iterator_train__batch_size": 50}
    ddc = tiny(DDCClustering, init="k-means", net_params=net_params)
    fitted(ddc, digits[:200])
    with pytest.raises(ValueError, match=r"one row.*iterator_train__drop_last"):
        ddc.fit(digits[:201])
    ddc.training.net_params["iterator_train__drop_last"] = True
    fitted(ddc, digits[:201])


@pytest.mark.parametrize("cls", TRAINERS)
def test_compilation_reaches_the_losses(cls, digits):
    # What other tests have compiled counts towards torch's limit.
    torch.compiler.reset()
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    settings = {"init": "k-means", "max_epochs": 1}
    net_params = {"compile": True, "compile__backend": backend}
    model = tiny(cls, net_params=net_params, **settings)
    with warnings.catch_warnings():
        # torch's own, of what it doesn't trace.
        warnings.simplefilter("ignore")
        model.fit(digits[:64])
    plain = fitted(tiny(cls, **settings), digits[:64])
    assert len(graphs) > 0
    *_, compiled_history = model.history_.values()
    *_, history = plain.history_.values()
    assert compiled_history[0]["train_loss"] == pytest.approx(
        history[0]["train_loss"], rel=1e-3
    )


@pytest.mark.parametrize("cls", [Autoencoder, VaDEClustering])
def test_a_schedule_of_the_users_replaces_ours(cls, digits):
    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    model = tiny(cls, callbacks=[schedule], lr=0.008, init="k-means")
    *_, epochs = fitted(model, digits[:200]).history_.values()
    assert [epoch["event_lr"] for epoch in epochs] == [0.008, 0.004, 0.002]


@pytest.mark.parametrize("cls", TRAINERS)
def test_any_optimizer_class(cls, digits):
    model = tiny(cls, optimizer=torch.optim.RMSprop, init="k-means")
    model.set_params(training__net_params={"optimizer__alpha": 0.9})
    fitted(model, digits[:200])
    copied = pickle.loads(pickle.dumps(model))
    assert copied.training.optimizer is torch.optim.RMSprop
    assert clone(model).training.optimizer is torch.optim.RMSprop


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_momenta_that_have_faded_are_forgotten(name):
    optimizer_class, settings = OPTIMIZERS[name]
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = optimizer_class([weight], lr=1e-3, **settings)
    for step in range(1200):
        # The first has a gradient once, the second never, the third always.
        weight.grad = torch.tensor([float(step == 0), 0.0, 1.0])
        optimizer.step()
        if step % 100 == 0:
            forget_faded(optimizer)
    (state,) = optimizer.state.values()
    momenta = state.get("exp_avg", state.get("momentum_buffer")).tolist()
    assert momenta[:2] == [0, 0]
    assert momenta[2] > 0.5


def test_forgetting_faded_momenta_moves_no_weight(digits, monkeypatch):
    model = tiny_autoencoder(hidden_units=(64, 64), max_epochs=60, lr=0.03)
    model.set_params(batch_size=32, random_state=0)
    latent = clone(model).fit(digits[:640]).transform(digits)
    faded = []

    def least(optimizer):
        for state in optimizer.state.values():
            momenta = state["exp_avg"].abs()
            faded.append(((momenta > 0) & (momenta < 1e-37)).sum().item())

    monkeypatch.setattr("skdeepcluster.training.forget_faded", least)
    assert_array_equal(clone(model).fit(digits[:640]).transform(digits), latent)
    # There were some to forget.
    assert max(faded) > 0


def test_teaching_is_heard_and_can_be_left_out(digits):
    heard["end"].clear()
    settings = {"init": "graph", "max_epochs": 0, "callbacks": [Batches()]}
    taught = fitted(tiny(DECClustering, **settings), digits[:200])
    rows = sum(count for count, _ in heard["end"])
    assert rows == 200 * len(taught.history_["teaching"]) > 0
    heard["end"].clear()
    plain = fitted(tiny(DECClustering, **{**settings, "init": "k-means"}), digits[:200])
    assert "teaching" not in plain.history_
    assert heard["end"] == []
    assert_array_equal(plain.transform(digits), plain_latent(plain, digits))


def plain_latent(model, X):
    """Latent rows of the pretrained network alone."""
    network = clone(model.encoder)
    network.random_state = spawn_seeds(model.random_state, 3)[0]
    return network.fit(X[:200]).transform(X)


def test_uncertainty_falls_where_the_loss_jumps(digits):
    dec = DECClustering(
        8,
        encoder=Autoencoder((64,), max_epochs=10, random_state=0),
        init="k-means",
        tol=0.0,
        update_interval=1,
        max_epochs=30,
        random_state=0,
    )
    epochs = dec.fit(digits).history_["clustering"]
    losses, doubts = (
        np.array([epoch[name] for epoch in epochs])
        for name in ("train_loss", "uncertainty")
    )
    assert (np.diff(losses) > 0).any()
    assert (np.diff(doubts) < 0).all()
    stop = EarlyStopping(monitor="uncertainty", sink=str)
    dec.set_params(training__callbacks=[stop]).fit(digits)
    assert dec.n_iter_ == 30


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_models_move_to_a_device(cls, digits, monkeypatch):
    model = fitted(tiny(cls), digits[:100])
    inner = trained(model)
    expected, network = inner.transform(digits), inner.module_
    assert inner.to("cpu") is inner
    assert inner.module_ is not network
    assert_array_equal(inner.transform(digits), expected)
    with pytest.raises(ValueError, match="device='abacus'"):
        inner.to("abacus")


@pytest.mark.parametrize("how", ["raise", "stop"])
def test_all_callbacks_hear_every_event(how, digits):
    stop = EarlyStopping("train_loss", patience=1, threshold=1e9, sink=str)
    first = stop if how == "stop" else Raise()
    told.clear()
    model = tiny_autoencoder(max_epochs=5, callbacks=[first, Told()])
    fitted(model, digits[:100])
    assert told == ["begin", "end"] * model.n_iter_ + ["over"]
    assert model.n_iter_ < 5
    assert all("dur" in epoch for epoch in model.history_["pretraining"])


told: list = []


class Told(Callback):
    def on_epoch_begin(self, net, **kwargs):
        told.append("begin")

    def on_epoch_end(self, net, **kwargs):
        told.append("end")

    def on_train_end(self, net, **kwargs):
        told.append("over")


class Raise(Callback):
    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def test_verbose(X, capsys):
    tiny_autoencoder().fit(X)
    assert capsys.readouterr().out == ""
    tiny_autoencoder(verbose=1).fit(X)
    assert "train_loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("net_params", "message"),
    [
        ({"lr": 1}, "set lr on the estimator"),
        ({"criterion": 1}, "'criterion', which is the estimator's own"),
        ({"module__n_features": 1}, "'module__n_features', which is the estimator's"),
        ({"modul": 1}, "modul"),
        ({"optimiser__lr": 1}, "optimiser__lr"),
        ({"optimizer__": 1}, "optimizer__"),
        ({"optimizer__momentum": 0.5}, "momentum"),
        ({"optimizer__params": []}, "params"),
        ({"optimizer__betas": 3}, "betas"),
        ({"optimizer__weight_decay": -1}, "weight_decay"),
        ({"train_split": 3}, "train_split=3"),
        ({"iterator_train": "mine"}, "iterator_train"),
        ({"iterator_train__num_workers": 2}, "num_workers"),
    ],
)
def test_unusable_net_params(net_params, message):
    with pytest.raises(ValueError, match=f"net_params.*{message}"):
        check_net(net_params, optimizer="adam")


def test_usable_net_params():
    good = {"train_split": None, "optimizer__param_groups": [], "compile": False}
    check_net(good, optimizer="adam")
    check_net({"optimizer__momentum": 0.5}, optimizer="sgd")
    loader = {"iterator_train": DataLoader, "iterator_train__num_workers": 1}
    check_net(loader, optimizer="adam")
    check_net(None, optimizer="adam")


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
