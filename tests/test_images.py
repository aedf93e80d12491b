"""Folders of images: what is read, and rows made of it."""

import functools
import importlib
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdeepcluster.graph import GraphClustering
from skdeepcluster.images import features, pixels, read
from skdeepcluster.labelling import ClusterThenLabelClassifier, write_questions
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.plotting import ClusterImagesDisplay

WHITE, RED = (255, 255, 255), (255, 0, 0)


def icons(folder, n=30):
    """Bars and discs, on hidden colours that are as many again."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:24, :24]
    shapes = [abs(down - 12) < 4, (down - 12) ** 2 + (across - 12) ** 2 < 60]
    for i in range(n):
        image = np.zeros((24, 24, 4), dtype=np.uint8)
        image[..., :3] = [WHITE, RED, (0, 0, 0)][i % 3]
        image[shapes[i % 2]] = (*rng.integers(0, 60, size=3), 255)
        Image.fromarray(image).save(Path(folder, f"{i:02}.png"))
    return np.arange(n) % 2


# what is read


def test_hidden_colours_are_not_seen(tmp_path):
    y = icons(tmp_path)
    found = read(tmp_path)
    assert found.transparent == found.names
    labels = GraphClustering(2, random_state=0).fit_predict(pixels(found.images))
    assert clustering_accuracy(y, labels) == 1
    # The colour behind them would have said otherwise.
    hidden = [Image.open(tmp_path / name).convert("RGB") for name in found.names]
    labels = GraphClustering(2, random_state=0).fit_predict(pixels(hidden))
    assert clustering_accuracy(y, labels) < 0.8


def saved(path, image, **settings):
    image.save(path, **settings)
    return read(path.parent)


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (4, 2))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 1)
    image.putpixel((1, 0), 2)
    found = saved(tmp_path / "a.png", image, transparency=2)
    assert found.transparent == ["a.png"]
    assert_array_equal(found.images[0][0, :3], [RED, WHITE, (0, 0, 0)])
    found = saved(tmp_path / "a.png", image)
    assert found.transparent == []
    assert_array_equal(found.images[0][0, 1], (0, 255, 0))


@pytest.mark.parametrize(
    ("image", "settings", "expected", "transparent"),
    [
        (Image.new("LA", (2, 2), (0, 128)), {}, 127, True),
        (Image.new("RGBA", (2, 2), (9, 9, 9, 255)), {}, 9, False),
        (Image.new("RGB", (2, 2), (9, 9, 9)), {"transparency": (9, 9, 9)}, 255, True),
        (Image.new("L", (2, 2), 77), {}, 77, False),
        (Image.new("1", (2, 2), 1), {}, 255, False),
        (Image.fromarray(np.full((2, 2), 40_000, np.uint16)), {}, 155, False),
    ],
)
def test_kinds_of_images(image, settings, expected, transparent, tmp_path):
    found = saved(tmp_path / "a.png", image, **settings)
    assert_array_equal(found.images[0], np.full((2, 2, 3), expected))
    assert bool(found.transparent) == transparent


def test_fractions_are_stretched(tmp_path):
    values = np.array([[-1.0, 0.0], [1.0, 3.0]], dtype=np.float32)
    (image,) = saved(tmp_path / "a.tiff", Image.fromarray(values)).images
    assert_array_equal(image[..., 0], [[0, 63], [127, 255]])


def test_images_are_upright_in_colour_and_not_large(tmp_path):
    values = np.zeros((300, 600), dtype=np.uint8)
    values[:, :300] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # Shown after a quarter turn to the right.
    Image.fromarray(values).save(tmp_path / "grey.png", exif=turned)
    found = read(tmp_path)
    assert found.names == ["grey.png"]
    assert found.left_out == {}
    (image,) = found.images
    assert image.shape == (256, 128, 3)
    assert (image[10, 64] == 255).all()
    assert (image[250, 64] == 0).all()
    assert read(tmp_path, side=60).images[0].shape == (60, 30, 3)


def test_files_that_are_no_images(tmp_path):
    with pytest.raises(ValueError, match="holds no image"):
        read(tmp_path)
    (tmp_path / "below").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "below" / "b.png")
    (tmp_path / "a.PNG").write_bytes(b"junk")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"junk")
    found = read(str(tmp_path))
    assert found.names == ["below/b.png"]
    assert found.left_out == {"a.PNG": "Pillow can't read it"}


@pytest.mark.parametrize("background", ["#ff0000", "red", RED, np.array(RED)])
def test_backgrounds(background, tmp_path):
    found = read_clear(tmp_path, background)
    assert_array_equal(found.images[0][0, 0], RED)


def read_clear(folder, background):
    Image.new("RGBA", (2, 2)).save(folder / "a.png")
    return read(folder, background=background)


@pytest.mark.parametrize("background", ["whit", (0, 0), (0, 0, 256), None, 3])
def test_unusable_backgrounds_are_named(background, tmp_path):
    with pytest.raises(ValueError, match="is no colour: give a name"):
        read_clear(tmp_path, background)


def test_other_unusable_arguments_are_named(tmp_path):
    with pytest.raises(NotADirectoryError, match="none' is no folder"):
        read(tmp_path / "none")
    with pytest.raises(ValueError, match="side=0"):
        read(tmp_path, side=0)
    with pytest.raises(ValueError, match=r"shape \(2, 2, 3\) and type float64"):
        pixels([np.zeros((2, 2, 3))])


# rows of pixels


def test_wide_images_are_padded_and_not_squashed():
    square = np.zeros((20, 20, 3), dtype=np.uint8)
    wide = np.full((20, 40, 3), 255, dtype=np.uint8)
    wide[:, 10:30] = 0
    rows = pixels([wide, wide[:1]], side=40, background=RED).reshape(2, 40, 40, 3)
    assert_array_equal(rows[0, :10], np.broadcast_to([1, 0, 0], (10, 40, 3)))
    assert_array_equal(rows[0, 10:30], wide / np.float32(255))
    assert rows.dtype == np.float32
    # Grey images, and those of Pillow, are images as well.
    same = [square, square[..., 0], Image.fromarray(square)]
    assert_array_equal(pixels(same), np.zeros((3, 3072)))


# features


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(256, size=(4 + i % 2, 5, 3), dtype=np.uint8) for i in range(7)]


class Counted:
    """Counts the images that it gets."""

    made = 0

    def __call__(self, images):
        Counted.made += len(images)
        return [image.mean((0, 1)) for image in images]


def means_of(images):
    return Counted()(images)


class Interrupted(Counted):
    """Is interrupted at the end of 40."""

    stop = True

    def __call__(self, images):
        if self.stop and len(images) < 32:
            raise KeyboardInterrupt
        return super().__call__(images)


class Means(TransformerMixin, BaseEstimator):
    """Means less those of all images."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, images, y=None):
        Counted.made += len(images)
        self.mean_ = np.mean([image.mean() for image in images])
        return self

    def transform(self, images):
        return self.scale * np.array([[i.mean() - self.mean_] for i in images])


@pytest.fixture
def made(monkeypatch):
    """How many images were made rows of since it was asked last."""
    monkeypatch.setattr(Counted, "made", 0)

    def since():
        number, Counted.made = Counted.made, 0
        return number

    return since


def test_what_is_kept_is_not_made_again(images, made, tmp_path):
    cache = tmp_path / "rows.npz"
    first = features(images, Counted(), cache=cache)
    assert_allclose(first[3], images[3].mean((0, 1)))
    assert made() == 7
    assert_array_equal(features(images, Counted(), cache=str(cache)), first)
    # In another order and of some, the same rows; without the file, all anew.
    assert_array_equal(features(images[::-2], Counted(), cache=cache), first[::-2])
    assert made() == 0
    assert_array_equal(features(images, Counted()), first)
    assert made() == 7
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npz"]


def test_a_changed_image_is_made_anew(images, made, tmp_path):
    cache = tmp_path / "rows.npz"
    features(images, Counted(), cache=cache)
    changed = [*images[:6], images[6] ^ 1]
    rows = features(changed, Counted(), cache=cache)
    assert made() == 7 + 1
    assert_array_equal(rows, features(changed, Counted()))


def test_images_that_are_equal_are_made_once(images, made, tmp_path):
    rows = features(
        [images[0], images[1], images[0]], Counted(), cache=tmp_path / "r.npz"
    )
    assert made() == 2
    assert_array_equal(rows[0], rows[2])


def test_a_changed_extractor_makes_anew(images, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    cache, file = tmp_path / "rows.npz", tmp_path / "changing_features.py"
    module = None
    for power in (1, 2):
        file.write_text(
            f"power = {power}\n"
            "def extract(images):\n"
            "    return [[image.mean() ** power] for image in images]\n"
        )
        importlib.invalidate_caches()
        module = (
            importlib.reload(module)
            if module
            else importlib.import_module("changing_features")
        )
        rows = features(images, "changing_features:extract", cache=cache)
        assert_allclose(rows[0], [images[0].mean() ** power])
    monkeypatch.delitem(sys.modules, "changing_features")


def test_functions_within_functions_differ_by_what_they_hold(images, tmp_path):
    def power(n):
        return lambda some: [[image.mean() ** n] for image in some]

    cache = tmp_path / "rows.npz"
    assert_allclose(features(images, power(1), cache=cache)[0], images[0].mean())
    assert_allclose(features(images, power(2), cache=cache)[0], images[0].mean() ** 2)


def test_decorated_functions_are_known_by_what_is_within(images, made, tmp_path):
    def locked(function):
        lock = threading.Lock()

        @functools.wraps(function)
        def within(some):
            with lock:
                return function(some)

        return within

    cache = tmp_path / "rows.npz"
    rows = features(images, locked(means_of), cache=cache)
    assert_array_equal(features(images, locked(means_of), cache=cache), rows)
    assert made() == 7


def test_transformers_get_all_images_at_once(images, made, tmp_path):
    cache, means = tmp_path / "rows.npz", Means()
    rows = features(images, means, cache=cache)
    assert_allclose(rows.mean(), 0, atol=1e-12)
    assert_array_equal(features(images, means, cache=cache), rows)
    assert_array_equal(features(images, Means, cache=cache), rows)
    assert made() == 7
    # Another parameter, and other images beside, make other rows.
    assert_allclose(features(images, Means(2.0), cache=cache), 2 * rows)
    part = features(images[:3], Means(), cache=cache)
    assert_allclose(part.mean(), 0, atol=1e-12)
    pipeline = make_pipeline(FunctionTransformer(pixels), PCA(2, random_state=0))
    assert features(images, pipeline, cache=cache).shape == (7, 2)


def foreign(path):
    np.savez(path, made_by="someone", keys=np.array(["a"]), rows=np.ones((1, 3)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(b"junk"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"NUMPY", b"DUMPY")),
        foreign,
    ],
)
def test_damaged_files_and_those_of_others_are_made_anew(
    damage, images, made, tmp_path
):
    cache = tmp_path / "rows.npz"
    first = features(images, Counted(), cache=cache)
    damage(cache)
    assert_array_equal(features(images, Counted(), cache=cache), first)
    assert_array_equal(features(images, Counted(), cache=cache), first)
    assert made() == 14


class Pickled:
    """Runs code when it is loaded."""

    def __reduce__(self):
        return pytest.fail, ("was run",)


def test_files_run_no_code(images, made, tmp_path):
    cache = tmp_path / "rows.npz"
    rows = np.array([Pickled()], dtype=object)
    np.savez(cache, made_by="someone", keys=np.array(["a"]), rows=rows)
    assert features(images, Counted(), cache=cache).shape == (7, 3)


def test_what_was_done_before_an_interruption_is_kept(made, monkeypatch, tmp_path):
    images = [np.full((2, 2, 3), i, dtype=np.uint8) for i in range(40)]

    with pytest.raises(KeyboardInterrupt):
        features(images, Interrupted(), cache=tmp_path / "rows.npz")
    assert made() == 32
    monkeypatch.setattr(Interrupted, "stop", False)
    rows = features(images, Interrupted(), cache=tmp_path / "rows.npz")
    assert made() == 8
    assert_array_equal(rows[:, 0], np.arange(40))


def test_features_may_be_tensors(images):
    torch = pytest.importorskip("torch")

    def extract(some):
        means = [torch.tensor(image).float().mean((0, 1)) for image in some]
        return torch.stack(means).requires_grad_()

    rows = features(images, extract)
    assert_allclose(rows[3], images[3].mean((0, 1)), rtol=1e-5)


def test_progress_is_shown(images, capsys):
    features(images, Counted(), progress=True)
    assert "7/7" in capsys.readouterr().err
    features(images, Counted())
    features(images, Counted(), progress=False)
    assert capsys.readouterr().err == ""


def test_without_tqdm(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert features(images, Counted()).shape == (7, 3)
    with pytest.raises(ImportError, match="progress=True needs tqdm"):
        features(images, Counted(), progress=True)


def test_unusable_features_are_named(images, tmp_path):
    for extract, message in [
        ("own", "must be module:name"),
        ("math:no_such_name", "no attribute 'no_such_name'"),
        (3, "extract=3 is neither callable"),
        (len, r"shape \(\) and type int64 for 7 images"),
        (lambda some: [["a"]] * len(some), "type <U1"),
        (lambda some: np.ones((2, 3)), r"shape \(2, 3\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            features(images, extract)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        features(images, "no_such_module:f")
    many = [np.zeros((2, 2, 3), dtype=np.uint8)] * 40
    with pytest.raises(ValueError, match="rows of 32 numbers, and then of 8"):
        features(many, lambda some: np.ones((len(some), len(some))))


def test_unusable_caches_are_named(images, made, tmp_path):
    typed = eval("lambda some: [[1]] * len(some)", {"__name__": "__main__"})
    np.savez(tmp_path / "data.npz", X=np.ones(3))
    for extract, name, message in [
        (Counted(), "rows.csv", "must be a file whose name ends in .npz"),
        (Counted(), "data.npz", "holds the arrays X and no features"),
        (typed, "rows.npz", "possible to tell whether"),
    ]:
        with pytest.raises(ValueError, match=message):
            features(images, extract, cache=tmp_path / name)
    with pytest.raises(FileNotFoundError, match="in no folder that exists"):
        features(images, Counted(), cache=tmp_path / "none" / "rows.npz")
    assert made() == 0
    assert np.load(tmp_path / "data.npz").files == ["X"]


# from the folder to classes


def test_a_folder_a_grid_and_ten_answers(tmp_path):
    folder = tmp_path / "icons"
    folder.mkdir()
    y = icons(folder, 60)
    wide = np.full((10, 30, 3), 255, dtype=np.uint8)
    Image.fromarray(wide).save(folder / "99.png")
    found = read(folder)
    X = pixels(found.images)
    answers = np.full(len(X), -1, dtype=object)
    model = ClusterThenLabelClassifier(random_state=0).fit(X, answers)
    rows = model.query(10)
    write_questions(tmp_path / "page.html", rows, ["bar", "disc"], images=found.images)
    answers[rows] = np.array(["bar", "disc"])[[*y, 0]][rows]
    classes = model.fit(X, answers).transduction_
    assert (classes[:60] == np.array(["bar", "disc"])[y]).all()
    display = ClusterImagesDisplay.from_predictions(found.images, classes, n_images=61)
    assert display.images[0].shape[1:] == (64, 64, 3)


def test_single_images_and_gaps_in_features_are_refused():
    image = np.zeros((8, 6, 3), np.uint8)
    for wrong, message in [(image, "a single image"), ([], "holds no image")]:
        with pytest.raises(ValueError, match=message):
            pixels(wrong)
        with pytest.raises(ValueError, match=message):
            features(wrong, lambda images: [it.mean((0, 1)) for it in images])
    with pytest.raises(ValueError, match="missing or infinite"):
        features([image] * 3, lambda images: np.full((len(images), 2), np.nan))


def test_links_to_nothing_are_told_of(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    found = read(tmp_path)
    assert found.names == ["a.png"]
    assert found.left_out == {"b.png": "Pillow can't read it"}
