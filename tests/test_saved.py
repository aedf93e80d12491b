"""Saved files: of this format for ever, of newer ones and damaged ones never."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from discovery import ESTIMATORS, fitted, tiny, tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import pairwise_distances
from test_common import METHODS, outputs
from test_networks import Pair

from skdeepcluster import AutoencoderGMM, DECClustering, DeepOutlierDetector
from skdeepcluster.estimators import _given
from skdeepcluster.graph import GraphClustering
from skdeepcluster.io import TRUSTED_TYPES, load

pytestmark = pytest.mark.usefixtures("short_teaching")

DATA = Path(__file__).parent / "data"


def saved_models(X):
    """What the files of a format hold: a clusterer, and a detector around another."""
    network = tiny_autoencoder(hidden_units=(4,), latent_dim=2, random_state=0).fit(X)
    settings = {"encoder": network, "init": "k-means", "random_state": 0}
    dec = DECClustering(3, max_epochs=1, **settings)
    detector = DeepOutlierDetector(AutoencoderGMM(2, **settings), random_state=0)
    return {"dec": fitted(dec, X), "detector": fitted(detector, X)}


def write_files(X, number):
    """Make the files of a new format; those of the old ones stay."""
    for name, model in saved_models(X).items():
        path = DATA / f"{name}-{number}.skops"
        skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED)
        np.savez_compressed(DATA / f"{name}-{number}.npz", **outputs(model, X))


@pytest.fixture(scope="module")
def X(digits):
    return digits[:30]


@pytest.mark.filterwarnings("ignore:Trying to unpickle:UserWarning")
@pytest.mark.parametrize(
    ("name", "number"),
    [
        (name, number)
        for name in ("dec", "detector")
        for number in range(_given.OLDEST_FORMAT, _given.SAVED_FORMAT + 1)
    ],
)
def test_files_of_every_format_are_read(name, number, X):
    model = load(DATA / f"{name}-{number}.skops")
    expected = np.load(DATA / f"{name}-{number}.npz")
    assert set(expected) <= set(METHODS)
    # Parameters that came later have their defaults.
    assert set(model.get_params()) >= set(type(model)().get_params(deep=False))
    for method, value in expected.items():
        result = getattr(model, method)(X)
        if result.dtype.kind == "i":
            assert_array_equal(result, value)
        else:
            assert_allclose(result, value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_newer_formats_are_refused_by_name(cls, X, monkeypatch, tmp_path):
    model = fitted(tiny(cls), X)
    monkeypatch.setattr(_given, "SAVED_FORMAT", 7)
    pickled = pickle.dumps(model)
    skops.io.dump(model, tmp_path / "file")
    monkeypatch.undo()
    message = r"saved by a newer version of skdeepcluster, in format 7; .* up to 3\."
    with pytest.raises(ValueError, match=message):
        pickle.loads(pickled)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "file")


def test_the_trusted_types_are_complete_and_needed(X):
    needed = set()
    changes = [
        {},
        {"encoder": FrozenEstimator(tiny_autoencoder().fit(X))},
        {"init": GraphClustering(n_init=2)},
        {"encoder": tiny_autoencoder(network="conv", max_epochs=1)},
    ]
    for cls in ESTIMATORS:
        for change in changes:
            data = skops.io.dumps(fitted(tiny(cls, max_epochs=1, **change), X))
            needed |= set(skops.io.get_untrusted_types(data=data))
    graphs = [
        GraphClustering(3, random_state=0).fit(X),
        GraphClustering(3, neighbors="precomputed").fit(pairwise_distances(X)),
    ]
    for graph in graphs:
        needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(graph)))
    assert needed == set(TRUSTED_TYPES)


def test_other_types_are_named(X, tmp_path):
    path = tmp_path / "file"
    skops.io.dump(tiny_autoencoder(network=Pair, max_epochs=1).fit(X), path)
    with pytest.raises(ValueError, match=r"test_networks\.Pair"):
        load(path)
    own = ["skdeepcluster.networks.ForeignAutoencoder", "test_networks.Pair"]
    assert load(path, trusted=own).transform(X).shape == (30, 3)


class Exploding:
    def __reduce__(self):
        return pytest.fail, ("code ran",)


@pytest.mark.parametrize("share", np.linspace(0.01, 0.99, 25))
def test_a_flipped_byte_is_harmless_or_refused(share, X, tmp_path):
    data = bytearray((DATA / "dec-3.skops").read_bytes())
    data[int(share * len(data))] ^= 0xFF
    (tmp_path / "file").write_bytes(data)
    model, message = None, ""
    try:
        model = load(tmp_path / "file")
    except ValueError as error:
        message = str(error)
    if model is None:
        assert "can't be loaded" in message
        assert "\n" not in message
    else:
        expected = np.load(DATA / "dec-3.npz")
        assert_allclose(model.transform(X), expected["transform"], rtol=1e-4)


@pytest.mark.parametrize("damage", ["truncated", "empty", "pickle"])
def test_damaged_files_are_refused_in_one_line(damage, tmp_path):
    data = (DATA / "dec-3.skops").read_bytes()
    changed = {
        "truncated": data[: len(data) // 2],
        "empty": b"",
        "pickle": pickle.dumps(Exploding()),
    }
    (tmp_path / "file").write_bytes(changed[damage])
    with pytest.raises(ValueError, match=r"file' can't be loaded: .") as caught:
        load(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


def test_a_saved_graph_predicts_the_same(digits, tmp_path):
    graph = GraphClustering(5, random_state=0).fit(digits[:300])
    skops.io.dump(graph, tmp_path / "graph.skops")
    again = load(tmp_path / "graph.skops")
    assert_array_equal(again.predict(digits), graph.predict(digits))
    assert_array_equal(again.cut(3), graph.cut(3))
