"""Images that training changes: as they should be, the same again, and never later."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import skops.io
import torch
from discovery import fitted, tiny, tiny_autoencoder
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import Callback
from test_common import bits
from test_resume import assert_same_fit, kill_then_go_on

from skdeepcluster import (
    Autoencoder,
    AutoencoderKMeans,
    DCNClustering,
    DDCClustering,
    DECClustering,
    VaDEClustering,
)
from skdeepcluster import functional as F
from skdeepcluster.augment import MOST_DEGREES, MOST_SHIFT, Moving, moved
from skdeepcluster.graph import GraphClustering
from skdeepcluster.io import load

BOTH = ("shift", "rotate")


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).random((4, 2, 6, 9)))


def move(images, across=0.0, down=0.0, degrees=0.0, mirror=False):
    """Move all the images alike, as an array."""
    numbers = [across, down, np.radians(degrees), mirror]
    return moved(images, *(torch.full((len(images),), n) for n in numbers)).numpy()


def test_nothing_is_changed_by_no_move(images):
    assert_allclose(move(images), images, atol=1e-6)


@pytest.mark.parametrize(("right", "below"), [(2, 0), (0, 1), (-3, 2), (1, -1)])
def test_shifts_by_whole_pixels(right, below, images):
    actual = move(images, right / 9, below / 6)
    padded = np.pad(images, [(0, 0), (0, 0), (3, 3), (3, 3)], mode="edge")
    expected = padded[:, :, 3 - below : 9 - below, 3 - right : 12 - right]
    assert_allclose(actual, expected, atol=1e-6)


def test_quarter_and_half_turns(images):
    square = images[..., 1:7]
    clockwise = np.rot90(square, -1, axes=(2, 3))
    assert_allclose(move(square, degrees=90), clockwise, atol=1e-6)
    half = images.numpy()[..., ::-1, ::-1]
    assert_allclose(move(images, degrees=180), half, atol=1e-6)


def test_mirror_images(images):
    assert_allclose(move(images, mirror=True), images.flip(3), atol=1e-6)


def test_all_at_once_as_scipy_does_it(images):
    """An oblong image is mirrored, then turned about its centre, then shifted."""
    across, down, angle = 0.08, -0.05, np.radians(7)
    centre, shift = np.array([2.5, 4.0]), np.array([down * 6, across * 9])
    # From a place in the result to one in the image: rows first, as scipy has it.
    matrix = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    expected = [
        [
            ndimage.affine_transform(
                channel[:, ::-1],
                matrix,
                centre - matrix @ (centre + shift),
                order=1,
                mode="nearest",
            )
            for channel in image
        ]
        for image in images.numpy()
    ]
    assert_allclose(move(images, across, down, 7, True), expected, atol=1e-6)


def changed(names, images, seed=0):
    shape = tuple(images.shape[1:])
    rows = torch.from_numpy(np.array(images, dtype=np.float32)).flatten(1)
    return Moving(names, shape, seed)(rows).reshape(images.shape).numpy()


def test_shifts_are_within_a_tenth_of_each_side():
    ramps = np.stack(np.broadcast_arrays(np.arange(20.0), np.arange(30.0)[:, None]))
    copies = np.broadcast_to(ramps, (300, 2, 30, 20))
    right, below = (copies - changed(("shift",), copies))[:, :, 5:-5, 5:-5].swapaxes(
        0, 1
    )
    for shifts, side in ((right, 20), (below, 30)):
        # All the pixels of an image go the same way.
        assert_allclose(shifts, shifts[:, :1, :1] + 0 * shifts, atol=1e-4)
        own = shifts[:, 0, 0] / side
        assert 0.95 * MOST_SHIFT < np.abs(own).max() <= MOST_SHIFT + 1e-5
        assert np.abs(own.mean()) < 0.01
    assert np.abs(np.corrcoef(right[:, 0, 0], below[:, 0, 0])[0, 1]) < 0.2


def test_rotations_are_within_ten_degrees():
    copies = np.broadcast_to(np.arange(-10.0, 11), (300, 1, 21, 21))
    turned = changed(("rotate",), copies)[:, 0]
    assert_allclose(turned[:, 10, 10], 0, atol=1e-4)
    degrees = np.degrees(np.arcsin((turned[:, 15, 10] - turned[:, 5, 10]) / 10))
    assert 0.95 * MOST_DEGREES < np.abs(degrees).max() <= MOST_DEGREES + 1e-3
    assert np.abs(degrees.mean()) < 1


def test_about_half_of_the_images_are_mirrored(digits):
    copies = digits[:200].reshape(-1, 8, 8)
    result = changed(("flip",), copies)
    same = np.isclose(result, copies, atol=1e-4).all((1, 2))
    mirrored = np.isclose(result, copies[..., ::-1], atol=1e-4).all((1, 2))
    assert (same | mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_either_order_of_colours_is_changed_alike():
    last = np.random.default_rng(0).random((40, 9, 8, 3)).astype(np.float32)
    first = np.moveaxis(last, -1, 1)
    result = changed(BOTH, last)
    assert_allclose(np.moveaxis(result, -1, 1), changed(BOTH, first), atol=1e-6)
    grey = [changed(BOTH, last[..., 0]), changed(BOTH, last[..., :1])[..., 0]]
    assert_array_equal(*grey)
    assert_allclose(grey[0], result[..., 0], atol=1e-6)
    assert (changed(BOTH, last, seed=1) != result).any()


def same_images(images, generator):
    return images


def blinded(images, generator):
    """Images of which some pixels are hidden, by the generator that is given."""
    shown = torch.rand(images.shape, generator=generator, device=images.device) > 0.2
    return images * shown


def blinded_globally(images, generator):
    """The same, by torch's global generator."""
    return images * (torch.rand(images.shape) > 0.2)


@pytest.fixture(scope="module")
def X(digits):
    return digits[:150]


@pytest.mark.parametrize(
    "augment", ["shift", ["rotate"], BOTH, blinded, blinded_globally]
)
def test_a_seed_gives_the_same_bits(augment, X):
    plain = tiny_autoencoder(random_state=0).fit(X)
    model = tiny_autoencoder(random_state=0, augment=augment)
    state = torch.get_rng_state()
    first = bits(model.fit(X), X)
    assert_array_equal(torch.get_rng_state(), state)
    assert first == bits(clone(model).fit(X), X) != bits(plain, X)
    model.set_params(random_state=1)
    assert bits(model.fit(X), X) != first


# Changed images hold DEC's target, as an interval does.
@pytest.mark.parametrize(
    ("cls", "params"),
    [(AutoencoderKMeans, {}), (DECClustering, {"update_interval": 140})],
)
def test_changes_that_change_nothing(cls, params, X, short_teaching):
    plain = fitted(tiny(cls, **params), X)
    autoencoder = tiny_autoencoder(augment=same_images)
    same = fitted(tiny(cls, encoder=autoencoder, **params), X)
    assert bits(plain, X) == bits(same, X)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, "sparse"])
def test_rows_of_any_type(dtype, X):
    model = tiny_autoencoder(augment=BOTH, random_state=0)
    rows = sp.csr_matrix(X) if dtype == "sparse" else X.astype(dtype)
    expected = clone(model).fit(X).transform(X)
    assert_allclose(model.fit(rows).transform(X), expected, atol=1e-3)


def test_in_half_the_precision(X):
    model = tiny_autoencoder(augment=BOTH, precision="bf16", network="conv")
    assert np.isfinite(model.fit(X).transform(X)).all()


def test_a_stream_of_images(X):
    def learned(augment):
        model = tiny_autoencoder(augment=augment, random_state=0)
        return bits(model.partial_fit(X[:70]).partial_fit(X[70:]), X)

    assert learned("shift") == learned("shift") != learned(None)


@pytest.mark.parametrize("cls", [DCNClustering, DECClustering, VaDEClustering])
@pytest.mark.parametrize(
    ("epochs", "init"),
    [(4, "k-means"), (2, GraphClustering(n_init=2)), (2, "k-means")],
    ids=["pretraining", "teaching", "clustering"],
)
def test_a_killed_fit_goes_on(cls, epochs, init, X, tmp_path, short_teaching):
    network = tiny_autoencoder(max_epochs=epochs, augment=BOTH, random_state=0)
    expected, actual = kill_then_go_on(cls, X, tmp_path, 3, encoder=network, init=init)
    assert_same_fit(actual, expected, X)


@pytest.mark.parametrize("augment", [blinded, blinded_globally])
def test_a_killed_fit_goes_on_by_a_function(augment, X, tmp_path):
    network = tiny_autoencoder(max_epochs=2, augment=augment, random_state=0)
    changes = {"encoder": network, "init": "k-means"}
    expected, actual = kill_then_go_on(DECClustering, X, tmp_path, 3, **changes)
    assert_same_fit(actual, expected, X)


class Witness(Callback):
    """Notes the targets that a training ends with."""

    def on_train_end(self, net, **kwargs):
        targets.append(net.memory["target"].numpy().copy())


targets: list = []
given: list = []


def faded(images, generator):
    given.append(images.clone())
    return images / 2


def test_changed_images_learn_the_targets_of_unchanged_ones(X):
    """As nothing moves the network, its assignments are those of the training."""
    given.clear()
    targets.clear()
    network = tiny_autoencoder(augment=faded, precision="float32")
    settings = {
        "precision": "float32",
        "lr": 1e-30,
        "tol": 0.0,
        "max_epochs": 2,
        "batch_size": 75,
    }
    settings |= {"init": "k-means", "callbacks": [Witness()], "precision": "float32"}
    model = fitted(tiny(DECClustering, encoder=network, **settings), X)
    q = model.predict_proba(X)
    target = F.target_distribution(torch.from_numpy(q)).numpy()
    assert_allclose(targets[0], target, atol=1e-3)
    halved = F.target_distribution(torch.from_numpy(model.predict_proba(X / 2)))
    assert np.abs(targets[0] - halved.numpy()).max() > 0.1
    last = torch.cat(given[-2:])
    assert last.shape == (150, 1, 8, 8)
    assert_array_equal(np.sort(last.flatten(1).numpy(), 0), np.sort(X, 0))


@pytest.mark.parametrize("cls", [DECClustering, DDCClustering])
def test_clusters_of_moved_images_are_those_of_the_images(cls, digits):
    """More of them are than where training shows no moved images."""
    X = digits[:600]
    shown = torch.from_numpy(X.reshape(-1, 1, 8, 8).copy())
    shifted = move(shown, 0.1, -0.1, 10).reshape(X.shape)
    agreement = []
    for augment in (None, BOTH):
        network = Autoencoder((64,), max_epochs=10, augment=augment)
        settings = {"encoder": network, "max_epochs": 2, "random_state": 0}
        model = fitted(cls(10, init=GraphClustering(n_init=2), **settings), X)
        agreement.append(np.mean(model.predict(shifted) == model.labels_))
    assert agreement[1] > agreement[0] + 0.05


def test_predictions_change_nothing(X):
    network = tiny_autoencoder(augment=BOTH)
    model = fitted(tiny(DECClustering, encoder=network, init="k-means"), X)
    assert_array_equal(model.predict(X), model.labels_)
    assert_array_equal(model.transform(X), model.transform(X))
    assert_array_equal(model.transform(X[:1]), model.transform(X)[:1])


def test_a_fitted_autoencoder_says_how_to_go_on(X, short_teaching):
    network = tiny_autoencoder(augment="shift", random_state=0).fit(X)
    first = bits(fitted(tiny(DECClustering, encoder=network), X), X)
    assert first == bits(fitted(tiny(DECClustering, encoder=network), X), X)
    network.set_params(augment=None)
    with pytest.raises(ValueError, match=r"augment='shift'.*augment=None"):
        tiny(DECClustering, encoder=network).fit(X)


def test_in_pipelines_and_files(X, tmp_path):
    shape = {"image_shape": (4, 16), "augment": BOTH}
    model = make_pipeline(
        MinMaxScaler(),
        tiny(DECClustering, encoder=tiny_autoencoder(**shape), init="k-means"),
    )
    labels = fitted(clone(model), X).predict(X)
    model.set_params(decclustering__encoder__augment="flip")
    assert model.get_params()["decclustering__encoder__augment"] == "flip"
    model.set_params(decclustering__encoder__augment=BOTH)
    assert_array_equal(fitted(model, X).predict(X), labels)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), labels)
    dec = model[-1]
    skops.io.dump(dec, tmp_path / "file")
    read = load(tmp_path / "file")
    assert read.encoder.augment == BOTH
    rows = model[0].transform(X)
    assert_array_equal(read.predict(rows), labels)


def test_a_function_of_yours_is_named_when_it_is_loaded(X, tmp_path):
    skops.io.dump(tiny_autoencoder(augment=blinded).fit(X), tmp_path / "file")
    with pytest.raises(ValueError, match=r"test_augment\.blinded"):
        load(tmp_path / "file")
    read = load(tmp_path / "file", trusted=["test_augment.blinded"])
    assert read.augment is blinded


def no_tensor(images, generator):
    return images.numpy()


def enlarged(images, generator):
    return images.repeat(1, 1, 2, 2)


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"augment": "turn"}, ValueError, "'augment' parameter"),
        ({"augment": True}, ValueError, "'augment' parameter"),
        ({"augment": ["shift", "turn"]}, ValueError, r"augment=.*'turn'.*rotate, flip"),
        ({"augment": ()}, ValueError, r"augment=\(\) must be"),
        ({"augment": [["shift"], []]}, ValueError, r"augment=\[.*must be"),
        ({"augment": no_tensor}, TypeError, "augment=no_tensor returned ndarray"),
        ({"augment": enlarged}, ValueError, r"enlarged .*\(2, 1, 16, 16\) .*\(2, 1, 8"),
        ({"augment": len}, TypeError, "len"),
        ({"augment": "shift", "image_shape": (8, 9)}, ValueError, "image_shape"),
        ({"augment": "shift", "image_shape": (4, 4, 4)}, ValueError, "may be .chann"),
    ],
)
def test_unusable_changes_are_refused_before_training(settings, error, match, X):
    network = Autoencoder(max_epochs=10**9, **settings)
    for estimator in (network, DECClustering(3, encoder=network)):
        with pytest.raises(error, match=match):
            estimator.fit(X)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_rows_that_are_no_square_images_need_a_shape(network, X):
    model = tiny_autoencoder(augment="shift", network=network)
    with pytest.raises(ValueError, match="needs image_shape: 63 columns are no square"):
        model.fit(X[:, :63])
    model.set_params(image_shape=(7, 9)).fit(X[:, :63])
